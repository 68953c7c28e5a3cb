"""How sure the model was of the notes it wrote, kept for the notes that are shown: bits and other pitches."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Any

import numpy as np
import traitlets as t
from numpy.typing import NDArray

from midigpt_nb.widgets.document import Timeline
from midigpt_nb.widgets.piece_wishes import PieceWishes
from midigpt_nb.widgets.protocol import DOUBT_DTYPE
from midigpt_nb.widgets.report_memory import bar_digest

if TYPE_CHECKING:
    from midigpt_nb._core import ScoreTable
    from midigpt_nb.inference.uncertainty import Uncertainty
    from midigpt_nb.score.model import Score

__all__ = ["BITS_UNIT", "DoubtMemory", "Doubting"]

_KEPT = 20_000
"""Notes that are remembered, and most that are sent (20 bytes each)."""
_KEPT_BARS = 4_000
BITS_UNIT = 25
"""Steps per bit on the way to the page; 255 says that there is no figure."""

Key = tuple[int, int, int, int, int, int]


class DoubtMemory:
    """The figures of written notes, found again by the notes themselves, through undo, redo and takes. A note
    that was edited has none.

    Two takes may hold the same note with different figures, as other notes stand before it: what was learned
    of a bar with exactly these notes comes first, else what was learned last of the note.
    """

    def __init__(self) -> None:
        self._known: OrderedDict[Key, bytes] = OrderedDict()
        self._bars: OrderedDict[tuple[int, int, bytes], dict[Key, bytes]] = OrderedDict()

    def learn(self, doubts: Uncertainty | None, table: ScoreTable) -> None:
        """Keep the figures of the notes of `table`."""
        if doubts is None or not len(doubts):
            return
        packed = _packed(doubts)
        bars: dict[tuple[int, int], dict[Key, bytes]] = {}
        rows: dict[tuple[int, int], dict[tuple[int, int], tuple[int, int]]] = {}
        for i, cell in enumerate(zip(doubts.track.tolist(), doubts.bar.tolist(), strict=True)):
            if cell not in rows:
                rows[cell], bars[cell] = _notes(table, *cell), {}
            here = (int(doubts.onset_ticks[i]), int(doubts.pitch[i]))
            if here in rows[cell]:
                key = (*cell, *here, *rows[cell][here])
                self._known[key] = bars[cell][key] = packed[i].tobytes()
                self._known.move_to_end(key)
        for (track, bar), figures in bars.items():
            self._bars[track, bar, bar_digest(table, track, (bar,))] = figures
        while len(self._known) > _KEPT:
            self._known.popitem(last=False)
        while len(self._bars) > _KEPT_BARS:
            self._bars.popitem(last=False)

    def values(self, table: ScoreTable) -> NDArray[np.void]:
        """Records of the notes of `table` for which there are figures, at most 20,000."""
        if not self._known:
            return np.zeros(0, DOUBT_DTYPE)
        timeline = Timeline(table)
        notes = np.asarray(table.notes)
        tracks, bars = timeline.bar_track[timeline.note_bar], timeline.bar_index[timeline.note_bar]
        starts = timeline.bar_start[timeline.note_bar]
        columns = (tracks, bars, notes[:, 0], notes[:, 2], notes[:, 1], notes[:, 3])
        own = self._whole_bars(table)
        found: list[tuple[int, bytes]] = []
        for row, key in enumerate(zip(*(column.tolist() for column in columns), strict=True)):
            known = own.get(key) or self._known.get(key)
            if known is not None:
                found.append((row, known))
        records = np.frombuffer(b"".join(known for _, known in found), DOUBT_DTYPE).copy()
        places = np.array([row for row, _ in found], dtype=np.int64)
        if len(records):
            records["onset"] = (starts[places] + notes[places, 0]).clip(min=0)
        return records[:_KEPT]

    def _whole_bars(self, table: ScoreTable) -> dict[Key, bytes]:
        """Figures of the bars that hold exactly the notes they were learned with."""
        found: dict[Key, bytes] = {}
        for track, bar in {key[:2] for key in self._bars}:
            if track < table.n_tracks and bar < table.n_bars(track):
                found |= self._bars.get((track, bar, bar_digest(table, track, (bar,))), {})
        return found


def _notes(table: ScoreTable, track: int, bar: int) -> dict[tuple[int, int], tuple[int, int]]:
    """(onset, pitch) -> (duration, velocity) of a bar's notes."""
    if track >= table.n_tracks or bar >= table.n_bars(track):
        return {}
    first, last = table.note_rows(track, bar)
    rows = np.asarray(table.notes[first:last, :4]).tolist()
    return {(onset, pitch): (duration, velocity) for onset, duration, pitch, velocity in rows}


def _packed(doubts: Uncertainty) -> NDArray[np.void]:
    records = np.zeros(len(doubts), DOUBT_DTYPE)
    records["track"], records["pitch"] = doubts.track.clip(0, 255), doubts.pitch
    bits = np.nan_to_num(doubts.bits * BITS_UNIT, nan=255.0)
    records["bits"] = np.where(np.isnan(doubts.bits), 255, np.rint(bits).clip(0, 254)).astype(np.uint8)
    records["pitches"] = np.where(doubts.alternatives < 0, 255, doubts.alternatives).astype(np.uint8)
    records["shares"] = np.rint(doubts.shares * 255).astype(np.uint8)
    return records


class Doubting(PieceWishes):
    """The part of an editor that tells how sure the model was."""

    show_uncertainty = t.Bool(False, help="hatch notes the model was not sure of").tag(sync=True)
    watch_uncertainty = t.Bool(True, help="keep how sure the model is of each note it writes")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._doubts = DoubtMemory()
        super().__init__(*args, **kwargs)

    def _learn_doubts(self, doubts: Uncertainty | None, score: Score) -> None:
        with self._locked():
            self._doubts.learn(doubts, score.table)

    def _request_uncertainty(self) -> tuple[dict[str, Any], list[bytes]]:
        with self._locked():
            records = self._doubts.values(self._shown_table())
        return {"count": len(records)}, [records.tobytes()]

    def _shown_table(self) -> ScoreTable:
        return self._document.state.table
