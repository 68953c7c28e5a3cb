"""MIDI devices: out to a synthesiser, in from a keyboard (S6). The browser's side is a stand-in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from harness import BAR, RESOLUTION, TRACKS, Roll, band, document

pytestmark = pytest.mark.browser

FAKE = (Path(__file__).parent / "fake_midi.js").read_text(encoding="utf-8")
ON, OFF, CONTROL, PROGRAM, BEND = 0x90, 0x80, 0xB0, 0xC0, 0xE0


def by(roll: Roll, testid: str) -> Any:
    return roll.page.get_by_test_id(f"mgnb-{testid}")


def mount(roll: Roll, doc: bytes, **state: Any) -> None:
    roll.page.add_init_script(FAKE)
    roll.mount(doc, **state)


def choose(roll: Roll, port: str) -> None:
    by(roll, "files").click()
    by(roll, "midi").click()
    by(roll, port).click()


def sent(roll: Roll, kind: int | None = None) -> list[tuple[float, list[int]]]:
    """(page time, bytes) of what the synthesiser got, by time."""
    rows = roll.page.evaluate("window.midi.sent")
    rows.sort(key=lambda row: row["at"])
    return [(row["at"], row["data"]) for row in rows if kind is None or row["data"][0] & 0xF0 == kind]


def played(roll: Roll, *messages: list[int]) -> None:
    for message in messages:
        roll.page.evaluate("message => window.midi.play(message)", message)


def records(roll: Roll) -> list[dict[str, Any]]:
    return [m for m in roll.sent() if m["k"] == "ops"]


def position(roll: Roll) -> float:
    return float(roll.state()["position"])


def until(roll: Roll, tick: float) -> None:
    roll.page.wait_for_function(
        "tick => document.querySelector('.mgnb-root').mgnb.state().position >= tick", arg=tick, polling=5
    )


def test_s6_permission_is_asked_on_the_click_only(roll: Roll) -> None:
    mount(roll, document(band(4)))
    by(roll, "play").click()
    by(roll, "files").click()
    assert roll.page.evaluate("window.midi.asked") == 0
    by(roll, "midi").click()
    by(roll, "midi-out-0").wait_for()
    assert roll.page.evaluate("window.midi.asked") == 1
    roll.page.keyboard.press("Escape")
    choose(roll, "midi-out-0")
    assert roll.page.evaluate("window.midi.asked") == 1


def test_s6_a_refusal_is_said_and_can_be_mended(roll: Roll) -> None:
    mount(roll, document(band(4)))
    roll.page.evaluate("window.midi.refuse = true")
    by(roll, "files").click()
    by(roll, "midi").click()
    roll.page.get_by_text("The browser did not allow MIDI devices.").wait_for()
    roll.page.evaluate("window.midi.refuse = false")
    choose(roll, "midi-out-0")


def test_s6_a_browser_without_midi_says_so(roll: Roll) -> None:
    roll.page.add_init_script("delete Navigator.prototype.requestMIDIAccess")
    roll.mount(document(band(4)))
    by(roll, "files").click()
    assert by(roll, "midi").get_attribute("aria-disabled") == "true"
    assert "not in this browser" in by(roll, "midi").inner_text()


def test_s6_notes_go_out_at_their_time_with_program_and_controllers(roll: Roll) -> None:
    rows = [(0, k * 240, 200, 60 + k, 40 + k) for k in range(16)] + [
        (3, k * 480, 60, 36, 100) for k in range(8)
    ]
    controls = [(0, 0, 7, 90), (480, 0, 64, 127), (960, 0, 64, 0), (720, 0, -1, 10_000)]
    mount(roll, document(rows, n_bars=2, controls=controls), mix={"3": {"volume": 50}})
    choose(roll, "midi-out-0")
    by(roll, "play").click()
    until(roll, 2 * BAR - 200)
    roll.page.wait_for_timeout(300)
    ons = sent(roll, ON)
    melody = [(at, data) for at, data in ons if data[0] & 15 != 9]
    drums = [(at, data) for at, data in ons if data[0] & 15 == 9]
    assert [data[1:] for _, data in melody] == [[60 + k, 40 + k] for k in range(16)]
    assert [data[1:] for _, data in drums] == [[36, 100]] * 8
    begin = melody[0][0]
    for times, step in ((melody, 0.25), (drums, 0.5)):
        off = np.array([at for at, _ in times]) - begin - 1000 * step * np.arange(len(times))
        assert np.abs(off).max() < 5, off
    offs = [at for at, data in sent(roll, OFF) if data[0] & 15 != 9]
    lengths = np.array(sorted(offs)[:16]) - np.array([at for at, _ in melody])
    assert np.abs(lengths - 1000 * 200 / 960).max() < 6
    programs = [(at, data) for at, data in sent(roll, PROGRAM) if data[0] == PROGRAM]
    assert [data for _, data in programs] == [[PROGRAM, TRACKS[0]["program"]]] and programs[0][0] <= begin
    by_time = {tuple(data): at - begin for at, data in sent(roll)}
    assert by_time[CONTROL, 7, 90] < 5
    assert by_time[CONTROL, 64, 127] == pytest.approx(500, abs=5)
    assert by_time[BEND, 10_000 & 127, 10_000 >> 7] == pytest.approx(750, abs=5)
    assert by_time[CONTROL | 9, 7, 50] < 5  # the volume set by hand
    assert roll.state()["sound"] == "midi"


def test_s6_the_seam_of_the_loop_is_on_time_and_stop_ends_every_note(roll: Roll) -> None:
    rows = [(0, k * 480, 470, 60 + k, 90) for k in range(4)] + [(1, 0, BAR, 40, 80)]
    mount(roll, document(rows, n_bars=2, tempo=[(0, 250_000)]), loop=[0, 1])
    choose(roll, "midi-out-0")
    by(roll, "play").click()
    roll.page.wait_for_timeout(2600)
    by(roll, "play").click()
    roll.page.wait_for_timeout(50)
    at = np.array([at for at, data in sent(roll, ON) if data[0] & 15 == 0])
    assert len(at) >= 8
    assert np.abs(np.diff(at) - 250).max() < 5
    sounding: dict[tuple[int, int], int] = {}
    for _, data in sent(roll):
        if data[0] & 0xF0 in (ON, OFF):
            key = (data[0] & 15, data[1])
            sounding[key] = max(0, sounding.get(key, 0) + (1 if data[0] & 0xF0 == ON else -1))
    assert not any(sounding.values())
    ends = {data[0] & 15 for _, data in sent(roll, CONTROL) if data[1] == 123}
    assert ends >= {0, 1}


def test_s6_a_port_that_is_pulled_out_gives_the_page_its_sound_back(roll: Roll) -> None:
    mount(roll, document(band(4)))
    choose(roll, "midi-out-0")
    by(roll, "play").click()
    until(roll, 100)
    roll.page.evaluate("window.midi.unplug(window.midi.output)")
    roll.page.get_by_text("Test Synth was disconnected").first.wait_for(state="attached")
    roll.page.wait_for_function("document.querySelector('.mgnb-root').mgnb.state().sound === 'simple'")


def test_s6_recording_overdubs_the_loop_one_undo_step_a_pass(roll: Roll) -> None:
    mount(roll, document(band(4), tempo=[(0, 300_000)]), loop=[1, 2],
          selection={"cells": [[0, 1]]})  # fmt: skip
    choose(roll, "midi-in-0")
    by(roll, "record").click()
    assert by(roll, "record").get_attribute("aria-pressed") == "true"
    roll.call("mgnb => mgnb.state()")
    by(roll, "play").click()
    until(roll, BAR + 240)
    for pitch, tick in ((72, BAR + 490), (74, BAR + 970)):
        until(roll, tick)
        played(roll, [ON, pitch, 77])
        until(roll, tick + 200)
        played(roll, [OFF, pitch, 0])
    assert records(roll) == []  # not before the pass is over
    roll.page.wait_for_function("window.host.sent.filter(m => m.k === 'ops').length === 1")
    until(roll, BAR + 480)
    played(roll, [ON, 76, 60], [ON, 76, 0])
    by(roll, "play").click()
    roll.page.wait_for_function("window.host.sent.filter(m => m.k === 'ops').length === 2")
    first, second = records(roll)
    assert (
        first["label"] == "Record 2 notes" and first["ops"][0]["count"] == 2 and not first["ops"][0]["remove"]
    )
    assert second["ops"][0]["count"] == 1
    notes = [
        note
        for note in roll.call("mgnb => mgnb.notesOf(0)")
        if note[2] in (72, 74, 76) and note[3] in (77, 60)
    ]
    assert len(notes) == 3
    for onset, duration, _, _ in notes:
        assert BAR <= onset < 2 * BAR and onset % 120 == 0 and duration % 120 == 0
    assert abs(notes[0][0] - (BAR + 480)) <= 120


def test_s6_notes_outside_the_selected_bars_are_not_written(roll: Roll) -> None:
    mount(roll, document(band(4), tempo=[(0, 300_000)]), selection={"cells": [[1, 3]]})
    choose(roll, "midi-in-0")
    by(roll, "record").click()
    by(roll, "play").click()
    until(roll, 500)
    played(roll, [ON, 50, 80], [OFF, 50, 0])
    by(roll, "play").click()
    by(roll, "record").click()
    roll.page.wait_for_timeout(100)
    assert records(roll) == []


def test_s6_at_rest_each_chord_is_written_at_the_playhead_which_moves_on(roll: Roll) -> None:
    mount(roll, document(band(4)), selection={"cells": [[2, 1]]}, snap="1/8")
    choose(roll, "midi-in-0")
    by(roll, "record").click()
    played(roll, [ON, 60, 70], [ON, 64, 71], [OFF, 60, 0], [OFF, 64, 0], [ON, 67, 90], [OFF, 67, 0])
    roll.page.wait_for_function("window.host.sent.filter(m => m.k === 'ops').length === 2")
    notes = sorted(n for n in roll.call("mgnb => mgnb.notesOf(2)") if n[1] == RESOLUTION // 2)
    assert notes == [[BAR, 240, 60, 70], [BAR, 240, 64, 71], [BAR + 240, 240, 67, 90]]
    assert position(roll) == BAR + 480


def test_s6_the_keyboard_is_heard_through_the_chosen_output(roll: Roll) -> None:
    mount(roll, document(band(4)))
    choose(roll, "midi-out-0")
    choose(roll, "midi-in-0")
    by(roll, "play").click()
    until(roll, 50)
    by(roll, "play").click()
    before = len(sent(roll))
    played(roll, [ON, 100, 99], [OFF, 100, 0])
    new = [data for _, data in sent(roll)]
    assert len(new) >= before + 2
    assert any(data[0] & 0xF0 == ON and data[1:] == [100, 99] for data in new)
    assert any(data[0] & 0xF0 == OFF and data[1] == 100 for data in new)


def test_s6_a_read_only_roll_does_not_record(roll: Roll) -> None:
    mount(roll, document(band(4)), readonly=True)
    choose(roll, "midi-in-0")
    by(roll, "record").click()
    assert by(roll, "record").get_attribute("aria-pressed") == "false"
