"""Did you mean ...? One helper for every place that refuses an unknown name."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

__all__ = ["suggestion"]


def suggestion(name: object, known: Iterable[str]) -> str:
    """``"did you mean 'note_density'?"`` for a near miss, otherwise the known names, or '' when there are
    none.

    >>> suggestion("note_densty", ["note_density", "pitch_range"])
    "did you mean 'note_density'?"
    """
    names = list(known)
    close = get_close_matches(str(name), names, n=1, cutoff=0.6)
    if close:
        return f"did you mean {close[0]!r}?"
    return f"known names: {', '.join(names)}" if names else ""
