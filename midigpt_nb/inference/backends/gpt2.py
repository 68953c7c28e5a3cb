"""GPT-2 (pre-norm, learned positions, untied head) in plain torch with an explicit key/value cache."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray

from midigpt_nb.errors import CheckpointError
from midigpt_nb.inference.checkpoint import Checkpoint, GPT2Shape
from midigpt_nb.inference.torch_import import torch

__all__ = ["GPT2Backend", "GPT2Decoding", "from_checkpoint"]

F = torch.nn.functional
_EPS = 1e-5
_DTYPES = {
    None: torch.float32,
    "float32": torch.float32,
    "bfloat16": torch.bfloat16,
    "float16": torch.float16,
}
# Below this many multiplications per call a second thread brings little, and costs a lot when the other core
# is busy.
_THREAD_WORTH = 2e9


def from_checkpoint(
    checkpoint: Checkpoint, device: str | None = None, dtype: str | None = None
) -> GPT2Backend:
    """Build the network on a device ("cpu" when None, "auto" picks the fastest present) in a dtype
    (float32 when None).
    """
    if dtype not in _DTYPES:
        raise CheckpointError(f"dtype {dtype!r} is unknown; allowed: {', '.join(repr(d) for d in _DTYPES)}")
    return GPT2Backend(checkpoint.shape, checkpoint.arrays, _device(device), _DTYPES[dtype])


def _device(name: str | None) -> torch.device:
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    present = {
        "cpu": 1,
        "cuda": torch.cuda.device_count(),
        "mps": int(torch.backends.mps.is_available()),
    }
    try:
        device = torch.device(name or "cpu")
    except (RuntimeError, TypeError) as error:
        known = ", ".join(repr(kind) for kind in ("auto", *present))
        raise CheckpointError(f"device {name!r} is unknown; known: {known}") from error
    if (device.index or 0) >= present.get(device.type, 0):
        here = ", ".join(repr(kind) for kind, n in present.items() if n)
        raise CheckpointError(f"device {name!r} is not available here; available: {here}")
    return device


@contextmanager
def _threads(work: float) -> Iterator[None]:
    """One thread for small products, the caller's setting for large ones; the setting is put back."""
    before = torch.get_num_threads()
    if work >= _THREAD_WORTH or before == 1:
        yield
        return
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


class _Layer:
    """The arrays of one block, ready to use."""

    __slots__ = ("b_attn", "b_fc", "b_out", "b_proj", "ln1", "ln2", "w_attn", "w_fc", "w_out", "w_proj")

    def __init__(self, arrays: dict[str, torch.Tensor], prefix: str) -> None:
        def get(name: str) -> torch.Tensor:
            return arrays[prefix + name]

        self.ln1 = (get("ln_1.weight"), get("ln_1.bias"))
        self.ln2 = (get("ln_2.weight"), get("ln_2.bias"))
        self.w_attn, self.b_attn = get("attn.c_attn.weight"), get("attn.c_attn.bias")
        self.w_proj, self.b_proj = get("attn.c_proj.weight"), get("attn.c_proj.bias")
        self.w_fc, self.b_fc = get("mlp.c_fc.weight"), get("mlp.c_fc.bias")
        # Stored output-major: with few outputs a single row is faster this way round.
        self.w_out, self.b_out = get("mlp.c_proj.weight").t().contiguous(), get("mlp.c_proj.bias")


class GPT2Backend:
    """A loaded GPT-2. Holds weights only; caches belong to the decodings it starts."""

    def __init__(
        self,
        shape: GPT2Shape,
        arrays: dict[str, NDArray[np.float32]],
        device: torch.device,
        dtype: torch.dtype,
    ) -> None:
        tensors = {n: torch.from_numpy(np.ascontiguousarray(a)).to(device, dtype) for n, a in arrays.items()}
        self.shape = shape
        self.vocab_size = shape.vocab_size
        self.max_context = shape.n_positions
        self.torch_device = device
        self.device = str(device)
        self.dtype = dtype
        self.wte, self.wpe = tensors["transformer.wte.weight"], tensors["transformer.wpe.weight"]
        self.ln_f = (tensors["transformer.ln_f.weight"], tensors["transformer.ln_f.bias"])
        self.head = tensors["lm_head.weight"].t()
        self.layers = [_Layer(tensors, f"transformer.h.{i}.") for i in range(shape.n_layer)]
        self.n_parameters = sum(int(t.numel()) for t in tensors.values())
        # A chunk should take about a tenth of a second on a slow machine, so that cancelling is felt at once.
        self.prefill_chunk = int(min(512, max(16, 4e9 / self.n_parameters)))

    def start(self, rows: int = 1) -> GPT2Decoding:
        """An empty decoding of `rows` sequences."""
        return GPT2Decoding(self, rows)


