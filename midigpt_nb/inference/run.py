"""One take at work: the steps of a plan, one after the other, from the piece to its rewritten version.

A take knows nothing of the takes beside it; `drive` lets any number of them share one decode loop.
"""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from midigpt_nb.errors import BudgetSpent, GenerationError
from midigpt_nb.inference.asked_onsets import missing_onsets
from midigpt_nb.inference.chord_control import chord_report
from midigpt_nb.inference.controls import may_be_empty
from midigpt_nb.inference.events import Event, Finished, Status, StepFinished, StepStarted
from midigpt_nb.inference.filters import NotNumbers
from midigpt_nb.inference.piece import Cell, Piece
from midigpt_nb.inference.planning import Said
from midigpt_nb.inference.report import Report, attribute_report
from midigpt_nb.inference.step import Outcome, StepRunner, Work
from midigpt_nb.inference.uncertainty import Doubted, NoteDoubt, doubts_of, watching

if TYPE_CHECKING:
    from midigpt_nb.inference.engine import InferenceEngine
    from midigpt_nb.inference.limits import CallLimits
    from midigpt_nb.inference.planning import Planner
    from midigpt_nb.inference.prompt import Prompt, StepPlan
    from midigpt_nb.inference.sampler import DecodeLoop
    from midigpt_nb.inference.token_log import TokenLog
    from midigpt_nb.score.model import Score

__all__ = ["Progress", "TakeRun", "drive"]

WIDTH = 8
"""Pieces of work (takes) that are done side by side."""


@dataclass
class Progress:
    """What a take has achieved so far."""

    piece: Piece
    said: Said = field(default_factory=Said)
    written: list[Cell] = field(default_factory=list)
    # written track -> {track: bars seen or written with it}
    windows: dict[int, dict[int, set[int]]] = field(default_factory=dict)
    steps: int = 0
    tokens: int = 0  # all attempts
    truncated: bool = False
    # finished bar -> tokens, their log p; see `Attempt`
    likelihoods: dict[Cell, tuple[int, float]] = field(default_factory=dict)
    doubts: dict[Cell, list[NoteDoubt]] = field(default_factory=dict)  # finished bar -> its notes
    failures: list[GenerationError] = field(default_factory=list)
    prompts: dict[int, Prompt] = field(default_factory=dict)  # by step
    kept: dict[int, list[int]] = field(default_factory=dict)  # tokens written, by step
    # Sizes, for those who watch: of the current window, of the largest one, and where its prompt ended.
    window_tokens: int = 0
    peak_window: int = 0
    context_len: int = 0
    max_context_len: int = 0
    attempt: int = 0
    encode_seconds: float = 0.0
    decode_seconds: float = 0.0

    @property
    def log_prob(self) -> float:
        """Log p per token of everything that stands in the result."""
        tokens = sum(n for n, _ in self.likelihoods.values())
        return sum(log_p for _, log_p in self.likelihoods.values()) / max(1, tokens)


