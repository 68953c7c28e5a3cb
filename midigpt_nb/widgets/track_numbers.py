"""Numbers of tracks: which track is which when tracks are added, moved, deleted and brought back by undo.

What a person sets beside the music (mute, solo, volume, colour: trait `mix`) is kept under these numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import traitlets as t

if TYPE_CHECKING:
    from midigpt_nb.score.model import Score

__all__ = ["MixTrait", "matched_numbers", "mix_by_place", "numbers_after"]

_RANGES = {"volume": 127, "colour": 7}
_SWITCHES = ("muted", "soloed")


def numbers_after(
    numbers: Sequence[int],
    ops: Iterable[Mapping[str, Any]],
    fresh: Callable[[], int],
    copied: dict[int, int] | None = None,
) -> tuple[int, ...]:
    """The numbers after a batch of operations that was carried out. New tracks and copies get `fresh` ones;
    `copied` is told of which track each copy is.

    >>> numbers_after((0, 1, 2), [{"op": "track_move", "track": 0, "to": 2}], lambda: 9)
    (1, 2, 0)
    """
    now = list(numbers)
    for op in ops:
        track = int(op.get("track", 0))
        if op["op"] == "track_add":
            now.append(fresh())
        elif op["op"] == "track_delete":
            del now[track]
        elif op["op"] == "track_duplicate":
            now.insert(track + 1, fresh())
            (copied if copied is not None else {})[now[track + 1]] = now[track]
        elif op["op"] == "track_move":
            now.insert(int(op["to"]), now.pop(track))
    return tuple(now)


def matched_numbers(
    old: Score, numbers: Sequence[int], new: Score, fresh: Callable[[], int]
) -> tuple[int, ...]:
    """The numbers of a score that was assigned: tracks of the same instrument and notes are the same ones, in
    order, then those of the same name and instrument; of those left, tracks at the same place are, where no
    track was added or taken away.
    """
    before, after = _kinds(old), _kinds(new)
    found: list[int | None] = [None] * len(after)
    left = list(range(len(before)))
    for kind in _ALIKE:
        known = [kind(row) for row in before]
        for track, row in enumerate(after):
            wanted = kind(row)
            same = next((place for place in left if known[place] == wanted), None)
            if found[track] is None and wanted is not None and same is not None:
                left.remove(same)
                found[track] = numbers[same]
    if len(before) == len(after):
        found = [numbers[i] if number is None and i in left else number for i, number in enumerate(found)]
    return tuple(fresh() if number is None else number for number in found)


class _Kind(NamedTuple):
    name: str
    instrument: tuple[int, int]
    notes: bytes


_ALIKE: tuple[Callable[[_Kind], object], ...] = (
    lambda kind: kind,
    lambda kind: (kind.instrument, kind.notes) if kind.notes else None,
    lambda kind: (kind.name, kind.instrument),
)
"""What makes two tracks the same one, the surest sign first. None: no sign."""


def _kinds(score: Score) -> list[_Kind]:
    table = score.table
    bars, notes = np.asarray(table.bars), np.asarray(table.notes)
    bar_of = np.repeat(np.arange(len(bars)), np.diff(bars[:, 0], append=table.n_notes))
    kinds = []
    for track, (name, row) in enumerate(zip(score.track_names, table.tracks[:, 1:].tolist(), strict=True)):
        first, last = table.bar_rows(track)
        own = (first <= bar_of) & (bar_of < last)
        content = np.column_stack([bar_of[own] - first, notes[own]])
        kinds.append(_Kind(name, (row[0], row[1]), content.tobytes()))
    return kinds


def mix_by_place(mix: Mapping[str, Any], numbers: Sequence[int]) -> dict[str, Any]:
    """Settings of the tracks that are there, under their places: the numbers they have in a new document."""
    return {str(i): mix[str(number)] for i, number in enumerate(numbers) if str(number) in mix}


class MixTrait(t.Dict):
    """``{track number: {"muted": bool, "soloed": bool, "volume": 0..127, "colour": 0..7}}``, all optional.

    A track's number is its place in the score that the roll was made with.
    """

    def validate(self, obj: Any, value: Any) -> dict[str, dict[str, Any]]:
        known = super().validate(obj, value) or {}
        return {self._number(key): self._settings(own) for key, own in known.items()}

    def _number(self, key: Any) -> str:
        if isinstance(key, bool) or not str(key).isdecimal() or len(str(key)) > 9:
            raise t.TraitError(f"mix has a track {key!r}; tracks are numbers from 0")
        return str(int(key))

    def _settings(self, own: Any) -> dict[str, Any]:
        if not isinstance(own, Mapping):
            raise t.TraitError(f"mix of a track is {own!r}; write {{'muted': True, 'volume': 80}}")
        for name, value in own.items():
            whole = isinstance(value, int) and not isinstance(value, bool)
            if name in _SWITCHES and isinstance(value, bool):
                continue
            if name in _RANGES and whole and 0 <= value <= _RANGES[name]:
                continue
            allowed = ", ".join([*(f"{n} (true, false)" for n in _SWITCHES),
                                 *(f"{n} (0..{high})" for n, high in _RANGES.items())])  # fmt: skip
            raise t.TraitError(f"mix: {name} is {value!r}; allowed: {allowed}")
        return dict(own)
