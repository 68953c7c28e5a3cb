"""Requests of pages that change something: each carried out once, in the order in which its page made them.

A page numbers these requests (`seq`) and repeats those that are not answered. What comes twice is answered
from memory; what comes too early waits until what is missing has come. Hosts with several threads, tunnels
and tabs that wake up may do all of that to messages.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Inbox"]

MOST_PAGES = 500
MOST_HELD = 300
"""Requests of a page that may wait for a missing one; those beyond are forgotten, the page repeats them."""
MOST_ANSWERS = 300
"""Answers that are remembered per page."""

Message = tuple[Any, Any]


@dataclass
class _Page:
    due: int = 0
    held: dict[int, Message] = field(default_factory=dict)
    answers: OrderedDict[int, Message] = field(default_factory=OrderedDict)


class Inbox:
    """Not thread-safe by itself: the widget uses it with the document's lock held.

    >>> inbox = Inbox()
    >>> inbox.put("p", 1, "second"), inbox.next("p")
    (True, None)
    >>> inbox.put("p", 0, "first"), inbox.next("p"), inbox.next("p")
    (True, 'first', 'second')
    >>> inbox.put("p", 0, "first")
    False
    """

    def __init__(self) -> None:
        self._pages: OrderedDict[Hashable, _Page] = OrderedDict()

    def put(self, page: Hashable, seq: int, message: Any) -> bool:
        """A request has come; False when it has been given out before (see `answer`)."""
        own = self._page(page)
        if seq < own.due:
            return False
        if len(own.held) < MOST_HELD or seq == own.due:
            own.held[seq] = message
        return True

    def next(self, page: Hashable) -> Any:
        """The request that is due, once; None while it is missing."""
        own = self._page(page)
        message = own.held.pop(own.due, None)
        own.due += message is not None
        return message

    def missing(self, page: Hashable) -> int | None:
        """Number of the request that others wait for."""
        own = self._page(page)
        return own.due if own.held else None

    def answered(self, page: Hashable, seq: int, answer: Any) -> None:
        """Remember an answer."""
        own = self._page(page)
        own.answers[seq] = answer
        while len(own.answers) > MOST_ANSWERS:
            own.answers.popitem(last=False)

    def answer(self, page: Hashable, seq: int) -> Any:
        """The answer that was given before; None when it is not known (any more)."""
        return self._page(page).answers.get(seq)

    def _page(self, page: Hashable) -> _Page:
        own = self._pages.setdefault(page, _Page())
        self._pages.move_to_end(page)
        while len(self._pages) > MOST_PAGES:
            self._pages.popitem(last=False)
        return own
