"""TABLE: what the page may do to the document, and how each is done.

A gesture is one batch of operations: all of them or none. `notes` says by identity which notes go, change or
are new; the others name tracks and bars and are methods of `Score`. Python callers edit scores directly and
assign the result.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from midigpt_nb.errors import ScoreError
from midigpt_nb.score.notes_edit import NoteRows, real_bar_lengths
from midigpt_nb.widgets.protocol import Field, ProtocolError

if TYPE_CHECKING:
    from midigpt_nb._core import ScoreTable
    from midigpt_nb.score.model import Score

__all__ = ["OPS", "Edited", "Op", "StaleEdit", "apply_ops"]

NEW_ID = 1 << 31
"""Ids of notes that a page makes have this bit; it chooses them, so that it can go on editing at once."""

_MOST_OPS = 1000


class StaleEdit(ProtocolError):
    """The page edited music that has changed meanwhile; it is sent the present state."""

    def __init__(self, message: str) -> None:
        super().__init__(message, "stale")


@dataclass(frozen=True)
class Edited:
    """A score after a batch; `ids` of its notes where they are known (None: match by content)."""

    score: Score
    ids: NDArray[np.uint32] | None


@dataclass(frozen=True)
class Op:
    """One kind of operation. `apply(score, **fields)` for those that are a `Score` method."""

    kind: str
    fields: tuple[Field, ...]
    meaning: str
    apply: Callable[..., Score] | None = None


def _track(name: str = "track") -> Field:
    return Field(name, "number", "track index")


def _optional(name: str, type_: str, meaning: str) -> Field:
    return Field(name, type_, meaning, optional=True)


def _add_track(score: Score, program: int = 0, drum: bool = False, name: str = "") -> Score:
    return score.add_track(program, drum=drum, name=name)


def _set_track(score: Score, track: int, name: str | None = None, program: int | None = None) -> Score:
    if name is not None:
        score = score.rename_track(track, name)
    return score if program is None else score.set_instrument(track, program)


def _move_track(score: Score, track: int, to: int) -> Score:
    order = list(range(score.n_tracks))
    if not (0 <= track < len(order) and 0 <= to < len(order)):
        raise ScoreError(f"track {track} cannot go to place {to}; there are {len(order)} tracks")
    order.insert(to, order.pop(track))
    return score.reorder_tracks(order)


def _insert_bars(score: Score, at: int, count: int = 1) -> Score:
    return score.insert_bars(at, count)


def _bars(first: int, count: int) -> range:
    if count < 1:
        raise ScoreError(f"{count} bars are none; write 1 or more")
    return range(first, first + count)


_BARS = (Field("first", "number", "first bar"), Field("count", "number", "how many"))

OPS: dict[str, Op] = {
    op.kind: op
    for op in (
        Op(
            "notes",
            (
                Field("remove", "number[]", "ids of notes that go"),
                Field(
                    "count",
                    "number",
                    "note records in the buffer: a known id is changed, one with the highest bit is new",
                ),
            ),
            "notes that go, change or come",
        ),
        Op(
            "track_add",
            (
                _optional("program", "number", "General MIDI program 0..127"),
                _optional("drum", "boolean", "a drum track"),
                _optional("name", "string", "shown name"),
            ),
            "an empty track at the end",
            _add_track,
        ),
        Op("track_delete", (_track(),), "a track goes", lambda score, track: score.delete_track(track)),
        Op(
            "track_duplicate",
            (_track(),),
            "a copy of a track after it",
            lambda score, track: score.duplicate_track(track),
        ),
        Op("track_move", (_track(), Field("to", "number", "new place")), "another order", _move_track),
        Op(
            "track_set",
            (
                _track(),
                _optional("name", "string", "shown name"),
                _optional("program", "number", "General MIDI program 0..127"),
            ),
            "name and instrument of a track",
            _set_track,
        ),
        Op(
            "bars_insert",
            (Field("at", "number", "before which bar"), Field("count", "number", "how many")),
            "empty bars",
            _insert_bars,
        ),
        Op(
            "bars_delete",
            _BARS,
            "bars go",
            lambda score, first, count: score.delete_bars(_bars(first, count)),
        ),
        Op(
            "bars_duplicate",
            _BARS,
            "a copy of bars after them",
            lambda score, first, count: score.duplicate_bars(_bars(first, count)),
        ),
        Op(
            "metre_set",
            (*_BARS, Field("metre", "[number, number]", "numerator, denominator")),
            "another metre for bars",
            lambda score, first, count, metre: score.set_metre(_bars(first, count), tuple(metre)),
        ),
        Op(
            "tempo_set",
            (
                Field("bpm", "number", "quarter notes a minute"),
                _optional("first", "number", "from which bar"),
            ),
            "tempo of the piece, or from a bar on",
            lambda score, bpm, first=None: score.set_tempo(
                bpm, None if first is None else range(first, score.n_bars)
            ),
        ),
    )
}


def apply_ops(
    score: Score, ids: NDArray[np.uint32], ops: Sequence[Mapping[str, Any]], records: NDArray[np.void]
) -> Edited:
    """The score after a batch. `records` are the notes of all `notes` operations, one after another.

    Raises `ProtocolError` for an operation that does not follow the table, `StaleEdit` for notes that are no
    longer there, `ScoreError` for what the score refuses; nothing has changed then.
    """
    if not isinstance(ops, Sequence) or isinstance(ops, (str, bytes)) or not 0 < len(ops) <= _MOST_OPS:
        raise ProtocolError(f"ops is a list of 1 to {_MOST_OPS} operations")
    edited = Edited(score, ids)
    taken = 0
    for number, given in enumerate(ops):
        op, fields = _checked(given, number)
        if op.apply is not None:
            edited = Edited(op.apply(edited.score, **fields), None)
            continue
        if edited.ids is None:
            raise ProtocolError("notes are edited before tracks and bars of one batch")
        count = _count(fields["count"], len(records) - taken)
        edited = _edit_notes(edited, fields["remove"], records[taken : taken + count])
        taken += count
    if taken != len(records):
        raise ProtocolError(f"{len(records)} note records came, the operations speak of {taken}")
    return edited


def _checked(given: Any, number: int) -> tuple[Op, dict[str, Any]]:
    if not isinstance(given, Mapping) or given.get("op") not in OPS:
        kind = given.get("op") if isinstance(given, Mapping) else given
        raise ProtocolError(f"ops[{number}] is {kind!r}; choose from {', '.join(OPS)}")
    op = OPS[given["op"]]
    fields = {name: value for name, value in given.items() if name != "op"}
    known = {field.name: field for field in op.fields}
    for name in fields:
        if name not in known:
            raise ProtocolError(f"ops[{number}]: {op.kind} has no field {name!r}")
    for name, field in known.items():
        if name not in fields and not field.optional:
            raise ProtocolError(f"ops[{number}]: {op.kind} needs {name!r}")
    for name, value in fields.items():
        if known[name].type == "number" and (isinstance(value, bool) or not isinstance(value, int | float)):
            raise ProtocolError(f"ops[{number}]: {name} is {value!r}, not a number")
    return op, {name: _whole(value) if name != "bpm" else value for name, value in fields.items()}


def _whole(value: Any) -> Any:
    """JavaScript knows one kind of number: 3.0 is the whole number 3."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _count(count: Any, left: int) -> int:
    if not isinstance(count, int) or not 0 <= count <= left:
        raise ProtocolError(f"count is {count!r}; {left} note records are left")
    return count


