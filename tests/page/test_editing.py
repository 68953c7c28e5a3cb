"""Editing notes with mouse and keys on the real page: what is shown at once, and what is sent."""

from __future__ import annotations

from typing import Any

import pytest
from harness import BAR, Roll, band, document

pytestmark = pytest.mark.browser

MELODY = [(0, 0, 480, 60, 90), (0, 960, 480, 64, 80), (0, BAR, 960, 67, 70), (1, 0, 240, 36, 100)]
TRACKS = [
    {"name": "Lead", "program": 0, "drum": False, "family": "Piano"},
    {"name": "Bass", "program": 33, "drum": False, "family": "Bass"},
]


def mount(roll: Roll, **changes: Any) -> None:
    roll.mount(document(MELODY, n_bars=4, tracks=TRACKS), **changes)


def tool(roll: Roll, name: str) -> None:
    roll.page.get_by_test_id(f"mgnb-tool-{name}").click()


def note(roll: Roll, onset: int) -> dict[str, float]:
    """Rectangle of the melody's note at a tick, in page pixels."""
    return roll.call("(mgnb, track, onset) => mgnb.noteRect(track, onset)", 0, onset)


def notes(roll: Roll) -> list[list[int]]:
    """(onset, duration, pitch, velocity) of the first track as the page shows them."""
    return roll.call("mgnb => mgnb.notesOf(0)")


def edits(roll: Roll) -> list[dict[str, Any]]:
    return [message for message in roll.sent() if message["k"] == "ops"]


def drag(roll: Roll, x: float, y: float, dx: float, dy: float, *keys: str) -> None:
    mouse = roll.page.mouse
    for key in keys:
        roll.page.keyboard.down(key)
    mouse.move(x, y)
    mouse.down()
    mouse.move(x + dx / 2, y + dy / 2)
    mouse.move(x + dx, y + dy, steps=3)
    mouse.up()
    for key in keys:
        roll.page.keyboard.up(key)


def beat(roll: Roll) -> float:
    """Width of a quarter note in pixels."""
    return roll.call("mgnb => mgnb.barRect(0, 0)")["w"] / 4


def row(roll: Roll) -> float:
    return roll.call("mgnb => mgnb.rowHeight(0)")


def test_dragging_a_note_moves_it_by_the_grid(roll: Roll) -> None:
    mount(roll)
    tool(roll, "select")
    box = note(roll, 960)
    drag(roll, box["x"] + box["w"] / 2, box["y"] + box["h"] / 2, beat(roll) * 1.02, -2 * row(roll))
    assert [1440, 480, 66, 80] in notes(roll)
    (edit,) = edits(roll)
    assert edit["label"] == "Move 1 note" and edit["ops"] == [{"op": "notes", "remove": [], "count": 1}]
    assert roll.state()["selectedNotes"] == 1


def test_edges_resize_and_ctrl_is_free_of_the_grid(roll: Roll) -> None:
    mount(roll)
    tool(roll, "select")
    box = note(roll, 0)
    drag(roll, box["x"] + box["w"] - 2, box["y"] + box["h"] / 2, beat(roll), 0)
    assert [0, 960, 60, 90] in notes(roll)
    box = note(roll, BAR)
    drag(roll, box["x"] + 1, box["y"] + box["h"] / 2, beat(roll) * 0.37, 0, "Control")
    onset, duration, _, _ = next(n for n in notes(roll) if n[2] == 67)
    assert onset + duration == BAR + 960 and onset % 120 != 0


def test_alt_drag_copies_and_marquee_selects(roll: Roll) -> None:
    mount(roll)
    tool(roll, "select")
    first, last = note(roll, 0), note(roll, 960)
    top = min(first["y"], last["y"]) - 4
    bottom = max(first["y"], last["y"]) + first["h"] + 4
    right = last["x"] + last["w"] + 5
    drag(roll, right, top, first["x"] - right, bottom - top)
    assert roll.state()["selectedNotes"] == 2
    box = note(roll, 960)
    drag(roll, box["x"] + box["w"] / 2, box["y"] + box["h"] / 2, 8 * beat(roll), 0, "Alt")
    assert [n[:3] for n in notes(roll)] == [
        [0, 480, 60],
        [960, 480, 64],
        [BAR, 960, 67],
        [2 * BAR, 480, 60],
        [2 * BAR + 960, 480, 64],
    ]


def test_draw_erase_and_double_click(roll: Roll) -> None:
    mount(roll)
    tool(roll, "draw")
    bar = roll.call("mgnb => mgnb.barRect(0, 2)")
    drag(roll, bar["x"] + 3, bar["y"] + bar["h"] / 2, beat(roll) * 1.6, 0)
    drawn = [n for n in notes(roll) if n[0] == 2 * BAR]
    assert drawn and drawn[0][1] == 840  # up to the grid line after the pointer
    tool(roll, "erase")
    box = note(roll, 2 * BAR)
    roll.page.mouse.click(box["x"] + 5, box["y"] + box["h"] / 2)
    assert len(notes(roll)) == 3
    tool(roll, "select")
    box = note(roll, 0)
    roll.page.mouse.dblclick(box["x"] + box["w"] / 2, box["y"] + box["h"] / 2)
    assert len(notes(roll)) == 2
    bar = roll.call("mgnb => mgnb.barRect(0, 3)")
    roll.page.mouse.dblclick(bar["x"] + bar["w"] / 2, bar["y"] + bar["h"] / 2)
    assert len(notes(roll)) == 3


