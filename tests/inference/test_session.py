"""Sessions from end to end: what is returned, what is told, what is left alone."""

from __future__ import annotations

import random
import threading
import time
from itertools import pairwise

import numpy as np
import pytest
import torch

from midigpt_nb import _core
from midigpt_nb.errors import (
    ContextOverflow,
    GenerationCancelled,
    GenerationError,
    NoAcceptableCandidate,
    RequestValidationError,
)
from midigpt_nb.inference import GenerationRequest, InferenceConfig, InferenceEngine, TrackPrompt
from midigpt_nb.inference import events as ev
from midigpt_nb.score.model import Bar, Note, Score, Track

from .conftest import make_score, write_tiny_checkpoint

T = _core.TokenType
SHORT = {"density_hard_limit": 6, "seed": 1}  # keeps random models brief


def request(*tracks, **config):
    return GenerationRequest(list(tracks), InferenceConfig(**{**SHORT, **config}))


def changed_cells(before, after):
    """Cells whose notes differ, after checking that nothing else does."""
    a, b = before.table, after.table
    assert (a.bars[:, 1:] == b.bars[:, 1:]).all() and (a.tracks == b.tracks).all()
    assert (a.resolution, a.tempo) == (b.resolution, b.tempo)
    cells = set()
    for t in range(a.n_tracks):
        for bar in range(a.n_bars(t)):
            (first, last), (start, end) = a.note_rows(t, bar), b.note_rows(t, bar)
            if not (
                np.array_equal(a.notes[first:last], b.notes[start:end])
                and np.array_equal(a.note_source[first:last], b.note_source[start:end])
            ):
                cells.add((t, bar))
    return cells


def requests_at_random(rng, score, n):
    for _ in range(n):
        tracks = []
        for t in rng.sample(range(score.n_tracks), min(score.n_tracks, rng.choice([1, 1, 2]))):
            if rng.random() < 0.3:
                tracks.append(
                    TrackPrompt(
                        t, list(range(rng.randrange(score.n_bars), score.n_bars)), autoregressive=True
                    )
                )
            else:
                tracks.append(
                    TrackPrompt(t, rng.sample(range(score.n_bars), min(score.n_bars, rng.randrange(1, 4))))
                )
        rest = [t for t in range(score.n_tracks) if t not in {p.id for p in tracks}]
        if rest and rng.random() < 0.3:
            tracks.append(TrackPrompt(rest[0], ignore=True))
        elif rest and rng.random() < 0.3:
            tracks.append(TrackPrompt(rest[0], mask_bars=[0, score.n_bars - 1]))
        yield request(
            *tracks,
            seed=rng.randrange(99),
            model_dim=rng.choice(["auto", 4, 8]),
            bars_per_step=rng.choice(["auto", 1, 2]),
            tracks_per_step=rng.choice(["auto", 1]),
            mask_mode=rng.choice(["auto", "attention", "remove", "attention_skip"]),
            later_targets=rng.choice(["hide", "show"]),
            shuffle=rng.random() < 0.3,
            novelty_check=False,
        )


@pytest.mark.parametrize(
    "score",
    [
        pytest.param(make_score(), id="band"),
        pytest.param(make_score(2, 3), id="shorter than a window"),
        pytest.param(
            make_score(3, 9, metres=((4, 4), (3, 4), (7, 8)), resolution=1920), id="mixed metres at 1920"
        ),
        pytest.param(make_score(2, 5, metres=((12, 16),), resolution=96), id="a metre of equal length"),
        pytest.param(make_score(1, 1), id="a single bar"),
    ],
)
def test_only_asked_bars_differ(engine, score):
    rng = random.Random(7)
    for asked in requests_at_random(rng, score, 6):
        session = engine.session(score, asked)
        result = session.run()
        cells = {(p.id, b) for p in session.request.tracks for b in p.bars}
        assert changed_cells(score, result) <= cells
        for t, b in cells:
            first, last = result.table.note_rows(t, b)
            assert last > first, "a written bar holds at least one note"
            notes = result.table.notes[first:last]
            assert (
                notes[:, 0]
                < _core.bar_ticks(*result.table.bars[result.table.bar_rows(t)[0] + b, 1:3], score.resolution)
            ).all()


