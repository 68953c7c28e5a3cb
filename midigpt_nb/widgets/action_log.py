"""What was done to a roll, as Python: `ActionLog` listens, `ActionLog.program` writes it down.

The log follows the document: an action that is undone leaves the program, and comes back when it is redone.
An action may bring its own line (`say`); every other change of the score is written as the notes, bars or
score that it came to. Lines are made when the program is asked for, so listening costs nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from pprint import pformat
from textwrap import indent
from typing import TYPE_CHECKING, Any

import numpy as np

from midigpt_nb.errors import MidiGPTError
from midigpt_nb.score.model import Note, Score
from midigpt_nb.widgets.document import Timeline, match_notes, same_bars
from midigpt_nb.widgets.history import WHOLE
from midigpt_nb.widgets.score_text import WIDTH, from_file_or_notes, note_text, packed_text

if TYPE_CHECKING:
    from midigpt_nb._core import ScoreTable
    from midigpt_nb.widgets.state import State

__all__ = ["ActionLog", "generate_line", "op_calls"]

_MOST_NOTES = 300
"""A change of more notes is written as the score it came to."""
_LONGEST_NAME = 24
_NO_ROWS = "roll.score.table.notes[:0]"


@dataclass
class _Entry:
    """One change of the score. Its states go when it is `settled`; their `music` is still known."""

    before: State | None
    after: State | None
    lines: list[str] | None
    plan: dict[str, Any]
    file: str = ""
    calls: str | None = None  # of methods of `Score`, once they were asked for; "": there are none
    packed: list[str] | None = None  # the score after it as text, where the states have gone
    music: tuple[object, object] = field(init=False)

    def __post_init__(self) -> None:
        assert self.before is not None and self.after is not None
        self.music = self.before.music, self.after.music

    @property
    def settled(self) -> bool:
        return self.after is None

    def settle(self) -> None:
        """Write down what it was, so that the states are not needed."""
        if self.lines is None and not _calls(self):
            assert self.after is not None
            self.packed = packed_text(self.after.own)
        self.before = self.after = None


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
        if state.music is self._now.music:
            return
        if said is None and self._travelled(state):
            self._now = state
            return
        self._undone.clear()
        self._entries.append(_Entry(self._now, state, said, plan, file))
        self._now = state
        self._settle()

    def _settle(self) -> None:
        for old in reversed(self._entries[:-WHOLE]):
            if old.settled:
                break  # and so are all before it
            old.settle()

    def _travelled(self, state: State) -> bool:
        """Whether this is an undo or a redo; the entries have followed it then."""
        for i in reversed(range(len(self._entries))):
            if self._entries[i].music[0] is state.music:
                self._undone += reversed(self._entries[i:])
                del self._entries[i:]
                return True
        for i in reversed(range(len(self._undone))):
            if self._undone[i].music[1] is state.music:
                self._entries += reversed(self._undone[i:])
                del self._undone[i:]
                return True
        return False

    def program(self, make: Callable[[str], str], settings: Mapping[str, Any]) -> str:
        """A program that comes to the same score.

        `make` writes the call that makes the roll from the name of a score; `settings` are the traits to be
        set at the end. Music that can only be written as long text stands behind everything else.
        """
        texts = _Texts()
        lines = [*self._beginning(texts), make("score")]
        plan: dict[str, Any] = {}
        for entry in self._entries:
            if entry.plan != plan and (entry.lines is not None):
                plan = entry.plan
                lines.append(_assignment("plan", plan))
            lines += _lines(entry, texts)
        ended = {name: value for name, value in settings.items() if name != "plan"}
        if settings.get("plan", {}) != plan:
            lines.append(_assignment("plan", settings.get("plan", {})))
        lines += [_assignment(name, value) for name, value in ended.items()]
        return texts.program(lines)

    def _beginning(self, texts: _Texts) -> list[str]:
        start = self._start.own
        gone = f"{self.path.name}, which has changed since or gone" if self.path else ""
        return _score_lines("score", start, self.path, texts, gone)


class _Texts:
    """Long texts of a program, by the names they have in it."""

    def __init__(self) -> None:
        self._lines: dict[str, list[str]] = {}

    def put(self, text: list[str]) -> str:
        """Python that reads the score from its text."""
        name = f"MUSIC_{len(self._lines) + 1}"
        self._lines[name] = text
        return f"unpack_score({name})"

    def program(self, lines: list[str]) -> str:
        """The program of these lines: those that a person reads first, the texts last."""
        if not self._lines:
            return "\n".join(["import midigpt_nb as mg", "", *lines]) + "\n"
        known = ["import midigpt_nb as mg", "from midigpt_nb.widgets.project import unpack_score"]
        body = indent("\n".join([*lines, "return roll"]), "    ")
        said = "# The music itself, all of its bytes as text: it is in no file."
        texts = [line for name, own in self._lines.items() for line in (f"{name} = (", *own, ")", "")]
        parts = [*known, "", "", "def make_roll():", body, "", "", said, *texts, "roll = make_roll()", ""]
        return "\n".join(parts)


def _assignment(name: str, value: Any) -> str:
    return f"roll.{name} = {_literal(value)}"


def _literal(value: Any) -> str:
    return pformat(value, width=WIDTH, compact=True, sort_dicts=False)


# --------------------------------------------------------------------------------------------- of one change


def _lines(entry: _Entry, texts: _Texts) -> list[str]:
    if entry.lines is not None:
        return entry.lines
    if _calls(entry):
        return [f"roll.score = roll.score{entry.calls}"]
    if entry.packed is not None:
        return [f"roll.score = {texts.put(entry.packed)}"]
    assert entry.after is not None
    path = Path(Path(entry.file).name) if entry.file else None
    return _score_lines("roll.score", entry.after.own, path, texts, entry.file)


def _calls(entry: _Entry) -> str:
    """The change as calls of `Score` methods; '' where it has another score. Worked out once."""
    if entry.calls is None:
        assert entry.before is not None and entry.after is not None
        entry.calls = "" if entry.file else _note_calls(entry.before.own, entry.after.own) or ""
    return entry.calls


def _note_calls(before: Score, after: Score) -> str | None:
    """The change as calls of `Score` methods; None when more than notes has changed, or very many."""
    old, new = before.table, after.table
    if not same_bars(old, new) or old.tempo != new.tempo or _named(before) != _named(after):
        return None
    match = match_notes(old, new)
    gone = np.ones(old.n_notes, bool)
    gone[match[match >= 0]] = False
    places = _places(old, np.flatnonzero(gone))
    fresh = np.flatnonzero(match < 0)
    if np.count_nonzero(gone) + len(fresh) > _MOST_NOTES:
        return None
    result, calls = before, ""
    try:
        if places:
            result, calls = result.delete_notes(places), f".delete_notes({_literal(places)})"
        for (track, bar), rows in groupby(zip(fresh, _places(new, fresh), strict=True), lambda r: r[1][:2]):
            notes = [Note(*(int(new.notes[row][i]) for i in (2, 3, 0, 1, 4))) for row, _ in rows]
            result = result.add_notes(track, bar, notes)
            calls += f".add_notes({track}, {bar}, [{', '.join(map(note_text, notes))}])"
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


def _score_lines(name: str, score: Score, path: Path | None, texts: _Texts, said: str) -> list[str]:
    """The line that makes the variable `name` this score, below it, for long text, how to have a file instead
    (never over one that is there). `said`: of where music that stands in the program as text comes from.

    A piece that is in no file stands in the program, because nothing else keeps the promise that the program
    comes to the same score in a kernel that knows only the program.
    """
    own = Path(f"piece-{score.hash()[:8]}.mid")
    expression = from_file_or_notes(score, path, own)
    above = [f"# from {' '.join(said.split())}"] if said else []
    if expression is not None:
        return [*(above if expression.startswith("mg.Score(") else []), f"{name} = {expression}"]
    line = f"{name} = {texts.put(packed_text(score))}  # {score.n_notes:,} notes: the text at the end"
    if not _comes_back(score):
        return [*above, line]
    taken = path is None or len(path.name) > _LONGEST_NAME or path.exists() or Path(path.name).exists()
    advised = own.name if taken or path is None else path.name
    advice = f"# {name}.to_midi({advised!r}) here, once: the next copy of this program reads it"
    return [*above, line, advice]


def _comes_back(score: Score) -> bool:
    """Whether its MIDI file is read as this very score."""
    try:
        return Score.from_bytes(score.to_midi() or b"").hash() == score.hash()
    except MidiGPTError:
        return False


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
