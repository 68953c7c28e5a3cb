"""scripts/lib.sh, with stand-ins for pip, apt and python: what would run, and what people are told."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

FAKE_PYTHON = """#!/bin/bash
case "$*" in
  *"pip index versions"*) echo "Available versions: $VERSIONS" ;;
  *urllib*) exit "$UNREACHABLE" ;;
  *"pip install"*) echo "$@" >>"$CALLS" ;;
esac
"""


@pytest.fixture
def bash(tmp_path: Path):
    """Run lines of bash after `source scripts/lib.sh`, with an environment folder of their own."""
    fake = tmp_path / "venv" / "bin" / "python"
    fake.parent.mkdir(parents=True)
    fake.write_text(FAKE_PYTHON)
    fake.chmod(0o755)

    def run(lines: str, **env: str) -> subprocess.CompletedProcess[str]:
        script = f'source "{ROOT}/scripts/lib.sh"; VENV="{tmp_path}/venv"; LOG="{tmp_path}/log"\n{lines}'
        settings = {"CALLS": str(tmp_path / "calls"), "VERSIONS": "", "UNREACHABLE": "0"}
        return subprocess.run(
            ["bash", "-c", script],
            env=os.environ | settings | env,
            cwd=tmp_path,
            capture_output=True,
            text=True,
        )

    return run


def pinned_torch() -> str:
    found = re.search(r"^torch==(.+)$", (ROOT / "constraints.txt").read_text(), re.MULTILINE)
    assert found is not None
    return found[1]


@pytest.mark.parametrize(
    ("env", "expected"),
    [
        pytest.param(
            {"VERSIONS": "9.0.0, {torch}+cpu, {torch}"},
            "torch=={torch}",
            id="pip finds a CPU build by itself",
        ),
        pytest.param(
            {"VERSIONS": "9.0.0, {torch}"},
            "--no-deps --index-url https://download.pytorch.org/whl/cpu torch=={torch}",
            id="only PyTorch's index has one",
        ),
        pytest.param({"VERSIONS": "{torch}", "UNREACHABLE": "1"}, "torch=={torch}", id="nobody has one"),
        pytest.param({"MIDIGPT_NB_TORCH": "default"}, "torch=={torch}", id="the default build was asked for"),
    ],
)
def test_where_torch_comes_from(bash, tmp_path: Path, env: dict[str, str], expected: str) -> None:
    torch = pinned_torch()
    done = bash(
        "uname() { echo Linux; }; install_torch", **{k: v.format(torch=torch) for k, v in env.items()}
    )
    assert done.returncode == 0, done.stderr
    (call,) = (tmp_path / "calls").read_text().splitlines()
    assert call.endswith(f"constraints.txt {expected.format(torch=torch)}")
    assert ("several gigabytes" in done.stdout) == (env.get("UNREACHABLE") == "1")


def test_a_failed_install_shows_why_and_stops(bash, tmp_path: Path) -> None:
    (tmp_path / "venv" / "bin" / "python").write_text(
        "#!/bin/bash\necho 'no such thing as midi-gtp'\nexit 1\n"
    )
    done = bash("pip_install midi-gtp; echo went on")
    assert done.returncode == 1
    assert "no such thing as midi-gtp" in done.stderr and str(tmp_path / "log") in done.stderr
    assert "went on" not in done.stdout


WITHOUT_ROOT = 'id() { echo 1000; }; have() { [[ "$1" != sudo ]]; }; dpkg-query() { return 1; }\n'


def test_missing_packages_without_root_say_what_to_type(bash) -> None:
    done = bash(WITHOUT_ROOT + 'apt_install "testing in a browser" chromium fonts-dejavu-core; echo went on')
    assert done.returncode == 1 and "went on" not in done.stdout
    assert "testing in a browser needs system packages" in done.stderr
    assert "sudo apt-get install -y --no-install-recommends chromium fonts-dejavu-core" in done.stderr


def test_missing_packages_as_root_are_installed(bash) -> None:
    fakes = (
        'id() { echo 0; }; dpkg-query() { echo no; }; have() { true; }; apt-get() { echo "apt $*" >&2; }\n'
    )
    done = bash(fakes + 'apt_install "the tests" doctest-dev')
    assert done.returncode == 0
    assert done.stderr.splitlines()[-1] == "apt install -y -qq --no-install-recommends doctest-dev"


def test_another_peoples_environment_is_left_alone(bash, tmp_path: Path) -> None:
    (tmp_path / "venv" / "pyvenv.cfg").write_text("home = elsewhere\n")
    done = bash("ensure_environment inference")
    assert done.returncode == 1
    assert "was not made by these scripts" in done.stderr
    assert (tmp_path / "venv" / "pyvenv.cfg").exists()


def test_the_environments_own_python_goes_on_being_used(bash, tmp_path: Path) -> None:
    """Another python3 first on the PATH (conda, pyenv) must not have everything installed again."""
    (tmp_path / "venv" / "bin" / "python").write_text("#!/bin/bash\necho /opt/old/bin/python3\n")
    ask = "python_of_environment || echo none of ours"
    assert bash(ask).stdout == "none of ours\n"
    (tmp_path / "venv" / ".made-by-scripts").write_text("whatever\n")
    assert bash(ask).stdout == "/opt/old/bin/python3\n"
    (tmp_path / "venv" / "bin" / "python").write_text("#!/bin/bash\nexit 1\n")  # its Python was removed
    assert bash(ask).stdout == "none of ours\n"
    assert bash("echo $PYTHON", PYTHON="python3.99").stdout == "python3.99\n"


def test_keys_follow_contents(bash, tmp_path: Path) -> None:
    lines = """ROOT="$PWD"; mkdir one; echo a >one/file; first=$(hash_of one)
    touch one/file; [[ $(hash_of one) == "$first" ]] && echo "same after touch"
    mkdir one/__pycache__; echo x >one/__pycache__/x.pyc
    [[ $(hash_of one) == "$first" ]] && echo "caches do not count"
    echo b >one/file; [[ $(hash_of one) != "$first" ]] && echo "new after an edit"
    """
    assert bash(lines).stdout.splitlines() == ["same after touch", "caches do not count", "new after an edit"]


def test_scripts_explain_themselves() -> None:
    for name in ("demo", "test", "check", "setup", "build", "notebooks", "pin"):
        lines = (ROOT / "scripts" / name).read_text().splitlines()
        assert lines[0] == "#!/usr/bin/env bash" and lines[1].startswith("# ")
    shown = subprocess.run([ROOT / "scripts" / "demo", "--help"], capture_output=True, text=True)
    assert shown.returncode == 0 and "./scripts/demo --headless" in shown.stdout


@pytest.mark.skipif(shutil.which("flock") is None, reason="this system does without")
def test_two_scripts_fill_the_environment_one_after_the_other(bash, tmp_path: Path) -> None:
    """The second one says that it waits, and goes on when the first is through, whatever runs then."""
    lines = """ROOT="$PWD"
    fill() { echo "begin $1" >>story; sleep 0.5; echo "end $1" >>story; }
    (alone fill first; exec sleep 5) &
    until [[ -s story ]]; do sleep 0.02; done
    alone fill second
    kill $!"""
    done = bash(lines)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "    another script is filling ./.venv: waiting for it\n"
    told = (tmp_path / "story").read_text().split("\n")[:-1]
    assert told == ["begin first", "end first", "begin second", "end second"]
