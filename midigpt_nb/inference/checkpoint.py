"""Files of weights -> named float32 arrays, an architecture and an encoder configuration.

The current container is `.safetensors` with format version 2. It is read here directly (a small JSON header,
then raw arrays): nothing in such a file can run code. The older `.pt` bundle is read with torch's
weights-only unpickler, which accepts arrays and plain data and nothing else.

A file is only as big in memory as the network it describes: names, shapes and offsets are all checked before
the first array is read.
"""

from __future__ import annotations

import json
import math
from bisect import bisect_right
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from midigpt_nb.errors import CheckpointError
from midigpt_nb.inference.suggest import suggestion

__all__ = ["Checkpoint", "GPT2Shape", "checkpoint_exists", "read_checkpoint", "write_checkpoint"]

Arrays = dict[str, NDArray[np.float32]]

_MAX_HEADER_BYTES = 4 << 20  # a hundred layers need a tenth of that
_ITEM_BYTES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2}


@dataclass(frozen=True)
class GPT2Shape:
    """Sizes of the network: vocabulary, positions, width, layers, heads."""

    vocab_size: int = 647
    n_positions: int = 2048
    n_embd: int = 512
    n_layer: int = 6
    n_head: int = 8

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> GPT2Shape:
        """Sizes from a checkpoint's `config`; fields left out take the defaults, unknown ones are an
        error.
        """
        for name, value in data.items():
            if name not in cls.__dataclass_fields__:
                hint = suggestion(name, cls.__dataclass_fields__)
                raise CheckpointError(f"the checkpoint's config has an unknown field {name!r}; {hint}")
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise CheckpointError(
                    f"the checkpoint's config says {name} = {value!r}; a whole number above 0 is needed"
                )
        shape = cls(**data)
        if shape.n_embd % shape.n_head:
            raise CheckpointError(f"n_embd {shape.n_embd} is not a multiple of n_head {shape.n_head}")
        return shape

    @property
    def n_arrays(self) -> int:
        """How many arrays the network needs."""
        return 5 + self.n_layer * len(self._block(self.n_embd))

    def arrays(self) -> dict[str, tuple[int, ...]]:
        """Name and shape of every array the network needs."""
        d, block = self.n_embd, {}
        for i in range(self.n_layer):
            block.update({f"transformer.h.{i}.{name}": shape for name, shape in self._block(d).items()})
        return {
            "transformer.wte.weight": (self.vocab_size, d),
            "transformer.wpe.weight": (self.n_positions, d),
            **block,
            "transformer.ln_f.weight": (d,),
            "transformer.ln_f.bias": (d,),
            "lm_head.weight": (self.vocab_size, d),
        }

    @staticmethod
    def _block(d: int) -> dict[str, tuple[int, ...]]:
        linear = {
            "attn.c_attn": (d, 3 * d),
            "attn.c_proj": (d, d),
            "mlp.c_fc": (d, 4 * d),
            "mlp.c_proj": (4 * d, d),
        }
        shapes: dict[str, tuple[int, ...]] = {}
        for norm in ("ln_1", "ln_2"):
            shapes[f"{norm}.weight"] = shapes[f"{norm}.bias"] = (d,)
        for name, shape in linear.items():
            shapes[f"{name}.weight"], shapes[f"{name}.bias"] = shape, shape[1:]
        return shapes


@dataclass(frozen=True)
class Checkpoint:
    """A model as read from a file: architecture name, sizes, encoder configuration (JSON data), float32
    arrays.
    """

    arch: str
    shape: GPT2Shape
    encoder_config: dict[str, Any]
    arrays: Arrays
    path: Path | None = None


def read_checkpoint(path: str | Path) -> Checkpoint:
    """Read a `.safetensors` (format 2) or `.pt` (format 1) file.

    Raises `CheckpointError` when the file is missing, damaged, of another kind, or does not contain the
    network it describes.
    """
    path = Path(path)
    if path.is_dir():
        raise CheckpointError(
            f"{str(path)!r} is a folder with a scripted model, which this version does not read; "
            "convert it to .safetensors"
        )
    if not _parts(path):
        raise CheckpointError(f"there is no file {str(path)!r}")
    if not all(part.is_file() for part in _parts(path)):
        raise CheckpointError(f"{str(path)!r} is not a file")
    if path.suffix == ".safetensors":
        return _read_safetensors(path)
    if path.suffix == ".pt":
        return _read_pt(path)
    raise CheckpointError(f"{path.name!r} must be a .safetensors or .pt file")


def checkpoint_exists(path: str | Path) -> bool:
    """Whether the file is there, whole or in parts (`name.000`, `name.001`, ...)."""
    return bool(_parts(Path(path)))


def _parts(path: Path) -> list[Path]:
    """The file, or the parts it was cut into to keep each of them small."""
    if path.exists():
        return [path]
    return sorted(path.parent.glob(f"{path.name}.[0-9][0-9][0-9]")) if path.parent.is_dir() else []


