"""The only source of randomness.

Every random number is a function of where it is used: Philox4x32-10 with the 64-bit seed as key and
(position, attempt, step, candidate) as counter. So a result does not depend on the order in which steps run
or on the number of threads, and no global generator (`random`, numpy, torch) is read or seeded. Rule for one
uniform in [0, 1): words 0 and 1 of the block give 53 bits, `((w0 >> 5) * 2**26 + (w1 >> 6)) / 2**53`. One
number per draw.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["SeedStream", "philox4x32", "resolve_seed"]

_MASK = 0xFFFFFFFF
_M0, _M1 = 0xD2511F53, 0xCD9E8D57
_W0, _W1 = 0x9E3779B9, 0xBB67AE85
# Counter words that no step number reaches, for choices made before the first step.
_CHOICES = {"infill_probability": 0xFFFFFFFF, "shuffle": 0xFFFFFFFE, "remix": 0xFFFFFFFD}


def philox4x32(counter: tuple[int, int, int, int], key: tuple[int, int]) -> tuple[int, int, int, int]:
    """Ten rounds of Philox 4x32: four 32-bit words for a 128-bit counter and a 64-bit key.

    >>> "%08x" % philox4x32((0, 0, 0, 0), (0, 0))[0]
    '6627e8d5'
    """
    c0, c1, c2, c3 = counter
    k0, k1 = key
    for _ in range(10):
        p0, p1 = _M0 * c0, _M1 * c2
        c0, c1, c2, c3 = (p1 >> 32) ^ c1 ^ k0, p1 & _MASK, (p0 >> 32) ^ c3 ^ k1, p0 & _MASK
        k0, k1 = (k0 + _W0) & _MASK, (k1 + _W1) & _MASK
    return c0, c1, c2, c3


def resolve_seed(seed: int) -> int:
    """`seed` itself when it is >= 0; otherwise 31 fresh bits from the operating system."""
    return seed if seed >= 0 else int.from_bytes(os.urandom(4), "little") & 0x7FFFFFFF


@dataclass(frozen=True)
class SeedStream:
    """The numbers of one attempt: `uniform(position)` is always the same for the same five facts."""

    seed: int
    candidate: int = 0
    step: int = 0
    attempt: int = 0

    def uniform(self, position: int) -> float:
        """The number in [0, 1) that decides the token at `position` (0 = first generated token)."""
        w0, w1, _, _ = philox4x32(
            (position & _MASK, self.attempt & _MASK, self.step & _MASK, self.candidate & _MASK),
            (self.seed & _MASK, (self.seed >> 32) & _MASK),
        )
        return ((w0 >> 5) * 67108864 + (w1 >> 6)) / 9007199254740992

    def choosing(self, purpose: str) -> SeedStream:
        """The numbers of a named choice of this attempt, whatever the step (``"remix"``)."""
        return SeedStream(self.seed, self.candidate, _CHOICES[purpose], self.attempt)

    def permutation(self, n: int, purpose: str) -> list[int]:
        """A random order of 0..n-1 for a named choice (``"shuffle"``, ``"infill_probability"``)."""
        stream = SeedStream(self.seed, self.candidate, _CHOICES[purpose])
        return sorted(range(n), key=lambda i: (stream.uniform(i), i))

    def sample(self, items: Sequence[tuple[int, int]], k: int, purpose: str) -> list[tuple[int, int]]:
        """`k` of `items` without replacement, in their given order."""
        return [items[i] for i in sorted(self.permutation(len(items), purpose)[:k])]
