"""Undo and redo as a log of states. States share what they have in common: a step costs what it changed."""

from __future__ import annotations

from collections import deque
from typing import Generic, TypeVar

__all__ = ["LIMIT", "History"]

LIMIT = 500
"""Steps that can be taken back."""

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

    def push(self, current: S, label: str) -> None:
        """Remember `current` before it is replaced by a new state; what was undone is forgotten."""
        self._past.append((current, label))
        self._future.clear()

    def undo(self, current: S) -> S | None:
        """The state before `current`, or None."""
        if not self._past:
            return None
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
