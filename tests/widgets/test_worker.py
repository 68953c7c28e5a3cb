"""The worker: order, failures, no thread left over."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from types import SimpleNamespace

from midigpt_nb.widgets.worker import Worker, in_notebook, new_thread


def test_work_runs_in_order_on_one_thread_and_the_thread_ends():
    worker, seen = Worker("order"), []
    for i in range(50):
        worker.submit(lambda i=i: seen.append((i, threading.current_thread().name)))
    assert worker.join(10)
    assert [i for i, _ in seen] == list(range(50)) and {name for _, name in seen} == {"order"}
    deadline = time.monotonic() + 5
    while any(t.name == "order" for t in threading.enumerate()):
        assert time.monotonic() < deadline
    assert not worker.busy


def test_work_that_raises_does_not_stop_the_next(caplog):
    worker, seen = Worker("fails"), []
    worker.submit(lambda: 1 / 0)
    worker.submit(lambda: seen.append("next"))
    assert worker.join(10)
    assert seen == ["next"] and "ZeroDivisionError" in caplog.text


def test_submitting_from_many_threads_loses_nothing():
    worker, seen = Worker("many"), []

    def submit():
        for _ in range(200):
            worker.submit(lambda: seen.append(1))

    threads = [threading.Thread(target=submit) for _ in range(4)]
    [t.start() for t in threads]
    [t.join() for t in threads]
    assert worker.join(10) and len(seen) == 800


def test_a_worker_can_feed_itself():
    worker, seen = Worker("again"), []
    worker.submit(lambda: worker.submit(lambda: seen.append("second")))
    assert worker.join(10) and seen == ["second"]


def test_marimo_gets_its_own_kind_of_thread(monkeypatch):
    class MarimoThread(threading.Thread):
        pass

    marimo = SimpleNamespace(Thread=MarimoThread, running_in_notebook=lambda: True)
    monkeypatch.setitem(sys.modules, "marimo", marimo)
    assert isinstance(new_thread(print, "x"), MarimoThread)
    assert in_notebook()
    marimo.running_in_notebook = lambda: False
    assert not in_notebook()
    assert not isinstance(new_thread(print, "x"), MarimoThread)


def test_a_program_that_ends_waits_for_its_workers():
    program = """
import time
from midigpt_nb import _core, Score
from midigpt_nb.widgets.worker import Worker

data = Score.example().to_midi()
worker = Worker("busy")
end = time.monotonic() + 0.7

def read_on_and_on():
    while time.monotonic() < end:
        _core.read_midi(data)  # outside the interpreter's lock most of the time
    print("finished", flush=True)

worker.submit(read_on_and_on)
worker.submit(lambda: print("never", flush=True))
time.sleep(0.05)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "finished\n", "")
