"""Key: which of the 24 major and minor keys fits the pitch classes best, by how long each sounds."""

from __future__ import annotations

from typing import Any

import numpy as np

from midigpt_nb.attributes import tables
from midigpt_nb.attributes.registry import Bins, attribute
from midigpt_nb.attributes.view import TrackView


def best_key(pitch_class_ticks: np.ndarray) -> int:
    """0-11 major on C…B, 12-23 minor, 24 if nothing sounds; of equally good keys the first.

    >>> best_key(np.array([4, 0, 2, 0, 3, 2, 0, 3, 0, 2, 0, 1]))
    0
    """
    if not pitch_class_ticks.any():
        return tables.NO_KEY
    # Added up in this order, so that near-ties fall the same way everywhere.
    score = np.zeros(24)
    for weights, ticks in zip(tables.key_weights(), pitch_class_ticks.tolist(), strict=True):
        score += weights * ticks
    return int(np.argmax(score))


def _reach(fixed: TrackView, written: np.ndarray) -> tuple[int, int]:
    """Any key; no key at all only where nothing that sounds is kept in any track."""
    window, cells = fixed.window, fixed.cells
    if cells is None:
        cells = {track: range(window.n_bars(track)) for track in range(window.n_tracks)}
        cells[fixed.number] = np.flatnonzero(fixed.looked_at).tolist()
    drums = fixed.settings.formulas != "exact"
    sounds = window.pitch_class_ticks(cells, drums=drums, longest_ticks=None).any()
    return 0, tables.NO_KEY - int(sounds)


@attribute(
    "key_signature",
    token="KeySignature",
    token_aliases=("TOKEN_KEY_SIGNATURE",),
    tracks="melodic",
    bins=Bins.whole(25),
    unit="key",
    nominal=True,
    of_window=True,
    reach=_reach,
    words=tables.KEY_NAMES,
)
def key_signature(track: TrackView) -> int:
    """Key of the whole window, the same for all its tracks."""
    return _window_key(track, drums=True, longest_ticks=None)


@key_signature.formula("exact")
def _(track: TrackView) -> int:
    return _window_key(track, drums=False, longest_ticks=track.longest_ticks)


def _window_key(track: TrackView, **what: Any) -> int:
    def measure() -> int:
        return best_key(track.window.pitch_class_ticks(track.cells, **what))

    return measure() if track.cells is not None else track.window.once(("key", *what.items()), measure)
