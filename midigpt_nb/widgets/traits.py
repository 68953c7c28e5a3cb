"""Trait types of the roll: each turns what a person or the page gave into one normal form, or raises."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import traitlets as t

from midigpt_nb.errors import ScoreError
from midigpt_nb.score.places import no_such_track, track_named

if TYPE_CHECKING:
    from midigpt_nb.score.model import Score
    from midigpt_nb.widgets.state import State

__all__ = [
    "AttributesTrait",
    "LoopTrait",
    "PathTrait",
    "SamplingTrait",
    "ScoreTrait",
    "SelectionTrait",
    "as_cells",
    "as_indices",
    "by_number",
    "check_plain",
    "notes_there",
    "track_names",
    "track_of",
]


_MOST_DEEP = 16
_LONGEST_KEY = 200
_LARGEST = 2**53


def check_plain(name: str, value: Any, depth: int = 0) -> None:
    """Raise TraitError for a value of the page that JSON cannot say, or that no page means: numbers that are
    not finite or too large to be exact, endless keys and nesting.
    """
    if isinstance(value, Mapping):
        if any(not isinstance(key, str) or len(key) > _LONGEST_KEY for key in value):
            raise t.TraitError(f"{name} has a key that is no short text")
        value = value.values()
    elif isinstance(value, float) and not math.isfinite(value):
        raise t.TraitError(f"{name} holds {value!r}, which is no finite number")
    elif isinstance(value, int) and abs(value) > _LARGEST:
        raise t.TraitError(f"{name} holds a number beyond 2^53")
    elif not isinstance(value, (list, tuple)):
        return
    if depth >= _MOST_DEEP:
        raise t.TraitError(f"{name} is nested too deeply")
    for part in value:
        check_plain(name, part, depth + 1)


def as_cells(value: Any) -> list[list[int]]:
    """Sorted, distinct ``[track, bar]`` pairs of ``{"cells": [...]}`` or of an iterable of pairs.

    >>> as_cells([(1, 5), (1, 4), (1, 5)])
    [[1, 4], [1, 5]]
    """
    if isinstance(value, Mapping):
        value = value.get("cells", [])
    if isinstance(value, (str, bytes)) or not isinstance(value, Iterable):
        raise t.TraitError(f"cells are (track, bar) pairs, not {value!r}")
    cells = set()
    for cell in value:
        if type(cell) in (list, tuple) and list(map(type, cell)) == [int, int] and min(cell) >= 0:
            cells.add((cell[0], cell[1]))  # as good as all of them: a piece may have 64,000
            continue
        pair = tuple(cell) if isinstance(cell, Iterable) and not isinstance(cell, (str, bytes)) else ()
        if len(pair) != 2 or not all(_is_index(n) for n in pair):
            raise t.TraitError(f"a cell is a (track, bar) pair of numbers from 0, not {cell!r}")
        cells.add((int(pair[0]), int(pair[1])))
    return [list(cell) for cell in sorted(cells)]


def track_names(state: State) -> list[str]:
    """Names of the tracks, one for each, as `roll.score.track_names` has them."""
    return state.score.track_names


def track_of(name: str, names: Sequence[str]) -> int:
    """The number of the track of this name. Raises ValueError, with the numbers, unless one track has it.

    >>> track_of("Bass", ["Piano", "Bass"])
    1
    """
    try:
        return track_named(name, names)
    except ScoreError as unclear:  # to the page that would be a broken piece
        raise ValueError(str(unclear)) from None


def as_indices(value: Any, count: int, what: str, names: Sequence[str] | None = None) -> list[int]:
    """Indices named by a number, an iterable, a slice, or None for all of `count`.

    With `names`, things may be named, too.
    """
    if value is None:
        return list(range(count))
    if isinstance(value, slice):
        return list(range(count))[value]
    wanted = [value] if _is_index(value) or (names is not None and isinstance(value, str)) else value
    if isinstance(wanted, (str, bytes)) or not isinstance(wanted, Iterable):
        raise ValueError(f"{what} is a number, a list of numbers or a slice, not {value!r}")
    indices = []
    for index in wanted:
        if names is not None and isinstance(index, str):
            index = track_of(index, names)
        if not _is_index(index) or index >= count:
            there = f"there are 0..{count - 1}" if count else "there are none"
            missing = f"{what} {index!r} does not exist; {there}"
            raise ValueError(missing if names is None else no_such_track(index, names))
        indices.append(int(index))
    return indices


def _is_index(value: Any) -> bool:
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        return False
    return value.__index__() >= 0


class ScoreTrait(t.TraitType):
    """The score of a roll. Reading and assigning go to the document; observers hear of every change of it."""

    info_text = "a Score (use Score.from_midi(path) to read a file)"

    def get(self, obj: Any, cls: Any = None) -> Score:
        return obj._document.score

    def set(self, obj: Any, value: Any) -> None:
        from midigpt_nb.score.model import Score

        if not isinstance(value, Score):
            self.error(obj, value)
        obj._assign(value)


class SelectionTrait(t.Dict):
    """``{"cells": [[track, bar], ...]}``, sorted; a plain list of pairs is accepted too.

    With ``"notes": [id, ...]`` where notes are selected, too; ids that no note has (any more) are left out.
    """

    def validate(self, obj: Any, value: Any) -> dict[str, Any]:
        cells, state = as_cells(value), obj._document.state
        n_bars = [state.table.n_bars(track) for track in range(state.table.n_tracks)]
        for track, bar in cells:
            if track >= len(n_bars) or bar >= n_bars[track]:
                raise t.TraitError(obj._document.no_such_cell(track, bar))
        notes = _ids(value.get("notes", ())) if isinstance(value, Mapping) else []
        there = notes_there(notes, state)
        return {"cells": cells, "notes": there} if there else {"cells": cells}


def _ids(value: Any) -> list[int]:
    """Sorted, distinct note ids."""
    if isinstance(value, (str, bytes, Mapping)) or not isinstance(value, Iterable):
        raise t.TraitError(f"notes are ids of notes, not {value!r}")
    ids = list(value)
    for number in ids:
        if not _is_index(number):
            raise t.TraitError(f"the id of a note is a number from 0, not {number!r}")
    return sorted({int(number) for number in ids})


def notes_there(ids: Iterable[int], state: State) -> list[int]:
    """Those of some note ids that notes of the piece have."""
    wanted = list(ids)
    if not wanted:
        return []
    known = set(state.ids.tolist())
    return [number for number in wanted if number in known]


class AttributesTrait(t.Dict):
    """Wishes: ``{"track": {track: {name: value}}, "bar": {track: {bar: {name: value}}}}``. None: no wish.

    Track and bar numbers become text, as in JSON; empty branches are dropped. Tracks may be named:
    ``{"track": {"Bass": {"note_density": 4}}}``.
    """

    def validate(self, obj: Any, value: Any) -> dict[str, Any]:
        if not isinstance(value, Mapping) or set(value) - {"track", "bar"}:
            raise t.TraitError(f"attributes have the keys 'track' and 'bar', not {value!r}")
        names = track_names(obj._document.state)
        per_track: dict[str, dict[str, int]] = {}
        for track, values in _branch(value, "track").items():
            number = _once(_text_track(track, names), per_track, f"attributes['track'][{track!r}]")
            per_track[number] = _values(values, f"attributes['track'][{track!r}]")
        per_bar: dict[str, dict[str, Any]] = {}
        for track, bars in _branch(value, "bar").items():
            if not isinstance(bars, Mapping):
                raise t.TraitError(f"attributes['bar'][{track!r}] maps bars to values, it is {bars!r}")
            kept = {
                _text_index(b): _values(v, f"attributes['bar'][{track!r}][{b!r}]") for b, v in bars.items()
            }
            number = _once(_text_track(track, names), per_bar, f"attributes['bar'][{track!r}]")
            per_bar[number] = {b: v for b, v in kept.items() if v}
        wishes = {
            "track": {k: v for k, v in per_track.items() if v},
            "bar": {k: v for k, v in per_bar.items() if v},
        }
        obj._check_wishes(wishes)
        return wishes


def _branch(value: Mapping[str, Any], name: str) -> Mapping[Any, Any]:
    branch = value.get(name) or {}
    if not isinstance(branch, Mapping):
        raise t.TraitError(f"attributes[{name!r}] maps tracks to values, it is {branch!r}")
    return branch


def _text_track(value: Any, names: Sequence[str]) -> str:
    """The number of a track as text; a name counts when it is no number."""
    if isinstance(value, str) and not _is_number(value):
        try:
            return str(track_of(value, names))
        except ValueError as problem:
            raise t.TraitError(str(problem)) from None
    return _text_index(value)


def by_number(wishes: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    """Wishes in the shape of the `attributes` trait, with tracks that are named under their numbers.

    Raises ValueError for a name that no track or several tracks have.
    """
    numbered: dict[str, Any] = dict(wishes)
    for branch in ("track", "bar"):
        if isinstance(wishes.get(branch), Mapping):
            own: dict[Any, Any] = {}
            for track, values in wishes[branch].items():
                named = isinstance(track, str) and not _is_number(track)
                number = str(track_of(track, names)) if named else track
                own[_once(number, own, f"attributes[{branch!r}][{track!r}]")] = values
            numbered[branch] = own
    return numbered


def _is_number(text: str) -> bool:
    return text.strip().lstrip("+-").isdecimal()


def _once(number: Any, known: Mapping[Any, Any], path: str) -> Any:
    if number in known:
        raise t.TraitError(f"{path}: track {number} has wishes here already, under another name")
    return number


def _text_index(value: Any) -> str:
    try:
        index = int(value)
    except (TypeError, ValueError, OverflowError):
        index = -1
    if index < 0 or isinstance(value, bool):
        raise t.TraitError(f"tracks and bars are numbers from 0, not {value!r}")
    return str(index)


def _values(values: Any, path: str) -> dict[str, int]:
    if not isinstance(values, Mapping):
        raise t.TraitError(f"{path} maps attribute names to values, it is {values!r}")
    kept = {}
    for name, value in values.items():
        if value is None:
            continue
        if not _is_index(value):
            raise t.TraitError(f"{path}[{name!r}] is a level (a whole number from 0), not {value!r}")
        kept[str(name)] = int(value)
    return kept


class SamplingTrait(t.Dict):
    """Settings of a generation by name: those of `InferenceConfig` (temperature, top_p, seed, ...)."""

    def validate(self, obj: Any, value: Any) -> dict[str, Any]:
        if not isinstance(value, Mapping) or not all(isinstance(name, str) for name in value):
            raise t.TraitError(f"sampling maps names to values, not {value!r}")
        settings = {name: setting for name, setting in value.items() if setting is not None}
        obj._check_sampling(settings)
        return settings


class PathTrait(t.Unicode):
    """The path of a file, as text; a `Path` is taken, too."""

    def validate(self, obj: Any, value: Any) -> str:
        return super().validate(obj, os.fspath(value) if isinstance(value, os.PathLike) else value)


class LoopTrait(t.List):
    """``[start_bar, end_bar]`` (from 0, end excluded), or [] for no loop."""

    def validate(self, obj: Any, value: Any) -> list[int]:
        if isinstance(value, (list, tuple)) and all(_is_index(n) for n in value):
            loop = [int(n) for n in value]
            if not loop or (len(loop) == 2 and loop[0] < loop[1]):
                return loop
        raise t.TraitError(f"loop is [start_bar, end_bar] with start before end, or [], not {value!r}")
