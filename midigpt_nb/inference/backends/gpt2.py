"""GPT-2 (pre-norm, learned positions, untied head) in plain torch with an explicit key/value cache."""

from __future__ import annotations

import hashlib
import threading
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from midigpt_nb.errors import CheckpointError
from midigpt_nb.inference.backends.attention import QUERIES_AT_ONCE, Attention
from midigpt_nb.inference.backends.base import Ids
from midigpt_nb.inference.backends.products import (
    MANY_TOKENS,
    Workspace,
    add_linear,
    by_core,
    gelu_linear,
    linear,
)
from midigpt_nb.inference.checkpoint import Checkpoint, GPT2Shape
from midigpt_nb.inference.torch_import import torch

__all__ = ["GPT2Backend", "GPT2Decoding", "GPT2Prefix", "fast_bfloat16", "from_checkpoint"]

F = torch.nn.functional
_EPS = 1e-5
_DTYPES = {
    None: torch.float32,
    "float32": torch.float32,
    "bfloat16": torch.bfloat16,
    "float16": torch.float16,
    "auto": torch.float32,  # and prompts in bfloat16 where the processor multiplies that in hardware
}
# Below this many multiplications per call a second thread brings little, and costs a lot when the other core
# is busy.
_THREAD_WORTH = 2e9
# So many rows read a prefix they share in one place; fewer are faster with a copy each.
_SHARE_FROM = 2


def from_checkpoint(
    checkpoint: Checkpoint, device: str | None = None, dtype: str | None = None
) -> GPT2Backend:
    """Build the network on a device ("cpu" when None, "auto" picks the fastest present) in a dtype
    (float32 when None).
    """
    if dtype not in _DTYPES:
        raise CheckpointError(f"dtype {dtype!r} is unknown; allowed: {', '.join(repr(d) for d in _DTYPES)}")
    where = _device(device)
    fast = fast_bfloat16(where)
    if dtype == "bfloat16" and not fast:
        text = "this processor has no bfloat16 arithmetic: expect it to be many times slower than float32"
        warnings.warn(text, UserWarning, stacklevel=2)
    return GPT2Backend(
        checkpoint.shape, checkpoint.arrays, where, _DTYPES[dtype], bf16_prompts=dtype == "auto" and fast
    )


def fast_bfloat16(device: torch.device) -> bool:
    """Whether bfloat16 products run in hardware. Emulated ones are slower than float32, by up to 40 times."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if device.type == "mps":
        return False
    probes = ("_is_amx_tile_supported", "_is_avx512_bf16_supported")
    return any(getattr(torch.cpu, probe, lambda: False)() for probe in probes)


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


class _Threads:
    """One thread for small products, the caller's own setting for large ones; it is put back afterwards.

    The setting belongs to the process: a thread that starts to use torch while another one has it lowered
    would inherit the low number for good, so what the first one found is remembered.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known = threading.local()
        self._inside = 0
        self._before = 1

    @contextmanager
    def of(self, work: float) -> Iterator[None]:
        """For a call of about `work` multiplications."""
        with self._lock:
            own = torch.get_num_threads()
            if self._inside and not hasattr(self._known, "own"):
                own = self._before
            self._known.own = own
            wanted = own if work >= _THREAD_WORTH else 1
            if not self._inside:
                self._before = own
            self._inside += 1
        if wanted != torch.get_num_threads():
            torch.set_num_threads(wanted)
        try:
            yield
        finally:
            if own != torch.get_num_threads():
                torch.set_num_threads(own)
            with self._lock:
                self._inside -= 1


_threads = _Threads()


class _Layer:
    """The arrays of one block, ready to use."""

    __slots__ = ("b_attn", "b_fc", "b_out", "b_proj", "ln1", "ln2", "w_attn", "w_fc", "w_out", "w_proj")

    def __init__(self, arrays: dict[str, torch.Tensor], prefix: str) -> None:
        def get(name: str) -> torch.Tensor:
            return arrays.pop(prefix + name)  # what is turned round below is not kept twice

        self.ln1 = (get("ln_1.weight"), get("ln_1.bias"))
        self.ln2 = (get("ln_2.weight"), get("ln_2.bias"))
        self.w_attn, self.b_attn = get("attn.c_attn.weight"), get("attn.c_attn.bias")
        self.w_proj, self.b_proj = get("attn.c_proj.weight"), get("attn.c_proj.bias")
        self.w_fc, self.b_fc = get("mlp.c_fc.weight"), get("mlp.c_fc.bias")
        # Stored output-major: with few outputs a single row is faster this way round.
        self.w_out, self.b_out = get("mlp.c_proj.weight").t().contiguous(), get("mlp.c_proj.bias")

    def to(self, dtype: torch.dtype) -> _Layer:
        """The same layer in another precision."""
        copy = object.__new__(_Layer)
        for name in self.__slots__:
            value = getattr(self, name)
            cast = tuple(v.to(dtype) for v in value) if isinstance(value, tuple) else value.to(dtype)
            setattr(copy, name, cast)
        return copy


