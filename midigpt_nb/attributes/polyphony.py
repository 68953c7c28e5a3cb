"""Polyphony: how many notes sound together, from tick to tick.

`min` and `max` are the .15 and .85 quantile of the sounding counts over the ticks where anything sounds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from midigpt_nb.attributes import tables
from midigpt_nb.attributes.quantile import histogram_quantile
from midigpt_nb.attributes.registry import Attribute, Bins, attribute
from midigpt_nb.attributes.tables import counted
from midigpt_nb.attributes.view import TrackView, starts_of

_VOICES = Bins.whole(10, first=1, labels=tables.VOICE_LABELS)


@dataclass(frozen=True)
class Stretches:
    """Time cut into stretches in which the number of sounding notes does not change; arrays are ``(k,)``.

    As many stretches as notes start, end or meet a bar line, however long the notes are.
    """

    ticks: np.ndarray  # length
    voices: np.ndarray  # notes that sound
    bar: np.ndarray  # which bar it is in

    @classmethod
    def between(cls, start: np.ndarray, stop: np.ndarray, cuts: np.ndarray) -> Stretches:
        """Stretches of notes ``[start, stop)`` from ``cuts[0]`` to ``cuts[-1]``, bar ``i`` from ``cuts[i]``.

        >>> s = Stretches.between(np.array([0, 2]), np.array([4, 6]), np.array([0, 8]))
        >>> s.ticks.tolist(), s.voices.tolist()
        ([2, 2, 2, 2], [1, 2, 1, 0])
        """
        heard = stop > start
        start, stop = (np.clip(ends[heard], cuts[0], cuts[-1]) for ends in (start, stop))
        edges = np.sort(np.concatenate([start, stop, cuts]))
        edges = edges[np.append(True, edges[1:] != edges[:-1])]
        change = np.bincount(np.searchsorted(edges, start), minlength=len(edges))
        change -= np.bincount(np.searchsorted(edges, stop), minlength=len(edges))
        bar = np.searchsorted(cuts, edges[:-1], side="right") - 1
        return cls(np.diff(edges), np.cumsum(change)[:-1], bar)

    def where(self, keep: np.ndarray) -> Stretches:
        """Some of the stretches, by a mask or index."""
        return Stretches(self.ticks[keep], self.voices[keep], self.bar[keep])


def _silent_from(track: TrackView) -> np.ndarray:
    """(n,) where each note stops sounding, by the exact formula."""
    if track.is_drum:
        hit = max(1, track.resolution // tables.DRUM_HITS_PER_QUARTER)
        return np.minimum(track.onset_ticks + hit, track.bar_starts_ticks[track.bar + 1])
    return track.onset_ticks + np.minimum(track.duration_ticks, track.longest_ticks)


def ringing(track: TrackView) -> Stretches:
    """Sounding notes in the bars looked at.

    Notes count to their end over bar lines, into every bar that is looked at, but no longer than the token
    grid can hold; a drum hit sounds a sixteenth and ends with its bar.
    """

    def measure() -> Stretches:
        stretches = Stretches.between(track.onset_ticks, _silent_from(track), track.bar_starts_ticks)
        return stretches.where(track.looked_at[stretches.bar])

    return track.once("ringing", measure)


def _histogram(stretches: Stretches, n_bars: int | None = None) -> np.ndarray:
    """``(1 or n_bars, voices + 1)`` ticks with each number of voices; silence is left out."""
    width, rows = int(stretches.voices.max(initial=0)) + 1, 1 if n_bars is None else n_bars
    cell = stretches.voices if n_bars is None else stretches.bar * width + stretches.voices
    ticks = np.bincount(cell, weights=stretches.ticks, minlength=rows * width).astype(np.int64)
    table = ticks.reshape(rows, width)
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
        return _histogram(Stretches.between(start, stop, np.array([0, max(last, 0)])))

    return track.once("track voices", measure)


def _ringing_histogram(track: TrackView) -> np.ndarray:
    return track.once("ringing voices", lambda: _histogram(ringing(track)))


def _bar_histogram(track: TrackView, lengths: np.ndarray, lost: int) -> np.ndarray:
    """Voices per bar, from the bar's own notes cut at its end; `lost` ticks at the end do not count."""
    starts = starts_of(lengths)
    start = track.bar_onset_ticks.astype(np.int64)
    stop = np.minimum(start + track.duration_ticks, lengths[track.bar] - lost)
    first = starts[track.bar]
    return _histogram(Stretches.between(first + start, first + stop, starts), track.n_bars)


