"""Note lengths, in six steps from a 32nd note to a whole note."""

from __future__ import annotations

from typing import Any

import numpy as np

from midigpt_nb.attributes import tables
from midigpt_nb.attributes.quantile import quantile
from midigpt_nb.attributes.reach import mixed_quantile, most_notes
from midigpt_nb.attributes.registry import Attribute, Bins, attribute
from midigpt_nb.attributes.view import TrackView

_STEPS = Bins(6, lambda raw: raw, tables.DURATION_LABELS, raw=float)
_QUARTER = 3


def duration_steps(track: TrackView) -> np.ndarray:
    """(n,) length of each note: 0 below a sixteenth, then one step per doubling; drum hits are quarters."""
    if track.is_drum:
        return np.full(track.n_notes, _QUARTER)
    edges = np.array([0.25, 0.5, 1, 2, 4]) * track.resolution
    return track.once("duration steps", lambda: np.searchsorted(edges, track.duration_ticks, side="right"))


def _add(mode: str, fraction: float, **facts: Any) -> Attribute:
    def measure(track: TrackView) -> int:
        return int(quantile(duration_steps(track), fraction))

    def reach(fixed: TrackView, written: np.ndarray) -> tuple[float, float]:
        steps = (_QUARTER, _QUARTER) if fixed.is_drum else (0, _STEPS.size - 1)
        low, high = mixed_quantile(duration_steps(fixed), fraction, most_notes(fixed, written), *steps)
        return (low if fixed.n_notes else 0.0), high  # without any note it is 0

    measure.__doc__ = f"{'Shortest' if mode == 'min' else 'Longest'} usual note length."
    return attribute(
        f"{mode}_note_duration",
        entry="note_duration_quantile",
        params={"level": "track", "mode": mode},
        tracks="melodic",
        bins=_STEPS,
        unit="note value",
        reach=reach,
        **facts,
    )(measure)


min_note_duration = _add(
    "min",
    tables.LOW,
    token="MinNoteDuration",
    token_aliases=("TOKEN_MIN_NOTE_DURATION",),
)
max_note_duration = _add(
    "max",
    tables.HIGH,
    token="MaxNoteDuration",
    token_aliases=("TOKEN_MAX_NOTE_DURATION",),
)


# Its token type is an alias of the note length itself, so it can be reported but never written.
@attribute(
    "note_duration_dist",
    token="NoteDurationDist",
    tracks="both",
    bins=Bins.whole(6),
    unit="note value",
    title="usual note length",
    words=tables.DURATION_LABELS,
    emitted=False,
    from_domain=False,
)
def note_duration_dist(track: TrackView) -> int:
    """The most frequent note length (0: up to a 32nd … 5: a whole note and longer)."""
    lengths = track.duration_ticks[track.duration_ticks > 0]
    if not len(lengths):
        return 3
    steps = np.clip(np.log2(np.maximum(8.0 * lengths / track.resolution, 1.0)).astype(np.int64), 0, 5)
    kinds, first, count = np.unique(steps, return_index=True, return_counts=True)
    return int(kinds[np.lexsort((first, -count))[0]])
