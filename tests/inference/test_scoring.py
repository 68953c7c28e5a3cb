"""How likely given tokens are: under the real prompt, against the definition."""

from __future__ import annotations

import math

import numpy as np
import pytest

from midigpt_nb import _core
from midigpt_nb.errors import VocabularyError
from midigpt_nb.inference import InferenceEngine, TrackPrompt

from .asking import request
from .conftest import write_tiny_checkpoint

T = _core.TokenType
EMPTY = {"log_probs": [], "total_logp": 0.0, "n_tokens": 0, "per_type": {}}


@pytest.fixture
def session(engine, score):
    return engine.session(score, request(TrackPrompt(0, [2, 3]), model_dim=8, mask_mode="attention"))


def by_definition(engine, prompt, ids):
    """One pass per token over everything before it."""
    out, matcher = [], prompt.matcher.fork()
    for i, token in enumerate(ids):
        tokens = np.append(prompt.feed, ids[:i]).astype(np.int64)
        places = np.append(prompt.positions, prompt.length + np.arange(i)).astype(np.int64)
        logits = engine.backend.start(1).logits([tokens], [places])[0].astype(np.float64)
        mask = np.zeros(len(logits), dtype=np.uint8)
        matcher.fill_mask(mask)
        out.append(logits[token] - np.log(np.exp(logits[mask > 0]).sum()))
        matcher.accept(token)
    return out


def test_scores_are_masked_log_softmax_under_the_prompt_of_the_run(engine, session):
    session.run()
    for step in (0, 1):
        ids = session._main.progress.kept[step]
        prompt = session._main.progress.prompts[step]
        said = session.score_from_tokens(ids, step)
        np.testing.assert_allclose(said["log_probs"], by_definition(engine, prompt, ids), atol=1e-3)
        assert said["n_tokens"] == len(ids) and said["total_logp"] == pytest.approx(sum(said["log_probs"]))
        onsets = said["per_type"]["NoteOnset"]
        assert onsets["mean"] == pytest.approx(onsets["sum"] / onsets["n"])
        assert sum(kind["n"] for kind in said["per_type"].values()) == len(ids)


def test_before_any_run_the_prompt_is_that_of_the_piece_as_it_is(engine, score, session):
    ids = [engine.tokenizer.vocab.encode(T.NoteOnset, 60), engine.tokenizer.vocab.encode(T.NoteDuration, 3)]
    before = session.score_from_tokens(ids)
    session.run()
    assert session.score_from_tokens(ids)["log_probs"] == pytest.approx(before["log_probs"], abs=1e-4)


def test_k9_nothing_to_score_and_illegal_ids(engine, session):
    encode = engine.tokenizer.vocab.encode
    assert session.score_from_tokens([]) == session.score_from_tokens([3], 99) == EMPTY
    assert session.score_from_tokens([3], -1) == EMPTY
    illegal = session.score_from_tokens([encode(T.NoteDuration, 0), encode(T.NoteOnset, 60)])
    assert illegal["log_probs"][0] == -math.inf and math.isfinite(illegal["log_probs"][1])
    assert illegal["total_logp"] == -math.inf
    with pytest.raises(VocabularyError, match="outside the vocabulary"):
        session.score_from_tokens([10**6])


def test_more_tokens_than_the_model_holds_are_scored_in_windows(tmp_path, score):
    path = write_tiny_checkpoint(tmp_path / "small.safetensors", context=160)
    small = InferenceEngine.from_checkpoint(path)
    encode = small.tokenizer.vocab.encode
    session = small.session(score, request(TrackPrompt(0, [2]), model_dim=4, density_hard_limit=0))
    ids = [encode(T.NoteOnset, 60), encode(T.NoteDuration, 3)] * 150
    said = session.score_from_tokens(ids)
    assert said["n_tokens"] == 300 and all(math.isfinite(p) for p in said["log_probs"])


def test_tokens_are_scored_in_one_pass(engine, session, monkeypatch):
    session.run()
    ids = session._main.progress.kept[0]
    passes = []
    decoding = type(engine.backend.start())
    forward = decoding._forward

    def spy(self, first, tokens, *more, **how):
        passes.append(sum(map(len, tokens)))
        return forward(self, first, tokens, *more, **how)

    monkeypatch.setattr(decoding, "_forward", spy)
    session.score_from_tokens(ids)
    assert passes[-1] == len(ids) and sum(passes) == len(session.prompt(0).feed) + len(ids) - 1
