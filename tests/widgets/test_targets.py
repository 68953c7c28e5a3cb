"""Roles of bars and tracks with the real model: written, hidden, locked, ignored, continued; what it sees."""

from __future__ import annotations

import pytest
import traitlets

from midigpt_nb.widgets.document import cell_notes
from midigpt_nb.widgets.infill_editor import InfillEditor


@pytest.fixture
def editor(connect, engine, example):
    return connect(InfillEditor, example, engine)[0]


def plan(track, bar_roles=None, role=None):
    row = {}
    if bar_roles:
        row["bars"] = bar_roles
    if role:
        row["track"] = role
    return {"roles": {track: row}}


def test_a_plan_has_one_normal_form(editor):
    editor.plan = {"roles": {1: {"track": "context", "bars": {4: "hidden", 2: "context"}}, 2: {}}}
    assert editor.plan == {"roles": {"1": {"bars": {"4": "hidden"}}}}
    editor.plan = {"roles": {1: {"bars": {4: "context"}}}}
    assert editor.plan == {}


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"roles": {9: {"track": "ignore"}}}, r"no track 9; it has tracks 0\.\.\d"),
        ({"roles": {0: {"bars": {99: "locked"}}}}, "no bar 99"),
        ({"roles": {0: {"bars": {1: "frozen"}}}}, "choose from context, generate, hidden, locked"),
        ({"roles": {0: {"track": "mute"}}}, "choose from context, continue, ignore"),
        ({"role": {}}, "a plan is"),
        ({"roles": {0: {"bar": {}}}}, "has the keys"),
        ({"roles": {-1: {}}}, "numbers from 0"),
    ],
)
def test_wrong_plans_are_refused(editor, wrong, words):
    with pytest.raises(traitlets.TraitError, match=words):
        editor.plan = wrong


def test_g1_roles_reach_the_request(editor, engine):
    editor.plan = {
        "roles": {
            0: {"bars": {3: "hidden", 5: "hidden"}},
            2: {"track": "ignore"},
            1: {"bars": {4: "generate", 5: "generate"}},
        }
    }
    editor.select(tracks=3, bars=[0])  # bars with the role are written instead
    cells = editor._wanted_cells(None)
    assert cells == [(1, 4), (1, 5)]
    request = editor._build_request(engine, editor._document.state, cells, editor._asked_now(), check=True)
    by_track = {prompt.id: prompt for prompt in request.tracks}
    assert by_track[1].bars == [4, 5] and by_track[0].mask_bars == [3, 5] and by_track[2].ignore


def test_g1_locked_bars_are_neither_generated_nor_edited(connect, engine, example):
    editor, page = connect(InfillEditor, example, engine)
    editor.plan = plan(1, {4: "locked"})
    locked = editor.plan
    assert editor.undo() and editor.plan == {} and editor.redo() and editor.plan == locked
    with pytest.raises(ValueError, match="locked: bar 5, Bass; unlock these bars or select others"):
        editor.generate([(1, 4), (1, 5)])
    state = editor._document.state
    rows = state.table.note_rows(1, 4)
    erase = [{"op": "notes", "remove": [int(state.ids[rows[0]])], "count": 0}]
    refused, _ = page.request("ops", label="Erase", ops=erase)
    assert refused["k"] == "error" and "bar 4 of track 1" in refused["message"]
    assert editor.score.hash() == example.hash()
    assert editor._document._history.undo_label == "Wishes"  # nothing was edited
    insert = [{"op": "bars_insert", "at": 0, "count": 1}]
    refused, _ = page.request("ops", label="Insert", ops=insert)
    assert refused["k"] == "error" and "unlock" in refused["message"]
    editor.plan = {}
    assert page.request("ops", label="Erase", ops=erase)[0]["k"] == "ok"


def test_g1_what_is_locked_while_it_is_written_stays(connect, engine, example):
    editor, _ = connect(InfillEditor, example, engine)
    job = editor.generate([(1, 4), (1, 5)], takes=2, seed=3)
    job.result(timeout=60)
    editor.plan = plan(1, {4: "locked"})
    editor.accept(0)
    before, now = example.table, editor.score.table
    assert cell_notes(now, 1, 4).tolist() == cell_notes(before, 1, 4).tolist()
    assert cell_notes(now, 1, 5).tolist() != cell_notes(before, 1, 5).tolist()


def test_g1_a_continued_track_is_written_to_the_end(editor, example):
    editor.plan = plan(1, role="continue")
    seen = editor.outlook([(1, 14), (1, 15)])
    assert all(step.autoregressive for step in seen.steps)
    with pytest.raises(ValueError, match="to the end"):
        editor.generate([(1, 4)])
    score = editor.generate([(1, 14), (1, 15)], seed=1).result(timeout=60)
    assert cell_notes(score.table, 1, 13).tolist() == cell_notes(example.table, 1, 13).tolist()


def test_g2_the_page_hears_the_words_of_python(connect, engine, example):
    editor, page = connect(InfillEditor, example, engine)
    editor.plan = plan(1, role="ignore")
    refused, _ = page.request("outlook", selection={"cells": [[1, 4]]})
    with pytest.raises(ValueError, match="ignored track") as told:
        editor.generate([(1, 4)])
    assert refused["k"] == "error" and refused["message"] == str(told.value)
    editor.plan = {}
    answer, _ = page.request("outlook", selection={"cells": [[1, 4]]})
    assert answer["k"] == "ok" and len(answer["steps"]) == 1
    assert answer["steps"][0]["targets"] == [[1, 4]]
    assert page.kinds() == []  # nothing was started


def test_g3_the_outlook_is_what_the_engine_does(editor, engine, example):
    editor.plan = {"roles": {0: {"bars": {4: "hidden"}}, 2: {"track": "ignore"}}}
    cells = [(1, bar) for bar in (2, 3, 9, 10)]
    seen = editor.outlook(cells)
    heard = []
    editor.on("step", lambda event: heard.append(event["detail"]))
    editor.generate(cells, seed=2).result(timeout=60)
    assert [step.window for step in seen.steps] == [step.window for step in heard]
    for step, real in zip(seen.steps, heard, strict=True):
        assert sorted(step.targets) == sorted((t, b) for t, bs in real.targets.items() for b in bs)
        assert {*step.tracks} == {*real.context_tracks, *(t for t, _ in step.targets)}
    first = seen.steps[0]
    assert 2 not in first.tracks
    assert ((0, 4) in first.hidden) == (first.window[0] <= 4 < first.window[1])


def test_g5_other_bars_are_byte_identical(editor, example):
    cells = [(1, 4), (1, 5), (3, 4)]
    score = editor.generate(cells, seed=9).result(timeout=60)
    for track in range(4):
        for bar in range(16):
            same = (
                cell_notes(score.table, track, bar).tobytes()
                == cell_notes(example.table, track, bar).tobytes()
            )
            assert same or (track, bar) in cells
    assert score.hash() != example.hash()


def test_roles_go_with_their_bars_when_the_piece_shrinks(editor, example):
    editor.plan = plan(1, {2: "hidden", 14: "hidden"})
    shorter = example.copy()
    for track in shorter.tracks:
        del track.bars[12:]
    editor.score = shorter
    assert editor.plan == {"roles": {"1": {"bars": {"2": "hidden"}}}}
