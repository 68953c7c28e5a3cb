"""The network, in the form used for training: the graph of the released format, with ordinary linear layers.

On export the four maps of every block are transposed (the format stores them input-major); see ``export``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import torch
from torch import nn
from torch.nn import functional


@dataclass(frozen=True)
class ModelConfig:
    """The five architecture fields of the file format."""

    vocab_size: int = 833
    n_positions: int = 1024
    n_embd: int = 128
    n_layer: int = 6
    n_head: int = 4

    def as_dict(self) -> dict[str, int]:
        """Plain dictionary, for metadata and checkpoints."""
        return asdict(self)


class Attention(nn.Module):
    """Causal self-attention with one joint projection for queries, keys and values."""

    def __init__(self, config: ModelConfig, dropout: float):
        super().__init__()
        self.heads, self.dropout = config.n_head, dropout
        self.c_attn = nn.Linear(config.n_embd, 3 * config.n_embd)
        self.c_proj = nn.Linear(config.n_embd, config.n_embd)

    def forward(
        self, x: torch.Tensor, past: tuple[torch.Tensor, torch.Tensor] | None = None
    ) -> tuple[torch.Tensor, tuple[torch.Tensor, torch.Tensor]]:
        """``(batch, length, width)`` to the same shape, and the keys and values up to here."""
        batch, length, width = x.shape
        joint = self.c_attn(x).view(batch, length, 3, self.heads, width // self.heads)
        query, key, value = joint.permute(2, 0, 3, 1, 4)
        if past is not None:
            key, value = torch.cat([past[0], key], dim=2), torch.cat([past[1], value], dim=2)
            if length > 1:
                raise ValueError("with a cache, one token at a time")
        dropout = self.dropout if self.training else 0.0
        mixed = functional.scaled_dot_product_attention(
            query, key, value, is_causal=past is None and length > 1, dropout_p=dropout
        )
        return self.c_proj(mixed.transpose(1, 2).reshape(batch, length, width)), (key, value)

    def scores(self, x: torch.Tensor, head: int) -> torch.Tensor:
        """Causal attention scores of one head before the softmax, ``(batch, query, key)``."""
        width = x.shape[-1]
        size = width // self.heads
        first = slice(head * size, (head + 1) * size)
        second = slice(width + head * size, width + (head + 1) * size)
        weight, bias = self.c_attn.weight, self.c_attn.bias
        query = nn.functional.linear(x, weight[first], bias[first])
        key = nn.functional.linear(x, weight[second], bias[second])
        future = torch.ones(x.shape[1], x.shape[1], dtype=torch.bool, device=x.device).triu(1)
        return (query @ key.transpose(1, 2) / math.sqrt(size)).float().masked_fill(future, float("-inf"))


class Mlp(nn.Module):
    """Two linear maps with the tanh form of GELU between them."""

    def __init__(self, config: ModelConfig):
        super().__init__()
        self.c_fc = nn.Linear(config.n_embd, 4 * config.n_embd)
        self.c_proj = nn.Linear(4 * config.n_embd, config.n_embd)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """``(batch, length, width)`` to the same shape."""
        return self.c_proj(functional.gelu(self.c_fc(x), approximate="tanh"))


class Block(nn.Module):
    """Pre-norm transformer block."""

    def __init__(self, config: ModelConfig, dropout: float):
        super().__init__()
        self.ln_1 = nn.LayerNorm(config.n_embd)
        self.attn = Attention(config, dropout)
        self.ln_2 = nn.LayerNorm(config.n_embd)
        self.mlp = Mlp(config)
        self.drop = nn.Dropout(dropout)

    def forward(
        self, x: torch.Tensor, past: tuple[torch.Tensor, torch.Tensor] | None = None
    ) -> tuple[torch.Tensor, tuple[torch.Tensor, torch.Tensor]]:
        """``(batch, length, width)`` to the same shape, and the cache entry of this block."""
        mixed, present = self.attn(self.ln_1(x), past)
        x = x + self.drop(mixed)
        return x + self.drop(self.mlp(self.ln_2(x))), present


class Transformer(nn.Module):
    """Decoder-only network; ``forward`` gives logits for every position."""

    def __init__(self, config: ModelConfig, dropout: float = 0.0, sinusoids: float = 0.07):
        super().__init__()
        self.config = config
        self.wte = nn.Embedding(config.vocab_size, config.n_embd)
        self.wpe = nn.Embedding(config.n_positions, config.n_embd)
        self.h = nn.ModuleList(Block(config, dropout) for _ in range(config.n_layer))
        self.ln_f = nn.LayerNorm(config.n_embd)
        self.lm_head = nn.Linear(config.n_embd, config.vocab_size, bias=False)
        self._initialise(sinusoids)

    def _initialise(self, sinusoids: float) -> None:
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.normal_(module.weight, std=0.7 / math.sqrt(module.in_features))
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
        for module in self.modules():
            if isinstance(module, Block):  # every block starts as the identity
                nn.init.zeros_(module.attn.c_proj.weight)
                nn.init.zeros_(module.mlp.c_proj.weight)
        nn.init.normal_(self.wte.weight, std=0.05)
        nn.init.normal_(self.lm_head.weight, std=0.02)
        if sinusoids:
            with torch.no_grad():
                self.wpe.weight.copy_(sinusoids * position_waves(self.config.n_positions, self.config.n_embd))
        else:
            nn.init.normal_(self.wpe.weight, std=0.01)

    def guided_heads(self) -> list[tuple[int, int]]:
        """(block, head) taught to follow the links instrument, bar and placeholder (``windows.LINKS``).

        The first two gather in a bar what was said before it; the third finds the placeholder, some blocks
        later.
        """
        middle = self.config.n_layer // 2
        gather = max(0, middle - 2)
        return [(gather, 0), (gather, 1 % self.config.n_head), (middle, 0)]

    def guided(self, ids: torch.Tensor) -> tuple[torch.Tensor, dict[int, torch.Tensor], list[torch.Tensor]]:
        """For training: the normed last states, the stream after every block, the guided heads' scores."""
        x = self.wte(ids) + self.wpe.weight[: ids.shape[1]]
        heads, stream, scores = self.guided_heads(), {}, {}
        for number, block in enumerate(self.h):
            assert isinstance(block, Block)
            for i, (where, head) in enumerate(heads):
                if where == number:
                    scores[i] = block.attn.scores(block.ln_1(x), head)
            x, _ = block(x)
            stream[number + 1] = x
        return self.ln_f(x), stream, [scores[i] for i in range(len(heads))]

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        """Logits ``(batch, length, vocabulary)`` of token ids ``(batch, length)``."""
        x = self.wte(ids) + self.wpe.weight[: ids.shape[1]]
        for block in self.h:
            x, _ = block(x)
        return self.lm_head(self.ln_f(x))

    def step(self, ids: torch.Tensor, past: list | None = None) -> tuple[torch.Tensor, list]:
        """Logits of the last position ``(batch, vocabulary)`` and the cache.

        Without a cache ``ids`` is the whole prompt; with one it is a single token a row.
        """
        begin = 0 if past is None else past[0][0].shape[2]
        x = self.wte(ids) + self.wpe.weight[begin : begin + ids.shape[1]]
        present = []
        for number, block in enumerate(self.h):
            x, entry = block(x, None if past is None else past[number])
            present.append(entry)
        return self.lm_head(self.ln_f(x[:, -1])), present


