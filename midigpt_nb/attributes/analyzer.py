"""The attributes of one model: which ones it has, and their values for a score."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from midigpt_nb.attributes.reach import Reach, reachable_bar_levels, reachable_levels
from midigpt_nb.attributes.registry import (
    FORMULAS,
    NOT_MEASURED,
    Attribute,
    row_for_entry,
    row_for_token,
)
from midigpt_nb.attributes.stored import bar_key, stored_values
from midigpt_nb.attributes.view import (
    Cells,
    Settings,
    Table,
    TrackView,
    WindowView,
    as_table,
    starts_of,
    track_of,
)
from midigpt_nb.errors import EncoderConfigError

_NOT_MEASURED_TOKENS = {token: name for name, (token, _, _) in NOT_MEASURED.items()}


class AttributeAnalyzer:
    """Measures the attributes a model's configuration names. Immutable; threads may share it.

    Bars and tracks are counted from 0; a track of a Score may be asked for by its name, too. Values are the
    small integers that stand in tokens; raw values are what was measured, in each attribute's `unit`.
    """

    def __init__(
        self,
        attributes: Iterable[Attribute],
        settings: Settings | None = None,
        *,
        not_measured: Iterable[str] = (),
    ) -> None:
        self.settings = settings or Settings()
        bound = [dataclasses.replace(row, settings=self.settings) for row in attributes]
        self._by_name = {row.name: row for row in bound}
        self.attributes = list(self._by_name.values())
        self._bar_wishes = _bar_wishes(self.attributes)
        self.not_measured = list(not_measured)  # entries whose tokens exist but which this package leaves out
        self._last_view: tuple[Table, WindowView] | None = None

    @classmethod
    def from_config(cls, config: Any) -> AttributeAnalyzer:
        """The analyzer of an encoder configuration: a mapping, or an object with the same fields.

        Reads ``token_domains``, ``attribute_controls``, ``attribute_formulas`` and
        ``instrument_merge_groups``. Raises KeyError for an unknown attribute, TypeError for wrong
        parameters (both are EncoderConfigErrors, too), EncoderConfigError for wrong values.
        """
        formulas = _field(config, "attribute_formulas") or "compatible"
        if formulas not in FORMULAS:
            raise EncoderConfigError(f"attribute_formulas is {formulas!r}; it must be one of {FORMULAS}")
        chosen: list[Attribute] = []
        left_out: list[str] = []
        for domain in _field(config, "token_domains") or ():
            token = str(_field(domain, "type"))
            row = row_for_token(token)
            if row is not None:
                _put(chosen, row)
            elif token in _NOT_MEASURED_TOKENS:
                left_out.append(_NOT_MEASURED_TOKENS[token])
        for control in _field(config, "attribute_controls") or ():
            name = str(_field(control, "name"))
            if name in NOT_MEASURED:
                left_out.append(name)
            else:
                _put(chosen, row_for_entry(name, _field(control, "params") or {}))
        representatives = Settings.merged(_field(config, "instrument_merge_groups"))
        return cls(chosen, Settings(formulas, representatives), not_measured=dict.fromkeys(left_out))

    def __repr__(self) -> str:
        return f"AttributeAnalyzer({', '.join(self._by_name)})"

    # What the model has

    def get(self, name: str) -> Attribute | None:
        """The attribute of that name, or None."""
        return self._by_name.get(name)

    def bar_wish(self, name: str) -> Attribute | None:
        """The attribute that a wish for one bar means by `name`: one of bars, by its name or its short name,
        else one of tracks, which then holds for the step that writes the bar; None when there is neither.

        An attribute that the model can be told goes before one that it only measures.
        """
        return self._bar_wishes.get(name)

    def attribute_sizes(self) -> dict[str, int]:
        """``{name: number of values}``."""
        return {row.name: row.size for row in self.attributes}

    def attribute_levels(self) -> dict[str, str]:
        """``{name: "track" or "bar"}``."""
        return {row.name: row.level for row in self.attributes}

    def attribute_track_types(self) -> dict[str, str]:
        """``{name: "melodic", "drum" or "both"}``."""
        return {row.name: row.track_type for row in self.attributes}

    def attribute_value_labels(self) -> dict[str, list[str]]:
        """``{name: words for the values}``, only for attributes that have them."""
        return {row.name: row.value_labels for row in self.attributes if row.value_labels}

    def token_domain_specs(self) -> list[tuple[str, int]]:
        """``[(token type, size)]`` in order: what a vocabulary without these types must append."""
        specs = {row.token_type: row.size for row in self.attributes if row.emitted}
        specs.update({NOT_MEASURED[name][0]: NOT_MEASURED[name][2] for name in self.not_measured})
        return list(specs.items())

    # Values

    def view(self, table: Any) -> WindowView:
        """The arrays behind a Score or table; made once for calls in a row about the same table."""
        if isinstance(table, WindowView):
            return table
        table = as_table(table)
        last = self._last_view
        if last is not None and last[0] is table:
            return last[1]
        view = WindowView(table, self.settings)
        self._last_view = (table, view)
        return view

    def track_values(
        self,
        table: Any,
        track: int | str,
        bars: Iterable[int] | None = None,
        *,
        cells: Cells | None = None,
        stored: Mapping[str, Any] | None = None,
    ) -> dict[str, int]:
        """Values of a track's track-level attributes, ``{name: int}``, only those for its kind of track.

        With `bars` only these bars are looked at, and the result is empty if they hold no note. `cells`
        (``{track: bars}``) limits attributes of the whole window (the key) to these cells. `stored` holds
        what a score keeps beside its notes (a ``_nomml_raw`` measured before free timing was lost).
        """
        track = track_of(table, track)
        bars = None if bars is None else list(bars)
        view = self.view(table).track(track, bars, cells=cells, stored=stored)
        if bars is not None and not view.n_notes:
            return {}
        return {row.name: row.quantize(row.measure(view)) for row in self._rows("track", view) if row.emitted}

    def bar_values(self, table: Any, track: int | str) -> dict[str, np.ndarray]:
        """Values of a track's bar-level attributes, ``{name: int16 (n_bars,)}``, of its kind of track."""
        track = track_of(table, track)
        view = self.view(table).track(track)
        return {row.name: row.quantize(row.measure(view)) for row in self._rows("bar", view) if row.emitted}

    def raw_track_value(
        self, name: str, table: Any, track: int | str, bars: Iterable[int] | None = None
    ) -> float:
        """What was measured before quantising, for any track-level attribute and any kind of track."""
        track = track_of(table, track)
        view = self.view(table).track(track, bars, stored=stored_values(table, track))
        return self._row(name, "track").measure(view)

    def raw_bar_values(self, name: str, table: Any, track: int | str) -> np.ndarray:
        """What was measured before quantising, one number per bar."""
        return self._row(name, "bar").measure(self.view(table).track(track_of(table, track)))

    def compute_track_tokens(self, score: Any, track: int | str) -> dict[str, int]:
        """``{name: value}`` of the track-level attributes that apply to the track."""
        track = track_of(score, track)
        return self.track_values(score, track, stored=stored_values(score, track))

    def compute_bar_tokens(self, score: Any, track: int | str, bar: int) -> dict[str, int]:
        """``{token type: value}`` of the bar-level attributes that apply to the track."""
        values = self.bar_values(score, track)
        return {self._by_name[name].token_type: int(row[bar]) for name, row in values.items()}

    def compute_all(self, score: Any) -> list[dict[str, float]]:
        """Per track ``{name: raw}`` of every track-level attribute, whatever kind of track it is."""
        view = self.view(score)
        result = []
        for track in range(view.n_tracks):
            arrays = view.track(track, stored=stored_values(score, track))
            result.append({row.name: row.measure(arrays) for row in self.attributes if row.level == "track"})
        return result

    # Wishes and results

    def evaluate(self, requested: Mapping[str, int], score: Any, track: int | str) -> dict[str, float]:
        """``{name: 1.0 or 0.0}``: which track-level wishes were met exactly; unknown names are skipped."""
        track = track_of(score, track)
        view = self.view(score).track(track, stored=stored_values(score, track))
        result = {}
        for name, value in requested.items():
            row = self.get(name)
            if row is not None and row.level == "track":
                result[name] = float(row.quantize(row.measure(view)) == value)
        return result

    def report(
        self,
        score: Any,
        track: int | str,
        requested: Mapping[str, Any] | None = None,
        *,
        announced: Mapping[str, Any] | None = None,
        bars: Sequence[int] | None = None,
    ) -> dict[str, Any]:
        """What was asked, announced and reached, for the attributes that apply to one track.

        Returns ``{"track": {name: entry}, "bars": [{name: entry}, …]}``. An entry has `sampled` (stored
        with the track by decoding), `realized` (measured in the notes), `requested`, `consistent` (sampled
        = realized) and `achieved` (realized = requested); each is None where there is nothing to say.
        `requested` is ``{name: value, "bar_attributes": {bar: {name: value}}}``; so is `announced`, the
        tokens that stood in the sequence, which adds `announced` to each entry. With `bars`, the written
        ones, track-level values are measured on these bars only.
        """
        track = track_of(score, track)
        view = self.view(score)
        if not 0 <= track < view.n_tracks:
            return {"track": {}, "bars": []}
        stored = stored_values(score, track)
        arrays = view.track(track, bars, stored=stored)
        result: dict[str, Any] = {"track": {}, "bars": [{} for _ in range(arrays.n_bars)]}
        for row in self._rows("track", arrays):
            realized = row.quantize(row.measure(arrays)) if bars is None or arrays.n_notes else None
            entry = _entry(stored.get(row.name), realized, (requested or {}).get(row.name))
            if announced is not None:
                entry["announced"] = announced.get(row.name)
            result["track"][row.name] = entry
        whole = arrays if bars is None else view.track(track)
        for row in self._rows("bar", whole):
            for bar, realized in enumerate(row.quantize(row.measure(whole)).tolist()):
                names = (row.token_type, *row.token_aliases)
                sampled = next((stored[k] for n in names if (k := bar_key(n, bar)) in stored), None)
                entry = _entry(sampled, realized, _asked_of_bar(requested, bar, row))
                if announced is not None:
                    entry["announced"] = _asked_of_bar(announced, bar, row)
                result["bars"][bar][row.name] = entry
        return result

    def achievable_range(
        self, name: str, score: Any, track: int | str, bars: Sequence[int]
    ) -> tuple[int, int]:
        """Lowest and highest value of an attribute that can still be reached when `bars` are written anew."""
        row = self.get(name)
        if row is None:
            raise KeyError(f"no attribute is named {name!r}; there are {', '.join(self._by_name)}")
        return row.achievable_range(score, track_of(score, track), bars)

    def reachable(
        self,
        score: Any,
        targets: Mapping[int, Iterable[int]],
        *,
        whole_track: bool = True,
        tracks: Iterable[int] | None = None,
    ) -> Reach:
        """For every track, bar and attribute the levels still within reach when the targets are written anew.

        `targets` is ``{track: bars}``, counted from 0. Track-level attributes are taken over the whole track;
        with ``whole_track=False`` over the written bars alone, as in the report of an infill. `tracks` are
        those that are asked about (None: all). Raises IndexError for a track or bar that does not exist.
        """
        view = self.view(score)
        for track in targets:
            view.track(track)
        written = [view.mask(track, targets.get(track, ())) for track in range(view.n_tracks)]
        kept = {track: np.flatnonzero(~mask).tolist() for track, mask in enumerate(written)}
        anything = any(mask.any() for mask in written)
        found = Reach(starts_of(np.array([len(mask) for mask in written], np.int64)), self.attribute_sizes())
        for track in range(view.n_tracks) if tracks is None else tracks:
            mask = written[track]
            whole = view.track(track, stored=stored_values(score, track))
            for row in self._rows("bar", whole):
                found.put(row.name, track, *reachable_bar_levels(row, whole, mask))
            for row in self._rows("track", whole):
                if row.of_window and row.reach is not None and anything:
                    ends = row.reach(view.track(track, cells=kept), mask)
                else:
                    ends = reachable_levels(row, whole, mask, whole_track=whole_track)
                found.put(row.name, track, *ends)
        return found

    def _rows(self, level: str, view: TrackView) -> list[Attribute]:
        return [row for row in self.attributes if row.level == level and row.applies_to(view.is_drum)]

    def _row(self, name: str, level: str) -> Attribute:
        row = self.get(name)
        if row is None or row.level != level:
            names = [row.name for row in self.attributes if row.level == level]
            raise KeyError(f"no {level}-level attribute is named {name!r}; there are {', '.join(names)}")
        return row