def _bar_voices(track: TrackView) -> np.ndarray:
    lengths = np.rint(track.bar_quarters * track.resolution).astype(np.int64)
    return track.once("bar voices", lambda: _bar_histogram(track, lengths, lost=1))


def _exact_bar_voices(track: TrackView) -> np.ndarray:
    return track.once("exact bar voices", lambda: _bar_histogram(track, track.bar_lengths_ticks, lost=0))


def bars_in_reach(track: TrackView, written: np.ndarray) -> np.ndarray:
    """(n_bars + 1,) the written bars, and those looked at into which they ring; last, the time after all."""
    starts = track.bar_starts_ticks
    ends = np.where(written, starts[1:] + track.longest_ticks, -1)
    rung_until = np.maximum.accumulate(np.concatenate([[-1], ends]))
    rung_into = starts < rung_until
    rung_into[:-1] &= track.looked_at
    rung_into[:-1] |= written
    return rung_into


def voices_reach(fixed: TrackView, written: np.ndarray, fraction: float) -> tuple[int, int]:
    """The quantile of sounding counts with one voice, or as many as can be, wherever new notes can sound."""
    touched, lengths = bars_in_reach(fixed, written), fixed.bar_lengths_ticks
    if fixed.settings.formulas == "exact":  # stops with the last bar, the other one with the last note
        rest, stop, end = 0, _silent_from(fixed), 0
    else:
        rest, stop = fixed.longest_ticks, fixed.onset_ticks + fixed.duration_ticks
        end = int(stop.max(initial=0))
    last = max(fixed.bar_starts_ticks[-1] + rest, end)
    heard = Stretches.between(fixed.onset_ticks, stop, np.append(fixed.bar_starts_ticks, last))
    counts = np.bincount(heard.voices, weights=heard.ticks, minlength=_VOICES.size + 1).astype(np.int64)
    free = heard.where(touched[heard.bar])
    few, many = counts.copy(), counts.copy()
    few[1] += int(free.ticks[free.voices == 0].sum())
    np.subtract.at(many, free.voices, free.ticks)
    many[_VOICES.size] += int(lengths[touched[:-1]].sum()) + rest * int(touched[-1])
    few[0] = many[0] = 0
    lowest, highest = histogram_quantile(np.stack([few, many]), fraction).tolist()
    return lowest, highest


def _add(mode: str, fraction: float, **level: Any) -> Attribute:
    """Register the row of one mode at one level."""
    bar = level["params"]["level"] == "bar"
    plain, exact = (_bar_voices, _exact_bar_voices) if bar else (_track_histogram, _ringing_histogram)

    def measure(histogram: np.ndarray) -> Any:
        voices = histogram_quantile(histogram, fraction)
        return voices if bar else int(voices[0])

    def compatible(track: TrackView) -> Any:
        return measure(plain(track))

    def reach(fixed: TrackView, written: np.ndarray) -> tuple[int, int]:
        return voices_reach(fixed, written, fraction)

    compatible.__doc__ = f"{'Fewest' if mode == 'min' else 'Most'} notes that usually sound together."
    level["reach"] = None if bar else reach
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
)
max_polyphony = _add(
    "max",
    tables.HIGH,
    name="max_polyphony",
    params={"level": "track", "mode": "max"},
    token="MaxPolyphony",
    token_aliases=("TOKEN_MAX_POLYPHONY",),
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


def _onsets_reach(fixed: TrackView, written: np.ndarray) -> tuple[int, int]:
    """Notes that stay start together as before."""
    return onset_polyphony.measure(fixed), _VOICES.size


@attribute(
    "onset_polyphony",
    token="OnsetPolyphony",
    tracks="melodic",
    bins=Bins.whole(10, top=127),
    unit="notes",
    words=(*(counted(n, "note") + " at once" for n in range(9)), "9 or more notes at once"),
    reach=_onsets_reach,
    from_domain=False,
)
def onset_polyphony(track: TrackView) -> int:
    """Most notes that start at the same tick."""
    if not track.n_notes:
        return 0
    _, together = np.unique(track.bar.astype(np.int64) << 32 | track.bar_onset_ticks, return_counts=True)
    return int(together.max())
