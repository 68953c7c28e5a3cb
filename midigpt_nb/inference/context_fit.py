"""What to leave out so that every step fits the model.

Prompt lengths are sums of per-bar token counts that are measured once, so trying another plan costs
arithmetic only. In order: leave out context tracks, least relevant first; write fewer tracks, then fewer bars
per step where their number was left open; take a narrower window. A window left open (`model_dim="auto"`) is
chosen here: the one that keeps least from the model, widest first.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from midigpt_nb.inference.config import AUTO, InferenceConfig
from midigpt_nb.inference.piece import Cell, Piece
from midigpt_nb.inference.planning import make_plan
from midigpt_nb.inference.prompt import StepPlan

if TYPE_CHECKING:
    from midigpt_nb.inference.symbols import Symbols

__all__ = ["Fit", "TokenCounts", "drop_order", "fit"]

_HEADER, _SHELL, _TRACK, _HIDDEN = (
    6,
    3,
    3,
    4,
)  # tokens: piece header; Bar TimeSig BarEnd; Track Instrument TrackEnd; hidden bar
_EMPTY_BAR = {True: 60, False: 40}  # guessed length of a bar to write, drums or not, when nothing is known
_OWN_BARS = 2  # bars of the written track a window should show, so that the model finds its register
_PER_STEP = 0.2  # how much a further step counts against a plan, in such bars
_PER_NOTE = {True: 2.5, False: 3.5}
_KICK_SNARE = set(range(35, 41))
_CYMBALS = {42, 44, 46, 49, 51, 52, 53, 55, 57, 59}
_RELEVANCE = {
    "melodic": {
        "bass": 0.9,
        "harmony": 0.8,
        "lead": 0.6,
        "kit": 0.6,
        "hats": 0.35,
        "perc": 0.35,
        "other": 0.3,
    },
    "bass": {"bass": 0.6, "harmony": 0.8, "lead": 0.5, "kit": 0.95, "hats": 0.5, "perc": 0.5, "other": 0.3},
    "drums": {"bass": 0.8, "harmony": 0.4, "lead": 0.3, "kit": 0.9, "hats": 0.7, "perc": 0.6, "other": 0.3},
}


@dataclass(frozen=True)
class TokenCounts:
    """Tokens of each bar's notes, and how many notes: [track][bar]. Plus the most attribute tokens a track
    and a bar can carry.
    """

    content: NDArray[np.int64]
    notes: NDArray[np.int64]
    drums: list[bool]
    track_attributes: int
    bar_attributes: int

    @classmethod
    def of(cls, piece: Piece, vocab: Any, symbols: Symbols, window_bars: int) -> TokenCounts:
        """Encode the whole piece once and count."""
        from midigpt_nb import _core

        grid, n_tracks, n_bars = piece.grid, piece.grid.n_tracks, piece.n_padded
        no_tracks = np.full((n_tracks, symbols.n_track_slots), -1, dtype=np.int16)
        no_bars = np.full((len(grid.bars), symbols.n_bar_slots), -1, dtype=np.int16)
        tokens = _core.encode(vocab, grid, no_tracks, no_bars, _core.EncodeOptions(window_bars=window_bars))[
            0
        ]
        kinds = np.asarray(symbols.types)[tokens]
        starts, ends = np.flatnonzero(kinds == symbols.Bar), np.flatnonzero(kinds == symbols.BarEnd)
        content = (ends - starts - 2).reshape(n_tracks, n_bars)
        counts = np.diff(np.append(grid.bars[:, 0], len(grid.notes))).reshape(n_tracks, n_bars)
        drums = [bool(d) for d in grid.tracks[:, 2]]
        return cls(content, counts, drums, symbols.n_track_slots, symbols.n_bar_slots)

    def track(self, track: int, step: StepPlan, hidden: set[Cell]) -> int:
        """Tokens of one track in a step's prompt, at most."""
        targets = set(step.targets.get(track, ()))
        end = min(targets) if step.autoregressive and targets else step.end
        shells = _SHELL + self.bar_attributes
        total = _TRACK + self.track_attributes
        for bar in range(step.start, end):
            if bar in targets:
                total += shells + 1
            elif (track, bar) in hidden:
                total += _HIDDEN
            else:
                total += shells + int(self.content[track, bar])
        return total

    def answer(self, step: StepPlan, hidden: set[Cell]) -> float:
        """Estimated tokens of the bars to write."""
        total = 0.0
        for track, targets in step.targets.items():
            drum = self.drums[track]
            near = [
                b
                for b in range(step.start, step.end)
                if b not in targets and (track, b) not in hidden and self.content[track, b] > 0
            ]
            notes = int(self.notes[track, near].sum()) if near else 0
            per_note = float(self.content[track, near].sum()) / notes if notes else _PER_NOTE[drum]
            for bar in targets:
                k = int(self.notes[track, bar])
                if k:
                    total += int(k * per_note) + 4
                elif near:
                    total += float(np.median(self.content[track, near])) + 4
                else:
                    total += _EMPTY_BAR[drum]
            if step.autoregressive:
                total += (_SHELL + self.bar_attributes) * len(targets)
        return total


