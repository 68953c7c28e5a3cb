"""Kills the kernel's side of an edited roll at random moments and counts what is lost.

python tests/page/kills.py --count 100
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent), str(HERE), str(HERE.parent / "widgets")]

import comm  # noqa: E402
import pytest  # noqa: E402
from bridge import RecordingComm  # noqa: E402
from test_kept import lose  # noqa: E402


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--first", type=int, default=0)
    args = parser.parse_args()
    from conftest import CHROMIUM_FLAGS
    from playwright.sync_api import sync_playwright

    comm.create_comm = RecordingComm
    all_made = all_lost = 0
    worst, sessions_with_loss, problems = 0.0, 0, []
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path="/usr/bin/chromium", args=CHROMIUM_FLAGS)
        for seed in range(args.first, args.first + args.count):
            context = browser.new_context(viewport={"width": 1100, "height": 640})
            page = context.new_page()
            page.on("pageerror", lambda error: problems.append(str(error)))
            with pytest.MonkeyPatch.context() as patch:
                made, lost, seconds = lose(page, patch, seed)
            context.close()
            all_made, all_lost = all_made + made, all_lost + lost
            worst, sessions_with_loss = max(worst, seconds), sessions_with_loss + bool(lost)
            if lost or seed % 10 == 9:
                print(f"{seed}: {made} edits, {lost} lost, {seconds:.2f} s", flush=True)
    print(
        f"done: {args.count} kills, {all_made} edits, {all_lost} lost in {sessions_with_loss} of them, "
        f"at most {worst:.2f} s; page errors: {problems}"
    )
    return int(worst > 5 or bool(problems))


if __name__ == "__main__":
    raise SystemExit(main())
