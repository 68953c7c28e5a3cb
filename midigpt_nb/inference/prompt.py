"""The prompt of one step: what the model is shown, what it is told, and what it is then allowed to write.

What attribute tokens say: a context track's describe its visible bars that are not to be written, and are
left out when those hold no note; a requested value is written as requested. Context bars carry their own
bar-level values, bars to be written only requested ones. In an autoregressive step the written track comes
last; before its first bar the model writes the attribute tokens itself, requested ones pinned.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from midigpt_nb.inference.masking import MaskMode, visible
from midigpt_nb.inference.notes import Block
from midigpt_nb.inference.piece import Cell, Piece

if TYPE_CHECKING:
    from midigpt_nb.attributes import AttributeAnalyzer
    from midigpt_nb.inference.config import InferenceConfig
    from midigpt_nb.inference.symbols import Symbols

_MANY = 1 << 20  # more than any bar holds, and still a number for the core

__all__ = ["Prompt", "PromptWriter", "StepPlan", "Wishes"]


@dataclass(frozen=True)
class StepPlan:
    """One step: a window of bars and the bars of it to write, per track."""

    start: int
    end: int
    autoregressive: bool
    targets: Mapping[int, Sequence[int]]

    @property
    def cells(self) -> list[Cell]:
        """The (track, bar) pairs to write, ascending."""
        return [(track, bar) for track in sorted(self.targets) for bar in sorted(self.targets[track])]

    def inside(self, tracks: Iterable[int], *groups: Collection[Cell]) -> set[Cell]:
        """The cells of these tracks in the window that belong to one of the groups."""
        window = [(track, bar) for track in tracks for bar in range(self.start, self.end)]
        return {cell for group in groups if group for cell in window if cell in group}


@dataclass(frozen=True)
class Wishes:
    """Requested attribute values by track and by cell, under the model's own names."""

    tracks: Mapping[int, Mapping[str, int]] = field(default_factory=dict)
    bars: Mapping[Cell, Mapping[str, int]] = field(default_factory=dict)


