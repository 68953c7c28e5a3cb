"""One step: attempts until one is accepted. Everything that waits for the model is a generator: it yields
events, and None when it needs another round of the decode loop.
"""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from midigpt_nb.errors import NoAcceptableCandidate
from midigpt_nb.inference.acceptance import judge
from midigpt_nb.inference.config import capped
from midigpt_nb.inference.events import AttemptRejected, Event
from midigpt_nb.inference.notes import Block, NoteParser, NotePlacer, Placed
from midigpt_nb.inference.piece import Cell, Piece
from midigpt_nb.inference.prompt import Prompt, StepPlan
from midigpt_nb.inference.reporter import Reporter
from midigpt_nb.inference.rng import SeedStream
from midigpt_nb.inference.sampler import DecodeLoop, DrawSettings, Row

if TYPE_CHECKING:
    from midigpt_nb.inference.config import InferenceConfig
    from midigpt_nb.inference.symbols import Symbols

__all__ = ["Attempt", "Outcome", "StepRunner", "Work"]

Work = Generator["Event | None", None, Any]
AT_ONCE = 8  # attempts side by side with `batch_attempts`


@dataclass
class Attempt:
    """One attempt at a step: its blocks, and the notes of finished blocks as rows of the score's table."""

    number: int
    blocks: list[Block]
    placed: dict[Cell, list[Placed]]
    track_tokens: dict[str, int]
    tokens: list[int]
    complete: bool = False
    stopped: bool = False
    deadlock: str = ""
    ends: list[tuple[int, float]] = field(default_factory=list)  # see `Row.ends`
    placed_at: dict[Cell, list[int]] = field(default_factory=dict)  # see `Reporter`
    watch: Any = None  # see `Row.watch`

    @property
    def finished(self) -> dict[Cell, list[Placed]]:
        """Notes of the blocks that were written to their end."""
        return {(b.track, b.bar): self.placed.get((b.track, b.bar), []) for b in self.blocks if b.finished}

    @property
    def likelihoods(self) -> dict[Cell, tuple[int, float]]:
        """Tokens of each finished block, and the sum of their log p."""
        starts = [(0, 0.0), *self.ends]
        return {
            (block.track, block.bar): (end - start, log_prob - before)
            for block, (start, before), (end, log_prob) in zip(self.blocks, starts, self.ends, strict=False)
        }


@dataclass
class Outcome:
    """What a step brought: the piece with its finished bars, and the attempt that was kept."""

    piece: Piece
    attempt: Attempt
    prompt: Prompt
    cells: list[Cell] = field(default_factory=list)  # finished

    @property
    def stopped(self) -> bool:
        return self.attempt.stopped


@dataclass
class _Lane:
    """An attempt in progress. Its events wait until all attempts before it were rejected."""

    number: int
    work: Generator[Event | None, None, Attempt]
    events: deque[Event] = field(default_factory=deque)
    attempt: Attempt | None = None

    def advance(self) -> None:
        """Go on until the next round of the loop is needed, or the attempt ends."""
        while self.attempt is None:
            try:
                event = next(self.work)
            except StopIteration as end:
                self.attempt = end.value
                return
            if event is None:
                return
            self.events.append(event)


