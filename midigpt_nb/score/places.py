"""What a person types to name bars, tracks, metres and notes -> plain indices.

Errors name the value and the choices.
"""

from __future__ import annotations

import difflib
import operator
import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from midigpt_nb.errors import ScoreError

if TYPE_CHECKING:
    from midigpt_nb.score.model import Score

__all__ = [
    "Bars",
    "MetreLike",
    "NotePlace",
    "TrackName",
    "Tracks",
    "bar_numbers",
    "metre_of",
    "track_number",
    "track_numbers",
    "whole",
]

Bars: TypeAlias = "int | slice | range | Iterable[int] | None"
TrackName: TypeAlias = "int | str"
Tracks: TypeAlias = "TrackName | slice | Iterable[TrackName] | None"
MetreLike: TypeAlias = "str | tuple[int, int]"
NotePlace: TypeAlias = "tuple[int, int, int]"
"""(track, bar, number of the note within its bar), each counted from 0."""


def whole(value: Any, name: str, low: int, high: int) -> int:
    """A whole number in a range; everything else raises `ScoreError` with its name."""
    try:
        number = operator.index(value)
    except TypeError:
        number = low - 1
    if isinstance(value, bool) or not low <= number <= high:
        raise ScoreError(f"{name} is {value!r}; allowed: a whole number {low}..{high}")
    return number


def _count(n: int, word: str) -> str:
    return f"{n} {word}{'' if n == 1 else 's'}"


def bar_numbers(bars: Bars, n_bars: int) -> list[int]:
    """Bars in the order given: one, a slice, a list or None for all; negative ones count from the end."""
    if bars is None:
        return list(range(n_bars))
    if isinstance(bars, slice):
        _require_whole_slice(bars, "bars")
        return list(range(n_bars)[bars])
    if isinstance(bars, (str, bytes, dict)) or not isinstance(bars, Iterable):
        bars = [bars]  # type: ignore[list-item]
    return [_one_bar(bar, n_bars) for bar in bars]


def _one_bar(bar: Any, n_bars: int) -> int:
    choices = f"the score has {_count(n_bars, 'bar')}" + (f", 0..{n_bars - 1}" if n_bars else "")
    if isinstance(bar, bool):
        raise ScoreError(f"{bar!r} is no bar; {choices}")
    try:
        number = operator.index(bar)
    except TypeError:
        raise ScoreError(f"{bar!r} is no bar; {choices}") from None
    if not -n_bars <= number < n_bars:
        raise ScoreError(f"bar {number} does not exist; {choices}")
    return number % n_bars


def _require_whole_slice(which: slice, name: str) -> None:
    for end in (which.start, which.stop, which.step):
        if end is not None and not hasattr(end, "__index__"):
            raise ScoreError(f"{name}[{which.start!r}:{which.stop!r}] is no range of whole numbers")
    if which.step is not None and operator.index(which.step) == 0:
        raise ScoreError(f"{name} cannot be taken in steps of 0")


def track_number(which: Any, score: Score) -> int:
    """A track by its number (negative: from the end) or by its name, in any case of letters."""
    names = score.track_names
    choices = ", ".join(f"{i} {name!r}" for i, name in enumerate(names)) or "there are none"
    if isinstance(which, str):
        return _track_by_name(which, names, choices)
    try:
        number = operator.index(which)
    except TypeError:
        number = len(names)
    if isinstance(which, bool) or not -len(names) <= number < len(names):
        raise ScoreError(f"track {which!r} does not exist; the tracks are: {choices}")
    return number % len(names)


def _track_by_name(which: str, names: Sequence[str], choices: str) -> int:
    for same in (lambda name: name == which, lambda name: name.casefold() == which.casefold()):
        found = [i for i, name in enumerate(names) if same(name)]
        if len(found) == 1:
            return found[0]
        if found:
            raise ScoreError(f"{len(found)} tracks are called {which!r}: {found}; give one's number")
    close = difflib.get_close_matches(which, names, 1)
    hint = f"; did you mean {close[0]!r}?" if close else ""
    raise ScoreError(f"no track is called {which!r}; the tracks are: {choices}{hint}")


def track_numbers(tracks: Tracks, score: Score) -> list[int]:
    """Tracks in the order given: one, a slice, a list or None for all. A track may be named once."""
    if tracks is None:
        return list(range(score.n_tracks))
    if isinstance(tracks, slice):
        _require_whole_slice(tracks, "tracks")
        return list(range(score.n_tracks)[tracks])
    if isinstance(tracks, (str, bytes, dict)) or not isinstance(tracks, Iterable):
        return [track_number(tracks, score)]
    numbers = [track_number(which, score) for which in tracks]
    for i, number in enumerate(numbers):
        if number in numbers[:i]:
            raise ScoreError(f"track {number} is named twice")
    return numbers


def metre_of(metre: Any, name: str = "metre") -> tuple[int, int]:
    """A metre as (numerator, denominator) from ``"7/8"`` or ``(7, 8)``.

    What MIDI cannot say raises `ScoreError`.
    """
    parts: Any = metre
    if isinstance(metre, str):
        found = re.fullmatch(r"\s*(\d{1,4})\s*/\s*(\d{1,4})\s*", metre)
        parts = (int(found[1]), int(found[2])) if found else None
    try:
        numerator, denominator = (operator.index(part) for part in parts)
    except (TypeError, ValueError):
        numerator = denominator = 0
    if not 1 <= numerator <= 255 or denominator not in (1, 2, 4, 8, 16, 32, 64, 128):
        raise ScoreError(
            f"{name} is {metre!r}; allowed: 1..255 over 1, 2, 4, 8, 16, 32, 64 or 128, like '7/8'"
        )
    return numerator, denominator
