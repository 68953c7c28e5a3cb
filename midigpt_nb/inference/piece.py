"""The piece during a session: the score's own table, and the same music as the model sees it.

The score's table only ever changes in bars that were written. The grid table is what prompts are cut from:
model resolution, metres the model knows, and empty bars at the end when the piece is shorter than the window
(they are hidden from the model and never returned).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from midigpt_nb.inference.notes import Placed, rows

__all__ = ["Cell", "Piece", "metre_map"]

Cell = tuple[int, int]
Metre = tuple[int, int]


def metre_map(metres: Sequence[Metre]) -> dict[Metre, int]:
    """Token value of each metre the model knows; of equal entries the last counts, as in the encoder."""
    return {metre: i for i, metre in enumerate(metres)}


def equal_metre(metre: Metre, known: Mapping[Metre, int]) -> Metre | None:
    """A known metre of the same length: itself, or the first equally long one (12/16 may stand as 3/4)."""
    if metre in known:
        return metre
    num, den = metre
    return next((m for m in known if m[0] * den == num * m[1]), None)


@dataclass(frozen=True)
class Piece:
    """`table` in the score's resolution, `grid` in the model's; `n_bars` real bars, `unknown` cells whose
    metre the model lacks.
    """

    table: Any
    grid: Any
    n_bars: int
    unknown: frozenset[Cell]
    metre_values: tuple[tuple[int, ...], ...]  # [track][bar] -> TimeSig token value

    @classmethod
    def of(cls, table: Any, vocab: Any, resolution: int, metres: Sequence[Metre], min_bars: int) -> Piece:
        """Prepare a score's table for a model; it is padded to at least `min_bars` bars."""
        from midigpt_nb import _core

        known = metre_map(metres)
        n_bars = table.n_bars(0)
        grid = _core.grid_table(table, resolution)
        grid, unknown = _with_known_metres(grid, known)
        for track in range(grid.n_tracks):
            missing = min_bars - n_bars
            if missing > 0:
                _, last = grid.bar_rows(track)
                metre = (int(grid.bars[last - 1, 1]), int(grid.bars[last - 1, 2]))
                grid = grid.with_bars(track, [metre] * missing)
        values = []
        for track in range(grid.n_tracks):
            first, last = grid.bar_rows(track)
            values.append(tuple(known.get((int(n), int(d)), 0) for n, d in grid.bars[first:last, 1:3]))
        return cls(table, grid, n_bars, unknown, tuple(values))

    @property
    def n_padded(self) -> int:
        """Bars of the grid table, empty ones at the end included."""
        return len(self.metre_values[0])

    def written(self, cells: Mapping[Cell, Sequence[Placed]]) -> Piece:
        """The piece with the notes of some bars replaced (rows in the score's ticks); nothing else
        differs.
        """
        if not cells:
            return self
        order = sorted(cells)
        new = [rows(cells[cell]) for cell in order]
        ratio = self.grid.resolution / self.table.resolution
        on_grid = [_scaled(notes, ratio) for notes in new]
        return replace(self, table=self.table.replaced(order, new), grid=self.grid.replaced(order, on_grid))

    def onsets(self, cell: Cell) -> list[tuple[int, int]]:
        """(pitch, onset on the grid) of a bar's notes, sorted."""
        first, last = self.grid.note_rows(*cell)
        return sorted((int(p), int(o)) for o, p in self.grid.notes[first:last, [0, 2]])

    def n_notes(self, cell: Cell) -> int:
        """How many notes a bar holds."""
        first, last = self.grid.note_rows(*cell)
        return last - first


def _scaled(notes: np.ndarray, ratio: float) -> np.ndarray:
    scaled = notes.copy()
    scaled[:, 0] = np.floor(notes[:, 0] * ratio + 1e-9)
    scaled[:, 1] = np.maximum(1, np.floor(notes[:, 1] * ratio + 1e-9))
    return scaled


def _with_known_metres(grid: Any, known: Mapping[Metre, int]) -> tuple[Any, frozenset[Cell]]:
    """The table with every metre in the model's list; cells where none of equal length exists get the
    first of the list.
    """
    from midigpt_nb import _core

    if not known:
        return grid, frozenset()
    present = {(int(n), int(d)) for n, d in np.unique(grid.bars[:, 1:3], axis=0)}
    if all(metre in known for metre in present):
        return grid, frozenset()
    bars = np.array(grid.bars)
    unknown = set()
    for track in range(grid.n_tracks):
        first, last = grid.bar_rows(track)
        for row in range(first, last):
            metre = (int(bars[row, 1]), int(bars[row, 2]))
            equal = equal_metre(metre, known)
            if equal is None:
                unknown.add((track, row - first))
            bars[row, 1:3] = equal or next(iter(known))
    changed = _core.ScoreTable(
        notes=np.array(grid.notes),
        bars=bars,
        tracks=np.array(grid.tracks),
        resolution=grid.resolution,
        tempo=grid.tempo,
        note_source=np.array(grid.note_source),
    )
    return changed, frozenset(unknown)
