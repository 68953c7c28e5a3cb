"""Every key of the table on the real page, the order of Escape, gestures with modifiers, the clipboard."""

from __future__ import annotations

import json
from typing import Any

import harness
import pytest
from harness import BAR, Roll, band, document
from test_editing import TRACKS, beat, drag, edits, mount, note, notes, tool

pytestmark = pytest.mark.browser


def press(roll: Roll, *keys: str) -> None:
    for key in keys:
        roll.page.keyboard.press(key)


def choose(roll: Roll, onset: int) -> None:
    """Selects the melody's note at a tick with a click."""
    tool(roll, "select")
    box = note(roll, onset)
    roll.page.mouse.click(box["x"] + box["w"] / 2, box["y"] + box["h"] / 2)


# ------------------------------------------------------------------------------------------- E1


def test_e1_escape_lays_the_tool_down_then_clears_then_leaves(roll: Roll) -> None:
    mount(roll)
    tool(roll, "draw")
    bar = roll.call("mgnb => mgnb.barRect(0, 2)")
    drag(roll, bar["x"] + 3, bar["y"] + bar["h"] / 2, beat(roll), 0)
    assert (roll.state()["tool"], roll.state()["selectedNotes"]) == ("draw", 1)
    press(roll, "Escape")
    assert (roll.state()["tool"], roll.state()["selectedNotes"]) == ("select", 1)
    press(roll, "Escape")
    assert (roll.state()["tool"], roll.state()["selectedNotes"]) == ("select", 0)
    press(roll, "Escape")
    assert roll.state()["tool"] == "bars" and roll.state()["focused"]
    roll.page.mouse.click(*roll.cell(1, 1))
    press(roll, "Escape")
    assert roll.state()["selection"] == [] and roll.state()["focused"]
    press(roll, "Escape")
    assert not roll.state()["focused"]


def test_e1_escape_first_ends_a_drag(roll: Roll) -> None:
    mount(roll)
    tool(roll, "select")
    box = note(roll, 960)
    mouse = roll.page.mouse
    mouse.move(box["x"] + box["w"] / 2, box["y"] + box["h"] / 2)
    mouse.down()
    mouse.move(box["x"] + 3 * box["w"], box["y"], steps=3)
    press(roll, "Escape")
    mouse.up()
    assert edits(roll) == [] and [n[0] for n in notes(roll)] == [0, 960, BAR]
    assert roll.state()["tool"] == "select"


@pytest.mark.parametrize(
    ("key", "name"), [("1", "select"), ("2", "draw"), ("3", "erase"), ("4", "velocity"), ("5", "bars")]
)
def test_e1_tools_by_number(roll: Roll, key: str, name: str) -> None:
    mount(roll)
    roll.page.locator(".mgnb-surface").focus()
    press(roll, key)
    assert roll.state()["tool"] == name


# ------------------------------------------------------------------------------------------- E2


def test_e2_both_edges_resize(roll: Roll) -> None:
    mount(roll)
    tool(roll, "select")
    box = note(roll, BAR)
    assert over(roll, box["x"] + 1, box["y"] + box["h"] / 2) == "edge"
    assert over(roll, box["x"] + box["w"] / 2, box["y"] + box["h"] / 2) == "note"
    drag(roll, box["x"] + 1, box["y"] + box["h"] / 2, beat(roll) / 2, 0)
    assert [BAR + 240, 720, 67, 70] in notes(roll)
    box = note(roll, BAR + 240)
    drag(roll, box["x"] + box["w"] - 2, box["y"] + box["h"] / 2, beat(roll), 0)
    assert [BAR + 240, 1200, 67, 70] in notes(roll)


def over(roll: Roll, x: float, y: float) -> str:
    roll.page.mouse.move(x, y)
    return roll.page.evaluate("document.querySelector('.mgnb-surface').dataset.over")


