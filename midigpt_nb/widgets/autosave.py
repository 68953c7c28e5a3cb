"""The kernel's side of the page's autosave: what the page keeps of a roll, and how it becomes a roll again.

A kernel may die at any moment; the page, or the next page of the same browser, then still has the last
project file it was given (request `keep`) and the edits it made since. Both come back in one piece
(`restore`): u32 header length, JSON header ``{"base": bytes, "log": [...]}``, zeros up to a multiple of 4,
the project, the note records of the log's entries. What the browser kept may have been tampered with: it is
read like any file.
"""

from __future__ import annotations

import os
import sys
import uuid
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np
import traitlets as t

from midigpt_nb.errors import MidiGPTError, ProjectError
from midigpt_nb.widgets.beside import moved_traits
from midigpt_nb.widgets.document import Document
from midigpt_nb.widgets.project import Project, read_json
from midigpt_nb.widgets.protocol import ProtocolError, unpack_notes
from midigpt_nb.widgets.state import State

if TYPE_CHECKING:
    from midigpt_nb.widgets.files import RollFiles

__all__ = ["MOST_BYTES", "Autosave", "Restored", "read_kept"]

MOST_BYTES = 2 << 20
"""A project larger than this is not kept by the page: it would have to travel after every edit."""
_MOST_LOG = 5000
"""Edits that are repeated; those beyond count as lost."""
_LONGEST_LOG = 100_000
_PAGES_IDS = 1 << 31
"""Notes that pages made have ids from here on."""

_kernel = uuid.uuid4().hex
_made: Counter[str] = Counter()
_lock = Lock()


class Autosave:
    """What a roll tells its page about itself: by which names a later roll is known to be the same one, and
    whether anything is worth keeping.
    """

    def __init__(self, roll: RollFiles) -> None:
        self._roll = roll
        self.start = roll._document.state
        with _lock:
            mark = self._mark(self.start)
            _made[mark] += 1
            number = _made[mark]
        names = {"kernel": _kernel, "session": uuid.uuid4().hex}
        self._facts: dict[str, Any] = {**names, "number": number, "keys": [mark], "saved": 0}
        self._clean: tuple[str, Any] | None = None

    @property
    def facts(self) -> dict[str, Any]:
        """The trait `_autosave`."""
        return dict(self._facts)

    def _mark(self, state: State) -> str:
        """The same for a roll that a notebook makes again from the same music."""
        return uuid.uuid5(uuid.NAMESPACE_OID, f"{_notebook()}/{_hash(state)}").hex

    def begin(self) -> None:
        """The roll is complete: what it holds now needs no keeping."""
        self._clean = self._what()

    def saved(self) -> dict[str, Any]:
        """Everything is in a file now; the new `facts`."""
        with self._roll._document.lock:
            keys = [*self._facts["keys"], self._mark(self._roll._document.state)]
            self._facts |= {"keys": list(dict.fromkeys(keys))[-8:], "saved": self._facts["saved"] + 1}
            self._clean = self._what()
            return self.facts

    @property
    def changed(self) -> bool:
        """Whether the roll holds something that is in no file."""
        return self._what() != self._clean

    def _what(self) -> tuple[str, Any]:
        project = self._roll._project()
        traits = {name: value for name, value in project.traits.items() if name not in _VIEW}
        return _hash(self._roll._document.state), (traits, [take.get("id") for take in project.takes])

    def pack(self) -> tuple[int, bytes]:
        """(revision, project file) as the page keeps it: also the identities of notes and tracks."""
        with self._roll._document.lock:
            document = self._roll._document
            state, rev, project = document.state, document.rev, self._roll._project()
            next_id = document._next_id
        return rev, project.pack_kept(state.ids, state.track_numbers, next_id)


_VIEW = ("selection", "theme", "height", "snap", "loop", "show_lanes")
"""Traits that alone are no reason to keep anything."""


def _hash(state: State) -> str:
    return state.own.hash()


def _notebook() -> str:
    """The notebook's file, as far as its host tells."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    own = getattr(shell, "user_ns", {}).get("__vsc_ipynb_file__", "")
    return str(own or os.environ.get("JPY_SESSION_NAME", ""))


# ------------------------------------------------------------------------------------------------ coming back


@dataclass
class Restored:
    """A project with the edits that were made since: `done` of them; `lost` could not be repeated."""

    project: Project
    done: int
    lost: int


def read_kept(frame: bytes, start: State) -> Restored:
    """What the page kept; without a project the edits were made on `start`. Raises `ProjectError`."""
    header, rest = _split(frame)
    n_base, log = header.get("base"), header.get("log")
    if isinstance(n_base, bool) or not isinstance(n_base, int) or not 0 <= n_base <= len(rest):
        raise ProjectError("what the page kept is damaged: it has no project of the length it names")
    if not isinstance(log, list) or len(log) > _LONGEST_LOG:
        raise ProjectError("what the page kept is damaged: it has no list of edits")
    if n_base:
        project, ids, numbers, next_id = Project.unpack_kept(rest[:n_base])
        document = Document(project.score)
        state = document.state
        next_id = max(document._next_id, next_id)
        made_here = ids[ids < _PAGES_IDS]
        # an id that is given out again would be two notes
        fits = len(ids) == state.table.n_notes and len(np.unique(ids)) == len(ids)
        if fits and not (made_here >= next_id).any():
            state = replace(state, ids=ids)
        if len(numbers) == state.table.n_tracks and len(set(numbers)) == len(numbers):
            state = replace(state, track_numbers=numbers)
        document._state, document._next_id = state, next_id
    else:
        project = Project(start.own)
        document = Document(project.score)
        document._state = replace(start)
    kept = document.state
    done = _repeat(document, log[:_MOST_LOG], rest[n_base:])
    project.score = document.score
    project.traits = moved_traits(project.traits, kept, document.state)
    return Restored(project, done, len(log) - done)


def _split(frame: bytes) -> tuple[dict[str, Any], bytes]:
    length = int.from_bytes(frame[:4], "little")
    try:
        header = read_json(frame[4 : 4 + length])
    except (ValueError, RecursionError) as error:
        raise ProjectError(f"what the page kept is damaged: {error}") from error
    if not isinstance(header, dict):
        raise ProjectError("what the page kept is damaged: it has no header")
    return header, frame[4 + length + -(4 + length) % 4 :]


def _repeat(document: Document, log: list[Any], buffers: bytes) -> int:
    """Do the edits again, in order, up to the first that is not possible; how many were."""
    at = 0
    for number, entry in enumerate(log):
        if not isinstance(entry, Mapping):
            return number
        kind, size = entry.get("k"), entry.get("bytes", 0)
        if isinstance(size, bool) or not isinstance(size, int) or not 0 <= size <= len(buffers) - at:
            return number
        try:
            if kind == "ops":
                records = unpack_notes(buffers[at : at + size])
                document.edit(entry.get("ops", []), records, str(entry.get("label", "")))
            elif kind == "undo":
                document.undo()
            elif kind == "redo":
                document.redo()
            else:
                return number
        except (ProtocolError, MidiGPTError, TypeError, ValueError, OverflowError, KeyError, AttributeError):
            return number
        at += size
    return len(log)


def set_traits(roll: Any, traits: Mapping[str, Any]) -> None:
    """Set what was decided; a value that does not fit (any more) is left out."""
    for name, value in traits.items():
        try:
            setattr(roll, name, value)
        except t.TraitError:
            continue