@dataclass(frozen=True)
class _Stored:
    """An array that is still in the file: its shape, and how to get it as float32."""

    shape: tuple[int, ...]
    read: Callable[[], NDArray[np.float32]]


def _assemble(
    arch: Any, config: Any, encoder_config: Any, stored: Mapping[str, _Stored], path: Path
) -> Checkpoint:
    if arch not in (None, "gpt2"):
        raise CheckpointError(f"{path.name}: architecture {arch!r} is unknown; known: 'gpt2'")
    if not isinstance(config, Mapping):
        raise CheckpointError(f"{path.name}: 'config' must hold the network's sizes")
    if not isinstance(encoder_config, Mapping):
        raise CheckpointError(
            f"{path.name}: there is no encoder configuration, so its tokens have no meaning"
        )
    shape = GPT2Shape.from_dict(config)
    # Mask buffers of old exports; they say nothing.
    stored = {n: a for n, a in stored.items() if not n.endswith((".attn.bias", ".attn.masked_bias"))}
    expected = _expected(shape, stored, path.name)
    arrays = {name: _finite(stored[name].read(), name, path.name) for name in expected}
    return Checkpoint("gpt2", shape, dict(encoder_config), arrays, path)


def _expected(shape: GPT2Shape, stored: Mapping[str, _Stored], file: str) -> Mapping[str, tuple[int, ...]]:
    """Name and shape of the arrays to read, after checking that they are the ones in the file."""
    # Listing the arrays of a billion layers would take all memory there is.
    if shape.n_arrays > 2 * len(stored) + 64:
        raise CheckpointError(f"{file}: {len(stored)} arrays cannot be a network of {shape.n_layer} layers")
    expected = shape.arrays()
    missing, extra = sorted(expected.keys() - stored.keys()), sorted(stored.keys() - expected.keys())
    if missing or extra:
        raise CheckpointError(f"{file}: missing arrays {missing[:4]}, unexpected arrays {extra[:4]}")
    for name, wanted in expected.items():
        if stored[name].shape != wanted:
            raise CheckpointError(f"{file}: {name} has shape {stored[name].shape}, the config says {wanted}")
    return expected


def _finite(array: NDArray[np.float32], name: str, file: str) -> NDArray[np.float32]:
    if not np.isfinite(array).all():
        raise CheckpointError(f"{file}: {name} holds numbers that are not finite; the file is damaged")
    return array


# --- .safetensors ---------------------------------------------------------------------------------


def _parse_json(text: str | bytes, what: str) -> Any:
    try:
        return json.loads(text)
    except (TypeError, ValueError, RecursionError) as error:
        raise CheckpointError(f"{what} is not JSON: {error}") from error


def _header(file: _Parts, name: str) -> tuple[dict[str, Any], int]:
    """The JSON header and the offset where the arrays begin."""
    size = int.from_bytes(file.read(0, 8), "little") if file.n_bytes >= 8 else 0
    if not 2 <= size <= min(_MAX_HEADER_BYTES, file.n_bytes - 8):
        raise CheckpointError(f"{name}: not a safetensors file (its header would be {size} bytes long)")
    header = _parse_json(file.read(8, size), f"{name}: the header")
    if not isinstance(header, dict):
        raise CheckpointError(f"{name}: the header is not a JSON object")
    return header, 8 + size


def _as_float32(data: bytes, dtype: str) -> NDArray[np.float32]:
    if dtype == "BF16":  # bfloat16 is the upper half of a float32
        return (np.frombuffer(data, dtype="<u2").astype(np.uint32) << 16).view(np.float32)
    with np.errstate(over="ignore"):  # too large for float32 becomes infinite, which is refused
        return np.frombuffer(data, dtype={"F32": "<f4", "F16": "<f2", "F64": "<f8"}[dtype]).astype(np.float32)


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
    try:
        dtype, shape = str(entry["dtype"]), _whole_numbers(entry["shape"])
        start, end = _whole_numbers(entry["data_offsets"])
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"{file}: the entry of {name!r} is malformed") from error
    if dtype not in _ITEM_BYTES:
        raise CheckpointError(f"{file}: {name!r} has type {dtype}; allowed: {', '.join(_ITEM_BYTES)}")
    if min(shape, default=1) < 0 or not 0 <= start <= end <= n_bytes:
        raise CheckpointError(f"{file}: {name!r} lies outside the file")
    if len(shape) > 8 or math.prod(shape) * _ITEM_BYTES[dtype] != end - start:
        raise CheckpointError(f"{file}: {name!r} of shape {shape[:8]} does not fit its {end - start} bytes")
    return _Entry(name, dtype, shape, start, end)


def _refuse_overlaps(entries: list[_Entry], file: str) -> None:
    ordered = sorted(entries, key=lambda e: (e.start, e.end))
    for before, after in pairwise(ordered):
        if after.start < before.end:
            raise CheckpointError(f"{file}: {after.name!r} and {before.name!r} overlap")


