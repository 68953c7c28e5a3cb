"""Controls whose value is a dict: what they may hold, and what they mean. Pure reading of plain data."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from midigpt_nb.errors import Place, Problem
from midigpt_nb.inference.scales import GRID_UNITS, NOTE_NAMES, RANGES, SCALES, grid_ticks, pitch_class
from midigpt_nb.inference.suggest import suggestion
from midigpt_nb.inference.tidy import is_whole

__all__ = [
    "PARTS",
    "ModelFacts",
    "Part",
    "check_pitch_mask",
    "check_remix",
    "check_rhythm_mask",
    "empty_pitch_mask",
    "grid_step",
    "merged_pitch_mask",
    "metre_index",
    "pitches_of",
    "positions_of",
    "shape_log_weights",
]


@dataclass(frozen=True)
class ModelFacts:
    """What checks of controls need to know of a model."""

    metres: tuple[str, ...] = ()
    genres: tuple[tuple[str, tuple[str, ...]], ...] = ()  # name, other names
    resolution: int = 12  # grid ticks per quarter note
    n_positions: int = 0  # grid ticks a position token can say; 0 = the model has no positions
    n_pitches: int = 128
    velocity: bool = True
    microtiming: bool = False
    switchable_velocity: bool = False
    switchable_microtiming: bool = False


@dataclass(frozen=True)
class Part:
    """One entry of a control's dict, for the panel and for messages."""

    name: str
    meaning: str
    kind: str
    choices: tuple[str, ...] = ()
    low: float | None = None
    high: float | None = None
    unit: str = ""


_ROOTS = f"{', '.join(NOTE_NAMES)}, or 0..11"
# TABLE: the entries of each dict control.
PARTS: dict[str, tuple[Part, ...]] = {
    "pitch_mask": (
        Part("pitches", "these pitches only", "pitches", low=0, high=127, unit="MIDI pitch"),
        Part("scale", "the notes of a scale", "choice", tuple(SCALES)),
        Part("root", "where the scale begins", "pitch class", NOTE_NAMES),
        Part("pitch_classes", "these notes in every octave", "pitch classes", NOTE_NAMES),
        Part("range", "a voice or instrument, or [lowest, highest] pitch", "range", tuple(RANGES), 0, 127),
        Part("shape", "which of them to prefer", "shape", ("uniform", "normal")),
    ),
    "rhythm_mask": (
        Part("positions", "exactly these onsets in every bar", "onsets", low=0, unit="grid ticks"),
        Part("grid", "prefer onsets on a grid", "grid", tuple(GRID_UNITS)),
    ),
    "remix": (
        Part("amount", "share of the notes that may change", "number", low=0, high=1),
        Part("mode", "what may change of them: the pitch, or pitch and length", "choice", ("pitch", "full")),
    ),
}
_SHAPES = {"uniform": {"type": None, "min": 0, "max": 127}, "normal": {"type": None, "mean": 60, "std": 12}}
_FACETS = ({"pitches", "scale", "root", "pitch_classes"}, {"range"}, {"shape"})


def metre_index(value: Any, metres: Sequence[str]) -> int | None:
    """Which of a model's time signatures is meant, by its number or as a text; None for none of them.

    >>> metre_index("3/4", ("4/4", "3/4")), metre_index(0, ("4/4",)), metre_index(7, ("4/4",))
    (1, 0, None)
    """
    if isinstance(value, str):
        return metres.index(value) if value in metres else None
    return value if is_whole(value) and 0 <= value < len(metres) else None


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _unknown_keys(value: Mapping[str, Any], known: Any, place: Place) -> Iterator[Problem]:
    for name in value:
        if name not in known:
            yield Problem(
                place.entry(name),
                value[name],
                "there is no such entry",
                ", ".join(known),
                suggestion(name, known),
            )


def _is_dict(value: Any, name: str, place: Place) -> Iterator[Problem]:
    if not isinstance(value, dict):
        entries = ", ".join(part.name for part in PARTS[name])
        yield Problem(place, value, "is not possible", f"a dict with {entries}")


