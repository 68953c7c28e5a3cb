"""Steps: which bars, in which windows, in which order, with which wishes. The planner itself is in the
core.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from midigpt_nb.inference.config import AUTO, InferenceConfig
from midigpt_nb.inference.rng import SeedStream

if TYPE_CHECKING:
    from midigpt_nb.attributes import AttributeAnalyzer
    from midigpt_nb.inference.piece import Cell
    from midigpt_nb.inference.request import GenerationRequest

__all__ = [
    "Levels",
    "StepPlan",
    "Targets",
    "Wishes",
    "chosen_targets",
    "hidden_cells",
    "make_plan",
    "summary",
    "without",
]

Levels = Mapping[str, int]  # attribute name -> level
Targets = dict[int, tuple[list[int], bool]]  # track -> (bars to write, autoregressive)


@dataclass(frozen=True)
class StepPlan:
    """One step: a window of bars and the bars of it to write, per track.

    `values`: levels of track attributes that hold for this step alone (bars with other levels are other
    steps). `beside`: what autoregressive tracks of the same group have just written over this window: track
    -> bars, in the order of writing.
    """

    start: int
    end: int
    autoregressive: bool
    targets: Mapping[int, Sequence[int]]
    values: Mapping[int, Levels] = field(default_factory=dict)
    beside: Mapping[int, Sequence[int]] = field(default_factory=dict)

    @property
    def cells(self) -> list[Cell]:
        """The (track, bar) pairs to write, ascending."""
        return [(track, bar) for track in sorted(self.targets) for bar in sorted(self.targets[track])]


@dataclass(frozen=True)
class Wishes:
    """Requested attribute levels under the model's own names.

    `tracks` by track; `bars` by cell, for attributes that the model has for bars; `steps` by cell, for
    attributes that it has for whole tracks only: bars of different levels are then written in different
    steps.
    """

    tracks: Mapping[int, Levels] = field(default_factory=dict)
    bars: Mapping[Cell, Levels] = field(default_factory=dict)
    steps: Mapping[Cell, Levels] = field(default_factory=dict)

    @classmethod
    def of(cls, request: GenerationRequest, analyzer: AttributeAnalyzer) -> Wishes:
        """The attribute wishes of a validated request."""
        tracks: dict[int, Levels] = {}
        bars: dict[Cell, Levels] = {}
        steps: dict[Cell, Levels] = {}
        for prompt in request.tracks:
            if prompt.ignore:
                continue
            if prompt.attributes:
                tracks[prompt.id] = dict(prompt.attributes)
            for bar, values in prompt.bar_attributes.items():
                for name, value in values.items():
                    row = analyzer.bar_wish(name)
                    if row is not None and row.emitted:
                        cells = bars if row.level == "bar" else steps
                        cells[prompt.id, bar] = {**cells.get((prompt.id, bar), {}), row.name: value}
        return cls(tracks, bars, steps)

    def step_levels(self, track: int, bar: int) -> dict[str, int]:
        """Levels of track attributes that the step of this bar must have: of every attribute for which some
        bar of the track has its own, this bar's level or the track's.
        """
        names = {name for (t, _), levels in self.steps.items() if t == track for name in levels}
        if not names:
            return {}
        levels = {**self.tracks.get(track, {}), **self.steps.get((track, bar), {})}
        return {name: levels[name] for name in sorted(names) if name in levels}

    def track_values(self, track: int, step: StepPlan) -> dict[str, int]:
        """Requested levels of a track's attributes in one step."""
        return {**self.tracks.get(track, {}), **step.values.get(track, {})}

    def of_bar(self, track: int, bar: int) -> dict[str, int]:
        """Everything requested for one bar beyond what holds for the whole track."""
        return {**self.steps.get((track, bar), {}), **self.bars.get((track, bar), {})}


def chosen_targets(request: GenerationRequest, seed: int) -> Targets:
    """The bars to write: all that were asked for, or the random share `infill_probability` of the infill
    bars.
    """
    wanted: Targets = {
        p.id: (list(p.bars), p.autoregressive) for p in request.tracks if p.bars and not p.ignore
    }
    share = request.config.infill_probability
    if share >= 1:
        return wanted
    pool: list[Cell] = [(t, b) for t, (bars, ar) in sorted(wanted.items()) if not ar for b in bars]
    k = max(1, int(share * len(pool) + 0.5)) if pool else 0
    kept = set(SeedStream(seed).sample(pool, k, "infill_probability"))
    chosen: Targets = {}
    for track, (bars, ar) in wanted.items():
        rest = bars if ar else [b for b in bars if (track, b) in kept]
        if rest:
            chosen[track] = (rest, ar)
    return chosen


