"""The roll in a real JupyterLab with the bundled model: what a person does, and what Python sees of it."""

from __future__ import annotations

import base64
import json

import pytest
from lab import eventually, open_notebook, run_all, run_command, set_theme
from studio import SCREENSHOTS, Studio, cell_output, run_cell, watched_page

pytestmark = [pytest.mark.browser, pytest.mark.model, pytest.mark.timeout(300)]

NAME = "studio.ipynb"
CELLS = [
    """import time, hashlib
import midigpt_nb as mg
score = mg.Score.example()
editor = mg.InfillEditor(score, height=300)
def bars_changed(before, after):
    return sorted([t, b] for t in range(before.n_tracks) for b in range(before.table.n_bars(t))
                  if before.table.notes[slice(*before.table.note_rows(t, b))].tolist()
                  != after.table.notes[slice(*after.table.note_rows(t, b))].tolist())
def sha(score):
    return hashlib.sha256(score.to_midi()).hexdigest()
editor""",
    "ran_meanwhile = editor.status; time.sleep(0.1); print('status', ran_meanwhile)",
    """job = editor.generate([(t, b) for t in range(4) for b in range(16)], model_dim=4, bars_per_step=1)
waited_from = time.time()
while not job.done and time.time() - waited_from < 20:
    time.sleep(0.01)   # a busy cell: the main thread answers nobody
waited = time.time() - waited_from
job.status""",
]


@pytest.fixture(scope="module")
def studio(lab, chromium):
    pytest.importorskip("torch")
    lab.write(NAME, CELLS)
    page = watched_page(chromium)
    open_notebook(page, lab, NAME)
    run_cell(page, 0)
    page.get_by_test_id("mgnb-roll").wait_for(state="visible", timeout=60_000)
    made = Studio(page, lab, NAME)
    eventually(lambda: made.eval("bool(editor.caps['attributes'])"), True, 90)
    yield made
    assert page.page_errors == []
    made.close()
    page.context.close()


def test_the_piece_appears_without_waiting_for_the_model(studio):
    state = studio.state()
    assert state["rev"] == studio.eval("editor._rev") and state["notes"] == studio.eval("score.n_notes")
    assert studio.button("track-3").is_visible() and studio.button("generate").is_visible()
    names = studio.eval("score.track_names")
    for i, name in enumerate(names):
        assert name in studio.button(f"track-{i}").inner_text()
    assert "error" not in cell_output(studio.page, 0).lower().replace("mgnb-error", "")
    room = "el => el.closest('.jp-OutputArea-child').getBoundingClientRect().right"
    box = studio.root.bounding_box()
    assert box["width"] > 500 and box["x"] + box["width"] <= studio.root.evaluate(room) + 1
    studio.shot("01-light-before")


def test_a_mouse_drag_selects_bars_and_python_hears_of_it(studio):
    studio.reset()
    studio.drag((1, 4), (1, 7))
    eventually(lambda: studio.eval("editor.selected_cells"), [[1, 4], [1, 5], [1, 6], [1, 7]])
    studio.drag((0, 0), (2, 1))
    eventually(lambda: len(studio.eval("editor.selected_cells")), 6)
    assert studio.state()["selection"] == studio.eval("editor.selected_cells")


def test_the_keyboard_selects_bars_and_keys_stay_in_the_roll(studio):
    studio.reset()
    before = studio.page.evaluate("() => window.jupyterapp.shell.currentWidget.model.cells.length")
    studio.page.mouse.click(*studio.bar(1, 4))
    for _ in range(3):
        studio.page.keyboard.press("Shift+ArrowRight")
    eventually(lambda: studio.eval("editor.selected_cells"), [[1, 4], [1, 5], [1, 6], [1, 7]])
    studio.page.keyboard.press("Shift+ArrowDown")
    eventually(lambda: len(studio.eval("editor.selected_cells")), 8)
    for key in ("a", "b", "d", "d", "x", "z"):
        studio.page.keyboard.press(key)
    assert studio.page.evaluate("() => window.jupyterapp.shell.currentWidget.model.cells.length") == before
    studio.page.keyboard.press("Escape")
    eventually(lambda: studio.eval("editor.selected_cells"), [])


def test_python_sets_selection_score_and_theme_and_the_page_follows(studio):
    studio.reset()
    studio.run("editor.select(tracks=2, bars=range(8, 12))")
    eventually(lambda: studio.state()["selection"], [[2, b] for b in range(8, 12)])
    notes = studio.state()["notes"]
    studio.run(
        "import numpy as np\nempty = np.zeros((0, 5), int)\n"
        "editor.score = score.with_table(score.table.replaced([(1, 4)], [empty]))"
    )
    eventually(lambda: studio.state()["notes"] < notes)
    assert studio.state()["notes"] == studio.eval("editor.score.n_notes")
    studio.run("editor.undo()")
    eventually(lambda: studio.state()["notes"], notes)
    studio.run("editor.theme = 'dark'")
    eventually(lambda: studio.theme(), "dark")
    studio.run("editor.theme = 'auto'")
    eventually(lambda: studio.theme(), "light")


