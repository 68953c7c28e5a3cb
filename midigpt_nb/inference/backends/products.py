"""The products of a layer. Many tokens at once on a processor with AVX2 go through the core, which adds and
bends where it multiplies; everything else goes through torch. Both are the same sums in another order.
"""

from __future__ import annotations

import math

from midigpt_nb import _core
from midigpt_nb.inference.torch_import import torch

__all__ = ["MANY_TOKENS", "Workspace", "add_linear", "by_core", "gelu_linear", "linear"]

F = torch.nn.functional
MANY_TOKENS = 32
"""From so many tokens on the core is the faster one; with fewer, reading the weights is what takes time."""
# GELU(x) = x sigmoid(x (first + third x^2)), its tanh form written with 1 + tanh(u) = 2 sigmoid(2u)
_GELU_FIRST = torch.tensor(2 * math.sqrt(2 / math.pi))
_GELU_THIRD = 0.044715 * 2 * math.sqrt(2 / math.pi)
_MANY_NUMBERS = 1 << 14


def by_core(n_tokens: int, columns: int, device: torch.device, *dtypes: torch.dtype) -> bool:
    """Whether the core does the products of so many tokens with matrices of so many columns."""
    return (
        n_tokens >= MANY_TOKENS
        and device.type == "cpu"
        and all(dtype == torch.float32 for dtype in dtypes)
        and columns % 16 == 0
        and _core.has_dense()
    )


class Workspace:
    """Memory for one product of many tokens, used again and again: fresh memory would have to be cleared by
    the operating system each time.
    """

    def __init__(self) -> None:
        self._memory = torch.empty(0)

    def of(self, rows: int, columns: int) -> torch.Tensor:
        """(rows, columns) numbers of any value; they are valid until the next call."""
        if self._memory.numel() < rows * columns:
            self._memory = torch.empty(rows * columns)
        return self._memory[: rows * columns].view(rows, columns)


def linear(x: torch.Tensor, w: torch.Tensor, bias: torch.Tensor, space: Workspace) -> torch.Tensor:
    """x (tokens, k) times w (k, n), plus bias (n). The result may lie in `space`."""
    if not by_core(len(x), w.shape[1], x.device, x.dtype):
        return torch.addmm(bias, x, w)
    return _core_linear(x, w, bias, space.of(len(x), w.shape[1]), _core.Then.Store)


def gelu_linear(x: torch.Tensor, w: torch.Tensor, bias: torch.Tensor, space: Workspace) -> torch.Tensor:
    """The same, through GELU in its tanh form."""
    if by_core(len(x), w.shape[1], x.device, x.dtype):
        return _core_linear(x, w, bias, space.of(len(x), w.shape[1]), _core.Then.Gelu)
    return _gelu(torch.addmm(bias, x, w))


def add_linear(to: torch.Tensor, x: torch.Tensor, w: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
    """The same, added to `to`, which is changed and given back."""
    if by_core(len(x), w.shape[1], x.device, x.dtype, to.dtype):
        return _core_linear(x, w, bias, to, _core.Then.Add)
    return to.add_(bias).addmm_(x, w)


def _core_linear(
    x: torch.Tensor, w: torch.Tensor, bias: torch.Tensor, out: torch.Tensor, then: _core.Then
) -> torch.Tensor:
    _core.linear(x.numpy(), w.numpy(), bias.numpy(), out.numpy(), then, torch.get_num_threads())
    return out


def _gelu(x: torch.Tensor) -> torch.Tensor:
    """GELU of x, which may be changed. Where torch has no quick tanh, the sigmoid takes half the time."""
    if x.device.type != "cpu" or x.dtype != torch.float32 or x.numel() < _MANY_NUMBERS:
        return F.gelu(x, approximate="tanh")
    return x.mul_(torch.addcmul(_GELU_FIRST, x, x, value=_GELU_THIRD).mul_(x).sigmoid_())
