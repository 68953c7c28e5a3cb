"""Background work without threads: in slices, between which the event loop does other things."""

from __future__ import annotations

import asyncio
import logging
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial

from midigpt_nb.inference.interrupt import ctrl_c

__all__ = ["SLICE_SECONDS", "TURN_SECONDS", "Turns", "Work", "threads_exist"]

Work = Callable[[], "Iterator[object] | None"]
"""What a worker does: a function, or one that gives an iterator whose steps are small."""

SLICE_SECONDS = 0.05
"""How long a slice may hold up the event loop."""
TURN_SECONDS = 0.01
"""A slice begins no further step after so many seconds; steps may take up to 40 ms."""

log = logging.getLogger(__name__)


def threads_exist() -> bool:
    """Whether this Python can start threads; in a browser (Pyodide, JupyterLite) it cannot."""
    return sys.platform != "emscripten"


class Turns:
    """Runs one function after the other in slices on the event loop, or as far as somebody `drive`s it.

    `next_work()` gives the next function, or None when all is done. Belongs to the only thread there is.

    >>> queue = [lambda: print("once")]
    >>> Turns(lambda: queue.pop(0) if queue else None).drive(lambda: False)
    once
    True
    """

    def __init__(self, next_work: Callable[[], Work | None]) -> None:
        self._next_work = next_work
        self._steps: Iterator[object] | None = None
        self._scheduled: asyncio.AbstractEventLoop | None = None
        self._inside = False
        self.idle = True

    def start(self) -> None:
        """There is work: go on with it as soon as the event loop is free. Without a running loop it waits
        for `drive`, or for the next `start` inside a loop.
        """
        self.idle = False
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            return
        if self._scheduled is not loop:  # a loop that has ended will not call back
            self._scheduled = loop
            loop.call_soon(partial(self._slice, loop))

    def drive(self, done: Callable[[], bool], timeout: float | None = None) -> bool:
        """Work here and now until ``done()`` or nothing is left to do; False when `timeout` seconds passed
        before. Raises RuntimeError when the work itself asks for that.
        """
        if self._inside:
            raise RuntimeError("a job cannot be waited for from inside a job where there are no threads")
        self.start()
        end = None if timeout is None else time.monotonic() + timeout
        with ctrl_c(lambda: None) as pressed:
            while not done() and not self.idle:
                if end is not None and time.monotonic() >= end:
                    return False
                self._step()
                if pressed():
                    raise KeyboardInterrupt("stopped while waiting for a job")
        return done() or self.idle

    def _slice(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._scheduled is not loop:
            return
        self._scheduled = None
        end = time.perf_counter() + TURN_SECONDS
        while not self.idle and not self._inside:
            self._step()
            if time.perf_counter() >= end:
                break
        if not self.idle:
            self.start()

    def _step(self) -> None:
        """The smallest piece of work there is."""
        self._inside = True
        try:
            if self._steps is None:
                work = self._next_work()
                if work is None:
                    self.idle = True
                    return
                self._steps = work()
            if self._steps is not None and next(self._steps, self) is self:
                self._steps = None
        except Exception:  # the outermost rim: there is no caller to tell, and the next job must run
            self._steps = None
            log.exception("background work failed")
        finally:
            self._inside = False
