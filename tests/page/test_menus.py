"""Menus of tracks, bars, tempo and files on the real page: mouse, keys, and what is sent (E8, O3)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from harness import TRACKS, Roll, b64, band, document
from PIL import Image

pytestmark = pytest.mark.browser


def edits(roll: Roll) -> list[dict[str, Any]]:
    return [message["ops"][0] for message in roll.sent() if message["k"] == "ops"]


def by(roll: Roll, testid: str) -> Any:
    return roll.page.get_by_test_id(f"mgnb-{testid}")


def choose(roll: Roll, *labels: str) -> None:
    for label in labels:
        roll.page.get_by_role("menuitem", name=label, exact=True).or_(
            roll.page.get_by_role("menuitemradio", name=label, exact=True)
        ).click()


def focused(roll: Roll) -> str:
    return roll.page.evaluate("document.activeElement.textContent || document.activeElement.className")


def test_e8_track_menu(roll: Roll) -> None:
    roll.mount(document(band()))
    for testid, op in (
        ("track-down", {"op": "track_move", "track": 1, "to": 2}),
        ("track-duplicate", {"op": "track_duplicate", "track": 1}),
        ("track-delete", {"op": "track_delete", "track": 1}),
        ("add-drums", {"op": "track_add", "drum": True}),
    ):
        by(roll, "track-menu-1").click()
        by(roll, testid).click()
        assert edits(roll)[-1] == op
        assert not by(roll, "menu").is_visible()
    by(roll, "track-menu-1").click()
    choose(roll, "Instrument", "Guitar", "Overdriven Guitar")
    assert edits(roll)[-1] == {"op": "track_set", "track": 1, "program": 29}
    by(roll, "track-menu-1").click()
    by(roll, "rename").click()
    by(roll, "menu-field").fill("Low end")
    roll.page.keyboard.press("Enter")
    assert edits(roll)[-1] == {"op": "track_set", "track": 1, "name": "Low end"}
    by(roll, "add-track").click()
    choose(roll, "New track, to be written", "Bass", "Fretless Bass")
    assert edits(roll)[-1] == {"op": "track_add", "program": 35}


def test_e8_a_new_track_for_the_model_is_selected_when_it_comes(roll: Roll) -> None:
    roll.mount(document(band(4)))
    by(roll, "add-track").click()
    choose(roll, "New track, to be written", "Bass", "Fretless Bass")
    fifth = {"name": "Fretless Bass", "program": 35, "drum": False, "family": "Bass"}
    roll.set("_doc", document(band(4), rev=2, tracks=[*TRACKS, fifth]))
    roll.page.wait_for_timeout(100)
    assert roll.state()["selection"] == [[4, bar] for bar in range(4)]


def in_order(order: list[int], rev: int) -> bytes:
    """The document with its tracks in another order; numbers above 3 are copies of 1."""
    tracks = [{**TRACKS[number if number < 4 else 1], "id": number} for number in order]
    rows = [
        (place, *row[1:]) for place, number in enumerate(order) for row in band(4) if row[0] == number % 4
    ]
    return document(rows, rev=rev, n_bars=4, tracks=tracks)


def test_e8_mute_solo_volume_and_colour_go_with_their_track_through_undo(roll: Roll) -> None:
    roll.mount(in_order([0, 1, 2, 3], 1))
    by(roll, "mute-1").click()
    by(roll, "solo-3").click()
    by(roll, "track-menu-1").click()
    by(roll, "volume").fill("40")
    by(roll, "colour").click()
    choose(roll, "Vermilion")

    def shown() -> tuple[list[str], list[str], list[int]]:
        """Places that are muted, that are soloed, and that are coloured by hand."""
        rows = roll.page.locator(".mgnb-track").evaluate_all(
            """rows => rows.map(row => [
                row.querySelector('.mgnb-mute').ariaPressed, row.querySelector('.mgnb-solo').ariaPressed,
                getComputedStyle(row).getPropertyValue('--mgnb-track')])"""
        )
        pressed = [[i for i, row in enumerate(rows) if row[k] == "true"] for k in (0, 1)]
        return pressed[0], pressed[1], [i for i, row in enumerate(rows) if row[2] == "rgb(196,46,34)"]

    def shows(*wanted: list[int]) -> None:
        for _ in range(100):
            if shown() == wanted:
                return
            roll.page.wait_for_timeout(50)
        assert shown() == wanted

    def arrives(order: list[int], rev: int) -> None:
        roll.set("_doc", in_order(order, rev))

    shows([1], [3], [1])
    arrives([0, 2, 1, 3], 2)  # moved down
    shows([2], [3], [2])
    by(roll, "track-menu-2").click()
    assert by(roll, "volume").input_value() == "40"
    roll.page.keyboard.press("Escape")
    arrives([0, 2, 3], 3)  # deleted
    shows([], [2], [])
    arrives([0, 2, 1, 3], 4)  # brought back by undo
    shows([2], [3], [2])
    arrives([0, 1, 2, 3], 5)  # and the move taken back
    shows([1], [3], [1])
    by(roll, "track-menu-1").click()
    by(roll, "track-duplicate").click()
    arrives([0, 1, 5, 2, 3], 6)  # the copy begins as its original
    shows([1, 2], [4], [1, 2])
    by(roll, "mute-2").click()  # and goes its own way
    shows([1], [4], [1, 2])


def test_e8_a_reload_finds_the_mix_again(roll: Roll) -> None:
    roll.mount(in_order([0, 1, 2, 3], 1))
    by(roll, "mute-1").click()
    roll.page.wait_for_function("window.host.saves > 0")
    kept = roll.page.evaluate("window.host.state.mix")
    roll.mount(in_order([1, 0, 2, 3], 2), mix=kept)
    assert by(roll, "mute-0").get_attribute("aria-pressed") == "true"


def test_e8_volume_is_heard_at_once(roll: Roll) -> None:
    roll.mount(document(band()))
    by(roll, "play").click()
    by(roll, "track-menu-0").click()
    by(roll, "volume").fill("0")
    assert roll.state()["playing"]


def test_e8_bar_menu_by_mouse(roll: Roll) -> None:
    roll.mount(document(band()))
    x, _ = roll.cell(0, 2)
    box = roll.page.locator(".mgnb-surface").bounding_box()

    def open_menu(bar: int) -> None:
        roll.page.mouse.click(roll.cell(0, bar)[0], box["y"] + 8, button="right")

    open_menu(2)
    by(roll, "bars-insert").click()
    assert edits(roll)[-1] == {"op": "bars_insert", "at": 2, "count": 1}
    roll.page.mouse.move(x, box["y"] + 8)
    roll.page.mouse.down()
    roll.page.mouse.move(roll.cell(0, 4)[0], box["y"] + 8, steps=3)
    roll.page.mouse.up()
    open_menu(3)  # inside the selection: all of it
    by(roll, "bars-duplicate").click()
    assert edits(roll)[-1] == {"op": "bars_duplicate", "first": 2, "count": 3}
    open_menu(6)  # outside: that bar alone
    choose(roll, "Metre", "7/8")
    assert edits(roll)[-1] == {"op": "metre_set", "first": 6, "count": 1, "metre": [7, 8]}
    open_menu(3)
    by(roll, "bars-delete").click()
    assert edits(roll)[-1] == {"op": "bars_delete", "first": 2, "count": 3}
    open_menu(6)
    by(roll, "metre").click()
    by(roll, "metre-other").click()
    by(roll, "menu-field").fill("11/16")
    roll.page.keyboard.press("Enter")
    assert edits(roll)[-1]["metre"] == [11, 16]


def test_e8_tempo_is_edited_in_the_readout(roll: Roll) -> None:
    roll.mount(document(band()))
    by(roll, "tempo").click()
    assert by(roll, "menu-field").input_value() == "120"
    by(roll, "menu-field").fill("92.5")
    roll.page.keyboard.press("Enter")
    assert edits(roll)[-1] == {"op": "tempo_set", "bpm": 92.5}
    by(roll, "tempo").click()
    roll.page.keyboard.press("Escape")
    assert not by(roll, "menu").is_visible() and len(edits(roll)) == 1


def test_e8_menus_by_keyboard_only(roll: Roll) -> None:
    roll.mount(document(band()))
    press = roll.page.keyboard.press
    by(roll, "track-menu-1").focus()
    press("Enter")
    assert focused(roll) == "Rename …"
    assert by(roll, "track-menu-1").get_attribute("aria-expanded") == "true"
    press("ArrowDown")
    press("ArrowRight")
    assert focused(roll) == "Piano"
    press("g")
    assert focused(roll) == "Guitar"
    press("ArrowRight")
    press("End")
    assert focused(roll) == "Guitar Harmonics"
    press("ArrowLeft")
    press("Escape")
    assert focused(roll) == "Rename …"
    press("d")
    press("d")
    press("Enter")
    assert edits(roll)[-1]["op"] in ("track_delete", "track_duplicate")
    assert roll.page.evaluate("document.activeElement.dataset.testid") == "mgnb-track-menu-1"
    press("Enter")
    press("Escape")
    assert roll.page.evaluate("document.activeElement.dataset.testid") == "mgnb-track-menu-1"
    roll.page.locator(".mgnb-surface").focus()
    press("Shift+F10")
    assert focused(roll) == "Select bar 1"
    press("Escape")


def test_e8_a_read_only_roll_offers_no_edits(roll: Roll) -> None:
    roll.mount(document(band()), readonly=True)
    assert by(roll, "add-track").is_hidden() and by(roll, "tempo").is_disabled()
    by(roll, "track-menu-0").click()
    assert by(roll, "rename").get_attribute("aria-disabled") == "true"
    by(roll, "track-delete").click(force=True)
    assert edits(roll) == []


def test_o3_midi_and_picture_are_saved(roll: Roll, tmp_path: Path) -> None:
    roll.mount(document(band()))
    roll.page.evaluate(
        """() => { window.host.autoAnswer = false; const push = window.host.sent.push.bind(window.host.sent);
        window.host.sent.push = (m) => { push(m); if (m.k === 'file') setTimeout(() => window.host.emit(
            { v: 1, k: 'ok', id: m.id, name: 'a.mid', parts: 2, key: 'k1' },
            [btoa(m.what !== 'midi' ? '?' : m.part ? 'd' + m.key : 'MTh')]), 5); } }"""
    )
    by(roll, "files").click()
    with roll.page.expect_download() as waiting:
        by(roll, "download-midi").click()
    assert waiting.value.suggested_filename == "a.mid"
    waiting.value.save_as(tmp_path / "a.mid")
    assert (tmp_path / "a.mid").read_bytes() == b"MThdk1"
    by(roll, "files").click()
    with roll.page.expect_download() as waiting:
        by(roll, "download-png").click()
    waiting.value.save_as(tmp_path / "roll.png")
    picture = Image.open(tmp_path / "roll.png")
    assert picture.width > 900 and picture.height > 300 and len(set(picture.convert("RGB").getdata())) > 20


FILES = """() => { window.host.autoAnswer = false; const push = window.host.sent.push.bind(window.host.sent);
    window.host.sent.push = (m) => { push(m); if (m.k === 'file') setTimeout(() => window.host.emit(
        { v: 1, k: 'ok', id: m.id, name: m.what === 'html' ? 'a.html' : 'a.py', parts: 2, key: 'k1' },
        [btoa(m.what + m.part + (m.part ? m.key : ''))]), 5); } }"""


def test_o3_a_project_is_saved_and_opened_by_the_page(roll: Roll, tmp_path: Path, shots: Any) -> None:
    roll.mount(document(band()))
    roll.page.evaluate(FILES.replace("'a.html'", "'a.html' : m.what === 'project' ? 'a.mgnb'"))
    by(roll, "files").click()
    shots(roll.page, "menu-files")
    with roll.page.expect_download() as waiting:
        by(roll, "download-project").click()
    assert waiting.value.suggested_filename == "a.mgnb"
    waiting.value.save_as(tmp_path / "a.mgnb")
    assert (tmp_path / "a.mgnb").read_text() == "project0project1k1"
    by(roll, "files").click()
    with roll.page.expect_file_chooser() as chooser:
        by(roll, "open-file").click()
    assert ".mgnb" in (chooser.value.element.get_attribute("accept") or "")
    chooser.value.set_files(tmp_path / "a.mgnb")
    roll.page.wait_for_function("() => window.host.sent.some((m) => m.k === 'upload' && m.name === 'a.mgnb')")


def test_the_page_is_saved_and_the_program_copied(roll: Roll, tmp_path: Path) -> None:
    roll.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    roll.mount(document(band()))
    roll.page.evaluate(FILES)
    by(roll, "files").click()
    with roll.page.expect_download() as waiting:
        by(roll, "download-html").click()
    assert waiting.value.suggested_filename == "a.html"
    waiting.value.save_as(tmp_path / "a.html")
    assert (tmp_path / "a.html").read_text() == "html0html1k1"
    by(roll, "files").click()
    by(roll, "copy-code").click()
    said = "document.querySelector('.mgnb-hidden[role=status]').textContent"
    roll.page.wait_for_function(f"{said}.startsWith('Copied')")
    assert roll.page.evaluate("navigator.clipboard.readText()") == "code0code1k1"


@pytest.mark.parametrize("host", ["light", "dark"])
def test_a_shut_clipboard_leaves_the_program_selected(roll: Roll, shots: Any, host: str) -> None:
    roll.mount(document(band()), host)
    roll.page.evaluate(FILES)
    roll.page.evaluate("() => { navigator.clipboard.writeText = () => Promise.reject(new Error('shut')) }")
    by(roll, "files").click()
    by(roll, "copy-code").click()
    box = by(roll, "code")
    box.wait_for(state="visible")
    selected = "([box]) => box.value.slice(box.selectionStart, box.selectionEnd)"
    assert roll.page.evaluate(selected, [box.element_handle()]) == "code0code1k1"
    active = "document.activeElement.dataset.testid"
    assert roll.page.evaluate(active) == "mgnb-code"
    shots(roll.page, f"copy-as-python-{host}")
    roll.page.keyboard.press("Escape")
    assert box.count() == 0 and roll.page.evaluate(active) == "mgnb-files"


def test_an_exported_page_offers_no_files_that_need_python(roll: Roll) -> None:
    roll.mount(document(band()), caps={"unavailable": "exported", "exported": True})
    by(roll, "files").click()
    assert by(roll, "download-midi").is_visible()
    for testid in ("download-project", "download-html", "copy-code", "open-file"):
        assert by(roll, testid).count() == 0


DROP = """([size, name]) => {
    const data = new DataTransfer();
    data.items.add(new File([new Uint8Array(size).fill(7)], name));
    const root = document.querySelector('.mgnb-root');
    root.dispatchEvent(new DragEvent('dragover', { dataTransfer: data, bubbles: true, cancelable: true }));
    window.dropping = root.classList.contains('mgnb-dropping');
    root.dispatchEvent(new DragEvent('drop', { dataTransfer: data, bubbles: true, cancelable: true }));
}"""


def test_another_piece_begins_at_its_start_with_the_first_tool(roll: Roll) -> None:
    roll.mount(document(band()))
    by(roll, "tool-draw").click()
    rect = roll.call("(mgnb, t, b) => mgnb.barRect(t, b)", 0, 9)
    surface = roll.page.locator(".mgnb-surface").bounding_box()
    roll.page.mouse.click(rect["x"] + 1, surface["y"] + 27)
    place = "document.querySelector('[data-testid=mgnb-position]').textContent"
    roll.page.wait_for_function(f"{place} !== '1.1'")
    roll.page.evaluate(DROP, [1000, "song.mid"])
    opened = "document.querySelector('.mgnb-hidden[role=status]').textContent === 'Opened song.mid'"
    roll.page.wait_for_function(opened)
    roll.page.wait_for_function(f"{place} === '1.1'")
    assert roll.state()["tool"] == "bars" and by(roll, "tool-bars").get_attribute("aria-pressed") == "true"


def test_o3_a_dropped_file_is_sent_in_parts(roll: Roll) -> None:
    roll.mount(document(band()))
    roll.page.evaluate(DROP, [1_200_000, "song.mid"])
    assert roll.page.evaluate("window.dropping")
    roll.page.wait_for_function("window.host.sent.filter(m => m.k === 'upload').length === 3")
    sent = [message for message in roll.sent() if message["k"] == "upload"]
    assert [(m["name"], m["part"], m["parts"]) for m in sent] == [("song.mid", i, 3) for i in range(3)]
    roll.page.evaluate(DROP, [40_000_000, "huge.mid"])
    roll.page.get_by_text("huge.mid is larger than 32 MB").wait_for()
    roll.page.get_by_text("Python opens larger files").wait_for()


@pytest.mark.parametrize("host", ["light", "dark"])
def test_pictures_of_the_menus(roll: Roll, shots: Any, host: str) -> None:
    roll.mount(document(band()), host)
    by(roll, "track-menu-0").click()
    shots(roll.page, f"menu-track-{host}")
    choose(roll, "Instrument", "Guitar")
    shots(roll.page, f"menu-instrument-{host}")
    roll.page.keyboard.press("Escape")
    roll.page.keyboard.press("Escape")
    roll.page.keyboard.press("Escape")
    by(roll, "bar-menu").click()
    shots(roll.page, f"menu-bars-{host}")
    roll.page.keyboard.press("Escape")
    by(roll, "tempo").click()
    shots(roll.page, f"menu-tempo-{host}")
    roll.page.keyboard.press("Escape")
    by(roll, "files").click()
    shots(roll.page, f"menu-files-{host}")


def test_base64_of_the_harness_is_what_the_page_reads() -> None:
    assert b64(b"MThd") == "TVRoZA=="
