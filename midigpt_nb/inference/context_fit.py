"""What to leave out so that every step fits the model.

Prompt lengths are sums of per-bar token counts that are measured once, so trying another plan costs
arithmetic only. In order: leave out context tracks, least relevant first; write fewer tracks, then fewer bars
per step where their number was left open; take a narrower window. A window left open (`model_dim="auto"`) is
chosen here: the one that keeps least from the model, widest first.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from midigpt_nb.inference.config import AUTO, InferenceConfig
from midigpt_nb.inference.piece import Cell, Piece
from midigpt_nb.inference.steps import StepPlan, Wishes, hidden_cells, make_plan

if TYPE_CHECKING:
    from midigpt_nb.attributes import AttributeAnalyzer
    from midigpt_nb.inference.masking import MaskMode
    from midigpt_nb.inference.symbols import Symbols

__all__ = ["Fit", "Situation", "TokenCounts", "drop_order", "fit"]

_EMPTY_BAR = {True: 60, False: 40}  # guessed length of a bar to write, drums or not, when nothing is known
_BLOCK = 4  # tokens of a written bar beside its notes, as the estimate counts them
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
    """How many tokens everything takes: the notes of each bar ([track][bar]), and the parts around them.

    `track_attributes` and `bar_attributes` are what a track and a bar that is shown carry, by kind of track
    (index 1: drums).
    """

    content: list[list[int]]
    notes: list[list[int]]
    drums: list[bool]
    header: int
    track_shell: int  # Track, Instrument, TrackEnd
    bar_shell: int  # Bar, TimeSig, BarEnd
    hidden: int  # what a hidden bar adds to its shell
    track_attributes: tuple[int, int]
    bar_attributes: tuple[int, int]
    wishes: Wishes

    @classmethod
    def of(
        cls,
        piece: Piece,
        vocab: Any,
        symbols: Symbols,
        analyzer: AttributeAnalyzer,
        mode: MaskMode,
        wishes: Wishes,
        window_bars: int,
        **encode: Any,
    ) -> TokenCounts:
        """Encode the whole piece once, without attributes, and count. `encode`: more encode options."""
        from midigpt_nb import _core

        grid, n_tracks, n_bars = piece.grid, piece.grid.n_tracks, piece.n_padded
        none = np.full((0, symbols.n_track_slots), -1, dtype=np.int16)
        no_tracks = np.full((n_tracks, symbols.n_track_slots), -1, dtype=np.int16)
        no_bars = np.full((len(grid.bars), symbols.n_bar_slots), -1, dtype=np.int16)
        options = _core.EncodeOptions(window_bars=window_bars, **encode)
        header = _core.encode(vocab, grid.window([], 0, 0), none, no_bars[:0], options)[0]
        tokens = _core.encode(vocab, grid, no_tracks, no_bars, options)[0]
        kinds = np.asarray(symbols.types)[tokens]
        starts, ends = np.flatnonzero(kinds == symbols.Bar), np.flatnonzero(kinds == symbols.BarEnd)
        frame = 2 + int(symbols.TimeSig >= 0)
        around = len(tokens) - len(header) - int((ends - starts + 1).sum())
        return cls(
            content=(ends - starts + 1 - frame).reshape(n_tracks, n_bars).tolist(),
            notes=np.diff(np.append(grid.bars[:, 0], len(grid.notes))).reshape(n_tracks, n_bars).tolist(),
            drums=[bool(d) for d in grid.tracks[:, 2]],
            header=len(header),
            track_shell=around // n_tracks,
            bar_shell=frame,
            hidden=mode.marks,
            track_attributes=_per_kind(analyzer, symbols.track_slots),
            bar_attributes=_per_kind(analyzer, symbols.bar_slots),
            wishes=wishes,
        )

    def track(self, track: int, step: StepPlan, hidden: Collection[Cell]) -> int:
        """Tokens of one track in a step's prompt."""
        targets = set(step.targets.get(track, ()))
        drum, content = self.drums[track], self.content[track]
        written = step.autoregressive and bool(targets)
        end = min(targets) if written else step.end
        total, attributes = self.track_shell - written, self.bar_attributes[drum]
        speaks = False  # a track that shows nothing tells only what was requested
        for bar in range(step.start, end):
            total += self.bar_shell
            if bar in targets:
                total += 1 + len(self.wishes.bars.get((track, bar), ()))
            elif (track, bar) in hidden:
                total += self.hidden
            else:
                total += attributes + content[bar]
                speaks = speaks or content[bar] > 0
        if written and end == step.start:
            return total  # the model writes the attributes itself
        if speaks or written:
            return total + self.track_attributes[drum]
        return total + len(self.wishes.track_values(track, step))

    def prompt(self, tracks: Iterable[int], step: StepPlan, hidden: Collection[Cell]) -> int:
        """Tokens of a step's prompt with these tracks."""
        return self.header + (not step.autoregressive) + sum(self.track(t, step, hidden) for t in tracks)

    def answer(self, step: StepPlan, hidden: Collection[Cell]) -> float:
        """Estimated tokens of the bars to write."""
        total = 0.0
        for track, targets in step.targets.items():
            drum = self.drums[track]
            near = self._near(track, step, hidden)
            lengths = [self.content[track][b] + self.bar_shell + self.bar_attributes[drum] for b in near]
            notes = sum(self.notes[track][b] for b in near)
            per_note = sum(n - _BLOCK for n in lengths) / notes if notes else _PER_NOTE[drum]
            for bar in targets:
                k = self.notes[track][bar]
                if k:
                    total += int(k * per_note) + _BLOCK
                else:
                    total += float(np.median(lengths)) if near else _EMPTY_BAR[drum]
            if step.autoregressive:
                total += self.bar_attributes[drum] * len(targets)
        return total

    def _near(self, track: int, step: StepPlan, hidden: Collection[Cell]) -> list[int]:
        """Bars of the track in the window that show how long its bars are."""
        targets = set(step.targets.get(track, ()))
        return [
            b
            for b in range(step.start, min(targets) if step.autoregressive else step.end)
            if b not in targets and (track, b) not in hidden and self.content[track][b] > 0
        ]


def _per_kind(analyzer: AttributeAnalyzer, slots: Collection[str]) -> tuple[int, int]:
    """How many of these attributes melodic tracks have, and how many drums."""
    rows = [analyzer.get(name) for name in slots]
    return tuple(sum(row is not None and row.applies_to(drum) for row in rows) for drum in (False, True))  # type: ignore[return-value]


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

    def hidden(self, steps: Sequence[StepPlan]) -> Iterator[tuple[StepPlan, set[Cell]]]:
        """Each step with the bars hidden in its window."""
        hides_later = self.config.later_targets == "hide"
        return hidden_cells(steps, self.tracks, self.masked, hides_later=hides_later)

    def dropped(self, steps: Sequence[StepPlan]) -> list[int] | None:
        """The tracks to leave out for every step to fit; None when leaving out all of them is not enough."""
        worst = 0
        for step, hidden in self.hidden(steps):
            tracks = [t for t in self.tracks if shown(self, t, step, hidden)]
            sizes = {t: self.counts.track(t, step, hidden) for t in tracks}
            need: float = self.counts.prompt((), step, hidden) + sum(sizes.values())
            need += self.config.budget_margin * self.counts.answer(step, hidden)
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
        for step, hidden in self.hidden(steps):
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
        situation.counts.notes[track][b] and (track, b) not in hidden for b in range(step.start, step.end)
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
                wishes=situation.counts.wishes,
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
    tokens = sum(counts.content[track])
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
