"""Edits from the page: one gesture, one undo step; all or nothing; the rest stays bit for bit."""

from __future__ import annotations

import random
import time
from typing import Any

import numpy as np
import pytest

from midigpt_nb import PianoRoll, Score
from midigpt_nb.errors import ScoreError
from midigpt_nb.widgets import history
from midigpt_nb.widgets.document import Document
from midigpt_nb.widgets.ops import NEW_ID, OPS, StaleEdit
from midigpt_nb.widgets.protocol import ProtocolError, empty_notes, unpack_document


def notes_of(document: Document) -> np.ndarray[Any, Any]:
    return unpack_document(document.pack())[1].copy()


def record(**values: int) -> np.ndarray[Any, Any]:
    note = empty_notes(1)
    for name, value in {"duration": 120, "pitch": 60, "velocity": 90, **values}.items():
        note[name] = value
    return note


def notes_op(remove: list[int] | None = None, count: int = 0) -> list[dict[str, Any]]:
    return [{"op": "notes", "remove": remove or [], "count": count}]


@pytest.fixture
def document() -> Document:
    return Document(Score.example())


def test_a_new_note_has_the_id_the_page_gave_it(document: Document) -> None:
    before = notes_of(document)
    new = record(id=NEW_ID | 5, onset=2000, track=1, pitch=40)
    document.edit(notes_op(count=1), new, "Draw a note")
    after = notes_of(document)
    assert set(after["id"]) - set(before["id"]) == {NEW_ID | 5}
    added = after[after["id"] == NEW_ID | 5][0]
    assert (added["onset"], added["track"], added["pitch"], added["duration"]) == (2000, 1, 40, 120)
    document.undo()
    assert notes_of(document).tobytes() == before.tobytes()


def test_moving_keeps_identity_and_the_file_event(document: Document) -> None:
    before = notes_of(document)
    chosen = before[before["track"] == 0][3:5].copy()
    chosen["onset"] += 1920  # into the next bar
    chosen["pitch"] -= 12
    document.edit(notes_op(count=2), chosen, "Move 2 notes")
    after = notes_of(document)
    assert sorted(after["id"]) == sorted(before["id"])
    moved = after[np.isin(after["id"], chosen["id"])]
    assert sorted(moved["onset"]) == sorted(chosen["onset"])
    untouched = ~np.isin(before["id"], chosen["id"])
    kept = after[~np.isin(after["id"], chosen["id"])]
    assert np.array_equal(np.sort(kept, order="id"), np.sort(before[untouched], order="id"))
    assert (document.score.table.note_source >= 0).all()


def test_delete_change_and_add_in_one_gesture(document: Document) -> None:
    before = notes_of(document)
    change = before[10:11].copy()
    change["velocity"] = 1
    records = np.concatenate([change, record(id=NEW_ID, onset=0, track=0)])
    document.edit(notes_op([int(before["id"][0])], 2), records, "Mixed")
    after = notes_of(document)
    assert len(after) == len(before)
    assert int(before["id"][0]) not in after["id"]
    assert after[after["id"] == change["id"][0]]["velocity"] == 1
    assert document._history.undo_label == "Mixed"


@pytest.mark.parametrize(
    ("ops", "note", "error"),
    [
        (notes_op([4_000_000]), None, StaleEdit),
        (notes_op(count=1), record(id=77_777, track=0), StaleEdit),
        (notes_op(count=1), record(id=NEW_ID, track=99), StaleEdit),
        (notes_op(count=1), record(id=NEW_ID, onset=10**8), ScoreError),
        (notes_op(count=1), record(id=NEW_ID, duration=0), ProtocolError),
        (notes_op(count=1), record(id=NEW_ID, pitch=200), ProtocolError),
        (notes_op(count=1), record(id=NEW_ID, velocity=0), ProtocolError),
        (notes_op(count=2), record(id=NEW_ID), ProtocolError),
        (notes_op(count=0), record(id=NEW_ID), ProtocolError),
        ([], None, ProtocolError),
        ("notes", None, ProtocolError),
        ([{"op": "explode"}], None, ProtocolError),
        ([{"op": "track_delete"}], None, ProtocolError),
        ([{"op": "track_delete", "track": "0"}], None, ProtocolError),
        ([{"op": "track_delete", "track": 77}], None, ScoreError),
        ([{"op": "bars_delete", "first": 0, "count": 0}], None, ScoreError),
        ([{"op": "tempo_set", "bpm": -3}], None, ScoreError),
    ],
)
def test_a_refused_batch_changes_nothing(
    document: Document, ops: Any, note: Any, error: type[Exception]
) -> None:
    before, rev = document.pack(), document.rev
    with pytest.raises(error):
        document.edit(ops, empty_notes() if note is None else note, "x")
    assert document.pack() == before and document.rev == rev and not document.can_undo


