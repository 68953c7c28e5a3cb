"""One request at work: plan it, run the steps, tell what happens."""

from __future__ import annotations

import threading
import time
import warnings
from collections import deque
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from midigpt_nb.errors import (
    ContextOverflow,
    GenerationCancelled,
    GenerationError,
    Problem,
    RequestValidationError,
)
from midigpt_nb.inference import context_fit
from midigpt_nb.inference.config import AUTO
from midigpt_nb.inference.events import Event, Finished, StepFinished, StepStarted
from midigpt_nb.inference.masking import resolve_mask_mode
from midigpt_nb.inference.piece import Cell, Piece
from midigpt_nb.inference.planning import Targets, chosen_targets, make_plan, summary
from midigpt_nb.inference.prompt import Prompt, PromptWriter, StepPlan, Wishes
from midigpt_nb.inference.report import AttributeReport, attribute_report
from midigpt_nb.inference.rng import resolve_seed
from midigpt_nb.inference.step import Outcome, StepRunner, attribute_tokens, bar_tokens
from midigpt_nb.inference.validation import bar_attribute_name, validate_request

if TYPE_CHECKING:
    from midigpt_nb.inference.engine import InferenceEngine
    from midigpt_nb.inference.request import GenerationRequest
    from midigpt_nb.score.model import Score

__all__ = ["SamplingSession"]


@dataclass
class _Progress:
    """What a run has achieved so far."""

    piece: Piece
    written: list[Cell] = field(default_factory=list)
    sampled_tracks: dict[int, dict[str, int]] = field(default_factory=dict)  # written by the model itself
    announced_tracks: dict[int, dict[str, int]] = field(default_factory=dict)
    announced_bars: dict[Cell, dict[str, int]] = field(default_factory=dict)
    windows: dict[int, dict[int, set[int]]] = field(default_factory=dict)  # see `_note_window`
    tokens: int = 0
    steps: int = 0
    truncated: bool = False
    cancelled: bool = False