def test_loudness_is_painted_and_shift_draws_a_ramp(roll: Roll) -> None:
    mount(roll)
    tool(roll, "velocity")
    bar = roll.call("mgnb => mgnb.barRect(0, 0)")
    end = roll.call("mgnb => mgnb.barRect(0, 1)")
    drag(roll, bar["x"] + 1, bar["y"] + bar["h"] - 8, end["x"] + 4 - bar["x"], 14 - bar["h"], "Shift")
    loud = [n[3] for n in notes(roll)]
    assert loud[0] < 20 and loud[2] > 105 and loud[0] < loud[1] < loud[2]
    (edit,) = edits(roll)
    assert edit["ops"][0]["count"] == 3


def test_keys_change_selected_notes(roll: Roll) -> None:
    mount(roll)
    page = roll.page
    tool(roll, "select")
    box = note(roll, 0)
    page.mouse.click(box["x"] + box["w"] / 2, box["y"] + box["h"] / 2)
    keys = ["ArrowRight", "ArrowUp", "Shift+ArrowUp", "Alt+ArrowRight", "+", "-", "-"]
    for key in keys:
        page.keyboard.press(key)
    assert [120, 600, 73, 82] in notes(roll)
    page.keyboard.press("Control+d")
    assert [720, 600, 73, 82] in notes(roll)
    page.keyboard.press("Delete")
    assert [n[0] for n in notes(roll)] == [120, 960, BAR]
    page.keyboard.press("Control+a")
    assert roll.state()["selectedNotes"] == 3
    page.keyboard.press("Control+c")
    page.keyboard.press("Escape")
    assert roll.state()["selectedNotes"] == 0
    page.keyboard.press("Escape")
    assert roll.state()["tool"] == "bars"
    nudges = [edit for edit in edits(roll) if edit["label"].startswith("Move")]
    assert {edit["merge"] for edit in nudges} == {"time", "pitch"}


def test_paste_goes_to_the_bar_of_the_cursor(roll: Roll) -> None:
    mount(roll)
    page = roll.page
    page.mouse.click(*roll.cell(0, 0))
    page.keyboard.press("Control+c")
    page.mouse.click(*roll.cell(0, 3))
    page.keyboard.press("Control+v")
    assert [n[:3] for n in notes(roll)[-2:]] == [[3 * BAR, 480, 60], [3 * BAR + 960, 480, 64]]
    page.keyboard.press("Escape")  # the pasted notes are no longer selected, their bar is
    page.keyboard.press("Delete")
    assert len(notes(roll)) == 3


def test_a_refused_edit_disappears_and_is_explained(roll: Roll) -> None:
    mount(roll)
    roll.page.evaluate("() => { window.host.autoAnswer = false }")
    tool(roll, "erase")
    box = note(roll, 0)
    roll.page.mouse.click(box["x"] + 5, box["y"] + box["h"] / 2)
    assert len(notes(roll)) == 2
    (edit,) = edits(roll)
    answer = {"v": 1, "k": "error", "id": edit["id"], "code": "stale", "message": "it is gone", "hint": ""}
    roll.page.evaluate("message => window.host.emit(message)", answer)
    roll.page.wait_for_selector("text=it is gone")
    assert len(notes(roll)) == 3


def test_a_read_only_roll_has_no_tools(roll: Roll) -> None:
    mount(roll, readonly=True)
    assert not roll.page.get_by_test_id("mgnb-tool-draw").is_visible()
    roll.page.mouse.click(*roll.cell(0, 0))
    roll.page.keyboard.press("2")
    roll.page.keyboard.press("Delete")
    assert edits(roll) == [] and roll.state()["tool"] == "bars"


@pytest.mark.parametrize("host", ["light", "dark"])
def test_pictures_of_the_tools(roll: Roll, host: str, shots: Any) -> None:
    roll.mount(document(band(8)), host=host)
    tool(roll, "select")
    rect = roll.call("mgnb => mgnb.barRect(0, 0)")
    drag(roll, rect["x"] + 2, rect["y"] + 2, rect["w"] * 1.4, rect["h"] - 6)
    shots(roll.page, f"editing-select-{host}")
    roll.page.keyboard.press("Escape")
    tool(roll, "velocity")
    shots(roll.page, f"editing-velocity-{host}")


def test_e3_ctrl_d_on_chosen_bars_puts_their_notes_right_after_them(roll: Roll) -> None:
    mount(roll)
    roll.call("(mgnb) => mgnb.select([[0, 0], [1, 0]])")
    roll.page.locator(".mgnb-surface").focus()
    roll.page.keyboard.press("Control+d")
    assert [row[:3] for row in notes(roll)] == [
        [0, 480, 60], [960, 480, 64], [BAR, 480, 60], [BAR, 960, 67], [BAR + 960, 480, 64],
    ]  # fmt: skip
    assert len(roll.call("mgnb => mgnb.notesOf(1)")) == 2
    assert roll.state()["selection"] == [[0, 1], [1, 1]] and roll.state()["selectedNotes"] == 0
    roll.page.keyboard.press("Control+d")  # and once more, from there
    assert [onset for onset, *_ in notes(roll)].count(2 * BAR) == 2
    assert len(edits(roll)) == 2
    said = "document.querySelector('.mgnb-hidden[role=status]').textContent"
    roll.page.wait_for_function(f"{said} === 'Copy 4 notes'")
    roll.call("(mgnb) => mgnb.select([[0, 3]])")
    roll.page.keyboard.press("Control+d")
    roll.page.wait_for_function(f"{said}.startsWith('The piece ends there')")
    assert len(edits(roll)) == 2
