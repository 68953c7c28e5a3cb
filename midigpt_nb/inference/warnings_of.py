"""What is possible in a request, but likely not meant: logged when a request is checked, never refused."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from midigpt_nb.inference.case import Case
from midigpt_nb.inference.control_values import positions_of
from midigpt_nb.inference.controls import control_of, limit_of
from midigpt_nb.inference.request import TrackPrompt
from midigpt_nb.inference.wish_rules import bar_wish
from midigpt_nb.score.places import bars_in_words

__all__ = ["warnings_of"]

MOST_COUNTED = 1000  # notes of a bar; no level begins above


def warnings_of(case: Case, pitch_range: tuple[int, int]) -> Iterator[str]:
    """Sentences, each with its place. `pitch_range`: lowest and highest pitch the model can say."""
    if case.request.config.temperature_escalation > 3:
        yield "config.temperature_escalation is held at 3"
    ignored = {p.id for p in case.request.tracks if p.ignore}
    for track in range(case.n_score_tracks):
        if track not in ignored:
            yield from _notes(case, track, pitch_range)
    yield from _out_of_reach(case)
    yield from _limited_wishes(case)
    yield from _outside_the_bar(case)
    yield from _idle_controls(case)


def _notes(case: Case, track: int, pitch_range: tuple[int, int]) -> Iterator[str]:
    """Notes that the model will not see as they are."""
    table = case.table
    first, last = table.bar_rows(track)
    if first == last:
        return
    start, end = table.note_rows(track, 0)[0], table.note_rows(track, last - first - 1)[1]
    notes = table.notes[start:end]
    low, high = pitch_range
    outside = int(np.count_nonzero((notes[:, 2] < low) | (notes[:, 2] > high)))
    if outside:
        yield (
            f"score.tracks[{track}]: {outside} notes lie outside the model's pitches {low}..{high}; "
            "it sees the nearest pitch it has"
        )
    endless = int(np.count_nonzero(notes[:, 1] <= 0))
    if endless:
        yield f"score.tracks[{track}]: {endless} notes have no length; the model sees the shortest it has"
    bars = np.asarray(table.bars[first:last], dtype=np.int64)
    counts = np.diff(np.append(bars[:, 0], end))
    lengths = np.repeat(4 * table.resolution * bars[:, 1] // np.maximum(bars[:, 2], 1), counts)
    late = int(np.count_nonzero(notes[:, 0] >= lengths))
    if late:
        yield (
            f"score.tracks[{track}]: {late} notes begin after the end of their bar; the model sees them "
            "there, as far as it has positions"
        )
    instrument = int(table.tracks[track, 1])
    if not 0 <= instrument <= 127:
        yield f"score.tracks[{track}]: instrument {instrument} is not one of 0..127; the model sees a piano"


def _out_of_reach(case: Case) -> Iterator[str]:
    """Track attributes that the bars which stay make impossible."""
    if case.analyzer is None:
        return
    for path, prompt in case.prompts():
        bars = case.written(prompt)
        if not bars or prompt.id >= case.n_score_tracks:
            continue
        for name, value in prompt.attributes.items():
            low, high = case.analyzer.achievable_range(name, case.table, prompt.id, bars)
            if not low <= value <= high:
                yield (
                    f"{path}.attributes[{name!r}]: {value} cannot be reached while the other bars stay "
                    f"as they are; within reach: {low}..{high}"
                )


def _limited_wishes(case: Case) -> Iterator[str]:
    """Levels above what a limit allows: one sentence for each wish of a track and one for each of its curves,
    with all the bars it is about.
    """
    if case.analyzer is None:
        return
    for path, prompt in case.prompts():
        whole: dict[str, list[_Excess]] = {}
        curves: dict[str, list[_Excess]] = {}
        for bar in case.written(prompt):
            for found, levels in (
                (whole, prompt.attributes),
                (curves, prompt.bar_attributes.get(bar, {})),
            ):
                for name, level in levels.items():
                    limit = _limit_of_level(case, prompt, bar, name)
                    if limit and level > (highest := _highest(case, prompt, bar, name)):
                        found.setdefault(name, []).append(_Excess(bar, level, limit, highest))
        for name, bars in whole.items():
            yield f"{path}.attributes[{name!r}]: {_exceeded(bars)}"
        for name, bars in curves.items():
            where = f"{path}.bar_attributes[{bars_in_words([b.bar for b in bars])}]"
            yield f"{where}[{name!r}]: {_exceeded(bars)}"


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


_LIMITED_BY = {"note_density": "density_hard_limit", "max_polyphony": "sounding_limit"}


def _limit_of_level(case: Case, prompt: TrackPrompt, bar: int, name: str) -> str:
    """The limit that stands against an attribute in a bar, in words; '' for none."""
    limit = _LIMITED_BY.get(name.removeprefix("bar_"), "")
    value = limit_of(case.request, prompt, bar, limit) if limit else 0
    return f"{limit} {value}" if value else ""


def _highest(case: Case, prompt: TrackPrompt, bar: int, name: str) -> int:
    """The highest level of a limited attribute that the limit allows in a bar."""
    limit = _LIMITED_BY[name.removeprefix("bar_")]
    value = int(limit_of(case.request, prompt, bar, limit))
    assert case.analyzer is not None
    wish = bar_wish(case.analyzer, name)
    if limit == "sounding_limit" or wish is None:
        return value - 1
    return _density_of(case, prompt, wish, value)


def _density_of(case: Case, prompt: TrackPrompt, wish: tuple[str, str], notes: int) -> int:
    """The level of a density attribute in a bar of so many notes, for the track's instrument."""
    from midigpt_nb import _core

    assert case.analyzer is not None
    level, name = wish
    rows = np.zeros((min(notes, MOST_COUNTED), 5), dtype=np.int32)
    rows[:, :4] = (0, 1, 60, 64)
    table = _core.ScoreTable(
        notes=rows,
        bars=np.array([[0, 4, 4, 0]], dtype=np.int32),
        tracks=np.array([[0, case.instruments[prompt.id], case.drums[prompt.id]]], dtype=np.int32),
        resolution=case.facts.resolution,
    )
    if level == "bar":
        return int(case.analyzer.bar_values(table, 0)[name][0])
    return int(case.analyzer.track_values(table, 0)[name])


def _outside_the_bar(case: Case) -> Iterator[str]:
    """Onsets of an exact rhythm behind the end of a shorter bar, bars that lack the same ones together."""
    for path, prompt in case.prompts():
        found: dict[tuple[tuple[int, ...], int], list[int]] = {}
        for bar in case.written(prompt):
            rhythm = control_of(prompt, bar, "rhythm_mask") or {}
            ticks = case.bar_ticks(prompt.id, bar)
            onsets = positions_of(rhythm) if "positions" in rhythm else []
            late = tuple(tick for tick, _ in onsets if tick >= ticks)
            if late:
                found.setdefault((late, ticks), []).append(bar)
        for (late, ticks), bars in found.items():
            has = f"bar {bars[0]} has" if len(bars) == 1 else f"bars {bars_in_words(bars)} have"
            asked = ", ".join(map(str, late))
            yield (
                f"{path}: rhythm_mask asks for onsets at {asked}, but {has} {ticks} ticks; they are left "
                "out there"
            )


def _idle_controls(case: Case) -> Iterator[str]:
    for path, prompt in case.prompts():
        if prompt.controls and not case.written(prompt):
            names = ", ".join(prompt.controls)
            yield f"{path}.controls: no bar of this track is written, so these do nothing: {names}"
