"""Tiny random checkpoints with the vocabularies of the published models."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from midigpt_nb.inference.checkpoint import GPT2Shape, write_checkpoint
from midigpt_nb.tokenizer import Tokenizer

from .conftest import random_arrays

CONFIGS = Path(__file__).parent.parent / "reference" / "configs"
PUBLISHED = ("yellow", "prism", "expressive", "ghost")


@cache
def published_config(name: str) -> dict[str, Any]:
    """The encoder configuration of a published model, as its file stores it."""
    return json.loads((CONFIGS / f"{name}.json").read_text(encoding="utf-8"))


def published_shape(name: str, *, context: int = 2048, width: int = 32) -> GPT2Shape:
    """A network of two layers and four heads for a published vocabulary."""
    return GPT2Shape(Tokenizer(published_config(name)).vocab.size, context, width, 2, 4)


def published_arrays(name: str, *, seed: int = 0, **sizes: int) -> dict[str, np.ndarray]:
    return random_arrays(published_shape(name, **sizes), seed)


def write_published(path: Path, name: str, *, seed: int = 0, **sizes: int) -> Path:
    """A `.safetensors` file, or a `.pt` bundle when the path says so."""
    shape, config = published_shape(name, **sizes), published_config(name)
    arrays = random_arrays(shape, seed)
    if path.suffix == ".pt":
        import torch

        state = {n: torch.from_numpy(a) for n, a in arrays.items()}
        sizes_ = dict(shape.__dict__)
        torch.save(
            {
                "format_version": 1,
                "arch": None,
                "config": sizes_,
                "encoder_config": config,
                "state_dict": state,
            },
            path,
        )
    else:
        write_checkpoint(path, arrays, shape, config)
    return path
