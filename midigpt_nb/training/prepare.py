"""From archives of MIDI files and a manifest to the flat arrays of :class:`~.corpus.Corpus`.

Onsets are rounded to the grid before bars are assigned, so that a note played slightly early opens the next
bar.
"""

from __future__ import annotations

import csv
import zipfile
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np

from . import vocabulary as v
from .attributes import half_even_index
from .corpus import SPLITS, Corpus
from .midi import MidiPiece, read_notes

VELOCITY_JITTER = 2  # levels within which synthetic velocities keep the last level


class ParsedPiece(NamedTuple):
    """One file on the grid; ``notes`` has columns track, bar, onset, pitch, duration, velocity level."""

    notes: np.ndarray  # (n, 6) int32, sorted by track, bar, onset, pitch
    drums: list[bool]
    instruments: list[int]
    signatures: np.ndarray  # (bars,) int16
    whole: np.ndarray  # (bars,) bool


def _bar_lines(piece: MidiPiece, end: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Starts (grid ticks), signature indices and whole flags of the bars that cover ``[0, end]``."""
    scale = v.RESOLUTION / piece.ticks_per_quarter
    changes = {0: (4, 4)}
    for tick, numerator, denominator in piece.signatures:
        changes[round(tick * scale)] = (numerator, denominator)
    times = sorted(changes)
    starts, indices, whole = [], [], []
    for i, begin in enumerate(times):
        numerator, denominator = changes[begin]
        name = f"{numerator}/{denominator}"
        index = v.TIME_SIGNATURES.index(name) if name in v.TIME_SIGNATURES else -1
        length = max(1, 4 * numerator * v.RESOLUTION // max(denominator, 1))
        stop = times[i + 1] if i + 1 < len(times) else max(end + 1, begin + 1)
        lines = np.arange(begin, stop, length)
        complete = np.full(len(lines), index >= 0)
        if i + 1 < len(times) and len(lines) and lines[-1] + length > stop:
            complete[-1] = False
        starts.append(lines)
        indices.append(np.full(len(lines), index))
        whole.append(complete)
    return np.concatenate(starts), np.concatenate(indices).astype(np.int16), np.concatenate(whole)


def parse_piece(data: bytes) -> ParsedPiece | None:
    """Quantise one file; ``None`` if it holds no notes or cannot be read."""
    try:
        piece = read_notes(data)
    except (RuntimeError, ValueError):
        return None
    if not piece.tracks:
        return None
    rows = []
    for number, track in enumerate(piece.tracks):
        onset = np.floor(track.notes[:, 0] * v.RESOLUTION / piece.ticks_per_quarter + 0.5).astype(np.int64)
        length = track.notes[:, 2] * v.RESOLUTION // piece.ticks_per_quarter
        level = v.VELOCITY_TO_LEVEL[np.clip(track.notes[:, 3], 1, 127)]
        columns = (
            np.full(len(onset), number),
            onset,
            track.notes[:, 1],
            np.clip(length, 1, v.MAX_DURATION),
            level,
        )
        rows.append(np.stack(columns, axis=1))
    notes = np.concatenate(rows)
    starts, signatures, whole = _bar_lines(piece, int(notes[:, 1].max()))
    bar = np.searchsorted(starts, notes[:, 1], side="right") - 1
    onset = notes[:, 1] - starts[bar]
    table = np.stack([notes[:, 0], bar, onset, notes[:, 2], notes[:, 3], notes[:, 4]], axis=1).astype(
        np.int32
    )
    table = table[np.lexsort((table[:, 3], table[:, 2], table[:, 1], table[:, 0]))]
    fresh = np.ones(len(table), dtype=bool)
    fresh[1:] = (table[1:, :4] != table[:-1, :4]).any(axis=1)
    known = (table[:, 2] < 256) & (table[:, 3] >= 0) & (table[:, 3] < 128)
    drums = [track.is_drum for track in piece.tracks]
    instruments = [int(v.PROGRAM_TO_INSTRUMENT[min(max(track.program, 0), 127)]) for track in piece.tracks]
    return ParsedPiece(table[fresh & known], drums, instruments, signatures, whole)


def _parse_archive_members(job: tuple[str, list[str]]) -> list[ParsedPiece | None]:
    archive, members = job
    with zipfile.ZipFile(archive) as source:
        return [parse_piece(source.read(member)) for member in members]


def snap_velocities(level: np.ndarray, cell: np.ndarray, jitter: int = VELOCITY_JITTER) -> np.ndarray:
    """Let a note keep the level of the note before it in its cell if the two differ by at most ``jitter``.

    ``level`` and ``cell`` are ``(n,)`` in cell order. Synthetic sources jitter velocities at random, which
    costs one unpredictable token a note.
    """
    snapped = level.copy()
    first = np.flatnonzero(np.concatenate([[True], cell[1:] != cell[:-1]]))
    length = np.diff(np.concatenate([first, [len(cell)]]))
    kept = snapped[first].copy()
    order = np.argsort(-length, kind="stable")
    first, length, kept = first[order], length[order], kept[order]
    for step in range(1, int(length[0]) if len(length) else 0):
        active = int(np.searchsorted(-length, -step, side="left"))  # cells with more than `step` notes
        here = first[:active] + step
        near = np.abs(snapped[here] - kept[:active]) <= jitter
        kept[:active] = np.where(near, kept[:active], snapped[here])
        snapped[here] = kept[:active]
    return snapped


def note_tokens(
    onset: np.ndarray,
    pitch: np.ndarray,
    duration: np.ndarray,
    level: np.ndarray,
    cell: np.ndarray,
    drum: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """The note tokens of all cells and the number of tokens of each note.

    All inputs are ``(n,)``, sorted by cell, onset, pitch; ``drum`` says whether the note lies in a drum
    track. A note is written as position (if it opens a new onset above 0), velocity (if it changed inside the
    cell), pitch, and, for melodic tracks, duration.
    """
    opens = np.ones(len(cell), dtype=bool)
    opens[1:] = cell[1:] != cell[:-1]
    new_onset, new_level = opens.copy(), opens.copy()
    new_onset[1:] |= onset[1:] != onset[:-1]
    new_level[1:] |= level[1:] != level[:-1]
    new_onset &= onset > 0
    parts = (
        (new_onset, v.POSITION + onset.astype(np.int32)),
        (new_level, v.VELOCITY + level.astype(np.int32)),
        (np.ones(len(cell), dtype=bool), v.NOTE_ONSET + pitch.astype(np.int32)),
        (~drum, v.NOTE_DURATION + duration.astype(np.int32) - 1),
    )
    table = np.stack([np.where(present, ids, -1) for present, ids in parts], axis=1)
    return table[table >= 0].astype(np.uint16), (table >= 0).sum(axis=1)


def bar_polyphony(
    onset: np.ndarray,
    duration: np.ndarray,
    cell: np.ndarray,
    ticks: np.ndarray,
    n_cells: int,
    chunk: int = 50_000,
) -> np.ndarray:
    """Bin of the bar-level maximum polyphony of every cell, ``(n_cells,)`` uint8.

    Counts sounding notes per tick of the bar (notes starting in the bar, clipped to it, ``ticks`` per note),
    takes the 0.85 quantile of the non-zero counts, and writes ``n`` voices as bin ``n - 1``.
    """
    result = np.zeros(n_cells, dtype=np.uint8)
    used, row = np.unique(cell, return_inverse=True)
    edges = np.searchsorted(row, np.arange(0, len(used) + chunk, chunk))
    width = int(v.BAR_TICKS.max()) + 1
    for number in range(len(edges) - 1):
        part = slice(edges[number], edges[number + 1])
        if part.start == part.stop:
            continue
        base = number * chunk
        rows = int(row[part][-1]) - base + 1
        delta = np.zeros(rows * width, dtype=np.int32)
        begin = (row[part] - base) * width
        stop = np.minimum(onset[part] + duration[part], ticks[part])
        delta += np.bincount(begin + onset[part], minlength=len(delta)).astype(np.int32)
        delta -= np.bincount(begin + stop, minlength=len(delta)).astype(np.int32)
        counts = np.cumsum(delta.reshape(rows, width), axis=1)
        counts.sort(axis=1)
        sounding = (counts > 0).sum(axis=1)
        index = width - sounding + half_even_index(sounding, 0.85)
        value = counts[np.arange(rows), np.minimum(index, width - 1)]
        result[used[base : base + rows]] = np.clip(value, 1, 10) - 1
    return result


def prepare(corpus_folder: Path, output: Path, workers: int = 2, synthetic_tier: str = "S") -> Corpus:
    """Read every file of the manifest and write the prepared arrays to ``output`` (``.npz``)."""
    with (corpus_folder / "manifest.csv").open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    jobs, wanted = [], []
    for source in sorted({row["source"] for row in rows}):
        mine = [row for row in rows if row["source"] == source]
        for begin in range(0, len(mine), 200):
            part = mine[begin : begin + 200]
            jobs.append((str(corpus_folder / f"{source}.zip"), [row["file"] for row in part]))
            wanted.extend(part)
    with ProcessPoolExecutor(workers) as pool:
        parsed = [piece for batch in pool.map(_parse_archive_members, jobs) for piece in batch]
    pairs = [
        (row, piece)
        for row, piece in zip(wanted, parsed, strict=True)
        if piece is not None and len(piece.notes)
    ]
    corpus = assemble(pairs, synthetic_tier)
    corpus.save(output)
    return corpus


class _Layout(NamedTuple):
    """Where the bars, tracks and cells of pieces that are joined begin, and whose each track is."""

    piece_bar: np.ndarray  # (pieces + 1,)
    piece_track: np.ndarray  # (pieces + 1,)
    track_piece: np.ndarray  # (tracks,)
    track_cell: np.ndarray  # (tracks + 1,)


def _offsets(sizes: np.ndarray) -> np.ndarray:
    """Where parts of these sizes begin when they stand one after the other; last, where they end."""
    return np.concatenate([[0], np.cumsum(sizes)])


def _layout(pieces: list[ParsedPiece]) -> _Layout:
    bars = np.array([len(piece.signatures) for piece in pieces])
    tracks = np.array([len(piece.drums) for piece in pieces])
    track_piece = np.repeat(np.arange(len(pieces)), tracks)
    return _Layout(_offsets(bars), _offsets(tracks), track_piece, _offsets(bars[track_piece]))


def assemble(pairs: list[tuple[dict[str, str], ParsedPiece]], synthetic_tier: str = "S") -> Corpus:
    """Join parsed pieces (each with its manifest row: source, tier, split, file) into one corpus."""
    rows, pieces = [row for row, _ in pairs], [piece for _, piece in pairs]
    layout = _layout(pieces)
    notes = np.concatenate([piece.notes for piece in pieces])
    bar, onset, pitch, duration, level = notes[:, 1:].T
    piece = np.repeat(np.arange(len(pieces)), [len(one.notes) for one in pieces])
    track = layout.piece_track[piece] + notes[:, 0]
    cell = layout.track_cell[track] + bar
    made = np.array([row.get("tier") == synthetic_tier for row in rows])[piece]
    if made.any():
        level = level.copy()
        level[made] = snap_velocities(level[made], cell[made])
    drums = np.array([drum for one in pieces for drum in one.drums])
    tokens, lengths = note_tokens(onset, pitch, duration, level, cell, drums[track])
    signatures = np.concatenate([one.signatures for one in pieces])
    bar_ticks = np.where(signatures >= 0, v.BAR_TICKS[signatures], 192).astype(np.int64)
    ticks = bar_ticks[layout.piece_bar[piece] + bar]
    melodic = ~drums[track] & (onset < ticks)
    n_cells = int(layout.track_cell[-1])
    polyphony = bar_polyphony(onset[melodic], duration[melodic], cell[melodic], ticks[melodic], n_cells)
    cell_note = np.searchsorted(cell, np.arange(n_cells + 1))
    sources = sorted({row["source"] for row in rows})
    return Corpus(
        onset=onset.astype(np.uint8),
        pitch=pitch.astype(np.uint8),
        duration=duration.astype(np.uint8),
        cell_note=cell_note,
        cell_token=_offsets(lengths)[cell_note],
        tokens=tokens,
        cell_polyphony=polyphony,
        track_piece=layout.track_piece.astype(np.int32),
        track_drum=drums,
        track_instrument=np.array([number for one in pieces for number in one.instruments], dtype=np.uint8),
        track_cell=layout.track_cell[:-1],
        bar_signature=signatures,
        bar_whole=np.concatenate([one.whole for one in pieces]),
        piece_bar=layout.piece_bar,
        piece_track=layout.piece_track,
        piece_source=np.array([sources.index(row["source"]) for row in rows], dtype=np.uint8),
        piece_split=np.array([SPLITS.index(row["split"]) for row in rows], dtype=np.uint8),
        piece_file=np.array([row["file"] for row in rows]),
        sources=np.array(sources),
    )
