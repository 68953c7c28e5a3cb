"""Chords stay with their bars when bars come and go."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["moved_chords"]


def moved_chords(chords: Mapping[int, str], ops: Sequence[Mapping[str, Any]]) -> dict[int, str]:
    """The chords after bars were inserted, deleted or duplicated.

    >>> moved_chords({0: "Am", 4: "F"}, [{"op": "bars_insert", "at": 2, "count": 1}])
    {0: 'Am', 5: 'F'}
    """
    now = dict(chords)
    for op in ops:
        if op.get("op") == "bars_insert":
            now = _opened(now, int(op["at"]), int(op["count"]))
        elif op.get("op") == "bars_delete":
            first, end = int(op["first"]), int(op["first"]) + int(op["count"])
            now = {
                bar if bar < first else bar - (end - first): name
                for bar, name in now.items()
                if not first <= bar < end
            }
        elif op.get("op") == "bars_duplicate":
            first, count = int(op["first"]), int(op["count"])
            copied = {bar + count: now[bar] for bar in now if first <= bar < first + count}
            now = _opened(now, first + count, count) | copied
    return now


def _opened(chords: Mapping[int, str], at: int, count: int) -> dict[int, str]:
    return {bar if bar < at else bar + count: name for bar, name in chords.items()}
