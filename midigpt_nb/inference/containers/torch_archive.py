"""The zip file torch writes: one pickle with the structure, and one raw file per array.

Read without torch, array by array: `.pt` bundles and scripted modules have the same form.
"""

from __future__ import annotations

import math
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from midigpt_nb.errors import CheckpointError
from midigpt_nb.inference.containers.contents import ITEM_BYTES, Stored, read_float32
from midigpt_nb.inference.containers.parts import Parts
from midigpt_nb.inference.containers.plain_pickle import MAX_BYTES, read_pickle

__all__ = ["TorchArchive", "TorchArray"]

_MAX_ENTRIES = 100_000
_MAX_DIRECTORY_BYTES = 16 << 20
_LOCAL_HEADER = 30  # bytes, before the name and the extra field
_DIRECTORY_END = 22

# Storage class -> type of its numbers. Others (whole numbers, truth values) may be there, but are never read.
_STORAGES = {
    "torch.FloatStorage": "F32",
    "torch.HalfStorage": "F16",
    "torch.BFloat16Storage": "BF16",
    "torch.DoubleStorage": "F64",
}


@dataclass(frozen=True)
class _Storage:
    """Raw numbers in the archive. `dtype` is None for kinds that no network here is made of."""

    key: str
    dtype: str | None
    kind: str


@dataclass(frozen=True)
class TorchArray:
    """An array as the pickle describes it: where it begins in its storage (in numbers), shape, strides."""

    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


def _rebuild_tensor(storage: Any, offset: Any, shape: Any, strides: Any, *_rest: Any) -> TorchArray:
    shape, strides = (tuple(n) if isinstance(n, (list, tuple)) else None for n in (shape, strides))
    if not isinstance(storage, _Storage) or shape is None or strides is None or len(shape) != len(strides):
        raise TypeError("an array without its numbers")
    if len(shape) > 8 or not all(type(n) is int and 0 <= n < 1 << 48 for n in (offset, *shape, *strides)):
        raise ValueError("an array with an impossible shape")
    return TorchArray(storage, offset, shape, strides)


def _ordered_dict(*arguments: Any) -> dict[Any, Any]:
    if arguments:
        raise ValueError("a dict with arguments")
    return {}


def _first(value: Any, *_rest: Any) -> Any:
    return value


# TABLE: what the pickle may ask for, and what is done in its place.
_CALLS: dict[str, Callable[..., Any]] = {
    "torch._utils._rebuild_tensor_v2": _rebuild_tensor,
    "torch._utils._rebuild_parameter": _first,
    "collections.OrderedDict": _ordered_dict,
    "torch.jit._pickle.restore_type_tag": _first,
    **{f"torch.jit._pickle.build_{kind}list": _first for kind in ("int", "double", "bool", "tensor")},
}


def _storage(reference: Any) -> _Storage:
    if not isinstance(reference, tuple) or len(reference) < 3 or reference[0] != "storage":
        raise ValueError("an unknown kind of reference")
    kind, key = getattr(reference[1], "text", ""), reference[2]
    if not isinstance(key, str):
        raise TypeError("an array without a name")
    return _Storage(key, _STORAGES.get(kind), kind)


