"""Mask modes: what the model is fed."""

from __future__ import annotations

import numpy as np
import pytest

from midigpt_nb.errors import RequestValidationError
from midigpt_nb.inference.masking import MASK_MODES, resolve_mask_mode, visible

TOKENS = np.arange(100, 110)


@pytest.mark.parametrize("name", MASK_MODES)
def test_only_the_attention_modes_leave_tokens_out_and_positions_never_move(name):
    tokens, positions = visible(TOKENS, [(2, 4), (8, 10)], MASK_MODES[name])
    hidden = name.startswith("attention")
    assert positions.tolist() == ([0, 1, 4, 5, 6, 7] if hidden else list(range(10)))
    assert (tokens == TOKENS[positions]).all()


@pytest.mark.parametrize(
    ("asked", "has_token", "expected"),
    [
        ("auto", True, "token"),
        ("auto", False, "attention"),
        ("remove", True, "remove"),
        ("attention_approx", False, "attention_approx"),
    ],
)
def test_auto_takes_the_token_where_there_is_one(asked, has_token, expected):
    assert resolve_mask_mode(asked, has_token).name == expected


def test_an_unknown_mode_is_refused():
    with pytest.raises(RequestValidationError, match="did you mean 'attention'"):
        resolve_mask_mode("atention", True)
