"""Random editing sessions: a page (or several) and the kernel change the same piece, over a bad wire.

    python tests/page/sessions.py --count 200        the long run; the suite has a few of them
    python tests/page/sessions.py --seed 17          one session again

At the end of each, every page shows what the kernel holds, note for note, and every edit was carried out once
or was refused in words.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent), str(HERE), str(HERE.parent / "widgets")]

from bridge import Bridge  # noqa: E402

from midigpt_nb import InfillEditor, Score  # noqa: E402
from midigpt_nb.errors import MidiGPTError  # noqa: E402

DENSITY = "bar_note_density"
STRUCTURE: list[dict[str, Any]] = [
    {"op": "track_add", "program": 73, "name": "Flute"},
    {"op": "track_duplicate", "track": 1},
    {"op": "track_move", "track": 0, "to": 1},
    {"op": "track_set", "track": 1, "name": "Renamed", "program": 38},
    {"op": "bars_insert", "at": 2, "count": 1},
    {"op": "bars_duplicate", "first": 1, "count": 2},
    {"op": "bars_delete", "first": 3, "count": 1},
    {"op": "tempo_set", "bpm": 101},
    {"op": "metre_set", "first": 1, "count": 1, "metre": [3, 4]},
]


class Session:
    """One session. `log` has what was done, in words."""

    def __init__(self, page: Any, seed: int, engine: Any, *, steps: int = 40, loss: float = 0.1) -> None:
        self.seed, self.rng, self.steps = seed, random.Random(seed), steps
        self.editor = InfillEditor(Score.example(), engine)
        self.log: list[str] = []
        self.asked: set[int] = set()  # ids of notes that pages made
        self.done: set[int] = set()  # those the kernel carried out
        self.drawn: Counter[int] = Counter()  # how often it drew them
        self.refused: set[int] = set()
        self.shared = False  # whether there ever was a second page
        self._watch()
        self.bridge = Bridge(page, self.editor, seed=seed, loss=loss, throttled=seed % 2 == 1)
        self.bridge.open()

    def _watch(self) -> None:
        """Note which of the pages' notes are carried out, and which are refused."""
        edit = self.editor._document.edit

        def watched(ops: Any, records: Any, label: str, *args: Any, **kwargs: Any) -> None:
            ids = [int(note) for note in records["id"] if note >= 1 << 31]
            known = {int(note) for note in self.editor._document.state.ids}
            fresh = [note for note in ids if note not in known]
            try:
                edit(ops, records, label, *args, **kwargs)
            except Exception:
                self.refused.update(fresh)
                raise
            self.done.update(fresh)
            if label == "Draw":  # one that is moved after its drawing was undone elsewhere comes back by that
                self.drawn.update(fresh)

        self.editor._document.edit = watched  # type: ignore[method-assign]

    # ------------------------------------------------------------------------------------------- what is done

    def run(self) -> None:
        acts = {
            "edit": 30, "draw": 12, "erase": 8, "nudges": 6, "structure": 6, "undo": 8, "redo": 5,
            "kernel_edit": 6, "kernel_undo": 3, "generate": 8, "takes": 5, "choose": 5, "cancel": 4,
            "reload": 2, "second_tab": 2, "second_view": 2, "close_tab": 1, "select": 6, "wait": 8,
            "wish": 6, "kernel_wish": 1,
        }  # fmt: skip
        names, weights = list(acts), list(acts.values())
        for _ in range(self.steps):
            name = self.rng.choices(names, weights)[0]
            tab = self.rng.choice(self.bridge.tabs)
            self.log.append(f"{name} {tab}")
            getattr(self, f"_{name}")(tab)
            for _ in range(self.rng.randint(0, 3)):
                self.bridge.pump()
        self.bridge.settle()
        if self.editor.takes:  # a page with open takes shows one of them
            assert all(
                len(self.bridge.trait(tab, "takes")) == len(self.editor.takes) for tab in self.bridge.tabs
            )
            self.editor.discard()
            self.bridge.run(0.1)
            self.bridge.settle()

    def _some(self, tab: int, count: int) -> list[list[int]]:
        rows = self.bridge.rows(tab)
        return self.rng.sample(rows, min(count, len(rows)))

    def _put(self, tab: int, label: str, remove: list[int], rows: list[list[int]]) -> None:
        ids = self.bridge.js(tab, "handle.put(...args)", label, remove, rows)
        self.asked.update(i for i, row in zip(ids, rows, strict=True) if row[0] == 0)

    def _edit(self, tab: int) -> None:
        rows = self._some(tab, self.rng.randint(1, 5))
        changed = [
            [i, t, o, d, max(0, min(127, p + self.rng.randint(-3, 3))), v] for i, t, o, d, p, v in rows
        ]
        self._put(tab, "Move", [], changed)

    def _draw(self, tab: int) -> None:
        tracks = self.editor.score.n_tracks
        rows = [
            [0, self.rng.randrange(tracks), self.rng.randrange(12_000), 240, self.rng.randint(40, 80), 90]
        ]
        self._put(tab, "Draw", [], rows)

    def _erase(self, tab: int) -> None:
        self._put(tab, "Erase", [row[0] for row in self._some(tab, 3)], [])

    def _nudges(self, tab: int) -> None:
        for _ in range(4):
            self._edit(tab)

    def _structure(self, tab: int) -> None:
        self.bridge.js(tab, "handle.edit(args[0])", self.rng.choice(STRUCTURE))

    def _undo(self, tab: int) -> None:
        self.bridge.click(tab, "mgnb-undo")

    def _redo(self, tab: int) -> None:
        self.bridge.click(tab, "mgnb-redo")

    def _wish(self, tab: int) -> None:
        n_bars = min(self.editor.score.n_bars, 12)
        first = self.rng.randrange(n_bars)
        for _ in range(self.rng.randint(1, 3)):
            levels = [self.rng.choice([None, *range(10)]) for _ in range(first, n_bars)]
            self.bridge.js(tab, "handle.wish(...args)", DENSITY, 1, first, levels)

    def _kernel_wish(self, _tab: int) -> None:
        self.editor.set_curve(DENSITY, 0, 0, self.rng.randrange(10))

    def _kernel_edit(self, _tab: int) -> None:
        score = self.editor.score
        try:
            self.editor.score = score.transpose(self.rng.choice([-1, 1]), tracks=[0])
        except (MidiGPTError, TypeError, ValueError):
            return

    def _kernel_undo(self, _tab: int) -> None:
        (self.editor.undo if self.rng.random() < 0.6 else self.editor.redo)()

    def _select(self, tab: int) -> None:
        track, bar = self.rng.randrange(4), self.rng.randrange(12)
        cells = [[track, bar + i] for i in range(self.rng.randint(1, 3))]
        self.bridge.js(tab, "handle.select(args[0])", cells)

    def _generate(self, tab: int) -> None:
        self._select(tab)
        self.bridge.run(0.02)
        self.bridge.click(tab, "mgnb-generate")

    def _takes(self, tab: int) -> None:
        self.editor.n_takes = self.rng.randint(2, 3)
        self._generate(tab)
        self.bridge.run(0.3)
        self.editor.n_takes = 1

    def _choose(self, tab: int) -> None:
        if self.rng.random() < 0.5:
            self.bridge.click(tab, f"mgnb-take-{self.rng.randint(1, 3)}")
        self.bridge.click(tab, self.rng.choice(["mgnb-take-accept", "mgnb-take-accept", "mgnb-take-discard"]))

    def _cancel(self, tab: int) -> None:
        if not self.bridge.click(tab, "mgnb-stop") and self.rng.random() < 0.5:
            self.editor.cancel()

    def _said(self, tab: int) -> None:
        """Wait until all that a page said was answered: what was lost on its way only it can repeat."""
        only_jobs = "handle.waits().every(what => what.startsWith('job'))"
        self.bridge.until(lambda: self.bridge.js(tab, only_jobs), 60, f"tab {tab} waits")

    def _reload(self, tab: int) -> None:
        self._said(tab)
        self.bridge.close(tab)
        self.bridge.open()

    def _second_tab(self, _tab: int) -> None:
        if len(self.bridge.tabs) < 3:
            self.shared = True
            self.bridge.open()

    def _close_tab(self, tab: int) -> None:
        if len(self.bridge.tabs) > 1:
            self._said(tab)
            self.bridge.close(tab)

    def _second_view(self, tab: int) -> None:
        if self.rng.random() < 0.5:
            self.bridge.page.evaluate("tab => bridge.view(tab)", tab)
        elif (
            self.bridge.page.evaluate(
                "tab => bridge.root(tab) && document.querySelectorAll('.mgnb-root').length", tab
            )
            > 1
        ):
            self.bridge.page.evaluate("tab => { if (bridge.views(tab) > 1) bridge.closeView(tab) }", tab)

    def _wait(self, _tab: int) -> None:
        self.bridge.run(self.rng.choice([0.01, 0.1, 0.4]))

    # ---------------------------------------------------------------------------------------------- the end

    def check(self) -> None:
        want = self.bridge.kernel_rows()
        for tab in self.bridge.tabs:
            assert self.bridge.rows(tab) == want, f"tab {tab} shows other notes than the kernel holds"
            # What one page sets is not echoed to others, so that a slow kernel does not undo what is drawn.
            own = () if self.shared else ("active_take", "selection", "comp")
            for name in ("can_undo", "can_redo", "status", "attributes", *own):
                shown, held = self.bridge.trait(tab, name), getattr(self.editor, name)
                assert shown == held, f"tab {tab}: {name} is {shown}, the kernel has {held}"
            assert len(self.bridge.trait(tab, "takes")) == len(self.editor.takes)
        lost = self.asked - self.done - self.refused
        assert not lost, f"notes that nobody knows of: {lost}"
        twice = [note for note, count in self.drawn.items() if count > 1]
        assert not twice, f"carried out more than once: {twice}"
        ids = [row[0] for row in want]
        assert len(set(ids)) == len(ids), "two notes with one identity"

    def end(self) -> None:
        for tab in list(self.bridge.tabs):
            self.bridge.close(tab)
        self.editor.close()


