"""Static piano rolls: one score, or what changed between two."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from io import BytesIO
from textwrap import wrap
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Rectangle

from midigpt_nb.plots import style
from midigpt_nb.plots.lanes import (
    Lane,
    Notes,
    chosen_tracks,
    place,
    placed_notes,
    stack_lanes,
)
from midigpt_nb.plots.style import NotebookFigure, Theme, ThemeName, bare, font, printable, theme_of
from midigpt_nb.score.foreign import must_be_score
from midigpt_nb.score.places import BarRange, Tracks, bar_range

if TYPE_CHECKING:
    from midigpt_nb.score.model import Score

Cells = Iterable[tuple[int, int]]
_HIT_QUARTERS = 0.2  # how wide a drum hit is drawn; its written length means nothing
_LEFT, _RIGHT, _TOP, _BOTTOM = 166.0, 14.0, 26.0, 10.0  # margins in pixels
_HEAD = 24.0  # room above for a title or a legend
_LEAST_NOTE = 3.6  # height in pixels below which a note is hard to see


@dataclass(frozen=True)
class _Sheet:
    """A figure with its lanes laid out, ready for notes."""

    figure: NotebookFigure
    axes: Axes
    lanes: list[Lane]
    bars: tuple[int, int]
    bar_quarters: np.ndarray  # (n_bars + 1,) start of every bar of the score
    theme: Theme
    n_tracks: int

    def colour(self, lane: Lane) -> str:
        return self.theme.tracks[lane.track % len(self.theme.tracks)]


def plot_roll(
    score: Score,
    *,
    bars: BarRange = None,
    tracks: Tracks = None,
    highlight: Cells = (),
    theme: ThemeName = "light",
    width: float = 900,
    height: float | None = None,
    title: str = "",
) -> NotebookFigure:
    """A picture of a score: a lane per track, pitches or drums as rows, real bar lines.

    `bars` is ``(start, end)`` with the end not included, a range, a list or one bar, counted from 0 (the
    picture counts from 1); `tracks` are numbers or names, by default all that have notes. `highlight` shades
    (track, bar) cells, such as the ones that were generated. Sizes are in pixels. Louder notes are drawn
    stronger.
    """
    must_be_score(score)
    sheet = _sheet([score], bars, tracks, theme, width, height, title, head=bool(title))
    _shade(sheet, highlight)
    for lane in sheet.lanes:
        _draw_notes(sheet, lane, placed_notes(score, lane.track, sheet.bars), face=sheet.colour(lane))
    return sheet.figure


def plot_diff(
    before: Score,
    after: Score,
    *,
    bars: BarRange = None,
    tracks: Tracks = None,
    theme: ThemeName = "light",
    width: float = 900,
    height: float | None = None,
    title: str = "",
) -> NotebookFigure:
    """What changed between two scores: kept notes grey, new ones filled, removed ones hollow, bars shaded."""
    must_be_score(before, "before")
    must_be_score(after, "after")
    if after.resolution != before.resolution:
        after = after.resample(before.resolution)
    diff = before.diff(after)
    sheet = _sheet([before, after], bars, tracks, theme, width, height, title, head=True)
    _shade(sheet, diff.changed)
    longer = max(before, after, key=lambda score: score.n_bars)
    for lane in sheet.lanes:
        for kind in ("kept", "removed", "added"):
            rows, bar = [np.zeros((0, 5), dtype=np.int32)], [np.zeros(0, dtype=int)]
            for number in range(*sheet.bars):
                cell = diff.cells.get((lane.track, number))
                if cell is not None:
                    rows.append(getattr(cell, kind))
                    bar.append(np.full(len(rows[-1]), number))
            notes = place(np.concatenate(rows), np.concatenate(bar), longer.bar_starts, before.resolution)
            colour = getattr(sheet.theme, kind)
            if kind == "removed":
                _draw_notes(sheet, lane, notes, face="none", edge=colour)
            else:
                _draw_notes(sheet, lane, notes, face=colour, by_velocity=False)
    _diff_legend(sheet, diff.n_added, diff.n_removed)
    return sheet.figure


def roll_png(
    score: Score,
    *,
    bars: BarRange = None,
    tracks: Tracks = None,
    highlight: Cells = (),
    theme: ThemeName = "light",
    width: int = 800,
    height: int = 260,
    most_bytes: int = 30_000,
) -> bytes:
    """The roll as a small PNG, the same bytes for the same score: the picture a saved notebook shows.

    At most `most_bytes` long: colours are reduced to a palette, and further if need be.
    """
    from PIL import Image

    figure = plot_roll(
        score, bars=bars, tracks=tracks, highlight=highlight, theme=theme, width=width, height=height
    )
    picture = Image.open(BytesIO(style.png_bytes(figure))).convert("RGB")
    size = picture.size
    for colours, scale in ((255, 1.0), (64, 1.0), (24, 1.0), (12, 1.0), (12, 0.7), (8, 0.5), (4, 0.25)):
        small = picture.resize((round(size[0] * scale), round(size[1] * scale))) if scale < 1 else picture
        buffer = BytesIO()
        small.quantize(colours, dither=Image.Dither.NONE).save(buffer, "PNG", optimize=True)
        if buffer.tell() <= most_bytes:
            break
    return buffer.getvalue()


def _sheet(
    scores: Sequence[Score],
    bars: BarRange,
    tracks: Tracks,
    theme_name: ThemeName,
    width: float,
    height: float | None,
    title: str,
    *,
    head: bool,
) -> _Sheet:
    """An empty roll that has room for the notes of all `scores`."""
    theme = theme_of(theme_name)
    longest = max(scores, key=lambda score: score.n_bars)
    most = max(scores, key=lambda score: score.n_tracks)
    shown = bar_range(bars, longest.n_bars)
    chosen = sorted({t for score in scores for t in chosen_tracks(score, None)}) if tracks is None else tracks
    names, kinds = most.track_names, most.table.tracks[:, 2]
    wanted = []
    for track in chosen_tracks(most, chosen):
        parts = [placed_notes(score, track, shown).pitch for score in scores if track < score.n_tracks]
        wanted.append((track, names[track], bool(kinds[track]), np.concatenate(parts)))
    top = _TOP + (_HEAD if head else 0.0)
    if height is None:
        height = top + _BOTTOM + 72.0 * max(len(wanted), 1) + 20.0
    figure = NotebookFigure(width, height, theme)
    room = height - top - _BOTTOM
    axes = figure.add_axes((_LEFT / width, _BOTTOM / height, (width - _LEFT - _RIGHT) / width, room / height))
    bare(axes, theme)
    quarters = longest.bar_starts / longest.resolution
    begin, end = (quarters[shown[0]], quarters[shown[1]]) if len(quarters) > shown[1] else (0.0, 0.0)
    axes.set_xlim(begin, end if end > begin else begin + 1.0)
    axes.set_ylim(room, 0)
    lanes = stack_lanes(wanted, room) if wanted else []
    sheet = _Sheet(figure, axes, lanes, shown, quarters, theme, most.n_tracks)
    _draw_grid(sheet, longest)
    for lane in lanes:
        _label(sheet, lane)
    if title:
        heading = figure.text(10 / width, 1 - 7 / height, printable(title), va="top", parse_math=False)
        heading.set(color=theme.text, fontproperties=font(11, bold=True))
    return sheet


def _draw_grid(sheet: _Sheet, score: Score) -> None:
    """Lane backgrounds, beat and bar lines, octave lines, bar numbers and metres."""
    axes, theme = sheet.axes, sheet.theme
    first, last = sheet.bars
    starts = sheet.bar_quarters[first : last + 1]
    if len(starts) < 2:
        return
    begin, end = sheet.axes.get_xlim()
    for lane in sheet.lanes:
        axes.add_patch(
            Rectangle((begin, lane.top), end - begin, lane.height, color=theme.lane, lw=0, zorder=0)
        )
        octaves = [] if lane.is_drum else [i + 1 for i, pitch in enumerate(lane.rows) if pitch % 12 == 0]
        rules = octaves or (range(1, len(lane.rows)) if lane.is_drum else [])
        level = [lane.top + i * lane.row_height for i in rules]
        axes.hlines(level, begin, end, color=theme.beat_line, lw=0.6, zorder=1)
    metres = _metres(score)
    pixels_per_quarter = (sheet.figure.bbox.width - _LEFT - _RIGHT) / (end - begin)
    beats = [
        start + beat * 4 / den
        for start, (num, den) in zip(starts[:-1], metres[first:last], strict=True)
        for beat in range(1, num)
        if pixels_per_quarter * 4 / den >= 9
    ]
    _vertical(sheet, beats, theme.beat_line, 0.6, zorder=1.1)
    _vertical(sheet, starts, theme.bar_line, 1.0, zorder=1.2)
    _number_bars(sheet, metres)


def _vertical(sheet: _Sheet, places: Iterable[float], colour: str, width: float, zorder: float) -> None:
    segments = [[(x, lane.top), (x, lane.bottom)] for lane in sheet.lanes for x in places]
    lines = LineCollection(segments, colors=colour, linewidths=width, zorder=zorder)
    lines.set_clip_on(False)
    sheet.axes.add_collection(lines, autolim=False)


def _metres(score: Score) -> list[tuple[int, int]]:
    """(numerator, denominator) of every bar, from the track with the most bars."""
    table = score.table
    track = max(range(score.n_tracks), key=table.n_bars, default=None)
    if track is None:
        return []
    first, last = table.bar_rows(track)
    return [(int(num), int(den)) for num, den in table.bars[first:last, 1:3]]


def _number_bars(sheet: _Sheet, metres: Sequence[tuple[int, int]]) -> None:
    """Bar numbers from 1 above the first lane, as many as fit, and the metre where it changes."""
    first, last = sheet.bars
    width = sheet.figure.bbox.width - _LEFT - _RIGHT
    step = next((s for s in (1, 2, 4, 8, 16, 32, 64) if width / (last - first) * s >= 34), 128)
    for bar in range(first, last):
        x, number = sheet.bar_quarters[bar], str(bar + 1)
        changes = bar == first or metres[bar] != metres[bar - 1]
        if changes or (bar - first) % step == 0:
            _note_beside(sheet, number, (x, 0), (1, 4), 7.5, sheet.theme.muted)
        if changes:
            right = 4 + 5.2 * len(number)
            _note_beside(
                sheet, "{}/{}".format(*metres[bar]), (x, 0), (right, 4), 7.5, sheet.theme.text, bold=True
            )


def _note_beside(
    sheet: _Sheet,
    text: str,
    place: tuple[float, float],
    offset: tuple[float, float],
    size: float,
    colour: str,
    *,
    bold: bool = False,
    **align: Any,
) -> None:
    """Text at a place of the roll, moved by `offset` points, never cut."""
    sheet.axes.annotate(
        text,
        place,
        xytext=offset,
        textcoords="offset points",
        color=colour,
        fontproperties=font(size, bold=bold),
        annotation_clip=False,
        parse_math=False,
        **align,
    )


def _label(sheet: _Sheet, lane: Lane) -> None:
    """The track's name left of its lane with a swatch of its colour, and the names of some rows."""
    figure, width, height = sheet.figure, sheet.figure.bbox.width, sheet.figure.bbox.height
    top = sheet.axes.get_position().y1 - lane.top / height
    tall = lane.height / height
    swatch = Rectangle((10 / width, top - tall), 4 / width, tall, transform=figure.transFigure, lw=0)
    swatch.set_facecolor(sheet.colour(lane))
    figure.add_artist(swatch)
    lines = wrap(printable(lane.name), 13, break_long_words=True) or [""]
    shown = lines[: 1 if lane.height < 44 else 2]
    if len(lines) > len(shown):
        shown[-1] = shown[-1][:12].rstrip() + "…"
    name, number = "\n".join(shown), f"track {lane.track + 1}"
    place: dict[str, Any] = {"va": "top", "linespacing": 1.1, "parse_math": False}
    figure.text(
        20 / width, top - 2 / height, name, color=sheet.theme.text, fontproperties=font(8, bold=True), **place
    )
    below = (3 + 13 * len(shown)) / height
    figure.text(20 / width, top - below, number, color=sheet.theme.muted, fontproperties=font(6.5), **place)
    begin = sheet.axes.get_xlim()[0]
    for middle, text in lane.row_labels():
        _note_beside(sheet, text, (begin, middle), (-4, 0), 6, sheet.theme.muted, ha="right", va="center")


