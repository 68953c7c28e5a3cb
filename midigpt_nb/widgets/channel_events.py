"""What a score's MIDI file says besides notes and is heard: volume, pan, expression, pedals, wheel, bends.

The page plays with them; the file itself stays where it is (score.source).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from midigpt_nb._core import MidiFile
    from midigpt_nb.score.model import Score

__all__ = ["BEND", "MOST_EVENTS", "channel_events"]

BEND = -1
"""Controller number that stands for pitch bend (its value is 0..16383, 8192 in the middle)."""

HEARD = frozenset({1, 7, 10, 11, 64, 66, 67, 91, 93})
"""Modulation wheel, volume, pan, expression, the three pedals, reverb and chorus."""

MOST_EVENTS = 20_000
"""A piece with more of them is played with the first ones."""

_CONTROL, _BEND, _NOTE_ON = 0xB0, 0xE0, 0x90


def channel_events(score: Score) -> list[list[int]]:
    """Rows [tick, track, controller, value], by tick of the score; empty for a score without a file.

    An event belongs to every track whose notes stand in its chunk and channel.

    >>> channel_events(Score.example())[0]
    [0, 0, 7, 100]
    """
    source = score.source
    if source is None or score.n_tracks == 0:
        return []
    file = source.file
    tracks = _tracks_by_place(score)
    if not tracks:
        return []
    own = np.asarray(score.bar_starts, dtype=np.int64)
    key = (id(file), repr(tracks), score.resolution, own.tobytes())
    if key not in _known:
        while len(_known) >= _MOST_KNOWN:
            _known.pop(next(iter(_known)), None)
        _known[key] = (file, _rows(file, tracks, own, score.resolution))
    return _known[key][1]


# A document is packed anew after every edit; its file is read through once. The file is held, so that no
# other one can have its id.
_known: dict[tuple[int, str, int, bytes], tuple[MidiFile, list[list[int]]]] = {}
_MOST_KNOWN = 8


def _rows(
    file: MidiFile, tracks: dict[tuple[int, int], list[int]], own: NDArray[np.int64], resolution: int
) -> list[list[int]]:
    starts = np.asarray(file.bar_starts, dtype=np.int64)
    bars = min(len(starts), len(own))
    rows: list[list[int]] = []
    for index in range(file.n_events):
        chunk, tick, data = file.event(index)
        kind = data[0] & 0xF0
        if len(data) != 3 or kind not in (_CONTROL, _BEND) or (kind == _CONTROL and data[1] not in HEARD):
            continue
        bar = max(0, int(np.searchsorted(starts[:bars], tick, side="right")) - 1)
        offset = (tick - int(starts[bar])) * resolution // file.ticks_per_quarter
        at = min(int(own[bar]) + offset, int(own[-1]))
        controller, value = (BEND, data[1] | data[2] << 7) if kind == _BEND else (data[1], data[2])
        rows += [[at, track, controller, value] for track in tracks.get((chunk, data[0] & 15), ())]
        if len(rows) >= MOST_EVENTS:
            break
    return sorted(rows, key=lambda row: row[0])[:MOST_EVENTS]


def _tracks_by_place(score: Score) -> dict[tuple[int, int], list[int]]:
    """(chunk, channel) -> the tracks whose notes come from there."""
    table, file = score.table, score.source.file if score.source is not None else None
    places: dict[tuple[int, int], list[int]] = {}
    for track in range(table.n_tracks):
        first = table.note_rows(track, 0)[0] if table.n_bars(track) else 0
        last = table.note_rows(track, table.n_bars(track) - 1)[1] if table.n_bars(track) else 0
        sources = np.asarray(table.note_source)[first:last]
        known = sources[sources >= 0]
        if len(known) and file is not None:
            chunk, _, data = file.event(int(known[0]))
            if data[0] & 0xF0 == _NOTE_ON:
                places.setdefault((chunk, data[0] & 15), []).append(track)
    return places
