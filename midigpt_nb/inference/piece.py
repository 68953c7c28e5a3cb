"""The piece during a session: the score's own table, and the same music as the model sees it.

The score's table only ever changes in bars that were written, and grows by the bars and tracks that a request
adds. The grid table is what prompts are cut from: model resolution, metres the model knows, and empty bars at
the end when the piece is shorter than the window (they are hidden from the model and never returned).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from midigpt_nb.inference.growth import ungrown
from midigpt_nb.inference.notes import Placed, rows
from midigpt_nb.score.table import distinct_metres

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
    metre the model lacks. `origin` is the score's own table where a request made the piece larger.
    """

    table: Any
    grid: Any
    n_bars: int
    unknown: frozenset[Cell]
    metre_values: tuple[tuple[int, ...], ...]  # [track][bar] -> TimeSig token value
    microtiming: bool = False
    origin: Any = None

    @classmethod
    def of(
        cls,
        table: Any,
        vocab: Any,
        resolution: int,
        metres: Sequence[Metre],
        min_bars: int,
        microtiming: bool = False,
    ) -> Piece:
        """Prepare a score's table for a model; it is padded to at least `min_bars` bars. `microtiming`:
        the model tells how far notes are off its grid.
        """
        from midigpt_nb import _core

        known = metre_map(metres)
        n_bars = table.n_bars(0)
        grid = _core.grid_table(table, resolution, microtiming)
        grid, unknown = _with_known_metres(grid, known)
        for track in range(grid.n_tracks):
            missing = min_bars - n_bars
            if missing > 0:
                _, last = grid.bar_rows(track)
                metre = (int(grid.bars[last - 1, 1]), int(grid.bars[last - 1, 2]))
                grid = grid.with_bars(track, [metre] * missing)
        present, which = distinct_metres(grid.bars)
        tokens = np.array([known.get(metre, 0) for metre in present], int)[which]
        values = tuple(tuple(tokens[slice(*grid.bar_rows(t))].tolist()) for t in range(grid.n_tracks))
        return cls(table, grid, n_bars, unknown, values, microtiming)

    def result(self, written: Collection[Cell]) -> Any:
        """The table to give back: new bars and tracks only as far as they were written."""
        return self.table if self.origin is None else ungrown(self.table, self.origin, written)

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
        on_grid = [_on_grid(n, self.table.resolution, self.grid.resolution, self.microtiming) for n in new]
        return replace(self, table=self.table.replaced(order, new), grid=self.grid.replaced(order, on_grid))

    def onsets(self, cell: Cell) -> list[tuple[int, int]]:
        """(pitch, onset on the grid) of a bar's notes, sorted."""
        first, last = self.grid.note_rows(*cell)
        return sorted((int(p), int(o)) for o, p in self.grid.notes[first:last, [0, 2]])

    def bar_ticks(self, cell: Cell) -> int:
        """The length of a bar on the grid."""
        from midigpt_nb import _core

        row = self.grid.bars[self.grid.bar_rows(cell[0])[0] + cell[1]]
        return int(_core.bar_ticks(int(row[1]), int(row[2]), self.grid.resolution))

    def n_notes(self, cell: Cell) -> int:
        """How many notes a bar holds."""
        first, last = self.grid.note_rows(*cell)
        return last - first


def _on_grid(notes: np.ndarray, resolution: int, grid: int, microtiming: bool) -> np.ndarray:
    """Rows of the score's table as `grid_table` puts them on the model's grid."""
    if resolution == grid:
        return notes
    scaled = notes.astype(np.int64)
    scaled[:, 1] = np.maximum(1, scaled[:, 1] * grid // resolution)
    if microtiming:
        position = (notes[:, 0] + notes[:, 4] / resolution) * (grid / resolution)
        scaled[:, 0] = np.maximum(0, np.trunc(position))
        scaled[:, 4] = np.rint((position - scaled[:, 0]) * grid)
    else:
        scaled[:, 0] = np.maximum(0, scaled[:, 0] * grid // resolution)
        scaled[:, 4] = 0
    return scaled.astype(np.int32)


def _with_known_metres(grid: Any, known: Mapping[Metre, int]) -> tuple[Any, frozenset[Cell]]:
    """The table with every metre in the model's list; cells where none of equal length exists get the
    first of the list.
    """
    from midigpt_nb import _core

    if not known:
        return grid, frozenset()
    if all(metre in known for metre in distinct_metres(grid.bars)[0]):
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
