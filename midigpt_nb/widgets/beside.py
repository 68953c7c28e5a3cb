"""What a roll holds beside its music (wishes, roles, mix, selection, loop) stays with its tracks and bars
when these move, and never speaks of those that are not there: it is cut, and undo brings back what was cut
off.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from midigpt_nb.widgets.targets import moved_plan
from midigpt_nb.widgets.traits import notes_there

if TYPE_CHECKING:
    from midigpt_nb.widgets.state import State

__all__ = ["FITTED", "Beside", "moved_traits"]

_KEPT = 500
"""As many cuts are remembered as steps can be undone."""


@dataclass(frozen=True)
class _Way:
    """Where the tracks and bars of one state are in another; copies are new ones, told of apart."""

    after: State
    tracks: Mapping[int, int]
    bars: Mapping[int, int]
    track_copies: Mapping[int, Sequence[int]]
    bar_copies: Mapping[int, Sequence[int]]
    still: bool = False
    """Tracks and bars are where they were."""

    @classmethod
    def between(cls, before: State, after: State, known: frozenset[int] = frozenset()) -> _Way:
        """Copies count unless their numbers are `known`: what was decided about them since is theirs."""
        tracks = _places(before.track_numbers, after.track_numbers)
        if not tracks:  # another piece: its tracks take over by their places
            n = min(len(before.track_numbers), len(after.track_numbers))
            tracks = {track: track for track in range(n)}
        new = {copy: own for copy, own in after.copies.items() if copy not in known}
        return cls(
            after,
            tracks,
            _places(before.bar_numbers, after.bar_numbers),
            _copies(before.track_numbers, after.track_numbers, new),
            _copies(before.bar_numbers, after.bar_numbers, new),
            _still(before, after),
        )

    def has(self, track: int, bar: int) -> bool:
        table = self.after.table
        return 0 <= track < table.n_tracks and 0 <= bar < table.n_bars(track)

    def all_tracks(self, track: int) -> list[int]:
        """Where a track is now, and its copies."""
        return [new for new in (self.tracks.get(track), *self.track_copies.get(track, ())) if new is not None]

    def all_bars(self, bar: int) -> list[int]:
        """Where a bar is now, and its copies."""
        return [new for new in (self.bars.get(bar), *self.bar_copies.get(bar, ())) if new is not None]


def _still(before: State, after: State) -> bool:
    return (
        before.track_numbers == after.track_numbers
        and before.bar_numbers == after.bar_numbers
        and all(before.table.n_bars(t) == after.table.n_bars(t) for t in range(after.table.n_tracks))
    )


def _places(before: Sequence[int], after: Sequence[int]) -> dict[int, int]:
    place_of = {number: place for place, number in enumerate(after)}
    return {place: place_of[number] for place, number in enumerate(before) if number in place_of}


def _copies(before: Sequence[int], after: Sequence[int], new: Mapping[int, int]) -> dict[int, list[int]]:
    place_of, found = {number: place for place, number in enumerate(before)}, dict[int, list[int]]()
    for place, number in enumerate(after):
        if number in new and new[number] in place_of:
            found.setdefault(place_of[new[number]], []).append(place)
    return found


def _selection(value: Mapping[str, Any], way: _Way) -> dict[str, Any]:
    """Notes are known by ids that stay theirs."""
    cells = value["cells"]
    if not way.still:
        found = ((way.tracks.get(track, -1), way.bars.get(bar, -1)) for track, bar in cells)
        cells = [list(cell) for cell in found if way.has(*cell)]
    notes = notes_there(value.get("notes", ()), way.after)
    return {"cells": cells, "notes": notes} if notes else {"cells": cells}


def _loop(value: list[int], way: _Way) -> list[int]:
    kept = [new for bar, new in way.bars.items() if value and value[0] <= bar < value[1]]
    return [min(kept), max(kept) + 1] if kept else []


def _wishes(value: Mapping[str, Any], way: _Way) -> dict[str, Any]:
    """The wishes of a bar or track are those of its copies, too: a phrase is copied with its wishes."""
    tracks = {new: own for track, own in value["track"].items() for new in way.all_tracks(int(track))}
    bars = {
        new: {to: own for bar, own in rows.items() for to in way.all_bars(int(bar)) if way.has(new, to)}
        for track, rows in value["bar"].items()
        for new in way.all_tracks(int(track))
    }
    return {
        "track": _by_text((track, own) for track, own in tracks.items() if way.has(track, 0)),
        "bar": _by_text((track, _by_text(rows.items())) for track, rows in bars.items() if rows),
    }


def _by_text(rows: Iterable[tuple[int, Any]]) -> dict[str, Any]:
    return {str(number): own for number, own in sorted(rows, key=lambda row: row[0])}


def _plan(value: Mapping[str, Any], way: _Way) -> dict[str, Any]:
    return moved_plan(value, way.tracks, way.bars, way.has)


def _mix(value: Mapping[str, Any], way: _Way) -> dict[str, Any]:
    return {number: own for number, own in value.items() if int(number) in way.after.track_numbers}


FITTED: Mapping[str, Callable[[Any, _Way], Any]] = {
    "plan": _plan, "selection": _selection, "loop": _loop, "attributes": _wishes, "mix": _mix
}  # fmt: skip
"""TABLE: traits that speak of tracks and bars, and how each follows them."""
_JOINED = ("plan", "attributes", "mix")
"""What was cut off comes back into these even when they were changed meanwhile; else only when not."""


def moved_traits(traits: Mapping[str, Any], before: State, after: State) -> dict[str, Any]:
    """Traits of a file about `before`, as they are about `after`. There tracks are known by their places in
    `mix`, too. What is malformed stays as it is: whoever sets it refuses it.
    """
    way = _Way.between(before, after)

    def mix(value: Any, way: _Way) -> dict[str, Any]:
        return {str(way.tracks[int(i)]): own for i, own in value.items() if int(i) in way.tracks}

    def chords(value: Any, way: _Way) -> dict[str, Any]:
        return {str(new): name for bar, name in value.items() for new in way.all_bars(int(bar))}

    follow = {**FITTED, "mix": mix, "chords": chords}
    moved = dict(traits)
    for name in follow.keys() & traits.keys():
        try:
            moved[name] = follow[name](traits[name], way)
        except (AttributeError, KeyError, IndexError, TypeError, ValueError):
            continue
    return moved


@dataclass(frozen=True)
class _Cut:
    """A trait as it was before tracks or bars went, as it was afterwards, and what that lost."""

    whole: Any
    fitted: Any
    rest: Any


class Beside:
    """Remembers what was cut off. Call all methods with the document's lock held."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._known: set[int] = {*state.track_numbers, *state.bar_numbers}
        self._cut: deque[tuple[object, dict[str, _Cut]]] = deque(maxlen=_KEPT)
        self._opened: deque[tuple[object, dict[str, Any], object, dict[str, Any]]] = deque(maxlen=_KEPT)

    def opened(self, before: State, whole: Mapping[str, Any], after: State, now: Mapping[str, Any]) -> None:
        """A project took the place of everything: traits as they were with `before`, as they are now."""
        self._opened.append((before.music, dict(whole), after.music, dict(now)))

    def over_there(self, state: State) -> dict[str, tuple[Any, Any]]:
        """The way to `state` is that over an opened project: trait -> (what it is here if nobody changed it,
        what it is there). Call before `changed`.
        """
        here = self._state.music
        for before, whole, after, now in self._opened:
            if here is after and state.music is before:
                return {name: (now[name], whole[name]) for name in whole}
            if here is before and state.music is after:
                return {name: (whole[name], now[name]) for name in whole}
        return {}

    def changed(self, state: State, values: Mapping[str, Any]) -> dict[str, Any]:
        """The document is now `state`: those of `values` (trait -> value) that change, as they should be."""
        before, self._state = self._state, state
        if state.music is before.music:
            return {}  # nothing moved; what was cut off once is not brought back a second time
        known: dict[str, _Cut] = next((cut for music, cut in reversed(self._cut) if music is state.music), {})
        way = _Way.between(before, state, frozenset(self._known))
        self._known.update(state.track_numbers, state.bar_numbers)
        back = _Way.between(state, before, frozenset(self._known))
        now: dict[str, Any] = {}
        cuts: dict[str, _Cut] = {}
        for name, value in values.items():
            follow = FITTED[name]
            fitted = follow(value, way)
            if name in known:
                fitted = _with(name, fitted, value, known[name])
            returned = follow(fitted, back)
            if returned != value:
                rest = _rest(value, returned) if name in _JOINED else None
                cuts[name] = _Cut(value, fitted, rest)
            if fitted != value:
                now[name] = fitted
        if state.table is not before.table:
            others = [entry for entry in self._cut if entry[0] is not before.music]
            self._cut = deque([*others, (before.music, cuts)] if cuts else others, _KEPT)
        return now


def _with(name: str, fitted: Any, value: Any, cut: _Cut) -> Any:
    """`fitted`, which was `value` a moment ago, with what was cut off when that state was left."""
    if name in _JOINED:
        return _joined(fitted, cut.rest or {})
    return cut.whole if value == cut.fitted else fitted


def _rest(whole: Mapping[str, Any], fitted: Mapping[str, Any]) -> dict[str, Any]:
    """What `whole` has and `fitted` lacks."""
    rest = {}
    for key, own in whole.items():
        if key not in fitted:
            rest[key] = own
        elif isinstance(own, Mapping) and own != fitted[key]:
            rest[key] = _rest(own, fitted[key])
    return rest


def _joined(value: Mapping[str, Any], more: Mapping[str, Any]) -> dict[str, Any]:
    joined = dict(value)
    for key, own in more.items():
        if key not in joined:
            joined[key] = own
        elif isinstance(own, Mapping) and isinstance(joined[key], Mapping):
            joined[key] = _joined(joined[key], own)
    return joined
