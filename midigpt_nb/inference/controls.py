"""TABLE: wishes that forbid tokens instead of describing notes.

A control has a name, a level and a check; what it does while sampling is compiled by `step.py`. Controls that
a later version will bring are listed too, so that asking for one says so instead of "unknown".
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from midigpt_nb.errors import Problem
from midigpt_nb.inference.suggest import suggestion

__all__ = ["CONTROLS", "Control", "check_control"]

Level = Literal["piece", "track", "bar"]


@dataclass(frozen=True)
class Control:
    """One control: where it may stand and how its value is checked. `check` is None while it is not built
    yet.
    """

    name: str
    levels: tuple[Level, ...]
    meaning: str
    check: Callable[[Any, Sequence[str]], tuple[str, str] | None] | None = None


def _time_signature(value: Any, metres: Sequence[str]) -> tuple[str, str] | None:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < len(metres):
        listed = ", ".join(f"{i} = {m}" for i, m in enumerate(metres[:6]))
        return "is not an index into the model's time signatures", f"0..{len(metres) - 1} ({listed}, ...)"
    return None


CONTROLS: dict[str, Control] = {
    c.name: c
    for c in (
        Control("time_signature", ("track", "bar"), "the metre of written bars", _time_signature),
        Control("velocity", ("piece",), "whether the model writes loudness"),
        Control("microtiming", ("piece",), "whether the model writes timing off the grid"),
        Control("genre", ("piece",), "the style of the piece"),
        Control("pitch_mask", ("track",), "allowed or preferred pitches"),
        Control("rhythm_mask", ("track",), "allowed or preferred onsets"),
        Control("remix", ("track",), "vary the notes, keep the rhythm"),
    )
}


def check_control(name: str, value: Any, level: Level, metres: Sequence[str], path: str) -> Iterator[Problem]:
    """Every problem of one control at one place."""
    control = CONTROLS.get(name)
    here = [c.name for c in CONTROLS.values() if level in c.levels]
    if control is None:
        yield Problem(path, value, "there is no such control", "", suggestion(name, here))
    elif level not in control.levels:
        places = " or ".join(control.levels)
        yield Problem(
            path, value, f"this control belongs to the {places}, not to the {level}", ", ".join(here)
        )
    elif control.check is None:
        yield Problem(path, value, "this control is not in this version", "", "leave it out")
    elif (wrong := control.check(value, metres)) is not None:
        yield Problem(path, value, *wrong)
