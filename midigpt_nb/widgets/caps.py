"""The `caps` trait in two parts: what a notebook stores, and the long tables that the page asks for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["first_caps", "later_caps"]

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
