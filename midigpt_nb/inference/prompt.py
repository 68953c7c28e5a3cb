"""The prompt of one step: what the model is shown, what it is told, and what it is then allowed to write.

What attribute tokens say: a track's describe its visible bars that are not to be written, and are left out
when those hold no note; a requested value is written as requested. Context bars carry their own bar-level
values, bars to be written only requested ones. In an autoregressive step the written track comes last; before
its first bar the model writes the attribute tokens itself, requested ones pinned.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from midigpt_nb.inference.controls import compile_controls
from midigpt_nb.inference.masking import MaskMode, visible
from midigpt_nb.inference.notes import Block
from midigpt_nb.inference.piece import Cell, Piece
from midigpt_nb.inference.steps import StepPlan, Wishes

if TYPE_CHECKING:
    from midigpt_nb.inference.controls import StepControls
    from midigpt_nb.inference.engine import InferenceEngine
    from midigpt_nb.inference.request import GenerationRequest

__all__ = ["Prompt", "PromptWriter", "Said", "StepPlan", "Wishes"]


_REMEMBERED = 256  # tracks whose bar values a writer keeps


@dataclass
class Said:
    """Attribute values of this run so far. `sampled`: written by the model itself, by track; `tracks`,
    `bars`: those that stood in the sequence, by track and by cell.
    """

    sampled: dict[int, dict[str, int]] = field(default_factory=dict)
    tracks: dict[int, dict[str, int]] = field(default_factory=dict)
    bars: dict[Cell, dict[str, int]] = field(default_factory=dict)


@dataclass
class Prompt:
    """A step ready to be written. `feed`/`positions` are the tokens the model sees; `length` counts hidden
    ones too.

    `controls`: what the step's wishes were made into. `heard`: for each written track the bars of every track
    that the model sees or writes with it. `tracks`: in the order of the prompt.
    """

    feed: NDArray[np.int64]
    positions: NDArray[np.int64]
    length: int
    matcher: Any
    blocks: list[Block]
    context_tracks: list[int]
    announced_tracks: dict[int, dict[str, int]]  # attribute values standing in the prompt, per written track
    announced_bars: dict[Cell, dict[str, int]]
    tokens: NDArray[np.int32]
    spans: NDArray[np.int32]
    controls: StepControls
    heard: dict[int, dict[int, set[int]]]
    tracks: list[int]

    def fresh_blocks(self) -> list[Block]:
        """Empty blocks for another attempt."""
        return [Block(b.track, b.bar, b.drum, b.velocity) for b in self.blocks]


class PromptWriter:
    """Writes the prompts of one session.

    `last`: tracks that stand behind the others wherever they are context, because they are written in turns
    (or in turn with others): what comes before them stays the same from step to step. `unheard`: cells that
    do not count for the key of the window, for the same reason.
    """

    def __init__(
        self,
        engine: InferenceEngine,
        request: GenerationRequest,
        mode: MaskMode,
        wishes: Wishes,
        seed: int,
        last: Collection[int] = (),
        unheard: Collection[Cell] = (),
    ) -> None:
        self._vocab, self._symbols = engine.tokenizer.vocab, engine.symbols
        self._analyzer = engine.attributes
        self._optional = bool(engine.tokenizer.config.attributes_are_optional)
        self._request, self._mode, self._wishes, self._seed = request, mode, wishes, seed
        self._last, self._unheard = frozenset(last), frozenset(unheard)
        self._types = np.array(self._symbols.types)
        self._bar_values: dict[tuple[int, bytes], dict[str, NDArray[np.int16]]] = {}

    def write(
        self, step: StepPlan, piece: Piece, tracks: Sequence[int], hidden: Collection[Cell], said: Said
    ) -> Prompt:
        """The prompt of a step over the given tracks (context and written ones, in score order); `hidden`
        are cells not to show.
        """
        from midigpt_nb import _core

        view = _Window(step, self._order(step, tracks), hidden)
        window = piece.grid.window(view.order, step.start, step.end)
        blocks = self._blocks(view, piece)
        controls = compile_controls(
            self._request, step, piece, blocks, self._vocab, self._symbols, self._seed
        )
        track_columns, said_tracks = self._track_columns(window, view, said)
        bar_columns, said_bars = self._bar_columns(window, view, piece, said)
        options = _core.EncodeOptions(**{**self._encode_options(view), **controls.encode})
        tokens, spans, _ = _core.encode(self._vocab, window, track_columns, bar_columns, options)
        feed, positions = visible(tokens, spans, self._mode)
        matcher = _core.Matcher.for_prompt(
            self._vocab, tokens, self._matcher_options(view, piece, controls.options)
        )
        for constraint in controls.constraints:
            matcher.add(constraint)
        self._set_levels(blocks, tokens, step.autoregressive)
        return Prompt(
            feed=feed,
            positions=positions,
            length=len(tokens),
            matcher=matcher,
            blocks=blocks,
            context_tracks=sorted(t for t in view.order if t not in step.targets),
            announced_tracks=said_tracks,
            announced_bars=said_bars,
            tokens=tokens,
            spans=spans,
            controls=controls,
            heard={track: view.heard() for track in step.targets},
            tracks=view.order,
        )

    def _order(self, step: StepPlan, tracks: Sequence[int]) -> list[int]:
        """Tracks as they stand in the prompt: in score order, but an autoregressive one last, and behind the
        others those that are written in turns.
        """
        beside = list(step.beside)

        def rank(track: int) -> tuple[int, int]:
            written = track in step.targets
            if written and (step.autoregressive or track in self._last):
                return 3, 0
            if track in beside:
                return 2, beside.index(track)
            return (1 if track in self._last else 0), 0

        return sorted(tracks, key=rank)

    # --- attribute columns ------------------------------------------------------------------------

    def _track_columns(
        self, window: Any, view: _Window, said: Said
    ) -> tuple[NDArray[np.int16], dict[int, dict[str, int]]]:
        slots, step = self._symbols.track_slots, view.step
        columns = np.full((len(view.order), self._symbols.n_track_slots), -1, dtype=np.int16)
        announced: dict[int, dict[str, int]] = {}
        # The key is one value for the window: it must not hear bars the model cannot see. Nor what the
        # tracks of a group have just written: their prompts go on from one another.
        changing = [*self._unheard, *((track, bar) for track, bars in step.beside.items() for bar in bars)]
        cells = {
            i: view.shown(i, without=[bar for t, bar in changing if t == track])
            for i, track in enumerate(view.order)
        }
        for i, track in enumerate(view.order):
            continued = step.autoregressive and bool(view.targets[i])
            if continued and not view.history(i):
                continue  # the model writes them itself
            if track in step.beside:
                values = dict(said.tracks.get(track, {}))
            else:
                shown = view.shown(i)
                values = self._analyzer.track_values(window, i, bars=shown, cells=cells) if shown else {}
                if continued:
                    values.update(said.sampled.get(track, {}))
                values.update(self._wishes.track_values(track, step))
            values = {name: value for name, value in values.items() if name in slots}
            for name, value in values.items():
                columns[i, slots[name]] = value
            if track in step.targets:
                announced[track] = values
        return columns, announced

    def _bar_columns(
        self, window: Any, view: _Window, piece: Piece, said: Said
    ) -> tuple[NDArray[np.int16], dict[Cell, dict[str, int]]]:
        slots, step = self._symbols.bar_slots, view.step
        columns = np.full((len(window.bars), self._symbols.n_bar_slots), -1, dtype=np.int16)
        announced: dict[Cell, dict[str, int]] = {}
        if not slots:
            return columns, announced
        for i, track in enumerate(view.order):
            first, _ = window.bar_rows(i)
            values = self._values_of_bars(piece, track)
            shown = np.array(view.shown(i, without=step.beside.get(track, ())), dtype=np.intp)
            for name in slots.keys() & values.keys():
                columns[first + shown, slots[name]] = values[name][step.start + shown]
            asked = {bar: self._wishes.bars.get((track, step.start + bar), {}) for bar in view.targets[i]}
            stood = {b - step.start: said.bars.get((track, b), {}) for b in step.beside.get(track, ())}
            for bar, levels in {**asked, **stood}.items():
                for name, value in levels.items():
                    if name in slots:
                        columns[first + bar, slots[name]] = value
            if not step.autoregressive:
                announced.update({(track, step.start + bar): dict(v) for bar, v in asked.items()})
        return columns, announced

    def _values_of_bars(self, piece: Piece, track: int) -> dict[str, NDArray[np.int16]]:
        """Bar-level values of all bars of a track: measured once for as long as its notes stay the same."""
        first, last = piece.grid.note_rows(track, 0)[0], piece.grid.note_rows(track, piece.n_padded - 1)[1]
        bars = piece.grid.bars[slice(*piece.grid.bar_rows(track)), 0] - first
        key = (
            track,
            blake2b(piece.grid.notes[first:last].tobytes() + bars.tobytes(), digest_size=16).digest(),
        )
        if key not in self._bar_values:
            while len(self._bar_values) >= _REMEMBERED:
                del self._bar_values[next(iter(self._bar_values))]
            self._bar_values[key] = self._analyzer.bar_values(piece.grid, track)
        return self._bar_values[key]

    # --- core options -----------------------------------------------------------------------------

    def _encode_options(self, view: _Window) -> dict[str, Any]:
        options: dict[str, Any] = dict(self._mode.options)
        options.update(window_bars=view.width, hidden_bars=sorted(view.hidden), fill_sections=False)
        if view.step.autoregressive:
            last = len(view.order) - 1
            history = view.history(last)
            options.update(partial_track=last, partial_bars=history or -1)
        else:
            options.update(multi_fill=[(i, b) for i in range(len(view.order)) for b in view.targets[i]])
        return options

    def _matcher_options(self, view: _Window, piece: Piece, limits: Mapping[str, Any]) -> Any:
        from midigpt_nb import _core

        step = view.step
        if not step.autoregressive:
            return _core.MatcherOptions(**limits)
        (written,) = step.targets
        types, drum = self._symbols, bool(piece.grid.tracks[written, 2])
        wishes = {} if view.history(len(view.order) - 1) else self._wishes.track_values(written, step)
        asked = {b - step.start: self._wishes.bars.get((written, b), {}) for b in step.targets[written]}
        options = _core.MatcherOptions(
            autoregressive=True,
            n_bars=view.width,
            bar_metres=list(piece.metre_values[written][step.start : step.end]),
            track_pins=_pins(wishes, types.track_type_names),
            bar_pins={bar: _pins(levels, types.bar_type_names) for bar, levels in asked.items() if levels},
            excluded_attributes=self._types_for("melodic" if drum else "drum", exactly=True),
            **limits,
        )
        if not self._optional:
            kind = "drum" if drum else "melodic"
            options.required_track_attributes = self._types_for(kind, "track")
            options.required_bar_attributes = self._types_for(kind, "bar")
        return options

    def _types_for(self, kind: str, level: str = "", *, exactly: bool = False) -> list[str]:
        """Attribute token types that tracks of a kind have (`exactly`: that only they have)."""
        names = {**self._symbols.track_type_names, **self._symbols.bar_type_names}
        kinds = (kind,) if exactly else (kind, "both")
        rows = [a for a in self._analyzer.attributes if a.track_type in kinds and level in ("", a.level)]
        return sorted({names[a.name] for a in rows if a.name in names})

    # --- blocks -----------------------------------------------------------------------------------

    def _blocks(self, view: _Window, piece: Piece) -> list[Block]:
        blocks = []
        for i, track in enumerate(view.order):
            drum = bool(piece.grid.tracks[track, 2])
            blocks += [Block(track, view.step.start + bar, drum) for bar in view.targets[i]]
        return blocks

    def _set_levels(self, blocks: list[Block], tokens: NDArray[np.int32], autoregressive: bool) -> None:
        """The loudness level in force at each placeholder (None: as the block before left it); AR: at the
        prompt's end.
        """
        s = self._symbols
        types = self._types[tokens]
        telling = np.flatnonzero(
            (types == s.Track) | (types == s.VelocityLevel) | (types == s.FillInPlaceholder)
        )
        levels: list[int | None] = []
        level: int | None = 0
        for token in tokens[telling].tolist():
            kind = s.types[token]
            if kind == s.Track:
                level = 0
            elif kind == s.VelocityLevel:
                level = s.values[token]
            else:
                levels.append(level)
                level = None
        for block, in_force in zip(blocks, [level] if autoregressive else levels, strict=False):
            block.velocity = in_force


def _pins(levels: Mapping[str, int], types: Mapping[str, str]) -> dict[str, int]:
    return {types[name]: value for name, value in levels.items() if name in types}


class _Window:
    """Bars of a step's window by role, counted from the window's start; tracks in prompt order."""

    def __init__(self, step: StepPlan, order: Sequence[int], hidden: Collection[Cell]) -> None:
        self.step = step
        self.order = list(order)
        self.width = step.end - step.start
        index = {track: i for i, track in enumerate(self.order)}
        self.targets = [[b - step.start for b in sorted(step.targets.get(t, ()))] for t in self.order]
        self.hidden = {
            (index[t], b - step.start) for t, b in hidden if t in index and step.start <= b < step.end
        } - {(i, b) for i, bars in enumerate(self.targets) for b in bars}

    def history(self, i: int) -> int:
        """How many bars of the written track stand in an autoregressive prompt."""
        return self.targets[i][0] if self.targets[i] else 0

    def shown(self, i: int, without: Collection[int] = ()) -> list[int]:
        """Bars whose content the model sees, but for some absolute ones."""
        end = self.history(i) if self.step.autoregressive and self.targets[i] else self.width
        hidden = {*self.targets[i], *(bar - self.step.start for bar in without)}
        return [b for b in range(end) if b not in hidden and (i, b) not in self.hidden]

    def heard(self) -> dict[int, set[int]]:
        """Absolute bars of each track that the model sees or writes."""
        return {
            track: {self.step.start + b for b in (*self.shown(i), *self.targets[i])}
            for i, track in enumerate(self.order)
        }
