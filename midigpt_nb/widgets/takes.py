"""Several takes of the same bars: the editor holds them open until one, or a mixture, is accepted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import traitlets as t

from midigpt_nb.errors import RequestValidationError
from midigpt_nb.widgets.document import Cell, cell_label, cell_notes, cell_records
from midigpt_nb.widgets.live_file import tell_accepted
from midigpt_nb.widgets.piano_roll import PianoRoll, UserError
from midigpt_nb.widgets.state import State

if TYPE_CHECKING:
    from midigpt_nb.inference import GenerationRequest
    from midigpt_nb.inference.report import Report
    from midigpt_nb.inference.session import SamplingSession
    from midigpt_nb.inference.takes import Take
    from midigpt_nb.inference.uncertainty import Uncertainty
    from midigpt_nb.score.model import Score
    from midigpt_nb.widgets.job import Job

__all__ = ["MAX_TAKES", "ChoosesTakes", "RollTake", "TakesTrait", "UserRequestError"]

MAX_TAKES = 9


class UserRequestError(UserError, RequestValidationError):
    """A refused request: a ValueError for Python, a code and a hint for the page."""

    def __init__(self, message: str, code: str, hint: str = "") -> None:
        RequestValidationError.__init__(self, message)
        self.code, self.hint = code, hint
        self._text = message

    def __str__(self) -> str:
        return self._text


@dataclass(frozen=True, eq=False)
class RollTake:
    """One version of the selected bars, in the hands of an editor.

    `score` is the piece with it, `cells` the bars it wrote. `adherence` (None without wishes), `novelty` and
    `log_prob` are those of `midigpt_nb.inference.takes.Take`; `notes` counts the notes in its bars. `record`
    holds request, seed and model as plain data: `midigpt_nb.inference.replay(take.record, score_before,
    engine)` makes the same notes again. `uncertainty` tells how sure the model was of each note. Numbers
    count from 0; the page shows them from 1.
    """

    id: str
    number: int
    seed: int
    adherence: float | None
    log_prob: float
    novelty: float
    notes: int
    status: str
    cells: tuple[Cell, ...]
    score: Score
    request: GenerationRequest
    report: Report
    record: dict[str, Any]
    base: State = field(repr=False)
    uncertainty: Uncertainty | None = field(default=None, repr=False)
    label: str = ""
    python: str = field(default="", repr=False)
    plan: dict[str, Any] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, take: Take, job: Job, base: State, session: SamplingSession) -> RollTake:
        """A take of the engine, with what is needed to accept it and to make it again."""
        table = take.score.table
        return cls(
            id=f"{job.id}-{take.number}",
            number=take.number,
            seed=take.seed,
            adherence=take.adherence,
            log_prob=float(take.log_prob),
            novelty=float(take.novelty),
            notes=sum(int(np.diff(table.note_rows(*cell))[0]) for cell in take.cells),
            status=take.status,
            cells=take.cells,
            score=take.score,
            request=take.request,
            report=take.report,
            record=session.record(take),
            base=base,
            uncertainty=take.uncertainty,
            label=job.label,
            python=job._python,
            plan=job._plan,
        )

    def accept_line(self, main: RollTake | None, picks: Mapping[Cell, RollTake | None]) -> str:
        """The call that accepts this mixture, where `main` (None: as it was) is its ground."""
        numbers = {} if main is not None else dict.fromkeys(self.cells)
        numbers |= {cell: None if pick is None else pick.number for cell, pick in sorted(picks.items())}
        cells = f", cells={numbers}" if numbers else ""
        return f"roll.accept({(main or self).number}{cells})"

    @property
    def facts(self) -> dict[str, Any]:
        """What the page shows on its card."""
        names = ("id", "number", "seed", "adherence", "log_prob", "novelty", "notes", "status")
        return {**{name: getattr(self, name) for name in names}, "cells": [list(c) for c in self.cells]}

    def __repr__(self) -> str:
        held = "" if self.adherence is None else f"adherence {self.adherence:.0%}, "
        return f"RollTake({self.number}, seed {self.seed}, {held}{self.notes} notes, {self.status})"


class TakesTrait(t.List):
    """The open takes, best first. Only the editor sets it; the page gets their facts."""

    def validate(self, obj: Any, value: Any) -> list[RollTake]:
        takes = list(super().validate(obj, value) or [])
        if not all(isinstance(take, RollTake) for take in takes):
            raise t.TraitError("takes come from generate(takes=n); accept or discard them")
        return takes


def takes_to_json(takes: list[RollTake], _widget: object) -> list[dict[str, Any]]:
    """The trait as the page reads it."""
    return [take.facts for take in takes]


class ChoosesTakes(PianoRoll):
    """The part of an editor that holds open takes. `takes` are those to choose from, best first."""

    takes = TakesTrait(help="open takes, best first").tag(sync=True, to_json=takes_to_json)
    active_take = t.Unicode("", help="id of the take that is shown; empty: as it was").tag(sync=True)
    comp = t.Dict(help='bars held to a take: {"track,bar": take id or ""}').tag(sync=True)
    on_accept = t.Callable(
        None, allow_none=True, help="called with {event, score, cells} whenever bars were accepted"
    )
    n_takes = t.Int(1, min=1, max=MAX_TAKES, help="takes that Generate writes").tag(sync=True)

    def accept(
        self,
        take: RollTake | int | str | None = None,
        cells: Mapping[Cell, RollTake | int | str | None] | None = None,
        *,
        bars: Mapping[int, RollTake | int | str | None] | None = None,
    ) -> Score:
        """Make a take, or a mixture of takes, part of the score; one undo step. Returns the new score.

        `take` is a take, its number (from 0) or its id; None means what the roll shows. Single bars may come
        from other takes: `cells` maps (track, bar) to a take, `bars` a bar on all its tracks; None there
        leaves the bar as it was. The other takes go, but stay in the `takes` of their job.

        >>> job = editor.generate([(1, 4), (1, 5)], takes=3).result()
        >>> editor.accept(0, bars={5: 2})
        Score(4 tracks, 16 bars, ...)

        Raises ValueError when there is no such take, or when it did not write a bar it is asked for.
        """
        with self._locked():
            shown = take is None
            main = self._take_of(self.active_take or None) if shown else self._take_of(take)
            picks = self._picks(main, cells, bars)
            if shown and cells is None and bars is None:
                picks = {_cell(key): self._take_of(own) if own else None for key, own in self.comp.items()}
            if shown and not self.takes:
                raise UserRequestError(
                    "there are no takes to choose from", "no_takes", "generate(takes=4) writes some"
                )
            return self._accept_mix(main, picks)

    def discard(self) -> bool:
        """Let the open takes go; the score stays as it is. False when there are none."""
        with self._locked():
            had = bool(self.takes)
            self._close_takes()
        return had

    def _accept_mix(self, main: RollTake | None, picks: Mapping[Cell, RollTake | None]) -> Score:
        some = main or next((pick for pick in picks.values() if pick is not None), None)
        if some is None:  # everything as it was
            self._close_takes()
            return self._document.score
        base = some.base
        table = base.table if main is None else main.score.table
        for (track, bar), pick in picks.items():
            if pick is not None and (track, bar) not in pick.cells:
                raise UserRequestError(
                    f"take {pick.number} did not write bar {bar} of track {track}", "no_such_bar"
                )
            if bar >= table.n_bars(track):
                raise UserRequestError(f"there is no bar {bar} in track {track}", "no_such_bar")
        wanted = sorted(picks)
        sources = [base.table if pick is None else pick.score.table for pick in map(picks.get, wanted)]
        table = table.replaced(wanted, [cell_notes(s, *c) for s, c in zip(sources, wanted, strict=True)])
        result = (base.source if main is None else main.score).with_table(table)
        written = {*(main.cells if main else ()), *picks} - {c for c in wanted if picks[c] is None}
        old = self._document.score
        if self._document.state.music is base.music:
            self._log.say(some.python, some.accept_line(main, picks), plan=some.plan)
        label = f"Take {some.number + 1}: {cell_label(written, old.track_names)}"
        if not self._document.accept(result, written, base, label):
            raise UserRequestError(
                "the piece changed its bars since this was written", "piece_changed", "generate again"
            )
        with self.hold_sync():
            self._close_takes()
            self._document_changed(old)
        self._fire("accept", take=main, cells=sorted(written))
        tell_accepted(self, written)
        return self._document.score

    def _picks(self, main: RollTake | None, cells: Any, bars: Any) -> dict[Cell, RollTake | None]:
        picks: dict[Cell, RollTake | None] = {}
        written = {cell for take in [*self.takes, *([main] if main else [])] for cell in take.cells}
        for bar, ref in (bars or {}).items():
            known = sorted(cell for cell in written if cell[1] == bar)
            picks.update(dict.fromkeys(known, self._take_of(ref)))
        for (track, bar), ref in (cells or {}).items():
            picks[int(track), int(bar)] = self._take_of(ref)
        return picks

    def _take_of(self, ref: RollTake | int | str | None) -> RollTake | None:
        """A take by itself, its number among the open ones, or its id; None is the music as it was."""
        if ref is None or isinstance(ref, RollTake):
            return ref
        for take in self.takes:
            if ref in (take.id, take.number) and not isinstance(ref, bool):
                return take
        numbers = ", ".join(str(n) for n in sorted(take.number for take in self.takes)) or "none"
        raise UserRequestError(f"there is no open take {ref!r}; open takes: {numbers}", "no_such_take")

    def _open_takes(self, takes: list[RollTake]) -> None:
        """Offer them; the best is shown. Takes that were open before are closed."""
        with self.hold_sync():
            self.takes, self.comp = takes, {}
            self.active_take = takes[0].id

    def _close_takes(self) -> None:
        with self.hold_sync():
            self.takes, self.comp, self.active_take = [], {}, ""

    # ------------------------------------------------------------------------------------------------ files

    def _plain_takes(self) -> tuple[list[dict[str, Any]], dict[str, Any]]:
        from midigpt_nb.widgets.saved_takes import plain_takes

        choice = {"active_take": self.active_take, "comp": dict(self.comp)} if self.takes else {}
        return plain_takes(self.takes, self._document.state), choice

    def _reopen(self, takes: list[dict[str, Any]], choice: dict[str, Any]) -> None:
        from midigpt_nb.widgets.saved_takes import open_takes

        opened = open_takes(takes, self._document.state)
        if not opened:
            return
        known = {take.id for take in opened}
        held = choice.get("comp")
        held = held if isinstance(held, dict) else {}
        cells = {f"{track},{bar}" for take in opened for track, bar in take.cells}
        with self.hold_sync():
            self._open_takes(opened)
            self.comp = {cell: own for cell, own in held.items() if cell in cells and own in {"", *known}}
            if choice.get("active_take") in {"", *known}:
                self.active_take = choice["active_take"]

    # -------------------------------------------------------------------------------------------- the page

    def _request_accept(self, take: str | None, cells: Any) -> tuple[dict[str, Any], None]:
        picks = {(int(track), int(bar)): own or None for track, bar, own in cells}
        with self._locked():
            self._accept_mix(self._take_of(take or None), self._picks(None, picks, None))
            return {"rev": self._document.rev}, None

    def _request_discard(self) -> tuple[dict[str, Any], None]:
        self.discard()
        return {}, None

    def _request_take_notes(self, take: str) -> tuple[dict[str, Any], list[bytes]]:
        with self._locked():
            found = self._take_of(take)
            assert found is not None
            records = cell_records(found.score.table, found.cells)
            records["id"] = self._document.new_ids(len(records))
        return {"count": len(records)}, [records.tobytes()]


def _cell(key: str) -> Cell:
    track, bar = key.split(",")
    return int(track), int(bar)
