"""What is asked of the model in a place of its own: a view of the roll that another widget shows."""

from __future__ import annotations

from typing import Any

import harness
import pytest
from harness import Roll, band, document

pytestmark = pytest.mark.browser

PANEL = """async (esm) => {
    const el = Object.assign(document.createElement('div'), { id: 'panel' });
    document.getElementById('mgnb').after(el);
    const url = URL.createObjectURL(new Blob([esm], { type: 'text/javascript' }));
    const widget = (await import(url)).default();  // a copy of the code of its own, as in a notebook
    const state = { _roll: 'IPY_MODEL_roll', layout: {} };
    const asked = [];
    const manager = { get_model: async (id) => { asked.push(id); return window.host.proxy() } };
    const model = { get: (k) => state[k], on: () => {}, off: () => {}, widget_manager: manager };
    window.closePanelModel = widget.initialize({ model });
    window.closePanel = widget.render({ model, el });
    await new Promise((resolve) => setTimeout(resolve, 300));
    return asked;
}"""


def show_panel(roll: Roll) -> None:
    esm = (harness.STATIC / "widget.js").read_text(encoding="utf-8")
    assert roll.page.evaluate(PANEL, esm) == ["roll"]
    roll.page.wait_for_selector("#panel [data-testid=mgnb-lanes]")


@pytest.mark.parametrize("host", ["light", "dark"])
def test_n1_the_panel_shows_curves_and_wishes_without_the_notes(roll: Roll, host: str, shots: Any) -> None:
    roll.mount(document(band()), host, selection={"cells": [[1, 4], [1, 5]]})
    roll.page.evaluate("() => { document.getElementById('mgnb').style.display = 'none' }")
    show_panel(roll)
    panel = roll.page.locator("#panel .mgnb-root")
    roll.page.wait_for_timeout(300)
    picture = roll.page.locator("#panel")
    picture.screenshot(path=harness.ROOT / "build" / "screenshots" / f"attribute-panel-{host}.png")
    assert panel.get_by_test_id("mgnb-lanes").is_visible()
    assert panel.get_by_test_id("mgnb-generate").is_visible()
    assert panel.get_by_test_id("mgnb-steer-panel").is_visible()
    assert not panel.locator(".mgnb-headers").is_visible()
    assert panel.locator(".mgnb-surface").bounding_box()["height"] < 40  # bars to choose, no notes


def test_n1_panel_and_roll_are_one_and_the_panel_goes_alone(roll: Roll) -> None:
    roll.mount(document(band()))
    listeners = roll.page.evaluate("window.host.listeners()")
    show_panel(roll)
    assert roll.page.evaluate("window.host.listeners()") == listeners  # the roll's own store, no second one
    roll.drag((1, 4), (1, 5))
    label = roll.page.locator("#panel [data-testid=mgnb-generate]")
    assert label.text_content() == "Regenerate bars 5–6, Bass"
    panel = roll.page.locator("#panel")
    panel.get_by_test_id("mgnb-lane-track").select_option("2")
    panel.locator(".mgnb-surface").click(position={"x": 5, "y": 8})  # of the shown track
    assert roll.state()["selection"] == [[2, 0]]
    panel.get_by_test_id("mgnb-lane-canvas").scroll_into_view_if_needed()
    at = roll.page.evaluate(
        "() => document.querySelector('#panel .mgnb-root').mgnb.lanePoint('bar_note_density', 3, 7)"
    )
    roll.page.mouse.click(at["x"], at["y"])
    asked = "() => window.host.state.attributes.bar[2]?.[3]?.bar_note_density"
    roll.page.wait_for_function(f"({asked})() === 7")
    roll.page.evaluate("() => { window.closePanel(); window.closePanelModel() }")
    assert roll.page.locator("#panel > *").count() == 0
    roll.page.evaluate("() => scrollTo(0, 0)")
    roll.drag((0, 0), (0, 0))
    assert roll.state()["selection"] == [[0, 0]]  # the roll lives on
    roll.page.evaluate("() => { window.closeView(); window.stopModel() }")
    assert roll.page.evaluate("window.host.listeners()") == 0


def test_n1_the_panel_needs_no_roll_beside_it(roll: Roll) -> None:
    """marimo loads the code of a widget only where the widget itself is shown."""
    roll.mount(document(band()), selection={"cells": [[1, 4], [1, 5]]})
    roll.page.evaluate("() => { window.closeView(); window.stopModel() }")
    show_panel(roll)
    label = roll.page.locator("#panel [data-testid=mgnb-generate]")
    assert label.text_content() == "Regenerate bars 5–6, Bass"
    roll.page.evaluate("() => { window.closePanel(); window.closePanelModel() }")
    assert roll.page.evaluate("window.host.listeners()") == 0


def test_n1_a_panel_whose_roll_is_not_to_be_had_says_so(roll: Roll) -> None:
    roll.mount(document(band()))
    esm = (harness.STATIC / "widget.js").read_text(encoding="utf-8")
    roll.page.evaluate(
        PANEL.replace("window.host.proxy()", "Promise.reject(new Error('no such model'))"), esm
    )
    assert "Run the cell that makes it" in roll.page.locator("#panel").inner_text()
