"""Chords for every model: guided, strict or told; drums untouched; what was kept is reported."""

from __future__ import annotations

import json

import numpy as np
import pytest

from midigpt_nb.attributes import Bins, attribute, forget
from midigpt_nb.errors import RequestValidationError, ScoreError
from midigpt_nb.inference import GenerationRequest, InferenceConfig, InferenceEngine, TrackPrompt
from midigpt_nb.inference.backends.scripted import ScriptedBackend
from midigpt_nb.inference.chord_control import GAIN, chord_attribute
from midigpt_nb.inference.outlook import outlook
from midigpt_nb.inference.record import replay
from midigpt_nb.tokenizer import EncoderConfig, Tokenizer

from .conftest import make_score

JOINT = {
    "model_dim": 4,
    "bars_per_step": "auto",
    "tracks_per_step": "auto",
    "novelty_check": False,
    "seed": 1,
}


@pytest.fixture
def uniform(scripted):
    """An engine that finds every legal token equally likely."""
    return scripted(max_context=8192)


def classes(score, track, bar):
    first, last = score.table.note_rows(track, bar)
    return [int(p) % 12 for p in score.table.notes[first:last, 2]]


def run(engine, score, *tracks, **config):
    session = engine.session(score, GenerationRequest(list(tracks), InferenceConfig(**{**JOINT, **config})))
    return session, session.run()


def test_a7_soft_chords_make_their_notes_likelier_by_the_documented_gain(uniform, score):
    bars = {bar: {"chord": "Am"} for bar in range(8)}
    found = []
    for seed in range(3):
        _, result = run(uniform, score, TrackPrompt(0, range(8), bar_controls=bars),
                        density_hard_limit=40, seed=seed)  # fmt: skip
        found += [c for bar in range(8) for c in classes(result, 0, bar)]
    share = np.mean(np.isin(found, (9, 0, 4)))
    wanted = 3 * GAIN / (3 * GAIN + 9)  # a triad among twelve equally likely notes
    assert abs(share - wanted) < 3 * np.sqrt(wanted * (1 - wanted) / len(found)) + 0.01
    assert len(set(found)) > 3, "other notes stay possible"


def test_a7_strict_chords_hold_per_bar_and_track_and_leave_drums_alone(uniform, score):
    def strict(name):
        return {"chord": {"name": name, "how": "strict"}}

    keys = TrackPrompt(0, [2, 3], controls=strict("C"), bar_controls={3: strict("F#")})
    strings = TrackPrompt(1, [2], bar_controls={2: strict("Bdim")})
    drums = TrackPrompt(2, [2], controls=strict("C"))
    session, result = run(uniform, score, keys, strings, drums, density_hard_limit=12)
    assert len(session.plan) == 1
    assert set(classes(result, 0, 2)) <= {0, 4, 7} and set(classes(result, 0, 3)) <= {6, 10, 1}
    assert set(classes(result, 1, 2)) <= {11, 2, 5}
    assert not set(classes(result, 2, 2)) <= {0, 4, 7}
    rows = {(row.track, row.bar): row.share for row in session.report().chords}
    assert rows == {(0, 2): 1.0, (0, 3): 1.0, (1, 2): 1.0}, "drums have no chords to report"
    assert "100% of the time on chord tones" in session.report().summary()


def test_a7_continued_tracks_follow_the_chord_of_each_bar(uniform, score):
    bars = {b: {"chord": {"name": name, "how": "strict"}} for b, name in ((5, "C"), (6, "D"), (7, "E"))}
    prompt = TrackPrompt(0, [5, 6, 7], autoregressive=True, bar_controls=bars)
    _, result = run(uniform, score, prompt, density_hard_limit=5)
    for bar, allowed in ((5, {0, 4, 7}), (6, {2, 6, 9}), (7, {4, 8, 11})):
        assert set(classes(result, 0, bar)) <= allowed


def test_a7_a_chord_and_a_pitch_mask_hold_together(uniform, score):
    both = {"chord": {"name": "C", "how": "strict"}, "pitch_mask": {"range": [60, 67]}}
    _, result = run(uniform, score, TrackPrompt(0, [4], controls=both), density_hard_limit=8)
    first, last = result.table.note_rows(0, 4)
    assert set(result.table.notes[first:last, 2].tolist()) <= {60, 64, 67}
    none_left = {"chord": {"name": "C", "how": "strict"}, "pitch_mask": {"pitches": [61, 63]}}
    with pytest.raises(RequestValidationError, match="the pitch mask of bar 4 leaves no note of this chord"):
        run(uniform, score, TrackPrompt(0, [4], controls=none_left))


