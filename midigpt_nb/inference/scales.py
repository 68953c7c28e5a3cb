"""TABLES: scales, ranges of voices and instruments, and the units of a rhythmic grid, by name."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

__all__ = ["GRID_UNITS", "NOTE_NAMES", "RANGES", "SCALES", "grid_ticks", "pitch_class"]

# Semitones above the root.
SCALES: dict[str, tuple[int, ...]] = {
    "chromatic": tuple(range(12)),
    "major": (0, 2, 4, 5, 7, 9, 11),
    "minor": (0, 2, 3, 5, 7, 8, 10),  # what most people mean by it
    "natural_minor": (0, 2, 3, 5, 7, 8, 10),
    "harmonic_minor": (0, 2, 3, 5, 7, 8, 11),
    "melodic_minor": (0, 2, 3, 5, 7, 9, 11),
    "dorian": (0, 2, 3, 5, 7, 9, 10),
    "phrygian": (0, 1, 3, 5, 7, 8, 10),
    "lydian": (0, 2, 4, 6, 7, 9, 11),
    "mixolydian": (0, 2, 4, 5, 7, 9, 10),
    "locrian": (0, 1, 3, 5, 6, 8, 10),
    "major_pentatonic": (0, 2, 4, 7, 9),
    "minor_pentatonic": (0, 3, 5, 7, 10),
    "blues": (0, 3, 5, 6, 7, 10),
    "whole_tone": (0, 2, 4, 6, 8, 10),
}

# Usual written ranges, lowest and highest sounding MIDI pitch.
RANGES: dict[str, tuple[int, int]] = {
    "soprano voice": (60, 81),
    "alto voice": (53, 74),
    "tenor voice": (48, 69),
    "bass voice": (40, 64),
    "piccolo": (74, 102),
    "flute": (60, 96),
    "oboe": (58, 91),
    "clarinet": (50, 94),
    "bassoon": (34, 75),
    "alto saxophone": (49, 81),
    "tenor saxophone": (44, 76),
    "horn": (34, 77),
    "trumpet": (54, 84),
    "trombone": (40, 74),
    "tuba": (28, 58),
    "violin": (55, 103),
    "viola": (48, 91),
    "cello": (36, 81),
    "double bass": (28, 67),
    "guitar": (40, 88),
    "bass guitar": (28, 67),
    "harp": (24, 103),
    "vibraphone": (53, 89),
    "piano": (21, 108),
}

# Name -> (share of a quarter note, in words). The reference's triplet names say one level more than musicians
# would: its `quarter_triplet` is an eighth-note triplet. Both spellings are here.
GRID_UNITS: dict[str, tuple[Fraction, str]] = {
    "whole": (Fraction(4), "whole notes"),
    "half": (Fraction(2), "half notes"),
    "quarter": (Fraction(1), "quarter notes"),
    "eighth": (Fraction(1, 2), "eighth notes"),
    "sixteenth": (Fraction(1, 4), "sixteenth notes"),
    "half_note_triplet": (Fraction(4, 3), "half-note triplets: three in four quarters"),
    "quarter_note_triplet": (Fraction(2, 3), "quarter-note triplets: three in two quarters"),
    "eighth_note_triplet": (Fraction(1, 3), "eighth-note triplets: three in a quarter"),
    "sixteenth_note_triplet": (Fraction(1, 6), "sixteenth-note triplets: three in an eighth"),
    "quarter_triplet": (Fraction(1, 3), "the reference's name for eighth-note triplets"),
    "eighth_triplet": (Fraction(1, 6), "the reference's name for sixteenth-note triplets"),
    "sixteenth_triplet": (Fraction(1, 12), "the reference's name for thirty-second-note triplets"),
}

NOTE_NAMES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")


def grid_ticks(unit: str, resolution: int) -> int:
    """Ticks of a grid unit at `resolution` ticks per quarter: at least 1, halves to the even neighbour.

    >>> [grid_ticks(u, 12) for u in ("quarter", "quarter_triplet", "quarter_note_triplet")]
    [12, 4, 8]
    """
    return max(1, round(resolution * GRID_UNITS[unit][0]))


def pitch_class(value: Any) -> int | None:
    """0..11 for a whole number (taken mod 12) or a note name (``"F#"``, ``"Bb"``); None for anything else.

    >>> pitch_class("Bb"), pitch_class(62), pitch_class("H")
    (10, 2, None)
    """
    if isinstance(value, int) and not isinstance(value, bool):
        return value % 12
    if not isinstance(value, str) or value[:1].upper() not in NOTE_NAMES or len(value) > 3:
        return None
    shift = {"": 0, "#": 1, "##": 2, "b": -1, "bb": -2}.get(value[1:])
    return None if shift is None else (NOTE_NAMES.index(value[0].upper()) + shift) % 12
