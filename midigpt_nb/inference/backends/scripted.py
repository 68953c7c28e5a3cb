"""A backend that says what it is told to: for tests, and for looking at the engine without a model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from midigpt_nb.inference.backends.base import Ids

__all__ = ["ScriptedBackend", "ScriptedDecoding", "ScriptedPrefix"]

LogitsRule = Callable[[list[int]], "NDArray[np.floating] | Sequence[int] | int | None"]


class ScriptedBackend:
    """Replays tokens or logits.

    `script` is a list of tokens, given one after the other to every question (grammar permitting: a token
    that is not legal loses to legal ones), or a rule `tokens so far -> logits, one token, or a list of
    equally likely tokens` (None: all equally likely). Whatever a row is fed is recorded in `.fed` as
    (tokens, positions).

    >>> backend = ScriptedBackend(5, [3])
    >>> int(backend.start(1).logits([np.array([0])], [np.array([0])]).argmax())
    3
    """

    device = "cpu"
    least_portion = portion_grid = 1

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

    def start(self, rows: int = 0) -> ScriptedDecoding:
        """A decoding with empty rows; every row replays the script from its beginning."""
        return ScriptedDecoding(self, rows)

    def fingerprint(self) -> str:
        """Scripts are told apart by being the same object."""
        return f"scripted:{self.vocab_size}:{id(self.script):x}"


@dataclass(frozen=True)
class ScriptedPrefix:
    """Tokens a row was fed."""

    tokens: tuple[int, ...]
    asked: int = 0

    @property
    def length(self) -> int:
        return len(self.tokens)

    @property
    def n_bytes(self) -> int:
        return 8 * len(self.tokens)


class ScriptedDecoding:
    """Remembers what was fed and answers from the script."""

    def __init__(self, backend: ScriptedBackend, rows: int = 0) -> None:
        self.backend = backend
        self.tokens: list[list[int]] = [[] for _ in range(rows)]
        self._asked = [0] * rows

    @property
    def lengths(self) -> list[int]:
        """Tokens fed so far, per row."""
        return [len(row) for row in self.tokens]

    def add(self, prefix: ScriptedPrefix | None = None, length: int | None = None) -> int:
        """A further row, empty or starting as `prefix` does."""
        self.tokens.append([] if prefix is None else list(prefix.tokens[:length]))
        whole = prefix is not None and len(self.tokens[-1]) == prefix.length
        self._asked.append(prefix.asked if prefix is not None and whole else 0)
        return len(self.tokens) - 1

    def drop(self, row: int) -> None:
        """Forget a row; the last one takes its place."""
        tokens, asked = self.tokens.pop(), self._asked.pop()
        if row < len(self.tokens):
            self.tokens[row], self._asked[row] = tokens, asked

    def feed(self, row: int, tokens: Ids, positions: Ids) -> None:
        """Record tokens of one row."""
        if len(self.tokens[row]) + len(tokens) > self.backend.max_context:
            raise ValueError("more tokens than the model has positions")
        new = np.asarray(tokens).tolist()
        self.tokens[row].extend(new)
        self.backend.fed.append((new, np.asarray(positions).tolist()))

    def logits(self, tokens: Sequence[Ids], positions: Sequence[Ids], first: int = 0) -> NDArray[np.float32]:
        """Record tokens of rows from `first` on and answer from the script."""
        answers = np.zeros((len(tokens), self.backend.vocab_size), dtype=np.float32)
        for row, (new, places, answer) in enumerate(zip(tokens, positions, answers, strict=True), first):
            self.feed(row, new, places)
            self._answer(row, answer)
            self._asked[row] += 1
        return answers

    def each(self, row: int, tokens: Ids, positions: Ids) -> NDArray[np.float32]:
        """Record tokens of one row and answer from the script after each."""
        answers = np.zeros((len(tokens), self.backend.vocab_size), dtype=np.float32)
        for token, position, answer in zip(tokens, positions, answers, strict=True):
            self.feed(row, np.array([token]), np.array([position]))
            self._answer(row, answer)
            self._asked[row] += 1
        return answers

    def prefix(self, row: int) -> ScriptedPrefix:
        """What a row was fed."""
        return ScriptedPrefix(tuple(self.tokens[row]), self._asked[row])

    def _answer(self, row: int, logits: NDArray[np.float32]) -> None:
        script, asked = self.backend.script, self._asked[row]
        said = script(self.tokens[row]) if callable(script) else next(iter(script[asked : asked + 1]), None)
        if isinstance(said, np.ndarray) and said.dtype.kind == "f":
            logits[:] = said
        elif said is not None:
            logits[said] = 30.0
