"""Nothing is lost: the page keeps what no file holds (O6), and says when Python is gone (X2)."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import comm
import pytest
from bridge import Bridge, RecordingComm

from midigpt_nb import Note, PianoRoll, Score
from midigpt_nb.widgets import autosave
from midigpt_nb.widgets.project import Project

pytestmark = pytest.mark.timeout(240)


@pytest.fixture
def tab(chromium: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A browser page with its storage."""
    monkeypatch.setattr(comm, "create_comm", RecordingComm)
    context = chromium.new_context(viewport={"width": 1100, "height": 640}, accept_downloads=True)
    page = context.new_page()
    page.problems = []
    page.on("pageerror", lambda error: page.problems.append(str(error)))
    page.on("console", lambda m: page.problems.append(m.text) if m.type == "error" else None)
    yield page
    context.close()
    assert page.problems == []


def kernel_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """What follows runs in another process, as far as the page can tell."""
    number = int(autosave._kernel, 16) + 1
    monkeypatch.setattr(autosave, "_kernel", f"{number % 16**32:032x}")
    monkeypatch.setattr(autosave, "_made", type(autosave._made)())


def draw(wire: Bridge, tab: int, onset: int, pitch: int = 71) -> None:
    wire.js(tab, "handle.put('Draw', [], [[0, ...args]])", 0, onset, 240, pitch, 99)


def shown(wire: Bridge, testid: str = "mgnb-kept", tab: int | None = None) -> str:
    """Words of a bar above the roll; "" while it is hidden."""
    which = wire.tabs[-1] if tab is None else tab
    bar = "root.querySelector(`[data-testid=${args[0]}]:not([hidden])`)"
    return str(wire.js(which, f"{bar}?.innerText ?? ''", testid))


def music(score: Score) -> list[Any]:
    """Notes as a person hears them: whatever their order in the table."""
    return [sorted(map(list, bar)) for bar in _bars(score)]


def _bars(score: Score) -> Iterator[Any]:
    table = score.table
    for track in range(table.n_tracks):
        for bar in range(table.n_bars(track)):
            yield table.notes[slice(*table.note_rows(track, bar))].tolist()


def test_o6_unsaved_changes_are_offered_after_a_lost_kernel(
    tab: Any, monkeypatch: Any, tmp_path: Path
) -> None:
    roll = PianoRoll(Score.example(), title="Song")
    wire = Bridge(tab, roll)
    first = wire.open()
    assert shown(wire) == ""
    draw(wire, first, 100)
    wire.run(3.0)  # long enough for the whole project
    draw(wire, first, 500)
    draw(wire, first, 900)
    wire.js(first, "handle.edit({ op: 'track_set', track: 1, name: 'Low' })")
    wire.run(0.6)  # only as edits so far
    want = roll.score
    assert want.track_names[1] == "Low" and roll._document.rev == 4

    kernel_again(monkeypatch)
    again = PianoRoll(Score.example(), title="Song")
    wire = Bridge(tab, again)  # the page is loaded anew
    second = wire.open()
    wire.until(lambda: shown(wire))
    words = shown(wire)
    assert "Unsaved changes from" in words and "Restore" in words and "Discard" in words
    assert again.score == Score.example()
    wire.click(second, "mgnb-kept-restore")
    wire.until(lambda: again._document.rev == 1)
    assert music(again.score) == music(want) and again.score.track_names == want.track_names
    wire.until(lambda: shown(wire) == "")
    assert again.undo() and again.score == Score.example() and not again.can_undo  # one step
    assert again.redo() and music(again.score) == music(want)


