"""What an attribute may look at: the arrays of a window, one of its tracks, or one bar.

Times are ticks of the table's resolution and say so in their names: ``onset_ticks`` counts from the start
of the window, ``bar_onset_ticks`` from the start of the note's own bar.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any, Protocol

import numpy as np

from midigpt_nb.attributes import tables
from midigpt_nb.errors import ScoreError, brief

Cells = Mapping[int, Iterable[int]]


class Table(Protocol):
    """The part of ``_core.ScoreTable`` that attributes read."""

    @property
    def notes(self) -> np.ndarray: ...
    @property
    def bars(self) -> np.ndarray: ...
    @property
    def tracks(self) -> np.ndarray: ...
    @property
    def resolution(self) -> int: ...


def starts_of(lengths: np.ndarray) -> np.ndarray:
    """``(n + 1,)`` where each of `n` stretches starts, and where the last one ends."""
    starts = np.zeros(len(lengths) + 1, dtype=np.int64)
    np.cumsum(lengths, out=starts[1:])
    return starts


def no_groups() -> np.ndarray:
    """The representative of each program when no instruments are merged: itself."""
    return np.arange(128)


@dataclass(frozen=True)
class Settings:
    """How a model's configuration wants attributes measured."""

    formulas: str = "compatible"
    representatives: np.ndarray = field(default_factory=no_groups, compare=False)  # (128,) program -> program

    @staticmethod
    def merged(groups: Sequence[Sequence[int]] | None) -> np.ndarray:
        """(128,) first program of each program's merge group; later groups override earlier ones."""
        programs = no_groups()
        for group in groups or ():
            members = [p for p in group if 0 <= p < 128]
            if members:
                programs[members] = group[0]
        return programs


class WindowView:
    """All tracks of one table, as the attributes see them. Immutable; two threads may share it."""

    def __init__(self, table: Table, settings: Settings | None = None) -> None:
        self.settings = settings or Settings()
        self.resolution = int(table.resolution)
        self._notes, self._bars, self._tracks = table.notes, table.bars, table.tracks
        self.n_tracks = len(self._tracks)
        self._bar_cut = np.append(self._tracks[:, 0], len(self._bars)).tolist()
        self._note_cut = np.append(self._bars[:, 0], len(self._notes))
        self._measured: dict[Any, Any] = {}

    def n_bars(self, track: int) -> int:
        """How many bars a track has."""
        return self._bar_cut[track + 1] - self._bar_cut[track]

    def track(
        self,
        track: int,
        bars: Iterable[int] | None = None,
        *,
        cells: Cells | None = None,
        stored: Mapping[str, Any] | None = None,
    ) -> TrackView:
        """One track, looking only at ``bars`` (from 0; None: all of them)."""
        if not 0 <= track < self.n_tracks:
            raise IndexError(f"track {track} does not exist; this score has {self.n_tracks} tracks")
        if bars is None and cells is None and not stored:
            return self.once(("track", track), lambda: self._look(track, None, None, {}))
        return self._look(track, bars, cells, stored or {})

    def _look(
        self, track: int, bars: Iterable[int] | None, cells: Cells | None, stored: Mapping[str, Any]
    ) -> TrackView:
        first, last = self._bar_cut[track], self._bar_cut[track + 1]
        cuts = self._note_cut[first : last + 1]
        _, program, is_drum = self._tracks[track].tolist()
        return TrackView(
            window=self,
            number=track,
            program=program,
            is_drum=bool(is_drum),
            bars=self._bars[first:last],
            notes=self._notes[int(cuts[0]) : int(cuts[-1])],
            note_cuts=cuts - cuts[0],
            looked_at=_mask(bars, last - first),
            cells=cells,
            stored=stored,
        )

    def bar_lengths_ticks(self, track: int) -> np.ndarray:
        """(n_bars,) exact bar lengths, rounded down where the metre does not divide the resolution."""

        def measure() -> np.ndarray:
            from midigpt_nb.score.table import distinct_metres

            metres, which = distinct_metres(self._bars)
            return np.array([_bar_ticks(*metre, self.resolution) for metre in metres], dtype=np.int64)[which]

        return self.once("bar lengths", measure)[self._bar_cut[track] : self._bar_cut[track + 1]]

    def mask(self, track: int, bars: Iterable[int]) -> np.ndarray:
        """(n_bars,) true for these bars of a track. Raises IndexError for one that does not exist."""
        return _mask(bars, self.n_bars(track))

    def once(self, key: Any, measure: Callable[[], Any]) -> Any:
        """``measure()``, remembered under ``key``: for what is the same on all tracks."""
        if key not in self._measured:
            self._measured[key] = measure()
        return self._measured[key]

    def pitch_class_ticks(self, cells: Cells | None, *, drums: bool, longest_ticks: int | None) -> np.ndarray:
        """(12,) summed note durations per pitch class, over all tracks or over ``{track: bars}`` only."""
        keep = self._notes[:, 3] > 0
        row = np.repeat(np.arange(len(self._bars)), np.diff(self._note_cut))
        if not drums or cells is not None:
            wanted = np.zeros(len(self._bars), dtype=bool)
            for track in range(self.n_tracks):
                if drums or not self._tracks[track, 2]:
                    chosen = None if cells is None else cells.get(track, ())
                    wanted[self._bar_cut[track] : self._bar_cut[track + 1]] = _mask(
                        chosen, self.n_bars(track)
                    )
            keep &= wanted[row]
        durations = self._notes[keep, 1]
        if longest_ticks is not None:
            durations = np.minimum(durations, longest_ticks)
        return np.bincount(self._notes[keep, 2] % 12, weights=durations, minlength=12)


