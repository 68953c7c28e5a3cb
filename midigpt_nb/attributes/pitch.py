"""Which pitches a track uses."""

from __future__ import annotations

import numpy as np

from midigpt_nb.attributes.registry import Bins, attribute
from midigpt_nb.attributes.view import TrackView


@attribute(
    "pitch_range",
    token="TrackLevelPitchRangeMax",
    token_aliases=("PitchRange", "TOKEN_TRACK_LEVEL_PITCH_RANGE_MAX"),
    tracks="melodic",
    bins=Bins.whole(128),
    unit="semitones",
)
def pitch_range(track: TrackView) -> int:
    """Semitones from the lowest to the highest note."""
    return int(track.pitch.max() - track.pitch.min()) if track.n_notes else 0


# The published models never saw this token (their encoder looked it up under another name), so the
# tokenizer leaves it out unless asked.
@attribute(
    "pitch_class_set",
    entry="pitch_class_set",
    params={"level": "bar"},
    token="BarLevelPitchClassSet",
    token_aliases=("PitchClassSet", "TOKEN_BAR_LEVEL_PITCH_CLASS_SET"),
    level="bar",
    tracks="melodic",
    bins=Bins.whole(13),
    unit="pitch classes",
    vectorized=True,
)
def pitch_class_set(track: TrackView) -> np.ndarray:
    """How many different pitch classes (C, C♯, D …) the bar uses."""
    used = np.zeros((track.n_bars, 12), dtype=bool)
    used[track.bar, track.pitch % 12] = True
    return used.sum(axis=1)
