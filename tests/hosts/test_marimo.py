"""The roll in a real marimo server: shown, edited, generating. Needs an interpreter that has marimo:

MIDIGPT_NB_MARIMO_PYTHON=…/bin/python pytest tests/hosts/test_marimo.py
"""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from lab import eventually
from studio import Seen, watched_page

pytestmark = [pytest.mark.browser, pytest.mark.model, pytest.mark.timeout(300)]

PYTHON = os.environ.get("MIDIGPT_NB_MARIMO_PYTHON") or (
    sys.executable if importlib.util.find_spec("marimo") else ""
)
ROLL = ".mgnb-root:not(.mgnb-as-panel)"
NOTEBOOK = Path(__file__).parent / "marimo_notebook.py"


class Marimo(Seen):
    """The page, the file in which Python tells what it knows, and what marimo told the page."""

    def __init__(self, page: Any, told: Path, mode: str, events: list[list[str]]) -> None:
        super().__init__(page, page.locator(ROLL))
        self.told, self.mode, self.events = told, mode, events

    def __getitem__(self, name: str) -> Any:
        return json.loads(self.told.read_text())[name]

    def messages(self, event: str) -> int:
        """Messages with such an event of a job that have come to the page since `events` was cleared."""
        self.state()  # the browser's news are read while it is asked
        return sum(event in message for message in self.events)


def job_events(frame: str | bytes) -> list[str]:
    """Names of the events of a job in what marimo's server sent to the page."""
    if '"ev":' not in str(frame):
        return []
    content = json.loads(frame)["data"]["message"]["content"]
    return [event["ev"] for event in (content, *content.get("more", []))]


@pytest.fixture(scope="module", params=["run", "edit"])
def marimo(request: Any, chromium: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Marimo]:
    if not PYTHON:
        pytest.skip("needs marimo")
    base = tmp_path_factory.mktemp(f"marimo-{request.param}")
    shutil.copy(NOTEBOOK, base / "story.py")
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    told = base / "told.json"
    homes = {
        name: str(base / name.lower()) for name in ("XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_STATE_HOME")
    }
    env = os.environ | homes | {"MIDIGPT_NB_TOLD": str(told), "MARIMO_SKIP_UPDATE_CHECK": "1"}
    command = [PYTHON, "-m", "marimo", "-y", request.param, "story.py", "--headless", "--no-token"]
    command += ["--host", "127.0.0.1", "--port", str(port)]
    with (base / "marimo.log").open("wb") as log:
        server = subprocess.Popen(
            command, env=env, cwd=base, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
        )
        page = watched_page(chromium)
        events: list[list[str]] = []  # each message counts, however fast the job and slow the page
        hear = "framereceived"
        page.on("websocket", lambda socket: socket.on(hear, lambda frame: events.append(job_events(frame))))
        try:
            url = f"http://127.0.0.1:{port}/"
            _wait_for(url, server, base / "marimo.log")
            page.goto(url)
            roll = page.locator(ROLL)
            if request.param == "edit":  # a notebook that is edited runs when it is told to
                _run_all(page, roll)
            roll.wait_for(state="visible", timeout=90_000)
            roll.evaluate("el => el.scrollIntoView({block: 'center'})")
            made = Marimo(page, told, request.param, events)
            eventually(lambda: made["ready"], True, 90)
            yield made
            assert page.page_errors == []
        finally:
            page.context.close()
            os.killpg(server.pid, signal.SIGTERM)
            try:
                server.wait(10)
            except subprocess.TimeoutExpired:
                os.killpg(server.pid, signal.SIGKILL)


def _run_all(page: Any, roll: Any) -> None:
    """The button at the bottom right; a page that has not reached its kernel yet forgets the click."""
    button = page.locator("[data-testid=run-button]:not([disabled])").last
    deadline = time.monotonic() + 90
    while not roll.is_visible() and time.monotonic() < deadline:
        if button.is_visible():
            button.click(timeout=5_000)
        page.wait_for_timeout(3_000)


