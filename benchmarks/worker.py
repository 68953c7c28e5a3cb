"""One side of a comparison: a process that runs named measurements and answers with figures.

    python worker.py ours          (in an environment with midigpt_nb)
    python worker.py reference     (in an environment with the published package)

Reads one JSON object a line, `{"do": name, "with": {...}}`, from standard input; writes one a line:
`{"figures": {...}}` or `{"error": text}`. The measurements are the public functions of `side_ours.py` and
`side_reference.py`, equal in name and arguments. With BENCH_CLOCK=cpu in the environment, seconds of the
processor are counted instead of those of the clock on the wall.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import time
import traceback

CPU = os.environ.get("BENCH_CLOCK") == "cpu"
STARTED = 0.0 if CPU else time.perf_counter()


def main() -> None:
    """Answer until standard input ends."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # whatever a package prints must not end up among the answers
    side = importlib.import_module(f"side_{sys.argv[1]}")
    if CPU:
        side.clock = time.process_time
    if len(sys.argv) > 2:  # one measurement, given on the command line: for processes started cold
        figures = getattr(side, sys.argv[2])(**json.loads(sys.argv[3]))
        figures["whole process"] = side.clock() - STARTED
        print(json.dumps({"figures": figures}), file=answers, flush=True)
        return
    for line in sys.stdin:
        order = json.loads(line)
        try:
            answer = {"figures": getattr(side, order["do"])(**order["with"])}
        except Exception:  # reported to the command that asked, which stops there
            answer = {"error": traceback.format_exc()}
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main()
