"""The exported page, opened from disk with all network blocked: plays, zooms, edits, saves MIDI (O2)."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from harness import ROOT, Roll
from test_access import axe

from midigpt_nb import InfillEditor, PianoRoll, Score

pytestmark = pytest.mark.browser
sys.path.append(str(ROOT))  # for tests.score


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


STRUCTURE: list[tuple[dict[str, Any], Callable[[Score], Score]]] = [
    ({"op": "bars_duplicate", "first": 1, "count": 2}, lambda s: s.duplicate_bars(range(1, 3))),
    ({"op": "bars_delete", "first": 4, "count": 2}, lambda s: s.delete_bars(range(4, 6))),
    ({"op": "bars_insert", "at": 3, "count": 1}, lambda s: s.insert_bars(3, 1)),
    ({"op": "bars_insert", "at": 0, "count": 1}, lambda s: s.insert_bars(0, 1)),
    ({"op": "track_duplicate", "track": 1}, lambda s: s.duplicate_track(1)),
    ({"op": "track_move", "track": 0, "to": 1}, lambda s: s.reorder_tracks([1, 0, *range(2, s.n_tracks)])),
    ({"op": "track_set", "track": 0, "program": 40}, lambda s: s.set_instrument(0, 40)),
    ({"op": "track_set", "track": 1, "name": "Zwölf"}, lambda s: s.rename_track(1, "Zwölf")),
    (
        {"op": "metre_set", "first": 2, "count": 2, "metre": [3, 4]},
        lambda s: s.set_metre(range(2, 4), (3, 4)),
    ),
    ({"op": "tempo_set", "bpm": 100, "first": 2}, lambda s: s.set_tempo(100, range(2, s.n_bars))),
    ({"op": "track_delete", "track": 0}, lambda s: s.delete_track(0)),
]


def rich_file(*, lyrics: bool = False) -> bytes:
    """Lyrics, markers, pedals, bends, tuning, tempo and key changes, system messages: what edits carry."""
    from tests.score.rare_files import chunk_of, file_of, meta

    bar = 4 * 960
    about = [(0, meta(3, b"Song")), (0, meta(0x51, b"\x07\xa1\x20")), (0, meta(0x59, b"\x02\x00"))]
    about += [(bar, meta(0x51, b"\x06\x1a\x80")), (3 * bar + 100, meta(0x51, b"\x09\x27\xc0"))]
    about += [(2 * bar, meta(6, b"Verse")), (5 * bar, meta(6, b"Chorus"))]
    about += [(0, b"\xf0\x05\x7e\x7f\x09\x01\xf7")]
    chunks = [chunk_of(*sorted(about, key=lambda event: event[0]))]
    for channel, name in ((0, b"Voice"), (1, b"Low"), (9, b"Beat")):
        on, off, control = (bytes([kind | channel]) for kind in (0x90, 0x80, 0xB0))
        own = [
            (0, meta(3, name)),
            (0, bytes([0xC0 | channel, 0 if channel else 52])),
            (0, control + b"\x07Z"),
        ]
        own += [(0, control + pair) for pair in (b"e\x00", b"d\x00", b"\x06\x0c")]  # bend range
        for n in range(8):
            at, pitch = n * bar, bytes([60 + n])
            own += [(at, control + b"@\x7f"), (at + 1900, control + b"@\x00")]
            own += [(at + 7, bytes([0xE0 | channel, n, 60 + n]))]
            own += [(at + 3, on + pitch + b"P"), (at + bar + 500, off + pitch + b"!")]
            own += [(at + 10, meta(5, b"la%d" % n))] if lyrics and channel == 0 else []
            own += [(at + 961, on + b"(F"), (at + 1441, on + b"(\x00")]
        chunks.append(chunk_of(*sorted(own, key=lambda event: event[0])))
    return file_of(chunks, ticks=960)


def events(data: bytes) -> list[tuple[int, int, bytes]]:
    """(chunk, tick, bytes) of all events, without ends of chunks and chunks that hold but a program."""
    source = Score.from_bytes(data).source
    assert source is not None
    rows = [source.file.event(i) for i in range(source.file.n_events)]
    found = sorted((chunk, tick, bytes(raw)) for chunk, tick, raw in rows if bytes(raw[:2]) != b"\xff\x2f")
    sounding = {chunk for chunk, tick, raw in found if tick > 0}
    return [event for event in found if event[0] in sounding]


@pytest.mark.parametrize("which", ["example", "rich", "lyrics"])
def test_o2_every_structural_edit_gives_the_very_events_of_the_kernel(
    exported: Any, tmp_path: Path, which: str
) -> None:
    """Controllers, tempo map, lyrics and names after each edit are those of `Score`'s own methods."""
    data = rich_file(lyrics=which == "lyrics")
    score = Score.example() if which == "example" else Score.from_bytes(data)
    roll = exported(PianoRoll(score))
    for op, apply in STRUCTURE:
        if which == "lyrics" and op["op"].startswith("track"):
            continue  # lyrics make a track without notes, which a file has no place for
        roll.call("(mgnb, op) => mgnb.edit(op)", op)
        roll.page.wait_for_timeout(60)
        assert events(saved(roll, tmp_path)) == events(apply(score).to_midi() or b""), op
        roll.page.get_by_test_id("mgnb-undo").click()
        roll.page.wait_for_timeout(60)
        assert saved(roll, tmp_path) == score.to_midi()  # the very file again


