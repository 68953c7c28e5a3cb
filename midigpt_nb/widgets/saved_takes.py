"""Open takes as plain data, and open again: what a .mgnb file keeps of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from midigpt_nb.errors import MidiGPTError, ProjectError
from midigpt_nb.widgets.document import Cell, State, cell_notes, same_bars
from midigpt_nb.widgets.takes import MAX_TAKES, RollTake

if TYPE_CHECKING:
    from midigpt_nb._core import ScoreTable

__all__ = ["open_takes", "plain_takes"]

_NUMBERS = {"seed": int, "log_prob": float, "novelty": float, "notes": int, "number": int}
_TEXTS = ("id", "status", "label", "python")
_LONGEST_TEXT = 20_000

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
        raise ValueError(f"{value!r} is no track or bar")
    return value


def _take(told: Mapping[str, Any], state: State) -> RollTake:
    from midigpt_nb.inference.report import AttributeReport, Report
    from midigpt_nb.inference.request import GenerationRequest

    facts: dict[str, Any] = {}
    for name, kind in _NUMBERS.items():
        value = told[name]
        if isinstance(value, bool) or not isinstance(value, (kind, int)):
            raise ValueError(f"{name} is {value!r}")
        facts[name] = kind(value)
    for name in _TEXTS:
        if not isinstance(told[name], str) or len(told[name]) > _LONGEST_TEXT:
            raise ValueError(f"{name} is no text")
        facts[name] = told[name]
    adherence = told.get("adherence")
    if adherence is not None and (isinstance(adherence, bool) or not isinstance(adherence, int | float)):
        raise ValueError(f"adherence is {adherence!r}")
    record, plan = told["record"], told.get("plan", {})
    if not isinstance(record, dict) or not isinstance(plan, dict) or not told["cells"]:
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
    rows = [AttributeReport(**{**row, "bars": tuple(row["bars"])}) for row in told.get("report", [])]
    report = Report(rows, [str(text) for text in told.get("remarks", [])])
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
    if chords:
        from midigpt_nb.inference.chord_control import ChordRow

        report.chords = [ChordRow(**row) for row in chords]
