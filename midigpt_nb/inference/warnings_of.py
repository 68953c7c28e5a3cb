"""What is possible in a request, but likely not meant: logged when a request is checked, never refused.

Each warning is its place and a sentence that names the place.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from midigpt_nb.attributes.registry import Attribute
from midigpt_nb.errors import Place
from midigpt_nb.inference.bounds import highest_level, limit_on
from midigpt_nb.inference.case import Case
from midigpt_nb.inference.config import capped, settings
from midigpt_nb.inference.control_values import positions_of
from midigpt_nb.inference.controls import control_of, limit_of
from midigpt_nb.inference.request import TrackPrompt
from midigpt_nb.score.places import bars_in_words

__all__ = ["warnings_of"]

Said = tuple[Place, str]


def _said(place: Place, what: str) -> Said:
    return place, f"{place}: {what}"


class _Bars(tuple[int, ...]):
    """Several bars as one key of a place."""

    def __repr__(self) -> str:
        return bars_in_words(self)


def warnings_of(case: Case, pitch_range: tuple[int, int]) -> Iterator[Said]:
    """Places and sentences. `pitch_range`: lowest and highest pitch the model can say."""
    for name in settings():
        value, used = getattr(case.request.config, name), capped(case.request.config, name)
        if value != used:
            place = Place("config").field(name)
            yield place, f"{place} is held at {used:g}"
    ignored = {p.id for p in case.request.tracks if p.ignore}
    for track in range(case.n_score_tracks):
        if track not in ignored:
            yield from _notes(case, track, pitch_range)
    yield from _out_of_reach(case)
    yield from _limited_wishes(case)
    yield from _outside_the_bar(case)
    yield from _idle_controls(case)


def _notes(case: Case, track: int, pitch_range: tuple[int, int]) -> Iterator[Said]:
    """Notes that the model will not see as they are."""
    table = case.table
    first, last = table.bar_rows(track)
    if first == last:
        return
    place = Place("score").field("tracks").entry(track)
    start, end = table.note_rows(track, 0)[0], table.note_rows(track, last - first - 1)[1]
    notes = table.notes[start:end]
    low, high = pitch_range
    outside = int(np.count_nonzero((notes[:, 2] < low) | (notes[:, 2] > high)))
    if outside:
        pitches = f"outside the model's pitches {low}..{high}; it sees the nearest pitch it has"
        yield _said(place, f"{outside} notes lie {pitches}")
    endless = int(np.count_nonzero(notes[:, 1] <= 0))
    if endless:
        yield _said(place, f"{endless} notes have no length; the model sees the shortest it has")
    bars = np.asarray(table.bars[first:last], dtype=np.int64)
    counts = np.diff(np.append(bars[:, 0], end))
    lengths = np.repeat(4 * table.resolution * bars[:, 1] // np.maximum(bars[:, 2], 1), counts)
    late = int(np.count_nonzero(notes[:, 0] >= lengths))
    if late:
        seen = "the model sees them there, as far as it has positions"
        yield _said(place, f"{late} notes begin after the end of their bar; {seen}")
    instrument = int(table.tracks[track, 1])
    if not 0 <= instrument <= 127:
        yield _said(place, f"instrument {instrument} is not one of 0..127; the model sees a piano")


def _out_of_reach(case: Case) -> Iterator[Said]:
    """Track attributes that the bars which stay make impossible."""
    if case.analyzer is None:
        return
    for place, prompt in case.prompts():
        bars = case.written(prompt)
        if not bars or prompt.id >= case.n_score_tracks:
            continue
        for name, value in prompt.attributes.items():
            low, high = case.analyzer.achievable_range(name, case.table, prompt.id, bars)
            if not low <= value <= high:
                whole = f"by the track as a whole while its other bars stay as they are, only {low}..{high}"
                what = f"{value} cannot be reached {whole}; the report measures the written bars alone"
                yield _said(place.field("attributes").entry(name), what)


def _limited_wishes(case: Case) -> Iterator[Said]:
    """Levels above what a limit allows: one sentence for each wish of a track and one for each of its curves,
    with all the bars it is about.
    """
    if case.analyzer is None:
        return
    for place, prompt in case.prompts():
        whole: dict[str, list[_Excess]] = {}
        curves: dict[str, list[_Excess]] = {}
        for bar in case.written(prompt):
            for name, level in prompt.attributes.items():
                whole.setdefault(name, []).extend(_excess(case, prompt, bar, case.analyzer.get(name), level))
            for name, level in prompt.bar_attributes.get(bar, {}).items():
                row = case.analyzer.bar_wish(name)
                curves.setdefault(name, []).extend(_excess(case, prompt, bar, row, level))
        for name, bars in whole.items():
            if bars:
                yield _said(place.field("attributes").entry(name), _exceeded(bars))
        for name, bars in curves.items():
            if bars:
                where = place.field("bar_attributes").entry(_Bars(b.bar for b in bars))
                yield _said(where.entry(name), _exceeded(bars))


@dataclass(frozen=True)
class _Excess:
    """A level that a limit keeps out of a bar; `limit` in words, `highest`: the highest level it allows."""

    bar: int
    level: int
    limit: str
    highest: int


def _exceeded(bars: Sequence[_Excess]) -> str:
    """What is wrong with the level of each of some bars, in one sentence."""
    levels = [b.level for b in bars]
    shown = levels[:1] if len(set(levels)) == 1 else levels
    limits = list(dict.fromkeys((b.limit, b.highest) for b in bars))
    if len(limits) == 1:
        under = f"{limits[0][0]}; at most {limits[0][1]} can"
    else:
        under = " and ".join(f"{limit} (at most {highest} can)" for limit, highest in limits)
    return f"{', '.join(map(str, shown))} cannot be reached under {under}"


def _excess(
    case: Case, prompt: TrackPrompt, bar: int, row: Attribute | None, level: int
) -> Iterator[_Excess]:
    """The level of an attribute in a bar, if a limit keeps it out."""
    name = limit_on(row) if row is not None else ""
    if row is None or not name:
        return
    limit = int(limit_of(case.request, prompt, bar, name))
    highest = highest_level(row, limit, case.instruments[prompt.id], bool(case.drums[prompt.id]))
    if level > highest:
        yield _Excess(bar, level, f"{name} {limit}", highest)


def _outside_the_bar(case: Case) -> Iterator[Said]:
    """Onsets of an exact rhythm behind the end of a shorter bar, bars that lack the same ones together."""
    for place, prompt in case.prompts():
        found: dict[tuple[tuple[int, ...], int], list[int]] = {}
        for bar in case.written(prompt):
            rhythm = control_of(prompt, bar, "rhythm_mask") or {}
            if "positions" not in rhythm:
                continue
            ticks, onsets = case.bar_ticks(prompt.id, bar), positions_of(rhythm)
            late = tuple(tick for tick, _ in onsets if tick >= ticks)
            if late:
                found.setdefault((late, ticks), []).append(bar)
        for (late, ticks), bars in found.items():
            has = f"bar {bars[0]} has" if len(bars) == 1 else f"bars {bars_in_words(bars)} have"
            asked = ", ".join(map(str, late))
            left_out = f"but {has} {ticks} ticks; they are left out there"
            yield _said(place, f"rhythm_mask asks for onsets at {asked}, {left_out}")


def _idle_controls(case: Case) -> Iterator[Said]:
    for place, prompt in case.prompts():
        if prompt.controls and not case.written(prompt):
            names = ", ".join(prompt.controls)
            what = f"no bar of this track is written, so these do nothing: {names}"
            yield _said(place.field("controls"), what)
