"""Attempts, failures, cancelling: what is taken back, and what is kept."""

from __future__ import annotations

import threading
import time

import pytest

from midigpt_nb import _core
from midigpt_nb.errors import GenerationCancelled, GenerationError, NoAcceptableCandidate
from midigpt_nb.inference import TrackPrompt
from midigpt_nb.inference import events as ev
from midigpt_nb.score.model import Bar, Note, Score, Track

from .asking import changed_cells, refuse, request

T = _core.TokenType


def test_d29_rejected_attempts_are_retracted_and_the_next_one_draws_anew(engine, score, scripted):
    """A model that repeats the old bar: the first attempt is refused, and so are the others."""
    first, last = score.table.note_rows(2, 4)
    old = sorted((int(o) // 40, int(p)) for o, p in score.table.notes[first:last, [0, 2]])
    encode = engine.tokenizer.vocab.encode
    stream, position = [], 0
    for onset, pitch in old:
        if onset > position:
            stream.append(encode(T.TimeAbsolutePos, onset))
            position = onset
        stream.append(encode(T.NoteOnset, pitch))
    stream.append(encode(T.FillInEnd, 0))
    start = encode(T.FillInStart, 0)
    parrot = scripted(lambda fed: stream[len(fed) - fed.index(start) - 1])
    session = parrot.session(score, request(TrackPrompt(2, [4]), density_hard_limit=0, max_attempts=2))
    events = list(session.stream())
    rejected = [e for e in events if isinstance(e, ev.AttemptRejected)]
    assert [(e.attempt, e.reasons, e.cells) for e in rejected] == [
        (0, ("novelty",), ((2, 4),)),
        (1, ("novelty",), ((2, 4),)),
    ]
    assert events[-1].status == "failed" and events[-1].score.hash() == score.hash()
    with pytest.raises(NoAcceptableCandidate, match=r"novelty 2 times.*novelty_check=False") as caught:
        session.run()
    assert caught.value.reasons == {"novelty": 2} and caught.value.partial.hash() == score.hash()
    relaxed = parrot.session(score, request(TrackPrompt(2, [4]), density_hard_limit=0, novelty_check=False))
    assert {
        (int(o) // 40, int(p))
        for o, p in relaxed.run().table.notes[slice(*score.table.note_rows(2, 4))][:, [0, 2]]
    } == set(old)


@pytest.mark.parametrize("side_by_side", [False, True])
def test_a_step_that_is_given_up_names_its_bars_its_track_and_the_choices(
    engine, score, monkeypatch, side_by_side
):
    refuse(monkeypatch)
    score.tracks[1].name = "Bass"
    asked = request(
        TrackPrompt(1, [2, 3]), max_attempts=2, bars_per_step=2, batch_attempts=side_by_side, temperature=0.9
    )
    with pytest.raises(NoAcceptableCandidate) as caught:
        engine.session(score, asked).run()
    assert str(caught.value) == (
        "step 0: all 2 attempts at bars 2..3 of track 1 'Bass' were rejected (novelty 2 times); "
        "novelty: it is refused; raise the temperature (now 0.9), or set novelty_check=False; "
        "or allow more attempts (max_attempts is 2)"
    )
    asked.config.max_attempts, asked.config.novelty_threshold = 1, 0.5
    with pytest.raises(NoAcceptableCandidate) as caught:
        engine.session(score, asked).run()
    text = str(caught.value)
    assert "step 0: the only attempt at bars 2..3 of track 1 'Bass' was rejected (novelty 1 time)" in text
    assert "or novelty_threshold (now 0.5)" in text and caught.value.partial.hash() == score.hash()


def test_a_step_of_several_tracks_names_each_and_a_new_one_as_new(engine, score, monkeypatch):
    refuse(monkeypatch)
    asked = request(
        TrackPrompt(0, [1]), TrackPrompt(3, [1, 3], new={"instrument": "Violin"}),
        tracks_per_step=2, bars_per_step=4, max_attempts=2,
    )  # fmt: skip
    with pytest.raises(NoAcceptableCandidate) as caught:
        engine.session(score, asked).run()
    places = "bar 1 of track 0 'Acoustic Grand Piano', bars 1, 3 of the new track 3"
    assert f"attempts at {places} were" in str(caught.value)


def test_attempts_draw_different_music(engine, score, monkeypatch):
    """Every attempt is refused; their notes differ."""
    refuse(monkeypatch)
    session = engine.session(score, request(TrackPrompt(0, [2]), max_attempts=3))
    heard = {}
    for event in session.stream():
        if isinstance(event, ev.NotesArrived):
            heard.setdefault(event.attempt, []).extend(event.notes)
    assert len({tuple(notes) for notes in heard.values()}) == len(heard) == 3


def test_d22_u9_finished_steps_survive_a_failure(engine, score, scripted):
    """Step 0 writes something new, step 1 only what was there."""
    encode = engine.tokenizer.vocab.encode
    fresh = Score([Track([Bar([Note(60, 64, 0, 40)]) for _ in range(8)])])
    start = encode(T.FillInStart, 0)

    def script(fed):
        written = fed[fed.index(start) + 1 :]
        second = encode(T.NoteOnset, 99) in fed[: fed.index(start)]
        stream = [
            encode(T.NoteOnset, 60 if second else 99),
            encode(T.NoteDuration, 0),
            encode(T.FillInEnd, 0),
        ]
        return stream[len(written)]

    session = scripted(script).session(fresh, request(TrackPrompt(0, [2, 3]), bars_per_step=1, model_dim=8))
    with pytest.raises(NoAcceptableCandidate) as caught:
        session.run()
    assert changed_cells(fresh, caught.value.partial) == {(0, 2)}


def test_u6_cancelling_keeps_finished_bars_and_is_quick(engine, score):
    session = engine.session(score, request(TrackPrompt(0, [1, 2, 3, 4]), bars_per_step="auto"))
    stopped = None
    for event in session.stream():
        if isinstance(event, ev.BarFinished) and event.bar == 2:
            session.cancel_event.set()
            stopped = time.perf_counter()
    assert time.perf_counter() - stopped < 0.5
    assert isinstance(event, ev.Finished) and event.status == "cancelled"
    kept = changed_cells(score, event.score)
    assert {(0, 1), (0, 2)} <= kept <= {(0, 1), (0, 2), (0, 3)}
    with pytest.raises(GenerationCancelled) as caught:
        session.run()
    assert caught.value.partial.hash() == score.hash()  # the event was still set


def test_a_long_prompt_is_cancelled_between_chunks(score, scripted):
    slow = scripted(max_context=2048, prefill_chunk=16)
    event = threading.Event()

    class AfterThree:
        calls = 0

        def is_set(self):
            self.calls += 1
            return self.calls > 3 or event.is_set()

    session = slow.session(score, request(TrackPrompt(0, [4]), model_dim=8))
    session.cancel_event = AfterThree()
    events = list(session.stream())
    assert events[-1].status == "cancelled" and len(slow.backend.fed) == 3
    assert all(len(tokens) == 16 for tokens, _ in slow.backend.fed)


def test_cancelling_from_another_thread(engine, score):
    session = engine.session(score, request(TrackPrompt(0, autoregressive=True), density_hard_limit=0))
    timer = threading.Timer(0.05, session.cancel_event.set)
    timer.start()
    with pytest.raises(GenerationCancelled):
        for _ in range(200):
            session.run()
    timer.join()


def test_d18_a_model_that_breaks_is_told_as_a_failure_that_keeps_finished_bars(score, scripted):
    calls = 0

    def script(fed):
        nonlocal calls
        calls += 1
        if calls > 40:
            raise MemoryError("no room")
        return None

    session = scripted(script).session(score, request(TrackPrompt(0, list(range(8))), bars_per_step=1))
    event = list(session.stream())[-1]
    assert event.status == "failed" and isinstance(event.error.__cause__, MemoryError)
    kept = changed_cells(score, event.score)
    assert kept and kept < {(0, b) for b in range(8)}
    with pytest.raises(GenerationError, match="no room") as caught:
        session.run()
    assert caught.value.partial.hash() == score.hash() and caught.value.status == "failed"


@pytest.mark.parametrize("accepted", [0, 2, 5])
def test_p5_attempts_side_by_side_are_those_that_would_follow_each_other(
    engine, score, monkeypatch, accepted
):
    """The first acceptable one in order wins; its story is told as if the others had been tried before it."""
    stories = {}
    for side_by_side in (False, True):
        judged = []

        def when(cells, judged=judged):
            judged.append(cells)
            return len(judged) <= accepted

        with monkeypatch.context() as patch:
            refuse(patch, when)
            asked = request(TrackPrompt(0, [2, 3]), bars_per_step="auto", max_attempts=20)
            asked.config.batch_attempts = side_by_side
            events = list(engine.session(score, asked).stream())
        notes: dict = {}
        for event in events:
            if isinstance(event, ev.NotesArrived):
                notes.setdefault((event.attempt, event.track, event.bar), []).extend(event.notes)
        marks = [
            (type(e).__name__, getattr(e, "attempt", None), getattr(e, "bar", None))
            for e in events
            if isinstance(e, ev.BarFinished | ev.AttemptRejected | ev.StepFinished)
        ]
        stories[side_by_side] = notes, marks, events[-1].score.hash()
        assert len(judged) == accepted + 1, "nothing is judged after the first accepted one"
    assert stories[True] == stories[False]


def test_side_by_side_attempts_of_a_deadlock_are_told_in_order(engine, score, monkeypatch):
    from midigpt_nb.errors import GrammarDeadlock
    from midigpt_nb.inference.sampler import DecodeLoop

    original = DecodeLoop._draw

    def draw(self, row, logits):
        if row.stream.attempt < 2 and len(row.tokens) > 3:
            raise GrammarDeadlock("no token is legal after a test")
        return original(self, row, logits)

    monkeypatch.setattr(DecodeLoop, "_draw", draw)
    asked = request(TrackPrompt(0, [2]), max_attempts=4, batch_attempts=True)
    events = list(engine.session(score, asked).stream())
    rejected = [(e.attempt, e.reasons) for e in events if isinstance(e, ev.AttemptRejected)]
    assert rejected == [(0, ("deadlock",)), (1, ("deadlock",))] and events[-1].status == "done"
    asked.config.max_attempts = 2
    with pytest.raises(NoAcceptableCandidate, match="no token is legal after a test; loosen the limits"):
        engine.session(score, asked).run()
