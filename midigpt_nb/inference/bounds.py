"""Which limit of a generation keeps which attributes low, and the highest level that is left under it."""

from __future__ import annotations

import numpy as np

from midigpt_nb import _core
from midigpt_nb.attributes.registry import Attribute

__all__ = ["highest_level", "limit_on"]

_MOST_COUNTED = 1000  # notes of a bar; no level begins above


def limit_on(row: Attribute) -> str:
    """The name of the limit (a setting, and a control) that bounds an attribute; '' when none does."""
    if row.unit == "voices":
        return "sounding_limit"
    return "density_hard_limit" if row.short_name == "note_density" else ""


def highest_level(row: Attribute, limit: int, program: int, is_drum: bool) -> int:
    """The highest level of an attribute, on a track of this program, under the limit that bounds it; without
    one (0) the highest there is.
    """
    name, top = limit_on(row), row.size - 1
    if not name or limit <= 0:
        return top
    if name == "sounding_limit":
        return min(top, int(row.quantize(limit)))
    full = _core.ScoreTable(  # a bar with as many notes as may be
        notes=np.tile(np.array([[0, 1, 60, 64, 0]], np.int32), (min(limit, _MOST_COUNTED), 1)),
        bars=np.array([[0, 4, 4, 0]], np.int32),
        tracks=np.array([[0, program, is_drum]], np.int32),
        resolution=12,
    )
    return min(top, int(np.max(row.quantize(row.compute(full, 0)))))
