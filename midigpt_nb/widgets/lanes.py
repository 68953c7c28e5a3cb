"""The kernel's side of the attribute lanes: what was measured and announced, how well wishes were met,
what is within reach; and the Python lines for everything that is drawn in the page.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import traitlets as t

from midigpt_nb._core import grid_table
from midigpt_nb.attributes.registry import short_name
from midigpt_nb.widgets.capabilities import Realized, reachable_values, realized_values
from midigpt_nb.widgets.document import cell_notes
from midigpt_nb.widgets.doubts import Doubting
from midigpt_nb.widgets.report_memory import ReportMemory
from midigpt_nb.widgets.traits import as_indices, track_names

if TYPE_CHECKING:
    from midigpt_nb._core import ScoreTable
    from midigpt_nb.inference import InferenceEngine
    from midigpt_nb.inference.events import Event
    from midigpt_nb.inference.session import SamplingSession
    from midigpt_nb.inference.uncertainty import Uncertainty
    from midigpt_nb.plots.style import NotebookFigure
    from midigpt_nb.score.model import Score
    from midigpt_nb.widgets.engine_handle import EngineHandle
    from midigpt_nb.widgets.worker import Worker

__all__ = ["AttributeLanes"]


class AttributeLanes(Doubting):
    """The part of an editor that knows about curves: wishes, announced and measured values, bar by bar.

    `announced`, `adherence` and `realized` have the shape of `attributes`; they are those of the music that
    the roll shows (an open take, or the score), for the bars that still are as the model wrote them. Numbers
    are those of `report` of a session or take. `reachable` has the ranges [lowest, highest] of the selected
    bars; a name that is missing can take any level.
    """

    announced = t.Dict(help="values the model said it would write").tag(sync=True, echo_update=False)
    adherence = t.Dict(help="how well wishes were met, 0..1").tag(sync=True, echo_update=False)
    reachable = t.Dict(help="levels within reach in the selected bars").tag(sync=True, echo_update=False)
    show_lanes = t.List(
        t.Unicode(), default_value=None, allow_none=True, help="attributes drawn below the roll; None: some"
    ).tag(sync=True)

    _handle: EngineHandle
    _analysis: Worker

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._reports, self._realized = ReportMemory(), Realized()
        self._measuring: set[str] = set()
        super().__init__(*args, **kwargs)

    # --------------------------------------------------------------------------------------------- curves

    def set_curve(self, name: str, track: int | str, bars: Any = None, values: Any = None) -> None:
        """Ask for values of an attribute bar by bar, as drawing in its lane does.

        `track` is a number from 0 or a name, `bars` a number, list, range or slice (None: all). `values` is
        one level for all bars, or one for each; a level is a number from 0 (rounded), a word of the
        attribute, or None for no preference. A dict as `bars` has a level for each of its bars. An attribute
        of whole tracks takes one level and no bars.

        >>> editor.set_curve("note_density", "Bass", range(4, 8), [2, 4, 6, 8])
        >>> editor.set_curve("note_density", "Bass", {4: 2, 7: 8})
        >>> editor.set_curve("max_polyphony", 0, values="2 voices")

        Raises ValueError for a track, bar, attribute or level that does not exist.
        """
        row = self._attribute_row(name, per_bar=bars is not None)
        number = self._track_number(track)
        if isinstance(bars, Mapping):
            if values is not None:
                raise ValueError(f"{row['name']}: levels stand in `bars` and in `values`; give one of them")
            bars, values = list(bars), list(bars.values())
        if row["level"] == "track":
            if bars is not None:
                raise ValueError(f"{row['name']} belongs to whole tracks: leave out bars")
            chosen = [-1]
        else:
            chosen = as_indices(bars, self._document.state.table.n_bars(number), "bar")
        levels = _levels(row, values, len(chosen))
        wishes = {"track": dict(self.attributes["track"]), "bar": dict(self.attributes["bar"])}
        own = {key: dict(found) for key, found in wishes["bar"].get(str(number), {}).items()}
        for bar, level in zip(chosen, levels, strict=True):
            if bar < 0:
                wishes["track"][str(number)] = {
                    **wishes["track"].get(str(number), {}), row["name"]: level
                }  # fmt: skip
            else:
                own.setdefault(str(bar), {})[row["name"]] = level
        wishes["bar"][str(number)] = own
        self.attributes = wishes

    def curve(self, name: str, track: int | str) -> list[int | None]:
        """What is asked for: a level (or None) per bar; a single one for an attribute of whole tracks."""
        return self._values_of(self.attributes, name, track)

    def measured(self, name: str, track: int | str) -> list[int | None]:
        """What is measured, in the form of `curve`: ``roll.set_curve(n, t, values=roll.measured(n, t))``."""
        return self._values_of(self._realized_now(), name, track)

    def trajectories(
        self,
        names: Sequence[str] | str | None = None,
        tracks: Iterable[int | str] | None = None,
        *,
        takes: Any = None,
        **style: Any,
    ) -> NotebookFigure:
        """A figure of the lanes: requested, announced and measured values of attributes over the bars.

        `names` None: those of the lanes. `tracks` None: those of the selection, else the first three.
        `takes` is an iterable of takes (or scores), such as ``editor.takes`` or ``job.takes``: one curve for
        each; None shows the score. `style` goes to `midigpt_nb.plots.plot_attributes`.
        """
        from midigpt_nb.plots import plot_attributes

        engine = self._engine_now()
        chosen = None if tracks is None else [self._track_number(track) for track in tracks]
        if chosen is None:
            chosen = sorted({track for track, _ in self.selected_cells})[:3] or None
        if names is None:
            names = self.show_lanes or self._default_names()
        wanted = [
            self._attribute_row(name)["name"] for name in ([names] if isinstance(names, str) else names)
        ]
        scores = {"score": self._document.score}
        if takes is not None:
            scores = {_take_label(i, take): getattr(take, "score", take) for i, take in enumerate(takes)}
        resolution = engine.tokenizer.config.resolution  # measured as the model hears it, like `realized`
        scores = {label: one.with_table(grid_table(one.table, resolution)) for label, one in scores.items()}
        announced, _ = self._reports.values(self._shown_table())
        cells = [(int(tr), int(bar)) for tr, own in announced["bar"].items() for bar in own]
        return plot_attributes(
            scores if takes is not None else scores["score"],
            wanted,
            chosen,
            self.attributes,
            cells or self.selected_cells,
            announced=announced,
            analyzer=engine.attributes,
            **style,
        )

    # ------------------------------------------------------------------------------------ names and numbers

    def _engine_now(self) -> Any:
        return self.engine

    def _rows(self) -> list[dict[str, Any]]:
        if not self.caps.get("attributes"):
            self._engine_now()
        return list(self.caps["attributes"])

    def _default_names(self) -> list[str]:
        rows = self._rows()
        bars = [row["name"] for row in rows if row["level"] == "bar"]
        return (bars or [row["name"] for row in rows])[:4]

    def _attribute_row(self, name: str, *, per_bar: bool = False) -> dict[str, Any]:
        """The attribute's row of `caps`; a short name means the one of bars where there is one."""
        rows = {row["name"]: row for row in self._rows()}
        of_bars = next(
            (row for row in rows.values() if row["level"] == "bar" and short_name(row["name"]) == name), None
        )
        exact = rows.get(name)
        found = of_bars if of_bars is not None and (per_bar or exact is None) else exact
        if found is None:
            from midigpt_nb.inference.suggest import suggestion

            hint = suggestion(name, list(rows)) or f"there are {', '.join(rows)}"
            raise ValueError(f"this model has no attribute {name!r}; {hint}")
        return found

    def _track_number(self, track: int | str) -> int:
        names = track_names(self._document.state)
        return as_indices(track, len(names), "track", names)[0]

    def _values_of(self, values: Mapping[str, Any], name: str, track: int | str) -> list[int | None]:
        row, number = self._attribute_row(name), self._track_number(track)
        if row["level"] == "track":
            return [values.get("track", {}).get(str(number), {}).get(row["name"])]
        own = values.get("bar", {}).get(str(number), {})
        n_bars = self._document.state.table.n_bars(number)
        return [own.get(str(bar), {}).get(row["name"]) for bar in range(n_bars)]

    def _realized_now(self) -> Mapping[str, Any]:
        return realized_values(self._engine_now(), self._shown_table())

    # ----------------------------------------------------------------------------- worked out in background

    def _hear(self, session: SamplingSession, event: Event) -> Uncertainty | None:
        """Remember what a session announced and reached, with the notes it wrote, and how sure it was;
        that, when the session has ended.
        """
        from midigpt_nb.inference.events import Finished

        if not isinstance(event, Finished):
            return None
        doubts = session.uncertainty
        self._reports.learn(session.report(), event.score.table)
        self._learn_doubts(doubts, event.score)
        return doubts

    @t.observe("takes")
    def _takes_learn(self, _change: object) -> None:
        for take in self.takes:
            self._reports.learn(take.report, take.score.table)
            self._learn_doubts(take.uncertainty, take.score)

    @t.observe("active_take", "comp")
    def _take_shown(self, _change: object) -> None:
        self._measure()

    @t.observe("selection", "plan", "sampling")
    def _targets_changed(self, _change: object) -> None:
        self._soon("reach", self._reach_now)

    def _measure(self) -> None:
        """Measure in the background; changes that come meanwhile are measured together."""
        self._soon("measure", self._measure_now)
        self._soon("reach", self._reach_now)

    def _soon(self, what: str, work: Any) -> None:
        if "_handle" not in self.__dict__ or self._handle.loaded is None:
            return
        with self._locked():
            if what in self._measuring:
                return
            self._measuring.add(what)
        self._analysis.submit(work)

    def _loaded(self) -> InferenceEngine:
        engine = self._handle.loaded
        assert engine is not None  # `_soon` made sure
        return engine

    def _measure_now(self) -> None:
        with self._locked():
            self._measuring.discard("measure")
            rev, shown, table = self._document.rev, self.active_take, self._shown_table()
            source = self._document.state.source
        measured = self._measured(source, table)
        with self._locked():
            if (self._document.rev, self.active_take) == (rev, shown):
                with self.hold_sync():
                    for name, value in measured.items():
                        setattr(self, name, value)

    def _measured(self, source: Score, table: ScoreTable) -> dict[str, Any]:
        """Traits about the music of `table`, which is a state of `source`."""
        announced, adherence = self._reports.values(table)
        return {
            "realized": self._realized.values(self._loaded(), table),
            "announced": announced,
            "adherence": adherence,
            "heard_chords": source.with_table(table).chords().names,
        }

    def _measures(self) -> dict[str, Any]:
        if self._handle.loaded is None:
            return {}
        return self._measured(self._document.state.source, self._document.state.table)

    def _reach_now(self) -> None:
        from midigpt_nb.widgets.targets import Roles

        with self._locked():
            self._measuring.discard("reach")
            rev, table = self._document.rev, self._document.state.table
            cells = sorted(Roles.of(self.plan).generate) or self.selected_cells
            settings = dict(self.sampling)
        values = reachable_values(self._loaded(), table, cells, settings)
        with self._locked():
            if self._document.rev == rev and values != self.reachable:
                self.reachable = values

    def _shown_table(self) -> ScoreTable:
        """The music that the roll shows: the open take with bars from others, else the score."""
        known = {take.id: take for take in self.takes}
        table = self._document.state.table
        if not known:
            return table
        main = known.get(self.active_take)
        shown = main.score.table if main else self.takes[0].base.table
        for key, own in self.comp.items():
            track, bar = (int(part) for part in key.split(","))
            source = known[own].score.table if own in known else self.takes[0].base.table
            if bar < min(source.n_bars(track), shown.n_bars(track)):
                shown = shown.replaced([(track, bar)], [cell_notes(source, track, bar)])
        return shown


def _levels(row: Mapping[str, Any], values: Any, count: int) -> list[int | None]:
    """One level (or None) per bar."""
    if values is None or isinstance(values, (str, int, float, np.number)):
        values = [values] * count
    values = list(values)
    if len(values) != count:
        raise ValueError(f"{row['name']}: {len(values)} values for {count} bars")
    return [_level(row, value) for value in values]


def _level(row: Mapping[str, Any], value: Any) -> int | None:
    if value is None:
        return None
    words = list(row.get("value_labels") or [])
    if isinstance(value, str):
        if value not in words:
            raise ValueError(f"{row['name']} cannot be {value!r}; levels are {', '.join(map(repr, words))}")
        return words.index(value)
    level = int(np.rint(value)) if np.isfinite(value) else -1
    if isinstance(value, bool) or not 0 <= level < row["size"]:
        raise ValueError(f"{row['name']} is {value}; allowed: 0..{row['size'] - 1}")
    return level


def _take_label(index: int, take: Any) -> str:
    return f"take {getattr(take, 'number', index) + 1}"
