"""What is asked of a whole piece (its chords, bar by bar, and its style), and the chords that are heard in
it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import traitlets as t

from midigpt_nb.errors import ScoreError
from midigpt_nb.score.chord_names import parse_chords
from midigpt_nb.score.chords import as_chords
from midigpt_nb.widgets.piano_roll import UserError
from midigpt_nb.widgets.takes import ChoosesTakes
from midigpt_nb.widgets.traits import as_indices

if TYPE_CHECKING:
    from midigpt_nb.inference import InferenceEngine
    from midigpt_nb.score.model import Score

__all__ = ["PieceWishes", "asked_chords", "chord_facts", "piece_rows"]

_LABELS = {"genre": "Style", "velocity": "Loudness", "microtiming": "Timing off the grid"}
"""Choices for the whole piece, in plain words."""
_WITHOUT = {
    "genre": "this model knows no styles",
}
CHORD_MODES = ("soft", "strict")


def piece_rows(engine: InferenceEngine) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The piece-level choices of a model as the page shows them, and those it lacks with the reason."""
    from midigpt_nb.inference.controls import CONTROLS, describe_controls, model_facts

    found = {
        row["name"]: {
            "name": row["name"],
            "label": _LABELS.get(row["name"], row["name"].replace("_", " ")),
            "help": row["meaning"],
            "kind": row["kind"],
            "choices": row["choices"],
        }
        for row in describe_controls(model_facts(engine.tokenizer.config))
        if "piece" in row["levels"]
    }
    names = [name for name, control in CONTROLS.items() if "piece" in control.levels]
    names.sort(key=lambda name: list(_LABELS).index(name) if name in _LABELS else len(_LABELS))
    lacking = [
        {"label": _LABELS.get(name, name), "why": _WITHOUT[name]}
        for name in names
        if name not in found and name in _WITHOUT
    ]
    return [found[name] for name in names if name in found], lacking


def chord_facts(engine: InferenceEngine) -> dict[str, Any]:
    """Whether the model knows chords, and what happens when it does not, in words."""
    from midigpt_nb.inference.chord_control import chord_attribute

    if chord_attribute(engine.attributes) is not None:
        return {"known": True, "words": "this model knows chords: it is told the chord of each bar"}
    return {"known": False, "words": "this model does not know chords; notes are guided to chord tones"}


class ChordsTrait(t.Dict):
    """``{bar: chord}``, bars from 0; text for the page. Also what `set_chords` reads, for all bars."""

    def validate(self, obj: Any, value: Any) -> dict[Any, Any]:
        n_bars = obj._document.state.score.n_bars
        try:
            found = as_chords(value, range(n_bars))
        except ScoreError as problem:
            raise t.TraitError(str(problem)) from problem
        return {bar: name for bar, name in sorted(found.items()) if name is not None}


class PieceTrait(t.Dict):
    """Piece-level choices by name, such as ``{"genre": "jazz"}``."""

    def validate(self, obj: Any, value: Any) -> dict[str, Any]:
        if not isinstance(value, Mapping) or not all(isinstance(name, str) for name in value):
            raise t.TraitError(f"piece maps names to choices, such as {{'genre': 'jazz'}}, not {value!r}")
        chosen = {name: choice for name, choice in value.items() if choice is not None}
        obj._check_piece(chosen)
        return chosen


def _as_text(chords: Mapping[int, str], _widget: object) -> dict[str, str]:
    return {str(bar): name for bar, name in chords.items()}


