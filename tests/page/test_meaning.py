"""Chords, style and doubt on the real page: typing, keys, what is sent, what is painted."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from harness import ATTRIBUTES, BAR, SETTINGS, TRACKS, Roll, b64, band, document

from midigpt_nb.widgets.protocol import DOUBT_DTYPE

pytestmark = pytest.mark.browser

HEARD = ["Cmaj7", "Am", "F", "G7"] * 2
CAPS = {
    "model": "pocket",
    "attributes": ATTRIBUTES,
    "settings": SETTINGS,
    "chords": {"known": False, "words": "this model does not know chords; notes are guided to chord tones"},
    "piece": [],
    "piece_absent": [{"label": "Style", "why": "this model knows no styles"}],
}
STYLES = {
    **CAPS,
    "piece": [
        {"name": "genre", "label": "Style", "help": "the style of the piece", "kind": "choice",
         "choices": ["jazz", "dance-electronic"]},
        {"name": "velocity", "label": "Loudness", "help": "whether", "kind": "flag", "choices": []},
    ],
    "piece_absent": [],
}  # fmt: skip


def mount(roll: Roll, host: str = "light", **changes: Any) -> None:
    state = {"caps": CAPS, "chords": {}, "heard_chords": HEARD, "chord_mode": "soft", **changes}
    roll.mount(document(band(8), n_bars=8), host, **state)
    roll.page.get_by_test_id("mgnb-lanes").wait_for()
    roll.page.wait_for_timeout(200)


def cell(roll: Roll, bar: int) -> Any:
    return roll.page.locator(f'.mgnb-chord-cell[data-bar="{bar}"]')


def field(roll: Roll) -> Any:
    return roll.page.get_by_test_id("mgnb-chord-input")


def asked(roll: Roll, kind: str) -> list[dict[str, Any]]:
    return [message for message in roll.sent() if message["k"] == kind]


def answer(roll: Roll, kind: str, *buffers: bytes, k: str = "ok", **fields: Any) -> None:
    """Answers the last request of a kind by hand."""
    message = {"v": 1, "k": k, "id": asked(roll, kind)[-1]["id"], **fields}
    roll.page.evaluate("([m, b]) => window.host.emit(m, b)", [message, [b64(part) for part in buffers]])
    roll.page.wait_for_timeout(120)


# --- chords


def test_a7_heard_and_asked_chords_stand_above_the_curves(roll: Roll, shots: Any) -> None:
    mount(roll, chords={"4": "Am", "5": "F"}, adherence={"bar": {"0": {"4": {"chord": 0.86}}}})
    note = roll.page.locator(".mgnb-chord-note")
    assert note.text_content() == "guided · met: .86"
    assert (note.get_attribute("title") or "").startswith("86 % of what was asked")
    roll.set("chords", {})
    roll.page.wait_for_function("document.querySelector('.mgnb-chord-note').textContent === ''")
    roll.set("chords", {"4": "Am", "5": "F"})
    assert cell(roll, 1).inner_text() == "Am" and cell(roll, 1).get_attribute("aria-label") == (
        "bar 2, no chord asked for, heard: Am"
    )
    assert cell(roll, 4).get_attribute("aria-label") == "bar 5, asked: Am, heard: Cmaj7, met: .86"
    assert roll.page.locator(".mgnb-chord-asked:visible").all_inner_texts() == ["Am", "F"]
    lanes, chords = (
        roll.page.locator(s).bounding_box() for s in (".mgnb-lane-body", '[data-testid="mgnb-chords"]')
    )
    assert chords["y"] + chords["height"] <= lanes["y"] + 1
    bar = roll.call("(mgnb, t, b) => mgnb.barRect(t, b)", 0, 4)
    assert abs(cell(roll, 4).bounding_box()["x"] - bar["x"]) < 1.5, "a chord stands below its bar"
    shots(roll.page, "chords-light")


def test_a7_chords_are_typed_over_the_selection(roll: Roll) -> None:
    mount(roll, selection={"cells": [[0, 2], [0, 3], [1, 3], [0, 4]]})
    cell(roll, 3).click()
    assert field(roll).get_attribute("placeholder") == "F G7 Cmaj7"
    roll.page.keyboard.type("Am | % | F")
    roll.page.keyboard.press("Enter")
    roll.page.wait_for_timeout(50)
    (sent,) = asked(roll, "chords")
    assert (sent["text"], sent["bars"], sent.get("spill")) == ("Am | % | F", [2, 3, 4], None)
    assert field(roll).count() == 0 and cell(roll, 3).evaluate("e => e === document.activeElement")


def test_a7_a_wrong_chord_is_named_and_the_field_stays(roll: Roll) -> None:
    mount(roll)
    roll.page.evaluate("() => { window.host.autoAnswer = false }")
    cell(roll, 2).click()
    roll.page.keyboard.type("Am Q")
    roll.page.keyboard.press("Enter")
    words = "chord 2: 'Q' is no chord; a chord begins with its root"
    answer(roll, "chords", k="error", code="no_such_chord", message=words, hint="")
    assert roll.page.locator(".mgnb-chord-help").inner_text() == words
    assert field(roll).get_attribute("aria-invalid") == "true"
    roll.page.keyboard.press("Escape")
    assert field(roll).count() == 0


def test_a7_chords_work_with_keys_alone(roll: Roll) -> None:
    mount(roll, selection={"cells": [[0, 1], [0, 2]]})
    roll.page.locator(".mgnb-surface").focus()
    roll.page.keyboard.press("c")
    assert field(roll).get_attribute("aria-label") == "Chords for bars 2–3"
    roll.page.keyboard.type("Dm G")
    roll.page.keyboard.press("Control+Enter")
    roll.page.wait_for_timeout(80)
    assert asked(roll, "chords")[0]["bars"] == [1, 2] and len(asked(roll, "generate")) == 1
    cell(roll, 1).focus()
    roll.page.keyboard.press("ArrowRight")
    roll.page.keyboard.press("ArrowRight")
    assert cell(roll, 3).evaluate("e => e === document.activeElement")
    roll.page.keyboard.type("bb7")  # typing begins a chord, as in a table
    assert field(roll).input_value() == "Bb7"
    roll.page.keyboard.press("Enter")
    roll.page.wait_for_timeout(50)
    assert asked(roll, "chords")[-1]["bars"] == [3] and asked(roll, "chords")[-1]["spill"] is True
    cell(roll, 1).focus()
    roll.page.keyboard.press("Delete")
    assert asked(roll, "chords")[-1]["text"] == "" and asked(roll, "chords")[-1]["bars"] == [1, 2]


def test_a7_the_menu_copies_clears_and_is_honest(roll: Roll) -> None:
    mount(roll, selection={"cells": [[0, 0], [0, 1]]})
    more = roll.page.get_by_test_id("mgnb-chords-more")
    more.click()
    assert CAPS["chords"]["words"] in roll.page.get_by_test_id("mgnb-menu").inner_text()
    roll.page.get_by_test_id("mgnb-chords-copy").click()
    assert asked(roll, "chords")[-1]["text"] == "Cmaj7 Am"
    more.click()
    roll.page.get_by_test_id("mgnb-chords-strict").click()
    assert roll.page.evaluate("() => window.host.state.chord_mode") == "strict"
    assert "strict" in roll.page.get_by_test_id("mgnb-chords").inner_text()
    more.click()
    roll.page.get_by_test_id("mgnb-chords-clear").click()
    assert asked(roll, "chords")[-1]["text"] == ""


def test_a7_chords_follow_scroll_and_zoom_and_hide(roll: Roll) -> None:
    mount(roll)
    roll.page.locator(".mgnb-surface").focus()
    for _ in range(5):
        roll.page.keyboard.press("+")
    roll.page.wait_for_timeout(250)
    first = roll.page.locator(".mgnb-chord-cell").first
    bar = int(first.get_attribute("data-bar"))
    rect = roll.call("(mgnb, t, b) => mgnb.barRect(t, b)", 0, bar)
    assert abs(first.bounding_box()["x"] - rect["x"]) < 1.5
    roll.page.get_by_test_id("mgnb-lanes-menu").click()
    assert "Style: this model knows no styles" in roll.page.get_by_test_id("mgnb-menu").inner_text()
    roll.page.get_by_test_id("mgnb-lane-choice-chords").click()
    assert roll.page.get_by_test_id("mgnb-chords").is_hidden()


# --- style


def test_a2_style_is_a_chip_in_plain_words(roll: Roll) -> None:
    mount(roll, caps=STYLES, selection={"cells": [[0, 1]]})
    chip = roll.page.get_by_test_id("mgnb-lanes").get_by_test_id("mgnb-chip-genre")
    assert chip.get_attribute("aria-label") == "Style: any"
    chip.click()
    items = roll.page.locator(".mgnb-menu-item").all_inner_texts()
    assert items == ["No preference", "Jazz", "Dance electronic"]
    roll.page.get_by_test_id("mgnb-piece-genre-dance-electronic").click()
    assert roll.page.evaluate("() => window.host.state.piece") == {"genre": "dance-electronic"}
    assert chip.get_attribute("aria-label") == "Style: Dance electronic"
    steer = roll.page.get_by_test_id("mgnb-steer-panel")
    assert steer.get_by_test_id("mgnb-chip-genre").get_attribute("aria-label") == "Style: Dance electronic"
    assert steer.get_by_test_id("mgnb-chip-velocity").count() == 0
    roll.page.get_by_test_id("mgnb-chip-velocity").click()
    roll.page.get_by_test_id("mgnb-piece-velocity-false").click()
    assert roll.page.evaluate("() => window.host.state.piece") == {
        "genre": "dance-electronic",
        "velocity": False,
    }
    chip.click()
    roll.page.get_by_test_id("mgnb-piece-genre-any").click()
    assert roll.page.evaluate("() => window.host.state.piece") == {"velocity": False}


def test_a2_a_model_without_styles_has_no_chip(roll: Roll) -> None:
    mount(roll)
    assert (
        roll.page.locator(".mgnb-chip").count() == 0
        and roll.page.get_by_test_id("mgnb-chips").first.is_hidden()
    )


def test_a8_the_first_level_holds_what_one_asks_first(roll: Roll) -> None:
    settings = [{**row, "advanced": row["name"] != "temperature"} for row in SETTINGS]
    attributes = [{**row, "advanced": row["name"] == "silence_proportion"} for row in ATTRIBUTES]
    mount(roll, caps={**STYLES, "settings": settings, "attributes": attributes},
          selection={"cells": [[0, 1], [0, 2]]})  # fmt: skip
    steer = roll.page.get_by_test_id("mgnb-steer-panel")
    assert "bars 2–3, Electric Piano" in steer.inner_text()
    visible = steer.locator(
        ".mgnb-wish-label:visible, .mgnb-field:visible > span:first-child, .mgnb-chip:visible"
    )
    words = [text.split("\n")[0] for text in visible.all_inner_texts()]
    assert words == [
        "Note density", "Max polyphony", "Note density", "Min polyphony", "Max polyphony", "Pitch range",
        "Chords", "Style", "Temperature",
    ]  # fmt: skip
    steer.get_by_test_id("mgnb-steer-chords").fill("Am")
    steer.get_by_test_id("mgnb-steer-chords").press("Tab")
    roll.page.wait_for_timeout(50)
    assert (asked(roll, "chords")[-1]["text"], asked(roll, "chords")[-1]["bars"]) == ("Am", [1, 2])


# --- curves


def test_a2_ctrl_drag_moves_the_whole_curve(roll: Roll) -> None:
    wishes = {
        "track": {},
        "bar": {"0": {str(b): {"bar_note_density": level} for b, level in enumerate([2, 4, 6])}},
    }
    mount(roll, attributes=wishes)

    def point(bar: int, level: int) -> tuple[float, float]:
        at = roll.call("(mgnb, n, b, l) => mgnb.lanePoint(n, b, l)", "bar_note_density", bar, level)
        return at["x"], at["y"]

    def levels() -> list[int]:
        own = roll.page.evaluate("() => window.host.state.attributes.bar[0]")
        return [own[str(bar)]["bar_note_density"] for bar in range(3)]

    roll.page.mouse.move(*point(1, 4))
    roll.page.keyboard.down("Control")
    roll.page.mouse.down()
    roll.page.mouse.move(*point(1, 6), steps=4)
    assert levels() == [4, 6, 8]
    roll.page.mouse.move(*point(1, 9), steps=4)
    assert levels() == [5, 7, 9], "the shape stays at the rim"
    roll.page.mouse.up()
    roll.page.keyboard.up("Control")
    assert roll.state()["selection"] == [[0, 0], [0, 1], [0, 2]]


def test_a2_one_key_fills_randomises_copies_and_clears(roll: Roll) -> None:
    measured = {"track": {}, "bar": {"0": {str(b): {"bar_note_density": b} for b in range(8)}}}
    mount(roll, realized=measured, selection={"cells": [[0, 2], [0, 3]]})
    slider = roll.page.locator('.mgnb-lane-slider[data-lane="bar_note_density"][data-bar="2"]')
    slider.focus()

    def own() -> dict[str, Any]:
        return roll.page.evaluate("() => window.host.state.attributes.bar[0] ?? {}")

    roll.page.keyboard.press("m")
    assert own() == {"2": {"bar_note_density": 2}, "3": {"bar_note_density": 3}}
    roll.page.keyboard.press("f")
    assert own() == {"2": {"bar_note_density": 2}, "3": {"bar_note_density": 2}}
    roll.page.keyboard.press("r")
    assert set(own()) == {"2", "3"}
    roll.page.keyboard.press("x")
    assert own() == {}
    roll.page.keyboard.press("ArrowUp")
    roll.page.keyboard.press("Enter")
    roll.page.wait_for_timeout(50)
    assert len(asked(roll, "generate")) == 1, "drawn and generated with one key each"


# --- how sure the model was


def doubts(*rows: tuple[int, int, int, float, list[tuple[int, float]]]) -> bytes:
    """Records of (track, onset, pitch, bits, likeliest pitches)."""
    records = np.zeros(len(rows), DOUBT_DTYPE)
    records["bits"], records["pitches"] = 255, 255
    for i, (track, onset, pitch, bits, likely) in enumerate(rows):
        records[i]["track"], records[i]["onset"], records[i]["pitch"] = track, onset, pitch
        records["bits"][i, 1] = round(25 * bits)
        for k, (other, share) in enumerate(likely):
            records["pitches"][i, k], records["shares"][i, k] = other, round(255 * share)
    return records.tobytes()


LONG = [(1, bar * BAR, BAR - 60, 36 + bar, 100) for bar in range(3)]
FIGURES = doubts(
    (1, 0, 36, 0.2, [(36, 0.97)]),
    (1, BAR, 37, 1.8, [(37, 0.61), (41, 0.2), (44, 0.1)]),
    (1, 2 * BAR, 38, 3.5, [(40, 0.3), (38, 0.2)]),
)


def unsure(roll: Roll, host: str = "light", **changes: Any) -> None:
    rows = [row for row in band(4) if row[0] != 1]
    state = {"caps": CAPS, "chords": {}, "heard_chords": [], "height": 620, **changes}
    roll.mount(document(rows, generated=LONG, n_bars=4), host, **state)
    roll.page.get_by_test_id("mgnb-lanes").wait_for()
    roll.page.evaluate("() => { window.host.autoAnswer = false }")


def note_point(roll: Roll, bar: int) -> tuple[float, float]:
    """Client coordinates of the note of the bass in a bar, found as a person would: by pointing."""
    rect = roll.call("(mgnb, t, b) => mgnb.barRect(t, b)", 1, bar)
    x = rect["x"] + rect["w"] / 2
    for y in range(int(rect["y"]) + 2, int(rect["y"] + rect["h"]), 5):
        roll.page.mouse.move(x, y)
        roll.page.wait_for_timeout(170)
        if roll.page.get_by_test_id("mgnb-doubt-card").is_visible():
            return x, y
    raise AssertionError(f"no note of bar {bar} has figures")


def ink(roll: Roll, bar: int) -> int:
    """Painted pixels of a bar of the bass that are nearly those of the lane itself, inside the note's box."""
    rect = roll.call("(mgnb, t, b) => mgnb.barRect(t, b)", 1, bar)
    script = """rect => {
      const canvas = document.querySelector('.mgnb-canvas-notes'), box = canvas.getBoundingClientRect();
      const dpr = canvas.width / box.width, ctx = canvas.getContext('2d');
      const [w, h] = [rect.w * dpr, rect.h * dpr];
      const { data } = ctx.getImageData((rect.x - box.left) * dpr, (rect.y - box.top) * dpr, w, h);
      const at = (x, y) => { const i = 4 * (y * Math.floor(w) + x); return [...data.slice(i, i + 4)].join() };
      let changes = 0;
      for (let y = 0; y < Math.floor(h); y++) {
        for (let x = 1; x < Math.floor(w); x++) changes += at(x, y) !== at(x - 1, y);
      }
      return changes;
    }"""
    return roll.page.evaluate(script, rect)