class TorchArchive:
    """An opened archive. Raises `CheckpointError` for anything that is not one."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = Parts([path])
        self._refuse_huge_directory()
        try:
            with zipfile.ZipFile(path) as archive:
                self._entries = {entry.filename: entry for entry in archive.infolist()}
        except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError, EOFError) as error:
            raise CheckpointError(
                f"{path.name}: refused: it is damaged, or not a file that torch 1.6 or later wrote"
            ) from error
        roots = [
            name[: -len("data.pkl")]
            for name in self._entries
            if name.count("/") == 1 and name.endswith("/data.pkl")
        ]
        if len(roots) != 1:
            raise CheckpointError(
                f"{path.name}: refused: there is no 'data.pkl' in it, so torch did not write it"
            )
        self._root = roots[0]
        if "byteorder" in self.names() and self.text("byteorder") not in ("little", ""):
            raise CheckpointError(
                f"{path.name}: its numbers are stored big end first, which is not supported"
            )

    def names(self) -> list[str]:
        """The files in the archive, without the folder they all lie in."""
        n = len(self._root)
        return [name[n:] for name in self._entries if name.startswith(self._root)]

    def structure(self, *, classes: str | None = None) -> Any:
        """What `data.pkl` describes, with a `TorchArray` for each array. See `read_pickle` for `classes`."""
        what = self.path.name
        data = self.data("data.pkl", MAX_BYTES)
        return read_pickle(data, what, calls=_CALLS, names=("torch.",), classes=classes, persistent=_storage)

    def text(self, name: str, limit: int = 4096) -> str:
        """A small text file of the archive."""
        return self.data(name, limit).decode("utf-8", "replace")

    def data(self, name: str, limit: int) -> bytes:
        """A small file of the archive, unpacked; one that would have more than `limit` bytes is refused."""
        start, entry = self._place(name)
        if max(entry.file_size, entry.compress_size) > limit:
            raise CheckpointError(f"{self.path.name}: {name!r} is larger than {limit} bytes")
        raw = self._file.read(start, entry.compress_size)
        if entry.compress_type == zipfile.ZIP_STORED:
            return raw
        if entry.compress_type != zipfile.ZIP_DEFLATED:
            raise CheckpointError(f"{self.path.name}: {name!r} is packed in an unknown way")
        try:
            return zlib.decompressobj(-zlib.MAX_WBITS).decompress(raw, limit)
        except zlib.error as error:
            raise CheckpointError(f"{self.path.name}: {name!r} is damaged") from error

    def stored(self, name: str, array: TorchArray) -> Stored | None:
        """The array ready to be read; None when it is not made of floats, or claims more numbers than the
        file has (a tiny array stretched to a huge shape).
        """
        dtype = array.storage.dtype
        if dtype is None or f"{self._root}data/{array.storage.key}" not in self._entries:
            return None
        start, entry = self._place(f"data/{array.storage.key}")
        if entry.compress_type != zipfile.ZIP_STORED:
            raise CheckpointError(f"{self.path.name}: {name} is packed; torch stores arrays as they are")
        span = 1 + sum((n - 1) * stride for n, stride in zip(array.shape, array.strides, strict=True))
        count = math.prod(array.shape)
        there = entry.file_size // ITEM_BYTES[dtype]
        if count == 0 or array.offset + span > there or count > there:
            return None

        def read() -> NDArray[np.float32]:
            begin = start + array.offset * ITEM_BYTES[dtype]
            flat = read_float32(self._file.read_into, begin, span, dtype)
            steps = tuple(4 * stride for stride in array.strides)
            return np.ascontiguousarray(np.lib.stride_tricks.as_strided(flat, array.shape, steps))

        return Stored(array.shape, read)

    def _place(self, name: str) -> tuple[int, zipfile.ZipInfo]:
        """Where the bytes of a file in the archive begin, and its entry."""
        entry = self._entries.get(self._root + name)
        if entry is None:
            raise CheckpointError(f"{self.path.name}: there is no {name!r} in it")
        if entry.flag_bits & 1:
            raise CheckpointError(f"{self.path.name}: {name!r} is encrypted")
        at = entry.header_offset
        if not 0 <= at <= self._file.n_bytes - _LOCAL_HEADER:
            raise CheckpointError(f"{self.path.name}: {name!r} lies outside the file")
        header = self._file.read(at, _LOCAL_HEADER)
        start = at + _LOCAL_HEADER + sum(int.from_bytes(header[i : i + 2], "little") for i in (26, 28))
        if header[:4] != b"PK\x03\x04" or start + entry.compress_size > self._file.n_bytes:
            raise CheckpointError(f"{self.path.name}: {name!r} lies outside the file")
        if entry.compress_type == zipfile.ZIP_STORED and entry.compress_size != entry.file_size:
            raise CheckpointError(f"{self.path.name}: {name!r} has two sizes")
        return start, entry

    def _refuse_huge_directory(self) -> None:
        """The list of files is read whole, so its size is looked at first."""
        n = min(self._file.n_bytes, _DIRECTORY_END + 0xFFFF)
        tail = self._file.read(self._file.n_bytes - n, n)
        at = tail.rfind(b"PK\x05\x06")
        if not 0 <= at <= n - _DIRECTORY_END:
            raise CheckpointError(
                f"{self.path.name}: refused: it is damaged, or not a file that torch 1.6 or later wrote"
            )
        count, size = (int.from_bytes(tail[at + i : at + j], "little") for i, j in ((10, 12), (12, 16)))
        at64 = tail.rfind(b"PK\x06\x06")
        if at64 >= 0 and n - at64 >= 56:
            count, size = (int.from_bytes(tail[at64 + i : at64 + i + 8], "little") for i in (32, 40))
        elif count == 0xFFFF or size == 0xFFFFFFFF:
            count = size = 1 << 62
        if count > _MAX_ENTRIES or size > _MAX_DIRECTORY_BYTES:
            raise CheckpointError(f"{self.path.name}: refused: it claims to hold {count} files")
