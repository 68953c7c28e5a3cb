"""TABLE: every exception the package raises. Imported by all, imports nothing.

The core's exceptions (src_cpp/error.h) are translated to the classes of the same name here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

__all__ = [
    "CheckpointError",
    "ContextOverflow",
    "EncoderConfigError",
    "GenerationCancelled",
    "GenerationError",
    "GrammarDeadlock",
    "MidiGPTError",
    "MissingExtraError",
    "NoAcceptableCandidate",
    "Problem",
    "RequestValidationError",
    "ScoreError",
    "VocabularyError",
]


class MidiGPTError(Exception):
    """Base class of every error of this package."""


class ScoreError(MidiGPTError, ValueError, RuntimeError):
    """A score or MIDI file is malformed; the message names the byte, track, bar or note."""


class CheckpointError(MidiGPTError, ValueError):
    """A model file is unreadable, unsupported, or refused."""


class EncoderConfigError(CheckpointError, RuntimeError):
    """An encoder configuration contradicts itself or misses a domain."""


class VocabularyError(MidiGPTError, ValueError, RuntimeError):
    """A value lies outside its token domain, or a token type is unknown."""


class MissingExtraError(MidiGPTError, ImportError):
    """An optional dependency is needed; the message names the extra to install."""


@dataclass(frozen=True)
class Problem:
    """One broken rule of a request.

    `path` is where (``tracks[1].bar_attributes[6]['note_density']``), `value` what was given, `allowed` what
    would be accepted in words, `hint` the likely intention ('' when there is none).
    """

    path: str
    value: Any
    message: str
    allowed: str = ""
    hint: str = ""

    def __str__(self) -> str:
        text = f"{self.path}: {self.message} (given {self.value!r})"
        if self.allowed:
            text += f"; allowed: {self.allowed}"
        if self.hint:
            text += f"; {self.hint}"
        return text


class RequestValidationError(MidiGPTError, ValueError):
    """A generation request breaks one or more rules; `.problems` lists all of them."""

    def __init__(self, problems: Sequence[Problem] | str) -> None:
        if isinstance(problems, str):
            problems = [Problem("request", None, problems)]
        self.problems = list(problems)
        super().__init__("\n".join(str(p) for p in self.problems))


class GenerationError(MidiGPTError, RuntimeError):
    """Generation could not finish. `.partial` is the score with every finished bar, or None."""

    status = "failed"

    def __init__(self, message: str, *, partial: Any = None) -> None:
        super().__init__(message)
        self.partial = partial


class GrammarDeadlock(GenerationError):
    """No token is legal; the message names the state and the constraint that cleared the last one."""


class ContextOverflow(GenerationError):
    """A step's prompt does not fit the model. `.tokens`, `.limit`, `.step`."""

    def __init__(self, message: str, *, tokens: int, limit: int, step: int, partial: Any = None) -> None:
        super().__init__(message, partial=partial)
        self.tokens, self.limit, self.step = tokens, limit, step


class NoAcceptableCandidate(GenerationError):
    """Every attempt of a step was rejected. `.reasons` counts why, `.last` is the last candidate's notes."""

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
