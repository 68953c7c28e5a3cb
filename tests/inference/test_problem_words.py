"""What a problem says: its place, the track by its name, the value, the choices and the likely intention."""

from __future__ import annotations

import pytest

from midigpt_nb.errors import RequestValidationError
from midigpt_nb.inference import GenerationRequest, InferenceConfig, TrackPrompt, validate_request
from midigpt_nb.tokenizer import Tokenizer
from midigpt_nb.training.vocabulary import encoder_config

from .conftest import make_score

WRONG = {
    "number": ([TrackPrompt(7, [1])], {}),
    "name": ([TrackPrompt("bass", [1])], {}),
    "list": ([TrackPrompt(1, "ab")], {}),
    "flag": ([TrackPrompt(1, [1], ignore=0)], {}),
    "bar": ([TrackPrompt(1, [9, 1.5])], {}),
    "level": ([TrackPrompt(1, [1], attributes={"note_density": 99})], {}),
    "of bars": ([TrackPrompt(1, [1], attributes={"bar_note_density": 1})], {}),
    "bar wish": ([TrackPrompt(1, [1], bar_attributes={1: {"note_densty": 1}})], {}),
    "control": ([TrackPrompt(1, [1], bar_controls={1: {"chord": {"name": "H", "how": "strct"}}})], {}),
    "metre": ([TrackPrompt(1, [1], controls={"time_signature": "3/4"})], {}),
    "context": ([TrackPrompt(1, [1])], {"context_drop": [9]}),
    "setting": ([TrackPrompt(1, [1])], {"mask_mode": "tokn"}),
}


@pytest.mark.parametrize("prompts, settings", WRONG.values(), ids=WRONG)
def test_every_problem_names_place_track_value_and_choices(prompts, settings):
    score, tokenizer = make_score(3, 8), Tokenizer(encoder_config())
    score.tracks[1].name = "Bass"
    request = GenerationRequest(prompts, InferenceConfig(**settings))
    with pytest.raises(RequestValidationError) as caught:
        validate_request(request, score, tokenizer.config, tokenizer.analyzer)
    for problem in caught.value.problems:
        text = str(problem)
        assert problem.path and problem.path in text and problem.allowed and "given " in text, text
        assert "1 'Bass'" in text or not problem.path.startswith(("tracks[", "config.context")), text
        assert len(text) < 900


def test_a_track_that_is_named_where_a_number_belongs_is_found():
    score, tokenizer = make_score(3, 8), Tokenizer(encoder_config())
    score.tracks[1].name = "Bass"
    nearly = "no track is named 'Bas'; there are 0 'Acoustic Grand Piano', 1 'Bass', 2 'Drums'"
    for name, hint in (("bass", "'bass' is track 1"), ("Bas", f"{nearly}; did you mean 'Bass'?")):
        with pytest.raises(RequestValidationError) as caught:
            validate_request(GenerationRequest([TrackPrompt(name, [1])]), score, tokenizer.config)
        assert caught.value.problems[0].hint == hint


def test_a_metre_that_is_refused_is_given_back_as_it_was_asked():
    score, tokenizer = make_score(1, 8), Tokenizer(encoder_config())
    asked = GenerationRequest([TrackPrompt(0, [1], controls={"time_signature": "3/4"})])
    with pytest.raises(RequestValidationError) as caught:
        validate_request(asked, score, tokenizer.config)
    (problem,) = caught.value.problems
    assert problem.value == "3/4" and problem.allowed == "the score's own metre, 4/4"