def test_k5_nothing_is_asked_while_it_is_off(roll: Roll) -> None:
    unsure(roll)
    roll.page.wait_for_timeout(300)
    assert asked(roll, "uncertainty") == []
    plain = [ink(roll, bar) for bar in range(3)]
    roll.page.get_by_test_id("mgnb-doubt").click()
    roll.page.wait_for_timeout(250)
    assert len(asked(roll, "uncertainty")) == 1
    assert roll.page.evaluate("() => window.host.state.show_uncertainty") is True
    answer(roll, "uncertainty", FIGURES, count=3)
    marked = [ink(roll, bar) for bar in range(3)]
    assert marked[0] == plain[0], "a sure note has no marks"
    assert marked[1] > plain[1] + 20 and marked[2] > marked[1], "unsure: lines; guessing: more of them"
    roll.page.get_by_test_id("mgnb-doubt").click()
    roll.page.wait_for_timeout(200)
    assert [ink(roll, bar) for bar in range(3)] == plain


@pytest.mark.parametrize("host", ["light", "dark"])
def test_k5_a_note_says_what_else_it_could_have_been(roll: Roll, host: str, shots: Any) -> None:
    unsure(roll, host)
    roll.page.get_by_test_id("mgnb-doubt").click()
    roll.page.wait_for_timeout(250)
    answer(roll, "uncertainty", FIGURES, count=3)
    note_point(roll, 1)
    card = roll.page.get_by_test_id("mgnb-doubt-card")
    assert card.locator(".mgnb-doubt-title").inner_text() == "C♯2: 1.8 bits of doubt about the pitch"
    assert [text.split("\n") for text in card.locator("button").all_inner_texts()] == [
        ["C♯2", "61 %"],
        ["F2", "20 %"],
        ["A♭2", "10 %"],
    ]
    shots(roll.page, f"doubt-{host}")
    roll.page.get_by_test_id("mgnb-doubt-41").click()
    (edit,) = asked(roll, "ops")
    assert edit["label"] == "Changed to F2" and edit["ops"] == [{"op": "notes", "remove": [], "count": 1}]
    assert card.is_hidden()


