"""A backend that says what it is told to: for tests, and for looking at the engine without a model."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["ScriptedBackend", "ScriptedDecoding"]

LogitsRule = Callable[[list[int]], "NDArray[np.floating] | Sequence[int] | int | None"]


class ScriptedBackend:
    """Replays tokens or logits.

    `script` is a list of tokens, given one after the other to every question (grammar permitting: a token
    that is not legal loses to legal ones), or a rule `tokens so far -> logits, one token, or a list of
    equally likely tokens` (None: all equally likely). Fed tokens are recorded in `.fed` as (tokens,
    positions).

    >>> backend = ScriptedBackend(5, [3])
    >>> int(backend.start().logits(np.array([[0]]), np.array([0])).argmax())
    3
    """

    device = "cpu"

    def __init__(
        self,
        vocab_size: int,
        script: Sequence[int] | LogitsRule = (),
        *,
        max_context: int = 2048,
        prefill_chunk: int = 512,
    ) -> None:
        self.vocab_size = vocab_size
        self.max_context = max_context
        self.prefill_chunk = prefill_chunk
        self.script = script
        self.fed: list[tuple[list[int], list[int]]] = []

    def start(self, rows: int = 1) -> ScriptedDecoding:
        """An empty decoding; every decoding replays the script from its beginning."""
        return ScriptedDecoding(self, rows)


class ScriptedDecoding:
    """Remembers what was fed and answers from the script."""

    def __init__(self, backend: ScriptedBackend, rows: int = 1) -> None:
        self.backend = backend
        self.rows = rows
        self.tokens: list[list[int]] = [[] for _ in range(rows)]
        self._asked = 0

    @property
    def length(self) -> int:
        """Tokens fed so far."""
        return len(self.tokens[0])

    def rewind(self, length: int) -> None:
        """Forget everything after the first `length` tokens. The script goes on where it was."""
        self.tokens = [row[:length] for row in self.tokens]

    def expanded(self, rows: int) -> ScriptedDecoding:
        """A copy with the first row repeated."""
        copy = ScriptedDecoding(self.backend, rows)
        copy.tokens = [list(self.tokens[0]) for _ in range(rows)]
        copy._asked = self._asked
        return copy

    def keep(self, rows: Sequence[int]) -> None:
        """Go on with some rows."""
        self.tokens = [self.tokens[r] for r in rows]
        self.rows = len(self.tokens)

    def feed(self, tokens: NDArray[np.int64], positions: NDArray[np.int64]) -> None:
        """Record tokens."""
        if self.length + tokens.shape[1] > self.backend.max_context:
            raise ValueError("more tokens than the model has positions")
        for row, new in zip(self.tokens, tokens.tolist(), strict=True):
            row.extend(new)
        self.backend.fed.append((tokens[0].tolist(), np.asarray(positions).tolist()))

    def logits(self, tokens: NDArray[np.int64], positions: NDArray[np.int64]) -> NDArray[np.float32]:
        """Record tokens and answer from the script."""
        self.feed(tokens, positions)
        answer = np.stack([self._answer(row) for row in self.tokens])
        self._asked += 1
        return answer

    def _answer(self, row: list[int]) -> NDArray[np.float32]:
        script = self.backend.script
        said = script(row) if callable(script) else next(iter(script[self._asked : self._asked + 1]), None)
        if isinstance(said, np.ndarray) and said.dtype.kind == "f":
            return said.astype(np.float32)
        logits = np.zeros(self.backend.vocab_size, dtype=np.float32)
        if said is not None:
            logits[said] = 30.0
        return logits
