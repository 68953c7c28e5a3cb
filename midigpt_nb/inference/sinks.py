"""The callbacks that users of the reference set on a session, as thin readers of its events.

`note_sink(notes)`: dicts with track, bar, pitch, onset_ticks, duration_ticks, velocity, in 1920 ticks per
quarter, at most four times a second and at the end of each step. `progress_sink()`: every 32 tokens.
`prompt_state_sink(state)`: what the model is shown in the first step. What a callback raises is its caller's:
it ends the run; only `prompt_state_sink`, which is for drawing, is warned about instead.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from typing import Any

from midigpt_nb.inference.events import (
    AttemptRejected,
    Event,
    Finished,
    NotesArrived,
    StepFinished,
    StepStarted,
)

__all__ = ["SINK_RESOLUTION", "Sinks", "prompt_state"]

SINK_RESOLUTION = 1920
NOTES_EVERY_S = 0.25
TOKENS_PER_PROGRESS = 32


class Sinks:
    """Feeds the callbacks of one run: `hear` takes its events, `count` the tokens written so far."""

    def __init__(
        self,
        resolution: int,
        *,
        notes: Callable[[list[dict[str, int]]], Any] | None = None,
        progress: Callable[[], Any] | None = None,
        prompt_state: Callable[[dict[str, Any]], Any] | None = None,
    ) -> None:
        self._scale = resolution
        self._notes, self._progress, self._prompt_state = notes, progress, prompt_state
        self._waiting: list[dict[str, int]] = []
        self._sent = 0.0
        self._told = 0

    def hear(self, event: Event, state: Callable[[], dict[str, Any]]) -> None:
        """One event; `state` is asked when the first step begins."""
        if isinstance(event, StepStarted):
            self._show(state)
        elif isinstance(event, NotesArrived) and self._notes is not None:
            self._waiting += [self._as_dict(event, note) for note in event.notes]
            if time.monotonic() - self._sent >= NOTES_EVERY_S:
                self._send()
        elif isinstance(event, AttemptRejected):
            gone = set(event.cells)
            self._waiting = [n for n in self._waiting if (n["track"], n["bar"]) not in gone]
        elif isinstance(event, StepFinished | Finished):
            self._send()

    def count(self, tokens: int) -> None:
        """So many tokens were written, all together."""
        while self._progress is not None and tokens - self._told >= TOKENS_PER_PROGRESS:
            self._told += TOKENS_PER_PROGRESS
            self._progress()

    def _show(self, state: Callable[[], dict[str, Any]]) -> None:
        if self._prompt_state is None:
            return
        sink, self._prompt_state = self._prompt_state, None
        try:
            sink(state())
        except Exception as problem:  # a picture is not worth a run
            warnings.warn(f"prompt_state_sink failed: {problem}", UserWarning, stacklevel=2)

    def _send(self) -> None:
        if self._waiting and self._notes is not None:
            waiting, self._waiting = self._waiting, []
            self._sent = time.monotonic()
            self._notes(waiting)

    def _as_dict(self, event: NotesArrived, note: tuple[int, int, int, int]) -> dict[str, int]:
        pitch, velocity, onset, duration = note
        return {
            "track": event.track,
            "bar": event.bar,
            "pitch": pitch,
            "onset_ticks": onset * SINK_RESOLUTION // self._scale,
            "duration_ticks": max(1, duration * SINK_RESOLUTION // self._scale),
            "velocity": velocity,
        }


def prompt_state(
    step: Any, tracks: list[int], hidden: set[tuple[int, int]], *, skips: bool
) -> dict[str, Any]:
    """The picture of a step's window: per track and bar T (to be written), C (shown), A (not fed to the
    model) or M (hidden by a token, or shown as empty).
    """
    veiled = "A" if skips else "M"

    def label(track: int, bar: int) -> str:
        return "T" if bar in step.targets.get(track, ()) else veiled if (track, bar) in hidden else "C"

    rows = [
        {
            "id": track,
            "is_agent": step.autoregressive and track in step.targets,
            "states": [label(track, bar) for bar in range(step.start, step.end)],
        }
        for track in tracks
    ]
    return {"start_bar": step.start, "end_bar": step.end, "tracks": rows}
