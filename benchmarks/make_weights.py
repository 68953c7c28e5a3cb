"""Write a checkpoint with random weights in one of the published sizes: as slow as the real one, and free.

    python benchmarks/make_weights.py yellow_small small.safetensors

Both packages load such a file. What it writes is noise; give requests a `density_hard_limit`.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np

from midigpt_nb.inference.checkpoint import GPT2Shape, write_checkpoint

CONFIGS = Path(__file__).parent.parent / "tests" / "reference" / "configs"
SIZES = {  # vocabulary, positions, width, layers, heads
    "tiny": GPT2Shape(647, 2048, 32, 2, 4),
    "yellow_small": GPT2Shape(647, 2048, 512, 6, 8),
    "yellow_medium": GPT2Shape(647, 2048, 768, 12, 12),
}


def random_arrays(shape: GPT2Shape, seed: int = 0, scale: float = 0.02) -> dict[str, np.ndarray]:
    """Normally distributed weights as at the start of training; the layer norms do nothing."""
    rng = np.random.default_rng(seed)
    arrays = {}
    for name, size in shape.arrays().items():
        if ".ln_" in name:
            arrays[name] = np.full(size, float(name.endswith("weight")), dtype=np.float32)
        else:
            arrays[name] = scale * rng.standard_normal(size, dtype=np.float32)
    return arrays


def write(size: str, path: Path, *, seed: int = 0, scale: float = 0.02, config: str = "yellow") -> Path:
    """Write the file; `config` names an encoder configuration of `tests/reference/configs`."""
    encoder = json.loads((CONFIGS / f"{config}.json").read_text(encoding="utf-8"))
    write_checkpoint(path, random_arrays(SIZES[size], seed, scale), SIZES[size], encoder)
    return path


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("size", choices=SIZES)
    parser.add_argument("path", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    write(options.size, options.path, seed=options.seed)
    print(f"{options.path}: {options.path.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
