"""Ctrl-C and listeners that go away: what was finished stays."""

from __future__ import annotations

import gc
import signal
import threading
import weakref

import pytest

from midigpt_nb.inference import InferenceEngine, TrackPrompt
from midigpt_nb.inference.events import BarFinished, NotesArrived, StepFinished
from midigpt_nb.inference.interrupt import ctrl_c

from .asking import changed_cells, request

BARS = list(range(8))

pytestmark = pytest.mark.usefixtures("ctrl_c_is_heard")


@pytest.fixture
def session(engine, score):
    return engine.session(score, request(TrackPrompt(0, BARS), model_dim=4))


def press_after(session, n_bars):
    """Press Ctrl-C, once, while the bar behind `n_bars` finished ones is written."""
    pressed = []

    def press():
        if not pressed and session.progress().bars >= n_bars:
            pressed.append(True)
            signal.raise_signal(signal.SIGINT)

    session.progress_sink = press


def test_ctrl_c_keeps_finished_bars(score, session):
    press_after(session, 2)
    with pytest.raises(KeyboardInterrupt) as caught:
        session.run()
    done = changed_cells(score, session.partial)
    assert 2 <= len(done) < 8 and done == {(0, bar) for bar in range(len(done))}
    assert caught.value.partial.hash() == session.partial.hash() and caught.value.status == "cancelled"
    assert session.status == "cancelled" and not session.cancel_event.is_set()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    session.progress_sink = None
    assert len(changed_cells(score, session.run())) == 8 and session.status == "done"


def test_ctrl_c_keeps_takes(session):
    press_after(session, 1)
    with pytest.raises(KeyboardInterrupt) as caught:
        session.takes(3)
    takes = caught.value.partial
    assert len(takes) == 3 and {take.status for take in takes} == {"cancelled"}
    assert takes.best.cells and takes.best.score.hash() == session.last_takes().best.score.hash()


def test_a_listener_that_goes_away_leaves_a_cancelled_session(score, session):
    events = session.stream()
    event = next(event for event in events if isinstance(event, StepFinished))
    events.close()
    assert session.status == "cancelled" and session.partial.hash() == event.score.hash()
    assert session._main.status == "cancelled" and "cancelled" in repr(session)
    assert session.report().of(0, 0)


@pytest.mark.parametrize("more", [{}, {"batch_attempts": True}, {"adherence": "best"}], ids=str)
def test_a_listener_that_goes_away_within_a_step_keeps_its_finished_bars(engine, score, more):
    prompt = TrackPrompt(0, [2, 3, 4, 5])
    asked = request(prompt, bars_per_step="auto", model_dim=8, novelty_check=False, **more)
    session = engine.session(score, asked)
    stream, notes = session.stream(), {}
    for event in stream:
        if isinstance(event, NotesArrived) and event.take == 0:
            notes.setdefault(event.bar, []).extend(event.notes)
        if isinstance(event, BarFinished) and event.bar == 3:
            break
    stream.close()
    assert changed_cells(score, session.partial) == {(0, 2), (0, 3)} and session.status == "cancelled"
    for bar in (2, 3):
        written = session.partial.tracks[0].bars[bar].notes
        told = [(onset, pitch) for pitch, _, onset, _ in notes[bar]]
        assert sorted((n.onset_ticks, n.pitch) for n in written) == sorted(told)
    assert session.report().of(0, 3) and not session.report().of(0, 4)


@pytest.mark.parametrize("several", [False, True], ids=["one", "takes"])
def test_a_forgotten_stream_keeps_its_bars_and_leaves_nothing_behind(checkpoint_path, score, several):
    """Three steps of two bars; nobody closes the stream, it is dropped in the middle of the second step."""
    engine = InferenceEngine.from_checkpoint(checkpoint_path)
    asked = request(TrackPrompt(0, BARS[:6]), bars_per_step=2, model_dim=4, novelty_check=False)
    asked.config.seed = 5
    wanted = engine.session(score, asked).run().hash()
    engine.prompt_cache.clear()
    session, threads = engine.session(score, asked), threading.active_count()
    stream = session.stream_takes(2) if several else session.stream()
    finished = (e for e in stream if isinstance(e, BarFinished) and e.take == 0)
    first = [(0, next(finished).bar) for _ in range(3)]
    decoding = weakref.ref(session._call.loop._decoding)
    del stream, finished
    gc.collect()
    assert decoding() is None and session._call.loop.idle, "the model's memory is given back"
    assert threading.active_count() == threads and session.status == "cancelled"
    assert changed_cells(score, session.partial) == set(first)
    if several:
        assert session.last_takes()[0].status == "cancelled"
    assert engine.session(score, asked).run().hash() == session.run().hash() == wanted


def test_a_stream_that_nobody_listens_to_is_not_running(session):
    stream = session.stream()
    assert session.status == ""
    next(stream)
    assert session.status == "running"
    del stream
    assert session.status == "cancelled"


def test_ctrl_c_is_left_alone_where_it_is_not_ours():
    def other(number, frame):
        raise AssertionError

    before = signal.signal(signal.SIGINT, other)
    try:
        with ctrl_c(lambda: None) as pressed:
            assert signal.getsignal(signal.SIGINT) is other and not pressed()
    finally:
        signal.signal(signal.SIGINT, before)
    seen = []

    def elsewhere():
        with ctrl_c(lambda: None):
            seen.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert seen == [before]


def test_a_second_ctrl_c_raises_at_once():
    stopped = []
    with pytest.raises(KeyboardInterrupt), ctrl_c(lambda: stopped.append(True)):
        signal.raise_signal(signal.SIGINT)
        assert stopped == [True]
        signal.raise_signal(signal.SIGINT)
