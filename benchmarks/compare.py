"""Ours and the published package, measured side by side in one run, on the same weights and pieces.

    python benchmarks/compare.py --reference-python REFERENCE_ENV/bin/python
    python benchmarks/compare.py --only first_token,outside --models yellow_small --rounds 9
    python benchmarks/compare.py --write            # put the tables into docs/benchmarks.md

The published package needs an environment of its own (`pip install torch "midigpt[inference]==0.4.2"`); its
interpreter may also be named by the environment variable MIDIGPT_REFERENCE_PYTHON. Without it, ours alone is
measured and no ratios are printed. The weights are random numbers in the published sizes; they are made when
first needed and kept in `--folder`.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import harness
import make_weights
import pieces
from harness import Case, Row

PAGE = Path(__file__).parent.parent / "docs" / "benchmarks.md"
BUNDLED = Path(__file__).parent.parent / "midigpt_nb" / "data" / "pocket" / "pocket.safetensors"
MODELS = ("pocket", "yellow_small", "yellow_medium")
PLAIN = {"seed": 1, "density_hard_limit": 8, "novelty_check": False, "max_attempts": 9}


class Bench:
    """The cases, for one folder of weights and pieces."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def weights(self, model: str) -> str:
        """Path of a checkpoint; made when it is not there yet."""
        if model == "pocket":
            return str(BUNDLED)
        path = self._folder / f"{model}.safetensors"
        return str(path if path.exists() else make_weights.write(model, path))

    def piece(self, n_tracks: int, n_bars: int, seed: int = 0) -> str:
        """Path of a MIDI file."""
        return pieces.write(self._folder, n_tracks, n_bars, seed)

    def asked(self, model: str, shape: tuple[int, int], bars: dict[str, list[int]], **more: Any) -> Any:
        """`arguments(round)` for a request: another seed in each round."""
        midi = self.piece(*shape)

        def arguments(i: int) -> dict[str, Any]:
            return self._request(model, midi, bars, {"seed": i + 100, **more})

        return arguments

    def asked_anew(self, model: str, shape: tuple[int, int], bars: dict[str, list[int]], **more: Any) -> Any:
        """The same with another piece in each round, so that no prompt begins like one seen before."""
        return lambda i: self._request(model, self.piece(*shape, i + 100), bars, more)

    def _request(
        self, model: str, midi: str, bars: dict[str, list[int]], more: dict[str, Any]
    ) -> dict[str, Any]:
        return {
            "checkpoint": self.weights(model),
            "midi": midi,
            "bars": bars,
            "config": {**PLAIN, **more},
        }

    # --- tables ---------------------------------------------------------------------------------------

    def files(self) -> Iterator[Case]:
        """Scores and tokens."""
        song, window = self.piece(8, 64), self.piece(8, 8)
        small = self.weights("yellow_small")
        rows = (
            Row("read", "MIDI bytes → score (8 tracks × 64 bars)"),
            Row("objects", "the same, and every note looked at as an object"),
        )
        yield Case("parse", "parse", rows, lambda _: {"midi": song})
        tokens = {"midi": window, "checkpoint": small}
        yield Case(
            "tokenise", "tokenise", [Row("tokenise", "score → tokens (8 tracks × 8 bars)")], lambda _: tokens
        )
        yield Case(
            "attributes",
            "attributes",
            [Row("attributes", "all track attributes (8 tracks × 8 bars)")],
            lambda _: tokens,
        )

    def processes(self) -> Iterator[Case]:
        """Whole processes."""
        rows = (
            Row("package", "import the package"),
            Row("with torch", "import its inference part, torch included"),
        )
        yield Case("import", "start_up", rows, fresh=True)
        for model in ("pocket", "yellow_medium"):
            arguments = self.asked(model, (4, 16), {"1": [4]}, model_dim=8)
            rows = (
                Row("whole process", f"{model}: start, import, load, first token"),
                Row("load", f"{model}: load the weights, first imports included"),
                Row("peak MiB", f"{model}: most memory held", "MiB"),
            )
            yield Case(f"cold {model}", "cold", rows, arguments, fresh=True)

    def engine(self) -> Iterator[Case]:
        """Everything but the network: a model that answers at once stands in for it."""
        at_once = {"model_dim": 8}
        for words, more in (("", {}), (", top-p 0.95", {"top_p": 0.95})):
            arguments = self.asked("yellow_small", (4, 16), {"1": [4]}, **at_once, **more)
            row = Row("loop", f"per token, in the loop{words}", goal=3)
            whole = Row("run", f"per token, whole `run()`{words}", goal=3)
            yield Case(f"outside{words}", "outside_per_token", [row, whole], arguments)
        plan = {str(track): list(range(track, 64, 32)) for track in range(8)}
        rows = (
            Row("session", "8 tracks × 64 bars, 16 one-bar steps: `session()`"),
            Row("run", "the same: `run()`"),
        )
        arguments = self.asked("yellow_small", (8, 64), plan, model_dim=4, density_hard_limit=2)
        yield Case("planning", "outside", rows, arguments)

    def network(self, model: str) -> Iterator[Case]:
        """The network alone."""
        weights = self.weights(model)
        yield Case(
            "prefill",
            "prefill",
            [Row("prefill", "a prompt of 800 tokens")],
            lambda _: {"checkpoint": weights, "tokens": 800},
        )
        for n in (1, 4, 8):
            arguments = {"checkpoint": weights, "context": 800, "rows": n, "steps": 24}
            label = f"per token, {n} sequence{'s' if n > 1 else ''} at once, after 800"
            yield Case(f"decode {n}", "decode", [Row("per token", label)], lambda _, a=arguments: a)

    def requests(self, model: str) -> Iterator[Case]:
        """Whole requests."""
        bar = {"1": [4]}
        yield Case(
            "first_token seen",
            "first_token",
            [Row("first token", "first token, prompt seen before (4 × 16 bars)", goal=15)],
            self.asked(model, (4, 16), bar, model_dim=8),
        )
        for shape in ((4, 16), (8, 64)):
            label = f"first token, new prompt ({shape[0]} × {shape[1]} bars)"
            yield Case(
                f"first_token new {shape[0]}",
                "first_token",
                [Row("first token", label, goal=1.5)],
                self.asked_anew(model, shape, bar, model_dim=8),
            )
        rows = (
            Row("infill", "4 bars, bar by bar (4 × 16 bars)", goal=1.5),
            Row("per token", "the same, per token written"),
        )
        bars = {"1": [4, 5, 6, 7]}
        yield Case("infill", "infill", rows, self.asked(model, (4, 16), bars))
        for n in (1, 4, 8):
            label = f"{n} take{'s' if n > 1 else ''} of one bar, per token written"
            yield Case(
                f"takes {n}",
                "takes",
                [Row("per token", label)],
                self.asked_anew(model, (4, 16), bar, model_dim=8, num_candidates=n),
            )

    def sections(self, models: list[str]) -> Iterator[tuple[str, list[Case]]]:
        """Titles and cases, in the order of the page."""
        yield "Files and tokens", list(self.files())
        yield "Processes", list(self.processes())
        yield "Outside the network", list(self.engine())
        for model in models:
            yield f"The network: {model}", list(self.network(model))
            yield f"Requests: {model}", list(self.requests(model))


