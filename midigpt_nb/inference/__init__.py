"""Generation: engines, requests, sessions.

Importing this package is light; torch is loaded with the first engine.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from midigpt_nb.errors import GenerationCancelled, RequestValidationError
from midigpt_nb.inference.config import InferenceConfig
from midigpt_nb.inference.request import GenerationRequest, TrackPrompt

if TYPE_CHECKING:
    from midigpt_nb.inference.engine import InferenceEngine
    from midigpt_nb.inference.session import SamplingSession
    from midigpt_nb.inference.validation import validate_request

__all__ = [
    "GenerationCancelled",
    "GenerationRequest",
    "InferenceConfig",
    "InferenceEngine",
    "RequestValidationError",
    "SamplingSession",
    "TrackPrompt",
    "validate_request",
]

_LAZY = {
    "InferenceEngine": "midigpt_nb.inference.engine",
    "SamplingSession": "midigpt_nb.inference.session",
    "validate_request": "midigpt_nb.inference.validation",
}


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(import_module(_LAZY[name]), name)
    raise AttributeError(f"module 'midigpt_nb.inference' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
