"""The prepared corpus: flat arrays from which windows are cut without touching a MIDI file again.

A *cell* is one bar of one track. The cells of a track are contiguous and in bar order, so bar ``b`` of track
``t`` is cell ``track_cell[t] + b``. Because the velocity memory is cleared in every bar, the note tokens of a
cell do not depend on its neighbours and can be computed once.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np

SPLITS = ("train", "valid", "test")


@dataclass
class Corpus:
    """All arrays: ``P`` pieces, ``T`` tracks, ``B`` bars, ``C`` cells, ``N`` notes, ``K`` tokens."""

    onset: np.ndarray  # (N,) uint8: grid ticks from the start of the bar; notes sorted by cell, onset, pitch
    pitch: np.ndarray  # (N,) uint8
    duration: np.ndarray  # (N,) uint8: grid ticks, 1-96
    cell_note: np.ndarray  # (C + 1,) int64: first note of every cell
    cell_token: np.ndarray  # (C + 1,) int64: first note token of every cell
    tokens: np.ndarray  # (K,) uint16: the finished note tokens of all cells
    cell_polyphony: np.ndarray  # (C,) uint8: bin of the bar's maximum polyphony
    track_piece: np.ndarray  # (T,) int32
    track_drum: np.ndarray  # (T,) bool
    track_instrument: np.ndarray  # (T,) uint8: merged instrument number
    track_cell: np.ndarray  # (T,) int64: first cell
    bar_signature: np.ndarray  # (B,) int16: index of the time signature, -1 if outside the vocabulary
    bar_whole: np.ndarray  # (B,) bool: false for bars cut by a metre change or of unknown metre
    piece_bar: np.ndarray  # (P + 1,) int64: first bar of every piece
    piece_track: np.ndarray  # (P + 1,) int64: first track of every piece
    piece_source: np.ndarray  # (P,) uint8: index into sources
    piece_split: np.ndarray  # (P,) uint8: index into SPLITS
    piece_file: np.ndarray  # (P,) str: path in the source archive
    sources: np.ndarray  # (S,) str

    def save(self, path: Path) -> None:
        """Write all arrays to one compressed ``.npz`` file, through a temporary name."""
        temporary = path.with_name(path.name + ".part.npz")
        np.savez_compressed(temporary, **{f.name: getattr(self, f.name) for f in fields(self)})
        temporary.replace(path)

    @classmethod
    def load(cls, path: Path) -> Corpus:
        """Read a file written by :meth:`save`."""
        with np.load(path, allow_pickle=False) as arrays:
            return cls(**{f.name: arrays[f.name] for f in fields(cls)})

    def n_bars(self, piece: int) -> int:
        """Number of bars of a piece."""
        return int(self.piece_bar[piece + 1] - self.piece_bar[piece])

    def select(self, split: str, sources: tuple[str, ...] | None = None) -> np.ndarray:
        """Indices of the pieces of a split, optionally of some sources only."""
        chosen = self.piece_split == SPLITS.index(split)
        if sources is not None:
            chosen &= np.isin(self.sources[self.piece_source], sources)
        return np.flatnonzero(chosen)

    def window_starts(self, piece: int, n_bars: int) -> np.ndarray:
        """Bars of the piece at which a window of ``n_bars`` whole bars can start."""
        whole = self.bar_whole[self.piece_bar[piece] : self.piece_bar[piece + 1]].astype(np.int64)
        if len(whole) < n_bars:
            return np.zeros(0, dtype=np.int64)
        totals = np.concatenate([[0], np.cumsum(whole)])
        return np.flatnonzero(totals[n_bars:] - totals[:-n_bars] == n_bars)
