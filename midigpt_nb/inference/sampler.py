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
from midigpt_nb.inference.filters import apply_filters, draw, filters_active, log_softmax, softmax
from midigpt_nb.inference.rng import SeedStream

if TYPE_CHECKING:
    from midigpt_nb.inference.backends.base import Backend, Decoding, Ids
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
    keep: bool = False  # remember the finished sequence for prompts that begin with it
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
    fed: int = 0  # of the row's own tokens
    unkept: bool = False  # the prompt was read with the first draw and is not in the cache of prompts yet


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
        """Give a row its prompt; False when stopped on the way. Its last tokens are fed together with the
        question what follows them.
        """
        if row.budget < 1:
            row.truncated = True
            return True
        if self.patient:
            self._openings.append((row, self._opening(tokens, positions, row)))
            return True
        self._keep_read()
        self._read_on()
        decoding = self._decoding = self._decoding or self._backend.start()
        prefix, n = self._cache.longest(tokens[:-1], positions[:-1])
        index, size = decoding.add(prefix, n), self._backend.prefill_chunk
        seat = _Seat(row, tokens, positions)
        while len(tokens) - n > size + 1:
            if self._is_stopped():
                decoding.drop(index)
                return False
            self._feed(index, seat, slice(n, n + size))
            n += size
        if self._is_stopped() and len(tokens) - n > 1:
            decoding.drop(index)
            return False
        row.waiting, row.waiting_positions = tokens[n:].tolist(), positions[n:].tolist()
        seat.fed = n - len(tokens)
        self._seats.append(seat)
        if len(self._seats) > 1:
            self._read_on()
        return True

    def _feed(self, index: int, seat: _Seat, part: slice) -> None:
        assert self._decoding is not None
        began = time.perf_counter()
        self._decoding.feed(index, seat.tokens[part], seat.positions[part])
        self.model_seconds += time.perf_counter() - began

    def _read_on(self) -> None:
        """The end of a prompt is read together with its first draw. Where there are several rows, it is read
        before, so that they find it in the cache and no row waits for another one's prompt.
        """
        for i, seat in enumerate(self._seats):
            if seat.fed < -1:
                self._feed(i, seat, slice(seat.fed, -1))
                seat.fed, row = -1, seat.row
                row.waiting, row.waiting_positions = row.waiting[-1:], row.waiting_positions[-1:]
                self._remember(i, seat)

    def _keep_read(self) -> None:
        """Remember the prompts that were read with a first draw. That takes as long as some tokens do, and
        the first one is waited for: so it is done before anything else is fed, not before the draw.
        """
        for i, seat in enumerate(self._seats):
            if seat.unkept:
                seat.unkept = False
                self._remember(i, seat)

    def _remember(self, i: int, seat: _Seat) -> None:
        """The prompt of a row was read: others may begin with it."""
        assert self._decoding is not None
        n = self._decoding.lengths[i]
        self._cache.keep(seat.tokens[:n], seat.positions[:n], self._decoding.prefix(i))

    def _opening(self, tokens: Ids, positions: Ids, row: Row) -> Generator[None, None, None]:
        """`open` in small pieces: the prompt is read beside the rows that are being written, then joins
        them.
        """
        prefix, n = self._cache.longest(tokens[:-1], positions[:-1])
        if n < len(tokens) - 1:
            own, most = self._backend.start(), self._backend.prefill_chunk
            seat, size = own.add(prefix, n), min(_FIRST_CHUNK, most)
            start = n
            while start < len(tokens) - 1:
                part = slice(start, min(start + size, len(tokens) - 1))
                began = time.perf_counter()
                own.feed(seat, tokens[part], positions[part])
                took = time.perf_counter() - began
                self.model_seconds += took
                start = part.stop
                size = int(min(most, 2 * size, max(8, size * PATIENT_SECONDS / max(took, 1e-6))))
                yield
            prefix, n = own.prefix(seat), len(tokens) - 1
            self._cache.keep(tokens[:-1], positions[:-1], prefix)
        self._decoding = self._decoding or self._backend.start()
        self._decoding.add(prefix, n)
        row.waiting, row.waiting_positions = [int(tokens[-1])], [int(positions[-1])]
        self._seats.append(_Seat(row, tokens, positions, fed=-1))

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
        """Feed what waits in all rows, then draw a token (and what the grammar forces after it) in each.
        Rows that are done leave.
        """
        if self._is_stopped():
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
        for seat, row, answer in zip(self._seats, rows, logits, strict=True):
            seat.fed += len(row.waiting)
            if len(row.waiting) > 1 and not row.tokens:
                seat.unkept = True
            row.waiting, row.waiting_positions = [], []
            try:
                self._draw(row, answer)
            except GrammarDeadlock as deadlock:
                row.deadlock = deadlock
        for i in reversed(range(len(rows))):
            if rows[i].done:
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
        seat = self._seats[i]
        row = seat.row
        if seat.unkept:
            self._remember(i, seat)
        if row.keep and row.complete:
            more = np.array(row.tokens[: seat.fed], dtype=np.int64)
            first = row.next_position - len(row.tokens)
            places = np.arange(first, first + seat.fed, dtype=np.int64)
            self._cache.keep(
                np.concatenate([seat.tokens, more]),
                np.concatenate([seat.positions, places]),
                self._decoding.prefix(i),
            )
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
