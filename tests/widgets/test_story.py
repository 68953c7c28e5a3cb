"""The acceptance story, told in a real JupyterLab with the bundled model and nothing beyond this machine.

The tests are its chapters and run in this order; each leaves a picture in light and in dark.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import nbformat
import pytest
from lab import eventually, open_notebook, run_command
from nbformat.sign import NotebookNotary
from studio import SCREENSHOTS, Seen, Studio, add_cell, cell_output, rank_correlation, run_cell, watched_page

pytestmark = [pytest.mark.browser, pytest.mark.model, pytest.mark.timeout(300)]

NAME = "story.ipynb"
CELLS = [
    """import midigpt_nb as mg
score = mg.Score.example().delete_track("Flute")
roll = mg.InfillEditor(score, title="A story", height=270)
roll""",
    "roll.trajectories(tracks=['Drums'], takes=sorted(roll.takes, key=lambda take: take.number))",
    "roll",
]
DRUMS, BASS, KEYS = 0, 1, 2
PHRASE = range(4, 8)  # bars 5-8
BASS_CELLS, DRUM_CELLS = ([[track, bar] for bar in PHRASE] for track in (BASS, DRUMS))
DENSITY, VOICES = "bar_note_density", "bar_max_polyphony"
CURVE = dict(zip(PHRASE, (1, 3, 6, 9), strict=True))  # level per bar: from calm to busy
ARCH = dict(zip(PHRASE, (1, 3, 3, 1), strict=True))


class Story(Studio):
    """The notebook of the story."""

    def hash(self) -> str:
        return self.eval("roll.score.hash()")

    def changed(self, before: str = "score") -> list[list[int]]:
        """Bars that differ from a score of the notebook."""
        return self.eval(f"sorted(map(list, {before}.diff(roll.score).changed))")

    def finished(self) -> None:
        eventually(lambda: self.state()["running"], False, 120)
        eventually(lambda: self.state()["rev"] == self.eval("roll._rev"))

    def setting(self, name: str, value: object) -> None:
        """Type a setting into the panel below the roll."""
        field = self.button(f"sampling-{name}")
        if not field.is_visible():
            self.button("advanced").locator("summary").click()
        field.fill(str(value))
        field.press("Enter")
        eventually(lambda: self.eval(f"roll.sampling.get({name!r})"), value)


@pytest.fixture(scope="module")
def story(lab: Any, chromium: Any) -> Iterator[Story]:
    pytest.importorskip("torch")
    lab.write(NAME, CELLS)
    page = watched_page(chromium)
    open_notebook(page, lab, NAME)
    run_cell(page, 0)
    page.get_by_test_id("mgnb-roll").wait_for(state="visible", timeout=60_000)
    made = Story(page, lab, NAME, "roll")
    eventually(lambda: made.eval("bool(roll.caps['attributes'])"), True, 90)
    made.root.evaluate("el => el.scrollIntoView({block: 'start'})")
    yield made
    assert page.page_errors == []
    made.close()
    page.context.close()


def test_1_a_piece_for_three_appears_and_plays_after_one_click(story: Story) -> None:
    state = story.state()
    assert state["notes"] == story.eval("score.n_notes")
    assert [story.button(f"track-{i}").inner_text().split("\n")[0] for i in range(3)] == story.eval(
        "score.track_names"
    )
    assert not story.button("track-3").is_visible()
    story.both_themes("story-1-piece")
    story.button("play").click()
    eventually(lambda: story.state()["position"] > 300)
    # a machine too busy to open the sampled sound in time plays the simple one (tests/page/test_sound.py)
    assert story.state()["sound"] in ("sampled", "simple")
    eventually(lambda: story.eval("roll.playing"))
    story.button("play").click()
    eventually(lambda: story.eval("roll.playing"), False)


def test_2_bars_are_painted_and_written_anew_while_the_loop_plays(story: Story) -> None:
    start = story.hash()
    story.drag((BASS, 4), (BASS, 7))
    eventually(lambda: story.eval("roll.selected_cells"), BASS_CELLS)
    story.setting("seed", 7)
    story.choose("loop")
    story.button("play").click()
    eventually(lambda: story.state()["playing"] and story.eval("roll.loop == [4, 8]"))

    assert "Regenerate bars 5–8, Bass" in story.button("generate").inner_text()
    story.listen()
    story.button("generate").click()
    eventually(lambda: story.eval("roll.status"), "done", 60)
    story.finished()
    heard = story.heard()
    assert max(arrived for *_, arrived in heard) > 0, "no note came before the end"
    assert story.changed() and all(cell in BASS_CELLS for cell in story.changed())
    assert story.state()["playing"], "the loop went on"
    story.both_themes("story-2-bass")

    # A second run, of everything there is, is stopped midway.
    first = story.hash()
    assert first != start
    story.focus()
    story.press("Control+a")
    story.run("roll.sampling = {**roll.sampling, 'bars_per_step': 1, 'model_dim': 4}")  # it takes longer
    story.button("generate").click()
    eventually(lambda: (story.state()["job"] or {}).get("finished", 0) >= 2, True, 60)
    story.shot("story-2-writing-light")
    story.button("stop").click()
    story.finished()
    assert story.eval("roll.status") == "idle" and story.hash() == first
    assert story.state()["playing"]
    story.run("roll.sampling = {}")
    story.button("play").click()


def test_3_a_density_curve_and_an_arch_are_drawn_and_followed(story: Story) -> None:
    story.focus()
    story.press("Escape")
    eventually(lambda: story.eval("roll.selected_cells"), [])
    story.button("lane-track").select_option(str(DRUMS))
    story.draw(DENSITY, CURVE)
    eventually(lambda: story.eval("roll.curve('bar_note_density', 'Drums')[4:8]"), list(CURVE.values()))
    story.button("lane-track").select_option(str(KEYS))
    story.draw(VOICES, ARCH)
    eventually(lambda: story.eval("roll.curve('bar_max_polyphony', 2)[4:8]"), list(ARCH.values()))
    story.both_themes("story-3-drawn")

    drawn = [[track, bar] for track in (DRUMS, KEYS) for bar in PHRASE]
    eventually(lambda: story.eval("roll.selected_cells"), drawn)  # what is drawn is what is written
    story.setting("seed", 5)
    story.button("generate").click()
    eventually(lambda: story.state()["running"])
    story.finished()
    eventually(lambda: len(story.eval("roll.adherence.get('bar', {})")), 2)
    measured = story.eval("roll.measured('bar_note_density', 'Drums')[4:8]")
    assert rank_correlation(list(CURVE.values()), measured) >= 0.8, measured
    voices = story.eval("roll.measured('bar_max_polyphony', 2)[4:8]")
    assert max(voices[1:3]) >= max(voices[0], voices[3]), voices
    story.button("lane-track").select_option(str(DRUMS))
    note = story.root.locator(".mgnb-lane-note").first
    eventually(lambda: "met: " in note.inner_text())
    story.both_themes("story-3-followed")


def test_4_four_takes_are_compared_and_mixed_while_the_loop_plays(story: Story) -> None:
    story.run("before = roll.score")
    story.drag((DRUMS, 4), (DRUMS, 7))
    eventually(lambda: story.eval("roll.selected_cells"), DRUM_CELLS)
    story.setting("seed", 20)
    story.choose("takes-count", 4)
    story.button("play").click()
    eventually(lambda: story.state()["playing"])
    story.listen()
    story.button("generate").click()
    eventually(lambda: story.eval("len(roll.takes)"), 4, 60)
    assert story.root.locator(".mgnb-take").count() == 5
    assert all("As asked" in story.button(f"take-{number}").inner_text() for number in range(1, 5))
    story.focus()
    bars = {"1": 4, "2": 5, "3": 6, "4": 7}  # take by key, and the bar that it is for
    for key, bar in bars.items():
        story.press(key)
        eventually(lambda: story.state()["takeWaits"], False, 10)  # heard from the bar line on
        story.page.keyboard.down("Alt")
        story.page.mouse.click(*story.bar(DRUMS, bar))
        story.page.keyboard.up("Alt")
    eventually(lambda: len(story.eval("roll.comp")), 4)
    story.both_themes("story-4-takes")
    story.run("takes = sorted(roll.takes, key=lambda take: take.number)")
    run_cell(story.page, 1)  # step 6: the takes are open, so they can be plotted
    story.root.evaluate("el => el.scrollIntoView({block: 'start'})")
    story.focus()
    story.press("Enter")
    eventually(lambda: story.eval("len(roll.takes)"), 0)
    heard = story.heard()
    assert all(playing for _, playing, *_ in heard), "the loop stood still"
    _steady(heard, story.eval("[4 * 1920, 8 * 1920]"))

    for number, bar in enumerate(PHRASE):
        same = f"takes[{number}].score.diff(roll.score).changed"
        assert [DRUMS, bar] not in story.eval(f"list(map(list, {same}))"), (number, bar)
    assert all(cell in DRUM_CELLS for cell in story.changed("before"))
    comped = story.hash()
    story.choose("undo")
    eventually(story.hash, story.eval("before.hash()"))
    story.choose("redo")
    eventually(story.hash, comped)
    story.button("play").click()


def _steady(heard: list[list[Any]], loop: list[int]) -> None:
    """The playhead never stands or jumps, but for the way back at the loop's end."""
    seams = 0
    for (t0, _, p0, _), (t1, _, p1, _) in pairwise(heard):
        if p1 < p0:
            seams += 1
            p1 += loop[1] - loop[0]
        if t1 - t0 < 400:  # a page that was too busy to look tells nothing
            assert p1 - p0 < 1920, (t1 - t0, p0, p1)
    assert len(heard) > 20 and heard[-1][2] != heard[0][2]


