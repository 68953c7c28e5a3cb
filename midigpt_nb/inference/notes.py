"""From tokens to notes, one token at a time, and from the model's grid to the score's own ticks.

`NoteParser` reads what the model writes and yields each note the moment it is complete; over a whole block it
gives the notes the core decoder gives. `NotePlacer` puts a note into the score: in the score's resolution,
with lengths that a MIDI file can keep.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from midigpt_nb.inference.symbols import Symbols

__all__ = ["Block", "GridNote", "NoteParser", "NotePlacer", "Placed", "rows"]

DEFAULT_VELOCITY = 100


@dataclass(frozen=True)
class GridNote:
    """A note on the model's grid: onset in the bar and duration in grid ticks; drum hits have duration 1."""

    pitch: int
    velocity: int
    onset: int
    duration: int
    delta: int = 0


@dataclass
class Block:
    """A bar to be written. `velocity` is the loudness level in force where the bar begins; None: as the
    last block left it.
    """

    track: int
    bar: int
    drum: bool
    velocity: int | None = None
    notes: list[GridNote] = field(default_factory=list)
    tokens: dict[str, int] = field(default_factory=dict)  # attribute tokens the model wrote at this bar
    finished: bool = False


class NoteParser:
    """Reads generated tokens into blocks; `feed` returns the notes a token completed.

    Blocks are filled in the order given: one per FillInStart .. FillInEnd, or one per Bar .. BarEnd.
    """

    def __init__(self, symbols: Symbols, blocks: Sequence[Block]) -> None:
        self._s = symbols
        self.blocks = list(blocks)
        self.track_tokens: dict[str, int] = {}  # attribute tokens written before the first bar
        self._index = -1
        self._level = 0
        self._clear()

    def _clear(self) -> None:
        self._time = 0
        self._delta, self._sign = 0, 1
        self._pitch = -1

    @property
    def current(self) -> Block | None:
        """The block being written."""
        return self.blocks[self._index] if 0 <= self._index < len(self.blocks) else None

    @property
    def n_finished(self) -> int:
        """How many blocks are complete."""
        return sum(block.finished for block in self.blocks)

    def start_block(self) -> None:
        """The next block begins (the prompt of an infill ends in the first FillInStart)."""
        self._index += 1
        self._clear()
        block = self.current
        if block is not None and block.velocity is not None:
            self._level = block.velocity

    def feed(self, token: int) -> GridNote | None:
        """Read one token; the note it completes, if any."""
        s = self._s
        kind, value = s.types[token], s.values[token]
        pitch, self._pitch = self._pitch, -1
        block = self.current
        if kind == s.NoteOnset:
            if block is None or not block.drum:
                self._pitch = value
                return None
            return self._note(block, value, 1)
        if kind == s.NoteDuration:
            return self._note(block, pitch, value + 1) if pitch >= 0 and block is not None else None
        if kind == s.TimeAbsolutePos:
            self._time = value
            self._delta, self._sign = 0, 1
        elif kind == s.VelocityLevel:
            self._level = value
        elif kind == s.DeltaDirection:
            self._delta, self._sign = 0, -1
        elif kind == s.Delta:
            self._delta += self._sign * value
        elif kind in (s.FillInStart, s.Bar):
            self.start_block()
        elif kind in (s.FillInEnd, s.BarEnd):
            if block is not None:
                block.finished = True
        elif kind in s.attribute_names:
            written = self.track_tokens if self._index < 0 else block.tokens if block is not None else {}
            written[s.attribute_names[kind]] = value
        return None

    def _note(self, block: Block, pitch: int, duration: int) -> GridNote:
        velocity = self._s.velocities[self._level] if self._level > 0 else DEFAULT_VELOCITY
        note = GridNote(pitch, velocity, self._time, duration, self._delta)
        self._delta, self._sign = 0, 1
        block.notes.append(note)
        return note


# onset_ticks, duration_ticks, pitch, velocity, delta: a row of the score table
Placed = tuple[int, int, int, int, int]