def test_k5_keys_show_figures_and_choose(roll: Roll) -> None:
    unsure(roll)
    surface = roll.page.locator(".mgnb-surface")
    surface.focus()
    roll.page.keyboard.press("u")
    roll.page.wait_for_timeout(250)
    answer(roll, "uncertainty", FIGURES, count=3)
    roll.page.keyboard.press("1")  # select notes
    x, y = note_point(roll, 2)
    roll.page.mouse.click(x, y)
    surface.focus()
    roll.page.keyboard.press("Shift+U")
    assert roll.page.locator(".mgnb-menu-item").all_inner_texts() == ["E2 · 30 %", "D2 · 20 %"]
    roll.page.keyboard.press("ArrowUp")
    roll.page.keyboard.press("Enter")
    assert asked(roll, "ops")[-1]["label"] == "Changed to E2"


@pytest.mark.parametrize("out", [0, 1, 2, 3])
def test_a7_a_chord_in_a_narrow_bar_is_never_cut(roll: Roll, out: int, shots: Any) -> None:
    """The name, its root, a dot or nothing; all of it inside its bar. The title says the rest."""
    names = ["Cmaj7", "F#m7b5", "Bb", "G7sus4"]
    n_bars = 8 if out == 0 else 96
    heard = [names[bar % 4] for bar in range(n_bars)]
    state = {"caps": CAPS, "chords": {"1": "F#m7b5", "2": "Bb"}, "heard_chords": heard, "chord_mode": "soft"}
    roll.mount(document(band(n_bars), n_bars=n_bars), "light", **state)
    roll.page.get_by_test_id("mgnb-chords").wait_for()
    for _ in range(out):
        roll.page.get_by_test_id("mgnb-zoom-out").click()
    roll.page.wait_for_timeout(200)
    script = """() => [...document.querySelectorAll('.mgnb-chord-cell')].map((cell) => {
      const box = cell.getBoundingClientRect();
      return [cell.title, box.width, ...[...cell.querySelectorAll('span')].flatMap((span) => {
        if (!span.firstChild || span.firstChild.nodeType !== 3) return [];
        const range = document.createRange();
        range.selectNodeContents(span);
        const text = range.getBoundingClientRect(), own = span.getBoundingClientRect();
        const right = Math.max(text.right, span.className === 'mgnb-chord-asked' ? own.right : 0);
        return [[span.textContent, right <= box.right + 0.5 && text.right <= own.right + 0.6]];
      })];
    })"""
    cells = roll.page.evaluate(script)
    assert len(cells) >= 8
    seen = set()
    for title, width, *words in cells:
        assert "heard: " in title
        for text, inside in words:
            assert inside, (title, width, text)
            seen.add(text)
    if out == 0:
        assert set(names) <= seen
    else:
        assert bool(seen) == (cells[0][1] > 16) and seen <= {*names, "C·", "G·", "F#·", "•"}, seen
    shots(roll.page, f"chords-narrow-{out}")