class GPT2Decoding:
    """Sequences in progress: a cache of keys and values for everything fed so far."""

    def __init__(self, backend: GPT2Backend, rows: int = 1) -> None:
        self.backend = backend
        self.rows = rows
        self._length = 0
        shape = backend.shape
        head = shape.n_embd // shape.n_head
        size = (shape.n_layer, 2, rows, shape.n_head, shape.n_positions, head)
        # Untouched pages of an empty tensor cost no memory.
        self._cache = torch.empty(size, dtype=backend.dtype, device=backend.torch_device)

    @property
    def length(self) -> int:
        """Tokens fed so far, per row."""
        return self._length

    def rewind(self, length: int) -> None:
        """Forget everything after the first `length` tokens (the cache keeps its memory)."""
        if not 0 <= length <= self._length:
            raise ValueError(f"cannot rewind to {length}: {self._length} tokens were fed")
        self._length = length

    def expanded(self, rows: int) -> GPT2Decoding:
        """A copy in which the first row is repeated `rows` times."""
        copy = GPT2Decoding(self.backend, rows)
        copy._length = self._length
        copy._cache[..., : self._length, :] = self._cache[:, :, :1, :, : self._length]
        return copy

    def keep(self, rows: Sequence[int]) -> None:
        """Go on with the rows listed, in that order."""
        self._cache = self._cache[:, :, list(rows)]
        self.rows = len(rows)

    def feed(self, tokens: NDArray[np.int64], positions: NDArray[np.int64]) -> None:
        """Append tokens (rows, k) at positions (k,)."""
        self._forward(tokens, positions)

    def logits(self, tokens: NDArray[np.int64], positions: NDArray[np.int64]) -> NDArray[np.float32]:
        """Append tokens; (rows, vocab) float32 logits of the next one."""
        with torch.inference_mode(), _threads(0):
            x = self._forward(tokens, positions)
            x = F.layer_norm(x, (x.shape[-1],), *self.backend.ln_f, _EPS)
            return torch.mm(x, self.backend.head).float().cpu().numpy()

    def _forward(self, tokens: NDArray[np.int64], positions: NDArray[np.int64]) -> torch.Tensor:
        """Run the blocks; the hidden state of each row's last token, (rows, width)."""
        backend = self.backend
        rows, k = tokens.shape
        start, end = self._length, self._length + k
        if end > backend.max_context:
            raise ValueError(f"{end} tokens do not fit the model's {backend.max_context} positions")
        with torch.inference_mode(), _threads(float(rows * k) * backend.n_parameters):
            ids = torch.from_numpy(np.ascontiguousarray(tokens)).to(backend.torch_device)
            places = torch.from_numpy(np.ascontiguousarray(positions)).to(backend.torch_device)
            x = F.embedding(ids, backend.wte) + F.embedding(places, backend.wpe)
            x = x.view(rows * k, -1)
            mask = self._causal(start, k)
            for i, layer in enumerate(backend.layers):
                x = self._block(i, layer, x, rows, k, start, mask)
            self._length = end
            return x.view(rows, k, -1)[:, -1]

    def _causal(self, start: int, k: int) -> torch.Tensor | None:
        """Which cached keys each of the k new tokens may see; None when all of them may."""
        if k == 1:
            return None
        device = self.backend.torch_device
        return torch.ones(k, start + k, dtype=torch.bool, device=device).tril_(diagonal=start)

    def _block(
        self, i: int, layer: _Layer, x: torch.Tensor, rows: int, k: int, start: int, mask: torch.Tensor | None
    ) -> torch.Tensor:
        width = x.shape[-1]
        cache = self._cache[i]
        heads, head = cache.shape[2], cache.shape[4]
        qkv = torch.addmm(layer.b_attn, F.layer_norm(x, (width,), *layer.ln1, _EPS), layer.w_attn)
        split = qkv.view(rows, k, 3, heads, head).permute(2, 0, 3, 1, 4)
        cache[:, :, :, start : start + k] = split[1:]
        seen = cache[:, :, :, : start + k]
        y = F.scaled_dot_product_attention(split[0], seen[0], seen[1], attn_mask=mask)
        y = y.transpose(1, 2).reshape(rows * k, width)
        x = torch.addmm(layer.b_proj, y, layer.w_proj).add_(x)
        h = torch.addmm(layer.b_fc, F.layer_norm(x, (width,), *layer.ln2, _EPS), layer.w_fc)
        return F.linear(F.gelu(h, approximate="tanh"), layer.w_out, layer.b_out).add_(x)
