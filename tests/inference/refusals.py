"""Requests that are refused, and in which words: what the tests of validation ask with."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

from midigpt_nb.errors import RequestValidationError
from midigpt_nb.inference import GenerationRequest, InferenceConfig, TrackPrompt, validate_request
from midigpt_nb.tokenizer import Tokenizer
from midigpt_nb.training.vocabulary import encoder_config

from .conftest import make_score

CONFIGS = Path(__file__).parent.parent / "reference" / "configs"


@cache
def model(name="pocket", **changes):
    if name == "pocket":
        return Tokenizer(encoder_config())
    return Tokenizer({**json.loads((CONFIGS / f"{name}.json").read_text()), **changes})


def problems(*tracks, score=None, controls=None, tokenizer=None, **config):
    tokenizer = tokenizer or model()
    request = GenerationRequest(list(tracks), InferenceConfig(**config), dict(controls or {}))
    try:
        validate_request(request, score or make_score(), tokenizer.config, tokenizer.analyzer)
    except RequestValidationError as error:
        assert all(p.path and p.message and (p.allowed or p.hint) for p in error.problems), error
        return [str(p) for p in error.problems]
    return []


OK = TrackPrompt(0, [1])
C, B = "controls", "bar_controls"


def track(**facts):
    return TrackPrompt(**{"id": 0, "bars": [1], **facts})


def control(**value):
    return track(controls=value)


def positions(*groups):
    return {"positions": [{"pos": pos, "polyphony": n} for pos, n in groups]}
