"""One step: prompt, attempts until one is accepted, result. A generator of events; its return value is the
outcome.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from midigpt_nb.errors import GrammarDeadlock, NoAcceptableCandidate
from midigpt_nb.inference.acceptance import judge
from midigpt_nb.inference.events import AttemptRejected, BarFinished, Event, NotesArrived, TokenProgress
from midigpt_nb.inference.notes import Block, NoteParser, NotePlacer, Placed
from midigpt_nb.inference.piece import Cell, Piece
from midigpt_nb.inference.prompt import Prompt, StepPlan
from midigpt_nb.inference.prompt_cache import PromptCache
from midigpt_nb.inference.rng import SeedStream
from midigpt_nb.inference.sampler import DrawSettings, Row, Sampler

if TYPE_CHECKING:
    from midigpt_nb.inference.backends.base import Backend
    from midigpt_nb.inference.config import InferenceConfig
    from midigpt_nb.inference.symbols import Symbols

__all__ = ["Attempt", "Outcome", "StepRunner"]

NOTES_EVERY_S = 0.05
PROGRESS_EVERY_S = 0.25


@dataclass
class Attempt:
    """One attempt at a step: its blocks, and the notes of finished blocks as rows of the score's table."""

    number: int
    blocks: list[Block]
    placed: dict[Cell, list[Placed]]
    track_tokens: dict[str, int]
    tokens: list[int]
    complete: bool
    cancelled: bool = False
    log_prob: float = 0.0

    @property
    def finished(self) -> dict[Cell, list[Placed]]:
        """Notes of the blocks that were written to their end."""
        return {(b.track, b.bar): self.placed.get((b.track, b.bar), []) for b in self.blocks if b.finished}


@dataclass
class Outcome:
    """What a step brought: the piece with its finished bars, and the attempt that was kept."""

    piece: Piece
    attempt: Attempt
    prompt: Prompt
    cells: list[Cell] = field(default_factory=list)  # finished

    @property
    def cancelled(self) -> bool:
        return self.attempt.cancelled


class StepRunner:
    """Runs steps of one session. `counter` is told about every generated token."""

    def __init__(
        self,
        backend: Backend,
        symbols: Symbols,
        config: InferenceConfig,
        seed: int,
        candidate: int,
        end_tokens: Mapping[bool, int],
        cancelled: Callable[[], bool],
        counter: Callable[[int], None],
        bar_lengths: Sequence[int] | None = None,
    ) -> None:
        self._backend, self._symbols, self._config = backend, symbols, config
        self._seed, self._candidate = seed, candidate
        self._end_tokens = end_tokens
        self._cancelled, self._count = cancelled, counter
        self._bar_lengths = bar_lengths
        self._cache = PromptCache(backend)

    def run(
        self, index: int, step: StepPlan, piece: Piece, prompt: Prompt, open_cells: Sequence[Cell]
    ) -> Generator[Event, None, Outcome]:
        """Attempts until one is accepted. Raises `NoAcceptableCandidate` when `max_attempts` were rejected.

        `open_cells` are all bars of the session that are still to be written; their old notes do not bound
        new ones.
        """
        reasons: Counter[str] = Counter()
        placer = NotePlacer(piece.table, piece.grid.resolution, open_cells, self._bar_lengths)
        attempt: Attempt | None = None
        for number in range(self._config.max_attempts):
            try:
                attempt = yield from self._attempt(index, number, step, prompt, placer.fork())
            except GrammarDeadlock:
                reasons["deadlock"] += 1
                yield AttemptRejected(index, number, ("deadlock",), tuple(step.cells))
                continue
            finished = attempt.finished
            after = piece.written(finished)
            cells = sorted(finished)
            if attempt.cancelled or (not attempt.complete and not cells):
                return Outcome(after, attempt, prompt, cells)
            verdict = judge(piece, after, cells, self._config)
            if not verdict:
                return Outcome(after, attempt, prompt, cells)
            reasons.update(verdict)
            yield AttemptRejected(index, number, tuple(verdict), tuple(step.cells))
        raise NoAcceptableCandidate(
            _explain(index, self._config.max_attempts, reasons),
            reasons=dict(reasons),
            last=attempt.blocks if attempt is not None else None,
        )

    def _attempt(
        self, index: int, number: int, step: StepPlan, prompt: Prompt, placer: NotePlacer
    ) -> Generator[Event, None, Attempt]:
        """Write the step's bars once."""
        blocks = prompt.fresh_blocks()
        parser = NoteParser(self._symbols, blocks)
        if not step.autoregressive:
            parser.start_block()
        reporter = _Reporter(index, number, parser, placer)
        attempt = Attempt(number, blocks, reporter.placed, parser.track_tokens, [], complete=False)
        # The prompt's last token is fed together with the question what follows it.
        decoding = self._cache.prepare(prompt.feed[:-1], prompt.positions[:-1], self._cancelled)
        if decoding is None:
            attempt.cancelled = True
            return attempt
        row = Row(
            matcher=prompt.matcher.fork(),
            stream=SeedStream(self._seed, self._candidate, index, number),
            settings=self._draw_settings(number),
            pending=[int(prompt.feed[-1])],
            tokens=attempt.tokens,
        )
        sampler = Sampler(
            decoding,
            [row],
            pending_positions=[int(prompt.positions[-1])],
            first_position=prompt.length,
            budget=self._backend.max_context - prompt.length - 1,
            end_token=self._end_tokens[step.autoregressive],
            n_ends=len(blocks),
            content=self._symbols.content,
        )
        while not sampler.done:
            if self._cancelled():
                attempt.cancelled = True
                break
            before = len(row.tokens)
            sampler.round()
            self._count(len(row.tokens) - before)
            yield from reporter.read(row.tokens[before:], len(row.tokens))
        yield from reporter.flush()
        attempt.complete, attempt.log_prob = row.complete, row.log_prob
        return attempt

    def _draw_settings(self, number: int) -> DrawSettings:
        c = self._config
        temperature = c.temperature * min(c.temperature_escalation, 3.0) ** number
        return DrawSettings(temperature, c.top_k, c.top_p, c.mask_k, c.mask_p)


