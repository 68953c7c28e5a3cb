"""Notes that were asked for one by one (by an exact rhythm, or by a remix) and are not in the result.

Limits go before wishes: where `sounding_limit` leaves no voice free, an asked note is left out. That is told.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from midigpt_nb.inference.control_values import positions_of
from midigpt_nb.inference.controls import control_of, limit_of

if TYPE_CHECKING:
    from midigpt_nb.inference.piece import Cell, Piece
    from midigpt_nb.inference.request import GenerationRequest, TrackPrompt

__all__ = ["missing_onsets"]


def missing_onsets(
    request: GenerationRequest, before: Piece, after: Piece, cells: Iterable[Cell]
) -> Iterator[str]:
    """A sentence per written bar that lacks asked notes. `before`: the piece that a remix started from."""
    prompts = {prompt.id: prompt for prompt in request.tracks}
    for track, bar in sorted(cells):
        prompt = prompts.get(track)
        if prompt is None:
            continue
        name, asked = _asked(prompt, before, bar)
        missing = asked - Counter(onset for _, onset in after.onsets((track, bar)))
        if missing:
            voices = limit_of(request, prompt, bar, "sounding_limit")
            why = f"sounding_limit {voices} left no voice free" if voices else "they did not fit"
            ticks = ", ".join(map(str, sorted(missing)))
            yield (
                f"track {track}, bar {bar}: of the {asked.total()} notes that {name} asks for, "
                f"{missing.total()} could not be written, at tick {ticks}: {why}"
            )


def _asked(prompt: TrackPrompt, before: Piece, bar: int) -> tuple[str, Counter[int]]:
    """The control that says where notes begin, and how many of them at each grid tick of the bar."""
    rhythm, remix = control_of(prompt, bar, "rhythm_mask"), control_of(prompt, bar, "remix")
    if rhythm and "positions" in rhythm:
        ticks = before.bar_ticks((prompt.id, bar))
        return "rhythm_mask", Counter({pos: n for pos, n in positions_of(rhythm) if pos < ticks})
    if remix:
        return "remix", Counter(onset for _, onset in before.onsets((prompt.id, bar)))
    return "", Counter()
