"""What a person types to name bars, tracks, metres and notes -> plain indices.

Errors name the value and the choices.
"""

from __future__ import annotations

import difflib
import operator
import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from midigpt_nb.errors import ScoreError, brief
from midigpt_nb.score.general_midi import PROGRAMS, PROGRAMS_IN_WORDS, program_number

if TYPE_CHECKING:
    from midigpt_nb.score.model import Score

__all__ = [
    "BarRange",
    "Bars",
    "MetreLike",
    "NotePlace",
    "TrackName",
    "Tracks",
    "bar_numbers",
    "bar_range",
    "bars_in_words",
    "cells_in_words",
    "metre_of",
    "no_such_track",
    "program_of",
    "track_named",
    "track_number",
    "track_numbers",
    "tracks_in_words",
    "whole",
]

Bars: TypeAlias = "int | slice | range | Iterable[int] | None"
BarRange: TypeAlias = "tuple[int, int] | range | Sequence[int] | int | None"
TrackName: TypeAlias = "int | str"
Tracks: TypeAlias = "TrackName | slice | Iterable[TrackName] | None"
MetreLike: TypeAlias = "str | tuple[int, int]"
NotePlace: TypeAlias = "tuple[int, int, int]"
"""(track, bar, number of the note within its bar), each counted from 0."""

_MOST_NAMED = 24  # tracks in a message


def whole(value: Any, name: str, low: int, high: int) -> int:
    """A whole number in a range; everything else raises `ScoreError` with its name."""
    try:
        number = operator.index(value)
    except TypeError:
        number = low - 1
    if isinstance(value, bool) or not low <= number <= high:
        raise ScoreError(f"{name} is {value!r}; allowed: a whole number {low}..{high}")
    return number


def program_of(instrument: Any) -> int:
    """The General MIDI program that a number or a name means; everything else raises `ScoreError`.

    >>> program_of(33), program_of("violin")
    (33, 40)
    """
    program = program_number(instrument)
    if program is None:
        names = {_folded(name): name for name in PROGRAMS}
        near = difflib.get_close_matches(_folded(instrument), names, 1) if isinstance(instrument, str) else []
        hint = f"; did you mean {names[near[0]]!r}?" if near else ""
        raise ScoreError(f"instrument is {brief(instrument)}; allowed: {PROGRAMS_IN_WORDS}{hint}")
    return program


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


def bar_range(bars: BarRange, n_bars: int) -> tuple[int, int]:
    """First bar and the bar after the last, from ``(start, end)``, a range, a list of bars or one bar.

    Counted from 0. Raises ValueError for bars that are not there.

    >>> bar_range((4, 8), 16), bar_range([4, 5, 7], 16), bar_range(4, 16)
    ((4, 8), (4, 8), (4, 5))
    """
    if bars is None:
        return 0, n_bars
    if isinstance(bars, tuple) and len(bars) == 2:
        start, end = bars
    else:
        chosen = [bars] if isinstance(bars, int) else list(bars)
        if not chosen:
            raise ValueError("bars is empty; give (start, end), a range or a list of bars")
        start, end = min(chosen), max(chosen) + 1
    if not 0 <= start < end <= max(n_bars, 1):
        raise ValueError(
            f"bars {bars!r} lie outside the score; it has bars 0 to {n_bars - 1}, the end not included"
        )
    return start, end


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
    if isinstance(which, str):
        return track_named(which, names)
    try:
        number = operator.index(which)
    except TypeError:
        number = len(names)
    if isinstance(which, bool) or not -len(names) <= number < len(names):
        raise ScoreError(no_such_track(which, names))
    return number % len(names)


def track_named(name: str, names: Sequence[str], *, first: int = 0) -> int:
    """Which of `names`, counted from 0, a person means by `name`: the one that is written exactly so, else
    the one that is the same without regard to case and blanks around it.

    Raises `ScoreError` unless it is one; the message has the choices, numbered from `first`.

    >>> track_named("bass", ["Piano", "Bass"])
    1
    """
    found = [i for i, own in enumerate(names) if own == name]
    found = found or [i for i, own in enumerate(names) if _folded(own) == _folded(name)]
    if len(found) == 1:
        return found[0]
    if not found:
        raise ScoreError(no_such_track(name, names, first=first))
    numbers = [str(i + first) for i in found]
    listed = f"{', '.join(numbers[:-1])} and {numbers[-1]}"
    raise ScoreError(f"{len(found)} tracks are named {brief(name)}: use their numbers, {listed}")


def _folded(name: str) -> str:
    return name.strip().casefold()


def no_such_track(which: Any, names: Sequence[str], *, first: int = 0) -> str:
    """The sentence about a track, by name or number, that is not there: with the choices, numbered from
    `first`, and the name that was likely meant.

    >>> no_such_track("Bas", ["Lead", "Bass"])
    "no track is named 'Bas'; there are 0 'Lead', 1 'Bass'; did you mean 'Bass'?"
    """
    missing = f"no track is named {brief(which)}" if isinstance(which, str) else ""
    there = tracks_in_words(names, first=first) or "none"
    own = {_folded(name): name for name in names}
    close = difflib.get_close_matches(_folded(which), own, 1) if isinstance(which, str) else []
    hint = f"; did you mean {brief(own[close[0]])}?" if close else ""
    return f"{missing or f'track {brief(which)} does not exist'}; there are {there}{hint}"


def tracks_in_words(names: Sequence[str], *, first: int = 0) -> str:
    """The tracks of a score with their numbers, as choices; of very many the first.

    >>> tracks_in_words(["Lead", "Bass"])
    "0 'Lead', 1 'Bass'"
    """
    shown = [f"{i} {brief(name)}" for i, name in enumerate(names[:_MOST_NAMED], first)]
    return ", ".join(shown + ["..."] * (len(names) > _MOST_NAMED))


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


def bars_in_words(bars: Iterable[int]) -> str:
    """Bars in ascending order, those that follow each other in short.

    >>> bars_in_words([1, 2, 5, 3])
    '1..3, 5'
    """
    runs: list[list[int]] = []
    for bar in sorted(bars):
        if runs and bar == runs[-1][-1] + 1:
            runs[-1].append(bar)
        else:
            runs.append([bar])
    return ", ".join(str(run[0]) if len(run) == 1 else f"{run[0]}..{run[-1]}" for run in runs)


def cells_in_words(cells: Iterable[tuple[int, int]], names: Sequence[str]) -> str:
    """(track, bar) pairs in words, both counted from 0, each track with its name; tracks that `names` does
    not reach are new ones. Of very many tracks the first.

    >>> cells_in_words([(1, 4), (1, 5), (2, 0)], ["Lead", "Bass"])
    "bars 4..5 of track 1 'Bass', bar 0 of the new track 2"
    """
    by_track: dict[int, list[int]] = {}
    for track, bar in sorted(cells):
        by_track.setdefault(track, []).append(bar)
    parts = []
    for track, bars in list(by_track.items())[:_MOST_NAMED]:
        own = f"track {track} {brief(names[track])}" if track < len(names) else f"the new track {track}"
        parts.append(f"bar{'s' if len(bars) > 1 else ''} {bars_in_words(bars)} of {own}")
    return ", ".join(parts + ["..."] * (len(by_track) > _MOST_NAMED))


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
