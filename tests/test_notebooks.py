"""The committed notebooks as documents; scripts/test also runs each from top to bottom (nbval)."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

nbformat = pytest.importorskip("nbformat")

FOLDER = Path(__file__).parent.parent / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))


@pytest.fixture(params=NOTEBOOKS, ids=lambda path: path.stem)
def notebook(request: pytest.FixtureRequest) -> nbformat.NotebookNode:
    return nbformat.read(request.param, as_version=4)


def code_cells(notebook: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def prose(notebook: nbformat.NotebookNode) -> str:
    return "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")


def test_there_is_a_first_notebook() -> None:
    assert (FOLDER / "01-first-infill.ipynb") in NOTEBOOKS


def test_it_was_made_by_the_script(notebook: nbformat.NotebookNode) -> None:
    nbformat.validate(notebook)
    assert notebook.metadata.kernelspec.name == "python3"
    ids = [cell.id for cell in notebook.cells]
    assert ids == [f"cell-{number:02d}" for number in range(1, len(ids) + 1)]
    assert all(set(cell.metadata) <= {"tags"} for cell in notebook.cells)


def test_it_was_run_from_top_to_bottom(notebook: nbformat.NotebookNode) -> None:
    cells = code_cells(notebook)
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    outputs = [output for cell in cells for output in cell.outputs]
    assert not [out for out in outputs if out.output_type == "error" or out.get("name") == "stderr"]


def test_what_is_kept_is_small_and_alive(notebook: nbformat.NotebookNode) -> None:
    size = len(nbformat.writes(notebook))
    assert size < 400_000
    for cell in code_cells(notebook):
        for output in cell.outputs:
            assert "application/vnd.jupyter.widget-view+json" not in output.get("data", {})


def test_it_teaches(notebook: nbformat.NotebookNode) -> None:
    first = notebook.cells[0]
    assert first.cell_type == "markdown"
    assert re.search(r"\b(minutes?|seconds)\b", first.source), "the first cell says how long it takes"
    text = prose(notebook)
    for promise in ("No sound", "no network", "no GPU", "Your turn"):
        assert promise.lower() in text.lower(), promise
    assert len(code_cells(notebook)) <= 12
    checked = [cell for cell in code_cells(notebook) if "nbval-check-output" in cell.metadata.get("tags", [])]
    assert not [cell for cell in code_cells(notebook) if "NBVAL" in cell.source], "for tests, not readers"
    asserted = [cell for cell in code_cells(notebook) if re.search(r"^assert ", cell.source, re.MULTILINE)]
    assert checked and asserted


def test_it_uses_public_names_only(notebook: nbformat.NotebookNode) -> None:
    source = "\n".join(cell.source for cell in code_cells(notebook))
    assert not re.findall(r"\._(?!repr_)\w+", source)
    assert "sys.path" not in source