class SamplingSession:
    """A validated request on a score. `run()` gives the result, `stream()` also tells how it comes about.

    May be run again; the same seed gives the same result. One thread at a time; `cancel_event` may be set
    from any.
    """

    def __init__(self, engine: InferenceEngine, score: Score, request: GenerationRequest) -> None:
        config = engine.tokenizer.config
        self._engine, self._score = engine, score
        self.request = validate_request(request, score, config, engine.attributes)
        self._config = self.request.config
        self.resolved_seed = resolve_seed(self._config.seed)
        self.cancel_event: Any = threading.Event()
        self._mode = resolve_mask_mode(self._config.mask_mode, bool(config.supports_mask_bar_token))
        self._targets = chosen_targets(self.request, self.resolved_seed)
        self._wishes = _wishes(self.request, engine)
        windows = self._windows(score.table.n_bars(0))
        self._piece = engine.piece(score.table, min_bars=windows[0])
        self._tracks, self._masked = self._roles()
        self._hides_later = self._config.later_targets == "hide"
        self._fit = self._fitted(windows)
        self.plan = self._plan(self._targets, self._fit.window)
        self._refuse_unknown_metres(self.plan)
        self._progress = _Progress(self._piece)
        if self._config.temperature_escalation > 3:
            warnings.warn("temperature_escalation is held at 3", UserWarning, stacklevel=3)

    # --- facts ------------------------------------------------------------------------------------

    @property
    def generated_bars(self) -> dict[int, list[int]]:
        """Track id -> bars that are (to be) written."""
        return {track: list(bars) for track, (bars, _) in sorted(self._targets.items())}

    @property
    def dropped_context(self) -> list[int]:
        """Tracks the model does not see because they do not fit."""
        return sorted(self._fit.dropped)

    @property
    def gen_count(self) -> int:
        """Tokens written by the last run, all steps and attempts together."""
        return self._progress.tokens

    @property
    def truncated(self) -> bool:
        """Whether bars were left as they were because the model's context was full."""
        return self._progress.truncated

    def plan_summary(self) -> list[dict[str, Any]]:
        """The steps as plain data: window, autoregressive, bars per track id (as text)."""
        return summary(self.plan)

    def report(self) -> list[AttributeReport]:
        """Requested, announced and realised attributes of everything written by the last run."""
        p = self._progress
        return attribute_report(
            p.piece,
            self._engine.attributes,
            p.written,
            self._wishes,
            p.announced_tracks,
            p.announced_bars,
            p.windows,
        )

    def __enter__(self) -> SamplingSession:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def __repr__(self) -> str:
        bars = sum(len(b) for b in self.generated_bars.values())
        return f"SamplingSession({bars} bars in {len(self.plan)} steps, seed {self.resolved_seed})"

    # --- running ----------------------------------------------------------------------------------

    def run(self) -> Score:
        """Write the bars and return the score: the input with only the asked bars replaced.

        Raises `GenerationCancelled` or a `GenerationError`, both with `.partial` (all finished bars).
        """
        event = _last(self.stream())
        if event.status == "cancelled":
            raise GenerationCancelled(partial=event.score, gen_count=event.tokens)
        if event.error is not None:
            raise event.error
        return event.score

    def stream(self) -> Iterator[Event]:
        """Events as they happen; the last one is always `Finished`. Cancelling and failing do not raise
        here.
        """
        self._refuse_to_only_plan()
        return self._stream(self.resolved_seed)

    def run_variations(self) -> list[dict[str, Any]]:
        """`num_candidates` results with seeds `resolved_seed + i`: score, seed, gen_count, error, truncated.

        Raises `GenerationCancelled`; its `.partial` is the list so far.
        """
        self._refuse_to_only_plan()
        results: list[dict[str, Any]] = []
        for i in range(self._config.num_candidates):
            seed = self.resolved_seed + i
            event = _last(self._stream(seed))
            ok = event.status == "done"
            results.append(
                {
                    "score": event.score if ok else None,
                    "seed": seed,
                    "gen_count": event.tokens,
                    "error": None if event.error is None else str(event.error),
                    "truncated": self.truncated,
                }
            )
            if event.status == "cancelled":
                raise GenerationCancelled(partial=results, gen_count=sum(r["gen_count"] for r in results))
        return results

    def _refuse_to_only_plan(self) -> None:
        if self._config.plan_only:
            message = "this request is only to be planned"
            problem = Problem("config.plan_only", True, message, "False", "use plan_summary()")
            raise RequestValidationError([problem])

    def _stream(self, seed: int) -> Generator[Event, None, None]:
        began = time.perf_counter()
        progress = self._progress = _Progress(self._piece)
        status: Literal["done", "cancelled", "failed"] = "done"
        error: GenerationError | None = None
        try:
            yield from self._run(seed, progress)
            if progress.cancelled:
                status = "cancelled"
        except GenerationError as failure:
            status, error = "failed", failure
            failure.partial = self._score_of(progress)
        except Exception as failure:  # the model broke: say so, and keep what was finished
            kind = type(failure).__name__
            status = "failed"
            error = GenerationError(f"the model failed ({kind}: {failure})", partial=self._score_of(progress))
            error.__cause__ = failure
        seconds = time.perf_counter() - began
        yield Finished(status, self._score_of(progress), error, seconds, progress.tokens)

    def _run(self, seed: int, progress: _Progress) -> Generator[Event, None, None]:
        """All steps; with a narrower window again for what did not fit."""
        runner = self._runner(seed, progress)
        writer = PromptWriter(
            self._engine.tokenizer.vocab,
            self._engine.symbols,
            self._engine.attributes,
            self._mode,
            self._wishes,
            self._config,
        )
        narrower = [w for w in self._windows(self._piece.n_bars) if w < self._fit.window]
        plan = self.plan
        while plan:
            done = yield from self._run_plan(plan, runner, writer, progress, last=not narrower)
            if done:
                return
            plan = self._plan(_without(self._targets, progress.written), narrower.pop(0))

    def _run_plan(
        self,
        plan: list[StepPlan],
        runner: StepRunner,
        writer: PromptWriter,
        progress: _Progress,
        *,
        last: bool,
    ) -> Generator[Event, None, bool]:
        """The steps of one plan. False: a step did not fit, and a narrower window may help."""
        later = {cell for step in plan for cell in step.cells}
        for i, step in enumerate(plan):
            later.difference_update(step.cells)
            hidden = step.inside(self._tracks, self._masked, later if self._hides_later else ())
            number = progress.steps
            prompt, tracks = self._prompt(step, number, writer, progress, hidden, last=last)
            if prompt is None:
                return False
            targets = {t: sorted(b) for t, b in sorted(step.targets.items())}
            n_steps = number + len(plan) - i
            yield StepStarted(
                number,
                n_steps,
                (step.start, min(step.end, self._piece.n_bars)),
                targets,
                prompt.context_tracks,
            )
            outcome = yield from runner.run(number, step, progress.piece, prompt, [*step.cells, *later])
            self._keep(outcome, progress)
            _note_window(progress, step, tracks, hidden)
            if outcome.cancelled:
                progress.cancelled = True
                return True
            yield StepFinished(number, outcome.attempt.number, self._score_of(progress))
            progress.steps += 1
            if not outcome.attempt.complete:
                if not last:
                    return False
                progress.truncated = True
        return True

    def _prompt(
        self,
        step: StepPlan,
        number: int,
        writer: PromptWriter,
        progress: _Progress,
        hidden: set[Cell],
        *,
        last: bool,
    ) -> tuple[Prompt | None, list[int]]:
        """A step's prompt and the tracks in it; no prompt when it does not fit and a narrower window may
        help.

        With the narrowest window, context tracks are left out until there is room for the answer, too.
        Raises `ContextOverflow` when none is left that may be, and not even the prompt fits.
        """
        limit = self._engine.limits.max_context
        answer = self._config.budget_margin * self._counts.answer(step, hidden)
        tracks = self._visible(step, progress.piece, hidden)
        spare: list[int] | None = None
        while True:
            prompt = writer.write(step, progress.piece, tracks, hidden, progress.sampled_tracks)
            fits = prompt.length + 2 <= limit
            if not last:
                return (prompt if fits else None), tracks
            if prompt.length + answer < limit:
                return prompt, tracks
            if spare is None:
                spare = context_fit.drop_order(
                    progress.piece, self._counts, self._config, step.targets, tracks
                )
            if not spare and fits:
                return prompt, tracks
            if not spare:
                hint = "" if self._config.context == "auto" else "set context='auto', "
                raise ContextOverflow(
                    f"the prompt of step {number} has {prompt.length} tokens, the model holds {limit}; "
                    f"{hint}ignore some tracks or hide some bars",
                    tokens=prompt.length,
                    limit=limit,
                    step=number,
                )
            tracks = [t for t in tracks if t != spare[0]]
            spare = spare[1:]

    def _keep(self, outcome: Outcome, progress: _Progress) -> None:
        """Take over the finished bars of a step and what was announced for them."""
        symbols = self._engine.symbols
        progress.piece = outcome.piece
        progress.written += outcome.cells
        for track, values in outcome.prompt.announced_tracks.items():
            progress.announced_tracks.setdefault(track, {}).update(values)
        said = attribute_tokens(outcome.attempt, symbols.track_type_names)
        if said and outcome.attempt.blocks:
            track = outcome.attempt.blocks[0].track
            progress.sampled_tracks.setdefault(track, {}).update(said)
            progress.announced_tracks.setdefault(track, {}).update(said)
        for block in outcome.attempt.blocks:
            cell = (block.track, block.bar)
            values = outcome.prompt.announced_bars.get(cell, {}) | bar_tokens(block, symbols.bar_type_names)
            if values and block.finished:
                progress.announced_bars[cell] = values

    def _runner(self, seed: int, progress: _Progress) -> StepRunner:
        cancelled: Callable[[], bool] = lambda: self.cancel_event.is_set()  # noqa: E731 - the event may be replaced

        def count(n: int) -> None:
            progress.tokens += n

        return StepRunner(
            self._engine.backend,
            self._engine.symbols,
            self._config,
            seed,
            0,
            self._engine.end_tokens,
            cancelled,
            count,
            _bar_lengths(self._score),
        )

    def _score_of(self, progress: _Progress) -> Score:
        return self._score.with_table(progress.piece.table) if progress.written else self._score

    # --- planning ---------------------------------------------------------------------------------

    def _windows(self, n_bars: int) -> list[int]:
        """Window widths to try, widest first. A piece is padded to the first of them: to a width that was
        asked for, or to the narrowest when the piece is shorter than that.
        """
        known = sorted((int(n) for n in self._engine.tokenizer.config.num_bars_map), reverse=True)
        asked = self._config.model_dim
        limit = n_bars if asked == AUTO else asked
        return [w for w in known if w <= limit] or [known[-1]]

    def _roles(self) -> tuple[list[int], set[Cell]]:
        """Tracks that may be shown, and cells that never are: asked for, marked in the score, or padding."""
        piece = self._piece
        ignored = {p.id for p in self.request.tracks if p.ignore}
        tracks = [t for t in range(piece.grid.n_tracks) if t not in ignored]
        masked: set[Cell] = {(p.id, b) for p in self.request.tracks for b in p.mask_bars}
        for track in tracks:
            first, last = piece.grid.bar_rows(track)
            flags = piece.grid.bars[first:last, 3]
            masked |= {(track, b) for b in range(last - first) if flags[b] & 1 or b >= piece.n_bars}
        return tracks, masked

    def _fitted(self, windows: list[int]) -> context_fit.Fit:
        piece, engine = self._piece, self._engine
        counts = self._counts = context_fit.TokenCounts.of(
            piece, engine.tokenizer.vocab, engine.symbols, windows[-1]
        )
        situation = context_fit.Situation(
            counts=counts,
            config=self._config,
            targets=self._targets,
            tracks=self._tracks,
            masked=self._masked,
            order=context_fit.drop_order(piece, counts, self._config, self._targets, self._tracks),
            limit=engine.limits.max_context,
            n_bars=piece.n_bars,
        )
        return context_fit.fit(situation, windows)

    def _plan(self, targets: Targets, window: int) -> list[StepPlan]:
        return make_plan(
            max(self._piece.n_bars, window),
            targets,
            self._config,
            window=window,
            bars_per_step=self._fit.bars_per_step,
            tracks_per_step=self._fit.tracks_per_step,
            seed=self.resolved_seed,
        )

    def _visible(self, step: StepPlan, piece: Piece, hidden: set[Cell]) -> list[int]:
        """Tracks in a step's prompt: written ones, and context that is not left out and has something to
        show.
        """

        def speaks(track: int) -> bool:
            bars = range(step.start, step.end)
            return self._config.context == "all" or any(
                piece.n_notes((track, b)) for b in bars if (track, b) not in hidden
            )

        dropped = set(self._fit.dropped)
        return [t for t in self._tracks if t in step.targets or (t not in dropped and speaks(t))]

    def _refuse_unknown_metres(self, plan: list[StepPlan]) -> None:
        """A metre that no known one equals is a problem only where a window uses it."""
        if not self._piece.unknown:
            return
        used = {
            (t, b)
            for step in plan
            for t, b in self._piece.unknown
            if step.start <= b < step.end and t in self._tracks and t not in self._fit.dropped
        }
        if not used:
            return
        table = self._score.table
        known = ", ".join("{}/{}".format(*m) for m in self._engine.limits.time_signatures)
        problems = []
        for track, bar in sorted(used):
            first, _ = table.bar_rows(track)
            metre = "{}/{}".format(*(int(v) for v in table.bars[first + bar, 1:3]))
            hint = "choose bars farther away or a smaller model_dim"
            problems.append(
                Problem(
                    f"score.tracks[{track}].bars[{bar}]",
                    metre,
                    "the model does not know this metre",
                    known,
                    hint,
                )
            )
        raise RequestValidationError(problems)


