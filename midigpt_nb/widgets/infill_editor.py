"""`InfillEditor(score)`: the roll with a model behind it. Select bars, generate, stop, undo.

How a generation runs: `generate` queues a `Job` on the engine's worker and returns. The worker iterates the
session's events; each event takes the document's lock, changes traits and sends a message to the page from
the worker's own thread. It does not go through the kernel's event loop, because that stands still while a
cell runs, and ipykernel's message socket may be used from any thread.
"""

from __future__ import annotations

import atexit
import logging
import threading
import time
import uuid
import weakref
from collections.abc import Iterator, Mapping
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any

import traitlets as t

from midigpt_nb.errors import MidiGPTError, brief
from midigpt_nb.widgets.action_log import generate_line
from midigpt_nb.widgets.asked import Asked, check_sampling, check_wishes, suggestion
from midigpt_nb.widgets.capabilities import capabilities
from midigpt_nb.widgets.document import Cell, cell_label, same_bars
from midigpt_nb.widgets.engine_handle import EngineHandle
from midigpt_nb.widgets.failures import UserError, describe, details_of
from midigpt_nb.widgets.job import Job, JobFeed
from midigpt_nb.widgets.lanes import AttributeLanes
from midigpt_nb.widgets.live_file import tell_accepted
from midigpt_nb.widgets.piece_wishes import asked_chords
from midigpt_nb.widgets.requests import request_from_selection
from midigpt_nb.widgets.state import State
from midigpt_nb.widgets.takes import MAX_TAKES, RollTake, UserRequestError
from midigpt_nb.widgets.targets import Roles
from midigpt_nb.widgets.traits import as_cells, by_number, track_names
from midigpt_nb.widgets.worker import Worker, in_notebook

if TYPE_CHECKING:
    from midigpt_nb.inference import GenerationRequest, InferenceEngine
    from midigpt_nb.inference.events import Event
    from midigpt_nb.inference.outlook import Outlook
    from midigpt_nb.inference.session import SamplingSession
    from midigpt_nb.score.model import Score

__all__ = ["InfillEditor", "request_from_selection"]

log = logging.getLogger(__name__)

_editors: weakref.WeakSet[InfillEditor] = weakref.WeakSet()


@atexit.register
def _stop_generating() -> None:
    """A program that ends stops its generations first (workers are then waited for)."""
    for editor in list(_editors):
        try:
            editor.cancel()
        except Exception:  # nobody is there to hear of it
            log.debug("cancelling at exit", exc_info=True)


_PROGRESS_INTERVAL = 0.25
_KEPT_JOBS = 20
_MOST_SEEN = 4000
"""Bars for which a page is told what the model would see."""


