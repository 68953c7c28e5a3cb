"""Is this request possible? A list of small rules; every problem of a request is reported at once.

A rule is a function `rule(case) -> iterator of Problem`. Add one by writing it and putting it in `RULES`.
Score tracks without a prompt are context, so a request only names what it is about.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from midigpt_nb.errors import Place, Problem, RequestValidationError, ScoreError, brief
from midigpt_nb.inference.case import (
    MOST_APPENDED,
    Case,
    make_case,
    new_tracks,
    targets_of,
    whole_numbers,
)
from midigpt_nb.inference.chord_control import told_as_attributes
from midigpt_nb.inference.config import AUTO, InferenceConfig, setting_allows, settings
from midigpt_nb.inference.controls import model_facts
from midigpt_nb.inference.request import GenerationRequest, TrackPrompt
from midigpt_nb.inference.suggest import suggestion
from midigpt_nb.inference.tidy import is_whole, plain, tidied
from midigpt_nb.inference.warnings_of import warnings_of
from midigpt_nb.inference.wish_rules import (
    bar_attributes,
    controls,
    impossible_together,
    metre_changes,
    track_attributes,
)
from midigpt_nb.score.general_midi import PROGRAMS, PROGRAMS_IN_WORDS, program_number
from midigpt_nb.score.places import track_named, tracks_in_words

if TYPE_CHECKING:
    from midigpt_nb.attributes import AttributeAnalyzer
    from midigpt_nb.score.model import Score

__all__ = [
    "RULES",
    "Case",
    "checked_request",
    "request_warnings",
    "validate_request",
]

_log = logging.getLogger(__name__)

Rule = Callable[[Case], Iterator[Problem]]


def setting_types(case: Case) -> Iterator[Problem]:
    """Every setting has the type of its default and lies in its range."""
    default = InferenceConfig()
    for name, setting in settings().items():
        value = getattr(case.request.config, name)
        ok, allowed = setting_allows(name, value)
        if not ok:
            usual = f"{getattr(default, name)!r} is the default"
            hint = suggestion(value, setting.choices) if setting.choices else usual
            yield Problem(Place("config").field(name), value, "is not possible", allowed, hint)


def window_sizes(case: Case) -> Iterator[Problem]:
    """The window is one the model knows; a step is not wider than the window."""
    config = case.request.config
    if is_whole(config.model_dim) and config.model_dim != AUTO and config.model_dim not in case.num_bars_map:
        allowed = ", ".join(str(n) for n in case.num_bars_map)
        yield Problem(
            Place("config").field("model_dim"),
            config.model_dim,
            "is not a window this model knows",
            f"{allowed}, 'auto'",
        )
    elif (
        is_whole(config.model_dim)
        and config.model_dim != AUTO
        and is_whole(config.bars_per_step)
        and config.bars_per_step > config.model_dim
    ):
        yield Problem(
            Place("config").field("bars_per_step"),
            config.bars_per_step,
            "is wider than the window",
            f"0..{config.model_dim}",
        )


def filter_pairs(case: Case) -> Iterator[Problem]:
    """The anti filters must leave something of what the top filters keep."""
    c = case.request.config
    if not all(isinstance(v, int | float) for v in (c.top_k, c.top_p, c.mask_k, c.mask_p)):
        return
    if c.mask_p > 0 and c.top_p < 1 and c.mask_p >= c.top_p:
        yield Problem(
            Place("config").field("mask_p"),
            c.mask_p,
            "would remove all that top_p keeps",
            f"< top_p ({c.top_p:g})",
        )
    if c.mask_k > 0 and c.top_k > 0 and c.mask_k >= c.top_k:
        yield Problem(
            Place("config").field("mask_k"),
            c.mask_k,
            "would remove all that top_k keeps",
            f"< top_k ({c.top_k})",
        )


def mask_mode(case: Case) -> Iterator[Problem]:
    """`token` needs a model trained with it."""
    if case.request.config.mask_mode == "token" and not case.has_mask_bar:
        yield Problem(
            Place("config").field("mask_mode"),
            "token",
            "this model has no token for hidden bars",
            "'auto', 'attention', 'attention_skip', 'remove'",
        )


def score_shape(case: Case) -> Iterator[Problem]:
    """The score has tracks of equal length."""
    if not case.n_bars:
        hint = "new={'instrument': ...} in a TrackPrompt adds one"
        yield Problem(Place("score"), 0, "has no tracks", "at least one track", hint)
    elif min(case.n_bars) != max(case.n_bars):
        yield Problem(
            Place("score"), case.n_bars, "its tracks differ in their number of bars", "equal numbers"
        )
    elif case.n_bars[0] == 0 and case.n_score_tracks:
        yield Problem(Place("score"), 0, "has no bars", "at least one bar")


def track_ids(case: Case) -> Iterator[Problem]:
    """Prompts name existing tracks or ones to be added, each once."""
    if not case.request.tracks:
        yield Problem(
            Place("tracks"), [], "there is nothing to do", "at least one (track, bar) or TrackPrompt"
        )
    seen: set[Any] = set()
    for i, prompt in enumerate(case.request.tracks):
        place = Place("tracks").entry(i).field("id")
        if prompt.new is not None and not case.n_score_tracks <= prompt.id < case.n_tracks:
            numbered = case.n_score_tracks + len(new_tracks(case.request, case.n_score_tracks))
            yield Problem(place, prompt.id, "new tracks are numbered on from the last one", str(numbered))
        elif not 0 <= prompt.id < case.n_tracks:
            hint = "new={'instrument': ...} adds a track" if prompt.id == case.n_score_tracks else ""
            yield Problem(place, prompt.id, "there is no such track", case.track_range, hint)
        elif prompt.id in seen:
            yield Problem(place, prompt.id, "this track already has a prompt", "one prompt per track")
        else:
            seen.add(prompt.id)


def added_tracks(case: Case) -> Iterator[Problem]:
    """A track to be added is written, all of it or some bars, and has an instrument and a kind."""
    for i, prompt in enumerate(case.request.tracks):
        if prompt.new is None:
            continue
        place = Place("tracks").entry(i)
        if prompt.ignore:
            yield Problem(place.field("ignore"), True, "a new track holds nothing yet", "False")
        elif not prompt.autoregressive and not prompt.bars:
            message = "which bars of the new track are to be written?"
            hint = "autoregressive=True writes all of it"
            yield Problem(place.field("bars"), prompt.bars, message, "a list of bars", hint)
        for name, value in prompt.new.items():
            here = place.field("new").entry(name)
            if name not in ("instrument", "track_type"):
                known = ("instrument", "track_type")
                yield Problem(
                    here, value, "there is no such entry", ", ".join(known), suggestion(name, known)
                )
            elif name == "track_type" and value not in ("melodic", "drum"):
                hint = suggestion(value, ("melodic", "drum"))
                yield Problem(here, value, "there is no such kind of track", "'melodic', 'drum'", hint)
            elif name == "instrument" and program_number(value) is None:
                hint = suggestion(value, PROGRAMS) if isinstance(value, str) else ""
                yield Problem(here, value, "there is no such instrument", PROGRAMS_IN_WORDS, hint)


def context_ids(case: Case) -> Iterator[Problem]:
    """Lists of context tracks name existing tracks."""
    for name in ("context_drop", "context_keep"):
        ids = getattr(case.request.config, name)
        for id_ in whole_numbers(ids) if isinstance(ids, list) else ():
            if not 0 <= id_ < case.n_tracks:
                yield Problem(Place("config").field(name), id_, "there is no such track", case.track_range)


def roles(case: Case) -> Iterator[Problem]:
    """A track is either written or ignored; hidden bars are not written bars."""
    for place, prompt in case.prompts():
        if prompt.ignore and prompt.autoregressive:
            yield Problem(
                place.field("ignore"),
                True,
                "an ignored track cannot be continued",
                "ignore or autoregressive",
            )
        if prompt.ignore and prompt.bars:
            yield Problem(
                place.field("bars"), prompt.bars, "an ignored track cannot be written", "[] with ignore"
            )
        if prompt.ignore and prompt.mask_bars:
            yield Problem(
                place.field("mask_bars"),
                prompt.mask_bars,
                "an ignored track is not shown anyway",
                "[] with ignore",
            )
        both = sorted(set(whole_numbers(prompt.bars)) & set(whole_numbers(prompt.mask_bars)))
        if both:
            yield Problem(
                place.field("mask_bars"), both, "these bars are to be written", "bars that are not in `bars`"
            )


def bar_numbers(case: Case) -> Iterator[Problem]:
    """Bars exist; what an autoregressive track writes reaches to the end of the piece or past it."""
    for place, prompt in case.prompts():
        n = case.n_bars[prompt.id]
        for name in ("bars", "mask_bars"):
            end = n + MOST_APPENDED if prompt.autoregressive and name == "bars" else n
            wrong = [b for b in getattr(prompt, name) if not is_whole(b) or not 0 <= b < end]
            if wrong and end > n:
                message = f"a continuation adds {MOST_APPENDED} bars at most"
                yield Problem(place.field("bars"), wrong, message, f"0..{end - 1}")
            elif wrong:
                hint = "autoregressive=True adds bars" if name == "bars" and (n in wrong or not n) else ""
                allowed = f"0..{n - 1}" if n else "none: there are no bars yet"
                yield Problem(place.field(name), wrong, "there are no such bars", allowed, hint)
        if prompt.autoregressive:
            yield from _to_the_end(place, prompt, n)


def _to_the_end(place: Place, prompt: TrackPrompt, n: int) -> Iterator[Problem]:
    bars = sorted(whole_numbers(prompt.bars))
    if not bars or bars[0] < 0:
        return
    if bars != list(range(bars[0], bars[0] + len(bars))) or bars[-1] < n - 1 or bars[0] > n:
        message = "a continued track is written from one bar to the end, without gaps or repeats"
        yield Problem(
            place.field("bars"),
            prompt.bars,
            message,
            f"all bars from one of them to the last, {n - 1}, or beyond it; [] for all",
        )


def future_targets(case: Case) -> Iterator[Problem]:
    """A bar marked as hidden in the score cannot be written."""
    for place, prompt in case.prompts():
        wrong = [b for b in case.written(prompt) if (prompt.id, b) in case.futures]
        if wrong:
            yield Problem(
                place.field("bars"), wrong, "the score marks these bars as future", "bars with future=False"
            )


def anything(case: Case) -> Iterator[Problem]:
    """There is something to write, and the model can do it."""
    prompts = [p for _, p in case.prompts()]
    written = [p for p in prompts if case.written(p)]
    if prompts and not written:
        yield Problem(
            Place("tracks"),
            [p.bars for p in prompts],
            "no bar is asked for",
            "`bars` of some track, or autoregressive=True",
        )
    if any(not p.autoregressive for p in written) and not case.supports_infill:
        yield Problem(Place("tracks"), "bars", "this model cannot fill in bars", "autoregressive=True")


RULES: tuple[Rule, ...] = (
    setting_types,
    window_sizes,
    filter_pairs,
    mask_mode,
    score_shape,
    track_ids,
    added_tracks,
    context_ids,
    roles,
    bar_numbers,
    future_targets,
    anything,
    track_attributes,
    bar_attributes,
    controls,
    metre_changes,
    impossible_together,
)


def problems_of(case: Case, names: Sequence[str] = ()) -> list[Problem]:
    """What every rule says, in the order of the table. `names` are those of the score's tracks."""
    case = replace(case, names=names)
    found = (problem for rule in RULES for problem in rule(case))
    return [replace(problem, track=_track_in_words(case, problem.place)) for problem in found]


