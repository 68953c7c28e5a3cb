"""What the page needs to know of an engine (`caps`), and the measured attribute values (`realized`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from midigpt_nb._core import grid_table

if TYPE_CHECKING:
    from midigpt_nb._core import ScoreTable
    from midigpt_nb.inference import InferenceEngine

__all__ = ["capabilities", "realized_values", "window_bars"]


def window_bars(engine: InferenceEngine) -> list[int]:
    """Window sizes the model knows, in bars, ascending."""
    return sorted(int(size) for size in engine.limits.window_bars)


def capabilities(engine: InferenceEngine) -> dict[str, Any]:
    """The `caps` trait of an engine: model, window sizes, and its attributes as the panel shows them."""
    analyzer = engine.attributes
    sizes, levels = analyzer.attribute_sizes(), analyzer.attribute_levels()
    tracks, labels = analyzer.attribute_track_types(), analyzer.attribute_value_labels()
    attributes = [
        {
            "name": name,
            "label": name.removeprefix("bar_").replace("_", " "),
            "level": levels[name],
            "track_type": tracks[name],
            "size": int(size),
            "value_labels": [str(label) for label in labels[name]] if name in labels else None,
        }
        for name, size in sizes.items()
    ]
    return {
        "model": engine.name,
        "window_bars": window_bars(engine),
        "max_context": int(engine.limits.max_context),
        "mask_modes": list(engine.limits.mask_modes),
        "attributes": attributes,
    }


def realized_values(engine: InferenceEngine, table: ScoreTable) -> dict[str, Any]:
    """The engine's own measure of every track and bar, in the shape of the `attributes` trait.

    Measured on the model's time grid, as the model saw music in training. Times: a few milliseconds a piece.
    """
    analyzer = engine.attributes
    grid = grid_table(table, engine.tokenizer.config.resolution)
    per_track: dict[str, dict[str, int]] = {}
    per_bar: dict[str, dict[str, dict[str, int]]] = {}
    for track in range(grid.n_tracks):
        per_track[str(track)] = {
            name: int(value) for name, value in analyzer.track_values(grid, track).items()
        }
        bars = {name: values.tolist() for name, values in analyzer.bar_values(grid, track).items()}
        per_bar[str(track)] = {
            str(bar): {name: int(values[bar]) for name, values in bars.items() if values[bar] >= 0}
            for bar in range(grid.n_bars(track))
        }
    return {"track": per_track, "bar": per_bar}
