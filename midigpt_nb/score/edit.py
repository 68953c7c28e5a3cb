"""Edits as methods of `Score`: each returns a new score and leaves its own alone.

Notes, bars and tracks that an edit does not name are bit-identical in the new score, and what the file of a
score carries (tempo, controllers, pedal, lyrics, names) goes with its bars and tracks. A place that does not
exist raises `ScoreError` with the choices. Bars and tracks are counted from 0 and may be given as one number,
a slice, a list or, for tracks, a name; a note is (track, bar, number of the note in its bar).
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from midigpt_nb import _core
from midigpt_nb.errors import ScoreError
from midigpt_nb.score import bars_edit, notes_edit
from midigpt_nb.score.places import (
    Bars,
    MetreLike,
    NotePlace,
    TrackName,
    Tracks,
    bar_numbers,
    metre_of,
    program_of,
    track_number,
    track_numbers,
    whole,
)
from midigpt_nb.score.timeline import PlannedBar, metres_of

if TYPE_CHECKING:
    import numpy.typing as npt

    from midigpt_nb.score.model import Note, Score, Track

__all__ = [
    "add_note",
    "add_notes",
    "add_track",
    "append_bars",
    "clear_bars",
    "concatenated",
    "delete_bars",
    "delete_notes",
    "delete_track",
    "duplicate_bars",
    "duplicate_track",
    "find_notes",
    "insert_bars",
    "move_notes",
    "part",
    "quantise",
    "rename_track",
    "reorder_tracks",
    "resize_notes",
    "set_instrument",
    "set_metre",
    "set_tempo",
    "set_velocity",
    "track",
    "track_index",
    "transpose",
]

_MOST_BARS = 10_000  # that one edit adds


# ---- selecting -------------------------------------------------------------------------------


def track(score: Score, which: TrackName) -> Track:
    """The track of this number or name.

    >>> Score.example().track("Bass")
    Track(16 bars, Bass)
    """
    return score.tracks[track_number(which, score)]


def track_index(score: Score, which: TrackName) -> int:
    """The number of the track of this name (any case of letters), or the number itself, checked."""
    return track_number(which, score)


def part(score: Score, which: Any) -> Score:
    """Bars, tracks or both as a score of their own: ``score[4:8]``, ``score["Bass"]``,
    ``score[4:8, ["Bass", "Drums"]]``.

    Settings made earlier in the piece (tempo, programs, controllers) hold in the new one, too; notes that
    ring past the last bar end with it.
    """
    bars, tracks = which if isinstance(which, tuple) and len(which) == 2 else (which, None)
    if tracks is None and _names_tracks(which):
        bars, tracks = None, which
    if tracks is not None and tracks != slice(None):
        score = bars_edit.with_order_of_tracks(score, track_numbers(tracks, score))
    numbers = bar_numbers(bars, score.n_bars)
    if numbers == list(range(score.n_bars)):
        return score._like(score.table, score._source)
    return bars_edit.arranged(score, bars_edit.plan_of(score, numbers))


def find_notes(
    score: Score, tracks: Tracks = None, bars: Bars = None, pitches: int | Iterable[int] | None = None
) -> list[NotePlace]:
    """Places (track, bar, number) of the notes in some tracks, bars and pitches; None for all."""
    table = score.table
    rows = notes_edit.selected(table, *_scope(score, tracks, bars), _pitches(pitches))
    taken = notes_edit.NoteRows(table)
    firsts = table.bars[:, 0][taken.bar[rows]] if len(rows) else rows
    return list(
        zip(
            taken.track[rows].tolist(), taken.bar_number[rows].tolist(), (rows - firsts).tolist(), strict=True
        )
    )


# ---- notes -----------------------------------------------------------------------------------


def add_notes(score: Score, track: TrackName, bar: int, notes: Sequence[Note]) -> Score:
    """Notes put into a bar. `onset_ticks` counts from its start and must lie within it.

    >>> Score.example().add_notes("Bass", 0, [Note(40, 100, 0, 240)]).n_notes - Score.example().n_notes
    1
    """
    number = track_number(track, score)
    place = bar_numbers(bar, score.table.n_bars(number))
    if len(place) != 1:
        raise ScoreError(f"notes are put into one bar, not {bar!r}")
    return _with_notes(score, notes_edit.added(score.table, _lengths(score), number, place[0], notes))


def add_note(
    score: Score,
    track: TrackName,
    bar: int,
    pitch: int,
    onset_ticks: int,
    duration_ticks: int,
    velocity: int = 100,
) -> Score:
    """One note put into a bar; see `add_notes`."""
    from midigpt_nb.score.model import Note

    return score.add_notes(track, bar, [Note(pitch, velocity, onset_ticks, duration_ticks)])


def delete_notes(score: Score, notes: Iterable[NotePlace]) -> Score:
    """The score without some notes, given as (track, bar, number); see `find_notes`."""
    return _with_notes(score, notes_edit.without(score.table, notes_edit.rows_at(score.table, notes)))


def move_notes(score: Score, notes: Iterable[NotePlace], *, ticks: int = 0, semitones: int = 0) -> Score:
    """Notes moved in time, also into other bars of their track, and in pitch."""
    limit = 2**31 - 1
    return _changed(
        score,
        notes,
        ticks=whole(ticks, "ticks", -limit, limit),
        semitones=whole(semitones, "semitones", -127, 127),
    )


def resize_notes(
    score: Score, notes: Iterable[NotePlace], *, duration_ticks: int | None = None, by: int = 0
) -> Score:
    """Notes given one length, or made longer or shorter by some ticks."""
    limit = 2**31 - 1
    if duration_ticks is not None:
        duration_ticks = whole(duration_ticks, "duration_ticks", 1, limit)
    return _changed(score, notes, duration_ticks=duration_ticks, longer_by=whole(by, "by", -limit, limit))


def set_velocity(score: Score, notes: Iterable[NotePlace], velocity: int) -> Score:
    """Notes given one velocity 1..127."""
    return _changed(score, notes, velocity=whole(velocity, "velocity", 1, 127))


def transpose(
    score: Score, semitones: int, *, tracks: Tracks = None, bars: Bars = None, outside: str = "error"
) -> Score:
    """Notes moved by semitones; without `tracks` those of all melodic tracks, as drums have no pitch.

    A pitch beyond 0..127 is an error, or with ``outside="octave"`` comes back by octaves, or with
    ``outside="drop"`` the note goes. Key signatures and aftertouch of single keys stay as they are.
    """
    semitones = whole(semitones, "semitones", -127, 127)
    rows = notes_edit.selected(
        score.table, *_scope(score, _melodic(score) if tracks is None else tracks, bars)
    )
    return _with_notes(score, notes_edit.transposed(score.table, rows, semitones, outside))


def quantise(
    score: Score,
    grid: str | float = "1/16",
    *,
    strength: float = 1.0,
    swing: float = 0.0,
    ends: bool = False,
    tracks: Tracks = None,
    bars: Bars = None,
) -> Score:
    """Onsets drawn to a grid that starts anew in each bar.

    `grid` is a note value (``"1/16"``, ``"1/8T"`` for triplets, ``"1/8D"`` for dotted ones) or a number of
    quarter notes. `strength` 0..1 is how much of the way a note goes; `swing` 0..0.9 is how many steps every
    second line is late (1/3 makes triplets of a straight pair); with `ends` the ends of notes go to the
    grid, too.
    """
    step = _grid_quarters(grid) * score.resolution
    if step < 1:
        raise ScoreError(f"grid is {grid!r}, less than a tick at {score.resolution} ticks per quarter note")
    rows = notes_edit.selected(score.table, *_scope(score, tracks, bars))
    table = notes_edit.quantised(
        score.table,
        _lengths(score),
        rows,
        step=step,
        strength=_fraction(strength, "strength", 1.0),
        swing=_fraction(swing, "swing", 0.9),
        ends=bool(ends),
    )
    return _with_notes(score, table)


# ---- bars ------------------------------------------------------------------------------------


def insert_bars(score: Score, at: int, n: int = 1, metre: MetreLike | None = None) -> Score:
    """`n` empty bars put in before bar `at` (``score.n_bars``: at the end).

    They have the metre of the bar before, unless `metre` says another.
    """
    at = whole(at, "at", 0, score.n_bars)
    n = whole(n, "n", 1, _MOST_BARS)
    _require_tracks(score, "bars")
    metres = metres_of(score.table)
    around = metres[max(0, at - 1)] if metres else (4, 4)
    fresh = [PlannedBar(None, metre_of(metre) if metre is not None else around)] * n
    plan = bars_edit.kept_plan(score)
    return bars_edit.arranged(score, [*plan[:at], *fresh, *plan[at:]])


def append_bars(score: Score, n: int = 1, metre: MetreLike | None = None) -> Score:
    """`n` empty bars put in at the end."""
    return score.insert_bars(score.n_bars, n, metre)


def delete_bars(score: Score, bars: Bars) -> Score:
    """The score without some bars; what comes after moves up.

    Notes held into them lose the time that is gone.
    """
    gone = set(bar_numbers(bars, score.n_bars))
    return bars_edit.arranged(
        score, bars_edit.plan_of(score, [bar for bar in range(score.n_bars) if bar not in gone])
    )


def duplicate_bars(score: Score, bars: Bars, before: int | None = None) -> Score:
    """A copy of some bars put in before another one, or right behind the last of them."""
    numbers = bar_numbers(bars, score.n_bars)
    if not numbers:
        return score.copy()
    at = numbers[-1] + 1 if before is None else whole(before, "before", 0, score.n_bars)
    plan = bars_edit.kept_plan(score)
    return bars_edit.arranged(score, [*plan[:at], *bars_edit.plan_of(score, numbers), *plan[at:]])


def clear_bars(score: Score, bars: Bars = None, tracks: Tracks = None) -> Score:
    """The score without the notes that start in some bars of some tracks."""
    rows = notes_edit.selected(score.table, *_scope(score, tracks, bars))
    return _with_notes(score, notes_edit.without(score.table, rows))


def set_metre(score: Score, bars: Bars, metre: MetreLike) -> Score:
    """New bar lines for neighbouring bars.

    Notes keep their time, so there may be more or fewer bars; the last is filled up with silence.
    """
    numbers = sorted(set(bar_numbers(bars, score.n_bars)))
    if not numbers:
        return score.copy()
    if numbers != list(range(numbers[0], numbers[-1] + 1)):
        raise ScoreError(f"bars {numbers} are not neighbours; change the metre of one stretch at a time")
    return bars_edit.rebarred(score, numbers[0], numbers[-1] + 1, metre_of(metre))


def set_tempo(score: Score, bpm: float, bars: Bars = None) -> Score:
    """Neighbouring bars, or without `bars` the whole piece, at a tempo in quarter notes a minute.

    Behind the bars the tempo from before comes back.
    """
    if isinstance(bpm, bool) or not isinstance(bpm, (int, float, np.number)) or not 3.6 <= float(bpm) <= 6e7:
        raise ScoreError(f"bpm is {bpm!r}; allowed: 3.6..60000000 quarter notes a minute")
    tempo = min(round(60e6 / float(bpm)), 0xFFFFFF)
    numbers = sorted(set(bar_numbers(bars, score.n_bars)))
    if bars is None or not numbers:
        return bars_edit.with_tempo(score, tempo, 0, None) if bars is None else score.copy()
    if numbers != list(range(numbers[0], numbers[-1] + 1)):
        raise ScoreError(f"bars {numbers} are not neighbours; change the tempo of one stretch at a time")
    return bars_edit.with_tempo(score, tempo, numbers[0], numbers[-1] + 1)


# ---- tracks ----------------------------------------------------------------------------------


def add_track(score: Score, instrument: int | str = 0, *, drum: bool = False, name: str = "") -> Score:
    """A new last track of empty bars. `instrument` is a General MIDI program, 0..127 or its name."""
    program = program_of(instrument)
    score = score.with_table(score.table.with_track(program, bool(drum)))
    score._names[-1] = _checked_name(name)
    return score


def delete_track(score: Score, which: TrackName) -> Score:
    """The score without a track, and without the controllers of a channel that only it used."""
    gone = track_number(which, score)
    return bars_edit.with_order_of_tracks(score, [i for i in range(score.n_tracks) if i != gone])


def duplicate_track(score: Score, which: TrackName, *, name: str = "") -> Score:
    """A copy of a track right behind it, with its notes and instrument."""
    number = track_number(which, score)
    score = bars_edit.with_order_of_tracks(score, [*range(number + 1), *range(number, score.n_tracks)])
    score._names[number + 1] = _checked_name(name) or score._names[number]
    return score


def reorder_tracks(score: Score, order: Sequence[TrackName]) -> Score:
    """The tracks in another order; each must be named once.

    What a file says of the whole piece (tempi, metres, markers, copyright) stays in its first chunk, where
    other programs look for it.
    """
    numbers = track_numbers(order, score)
    if sorted(numbers) != list(range(score.n_tracks)):
        missing = [i for i in range(score.n_tracks) if i not in numbers]
        raise ScoreError(
            f"the order leaves out tracks {missing}; name each of the {score.n_tracks} tracks once"
        )
    return bars_edit.with_order_of_tracks(score, numbers)


def rename_track(score: Score, which: TrackName, name: str) -> Score:
    """A track with another name."""
    number = track_number(which, score)
    score = score.with_table(score.table)
    score._names[number] = _checked_name(name)
    return score


def set_instrument(score: Score, which: TrackName, instrument: int | str) -> Score:
    """A track with another General MIDI program, 0..127 or its name (of a drum track: another kit)."""
    rows = np.array(score.table.tracks)
    rows[track_number(which, score), 1] = program_of(instrument)
    return bars_edit.with_track_rows(score, rows)


# ---- both ------------------------------------------------------------------------------------


def concatenated(score: Score, other: Score) -> Score:
    """`other` after this score. Tracks of the same name, instrument and kind go on in one track.

    The resolution is the least common multiple of both, so that no note moves.
    """
    from midigpt_nb.score.join import joined

    return joined(score, other) if isinstance(other, type(score)) else NotImplemented


# ---- helpers -----------------------------------------------------------------------------------------


def _with_notes(score: Score, table: _core.ScoreTable) -> Score:
    return score._like(table, score._source)


def _changed(score: Score, notes: Iterable[NotePlace], **change: Any) -> Score:
    table = score.table
    rows = notes_edit.rows_at(table, notes)
    return _with_notes(score, notes_edit.changed(table, _lengths(score), rows, **change))


def _lengths(score: Score) -> npt.NDArray[np.int64]:
    return notes_edit.real_bar_lengths(score.table, score._source.file if score._source else None)


def _scope(score: Score, tracks: Tracks, bars: Bars) -> tuple[list[int], list[int] | None]:
    return track_numbers(tracks, score), None if bars is None else bar_numbers(bars, score.n_bars)


def _melodic(score: Score) -> list[int]:
    return np.flatnonzero(score.table.tracks[:, 2] == 0).tolist()


def _require_tracks(score: Score, what: str) -> None:
    if score.n_tracks == 0:
        raise ScoreError(f"a score without tracks holds no {what}; add a track first")


def _names_tracks(which: Any) -> bool:
    return isinstance(which, str) or (isinstance(which, list) and bool(which) and isinstance(which[0], str))


def _checked_name(name: Any) -> str:
    if not isinstance(name, str):
        raise ScoreError(f"name is {name!r}; allowed: text")
    return name


def _pitches(pitches: int | Iterable[int] | None) -> list[int] | None:
    if pitches is None:
        return None
    if not isinstance(pitches, Iterable) or isinstance(pitches, (str, bytes)):
        pitches = [pitches]  # type: ignore[list-item]
    return [whole(pitch, "pitch", 0, 127) for pitch in pitches]


def _fraction(value: Any, name: str, highest: float) -> float:
    fits = (
        isinstance(value, (int, float, np.number)) and not isinstance(value, bool) and 0 <= value <= highest
    )
    if not fits:
        raise ScoreError(f"{name} is {value!r}; allowed: 0..{highest:g}")
    return float(value)


def _grid_quarters(grid: Any) -> float:
    """A grid step in quarter notes."""
    quarters = math.nan
    if isinstance(grid, str) and (found := re.fullmatch(r"\s*(\d{1,3})/(\d{1,3})\s*([TtDd]?)\s*", grid)):
        factor = {"": 1.0, "t": 2 / 3, "d": 1.5}[found[3].lower()]
        quarters = 4 * int(found[1]) / int(found[2]) * factor if int(found[2]) else math.nan
    elif isinstance(grid, (int, float, np.number)) and not isinstance(grid, bool):
        quarters = float(grid)
    if not (math.isfinite(quarters) and 0 < quarters <= 16):
        raise ScoreError(
            f"grid is {grid!r}; allowed: '1/16', '1/8T', '1/8D' and the like, or quarter notes up to 16"
        )
    return quarters
