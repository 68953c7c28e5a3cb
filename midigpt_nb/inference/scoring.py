"""How likely the model finds given tokens: teacher-forced, under the real prompt and the real legal masks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from midigpt_nb.errors import VocabularyError
from midigpt_nb.inference.filters import log_softmax

if TYPE_CHECKING:
    from midigpt_nb.inference.engine import InferenceEngine
    from midigpt_nb.inference.prompt import Prompt

__all__ = ["score_tokens"]


def score_tokens(engine: InferenceEngine, prompt: Prompt | None, ids: Sequence[int]) -> dict[str, Any]:
    """Log-probabilities of `ids` after a prompt, at temperature 1, among the legal tokens, without filters.

    Returns ``log_probs`` (list), ``total_logp``, ``n_tokens``, ``per_type``: type name -> {mean, sum, n}. An
    illegal id has -inf; the grammar cannot follow it, so what comes after it is measured against the whole
    vocabulary. Beyond the model's context the window moves on by half of it.
    """
    ids = [int(token) for token in ids]
    wrong = [token for token in ids if not 0 <= token < engine.backend.vocab_size]
    if wrong:
        last = engine.backend.vocab_size - 1
        raise VocabularyError(f"token {wrong[0]} is outside the vocabulary 0..{last}")
    log_probs = [] if prompt is None else _log_probs(engine, prompt, ids)
    types = [engine.symbols.type_name(token) for token in ids[: len(log_probs)]]
    per_type = {}
    for name in dict.fromkeys(types):
        values = [lp for lp, kind in zip(log_probs, types, strict=True) if kind == name]
        per_type[name] = {"mean": sum(values) / len(values), "sum": sum(values), "n": len(values)}
    total = float(sum(log_probs))
    return {"log_probs": log_probs, "total_logp": total, "n_tokens": len(log_probs), "per_type": per_type}


def _log_probs(engine: InferenceEngine, prompt: Prompt, ids: list[int]) -> list[float]:
    limit = engine.backend.max_context
    matcher: Any = prompt.matcher.fork()
    mask = np.zeros(engine.symbols.size, dtype=np.uint8)
    seen, places = prompt.feed.tolist(), prompt.positions.tolist()
    following = prompt.length
    decoding, fed = engine.backend.start(1), 0
    log_probs: list[float] = []
    for token in ids:
        if places[-1] >= limit or len(seen) > limit:  # move on: the later half of what was seen, from 0
            seen = seen[-(limit // 2) :]
            places, following = list(range(len(seen))), len(seen)
            decoding, fed = engine.backend.start(1), 0
        new = np.array(seen[fed:], dtype=np.int64), np.array(places[fed:], dtype=np.int64)
        logits = decoding.logits([new[0]], [new[1]])[0]
        fed = len(seen)
        if matcher is None:
            mask[:] = 1
        elif matcher.complete:
            mask[:] = 0
        else:
            matcher.fill_mask(mask)
        legal = np.flatnonzero(mask)
        if mask[token]:
            log_probs.append(float(log_softmax(logits[legal])[np.searchsorted(legal, token)]))
            if matcher is not None:
                matcher.accept(token)
        else:
            log_probs.append(float("-inf"))
            matcher = None
        seen.append(token)
        places.append(following)
        following += 1
    return log_probs
