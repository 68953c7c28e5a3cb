"""How fast the engine is: import, load, time to the first note, tokens per second, four finished bars.

    python benchmarks/bench_engine.py                       # bundled model, bundled piece
    python benchmarks/bench_engine.py --midi song.mid --runs 9
    python benchmarks/bench_engine.py --checkpoint model.safetensors

Prints a table. Times are medians over the runs, wall clock; CPU seconds stand beside them, so that a busy
machine can be told from a slow one.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable

IMPORTS = ("midigpt_nb", "midigpt_nb.inference", "torch")


def timed(work: Callable[[], object]) -> tuple[float, float, object]:
    """Wall seconds, CPU seconds and result."""
    wall, cpu = time.perf_counter(), time.process_time()
    result = work()
    return time.perf_counter() - wall, time.process_time() - cpu, result


def import_seconds(name: str) -> float:
    """A fresh interpreter that imports one module, less an empty one."""

    def run(code: str) -> float:
        return min(
            timed(lambda: subprocess.run([sys.executable, "-c", code], check=True))[0] for _ in range(3)
        )

    return max(0.0, run(f"import {name}") - run("pass"))


def one_run(engine, score, cells, seed: int) -> dict[str, float]:
    """Rewrite the cells once; seconds until the first note, the first bar and the end."""
    from midigpt_nb.inference import GenerationRequest
    from midigpt_nb.inference import events as ev

    request = GenerationRequest.from_selection(cells, seed=seed, model_dim=8, bars_per_step="auto")
    began, cpu = time.perf_counter(), time.process_time()
    session = engine.session(score, request)
    marks: dict[str, float] = {"planned": time.perf_counter() - began}
    for event in session.stream():
        now = time.perf_counter() - began
        if isinstance(event, ev.NotesArrived):
            marks.setdefault("first note", now)
        elif isinstance(event, ev.BarFinished):
            marks.setdefault("first bar", now)
    marks["all bars"] = time.perf_counter() - began
    marks["cpu"] = time.process_time() - cpu
    marks["tokens"] = session.gen_count
    writing = marks["all bars"] - marks.get("first note", 0.0)
    marks["tokens a second"] = session.gen_count / writing if writing > 0 else 0.0
    return marks


def outside_the_model(engine, score, cells) -> float:
    """Seconds per token of everything but the network: a backend that answers at once stands in for it."""
    from midigpt_nb.inference import GenerationRequest, InferenceEngine
    from midigpt_nb.inference.backends.scripted import ScriptedBackend

    fast = InferenceEngine(ScriptedBackend(engine.backend.vocab_size), engine.tokenizer)
    request = GenerationRequest.from_selection(
        cells, seed=1, model_dim=8, bars_per_step="auto", density_hard_limit=40, novelty_check=False
    )
    session = fast.session(score, request)
    wall, _, _ = timed(session.run)
    return wall / session.gen_count


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--midi", help="a MIDI file instead of the bundled piece")
    parser.add_argument("--checkpoint", help="a model file instead of the bundled one")
    parser.add_argument("--track", type=int, default=1)
    parser.add_argument("--bars", type=int, default=4)
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()

    rows: list[tuple[str, str]] = [(f"import {name}", f"{import_seconds(name):.2f} s") for name in IMPORTS]
    from midigpt_nb import Score
    from midigpt_nb.inference import InferenceEngine

    score = Score.from_midi(options.midi) if options.midi else Score.example()
    load = InferenceEngine.from_checkpoint if options.checkpoint else InferenceEngine.from_pretrained
    argument = (options.checkpoint,) if options.checkpoint else ()
    first, _, engine = timed(lambda: load(*argument))
    again, _, engine = timed(lambda: load(*argument))
    rows += [("load, torch included", f"{first:.2f} s"), ("load again", f"{again:.2f} s")]
    start = min(4, max(0, score.n_bars - options.bars))
    cells = [(options.track, bar) for bar in range(start, start + options.bars)]
    one_run(engine, score, cells, seed=0)
    runs = [one_run(engine, score, cells, seed) for seed in range(1, options.runs + 1)]

    def median(key: str) -> float:
        return statistics.median(run[key] for run in runs if key in run)

    rows += [
        ("request checked and planned", f"{1000 * median('planned'):.1f} ms"),
        ("first note", f"{median('first note'):.2f} s"),
        ("first bar", f"{median('first bar'):.2f} s"),
        (f"{options.bars} bars", f"{median('all bars'):.2f} s (CPU {median('cpu'):.2f} s)"),
        ("tokens", f"{median('tokens'):.0f}"),
        ("tokens a second, after the first note", f"{median('tokens a second'):.0f}"),
        ("outside the model, per token", f"{1e6 * outside_the_model(engine, score, cells):.0f} µs"),
    ]
    import torch

    print(f"{engine}, {engine.backend.n_parameters / 1e6:.2f} M parameters, {engine.backend.device}")
    print(
        f"{score}; bars {start} to {start + options.bars - 1} of track {options.track}; {options.runs} runs"
    )
    versions = f"Python {platform.python_version()}, torch {torch.__version__}"
    print(f"{platform.machine()}, {os.cpu_count()} cores, {versions}")
    width = max(len(name) for name, _ in rows)
    for name, value in rows:
        print(f"  {name:<{width}}  {value}")


if __name__ == "__main__":
    main()