@dataclass
class Prompt:
    """A step ready to be written. `feed`/`positions` are the tokens the model sees; `length` counts hidden
    ones too.
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

    def fresh_blocks(self) -> list[Block]:
        """Empty blocks for another attempt."""
        return [Block(b.track, b.bar, b.drum, b.velocity) for b in self.blocks]


class PromptWriter:
    """Writes prompts for the steps of one session."""

    def __init__(
        self,
        vocab: Any,
        symbols: Symbols,
        analyzer: AttributeAnalyzer,
        mode: MaskMode,
        wishes: Wishes,
        config: InferenceConfig,
    ) -> None:
        self._vocab, self._symbols, self._analyzer = vocab, symbols, analyzer
        self._mode, self._wishes, self._config = mode, wishes, config

    def write(
        self,
        step: StepPlan,
        piece: Piece,
        tracks: Sequence[int],
        hidden: set[Cell],
        sampled: Mapping[int, Mapping[str, int]],
    ) -> Prompt:
        """The prompt of a step over the given tracks (context and written ones, in score order).

        `hidden` are cells not to show; `sampled` are track values the model wrote in earlier steps of this
        run.
        """
        from midigpt_nb import _core

        written = step.cells[0][0] if step.autoregressive else -1
        order = [t for t in tracks if t != written] + ([written] if step.autoregressive else [])
        window = piece.grid.window(order, step.start, step.end)
        view = _Window(step, order, hidden)
        track_columns, said_tracks = self._track_columns(window, view, written, sampled)
        bar_columns, said_bars = self._bar_columns(window, view)
        options = _core.EncodeOptions(**self._options(view, written))
        tokens, spans, _ = _core.encode(self._vocab, window, track_columns, bar_columns, options)
        feed, positions = visible(tokens, spans, self._mode)
        matcher = _core.Matcher.for_prompt(self._vocab, tokens, self._matcher_options(view, piece, written))
        return Prompt(
            feed=feed,
            positions=positions,
            length=len(tokens),
            matcher=matcher,
            blocks=self._blocks(tokens, view, piece),
            context_tracks=[t for t in order if t not in step.targets],
            announced_tracks=said_tracks,
            announced_bars=said_bars,
            tokens=tokens,
        )

    # --- attribute columns ------------------------------------------------------------------------

    def _track_columns(
        self, window: Any, view: _Window, written: int, sampled: Mapping[int, Mapping[str, int]]
    ) -> tuple[NDArray[np.int16], dict[int, dict[str, int]]]:
        columns = np.full((len(view.order), self._symbols.n_track_slots), -1, dtype=np.int16)
        said: dict[int, dict[str, int]] = {}
        # The key is one value for the window: it must not hear bars the model cannot see.
        cells = {i: view.shown(i) for i in range(len(view.order))}
        for i, track in enumerate(view.order):
            if track == written and not view.history(i):
                continue  # the model writes them itself
            shown = view.shown(i)
            values = self._analyzer.track_values(window, i, bars=shown, cells=cells) if shown else {}
            if track == written:
                values.update(sampled.get(track, {}))
            values.update(self._wishes.tracks.get(track, {}))
            values = {n: v for n, v in values.items() if n in self._symbols.track_slots}
            for name, value in values.items():
                columns[i, self._symbols.track_slots[name]] = value
            if track in view.step.targets:
                said[track] = values
        return columns, said

    def _bar_columns(
        self, window: Any, view: _Window
    ) -> tuple[NDArray[np.int16], dict[Cell, dict[str, int]]]:
        slots = self._symbols.bar_slots
        columns = np.full((len(window.bars), self._symbols.n_bar_slots), -1, dtype=np.int16)
        said: dict[Cell, dict[str, int]] = {}
        if not slots:
            return columns, said
        for i, track in enumerate(view.order):
            first, _ = window.bar_rows(i)
            values = self._analyzer.bar_values(window, i)
            for name in slots.keys() & values.keys():
                for bar in view.shown(i):
                    columns[first + bar, slots[name]] = values[name][bar]
            for bar in view.targets[i]:
                wishes = self._wishes.bars.get((track, view.step.start + bar), {})
                for name, value in wishes.items():
                    columns[first + bar, slots[name]] = value
                if not view.step.autoregressive:
                    said[track, view.step.start + bar] = dict(wishes)
        return columns, said

    # --- core options -----------------------------------------------------------------------------

    def _options(self, view: _Window, written: int) -> dict[str, Any]:
        options: dict[str, Any] = dict(self._mode.options)
        options.update(window_bars=view.width, hidden_bars=sorted(view.hidden), fill_sections=False)
        if view.step.autoregressive:
            last = len(view.order) - 1
            options.update(partial_track=last, partial_bars=view.history(last))
        else:
            options.update(multi_fill=[(i, b) for i in range(len(view.order)) for b in view.targets[i]])
        return options

    def _matcher_options(self, view: _Window, piece: Piece, written: int) -> Any:
        from midigpt_nb import _core

        config = self._config
        options: dict[str, Any] = {
            "polyphony_limit": min(config.polyphony_hard_limit, _MANY),
            "density_limit": min(config.density_hard_limit, _MANY),
        }
        if view.step.autoregressive:
            start, end = view.step.start, view.step.end
            types = self._symbols
            wishes = self._wishes.tracks.get(written, {}) if not view.history(len(view.order) - 1) else {}
            asked = {b: self._wishes.bars.get((written, b), {}) for b in view.step.targets[written]}
            bars = {b - start: v for b, v in asked.items() if v}
            options.update(
                autoregressive=True,
                n_bars=view.width,
                bar_metres=list(piece.metre_values[written][start:end]),
                track_pins={
                    types.track_type_names[n]: v for n, v in wishes.items() if n in types.track_type_names
                },
                bar_pins={
                    b: {types.bar_type_names[n]: v for n, v in values.items()} for b, values in bars.items()
                },
                excluded_attributes=self._not_for(bool(piece.grid.tracks[written, 2])),
            )
        return _core.MatcherOptions(**options)

    def _not_for(self, drum: bool) -> list[str]:
        """Attribute token types that the written track's kind does not have."""
        names = {**self._symbols.track_type_names, **self._symbols.bar_type_names}
        other = "melodic" if drum else "drum"
        return sorted(
            {names[a.name] for a in self._analyzer.attributes if a.track_type == other and a.name in names}
        )

    # --- blocks -----------------------------------------------------------------------------------

    def _blocks(self, tokens: NDArray[np.int32], view: _Window, piece: Piece) -> list[Block]:
        levels = self._levels(tokens, view.step.autoregressive)
        blocks = []
        for i, track in enumerate(view.order):
            drum = bool(piece.grid.tracks[track, 2])
            blocks += [Block(track, view.step.start + bar, drum) for bar in view.targets[i]]
        for block, level in zip(blocks, levels, strict=False):
            block.velocity = level
        return blocks

    def _levels(self, tokens: NDArray[np.int32], autoregressive: bool) -> list[int | None]:
        """The loudness level in force at each placeholder (None: as the block before left it); AR: at the
        prompt's end.
        """
        s = self._symbols
        levels: list[int | None] = []
        level: int | None = 0
        for token in tokens.tolist():
            kind = s.types[token]
            if kind == s.Track:
                level = 0
            elif kind == s.VelocityLevel:
                level = s.values[token]
            elif kind == s.FillInPlaceholder:
                levels.append(level)
                level = None
        return [level] if autoregressive else levels


class _Window:
    """Bars of a step's window by role, counted from the window's start; tracks in prompt order."""

    def __init__(self, step: StepPlan, order: Sequence[int], hidden: set[Cell]) -> None:
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

    def shown(self, i: int) -> list[int]:
        """Bars whose content the model sees."""
        end = self.history(i) if self.step.autoregressive and self.targets[i] else self.width
        targets = set(self.targets[i])
        return [b for b in range(end) if b not in targets and (i, b) not in self.hidden]