def _edit_notes(edited: Edited, remove: Any, records: NDArray[np.void]) -> Edited:
    """Take notes out, change those that are known, put the new ones in."""
    assert edited.ids is not None
    table, ids = edited.score.table, edited.ids
    place = {int(note): row for row, note in enumerate(ids)}
    gone = _rows_of(remove, place)
    known = np.array([row["id"] in place for row in records], bool)
    fresh = records[~known]
    if len(fresh) and (fresh["id"] < NEW_ID).any():
        raise StaleEdit("a note that was changed is no longer there")
    if len(np.unique(records["id"])) < len(records):
        raise ProtocolError("a note comes twice")
    rows = NoteRows(table)
    lengths = real_bar_lengths(table, None)
    starts = _bar_starts(table, lengths)
    changed = np.array([place[int(note)] for note in records["id"][known]], np.int64)
    if len(changed):
        rows.touch(rows.bar[changed])
        rows.bar[changed], rows.notes[changed] = _placed(table, starts, lengths, records[known])
        rows.touch(rows.bar[changed])
    if len(fresh):
        bars, notes = _placed(table, starts, lengths, fresh)
        rows.notes = np.concatenate([rows.notes, notes])
        rows.bar = np.concatenate([rows.bar, bars])
        rows.sources = np.concatenate([rows.sources, np.full(len(fresh), -1, np.int32)])
        rows.touch(bars)
        ids = np.concatenate([ids, fresh["id"].astype(np.uint32)])
    if len(gone):
        keep = np.ones(len(rows.notes), bool)
        keep[gone] = False
        rows.notes, rows.sources, rows.bar = rows.notes[keep], rows.sources[keep], rows.bar[keep]
        ids = ids[keep]
    return Edited(edited.score.with_table(rows.table()), ids[rows.order()])


