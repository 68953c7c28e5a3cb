"""Ctrl-C, or a notebook's stop button, while a session writes: it stops between two tokens, so that nothing
that was finished is lost.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

__all__ = ["ctrl_c"]


@contextmanager
def ctrl_c(stop: Callable[[], None]) -> Iterator[Callable[[], bool]]:
    """In this block the first Ctrl-C calls `stop` instead of raising anywhere; a second one raises at once.
    Gives a question: was it pressed? Whoever asks must raise `KeyboardInterrupt` in the end.

    Nothing is changed outside the main thread, or where a program has its own idea of Ctrl-C.
    """
    pressed = False

    def first(number: int, frame: FrameType | None) -> None:
        nonlocal pressed
        pressed = True
        signal.signal(signal.SIGINT, signal.default_int_handler)
        stop()

    usual = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if not usual or threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    signal.signal(signal.SIGINT, first)
    try:
        yield lambda: pressed
    finally:
        if signal.getsignal(signal.SIGINT) is first:
            signal.signal(signal.SIGINT, signal.default_int_handler)
