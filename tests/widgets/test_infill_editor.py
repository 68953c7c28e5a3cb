"""InfillEditor: requests, jobs, messages of a generation. A scripted engine where the order is the point."""

from __future__ import annotations

import asyncio
import json
import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import ipywidgets
import numpy as np
import pytest
from fakes import FakeEngine, FakeSession, events_in, eventually
from traitlets import TraitError

from midigpt_nb import AttributePanel, Bar, InfillEditor, Score, Track
from midigpt_nb.errors import GenerationCancelled, MissingExtraError, NoAcceptableCandidate
from midigpt_nb.inference import events as ev
from midigpt_nb.widgets.caps import in_rows
from midigpt_nb.widgets.engine_handle import EngineHandle
from midigpt_nb.widgets.infill_editor import request_from_selection
from midigpt_nb.widgets.piano_roll import UserError
from midigpt_nb.widgets.protocol import FLAG_GENERATED, FLAG_PROVISIONAL, unpack_document, unpack_notes

pytestmark = pytest.mark.timeout(120)

BASS_5_8 = [(1, 4), (1, 5), (1, 6), (1, 7)]


def changed_cells(before: Score, after: Score) -> set[tuple[int, int]]:
    return {
        (track, bar)
        for track in range(before.n_tracks)
        for bar in range(before.table.n_bars(track))
        if not np.array_equal(
            *(np.asarray(s.table.notes)[slice(*s.table.note_rows(track, bar))] for s in (before, after))
        )
    }


@pytest.mark.parametrize("wrong", [3, Score([])])
def test_an_engine_that_is_none_is_named(example, wrong):
    with pytest.raises(
        TypeError, match=r"engine is .*; it must be an InferenceEngine, or the name of a model"
    ):
        InfillEditor(example, wrong)


# ------------------------------------------------------------------------------------------------ the request


@pytest.mark.parametrize(
    ("cells", "window", "step"),
    [
        pytest.param([(1, 4)], 4, 1, id="one bar with context on both sides"),
        pytest.param([(1, 4), (1, 5)], 4, 2, id="two bars still fit the small window"),
        pytest.param(BASS_5_8, 8, 4, id="four bars need the next one"),
        pytest.param([(1, 0), (1, 1), (2, 8)], 4, 2, id="the longest run counts"),
        pytest.param([(0, b) for b in range(16)], 16, 16, id="everything takes the largest"),
    ],
)
def test_the_window_follows_the_selection(example, cells, window, step):
    config = request_from_selection(example, cells, windows=[4, 8, 12, 16]).config
    assert (config.model_dim, config.bars_per_step) == (window, step)


def test_a_selection_becomes_infill_prompts_with_the_wishes_of_written_bars(example):
    wishes = {
        "track": {"1": {"note_density": 7}, "2": {"note_density": 1}},
        "bar": {"1": {"5": {"bar_note_density": 3}, "9": {"bar_note_density": 9}}},
    }
    request = request_from_selection(
        example, [(1, 5), (1, 4), (0, 4)], wishes, {"temperature": 0.5, "model_dim": 16}
    )
    assert [(t.id, t.bars, t.autoregressive) for t in request.tracks] == [(0, [4], False), (1, [4, 5], False)]
    assert request.tracks[1].attributes == {"note_density": 7}
    assert request.tracks[1].bar_attributes == {5: {"bar_note_density": 3}}
    assert request.config.temperature == 0.5 and request.config.model_dim == 16


def test_a_track_with_every_bar_selected_is_still_infilled(example):
    request = request_from_selection(example, [(1, bar) for bar in range(16)])
    assert not request.tracks[0].autoregressive and request.tracks[0].bars == list(range(16))


# --------------------------------------------------------------------------------------------- a generation


