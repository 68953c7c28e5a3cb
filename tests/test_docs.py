"""The README's code runs, and links between documents lead somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from midigpt_nb import Score

ROOT = Path(__file__).parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])


@pytest.mark.model
def test_the_readmes_code_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Score.example().to_midi("song.mid")
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    assert len(blocks) >= 3
    namespace: dict[str, object] = {}
    for block in blocks:
        exec(compile(block, "README.md", "exec"), namespace)
    changed = Score.from_midi("song.mid").diff(Score.from_midi("new.mid")).changed
    assert changed and set(changed) <= {(1, 4), (1, 5)}
    assert (tmp_path / "new.wav").stat().st_size > 1_000_000


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_to_files(page: Path) -> None:
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    targets = [target.split("#")[0] for target in re.findall(r"\]\(([^)\s]+)\)", text)]
    missing = [t for t in targets if t and "://" not in t and not (page.parent / t).exists()]
    assert missing == []


def test_the_readme_fits_on_two_screens() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 120


def test_commands_in_the_documents_exist() -> None:
    for page in ("README.md", "CONTRIBUTING.md"):
        for name in set(re.findall(r"\./scripts/([a-z]+)", (ROOT / page).read_text(encoding="utf-8"))):
            assert (ROOT / "scripts" / name).is_file(), f"{page} names scripts/{name}"


def test_the_architecture_page_names_every_module() -> None:
    page = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
    package = ROOT / "midigpt_nb"
    rows = {
        name: set(re.findall(r"\w+", row))
        for name, row in re.findall(r"^\| `(\w+)/` \| (.*)$", page, re.MULTILINE)
    }
    missing = {
        str(module.relative_to(package))
        for folder in package.iterdir()
        for module in folder.glob("[!_]*.py")
        if module.stem not in rows.get(folder.name, set())
    }
    assert missing == set()