class NotePlacer:
    """Puts grid notes into bars of a score table.

    MIDI files close the *oldest* open note of a pitch first. So that a written file reads back as the same
    notes, a new note is shortened where it would ring into the next kept note of its pitch, and lengthened to
    the end of an earlier note of its pitch that still rings; a second note of the same pitch and onset is
    left out. No note passes the end of the piece.

    `bar_lengths` are the real lengths of bars in the score's ticks where a file cuts some short; notes after
    that are left out. Bars beyond the list have the length of their metre.
    """

    def __init__(
        self,
        table: Any,
        grid: int,
        open_cells: Iterable[tuple[int, int]],
        bar_lengths: Sequence[int] | None = None,
    ) -> None:
        self._table = table
        self._grid = grid
        self._open = set(open_cells)
        self._lengths = bar_lengths
        self._tracks: dict[int, _TrackPlan] = {}
        self._seen: set[tuple[int, int, int, int]] = set()
        self._rings: dict[tuple[int, int], int] = {}

    def fork(self) -> NotePlacer:
        """The same placer before any note was placed (for another attempt)."""
        copy = NotePlacer(self._table, self._grid, self._open, self._lengths)
        copy._tracks = self._tracks
        return copy

    def place(self, track: int, bar: int, note: GridNote) -> Placed | None:
        """The row of the score table for a note of this bar; None for a note that is left out."""
        plan = self._tracks.get(track) or self._tracks.setdefault(
            track, _TrackPlan(self._table, track, self._open)
        )
        onset = self._onset(note)
        onset = min(onset, plan.starts[bar + 1] - plan.starts[bar] - 1)
        if (track, bar, note.pitch, onset) in self._seen:
            return None
        if self._lengths is not None and bar < len(self._lengths) and onset >= self._lengths[bar]:
            return None
        self._seen.add((track, bar, note.pitch, onset))
        on = plan.starts[bar] + onset
        written_end = plan.starts[bar] + self._ticks(note.onset + note.duration)
        end = on + plan.hit_ticks if plan.drum else written_end
        end = max(end, self._rings.get((track, note.pitch), 0), plan.rings_into(bar, note.pitch, on))
        end = min(end, plan.next_onset(bar, note.pitch), plan.starts[-1])
        end = max(end, on + 1)
        self._rings[track, note.pitch] = end
        return onset, end - on, note.pitch, note.velocity, 0

    def _onset(self, note: GridNote) -> int:
        """Ticks from the bar's start. Rounded up: the model's grid is read by rounding down, so the note is
        seen where it was written. Timing off the grid is a part of the onset, to the nearest tick.
        """
        onset = self._ticks(note.onset)
        if note.delta == 0:
            return onset
        shift = (note.onset + note.delta / self._grid) * self._table.resolution / self._grid
        return max(onset if note.delta > 0 else 0, round(shift))

    def _ticks(self, grid_ticks: int) -> int:
        return -(-grid_ticks * self._table.resolution // self._grid)


class _TrackPlan:
    """Kept notes of one track on the piece's time line."""

    def __init__(self, table: Any, track: int, open_cells: set[tuple[int, int]]) -> None:
        first, last = table.bar_rows(track)
        bars = np.asarray(table.bars[first:last], dtype=np.int64)
        lengths = 4 * table.resolution * bars[:, 1] // bars[:, 2]
        self.starts: list[int] = np.concatenate([[0], np.cumsum(lengths)]).tolist()
        self.drum = bool(table.tracks[track, 2])
        lo = table.note_rows(track, 0)[0] if last > first else 0
        hi = table.note_rows(track, last - first - 1)[1] if last > first else 0
        notes = np.asarray(table.notes[lo:hi], dtype=np.int64)
        counts = np.diff(np.append(bars[:, 0], hi)) if last > first else np.zeros(0, dtype=np.int64)
        bar = np.repeat(np.arange(len(bars)), counts)
        kept = ~np.isin(bar, [b for t, b in open_cells if t == track])
        on = notes[:, 0] + np.asarray(self.starts)[bar]
        self._bar, self._pitch = bar[kept], notes[kept, 2]
        self._on, self._end = on[kept], (on + notes[:, 1])[kept]
        own = np.median(notes[:, 1]) if self.drum and len(notes) >= 4 else 0
        # The model says nothing about the length of drum hits: the track's own usual length, else a
        # sixteenth.
        self.hit_ticks = min(int(own), table.resolution) if own >= 1 else max(1, table.resolution // 4)

    def rings_into(self, bar: int, pitch: int, on: int) -> int:
        """When the last kept note of this pitch from an earlier bar ends, if it still sounds at `on`."""
        ends = self._end[(self._pitch == pitch) & (self._bar < bar) & (self._end > on)]
        return int(ends.max()) if len(ends) else 0

    def next_onset(self, bar: int, pitch: int) -> int:
        """When the next kept note of this pitch starts in a later bar."""
        later = self._on[(self._pitch == pitch) & (self._bar > bar)]
        return int(later.min()) if len(later) else self.starts[-1]


def rows(notes: Iterable[Placed]) -> NDArray[np.int32]:
    """Rows for a score table, ordered by onset, then pitch."""
    ordered = sorted(notes, key=lambda row: (row[0], row[2]))
    return np.array(ordered, dtype=np.int32).reshape(-1, 5)
