"""Attention of one call: where the new tokens of each row go, and what they may look at.

Rows are ragged (other lengths, other numbers of new tokens). Those that start with the same frozen prefix
look at it together: their scores with its keys are one product, then a row's own later keys follow, and one
softmax over both. That is the same sum as over one long row, taken in another order.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from midigpt_nb import _core
from midigpt_nb.inference.backends.products import by_core
from midigpt_nb.inference.torch_import import torch

__all__ = ["QUERIES_AT_ONCE", "Attention"]

F = torch.nn.functional
QUERIES_AT_ONCE = 192
"""So many new tokens of a row look at the cache together on a processor: with more, too much of what is
computed is hidden from most of them; with fewer, the products are slow.
"""


@dataclass
class _Group:
    """Rows that are looked at in one call. `inside`: their numbers within the call; `seats`: their places in
    the cache (slices where they follow each other); `prefix`: (layers, 2, heads, length, head), or None.
    """

    inside: slice | torch.Tensor
    seats: slice | torch.Tensor
    prefix: torch.Tensor | None
    shared: int
    end: int
    mask: torch.Tensor | None
    causal: bool
    in_turn: bool


class Attention:
    """One call over rows `first`, `first + 1`, ... of a cache, with `lengths` tokens each so far and `counts`
    new ones, and heads `head` wide. Tell it the groups, then for every layer `write` and `read`.
    """

    def __init__(
        self,
        first: int,
        lengths: Sequence[int],
        counts: Sequence[int],
        head: int,
        device: torch.device,
        dtype: torch.dtype,
    ) -> None:
        self._first, self._lengths, self._counts = first, list(lengths), list(counts)
        self._device, self._dtype = device, dtype
        self._k = max(counts)
        self._even = min(counts) == self._k
        self._level = self._even and min(lengths) == max(lengths)
        self._groups: list[_Group] = []
        # One row with many new tokens, a prompt: the core does it, where it can.
        self._one = len(counts) == 1 and by_core(self._k, head, device, dtype)
        ends = np.cumsum(counts) - 1
        self.last_tokens = slice(-1, None) if len(ends) == 1 else torch.from_numpy(ends).to(device)
        if not self._level:
            owners = np.repeat(np.arange(len(counts)), counts)
            inner = np.concatenate([np.arange(k) for k in counts])
            self._owners, self._inner = (torch.from_numpy(a).to(device) for a in (owners, inner))
            self._seats = self._owners + first
            self._places = torch.from_numpy(np.asarray(lengths)[owners] + inner).to(device)

    def group(self, rows: Sequence[int], prefix: torch.Tensor | None, shared: int) -> None:
        """Some of the rows, counted from `first`: they share the first `shared` tokens of `prefix`."""
        lengths, counts = [self._lengths[r] for r in rows], [self._counts[r] for r in rows]
        end = max(n + k for n, k in zip(lengths, counts, strict=True))
        level = self._even and min(lengths) == max(lengths)
        mask, causal = None, False
        if self._one and prefix is None:
            return
        in_turn = level and prefix is None and self._k > QUERIES_AT_ONCE and self._device.type == "cpu"
        if level and prefix is None and self._k > 1 and lengths[0] == 0 and not in_turn:
            causal = True
        elif not level or self._k > 1:
            mask = self._mask(lengths, shared, end)
        inside, seats = _index(rows, self._device), _index([self._first + r for r in rows], self._device)
        self._groups.append(_Group(inside, seats, prefix, shared, end, mask, causal, in_turn))

    def _mask(self, lengths: Sequence[int], shared: int, end: int) -> torch.Tensor:
        """(rows, 1, k, end - shared): 0 where a new token may look, -inf elsewhere."""
        k = np.arange(self._k)
        last = np.asarray(lengths)[:, None, None, None] + k[None, None, :, None]
        hidden = np.arange(shared, end)[None, None, None, :] > last
        mask = torch.from_numpy(np.where(hidden, np.float32(-math.inf), np.float32(0)))
        return mask.to(self._device, self._dtype)

    def write(self, kv: torch.Tensor, cache: torch.Tensor) -> None:
        """Put keys and values of the new tokens, (tokens, 2, heads, head), into one layer's cache, (2, rows,
        heads, positions, head).
        """
        if not self._level:
            cache[:, self._seats, :, self._places] = kv.to(cache.dtype)
            return
        rows, k, start = len(self._counts), self._k, self._lengths[0]
        new = kv.view(rows, k, *kv.shape[1:]).permute(2, 0, 3, 1, 4)
        cache[:, self._first : self._first + rows, :, start : start + k] = new

    def read(self, q: torch.Tensor, cache: torch.Tensor, layer: int) -> torch.Tensor:
        """What the new tokens hear, (tokens, width), for their queries (tokens, heads, head)."""
        rows, k = len(self._counts), self._k
        kind, q = q.dtype, q.to(cache.dtype)
        if not self._groups:
            return self._by_core(q, cache[:, self._first]).to(kind)
        if self._even:
            asked = q.view(rows, k, *q.shape[1:]).transpose(1, 2)
        else:
            padded = q.new_zeros(rows, k, *q.shape[1:])
            padded[self._owners, self._inner] = q
            asked = padded.transpose(1, 2)
        if len(self._groups) == 1:
            heard = _heard(self._groups[0], asked, cache, layer)
        else:
            heard = torch.empty_like(asked)
            for group in self._groups:
                heard[group.inside] = _heard(group, asked[group.inside], cache, layer)
        heard = heard.transpose(1, 2)
        flat = heard if self._even else heard[self._owners, self._inner]
        return flat.reshape(len(q), -1).to(kind)

    def _by_core(self, q: torch.Tensor, cache: torch.Tensor) -> torch.Tensor:
        """The same for one row; cache (2, heads, positions, head)."""
        out = q.new_empty(len(q), q.shape[1] * q.shape[2])
        keys, values = cache.numpy()
        _core.attend(q.numpy(), keys, values, out.numpy(), self._lengths[0], torch.get_num_threads())
        return out


def _heard(group: _Group, q: torch.Tensor, cache: torch.Tensor, layer: int) -> torch.Tensor:
    """Attention of (rows, heads, k, head) over what the rows of a group hold."""
    own = cache[:, group.seats, :, group.shared : group.end]
    if group.in_turn:
        return _in_turn(group, q, own)
    if group.prefix is None:
        return F.scaled_dot_product_attention(q, own[0], own[1], attn_mask=group.mask, is_causal=group.causal)
    rows, heads, k, head = q.shape
    keys, values = group.prefix[layer, :, :, : group.shared]
    q = q * (1.0 / math.sqrt(head))
    by_head = q.transpose(0, 1).reshape(heads, rows * k, head)
    common = torch.bmm(by_head, keys.transpose(1, 2))  # (heads, rows * k, shared)
    later = torch.matmul(q, own[0].transpose(2, 3))  # (rows, heads, k, end - shared)
    if group.mask is not None:
        later = later + group.mask
    n = group.shared
    scores = common.new_empty(heads, rows, k, n + later.shape[3])
    scores[..., :n] = common.view(heads, rows, k, n)
    scores[..., n:] = later.transpose(0, 1)
    weights = torch.softmax(scores, dim=-1)
    heard = torch.bmm(weights[..., :n].reshape(heads, rows * k, n), values).view(heads, rows, k, head)
    return heard.transpose(0, 1) + torch.matmul(weights[..., n:].transpose(0, 1), own[1])


def _in_turn(group: _Group, q: torch.Tensor, own: torch.Tensor) -> torch.Tensor:
    """The same for many new tokens: some after the other, each over what it may look at only."""
    heard, k = torch.empty_like(q), q.shape[2]
    assert group.mask is not None
    for start in range(0, k, QUERIES_AT_ONCE):
        stop = min(start + QUERIES_AT_ONCE, k)
        end = group.end - k + stop
        mask = group.mask[:, :, start:stop, :end]
        keys, values = own[:, :, :, :end]
        heard[:, :, start:stop] = F.scaled_dot_product_attention(q[:, :, start:stop], keys, values, mask)
    return heard


def _index(rows: Sequence[int], device: torch.device) -> slice | torch.Tensor:
    """Row numbers as a slice where they follow each other."""
    if list(rows) == list(range(rows[0], rows[0] + len(rows))):
        return slice(rows[0], rows[0] + len(rows))
    return torch.tensor(rows, device=device)
