"""How likely the model finds given tokens: teacher-forced, under the real prompt and the real legal masks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from midigpt_nb.errors import VocabularyError
from midigpt_nb.inference.filters import NotNumbers, log_softmax

if TYPE_CHECKING:
    from midigpt_nb.inference.backends.base import Backend
    from midigpt_nb.inference.engine import InferenceEngine
    from midigpt_nb.inference.prompt import Prompt

__all__ = ["score_tokens"]


def score_tokens(engine: InferenceEngine, prompt: Prompt | None, ids: Sequence[int]) -> dict[str, Any]:
    """Log-probabilities of `ids` after a prompt, at temperature 1, among the legal tokens, without filters.

    Returns ``log_probs`` (list), ``total_logp``, ``n_tokens``, ``per_type``: type name -> {mean, sum, n}. An
    illegal id has -inf; the grammar cannot follow it, so what comes after it is measured against the whole
    vocabulary. Beyond the model's context the window moves on by half of it. Raises `VocabularyError` for an
    id outside the vocabulary, `GenerationError` when the model's weights are damaged.
    """
    ids = [int(token) for token in ids]
    wrong = [token for token in ids if not 0 <= token < engine.backend.vocab_size]
    if wrong:
        last = engine.backend.vocab_size - 1
        raise VocabularyError(f"token {wrong[0]} is outside the vocabulary 0..{last}")
    try:
        log_probs = [] if prompt is None else _log_probs(engine, prompt, ids)
    except NotNumbers as failure:
        raise engine.no_numbers() from failure
    types = [engine.symbols.type_name(token) for token in ids[: len(log_probs)]]
    per_type = {}
    for name in dict.fromkeys(types):
        values = [lp for lp, kind in zip(log_probs, types, strict=True) if kind == name]
        per_type[name] = {"mean": sum(values) / len(values), "sum": sum(values), "n": len(values)}
    total = float(sum(log_probs))
    return {"log_probs": log_probs, "total_logp": total, "n_tokens": len(log_probs), "per_type": per_type}


def _log_probs(engine: InferenceEngine, prompt: Prompt, ids: list[int]) -> list[float]:
    matcher: Any = prompt.matcher.fork()
    mask = np.zeros(engine.symbols.size, dtype=np.uint8)
    log_probs: list[float] = []
    for token, logits in zip(ids, _logits(engine.backend, prompt, ids), strict=True):
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
    return log_probs


def _logits(backend: Backend, prompt: Prompt, ids: list[int]) -> Iterator[NDArray[np.float32]]:
    """What the model expects before each of `ids`: one pass per window of the model."""
    limit = backend.max_context
    seen, places, following = prompt.feed.tolist(), prompt.positions.tolist(), prompt.length
    rest = list(ids)
    while rest:
        if places[-1] >= limit or len(seen) > limit:  # move on: the later half of what was seen, from 0
            seen = seen[-(limit // 2) :]
            places, following = list(range(len(seen))), len(seen)
        n = min(len(rest), max(1, limit - following + 1))
        told = [places[-1], *range(following, following + n - 1)]
        decoding = backend.start(1)
        for start in range(0, len(seen) - 1, backend.prefill_chunk):
            chunk = slice(start, min(start + backend.prefill_chunk, len(seen) - 1))
            decoding.feed(0, np.array(seen[chunk]), np.array(places[chunk]))
        yield from decoding.each(0, np.array([seen[-1], *rest[: n - 1]]), np.array(told))
        seen += rest[:n]
        places += range(following, following + n)
        following += n
        rest = rest[n:]