def test_e2_shift_click_adds_and_removes(roll: Roll) -> None:
    mount(roll)
    choose(roll, 0)
    box = note(roll, 960)
    middle = (box["x"] + box["w"] / 2, box["y"] + box["h"] / 2)
    roll.page.keyboard.down("Shift")
    roll.page.mouse.click(*middle)
    assert roll.state()["selectedNotes"] == 2
    roll.page.mouse.click(*middle)
    assert roll.state()["selectedNotes"] == 1


SNAPS = {"1/1": 1920, "1/2": 960, "1/4": 480, "1/8": 240, "1/16": 120, "1/32": 60,
         "1/4T": 320, "1/8T": 160, "1/16T": 80, "off": 1}  # fmt: skip


def test_e2_snap_values_are_those_of_the_menu(roll: Roll) -> None:
    mount(roll)
    tool(roll, "draw")
    values = roll.page.get_by_test_id("mgnb-snap").locator("option").evaluate_all("o => o.map(x => x.value)")
    assert values == list(SNAPS)


@pytest.mark.parametrize("snap", list(SNAPS))
def test_e2_notes_snap_to(roll: Roll, snap: str) -> None:
    mount(roll, snap=snap)
    tool(roll, "draw")
    bar = roll.call("mgnb => mgnb.barRect(0, 3)")
    roll.page.mouse.click(bar["x"] + bar["w"] * 0.45, bar["y"] + bar["h"] / 2)
    onset, duration = next(n[:2] for n in notes(roll) if n[0] >= 3 * BAR)
    grid = SNAPS[snap]
    assert (onset - 3 * BAR) % grid == 0 and 0 <= 0.45 * BAR - (onset - 3 * BAR) < grid + BAR / bar["w"]
    assert duration == grid


# ------------------------------------------------------------------------------------------- E3


def test_e3_arrows_brackets_and_letters_act_on_the_track_in_focus(roll: Roll) -> None:
    roll.mount(document(band()))
    roll.page.locator(".mgnb-surface").focus()
    press(roll, "]", "]")
    assert roll.state()["cursor"] == [2, 0]
    press(roll, "m")
    pressed = "document.querySelector('[data-testid=mgnb-{}]').ariaPressed === '{}'"
    roll.page.wait_for_function(pressed.format("mute-2", "true"))  # shown with the next frame
    press(roll, "m", "[", "s")
    roll.page.wait_for_function(pressed.format("mute-2", "false"))
    roll.page.wait_for_function(pressed.format("solo-1", "true"))
    press(roll, ",")
    assert roll.state()["focus"] == 1
    press(roll, "]")
    assert (roll.state()["focus"], roll.state()["cursor"][0]) == (2, 2)
    press(roll, ",")
    assert roll.state()["focus"] == -1
    press(roll, "[", "[", "[", "[")
    assert roll.state()["cursor"][0] == 0


def test_e3_f_shows_the_selection_and_then_everything(roll: Roll) -> None:
    roll.mount(document(band()))
    roll.drag((1, 4), (1, 7))
    whole = roll.state()["viewport"]
    press(roll, "f")
    near = roll.state()["viewport"]
    assert near["scale"] > 3 * whole["scale"]
    assert near["left"] <= 4 * BAR < 8 * BAR <= near["left"] + near["width"] / near["scale"]
    press(roll, "f")
    assert roll.state()["viewport"]["scale"] == pytest.approx(whole["scale"], rel=0.1)


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        (["ArrowRight"], [120, 480, 60, 90]),
        (["ArrowRight", "ArrowRight", "ArrowLeft"], [120, 480, 60, 90]),
        (["ArrowUp"], [0, 480, 61, 90]),
        (["Shift+ArrowDown"], [0, 480, 48, 90]),
        (["Alt+ArrowRight"], [0, 600, 60, 90]),
        (["Alt+ArrowLeft", "Alt+ArrowLeft"], [0, 240, 60, 90]),
        (["+"], [0, 480, 60, 98]),
        (["-", "-"], [0, 480, 60, 74]),
    ],
)
def test_e3_keys_on_the_selected_note(roll: Roll, keys: list[str], expected: list[int]) -> None:
    mount(roll)
    choose(roll, 0)
    press(roll, *keys)
    assert expected in notes(roll) and len(notes(roll)) == 3


