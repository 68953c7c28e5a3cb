"""Metronome, speed, following, the loop's ends (S5), and the one-row toolbar."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from harness import BAR, RESOLUTION, Roll, band, document

pytestmark = pytest.mark.browser

METRES = [(4, 4), (3, 4), (7, 8), (4, 4)]
TEMPO = ((0, 500_000), (BAR, 400_000))
RATE = 44_100


def by(roll: Roll, testid: str) -> Any:
    return roll.page.get_by_test_id(f"mgnb-{testid}")


def pressed(roll: Roll, testid: str, on: bool) -> None:
    roll.page.wait_for_selector(f"[data-testid=mgnb-{testid}][aria-pressed={str(on).lower()}]")


def beats() -> list[tuple[float, bool]]:
    """Seconds of every beat of METRES at TEMPO, and whether a bar begins there."""
    found, tick = [], 0
    for numerator, denominator in METRES:
        step = 4 * RESOLUTION // denominator
        for k in range(numerator):
            at = tick + k * step
            seconds = min(at, BAR) * 0.5 / RESOLUTION + max(0, at - BAR) * 0.4 / RESOLUTION
            found.append((seconds, k == 0))
        tick += numerator * step
    return found


def render(roll: Roll, bars: tuple[int, int] = (0, 4)) -> np.ndarray[Any, Any]:
    """The left channel of bars [from, to), its first sample at the first of them."""
    script = f"""async (mgnb, from, to) => {{
        const got = await mgnb.renderAudio(from, to, {RATE});
        return Array.from(got.channels[0]);
    }}"""
    return np.array(roll.call(script, *bars))[round(0.05 * RATE) :]


def attacks(samples: np.ndarray[Any, Any]) -> list[float]:
    """Seconds at which something begins after silence."""
    loud = np.abs(samples) > 0.02
    gap = round(0.02 * RATE)
    starts = [i for i in np.flatnonzero(loud) if not loud[max(0, i - gap) : i].any()]
    return [i / RATE for i in starts]


def pitch(samples: np.ndarray[Any, Any]) -> float:
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return float(np.argmax(spectrum) * RATE / len(samples))


def test_s5_clicks_fall_on_the_beats_of_the_real_metre_map(roll: Roll) -> None:
    roll.mount(document([], bars=METRES, tempo=TEMPO), metronome=True)
    samples = render(roll)
    found, wanted = attacks(samples), beats()
    assert len(found) == len(wanted) == 18
    late = [abs(got - at) for got, (at, _) in zip(found, wanted, strict=True)]
    assert max(late) <= 0.005
    heard = [pitch(samples[round(at * RATE) : round((at + 0.03) * RATE)]) for at in found]
    accents = [hz > 1500 for hz in heard]
    assert accents == [accent for _, accent in wanted]


def test_s5_the_speed_changes_when_and_not_what(roll: Roll) -> None:
    notes = [(0, k * 2 * RESOLUTION, RESOLUTION, 69, 100) for k in range(4)]
    doc = document(notes, bars=[(4, 4), (4, 4)])
    roll.mount(doc)
    normal = render(roll, (0, 2))
    roll.mount(doc, tempo_factor=0.5)
    slow = render(roll, (0, 2))
    first, then = attacks(normal), attacks(slow)
    assert len(first) == len(then) == 4
    assert [2 * at for at in first] == pytest.approx(then, abs=0.005)
    tones = [pitch(samples[round(0.05 * RATE) : round(0.35 * RATE)]) for samples in (normal, slow)]
    assert tones[0] == pytest.approx(tones[1], abs=4)
    assert abs(1200 * np.log2(tones[0] / 440)) % 1200 < 20 or tones[0] == pytest.approx(440, rel=0.02)


def test_s5_the_metronome_is_off_until_asked_for(roll: Roll) -> None:
    roll.mount(document([], bars=METRES, tempo=TEMPO))
    assert attacks(render(roll)) == []
    by(roll, "metronome").click()
    pressed(roll, "metronome", True)
    assert roll.page.evaluate("window.host.state.metronome") is True
    assert len(attacks(render(roll))) == 18
    roll.page.locator(".mgnb-surface").focus()
    roll.page.keyboard.press("k")
    pressed(roll, "metronome", False)
    assert attacks(render(roll)) == []


def test_s5_speed_keys_work_while_it_plays(roll: Roll) -> None:
    roll.mount(document(band(16)))
    by(roll, "play").click()
    roll.page.wait_for_function("() => document.querySelector('.mgnb-root').mgnb.state().position > 200")
    script = """async (mgnb, ms) => {
        const from = mgnb.state().position, began = performance.now();
        await new Promise((resolve) => setTimeout(resolve, ms));
        return (mgnb.state().position - from) / (performance.now() - began);
    }"""
    roll.page.wait_for_timeout(200)
    usual = roll.call(script, 600)
    roll.page.locator(".mgnb-surface").focus()
    for _ in range(4):
        roll.page.keyboard.press(">")
    assert "× 2" in by(roll, "tempo").inner_text()
    roll.page.wait_for_timeout(250)
    fast = roll.call(script, 600)
    assert fast / usual == pytest.approx(2, rel=0.12)
    for _ in range(9):
        roll.page.keyboard.press("<")
    assert roll.page.evaluate("window.host.state.tempo_factor") == 0.25
    assert roll.state()["playing"]


def test_s5_how_the_view_follows_is_a_choice(roll: Roll) -> None:
    roll.mount(document(band(64)))
    by(roll, "zoom-in").click(click_count=1)
    play = """async (mgnb, tick) => {
        const root = document.querySelector('.mgnb-root');
        root.querySelector('[data-testid=mgnb-play]').click();
        await new Promise((resolve) => setTimeout(resolve, 700));
        const { viewport, position } = mgnb.state();
        root.querySelector('[data-testid=mgnb-play]').click();
        return [(position - viewport.left) * viewport.scale / viewport.width, viewport.left];
    }"""
    roll.page.keyboard.press("Home")
    places = {}
    for mode in ("off", "page", "centre"):
        by(roll, "more").click()
        by(roll, "more-follow").click()
        by(roll, f"follow-{mode}").click()
        assert roll.page.evaluate("window.host.state.follow") == mode
        rect = roll.page.locator(".mgnb-surface").bounding_box()
        roll.page.mouse.click(rect["x"] + rect["width"] - 30, rect["y"] + 27)
        places[mode], left = roll.call(play)
        if mode == "off":
            assert left == 0
        by(roll, "start").click()
    assert places["off"] > 0.9 and places["page"] < 0.3
    assert places["centre"] == pytest.approx(0.5, abs=0.02)


def test_s5_both_ends_of_the_loop_can_be_dragged(roll: Roll) -> None:
    roll.mount(document(band(16)), loop=[4, 8])

    def strip(bar: int) -> tuple[float, float]:
        rect = roll.call("(mgnb, b) => mgnb.barRect(0, b)", min(bar, 15))
        top = roll.page.locator(".mgnb-surface").bounding_box()["y"]
        return rect["x"] + (rect["w"] - 4 if bar == 16 else 0), top + 27

    def pull(start: int, end: int, shift: bool = False) -> list[int]:
        if shift:
            roll.page.keyboard.down("Shift")
        x, y = strip(start)
        roll.page.mouse.move(x + (5 if shift else 0), y)
        roll.page.mouse.down()
        roll.page.mouse.move(strip(end)[0] + 3, y, steps=4)
        roll.page.mouse.up()
        roll.page.keyboard.up("Shift")
        return roll.page.evaluate("window.host.state.loop")

    assert pull(8, 12) == [4, 12]
    assert pull(4, 2) == [2, 12]
    assert pull(12, 16) == [2, 16]
    assert pull(16, 6) == [2, 6]
    assert pull(2, 9) == [6, 9]  # over the other end: it turns round
    assert pull(11, 14, shift=True) == [11, 14]
    assert roll.state()["loop"] == {"start": 11 * BAR, "end": 14 * BAR}
    before = roll.state()["position"]
    x, y = strip(14)
    roll.page.mouse.move(x, y)
    roll.page.mouse.down()
    roll.page.mouse.move(strip(8)[0], y, steps=3)
    roll.page.keyboard.press("Escape")
    roll.page.mouse.up()
    assert roll.page.evaluate("window.host.state.loop") == [11, 14]
    assert roll.state()["position"] == before
    # a click beside the ends still moves the playhead
    roll.page.mouse.click(strip(3)[0] + 2, y)
    assert roll.state()["position"] == 3 * BAR


def readable(roll: Roll) -> int:
    """How many letters of what Generate says stand before the three dots, or all."""
    return roll.page.evaluate(
        """() => { const label = document.querySelector('.mgnb-generate-label');
        if (label.scrollWidth <= label.clientWidth) return label.textContent.length;
        const pen = document.createElement('canvas').getContext('2d');
        pen.font = getComputedStyle(label).font;
        const width = (n) => pen.measureText(label.textContent.slice(0, n) + '…').width;
        let n = 0;
        while (width(n + 1) <= label.clientWidth) n += 1;
        return n; }"""
    )


@pytest.mark.parametrize("width", [420, 500, 600, 700, 850, 1000, 1200])
def test_the_toolbar_is_one_row_and_generate_is_whole(roll: Roll, width: int) -> None:
    roll.page.set_viewport_size({"width": width + 32, "height": 800})
    roll.mount(document(band()), selection={"cells": [[1, 4], [1, 5]]})
    toolbar = roll.page.locator(".mgnb-toolbar")
    box, button = toolbar.bounding_box(), by(roll, "generate").bounding_box()
    assert box["height"] < 45
    assert button["x"] >= box["x"] and button["x"] + button["width"] <= box["x"] + box["width"]
    if width >= 500:
        assert readable(roll) >= len("Regenerate bars 5–6")
    assert button["width"] >= 96
    more = by(roll, "more").bounding_box()
    assert more["x"] + more["width"] <= box["x"] + box["width"]
    assert (
        toolbar.evaluate("node => [...node.querySelectorAll('button')].filter(b => b.tabIndex === 0).length")
        == 1
    )


@pytest.mark.parametrize("tracks", [[3], [0, 1, 2, 3]], ids=["drums", "all"])
def test_generate_takes_the_room_that_tools_leave(roll: Roll, tracks: list[int]) -> None:
    """It names action and bars at every width of a cell, and nothing is clipped, overlaps or wraps."""
    cells = [[track, bar] for track in tracks for bar in range(4, 8)]
    roll.mount(document(band()), selection={"cells": cells}, can_undo=True)
    row = roll.page.locator(".mgnb-toolbar")
    for width in range(460, 1401, 47):
        roll.page.set_viewport_size({"width": width + 32, "height": 800})
        roll.page.wait_for_timeout(60)
        label, edge, boxes = row.evaluate(
            """row => { const label = row.querySelector('.mgnb-generate-label');
            const box = (node) => {
              const { left, right, top, bottom } = node.getBoundingClientRect();
              return [left, right, top, bottom]; };
            const widths = [label.scrollWidth, label.clientWidth];
            return [[...widths, ...box(label), ...box(label.parentElement)], box(row),
              [...row.querySelectorAll('button, select')].filter((one) => one.offsetParent).map(box)]; }"""
        )
        assert label[0] <= label[1] or readable(roll) >= len("Regenerate bars 5–8"), width
        assert label[6] <= label[2] and label[3] <= label[7], width
        assert label[8] <= label[4] and label[5] <= label[9], width
        for left, right in pairwise(boxes):
            assert left[1] <= right[0] + 0.5, width
        assert all(b[0] >= edge[0] and b[1] <= edge[1] and b[3] < edge[2] + 42 for b in boxes), width


@pytest.mark.parametrize("width", [600, 850, 1000])
def test_help_is_the_last_to_fold_away(roll: Roll, width: int) -> None:
    roll.page.set_viewport_size({"width": width + 32, "height": 800})
    roll.mount(document(band()), selection={"cells": [[1, 4], [1, 5]]})
    assert roll.page.locator(".mgnb-fold[hidden]").count() > 0
    assert by(roll, "help").is_visible()


@pytest.mark.parametrize("width", [520, 760, 900, 1000, 1200])
def test_no_tool_comes_goes_or_moves_with_the_selection(roll: Roll, width: int) -> None:
    roll.page.set_viewport_size({"width": width, "height": 800})
    roll.mount(document(band()), can_undo=True)
    places = """() => [...document.querySelectorAll('.mgnb-toolbar [data-testid]')]
        .filter((one) => !/generate|takes-count/.test(one.dataset.testid))
        .map((one) => [one.dataset.testid, one.getBoundingClientRect().x])"""
    before = roll.page.evaluate(places)
    roll.call("(mgnb) => mgnb.select([[1, 4], [1, 5], [2, 4], [2, 5]])")
    roll.page.wait_for_function("document.querySelector('.mgnb-generate').textContent !== 'Generate'")
    assert roll.page.evaluate(places) == before


def test_what_is_folded_away_is_in_the_menu_and_works(roll: Roll) -> None:
    roll.page.set_viewport_size({"width": 440, "height": 800})
    roll.mount(document(band()), can_undo=True)
    assert (
        by(roll, "takes-count").is_hidden()
        and by(roll, "tool-draw").is_hidden()
        and by(roll, "files").is_hidden()
    )
    by(roll, "more").click()
    by(roll, "tool-draw-more").click()
    assert roll.state()["tool"] == "draw"
    by(roll, "more").click()
    assert by(roll, "tool-draw-more").get_attribute("aria-checked") == "true"
    by(roll, "takes-count-more").click()
    by(roll, "takes-count-more-4").click()
    assert roll.page.evaluate("window.host.state.n_takes") == 4
    by(roll, "more").click()
    by(roll, "files-more").click()
    assert by(roll, "download-midi").is_visible()
    menu, root = by(roll, "menu").bounding_box(), roll.page.locator(".mgnb-root").bounding_box()
    assert menu["x"] + menu["width"] <= root["x"] + root["width"]
    roll.page.keyboard.press("Escape")
    assert roll.page.evaluate("document.activeElement.dataset.testid") == "mgnb-more"
    roll.page.set_viewport_size({"width": 1272, "height": 800})
    by(roll, "tool-draw").wait_for()
    by(roll, "more").click()
    assert by(roll, "tool-draw-more").count() == 0 and by(roll, "more-speed").is_visible()


@pytest.mark.parametrize("width", [420, 532, 760, 850, 1400])
def test_generate_stands_in_the_row_beside_the_one_number_of_takes(roll: Roll, width: int) -> None:
    """What is set where the eye is when Generate is pressed is set nowhere else (in a narrow row it is in
    the menu); note tools are there from the width of a notebook on.
    """
    roll.page.set_viewport_size({"width": width, "height": 1000})
    roll.mount(document(band()), selection={"cells": [[1, 4], [1, 5]]}, n_takes=3, can_undo=True)
    row, button = roll.page.locator(".mgnb-toolbar").bounding_box(), by(roll, "generate").bounding_box()
    assert button["width"] >= 96 and button["x"] + button["width"] <= row["x"] + row["width"]
    assert row["y"] <= button["y"] and button["y"] + button["height"] <= row["y"] + row["height"] < 90
    choices = roll.page.locator("select:has(option:text-is('3 takes')), select[aria-label*='ake']")
    assert choices.count() == 1
    assert by(roll, "tool-draw").is_visible() == (width >= 760)
    if width >= 760:
        takes = by(roll, "takes-count").bounding_box()
        assert 0 < button["x"] - takes["x"] - takes["width"] < 12
        assert by(roll, "takes-count").input_value() == "3"


@pytest.mark.parametrize("width", [560, 815, 1000])
def test_what_is_folded_away_stays_there_while_it_generates(roll: Roll, width: int) -> None:
    """Stop is shorter than what it stands for; nothing else in the row may come or go with it."""
    roll.mount(document(band(8), n_bars=8), selection={"cells": [[1, 3]]})
    roll.page.set_viewport_size({"width": width, "height": 900})
    roll.page.wait_for_timeout(200)
    shown = "() => [...document.querySelectorAll('.mgnb-fold')].map((one) => !one.hidden)"
    before = roll.page.evaluate(shown)
    assert not all(before)
    roll.event(0, "accepted", cells=[[1, 3]], label="Bar 4")
    roll.event(1, "step", step=0, n_steps=1, window=[0, 8])
    roll.page.get_by_test_id("mgnb-stop").wait_for(state="visible")
    roll.page.wait_for_timeout(150)
    assert roll.page.evaluate(shown) == before
    roll.event(2, "done", rev=2)
    roll.page.get_by_test_id("mgnb-stop").wait_for(state="hidden")
    roll.page.wait_for_timeout(150)
    assert roll.page.evaluate(shown) == before


def test_the_toolbar_is_one_stop_with_its_choices_in_it(roll: Roll) -> None:
    """Left and right go through buttons and choices; up and down change a choice."""
    roll.mount(document(band(8), n_bars=8))
    keyboard = roll.page.keyboard
    stops = "() => document.querySelectorAll('.mgnb-toolbar :is(button, select)[tabindex=\"0\"]').length"
    assert roll.page.evaluate(stops) == 1
    takes = roll.page.get_by_test_id("mgnb-takes-count")
    takes.focus()
    assert roll.page.evaluate(stops) == 1
    before = takes.input_value()
    keyboard.press("ArrowRight")
    focused = "() => document.activeElement.dataset.testid"
    assert roll.page.evaluate(focused) == "mgnb-generate" and takes.input_value() == before
    keyboard.press("ArrowLeft")
    assert roll.page.evaluate(focused) == "mgnb-takes-count" and takes.input_value() == before
    keyboard.press("ArrowDown")
    assert takes.input_value() == str(int(before) + 1)
    keyboard.press("Home")
    assert roll.page.evaluate(stops) == 1