def test_a7_wrong_chords_are_refused_with_place_and_choices(uniform, score):
    wrong = TrackPrompt(
        0, [4], controls={"chord": "Hm"}, bar_controls={4: {"chord": {"name": "C", "how": "soff"}}}
    )
    with pytest.raises(RequestValidationError) as caught:
        run(uniform, score, wrong)
    text = str(caught.value)
    assert "controls['chord']" in text and "A..G" in text and "did you mean 'soft'" in text
    with pytest.raises(ScoreError, match="chord 2: 'X'"):
        GenerationRequest([TrackPrompt(0, [4, 5])]).with_chords("Am X")


def test_a7_a_bar_can_be_freed_from_its_tracks_chord(uniform, score):
    prompt = TrackPrompt(0, [4, 5], controls={"chord": "C"}, bar_controls={5: {"chord": None}})
    session, _ = run(uniform, score, prompt, density_hard_limit=6)
    assert [(row.bar, row.how) for row in session.report().chords] == [(4, "soft")]


def test_a7_with_chords_asks_every_written_track(score):
    request = GenerationRequest([TrackPrompt(0, [4, 5]), TrackPrompt(1, [5]), TrackPrompt(2, ignore=True)])
    asked = request.with_chords("Am N.C.")
    assert asked.tracks[0].bar_controls == {4: {"chord": "Am"}} and request.tracks[0].bar_controls == {}
    assert request.with_chords("Am F", how="strict").tracks[1].bar_controls == {
        5: {"chord": {"name": "F", "how": "strict"}}
    }
    assert GenerationRequest.from_dict(json.loads(json.dumps(asked.to_dict()))).with_chords("") == asked


def test_a7_what_the_model_cannot_do_is_said_and_measured(engine, score):
    request = GenerationRequest(
        [TrackPrompt(0, [4]), TrackPrompt(2, [4])], InferenceConfig(seed=1, density_hard_limit=6)
    )
    said = outlook(engine, score, request.with_chords("Am")).warnings
    assert "this model does not know chords; notes are guided to chord tones" in said
    assert not any("chord" in text for text in outlook(engine, score, request).warnings)
    session = engine.session(score, request.with_chords("Am"))
    result = session.run()
    (row,) = session.report().chords
    assert (row.track, row.bar, row.chord) == (0, 4, "Am") and 0 <= row.share <= 1
    assert session.report().adherence == row.share
    assert replay(json.loads(json.dumps(session.record())), score, engine).hash() == result.hash()


def test_a7_a_model_with_a_chord_attribute_is_told_the_chord(score):
    attribute("bar_chord", token="BarLevelOnsetDensity", level="bar", bins=Bins.whole(4), nominal=True,
              words=("no chord", "C", "Am", "F"))(lambda view: 2)  # fmt: skip
    try:
        config = {
            "resolution": 12, "time_signatures": ["4/4"], "num_bars_map": [4, 8], "supports_infill": True,
            "attribute_controls": [{"name": "bar_chord"}],
        }  # fmt: skip
        tokenizer = Tokenizer(EncoderConfig.from_dict(config))
        engine = InferenceEngine(ScriptedBackend(tokenizer.vocab.size, max_context=8192), tokenizer)
        assert chord_attribute(engine.attributes)[0] == "bar_chord"
        request = GenerationRequest([TrackPrompt(0, [4, 5])], InferenceConfig(**JOINT, density_hard_limit=6))
        session = engine.session(score, request.with_chords("Am G"))
        prompt = session.request.tracks[0]
        assert prompt.bar_attributes == {4: {"bar_chord": 2}}
        assert prompt.bar_controls[4]["chord"]["how"] == "token"
        assert prompt.bar_controls[5]["chord"]["how"] == "soft", "a chord it has no token for is guided"
        session.run()
        told = [row for row in session.report() if row.name == "bar_chord" and row.requested is not None]
        assert [(row.bar, row.announced, row.adherence) for row in told] == [(4, 2, 1.0)]
        assert len(session.report().chords) == 2
    finally:
        forget("bar_chord")


def test_a7_chords_count_in_the_ranking_of_takes(uniform):
    score = make_score()
    config = InferenceConfig(**{**JOINT, "density_hard_limit": 6})
    takes = uniform.session(score, GenerationRequest([TrackPrompt(0, [4])], config).with_chords("C")).takes(4)
    kept = [take.report.chords[0].share for take in takes]
    assert kept == sorted(kept, reverse=True) and takes.best.adherence == kept[0]