def test_o6_the_files_own_events_come_back(tab: Any, monkeypatch: Any) -> None:
    """Tempo map, controllers and lyrics are not among what a page sees; they are kept all the same."""
    start = Score.example().set_tempo(77, range(8, 12)).rename_track(0, "Ключ")
    score = Score.from_bytes(start.to_midi() or b"")
    roll = PianoRoll(score)
    wire = Bridge(tab, roll)
    draw(wire, wire.open(), 333)
    wire.run(3.2)
    want = roll.to_midi()
    kernel_again(monkeypatch)
    again = PianoRoll(Score.from_bytes(start.to_midi() or b""))
    wire = Bridge(tab, again)
    wire.open()
    wire.until(lambda: shown(wire))
    wire.click(wire.tabs[0], "mgnb-kept-restore")
    wire.until(lambda: again._document.rev == 1)
    assert again.to_midi() == want and list(again.score.tempo_map) == list(roll.score.tempo_map)


def test_o6_what_is_discarded_saved_or_unchanged_is_not_offered(
    tab: Any, monkeypatch: Any, tmp_path: Path
) -> None:
    def rolls() -> tuple[PianoRoll, Bridge]:
        kernel_again(monkeypatch)
        roll = PianoRoll(Score.example())
        wire = Bridge(tab, roll)
        wire.open()
        wire.run(0.3)
        return roll, wire

    roll, wire = rolls()
    draw(wire, wire.tabs[0], 100)
    wire.run(0.3)
    roll, wire = rolls()
    wire.until(lambda: shown(wire))
    wire.click(wire.tabs[0], "mgnb-kept-discard")
    wire.run(0.2)
    roll, wire = rolls()
    assert shown(wire) == ""

    draw(wire, wire.tabs[0], 100)
    wire.run(0.3)
    roll.save(tmp_path / "song.mgnb")
    wire.run(0.8)
    roll, wire = rolls()
    assert shown(wire) == ""

    draw(wire, wire.tabs[0], 100)
    wire.run(0.3)
    roll.undo()
    wire.run(3.0)
    roll, wire = rolls()
    assert shown(wire) == ""


def test_o6_the_offer_can_be_downloaded_as_a_project(tab: Any, monkeypatch: Any, tmp_path: Path) -> None:
    roll = PianoRoll(Score.example(), title="Song.mid")
    wire = Bridge(tab, roll)
    draw(wire, wire.open(), 100)
    wire.run(0.4)
    want = roll.score
    kernel_again(monkeypatch)
    wire = Bridge(tab, PianoRoll(Score.example(), title="Song.mid"))
    wire.open()
    wire.until(lambda: shown(wire))
    files: list[Any] = []
    tab.on("download", lambda file: files.append(file))
    wire.click(wire.tabs[0], "mgnb-kept-download")
    wire.until(lambda: files)
    assert files[0].suggested_filename == "Song.mgnb"
    files[0].save_as(tmp_path / "song.mgnb")
    assert music(Project.load(tmp_path / "song.mgnb").score) == music(want)
    assert "Unsaved changes" in shown(wire)  # it is still offered


def test_o6_rolls_of_the_same_music_each_get_their_own(tab: Any, monkeypatch: Any) -> None:
    """Two cells show the same piece; both are edited; both come back, each where it was."""
    for number, pitch in ((1, 60), (2, 62)):
        roll = PianoRoll(Score.example())
        wire = Bridge(tab, roll)
        assert roll._autosave["number"] >= number
        draw(wire, wire.open(), 100, pitch)
        wire.run(0.4)
    first = roll._autosave["number"] - 1
    kernel_again(monkeypatch)
    autosave._made.update({roll._autosave["keys"][0]: first - 1})
    pitches = []
    for _ in range(2):
        again = PianoRoll(Score.example())
        wire = Bridge(tab, again)
        wire.open()
        wire.until(lambda wire=wire: shown(wire))
        wire.click(wire.tabs[0], "mgnb-kept-restore")
        wire.until(lambda again=again: again._document.rev == 1)
        pitches.append(next(int(n[2]) for n in again.score.table.notes if (n[0], n[3]) == (100, 99)))
    assert pitches == [60, 62]