@dataclass
class Fit:
    """The result: window, step sizes, and which context tracks are left out everywhere."""

    window: int
    bars_per_step: int
    tracks_per_step: int
    dropped: list[int] = field(default_factory=list)
    complete: bool = True  # every step fits


@dataclass(frozen=True)
class Situation:
    """What stays the same while plans are tried."""

    counts: TokenCounts
    config: InferenceConfig
    targets: Mapping[int, tuple[Sequence[int], bool]]
    tracks: Sequence[int]  # not ignored
    masked: set[Cell]
    order: Sequence[int]  # context tracks that may be left out, first to go first
    limit: int  # the model's context
    n_bars: int

    def hidden(self, steps: Sequence[StepPlan]) -> list[set[Cell]]:
        """Bars hidden in each step's window: masked ones, and those that later steps will write."""
        later: set[Cell] = set()
        sets = []
        for step in reversed(steps):
            sets.append(step.inside(self.tracks, self.masked, later))
            if self.config.later_targets == "hide":
                later.update(step.cells)
        return sets[::-1]

    def dropped(self, steps: Sequence[StepPlan]) -> list[int] | None:
        """The tracks to leave out for every step to fit; None when leaving out all of them is not enough."""
        worst = 0
        for step, hidden in zip(steps, self.hidden(steps), strict=True):
            need = _HEADER + self.config.budget_margin * self.counts.answer(step, hidden)
            sizes = {
                t: self.counts.track(t, step, hidden) for t in self.tracks if shown(self, t, step, hidden)
            }
            need += sum(sizes.values())
            gone = 0
            while need >= self.limit:
                if gone == len(self.order):
                    return None
                need -= sizes.get(self.order[gone], 0)
                gone += 1
            worst = max(worst, gone)
        return list(self.order[:worst])

    def loss(self, steps: Sequence[StepPlan], dropped: Sequence[int]) -> float:
        """How much a plan keeps from the model; only used to choose a window that was left open.

        Bars of the written track missing around what is written (0..2, mean over steps), the share of context
        tracks left out (times 1.5), and a little for every further step.
        """
        missing = []
        for step, hidden in zip(steps, self.hidden(steps), strict=True):
            if step.autoregressive:
                continue
            for track, targets in step.targets.items():
                bars = range(step.start, step.end)
                seen = sum(b not in targets and (track, b) not in hidden for b in bars)
                missing.append(max(0, min(_OWN_BARS, self.n_bars - len(targets)) - seen))
        own = sum(missing) / len(missing) if missing else 0.0
        return own + 1.5 * len(dropped) / max(1, len(self.order)) + _PER_STEP * (len(steps) - 1)


def shown(situation: Situation, track: int, step: StepPlan, hidden: set[Cell]) -> bool:
    """Whether a track stands in a step's prompt: context that is silent in the window is left away."""
    if track in step.targets or situation.config.context == "all":
        return True
    return any(
        situation.counts.notes[track, b] and (track, b) not in hidden for b in range(step.start, step.end)
    )


