"""What is decided beside the music (wishes, roles of tracks and bars) is taken back by undo like an edit: a
stroke of the page's pen is one step, and so is each change from Python.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import traitlets as t

from midigpt_nb.errors import brief
from midigpt_nb.widgets.protocol import ProtocolError
from midigpt_nb.widgets.traits import check_plain

if TYPE_CHECKING:
    from midigpt_nb.widgets.document import Document
    from midigpt_nb.widgets.pages import Pages
    from midigpt_nb.widgets.state import State

__all__ = ["DECIDED", "Decisions", "decided_between"]

DECIDED = ("attributes", "plan")
"""The traits."""


def decided_between(before: State, after: State) -> dict[str, Any]:
    """What has to be set (trait -> value) when undo or redo goes from one state to another: nothing between
    states of different music, with which it moves (`beside`).
    """
    if before.music is not after.music:
        return {}
    known = before.decided or {}
    return {name: value for name, value in (after.decided or {}).items() if known.get(name, value) != value}


class Decisions(t.HasTraits):
    """The part of a roll that remembers what was decided. Its traits are those of `PianoRoll`."""

    _stroke = t.Unicode("", help="the stroke that set wishes or roles in the page").tag(sync=True)

    _document: Document
    _pages: Pages
    can_undo: Any
    can_redo: Any

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._pen = ""
        self._follows = 1  # what a roll begins with was decided before
        super().__init__(*args, **kwargs)
        self._follows -= 1

    @contextmanager
    def _following(self) -> Iterator[None]:
        """What is set in here follows from something else that is a step already."""
        self._follows += 1
        try:
            yield
        finally:
            self._follows -= 1

    @contextmanager
    def _drawn_by(self, stroke: Any) -> Iterator[None]:
        """What is set in here came from a page."""
        self._pen = stroke if isinstance(stroke, str) else self._stroke
        try:
            yield
        finally:
            self._pen = ""

    def _take_drawn(self, drawn: Any) -> None:
        """What a page decided before a request: the host tells it later, where it keeps back what is synced
        while the kernel is busy. What came already is left out; what still comes is old then.

        Raises ProtocolError for anything but the page's form of it, TraitError for values that cannot be.
        """
        page, last, stroke, values = _parts_of(drawn)
        seen = self._pages.seen.get(page, 0)
        news = {name: value for name, (sent, value) in values.items() if sent > seen}
        if news:
            self._pages.bring(page, last)
            with self._drawn_by(stroke):
                for name, value in news.items():
                    check_plain(name, value)
                    setattr(self, name, value)

    @t.observe(*DECIDED)
    def _decided(self, change: Any) -> None:
        if self._follows:
            return
        document = self._document
        with document.lock:
            document.decide(change["name"], change["old"], change["new"], self._pen)
            self.can_undo, self.can_redo = document.can_undo, document.can_redo

    def _decide_again(self, before: State) -> None:
        """The document has travelled from `before`: what was decided then is set again."""
        with self._following():
            for name, value in decided_between(before, self._document.state).items():
                setattr(self, name, value)


def _parts_of(drawn: Any) -> tuple[str, int, str, dict[str, tuple[int, Any]]]:
    """Page, its last number, stroke, and trait -> (number, value) of the message's field `drawn`."""
    match drawn:
        case {"page": str(page), "last": int(last), "stroke": str(stroke), "values": dict(values)}:
            pairs = [(name, pair) for name, pair in values.items() if name in DECIDED]
            found = {name: (pair[0], pair[1]) for name, pair in pairs if _is_numbered(pair)}
            if len(found) == len(pairs):
                return page, last, stroke, found
    raise ProtocolError(f"drawn is {{page, last, stroke, values}}, not {brief(drawn)}")


def _is_numbered(pair: Any) -> bool:
    return isinstance(pair, (list, tuple)) and len(pair) == 2 and type(pair[0]) is int