class HintReader(nn.Module):
    """Training aid, never released: reads from a middle layer what stands at the placeholder of a bar.

    The next note alone teaches a fill block very slowly to look back at its own placeholder; asking for the
    instrument, the bar, the density and the register there teaches it directly.
    """

    def __init__(self, width: int, sizes: Sequence[int]):
        super().__init__()
        self.sizes = list(sizes)
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, sum(self.sizes))

    def forward(self, states: torch.Tensor, hints: torch.Tensor, inside: torch.Tensor) -> torch.Tensor:
        """Mean losses ``(2, kinds)`` in bars (row 0) and in fill blocks (row 1).

        ``states`` is ``(n, width)``, ``hints`` holds classes ``(n, kinds)`` with -1 for none, and ``inside``
        says which of the ``n`` tokens lie in fill blocks.
        """
        logits = self.head(self.norm(states)).float().split(self.sizes, dim=-1)
        rows = []
        for part, classes in zip(logits, hints.unbind(1), strict=True):
            loss = nn.functional.cross_entropy(part, classes, ignore_index=-1, reduction="none")
            known = (classes >= 0).float()
            within, around = known * inside, known * ~inside
            rows.append(torch.stack([(loss * m).sum() / m.sum().clamp(min=1) for m in (around, within)]))
        return torch.stack(rows, dim=1)


def link_losses(scores: list[torch.Tensor], links: torch.Tensor) -> torch.Tensor:
    """Mean negative log of the attention that each guided head gives to its link, ``(links,)``.

    ``links`` is ``(batch, length, links)`` with -1 where there is nothing to find.
    """
    losses = []
    for i, score in enumerate(scores):
        batch, query = torch.nonzero(links[:, :, i] >= 0, as_tuple=True)
        rows = score[batch, query]
        losses.append(nn.functional.cross_entropy(rows, links[batch, query, i].long(), reduction="sum"))
        losses[-1] = losses[-1] / max(1, len(batch))
    return torch.stack(losses)


def position_waves(positions: int, width: int, longest: float = 2048.0) -> torch.Tensor:
    """Sines and cosines ``(positions, width)``, wavelengths from 2 tokens to ``longest`` in geometric steps.

    As a starting point for the learned positions it lets heads that look a fixed distance back form early.
    """
    count = width // 2
    wavelength = 2.0 * (longest / 2.0) ** (torch.arange(count) / max(1, count - 1))
    angle = torch.arange(positions)[:, None] * (2 * math.pi / wavelength)[None]
    return torch.cat([angle.sin(), angle.cos(), torch.zeros(positions, width - 2 * count)], dim=1)