def test_a_wrong_value_from_python_is_a_traiterror_and_harmless(studio):
    code = """
try:
    editor.selection = [(0, 99)]
    caught = ""
except Exception as problem:
    caught = type(problem).__name__
"""
    assert studio.run(code, "caught") == "TraitError"


def test_generate_streams_notes_and_changes_only_the_selected_bars(studio):
    studio.reset()
    page, cells = studio.page, [[1, 4], [1, 5], [1, 6], [1, 7]]
    digest = studio.eval("sha(editor.score)")
    studio.drag((1, 4), (1, 7))
    eventually(lambda: studio.eval("editor.selected_cells"), cells)
    studio.shot("02-light-selected")
    assert "5-8" in studio.button("generate").inner_text().replace("–", "-")
    studio.run("told = []\nfor name in ('notes', 'done'): editor.on(name, lambda e: told.append(e['event']))")
    studio.button("generate").click()
    eventually(lambda: studio.eval("told[-1:] == ['done'] and editor.status == 'done'"))
    assert studio.eval("told").count("notes") > 1, "notes did not stream"
    eventually(lambda: studio.state()["rev"] == studio.eval("editor._rev"))
    changed = studio.eval("bars_changed(score, editor.score)")
    assert changed and all(cell in cells for cell in changed)
    assert studio.state()["rev"] == studio.eval("editor._rev") and studio.state()["removed"] > 0
    studio.shot("04-light-after")
    studio.root.screenshot(path=SCREENSHOTS / "roll.png")
    studio.choose("undo")
    eventually(lambda: studio.eval("sha(editor.score)"), digest)
    studio.choose("redo")
    eventually(lambda: studio.eval("bars_changed(score, editor.score)"), changed)
    assert '"stderr"' not in cell_output(page, 0)


def test_other_cells_run_meanwhile_and_stop_leaves_the_score_alone(studio):
    studio.reset()
    digest = studio.eval("sha(editor.score)")
    studio.run(
        "editor.sampling = {'model_dim': 4, 'bars_per_step': 1}\neditor.select()\nstamps = []\n"
        "editor.observe(lambda change: stamps.append((change['new'], time.time())), 'status')"
    )
    eventually(lambda: len(studio.state()["selection"]), 64)
    studio.button("generate").click()
    eventually(lambda: (studio.state()["job"] or {}).get("finished", 0) >= 1, True, 60)
    studio.shot("03-light-during")
    run_cell(studio.page, 1)  # returns when the cell has run
    assert "status running" in cell_output(studio.page, 1), cell_output(studio.page, 1)
    studio.button("stop").click()
    eventually(lambda: studio.state()["running"], False)
    stamps = dict(studio.eval("stamps"))
    assert stamps["idle"] - stamps["cancelling"] <= 0.5, stamps
    assert studio.eval("list(editor._jobs.values())[-1].status") == "cancelled"
    assert studio.eval("sha(editor.score)") == digest and studio.eval("editor.status") == "idle"
    eventually(lambda: studio.eval("editor._handle.worker.busy"), False)


def test_stop_is_heard_while_a_cell_runs(studio):
    if not studio.has_helper_threads():
        pytest.skip("this kernel or page has no helper threads: messages wait until the cell has run")
    studio.reset()
    run_cell(studio.page, 2, wait=False)
    eventually(lambda: (studio.state()["job"] or {}).get("provisional", 0) > 0, True, 60)
    studio.button("stop").click()
    eventually(lambda: studio.state()["running"], False)
    eventually(lambda: "cancelled" in cell_output(studio.page, 2))
    assert studio.eval("waited") < 15 and studio.eval("job.status") == "cancelled"


def test_a_refused_request_says_why_in_the_page(studio):
    studio.reset()
    studio.run("editor.sampling = {'model_dim': 5}\neditor.select(1, [4, 5])")
    eventually(lambda: studio.state()["selection"], [[1, 4], [1, 5]])
    studio.focus()
    studio.press("g")  # a button that has heard of the refusal already cannot be clicked
    studio.button("error").get_by_text("window").first.wait_for(timeout=30_000)
    assert studio.state()["running"] is False