# --- pitches --------------------------------------------------------------------------------------


def check_pitch_mask(value: Any, facts: ModelFacts, place: Place) -> Iterator[Problem]:
    """Every problem of a pitch mask; {} is accepted and does nothing."""
    problems = list(_is_dict(value, "pitch_mask", place))
    if not problems:
        problems += _unknown_keys(value, [part.name for part in PARTS["pitch_mask"]], place)
        for name, check in _PITCH_CHECKS.items():
            if name in value:
                problems += check(value[name], place.entry(name))
        if "scale" in value and "pitch_classes" in value:
            problems.append(
                Problem(
                    place, value, "a scale and pitch classes exclude each other", "'scale' or 'pitch_classes'"
                )
            )
    yield from problems
    if not problems:
        yield from empty_pitch_mask(value, facts, place)


def empty_pitch_mask(value: Mapping[str, Any], facts: ModelFacts, place: Place) -> Iterator[Problem]:
    """No pitch is left, or none that the shape allows."""
    pitches = pitches_of(value, facts.n_pitches)
    if pitches is not None and not pitches:
        named = " and ".join(repr(k) for k in value if k not in ("shape", "root"))
        yield Problem(
            place, value, f"no pitch is left by {named}", "at least one pitch of 0..127", "widen the range"
        )
        return
    shape = value.get("shape")
    if shape is not None and shape["type"] == "uniform" and pitches is not None:
        low, high = shape.get("min", 0), shape.get("max", 127)
        if not any(low <= p <= high for p in pitches):
            message = f"none of the allowed pitches ({min(pitches)}..{max(pitches)}) lies in {low}..{high}"
            yield Problem(place.entry("shape"), shape, message, "a range that shares a pitch with the mask")


def _check_pitches(value: Any, place: Place) -> Iterator[Problem]:
    if not isinstance(value, list):
        yield Problem(place, value, "is not possible", "a list of pitches, 0..127", "[60, 62, 64]")
        return
    wrong = [p for p in value if not is_whole(p) or not 0 <= p <= 127]
    if wrong:
        yield Problem(place, wrong, "these are not MIDI pitches", "0..127")
    elif not value:
        yield Problem(place, value, "no pitch is left", "at least one pitch", "leave it out for all pitches")


def _check_scale(value: Any, place: Place) -> Iterator[Problem]:
    if not isinstance(value, str) or value not in SCALES:
        yield Problem(place, value, "there is no such scale", ", ".join(SCALES), suggestion(value, SCALES))


def _check_root(value: Any, place: Place) -> Iterator[Problem]:
    if pitch_class(value) is None:
        yield Problem(place, value, "is not a note", _ROOTS)


def _check_pitch_classes(value: Any, place: Place) -> Iterator[Problem]:
    if not isinstance(value, list) or any(pitch_class(v) is None for v in value):
        yield Problem(place, value, "is not possible", f"a list of notes ({_ROOTS})", "['C', 'E', 'G']")
    elif not value:
        yield Problem(place, value, "no pitch is left", "at least one note", "leave it out for all notes")


def _check_range(value: Any, place: Place) -> Iterator[Problem]:
    if isinstance(value, str):
        if value not in RANGES:
            yield Problem(
                place, value, "there is no such range", ", ".join(RANGES), suggestion(value, RANGES)
            )
        return
    pair = isinstance(value, list) and len(value) == 2 and all(is_whole(v) and 0 <= v <= 127 for v in value)
    if not pair or value[0] > value[1]:
        words = "[lowest, highest] of 0..127, or a name"
        yield Problem(place, value, "is not a range of pitches", words, "'bass voice' or [40, 64]")


