"""The time grid of a model, for the page: what notes it can represent exactly."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from midigpt_nb._core import TokenType

if TYPE_CHECKING:
    from midigpt_nb.inference import InferenceEngine

__all__ = ["grid_facts"]


def grid_facts(engine: InferenceEngine) -> dict[str, Any]:
    """The `grid` of the `caps` trait.

    ``resolution`` steps a quarter note, onsets counted from the start of the bar; ``microtiming``: a model
    that writes it divides each step into ``resolution`` parts for onsets, others know whole steps only;
    ``longest``: the longest note in steps; ``pitches``: lowest and highest.

    >>> grid_facts(engine)
    {'resolution': 12, 'microtiming': False, 'longest': 96, 'pitches': [0, 127]}
    """
    vocab = engine.tokenizer.vocab
    config = engine.tokenizer.config
    lowest, highest = config.pitch_range
    return {
        "resolution": int(config.resolution),
        "microtiming": bool(config.emit_delta_tokens),
        "longest": int(vocab.domain_size(TokenType.NoteDuration)),
        "pitches": [int(lowest), int(highest)],
    }