def test_results_end_in_the_scores_own_resolution_and_ring_no_further_than_the_piece(engine):
    score = make_score(resolution=480)
    result = engine.session(score, request(TrackPrompt(0, [7]))).run()
    first, last = result.table.note_rows(0, 7)
    notes = result.table.notes[first:last]
    assert result.resolution == 480 and (notes[:, 0] % 40 == 0).all()
    assert (notes[:, 0] + notes[:, 1] <= 1920).all()


def test_the_same_seed_gives_the_same_music_and_another_seed_other_music(engine, score):
    asked = request(TrackPrompt(0, [2, 3]), TrackPrompt(1, autoregressive=True))
    session = engine.session(score, asked)
    first = session.run()
    assert session.run().hash() == first.hash() == engine.session(score, asked).run().hash()
    asked.config.seed = 2
    assert engine.session(score, asked).run().hash() != first.hash()


def test_an_unseeded_run_can_be_replayed(engine, score):
    session = engine.session(score, request(TrackPrompt(0, [2]), seed=-1))
    first = session.run()
    again = engine.session(score, request(TrackPrompt(0, [2]), seed=session.resolved_seed)).run()
    assert again.hash() == first.hash()
    assert engine.session(score, request(TrackPrompt(0, [2]), seed=-1)).resolved_seed != session.resolved_seed


def test_global_random_state_request_and_score_are_left_alone(engine, score):
    asked = request(TrackPrompt(0, [3, 2]), TrackPrompt(1, autoregressive=True))
    hash_before, bars_before = score.hash(), list(asked.tracks[0].bars)
    states = random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()
    engine.session(score, asked).run()
    assert (random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()) == states
    assert score.hash() == hash_before and asked.tracks[0].bars == bars_before and asked.tracks[1].bars == []


def test_the_stream_tells_what_the_result_holds(engine, score):
    asked = request(TrackPrompt(0, [2, 3]), TrackPrompt(2, autoregressive=True), bars_per_step="auto")
    session = engine.session(score, asked)
    events = list(session.stream())
    assert isinstance(events[0], ev.StepStarted) and isinstance(events[-1], ev.Finished)
    assert sum(isinstance(e, ev.Finished) for e in events) == 1
    heard: dict = {}
    for event in events:
        if isinstance(event, ev.NotesArrived):
            heard.setdefault((event.track, event.bar), []).extend(event.notes)
        elif isinstance(event, ev.AttemptRejected):
            for cell in event.cells:
                heard.pop(cell, None)
    result = events[-1].score
    for (t, b), notes in heard.items():
        first, last = result.table.note_rows(t, b)
        assert sorted(notes) == sorted(
            (p, v, o, d) for o, d, p, v, _ in result.table.notes[first:last].tolist()
        )
    finished = {(e.track, e.bar) for e in events if isinstance(e, ev.BarFinished)}
    assert finished == set(heard) == {(0, 2), (0, 3), *((2, b) for b in range(8))}
    assert session.run().hash() == result.hash()
    started = [e for e in events if isinstance(e, ev.StepStarted)]
    assert [e.step for e in started] == list(range(started[0].n_steps))
    assert events[-1].tokens == session.gen_count > 0


def test_hard_limits_hold(engine, score):
    limited = request(
        TrackPrompt(0, [1, 2, 3]),
        TrackPrompt(1, autoregressive=True),
        density_hard_limit=5,
        polyphony_hard_limit=2,
    )
    result = engine.session(score, limited).run()
    for t, b in [(0, 1), (0, 2), (0, 3), *((1, b) for b in range(8))]:
        first, last = result.table.note_rows(t, b)
        onsets = result.table.notes[first:last, 0]
        assert 1 <= len(onsets) <= 5
        assert np.unique(onsets, return_counts=True)[1].max() <= 2


def test_metres_are_kept_by_autoregressive_steps(engine):
    score = make_score(2, 8, metres=((4, 4), (3, 4)))
    result = engine.session(score, request(TrackPrompt(0, autoregressive=True), model_dim=8)).run()
    assert changed_cells(score, result) == {(0, b) for b in range(8)}


# --- attributes -----------------------------------------------------------------------------------


