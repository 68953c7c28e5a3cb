"""Plain data: lists, dicts and Python numbers, however they were written."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from midigpt_nb.errors import Place, Problem, RequestValidationError

__all__ = ["is_whole", "plain"]


def is_whole(value: Any) -> bool:
    """Whether a plain value is a whole number; True and False are not."""
    return isinstance(value, int) and not isinstance(value, bool)


_DEEPEST, _LONGEST = 20, 100_000  # no request is nested deeper, or lists more in one place


def plain(value: Any, depth: int = 0) -> Any:
    """A copy made of lists, dicts and Python numbers; anything else stays as it is. Raises
    `RequestValidationError` for what is too long or nested too deep to be part of a request.

    >>> plain({"bars": range(2), "level": np.int64(3)})
    {'bars': [0, 1], 'level': 3}
    """
    if isinstance(value, np.generic | np.ndarray) and value.ndim == 0:
        return value.item()
    if not isinstance(value, list | tuple | range | set | frozenset | Mapping | np.ndarray):
        return value
    if depth > _DEEPEST or len(value) > _LONGEST:
        allowed = f"at most {_LONGEST} values in a list, nested at most {_DEEPEST} deep"
        raise RequestValidationError([Problem(Place("request"), value, "is too large", allowed)])
    if isinstance(value, np.ndarray):
        return plain(value.tolist(), depth)
    if isinstance(value, Mapping):
        return {plain(k) if isinstance(k, np.generic) else k: plain(v, depth + 1) for k, v in value.items()}
    return [plain(v, depth + 1) for v in value]
