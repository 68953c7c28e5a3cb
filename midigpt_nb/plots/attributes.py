"""Attribute curves: how a musical property runs from bar to bar, before and after, or in several takes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache
from textwrap import wrap
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from midigpt_nb.attributes import Attribute, AttributeAnalyzer
from midigpt_nb.errors import brief
from midigpt_nb.plots.lanes import chosen_tracks
from midigpt_nb.plots.style import NotebookFigure, Theme, ThemeName, font, printable, theme_of
from midigpt_nb.score.foreign import must_be_score
from midigpt_nb.score.places import BarRange, Tracks, bar_range

if TYPE_CHECKING:
    from midigpt_nb.score.model import Score

_LEFT, _RIGHT, _TOP, _BOTTOM, _GAP = 158.0, 14.0, 50.0, 30.0, 16.0  # pixels
_ROW = 92.0
_MARKERS, _DASHES = "osD^vP", ("-", (0, (5, 2)), (0, (1.5, 1.5)), (0, (6, 2, 1.5, 2)))
_DEFAULT = ("bar_note_density", "bar_max_polyphony", "max_note_duration")


@lru_cache(maxsize=1)
def everything() -> AttributeAnalyzer:
    """An analyzer for looking at any score: the properties of all models, by the exact formulas."""
    both = {"track_type": "both"}
    return AttributeAnalyzer.from_config(
        {
            "attribute_formulas": "exact",
            "attribute_controls": [
                {"name": "note_density_quantile", "params": {"level": "bar", **both}},
                {"name": "note_density_quantile", "params": both},
                *[
                    {"name": "polyphony_quantile", "params": {"mode": mode, "level": level}}
                    for level in ("bar", "track")
                    for mode in ("min", "max")
                ],
                *[{"name": "note_duration_quantile", "params": {"mode": mode}} for mode in ("min", "max")],
                *[{"name": name} for name in ("pitch_class_set", "pitch_range", "key_signature")],
                *[{"name": name} for name in ("silence_proportion", "nomml")],
            ],
        }
    )


def plot_attributes(
    score: Score | Mapping[str, Score],
    names: Sequence[str] | None = None,
    tracks: Tracks = None,
    requested: Mapping[str, Any] | None = None,
    targets: Iterable[tuple[int, int]] = (),
    *,
    announced: Mapping[str, Any] | None = None,
    bars: BarRange = None,
    analyzer: AttributeAnalyzer | None = None,
    theme: ThemeName = "light",
    width: float = 900,
    title: str = "",
) -> NotebookFigure:
    """Values of some attributes in every bar: a row of curves per attribute, a column per track.

    `score` is one score or ``{label: score}``, such as ``{"before": a, "after": b}`` or one entry per take.
    A track-level attribute is measured one bar at a time. `targets` are the (track, bar) cells that were
    generated; they are shaded. `requested` and `announced` have the form of the editor's ``attributes``:
    ``{"track": {track: {name: value}}, "bar": {track: {bar: {name: value}}}}``; wishes are hollow rings,
    announced values short strokes. Bars without notes leave a gap where an attribute says nothing about
    silence.
    """
    scores = dict(score) if isinstance(score, Mapping) else {"measured": score}
    if not scores:
        raise ValueError("there is no score to plot")
    for label, one in scores.items():
        must_be_score(one, f"score[{label!r}]" if isinstance(score, Mapping) else "score")
    analyzer = analyzer or everything()
    rows = _rows(analyzer, names)
    first = next(iter(scores.values()))
    shown = bar_range(bars, max(one.n_bars for one in scores.values()))
    columns = chosen_tracks(first, tracks)
    if tracks is None:
        columns = columns[:3]  # more would be too narrow to read; ask for others by number
    wishes, tokens = _Wishes(requested), _Wishes(announced)
    sheet = _Grid(theme_of(theme), width, len(rows), len(columns), title)
    generated = set(targets)
    track_names, is_drum = first.track_names, first.table.tracks[:, 2]
    for row, attribute in enumerate(rows):
        panels = []
        for column, track in enumerate(columns):
            axes = sheet.axes(row, column)
            sheet.dress(axes, attribute, shown, row, column)
            if not attribute.applies_to(bool(is_drum[track])):
                sheet.say(axes, "not for drums" if is_drum[track] else "drums only")
                continue
            cells = sorted(bar for t, bar in generated if t == track and shown[0] <= bar < shown[1])
            sheet.shade(axes, cells)
            curves = {label: per_bar(analyzer, attribute, one, track) for label, one in scores.items()}
            sheet.draw(axes, curves, shown)
            where = cells or range(*shown)
            asked, said = wishes.of(attribute, track, where), tokens.of(attribute, track, where)
            sheet.mark(axes, asked, said)
            panels.append(
                (axes, [*curves.values(), np.array([*asked.values(), *said.values()], dtype=float)])
            )
        sheet.scale(attribute, panels, shown)
    for column, track in enumerate(columns):
        sheet.head(column, f"{track_names[track]}  (track {track + 1})")
    sheet.legend(list(scores), bool(requested), bool(announced), bool(generated))
    return sheet.figure


def per_bar(analyzer: AttributeAnalyzer, attribute: Attribute, score: Score, track: int) -> np.ndarray:
    """(n_bars,) value of an attribute in every bar; NaN in bars without notes that it says nothing about."""
    table = score.table
    if track >= table.n_tracks:
        return np.zeros(0)
    if attribute.level == "bar":
        return analyzer.bar_values(table, track)[attribute.name].astype(float)
    values = [analyzer.track_values(table, track, [bar]) for bar in range(table.n_bars(track))]
    return np.array([value.get(attribute.name, np.nan) for value in values], dtype=float)


def _rows(analyzer: AttributeAnalyzer, names: Sequence[str] | None) -> list[Attribute]:
    known = list(analyzer.attribute_sizes())
    if names is None:
        bar_level = [name for name, level in analyzer.attribute_levels().items() if level == "bar"]
        names = [name for name in _DEFAULT if name in known] or bar_level or known[:3]
    rows = []
    for name in [names] if isinstance(names, str) else names:
        row = analyzer.get(name)
        if row is None:
            near = get_close_matches(name, known, 1)
            hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(known)}"
            raise ValueError(f"no attribute is named {name!r}; {hint}")
        rows.append(row)
    return rows


class _Wishes:
    """Values by track and bar from ``{"track": …, "bar": …}``, whose track and bar numbers may be texts."""

    def __init__(self, values: Mapping[str, Any] | None) -> None:
        values = values or {}
        if not set(values) <= {"track", "bar"}:
            form = "{'track': {1: {'note_density': 8}}, 'bar': {1: {4: {'bar_note_density': 3}}}}"
            raise ValueError(
                f"wishes are {brief(values)}; they look like {form}, with one of the two or both"
            )
        self.tracks = {int(track): names for track, names in (values.get("track") or {}).items()}
        self.bars = {
            (int(track), int(bar)): names
            for track, of_track in (values.get("bar") or {}).items()
            for bar, names in of_track.items()
        }

    def of(self, attribute: Attribute, track: int, cells: Iterable[int]) -> dict[int, int]:
        """``{bar: value}``: the bar's own wish, else for a track-level attribute the track's."""
        result = {}
        for bar in cells:
            own = self.bars.get((track, bar), {})
            value = own.get(attribute.name, own.get(attribute.short_name))
            if value is None and attribute.level == "track":
                value = self.tracks.get(track, {}).get(attribute.name)
            if value is not None:
                result[bar] = int(value)
        return result


@dataclass
class _Line:
    colour: str
    marker: str
    dash: Any
    size: float = 4.2
    width: float = 1.3


class _Grid:
    """The figure: a row per attribute, a column per track."""

    def __init__(self, theme: Theme, width: float, rows: int, columns: int, title: str) -> None:
        self.theme, self.width, self.rows = theme, width, rows
        self.top = _TOP + (22.0 if title else 0.0)
        self.height = self.top + rows * _ROW + (rows - 1) * _GAP + _BOTTOM
        self.figure = NotebookFigure(width, self.height, theme)
        self.column_width = (width - _LEFT - _RIGHT - (columns - 1) * _GAP) / columns
        self.lines: dict[str, _Line] = {}
        if title:
            self.text(10, 7, printable(title), 11, theme.text, bold=True)

    def text(
        self, x: float, y: float, text: str, size: float, colour: str, *, bold: bool = False, **align: Any
    ) -> None:
        """Text at pixels from the top left corner."""
        place = {"va": "top", "parse_math": False, **align}
        props = font(size, bold=bold)
        self.figure.text(
            x / self.width, 1 - y / self.height, text, color=colour, fontproperties=props, **place
        )

    def axes(self, row: int, column: int) -> Axes:
        left = _LEFT + column * (self.column_width + _GAP)
        bottom = self.height - self.top - (row + 1) * _ROW - row * _GAP
        box = (left / self.width, bottom / self.height, self.column_width / self.width, _ROW / self.height)
        return self.figure.add_axes(box)

    def dress(self, axes: Axes, attribute: Attribute, shown: tuple[int, int], row: int, column: int) -> None:
        """Background, bar lines, bar numbers and the attribute's name."""
        theme = self.theme
        axes.set_facecolor(theme.lane)
        for side in axes.spines.values():
            side.set_visible(False)
        axes.tick_params(length=0, pad=4, colors=theme.muted, labelbottom=row == self.rows - 1)
        axes.set_xlim(shown[0], shown[1])
        axes.vlines(
            range(shown[0], shown[1] + 1),
            0,
            1,
            color=theme.beat_line,
            lw=0.7,
            zorder=1,
            transform=axes.get_xaxis_transform(),
        )
        count = shown[1] - shown[0]
        step = next((s for s in (1, 2, 4, 8, 16, 32) if self.column_width / count * s >= 20), 64)
        numbered = range(shown[0], shown[1], step)
        axes.set_xticks(
            [bar + 0.5 for bar in numbered], [str(bar + 1) for bar in numbered], fontproperties=font(7)
        )
        axes.set_yticks([])
        if column == 0:
            y = self.top + row * (_ROW + _GAP)
            name = "\n".join(wrap(attribute.in_words, 10))
            self.text(10, y + 2, name, 8.5, theme.text, bold=True, linespacing=1.15)

    def scale(
        self, attribute: Attribute, panels: Sequence[tuple[Axes, list[np.ndarray]]], shown: tuple[int, int]
    ) -> None:
        """Equal heights in a row: from 0 to the last value, or to what occurs where values are many."""
        top = attribute.size - 1
        if attribute.size > 16:
            seen = np.concatenate([np.array([11.0]), *[values for _, found in panels for values in found]])
            top = int(min(top, np.nanmax(seen) + 1))
        ticks = sorted({0, top // 2, top})
        if attribute.nominal:  # names without an order: those that occur
            seen = np.concatenate([values for _, found in panels for values in found] or [np.zeros(0)])
            ticks = np.unique(seen[~np.isnan(seen)]).astype(int).tolist()[:6]
        for index, (axes, _) in enumerate(panels):
            axes.set_ylim(-0.08 * top - 0.3, 1.08 * top + 0.3)
            axes.hlines(ticks, *shown, color=self.theme.beat_line, lw=0.7, zorder=1)
            if index == 0:
                axes.set_yticks(
                    ticks, [_short(attribute.describe(v)) for v in ticks], fontproperties=font(6.5)
                )
                axes.tick_params(labelleft=True)

    def shade(self, axes: Axes, bars: Iterable[int]) -> None:
        for bar in bars:
            axes.axvspan(bar, bar + 1, color=self.theme.generated, lw=0, zorder=0.5)

    def say(self, axes: Axes, text: str) -> None:
        """A quiet remark in place of curves."""
        axes.text(
            0.5,
            0.5,
            text,
            transform=axes.transAxes,
            ha="center",
            va="center",
            color=self.theme.muted,
            fontproperties=font(7.5),
        )

    def line(self, label: str, index: int, count: int) -> _Line:
        """How a series looks: the first of several is the quiet one they are compared with."""
        if label not in self.lines:
            theme = self.theme
            if count == 1:
                self.lines[label] = _Line(theme.added, "o", "-")
            elif index == 0:
                self.lines[label] = _Line(theme.kept, "s", "-", size=6.2, width=2.6)
            else:
                colours = (theme.added, *theme.tracks[1:])
                dash = _DASHES[(index - 1) % len(_DASHES)]
                self.lines[label] = _Line(
                    colours[(index - 1) % len(colours)], _MARKERS[(index - 1) % 6], dash
                )
        return self.lines[label]

    def draw(self, axes: Axes, curves: Mapping[str, np.ndarray], shown: tuple[int, int]) -> None:
        """One curve per score: a mark in the middle of each bar, joined by a thin line."""
        for index, (label, values) in enumerate(curves.items()):
            look = self.line(label, index, len(curves))
            bars = np.arange(shown[0], min(shown[1], len(values)))
            # Many series would hide each other where they are equal; two differ in size instead.
            shift = 0.1 * (index - (len(curves) - 1) / 2) if len(curves) > 2 else 0.0
            axes.plot(
                bars + 0.5 + shift,
                values[bars],
                color=look.colour,
                linestyle=look.dash,
                linewidth=look.width,
                marker=look.marker,
                markersize=look.size,
                markeredgewidth=0,
                zorder=3 + 0.1 * index,
                clip_on=False,
            )

    def mark(self, axes: Axes, asked: Mapping[int, int], said: Mapping[int, int]) -> None:
        """Rings for wishes, short strokes for announced values."""
        if asked:
            x, y = [bar + 0.5 for bar in asked], list(asked.values())
            axes.scatter(
                x,
                y,
                s=95,
                marker="o",
                facecolors="none",
                edgecolors=self.theme.text,
                linewidths=1.3,
                zorder=5,
                clip_on=False,
            )
        if said:
            axes.hlines(
                list(said.values()),
                [b + 0.2 for b in said],
                [b + 0.8 for b in said],
                color=self.theme.removed,
                lw=2.2,
                zorder=4,
            )

    def head(self, column: int, text: str) -> None:
        x = _LEFT + column * (self.column_width + _GAP)
        most = int(self.column_width / 6.4)
        text = printable(text)
        text = text if len(text) <= most else text[: most - 1].rstrip() + "…"
        self.text(x, self.top - 6, text, 8, self.theme.text, bold=True, va="bottom")

    def legend(self, labels: Sequence[str], requested: bool, announced: bool, generated: bool) -> None:
        """Top right: the series and the kinds of mark that occur."""
        theme = self.theme
        handles: list[Any] = []
        for label in labels:
            look = self.lines.get(label)
            if look is not None:
                handles.append(
                    Line2D(
                        [],
                        [],
                        color=look.colour,
                        linestyle=look.dash,
                        marker=look.marker,
                        markersize=look.size,
                        lw=look.width,
                        label=printable(label),
                    )
                )
        if requested:
            ring: dict[str, Any] = {
                "marker": "o",
                "markersize": 8,
                "markerfacecolor": "none",
                "markeredgecolor": theme.text,
            }
            handles.append(Line2D([], [], linestyle="none", label="requested", **ring))
        if announced:
            handles.append(Line2D([], [], color=theme.removed, lw=2.2, label="announced"))
        if generated:
            handles.append(
                Patch(facecolor=theme.generated, edgecolor=theme.bar_line, lw=0.5, label="generated")
            )
        legend = self.figure.legend(
            handles=handles,
            loc="upper right",
            ncols=len(handles),
            frameon=False,
            prop=font(7.5),
            labelcolor=theme.text,
            borderaxespad=0.3,
            columnspacing=1.4,
        )
        for text in legend.get_texts():
            text.set_parse_math(False)


def _short(label: str) -> str:
    """A value label for an axis: 'sparsest (Q0)' -> 'sparsest'."""
    return label.split(" (")[0]
