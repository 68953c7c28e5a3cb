"""Model files -> named float32 arrays, an architecture and an encoder configuration.

Three containers are read (`inference/containers/`): `.safetensors`, format version 2, the current one; the
`.pt` bundle; and the folder with a scripted module. In none of them is anything run.

A model is only as big in memory as the network it describes: names, shapes and offsets are all checked before
the first array is read, and arrays are read one at a time.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from midigpt_nb.errors import CheckpointError, CheckpointNotFound
from midigpt_nb.inference.containers.bundle import read_bundle
from midigpt_nb.inference.containers.contents import Contents, Stored
from midigpt_nb.inference.containers.parts import Parts, parts_of
from midigpt_nb.inference.containers.safetensors import WRITTEN_TYPES, read_safetensors, write_safetensors
from midigpt_nb.inference.containers.torchscript import MODULE, read_torchscript
from midigpt_nb.inference.suggest import suggestion_or_names

__all__ = [
    "Arrays",
    "Checkpoint",
    "GPT2Shape",
    "ModelSource",
    "checkpoint_exists",
    "read_checkpoint",
    "save_checkpoint",
    "write_checkpoint",
]

_ARCH = "gpt2"


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
                hint = suggestion_or_names(name, cls.__dataclass_fields__)
                raise CheckpointError(f"the checkpoint's config has an unknown field {name!r:.60}; {hint}")
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise CheckpointError(
                    f"the checkpoint's config says {name} = {value!r:.60}; a whole number above 0 is needed"
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


class Arrays(Mapping[str, NDArray[np.float32]]):
    """The arrays of a file by name. Each is read when it is asked for, so that only what is in use is in
    memory. Raises `CheckpointError` for one that holds NaN or infinity.
    """

    def __init__(self, stored: Mapping[str, Stored], file: str) -> None:
        self._stored, self._file = stored, file

    def __getitem__(self, name: str) -> NDArray[np.float32]:
        array = self._stored[name].read()
        # The sum is not finite when a number is not; it may also overflow, so look again.
        with np.errstate(all="ignore"):
            suspect = not np.isfinite(array.sum())
        if suspect and not np.isfinite(array).all():
            raise CheckpointError(
                f"{self._file}: {name} holds numbers that are not finite; the file is damaged"
            )
        return array

    def __iter__(self) -> Iterator[str]:
        return iter(self._stored)

    def __len__(self) -> int:
        return len(self._stored)


@dataclass(frozen=True)
class ModelSource:
    """Where a model came from: the name it was asked for, the file, and the hub repository and revision."""

    name: str
    path: Path | None = None
    repo: str | None = None
    revision: str | None = None
    stamp: tuple[tuple[int, int], ...] = ()  # size and time of change of the parts when it was loaded

    @classmethod
    def of(
        cls, path: Path, name: str, *, repo: str | None = None, revision: str | None = None
    ) -> ModelSource:
        """The source for a file as it is now."""
        return cls(name, path, repo, revision, _stamp(path))

    @cached_property
    def sha256(self) -> str | None:
        """Checksum of the weights' file as `sha256sum` prints it; None for a model without a file. Read when
        it is first asked for; raises `CheckpointError` when the file has changed since it was loaded.
        """
        if self.path is None:
            return None
        if _stamp(self.path) != self.stamp:
            raise CheckpointError(f"{self.path.name} was changed after the model was loaded")
        return _checksum(self.path)

    def as_dict(self) -> dict[str, str | None]:
        """Facts to store next to a result."""
        return {"name": self.name, "repo": self.repo, "revision": self.revision, "sha256": self.sha256}


@dataclass(frozen=True)
class Checkpoint:
    """A model as found in a file: architecture, sizes, encoder configuration (JSON data), and its arrays,
    which are read one by one as they are asked for.
    """

    arch: str
    shape: GPT2Shape
    encoder_config: dict[str, Any]
    arrays: Mapping[str, NDArray[np.float32]]
    path: Path | None = None


def read_checkpoint(path: str | Path, *, n_head: int | None = None, sha256: str | None = None) -> Checkpoint:
    """Open a `.safetensors` file (format 2), a `.pt` bundle (format 1), or a folder with a scripted module.

    `n_head` is for scripted modules that do not say it. With `sha256` the file is refused unless it has this
    checksum. Raises `CheckpointError` when the file is missing, damaged, of another kind, or does not contain
    the network it describes.
    """
    path = Path(path)
    if sha256 is not None:
        _require_checksum(path, sha256)
    return _assemble(_contents(path, n_head), path)


def _contents(path: Path, n_head: int | None) -> Contents:
    if path.is_dir():
        return read_torchscript(path, n_head)
    if n_head is not None:
        raise CheckpointError(f"n_head is for folders with a scripted model; {path.name!r} says it itself")
    if not parts_of(path):
        raise CheckpointNotFound(f"there is no file {str(path)!r}")
    if not all(part.is_file() for part in parts_of(path)):
        raise CheckpointError(f"{str(path)!r} is not a file")
    if path.suffix == ".safetensors":
        return read_safetensors(path)
    if path.suffix == ".pt":
        return read_bundle(path)
    raise CheckpointError(
        f"{path.name!r} must be a .safetensors file, a .pt file, or a folder with a scripted model"
    )


def checkpoint_exists(path: str | Path) -> bool:
    """Whether the file is there, whole or in parts (`name.000`, `name.001`, ...)."""
    return bool(parts_of(Path(path)))


def _weights_files(path: Path) -> list[Path]:
    return parts_of(path / MODULE if path.is_dir() else path)


def _stamp(path: Path) -> tuple[tuple[int, int], ...]:
    return tuple((s.st_size, s.st_mtime_ns) for s in (part.stat() for part in _weights_files(path)))


def _checksum(path: Path) -> str:
    return Parts(_weights_files(path)).sha256()


def _require_checksum(path: Path, sha256: str) -> None:
    if not _weights_files(path):
        raise CheckpointNotFound(f"there is no file {str(path)!r}")
    got = _checksum(path)
    if got != sha256.lower():
        raise CheckpointError(
            f"{path.name} is another file: its SHA-256 is {got}, asked for was {sha256:.80}"
        )


def _assemble(contents: Contents, path: Path) -> Checkpoint:
    if contents.arch not in (None, _ARCH):
        raise CheckpointError(f"{path.name}: architecture {contents.arch!r:.60} is unknown; known: {_ARCH!r}")
    if not isinstance(contents.config, Mapping):
        raise CheckpointError(f"{path.name}: 'config' must hold the network's sizes")
    if not isinstance(contents.encoder_config, Mapping):
        raise CheckpointError(
            f"{path.name}: there is no encoder configuration, so its tokens have no meaning"
        )
    try:
        shape = GPT2Shape.from_dict(contents.config)
    except CheckpointError as error:
        raise CheckpointError(f"{path.name}: {error}") from None
    # Mask buffers of old exports; they say nothing.
    useless = (".attn.bias", ".attn.masked_bias")
    stored = {name: array for name, array in contents.arrays.items() if not name.endswith(useless)}
    expected = _expected(shape, stored, path.name)
    arrays = Arrays({name: stored[name] for name in expected}, path.name)
    return Checkpoint(_ARCH, shape, dict(contents.encoder_config), arrays, path)


def _expected(shape: GPT2Shape, stored: Mapping[str, Stored], file: str) -> Mapping[str, tuple[int, ...]]:
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


def save_checkpoint(checkpoint: Checkpoint, path: str | Path, *, dtype: str = "float32") -> None:
    """Write a model as `.safetensors`, format version 2: also how a `.pt` bundle or a scripted module is
    converted. `dtype` is "float32", "float16" or "bfloat16". One array is in memory at a time.

    >>> save_checkpoint(read_checkpoint(engine.source.path), "half.safetensors", dtype="float16")
    """
    path = Path(path)
    if dtype not in WRITTEN_TYPES:
        raise CheckpointError(f"dtype {dtype!r} is unknown; allowed: {', '.join(map(repr, WRITTEN_TYPES))}")
    if path.suffix != ".safetensors":
        raise CheckpointError(f"{path.name!r} must end in .safetensors")
    metadata = _metadata(checkpoint.shape, checkpoint.encoder_config)
    shapes = checkpoint.shape.arrays()
    arrays = ((name, checkpoint.arrays[name]) for name in shapes)
    write_safetensors(path, arrays, shapes, metadata, dtype)


def write_checkpoint(
    path: str | Path,
    arrays: Mapping[str, NDArray[np.floating]],
    shape: GPT2Shape,
    encoder_config: Mapping[str, Any],
    *,
    half: bool = False,
) -> None:
    """Write arrays as they are, whether or not they make a network. `half` stores 16-bit floats. Used by
    tests and small tools; `save_checkpoint` is for models.
    """
    shapes = {name: tuple(array.shape) for name, array in arrays.items()}
    metadata = _metadata(shape, encoder_config)
    write_safetensors(Path(path), arrays.items(), shapes, metadata, "float16" if half else "float32")


def _metadata(shape: GPT2Shape, encoder_config: Mapping[str, Any]) -> dict[str, str]:
    return {
        "format_version": "2",
        "arch": _ARCH,
        "config": json.dumps(shape.__dict__),
        "encoder_config": json.dumps(dict(encoder_config)),
    }
