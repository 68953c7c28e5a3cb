"""A state of the document as what differs from another one, so that 500 steps of a large piece fit in memory.

An edit changes few rows of the arrays: the rows at their beginnings and ends that are the same are not kept,
and what is between them is kept compressed; of equal length, as the bits that differ.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from midigpt_nb._core import ScoreTable
from midigpt_nb.widgets.state import State

__all__ = ["PackedState", "pack_state", "unpack_state"]

_FAST = 1
"""Level of compression: rows of notes come to a third or less, 32 x 2,000 bars in 30 ms."""


@dataclass(frozen=True)
class _Part:
    """An array as it differs from another one of its kind."""

    head: int  # rows at the beginning that are the same
    tail: int  # rows at the end that are the same
    shape: tuple[int, ...]  # of what is between them
    rows: bytes

    @staticmethod
    def of(array: NDArray[Any], other: NDArray[Any]) -> _Part:
        head = _alike(array, other)
        tail = _alike(array[head:][::-1], other[head:][::-1])
        rows = array[head : len(array) - tail]
        if len(array) == len(other):
            rows = rows ^ other[head : len(other) - tail]
        return _Part(head, tail, rows.shape, zlib.compress(np.ascontiguousarray(rows).tobytes(), _FAST))

    def applied(self, other: NDArray[Any]) -> NDArray[Any]:
        rows = np.frombuffer(zlib.decompress(self.rows), other.dtype).reshape(self.shape)
        replaced = other[self.head : len(other) - self.tail]
        if len(rows) == len(replaced):
            rows = rows ^ replaced
        return np.concatenate([other[: self.head], rows, other[len(other) - self.tail :]])


def _alike(array: NDArray[Any], other: NDArray[Any]) -> int:
    """How many rows are the same from the first on."""
    count = min(len(array), len(other))
    unlike = array[:count] != other[:count]
    rows = unlike if unlike.ndim == 1 else unlike.any(axis=1)
    return int(rows.argmax()) if rows.any() else count


@dataclass(frozen=True)
class PackedState:
    """A state without its notes and bars, and these as they differ from those of another state."""

    bare: State
    parts: tuple[_Part, ...]
    first_bars: NDArray[np.int32]  # of the tracks

    @property
    def n_bytes(self) -> int:
        """Memory that the parts take."""
        return sum(len(part.rows) for part in self.parts) + self.first_bars.nbytes


def pack_state(state: State, other: State) -> PackedState:
    """`state` as it differs from `other`."""
    table, none = state.table, np.zeros(0, np.int32)
    tracks = table.tracks.copy()
    tracks[:, 0] = 0
    frame = ScoreTable(none.reshape(0, 5), none.reshape(0, 4), tracks, table.resolution, table.tempo)
    bare = replace(
        state,
        source=state.source.with_table(frame),
        table=frame,
        ids=none.astype(np.uint32),
        flags=none.astype(np.uint8),
    )
    pairs = () if state.music is other.music else zip(_arrays(state), _arrays(other), strict=True)
    return PackedState(bare, tuple(_Part.of(*pair) for pair in pairs), table.tracks[:, 0].copy())


def unpack_state(packed: PackedState, other: State) -> State:
    """The state that was packed; `other` holds the music, ids and flags of the one it was packed with."""
    if packed.bare.music is other.music:
        return replace(packed.bare, source=other.source, table=other.table, ids=other.ids, flags=other.flags)
    bare, mine = packed.bare, _arrays(other)
    notes, note_source, bars, ids, flags = (p.applied(a) for p, a in zip(packed.parts, mine, strict=True))
    bars[:, 0] = np.cumsum(bars[:, 0]) - bars[:, 0]
    frame = bare.table
    tracks = frame.tracks.copy()
    tracks[:, 0] = packed.first_bars
    table = ScoreTable(notes, bars, tracks, frame.resolution, frame.tempo, note_source)
    return replace(bare, source=bare.source.with_table(table), table=table, ids=ids, flags=flags)


def _arrays(state: State) -> tuple[NDArray[Any], ...]:
    """All that is packed. A bar says how many notes it has, not which is its first: later bars stay alike."""
    table = state.table
    bars = table.bars.copy()
    bars[:, 0] = np.diff(table.bars[:, 0], append=table.n_notes)
    return table.notes, table.note_source, bars, state.ids, state.flags
