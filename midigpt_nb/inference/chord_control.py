"""Chords for every model: what a chord wish may hold, what it does to pitches, and how well it was kept.

A model that has an attribute for the chord of a bar is told it. Every other model does not know chords: there
the notes of the chord are made likelier ("soft"), or nothing else is written ("strict"). Both act on pitches
only, bar by bar and track by track; drums are left alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import log
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from midigpt_nb.errors import Place, Problem, ScoreError
from midigpt_nb.inference.control_values import ModelFacts, Part
from midigpt_nb.inference.piece import Cell, Piece
from midigpt_nb.inference.suggest import suggestion
from midigpt_nb.score.chord_names import Chord, parse_chord
from midigpt_nb.score.chords import as_chords, chord_share

if TYPE_CHECKING:
    from midigpt_nb.attributes import AttributeAnalyzer
    from midigpt_nb.inference.request import GenerationRequest, TrackPrompt

__all__ = [
    "CHORD_PARTS",
    "HOW",
    "ChordRow",
    "check_chord",
    "chord_attribute",
    "chord_log_weights",
    "chord_of",
    "chord_pitches",
    "chord_report",
    "chord_words",
    "guided_by",
    "told_as_attributes",
    "with_chords",
]

HOW = {
    "auto": "as the model can: told to one that knows chords, else soft",
    "soft": "the chord's notes are likelier",
    "strict": "only the chord's notes are written",
    "token": "told to the model, which has to know chords",
}
"""TABLE: how a chord may be asked for, and what it means."""
CHORD_PARTS = (
    Part("name", "root, kind and perhaps bass: 'Am', 'F#7', 'C/E'; the name alone will do, too", "chord"),
    Part("how", "how it is asked for", "choice", tuple(HOW)),
)
GAIN = 24.0
"""Soft: how many times likelier a note of the chord becomes, against one beside it."""
Levels = dict[tuple[int, tuple[int, ...]], int]
"""(root, pitch classes) -> level of an attribute."""
ATTRIBUTES = ("bar_chord", "chord")
"""What an attribute for the chord of a bar is called, in a model that has one."""


# --- the value of the control ---------------------------------------------------------------------


def check_chord(value: Any, _facts: ModelFacts, place: Place) -> Iterator[Problem]:
    """Every problem of a chord wish: a name, or ``{"name": "Am", "how": "strict"}``."""
    name, how = value, "auto"
    if isinstance(value, Mapping):
        name, how = value.get("name"), value.get("how", "auto")
        for key in value:
            if key not in ("name", "how"):
                hint = suggestion(key, ("name", "how"))
                yield Problem(place.entry(key), value[key], "there is no such entry", "name, how", hint)
    try:
        parse_chord(name)
    except ScoreError as problem:
        here = place.entry("name") if isinstance(value, Mapping) else place
        yield Problem(here, name, str(problem), "a chord such as 'Am', 'F#7', 'C/E'")
    if not isinstance(how, str) or how not in HOW:
        yield Problem(
            place.entry("how"), how, "there is no such way", ", ".join(map(repr, HOW)), suggestion(how, HOW)
        )


def chord_of(value: Any) -> tuple[Chord, str]:
    """The chord of a valid wish, and how it is asked for (a name of `HOW`).

    >>> chord_of("Am")[1], chord_of({"name": "Am", "how": "strict"})[0].classes
    ('auto', (0, 4, 9))
    """
    if isinstance(value, Mapping):
        return parse_chord(value["name"]), str(value.get("how", "auto"))
    return parse_chord(value), "auto"


def chord_pitches(value: Any, n_pitches: int = 128) -> list[int] | None:
    """The pitches a strict chord allows; None where every pitch is allowed."""
    chord, how = chord_of(value)
    return [p for p in range(n_pitches) if p % 12 in chord.classes] if how == "strict" else None


def chord_log_weights(value: Any, n_pitches: int = 128) -> NDArray[np.float64] | None:
    """Logarithms of the weights of a soft chord, one per pitch; None where nothing is weighed.

    >>> chord_log_weights("C", 3).round(2).tolist()
    [0.0, -3.18, -3.18]
    """
    chord, how = chord_of(value)
    if how not in ("soft", "auto"):
        return None
    return np.where(np.isin(np.arange(n_pitches) % 12, chord.classes), 0.0, -log(GAIN))


def guided_by(value: Any, drum: bool) -> Any:
    """The value that acts on a bar; None where the chord does nothing."""
    return None if drum or not value else value


# --- models that know chords ----------------------------------------------------------------------


def chord_attribute(analyzer: AttributeAnalyzer | None) -> tuple[str, Levels] | None:
    """The attribute by which a model is told the chord of a bar: its name, and the level of each chord. None
    for a model that does not know chords.
    """
    for row in () if analyzer is None else analyzer.attributes:
        if row.name in ATTRIBUTES and row.level == "bar" and row.emitted:
            levels: Levels = {}
            for level in range(row.size):
                try:
                    chord = parse_chord(row.describe(level))
                except ScoreError:  # "no chord"
                    continue
                levels.setdefault((chord.root, chord.classes), level)
            return row.name, levels
    return None


def told_as_attributes(
    request: GenerationRequest, analyzer: AttributeAnalyzer | None, drums: Sequence[bool] = ()
) -> None:
    """Spell out how each chord of a validated request is asked for: chords that the model has a token for
    become wishes for that attribute, the others are soft. `drums` says which tracks are drums: they are told
    nothing. Changes the request.
    """
    known = chord_attribute(analyzer)
    for prompt in request.tracks:
        drum = prompt.id < len(drums) and drums[prompt.id]
        for bar, value in _asked(prompt):
            chord, how = chord_of(value)
            level = None if known is None else known[1].get((chord.root, chord.classes))
            if how in ("auto", "token"):
                how = "soft" if level is None else "token"
                prompt.bar_controls.setdefault(bar, {})["chord"] = {"name": chord.name, "how": how}
            if how == "token" and known is not None and level is not None and not drum:
                prompt.bar_attributes.setdefault(bar, {}).setdefault(known[0], level)


def _asked(prompt: TrackPrompt) -> Iterator[tuple[int, Any]]:
    """(bar, chord wish) of the bars a prompt writes."""
    for bar in prompt.bars:
        value = prompt.bar_controls.get(bar, {}).get("chord", prompt.controls.get("chord"))
        if value:
            yield bar, value


def chord_words(request: GenerationRequest, drums: Mapping[int, bool]) -> Iterator[str]:
    """What a person should hear before chords are followed, in plain words. `request` is a checked one."""
    hows = {
        chord_of(value)[1] for p in request.tracks if not drums.get(p.id, False) for _, value in _asked(p)
    }
    if "soft" in hows:
        yield "this model does not know chords; notes are guided to chord tones"
    if "strict" in hows:
        yield "only chord tones are written in bars with a chord; notes that ring in from before may differ"


# --- asking ---------------------------------------------------------------------------------------


def with_chords(
    request: GenerationRequest, chords: Any, bars: Iterable[int] | None = None, *, how: str = "auto"
) -> GenerationRequest:
    """A copy of a request that asks for chords, one per bar, on every track it writes.

    `chords` is text (``"Am F C G"``, ``"| Am | % |"``), a list or a dict of bars; ``N.C.`` or None asks for
    nothing there. `bars` (None: all that are written) are those the text begins with; shorter text begins
    again. Raises `ScoreError` for a chord that does not exist.
    """
    wanted = request.copy()
    prompts = [p for p in wanted.tracks if not p.ignore and (p.bars or p.autoregressive)]
    chosen = sorted({bar for p in prompts for bar in p.bars}) if bars is None else list(bars)
    for bar, name in as_chords(chords, chosen).items():
        for prompt in prompts:
            if name is None or (prompt.bars and bar not in prompt.bars):
                continue
            value: Any = name if how == "auto" else {"name": name, "how": how}
            prompt.bar_controls.setdefault(bar, {})["chord"] = value
    return wanted


# --- afterwards -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class ChordRow:
    """A chord that was asked for in one bar of one track: `share` of the sounding time that lies on its
    notes, 0..1; None when no note begins there.
    """

    track: int
    bar: int
    chord: str
    how: str
    share: float | None
    name: str = "chord"
    announced: None = None

    @property
    def adherence(self) -> float | None:
        """The share: 1 when nothing else is heard."""
        return self.share

    @property
    def bars(self) -> tuple[int, ...]:
        """The bar it was measured in."""
        return (self.bar,)


def chord_report(request: GenerationRequest, piece: Piece, cells: Iterable[Cell]) -> list[ChordRow]:
    """How the chords of a checked request were kept in the bars that were written."""
    wishes = {(p.id, bar): value for p in request.tracks for bar, value in _asked(p)}
    rows = []
    for track, bar in sorted(cells):
        if (track, bar) in wishes and not piece.grid.tracks[track, 2]:
            chord, how = chord_of(wishes[track, bar])
            share = chord_share(piece.grid, track, bar, chord, piece.bar_ticks((track, bar)))
            rows.append(ChordRow(track, bar, chord.name, how, share))
    return rows
