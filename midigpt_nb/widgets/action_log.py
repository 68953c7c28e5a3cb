"""What was done to a roll, as Python: `ActionLog` listens, `ActionLog.program` writes it down.

The log follows the document: an action that is undone leaves the program, and comes back when it is redone.
An action may bring its own line (`say`); every other change of the score is written as the notes, bars or
score that it came to. Lines are made when the program is asked for, so listening costs nothing.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from pprint import pformat
from typing import TYPE_CHECKING, Any

import numpy as np

from midigpt_nb.errors import MidiGPTError
from midigpt_nb.score.model import Note, Score
from midigpt_nb.widgets.document import Timeline, match_notes, same_bars

if TYPE_CHECKING:
    from midigpt_nb._core import ScoreTable
    from midigpt_nb.widgets.document import State

__all__ = ["ActionLog", "generate_line", "op_calls", "score_expression"]

_KEPT_STATES = 500
"""As many steps as can be undone keep their scores; older ones are written down for good."""
_WIDTH = 100
_LONG = 4_000
"""Text of a score (characters) above which a file is better."""
_LONGEST_NAME = 24
_NO_ROWS = "roll.score.table.notes[:0]"


@dataclass
class _Entry:
    """One change of the score. The states go when nobody can come back to them."""

    before: State | None
    after: State | None
    lines: list[str] | None
    plan: dict[str, Any]
    file: str = ""


class ActionLog:
    """The actions on one document. Call all methods with the document's lock held."""

    def __init__(self, start: State) -> None:
        self.path: Path | None = None
        """The file the piece was read from, if any: the program reads it, too, while it holds that piece."""
        self._start = start
        self._now = start
        self._entries: list[_Entry] = []
        self._undone: list[_Entry] = []
        self._said: list[str] | None = None
        self._said_plan: dict[str, Any] = {}
        self._said_file = ""

    def say(self, *lines: str, plan: Mapping[str, Any] | None = None) -> None:
        """The Python of the change that comes next; `plan` is the trait as it has to be for it."""
        self._said, self._said_plan = list(lines), dict(plan or {})

    def say_file(self, name: str) -> None:
        """The change that comes next is a file of this name, which a person opened in the page."""
        self._said_file = name

    def changed(self, state: State) -> None:
        """The document now is `state`: something was done, undone or redone."""
        said, plan, file = self._said, self._said_plan, self._said_file
        self._said, self._said_plan, self._said_file = None, {}, ""
        if _is(state, self._now):
            return
        if said is None and self._travelled(state):
            self._now = state
            return
        self._undone.clear()
        self._entries.append(_Entry(self._now, state, said, plan, file))
        self._now = state
        old = self._entries[-_KEPT_STATES - 1] if len(self._entries) > _KEPT_STATES else None
        if old is not None and old.before is not None:
            old.lines, old.before, old.after = _lines(old), None, None

    def _travelled(self, state: State) -> bool:
        """Whether this is an undo or a redo; the entries have followed it then."""
        for i in reversed(range(len(self._entries))):
            before = self._entries[i].before
            if before is not None and _is(state, before):
                self._undone += reversed(self._entries[i:])
                del self._entries[i:]
                return True
        for i in reversed(range(len(self._undone))):
            after = self._undone[i].after
            if after is not None and _is(state, after):
                self._entries += reversed(self._undone[i:])
                del self._undone[i:]
                return True
        return False

    def program(self, make: Callable[[str], str], settings: Mapping[str, Any]) -> str:
        """A program that comes to the same score.

        `make` writes the call that makes the roll from the name of a score; `settings` are the traits to be
        set at the end.
        """
        parts = ["import midigpt_nb as mg", "", *self._beginning(), make("score")]
        plan: dict[str, Any] = {}
        for entry in self._entries:
            if entry.plan != plan and (entry.lines is not None):
                plan = entry.plan
                parts.append(_assignment("plan", plan))
            lines = _lines(entry)
            if any("unpack_score" in line for line in lines):
                parts.append("from midigpt_nb.widgets.project import unpack_score")
            parts += lines
        ended = {name: value for name, value in settings.items() if name != "plan"}
        if settings.get("plan", {}) != plan:
            parts.append(_assignment("plan", settings.get("plan", {})))
        parts += [_assignment(name, value) for name, value in ended.items()]
        return "\n".join(parts) + "\n"

    def _beginning(self) -> list[str]:
        start = self._start.source.with_table(self._start.table)
        lines = _score_lines("score", start, self.path)
        if any("unpack_score" in line for line in lines):
            said = _from_file(f"{self.path.name}, which has changed since or gone") if self.path else []
            return ["from midigpt_nb.widgets.project import unpack_score", "", *said, *lines]
        return lines


