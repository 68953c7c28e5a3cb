"""Requests that change something: once each, in order, whatever happens to them on the way (M3, M4)."""

from __future__ import annotations

import random
from typing import Any

import pytest
from fakes import Page

from midigpt_nb import PianoRoll, Score
from midigpt_nb.widgets.inbox import MOST_ANSWERS, MOST_HELD, Inbox
from midigpt_nb.widgets.ops import NEW_ID
from midigpt_nb.widgets.protocol import MESSAGES, empty_notes


def message(page: str, seq: Any, k: str = "undo", number: int | None = None, **fields: Any) -> dict[str, Any]:
    return {"v": 1, "k": k, "id": f"{page}-{seq if number is None else number}", "seq": seq, **fields}


def answers(page: Page) -> list[tuple[str, str]]:
    return [(m["id"], m["k"]) for m, _ in page.custom() if m["k"] in ("ok", "error", "gap")]


def test_m4_requests_that_change_something_keep_their_order() -> None:
    ordered = {m.kind for m in MESSAGES if m.ordered}
    assert {"ops", "undo", "redo", "generate", "accept", "discard", "upload", "restore"} <= ordered
    assert all(m.direction == "request" for m in MESSAGES if m.ordered)
    assert not ordered & {"cancel", "sync", "outlook", "sound"}  # these may overtake


def test_m4_what_comes_too_early_waits_and_is_told(example: Score, connect: Any) -> None:
    roll, page = connect(PianoRoll, example)
    for semitones in (1, 1, 1):
        roll.score = roll.score.transpose(semitones)
    page.raw(message("p", 1))
    page.raw(message("p", 2))
    assert answers(page) == [("p-1", "gap"), ("p-2", "gap")] and roll._document.rev == 3
    assert [m["seq"] for m, _ in page.custom() if m["k"] == "gap"] == [0, 0]
    page.raw(message("p", 0))
    assert answers(page)[2:] == [("p-0", "ok"), ("p-1", "ok"), ("p-2", "ok")]
    assert roll._document.rev == 6 and roll.score == example


def test_m4_what_comes_twice_is_done_once_and_answered_twice(example: Score, connect: Any) -> None:
    roll, page = connect(PianoRoll, example)
    note = empty_notes(1)
    note["id"], note["duration"], note["pitch"], note["velocity"] = NEW_ID | 1, 100, 60, 90
    ops = [{"op": "notes", "remove": [], "count": 1}]
    for _ in range(3):
        content = message("p", 0, "ops", label="Draw", ops=ops)
        page.comm.handle_msg(
            {"content": {"data": {"method": "custom", "content": content}}, "buffers": [note.tobytes()]}
        )
    assert roll._document.rev == 1
    told = [m for m, _ in page.custom() if m["k"] == "ok"]
    assert told == [told[0]] * 3 and told[0]["rev"] == 1


def test_m4_a_refused_request_is_not_tried_again(example: Score, connect: Any) -> None:
    _, page = connect(PianoRoll, example)
    page.raw(message("p", 0, "ops", label="x", ops=[]))
    page.raw(message("p", 0, "ops", label="x", ops=[]))
    page.raw(message("p", 1))
    assert answers(page) == [("p-0", "error"), ("p-0", "error"), ("p-1", "ok")]


@pytest.mark.parametrize("seq", [-1, 1.5, True, None, "0", 2**60, [0]])
def test_m3_a_number_that_is_none_is_no_order(example: Score, connect: Any, seq: Any) -> None:
    _, page = connect(PianoRoll, example)
    page.raw(message("p", seq, number=0))
    assert answers(page) == [("p-0", "ok")]


def test_m4_pages_do_not_wait_for_each_other(example: Score, connect: Any) -> None:
    _, page = connect(PianoRoll, example)
    page.raw(message("a", 5))
    page.raw(message("b", 0))
    assert answers(page) == [("a-5", "gap"), ("b-0", "ok")]


def test_m4_any_order_with_losses_and_repeats_gives_the_same(example: Score, connect: Any) -> None:
    rng = random.Random(3)
    for _ in range(20):
        roll, page = connect(PianoRoll, example)
        steps = [rng.choice([-2, -1, 1, 2]) for _ in range(12)]
        all_ops = [
            message("p", i, "ops", label="t", ops=[{"op": "tempo_set", "bpm": 90 + 10 * i + step}])
            for i, step in enumerate(steps)
        ]
        sent: list[dict[str, Any]] = []
        while len({m["seq"] for m in sent}) < len(all_ops):
            sent.append(rng.choice(all_ops))
        for one in sent:
            page.raw(one)
        assert roll._document.rev == len(steps)
        assert roll.score.tempo_map[0][1] == round(60e6 / (90 + 10 * 11 + steps[-1]))


def test_m4_memory_is_bounded() -> None:
    inbox = Inbox()
    for seq in range(1, 2 * MOST_HELD):
        inbox.put("p", seq, seq)
    assert len(inbox._page("p").held) == MOST_HELD
    inbox.put("p", 0, "first")  # what is due is never turned away
    assert inbox.next("p") == "first"
    for seq in range(2 * MOST_ANSWERS):
        inbox.answered("p", seq, seq)
    assert len(inbox._page("p").answers) == MOST_ANSWERS
    for page in range(1000):
        inbox.put(page, 0, "x")
    assert len(inbox._pages) <= 500
