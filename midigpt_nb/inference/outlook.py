"""What the model would see of a request, step by step, without running it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from midigpt_nb.inference.forewarnings import forewarnings
from midigpt_nb.inference.planning import Planner
from midigpt_nb.inference.rng import resolve_seed
from midigpt_nb.inference.validation import checked_request

if TYPE_CHECKING:
    from midigpt_nb.inference.engine import InferenceEngine
    from midigpt_nb.inference.piece import Cell
    from midigpt_nb.inference.request import GenerationRequest
    from midigpt_nb.score.model import Score

__all__ = ["Outlook", "SeenStep", "outlook"]


@dataclass(frozen=True)
class SeenStep:
    """One step: `window` are its bars [first, end), `targets` the (track, bar) cells it writes, `tracks`
    those that the model sees, `hidden` the cells among them that it does not see.
    """

    window: tuple[int, int]
    targets: tuple[Cell, ...]
    tracks: tuple[int, ...]
    hidden: tuple[Cell, ...]
    autoregressive: bool

    def plain(self) -> dict[str, Any]:
        """The step as plain data for JSON."""
        return {
            "window": list(self.window),
            "targets": [list(cell) for cell in self.targets],
            "tracks": list(self.tracks),
            "hidden": [list(cell) for cell in self.hidden],
            "autoregressive": self.autoregressive,
        }


@dataclass(frozen=True)
class Outlook:
    """The steps of a request in their order, and what is possible in it but likely not meant."""

    steps: tuple[SeenStep, ...]
    warnings: tuple[str, ...]


def outlook(engine: InferenceEngine, score: Score, request: GenerationRequest) -> Outlook:
    """Plan a request as `engine.session(score, request)` would. Raises `RequestValidationError`.

    >>> seen = outlook(engine, score, request)
    >>> seen.steps[0].window
    (3, 7)
    """
    request, warnings = checked_request(request, score, engine.tokenizer.config, engine.attributes)
    planner = Planner(engine, score, request, resolve_seed(request.config.seed))
    n_bars = planner.piece.n_bars
    steps, seen = [], []
    for step, hidden, _ in planner.situations(planner.plan):
        tracks = planner.visible(step, planner.piece, hidden)
        seen.append((step, hidden, tracks))
        unseen = sorted((t, b) for t, b in hidden if t in tracks and b < n_bars)
        window = (step.start, min(step.end, n_bars))
        steps.append(SeenStep(window, tuple(step.cells), tuple(tracks), tuple(unseen), step.autoregressive))
    told = forewarnings(planner, score.table, score.track_names, seen)
    return Outlook(tuple(steps), (*told, *warnings))
