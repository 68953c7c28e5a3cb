"""Wishes and roles are taken back by undo like edits: one step for each stroke and each call."""

from __future__ import annotations

from typing import Any

import pytest
from fakes import FakeEngine

from midigpt_nb import InfillEditor, PianoRoll

DENSITY = "bar_note_density"


@pytest.fixture
def both(connect: Any, example: Any) -> tuple[Any, Any]:
    return connect(InfillEditor, example, engine=FakeEngine())


def draw(editor: Any, stroke: str, *levels: int | None) -> None:
    """As a page tells a stroke: what is there so far, again and again, the stroke's name once."""
    told = {"_stroke": stroke, "_from": f"{stroke.split('-')[0]}-1"}
    for n in range(1, len(levels) + 1):
        bars = {str(i): {DENSITY: level} for i, level in enumerate(levels[:n]) if level is not None}
        editor.set_state({"attributes": {"track": {}, "bar": {"1": bars} if bars else {}}, **told})
        told = {"_from": f"p-{n + 1}"}


def curve(editor: Any) -> list[int | None]:
    return editor.curve(DENSITY, 1)[:4]


def test_e4_a_stroke_is_one_step_and_the_next_one_another(both: Any) -> None:
    editor, _ = both
    draw(editor, "p-1", 1, 2, 3)
    draw(editor, "p-2", 7, 8)
    assert editor.undo() and curve(editor) == [1, 2, 3, None]
    assert editor.undo() and curve(editor) == [None] * 4 and not editor.can_undo
    assert editor.redo() and curve(editor) == [1, 2, 3, None]
    assert editor.redo() and curve(editor) == [7, 8, None, None] and not editor.can_redo


def test_e4_a_stroke_that_is_taken_back_leaves_no_step(both: Any) -> None:
    editor, _ = both
    draw(editor, "p-1", 4)
    draw(editor, "p-2", 5)
    editor.set_state({"attributes": {"track": {}, "bar": {"1": {"0": {DENSITY: 4}}}}, "_from": "p-9"})
    assert curve(editor)[0] == 4
    assert editor.undo() and curve(editor)[0] is None and not editor.can_undo


def test_e4_wishes_roles_chords_and_edits_are_undone_in_their_order(both: Any, example: Any) -> None:
    editor, _ = both
    editor.set_curve("note_density", 1, range(3), 5)
    editor.score = example.transpose(2)
    editor.plan = {"roles": {"1": {"bars": {"0": "hidden"}}}}
    editor.set_chords("Am", 0)
    editor.set_curve("note_density", 1, 0, 9)
    assert editor.undo() and curve(editor) == [5, 5, 5, None] and editor.chords == {0: "Am"}
    assert editor.undo() and editor.chords == {} and editor.plan["roles"]
    assert editor.undo() and editor.plan == {} and editor.score != example
    assert editor.undo() and editor.score == example and curve(editor) == [5, 5, 5, None]
    assert editor.undo() and curve(editor) == [None] * 4 and not editor.can_undo
    while editor.redo():
        pass
    assert curve(editor) == [9, 5, 5, None] and editor.chords == {0: "Am"} and editor.plan["roles"]


def test_e4_wishes_that_moved_with_their_bars_are_no_step_of_their_own(both: Any, example: Any) -> None:
    editor, page = both
    editor.set_curve("note_density", 1, 2, 6)
    page.request("ops", label="Insert", ops=[{"op": "bars_insert", "at": 0, "count": 1}])
    assert curve(editor) == [None, None, None, 6]
    editor.set_curve("note_density", 1, 3, 8)
    assert editor.undo() and curve(editor)[3] == 6
    assert editor.undo() and curve(editor) == [None, None, 6, None] and editor.score == example
    assert editor.undo() and curve(editor) == [None] * 4 and not editor.can_undo


def test_e4_the_page_hears_whether_it_was_the_music(both: Any) -> None:
    """Its log of edits since the last project repeats steps of the music alone."""
    editor, page = both
    editor.score = editor.score.transpose(1)
    editor.set_curve("note_density", 1, 0, 3)
    assert [page.request("undo")[0]["changed"] for _ in range(3)] == [False, True, False]
    assert [page.request("redo")[0]["changed"] for _ in range(2)] == [True, False]


def drawn(sent: int, levels: dict[str, int], *, last: int = 9) -> dict[str, Any]:
    bars = {bar: {DENSITY: level} for bar, level in levels.items()}
    values = {"attributes": [sent, {"track": {}, "bar": {"1": bars}}]}
    return {"page": "p", "last": last, "stroke": "p-2", "values": values}


def test_e4_an_undo_brings_what_the_host_keeps_back(both: Any) -> None:
    editor, page = both
    draw(editor, "p-1", 1, 2)
    page.request("undo", drawn=drawn(5, {"0": 7, "1": 7}))
    assert curve(editor) == [1, 2, None, None]
    late = {"attributes": {"track": {}, "bar": {"1": {"0": {DENSITY: 7}}}}, "snap": "1/8"}
    editor.set_state({**late, "_stroke": "p-2", "_from": "p-9"})
    assert curve(editor) == [1, 2, None, None] and editor.snap == "1/8"
    page.request("redo", drawn=drawn(5, {"0": 4}))  # seen by now: not taken again
    assert curve(editor) == [7, 7, None, None]
    editor.set_state({**late, "_stroke": "p-3", "_from": "p-10"})
    assert curve(editor) == [7, None, None, None]


@pytest.mark.parametrize(
    "wrong",
    [7, [], {"page": "p"}, {**drawn(1, {}), "last": "9"}, {**drawn(1, {}), "values": {"plan": 3}},
     {**drawn(1, {}), "values": {"attributes": [1, {"bar": {"77": {}}, "track": 3}]}}],
)  # fmt: skip
def test_e4_wrong_values_that_come_with_an_undo_are_refused(both: Any, wrong: Any) -> None:
    editor, page = both
    draw(editor, "q-1", 1)
    answer = page.request("undo", drawn=wrong)[0]
    assert answer["k"] == "error" and answer["hint"]
    assert curve(editor) == [1, None, None, None]


def test_e4_what_a_roll_begins_with_is_no_step(example: Any) -> None:
    roll = PianoRoll(example, plan={"roles": {"0": {"track": "ignore"}}})
    assert not roll.can_undo and not roll.undo()


def test_e4_steps_share_what_they_have_in_common(both: Any) -> None:
    editor, _ = both
    editor.set_curve("note_density", 0, range(16), 5)
    kept = editor._document.state.decided["attributes"]["bar"]["0"]
    editor.set_curve("note_density", 1, 0, 5)
    assert editor._document.state.decided["attributes"]["bar"]["0"] is kept
