"""Attribute lanes on the real page: drawing, keys, marks, menus, hatching; what is sent, what is painted."""

from __future__ import annotations

import time
from typing import Any

import pytest
from harness import Roll, band, document

pytestmark = pytest.mark.browser

DENSITY = "bar_note_density"
VOICES = "bar_max_polyphony"


def mount(roll: Roll, **changes: Any) -> None:
    roll.mount(document(band(8), n_bars=8), **changes)
    roll.page.get_by_test_id("mgnb-lanes").wait_for()
    roll.page.wait_for_timeout(200)


def point(roll: Roll, bar: int, level: int, name: str = DENSITY) -> tuple[float, float]:
    at = roll.call("(mgnb, n, b, l) => mgnb.lanePoint(n, b, l)", name, bar, level)
    return at["x"], at["y"]


def drag(roll: Roll, *points: tuple[float, float], key: str | None = None, steps: int = 4) -> None:
    mouse = roll.page.mouse
    mouse.move(*points[0])
    if key:
        roll.page.keyboard.down(key)
    mouse.down()
    for at in points[1:]:
        mouse.move(*at, steps=steps)
    mouse.up()
    if key:
        roll.page.keyboard.up(key)


def wishes(roll: Roll, track: int = 0, name: str = DENSITY) -> dict[int, int]:
    """Requested levels by bar, as the page would send them."""
    bars = roll.page.evaluate("() => window.host.state.attributes.bar ?? {}").get(str(track), {})
    return {int(bar): own[name] for bar, own in bars.items() if name in own}


def pixels(roll: Roll, x: float, y: float) -> list[int]:
    """Colour of the lane canvas at a point of the page."""
    script = """([x, y]) => {
      const canvas = document.querySelector('[data-testid="mgnb-lane-canvas"]');
      const box = canvas.getBoundingClientRect(), dpr = canvas.width / box.width;
      const at = canvas.getContext('2d').getImageData((x - box.left) * dpr, (y - box.top) * dpr, 1, 1);
      return [...at.data];
    }"""
    return roll.page.evaluate(script, [x, y])


# --- drawing


def test_a2_dragging_draws_a_curve_at_once_and_saves_it_throttled(roll: Roll) -> None:
    mount(roll)
    roll.page.evaluate("() => { window.host.autoAnswer = false; window.host.saves = 0 }")  # a deaf kernel
    began = time.monotonic()
    drag(roll, *(point(roll, bar, level) for bar, level in enumerate([1, 3, 6, 8])), steps=1)
    assert wishes(roll) == {0: 1, 1: 3, 2: 6, 3: 8}
    roll.page.wait_for_timeout(150)
    saves = roll.page.evaluate("() => window.host.saves")
    assert 1 <= saves <= 10 * (time.monotonic() - began) + 2
    assert roll.state()["selection"] == [[0, bar] for bar in range(4)]  # ready for Generate


def test_a2_a_fast_stroke_leaves_no_gap(roll: Roll) -> None:
    mount(roll)
    drag(roll, point(roll, 0, 0), point(roll, 6, 6), steps=1)
    assert wishes(roll) == {bar: bar for bar in range(7)}


def test_a2_shift_draws_a_straight_ramp(roll: Roll) -> None:
    mount(roll)
    drag(roll, point(roll, 1, 9), point(roll, 3, 2), point(roll, 7, 0), point(roll, 5, 1), key="Shift")
    assert wishes(roll) == {1: 9, 2: 7, 3: 5, 4: 3, 5: 1}  # bars 6 and 7 were passed and given back


def test_a2_click_sets_alt_clears_double_click_clears(roll: Roll) -> None:
    mount(roll)
    drag(roll, point(roll, 0, 4), point(roll, 7, 4))
    roll.page.mouse.click(*point(roll, 2, 9))
    assert wishes(roll)[2] == 9
    drag(roll, point(roll, 3, 5), point(roll, 5, 5), key="Alt")
    assert sorted(wishes(roll)) == [0, 1, 2, 6, 7]
    roll.page.mouse.dblclick(*point(roll, 2, 3))
    assert sorted(wishes(roll)) == [0, 1, 6, 7]


