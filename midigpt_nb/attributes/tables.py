"""TABLE: constants of the attribute formulas: value labels, key profiles and the density thresholds."""

from __future__ import annotations

import json
from functools import lru_cache
from importlib.resources import files

import numpy as np

DENSITY_LABELS = ("sparsest (Q0)", *(f"Q{i}" for i in range(1, 9)), "densest (Q9)")
DENSITY_WORDS = (
    "sparsest",
    "very sparse",
    "sparse",
    "rather sparse",
    "just below the middle",
    "just above the middle",
    "rather dense",
    "dense",
    "very dense",
    "densest",
)
VOICE_LABELS = ("1 voice", *(f"{i} voices" for i in range(2, 10)), "10+ voices")
DURATION_LABELS = ("32nd", "16th", "8th", "quarter", "half", "whole")

TONICS = ("C", "C♯", "D", "E♭", "E", "F", "F♯", "G", "A♭", "A", "B♭", "B")
KEY_NAMES = (*(f"{t} major" for t in TONICS), *(f"{t} minor" for t in TONICS), "none")
NO_KEY = 24

# Weight of each scale step (semitones above the tonic) for a major and a minor key.
MAJOR_PROFILE = (6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88)
MINOR_PROFILE = (6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17)

DRUM_ROW = 128
LOW, HIGH = 0.15, 0.85  # the fractions that stand for "min" and "max"
LONGEST_QUARTERS = 8  # the longest note the token grid can hold; exact formulas measure no further
DRUM_HITS_PER_QUARTER = 4  # exact formulas let a drum hit sound a sixteenth


def counted(n: int, noun: str) -> str:
    """A number with its noun.

    >>> counted(1, "note"), counted(2, "note")
    ('1 note', '2 notes')
    """
    return f"{n} {noun}{'' if n == 1 else 's'}"


@lru_cache(maxsize=1)
def key_weights() -> np.ndarray:
    """(12, 24) weight of pitch class ``j`` for key ``k``: 0-11 major on C…B, 12-23 minor."""
    columns = [np.roll(profile, tonic) for profile in (MAJOR_PROFILE, MINOR_PROFILE) for tonic in range(12)]
    return np.stack(columns, axis=1)


@lru_cache(maxsize=1)
def density_thresholds() -> np.ndarray:
    """(129, 9) most notes a bar for the levels 0-8 of each program (row 128: drums); level 9 is above."""
    text = files("midigpt_nb.attributes").joinpath("data/density_quantiles.json").read_text("utf-8")
    rows = json.loads(text)
    table = np.array([rows[str(key)] for key in range(DRUM_ROW + 1)], dtype=np.int64)
    table.flags.writeable = False
    return table
