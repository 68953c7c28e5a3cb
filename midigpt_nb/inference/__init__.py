"""Generation: engines, requests, sessions, model files.

Importing this package is light; torch is loaded with the first engine.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from midigpt_nb.errors import GenerationCancelled, RequestValidationError
from midigpt_nb.inference.config import InferenceConfig
from midigpt_nb.inference.request import GenerationRequest, TrackPrompt
from midigpt_nb.lazy import lazy_names

if TYPE_CHECKING:
    from midigpt_nb.inference.checkpoint import read_checkpoint, save_checkpoint
    from midigpt_nb.inference.engine import InferenceEngine
    from midigpt_nb.inference.record import replay
    from midigpt_nb.inference.session import SamplingSession
    from midigpt_nb.inference.takes import Take, Takes
    from midigpt_nb.inference.token_log import TokenLog, TokenLogger
    from midigpt_nb.inference.validation import validate_request

__all__ = [
    "GenerationCancelled",
    "GenerationRequest",
    "InferenceConfig",
    "InferenceEngine",
    "RequestValidationError",
    "SamplingSession",
    "Take",
    "Takes",
    "TokenLog",
    "TokenLogger",
    "TrackPrompt",
    "read_checkpoint",
    "replay",
    "save_checkpoint",
    "validate_request",
]

__getattr__, __dir__ = lazy_names(
    __name__,
    __all__,
    {
        "InferenceEngine": "midigpt_nb.inference.engine",
        "SamplingSession": "midigpt_nb.inference.session",
        "Take": "midigpt_nb.inference.takes",
        "Takes": "midigpt_nb.inference.takes",
        "TokenLog": "midigpt_nb.inference.token_log",
        "TokenLogger": "midigpt_nb.inference.token_log",
        "replay": "midigpt_nb.inference.record",
        "read_checkpoint": "midigpt_nb.inference.checkpoint",
        "save_checkpoint": "midigpt_nb.inference.checkpoint",
        "validate_request": "midigpt_nb.inference.validation",
    },
)