def _rows_of(remove: Any, place: Mapping[int, int]) -> NDArray[np.int64]:
    if not isinstance(remove, list) or not all(isinstance(note, int) for note in remove):
        raise ProtocolError("remove is a list of note ids")
    missing = [note for note in remove if note not in place]
    if missing:
        raise StaleEdit("a note that was deleted is no longer there")
    return np.array(sorted({place[note] for note in remove}), np.int64)


def _bar_starts(table: ScoreTable, lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    """Start of each bar row from the start of its track."""
    ends = np.cumsum(lengths)
    first = np.asarray(table.tracks)[:, 0]
    track = np.repeat(np.arange(len(first)), np.diff(first, append=len(lengths)))
    before = np.where(first > 0, ends[np.maximum(first - 1, 0)], 0)
    return ends - lengths - before[track]


def _placed(
    table: ScoreTable, starts: NDArray[np.int64], lengths: NDArray[np.int64], records: NDArray[np.void]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Bar rows and table rows of note records (absolute ticks)."""
    first = np.asarray(table.tracks)[:, 0].astype(np.int64)
    last = np.append(first[1:], len(starts))
    track, onset = records["track"].astype(np.int64), records["onset"].astype(np.int64)
    if (track >= len(first)).any():
        raise StaleEdit("a note's track is no longer there")
    bars = np.empty(len(records), np.int64)
    for number in np.unique(track):
        mine = track == number
        inside = slice(int(first[number]), int(last[number]))
        end = int(starts[inside][-1] + lengths[inside][-1]) if last[number] > first[number] else 0
        if (onset[mine] >= end).any():
            raise ScoreError(f"a note of track {number} would start after the end of the piece (tick {end})")
        bars[mine] = first[number] + np.searchsorted(starts[inside], onset[mine], side="right") - 1
    values = [records[name].astype(np.int64) for name in ("duration", "pitch", "velocity", "micro")]
    for name, column, low, high in (
        ("duration", values[0], 1, 2**31 - 1),
        ("pitch", values[1], 0, 127),
        ("velocity", values[2], 1, 127),
    ):
        wrong = (column < low) | (column > high)
        if wrong.any():
            raise ProtocolError(f"the {name} of a note is {column[wrong][0]}; allowed: {low}..{high}")
    return bars, np.stack([onset - starts[bars], *values], axis=1)
