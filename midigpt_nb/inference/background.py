"""Sessions in asyncio programs: the work runs in a thread of its own, the events arrive in the loop."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from typing import TypeVar

__all__ = ["Flag", "in_background"]

T = TypeVar("T")


class Flag:
    """A cancel flag that is set when either of two is: the session's own, or that of one call."""

    def __init__(self, outer: Callable[[], bool]) -> None:
        self._outer, self._own = outer, threading.Event()

    def set(self) -> None:
        self._own.set()

    def is_set(self) -> bool:
        return self._own.is_set() or self._outer()


async def in_background(items: Callable[[], Iterator[T]], stop: Callable[[], None]) -> AsyncIterator[T]:
    """The items of an iterator that is run in a thread. When the consumer goes away or is cancelled, `stop`
    is called and the thread is waited for, so that nothing runs on unseen.
    """
    loop = asyncio.get_running_loop()
    queue: asyncio.Queue[tuple[str, T | BaseException | None]] = asyncio.Queue()

    def post(kind: str, value: T | BaseException | None) -> None:
        if not loop.is_closed():
            loop.call_soon_threadsafe(queue.put_nowait, (kind, value))

    def work() -> None:
        try:
            for item in items():
                post("item", item)
        except BaseException as problem:  # it is raised again where it is awaited
            post("error", problem)
        else:
            post("end", None)

    thread = threading.Thread(target=work, name="midigpt-session", daemon=True)
    thread.start()
    ended = False
    try:
        while True:
            kind, value = await queue.get()
            if kind == "item":
                yield value  # type: ignore[misc]
                continue
            ended = True
            if kind == "error":
                assert isinstance(value, BaseException)
                raise value
            return
    finally:
        if not ended:
            stop()
            # Shielded: a second cancel must not leave the thread alone.
            await asyncio.shield(loop.run_in_executor(None, thread.join))
