"""A generation job: what Python holds in its hands (`Job`) and what the page is told about it (`JobFeed`)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Generator, Iterable
from threading import Condition
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from midigpt_nb.errors import GenerationCancelled
from midigpt_nb.widgets.protocol import empty_notes, event_message

if TYPE_CHECKING:
    from midigpt_nb._core import ScoreTable
    from midigpt_nb.score.model import Score
    from midigpt_nb.widgets.document import Cell, Document

__all__ = ["Job", "JobFeed", "JobStatus"]

JobStatus = Literal["queued", "running", "cancelling", "done", "cancelled", "error"]

MAX_NOTES = 64
"""Notes in one message."""
NOTES_INTERVAL = 0.05
"""Seconds between two messages with notes."""
TOKENS_INTERVAL = 0.24
"""Seconds between two progress messages."""

Send = Callable[[dict[str, Any], "list[bytes] | None"], None]


class JobFeed:
    """Tells the page about one job, in numbered messages, and remembers all of it for a page that comes late.

    Not thread-safe by itself: the widget calls it with the document's lock held. Notes are gathered so that
    no message holds more than 64 of them and messages with notes are 50 ms apart.
    """

    def __init__(self, job: str, document: Document, send: Send) -> None:
        self.job = job
        self.n = 0
        self.tokens = 0
        self.finished: list[Cell] = []
        self.table: ScoreTable | None = None
        """The music the job started from, once it has started."""
        self._document, self._send = document, send
        self._notes: dict[Cell, list[NDArray[np.void]]] = {}
        self._waiting: tuple[Cell, list[NDArray[np.void]]] | None = None
        self._notes_sent = self._tokens_sent = 0.0
        self._tokens_before = self._tokens_attempt = 0
        self._attempt = (0, 0)

    def event(self, ev: str, buffers: list[bytes] | None = None, **fields: Any) -> None:
        """Send the next event; notes that wait go first, so that the order is kept."""
        if ev != "notes":
            self.flush()
        message = event_message(self.job, self.n, ev, **fields)
        self.n += 1
        self._send(message, buffers)

    def count_tokens(self, step: int, attempt: int, tokens: int) -> None:
        """`tokens` of this attempt are written; told to the page at most four times a second."""
        if (step, attempt) != self._attempt:  # each attempt counts from 0 again
            self._tokens_before += self._tokens_attempt
            self._attempt = (step, attempt)
        self._tokens_attempt = tokens
        self.tokens = self._tokens_before + tokens
        now = time.monotonic()
        if now - self._tokens_sent >= TOKENS_INTERVAL:
            self._tokens_sent = now
            self.event("tok", tokens=self.tokens)

    def notes(self, track: int, bar: int, notes: Iterable[tuple[int, int, int, int]]) -> None:
        """Provisional notes of a cell: (pitch, velocity, onset_ticks, duration_ticks)."""
        records = self._document.provisional(track, bar, notes, self.table)
        self._notes.setdefault((track, bar), []).append(records)
        if self._waiting is not None and self._waiting[0] != (track, bar):
            self.flush()
        if self._waiting is None:
            self._waiting = ((track, bar), [])
        self._waiting[1].append(records)
        gathered = sum(len(r) for r in self._waiting[1])
        if gathered >= MAX_NOTES or time.monotonic() - self._notes_sent >= NOTES_INTERVAL:
            self.flush()

    def flush(self) -> None:
        """Send the notes that wait."""
        if self._waiting is None:
            return
        (track, bar), parts = self._waiting
        self._waiting = None
        records = np.concatenate(parts)
        for first in range(0, len(records), MAX_NOTES):
            part = records[first : first + MAX_NOTES]
            self.event("notes", [part.tobytes()], track=track, bar=bar, count=len(part))
        self._notes_sent = time.monotonic()

    def bar(self, track: int, bar: int) -> None:
        """A cell is complete."""
        self.finished.append((track, bar))
        self.event("bar", track=track, bar=bar)

    def reject(self, cells: Iterable[Cell]) -> None:
        """The notes of these cells are void."""
        void = {(int(track), int(bar)) for track, bar in cells}
        self.flush()
        for cell in void:
            self._notes.pop(cell, None)
        self.finished = [cell for cell in self.finished if cell not in void]
        self.event("reject", cells=[list(cell) for cell in sorted(void)])

    def drop_notes(self) -> None:
        """The job is over: its notes are in the document or nowhere."""
        self._waiting = None
        self._notes.clear()

    def provisional(self) -> NDArray[np.void]:
        """All notes written so far."""
        self.flush()
        parts = [records for cell in self._notes.values() for records in cell]
        return np.concatenate(parts) if parts else empty_notes()


class Job:
    """A generation that was asked for. It runs in the background; the notebook goes on.

    >>> job = editor.generate([(1, 4), (1, 5)])
    >>> job.result(timeout=60)
    Score(4 tracks, 16 bars, ...)
    >>> score = await job

    `status` is "queued", "running", "cancelling", "done", "cancelled" or "error"; `progress` goes from 0 to
    1; `cells` are the bars it writes, `partial` the score with the bars that were finished when it stopped
    early.
    """

    def __init__(self, job_id: str, cells: list[Cell], label: str, condition: Condition) -> None:
        self.id = job_id
        self.cells = cells
        self.label = label
        self.status: JobStatus = "queued"
        self.progress = 0.0
        self.partial: Score | None = None
        self.error: BaseException | None = None
        self.seconds = 0.0
        self.tokens = 0
        # Waiting on the document's own lock frees it, even when an observer waits from inside a trait change.
        self._condition = condition
        self._score: Score | None = None
        self._cancel_event: Any = None
        self._on_cancel: Callable[[Job], None] = lambda job: None
        self._callbacks: list[Callable[[Job], object]] = []

    @property
    def done(self) -> bool:
        """Whether it has ended, in whatever way."""
        return self.status in ("done", "cancelled", "error")

    def result(self, timeout: float | None = None) -> Score:
        """Wait for the score. Raises GenerationCancelled, the job's error, or TimeoutError after `timeout` s.

        Interrupting the wait (the notebook's stop button) cancels the job.
        """
        try:
            with self._condition:
                if not self._condition.wait_for(lambda: self.done, timeout):
                    raise TimeoutError(f"{self!r} did not end within {timeout} s")
        except KeyboardInterrupt:
            self.cancel()
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