class InfillEditor(AttributeLanes):
    """A piano roll in which a model rewrites the selected bars.

    `engine` is an `InferenceEngine`, the name of a model, or None for the bundled one, which is loaded in the
    background, so that the roll appears at once. `selection`, `attributes` and `sampling` are what the
    Generate button uses; `status`, `progress` and `realized` tell what happens. Without torch the roll still
    shows, plays and selects, and says what to install.

    >>> editor = InfillEditor(Score.example())
    >>> editor.select(tracks=1, bars=range(4, 8))
    >>> editor.generate(seed=7).result()
    Score(4 tracks, 16 bars, ...)
    >>> editor.undo()
    True

    `generate(takes=4)` writes several versions side by side and changes nothing yet: they are compared in the
    roll, and `accept` takes one over, or single bars from each.
    """

    events = (
        "score",
        "selection",
        "accepted",
        "step",
        "notes",
        "bar",
        "reject",
        "accept",
        "done",
        "cancelled",
        "error",
    )

    def __init__(
        self,
        score: Score | None = None,
        engine: InferenceEngine | str | None = None,
        *,
        title: str = "",
        **kwargs: Any,
    ) -> None:
        self._jobs: dict[str, Job] = {}
        self._feeds: dict[str, JobFeed] = {}
        self._progress_sent = 0.0
        self._analysis = Worker("midigpt-nb analysis")
        if engine is None or isinstance(engine, str):
            self._handle = EngineHandle.for_name(engine or "pocket", _load)
        elif hasattr(engine, "session"):
            self._handle = EngineHandle.for_engine(engine)
        else:
            raise TypeError(
                f"engine is {brief(engine)}; it must be an InferenceEngine, or the name of a model: 'pocket'"
            )
        self._prepared = self._described = False
        _editors.add(self)
        super().__init__(score, title=title, **kwargs)
        self.caps = {"model": self._handle.name, "window_bars": [], "attributes": []}
        if self._handle.loaded is not None or in_notebook():
            self.prepare()

    # --------------------------------------------------------------------------------------------- engine

    @property
    def engine(self) -> InferenceEngine:
        """The engine; loads it when that has not happened yet (a few seconds)."""
        engine = self._handle.engine()
        self._engine_ready(engine)
        return engine

    def prepare(self) -> None:
        """Load the model in the background and fill `caps`; happens by itself in a notebook."""
        with self._locked():
            if self._prepared:
                return
            self._prepared = True
        if self._handle.loaded is not None:
            self._engine_ready(self._handle.loaded)
        else:
            self._handle.worker.submit(self._load_engine)

    def _load_engine(self) -> None:
        try:
            engine = self._handle.engine()
        except Exception as problem:  # a missing model or extra: the roll goes on without it
            log.debug("the model cannot be loaded", exc_info=True)
            with self._locked():
                code, message, hint = describe(problem)
                self._report(code, message, hint, details=details_of(problem))
                self.caps = {**self.caps, "unavailable": message}
            return
        self._engine_ready(engine)

    def _engine_ready(self, engine: InferenceEngine) -> None:
        with self._locked():
            self._prepared = True
            if self._described:
                return
            self._described = True
            self.caps = capabilities(engine)
        self._measure()

    def _repr_mimebundle_(self, **kwargs: Any) -> tuple[dict[str, Any], dict[str, Any]] | None:
        self.prepare()
        return super()._repr_mimebundle_(**kwargs)

    # ------------------------------------------------------------------------------------------- generate

    def generate(
        self,
        selection: Any = None,
        attributes: Mapping[str, Any] | None = None,
        *,
        takes: int | None = None,
        hold: bool = False,
        chords: Any = None,
        chord_mode: str | None = None,
        piece: Mapping[str, Any] | None = None,
        **sampling: Any,
    ) -> Job:
        """Rewrite bars in the background; returns at once.

        `selection` is a list of (track, bar) pairs, ``{"cells": [...]}``, or None for the bars whose role in
        `plan` is "generate", else what is selected in the roll. `attributes` are wishes in the shape of the
        trait, or ``{name: value}`` for all selected bars; they replace the trait's for this run. Further
        keywords are settings (``temperature=0.9, seed=7``) and win over those of `sampling`. `chords` (as in
        `set_chords`, for the written bars), `chord_mode` and `piece` replace the traits, too. The other bars
        never change.

        With `takes` (1..9; None: the trait `n_takes`) above 1, versions with consecutive seeds are written
        side by side and wait for `accept` or `discard`; `hold` lets a single one wait, too. Raises ValueError
        for a request that cannot be carried out, TypeError for an unknown setting.
        """
        self._check_keywords(sampling)
        takes = self.n_takes if takes is None else takes
        if isinstance(takes, bool) or not isinstance(takes, int) or not 1 <= takes <= MAX_TAKES:
            raise UserRequestError(f"takes is {takes!r}; allowed: 1..{MAX_TAKES}", "invalid_request")
        cells = self._wanted_cells(selection)
        bars, n_bars = sorted({bar for _, bar in cells}), self._document.score.n_bars
        if attributes is not None and not set(attributes) - {"track", "bar"}:
            attributes = by_number(attributes, track_names(self._document.state))
        asked = Asked(
            self.attributes if attributes is None else attributes,
            {**self.sampling, **sampling},
            dict(self.chords) if chords is None else asked_chords(chords, bars, n_bars),
            chord_mode or self.chord_mode,
            self.piece if piece is None else piece,
        )
        with self._locked():
            document = self._document
            if self._handle.loaded is not None:  # the earliest moment at which a wrong request can be told
                self._build_request(self._handle.loaded, document.state, cells, asked, check=True)
            label = f"Regenerate {cell_label(cells, document.score.track_names)}"
            job = Job(uuid.uuid4().hex[:8], cells, label, threading.Condition(document.lock), takes)
            job._on_cancel, job._waits = self._cancel, hold or takes > 1
            job._drive = self._handle.worker.drive
            alone = self._current_job() is None
            self._remember(job, JobFeed(job.id, document, self._send_event, takes, self._locked))
            self.error = None
            if alone:
                self.status, self.progress = "queued", 0.0
                self._announce(job)
            self._handle.worker.submit(partial(self._run, job, asked))
        self._fire("accepted", job=job)
        return job

    def cancel(self) -> None:
        """Stop every job of this editor. The score stays as it was."""
        for job in reversed(list(self._jobs.values())):  # a waiting one must not start meanwhile
            job.cancel()

    def _constructor(self, score: str) -> str:
        name = "" if self._handle.name == "pocket" else f", {self._handle.name!r}"
        return f"roll = mg.InfillEditor({score}{name})"

    def _announce(self, job: Job) -> None:
        """Event 0. The page follows one job at a time: a waiting one is announced when it starts."""
        feed = self._feeds[job.id]
        if feed.n == 0:
            several: dict[str, Any] = {"takes": job.n_takes} if job._waits else {}
            feed.event("accepted", cells=[list(cell) for cell in job.cells], label=job.label, **several)

    def _check_keywords(self, sampling: Mapping[str, Any]) -> None:
        from midigpt_nb.inference.config import settings

        known = list(settings())
        for name in sampling:
            if name not in known:
                hint = suggestion(name, known) or (
                    "; bars are named as in generate([(1, 4), (1, 5)]), settings as in InferenceConfig"
                )
                raise TypeError(f"there is no setting {name!r}{hint}")

    def _wanted_cells(self, selection: Any) -> list[Cell]:
        try:
            given = self.selection["cells"] if selection is None else as_cells(selection)
        except t.TraitError as problem:
            raise ValueError(str(problem)) from None
        roles = Roles.of(self.plan)
        cells = [(track, bar) for track, bar in given]
        if selection is None and roles.generate:
            cells = sorted(roles.generate)
        if not cells:
            raise UserRequestError(
                "no bars are selected, and none are named as in generate([(1, 4), (1, 5)])",
                "nothing_selected",
                "select bars in the roll first",
            )
        table = self._document.state.table
        n_bars = dict(enumerate(map(table.n_bars, range(table.n_tracks))))
        for track, bar in cells:
            if not 0 <= bar < n_bars.get(track, 0):
                raise UserRequestError(self._document.no_such_cell(track, bar), "no_such_bar")
        locked = sorted(roles.locked.intersection(cells))
        if locked:
            where = cell_label(locked, self._document.score.track_names)
            raise UserRequestError(f"locked: {where}; unlock these bars or select others", "locked")
        return cells

    def _build_request(
        self,
        engine: InferenceEngine,
        state: State,
        cells: list[Cell],
        asked: Asked,
        *,
        check: bool = False,
    ) -> GenerationRequest:
        request = asked.request(engine, state.own, cells, Roles.of(self.plan))
        if check:
            from midigpt_nb.inference import validate_request

            validate_request(request, state.own, engine.tokenizer.config, engine.attributes)
        return request

    def _remember(self, job: Job, feed: JobFeed) -> None:
        self._jobs[job.id], self._feeds[job.id] = job, feed
        ended = [key for key, known in self._jobs.items() if known.done]
        for key in ended[: max(0, len(self._jobs) - _KEPT_JOBS)]:
            del self._jobs[key], self._feeds[key]

    # ----------------------------------------------------------------------------- on the worker's thread

    def _run(self, job: Job, asked: Asked) -> Iterator[None]:
        """The work of a job, in small steps."""
        if job.done:  # cancelled while it waited
            return
        try:
            engine = self._handle.engine()
            import_module("midigpt_nb.inference.session")  # belongs to the loading
            self._engine_ready(engine)
            yield
            base = self._document.state
            request = self._build_request(engine, base, job.cells, asked)
            session = engine.session(base.own, request)
            session.patient = self._handle.worker.patient
            session.watch_uncertainty = self.watch_uncertainty
            again: dict[str, Any] = {"seed": session.resolved_seed, "takes": job.n_takes, "hold": job._waits}
            piece = asked.of_piece(job.cells)
            job._python = generate_line(job.cells, asked.wishes, asked.settings, **again, piece=piece)
            job._plan = self.plan
            with self._locked():
                if job.done:  # cancelled while the model was loaded
                    return
                job._cancel_event = session.cancel_event
                self._feeds[job.id].table = base.table
                job.status = self.status = "running"
                self._announce(job)
            yield
            for event in session.stream_takes(job.n_takes) if job._waits else session.stream():
                if event is not None:
                    if not job._waits:
                        job.uncertainty = self._hear(session, event)
                    self._on_event(job, base, event)
                self._feeds[job.id].beat()
                yield
            if job._waits:
                yield from self._offer(job, base, session)
            if not job.done:
                self._finish(job, "error", error=MidiGPTError("the session ended without a result"))
        except (KeyboardInterrupt, GeneratorExit):  # only where who waits does the work
            self._finish(job, "cancelled")
            raise
        except Exception as problem:  # the worker's rim: whatever went wrong becomes the job's failure
            log.debug("generation failed", exc_info=True)
            self._finish(job, "error", error=problem)

    def _on_event(self, job: Job, base: State, event: Event) -> None:
        from midigpt_nb.inference import events as ev

        feed = self._feeds[job.id]
        with self._locked():
            if job.done:
                return
            match event:
                case ev.StepStarted():
                    window, n = list(event.window), event.n_steps
                    feed.event("step", take=event.take, step=event.step, n_steps=n, window=window)
                case ev.TokenProgress():
                    feed.count_tokens(event.step, event.attempt, event.tokens, event.take)
                case ev.NotesArrived():
                    feed.notes(event.track, event.bar, event.notes, event.take)
                case ev.BarFinished():
                    feed.bar(event.track, event.bar, event.take)
                    self._show_progress(job, feed.n_finished / (len(job.cells) * job.n_takes))
                case ev.AttemptRejected():
                    feed.reject(event.cells, event.take)
                case ev.Finished() if job._waits:
                    job.seconds = max(job.seconds, event.seconds)
                    feed.event("take", take=event.take, status=event.status)
                case ev.Finished():
                    self._take_result(job, base, event)
        self._tell(job, event)

    def _tell(self, job: Job, event: Event) -> None:
        """Call the callbacks of `on` for what a session reports; outside the lock."""
        name = {
            "StepStarted": "step", "NotesArrived": "notes", "BarFinished": "bar", "AttemptRejected": "reject"
        }.get(type(event).__name__)  # fmt: skip
        if name is not None:
            self._fire(name, job=job, detail=event)

    def _take_result(self, job: Job, base: State, event: Any) -> None:
        job.seconds, job.tokens = event.seconds, event.tokens
        if event.status == "done":
            if self._accept(job, base, event.score):
                self._finish(job, "done", score=self._document.score)
            else:
                gone = UserError(
                    "the piece changed its bars while this was written", "piece_changed", "generate again"
                )
                job.partial = event.score
                self._finish(job, "error", error=gone)
        elif event.status == "cancelled":
            job.partial = event.score
            self._finish(job, "cancelled")
        else:
            job.partial = event.score
            self._finish(job, "error", error=event.error or MidiGPTError("generation failed"))

    def _offer(self, job: Job, base: State, session: SamplingSession) -> Iterator[None]:
        """The takes of a job have ended: open those that wrote something."""
        results, takes = session.last_takes(), []
        for take in results:
            yield
            if take.cells:
                takes.append(RollTake.of(take, job, base, session))
        yield
        with self._locked():
            if job.done:
                return
            job.tokens = session.gen_count
            if any(take.status == "cancelled" for take in results):
                job.partial = results.best.score
                self._finish(job, "cancelled")
            elif not takes:
                self._finish(job, "error", error=results.best.error or MidiGPTError("generation failed"))
            else:
                job.takes, job.uncertainty = takes, takes[0].uncertainty
                with self.hold_sync():
                    self._open_takes(takes)
                self._finish(job, "done", score=takes[0].score)

    def _accept(self, job: Job, base: State, score: Score) -> bool:
        old, same = self._document.score, self._document.state.music is base.music
        if not self._document.accept(score, job.cells, base, job.label):
            return False
        if same:  # else the piece was edited meanwhile: the log writes down the notes
            self._log.say(job._python, plan=job._plan)
        self._feeds[job.id].drop_notes()
        self._document_changed(old)
        tell_accepted(self, job.cells)
        return True

    def _finish(
        self, job: Job, status: str, *, score: Score | None = None, error: BaseException | None = None
    ) -> None:
        """End a job: message, traits, then whoever waits. The document is already what it should be."""
        with self._locked():
            if job.done:
                return
            feed = self._feeds[job.id]
            feed.drop_notes()
            self._announce(job)
            rev = self._document.rev
            if status == "error":
                code, message, hint = (
                    describe(error) if error is not None else ("failed", "generation failed", "")
                )
                more: dict[str, Any] = {"details": details_of(error)} if error is not None else {}
                feed.event("error", code=code, message=message, hint=hint, **more)
                self._report(code, message, hint, **more)
            else:
                feed.event(status, rev=rev)
            with self.hold_sync():
                self.progress = 1.0 if status == "done" else 0.0
                self.status = self._status_after(job, status)
            job._end(status, score=score, error=error)  # type: ignore[arg-type]
        self._fire(status, job=job)

    def _status_after(self, job: Job, status: str) -> str:
        """The editor's status when `job` has ended: that of the jobs that are left, else how it ended."""
        left = {other.status for other in self._jobs.values() if other is not job and not other.done}
        for known in ("running", "cancelling", "queued"):
            if known in left:
                return known
        return "idle" if status == "cancelled" else status

    def _cancel(self, job: Job) -> None:
        """Called by the job, with the lock held. A job that is not yet sampling ends here and now."""
        if job._cancel_event is None:
            self._finish(job, "cancelled")
        else:
            job.status = self.status = "cancelling"

    def _show_progress(self, job: Job, progress: float) -> None:
        job.progress = min(progress, 1.0)
        now = time.monotonic()
        if now - self._progress_sent >= _PROGRESS_INTERVAL:
            self._progress_sent = now
            self.progress = job.progress

    # -------------------------------------------------------------------------------------- measured values

    def _document_changed(self, old: Score, *, soon: bool = False) -> None:
        with self.hold_sync():
            if self.takes and not same_bars(self.takes[0].base.table, self._document.state.table):
                self._close_takes()
            super()._document_changed(old, soon=soon)
        self._measure()

    @t.observe("plan")
    def _plan_changed(self, _change: object) -> None:
        self._document.locked = Roles.of(self.plan).locked

    def _asked_now(self) -> Asked:
        return Asked(self.attributes, self.sampling, dict(self.chords), self.chord_mode, self.piece)

    def outlook(self, selection: Any = None) -> Outlook:
        """What the model would see, step by step, and what may be wrong with the request, without running
        it. Raises ValueError, with the words of `generate`, when the request cannot be carried out.
        """
        from midigpt_nb.inference.outlook import outlook

        engine, state = self.engine, self._document.state
        cells = self._wanted_cells(selection)
        request = self._build_request(engine, state, cells, self._asked_now())
        return outlook(engine, state.own, request)

    # -------------------------------------------------------------------------------------------- the page

    def _send_event(self, message: dict[str, Any], buffers: list[bytes] | None) -> None:
        self.send(message, buffers=buffers)

    def _on_page_message(self, widget: object, content: Any, buffers: list[memoryview] | None) -> None:
        self.prepare()  # a page that speaks is shown somewhere, perhaps inside a box
        super()._on_page_message(widget, content, buffers)

    def _request_generate(
        self,
        selection: Any,
        attributes: Any = None,
        sampling: Any = None,
        takes: int | None = None,
        hold: bool = False,
    ) -> tuple[dict[str, Any], None]:
        try:
            wanted = None if Roles.of(self.plan).generate else selection
            job = self.generate(wanted, attributes, takes=takes, hold=hold, **(sampling or {}))
        except TypeError as problem:
            raise UserError(str(problem), "invalid_request") from problem
        return {"job": job.id}, None

    def _request_outlook(self, selection: Any) -> tuple[dict[str, Any], None]:
        wanted = None if Roles.of(self.plan).generate else selection
        if self._handle.loaded is None:  # the engine will tell more when it is there
            self._wanted_cells(wanted)
            return {"steps": [], "warnings": []}, None
        cells = self._wanted_cells(wanted)
        if len(cells) > _MOST_SEEN:
            engine, state = self.engine, self._document.state
            self._build_request(engine, state, cells, self._asked_now(), check=True)
            told = f"{len(cells):,} bars take long to write; what the model sees is told for {_MOST_SEEN:,}"
            return {"steps": [], "warnings": [told]}, None
        seen = self.outlook(cells)
        return {"steps": [step.plain() for step in seen.steps], "warnings": list(seen.warnings)}, None

    def _request_cancel(self, job: str | None = None) -> tuple[dict[str, Any], None]:
        if job is None:
            self.cancel()
        elif job in self._jobs:
            self._jobs[job].cancel()
        else:
            raise UserError(f"there is no job {job!r}", "no_job")
        return {}, None

    def _request_sync(self, job: str | None, have: int) -> tuple[dict[str, Any], list[bytes] | None]:
        with self._locked():
            wanted = self._jobs.get(job) if job is not None else self._current_job()
            if wanted is None and job is not None:  # the page must learn that it waits in vain
                raise UserError(f"there is no job {job!r}", "no_job")
            if wanted is None:
                return {"job": None}, None
            feed = self._feeds[wanted.id]
            notes = feed.provisional()
            answer = {
                "job": wanted.id,
                "n": feed.n,
                "state": wanted.status,
                "cells": [list(cell) for cell in wanted.cells],
                "finished": [list(cell) for cell in feed.finished],
                "label": wanted.label,
                "tokens": feed.tokens,
                "count": len(notes),
            }
            if wanted._waits:
                answer["takes"] = feed.picture()
        return answer, [notes.tobytes()]

    def _current_job(self) -> Job | None:
        open_jobs = [job for job in self._jobs.values() if not job.done]
        running = [job for job in open_jobs if job.status != "queued"]
        return next(iter(running or open_jobs), None)

    def _check_sampling(self, settings: Mapping[str, Any]) -> None:
        check_sampling(settings)

    def _check_wishes(self, wishes: Mapping[str, Any]) -> None:
        known = {row["name"]: row["size"] for row in self.caps["attributes"]} if self._described else None
        if known is not None:  # else not loaded yet: `generate` will check
            check_wishes(wishes, known)

    def close(self) -> None:
        """Stop what runs and take the widget away."""
        if "_document" in self.__dict__:
            self.cancel()
        super().close()


def _load(name: str) -> InferenceEngine:
    from midigpt_nb.inference import InferenceEngine

    engine = InferenceEngine.from_pretrained(name)
    engine.warmup()
    return engine
