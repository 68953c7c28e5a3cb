"""The document of a roll: a score, an identity per note, and what the last generation changed.

Every access goes through one re-entrant lock, because notebooks call widget handlers on different threads.
The page sees the document as bytes (`Document.pack`), made in one vectorised pass.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from midigpt_nb._core import bar_ticks
from midigpt_nb.errors import ScoreError
from midigpt_nb.score.general_midi import DRUM_NAMES, FAMILIES
from midigpt_nb.score.table import distinct_metres
from midigpt_nb.widgets.bar_numbers import bars_after, chords_after, matched_bars
from midigpt_nb.widgets.channel_events import channel_events
from midigpt_nb.widgets.history import History
from midigpt_nb.widgets.ops import apply_ops
from midigpt_nb.widgets.packed_state import pack_state, unpack_state
from midigpt_nb.widgets.protocol import (
    FLAG_GENERATED,
    FLAG_PROVISIONAL,
    FLAG_REMOVED,
    empty_notes,
    pack_document,
)
from midigpt_nb.widgets.state import State
from midigpt_nb.widgets.track_numbers import matched_numbers, numbers_after

if TYPE_CHECKING:
    from midigpt_nb._core import ScoreTable
    from midigpt_nb.score.model import Score

__all__ = [
    "Cell",
    "Document",
    "Timeline",
    "bar_label",
    "cell_label",
    "cell_notes",
    "cell_records",
    "match_notes",
    "same_bars",
]

Cell = tuple[int, int]
"""A bar of a track: (track, bar), both from 0."""


class Timeline:
    """Where everything of a table lies in time, as arrays over its rows (ticks of the table's resolution).

    `bar_track`, `bar_index`, `bar_length`, `bar_start`, `notes_per_bar` have one entry per row of
    ``table.bars``; `note_bar` is each note's row there. Bars may differ from track to track; `shown` are the
    rows of the longest track.
    """

    def __init__(self, table: ScoreTable) -> None:
        bars, tracks = np.asarray(table.bars), np.asarray(table.tracks)
        first_bar = tracks[:, 0]
        bars_per_track = np.diff(first_bar, append=len(bars))
        self.notes_per_bar = np.diff(bars[:, 0], append=table.n_notes)
        self.bar_track = np.repeat(np.arange(len(tracks)), bars_per_track)
        self.bar_index = np.arange(len(bars)) - first_bar[self.bar_track]
        self.bar_length = _bar_lengths(bars, table.resolution)
        elapsed = np.cumsum(self.bar_length) - self.bar_length
        self.bar_start = elapsed - elapsed[first_bar[self.bar_track]] if len(bars) else elapsed
        self.note_bar = np.repeat(np.arange(len(bars)), self.notes_per_bar)
        self.n_bars = int(bars_per_track.max(initial=0))
        longest = int(bars_per_track.argmax()) if len(tracks) else 0
        self.shown = np.flatnonzero(self.bar_track == longest)
        self._first_bar, self._first_note = first_bar, bars[:, 0]

    def row(self, track: int, bar: int) -> int:
        """Row of ``table.bars`` that holds a cell."""
        return int(self._first_bar[track]) + bar

    @property
    def cells(self) -> NDArray[np.int64]:
        """One number for the track and the bar of each row of ``table.bars``, ascending."""
        return self.bar_track.astype(np.int64) << 32 | self.bar_index

    def notes_of(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Rows of ``table.notes`` of some rows of ``table.bars``, one after the other."""
        counts = self.notes_per_bar[rows]
        before = np.cumsum(counts) - counts
        return np.repeat(self._first_note[rows] - before, counts) + np.arange(counts.sum())


def _bar_lengths(bars: NDArray[np.int32], resolution: int) -> NDArray[np.int64]:
    metres, which = distinct_metres(bars)
    return np.array([bar_ticks(*metre, resolution) for metre in metres], np.int64)[which]


def match_notes(old: ScoreTable, new: ScoreTable) -> NDArray[np.int64]:
    """For every note of `new` the row of the same note in `old`, or -1.

    Notes are the same when track, bar, onset, duration, pitch, velocity and delta agree; of several equal
    notes the first matches the first.
    """
    mine, theirs = Timeline(old), Timeline(new)
    _, bars, other_bars = np.intersect1d(mine.cells, theirs.cells, assume_unique=True, return_indices=True)
    even = mine.notes_per_bar[bars] == theirs.notes_per_bar[other_bars]
    rows, other_rows = mine.notes_of(bars[even]), theirs.notes_of(other_bars[even])
    unlike = np.zeros(len(mine.cells), bool)
    unlike[mine.note_bar[rows[(old.notes[rows] != new.notes[other_rows]).any(axis=1)]]] = True
    alike = ~unlike[mine.note_bar[rows]]  # mostly all bars but one
    rows, other_rows = rows[alike], other_rows[alike]
    match = np.full(new.n_notes, -1, np.int64)
    match[other_rows] = rows
    left, other_left = np.delete(np.arange(old.n_notes), rows), np.delete(np.arange(new.n_notes), other_rows)
    if len(left) and len(other_left):
        found = _matched(_note_keys(old, mine, left), _note_keys(new, theirs, other_left))
        match[other_left] = np.where(found < 0, -1, left[found])
    return match


def _note_keys(table: ScoreTable, timeline: Timeline, rows: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.column_stack([timeline.cells[timeline.note_bar[rows]], table.notes[rows]])


def _matched(mine: NDArray[np.int64], theirs: NDArray[np.int64]) -> NDArray[np.int64]:
    """For each row of `theirs` the same one of `mine`, or -1."""
    _, kind = np.unique(np.concatenate([mine, theirs]), axis=0, return_inverse=True)
    kind = kind.reshape(-1)
    keys_mine, keys_theirs = _numbered(kind[: len(mine)]), _numbered(kind[len(mine) :])
    order = np.argsort(keys_mine)
    found = order[np.searchsorted(keys_mine, keys_theirs, sorter=order).clip(max=len(mine) - 1)]
    return np.where(keys_mine[found] == keys_theirs, found, -1)


def _numbered(kind: NDArray[np.int64]) -> NDArray[np.int64]:
    """Make equal kinds distinct by their occurrence: [7, 3, 7] -> keys of (7, 0), (3, 0), (7, 1)."""
    order = np.argsort(kind, kind="stable")
    ordered = kind[order]
    first = np.r_[True, ordered[1:] != ordered[:-1]] if len(kind) else np.zeros(0, bool)
    starts = np.maximum.accumulate(np.where(first, np.arange(len(kind)), 0))
    occurrence = np.empty(len(kind), np.int64)
    occurrence[order] = np.arange(len(kind)) - starts
    return kind.astype(np.int64) * (1 << 31) + occurrence


class Document:
    """A score under revision control. All methods may be called from any thread."""

    def __init__(self, score: Score) -> None:
        self.lock = threading.RLock()
        self.rev = 0
        self.locked: frozenset[Cell] = frozenset()
        """Cells that neither `edit` nor `accept` changes."""
        self._next_id = 0
        self._history: History[State] = History(pack=pack_state, unpack=unpack_state)
        self._stroke: tuple[str, State | None, Any] = ("", None, None)
        table = score.table
        # A private copy lends the names: what the caller does to the score later does not reach us.
        source = score.with_table(table)
        numbers = tuple(range(table.n_tracks))
        self._next_track = len(numbers)
        self._next_bar = 0
        bars = tuple(self._new_bar() for _ in range(score.n_bars))
        ids, nothing = self.new_ids(table.n_notes), np.zeros(table.n_notes, np.uint8)
        self._state = State(source, table, ids, nothing, track_numbers=numbers, bar_numbers=bars)

    # ------------------------------------------------------------------------------------------- looking

    @property
    def state(self) -> State:
        with self.lock:
            return self._state

    @property
    def score(self) -> Score:
        """The current score. Assign a changed copy to change the document."""
        return self.state.score

    @property
    def can_undo(self) -> bool:
        return self._history.can_undo

    @property
    def can_redo(self) -> bool:
        return self._history.can_redo

    def has_cell(self, track: int, bar: int) -> bool:
        table = self.state.table
        return 0 <= track < table.n_tracks and 0 <= bar < table.n_bars(track)

    def no_such_cell(self, track: int, bar: int) -> str:
        """The sentence about a cell that is not there, with those that are."""
        table = self.state.table
        if not table.n_tracks:
            return f"the piece has no bar {bar} in track {track}: it has no tracks yet"
        if not 0 <= track < table.n_tracks:
            return f"the piece has no track {track}; it has tracks 0..{table.n_tracks - 1} (counted from 0)"
        there = f"bars 0..{table.n_bars(track) - 1}" if table.n_bars(track) else "no bars yet"
        return f"the piece has no bar {bar} in track {track}; it has {there} (counted from 0)"

    def all_cells(self) -> list[Cell]:
        table = self.state.table
        return [(track, bar) for track in range(table.n_tracks) for bar in range(table.n_bars(track))]

    # ------------------------------------------------------------------------------------------ changing

    def assign(self, score: Score, label: str = "Edit") -> bool:
        """Make `score` the document; one undo step. False when it is what the document already holds."""
        table = score.table
        source = score.with_table(table)
        with self.lock:
            if _same(self._state, source):
                return False
            self._commit(self._changed_to(source, table), label)
            return True

    def accept(self, result: Score, cells: Iterable[Cell], base: State, label: str) -> bool:
        """Take generated `cells` of `result`, which was made from `base`; one undo step.

        When the document moved on meanwhile, only the cells are taken over. Locked cells stay. False when the
        piece's bars have changed so that the cells have no place any more; the document is then as it was.
        """
        with self.lock:
            current = self._state
            wanted = sorted(set(cells) - self.locked)
            unlocked = self.locked.isdisjoint(cells)
            if unlocked and (current is base or current.table.same_as(base.table)):
                table = result.table
            elif same_bars(current.table, result.table):
                table = current.table.replaced(wanted, [cell_notes(result.table, *cell) for cell in wanted])
            else:
                return False
            self._commit(self._changed_to(current.source, table, generated=True), label)
            return True

    def edit(
        self, ops: Sequence[Mapping[str, Any]], records: NDArray[np.void], label: str, merge: str = ""
    ) -> None:
        """Carry out a page's batch of operations (widgets.ops) as one undo step, or as part of the last one.

        Raises what `apply_ops` raises; the document is then as it was.
        """
        with self.lock:
            state = self._state
            edited = apply_ops(state.own, state.ids, ops, records)
            table = edited.score.table
            self._refuse_locked(state.table, table)
            copies: dict[int, int] = {}
            tracks = numbers_after(state.track_numbers, ops, self._new_track, copies)
            bars = bars_after(state.bar_numbers, ops, edited.score.n_bars, self._new_bar, copies)
            if edited.ids is None:
                new = self._changed_to(edited.score, table)
            else:
                new = State(edited.score, table, edited.ids, np.zeros(table.n_notes, np.uint8))
            chords = chords_after(state.chords or {}, state.bar_numbers, bars, copies)
            new = replace(new, track_numbers=tracks, bar_numbers=bars, copies=copies, chords=chords)
            self._commit(new, label, merge)

    def _refuse_locked(self, before: ScoreTable, after: ScoreTable) -> None:
        """An edit leaves locked cells alone, and does not move them."""
        if not self.locked:
            return
        tracks = range(before.n_tracks)
        counts = [before.n_bars(t) for t in tracks], [after.n_bars(t) for t in range(after.n_tracks)]
        if counts[0] != counts[1]:
            raise ScoreError("some bars are locked: unlock them before tracks or bars are added or deleted")
        for track, bar in sorted(self.locked):
            if not np.array_equal(cell_notes(before, track, bar), cell_notes(after, track, bar)):
                raise ScoreError(f"bar {bar} of track {track} (counted from 0) is locked")

    def set_chords(self, chords: Mapping[int, str], *, undoable: bool = True) -> None:
        """Ask for other chords; one undo step unless `undoable` is off. The revision is that of the notes and
        stays.
        """
        with self.lock:
            if undoable:
                self._history.push(self._state, "Chords")
            self._state = replace(self._state, chords=dict(chords))

    def decide(self, name: str, before: Any, after: Any, stroke: str = "") -> None:
        """Something beside the music (trait `name`) was decided: one undo step, whose revision is that of the
        notes and stays. Changes of one `stroke` that follow each other are one step; none when the last one
        takes the stroke back.
        """
        with self.lock:
            known = self._state.decided or {}
            last, result, first = self._stroke
            key = f"{name} {stroke}" if stroke else ""
            joins = bool(key) and key == last and self._state is result
            before, after = _sharing(before, known.get(name)), _sharing(after, before)
            if joins and after == first:
                self._history.drop()
            elif not joins:
                first = before
                self._history.push(replace(self._state, decided={**known, name: before}), "Wishes")
            self._state = replace(self._state, decided={**known, name: after})
            self._stroke = ("" if joins and after == first else key, self._state, first)

    def undo(self) -> bool:
        """Take back the last step; False when there is none."""
        return self._travel(self._history.undo)

    def redo(self) -> bool:
        """Bring back what `undo` took; False when there is nothing."""
        return self._travel(self._history.redo)

    def new_ids(self, count: int) -> NDArray[np.uint32]:
        """`count` note ids that were never used in this document."""
        with self.lock:
            first, self._next_id = self._next_id, self._next_id + count
        return np.arange(first, first + count, dtype=np.uint32)

    def _new_track(self) -> int:
        self._next_track += 1
        return self._next_track - 1

    def _new_bar(self) -> int:
        self._next_bar -= 1  # below zero: never the number of a track
        return self._next_bar

    def _commit(self, state: State, label: str, merge: str = "") -> None:
        self._history.push(self._state, label, merge)
        self._state = state if state.chords is not None else replace(state, chords=self._state.chords)
        self.rev += 1

    def _travel(self, move: Callable[[State], State | None]) -> bool:
        with self.lock:
            target = move(self._state)
            if target is None:
                return False
            # the same revision with a score nobody has touched
            self._state = replace(target)
            self.rev += 1
            return True

    def _changed_to(self, source: Score, table: ScoreTable, *, generated: bool = False) -> State:
        """The state after the current one: kept notes keep their ids; only a generation tints what is new."""
        old = self._state
        match = match_notes(old.table, table)
        fresh = match < 0
        ids = np.empty(table.n_notes, np.uint32)
        ids[~fresh] = old.ids[match[~fresh]]
        ids[fresh] = self.new_ids(int(fresh.sum()))
        now = source.with_table(table)
        tracks = matched_numbers(old.score, old.track_numbers, now, self._new_track)
        known, found = (old.table, old.track_numbers), (table, tracks)
        bars = matched_bars(known, found, old.bar_numbers, now.n_bars, self._new_bar)
        chords = chords_after(old.chords or {}, old.bar_numbers, bars, {})
        new = State(
            source,
            table,
            ids,
            np.zeros(table.n_notes, np.uint8),
            track_numbers=tracks,
            bar_numbers=bars,
            chords=chords,
        )
        if not generated:
            return new
        gone = np.ones(old.table.n_notes, bool)
        gone[match[~fresh]] = False
        before = _records(old.table, old.ids, np.full(old.table.n_notes, FLAG_REMOVED, np.uint8))[gone]
        return replace(new, flags=np.where(fresh, FLAG_GENERATED, 0).astype(np.uint8), before=before)

    # ------------------------------------------------------------------------------------------- packing

    def pack(self, title: str = "") -> bytes:
        """The document as the page reads it: header and note records (widgets.protocol)."""
        with self.lock:
            state, rev = self._state, self.rev
        return pack_document(
            _header(state, rev, title), _records(state.table, state.ids, state.flags), state.before
        )

    def provisional(
        self,
        track: int,
        bar: int,
        notes: Iterable[tuple[int, int, int, int]],
        table: ScoreTable | None = None,
    ) -> NDArray[np.void]:
        """Records of notes of a running job: (pitch, velocity, onset_ticks, duration_ticks) in the bar.

        `table` is the music the job started from, when the document may have changed since.
        """
        rows = np.asarray(list(notes), np.int64).reshape(-1, 4)
        timeline = Timeline(self.state.table if table is None else table)
        records = empty_notes(len(rows))
        records["id"] = self.new_ids(len(rows))
        records["pitch"], records["velocity"] = rows[:, 0], rows[:, 1]
        records["onset"] = timeline.bar_start[timeline.row(track, bar)] + rows[:, 2]
        records["duration"] = rows[:, 3]
        records["track"] = track
        records["flags"] = FLAG_PROVISIONAL
        return records


def _records(table: ScoreTable, ids: NDArray[np.uint32], flags: NDArray[np.uint8]) -> NDArray[np.void]:
    timeline, notes = Timeline(table), np.asarray(table.notes)
    records = empty_notes(table.n_notes)
    records["id"], records["flags"] = ids, flags
    records["onset"] = (timeline.bar_start[timeline.note_bar] + notes[:, 0]).clip(min=0)
    records["duration"] = notes[:, 1].clip(min=0)
    records["pitch"] = notes[:, 2].clip(0, 127)
    records["velocity"] = notes[:, 3].clip(0, 127)
    records["track"] = timeline.bar_track[timeline.note_bar]
    records["micro"] = notes[:, 4].clip(-32768, 32767)
    return records


def _header(state: State, rev: int, title: str) -> dict[str, Any]:
    table, timeline = state.table, Timeline(state.table)
    rows = timeline.shown
    bars = np.stack(
        [*np.asarray(table.bars)[rows, 1:3].T, timeline.bar_start[rows], timeline.bar_length[rows]], axis=1
    )
    names = state.source.track_names
    tracks = [
        {
            "name": names[i] if i < len(names) else f"Track {i + 1}",
            "program": int(program),
            "drum": bool(is_drum),
            "family": "Drums" if is_drum else FAMILIES[int(program) // 8 % len(FAMILIES)],
            "id": state.track_numbers[i],
        }
        for i, (_, program, is_drum) in enumerate(np.asarray(table.tracks))
    ]
    header: dict[str, Any] = {
        "rev": rev,
        "resolution": table.resolution,
        "bars": bars.tolist(),
        "tempo_map": [[int(tick), int(us)] for tick, us in state.source.tempo_map],
        "tracks": tracks,
        "title": title,
    }
    if controls := channel_events(state.own):
        header["controls"] = controls
    if any(track["drum"] for track in tracks):
        header["drums"] = {str(pitch): name for pitch, name in DRUM_NAMES.items()}
    return header


def _sharing(new: Any, old: Any) -> Any:
    """`new` with the parts of `old` that are equal, so that a step costs what it changed."""
    if new == old:
        return old
    if isinstance(new, Mapping) and isinstance(old, Mapping):
        return {key: _sharing(value, old.get(key)) for key, value in new.items()}
    return new


def _same(state: State, score: Score) -> bool:
    mine = state.source
    return (
        score.table.same_as(state.table)
        and list(score.track_names) == list(mine.track_names)
        and list(score.tempo_map) == list(mine.tempo_map)
    )


def cell_records(table: ScoreTable, cells: Iterable[Cell]) -> NDArray[np.void]:
    """Note records of some cells, flagged as generated; their ids are 0."""
    timeline = Timeline(table)
    rows = [timeline.row(track, bar) for track, bar in cells]
    nothing = np.zeros(table.n_notes, np.uint32)
    records = _records(table, nothing, np.full(table.n_notes, FLAG_GENERATED, np.uint8))
    return records[np.isin(timeline.note_bar, rows)]


def same_bars(a: ScoreTable, b: ScoreTable) -> bool:
    """Whether the cells of one table are those of the other."""
    return (
        a.resolution == b.resolution
        and np.array_equal(a.tracks, b.tracks)
        and np.array_equal(np.asarray(a.bars)[:, 1:3], np.asarray(b.bars)[:, 1:3])
    )


def cell_notes(table: ScoreTable, track: int, bar: int) -> NDArray[np.int32]:
    """Rows of ``table.notes`` of one bar."""
    first, last = table.note_rows(track, bar)
    return np.asarray(table.notes)[first:last]


# ----------------------------------------------------------------------------------------------- in words


def bar_label(bars: Iterable[int]) -> str:
    """Bars (from 0) as a musician counts them: ``bar 3``, ``bars 5-8, 12``."""
    wanted = sorted(set(bars))
    runs: list[list[int]] = []
    for bar in wanted:
        if runs and bar == runs[-1][1] + 1:
            runs[-1][1] = bar
        else:
            runs.append([bar, bar])
    parts = [f"{a + 1}" if a == b else f"{a + 1}-{b + 1}" for a, b in runs]
    return f"bar{'s' if len(wanted) > 1 else ''} {', '.join(parts)}"


def cell_label(cells: Iterable[Cell], names: list[str]) -> str:
    """Cells in words: ``bars 5-8, Bass`` or ``bars 1-4, 3 tracks``."""
    cells = list(cells)
    tracks = sorted({track for track, _ in cells})
    name = names[tracks[0]] if len(tracks) == 1 and tracks[0] < len(names) else f"{len(tracks)} tracks"
    return f"{bar_label(bar for _, bar in cells)}, {name}"
