"""Rhythmic grid: how fine the positions are on which notes start."""

from __future__ import annotations

from statistics import median

import numpy as np

from midigpt_nb.attributes.reach import mixed_quantile, most_notes
from midigpt_nb.attributes.registry import Bins, attribute
from midigpt_nb.attributes.view import TrackView

STORED = "_nomml_raw"  # a value measured before free timing was lost on the token grid
_FREE = 12
_DEPTHS = Bins.whole(_FREE + 1)
_HALVINGS = 2.0 ** np.arange(6)
_GRIDS = ("quarters", "8ths", "16ths", "32nds", "64ths", "128ths")
# Straight and triplet grids of the same name follow each other, coarse to fine.
_WORDS = (*(f"{kind}{grid}" for grid in _GRIDS for kind in ("", "triplet ")), "free timing")


def metric_depths(onset_ticks: np.ndarray, resolution: int) -> np.ndarray:
    """(n,) depth of each position: 0, 2 … 10 for halvings of the beat, 1, 3 … 11 for triplets, 12 for none.

    >>> metric_depths(np.array([0, 6, 8, 5]), 12).tolist()
    [0, 2, 1, 7]
    """
    onsets = onset_ticks.astype(float)[:, None]
    straight = np.mod(onsets, resolution / _HALVINGS) == 0
    triplet = np.mod(onsets, 2 * resolution / (3 * _HALVINGS)) == 0
    odd = np.where(triplet.any(axis=1), 2 * triplet.argmax(axis=1) + 1, _FREE)
    return np.where(straight.any(axis=1), 2 * straight.argmax(axis=1), odd)


def _reach(fixed: TrackView, written: np.ndarray) -> tuple[float, float]:
    """From every new note on a quarter to every new note as far off the grid as the resolution allows."""
    if STORED in fixed.stored:
        return float(fixed.stored[STORED]), float(fixed.stored[STORED])
    deepest = int(metric_depths(np.arange(2 * fixed.resolution), fixed.resolution).max())
    own, more = metric_depths(fixed.bar_onset_ticks, fixed.resolution), most_notes(fixed, written)
    low, high = mixed_quantile(own, 0.5, more, 0, deepest)
    # Two middle notes are averaged, which may come out below the quantile; without notes it counts as free.
    return max(low - 1, 0), high if fixed.n_notes else float(_FREE)


@attribute(
    "nomml",
    token="TrackLevelNomml",
    tracks="both",
    bins=Bins(13, lambda raw: _DEPTHS.quantize(np.rint(raw)), raw=float),
    unit="metric depth",
    title="rhythmic grid",
    words=_WORDS,
    reach=_reach,
)
def nomml(track: TrackView) -> float:
    """Median depth of the rhythmic grid: low is coarse, 12 is free timing."""
    if STORED in track.stored:
        return float(track.stored[STORED])
    if not track.n_notes:
        return float(_FREE)
    places, index = np.unique(track.bar_onset_ticks, return_inverse=True)
    return float(int(median(metric_depths(places, track.resolution)[index].tolist())))
