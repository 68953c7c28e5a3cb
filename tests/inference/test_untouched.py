"""What was not asked for comes back as it was, whatever the model's grid makes of it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from midigpt_nb.inference import GenerationRequest, InferenceConfig, TrackPrompt
from midigpt_nb.inference.backends.scripted import ScriptedBackend
from midigpt_nb.inference.engine import InferenceEngine
from midigpt_nb.score.model import Bar, Note, Score, Track
from midigpt_nb.tokenizer import Tokenizer

CONFIGS = Path(__file__).parent.parent / "reference" / "configs"


def awkward(resolution=1000):
    """Everything that a round trip over a model's grid would spoil."""
    odd = [
        Note(60, 77, 1, 11 * resolution),  # longer than eight beats
        Note(64, 3, 17, 1),
        Note(64, 127, resolution + 13, 29, 2),
        Note(127, 1, 3 * resolution - 1, 7),
    ]
    bars = [Bar([Note(n.pitch, n.velocity, n.onset_ticks, n.duration_ticks, n.delta) for n in odd])] * 12
    kinds = [(2, "melodic"), (25, "drum"), (95, "melodic"), (40, "melodic")]
    return Score([Track(list(bars), program, kind) for program, kind in kinds], resolution, tempo=434783)


def others(score, written):
    """Every bar but the written ones, as plain data."""
    table = score.table
    return {
        (t, b): (
            table.notes[slice(*table.note_rows(t, b))].tolist(),
            table.note_source[slice(*table.note_rows(t, b))].tolist(),
            table.bars[table.bar_rows(t)[0] + b, 1:].tolist(),
        )
        for t in range(table.n_tracks)
        for b in range(table.n_bars(t))
        if (t, b) not in written
    }


def assert_only(before, after, written):
    assert others(before, written) == others(after, written)
    assert np.array_equal(before.table.tracks[:, 1:], after.table.tracks[:, 1:])
    assert (before.resolution, before.tempo) == (after.resolution, after.tempo)


def written_by(engine, score, *tracks, controls=None, **config):
    settings = InferenceConfig(**{"seed": 3, "density_hard_limit": 5, "model_dim": 4, **config})
    return engine.session(score, GenerationRequest(list(tracks), settings, controls or {})).run()


@pytest.mark.parametrize("from_file", [False, True])
def test_d4_context_in_the_window_is_not_rounded(engine, from_file):
    score = awkward()
    if from_file:
        score = Score.from_midi(score.to_midi())
    to_the_end = list(range(10, score.n_bars))
    for prompt in (
        TrackPrompt(0, [5]),
        TrackPrompt(1, [4, 5]),
        TrackPrompt(2, to_the_end, autoregressive=True),
    ):
        result = written_by(engine, score, prompt)
        assert_only(score, result, {(prompt.id, b) for b in prompt.bars})


def test_d5_neither_is_anything_outside(engine):
    """Ignored and dropped tracks, bars outside every window; also after ten calls in a row."""
    score = result = awkward(resolution=97)
    for seed in range(10):
        result = written_by(
            engine, result, TrackPrompt(0, [1 + seed % 2]), TrackPrompt(3, ignore=True), seed=seed
        )
    assert_only(score, result, {(0, 1), (0, 2)})


def test_d3_masked_and_future_bars_come_back(engine):
    score = awkward()
    score.tracks[2].bars[5] = Bar([Note(70, 80, 3, 33)], future=True)
    for mode in ("attention", "remove", "token"):
        masks = TrackPrompt(1, mask_bars=[3, 4, 6])
        result = written_by(engine, score, TrackPrompt(0, [5]), masks, mask_mode=mode)
        assert_only(score, result, {(0, 5)})
        assert result.tracks[2].bars[5].future


def test_d20_only_written_bars_lose_their_loudness():
    tokenizer = Tokenizer(json.loads((CONFIGS / "expressive.json").read_text()))
    engine = InferenceEngine(ScriptedBackend(tokenizer.vocab.size), tokenizer)
    score = awkward(480)
    result = written_by(engine, score, TrackPrompt(0, [5]), controls={"velocity": False})
    assert_only(score, result, {(0, 5)})
    assert {note.velocity for note in result.tracks[0].bars[5].notes} == {100}
