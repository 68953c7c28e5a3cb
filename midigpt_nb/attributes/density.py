"""Note density: how many notes a bar, as a level among pieces with the same instrument, or plainly."""

from __future__ import annotations

import numpy as np

from midigpt_nb.attributes import tables
from midigpt_nb.attributes.reach import MOST_NOTES_PER_QUARTER, most_notes
from midigpt_nb.attributes.registry import Bins, attribute
from midigpt_nb.attributes.tables import counted
from midigpt_nb.attributes.view import TrackView

_LEVELS = Bins(10, lambda raw: raw, tables.DENSITY_LABELS, raw=float)
_PLAIN_WORDS = (*(counted(n, "note") + " per bar" for n in range(9)), "9 or more notes per bar")


def _program_row(track: TrackView) -> np.ndarray:
    return _row(track, track.program)


def _group_row(track: TrackView) -> np.ndarray:
    """The thresholds of the program that stands for the track's merge group, as in a decoded score."""
    program = track.program if 0 <= track.program < 128 else 0
    return _row(track, int(track.settings.representatives[program]))


def _row(track: TrackView, program: int) -> np.ndarray:
    rows = tables.density_thresholds()
    if track.is_drum:
        return rows[tables.DRUM_ROW]
    return rows[program if 0 <= program < 128 else 0]


def _level(notes: float | np.ndarray, thresholds: np.ndarray) -> np.ndarray:
    return np.searchsorted(thresholds, notes, side="left")


def _mean(notes: int, bars: int) -> float:
    return float(np.rint(notes / max(bars, 1)))


def _track_level(track: TrackView, thresholds: np.ndarray) -> int:
    return int(_level(_mean(track.n_notes, int(np.count_nonzero(track.notes_per_bar))), thresholds))


def _thresholds(track: TrackView) -> np.ndarray:
    return _group_row(track) if track.settings.formulas == "exact" else _program_row(track)


def _reach(fixed: TrackView, written: np.ndarray) -> tuple[int, int]:
    """Levels with the written bars empty, with one note in each, or as full as can be."""
    notes, bars, new = fixed.n_notes, int(np.count_nonzero(fixed.notes_per_bar)), int(written.sum())
    most = most_notes(fixed, written)
    means = [_mean(notes, bars), _mean(notes + new, bars + new), _mean(notes + most, bars + new)]
    found = _level(np.array(means), _thresholds(fixed))
    return int(found.min()), int(found.max())


def _bar_reach(track: TrackView, written: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    most = (track.bar_quarters * MOST_NOTES_PER_QUARTER).astype(np.int64)
    return np.zeros(track.n_bars, np.int64), _level(most, _thresholds(track))


def _plain_reach(fixed: TrackView, written: np.ndarray) -> tuple[float, float]:
    bars = fixed.n_bars_looked_at + int(written.sum())
    return fixed.n_notes / bars, (fixed.n_notes + most_notes(fixed, written)) / bars


@attribute(
    "note_density",
    entry="note_density_quantile",
    params={"level": "track"},
    token="NoteDensity",
    token_aliases=("TOKEN_DENSITY_LEVEL",),
    tracks="drum",
    bins=_LEVELS,
    unit="level",
    words=tables.DENSITY_WORDS,
    reach=_reach,
)
def note_density(track: TrackView) -> int:
    """Notes in an average bar that has any, as a level 0-9 for the instrument."""
    return _track_level(track, _program_row(track))


@note_density.formula("exact")
def _(track: TrackView) -> int:
    return _track_level(track, _group_row(track))


@attribute(
    "bar_note_density",
    entry="note_density_quantile",
    params={"level": "bar"},
    token="BarLevelOnsetDensity",
    token_aliases=("TOKEN_BAR_LEVEL_ONSET_DENSITY",),
    level="bar",
    tracks="drum",
    bins=_LEVELS,
    unit="level",
    words=tables.DENSITY_WORDS,
    reach=_bar_reach,
    vectorized=True,
)
def bar_note_density(track: TrackView) -> np.ndarray:
    """Notes in the bar, as a level 0-9 for the instrument."""
    return _level(track.notes_per_bar, _program_row(track))


@bar_note_density.formula("exact")
def _(track: TrackView) -> np.ndarray:
    return _level(track.notes_per_bar, _group_row(track))


@attribute(
    "note_density",
    token="NoteDensity",
    tracks="melodic",
    bins=Bins.whole(10, top=127),
    unit="notes per bar",
    title="notes per bar",
    words=_PLAIN_WORDS,
    reach=_plain_reach,
    from_domain=False,
)
def plain_note_density(track: TrackView) -> float:
    """Notes per bar, empty bars included."""
    return track.n_notes / track.n_bars_looked_at if track.n_bars_looked_at else 0.0
