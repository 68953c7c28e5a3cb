"""`show(...)`: one line to see and hear a piece. Needs no model and no torch."""

from __future__ import annotations

import base64
import io
from pathlib import Path
from typing import Any

import ipywidgets

from midigpt_nb.score.model import Score
from midigpt_nb.widgets.piano_roll import PREVIEW_BYTES, PianoRoll
from midigpt_nb.widgets.saved_picture import SavedPicture

__all__ = ["Stack", "show"]


def show(*pieces: Score | str | Path | bytes, **options: Any) -> PianoRoll | Stack:
    """A roll of each piece, one below the other when there are several.

    A piece is a `Score` or a MIDI file: its path or its bytes. `options` go to `PianoRoll` (``height=300``).

    >>> song = Score.example()
    >>> show(song, height=300)
    PianoRoll(4 tracks, 16 bars, ...)
    >>> show(song[:4], song[4:8])
    Stack(PianoRoll(4 tracks, 4 bars, ...), PianoRoll(4 tracks, 4 bars, ...))
    """
    if not pieces:
        raise TypeError("show() needs a Score or a MIDI file")
    rolls = [_roll(piece, options) for piece in pieces]
    return rolls[0] if len(rolls) == 1 else Stack(rolls)


class Stack(ipywidgets.VBox):
    """Rolls one below the other; a saved notebook keeps their pictures."""

    def __repr__(self) -> str:
        return f"Stack({', '.join(map(repr, self.children))})"

    _ipython_display_ = None  # ipywidgets 7 would display without the bundle

    def _repr_mimebundle_(self, **kwargs: Any) -> dict[str, Any]:
        view = {"version_major": 2, "version_minor": 0, "model_id": self.model_id}
        bundle = {"text/plain": repr(self), "application/vnd.jupyter.widget-view+json": view}
        picture = _stacked([roll.preview_png() for roll in self.children])
        if len(picture) <= PREVIEW_BYTES and not SavedPicture(lambda: picture).show():
            bundle["image/png"] = base64.b64encode(picture).decode("ascii")
        return bundle


def _stacked(pictures: list[bytes]) -> bytes:
    """PNG pictures one below the other, in few colours so that the sum stays small."""
    from PIL import Image

    images = [Image.open(io.BytesIO(picture)).convert("RGB") for picture in pictures]
    whole = Image.new("RGB", (max(i.width for i in images), sum(i.height for i in images)), "white")
    top = 0
    for image in images:
        whole.paste(image, (0, top))
        top += image.height
    out = io.BytesIO()
    whole.quantize(32).save(out, "PNG", optimize=True)
    return out.getvalue()


def _roll(piece: Score | str | Path | bytes, options: dict[str, Any]) -> PianoRoll:
    if isinstance(piece, Score):
        return PianoRoll(piece, **options)
    title = Path(piece).name if isinstance(piece, (str, Path)) else ""
    roll = PianoRoll(Score.from_midi(piece), **{"title": title, **options})
    roll._log.path = Path(piece) if isinstance(piece, (str, Path)) else None
    return roll
