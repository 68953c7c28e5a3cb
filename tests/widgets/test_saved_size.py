"""What rolls add to a saved notebook (O4)."""

from __future__ import annotations

import json

import ipywidgets
import nbformat

from midigpt_nb import PianoRoll, Score

TEN_ROLLS = 2_000_000


def test_o4_ten_displayed_rolls_add_two_megabytes_at_most() -> None:
    """As JupyterLab saves it: every model with its whole state, every output with its picture."""
    rolls = [PianoRoll(Score.example()) for _ in range(10)]
    state = ipywidgets.Widget.get_manager_state(drop_defaults=False, widgets=rolls)
    cells = []
    for roll in rolls:
        shown = roll._repr_mimebundle_()
        data, about = shown if isinstance(shown, tuple) else (shown, {})
        output = nbformat.v4.new_output("display_data", data=data, metadata=about)
        cells.append(nbformat.v4.new_code_cell("roll", outputs=[output]))
    metadata = {"widgets": {"application/vnd.jupyter.widget-state+json": state}}
    bare = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("roll") for _ in rolls])
    full = nbformat.v4.new_notebook(cells=cells, metadata=metadata)
    added = len(nbformat.writes(full)) - len(nbformat.writes(bare))
    scripts = sum(len(json.dumps(model["state"].get("_esm", ""))) for model in state["state"].values())
    assert scripts > 500_000  # the state is really in there
    assert added <= TEN_ROLLS, f"ten rolls add {added:,} bytes to a notebook"
