"""How fast the roll draws, loads and answers in a real browser, against its budgets.

    python benchmarks/page.py [--write] [--runs 12] [--only NAME]

Needs playwright and Chromium. The page is mounted alone, without a kernel, at 1200 x 500 CSS pixels and
drawn in software. A frame's time is the script's plus the drawing itself: after each frame one pixel of
every canvas is read back, so that the browser cannot put the work off. Each figure is the median of `--runs`
runs; of frames, a run's figure is the time that 95 of 100 frames keep to. Beside it stands the processor
time of one frame (of the page's main thread, from the system's own clock of threads, the mean of all
frames): other programs make the first longer, but hardly the second.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import platform
import shutil
import statistics
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]


def _module(name: str, path: Path) -> Any:
    """A module of the tests, under a name of its own: two folders have a `harness`."""
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


page_harness = _module("page_harness", ROOT / "tests" / "page" / "harness.py")
CHROMIUM_FLAGS = _module("browser_fixtures", ROOT / "tests" / "conftest.py").CHROMIUM_FLAGS

PAGE = ROOT / "docs" / "benchmarks.md"
WIDTH, HEIGHT = 1200, 500
MEGABYTE = 1_000_000
METRES = [(4, 4), (3, 4), (7, 8), (5, 4)]

#: Helpers that every measurement in the page may use.
SCRIPT = """
window.bench = (() => {
  const root = () => document.querySelector('.mgnb-root');
  const mgnb = () => root().mgnb;
  const flush = () => {
    for (const canvas of root().querySelectorAll('canvas')) {
      if (canvas.width > 0) canvas.getContext('2d').getImageData(0, 0, 1, 1);
    }
  };
  const frame = (what) => {
    const began = performance.now();
    mgnb().paint(what);
    flush();
    return performance.now() - began;
  };
  const p95 = (times) => times.sort((a, b) => a - b)[Math.ceil(0.95 * times.length) - 1];
  const surface = () => root().querySelector('.mgnb-surface');
  const wheel = (options) => surface().dispatchEvent(new WheelEvent('wheel',
    { bubbles: true, cancelable: true, clientX: surface().getBoundingClientRect().left + 600, ...options }));
  return {
    flush, frame, p95, surface, wheel, mgnb,
    frames: (n, move, what = []) => p95(Array.from({ length: n }, (_, i) => { move(i); return frame(what) })),
    /** Milliseconds between frames that the browser itself shows while something moves. */
    shown: async (n, move) => {
      const times = [];
      let before = await new Promise(requestAnimationFrame);
      for (let i = 0; i < n; i++) {
        move(i);
        const now = await new Promise(requestAnimationFrame);
        times.push(now - before);
        before = now;
      }
      return p95(times);
    },
    hits: (n) => {
      const box = surface().getBoundingClientRect();
      const began = performance.now();
      for (let i = 0; i < n; i++) {
        surface().dispatchEvent(new PointerEvent('pointermove', { bubbles: true, pointerId: 1,
          clientX: box.left + (i * 397) % box.width,
          clientY: box.top + 34 + (i * 211) % (box.height - 34) }));
      }
      return (performance.now() - began) / n;
    },
    load: (bytes, name) => { window.host.set(name, bytes) },
    bitmaps: () => [...root().querySelectorAll('canvas')].reduce((n, c) => n + 4 * c.width * c.height, 0)
      + (mgnb().state().cachedBytes ?? 0),
  };
})();
"""

PAN = "bench.frames(60, (i) => bench.mgnb().pan((i % 40 < 20 ? 1 : -1) * (5 + i % 7)))"
ZOOM = "bench.frames(60, (i) => bench.wheel({ ctrlKey: true, deltaY: i % 20 < 10 ? -12 : 12 }))"
SCROLL = """bench.frames(60, (i) => { bench.surface().focus();
  bench.wheel({ deltaY: i % 40 < 20 ? 17 : -17 }) })"""
CURSOR = "bench.frames(60, () => bench.mgnb().pan(0), ['overlay'])"
SHOWN = "await bench.shown(60, (i) => bench.mgnb().pan((i % 40 < 20 ? 1 : -1) * (5 + i % 7)))"
WHOLE = "document.querySelector('[data-testid=mgnb-zoom-fit]').click()"
CLOSER = f"{WHOLE}; for (let i = 0; i < 40; i++) bench.wheel({{ ctrlKey: true, deltaY: -8 }})"


@dataclass(frozen=True)
class Piece:
    """What is shown: notes spread evenly over tracks and bars."""

    notes: int
    tracks: int = 4
    bars: int = 64
    metres: bool = False

    def document(self) -> bytes:
        """The document as the kernel sends it."""
        table = [METRES[i // 8 % 4] for i in range(self.bars)] if self.metres else [(4, 4)] * self.bars
        quarters = sum(4 * numerator / denominator for numerator, denominator in table)
        rows = page_harness.dense(self.notes, self.tracks, int(quarters // 4))
        tracks = [page_harness.TRACKS[i % 4] for i in range(self.tracks)]
        return page_harness.document(rows, tracks=tracks, bars=table)

    def __str__(self) -> str:
        words = f"{self.notes:,} notes, {self.tracks} tracks, {self.bars:,} bars"
        return f"{words}, metre changes" if self.metres else words


@dataclass(frozen=True)
class Case:
    """One figure: `before` prepares the view once, `measure` is an expression of the page that gives it."""

    name: str
    label: str
    piece: Piece
    measure: str
    limit: float
    unit: str = "ms"
    before: str = ""
    count: int = 60
    """How many frames (or answers) one run measures."""

    def __str__(self) -> str:
        return f"{self.label}: {self.piece}"


@dataclass(frozen=True)
class Figures:
    """What was measured: a value a run, and the processor time of one frame in ms (none: not to be had)."""

    runs: Sequence[float]
    processor: float | None = None


HUGE = Piece(60_000, 32, 2_000, metres=True)
CASES = [
    Case("pan 2000", "pan, 2,000 notes in sight", Piece(4_000, bars=128), PAN, 16.7, before=CLOSER),
    Case("zoom 2000", "zoom, 2,000 notes in sight", Piece(2_000), ZOOM, 16.7, before=WHOLE),
    Case("pan 10000", "pan, 10,000 notes in sight", Piece(20_000, bars=128), PAN, 33, before=CLOSER),
    Case("zoom 10000", "zoom, 10,000 notes in sight", Piece(10_000), ZOOM, 33, before=WHOLE),
    Case("cursor 10000", "cursor alone, 10,000 notes in sight", Piece(10_000), CURSOR, 2, before=WHOLE),
    Case(
        "hit 50000", "what is under the pointer", Piece(50_000, bars=256), "bench.hits(500)", 0.2, count=500
    ),
    Case("pan huge", "pan at first sight", HUGE, PAN, 16.7),
    Case("zoom huge", "zoom at first sight", HUGE, ZOOM, 16.7),
    Case("scroll huge", "scroll through the tracks", HUGE, SCROLL, 16.7),
    Case("cursor huge", "cursor alone", HUGE, CURSOR, 2),
    Case("hit huge", "what is under the pointer", HUGE, "bench.hits(500)", 0.2, count=500),
    Case("whole huge", "zoom with the whole piece in sight", HUGE, ZOOM, 33, before=WHOLE),
]
LOADS = [
    Case("load 10000", "load and paint a piece", Piece(10_000), "", 150),
    Case("load huge", "load and paint a piece", HUGE, "", 500),
]
MOUNTS = [
    Case("initialize", "initialize (the module is read and run)", Piece(1_000), "initialize", 50),
    Case("first paint", "first paint after mounting", Piece(1_000), "first", 500),
    Case("initialize huge", "initialize", HUGE, "initialize", 250),
    Case("first paint huge", "first paint after mounting", HUGE, "first", 1_000),
]


class Bench:
    """One browser; a fresh page for every case."""

    def __init__(self, browser: Any, runs: int) -> None:
        self.browser = browser
        self.session = browser.new_browser_cdp_session()
        self.runs = runs

    @contextmanager
    def mounted(self, piece: Piece, scale: float = 1) -> Iterator[tuple[Any, dict[str, float]]]:
        """The page with a piece on it, its drawing area 1200 x 500, and the times of mounting."""
        context = self.browser.new_context(
            viewport={"width": WIDTH + 252, "height": 900}, device_scale_factor=scale
        )
        roll = page_harness.Roll(context.new_page())
        roll.page.add_init_script(SCRIPT)
        times = roll.mount(piece.document(), height=HEIGHT)
        shown = """() => { const r = document.querySelector('.mgnb-root');
            return r && r.mgnb.state().frames > 0 }"""
        roll.page.wait_for_function(shown)
        # Exactly the size of the budgets, whatever headers and scroll bars take.
        roll.page.evaluate(
            """([w]) => { const el = document.getElementById('mgnb');
                const d = w - document.querySelector('.mgnb-surface').clientWidth;
                el.style.width = `${el.clientWidth + d}px` }""",
            [WIDTH],
        )
        roll.page.wait_for_timeout(400)
        size = roll.page.evaluate("[bench.surface().clientWidth, bench.surface().clientHeight]")
        assert size == [WIDTH, HEIGHT], size
        yield roll.page, times
        context.close()

    def processor_ms(self) -> float | None:
        """Processor time of the main threads of all pages so far."""
        processes = self.session.send("SystemInfo.getProcessInfo")["processInfo"]
        clocks = [Path(f"/proc/{one['id']}/schedstat") for one in processes if one["type"] == "renderer"]
        if not clocks or not all(clock.exists() for clock in clocks):
            return None
        return sum(int(clock.read_text().split()[0]) for clock in clocks) / 1e6

    def case(self, case: Case) -> Figures:
        """A figure of the drawn page, `runs` times."""
        with self.mounted(case.piece) as (page, _):
            page.evaluate(f"() => {{ {case.before} }}")
            page.wait_for_timeout(300)
            page.evaluate(f"async () => ({case.measure})")  # once to warm up
            began = self.processor_ms()
            runs = [page.evaluate(f"async () => ({case.measure})") for _ in range(self.runs)]
            ended = self.processor_ms()
            spent = None if began is None or ended is None else (ended - began) / self.runs / case.count
            return Figures(runs, spent)

    def load(self, case: Case) -> Figures:
        """Another document arrives: parsed, laid out, painted."""
        times: list[float] = []
        spent: list[float] = []
        with self.mounted(Piece(100)) as (page, _):
            data = page_harness.b64(case.piece.document())
            for _ in range(self.runs + 1):
                page.wait_for_timeout(200)
                began = self.processor_ms()
                times.append(
                    page.evaluate(
                        """async (data) => {
                            const bytes = Uint8Array.from(atob(data), (c) => c.charCodeAt(0));
                            const view = new DataView(bytes.buffer);
                            const began = performance.now();
                            window.host.put('_doc', view);
                            await null; await null;
                            bench.frame([]);
                            return performance.now() - began }""",
                        data,
                    )
                )
                ended = self.processor_ms()
                if began is not None and ended is not None:
                    spent.append(ended - began)
        return Figures(times[1:], statistics.median(spent[1:]) if spent else None)

    def mount(self, case: Case) -> Figures:
        """Mounting a widget in a fresh page."""
        figures = []
        for _ in range(self.runs):
            with self.mounted(case.piece) as (_, times):
                figures.append(times[case.measure])
        return Figures(figures)

    def memory(self, scale: float) -> tuple[float, float]:
        """Megabytes of bitmaps of a view in sight, and of the same view when it has been scrolled away."""
        with self.mounted(Piece(4_000, bars=128), scale) as (page, _):
            page.evaluate("for (let i = 0; i < 20; i++) { bench.mgnb().pan(9); bench.frame([]) }")
            seen = page.evaluate("bench.bitmaps()") / MEGABYTE
            page.evaluate("document.body.style.paddingTop = '4000px'")
            page.wait_for_timeout(800)
            return seen, page.evaluate("bench.bitmaps()") / MEGABYTE


def spelled(value: float, unit: str) -> str:
    """A figure with its unit, three digits."""
    digits = 0 if value >= 100 else 1 if value >= 10 else 2 if value >= 0.1 else 3
    return f"{value:.{digits}f} {unit}"


def table(rows: Sequence[tuple[Case, Figures]]) -> str:
    """Figures beside their budgets, as a Markdown table."""
    lines = ["| what | piece | figure | processor time | budget |", "|---|---|---|---|---|"]
    for case, figures in rows:
        middle = spelled(statistics.median(figures.runs), case.unit)
        spent = "" if figures.processor is None else spelled(figures.processor, "ms")
        lines.append(f"| {case.label} | {case.piece} | {middle} | {spent} | {case.limit:g} {case.unit} |")
    return "\n".join(lines)


def measured(bench: Bench, only: str) -> list[tuple[Case, Figures]]:
    """All cases whose name holds `only`, printed as they come."""
    rows: list[tuple[Case, Figures]] = []

    def found(case: Case, figures: Figures) -> None:
        rows.append((case, figures))
        middle = statistics.median(figures.runs)
        spent = "" if figures.processor is None else f"processor {figures.processor:.3f} ms, "
        print(f"{case.name:18} {middle:8.3f} {case.unit} ({spent}budget {case.limit:g})", flush=True)

    for kind, cases in ((bench.case, CASES), (bench.load, LOADS), (bench.mount, MOUNTS)):
        for case in cases:
            if only in case.name:
                found(case, kind(case))
    for scale in (1, 2) if only in "memory" else ():
        seen, away = bench.memory(scale)
        for label, value, limit in (("in sight", seen, 40.0), ("scrolled away", away, 0.0)):
            words = f"bitmaps of a view {label}, {scale} device pixel(s) a pixel"
            found(Case("memory", words, Piece(4_000, bars=128), "", limit, "MB"), Figures([value]))
    return rows


def main() -> None:
    """Measure, print, and write when asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--runs", type=int, default=12)
    parser.add_argument("--only", default="", help="cases whose name holds this")
    parser.add_argument("--write", action="store_true", help="put the table into docs/benchmarks.md")
    options = parser.parse_args()
    from playwright.sync_api import sync_playwright

    found = os.environ.get("CHROMIUM") or shutil.which("chromium") or "/usr/bin/chromium"
    with sync_playwright() as driver:
        flags = [flag for flag in CHROMIUM_FLAGS if "scale-factor" not in flag]
        browser = driver.chromium.launch(executable_path=found, args=flags)
        version = browser.version
        rows = measured(Bench(browser, options.runs), options.only)
        browser.close()
    words = (
        f"{os.cpu_count()} cores ({platform.machine()}), load {os.getloadavg()[0]:.1f} at the end, "
        f"Chromium {version} without a graphics card; medians of {options.runs} runs."
    )
    if os.getloadavg()[0] > 2 * (os.cpu_count() or 1):
        words += " Other programs shared the cores: the processor times are what to go by."
    text = f"{words}\n\n{table(rows)}"
    print(f"\n{text}")
    if options.write:
        import harness

        harness.write_section(PAGE, "page figures", f"\n{text}\n")


if __name__ == "__main__":
    main()