class _Reporter:
    """Turns tokens into events: notes at least every 50 ms and at the end of a bar, signs of life four
    times a second.
    """

    def __init__(self, step: int, attempt: int, parser: NoteParser, placer: NotePlacer) -> None:
        self._step, self._attempt = step, attempt
        self._parser, self._placer = parser, placer
        self.placed: dict[Cell, list[Placed]] = {}
        self._fresh: list[Placed] = []
        self._cell: Cell | None = None
        self._sent_notes = self._sent_progress = 0.0

    def read(self, tokens: Sequence[int], total: int) -> Generator[Event, None, None]:
        """Events of newly written tokens."""
        parser = self._parser
        for token in tokens:
            before = parser.current
            was_finished = before is not None and before.finished
            note = parser.feed(token)
            block = parser.current
            if block is None:
                continue
            cell = (block.track, block.bar)
            self._cell = cell
            if note is not None and (row := self._placer.place(*cell, note)) is not None:
                self.placed.setdefault(cell, []).append(row)
                self._fresh.append(row)
            if block.finished and not (block is before and was_finished):
                yield from self.flush()
                yield BarFinished(self._step, self._attempt, *cell)
        now = time.perf_counter()
        if self._fresh and now - self._sent_notes >= NOTES_EVERY_S:
            yield from self.flush()
        if now - self._sent_progress >= PROGRESS_EVERY_S:
            self._sent_progress = now
            yield TokenProgress(self._step, self._attempt, total)

    def flush(self) -> Generator[Event, None, None]:
        """Send the notes not sent yet."""
        if self._fresh and self._cell is not None:
            notes = tuple(
                (pitch, velocity, onset, duration) for onset, duration, pitch, velocity, _ in self._fresh
            )
            self._fresh = []
            self._sent_notes = time.perf_counter()
            yield NotesArrived(self._step, self._attempt, *self._cell, notes)


def _explain(step: int, attempts: int, reasons: Mapping[str, int]) -> str:
    why = ", ".join(f"{name} {count} times" for name, count in reasons.items())
    hints = {
        "silence": "ask for more density, or set silence_check=False",
        "novelty": "raise the temperature or novelty_threshold, or set novelty_check=False",
        "deadlock": "loosen the limits",
    }
    advice = "; ".join(hints[name] for name in reasons if name in hints)
    return f"step {step}: all {attempts} attempts were rejected ({why}); {advice}"


def attribute_tokens(attempt: Attempt, names: Mapping[str, str]) -> dict[str, int]:
    """Attribute values a model wrote before the first bar, by attribute name (`names`: name -> token
    type).
    """
    return {name: attempt.track_tokens[kind] for name, kind in names.items() if kind in attempt.track_tokens}


def bar_tokens(block: Any, names: Mapping[str, str]) -> dict[str, int]:
    """Attribute values a model wrote at a bar, by attribute name."""
    return {name: block.tokens[kind] for name, kind in names.items() if kind in block.tokens}
