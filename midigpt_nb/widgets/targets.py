"""Roles of tracks and bars: what is written, what the model may see, and what nobody may change."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import traitlets as t

if TYPE_CHECKING:
    from midigpt_nb.widgets.document import Cell

__all__ = ["BAR_ROLES", "TRACK_ROLES", "PlanTrait", "Roles", "moved_plan"]

TRACK_ROLES = ("context", "continue", "ignore")
"""`continue`: its bars are written from left to right, to the end; `ignore`: the model never sees it."""
BAR_ROLES = ("context", "generate", "hidden", "locked")
"""`generate`: Generate writes these instead of the selection; `hidden`: the model does not see them;
`locked`: context that neither edits nor generation change."""


@dataclass(frozen=True)
class Roles:
    """The plan trait, read: sets of cells and tracks."""

    generate: frozenset[Cell] = frozenset()
    hidden: frozenset[Cell] = frozenset()
    locked: frozenset[Cell] = frozenset()
    continued: frozenset[int] = frozenset()
    ignored: frozenset[int] = frozenset()

    @classmethod
    def of(cls, plan: Mapping[str, Any]) -> Roles:
        """The roles of a plan in its normal form."""
        tracks, bars = _entries(plan)

        def cells(role: str) -> frozenset[Cell]:
            return frozenset(cell for cell, own in bars.items() if own == role)

        return cls(
            cells("generate"),
            cells("hidden"),
            cells("locked"),
            frozenset(track for track, own in tracks.items() if own == "continue"),
            frozenset(track for track, own in tracks.items() if own == "ignore"),
        )


def _entries(plan: Mapping[str, Any]) -> tuple[dict[int, str], dict[Cell, str]]:
    tracks, bars = {}, {}
    for track, row in (plan.get("roles") or {}).items():
        if row.get("track"):
            tracks[int(track)] = row["track"]
        for bar, role in (row.get("bars") or {}).items():
            bars[int(track), int(bar)] = role
    return tracks, bars


def _plan(tracks: Mapping[int, str], bars: Mapping[Cell, str]) -> dict[str, Any]:
    """The normal form: numbers as text, ascending; roles that say nothing are left out."""
    rows: dict[str, dict[str, Any]] = {}
    for track in sorted({*tracks, *(track for track, _ in bars)}):
        row: dict[str, Any] = {}
        if tracks.get(track, "context") != "context":
            row["track"] = tracks[track]
        own = {str(b): role for (other, b), role in sorted(bars.items()) if other == track}
        own = {bar: role for bar, role in own.items() if role != "context"}
        if own:
            row["bars"] = own
        if row:
            rows[str(track)] = row
    return {"roles": rows} if rows else {}


def moved_plan(
    plan: Mapping[str, Any], tracks: Mapping[int, int], bars: Mapping[int, int], has_cell: Any
) -> dict[str, Any]:
    """The plan with its tracks and bars at new places (old -> new); without those that do not exist."""
    own_tracks, own_bars = _entries(plan)
    cells = {(tracks.get(track, -1), bars.get(bar, -1)): role for (track, bar), role in own_bars.items()}
    return _plan(
        {tracks[track]: role for track, role in own_tracks.items() if has_cell(tracks.get(track, -1), 0)},
        {cell: role for cell, role in cells.items() if has_cell(*cell)},
    )


class PlanTrait(t.Dict):
    """``{"roles": {track: {"track": role, "bars": {bar: role}}}}``; see `TRACK_ROLES` and `BAR_ROLES`."""

    def validate(self, obj: Any, value: Any) -> dict[str, Any]:
        if not isinstance(value, Mapping) or set(value) - {"roles"}:
            raise t.TraitError(f"a plan is {{'roles': {{track: ...}}}}, not {value!r}")
        tracks: dict[int, str] = {}
        bars: dict[Cell, str] = {}
        for track, row in _mapping(value.get("roles"), "plan['roles']").items():
            path = f"plan['roles'][{track!r}]"
            row = _mapping(row, path)
            if set(row) - {"track", "bars"}:
                raise t.TraitError(f"{path} has the keys 'track' and 'bars', it is {row!r}")
            number = _number(track)
            tracks[number] = _role(row.get("track") or "context", TRACK_ROLES, path)
            for bar, role in _mapping(row.get("bars"), f"{path}['bars']").items():
                bars[number, _number(bar)] = _role(role, BAR_ROLES, f"{path}['bars'][{bar!r}]")
        for cell in [*((track, 0) for track in tracks), *bars]:
            if not obj._document.has_cell(*cell):
                raise t.TraitError(obj._document.no_such_cell(*cell))
        return _plan(tracks, bars)


def _mapping(value: Any, path: str) -> Mapping[Any, Any]:
    if value is not None and not isinstance(value, Mapping):
        raise t.TraitError(f"{path} is a dict, not {value!r}")
    return value or {}


def _number(value: Any) -> int:
    try:
        number = int(value)
    except (TypeError, ValueError):
        number = -1
    if number < 0 or isinstance(value, bool):
        raise t.TraitError(f"tracks and bars are numbers from 0, not {value!r}")
    return number


def _role(value: Any, known: tuple[str, ...], path: str) -> str:
    if value not in known:
        raise t.TraitError(f"{path} is {value!r}; choose from {', '.join(known)}")
    return str(value)
