"""Note density: how many notes a bar, as a level among pieces with the same instrument, or plainly."""

from __future__ import annotations

import numpy as np

from midigpt_nb.attributes import tables
from midigpt_nb.attributes.registry import Attribute, Bins, attribute
from midigpt_nb.attributes.view import TrackView

_LEVELS = Bins(10, lambda raw: raw, tables.DENSITY_LABELS)


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


# A generated quarter note of time holds at most this many notes in practice (four at each of twelve
# positions); used only to warn about densities that cannot be reached.
_MOST_NOTES_PER_QUARTER = 48


def _reach(attribute: Attribute, fixed: TrackView, generated: int) -> tuple[int, int]:
    """Levels with the generated bars empty, with one note each, or as full as can be."""
    measure = _group_row if fixed.settings.formulas == "exact" else _program_row
    thresholds, bars = measure(fixed), int(np.count_nonzero(fixed.notes_per_bar))
    alone = int(_level(_mean(fixed.n_notes, bars), thresholds))
    sparse = (
        int(_level(_mean(fixed.n_notes + generated, bars + generated), thresholds)) if generated else alone
    )
    most = int(fixed.bar_quarters[~fixed.looked_at].sum() * _MOST_NOTES_PER_QUARTER)
    full = int(_level(_mean(fixed.n_notes + most, bars + generated), thresholds)) if generated else alone
    return min(alone, sparse), max(alone, full)


@attribute(
    "note_density",
    entry="note_density_quantile",
    params={"level": "track"},
    token="NoteDensity",
    token_aliases=("TOKEN_DENSITY_LEVEL",),
    tracks="drum",
    bins=_LEVELS,
    unit="level",
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
    from_domain=False,
)
def plain_note_density(track: TrackView) -> float:
    """Notes per bar, empty bars included."""
    return track.n_notes / track.n_bars_looked_at if track.n_bars_looked_at else 0.0
