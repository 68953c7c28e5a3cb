"""Did you mean ...? One helper for every place that refuses an unknown name."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

__all__ = ["suggestion", "suggestion_or_names"]


def suggestion(name: object, known: Iterable[str]) -> str:
    """``"did you mean 'note_density'?"`` for a near miss or a part of a name, in any case; else ''.

    >>> suggestion("note_densty", ["note_density", "pitch_range"])
    "did you mean 'note_density'?"
    >>> suggestion("Minor", ["major", "natural_minor", "harmonic_minor"])
    "did you mean 'natural_minor' or 'harmonic_minor'?"
    """
    names = {other.casefold(): other for other in known}
    given = str(name).casefold()
    within = [other for folded, other in names.items() if len(given) > 2 and given in folded]
    close = [given] if given in names else get_close_matches(given, names, n=1, cutoff=0.6)
    found = within[:3] if within and given not in names else [names[other] for other in close]
    return f"did you mean {' or '.join(map(repr, found))}?" if found else ""


def suggestion_or_names(name: object, known: Iterable[str]) -> str:
    """The suggestion, else the known names: for a message that does not list them anyway."""
    names = list(known)
    return suggestion(name, names) or (f"known names: {', '.join(names)}" if names else "")
