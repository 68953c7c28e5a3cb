"""From a request to steps: which bars, in which windows, in which order. The planner itself is in the
core.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from midigpt_nb.inference.config import AUTO, InferenceConfig
from midigpt_nb.inference.piece import Cell
from midigpt_nb.inference.prompt import StepPlan
from midigpt_nb.inference.request import GenerationRequest
from midigpt_nb.inference.rng import SeedStream

__all__ = ["Targets", "chosen_targets", "make_plan", "summary"]

Targets = dict[int, tuple[list[int], bool]]  # track -> (bars to write, autoregressive)


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


def make_plan(
    n_bars: int,
    targets: Mapping[int, tuple[Sequence[int], bool]],
    config: InferenceConfig,
    *,
    window: int,
    bars_per_step: int | None = None,
    tracks_per_step: int | None = None,
    seed: int = 0,
) -> list[StepPlan]:
    """Steps for the targets at a window width; autoregressive ones first. `n_bars` counts padding bars
    too.
    """
    from midigpt_nb import _core

    bars = config.bars_per_step if bars_per_step is None else bars_per_step
    steps: list[StepPlan] = []
    asked = [(t, list(b), ar) for t, (b, ar) in sorted(targets.items()) if b]
    for step in _core.plan(
        n_bars,
        asked,
        window,
        bars_per_step=AUTO if bars == AUTO else min(bars, window),
        tracks_per_step=min(
            config.tracks_per_step if tracks_per_step is None else tracks_per_step, len(asked)
        ),
        min_overlap_bars=min(config.min_overlap_bars, n_bars),
        ar_overlap=config.ar_overlap,
    ):
        steps.append(
            StepPlan(step.start, step.end, step.autoregressive, {t: list(b) for t, b in step.targets})
        )
    if config.shuffle:
        infill = [i for i, step in enumerate(steps) if not step.autoregressive]
        order = SeedStream(seed).permutation(len(infill), "shuffle")
        shuffled = [steps[infill[i]] for i in order]
        for i, moved in zip(infill, shuffled, strict=True):
            steps[i] = moved
    return steps


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
