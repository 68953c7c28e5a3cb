"""Shared by tests of all kinds; those that drive a browser have one Chromium for the whole run."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

# The networking flags keep Chromium from looking up outside hosts; the last two are for sound tests.
CHROMIUM_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--disable-quic",
    "--force-device-scale-factor=1",
    "--autoplay-policy=no-user-gesture-required",
    "--mute-audio",
]


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whatever asks for a browser is a browser test, even where nobody wrote the mark, and comes last.

    Playwright's event loop runs in the main thread until the last test, and `asyncio.run` fails beside it.
    """
    for item in items:
        if "chromium" in getattr(item, "fixturenames", ()):
            item.add_marker("browser")
    items.sort(key=lambda item: item.get_closest_marker("browser") is not None)


@pytest.fixture
def ctrl_c_is_heard() -> Iterator[None]:
    """As in a terminal; a program that is started in the background ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """A headless Chromium. Tests skip without one, but fail when CI is set.

    Playwright is started once: a second one in the same process is refused.
    """
    found = os.environ.get("CHROMIUM") or shutil.which("chromium") or "/usr/bin/chromium"
    if not Path(found).exists():
        pytest.fail("chromium is missing in CI") if os.environ.get("CI") else pytest.skip("needs chromium")
    with pytest.importorskip("playwright.sync_api").sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=found, args=CHROMIUM_FLAGS)
        yield browser
        browser.close()
