"""Several takes in the roll with the real model: written together, offered, mixed, accepted or let go."""

from __future__ import annotations

import numpy as np
import pytest

from midigpt_nb.inference import replay
from midigpt_nb.widgets.document import cell_notes
from midigpt_nb.widgets.infill_editor import InfillEditor
from midigpt_nb.widgets.protocol import unpack_notes

CELLS = [(1, 4), (1, 5)]


@pytest.fixture
def opened(connect, engine, example):
    """An editor with three open takes, its page and its job."""
    editor, page = connect(InfillEditor, example, engine)
    editor.select(tracks=1, bars=[4, 5])
    job = editor.generate(takes=3, seed=11)
    job.result(timeout=60)
    return editor, page, job


def bar(score, cell):
    return cell_notes(score.table, *cell).tolist()


def by_number(job):
    return sorted(job.takes, key=lambda take: take.number)


def test_takes_are_offered_and_nothing_is_accepted_yet(opened, example):
    editor, page, job = opened
    assert editor.score.hash() == example.hash() and not editor.can_undo
    assert [take.seed for take in by_number(job)] == [11, 12, 13]
    assert editor.takes == job.takes and editor.active_take == job.takes[0].id
    assert job.result().hash() == job.takes[0].score.hash()
    facts = page.updates("takes")[-1]
    assert [row["id"] for row in facts] == [take.id for take in job.takes]
    assert all(row["cells"] == [[1, 4], [1, 5]] and row["notes"] > 0 for row in facts)
    kinds = page.kinds(job.id)
    assert kinds[0] == "accepted" and kinds[-1] == "done" and kinds.count("take") == 3
    assert [m["n"] for m, _ in page.events(job.id)] == list(range(len(kinds)))
    assert {m.get("take", 0) for m, _ in page.events(job.id) if m["ev"] == "bar"} == {0, 1, 2}


def test_the_page_gets_the_notes_of_each_take(opened):
    _, page, job = opened
    for take in job.takes:
        answer, buffers = page.request("take_notes", take=take.id)
        notes = unpack_notes(buffers[0])
        assert answer["count"] == len(notes) == take.notes
        assert set(notes["track"]) == {1}
    refused, _ = page.request("take_notes", take="nonsense")
    assert refused["k"] == "error" and refused["code"] == "no_such_take"


def test_accept_takes_one_over_as_one_undo_step(opened, example):
    editor, page, job = opened
    wanted = by_number(job)[2]
    heard = []
    editor.on("accept", heard.append)
    assert editor.accept(2).hash() == wanted.score.hash() == editor.score.hash()
    assert editor.takes == [] and editor.active_take == "" and page.updates("takes")[-1] == []
    assert heard[0]["take"] is wanted and heard[0]["cells"] == CELLS
    assert editor.undo() and editor.score.hash() == example.hash() and not editor.can_undo
    assert editor.redo() and editor.score.hash() == wanted.score.hash()


def test_bars_may_come_from_different_takes(opened, example):
    editor, _, job = opened
    first, second, _ = by_number(job)
    editor.accept(first, {(1, 5): 1})
    assert bar(editor.score, (1, 4)) == bar(first.score, (1, 4))
    assert bar(editor.score, (1, 5)) == bar(second.score, (1, 5))
    editor.undo()
    editor.accept(first, bars={4: None, 5: second})  # closed takes can still be handed in
    assert bar(editor.score, (1, 4)) == bar(example, (1, 4))
    assert bar(editor.score, (1, 5)) == bar(second.score, (1, 5))
    others = [(t, b) for t in range(4) for b in range(16) if (t, b) not in CELLS]
    assert all(bar(editor.score, cell) == bar(example, cell) for cell in others)


def test_accept_without_a_take_means_what_the_roll_shows(opened, example):
    editor, page, job = opened
    second, third = by_number(job)[1:]
    page.set(active_take=second.id, comp={"1,4": third.id, "1,5": ""})
    editor.accept()
    assert bar(editor.score, (1, 4)) == bar(third.score, (1, 4))
    assert bar(editor.score, (1, 5)) == bar(example, (1, 5))


def test_the_page_accepts_and_discards(opened, example):
    editor, page, job = opened
    take = job.takes[1]
    answer, _ = page.request("accept", take=take.id, cells=[[1, 5, ""]])
    assert answer["k"] == "ok" and answer["rev"] == editor._document.rev
    assert bar(editor.score, (1, 4)) == bar(take.score, (1, 4))
    assert bar(editor.score, (1, 5)) == bar(example, (1, 5))
    refused, _ = page.request("accept", take=take.id, cells=[])
    assert refused["k"] == "error" and "no open take" in refused["message"]
    editor.undo()
    editor._open_takes(job.takes)
    page.request("discard")
    assert editor.takes == [] and editor.score.hash() == example.hash()
    assert not editor.discard()


