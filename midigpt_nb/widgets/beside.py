"""What a roll holds beside its music (wishes, roles, mix, selection, loop) never speaks of tracks and bars
that are not there: it is cut to the piece, and undo brings back what was cut off.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from midigpt_nb.widgets.targets import within

if TYPE_CHECKING:
    from midigpt_nb._core import ScoreTable
    from midigpt_nb.widgets.document import State

__all__ = ["Beside"]

_KEPT = 500
"""As many cuts are remembered as steps can be undone."""

HasCell = Callable[[int, int], bool]


def _selection(value: Mapping[str, Any], has_cell: HasCell, _state: State) -> dict[str, Any]:
    return {**value, "cells": [cell for cell in value["cells"] if has_cell(*cell)]}


def _loop(value: list[int], _has_cell: HasCell, state: State) -> list[int]:
    end = max((state.table.n_bars(track) for track in range(state.table.n_tracks)), default=0)
    return [value[0], min(value[1], end)] if value and value[0] < end else []


def _wishes(value: Mapping[str, Any], has_cell: HasCell, _state: State) -> dict[str, Any]:
    bars = {
        track: {bar: own for bar, own in rows.items() if has_cell(int(track), int(bar))}
        for track, rows in value["bar"].items()
    }
    return {
        "track": {track: own for track, own in value["track"].items() if has_cell(int(track), 0)},
        "bar": {track: rows for track, rows in bars.items() if rows},
    }


def _plan(value: Mapping[str, Any], has_cell: HasCell, _state: State) -> dict[str, Any]:
    return within(value, has_cell)


def _mix(value: Mapping[str, Any], _has_cell: HasCell, state: State) -> dict[str, Any]:
    return {number: own for number, own in value.items() if int(number) in state.track_numbers}


_FITTED: Mapping[str, Callable[[Any, HasCell, State], Any]] = {
    "plan": _plan, "selection": _selection, "loop": _loop, "attributes": _wishes, "mix": _mix
}  # fmt: skip
_JOINED = ("plan", "attributes", "mix")
"""What was cut off comes back into these even when they were changed meanwhile; else only when not."""


class Beside:
    """Remembers what was cut off. Call all methods with the document's lock held."""

    def __init__(self, state: State) -> None:
        self._table: ScoreTable = state.table
        self._cut: deque[tuple[ScoreTable, dict[str, tuple[Any, Any]]]] = deque(maxlen=_KEPT)

    def changed(self, state: State, values: Mapping[str, Any], has_cell: HasCell) -> dict[str, Any]:
        """The document is now `state`: those of `values` (trait -> value) that change, as they should be."""
        known = (cut for table, cut in reversed(self._cut) if table is state.table)
        back: Mapping[str, tuple[Any, Any]] = next(known, {})
        now: dict[str, Any] = {}
        cut: dict[str, tuple[Any, Any]] = {}
        for name, value in values.items():
            whole = _with(name, value, *back[name]) if name in back else value
            fitted = _FITTED[name](whole, has_cell, state)
            if fitted != whole:
                cut[name] = (whole, fitted)
            if fitted != value:
                now[name] = fitted
        if state.table is not self._table:
            others = [entry for entry in self._cut if entry[0] is not self._table]
            self._cut = deque([*others, (self._table, cut)] if cut else others, _KEPT)
        self._table = state.table
        return now


def _with(name: str, value: Any, whole: Any, fitted: Any) -> Any:
    """`value` with what was cut from `whole`."""
    if name in _JOINED:
        return _joined(value, _rest(whole, fitted))
    return whole if value == fitted else value


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
