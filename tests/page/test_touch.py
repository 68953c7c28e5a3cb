"""Fingers on the roll: real touch events, sent through the browser's own input."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from harness import BAR, Roll, band, document

pytestmark = pytest.mark.browser

Point = tuple[float, float]


class Fingers:
    """Sends touches; each call says where all fingers are."""

    def __init__(self, page: Any) -> None:
        self.page = page
        self.session = page.context.new_cdp_session(page)

    def _send(self, kind: str, points: Sequence[Point]) -> None:
        touches = [{"x": x, "y": y, "id": i} for i, (x, y) in enumerate(points)]
        self.session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": touches})

    def drag(self, *ways: tuple[Point, Point], steps: int = 6) -> None:
        """Fingers put down, moved along straight ways, and lifted."""
        for n in range(len(ways)):
            self._send("touchStart", [way[0] for way in ways[: n + 1]])
        for step in range(1, steps + 1):
            share = step / steps
            self._send(
                "touchMove",
                [(a[0] + (b[0] - a[0]) * share, a[1] + (b[1] - a[1]) * share) for a, b in ways],
            )
            self.page.wait_for_timeout(16)
        self._send("touchEnd", [])

    def tap(self, point: Point) -> None:
        self._send("touchStart", [point])
        self._send("touchEnd", [])


@pytest.fixture
def touched(chromium: Any) -> Iterator[tuple[Roll, Fingers]]:
    context = chromium.new_context(viewport={"width": 1000, "height": 700}, has_touch=True)
    roll = Roll(context.new_page())
    roll.mount(document(band()))
    roll.page.evaluate("document.body.style.minHeight = '3000px'")
    yield roll, Fingers(roll.page)
    context.close()
    assert roll.errors == []


def scrolled(roll: Roll) -> float:
    """How far the page is scrolled, once it has come to rest: it glides on after the finger has left."""
    places = [-1.0, -2.0]
    while places[-1] != places[-2]:
        roll.page.wait_for_timeout(120)
        places.append(roll.page.evaluate("window.scrollY"))
    return places[-1]


def test_e7_one_finger_scrolls_the_page_until_the_roll_is_tapped(touched: tuple[Roll, Fingers]) -> None:
    roll, fingers = touched
    x, y = roll.cell(2, 3)
    fingers.drag(((x, y), (x, y - 160)))
    assert scrolled(roll) > 60
    assert roll.state()["selection"] == []
    roll.page.evaluate("window.scrollTo(0, 0)")
    # tapped: the same finger now chooses bars, and the page stays where it is
    fingers.tap(roll.cell(1, 2))
    state = roll.state()
    assert state["touched"] and state["selection"] == [[1, 2]]
    fingers.drag((roll.cell(1, 2), roll.cell(2, 4)))
    assert roll.state()["selection"] == [[t, b] for t in (1, 2) for b in (2, 3, 4)]
    assert scrolled(roll) == 0


def test_e7_touching_elsewhere_gives_the_page_back(touched: tuple[Roll, Fingers]) -> None:
    roll, fingers = touched
    fingers.tap(roll.cell(1, 2))
    assert roll.state()["touched"]
    roll.page.evaluate("document.getElementById('mgnb').style.marginTop = '80px'")
    fingers.tap((300, 40))
    assert not roll.state()["touched"]
    x, y = roll.cell(2, 3)
    fingers.drag(((x, y), (x, y - 160)))
    assert scrolled(roll) > 60


@pytest.mark.parametrize("tapped", [False, True], ids=["before a tap", "after a tap"])
def test_e7_two_fingers_pan_and_pinch(touched: tuple[Roll, Fingers], tapped: bool) -> None:
    roll, fingers = touched
    if tapped:
        fingers.tap(roll.cell(1, 2))
    chosen = roll.state()["selection"]
    x, y = roll.cell(1, 4)
    before = roll.state()["viewport"]
    fingers.drag(((x - 40, y), (x - 120, y)), ((x + 40, y), (x + 120, y)))
    near = roll.state()["viewport"]
    assert near["scale"] == pytest.approx(3 * before["scale"], rel=0.05)
    left = roll.page.locator(".mgnb-surface").bounding_box()["x"]
    middle = [view["left"] + (x - left) / view["scale"] for view in (before, near)]
    assert middle[1] == pytest.approx(middle[0], abs=BAR / 20)  # what was between the fingers stays there
    fingers.drag(((x, y), (x - 90, y)), ((x + 80, y), (x - 10, y)))
    panned = roll.state()["viewport"]
    assert panned["scale"] == pytest.approx(near["scale"])
    assert (panned["left"] - near["left"]) * near["scale"] == pytest.approx(90, abs=1)
    assert roll.state()["selection"] == chosen
    assert scrolled(roll) == 0


def test_e7_a_second_finger_ends_what_the_first_began(touched: tuple[Roll, Fingers]) -> None:
    roll, fingers = touched
    fingers.tap(roll.cell(0, 0))
    (x, y), (x1, y1) = roll.cell(1, 2), roll.cell(2, 4)
    fingers._send("touchStart", [(x, y)])
    fingers._send("touchMove", [(x1, y1)])
    fingers._send("touchStart", [(x1, y1), (x1 + 90, y1)])
    fingers._send("touchEnd", [])
    assert roll.state()["selection"] == [[0, 0]]


def test_e7_notes_are_drawn_and_erased_with_a_finger(touched: tuple[Roll, Fingers]) -> None:
    roll, fingers = touched
    fingers.tap(roll.cell(2, 0))
    roll.page.get_by_test_id("mgnb-tool-draw").tap()
    assert roll.state()["touched"]  # the toolbar is part of the roll
    before = roll.call("mgnb => mgnb.notesOf(2)")
    rect = roll.call("mgnb => mgnb.barRect(2, 5)")
    start = (rect["x"] + 4, rect["y"] + rect["h"] - 8)
    fingers.drag((start, (start[0] + 20, start[1])))
    (drawn,) = [note for note in roll.call("mgnb => mgnb.notesOf(2)") if note not in before]
    # twice on a note: it goes
    roll.page.wait_for_timeout(500)
    box = roll.call("(mgnb, onset) => mgnb.noteRect(2, onset)", drawn[0])
    middle = (box["x"] + box["w"] / 2, box["y"] + box["h"] / 2)
    fingers.tap(middle)
    fingers.tap(middle)
    roll.page.wait_for_timeout(50)
    assert roll.call("mgnb => mgnb.notesOf(2)") == before


def test_e7_pinching_a_trackpad_zooms(touched: tuple[Roll, Fingers]) -> None:
    roll, _ = touched
    before = roll.state()["viewport"]["scale"]
    # browsers send a trackpad's pinch as a wheel with Ctrl, in small steps
    roll.page.evaluate(
        """() => { const s = document.querySelector('.mgnb-surface');
            for (let i = 0; i < 20; i++) s.dispatchEvent(new WheelEvent('wheel',
              { ctrlKey: true, deltaY: -4.5, clientX: 500, bubbles: true, cancelable: true })) }"""
    )
    assert roll.state()["viewport"]["scale"] > 1.15 * before
