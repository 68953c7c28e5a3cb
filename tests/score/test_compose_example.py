"""The committed example piece is what its script composes."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

from midigpt_nb.score.model import Score

SCRIPT = Path(__file__).parents[2] / "scripts" / "compose_example.py"


def test_the_script_composes_the_bundled_file() -> None:
    spec = importlib.util.spec_from_file_location("compose_example", SCRIPT)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["compose_example"] = module  # dataclasses look their module up
    try:
        spec.loader.exec_module(module)
        assert module.composed() == Score.example().to_midi()
    finally:
        del sys.modules["compose_example"]