def test_a2_escape_takes_a_stroke_back(roll: Roll) -> None:
    mount(roll, attributes={"track": {}, "bar": {"0": {"1": {DENSITY: 7}}}})
    roll.page.mouse.move(*point(roll, 0, 2))
    roll.page.mouse.down()
    roll.page.mouse.move(*point(roll, 4, 2), steps=4)
    assert len(wishes(roll)) == 5
    roll.page.keyboard.press("Escape")
    roll.page.mouse.up()
    assert wishes(roll) == {1: 7}


def test_a2_drawing_takes_less_than_a_frame(roll: Roll) -> None:
    mount(roll)
    x0, y0 = point(roll, 0, 2)
    x1, y1 = point(roll, 7, 8)
    times = roll.page.evaluate(
        """async ([x0, y0, x1, y1]) => {
          const area = document.querySelector('.mgnb-lane-area'), times = [];
          area.setPointerCapture = () => {};
          const fire = (type, x, y) => area.dispatchEvent(new PointerEvent(type, {
            clientX: x, clientY: y, pointerId: 7, button: 0, bubbles: true }));
          fire('pointerdown', x0, y0);
          for (let i = 1; i <= 48; i++) {
            const began = performance.now();
            fire('pointermove', x0 + (x1 - x0) * i / 48, y0 + (y1 - y0) * i / 48);
            await Promise.resolve();
            times.push(performance.now() - began);
            await new Promise(requestAnimationFrame);
          }
          fire('pointerup', x1, y1);
          return times.sort((a, b) => a - b);
        }""",
        [x0, y0, x1, y1],
    )
    print(f"pointer to state: median {times[24]:.2f} ms, worst {times[-1]:.2f} ms")
    assert times[24] < 16 and len(wishes(roll)) == 8


def test_a2_a_curve_and_generate_are_one_key_each(roll: Roll) -> None:
    mount(roll)
    drag(roll, point(roll, 4, 2), point(roll, 6, 8))
    roll.page.keyboard.press("g")
    roll.page.wait_for_timeout(60)
    (asked,) = [message for message in roll.sent() if message["k"] == "generate"]
    assert asked["selection"]["cells"] == [[0, 4], [0, 5], [0, 6]]


def test_a2_track_lane_is_one_step(roll: Roll) -> None:
    mount(roll, show_lanes=["note_density", DENSITY])
    roll.page.mouse.click(*point(roll, -1, 6, "note_density"))
    track = roll.page.evaluate("() => window.host.state.attributes.track")
    assert track == {"0": {"note_density": 6}}


# --- menus, tracks, keys


def test_a2_menu_fills_copies_randomises_and_clears(roll: Roll) -> None:
    measured = {"0": {str(bar): {DENSITY: bar} for bar in range(8)}}
    mount(roll, realized={"track": {}, "bar": measured}, selection={"cells": [[0, b] for b in range(2, 6)]})

    def choose(what: str) -> None:
        roll.page.get_by_test_id(f"mgnb-lane-more-{DENSITY}").click()
        roll.page.get_by_test_id(f"mgnb-lane-{what}").click()

    choose("copy")
    assert wishes(roll) == {bar: bar for bar in range(2, 6)}
    choose("fill")
    assert set(wishes(roll)) == {2, 3, 4, 5} and len(set(wishes(roll).values())) == 1
    choose("random")
    assert set(wishes(roll)) == {2, 3, 4, 5}
    choose("clear")
    assert wishes(roll) == {}


def test_a1_lanes_come_from_caps_and_the_menu_says_why_not(roll: Roll) -> None:
    mount(roll)
    assert roll.page.locator(".mgnb-lane-label").all_text_contents() == ["Note density", "Max polyphony"]
    roll.page.get_by_test_id("mgnb-lane-track").select_option("3")  # drums
    assert roll.page.locator(".mgnb-lane-label").all_text_contents() == ["Note density"]
    roll.page.get_by_test_id("mgnb-lanes-menu").click()
    item = roll.page.get_by_test_id(f"mgnb-lane-choice-{VOICES}")
    assert item.text_content() == "Max polyphony (not for drums)"
    assert item.get_attribute("aria-disabled") == "true"
    roll.page.get_by_test_id("mgnb-lane-choice-note_density").click()
    assert roll.page.evaluate("() => window.host.state.show_lanes") == [DENSITY, VOICES, "note_density"]
    assert len(roll.page.locator(".mgnb-lane-label").all()) == 2