def test_o2_edits_add_up_as_in_the_kernel(exported: Any, tmp_path: Path) -> None:
    score = Score.from_bytes(rich_file())
    roll = exported(PianoRoll(score))
    for op, apply in STRUCTURE:
        roll.call("(mgnb, op) => mgnb.edit(op)", op)
        score = apply(score)
    roll.page.wait_for_timeout(200)
    edited = Score.from_bytes(saved(roll, tmp_path))
    assert edited.table.tracks[:, 1:].tolist() == score.table.tracks[:, 1:].tolist()
    assert edited.table.bars[:, 1:3].tolist() == score.table.bars[:, 1:3].tolist()
    assert sorted(edited.table.notes.tolist()) == sorted(score.table.notes.tolist())
    assert edited.tempo_map == score.tempo_map
    kinds = {raw[0] for _, _, raw in events(saved(roll, tmp_path))}
    assert {0xE0, 0xB0, 0xF0, 0xFF} <= kinds and 0xB1 not in kinds  # that track is gone


def test_o2_controllers_are_heard_where_they_moved_to(exported: Any) -> None:
    """The page plays with the controllers in their new places."""
    roll = exported(PianoRoll(Score.from_bytes(rich_file())))
    before = roll.call("mgnb => mgnb.controls()")
    roll.call("(mgnb, op) => mgnb.edit(op)", {"op": "bars_insert", "at": 2, "count": 1})
    roll.page.wait_for_timeout(80)
    after = roll.call("mgnb => mgnb.controls()")
    seam, bar = 2 * 1920, 1920
    assert sorted(after) == sorted([[t + bar if t >= seam else t, *rest] for t, *rest in before])


def test_o2_what_needs_python_is_not_offered(exported: Any) -> None:
    roll = exported(PianoRoll(Score()))
    assert roll.page.get_by_test_id("mgnb-empty-draw").is_visible()
    assert roll.page.get_by_test_id("mgnb-empty-demo").count() == 0
    roll.page.get_by_test_id("mgnb-files").click()
    assert roll.page.get_by_test_id("mgnb-download-midi").is_visible()
    assert roll.page.get_by_test_id("mgnb-open-file").count() == 0
    assert roll.page.get_by_test_id("mgnb-download-project").count() == 0


def test_x1_a_refusal_says_what_next(exported: Any) -> None:
    roll = exported(PianoRoll(Score.example()))
    roll.call("(mgnb, op) => mgnb.edit(op)", {"op": "bars_delete", "first": 0, "count": 16})
    banner = roll.page.get_by_test_id("mgnb-error")
    banner.wait_for()
    assert banner.inner_text().split("\n")[:2] == [
        "A piece keeps one bar at least",
        "The piece is as it was; everything else goes on.",
    ]
    assert roll.state()["notes"] == Score.example().n_notes


