"""TABLE: what a person can do next when something fails, and exceptions in the widget's words."""

from __future__ import annotations

import traceback

__all__ = ["NEXT_STEP", "UserError", "describe", "details_of", "next_step"]

NEXT_STEP: dict[str, str] = {
    "bad_message": "reload the page; if it happens again, run the cell again",
    "unknown_kind": "reload the page, so that page and package are of one version",
    "version": "reload the page; after an update of the package restart Python, too",
    "stale": "the roll shows what is there now: do it again",
    "readonly": "set .readonly = False to change it",
    "invalid_request": "change the selection, the wishes or the settings that are named",
    "invalid_value": "the last valid value is back; choose one that is allowed",
    "missing_extra": "install it and restart Python; showing, editing and playing go on without",
    "checkpoint": "check the file or the model's name; showing, editing and playing go on without a model",
    "hub": "accept the licence, log in or check the network; showing, editing and playing go on",
    "context_overflow": "select fewer bars, or choose a smaller window under Advanced",
    "no_candidate": "loosen the wishes, raise the temperature or allow more attempts, then generate again",
    "cancelled": "generate again when you like",
    "piece_changed": "generate again",
    "no_job": "nothing needs to be stopped",
    "no_takes": "generate(takes=4) writes some",
    "no_such_take": "choose one of those on the cards",
    "no_such_bar": "select bars that are there",
    "no_sound": "the simple sound plays; set .soundfont to a SoundFont file for another one",
    "no_engine": "use InfillEditor(score) to write new bars",
    "score": "the piece is as it was; try another file or other values",
    "project": "open another file, or the piece's MIDI file",
    "file": "check the folder and its permissions, or choose another place",
    "memory": "close other programs, choose a smaller window or fewer takes",
    "callback": "see .errors for the exception",
    "failed": "try again; copy the details for whoever can help",
}
"""One sentence per code, where the failure itself does not know better."""

_CODES = {
    "RequestValidationError": "invalid_request",
    "TraitError": "invalid_value",
    "MissingExtraError": "missing_extra",
    "ContextOverflow": "context_overflow",
    "NoAcceptableCandidate": "no_candidate",
    "GenerationCancelled": "cancelled",
    "CheckpointError": "checkpoint",
    "HubError": "hub",
    "ScoreError": "score",
    "ProjectError": "project",
    "OSError": "file",
    "MemoryError": "memory",
}
_LONGEST = 6000


class UserError(Exception):
    """A request that cannot be carried out; `code` and `hint` go to the page with the message."""

    def __init__(self, message: str, code: str, hint: str = "") -> None:
        super().__init__(message)
        self.code, self.hint = code, hint


def next_step(code: str, hint: str = "") -> str:
    """The hint, or what the table knows."""
    return hint or NEXT_STEP.get(code, NEXT_STEP["failed"])


def describe(problem: BaseException) -> tuple[str, str, str]:
    """An exception in the widget's words: (code, message, hint).

    >>> describe(MemoryError())[::2]
    ('memory', 'close other programs, choose a smaller window or fewer takes')
    """
    if isinstance(problem, UserError):
        return problem.code, str(problem), next_step(problem.code, problem.hint)
    known = (_CODES[kind.__name__] for kind in type(problem).__mro__ if kind.__name__ in _CODES)
    code = next(known, "failed")
    message = str(problem) or type(problem).__name__
    if code == "failed" and not isinstance(problem, (ValueError, RuntimeError)):
        message = f"{type(problem).__name__}: {message}"
    return code, message, next_step(code)


def details_of(problem: BaseException) -> str:
    """For somebody who can help: where it happened, line by line."""
    text = "".join(traceback.format_exception(type(problem), problem, problem.__traceback__))
    return text if len(text) <= _LONGEST else f"... {text[-_LONGEST:]}"
