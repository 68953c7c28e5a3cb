"""A request as plain data, however it was written: arrays, ranges and numpy numbers become lists and numbers.

The rules in `validation` can then be about music. What cannot be made plain (a number where a list belongs, a
dict with other keys) is reported as a problem of its own, since the rules have nothing to look at there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from typing import Any

from midigpt_nb.errors import Place, Problem, RequestValidationError
from midigpt_nb.inference.config import InferenceConfig
from midigpt_nb.inference.plain import is_whole, plain
from midigpt_nb.inference.request import GenerationRequest, TrackPrompt

__all__ = ["is_whole", "plain", "tidied"]


def _is_list(value: Any) -> bool:
    return isinstance(value, list)


def _is_named(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(name, str) for name in value)


def _is_per_bar(value: Any) -> bool:
    return isinstance(value, dict) and all(is_whole(b) and _is_named(v) for b, v in value.items())


_LIST = (_is_list, "a list of bars", "[4, 5]")
_FLAG = (lambda value: isinstance(value, bool), "True or False", "")
_NAMED = (_is_named, "a dict {name: value}", "names are texts: {'note_density': 5}")
_PER_BAR = (
    _is_per_bar,
    "a dict {bar: {name: value}}",
    "bars are whole numbers, names are texts: {4: {'note_density': 5}}",
)
# TABLE: what every field of a TrackPrompt is made of: check, in words, example.
_PROMPT: dict[str, tuple[Callable[[Any], bool], str, str]] = {
    "id": (is_whole, "a track's number", "tracks count from 0"),
    "bars": _LIST,
    "mask_bars": _LIST,
    "autoregressive": _FLAG,
    "ignore": _FLAG,
    "attributes": _NAMED,
    "bar_attributes": _PER_BAR,
    "controls": _NAMED,
    "bar_controls": _PER_BAR,
    "new": (lambda value: value is None or _is_named(value), "a dict {name: value}", "{'instrument': 33}"),
}


def tidied(request: GenerationRequest) -> GenerationRequest:
    """An independent, plain copy. Raises `RequestValidationError` with every field that cannot be one."""
    if not isinstance(request, GenerationRequest):
        hint = "GenerationRequest.from_dict(...) makes one of a dict"
        raise RequestValidationError(
            [Problem(Place("request"), request, "is not a request", "a GenerationRequest", hint)]
        )
    problems: list[Problem] = []
    tracks = _tracks(request.tracks, problems)
    config, controls = request.config, plain(request.controls)
    if not isinstance(config, InferenceConfig):
        hint = "InferenceConfig.from_dict(...) makes one of a dict"
        problems.append(
            Problem(Place("config"), config, "is not a set of settings", "an InferenceConfig", hint)
        )
    if not _is_named(controls):
        problems.append(
            Problem(
                Place("controls"), request.controls, "is not possible", "a dict {name: value}", "{} for none"
            )
        )
    if problems:
        raise RequestValidationError(problems)
    values = {f.name: plain(getattr(config, f.name)) for f in fields(InferenceConfig)}
    return GenerationRequest(tracks, InferenceConfig(**values), controls)


def _tracks(tracks: Any, problems: list[Problem]) -> list[TrackPrompt]:
    if not isinstance(tracks, list | tuple):
        hint = "put a single one in [ ]"
        problems.append(Problem(Place("tracks"), tracks, "is not possible", "a list of TrackPrompt", hint))
        return []
    return [_prompt(track, Place("tracks").entry(i), problems) for i, track in enumerate(tracks)]


def _prompt(prompt: Any, place: Place, problems: list[Problem]) -> TrackPrompt:
    if not isinstance(prompt, TrackPrompt):
        hint = "TrackPrompt.from_dict(...) makes one of a dict"
        problems.append(Problem(place, prompt, "is not a track prompt", "a TrackPrompt", hint))
        return TrackPrompt(0)
    values = {name: plain(getattr(prompt, name)) for name in _PROMPT}
    for name, (fits, words, example) in _PROMPT.items():
        if not fits(values[name]):
            problems.append(
                Problem(place.field(name), getattr(prompt, name), "is not possible", words, example)
            )
    return TrackPrompt(**values)