def test_play_moves_the_playhead_and_stops(studio):
    studio.reset()
    start = studio.state()["position"]
    studio.button("play").click()
    eventually(lambda: studio.state()["position"] > start + 200)
    eventually(lambda: studio.eval("editor.playing"))
    studio.button("play").click()
    eventually(lambda: studio.eval("editor.playing"), False)
    studio.run("editor.loop = [4, 8]")
    eventually(lambda: bool(studio.state()["loop"]))


def test_takes_are_compared_mixed_and_kept(studio):
    page, cells = studio.page, [[1, 4], [1, 5]]
    studio.reset()
    studio.select_in_page(cells)
    before = studio.eval("sha(editor.score)")
    studio.choose("takes-count", 3)
    studio.button("generate").click()
    eventually(lambda: studio.eval("len(editor.takes)"), 3, 60)
    eventually(lambda: page.locator(".mgnb-take").count(), 4)
    assert studio.eval("sha(editor.score)") == before
    page.locator(".mgnb-surface").focus()
    page.keyboard.press("1")
    eventually(lambda: studio.eval("editor.active_take"), studio.eval("editor._take_of(0).id"))
    page.keyboard.press("3")
    page.keyboard.down("Alt")
    page.mouse.click(*studio.bar(1, 5))
    page.keyboard.up("Alt")
    page.keyboard.press("2")
    eventually(lambda: studio.eval("list(editor.comp)"), ["1,5"])
    studio.shot("lab-takes")
    studio.run("chosen = [editor._take_of(i).score for i in range(3)]")
    page.locator(".mgnb-surface").focus()
    page.keyboard.press("Enter")
    eventually(lambda: studio.eval("len(editor.takes)"), 0)
    assert studio.eval("bars_changed(chosen[1], editor.score)") in ([[1, 5]], [])
    assert studio.eval("bars_changed(chosen[2], editor.score)") in ([[1, 4]], [])
    assert studio.run("editor.undo()\neditor.n_takes = 1", "sha(editor.score)") == before


def test_menus_of_tracks_and_bars_work_in_the_notebook(studio):
    """Python's score follows every choice, and one undo each brings all of it back."""
    studio.reset()
    before = studio.eval("sha(editor.score)")
    studio.button("track-menu-1").click()
    studio.button("rename").click()
    studio.button("menu-field").fill("Low end")
    studio.page.keyboard.press("Enter")
    eventually(lambda: studio.eval("editor.score.track_names[1]"), "Low end")
    studio.button("track-menu-1").click()
    studio.button("track-duplicate").click()
    eventually(lambda: studio.eval("editor.score.n_tracks"), 5)
    studio.drag((1, 4), (1, 5))
    studio.button("bar-menu").click()
    studio.shot("lab-bar-menu")
    studio.button("bars-duplicate").click()
    eventually(lambda: studio.eval("editor.score.n_bars"), 18)
    studio.button("mute-0").click()
    eventually(lambda: studio.button("mute-0").get_attribute("aria-pressed"), "true")
    studio.button("mute-0").click()
    eventually(lambda: studio.state()["rev"] == studio.eval("editor._rev"))
    studio.focus()
    for bars, tracks in ((16, 5), (16, 4), (16, 4)):
        studio.press("Control+z")
        eventually(lambda: studio.eval("editor.score.n_bars"), bars)
        eventually(lambda: studio.eval("editor.score.n_tracks"), tracks)
    eventually(lambda: studio.eval("sha(editor.score)"), before)


def test_curves_drawn_in_the_notebook_are_pythons_too(studio):
    studio.reset()
    lanes = studio.button("lanes")
    if not lanes.is_visible():
        studio.focus()
        studio.press("a")
    studio.button("lane-track").select_option("1")
    studio.draw("bar_note_density", {4: 2, 5: 5, 6: 8})
    eventually(lambda: studio.eval("editor.curve('bar_note_density', 'Bass')[4:7]"), [2, 5, 8])
    studio.press("Control+z")  # the stroke, as one step
    eventually(lambda: studio.eval("editor.curve('bar_note_density', 'Bass')[4:7]"), [None] * 3)
    studio.press("Control+Shift+z")
    eventually(lambda: studio.eval("editor.curve('bar_note_density', 'Bass')[4:7]"), [2, 5, 8])
    studio.button("lane-more-bar_note_density").click()
    studio.button("lane-clear").click()
    eventually(lambda: studio.eval("editor.attributes['bar']"), {})
    studio.run("editor.set_curve('bar_note_density', 'Bass', [4, 5], [1, 9])")
    slider = studio.root.locator("[role=slider][data-lane=bar_note_density]").nth(5)
    eventually(lambda: slider.get_attribute("aria-valuenow"), "9")