class GPT2Backend:
    """A loaded GPT-2. Holds weights only; caches belong to the decodings it starts."""

    def __init__(
        self,
        shape: GPT2Shape,
        arrays: Mapping[str, NDArray[np.float32]],
        device: torch.device,
        dtype: torch.dtype,
        *,
        bf16_prompts: bool = False,
    ) -> None:
        # One array after the other: a model in a smaller type is never in memory in the larger one.
        tensors = {n: torch.from_numpy(np.ascontiguousarray(a)).to(device, dtype) for n, a in arrays.items()}
        self.n_parameters = sum(int(t.numel()) for t in tensors.values())
        self._fingerprint: str | None = None
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
        self.prompt_layers = [layer.to(torch.bfloat16) for layer in self.layers] if bf16_prompts else None
        # Larger chunks are faster, up to a point. One should take about a third of a second on one core, so
        # that cancelling is felt at once.
        portions = int(16e9 / self.n_parameters / QUERIES_AT_ONCE)
        self.prefill_chunk = QUERIES_AT_ONCE * min(4, max(1, portions))
        # The core takes each token's sums in one order, whatever stands beside it; torch does not.
        widths = shape.n_embd, shape.n_embd // shape.n_head
        own_sums = all(by_core(MANY_TOKENS, width, device, dtype) for width in widths)
        self.least_portion, self.portion_grid = (MANY_TOKENS, 1) if own_sums else (1, self.prefill_chunk)

    def start(self, rows: int = 0) -> GPT2Decoding:
        """A decoding with `rows` empty rows."""
        decoding = GPT2Decoding(self)
        for _ in range(rows):
            decoding.add()
        return decoding

    def fingerprint(self) -> str:
        """SHA-256 of the weights as they are used."""
        if self._fingerprint is None:
            digest = hashlib.sha256(f"gpt2 {self.shape} {self.dtype}".encode())
            for tensor in self._weights():
                digest.update(tensor.cpu().contiguous().view(torch.uint8).numpy().data)
            self._fingerprint = digest.hexdigest()
        return self._fingerprint

    def _weights(self) -> Iterator[torch.Tensor]:
        yield from (self.wte, self.wpe, *self.ln_f, self.head.t())
        for layer in self.layers:
            for name in _Layer.__slots__:
                value = getattr(layer, name)
                yield from value if isinstance(value, tuple) else (value,)


@dataclass(frozen=True)
class GPT2Prefix:
    """Keys and values of a row, (layers, 2, heads, length, width of a head). Never written to again."""

    cache: torch.Tensor

    @property
    def length(self) -> int:
        return int(self.cache.shape[3])

    @property
    def n_bytes(self) -> int:
        return self.cache.numel() * self.cache.element_size()