def _bar_lengths(score: Score) -> list[int] | None:
    """How long each bar really is, in the score's ticks, where a metre change in the source file cuts bars
    short.
    """
    source = score.source
    if source is None or score.n_tracks == 0:
        return None
    nominal = np.diff(score.bar_starts)
    starts = np.asarray(source.file.bar_starts, dtype=np.int64)
    n = min(len(nominal), len(starts) - 1)
    real = np.diff(starts[: n + 1]) * score.resolution // source.file.ticks_per_quarter
    if (real >= nominal[:n]).all():
        return None
    return [*np.minimum(real, nominal[:n]).tolist(), *nominal[n:].tolist()]


def _last(events: Iterator[Event]) -> Finished:
    """Let a run go to its end."""
    event = deque(events, maxlen=1).pop()
    assert isinstance(event, Finished)
    return event


def _note_window(progress: _Progress, step: StepPlan, tracks: list[int], hidden: set[Cell]) -> None:
    """Remember what the model saw or wrote beside each track it wrote in a step."""
    bars = range(step.start, step.end)
    for written in step.targets:
        window = progress.windows.setdefault(written, {})
        for track in tracks:
            mine = step.targets.get(track, ())
            window.setdefault(track, set()).update(
                bar for bar in bars if bar in mine or (track, bar) not in hidden
            )


def _wishes(request: GenerationRequest, engine: InferenceEngine) -> Wishes:
    """Requested values under the model's own attribute names."""
    tracks = {p.id: dict(p.attributes) for p in request.tracks if p.attributes and not p.ignore}
    bars: dict[Cell, dict[str, int]] = {}
    for prompt in request.tracks:
        for bar, values in prompt.bar_attributes.items():
            named = {bar_attribute_name(engine.attributes, n): v for n, v in values.items()}
            bars[prompt.id, bar] = {n: v for n, v in named.items() if n is not None}
    return Wishes(tracks, bars)


def _without(targets: Targets, written: list[Cell]) -> Targets:
    done = set(written)
    rest = {t: ([b for b in bars if (t, b) not in done], ar) for t, (bars, ar) in targets.items()}
    return {t: (bars, ar) for t, (bars, ar) in rest.items() if bars}
