"""TABLE: every exception the package raises. Imported by all, imports nothing.

The core's exceptions (src_cpp/error.h) are translated to the classes of the same name here. The second bases
are what callers of the reference implementation, or of Python's own functions, would catch::

    MidiGPTError
    ├── ScoreError (ValueError, RuntimeError)          a score or MIDI file is malformed
    ├── VocabularyError (ValueError, RuntimeError)     a value outside its token domain, an unknown token type
    ├── CheckpointError (ValueError, RuntimeError)     a model file is unreadable, unsupported or refused
    │   ├── EncoderConfigError                         its encoder configuration contradicts itself
    │   │   ├── UnknownAttribute (KeyError)            it names an attribute that does not exist
    │   │   └── AttributeParameterError (TypeError)    it gives an attribute the wrong parameters
    │   ├── CheckpointNotFound (FileNotFoundError)     there is no such file
    │   └── HubError (OSError)                         published weights could not be fetched
    │       └── HubAccessError (PermissionError)       ... for want of an accepted licence or a token
    ├── MeasurementError (ValueError)                  an attribute's function failed or gave no number
    ├── ProjectError (ValueError)                      a .mgnb file is damaged, too new, or cannot be written
    ├── MissingExtraError (ImportError)                an optional package is needed
    ├── RequestValidationError (ValueError)            .problems: every rule a request breaks
    ├── GenerationError (RuntimeError)                 .partial, .status
    │   ├── BudgetSpent                                max_tokens or max_seconds ended it
    │   ├── GrammarDeadlock                            .state, .constraints
    │   ├── ContextOverflow                            .tokens, .limit, .step
    │   └── NoAcceptableCandidate                      .reasons, .last
    └── GenerationCancelled                            .partial, .gen_count, .status
"""

from __future__ import annotations

import reprlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

__all__ = [
    "AttributeParameterError",
    "BudgetSpent",
    "CheckpointError",
    "CheckpointNotFound",
    "ContextOverflow",
    "EncoderConfigError",
    "GenerationCancelled",
    "GenerationError",
    "GrammarDeadlock",
    "HubAccessError",
    "HubError",
    "MeasurementError",
    "MidiGPTError",
    "MissingExtraError",
    "NoAcceptableCandidate",
    "Place",
    "Problem",
    "ProjectError",
    "RequestValidationError",
    "ScoreError",
    "UnknownAttribute",
    "VocabularyError",
    "brief",
]

_MOST_LISTED = 20  # problems in a message; `.problems` has all of them

_shown = reprlib.Repr()
_shown.maxlevel, _shown.maxlist, _shown.maxtuple, _shown.maxdict, _shown.maxset = 4, 16, 16, 8, 8
_shown.maxstring, _shown.maxother, _shown.maxlong = 120, 120, 40


def brief(value: Any) -> str:
    """`repr(value)` for a message: long and deeply nested values are cut, and it never fails.

    >>> brief([1, "a"])
    "[1, 'a']"
    """
    try:
        return _shown.repr(value)
    except Exception:  # a broken __repr__, a number of ten thousand digits
        return f"a {type(value).__name__}"


class MidiGPTError(Exception):
    """Base class of every error of this package."""


class ScoreError(MidiGPTError, ValueError, RuntimeError):
    """A score or MIDI file is malformed; the message names the byte, track, bar or note."""


class CheckpointError(MidiGPTError, ValueError, RuntimeError):
    """A model file is unreadable, unsupported, or refused."""


class EncoderConfigError(CheckpointError):
    """An encoder configuration contradicts itself or misses a domain."""


class UnknownAttribute(EncoderConfigError, KeyError):
    """An attribute is named that does not exist; the message has the likely one."""

    __str__ = Exception.__str__  # a KeyError would show its message in quotes


class AttributeParameterError(EncoderConfigError, TypeError):
    """An attribute is given parameters that it does not take, or lacks one."""


class CheckpointNotFound(CheckpointError, FileNotFoundError):
    """There is no such model file; the message says where it was looked for."""


class HubError(CheckpointError, OSError):
    """Published weights could not be fetched and are not on this machine; the message says what to do."""


class HubAccessError(HubError, PermissionError):
    """The hub refused the weights: their licence was not accepted, or the token is missing or wrong."""


class VocabularyError(MidiGPTError, ValueError, RuntimeError):
    """A value lies outside its token domain, or a token type is unknown."""


class MeasurementError(MidiGPTError, ValueError):
    """An attribute's function failed or gave no usable number; the message names attribute, track and bar."""


class ProjectError(MidiGPTError, ValueError):
    """A .mgnb file is missing, damaged, hostile or too new, or cannot be written; the message says which."""


class MissingExtraError(MidiGPTError, ImportError):
    """An optional dependency is needed; the message names the extra to install."""


