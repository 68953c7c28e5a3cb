"""Writing one window as tokens: which bars are hidden, what the attribute tokens say, and the grammar.

An *infill* window hides target bars behind placeholders and repeats their notes in fill blocks after the last
track; a *plain* window ends with the track to be written. What stands in the attribute tokens follows what a
request can say at inference: values of the visible bars, or of the bars to be written, or nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from . import vocabulary as v
from .attributes import bar_polyphony_bin, density_bin, key_signature, track_attributes
from .mixes import Mix, choose
from .window import CONTEXT, FILL, FIRST_NOTE, HINT_SIZES, ORDINALS, WRITTEN_TRACK, Window

# Upper limits of the classes of the hint "remaining": 0-16 notes one by one, then 17-20, 21-28, more.
_REMAINING_LIMITS = np.array([*range(17), 20, 28])


@dataclass
class TrackView:
    """One track of a window: its notes (window ticks) and its note tokens cut by bar."""

    number: int
    is_drum: bool
    instrument: int
    pitch: np.ndarray
    start: np.ndarray
    duration: np.ndarray
    bar: np.ndarray
    tokens: list[int]
    cuts: list[int]
    counts: np.ndarray  # notes per bar
    polyphony: list[int]  # bar-level polyphony bins

    def thin(self, bar: int, bar_start: np.ndarray, rng: np.random.Generator) -> bool:
        """Take some onsets out of a bar, rather weak than strong ones; false if it has only one."""
        begin, end = np.searchsorted(self.bar, [bar, bar + 1])
        onset = self.start[begin:end] - bar_start[bar]
        onsets = np.unique(onset)
        if len(onsets) < 2:
            return False
        count = max(1, round(rng.uniform(0.1, 0.7) * len(onsets)))
        strength = np.where(onsets % 12 == 0, 3.0, np.where(onsets % 6 == 0, 2.0, 1.0))
        keep = np.isin(onset, rng.choice(onsets, count, replace=False, p=strength / strength.sum()))
        old = self.tokens[self.cuts[bar] : self.cuts[bar + 1]]
        new = _thinned(old, keep.tolist())
        self.tokens[self.cuts[bar] : self.cuts[bar + 1]] = new
        self.cuts[bar + 1 :] = [cut + len(new) - len(old) for cut in self.cuts[bar + 1 :]]
        gone = begin + np.flatnonzero(~keep)
        duration = self.duration[begin:end][keep]
        self.pitch, self.start, self.duration, self.bar = (
            np.delete(part, gone) for part in (self.pitch, self.start, self.duration, self.bar)
        )
        self.counts[bar] = keep.sum()
        ticks = int(bar_start[bar + 1] - bar_start[bar])
        self.polyphony[bar] = bar_polyphony_bin(onset[keep], duration, ticks) if not self.is_drum else 0
        return True


def _thinned(tokens: list[int], keep: list[bool]) -> list[int]:
    """The note tokens of a bar without the notes whose ``keep`` is false."""
    result: list[int] = []
    position, written_position, level, written_level, note = 0, 0, 0, 0, -1
    for token in tokens:
        if v.POSITION <= token < v.VELOCITY:
            position = token
        elif v.VELOCITY <= token < v.PLACEHOLDER:
            level = token
        else:
            note += v.NOTE_ONSET <= token < v.NOTE_DURATION
            if not keep[note]:
                continue
            if token < v.NOTE_DURATION:
                if position != written_position:
                    result.append(position)
                if level != written_level:
                    result.append(level)
                written_position, written_level = position, level
            result.append(token)
    return result


class WindowWriter:
    """Writes one window: chooses targets and hidden bars, then emits the tokens in grammar order."""

    def __init__(
        self,
        rng: np.random.Generator,
        mix: Mix,
        views: list[TrackView],
        signatures: list[int],
        bar_start: np.ndarray,
        piece: int,
    ):
        self.rng, self.mix, self.views = rng, mix, views
        self.signatures, self.bar_start, self.piece = signatures, bar_start, piece
        self.n_bars = len(signatures)
        self.targets = np.zeros((len(views), self.n_bars), dtype=bool)
        self.hidden = np.zeros((len(views), self.n_bars), dtype=bool)
        self.ids: list[int] = []
        self.kinds: list[int] = []
        self.cells: list[int] = []  # of every token: row of the hint table, 0 for none
        self.ordinals: list[int] = []
        self.links: list[tuple[int, int, int]] = []
        self.shells: set[int] = set()  # hint rows of bars whose notes are not shown in them
        self.placeholders: dict[tuple[int, int], tuple[int, int]] = {}  # (row, bar) to (position, ordinal)
        self.table: list[tuple[int, ...]] = [(-1,) * (len(HINT_SIZES) - 1)]
        self.rows: dict[tuple[int, int], int] = {}
        self.thinned: set[tuple[int, int]] = set()  # (track number, bar)

    def write(self) -> Window | None:
        """The finished window, or ``None`` if the tracks at hand offer nothing to write."""
        rng = self.rng
        infill = rng.random() < self.mix.infill
        if infill:
            self._choose_targets()
            if rng.random() < self.mix.thin:
                self._thin_targets()
            self._order_for_infill()
        elif not self._order_for_plain():
            return None
        if rng.random() < self.mix.mask_bars:
            maskable = ~self.targets
            if not infill:
                maskable[-1] = False
            self.hidden = maskable & (rng.random(maskable.shape) < rng.uniform(0.05, 0.5))
        context_key, full_key = self._keys(infill)
        self._emit([v.PIECE_START + int(infill), v.NUM_BARS + v.BAR_COUNTS.index(self.n_bars)], CONTEXT)
        for row, view in enumerate(self.views):
            written = not infill and row == len(self.views) - 1
            self._track(row, view, written, context_key, full_key)
        if infill:
            for row, view in enumerate(self.views):
                for bar in np.flatnonzero(self.targets[row]):
                    self._fill(row, view, int(bar))
        notes = sum(len(view.pitch) for view in self.views)
        ids = np.array(self.ids, dtype=np.uint16)
        hints = np.column_stack([np.array(self.table, dtype=np.int8)[self.cells], self._remaining(ids)])
        return Window(
            ids=ids,
            kinds=np.array(self.kinds, dtype=np.uint8),
            hints=hints,
            ordinals=np.array(self.ordinals, dtype=np.int8),
            links=np.array(self.links, dtype=np.int16),
            piece=self.piece,
            n_bars=self.n_bars,
            notes=notes,
        )

    def _remaining(self, ids: np.ndarray) -> np.ndarray:
        """Class of the number of notes to come in the bar or block of every token, ``(length,)`` int8."""
        cells = np.array(self.cells)
        pitch = (ids >= v.NOTE_ONSET) & (ids < v.NOTE_DURATION)
        so_far = np.cumsum(pitch)
        # Tokens of one cell are contiguous: notes up to its last token minus notes up to here.
        last = np.zeros(len(self.table), dtype=np.int64)
        last[cells] = so_far
        classes = np.searchsorted(_REMAINING_LIMITS, last[cells] - so_far)
        silent = (cells == 0) | np.isin(cells, list(self.shells))
        return np.where(silent, -1, classes).astype(np.int8)

    def _choose_targets(self) -> None:
        """Mark the bars to be filled; only bars that have notes, since an empty fill block is illegal."""
        rng = self.rng
        filled = np.stack([view.counts > 0 for view in self.views])
        shape = choose(rng, self.mix.shapes)
        if shape == "scatter":
            chosen = filled & (rng.random(filled.shape) < rng.uniform(0.25, 0.7))
        elif shape == "bar":
            chosen = np.zeros_like(filled)
        else:
            rows = 1 if shape != "block" else int(rng.integers(1, 4))
            length = self.n_bars if shape == "track" else int(rng.integers(1, self.n_bars + 1))
            begin = int(rng.integers(0, self.n_bars - length + 1))
            area = np.zeros_like(filled)
            area[rng.permutation(len(self.views))[:rows], begin : begin + length] = True
            chosen = filled & area
        if not chosen.any():
            cells = np.argwhere(filled)
            row, bar = cells[rng.integers(len(cells))]
            chosen[row, bar] = True
        cells = np.argwhere(chosen)
        if len(cells) > self.mix.max_targets:
            surplus = cells[rng.permutation(len(cells))[self.mix.max_targets :]]
            chosen[surplus[:, 0], surplus[:, 1]] = False
        self.targets = chosen

    def _thin_targets(self) -> None:
        """Take notes out of some targets: a sparse bar among dense ones makes its density token matter."""
        for row, bar in np.argwhere(self.targets).tolist():
            view = self.views[row]
            if self.rng.random() < 0.6 and view.thin(bar, self.bar_start, self.rng):
                self.thinned.add((view.number, bar))

    def _order_for_infill(self) -> None:
        """Often put the tracks to be filled last, as an engine may do to reuse the other tracks' cache."""
        if self.rng.random() < self.mix.targets_last:
            order = np.argsort(self.targets.any(axis=1), kind="stable")
            self.views = [self.views[i] for i in order]
            self.targets = self.targets[order]

    def _order_for_plain(self) -> bool:
        """Put a track without empty bars last, as the one to be written; false if there is none."""
        full = [i for i, view in enumerate(self.views) if (view.counts > 0).all()]
        if not full:
            return False
        self.views.append(self.views.pop(full[int(self.rng.integers(len(full)))]))
        return True

    def _keys(self, infill: bool) -> tuple[int, int]:
        """The key of the visible melodic notes, and of these together with the notes to be written."""
        values = []
        for include_written in (False, True):
            pitches, durations = [], []
            for row, view in enumerate(self.views):
                if view.is_drum or (not infill and not include_written and row == len(self.views) - 1):
                    continue
                bars = ~self.hidden[row] if include_written else ~(self.hidden[row] | self.targets[row])
                chosen = bars[view.bar]
                pitches.append(view.pitch[chosen])
                durations.append(view.duration[chosen])
            empty = np.zeros(0, dtype=np.int64)
            values.append(
                key_signature(np.concatenate([empty, *pitches]), np.concatenate([empty, *durations]))
            )
        return values[0], values[1]

    def _emit(
        self,
        ids: list[int],
        kind: int,
        cell: int = 0,
        ordinal: int = -1,
        links: tuple[int, int, int] = (-1, -1, -1),
    ) -> None:
        count = len(ids)
        self.ids += ids
        self.kinds += [kind] * count
        self.cells += [cell] * count
        self.ordinals += [ordinal] * count
        self.links += [links] * count

    def _track(self, row: int, view: TrackView, written: bool, context_key: int, full_key: int) -> None:
        kind = WRITTEN_TRACK if written else CONTEXT
        self._emit([v.TRACK + int(view.is_drum), v.INSTRUMENT + view.instrument], CONTEXT)
        instrument_at = len(self.ids) - 1
        limits = v.density_row(view.is_drum, view.instrument)
        levels = self._track_levels(row, view, limits, full_key if written else context_key, full_key)
        self._emit([v.START[name] + level for name, level in levels.items() if level >= 0], kind)
        for bar, said in enumerate(self._bar_levels(row, view, limits, written)):
            self._bar(row, view, bar, said, kind, instrument_at)
        self._emit([v.TRACK_END], kind)

    def _track_levels(
        self, row: int, view: TrackView, limits: np.ndarray, visible_key: int, full_key: int
    ) -> dict[str, int]:
        """What the track's attribute tokens say, by name: of the visible bars or of the bars to be filled; -1
        for an attribute that is left out.
        """
        rng, targets, hidden = self.rng, self.targets[row], self.hidden[row]

        def measure(looked_at: np.ndarray, key: int) -> dict[str, int]:
            return track_attributes(
                view.pitch,
                view.start,
                view.duration,
                view.bar,
                self.bar_start,
                looked_at,
                view.is_drum,
                limits,
                key,
            )

        names = v.DRUM_ATTRIBUTES if view.is_drum else v.TRACK_ATTRIBUTES
        visible = measure(~(targets | hidden), visible_key)
        if targets.any():
            asked = measure(targets, full_key)
            draws = rng.random(len(names))
            return {
                name: (visible if draw < 0.45 else asked if draw < 0.85 else {}).get(name, -1)
                for name, draw in zip(names, draws, strict=True)
            }
        drop = (rng.random(len(names)) < 0.1) | (rng.random() < 0.1)
        return {name: -1 if gone else visible.get(name, -1) for name, gone in zip(names, drop, strict=True)}

    def _bar_levels(
        self, row: int, view: TrackView, limits: np.ndarray, written: bool
    ) -> list[tuple[int, int]]:
        """Density and polyphony that every bar says, -1 for one that it does not say."""
        asked = self.targets[row] | written
        left_out = self.rng.random(2) < 0.25
        draws = self.rng.random((self.n_bars, 2))
        thinned = [(view.number, bar) in self.thinned for bar in range(self.n_bars)]
        draws[thinned, 0] = 0.0  # a thinned bar always says so
        says = np.where(asked[:, None], draws < 0.7, ~left_out & (draws >= 0.05))
        says &= ~self.hidden[row][:, None]
        says[:, 1] &= not view.is_drum
        density = [density_bin(int(count), limits) for count in view.counts]
        return [
            (level if of_density else -1, voices if of_voices else -1)
            for (of_density, of_voices), level, voices in zip(says, density, view.polyphony, strict=True)
        ]

    def _bar(
        self, row: int, view: TrackView, bar: int, said: tuple[int, int], kind: int, instrument_at: int
    ) -> None:
        """One bar: what it says of itself, and its notes, or what stands for them. `said` as in
        `_bar_levels`.
        """
        density, polyphony = said
        bar_says = len(self.ids) + (density >= 0)  # the density token if there is one, else the bar token
        self._emit([v.BAR], kind)
        if density >= 0:
            self._emit([v.BAR_DENSITY + density], kind)
        if polyphony >= 0:
            self._emit([v.BAR_POLYPHONY + polyphony], kind)
        self.rows[row, bar] = cell = len(self.table)
        instrument = 109 if view.is_drum else view.instrument
        self.table.append((instrument, bar, density + 1, polyphony + 1, -1))
        links = (instrument_at, bar_says, -1)
        self._emit([v.TIME_SIG + self.signatures[bar]], kind, cell, links=links)
        ordinal, content = -1, view.tokens[view.cuts[bar] : view.cuts[bar + 1]]
        if self.targets[row, bar] or self.hidden[row, bar]:
            self.shells.add(cell)
            content = [v.MASK_BAR]
        if self.targets[row, bar]:
            ordinal = min(len(self.placeholders), ORDINALS - 1)
            self.placeholders[row, bar] = (len(self.ids), ordinal)
            content = [v.PLACEHOLDER]
        self._emit([*content, v.BAR_END], kind, cell, ordinal, links)

    def _fill(self, row: int, view: TrackView, bar: int) -> None:
        register = -1 if view.is_drum else int(view.pitch.mean()) // 6
        cell = len(self.table)
        self.table.append((*self.table[self.rows[row, bar]][:-1], register))
        notes = view.tokens[view.cuts[bar] : view.cuts[bar + 1]]
        first = 1 + next(i for i, token in enumerate(notes) if v.NOTE_ONSET <= token < v.NOTE_DURATION)
        placeholder, ordinal = self.placeholders[row, bar]
        links = (-1, -1, placeholder)
        self._emit([v.FILL_START], CONTEXT, cell, ordinal, links)
        self._emit(notes[:first], FIRST_NOTE, cell, ordinal, links)
        self._emit(notes[first:], FILL, cell, ordinal, links)
        self._emit([v.FILL_END], FILL)
