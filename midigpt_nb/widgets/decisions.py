"""What is decided beside the music (wishes, roles of tracks and bars) is taken back by undo like an edit: a
stroke of the page's pen is one step, and so is each change from Python.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import traitlets as t

if TYPE_CHECKING:
    from midigpt_nb.widgets.document import Document, State

__all__ = ["Decisions", "decided_between"]


def decided_between(before: State, after: State) -> dict[str, Any]:
    """What has to be set (trait -> value) when undo or redo goes from one state to another: nothing between
    states of different music, with which it moves (`beside`).
    """
    if before.table is not after.table or before.source is not after.source:
        return {}
    known = before.decided or {}
    return {name: value for name, value in (after.decided or {}).items() if known.get(name, value) != value}


class Decisions(t.HasTraits):
    """The part of a roll that remembers what was decided. Its traits are those of `PianoRoll`."""

    _stroke = t.Unicode("", help="the stroke that set wishes or roles in the page").tag(sync=True)

    _document: Document
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

    @t.observe("attributes", "plan")
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