def test_a_generation_end_to_end(example, connect):
    editor, page = connect(InfillEditor, example, FakeEngine())
    editor.selection = BASS_5_8
    answer, _ = page.request("generate", selection={"cells": BASS_5_8})
    job = editor._jobs[answer["job"]]
    score = job.result(20)
    assert changed_cells(example, score) == set(BASS_5_8) and editor.score == score
    assert job.status == editor.status == "done" and editor.progress == 1.0 and job.progress == 1.0
    assert job.label == f"Regenerate bars 5-8, {example.track_names[1]}"

    kinds = page.kinds(job.id)
    assert kinds[0] == "accepted" and kinds[1] == "step" and kinds[-1] == "done"
    assert kinds.count("done") == 1 and kinds.count("bar") == 4
    numbers = [m["n"] for m, _ in page.events(job.id)]
    assert numbers == list(range(len(numbers)))
    notes = [unpack_notes(b[0]) for m, b in page.events(job.id) if m["ev"] == "notes"]
    assert sum(map(len, notes)) == 4 and all((n["flags"] == FLAG_PROVISIONAL).all() for n in notes)
    assert sorted(int(n["onset"][0]) // 1920 for n in notes) == [4, 5, 6, 7]

    header, final, before = unpack_document(editor._doc)
    assert header["rev"] == editor._rev == page.events(job.id)[-1][0]["rev"] == 1
    assert (final["flags"] == FLAG_GENERATED).sum() == 4 and len(before) > 0
    assert ((before["onset"] >= 4 * 1920) & (before["onset"] < 8 * 1920) & (before["track"] == 1)).all()

    midi = example.to_midi()
    assert editor.undo() and editor.to_midi() == midi
    assert editor.redo() and editor.score == score


def test_the_document_is_set_before_the_page_hears_done(example, connect):
    editor, page = connect(InfillEditor, example, FakeEngine())
    editor.generate(BASS_5_8).result(20)
    order = []
    for data, buffers, _ in page.comm.sent:
        order += ["doc"] if ["_doc"] in data.get("buffer_paths", []) else []
        order += [event["ev"] for event, _ in events_in(data, buffers)]
    assert order.index("doc") < order.index("done")


def test_generate_returns_at_once_and_the_roll_answers_meanwhile(example, connect):
    editor, page = connect(InfillEditor, example, FakeEngine(pause=0.2))
    start = time.perf_counter()
    job = editor.generate(BASS_5_8)
    assert time.perf_counter() - start < 0.05
    eventually(lambda: editor.status, "running")
    page.set(selection={"cells": [[0, 0]]})
    assert editor.selected_cells == [(0, 0)]
    assert job.status == "running" and 0 <= job.progress < 1
    job.result(20)


def test_cancel_is_heard_within_half_a_second_and_leaves_the_score_alone(example, connect):
    engine = FakeEngine(pause=0.1)
    editor, page = connect(InfillEditor, example, engine)
    answer, _ = page.request("generate", selection={"cells": [[1, b] for b in range(16)]})
    eventually(lambda: "bar" in page.kinds())
    job, start = editor._jobs[answer["job"]], time.perf_counter()
    assert page.request("cancel", job=job.id)[0]["k"] == "ok"
    with pytest.raises(GenerationCancelled) as caught:
        job.result(5)
    assert time.perf_counter() - start < 0.5
    assert page.kinds(job.id)[-1] == "cancelled" and editor.status == "idle" and editor.progress == 0.0
    assert editor.score == example and not editor.can_undo
    done = changed_cells(example, caught.value.partial)
    assert 0 < len(done) < 16  # what was finished can still be had
    assert not job.cancel() and job.status == "cancelled"
    eventually(lambda: engine.sessions[0].thread.is_alive(), False, 5)


def test_jobs_wait_in_line_and_a_waiting_job_is_cancelled_at_once(example, connect):
    engine = FakeEngine(pause=0.1)
    editor, page = connect(InfillEditor, example, engine)
    other, _ = connect(InfillEditor, example, engine)
    jobs = [editor.generate([(0, 0), (0, 1)]), other.generate([(1, 0)]), editor.generate([(2, 0)])]
    assert [job.status for job in jobs][1:] == ["queued", "queued"]
    jobs[2].cancel()
    assert jobs[2].status == "cancelled" and page.kinds(jobs[2].id) == ["accepted", "cancelled"]
    jobs[0].result(20)
    jobs[1].result(20)
    assert len(engine.sessions) == 2 and engine.sessions[0].request.tracks[0].id == 0
    assert engine.sessions[0].thread is engine.sessions[1].thread


def test_cancel_stops_what_runs_and_what_waits(example, connect):
    engine = FakeEngine(pause=0.1)
    editor, _ = connect(InfillEditor, example, engine)
    jobs = [editor.generate([(0, 0), (0, 1)]) for _ in range(3)]
    eventually(lambda: editor.status, "running")
    editor.cancel()
    assert editor.status == "cancelling" and [job.status for job in jobs[1:]] == ["cancelled"] * 2
    eventually(lambda: editor.status, "idle", 5)
    assert jobs[0].status == "cancelled" and len(engine.sessions) == 1 and editor.score == example


def test_a_second_job_builds_on_the_first(example, connect):
    editor, _ = connect(InfillEditor, example, FakeEngine(pause=0.02))
    jobs = [editor.generate([(1, 4)]), editor.generate([(1, 5)])]
    jobs[1].result(20)
    assert changed_cells(example, editor.score) == {(1, 4), (1, 5)}
    editor.undo()
    assert changed_cells(example, editor.score) == {(1, 4)}


def test_an_edit_during_a_generation_survives_it(example, connect):
    editor, _ = connect(InfillEditor, example, FakeEngine(pause=0.2))
    job = editor.generate([(1, 4), (1, 5)])
    eventually(lambda: editor.status, "running")
    empty = example.with_table(example.table.replaced([(3, 2)], [np.zeros((0, 5), int)]))
    editor.score = empty
    job.result(20)
    assert changed_cells(example, editor.score) == {(1, 4), (1, 5), (3, 2)} - (
        set() if changed_cells(example, empty) else {(3, 2)}
    )


def test_a_piece_that_lost_its_bars_meanwhile_is_left_alone(example, connect):
    editor, page = connect(InfillEditor, example, FakeEngine(pause=0.2))
    job = editor.generate([(3, 14), (3, 15)])
    eventually(lambda: editor.status, "running")
    editor.score = short = Score([Track([Bar()])])
    with pytest.raises(UserError, match="changed its bars"):
        job.result(20)
    assert editor.score == short and page.events(job.id)[-1][0]["code"] == "piece_changed"
    assert changed_cells(example, job.partial) == {(3, 14), (3, 15)}


def test_rejected_notes_are_taken_back_and_batches_stay_small(example, connect):
    def script(session):
        yield ev.StepStarted(0, 1, (4, 8), {1: [4]}, [0])
        rows = tuple((40 + i % 40, 90, i, 10) for i in range(150))
        yield ev.NotesArrived(0, 0, 1, 4, rows)
        for i in range(30):
            yield ev.NotesArrived(0, 0, 1, 4, ((60, 90, i, 10),))
        yield ev.AttemptRejected(0, 0, ("silence",), ((1, 4),))
        yield ev.NotesArrived(0, 1, 1, 4, ((61, 90, 0, 480),))
        yield ev.BarFinished(0, 1, 1, 4)
        wait.wait(10)
        yield ev.Finished("done", session.written([(1, 4)]))

    wait = threading.Event()
    editor, page = connect(InfillEditor, example, FakeEngine(script=script))
    job = editor.generate([(1, 4)])
    eventually(lambda: "bar" in page.kinds())
    counts = [m["count"] for m, _ in page.events() if m["ev"] == "notes"]
    assert max(counts) <= 64 and sum(counts) == 181 and len(counts) <= 7
    assert all(len(unpack_notes(b[0])) == m["count"] for m, b in page.events() if m["ev"] == "notes")

    answer, buffers = page.request("sync", job=job.id, have=0)
    assert (answer["state"], answer["count"], answer["finished"]) == ("running", 1, [[1, 4]])
    assert unpack_notes(buffers[0])["pitch"].tolist() == [61]
    assert answer["n"] == len(page.events()) and answer["cells"] == [[1, 4]]
    assert page.request("sync", job=None, have=0)[0]["job"] == job.id
    wait.set()
    job.result(10)
    answer, buffers = page.request("sync", job=job.id, have=3)
    assert answer["state"] == "done" and answer["count"] == 0
    assert page.request("sync", job=None, have=0)[0]["job"] is None
    assert page.request("sync", job="nobody", have=0)[0]["code"] == "no_job"


def test_m8_what_takes_write_side_by_side_travels_together(example, connect):
    cells = [(track, bar) for track in range(4) for bar in range(10)]

    def script(session):
        yield ev.StepStarted(0, 1, (0, 16), {track: list(range(10)) for track in range(4)}, [])
        for i, (track, bar) in enumerate(cells):
            for onset in range(12):
                time.sleep(0.001)
                yield ev.NotesArrived(0, 0, track, bar, ((60 + onset, 90, onset, 10),))
            yield ev.BarFinished(0, 0, track, bar)
            if i == 20:
                wait.wait(10)  # nothing happens, and the 21st bar is told all the same
        yield ev.Finished("done", session.written(cells))

    wait = threading.Event()
    editor, page = connect(InfillEditor, example, FakeEngine(script=script))
    began = time.monotonic()
    job = editor.generate(cells)
    eventually(lambda: page.kinds(job.id).count("bar"), 21)
    wait.set()
    job.result(20)
    seconds = time.monotonic() - began
    messages = [m for m, _ in page.custom() if m["k"] == "ev"]
    assert len(messages) < 40 * seconds and any(len(m.get("more", [])) > 2 for m in messages)
    heard = page.events(job.id)
    assert [m["n"] for m, _ in heard] == list(range(len(heard)))
    seen: dict[tuple[int, int], int] = {}
    for m, buffers in heard:  # the notes of a bar come before its end
        if m["ev"] == "notes":
            assert len(unpack_notes(buffers[0])) == m["count"]
            seen[m["track"], m["bar"]] = seen.get((m["track"], m["bar"]), 0) + m["count"]
        elif m["ev"] == "bar":
            assert seen[m["track"], m["bar"]] == 12


def test_signs_of_life_are_regular_but_rare(example, connect):
    def script(session):
        yield ev.StepStarted(0, 1, (4, 8), {1: [4]}, [])
        for i in range(200):
            time.sleep(0.01)
            yield ev.TokenProgress(0, i // 100, i % 100)
        yield ev.Finished("done", session.written([(1, 4)]), tokens=200)

    editor, page = connect(InfillEditor, example, FakeEngine(script=script))
    began = time.monotonic()
    job = editor.generate([(1, 4)])
    job.result(20)
    most = 2 + (time.monotonic() - began) / 0.24
    tokens = [m["tokens"] for m, _ in page.events() if m["ev"] == "tok"]
    assert 4 <= len(tokens) <= most and tokens == sorted(tokens) and tokens[-1] > 99
    assert job.tokens == 200


def test_m5_a_job_that_is_silent_for_long_says_that_it_goes_on(example, connect):
    """While it waits for a job of another editor, and while a model reads a long prompt."""
    engine = FakeEngine(pause=2.4)
    first, _ = connect(InfillEditor, example, engine)
    second, page = connect(InfillEditor, example, engine)
    at, send = [], second._send_event
    second._send_event = lambda message, buffers: (at.append(time.monotonic()), send(message, buffers))
    first.generate([(0, 0)])
    job = second.generate([(1, 0)])
    job.result(30)
    assert max(np.diff(at)) < 1.5  # 1 s; this machine may be busy
    assert page.kinds(job.id).count("tok") >= 2
    said = len(page.events(job.id))
    time.sleep(1.2)
    assert len(page.events(job.id)) == said and not second._feeds[job.id]._pulse.due


@pytest.mark.parametrize(
    ("problem", "code"),
    [
        (NoAcceptableCandidate("all attempts were silent", reasons={"silence": 3}), "no_candidate"),
        (ZeroDivisionError("division by zero"), "failed"),
    ],
)
def test_a_failure_answers_the_job_and_shows(example, connect, capsys, problem, code):
    def script(session):
        yield ev.StepStarted(0, 1, (4, 8), {1: [4]}, [])
        raise problem

    for engine in (FakeEngine(script=script), FakeEngine(fail_session=problem)):
        editor, page = connect(InfillEditor, example, engine)
        heard = []
        editor.on("error", lambda event, heard=heard: heard.append(event["job"]))
        job = editor.generate([(1, 4)])
        with pytest.raises(type(problem)):
            job.result(10)
        assert page.events(job.id)[-1][0]["ev"] == "error" and page.events(job.id)[-1][0]["code"] == code
        assert editor.error["code"] == code and str(problem) in editor.error["message"]
        assert editor.status == "error" and editor.score == example and heard == [job]
        editor._handle.engine().script = None
        editor._handle.engine().fail_session = None
        editor.generate([(1, 4)]).result(10)  # and the next one works
        assert editor.error is None and editor.status == "done"
    assert capsys.readouterr() == ("", "")


def test_a_failed_session_keeps_what_was_finished_for_the_caller(example, connect):
    def script(session):
        yield ev.Finished("failed", session.written([(1, 4)]), NoAcceptableCandidate("no luck", reasons={}))

    editor, _ = connect(InfillEditor, example, FakeEngine(script=script))
    job = editor.generate(BASS_5_8)
    with pytest.raises(NoAcceptableCandidate):
        job.result(10)
    assert changed_cells(example, job.partial) == {(1, 4)} and editor.score == example


def test_wrong_requests_are_refused_in_python_and_on_the_page(example, connect):
    editor, page = connect(InfillEditor, example, FakeEngine())
    with pytest.raises(ValueError, match="no bars are selected"):
        editor.generate()
    with pytest.raises(ValueError, match=r"no bar 16 in track 1; it has bars 0\.\.15"):
        editor.generate([(1, 16)])
    with pytest.raises(TypeError, match="did you mean 'temperature'"):
        editor.generate([(1, 4)], temprature=1)
    for fields, code in [
        ({"selection": {"cells": []}}, "nothing_selected"),
        ({"selection": {"cells": [[1, 99]]}}, "no_such_bar"),
        ({"selection": {"cells": [[1, 4]]}, "sampling": {"temprature": 1}}, "invalid_request"),
    ]:
        answer, _ = page.request("generate", **fields)
        assert (answer["k"], answer["code"]) == ("error", code)
    assert page.kinds() == [] and editor.status == "idle"
    assert page.request("cancel", job="nobody")[0]["code"] == "no_job"


def test_sampling_is_checked_when_it_is_set(example, connect):
    editor, page = connect(InfillEditor, example, FakeEngine())
    editor.sampling = {"temperature": 0.9, "seed": 7, "model_dim": "auto", "top_p": None}
    assert editor.sampling == {"temperature": 0.9, "seed": 7, "model_dim": "auto"}
    with pytest.raises(TraitError, match="did you mean 'temperature'"):
        editor.sampling = {"temprature": 1}
    with pytest.raises(TraitError, match="temperature is 0"):
        editor.sampling = {"temperature": 0}
    page.set(sampling={"top_p": 2})
    assert editor.error["field"] == "sampling" and editor.sampling["seed"] == 7


def test_wishes_are_checked_when_they_are_set(example, connect):
    editor, page = connect(InfillEditor, example, FakeEngine())
    editor.attributes = {"bar": {"1": {"4": {"note_density": 3, "bar_note_density": 9}}}}
    with pytest.raises(TraitError, match="did you mean 'note_density'"):
        editor.attributes = {"track": {"1": {"note_densty": 3}}}
    with pytest.raises(TraitError, match=r"note_density is 10; allowed: 0\.\.9"):
        editor.attributes = {"track": {"1": {"note_density": 10}}}
    page.set(attributes={"track": {"1": {"pitch": 1}}})
    assert editor.error["field"] == "attributes" and "4" in editor.attributes["bar"]["1"]


def test_traits_and_arguments_reach_the_request(example, connect):
    engine = FakeEngine()
    editor, _ = connect(InfillEditor, example, engine)
    editor.select(1, [4, 5])
    editor.sampling = {"temperature": 0.5, "seed": 3}
    editor.attributes = {"track": {1: {"note_density": 2}}, "bar": {1: {5: {"bar_note_density": 4}}}}
    editor.generate(temperature=0.7).result(10)
    editor.generate(attributes={"note_density": 9, "bar_note_density": 1}).result(10)
    first, second = (session.request for session in engine.sessions)
    assert (first.config.temperature, first.config.seed) == (0.7, 3)
    assert first.tracks[0].attributes == {"note_density": 2}
    assert first.tracks[0].bar_attributes == {5: {"bar_note_density": 4}}
    assert second.tracks[0].attributes == {"note_density": 9}
    assert second.tracks[0].bar_attributes == {4: {"bar_note_density": 1}, 5: {"bar_note_density": 1}}


def test_realized_values_follow_the_document(example, connect):
    editor, page = connect(InfillEditor, example, FakeEngine())
    eventually(lambda: bool(editor.realized))
    assert set(editor.realized["bar"]["1"]) == {str(bar) for bar in range(16)}
    dense = editor.realized["bar"]["1"]["4"]["bar_note_density"]
    editor.generate([(1, 4)]).result(10)  # the scripted engine writes one note
    eventually(lambda: editor.realized["bar"]["1"]["4"]["bar_note_density"] < dense, True, 5)
    assert editor.caps["model"] == "fake" and editor.caps["window_bars"] == [4, 8]
    assert {a["name"]: a["level"] for a in editor.caps["attributes"]} == {
        "note_density": "track",
        "bar_note_density": "bar",
    }
    sent = page.updates("realized")[-1]  # a list per attribute: short, also for 2,000 bars
    density = [editor.realized["bar"]["1"][str(bar)]["bar_note_density"] for bar in range(16)]
    assert sent["rows"]["1"]["bar_note_density"] == density and sent["track"] == editor.realized["track"]


def test_a_job_can_be_awaited_and_a_cancelled_wait_cancels_it(example, connect):
    editor, _ = connect(InfillEditor, example, FakeEngine(pause=0.05))

    async def story():
        score = await editor.generate([(1, 4)])
        assert changed_cells(example, score) == {(1, 4)}
        job = editor.generate([(1, b) for b in range(16)])
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(wrap(job), 0.1)
        return job

    async def wrap(job):
        return await job

    with ThreadPoolExecutor(1) as elsewhere:  # browser tests keep a loop running on this thread
        job = elsewhere.submit(asyncio.run, story()).result(30)
    eventually(lambda: job.status, "cancelled", 5)


def test_interrupting_the_wait_cancels_the_job(example, connect, monkeypatch):
    editor, _ = connect(InfillEditor, example, FakeEngine(pause=0.05))
    job = editor.generate([(1, b) for b in range(16)])
    monkeypatch.setattr(job._condition, "wait_for", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt()))
    with pytest.raises(KeyboardInterrupt):
        job.result()
    monkeypatch.undo()
    eventually(lambda: job.status, "cancelled", 5)


def test_result_can_time_out(example, connect):
    editor, _ = connect(InfillEditor, example, FakeEngine(pause=0.2))
    job = editor.generate(BASS_5_8)
    with pytest.raises(TimeoutError):
        job.result(0.05)
    assert job.result(20) == editor.score


def test_an_observer_may_generate_and_wait(example, connect):
    """Waiting inside a trait change must not lock out the worker."""
    editor, page = connect(InfillEditor, example, FakeEngine(pause=0.02))
    results = []
    editor.observe(lambda _: results.append(editor.generate([(1, 4)]).result(10)), "selection")
    page.set(selection={"cells": [[1, 4]]})
    assert len(results) == 1 and editor.score == results[0]


def test_callbacks_hear_the_story_in_order(example, connect):
    editor, _ = connect(InfillEditor, example, FakeEngine())
    heard = []
    for name in editor.events:
        editor.on(name, lambda event: heard.append(event["event"]))
    editor.generate([(1, 4), (1, 5)]).result(10)
    eventually(lambda: "done" in heard, True, 5)
    assert [h for h in heard if h != "accepted"] == ["step", "notes", "bar", "notes", "bar", "score", "done"]


def test_m8_what_is_measured_of_a_long_piece_fits_into_a_message():
    bars = {str(bar): {f"bar_attribute_number_{i}": bar % 10 for i in range(6)} for bar in range(2000)}
    values = {"track": {}, "bar": {str(track): bars for track in range(32)}}
    assert len(json.dumps(in_rows(values))) < 2 << 20


def test_global_random_state_is_untouched(example, connect):
    random.seed(1)
    np.random.seed(1)
    before = random.getstate(), np.random.get_state()[1].tobytes()
    editor, _ = connect(InfillEditor, example, FakeEngine())
    editor.generate(BASS_5_8).result(10)
    assert (random.getstate(), np.random.get_state()[1].tobytes()) == before


def test_a_missing_model_leaves_a_working_roll(example, connect, monkeypatch):
    def load(name):
        raise MissingExtraError("torch is missing: pip install 'midigpt-nb[inference]'")

    monkeypatch.setattr("midigpt_nb.widgets.infill_editor._load", load)
    monkeypatch.setattr(EngineHandle, "_by_name", {})
    editor, page = connect(InfillEditor, example)
    assert editor.caps["model"] == "pocket" and editor.error is None
    assert "image/png" in editor._repr_mimebundle_()[0]
    eventually(lambda: "unavailable" in editor.caps, True, 10)
    assert "midigpt-nb[inference]" in editor.caps["unavailable"] and editor.error["code"] == "missing_extra"
    job = editor.generate([(1, 4)])
    with pytest.raises(MissingExtraError):
        job.result(10)
    assert page.events(job.id)[-1][0]["code"] == "missing_extra"
    editor.select(0, 0)
    assert editor.selected_cells == [(0, 0)]


def test_four_threads_and_500_operations_each_with_a_generation_running(example, connect):
    editor, page = connect(InfillEditor, example, FakeEngine())
    failures = []

    def work(seed):
        rng = random.Random(seed)
        actions = [
            editor.undo,
            editor.redo,
            lambda: page.set(selection={"cells": [[rng.randrange(4), rng.randrange(16)]]}),
            lambda: page.raw({"v": 1, "k": "sync", "id": f"{seed}-{rng.random()}", "job": None, "have": 0}),
            lambda: page.raw({"v": 1, "k": "cancel", "id": f"{seed}-{rng.random()}"}),
            lambda: setattr(editor, "loop", [0, rng.randrange(1, 16)]),
            lambda: rng.random() < 0.1 and editor.generate([(rng.randrange(4), rng.randrange(16))]),
        ]
        try:
            for _ in range(500):
                rng.choice(actions)()
        except BaseException as problem:
            failures.append(problem)

    threads = [threading.Thread(target=work, args=(seed,), daemon=True) for seed in range(4)]
    [t.start() for t in threads]
    [t.join(60) for t in threads]
    assert not any(t.is_alive() for t in threads) and not failures, failures[:1]
    eventually(lambda: all(job.done for job in editor._jobs.values()), True, 30)
    header, notes, _ = unpack_document(editor._doc)
    assert header["rev"] == editor._rev == editor._document.rev and len(notes) == editor.score.n_notes
    ids = [m["id"] for m, _ in page.custom() if m["k"] in ("ok", "error")]
    assert len(ids) == len(set(ids))
    for job in {m["job"] for m, _ in page.events()}:
        numbers = [m["n"] for m, _ in page.events(job)]
        assert numbers == list(range(len(numbers)))
        assert sum(kind in ("done", "cancelled", "error") for kind in page.kinds(job)) == 1


def test_n1_an_attribute_panel_is_an_ordinary_widget_of_its_editor(example, connect):
    editor, _ = connect(InfillEditor, example, FakeEngine())
    panel = AttributePanel(editor)
    box = ipywidgets.HBox([panel])
    assert panel.editor is editor and box.children == (panel,)
    assert panel.get_state()["_roll"] == f"IPY_MODEL_{editor.model_id}"
    assert repr(panel) == f"AttributePanel({editor!r})"
    data, _ = panel._repr_mimebundle_()
    assert data["text/plain"] == repr(panel)
    assert data["application/vnd.jupyter.widget-view+json"]["model_id"] == panel.model_id
    with pytest.raises(TypeError, match="needs an InfillEditor"):
        AttributePanel(example)
    with pytest.raises(TypeError, match="no argument 'hight'"):
        AttributePanel(editor, hight=3)
    panel.close()


def test_fake_session_is_used_as_the_contract_says(example):
    session = FakeSession(FakeEngine(), example, request_from_selection(example, [(1, 4)]))
    assert isinstance(list(session.stream())[-1], ev.Finished)


# ------------------------------------------------------------------------------ the same with the real engine


@pytest.mark.model
def test_the_bundled_model_writes_only_the_selected_bars(example, connect, engine, capfd):
    import torch

    states = random.getstate(), np.random.get_state()[1].tobytes(), torch.get_rng_state().numpy().tobytes()
    editor, page = connect(InfillEditor, example, engine)
    answer, _ = page.request("generate", selection={"cells": [[1, 4], [1, 5]]}, sampling={"seed": 7})
    job = editor._jobs[answer["job"]]
    score = job.result(120)
    assert (
        random.getstate(),
        np.random.get_state()[1].tobytes(),
        torch.get_rng_state().numpy().tobytes(),
    ) == states
    assert changed_cells(example, score) <= {(1, 4), (1, 5)} and changed_cells(example, score)
    kinds = page.kinds(job.id)
    assert kinds[0] == "accepted" and kinds[-1] == "done" and "notes" in kinds and kinds.count("bar") >= 2
    assert capfd.readouterr() == ("", "")
    _, notes, before = unpack_document(editor._doc)
    fresh = notes[notes["flags"] == FLAG_GENERATED]
    assert len(fresh) and set(fresh["track"].tolist()) == {1} and len(before)
    midi = example.to_midi()
    assert editor.undo() and editor.to_midi() == midi
    other, _ = connect(InfillEditor, example, engine)
    assert other.generate([(1, 4), (1, 5)], seed=7).result(120) == score  # the same seed, the same notes


@pytest.mark.model
def test_the_bundled_model_stops_within_half_a_second(example, connect, engine):
    editor, page = connect(InfillEditor, example, engine)
    everything = [(track, bar) for track in range(4) for bar in range(16)]
    latencies = []
    for pause in (0.0, 0.3, 1.0):
        job = editor.generate(everything, model_dim=4, bars_per_step=1)
        eventually(lambda job=job: job.status, "running", 60)
        time.sleep(pause)
        start = time.perf_counter()
        page.request("cancel", job=job.id)
        with pytest.raises(GenerationCancelled):
            job.result(20)
        latencies.append(time.perf_counter() - start)
    assert max(latencies) <= 0.5, latencies
    assert editor.score == example
    eventually(lambda: editor._handle.worker.busy, False, 5)
    assert not any("midigpt-nb" in t.name and "analysis" not in t.name for t in threading.enumerate())


@pytest.mark.model
def test_t6_the_page_is_answered_while_the_bundled_model_writes(example, connect, engine):
    editor, page = connect(InfillEditor, example, engine)
    job = editor.generate([(track, bar) for track in range(4) for bar in range(16)], takes=2)
    eventually(lambda: job.status, "running", 60)
    waits = []
    while len(waits) < 100 and not job.done:
        began = time.perf_counter()
        assert page.request("sync", job=job.id, have=0)[0]["k"] == "ok"
        waits.append(time.perf_counter() - began)
        time.sleep(0.01)
    job.cancel()
    assert len(waits) >= 40 and np.quantile(waits, 0.95) <= 0.5


@pytest.mark.model
def test_the_bundled_model_tells_what_it_can_do(example, connect, engine):
    editor, _ = connect(InfillEditor, example, engine)
    names = {a["name"] for a in editor.caps["attributes"]}
    assert {"note_density", "bar_note_density"} <= names and editor.caps["window_bars"][0] == 4
    eventually(lambda: bool(editor.realized))
    sizes = {a["name"]: a["size"] for a in editor.caps["attributes"]}
    for bars in editor.realized["bar"].values():
        assert all(0 <= value < sizes[name] for values in bars.values() for name, value in values.items())
    start = time.perf_counter()
    job = editor.generate([(1, 4)])
    assert time.perf_counter() - start < 0.05
    job.cancel()
    with pytest.raises(ValueError, match="note_densty"):
        editor.generate([(1, 4)], attributes={"note_densty": 3})