def test_a1_lanes_follow_the_selected_track_and_key_a_hides_them(roll: Roll) -> None:
    mount(roll)
    roll.drag((1, 0), (1, 2))
    assert roll.page.get_by_test_id("mgnb-lane-track").input_value() == "1"
    roll.page.keyboard.press("a")
    assert roll.page.get_by_test_id("mgnb-lanes").is_hidden()
    assert roll.page.evaluate("() => window.host.state.show_lanes") == []
    roll.page.keyboard.press("a")
    assert roll.page.get_by_test_id("mgnb-lanes").is_visible()


def test_a1_a_track_chosen_by_hand_stays_and_its_curve_is_written_with_the_first(roll: Roll) -> None:
    mount(roll)
    drag(roll, point(roll, 1, 2), point(roll, 3, 8))
    assert roll.state()["selection"] == [[0, 1], [0, 2], [0, 3]]
    chooser = roll.page.get_by_test_id("mgnb-lane-track")
    chooser.select_option("1")
    assert chooser.input_value() == "1"  # although bars of another track are selected
    drag(roll, point(roll, 2, 3), point(roll, 3, 5))
    assert roll.state()["selection"] == [[0, 1], [0, 2], [0, 3], [1, 2], [1, 3]]
    roll.drag((2, 0), (2, 1))
    assert chooser.input_value() == "2"
    roll.page.get_by_test_id("mgnb-lane-track").select_option("0")
    drag(roll, point(roll, 5, 2), point(roll, 6, 8))  # bars of one's own choice stay as they are
    assert roll.state()["selection"] == [[2, 0], [2, 1]]


def test_a2_lanes_work_with_keys_alone(roll: Roll) -> None:
    realized = {"track": {}, "bar": {"0": {"0": {DENSITY: 3}}}}
    mount(roll, realized=realized)
    slider = roll.page.locator(f'[role=slider][data-lane="{DENSITY}"][tabindex="0"]')
    slider.focus()
    assert slider.get_attribute("aria-label") == "Note density of Electric Piano, bar 1"
    assert slider.get_attribute("aria-valuetext") == "no preference, measured: 4 of 10"
    press = roll.page.keyboard.press
    press("ArrowUp")  # begins where the music is
    press("ArrowUp")
    press("Shift+ArrowRight")
    press("ArrowRight")
    press("End")
    assert wishes(roll) == {0: 4, 1: 4, 2: 9}
    assert roll.state()["selection"] == [[0, 0], [0, 1], [0, 2]]  # ready for Enter
    press("ArrowLeft")
    press("Delete")
    assert wishes(roll) == {0: 4, 2: 9}
    roll.page.wait_for_timeout(200)
    focused = roll.page.locator("[role=slider]:focus")
    assert focused.get_attribute("aria-label") == "Note density of Electric Piano, bar 2"
    assert len(roll.page.locator(f'[role=slider][data-lane="{DENSITY}"]').all()) == 8


# --- marks


MARKS = {
    "attributes": {"track": {}, "bar": {"0": {"1": {DENSITY: 8}}}},
    "announced": {"track": {}, "bar": {"0": {"1": {DENSITY: 5}}}},
    "realized": {"track": {}, "bar": {"0": {"1": {DENSITY: 2}}}},
    "adherence": {"track": {}, "bar": {"0": {"1": {DENSITY: 0.33}}}},
}