class TakeRun:
    """One take of a request: `work()` writes it, `progress` tells how far it is, `status` how it ended.

    With `keep_going` a step that fails leaves its bars as they were and the next one is tried; otherwise the
    first failure ends the take.
    """

    def __init__(
        self,
        engine: InferenceEngine,
        score: Score,
        planner: Planner,
        loop: DecodeLoop,
        limits: CallLimits,
        *,
        seed: int,
        take: int = 0,
        candidate: int = 0,
        keep_going: bool = False,
        log: TokenLog | None = None,
        doubts: bool = False,
    ) -> None:
        self.engine, self.base, self.planner = engine, score, planner
        self.seed, self.take = seed, take
        self.config = planner.config
        self.limits, self.loop = limits, loop
        self._keep_going, self._log, self._doubts = keep_going, log, doubts
        self.progress = Progress(planner.piece)
        self.status: Status = "cancelled"  # until it has ended otherwise
        self.error: GenerationError | None = None
        self.runner = self.runner_for(candidate)

    # --- results ------------------------------------------------------------------------------------

    @property
    def score(self) -> Score:
        """The score with every finished bar."""
        p = self.progress
        return self.base.with_table(p.piece.result(p.written)) if p.written else self.base

    @property
    def missing(self) -> list[Cell]:
        """Bars that were asked for and not written."""
        done = set(self.progress.written)
        asked = ((t, b) for t, (bars, _) in sorted(self.planner.targets.items()) for b in bars)
        return [cell for cell in asked if cell not in done]

    def report(self) -> Report:
        """Requested, announced and realised attributes of everything that was written."""
        p, planner = self.progress, self.planner
        report = self._report(p.piece)
        report.remarks = list(missing_onsets(planner.request, planner.piece, p.piece, p.written))
        return report

    @property
    def doubts(self) -> Doubted | None:
        """What the notes were drawn from; None when nobody watched."""
        if not self._doubts:
            return None
        return Doubted(dict(self.progress.doubts), self.engine.symbols.values)

    def adherence_of(self, piece: Piece) -> float:
        """Adherence with other notes in the written bars; 0 without wishes."""
        return self._report(piece).adherence or 0.0

    def _report(self, piece: Piece) -> Report:
        p, wishes = self.progress, self.planner.wishes
        attributes = self.engine.attributes
        report = attribute_report(piece, attributes, p.written, wishes, p.said.tracks, p.said.bars, p.windows)
        report.chords = chord_report(self.planner.request, piece, p.written)
        return report

    def finished(self) -> Finished:
        """The event that ends this take."""
        seconds = self.limits.seconds
        return Finished(self.status, self.score, self.error, seconds, self.progress.tokens, self.take)

    # --- work ---------------------------------------------------------------------------------------

    def runner_for(self, candidate: int) -> StepRunner:
        """What runs steps with the random numbers of one candidate."""
        engine, log = self.engine, self._log
        return StepRunner(
            self.loop,
            engine.symbols,
            self.config,
            seed=self.seed,
            candidate=candidate,
            max_context=engine.limits.max_context,
            end_tokens=engine.end_tokens,
            counter=self._count,
            clock=self._decoded,
            bar_lengths=self.planner.bar_lengths,
            may_be_empty=lambda cell: may_be_empty(self.planner.request, *cell),
            watch=watching(engine.symbols, log, self._doubts),
            in_words=self.planner.in_words,
        )

    def _decoded(self, seconds: float) -> None:
        self.progress.decode_seconds += seconds

    def _count(self, tokens: int, window: int, attempt: int) -> None:
        p = self.progress
        p.attempt = attempt
        p.tokens += tokens
        self.limits.spend(tokens)
        p.window_tokens = window
        p.peak_window = max(p.peak_window, window)

    def work(self) -> Work:
        """Write everything. Never raises: `status` and `error` say how it ended."""
        try:
            stopped = yield from self._steps()
            if stopped and self.loop.failure is not None:
                raise self.loop.failure
            if stopped and self.loop.stopped == "cancelled":
                return
            if stopped and self.missing:
                raise BudgetSpent(
                    f"{self.limits.used_up()} ended it: {len(self.progress.written)} bars are finished, "
                    f"{len(self.missing)} are as they were: {self.planner.in_words(self.missing)}",
                )
            if self.progress.failures:
                raise self.progress.failures[0]
            self.status = "done"
        except GenerationError as failure:
            self.status = "budget" if isinstance(failure, BudgetSpent) else "failed"
            self.error = failure
        except Exception as failure:
            self.broke(failure)
        if self.error is not None:
            self.error.partial = self.score

    def broke(self, failure: Exception) -> None:
        """The model broke: say so; what was finished is kept."""
        if isinstance(failure, NotNumbers):
            self.error = self.engine.no_numbers()
        else:
            self.error = GenerationError(f"the model failed ({type(failure).__name__}: {failure})")
        self.error.__cause__ = failure
        self.status, self.error.partial = "failed", self.score

    def _steps(self) -> Generator[Event | None, None, bool]:
        """All steps; what did not fit again with a narrower window. True when it was stopped on the way."""
        for plan, last in self.planner.runs(self.progress.written):
            end = yield from self._plan(plan, last=last)
            if end != "narrower":
                return end == "stopped"
        return False

    def _plan(self, plan: Sequence[StepPlan], *, last: bool) -> Generator[Event | None, None, str]:
        """The steps of one plan: "done", "stopped", or "narrower": a step did not fit, and a narrower window
        may help.
        """
        p = self.progress
        before = p.steps
        for step, hidden, open_cells in self.planner.situations(plan):
            try:
                began = time.perf_counter()
                prompt = self.planner.prompt(step, p.steps, p.piece, hidden, p.said, last=last)
                p.encode_seconds += time.perf_counter() - began
                if prompt is None:
                    return "narrower"
                outcome = yield from self.step(self.runner, step, prompt, open_cells, before + len(plan))
            except GenerationError as failure:
                if not self._keep_going:
                    raise
                p.failures.append(failure)
                p.steps += 1
                continue
            if outcome.stopped:
                return "stopped"
            if not outcome.attempt.complete:
                if not last:
                    return "narrower"
                p.truncated = True
        return "done"

    def step(
        self, runner: StepRunner, step: StepPlan, prompt: Prompt, open_cells: Sequence[Cell], n_steps: int
    ) -> Generator[Event | None, None, Outcome]:
        """Run one step and keep what it wrote."""
        p, number = self.progress, self.progress.steps
        self.see(number, prompt)
        if self._log is not None:
            self._log.begin(step, prompt, self.engine.symbols)
        yield started(step, number, n_steps, p.piece, prompt)
        try:
            outcome = yield from runner.run(number, step, p.piece, prompt, open_cells)
        except GeneratorExit:
            if runner.left is not None:
                self.keep(runner.left, number)
            raise
        self.keep(outcome, number)
        if self._log is not None:
            limit = self.engine.limits.max_context
            self._log.end(step, prompt, outcome.attempt.tokens, outcome.attempt.blocks, limit)
        if not outcome.stopped:
            yield StepFinished(number, outcome.attempt.number, self.score)
            p.steps += 1
        return outcome

    def see(self, number: int, prompt: Prompt) -> None:
        """A step begins: remember its prompt."""
        p = self.progress
        p.prompts[number] = prompt
        p.context_len = p.window_tokens = prompt.length
        p.max_context_len = max(p.max_context_len, prompt.length)
        p.peak_window = max(p.peak_window, prompt.length)

    def keep(self, outcome: Outcome, number: int) -> None:
        """Take over the finished bars of a step and what was announced for them."""
        p, attempt = self.progress, outcome.attempt
        p.piece = outcome.piece
        written = set(p.written)
        p.written += [cell for cell in outcome.cells if cell not in written]
        p.attempt = attempt.number
        p.kept[number] = attempt.tokens
        p.likelihoods.update(attempt.likelihoods)
        p.doubts.update(doubts_of(attempt, self.engine.symbols))
        announce(p.said, outcome, self.engine.symbols)
        for track, heard in outcome.prompt.heard.items():
            window = p.windows.setdefault(track, {})
            for other, bars in heard.items():
                window.setdefault(other, set()).update(bars)


