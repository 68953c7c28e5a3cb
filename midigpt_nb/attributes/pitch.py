"""Which pitches a track uses."""

from __future__ import annotations

import numpy as np

from midigpt_nb.attributes.registry import Bins, attribute
from midigpt_nb.attributes.tables import counted
from midigpt_nb.attributes.view import TrackView

_HIGHEST_PITCH = 127


def _reach(fixed: TrackView, written: np.ndarray) -> tuple[int, int]:
    """Notes that stay cannot come closer together."""
    return pitch_range.measure(fixed), _HIGHEST_PITCH


@attribute(
    "pitch_range",
    token="TrackLevelPitchRangeMax",
    token_aliases=("PitchRange", "TOKEN_TRACK_LEVEL_PITCH_RANGE_MAX"),
    tracks="melodic",
    bins=Bins.whole(_HIGHEST_PITCH + 1),
    unit="semitones",
    words=tuple(counted(n, "semitone") for n in range(_HIGHEST_PITCH + 1)),
    reach=_reach,
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
    taught=False,
    words=tuple(counted(n, "pitch class") if n == 1 else f"{n} pitch classes" for n in range(13)),
    vectorized=True,
)
def pitch_class_set(track: TrackView) -> np.ndarray:
    """How many different pitch classes (C, C♯, D …) the bar uses."""
    used = np.zeros((track.n_bars, 12), dtype=bool)
    used[track.bar, track.pitch % 12] = True
    return used.sum(axis=1)