def fit(situation: Situation, windows: Sequence[int]) -> Fit:
    """Choose window and step sizes. `windows` are the widths to try, widest first; later ones only when
    needed.
    """
    config = situation.config
    best: tuple[float, Fit] | None = None
    for window in windows:
        for bars, tracks in _step_sizes(situation, window):
            steps = make_plan(
                max(situation.n_bars, window),  # a shorter piece is padded to the window
                situation.targets,
                config,
                window=window,
                bars_per_step=bars,
                tracks_per_step=tracks,
            )
            if best is not None and _PER_STEP * (len(steps) - 1) >= best[0]:
                break
            dropped = situation.dropped(steps)
            if dropped is None:
                continue
            found = Fit(window, bars, tracks, dropped)
            if config.model_dim != AUTO:
                return found
            loss = situation.loss(steps, dropped)
            if best is None or loss < best[0]:
                best = (loss, found)
    if best is not None:
        return best[1]
    smallest = windows[-1]
    bars, tracks = list(_step_sizes(situation, smallest))[-1]
    return Fit(smallest, bars, tracks, list(situation.order), complete=False)


def _step_sizes(situation: Situation, window: int) -> Iterable[tuple[int, int]]:
    """(bars, tracks) per step to try: as asked, then halves of what was left open."""
    config = situation.config
    bars, tracks = config.bars_per_step, config.tracks_per_step
    yield bars, tracks
    if tracks == AUTO:
        n = sum(not ar for _, ar in situation.targets.values())
        while n > 1:
            n = (n + 1) // 2
            tracks = n
            yield bars, tracks
    if bars == AUTO:
        n = window
        while n > 1:
            n //= 2
            yield n, tracks


def drop_order(
    piece: Piece, counts: TokenCounts, config: InferenceConfig, targets: Iterable[int], tracks: Iterable[int]
) -> list[int]:
    """Context tracks in the order in which they may be left out: listed ones first, then the least
    relevant per token.
    """
    targets = set(targets)
    free = [t for t in tracks if t not in targets and t not in set(config.context_keep)]
    if config.context == "all":
        return []
    listed = [t for t in config.context_drop if t in free]
    if config.context == "listed":
        return listed
    roles = {t: _role(piece, t) for t in {*free, *targets}}
    others = [t for t in free if t not in listed]
    return listed + sorted(others, key=lambda t: (_relevance(piece, counts, roles, targets, t), -t))


def _relevance(
    piece: Piece, counts: TokenCounts, roles: Mapping[int, str], targets: set[int], track: int
) -> float:
    tokens = int(counts.content[track].sum())
    if tokens == 0:
        return 0.0
    table = piece.grid.tracks
    best = 0.0
    for target in targets:
        kind = "drums" if table[target, 2] else "bass" if roles[target] == "bass" else "melodic"
        score = _RELEVANCE[kind][roles[track]]
        same_family = (
            table[target, 1] // 8 == table[track, 1] // 8 and not table[track, 2] and not table[target, 2]
        )
        if same_family or (table[target, 2] and table[track, 2]):
            score += 0.1
        best = max(best, score)
    return best / tokens


def _role(piece: Piece, track: int) -> str:
    """What a track does in the band, guessed from its notes."""
    grid = piece.grid
    first, last = grid.note_rows(track, 0)[0], grid.note_rows(track, piece.n_padded - 1)[1]
    notes = grid.notes[first:last]
    if not len(notes):
        return "other"
    pitches = notes[:, 2]
    if grid.tracks[track, 2]:
        low = np.isin(pitches, list(_KICK_SNARE)).mean()
        cymbals = np.isin(pitches, list(_CYMBALS)).mean()
        return "kit" if low >= cymbals and low > 0.25 else "hats" if cymbals > 0.5 else "perc"
    bars = np.repeat(
        np.arange(piece.n_padded),
        np.diff(np.append(grid.bars[:, 0], len(grid.notes)))[slice(*grid.bar_rows(track))],
    )
    step = max(1, grid.resolution // 4)
    positions = len(np.unique(np.stack([bars, notes[:, 0] // step]), axis=1)[0])
    chord = len(notes) / positions
    if pitches.mean() < 50 and chord < 1.3:
        return "bass"
    return "harmony" if chord >= 1.8 else "lead"
