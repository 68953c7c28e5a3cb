"""The built page in Chromium and the real widget in this process, joined by a wire that may lose things.

Any number of pages (browser tabs: each its own model and store) show one widget. Messages of the page to the
kernel and back may be dropped, doubled or delayed; the synced state is neither lost nor doubled, as in
notebooks. Python's side runs between two looks at the page, its threads all the time.
"""

from __future__ import annotations

import base64
import random
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import harness

sys.path.append(str(Path(__file__).parents[1] / "widgets"))

from fakes import RecordingComm

from midigpt_nb.widgets.protocol import unpack_document

__all__ = ["Bridge", "RecordingComm"]

HARNESS, STATIC, SIMPLE = harness.HARNESS, harness.STATIC, harness.SIMPLE

SCRIPT = (Path(__file__).parent / "bridge.js").read_text("utf-8")


def _b64(data: Any) -> str:
    return base64.b64encode(bytes(data)).decode()


class Bridge:
    """A widget and the pages that show it. `loss`: share of messages that suffer something; `slow`: seconds
    that the kernel takes for each message, one after the other (what it says arrives at once). `throttled`:
    the host keeps back synced state while an earlier piece of it is on its way, as ipywidgets does.
    """

    def __init__(
        self,
        page: Any,
        widget: Any,
        *,
        seed: int = 0,
        loss: float = 0.0,
        slow: float = 0.0,
        throttled: bool = False,
        start: bool = True,
    ) -> None:
        self.page, self.widget, self.throttled = page, widget, throttled
        self.busy = False
        """While it is set, the kernel hears nothing."""
        self.rng, self.loss, self.slow = random.Random(seed), loss, slow
        self.handled: list[dict[str, Any]] = []
        self._queue: list[dict[str, Any]] = []
        self._free_at = 0.0
        self.tabs: list[int] = []
        self._next_tab = 0
        self._seen = 0
        self._late: list[tuple[int, str, Any]] = []  # (in how many pumps, direction, item)
        self.waits = ""
        self.lost = self.doubled = self.delayed = self.messages = 0
        if start:
            page.goto(HARNESS.as_uri())
            page.evaluate(SCRIPT)
            page.evaluate("css => window.bridge.css(css)", (STATIC / "widget.css").read_text("utf-8"))

    # ------------------------------------------------------------------------------------------- the wire

    def _suffers(self) -> str:
        if self.rng.random() >= self.loss:
            return ""
        return self.rng.choice(["drop", "double", "delay"])

    def _through(self, way: str, item: Any) -> list[Any]:
        """What of an item arrives now."""
        self.messages += 1
        fate = self._suffers()
        if fate == "drop":
            self.lost += 1
            return []
        if fate == "double":
            self.doubled += 1
            self._late.append((self.rng.randint(1, 6), way, item))
            return [item]
        if fate == "delay":
            self.delayed += 1
            self._late.append((self.rng.randint(1, 8), way, item))
            return []
        return [item]

    def pump(self) -> bool:
        """Carry what there is both ways; whether there was anything."""
        items: list[Any] = []
        for data, buffers, _ in self.widget.comm.sent[self._seen :]:
            self._seen += 1
            method = data.get("method")
            if method == "custom":
                item = {"content": data["content"], "buffers": [_b64(b) for b in buffers]}
                items += self._through("page", item)
            elif method == "update":
                binary = {path[0]: _b64(b) for path, b in zip(data["buffer_paths"], buffers, strict=True)}
                items.append({"state": data["state"], "binary": binary})
            elif method == "arrived":
                items.append(data)
            elif method == "echo_update":
                items.append({"state": data["state"], "not": data.get("from")})
        due = [(way, item) for left, way, item in self._late if left <= 0]
        self._late = [(left - 1, way, item) for left, way, item in self._late if left > 0]
        items += [item for way, item in due if way == "page"]
        sent = [item for way, item in due if way == "kernel"]
        for item in self.page.evaluate("items => window.bridge.exchange(items)", items):
            if "content" in item:
                sent += self._through("kernel", item)
            else:
                sent.append(item)
        self._queue += sent
        while self._queue and not self.busy and time.monotonic() >= self._free_at:
            self._handle(self._queue.pop(0))
            self._free_at = time.monotonic() + self.slow
            if self.slow:
                break
        return bool(items or sent or self._late)

    def _handle(self, item: dict[str, Any]) -> None:
        comm = self.widget.comm
        self.handled.append(item)
        before = len(comm.sent)
        if "content" in item:
            buffers = [base64.b64decode(b) for b in item["buffers"]]
            data = {"method": "custom", "content": item["content"]}
            comm.handle_msg({"content": {"data": data}, "buffers": buffers})
            return
        data = {"method": "update", "state": item["state"], "buffer_paths": []}
        comm.handle_msg({"content": {"data": data}, "buffers": []})
        for sent, _, _ in comm.sent[before:]:
            if sent.get("method") == "echo_update":
                sent["from"] = item["tab"]
        comm.sent.append(({"method": "arrived", "tab": item["tab"], "arrived": list(item["state"])}, [], ""))

    def run(self, seconds: float) -> None:
        """Let time pass."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if not self.pump():
                self.page.wait_for_timeout(5)

    def until(self, true: Callable[[], Any], timeout: float = 30.0, why: str = "") -> None:
        """Pump until something holds."""
        end = time.monotonic() + timeout
        while not true():
            assert time.monotonic() < end, why or "it did not come to pass"
            if not self.pump():
                self.page.wait_for_timeout(5)

    # ------------------------------------------------------------------------------------------- the pages

    def open(self, *, host: bool = False) -> int:
        """Another browser tab with the widget; waits for its desk."""
        tab = self._next_tab
        self._next_tab += 1
        while self.widget.comm.sent[self._seen :]:
            self.pump()
        state = self.widget.get_state()
        self._seen = max(self._seen, 0)
        binary = {k: _b64(v) for k, v in state.items() if isinstance(v, bytes | memoryview)}
        plain = {k: v for k, v in state.items() if k not in binary and k not in ("_esm", "_css", "layout")}
        esm = (STATIC / "widget.js").read_text("utf-8")
        self.page.evaluate("a => window.bridge.open(...a)", [tab, esm, plain, binary, host, self.throttled])
        self.tabs.append(tab)
        loss, self.loss = self.loss, 0.0
        self.until(
            lambda: self.js(tab, "root.querySelector('.mgnb-lanes') !== null"), 30, "the desk did not come"
        )
        self.loss = loss
        return tab

    def close(self, tab: int) -> None:
        self.page.evaluate("tab => window.bridge.close(tab)", tab)
        self.tabs.remove(tab)

    def js(self, tab: int, expression: str, *args: Any) -> Any:
        """Evaluate with `handle`, `root` and `args` of a tab."""
        names = "const handle = bridge.handle(tab), root = bridge.root(tab)"
        script = f"([tab, args]) => {{ {names}; return {expression} }}"
        return self.page.evaluate(script, [tab, list(args)])

    def click(self, tab: int, testid: str) -> bool:
        return bool(self.page.evaluate("a => window.bridge.click(...a)", [tab, testid]))

    def trait(self, tab: int, name: str) -> Any:
        return self.page.evaluate("([t, n]) => window.bridge.state(t, n)", [tab, name])

    def rows(self, tab: int) -> list[list[int]]:
        return sorted(self.js(tab, "handle.rows()"))

    def kernel_rows(self) -> list[list[int]]:
        notes = unpack_document(self.widget._document.pack())[1]
        names = ("id", "track", "onset", "duration", "pitch", "velocity")
        return sorted([int(note[name]) for name in names] for note in notes)

    def settle(self, timeout: float = 60.0) -> None:
        """No more accidents: wait until nothing is on its way."""
        self.loss = 0.0

        def on_its_way() -> bool:
            return bool(self._late or self._queue or self.widget.comm.sent[self._seen :])

        def calm() -> bool:
            if on_its_way():
                return False
            jobs = getattr(self.widget, "_jobs", {}).values()
            if any(not job.done for job in jobs):
                return False
            rev = self.widget._document.rev
            for tab in self.tabs:
                shown = self.js(tab, "[handle.settled(), handle.state().rev, handle.waits()]")
                if shown[:2] != [True, rev]:
                    self.waits = f"tab {tab} of {self.tabs}: {shown}, the kernel is at {rev}"
                    return False
            return not self.pump() and not on_its_way()  # a page may have said something while it was asked

        try:
            self.until(calm, timeout)
        except AssertionError:
            raise AssertionError(f"something waits for ever: {self.waits}") from None
