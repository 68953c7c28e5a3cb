"""Token lists from outside, checked once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from midigpt_nb.errors import VocabularyError

__all__ = ["TokenIds", "checked_ids"]

TokenIds = Sequence[int] | npt.NDArray[np.integer[Any]]


def checked_ids(ids: TokenIds, size: int) -> list[int]:
    """The ids as plain ints. Raises VocabularyError naming the first that a vocabulary of `size` lacks."""
    try:
        array = np.asarray(ids)
    except (ValueError, OverflowError) as error:  # lists of different lengths, numbers without end
        raise VocabularyError(f"tokens must be a flat list of token ids: {error}") from error
    if array.ndim != 1:
        raise VocabularyError(
            f"tokens must be a flat list of token ids, not an array of {array.ndim} dimensions"
        )
    if not array.size:
        return []
    if array.dtype.kind not in "iu":
        raise VocabularyError(f"tokens must hold whole numbers, not values of the type {array.dtype}")
    outside = np.flatnonzero((array < 0) | (array >= size))
    if outside.size:
        place = int(outside[0])
        raise VocabularyError(
            f"there is no token {array[place]}, as at position {place}; this vocabulary has 0..{size - 1}"
        )
    return array.tolist()
