"""Temperature and the four sampling filters: pure functions on one row of probabilities.

Rows are float64 and may hold all tokens or only the legal ones (illegal tokens have probability 0, so leaving
them out changes nothing). Ranking is by probability, descending; equal ones keep their order, so results are
repeatable.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "NotNumbers",
    "apply_filters",
    "draw",
    "filters_active",
    "log_softmax",
    "softmax",
    "top_k",
    "top_p",
]

Row = NDArray[np.float64]


class NotNumbers(ArithmeticError):
    """Logits hold NaN or plus infinity: whatever is drawn from them is noise. Callers outside the package
    meet the `GenerationError` that `InferenceEngine.no_numbers` makes of it.
    """


def _uniform(peak: float, n: int) -> Row:
    """Probabilities where the highest logit is not finite: equal ones when all tokens are impossible."""
    if peak == -math.inf:
        return np.full(n, 1.0 / n)
    raise NotNumbers(f"the highest logit is {peak}")


def softmax(logits: NDArray[np.floating], temperature: float = 1.0) -> Row:
    """Probabilities of logits / temperature; uniform when all are -inf. Raises `NotNumbers` for NaN and +inf.

    >>> softmax(np.array([0.0, 0.0])).tolist()
    [0.5, 0.5]
    """
    x = np.asarray(logits, dtype=np.float64)
    peak = x.max()
    if not math.isfinite(peak):
        return _uniform(peak, len(x))
    # The peak goes first, so that however cold it is nothing overflows.
    x = np.exp((x - peak) / max(temperature, 1e-200))
    return x / x.sum()


def log_softmax(logits: NDArray[np.floating]) -> Row:
    """Natural logarithms of the probabilities at temperature 1; see `softmax`.

    >>> log_softmax(np.array([0.0, 0.0])).round(3).tolist()
    [-0.693, -0.693]
    """
    x = np.asarray(logits, dtype=np.float64)
    peak = x.max()
    if not math.isfinite(peak):
        return np.log(_uniform(peak, len(x)))
    x = x - peak
    return x - math.log(np.exp(x).sum())


def _ranked(q: Row) -> NDArray[np.intp]:
    return (-q).argsort(kind="stable")


def _prefix(q_ranked: Row, mass: float) -> int:
    """Length of the shortest prefix whose sum reaches `mass`; the crossing token belongs to it."""
    return min(int(q_ranked.cumsum().searchsorted(mass, side="left")) + 1, len(q_ranked))


def top_k(q: Row, k: int) -> NDArray[np.bool_]:
    """True for the k most probable tokens; all of them when k is 0 or covers every possible token.

    >>> top_k(np.array([.5, .2, .3]), 2).tolist()
    [True, False, True]
    """
    keep = np.ones(len(q), dtype=bool)
    if 0 < k < np.count_nonzero(q):
        keep[_ranked(q)[k:]] = False
    return keep


def top_p(q: Row, p: float) -> NDArray[np.bool_]:
    """True for the fewest most probable tokens that sum to at least p (nucleus); all when p is 1 or more.

    >>> top_p(np.array([.5, .2, .3]), .6).tolist()
    [True, False, True]
    """
    keep = np.ones(len(q), dtype=bool)
    if 0 < p < 1:
        order = _ranked(q)
        keep[order[_prefix(q[order], p) :]] = False
    return keep


def _anti(s: Row, k: int, p: float) -> int:
    """How many of the most probable tokens of the pool `s` the anti filters take away."""
    pool = int(np.count_nonzero(s))
    removed = k if 0 < k < pool else 0
    if 0 < p < 1:
        removed = max(removed, min(_prefix(s[_ranked(s)], p), pool - 1))
    return removed


def filters_active(k: int, p: float, anti_k: int, anti_p: float) -> bool:
    """Whether any filter can change a row."""
    return k > 0 or p < 1 or anti_k > 0 or anti_p > 0


def apply_filters(
    q: Row,
    content: NDArray[np.bool_],
    *,
    k: int = 0,
    p: float = 1.0,
    anti_k: int = 0,
    anti_p: float = 0.0,
) -> Row:
    """`q` after top_k, top_p, mask_k and mask_p, renormalised.

    Both top filters are measured on `q` itself and intersected; the anti filters (`mask_k`, `mask_p`) are
    measured on what is left, renormalised, and remove only note `content` tokens: structure and attributes
    stay. If nothing would be left, `q`.

    >>> apply_filters(np.array([.5, .2, .3]), np.array([True, True, False]), anti_k=1).tolist()
    [0.0, 0.4, 0.6]
    """
    s = np.where(top_k(q, k) & top_p(q, p), q, 0.0)
    s /= s.sum()
    removed = _anti(s, anti_k, anti_p)
    if removed:
        gone = _ranked(s)[:removed]
        s[gone[content[gone]]] = 0.0
    total = s.sum()
    return s / total if total > 0 else q


def draw(q: Row, u: float) -> int:
    """The index that the number u in [0, 1) picks from probabilities q.

    >>> draw(np.array([.5, .5]), .75)
    1
    """
    edges = q.cumsum()
    index = int(edges.searchsorted(u * edges[-1], side="right"))
    return index if index < len(q) and q[index] > 0 else int(np.flatnonzero(q)[-1])
