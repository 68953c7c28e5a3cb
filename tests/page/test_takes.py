"""Takes and targets on the real page: cards, keys, switching at the bar line, comping, roles."""

from __future__ import annotations

from typing import Any

import pytest
from harness import BAR, Roll, b64, band, document, records
from offered import CELLS, facts, offer, take_rows

pytestmark = pytest.mark.browser


def bass(roll: Roll) -> list[list[int]]:
    """Onset and pitch of the bass in the bars of the takes, as they are shown."""
    notes = roll.call("mgnb => mgnb.notesOf(1)")
    return [[onset, pitch] for onset, _, pitch, _ in notes if 4 * BAR <= onset < 8 * BAR]


def expected(number: int, bars: range = range(4, 8)) -> list[list[int]]:
    return sorted([row[1], row[3]] for row in take_rows(number) if row[1] // BAR in bars)


def original() -> list[list[int]]:
    return sorted([r[1], r[3]] for r in band() if r[0] == 1 and 4 * BAR <= r[1] < 8 * BAR)


def messages(roll: Roll, kind: str) -> list[dict[str, Any]]:
    return [message for message in roll.sent() if message["k"] == kind]


@pytest.fixture
def opened(roll: Roll) -> Roll:
    roll.mount(document(band()))
    roll.drag((1, 4), (1, 7))
    offer(roll)
    return roll


def test_cards_show_figures_and_sort_by_them(opened: Roll) -> None:
    page = opened.page
    assert page.get_by_test_id("mgnb-takes").is_visible()
    card = page.get_by_test_id("mgnb-take-2").inner_text()
    assert "92 %" in card and "41" in card and str(len(take_rows(1))) in card and "80 %" in card
    assert "Likely 27 %" in card  # exp(-1.3)
    assert "chance" in (page.get_by_test_id("mgnb-sort-log_prob").get_attribute("title") or "")

    def order() -> list[str]:
        return page.locator(".mgnb-take-number").all_inner_texts()

    assert order() == ["0", "1", "2", "3", "4"]
    page.get_by_test_id("mgnb-sort-adherence").click()
    assert order() == ["0", "4", "2", "1", "3"]
    page.get_by_test_id("mgnb-sort-adherence").click()
    assert order() == ["0", "3", "1", "2", "4"]
    page.get_by_test_id("mgnb-sort-notes").click()
    assert order()[1] == "4"


def test_k2_the_card_of_the_shown_take_comes_into_view(roll: Roll) -> None:
    page = roll.page
    page.set_viewport_size({"width": 850, "height": 900})
    roll.mount(document(band()))
    roll.drag((1, 4), (1, 7))
    offer(roll, 9)
    room = page.locator(".mgnb-take-list").bounding_box()

    def seen(number: int) -> bool:
        box = page.get_by_test_id(f"mgnb-take-{number}").bounding_box()
        assert box is not None and room is not None
        return room["x"] <= box["x"] and box["x"] + box["width"] <= room["x"] + room["width"]

    page.locator(".mgnb-surface").focus()
    scrolled = page.evaluate("window.scrollY")
    assert seen(2) and not seen(9)
    for number in (9, 1, 5):
        page.keyboard.press(str(number))
        page.wait_for_timeout(40)
        assert seen(number)
    page.get_by_test_id("mgnb-sort-novelty").click()
    page.get_by_test_id("mgnb-sort-novelty").click()  # the other way round
    page.wait_for_timeout(40)
    assert seen(5) and page.evaluate("window.scrollY") == scrolled


def test_keys_audition_takes_and_tools_come_back_afterwards(opened: Roll) -> None:
    page = opened.page
    page.locator(".mgnb-surface").focus()
    assert bass(opened) == expected(1)
    page.keyboard.press("3")
    assert bass(opened) == expected(2) and opened.state()["tool"] == "bars"
    assert page.evaluate("window.host.state.active_take") == "j1-2"
    page.keyboard.press("0")
    assert bass(opened) == original()
    page.keyboard.down("`")
    assert bass(opened) == expected(2)
    page.keyboard.up("`")
    assert bass(opened) == original()
    page.keyboard.press("9")  # there is none
    assert bass(opened) == original()
    page.get_by_test_id("mgnb-take-4").click()
    assert bass(opened) == expected(3)
    opened.set("active_take", "")
    opened.set("takes", [])
    page.locator(".mgnb-surface").focus()
    page.keyboard.press("2")
    assert opened.state()["tool"] == "draw"


def writes_four(roll: Roll) -> Any:
    """Generate was clicked for the bass and four takes are on their way."""
    roll.mount(document(band()), n_takes=4)
    roll.drag((1, 4), (1, 7))
    roll.page.get_by_test_id("mgnb-generate").click()
    roll.set("status", "running")
    roll.event(0, "accepted", cells=CELLS, label="Regenerate", takes=4)
    return roll.page


def has_focus(roll: Roll) -> bool:
    return bool(roll.page.evaluate("document.activeElement.classList.contains('mgnb-surface')"))


def test_the_mouse_on_a_button_that_goes_leaves_the_keyboard_with_the_roll(roll: Roll) -> None:
    page = writes_four(roll)
    page.get_by_test_id("mgnb-stop").wait_for(state="visible")
    assert has_focus(roll)
    page.get_by_test_id("mgnb-stop").click()
    roll.event(1, "cancelled", rev=1)
    roll.set("status", "idle")
    page.get_by_test_id("mgnb-stop").wait_for(state="hidden")
    assert has_focus(roll)
    for button in ("mgnb-take-accept", "mgnb-take-discard"):
        offer(roll)
        page.get_by_test_id("mgnb-take-4").click()
        assert bass(roll) == expected(3)
        page.get_by_test_id(button).click()
        roll.set("active_take", "")
        roll.set("takes", [])
        page.get_by_test_id(button).wait_for(state="hidden")
        assert has_focus(roll)


def test_keys_hear_takes_after_generate_was_clicked(roll: Roll) -> None:
    page = writes_four(roll)
    roll.event(1, "done", rev=1)
    roll.set("status", "done")
    offer(roll)
    page.keyboard.press("3")
    assert bass(roll) == expected(2)
    page.keyboard.press("Enter")
    page.wait_for_function("window.host.sent.some(m => m.k === 'accept')")


def test_undo_that_has_nothing_left_leaves_the_keyboard_with_the_roll(roll: Roll) -> None:
    roll.mount(document(band()), can_undo=True)
    roll.page.get_by_test_id("mgnb-undo").click()
    roll.set("can_undo", False)
    roll.page.wait_for_timeout(60)
    assert has_focus(roll)


def test_as_asked_is_shown_only_where_something_was_asked(opened: Roll) -> None:
    page = opened.page
    page.get_by_test_id("mgnb-sort-adherence").click()
    opened.set("takes", [facts(i, adherence=None) for i in range(4)])
    page.get_by_test_id("mgnb-sort-adherence").wait_for(state="hidden")
    assert "As asked" not in page.get_by_test_id("mgnb-takes").inner_text()
    assert page.locator(".mgnb-take-number").all_inner_texts() == ["0", "1", "2", "3", "4"]
    assert page.get_by_test_id("mgnb-sort-number").get_attribute("aria-pressed") == "true"


def test_tools_stay_in_sight_and_say_why_they_are_off(opened: Roll) -> None:
    page = opened.page
    why = "Keep or discard the takes first"
    for tool in ("select", "draw", "erase", "velocity"):
        button = page.get_by_test_id(f"mgnb-tool-{tool}")
        assert button.is_visible() and button.get_attribute("aria-disabled") == "true"
        assert button.get_attribute("title") == why
    page.get_by_test_id("mgnb-tool-draw").click(force=True)
    assert opened.state()["tool"] == "bars"
    assert page.get_by_test_id("mgnb-tool-bars").get_attribute("aria-disabled") is None
    for name in ("mgnb-tempo", "mgnb-add-track", "mgnb-bar-menu"):
        button = page.get_by_test_id(name)
        assert button.is_visible() and button.is_disabled() and button.get_attribute("title") == why
    opened.set("takes", [])
    page.wait_for_function("!document.querySelector('[data-testid=mgnb-tool-draw]').ariaDisabled")
    page.get_by_test_id("mgnb-tool-draw").click()
    assert opened.state()["tool"] == "draw" and page.get_by_test_id("mgnb-tempo").is_enabled()
    assert page.get_by_test_id("mgnb-tool-draw").get_attribute("title") != why


def test_what_stays_and_goes_is_marked(opened: Roll) -> None:
    state = opened.state()
    assert state["compare"] == "after"
    kept = [note for note in expected(1) if note in original()]
    assert 0 < state["removed"] <= len(original())
    assert state["removed"] >= len(original()) - len(kept)


def test_bars_are_held_to_takes_and_enter_accepts_the_mixture(opened: Roll) -> None:
    page = opened.page
    page.locator(".mgnb-surface").focus()
    page.keyboard.press("1")
    page.keyboard.down("Alt")
    page.mouse.click(*opened.cell(1, 5))
    page.mouse.click(*opened.cell(0, 5))  # not a bar of the takes: an ordinary click
    page.keyboard.up("Alt")
    opened.drag((1, 4), (1, 7))
    page.keyboard.press("3")
    mixture = sorted(expected(2, range(4, 5)) + expected(0, range(5, 6)) + expected(2, range(6, 8)))
    assert bass(opened) == mixture
    page.keyboard.press("Enter")
    (sent,) = messages(opened, "accept")
    assert sent["take"] == "j1-2" and sent["cells"] == [[1, 5, "j1-0"]]
    assert messages(opened, "generate") == []


def test_t_holds_the_selected_bars_and_takes_them_back(opened: Roll) -> None:
    page = opened.page
    page.mouse.click(*opened.cell(1, 6))
    page.keyboard.press("0")
    page.keyboard.press("t")
    page.keyboard.press("2")
    assert [n for n in bass(opened) if n[0] // BAR == 6] == [n for n in original() if n[0] // BAR == 6]
    page.keyboard.press("t")
    assert bass(opened) == expected(1)


def test_escape_discards(opened: Roll) -> None:
    opened.page.locator(".mgnb-surface").focus()
    opened.page.keyboard.press("Escape")
    assert len(messages(opened, "discard")) == 1
    opened.set("active_take", "")
    opened.set("takes", [])
    opened.page.wait_for_timeout(30)
    assert bass(opened) == original()
    assert not opened.page.get_by_test_id("mgnb-takes").is_visible()


def test_switching_while_the_loop_plays_waits_for_the_bar_line(opened: Roll) -> None:
    page = opened.page
    page.locator(".mgnb-surface").focus()
    page.keyboard.press("l")
    page.get_by_test_id("mgnb-play").click()
    page.wait_for_function("document.querySelector('.mgnb-root').mgnb.state().position > 4 * 1920 + 200")
    page.locator(".mgnb-surface").focus()
    page.keyboard.press("1")
    state = opened.state()
    assert state["playing"] and state["takeWaits"]  # shown at once, heard from the next bar line on
    assert bass(opened) == expected(0)
    page.wait_for_function("!document.querySelector('.mgnb-root').mgnb.state().takeWaits")
    assert opened.state()["playing"]
    page.get_by_test_id("mgnb-play").click()


def test_takes_are_watched_while_they_are_written(roll: Roll) -> None:
    roll.mount(document(band()))
    roll.drag((1, 4), (1, 7))
    roll.page.get_by_test_id("mgnb-takes-count").select_option("3")
    assert roll.page.evaluate("window.host.state.n_takes") == 3
    roll.event(0, "accepted", cells=CELLS, label="Bass", takes=3)
    first = [row for row in take_rows(0) if row[1] // BAR == 4]
    second = [row for row in take_rows(1) if row[1] // BAR == 4]
    roll.event(1, "notes", first, track=1, bar=4)
    roll.event(2, "notes", second, track=1, bar=4, take=1)
    roll.event(3, "bar", track=1, bar=4, take=1)
    roll.page.wait_for_function("document.querySelectorAll('.mgnb-take').length === 4")
    assert roll.state()["job"]["provisional"] == len(first)
    roll.page.locator(".mgnb-surface").focus()
    roll.page.keyboard.press("2")
    assert roll.state()["job"]["provisional"] == len(second)
    assert "1 of 4 bars" in roll.page.get_by_test_id("mgnb-take-2").inner_text()
    roll.event(4, "reject", cells=[[1, 4]], take=1)
    assert roll.state()["job"]["provisional"] == 0


def test_keep_going_asks_for_the_next_take_at_each_pass(roll: Roll) -> None:
    roll.mount(document(band()))
    page = roll.page
    page.mouse.click(*roll.cell(1, 4))
    page.get_by_test_id("mgnb-takes-count").select_option("0")
    page.get_by_test_id("mgnb-generate").click()
    (sent,) = messages(roll, "generate")
    assert sent["takes"] == 1 and sent["hold"] is True
    assert roll.state()["loop"] == {"start": 4 * BAR, "end": 5 * BAR}
    page.wait_for_function("document.querySelector('.mgnb-root').mgnb.state().playing")
    roll.event(0, "accepted", cells=[[1, 4]], label="Bass", takes=1)
    notes = [row for row in take_rows(0) if row[1] // BAR == 4]
    roll.event(1, "notes", notes, track=1, bar=4)
    assert roll.state()["job"]["provisional"] == 0  # out of sight until it is complete
    encoded = {"j1-0": b64(records(notes, 1, 5000).tobytes())}
    page.evaluate("notes => { Object.assign(window.host.takeNotes, notes) }", encoded)
    roll.set("active_take", "j1-0")
    roll.set("takes", [facts(0, cells=[[1, 4]], notes=len(notes))])
    roll.event(2, "done", rev=1)
    assert roll.state()["takeWaits"]
    page.wait_for_function("window.host.sent.filter((m) => m.k === 'generate').length === 2", timeout=20_000)
    page.get_by_test_id("mgnb-take-accept").click()
    assert page.get_by_test_id("mgnb-takes-count").input_value() == "1"
    page.get_by_test_id("mgnb-play").click()


def test_roles_are_given_by_keys_and_by_the_menu(roll: Roll) -> None:
    roll.mount(document(band()))
    page = roll.page
    roll.drag((1, 2), (1, 3))
    page.keyboard.press("Shift+H")
    assert page.evaluate("window.host.state.plan") == {
        "roles": {"1": {"bars": {"2": "hidden", "3": "hidden"}}}
    }
    page.mouse.click(*roll.cell(2, 5))
    page.get_by_test_id("mgnb-targets").click()
    page.get_by_test_id("mgnb-role-locked").click()
    assert page.evaluate("window.host.state.plan.roles[2].bars") == {"5": "locked"}
    page.get_by_test_id("mgnb-targets").click()
    page.get_by_test_id("mgnb-role-ignore").click()
    assert page.evaluate("window.host.state.plan.roles[2].track") == "ignore"
    page.mouse.click(*roll.cell(0, 8))
    page.keyboard.press("Shift+G")
    page.mouse.click(*roll.cell(3, 1))
    assert page.get_by_test_id("mgnb-generate").text_content() == "Regenerate bar 9, Electric Piano"


def test_generate_says_why_it_is_off_in_the_words_of_python(roll: Roll) -> None:
    roll.mount(document(band()))
    page = roll.page
    refusal = {"k": "error", "code": "locked", "message": "locked: bar 5, Bass", "hint": ""}
    page.evaluate("answer => { window.host.outlook = answer }", refusal)
    page.mouse.click(*roll.cell(1, 4))
    generate = page.get_by_test_id("mgnb-generate")
    page.wait_for_function("document.querySelector('.mgnb-generate').ariaDisabled === 'true'")
    assert generate.get_attribute("title") == "locked: bar 5, Bass"
    page.evaluate("() => { window.host.outlook = { k: 'ok', steps: [], warnings: ['nearly full'] } }")
    page.mouse.click(*roll.cell(1, 5))
    page.wait_for_function("document.querySelector('.mgnb-generate').title === 'nearly full'")
    assert generate.get_attribute("aria-disabled") is None


def see(roll: Roll) -> None:
    steps = [
        {
            "window": [2, 6],
            "targets": [[1, 4]],
            "tracks": [0, 1, 3],
            "hidden": [[1, 5]],
            "autoregressive": False,
        },
        {"window": [4, 8], "targets": [[1, 5]], "tracks": [0, 1, 3], "hidden": [], "autoregressive": False},
    ]
    answer = {"k": "ok", "steps": steps, "warnings": []}
    roll.page.evaluate("answer => { window.host.outlook = answer }", answer)
    roll.drag((1, 4), (1, 5))
    roll.page.get_by_test_id("mgnb-targets").click()
    roll.page.get_by_test_id("mgnb-sees-toggle").click()
    roll.page.wait_for_function("document.querySelector('.mgnb-sees-text').textContent.includes('step 1')")


def test_what_the_model_sees_step_by_step(roll: Roll) -> None:
    roll.mount(document(band()))
    see(roll)
    line = roll.page.get_by_test_id("mgnb-sees")
    assert "writes bar 5" in line.inner_text() and "1 bar hidden" in line.inner_text()
    assert "sees bars 3–6 of Electric Piano, Bass, Drums" in line.inner_text()
    roll.page.get_by_test_id("mgnb-sees-on").click()
    assert "step 2 of 2" in line.inner_text() and "sees bars 5–8" in line.inner_text()
    roll.page.get_by_test_id("mgnb-sees-close").click()
    assert not line.is_visible()


@pytest.mark.parametrize("host", ["light", "dark"])
def test_pictures_of_takes_and_targets(roll: Roll, host: str, shots: Any) -> None:
    roll.mount(document(band()), host=host)
    roll.drag((1, 4), (1, 7))
    offer(roll)
    roll.page.keyboard.down("Alt")
    roll.page.mouse.click(*roll.cell(1, 5))
    roll.page.keyboard.up("Alt")
    roll.page.locator(".mgnb-surface").focus()
    roll.page.keyboard.press("3")
    shots(roll.page, f"takes-{host}")
    roll.set("active_take", "")
    roll.set("takes", [])
    bars = {"6": "hidden", "7": "hidden", "1": "locked", "2": "locked"}
    roll.set(
        "plan", {"roles": {"0": {"bars": bars}, "1": {"bars": {"9": "generate"}}, "2": {"track": "ignore"}}}
    )
    shots(roll.page, f"targets-{host}")
    roll.set("plan", {})
    see(roll)
    shots(roll.page, f"sees-{host}")


def test_y1_small_pictures_of_takes_follow_a_live_theme_change(roll: Roll) -> None:
    drawn = "() => [...document.querySelectorAll('.mgnb-take canvas')].map((canvas) => canvas.toDataURL())"

    def shown(host: str) -> list[str]:
        roll.mount(document(band()), host)
        roll.drag((1, 4), (1, 7))
        offer(roll)
        return roll.page.evaluate(drawn)

    dark = shown("dark")
    light = shown("light")
    assert len(light) == 5 and all(a != b for a, b in zip(light, dark, strict=True))
    roll.page.evaluate("() => { document.body.dataset.host = 'dark' }")
    roll.page.wait_for_function(
        "wanted => wanted.join() === (" + drawn + ")().join()", arg=dark, timeout=3000
    )
