"""What a person should hear before a request runs, in plain words: it is possible, but likely not meant."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import TYPE_CHECKING

from midigpt_nb.inference.chord_control import chord_words
from midigpt_nb.inference.piece import Cell

if TYPE_CHECKING:
    from midigpt_nb._core import ScoreTable
    from midigpt_nb.inference.planning import Planner
    from midigpt_nb.inference.steps import StepPlan

__all__ = ["forewarnings"]

NEARLY_FULL = 0.9
"""Share of the model's context from which on a step counts as nearly full."""

Seen = tuple["StepPlan", Collection[Cell], Sequence[int]]


def forewarnings(
    planner: Planner, table: ScoreTable, names: Sequence[str], steps: Sequence[Seen]
) -> Iterator[str]:
    """Sentences about a plan. `names` are those of the tracks, `steps` each step with the cells it hides and
    the tracks it shows.
    """
    yield from _empty_targets(planner, table, names)
    grid = planner.piece.grid
    yield from chord_words(planner.request, {t: bool(grid.tracks[t, 2]) for t in range(grid.n_tracks)})
    if planner.dropped:
        left_out = ", ".join(_name(names, track) for track in planner.dropped)
        yield f"there is too much music for the model to read at once: it will not see {left_out}"
    fullest = max((planner.fullness(*step) for step in steps), default=0.0)
    if fullest >= NEARLY_FULL:
        yield (
            f"the model's context is nearly full ({min(fullest, 1):.0%}): select fewer bars or tracks, "
            "or ignore a track, if bars come out short"
        )


def _empty_targets(planner: Planner, table: ScoreTable, names: Sequence[str]) -> Iterator[str]:
    """Tracks on which nothing stands in the bars to write, and nothing is asked for."""
    wishes = planner.wishes
    for track, (bars, _) in sorted(planner.targets.items()):
        if track >= table.n_tracks or wishes.tracks.get(track):
            continue
        rows = [table.note_rows(track, bar) for bar in bars if bar < table.n_bars(track)]
        asked = any(wishes.bars.get((track, bar)) or wishes.steps.get((track, bar)) for bar in bars)
        if rows and not asked and all(first == last for first, last in rows):
            yield (
                f"{_name(names, track)} is empty in these bars and nothing is asked for: the model tends to "
                "write silence there; draw a density curve"
            )


def _name(names: Sequence[str], track: int) -> str:
    return (names[track] if track < len(names) else "") or f"track {track + 1}"
