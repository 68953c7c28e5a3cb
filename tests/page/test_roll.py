"""The built page in a real browser, without a kernel: gestures, streaming, sound, speed."""

from __future__ import annotations

import base64
import statistics
from typing import Any

import harness
import numpy as np
import pytest
from harness import BAR, Roll, band, dense, document

pytestmark = pytest.mark.browser

TARGET = [[1, bar] for bar in range(4, 8)]


def cells_of(track: int, first: int, last: int) -> list[list[int]]:
    return [[track, bar] for bar in range(first, last + 1)]


def test_mounts_within_the_budget_and_without_the_network(roll: Roll) -> None:
    times = roll.mount(document(band()))
    roll.page.wait_for_function("document.querySelector('.mgnb-root').mgnb.state().frames > 0")
    assert times["initialize"] < 250  # 50 ms on an idle machine; this one may be busy
    assert times["render"] < 500
    state = roll.state()
    assert (state["rev"], state["notes"]) == (1, len(band()))


def test_f6_everything_stays_inside_and_its_classes_are_its_own(roll: Roll) -> None:
    """With lanes, wishes, the sheet of keys and a menu open."""
    outside = """() => [...document.querySelectorAll('*')].filter((e) => !e.closest('#mgnb')).length"""
    roll.mount(document(band()), selection={"cells": [[1, 4]]})
    before = roll.page.evaluate(outside)
    roll.page.locator(".mgnb-surface").focus()
    roll.page.keyboard.press("?")
    roll.page.keyboard.press("Escape")
    roll.page.get_by_test_id("mgnb-track-menu-1").click()
    assert roll.page.get_by_role("menu").is_visible()
    assert roll.page.evaluate(outside) == before
    foreign = """() => [...document.querySelectorAll('#mgnb *')].flatMap((e) => [...e.classList])
        .filter((name) => !name.startsWith('mgnb-'))"""
    assert roll.page.evaluate(foreign) == []
    sources = [p for p in (harness.ROOT / "js" / "src").rglob("*.ts") if "export" not in p.parts]
    for path in sources:
        assert "document.querySelector" not in path.read_text("utf-8"), path.name


def test_drag_selects_cells_and_tells_the_kernel(roll: Roll) -> None:
    roll.mount(document(band()))
    roll.drag((1, 4), (2, 6))
    assert roll.state()["selection"] == cells_of(1, 4, 6) + cells_of(2, 4, 6)
    roll.page.wait_for_function("window.host.saves > 0 && window.host.state.selection.cells.length === 6")
    assert roll.page.get_by_test_id("mgnb-generate").text_content() == "Regenerate bars 5–7, Bass + Strings"


@pytest.mark.parametrize(
    ("modifier", "expected"),
    [
        pytest.param(None, cells_of(1, 7, 7), id="a plain click starts anew"),
        pytest.param("Shift", cells_of(1, 4, 7), id="Shift extends the rectangle"),
        pytest.param("Control", cells_of(1, 4, 4) + cells_of(1, 7, 7), id="Ctrl adds a bar"),
    ],
)
def test_click_with_modifier(roll: Roll, modifier: str | None, expected: list[list[int]]) -> None:
    roll.mount(document(band()))
    roll.page.mouse.click(*roll.cell(1, 4))
    if modifier:
        roll.page.keyboard.down(modifier)
    roll.page.mouse.click(*roll.cell(1, 7))
    assert roll.state()["selection"] == expected


def test_ctrl_drag_over_a_selected_cell_removes(roll: Roll) -> None:
    roll.mount(document(band()))
    roll.drag((1, 4), (1, 7))
    roll.page.keyboard.down("Control")
    roll.drag((1, 5), (1, 6))
    assert roll.state()["selection"] == [[1, 4], [1, 7]]


