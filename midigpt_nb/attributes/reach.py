"""Which values an attribute can still take when some bars are written anew and the others stay.

What can be written is bounded: at most four notes on each of twelve positions of a quarter note, none
longer than eight quarters. Within that everything counts as possible, so a value outside the range cannot be
reached, and one inside may still be unlikely.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from midigpt_nb.attributes.quantile import quantile_index

if TYPE_CHECKING:
    from collections.abc import Iterable

    from midigpt_nb.attributes.registry import Attribute
    from midigpt_nb.attributes.view import TrackView

MOST_NOTES_PER_QUARTER = 48


def most_notes(view: TrackView, bars: np.ndarray) -> int:
    """How many notes the bars of a mask can hold."""
    return int(view.bar_quarters[bars].sum() * MOST_NOTES_PER_QUARTER)


def mixed_quantile(
    values: np.ndarray, fraction: float, more: int, low: float, high: float
) -> tuple[float, float]:
    """Lowest and highest `fraction` quantile of `values` and up to `more` others between `low` and `high`.

    >>> mixed_quantile(np.array([3, 3, 3]), 0.85, 1, 0, 9)
    (3.0, 9.0)
    """
    values = np.sort(values)
    place = int(quantile_index(len(values) + more, fraction))
    if place < 0:
        return 0.0, 0.0
    lowest = float(low) if place < more else float(values[place - more])
    highest = float(values[place]) if place < len(values) else float(high)
    return lowest, highest


def reachable_levels(
    attribute: Attribute, whole: TrackView, written: np.ndarray, *, whole_track: bool = True
) -> tuple[int, int]:
    """Lowest and highest level of a track-level attribute when the bars of a mask are written anew.

    With `whole_track` it is measured on all bars of the track, else on the written ones alone.
    """
    top = attribute.size - 1
    if not written.any():
        own = min(attribute.quantize(attribute.measure(whole)), top)
        return own, own
    if attribute.reach is None:
        return 0, top
    kept = np.flatnonzero(~written).tolist() if whole_track else []
    fixed = whole.window.track(whole.number, kept, stored=whole.stored)
    low, high = sorted(min(attribute.quantize(end), top) for end in attribute.reach(fixed, written))
    return low, high


def reachable_bar_levels(
    attribute: Attribute, whole: TrackView, written: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Lowest and highest level per bar of a bar-level attribute: bars that are kept have their own."""
    top = attribute.size - 1
    own = np.minimum(attribute.quantize(attribute.measure(whole)), top)
    low, high = np.zeros(len(own), np.int16), np.full(len(own), top, np.int16)
    if attribute.reach is not None:
        low, high = (np.minimum(attribute.quantize(end), top) for end in attribute.reach(whole, written))
    return np.where(written, low, own), np.where(written, high, own)


class Reach:
    """For each (track, bar, attribute) the levels within reach, as inclusive ranges.

    `low` and `high` are ``{attribute name: int16 (all bars,)}``, rows in the order of the score table's bars;
    -1 where the attribute does not apply. A track-level attribute has the same range in all bars of a track;
    a bar that is not written anew has its own value of a bar-level one.
    """

    def __init__(self, first_rows: np.ndarray, sizes: dict[str, int]) -> None:
        self._first_rows = first_rows  # (n_tracks + 1,)
        self.sizes = sizes
        n = int(first_rows[-1])
        self.low = {name: np.full(n, -1, np.int16) for name in sizes}
        self.high = {name: np.full(n, -1, np.int16) for name in sizes}

    def rows(self, track: int) -> slice:
        """Rows of a track's bars."""
        return slice(int(self._first_rows[track]), int(self._first_rows[track + 1]))

    def put(self, name: str, track: int, low: Any, high: Any) -> None:
        self.low[name][self.rows(track)] = low
        self.high[name][self.rows(track)] = high

    def range(self, name: str, track: int, bar: int) -> tuple[int, int] | None:
        """Lowest and highest level of one cell; None where the attribute does not apply."""
        row = self.rows(track).start + bar
        low, high = int(self.low[name][row]), int(self.high[name][row])
        return None if low < 0 else (low, high)

    def allows(self, name: str, track: int, bars: Iterable[int], level: int) -> bool:
        """Whether a level is within reach in every one of these bars (False where it does not apply)."""
        ranges = [self.range(name, track, bar) for bar in bars]
        return all(found is not None and found[0] <= level <= found[1] for found in ranges)
