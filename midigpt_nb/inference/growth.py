"""Bars and tracks that a request adds to a piece, and metres that it changes.

A session works on the grown table from the start, so that planning and prompts need not know what is new. At
the end whatever was not written is cut off again.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from midigpt_nb.inference.request import GenerationRequest

__all__ = ["grown", "ungrown"]

Metre = tuple[int, int]
_COMMON: Metre = (4, 4)


def grown(table: Any, request: GenerationRequest, metres: Mapping[int, Metre]) -> Any:
    """The table with everything that a validated request adds.

    New tracks come last, in the order of their numbers. All tracks get as many bars as the longest
    autoregressive prompt writes; new bars have the metre of the last bar there is, or their own of `metres`
    (bar -> metre). Bars of the score that `metres` names get that metre and lose their notes, which are about
    to be written anew. The same table comes back when nothing is added.
    """
    n_bars = table.n_bars(0) if table.n_tracks else 0
    for prompt in sorted((p for p in request.tracks if p.new is not None), key=lambda p: p.id):
        kind = prompt.new or {}
        table = table.with_track(int(kind.get("instrument", 0)), kind.get("track_type") == "drum")
    wanted = [bar for p in request.tracks if p.autoregressive and not p.ignore for bar in p.bars]
    end = max(wanted, default=-1) + 1
    for track in range(table.n_tracks if end > n_bars else 0):
        last = metre_of(table, track, n_bars - 1) if n_bars else _COMMON
        table = table.with_bars(track, [metres.get(bar, last) for bar in range(n_bars, end)])
    return _with_metres(table, {bar: metre for bar, metre in metres.items() if bar < n_bars})


def ungrown(table: Any, origin: Any, written: Collection[tuple[int, int]]) -> Any:
    """A grown table without the new tracks and bars behind the last written ones; bars whose metre was
    changed and that nobody wrote are again as in `origin`. No note that was written passes the new end.
    """
    n_bars = origin.n_bars(0) if origin.n_tracks else 0
    tracks = max([origin.n_tracks, *(track + 1 for track, _ in written)])
    end = max([n_bars, *(bar + 1 for _, bar in written)])
    if (tracks, end) != (table.n_tracks, table.n_bars(0)):
        table = _cut(table, tracks, end, written)
    untouched = set(range(n_bars)) - {bar for _, bar in written}
    back = [b for b in sorted(untouched) if metre_of(table, 0, b) != metre_of(origin, 0, b)] if tracks else []
    cells = [(track, bar) for bar in back for track in range(origin.n_tracks)]
    return _with_rows(table, {cell: _row(origin, cell) for cell in cells})


def metre_of(table: Any, track: int, bar: int) -> Metre:
    """The time signature of a bar."""
    row = table.bars[table.bar_rows(track)[0] + bar]
    return int(row[1]), int(row[2])


def _cut(table: Any, tracks: int, end: int, written: Collection[tuple[int, int]]) -> Any:
    """The first tracks and bars; written notes are shortened to the end."""
    table = table.window(list(range(tracks)), 0, end)
    notes = np.array(table.notes)
    for track in {track for track, _ in written}:
        first, last = table.bar_rows(track)
        bars = np.asarray(table.bars[first:last], dtype=np.int64)
        lengths = 4 * table.resolution * bars[:, 1] // bars[:, 2]
        left = np.cumsum(lengths[::-1])[::-1]  # ticks from a bar's start to the end of the piece
        for bar in (bar for t, bar in written if t == track):
            own = slice(*table.note_rows(track, bar))
            room = np.maximum(1, left[bar] - notes[own, 0])
            notes[own, 1] = np.minimum(notes[own, 1], room)
    return _made_like(table, notes, table.bars, table.note_source)


Row = tuple[Metre, "np.ndarray", "np.ndarray"]  # metre, notes, their sources


def _row(table: Any, cell: tuple[int, int]) -> Row:
    first, last = table.note_rows(*cell)
    return metre_of(table, *cell), np.asarray(table.notes[first:last]), table.note_source[first:last]


def _with_metres(table: Any, metres: Mapping[int, Metre]) -> Any:
    """Bars of another metre, on every track, emptied."""
    empty = np.zeros((0, 5), dtype=np.int32), np.zeros(0, dtype=np.int32)
    changed = {
        (track, bar): (metre, *empty)
        for bar, metre in metres.items()
        for track in range(table.n_tracks)
        if metre_of(table, track, bar) != metre
    }
    return _with_rows(table, changed)


def _with_rows(table: Any, rows: Mapping[tuple[int, int], Row]) -> Any:
    """The table with some bars taken from elsewhere."""
    if not rows:
        return table
    bars = np.array(table.bars)
    notes: list[np.ndarray] = [np.zeros((0, 5), dtype=np.int32)]
    sources: list[np.ndarray] = [np.zeros(0, dtype=np.int32)]
    total = 0
    for track in range(table.n_tracks):
        first, last = table.bar_rows(track)
        for bar in range(last - first):
            metre, own, source = rows.get((track, bar)) or _row(table, (track, bar))
            bars[first + bar, :3] = (total, *metre)
            notes.append(own)
            sources.append(source)
            total += len(own)
    return _made_like(table, np.concatenate(notes), bars, np.concatenate(sources))


def _made_like(table: Any, notes: Any, bars: Any, sources: Any) -> Any:
    from midigpt_nb import _core

    return _core.ScoreTable(
        notes=notes,
        bars=np.array(bars),
        tracks=np.array(table.tracks),
        resolution=table.resolution,
        tempo=table.tempo,
        note_source=np.array(sources),
    )