def test_a7_a_piece_of_drums_is_not_asked_for_chords(roll: Roll) -> None:
    for track, asked in ((3, 0), (0, 1)):
        rows = [(0, 0, 480, 60, 90)]
        roll.mount(document(rows, n_bars=4, tracks=[TRACKS[track]]), caps=CAPS, heard_chords=[""] * 4)
        roll.page.get_by_test_id("mgnb-lanes").wait_for()
        roll.page.mouse.click(*roll.cell(0, 1))
        if roll.page.get_by_test_id("mgnb-steer").get_attribute("aria-expanded") != "true":
            roll.page.get_by_test_id("mgnb-steer").click()
        assert roll.page.locator("[data-testid=mgnb-steer-chords]:visible").count() == asked


def test_a7_chords_are_of_one_size_in_bars_of_different_length(roll: Roll) -> None:
    metres = [(3, 8), (4, 4), (12, 8), (5, 8)] * 5
    heard = ["C", "Am"] * 10
    roll.mount(
        document([(0, 0, 480, 60, 90)], bars=metres),
        caps=CAPS,
        chords={},
        heard_chords=heard,
        chord_mode="soft",
    )
    roll.page.get_by_test_id("mgnb-chords").wait_for()
    roll.page.wait_for_timeout(100)
    sizes = roll.page.evaluate(
        "() => [...document.querySelectorAll('.mgnb-chord-heard')].map((e) => getComputedStyle(e).fontSize)"
    )
    assert len(sizes) > 15 and len(set(sizes)) == 1, sizes