def _mask(bars: Iterable[int] | None, n_bars: int) -> np.ndarray:
    if bars is None:
        return np.ones(n_bars, dtype=bool)
    mask = np.zeros(n_bars, dtype=bool)
    chosen = np.fromiter(bars, dtype=np.int64)
    outside = chosen[(chosen < 0) | (chosen >= n_bars)]
    if len(outside):
        raise IndexError(f"bar {outside[0]} does not exist; the track has bars 0 to {n_bars - 1}")
    mask[chosen] = True
    return mask


class TrackView:
    """One track of a window: its notes in the bars looked at. `number` is its place among the tracks.

    Note arrays are ``(n,)``; ``bar_lengths_ticks`` and ``looked_at`` are ``(n_bars,)``.
    """

    def __init__(
        self,
        *,
        window: WindowView,
        number: int,
        program: int,
        is_drum: bool,
        bars: np.ndarray,
        notes: np.ndarray,
        note_cuts: np.ndarray,
        looked_at: np.ndarray,
        cells: Cells | None,
        stored: Mapping[str, Any],
    ) -> None:
        self.window, self.number, self.resolution = window, number, window.resolution
        self.program, self.is_drum, self.stored = program, is_drum, stored
        self.looked_at, self.cells = looked_at, cells
        self.n_bars = len(bars)
        self.numerator, self.denominator = bars[:, 1], bars[:, 2]
        counts = np.diff(note_cuts)
        if looked_at.all():
            self.notes_per_bar = counts
        else:
            self.notes_per_bar = np.where(looked_at, counts, 0)
            notes = notes[np.repeat(looked_at, counts)]
        self.bar = np.repeat(np.arange(self.n_bars), self.notes_per_bar)
        self.bar_onset_ticks, self.duration_ticks, self.pitch, self.velocity = notes[:, :4].T
        self.n_notes = len(notes)
        self._measured: dict[Any, Any] = {}

    @property
    def settings(self) -> Settings:
        return self.window.settings

    @cached_property
    def bar_lengths_ticks(self) -> np.ndarray:
        """(n_bars,) as `WindowView.bar_lengths_ticks` has them."""
        return self.window.bar_lengths_ticks(self.number)

    @cached_property
    def bar_starts_ticks(self) -> np.ndarray:
        """(n_bars + 1,) starts of the bars, and the end of the last one."""
        return starts_of(self.bar_lengths_ticks)

    @cached_property
    def onset_ticks(self) -> np.ndarray:
        """(n,) onsets from the start of the window."""
        return self.bar_starts_ticks[self.bar] + self.bar_onset_ticks

    @cached_property
    def bar_quarters(self) -> np.ndarray:
        """(n_bars,) bar lengths in quarter notes."""
        return 4.0 * self.numerator / np.maximum(self.denominator, 1)

    @property
    def n_bars_looked_at(self) -> int:
        return int(np.count_nonzero(self.looked_at))

    @property
    def longest_ticks(self) -> int:
        """The longest note exact formulas believe: what the token grid can hold."""
        return tables.LONGEST_QUARTERS * self.resolution

    def once(self, key: Any, measure: Callable[[], Any]) -> Any:
        """``measure()``, remembered under ``key``: shared by attributes that need the same array."""
        if key not in self._measured:
            self._measured[key] = measure()
        return self._measured[key]

    def bar_view(self, bar: int) -> BarView:
        """One bar of this track (from 0)."""
        chosen = slice(int(self.notes_per_bar[:bar].sum()), int(self.notes_per_bar[: bar + 1].sum()))
        return BarView(
            track=self,
            bar=bar,
            length_ticks=int(self.bar_lengths_ticks[bar]),
            bar_onset_ticks=self.bar_onset_ticks[chosen],
            duration_ticks=self.duration_ticks[chosen],
            pitch=self.pitch[chosen],
            velocity=self.velocity[chosen],
        )


@lru_cache(maxsize=1024)
def _bar_ticks(numerator: int, denominator: int, resolution: int) -> int:
    # Imported late: attributes can be listed and configured before the compiled core is there.
    from midigpt_nb._core import bar_ticks

    return bar_ticks(numerator, denominator, resolution)


@dataclass(frozen=True)
class BarView:
    """The notes of one bar, for attributes written one bar at a time. Arrays are ``(n,)``."""

    track: TrackView
    bar: int
    length_ticks: int
    bar_onset_ticks: np.ndarray
    duration_ticks: np.ndarray
    pitch: np.ndarray
    velocity: np.ndarray

    @property
    def resolution(self) -> int:
        return self.track.resolution

    @property
    def n_notes(self) -> int:
        return len(self.pitch)


def as_table(score: Any) -> Table:
    """The table of a ``Score``; a table stays as it is."""
    if isinstance(getattr(score, "notes", None), np.ndarray):
        return score
    try:
        return score.table
    except AttributeError:
        raise ScoreError(f"expected a Score or a score table, got {type(score).__name__}") from None


def track_of(score: Any, track: Any) -> int:
    """The number of a track of a Score, or of what knows no names of tracks (a table, a view, a report)."""
    if hasattr(track, "__index__"):
        return operator.index(track)
    if hasattr(score, "track_names"):
        from midigpt_nb.score.places import track_number

        return track_number(track, score)
    raise ScoreError(f"track is {brief(track)}; allowed here: a track's number, from 0")
