"""Undo and redo as two piles of states. All but the last few of a pile are kept packed: a step costs what it
changed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any, Generic, TypeVar

__all__ = ["LIMIT", "MERGE_SECONDS", "WHOLE", "History"]

LIMIT = 500
"""Steps that can be taken back."""
WHOLE = 20
"""States of a pile that are not packed."""

MERGE_SECONDS = 0.6
"""Repeated small changes of one kind (a nudge held down) that come this fast are one step."""

S = TypeVar("S")


def _as_it_is(state: Any, _: Any) -> Any:
    return state


class History(Generic[S]):
    """What came before and after the current state. It does not hold the current state itself.

    ``pack(state, next)`` is a state as it differs from the one it will be reached from, and
    ``unpack(packed, next)`` the state again.

    >>> history = History()
    >>> history.push("empty", "Add note")
    >>> history.undo("one note")
    'empty'
    >>> history.redo("empty")
    'one note'
    """

    def __init__(
        self,
        limit: int = LIMIT,
        pack: Callable[[S, S], Any] = _as_it_is,
        unpack: Callable[[Any, S], S] = _as_it_is,
    ) -> None:
        self._past: _Pile[S] = _Pile(limit, pack, unpack)
        self._future: _Pile[S] = _Pile(limit, pack, unpack)
        self._merge, self._merged_at = "", 0.0

    @property
    def can_undo(self) -> bool:
        return len(self._past) > 0

    @property
    def can_redo(self) -> bool:
        return len(self._future) > 0

    @property
    def undo_label(self) -> str:
        """What `undo` would take back, '' when there is nothing."""
        return self._past.label

    @property
    def redo_label(self) -> str:
        """What `redo` would bring back, '' when there is nothing."""
        return self._future.label

    def kept(self) -> Iterator[Any]:
        """All that is kept, packed or not."""
        yield from (entry for entry, _ in self._past)
        yield from (entry for entry, _ in self._future)

    def push(self, current: S, label: str, merge: str = "") -> None:
        """Remember `current` before it is replaced by a new state; what was undone is forgotten.

        Steps with the same `merge` that follow each other within `MERGE_SECONDS` are one step.
        """
        now = time.monotonic()
        joins = bool(merge) and merge == self._merge and now - self._merged_at <= MERGE_SECONDS
        self._merge, self._merged_at = merge, now
        if not (joins and self.can_undo and not self.can_redo):
            self._past.put(current, label)
        self._future.clear()

    def drop(self) -> None:
        """Forget the last step: it came to nothing, the current state is the one before it."""
        self._merge = ""
        self._past.pop()

    def undo(self, current: S) -> S | None:
        """The state before `current`, or None."""
        return self._move(current, self._past, self._future)

    def redo(self, current: S) -> S | None:
        """The state after `current`, or None."""
        return self._move(current, self._future, self._past)

    def _move(self, current: S, here: _Pile[S], there: _Pile[S]) -> S | None:
        if not len(here):
            return None
        self._merge = ""
        state, label = here.take(current)
        there.put(current, label)
        return state


class _Pile(Generic[S]):
    """States with their labels, the last on top. Each packed one is told by the one above it: that one is the
    current state when it is taken.
    """

    def __init__(self, limit: int, pack: Callable[[S, S], Any], unpack: Callable[[Any, S], S]) -> None:
        self._limit, self._pack, self._unpack = limit, pack, unpack
        self._entries: list[tuple[Any, str]] = []
        self._packed = 0  # so many from the bottom on

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[tuple[Any, str]]:
        return iter(self._entries)

    @property
    def label(self) -> str:
        return self._entries[-1][1] if self._entries else ""

    def put(self, state: S, label: str) -> None:
        self._entries.append((state, label))
        if len(self._entries) > self._limit:
            del self._entries[0]
            self._packed = max(0, self._packed - 1)
        while len(self._entries) - self._packed > WHOLE:
            (state, label), (above, _) = self._entries[self._packed : self._packed + 2]
            self._entries[self._packed] = (self._pack(state, above), label)
            self._packed += 1

    def take(self, current: S) -> tuple[S, str]:
        entry, label = self._entries[-1]
        whole = len(self._entries) > self._packed
        state = entry if whole else self._unpack(entry, current)
        self.pop()
        return state, label

    def pop(self) -> None:
        self._entries.pop()
        self._packed = min(self._packed, len(self._entries))

    def clear(self) -> None:
        self._entries.clear()
        self._packed = 0
