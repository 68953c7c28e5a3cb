"""Is what was written worth keeping? Two checks, on the model's grid, so that the score's own resolution
plays no part.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

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


def judge(
    before: Piece,
    after: Piece,
    cells: Sequence[Cell],
    config: InferenceConfig,
    may_be_empty: Callable[[Cell], bool] = lambda cell: False,
) -> dict[str, str]:
    """Reasons to reject, each with what was found: ``{"novelty": "..."}``; an empty dict accepts.

    Silence is no reason where all of the bars may be empty.
    """
    reasons = {}
    silent = not any(after.n_notes(cell) for cell in cells)
    rest = silent and all(map(may_be_empty, cells))
    if config.silence_check and silent and not rest:
        reasons["silence"] = "no note was written"
    if config.novelty_check and not rest:
        alike = similarity(before, after, cells)
        if alike >= config.novelty_threshold:
            limit = "" if config.novelty_threshold == 1 else f" (limit {config.novelty_threshold:.0%})"
            reasons["novelty"] = f"{alike:.0%} of the notes are those that stood there before{limit}"
    return reasons