def _entry(sampled: int | None, realized: int | None, requested: int | None) -> dict[str, Any]:
    return {
        "sampled": sampled,
        "realized": realized,
        "requested": requested,
        "consistent": None if sampled is None else sampled == realized,
        "achieved": None if requested is None else realized == requested,
    }


def _bar_wishes(attributes: Sequence[Attribute]) -> dict[str, Attribute]:
    """What each name means in a wish for one bar."""
    of_bars = [row for row in attributes if row.level == "bar"]
    names = [(row.name, row) for row in of_bars] + [(row.short_name, row) for row in of_bars]
    names += [(row.name, row) for row in attributes if row.level == "track"]
    names.sort(key=lambda named: not named[1].can_be_told)  # stable: among equals the order above holds
    return dict(reversed(names))


def _asked_of_bar(wishes: Mapping[str, Any] | None, bar: int, row: Attribute) -> int | None:
    """The value of a bar-level attribute among wishes for bars, under its name or its short name."""
    of_bar = ((wishes or {}).get("bar_attributes") or {}).get(bar) or {}
    return of_bar.get(row.name, of_bar.get(row.short_name))


def _put(chosen: list[Attribute], row: Attribute) -> None:
    """Add a row; one with the same token type is replaced where it stands."""
    for index, other in enumerate(chosen):
        if other.token_type == row.token_type:
            chosen[index] = row
            return
    chosen.append(row)


def _field(config: Any, name: str) -> Any:
    """A field of a mapping or an object; a pair ``(type, size)`` answers to "type"."""
    if isinstance(config, Mapping):
        return config.get(name)
    if isinstance(config, tuple):
        return config[0] if name == "type" else None
    return getattr(config, name, None)
