"""One decoding per session, reused: what two prompts have in common at their beginning is fed once.

A retry rewinds to the end of the prompt; the next step rewinds to the first token that differs.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from midigpt_nb.inference.backends.base import Backend, Decoding
from midigpt_nb.inference.sampler import prefill

__all__ = ["PromptCache"]


class PromptCache:
    """Keeps track of what a decoding has been fed. Belongs to one session; not shared between threads."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._decoding: Decoding | None = None
        self._tokens: NDArray[np.int64] = np.zeros(0, dtype=np.int64)
        self._positions: NDArray[np.int64] = np.zeros(0, dtype=np.int64)

    def prepare(
        self, tokens: NDArray[np.int64], positions: NDArray[np.int64], cancelled: Callable[[], bool]
    ) -> Decoding | None:
        """A decoding that has been fed exactly these tokens; None when it was cancelled on the way."""
        if self._decoding is None:
            self._decoding = self._backend.start(1)
        n = min(len(tokens), len(self._tokens))
        same = (tokens[:n] == self._tokens[:n]) & (positions[:n] == self._positions[:n])
        common = n if same.all() else int(np.argmin(same))
        self._decoding.rewind(common)
        done = prefill(
            self._decoding, tokens[common:], positions[common:], self._backend.prefill_chunk, cancelled
        )
        fed = self._decoding.length
        self._tokens, self._positions = tokens[:fed].copy(), positions[:fed].copy()
        return self._decoding if done else None
