"""Who may import whom (docs/architecture.md, section 2), and what an import costs."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import midigpt_nb

PACKAGE = Path(midigpt_nb.__file__).parent

BASE = {"errors", "_core", "lazy"}
MUSIC = BASE | {"score"}
MAY_IMPORT: dict[str, set[str]] = {
    "errors": set(),
    "lazy": set(),
    "score": BASE,
    "attributes": MUSIC,
    "tokenizer": MUSIC | {"attributes"},
    "inference": MUSIC | {"attributes", "tokenizer"},
    "plots": MUSIC | {"attributes", "tokenizer"},
    "audio": MUSIC,
    "widgets": MUSIC | {"attributes", "inference", "plots", "audio"},
    "training": MUSIC | {"attributes", "tokenizer", "inference"},
    "evaluation": MUSIC | {"attributes", "tokenizer", "inference", "training"},
    "__init__": MUSIC | {"widgets"},
    "cli": MUSIC | {"inference", "plots", "audio", "training", "evaluation"},
}

# Libraries that take long to import, and where a module may import them at its top. Everywhere else they are
# imported inside the function that needs them.
HEAVY = {
    "torch": ("inference/backends/", "inference/checkpoint", "inference/filters", "inference/masking",
              "inference/sampler", "inference/torch_import", "training/", "evaluation/"),
    "safetensors": (),
    "huggingface_hub": (),
    "matplotlib": ("plots/",),
    "anywidget": ("widgets/",),
    "ipywidgets": ("widgets/",),
    "pretty_midi": (),
    "symusic": (),
}  # fmt: skip


def sources() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def layer_of(path: Path) -> str:
    parts = path.relative_to(PACKAGE).parts
    if path.stem in ("cli", "__main__"):  # command lines stand above everything
        return "cli"
    return parts[0] if len(parts) > 1 else path.stem


def imports(tree: ast.AST, *, top_only: bool) -> Iterator[tuple[int, str]]:
    """(line, dotted name) of each import that runs; those for type checkers do not."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            if node.level:  # relative: training, which also runs outside the package
                assert node.level == 1, f"line {node.lineno}: an import that climbs out of its folder"
            elif node.module == "midigpt_nb":
                yield from ((node.lineno, f"midigpt_nb.{alias.name}") for alias in node.names)
            else:
                yield node.lineno, str(node.module)
        elif not skipped(node, top_only=top_only):
            yield from imports(node, top_only=top_only)


def skipped(node: ast.AST, *, top_only: bool) -> bool:
    if isinstance(node, ast.If):
        return "TYPE_CHECKING" in ast.unparse(node.test)
    return top_only and isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))


@pytest.mark.parametrize("path", sources(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_no_import_points_upwards(path: Path) -> None:
    layer = layer_of(path)
    assert layer in MAY_IMPORT, f"{layer} has no row in MAY_IMPORT: decide what it may import"
    for line, name in imports(ast.parse(path.read_text(encoding="utf-8")), top_only=False):
        if name.split(".")[0] != "midigpt_nb":
            continue
        target = name.split(".")[1] if "." in name else "__init__"
        if target in {"__version__", "Score", "Track", "Bar", "Note"}:
            target = "score"
        assert target in MAY_IMPORT[layer] | {layer}, f"{path.name}:{line}: {layer} must not import {name}"


@pytest.mark.parametrize("path", sources(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_heavy_libraries_are_imported_where_they_are_used(path: Path) -> None:
    where = path.relative_to(PACKAGE).as_posix()
    for line, name in imports(ast.parse(path.read_text(encoding="utf-8")), top_only=True):
        for library, allowed in HEAVY.items():
            if name.split(".")[0] == library:
                assert where.startswith(allowed), (
                    f"{where}:{line}: import {library} inside the function that needs it"
                )


def run_python(code: str, tmp_path: Path) -> str:
    """Run code in a fresh interpreter, away from the source folder; returns what it printed."""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_importing_the_package_is_light(tmp_path: Path) -> None:
    loaded = run_python(
        "import sys, midigpt_nb; midigpt_nb.Score; print(*sorted({m.split('.')[0] for m in sys.modules}))",
        tmp_path,
    ).split()
    assert "numpy" in loaded
    assert not set(HEAVY) & set(loaded)
    assert "IPython" not in loaded


def test_the_audio_and_plots_packages_do_not_load_torch(tmp_path: Path) -> None:
    code = (
        "import sys, midigpt_nb.audio, midigpt_nb.plots\n"
        "print('torch' in sys.modules, 'matplotlib.pyplot' in sys.modules)"
    )
    assert run_python(code, tmp_path) == "False False"


WITHOUT_TORCH = "import sys; sys.modules['torch'] = None\n"


def test_the_tokenizer_works_without_torch(tmp_path: Path) -> None:
    code = WITHOUT_TORCH + (
        "import midigpt_nb.tokenizer as t, midigpt_nb.attributes as a\n"
        "print(t.Tokenizer.__name__, a.AttributeAnalyzer.__name__)"
    )
    assert run_python(code, tmp_path) == "Tokenizer AttributeAnalyzer"


def test_the_roll_works_without_torch(tmp_path: Path) -> None:
    code = WITHOUT_TORCH + (
        "import midigpt_nb as mg\nroll = mg.PianoRoll(mg.Score.example())\nprint(type(roll).__name__)"
    )
    assert run_python(code, tmp_path) == "PianoRoll"


def test_a_missing_torch_names_what_to_install(tmp_path: Path) -> None:
    code = WITHOUT_TORCH + (
        "from midigpt_nb.inference import InferenceEngine\n"
        "try:\n    InferenceEngine.from_pretrained()\n"
        "except ImportError as error:\n    print(type(error).__name__, 'midigpt-nb[inference]' in str(error))"
    )
    assert run_python(code, tmp_path) == "MissingExtraError True"
