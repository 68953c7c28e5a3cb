"""Several versions of the same request, and which of them to keep."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cached_property
from html import escape
from typing import TYPE_CHECKING, Any, Literal, get_args

from midigpt_nb.errors import brief
from midigpt_nb.inference.acceptance import similarity
from midigpt_nb.inference.report import Report
from midigpt_nb.inference.suggest import suggestion

if TYPE_CHECKING:
    from midigpt_nb.inference.events import Status
    from midigpt_nb.inference.piece import Cell, Piece
    from midigpt_nb.inference.request import GenerationRequest
    from midigpt_nb.inference.run import TakeRun
    from midigpt_nb.inference.uncertainty import Doubted, Uncertainty
    from midigpt_nb.score.model import Score

__all__ = ["Take", "Takes"]

Measure = Literal["adherence", "log_prob", "novelty"]


@dataclass(frozen=True)
class Take:
    """One finished version.

    `score`: the piece with what was written (all finished bars, whatever the status). `log_prob`: how likely
    the model itself finds it, natural logarithm per token, 0 at best. `adherence`: how far the wishes were
    met, 0..1; None without wishes. `novelty`: share of notes that were not there before, 0..1. `request`
    repeats this take when it is run by itself. `number` counts takes in the order of their seeds.
    """

    score: Score
    seed: int
    log_prob: float
    adherence: float | None
    novelty: float
    status: Status
    request: GenerationRequest
    number: int = 0
    gen_count: int = 0
    truncated: bool = False
    error: Exception | None = None
    report: Report = field(default_factory=Report, repr=False)
    piece: Piece | None = field(default=None, repr=False, compare=False)
    cells: tuple[Cell, ...] = field(default=(), repr=False)
    doubts: Doubted | None = field(default=None, repr=False, compare=False)

    @classmethod
    def of(cls, run: TakeRun) -> Take:
        """The take a finished run made."""
        p, report = run.progress, run.report()
        cells = tuple(sorted(p.written))
        return cls(
            score=run.score,
            seed=run.seed,
            log_prob=p.log_prob,
            adherence=report.adherence,
            novelty=1.0 - similarity(run.planner.piece, p.piece, cells) if cells else 0.0,
            status=run.status,
            request=repeated(run),
            number=run.take,
            gen_count=p.tokens,
            truncated=p.truncated,
            error=run.error,
            report=report,
            piece=p.piece,
            cells=cells,
            doubts=run.doubts,
        )

    @cached_property
    def uncertainty(self) -> Uncertainty | None:
        """How sure the model was of each note; None unless the session watched it."""
        return None if self.doubts is None else self.doubts.uncertainty

    def likeness(self, other: Take) -> float:
        """Share of common notes (bar, pitch, onset on the model's grid): 1 for the same music."""
        cells = sorted({*self.cells, *other.cells})
        if self.piece is None or other.piece is None or not cells:
            return 1.0
        return similarity(self.piece, other.piece, cells)

    def __repr__(self) -> str:
        held = "" if self.adherence is None else f"adherence {self.adherence:.0%}, "
        facts = f"{held}log_prob {self.log_prob:.2f}, novelty {self.novelty:.0%}"
        facts = facts if self.cells else "nothing written"
        return f"Take({self.number}, seed {self.seed}, {self.status}, {facts})"


class Takes(list[Take]):
    """Takes, best first: finished ones before others, then by adherence where there are wishes, else by
    `log_prob`. A list that can be asked, and that a notebook shows as a table.
    """

    @classmethod
    def ranked(cls, takes: Iterable[Take]) -> Takes:
        """In the order described above; equal ones by number."""
        return cls(sorted(takes, key=_rank, reverse=True))

    @property
    def best(self) -> Take:
        """The first one."""
        return self[0]

    @property
    def diversity(self) -> float:
        """How unlike the takes are, 0..1: mean share of notes that two of them do not have in common."""
        pairs = [1.0 - a.likeness(b) for i, a in enumerate(self) for b in self[:i]]
        return sum(pairs) / len(pairs) if pairs else 0.0

    def by(self, measure: Measure) -> Takes:
        """In another order: highest first. Raises ValueError for what takes are not measured by."""
        if measure not in get_args(Measure):
            allowed = ", ".join(map(repr, get_args(Measure)))
            likely = suggestion(measure, get_args(Measure))
            hint = f"; {likely}" if likely else ""
            raise ValueError(f"takes are not measured by {brief(measure)}; allowed: {allowed}{hint}")
        key: Callable[[Take], Any] = lambda take: (_known(getattr(take, measure)), -take.number)  # noqa: E731
        return Takes(sorted(self, key=key, reverse=True))

    def unlike(self, n: int) -> Takes:
        """`n` of the takes that differ most from each other: the best one, then each time the one whose
        nearest neighbour among those chosen is farthest away.
        """
        chosen = Takes(self[:1])
        rest = list(self[1:])
        while rest and len(chosen) < n:
            far = min(rest, key=lambda take: max(take.likeness(other) for other in chosen))
            rest.remove(far)
            chosen.append(far)
        return chosen

    def __repr__(self) -> str:
        return "\n".join(map(repr, self)) or "Takes(none)"

    def _repr_html_(self) -> str:
        names = ("take", "seed", "status", "adherence", "log_prob per token", "novelty", "tokens")
        head = "".join(f"<th>{name}</th>" for name in names)
        rows = "".join(
            "<tr>" + "".join(f"<td>{escape(str(cell))}</td>" for cell in _row(take)) + "</tr>"
            for take in self
        )
        return f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"


def _row(take: Take) -> tuple[Any, ...]:
    held = "" if take.adherence is None else f"{take.adherence:.0%}"
    measured = (held, f"{take.log_prob:.3f}", f"{take.novelty:.0%}") if take.cells else ("", "", "")
    return (take.number, take.seed, take.status, *measured, take.gen_count)


def _known(value: float | None) -> float:
    return float("-inf") if value is None else value


def _rank(take: Take) -> tuple[bool, int, float, float, int]:
    done = take.status == "done"
    return done, len(take.cells), _known(take.adherence), take.log_prob, -take.number


def repeated(run: TakeRun) -> GenerationRequest:
    """The request that makes a take again by itself: its own seed, and the bars that were chosen."""
    request = run.planner.request.copy()
    request.config.seed = run.seed
    request.config.num_candidates = 1
    request.config.adherence = "off"
    if request.config.infill_probability < 1:
        request.config.infill_probability = 1.0
        for prompt in request.tracks:
            if prompt.bars and not prompt.ignore:
                prompt.bars = list(run.planner.targets.get(prompt.id, ([], False))[0])
    return request
