"""Sessions from end to end: what is returned, what is told, what is left alone."""

from __future__ import annotations

import random
import threading

import numpy as np
import pytest
import torch

from midigpt_nb import _core
from midigpt_nb.errors import RequestValidationError
from midigpt_nb.inference import GenerationRequest, InferenceConfig, TrackPrompt
from midigpt_nb.inference import events as ev
from midigpt_nb.score.model import Bar, Score, Track

from .asking import changed_cells, request
from .conftest import make_score


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
    for asked in requests_at_random(rng, score, 6 if score.n_tracks == 3 else 3):
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
    asked = request(TrackPrompt(0, [2, 3]), TrackPrompt(1, [5, 6, 7], autoregressive=True))
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


def test_d24_u8_global_random_state_request_and_score_are_left_alone(engine, score):
    asked = request(TrackPrompt(0, [3, 2]), TrackPrompt(1, autoregressive=True))
    hash_before, bars_before = score.hash(), list(asked.tracks[0].bars)
    states = random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()
    engine.session(score, asked).run()
    assert (random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()) == states
    assert score.hash() == hash_before and asked.tracks[0].bars == bars_before and asked.tracks[1].bars == []


def test_u6_p12_the_stream_tells_what_the_result_holds(engine, score):
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


def test_u15_several_sessions_at_once_do_not_disturb_each_other(engine, score):
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


def test_d24_settings_that_thin_out_or_only_plan(engine, score):
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


def test_huge_numbers_are_limits_that_nothing_reaches(engine, score):
    many = 10**30
    limits = {"polyphony_hard_limit": many, "tracks_per_step": many, "min_overlap_bars": many, "top_k": many}
    asked = request(TrackPrompt(0, [2]), seed=many, max_attempts=many, **limits)
    assert changed_cells(score, engine.session(score, asked).run()) == {(0, 2)}


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


def test_k9_names_of_the_reference_stay(engine):
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
