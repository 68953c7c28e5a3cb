"""A real kernel without a browser: messages over its sockets while a cell runs. For ipykernel 6 and 7."""

from __future__ import annotations

import queue
import time
from pathlib import Path

import pytest

from midigpt_nb.widgets.protocol import events_of, unpack_notes

manager = pytest.importorskip("jupyter_client.manager")
pytestmark = pytest.mark.timeout(240)

SETUP = f"""
import sys, time
sys.path.insert(0, {str(Path(__file__).parent)!r})
from fakes import FakeEngine
import midigpt_nb as mg
score = mg.Score.example()
editor = mg.InfillEditor(score, FakeEngine(pause=0.1))
editor.select(1, range(4, 8))
editor
"""


class Kernel:
    """A kernel and everything it says."""

    def __init__(self):
        self.manager = manager.KernelManager(kernel_name="python3")  # this very Python
        self.manager.start_kernel()
        self.client = self.manager.blocking_client()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=120)
        self.heard = []
        info = self.ask(self.client.kernel_info(), self.client.get_shell_msg)
        self.has_subshells = "kernel subshells" in info["content"].get("supported_features", [])

    def ask(self, message_id, get):
        while True:
            message = get(timeout=120)
            if message["parent_header"].get("msg_id") == message_id:
                return message

    def listen(self, until, timeout=60):
        """Collect what comes until `until` holds for one of the messages; that message."""
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            try:
                message = self.client.get_iopub_msg(timeout=1)
            except queue.Empty:
                continue
            self.heard.append(message)
            if until(message):
                return message
        raise AssertionError([m["header"]["msg_type"] for m in self.heard[-20:]])

    def run(self, code):
        """Execute a cell to its end; its messages."""
        first = len(self.heard)
        message_id = self.client.execute(code)
        self.listen(lambda m: is_idle(m, message_id))
        messages = self.heard[first:]
        errors = [m["content"] for m in messages if m["header"]["msg_type"] == "error"]
        assert not errors, errors
        return messages

    def subshell(self):
        message = self.client.session.msg("create_subshell_request", {})
        self.client.control_channel.send(message)
        reply = self.ask(message["header"]["msg_id"], self.client.get_control_msg)
        return reply["content"]["subshell_id"]

    def page_says(self, comm, content, subshell=None):
        """Send what the page would send."""
        message = self.client.session.msg(
            "comm_msg", {"comm_id": comm, "data": {"method": "custom", "content": content}}
        )
        if subshell is not None:
            message["header"]["subshell_id"] = subshell
        self.client.shell_channel.send(message)


def is_idle(message, parent):
    return (
        message["header"]["msg_type"] == "status"
        and message["content"]["execution_state"] == "idle"
        and message["parent_header"].get("msg_id") == parent
    )


def events(message):
    """The events of a job in a message, each with its buffers."""
    content = custom(message)
    return events_of(content, message["buffers"]) if content.get("k") == "ev" else []


def kinds(message):
    return [event["ev"] for event, _ in events(message)]


def custom(message):
    if message["header"]["msg_type"] != "comm_msg":
        return {}
    return message["content"]["data"].get("content", {})


@pytest.fixture(scope="module")
def kernel():
    running = Kernel()
    yield running
    running.client.stop_channels()
    running.manager.shutdown_kernel(now=True)


@pytest.fixture(scope="module")
def comm(kernel):
    """Id of the editor's comm, from the displayed widget."""
    messages = kernel.run(SETUP)
    shown = next(m["content"]["data"] for m in messages if m["header"]["msg_type"] == "execute_result")
    assert "image/png" in shown and shown["text/plain"].startswith("InfillEditor(4 tracks")
    assert not [m for m in messages if m["header"]["msg_type"] == "stream"]
    return shown["application/vnd.jupyter.widget-view+json"]["model_id"]


def test_notes_arrive_while_a_cell_runs(kernel, comm):
    cell = kernel.client.execute("job = editor.generate()\ntime.sleep(3)\nafter = job.status")
    done = kernel.listen(lambda m: "done" in kinds(m) or is_idle(m, cell))
    assert "done" in kinds(done)  # before the cell has ended
    heard = [event for m in kernel.heard for event in events(m)]
    assert sum(len(unpack_notes(buffers[0])) for event, buffers in heard if event["ev"] == "notes") == 4
    kernel.listen(lambda m: is_idle(m, cell))
    messages = kernel.run("print(job.status, editor.undo(), editor.to_midi() == score.to_midi())")
    assert [m["content"]["text"] for m in messages if m["header"]["msg_type"] == "stream"] == [
        "done True True\n"
    ]


def test_a_request_is_answered_while_a_cell_runs(kernel, comm):
    if not kernel.has_subshells:
        pytest.skip("this ipykernel has no helper threads")
    subshell = kernel.subshell()
    kernel.run("editor.loop = [0, 4]")  # the main thread is the last to have sent something
    cell = kernel.client.execute("time.sleep(4)")
    time.sleep(0.5)
    kernel.page_says(comm, {"v": 1, "k": "sync", "id": "a", "job": None, "have": 0}, subshell)
    answer = kernel.listen(lambda m: custom(m).get("id") == "a" or is_idle(m, cell))
    assert custom(answer) == {"v": 1, "k": "ok", "id": "a", "job": None}
    kernel.listen(lambda m: is_idle(m, cell))


def test_stop_is_heard_while_the_kernel_generates(kernel, comm):
    kernel.run("job = editor.generate([(t, b) for t in range(4) for b in range(16)])")
    kernel.listen(lambda m: "notes" in kinds(m))
    kernel.page_says(comm, {"v": 1, "k": "cancel", "id": "b"})
    kernel.listen(lambda m: "cancelled" in kinds(m), timeout=10)
    kernel.run("assert job.status == 'cancelled' and editor.score == score")


def test_requests_are_answered_when_the_kernel_has_no_helper_threads(kernel, comm):
    kernel.client.execute("time.sleep(1)")
    for i in range(5):
        kernel.page_says(comm, {"v": 1, "k": "undo", "id": f"q{i}"})
    kernel.listen(lambda m: custom(m).get("id") == "q4")
    assert [custom(m)["id"] for m in kernel.heard if custom(m).get("id", "").startswith("q")] == [
        f"q{i}" for i in range(5)
    ]
