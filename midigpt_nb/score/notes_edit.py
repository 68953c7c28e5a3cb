"""Edits of notes: each takes a table and gives a new one.

Bars that are not touched are copied bit for bit.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from midigpt_nb import _core
from midigpt_nb.errors import ScoreError
from midigpt_nb.score.places import whole
from midigpt_nb.score.table import bar_lengths, bar_rows_of_notes, tracks_of_bar_rows

if TYPE_CHECKING:
    import numpy.typing as npt

    from midigpt_nb.score.places import NotePlace

__all__ = [
    "NoteRows",
    "added",
    "changed",
    "quantised",
    "real_bar_lengths",
    "rows_at",
    "selected",
    "transposed",
    "without",
]

_ONSET, _DURATION, _PITCH, _VELOCITY, _DELTA = range(5)
_INT32 = 2**31 - 1


class NoteRows:
    """A table taken apart: one row per note, with the bar row that holds it.

    Edits write here; `table()` puts it together.
    """

    def __init__(self, table: _core.ScoreTable) -> None:
        self._table = table
        self.notes: npt.NDArray[np.int64] = table.notes.astype(np.int64)
        self.sources: npt.NDArray[np.int32] = table.note_source.copy()
        self.bar = bar_rows_of_notes(table)
        self._touched = np.zeros(len(table.bars), bool)

    @property
    def track(self) -> npt.NDArray[np.int64]:
        """The track of each note."""
        return tracks_of_bar_rows(self._table, self.bar)

    @property
    def bar_number(self) -> npt.NDArray[np.int64]:
        """The bar of each note within its track."""
        return self.bar - self._table.tracks[:, 0][self.track]

    def touch(self, bars: npt.NDArray[np.int64]) -> None:
        """Notes of these bar rows are put in order of their onsets."""
        self._touched[bars] = True

    def order(self) -> npt.NDArray[np.int64]:
        """Which of the rows here stands at each place of `table()`."""
        keys = np.where(self._touched[self.bar], self.notes[:, _ONSET], 0)
        return np.lexsort((np.arange(len(self.notes)), keys, self.bar))

    def table(self) -> _core.ScoreTable:
        """The rows as a table again."""
        order = self.order()
        bars = self._table.bars.copy()
        bars[:, 0] = np.searchsorted(self.bar[order], np.arange(len(bars)))
        return _core.ScoreTable(
            self.notes[order],
            bars,
            self._table.tracks,
            self._table.resolution,
            self._table.tempo,
            self.sources[order],
        )


def real_bar_lengths(table: _core.ScoreTable, file: _core.MidiFile | None) -> npt.NDArray[np.int64]:
    """Ticks of each bar row, less where a metre change in the file cuts a bar short."""
    lengths = bar_lengths(table)
    if file is None or not file.can_hold(table) or len(file.bars) == 0:
        return lengths
    rows = file.bars
    real = np.diff(rows[:, 0], append=rows[-1, 0] + rows[-1, 1]) * table.resolution // file.ticks_per_quarter
    bar_rows = np.arange(len(table.bars))
    numbers = bar_rows - table.tracks[:, 0][tracks_of_bar_rows(table, bar_rows)]
    held = numbers < len(real)
    lengths[held] = np.minimum(lengths[held], real[numbers[held]])
    return lengths


def rows_at(table: _core.ScoreTable, places: Iterable[NotePlace]) -> npt.NDArray[np.int64]:
    """Rows of `notes` of (track, bar, number) places."""
    rows = []
    for place in _listed(places, "(track, bar, number of the note)"):
        try:
            track, bar, number = place
        except (TypeError, ValueError):
            raise ScoreError(
                f"{place!r} is no place of a note; write (track, bar, number of the note)"
            ) from None
        whole(track, "track", 0, table.n_tracks - 1)
        whole(bar, f"bar of tracks[{track}]", 0, table.n_bars(track) - 1)
        first, last = table.note_rows(track, bar)
        if last == first:
            raise ScoreError(f"tracks[{track}].bars[{bar}] has no notes")
        whole(number, f"note of tracks[{track}].bars[{bar}]", 0, last - first - 1)
        rows.append(first + number)
    if len(set(rows)) < len(rows):
        raise ScoreError("a note is named twice")
    return np.array(rows, np.int64)


def _listed(values: Any, of_what: str) -> list[Any]:
    if isinstance(values, (str, bytes)) or not isinstance(values, Iterable):
        raise ScoreError(f"{values!r} is no list of {of_what}")
    return list(values)


def added(
    table: _core.ScoreTable, lengths: npt.NDArray[np.int64], track: int, bar: int, notes: Sequence[Any]
) -> _core.ScoreTable:
    """`Note` objects put into a bar."""
    bar_row = int(table.tracks[track, 0]) + bar
    fresh = []
    for number, note in enumerate(_listed(notes, "notes")):
        where = f"new note {number} of tracks[{track}].bars[{bar}]"
        values = [
            getattr(note, name, None)
            for name in ("onset_ticks", "duration_ticks", "pitch", "velocity", "delta")
        ]
        names = ("onset_ticks", "duration_ticks", "pitch", "velocity", "delta")
        ranges = ((0, int(lengths[bar_row]) - 1), (1, _INT32), (0, 127), (1, 127), (-_INT32, _INT32))
        fresh.append(
            [
                whole(value, f"{where}: {name}", *span)
                for value, name, span in zip(values, names, ranges, strict=True)
            ]
        )
    rows = NoteRows(table)
    rows.notes = np.concatenate([rows.notes, np.array(fresh, np.int64).reshape(-1, 5)])
    rows.sources = np.concatenate([rows.sources, np.full(len(fresh), -1, np.int32)])
    rows.bar = np.concatenate([rows.bar, np.full(len(fresh), bar_row)])
    rows.touch(np.array([bar_row]))
    return rows.table()


def without(table: _core.ScoreTable, gone: npt.NDArray[np.int64]) -> _core.ScoreTable:
    """The table without some rows of `notes`."""
    rows = NoteRows(table)
    keep = np.ones(len(rows.notes), bool)
    keep[gone] = False
    rows.notes, rows.sources, rows.bar = rows.notes[keep], rows.sources[keep], rows.bar[keep]
    return rows.table()


def changed(
    table: _core.ScoreTable,
    lengths: npt.NDArray[np.int64],
    which: npt.NDArray[np.int64],
    *,
    ticks: int = 0,
    semitones: int = 0,
    duration_ticks: int | None = None,
    longer_by: int = 0,
    velocity: int | None = None,
) -> _core.ScoreTable:
    """Notes moved in time (into other bars, too) and pitch, and made longer, shorter, louder or softer."""
    rows = NoteRows(table)
    if ticks:
        _move(rows, table, lengths, which, ticks)
    rows.notes[which, _PITCH] += semitones
    if duration_ticks is not None:
        rows.notes[which, _DURATION] = duration_ticks
    rows.notes[which, _DURATION] += longer_by
    if velocity is not None:
        rows.notes[which, _VELOCITY] = velocity
    for column, name, low, high in ((_PITCH, "pitch", 0, 127), (_DURATION, "duration_ticks", 1, _INT32)):
        values = rows.notes[which, column]
        if len(bad := np.flatnonzero((values < low) | (values > high))):
            raise ScoreError(
                f"{_name_of(rows, int(which[bad[0]]))}: {name} would be {values[bad[0]]}; "
                f"allowed: {low}..{high}"
            )
    return rows.table()


def _name_of(rows: NoteRows, row: int) -> str:
    track, bar = int(rows.track[row]), int(rows.bar_number[row])
    number = row - int(np.flatnonzero(rows.bar == rows.bar[row])[0])
    return f"tracks[{track}].bars[{bar}].notes[{number}]"


def _move(
    rows: NoteRows,
    table: _core.ScoreTable,
    lengths: npt.NDArray[np.int64],
    which: npt.NDArray[np.int64],
    ticks: int,
) -> None:
    starts = np.concatenate([[0], np.cumsum(lengths)])  # of bar rows, tracks one after another
    ends = np.append(table.tracks[1:, 0], len(table.bars))
    track = rows.track[which]
    at = starts[rows.bar[which]] + rows.notes[which, _ONSET] + ticks
    low, high = starts[table.tracks[track, 0]], starts[ends[track]]
    if len(bad := np.flatnonzero((at < low) | (at >= high))):
        name = _name_of(rows, int(which[bad[0]]))
        raise ScoreError(f"{name} cannot move by {ticks} ticks: it would start outside of the piece")
    new_bar = np.searchsorted(starts, at, side="right") - 1
    rows.touch(rows.bar[which])
    rows.touch(new_bar)
    rows.bar[which] = new_bar
    rows.notes[which, _ONSET] = at - starts[new_bar]


def transposed(
    table: _core.ScoreTable, which: npt.NDArray[np.int64], semitones: int, outside: str
) -> _core.ScoreTable:
    """Notes moved by semitones; `outside` says what becomes of those beyond MIDI's pitches."""
    rows = NoteRows(table)
    pitches = rows.notes[which, _PITCH] + semitones
    if outside == "octave":
        pitches = np.where(pitches > 127, 116 + (pitches - 116) % 12, pitches)
        pitches = np.where(pitches < 0, pitches % 12, pitches)
    elif outside == "drop":
        keep = (pitches >= 0) & (pitches <= 127)
        rows.notes[which[keep], _PITCH] = pitches[keep]
        return without(rows.table(), which[~keep])
    elif outside != "error":
        raise ScoreError(f"outside is {outside!r}; allowed: 'error', 'octave', 'drop'")
    if len(bad := np.flatnonzero((pitches < 0) | (pitches > 127))):
        name = _name_of(rows, int(which[bad[0]]))
        raise ScoreError(
            f"{name}: pitch would be {pitches[bad[0]]} after {semitones} semitones; allowed: 0..127, "
            "or write outside='octave' or outside='drop'"
        )
    rows.notes[which, _PITCH] = pitches
    return rows.table()


