"""What the page needs to know of an engine (`caps`), and the measured attribute values (`realized`)."""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING, Any

import numpy as np

from midigpt_nb._core import grid_table
from midigpt_nb.widgets.model_grid import grid_facts
from midigpt_nb.widgets.piece_wishes import chord_facts, piece_rows

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from midigpt_nb._core import ScoreTable
    from midigpt_nb.attributes.analyzer import AttributeAnalyzer
    from midigpt_nb.attributes.registry import Attribute
    from midigpt_nb.inference import InferenceEngine
    from midigpt_nb.widgets.document import Cell

__all__ = ["Realized", "capabilities", "reachable_values", "realized_values", "window_bars"]


def window_bars(engine: InferenceEngine) -> list[int]:
    """Window sizes the model knows, in bars, ascending."""
    return sorted(int(size) for size in engine.limits.window_bars)


def capabilities(engine: InferenceEngine) -> dict[str, Any]:
    """The `caps` trait of an engine: model, window sizes, and its attributes as the panel shows them."""
    rows = engine.attributes.attributes
    here, lacking = piece_rows(engine)
    return {
        "model": engine.name,
        "window_bars": window_bars(engine),
        "max_context": int(engine.limits.max_context),
        "mask_modes": list(engine.limits.mask_modes),
        "attributes": [_attribute(row) for row in rows if row.emitted],
        "absent": _absent(row.in_words for row in rows),
        "settings": setting_rows(engine),
        "grid": grid_facts(engine),
        "chords": chord_facts(engine),
        "piece": here,
        "piece_absent": lacking,
    }


# What one asks for first: density, voices, length, range. Everything else is under "Advanced".
_FIRST = ("note_density", "polyphony", "note_duration", "pitch_range")
_WORDS = 130
"""Attributes with more levels than this have no words in `caps`."""


def _attribute(row: Attribute) -> dict[str, Any]:
    words = [row.describe(level) for level in range(row.size)] if row.size <= _WORDS else []
    plain = words == [str(level) for level in range(row.size)]
    return {
        "name": row.name,
        "label": row.in_words,
        "level": row.level,
        "track_type": row.track_type,
        "size": int(row.size),
        "value_labels": words if words and not plain else None,
        "help": row.doc,
        "nominal": row.nominal,
        "unit": row.unit,
        "advanced": not row.short_name.removeprefix("min_").removeprefix("max_").startswith(_FIRST),
    }


_FIRST_SETTINGS = ("temperature",)
_STEPS = {"temperature": 0.05, "top_p": 0.01, "mask_p": 0.01, "novelty_threshold": 0.05, "ar_overlap": 0.05}
_CONTEXT_LISTS = ("context_drop", "context_keep", "plan_only", "num_candidates", "batch_attempts")
"""Settings that have another place in the roll, or none."""
_CHOSEN_BY_ROLL = ("model_dim", "bars_per_step")
"""Without a value the roll finds one that suits the selected bars."""


def setting_rows(engine: InferenceEngine) -> list[dict[str, Any]]:
    """The settings of a generation as the panel shows them; choices the model lacks are left out."""
    from midigpt_nb.inference.config import AUTO, InferenceConfig, settings

    defaults = InferenceConfig()
    rows = []
    for name, setting in settings().items():
        default = getattr(defaults, name)
        if name in _CONTEXT_LISTS:
            continue
        kind = "switch" if isinstance(default, bool) else "choice" if setting.choices else "number"
        row: dict[str, Any] = {
            "name": name,
            "label": name.replace("_", " "),
            "help": setting.meaning,
            "kind": kind,
            "default": "auto" if name in _CHOSEN_BY_ROLL else default,
            "advanced": name not in _FIRST_SETTINGS,
        }
        if kind == "choice":
            modes = (AUTO, "auto", *engine.limits.mask_modes)
            row["choices"] = [c for c in setting.choices if name != "mask_mode" or c in modes]
        elif kind == "number":
            row["step"] = _STEPS.get(name, 0.05 if isinstance(default, float) else 1)
            row |= {end: value for end in ("low", "high") if (value := getattr(setting, end)) is not None}
        rows.append(row)
    return rows


