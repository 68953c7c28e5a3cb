"""Undo and redo as a log of states. States share what they have in common: a step costs what it changed."""

from __future__ import annotations

import time
from collections import deque
from typing import Generic, TypeVar

__all__ = ["LIMIT", "MERGE_SECONDS", "History"]

LIMIT = 500
"""Steps that can be taken back."""

MERGE_SECONDS = 0.6
"""Repeated small changes of one kind (a nudge held down) that come this fast are one step."""

S = TypeVar("S")


class History(Generic[S]):
    """What came before and after the current state. It does not hold the current state itself.

    >>> history = History()
    >>> history.push("empty", "Add note")
    >>> history.undo("one note")
    'empty'
    >>> history.redo("empty")
    'one note'
    """

    def __init__(self, limit: int = LIMIT) -> None:
        self._past: deque[tuple[S, str]] = deque(maxlen=limit)
        self._future: list[tuple[S, str]] = []
        self._merge, self._merged_at = "", 0.0

    @property
    def can_undo(self) -> bool:
        return bool(self._past)

    @property
    def can_redo(self) -> bool:
        return bool(self._future)

    @property
    def undo_label(self) -> str:
        """What `undo` would take back, '' when there is nothing."""
        return self._past[-1][1] if self._past else ""

    @property
    def redo_label(self) -> str:
        """What `redo` would bring back, '' when there is nothing."""
        return self._future[-1][1] if self._future else ""

    def push(self, current: S, label: str, merge: str = "") -> None:
        """Remember `current` before it is replaced by a new state; what was undone is forgotten.

        Steps with the same `merge` that follow each other within `MERGE_SECONDS` are one step.
        """
        now = time.monotonic()
        joins = bool(merge) and merge == self._merge and now - self._merged_at <= MERGE_SECONDS
        self._merge, self._merged_at = merge, now
        if not (joins and self._past and not self._future):
            self._past.append((current, label))
        self._future.clear()

    def drop(self) -> None:
        """Forget the last step: it came to nothing."""
        self._merge = ""
        self._past.pop()

    def undo(self, current: S) -> S | None:
        """The state before `current`, or None."""
        if not self._past:
            return None
        self._merge = ""
        state, label = self._past.pop()
        self._future.append((current, label))
        return state

    def redo(self, current: S) -> S | None:
        """The state after `current`, or None."""
        if not self._future:
            return None
        state, label = self._future.pop()
        self._past.append((current, label))
        return state
