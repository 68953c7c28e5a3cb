"""What a view shows: one track in focus with ghosts, rows of a key, keys that sound, and the overview."""

from __future__ import annotations

from typing import Any

import harness
import numpy as np
import pytest
from harness import BAR, Roll, band, document
from test_drawing import caps, pixels

pytestmark = pytest.mark.browser

KEY = {"name": "of_key", "label": "key", "level": "track", "track_type": "melodic", "size": 25, "unit": "key"}


def mount(roll: Roll, **changes: Any) -> None:
    known = {**caps(), "attributes": [*harness.ATTRIBUTES, KEY], "grid": None}
    roll.mount(document(band()), **{"caps": known, **changes})


def focus(roll: Roll, track: int) -> None:
    roll.page.mouse.click(*roll.cell(track, 0))
    roll.page.keyboard.press("Escape")
    roll.page.keyboard.press(",")
    roll.page.wait_for_timeout(80)


def choose(roll: Roll, *items: str) -> None:
    for item in ("mgnb-sight", *items):
        roll.page.get_by_test_id(item).click()
    roll.page.mouse.move(5, 5)
    roll.page.wait_for_timeout(80)


# ------------------------------------------------------------------------------------------- E5


def test_e5_a_track_in_focus_has_all_the_height_and_the_others_are_ghosts(roll: Roll) -> None:
    mount(roll)
    focus(roll, 1)
    assert roll.state()["focus"] == 1
    height = roll.call("mgnb => mgnb.barRect(1, 0)")["h"]
    assert height == pytest.approx(roll.state()["viewport"]["height"], abs=1)
    shown = [roll.page.get_by_test_id(f"mgnb-track-{track}").is_visible() for track in range(4)]
    assert shown == [False, True, False, False]
    with_ghosts = pixels(roll, "notes")
    # the same lane without the other tracks' notes: less ink, and what there was is still there
    roll.set("_doc", document([r for r in band() if r[0] == 1], rev=2))
    roll.page.wait_for_timeout(100)
    assert (with_ghosts[..., 3] > 0).sum() > 1.1 * (pixels(roll, "notes")[..., 3] > 0).sum()
    roll.page.keyboard.press(",")
    assert roll.state()["focus"] == -1
    assert all(roll.page.get_by_test_id(f"mgnb-track-{track}").is_visible() for track in range(4))


def test_e5_the_lanes_show_the_curves_of_the_track_in_focus(roll: Roll) -> None:
    mount(roll)
    shown = roll.page.get_by_test_id("mgnb-lane-track")
    shown.wait_for()
    roll.page.locator(".mgnb-surface").focus()
    for key, track in ((",", "0"), ("]", "1"), ("]", "2"), ("[", "1")):
        roll.page.keyboard.press(key)
        assert shown.input_value() == track, key
    shown.select_option("2")  # another one by hand, until the focus moves on
    roll.page.locator(".mgnb-surface").focus()
    roll.page.keyboard.press("k")
    assert shown.input_value() == "2"


def test_e5_ghosts_are_neither_selected_nor_moved(roll: Roll) -> None:
    mount(roll)
    focus(roll, 0)
    roll.page.keyboard.press("1")
    rect = roll.call("mgnb => mgnb.barRect(0, 0)")
    mouse = roll.page.mouse
    mouse.move(rect["x"] + 1, rect["y"] + 2)
    mouse.down()
    mouse.move(rect["x"] + rect["w"] - 1, rect["y"] + rect["h"] - 2, steps=3)
    mouse.up()
    own = len([row for row in band() if row[0] == 0 and row[1] < BAR])
    assert roll.state()["selectedNotes"] == own


def test_e5_drum_rows_have_names(roll: Roll) -> None:
    mount(roll)
    few = pixels(roll, "keys")
    focus(roll, 3)
    many = pixels(roll, "keys")
    ink = [(p[..., 3] > 0).any(axis=1).sum() for p in (few, many)]
    assert ink[1] > 60  # eleven drums, each with its name
    roll.page.mouse.move(5, 5)


def column(picture: np.ndarray[Any, Any], x: int) -> list[tuple[int, ...]]:
    return [tuple(int(v) for v in pixel[:3]) for pixel in picture[40:-6, x]]


def test_e5_rows_of_the_chosen_key_stand_out(roll: Roll) -> None:
    mount(roll)
    focus(roll, 0)
    x = 7  # between two lines
    plain = column(pixels(roll, "grid"), x)
    choose(roll, "mgnb-key-rows", "mgnb-key-0", "mgnb-scale-major")
    c_major = column(pixels(roll, "grid"), x)
    choose(roll, "mgnb-key-rows", "mgnb-key-2", "mgnb-scale-major")
    d_major = column(pixels(roll, "grid"), x)
    assert plain != c_major != d_major
    assert len(set(c_major)) >= 3  # first notes, the scale, what is outside it
    choose(roll, "mgnb-key-rows", "mgnb-key-none")
    assert column(pixels(roll, "grid"), x) == plain


