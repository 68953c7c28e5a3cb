"""Pieces to measure with: random notes on the sixteenth grid, the same ones for the same numbers."""

from __future__ import annotations

import random
from pathlib import Path

from midigpt_nb import Bar, Note, Score, Track

PROGRAMS = (0, 33, 25, 48, 61, 81, 4)  # piano, bass, guitar, strings, brass, lead, electric piano
RESOLUTION = 480
NOTES_PER_BAR = 6


def piece(n_tracks: int, n_bars: int, seed: int = 0) -> Score:
    """Every fourth track is drums; six notes in each bar."""
    rng = random.Random(seed)
    return Score([_track(t, n_bars, rng) for t in range(n_tracks)], resolution=RESOLUTION)


def _track(index: int, n_bars: int, rng: random.Random) -> Track:
    drums = index % 4 == 3
    bars = [Bar(sorted((_note(drums, rng) for _ in range(NOTES_PER_BAR)), key=_order)) for _ in range(n_bars)]
    program = 0 if drums else PROGRAMS[index % len(PROGRAMS)]
    return Track(bars, instrument=program, track_type="drum" if drums else "melodic")


def _note(drums: bool, rng: random.Random) -> Note:
    pitch = rng.choice((36, 38, 42, 46)) if drums else rng.randrange(48, 72)
    sixteenth = RESOLUTION // 4
    start = rng.randrange(16)
    length = rng.randrange(1, min(5, 17 - start))  # none rings past its bar
    return Note(pitch, rng.randrange(50, 110), sixteenth * start, sixteenth * length)


def _order(note: Note) -> tuple[int, int]:
    return note.onset_ticks, note.pitch


def write(folder: Path, n_tracks: int, n_bars: int, seed: int = 0) -> str:
    """The piece as a MIDI file in a folder; its path."""
    path = folder / f"{n_tracks}x{n_bars}-{seed}.mid"
    piece(n_tracks, n_bars, seed).to_midi(path)
    return str(path)