def _is(state: State, other: State) -> bool:
    """Undo and redo bring back the very objects."""
    return state.table is other.table and state.source is other.source


def _assignment(name: str, value: Any) -> str:
    return f"roll.{name} = {_literal(value)}"


def _literal(value: Any) -> str:
    return pformat(value, width=_WIDTH, compact=True, sort_dicts=False)


# --------------------------------------------------------------------------------------------- of one change


def _lines(entry: _Entry) -> list[str]:
    if entry.lines is not None:
        return entry.lines
    assert entry.before is not None and entry.after is not None
    before = entry.before.source.with_table(entry.before.table)
    after = entry.after.source.with_table(entry.after.table)
    calls = None if entry.file else _note_calls(before, after)
    if calls is None:
        path = Path(Path(entry.file).name) if entry.file else None
        return [*(_from_file(entry.file) if entry.file else []), *_score_lines("roll.score", after, path)]
    return [f"roll.score = roll.score{calls}"]


def _note_calls(before: Score, after: Score) -> str | None:
    """The change as calls of `Score` methods; None when more than notes has changed."""
    old, new = before.table, after.table
    if not same_bars(old, new) or old.tempo != new.tempo or _named(before) != _named(after):
        return None
    match = match_notes(old, new)
    gone = np.ones(old.n_notes, bool)
    gone[match[match >= 0]] = False
    places = _places(old, np.flatnonzero(gone))
    fresh = np.flatnonzero(match < 0)
    result, calls = before, ""
    try:
        if places:
            result, calls = result.delete_notes(places), f".delete_notes({_literal(places)})"
        for (track, bar), rows in groupby(zip(fresh, _places(new, fresh), strict=True), lambda r: r[1][:2]):
            notes = [Note(*(int(new.notes[row][i]) for i in (2, 3, 0, 1, 4))) for row, _ in rows]
            result = result.add_notes(track, bar, notes)
            calls += f".add_notes({track}, {bar}, [{', '.join(map(_note, notes))}])"
    except MidiGPTError:
        calls = ""
    if calls and result.table.same_as(new):
        return calls
    return _whole_bars(old, new)


def _whole_bars(old: ScoreTable, new: ScoreTable) -> str:
    """The bars that changed, note for note, in the order they have."""
    cells = []
    for track in range(new.n_tracks):
        for bar in range(new.n_bars(track)):
            if not np.array_equal(_cell(old, track, bar), _cell(new, track, bar)):
                cells.append((track, bar))
    notes = [_cell(new, *cell).tolist() for cell in cells]
    rows = f"{_literal(cells)}, [{', '.join(_literal(own) if own else _NO_ROWS for own in notes)}]"
    return f".with_table(roll.score.table.replaced({rows}))"


def _cell(table: ScoreTable, track: int, bar: int) -> np.ndarray[Any, Any]:
    return np.asarray(table.notes)[slice(*table.note_rows(track, bar))]


def _named(score: Score) -> tuple[list[str], list[tuple[int, int]]]:
    return list(score.track_names), list(score.tempo_map)


def _places(table: ScoreTable, rows: np.ndarray[Any, Any]) -> list[tuple[int, int, int]]:
    """(track, bar, number in its bar) of rows of notes."""
    timeline = Timeline(table)
    bars = timeline.note_bar[rows]
    numbers = rows - np.asarray(table.bars)[bars, 0] if len(rows) else rows
    columns = (timeline.bar_track[bars], timeline.bar_index[bars], numbers)
    return list(zip(*(column.tolist() for column in columns), strict=True))


def _note(note: Note) -> str:
    delta = f", {note.delta}" if note.delta else ""
    return f"mg.Note({note.pitch}, {note.velocity}, {note.onset_ticks}, {note.duration_ticks}{delta})"


def _score_lines(name: str, score: Score, path: Path | None) -> list[str]:
    """The line that makes the variable `name` this score; below long text, how to have a file instead (never
    over one that is there).

    A piece that is in no file stands in the program as text, because nothing else keeps the promise that the
    program comes to the same score in a kernel that knows only the program.
    """
    own = Path(f"piece-{score.hash()[:8]}.mid")
    expression = score_expression(score, path, own)
    line = f"{name} = {expression}"
    if len(expression) <= _LONG or not _comes_back(score):
        return [line]
    taken = path is None or len(path.name) > _LONGEST_NAME or path.exists() or Path(path.name).exists()
    advised = own.name if taken or path is None else path.name
    return [line, f"# {name}.to_midi({advised!r}) here, once, and the next copy of this program reads it"]


def _comes_back(score: Score) -> bool:
    """Whether its MIDI file is read as this very score."""
    try:
        return Score.from_bytes(score.to_midi() or b"").hash() == score.hash()
    except MidiGPTError:
        return False


