"""The second module of the page, desk.js: fetched once, opened late, refused when it is another build's."""

from __future__ import annotations

from typing import Any

import harness
import pytest
from harness import Roll, b64, band, document

pytestmark = pytest.mark.browser

MORE_WIDGETS = """async ([esm, state, n]) => {
    const url = URL.createObjectURL(new Blob([esm], { type: 'text/javascript' }));
    window.others = [];
    for (let i = 0; i < n; i++) {
        const el = Object.assign(document.createElement('div'), { id: `other${i}` });
        document.body.append(el);
        const host = window.makeHost({ ...state, layout: {}, _doc: window.host.state._doc });
        // a copy of the module for every widget, as hosts make it
        const widget = (await import(`${url}#${i}`)).default();
        const stop = widget.initialize({ model: host.proxy() });
        widget.render({ model: host.proxy(), el });
        window.others.push({ host, stop });
    }
}"""
ASKED = """() => [window.host, ...(window.others ?? []).map((other) => other.host)]
    .map((host) => host.sent.filter((message) => message.k === 'desk').length)"""


def more_widgets(roll: Roll, n: int) -> None:
    esm = (harness.STATIC / "widget.js").read_text(encoding="utf-8")
    roll.page.evaluate(MORE_WIDGETS, [esm, harness.state(), n])


def by(roll: Roll, testid: str) -> Any:
    return roll.page.get_by_test_id(f"mgnb-{testid}")


def arrive(roll: Roll) -> None:
    roll.page.wait_for_function("() => window.host.deskAsked")
    roll.page.evaluate("() => window.host.deskAsked()")
    roll.page.wait_for_selector("[data-testid=mgnb-steer-panel]", state="attached")


def test_ten_widgets_fetch_the_desk_once(roll: Roll) -> None:
    roll.mount(document(band(4)), desk=False)
    more_widgets(roll, 9)
    roll.page.wait_for_function("() => window.host.deskAsked")
    roll.page.wait_for_timeout(400)
    assert sum(roll.page.evaluate(ASKED)) == 1
    assert by(roll, "steer-panel").count() == 0
    arrive(roll)
    assert by(roll, "steer-panel").count() == 10
    more_widgets(roll, 1)  # one more opens with its desk, and asks nobody
    assert by(roll, "steer-panel").count() == 11
    roll.page.wait_for_timeout(400)
    assert roll.page.evaluate(ASKED)[-1] == 0


def test_the_first_picture_does_not_wait_for_the_desk(roll: Roll) -> None:
    roll.mount(document(band()), desk=False)
    assert roll.state()["frames"] > 0
    assert by(roll, "error").is_hidden() and by(roll, "no-engine").is_hidden()
    roll.drag((0, 1), (1, 2))
    assert len(roll.state()["selection"]) == 4
    roll.page.keyboard.press("g")
    assert roll.sent()[-1]["k"] == "generate"


def test_a_menu_asked_for_before_the_desk_is_there_opens_when_it_comes(roll: Roll) -> None:
    roll.mount(document(band()), desk=False)
    by(roll, "track-menu-1").click()
    by(roll, "files").click()
    assert by(roll, "menu").count() == 0
    arrive(roll)
    assert by(roll, "download-midi").is_visible()  # the one asked for last
    assert by(roll, "rename").count() == 0
    assert by(roll, "files").get_attribute("aria-expanded") == "true"
    roll.page.keyboard.press("Escape")
    assert by(roll, "menu").count() == 0


def test_drawing_before_the_desk_is_there_says_that_it_comes(roll: Roll) -> None:
    roll.mount(document(band()), desk=False)
    by(roll, "tool-draw").click()
    roll.drag((2, 1), (2, 1))
    assert roll.page.locator("[aria-live=polite]").inner_text() == "Coming in a moment"
    arrive(roll)
    roll.page.keyboard.press("?")
    assert by(roll, "help-sheet").is_visible()


def test_a_failed_fetch_says_so_and_can_be_tried_again(roll: Roll) -> None:
    roll.mount(document(band()), desk=False)
    roll.page.wait_for_function("() => window.host.deskAsked")
    roll.page.evaluate(
        "() => { window.kept = window.deskCode; window.deskCode = ''; window.host.deskAsked() }"
    )
    assert "No desk here" in by(roll, "no-engine").inner_text()
    roll.page.evaluate("() => { window.deskCode = window.kept; window.host.deskComes = true }")
    by(roll, "desk-retry").click()
    by(roll, "steer-panel").wait_for(state="attached")
    assert by(roll, "no-engine").is_hidden() and by(roll, "desk-retry").is_hidden()