def test_tracks_and_bars(document: Document) -> None:
    none, score = empty_notes(), document.score
    steps: list[dict[str, Any]] = [
        {"op": "track_duplicate", "track": 1},
        {"op": "track_set", "track": 2, "name": "Low", "program": 38},
        {"op": "track_move", "track": 2, "to": 0},
        {"op": "track_add", "program": 73, "name": "Flute"},
        {"op": "bars_insert", "at": 2, "count": 2.0},
        {"op": "bars_duplicate", "first": 0, "count": 2},
        {"op": "metre_set", "first": 0, "count": 1, "metre": [3, 4]},
        {"op": "tempo_set", "bpm": 99.5},
        {"op": "bars_delete", "first": 4, "count": 1},
        {"op": "track_delete", "track": 1},
    ]
    for step in steps:
        document.edit([step], none, step["op"])
    header, _, _ = unpack_document(document.pack())
    assert header["tracks"][0]["name"] == "Low"
    assert header["tracks"][-1] | {"family": "", "id": 0} == {
        "name": "Flute",
        "program": 73,
        "drum": False,
        "family": "",
        "id": 0,
    }
    assert header["bars"][0][:2] == [3, 4] and len(header["bars"]) > score.n_bars
    for _ in steps:
        assert document.undo()
    assert document.score.hash() == score.hash()


def test_every_operation_of_the_table_is_tried() -> None:
    tried = {"notes", "track_duplicate", "track_set", "track_move", "track_add", "bars_insert"}
    tried |= {"bars_duplicate", "metre_set", "tempo_set", "bars_delete", "track_delete"}
    assert set(OPS) == tried


def test_nudges_that_follow_fast_are_one_step(document: Document, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(history.time, "monotonic", lambda: now)
    first = document.pack()
    for step in range(4):
        note = notes_of(document)[:1]
        note["pitch"] += 1
        document.edit(notes_op(count=1), note, "Nudge", merge="pitch")
        now += 0.3 if step < 2 else 2.0
    assert document.undo() and document.undo()
    assert not document.can_undo
    header = unpack_document(document.pack())[0]
    assert document.pack()[200:] == first[200:] or header["rev"] > 0
    assert notes_of(document).tobytes() == unpack_document(first)[1].tobytes()


def test_random_gestures_then_undo_all_gives_the_same_bytes() -> None:
    rng = random.Random(7)
    document = Document(Score.example())
    original = notes_of(document).tobytes()
    steps = 0
    for turn in range(60):
        notes = notes_of(document)
        chosen = notes[sorted(rng.sample(range(len(notes)), 4))].copy()
        kind = rng.choice(["move", "remove", "draw", "bars"])
        if kind == "move":
            chosen["onset"] = np.maximum(chosen["onset"].astype(np.int64) + rng.randint(-960, 960), 0)
            chosen["onset"] = np.minimum(chosen["onset"], 15 * 1920)
            document.edit(notes_op(count=4), chosen, "m")
        elif kind == "remove":
            document.edit(notes_op([int(i) for i in chosen["id"]]), empty_notes(), "r")
        elif kind == "draw":
            new = record(id=NEW_ID | (turn + 1), onset=rng.randrange(20000), track=rng.randrange(4))
            document.edit(notes_op(count=1), new, "d")
        else:
            document.edit(
                [{"op": "bars_duplicate", "first": rng.randrange(8), "count": 1}], empty_notes(), "b"
            )
        steps += 1
        ids = notes_of(document)["id"]
        assert len(np.unique(ids)) == len(ids)
    for _ in range(steps):
        assert document.undo()
    assert notes_of(document).tobytes() == original


class TestTheRoll:
    def ask(self, roll: PianoRoll, ops: Any, note: Any = None, **fields: Any) -> dict[str, Any]:
        sent: list[dict[str, Any]] = []
        roll.send = lambda content, buffers=None: sent.append(content)  # type: ignore[method-assign]
        message = {"v": 1, "k": "ops", "id": "1", "label": "Edit", "ops": ops, **fields}
        roll._on_page_message(roll, message, None if note is None else [memoryview(note.tobytes())])
        return sent[-1]

    def test_it_answers_with_the_revision_and_tells_observers(self) -> None:
        roll = PianoRoll(Score.example())
        seen: list[Any] = []
        roll.on("score", seen.append)
        answer = self.ask(roll, notes_op(count=1), record(id=NEW_ID, onset=10))
        assert answer["k"] == "ok" and answer["rev"] == roll._document.rev == 1
        assert len(seen) == 1 and roll.can_undo
        assert roll.undo() and not roll.can_undo

    def test_a_refusal_is_answered_and_followed_by_the_document(self) -> None:
        roll = PianoRoll(Score.example())
        answer = self.ask(roll, notes_op([5_000_000]))
        assert answer["k"] == "error" and answer["code"] == "stale"
        assert unpack_document(roll._doc)[0]["rev"] == 0

    def test_a_read_only_roll_refuses(self) -> None:
        roll = PianoRoll(Score.example(), readonly=True)
        assert self.ask(roll, notes_op(count=1), record(id=NEW_ID))["code"] == "readonly"

    def test_snapshots_come_at_most_four_times_a_second(self) -> None:
        roll = PianoRoll(Score.example())
        revs: list[int] = []
        roll.observe(lambda change: revs.append(unpack_document(change["new"])[0]["rev"]), "_doc")
        began = time.monotonic()
        for i in range(20):
            self.ask(roll, notes_op(count=1), record(id=NEW_ID | i, onset=10 * i))
        spent = time.monotonic() - began
        assert len(revs) <= 2 + spent / 0.25
        roll.undo()  # a change that is not the page's own is sent at once
        assert revs[-1] == roll._document.rev == 21
