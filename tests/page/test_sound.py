"""The sampled sound: rendered offline in a real browser with the packaged files, and measured."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np
import pytest

from .harness import BAR, HARNESS, Roll, band, document

pytestmark = pytest.mark.browser

PROGRAMS = [0, 4, 11, 16, 19, 24, 27, 30, 33, 40, 42, 46, 48, 52, 56, 60, 65, 68, 71, 73, 80, 88, 105, 114]
DRUMS = [35, 36, 38, 40, 42, 46, 45, 49, 51, 56, 60, 76]
SWELLING = {16, 19, 40, 42, 48, 52, 56, 60, 65, 68, 71, 73, 88}  # bowed and blown sounds, organs, pads


def render(roll: Roll, first_bar: int, last_bar: int) -> dict[str, Any]:
    """Bars through the sampled sound: rate, mono samples, onsets, peak, rms."""
    got = roll.call(
        """async (mgnb, a, b) => {
            const r = await mgnb.renderAudio(a, b, 44100, true);
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


def solo_bars(sounds: list[tuple[int, int, bool]]) -> tuple[list[Any], list[dict[str, Any]]]:
    """One note a bar, each on a track of its own: (program, pitch, drum)."""
    tracks = [
        {"name": str(i), "program": program, "drum": drum, "family": ""}
        for i, (program, _, drum) in enumerate(sounds)
    ]
    rows = [(i, i * BAR, 700, pitch, 100) for i, (_, pitch, _) in enumerate(sounds)]
    return rows, tracks


def test_programs_sound_in_time_in_tune_and_loud_enough(roll: Roll) -> None:
    sounds = [(program, 69, False) for program in PROGRAMS]
    rows, tracks = solo_bars(sounds)
    roll.mount(document(rows, tracks=tracks, n_bars=len(sounds)), sampled=True)
    audio = render(roll, 0, len(sounds))
    assert audio["peak"] < 1.0
    rate, mono = audio["rate"], audio["mono"]
    for onset, (program, _, _) in zip(audio["onsets"], sounds, strict=True):
        at = round(onset * rate)
        piece = mono[at : at + rate // 2]
        assert np.sqrt((piece**2).mean()) > 0.01, program
        assert np.abs(mono[max(0, at - rate // 100) : at]).max(initial=0) < 0.1 * np.abs(piece).max(), program
        start = np.flatnonzero(np.abs(piece) > 0.1 * np.abs(piece).max())[0] / rate
        assert start < (0.12 if program in SWELLING else 0.02), (program, start)
        spectrum = np.abs(np.fft.rfft(piece * np.hanning(len(piece)), 1 << 17))
        bins = np.fft.rfftfreq(1 << 17, 1 / rate)
        # how much of the energy lies on the harmonics of the note, or of the octave below
        semitones = 12 * np.log2(np.maximum(bins, 1) / 220)
        harmonic = np.round(2 ** (semitones / 12))
        off = np.abs(semitones - 12 * np.log2(np.maximum(harmonic, 1)))
        inside = (spectrum**2)[(off < 0.35) & (bins > 100)].sum() / (spectrum**2)[bins > 100].sum()
        assert inside > 0.6, (program, inside)


def test_drums_sound_at_once(roll: Roll) -> None:
    rows, tracks = solo_bars([(0, pitch, True) for pitch in DRUMS])
    roll.mount(document(rows, tracks=tracks, n_bars=len(DRUMS)), sampled=True)
    audio = render(roll, 0, len(DRUMS))
    for onset, pitch in zip(audio["onsets"], DRUMS, strict=True):
        at = round(onset * audio["rate"])
        piece = np.abs(audio["mono"][at : at + audio["rate"] // 3])
        assert piece.max() > 0.02, pitch
        assert np.flatnonzero(piece > 0.1 * piece.max())[0] / audio["rate"] < 0.015, pitch


def test_a_whole_band_at_full_velocity_does_not_clip(roll: Roll) -> None:
    roll.mount(document([(t, o, d, p, 127) for t, o, d, p, _ in band(4)]), sampled=True)
    audio = render(roll, 0, 4)
    assert audio["rms"] > 0.03
    assert audio["peak"] < 1.0


def ready(roll: Roll, kind: str) -> dict[str, Any]:
    roll.page.get_by_test_id("mgnb-play").click()
    roll.page.wait_for_function(
        "kind => { const s = document.querySelector('.mgnb-root').mgnb.state(); "
        "return s.sound === kind && s.position > 100 }",
        arg=kind,
    )
    return roll.state()


def best_of(roll: Roll, tries: int = 4) -> float:
    """Least milliseconds from the click to the sampled sound: a busy machine is no fault of the page."""
    least = float("inf")
    for _ in range(tries):
        roll.mount(document(band(2)), sampled=True)
        state = ready(roll, "sampled")
        least = min(least, state["soundMs"])
        if least < 1000:
            break
    return least


def test_s1_playing_waits_for_the_sampled_sound_and_is_ready_within_a_second(roll: Roll) -> None:
    assert best_of(roll) < 1000


def test_s1_two_pages_are_each_ready_within_a_second(roll: Roll) -> None:
    """A second page of the browser has the sound to itself: nothing of the first is needed or in its way."""
    assert best_of(roll) < 1000
    other = Roll(roll.page.context.new_page())
    assert best_of(other) < 1000
    assert other.errors == []


def test_s1_the_sound_is_fetched_when_the_pointer_comes_near(roll: Roll) -> None:
    roll.mount(document(band(2)), sampled=True)
    asked = "window.host.sent.filter(m => m.k === 'sound').length"
    assert roll.page.evaluate(asked) == 0
    roll.page.get_by_test_id("mgnb-start").hover()
    assert roll.page.evaluate(asked) >= 2
    parts = roll.page.evaluate(asked)
    ready(roll, "sampled")
    files = roll.page.evaluate("window.host.sent.filter(m => m.k === 'sound' && !m.part).map(m => m.file)")
    assert [files.count("worklet"), files.count("bank")] == [1, 1]  # not once more by the click
    assert roll.page.evaluate(asked) >= parts


def test_s1_a_policy_that_forbids_blob_addresses_is_no_hindrance(roll: Roll) -> None:
    roll.mount(document(band(2)), sampled=True)
    roll.page.evaluate(
        """() => document.head.append(Object.assign(document.createElement('meta'), {
            httpEquiv: 'Content-Security-Policy',
            content: "script-src 'unsafe-inline' 'unsafe-eval' 'wasm-unsafe-eval' data:; worker-src data:"
        }))"""
    )
    forbidden = roll.page.evaluate(
        """async () => {
            const url = URL.createObjectURL(new Blob(['1'], { type: 'text/javascript' }));
            return new AudioContext().audioWorklet.addModule(url).then(() => false, () => true) }"""
    )
    assert forbidden  # the policy is in force
    assert ready(roll, "sampled")["sound"] == "sampled"
    roll.errors[:] = [error for error in roll.errors if "Content Security Policy" not in error]


def test_s2_a_page_that_is_not_secure_plays_the_simple_sound_and_says_so(roll: Roll) -> None:
    """Audio worklets are for secure pages only (http://localhost is one, http://server is none)."""
    html = HARNESS.read_text(encoding="utf-8")
    answer = {"body": html, "content_type": "text/html"}
    roll.page.route("http://roll.test/**", lambda route: route.fulfill(**answer))
    roll.mount(document(band(2)), sampled=True, address="http://roll.test/")
    assert not roll.page.evaluate("window.isSecureContext")
    ready(roll, "simple")
    roll.page.get_by_text("simple sound").first.wait_for()
    roll.errors[:] = [error for error in roll.errors if "roll.test" not in error]


def test_without_the_files_the_simple_sound_plays_and_says_so(roll: Roll) -> None:
    roll.mount(document(band(2)), _sound="gone")
    roll.page.evaluate("() => { window.host.autoAnswer = false }")
    roll.page.get_by_test_id("mgnb-play").click()
    roll.page.wait_for_function("() => document.querySelector('.mgnb-root').mgnb.state().position > 100")
    assert roll.state()["sound"] == "simple"


def test_s7_the_pan_of_the_file_is_heard(roll: Roll) -> None:
    """In the middle, then far left, then far right; the sampled sound and the simple one."""
    rows = [(0, bar * BAR, 700, 72, 100) for bar in range(3)]
    tracks = [{"name": "Flute", "program": 73, "drum": False, "family": ""}]
    roll.mount(
        document(rows, tracks=tracks, n_bars=3, controls=[(BAR, 0, 10, 0), (2 * BAR, 0, 10, 127)]),
        sampled=True,
    )
    for sampled in (True, False):
        balance = roll.call(
            """async (mgnb, sampled) => {
                const r = await mgnb.renderAudio(0, 3, 44100, sampled);
                const rms = (channel, at) => Math.sqrt(r.channels[channel]
                  .subarray((at + 0.1) * r.sampleRate, (at + 0.5) * r.sampleRate)
                  .reduce((sum, x) => sum + x * x, 0));
                return r.onsets.map((at) => rms(1, at) / rms(0, at)) }""",
            sampled,
        )
        assert balance[0] == pytest.approx(1, rel=0.35), sampled
        assert balance[1] < 0.3 and balance[2] > 3, (sampled, balance)


def test_s7_volume_pedal_and_bends_of_the_file_are_heard(roll: Roll) -> None:
    rows = [(0, bar * BAR, 240, 60, 100) for bar in range(5)]
    tracks = [{"name": "Strings", "program": 48, "drum": False, "family": ""}]
    controls = [(BAR, 0, 7, 25), (2 * BAR, 0, 7, 100), (2 * BAR, 0, 64, 127), (3 * BAR - 10, 0, 64, 0)]
    controls += [(3 * BAR, 0, -1, 16383), (4 * BAR, 0, -1, 8192)]
    roll.mount(document(rows, tracks=tracks, n_bars=5, controls=controls), sampled=True)
    audio = render(roll, 0, 5)
    rate, mono = audio["rate"], audio["mono"]
    starts = [round(onset * rate) for onset in audio["onsets"]]

    def level(start: int, begin: float, end: float) -> float:
        return float(np.sqrt((mono[start + int(begin * rate) : start + int(end * rate)] ** 2).mean()))

    plain, soft, held = (level(start, 0.1, 0.25) for start in starts[:3])
    assert soft < 0.3 * plain < held
    assert level(starts[2], 1.2, 1.5) > 3 * level(starts[0], 1.2, 1.5)  # the pedal keeps it ringing

    def pitch(start: int) -> float:
        piece = mono[start + rate // 20 : start + rate // 4]
        spectrum = np.abs(np.fft.rfft(piece * np.hanning(len(piece)), 1 << 18))
        bins = np.fft.rfftfreq(1 << 18, 1 / rate)
        low = (bins > 220) & (bins < 330)
        return float(12 * np.log2(bins[low][spectrum[low].argmax()] / 440) + 69)

    # two semitones up, as the usual bend range has it (the section plays with vibrato)
    assert pitch(starts[3]) - pitch(starts[4]) == pytest.approx(2, abs=0.7)
