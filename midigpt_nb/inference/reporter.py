"""From tokens to events: what one attempt tells while it is written."""

from __future__ import annotations

import time
from collections.abc import Sequence

from midigpt_nb.inference.events import BarFinished, Event, NotesArrived, TokenProgress
from midigpt_nb.inference.notes import NoteParser, NotePlacer, Placed
from midigpt_nb.inference.piece import Cell

__all__ = ["Reporter"]

NOTES_EVERY_S = 0.05
PROGRESS_EVERY_S = 0.25


class Reporter:
    """Turns tokens into events: notes at least every 50 ms and at the end of a bar, signs of life four
    times a second. `placed` are the notes so far, per bar, as rows of the score's table; `placed_at` says
    with which token of the attempt each was complete.
    """

    def __init__(self, step: int, attempt: int, parser: NoteParser, placer: NotePlacer) -> None:
        self._step, self._attempt = step, attempt
        self._parser, self._placer = parser, placer
        self.placed: dict[Cell, list[Placed]] = {}
        self.placed_at: dict[Cell, list[int]] = {}
        self._fresh: list[Placed] = []
        self._cell: Cell | None = None
        self._sent_notes = self._sent_progress = 0.0

    def read(self, tokens: Sequence[int], total: int) -> list[Event]:
        """Events of newly written tokens; `total` counts all tokens of the attempt."""
        parser = self._parser
        events: list[Event] = []
        for number, token in enumerate(tokens, total - len(tokens)):
            before = parser.current
            was_finished = before is not None and before.finished
            note = parser.feed(token)
            block = parser.current
            if block is None:
                continue
            cell = (block.track, block.bar)
            self._cell = cell
            if note is not None and (row := self._placer.place(*cell, note)) is not None:
                self.placed.setdefault(cell, []).append(row)
                self.placed_at.setdefault(cell, []).append(number)
                self._fresh.append(row)
            if block.finished and not (block is before and was_finished):
                events += self.flush()
                events.append(BarFinished(self._step, self._attempt, *cell))
        now = time.perf_counter()
        if self._fresh and now - self._sent_notes >= NOTES_EVERY_S:
            events += self.flush()
        if now - self._sent_progress >= PROGRESS_EVERY_S:
            self._sent_progress = now
            events.append(TokenProgress(self._step, self._attempt, total))
        return events

    def flush(self) -> list[Event]:
        """Send the notes not sent yet."""
        if not self._fresh or self._cell is None:
            return []
        notes = tuple((pitch, velocity, onset, length) for onset, length, pitch, velocity, _ in self._fresh)
        self._fresh = []
        self._sent_notes = time.perf_counter()
        return [NotesArrived(self._step, self._attempt, *self._cell, notes)]
