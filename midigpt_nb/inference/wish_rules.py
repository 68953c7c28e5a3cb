"""Rules about wishes: attributes, controls, and wishes that cannot hold together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from midigpt_nb.attributes.registry import Attribute, short_name
from midigpt_nb.errors import Place, Problem
from midigpt_nb.inference.case import Case
from midigpt_nb.inference.chord_control import chord_pitches
from midigpt_nb.inference.config import setting_allows
from midigpt_nb.inference.control_values import empty_pitch_mask, metre_index, pitches_of, positions_of
from midigpt_nb.inference.controls import LIMITS, Level, check_control, control_of, limit_of
from midigpt_nb.inference.request import TrackPrompt
from midigpt_nb.inference.suggest import suggestion
from midigpt_nb.inference.tidy import is_whole

__all__ = [
    "bar_attributes",
    "controls",
    "impossible_together",
    "metre_changes",
    "track_attributes",
]

# TABLE: the control that does by force what an attribute asks for, where a model lacks the attribute.
_INSTEAD = {
    "note_density": "density_hard_limit limits the notes of a bar",
    "min_polyphony": "rhythm_mask says how many notes begin together",
    "max_polyphony": "sounding_limit limits the notes that sound together",
    "onset_polyphony": "polyphony_hard_limit limits the notes that begin together",
    "min_note_duration": "rhythm_mask says where notes begin",
    "max_note_duration": "max_note_beats limits the length of notes",
    "pitch_range": "pitch_mask={'range': [lowest, highest]} limits the pitches",
    "key_signature": "pitch_mask={'scale': 'major', 'root': 'D'} keeps to a key",
    "pitch_class_set": "pitch_mask={'pitch_classes': ['C', 'E']} chooses the notes, also in bar_controls",
    "silence_proportion": "allow_empty permits rests",
    "nomml": "rhythm_mask={'grid': {'unit': 'eighth'}} keeps to a grid",
}


# TABLE: the same for drums, which have no lengths.
_INSTEAD_FOR_DRUMS = {
    "max_polyphony": "polyphony_hard_limit limits the notes that begin together",
    "min_note_duration": "",
    "max_note_duration": "",
}


def _instead(name: str, drum: bool = False) -> str:
    control = {**_INSTEAD, **(_INSTEAD_FOR_DRUMS if drum else {})}.get(short_name(name), "")
    return f"the control {control}" if control else ""


# --- attributes -----------------------------------------------------------------------------------


def _value_problem(case: Case, place: Place, row: Attribute, value: Any, track: int) -> Iterator[Problem]:
    assert case.analyzer is not None
    if not row.can_be_told:
        message = "this model measures it, but was never taught it"
        allowed = ", ".join(_known(case, row.level)) or "none"
        yield Problem(place, value, message, allowed, _instead(row.name))
        return
    if not is_whole(value) or not 0 <= value < row.size:
        yield Problem(place, value, "is not a level of this attribute", f"0..{row.size - 1}")
    if not row.applies_to(case.drums[track]):
        kind = "drum" if case.drums[track] else "melodic"
        fitting = [a for a in case.analyzer.attributes if a.level == row.level and a.can_be_told]
        names = ", ".join(a.name for a in fitting if a.applies_to(case.drums[track]))
        message = f"{row.name!r} is for {row.track_type} tracks, this one is {kind}"
        yield Problem(place, value, message, names or "none", _instead(row.name, case.drums[track]))


def _known(case: Case, *levels: str) -> list[str]:
    """Attributes of some levels that can be asked for."""
    assert case.analyzer is not None
    return [a.name for a in case.analyzer.attributes if a.level in levels and a.can_be_told]


def _unknown(name: str, known: Sequence[str]) -> str:
    """What to do about a name that the model does not have."""
    return _instead(name) or suggestion(name, known) or ("" if known else "this model has none")


def track_attributes(case: Case) -> Iterator[Problem]:
    """Track wishes: known names, possible values, right kind of track."""
    if case.analyzer is None:
        return
    for place, prompt in case.prompts():
        for name, value in prompt.attributes.items():
            here = place.field("attributes").entry(name)
            row = case.analyzer.get(name)
            known = _known(case, "track")
            if row is None:
                hint = _unknown(name, known)
                yield Problem(here, value, "this model has no such attribute", ", ".join(known), hint)
            elif row.level != "track":
                message, hint = "this attribute belongs to bars", "put it in bar_attributes"
                yield Problem(here, value, message, ", ".join(known), hint)
            else:
                yield from _value_problem(case, here, row, value, prompt.id)


def bar_attributes(case: Case) -> Iterator[Problem]:
    """Bar wishes: bars that are written, known names, possible values, right kind of track."""
    if case.analyzer is None:
        return
    known = _known(case, "bar", "track")
    for place, prompt in case.prompts():
        written = set(case.written(prompt))
        for bar, wishes in prompt.bar_attributes.items():
            here = place.field("bar_attributes").entry(bar)
            if bar not in written:
                yield Problem(here, bar, "this bar is not written", "bars of the same prompt")
                continue
            for name, value in wishes.items():
                row = case.analyzer.bar_wish(name)
                if row is not None:
                    yield from _value_problem(case, here.entry(name), row, value, prompt.id)
                else:
                    hint = _unknown(name, known)
                    message = "this model has no such attribute"
                    yield Problem(here.entry(name), value, message, ", ".join(known), hint)


# --- controls -------------------------------------------------------------------------------------


def controls(case: Case) -> Iterator[Problem]:
    """Controls: known, possible, where they may stand."""
    for name, value in case.request.controls.items():
        yield from check_control(name, value, "piece", case.facts, Place("controls").entry(name))
    for place, prompt in case.prompts():
        if prompt.ignore and (prompt.controls or prompt.bar_controls):
            given = prompt.controls or prompt.bar_controls
            yield Problem(place.field("controls"), given, "an ignored track is not written", "{} with ignore")
        yield from _controls_of(case, place, prompt)


def _controls_of(case: Case, place: Place, prompt: TrackPrompt) -> Iterator[Problem]:
    for name, value in prompt.controls.items():
        yield from check_control(name, value, "track", case.facts, place.field("controls").entry(name))
    written = set(case.written(prompt))
    for bar, wishes in prompt.bar_controls.items():
        here = place.field("bar_controls").entry(bar)
        if bar not in written:
            if not prompt.ignore:
                yield Problem(here, bar, "this bar is not written", "bars of the same prompt")
            continue
        for name, value in wishes.items():
            level: Level = "bar"
            yield from check_control(name, value, level, case.facts, here.entry(name))


def _given_at(place: Place, prompt: TrackPrompt, bar: int, name: str) -> Place:
    """Where the value of a control for a bar was given."""
    if name in prompt.bar_controls.get(bar, {}):
        return place.field("bar_controls").entry(bar).entry(name)
    return place.field("controls").entry(name) if name in prompt.controls else Place("config").field(name)


def metre_changes(case: Case) -> Iterator[Problem]:
    """A metre unlike the score's needs every track of the bar to be written anew with it; appended bars may
    have any.
    """
    wishes: dict[int, dict[int, tuple[int, Place]]] = {}  # bar -> track -> index, place
    for place, prompt in case.prompts():
        for bar in case.written(prompt):
            index = metre_index(control_of(prompt, bar, "time_signature"), case.facts.metres)
            if index is not None:
                here = _given_at(place, prompt, bar, "time_signature")
                wishes.setdefault(bar, {})[prompt.id] = (index, here)
    yield from _once(p for bar in sorted(wishes) for p in _metre_problem(case, bar, wishes[bar]))


def _once(problems: Iterable[Problem]) -> Iterator[Problem]:
    """The first problem of each place."""
    told: set[Place] = set()
    for problem in problems:
        if problem.place not in told:
            told.add(problem.place)
            yield problem


def _metre_problem(case: Case, bar: int, wishes: Mapping[int, tuple[int, Place]]) -> Iterator[Problem]:
    named = {track: case.facts.metres[value] for track, (value, _) in wishes.items()}
    if len(set(named.values())) > 1:
        last, (_, place) = list(wishes.items())[-1]
        words = " and ".join(f"{metre} ({case.track_in_words(track)})" for track, metre in named.items())
        message = f"bar {bar} cannot have two metres: {words}"
        yield Problem(place, named[last], message, "one metre for all tracks")
        return
    written = {p.id for _, p in case.prompts() if p.autoregressive and bar in case.written(p)}
    for track, (_, place) in wishes.items():
        has = "{}/{}".format(*case.metre(track, bar))
        appended = bar >= case.n_bars[track]
        everywhere = written == set(range(case.n_tracks)) and set(wishes) == written
        if named[track] == has or appended or everywhere:
            continue
        message = f"{named[track]} is not the metre of the bars to write (bar {bar} is in {has})"
        hint = "change the bars' metre in the score first, or continue all tracks with this metre"
        yield Problem(place, named[track], message, f"the score's own metre, {has}", hint)


# --- wishes that cannot hold together -------------------------------------------------------------


def impossible_together(case: Case) -> Iterator[Problem]:
    """Wishes that are each possible but exclude each other, named both; each pair once per prompt."""
    if any(not setting_allows(name, getattr(case.request.config, name))[0] for name in LIMITS):
        return
    for place, prompt in case.prompts():
        asked = prompt.controls or prompt.bar_controls or case.request.config.sounding_limit
        if prompt.ignore or not asked or any(_controls_of(case, place, prompt)):
            continue
        for rule in (_no_pitch_left, _no_chord_tone_left, _two_rhythms, _voices):
            yield from _once(p for bar in case.written(prompt) for p in rule(case, place, prompt, bar))


def _no_pitch_left(case: Case, place: Place, prompt: TrackPrompt, bar: int) -> Iterator[Problem]:
    """What a bar's pitch mask and its track's leave together."""
    mask = control_of(prompt, bar, "pitch_mask")
    if mask and bar in prompt.bar_controls:
        yield from empty_pitch_mask(mask, case.facts, _given_at(place, prompt, bar, "pitch_mask"))


def _no_chord_tone_left(case: Case, place: Place, prompt: TrackPrompt, bar: int) -> Iterator[Problem]:
    """A strict chord needs one of its notes among those that a pitch mask leaves."""
    chord, mask = control_of(prompt, bar, "chord"), control_of(prompt, bar, "pitch_mask")
    tones = chord_pitches(chord, case.facts.n_pitches) if chord and not case.drums[prompt.id] else None
    allowed = pitches_of(mask, case.facts.n_pitches) if mask else None
    if tones is not None and allowed is not None and not set(tones) & set(allowed):
        message = f"the pitch mask of bar {bar} leaves no note of this chord"
        yield Problem(
            _given_at(place, prompt, bar, "chord"), chord, message, "'how': 'soft', or a wider mask"
        )


def _two_rhythms(case: Case, place: Place, prompt: TrackPrompt, bar: int) -> Iterator[Problem]:
    """Onsets that are to be written exactly: from one place only, in the bar, within the limits."""
    rhythm, remix = control_of(prompt, bar, "rhythm_mask"), control_of(prompt, bar, "remix")
    if rhythm and remix:
        here = _given_at(place, prompt, bar, "remix")
        hint = f"bar_controls={{{bar}: {{'remix': None}}}} takes one away from a bar"
        yield Problem(
            here, remix, "remix keeps the rhythm, rhythm_mask gives another", "one of the two", hint
        )
        return
    if rhythm and "positions" in rhythm:
        ticks = case.bar_ticks(prompt.id, bar)
        onsets: Mapping[int, int] = {pos: n for pos, n in positions_of(rhythm) if pos < ticks}
        here = _given_at(place, prompt, bar, "rhythm_mask")
        if not onsets and not limit_of(case.request, prompt, bar, "allow_empty"):
            message = f"none of the positions lies inside bar {bar}, which has {ticks} ticks"
            yield Problem(here, rhythm, message, f"a position of 0..{ticks - 1}", "or set allow_empty")
        yield from _onsets_within_limits(case, place, prompt, bar, onsets, "rhythm_mask")
    elif remix:
        onsets = case.onsets(prompt.id, bar)
        yield from _onsets_within_limits(case, place, prompt, bar, onsets, "remix")


def _onsets_within_limits(
    case: Case, place: Place, prompt: TrackPrompt, bar: int, onsets: Mapping[int, int], name: str
) -> Iterator[Problem]:
    """Onsets that are to be written exactly must be within the limits."""
    if not onsets:
        return
    tick, most = max(onsets.items(), key=lambda item: item[1])
    wanted = {
        "polyphony_hard_limit": (most, f"{most} notes at tick {tick}"),
        "sounding_limit": (most, f"{most} notes at tick {tick}"),
        "density_hard_limit": (sum(onsets.values()), f"{sum(onsets.values())} notes"),
    }
    for limit, (count, words) in wanted.items():
        allowed = limit_of(case.request, prompt, bar, limit)
        if 0 < allowed < count:
            here, asked = _given_at(place, prompt, bar, limit), _given_at(place, prompt, bar, name)
            message = f"{limit} {allowed} is below the {words} that {name} asks for in bar {bar}"
            yield Problem(here, allowed, message, f">= {count}, or 0", f"or change {asked}")


def _voices(case: Case, place: Place, prompt: TrackPrompt, bar: int) -> Iterator[Problem]:
    """No fewer voices can be allowed than the attributes ask for."""
    allowed = limit_of(case.request, prompt, bar, "sounding_limit")
    if case.analyzer is None or allowed == 0:
        return
    own = prompt.bar_attributes.get(bar, {})
    rows = {name: case.analyzer.get(name) for name in prompt.attributes}
    rows |= {name: case.analyzer.bar_wish(name) for name in own}
    for name, level in {**prompt.attributes, **own}.items():
        row = rows[name]
        if row is None or row.short_name != "min_polyphony":
            continue
        if is_whole(level) and level >= allowed:
            here = _given_at(place, prompt, bar, "sounding_limit")
            message = f"sounding_limit {allowed} is below the {level + 1} voices that {name} asks for"
            yield Problem(here, allowed, message, f">= {level + 1}, or 0", f"or lower {name}")