def test_5_the_code_of_it_comes_to_the_same_in_a_new_cell(story: Story) -> None:
    code = story.eval("roll.code()")
    story.run("heard = roll")
    cell = add_cell(story.page, f"{code}\nprint('same', roll.score.hash() == heard.score.hash())")
    run_cell(story.page, cell)
    eventually(lambda: "same True" in cell_output(story.page, cell), True, 60)
    story.run("again, roll = roll, heard")
    story.page.locator(".jp-Notebook .jp-Cell").nth(cell).scroll_into_view_if_needed()
    story.both_themes("story-5-code")


def test_5_and_in_a_kernel_that_has_just_started(story: Story, lab: Any, chromium: Any) -> None:
    lab.write("again.ipynb", [story.eval("roll.code()") + "\nprint(roll.score.hash())\nroll"])
    page = watched_page(chromium)
    open_notebook(page, lab, "again.ipynb")
    run_cell(page, 0)
    eventually(lambda: story.hash() in cell_output(page, 0), True, 60)
    root = page.get_by_test_id("mgnb-roll")
    root.wait_for(state="visible")
    assert Seen(page, root).call("mgnb => mgnb.notesOf(1)") == story.call("mgnb => mgnb.notesOf(1)")
    assert page.page_errors == []
    page.context.close()


