"""When a call has to stop: it was cancelled, or its budget of tokens or seconds is used up."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from midigpt_nb.inference.config import InferenceConfig

__all__ = ["CallLimits"]


class CallLimits:
    """Shared by everything one call of `run`, `stream` or `takes` does. The clock starts when it is made.

    `tokens` counts everything that was written: all takes, steps and attempts.
    """

    def __init__(self, cancelled: Callable[[], bool], max_tokens: int = 0, max_seconds: float = 0.0) -> None:
        self._cancelled = cancelled
        self._max_tokens, self._max_seconds = max_tokens, max_seconds
        self._began = time.perf_counter()
        self.tokens = 0
        self.on_tokens: Callable[[int], None] | None = None  # told the sum after every spending

    @classmethod
    def of(cls, config: InferenceConfig, cancelled: Callable[[], bool]) -> CallLimits:
        """The limits that the settings ask for."""
        return cls(cancelled, config.max_tokens, config.max_seconds)

    @property
    def seconds(self) -> float:
        """Time since the call began."""
        return time.perf_counter() - self._began

    def spend(self, tokens: int) -> None:
        """So many tokens were written."""
        self.tokens += tokens
        if self.on_tokens is not None:
            self.on_tokens(self.tokens)

    def stop(self) -> str | None:
        """``"cancelled"``, ``"budget"``, or None to go on. Asked once per round of the decode loop."""
        if self._cancelled():
            return "cancelled"
        if self._max_tokens and self.tokens >= self._max_tokens:
            return "budget"
        if self._max_seconds and self.seconds >= self._max_seconds:
            return "budget"
        return None

    def used_up(self) -> str:
        """What the budget was, in words."""
        parts = []
        if self._max_tokens and self.tokens >= self._max_tokens:
            parts.append(f"max_tokens={self._max_tokens}")
        if self._max_seconds and self.seconds >= self._max_seconds:
            parts.append(f"max_seconds={self._max_seconds:g}")
        return " and ".join(parts) or "the budget"
