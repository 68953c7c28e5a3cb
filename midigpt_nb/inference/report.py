"""What was asked for, what the model said it would write, and what it wrote, per attribute."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from midigpt_nb.inference.piece import Cell, Piece
from midigpt_nb.inference.prompt import Wishes

if TYPE_CHECKING:
    from midigpt_nb.attributes import AttributeAnalyzer
    from midigpt_nb.attributes.view import Cells

__all__ = ["AttributeReport", "attribute_report"]


@dataclass(frozen=True)
class AttributeReport:
    """One attribute of one written track (`bar` is None) or bar. Values are bins 0..size-1; None where there
    is none.

    `requested`: what the user asked for. `announced`: the token that stood in the sequence. `realised`:
    measured on the result.
    """

    track: int
    bar: int | None
    name: str
    size: int
    requested: int | None
    announced: int | None
    realised: int | None

    @property
    def adherence(self) -> float | None:
        """1 for exactly as requested, 0 for the farthest miss; a key is right or wrong. None when nothing
        was requested.
        """
        if self.requested is None or self.realised is None:
            return None
        if self.name == "key_signature":
            return float(self.requested == self.realised)
        return 1.0 - abs(self.realised - self.requested) / max(1, self.size - 1)


def attribute_report(
    piece: Piece,
    analyzer: AttributeAnalyzer,
    cells: Iterable[Cell],
    wishes: Wishes,
    announced_tracks: Mapping[int, Mapping[str, int]],
    announced_bars: Mapping[Cell, Mapping[str, int]],
    windows: Mapping[int, Cells],
) -> list[AttributeReport]:
    """A row per applicable attribute of every written track and bar.

    `windows`: for each written track the bars of all tracks that the model saw or wrote with it; the key is
    measured there, everything else on the written bars alone.
    """
    written: dict[int, list[int]] = {}
    for track, bar in sorted(cells):
        written.setdefault(track, []).append(bar)
    rows: list[AttributeReport] = []
    for track, bars in written.items():
        values = analyzer.track_values(piece.grid, track, bars=bars, cells=windows.get(track))
        per_bar = analyzer.bar_values(piece.grid, track)
        asked, said = wishes.tracks.get(track, {}), announced_tracks.get(track, {})
        for attribute in analyzer.attributes:
            name, size = attribute.name, attribute.size
            if attribute.level == "track" and (name in values or name in asked):
                rows.append(
                    AttributeReport(
                        track, None, name, size, asked.get(name), said.get(name), values.get(name)
                    )
                )
            elif attribute.level == "bar" and name in per_bar:
                for bar in bars:
                    value = int(per_bar[name][bar])
                    rows.append(
                        AttributeReport(
                            track,
                            bar,
                            name,
                            size,
                            wishes.bars.get((track, bar), {}).get(name),
                            announced_bars.get((track, bar), {}).get(name),
                            value if value >= 0 else None,
                        )
                    )
    return rows
