"""One background thread per engine, fed first in, first out. The thread lives only while there is work.
Where there are no threads, work is done in slices on the event loop (`turns`).
"""

from __future__ import annotations

import atexit
import logging
import sys
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable

from midigpt_nb.widgets.turns import Turns, Work, threads_exist

__all__ = ["EXIT_SECONDS", "Worker", "in_notebook", "new_thread"]

EXIT_SECONDS = 5.0
"""How long a program that ends waits for what its workers are doing."""

log = logging.getLogger(__name__)


def _in_marimo() -> bool:
    marimo = sys.modules.get("marimo")
    return marimo is not None and bool(marimo.running_in_notebook())


def in_notebook() -> bool:
    """Whether somebody can see a widget: this is a notebook's kernel and not a script."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return getattr(shell, "kernel", None) is not None or _in_marimo()


def new_thread(target: Callable[[], None], name: str) -> threading.Thread:
    """A daemon thread of the kind the host wants: marimo tells its cells apart by its own thread type."""
    kind = sys.modules["marimo"].Thread if _in_marimo() else threading.Thread
    return kind(target=target, name=name, daemon=True)


class Worker:
    """Runs functions one after the other on a background thread.

    The thread starts with the first function and ends with the last, so nothing is left over when a job is
    done or cancelled. Functions report their own failures; one that raises is logged and does not stop the
    others. A function may give an iterator; it is run to its end. When no thread can be started, the steps of
    such an iterator are done in slices on the event loop, and `patient` says so.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._queue: deque[Work] = deque()
        self._lock = threading.RLock()
        self._idle = threading.Condition(self._lock)
        self._thread: threading.Thread | None = None
        self._turns = Turns(self._next)
        _workers.add(self)

    @property
    def busy(self) -> bool:
        """Whether something is being done."""
        with self._lock:
            return self._thread is not None or not self._turns.idle

    @property
    def patient(self) -> bool:
        """Whether work is done in slices: there are no threads."""
        return not self._turns.idle

    def submit(self, work: Work) -> None:
        """Queue `work`; returns at once."""
        with self._lock:
            self._queue.append(work)
            if self._thread is not None:
                return
            if self._turns.idle and threads_exist():
                self._thread = new_thread(self._run, self.name)
                try:
                    self._thread.start()
                    return
                except RuntimeError:  # "can't start new thread"
                    self._thread = None
            self._turns.start()

    def drop(self) -> None:
        """Forget what waits; what runs goes on."""
        with self._lock:
            self._queue.clear()

    def join(self, timeout: float | None = None) -> bool:
        """Wait until everything queued has run; False on timeout."""
        if self.patient:
            return self._turns.drive(lambda: False, timeout)
        with self._lock:
            return self._idle.wait_for(lambda: self._thread is None, timeout)

    def drive(self, done: Callable[[], bool], timeout: float | None = None) -> bool | None:
        """Without threads: do the work in the caller's own time until ``done()``; False when `timeout`
        seconds passed before. With a thread: None, at once.
        """
        return self._turns.drive(done, timeout) if self.patient else None

    def _next(self) -> Work | None:
        with self._lock:
            return self._queue.popleft() if self._queue else None

    def _run(self) -> None:
        while True:
            with self._lock:
                if not self._queue:
                    self._thread = None
                    self._idle.notify_all()
                    return
                work = self._queue.popleft()
            try:
                for _ in work() or ():
                    pass
            except Exception:  # the outermost rim: there is no caller to tell, and the next job must run
                log.exception("background work failed")
            del work


_workers: weakref.WeakSet[Worker] = weakref.WeakSet()


@atexit.register
def _finish() -> None:
    """Let workers end before the interpreter does: a thread that comes back from compiled code to an
    interpreter that is gone would abort the process.
    """
    deadline = time.monotonic() + EXIT_SECONDS
    for worker in list(_workers):
        worker.drop()
    for worker in list(_workers):
        worker.join(max(0.0, deadline - time.monotonic()))
