"""Token lists as rows a reader can follow, every token in musical words."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING

from midigpt_nb import _core
from midigpt_nb.errors import VocabularyError
from midigpt_nb.score.general_midi import drum_name, program_name
from midigpt_nb.tokenizer.ids import TokenIds, checked_ids

if TYPE_CHECKING:
    from midigpt_nb.attributes.registry import Attribute

__all__ = ["TokenRow", "explain", "length_in_words"]

_PITCHES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")
_LENGTHS = {
    Fraction(4): "whole note",
    Fraction(2): "half note",
    Fraction(1): "quarter note",
    Fraction(1, 2): "8th note",
    Fraction(1, 4): "16th note",
    Fraction(1, 8): "32nd note",
}
# Loudest velocity of each dynamic.
_DYNAMICS = ((16, "ppp"), (33, "pp"), (49, "p"), (64, "mp"), (80, "mf"), (96, "f"), (112, "ff"), (127, "fff"))


@dataclass(frozen=True)
class TokenRow:
    """One token: its place in the list, what it is, and what it says in words.

    `track` and `bar` count from 0 within the sequence, -1 outside any; tokens of a filled-in bar have the
    track and bar that they fill.
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
    ids: TokenIds,
    attributes: Mapping[tuple[str, str], Attribute] | None = None,
    *,
    lowest_pitch: int = 0,
    resolution: int = 12,
) -> list[TokenRow]:
    """One row per token. Raises VocabularyError naming the position of an id outside the vocabulary.

    `attributes` are those of the model by (level, token type), `lowest_pitch` is what NoteOnset 0 stands for,
    `resolution` the ticks of a quarter note on the token grid.
    """
    reader = _Reader(vocab, attributes or {}, lowest_pitch, resolution)
    return [reader.row(position, token) for position, token in enumerate(checked_ids(ids, vocab.size))]


def length_in_words(quarters: Fraction) -> str:
    """A note length, in quarter notes, as musicians say it.

    >>> [length_in_words(Fraction(n, 12)) for n in (3, 4, 18, 14)]
    ['16th note', 'triplet 8th note', 'dotted quarter note', '1 1/6 quarter notes']
    """
    for word, factor in (("", Fraction(1)), ("dotted ", Fraction(3, 2)), ("triplet ", Fraction(2, 3))):
        if quarters / factor in _LENGTHS:
            return word + _LENGTHS[quarters / factor]
    return f"{_mixed(quarters)} quarter note{'s' if quarters > 1 else ''}"


def _mixed(number: Fraction) -> str:
    """``7/6`` as ``1 1/6``."""
    whole, rest = divmod(number, 1)
    if not rest:
        return str(whole)
    return f"{whole} {rest}" if whole else str(rest)


@dataclass
class _Place:
    """A bar of the sequence, as far as words depend on it."""

    track: int = -1
    bar: int = -1
    is_drum: bool = False
    denominator: int = 4


