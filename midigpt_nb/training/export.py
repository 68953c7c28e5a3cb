"""Writing a trained network as a ``.safetensors`` file of format version 2.

The file format is simple enough to be written by hand, so no package beyond torch is needed where the
training ran.
"""

from __future__ import annotations

import json
import struct
from pathlib import Path

import torch

from .checkpoint import PART_BYTES, load_checkpoint
from .model import ModelConfig, Transformer
from .vocabulary import encoder_config

_TYPES = {torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16"}


def release_tensors(model: Transformer, dtype: torch.dtype = torch.float16) -> dict[str, torch.Tensor]:
    """The tensors under their released names; the maps of the blocks turned input-major."""
    tensors = {}
    for name, value in model.state_dict().items():
        if value.ndim == 2 and name.startswith("h."):
            value = value.t()
        full = name if name.startswith("lm_head") else f"transformer.{name}"
        tensors[full] = value.detach().to("cpu", dtype).contiguous()
    return tensors


def write_safetensors(tensors: dict[str, torch.Tensor], metadata: dict[str, str], path: Path) -> None:
    """Write the tensors and string metadata to ``path``, through a temporary name."""
    header: dict[str, object] = {"__metadata__": metadata}
    blobs, position = [], 0
    for name, tensor in tensors.items():
        blob = tensor.view(torch.uint8).numpy().tobytes()
        header[name] = {
            "dtype": _TYPES[tensor.dtype],
            "shape": list(tensor.shape),
            "data_offsets": [position, position + len(blob)],
        }
        blobs.append(blob)
        position += len(blob)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(path.name + ".new")
    with temporary.open("wb") as stream:
        stream.write(struct.pack("<Q", len(text)) + text)
        stream.writelines(blobs)
    temporary.replace(path)


def export_model(
    model: Transformer, path: Path, dtype: torch.dtype = torch.float16, notes: dict[str, str] | None = None
) -> list[Path]:
    """Write ``model`` to ``path``; a file over 16 MiB is cut into ``path.000``, ``path.001``, … instead.

    ``notes`` are extra metadata strings (loaders ignore unknown keys). Returns the files written.
    """
    metadata = {
        "format_version": "2",
        "arch": "gpt2",
        "config": json.dumps(model.config.as_dict()),
        "encoder_config": json.dumps(encoder_config()),
        **(notes or {}),
    }
    write_safetensors(release_tensors(model, dtype), metadata, path)
    data = path.read_bytes()
    if len(data) <= PART_BYTES:
        return [path]
    parts = []
    for number, begin in enumerate(range(0, len(data), PART_BYTES)):
        part = path.with_name(f"{path.name}.{number:03d}")
        part.write_bytes(data[begin : begin + PART_BYTES])
        parts.append(part)
    path.unlink()
    return parts


def load_model(folder: Path, name: str = "state") -> tuple[Transformer, dict]:
    """The network of a training checkpoint, in evaluation mode, and the rest of the checkpoint."""
    state = load_checkpoint(folder, name)
    model = Transformer(ModelConfig(**state["config"]), sinusoids=0.0)
    model.load_state_dict(state.pop("model"))
    return model.eval(), state


def export_checkpoint(
    folder: Path, path: Path, dtype: torch.dtype = torch.float16, name: str = "state"
) -> list[Path]:
    """Export a checkpoint of the run in ``folder`` (see :func:`export_model`)."""
    model, state = load_model(folder, name)
    notes = {
        "training_steps": str(state["step"]),
        "training_tokens": str(state["tokens"]),
        "training_minutes": f"{state['seconds'] / 60:.1f}",
    }
    return export_model(model, path, dtype, notes)