def quantised(
    table: _core.ScoreTable,
    lengths: npt.NDArray[np.int64],
    which: npt.NDArray[np.int64],
    *,
    step: float,
    strength: float,
    swing: float,
    ends: bool,
) -> _core.ScoreTable:
    """Notes drawn towards the lines of a grid that starts anew in each bar; `step` in ticks.

    Every second line is late by `swing` steps. A note nearest to the next bar's first line goes there; in the
    last bar it goes to the last line that is inside.
    """
    rows = NoteRows(table)
    resolution = table.resolution
    exact = rows.notes[which, _ONSET] + rows.notes[which, _DELTA] / resolution
    target = _nearest(exact, step, swing)
    length = lengths[rows.bar[which]].astype(np.float64)
    last_bars = np.append(table.tracks[1:, 0], len(table.bars)) - 1
    is_last = rows.bar[which] == last_bars[rows.track[which]]
    inside = _nearest(np.maximum(length - step / 2 - 1e-9, 0), step, swing)
    inside = np.where(inside >= length, np.maximum(inside - step, 0), inside)
    target = np.where(target >= length, np.where(is_last, inside, length), target)
    onset = exact + strength * (target - exact)
    if ends:
        end = onset + rows.notes[which, _DURATION]
        snapped = end + strength * (_nearest(end, step, swing) - end)
        rows.notes[which, _DURATION] = np.maximum(np.where(snapped > onset, snapped - onset, step), 1).round()
    crosses = onset >= length - 0.5 / resolution
    crosses &= ~is_last
    whole_ticks = np.rint(onset).astype(np.int64)
    rows.notes[which, _ONSET] = np.where(crosses, 0, np.clip(whole_ticks, 0, np.maximum(length - 1, 0)))
    rows.notes[which, _DELTA] = np.where(crosses, 0, np.rint((onset - whole_ticks) * resolution))
    rows.bar[which] += crosses
    rows.touch(rows.bar[which])
    return rows.table()


def _nearest(ticks: npt.NDArray[np.float64], step: float, swing: float) -> npt.NDArray[np.float64]:
    """The nearest line to each time: lines at 0, (1 + swing), 2, (3 + swing), .. steps."""
    pair = np.floor(ticks / (2 * step)) * 2 * step
    lines = pair[:, None] + np.array([0.0, (1 + swing) * step, 2 * step])
    return np.take_along_axis(lines, np.abs(lines - ticks[:, None]).argmin(axis=1)[:, None], axis=1)[:, 0]


def selected(
    table: _core.ScoreTable,
    tracks: Sequence[int],
    bars: Sequence[int] | None,
    pitches: Sequence[int] | None = None,
) -> npt.NDArray[np.int64]:
    """Rows of `notes` in some tracks, bars and pitches (None: all)."""
    rows = NoteRows(table)
    chosen = np.isin(rows.track, tracks)
    if bars is not None:
        chosen &= np.isin(rows.bar_number, bars)
    if pitches is not None:
        chosen &= np.isin(rows.notes[:, _PITCH], pitches)
    return np.flatnonzero(chosen)
