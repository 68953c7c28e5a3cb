"""Checkpoints that survive a kill at any moment and can be cut into parts of limited size."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import torch

PART_BYTES = 16 * 2**20


def save_checkpoint(
    state: dict[str, Any], folder: Path, name: str = "state", part_bytes: int = PART_BYTES
) -> None:
    """Write ``state`` in parts of at most ``part_bytes``, then ``name.parts``, which lists them.

    New parts get new names and the list is replaced last, so a reader sees the old or the new state.
    """
    folder.mkdir(parents=True, exist_ok=True)
    buffer = io.BytesIO()
    torch.save(state, buffer)
    data = buffer.getbuffer()
    index = folder / f"{name}.parts"
    old = index.read_text().split() if index.exists() else []
    turn = "b" if old and old[0].startswith(f"{name}.a") else "a"
    parts = []
    for number, begin in enumerate(range(0, len(data), part_bytes)):
        part = f"{name}.{turn}{number:03d}"
        (folder / part).write_bytes(data[begin : begin + part_bytes])
        parts.append(part)
    temporary = folder / f"{name}.parts.new"
    temporary.write_text("\n".join(parts) + "\n")
    temporary.replace(index)
    for part in old:
        if part not in parts:
            (folder / part).unlink(missing_ok=True)


def load_checkpoint(folder: Path, name: str = "state") -> dict[str, Any]:
    """Read what :func:`save_checkpoint` wrote; tensors land on the CPU."""
    parts = (folder / f"{name}.parts").read_text().split()
    data = b"".join((folder / part).read_bytes() for part in parts)
    return torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)


def has_checkpoint(folder: Path, name: str = "state") -> bool:
    """Whether a finished checkpoint lies in ``folder``."""
    return (folder / f"{name}.parts").exists()
