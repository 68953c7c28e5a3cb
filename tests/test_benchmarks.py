"""The benchmark commands: arithmetic, table and page; one real measurement in a real worker."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

FOLDER = Path(__file__).parent.parent / "benchmarks"


@pytest.fixture(scope="module")
def bench() -> Any:
    """The modules of the folder, imported as its commands import each other."""
    sys.path.insert(0, str(FOLDER))
    try:
        modules = {}
        for name in ("harness", "pieces", "make_weights", "side_ours", "side_reference", "compare"):
            spec = importlib.util.spec_from_file_location(name, FOLDER / f"{name}.py")
            assert spec is not None and spec.loader is not None
            modules[name] = sys.modules[name] = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(modules[name])
        yield type("Bench", (), modules)
    finally:
        sys.path.remove(str(FOLDER))
        for name in modules:
            sys.modules.pop(name, None)


def measurements(side: ModuleType) -> dict[str, list[str]]:
    return {
        name: function.__code__.co_varnames[: function.__code__.co_kwonlyargcount]
        for name, function in vars(side).items()
        if callable(function)
        and getattr(function, "__module__", "") == side.__name__
        and not name.startswith("_")
    }


def test_both_sides_measure_the_same_things(bench: Any) -> None:
    ours = measurements(bench.side_ours)
    assert ours == measurements(bench.side_reference) and len(ours) > 8


def test_every_case_asks_for_a_measurement_there_is(bench: Any, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(bench.compare.Bench, "weights", lambda self, model: f"{model}.safetensors")
    known = measurements(bench.side_ours)
    names = []
    for _, cases in bench.compare.Bench(tmp_path).sections(["pocket", "yellow_small"]):
        for case in cases:
            assert set(case.arguments(0)) == set(known[case.do]), case.name
            names.append(case.name)
    assert {"planning", "import", "infill", "takes 8", "first_token seen"} <= set(names)


def test_a_ratio_is_taken_within_each_round(bench: Any) -> None:
    row = bench.harness.Row("x", "first token", goal=15)
    result = bench.harness.Result(row, {"ours": [0.01, 0.02, 0.01], "reference": [0.2, 0.5, 0.15]})
    assert result.ratios == pytest.approx([20, 25, 15])
    lines = bench.harness.table([result], ["ours", "reference"]).splitlines()
    assert lines[2] == "| first token | 10.0 ms | 200 ms | **20.00** | 15.00 … 25.00 | 15 |"


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [(1.234, "ms", "1.23 s"), (0.0123, "ms", "12.3 ms"), (95e-6, "ms", "95.0 µs"), (250.4, "MiB", "250 MiB")],
)
def test_figures_in_words(bench: Any, value: float, unit: str, text: str) -> None:
    assert bench.harness.spelled(value, unit) == text


def test_a_section_of_a_page_is_replaced(bench: Any, tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- figures -->\nold\n<!-- end of figures -->\nafter\n")
    bench.harness.write_section(page, "figures", "new")
    assert page.read_text() == "before\n<!-- figures -->\nnew\n<!-- end of figures -->\nafter\n"
    with pytest.raises(ValueError, match="no section"):
        bench.harness.write_section(page, "other", "new")
    assert "<!-- figures -->" in bench.compare.PAGE.read_text(encoding="utf-8")


def test_a_worker_measures_and_says_what_it_cannot(bench: Any, tmp_path: Path) -> None:
    pytest.importorskip("torch")
    midi = bench.pieces.write(tmp_path, 2, 4)
    side = bench.harness.Side("ours", sys.executable, 1)
    case = bench.harness.Case("parse", "parse", [bench.harness.Row("read", "read")], lambda _: {"midi": midi})
    try:
        (result,) = bench.harness.measure(case, [side], 2)
        assert len(result.sides["ours"]) == 2 and 0 < result.median("ours") < 5
        with pytest.raises(RuntimeError, match=r"nowhere\.mid"):
            side.ask("parse", {"midi": "nowhere.mid"})
    finally:
        side.close()


def test_weights_of_a_size_are_a_checkpoint(bench: Any, tmp_path: Path) -> None:
    pytest.importorskip("torch")
    path = str(bench.make_weights.write("tiny", tmp_path / "tiny.safetensors"))
    midi = bench.pieces.write(tmp_path, 2, 4)
    asked = {"checkpoint": path, "midi": midi, "bars": {"0": [1]}}
    config = {"seed": 1, "density_hard_limit": 4, "novelty_check": False, "num_candidates": 2}
    for name in ("first_token", "infill", "takes", "outside"):
        figures = getattr(bench.side_ours, name)(**asked, config=config)
        assert all(value > 0 for value in figures.values()), name
    assert bench.side_ours.prefill(checkpoint=path, tokens=40)["prefill"] > 0
    assert bench.side_ours.decode(checkpoint=path, context=30, rows=3, steps=4)["per token"] > 0