def _plain_problems(found: Sequence[Problem], request: GenerationRequest, score: Score) -> list[Problem]:
    """What cannot be made plain, before there is a case: the same with the names of the tracks."""
    names, named = score.track_names, []
    for problem in found:
        number = problem.place.prompt
        prompt = None if number is None else request.tracks[number]
        if not isinstance(prompt, TrackPrompt):
            named.append(problem)
        elif problem.place.steps[1:] == ("id",):
            named.append(_with_choices_of_tracks(problem, names))
        else:
            id_ = plain(prompt.id)
            known = is_whole(id_) and 0 <= id_ < len(names)
            named.append(replace(problem, track=f"track {id_} {brief(names[id_])}" if known else ""))
    return named


def _with_choices_of_tracks(problem: Problem, names: Sequence[str]) -> Problem:
    """What stands where the number of a track belongs: with the tracks there are, and for a name the track
    that is called so, or why it is not clear which one that is.
    """
    if isinstance(problem.value, str):
        try:
            hint = f"{brief(problem.value)} is track {track_named(problem.value, names)}"
        except ScoreError as unclear:
            return replace(problem, hint=str(unclear))
        problem = replace(problem, hint=hint)
    return replace(problem, allowed=f"{problem.allowed}: {tracks_in_words(names)}") if names else problem