def test_e3_q_quantises_the_notes_of_selected_bars(roll: Roll) -> None:
    rows = [
        (0, 70, 240, 60, 90),
        (0, BAR - 30, 240, 62, 90),
        (0, BAR + 70, 240, 64, 90),
        (1, 70, 240, 36, 90),
    ]
    roll.mount(document(rows, n_bars=4, tracks=TRACKS))
    roll.page.mouse.click(*roll.cell(0, 0))
    press(roll, "q")
    assert [n[0] for n in notes(roll)] == [120, BAR, BAR + 70]
    assert roll.call("mgnb => mgnb.notesOf(1)")[0][0] == 70
    press(roll, "Escape", "q")  # nothing is chosen: a word, no edit
    assert len(edits(roll)) == 1


def test_e3_q_quantises(roll: Roll) -> None:
    roll.mount(document([(0, 70, 400, 60, 90), (0, 1000, 300, 62, 90)], n_bars=2, tracks=TRACKS))
    roll.page.locator(".mgnb-surface").focus()
    press(roll, "1", "Control+a", "q")
    assert [n[0] for n in notes(roll)] == [120, 960]


def test_e3_undo_and_redo_are_asked_of_the_kernel(roll: Roll) -> None:
    mount(roll, can_undo=True, can_redo=True)
    roll.page.locator(".mgnb-surface").focus()
    press(roll, "Control+z", "Control+Shift+Z", "Control+y", "Meta+z")
    assert [message["k"] for message in roll.sent()] == ["undo", "redo", "redo", "undo"]


def test_e3_every_key_is_on_the_sheet(roll: Roll) -> None:
    mount(roll)
    roll.page.locator(".mgnb-surface").focus()
    press(roll, "?")
    sheet = roll.page.get_by_test_id("mgnb-help-sheet")
    assert sheet.is_visible()
    keys = " ".join(sheet.locator("dt").all_text_contents())
    for key in ["F", "[", "]", ",", "Q", "+", "−", "M", "S", "L", "?", "Home", "Space", "Del", "Enter"]:
        assert key in keys.split() or f"{key}," in keys.split(), key
    more = ("Alt ← →", "Shift ↑ ↓ ← →", "Ctrl C X V", "Ctrl D", "Ctrl A", "Ctrl Z", "Ctrl Shift Z, Ctrl Y")
    for pair in more:
        assert pair in keys, pair
    words = sheet.locator("dd").all_text_contents()
    assert len(words) > 50 and all(words)
    press(roll, "Escape")
    assert not sheet.is_visible() and roll.state()["focused"]


@pytest.mark.parametrize("by_key", [True, False])
def test_e3_the_sheet_gives_the_keyboard_back_to_who_opened_it(roll: Roll, by_key: bool) -> None:
    mount(roll)
    sheet, page = roll.page.get_by_test_id("mgnb-help-sheet"), roll.page
    opener = page.locator(".mgnb-surface") if by_key else page.get_by_test_id("mgnb-help")
    has_it = "(one) => document.activeElement === one"
    for press_it in (True, False):
        opener.focus()
        press(roll, "?" if by_key else "Enter")
        assert sheet.is_visible()
        close = sheet.get_by_role("button")
        if press_it:  # with the keyboard all the way
            for _ in range(60):
                if close.evaluate(has_it):
                    break
                press(roll, "Tab")
            assert close.evaluate(has_it)
            press(roll, "Enter")
        else:
            close.click()
        assert not sheet.is_visible() and opener.evaluate(has_it)
    press(roll, "?" if by_key else "Enter")
    press(roll, "Escape")
    assert not sheet.is_visible() and opener.evaluate(has_it)


# ------------------------------------------------------------------------------------------- clipboard


