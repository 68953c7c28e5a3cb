"""A call that is made a moment later."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest
from fakes import eventually

from midigpt_nb.widgets.later import Later


def test_one_call_is_due_at_a_time() -> None:
    calls: list[float] = []
    later = Later(lambda: calls.append(time.monotonic()))
    assert later.ask(0.02) and later.ask(0.0) and later.due
    eventually(lambda: len(calls), 1)
    assert not later.due and later.ask(0.0)
    eventually(lambda: len(calls), 2)


def test_it_can_be_put_off_and_forgotten() -> None:
    calls: list[float] = []
    later = Later(lambda: calls.append(time.monotonic()))
    began = time.monotonic()
    for _ in range(3):
        later.ask(0.1, again=True)
        time.sleep(0.05)
    eventually(lambda: len(calls), 1)
    assert calls[0] - began > 0.19
    later.ask(0.02)
    later.cancel()
    time.sleep(0.06)
    assert len(calls) == 1 and not later.due


def test_without_threads_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_self: Any) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    later = Later(lambda: None)
    assert not later.ask(0.01) and not later.due