def score_expression(score: Score, *paths: Path | None) -> str:
    """Python that gives this score: a file that holds it, the example, or all of its bytes."""
    wanted = score.hash()
    for path in paths:
        try:
            if path is not None and path.is_file() and Score.from_midi(path).hash() == wanted:
                return f"mg.Score.from_midi({str(path)!r})"
        except (MidiGPTError, OSError):
            continue  # the file has gone, or is no MIDI file
    if Score.example().hash() == wanted:
        return "mg.Score.example()"
    from midigpt_nb.widgets.project import pack_score

    text = base64.b85encode(pack_score(score)).decode("ascii")
    width = _WIDTH - 6  # of a line with its indent and its quotes
    lines = [f"    {text[at : at + width]!r}" for at in range(0, len(text), width)]
    return "unpack_score(\n{}\n)".format("\n".join(lines))


def _from_file(name: str) -> list[str]:
    """Says where the music below comes from."""
    return [f"# from {' '.join(name.split())}"]


# ------------------------------------------------------------------------------------------ lines of actions


def op_calls(ops: Sequence[Mapping[str, Any]], n_tracks: int) -> str | None:
    """A page's batch of operations on tracks, bars and tempo as calls of `Score` methods; None with notes."""
    calls = ""
    for op in ops:
        kind = str(op.get("op"))
        write = _CALLS.get(kind)
        if write is None:
            return None
        calls += write(op, n_tracks)
        n_tracks += {"track_add": 1, "track_duplicate": 1, "track_delete": -1}.get(kind, 0)
    return calls


def _n(value: Any) -> str:
    return repr(int(value) if isinstance(value, float) and value.is_integer() else value)


def _bar_range(op: Mapping[str, Any]) -> str:
    return f"range({int(op['first'])}, {int(op['first']) + int(op['count'])})"


def _add_track(op: Mapping[str, Any], _n_tracks: int) -> str:
    drum = ", drum=True" if op.get("drum") else ""
    name = f", name={op['name']!r}" if op.get("name") else ""
    return f".add_track({_n(op.get('program', 0))}{drum}{name})"


def _move_track(op: Mapping[str, Any], n_tracks: int) -> str:
    order = list(range(n_tracks))
    order.insert(int(op["to"]), order.pop(int(op["track"])))
    return f".reorder_tracks({order})"


def _set_track(op: Mapping[str, Any], _n_tracks: int) -> str:
    track, calls = _n(op["track"]), ""
    if op.get("name") is not None:
        calls += f".rename_track({track}, {op['name']!r})"
    if op.get("program") is not None:
        calls += f".set_instrument({track}, {_n(op['program'])})"
    return calls


def _set_tempo(op: Mapping[str, Any], _n_tracks: int) -> str:
    if op.get("first") is None:
        return f".set_tempo({_n(op['bpm'])})"
    return f".set_tempo({_n(op['bpm'])}, range({int(op['first'])}, roll.score.n_bars))"


_CALLS: dict[str, Callable[[Mapping[str, Any], int], str]] = {
    "track_add": _add_track,
    "track_delete": lambda op, _: f".delete_track({_n(op['track'])})",
    "track_duplicate": lambda op, _: f".duplicate_track({_n(op['track'])})",
    "track_move": _move_track,
    "track_set": _set_track,
    "bars_insert": lambda op, _: f".insert_bars({_n(op['at'])}, {_n(op['count'])})",
    "bars_delete": lambda op, _: f".delete_bars({_bar_range(op)})",
    "bars_duplicate": lambda op, _: f".duplicate_bars({_bar_range(op)})",
    "metre_set": lambda op, _: f".set_metre({_bar_range(op)}, ({_n(op['metre'][0])}, {_n(op['metre'][1])}))",
    "tempo_set": _set_tempo,
}


def generate_line(
    cells: Sequence[tuple[int, int]],
    wishes: Mapping[str, Any],
    settings: Mapping[str, Any],
    *,
    seed: int,
    takes: int = 1,
    hold: bool = False,
    piece: Mapping[str, Any] | None = None,
) -> str:
    """The call that writes these bars again. `piece`: what was asked of the piece (chords, style)."""
    values = {name: value for name, value in settings.items() if name != "seed"}
    asked = dict(wishes) if any(wishes.values()) else {"track": {}, "bar": {}}
    parts = [_literal([tuple(cell) for cell in cells]), f"attributes={_literal(asked)}", f"takes={takes}"]
    parts += ["hold=True"] if hold and takes == 1 else []
    parts += [f"{name}={_literal(value)}" for name, value in (piece or {}).items()]
    parts += [f"{name}={value!r}" for name, value in {**values, "seed": seed}.items()]
    return f"roll.generate({', '.join(parts)}).result()"