def wanted(case: Case, section: str, only: str) -> bool:
    """Whether a case was asked for by a part of its name or its section's."""
    parts = [part for part in only.split(",") if part]
    return not parts or any(part in case.name or part in section for part in parts)


def parsed() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--reference-python", default=os.environ.get("MIDIGPT_REFERENCE_PYTHON"))
    parser.add_argument("--models", default=",".join(MODELS), help=f"of {', '.join(MODELS)}, tiny")
    parser.add_argument("--only", default="", help="parts of names, separated by commas")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument(
        "--clock", choices=("wall", "cpu"), default="wall", help="cpu: for machines that are busy otherwise"
    )
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "midigpt-nb-bench")
    parser.add_argument("--write", action="store_true", help="put the tables into docs/benchmarks.md")
    return parser.parse_args()


def main() -> None:
    """Measure, print, and write when asked."""
    options = parsed()
    options.folder.mkdir(parents=True, exist_ok=True)
    pythons = {"ours": sys.executable}
    if options.reference_python:
        pythons["reference"] = options.reference_python
    sides = [harness.Side(name, python, options.threads, options.clock) for name, python in pythons.items()]
    versions = [side.ask("set_up", {"threads": options.threads}) for side in sides]
    text = []
    for title, cases in Bench(options.folder).sections(options.models.split(",")):
        chosen = [case for case in cases if wanted(case, title, options.only)]
        if not chosen:
            continue
        results = [row for case in chosen for row in harness.measure(case, sides, options.rounds, progress)]
        text.append(f"### {title}\n\n{harness.table(results, list(pythons))}")
        print(f"\r{'':60}\r\n{text[-1]}", flush=True)
    for side in sides:
        side.close()
    names = [v["package"] for v in versions] + [f"torch {versions[0]['torch']}"]
    text.insert(0, harness.machine(options.threads, names, options.rounds, options.clock))
    print(f"\n{text[0]}")
    if options.write:
        harness.write_section(PAGE, "figures", "\n\n".join(["", *text, ""]))


def progress(words: str) -> None:
    """A line that is overwritten by the next."""
    if sys.stderr.isatty():
        print(f"\r{words:60}", end="", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
