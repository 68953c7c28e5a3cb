"""Takes as a kernel offers them: what is in them, and opening them on a page."""

from __future__ import annotations

from typing import Any

from harness import BAR, Roll, Row, b64, records

CELLS = [[1, bar] for bar in range(4, 8)]
BASS = [40, 43, 45, 47, 48, 50, 52, 53]


def take_rows(number: int) -> list[Row]:
    """A bass line of its own for each take."""
    step = (240, 480, 960, 160)[number % 4]
    return [
        (1, bar * BAR + k * step, step - 20, BASS[(bar * 3 + k * (number + 1)) % 8], 90 - number * 9)
        for bar in range(4, 8)
        for k in range(BAR // step)
    ]


def facts(number: int, **changes: Any) -> dict[str, Any]:
    rows = take_rows(number)
    return {
        "id": f"j1-{number}",
        "number": number,
        "seed": 40 + number,
        "adherence": (0.75, 0.92, 0.5, 1.0)[number % 4],
        "log_prob": -1.1 - 0.2 * number,
        "novelty": 0.9 - 0.1 * number,
        "notes": len(rows),
        "status": "done",
        "cells": CELLS,
        **changes,
    }


def offer(roll: Roll, n: int = 4) -> None:
    """The kernel opens `n` takes."""
    notes = {f"j1-{i}": b64(records(take_rows(i), 1, 5000 + 1000 * i).tobytes()) for i in range(n)}
    roll.page.evaluate("notes => { Object.assign(window.host.takeNotes, notes) }", notes)
    roll.set("active_take", "j1-1")
    roll.set("takes", sorted((facts(i) for i in range(n)), key=lambda f: -f["adherence"]))
    roll.page.wait_for_function("document.querySelectorAll('.mgnb-take').length > 1")
    roll.page.wait_for_timeout(60)