def prompts_of(engine, score, asked, monkeypatch):
    """Token rows (type, value) of every step's prompt."""
    from midigpt_nb.inference.prompt import PromptWriter

    seen = []
    original = PromptWriter.write

    def spy(self, *args):
        prompt = original(self, *args)
        seen.append(prompt)
        return prompt

    monkeypatch.setattr(PromptWriter, "write", spy)
    session = engine.session(score, asked)
    session.run()
    decode = engine.tokenizer.vocab.decode
    return session, [[(kind.name, value) for kind, value in map(decode, p.tokens.tolist())] for p in seen]


def bars_in(rows, track):
    """The bars of the n-th track of a prompt, each a list of (type, value)."""
    tracks = [i for i, (kind, _) in enumerate(rows) if kind == "Track"] + [len(rows)]
    part = rows[tracks[track] : tracks[track + 1]]
    starts = [i for i, (kind, _) in enumerate(part) if kind == "Bar"] + [len(part)]
    return [part[a:b] for a, b in pairwise(starts)]


def test_bar_wishes_stand_at_their_own_bars_and_context_tells_its_own_values(engine, score, monkeypatch):
    asked = request(
        TrackPrompt(0, [5, 6], bar_attributes={6: {"note_density": 9}}), model_dim=4, bars_per_step="auto"
    )
    session, (rows,) = prompts_of(engine, score, asked, monkeypatch)
    start = session.plan_summary()[0]["window"][0]
    assert start > 0
    grid = engine.piece(score.table, min_bars=4).grid
    own = engine.attributes.bar_values(grid, 0)["bar_note_density"]
    said = [dict(bar).get("BarLevelOnsetDensity") for bar in bars_in(rows, 0)]
    expected = [None if b == 5 else 9 if b == 6 else int(own[b]) for b in range(start, start + 4)]
    assert said == expected


def test_track_attributes_describe_visible_context_and_an_empty_track_says_nothing(engine, monkeypatch):
    score = make_score(2, 4)
    empty = Score([score.tracks[0], Track([Bar() for _ in range(4)], instrument=30, track_type="melodic")])
    asked = request(TrackPrompt(1, [1], attributes={"note_density": 7}), model_dim=4)
    _, (rows,) = prompts_of(engine, empty, asked, monkeypatch)
    second = [i for i, (kind, _) in enumerate(rows) if kind == "Track"][1]
    until_bar = rows[second + 2 : rows.index(("Bar", 0), second)]
    assert until_bar == [("NoteDensity", 7)]


def test_what_is_to_be_written_does_not_colour_the_attributes(engine, score, monkeypatch):
    asked = request(TrackPrompt(0, [2]), model_dim=8)
    _, (rows,) = prompts_of(engine, score, asked, monkeypatch)
    loud = score.copy()
    loud.tracks[0].bars[2].notes = [Note(30 + i, 100, 10 * i, 5) for i in range(60)]
    _, (other,) = prompts_of(engine, loud, asked, monkeypatch)
    assert rows == other


def test_later_targets_are_hidden_unless_asked_for(engine, score, monkeypatch):
    for shown, hidden_bars in (("hide", 1), ("show", 0)):
        asked = request(TrackPrompt(0, [2, 3]), model_dim=8, later_targets=shown)
        _, prompts = prompts_of(engine, score, asked, monkeypatch)
        assert [sum(kind == "MaskBar" for kind, _ in rows) for rows in prompts] == [hidden_bars, 0]


def test_hidden_bars_come_back_unchanged_and_are_not_fed(engine, score, monkeypatch):
    asked = request(TrackPrompt(0, [2]), TrackPrompt(1, mask_bars=[0, 1]), model_dim=8)
    session, (rows,) = prompts_of(engine, score, asked, monkeypatch)
    hidden = [bar for bar in bars_in(rows, 1) if ("MaskBar", 0) in bar]
    assert len(hidden) == 2 and all(
        {kind for kind, _ in bar} == {"Bar", "TimeSig", "MaskBar", "BarEnd"} for bar in hidden
    )
    assert changed_cells(score, session.run()) == {(0, 2)}


def test_autoregressive_wishes_are_announced(engine, score):
    prompt = TrackPrompt(
        0, autoregressive=True, attributes={"max_polyphony": 3}, bar_attributes={5: {"note_density": 2}}
    )
    session = engine.session(score, request(prompt, model_dim=4, bars_per_step="auto"))
    session.run()
    rows = {(r.name, r.bar): r for r in session.report()}
    assert (rows["max_polyphony", None].requested, rows["max_polyphony", None].announced) == (3, 3)
    assert (rows["bar_note_density", 5].requested, rows["bar_note_density", 5].announced) == (2, 2)
    assert rows["bar_note_density", 4].requested is None


