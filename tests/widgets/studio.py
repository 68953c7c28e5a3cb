"""A roll on a page as a person meets it (`Seen`), and the notebook around it (`Studio`)."""

from __future__ import annotations

import ast
import json
from pathlib import Path
from typing import Any

from lab import Lab, eventually, set_theme, watch

LISTEN = """el => { const heard = window.mgnbHeard = [];
  const look = () => { const s = el.mgnb.state();
    heard.push([performance.now(), s.playing, s.position, s.job?.provisional ?? 0]); };
  look();
  window.mgnbListening = setInterval(look, 20); }"""
HEARD = "() => { clearInterval(window.mgnbListening); return window.mgnbHeard; }"

SCREENSHOTS = Path(__file__).parents[2] / "build" / "screenshots"


class Seen:
    """One roll on a page: where its bars are, its buttons, what it says it shows."""

    def __init__(self, page: Any, root: Any) -> None:
        self.page, self.root = page, root

    def call(self, expression: str, *args: Any) -> Any:
        """Evaluates ``(mgnb, ...args) => expression`` with the handle that the page has for tests."""
        return self.root.evaluate(f"(el, args) => ({expression})(el.mgnb, ...args)", list(args))

    def state(self) -> dict[str, Any]:
        """What the page itself says it shows."""
        return self.call("mgnb => mgnb.state()")

    def theme(self) -> str:
        """Light or dark, from the background that is really there."""
        colour = self.root.evaluate("el => getComputedStyle(el).backgroundColor")
        channels = [float(part) for part in colour[colour.index("(") + 1 : -1].split(",")[:3]]
        return "light" if sum(channels) / 3 > 127 else "dark"

    def bar(self, track: int, bar: int) -> tuple[float, float]:
        """Middle of a cell on the screen."""
        r = self.call("(mgnb, t, b) => mgnb.barRect(t, b)", track, bar)
        return r["x"] + r["w"] / 2, r["y"] + r["h"] / 2

    def drag(self, start: tuple[int, int], end: tuple[int, int], key: str = "") -> None:
        """Drag over bars, from (track, bar) to (track, bar)."""
        self.stroke([self.bar(*start), self.bar(*end)], key)

    def lane_point(self, name: str, bar: int, level: int) -> tuple[float, float]:
        """Where in an attribute's lane a level of a bar is."""
        at = self.call("(mgnb, n, b, l) => mgnb.lanePoint(n, b, l)", name, bar, level)
        return at["x"], at["y"]

    def draw(self, name: str, levels: dict[int, int]) -> None:
        """Draw a curve with the mouse: a level for each bar."""
        self.stroke([self.lane_point(name, bar, level) for bar, level in levels.items()], steps=1)

    def stroke(self, points: list[tuple[float, float]], key: str = "", steps: int = 6) -> None:
        """Press at the first point, move through the others, let go."""
        mouse = self.page.mouse
        mouse.move(*points[0])
        if key:
            self.page.keyboard.down(key)
        mouse.down()
        for point in points[1:]:
            mouse.move(*point, steps=steps)
        mouse.up()
        if key:
            self.page.keyboard.up(key)

    def button(self, name: str) -> Any:
        return self.root.get_by_test_id(f"mgnb-{name}")

    def choose(self, name: str, value: object = None) -> None:
        """Press a button of the toolbar, or choose its value; from the last menu where it has no room."""
        control = self.button(name)
        if control.is_visible():
            control.click() if value is None else control.select_option(str(value))
            return
        self.button("more").click()
        self.button(f"{name}-more").click()
        if value is not None:
            self.button(f"{name}-more-{value}").click()

    def press(self, *keys: str) -> None:
        """Keys, one after the other, into whatever has the focus."""
        for key in keys:
            self.page.keyboard.press(key)

    def focus(self) -> None:
        """Into the bars, so that keys go there."""
        self.root.locator(".mgnb-surface").focus()

    def focused(self) -> str:
        """What the focused element calls itself."""
        return self.root.evaluate(
            """el => { const a = el.getRootNode().activeElement;
            const cell = a?.getAttribute('aria-activedescendant');
            const on = cell ? el.querySelector('#' + cell) : a;
            return on?.getAttribute('aria-label') || on?.textContent || on?.className || ''; }"""
        )

    def listen(self) -> None:
        """Begin to note, every 20 ms: time (ms), playing, position (ticks), notes that have arrived."""
        self.root.evaluate(LISTEN)

    def heard(self) -> list[list[Any]]:
        """What was noted since `listen`."""
        return self.page.evaluate(HEARD)

    def shot(self, name: str) -> Path:
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        path = SCREENSHOTS / f"{name}.png"
        self.page.screenshot(path=path)
        return path


