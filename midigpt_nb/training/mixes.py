"""What kinds of windows a model is trained and measured on."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TypeVar

import numpy as np

Key = TypeVar("Key")

BAND_SOURCES = ("freedoom", "freedoom_history", "simutrans", "blasphemer", "easyrpg")
SYNTHETIC_SOURCES = ("band_hymns", "band_leadsheets", "band_rulemade")

SOURCE_WEIGHTS = {
    "freedoom": 0.19, "freedoom_history": 0.09, "simutrans": 0.10, "easyrpg": 0.02, "blasphemer": 0.02,
    "openscore_lieder": 0.07, "openscore_quartets": 0.06, "mutopia": 0.05, "groove_drums": 0.05, "openhymnal":
    0.04, "band_leadsheets": 0.13, "band_rulemade": 0.10, "band_hymns": 0.08,
}  # fmt: skip


@dataclass(frozen=True)
class Mix:
    """What kinds of windows are drawn, as shares (they need not sum to 1)."""

    bar_counts: dict[int, float]
    shapes: dict[str, float]
    max_tokens: int = 1024
    max_tracks: int = 16
    max_targets: int = 1000
    infill: float = 0.85
    all_tracks: float = 0.5
    targets_last: float = 0.5
    mask_bars: float = 0.10
    transpose: float = 0.5
    transpose_range: tuple[int, int] = (-5, 6)
    velocity_shift: float = 0.3
    swap_instrument: float = 0.1
    thin: float = 0.25  # of the windows: some targets lose notes, so that the density asked for differs
    sources: dict[str, float] = field(default_factory=lambda: dict(SOURCE_WEIGHTS))

    def without_augmentation(self) -> Mix:
        """The same mix on the notes as they are, for evaluation."""
        return replace(self, transpose=0.0, velocity_shift=0.0, swap_instrument=0.0, thin=0.0)


SHORT_MIX = Mix(
    bar_counts={4: 1.0},
    shapes={"bar": 0.15, "span": 0.2, "scatter": 0.4, "block": 0.25},
    max_tokens=384,
    max_tracks=4,
    max_targets=8,
    mask_bars=0.05,
    targets_last=0.6,
)
LONG_MIX = Mix(
    bar_counts={4: 0.40, 8: 0.36, 12: 0.10, 16: 0.14},
    shapes={"bar": 0.08, "span": 0.12, "track": 0.13, "block": 0.32, "scatter": 0.35},
    max_targets=16,
)
EVALUATION_MIX = replace(LONG_MIX, infill=0.6, mask_bars=0.0, max_targets=1000).without_augmentation()
ONE_BAR_MIX = replace(
    LONG_MIX, bar_counts={4: 0.7, 8: 0.3}, shapes={"bar": 1.0}, infill=1.0, mask_bars=0.0, max_tokens=768
).without_augmentation()


def choose(rng: np.random.Generator, shares: dict[Key, float]) -> Key:
    """A key of ``shares``, drawn with probability proportional to its value."""
    point = rng.random() * sum(shares.values())
    for key, share in shares.items():
        point -= share
        if point < 0:
            return key
    return key