def play(page: Any, seed: int, engine: Any, errors: list[str], **options: Any) -> Session:
    """One session from beginning to end; raises AssertionError with its story."""
    errors.clear()
    session = Session(page, seed, engine, **options)
    try:
        session.run()
        session.check()
        assert errors == [], errors
    except AssertionError as problem:
        raise AssertionError(f"session {seed}: {problem}\n{' | '.join(session.log)}") from problem
    finally:
        session.end()
    return session


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--seed", type=int)
    parser.add_argument("--steps", type=int, default=40)
    args = parser.parse_args()
    import comm
    from fakes import RecordingComm
    from playwright.sync_api import sync_playwright

    from midigpt_nb.inference import InferenceEngine

    comm.create_comm = RecordingComm
    engine = InferenceEngine.from_pretrained()
    from conftest import CHROMIUM_FLAGS

    seeds = [args.seed] if args.seed is not None else range(args.first, args.first + args.count)
    failed, began, tally = [], time.monotonic(), Counter[str]()
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path="/usr/bin/chromium", args=CHROMIUM_FLAGS)
        for seed in seeds:
            context = browser.new_context(viewport={"width": 1240, "height": 900})
            page, errors = context.new_page(), []
            page.on("pageerror", lambda error, errors=errors: errors.append(str(error)))
            page.on("console", lambda m, errors=errors: errors.append(m.text) if m.type == "error" else None)
            try:
                session = play(page, seed, engine, errors, steps=args.steps)
                b = session.bridge
                tally.update(messages=b.messages, lost=b.lost, doubled=b.doubled, delayed=b.delayed,
                             notes=len(session.asked), refused=len(session.refused))  # fmt: skip
            except Exception as problem:  # the next seed all the same
                failed.append(seed)
                print(f"FAILED {seed}: {problem}", flush=True)
            context.close()
            if seed % 10 == 9:
                print(
                    f"{seed + 1} sessions, {time.monotonic() - began:.0f} s, failed {failed}, {dict(tally)}",
                    flush=True,
                )
    print(f"done: {len(list(seeds))} sessions, {len(failed)} failed {failed}, {dict(tally)}")
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