@pytest.mark.parametrize(
    "breakage",
    [
        "Object.defineProperty(window, 'indexedDB',"
        " { get() { throw new DOMException('no', 'SecurityError') } })",
        "Object.defineProperty(window, 'indexedDB', { value: undefined })",
        "IDBFactory.prototype.open = () => { throw new DOMException('no', 'InvalidStateError') }",
        "IDBObjectStore.prototype.put = () => { throw new DOMException('full', 'QuotaExceededError') }",
        "const put = IDBObjectStore.prototype.put; IDBObjectStore.prototype.put = function (v) {"
        " const r = put.call(this, v); this.transaction.abort(); return r }",
    ],
    ids=["forbidden", "absent", "refuses", "full", "aborts"],
)
def test_o6_without_storage_the_pages_memory_keeps_it(tab: Any, monkeypatch: Any, breakage: str) -> None:
    tab.add_init_script(breakage)
    roll = PianoRoll(Score.example())
    wire = Bridge(tab, roll)
    first = wire.open()
    draw(wire, first, 100)
    wire.run(0.5)
    want = roll.score
    kernel_again(monkeypatch)  # the page itself lives on, as in JupyterLab
    again = PianoRoll(Score.example())
    wire.page.evaluate("tab => bridge.cut(tab, true)", first)
    wire = Bridge(tab, again, start=False)
    wire._next_tab = 7
    wire.open()
    wire.until(lambda: shown(wire))
    wire.click(7, "mgnb-kept-restore")
    wire.until(lambda: again._document.rev == 1)
    assert music(again.score) == music(want)


def lose(tab: Any, monkeypatch: Any, seed: int) -> tuple[int, int, float]:
    """A kernel dies at a random moment of an editing session: (edits made, edits lost, seconds lost)."""
    rng = random.Random(seed)
    roll = PianoRoll(Score.example())
    wire = Bridge(tab, roll)
    first = wire.open()
    made: list[tuple[float, tuple[int, int]]] = []
    end = time.monotonic() + rng.uniform(0.2, 7.0)
    while time.monotonic() < end:
        onset, pitch = rng.randrange(20_000), rng.randint(30, 90)
        at = time.monotonic()
        if rng.random() < 0.15:  # Python itself edits
            roll.score = roll.score.add_notes(1, 0, [Note(pitch, 77, len(made), 100)])
            made.append((at, (len(made), 77)))
        else:
            wire.js(first, "handle.put('Draw', [], [[0, ...args]])", 0, onset, 240, pitch, 99)
            made.append((at, (onset, 99)))
        wire.run(rng.choice([0.0, 0.02, 0.1, 0.5]))
    died = time.monotonic()
    kernel_again(monkeypatch)
    if rng.random() < 0.5:  # the page is loaded anew, or lives on
        again = PianoRoll(Score.example())
        wire = Bridge(tab, again)
    else:
        wire.page.evaluate("tab => bridge.cut(tab, true)", first)
        wire.page.wait_for_timeout(rng.choice([0, 300]))
        again = PianoRoll(Score.example())
        wire = Bridge(tab, again, start=False)
        wire._next_tab = first + 1
    wire.open()
    if made:
        wire.run(0.3)
        if shown(wire):
            wire.click(wire.tabs[0], "mgnb-kept-restore")
            wire.until(lambda: again._document.rev == 1)
    starts = {(int(n[0]) % 1920, int(n[3])) for n in again.score.table.notes}
    lost = [at for at, (onset, loud) in made if (onset % 1920, loud) not in starts]
    for other in (roll, again):
        other.close()
    return len(made), len(lost), (died - min(lost)) if lost else 0.0


def test_o6_a_kernel_that_dies_at_any_moment_takes_at_most_5_seconds_with_it(
    tab: Any, monkeypatch: Any
) -> None:
    for seed in range(4):
        made, lost, seconds = lose(tab, monkeypatch, seed)
        assert seconds <= 5.0, (seed, made, lost, seconds)


