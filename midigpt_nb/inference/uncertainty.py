"""How sure the model was of each note it wrote, and what it would have written instead.

While a row is written, `Doubts` keeps the distribution each token of a note was drawn from: legal tokens of
that token's kind only (a pitch among pitches, a length among lengths), at temperature 1, before preferences
and filters, so that it is the model's own doubt. Its entropy is in bits: 0 = no doubt, 1 = as between two
equally likely values, 3 = as between eight. Afterwards `Uncertainty` holds the figures of a take's notes as
arrays.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from midigpt_nb.inference.filters import NotNumbers, softmax

if TYPE_CHECKING:
    from midigpt_nb.inference.piece import Cell
    from midigpt_nb.inference.step import Attempt
    from midigpt_nb.inference.symbols import Symbols
    from midigpt_nb.inference.token_log import TokenLog

__all__ = ["BITS", "TOP", "Doubted", "Doubts", "NoteDoubt", "Uncertainty", "doubts_of", "watching"]

TOP = 5
"""How many of the likeliest pitches are kept."""
BITS = ("onset", "pitch", "duration", "velocity")
"""Columns of `Uncertainty.bits`."""
_KINDS = ("TimeAbsolutePos", "NoteOnset", "NoteDuration", "VelocityLevel")

Watch = Callable[["NDArray[np.intp]", "NDArray[np.floating] | None", int], None]
Raw = tuple[int, "NDArray[np.float32] | None", "NDArray[np.intp] | None"]
"""Kind of token, logits of its kind (None: the rules left no choice), and for pitches the ids they are of."""


def watching(symbols: Symbols, log: TokenLog | None, doubts: bool) -> Callable[[], Any] | None:
    """What makes the `watch` of a row; None when nobody looks, so that nothing is spent on it."""
    if not doubts:
        return None if log is None else lambda: log.watch(symbols)
    return lambda: Doubts(symbols, None if log is None else log.watch(symbols))


class Doubts:
    """The `watch` of one row: what each token of a note was drawn from, None for tokens that say nothing
    about a note. It only keeps the numbers (a few microseconds and some 300 bytes a token); what they mean is
    worked out when somebody asks.
    """

    def __init__(self, symbols: Symbols, also: Watch | None = None) -> None:
        self.raw: list[Raw | None] = []
        self._types, self._also, self._pitches = symbols.types, also, symbols.NoteOnset
        self._ends: dict[int, tuple[int, int]] = {}
        for name in _KINDS:
            kind = getattr(symbols, name)
            ids = [i for i, own in enumerate(symbols.types) if own == kind]
            if ids:
                self._ends[kind] = (ids[0], ids[-1] + 1)

    def __call__(self, legal: NDArray[np.intp], logits: NDArray[np.floating] | None, token: int) -> None:
        kind = self._types[token]
        ends = self._ends.get(kind)
        if ends is None:
            self.raw.append(None)
        elif logits is None or len(legal) == 1:
            self.raw.append((kind, None, np.array([token]) if kind == self._pitches else None))
        else:
            first, last = legal.searchsorted(ends)
            ids = legal[first:last].copy() if kind == self._pitches else None
            self.raw.append((kind, logits[first:last].astype(np.float32), ids))
        if self._also is not None:
            self._also(legal, logits, token)


@dataclass(frozen=True)
class NoteDoubt:
    """One note: where it stands (ticks of the score from the bar's start), and what its onset, pitch,
    duration and velocity were drawn from (None: the model wrote no token of its own for it).
    """

    onset: int
    pitch: int
    drawn: tuple[Raw | None, Raw | None, Raw | None, Raw | None]

    @property
    def bits(self) -> tuple[float, ...]:
        """Entropy of each, in bits; NaN where there is no token."""
        return tuple(math.nan if raw is None else _entropy(raw[1]) for raw in self.drawn)

    def pitches(self, values: Sequence[int]) -> list[tuple[int, float]]:
        """The likeliest pitches with their share; `values[id]` is the pitch of a token."""
        raw = self.drawn[1]
        if raw is None or raw[2] is None:
            return []
        shares = np.ones(1) if raw[1] is None else _shares(raw[1])
        best = np.argsort(-shares, kind="stable")[:TOP]
        return [(values[raw[2][i]], float(shares[i])) for i in best.tolist()]


def _shares(logits: NDArray[np.float32]) -> NDArray[np.float64]:
    """Probabilities of the tokens of a kind; logits that are no numbers say nothing about any of them. (No
    note is drawn from such; see `sampler`.)
    """
    try:
        return softmax(logits)
    except NotNumbers:
        return np.full(len(logits), 1.0 / len(logits))


def _entropy(logits: NDArray[np.float32] | None) -> float:
    if logits is None:
        return 0.0
    q = _shares(logits)
    q = q[q > 0]
    return max(0.0, float(-(q * np.log2(q)).sum()))


def doubts_of(attempt: Attempt, symbols: Symbols) -> dict[Cell, list[NoteDoubt]]:
    """The notes of an attempt's finished bars with what they were drawn from; empty when nobody watched."""
    facts: list[Raw | None] | None = getattr(attempt.watch, "raw", None)
    if facts is None:
        return {}
    cells = {(b.track, b.bar) for b in attempt.blocks if b.finished}
    ends = {
        index: (cell, row)
        for cell in cells
        for index, row in zip(attempt.placed_at.get(cell, []), attempt.placed.get(cell, []), strict=True)
    }
    found: dict[Cell, list[NoteDoubt]] = {cell: [] for cell in cells}
    waiting: dict[int, Raw] = {}
    drawn: list[Raw | None] = [None] * 4
    position, onset, duration, velocity = (getattr(symbols, name) for name in _KINDS)
    for i, fact in enumerate(facts):
        if fact is not None and fact[0] == onset:
            drawn = [waiting.get(position), fact, None, waiting.get(velocity)]
            waiting = {}
        elif fact is not None and fact[0] == duration:
            drawn[2] = fact
        elif fact is not None:
            waiting[fact[0]] = fact
        if i in ends:
            cell, row = ends[i]
            found[cell].append(NoteDoubt(row[0], row[2], (drawn[0], drawn[1], drawn[2], drawn[3])))
    return found


class Uncertainty:
    """How sure the model was of each note of a take: arrays with one entry per written note, ordered by
    track, bar, onset and pitch.

    `track`, `bar`, `onset_ticks` (from the bar's start, ticks of the score) and `pitch` say which note it is:
    int32, (n,). `bits`: float32, (n, 4), the entropy of onset, pitch, duration and velocity in bits; NaN
    where the model wrote no token of its own (a note that begins together with the one before, or is as
    loud). `alternatives`: int16, (n, 5), the likeliest pitches, likeliest first (-1: fewer were possible),
    and `shares`: float32, (n, 5), their shares among all pitches, 0..1.

    >>> session.watch_uncertainty = True
    >>> session.run()
    Score(4 tracks, 16 bars, ...)
    >>> session.uncertainty.pitch_bits.shape == session.uncertainty.alternatives.shape[:1]
    True
    """

    def __init__(self, cells: Mapping[Cell, Sequence[NoteDoubt]], values: Sequence[int]) -> None:
        rows = sorted(
            ((*cell, note) for cell, notes in cells.items() for note in notes),
            key=lambda row: (row[0], row[1], row[2].onset, row[2].pitch),
        )
        n = len(rows)
        self.track, self.bar, self.onset_ticks, self.pitch = (
            np.array(column, dtype=np.int32).reshape(n)
            for column in (
                [track for track, _, _ in rows],
                [bar for _, bar, _ in rows],
                [note.onset for _, _, note in rows],
                [note.pitch for _, _, note in rows],
            )
        )
        self.bits = np.array([note.bits for _, _, note in rows], dtype=np.float32).reshape(n, 4)
        self.alternatives = np.full((n, TOP), -1, dtype=np.int16)
        self.shares = np.zeros((n, TOP), dtype=np.float32)
        for i, (_, _, note) in enumerate(rows):
            for k, (pitch, share) in enumerate(note.pitches(values)):
                self.alternatives[i, k], self.shares[i, k] = pitch, share

    @property
    def onset_bits(self) -> NDArray[np.float32]:
        """Entropy of where each note begins, in bits."""
        return self.bits[:, 0]

    @property
    def pitch_bits(self) -> NDArray[np.float32]:
        """Entropy of each note's pitch, in bits."""
        return self.bits[:, 1]

    @property
    def duration_bits(self) -> NDArray[np.float32]:
        """Entropy of each note's length, in bits; NaN for drums, which have none."""
        return self.bits[:, 2]

    @property
    def velocity_bits(self) -> NDArray[np.float32]:
        """Entropy of each note's loudness, in bits."""
        return self.bits[:, 3]

    def __len__(self) -> int:
        return len(self.pitch)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """The notes one by one, in words and numbers."""
        for i in range(len(self)):
            likely = zip(self.alternatives[i].tolist(), self.shares[i].tolist(), strict=True)
            yield {
                "track": int(self.track[i]),
                "bar": int(self.bar[i]),
                "onset_ticks": int(self.onset_ticks[i]),
                "pitch": int(self.pitch[i]),
                **{f"{name}_bits": float(b) for name, b in zip(BITS, self.bits[i], strict=True)},
                "alternatives": [(pitch, share) for pitch, share in likely if pitch >= 0],
            }

    def __repr__(self) -> str:
        if not len(self):
            return "Uncertainty(no notes)"
        known = self.pitch_bits[np.isfinite(self.pitch_bits)]
        mean = f"{known.mean():.1f} bits on average" if len(known) else "unknown"
        return f"Uncertainty({len(self)} notes, pitch {mean})"


@dataclass(frozen=True)
class Doubted:
    """What the notes of finished bars were drawn from; the figures are worked out when they are asked for."""

    cells: Mapping[Cell, Sequence[NoteDoubt]]
    values: Sequence[int]

    @property
    def uncertainty(self) -> Uncertainty:
        """The figures."""
        return Uncertainty(self.cells, self.values)
