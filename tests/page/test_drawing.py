"""How the roll is drawn: shifted while panning, sharp at any pixel ratio, little memory, the model's grid."""

from __future__ import annotations

import io
import itertools
from collections.abc import Iterator
from typing import Any

import harness
import numpy as np
import pytest
from harness import BAR, Roll, band, dense, document
from offered import offer
from PIL import Image

pytestmark = pytest.mark.browser

GRID = {"resolution": 12, "microtiming": False, "longest": 96, "pitches": [0, 127]}
METRES = [(4, 4), (3, 4), (7, 8), (5, 4)]


def caps(**changes: Any) -> dict[str, Any]:
    return {"model": "pocket", "attributes": harness.ATTRIBUTES, "grid": {**GRID, **changes}}


def pixels(roll: Roll, canvas: str) -> np.ndarray[Any, Any]:
    """The canvas of a layer: [height, width, RGBA] of its own bitmap."""
    url = roll.page.evaluate(f"() => document.querySelector('.mgnb-canvas-{canvas}').toDataURL()")
    return np.asarray(Image.open(io.BytesIO(harness.base64.b64decode(url.split(",")[1]))).convert("RGBA"))


def inked(picture: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Colours by how opaque they are: what a nearly transparent pixel is coloured does not count."""
    return picture[..., :3].astype(float) * picture[..., 3:] / 255


# ------------------------------------------------------------------------------------------- D1, D2


@pytest.mark.parametrize("steps", [(7, 13, -5, 40), (-60, 3, 3, 3)], ids=["to and fro", "backwards"])
def test_d1_a_shifted_picture_is_the_picture_painted_anew(roll: Roll, steps: tuple[int, ...]) -> None:
    plan = {"roles": {"1": {"bars": {str(b): ("locked", "hidden")[b % 2] for b in range(0, 120, 3)}}}}
    roll.mount(document(dense(16_000, n_bars=128), generated=[(2, 9 * BAR, 900, 60, 90)]), plan=plan)
    roll.page.get_by_test_id("mgnb-zoom-fit").click()
    roll.page.keyboard.press("Escape")
    roll.call("(mgnb) => { mgnb.paint(); for (let i = 0; i < 3; i++) mgnb.pan(1); mgnb.paint([]) }")
    roll.page.evaluate(
        """() => { const s = document.querySelector('.mgnb-surface');
            for (let i = 0; i < 30; i++) s.dispatchEvent(new WheelEvent('wheel',
              { ctrlKey: true, deltaY: -10, clientX: 700, bubbles: true, cancelable: true })) }"""
    )
    roll.call("mgnb => mgnb.paint()")
    start = roll.state()["viewport"]["left"]
    for step in steps:
        roll.call("(mgnb, px) => { mgnb.pan(px); mgnb.paint([]) }", step)
    assert roll.state()["viewport"]["left"] != start
    shifted = inked(pixels(roll, "notes"))
    roll.call("mgnb => mgnb.paint(['notes'])")
    anew = inked(pixels(roll, "notes"))
    assert (anew > 0).any(axis=2).mean() > 0.05
    assert (
        np.abs(shifted - anew).max() <= 8
    )  # rounding of half-transparent edges; a missing note is 100 and more


def test_d2_bitmaps_stay_below_40_mb_and_go_when_out_of_sight(chromium: Any) -> None:
    context = chromium.new_context(viewport={"width": 1460, "height": 900}, device_scale_factor=2)
    roll = Roll(context.new_page())
    roll.mount(document(band()), height=500)
    bitmaps = """() => [...document.querySelectorAll('.mgnb-root canvas')]
        .reduce((n, c) => n + 4 * c.width * c.height, 0)"""
    roll.page.wait_for_timeout(100)
    assert 20e6 < roll.page.evaluate(bitmaps) < 40e6
    roll.page.set_viewport_size({"width": 2600, "height": 1500})
    roll.set("height", 1200)
    roll.page.wait_for_timeout(300)
    assert 20e6 < roll.page.evaluate(bitmaps) < 45e6  # drawn less finely: the lanes' own canvas comes on top
    roll.page.evaluate("document.body.style.paddingTop = '6000px'")
    roll.page.wait_for_function(f"({bitmaps})() === 0")
    roll.page.evaluate("document.body.style.paddingTop = ''")
    roll.page.wait_for_function(f"({bitmaps})() > 20e6")
    context.close()
    assert roll.errors == []


# ------------------------------------------------------------------------------------------- D5


SAME = 4
"""Levels of 255 that two equal pixels may differ by; where a line is blurred the difference is above 100."""


@pytest.fixture
def fine(chromium: Any) -> Iterator[Any]:
    """Rolls on screens of any pixel ratio."""
    opened = []

    def make(ratio: float) -> Roll:
        context = chromium.new_context(viewport={"width": 1111, "height": 800}, device_scale_factor=ratio)
        opened.append(context)
        return Roll(context.new_page())

    yield make
    for context in opened:
        context.close()


def on_screen(roll: Roll, ratio: float) -> int:
    """Greatest difference between the bitmap of the grid and the screen's pixels (0: one for one)."""
    roll.page.evaluate(
        """() => { for (const name of ['notes', 'overlay'])
            document.querySelector(`.mgnb-canvas-${name}`).style.visibility = 'hidden' }"""
    )
    roll.page.wait_for_timeout(60)
    box = roll.page.locator(".mgnb-surface").bounding_box()
    # whole CSS pixels that begin on whole device pixels
    clip = {"x": np.ceil(box["x"] / 4) * 4, "y": np.ceil(box["y"] / 4) * 4, "width": 640, "height": 320}
    shot = np.asarray(Image.open(io.BytesIO(roll.page.screenshot(clip=clip))).convert("RGB")).astype(int)
    own = pixels(roll, "grid")[..., :3].astype(int)
    x, y = ((clip[axis] - box[axis]) * ratio for axis in ("x", "y"))
    h, w = shot.shape[:2]
    # the browser puts the canvas on whole device pixels somewhere near
    near = [range(max(0, int(at) - 1), int(at) + 3) for at in (x, y)]
    return min(
        int(np.abs(own[dy : dy + h, dx : dx + w] - shot)[2:, 2:].max()) for dx in near[0] for dy in near[1]
    )


@pytest.mark.parametrize("ratio", [1, 1.25, 1.5, 2])
def test_d5_every_pixel_of_the_bitmap_is_one_of_the_screen(fine: Any, ratio: float) -> None:
    roll = fine(ratio)
    roll.mount(document(band()))
    roll.page.wait_for_timeout(150)
    assert on_screen(roll, ratio) <= SAME
    assert roll.errors == []


@pytest.mark.parametrize("ratio", [1.5, 0.75])
def test_d5_sharp_again_after_the_browser_was_zoomed(fine: Any, ratio: float) -> None:
    roll = fine(1)
    roll.mount(document(band()))
    roll.page.wait_for_timeout(100)
    session = roll.page.context.new_cdp_session(roll.page)
    size = {"width": round(1111 / ratio), "height": round(1200 / ratio), "mobile": False}
    session.send("Emulation.setDeviceMetricsOverride", {**size, "deviceScaleFactor": ratio})
    roll.page.wait_for_timeout(300)
    assert roll.page.evaluate("devicePixelRatio") == ratio
    assert on_screen(roll, ratio) <= SAME


def test_d5_width_follows_the_container_and_the_height_stays(roll: Roll) -> None:
    roll.mount(document(band()))
    roll.page.wait_for_timeout(100)
    sizes = []
    for width in (900, 613, 1100):
        roll.page.evaluate("w => { document.getElementById('mgnb').style.width = `${w}px` }", width)
        roll.page.wait_for_timeout(150)
        body = roll.page.locator(".mgnb-body").bounding_box()
        sizes.append(body["height"])
        assert roll.page.locator(".mgnb-root").bounding_box()["width"] == pytest.approx(width, abs=1)
        assert roll.state()["viewport"]["width"] == pytest.approx(
            roll.page.locator(".mgnb-surface").bounding_box()["width"], abs=1
        )
    assert sizes == [420, 420, 420]
    frames = roll.state()["frames"]
    roll.page.wait_for_timeout(250)
    assert roll.state()["frames"] - frames <= 1  # no loop of resizing and painting


# ------------------------------------------------------------------------------------------- D6


def marks(roll: Roll, rows: list[harness.Row], **changes: Any) -> int:
    """Pixels that differ when notes off the model's grid are marked."""
    roll.mount(document(rows, n_bars=2, tracks=harness.TRACKS[:1]), caps=caps(**changes))
    roll.page.mouse.click(*roll.cell(0, 0))
    roll.page.keyboard.press("e")
    roll.page.keyboard.press("f")
    roll.page.wait_for_timeout(100)
    marked = pixels(roll, "notes").astype(int)
    roll.page.get_by_test_id("mgnb-sight").click()
    roll.page.get_by_test_id("mgnb-off-grid").click()
    roll.page.wait_for_timeout(100)
    return int((np.abs(marked - pixels(roll, "notes")) > 40).any(axis=2).sum())


@pytest.mark.parametrize(
    ("note", "changes", "marked"),
    [
        pytest.param((0, 240, 480, 60, 90), {}, False, id="fits"),
        pytest.param((0, 250, 480, 60, 90), {}, True, id="between two steps"),
        pytest.param((0, 250, 480, 60, 90), {"microtiming": True}, False, id="but micro-timing reaches it"),
        pytest.param((0, 251, 480, 60, 90), {"microtiming": True}, True, id="not even micro-timing does"),
        pytest.param((0, 240, 470, 60, 90), {}, True, id="a length between two steps"),
        pytest.param((0, 240, 1440, 60, 90), {"longest": 24}, True, id="longer than the longest"),
        pytest.param((0, 240, 480, 60, 90), {"pitches": [61, 100]}, True, id="no such pitch"),
    ],
)
def test_d6_notes_the_model_cannot_represent_are_marked(
    roll: Roll, note: harness.Row, changes: dict[str, Any], marked: bool
) -> None:
    assert (marks(roll, [note], **changes) > 0) is marked
    roll.page.get_by_test_id("mgnb-sight").click()
    text = roll.page.get_by_test_id("mgnb-off-grid").text_content()
    assert text == ("Mark 1 note off the model's grid" if marked else "All notes fit the model's grid")


def test_d6_the_grid_shows_the_models_steps_at_high_zoom(roll: Roll) -> None:
    pictures = []
    for resolution in (12, 24):
        roll.mount(document(band(2)), caps=caps(resolution=resolution))
        roll.page.mouse.click(*roll.cell(0, 0))
        roll.page.keyboard.press("f")
        roll.page.keyboard.press("Escape")
        roll.page.mouse.move(5, 5)
        roll.page.wait_for_timeout(150)
        pictures.append(pixels(roll, "grid"))
    assert (pictures[0] != pictures[1]).any()  # twice as many steps
    roll.page.get_by_test_id("mgnb-zoom-fit").click()
    roll.page.wait_for_timeout(100)
    far = pixels(roll, "grid")
    roll.set("caps", {**caps(), "grid": None})
    roll.page.wait_for_timeout(100)
    assert (pixels(roll, "grid") == far).all()  # seen from far only the metre is drawn


# ------------------------------------------------------------------------------------------- any piece


def many_tracks(n: int) -> list[dict[str, Any]]:
    return [{**harness.TRACKS[i % 4], "name": f"{harness.TRACKS[i % 4]['name']} {i + 1}"} for i in range(n)]


def huge() -> bytes:
    bars = [METRES[i // 8 % 4] for i in range(2000)]
    return document(dense(60_000, 32, 1900), tracks=many_tracks(32), bars=bars)


PIECES = {
    "empty": lambda: document([], n_bars=1, tracks=[]),
    "one bar, one track": lambda: document([(0, 0, 400, 60, 90)], n_bars=1, tracks=harness.TRACKS[:1]),
    "seven eight": lambda: document(
        [(0, i * 240, 200, 60 + i % 7, 90) for i in range(28)], bars=[(7, 8)] * 4, tracks=harness.TRACKS[:1]
    ),
    "metre changes": lambda: document(
        band(8), bars=[(4, 4), (3, 4), (5, 8), (4, 4), (1, 4), (12, 8), (7, 8), (4, 4)]
    ),
    "huge": huge,
}


@pytest.mark.parametrize("host", ["light", "dark"])
@pytest.mark.parametrize("piece", list(PIECES))
def test_d3_any_piece_is_shown_and_moves(roll: Roll, piece: str, host: str, shots: Any) -> None:
    roll.mount(PIECES[piece](), host=host, caps=caps())
    roll.page.wait_for_function("document.querySelector('.mgnb-root').mgnb.state().frames > 0")
    shots(roll.page, f"piece-{piece.replace(' ', '-').replace(',', '')}-{host}")
    if host == "light":
        roll.page.locator(".mgnb-surface").focus()
        for key in ("f", "+", "ArrowRight", "ArrowDown", ",", "]", "[", ",", "e", "End", "Home", "Escape"):
            roll.page.keyboard.press(key)
        roll.page.wait_for_timeout(100)
        assert roll.state()["problem"] is None


# ------------------------------------------------------------------------------------------- legibility

TOLD = """
const write = CanvasRenderingContext2D.prototype.fillText;
window.written = [];
CanvasRenderingContext2D.prototype.fillText = function (text, x, y, ...rest) {
  if (this.canvas.className.includes('grid')) {
    window.written.push([text, x, x + this.measureText(text).width]);
  }
  write.call(this, text, x, y, ...rest);
};
"""
ODD_METRES = [(7, 8), (5, 8), (3, 4), (4, 4), (2, 4), (6, 8), (9, 8), (3, 8), (12, 8), (11, 16), (1, 4)] * 2


@pytest.mark.parametrize(
    ("metres", "numbers"),
    [
        pytest.param(ODD_METRES, 12, id="another metre each bar"),
        pytest.param([(1, 4), *[(9, 4)] * 60], 20, id="a pickup bar"),
        pytest.param(
            [(4, 4)] * 1500 + [(2, 4), (7, 8)] * 2, 10, id="changes between the numbers of a long piece"
        ),
    ],
)
def test_d6_numbers_and_metres_of_the_ruler_never_touch(
    roll: Roll, metres: list[tuple[int, int]], numbers: int
) -> None:
    roll.page.add_init_script(TOLD)
    roll.mount(document([(0, 0, 240, 60, 90)], bars=metres))
    for left in (0, 0.3, 1):  # wherever one has scrolled to
        roll.page.evaluate("window.written = []")
        roll.call("(mgnb, to) => { mgnb.pan(1e7 * (2 * to - 1)); mgnb.pan(400 * to); mgnb.paint() }", left)
        written = sorted(roll.page.evaluate("window.written"), key=lambda row: row[1])
        assert sum(text.isdigit() for text, *_ in written) >= numbers or left > 0
        for (one, _, end), (other, start, _) in itertools.pairwise(written):
            assert end + 2 <= start, (one, other)


def test_d6_inside_a_bar_its_number_stays_in_sight(roll: Roll) -> None:
    roll.page.add_init_script(TOLD)
    roll.mount(document([(0, 0, 240, 60, 90)], n_bars=8))
    for _ in range(8):
        roll.page.get_by_test_id("mgnb-zoom-in").click()
    width = roll.call("mgnb => mgnb.barRect(0, 4)")["w"]
    roll.call("(mgnb, bar) => { mgnb.pan(-1e7); mgnb.pan(4.3 * bar) }", width)
    roll.page.evaluate("window.written = []")
    roll.call("mgnb => mgnb.paint()")
    written = [(text, x) for text, x, _ in roll.page.evaluate("window.written")]
    assert ("5", 5) in written and width > 1000


@pytest.mark.parametrize("many", [False, True], ids=["few notes", "many notes"])
def test_d3_notes_of_one_pitch_that_overlap_are_told_apart(roll: Roll, many: bool) -> None:
    over = [(0, 480 * k, 720, 60, 90) for k in range(32)]
    rest = [(1, 20 * k, 15, 40, 90) for k in range(1000)] if many else []
    roll.mount(document([*over, *rest], n_bars=9))
    box = roll.call("(mgnb, t, at) => mgnb.noteRect(t, at)", 0, 4 * 480)
    canvas = roll.page.locator(".mgnb-canvas-notes").bounding_box()
    y, x = int(box["y"] + box["h"] / 2 - canvas["y"]), round(box["x"] - canvas["x"])
    line = pixels(roll, "notes")[y, x - 6 : x + 7].astype(int)
    assert np.abs(line - line[0]).max() > 40


def test_e6_long_notes_leave_no_gaps_in_the_overview(roll: Roll) -> None:
    """A note that begins within another of its pitch and ends behind it is drawn to its end."""
    roll.mount(document([(0, 480 * k, 720, 60, 90) for k in range(32)], n_bars=9, tracks=harness.TRACKS[:1]))
    picture = inked(pixels(roll, "overview"))
    ground = picture[2, -3]
    ink = (np.abs(picture[3:-3] - ground).max(axis=2) > 60).any(axis=0)
    last = int(picture.shape[1] * 31 * 480 / (9 * BAR))
    assert ink[4:last].all()


@pytest.mark.parametrize("width", [1240, 420])
def test_long_names_of_tracks_take_one_line(roll: Roll, width: int) -> None:
    """Files name tracks with whole sentences: titles cut them with an ellipsis, and say them when hovered."""
    name = "Copyright (c) 1998 by somebody, all rights reserved, do not copy, thank you very much indeed"
    roll.page.set_viewport_size({"width": width, "height": 900})
    rows = [(1, BAR * k, 480, 60, 90) for k in range(8)]
    roll.mount(document(rows, tracks=[harness.TRACKS[0], {**harness.TRACKS[1], "name": name}]))
    roll.page.get_by_test_id("mgnb-lanes").wait_for()
    if not roll.page.locator(".mgnb-steer").is_visible():
        roll.page.get_by_test_id("mgnb-steer").evaluate("button => button.click()")
    roll.drag((1, 1), (1, 2))
    offer(roll)
    for part in (".mgnb-steer-title", ".mgnb-takes-title", ".mgnb-status-detail"):
        box = roll.page.locator(part).bounding_box()
        assert box["height"] < 24, part
        assert box["x"] + box["width"] <= width, part
    assert name in roll.page.locator(".mgnb-takes-title").get_attribute("title")
    assert name in roll.page.locator(".mgnb-steer-title").get_attribute("title")
    choice = roll.page.get_by_test_id("mgnb-lane-track")
    assert choice.evaluate("e => getComputedStyle(e).textOverflow") == "ellipsis"