def test_no_answer_is_said_after_a_while_and_a_late_one_still_counts(roll: Roll) -> None:
    roll.mount(document(band()), desk=False)
    by(roll, "no-engine").wait_for(timeout=6000)
    assert "has not answered yet" in by(roll, "no-engine").inner_text()
    arrive(roll)
    assert by(roll, "no-engine").is_hidden()


def test_the_desk_of_another_build_is_refused_before_it_runs(roll: Roll) -> None:
    roll.mount(document(band()), desk=False)
    roll.page.wait_for_function("() => window.host.deskAsked")
    other = b64(b"/*0123456789abcdef*/globalThis.ran = true; export default () => ({})")
    roll.page.evaluate("(code) => { window.deskCode = code; window.host.deskAsked() }", other)
    assert "another version" in by(roll, "no-engine").inner_text()
    assert roll.page.evaluate("globalThis.ran") is None


def test_a_widget_that_is_closed_before_the_answer_leaves_nobody_waiting(roll: Roll) -> None:
    roll.mount(document(band(4)), desk=False)
    roll.page.wait_for_function("() => window.host.deskAsked")
    more_widgets(roll, 1)
    roll.page.wait_for_timeout(100)
    assert roll.page.evaluate(ASKED) == [1, 0]
    roll.page.evaluate("() => { window.closeView(); window.stopModel() }")  # the other one asks now
    roll.page.locator("#other0").get_by_test_id("mgnb-steer-panel").wait_for(state="attached")
    assert roll.page.evaluate(ASKED) == [1, 1]


def test_both_modules_share_what_they_use(roll: Roll) -> None:
    """No module is in both: what the desk takes from widget.js is not bundled again."""
    desk = (harness.STATIC / "desk.js").read_text(encoding="utf-8")
    widget = (harness.STATIC / "widget.js").read_text(encoding="utf-8")
    assert len(widget.encode()) <= 140_000 and len(desk.encode()) <= 160_000
    assert desk[2:18] in widget  # the id of the build
    for phrase in ("http://www.w3.org/2000/svg", "has not answered yet"):
        assert phrase in widget and phrase not in desk
    for phrase in ("Move up", "Advanced"):
        assert phrase not in widget


OFFERS = ("empty-demo", "empty-open", "empty-draw")


@pytest.mark.parametrize("n_bars", [0, 4])
def test_x3_an_empty_roll_offers_three_ways_to_begin(roll: Roll, n_bars: int) -> None:
    tracks = harness.TRACKS if n_bars else []
    roll.mount(document([], bars=[(4, 4)] * n_bars or [(4, 4)], tracks=tracks))
    for testid in OFFERS:
        assert by(roll, testid).is_visible()
    assert roll.page.locator("dialog, [aria-modal=true]").count() == 0
    if n_bars:
        roll.drag((0, 0), (1, 3))  # the bars below the offers can be chosen
        assert len(roll.state()["selection"]) == 8
    by(roll, "empty-demo").click()
    assert roll.sent()[-1]["k"] == "example"
    roll.set("_doc", document(band(4), rev=2))
    by(roll, "empty").wait_for(state="hidden")
    assert roll.state()["notes"] > 100


def test_x3_open_sends_the_file(roll: Roll) -> None:
    roll.mount(document([], bars=[(4, 4)]))
    with roll.page.expect_file_chooser() as chosen:
        by(roll, "empty-open").click()
    chosen.value.set_files({"name": "a.mid", "mimeType": "audio/midi", "buffer": b"MThd" + bytes(40)})
    roll.page.wait_for_function("() => window.host.sent.some((message) => message.k === 'upload')")


def test_x3_draw_makes_room_and_takes_the_pencil(roll: Roll) -> None:
    roll.mount(document([], bars=[(4, 4)], tracks=[]))
    by(roll, "empty-draw").click()
    ops = next(message for message in roll.sent() if message["k"] == "ops")
    assert ops["ops"] == [{"op": "track_add", "program": 0}]
    assert roll.state()["tool"] == "bars"
    roll.set("_doc", document([], rev=2, n_bars=8, tracks=harness.TRACKS[:1]))
    roll.page.wait_for_function("() => document.querySelector('.mgnb-root').mgnb.state().tool === 'draw'")
    assert by(roll, "empty").is_hidden()
    assert roll.page.evaluate("document.activeElement.className") == "mgnb-surface"
    roll.page.keyboard.press("Escape")
    by(roll, "empty-draw").click()  # there is room now
    assert roll.state()["tool"] == "draw"
    assert len([message for message in roll.sent() if message["k"] == "ops"]) == 1


def test_x3_a_read_only_roll_offers_nothing(roll: Roll) -> None:
    roll.mount(document([], bars=[(4, 4)]), readonly=True)
    assert by(roll, "empty").is_hidden()
