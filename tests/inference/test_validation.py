"""What requests are refused, and in which words; every problem at once."""

from __future__ import annotations

import copy

import pytest

from midigpt_nb.errors import RequestValidationError
from midigpt_nb.inference import GenerationRequest, InferenceConfig, TrackPrompt, validate_request
from midigpt_nb.score.model import Bar, Note, Score, Track

from .conftest import make_score


def problems(tokenizer, *tracks, score=None, controls=None, **config):
    request = GenerationRequest(list(tracks), InferenceConfig(**config), dict(controls or {}))
    try:
        validate_request(request, score or make_score(), tokenizer.config, tokenizer.analyzer)
    except RequestValidationError as error:
        return [str(p) for p in error.problems]
    return []


OK = TrackPrompt(id=0, bars=[1])


def test_all_problems_come_at_once_each_with_its_place(tokenizer):
    prompt = TrackPrompt(
        0,
        [1, 99],
        mask_bars=[1],
        attributes={"note_densty": 3, "max_polyphony": 77},
        bar_attributes={1: {"tension": 1}},
    )
    found = problems(
        tokenizer,
        prompt,
        TrackPrompt(0, [2]),
        TrackPrompt(7, [0]),
        temperature=0,
        mask_mode="tokn",
        model_dim=5,
    )
    starts = [text.split(":")[0] for text in found]
    assert starts == [
        "config.temperature",
        "config.mask_mode",
        "config.model_dim",
        "tracks[1].id",
        "tracks[2].id",
        "tracks[0].mask_bars",
        "tracks[0].bars",
        "tracks[0].attributes['note_densty']",
        "tracks[0].attributes['max_polyphony']",
        "tracks[0].bar_attributes[1]['tension']",
    ]
    text = "\n".join(found)
    assert "did you mean 'note_density'?" in text and "did you mean 'token'?" in text
    assert "(given 77); allowed: 0..9" in text and "4, 8, 12, 16, 'auto'" in text


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"temperature": float("nan")}, "config.temperature"),
        ({"top_p": 0}, "> 0 and <= 1"),
        ({"top_p": True}, "config.top_p"),
        ({"top_k": 1.5}, "config.top_k"),
        ({"mask_p": 1.0}, "config.mask_p"),
        ({"mask_p": 0.5, "top_p": 0.5}, "all that top_p keeps"),
        ({"mask_k": 3, "top_k": 3}, "all that top_k keeps"),
        ({"max_attempts": 0}, ">= 1"),
        ({"num_candidates": 17}, "<= 16"),
        ({"novelty_threshold": 0}, "config.novelty_threshold"),
        ({"infill_probability": 0}, "config.infill_probability"),
        ({"temperature_escalation": 0.5}, "config.temperature_escalation"),
        ({"ar_overlap": 1.0}, "config.ar_overlap"),
        ({"bars_per_step": 5, "model_dim": 4}, "wider than the window"),
        ({"tracks_per_step": -1}, "config.tracks_per_step"),
        ({"budget_margin": 0.5}, "config.budget_margin"),
        ({"context": "some"}, "'auto', 'listed', 'all'"),
        ({"context_drop": [9]}, "there is no such track"),
        ({"silence_check": 1}, "True, False"),
        ({"model_dim": "wide"}, "config.model_dim"),
        ({"polyphony_hard_limit": -1}, ">= 0"),
    ],
    ids=lambda v: next(iter(v)) if isinstance(v, dict) else "",
)
def test_settings_out_of_range(tokenizer, config, words):
    (found,) = problems(tokenizer, OK, **config)
    assert words in found


