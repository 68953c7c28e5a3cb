"""Fixtures of the tokenizer tests; the helpers behind them are in helpers.py."""

from __future__ import annotations

import pytest

from midigpt_nb.tokenizer import Tokenizer

from .helpers import make_pocket


@pytest.fixture(scope="session")
def pocket() -> Tokenizer:
    return make_pocket()