# -------------------------------------------------------------------------------------------- without Python


def test_x2_a_lost_kernel_is_told_and_playing_and_zooming_go_on(tab: Any) -> None:
    roll = PianoRoll(Score.example())
    wire = Bridge(tab, roll)
    page = wire.open(host=True)
    assert shown(wire, "mgnb-lost") == ""
    wire.run(1.5)
    wire.page.evaluate(
        "tab => { bridge.kernelSays(tab, 'statusChanged', 'dead'); bridge.cut(tab, true) }", page
    )
    wire.until(lambda: "Python has ended" in shown(wire, "mgnb-lost"))
    assert "Run the cell again" in shown(wire, "mgnb-lost")
    before = wire.js(page, "handle.state().viewport.scale")
    tab.locator(".mgnb-surface").focus()
    tab.keyboard.press("Control+Equal")
    tab.locator("[data-testid=mgnb-play]").click()
    wire.until(lambda: wire.js(page, "handle.state().playing"))
    wire.until(lambda: wire.js(page, "handle.state().position") > 0, 5)
    tab.locator("[data-testid=mgnb-play]").click()
    assert before > 0
    rows = wire.rows(page)
    tab.locator(".mgnb-surface").focus()
    tab.keyboard.press("Delete")  # nothing can be changed
    wire.run(0.2)
    assert wire.rows(page) == rows and roll._document.rev == 0


def test_x2_the_line_comes_back_by_itself_and_brings_what_waited(tab: Any) -> None:
    roll = PianoRoll(Score.example())
    wire = Bridge(tab, roll)
    page = wire.open(host=True)
    wire.page.evaluate("tab => bridge.cut(tab, true)", page)
    draw(wire, page, 100)  # made in the moment before the page knew
    wire.page.evaluate("tab => bridge.kernelSays(tab, 'connectionStatusChanged', 'connecting')", page)
    wire.until(lambda: "Connection to Python lost" in shown(wire, "mgnb-lost"))
    roll.score = roll.score.transpose(1)  # Python goes on meanwhile
    wire._seen = len(roll.comm.sent)  # and none of it arrives
    wire.page.evaluate(
        "tab => { bridge.cut(tab, false); bridge.kernelSays(tab, 'connectionStatusChanged', 'connected') }",
        page,
    )
    wire.until(lambda: shown(wire, "mgnb-lost") == "")
    wire.settle()
    assert wire.rows(page) == wire.kernel_rows() and roll._document.rev == 2


def test_x2_another_kernel_does_not_pass_for_the_old_one(tab: Any) -> None:
    wire = Bridge(tab, PianoRoll(Score.example()))
    page = wire.open(host=True)
    wire.page.evaluate(
        "tab => { bridge.cut(tab, true); for (const s of ['restarting', 'starting', 'idle'])"
        " bridge.kernelSays(tab, 'statusChanged', s) }",
        page,
    )
    wire.run(0.5)
    assert "viewing only" in shown(wire, "mgnb-lost")


def test_x1_a_failure_says_what_why_and_what_next_and_its_details_can_be_copied(tab: Any) -> None:
    roll = PianoRoll(Score.example())
    wire = Bridge(tab, roll)
    page = wire.open()
    roll.on("score", lambda event: 1 / 0)
    draw(wire, page, 50)
    wire.until(lambda: "ZeroDivisionError" in shown(wire, "mgnb-error"))
    assert ".errors" in shown(wire, "mgnb-error")  # one next step
    tab.context.grant_permissions(["clipboard-read", "clipboard-write"])
    tab.locator("[data-testid=mgnb-copy-details]").click()
    wire.run(0.2)
    copied = tab.evaluate("() => navigator.clipboard.readText()")
    assert "ZeroDivisionError" in copied and "code: callback" in copied and "Mozilla" in copied
