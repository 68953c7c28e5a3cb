"""One background thread per engine, fed first in, first out. The thread lives only while there is work."""

from __future__ import annotations

import atexit
import logging
import sys
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable

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
    others.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._queue: deque[Callable[[], None]] = deque()
        self._lock = threading.Lock()
        self._idle = threading.Condition(self._lock)
        self._thread: threading.Thread | None = None
        _workers.add(self)

    @property
    def busy(self) -> bool:
        """Whether the thread runs."""
        with self._lock:
            return self._thread is not None

    def submit(self, work: Callable[[], None]) -> None:
        """Queue `work`; returns at once."""
        with self._lock:
            self._queue.append(work)
            if self._thread is None:
                self._thread = new_thread(self._run, self.name)
                self._thread.start()

    def drop(self) -> None:
        """Forget what waits; what runs goes on."""
        with self._lock:
            self._queue.clear()

    def join(self, timeout: float | None = None) -> bool:
        """Wait until everything queued has run; False on timeout."""
        with self._lock:
            return self._idle.wait_for(lambda: self._thread is None, timeout)

    def _run(self) -> None:
        while True:
            with self._lock:
                if not self._queue:
                    self._thread = None
                    self._idle.notify_all()
                    return
                work = self._queue.popleft()
            try:
                work()
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
