"""Notes of a document with their ids: what `select_notes` chooses from and `selected_notes` shows."""

from __future__ import annotations

from collections.abc import Container, Iterator
from typing import TYPE_CHECKING

import numpy as np

from midigpt_nb.score.model import Note
from midigpt_nb.widgets.document import Cell, Timeline
from midigpt_nb.widgets.state import State

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["PlacedNote", "notes_of"]

PlacedNote = tuple[int, int, Note]
"""(track, bar, note), both from 0."""


def notes_of(
    state: State, ids: Container[int] | None = None, cells: Container[Cell] | None = None
) -> Iterator[tuple[int, PlacedNote]]:
    """(id, (track, bar, note)) of the notes with these ids, in these cells; None: any."""
    timeline, notes = Timeline(state.table), np.asarray(state.table.notes)
    tracks: NDArray[np.int64] = timeline.bar_track[timeline.note_bar]
    bars: NDArray[np.int64] = timeline.bar_index[timeline.note_bar]
    rows = zip(state.ids.tolist(), tracks.tolist(), bars.tolist(), notes.tolist(), strict=True)
    for number, track, bar, columns in rows:
        if (ids is None or number in ids) and (cells is None or (track, bar) in cells):
            onset, duration, pitch, velocity, delta = columns
            yield number, (track, bar, Note(pitch, velocity, onset, duration, delta))
