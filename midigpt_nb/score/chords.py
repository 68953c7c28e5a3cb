"""Chords of a score, bar by bar: estimated from its notes, and how far notes keep to given ones.

How a chord is estimated. In a bar, `c` is the time for which each of the 12 pitch classes sounds on melodic
tracks (notes that ring in from the bar before are counted for the part that lies in the bar; time in the
second half of the bar counts three fifths, as a second chord often begins there), scaled to length 1, and
`b` the share of the time, weighted alike, for which each is the lowest. Every chord is a template `t` of ones
at its notes, scaled to length 1. The chord with the greatest

    c · t + 0.25 * b[root] + 0.05 * (sum of b over the chord's notes)

is the bar's; of equal ones the simpler (see `QUALITIES`). `fit` is the share of the (weighted) sounding
time that lies on its notes. Below a fit of 0.5, or with fewer than two pitch classes, the bar has no chord.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from midigpt_nb.errors import ScoreError, brief
from midigpt_nb.score.chord_names import ROOTS, SHARP_ROOTS, Chord, chord_text, parse_chord, parse_chords
from midigpt_nb.score.places import Bars, Tracks, bar_numbers, track_numbers

if TYPE_CHECKING:
    from midigpt_nb.score.model import Score

__all__ = ["BarChord", "Chords", "as_chords", "chord_share", "chords"]

ESTIMATED = ("", "m", "7", "maj7", "m7", "dim", "sus4", "m7b5", "aug", "dim7", "6")
"""Kinds of chord that are looked for; the others hold too many notes to tell them from a melody."""
MINOR_KINDS = ("m", "m7", "dim", "m7b5", "dim7")
BASS_WEIGHT, BASS_IN_CHORD = 0.25, 0.05
HALVES = np.array([5, 3])
"""What time in the first and second half of a bar counts."""
LEAST_FIT = 0.5
_SLICES = 48
"""Parts of a bar; in the middle of each its lowest note is looked up."""


@dataclass(frozen=True)
class BarChord:
    """The chord of a bar: its name (None: there is none), and the share of sounding time on its notes,
    0..1.
    """

    bar: int
    name: str | None
    fit: float


class Chords(list[BarChord]):
    """The chords of some bars. `text` is what `set_chords` and `with_chords` read.

    >>> from midigpt_nb import Score
    >>> print(Score.example().chords([0, 2, 4]).text)
    Fmaj7 Dm7 Bbmaj7
    """

    @property
    def names(self) -> list[str | None]:
        """The names, one per bar."""
        return [chord.name for chord in self]

    @property
    def text(self) -> str:
        """The names as they are typed."""
        return chord_text(self.names)

    def __repr__(self) -> str:
        return f"Chords({self.text!r})"


def chords(score: Score, bars: Bars = None, tracks: Tracks = None) -> Chords:
    """The chord of each bar, estimated from the notes of melodic tracks (None: of all of them); see
    `midigpt_nb.score.chords` for how. Bars and tracks are counted from 0.

    >>> from midigpt_nb import Score
    >>> Score.example().chords([0, 2])
    Chords('Fmaj7 Dm7')
    """
    wanted = bar_numbers(bars, score.n_bars)
    chosen = track_numbers(tracks, score)
    starts = np.asarray(score.bar_starts, np.int64)
    notes = _sounding(score, chosen, starts)
    chroma, bass = _chroma(notes, starts)[wanted], _bass(notes, starts)[wanted]
    names, templates, roots = _templates()
    scale = np.sqrt(np.maximum((chroma**2).sum(axis=1, keepdims=True), 1) * templates.sum(axis=1))
    match = chroma @ templates.T / scale
    match += BASS_WEIGHT * bass[:, roots] + BASS_IN_CHORD * (bass @ templates.T)
    best = np.argmax(np.round(match, 9), axis=1)
    fits = (chroma * templates[best]).sum(axis=1) / np.maximum(chroma.sum(axis=1), 1)
    fits[np.count_nonzero(chroma, axis=1) < 2] = 0
    rows = zip(wanted, best.tolist(), fits.tolist(), strict=True)
    return Chords(BarChord(bar, names[row] if fit >= LEAST_FIT else None, fit) for bar, row, fit in rows)


def _sounding(score: Score, tracks: Iterable[int], starts: NDArray[np.int64]) -> NDArray[np.int64]:
    """(start, end, pitch) of the melodic notes, in ticks from the start of the piece."""
    table = score.table
    parts = [np.zeros((0, 3), np.int64)]
    for track in sorted(set(tracks)):
        first, last = table.bar_rows(track)
        if table.tracks[track, 2] or first == last:
            continue
        begins = np.append(table.bars[:, 0], table.n_notes)[first : last + 1]  # first note of each bar
        rows = np.asarray(table.notes[begins[0] : begins[-1], :4], dtype=np.int64)
        on = rows[:, 0] + np.repeat(starts[: last - first], np.diff(begins))
        parts.append(np.stack([on, on + np.maximum(rows[:, 1], 1), rows[:, 2]], axis=1)[rows[:, 3] > 0])
    return np.concatenate(parts)


def _chroma(notes: NDArray[np.int64], starts: NDArray[np.int64]) -> NDArray[np.int64]:
    """(bars, 12): for how long each pitch class sounds, weighted; whole numbers, so that shares are exact."""
    edges = np.append((2 * starts[:-1, None] + [0, 1] * np.diff(starts)[:, None]).ravel(), 2 * starts[-1])
    found = np.zeros((len(starts) - 1, 12), np.int64)
    for pitch_class in range(12):
        on, off = 2 * notes[notes[:, 2] % 12 == pitch_class, :2].T
        lasted = np.diff(_elapsed(on, edges) - _elapsed(off, edges))  # in each half of a bar
        found[:, pitch_class] = lasted.reshape(-1, 2) @ HALVES
    return found


def _elapsed(moments: NDArray[np.int64], edges: NDArray[np.int64]) -> NDArray[np.int64]:
    """Per edge the sum of the times since those moments that lie before it."""
    ordered = np.sort(moments)
    before = np.searchsorted(ordered, edges)
    return before * edges - np.append(0, np.cumsum(ordered))[before]


def _bass(notes: NDArray[np.int64], starts: NDArray[np.int64]) -> NDArray[np.float64]:
    """(bars, 12): the share of the time, weighted, for which each pitch class is the lowest."""
    n_bars = len(starts) - 1
    lowest = np.full(n_bars * _SLICES, -1)
    by_pitch = notes[np.argsort(-notes[:, 2], kind="stable")]
    first, last = (_slice_at(by_pitch[:, column], starts).tolist() for column in (0, 1))
    for begin, end, pitch in zip(first, last, by_pitch[:, 2].tolist(), strict=True):
        lowest[begin:end] = pitch  # a lower one comes later
    (heard,) = np.nonzero(lowest >= 0)
    places = heard // _SLICES * 12 + lowest[heard] % 12
    weights = np.repeat(HALVES, _SLICES // 2)[heard % _SLICES]
    found = np.bincount(places, weights, minlength=n_bars * 12).reshape(-1, 12)
    return found / np.maximum(found.sum(axis=1, keepdims=True), 1)


def _slice_at(ticks: NDArray[np.int64], starts: NDArray[np.int64]) -> NDArray[np.int64]:
    """The first slice of a bar whose middle is not before a moment, counted through the whole piece."""
    bar = np.clip(np.searchsorted(starts, ticks, "right") - 1, 0, len(starts) - 2)
    length = starts[bar + 1] - starts[bar]
    inside = np.minimum(ticks - starts[bar], length)
    return bar * _SLICES - (length - 2 * _SLICES * inside) // (2 * length)


@cache
def _templates() -> tuple[tuple[str, ...], NDArray[np.float64], NDArray[np.int64]]:
    """Names, templates of ones (n, 12) and roots of all chords that are looked for, simple ones first."""
    spelled = {kind: SHARP_ROOTS if kind in MINOR_KINDS else ROOTS for kind in ESTIMATED}
    names = [root + kind for kind, roots in spelled.items() for root in roots]
    found = np.zeros((len(names), 12))
    for row, name in enumerate(names):
        found[row, list(parse_chord(name).classes)] = 1
    return tuple(names), found, np.tile(np.arange(12), len(ESTIMATED))


def chord_share(table: Any, track: int, bar: int, chord: Chord, length: int) -> float | None:
    """Share of the sounding time of the notes that begin in a bar that lies on the chord's notes, 0..1; what
    rings past the bar's end (`length` ticks from its start) is not counted. None when no note begins there.
    """
    first, last = table.note_rows(track, bar)
    rows = np.asarray(table.notes[first:last, :4], dtype=np.int64)
    rows = rows[rows[:, 3] > 0]
    if len(rows) == 0:
        return None
    sounding = np.maximum(np.minimum(rows[:, 1], length - rows[:, 0]), 1)
    return float(sounding[np.isin(rows[:, 2] % 12, chord.classes)].sum() / sounding.sum())


def as_chords(chords: object, bars: Iterable[int]) -> dict[int, str | None]:
    """Bar -> name of its chord (None: no chord) from what a person gives: text such as ``"Am F C G"``, a list
    of names (None for no chord), or a dict of bars.

    Text or list shorter than the bars begins again; a longer one, and a bar that is not among `bars`, raises
    `ScoreError`. Empty text is no chord for all bars.

    >>> as_chords("Am F", [4, 5, 6])
    {4: 'Am', 5: 'F', 6: 'Am'}
    """
    chosen = list(bars)
    if isinstance(chords, Mapping):
        return _of_mapping(chords, chosen)
    if isinstance(chords, str):
        read = [None if chord is None else chord.name for chord in parse_chords(chords)]
    elif isinstance(chords, Iterable):
        read = [None if name is None else _named(name, place) for place, name in enumerate(chords, 1)]
    else:
        raise ScoreError(f"chords are text, a list or a dict of bars, not {brief(chords)}")
    if len(read) > len(chosen):
        raise ScoreError(f"{len(read)} chords for {len(chosen)} bars: name more bars, or fewer chords")
    return {bar: read[i % len(read)] if read else None for i, bar in enumerate(chosen)}


def _named(name: object, place: int) -> str | None:
    found = parse_chords(name if isinstance(name, str) else str(name))
    if len(found) != 1:
        raise ScoreError(f"chord {place}: {brief(name)} is not one chord")
    return None if found[0] is None else found[0].name


def _of_mapping(chords: Mapping[Any, Any], bars: list[int]) -> dict[int, str | None]:
    found: dict[int, str | None] = {}
    for key, name in chords.items():
        bar = int(key) if isinstance(key, str) and key.isdecimal() else key
        if isinstance(bar, bool) or bar not in bars:
            span = f"{min(bars)}..{max(bars)}" if bars else "none"
            raise ScoreError(f"chords[{brief(key)}]: there is no such bar; bars: {span} (counted from 0)")
        try:
            found[int(bar)] = None if name is None else _named(name, int(bar) + 1)
        except ScoreError as problem:
            raise ScoreError(f"chords[{brief(key)}]: {str(problem).split(': ', 1)[-1]}") from None
    return found
