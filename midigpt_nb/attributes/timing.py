"""Rhythmic grid: how fine the positions are on which notes start."""

from __future__ import annotations

from statistics import median

import numpy as np

from midigpt_nb.attributes.registry import Bins, attribute
from midigpt_nb.attributes.view import TrackView

STORED = "_nomml_raw"  # a value measured before free timing was lost on the token grid
_FREE = 12
_HALVINGS = 2.0 ** np.arange(6)


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


@attribute(
    "nomml",
    token="TrackLevelNomml",
    tracks="both",
    bins=Bins(13, lambda raw: min(max(round(raw), 0), 12)),
    unit="metric depth",
)
def nomml(track: TrackView) -> float:
    """Median depth of the rhythmic grid: low is coarse, 12 is free timing."""
    if STORED in track.stored:
        return float(track.stored[STORED])
    if not track.n_notes:
        return float(_FREE)
    places, index = np.unique(track.bar_onset_ticks, return_inverse=True)
    return float(int(median(metric_depths(places, track.resolution)[index].tolist())))
