"""Shared by all tests that drive a browser."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest


@pytest.fixture(scope="session")
def playwright_driver() -> Iterator[Any]:
    """Playwright, started once: a second one in the same process is refused."""
    with pytest.importorskip("playwright.sync_api").sync_playwright() as driver:
        yield driver
