"""The story once more in JupyterLab, by keyboard alone: nothing is clicked, nothing is set from Python."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from lab import eventually, open_notebook
from studio import Studio, watched_page
from test_story import BASS, CELLS, DENSITY, DRUMS, PHRASE

pytestmark = [pytest.mark.browser, pytest.mark.model, pytest.mark.timeout(300)]

NAME = "keys.ipynb"
SURFACE = ".mgnb-surface"
MOST_STOPS = 40


class Keyboard(Studio):
    """Where the focus is, and how Tab gets it elsewhere."""

    def at(self, selector: str) -> bool:
        return self.page.evaluate("(selector) => !!document.activeElement?.matches(selector)", selector)

    def tab_to(self, selector: str, key: str = "Tab") -> int:
        """Press Tab until the focus is there; how often it took."""
        for presses in range(MOST_STOPS):
            if self.at(selector):
                return presses
            self.page.keyboard.press(key)
        raise AssertionError(f"{MOST_STOPS} times {key} did not lead to {selector}")

    def cells(self) -> list[list[int]]:
        return self.state()["selection"]


@pytest.fixture(scope="module")
def keys(lab: Any, chromium: Any) -> Iterator[Keyboard]:
    pytest.importorskip("torch")
    lab.write(NAME, [CELLS[0], "1 + 1"])
    page = watched_page(chromium)
    open_notebook(page, lab, NAME)
    page.locator(".jp-Notebook .jp-Cell").first.focus()
    page.keyboard.press("Shift+Enter")
    page.get_by_test_id("mgnb-roll").wait_for(state="visible", timeout=60_000)
    made = Keyboard(page, lab, NAME, "roll")
    eventually(lambda: made.eval("bool(roll.caps['attributes'])"), True, 90)
    made.button("lanes").wait_for(state="visible")
    yield made
    assert page.page_errors == []
    made.close()
    page.context.close()


def test_y3_bars_are_chosen_looped_written_and_stopped(keys: Keyboard) -> None:
    cells = keys.page.evaluate("() => window.jupyterapp.shell.currentWidget.model.cells.length")
    keys.tab_to(SURFACE)
    keys.press("Space")
    eventually(lambda: keys.state()["playing"])
    keys.press("Space")
    eventually(lambda: keys.state()["playing"], False)
    keys.press("ArrowDown", *["ArrowRight"] * 4, *["Shift+ArrowRight"] * 3)
    wanted = [[BASS, bar] for bar in PHRASE]
    assert keys.cells() == wanted
    eventually(lambda: "Bass, bar 8" in keys.focused())  # what a screen reader reads out, with the next frame
    keys.press("l", "Space", "Enter")
    eventually(lambda: keys.eval("roll.status"), "done", 60)
    eventually(lambda: keys.state()["running"], False)
    changed = keys.eval("sorted(map(list, score.diff(roll.score).changed))")
    assert changed and all(cell in wanted for cell in changed)
    assert keys.state()["playing"] and keys.eval("roll.loop") == [4, 8]

    written = keys.eval("roll.score.hash()")
    keys.press("Control+a", "g")
    eventually(lambda: (keys.state()["job"] or {}).get("provisional", 0) > 0, True, 60)
    keys.press("Escape")
    eventually(lambda: keys.state()["running"], False)
    assert keys.eval("roll.status") == "idle" and keys.eval("roll.score.hash()") == written
    keys.press("Space", "Escape")
    assert keys.cells() == []
    assert keys.page.evaluate("() => window.jupyterapp.shell.currentWidget.model.cells.length") == cells


def test_y3_a_curve_is_drawn_and_four_takes_are_mixed(keys: Keyboard) -> None:
    keys.tab_to("[data-testid=mgnb-lane-track]")
    while keys.page.evaluate("() => document.activeElement.value") != str(DRUMS):
        keys.press("ArrowUp")
    keys.tab_to("[role=slider]")
    keys.press(*["ArrowLeft"] * 16, *["ArrowRight"] * 4)
    eventually(lambda: "bar 5" in keys.focused())
    for steps in (1, 3, 6):
        keys.press("Home", *["ArrowUp"] * steps, "ArrowRight")
    keys.press("End")
    eventually(lambda: keys.eval(f"roll.curve({DENSITY!r}, {DRUMS})[4:8]"), [1, 3, 6, 9])
    assert keys.cells() == [[DRUMS, bar] for bar in PHRASE]

    keys.tab_to("[role=toolbar] button, [role=toolbar] select", "Shift+Tab")
    _takes(keys, 4)
    before = keys.eval("roll.score.hash()")
    keys.tab_to(SURFACE)
    keys.press("g")
    eventually(lambda: keys.eval("len(roll.takes)"), 4, 60)
    keys.press(*["Control+ArrowLeft"], "Control+ArrowUp", *["ArrowRight"] * 3)
    for take in "1234":
        keys.press("ArrowRight", take, "t")  # a bar, the take it is taken from
    eventually(lambda: sorted(keys.eval("list(roll.comp)")), [f"{DRUMS},{bar}" for bar in PHRASE])
    keys.press("Enter")
    eventually(lambda: keys.eval("len(roll.takes)"), 0)
    mixed = keys.eval("roll.score.hash()")
    assert mixed != before
    keys.press("Control+z")
    eventually(lambda: keys.eval("roll.score.hash()"), before)
    keys.press("Control+Shift+z")
    eventually(lambda: keys.eval("roll.score.hash()"), mixed)


def _takes(keys: Keyboard, count: int) -> None:
    """Choose how many takes to write: in the toolbar, or in the menu at its end when there is no room."""
    in_row = keys.button("takes-count").is_visible()
    wanted = "[data-testid=mgnb-takes-count]" if in_row else "[data-testid=mgnb-more]"
    for _ in range(MOST_STOPS):
        if keys.at(wanted):
            break
        keys.press("ArrowRight")
    if in_row:
        keys.press(*["ArrowDown"] * (count - 1))
    else:
        keys.press("Enter")
        while not keys.at("[data-testid=mgnb-takes-count-more]"):
            keys.press("ArrowDown")
        keys.press("ArrowRight")
        while not keys.at(f"[data-testid=mgnb-takes-count-more-{count}]"):
            keys.press("ArrowDown")
        keys.press("Enter")
    eventually(lambda: keys.eval("roll.n_takes"), count)


def test_y3_tab_leaves_the_roll_and_escape_does(keys: Keyboard) -> None:
    keys.tab_to(SURFACE)
    inside = "() => !!document.activeElement?.closest('.mgnb-root')"
    for _ in range(MOST_STOPS):
        keys.press("Tab")
        if not keys.page.evaluate(inside):
            break
    assert not keys.page.evaluate(inside), "Tab is trapped"
    keys.tab_to(SURFACE, "Shift+Tab")
    keys.press("Escape", "Escape", "Escape")
    assert not keys.at(SURFACE)