@dataclass
class _Reader:
    """Walks through a sequence and remembers where it is."""

    vocab: _core.Vocabulary
    attributes: Mapping[tuple[str, str], Attribute]
    lowest_pitch: int
    resolution: int
    here: _Place = field(default_factory=_Place)
    open: deque[_Place] = field(default_factory=deque)  # bars whose content stands in a fill-in section
    n_tracks: int = 0
    early: bool = False  # the next Delta counts backwards

    def row(self, position: int, token: int) -> TokenRow:
        kind, value = self.vocab.decode(token)
        name = kind.name
        self._move(name, value)
        text = self._text(name, value)
        self.early = name == "DeltaDirection"
        row = TokenRow(position, token, name, value, self.here.track, self.here.bar, text)
        if name in ("TrackEnd", "FillInEnd"):
            self.here = _Place()
        return row

    def _move(self, name: str, value: int) -> None:
        here = self.here
        if name == "Track":
            self.here = _Place(self.n_tracks, -1, value == 1)
            self.n_tracks += 1
        elif name == "Bar" and here.track >= 0:
            self.here = _Place(here.track, here.bar + 1, here.is_drum)
        elif name == "TimeSig":
            here.denominator = (self._signature(value) or (4, 4))[1]
        elif name == "FillInPlaceholder":
            self.open.append(here)
        elif name == "FillInStart":
            self.here = self.open.popleft() if self.open else _Place()

    def _text(self, name: str, value: int) -> str:
        attribute = self.attributes.get(("track" if self.here.bar < 0 else "bar", name))
        # A track-level token is one wherever it stands, unless its type means something else in a bar.
        attribute = attribute or self.attributes.get(("track", name)) or self.attributes.get(("bar", name))
        if attribute is not None:
            return f"{attribute.in_words}: {attribute.describe(value)}"
        if name in _FIXED:
            return _FIXED[name]
        if name in _WORDS:
            return _WORDS[name](self, value)
        words = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).lower()
        return f"{words}: {value}"

    def _signature(self, value: int) -> tuple[int, int] | None:
        try:
            return self.vocab.time_signature(value)
        except VocabularyError:  # the tokens are there, but the configuration does not say what they mean
            return None

    # One function per token type whose words depend on its value.

    def _piece_start(self, value: int) -> str:
        return "the piece begins; some bars are filled in at its end" if value else "the piece begins"

    def _track(self, value: int) -> str:
        return "a drum track begins" if value == 1 else "a melodic track begins"

    def _instrument(self, value: int) -> str:
        program = self.vocab.instrument_program(value)
        return f"drum kit {program}" if self.here.is_drum else program_name(program)

    def _time_sig(self, value: int) -> str:
        signature = self._signature(value)
        return "{}/{}".format(*signature) if signature else f"time signature {value}"

    def _num_bars(self, value: int) -> str:
        bars = self.vocab.num_bars(value)
        return f"{bars} bar{'' if bars == 1 else 's'}"

    def _pitch(self, value: int) -> str:
        pitch = value + self.lowest_pitch
        return drum_name(pitch) if self.here.is_drum else f"{_PITCHES[pitch % 12]}{pitch // 12 - 1}"

    def _duration(self, value: int) -> str:
        return f"{length_in_words(Fraction(value + 1, self.resolution))} long"

    def _position(self, value: int) -> str:
        beat = 1 + Fraction(value * self.here.denominator, 4 * self.resolution)
        return f"on beat {_mixed(beat)}" if beat.denominator == 1 else f"at beat {_mixed(beat)}"

    def _velocity(self, value: int) -> str:
        velocity = self.vocab.velocity_of_level(value)
        return f"velocity {velocity} ({next(name for top, name in _DYNAMICS if velocity <= top)})"

    def _delta(self, value: int) -> str:
        late = Fraction(value, self.resolution**2)
        return f"played {late} of a quarter note {'early' if self.early else 'late'}"

    def _genre(self, value: int) -> str:
        return self.vocab.genres[value] if value < len(self.vocab.genres) else f"genre {value}"

    def _use_velocity(self, value: int) -> str:
        return "velocities are written" if value else "no velocities are written"

    def _use_microtiming(self, value: int) -> str:
        return "microtiming is written" if value else "no microtiming is written"


_WORDS: dict[str, Callable[[_Reader, int], str]] = {
    "PieceStart": _Reader._piece_start,
    "Track": _Reader._track,
    "Instrument": _Reader._instrument,
    "TimeSig": _Reader._time_sig,
    "NumBars": _Reader._num_bars,
    "NoteOnset": _Reader._pitch,
    "NoteDuration": _Reader._duration,
    "TimeAbsolutePos": _Reader._position,
    "VelocityLevel": _Reader._velocity,
    "Delta": _Reader._delta,
    "Genre": _Reader._genre,
    "UseVelocity": _Reader._use_velocity,
    "UseMicrotiming": _Reader._use_microtiming,
}
_FIXED = {
    "TrackEnd": "the track ends",
    "Bar": "a bar begins",
    "BarEnd": "the bar ends",
    "FillInPlaceholder": "this bar is filled in below",
    "FillInStart": "a filled-in bar begins",
    "FillInEnd": "the filled-in bar ends",
    "MaskBar": "this bar is hidden",
    "DeltaDirection": "the next note is early",
    "None": "the piece ends",
}
