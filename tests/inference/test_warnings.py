"""What is possible in a request but likely not meant: told in one sentence each, never refused."""

from __future__ import annotations

import json
import logging

from midigpt_nb.inference import GenerationRequest, InferenceConfig, TrackPrompt, validate_request
from midigpt_nb.inference.validation import request_warnings
from midigpt_nb.score.model import Bar, Note
from midigpt_nb.tokenizer import Tokenizer

from .conftest import make_score
from .refusals import CONFIGS, model


def warned(request, score, tokenizer=None):
    tokenizer = tokenizer or model()
    return request_warnings(request, score, tokenizer.config, tokenizer.analyzer)


def test_d26_notes_the_model_will_not_see_as_they_are(caplog):
    config = {**json.loads((CONFIGS / "yellow.json").read_text())}
    tokenizer = Tokenizer(config)
    score = make_score(1, 4)
    score.tracks[0].bars[2] = Bar([Note(60, 90, 4000, 10)])
    request = GenerationRequest([TrackPrompt(0, [1])])
    (late,) = warned(request, score)
    assert late.startswith(
        "score.tracks[0]: 1 notes begin after the end of their bar; the model sees them there"
    )
    assert late.endswith("(track 0 'Acoustic Grand Piano')")
    with caplog.at_level(logging.WARNING):
        validate_request(request, score, tokenizer.config, tokenizer.analyzer)
    assert "after the end of their bar" in caplog.text
    request.tracks.append(TrackPrompt(0, ignore=True))
    assert warned(GenerationRequest([TrackPrompt(0, ignore=True)]), score) == []


def test_d26_pitches_outside_the_model_are_found_in_python_scores():
    from midigpt_nb.inference.case import make_case
    from midigpt_nb.inference.controls import model_facts
    from midigpt_nb.inference.warnings_of import warnings_of

    tokenizer, score = model(), make_score(1, 4)
    score.tracks[0].bars[0] = Bar([Note(20, 90, 0, 10), Note(110, 90, 0, 10)])
    request = GenerationRequest([TrackPrompt(0, [1])])
    case = make_case(
        request, score.table, tokenizer.config, model_facts(tokenizer.config), tokenizer.analyzer
    )
    ((_, found),) = warnings_of(case, (21, 108))
    assert "2 notes lie outside the model's pitches 21..108" in found


def test_m22_levels_out_of_reach_and_idle_controls_are_told():
    score = make_score(1, 8, notes_per_bar=12)
    asked = TrackPrompt(0, [1], attributes={"note_density": 0})
    idle = TrackPrompt(1, controls={"pitch_mask": {}})
    found = warned(GenerationRequest([asked, idle]), make_score(2, 8, notes_per_bar=12))
    assert any("0 cannot be reached by the track as a whole" in text for text in found), found
    assert any("do nothing: pitch_mask" in text for text in found)
    assert warned(
        GenerationRequest([TrackPrompt(0, [1])], InferenceConfig(temperature_escalation=4)), score
    ) == ["config.temperature_escalation is held at 3"]


def test_wishes_that_a_limit_excludes_are_told():
    limits = {"density_hard_limit": 3, "sounding_limit": 1}
    high = {"note_density": 5, "max_polyphony": 2}
    prompt = TrackPrompt(0, [1, 2], attributes=high, bar_attributes={2: {"note_density": 4}}, controls=limits)
    found = [text for text in warned(GenerationRequest([prompt]), make_score(1, 8)) if "under" in text]
    assert [text.split(":")[0] for text in found] == [
        "tracks[0].attributes['note_density']",
        "tracks[0].attributes['max_polyphony']",
        "tracks[0].bar_attributes[2]['note_density']",
    ]
    assert "under density_hard_limit 3; at most " in found[0] and "under sounding_limit 1" in found[1]
    fitting = TrackPrompt(0, [1], attributes={"note_density": 0, "max_polyphony": 0}, controls=limits)
    assert not any("under" in text for text in warned(GenerationRequest([fitting]), make_score(1, 8)))


def test_the_panel_and_the_warnings_know_the_same_bounds():
    """Every attribute that counts voices is bounded, the fewest voices, too."""
    prompt = TrackPrompt(0, [1], attributes={"min_polyphony": 2}, controls={"sounding_limit": 1})
    (found,) = (text for text in warned(GenerationRequest([prompt]), make_score(1, 8)) if "under" in text)
    assert found.startswith("tracks[0].attributes['min_polyphony']: 2 cannot") and "at most 0 can" in found


def test_a_curve_that_a_limit_excludes_is_told_in_one_line_with_its_bars():
    curve = {bar: {"note_density": 3 + bar % 2} for bar in (1, 2, 3, 5)} | {6: {"note_density": 0}}
    prompt = TrackPrompt(0, range(8), bar_attributes=curve, controls={"density_hard_limit": 2})
    (found,) = warned(GenerationRequest([prompt]), make_score(1, 8))
    assert found.startswith("tracks[0].bar_attributes[1..3, 5]['note_density']: 4, 3, 4, 4 cannot be reached")
    assert "under density_hard_limit 2; at most " in found and found.endswith(
        "(track 0 'Acoustic Grand Piano')"
    )
    prompt.bar_controls = {2: {"density_hard_limit": 1}}
    (found,) = warned(GenerationRequest([prompt]), make_score(1, 8))
    assert "under density_hard_limit 2 (at most " in found and " and density_hard_limit 1 (at most " in found


def test_onsets_behind_the_end_of_short_bars_are_told_once():
    rhythm = {"rhythm_mask": {"positions": [{"pos": 0}, {"pos": 40}]}}
    score = make_score(1, 4, metres=((4, 4), (3, 4), (3, 4), (2, 4)))
    short, shorter = warned(GenerationRequest([TrackPrompt(0, range(4), controls=rhythm)]), score)
    assert "onsets at 40, but bars 1..2 have 36 ticks" in short and "bar 3 has 24 ticks" in shorter


def test_onsets_behind_the_end_of_a_short_bar_are_told():
    rhythm = {"rhythm_mask": {"positions": [{"pos": 0}, {"pos": 40}]}}
    score = make_score(1, 4, metres=((4, 4), (3, 4)))
    (found,) = warned(GenerationRequest([TrackPrompt(0, [0, 1], controls=rhythm)]), score)
    assert "onsets at 40, but bar 1 has 36 ticks" in found