class Studio(Seen):
    """The notebook as a person has it open, and its kernel. `name`: the variable that holds the roll."""

    def __init__(self, page: Any, lab: Lab, notebook: str, name: str = "editor", nth: int = 0) -> None:
        super().__init__(page, page.get_by_test_id("mgnb-roll").nth(nth))
        self.lab, self.notebook, self.name = lab, notebook, name
        self.client = lab.client(notebook)

    def eval(self, expression: str) -> Any:
        """An expression's value in the notebook's kernel."""
        return self.run("", expression)

    def run(self, code: str, expression: str = "None") -> Any:
        """Run code in the notebook's kernel, beside its cells; then the value of an expression."""
        message = self.client.execute_interactive(
            f"import json as _j\n{code}",
            user_expressions={"x": f"_j.dumps({expression})"},
            store_history=False,
            timeout=60,
            output_hook=lambda _message: None,
        )
        assert message["content"]["status"] == "ok", message["content"]
        value = message["content"]["user_expressions"]["x"]
        assert value["status"] == "ok", value
        return json.loads(ast.literal_eval(value["data"]["text/plain"]))

    def has_helper_threads(self) -> bool:
        """Whether messages are answered while a cell runs (ipykernel 7 and JupyterLab 4.4 or later)."""
        kernel = "window.jupyterapp.shell.currentWidget.sessionContext.session.kernel"
        return bool(self.page.evaluate(f"() => {kernel}.supportsSubshells === true"))

    def select_in_page(self, cells: list[list[int]]) -> None:
        self.run(f"{self.name}.selection = {{'cells': {cells}}}")
        eventually(lambda: self.state()["selection"], cells)

    def reset(self) -> None:
        """Back to the untouched `score`, nothing selected, nothing running."""
        me = self.name
        self.run(
            f"{me}.cancel()\n{me}.score = score\n{me}.select([], [])\n{me}.attributes = {{}}\n"
            f"{me}.sampling = {{}}\n{me}.loop = []\n{me}.error = None"
        )
        eventually(lambda: self.state()["running"], False, 30)
        eventually(lambda: self.state()["selection"], [])

    def both_themes(self, name: str) -> None:
        """Photograph the page in JupyterLab's light and dark theme."""
        self.shot(f"{name}-light")
        set_theme(self.page, "JupyterLab Dark")
        try:
            eventually(self.theme, "dark")
            self.shot(f"{name}-dark")
        finally:
            set_theme(self.page, "JupyterLab Light")
            eventually(self.theme, "light")

    def close(self) -> None:
        self.client.stop_channels()


def watched_page(chromium: Any, width: int = 1280, height: int = 1000) -> Any:
    """A fresh tab whose `page_errors` collects uncaught errors and requests that leave the machine."""
    context = chromium.new_context(viewport={"width": width, "height": height}, locale="en-US")
    context.set_default_timeout(60_000)
    page = context.new_page()
    watch(page)
    return page


RUN_CELL = """([i, wait]) => {
  const notebook = window.jupyterapp.shell.currentWidget.content;
  notebook.activeCellIndex = i;
  notebook.deselectAll();
  const done = window.jupyterapp.commands.execute('notebook:run-cell').then(() => true);
  return wait ? done : true;
}"""


def run_cell(page: Any, index: int, wait: bool = True) -> None:
    """Run one cell of the open notebook, and mostly wait for its end."""
    page.evaluate(RUN_CELL, [index, wait])


def add_cell(page: Any, source: str) -> int:
    """A new cell at the notebook's end with this text, as if typed; its number."""
    return page.evaluate(
        """async source => {
          const notebook = window.jupyterapp.shell.currentWidget.content;
          notebook.activeCellIndex = notebook.widgets.length - 1;
          await window.jupyterapp.commands.execute('notebook:insert-cell-below');
          const i = notebook.activeCellIndex;
          notebook.model.cells.get(i).sharedModel.setSource(source);
          return i;
        }""",
        source,
    )


def cell_output(page: Any, index: int) -> str:
    """A cell's outputs as JSON text."""
    return page.evaluate(
        """(i) => { const cell = window.jupyterapp.shell.currentWidget.model.cells.get(i);
        return JSON.stringify(cell.toJSON().outputs); }""",
        index,
    )


def rank_correlation(x: list[float], y: list[float]) -> float:
    """Spearman's; ties share their rank."""
    import numpy as np

    def ranks(values: list[float]) -> Any:
        a = np.asarray(values, float)
        return np.array([(a < v).sum() + ((a == v).sum() - 1) / 2 for v in a])

    return float(np.corrcoef(ranks(x), ranks(y))[0, 1])
