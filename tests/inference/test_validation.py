"""What requests are refused, and in which words; every problem at once."""

from __future__ import annotations

import copy
import dataclasses

import numpy as np
import pytest

from midigpt_nb.attributes import AttributeAnalyzer
from midigpt_nb.errors import RequestValidationError
from midigpt_nb.inference import GenerationRequest, InferenceConfig, TrackPrompt, validate_request
from midigpt_nb.inference.config import settings
from midigpt_nb.inference.validation import request_warnings
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
    assert "(given 77, for track 0 'Acoustic Grand Piano'); allowed: 0..9" in text
    assert "4, 8, 12, 16, 'auto'" in text


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
            TrackPrompt(0, [1], attributes={"note_density": True}),
            "is not a level",
            id="a bool is not a level",
        ),
        pytest.param(TrackPrompt(0, [1], controls={"time_signature": 36}), "0..35", id="metre index"),
        pytest.param(
            TrackPrompt(0, [1], controls={"time_signature": 1}), "not the metre of the bars", id="other metre"
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


def test_escalation_above_three_is_toned_down_not_refused(engine, caplog):
    request = GenerationRequest([OK], InferenceConfig(temperature_escalation=5.0))
    engine.session(make_score(), request)
    assert caplog.messages == ["config.temperature_escalation is held at 3"]


# --- odd types ------------------------------------------------------------------------------------


def test_numpy_numbers_arrays_and_ranges_are_as_good_as_lists(tokenizer):
    prompt = TrackPrompt(
        np.int64(0),
        np.arange(2, 4),
        mask_bars=(0,),
        autoregressive=np.bool_(False),
        attributes={"note_density": np.int16(3)},
        bar_attributes={np.int64(2): {"note_density": np.int8(1)}},
    )
    config = InferenceConfig(temperature=np.float32(0.5), top_k=np.int32(5), model_dim=np.int64(4))
    config.bars_per_step = "auto"
    request = GenerationRequest((prompt, TrackPrompt(1, range(3, 8), autoregressive=True)), config)
    checked = validate_request(request, make_score(), tokenizer.config, tokenizer.analyzer)
    first = checked.tracks[0]
    assert (first.id, first.bars, first.mask_bars) == (0, [2, 3], [0])
    assert type(first.id) is int and type(first.attributes["note_density"]) is int
    assert type(next(iter(first.bar_attributes))) is int
    assert checked.tracks[1].bars == [3, 4, 5, 6, 7] and checked.config.bars_per_step == 0
    assert isinstance(request.tracks, tuple) and isinstance(prompt.bars, np.ndarray), "left as it was"


ODD = [None, True, -1, 10**30, 1.5, float("nan"), "x", b"x", 2j, [1], ["1"], [None], {1: 2}, {"a": None},
       np.array([1, 2]), np.float32(0.5), object(), [[1]], {True: {}}]  # fmt: skip


@pytest.mark.parametrize("name", [f.name for f in dataclasses.fields(TrackPrompt)])
def test_a_prompt_of_any_odd_thing_is_taken_or_refused_in_words(tokenizer, name):
    for odd in ODD:
        prompt = TrackPrompt(0, [1])
        setattr(prompt, name, odd)
        check_words(tokenizer, GenerationRequest([prompt, TrackPrompt(1, [2])]))


@pytest.mark.parametrize("name", list(settings()))
def test_a_setting_of_any_odd_thing_is_taken_or_refused_in_words(tokenizer, name):
    for odd in [*ODD, float("inf"), -float("inf")]:
        request = GenerationRequest([OK])
        setattr(request.config, name, odd)
        check_words(tokenizer, request)


@pytest.mark.parametrize("field", ["tracks", "config", "controls"])
def test_a_request_of_any_odd_thing_is_refused_in_words(tokenizer, field):
    for odd in ODD:
        check_words(tokenizer, dataclasses.replace(GenerationRequest([OK]), **{field: odd}), refused=True)
        check_words(tokenizer, odd, refused=True)


def check_words(tokenizer, request, *, refused=False):
    """Taken, or refused with a place, a value and what would be accepted."""
    try:
        validate_request(request, make_score(), tokenizer.config, tokenizer.analyzer)
    except RequestValidationError as error:
        for problem in error.problems:
            assert problem.path and problem.message and (problem.allowed or problem.hint), problem
            assert "(given " in str(problem)
    else:
        assert not refused, request


@pytest.mark.parametrize(
    ("prompt", "words"),
    [
        (TrackPrompt(0, [True]), "there are no such bars (given [True], for track 0"),
        (TrackPrompt(0, 4), "'Acoustic Grand Piano'); allowed: a list of bars; [4, 5]"),
        (TrackPrompt(0, [1], bar_attributes={True: {"note_density": 1}}), "bars are whole numbers"),
        (TrackPrompt(0, [1], attributes=None), "allowed: a dict {name: value}"),
        (TrackPrompt("0", [1]), "allowed: a track's number"),
        (TrackPrompt(0, [1], ignore=0), "allowed: True or False"),
    ],
    ids=["bool bar", "one bar", "bool key", "no dict", "text id", "number for a flag"],
)
def test_fields_of_the_wrong_kind(tokenizer, prompt, words):
    assert words in problems(tokenizer, prompt)[0]


def test_attributes_the_model_was_never_taught_are_refused(tokenizer):
    rows = [
        dataclasses.replace(a, emitted="note_density" not in a.name) for a in tokenizer.analyzer.attributes
    ]
    analyzer = AttributeAnalyzer(rows)
    request = GenerationRequest([TrackPrompt(0, [1], bar_attributes={1: {"note_density": 3}})])
    with pytest.raises(RequestValidationError, match="was never taught it"):
        validate_request(request, make_score(), tokenizer.config, analyzer)


def test_problems_and_warnings_say_the_place_in_the_request_and_the_track(tokenizer):
    """`tracks[0]` is the first one of the request, whichever track of the piece that is."""
    score = make_score(3, 8)
    score.tracks[2].name = "Bass"
    prompts = [TrackPrompt(2, bars=[1, 99, 3]), TrackPrompt(3, new={"instrment": 1}, bars=[0])]
    asked = GenerationRequest(prompts)
    with pytest.raises(RequestValidationError) as caught:
        validate_request(asked, score, tokenizer.config, tokenizer.analyzer)
    new, bars = caught.value.problems
    assert (bars.path, bars.value, bars.track) == ("tracks[0].bars", [99], "track 2 'Bass'")
    assert str(bars).startswith("tracks[0].bars: there are no such bars (given [99], for track 2 'Bass')")
    assert new.path.startswith("tracks[1].new") and new.track == "the new track 3"
    idle = GenerationRequest([TrackPrompt(0, [1]), TrackPrompt(2, controls={"onset_limit": 3})])
    (words,) = request_warnings(idle, score, tokenizer.config, tokenizer.analyzer)
    assert words.startswith("tracks[1].controls: ") and words.endswith("(track 2 'Bass')")
