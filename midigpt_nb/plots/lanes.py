"""The geometry of a static piano roll: tracks as lanes, one above the other, pitches or drums as rows.

Horizontal positions are quarter notes from the start of the piece; vertical ones are pixels from the top of
the lanes, so that a row keeps its height whatever else is shown.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from midigpt_nb.score.general_midi import drum_name
from midigpt_nb.score.places import Tracks, track_numbers

if TYPE_CHECKING:
    from midigpt_nb.score.model import Score

# General MIDI's names are too long for a margin: parts of them, shortened in this order.
_SHORTER = (
    ("Bass Drum 1", "Kick"),
    ("Acoustic Bass Drum", "Low kick"),
    ("Acoustic Snare", "Snare"),
    ("Electric Snare", "E-snare"),
    (" Cymbal", ""),
    ("Hi-Hat", "hat"),
    ("-Mid Tom", "-mid tom"),
    (" Floor Tom", " floor tom"),
    (" Tom", " tom"),
    ("Chinese", "China"),
)
NOTE_NAMES = ("C", "C♯", "D", "E♭", "E", "F", "F♯", "G", "A♭", "A", "B♭", "B")


def pitch_name(pitch: int) -> str:
    """A MIDI pitch as a note name; 60 is C4.

    >>> pitch_name(61)
    'C♯4'
    """
    return f"{NOTE_NAMES[pitch % 12]}{pitch // 12 - 1}"


def short_drum_name(pitch: int) -> str:
    """A drum's name, short enough for the margin.

    >>> short_drum_name(42)
    'Closed hat'
    """
    name = drum_name(pitch)
    for long, short in _SHORTER:
        name = name.replace(long, short)
    return name if len(name) <= 14 else name[:13].rstrip() + "…"


def chosen_tracks(score: Score, tracks: Tracks) -> list[int]:
    """The tracks asked for, by number or name; by default all that have notes."""
    if tracks is not None:
        return track_numbers(tracks, score)
    table = score.table
    filled = [track for track in range(score.n_tracks) if len(track_notes(table, track))]
    return filled or list(range(score.n_tracks))


def track_notes(table: Any, track: int) -> np.ndarray:
    """(n, 5) notes of one track."""
    first, last = table.bar_rows(track)
    if first == last:
        return table.notes[:0]
    end = table.bars[last, 0] if last < len(table.bars) else len(table.notes)
    return table.notes[table.bars[first, 0] : end]


@dataclass(frozen=True)
class Notes:
    """Notes placed in time: arrays of equal length; `start` and `length` in quarter notes."""

    bar: np.ndarray
    start: np.ndarray
    length: np.ndarray
    pitch: np.ndarray
    velocity: np.ndarray

    def __len__(self) -> int:
        return len(self.pitch)


def place(rows: np.ndarray, bar: np.ndarray, bar_starts: np.ndarray, resolution: int) -> Notes:
    """Rows of a note table, each with its bar, as `Notes`."""
    start = (bar_starts[bar] + rows[:, 0] + rows[:, 4] / resolution) / resolution
    return Notes(bar, start, rows[:, 1] / resolution, rows[:, 2], rows[:, 3])


def placed_notes(score: Score, track: int, bars: tuple[int, int]) -> Notes:
    """The notes of a track that start in the bars shown."""
    table = score.table
    first, last = table.bar_rows(track)
    rows = track_notes(table, track)
    cuts = np.append(table.bars[first:last, 0], table.bars[first, 0] + len(rows) if last > first else 0)
    bar = np.repeat(np.arange(last - first), np.diff(cuts)) if last > first else np.zeros(0, dtype=int)
    shown = (bar >= bars[0]) & (bar < bars[1])
    return place(rows[shown], bar[shown], score.bar_starts, score.resolution)


@dataclass(frozen=True)
class Lane:
    """One track's strip: where each pitch has its row."""

    track: int
    name: str
    is_drum: bool
    top: float
    row_height: float
    rows: tuple[int, ...]  # pitches from the top down

    @property
    def height(self) -> float:
        return self.row_height * len(self.rows)

    @property
    def bottom(self) -> float:
        return self.top + self.height

    def row_top(self, pitches: np.ndarray) -> np.ndarray:
        """Top of the row of each pitch."""
        index = np.full(128, 0)
        index[list(self.rows)] = np.arange(len(self.rows))
        return self.top + index[np.clip(pitches, 0, 127)] * self.row_height

    def row_labels(self, least_height: float = 9.0) -> list[tuple[float, str]]:
        """(middle of the row, text) for rows worth naming: every drum that fits, or every C."""
        if self.is_drum:
            step = max(1, int(np.ceil(least_height / self.row_height)))
            named = [(i, short_drum_name(pitch)) for i, pitch in enumerate(self.rows) if i % step == 0]
        else:
            named = [(i, pitch_name(pitch)) for i, pitch in enumerate(self.rows) if pitch % 12 == 0]
            if not named:
                named = [(len(self.rows) - 1, pitch_name(self.rows[-1]))]
            while len(named) > 1 and (named[1][0] - named[0][0]) * self.row_height < least_height:
                named = named[::2]
        return [(self.top + (i + 0.5) * self.row_height, text) for i, text in named]


def lane_rows(pitches: np.ndarray, is_drum: bool) -> tuple[int, ...]:
    """The rows a track needs: the drums it plays, or every pitch from its lowest to its highest."""
    if is_drum:
        return tuple(sorted(set(pitches.tolist()), reverse=True)) or (36,)
    low, high = (int(pitches.min()), int(pitches.max())) if len(pitches) else (60, 60)
    spare = max(0, 11 - (high - low))  # at least an octave, so that a narrow part does not look dramatic
    low, high = max(0, low - 1 - spare // 2), min(127, high + 1 + (spare + 1) // 2)
    return tuple(range(high, low - 1, -1))


def stack_lanes(
    tracks: Sequence[tuple[int, str, bool, np.ndarray]], height: float, gap: float = 8.0
) -> list[Lane]:
    """Lanes for ``(track, name, is_drum, pitches)`` that fill `height` pixels from the top down.

    A lane's share grows with its number of rows, but slowly: a bass line must stay as readable as a piano.
    """
    rows = [lane_rows(pitches, is_drum) for _, _, is_drum, pitches in tracks]
    weights = np.array([np.sqrt(len(r) + 6.0) for r in rows])
    room = height - gap * max(len(rows) - 1, 0)
    lanes, top = [], 0.0
    for (track, name, is_drum, _), own, share in zip(tracks, rows, weights / weights.sum(), strict=True):
        lane = Lane(track, name, is_drum, top, room * share / len(own), own)
        lanes.append(lane)
        top = lane.bottom + gap
    return lanes
