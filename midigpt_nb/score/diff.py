"""ScoreDiff: which notes were added, removed and kept, bar by bar."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    from midigpt_nb import _core

__all__ = ["BarDiff", "ScoreDiff"]


@dataclass(frozen=True, eq=False)
class BarDiff:
    """The notes of one bar of one track, as (k, 5) int32 arrays with the columns of the table's `notes`."""

    added: npt.NDArray[np.int32]
    removed: npt.NDArray[np.int32]
    kept: npt.NDArray[np.int32]

    @property
    def changed(self) -> bool:
        """Whether the bar differs at all."""
        return bool(len(self.added) or len(self.removed))


@dataclass(frozen=True, eq=False)
class ScoreDiff:
    """Differences between two scores; `cells` maps (track, bar) to its `BarDiff` and holds every bar of
    either score.

    Notes are compared by all five columns; the order of notes within a bar does not count.
    """

    cells: Mapping[tuple[int, int], BarDiff]

    @classmethod
    def between(cls, before: _core.ScoreTable, after: _core.ScoreTable) -> ScoreDiff:
        """What `after` adds to and removes from `before`."""
        cells = {}
        for track in range(max(before.n_tracks, after.n_tracks)):
            old, new = _bars_of(before, track), _bars_of(after, track)
            for bar in range(max(len(old), len(new))):
                cells[track, bar] = _bar_diff(_at(old, bar), _at(new, bar))
        return cls(cells)

    @property
    def changed(self) -> list[tuple[int, int]]:
        """The (track, bar) that differ, in order."""
        return [cell for cell, bar in self.cells.items() if bar.changed]

    @property
    def n_added(self) -> int:
        """Number of notes added."""
        return sum(len(bar.added) for bar in self.cells.values())

    @property
    def n_removed(self) -> int:
        """Number of notes removed."""
        return sum(len(bar.removed) for bar in self.cells.values())

    @property
    def n_kept(self) -> int:
        """Number of notes in both scores."""
        return sum(len(bar.kept) for bar in self.cells.values())

    def __repr__(self) -> str:
        counts = f"{self.n_added:,} added, {self.n_removed:,} removed, {self.n_kept:,} kept"
        return f"ScoreDiff({counts}, {len(self.changed):,} bars changed)"


_NO_NOTES = np.zeros((0, 5), np.int32)


def _bars_of(table: _core.ScoreTable, track: int) -> list[npt.NDArray[np.int32]]:
    """One array of notes per bar of a track; nothing for a track that is not there."""
    if track >= table.n_tracks:
        return []
    first, last = table.bar_rows(track)
    edges = [
        *table.bars[first:last, 0].tolist(),
        int(table.bars[last, 0]) if last < len(table.bars) else table.n_notes,
    ]
    return [table.notes[start:end] for start, end in itertools.pairwise(edges)]


def _at(bars: list[npt.NDArray[np.int32]], bar: int) -> npt.NDArray[np.int32]:
    return bars[bar] if bar < len(bars) else _NO_NOTES


def _bar_diff(old: npt.NDArray[np.int32], new: npt.NDArray[np.int32]) -> BarDiff:
    if len(old) == len(new) and old.tobytes() == new.tobytes():
        return BarDiff(_NO_NOTES, _NO_NOTES, old)
    old_notes, new_notes = [tuple(row) for row in old.tolist()], [tuple(row) for row in new.tolist()]
    left_in_old = Counter(old_notes)
    is_kept = []
    for note in new_notes:
        is_kept.append(left_in_old[note] > 0)
        left_in_old[note] -= is_kept[-1]
    is_removed = []
    for note in reversed(old_notes):  # of several equal notes, the last ones are the surplus
        is_removed.append(left_in_old[note] > 0)
        left_in_old[note] -= is_removed[-1]
    kept = np.array(is_kept, bool)
    return BarDiff(new[~kept], old[np.array(is_removed[::-1], bool)], new[kept])