@dataclass(frozen=True)
class Entry:
    """A step of a `Place`: the entry of a list or dict under `key`."""

    key: Any


@dataclass(frozen=True)
class Place:
    """Where something stands in a request, a score or a record: `root`, and from there the steps inwards, the
    name of a field or an `Entry` each. Only for people it becomes a text.

    >>> place = Place("tracks").entry(1).field("bar_attributes").entry(6).entry("note_density")
    >>> print(place)
    tracks[1].bar_attributes[6]['note_density']
    """

    root: str
    steps: tuple[str | Entry, ...] = ()

    def field(self, name: str) -> Place:
        """The field of this name of what stands here."""
        return Place(self.root, (*self.steps, name))

    def entry(self, key: Any) -> Place:
        """The entry of the list or dict that stands here."""
        return Place(self.root, (*self.steps, Entry(key)))

    @property
    def prompt(self) -> int | None:
        """Which one of the request's `tracks` it is in; None outside them."""
        match self.root, self.steps:
            case "tracks", (Entry(int(number)), *_):
                return number
        return None

    @property
    def score_track(self) -> int | None:
        """Which one of the score's tracks it is in; None outside them."""
        match self.root, self.steps:
            case "score", ("tracks", Entry(int(number)), *_):
                return number
        return None

    def __str__(self) -> str:
        steps = (f"[{step.key!r}]" if isinstance(step, Entry) else f".{step}" for step in self.steps)
        return f"{self.root}{''.join(steps)}"


@dataclass(frozen=True)
class Problem:
    """One broken rule of a request.

    `place` is where, `value` what was given, `allowed` what would be accepted in words, `hint` the likely
    intention ('' when there is none). ``tracks[1]`` is the second one of the request; `track` says which
    track of the piece it is about ("track 3 'Bass'").
    """

    place: Place
    value: Any
    message: str
    allowed: str = ""
    hint: str = ""
    track: str = ""

    @property
    def path(self) -> str:
        """The place as a text: ``tracks[1].bar_attributes[6]['note_density']``."""
        return str(self.place)

    def __str__(self) -> str:
        where = f", for {self.track}" if self.track else ""
        text = f"{self.place}: {self.message} (given {brief(self.value)}{where})"
        if self.allowed:
            text += f"; allowed: {self.allowed}"
        if self.hint:
            text += f"; {self.hint}"
        return text


class RequestValidationError(MidiGPTError, ValueError):
    """A generation request breaks one or more rules; `.problems` lists all of them."""

    def __init__(self, problems: Sequence[Problem] | str) -> None:
        if isinstance(problems, str):
            problems = [Problem(Place("request"), None, problems)]
        self.problems = list(problems)
        lines = [str(problem) for problem in self.problems[:_MOST_LISTED]]
        if len(self.problems) > _MOST_LISTED:
            lines.append(f"... and {len(self.problems) - _MOST_LISTED} more problems")
        super().__init__("\n".join(lines))


class GenerationError(MidiGPTError, RuntimeError):
    """Generation could not finish. `.partial` is the score with every finished bar, or None."""

    status = "failed"

    def __init__(self, message: str, *, partial: Any = None) -> None:
        super().__init__(message)
        self.partial = partial


class GrammarDeadlock(GenerationError):
    """No token is legal. `.state` says in words where, `.constraints` names the wishes that took tokens away
    there, in the order in which they act; the last one took the last token.
    """

    def __init__(
        self, message: str, *, state: str = "", constraints: Sequence[str] = (), partial: Any = None
    ) -> None:
        super().__init__(message, partial=partial)
        self.state, self.constraints = state, tuple(constraints)


class ContextOverflow(GenerationError):
    """A step's prompt does not fit the model: it has `.tokens`, the model takes `.limit`; `.step` is the
    number of the step.
    """

    def __init__(self, message: str, *, tokens: int, limit: int, step: int, partial: Any = None) -> None:
        super().__init__(message, partial=partial)
        self.tokens, self.limit, self.step = tokens, limit, step


class BudgetSpent(GenerationError):
    """`max_tokens` or `max_seconds` ended the generation before every bar was written."""

    status = "budget"


class NoAcceptableCandidate(GenerationError):
    """Every attempt of a step was rejected. `.reasons` counts why (reason -> attempts), `.last` is the last
    candidate's notes.
    """

    def __init__(
        self, message: str, *, reasons: dict[str, int], last: Any = None, partial: Any = None
    ) -> None:
        super().__init__(message, partial=partial)
        self.reasons, self.last = reasons, last


class GenerationCancelled(MidiGPTError):
    """The job was cancelled. `.partial` is the score with the finished bars, `.gen_count` counts tokens."""

    status = "cancelled"

    def __init__(
        self, message: str = "generation cancelled", *, partial: Any = None, gen_count: int = 0
    ) -> None:
        super().__init__(message)
        self.partial, self.gen_count = partial, gen_count
