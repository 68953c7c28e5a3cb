"""Which attempts are worth keeping."""

from __future__ import annotations

import pytest

from midigpt_nb.inference import InferenceConfig, TrackPrompt
from midigpt_nb.inference.acceptance import judge, similarity
from midigpt_nb.score.model import Bar, Note, Score, Track

from .asking import changed_cells, request


def piece(engine, *bars, resolution=480):
    """A piece with bars of (pitch, onset in sixteenths) notes."""
    step = resolution // 4
    made = [Bar([Note(p, 90, o * step, step) for p, o in notes]) for notes in bars]
    return engine.piece(Score([Track(made)], resolution=resolution).table, min_bars=4)


CELLS = [(0, 0), (0, 1)]


def test_the_overlap_is_that_of_multisets_of_bar_pitch_onset(engine):
    old = piece(engine, [(60, 0), (64, 4)], [])
    new = piece(engine, [(60, 0), (65, 4)], [])
    assert similarity(old, new, CELLS) == pytest.approx(1 / 3)
    empty = piece(engine, [], [])
    assert similarity(old, old, CELLS) == 1 and similarity(empty, empty, CELLS) == 1
    assert similarity(old, piece(engine, [], [(60, 0), (64, 4)]), CELLS) == 0


@pytest.mark.parametrize(("threshold", "refused"), [(0.33, True), (0.34, False), (1.0, False)])
def test_the_threshold_of_the_reference(engine, threshold, refused):
    old, new = piece(engine, [(60, 0), (64, 4)], []), piece(engine, [(60, 0), (65, 4)], [])
    reasons = judge(old, new, CELLS, InferenceConfig(novelty_threshold=threshold))
    assert list(reasons) == (["novelty"] if refused else [])


@pytest.mark.parametrize("resolution", [480, 1920, 96])
def test_d6_novelty_is_measured_on_the_grid_whatever_the_scores_resolution(engine, resolution):
    old = piece(engine, [(60, 2), (64, 5)], [], resolution=480)
    new = piece(engine, [(60, 2), (64, 5)], [], resolution=resolution)
    assert list(judge(old, new, CELLS, InferenceConfig())) == ["novelty"]


def test_silence_is_refused_unless_it_may_be(engine):
    old, empty = piece(engine, [(60, 0)], []), piece(engine, [], [])
    assert judge(old, empty, CELLS, InferenceConfig()) == {"silence": "no note was written"}
    assert not judge(old, empty, CELLS, InferenceConfig(silence_check=False))
    assert not judge(empty, empty, CELLS, InferenceConfig(), lambda cell: True)
    assert "silence" in judge(empty, empty, CELLS, InferenceConfig(), lambda cell: cell == (0, 0))


def test_d6_a_bar_written_as_it_was_is_refused_in_a_score_at_480(engine):
    """The same greedy bar again, in a file's usual resolution."""
    score = Score([Track([Bar([Note(60, 90, 480, 240)]) for _ in range(4)])], resolution=480)
    asked = request(TrackPrompt(0, [1]), top_k=1, max_attempts=1)
    once = engine.session(score, asked).run()
    assert changed_cells(score, once) == {(0, 1)}
    with pytest.raises(RuntimeError, match="novelty"):
        engine.session(once, asked).run()
