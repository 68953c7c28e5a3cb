"""Muon for the matrices of the blocks, AdamW for everything else, under one learning rate.

``torch.optim.Muon`` orthogonalises in bfloat16, which is forty times slower than float32 on processors
without that type, and one matrix at a time; this version uses float32 on a CPU and treats equal shapes
together.
"""

from __future__ import annotations

from collections import defaultdict

import torch

from .model import Transformer

_COEFFICIENTS = (3.4445, -4.7750, 2.0315)


def orthogonalise(matrices: torch.Tensor, steps: int = 5) -> torch.Tensor:
    """Nearest orthogonal factor of a stack ``(n, rows, columns)``, by a Newton-Schulz iteration."""
    a, b, c = _COEFFICIENTS
    tall = matrices.shape[1] > matrices.shape[2]
    x = matrices.transpose(1, 2) if tall else matrices
    x = x / (x.norm(dim=(1, 2), keepdim=True) + 1e-7)
    for _ in range(steps):
        gram = x @ x.transpose(1, 2)
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x.transpose(1, 2) if tall else x


class Muon(torch.optim.Optimizer):
    """Momentum, orthogonalised, scaled so that its root mean square is like that of AdamW.

    Every parameter may be cut into ``parts`` stacked matrices (the joint query, key and value map has three).
    """

    def __init__(self, params: list[dict], lr: float, momentum: float = 0.95, weight_decay: float = 0.1):
        super().__init__(params, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay, "parts": 1})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """One update of all parameters that have a gradient."""
        stacks: dict[tuple[int, int], list[tuple[torch.Tensor, torch.Tensor, float, float]]] = defaultdict(
            list
        )
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is None:
                    continue
                state = self.state[parameter]
                if "momentum" not in state:
                    state["momentum"] = torch.zeros_like(parameter)
                state["momentum"].lerp_(parameter.grad, 1 - group["momentum"])
                update = parameter.grad.lerp(state["momentum"], group["momentum"])
                for part, matrix in zip(
                    parameter.chunk(group["parts"]), update.chunk(group["parts"]), strict=True
                ):
                    stacks[tuple(part.shape)].append((part, matrix, group["lr"], group["weight_decay"]))
        for (rows, columns), entries in stacks.items():
            stack = torch.stack([entry[1] for entry in entries])
            if stack.is_cuda:
                stack = stack.bfloat16()
            for (part, _, lr, decay), update in zip(entries, orthogonalise(stack), strict=True):
                part.mul_(1 - lr * decay).add_(
                    update.to(part.dtype), alpha=-lr * 0.2 * max(rows, columns) ** 0.5
                )


def make_optimizers(
    model: Transformer, lr: float, extra: list[torch.nn.Parameter] | None = None
) -> list[torch.optim.Optimizer]:
    """Muon for the two-dimensional block weights, AdamW for embeddings, head, norms and biases."""
    joint: list[torch.nn.Parameter] = []
    matrices: list[torch.nn.Parameter] = []
    rest = list(extra or [])
    for name, parameter in model.named_parameters():
        if name.startswith("h.") and parameter.ndim == 2:
            (joint if "c_attn" in name else matrices).append(parameter)
        else:
            rest.append(parameter)
    muon = Muon([{"params": joint, "parts": 3}, {"params": matrices}], lr)
    adam = torch.optim.AdamW(rest, lr, betas=(0.9, 0.95), weight_decay=0.0, fused=True)
    return [muon, adam]
