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

__all__ = ["BACKENDS", "Backend", "Decoding", "Ids", "Prefix", "load_backend"]

Ids = NDArray[np.int64]


class Prefix(Protocol):
    """What a row was fed, frozen: rows of any decoding of the same backend, on any thread, may begin with
    it or with a beginning of it.
    """

    length: int
    n_bytes: int


class Decoding(Protocol):
    """Sequences in progress, one per row. Rows are ragged: each has its own length, its own positions, and
    may be fed another number of tokens than its neighbours. Rows come (`add`) and go (`drop`) at any time. A
    decoding belongs to one thread and shares nothing that changes with another one.
    """

    @property
    def lengths(self) -> list[int]:
        """Tokens fed so far, per row (hidden ones were never fed)."""

    def add(self, prefix: Prefix | None = None, length: int | None = None) -> int:
        """A further row, the last one; its index. It starts with the first `length` tokens of `prefix` (all
        of them when None), or empty.
        """

    def drop(self, row: int) -> None:
        """Forget a row; the last row takes its place and its index."""

    def feed(self, row: int, tokens: Ids, positions: Ids) -> None:
        """Append tokens (k,) at positions (k,) to one row without asking for a prediction."""

    def logits(self, tokens: Sequence[Ids], positions: Sequence[Ids], first: int = 0) -> NDArray[np.float32]:
        """Append tokens to rows `first`, `first` + 1, ..., one array (k,) of at least one token per row;
        (rows, vocab) logits of what follows the last token of each. Valid until the next call.
        """

    def each(self, row: int, tokens: Ids, positions: Ids) -> NDArray[np.float32]:
        """Append tokens (k,) to one row; (k, vocab) logits of what follows each of them."""

    def prefix(self, row: int) -> Prefix:
        """A frozen copy of what a row was fed so far."""


class Backend(Protocol):
    """A loaded model. Immutable; any number of decodings may run at once.

    What a row is told never depends on the rows beside it, except that sums of floating-point numbers may
    be taken in another order (relative differences of about 1e-6).
    """

    vocab_size: int
    max_context: int
    device: str
    prefill_chunk: int  # tokens of a prompt to feed between two looks at the cancel flag
    # Read in portions of at least so many tokens (and, where the second is not 1, of exactly as many as that,
    # the last one aside), a prompt leaves the same behind to the last bit.
    least_portion: int
    portion_grid: int

    def start(self, rows: int = 0) -> Decoding:
        """A decoding with `rows` empty rows."""

    def fingerprint(self) -> str:
        """A text that tells this model from any other: the same weights, the same text."""


BACKENDS: dict[str, str] = {"gpt2": "midigpt_nb.inference.backends.gpt2:from_checkpoint"}


def load_backend(checkpoint: Checkpoint, device: str | None = None, dtype: str | None = None) -> Backend:
    """The backend for a checkpoint's architecture; an unknown one raises `CheckpointError`."""
    try:
        module, function = BACKENDS[checkpoint.arch].split(":")
    except KeyError:
        raise CheckpointError(f"no backend for {checkpoint.arch!r}; known: {', '.join(BACKENDS)}") from None
    build: Callable[..., Any] = getattr(import_module(module), function)
    return build(checkpoint, device=device, dtype=dtype)
