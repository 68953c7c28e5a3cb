"""Files of weights -> named float32 arrays, an architecture and an encoder configuration.

The current container is `.safetensors` with format version 2. It is read here directly (a small JSON header,
then raw arrays): nothing in such a file can run code, and every size is checked before it is used. The older
`.pt` bundle is read with torch's weights-only unpickler, which accepts arrays and plain data and nothing
else.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from midigpt_nb.errors import CheckpointError
from midigpt_nb.inference.suggest import suggestion

__all__ = ["Checkpoint", "GPT2Shape", "checkpoint_exists", "read_checkpoint", "write_checkpoint"]

Arrays = dict[str, NDArray[np.float32]]

_MAX_HEADER_BYTES = 16 << 20
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


def _assemble(arch: Any, config: Any, encoder_config: Any, arrays: Arrays, path: Path) -> Checkpoint:
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
    arrays = {n: a for n, a in arrays.items() if not n.endswith((".attn.bias", ".attn.masked_bias"))}
    expected = shape.arrays()
    missing, extra = sorted(expected.keys() - arrays.keys()), sorted(arrays.keys() - expected.keys())
    if missing or extra:
        raise CheckpointError(f"{path.name}: missing arrays {missing[:4]}, unexpected arrays {extra[:4]}")
    for name, wanted in expected.items():
        if arrays[name].shape != wanted:
            raise CheckpointError(
                f"{path.name}: {name} has shape {arrays[name].shape}, the config says {wanted}"
            )
    return Checkpoint("gpt2", shape, dict(encoder_config), arrays, path)


# --- .safetensors ---------------------------------------------------------------------------------


def _header(raw: bytes, name: str) -> tuple[dict[str, Any], int]:
    """The JSON header and the offset where the arrays begin."""
    size = int.from_bytes(raw[:8], "little") if len(raw) >= 8 else 0
    if not 2 <= size <= min(_MAX_HEADER_BYTES, len(raw) - 8):
        raise CheckpointError(f"{name}: not a safetensors file (its header would be {size} bytes long)")
    try:
        header = json.loads(raw[8 : 8 + size])
    except ValueError as error:
        raise CheckpointError(f"{name}: the header is not JSON: {error}") from error
    if not isinstance(header, dict):
        raise CheckpointError(f"{name}: the header is not a JSON object")
    return header, 8 + size


def _as_float32(data: memoryview, dtype: str) -> NDArray[np.float32]:
    if dtype == "F32":
        return np.frombuffer(data, dtype="<f4").astype(np.float32)
    if dtype == "BF16":  # bfloat16 is the upper half of a float32
        return (np.frombuffer(data, dtype="<u2").astype(np.uint32) << 16).view(np.float32)
    return np.frombuffer(data, dtype={"F16": "<f2", "F64": "<f8"}[dtype]).astype(np.float32)


def _array(data: memoryview, name: str, entry: Any, file: str) -> NDArray[np.float32]:
    try:
        dtype, shape = str(entry["dtype"]), tuple(int(n) for n in entry["shape"])
        start, end = (int(n) for n in entry["data_offsets"])
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"{file}: the entry of {name!r} is malformed") from error
    if dtype not in _ITEM_BYTES:
        raise CheckpointError(f"{file}: {name!r} has type {dtype}; allowed: {', '.join(_ITEM_BYTES)}")
    if min(shape, default=1) < 0 or not 0 <= start <= end <= len(data):
        raise CheckpointError(f"{file}: {name!r} lies outside the file")
    count = 1
    for n in shape:
        count *= n
    if count * _ITEM_BYTES[dtype] != end - start:
        raise CheckpointError(f"{file}: {name!r} of shape {shape} does not fit its {end - start} bytes")
    return _as_float32(data[start:end], dtype).reshape(shape)


def _json_field(metadata: Mapping[str, Any], key: str, file: str) -> Any:
    try:
        return json.loads(metadata.get(key, "null"))
    except (TypeError, ValueError) as error:
        raise CheckpointError(f"{file}: metadata {key!r} is not JSON") from error


def _read_safetensors(path: Path) -> Checkpoint:
    raw = b"".join(part.read_bytes() for part in _parts(path))
    header, offset = _header(raw, path.name)
    metadata = header.pop("__metadata__", None)
    if not isinstance(metadata, dict):
        raise CheckpointError(f"{path.name}: there is no metadata, so this is not a model of this kind")
    if metadata.get("format_version") != "2":
        version = metadata.get("format_version")
        raise CheckpointError(f"{path.name}: format version {version!r} is not supported; allowed: '2'")
    data = memoryview(raw)[offset:]
    arrays = {name: _array(data, name, entry, path.name) for name, entry in header.items()}
    config = _json_field(metadata, "config", path.name)
    return _assemble(
        metadata.get("arch"), config, _json_field(metadata, "encoder_config", path.name), arrays, path
    )


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
    import pickle

    from midigpt_nb.inference.torch_import import torch

    try:
        bundle = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError) as error:
        raise CheckpointError(
            f"{path.name}: refused: it is damaged or holds more than arrays and plain data"
        ) from error
    if not isinstance(bundle, dict) or bundle.get("format_version") != 1:
        raise CheckpointError(f"{path.name}: not a packed bundle of format version 1")
    encoder = bundle.get("encoder_config")
    if isinstance(encoder, str):
        try:
            encoder = json.loads(encoder)
        except ValueError as error:
            raise CheckpointError(f"{path.name}: its encoder configuration is not JSON") from error
    state = bundle.get("state_dict")
    if not isinstance(state, dict):
        raise CheckpointError(f"{path.name}: there is no 'state_dict'")
    arrays = {
        str(n): t.to(torch.float32).contiguous().numpy()
        for n, t in state.items()
        if isinstance(t, torch.Tensor)
    }
    return _assemble(bundle.get("arch"), bundle.get("config"), encoder, arrays, path)