def _track_in_words(case: Case, place: Place) -> str:
    """The track that a place in the request or the score is about: "track 2 'Bass'"; '' when it is about
    none.
    """
    track = place.score_track if place.prompt is None else case.request.tracks[place.prompt].id
    return case.track_in_words(track) if track is not None and 0 <= track < case.n_tracks else ""


def _warnings(case: Case, score: Score, encoder_config: Any) -> list[str]:
    """The warnings, each with the track it is about."""
    texts, case = [], replace(case, names=score.track_names)
    for place, text in warnings_of(case, tuple(encoder_config.pitch_range)):
        track = _track_in_words(case, place)
        texts.append(f"{text} ({track})" if track else text)
    return texts


def _spell_out(request: GenerationRequest, n_bars: int) -> None:
    """Sort bars and name each once; list the bars of whole autoregressive tracks; say what new tracks are."""
    for prompt in request.tracks:
        if not prompt.ignore:
            prompt.bars = targets_of(prompt, n_bars)
        prompt.mask_bars = sorted(set(prompt.mask_bars))
        if prompt.new is not None:
            drum = prompt.new.get("track_type") == "drum"
            instrument = program_number(prompt.new.get("instrument", 0))
            prompt.new = {"instrument": instrument, "track_type": "drum" if drum else "melodic"}