def second(roll: Roll, doc: bytes) -> None:
    """Another widget on the page, with its own model."""
    roll.page.evaluate(
        """async ([state, doc]) => {
            const el = Object.assign(document.createElement('div'), { id: 'other' });
            document.body.append(el);
            const host = window.makeHost({ ...state, layout: {}, _doc: null });
            host.set('_doc', doc);
            host.sound = window.host.sound;
            const url = URL.createObjectURL(new Blob([window.esmText], { type: 'text/javascript' }));
            const widget = (await import(url)).default();
            widget.initialize({ model: host.proxy() });
            widget.render({ model: host.proxy(), el });
        }""",
        [harness.state(), harness.b64(doc)],
    )


def test_e3_paste_goes_to_the_cursor(roll: Roll) -> None:
    mount(roll)
    roll.page.mouse.click(*roll.cell(0, 0))
    press(roll, "Control+c")
    roll.page.mouse.click(*roll.cell(1, 2))  # another track, two bars later
    press(roll, "Control+v")
    roll.page.wait_for_function("document.querySelector('.mgnb-root').mgnb.notesOf(1).length === 3")
    assert [n[:3] for n in roll.call("mgnb => mgnb.notesOf(1)")][1:] == [
        [2 * BAR, 480, 60],
        [2 * BAR + 960, 480, 64],
    ]
    press(roll, "Control+x")
    assert len(roll.call("mgnb => mgnb.notesOf(1)")) == 1


@pytest.mark.parametrize("way", ["mouse", "keys"])
def test_e3_paste_goes_to_the_first_of_the_chosen_bars(roll: Roll, way: str) -> None:
    """The cursor is in the last of the bars that were dragged over."""
    mount(roll)
    roll.page.mouse.click(*roll.cell(0, 0))
    press(roll, "Control+c")
    if way == "mouse":
        roll.drag((0, 2), (1, 3))
    else:
        roll.page.mouse.click(*roll.cell(0, 2))
        press(roll, "Shift+ArrowRight", "Shift+ArrowDown")
    press(roll, "Control+v")
    roll.page.wait_for_function("document.querySelector('.mgnb-root').mgnb.rows().length > 4")
    assert [n[:3] for n in notes(roll)][3:] == [[2 * BAR, 480, 60], [2 * BAR + 960, 480, 64]]


def test_e3_copied_bars_keep_their_rests_and_their_tracks(roll: Roll) -> None:
    """Bars that begin with a rest on a track that is silent: where they are pasted, they do so, too."""
    rows = [(0, 0, 480, 60, 90), (1, BAR + 480, 240, 40, 100), (2, BAR, 240, 36, 100)]
    tracks = [{"name": name, "program": 0, "drum": False, "family": "Piano"} for name in "ABCD"]
    roll.mount(document(rows, n_bars=8, tracks=tracks))
    roll.drag((1, 0), (2, 1))  # two bars of two tracks; the first bar is empty
    press(roll, "Control+c")
    roll.page.mouse.click(*roll.cell(2, 4))
    press(roll, "Control+v")
    roll.page.wait_for_function("document.querySelector('.mgnb-root').mgnb.rows().length === 5")
    assert [row[1:5] for row in roll.call("mgnb => mgnb.rows()") if row[2] > 2 * BAR] == [
        [2, 5 * BAR + 480, 240, 40],
        [3, 5 * BAR, 240, 36],
    ]
    roll.drag((1, 1), (2, 1))
    press(roll, "Control+c")
    roll.drag((0, 1), (2, 1))  # a silent track above
    press(roll, "Control+c")
    roll.page.mouse.click(*roll.cell(1, 6))
    press(roll, "Control+v")
    roll.page.wait_for_function("document.querySelector('.mgnb-root').mgnb.rows().length === 7")
    assert [row[1] for row in roll.call("mgnb => mgnb.rows()") if row[2] >= 6 * BAR] == [2, 3]


