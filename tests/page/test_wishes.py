"""Wishes drawn on the built page, and the real editor behind it: undo, and what Generate is told."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import comm
import pytest
from bridge import Bridge, RecordingComm

from midigpt_nb import InfillEditor, Score

pytestmark = [pytest.mark.browser, pytest.mark.model]

DENSITY = "bar_note_density"
BASS = 1


class Desk:
    """A page with the example's bass in its lanes."""

    def __init__(self, page: Any) -> None:
        self.page, self.editor = page, InfillEditor(Score.example())
        assert self.editor.engine is not None
        self.wire = Bridge(page, self.editor, throttled=True)
        self.tab = self.wire.open()
        chooser = page.get_by_test_id("mgnb-lane-track")
        self.wire.until(chooser.is_visible)
        chooser.select_option(str(BASS))
        self.settle()

    @property
    def curve(self) -> list[int | None]:
        return self.editor.curve(DENSITY, BASS)

    def at(self, bar: int, level: int) -> tuple[float, float]:
        point = self.wire.js(self.tab, "handle.lanePoint(...args)", DENSITY, bar, level)
        return point["x"], point["y"]

    def stroke(self, *points: tuple[int, int], key: str = "") -> None:
        mouse, keys = self.page.mouse, self.page.keyboard
        mouse.move(*self.at(*points[0]))
        if key:
            keys.down(key)
        mouse.down()
        for point in points[1:]:
            mouse.move(*self.at(*point), steps=10)
            self.wire.run(0.15)  # longer than what is told at once: the kernel hears of parts of it
        mouse.up()
        if key:
            keys.up(key)

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)

    def press_together(self, *keys: str) -> None:
        """In one moment of the page, however slow the machine is: more than 0.6 s apart are two strokes."""
        down = "new KeyboardEvent('keydown', { key, bubbles: true, cancelable: true })"
        self.page.evaluate(
            f"keys => keys.forEach((key) => document.activeElement.dispatchEvent({down}))", list(keys)
        )

    def settle(self) -> None:
        self.wire.run(0.15)
        self.wire.settle()
        assert self.wire.trait(self.tab, "attributes") == self.editor.attributes


@pytest.fixture
def desk(chromium: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    pytest.importorskip("torch")
    monkeypatch.setattr(comm, "create_comm", RecordingComm)
    context = chromium.new_context(viewport={"width": 1240, "height": 900})
    page = context.new_page()
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    desk = Desk(page)
    yield desk
    desk.editor.close()
    context.close()
    assert problems == []


def test_e4_each_gesture_on_a_curve_is_one_undo_step(desk: Desk) -> None:
    gestures: list[Callable[[], None]] = [
        lambda: desk.stroke((0, 1), (7, 8), (15, 2)),
        lambda: desk.stroke((4, 2), (11, 9), key="Shift"),
        lambda: desk.stroke((6, 4), (9, 4), key="Alt"),
        lambda: desk.press("f"),
        lambda: desk.press("x"),
        lambda: desk.press("r"),
        lambda: desk.press_together("ArrowUp", "ArrowUp"),
        lambda: desk.page.mouse.dblclick(*desk.at(5, 9)),
    ]
    states = [desk.curve]
    for gesture in gestures:
        gesture()
        desk.wire.run(0.7)  # keys that follow each other faster are one step
        desk.settle()
        states.append(desk.curve)
    changes = [state for i, state in enumerate(states) if i == 0 or state != states[i - 1]]
    assert len(changes) >= len(gestures)  # an arrow at the top of the scale changes nothing
    for state in reversed(changes[:-1]):
        desk.press("Control+z")
        desk.settle()
        assert desk.curve == state
    assert not desk.editor.can_undo
    for state in changes[1:]:
        desk.press("Control+Shift+z")
        desk.settle()
        assert desk.curve == state


def test_e4_a_stroke_given_back_with_escape_is_no_step(desk: Desk) -> None:
    desk.stroke((2, 3), (5, 3))
    desk.settle()
    drawn = desk.curve
    mouse = desk.page.mouse
    mouse.move(*desk.at(0, 9))
    mouse.down()
    mouse.move(*desk.at(8, 9), steps=8)
    desk.wire.run(0.3)
    assert desk.curve != drawn
    desk.press("Escape")
    mouse.up()
    desk.settle()
    assert desk.curve == drawn
    desk.press("Control+z")
    desk.settle()
    assert desk.curve == [None] * 16 and not desk.editor.can_undo


def test_a2_undo_right_after_a_stroke_takes_this_stroke_back(desk: Desk) -> None:
    desk.stroke((0, 2), (3, 2))
    desk.settle()
    drawn = desk.curve
    desk.page.mouse.click(*desk.at(1, 8))
    desk.press("Control+z")  # before the page has told the kernel of the click
    desk.settle()
    assert desk.curve == drawn


@pytest.mark.parametrize("told_before", [False, True], ids=["partly told", "not told yet"])
def test_a2_undo_while_the_kernel_is_busy_takes_the_stroke_back(desk: Desk, told_before: bool) -> None:
    """The host keeps the rest of the stroke back, and tells it after the undo was heard."""
    desk.stroke((0, 2), (3, 2))
    desk.settle()
    drawn = desk.curve
    desk.wire.busy = True
    if told_before:
        desk.wire.page.evaluate("tab => bridge.save(tab, 'snap', '1/8')", desk.tab)
    desk.stroke((5, 7), (9, 7))
    desk.press("Control+z")
    desk.wire.run(0.3)
    desk.wire.busy = False
    desk.settle()
    assert desk.curve == drawn
    desk.press("Control+Shift+z")
    desk.settle()
    assert desk.curve == [2, 2, 2, 2, None, 7, 7, 7, 7, 7, *[None] * 6]
    desk.press("Control+z", "Control+z")
    desk.settle()
    assert desk.curve == [None] * 16 and not desk.editor.can_undo


def test_a2_generate_right_after_a_stroke_asks_for_all_of_it(desk: Desk) -> None:
    desk.editor.select(BASS, range(4, 8))
    desk.settle()
    desk.stroke((4, 2), (7, 2))
    desk.settle()
    desk.page.mouse.click(*desk.at(6, 9))
    desk.press("g")  # at once
    desk.wire.until(lambda: len(desk.editor._jobs) == 1)
    (job,) = desk.editor._jobs.values()
    desk.wire.settle()
    assert job.result(60) is not None
    asked = [i["content"] for i in desk.wire.handled if i.get("content", {}).get("k") == "generate"]
    told, *again = asked  # a page that waits long for the answer asks again
    assert all(one == told for one in again)
    assert {bar: own[DENSITY] for bar, own in told["attributes"]["bar"][str(BASS)].items()} == {
        "4": 2, "5": 2, "6": 9, "7": 2,
    }  # fmt: skip
