"""Which page set what, and how much of it the kernel has seen: for several windows on one roll.

A page numbers what it sets (trait `_from`: ``"page-number"``). Whatever the kernel says of traits carries the
last number it has seen of each page (trait `_seen`), so that a page knows whether that was said before or
after the kernel had its newest value: a slow kernel's older value never undoes it.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Iterable
from typing import Any

__all__ = ["Pages", "is_shared"]

MOST_PAGES = 16
"""Pages whose numbers are told; of a page that is not among them the kernel counts as having seen nothing."""

_MARK = re.compile(r"([0-9A-Za-z]{1,16})-([0-9]{1,12})")
_OWN = frozenset({"playing", "position", "_stroke"})
"""Each page plays and draws by itself."""
_KERNELS = frozenset({"_doc", "_rev", "status", "progress", "can_undo", "can_redo", "realized"})
"""What pages never set."""


def is_shared(names: Iterable[str]) -> bool:
    """Whether pages may have newer values of some of these traits."""
    return bool(set(names) - _KERNELS)


class Pages:
    """Not thread-safe by itself: the widget uses it with the document's lock held.

    >>> pages = Pages()
    >>> pages.set_by("p-3", ["selection", "position"]), pages.seen
    ([], {'p': 3})
    >>> pages.set_by("q-1", [])  # another page is there
    []
    >>> pages.set_by("p-4", ["selection", "position"])  # the other page has to hear of it
    ['selection']
    >>> pages.bring("p", 6)  # with an undo, which came before updates that the host held back
    >>> pages.brought("p-6"), pages.brought("p-7")
    (True, False)
    """

    def __init__(self) -> None:
        self._seen: OrderedDict[str, int] = OrderedDict()
        self._ahead: dict[str, int] = {}  # page -> number up to which requests brought what was decided

    @property
    def seen(self) -> dict[str, int]:
        """Last number of each page; 0 for one that has set nothing."""
        return dict(self._seen)

    def set_by(self, mark: Any, names: Iterable[str]) -> list[str]:
        """A page has set traits; those that have to be told again, because other pages are there."""
        found = _MARK.fullmatch(mark) if isinstance(mark, str) else None
        if found is not None:
            self._note(found[1], int(found[2]))
        if len(self._seen) < 2:
            return []
        return [name for name in names if name not in _OWN and name != "_from"]

    def bring(self, page: str, last: int) -> None:
        """A request brings what the page has decided up to its number `last`."""
        self._note(page, last)
        self._ahead[page] = last

    def brought(self, mark: Any) -> bool:
        """What was decided in an update with this mark was brought by a request before it."""
        found = _MARK.fullmatch(mark) if isinstance(mark, str) else None
        return found is not None and int(found[2]) <= self._ahead.get(found[1], 0)

    def _note(self, page: str, number: int) -> None:
        self._seen[page] = max(number, self._seen.get(page, 0))
        self._seen.move_to_end(page)
        while len(self._seen) > MOST_PAGES:
            gone, _ = self._seen.popitem(last=False)
            self._ahead.pop(gone, None)