def test_6_the_curves_of_all_takes_are_a_picture(story: Story) -> None:
    outputs = json.loads(cell_output(story.page, 1))
    assert any("image/png" in output.get("data", {}) for output in outputs), outputs
    figure = story.page.locator(".jp-Notebook .jp-Cell").nth(1).locator(".jp-OutputArea img")
    figure.scroll_into_view_if_needed()
    assert figure.bounding_box()["width"] > 300
    story.both_themes("story-6-curves")


def test_7_a_second_view_follows_while_the_first_is_edited(story: Story) -> None:
    run_cell(story.page, 2)
    second = Seen(story.page, story.page.get_by_test_id("mgnb-roll").nth(1))
    second.root.wait_for(state="visible")
    eventually(lambda: second.state()["notes"], story.state()["notes"])
    story.root.scroll_into_view_if_needed()
    notes = story.state()["notes"]
    story.choose("tool-draw")
    x, y = story.bar(KEYS, 15)
    story.stroke([(x, y), (x + 12, y)])
    eventually(lambda: second.state()["notes"], notes + 1, 5)
    assert second.call("mgnb => mgnb.notesOf(2)") == story.call("mgnb => mgnb.notesOf(2)")
    second.root.scroll_into_view_if_needed()
    story.both_themes("story-7-second-view")
    second.choose("undo")
    eventually(lambda: story.state()["notes"], notes)
    story.choose("tool-bars")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_8_the_exported_page_plays_without_a_network(
    story: Story, chromium: Any, tmp_path: Any, scheme: str
) -> None:
    path = tmp_path / "story.html"
    story.run(f"roll.to_html({str(path)!r})")
    context = chromium.new_context(viewport={"width": 1240, "height": 700}, color_scheme=scheme, offline=True)
    page = context.new_page()
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    own = ("file:", "blob:", "data:")
    page.on("request", lambda r: None if r.url.startswith(own) else wrong.append(r.url))
    page.goto(path.as_uri())
    seen = Seen(page, page.get_by_test_id("mgnb-roll"))
    seen.root.wait_for(state="visible")
    assert seen.state()["notes"] == story.state()["notes"]
    seen.button("play").click()
    eventually(lambda: seen.state()["sound"] == "sampled" and seen.state()["position"] > 200)
    seen.button("play").click()
    seen.shot(f"story-8-page-{scheme}")
    assert wrong == []
    context.close()