@pytest.mark.parametrize(
    ("prompt", "words"),
    [
        pytest.param(
            TrackPrompt(0, [1], ignore=True), "an ignored track cannot be written", id="ignored and written"
        ),
        pytest.param(
            TrackPrompt(0, autoregressive=True, ignore=True),
            "cannot be continued",
            id="ignored and continued",
        ),
        pytest.param(
            TrackPrompt(0, [1], mask_bars=[8]), "there are no such bars", id="hidden bar past the end"
        ),
        pytest.param(
            TrackPrompt(0, [5, 6], autoregressive=True),
            "from one bar to the end",
            id="continued, but not to the end",
        ),
        pytest.param(TrackPrompt(0, []), "no bar is asked for", id="nothing to write"),
        pytest.param(TrackPrompt(-1, [1]), "allowed: 0..2", id="negative track"),
        pytest.param(
            TrackPrompt(0, [1], attributes={"bar_note_density": 1}),
            "put it in bar_attributes",
            id="bar name for a track",
        ),
        pytest.param(
            TrackPrompt(2, [1], attributes={"max_polyphony": 1}),
            "is for melodic tracks, this one is drum",
            id="kind of track",
        ),
        pytest.param(
            TrackPrompt(0, [1], bar_attributes={2: {"note_density": 1}}),
            "this bar is not written",
            id="wish for a kept bar",
        ),
        pytest.param(
            TrackPrompt(0, [1], bar_attributes={1: {"pitch_range": 1}}),
            "for whole tracks only",
            id="track name for a bar",
        ),
        pytest.param(
            TrackPrompt(0, [1], attributes={"note_density": True}),
            "is not a level",
            id="a bool is not a level",
        ),
        pytest.param(TrackPrompt(0, [1], controls={"time_signature": 36}), "0..35", id="metre index"),
        pytest.param(
            TrackPrompt(0, [1], controls={"time_signature": 1}), "not the metre of the bars", id="other metre"
        ),
        pytest.param(
            TrackPrompt(0, [1], controls={"pitch_mask": {}}),
            "not in this version",
            id="control of a later version",
        ),
        pytest.param(
            TrackPrompt(0, [1], controls={"time_sig": 0}),
            "did you mean 'time_signature'?",
            id="misspelt control",
        ),
        pytest.param(
            TrackPrompt(0, [1], bar_controls={1: {"velocity": True}}),
            "belongs to the piece",
            id="control at the wrong level",
        ),
    ],
)
def test_prompts_that_make_no_sense(tokenizer, prompt, words):
    found = problems(tokenizer, prompt)
    assert words in found[0]
    assert all("no bar is asked for" in other for other in found[1:])


def test_a_score_without_tracks_with_uneven_tracks_or_with_future_targets(tokenizer):
    assert any("has no tracks" in p for p in problems(tokenizer, OK, score=Score([])))
    uneven = Score([Track([Bar(), Bar()]), Track([Bar()])])
    assert any("differ in their number of bars" in p for p in problems(tokenizer, OK, score=uneven))
    future = Score([Track([Bar(), Bar(future=True), Bar(), Bar()])])
    assert any("marks these bars as future" in p for p in problems(tokenizer, OK, score=future))


def test_tracks_without_a_prompt_are_context(tokenizer):
    assert problems(tokenizer, TrackPrompt(1, [2])) == []


def test_short_names_of_bar_attributes_work(tokenizer):
    prompt = TrackPrompt(
        0, [1, 2], bar_attributes={1: {"note_density": 3, "bar_max_polyphony": 2}, 2: {"max_polyphony": 9}}
    )
    assert problems(tokenizer, prompt) == []


def test_the_normalised_request_is_a_copy(tokenizer):
    request = GenerationRequest([TrackPrompt(0, [3, 1, 3]), TrackPrompt(1, autoregressive=True)])
    before = copy.deepcopy(request)
    score = Score([Track([Bar([Note(60, 90, 0, 10)])] * 4, track_type="melodic")] * 2)
    checked = validate_request(request, score, tokenizer.config, tokenizer.analyzer)
    assert [p.bars for p in checked.tracks] == [[1, 3], [0, 1, 2, 3]]
    assert request == before


def test_escalation_above_three_is_toned_down_not_refused(engine):
    request = GenerationRequest([OK], InferenceConfig(temperature_escalation=5.0))
    with pytest.warns(UserWarning, match="held at 3"):
        engine.session(make_score(), request)
