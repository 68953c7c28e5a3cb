"""Everything that is decided about a request before the first token: what is written, in which steps, and
what the model is shown in each.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from midigpt_nb.errors import ContextOverflow, Place, Problem, RequestValidationError
from midigpt_nb.inference import context_fit
from midigpt_nb.inference.config import AUTO
from midigpt_nb.inference.controls import metre_wishes
from midigpt_nb.inference.growth import grown, metre_of
from midigpt_nb.inference.masking import resolve_mask_mode
from midigpt_nb.inference.piece import Cell, Piece
from midigpt_nb.inference.prompt import Prompt, PromptWriter, Said
from midigpt_nb.inference.steps import (
    StepPlan,
    Targets,
    Wishes,
    chosen_targets,
    hidden_cells,
    make_plan,
    summary,
    without,
)
from midigpt_nb.score.places import cells_in_words

if TYPE_CHECKING:
    from midigpt_nb.inference.engine import InferenceEngine
    from midigpt_nb.inference.request import GenerationRequest
    from midigpt_nb.score.model import Score

__all__ = ["Planner", "Said", "Targets", "chosen_targets", "make_plan", "summary"]


class Planner:
    """The plan of a validated request, and the prompts of its steps. Does not change after construction.

    `names` are those of the score's tracks. `piece` is where every run starts: the score with the bars and
    tracks that the request adds. `plan` are the steps, `targets` the bars they write (track ->
    (bars, autoregressive)), `dropped` the context tracks left out everywhere, `window` the width in bars.
    `bar_lengths`: real lengths of bars that the score's file cuts short, None where it cuts none.

    Raises `RequestValidationError` for a metre that the model does not know where a window needs it.
    """

    def __init__(self, engine: InferenceEngine, score: Score, request: GenerationRequest, seed: int) -> None:
        encoder = engine.tokenizer.config
        self.request, self.config, self.seed = request, request.config, seed
        self.names: Sequence[str] = score.track_names
        self._engine, self._limit = engine, engine.limits.max_context
        self.mode = resolve_mask_mode(self.config.mask_mode, bool(encoder.supports_mask_bar_token))
        self.targets = chosen_targets(request, seed)
        self.wishes = Wishes.of(request, engine.attributes)
        table = score.table
        larger = grown(table, request, metre_wishes(request, engine.limits.time_signatures))
        self._windows = _window_widths(encoder.num_bars_map, self.config.model_dim, larger.n_bars(0))
        self.piece = engine.piece(larger, min_bars=self._windows[0])
        if larger is not table:
            self.piece = replace(self.piece, origin=table)
        self.bar_lengths = _bar_lengths(score)
        self.tracks = self._shown_tracks()
        self._masked = self._never_shown(table.n_bars(0) if table.n_tracks else 0)
        self._counts = self._count()
        self._fit = self._fitted()
        self.window, self.dropped = self._fit.window, sorted(self._fit.dropped)
        self.plan = self._planned(self.targets, self.window)
        self._refuse_unknown_metres()
        self._writer = PromptWriter(
            engine, request, self.mode, self.wishes, seed, self._taking_turns(), self._unheard()
        )

    # --- walking through the plan -----------------------------------------------------------------

    def runs(self, written: Collection[Cell]) -> Iterator[tuple[list[StepPlan], bool]]:
        """Plans to try, each with whether it is the last resort: `plan`, then, for what is not in `written`
        (which may grow in the meantime), narrower windows.
        """
        widths = [self.window, *(w for w in self._windows if w < self.window)]
        for width in widths:
            first = width == self.window
            plan = self.plan if first else self._planned(without(self.targets, written), width)
            if plan:
                yield plan, width == widths[-1]

    def situations(self, plan: Sequence[StepPlan]) -> Iterator[tuple[StepPlan, set[Cell], list[Cell]]]:
        """Each step with the cells that the model must not see, and those still to be written, its own
        included.
        """
        waiting = [cell for step in plan for cell in step.cells]
        n_written = 0
        hides_later = self.config.later_targets == "hide"
        for step, hidden in hidden_cells(plan, self.tracks, self._masked, hides_later=hides_later):
            yield step, hidden, waiting[n_written:]
            n_written += len(step.cells)

    def again(self, track: int, bar: int) -> StepPlan | None:
        """The step that rewrites one bar with everything else as context; None when the model cannot fill
        in.
        """
        if not self._engine.limits.infill:
            return None
        return self._planned({track: ([bar], False)}, self.window)[0]

    def prompt(
        self,
        step: StepPlan,
        number: int,
        piece: Piece,
        hidden: Collection[Cell],
        said: Said,
        *,
        last: bool = True,
    ) -> Prompt | None:
        """A step's prompt; None when it does not fit and a narrower window may help.

        As a last resort context tracks are left out until there is room for the answer, too. Raises
        `ContextOverflow` when none is left that may be, and not even the prompt fits.
        """
        answer = self.config.budget_margin * self._counts.answer(step, hidden)
        tracks = self.visible(step, piece, hidden)
        spare: list[int] | None = None
        while True:
            prompt = self._writer.write(step, piece, tracks, hidden, said)
            fits = prompt.length + 2 <= self._limit
            if not last:
                return prompt if fits else None
            if prompt.length + answer < self._limit:
                return prompt
            if spare is None:
                spare = context_fit.drop_order(piece, self._counts, self.config, step.targets, tracks)
            if not spare and fits:
                return prompt
            if not spare:
                raise self._overflow(prompt.length, number, step)
            tracks = [t for t in tracks if t != spare[0]]
            spare = spare[1:]

    def fullness(self, step: StepPlan, hidden: Collection[Cell], tracks: Collection[int]) -> float:
        """Share of the model's context that a step takes, room for its answer included (an estimate)."""
        answer = self.config.budget_margin * self._counts.answer(step, hidden)
        return (self._counts.prompt(tracks, step, hidden) + answer) / self._limit

    def in_words(self, cells: Iterable[Cell]) -> str:
        """Bars with the names of their tracks, for a message; both count from 0."""
        return cells_in_words(cells, self.names)

    # --- making the plan --------------------------------------------------------------------------

    def _planned(self, targets: Targets, window: int) -> list[StepPlan]:
        return make_plan(
            max(self.piece.n_bars, window),
            targets,
            self.config,
            window=window,
            bars_per_step=self._fit.bars_per_step,
            tracks_per_step=self._fit.tracks_per_step,
            seed=self.seed,
            wishes=self.wishes,
        )

    def _shown_tracks(self) -> list[int]:
        ignored = {p.id for p in self.request.tracks if p.ignore}
        return [t for t in range(self.piece.grid.n_tracks) if t not in ignored]

    def _never_shown(self, n_score_bars: int) -> set[Cell]:
        """Cells asked to be hidden, marked in the score, or not there: padding, and new bars of tracks that
        nobody continues (they are not silent, they are unwritten).
        """
        grid, n_bars = self.piece.grid, self.piece.n_bars
        masked: set[Cell] = {(p.id, b) for p in self.request.tracks for b in p.mask_bars}
        for track in self.tracks:
            first, last = grid.bar_rows(track)
            masked |= {(track, int(b)) for b in np.flatnonzero(grid.bars[first:last, 3] & 1)}
            own = set(self.targets.get(track, ([], False))[0])
            masked |= {(track, b) for b in range(n_score_bars, last - first) if b >= n_bars or b not in own}
        return masked

    def _count(self) -> context_fit.TokenCounts:
        engine, asked = self._engine, self.request.controls
        switches: dict[str, int] = {
            option: 0
            for option, control in (("use_velocity", "velocity"), ("use_microtiming", "microtiming"))
            if asked.get(control) is False
        }
        if "genre" in asked:
            switches["genre"] = 0  # whichever it is, it takes one token
        return context_fit.TokenCounts.of(
            self.piece,
            engine.tokenizer.vocab,
            engine.symbols,
            engine.attributes,
            self.mode,
            self.wishes,
            self._windows[-1],
            **switches,
        )

    def _fitted(self) -> context_fit.Fit:
        order = context_fit.drop_order(self.piece, self._counts, self.config, self.targets, self.tracks)
        situation = context_fit.Situation(
            counts=self._counts,
            config=self.config,
            targets=self.targets,
            tracks=self.tracks,
            masked=self._masked,
            order=order,
            limit=self._limit,
            n_bars=self.piece.n_bars,
        )
        return context_fit.fit(situation, self._windows)

    def _taking_turns(self) -> set[int]:
        """Tracks that stand behind the others in prompts, see `PromptWriter`."""
        continued = {track for track, (_, autoregressive) in self.targets.items() if autoregressive}
        if self.config.track_order == "written_last":
            return set(self.targets)
        return continued if self.config.tracks_per_step > 1 and len(continued) > 1 else set()

    def _unheard(self) -> set[Cell]:
        """Cells that do not count for the key, so that it does not change while they are written."""
        if self.config.track_order == "score":
            return set()
        return {(track, bar) for track, (bars, _) in self.targets.items() for bar in bars}

    def visible(self, step: StepPlan, piece: Piece, hidden: Collection[Cell]) -> list[int]:
        """Tracks in a step's prompt: written ones, and context that is not left out and has something to
        show.
        """

        def speaks(track: int) -> bool:
            bars = range(step.start, step.end)
            return self.config.context == "all" or any(
                piece.n_notes((track, b)) for b in bars if (track, b) not in hidden
            )

        dropped = set(self.dropped)
        return [t for t in self.tracks if t in step.targets or (t not in dropped and speaks(t))]

    # --- what cannot be done ----------------------------------------------------------------------

    def _overflow(self, tokens: int, number: int, step: StepPlan) -> ContextOverflow:
        hint = "" if self.config.context == "auto" else "set context='auto', "
        return ContextOverflow(
            f"the prompt of step {number}, which writes {self.in_words(step.cells)}, has {tokens} tokens, "
            f"the model holds {self._limit}; "
            f"{hint}ignore some tracks or hide some bars",
            tokens=tokens,
            limit=self._limit,
            step=number,
        )

    def _refuse_unknown_metres(self) -> None:
        """A metre that no known one equals is a problem only where a window uses it."""
        shown = set(self.tracks) - set(self.dropped)
        used = {
            (t, b)
            for step in self.plan
            for t, b in self.piece.unknown
            if step.start <= b < step.end and t in shown
        }
        if not used:
            return
        known = ", ".join("{}/{}".format(*m) for m in self._engine.limits.time_signatures)
        hint = "choose bars farther away or a smaller model_dim"
        problems = []
        for track, bar in sorted(used):
            metre = "{}/{}".format(*metre_of(self.piece.table, track, bar))
            place = Place("score").field("tracks").entry(track).field("bars").entry(bar)
            problems.append(Problem(place, metre, "the model does not know this metre", known, hint))
        raise RequestValidationError(problems)


def _window_widths(known: Iterable[int], asked: int, n_bars: int) -> list[int]:
    """Window widths to try, widest first. A piece is padded to the first of them: to a width that was asked
    for, or to the narrowest when the piece is shorter than that.
    """
    widths = sorted((int(n) for n in known), reverse=True)
    limit = n_bars if asked == AUTO else asked
    return [w for w in widths if w <= limit] or [widths[-1]]


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
