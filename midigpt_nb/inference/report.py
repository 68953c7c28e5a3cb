"""What was asked for, what the model said it would write, and what it wrote, per attribute."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

from midigpt_nb.attributes.registry import closeness, is_nominal
from midigpt_nb.attributes.view import track_of
from midigpt_nb.inference.chord_control import ATTRIBUTES
from midigpt_nb.inference.piece import Cell, Piece

if TYPE_CHECKING:
    from midigpt_nb.attributes import AttributeAnalyzer
    from midigpt_nb.attributes.view import Cells
    from midigpt_nb.inference.chord_control import ChordRow
    from midigpt_nb.inference.prompt import Wishes

__all__ = ["AttributeReport", "Report", "attribute_report"]

_HEADER = ("track", "bar", "attribute", "requested", "announced", "realised", "met")


@dataclass(frozen=True)
class AttributeReport:
    """One attribute of one written track (`bar` is None) or bar. Values are bins 0..size-1; None where there
    is none.

    `requested`: what the user asked for. `announced`: the token that stood in the sequence. `realised`:
    measured on the result. `bars`: the bars it was measured on.
    """

    track: int
    bar: int | None
    name: str
    size: int
    requested: int | None
    announced: int | None
    realised: int | None
    bars: tuple[int, ...] = ()

    @property
    def adherence(self) -> float | None:
        """1 for exactly as requested, 0 for the farthest miss, and for a bar in which there is nothing to
        measure; a key or chord is right or wrong. None when nothing was requested.
        """
        if self.requested is None:
            return None
        if self.realised is None:
            return 0.0
        nominal = self.name in ATTRIBUTES or is_nominal(self.name)
        return closeness(self.requested, self.realised, self.size, nominal)


class Report(list[AttributeReport]):
    """The rows of a report: a list that can be asked, and that a notebook shows as a table. `remarks` are
    sentences about asked notes that could not be written, `chords` the chords that were asked for and how far
    the notes keep to them. `words` says values in words, by the attribute's name.

    >>> Report([AttributeReport(0, None, "note_density", 10, 4, 4, 5)]).adherence.__round__(2)
    0.89
    """

    def __init__(
        self,
        rows: Iterable[AttributeReport] = (),
        remarks: Iterable[str] = (),
        chords: Iterable[ChordRow] = (),
        words: Mapping[str, Callable[[int], str]] | None = None,
    ) -> None:
        super().__init__(rows)
        self.remarks = list(remarks)
        self.chords = list(chords)
        self.words = words or {}

    @property
    def wishes(self) -> Report:
        """The rows for which something was requested."""
        return Report((row for row in self if row.requested is not None), words=self.words)

    @property
    def missed(self) -> Report:
        """The wishes that were not met exactly."""
        return Report((row for row in self.wishes if row.adherence != 1.0), words=self.words)

    @property
    def adherence(self) -> float | None:
        """Mean over all wishes, chords among them, 0..1; None without wishes."""
        return _mean(row.adherence for row in (*self, *self.chords))

    def of(self, track: int, bar: int | None = None) -> Report:
        """The rows of a track (with its bars), or of one bar; both are numbers, from 0."""
        track = track_of(self, track)
        here = [row for row in self if row.track == track and (bar is None or row.bar == bar)]
        chords = [c for c in self.chords if c.track == track and bar in (None, c.bar)]
        return Report(here, chords=chords, words=self.words)

    def __repr__(self) -> str:
        if not self and not self.chords:
            return "Report(nothing was written)"
        rows = [_HEADER, *(self._cells(row) for row in self)]
        widths = [max(len(row[i]) for row in rows) for i in range(len(_HEADER))]
        lines = ["  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip() for row in rows]
        return "\n".join([*lines, *_chord_lines(self.chords), self.summary(), *self.remarks])

    def _repr_html_(self) -> str:
        head = "".join(f"<th>{name}</th>" for name in _HEADER)
        rows = ("".join(f"<td>{escape(c)}</td>" for c in self._cells(row)) for row in self)
        body = "".join(f"<tr>{row}</tr>" for row in rows)
        table = f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
        return table + "".join(
            f"<p>{escape(line)}</p>" for line in (*_chord_lines(self.chords), self.summary(), *self.remarks)
        )

    def _cells(self, row: AttributeReport) -> tuple[str, ...]:
        def text(value: int | None) -> str:
            words = "" if value is None else self.words.get(row.name, str)(value)
            return words if value is None or words == str(value) else f"{value} ({words})"

        hit = "" if row.adherence is None else "yes" if row.adherence == 1 else f"{row.adherence:.0%}"
        bar = "" if row.bar is None else str(row.bar)
        values = (row.requested, row.announced, row.realised)
        return (str(row.track), bar, row.name, *map(text, values), hit)

    def summary(self) -> str:
        """How many wishes were met, in one line."""
        wishes, kept = self.wishes, _mean(row.share for row in self.chords)
        on_chords = "" if kept is None else f"{kept:.0%} of the time on chord tones"
        if not wishes:
            return on_chords or "no wishes"
        met = len(wishes) - len(self.missed)
        words = f"{met} of {len(wishes)} wishes met exactly; adherence {self.adherence:.0%}"
        return f"{words}; {on_chords}" if on_chords else words


def _chord_lines(rows: Iterable[ChordRow]) -> list[str]:
    """A line per bar with a chord."""
    return [
        f"track {row.track}, bar {row.bar}: {row.chord}, "
        + ("no notes" if row.share is None else f"{row.share:.0%} of the time on its notes")
        for row in rows
    ]


def _mean(values: Iterable[float | None]) -> float | None:
    known = [v for v in values if v is not None]
    return sum(known) / len(known) if known else None


def attribute_report(
    piece: Piece,
    analyzer: AttributeAnalyzer,
    cells: Iterable[Cell],
    wishes: Wishes,
    announced_tracks: Mapping[int, Mapping[str, int]],
    announced_bars: Mapping[Cell, Mapping[str, int]],
    windows: Mapping[int, Cells],
) -> Report:
    """A row per applicable attribute of every written track and bar.

    `windows`: for each written track the bars of all tracks that the model saw or wrote with it; the key is
    measured there, everything else on the written bars alone. A track attribute that was requested bar by bar
    has a row per set of bars with the same level.
    """
    written: dict[int, list[int]] = {}
    for track, bar in sorted(cells):
        written.setdefault(track, []).append(bar)
    report = Report(words={attribute.name: attribute.describe for attribute in analyzer.attributes})
    for track, bars in written.items():
        per_bar = analyzer.bar_values(piece.grid, track)
        said = announced_tracks.get(track, {})
        groups = _groups(wishes, track, bars)
        for group, asked in groups:
            values = analyzer.track_values(piece.grid, track, bars=group, cells=windows.get(track))
            for attribute in analyzer.attributes:
                name, size = attribute.name, attribute.size
                if attribute.level != "track" or (name not in values and name not in asked):
                    continue
                heard = asked.get(name, said.get(name)) if len(groups) > 1 else said.get(name)
                row = (track, None, name, size, asked.get(name), heard, values.get(name), tuple(group))
                report.append(AttributeReport(*row))
        for attribute in analyzer.attributes:
            name, size = attribute.name, attribute.size
            if attribute.level != "bar" or name not in per_bar:
                continue
            for bar in bars:
                value = int(per_bar[name][bar])
                asked_here = wishes.bars.get((track, bar), {}).get(name)
                heard = announced_bars.get((track, bar), {}).get(name)
                realised = value if value >= 0 else None
                report.append(AttributeReport(track, bar, name, size, asked_here, heard, realised, (bar,)))
    return report


def _groups(wishes: Wishes, track: int, bars: list[int]) -> list[tuple[list[int], dict[str, int]]]:
    """Written bars of equal track wishes, with those wishes."""
    groups: dict[tuple[tuple[str, int], ...], list[int]] = {}
    for bar in bars:
        asked = {**wishes.tracks.get(track, {}), **wishes.steps.get((track, bar), {})}
        groups.setdefault(tuple(sorted(asked.items())), []).append(bar)
    return [(group, dict(asked)) for asked, group in groups.items()]
