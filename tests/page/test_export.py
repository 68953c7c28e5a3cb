"""The exported page, opened from disk with all network blocked: plays, zooms, edits, saves MIDI (O2)."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from harness import Roll

from midigpt_nb import InfillEditor, PianoRoll, Score

pytestmark = pytest.mark.browser


@pytest.fixture
def exported(chromium: Any, tmp_path: Path) -> Iterator[Any]:
    """Opens the page of a roll: nothing but the file itself may be fetched."""
    contexts = []

    def open_page(widget: PianoRoll, scheme: str = "light") -> Roll:
        path = tmp_path / "roll.html"
        widget.to_html(path)
        context = chromium.new_context(
            viewport={"width": 1240, "height": 900}, color_scheme=scheme, offline=True, accept_downloads=True
        )
        contexts.append(context)
        page = context.new_page()
        roll = Roll(page)
        page.on(
            "request",
            lambda r: None if r.url.startswith(("file:", "blob:", "data:")) else roll.errors.append(r.url),
        )
        page.goto(path.as_uri())
        page.wait_for_selector(".mgnb-root")
        rolls.append(roll)
        return roll

    rolls: list[Roll] = []
    yield open_page
    for context in contexts:
        context.close()
    for roll in rolls:
        assert roll.errors == []


def eventually(roll: Roll, done: Callable[[dict[str, Any]], bool]) -> None:
    deadline = time.monotonic() + 20
    while not done(roll.state()):
        assert time.monotonic() < deadline, roll.state()
        roll.page.wait_for_timeout(50)


def saved(roll: Roll, tmp_path: Path) -> bytes:
    roll.page.get_by_test_id("mgnb-files").click()
    with roll.page.expect_download() as waiting:
        roll.page.get_by_test_id("mgnb-download-midi").click()
    waiting.value.save_as(tmp_path / "out.mid")
    return (tmp_path / "out.mid").read_bytes()


def test_o2_it_shows_plays_and_zooms(exported: Any) -> None:
    score = Score.example()
    roll = exported(InfillEditor(score, title="Example"))
    state = roll.state()
    assert state["notes"] == score.n_notes
    roll.page.get_by_test_id("mgnb-play").click()
    # The page's own policy forbids evaluated strings, and so `wait_for_function`.
    eventually(roll, lambda now: now["sound"] == "sampled" and now["position"] > 100)
    roll.page.get_by_test_id("mgnb-play").click()
    audio = roll.call("async mgnb => { const r = await mgnb.renderAudio(0, 1, 22050, true); return r.rms }")
    assert audio > 0.005
    before = state["viewport"]["scale"]
    roll.page.get_by_test_id("mgnb-zoom-in").click()
    assert roll.state()["viewport"]["scale"] > before


def test_o2_generation_is_off_and_says_why(exported: Any) -> None:
    roll = exported(InfillEditor(Score.example()))
    assert roll.page.get_by_test_id("mgnb-generate").is_hidden()
    assert "exported page" in roll.page.get_by_test_id("mgnb-no-engine").inner_text()


def test_o2_it_edits_with_undo_and_saves_midi(exported: Any, tmp_path: Path) -> None:
    score = Score.example()
    roll = exported(PianoRoll(score, title="song.mid"))
    assert saved(roll, tmp_path) == score.to_midi()  # untouched: the very file
    by = roll.page.get_by_test_id
    by("mgnb-track-menu-1").click()
    by("mgnb-track-delete").click()
    by("mgnb-bar-menu").click()
    by("mgnb-bars-insert").click()
    by("mgnb-tempo").click()
    by("mgnb-menu-field").fill("90")
    roll.page.keyboard.press("Enter")
    roll.page.locator(".mgnb-surface").focus()
    roll.page.keyboard.press("1")
    roll.page.keyboard.press("Control+a")
    roll.page.keyboard.press("ArrowUp")
    roll.page.wait_for_timeout(100)
    edited = Score.from_bytes(saved(roll, tmp_path))
    expected = score.delete_track(1).insert_bars(0).set_tempo(90)
    assert (edited.n_tracks, edited.n_bars) == (expected.n_tracks, expected.n_bars)
    assert edited.n_notes == expected.n_notes and edited.tempo == expected.tempo
    assert edited.track_names == expected.track_names
    moved = edited.table.notes[:, 2].astype(int).sum() - expected.table.notes[:, 2].astype(int).sum()
    assert moved == expected.tracks[0].n_notes
    for _ in range(4):
        by("mgnb-undo").click()
    assert saved(roll, tmp_path) == score.to_midi()
    by("mgnb-redo").click()
    assert Score.from_bytes(saved(roll, tmp_path)).n_tracks == score.n_tracks - 1


def test_o2_every_structural_edit_agrees_with_the_kernel(exported: Any, tmp_path: Path) -> None:
    """What the page does to tracks and bars is what `Score` does."""
    score = Score.example()
    roll = exported(PianoRoll(score))
    ops = [
        ({"op": "bars_duplicate", "first": 1, "count": 2}, lambda s: s.duplicate_bars(range(1, 3))),
        ({"op": "bars_delete", "first": 4, "count": 2}, lambda s: s.delete_bars(range(4, 6))),
        ({"op": "bars_insert", "at": 3, "count": 1}, lambda s: s.insert_bars(3, 1)),
        ({"op": "track_duplicate", "track": 1}, lambda s: s.duplicate_track(1)),
        ({"op": "track_move", "track": 0, "to": 2}, lambda s: s.reorder_tracks([1, 2, 0, 3, 4])),
        ({"op": "track_set", "track": 0, "program": 40}, lambda s: s.set_instrument(0, 40)),
        (
            {"op": "metre_set", "first": 2, "count": 2, "metre": [3, 4]},
            lambda s: s.set_metre(range(2, 4), (3, 4)),
        ),
        ({"op": "tempo_set", "bpm": 100, "first": 2}, lambda s: s.set_tempo(100, range(2, s.n_bars))),
    ]  # fmt: skip
    for op, _ in ops:
        roll.call("(mgnb, op) => mgnb.edit(op)", op)
    roll.page.wait_for_timeout(100)
    for _, apply in ops:
        score = apply(score)
    edited = Score.from_bytes(saved(roll, tmp_path))
    assert edited.table.tracks[:, 1:].tolist() == score.table.tracks[:, 1:].tolist()
    assert edited.table.bars[:, 1:3].tolist() == score.table.bars[:, 1:3].tolist()
    keep = [0, 2, 3]  # onset, pitch, velocity: durations across a cut may differ by what rings over it
    assert sorted(edited.table.notes[:, keep].tolist()) == sorted(score.table.notes[:, keep].tolist())
    assert edited.tempo_map == score.tempo_map


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pictures_of_the_exported_page(exported: Any, scheme: str) -> None:
    roll = exported(InfillEditor(Score.example(), title="Example"), scheme)
    folder = Path(__file__).parents[2] / "build" / "screenshots"
    folder.mkdir(parents=True, exist_ok=True)
    roll.page.wait_for_timeout(300)
    roll.page.screenshot(path=folder / f"export-{scheme}.png", full_page=True)
