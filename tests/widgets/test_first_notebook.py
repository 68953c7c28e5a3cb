"""The first notebook as its reader meets it: JupyterLab, page and model are real; the task is done."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from lab import KERNEL, eventually, open_notebook, run_all, run_command

pytestmark = [pytest.mark.browser, pytest.mark.model]
NOTEBOOK = Path(__file__).parents[2] / "notebooks" / "01-first-infill.ipynb"


def test_the_reader_selects_generates_and_is_told_what_changed(lab, page, tmp_path) -> None:
    document = json.loads(NOTEBOOK.read_text(encoding="utf-8"))
    document["metadata"]["kernelspec"] = {"name": KERNEL, "display_name": KERNEL, "language": "python"}
    (lab.root / NOTEBOOK.name).write_text(json.dumps(document))
    open_notebook(page, lab, NOTEBOOK.name)
    run_all(page)
    errors = page.locator(".jp-OutputArea-output[data-mime-type='application/vnd.jupyter.error']")
    assert errors.count() == 0, errors.first.inner_text()

    # Both rolls are alive, with the bars of the cell selected.
    rolls = page.get_by_test_id("mgnb-roll")
    eventually(rolls.count, 2, timeout=30)
    assert lab.kernel_eval(NOTEBOOK.name, "sorted(map(list, roll.selected_cells))") == [
        [1, b] for b in range(4, 8)
    ]

    # The reader's turn: drag over bars 3-4 of the lead in the editor, press Generate, wait.
    editor = rolls.nth(1)
    editor.scroll_into_view_if_needed()
    first, last = (editor.evaluate("(el, bar) => el.mgnb.barRect(3, bar)", bar) for bar in (2, 3))
    page.mouse.move(first["x"] + first["w"] / 2, first["y"] + first["h"] / 2)
    page.mouse.down()
    page.mouse.move(last["x"] + last["w"] / 2, last["y"] + last["h"] / 2, steps=8)
    page.mouse.up()
    eventually(
        lambda: lab.kernel_eval(NOTEBOOK.name, "sorted(map(list, editor.selected_cells))"), [[3, 2], [3, 3]]
    )
    editor.get_by_test_id("mgnb-generate").click()
    eventually(lambda: lab.kernel_eval(NOTEBOOK.name, "editor.status"), "done", timeout=60)

    # The next cell says so.
    number = next(i for i, cell in enumerate(document["cells"]) if "yours = " in "".join(cell["source"]))
    page.evaluate("(i) => { window.jupyterapp.shell.currentWidget.content.activeCellIndex = i; }", number)
    run_command(page, "notebook:run-cell")
    told = page.locator(".jp-Notebook .jp-Cell").nth(number).locator(".jp-OutputArea")
    eventually(lambda: "bar 3 of" in told.inner_text() and "bar 4 of" in told.inner_text())
    assert lab.kernel_eval(NOTEBOOK.name, "sorted({t for t, _ in yours.changed})") == [3]
    assert page.page_errors == []
