"""Polyphony: how many notes sound together, from tick to tick.

`min` and `max` are the .15 and .85 quantile of the sounding counts over the ticks where anything sounds.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from midigpt_nb.attributes import tables
from midigpt_nb.attributes.quantile import histogram_quantile
from midigpt_nb.attributes.registry import Attribute, Bins, attribute
from midigpt_nb.attributes.view import TrackView, starts_of

_VOICES = Bins.whole(10, first=1, labels=tables.VOICE_LABELS)


def counts_per_tick(start: np.ndarray, stop: np.ndarray, ticks: int) -> np.ndarray:
    """``(ticks,)`` number of notes ``[start, stop)`` at every tick; where ``stop <= start`` there is none."""
    heard = stop > start
    if not heard.all():
        start, stop = start[heard], stop[heard]
    change = np.bincount(np.minimum(start, ticks), minlength=ticks + 1)
    change -= np.bincount(np.minimum(stop, ticks), minlength=ticks + 1)
    return np.cumsum(change[:ticks])


def ringing(track: TrackView) -> np.ndarray:
    """Sounding notes at every tick of the bars looked at, one bar after the other.

    Notes count to their end over bar lines, into every bar that is looked at, but no longer than the token
    grid can hold; a drum hit sounds a sixteenth and ends with its bar.
    """

    def measure() -> np.ndarray:
        ends = track.bar_starts_ticks
        if track.is_drum:
            hit = max(1, track.resolution // tables.DRUM_HITS_PER_QUARTER)
            stop = np.minimum(track.onset_ticks + hit, ends[track.bar + 1])
        else:
            stop = track.onset_ticks + np.minimum(track.duration_ticks, track.longest_ticks)
        counts = counts_per_tick(track.onset_ticks, stop, int(ends[-1]))
        return (
            counts if track.looked_at.all() else counts[np.repeat(track.looked_at, track.bar_lengths_ticks)]
        )

    return track.once("ringing", measure)


def _histogram(group: np.ndarray | None, counts: np.ndarray, groups: int) -> np.ndarray:
    """``(groups, voices + 1)`` ticks with each number of voices; silence is left out."""
    width = int(counts.max(initial=0)) + 1
    cell = counts if group is None else group * width + counts
    table = np.bincount(cell, minlength=groups * width).reshape(groups, width)
    table[:, 0] = 0
    return table


def _track_histogram(track: TrackView) -> np.ndarray:
    """As the published models measured it: the last tick of the track never counts."""

    def measure() -> np.ndarray:
        lengths = np.rint(track.bar_quarters * track.resolution).astype(np.int64)
        starts = starts_of(lengths)
        start = starts[track.bar] + track.bar_onset_ticks
        stop = start + track.duration_ticks
        last = int(stop.max(initial=1)) - 1
        return _histogram(None, counts_per_tick(start, np.minimum(stop, last), max(last, 0)), 1)

    return track.once("track voices", measure)


def _ringing_histogram(track: TrackView) -> np.ndarray:
    return track.once("ringing voices", lambda: _histogram(None, ringing(track), 1))


def _bar_histogram(track: TrackView, lengths: np.ndarray, lost: int) -> np.ndarray:
    """Voices per bar, from the bar's own notes cut at its end; `lost` ticks at the end do not count."""
    starts = starts_of(lengths)
    start = np.maximum(track.bar_onset_ticks, 0)
    stop = np.minimum(track.bar_onset_ticks + track.duration_ticks, lengths[track.bar] - lost)
    heard = stop > start
    first = starts[track.bar[heard]]
    counts = counts_per_tick(first + start[heard], first + stop[heard], int(starts[-1]))
    return _histogram(np.repeat(np.arange(track.n_bars), lengths), counts, track.n_bars)


def _bar_voices(track: TrackView) -> np.ndarray:
    lengths = np.rint(track.bar_quarters * track.resolution).astype(np.int64)
    return track.once("bar voices", lambda: _bar_histogram(track, lengths, lost=1))


def _exact_bar_voices(track: TrackView) -> np.ndarray:
    return track.once("exact bar voices", lambda: _bar_histogram(track, track.bar_lengths_ticks, lost=0))


def at_least_fixed(attribute: Attribute, fixed: TrackView, generated: int) -> tuple[int, int]:
    """A "max" cannot fall below what the fixed bars have."""
    return (int(attribute.quantize(attribute.measure(fixed))) if fixed.n_notes else 0), attribute.size - 1


def at_most_fixed(attribute: Attribute, fixed: TrackView, generated: int) -> tuple[int, int]:
    """A "min" cannot rise above what the fixed bars have; without fixed notes everything can be reached."""
    return 0, (int(attribute.quantize(attribute.measure(fixed))) if fixed.n_notes else attribute.size - 1)


def _add(mode: str, fraction: float, **level: Any) -> Attribute:
    """Register the row of one mode at one level."""
    bar = level["params"]["level"] == "bar"
    plain, exact = (_bar_voices, _exact_bar_voices) if bar else (_track_histogram, _ringing_histogram)

    def measure(histogram: np.ndarray) -> Any:
        voices = histogram_quantile(histogram, fraction)
        return voices if bar else int(voices[0])

    def compatible(track: TrackView) -> Any:
        return measure(plain(track))

    compatible.__doc__ = f"{'Fewest' if mode == 'min' else 'Most'} notes that usually sound together."
    row = attribute(entry="polyphony_quantile", tracks="melodic", bins=_VOICES, unit="voices", **level)(
        compatible
    )
    row.formula("exact")(lambda track: measure(exact(track)))
    return row


min_polyphony = _add(
    "min",
    tables.LOW,
    name="min_polyphony",
    params={"level": "track", "mode": "min"},
    token="MinPolyphony",
    token_aliases=("TOKEN_MIN_POLYPHONY",),
    reach=at_most_fixed,
)
max_polyphony = _add(
    "max",
    tables.HIGH,
    name="max_polyphony",
    params={"level": "track", "mode": "max"},
    token="MaxPolyphony",
    token_aliases=("TOKEN_MAX_POLYPHONY",),
    reach=at_least_fixed,
)
bar_min_polyphony = _add(
    "min",
    tables.LOW,
    name="bar_min_polyphony",
    params={"level": "bar", "mode": "min"},
    token="BarLevelOnsetPolyphonyMin",
    token_aliases=("TOKEN_BAR_LEVEL_ONSET_POLYPHONY_MIN",),
    level="bar",
    vectorized=True,
)
bar_max_polyphony = _add(
    "max",
    tables.HIGH,
    name="bar_max_polyphony",
    params={"level": "bar", "mode": "max"},
    token="BarLevelOnsetPolyphonyMax",
    token_aliases=("TOKEN_BAR_LEVEL_ONSET_POLYPHONY_MAX",),
    level="bar",
    vectorized=True,
)


@attribute(
    "onset_polyphony",
    token="OnsetPolyphony",
    tracks="melodic",
    bins=Bins.whole(10, top=127),
    unit="notes",
    from_domain=False,
)
def onset_polyphony(track: TrackView) -> int:
    """Most notes that start at the same tick."""
    if not track.n_notes:
        return 0
    _, together = np.unique(track.bar.astype(np.int64) << 32 | track.bar_onset_ticks, return_counts=True)
    return int(together.max())