def _wait_for(url: str, server: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 60
    while True:
        if server.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(log.read_text()[-4000:])
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except OSError:
            time.sleep(0.2)


def test_it_is_shown_with_its_own_looks(marimo: Marimo) -> None:
    state = marimo.state()
    assert state["notes"] == marimo["notes"] and marimo.button("track-3").is_visible()
    box = marimo.root.bounding_box()
    assert box["width"] > 500 and box["height"] > 280
    assert marimo.root.evaluate("el => getComputedStyle(el).getPropertyValue('--mgnb-accent') !== ''")
    marimo.shot(f"marimo-{marimo.mode}-light")


def test_it_is_played(marimo: Marimo) -> None:
    marimo.button("play").click()
    eventually(lambda: marimo.state()["position"] > 200 and marimo["playing"])
    eventually(lambda: marimo.state()["sound"], "sampled")  # after a second of waiting the simple one begins
    assert marimo["playing"]
    marimo.button("play").click()
    eventually(lambda: marimo["playing"], False)


def test_bars_are_selected_and_written(marimo: Marimo) -> None:
    cells = [[1, bar] for bar in range(4, 8)]
    marimo.drag((1, 4), (1, 7))
    eventually(lambda: marimo["selection"], cells)
    marimo.page.get_by_text("selected in marimo: 4").wait_for(timeout=30_000)  # cells that use it ran again
    marimo.events.clear()
    marimo.button("generate").click()
    eventually(lambda: marimo["status"], "done", 60)
    eventually(lambda: marimo.messages("done"), 1)
    assert marimo.messages("notes") > 2, "the notes did not stream in"
    assert marimo["changed"] and all(cell in cells for cell in marimo["changed"])
    eventually(lambda: marimo.state()["notes"], marimo["notes"])
    marimo.shot(f"marimo-{marimo.mode}-written")
    marimo.choose("undo")
    eventually(lambda: marimo["changed"], [])


def test_a_run_is_stopped(marimo: Marimo) -> None:
    before = marimo["hash"]
    marimo.focus()
    marimo.press("Control+a")
    eventually(lambda: len(marimo["selection"]), 64)
    marimo.button("generate").click()
    eventually(lambda: (marimo.state()["job"] or {}).get("provisional", 0) > 0, True, 60)
    marimo.button("stop").click()
    eventually(lambda: marimo.state()["running"], False)
    eventually(lambda: marimo["status"], "idle")
    assert marimo["hash"] == before


def test_notes_are_drawn_and_curves_too(marimo: Marimo) -> None:
    marimo.focus()
    marimo.press("Escape")
    notes = marimo["notes"]
    marimo.choose("tool-draw")
    x, y = marimo.bar(2, 7)
    marimo.stroke([(x, y), (x + 12, y)])
    eventually(lambda: marimo["notes"], notes + 1)
    marimo.focus()
    marimo.press("Control+z")
    eventually(lambda: marimo["notes"], notes)
    marimo.choose("tool-bars")
    marimo.button("lane-track").select_option("1")
    marimo.draw("bar_note_density", {4: 2, 5: 6})
    eventually(
        lambda: marimo["attributes"]["bar"].get("1"),
        {"4": {"bar_note_density": 2}, "5": {"bar_note_density": 6}},
    )


def test_two_takes_and_one_is_kept(marimo: Marimo) -> None:
    marimo.drag((1, 4), (1, 5))
    marimo.choose("takes-count", 2)
    marimo.button("generate").click()
    eventually(lambda: marimo["takes"], 2, 60)
    marimo.focus()
    marimo.press("2", "Enter")
    eventually(lambda: marimo["takes"], 0)
    assert marimo["changed"] and marimo["error"] is None


def test_n1_the_panel_in_a_cell_of_its_own_asks_for_the_same(marimo: Marimo) -> None:
    panel = marimo.page.locator(".mgnb-as-panel")
    panel.scroll_into_view_if_needed()
    panel.get_by_test_id("mgnb-lane-track").select_option("2")
    slider = panel.locator("[role=slider][data-lane=bar_note_density]").nth(3)
    slider.focus()
    marimo.page.keyboard.press("Home")
    marimo.page.keyboard.press("ArrowUp")
    eventually(lambda: marimo["attributes"]["bar"].get("2"), {"3": {"bar_note_density": 1}})
    marimo.shot(f"marimo-{marimo.mode}-panel")
    marimo.button("lane-track").select_option("2")
    own = marimo.root.locator("[role=slider][data-lane=bar_note_density]").nth(3)
    eventually(lambda: own.get_attribute("aria-valuenow"), slider.get_attribute("aria-valuenow"))