def started(step: StepPlan, number: int, n_steps: int, piece: Piece, prompt: Prompt) -> StepStarted:
    """The event that begins a step."""
    targets = {t: sorted(b) for t, b in sorted(step.targets.items())}
    window = (step.start, min(step.end, piece.n_bars))
    return StepStarted(number, n_steps, window, targets, prompt.context_tracks)


def announce(said: Said, outcome: Outcome, symbols: Any) -> None:
    """Remember which attribute values stood in the sequence, in the prompt or written by the model."""
    attempt, prompt = outcome.attempt, outcome.prompt
    for track, values in prompt.announced_tracks.items():
        said.tracks.setdefault(track, {}).update(values)
    kinds, bar_kinds = symbols.track_type_names, symbols.bar_type_names
    own = {name: attempt.track_tokens[kind] for name, kind in kinds.items() if kind in attempt.track_tokens}
    if own and attempt.blocks:
        track = attempt.blocks[0].track
        said.sampled.setdefault(track, {}).update(own)
        said.tracks.setdefault(track, {}).update(own)
    for block in attempt.blocks:
        cell = (block.track, block.bar)
        written = {name: block.tokens[kind] for name, kind in bar_kinds.items() if kind in block.tokens}
        values = prompt.announced_bars.get(cell, {}) | written
        if values and block.finished:
            said.bars[cell] = values


def drive(
    works: Sequence[tuple[int, Iterator[Event | None]]], loop: DecodeLoop
) -> Generator[Any, None, None]:
    """Run several pieces of work over one decode loop, at most `WIDTH` at a time; their events as they come,
    each with its take. Every work goes on until it needs the model, then all of them get one round.

    With a patient loop it also yields None where the program may do something else.
    """
    waiting = list(works)
    active: list[tuple[int, Iterator[Event | None]]] = []
    try:
        while waiting or active:
            while waiting and len(active) < WIDTH:
                active.append(waiting.pop(0))
            for entry in list(active):
                take, work = entry
                while True:
                    try:
                        event = next(work)
                    except StopIteration:
                        active.remove(entry)
                        break
                    if event is None:
                        break
                    yield event if event.take == take else replace(event, take=take)
                if loop.patient:
                    yield None
            if not loop.idle:
                loop.round()
                if loop.patient:
                    yield None
    finally:
        for _, work in active:
            if isinstance(work, Generator):
                work.close()