def validate_request(
    request: GenerationRequest, score: Score, encoder_config: Any, analyzer: AttributeAnalyzer | None = None
) -> GenerationRequest:
    """Check a request against a score and a model; the normalised copy, or `RequestValidationError` with all
    problems.

    `encoder_config` is the model's configuration (`engine.tokenizer.config`); without `analyzer` attribute
    names are not checked. Nothing that is passed in is changed. What is possible but likely not meant is
    logged (`request_warnings` lists it).
    """
    checked, warnings = checked_request(request, score, encoder_config, analyzer)
    for text in warnings:
        _log.warning(text)
    return checked


def checked_request(
    request: GenerationRequest, score: Score, encoder_config: Any, analyzer: AttributeAnalyzer | None = None
) -> tuple[GenerationRequest, list[str]]:
    """`validate_request` and `request_warnings` in one: the normalised copy and the warnings, nothing
    logged.
    """
    if not hasattr(score, "table"):
        hint = "Score.from_midi(path) reads a file"
        raise RequestValidationError([Problem(Place("score"), score, "is not a score", "a Score", hint)])
    try:
        request = tidied(request)
    except RequestValidationError as error:
        raise RequestValidationError(_plain_problems(error.problems, request, score)) from None
    case = make_case(request, score.table, encoder_config, model_facts(encoder_config), analyzer)
    problems = problems_of(case)
    if problems:
        raise RequestValidationError(problems_of(case, score.track_names))
    warnings = _warnings(case, score, encoder_config)
    _spell_out(request, min(case.n_bars))
    told_as_attributes(request, analyzer, case.drums)
    return request, warnings


def request_warnings(
    request: GenerationRequest, score: Score, encoder_config: Any, analyzer: AttributeAnalyzer | None = None
) -> list[str]:
    """What is possible in a valid request, but likely not meant: one sentence each, with its place."""
    case = make_case(tidied(request), score.table, encoder_config, model_facts(encoder_config), analyzer)
    return _warnings(case, score, encoder_config)
