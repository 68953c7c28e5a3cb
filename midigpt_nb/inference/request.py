"""What to write: a request names tracks, bars and wishes. Sessions copy requests and never change them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from copy import deepcopy
from dataclasses import dataclass, field, fields
from operator import index
from typing import Any

from midigpt_nb.errors import Place, Problem, RequestValidationError
from midigpt_nb.inference.config import LISTED, InferenceConfig, settings
from midigpt_nb.inference.plain import plain
from midigpt_nb.inference.suggest import known_fields_only, refuse_unknown

__all__ = ["GenerationRequest", "TrackPrompt"]


def _check_names(cls: type, data: Any, place: Place) -> None:
    if not isinstance(data, Mapping):
        raise RequestValidationError([Problem(place, data, "is not possible", f"a dict of {cls.__name__}")])
    refuse_unknown(data, (f.name for f in fields(cls)), place)


def _bar_keys(values: Any, place: Place) -> dict[int, Any]:
    """JSON turns bar numbers into text; turn them back."""
    if isinstance(values, Mapping) and all(_is_bar(bar) for bar in values):
        return {int(bar): value for bar, value in values.items()}
    hint = "{4: {'note_density': 5}}"
    raise RequestValidationError(
        [Problem(place, values, "bars must be numbers", "{bar: {name: value}}", hint)]
    )


def _pairs(cells: Any) -> list[tuple[Any, int]]:
    """(track, bar) pairs. A track's name stays as it is: the session knows the names and says the number."""
    wrong = "is not a (track, bar) pair of numbers"
    pairs_look_so = "a list such as [(1, 4), (1, 5)], or [(1, bar) for bar in range(4, 8)]"
    if isinstance(cells, str) or not isinstance(cells, Iterable):
        raise RequestValidationError([Problem(Place("cells"), cells, wrong, pairs_look_so)])
    pairs: list[tuple[Any, int]] = []
    problems: list[Problem] = []
    for i, cell in enumerate(cells):
        try:
            track, bar = cell
            pairs.append((track if isinstance(track, str) else index(track), index(bar)))
        except (TypeError, ValueError):
            problems.append(Problem(Place("cells").entry(i), cell, wrong, pairs_look_so))
    if problems:
        raise RequestValidationError(problems)
    return pairs


def _check_by_track(wishes: Any, place: Place, example: str) -> None:
    """Wishes are by track; a wish in the place of a track would otherwise be left out in silence."""
    if wishes is None or (isinstance(wishes, Mapping) and all(hasattr(key, "__index__") for key in wishes)):
        return
    allowed = f"a track's number and its wishes, such as {example}"
    raise RequestValidationError([Problem(place, wishes, "is not by track", allowed)])


def _check_by_bar(wishes: Mapping[int, Any] | None) -> None:
    """The wishes of each track are by bar; without their bar they would be left out in silence."""
    for track, own in (wishes or {}).items():
        if not (isinstance(own, Mapping) and all(hasattr(bar, "__index__") for bar in own)):
            place = Place("bar_attributes").entry(track)
            allowed = "a bar's number and its wishes, such as {4: {'bar_note_density': 8}}"
            raise RequestValidationError([Problem(place, own, "is not by bar", allowed)])


def _copied(value: Any, place: Place) -> Any:
    try:
        return deepcopy(value)
    except RecursionError:
        raise RequestValidationError([Problem(place, value, "is nested too deep")]) from None


def _is_bar(key: Any) -> bool:
    return key.isdecimal() if isinstance(key, str) else isinstance(key, int) and not isinstance(key, bool)


_ALONE = Place("track")  # a prompt that is in no request


@known_fields_only(_ALONE)
@dataclass
class TrackPrompt:
    """What to do with one track of the score.

    `id` is the track's index. `bars` are the absolute bars to write: none means the track is context, or,
    with `autoregressive`, that all of it is written. `mask_bars` are hidden from the model and come back
    unchanged. `new` asks for a track that is not there yet: `id` is then the number of score tracks (the
    next new track has the next number), and `new` says what it is: ``{"instrument": 0..127 or a name,
    "track_type": "melodic" or "drum"}``, both optional. `autoregressive` writes all of it, from left to
    right; without it only `bars` are written, the others stay empty.
    """

    id: int
    bars: list[int] = field(default_factory=list)
    autoregressive: bool = False
    ignore: bool = False
    mask_bars: list[int] = field(default_factory=list)
    attributes: dict[str, int] = field(default_factory=dict)
    bar_attributes: dict[int, dict[str, int]] = field(default_factory=dict)
    controls: dict[str, Any] = field(default_factory=dict)
    bar_controls: dict[int, dict[str, Any]] = field(default_factory=dict)
    new: dict[str, Any] | None = None

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], place: Place = _ALONE) -> TrackPrompt:
        """A prompt from JSON-like data; bar keys may be text. Unknown or missing names raise
        `RequestValidationError`.
        """
        _check_names(cls, data, place)
        missing = [
            Problem(
                place.field(name), None, "is required", "a track index" if name == "id" else "a list of bars"
            )
            for name in ("id", "bars")
            if name not in data
        ]
        if missing:
            raise RequestValidationError(missing)
        values = dict(data)
        for name in ("bar_attributes", "bar_controls"):
            if name in values:
                values[name] = _bar_keys(values[name], place.field(name))
        return cls(**_copied(values, place))

    def to_dict(self) -> dict[str, Any]:
        """The prompt as plain data for JSON, without fields that say nothing; `from_dict` reads it.

        >>> TrackPrompt(1, [4], attributes={"note_density": 3}).to_dict()
        {'id': 1, 'bars': [4], 'attributes': {'note_density': 3}}
        """
        values = {f.name: plain(getattr(self, f.name)) for f in fields(self)}
        usual = TrackPrompt(self.id, self.bars)
        return {n: v for n, v in values.items() if n in ("id", "bars") or v != getattr(usual, n)}


