"""Prompts the model has read already: what two prompts have in common at their beginning is read once.

A retry, a take, another seed and the next session over the same bars find the whole prompt here; the next
step finds what stands before the first token that differs. Entries are frozen, so any number of threads may
start from one; the least recently used ones go when the memory is used up.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from midigpt_nb.inference.backends.base import Ids, Prefix

__all__ = ["PromptCache"]

DEFAULT_BYTES = 256 << 20


@dataclass(frozen=True)
class _Entry:
    tokens: Ids
    positions: Ids
    prefix: Prefix
    told: NDArray[np.float32]


class PromptCache:
    """Frozen prompts of one engine, found by their token ids and positions. Safe to use from any thread.

    `limit_bytes` bounds the memory of the kept keys and values; the latest prompt is kept whatever its
    size. 0 keeps nothing.
    """

    def __init__(self, limit_bytes: int = DEFAULT_BYTES) -> None:
        self.limit_bytes = limit_bytes
        self._lock = threading.Lock()
        self._entries: OrderedDict[int, _Entry] = OrderedDict()
        self._next = 0

    def longest(self, tokens: Ids, positions: Ids) -> tuple[Prefix | None, int, NDArray[np.float32] | None]:
        """The entry with the longest common beginning, how many tokens that is (None, 0: none), and, where
        the whole prompt is known, the logits of what follows it.
        """
        best, length, whole = None, 0, False
        with self._lock:
            for key, entry in self._entries.items():
                common = _common(entry, tokens, positions)
                same = common == len(tokens) == len(entry.tokens)
                if common > length or (same and common == length):
                    best, length, whole = key, common, same
            if best is None:
                return None, 0, None
            self._entries.move_to_end(best)
            found = self._entries[best]
            return found.prefix, length, found.told if whole else None

    def keep(self, tokens: Ids, positions: Ids, prefix: Prefix, told: NDArray[np.float32]) -> None:
        """Remember that `prefix` holds these tokens and `told` are the logits, (vocab,), of what follows.
        Entries that are a beginning of it are replaced.
        """
        if not self.limit_bytes or not len(tokens):
            return
        new = _Entry(tokens.copy(), positions.copy(), prefix, told)
        with self._lock:
            for key in [k for k, e in self._entries.items() if _is_within(e, new)]:
                del self._entries[key]
            self._entries[self._next] = new
            self._next += 1
            while len(self._entries) > 1 and self._bytes() > self.limit_bytes:
                self._entries.popitem(last=False)

    @property
    def n_bytes(self) -> int:
        """Memory in use."""
        with self._lock:
            return self._bytes()

    def __len__(self) -> int:
        return len(self._entries)

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._entries.clear()

    def _bytes(self) -> int:
        return sum(entry.prefix.n_bytes for entry in self._entries.values())


def _common(entry: _Entry, tokens: Ids, positions: Ids) -> int:
    n = min(len(tokens), len(entry.tokens))
    same = (tokens[:n] == entry.tokens[:n]) & (positions[:n] == entry.positions[:n])
    return n if same.all() else int(np.argmin(same))


def _is_within(old: _Entry, new: _Entry) -> bool:
    return len(old.tokens) <= len(new.tokens) and _common(old, new.tokens, new.positions) == len(old.tokens)
