from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # lab.py and fakes.py are helpers, not test modules

from fakes import Page, install_comm
from lab import lab, page

__all__ = ["lab", "page"]


@pytest.fixture
def connect(monkeypatch):
    """Make widgets with a recording comm: ``connect(PianoRoll, score)`` returns (widget, page)."""
    install_comm(monkeypatch)
    made = []

    def make(cls, *args, **kwargs):
        widget = cls(*args, **kwargs)
        made.append(widget)
        return widget, Page(widget)

    yield make
    for widget in made:
        widget.close()


@pytest.fixture(scope="session")
def engine():
    """The real engine with the bundled model."""
    pytest.importorskip("torch")
    from midigpt_nb.inference import InferenceEngine

    return InferenceEngine.from_pretrained()


@pytest.fixture
def example():
    from midigpt_nb import Score

    return Score.example()