@known_fields_only(Place("request"))
@dataclass
class GenerationRequest:
    """Which bars to write, under which settings.

    Tracks of the score without a prompt are context.

    >>> GenerationRequest(tracks=[TrackPrompt(id=0, bars=[4, 5])]).tracks[0].bars
    [4, 5]
    """

    tracks: list[TrackPrompt]
    config: InferenceConfig = field(default_factory=InferenceConfig)
    controls: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> GenerationRequest:
        """A request from JSON-like data. Unknown names raise `RequestValidationError`, all of them at
        once.
        """
        _check_names(cls, data, Place("request"))
        problems: list[Problem] = []
        tracks: list[TrackPrompt] = []
        listed = data.get("tracks", [])
        if not isinstance(listed, list | tuple):
            problems.append(Problem(Place("tracks"), listed, "is not possible", "a list of tracks"))
            listed = []
        for i, track in enumerate(listed):
            try:
                tracks.append(TrackPrompt.from_dict(track, Place("tracks").entry(i)))
            except RequestValidationError as error:
                problems += error.problems
        config = InferenceConfig()
        try:
            config = InferenceConfig.from_dict(data.get("config", {}))
        except RequestValidationError as error:
            problems += error.problems
        if problems:
            raise RequestValidationError(problems)
        return cls(
            tracks=tracks, config=config, controls=_copied(data.get("controls", {}), Place("controls"))
        )

    def to_dict(self) -> dict[str, Any]:
        """The request as plain data for JSON; `from_dict` makes an equal request of it.

        >>> request = GenerationRequest([TrackPrompt(0, [4])], InferenceConfig(seed=3))
        >>> GenerationRequest.from_dict(request.to_dict()) == request
        True
        """
        return {
            "tracks": [track.to_dict() for track in self.tracks],
            "config": self.config.to_dict(),
            "controls": plain(self.controls),
        }

    @classmethod
    def from_selection(
        cls,
        cells: Iterable[tuple[int, int]],
        *,
        attributes: Mapping[int, Mapping[str, int]] | None = None,
        bar_attributes: Mapping[int, Mapping[int, Mapping[str, int]]] | None = None,
        **config: Any,
    ) -> GenerationRequest:
        """Rewrite the selected (track, bar) cells.

        `attributes` and `bar_attributes` are by track; wishes for bars that are not selected are left out.
        Further keywords are settings; window and step sizes are `"auto"` unless given.

        >>> GenerationRequest.from_selection([(1, 5), (1, 4)], seed=7).tracks[0].bars
        [4, 5]
        """
        bars: dict[int, list[int]] = {}
        for track, bar in sorted(set(_pairs(cells)), key=lambda cell: (str(type(cell[0])), cell)):
            bars.setdefault(track, []).append(bar)
        _check_by_track(attributes, Place("attributes"), "{1: {'note_density': 8}}")
        _check_by_track(bar_attributes, Place("bar_attributes"), "{1: {4: {'bar_note_density': 8}}}")
        _check_by_bar(bar_attributes)
        per_bar = bar_attributes or {}
        tracks = [
            TrackPrompt(
                id=track,
                bars=wanted,
                attributes=dict((attributes or {}).get(track, {})),
                bar_attributes={b: dict(own[b]) for b in wanted if own.get(b)},
            )
            for track, wanted in bars.items()
            for own in (per_bar.get(track, {}),)
        ]
        refuse_unknown(
            config, [*settings(), "attributes", "bar_attributes"], Place("config"), "setting", LISTED
        )
        auto = {"model_dim": "auto", "bars_per_step": "auto", "tracks_per_step": "auto"}
        return cls(tracks=tracks, config=InferenceConfig.from_dict({**auto, **config}))

    def with_chords(
        self, chords: Any, bars: Iterable[int] | None = None, *, how: str = "auto"
    ) -> GenerationRequest:
        """A copy that asks for chords, one per bar, on every track it writes: see `with_chords` of
        `chord_control`.

        >>> request = GenerationRequest([TrackPrompt(1, [4, 5])]).with_chords("Am F")
        >>> request.tracks[0].bar_controls
        {4: {'chord': 'Am'}, 5: {'chord': 'F'}}
        """
        from midigpt_nb.inference.chord_control import with_chords

        return with_chords(self, chords, bars, how=how)

    def copy(self) -> GenerationRequest:
        """An independent copy."""
        return deepcopy(self)
