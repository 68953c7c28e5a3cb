"""Token lists as rows a reader can follow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from operator import index
from typing import TYPE_CHECKING

from midigpt_nb import _core
from midigpt_nb.errors import VocabularyError
from midigpt_nb.score.general_midi import program_name

if TYPE_CHECKING:
    from midigpt_nb.attributes.registry import Attribute

__all__ = ["TokenRow", "explain"]

_PITCHES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")


@dataclass(frozen=True)
class TokenRow:
    """One token: its place in the list, what it is, and what it says in words.

    `track` and `bar` count from 0 within the sequence, -1 outside any.
    """

    position: int
    id: int
    type: str
    value: int
    track: int
    bar: int
    text: str

    def __str__(self) -> str:
        return f"{self.position:5d}  {self.id:4d}  {self.type}:{self.value:<4d} {self.text}"


def explain(
    vocab: _core.Vocabulary,
    ids: Sequence[int],
    attributes: Mapping[tuple[str, str], Attribute] | None = None,
    lowest_pitch: int = 0,
) -> list[TokenRow]:
    """One row per token. Raises VocabularyError for an id outside the vocabulary.

    `attributes` are those of the model by (level, token type); `lowest_pitch` is what NoteOnset 0 stands for.
    """
    rows = []
    track, bar, inside = -1, -1, False
    for position, token in enumerate(ids):
        kind, value = vocab.decode(index(token))
        name = kind.name
        if name == "Track":
            track, bar, inside = track + 1, -1, True
        elif name == "Bar":
            bar += 1
        here = (track, bar) if inside else (-1, -1)
        attribute = (attributes or {}).get(("track" if bar < 0 else "bar", name))
        # A track-level token is one wherever it stands, unless its type means something else in a bar.
        attribute = attribute or (attributes or {}).get(("track", name))
        if attribute is not None:
            name_in_words = attribute.name.removeprefix("bar_").replace("_", " ")
            text = f"{name_in_words}: {attribute.describe(value)}"
        elif name == "NoteOnset":
            text = _pitch_name(value + lowest_pitch)
        else:
            text = _words(vocab, name, value)
        rows.append(TokenRow(position, index(token), name, value, *here, text))
        if name == "TrackEnd":
            inside = False
    return rows


def _words(vocab: _core.Vocabulary, name: str, value: int) -> str:
    if name == "Track":
        return "a drum track begins" if value == 1 else "a melodic track begins"
    if name == "Instrument":
        return program_name(vocab.instrument_program(value))
    if name == "TimeSig":
        return _signature(vocab, value)
    if name == "NumBars":
        return f"{vocab.num_bars(value)} bars"
    if name == "NoteDuration":
        return f"{value + 1} grid ticks long"
    if name == "TimeAbsolutePos":
        return f"at grid tick {value}"
    if name == "VelocityLevel":
        return f"velocity {vocab.velocity_of_level(value)}"
    if name == "Genre":
        return vocab.genres[value] if value < len(vocab.genres) else ""
    if name in ("UseVelocity", "UseMicrotiming"):
        what = "velocities" if name == "UseVelocity" else "microtiming"
        return f"{what} written" if value else f"no {what}"
    return _FIXED.get(name, "")


def _pitch_name(pitch: int) -> str:
    return f"{_PITCHES[pitch % 12]}{pitch // 12 - 1}"


def _signature(vocab: _core.Vocabulary, value: int) -> str:
    try:
        return "{}/{}".format(*vocab.time_signature(value))
    except VocabularyError:  # the tokens are there, but the configuration does not say what they mean
        return ""


_FIXED = {
    "PieceStart": "the piece begins",
    "TrackEnd": "the track ends",
    "Bar": "a bar begins",
    "BarEnd": "the bar ends",
    "FillInPlaceholder": "this bar is filled in below",
    "FillInStart": "a filled-in bar begins",
    "FillInEnd": "the filled-in bar ends",
    "MaskBar": "this bar is hidden",
}
