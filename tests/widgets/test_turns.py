"""Generation where no thread can be started (Pyodide, JupyterLite): in slices on the event loop."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from fakes import FakeEngine

from midigpt_nb import InfillEditor, Score
from midigpt_nb.errors import GenerationCancelled
from midigpt_nb.widgets import turns
from midigpt_nb.widgets.worker import Worker

pytestmark = pytest.mark.timeout(120)

BARS = [(1, 4), (1, 5)]


@pytest.fixture
def no_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """Python as it is in a browser."""

    def refuse(_self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)


def own_seconds() -> float:
    """This thread's own work. The system's share is left out: what it takes to give a program its memory
    varies a hundredfold.
    """
    try:
        import resource

        return resource.getrusage(resource.RUSAGE_THREAD).ru_utime
    except (ImportError, AttributeError):
        return time.thread_time()


@pytest.fixture
def slices(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[float, float]]]:
    """(seconds of own work, seconds by the clock) of every slice.

    What the other tests and the libraries left in memory is put out of the garbage collector's sight: a full
    collection that looks through all of it takes 120 ms, falls into any slice, and is no part of the job.
    """
    seen: list[tuple[float, float]] = []
    work = turns.Turns._slice

    def measured(self: turns.Turns, loop: asyncio.AbstractEventLoop) -> None:
        own, clock = own_seconds(), time.perf_counter()
        work(self, loop)
        seen.append((own_seconds() - own, time.perf_counter() - clock))

    monkeypatch.setattr(turns.Turns, "_slice", measured)
    gc.collect()
    gc.freeze()
    yield seen
    gc.unfreeze()


def test_t8_threads_are_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    assert turns.threads_exist()
    monkeypatch.setattr(sys, "platform", "emscripten")
    assert not turns.threads_exist()
    seen: list[int] = []
    own = Worker("browser")
    own.submit(lambda: seen.append(1))  # type: ignore[func-returns-value]
    assert own.patient and own.busy and seen == []
    assert own.join(5) and seen == [1] and not own.busy


def test_t8_a_job_is_awaited_and_its_messages_are_those_of_a_thread(
    no_threads: None, example: Score, connect: Any
) -> None:
    editor, page = connect(InfillEditor, example, FakeEngine())

    async def run() -> Score:
        answer, _ = page.request("generate", selection={"cells": BARS})
        job = editor._jobs[answer["job"]]
        assert job.status == "queued" and page.kinds() == ["accepted"]
        return await job

    score = asyncio.run(run())
    assert score == editor.score != example and editor.status == "done" and editor.progress == 1.0
    kinds = page.kinds()
    assert kinds[:2] == ["accepted", "step"] and kinds[-1] == "done" and kinds.count("bar") == 2
    assert editor.undo() and editor.score == example


def test_t8_result_drives_the_job_in_the_only_thread(no_threads: None, example: Score, connect: Any) -> None:
    editor, _ = connect(InfillEditor, example, FakeEngine())
    jobs = [editor.generate([(1, bar)]) for bar in range(3)]  # no event loop runs
    assert jobs[2].result(20) == editor.score
    assert [job.status for job in jobs] == ["done"] * 3  # first in, first out
    assert editor._document._history.undo_label.endswith("bar 3, Bass")


def test_t8_jobs_of_two_editors_wait_in_line(no_threads: None, example: Score, connect: Any) -> None:
    engine = FakeEngine()
    first, _ = connect(InfillEditor, example, engine)
    other, _ = connect(InfillEditor, example, engine)

    async def run() -> list[str]:
        order: list[str] = []
        jobs = [first.generate([(0, 0)]), other.generate([(1, 0)]), first.generate([(2, 0)])]
        for name, job in zip("abc", jobs, strict=True):
            job.add_done_callback(lambda _job, name=name: order.append(name))
        await jobs[2]
        return order

    assert asyncio.run(run()) == ["a", "b", "c"]


def test_t8_cancel_is_heard_between_slices(no_threads: None, example: Score, connect: Any) -> None:
    editor, page = connect(InfillEditor, example, FakeEngine(pause=0.01))

    async def run() -> None:
        job = editor.generate([(t, b) for t in range(4) for b in range(16)])
        while page.kinds().count("bar") < 2:
            await asyncio.sleep(0)
        assert editor.status == "running" and 0 <= editor.progress < 1
        page.request("cancel", job=job.id)
        assert editor.status == "cancelling"
        with pytest.raises(GenerationCancelled):
            await job

    asyncio.run(run())
    assert page.kinds()[-1] == "cancelled" and editor.score == example and editor.status == "idle"


def test_t8_a_wait_that_ends_too_early_says_so_and_the_job_goes_on(
    no_threads: None, example: Score, connect: Any
) -> None:
    editor, _ = connect(InfillEditor, example, FakeEngine(pause=0.05))
    job = editor.generate([(1, bar) for bar in range(8)])
    with pytest.raises(TimeoutError):
        job.result(0.1)
    assert job.status == "running"
    assert job.result(20) == editor.score


def test_t8_a_job_cannot_wait_for_itself(no_threads: None, example: Score, connect: Any) -> None:
    editor, _ = connect(InfillEditor, example, FakeEngine())
    editor.on("bar", lambda event: event["job"].result())
    editor.generate(BARS).result(20)
    assert isinstance(editor.errors[0], RuntimeError) and "from inside a job" in str(editor.errors[0])


@pytest.mark.skipif(sys.platform == "win32", reason="sends itself a signal")
def test_t8_interrupting_the_wait_cancels_the_job(
    no_threads: None, ctrl_c_is_heard: None, example: Score, connect: Any
) -> None:
    editor, _ = connect(InfillEditor, example, FakeEngine(pause=0.02))
    editor.on("bar", lambda event: os.kill(os.getpid(), signal.SIGINT))
    job = editor.generate([(t, b) for t in range(4) for b in range(16)])
    with pytest.raises(KeyboardInterrupt):
        job.result(30)
    assert job.status == "cancelled" and editor.score == example and editor.status == "idle"


def test_t8_the_same_music_in_slices_of_50_ms(
    example: Score, connect: Any, engine: Any, monkeypatch: pytest.MonkeyPatch, slices: list[Any]
) -> None:
    cells = [(1, bar) for bar in range(4, 8)]
    settings = {"model_dim": 8, "seed": 5}
    plain, _ = connect(InfillEditor, example, engine)
    want = [plain.generate(cells, **settings).result(60).hash()]
    plain.undo()
    takes = plain.generate(cells, takes=3, **settings)
    takes.result(60)
    want += [take.score.hash() for take in sorted(takes.takes, key=lambda take: take.number)]

    def refuse(_self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    plain._analysis.join(10)
    engine.prompt_cache.clear()
    monkeypatch.setattr(threading.Thread, "start", refuse)

    async def run() -> list[str]:
        editor, page = connect(InfillEditor, example, engine)
        got = [(await editor.generate(cells, **settings)).hash()]
        editor.undo()
        job = editor.generate(cells, takes=3, **settings)
        await job
        assert "notes" in page.kinds(job.id)
        return got + [take.score.hash() for take in sorted(job.takes, key=lambda take: take.number)]

    assert asyncio.run(run()) == want
    own, clock = (sorted(values, reverse=True) for values in zip(*slices, strict=True))
    print(f"{len(own)} slices; longest: {1000 * own[0]:.0f} ms, {1000 * clock[0]:.0f} ms by the clock")
    # By the clock a slice takes as long as the machine's other programs let it.
    assert len(own) > 20 and own[0] <= turns.SLICE_SECONDS, own[:5]