def test_ruler_selects_a_bar_on_all_tracks_and_header_a_track(roll: Roll) -> None:
    roll.mount(document(band()))
    x, _ = roll.cell(0, 2)
    surface = roll.page.locator(".mgnb-surface").bounding_box()
    roll.page.mouse.click(x, surface["y"] + 8)
    assert roll.state()["selection"] == [[track, 2] for track in range(4)]
    roll.page.get_by_test_id("mgnb-track-3").locator("button").first.click()
    assert roll.state()["selection"] == cells_of(3, 0, 15)


def test_time_strip_moves_the_playhead_to_the_beat(roll: Roll) -> None:
    roll.mount(document(band()))
    rect = roll.call("(mgnb, t, b) => mgnb.barRect(t, b)", 0, 3)
    surface = roll.page.locator(".mgnb-surface").bounding_box()
    roll.page.mouse.click(rect["x"] + rect["w"] * 0.51, surface["y"] + 27)
    assert roll.state()["position"] == 3 * BAR + 960
    assert roll.page.get_by_test_id("mgnb-position").text_content() == "4.3"


def test_ctrl_wheel_zooms_at_the_pointer_and_plain_wheel_is_the_pages(roll: Roll) -> None:
    roll.mount(document(band()))
    x, y = (round(v) for v in roll.cell(1, 8))
    roll.page.mouse.move(x, y)
    before = roll.state()["viewport"]
    roll.page.keyboard.down("Control")
    for _ in range(3):
        roll.page.mouse.wheel(0, -100)
    roll.page.keyboard.up("Control")
    roll.page.wait_for_function(
        "s => document.querySelector('.mgnb-root').mgnb.state().viewport.scale > s * 1.3",
        arg=before["scale"],
    )
    surface = roll.page.locator(".mgnb-surface").bounding_box()
    after = roll.state()["viewport"]
    under = [view["left"] + (x - surface["x"]) / view["scale"] for view in (before, after)]
    assert under[1] == pytest.approx(under[0], abs=1)
    prevented = roll.page.evaluate(
        """() => { const e = new WheelEvent('wheel', {deltaY: 50, bubbles: true, cancelable: true});
                   document.querySelector('.mgnb-surface').dispatchEvent(e); return e.defaultPrevented }"""
    )
    assert prevented is False


def test_keyboard_only_selects_and_generates(roll: Roll) -> None:
    roll.mount(document(band()))
    roll.page.locator(".mgnb-surface").focus()
    for key in ("ArrowDown", "ArrowRight", "Shift+ArrowRight", "Shift+ArrowDown"):
        roll.page.keyboard.press(key)
    assert roll.state()["selection"] == cells_of(1, 1, 2) + cells_of(2, 1, 2)
    roll.page.keyboard.press("Enter")
    roll.page.wait_for_function("window.host.sent.length > 0")
    assert roll.sent()[0]["k"] == "generate"
    assert roll.sent()[0]["selection"]["cells"] == cells_of(1, 1, 2) + cells_of(2, 1, 2)


def new_notes() -> list[harness.Row]:
    return [
        (1, bar * BAR + k * 480, 360, 38 + (bar + 3 * k) % 12, 90) for bar in range(4, 8) for k in range(4)
    ]


def start_job(roll: Roll) -> None:
    roll.drag((1, 4), (1, 7))
    roll.page.get_by_test_id("mgnb-generate").click()
    roll.event(0, "accepted", cells=TARGET, label="Regenerate bars 5-8, Bass")
    roll.event(1, "step", step=0, n_steps=1, window=[0, 12])


def pixels(roll: Roll, canvas: str) -> bytes:
    """The canvas of a layer as a data URL: equal when the picture is."""
    return roll.page.evaluate(f"() => document.querySelector('.mgnb-canvas-{canvas}').toDataURL()").encode()


