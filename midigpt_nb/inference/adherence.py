"""Wishes that hold: missed bars are written again, alone, and kept only where that helps.

The measure is the mean adherence over all wishes of the take (see `Report`). A bar is missed when one of its
own wishes, or one of its track, is not met. Tries of a bar are written side by side over one prompt.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING

from midigpt_nb.errors import GenerationError, NoAcceptableCandidate
from midigpt_nb.inference.events import AttemptRejected, BarFinished, Event, NotesArrived, StepFinished
from midigpt_nb.inference.run import TakeRun, started

if TYPE_CHECKING:
    from midigpt_nb.inference.piece import Cell
    from midigpt_nb.inference.prompt import Prompt, StepPlan
    from midigpt_nb.inference.step import Outcome

__all__ = ["BEST_OF", "missed_bars", "repair", "retold"]

BEST_OF = 8
"""Takes that `adherence="best"` and `"strict"` choose from."""
TRIES = 4
"""Versions of a missed bar that are written side by side."""


def missed_bars(run: TakeRun) -> list[Cell]:
    """Bars of a take with a wish that was not met, worst first: the bar's own, or its track's."""
    worst: dict[Cell, float] = {}
    for row in run.report().missed:
        for bar in row.bars:
            cell = (row.track, bar)
            worst[cell] = min(worst.get(cell, 1.0), row.adherence or 0.0)
    return sorted(worst, key=lambda cell: (worst[cell], cell))


def repair(run: TakeRun) -> Iterator[Event | None]:
    """Write missed bars again until every wish holds, `max_attempts` tries of each are spent, or the call's
    limits end it. A bar is replaced only when the take as a whole is better for it.
    """
    tries: dict[Cell, int] = {}
    most = run.config.max_attempts
    while not run.loop.stopped:
        missed = [cell for cell in missed_bars(run) if tries.get(cell, 0) < most]
        if not missed:
            return
        # Every bar gets its turn before any gets another one.
        cell = min(missed, key=lambda c: (tries.get(c, 0), missed.index(c)))
        tries[cell] = tries.get(cell, 0) + 1
        step = run.planner.again(*cell)
        if step is None:
            return
        yield from _rewrite(run, cell, step)


def _rewrite(run: TakeRun, cell: Cell, step: StepPlan) -> Iterator[Event | None]:
    """Some tries at one bar; the best of them if it is better than what stands there."""
    p, number = run.progress, run.progress.steps
    for again, hidden, open_cells in run.planner.situations([step]):
        try:
            prompt = run.planner.prompt(again, number, p.piece, hidden, p.said, last=True)
        except GenerationError:
            prompt = None
        if prompt is None:
            return
        run.see(number, prompt)
        yield started(again, number, number + 1, p.piece, prompt)
        outcomes = yield from _tries(run, again, prompt, open_cells, number)
        p.steps += 1
        now = run.report().adherence or 0.0
        better = max(outcomes, key=lambda o: run.adherence_of(o.piece), default=None)
        if better is not None and run.adherence_of(better.piece) > now:
            yield AttemptRejected(number, better.attempt.number, ("adherence",), (cell,))
            run.keep(better, number)
            yield from retold(run, [cell], number)
        yield StepFinished(number, 0, run.score)


def _tries(
    run: TakeRun, step: StepPlan, prompt: Prompt, open_cells: list[Cell], number: int
) -> Generator[None, None, list[Outcome]]:
    """Complete versions of a step, written side by side."""
    works = [
        run.runner_for(1 + i).run(number, step, run.progress.piece, prompt, open_cells) for i in range(TRIES)
    ]
    outcomes: list[Outcome] = []
    while works:
        for work in list(works):
            try:
                while next(work) is not None:
                    pass
            except StopIteration as end:
                works.remove(work)
                if end.value.attempt.complete:
                    outcomes.append(end.value)
            except NoAcceptableCandidate:
                works.remove(work)
        if works:
            yield None
    return outcomes


def retold(run: TakeRun, cells: list[Cell], step: int) -> Iterator[Event]:
    """The notes of finished bars once more, as events: for a listener that heard other ones."""
    table = run.progress.piece.table
    for track, bar in cells:
        first, last = table.note_rows(track, bar)
        rows = table.notes[first:last].tolist()
        notes = tuple((pitch, velocity, onset, duration) for onset, duration, pitch, velocity, _ in rows)
        if notes:
            yield NotesArrived(step, 0, track, bar, notes)
        yield BarFinished(step, 0, track, bar)