def test_the_report_measures_the_result(engine, score):
    session = engine.session(
        score,
        request(
            TrackPrompt(0, [1, 2], attributes={"note_density": 4}, bar_attributes={2: {"note_density": 0}})
        ),
    )
    result = session.run()
    grid = engine.piece(result.table, min_bars=4).grid
    rows = {(r.name, r.bar): r for r in session.report()}
    row = rows["note_density", None]
    assert (row.requested, row.announced) == (4, 4)
    assert row.realised == engine.attributes.track_values(grid, 0, bars=[1, 2])["note_density"]
    bar = rows["bar_note_density", 2]
    assert bar.realised == engine.attributes.bar_values(grid, 0)["bar_note_density"][2]
    assert bar.adherence == 1 - abs(bar.realised - 0) / (bar.size - 1)
    assert rows["bar_note_density", 1].adherence is None


def test_the_key_that_was_realised_is_that_of_the_window(engine):
    """A piece in C with one window in F sharp: a bar written there is measured against its neighbours."""

    def chord(*pitches):
        return Bar([Note(p, 90, 0, 1900) for p in pitches])

    c_major, f_sharp = chord(60, 64, 67, 48, 72), chord(66, 70, 73, 54, 78)
    far = [c_major] * 28
    score = Score([Track([*far, *[f_sharp] * 4]), Track([*far, f_sharp, Bar(), f_sharp, f_sharp])])
    asked = request(TrackPrompt(1, [29]), model_dim=4, density_hard_limit=1, polyphony_hard_limit=1)
    session = engine.session(score, asked)
    result = session.run()
    ((start, end),) = [step["window"] for step in session.plan_summary()]
    window = engine.piece(result.table, min_bars=4).grid.window([0, 1], start, end)
    key = next(r for r in session.report() if r.name == "key_signature")
    assert key.realised == engine.attributes.track_values(window, 1)["key_signature"] == 6


def test_attributes_that_an_earlier_result_carries_are_ignored(engine, score, monkeypatch):
    asked = request(TrackPrompt(0, [2]), model_dim=8)
    _, (rows,) = prompts_of(engine, score, asked, monkeypatch)
    stale = score.copy()
    stale.tracks[0].attributes = {"note_density": 9, "max_polyphony": 9}
    _, (other,) = prompts_of(engine, stale, asked, monkeypatch)
    assert rows == other


# --- attempts, failures, cancelling ---------------------------------------------------------------


def note_script(engine_maker, tokens):
    """An engine that keeps saying the same block."""
    return engine_maker(lambda fed: tokens)