def test_a3_three_marks_differ_in_shape(roll: Roll) -> None:
    mount(roll, **MARKS, selection={"cells": [[0, 1]]})
    x, _ = point(roll, 1, 0)
    half = (point(roll, 2, 0)[0] - x) / 2

    def painted(dx: float, level: int, dy: float) -> bool:
        """Whether something is drawn there that an empty bar does not have."""
        y = point(roll, 1, level)[1] - 2 + dy
        here = pixels(roll, x + dx, y)
        empty = pixels(roll, x + 4 * half + dx, y)  # the bar after next has no marks
        fill = pixels(roll, x + half - 4, point(roll, 1, 6)[1] + 1.2)
        return max(abs(a - b) for a, b in zip(here, empty, strict=True)) > 60 and here != fill

    # requested: a line as wide as the bar, hollow below
    assert painted(-half + 6, 8, 0) and painted(half - 6, 8, 0) and painted(0, 8, 0)
    assert not painted(-half + 8, 6, 2) and not painted(half - 8, 6, 2)
    # announced: a small diamond in the middle only
    assert painted(0, 5, 0) and painted(0, 5, 3) and not painted(-14, 5, 0)
    # measured: filled from the ground to its level, narrower than the bar
    assert painted(0, 2, 2) and painted(0, 0, 1) and painted(-12, 1, 1) and not painted(-half + 6, 1, 2)
    assert not painted(0, 3, 2)


def test_a3_the_legend_stands_wherever_there_is_room(roll: Roll) -> None:
    legend = roll.page.locator(".mgnb-lane-legend")
    for width, beside_words in ((1240, True), (850, False)):
        roll.page.set_viewport_size({"width": width, "height": 900})
        mount(roll, **MARKS)
        roll.page.mouse.move(5, 5)
        roll.page.wait_for_timeout(50)
        assert legend.is_visible()
        room, own = roll.page.locator(".mgnb-lane-strip").bounding_box(), legend.bounding_box()
        assert room is not None and own is not None
        assert own["x"] + own["width"] <= room["x"] + room["width"]
        roll.page.mouse.move(*point(roll, 1, 4))  # words about the bar
        roll.page.wait_for_timeout(50)
        assert legend.is_visible() is beside_words


def test_a5_adherence_is_shown_per_bar_and_per_lane(roll: Roll) -> None:
    mount(roll, **MARKS)
    note = roll.page.locator(".mgnb-lane-note").first
    assert note.text_content() == "met: .33"
    assert (note.get_attribute("title") or "").startswith("33 % of what was asked for came")
    slider = roll.page.locator(f'[role=slider][data-lane="{DENSITY}"][data-bar="1"]')
    assert slider.get_attribute("aria-valuetext") == (
        "asked: 9 of 10, model said: 6 of 10, measured: 3 of 10, met: .33"
    )
    roll.page.mouse.move(*point(roll, 1, 4))
    assert "met: .33" in (roll.page.get_by_test_id("mgnb-lane-readout").text_content() or "")


def test_a4_unreachable_levels_are_hatched_and_only_warn(roll: Roll) -> None:
    reach = {"track": {}, "bar": {"0": {"2": {DENSITY: [2, 5]}}}}
    mount(roll, reachable=reach, selection={"cells": [[0, 2]]})
    x, _ = point(roll, 2, 0)

    def colours(level: int) -> int:
        y = point(roll, 2, level)[1]
        return len({tuple(pixels(roll, x + dx, y)) for dx in range(-12, 12)})

    assert colours(8) >= 3 and colours(0) >= 3 and colours(4) <= 2
    roll.page.mouse.move(*point(roll, 2, 4))
    words = "within reach: 3 of 10 to 6 of 10"
    assert words in (roll.page.locator(".mgnb-lane-area").get_attribute("title") or "")
    roll.page.mouse.click(*point(roll, 2, 9))
    assert wishes(roll) == {2: 9}


