"""Small score tables, written as bars of notes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from midigpt_nb import _core

# A note is (onset in the bar, duration, pitch) or (…, velocity); a bar is a list of notes, or (metre, notes).
TrackSpec = tuple[int, bool, Sequence[Any]]


def build_table(*tracks: TrackSpec, resolution: int = 12) -> _core.ScoreTable:
    """A table of tracks ``(program, is_drum, bars)``."""
    notes: list[list[int]] = []
    bars: list[list[int]] = []
    heads: list[list[int]] = []
    for program, is_drum, content in tracks:
        heads.append([len(bars), program, int(is_drum)])
        for bar in content:
            (num, den), bar_notes = bar if isinstance(bar, tuple) else ((4, 4), bar)
            bars.append([len(notes), num, den, 0])
            notes += [[*note[:3], note[3] if len(note) > 3 else 100, 0] for note in bar_notes]
    return _core.ScoreTable(
        notes=np.array(notes, dtype=np.int32).reshape(-1, 5),
        bars=np.array(bars, dtype=np.int32).reshape(-1, 4),
        tracks=np.array(heads, dtype=np.int32).reshape(-1, 3),
        resolution=resolution,
    )


@pytest.fixture
def table() -> Callable[..., _core.ScoreTable]:
    return build_table


POCKET_CONTROLS = [
    {"name": "note_density_quantile", "params": {"track_type": "both"}},
    {"name": "polyphony_quantile", "params": {"mode": "min"}},
    {"name": "polyphony_quantile", "params": {"mode": "max"}},
    {"name": "note_duration_quantile", "params": {"mode": "min"}},
    {"name": "note_duration_quantile", "params": {"mode": "max"}},
    {"name": "pitch_range"},
    {"name": "key_signature"},
    {"name": "silence_proportion"},
    {"name": "note_density_quantile", "params": {"level": "bar", "track_type": "both"}},
    {"name": "polyphony_quantile", "params": {"mode": "max", "level": "bar"}},
]


@pytest.fixture
def pocket_config() -> dict[str, Any]:
    """The attribute part of the bundled model's configuration."""
    return {
        "attribute_formulas": "exact",
        "attribute_controls": [dict(control) for control in POCKET_CONTROLS],
        "instrument_merge_groups": [[0, 1, 2], [4, 5], [16, 17, 18], [33, 34], [48, 49]],
    }
