"""Preferences: the controls that make tokens more or less likely instead of illegal.

A preference acts within its own kind of token. What the model gives to "some pitch" or "some position" as a
whole stays as it is, only the shares inside change; so a bar does not end earlier because its pitches are
steered.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Soft", "Weights", "reweighted"]

LogWeights = NDArray[np.float64]


@dataclass(frozen=True)
class Weights:
    """Logarithms of weights, one per value of a token type whose ids are `start` .. `start + len(log)`."""

    start: int
    log: LogWeights


def reweighted(share: NDArray[np.float64], log_weights: LogWeights) -> NDArray[np.float64]:
    """`share` times the weights, scaled back to its old sum.

    Unchanged when the weights leave nothing (all -inf where there is something to share).

    >>> reweighted(np.array([.2, .2]), np.log(np.array([1.0, 3.0]))).round(6).tolist()
    [0.1, 0.3]
    """
    there = share > 0
    peak = log_weights[there].max(initial=-np.inf)
    if peak == -np.inf:
        return share
    weighted = share * np.exp(log_weights - peak, where=there, out=np.zeros_like(share))
    return weighted * (share.sum() / weighted.sum())


class Soft:
    """The preferences of one step, per block (infill: fill block; autoregressive: bar of the window).

    >>> soft = Soft({0: [Weights(1, np.log(np.array([1.0, 3.0])))]})
    >>> soft.weighted(np.array([.6, .2, .2]), np.array([0, 1, 2]), 0).round(6).tolist()
    [0.6, 0.1, 0.3]
    """

    def __init__(self, blocks: Mapping[int, Sequence[Weights]]) -> None:
        self._blocks = {block: tuple(weights) for block, weights in blocks.items() if weights}

    def __bool__(self) -> bool:
        return bool(self._blocks)

    def weigh(self, q: NDArray[np.float64], legal: NDArray[np.intp], matcher: Any) -> NDArray[np.float64]:
        """Probabilities `q` of the ids `legal` (ascending) after the preferences of the matcher's block."""
        return self.weighted(q, legal, matcher.block)

    def weighted(self, q: NDArray[np.float64], legal: NDArray[np.intp], block: int) -> NDArray[np.float64]:
        """As `weigh`, for a block given by number."""
        weights = self._blocks.get(block)
        if weights is None:
            return q
        out = q
        for row in weights:
            first, last = np.searchsorted(legal, [row.start, row.start + len(row.log)])
            if last - first < 2:
                continue
            if out is q:
                out = q.copy()
            out[first:last] = reweighted(q[first:last], row.log[legal[first:last] - row.start])
        return out
