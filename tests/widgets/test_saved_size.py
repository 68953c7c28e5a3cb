"""What rolls add to a saved notebook (O4)."""

from __future__ import annotations

import json
from collections.abc import Callable

import ipywidgets
import nbformat
import pytest

from midigpt_nb import InfillEditor, PianoRoll, Score

TEN_ROLLS = 2_000_000


def ten_rolls() -> list[PianoRoll]:
    return [PianoRoll(Score.example()) for _ in range(10)]


def ten_editors() -> list[PianoRoll]:
    """With the bundled model, its curves measured, some bars asked for."""
    pytest.importorskip("torch")
    from midigpt_nb.inference import InferenceEngine

    engine = InferenceEngine.from_pretrained()
    editors = [InfillEditor(Score.example(), engine) for _ in range(10)]
    for editor in editors:
        editor._analysis.join(20)
        editor.select(1, range(4, 8))
        editor.set_curve("note_density", 1, range(4, 8), [2, 4, 6, 8])
    assert all(editor.realized["bar"] for editor in editors)
    return list(editors)


@pytest.mark.parametrize("make", [ten_rolls, pytest.param(ten_editors, marks=pytest.mark.model)])
def test_o4_ten_displayed_rolls_add_two_megabytes_at_most(make: Callable[[], list[PianoRoll]]) -> None:
    """As JupyterLab saves it: every model with its whole state, every output with its picture."""
    rolls = make()
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
    print(f"ten rolls add {added:,} bytes")
    assert added <= TEN_ROLLS, f"ten rolls add {added:,} bytes to a notebook"