class PieceWishes(ChoosesTakes):
    """The part of an editor that knows about chords and style."""

    chords = ChordsTrait(help="chords that are asked for: {bar: name}, bars from 0").tag(
        sync=True, echo_update=False, to_json=_as_text
    )
    chord_mode = t.Enum(CHORD_MODES, "soft", help="guided to chord tones, or nothing else").tag(sync=True)
    heard_chords: t.List[Any] = t.List(
        help="chord of each bar, estimated from its notes; None where there is none"
    ).tag(sync=True, echo_update=False)
    show_chords = t.Bool(True, help="a row of chords above the curves").tag(sync=True)
    piece = PieceTrait(help='choices for the whole piece, such as {"genre": "jazz"}').tag(sync=True)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._chords_begun = False
        super().__init__(*args, **kwargs)
        self._chords_begun = True

    def set_chords(self, chords: Any, bars: Any = None, *, strict: bool | None = None) -> None:
        """Ask for chords, one per bar; an undo step. What is generated there keeps to them.

        `chords` is text as musicians write it (``"Am F C G"``, ``"| Am | % | F | N.C. |"``: ``%`` repeats,
        ``N.C.`` asks for nothing), a list of names, or a dict of bars. `bars` is a number, list, range or
        slice (None: the selected bars, else all); text that is shorter begins again, and "" clears. `strict`:
        write nothing but chord tones (None: as `chord_mode` says).

        >>> editor.set_chords("Am F C G", bars=range(4, 8))

        Raises `ScoreError` (a ValueError) that names the bar and the choices.
        """
        n_bars = self._document.state.score.n_bars
        selected = sorted({bar for _, bar in self.selected_cells})
        chosen = selected if bars is None and selected else as_indices(bars, n_bars, "bar")
        if isinstance(chords, Mapping):
            chosen = list(range(n_bars))
        asked = as_chords(chords, chosen)
        with self.hold_sync():
            wanted: dict[Any, Any] = {**self.chords, **asked}
            self.chords = wanted
            if strict is not None:
                self.chord_mode = "strict" if strict else "soft"

    def _request_chords(self, text: str, bars: list[int], spill: bool = False) -> tuple[dict[str, Any], None]:
        if self.readonly:
            raise UserError("this roll is read-only", "readonly")
        wanted = [int(bar) for bar in bars]
        try:
            count = len(parse_chords(text))
            if spill and len(wanted) == 1 < count:
                wanted = list(range(wanted[0], wanted[0] + count))
                n_bars = self._document.state.score.n_bars
                if wanted[-1] >= n_bars:
                    raise ScoreError(
                        f"{count} chords from bar {wanted[0] + 1} on; the piece ends with bar {n_bars}"
                    )
            self.set_chords(text, wanted)
        except ValueError as problem:
            raise UserError(
                str(problem), "no_such_chord", "one per bar: Am F C G, | Am | % |, N.C."
            ) from problem
        return {}, None

    @t.observe("chords")
    def _chords_changed(self, change: Any) -> None:
        with self._locked():
            if dict(change["new"]) == dict(self._document.state.chords or {}):
                return
            step = self._chords_begun and not self._follows
            self._document.set_chords(change["new"], undoable=step)
            if step:
                self.can_undo, self.can_redo = self._document.can_undo, self._document.can_redo

    def _document_changed(self, old: Score, *, soon: bool = False) -> None:
        super()._document_changed(old, soon=soon)
        n_bars = self._document.state.score.n_bars
        kept = self._document.state.chords or {}
        now: dict[Any, Any] = {bar: name for bar, name in kept.items() if bar < n_bars}
        if now != self.chords:
            self._document.set_chords(now, undoable=False)
            self.chords = now

    def _check_piece(self, chosen: Mapping[str, Any]) -> None:
        """Raise TraitError for choices the model does not have; before it is loaded any are kept."""
        rows = {row["name"]: row for row in self.caps.get("piece", [])}
        if "piece" not in self.caps:
            return
        for name, choice in chosen.items():
            if name not in rows:
                known = ", ".join(rows) or "none"
                raise t.TraitError(f"this model has no choice {name!r} for the whole piece; it has: {known}")
            allowed = rows[name]["choices"] if rows[name]["kind"] == "choice" else [True, False]
            if choice not in allowed:
                raise t.TraitError(f"{name} is {choice!r}; allowed: {', '.join(map(str, allowed))}")


def asked_chords(chords: Any, bars: list[int], n_bars: int) -> dict[int, str]:
    """Chords as a caller of `generate` gives them, by bar; text is for `bars`."""
    chosen = list(range(n_bars)) if isinstance(chords, Mapping) else bars
    return {bar: name for bar, name in as_chords(chords, chosen).items() if name is not None}