def test_o2_selection_and_loop_stay_with_their_bars(exported: Any) -> None:
    """As in the notebook (`widgets/beside.py`), and back by undo."""
    editor = InfillEditor(Score.example())
    editor.select(tracks=1, bars=range(4, 8))
    editor.loop = [4, 8]
    roll = exported(editor)

    def now() -> tuple[list[list[int]], list[float]]:
        state = roll.state()
        loop = state["loop"] or {"start": -1920, "end": -1920}
        return state["selection"], [loop["start"] / 1920, loop["end"] / 1920]

    def bars(first: int, last: int) -> tuple[list[list[int]], list[float]]:
        return [[1, bar] for bar in range(first, last)], [first, last]

    assert now() == bars(4, 8)
    for op, then in [
        ({"op": "bars_insert", "at": 2, "count": 3}, bars(7, 11)),
        ({"op": "bars_delete", "first": 9, "count": 7}, bars(7, 9)),
        ({"op": "bars_delete", "first": 0, "count": 1}, bars(6, 8)),
    ]:
        roll.call("(mgnb, op) => mgnb.edit(op)", op)
        roll.page.wait_for_timeout(60)
        assert now() == then, op
    for then in [bars(7, 9), bars(7, 11), bars(4, 8)]:
        roll.page.get_by_test_id("mgnb-undo").click()
        roll.page.wait_for_timeout(60)
        assert now() == then


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_y5_axe_finds_nothing_in_the_exported_page(exported: Any, scheme: str) -> None:
    roll = exported(InfillEditor(Score.example(), title="Example"), scheme)
    assert axe(roll, "body") == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pictures_of_the_exported_page(exported: Any, scheme: str) -> None:
    roll = exported(InfillEditor(Score.example(), title="Example"), scheme)
    folder = Path(__file__).parents[2] / "build" / "screenshots"
    folder.mkdir(parents=True, exist_ok=True)
    roll.page.wait_for_timeout(300)
    roll.page.screenshot(path=folder / f"export-{scheme}.png", full_page=True)


def odd_file(which: str) -> bytes:
    """Two programs in turn on one channel; or four tracks on two ports, two channels each."""
    from tests.score.rare_files import chunk_of, file_of, meta

    bar = 4 * 480

    def notes(channel: int, base: int) -> list[tuple[int, bytes]]:
        begin, end = bytes([0x90 | channel]), bytes([0x80 | channel])
        rows = []
        for at in range(0, 8 * bar, 480):
            pitch = base + at // 480 % 4
            rows += [(at, begin + bytes([pitch, 80])), (at + 400, end + bytes([pitch, 0]))]
        return rows

    if which == "programs":
        multi = [(0, meta(3, b"Multi"))] + [(b * bar, bytes([0xC0, 5 if b % 2 else 40])) for b in range(8)]
        chunks = [multi + notes(0, 60), [(0, meta(3, b"B")), (0, bytes([0xC2, 9])), *notes(2, 50)]]
    else:
        chunks = []
        for port, c in [(0, 0), (0, 1), (1, 0), (1, 1)]:
            own = [(0, meta(0x21, bytes([port]))), (0, meta(3, b"P%d" % port))]
            own += [(0, bytes([0xB0 | c, 7, 60 + port])), (0, bytes([0xC0 | c, 5 + port]))]
            chunks.append(own + notes(c, 60 + port))
    return file_of([chunk_of(*sorted(own, key=lambda event: event[0])) for own in chunks], ticks=480)


def tracks_of(data: bytes) -> list[tuple[list[int], list[list[int]]]]:
    """(program and kind, notes) of every track, in order."""
    score = Score.from_bytes(data)
    table, found = score.table, []
    for track in range(score.n_tracks):
        bars = [table.notes[slice(*table.note_rows(track, bar))] for bar in range(table.n_bars(track))]
        found.append((table.tracks[track, 1:].tolist(), [n for bar in bars for n in sorted(bar.tolist())]))
    return found


@pytest.mark.parametrize("which", ["programs", "ports"])
def test_o2_odd_files_lose_no_music(exported: Any, tmp_path: Path, which: str) -> None:
    """Several programs on a channel, and ports beyond the first, through every structural edit."""
    score = Score.from_bytes(odd_file(which))
    roll = exported(PianoRoll(score))
    added: tuple[dict[str, Any], Callable[[Score], Score]] = (
        {"op": "track_add", "program": 33, "name": "New"}, lambda s: s.add_track(33, name="New"),
    )  # fmt: skip
    for op, apply in [*STRUCTURE, added]:
        roll.call("(mgnb, op) => mgnb.edit(op)", op)
        roll.page.wait_for_timeout(40)
        assert tracks_of(saved(roll, tmp_path)) == tracks_of(apply(score).to_midi() or b""), op
        roll.page.get_by_test_id("mgnb-undo").click()
        roll.page.wait_for_timeout(40)


def test_o2_a_track_without_notes_is_in_the_file_once(exported: Any, tmp_path: Path) -> None:
    score = Score.example().add_track(33, name="Later")
    roll = exported(PianoRoll(score))
    chunks = (score.to_midi() or b"").count(b"MTrk")
    roll.call("(mgnb, r) => mgnb.put('Draw', [], [r])", [0, score.n_tracks - 1, 480, 480, 43, 90])
    roll.page.wait_for_timeout(80)
    data = saved(roll, tmp_path)
    assert data.count(b"MTrk") == chunks and data.count(b"Later") == 1
    written = Score.from_bytes(data)
    assert written.track_names[-1] == "Later" and written.tracks[-1].n_notes == 1
