"""Files go to the page in parts: hosts do not carry messages of any size."""

from __future__ import annotations

__all__ = ["PART_BYTES", "part_of"]

PART_BYTES = 1 << 20
"""Largest part: well under what hosts carry in one message."""


def part_of(size: int, number: object) -> tuple[slice, int]:
    """Where part `number` lies in a file of `size` bytes, and how many parts the file has (at least one).

    Raises `ValueError` for a part that does not exist.

    >>> part_of(PART_BYTES + 1, 1)
    (slice(1048576, 1048577, None), 2)
    """
    parts = max(1, -(-size // PART_BYTES))
    if isinstance(number, bool) or not isinstance(number, int) or not 0 <= number < parts:
        raise ValueError(f"there are parts 0-{parts - 1}, not {number!r}")
    return slice(number * PART_BYTES, min(size, (number + 1) * PART_BYTES)), parts
