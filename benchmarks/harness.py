"""Two programs measured in one run, in turn: the workers, the rounds, the medians and the table.

The two sides are processes of their own (`worker.py`), each in its own environment. They never work at the
same time: in every round each side does the measurement once, the side that begins changing from round to
round, so that a machine that gets slower or busier on the way hits both. A ratio is taken within each round;
the median of the ratios is what counts.
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

WORKER = Path(__file__).parent / "worker.py"
Figures = dict[str, float]


@dataclass(frozen=True)
class Row:
    """A line of the table: which figure of a measurement, in words; `goal` is the least ratio wished for."""

    figure: str
    label: str
    unit: str = "ms"
    goal: float | None = None


@dataclass(frozen=True)
class Case:
    """A measurement. `arguments(round)` may differ from round to round; `fresh` starts a process for each."""

    name: str
    do: str
    rows: Sequence[Row]
    arguments: Callable[[int], dict[str, Any]] = lambda _: {}
    fresh: bool = False


@dataclass
class Result:
    """One finished row: the figures of each side, round by round."""

    row: Row
    sides: dict[str, list[float]] = field(default_factory=dict)

    def median(self, side: str) -> float:
        return statistics.median(self.sides[side])

    @property
    def ratios(self) -> list[float]:
        """Reference by ours, round by round: how many times less ours needs."""
        ours, reference = self.sides["ours"], self.sides.get("reference", [])
        return [r / o for o, r in zip(ours, reference, strict=False)]


class Side:
    """A worker process: ask it, and it answers."""

    def __init__(self, name: str, python: str, threads: int, clock: str = "wall") -> None:
        self.name, self._python = name, python
        # Said in words, for interpreters that do not look beside the script.
        folder = str(Path(WORKER).parent)
        paths = [folder, *filter(None, [os.environ.get("PYTHONPATH")])]
        self._env = {
            **os.environ,
            "OMP_NUM_THREADS": str(threads),
            "MKL_NUM_THREADS": str(threads),
            "PYTHONPATH": os.pathsep.join(paths),
            "BENCH_CLOCK": clock,
        }
        self._process = subprocess.Popen(
            [python, WORKER, name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=self._env,
        )

    def ask(self, do: str, arguments: Mapping[str, Any]) -> Any:
        """Have something measured. Raises RuntimeError with the worker's own words when it cannot."""
        assert self._process.stdin is not None and self._process.stdout is not None
        try:
            print(json.dumps({"do": do, "with": arguments}), file=self._process.stdin, flush=True)
            line = self._process.stdout.readline()
        except BrokenPipeError:
            line = ""
        return self._figures(do, line)

    def ask_fresh(self, do: str, arguments: Mapping[str, Any]) -> Any:
        """The same in a process that is started for it and ends with it."""
        command = [self._python, WORKER, self.name, do, json.dumps(dict(arguments))]
        done = subprocess.run(command, capture_output=True, text=True, env=self._env, check=False)
        return self._figures(do, done.stdout, done.stderr)

    def _figures(self, do: str, line: str, errors: str = "") -> Any:
        answer = json.loads(line) if line.strip() else {"error": errors or "the process ended"}
        if "error" in answer:
            raise RuntimeError(f"{self.name} could not measure {do!r}:\n{answer['error']}")
        return answer["figures"]

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(timeout=60)


def measure(
    case: Case, sides: Sequence[Side], rounds: int, told: Callable[[str], None] = lambda _: None
) -> list[Result]:
    """All rows of a case: one round that does not count, then `rounds` that do."""
    results = [Result(row, {side.name: [] for side in sides}) for row in case.rows]
    for i in range(-1, rounds):
        for side in sides if i % 2 else list(reversed(sides)):
            ask = side.ask_fresh if case.fresh else side.ask
            figures = ask(case.do, case.arguments(i))
            told(f"{case.name} {i + 1}/{rounds} {side.name}")
            for result in results if i >= 0 else ():
                result.sides[side.name].append(float(figures[result.row.figure]))
    return results


# --- words --------------------------------------------------------------------------------------------


def spelled(value: float, unit: str) -> str:
    """A figure with its unit; seconds are given as s, ms or µs.

    >>> spelled(0.0123, "ms"), spelled(250.4, "MiB")
    ('12.3 ms', '250 MiB')
    """
    if unit != "ms":
        return f"{value:.0f} {unit}"
    for factor, name in ((1, "s"), (1e3, "ms")):
        if value * factor >= 1:
            return f"{_three(value * factor)} {name}"
    return f"{_three(value * 1e6)} µs"


def _three(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def table(results: Sequence[Result], sides: Sequence[str]) -> str:
    """Results as a Markdown table."""
    names = {"ours": "midigpt-nb", "reference": "midigpt 0.4.2"}
    two = len(sides) > 1
    head = ["what", *(names[s] for s in sides), *(["times less", "from … to", "wished"] if two else [])]
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    for result in results:
        cells = [result.row.label, *(spelled(result.median(s), result.row.unit) for s in sides)]
        if two:
            ratios = result.ratios
            goal = "" if result.row.goal is None else f"{result.row.goal:g}"
            cells += [
                f"**{statistics.median(ratios):.2f}**",
                f"{min(ratios):.2f} … {max(ratios):.2f}",
                goal,
            ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def machine(threads: int, versions: Sequence[str], rounds: int, clock: str = "wall") -> str:
    """One sentence about what this was measured on."""
    flags = ""
    if (info := Path("/proc/cpuinfo")).exists():
        known = next((line for line in info.read_text().splitlines() if line.startswith("flags")), "")
        flags = ", ".join(
            name.upper() for name in ("avx2", "avx512f", "avx512_bf16", "amx_bf16") if name in known.split()
        )
    load = os.getloadavg()[0]
    return (
        f"{os.cpu_count()} cores ({platform.machine()}{': ' + flags if flags else ''}), "
        f"{threads} thread{'s' if threads > 1 else ''}, load {load:.1f} at the end, "
        f"Python {platform.python_version()}, {', '.join(versions)}; medians of {rounds} rounds, "
        f"{'seconds of the processor' if clock == 'cpu' else 'wall clock'}."
    )


def write_section(page: Path, name: str, text: str) -> None:
    """Put `text` between the page's comments `<!-- name -->` and `<!-- end of name -->`."""
    start, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
    content = page.read_text(encoding="utf-8")
    if start not in content or end not in content:
        raise ValueError(f"{page.name} has no section between {start} and {end}")
    before, rest = content.split(start, 1)
    after = rest.split(end, 1)[1]
    page.write_text(f"{before}{start}\n{text}\n{end}{after}", encoding="utf-8")
