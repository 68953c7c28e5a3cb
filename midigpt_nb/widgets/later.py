"""A call that is made a moment later, by a thread where there are threads."""

from __future__ import annotations

import threading
from collections.abc import Callable

__all__ = ["Later"]


class Later:
    """Makes one call at a time, `seconds` after it was asked for. Usable from any thread.

    >>> later = Later(lambda: print("now"))
    >>> later.ask(0.0), later.ask(5.0)  # the second changes nothing while the first is due
    (True, True)
    """

    def __init__(self, call: Callable[[], None]) -> None:
        self._call = call
        self._timer: threading.Timer | None = None
        self._lock = threading.Lock()

    @property
    def due(self) -> bool:
        """Whether the call is still to come."""
        return self._timer is not None

    def ask(self, seconds: float, *, again: bool = False) -> bool:
        """Call after `seconds`, unless a call is due already; with `again` that one is put off.

        False where nothing can call later (no threads, or an interpreter that ends): do it now, or never.
        """
        with self._lock:
            if self._timer is not None:
                if not again:
                    return True
                self._timer.cancel()
            timer = self._timer = threading.Timer(max(0.0, seconds), self._now)
            timer.daemon = True
            try:
                timer.start()
            except RuntimeError:
                self._timer = None
            return self._timer is not None

    def cancel(self) -> None:
        """Forget the call that is due, if any."""
        with self._lock:
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None

    def _now(self) -> None:
        with self._lock:
            if self._timer is not threading.current_thread():  # put off or forgotten meanwhile
                return
            self._timer = None
        self._call()