class GPT2Decoding:
    """Sequences in progress: a cache of keys and values for everything fed so far.

    A row that begins with a frozen prefix reads it there, and its own place in the cache stays untouched up
    to that length, as long as enough rows share it; a row that is (nearly) alone with its prefix gets a copy
    of its own, since attention over one piece of memory is faster than over two. Both are exact. What lies
    behind a row's length is finite rubbish that masks give no weight.
    """

    def __init__(self, backend: GPT2Backend) -> None:
        self.backend = backend
        self._rows: list[_Row] = []
        self._space = Workspace()
        self._cache = self._room(1)

    @property
    def lengths(self) -> list[int]:
        """Tokens fed so far, per row."""
        return [row.length for row in self._rows]

    def add(self, prefix: GPT2Prefix | None = None, length: int | None = None) -> int:
        """A further row, empty or starting as `prefix` does."""
        index, room = len(self._rows), self._cache.shape[2]
        if index == room:
            larger = self._room(max(8, 2 * room))
            for i, row in enumerate(self._rows):
                larger[:, :, i, :, row.held] = self._cache[:, :, i, :, row.held]
            self._cache = larger
        n = 0 if prefix is None else prefix.length if length is None else length
        self._rows.append(_Row(n, prefix if n else None, n, own=n == 0))
        return index

    def drop(self, row: int) -> None:
        """Forget a row; the last one takes its place."""
        last = self._rows.pop()
        if row < len(self._rows):
            self._cache[:, :, row, :, last.held] = self._cache[:, :, len(self._rows), :, last.held]
            self._rows[row] = last

    def prefix(self, row: int) -> GPT2Prefix:
        """A frozen copy of a row. From now on the row itself counts as one that starts with it."""
        r = self._rows[row]
        if r.prefix is not None and r.prefix.length == r.shared == r.length:
            return r.prefix
        held = self._cache[:, :, row, :, r.held]
        if r.own or r.prefix is None:
            frozen = GPT2Prefix(held.clone())
        else:
            frozen = GPT2Prefix(torch.cat([r.prefix.cache[..., : r.shared, :], held], dim=3))
        self._rows[row] = _Row(r.length, frozen, r.length, own=r.own)
        return frozen

    def feed(self, row: int, tokens: Ids, positions: Ids) -> None:
        """Append tokens (k,) at positions (k,) to one row."""
        with torch.inference_mode():
            self._forward(row, [np.asarray(tokens)], [np.asarray(positions)], only_cache=True)

    def logits(self, tokens: Sequence[Ids], positions: Sequence[Ids], first: int = 0) -> NDArray[np.float32]:
        """Append tokens to rows from `first` on; (rows, vocab) float32 logits of the next one of each."""
        with torch.inference_mode():
            return self._told(self._forward(first, tokens, positions))

    def each(self, row: int, tokens: Ids, positions: Ids) -> NDArray[np.float32]:
        """Append tokens (k,) to one row; (k, vocab) float32 logits of what follows each of them."""
        with torch.inference_mode():
            return self._told(
                self._forward(row, [np.asarray(tokens)], [np.asarray(positions)], every_token=True)
            )

    def _told(self, x: torch.Tensor) -> NDArray[np.float32]:
        """Logits from hidden states."""
        x = F.layer_norm(x, (x.shape[-1],), *self.backend.ln_f, _EPS)
        with _threads.of(0):
            return torch.mm(x, self.backend.head).float().cpu().numpy()

    def _room(self, rows: int) -> torch.Tensor:
        """Zeros for so many rows. Pages of the memory that are never touched cost nothing on a CPU."""
        b, shape = self.backend, self.backend.shape
        size = (shape.n_layer, 2, rows, shape.n_head, shape.n_positions, shape.n_embd // shape.n_head)
        if b.torch_device.type == "cpu" and b.dtype == torch.float32:
            return torch.from_numpy(np.zeros(size, dtype=np.float32))
        return torch.zeros(size, dtype=b.dtype, device=b.torch_device)

    def _own(self, row: int) -> None:
        """Give a row its own copy of the prefix it shares."""
        r = self._rows[row]
        if not r.own and r.prefix is not None:
            self._cache[:, :, row, :, : r.shared] = r.prefix.cache[..., : r.shared, :]
            r.own = True

    def _forward(
        self,
        first: int,
        tokens: Sequence[Ids],
        positions: Sequence[Ids],
        *,
        only_cache: bool = False,
        every_token: bool = False,
    ) -> torch.Tensor:
        """Run the blocks over the rows from `first` on; the hidden state of each row's last token, (rows,
        width), or of every token, (tokens, width). With `only_cache` the last layer only writes its keys and
        values, and nothing is returned.
        """
        b, counts = self.backend, [len(t) for t in tokens]
        rows = self._rows[first : first + len(counts)]
        end = max(row.length + k for row, k in zip(rows, counts, strict=True))
        if end > b.max_context:
            raise ValueError(f"{end} tokens do not fit the model's {b.max_context} positions")
        layers, dtype = b.layers, b.dtype
        if only_cache and b.prompt_layers is not None:
            layers, dtype = b.prompt_layers, torch.bfloat16
        groups = list(self._groups(first, rows))
        lengths = [row.length for row in rows]
        attention = last = self._attention(first, lengths, counts, groups)
        if len(rows) < sum(counts) and not (only_cache or every_token):
            before = [n + k - 1 for n, k in zip(lengths, counts, strict=True)]
            last = self._attention(first, before, [1] * len(rows), groups)
        with _threads.of(float(sum(counts)) * b.n_parameters):
            ids, places = (
                torch.from_numpy(np.concatenate(a).astype(np.int64, copy=False)).to(b.torch_device)
                for a in (tokens, positions)
            )
            x = (F.embedding(ids, b.wte) + F.embedding(places, b.wpe)).to(dtype)
            for i, layer in enumerate(layers[:-1]):
                x = self._block(i, layer, x, attention)
            i, layer = len(layers) - 1, layers[-1]
            if only_cache:
                self._keep(i, layer, x, attention)
            elif last is attention:
                x = self._block(i, layer, x, attention)
            else:
                self._keep(i, layer, x, attention)
                with _threads.of(0):  # the same sums however many tokens came before
                    x = self._block(i, layer, x[attention.last_tokens], last, keep=False)
        for row, k in zip(rows, counts, strict=True):
            row.length += k
        return x

    def _attention(
        self,
        first: int,
        lengths: Sequence[int],
        counts: Sequence[int],
        groups: Sequence[tuple[list[int], GPT2Prefix | None, int]],
    ) -> Attention:
        """What `counts` new tokens of each row may look at."""
        b = self.backend
        head = b.shape.n_embd // b.shape.n_head
        attention = Attention(first, lengths, counts, head, b.torch_device, b.dtype)
        for group, prefix, n in groups:
            attention.group(group, None if prefix is None else prefix.cache, n)
        return attention

    def _groups(self, first: int, rows: Sequence[_Row]) -> Iterator[tuple[list[int], GPT2Prefix | None, int]]:
        """Rows (counted from `first`) that read one shared prefix together; then those with a copy each."""
        together: dict[tuple[int, int], list[int]] = {}
        for i, row in enumerate(rows):
            together.setdefault((id(row.prefix), row.shared), []).append(i)
        alone: list[int] = []
        for group in together.values():
            row = rows[group[0]]
            if row.prefix is not None and len(group) >= _SHARE_FROM:
                yield group, row.prefix, row.shared
            else:
                alone += group
        for i in alone:
            self._own(first + i)
        if alone:
            yield sorted(alone), None, 0

    def _block(
        self, i: int, layer: _Layer, x: torch.Tensor, attention: Attention, *, keep: bool = True
    ) -> torch.Tensor:
        """A layer of x (tokens, width), which may be changed. Without `keep` its keys and values are in the
        cache already.
        """
        width, heads = x.shape[-1], self.backend.shape.n_head
        h = F.layer_norm(x, (width,), *layer.ln1, _EPS)
        n = 3 * width if keep else width
        qkv = linear(h, layer.w_attn[:, :n], layer.b_attn[:n], self._space).view(
            len(x), -1, heads, width // heads
        )
        if keep:
            attention.write(qkv[:, 1:], self._cache[i])
        y = attention.read(qkv[:, 0], self._cache[i], i)
        x = add_linear(x, y, layer.w_proj, layer.b_proj)
        h = gelu_linear(F.layer_norm(x, (width,), *layer.ln2, _EPS), layer.w_fc, layer.b_fc, self._space)
        return add_linear(x, h, layer.w_out.t(), layer.b_out)

    def _keep(self, i: int, layer: _Layer, x: torch.Tensor, attention: Attention) -> None:
        """Only the keys and values of a layer."""
        width, heads = x.shape[-1], self.backend.shape.n_head
        h = F.layer_norm(x, (width,), *layer.ln1, _EPS)
        kv = linear(h, layer.w_attn[:, width:], layer.b_attn[width:], self._space)
        attention.write(kv.view(len(x), 2, heads, width // heads), self._cache[i])


@dataclass
class _Row:
    """`length` tokens, of which the first `shared` are those of `prefix`; `own`: they are in the row's own
    place in the cache, too.
    """

    length: int
    prefix: GPT2Prefix | None
    shared: int
    own: bool

    @property
    def held(self) -> slice:
        """What is in the row's own place."""
        return slice(0 if self.own else self.shared, self.length)
