"""Numbers of bars: which bar is which when bars are inserted, deleted, copied and brought back by undo.

What a person decides beside the music (wishes, roles, chords, selection, loop) follows these numbers, as it
follows those of tracks (`track_numbers`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import pairwise, takewhile
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from midigpt_nb._core import ScoreTable

__all__ = ["bars_after", "chords_after", "matched_bars"]


def bars_after(
    numbers: Sequence[int],
    ops: Iterable[Mapping[str, Any]],
    n_bars: int | None,
    fresh: Callable[[], int],
    copied: dict[int, int] | None = None,
) -> tuple[int, ...]:
    """The numbers after a batch of operations that was carried out and came to `n_bars` bars (None: as many
    as the operations say).

    New bars and copies get `fresh` numbers; `copied` is told of which bar each copy is. Of bars that got
    another metre as many stay as there are; the last ones come or go.

    >>> new = iter(range(90, 99))
    >>> bars_after((0, 1, 2), [{"op": "bars_insert", "at": 1, "count": 2}], 5, lambda: next(new))
    (0, 90, 91, 1, 2)
    """
    now, after_metre = list(numbers), 0
    for op in ops:
        kind, count = op["op"], int(op.get("count", 0))
        first = int(op.get("at" if kind == "bars_insert" else "first", 0) or 0)
        if kind == "bars_insert":
            now[first:first] = [fresh() for _ in range(count)]
        elif kind == "bars_delete":
            del now[first : first + count]
        elif kind == "bars_duplicate":
            copies = {fresh(): number for number in now[first : first + count]}
            now[first + count : first + count] = copies
            (copied if copied is not None else {}).update(copies)
        elif kind == "metre_set":
            after_metre = max(0, len(now) - first - count)
    more = 0 if n_bars is None else n_bars - len(now)
    end = len(now) - after_metre
    now[max(0, end + min(0, more)) : end] = [fresh() for _ in range(more)]
    return tuple(now)


def matched_bars(
    before: tuple[ScoreTable, Sequence[int]],
    after: tuple[ScoreTable, Sequence[int]],
    numbers: Sequence[int],
    n_bars: int,
    fresh: Callable[[], int],
) -> tuple[int, ...]:
    """The numbers of the bars of a score that was assigned: of `n_bars` where there were ``len(numbers)``.

    `before` and `after` are the tables with the numbers of their tracks. Bars that sound the same in all
    tracks that stayed are the same bars, from the front and from the end; what lies between is so by its
    place. Among bars that are all alike (empty ones) nobody can tell which were added: the last of them.
    """
    n_old = len(numbers)
    if n_bars == n_old:
        return tuple(numbers)
    common = [number for number in before[1] if number in after[1]]
    least = min(n_old, n_bars)
    head = tail = 0
    if common:
        old, new = (_contents(table, [known.index(n) for n in common]) for table, known in (before, after))
        head = _alike(old[:least], new[:least])
        tail = _alike(old[::-1][: least - head], new[::-1][: least - head])
    between = list(numbers[head : n_old - tail][: n_bars - head - tail])
    between += [fresh() for _ in range(n_bars - head - tail - len(between))]
    return (*numbers[:head], *between, *numbers[n_old - tail :])


def _alike(one: Sequence[object], other: Sequence[object]) -> int:
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))


def _contents(table: ScoreTable, tracks: Sequence[int]) -> list[tuple[object, ...]]:
    """Metre and notes of each bar in these tracks."""
    bars, notes = np.asarray(table.bars), np.asarray(table.notes)
    metres = bars[:, 1:3].tolist()
    spans = list(pairwise([*bars[:, 0].tolist(), table.n_notes]))
    columns = [
        [(metres[row], notes[slice(*spans[row])].tobytes()) for row in range(*table.bar_rows(track))]
        for track in tracks
    ]
    n_bars = max(map(len, columns), default=0)
    return [tuple(own[bar] if bar < len(own) else None for own in columns) for bar in range(n_bars)]


def chords_after(
    chords: Mapping[int, str], old: Sequence[int], new: Sequence[int], copied: Mapping[int, int]
) -> dict[int, str]:
    """The chords, by bar, when the bars' numbers were `old` and are `new`; copies have those of their bars.

    >>> chords_after({0: "Am", 2: "F"}, (0, 1, 2), (0, 90, 1, 2), {90: 0})
    {0: 'Am', 1: 'Am', 3: 'F'}
    """
    named = {old[bar]: name for bar, name in chords.items() if bar < len(old)}
    places = {bar: copied.get(number, number) for bar, number in enumerate(new)}
    return {bar: named[number] for bar, number in places.items() if number in named}
