"""Attribute values of a track inside a window, by the exact formulas (``attribute_formulas: "exact"``).

All functions look at plain arrays of the notes of one track inside one window; times are grid ticks from the
start of the window. They exist beside the attribute engine of the package because training must run with
numpy alone.
"""

from __future__ import annotations

import numpy as np

DRUM_TICKS = 3  # how long a drum hit sounds, for the share of silence
DURATION_LIMITS = np.array([3, 6, 12, 24, 48])  # grid ticks at which the duration bins 1..5 begin

_MAJOR = np.array([6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88])
_MINOR = np.array([6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17])
# (24, 12): row k scores a pitch-class histogram against key k (0-11 major, 12-23 minor).
_KEYS = np.stack([np.roll(_MAJOR, k) for k in range(12)] + [np.roll(_MINOR, k) for k in range(12)])
NO_KEY = 24


def half_even_index(n: np.ndarray | int, fraction: float) -> np.ndarray:
    """Index of the ``fraction`` quantile among ``n`` sorted values: round half to even, at most ``n - 1``."""
    return np.minimum(np.rint(np.asarray(n) * fraction).astype(np.int64), np.asarray(n) - 1)


def density_bin(notes: int, limits: np.ndarray) -> int:
    """Density level 0-9 of a number of notes a bar, for the nine limits of the track's row."""
    return int(np.searchsorted(limits, notes, side="left"))


def key_signature(pitches: np.ndarray, durations: np.ndarray) -> int:
    """Key of the melodic notes of a window: 0-11 major, 12-23 minor (by tonic), 24 none."""
    if not len(pitches):
        return NO_KEY
    histogram = np.bincount(pitches % 12, weights=durations, minlength=12)
    return int(np.argmax(_KEYS @ histogram))


def sounding_counts(start: np.ndarray, stop: np.ndarray, ticks: int) -> np.ndarray:
    """Sounding notes at every tick, ``(ticks,)``; notes are ``[start, stop)``, cut at the window's end."""
    delta = np.bincount(start, minlength=ticks + 1) - np.bincount(
        np.minimum(stop, ticks), minlength=ticks + 1
    )
    return np.cumsum(delta[:ticks])


def bar_polyphony_bin(onset: np.ndarray, duration: np.ndarray, ticks: int) -> int:
    """Bin of the bar-level maximum polyphony of one bar of ``ticks`` (see ``prepare.bar_polyphony``)."""
    counts = sounding_counts(onset, onset + duration, ticks)
    counts = np.sort(counts[counts > 0])
    return int(min(counts[half_even_index(len(counts), 0.85)], 10)) - 1 if len(counts) else 0


def track_attributes(
    pitch: np.ndarray,
    start: np.ndarray,
    duration: np.ndarray,
    bar: np.ndarray,
    bar_start: np.ndarray,
    looked_at: np.ndarray,
    is_drum: bool,
    limits: np.ndarray,
    key: int,
) -> dict[str, int]:
    """Quantised track attributes over some bars of a window; empty if these bars hold no note.

    ``pitch``, ``start``, ``duration`` and ``bar`` describe all notes of the track in the window, ``(n,)``;
    ``bar_start`` is ``(bars + 1,)`` in ticks; ``looked_at`` is ``(bars,)`` bool; ``key`` is the window's key.
    Sound is followed over bar lines, but only out of and into bars looked at.
    """
    chosen = looked_at[bar]
    if not chosen.any():
        return {}
    pitch, start, duration, bar = pitch[chosen], start[chosen], duration[chosen], bar[chosen]
    length = np.minimum(DRUM_TICKS, bar_start[bar + 1] - start) if is_drum else duration
    counts = sounding_counts(start, start + length, int(bar_start[-1]))
    counts = counts[np.repeat(looked_at, np.diff(bar_start))]
    nonzero = np.sort(counts[counts > 0])
    values = {
        "NoteDensity": density_bin(int(np.rint(len(pitch) / len(np.unique(bar)))), limits),
        "TrackLevelSilenceProportionMax": min(9, int(10 * (len(counts) - len(nonzero)) / len(counts))),
    }
    if is_drum:
        return values
    bins = np.sort(np.searchsorted(DURATION_LIMITS, duration, side="right"))
    values["MinPolyphony"] = int(min(nonzero[half_even_index(len(nonzero), 0.15)], 10)) - 1
    values["MaxPolyphony"] = int(min(nonzero[half_even_index(len(nonzero), 0.85)], 10)) - 1
    values["MinNoteDuration"] = int(bins[half_even_index(len(bins), 0.15)])
    values["MaxNoteDuration"] = int(bins[half_even_index(len(bins), 0.85)])
    values["TrackLevelPitchRangeMax"] = int(pitch.max()) - int(pitch.min())
    values["KeySignature"] = key
    return values