def _shade(sheet: _Sheet, cells: Cells) -> None:
    """A tint behind (track, bar) cells."""
    lanes = {lane.track: lane for lane in sheet.lanes}
    for track, bar in cells:
        if track in lanes and sheet.bars[0] <= bar < sheet.bars[1]:
            lane, start = lanes[track], sheet.bar_quarters[bar]
            width = sheet.bar_quarters[bar + 1] - start
            sheet.axes.add_patch(
                Rectangle(
                    (start, lane.top), width, lane.height, color=sheet.theme.generated, lw=0, zorder=0.5
                )
            )


def _draw_notes(
    sheet: _Sheet, lane: Lane, notes: Notes, *, face: str, edge: str | None = None, by_velocity: bool = True
) -> None:
    """Notes as boxes (drum hits as short ones), cut at the right edge of the picture."""
    if not len(notes):
        return
    begin, end = sheet.axes.get_xlim()
    left = np.maximum(notes.start, begin)
    length = np.full(len(notes), _HIT_QUARTERS) if lane.is_drum else notes.length
    # A hair of space keeps repeated notes apart.
    hair = 1.2 * (end - begin) / (sheet.figure.bbox.width - _LEFT - _RIGHT)
    right = np.minimum(np.maximum(notes.start + length - hair, left + hair), end)
    half = max(lane.row_height - min(2.0, 0.2 * lane.row_height), _LEAST_NOTE) / 2
    middle = lane.row_top(notes.pitch) + lane.row_height / 2
    top, bottom = middle - half, middle + half
    corners = (
        np.stack([left, top, left, bottom, right, bottom, right, top], axis=1).reshape(-1, 4, 2).tolist()
    )
    boxes = PolyCollection(corners, facecolors=face, edgecolors=edge or "none", linewidths=1.0 if edge else 0)
    boxes.set_zorder(3 if edge else 2)
    if by_velocity and face != "none":
        boxes.set_alpha(0.45 + 0.55 * np.clip(notes.velocity, 0, 127) / 127)
    sheet.axes.add_collection(boxes, autolim=False)


def _diff_legend(sheet: _Sheet, added: int, removed: int) -> None:
    """Top right: what the three kinds of note look like, and how many there are."""
    theme = sheet.theme
    handles: list[Patch | Line2D] = [
        Patch(facecolor=theme.kept, label="kept"),
        Patch(facecolor=theme.added, label=f"new ({added})"),
        Patch(facecolor="none", edgecolor=theme.removed, linewidth=1.2, label=f"removed ({removed})"),
    ]
    sheet.figure.legend(
        handles=handles,
        loc="upper right",
        ncols=3,
        frameon=False,
        prop=font(7.5),
        labelcolor=theme.text,
        borderaxespad=0.3,
        handlelength=1.6,
        columnspacing=1.4,
    )