def without(targets: Targets, written: Iterable[Cell]) -> Targets:
    """The targets that are still to be written."""
    done = set(written)
    rest = {t: ([b for b in bars if (t, b) not in done], ar) for t, (bars, ar) in targets.items()}
    return {t: (bars, ar) for t, (bars, ar) in rest.items() if bars}


def make_plan(
    n_bars: int,
    targets: Mapping[int, tuple[Sequence[int], bool]],
    config: InferenceConfig,
    *,
    window: int,
    bars_per_step: int | None = None,
    tracks_per_step: int | None = None,
    seed: int = 0,
    wishes: Wishes | None = None,
) -> list[StepPlan]:
    """Steps for the targets at a window width; autoregressive ones first. `n_bars` counts padding bars
    too.

    Bars whose step must have other levels of a track attribute (`wishes.steps`) come into other steps.
    """
    from midigpt_nb import _core

    wishes = wishes if wishes is not None else Wishes()
    bars = config.bars_per_step if bars_per_step is None else bars_per_step
    together = config.tracks_per_step if tracks_per_step is None else tracks_per_step
    asked = [(t, list(b), ar) for t, (b, ar) in sorted(targets.items()) if b]
    steps: list[StepPlan] = []
    planned = _core.plan(
        n_bars,
        asked,
        window,
        bars_per_step=AUTO if bars == AUTO else min(bars, window),
        tracks_per_step=min(together, len(asked)),
        min_overlap_bars=min(config.min_overlap_bars, n_bars),
        ar_overlap=config.ar_overlap,
        kinds=_kinds(wishes, asked),
    )
    for step in planned:
        bars_of = {t: list(b) for t, b in step.targets}
        written = steps[len(steps) - len(step.beside) :]
        beside = {t: before.targets[t] for t, before in zip(step.beside, written, strict=True)}
        values = _step_values(wishes, step.targets)
        steps.append(StepPlan(step.start, step.end, step.autoregressive, bars_of, values, beside))
    return _shuffled(steps, seed) if config.shuffle else steps


def _kinds(wishes: Wishes, asked: Iterable[tuple[int, list[int], bool]]) -> dict[int, list[int]]:
    """A number per bar that tells the levels of its step apart, for tracks where they differ."""
    kinds = {}
    own = {track for track, _ in wishes.steps}
    for track, bars, _ in asked:
        if track in own:
            levels = [tuple(wishes.step_levels(track, bar).items()) for bar in bars]
            numbers = {value: i for i, value in enumerate(dict.fromkeys(levels))}
            kinds[track] = [numbers[value] for value in levels]
    return kinds


def _step_values(wishes: Wishes, targets: Iterable[tuple[int, Sequence[int]]]) -> dict[int, Levels]:
    if not wishes.steps:
        return {}
    values = {track: wishes.step_levels(track, bars[0]) for track, bars in targets}
    return {track: levels for track, levels in values.items() if levels}


def _shuffled(steps: list[StepPlan], seed: int) -> list[StepPlan]:
    """The infill steps in random order, in the places of infill steps."""
    infill = [i for i, step in enumerate(steps) if not step.autoregressive]
    order = SeedStream(seed).permutation(len(infill), "shuffle")
    shuffled = list(steps)
    for i, source in zip(infill, order, strict=True):
        shuffled[i] = steps[infill[source]]
    return shuffled


def hidden_cells(
    steps: Sequence[StepPlan], tracks: Iterable[int], masked: Collection[Cell], *, hides_later: bool
) -> Iterator[tuple[StepPlan, set[Cell]]]:
    """Each step with the cells of its window that the model must not see: masked ones and, with
    `hides_later`, those that later steps write.
    """
    turn = {cell: i for i, step in enumerate(steps) for cell in step.cells} if hides_later else {}
    shown = list(tracks)
    for i, step in enumerate(steps):
        window = [(track, bar) for track in shown for bar in range(step.start, step.end)]
        yield step, {cell for cell in window if cell in masked or turn.get(cell, -1) > i}


def summary(steps: Sequence[StepPlan]) -> list[dict[str, Any]]:
    """The plan as plain data, as `plan_summary()` gives it."""
    return [
        {
            "window": [step.start, step.end],
            "autoregressive": step.autoregressive,
            "generate": {str(t): sorted(bars) for t, bars in sorted(step.targets.items())},
        }
        for step in steps
    ]
