"""Silence: the share of time in which a track does not sound."""

from __future__ import annotations

import numpy as np

from midigpt_nb.attributes.polyphony import Stretches, bars_in_reach, ringing
from midigpt_nb.attributes.registry import Bins, attribute
from midigpt_nb.attributes.view import TrackView, starts_of

_TENTHS = Bins.whole(10)


def reference_silence(track: TrackView) -> np.ndarray:
    """(bars looked at,) share of silence of each bar as the published models measured it.

    They took each note's place in the bar for its place in the piece, so in every bar but the first most
    notes fall outside; that is repeated here because those models learned it.
    """
    scale = (
        4.0 * track.resolution / np.maximum(track.denominator, 1)
    )  # R*4 is exact, as is the reference's R*(4/den)
    lengths = (track.numerator * scale).astype(np.int64)
    starts = starts_of(lengths)
    length = lengths[track.bar]
    place = track.bar_onset_ticks - starts[track.bar]
    begin, end = np.clip(place, 0, length), np.clip(place + track.duration_ticks, 0, length)
    first = starts[track.bar]
    all_of_them = Stretches.between(first + begin, first + end, starts)
    quiet = all_of_them.where(all_of_them.voices == 0)
    silent = np.bincount(quiet.bar, weights=quiet.ticks, minlength=track.n_bars)
    kept = track.looked_at & (lengths > 0)
    return silent[kept] / lengths[kept]


def _reach(fixed: TrackView, written: np.ndarray) -> tuple[float, float]:
    """Between all that can sound sounding and the written bars empty."""
    if fixed.settings.formulas == "exact":
        return _exact_reach(fixed, written)
    lengths = fixed.bar_lengths_ticks
    counted = (fixed.looked_at | written) & (lengths > 0)
    shares = np.ones(fixed.n_bars)
    shares[fixed.looked_at & (lengths > 0)] = reference_silence(fixed)
    # The published models measured from the piece's start, so that only long notes reach into later bars.
    heard = np.clip(lengths - 1 + fixed.longest_ticks - starts_of(lengths)[:-1], 0, lengths)
    lowest = np.where(written, 1 - heard / np.maximum(lengths, 1), shares)
    return (float(lowest[counted].mean()), float(shares[counted].mean())) if counted.any() else (0.0, 0.0)


def _exact_reach(fixed: TrackView, written: np.ndarray) -> tuple[float, float]:
    counted, touched = fixed.looked_at | written, bars_in_reach(fixed, written)[:-1]
    total = int(fixed.bar_lengths_ticks[counted].sum())
    if not total:
        return 0.0, 0.0
    heard = ringing(fixed)
    silent = np.bincount(heard.bar, weights=heard.ticks * (heard.voices == 0), minlength=fixed.n_bars)
    silent[written] = fixed.bar_lengths_ticks[written]
    return float(silent[counted & ~touched].sum() / total), float(silent[counted].sum() / total)


@attribute(
    "silence_proportion",
    entry="silence_proportion",
    params={"level": "track"},
    token="TrackLevelSilenceProportionMax",
    token_aliases=("SilenceProportion", "TOKEN_TRACK_LEVEL_SILENCE_PROPORTION_MAX"),
    tracks="both",
    bins=Bins(10, lambda share: _TENTHS.quantize(10 * share), raw=lambda tenths: (tenths + 0.5) / 10),
    unit="share of time",
    words=tuple(f"{10 * step} %" for step in range(10)),
    reach=_reach,
)
def silence_proportion(track: TrackView) -> float:
    """Share of time without a sounding note (0: none … 9: nine tenths and more)."""
    shares = reference_silence(track)
    # added one after the other, as the reference did; from Python 3.12 on `sum` rounds otherwise
    return float(np.cumsum(shares)[-1] / len(shares)) if len(shares) else 0.0


@silence_proportion.formula("exact")
def _(track: TrackView) -> float:
    heard = ringing(track)
    total = int(heard.ticks.sum())
    return float(heard.ticks[heard.voices == 0].sum() / total) if total else 0.0
