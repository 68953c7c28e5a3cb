"""A generation job: what Python holds in its hands (`Job`) and what the page is told about it (`JobFeed`)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Generator, Iterable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from threading import Condition
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from midigpt_nb.errors import GenerationCancelled
from midigpt_nb.widgets.later import Later
from midigpt_nb.widgets.protocol import empty_notes, event_message, job_event

if TYPE_CHECKING:
    from midigpt_nb._core import ScoreTable
    from midigpt_nb.inference.uncertainty import Uncertainty
    from midigpt_nb.score.model import Score
    from midigpt_nb.widgets.document import Cell, Document
    from midigpt_nb.widgets.takes import RollTake

__all__ = ["Job", "JobFeed", "JobStatus"]

JobStatus = Literal["queued", "running", "cancelling", "done", "cancelled", "error"]

MAX_NOTES = 64
"""Notes in one event."""
PAUSE = 0.05
"""Seconds that notes and finished bars may wait for others, to travel in one message."""
TOKENS_INTERVAL = 0.24
"""Seconds between two events that tell the progress."""
PULSE = 0.9
"""Seconds of silence after which a job says that it goes on: it waits its turn, or the model reads."""
MAY_WAIT = ("notes", "bar", "tok")
_LAST = ("done", "cancelled", "error")

Send = Callable[[dict[str, Any], "list[bytes] | None"], None]
Locked = Callable[[], "AbstractContextManager[Any]"]


@dataclass
class _TakeFeed:
    """What one take has written so far."""

    finished: list[Cell] = field(default_factory=list)
    notes: dict[Cell, list[NDArray[np.void]]] = field(default_factory=dict)
    tokens_before: int = 0
    tokens_attempt: int = 0
    attempt: tuple[int, int] = (0, 0)

    @property
    def records(self) -> list[NDArray[np.void]]:
        return [records for cell in self.notes.values() for records in cell]


class JobFeed:
    """Tells the page about one job, in numbered messages, and remembers all of it for a page that comes late.

    Not thread-safe by itself: the widget calls it with the document's lock held. Notes and finished bars are
    gathered so that there are about 20 messages a second, however many takes are written side by side;
    whatever changes the course of the job is told at once. Events of the first take carry no `take`.

    `locked`: holds the document's lock while what waited is sent from another thread.
    """

    def __init__(
        self, job: str, document: Document, send: Send, n_takes: int = 1, locked: Locked = nullcontext
    ) -> None:
        self.job = job
        self.n = 0
        self.over = False
        """Its last event is told."""
        self.table: ScoreTable | None = None
        """The music the job started from, once it has started."""
        self.takes = [_TakeFeed() for _ in range(n_takes)]
        self._document, self._send = document, send
        self._waiting: dict[tuple[int, Cell], list[NDArray[np.void]]] = {}
        self._outbox: list[tuple[dict[str, Any], list[bytes]]] = []
        self._sent = self._tokens_sent = 0.0
        self._locked = locked
        self._later = Later(self._flush_late)
        self._pulse = Later(self.beat)

    @property
    def finished(self) -> list[Cell]:
        """The finished cells of the first take."""
        return self.takes[0].finished

    @property
    def n_finished(self) -> int:
        """Finished cells of all takes together."""
        return sum(len(take.finished) for take in self.takes)

    @property
    def tokens(self) -> int:
        """Tokens written by all takes together, thrown away attempts included."""
        return sum(take.tokens_before + take.tokens_attempt for take in self.takes)

    def event(self, ev: str, buffers: list[bytes] | None = None, *, take: int = 0, **fields: Any) -> None:
        """Tell the next event; notes that wait go first, so that the order is kept."""
        self._gather()
        self._put(ev, buffers, take=take, **fields)
        if ev in MAY_WAIT:
            self._flush_soon()
        else:
            self.flush()
        if ev in _LAST:
            self.over = True
            self._pulse.cancel()
        else:
            self._pulse.ask(PULSE)

    def beat(self) -> None:
        """The job goes on; told when nothing else was for a while. From any thread."""
        with self._locked():
            silent = time.monotonic() - self._sent
            if self.over or self.n == 0:
                return
            if silent >= PULSE:
                self.event("tok", tokens=self.tokens)
            else:
                self._pulse.ask(PULSE - silent)

    def _put(self, ev: str, buffers: list[bytes] | None = None, *, take: int = 0, **fields: Any) -> None:
        of_take = {"take": take} if take else {}
        self._outbox.append((job_event(ev, **fields, **of_take), buffers or []))
        self.n += 1

    def count_tokens(self, step: int, attempt: int, tokens: int, take: int = 0) -> None:
        """`tokens` of this attempt are written; told to the page at most four times a second."""
        own = self.takes[take]
        if (step, attempt) != own.attempt:  # each attempt counts from 0 again
            own.tokens_before += own.tokens_attempt
            own.attempt = (step, attempt)
        own.tokens_attempt = tokens
        now = time.monotonic()
        if now - self._tokens_sent >= TOKENS_INTERVAL:
            self._tokens_sent = now
            self.event("tok", tokens=self.tokens)

    def notes(self, track: int, bar: int, notes: Iterable[tuple[int, int, int, int]], take: int = 0) -> None:
        """Provisional notes of a cell: (pitch, velocity, onset_ticks, duration_ticks)."""
        records = self._document.provisional(track, bar, notes, self.table)
        cell = (track, bar)
        self.takes[take].notes.setdefault(cell, []).append(records)
        self._waiting.setdefault((take, cell), []).append(records)
        self._flush_soon(or_now=False)

    def flush(self) -> None:
        """Send what waits, in one message."""
        self._gather()
        if not self._outbox:
            return
        outbox, self._outbox = self._outbox, []
        self._sent = time.monotonic()
        message = event_message(self.job, self.n - len(outbox), [event for event, _ in outbox])
        self._send(message, [buffer for _, buffers in outbox for buffer in buffers] or None)

    def _gather(self) -> None:
        """The notes that wait become events."""
        waiting, self._waiting = self._waiting, {}
        for (take, (track, bar)), parts in waiting.items():
            records = np.concatenate(parts)
            for first in range(0, len(records), MAX_NOTES):
                part = records[first : first + MAX_NOTES]
                self._put("notes", [part.tobytes()], take=take, track=track, bar=bar, count=len(part))

    def _flush_soon(self, *, or_now: bool = True) -> None:
        wait = self._sent + PAUSE - time.monotonic()
        if wait <= 0 or (not self._later.ask(wait) and or_now):
            self.flush()

    def _flush_late(self) -> None:
        with self._locked():
            if self._outbox or self._waiting:
                self._flush_soon()  # what was sent since then may have been a moment ago

    def bar(self, track: int, bar: int, take: int = 0) -> None:
        """A cell is complete."""
        self.takes[take].finished.append((track, bar))
        self.event("bar", take=take, track=track, bar=bar)

    def reject(self, cells: Iterable[Cell], take: int = 0) -> None:
        """The notes of these cells are void."""
        void = {(int(track), int(bar)) for track, bar in cells}
        own = self.takes[take]
        for cell in void:
            own.notes.pop(cell, None)
        own.finished = [cell for cell in own.finished if cell not in void]
        self.event("reject", take=take, cells=[list(cell) for cell in sorted(void)])

    def drop_notes(self) -> None:
        """The job is over: its notes are in the document, in its takes, or nowhere."""
        self._waiting.clear()
        for take in self.takes:
            take.notes.clear()

    def provisional(self) -> NDArray[np.void]:
        """All notes written so far, take after take."""
        self.flush()
        parts = [records for take in self.takes for records in take.records]
        return np.concatenate(parts) if parts else empty_notes()

    def picture(self) -> list[dict[str, Any]]:
        """Per take: its finished cells, and how many of the `provisional` records are its own."""
        return [
            {"finished": [list(cell) for cell in take.finished], "count": sum(len(r) for r in take.records)}
            for take in self.takes
        ]


class Job:
    """A generation that was asked for. It runs in the background; the notebook goes on.

    >>> job = InfillEditor(Score.example()).generate([(1, 4), (1, 5)])
    >>> job.result(timeout=60)
    Score(4 tracks, 16 bars, ...)

    In a cell, ``score = await job`` waits as well, and leaves the notebook free meanwhile.

    `status` is "queued", "running", "cancelling", "done", "cancelled" or "error"; `progress` goes from 0 to
    1; `cells` are the bars it writes, `partial` the score with the bars that were finished when it stopped
    early. `uncertainty` tells how sure the model was of each note (of several takes: in the best). A job of
    several takes ends with `takes`, best first, and `result()` is the score with the best of
    them; the editor's own score changes when one is accepted.
    """

    def __init__(
        self, job_id: str, cells: list[Cell], label: str, condition: Condition, n_takes: int = 1
    ) -> None:
        self.id = job_id
        self.cells = cells
        self.n_takes = n_takes
        self.takes: list[RollTake] = []
        self.label = label
        self.status: JobStatus = "queued"
        self.progress = 0.0
        self.partial: Score | None = None
        self.uncertainty: Uncertainty | None = None
        self.error: BaseException | None = None
        self.seconds = 0.0
        self.tokens = 0
        # Waiting on the document's own lock frees it, even when an observer waits from inside a trait change.
        self._condition = condition
        self._score: Score | None = None
        self._waits = False  # its takes wait for a choice
        self._python = ""  # the call that does it again
        self._plan: dict[str, Any] = {}  # and the roles it counts on
        self._cancel_event: Any = None
        self._on_cancel: Callable[[Job], None] = lambda job: None
        # Where there are no threads, who waits does the work: see `Worker.drive`.
        self._drive: Callable[[Callable[[], bool], float | None], bool | None] = lambda done, timeout: None
        self._callbacks: list[Callable[[Job], object]] = []

    @property
    def done(self) -> bool:
        """Whether it has ended, in whatever way."""
        return self.status in ("done", "cancelled", "error")

    def result(self, timeout: float | None = None) -> Score:
        """Wait for the score (of several takes: with the best one). Raises GenerationCancelled, the job's
        error, or TimeoutError after `timeout` s.

        Interrupting the wait (the notebook's stop button) cancels the job.
        """
        try:
            if self._drive(lambda: self.done, timeout) is False:
                raise TimeoutError(f"{self!r} did not end within {timeout} s")
            with self._condition:
                if not self._condition.wait_for(lambda: self.done, timeout):
                    raise TimeoutError(f"{self!r} did not end within {timeout} s")
        except KeyboardInterrupt:
            self.cancel()
            self._drive(lambda: self.done, 2.0)
            raise
        return self._outcome()

    def cancel(self) -> bool:
        """Ask the job to stop; False when it has already ended. The score stays as it was."""
        with self._condition:
            if self.done:
                return False
            if self._cancel_event is not None:
                self._cancel_event.set()
            self._on_cancel(self)
            return True

    def add_done_callback(self, callback: Callable[[Job], object]) -> None:
        """Call ``callback(job)`` when the job ends (at once when it has), on the thread that ends it."""
        with self._condition:
            if not self.done:
                self._callbacks.append(callback)
                return
        callback(self)

    def __await__(self) -> Generator[Any, None, Score]:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[None] = loop.create_future()

        def wake() -> None:
            if not future.done():
                future.set_result(None)

        self._drive(lambda: True, 0.0)
        self.add_done_callback(lambda _job: None if loop.is_closed() else loop.call_soon_threadsafe(wake))
        try:
            yield from future
        except asyncio.CancelledError:
            self.cancel()
            raise
        return self._outcome()

    def _outcome(self) -> Score:
        if self.error is not None:
            raise self.error
        if self.status == "cancelled":
            raise GenerationCancelled(partial=self.partial, gen_count=self.tokens)
        assert self._score is not None
        return self._score

    def _end(
        self, status: JobStatus, *, score: Score | None = None, error: BaseException | None = None
    ) -> None:
        """Make the job ended and wake who waits; call with the lock held."""
        self.status, self._score, self.error = status, score, error
        if status == "done":
            self.progress = 1.0
        callbacks, self._callbacks = self._callbacks, []
        self._condition.notify_all()
        for callback in callbacks:
            callback(self)

    def __repr__(self) -> str:
        return f"Job({self.label!r}, {self.status})"