def _absent(known: Iterable[str]) -> list[str]:
    """Attributes that other models have, in words."""
    from midigpt_nb.attributes.registry import rows

    return sorted({row.in_words for row in rows() if row.emitted} - set(known))


def reachable_values(
    engine: InferenceEngine,
    table: ScoreTable,
    cells: Iterable[Cell],
    settings: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Levels within reach when these cells are written anew, as ``[lowest, highest]`` in the shape of the
    `attributes` trait. Only what is narrower than all levels. Track-level attributes are taken over the
    written bars, as in a report. `settings` are those of the generation: hard limits keep levels away, too.
    """
    targets: dict[int, list[int]] = {}
    for track, bar in cells:
        targets.setdefault(track, []).append(bar)
    found: dict[str, Any] = {"track": {}, "bar": {}}
    if not targets:
        return found
    from midigpt_nb.inference.bounds import highest_level, limit_on

    analyzer = engine.attributes
    grid = grid_table(table, engine.tokenizer.config.resolution)
    reach = analyzer.reachable(grid, targets, whole_track=False, tracks=targets)
    for row in analyzer.attributes:
        for track, bars in targets.items():
            _, program, is_drum = grid.tracks[track].tolist()
            limit = int((settings or {}).get(limit_on(row)) or 0)
            most = highest_level(row, limit, program, bool(is_drum))
            for bar in bars if row.level == "bar" else bars[:1]:
                ends = reach.range(row.name, track, bar)
                if ends is None:
                    continue
                ends = (min(ends[0], most), min(ends[1], most))
                if ends == (0, row.size - 1):
                    continue
                if row.level == "track":
                    found["track"].setdefault(str(track), {})[row.name] = list(ends)
                else:
                    own = found["bar"].setdefault(str(track), {})
                    own.setdefault(str(bar), {})[row.name] = list(ends)
    return found


def realized_values(engine: InferenceEngine, table: ScoreTable) -> dict[str, Any]:
    """The engine's own measure of every track and bar, in the shape of the `attributes` trait.

    Measured on the model's time grid, as the model saw music in training.
    """
    return Realized().values(engine, table)


class Realized:
    """`realized_values` of one table after the other: a track that is as it was in the last one is not
    measured again.
    """

    def __init__(self) -> None:
        self._known: dict[bytes, tuple[dict[str, int], dict[str, dict[str, int]]]] = {}

    def values(self, engine: InferenceEngine, table: ScoreTable) -> dict[str, Any]:
        analyzer = engine.attributes
        grid = grid_table(table, engine.tokenizer.config.resolution)
        known, self._known = self._known, {}
        found: dict[str, Any] = {"track": {}, "bar": {}}
        for track in range(grid.n_tracks):
            key = _digest(grid, track)
            own, bars = self._known[key] = known.get(key) or _measured(analyzer, grid, track)
            view = analyzer.view(grid).track(track)
            shared = [row for row in analyzer.attributes if row.of_window and row.name in own]
            window = {row.name: int(row.quantize(row.measure(view))) for row in shared}
            found["track"][str(track)], found["bar"][str(track)] = {**own, **window}, bars
        return found


def _digest(table: ScoreTable, track: int) -> bytes:
    """The same for tracks that hold the same."""
    first, last = table.bar_rows(track)
    bars = table.bars[first:last].copy()
    cuts = np.append(table.bars[:, 0], table.n_notes)
    notes = table.notes[cuts[first] : cuts[last]]
    bars[:, 0] -= cuts[first]
    return blake2b(table.tracks[track, 1:].tobytes() + bars.tobytes() + notes.tobytes()).digest()


def _measured(
    analyzer: AttributeAnalyzer, table: ScoreTable, track: int
) -> tuple[dict[str, int], dict[str, dict[str, int]]]:
    """A track's values, and those of each of its bars."""
    own = {name: int(value) for name, value in analyzer.track_values(table, track).items()}
    columns = analyzer.bar_values(table, track)
    rows = zip(*(levels.tolist() for levels in columns.values()), strict=True)
    return own, {str(bar): dict(zip(columns, levels, strict=True)) for bar, levels in enumerate(rows)}
