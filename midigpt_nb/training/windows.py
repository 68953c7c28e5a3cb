"""Drawing training windows from a prepared corpus: which piece, bars, tracks and augmentation."""

from __future__ import annotations

import numpy as np

from . import vocabulary as v
from .corpus import Corpus
from .mixes import LONG_MIX, SHORT_MIX, Mix, choose
from .window import Window
from .writer import TrackView, WindowWriter

__all__ = ["LONG_MIX", "SHORT_MIX", "Mix", "WindowSampler"]


class WindowSampler:
    """Draws windows from the pieces of one split; every draw depends only on the generator handed in."""

    def __init__(self, corpus: Corpus, split: str, mix: Mix, sources: tuple[str, ...] | None = None):
        self.corpus = corpus
        self.mix = mix
        self._groups: list[tuple[float, np.ndarray, np.ndarray]] = []
        for name in corpus.sources:
            if sources is not None and name not in sources:
                continue
            pieces = corpus.select(split, (str(name),))
            weight = mix.sources.get(str(name), 0.0) if sources is None else float(len(pieces))
            if not len(pieces) or weight <= 0:
                continue
            bars = np.array([corpus.n_bars(int(p)) for p in pieces]) ** 0.75
            self._groups.append((weight, pieces, np.cumsum(bars) / bars.sum()))
        if not self._groups:
            raise ValueError(f"no pieces to draw from in split {split!r}")
        self._source_totals = np.cumsum([group[0] for group in self._groups])

    def pool(self, seed: int, number: int, size: int = 256) -> list[Window]:
        """Pool ``number`` of windows: the same for the same seed, whatever was drawn before."""
        rng = np.random.default_rng((seed, number))
        return [self.draw(rng) for _ in range(size)]

    def draw(self, rng: np.random.Generator) -> Window:
        """One random window."""
        for _ in range(1000):
            window = self._try(rng)
            if window is not None:
                return window
        raise RuntimeError("no window fits: the pieces are too short or the token limit too small")

    def _try(self, rng: np.random.Generator) -> Window | None:
        corpus, mix = self.corpus, self.mix
        group = self._groups[
            int(np.searchsorted(self._source_totals, rng.random() * self._source_totals[-1]))
        ]
        piece = int(group[1][min(int(np.searchsorted(group[2], rng.random())), len(group[1]) - 1)])
        n_bars = choose(rng, mix.bar_counts)
        starts = corpus.window_starts(piece, n_bars)
        if not len(starts):
            return None
        first = int(starts[rng.integers(len(starts))])
        signatures = corpus.bar_signature[corpus.piece_bar[piece] + first :][:n_bars]
        bar_start = np.concatenate([[0], np.cumsum(v.BAR_TICKS[signatures])])
        chosen = self._tracks(rng, piece, first, n_bars)
        if not chosen:
            return None
        views = [self._view(rng, track, first, n_bars, bar_start) for track in chosen]
        if sum(len(view.pitch) for view in views) < 2 * n_bars:
            return None
        self._augment(rng, views)
        return WindowWriter(rng, mix, views, signatures.tolist(), bar_start, piece).write()

    def _tracks(self, rng: np.random.Generator, piece: int, first: int, n_bars: int) -> list[int]:
        """Tracks of a window in random order, cut where the token limit is reached."""
        corpus, mix = self.corpus, self.mix
        candidates = []
        for track in range(int(corpus.piece_track[piece]), int(corpus.piece_track[piece + 1])):
            cell = int(corpus.track_cell[track]) + first
            filled = int((np.diff(corpus.cell_note[cell : cell + n_bars + 1]) > 0).sum())
            if filled and (2 * filled > n_bars or rng.random() < 0.5):
                candidates.append(track)
        rng.shuffle(candidates)
        if candidates and rng.random() >= mix.all_tracks:
            candidates = candidates[: int(rng.integers(1, len(candidates) + 1))]
        room, chosen = mix.max_tokens - 3, []
        for track in candidates[: mix.max_tracks]:
            cell = int(corpus.track_cell[track]) + first
            # Worst case: every attribute present, and every bar a target (placeholder, block start and end).
            need = int(corpus.cell_token[cell + n_bars] - corpus.cell_token[cell]) + 11 + 8 * n_bars
            if need > room:
                break
            room -= need
            chosen.append(track)
        return chosen

    def _view(
        self, rng: np.random.Generator, track: int, first: int, n_bars: int, bar_start: np.ndarray
    ) -> TrackView:
        corpus = self.corpus
        cell = int(corpus.track_cell[track]) + first
        note_cuts = corpus.cell_note[cell : cell + n_bars + 1]
        token_cuts = corpus.cell_token[cell : cell + n_bars + 1]
        notes = slice(int(note_cuts[0]), int(note_cuts[-1]))
        counts = np.diff(note_cuts)
        bar = np.repeat(np.arange(n_bars), counts)
        is_drum = bool(corpus.track_drum[track])
        instrument = int(corpus.track_instrument[track])
        if not is_drum and rng.random() < self.mix.swap_instrument:
            family = int(v.INSTRUMENT_TO_PROGRAM[instrument]) // 8 * 8
            instrument = int(v.PROGRAM_TO_INSTRUMENT[family + int(rng.integers(8))])
        return TrackView(
            number=track,
            is_drum=is_drum,
            instrument=instrument,
            pitch=corpus.pitch[notes].astype(np.int64),
            start=bar_start[bar] + corpus.onset[notes],
            duration=corpus.duration[notes].astype(np.int64),
            bar=bar,
            tokens=corpus.tokens[int(token_cuts[0]) : int(token_cuts[-1])].tolist(),
            cuts=(token_cuts - token_cuts[0]).tolist(),
            counts=counts,
            polyphony=corpus.cell_polyphony[cell : cell + n_bars].tolist(),
        )

    def _augment(self, rng: np.random.Generator, views: list[TrackView]) -> None:
        """Transpose melodic tracks and shift velocities of the whole window, where that stays in range."""
        mix = self.mix
        shift = int(rng.integers(mix.transpose_range[0], mix.transpose_range[1] + 1))
        shift = shift if rng.random() < mix.transpose else 0
        louder = int(rng.integers(-4, 5))
        louder = louder if rng.random() < mix.velocity_shift else 0
        if shift:
            pitches = np.concatenate(
                [view.pitch for view in views if not view.is_drum] or [np.zeros(0, np.int64)]
            )
            if len(pitches) and (pitches.min() + shift < 0 or pitches.max() + shift > 127):
                shift = 0
        if not shift and not louder:
            return
        tokens = [np.array(view.tokens) for view in views]
        levels = np.concatenate([t[(t >= v.VELOCITY) & (t < v.PLACEHOLDER)] for t in tokens]) - v.VELOCITY
        if louder and (levels.min() + louder < 1 or levels.max() + louder >= v.VELOCITY_LEVELS):
            louder = 0
        for view, ids in zip(views, tokens, strict=True):
            if louder:
                ids[(ids >= v.VELOCITY) & (ids < v.PLACEHOLDER)] += louder
            if shift and not view.is_drum:
                ids[(ids >= v.NOTE_ONSET) & (ids < v.NOTE_DURATION)] += shift
                view.pitch = view.pitch + shift
            view.tokens = ids.tolist()
