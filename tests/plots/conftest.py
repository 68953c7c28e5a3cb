"""A small band: bass, drums and piano over eight bars, with a change of metre."""

from __future__ import annotations

import numpy as np
import pytest

from midigpt_nb.score.model import Bar, Note, Score, Track


def bar_of(notes: list[Note], three: bool) -> Bar:
    return Bar(notes, 3, 4) if three else Bar(notes)


@pytest.fixture
def band() -> Score:
    bass, drums, piano = [], [], []
    for number in range(8):
        three = number >= 6
        beats = range(3 if three else 4)
        bass.append(bar_of([Note(36 + 2 * (b % 3), 90, 480 * b, 400) for b in beats], three))
        drums.append(
            bar_of([Note(42, 60 + 10 * b, 480 * b, 60) for b in beats] + [Note(36, 110, 0, 60)], three)
        )
        chord = [] if number == 2 else [Note(p, 80, 0, 960) for p in (60, 64, 67)]
        piano.append(bar_of(chord, three))
    return Score(
        [Track(bass, 33, name="Bass"), Track(drums, 0, "drum"), Track(piano, 0, name="Piano $1_2$ 雅楽")],
        resolution=480,
    )


@pytest.fixture
def changed(band: Score) -> Score:
    """The band with bar 5 of the bass rewritten."""
    table = band.table
    notes = [[0, 960, 43, 100, 0], [960, 960, 47, 100, 0]]
    return band.with_table(table.replaced([(0, 4)], [np.array(notes, dtype=np.int32)]))
