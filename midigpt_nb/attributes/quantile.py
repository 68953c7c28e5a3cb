"""The one quantile rule of the attributes, for lists and for histograms.

Element number ``min(round_half_even(n * fraction), n - 1)`` of the sorted values, counted from 0; 0 if
there are none.
"""

from __future__ import annotations

import numpy as np


def quantile_index(n: np.ndarray | int, fraction: float) -> np.ndarray:
    """Which of `n` sorted values is the quantile; -1 for none.

    >>> quantile_index(10, 0.15).item()  # 1.5 rounds to the even 2
    2
    """
    return np.minimum(np.rint(np.multiply(n, fraction)).astype(np.int64), np.subtract(n, 1))


def quantile(values: np.ndarray, fraction: float) -> float:
    """The quantile of a list of numbers."""
    if not len(values):
        return 0.0
    return float(np.sort(values)[quantile_index(len(values), fraction)])


def histogram_quantile(counts: np.ndarray, fraction: float) -> np.ndarray:
    """Per row of ``(rows, values)``: the quantile of a list holding value ``j`` ``counts[row, j]`` times."""
    running = np.cumsum(counts, axis=1)
    index = quantile_index(running[:, -1], fraction)
    return np.where(index < 0, 0, (running <= index[:, None]).sum(axis=1))
