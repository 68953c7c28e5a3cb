"""docs/reference-differences.md: every row is there once, says something, and names tests that exist."""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "reference-differences.md"
COUNTS = {"K": 11, "D": 34, "M": 27, "Q": 14, "U": 16, "P": 15}
ROWS = [f"{letter}{i}" for letter, n in COUNTS.items() for i in range(1, n + 1)]
# How a test is declared, by the kind of file.
DECLARED = {
    ".py": r"^\s*(?:async )?def ({name})\(",
    ".cpp": r'TEST_CASE\(\s*"({name})"',
    ".ts": r'\btest\(\s*"({name})"',
}


@lru_cache
def table() -> dict[str, list[str]]:
    """Row id -> its cells."""
    rows: dict[str, list[str]] = {}
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split(" | ")]
        if line.startswith("| ") and re.fullmatch(r"[A-Z]\d+", cells[0]):
            assert cells[0] not in rows, f"{cells[0]} stands twice"
            rows[cells[0]] = cells[1:]
    return rows


def test_every_row_is_there_once() -> None:
    assert sorted(table()) == sorted(ROWS)


@pytest.mark.parametrize("row", ROWS)
def test_a_row_says_what_happens_and_its_tests_exist(row: str) -> None:
    assert len(table()[row]) == 3, "what the reference does, what this package does, tests"
    there, here, tests = table()[row]
    assert len(there) > 10 and len(here) > 5
    named = re.findall(r"`([^`]+)::([^`]+)`", tests)
    assert named, f"{row} names no test"
    for file, full_name in named:
        name, _, case = full_name.partition("[")  # a case of a parametrised test may be named by its id
        path = ROOT / file
        assert path.is_file(), f"{row}: there is no file {file}"
        declared = DECLARED[path.suffix].replace("{name}", re.escape(name))
        text = path.read_text(encoding="utf-8")
        assert re.search(declared, text, re.MULTILINE), f"{row}: {file} has no {name!r}"
        assert case.rstrip("]") in text, f"{row}: {file} has no case {case!r}"
