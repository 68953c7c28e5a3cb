"""Is what was written worth keeping? Two checks, on the model's grid, so that the score's own resolution
plays no part.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from midigpt_nb.inference.config import InferenceConfig
from midigpt_nb.inference.piece import Cell, Piece

__all__ = ["judge", "similarity"]


def similarity(before: Piece, after: Piece, cells: Sequence[Cell]) -> float:
    """Share of common (bar, pitch, onset) of two versions of some bars: 0 nothing in common, 1 the same
    (or both empty).
    """
    old = Counter((cell, *note) for cell in cells for note in before.onsets(cell))
    new = Counter((cell, *note) for cell in cells for note in after.onsets(cell))
    union = (old | new).total()
    return (old & new).total() / union if union else 1.0


def judge(before: Piece, after: Piece, cells: Sequence[Cell], config: InferenceConfig) -> list[str]:
    """Reasons to reject: ``"silence"``, ``"novelty"``; an empty list accepts."""
    reasons = []
    if config.silence_check and not any(after.n_notes(cell) for cell in cells):
        reasons.append("silence")
    if config.novelty_check:
        alike = similarity(before, after, cells)
        if alike >= config.novelty_threshold:
            reasons.append("novelty")
    return reasons