@pytest.mark.parametrize("host", ["light", "dark"])
def test_lanes_look(roll: Roll, shots: Any, host: str) -> None:
    curve = {str(bar): {DENSITY: level} for bar, level in enumerate([1, 2, 4, 6, 8, 9, 7, 5], 4)}
    said = {bar: {DENSITY: own[DENSITY]} for bar, own in curve.items() if int(bar) < 10}
    kept = {bar: {DENSITY: 1 - 0.11 * (int(bar) % 3)} for bar in said}
    real = {
        str(bar): {
            DENSITY: (bar * 5) % 9 if bar < 4 else [1, 3, 4, 4, 8, 8, 6, 5][(bar - 4) % 8],
            VOICES: 2 + bar % 3,
        }
        for bar in range(16)
    }
    reach = {str(bar): {VOICES: [0, 5]} for bar in range(4, 12)}
    words = ["sparsest", "very sparse", "sparse", "rather sparse", "just below", "just above", "rather dense",
             "dense", "very dense", "densest"]  # fmt: skip
    attributes = [
        {"name": "note_density", "level": "track", "track_type": "both", "size": 10, "value_labels": words},
        {"name": "pitch_range", "level": "track", "track_type": "melodic", "size": 128},
        {"name": DENSITY, "level": "bar", "track_type": "both", "size": 10, "value_labels": words},
        {"name": VOICES, "level": "bar", "track_type": "melodic", "size": 10},
    ]
    roll.mount(
        document(band(16)),
        host,
        caps={"model": "pocket", "attributes": attributes},
        show_lanes=[DENSITY, VOICES, "note_density"],
        attributes={
            "track": {"1": {"note_density": 6}},
            "bar": {"1": {**curve, "1": {DENSITY: 5}, "6": {DENSITY: 4, VOICES: 7}}},
        },
        announced={"track": {"1": {"note_density": 6}}, "bar": {"1": said}},
        adherence={"track": {"1": {"note_density": 0.89}}, "bar": {"1": kept}},
        realized={"track": {"1": {"note_density": 5}}, "bar": {"1": real}},
        reachable={"track": {}, "bar": {"1": reach}},
        selection={"cells": [[1, bar] for bar in range(4, 12)]},
    )
    roll.page.wait_for_timeout(300)
    roll.page.mouse.move(*point(roll, 6, 7))
    shots(roll.page, f"lanes-{host}")


def test_a8_advanced_holds_every_other_setting(roll: Roll) -> None:
    mount(roll)
    page = roll.page

    def sampling() -> dict[str, Any]:
        page.wait_for_timeout(30)
        return page.evaluate("() => window.host.state.sampling")

    assert page.get_by_test_id("mgnb-sampling-temperature").is_visible()
    assert page.get_by_test_id("mgnb-sampling-top_p").is_hidden()
    page.get_by_test_id("mgnb-advanced").locator("summary").click()
    page.get_by_test_id("mgnb-sampling-top_p").fill("0.9")
    page.keyboard.press("Tab")
    page.get_by_test_id("mgnb-sampling-adherence").select_option("best")
    page.get_by_test_id("mgnb-sampling-silence_check").select_option("false")
    expected = {"temperature": 1.0, "top_p": 0.9, "seed": -1, "adherence": "best", "silence_check": False}
    assert sampling() == expected
    page.get_by_test_id("mgnb-sampling-adherence").select_option("off")  # the default is no setting
    page.get_by_test_id("mgnb-sampling-top_p").fill("")
    page.keyboard.press("Tab")
    page.get_by_test_id("mgnb-sampling-seed").fill("7")
    page.keyboard.press("Tab")
    assert sampling() == {"temperature": 1.0, "seed": 7, "silence_check": False}


def test_a2_a_slow_slanted_stroke_ends_where_a_fast_one_does(roll: Roll) -> None:
    """A bar keeps the level at its middle, not the one at the edge where the pen left it."""
    mount(roll)
    ends = point(roll, 0, 1), point(roll, 7, 8)
    drag(roll, *ends, steps=9)
    fast = wishes(roll)
    mount(roll)
    drag(roll, *ends, steps=180)
    slow = wishes(roll)
    assert set(slow) == set(range(8))
    assert all(abs(slow[bar] - fast[bar]) <= 1 for bar in fast)
    x = [point(roll, bar, 0)[0] for bar in range(8)]
    y = {level: point(roll, 0, level)[1] for level in range(10)}
    for bar in range(1, 7):  # the level whose band the straight line crosses at the bar's middle
        share = (x[bar] - x[0]) / (x[7] - x[0])
        at = y[1] + (y[8] - y[1]) * share
        nearest = min(y, key=lambda level: abs(y[level] - at))
        assert abs(slow[bar] - nearest) <= (1 if abs(abs(y[nearest] - at) - abs(y[0] - y[1]) / 2) < 3 else 0)
