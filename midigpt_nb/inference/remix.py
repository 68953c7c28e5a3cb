"""Remix: keep the onsets of the notes that are there, let some of the notes change.

Which notes may change is drawn here; that the others stay is the core's work (`Constraint.remix`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from midigpt_nb.inference.rng import SeedStream

__all__ = ["free_notes", "kept_notes"]

Asked = tuple[int, int, int, Mapping[str, Any]]  # block, track, bar, what the control says
Kept = tuple[int, int, int]  # grid tick, pitch or -1, NoteDuration value or -1


def kept_notes(
    grid: Any, asked: Sequence[Asked], stream: SeedStream, *, n_pitches: int, n_durations: int
) -> dict[int, list[Kept]]:
    """Block -> its notes by onset, then pitch, -1 for what may change; bars without notes are left out.

    The share `amount` counts over all bars of a track that are written together under the same wish.
    """
    groups: dict[tuple[Any, ...], list[tuple[Asked, list[list[int]]]]] = {}
    for row in asked:
        _, track, bar, wish = row
        notes = _notes(grid, track, bar)
        if notes:
            key = (track, float(wish["amount"]), wish.get("mode", "pitch"))
            groups.setdefault(key, []).append((row, notes))
    kept: dict[int, list[Kept]] = {}
    for (track, amount, mode), bars in groups.items():
        places = [(bar, i) for (_, _, bar, _), notes in bars for i in range(len(notes))]
        free = free_notes(places, track, amount, stream)
        drum = bool(grid.tracks[track, 2])
        for (block, _, bar, _), notes in bars:
            kept[block] = [
                _kept(note, (bar, i) in free, mode, n_pitches, 0 if drum else n_durations)
                for i, note in enumerate(notes)
            ]
    return kept


def _notes(grid: Any, track: int, bar: int) -> list[list[int]]:
    """[onset, pitch, duration] of a bar's audible notes on the model's grid, by onset, then pitch."""
    first, last = grid.note_rows(track, bar)
    rows = grid.notes[first:last]
    return sorted([int(n[0]), int(n[2]), int(n[1])] for n in rows if n[3] > 0)


def _kept(note: Sequence[int], free: bool, mode: str, n_pitches: int, n_durations: int) -> Kept:
    onset, pitch, duration = note
    value = max(duration - 1, 0)
    keeps_pitch = not free and pitch < n_pitches
    keeps_length = (not free or mode == "pitch") and value < n_durations
    return onset, pitch if keeps_pitch else -1, value if keeps_length else -1


def free_notes(
    places: Sequence[tuple[int, int]], track: int, amount: float, stream: SeedStream
) -> set[tuple[int, int]]:
    """The (bar, note) places that may change: a random share, at least one.

    >>> len(free_notes([(0, 0), (0, 1), (0, 2), (1, 0)], 0, .5, SeedStream(1)))
    2
    """
    n = min(len(places), max(1, round(amount * len(places))))
    numbers = stream.choosing("remix")
    chance = {(bar, i): numbers.uniform(((track << 10) + bar << 10) + i) for bar, i in places}
    return set(sorted(places, key=lambda place: (chance[place], place))[:n])
