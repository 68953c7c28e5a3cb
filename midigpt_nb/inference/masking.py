"""TABLE: how bars are hidden from the model.

A mode answers two questions: how hidden bars are written in the prompt, and which prompt tokens the model is
fed. The attention modes write the empty shell of the bar and then simply do not feed it; the tokens that are
fed keep the position numbers they have in the whole prompt, which is the same function as masking the shell
in every attention layer, and cheaper.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from midigpt_nb.errors import Place, Problem, RequestValidationError
from midigpt_nb.inference.suggest import suggestion

__all__ = ["MASK_MODES", "MaskMode", "resolve_mask_mode", "visible"]


@dataclass(frozen=True)
class MaskMode:
    """A way to hide bars. `options` are the encoder's; `skips` says that the reported spans are not fed."""

    name: str
    meaning: str
    options: dict[str, bool]
    skips: bool = False
    needs_mask_bar: bool = False

    @property
    def marks(self) -> int:
        """How many tokens stand in the shell of a hidden bar."""
        return int(self.needs_mask_bar)


_SPANS = {"use_span_masks": True}

MASK_MODES: dict[str, MaskMode] = {
    mode.name: mode
    for mode in (
        MaskMode("token", "a token says that the bar is hidden", {}, needs_mask_bar=True),
        MaskMode("attention", "the model cannot look at the bar", _SPANS, skips=True),
        MaskMode("attention_skip", "same as attention", _SPANS, skips=True),
        MaskMode(
            "attention_approx",
            "same as attention; the reference's approximation is not kept",
            _SPANS,
            skips=True,
        ),
        MaskMode("remove", "the bar looks empty", {"remove_future_bars": True}),
    )
}


def resolve_mask_mode(name: str, has_mask_bar: bool) -> MaskMode:
    """The mode for a setting; `auto` is `token` where the model has it, else `attention`."""
    if name == "auto":
        name = "token" if has_mask_bar else "attention"
    if name not in MASK_MODES:
        hint = suggestion(name, MASK_MODES)
        raise RequestValidationError(
            [
                Problem(
                    Place("config").field("mask_mode"),
                    name,
                    "there is no such mode",
                    ", ".join(MASK_MODES),
                    hint,
                )
            ]
        )
    return MASK_MODES[name]


def visible(
    tokens: NDArray[np.int32], spans: Sequence[tuple[int, int]] | NDArray[np.int32], mode: MaskMode
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The prompt tokens to feed and their positions.

    >>> visible(np.array([7, 8, 9, 10]), [(1, 3)], MASK_MODES["attention"])[1].tolist()
    [0, 3]
    """
    keep = np.ones(len(tokens), dtype=bool)
    if mode.skips:
        for start, end in spans:
            keep[start:end] = False
    positions = np.flatnonzero(keep).astype(np.int64)
    return np.asarray(tokens)[positions].astype(np.int64), positions