def test_e5_the_key_may_come_from_the_music(roll: Roll) -> None:
    mount(roll, realized={"track": {"0": {"of_key": 0}}, "bar": {}})
    focus(roll, 0)
    choose(roll, "mgnb-key-rows", "mgnb-key-music")
    measured = column(pixels(roll, "grid"), 7)
    choose(roll, "mgnb-key-rows", "mgnb-key-0", "mgnb-scale-major")
    assert column(pixels(roll, "grid"), 7) == measured
    # what is asked for comes before what is measured
    choose(roll, "mgnb-key-rows", "mgnb-key-music")
    roll.set("attributes", {"track": {"0": {"of_key": 21}}, "bar": {}})
    roll.page.wait_for_timeout(150)
    wished = column(pixels(roll, "grid"), 7)
    choose(roll, "mgnb-key-rows", "mgnb-key-9", "mgnb-scale-minor")
    assert column(pixels(roll, "grid"), 7) == wished != measured


def test_e5_keys_are_heard_and_their_row_lights_up(roll: Roll) -> None:
    mount(roll)
    focus(roll, 0)
    before = pixels(roll, "overlay")
    strip = roll.page.locator(".mgnb-canvas-keys").bounding_box()
    roll.page.mouse.move(strip["x"] + 50, strip["y"] + 200)
    roll.page.mouse.down()
    roll.page.wait_for_timeout(80)
    lit = pixels(roll, "overlay")
    assert (lit != before).any()
    said = roll.page.locator(".mgnb-root [aria-live]").all_text_contents()
    first = next(text for text in said if text)
    assert first[0] in "ABCDEFG" and first[-1].isdigit()
    roll.page.mouse.move(strip["x"] + 50, strip["y"] + 260, steps=3)
    roll.page.wait_for_timeout(80)
    assert (pixels(roll, "overlay") != lit).any()
    roll.page.mouse.up()
    roll.page.wait_for_timeout(80)
    assert (pixels(roll, "overlay") == before).all()


# ------------------------------------------------------------------------------------------- E6


def overview(roll: Roll) -> np.ndarray[Any, Any]:
    roll.page.wait_for_timeout(100)
    return pixels(roll, "overview")


PLAN = {"locked": "1", "hidden": "2"}


@pytest.mark.parametrize("kind", ["locked", "hidden", "generated"])
def test_e6_regions_are_marked_in_the_overview(roll: Roll, kind: str) -> None:
    mount(roll)
    before = overview(roll)
    if kind == "generated":
        new = [row for row in band() if row[0] == 1 and 4 * BAR <= row[1] < 8 * BAR]
        rest = [row for row in band() if row not in new]
        roll.set("_doc", document(rest, generated=new, rev=2))
    else:
        bars = {str(bar): kind for bar in range(4, 8)}
        roll.set("plan", {"roles": {PLAN[kind]: {"bars": bars}}})
    after = overview(roll)
    changed = np.flatnonzero((before != after).any(axis=(0, 2)))
    width = before.shape[1]
    assert changed[0] == pytest.approx(width * 4 / 16, abs=4)
    assert changed[-1] == pytest.approx(width * 8 / 16, abs=4)
    # told apart by more than colour: a line above, a line below, a hatch inside
    middle = width * 6 // 16
    edges = [(before[rows, middle] != after[rows, middle]).any() for rows in (slice(0, 2), slice(-2, None))]
    assert edges == {"locked": [True, False], "generated": [False, True], "hidden": [False, False]}[kind]


def window(roll: Roll) -> tuple[float, float]:
    """Left and right edge of the window in page pixels."""
    box = roll.page.locator(".mgnb-overview").bounding_box()
    view = roll.state()["viewport"]
    per_tick = box["width"] / (16 * BAR)
    return box["x"] + view["left"] * per_tick, box["x"] + (
        view["left"] + view["width"] / view["scale"]
    ) * per_tick


def pull(roll: Roll, start: float, end: float) -> None:
    box = roll.page.locator(".mgnb-overview").bounding_box()
    y = box["y"] + box["height"] / 2
    roll.page.mouse.move(start, y)
    roll.page.mouse.down()
    roll.page.mouse.move((start + end) / 2, y)
    roll.page.mouse.move(end, y)
    roll.page.mouse.up()


def test_e6_the_window_is_dragged_and_its_edges_zoom(roll: Roll) -> None:
    mount(roll)
    roll.drag((1, 4), (1, 7))
    roll.page.keyboard.press("f")
    left, right = window(roll)
    pull(roll, (left + right) / 2, (left + right) / 2 + 100)
    assert window(roll) == pytest.approx((left + 100, right + 100), abs=1)
    left, right = window(roll)
    pull(roll, right - 1, right + 60)
    assert window(roll) == pytest.approx((left, right + 61), abs=2)
    left, right = window(roll)
    pull(roll, left + 1, left + 50)
    assert window(roll) == pytest.approx((left + 49, right), abs=2)
    # beside the window: it comes to the pointer
    box = roll.page.locator(".mgnb-overview").bounding_box()
    pull(roll, box["x"] + 150, box["x"] + 150)
    assert sum(window(roll)) / 2 == pytest.approx(box["x"] + 150, abs=2)
    roll.page.mouse.dblclick(box["x"] + 400, box["y"] + 10)
    assert window(roll) == pytest.approx((box["x"], box["x"] + box["width"]), abs=2)