def test_notes_appear_while_they_arrive_and_stay_tinted_until_the_next_action(roll: Roll) -> None:
    rows = band()
    roll.mount(document(rows))
    start_job(roll)
    roll.page.wait_for_timeout(60)
    empty = pixels(roll, "overlay")
    arrived = [row for row in new_notes() if row[1] // BAR == 4]
    roll.event(2, "notes", arrived, track=1, bar=4)
    roll.event(3, "bar", track=1, bar=4)
    roll.event(4, "tok", tokens=53)
    roll.page.wait_for_timeout(400)
    assert pixels(roll, "overlay") != empty
    assert roll.state()["job"]["provisional"] == 4
    assert roll.page.get_by_test_id("mgnb-status").text_content() == "1 of 4 bars, 53 tokens"
    assert roll.page.get_by_test_id("mgnb-stop").is_visible()
    roll.event(5, "reject", cells=[[1, 4]])
    assert roll.state()["job"]["provisional"] == 0

    gone = [row for row in rows if row[0] == 1 and 4 <= row[1] // BAR < 8]
    kept = [row for row in rows if row not in gone]
    roll.set("_doc", document(kept, rev=2, generated=new_notes(), removed=gone))
    roll.event(6, "done", rev=2)
    roll.page.wait_for_timeout(60)
    state = roll.state()
    assert (state["running"], state["compare"], state["removed"]) == (False, "after", len(gone))
    tinted = pixels(roll, "notes")
    roll.page.get_by_test_id("mgnb-before").click()
    roll.page.wait_for_timeout(60)
    assert roll.state()["compare"] == "before"
    assert pixels(roll, "notes") != tinted
    roll.set("can_undo", True)
    roll.page.get_by_test_id("mgnb-undo").click()
    roll.page.wait_for_timeout(60)
    assert roll.state()["compare"] == "off"
    assert roll.sent()[-1]["k"] == "undo"


def test_stop_sends_cancel(roll: Roll) -> None:
    roll.mount(document(band()))
    start_job(roll)
    roll.page.locator(".mgnb-surface").focus()
    roll.page.keyboard.press("Escape")
    roll.page.wait_for_function("window.host.sent.some((m) => m.k === 'cancel')")
    assert [m["job"] for m in roll.sent() if m["k"] == "cancel"] == ["j1"]
    assert roll.page.get_by_test_id("mgnb-status").text_content() == "Stopping …"


def test_overlay_alone_moves_with_the_playhead(roll: Roll) -> None:
    roll.mount(document(band()))
    roll.page.wait_for_timeout(100)
    roll.page.get_by_test_id("mgnb-play").click()
    roll.page.wait_for_timeout(200)
    grid, notes, overlay = (pixels(roll, name) for name in ("grid", "notes", "overlay"))
    roll.page.wait_for_timeout(300)
    assert (pixels(roll, "grid"), pixels(roll, "notes")) == (grid, notes)
    assert pixels(roll, "overlay") != overlay


def test_plays_in_real_time_loops_and_stops(roll: Roll) -> None:
    roll.mount(document(band(), tempo=[(0, 250_000)]))  # one bar a second
    roll.drag((1, 2), (1, 2))
    roll.page.get_by_test_id("mgnb-loop").click()
    assert roll.state()["loop"] == {"start": 2 * BAR, "end": 3 * BAR}
    assert roll.page.evaluate("window.host.state.loop") == [2, 3]
    roll.page.locator(".mgnb-surface").focus()
    roll.page.keyboard.press(" ")
    seen = []
    for _ in range(14):
        roll.page.wait_for_timeout(100)
        seen.append(roll.state()["position"])
    assert all(2 * BAR <= position <= 3 * BAR for position in seen)
    assert min(np.diff(seen)) < 0 < max(np.diff(seen))  # it went round
    roll.page.keyboard.press(" ")
    assert roll.state()["playing"] is False
    assert roll.page.evaluate("window.host.state.playing") is False


def test_two_views_share_selection(roll: Roll) -> None:
    roll.mount(document(band()))
    roll.page.evaluate(
        """async () => { const el = document.createElement('div'); el.id = 'second';
                         document.body.append(el);
                         const model = window.host.proxy();
                         window.closeSecond = await window.widget.render({model, el}) }"""
    )
    roll.drag((1, 4), (1, 5))
    label = roll.page.locator("#second [data-testid=mgnb-generate]")
    assert label.text_content() == "Regenerate bars 5–6, Bass"
    roll.page.evaluate("() => window.closeSecond()")
    roll.drag((0, 0), (0, 0))
    assert roll.state()["selection"] == [[0, 0]]


def test_follows_a_live_theme_change(roll: Roll) -> None:
    roll.mount(document(band()))
    roll.page.wait_for_timeout(100)
    theme = "() => document.querySelector('.mgnb-root').dataset.mgnbTheme"
    assert roll.page.evaluate(theme) == "light"
    light = pixels(roll, "grid")
    roll.page.evaluate("() => { document.body.dataset.host = 'dark' }")
    roll.page.wait_for_function(f"({theme})() === 'dark'", timeout=1000)
    roll.page.wait_for_timeout(60)
    assert pixels(roll, "grid") != light


def test_viewer_explains_why_it_cannot_generate(roll: Roll) -> None:
    roll.mount(document(band()), caps={})
    assert not roll.page.get_by_test_id("mgnb-generate").is_visible()
    assert roll.page.get_by_test_id("mgnb-no-engine").is_visible()


@pytest.mark.parametrize(
    "doc",
    [
        pytest.param(document([], n_bars=1, tracks=[]), id="no tracks"),
        pytest.param(document([], n_bars=1), id="no notes, one bar"),
        pytest.param(document([(0, 0, 100, 60, 90)], bars=[(7, 8)]), id="one bar of 7/8"),
        pytest.param(document(band(4), bars=[(4, 4), (3, 4), (5, 8), (4, 4), (1, 4)]), id="metre changes"),
        pytest.param(
            document(dense(4000, 32, 400), tracks=[harness.TRACKS[i % 4] for i in range(32)], n_bars=400),
            id="32 tracks, 400 bars",
        ),
    ],
)
def test_any_piece_is_drawn(roll: Roll, doc: bytes) -> None:
    roll.mount(doc)
    roll.page.wait_for_timeout(150)
    for key in ("f", "+", "+", "ArrowRight", "End", "e", "?", "Escape"):
        roll.page.locator(".mgnb-surface").focus()
        roll.page.keyboard.press(key)
    roll.page.wait_for_timeout(200)
    assert roll.state()["problem"] is None


def test_y3_a_choice_keeps_its_own_keys(roll: Roll) -> None:
    """Arrows in a select change its value; they do not move the cursor of the bars, too."""
    roll.mount(document(band(8), n_bars=8), selection={"cells": [[1, 3]]})
    chooser = roll.page.get_by_test_id("mgnb-lane-track")
    chooser.focus()
    before = chooser.input_value()
    roll.page.keyboard.press("ArrowDown")
    assert int(chooser.input_value()) == int(before) + 1
    assert roll.state()["selection"] == [[1, 3]]


def test_d5_a_wider_place_and_back_still_shows_the_whole_piece(roll: Roll) -> None:
    roll.mount(document(band(16)))
    scale = roll.state()["viewport"]["scale"]
    for width in (1400, 1240):
        roll.page.set_viewport_size({"width": width, "height": 900})
        roll.page.wait_for_timeout(150)
    assert roll.state()["viewport"]["scale"] == pytest.approx(scale)


def test_hidden_first_then_shown(roll: Roll) -> None:
    roll.page.add_init_script("addEventListener('DOMContentLoaded', () => { mgnb.style.display = 'none' })")
    roll.mount(document(band()))
    assert roll.state()["viewport"]["width"] == 0
    roll.page.evaluate("() => { document.getElementById('mgnb').style.display = '' }")
    roll.page.wait_for_function("document.querySelector('.mgnb-root').mgnb.state().viewport.width > 500")
    roll.page.wait_for_function("document.querySelector('.mgnb-root').mgnb.state().frames > 0")


# ------------------------------------------------------------------------------------------------- sound


def render(roll: Roll, first_bar: int, last_bar: int) -> dict[str, Any]:
    """Bars through the page's own synth: {rate, mono, onsets, peak, rms}."""
    got = roll.call(
        """async (mgnb, a, b) => {
            const r = await mgnb.renderAudio(a, b);
            const mono = r.channels[0].map((v, i) => v + r.channels[1][i]);
            const bytes = new Uint8Array(mono.buffer);
            let text = '';
            for (let i = 0; i < bytes.length; i += 32768) {
                text += String.fromCharCode(...bytes.subarray(i, i + 32768));
            }
            return { rate: r.sampleRate, onsets: r.onsets, peak: r.peak, rms: r.rms, mono: btoa(text) } }""",
        first_bar,
        last_bar,
    )
    return {**got, "mono": np.frombuffer(base64.b64decode(got["mono"]), np.float32)}


PITCHED = [(program, 60) for program in (0, 4, 11, 16, 24, 33, 40, 45, 48, 56, 65, 73, 80, 90, 108)]
DRUMS = [(0, pitch) for pitch in (36, 38, 39, 42, 46, 45, 49, 51, 56, 70, 76)]


@pytest.mark.parametrize("drums", [False, True], ids=["programs", "drum kit"])
def test_every_sound_starts_on_time_and_none_clips(roll: Roll, drums: bool) -> None:
    sounds = DRUMS if drums else PITCHED
    tracks = [
        {"name": str(i), "program": program, "drum": drums, "family": ""}
        for i, (program, _) in enumerate(sounds)
    ]
    # one note of 0.3 s in every bar of 1.5 s: each is heard alone
    rows = [(i, i * BAR, 400, pitch, 100) for i, (_, pitch) in enumerate(sounds)]
    roll.mount(document(rows, tracks=tracks, n_bars=len(sounds), tempo=[(0, 375_000)]))
    audio = render(roll, 0, len(sounds))
    assert audio["peak"] < 1.0
    rate, mono = audio["rate"], np.abs(audio["mono"])
    assert len(audio["onsets"]) == len(rows)
    for onset, sound in zip(audio["onsets"], sounds, strict=True):
        at = round(onset * rate)
        # nothing before it but the room's tail; then at least a hundredth of full scale soon after
        before = mono[max(0, at - rate // 50) : max(1, at - rate // 500)].max(initial=0)
        after = mono[at : at + rate // 3]
        assert after.max() > 0.02, sound
        assert before < 0.25 * after.max(), sound
        start = np.flatnonzero(after > max(0.004, 2 * before))[0] / rate
        slow = not drums and sound[0] in (40, 48, 90, 56, 65, 73, 16)  # bowed and blown sounds swell
        assert start < (0.03 if slow else 0.005), (sound, start)


def test_a_whole_band_is_loud_enough_and_never_clips(roll: Roll) -> None:
    loud = [(t, o, d, p, 127) for t, o, d, p, _ in band(4)]
    roll.mount(document(loud))
    audio = render(roll, 0, 4)
    assert audio["peak"] < 0.99
    assert audio["rms"] > 0.05
    assert np.abs(audio["mono"][: round(0.045 * audio["rate"])]).max() < 1e-4  # silent before the first note


def test_pitch_is_the_notes_pitch(roll: Roll) -> None:
    tracks = [{"name": "Flute", "program": 73, "drum": False, "family": ""}]
    rows = [(0, i * BAR, 1800, pitch, 100) for i, pitch in enumerate((57, 69, 76))]
    roll.mount(document(rows, tracks=tracks))
    audio = render(roll, 0, 3)
    for onset, (_, _, _, pitch, _) in zip(audio["onsets"], rows, strict=True):
        at = round((onset + 0.3) * audio["rate"])
        piece = audio["mono"][at : at + 32768] * np.hanning(32768)
        spectrum = np.abs(np.fft.rfft(piece))
        peak = np.fft.rfftfreq(32768, 1 / audio["rate"])[spectrum.argmax()]
        assert 12 * np.log2(peak / 440) + 69 == pytest.approx(pitch, abs=0.3)


def test_muted_tracks_are_silent(roll: Roll) -> None:
    roll.mount(document(band(2)))
    for track in range(4):
        roll.page.get_by_test_id(f"mgnb-mute-{track}").click()
    audio = render(roll, 0, 2)
    assert audio["onsets"] == []
    assert audio["peak"] == 0


# ------------------------------------------------------------------------------------------------- speed


@pytest.mark.parametrize(("count", "limit_ms"), [(2_000, 16.7), (10_000, 33.0)])
def test_pan_and_zoom_frames(roll: Roll, count: int, limit_ms: float, record_property: Any) -> None:
    roll.page.set_viewport_size({"width": 1440, "height": 900})
    roll.mount(document(dense(count)), height=500)
    roll.page.wait_for_timeout(200)
    roll.page.get_by_test_id("mgnb-zoom-fit").click()
    times = roll.call(
        """mgnb => { const times = [];
            for (let i = 0; i < 60; i++) { mgnb.pan(i % 2 ? 3 : -3); times.push(mgnb.paint()) }
            return times }"""
    )
    cursor = roll.call("mgnb => Array.from({length: 30}, () => mgnb.paint(['overlay']))")
    p95 = statistics.quantiles(times, n=20)[-1]
    record_property("p95_ms", p95)
    middle, moving = statistics.median(times), statistics.median(cursor)
    print(f"{count} notes: median {middle:.1f} ms, p95 {p95:.1f} ms; cursor {moving:.2f} ms")
    # a busy machine may be three times slower than the budget; an algorithm gone wrong is far beyond
    assert middle < 3 * limit_ms
    assert moving < 6


def test_only_one_widget_plays_at_a_time(roll: Roll) -> None:
    roll.mount(document(band()))
    roll.page.evaluate(
        """async ([esm, state]) => {
            const el = Object.assign(document.createElement('div'), { id: 'other' });
            document.body.append(el);
            const url = URL.createObjectURL(new Blob([esm], { type: 'text/javascript' }));
            const host = window.makeHost({ ...state, layout: {}, _doc: window.host.state._doc });
            const widget = (await import(url)).default();
            widget.initialize({ model: host.proxy() });
            widget.render({ model: host.proxy(), el });
        }""",
        [(harness.STATIC / "widget.js").read_text(encoding="utf-8"), harness.state()],
    )
    playing = """() => [...document.querySelectorAll('.mgnb-root')].map(root => root.mgnb.state().playing)"""
    roll.page.get_by_test_id("mgnb-play").first.click()
    assert roll.page.evaluate(playing) == [True, False]
    roll.page.get_by_test_id("mgnb-play").last.click()
    assert roll.page.evaluate(playing) == [False, True]


def test_seek_while_playing_goes_on_from_there(roll: Roll) -> None:
    roll.mount(document(band()))
    roll.page.get_by_test_id("mgnb-play").click()
    roll.page.wait_for_timeout(150)
    rect = roll.call("(mgnb, t, b) => mgnb.barRect(t, b)", 0, 9)
    surface = roll.page.locator(".mgnb-surface").bounding_box()
    roll.page.mouse.click(rect["x"] + 1, surface["y"] + 27)
    roll.page.wait_for_timeout(300)
    state = roll.state()
    assert state["playing"]
    assert 9 * BAR < state["position"] < 9.6 * BAR