def test_rejected_attempts_are_retracted_and_the_next_one_draws_anew(engine, score, scripted):
    """A model that repeats the old bar: the first attempt is refused, and so are the others."""
    first, last = score.table.note_rows(2, 4)
    old = sorted((int(o) // 40, int(p)) for o, p in score.table.notes[first:last, [0, 2]])
    encode = engine.tokenizer.vocab.encode
    stream, position = [], 0
    for onset, pitch in old:
        if onset > position:
            stream.append(encode(T.TimeAbsolutePos, onset))
            position = onset
        stream.append(encode(T.NoteOnset, pitch))
    stream.append(encode(T.FillInEnd, 0))
    start = encode(T.FillInStart, 0)
    parrot = scripted(lambda fed: stream[len(fed) - fed.index(start) - 1])
    session = parrot.session(score, request(TrackPrompt(2, [4]), density_hard_limit=0, max_attempts=2))
    events = list(session.stream())
    rejected = [e for e in events if isinstance(e, ev.AttemptRejected)]
    assert [(e.attempt, e.reasons, e.cells) for e in rejected] == [
        (0, ("novelty",), ((2, 4),)),
        (1, ("novelty",), ((2, 4),)),
    ]
    assert events[-1].status == "failed" and events[-1].score.hash() == score.hash()
    with pytest.raises(NoAcceptableCandidate, match=r"novelty 2 times.*novelty_check=False") as caught:
        session.run()
    assert caught.value.reasons == {"novelty": 2} and caught.value.partial.hash() == score.hash()
    relaxed = parrot.session(score, request(TrackPrompt(2, [4]), density_hard_limit=0, novelty_check=False))
    assert {
        (int(o) // 40, int(p))
        for o, p in relaxed.run().table.notes[slice(*score.table.note_rows(2, 4))][:, [0, 2]]
    } == set(old)


def test_attempts_draw_different_music(engine, score):
    """With an impossible threshold every attempt is rejected; their notes differ."""
    session = engine.session(
        score, request(TrackPrompt(0, [2]), novelty_threshold=1e-9, max_attempts=3, temperature=1.0)
    )
    heard = {}
    for event in session.stream():
        if isinstance(event, ev.NotesArrived):
            heard.setdefault(event.attempt, []).extend(event.notes)
    assert len({tuple(notes) for notes in heard.values()}) == len(heard)


def test_finished_steps_survive_a_failure(engine, score, scripted):
    """Step 0 writes something new, step 1 only what was there."""
    encode = engine.tokenizer.vocab.encode
    fresh = Score([Track([Bar([Note(60, 64, 0, 40)]) for _ in range(8)])])
    start = encode(T.FillInStart, 0)

    def script(fed):
        written = fed[fed.index(start) + 1 :]
        second = encode(T.NoteOnset, 99) in fed[: fed.index(start)]
        stream = [
            encode(T.NoteOnset, 60 if second else 99),
            encode(T.NoteDuration, 0),
            encode(T.FillInEnd, 0),
        ]
        return stream[len(written)]

    session = scripted(script).session(fresh, request(TrackPrompt(0, [2, 3]), bars_per_step=1, model_dim=8))
    with pytest.raises(NoAcceptableCandidate) as caught:
        session.run()
    assert changed_cells(fresh, caught.value.partial) == {(0, 2)}


def test_cancelling_keeps_finished_bars_and_is_quick(engine, score):
    session = engine.session(score, request(TrackPrompt(0, [1, 2, 3, 4]), bars_per_step="auto"))
    stopped = None
    for event in session.stream():
        if isinstance(event, ev.BarFinished) and event.bar == 2:
            session.cancel_event.set()
            stopped = time.perf_counter()
    assert time.perf_counter() - stopped < 0.5
    assert isinstance(event, ev.Finished) and event.status == "cancelled"
    kept = changed_cells(score, event.score)
    assert {(0, 1), (0, 2)} <= kept <= {(0, 1), (0, 2), (0, 3)}
    with pytest.raises(GenerationCancelled) as caught:
        session.run()
    assert caught.value.partial.hash() == score.hash()  # the event was still set


def test_a_long_prompt_is_cancelled_between_chunks(score, scripted):
    slow = scripted(max_context=2048, prefill_chunk=16)
    event = threading.Event()

    class AfterThree:
        calls = 0

        def is_set(self):
            self.calls += 1
            return self.calls > 3 or event.is_set()

    session = slow.session(score, request(TrackPrompt(0, [4]), model_dim=8))
    session.cancel_event = AfterThree()
    events = list(session.stream())
    assert events[-1].status == "cancelled" and len(slow.backend.fed) == 3
    assert all(len(tokens) == 16 for tokens, _ in slow.backend.fed)


def test_cancelling_from_another_thread(engine, score):
    session = engine.session(score, request(TrackPrompt(0, autoregressive=True), density_hard_limit=0))
    timer = threading.Timer(0.05, session.cancel_event.set)
    timer.start()
    with pytest.raises(GenerationCancelled):
        for _ in range(200):
            session.run()
    timer.join()


def test_several_sessions_at_once_do_not_disturb_each_other(engine, score):
    asked = [request(TrackPrompt(i % 3, [2, 5]), seed=i) for i in range(6)]
    alone = [engine.session(score, r).run().hash() for r in asked]
    together: dict[int, str] = {}

    def work(i):
        together[i] = engine.session(score, asked[i]).run().hash()

    threads = [threading.Thread(target=work, args=(i,)) for i in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [together[i] for i in range(6)] == alone


def test_a_model_that_breaks_is_told_as_a_failure_that_keeps_finished_bars(score, scripted):
    calls = 0

    def script(fed):
        nonlocal calls
        calls += 1
        if calls > 40:
            raise MemoryError("no room")
        return None

    session = scripted(script).session(score, request(TrackPrompt(0, list(range(8))), bars_per_step=1))
    event = list(session.stream())[-1]
    assert event.status == "failed" and isinstance(event.error.__cause__, MemoryError)
    kept = changed_cells(score, event.score)
    assert kept and kept < {(0, b) for b in range(8)}
    with pytest.raises(GenerationError, match="no room") as caught:
        session.run()
    assert caught.value.partial.hash() == score.hash() and caught.value.status == "failed"


# --- context and budget ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def small_engine(tmp_path_factory):
    """A model that holds only 256 tokens."""
    return InferenceEngine.from_checkpoint(
        write_tiny_checkpoint(tmp_path_factory.mktemp("m") / "small.safetensors", context=256)
    )


def test_what_does_not_fit_is_left_out_by_whole_tracks(small_engine):
    score = make_score(6, 8)
    asked = request(TrackPrompt(0, [4]), model_dim=8, context_keep=[5], context_drop=[1])
    session = small_engine.session(score, asked)
    assert (
        1 in session.dropped_context and 5 not in session.dropped_context and 0 not in session.dropped_context
    )
    started = next(e for e in session.stream() if isinstance(e, ev.StepStarted))
    assert not set(started.context_tracks) & set(session.dropped_context)
    assert changed_cells(score, session.run()) == {(0, 4)}


def test_a_written_track_too_long_for_the_window_gets_a_narrower_one(small_engine):
    score = make_score(1, 16, notes_per_bar=8)
    session = small_engine.session(score, request(TrackPrompt(0, [9]), model_dim=16))
    (step,) = session.plan_summary()
    assert step["window"][1] - step["window"][0] < 16
    assert changed_cells(score, session.run()) == {(0, 9)}


def test_nothing_that_fits_is_an_error_with_the_numbers(small_engine):
    score = make_score(1, 4, notes_per_bar=80)
    session = small_engine.session(score, request(TrackPrompt(0, [1])))
    with pytest.raises(ContextOverflow, match="256") as caught:
        session.run()
    assert (
        caught.value.limit == 256
        and caught.value.tokens > 254
        and caught.value.partial.hash() == score.hash()
    )


def test_a_full_context_keeps_what_was_finished_and_the_old_rest(scripted, engine):
    """The model never ends its second bar: the first is kept, the second stays as it was."""
    encode = engine.tokenizer.vocab.encode
    score = make_score(1, 4)
    end, start = encode(T.FillInEnd, 0), encode(T.FillInStart, 0)

    def script(fed):
        written = fed[fed.index(start) + 1 :]
        if end not in written:
            return [encode(T.NoteOnset, 61), encode(T.NoteDuration, 3), end][min(len(written), 2)]
        return encode(T.NoteOnset, 62) if len(written) % 2 else encode(T.NoteDuration, 3)

    session = scripted(script, max_context=200).session(
        score, request(TrackPrompt(0, [1, 2]), bars_per_step="auto", density_hard_limit=0)
    )
    result = session.run()
    assert session.truncated and changed_cells(score, result) == {(0, 1)}


def test_a_whole_piece_can_be_rewritten_though_its_tracks_never_fit_together(small_engine):
    """Every track is to be written, so none can be left out everywhere; a step leaves out those it must."""
    score = make_score(8, 4, notes_per_bar=8)
    prompts = [TrackPrompt(t, [0, 1, 2, 3]) for t in range(8)]
    session = small_engine.session(score, request(*prompts, bars_per_step="auto", density_hard_limit=8))
    events = list(session.stream())
    assert events[-1].status == "done"
    assert changed_cells(score, events[-1].score) == {(t, b) for t in range(8) for b in range(4)}
    kept = request(*prompts, bars_per_step="auto", density_hard_limit=8, context="all")
    failed = list(small_engine.session(score, kept).stream())[-1]
    assert failed.status == "failed" and isinstance(failed.error, ContextOverflow)
    assert "set context='auto'" in str(failed.error) and changed_cells(score, failed.score)


def test_silent_context_is_not_shown(engine):
    score = make_score(3, 8)
    quiet = Score([*score.tracks, Track([Bar() for _ in range(8)], instrument=40, track_type="melodic")])
    for setting, shown in (("auto", [1, 2]), ("all", [1, 2, 3])):
        session = engine.session(quiet, request(TrackPrompt(0, [2]), model_dim=8, context=setting))
        assert next(iter(session.stream())).context_tracks == shown


def test_an_unknown_metre_is_a_problem_only_where_a_window_uses_it(engine):
    bars = [Bar([Note(60, 90, 0, 100)], *((4, 4) if b else (19, 32))) for b in range(12)]
    score = Score([Track(bars)])
    with pytest.raises(
        RequestValidationError, match=r"tracks\[0\].bars\[0\].*does not know this metre.*19/32"
    ):
        engine.session(score, request(TrackPrompt(0, [1]), model_dim=4))
    result = engine.session(score, request(TrackPrompt(0, [9]), model_dim=4)).run()
    assert changed_cells(score, result) == {(0, 9)}


def test_settings_that_thin_out_or_only_plan(engine, score):
    session = engine.session(score, request(TrackPrompt(0, list(range(8))), infill_probability=0.25))
    assert len(session.generated_bars[0]) == 2
    assert changed_cells(score, session.run()) == {(0, b) for b in session.generated_bars[0]}
    for write in ("run", "stream", "run_variations"):
        with pytest.raises(RequestValidationError, match=r"plan_summary\(\)"):
            getattr(engine.session(score, request(TrackPrompt(0, [2]), plan_only=True)), write)()


def test_plans_are_those_of_the_planner(engine, score):
    session = engine.session(score, request(TrackPrompt(0, [4, 5, 6, 7]), model_dim=4, bars_per_step=2))
    assert session.plan_summary() == [
        {"window": [3, 7], "autoregressive": False, "generate": {"0": [4, 5]}},
        {"window": [4, 8], "autoregressive": False, "generate": {"0": [6, 7]}},
    ]


@pytest.mark.parametrize("window", [8, 12, 16])
def test_a_piece_shorter_than_the_window_that_was_asked_for_is_padded(engine, window):
    score = make_score(2, 6)
    prompts = TrackPrompt(0, [2]), TrackPrompt(1, autoregressive=True)
    session = engine.session(score, request(*prompts, model_dim=window))
    assert {tuple(step["window"]) for step in session.plan_summary()} == {(0, window)}
    started = [e for e in session.stream() if isinstance(e, ev.StepStarted)]
    assert {e.window for e in started} == {(0, 6)}
    assert changed_cells(score, session.run()) == {(0, 2), *((1, b) for b in range(6))}


def test_huge_numbers_are_limits_that_nothing_reaches(engine, score):
    many = 10**30
    limits = {"polyphony_hard_limit": many, "tracks_per_step": many, "min_overlap_bars": many, "top_k": many}
    asked = request(TrackPrompt(0, [2]), seed=many, max_attempts=many, **limits)
    assert changed_cells(score, engine.session(score, asked).run()) == {(0, 2)}


def test_variations_are_numbered_and_replayable(engine, score):
    session = engine.session(score, request(TrackPrompt(0, [2]), num_candidates=3))
    takes = session.run_variations()
    assert [t["seed"] for t in takes] == [1, 2, 3] and len({t["score"].hash() for t in takes}) == 3
    again = engine.session(score, request(TrackPrompt(0, [2]), seed=3)).run()
    assert again.hash() == takes[2]["score"].hash() and takes[2]["error"] is None


def test_the_examples_of_the_getting_started_page_run(engine):
    """As they stand there, but for the model's name and a limit that keeps a random model brief."""
    score = Score(
        tracks=[Track(bars=[Bar() for _ in range(8)], instrument=0, track_type="melodic") for _ in range(3)],
        resolution=480,
        tempo=500000,
    )

    def written(*tracks, **config):
        asked = GenerationRequest(
            tracks=list(tracks),
            config=InferenceConfig(temperature=1.0, model_dim=8, density_hard_limit=6, **config),
        )
        return changed_cells(score, engine.session(score, asked).run())

    infill = TrackPrompt(id=0, bars=[4, 5, 6, 7])
    assert written(infill, TrackPrompt(id=1, bars=[], ignore=True), top_p=0.95) == {
        (0, b) for b in range(4, 8)
    }
    continued = TrackPrompt(
        id=0,
        bars=[],
        autoregressive=True,
        attributes={"max_polyphony": 3},
        controls={"time_signature": 0},
    )
    assert written(continued, polyphony_hard_limit=4) == {(0, b) for b in range(8)}
    shaped = TrackPrompt(
        id=0,
        bars=[0, 1, 2, 3],
        attributes={"note_density": 5},
        bar_attributes={0: {"note_density": 2}, 3: {"note_density": 8}},
    )
    assert written(shaped) == {(0, b) for b in range(4)}


# --- the engine itself ----------------------------------------------------------------------------


def test_every_prompt_token_is_fed_once_and_retries_reuse_it(scripted, score):
    replay = scripted(prefill_chunk=2048)
    session = replay.session(
        score, request(TrackPrompt(0, [2]), novelty_threshold=1e-9, max_attempts=3, model_dim=8)
    )
    list(session.stream())
    long_feeds = [tokens for tokens, _ in replay.backend.fed if len(tokens) > 20]
    assert len(long_feeds) == 1


def test_cached_and_whole_prompts_agree(engine, score, monkeypatch):
    """The logits of a session's sequence, token by token, are those of one pass over all of it."""
    from midigpt_nb.inference.backends.gpt2 import GPT2Decoding

    seen = []
    original = GPT2Decoding.logits

    def spy(self, tokens, positions):
        out = original(self, tokens, positions)
        seen.append((tokens[0].tolist(), positions.tolist(), out[0].copy()))
        return out

    monkeypatch.setattr(GPT2Decoding, "logits", spy)
    fed = []
    original_feed = GPT2Decoding.feed

    def spy_feed(self, tokens, positions):
        fed.append((tokens[0].tolist(), positions.tolist()))
        return original_feed(self, tokens, positions)

    monkeypatch.setattr(GPT2Decoding, "feed", spy_feed)
    asked = request(
        TrackPrompt(0, [2]),
        TrackPrompt(1, mask_bars=[3, 4]),
        model_dim=8,
        mask_mode="attention",
        novelty_check=False,
    )
    engine.session(score, asked).run()
    monkeypatch.undo()
    tokens = [t for part, _ in fed for t in part] + [t for part, _, _ in seen for t in part]
    positions = [p for _, part in fed for p in part] + [p for _, part, _ in seen for p in part]
    assert positions != list(range(len(positions))), "hidden bars leave gaps"
    whole = engine.backend.start().logits(np.array([tokens]), np.array(positions))
    np.testing.assert_allclose(whole[0], seen[-1][2], atol=1e-4)


def test_a_prompt_that_ends_in_a_hidden_bar_goes_on_from_the_last_visible_token(scripted, score):
    replay = scripted(prefill_chunk=2048)
    prompt = TrackPrompt(0, [6, 7], autoregressive=True, mask_bars=[5])
    session = replay.session(score, request(prompt, model_dim=8, mask_mode="attention"))
    session.run()
    (fed, places), (last, at), (_, after) = replay.backend.fed[:3]
    bar_end = replay.tokenizer.vocab.encode(T.BarEnd, 0)
    assert last[0] == bar_end and at[0] == places[-1] + 1, "the end of bar 4, the last one that is visible"
    assert after[0] > at[-1] + 3, "new tokens are numbered on behind the hidden bar"
    assert len(fed) == len(places) and changed_cells(score, session.run()) <= {(0, 6), (0, 7)}


def test_forced_tokens_ride_along(scripted, score):
    """Two blocks: the end of the first and the start of the second are fed in one call."""
    replay = scripted()
    session = replay.session(
        score, request(TrackPrompt(0, [2, 3]), bars_per_step="auto", model_dim=8, novelty_check=False)
    )
    session.run()
    end, start = (replay.tokenizer.vocab.encode(kind, 0) for kind in (T.FillInEnd, T.FillInStart))
    assert any(tokens[-2:] == [end, start] for tokens, _ in replay.backend.fed[1:])


def test_names_of_the_reference_stay(engine):
    assert (
        engine._analyzer is engine.attributes
        and engine._tokenizer is engine.tokenizer
        and engine._model is engine.backend
    )
    assert engine.attributes.attribute_sizes()["note_density"] == 10
    assert engine.limits.window_bars == (4, 8, 12, 16) and engine.limits.mask_modes[0] == "token"


def test_importing_the_package_does_not_load_torch():
    import subprocess
    import sys

    code = (
        "import sys, midigpt_nb.inference as i\n"
        "i.InferenceEngine, i.SamplingSession, i.validate_request\n"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
