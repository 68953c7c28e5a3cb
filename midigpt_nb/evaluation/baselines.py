"""Unigram and n-gram baselines on the same windows as the network, in nats.

Interpolated absolute discounting with raw counts at every order: simple, strong on repeating music, and
honest as a yardstick because it is counted on windows of the same mix.
"""

from __future__ import annotations

import numpy as np

from midigpt_nb.training.vocabulary import VOCABULARY_SIZE
from midigpt_nb.training.window import FILL, FIRST_NOTE, Window

_BITS = 10  # per packed token
assert VOCABULARY_SIZE <= 1 << _BITS


def _packed(ids: np.ndarray, order: int) -> np.ndarray:
    """Every run of ``order`` tokens of ``ids`` as one integer, ``(len - order + 1,)``."""
    length = len(ids) - order + 1
    keys = np.zeros(max(0, length), dtype=np.int64)
    for offset in range(order):
        keys = keys << _BITS | ids[offset : offset + length].astype(np.int64)
    return keys


def _lookup(keys: np.ndarray, values: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Values of sorted ``keys`` at ``wanted``; 0 where a key is absent."""
    spot = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return np.where(keys[spot] == wanted, values[spot], 0)


class NGram:
    """An n-gram model with interpolated absolute discounting."""

    def __init__(self, windows: list[Window], order: int, discount: float = 0.75):
        self.order, self.discount = order, discount
        self.tables: list[tuple[np.ndarray, ...]] = []
        for k in range(1, order + 1):
            runs = np.concatenate([_packed(window.ids, k) for window in windows])
            keys, counts = np.unique(runs, return_counts=True)
            contexts, first = np.unique(keys >> _BITS, return_index=True)
            totals = np.add.reduceat(counts, first)
            kinds = np.diff(np.append(first, len(keys)))
            self.tables.append((keys, counts, contexts, totals, kinds))

    def probabilities(self, ids: np.ndarray) -> list[np.ndarray]:
        """Probability of every token but the first, by each order from 1 up: arrays ``(len - 1,)``."""
        share = np.full(len(ids) - 1, 1.0 / VOCABULARY_SIZE)
        result = []
        for k, (keys, counts, contexts, totals, kinds) in enumerate(self.tables, start=1):
            share = share.copy()
            runs = _packed(ids, k)
            if k == 1:
                runs = runs[1:]
            where = slice(max(0, k - 2), None)  # runs of length k end at token k - 1 and later
            total = _lookup(contexts, totals, runs >> _BITS)
            kind = _lookup(contexts, kinds, runs >> _BITS)
            seen = total > 0
            count = _lookup(keys, counts, runs)
            lower = share[where]
            mixed = (np.maximum(count - self.discount, 0) + self.discount * kind * lower) / np.maximum(
                total, 1
            )
            share[where] = np.where(seen, mixed, lower)
            result.append(share)
        return result


def ngram_losses(model: NGram, windows: list[Window]) -> list[dict[str, float]]:
    """Loss per token, per note and in fill blocks, for every order from 1 up."""
    losses: list[list[np.ndarray]] = [[] for _ in range(model.order)]
    kinds = np.concatenate([window.kinds[1:] for window in windows])
    for window in windows:
        for order, share in enumerate(model.probabilities(window.ids)):
            losses[order].append(-np.log(share))
    notes = sum(window.notes for window in windows)
    result = []
    for parts in losses:
        loss = np.concatenate(parts)
        inside = np.isin(kinds, (FILL, FIRST_NOTE))
        first = kinds == FIRST_NOTE
        result.append(
            {
                "token": float(loss.mean()),
                "note": float(loss.sum() / max(1, notes)),
                "fill": float(loss[inside].mean()),
                "first": float(loss[first].mean()),
            }
        )
    return result