def _check_shape(value: Any, place: Place) -> Iterator[Problem]:
    if not isinstance(value, dict) or "type" not in value:
        hint = "{'type': 'normal', 'mean': 60, 'std': 12}"
        yield Problem(place, value, "is not possible", "a dict with 'type': 'uniform' or 'normal'", hint)
        return
    kind = value["type"]
    if not isinstance(kind, str) or kind not in _SHAPES:
        yield Problem(
            place.entry("type"),
            kind,
            "there is no such shape",
            "'uniform', 'normal'",
            suggestion(kind, _SHAPES),
        )
        return
    problems = list(_unknown_keys(value, _SHAPES[kind], place))
    problems += [
        Problem(place.entry(name), v, "is not a number", "a number")
        for name, v in value.items()
        if name != "type" and name in _SHAPES[kind] and not _number(v)
    ]
    yield from problems
    if problems:
        return
    if kind == "uniform" and value.get("min", 0) > value.get("max", 127):
        yield Problem(place, value, "its min lies above its max", "min <= max")
    if kind == "normal" and value.get("std", 12) < 0:
        yield Problem(place.entry("std"), value["std"], "a width cannot be negative", ">= 0")


_PITCH_CHECKS: dict[str, Callable[[Any, Place], Iterator[Problem]]] = {
    "pitches": _check_pitches,
    "scale": _check_scale,
    "root": _check_root,
    "pitch_classes": _check_pitch_classes,
    "range": _check_range,
    "shape": _check_shape,
}


def merged_pitch_mask(track: Mapping[str, Any] | None, bar: Mapping[str, Any] | None) -> dict[str, Any]:
    """A bar's mask over its track's: what the bar says about notes, range or shape takes the place of what
    the track says about the same thing.

    >>> merged_pitch_mask({"scale": "major", "range": "cello"}, {"pitch_classes": ["C", "E"]})
    {'range': 'cello', 'pitch_classes': ['C', 'E']}
    """
    track, bar = track or {}, bar or {}
    said = {name for facet in _FACETS for name in facet if facet & bar.keys()}
    return {name: v for name, v in track.items() if name not in said} | dict(bar)


def pitches_of(mask: Mapping[str, Any], n_pitches: int = 128) -> list[int] | None:
    """The pitches a valid mask allows, ascending; None for all.

    >>> pitches_of({"scale": "major_pentatonic", "root": "A", "range": [57, 64]})
    [57, 59, 61, 64]
    """
    classes: set[int | None] = set(range(12))
    if "scale" in mask:
        root = pitch_class(mask.get("root", 0)) or 0
        classes = {(root + step) % 12 for step in SCALES[mask["scale"]]}
    elif "pitch_classes" in mask:
        classes = {pitch_class(v) for v in mask["pitch_classes"]}
    allowed = set(mask["pitches"]) if "pitches" in mask else {p for p in range(128) if p % 12 in classes}
    if "range" in mask:
        low, high = RANGES[mask["range"]] if isinstance(mask["range"], str) else mask["range"]
        allowed = {p for p in allowed if low <= p <= high}
    allowed = {p for p in allowed if p < n_pitches}
    return None if len(allowed) == n_pitches else sorted(allowed)


def shape_log_weights(shape: Mapping[str, Any], n_pitches: int = 128) -> NDArray[np.float64]:
    """Logarithms of a shape's weights, one per pitch.

    >>> np.exp(shape_log_weights({"type": "uniform", "min": 1, "max": 2}, 4)).tolist()
    [0.0, 1.0, 1.0, 0.0]
    """
    pitch = np.arange(n_pitches, dtype=np.float64)
    full = {**_SHAPES[shape["type"]], **shape}
    if shape["type"] == "uniform":
        inside = (pitch >= full["min"]) & (pitch <= full["max"])
        return np.where(inside, 0.0, -np.inf)
    width = max(float(full["std"]), 1e-6)
    return -(((pitch - float(full["mean"])) / width) ** 2) / 2


# --- rhythm ---------------------------------------------------------------------------------------


def check_rhythm_mask(value: Any, facts: ModelFacts, place: Place) -> Iterator[Problem]:
    """Every problem of a rhythm mask: exactly one of `positions` and `grid`."""
    problems = list(_is_dict(value, "rhythm_mask", place)) + list(_needs_positions(value, facts, place))
    if problems:
        yield from problems
        return
    known = [part.name for part in PARTS["rhythm_mask"]]
    yield from _unknown_keys(value, known, place)
    if sum(name in value for name in known) != 1:
        yield Problem(place, value, "needs one of its two kinds", "'positions' or 'grid'")
    if "positions" in value:
        yield from _check_positions(value["positions"], facts, place.entry("positions"))
    if "grid" in value:
        yield from _check_grid(value["grid"], place.entry("grid"))


