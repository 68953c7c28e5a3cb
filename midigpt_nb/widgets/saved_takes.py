"""Open takes as plain data, and open again: what a .mgnb file keeps of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from midigpt_nb.errors import MidiGPTError, ProjectError, brief
from midigpt_nb.widgets.document import Cell, cell_notes, same_bars
from midigpt_nb.widgets.state import State
from midigpt_nb.widgets.takes import MAX_TAKES, RollTake
from midigpt_nb.widgets.targets import BAR_ROLES, TRACK_ROLES

if TYPE_CHECKING:
    from midigpt_nb._core import ScoreTable

__all__ = ["open_takes", "plain_takes"]

_NUMBERS: dict[str, type] = {"seed": int, "log_prob": float, "novelty": float, "notes": int, "number": int}
_TEXTS = ("id", "status", "label", "python")
_LARGEST_OF = {"seed": 2**256, "notes": 2**31, "number": 2**31}
_LONGEST_TEXT = 20_000
_LONGEST_NAME = 200
_MOST_ROWS = 2**22  # bars of all tracks together; see score/from_midi.cpp

Rows = list[list[Any]]


def plain_takes(takes: Iterable[RollTake], state: State) -> list[dict[str, Any]]:
    """Everything of the takes as lists, dicts, numbers and texts; notes only where they differ."""
    plain = []
    for take in takes:
        names = (*_NUMBERS, *_TEXTS, "adherence", "plan", "record")
        told = {name: getattr(take, name) for name in names}
        told["report"] = [asdict(row) for row in take.report]
        told["remarks"] = list(take.report.remarks)
        told["chords"] = [asdict(row) for row in getattr(take.report, "chords", [])]
        told["cells"] = _rows(take.score.table, take.cells)
        told["base"] = _rows(take.base.table, _changed(state.table, take.base.table))
        plain.append(told)
    return plain


def open_takes(plain: Sequence[Mapping[str, Any]], state: State) -> list[RollTake]:
    """The takes of `plain_takes` on the same document; their notes are those that were saved.

    Raises `ProjectError` for what does not fit. Entries of older files, which have no notes, are left out.
    """
    kept = [told for told in plain if isinstance(told.get("record"), Mapping)]
    try:
        takes = [_take(told, state) for told in kept[:MAX_TAKES]]
    except (MidiGPTError, LookupError, TypeError, ValueError, OverflowError, AttributeError) as error:
        raise ProjectError(f"an open take in this file is damaged: {error}") from error
    if len({take.id for take in takes}) < len(takes) or len({take.number for take in takes}) < len(takes):
        raise ProjectError("two open takes in this file have the same name")
    return takes


def _changed(old: ScoreTable, new: ScoreTable) -> list[Cell]:
    if new is old or new.same_as(old) or not same_bars(old, new):
        return []
    cells = [(track, bar) for track in range(new.n_tracks) for bar in range(new.n_bars(track))]
    return [c for c in cells if not np.array_equal(cell_notes(old, *c), cell_notes(new, *c))]


def _rows(table: ScoreTable, cells: Iterable[Cell]) -> Rows:
    return [[track, bar, cell_notes(table, track, bar).tolist()] for track, bar in cells]


def _with(table: ScoreTable, rows: Rows) -> tuple[ScoreTable, tuple[Cell, ...]]:
    cells = [(_whole(track), _whole(bar)) for track, bar, _ in rows]
    notes = [np.asarray(own, np.int64).reshape(-1, 5) for _, _, own in rows]
    for own in notes:
        if own.size and (own.min() < -(2**31) or own.max() >= 2**31):
            raise ValueError("a number of a note is too large")
    small = [own.astype(np.int32) for own in notes]
    return (table.replaced(cells, small) if cells else table), tuple(cells)


def _whole(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ValueError(f"{brief(value)} is no track or bar; allowed: a whole number from 0")
    return value


def _take(told: Mapping[str, Any], state: State) -> RollTake:
    from midigpt_nb.inference.report import AttributeReport, Report
    from midigpt_nb.inference.request import GenerationRequest

    facts: dict[str, Any] = {}
    for name, kind in _NUMBERS.items():
        value = told[name]
        if isinstance(value, bool) or not isinstance(value, (kind, int)):
            raise ValueError(f"{name} is {brief(value)}; allowed: a {kind.__name__}")
        facts[name] = kind(value)
        if kind is float and not math.isfinite(facts[name]):
            raise ValueError(f"{name} is {value!r}; allowed: a finite number")
        if name in _LARGEST_OF and not 0 <= facts[name] < _LARGEST_OF[name]:
            raise ValueError(f"{name} is {brief(value)}; allowed: 0..{_LARGEST_OF[name] - 1}")
    for name in _TEXTS:
        if not isinstance(told[name], str) or len(told[name]) > _LONGEST_TEXT:
            given = brief(told[name])
            raise ValueError(f"{name} is {given}; allowed: a text of at most {_LONGEST_TEXT} characters")
        facts[name] = told[name]
    adherence = told.get("adherence")
    if not _is_share(adherence):
        raise ValueError(f"adherence is {brief(adherence)}; allowed: a number 0..1, or null")
    record, plan = told["record"], _checked_plan(told.get("plan", {}))
    if not isinstance(record, dict) or not told["cells"]:
        raise ValueError("it says nothing about how it was made")
    base_table, _ = _with(state.table, told.get("base", []))
    table, cells = _with(base_table, told["cells"])
    score = state.source.with_table(base_table).with_table(table)
    if record.get("result_hash") != score.hash():
        raise ValueError("its notes are not those that were saved")
    base = state
    if base_table is not state.table:
        nothing = np.zeros(base_table.n_notes, np.uint8)
        base = State(state.source, base_table, nothing.astype(np.uint32), nothing)
    rows = [AttributeReport(**own) for own in _checked_rows("report", told.get("report", []), _REPORT)]
    report = Report(rows, _remarks(told.get("remarks", [])))
    _add_chords(report, told.get("chords", []))
    return RollTake(
        **facts,
        adherence=adherence,
        cells=cells,
        score=score,
        request=GenerationRequest.from_dict(record["request"]),
        report=report,
        record=record,
        base=base,
        plan=plan,
    )


def _add_chords(report: Any, chords: Sequence[Mapping[str, Any]]) -> None:
    rows = _checked_rows("chords", chords, _CHORDS)
    if rows:
        from midigpt_nb.inference.chord_control import ChordRow

        report.chords = [ChordRow(**row) for row in rows]


# ----------------------------------------------------------------------------------------- rows of a report

Check = tuple[Callable[[Any], bool], str]
_LARGEST = 2**31


def _is_count(value: Any) -> bool:
    return type(value) is int and 0 <= value < _LARGEST


def _is_level(value: Any) -> bool:
    return value is None or (type(value) is int and -_LARGEST <= value < _LARGEST)


def _is_short_text(value: Any) -> bool:
    return isinstance(value, str) and len(value) <= _LONGEST_NAME


def _is_share(value: Any) -> bool:
    return value is None or (type(value) in (int, float) and 0 <= value <= 1)  # NaN is not


def _are_bars(value: Any) -> bool:
    return isinstance(value, list) and len(value) <= _MOST_ROWS and all(map(_is_count, value))


_COUNT: Check = (_is_count, "a whole number from 0")
_BAR: Check = (
    lambda value: value is None or _is_count(value),
    "a whole number from 0, or null for the track",
)
_LEVEL: Check = (_is_level, "a whole number, or null")
_NAME: Check = (_is_short_text, "a short text")
# TABLES: what each entry of a row may hold.
_REPORT: dict[str, Check] = {
    "track": _COUNT,
    "bar": _BAR,
    "name": _NAME,
    "size": (lambda value: _is_count(value) and value > 0, "a whole number from 1"),
    "requested": _LEVEL,
    "announced": _LEVEL,
    "realised": _LEVEL,
    "bars": (_are_bars, "a list of whole numbers from 0"),
}
_CHORDS: dict[str, Check] = {
    "track": _COUNT,
    "bar": _COUNT,
    "chord": _NAME,
    "how": _NAME,
    "share": (_is_share, "a number 0..1, or null"),
    "name": _NAME,
    "announced": (lambda value: value is None, "null"),
}


def _checked_rows(path: str, rows: Any, table: Mapping[str, Check]) -> list[dict[str, Any]]:
    """Rows in which every entry is what the table says. Raises ValueError with path, value and choices."""
    if not isinstance(rows, list) or len(rows) > _MOST_ROWS:
        raise ValueError(f"{path} is {brief(rows)}; allowed: a list of at most {_MOST_ROWS} rows")
    for i, row in enumerate(rows):
        if not isinstance(row, dict) or set(row) != set(table):
            raise ValueError(f"{path}[{i}] is {brief(row)}; allowed: the entries {', '.join(table)}")
        for name, (fits, allowed) in table.items():
            if not fits(row[name]):
                raise ValueError(f"{path}[{i}][{name!r}] is {brief(row[name])}; allowed: {allowed}")
    return [{name: tuple(v) if isinstance(v, list) else v for name, v in row.items()} for row in rows]


# ------------------------------------------------------------------------------------------------ the plan

_LONGEST_NUMBER = 10  # digits of a track or bar below 2**31


def _checked_plan(plan: Any) -> dict[str, Any]:
    """The roles that a take was made with, in which every entry is one that `PlanTrait` makes.

    Raises ValueError with path, value and choices. A track or bar that the piece has no more is none of its
    business: the plan is only told in the notebook's cell, as the one of then.
    """
    roles = _entries_of("plan", plan, ("roles",)).get("roles", {})
    n_bars = 0
    for track, row in _numbered("plan['roles']", roles):
        path = f"plan['roles'][{track!r}]"
        row = _entries_of(path, row, ("track", "bars"))
        if "track" in row:
            _check_role(f"{path}['track']", row["track"], TRACK_ROLES)
        bars = row.get("bars", {})
        for bar, role in _numbered(f"{path}['bars']", bars):
            _check_role(f"{path}['bars'][{bar!r}]", role, BAR_ROLES)
        n_bars += len(bars)
    if n_bars > _MOST_ROWS:
        raise ValueError(f"plan['roles'] speaks of {n_bars} bars; allowed: at most {_MOST_ROWS}")
    return dict(plan)


def _entries_of(path: str, value: Any, names: tuple[str, ...]) -> dict[str, Any]:
    if not isinstance(value, dict) or not set(value) <= set(names):
        raise ValueError(f"{path} is {brief(value)}; allowed: the entries {', '.join(names)}")
    return value


def _numbered(path: str, value: Any) -> Iterable[tuple[str, Any]]:
    """The entries of a dict whose names are tracks or bars: numbers as text."""
    if not isinstance(value, dict) or len(value) > _MOST_ROWS:
        raise ValueError(f"{path} is {brief(value)}; allowed: an object of at most {_MOST_ROWS} entries")
    for name in value:
        digits = isinstance(name, str) and name.isascii() and name.isdigit() and len(name) <= _LONGEST_NUMBER
        if not digits or str(int(name)) != name or int(name) >= _LARGEST:
            raise ValueError(f"{path} has the entry {brief(name)}; allowed: whole numbers from 0, as text")
    return value.items()


def _check_role(path: str, role: Any, known: tuple[str, ...]) -> None:
    if not isinstance(role, str) or role not in known:
        raise ValueError(f"{path} is {brief(role)}; allowed: {', '.join(known)}")


def _remarks(texts: Any) -> list[str]:
    if not isinstance(texts, list) or len(texts) > _MOST_ROWS:
        raise ValueError(f"remarks is {brief(texts)}; allowed: a list of at most {_MOST_ROWS} texts")
    for i, text in enumerate(texts):
        if not isinstance(text, str) or len(text) > _LONGEST_TEXT:
            raise ValueError(f"remarks[{i}] is {brief(text)}; allowed: a text")
    return list(texts)
