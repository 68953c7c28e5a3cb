"""The published network as a torch module that can be scripted or traced, as old exports were."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

Past = list[tuple[Tensor, Tensor]]


class Conv1D(nn.Module):
    def __init__(self, n_in: int, n_out: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(n_in, n_out) * 0.2)
        self.bias = nn.Parameter(torch.randn(n_out) * 0.1)

    def forward(self, x: Tensor) -> Tensor:
        return x @ self.weight + self.bias


class Attention(nn.Module):
    def __init__(self, width: int, heads: int, name: str) -> None:
        super().__init__()
        self.heads = heads
        setattr(self, name, heads)
        self.c_attn, self.c_proj = Conv1D(width, 3 * width), Conv1D(width, width)
        self.register_buffer("bias", torch.ones(1, 1, 64, 64).tril().bool())
        self.register_buffer("masked_bias", torch.tensor(-1e4))

    def split(self, x: Tensor) -> Tensor:
        return x.view(x.size(0), x.size(1), self.heads, x.size(2) // self.heads).transpose(1, 2)

    def forward(self, x: Tensor, past_k: Tensor, past_v: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        rows, n, width = x.shape
        q, k, v = self.c_attn(x).split(width, 2)
        k = torch.cat([past_k, self.split(k)], 2)
        v = torch.cat([past_v, self.split(v)], 2)
        seen = k.size(2)
        scores = self.split(q) @ k.transpose(2, 3) / math.sqrt(k.size(3))
        hidden = ~torch.ones(seen, seen, dtype=torch.bool).tril()[seen - n : seen]
        y = scores.masked_fill(hidden, -1e9).softmax(-1) @ v
        return self.c_proj(y.transpose(1, 2).reshape(rows, n, width)), k, v


class MLP(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.c_fc, self.c_proj = Conv1D(width, 4 * width), Conv1D(4 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        return self.c_proj(nn.functional.gelu(self.c_fc(x), approximate="tanh"))


class Block(nn.Module):
    def __init__(self, width: int, heads: int, name: str) -> None:
        super().__init__()
        self.ln_1, self.attn = nn.LayerNorm(width), Attention(width, heads, name)
        self.ln_2, self.mlp = nn.LayerNorm(width), MLP(width)

    def forward(self, x: Tensor, past_k: Tensor, past_v: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        y, k, v = self.attn(self.ln_1(x), past_k, past_v)
        x = x + y
        return x + self.mlp(self.ln_2(x)), k, v


class Transformer(nn.Module):
    def __init__(self, vocab: int, positions: int, width: int, layers: int, heads: int, name: str) -> None:
        super().__init__()
        self.wte, self.wpe = nn.Embedding(vocab, width), nn.Embedding(positions, width)
        self.h = nn.ModuleList([Block(width, heads, name) for _ in range(layers)])
        self.ln_f = nn.LayerNorm(width)

    def forward(self, ids: Tensor, past: Past) -> tuple[Tensor, Past]:
        start = past[0][0].size(2)
        x = self.wte(ids) + self.wpe(torch.arange(start, start + ids.size(1)))
        present: Past = []
        for i, block in enumerate(self.h):
            x, k, v = block(x, past[i][0], past[i][1])
            present.append((k, v))
        return self.ln_f(x), present


class LanguageModel(nn.Module):
    """`module(ids, past) -> (logits, present)`. `head_name` is the attribute that says how many heads there
    are; an unusual one says nothing.
    """

    def __init__(
        self, vocab: int, positions: int = 64, width: int = 32, layers: int = 2, heads: int = 4,
        head_name: str = "num_heads",
    ) -> None:  # fmt: skip
        super().__init__()
        self.transformer = Transformer(vocab, positions, width, layers, heads, head_name)
        self.lm_head = nn.Linear(width, vocab, bias=False)
        self.heads, self.width = heads, width

    def forward(self, ids: Tensor, past: Past) -> tuple[Tensor, Past]:
        x, present = self.transformer(ids, past)
        return self.lm_head(x), present

    def empty(self) -> Past:
        shape = (1, self.heads, 0, self.width // self.heads)
        return [(torch.zeros(shape), torch.zeros(shape)) for _ in self.transformer.h]
