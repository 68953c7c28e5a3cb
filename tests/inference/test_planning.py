"""What a session decides before the first token: bars, windows, steps, metres, what is left out."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from midigpt_nb.attributes import AttributeAnalyzer
from midigpt_nb.errors import RequestValidationError
from midigpt_nb.inference import GenerationRequest, InferenceConfig, TrackPrompt
from midigpt_nb.inference.backends.scripted import ScriptedBackend
from midigpt_nb.inference.engine import InferenceEngine
from midigpt_nb.inference.planning import Planner, Said, summary
from midigpt_nb.inference.steps import Wishes
from midigpt_nb.inference.validation import validate_request
from midigpt_nb.score.model import Bar, Note, Score, Track
from midigpt_nb.tokenizer import Tokenizer

from .conftest import make_score

CONFIGS = Path(__file__).parent.parent / "reference" / "configs"
AUTO = {"model_dim": "auto", "bars_per_step": "auto", "tracks_per_step": "auto"}


def published(name, **facts):
    """An engine with the vocabulary of a published model, and no model."""
    tokenizer = Tokenizer(json.loads((CONFIGS / f"{name}.json").read_text()))
    return InferenceEngine(ScriptedBackend(tokenizer.vocab.size, **facts), tokenizer, name=name)


@pytest.fixture(scope="module")
def yellow():
    return published("yellow")


@pytest.fixture
def pocket(scripted):
    return scripted()


def planner(engine, score, *tracks, controls=None, **config):
    request = GenerationRequest(list(tracks), InferenceConfig(**config), controls or {})
    valid = validate_request(request, score, engine.tokenizer.config, engine.attributes)

    return Planner(engine, score, valid, seed=1)


def plan_text(plan):
    """``[0,8) 0:4-5`` per step: window, then track:bars; ``ar`` in front of autoregressive ones."""
    rows = []
    for step in summary(plan):
        start, end = step["window"]
        written = " ".join(f"{t}:{_runs(bars)}" for t, bars in step["generate"].items())
        rows.append(f"{'ar ' if step['autoregressive'] else ''}[{start},{end}) {written}")
    return "; ".join(rows)


def _runs(bars):
    runs = []
    for bar in bars:
        if runs and runs[-1][1] == bar - 1:
            runs[-1][1] = bar
        else:
            runs.append([bar, bar])
    return ",".join(str(a) if a == b else f"{a}-{b}" for a, b in runs)


# --- the worked plans, for settings that are left open --------------------------------------------


@pytest.mark.parametrize(
    ("n_bars", "tracks", "config", "expected"),
    [
        pytest.param(
            16,
            [TrackPrompt(0, autoregressive=True)],
            AUTO,
            "ar [0,16) 0:0-15",
            id="all of 16 bars, window auto",
        ),
        pytest.param(
            16,
            [TrackPrompt(0, autoregressive=True)],
            {"model_dim": 8, "bars_per_step": "auto"},
            "ar [0,8) 0:0-7; ar [4,12) 0:8-11; ar [8,16) 0:12-15",
            id="window 8",
        ),
        pytest.param(
            40,
            [TrackPrompt(0, [20])],
            {"model_dim": "auto", "bars_per_step": 1},
            "[12,28) 0:20",
            id="one bar in 40, window auto",
        ),
        pytest.param(
            8,
            [TrackPrompt(0, [1, 2]), TrackPrompt(1, [1]), TrackPrompt(2, [6])],
            {"model_dim": 4, "bars_per_step": "auto", "tracks_per_step": "auto"},
            "[0,4) 0:1-2 1:1; [4,8) 2:6",
            id="tracks together",
        ),
        pytest.param(
            10,
            [TrackPrompt(0, autoregressive=True), TrackPrompt(1, [2, 3])],
            {"model_dim": 8, "bars_per_step": "auto", "tracks_per_step": "auto"},
            "ar [0,8) 0:0-7; ar [2,10) 0:8-9; [0,8) 1:2-3",
            id="mixed",
        ),
        pytest.param(
            10,
            [TrackPrompt(0, autoregressive=True), TrackPrompt(1, autoregressive=True)],
            {"model_dim": 4, "bars_per_step": "auto", "tracks_per_step": "auto"},
            "ar [0,4) 0:0-3; ar [2,6) 0:4-5; ar [4,8) 0:6-7; ar [6,10) 0:8-9; "
            "ar [0,4) 1:0-3; ar [2,6) 1:4-5; ar [4,8) 1:6-7; ar [6,10) 1:8-9",
            id="two autoregressive tracks",
        ),
        pytest.param(
            10,
            [TrackPrompt(0, autoregressive=True), TrackPrompt(1, autoregressive=True)],
            {"model_dim": 8, "bars_per_step": "auto", "tracks_per_step": 2},
            "ar [0,8) 0:0-7; ar [0,8) 1:0-7; ar [2,10) 0:8-9; ar [2,10) 1:8-9",
            id="u16 in turns",
        ),
    ],
)
def test_worked_plans(pocket, n_bars, tracks, config, expected):
    score = make_score(3, n_bars, notes_per_bar=1)
    assert plan_text(planner(pocket, score, *tracks, **config).plan) == expected


# --- wishes for single bars -----------------------------------------------------------------------

PAGE = TrackPrompt(
    0,
    [0, 1, 2, 3],
    attributes={"note_density": 5},
    bar_attributes={0: {"note_density": 2}, 3: {"note_density": 8}},
)


def test_per_bar_wishes_of_the_getting_started_page_stay_in_one_step_where_the_model_has_them(pocket):
    made = planner(pocket, make_score(), PAGE, model_dim=8, bars_per_step="auto")
    assert plan_text(made.plan) == "[0,8) 0:0-3"
    assert made.wishes.bars == {(0, 0): {"bar_note_density": 2}, (0, 3): {"bar_note_density": 8}}
    assert made.wishes.track_values(0, made.plan[0]) == {"note_density": 5}


def test_per_bar_wishes_of_a_track_attribute_make_steps_of_their_own(yellow):
    """The same request on drums of a model that has the attribute for whole tracks only."""
    score = Score([Track(track.bars, track_type="drum") for track in make_score(1).tracks])
    made = planner(yellow, score, PAGE, model_dim=8, bars_per_step="auto")
    assert plan_text(made.plan) == "[0,8) 0:0; [0,8) 0:1-2; [0,8) 0:3"
    assert [made.wishes.track_values(0, step)["note_density"] for step in made.plan] == [2, 5, 8]
    (first, hidden, _), *_ = made.situations(made.plan)
    prompt = made.prompt(first, 0, made.piece, hidden, Said())
    said = yellow.tokenizer.explain(prompt.tokens.tolist())
    assert [row.value for row in said if row.type == "NoteDensity"] == [2]


def test_a_bar_that_wishes_what_the_track_wishes_is_no_exception():
    wishes = Wishes({0: {"note_density": 5}}, {}, {(0, 1): {"note_density": 5}, (0, 2): {"note_density": 6}})
    assert [wishes.step_levels(0, bar) for bar in range(3)] == [
        {"note_density": 5},
        {"note_density": 5},
        {"note_density": 6},
    ]
    assert wishes.step_levels(1, 0) == {}


def test_runs_of_equal_wishes_are_continued_step_by_step(yellow):
    score = Score([Track(track.bars, track_type="drum") for track in make_score(1, 8).tracks])
    prompt = TrackPrompt(
        0, autoregressive=True, bar_attributes={b: {"note_density": b // 4 + 3} for b in range(8)}
    )
    made = planner(yellow, score, prompt, model_dim=8, bars_per_step="auto")
    assert plan_text(made.plan) == "ar [0,8) 0:0-3; ar [0,8) 0:4-7"
    assert [step.values for step in made.plan] == [{0: {"note_density": 3}}, {0: {"note_density": 4}}]


# --- any length -----------------------------------------------------------------------------------


def test_u13_a_track_goes_on_behind_the_end(pocket):
    score = make_score(3, 8)
    made = planner(
        pocket,
        score,
        TrackPrompt(0, list(range(8, 14)), autoregressive=True),
        model_dim=8,
        bars_per_step="auto",
    )
    assert plan_text(made.plan) == "ar [6,14) 0:8-13"
    assert made.piece.n_bars == made.piece.table.n_bars(2) == 14
    assert score.table.n_bars(0) == 8


def test_u13_new_bars_of_other_tracks_are_unwritten_not_silent(pocket):
    made = planner(
        pocket, make_score(3, 8), TrackPrompt(0, list(range(8, 12)), autoregressive=True), model_dim=8
    )
    step, hidden, _ = next(iter(made.situations(made.plan)))
    assert {(t, b) for t in (1, 2) for b in range(8, 12)} & {
        (t, b) for t in (1, 2) for b in range(step.start, step.end)
    } <= hidden
    assert not any(t == 0 for t, _ in hidden & {(0, step.start)})


def test_u13_a_new_track_needs_no_empty_bars(pocket):
    score = make_score(2, 8)
    new = TrackPrompt(2, list(range(8)), autoregressive=True, new={"instrument": 33, "track_type": "melodic"})
    made = planner(pocket, score, new, model_dim=8)
    assert plan_text(made.plan) == "ar [0,8) 2:0-7"
    assert made.piece.table.tracks[2, 1:].tolist() == [33, 0] and made.piece.table.n_bars(2) == 8


@pytest.mark.parametrize("window", [4, 8, "auto"])
def test_u4_a_short_piece_is_continued_within_a_padded_window(pocket, window):
    made = planner(
        pocket, make_score(2, 2), TrackPrompt(0, autoregressive=True), model_dim=window, bars_per_step="auto"
    )
    width = 4 if window == "auto" else window
    assert plan_text(made.plan) == f"ar [0,{width}) 0:0-1"
    (_, hidden, _), *_ = made.situations(made.plan)
    assert hidden >= {(1, b) for b in range(2, width)}


def test_u4_metres_of_equal_length_stand_for_each_other(pocket):
    bars = [Bar([Note(60, 90, 0, 100)], 12, 16) for _ in range(4)]
    made = planner(pocket, Score([Track(bars)]), TrackPrompt(0, [1]), model_dim=4)
    assert made.piece.grid.bars[0, 1:3].tolist() == [3, 4] and not made.piece.unknown
    assert made.piece.table.bars[0, 1:3].tolist() == [12, 16]


def test_u4_an_unknown_metre_matters_only_where_a_window_needs_it(pocket):
    score = Score([Track([Bar([Note(60, 90, 0, 100)], *((4, 4) if b else (19, 32))) for b in range(12)])])
    with pytest.raises(RequestValidationError, match=r"tracks\[0\].bars\[0\].*does not know this metre"):
        planner(pocket, score, TrackPrompt(0, [1]), model_dim=4)
    assert plan_text(planner(pocket, score, TrackPrompt(0, [9]), model_dim=4).plan) == "[7,11) 0:9"


# --- what is left out -----------------------------------------------------------------------------


def eight_notes():
    """Four melodic tracks of eight bars of eight notes: a prompt of 849 tokens."""
    notes = [Note(60 + i, 100, 240 * i, 240) for i in range(8)]
    tracks = [Track([Bar(list(notes)) for _ in range(8)], instrument=program) for program in (0, 24, 40, 56)]
    return Score(tracks)


@pytest.mark.parametrize(
    ("context", "config", "n_dropped", "bars_per_step"),
    [
        (2000, {}, 0, 2),
        (700, {}, 1, 2),
        (600, {}, 2, 2),
        (500, {}, 2, 2),
        (400, {}, 3, 2),
        (300, {}, 3, 2),
        (600, {"context_keep": [1], "context_drop": [3]}, 2, 2),
    ],
)
def test_the_worked_example_of_the_context_budget(context, config, n_dropped, bars_per_step):
    engine = published("yellow", max_context=context)
    made = planner(engine, eight_notes(), TrackPrompt(0, [4, 5]), model_dim=8, bars_per_step="auto", **config)
    assert len(made.dropped) == n_dropped and made.window == 8
    assert [len(step.cells) for step in made.plan] == [bars_per_step]
    if config:
        assert made.dropped == [2, 3]
    (step, hidden, _), *_ = made.situations(made.plan)
    assert made.prompt(step, 0, made.piece, hidden, Said()).length == 849 - 223 * n_dropped


def test_d23_steps_are_not_split_when_that_does_not_help():
    """Two bars in two steps need more room than in one: a narrower window is taken instead."""
    engine = published("yellow", max_context=600)
    listed = {"context": "listed", "context_drop": [3]}
    made = planner(engine, eight_notes(), TrackPrompt(0, [4, 5]), model_dim=8, bars_per_step="auto", **listed)
    assert made.window == 4 and plan_text(made.plan) == "[3,7) 0:4-5"
    (step, hidden, _), *_ = made.situations(made.plan)
    assert made.prompt(step, 0, made.piece, hidden, Said(), last=False) is not None


def test_p13_what_is_finished_is_not_planned_again(pocket):
    made = planner(pocket, make_score(1, 16), TrackPrompt(0, list(range(16))), model_dim=16)
    written = []
    plans = made.runs(written)
    first, last = next(plans)
    assert len(first) == 16 and not last
    written += [(0, b) for b in range(10)]
    second, _ = next(plans)
    assert [step.cells for step in second] == [[(0, b)] for b in range(10, 16)]
    assert {step.end - step.start for step in second} == {12}
    assert [last for _, last in plans] == [False, True]


def test_d25_later_bars_are_hidden_or_shown(pocket):
    for setting, expected in (("hide", {(0, 3), (1, 2)}), ("show", set())):
        made = planner(
            pocket,
            make_score(2),
            TrackPrompt(0, [2, 3]),
            TrackPrompt(1, [2]),
            model_dim=8,
            later_targets=setting,
        )
        (step, hidden, still_open), *_ = made.situations(made.plan)
        assert hidden == expected and step.cells == [(0, 2)]
        assert still_open == [(0, 2), (0, 3), (1, 2)]


def test_d33_tracks_without_a_prompt_are_context(pocket):
    made = planner(
        pocket, make_score(3), TrackPrompt(0, [4, 5, 6, 7]), TrackPrompt(1, ignore=True), model_dim=8
    )
    assert made.tracks == [0, 2]
    (step, hidden, _), *_ = made.situations(made.plan)
    assert made.prompt(step, 0, made.piece, hidden, Said()).context_tracks == [2]


def test_a_bar_can_be_planned_again(pocket):
    made = planner(
        pocket, make_score(2, 12), TrackPrompt(0, list(range(12)), autoregressive=True), model_dim=4
    )
    assert plan_text([made.again(0, 6)]) == "[4,8) 0:6"


def test_shuffled_steps_are_the_same_steps(pocket):
    plain = planner(pocket, make_score(1, 16), TrackPrompt(0, list(range(16))))
    mixed = planner(pocket, make_score(1, 16), TrackPrompt(0, list(range(16))), shuffle=True)
    assert plan_text(plain.plan) != plan_text(mixed.plan)
    assert sorted(s.cells for s in plain.plan) == sorted(s.cells for s in mixed.plan)


def test_a_wish_for_a_bar_is_told_by_the_attribute_it_was_checked_with(tokenizer):
    """Also where the model has one of bars that it was never taught: a step's level is told then."""
    rows = [
        dataclasses.replace(a, taught=a.name != "bar_note_density") for a in tokenizer.analyzer.attributes
    ]
    request = GenerationRequest([TrackPrompt(0, [1], bar_attributes={1: {"note_density": 3}})])
    untaught, taught = Wishes.of(request, AttributeAnalyzer(rows)), Wishes.of(request, tokenizer.analyzer)
    assert (untaught.bars, untaught.steps) == ({}, {(0, 1): {"note_density": 3}})
    assert (taught.bars, taught.steps) == ({(0, 1): {"bar_note_density": 3}}, {})