class _Parts:
    """The parts a file was cut into, read as one without joining them in memory."""

    def __init__(self, paths: list[Path]) -> None:
        self._paths = paths
        self._ends = list(accumulate(path.stat().st_size for path in paths))

    @property
    def n_bytes(self) -> int:
        return self._ends[-1]

    def read(self, start: int, n: int) -> bytes:
        """`n` bytes from `start` on."""
        pieces = []
        while n > 0:
            i = bisect_right(self._ends, start)
            with self._paths[i].open("rb") as file:
                file.seek(start - (self._ends[i - 1] if i else 0))
                piece = file.read(min(n, self._ends[i] - start))
            if not piece:
                raise CheckpointError(f"{self._paths[i].name}: the file became shorter while it was read")
            pieces.append(piece)
            start, n = start + len(piece), n - len(piece)
        return b"".join(pieces)


def _read_safetensors(path: Path) -> Checkpoint:
    file = _Parts(_parts(path))
    header, offset = _header(file, path.name)
    metadata = header.pop("__metadata__", None)
    if not isinstance(metadata, dict):
        raise CheckpointError(f"{path.name}: there is no metadata, so this is not a model of this kind")
    if metadata.get("format_version") != "2":
        version = metadata.get("format_version")
        raise CheckpointError(f"{path.name}: format version {version!r} is not supported; allowed: '2'")
    entries = [_entry(n, entry, file.n_bytes - offset, path.name) for n, entry in header.items()]
    _refuse_overlaps(entries, path.name)

    def stored(entry: _Entry) -> _Stored:
        def read() -> NDArray[np.float32]:
            data = file.read(offset + entry.start, entry.end - entry.start)
            return _as_float32(data, entry.dtype).reshape(entry.shape)

        return _Stored(entry.shape, read)

    config, encoder_config = (
        _parse_json(metadata.get(key, "null"), f"{path.name}: metadata {key!r}")
        for key in ("config", "encoder_config")
    )
    arrays = {entry.name: stored(entry) for entry in entries}
    return _assemble(metadata.get("arch"), config, encoder_config, arrays, path)


def write_checkpoint(
    path: str | Path,
    arrays: Mapping[str, NDArray[np.floating]],
    shape: GPT2Shape,
    encoder_config: Mapping[str, Any],
    *,
    half: bool = False,
) -> None:
    """Write format 2. `half` stores 16-bit floats. Used by tests and small tools; training has its own
    export.
    """
    dtype, code = (np.float16, "F16") if half else (np.float32, "F32")
    metadata = {
        "format_version": "2",
        "arch": "gpt2",
        "config": json.dumps(shape.__dict__),
        "encoder_config": json.dumps(dict(encoder_config)),
    }
    header: dict[str, Any] = {"__metadata__": metadata}
    blobs, offset = [], 0
    for name, array in arrays.items():
        blob = np.ascontiguousarray(array, dtype=dtype).tobytes()
        header[name] = {
            "dtype": code,
            "shape": list(array.shape),
            "data_offsets": [offset, offset + len(blob)],
        }
        blobs.append(blob)
        offset += len(blob)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    Path(path).write_bytes(len(text).to_bytes(8, "little") + text + b"".join(blobs))


# --- .pt ------------------------------------------------------------------------------------------


def _read_pt(path: Path) -> Checkpoint:
    from midigpt_nb.inference.torch_import import torch

    try:
        bundle = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged pickle fails in any way it likes
        raise CheckpointError(
            f"{path.name}: refused: it is damaged or holds more than arrays and plain data"
        ) from error
    if not isinstance(bundle, dict) or bundle.get("format_version") != 1:
        raise CheckpointError(f"{path.name}: not a packed bundle of format version 1")
    encoder = bundle.get("encoder_config")
    if isinstance(encoder, str):
        encoder = _parse_json(encoder, f"{path.name}: its encoder configuration")
    state = bundle.get("state_dict")
    if not isinstance(state, dict):
        raise CheckpointError(f"{path.name}: there is no 'state_dict'")

    def stored(tensor: Any) -> _Stored:
        def read() -> NDArray[np.float32]:
            return tensor.detach().to(torch.float32).contiguous().numpy()

        return _Stored(tuple(tensor.shape), read)

    arrays = {str(n): stored(t) for n, t in state.items() if _is_plain(t)}
    return _assemble(bundle.get("arch"), bundle.get("config"), encoder, arrays, path)


def _is_plain(tensor: Any) -> bool:
    """A floating-point tensor whose values are really in the file (not a tiny one repeated to a huge
    shape).
    """
    from midigpt_nb.inference.torch_import import torch

    return (
        isinstance(tensor, torch.Tensor)
        and tensor.layout == torch.strided
        and tensor.is_floating_point()
        and tensor.numel() * tensor.element_size() <= tensor.untyped_storage().nbytes()
    )