def _needs_positions(value: Any, facts: ModelFacts, place: Place) -> Iterator[Problem]:
    if facts.n_positions == 0:
        yield Problem(place, value, "this model writes no positions", "nothing", "leave it out")


def _check_positions(value: Any, facts: ModelFacts, place: Place) -> Iterator[Problem]:
    if not isinstance(value, list) or not value:
        hint = "[{'pos': 0}, {'pos': 12, 'polyphony': 3}]"
        yield Problem(place, value, "is not possible", "a list with at least one onset", hint)
        return
    seen: set[int] = set()
    for i, entry in enumerate(value):
        here = place.entry(i)
        if not isinstance(entry, dict) or "pos" not in entry:
            yield Problem(
                here, entry, "an onset says where it is", "a dict with 'pos' and 'polyphony'", "{'pos': 0}"
            )
            continue
        yield from _unknown_keys(entry, ("pos", "polyphony"), here)
        pos, notes = entry["pos"], entry.get("polyphony", 1)
        if not is_whole(pos) or not 0 <= pos < facts.n_positions:
            unit = f"{facts.resolution} ticks are a quarter note"
            yield Problem(here.entry("pos"), pos, "is not a position", f"0..{facts.n_positions - 1}", unit)
        elif pos in seen:
            yield Problem(here.entry("pos"), pos, "this position is there already", "each position once")
        else:
            seen.add(pos)
        if not is_whole(notes) or notes < 1:
            yield Problem(here.entry("polyphony"), notes, "is not a number of notes", ">= 1")


def _check_grid(value: Any, place: Place) -> Iterator[Problem]:
    if not isinstance(value, dict) or "unit" not in value:
        hint = "{'unit': 'eighth', 'strength': 0.8}"
        yield Problem(place, value, "is not possible", "a dict with 'unit' and 'strength'", hint)
        return
    yield from _unknown_keys(value, ("unit", "strength"), place)
    unit, strength = value["unit"], value.get("strength", 1.0)
    if not isinstance(unit, str) or unit not in GRID_UNITS:
        here = place.entry("unit")
        yield Problem(
            here, unit, "there is no such unit", ", ".join(GRID_UNITS), suggestion(unit, GRID_UNITS)
        )
    if not _number(strength) or not 0 <= strength <= 1:
        yield Problem(place.entry("strength"), strength, "is not possible", ">= 0 and <= 1")


def positions_of(mask: Mapping[str, Any]) -> list[tuple[int, int]]:
    """(grid tick, number of notes) of an exact rhythm, ascending."""
    return sorted((entry["pos"], entry.get("polyphony", 1)) for entry in mask["positions"])


def grid_step(mask: Mapping[str, Any], resolution: int) -> tuple[int, float]:
    """Ticks between the lines of a valid grid, and its strength."""
    return grid_ticks(mask["grid"]["unit"], resolution), float(mask["grid"].get("strength", 1.0))


# --- remix ----------------------------------------------------------------------------------------


def check_remix(value: Any, facts: ModelFacts, place: Place) -> Iterator[Problem]:
    """Every problem of a remix."""
    problems = list(_is_dict(value, "remix", place)) + list(_needs_positions(value, facts, place))
    if problems:
        yield from problems
        return
    yield from _unknown_keys(value, [part.name for part in PARTS["remix"]], place)
    amount, mode = value.get("amount"), value.get("mode", "pitch")
    if not _number(amount) or not 0 < amount <= 1:
        yield Problem(
            place.entry("amount"), amount, "how much may change?", "> 0 and <= 1", "{'amount': 0.5}"
        )
    if mode not in ("pitch", "full"):
        hint = suggestion(mode, ("pitch", "full"))
        yield Problem(place.entry("mode"), mode, "there is no such mode", "'pitch', 'full'", hint)
