"""Partial success: budgets, failures that leave the rest alone, explanations."""

from __future__ import annotations

import time

import pytest

from midigpt_nb.errors import BudgetSpent, GenerationCancelled, NoAcceptableCandidate, RequestValidationError
from midigpt_nb.inference import TrackPrompt
from midigpt_nb.inference import events as ev

from .asking import changed_cells, refuse, request


def test_u10_a_budget_of_tokens_keeps_what_is_finished(engine, score):
    asked = request(TrackPrompt(0, list(range(8))), max_tokens=60)
    session = engine.session(score, asked)
    with pytest.raises(BudgetSpent, match=r"max_tokens=60 ended it: \d bars are finished") as caught:
        session.run()
    assert caught.value.status == session.status == "budget" and 60 <= session.gen_count < 66
    kept = changed_cells(score, caught.value.partial)
    assert kept and kept < {(0, b) for b in range(8)}
    left = [b for b in range(8) if (0, b) not in kept]
    assert left == list(range(left[0], 8)) and len(left) > 1
    assert str(caught.value).endswith(f"as they were: bars {left[0]}..7 of track 0 'Acoustic Grand Piano'")
    partial = session.run(on_failure="partial")
    assert partial.hash() == caught.value.partial.hash() and session.status == "budget"
    end = list(session.stream())[-1]
    assert (end.status, end.score.hash()) == ("budget", partial.hash()) and isinstance(end.error, BudgetSpent)


def test_u10_a_budget_of_seconds(score, scripted, engine):
    def slow(fed):
        time.sleep(0.002)

    asked = request(TrackPrompt(0, list(range(8))), max_seconds=0.2, density_hard_limit=0)
    session = scripted(slow).session(score, asked)
    began = time.perf_counter()
    with pytest.raises(BudgetSpent, match=r"max_seconds=0\.2"):
        session.run()
    assert 0.2 <= time.perf_counter() - began < 0.6


def test_a_budget_that_is_enough_changes_nothing(engine, score):
    free = request(TrackPrompt(0, [2, 3]))
    bound = request(TrackPrompt(0, [2, 3]), max_tokens=10**6, max_seconds=1e6)
    a, b = engine.session(score, free), engine.session(score, bound)
    assert a.run().hash() == b.run().hash() and b.status == "done"


def test_takes_share_the_budget(engine, score):
    session = engine.session(score, request(TrackPrompt(0, list(range(8))), max_tokens=200))
    takes = session.takes(4)
    assert 200 <= session.gen_count < 240 and {t.status for t in takes} == {"budget"}
    assert takes.best.cells and set(takes.best.cells) == changed_cells(score, takes.best.score)


def test_u9_a_failing_step_leaves_its_bars_and_the_others_are_written(engine, score, monkeypatch):
    refuse(monkeypatch, lambda cells: cells == [(0, 3)])
    asked = request(TrackPrompt(0, [2, 3, 4]))
    with pytest.raises(NoAcceptableCandidate) as caught:
        engine.session(score, asked).run()
    assert changed_cells(score, caught.value.partial) == {(0, 2)}
    session = engine.session(score, asked)
    result = session.run(on_failure="partial")
    assert changed_cells(score, result) == {(0, 2), (0, 4)} and session.status == "failed"


def test_u9_why_an_attempt_was_refused_is_said_in_words(engine, scripted, score):
    """A model that always writes the same bar, onto which a piece already has it."""
    asked = request(TrackPrompt(0, [2]), top_k=1, novelty_check=False)
    once = engine.session(score, asked).run()
    strict = request(TrackPrompt(0, [2]), top_k=1, max_attempts=2, novelty_threshold=0.5)
    with pytest.raises(NoAcceptableCandidate) as caught:
        engine.session(once, strict).run()
    assert "novelty 2 times" in str(caught.value)
    assert "100% of the notes are those that stood there before (limit 50%)" in str(caught.value)
    assert caught.value.reasons == {"novelty": 2} and caught.value.last[0].bar == 2


def test_d22_nothing_is_lost_when_a_step_does_not_fit(engine, score, monkeypatch):
    """The second step's prompt overflows: the first step's bar is in the partial score."""
    from midigpt_nb.errors import ContextOverflow
    from midigpt_nb.inference.planning import Planner

    original = Planner.prompt

    def prompt(self, step, number, *rest, **more):
        if number == 1:
            raise ContextOverflow("too long", tokens=2000, limit=1024, step=number)
        return original(self, step, number, *rest, **more)

    monkeypatch.setattr(Planner, "prompt", prompt)
    session = engine.session(score, request(TrackPrompt(0, [2, 3, 4])))
    with pytest.raises(ContextOverflow) as caught:
        session.run()
    assert changed_cells(score, caught.value.partial) == {(0, 2)}
    assert changed_cells(score, session.run(on_failure="partial")) == {(0, 2), (0, 4)}


def test_cancelling_raises_whatever_was_asked_for_failures(engine, score):
    session = engine.session(score, request(TrackPrompt(0, [2])))
    session.cancel_event.set()
    with pytest.raises(GenerationCancelled):
        session.run(on_failure="partial")
    with pytest.raises(RequestValidationError, match="'raise', 'partial'"):
        session.run(on_failure="ignore")


def test_u6_progress_counts_bars_and_guesses_the_time(engine, score):
    session = engine.session(score, request(TrackPrompt(0, [2, 3, 4, 5])))
    assert (session.progress().bars, session.progress().n_bars) == (0, 4)
    seen = []
    for event in session.stream():
        if isinstance(event, ev.BarFinished):
            now = session.progress()
            seen.append(now.bars)
            assert now.seconds_left == pytest.approx(now.seconds / now.bars * (4 - now.bars), rel=0.2)
    assert seen == [1, 2, 3, 4] and session.progress().tokens == session.gen_count
