"""Sessions in asyncio programs."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest

from midigpt_nb.errors import GenerationCancelled, RequestValidationError
from midigpt_nb.inference import TrackPrompt
from midigpt_nb.inference import events as ev

from .asking import changed_cells, request


def busy():
    return [t for t in threading.enumerate() if t.name == "midigpt-session"]


def test_u6_the_loop_stays_free_while_a_session_writes(engine, score):
    asked = request(TrackPrompt(0, [2, 3]))

    async def work():
        ticks = 0

        async def tick():
            nonlocal ticks
            while True:
                ticks += 1
                await asyncio.sleep(0.001)

        ticking = asyncio.create_task(tick())
        result = await engine.session(score, asked).arun()
        ticking.cancel()
        return result, ticks

    result, ticks = asyncio.run(work())
    assert result.hash() == engine.session(score, asked).run().hash() and ticks > 2


def test_the_asynchronous_stream_is_the_same_stream(engine, score):
    session = engine.session(score, request(TrackPrompt(0, [2, 3])))

    async def work():
        return [event async for event in session.astream()]

    events, alone = asyncio.run(work()), list(session.stream())
    marks = [[e.bar for e in kind if isinstance(e, ev.BarFinished)] for kind in (events, alone)]
    assert marks[0] == marks[1] == [2, 3] and events[-1].score.hash() == alone[-1].score.hash()


def test_two_sessions_run_side_by_side(engine, score):
    asked = [request(TrackPrompt(0, [2, 3]), seed=seed) for seed in (1, 2)]

    async def work():
        return await asyncio.gather(*(engine.session(score, a).arun() for a in asked))

    assert [s.hash() for s in asyncio.run(work())] == [engine.session(score, a).run().hash() for a in asked]


def test_a_cancelled_task_stops_the_work_and_the_session_can_run_again(scripted, score):
    def slow(fed):
        time.sleep(0.002)

    session = scripted(slow).session(score, request(TrackPrompt(0, list(range(8)))))

    async def work():
        task = asyncio.create_task(session.arun())
        await asyncio.sleep(0.1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(work())
    assert not busy() and session.status == "cancelled" and not session.cancel_event.is_set()
    tokens = session.gen_count
    time.sleep(0.05)
    assert session.gen_count == tokens
    assert len(changed_cells(score, session.run())) == 8


def test_leaving_the_stream_stops_the_work(scripted, score):
    session = scripted(lambda fed: time.sleep(0.001)).session(score, request(TrackPrompt(0, list(range(8)))))

    async def work():
        stream = session.astream()
        async for event in stream:
            if isinstance(event, ev.BarFinished):
                break
        await stream.aclose()

    asyncio.run(work())
    assert not busy() and session.status == "cancelled"


def test_failures_arrive_where_they_are_awaited(engine, score):
    async def cancelled():
        session = engine.session(score, request(TrackPrompt(0, [2])))
        session.cancel_event.set()
        await session.arun()

    with pytest.raises(GenerationCancelled):
        asyncio.run(cancelled())

    async def planned():
        await engine.session(score, request(TrackPrompt(0, [2]), plan_only=True)).arun()

    with pytest.raises(RequestValidationError):
        asyncio.run(planned())