def test_accepting_what_was_there_changes_nothing(opened, example):
    editor, page, _ = opened
    page.set(active_take="")
    assert editor.accept().hash() == example.hash()
    assert editor.takes == [] and not editor.can_undo


def test_an_edit_meanwhile_is_kept(opened):
    editor, _, job = opened
    changed = editor.score.copy()
    changed.tracks[0].bars[0].notes.clear()
    editor.score = changed
    assert len(editor.takes) == 3
    editor.accept(0)
    assert bar(editor.score, (0, 0)) == []
    assert bar(editor.score, (1, 4)) == bar(by_number(job)[0].score, (1, 4))


def test_takes_end_when_the_bars_of_the_piece_change(opened):
    editor, _, job = opened
    shorter = editor.score.copy()
    for track in shorter.tracks:
        del track.bars[12:]
    editor.score = shorter
    assert editor.takes == []
    with pytest.raises(ValueError, match="changed its bars"):
        editor.accept(job.takes[0])


def test_k4_every_take_can_be_made_again(opened, engine, example):
    _, _, job = opened
    for take in job.takes:
        assert take.record["seed"] == take.seed and take.record["model"]["name"] == engine.name
        assert take.record["result_hash"] == take.score.hash()
        assert replay(take.record, example, engine).hash() == take.score.hash()


def test_takes_are_those_of_single_runs(opened, connect, engine, example):
    _, _, job = opened
    alone, _ = connect(InfillEditor, example, engine)
    score = alone.generate(CELLS, seed=12, takes=1).result(timeout=60)
    assert score.hash() == by_number(job)[1].score.hash()
    assert alone.takes == [] and alone.can_undo


def test_a_held_take_waits_and_the_next_replaces_it(connect, engine, example):
    editor, _ = connect(InfillEditor, example, engine)
    first = editor.generate(CELLS, seed=1, hold=True)
    first.result(timeout=60)
    assert len(editor.takes) == 1 and not editor.can_undo
    second = editor.generate(CELLS, seed=2, hold=True)
    second.result(timeout=60)
    assert [take.seed for take in editor.takes] == [2]
    editor.accept()
    assert editor.score.hash() == second.takes[0].score.hash() != first.takes[0].score.hash()


def test_cancel_opens_nothing(connect, engine, example):
    editor, page = connect(InfillEditor, example, engine)
    bars = [(track, bar) for track in range(3) for bar in range(16)]
    job = editor.generate(bars, takes=4)
    seen = []
    editor.on("notes", lambda _event: seen.append(job.cancel()))
    with pytest.raises(Exception, match="cancel"):
        job.result(timeout=60)
    assert job.status == "cancelled" and editor.takes == [] and editor.score.hash() == example.hash()
    assert page.kinds(job.id)[-1] == "cancelled"


def test_a_late_page_gets_all_takes_of_a_running_job(connect, engine, example):
    editor, page = connect(InfillEditor, example, engine)
    pictures = []
    editor.on(
        "bar", lambda _e: pictures.append(page.request("sync", job=None, have=0)) if not pictures else 0
    )
    editor.generate([(1, bar) for bar in range(4, 8)], takes=3, seed=5).result(timeout=60)
    answer, buffers = pictures[0]
    assert len(answer["takes"]) == 3
    assert sum(row["count"] for row in answer["takes"]) == len(unpack_notes(buffers[0])) == answer["count"]
    assert sum(len(row["finished"]) for row in answer["takes"]) >= 1


@pytest.mark.parametrize("takes", [0, 10, "4", True, 2.0])
def test_wrong_numbers_of_takes_are_refused(connect, engine, example, takes):
    editor, _ = connect(InfillEditor, example, engine)
    with pytest.raises(ValueError, match=r"1\.\.9"):
        editor.generate(CELLS, takes=takes)


def test_wrong_choices_are_refused(opened, connect, engine, example):
    editor, _, _ = opened
    with pytest.raises(ValueError, match="no open take 7; open takes: 0, 1, 2"):
        editor.accept(7)
    with pytest.raises(ValueError, match="did not write bar 9"):
        editor.accept(0, {(1, 9): 1})
    fresh, _ = connect(InfillEditor, example, engine)
    with pytest.raises(ValueError, match="no takes to choose from"):
        fresh.accept()


def test_notes_of_a_take_lie_where_its_score_has_them(opened):
    _, page, job = opened
    take = job.takes[0]
    _, buffers = page.request("take_notes", take=take.id)
    notes = unpack_notes(buffers[0])
    starts = 1920 * np.array([4, 5]) * take.score.resolution // 480
    expected = [starts[bar - 4] + row[0] for bar in (4, 5) for row in cell_notes(take.score.table, 1, bar)]
    assert sorted(notes["onset"].tolist()) == sorted(int(tick) for tick in expected)
