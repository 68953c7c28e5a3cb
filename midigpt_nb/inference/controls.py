"""TABLE: wishes that forbid or prefer tokens instead of describing notes, and what they mean for one step.

A control has a name, the levels it may stand at, a check and what it does while sampling. Piece-level ones
stand in `GenerationRequest.controls`, track-level ones in `TrackPrompt.controls`, bar-level ones in
`TrackPrompt.bar_controls`. A bar's control takes the place of its track's: of a pitch mask only the part
(notes, range, shape) that the bar speaks of; None takes the track's away. The limits of `InferenceConfig` are
controls, too: a track's or bar's limit takes the place of the setting. Tracks and bars written in one step
each keep to their own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from midigpt_nb.errors import Place, Problem
from midigpt_nb.inference.chord_control import (
    CHORD_PARTS,
    check_chord,
    chord_log_weights,
    chord_pitches,
    guided_by,
)
from midigpt_nb.inference.config import InferenceConfig, setting_allows, settings
from midigpt_nb.inference.control_values import (
    PARTS,
    ModelFacts,
    Part,
    check_pitch_mask,
    check_remix,
    check_rhythm_mask,
    grid_step,
    merged_pitch_mask,
    metre_index,
    pitches_of,
    positions_of,
    shape_log_weights,
)
from midigpt_nb.inference.remix import kept_notes
from midigpt_nb.inference.rng import SeedStream
from midigpt_nb.inference.soft_weights import Soft, Weights
from midigpt_nb.inference.suggest import suggestion

if TYPE_CHECKING:
    from midigpt_nb.inference.notes import Block
    from midigpt_nb.inference.piece import Piece
    from midigpt_nb.inference.prompt import StepPlan
    from midigpt_nb.inference.request import GenerationRequest, TrackPrompt
    from midigpt_nb.inference.symbols import Symbols

__all__ = [
    "CONTROLS",
    "LIMITS",
    "Control",
    "StepControls",
    "available_controls",
    "check_control",
    "compile_controls",
    "control_of",
    "describe_controls",
    "limit_of",
    "may_be_empty",
    "metre_wishes",
    "model_facts",
]

Level = Literal["piece", "track", "bar"]
Check = Callable[[Any, ModelFacts, Place], Iterator[Problem]]
_MANY = 1 << 20  # more than any bar holds, and still a number for the core


@dataclass(frozen=True)
class Control:
    """One control: where it may stand, how its value is checked, and what a panel needs to offer it.

    `kind`: "flag", "choice", "number" or "dict" (then `parts` are its entries). `needs` says whether a model
    has it at all.
    """

    name: str
    levels: tuple[Level, ...]
    meaning: str
    kind: str
    check: Check
    choices: tuple[str, ...] = ()
    low: float | None = None
    high: float | None = None
    unit: str = ""
    parts: tuple[Part, ...] = ()
    needs: Callable[[ModelFacts], bool] = lambda facts: True
    # The value of a track and that of one of its bars as one; without it the bar's own is what counts.
    merged: Callable[[Any, Any], Any] | None = None


# --- checks of plain values -----------------------------------------------------------------------


def _time_signature(value: Any, facts: ModelFacts, place: Place) -> Iterator[Problem]:
    metres = facts.metres
    if metre_index(value, metres) is None:
        allowed = f"{', '.join(metres)}, or 0..{len(metres) - 1}, the place in this list"
        message = "this model does not know this metre"
        yield Problem(place, value, message, allowed if metres else "nothing: this model has none")


def _switch(value: Any, present: bool, switchable: bool, what: str, place: Place) -> Iterator[Problem]:
    if not isinstance(value, bool):
        yield Problem(place, value, "is not possible", "True, False")
    elif value and not present:
        yield Problem(place, value, f"this model writes no {what}", "False", "leave it out")
    elif not value and present and not switchable:
        yield Problem(place, value, f"this model cannot do without {what}", "True", "leave it out")


def _velocity(value: Any, facts: ModelFacts, place: Place) -> Iterator[Problem]:
    yield from _switch(value, facts.velocity, facts.switchable_velocity, "loudness", place)


def _microtiming(value: Any, facts: ModelFacts, place: Place) -> Iterator[Problem]:
    yield from _switch(value, facts.microtiming, facts.switchable_microtiming, "timing off the grid", place)


def _genre(value: Any, facts: ModelFacts, place: Place) -> Iterator[Problem]:
    names = [name for name, _ in facts.genres]
    if not names:
        yield Problem(place, value, "this model knows no genres", "nothing", "leave it out")
    elif not isinstance(value, str) or genre_index(value, facts) is None:
        every = [*names, *(alias for _, aliases in facts.genres for alias in aliases)]
        yield Problem(place, value, "there is no such genre", ", ".join(names), suggestion(value, every))


def genre_index(name: str, facts: ModelFacts) -> int | None:
    """The number of a genre by its name or another name of it, in any case."""
    for i, (canonical, aliases) in enumerate(facts.genres):
        if name.casefold() in (n.casefold() for n in (canonical, *aliases)):
            return i
    return None


def _limit_check(name: str) -> Check:
    def check(value: Any, facts: ModelFacts, place: Place) -> Iterator[Problem]:
        ok, allowed = setting_allows(name, value)
        if not ok:
            yield Problem(
                place, value, "is not possible", allowed, suggestion(value, settings()[name].choices)
            )

    return check


def _limit(name: str) -> Control:
    """The control of a setting of the group "limits": same name, meaning, range and unit."""
    s = settings()[name]
    default = getattr(InferenceConfig(), name)
    kind = "flag" if isinstance(default, bool) else "choice" if s.choices else "number"
    return Control(
        name, ("track", "bar"), s.meaning, kind, _limit_check(name), s.choices, s.low, s.high, s.unit
    )


LIMITS: tuple[str, ...] = tuple(name for name, s in settings().items() if s.group == "limits")

_BARS: tuple[Level, ...] = ("track", "bar")
CONTROLS: dict[str, Control] = {
    c.name: c
    for c in (
        Control(
            "time_signature",
            _BARS,
            "the metre of written bars, as a text or its place in the model's list",
            "choice",
            _time_signature,
            needs=lambda facts: bool(facts.metres),
        ),
        Control(
            "velocity",
            ("piece",),
            "whether the model writes loudness; without, new notes are equally loud",
            "flag",
            _velocity,
            needs=lambda facts: facts.switchable_velocity,
        ),
        Control(
            "microtiming",
            ("piece",),
            "whether the model writes timing off the grid",
            "flag",
            _microtiming,
            needs=lambda facts: facts.switchable_microtiming,
        ),
        Control(
            "genre",
            ("piece",),
            "the style of the piece",
            "choice",
            _genre,
            needs=lambda facts: bool(facts.genres),
        ),
        Control(
            "pitch_mask",
            _BARS,
            "allowed and preferred pitches",
            "dict",
            check_pitch_mask,
            parts=PARTS["pitch_mask"],
            merged=merged_pitch_mask,
        ),
        Control(
            "chord",
            _BARS,
            "the chord of the bar: its notes are likelier, or nothing else is written; drums are left alone",
            "dict",
            check_chord,
            parts=CHORD_PARTS,
        ),
        Control(
            "rhythm_mask",
            _BARS,
            "exact or preferred onsets",
            "dict",
            check_rhythm_mask,
            parts=PARTS["rhythm_mask"],
            needs=lambda facts: facts.n_positions > 0,
        ),
        Control(
            "remix",
            _BARS,
            "vary the notes that are there, keep their rhythm",
            "dict",
            check_remix,
            parts=PARTS["remix"],
            needs=lambda facts: facts.n_positions > 0,
        ),
        *(_limit(name) for name in LIMITS),
    )
}


# --- the table as data ----------------------------------------------------------------------------


def model_facts(encoder_config: Any) -> ModelFacts:
    """What checks of controls need to know of a model, from its encoder configuration."""
    from midigpt_nb import _core

    vocab = _core.Vocabulary(encoder_config)
    kind = _core.TokenType
    return ModelFacts(
        metres=tuple(m if isinstance(m, str) else "{}/{}".format(*m) for m in encoder_config.time_signatures),
        genres=tuple((str(name), tuple(aliases)) for name, aliases in encoder_config.genre_groups),
        resolution=int(encoder_config.resolution),
        n_positions=int(vocab.domain_size(kind.TimeAbsolutePos)),
        n_pitches=int(vocab.domain_size(kind.NoteOnset)),
        velocity=int(vocab.domain_size(kind.VelocityLevel)) > 0,
        microtiming=int(vocab.domain_size(kind.Delta)) > 0,
        switchable_velocity=bool(encoder_config.switchable_velocity),
        switchable_microtiming=bool(encoder_config.switchable_microtiming),
    )


def available_controls(facts: ModelFacts) -> list[Control]:
    """The controls that a model has, in the order of the table."""
    return [c for c in CONTROLS.values() if c.needs(facts)]


def describe_controls(facts: ModelFacts) -> list[dict[str, Any]]:
    """The controls of a model as plain data, for a panel: name, levels, meaning, kind, choices, range, unit.

    Dict controls list their entries under "parts", in the same form without levels.
    """
    choices = {"time_signature": facts.metres, "genre": tuple(name for name, _ in facts.genres)}
    rows = []
    for c in available_controls(facts):
        row: dict[str, Any] = {"name": c.name, "levels": list(c.levels), "meaning": c.meaning, "kind": c.kind}
        row |= _range_of(c) | {"choices": list(choices.get(c.name, c.choices))}
        if c.parts:
            row["parts"] = [
                {
                    "name": p.name,
                    "meaning": p.meaning,
                    "kind": p.kind,
                    "choices": list(p.choices),
                    **_range_of(p),
                }
                for p in c.parts
            ]
        rows.append(row)
    return rows


def _range_of(row: Control | Part) -> dict[str, Any]:
    return {"low": row.low, "high": row.high, "unit": row.unit}


def check_control(name: str, value: Any, level: Level, facts: ModelFacts, place: Place) -> Iterator[Problem]:
    """Every problem of one control at one place."""
    control = CONTROLS.get(name)
    here = [c.name for c in available_controls(facts) if level in c.levels]
    if control is None:
        allowed = ", ".join(here) or f"this model has none for the {level}"
        yield Problem(place, value, "there is no such control", allowed, suggestion(name, here))
    elif level not in control.levels:
        places = " or ".join(control.levels)
        message = f"this control belongs to the {places}, not to the {level}"
        yield Problem(place, value, message, ", ".join(here) or f"none for the {level}")
    elif not (level == "bar" and value is None and control.kind == "dict"):
        yield from control.check(value, facts, place)


# --- what a valid request says about a bar --------------------------------------------------------


def control_of(prompt: TrackPrompt, bar: int, name: str) -> Any:
    """The value of a control for one bar: the bar's own, else the track's; None when neither has one."""
    per_bar = prompt.bar_controls.get(bar, {})
    if name not in per_bar:
        return prompt.controls.get(name)
    merged = CONTROLS[name].merged if name in CONTROLS else None
    if merged is not None and per_bar[name] is not None:
        return merged(prompt.controls.get(name), per_bar[name])
    return per_bar[name]


def limit_of(request: GenerationRequest, prompt: TrackPrompt | None, bar: int, name: str) -> Any:
    """A limit for one bar: of the bar, else of its track, else the setting."""
    value = None if prompt is None else control_of(prompt, bar, name)
    return getattr(request.config, name) if value is None else value


def may_be_empty(request: GenerationRequest, track: int, bar: int) -> bool:
    """Whether a bar may be left without a note."""
    prompt = next((p for p in request.tracks if p.id == track), None)
    return bool(limit_of(request, prompt, bar, "allow_empty"))


def metre_wishes(request: GenerationRequest, known: Sequence[tuple[int, int]]) -> dict[int, tuple[int, int]]:
    """Bar -> metre, for those bars of a validated request that ask for one; `known` are the model's.

    An autoregressive prompt may give appended bars a metre, and bars that every track writes another one.
    """
    names = ["{}/{}".format(*metre) for metre in known]
    wishes = {}
    for prompt in request.tracks:
        for bar in prompt.bars:
            index = metre_index(control_of(prompt, bar, "time_signature"), names)
            if index is not None:
                wishes[bar] = known[index]
    return wishes


# --- compiling ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class StepControls:
    """What the wishes of a request mean for one step.

    `encode`: keywords for `_core.EncodeOptions` (use_velocity, use_microtiming, genre). `options`: keywords
    for `_core.MatcherOptions` (limits per block, allow_empty, velocity, microtiming). `constraints`: for
    `matcher.add`, before the first token. `soft`: for the sampler (`Row.soft`), None when nothing is
    preferred. `redraw(matcher, stream)` gives a fork of the matcher another draw of what a remix frees.
    """

    encode: dict[str, Any] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)
    constraints: list[Any] = field(default_factory=list)
    soft: Soft | None = None
    remixed: Callable[[SeedStream], Any] | None = None

    def redraw(self, matcher: Any, stream: SeedStream) -> None:
        """Before the first token of an attempt or take: let this stream choose the notes a remix frees."""
        if self.remixed is not None:
            matcher.replace(self.remixed(stream))


def compile_controls(
    request: GenerationRequest,
    step: StepPlan,
    piece: Piece,
    blocks: Sequence[Block],
    vocab: Any,
    symbols: Symbols,
    seed: int,
) -> StepControls:
    """The controls and limits of a validated request for one step.

    `blocks` are the bars to write in the order of the prompt (`.track`, `.bar`): fill block i, or in an
    autoregressive step the bars of the window. Called before the prompt is encoded, as `encode` changes it.
    """
    written = _Written(request, step, piece, blocks, vocab)
    encode, options = _switches(request.controls, vocab.config)
    constraints = [
        c for c in (written.pitch_sets(), written.position_sets(), written.rhythms()) if c is not None
    ]
    remixed = written.remixed()
    if remixed is not None:
        constraints.append(remixed(SeedStream(seed)))
    soft = written.soft()
    return StepControls(encode, options | written.limits(), constraints, soft or None, remixed)


def _switches(controls: Mapping[str, Any], config: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """The piece-level controls: keywords of the encoder and of the matcher."""
    encode: dict[str, Any] = {}
    options: dict[str, Any] = {}
    for name in ("velocity", "microtiming"):
        if controls.get(name) is False:
            encode[f"use_{name}"] = 0
            options[name] = False
    if "genre" in controls:
        encode["genre"] = genre_index(controls["genre"], model_facts(config))
    return encode, options


class _Written:
    """The bars of one step, each with its number as the core counts them and its prompt."""

    def __init__(
        self, request: GenerationRequest, step: StepPlan, piece: Piece, blocks: Sequence[Block], vocab: Any
    ) -> None:
        prompts = {p.id: p for p in request.tracks}
        self._request, self._piece, self._vocab = request, piece, vocab
        self._n = step.end - step.start if step.autoregressive else len(blocks)
        self._bars = [
            (b.bar - step.start if step.autoregressive else i, b.track, b.bar, prompts.get(b.track))
            for i, b in enumerate(blocks)
        ]
        self._drums = {b.track for b in blocks if b.drum}

    def _each(self, name: str) -> Iterator[tuple[int, int, int, Any]]:
        """(block, track, bar, value) where a control is set."""
        for block, track, bar, prompt in self._bars:
            value = None if prompt is None else control_of(prompt, bar, name)
            if value:
                yield block, track, bar, value

    def _chords(self) -> Iterator[tuple[int, Any]]:
        """(block, chord wish) of melodic bars."""
        for block, track, _, value in self._each("chord"):
            if (wish := guided_by(value, track in self._drums)) is not None:
                yield block, wish

    # limits

    def limits(self) -> dict[str, Any]:
        """Keywords of the matcher: numbers per block, one number where all are equal."""
        rows: dict[str, list[int]] = {
            name: [0] * self._n
            for name in (
                "polyphony_limit",
                "density_limit",
                "sounding_limit",
                "max_duration",
                "max_end",
                "allow_empty",
            )
        }
        for block, track, bar, prompt in self._bars:
            value = {name: limit_of(self._request, prompt, bar, name) for name in LIMITS}
            beats = value["max_note_beats"] * self._piece.grid.resolution
            rows["polyphony_limit"][block] = value["polyphony_hard_limit"]
            rows["density_limit"][block] = value["density_hard_limit"]
            rows["sounding_limit"][block] = value["sounding_limit"]
            rows["max_duration"][block] = max(1, int(min(beats, _MANY))) if beats > 0 else 0
            rows["max_end"][block] = self._end(value["note_end"], track, bar)
            rows["allow_empty"][block] = int(value["allow_empty"])
        return {name: _plainly([min(v, _MANY) for v in row]) for name, row in rows.items()}

    def _end(self, note_end: str, track: int, bar: int) -> int:
        """Ticks from the bar's start that a note may ring to; 0 = any."""
        if note_end == "free":
            return 0
        last = bar + 1 if note_end == "bar" else max(self._piece.n_bars, bar + 1)
        return sum(self._piece.bar_ticks((track, b)) for b in range(bar, last))

    # hard wishes

    def pitch_sets(self) -> Any:
        """The allowed pitches of each bar."""
        from midigpt_nb import _core

        n = self._vocab.domain_size(_core.TokenType.NoteOnset)
        every = ((block, pitches_of(mask, n)) for block, _, _, mask in self._each("pitch_mask"))
        allowed = {block: pitches for block, pitches in every if pitches is not None}
        for block, wish in self._chords():
            if (pitches := chord_pitches(wish, n)) is not None:
                allowed[block] = sorted(set(allowed.get(block, pitches)) & set(pitches))
        return _core.Constraint.pitch_set(self._vocab, allowed) if allowed else None

    def position_sets(self) -> Any:
        """The lines of grids of full strength: nothing is written off them."""
        from midigpt_nb import _core

        n = self._vocab.domain_size(_core.TokenType.TimeAbsolutePos)
        lines = {}
        for block, _, _, mask in self._each("rhythm_mask"):
            if "grid" in mask:
                ticks, strength = grid_step(mask, self._piece.grid.resolution)
                if strength == 1:
                    lines[block] = list(range(0, n, ticks))
        return _core.Constraint.position_set(self._vocab, lines) if lines else None

    def rhythms(self) -> Any:
        """The exact rhythm of each bar."""
        from midigpt_nb import _core

        exact = {b: positions_of(m) for b, _, _, m in self._each("rhythm_mask") if "positions" in m}
        return _core.Constraint.rhythm_schedule(exact) if exact else None

    def remixed(self) -> Callable[[SeedStream], Any] | None:
        """Draw -> constraint that keeps the notes of the bars to be varied, except those that are free."""
        from midigpt_nb import _core

        asked = list(self._each("remix"))
        sizes = {
            "n_pitches": self._vocab.domain_size(_core.TokenType.NoteOnset),
            "n_durations": self._vocab.domain_size(_core.TokenType.NoteDuration),
        }
        piece = self._piece
        if not any(piece.n_notes((track, bar)) for _, track, bar, _ in asked):
            return None
        return lambda stream: _core.Constraint.remix(kept_notes(piece.grid, asked, stream, **sizes))

    # preferences

    def soft(self) -> Soft:
        """Preferred pitches and positions of each bar."""
        from midigpt_nb import _core

        def tokens(kind: Any) -> tuple[int, int]:
            return self._vocab.range(kind)[0], self._vocab.domain_size(kind)

        weights: dict[int, list[Weights]] = {}
        for block, _, _, mask in self._each("pitch_mask"):
            if "shape" in mask:
                start, n = tokens(_core.TokenType.NoteOnset)
                weights.setdefault(block, []).append(Weights(start, shape_log_weights(mask["shape"], n)))
        for block, wish in self._chords():
            start, n = tokens(_core.TokenType.NoteOnset)
            if (log_weights := chord_log_weights(wish, n)) is not None:
                weights.setdefault(block, []).append(Weights(start, log_weights))
        for block, _, _, mask in self._each("rhythm_mask"):
            if "grid" not in mask:
                continue
            ticks, strength = grid_step(mask, self._piece.grid.resolution)
            if 0 < strength < 1:
                start, n = tokens(_core.TokenType.TimeAbsolutePos)
                log = np.where(np.arange(n) % ticks == 0, 0.0, np.log1p(-strength))
                weights.setdefault(block, []).append(Weights(start, log))
        return Soft(weights)


def _plainly(row: Sequence[int]) -> int | list[int]:
    return row[0] if len(set(row)) == 1 else list(row)
