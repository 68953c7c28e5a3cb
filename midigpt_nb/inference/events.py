"""What a running generation tells its caller, as small frozen records.

Times of notes are ticks of the *input* score's resolution, onsets count from the bar's start; bars are
absolute and tracks are the request's ids. `attempt` counts from 0 within a step. Notes of an attempt are
provisional until `StepFinished`. `take` says whose event it is when several takes are written side by side
(`stream_takes`); it is 0 for a single run.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from midigpt_nb.score.model import Score

__all__ = [
    "AttemptRejected",
    "BarFinished",
    "Event",
    "Finished",
    "NotesArrived",
    "Status",
    "StepFinished",
    "StepStarted",
    "TokenProgress",
]


@dataclass(frozen=True)
class StepStarted:
    """A step begins: the bars `[start, end)` are the model's window, `targets` are the bars it will write."""

    step: int
    n_steps: int
    window: tuple[int, int]
    targets: dict[int, list[int]]
    context_tracks: list[int]
    take: int = 0


@dataclass(frozen=True)
class TokenProgress:
    """Sign of life: tokens written so far in this attempt."""

    step: int
    attempt: int
    tokens: int
    take: int = 0


@dataclass(frozen=True)
class NotesArrived:
    """New notes of one bar, as (pitch, velocity, onset_ticks, duration_ticks). Only those not sent before."""

    step: int
    attempt: int
    track: int
    bar: int
    notes: tuple[tuple[int, int, int, int], ...]
    take: int = 0


@dataclass(frozen=True)
class BarFinished:
    """A bar is complete; all of its notes have been sent."""

    step: int
    attempt: int
    track: int
    bar: int
    take: int = 0


@dataclass(frozen=True)
class AttemptRejected:
    """An attempt was thrown away: the notes sent for `cells` ((track, bar) pairs) no longer count."""

    step: int
    attempt: int
    reasons: tuple[str, ...]
    cells: tuple[tuple[int, int], ...]
    take: int = 0


@dataclass(frozen=True)
class StepFinished:
    """A step was accepted; `score` holds everything written so far."""

    step: int
    attempt: int
    score: Score
    take: int = 0


Status = Literal["done", "cancelled", "budget", "failed"]


@dataclass(frozen=True)
class Finished:
    """The last event (of each take). `score` holds all finished bars whatever the status.

    `status`: "done"; "cancelled"; "budget" when `max_tokens` or `max_seconds` ended it; "failed". `error`
    says why it ended early (None when done or cancelled).
    """

    status: Status
    score: Score
    error: Exception | None = None
    seconds: float = 0.0
    tokens: int = 0
    take: int = 0


Event = StepStarted | TokenProgress | NotesArrived | BarFinished | AttemptRejected | StepFinished | Finished
