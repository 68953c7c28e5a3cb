"""What a roll can look like: each state brings a fresh page there, for checks that want to see them all."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from harness import Roll, band, document
from offered import offer

from midigpt_nb import Score
from midigpt_nb.widgets.document import Document


def _click(roll: Roll, *testids: str) -> None:
    for testid in testids:
        roll.page.get_by_test_id(f"mgnb-{testid}").click()


def plain(roll: Roll, host: str) -> None:
    roll.mount(document(band()), host)


def selected(roll: Roll, host: str) -> None:
    plain(roll, host)
    roll.drag((1, 4), (2, 7))
    roll.page.locator(".mgnb-surface").focus()


def running(roll: Roll, host: str) -> None:
    selected(roll, host)
    roll.event(0, "accepted", cells=[[1, 4], [1, 5]], label="Regenerate bars 5-6, Bass")
    roll.event(
        1, "notes", [(1, 4 * 1920, 400, 40, 90), (1, 4 * 1920 + 480, 400, 47, 90)], track=1, bar=4, count=2
    )


def compared(roll: Roll, host: str) -> None:
    fresh = [(1, 4 * 1920 + 480 * k, 400, 36 + 2 * k, 90) for k in range(8)]
    gone = [(1, 4 * 1920 + 240 * k, 200, 40 + k, 90) for k in range(8)]
    rows = [row for row in band() if not (row[0] == 1 and 4 * 1920 <= row[1] < 6 * 1920)]
    roll.mount(document(rows, generated=fresh, removed=gone), host, can_undo=True)


def lanes(roll: Roll, host: str) -> None:
    wishes = {"track": {}, "bar": {"0": {str(bar): {"bar_note_density": bar % 9} for bar in range(8)}}}
    measured = {
        "track": {},
        "bar": {"0": {str(bar): {"bar_note_density": (bar + 3) % 9} for bar in range(16)}},
    }
    roll.mount(document(band()), host, attributes=wishes, realized=measured,
               reachable={"bar": {"0": {"2": {"bar_note_density": [0, 4]}}}},
               adherence={"track": {}, "bar": {"0": {"1": {"bar_note_density": 0.5}}}})  # fmt: skip
    roll.page.get_by_test_id("mgnb-lanes").wait_for()


def track_menu(roll: Roll, host: str) -> None:
    plain(roll, host)
    _click(roll, "track-menu-1")


def instruments(roll: Roll, host: str) -> None:
    track_menu(roll, host)
    _click(roll, "instrument")


def tempo_menu(roll: Roll, host: str) -> None:
    plain(roll, host)
    _click(roll, "tempo")


def file_menu(roll: Roll, host: str) -> None:
    plain(roll, host)
    _click(roll, "files")


def bar_menu(roll: Roll, host: str) -> None:
    plain(roll, host)
    _click(roll, "bar-menu")


def targets_menu(roll: Roll, host: str) -> None:
    selected(roll, host)
    _click(roll, "targets")


def roles(roll: Roll, host: str) -> None:
    plan = {
        "roles": {"0": {"track": "ignore"}, "1": {"bars": {"2": "locked", "3": "hidden", "4": "generate"}}}
    }
    roll.mount(document(band()), host, plan=plan)


def takes(roll: Roll, host: str) -> None:
    plain(roll, host)
    roll.drag((1, 4), (1, 7))
    offer(roll)


def settings(roll: Roll, host: str) -> None:
    plain(roll, host)
    roll.page.get_by_test_id("mgnb-steer").wait_for()
    if roll.page.get_by_test_id("mgnb-steer").get_attribute("aria-expanded") != "true":
        _click(roll, "steer")
    roll.page.locator(".mgnb-advanced summary").first.click()


def help_sheet(roll: Roll, host: str) -> None:
    plain(roll, host)
    _click(roll, "help")


def editing(roll: Roll, host: str) -> None:
    plain(roll, host)
    roll.page.locator(".mgnb-surface").focus()
    roll.page.keyboard.press("1")
    roll.page.keyboard.press("Control+a")


def empty(roll: Roll, host: str) -> None:
    roll.mount(Document(Score()).pack(), host)


def no_notes(roll: Roll, host: str) -> None:
    roll.mount(document([], n_bars=4), host)


def read_only(roll: Roll, host: str) -> None:
    roll.mount(document(band()), host, readonly=True)


def viewer(roll: Roll, host: str) -> None:
    roll.mount(document(band()), host, caps={})


def banner(roll: Roll, host: str) -> None:
    problem = {
        "code": "x",
        "message": "The model could not be read.",
        "hint": "Install it anew.",
        "field": "",
    }
    roll.mount(document(band()), host, error=problem)


def narrow(roll: Roll, host: str) -> None:
    roll.page.set_viewport_size({"width": 420, "height": 900})
    roll.mount(document(band()), host)


STATES: dict[str, Callable[[Roll, str], Any]] = {
    state.__name__: state
    for state in (
        plain, selected, running, compared, lanes, track_menu, instruments, tempo_menu, file_menu, bar_menu,
        targets_menu, roles, takes, settings, help_sheet, editing, empty, no_notes, read_only, viewer, banner,
        narrow,
    )
}  # fmt: skip