def test_e3_notes_go_from_one_roll_to_another(roll: Roll) -> None:
    mount(roll)
    script = (harness.STATIC / "widget.js").read_text(encoding="utf-8")
    roll.page.evaluate("text => { window.esmText = text }", script)
    second(roll, document([], n_bars=4, tracks=TRACKS[:1]))
    other = "document.querySelector('#other .mgnb-root').mgnb"
    roll.page.wait_for_function(f"document.querySelector('#other .mgnb-root') && {other}.state().frames > 0")
    roll.page.wait_for_timeout(300)
    roll.page.mouse.click(*roll.cell(0, 0))
    press(roll, "Control+c")
    rect = roll.page.evaluate(f"{other}.barRect(0, 3)")
    roll.page.locator("#other .mgnb-surface").scroll_into_view_if_needed()
    rect = roll.page.evaluate(f"{other}.barRect(0, 3)")
    roll.page.mouse.click(rect["x"] + rect["w"] / 2, rect["y"] + rect["h"] / 2)
    press(roll, "Control+v")
    roll.page.wait_for_function(f"{other}.notesOf(0).length === 2")
    assert [n[0] for n in roll.page.evaluate(f"{other}.notesOf(0)")] == [3 * BAR, 3 * BAR + 960]


def clip(**changes: Any) -> str:
    data = {
        "kind": "midigpt-nb notes",
        "version": 1,
        "resolution": 960,
        "start": 3840,
        "notes": [[5, 3840, 480, 72, 100, 0], [6, 4320, 960, 76, 90, 0]],
    }
    return json.dumps({**data, **changes})


@pytest.mark.parametrize(
    ("text", "arrived"),
    [
        pytest.param(clip(), [[BAR, 240, 72, 100]], id="notes of another page, twice as fine"),
        pytest.param("Dear notebook,", [], id="a letter"),
        pytest.param(clip(notes=[[0, 0, 480, 200, 90, 0]]), [], id="a pitch there is not"),
        pytest.param(clip(version=9), [], id="another version"),
        pytest.param(clip(notes=[[0, 0, 480, 60, 90, 0]]), [], id="a note before its own bar"),
        pytest.param(clip(resolution=1, notes=[[0, 2**31, 9, 60, 90, 0]]), [], id="beyond all time"),
        pytest.param(clip(notes={"__proto__": []}), [], id="no list"),
        pytest.param(clip(resolution=None), [], id="no resolution"),
    ],
)
def test_e3_clipboard_text_is_read_with_care(roll: Roll, text: str, arrived: list[list[int]]) -> None:
    roll.mount(document([(0, 3 * BAR, 480, 60, 90)], n_bars=4, tracks=TRACKS[:1]))
    roll.page.mouse.click(*roll.cell(0, 1))
    roll.page.evaluate(
        """text => { const root = document.querySelector('.mgnb-root');
            root.querySelector('.mgnb-surface').dispatchEvent(new KeyboardEvent('keydown',
              { key: 'v', ctrlKey: true, bubbles: true, cancelable: true }));
            const data = new DataTransfer(); data.setData('text/plain', text);
            root.querySelector('.mgnb-surface').dispatchEvent(new ClipboardEvent('paste',
              { clipboardData: data, bubbles: true, cancelable: true })) }""",
        text,
    )
    roll.page.wait_for_timeout(200)
    assert notes(roll) == [*arrived, [3 * BAR, 480, 60, 90]]
    assert roll.state()["problem"] is None


def test_e3_copied_notes_are_text_on_the_clipboard(roll: Roll) -> None:
    mount(roll)
    roll.page.mouse.click(*roll.cell(0, 0))
    press(roll, "Control+c")
    text = roll.page.evaluate(
        """() => { const data = new DataTransfer();
            document.querySelector('.mgnb-surface').dispatchEvent(new ClipboardEvent('copy',
              { clipboardData: data, bubbles: true, cancelable: true }));
            return data.getData('text/plain') }"""
    )
    assert json.loads(text)["notes"] == [[0, 0, 480, 60, 90, 0], [0, 960, 480, 64, 80, 0]]
