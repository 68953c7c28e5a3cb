"""Token lists as rows a reader can follow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from midigpt_nb import _core
from midigpt_nb.score.general_midi import program_name

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


def explain(vocab: _core.Vocabulary, ids: Sequence[int]) -> list[TokenRow]:
    """One row per token. Raises VocabularyError for an id outside the vocabulary."""
    rows = []
    track, bar, inside = -1, -1, False
    for position, token in enumerate(ids):
        kind, value = vocab.decode(int(token))
        name = kind.name
        if name == "Track":
            track, bar, inside = track + 1, -1, True
        elif name == "Bar":
            bar += 1
        here = (track, bar) if inside else (-1, -1)
        rows.append(TokenRow(position, int(token), name, value, *here, _words(vocab, name, value)))
        if name == "TrackEnd":
            inside = False
    return rows


def _words(vocab: _core.Vocabulary, name: str, value: int) -> str:
    if name == "Track":
        return "a drum track begins" if value == 1 else "a melodic track begins"
    if name == "Instrument":
        return program_name(vocab.instrument_program(value))
    if name == "TimeSig":
        return "{}/{}".format(*vocab.time_signature(value))
    if name == "NumBars":
        return f"{vocab.num_bars(value)} bars"
    if name == "NoteOnset":
        return f"{_PITCHES[value % 12]}{value // 12 - 1}"
    if name == "NoteDuration":
        return f"{value + 1} grid ticks long"
    if name == "TimeAbsolutePos":
        return f"at grid tick {value}"
    if name == "VelocityLevel":
        return f"velocity {vocab.velocity_of_level(value)}"
    if name == "Genre":
        return vocab.genres[value]
    return _FIXED.get(name, "")


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
