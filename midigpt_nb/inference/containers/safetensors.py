"""`.safetensors`, format version 2: a small JSON header, then raw arrays. Nothing in such a file can run.

The format is simple enough to be read and written here, array by array, so no further package is needed.
"""

from __future__ import annotations

import json
import math
import os
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from midigpt_nb.errors import CheckpointError
from midigpt_nb.inference.containers.contents import (
    ITEM_BYTES,
    Contents,
    Stored,
    parse_json,
    read_float32,
)
from midigpt_nb.inference.containers.parts import Parts, parts_of

__all__ = ["WRITTEN_TYPES", "read_safetensors", "write_safetensors"]

_MAX_HEADER_BYTES = 4 << 20  # a hundred layers need a tenth of that
WRITTEN_TYPES = {"float32": "F32", "float16": "F16", "bfloat16": "BF16"}


def read_safetensors(path: Path) -> Contents:
    """The contents of a file, or of the parts it was cut into. Raises `CheckpointError`."""
    file = Parts(parts_of(path))
    header, offset = _header(file, path.name)
    metadata = header.pop("__metadata__", None)
    if not isinstance(metadata, dict):
        raise CheckpointError(f"{path.name}: there is no metadata, so this is not a model of this kind")
    if metadata.get("format_version") != "2":
        version = metadata.get("format_version", "none")
        raise CheckpointError(f"{path.name}: format version {version!r:.40} is not supported; allowed: '2'")
    entries = [_entry(n, entry, file.n_bytes - offset, path.name) for n, entry in header.items()]
    _refuse_overlaps(entries, path.name)

    def stored(entry: _Entry) -> Stored:
        def read() -> NDArray[np.float32]:
            count = math.prod(entry.shape)
            return read_float32(file.read_into, offset + entry.start, count, entry.dtype).reshape(entry.shape)

        return Stored(entry.shape, read)

    config, encoder_config = (
        parse_json(metadata.get(key, missing), f"{path.name}: metadata {key!r}")
        for key, missing in (("config", "{}"), ("encoder_config", "null"))
    )
    arrays = {entry.name: stored(entry) for entry in entries}
    return Contents(metadata.get("arch"), config, encoder_config, arrays)


def _header(file: Parts, name: str) -> tuple[dict[str, Any], int]:
    """The JSON header and the offset where the arrays begin."""
    size = int.from_bytes(file.read(0, 8), "little") if file.n_bytes >= 8 else 0
    if not 2 <= size <= min(_MAX_HEADER_BYTES, file.n_bytes - 8):
        raise CheckpointError(f"{name}: not a safetensors file (its header would be {size} bytes long)")
    header = parse_json(file.read(8, size), f"{name}: the header")
    if not isinstance(header, dict):
        raise CheckpointError(f"{name}: the header is not a JSON object")
    return header, 8 + size


@dataclass(frozen=True)
class _Entry:
    """One array as the header describes it; offsets count from the end of the header."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    start: int
    end: int


def _whole_numbers(values: Any) -> tuple[int, ...]:
    if not isinstance(values, list) or not all(type(n) is int for n in values):
        raise TypeError
    return tuple(values)


def _entry(name: str, entry: Any, n_bytes: int, file: str) -> _Entry:
    name = name[:200]  # for messages too
    try:
        dtype, shape = str(entry["dtype"])[:20], _whole_numbers(entry["shape"])
        start, end = _whole_numbers(entry["data_offsets"])
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"{file}: the entry of {name!r} is malformed") from error
    if dtype not in ITEM_BYTES:
        raise CheckpointError(f"{file}: {name!r} has type {dtype}; allowed: {', '.join(ITEM_BYTES)}")
    if min(shape, default=1) < 0 or not 0 <= start <= end <= n_bytes:
        raise CheckpointError(f"{file}: {name!r} lies outside the file")
    if len(shape) > 8 or math.prod(shape) * ITEM_BYTES[dtype] != end - start:
        raise CheckpointError(f"{file}: {name!r} of shape {shape[:8]} does not fit its {end - start} bytes")
    return _Entry(name, dtype, shape, start, end)


def _refuse_overlaps(entries: list[_Entry], file: str) -> None:
    ordered = sorted(entries, key=lambda e: (e.start, e.end))
    for before, after in pairwise(ordered):
        if after.start < before.end:
            raise CheckpointError(f"{file}: {after.name!r} and {before.name!r} overlap")


def write_safetensors(
    path: Path,
    arrays: Iterable[tuple[str, NDArray[np.floating]]],
    shapes: Mapping[str, tuple[int, ...]],
    metadata: Mapping[str, str],
    dtype: str = "float32",
) -> None:
    """Write arrays one after the other; `shapes` says in which order they come. The file appears under its
    name only when it is complete.
    """
    code = WRITTEN_TYPES[dtype]
    header: dict[str, Any] = {"__metadata__": dict(metadata)}
    offset = 0
    for name, shape in shapes.items():
        end = offset + math.prod(shape) * ITEM_BYTES[code]
        header[name] = {"dtype": code, "shape": list(shape), "data_offsets": [offset, end]}
        offset = end
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(len(text).to_bytes(8, "little") + text)
            for (name, shape), (got, array) in zip(shapes.items(), arrays, strict=True):
                if got != name or array.shape != tuple(shape):
                    raise ValueError(f"{got!r} of shape {array.shape} comes where {name!r} {shape} belongs")
                file.write(_bytes_of(array, code))
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _bytes_of(array: NDArray[np.floating], code: str) -> bytes:
    if code != "BF16":
        return np.ascontiguousarray(array, dtype={"F32": "<f4", "F16": "<f2"}[code]).tobytes()
    bits = np.ascontiguousarray(array, dtype=np.float32).view(np.uint32).astype(np.uint64)
    rounded = (bits + 0x7FFF + ((bits >> 16) & 1)) >> 16  # to nearest, ties to even
    return rounded.astype("<u2").tobytes()