class StepRunner:
    """Runs the steps of one take. `counter(tokens, window, attempt)` is told about new tokens, `clock` about
    the seconds that turning them into notes took. `in_words(cells)` names bars in messages.
    When `run` is closed before its end, `left` has what was finished by then (None: nothing).

    The same (seed, candidate, step, attempt) gives the same draws whatever runs beside it.
    """

    def __init__(
        self,
        loop: DecodeLoop,
        symbols: Symbols,
        config: InferenceConfig,
        *,
        seed: int,
        candidate: int,
        max_context: int,
        end_tokens: Mapping[bool, int],
        counter: Callable[[int, int, int], None],
        clock: Callable[[float], None],
        bar_lengths: Sequence[int] | None,
        may_be_empty: Callable[[Cell], bool],
        watch: Callable[[], Any] | None,
        in_words: Callable[[Iterable[Cell]], str],
    ) -> None:
        self._loop, self._symbols, self._config = loop, symbols, config
        self._seed, self._candidate = seed, candidate
        self._max_context, self._end_tokens = max_context, end_tokens
        self._count, self._clock = counter, clock
        self._bar_lengths, self._watch, self._may_be_empty = bar_lengths, watch, may_be_empty
        self._in_words = in_words
        self._begun: dict[int, Attempt] = {}
        self.left: Outcome | None = None

    def run(
        self, index: int, step: StepPlan, piece: Piece, prompt: Prompt, open_cells: Sequence[Cell]
    ) -> Generator[Event | None, None, Outcome]:
        """Attempts until one is accepted, in order, however many are written side by side. Raises
        `NoAcceptableCandidate` when `max_attempts` were rejected.

        `open_cells` are all bars of the session that are still to be written; their old notes do not bound
        new ones.
        """
        self.left, self._begun = None, {}
        reasons: Counter[str] = Counter()
        placer = NotePlacer(piece.table, piece.grid.resolution, open_cells, self._bar_lengths)
        most, width = self._config.max_attempts, AT_ONCE if self._config.batch_attempts else 1
        details: dict[str, str] = {}
        last: Attempt | None = None
        first = 0
        while first < most:
            numbers = range(first, min(first + width, most))
            lanes = [_Lane(n, self._attempt(index, n, step, prompt, placer.fork())) for n in numbers]
            try:
                while lanes:
                    for lane in lanes:
                        lane.advance()
                    yield from _told(lanes[0])
                    while lanes and (attempt := lanes[0].attempt) is not None:
                        verdict, outcome = self._judged(attempt, piece, prompt)
                        if outcome is not None:
                            return outcome
                        last = attempt
                        lanes.pop(0)
                        reasons.update(verdict.keys())
                        details.update(verdict)
                        yield AttemptRejected(index, attempt.number, tuple(verdict), tuple(step.cells))
                        if lanes:
                            yield from _told(lanes[0])
                    if lanes:
                        yield None
            except GeneratorExit:  # whoever listened went away
                self.left = self._finished_so_far(lanes, piece, prompt)
                raise
            finally:
                for lane in lanes:
                    lane.work.close()
            first = numbers.stop
        raise NoAcceptableCandidate(
            _explain(index, self._in_words(step.cells), self._config, reasons, details),
            reasons=dict(reasons),
            last=last.blocks if last is not None else None,
        )

    def _finished_so_far(self, lanes: Sequence[_Lane], piece: Piece, prompt: Prompt) -> Outcome | None:
        """What the first attempt that was not rejected has finished."""
        attempt = self._begun.get(lanes[0].number) if lanes else None
        if attempt is None or attempt.deadlock or not attempt.finished:
            return None
        attempt.stopped = not attempt.complete
        return Outcome(piece.written(attempt.finished), attempt, prompt, sorted(attempt.finished))

    def _judged(
        self, attempt: Attempt, piece: Piece, prompt: Prompt
    ) -> tuple[dict[str, str], Outcome | None]:
        """Why an attempt is refused (reason -> in words), or what it brings."""
        if attempt.deadlock:
            return {"deadlock": attempt.deadlock}, None
        finished = attempt.finished
        after = piece.written(finished)
        cells = sorted(finished)
        outcome = Outcome(after, attempt, prompt, cells)
        if attempt.stopped or (not attempt.complete and not cells):
            return {}, outcome
        verdict = judge(piece, after, cells, self._config, self._may_be_empty)
        return verdict, None if verdict else outcome

    def _attempt(
        self, index: int, number: int, step: StepPlan, prompt: Prompt, placer: NotePlacer
    ) -> Generator[Event | None, None, Attempt]:
        """Write the step's bars once."""
        blocks = prompt.fresh_blocks()
        parser = NoteParser(self._symbols, blocks)
        if not step.autoregressive:
            parser.start_block()
        reporter = Reporter(index, number, parser, placer)
        row = self._row(index, number, step, prompt)
        attempt = Attempt(number, blocks, reporter.placed, parser.track_tokens, row.tokens, ends=row.ends)
        self._begun[number] = attempt
        attempt.placed_at, attempt.watch = reporter.placed_at, row.watch
        loop = self._loop
        if not loop.open(prompt.feed, prompt.positions, row):
            attempt.stopped = True
            return attempt
        read = 0
        try:
            while not row.done and not loop.stopped:
                yield None
                if len(row.tokens) > read:
                    self._count(len(row.tokens) - read, prompt.length + len(row.tokens), number)
                    began = time.perf_counter()
                    events = reporter.read(row.tokens[read:], len(row.tokens))
                    self._clock(time.perf_counter() - began)
                    read = len(row.tokens)
                    yield from events
        finally:
            loop.close(row)
        yield from reporter.flush()
        attempt.stopped = not row.done
        attempt.complete = row.complete
        attempt.deadlock = "" if row.deadlock is None else str(row.deadlock)
        return attempt

    def _row(self, index: int, number: int, step: StepPlan, prompt: Prompt) -> Row:
        c = self._config
        temperature = c.temperature * capped(c, "temperature_escalation") ** min(number, 1000)
        matcher = prompt.matcher.fork()
        stream = SeedStream(self._seed, self._candidate, index, number)
        prompt.controls.redraw(matcher, stream)
        return Row(
            matcher=matcher,
            stream=stream,
            settings=DrawSettings(temperature, c.top_k, c.top_p, c.mask_k, c.mask_p),
            end_token=self._end_tokens[step.autoregressive],
            n_ends=len(prompt.blocks),
            budget=self._max_context - prompt.length - 1,
            next_position=prompt.length,
            soft=prompt.controls.soft,
            watch=self._watch() if self._watch is not None else None,
        )


def _told(lane: _Lane) -> Generator[Event, None, None]:
    while lane.events:
        yield lane.events.popleft()


def _choices(config: InferenceConfig, reasons: Iterable[str]) -> str:
    """What a person can do about attempts that were rejected."""
    limit = config.novelty_threshold
    looser = f" or novelty_threshold (now {limit:g})" if limit < 1 else ""  # 1 is the highest there is
    known = {
        "silence": "ask for more density, loosen the limits (notes of the bar before may still ring), "
        "or set silence_check=False",
        "novelty": f"raise the temperature (now {config.temperature:g}){looser}, or set novelty_check=False",
        "deadlock": "loosen the limits that are named",
    }
    more = f"or allow more attempts (max_attempts is {config.max_attempts})"
    return "; ".join([*(known[name] for name in reasons if name in known), more])


def _explain(
    step: int, where: str, config: InferenceConfig, reasons: Mapping[str, int], details: Mapping[str, str]
) -> str:
    """The sentence about a step that was given up."""
    n = config.max_attempts
    tried = f"all {n} attempts" if n > 1 else "the only attempt"
    why = ", ".join(f"{name} {count} time{'' if count == 1 else 's'}" for name, count in reasons.items())
    last = "; ".join(f"{name}: {details[name]}" for name in reasons if details.get(name))
    return (
        f"step {step}: {tried} at {where} {'were' if n > 1 else 'was'} rejected ({why}); {last}; "
        f"{_choices(config, reasons)}"
    )
