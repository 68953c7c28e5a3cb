"""What every container gives: names, sizes, and a way to read one array at a time."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from midigpt_nb.errors import CheckpointError

__all__ = ["ITEM_BYTES", "Contents", "Stored", "parse_json", "plain_data", "read_float32", "read_json_file"]

ITEM_BYTES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2}
_NUMPY = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2"}
_MAX_JSON_BYTES = 4 << 20
_MAX_DEPTH = 64


@dataclass(frozen=True)
class Stored:
    """An array that is still in the file: its shape, and how to get it as float32."""

    shape: tuple[int, ...]
    read: Callable[[], NDArray[np.float32]]


@dataclass(frozen=True)
class Contents:
    """A file as it was found; nothing but its form has been checked."""

    arch: Any
    config: Any
    encoder_config: Any
    arrays: Mapping[str, Stored]


def read_float32(
    read_into: Callable[[int, memoryview], None], start: int, count: int, dtype: str
) -> NDArray[np.float32]:
    """`count` numbers of type `dtype` (see `ITEM_BYTES`) from `start` on, as float32. The caller has checked
    that they lie inside the file.
    """
    raw = np.empty(count, dtype=_NUMPY[dtype])
    if count:
        read_into(start, raw.view(np.uint8).data)
    if dtype == "BF16":  # bfloat16 is the upper half of a float32
        return (raw.astype(np.uint32) << np.uint32(16)).view(np.float32)
    # What float32 cannot hold becomes infinite, and that is refused.
    with np.errstate(over="ignore", invalid="ignore"):
        return raw.astype(np.float32, copy=False)


def parse_json(text: str | bytes, what: str) -> Any:
    """JSON data, or `CheckpointError` saying that `what` is not JSON."""
    try:
        return json.loads(text)
    except (TypeError, ValueError, RecursionError) as error:
        raise CheckpointError(f"{what} is not JSON: {error}") from error


def read_json_file(path: Path) -> Any:
    """The JSON data of a small file."""
    if path.stat().st_size > _MAX_JSON_BYTES:
        raise CheckpointError(
            f"{path.name} is larger than {_MAX_JSON_BYTES >> 20} MiB, so it is no configuration"
        )
    return parse_json(path.read_bytes(), path.name)


def plain_data(value: Any, what: str, *, budget: int = 50_000) -> Any:
    """A copy made of dicts, lists, texts, numbers and None, or `CheckpointError`.

    A pickle can name one list a thousand times inside another, again and again; `budget` bounds how many
    values the copy may have.
    """
    left = [budget]

    def copied(value: Any, depth: int) -> Any:
        left[0] -= 1
        if left[0] < 0 or depth > _MAX_DEPTH:
            raise CheckpointError(f"{what} is too large or nested too deep to be a configuration")
        if value is None or isinstance(value, (bool, int, float, str)):
            return value
        if isinstance(value, Mapping):
            if not all(isinstance(key, str) for key in value):
                raise CheckpointError(f"{what} has keys that are not text")
            return {key: copied(item, depth + 1) for key, item in value.items()}
        if isinstance(value, (list, tuple)):
            return [copied(item, depth + 1) for item in value]
        raise CheckpointError(
            f"{what} holds a {type(value).__name__}; allowed: texts, numbers, lists and dicts"
        )

    return copied(value, 0)
