"""Scores to tokens and back: configurations, vocabularies and the tokenizer."""

from __future__ import annotations

from midigpt_nb.tokenizer.config import EncoderConfig
from midigpt_nb.tokenizer.explain import TokenRow
from midigpt_nb.tokenizer.tokenizer import Encoding, Tokenizer

__all__ = ["EncoderConfig", "Encoding", "TokenRow", "Tokenizer"]
