"""What a score keeps on its tracks beside the notes: values of attributes, as decoding found them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np


def stored_values(score: Any, track: int) -> Mapping[str, Any]:
    """The attributes a Score keeps on a track; a bare table has none."""
    tracks = getattr(score, "tracks", None)
    if tracks is None or isinstance(tracks, np.ndarray) or not 0 <= track < len(tracks):
        return {}
    return tracks[track].attributes or {}


def bar_key(token_type: str, bar: int) -> str:
    """Under which key a track keeps a value of one of its bars, as in scores of the published tokenizer.

    >>> bar_key("BarLevelOnsetDensity", 3)
    'bar_BarLevelOnsetDensity_3'
    """
    return f"bar_{token_type}_{bar}"
