"""The built page and the real editor over a wire: sessions (M4), coming back (O5), how much is said (M8)."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from typing import Any

import comm
import pytest
import sessions
from bridge import Bridge, RecordingComm

from midigpt_nb import InfillEditor, Score

pytestmark = [pytest.mark.browser, pytest.mark.model, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def engine() -> Any:
    pytest.importorskip("torch")
    from midigpt_nb.inference import InferenceEngine

    return InferenceEngine.from_pretrained()


@pytest.fixture
def tab(chromium: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setattr(comm, "create_comm", RecordingComm)
    context = chromium.new_context(viewport={"width": 1240, "height": 900})
    page = context.new_page()
    page.problems = []
    page.on("pageerror", lambda error: page.problems.append(str(error)))
    page.on("console", lambda m: page.problems.append(m.text) if m.type == "error" else None)
    yield page
    context.close()


@pytest.mark.parametrize(
    "seed",
    [
        pytest.param(2, id="an answer that came after its snapshot"),
        pytest.param(3, id="the last word of a job was lost"),
    ],
)
def test_m4_random_sessions_over_a_bad_wire_end_equal(tab: Any, engine: Any, seed: int) -> None:
    session = sessions.play(tab, seed, engine, tab.problems, steps=15)
    assert session.bridge.messages > 20


def test_o5_a_page_that_comes_back_finds_takes_and_a_running_job(tab: Any, engine: Any) -> None:
    editor = InfillEditor(Score.example(), engine)
    editor.generate([(1, 4), (1, 5)], takes=3, model_dim=4, seed=1).result(60)
    editor.plan = {"roles": {"2": {"track": "ignore"}}}
    editor.set_curve("note_density", 1, range(4, 6), [2, 6])
    wire = Bridge(tab, editor)
    wire.open()
    job = editor.generate([(t, b) for t in (0, 1, 3) for b in range(16)], model_dim=4, bars_per_step=1)
    wire.until(lambda: editor._feeds[job.id].n_finished > 1, 60)
    wire.close(wire.tabs[0])
    assert not job.done
    began = time.monotonic()
    again = wire.open()
    there = "handle.state().job?.provisional > 0 && root.querySelectorAll('.mgnb-take').length >= 3"
    wire.until(lambda: wire.js(again, there), 30)
    seconds = time.monotonic() - began
    state = wire.js(again, "handle.state()")
    assert state["job"]["id"] == job.id and state["job"]["finished"] > 0
    assert wire.trait(again, "attributes") == editor.attributes and wire.trait(again, "plan") == editor.plan
    print(f"document, plan, curves, takes and the running job: {seconds:.2f} s after the reload")
    busy = max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))  # others use this machine, too
    assert seconds <= 2.0 * busy
    editor.cancel()
    wire.settle()
    editor.close()
    assert tab.problems == []


@pytest.mark.xfail(
    reason="a fast model ends 17 bars a second, and each is told by a message or two of its own"
)
def test_m8_a_job_says_less_than_40_things_a_second(engine: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(comm, "create_comm", RecordingComm)
    for takes in (1, 9):
        editor = InfillEditor(Score.example(), engine)
        editor._analysis.join(20)
        sent = editor.comm.sent
        first, began = len(sent), time.monotonic()
        job = editor.generate([(t, b) for t in (0, 1, 3) for b in range(4, 8)], takes=takes, model_dim=8)
        job.result(120)
        seconds = time.monotonic() - began
        said = [data for data, _, _ in sent[first:]]
        largest = max(sum(len(b) for b in buffers) for _, buffers, _ in sent[first:])
        print(f"{takes} takes: {len(said) / seconds:.1f} messages/s, largest {largest} bytes")
        assert len(said) / seconds < 40 and largest < 2 << 20
        editor.close()
