"""One request at work: run it, listen to it, ask it how it went."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import AsyncIterator, Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import TYPE_CHECKING, Any, Literal

from midigpt_nb.attributes.tables import counted
from midigpt_nb.errors import GenerationCancelled, Place, Problem, RequestValidationError
from midigpt_nb.inference.adherence import BEST_OF, repair, retold
from midigpt_nb.inference.background import Flag, in_background
from midigpt_nb.inference.events import AttemptRejected, BarFinished, Event, Finished
from midigpt_nb.inference.interrupt import ctrl_c
from midigpt_nb.inference.limits import CallLimits
from midigpt_nb.inference.piece import Cell
from midigpt_nb.inference.plain import is_whole, plain
from midigpt_nb.inference.planning import Planner, summary
from midigpt_nb.inference.record import make_record
from midigpt_nb.inference.report import Report
from midigpt_nb.inference.rng import resolve_seed
from midigpt_nb.inference.run import Progress, TakeRun, drive
from midigpt_nb.inference.sampler import DecodeLoop
from midigpt_nb.inference.scoring import score_tokens
from midigpt_nb.inference.sinks import Sinks, prompt_state
from midigpt_nb.inference.takes import Take, Takes
from midigpt_nb.inference.token_log import TokenLog, TokenLogger
from midigpt_nb.inference.validation import validate_request

if TYPE_CHECKING:
    from midigpt_nb.inference.engine import InferenceEngine
    from midigpt_nb.inference.prompt import Prompt
    from midigpt_nb.inference.request import GenerationRequest
    from midigpt_nb.inference.uncertainty import Uncertainty
    from midigpt_nb.score.model import Score

__all__ = ["SamplingSession", "SessionProgress", "TokenLog", "TokenLogger"]

OnFailure = Literal["raise", "partial"]


@dataclass(frozen=True)
class SessionProgress:
    """How far a run is. `seconds_left` is an estimate, None before the first bar is finished."""

    bars: int
    n_bars: int
    tokens: int
    seconds: float
    seconds_left: float | None


class _Call:
    """One call of `run`, `stream` or `takes`: its limits, its decode loop, its takes."""

    def __init__(self, session: SamplingSession, cancelled: Callable[[], bool]) -> None:
        engine = session.engine
        self.limits = CallLimits.of(session.request.config, cancelled)
        content = engine.symbols.content
        self.loop = DecodeLoop(engine.backend, engine.prompt_cache, content, self.limits.stop)
        self.loop.patient = session.patient
        self.runs: list[TakeRun] = []
        self.heard: set[tuple[int, int, int]] = set()  # finished bars: (take, track, bar)

    def hear(self, event: Event) -> None:
        """Keep count of finished bars."""
        if isinstance(event, BarFinished):
            self.heard.add((event.take, event.track, event.bar))
        elif isinstance(event, AttemptRejected):
            self.heard.difference_update((event.take, *cell) for cell in event.cells)


class SamplingSession:
    """A validated request on a score. `run()` gives the result, `stream()` also tells how it comes about,
    `takes(n)` gives several results to choose from.

    May be run again; the same seed gives the same result. One call at a time; `cancel_event` may be set from
    any thread. Nothing it does changes the engine, the score or the request.

    Callers may set: `cancel_event` (anything with `is_set()`), `token_logger`, `enable_profiling`,
    `watch_uncertainty` (then `uncertainty` tells how sure the model was of each note), and the callbacks of
    `sinks.py`: `note_sink`, `progress_sink`, `prompt_state_sink`. With `patient` set, `stream` and
    `stream_takes` also yield None, every few hundredths of a second, for programs with a single thread that
    have other things to do, too.
    """

    def __init__(
        self,
        engine: InferenceEngine,
        score: Score,
        request: GenerationRequest,
        *,
        choice_seed: int | None = None,
    ) -> None:
        self.engine, self.score = engine, score
        self.request = validate_request(request, score, engine.tokenizer.config, engine.attributes)
        self._config = self.request.config
        self.resolved_seed = resolve_seed(self._config.seed)
        self._choice_seed = self.resolved_seed if choice_seed is None else choice_seed
        self._planner = Planner(engine, score, self.request, self._choice_seed)
        self.cancel_event: Any = threading.Event()
        self.token_logger: TokenLog | None = None
        self.enable_profiling = False
        self.watch_uncertainty = False
        self.patient = False
        self.note_sink: Callable[[list[dict[str, int]]], Any] | None = None
        self.progress_sink: Callable[[], Any] | None = None
        self.prompt_state_sink: Callable[[dict[str, Any]], Any] | None = None
        self._call = _Call(self, lambda: False)
        self._main: TakeRun | None = None
        self._result: Score | None = None
        self.status = ""

    # --- facts ------------------------------------------------------------------------------------

    @property
    def plan(self) -> list[Any]:
        """The steps."""
        return self._planner.plan

    @property
    def generated_bars(self) -> dict[int, list[int]]:
        """Track id -> bars that are (to be) written."""
        return {track: list(bars) for track, (bars, _) in sorted(self._planner.targets.items())}

    @property
    def dropped_context(self) -> list[int]:
        """Tracks the model does not see because they do not fit."""
        return list(self._planner.dropped)

    def plan_summary(self) -> list[dict[str, Any]]:
        """The steps as plain data: window, autoregressive, bars per track id (as text)."""
        return summary(self.plan)

    @property
    def partial(self) -> Score:
        """The score with every bar that the last run has finished so far, however it ended or goes on. While
        it goes on, a bar counts when its step does: with `bars_per_step=1` one by one.
        """
        return self.score if self._main is None else self._main.score

    def report(self) -> Report:
        """Requested, announced and realised attributes of what the last run (its best take) wrote."""
        return Report() if self._main is None else self._main.report()

    @property
    def uncertainty(self) -> Uncertainty | None:
        """How sure the model was of each note that the last run (its best take) wrote; None unless
        `watch_uncertainty` was set before.
        """
        doubts = None if self._main is None else self._main.doubts
        return None if doubts is None else doubts.uncertainty

    def progress(self) -> SessionProgress:
        """How far the running call is, in bars (all takes together), with the time it may still take."""
        call, n_takes = self._call, max(1, len(self._call.runs))
        n_bars = n_takes * sum(len(bars) for bars in self.generated_bars.values())
        done, seconds = min(len(call.heard), n_bars), call.limits.seconds
        left = seconds / done * (n_bars - done) if done else None
        return SessionProgress(done, n_bars, call.limits.tokens, seconds, left)

    def __enter__(self) -> SamplingSession:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def __repr__(self) -> str:
        bars, steps = sum(len(b) for b in self.generated_bars.values()), len(self.plan)
        facts = [f"{counted(bars, 'bar')} in {counted(steps, 'step')}, seed {self.resolved_seed}"]
        if self.dropped_context:
            facts.append(f"{counted(len(self.dropped_context), 'track')} left out: too much for the model")
        if self.status:
            facts.append(self.status)
        return f"SamplingSession({', '.join(facts)})"

    # --- one result -------------------------------------------------------------------------------

    def run(self, on_failure: OnFailure = "raise") -> Score:
        """Write the bars and return the score: the input with only the asked bars replaced.

        Raises `GenerationCancelled`, or a `GenerationError` (`BudgetSpent` when `max_tokens` or `max_seconds`
        ended it), with `.partial` (all finished bars) and `.status`. With ``on_failure="partial"`` the
        partial score is returned instead, `status` says how it ended, and a step that fails does not keep the
        others from being written. Cancelling always raises, and so does Ctrl-C: `KeyboardInterrupt`, also
        with `.partial`.
        """
        keep_going = _keeps_going(on_failure)
        event = self._drained(lambda call: self._story(call, keep_going=keep_going), lambda: self.partial)
        assert isinstance(event, Finished)
        return self._outcome(event, keep_going)

    def stream(self) -> Iterator[Event]:
        """Events as they happen; the last one is always `Finished`. Cancelling and failing do not raise
        here.
        """
        self._refuse_to_only_plan()
        return self._story(self._begin())

    async def arun(self, on_failure: OnFailure = "raise") -> Score:
        """`run` for asyncio programs: the event loop stays free, and cancelling the task stops the work."""
        keep_going = _keeps_going(on_failure)
        self._refuse_to_only_plan()
        last: Event | None = None
        async for event in self._in_background(lambda call: self._story(call, keep_going=keep_going)):
            last = event
        assert isinstance(last, Finished)
        return self._outcome(last, keep_going)

    def astream(self) -> AsyncIterator[Event]:
        """`stream` for asyncio programs: ``async for event in session.astream()``. Leaving the loop early
        stops the work.
        """
        self._refuse_to_only_plan()
        return self._in_background(self._story)

    def _outcome(self, event: Finished, keep_going: bool) -> Score:
        if event.status == "cancelled":
            raise GenerationCancelled(partial=event.score, gen_count=event.tokens)
        if event.error is not None and not keep_going:
            raise event.error
        return event.score

    # --- several results --------------------------------------------------------------------------

    def takes(self, n: int = 8) -> Takes:
        """`n` versions, best first (see `Takes`); take i has the seed `resolved_seed + i` and is the same
        however many are written beside it (the setting `adherence` plays no part here). Takes that failed
        are in the list, with their status.

        Raises `GenerationCancelled` (and Ctrl-C `KeyboardInterrupt`), its `.partial` being the takes so far,
        and the error of the first take when none of them finished a bar.
        """
        self._refuse_too_few(n)
        self._drained(lambda call: self._takes(call, n), self.last_takes)
        return self._checked()

    def stream_takes(self, n: int = 8) -> Iterator[Event]:
        """The events of `n` takes as they come, interleaved, each with its `take`; `Finished` ends each
        take. Afterwards `last_takes()` has the results.
        """
        self._refuse_too_few(n)
        self._refuse_to_only_plan()
        return self._takes(self._begin(), n)

    def last_takes(self) -> Takes:
        """The takes of the last call of `takes`, `stream_takes` or `run_variations`, best first."""
        return Takes.ranked(Take.of(run) for run in self._call.runs)

    def run_variations(self) -> list[dict[str, Any]]:
        """`num_candidates` results with seeds `resolved_seed + i`, in that order: score (None when it
        failed), seed, gen_count, error, truncated.

        Raises `GenerationCancelled`; its `.partial` is the list so far.
        """
        self._drained(lambda call: self._takes(call, self._config.num_candidates), self._begun)
        if any(take.status == "cancelled" for take in self.last_takes()):
            raise GenerationCancelled(partial=self._begun(), gen_count=self.gen_count)
        return self._begun()

    def _begun(self) -> list[dict[str, Any]]:
        """The takes that wrote something or ended by themselves, as `run_variations` gives them."""
        takes = sorted(self.last_takes(), key=lambda take: take.number)
        return [_as_dict(take) for take in takes if take.gen_count or take.status != "cancelled"]

    def _refuse_too_few(self, n: int) -> None:
        if not is_whole(plain(n)):
            raise RequestValidationError(
                [Problem(Place("n"), n, "is no number of takes", "a whole number >= 1")]
            )
        if n < 1:
            raise RequestValidationError([Problem(Place("n"), n, "is too few", ">= 1")])

    def _takes(self, call: _Call, n: int) -> Iterator[Any]:
        runs = call.runs = [self._take_run(call, i, keep_going=False) for i in range(n)]
        self._main = runs[0]
        works = [(run.take, _ended(run)) for run in runs]
        yield from self._listened(call, drive(works, call.loop))
        if call.loop.patient:
            yield None
        self._settle(runs[self.last_takes().best.number])

    def _checked(self) -> Takes:
        takes = self.last_takes()
        if any(take.status == "cancelled" for take in takes):
            raise GenerationCancelled(partial=takes, gen_count=self.gen_count)
        first = min(takes, key=lambda take: take.number)
        if first.error is not None and not any(take.cells for take in takes):
            raise first.error
        return takes

    # --- doing it -----------------------------------------------------------------------------------

    def _refuse_to_only_plan(self) -> None:
        if self._config.plan_only:
            message = "this request is only to be planned"
            problem = Problem(
                Place("config").field("plan_only"), True, message, "False", "use plan_summary()"
            )
            raise RequestValidationError([problem])

    def _begin(self, flag: Flag | None = None) -> _Call:
        # The event is looked up each time: it may be replaced.
        cancelled = (lambda: self.cancel_event.is_set()) if flag is None else flag.is_set
        call = self._call = _Call(self, cancelled)
        self._main, self._result, self.status = None, None, ""  # "running" once somebody listens
        return call

    def _drained(self, story: Callable[[_Call], Iterator[Event]], partial: Callable[[], Any]) -> Event:
        """Let a story go to its end; its last event. Ctrl-C ends it as `cancel_event` does, then raises."""
        self._refuse_to_only_plan()
        flag = Flag(lambda: self.cancel_event.is_set())
        with ctrl_c(flag.set) as pressed:
            last = deque(story(self._begin(flag)), maxlen=1).pop()
        if pressed():
            stop = KeyboardInterrupt("stopped; `.partial` and `session.partial` hold what was finished")
            stop.partial, stop.status = partial(), "cancelled"  # type: ignore[attr-defined]
            raise stop
        return last

    def _in_background(self, story: Callable[[_Call], Iterator[Event]]) -> AsyncIterator[Event]:
        flag = Flag(lambda: self.cancel_event.is_set())
        call = self._begin(flag)
        return in_background(lambda: story(call), flag.set)

    def _take_run(self, call: _Call, take: int, *, keep_going: bool) -> TakeRun:
        return TakeRun(
            self.engine,
            self.score,
            self._planner,
            call.loop,
            call.limits,
            seed=self.resolved_seed + take,
            take=take,
            keep_going=keep_going,
            log=self.token_logger,
            doubts=self.watch_uncertainty,
        )

    def _story(self, call: _Call, *, keep_going: bool = False) -> Iterator[Event]:
        """One consistent story of one result: with `adherence` on, the first of several takes is told, and
        taken back if another one is better.
        """
        n = 1 if self._config.adherence == "off" else BEST_OF
        runs = call.runs = [self._take_run(call, i, keep_going=keep_going) for i in range(n)]
        self._main = runs[0]
        return self._listened(call, self._told(call, runs))

    def _told(self, call: _Call, runs: list[TakeRun]) -> Generator[Any, None, None]:
        told: set[Cell] = set()
        works = [(run.take, run.work()) for run in runs]
        # With a budget one take is finished before the others begin: better one than eight beginnings.
        alone = 1 if self._config.max_tokens or self._config.max_seconds else 0
        for event in chain(drive(works[:alone], call.loop), drive(works[alone:], call.loop)):
            if event is None:
                yield event
            elif event.take == 0:
                if isinstance(event, BarFinished):
                    told.add((event.track, event.bar))
                yield event
        best = runs[0]
        if len(runs) > 1:
            best = runs[Takes.ranked(Take.of(run) for run in runs).best.number]
        call.runs = [best]
        if best is not runs[0]:
            number = max(0, best.progress.steps - 1)
            if told:
                yield AttemptRejected(number, 0, ("adherence",), tuple(sorted(told)))
            yield from retold(best, sorted(best.progress.written), number)
        if self._config.adherence == "strict" and best.status == "done":
            yield from drive([(0, repair(best))], call.loop)
            if call.loop.stopped == "cancelled":
                best.status = "cancelled"
            elif call.loop.failure is not None:
                best.broke(call.loop.failure)
        self._settle(best)
        yield replace(best.finished(), tokens=call.limits.tokens, take=0)

    def _settle(self, run: TakeRun) -> None:
        self._main, self.status, self._result = run, run.status, run.score

    def _listened(self, call: _Call, events: Generator[Any, None, None]) -> Iterator[Any]:
        """The events, with everybody told who listens otherwise."""
        sinks = None
        if self.note_sink or self.progress_sink or self.prompt_state_sink:
            sinks = Sinks(
                self.score.resolution,
                notes=self.note_sink,
                progress=self.progress_sink,
                prompt_state=self.prompt_state_sink,
            )
            call.limits.on_tokens = sinks.count
        if self._call is call:
            self.status = "running"
        try:
            for event in events:
                call.hear(event)
                if sinks is not None and event is not None and event.take == 0:
                    sinks.hear(event, self._first_picture)
                yield event
        finally:
            events.close()  # who listens may go away in the middle: what is finished is kept
            call.loop.release()
            if self._call is call and self.status == "running":  # whoever listened went away
                self.status = "cancelled"

    def _first_picture(self) -> dict[str, Any]:
        planner = self._planner
        step, hidden, _ = next(planner.situations(planner.plan))
        return prompt_state(step, planner.tracks, hidden, skips=planner.mode.skips)

    # --- what became of it --------------------------------------------------------------------------

    def record(self, take: Take | None = None) -> dict[str, Any]:
        """What is needed to make the last result (or a take) again, as plain data: see `replay`."""
        if take is not None:
            request = self.request.copy()
            request.config.adherence = "off"
            seed, status = take.seed, str(take.status)
        else:
            request, seed, status = self.request, self.resolved_seed, self.status
        return make_record(
            self.engine,
            self.score,
            request,
            seed=seed,
            choice_seed=self._choice_seed,
            result=self._result if take is None else take.score,
            status=status,
        )

    def score_from_tokens(
        self, ids: Sequence[int], step_idx: int = 0, use_velocity: int = -1
    ) -> dict[str, Any]:
        """How likely the model finds `ids` as the answer to step `step_idx`, under the prompt that `run()`
        uses: ``log_probs``, ``total_logp``, ``n_tokens``, ``per_type`` (see `score_tokens`).

        The prompt of a later step is that of the last run, or, before any run, the one over the piece as it
        is. No such step or no ids: an empty result. `use_velocity` (0 or 1) asks as if the request's
        `velocity` control were that.
        """
        session = self
        wanted = {0: False, 1: True}.get(use_velocity)
        if wanted is not None and self.request.controls.get("velocity") is not wanted:
            request = self.request.copy()
            request.controls["velocity"] = wanted
            session = SamplingSession(self.engine, self.score, request, choice_seed=self._choice_seed)
        return score_tokens(self.engine, session.prompt(step_idx) if len(ids) else None, ids)

    def prompt(self, step: int = 0) -> Prompt | None:
        """The prompt of a step: the last run's, else the one over the piece as it is; None when there is no
        such step.
        """
        if self._main is not None and step in self._main.progress.prompts:
            return self._main.progress.prompts[step]
        if not 0 <= step < len(self.plan):
            return None
        planner, blank = self._planner, Progress(self._planner.piece)
        situations = list(planner.situations(planner.plan))
        plan, hidden, _ = situations[step]
        return planner.prompt(plan, step, blank.piece, hidden, blank.said, last=True)

    # --- names of the reference ---------------------------------------------------------------------

    @property
    def _now(self) -> Progress:
        return self._main.progress if self._main is not None else Progress(self._planner.piece)

    @property
    def gen_count(self) -> int:
        """Tokens written by the last call, all takes, steps and attempts together."""
        return self._call.limits.tokens

    @property
    def truncated(self) -> bool:
        """Whether bars were left as they were because the model's context was full."""
        return self._now.truncated

    @property
    def attempt(self) -> int:
        """Number of the current attempt, from 1."""
        return self._now.attempt + 1

    def window_tokens(self) -> int:
        """Prompt and written tokens of the current step."""
        return self._now.window_tokens

    def peak_window_tokens(self) -> int:
        """The most tokens a step of this run had."""
        return self._now.peak_window

    @property
    def peak_window(self) -> int:
        """The same as `peak_window_tokens()`."""
        return self._now.peak_window

    @property
    def context_len(self) -> int:
        """Tokens of the current step's prompt."""
        return self._now.context_len

    @property
    def step_gen_start(self) -> int:
        """Where the written tokens of the current step begin."""
        return self._now.context_len

    @property
    def max_context_len(self) -> int:
        """Tokens of the longest prompt of this run."""
        return self._now.max_context_len

    @property
    def encode_time(self) -> float:
        """Seconds spent on prompts; 0 unless `enable_profiling`."""
        return self._now.encode_seconds if self.enable_profiling else 0.0

    @property
    def model_forward_time(self) -> float:
        """Seconds spent in the model; 0 unless `enable_profiling`."""
        return self._call.loop.model_seconds if self.enable_profiling else 0.0

    @property
    def decode_time(self) -> float:
        """Seconds spent on turning tokens into notes; 0 unless `enable_profiling`."""
        return self._now.decode_seconds if self.enable_profiling else 0.0


def _keeps_going(on_failure: str) -> bool:
    if on_failure not in ("raise", "partial"):
        raise RequestValidationError(
            [Problem(Place("on_failure"), on_failure, "there is no such choice", "'raise', 'partial'")]
        )
    return on_failure == "partial"


def _ended(run: TakeRun) -> Iterator[Event | None]:
    """A take's work, and its last event."""
    yield from run.work()
    yield run.finished()


def _as_dict(take: Take) -> dict[str, Any]:
    ok = take.status == "done"
    return {
        "score": take.score if ok else None,
        "seed": take.seed,
        "gen_count": take.gen_count,
        "error": None if take.error is None else str(take.error),
        "truncated": take.truncated,
    }
