"""What the sampler asks of a model, and the list of architectures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from midigpt_nb.errors import CheckpointError

if TYPE_CHECKING:
    from midigpt_nb.inference.checkpoint import Checkpoint

__all__ = ["BACKENDS", "Backend", "Decoding", "load_backend"]


class Decoding(Protocol):
    """One growing sequence per row, with its own cache. Two decodings never share one."""

    rows: int

    @property
    def length(self) -> int:
        """Tokens fed so far, per row (hidden ones were never fed)."""

    def feed(self, tokens: NDArray[np.int64], positions: NDArray[np.int64]) -> None:
        """Append `tokens` (rows, k) at `positions` (k,) without asking for a prediction."""

    def logits(self, tokens: NDArray[np.int64], positions: NDArray[np.int64]) -> NDArray[np.float32]:
        """Append tokens as `feed` does; (rows, vocab) logits of what follows the last one. Valid until the
        next call.
        """

    def rewind(self, length: int) -> None:
        """Forget everything after the first `length` tokens."""

    def expanded(self, rows: int) -> Decoding:
        """A copy in which the first row is repeated `rows` times."""

    def keep(self, rows: Sequence[int]) -> None:
        """Go on with some of the rows only."""


class Backend(Protocol):
    """A loaded model. Immutable; any number of decodings may run at once."""

    vocab_size: int
    max_context: int
    device: str
    prefill_chunk: int  # tokens of a prompt to feed between two looks at the cancel flag

    def start(self, rows: int = 1) -> Decoding:
        """An empty decoding."""


BACKENDS: dict[str, str] = {"gpt2": "midigpt_nb.inference.backends.gpt2:from_checkpoint"}


def load_backend(checkpoint: Checkpoint, device: str | None = None, dtype: str | None = None) -> Backend:
    """The backend for a checkpoint's architecture; an unknown one raises `CheckpointError`."""
    try:
        module, function = BACKENDS[checkpoint.arch].split(":")
    except KeyError:
        raise CheckpointError(f"no backend for {checkpoint.arch!r}; known: {', '.join(BACKENDS)}") from None
    build: Callable[..., Any] = getattr(import_module(module), function)
    return build(checkpoint, device=device, dtype=dtype)
