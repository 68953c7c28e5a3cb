"""Reading MIDI files for training: the one place that knows the MIDI library."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class MidiTrack(NamedTuple):
    """One track: ``notes`` has columns onset, pitch, duration (file ticks) and velocity."""

    is_drum: bool
    program: int
    notes: np.ndarray  # (n, 4) int64


class MidiPiece(NamedTuple):
    """A file's tracks, ticks per quarter note and metre changes (tick, numerator, denominator)."""

    ticks_per_quarter: int
    signatures: list[tuple[int, int, int]]
    tracks: list[MidiTrack]


def read_notes(data: bytes) -> MidiPiece:
    """Parse the bytes of a standard MIDI file."""
    import symusic

    score = symusic.Score.from_midi(data)
    tracks = []
    for track in score.tracks:
        columns = track.notes.numpy()
        notes = np.stack([columns[name] for name in ("time", "pitch", "duration", "velocity")], axis=1)
        if len(notes):
            tracks.append(MidiTrack(bool(track.is_drum), int(track.program), notes.astype(np.int64)))
    signatures = [(int(s.time), int(s.numerator), int(s.denominator)) for s in score.time_signatures]
    return MidiPiece(int(score.ticks_per_quarter), sorted(signatures), tracks)