@pytest.mark.parametrize("with_state", [False, True], ids=["without-state", "with-state"])
def test_8_the_saved_notebook_shows_the_music_without_a_kernel(
    story: Story, lab: Any, chromium: Any, with_state: bool
) -> None:
    pictures = story.page.locator(".jp-Notebook .jp-Cell").first.locator(".jp-RenderedImage")
    assert pictures.count() == 1 and not pictures.first.is_visible()  # the roll itself is there
    if with_state:
        run_command(story.page, "@jupyter-widgets/jupyterlab-manager:saveWidgetState")
    run_command(story.page, "docmanager:save")
    saved = nbformat.read(lab.root / NAME, as_version=4)
    assert bool(saved.metadata.get("widgets")) == with_state
    saved.metadata.kernelspec = {"name": "none-of-these", "display_name": "none", "language": "python"}
    name = f"read-{'with' if with_state else 'without'}-state.ipynb"
    nbformat.write(saved, lab.root / name)
    if with_state:  # as one's own notebook; the other one as it came from somebody else
        NotebookNotary(data_dir=str(lab.root.parent / "data")).sign(saved)

    page = watched_page(chromium)
    page.goto(f"{lab.url}lab/tree/{name}?reset&token={lab.token}")
    page.wait_for_function("() => window.jupyterapp?.shell.currentWidget?.context?.isReady", timeout=60_000)
    page.get_by_role("dialog").get_by_role("button", name="No Kernel").click()
    cell = page.locator(".jp-Notebook .jp-Cell").first
    picture = cell.locator(".jp-RenderedImage img")
    roll = cell.get_by_test_id("mgnb-roll")
    picture.or_(roll).locator("visible=true").first.wait_for()
    if not with_state:
        assert picture.count() == 1 and picture.evaluate("img => img.naturalWidth") > 300
    page.screenshot(path=SCREENSHOTS / f"story-8-{name[:-6]}.png")
    assert page.page_errors == []
    page.context.close()


def test_8_the_picture_follows_the_music(story: Story, lab: Any) -> None:
    def picture() -> str:
        run_command(story.page, "docmanager:save")
        outputs = json.loads((lab.root / NAME).read_text())["cells"][0]["outputs"]
        return next(o["data"]["image/png"] for o in outputs if "image/png" in o.get("data", {}))

    before = picture()
    story.run("roll.score = roll.score.transpose(5)")
    eventually(lambda: picture() != before, True, 20)
    story.run("roll.undo()")
