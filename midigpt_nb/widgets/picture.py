"""The picture of a score that is the last line of a cell. Needs no widget, no kernel and no pyplot."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from midigpt_nb.score.model import Score

__all__ = ["score_png"]


def score_png(score: Score) -> bytes | None:
    """A roll of the piece as a PNG of at most 30 kB; None for a score without bars."""
    if score.n_bars == 0:
        return None
    from midigpt_nb.plots import roll_png

    return roll_png(score)
