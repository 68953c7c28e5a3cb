"""How large traits are stored and sent: `caps` in two parts, of which the page asks for one; `realized`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["first_caps", "in_rows", "later_caps"]

_LATER = ("attributes", "settings", "absent", "piece", "piece_absent")
"""Drawn by the second module of the page, which comes by request, too."""


def first_caps(caps: Mapping[str, Any], _roll: object = None) -> dict[str, Any]:
    """The trait as it is stored and sent: its long tables come later, on request."""
    if not any(caps.get(name) for name in _LATER):
        return dict(caps)
    return {**{name: value for name, value in caps.items() if name not in _LATER}, "later": True}


def later_caps(caps: Mapping[str, Any]) -> dict[str, Any]:
    """What `first_caps` left out."""
    return {name: caps[name] for name in _LATER if name in caps}


def in_rows(values: Mapping[str, Any], _roll: object = None) -> dict[str, Any]:
    """Measured values as they are stored and sent: a list per track and attribute, not a record per bar.

    For 32 tracks of 2,000 bars that is a fifth of the size.

    >>> in_rows({"track": {}, "bar": {"0": {"0": {"a": 3}, "2": {"a": 5}}}})["rows"]
    {'0': {'a': [3, None, 5]}}
    """
    rows: dict[str, dict[str, list[int | None]]] = {}
    for track, bars in values.get("bar", {}).items():
        n_bars = 1 + max(map(int, bars), default=-1)
        own = rows.setdefault(track, {})
        for bar, levels in bars.items():
            at = int(bar)
            for name, level in levels.items():
                if name not in own:
                    own[name] = [None] * n_bars
                own[name][at] = level
    return {"track": values.get("track", {}), "rows": rows}
