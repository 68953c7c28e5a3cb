"""The decode loop: one, for any number of rows.

A row is a sequence being written. Each round feeds every row the tokens it has waiting (the last drawn one,
and any that the grammar forced after it, in one pass), asks for logits, and draws. Per token that is one pass
through the model, one mask written in place, a few operations on the legal tokens only, and one random
number; nothing grows with the length of the sequence.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from midigpt_nb.errors import GrammarDeadlock
from midigpt_nb.inference.backends.base import Decoding
from midigpt_nb.inference.filters import apply_filters, draw, filters_active, softmax
from midigpt_nb.inference.rng import SeedStream

__all__ = ["DrawSettings", "Row", "Sampler", "prefill"]


@dataclass(frozen=True)
class DrawSettings:
    """Temperature and filters of a draw."""

    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0
    mask_k: int = 0
    mask_p: float = 0.0


@dataclass
class Row:
    """One sequence: its grammar state, its random numbers, and what it wrote. `ends` counts written end
    tokens.
    """

    matcher: Any
    stream: SeedStream
    settings: DrawSettings
    pending: list[int]
    tokens: list[int] = field(default_factory=list)
    ends: int = 0
    complete: bool = False
    truncated: bool = False
    log_prob: float = 0.0

    @property
    def done(self) -> bool:
        return self.complete or self.truncated


def prefill(
    decoding: Decoding,
    tokens: NDArray[np.int64],
    positions: NDArray[np.int64],
    chunk: int,
    cancelled: Callable[[], bool],
) -> bool:
    """Feed a prompt in chunks; False when it was cancelled on the way (what was fed stays)."""
    for start in range(0, len(tokens), chunk):
        if cancelled():
            return False
        part = slice(start, start + chunk)
        decoding.feed(tokens[None, part], positions[part])
    return True


class Sampler:
    """Writes rows until each is complete or the budget is used up.

    `end_token`: the token that closes a bar or block; a row is complete after `n_ends` of them.
    `first_position` is the position of the first new token; `pending_positions` are those of the tokens the
    rows still have to feed.
    """

    def __init__(
        self,
        decoding: Decoding,
        rows: Sequence[Row],
        *,
        pending_positions: Sequence[int],
        first_position: int,
        budget: int,
        end_token: int,
        n_ends: int,
        content: NDArray[np.bool_],
    ) -> None:
        self._decoding = decoding
        self.rows = list(rows)
        self._live = list(rows)
        self._positions = list(pending_positions)
        self._next_position = first_position
        self._budget = budget
        self._end_token, self._n_ends = end_token, n_ends
        self._content = content
        self._mask = np.zeros(len(content), dtype=np.uint8)
        if budget < 1:
            for row in self.rows:
                row.truncated = True
            self._live = []

    @property
    def done(self) -> bool:
        """Whether every row is complete or truncated."""
        return not self._live

    def round(self) -> None:
        """Feed what waits, then draw one token in every row that has nothing left to feed."""
        k = min(len(row.pending) for row in self._live)
        tokens = np.array([row.pending[:k] for row in self._live], dtype=np.int64)
        logits = self._decoding.logits(tokens, self._take_positions(k))
        for i, row in enumerate(self._live):
            del row.pending[:k]
            if not row.pending:
                self._draw(row, logits[i])
        if any(row.done for row in self._live):
            staying = [i for i, row in enumerate(self._live) if not row.done]
            if staying:
                self._decoding.keep(staying)
            self._live = [self._live[i] for i in staying]

    def _take_positions(self, k: int) -> NDArray[np.int64]:
        while len(self._positions) < k:
            self._positions.append(self._next_position)
            self._next_position += 1
        taken, self._positions = self._positions[:k], self._positions[k:]
        return np.array(taken, dtype=np.int64)

    def _draw(self, row: Row, logits: NDArray[np.float32]) -> None:
        row.matcher.fill_mask(self._mask)
        legal = np.flatnonzero(self._mask)
        if not len(legal):
            raise GrammarDeadlock("no token is legal here")
        if len(legal) == 1:
            self._accept(row, int(legal[0]))
        else:
            s = row.settings
            q = softmax(logits[legal], s.temperature)
            if filters_active(s.top_k, s.top_p, s.mask_k, s.mask_p):
                q = apply_filters(
                    q, self._content[legal], k=s.top_k, p=s.top_p, anti_k=s.mask_k, anti_p=s.mask_p
                )
            chosen = draw(q, row.stream.uniform(len(row.tokens)))
            row.log_prob += float(np.log(q[chosen]))
            self._accept(row, int(legal[chosen]))
        while not row.done and (forced := row.matcher.forced()) >= 0:
            self._accept(row, forced)

    def _accept(self, row: Row, token: int) -> None:
        row.matcher.accept(token)
        row.tokens.append(token)
        row.pending.append(token)
        if token == self._end_token:
            row.ends += 1
            row.complete = row.ends >= self._n_ends
        if not row.complete and len(row.tokens) >= self._budget:
            row.truncated = True