def test_dark_theme_before_during_after(studio):
    studio.reset()
    set_theme(studio.page, "JupyterLab Dark")
    try:
        eventually(lambda: studio.theme(), "dark")
        studio.shot("05-dark-before")
        studio.select_in_page([[2, b] for b in range(4, 8)] + [[3, b] for b in range(4, 8)])
        studio.button("generate").click()
        eventually(lambda: (studio.state()["job"] or {}).get("provisional", 0) > 12, True, 60)
        studio.shot("06-dark-during")
        eventually(lambda: studio.eval("editor.status"), "done", 120)
        eventually(lambda: studio.state()["running"], False)
        studio.shot("07-dark-after")
    finally:
        set_theme(studio.page, "JupyterLab Light")


def test_the_saved_notebook_shows_the_picture_without_a_kernel(studio):
    run_command(studio.page, "docmanager:save")
    path = studio.lab.root / NAME

    def picture():
        outputs = json.loads(path.read_text())["cells"][0]["outputs"]
        return next((o["data"]["image/png"] for o in outputs if "image/png" in o.get("data", {})), "")

    eventually(lambda: bool(picture()))
    png = base64.b64decode(picture())
    assert png[:8] == b"\x89PNG\r\n\x1a\n" and len(png) <= 30_000
    nbconvert = pytest.importorskip("nbconvert")
    nbformat = pytest.importorskip("nbformat")
    notebook = nbformat.read(path, as_version=4)
    notebook.metadata.pop("widgets", None)
    html, _ = nbconvert.HTMLExporter().from_notebook_node(notebook)
    assert "data:image/png;base64," in html


def test_a_reload_in_the_middle_finds_piece_and_job_again(studio):
    studio.reset()
    run_command(studio.page, "docmanager:save")
    # several in line, so that one still runs when a slow machine has reloaded the page
    studio.run(
        "cells = [(t, b) for t in range(4) for b in range(16)]\n"
        "jobs = [editor.generate(cells, model_dim=4, bars_per_step=1) for _ in range(8)]"
    )
    eventually(lambda: (studio.state()["job"] or {}).get("provisional", 0) > 0, True, 60)
    open_notebook(studio.page, studio.lab, NAME)
    studio.root.wait_for(state="visible", timeout=90_000)
    eventually(lambda: (studio.state()["job"] or {}).get("provisional", 0) > 0, True, 60)
    assert studio.state()["job"]["id"] in studio.eval("[job.id for job in jobs]")
    studio.run("editor.cancel()")
    eventually(lambda: studio.state()["running"], False)
    eventually(lambda: studio.state()["rev"] == studio.eval("editor._rev"))


def test_the_viewer_shows_pieces_side_by_side(lab, page):
    lab.write(
        "show.ipynb", ["import midigpt_nb as mg\nmg.show(mg.Score.example(), mg.Score.example(), height=200)"]
    )
    open_notebook(page, lab, "show.ipynb")
    run_all(page)
    page.get_by_test_id("mgnb-roll").nth(1).wait_for(state="visible", timeout=90_000)
    assert page.get_by_test_id("mgnb-roll").count() == 2
    assert not page.get_by_test_id("mgnb-generate").first.is_visible()
    assert page.page_errors == []


def test_n1_the_attribute_panel_stands_alone_and_beside_the_roll(lab, page):
    """First alone, then the roll in another cell: what is asked for in one of them is in the other."""
    pytest.importorskip("torch")
    make = "import midigpt_nb as mg\neditor = mg.InfillEditor(mg.Score.example())\nmg.AttributePanel(editor)"
    lab.write("panel.ipynb", [make, "editor"])
    open_notebook(page, lab, "panel.ipynb")
    run_cell(page, 0)
    panel = page.locator(".mgnb-as-panel")
    panel.get_by_test_id("mgnb-lanes").wait_for(state="visible", timeout=90_000)
    slider = panel.locator("[role=slider][data-lane=bar_note_density]").nth(2)
    eventually(lambda: slider.count(), 1, 90)
    slider.focus()
    for key in ("Home", "ArrowUp", "ArrowUp"):
        page.keyboard.press(key)
    eventually(lambda: lab.kernel_eval("panel.ipynb", "editor.curve('bar_note_density', 0)[2]"), 2)
    page.locator(".mgnb-as-panel").screenshot(path=SCREENSHOTS / "attribute-panel-lab.png")
    run_cell(page, 1)
    roll = page.locator(".mgnb-root:not(.mgnb-as-panel)")
    roll.wait_for(state="visible", timeout=60_000)
    lab.kernel_eval("panel.ipynb", "editor.select(1, [4, 5])")
    for place in (panel, roll):
        button = place.get_by_test_id("mgnb-generate")
        eventually(lambda b=button: "5–6, " in (b.text_content() or ""))
    assert page.page_errors == []
