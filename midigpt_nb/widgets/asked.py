"""What one generation of an editor was asked for, held fast when it is queued."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import traitlets as t

from midigpt_nb.attributes.registry import short_name
from midigpt_nb.widgets.document import Cell
from midigpt_nb.widgets.requests import request_from_selection, shape_wishes
from midigpt_nb.widgets.targets import Roles

if TYPE_CHECKING:
    from midigpt_nb.inference import GenerationRequest, InferenceEngine
    from midigpt_nb.score.model import Score

__all__ = ["Asked", "check_sampling", "check_wishes", "suggestion"]


@dataclass(frozen=True)
class Asked:
    """Wishes (the `attributes` trait's form, or ``{name: value}``), settings, chords by bar, how they are
    asked for, and choices for the piece.
    """

    wishes: Mapping[str, Any]
    settings: Mapping[str, Any]
    chords: Mapping[Any, str]  # by bar
    chord_mode: str
    piece: Mapping[str, Any]

    def request(
        self, engine: InferenceEngine, score: Score, cells: list[Cell], roles: Roles
    ) -> GenerationRequest:
        """As a request for these cells."""
        shaped = shape_wishes(self.wishes, cells, engine.attributes.attribute_levels())
        windows = sorted(int(size) for size in engine.limits.window_bars)
        request = request_from_selection(score, cells, shaped, self.settings, windows, roles)
        if self.chords:
            # "soft" leaves it to the model: one that knows chords is told them
            how = "strict" if self.chord_mode == "strict" else "auto"
            request = request.with_chords(dict(self.chords), list(self.chords), how=how)
        request.controls.update(self.piece)
        return request

    def of_piece(self, cells: Iterable[Cell]) -> dict[str, Any]:
        """What was asked of the piece, as far as it concerns these cells: keywords of `generate`."""
        bars = {bar for _, bar in cells}
        chords = {bar: name for bar, name in self.chords.items() if bar in bars}
        how = {"chord_mode": self.chord_mode} if chords and self.chord_mode != "soft" else {}
        return {
            **({"chords": chords} if chords else {}),
            **how,
            **({"piece": dict(self.piece)} if self.piece else {}),
        }


def check_sampling(settings: Mapping[str, Any]) -> None:
    """Raise TraitError for settings that do not exist or cannot be."""
    from midigpt_nb.inference.config import settings as table

    known = table()
    for name, value in settings.items():
        if name not in known:
            raise t.TraitError(f"there is no setting {name!r}{suggestion(name, known)}")
        setting = known[name]
        if setting.auto and value == "auto":
            continue
        try:
            fine = setting.accepts(value)
        except TypeError:
            fine = False
        if not fine:
            raise t.TraitError(f"{name} is {value!r}; allowed: {setting.allowed}")


def check_wishes(wishes: Mapping[str, Any], sizes: Mapping[str, int]) -> None:
    """Raise TraitError for attributes and levels that do not exist; `sizes` are those of the attributes."""
    by_track = list(wishes["track"].values())
    by_bar = [values for bars in wishes["bar"].values() for values in bars.values()]
    sizes = {short_name(name): size for name, size in sizes.items()} | dict(sizes)
    for name, level in (item for values in by_track + by_bar for item in values.items()):
        size = sizes.get(name)
        if size is None:
            raise t.TraitError(f"there is no attribute {name!r}{suggestion(name, sizes)}")
        if level >= size:
            raise t.TraitError(f"{name} is {level}; allowed: 0..{size - 1}")


def suggestion(name: str, known: Iterable[str]) -> str:
    """``; did you mean ...?`` for a near miss, else ''."""
    close = difflib.get_close_matches(name, list(known), 1)
    return f"; did you mean {close[0]!r}?" if close else ""
