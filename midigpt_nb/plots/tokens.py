"""The token strip: what the model reads and writes, one box per token, one line per bar."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from matplotlib.colors import to_rgb
from matplotlib.patches import Rectangle

from midigpt_nb.plots.lanes import pitch_name, short_drum_name
from midigpt_nb.plots.style import NotebookFigure, Theme, ThemeName, bare, font, printable, theme_of

if TYPE_CHECKING:
    from midigpt_nb.tokenizer import Tokenizer
    from midigpt_nb.tokenizer.explain import TokenRow

# Kinds of token: (name in the legend, index of its track colour, token types). What is not listed is an
# attribute.
_KINDS: tuple[tuple[str, int, tuple[str, ...]], ...] = (
    (
        "structure",
        7,
        (
            "PieceStart",
            "NumBars",
            "Track",
            "TrackEnd",
            "Instrument",
            "Bar",
            "BarEnd",
            "TimeSig",
            "Genre",
            "None",
        ),
    ),
    ("position", 2, ("TimeAbsolutePos", "Delta", "DeltaDirection", "UseMicrotiming")),
    ("velocity", 4, ("VelocityLevel", "UseVelocity")),
    ("pitch", 0, ("NoteOnset",)),
    ("length", 5, ("NoteDuration",)),
    ("to be filled", 1, ("FillInPlaceholder", "FillInStart", "FillInEnd", "MaskBar")),
)
_ATTRIBUTE = ("attribute", 3)
_NEW_LINE = ("Track", "Bar", "FillInStart")
_WORDS = {
    "PieceStart": "piece",
    "TrackEnd": "track end",
    "Bar": "bar",
    "BarEnd": "bar end",
    "FillInPlaceholder": "to fill",
    "FillInStart": "fill",
    "FillInEnd": "fill end",
    "MaskBar": "hidden",
}
_SIZE, _CHARACTER = 7.2, 6.02  # points; pixels of one character (10 pixels high, so hinting changes nothing)
_BOX, _GAP, _LINE, _LEFT, _RIGHT = 17.0, 3.0, 22.0, 62.0, 10.0


def plot_tokens(
    tokens: Sequence[int],
    tokenizer: Tokenizer,
    *,
    start: int = 0,
    count: int = 240,
    theme: ThemeName = "light",
    width: float = 900,
    title: str = "",
) -> NotebookFigure:
    """Tokens `start` to ``start + count`` as labelled boxes; every bar begins a line, numbered by its first.

    Positions and lengths are in ticks of the token grid (12 to a quarter note in the published models).
    """
    if start < 0 or count < 1:
        raise ValueError(f"start must be 0 or more and count 1 or more, got start={start} and count={count}")
    colours, rows = theme_of(theme), tokenizer.explain(list(tokens))
    drums = {row.track for row in rows if row.type == "Track" and row.value == 1}
    chosen = rows[start : start + count]
    labels = [_label(row, row.track in drums) for row in chosen]
    lines = _break_lines(chosen, labels, width - _LEFT - _RIGHT)
    top = 30.0 + (24.0 if title else 0.0)
    left_over = len(rows) - start - len(chosen)
    height = top + _LINE * max(len(lines), 1) + (18.0 if left_over > 0 else 6.0)
    figure = NotebookFigure(width, height, colours)
    axes = figure.add_axes((0, 0, 1, 1))
    bare(axes, colours)
    axes.set_xlim(0, width)
    axes.set_ylim(height, 0)
    if title:
        axes.text(
            10,
            8,
            printable(title),
            parse_math=False,
            va="top",
            color=colours.text,
            fontproperties=font(11, bold=True),
        )
    _legend(figure, colours, {_kind(row.type) for row in chosen}, top)
    for number, line in enumerate(lines):
        y = top + number * _LINE
        first = chosen[line[0][0]].position
        axes.text(
            _LEFT - 8,
            y + _BOX / 2,
            str(first),
            ha="right",
            va="center_baseline",
            color=colours.muted,
            fontproperties=font(6.5),
        )
        for index, x in line:
            _box(figure, chosen[index], labels[index], x, y, colours)
    if left_over > 0:
        text = f"… and {left_over:,} more tokens"
        axes.text(_LEFT, height - 12, text, va="center", color=colours.muted, fontproperties=font(7))
    return figure


def _kind(token_type: str) -> tuple[str, int]:
    for name, colour, types in _KINDS:
        if token_type in types:
            return name, colour
    return _ATTRIBUTE


def _label(row: TokenRow, is_drum: bool) -> str:
    """A word or two for the box."""
    if row.type in _WORDS:
        return _WORDS[row.type]
    if row.type == "Track":
        return "drum track" if row.value else "track"
    if row.type == "Instrument" and is_drum:
        return "drum kit"  # the program names a kit here, not an instrument
    if row.type == "NoteOnset":
        return short_drum_name(row.value) if is_drum else pitch_name(row.value)
    if row.type == "NoteDuration":
        return f"len {row.value + 1}"
    if row.type == "TimeAbsolutePos":
        return f"at {row.value}"
    if row.type == "VelocityLevel":
        return row.text.replace("velocity", "vel")
    return row.text or f"{row.type} {row.value}"


def _width(label: str) -> float:
    return len(label) * _CHARACTER + 11.0


def _break_lines(
    rows: Sequence[TokenRow], labels: Sequence[str], room: float
) -> list[list[tuple[int, float]]]:
    """Lines of ``(index, x)``: a new one for each track, bar and fill, and where the room ends."""
    lines: list[list[tuple[int, float]]] = []
    x = 0.0
    for index, (row, label) in enumerate(zip(rows, labels, strict=True)):
        wide = _width(label)
        if not lines or row.type in _NEW_LINE or x + wide > room:
            continued = bool(lines) and row.type not in _NEW_LINE
            lines.append([])
            x = 16.0 if continued else 0.0
        lines[-1].append((index, _LEFT + x))
        x += wide + _GAP
    return lines


def _box(figure: NotebookFigure, row: TokenRow, label: str, x: float, y: float, theme: Theme) -> None:
    axes = figure.axes[0]
    colour = theme.tracks[_kind(row.type)[1]]
    axes.add_patch(Rectangle((x, y), _width(label), _BOX, facecolor=_tint(colour, theme), lw=0))
    axes.add_patch(Rectangle((x, y), 2.5, _BOX, facecolor=colour, lw=0))
    mono = font(_SIZE)
    mono.set_family("DejaVu Sans Mono")
    axes.text(x + 6.5, y + _BOX / 2 + 0.5, label, va="center", color=theme.text, fontproperties=mono)


def _tint(colour: str, theme: Theme) -> tuple[float, float, float]:
    """A pale version of a colour that text stays readable on."""
    strength = 0.16 if theme.page == "#ffffff" else 0.26
    red, green, blue = (
        strength * a + (1 - strength) * b for a, b in zip(to_rgb(colour), to_rgb(theme.page), strict=True)
    )
    return red, green, blue


def _legend(figure: NotebookFigure, theme: Theme, kinds: set[tuple[str, int]], top: float) -> None:
    """The kinds of token that occur, in the line above the boxes."""
    axes, x = figure.axes[0], _LEFT
    known = [(name, colour) for name, colour, _ in _KINDS]
    for name, colour in [*known[:1], _ATTRIBUTE, *known[1:]]:
        if (name, colour) in kinds:
            axes.add_patch(Rectangle((x, top - 19), 9, 9, facecolor=theme.tracks[colour], lw=0))
            axes.text(
                x + 13, top - 14.5, name, va="center_baseline", color=theme.muted, fontproperties=font(7)
            )
            x += 13 + 5.6 * len(name) + 16
