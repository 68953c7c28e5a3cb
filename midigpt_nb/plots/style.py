"""How pictures look: colours for light and dark, and a figure that shows itself in notebooks.

Colours keep a contrast of at least 3:1 to their background and stay apart for people with colour-vision
deficiency; what matters is also told by shape (filled, hollow, hatched). Nothing here reads or changes
matplotlib's global settings.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from io import BytesIO
from typing import Any, Literal

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont, get_font

ThemeName = Literal["light", "dark"]

FONT = "DejaVu Sans"  # comes with matplotlib, so pictures are the same on every machine


@dataclass(frozen=True)
class Theme:
    """The colours of one theme."""

    page: str
    lane: str
    text: str
    muted: str
    bar_line: str
    beat_line: str
    kept: str
    added: str
    removed: str
    generated: str  # shade behind bars that were written by the model
    tracks: tuple[str, ...]


LIGHT = Theme(
    page="#ffffff",
    lane="#f5f6f8",
    text="#1c2128",
    muted="#5c6570",
    bar_line="#b9c0c9",
    beat_line="#e3e6ea",
    kept="#8d96a1",
    added="#0068b0",
    removed="#c4510a",
    generated="#fdeec6",
    tracks=("#0072b2", "#c4510a", "#008060", "#9a4a9c", "#8a6d00", "#c03060", "#3a7ca5", "#5b6270"),
)
DARK = Theme(
    page="#16191d",
    lane="#1f242a",
    text="#e8ebef",
    muted="#a3acb7",
    bar_line="#4d5660",
    beat_line="#2c323a",
    kept="#76808c",
    added="#5cb8f5",
    removed="#f58d4e",
    generated="#423a20",
    tracks=("#56b4e9", "#f08a4b", "#35c9a0", "#d79ad6", "#e0bd3c", "#f47fa0", "#8fc7e8", "#b5bcc7"),
)
THEMES: dict[str, Theme] = {"light": LIGHT, "dark": DARK}


def theme_of(name: ThemeName | Theme) -> Theme:
    """The theme of that name."""
    if isinstance(name, Theme):
        return name
    if name not in THEMES:
        raise ValueError(f"theme {name!r} does not exist; there are {', '.join(THEMES)}")
    return THEMES[name]


def font(size: float, *, bold: bool = False) -> FontProperties:
    """The one font of all pictures, `size` in points."""
    return FontProperties(family=FONT, size=size, weight="bold" if bold else "normal")


@lru_cache(maxsize=1)
def _glyphs() -> frozenset[int]:
    return frozenset(get_font(findfont(font(8))).get_charmap())


def printable(text: str) -> str:
    """The text with a dot for everything the font cannot draw: names in files can be in any script."""
    return "".join(c if ord(c) in _glyphs() else "·" for c in " ".join(text.split()))


class NotebookFigure(Figure):
    """A Figure without pyplot that a notebook shows as a picture.

    `savefig`, `axes` and everything else are matplotlib's own.
    """

    def __init__(self, width: float, height: float, theme: Theme) -> None:
        """`width` and `height` in pixels of an ordinary screen (100 per inch)."""
        super().__init__(figsize=(width / 100, height / 100), dpi=100, facecolor=theme.page)
        FigureCanvasAgg(self)
        self.theme = theme

    def _repr_png_(self) -> tuple[bytes, dict[str, Any]]:
        """Twice the pixels, shown at half the size: sharp on fine screens."""
        width, height = self.get_size_inches() * 100
        return png_bytes(self, dpi=200), {"width": round(width), "height": round(height)}


def png_bytes(figure: Figure, dpi: float = 100) -> bytes:
    """The picture as PNG; the same figure gives the same bytes."""
    buffer = BytesIO()
    # "Software" would name the version of matplotlib and make equal pictures differ.
    figure.savefig(
        buffer, format="png", dpi=dpi, facecolor=figure.get_facecolor(), metadata={"Software": None}
    )
    return buffer.getvalue()


def bare(axes: Axes, theme: Theme) -> None:
    """Take away the frame and the ticks; what is wanted is drawn by hand."""
    axes.set_facecolor("none")
    for side in axes.spines.values():
        side.set_visible(False)
    axes.tick_params(length=0, labelleft=False, labelbottom=False, colors=theme.muted)
