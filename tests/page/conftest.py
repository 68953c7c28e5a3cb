"""A browser for the page tests: one Chromium, a fresh page each."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import harness


@pytest.fixture
def roll(chromium: Any) -> Iterator[harness.Roll]:
    context = chromium.new_context(viewport={"width": 1240, "height": 900})
    roll = harness.Roll(context.new_page())
    yield roll
    context.close()
    assert roll.errors == []


@pytest.fixture
def shots() -> Any:
    """Takes pictures of the roll into build/screenshots, for people to look at."""
    folder = Path(__file__).parents[2] / "build" / "screenshots"
    folder.mkdir(parents=True, exist_ok=True)

    def take(page: Any, name: str) -> Path:
        path = folder / f"{name}.png"
        page.wait_for_timeout(150)
        page.locator(".mgnb-root").screenshot(path=path)
        assert path.stat().st_size > 5000
        return path

    return take
