"""The decode loop: one, for any number of rows.

A row is a sequence being written. Rows come and go at any time, each with its own prompt, length, positions
and end. Each round feeds every row the tokens it has waiting (the last drawn one, and any that the grammar
forced after it, in one pass), asks for logits, and draws. Per token that is a share of one pass through the
model, a few operations on the legal tokens only, and one random number; nothing grows with the length of the
sequence, and no row's choices depend on the rows beside it.
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from midigpt_nb.errors import GrammarDeadlock
from midigpt_nb.inference.filters import (
    NotNumbers,
    apply_filters,
    draw,
    filters_active,
    log_softmax,
    softmax,
)
from midigpt_nb.inference.rng import SeedStream

if TYPE_CHECKING:
    from midigpt_nb.inference.backends.base import Backend, Decoding, Ids, Prefix
    from midigpt_nb.inference.prompt_cache import PromptCache

__all__ = ["DecodeLoop", "DrawSettings", "Row"]


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
    """One sequence: its grammar state, its random numbers, and what it wrote.

    `end_token` closes a bar or block; the row is complete after `n_ends` of them, and cut off after `budget`
    tokens. `next_position` is the position of the first new token. `soft` weighs probabilities (see
    controls.py); `watch(legal ids, their logits, chosen id)` is told about every drawn or forced token.
    `log_prob` sums log p of what was written under the model itself: legal tokens only, temperature 1, no
    filters. `ends`: tokens and `log_prob` so far, after each closed bar or block.
    """

    matcher: Any
    stream: SeedStream
    settings: DrawSettings
    end_token: int
    n_ends: int
    budget: int
    next_position: int
    soft: Any = None
    watch: Callable[[NDArray[np.intp], NDArray[np.floating] | None, int], None] | None = None
    tokens: list[int] = field(default_factory=list)
    ends: list[tuple[int, float]] = field(default_factory=list)
    complete: bool = False
    truncated: bool = False
    deadlock: GrammarDeadlock | None = None
    log_prob: float = 0.0
    waiting: list[int] = field(default_factory=list)
    waiting_positions: list[int] = field(default_factory=list)

    @property
    def done(self) -> bool:
        """Whether nothing more will be written."""
        return self.complete or self.truncated or self.deadlock is not None

    def accept(self, token: int) -> None:
        """Write one token."""
        self.matcher.accept(token)
        self.tokens.append(token)
        self.waiting.append(token)
        self.waiting_positions.append(self.next_position)
        self.next_position += 1
        if token == self.end_token:
            self.ends.append((len(self.tokens), self.log_prob))
            self.complete = len(self.ends) >= self.n_ends
        if not self.complete and len(self.tokens) >= self.budget:
            self.truncated = True


PATIENT_SECONDS = 0.02
"""How long a chunk of a prompt may take when the loop is patient."""
_FIRST_CHUNK = 32


@dataclass
class _Seat:
    """A row in the decoding, and the prompt it started from."""

    row: Row
    tokens: Ids
    positions: Ids
    told: NDArray[np.float32]  # logits of what follows the prompt
    unkept: bool = False  # the prompt is not in the cache of prompts yet
    begun: bool = False


class DecodeLoop:
    """Writes rows side by side. Belongs to one thread.

    `stop()` says why to stop (a text), or None; it is asked once per round and between the chunks of a
    prompt, and the answer stays in `stopped`; "failed" is there when the model broke in a round, with the
    error in `failure`. `model_seconds` is the time spent in the model.

    A loop with `patient` set reads prompts in `round`, a short chunk each time, so that a program with a
    single thread can do other things in between.
    """

    def __init__(
        self,
        backend: Backend,
        cache: PromptCache,
        content: NDArray[np.bool_],
        stop: Callable[[], str | None] = lambda: None,
    ) -> None:
        self._backend, self._cache, self._content, self._stop = backend, cache, content, stop
        self._decoding: Decoding | None = None  # its memory is taken with the first row
        self._seats: list[_Seat] = []
        self._mask = np.zeros(len(content), dtype=np.uint8)
        self._openings: deque[tuple[Row, Generator[None, None, None]]] = deque()
        self.patient = False
        self.stopped: str | None = None
        self.failure: Exception | None = None
        self.model_seconds = 0.0

    @property
    def idle(self) -> bool:
        """Whether no row is being written."""
        return not self._seats and not self._openings

    def open(self, tokens: Ids, positions: Ids, row: Row) -> bool:
        """Give a row its prompt, and hear what may follow it; False when stopped on the way."""
        if row.budget < 1:
            row.truncated = True
            return True
        if self.patient:
            self._openings.append((row, self._opening(tokens, positions, row)))
            return True
        self._keep_read()
        decoding = self._decoding = self._decoding or self._backend.start()
        prefix, n, told = self._known(tokens, positions)
        index, unkept = decoding.add(prefix, n), told is None
        while told is None:
            if self._is_stopped():
                decoding.drop(index)
                return False
            part = self._portion(n, len(tokens), self._backend.prefill_chunk)
            try:
                told, n = self._read(decoding, index, tokens, positions, part), part.stop
            except Exception as failure:  # as in `round`
                decoding.drop(index)
                self.failure, self.stopped = failure, "failed"
                return False
        self._seats.append(_Seat(row, tokens, positions, told, unkept=unkept))
        return True

    def _known(self, tokens: Ids, positions: Ids) -> tuple[Prefix | None, int, NDArray[np.float32] | None]:
        """How much of a prompt was read before, where that is, and what follows if it is all of it."""
        prefix, n, told = self._cache.longest(tokens, positions)
        if told is not None:
            return prefix, n, told
        n = min(n, len(tokens) - self._backend.least_portion)
        n -= n % self._backend.portion_grid
        return (prefix, n, None) if n > 0 else (None, 0, None)

    def _portion(self, start: int, end: int, size: int) -> slice:
        """The next tokens to read of a prompt: about `size`, in portions for which the backend promises that
        each token leaves the same behind, to the last bit. So it changes nothing but the time whether the
        beginning of a prompt was known.
        """
        grid, least = self._backend.portion_grid, self._backend.least_portion
        stop = start + (max(size, least) if grid == 1 else grid)
        return slice(start, end if end - stop < least else stop)

    def _read(
        self, decoding: Decoding, index: int, tokens: Ids, positions: Ids, part: slice
    ) -> NDArray[np.float32] | None:
        """Feed a portion of a prompt to the last row; logits of what follows, where the prompt ends."""
        began = time.perf_counter()
        told = None
        if part.stop < len(tokens):
            decoding.feed(index, tokens[part], positions[part])
        else:
            told = decoding.logits([tokens[part]], [positions[part]], index)[0].copy()
        self.model_seconds += time.perf_counter() - began
        return told

    def _keep_read(self) -> None:
        """Remember the prompts that were read. That takes as long as some tokens do, and the first one is
        waited for: so it is done before anything else is fed, not before the draw.
        """
        for i, seat in enumerate(self._seats):
            self._remember(i, seat)

    def _remember(self, i: int, seat: _Seat) -> None:
        """The prompt of a row was read, and nothing more was fed since: others may begin with it."""
        assert self._decoding is not None
        if seat.unkept:
            seat.unkept = False
            self._keep(seat.tokens, seat.positions, self._decoding.prefix(i), seat.told)

    def _keep(self, tokens: Ids, positions: Ids, prefix: Prefix, told: NDArray[np.float32]) -> None:
        if len(tokens) >= self._backend.least_portion:
            self._cache.keep(tokens, positions, prefix, told)

    def _opening(self, tokens: Ids, positions: Ids, row: Row) -> Generator[None, None, None]:
        """`open` in small pieces: the prompt is read beside the rows that are being written, then joins
        them.
        """
        prefix, n, told = self._known(tokens, positions)
        if told is None:
            own, most, size = self._backend.start(), self._backend.prefill_chunk, _FIRST_CHUNK
            index = own.add(prefix, n)
            while told is None:
                part = self._portion(n, len(tokens), size)
                began = time.perf_counter()
                told, n = self._read(own, index, tokens, positions, part), part.stop
                took = time.perf_counter() - began
                size = int(min(most, 2 * size, max(8, size * PATIENT_SECONDS / max(took, 1e-6))))
                yield
            prefix = own.prefix(index)
            self._keep(tokens, positions, prefix, told)
        self._decoding = self._decoding or self._backend.start()
        self._decoding.add(prefix, len(tokens))
        self._seats.append(_Seat(row, tokens, positions, told))

    def close(self, row: Row) -> None:
        """Stop writing a row."""
        for opening in [opening for opening in self._openings if opening[0] is row]:
            self._openings.remove(opening)
        for i, seat in enumerate(self._seats):
            if seat.row is row:
                self._leave(i)
                return

    def release(self) -> None:
        """Give the memory of the rows back. Rows that are still being written are forgotten."""
        self._seats.clear()
        self._openings.clear()
        self._decoding = None

    def round(self) -> None:
        """Draw the first token of rows that are new, or feed what waits in all rows and draw a token (and
        what the grammar forces after it) in each. Rows that are done leave.
        """
        if self._is_stopped():
            return
        new = [seat for seat in self._seats if not seat.begun]
        for seat in new:
            seat.begun = True
            self._next(seat.row, seat.told)
        if new:
            self._let_go()
            return
        self._keep_read()
        if self._openings:
            self._open_on()
            return
        if not self._seats or self._decoding is None:
            return
        rows = [seat.row for seat in self._seats]
        tokens = [np.array(row.waiting, dtype=np.int64) for row in rows]
        positions = [np.array(row.waiting_positions, dtype=np.int64) for row in rows]
        began = time.perf_counter()
        try:
            logits = self._decoding.logits(tokens, positions)
        except Exception as failure:  # whoever waits for a row raises it
            self.failure, self.stopped = failure, "failed"
            return
        self.model_seconds += time.perf_counter() - began
        for row, answer in zip(rows, logits, strict=True):
            row.waiting, row.waiting_positions = [], []
            self._next(row, answer)
        self._let_go()

    def _next(self, row: Row, logits: NDArray[np.float32]) -> None:
        try:
            self._draw(row, logits)
        except GrammarDeadlock as deadlock:
            row.deadlock = deadlock
        except NotNumbers as failure:  # as in `round`: the model is the same for every row
            self.failure, self.stopped = failure, "failed"

    def _let_go(self) -> None:
        for i in reversed(range(len(self._seats))):
            if self._seats[i].row.done:
                self._leave(i)

    def _open_on(self) -> None:
        """A piece of the first prompt that waits."""
        try:
            next(self._openings[0][1])
        except StopIteration:
            self._openings.popleft()
        except Exception as failure:  # as in `round`
            self.failure, self.stopped = failure, "failed"

    def _is_stopped(self) -> bool:
        if self.stopped is None:
            self.stopped = self._stop()
        return self.stopped is not None

    def _leave(self, i: int) -> None:
        assert self._decoding is not None
        self._remember(i, self._seats[i])
        self._decoding.drop(i)
        last = self._seats.pop()
        if i < len(self._seats):
            self._seats[i] = last

    def _draw(self, row: Row, logits: NDArray[np.float32]) -> None:
        row.matcher.fill_mask(self._mask)
        legal = self._mask.nonzero()[0]
        token = int(legal[0]) if len(legal) == 1 else self._choose(row, legal, logits[legal])
        if row.watch is not None:
            row.watch(legal, logits[legal], token)
        row.accept(token)
        while not row.done and (forced := row.matcher.forced()) >= 0:
            if row.watch is not None:
                row.watch(np.array([forced]), None, forced)
            row.accept(forced)

    def _choose(self, row: Row, legal: NDArray[np.intp], logits: NDArray[np.float32]) -> int:
        """Draw one of several legal tokens."""
        s = row.settings
        q = plain = softmax(logits, s.temperature)
        if row.soft is not None:
            q = row.soft.weigh(q, legal, row.matcher)
        if filters_active(s.top_k, s.top_p, s.mask_k, s.mask_p):
            content = self._content[legal]
            q = apply_filters(q, content, k=s.top_k, p=s.top_p, anti_k=s.mask_k, anti_p=s.mask_p)
        chosen = draw(q, row.stream.uniform(len(row.tokens)))
        known = s.temperature == 1.0 and plain[chosen] > 0
        row.log_prob += math.log(plain[chosen]) if known else float(log_softmax(logits)[chosen])
        return int(legal[chosen])
