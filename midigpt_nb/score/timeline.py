"""Bars put in, taken out and moved: what that means for the table, and for the file a score came from.

A plan lists the bars of the new piece in order, each a bar of the old one or an empty one. The two halves
follow the same rule: a note lies in the bar where it starts, keeps its length where silence was put in,
loses the time that was taken out, and ends where time jumps.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from midigpt_nb import _core
from midigpt_nb.errors import ScoreError
from midigpt_nb.score.table import bar_rows_of_notes, bar_starts, longest_track, tracks_of_bar_rows

if TYPE_CHECKING:
    import numpy.typing as npt

__all__ = [
    "FOREVER",
    "Arrangement",
    "FileBars",
    "PlannedBar",
    "Run",
    "bar_of_notes",
    "file_arrangement",
    "inferred_plan",
    "metres_of",
    "planned_table",
    "rebarred_arrangement",
    "rebarred_table",
    "runs_of",
]

FOREVER = 2**62  # a stretch with what comes after the last bar


@dataclass(frozen=True, slots=True)
class PlannedBar:
    """A bar of the new piece: `source` is the old bar that it is, None for an empty one.

    `metre` is its own.
    """

    source: int | None
    metre: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Run:
    """`n` old bars from `first` on that stay together, as new bars from `at` on; `first` None: empty bars."""

    at: int
    first: int | None
    n: int


def runs_of(plan: Sequence[PlannedBar]) -> list[Run]:
    """A plan as its longest stretches."""
    runs: list[Run] = []
    for i, bar in enumerate(plan):
        if runs and _continues(runs[-1], bar.source):
            runs[-1] = Run(runs[-1].at, runs[-1].first, runs[-1].n + 1)
        else:
            runs.append(Run(i, bar.source, 1))
    return runs


def _continues(run: Run, source: int | None) -> bool:
    if run.first is None or source is None:
        return run.first is None and source is None
    return source == run.first + run.n


def metres_of(table: _core.ScoreTable) -> list[tuple[int, int]]:
    """(numerator, denominator) of each bar of the longest track."""
    if table.n_tracks == 0:
        return []
    first, last = table.bar_rows(longest_track(table))
    return [(numerator, denominator) for numerator, denominator in table.bars[first:last, 1:3].tolist()]


# ---- the table -------------------------------------------------------------------------------------


def planned_table(table: _core.ScoreTable, plan: Sequence[PlannedBar]) -> _core.ScoreTable:
    """The table with the bars of the plan; notes of bars that stay whole are copied bit for bit."""
    runs, starts = runs_of(plan), bar_starts(table)
    notes, sources, bars, tracks = [], [], [], []
    n_notes = n_bars = 0
    for track in range(table.n_tracks):
        tracks.append((n_bars, *table.tracks[track, 1:].tolist()))
        for run in _runs_of_track(runs, table.n_bars(track)):
            run_bars, run_notes, run_sources = _run_rows(table, track, run, plan, runs, starts)
            run_bars[:, 0] += n_notes
            n_notes, n_bars = n_notes + len(run_notes), n_bars + len(run_bars)
            bars.append(run_bars)
            notes.append(run_notes)
            sources.append(run_sources)
    return _core.ScoreTable(
        notes=np.concatenate([np.zeros((0, 5), np.int32), *notes]),
        bars=np.concatenate([np.zeros((0, 4), np.int32), *bars]),
        tracks=np.array(tracks, np.int32).reshape(-1, 3),
        resolution=table.resolution,
        tempo=table.tempo,
        note_source=np.concatenate([np.zeros(0, np.int32), *sources]),
    )


def _runs_of_track(runs: Sequence[Run], n_bars: int) -> list[Run]:
    """The runs of a track that may end before the others: old bars it lacks are empty.

    At its end there are none.
    """
    own: list[Run] = []
    for run in runs:
        held = run.n if run.first is None else max(0, min(run.n, n_bars - run.first))
        if held:
            own.append(Run(run.at, run.first, held))
        if held < run.n:
            own.append(Run(run.at + held, None, run.n - held))
    while own and own[-1].first is None and runs[-1].first is not None:
        own.pop()
    return own


def _run_rows(
    table: _core.ScoreTable,
    track: int,
    run: Run,
    plan: Sequence[PlannedBar],
    runs: Sequence[Run],
    starts: npt.NDArray[np.int64],
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32], npt.NDArray[np.int32]]:
    """Bars (first_note counted from the run's first), notes and sources of one run of one track."""
    if run.first is None:
        metres = np.array([plan[run.at + i].metre for i in range(run.n)], np.int32).reshape(-1, 2)
        empty = np.zeros((run.n, 4), np.int32)
        empty[:, 1:3] = metres
        return empty, np.zeros((0, 5), np.int32), np.zeros(0, np.int32)
    first_row, _ = table.bar_rows(track)
    rows = slice(first_row + run.first, first_row + run.first + run.n)
    start = table.note_rows(track, run.first)[0]
    end = table.note_rows(track, run.first + run.n - 1)[1]
    bars = table.bars[rows].copy()
    bars[:, 0] -= start
    notes = table.notes[start:end].copy()
    holder = np.searchsorted(bars[:, 0], np.arange(len(notes)), side="right") - 1
    ends = starts[run.first + holder] + notes[:, 0] + notes[:, 1]
    edge = int(starts[run.first + run.n])
    for i in np.flatnonzero(ends > edge).tolist():
        gone = int(ends[i]) - _new_end(int(ends[i]), runs, run.at, starts)
        notes[i, 1] = max(1, int(notes[i, 1]) - gone)
    return bars, notes, table.note_source[start:end].copy()


def _new_end(end: int, runs: Sequence[Run], at: int, starts: npt.NDArray[np.int64]) -> int:
    """Where a note of the run at `at` ends, on the old time line less what was taken out on the way."""
    number = max(i for i, run in enumerate(runs) if run.at <= at)
    gone = 0
    for i in range(number, len(runs)):
        run = runs[i]
        if run.first is None:
            break
        edge = int(starts[run.first + run.n])
        if end <= edge or run.first + run.n == len(starts) - 1:
            break
        if i + 1 == len(runs):
            return edge - gone
        following = runs[i + 1].first
        if following is None:
            break
        begin = int(starts[following])
        if begin < edge or end <= begin:
            return edge - gone
        gone += begin - edge
    return end - gone


# ---- the file --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Arrangement:
    """What `_core.assemble_midi` needs: (source, start, end, pad, with_rest) stretches, the bars, and where
    they end.
    """

    spans: list[tuple[int, int, int, int, bool]]
    bars: list[tuple[int, int, int, int]]
    length: int


class FileBars:
    """The bars of a file in its own ticks: `start`, `end` (where the next one starts) and `metre` of each."""

    def __init__(self, file: _core.MidiFile) -> None:
        rows = file.bars
        self.ticks_per_quarter = file.ticks_per_quarter
        self.start: list[int] = rows[:, 0].tolist()
        last = [int(rows[-1, 0] + rows[-1, 1])] if len(rows) else []
        self.end: list[int] = [*self.start[1:], *last]
        self.metre: list[tuple[int, int]] = [(n, d) for n, d in rows[:, 2:].tolist()]

    def __len__(self) -> int:
        return len(self.start)

    def ticks(self, metre: tuple[int, int]) -> int:
        """Length of a bar of a metre in file ticks."""
        return 4 * self.ticks_per_quarter * metre[0] // metre[1]


def file_arrangement(file: _core.MidiFile, plan: Sequence[PlannedBar]) -> Arrangement:
    """Which stretches of the file make the new one. Old bars that the file does not have are silence."""
    old = FileBars(file)
    spans: list[list[int]] = []  # start, end, pad
    bars, tick = [], 0
    for bar in plan:
        length = old.ticks(bar.metre)
        if length < 1:
            raise ScoreError(
                f"a bar of {bar.metre[0]}/{bar.metre[1]} is shorter than a tick of the score's file"
            )
        if bar.source is None or bar.source >= len(old):
            if not spans:
                spans.append([0, 0, 0])
            spans[-1][2] += length
            advance = length
        else:
            advance = _add_old_bar(
                spans, old, bar.source, length, keeps_metre=bar.metre == old.metre[bar.source]
            )
        bars.append((tick, length, *bar.metre))
        tick += advance
    length = bars[-1][0] + bars[-1][1] if bars else 0
    return Arrangement(_closed(spans or [[0, 0, 0]], old), bars, length)


def _add_old_bar(
    spans: list[list[int]], old: FileBars, source: int, length: int, *, keeps_metre: bool
) -> int:
    """Adds a bar of the file, cut or followed by silence where its metre is another one.

    Returns its length.
    """
    start, real = old.start[source], old.end[source] - old.start[source]
    taken = real if keeps_metre else min(real, length)
    if spans and spans[-1][1] == start and spans[-1][2] == 0 and spans[-1] != [0, 0, 0]:
        spans[-1][1] = start + taken
    else:
        spans.append([start, start + taken, 0])
    if not keeps_metre:
        spans[-1][2] += length - taken
    return real if keeps_metre else length


def _closed(spans: list[list[int]], old: FileBars) -> list[tuple[int, int, int, int, bool]]:
    closed = [(0, start, end, pad, False) for start, end, pad in spans]
    if len(old) and spans[-1][1] == old.end[-1]:
        closed[-1] = (0, spans[-1][0], FOREVER, 0, False)  # with what comes after the last bar
    return closed


# ---- new bar lines over the same music -------------------------------------------------------------


def rebarred_table(
    table: _core.ScoreTable, first: int, last: int, metre: tuple[int, int]
) -> _core.ScoreTable:
    """Bars [first, last) of every track as bars of `metre`. The tracks must have the same bars.

    Notes keep their time, and the last bar is filled up with silence.
    """
    length = _core.bar_ticks(*metre, table.resolution)
    if length < 1:
        raise ScoreError(
            f"a bar of {metre[0]}/{metre[1]} is shorter than a tick of resolution {table.resolution}"
        )
    starts = bar_starts(table)
    n_new = -(-int(starts[last] - starts[first]) // length)
    n_old = len(starts) - 1
    per_track = n_old + n_new - (last - first)
    track, bar = np.divmod(bar_rows_of_notes(table), max(n_old, 1))
    notes = table.notes.astype(np.int64)
    inside = (bar >= first) & (bar < last)
    at = starts[bar] + notes[:, 0] - starts[first]
    into = np.minimum(at // length, n_new - 1)
    notes[inside, 0] = (at - into * length)[inside]
    new_bar = np.where(inside, first + into, np.where(bar >= last, bar + per_track - n_old, bar))
    new_rows = track * per_track + new_bar
    order = np.lexsort((np.arange(len(notes)), np.where(inside, notes[:, 0], 0), new_rows))
    old_bars = table.bars[:n_old, 1:]
    one_track = np.concatenate([old_bars[:first], np.tile([*metre, 0], (n_new, 1)), old_bars[last:]])
    bars = np.zeros((table.n_tracks * per_track, 4), np.int64)
    bars[:, 1:] = np.tile(one_track, (table.n_tracks, 1))
    bars[:, 0] = np.searchsorted(new_rows[order], np.arange(len(bars)))
    tracks = np.array(table.tracks)
    tracks[:, 0] = np.arange(table.n_tracks) * per_track
    sources = table.note_source[order]
    return _core.ScoreTable(notes[order], bars, tracks, table.resolution, table.tempo, sources)


def rebarred_arrangement(
    file: _core.MidiFile, table: _core.ScoreTable, first: int, last: int, metre: tuple[int, int]
) -> Arrangement:
    """The file under the bar lines of `rebarred_table`."""
    old, metres = FileBars(file), metres_of(table)
    length = old.ticks(metre)
    if length < 1:
        raise ScoreError(
            f"a bar of {metre[0]}/{metre[1]} is shorter than a tick of the file this score came from"
        )
    starts = bar_starts(table)
    n_new = -(-int(starts[last] - starts[first]) // _core.bar_ticks(*metre, table.resolution))
    outside = [PlannedBar(bar, metres[bar]) for bar in range(len(metres)) if not first <= bar < last]
    before = file_arrangement(file, outside[:first])
    begin = before.bars[-1][0] + _advance(old, first - 1, before.bars[-1][1]) if first else 0
    bars = [*before.bars, *((begin + i * length, length, *metre) for i in range(n_new))]
    tick = begin + n_new * length
    for bar in range(last, len(metres)):
        bars.append((tick, old.ticks(metres[bar]), *metres[bar]))
        tick += _advance(old, bar, bars[-1][1])
    edge = old.end[last - 1] if last <= len(old) else begin + n_new * length
    pad = max(0, begin + n_new * length - edge)
    if last >= len(old):
        return Arrangement([(0, 0, FOREVER, 0, False)], bars, bars[-1][0] + bars[-1][1])
    return Arrangement(
        [(0, 0, edge, pad, False), (0, edge, FOREVER, 0, False)], bars, bars[-1][0] + bars[-1][1]
    )


def _advance(old: FileBars, bar: int, length: int) -> int:
    """Ticks from the start of an old bar to that of the next one.

    `length` where the file does not have it.
    """
    return old.end[bar] - old.start[bar] if bar < len(old) else length


# ---- from a table alone ----------------------------------------------------------------------------


def inferred_plan(origin: _core.ScoreTable, table: _core.ScoreTable) -> list[PlannedBar]:
    """Which bars of the table are which of its origin, told by where their notes come from; bars without
    such notes by their place. Where notes disagree the most decide; old bars only come in ascending order.
    """
    metres, old_metres = metres_of(table), metres_of(origin)
    votes = _votes(origin, table, len(metres))
    sources: list[int | None] = [None] * len(metres)
    last = -1
    for bar in range(len(metres)):
        if votes[bar] and (best := max(votes[bar], key=lambda old: (votes[bar][old], -old))) > last:
            sources[bar] = last = best
    for start, stop, low, high in _gaps(sources, len(old_metres)):
        _fill(sources, (start, stop), (low, high), metres, old_metres)
    return [PlannedBar(source, metre) for source, metre in zip(sources, metres, strict=True)]


def _votes(origin: _core.ScoreTable, table: _core.ScoreTable, n_bars: int) -> list[dict[int, int]]:
    """Per bar, how many notes come from each old bar."""
    bar_of_event = dict(zip(origin.note_source.tolist(), bar_of_notes(origin).tolist(), strict=True))
    votes: list[dict[int, int]] = [{} for _ in range(n_bars)]
    for bar, source in zip(bar_of_notes(table).tolist(), table.note_source.tolist(), strict=True):
        old = bar_of_event.get(source) if source >= 0 else None
        if old is not None:
            votes[bar][old] = votes[bar].get(old, 0) + 1
    return votes


def bar_of_notes(table: _core.ScoreTable) -> npt.NDArray[np.int64]:
    """Number of the bar that holds each note, within its track."""
    if table.n_notes == 0:
        return np.zeros(0, np.int64)
    rows = bar_rows_of_notes(table)
    return (rows - table.tracks[:, 0][tracks_of_bar_rows(table, rows)]).astype(np.int64)


def _gaps(sources: Sequence[int | None], n_old: int) -> Iterator[tuple[int, int, int, int]]:
    """(start, stop, low, high): bars [start, stop) are unknown and old bars [low, high) are free for them."""
    start, low = 0, 0
    for bar in range(len(sources) + 1):
        known = sources[bar] if bar < len(sources) else n_old
        if known is None:
            continue
        if bar > start:
            yield start, bar, low, known
        start, low = bar + 1, known + 1


def _fill(
    sources: list[int | None],
    new: tuple[int, int],
    old: tuple[int, int],
    metres: Sequence[tuple[int, int]],
    old_metres: Sequence[tuple[int, int]],
) -> None:
    """Bars of a gap are taken in order from its start.

    Old ones of another metre are passed over only when there are more of them.
    """
    bar, source = new[0], old[0]
    while bar < new[1] and source < old[1]:
        surplus = (old[1] - source) - (new[1] - bar)
        if metres[bar] == old_metres[source] or surplus == 0:
            sources[bar] = source
            bar, source = bar + 1, source + 1
        elif surplus > 0:
            source += 1
        else:
            bar += 1
