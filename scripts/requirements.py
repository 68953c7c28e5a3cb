"""Print what the project and the named extras need, one requirement per line.

The scripts install these before the project itself, so that an edit costs one build and no
downloads.

    python scripts/requirements.py inference lab
"""

from __future__ import annotations

import sys
from pathlib import Path

try:
    import tomllib
except ModuleNotFoundError:  # Python 3.10; pip carries a reader
    from pip._vendor import tomli as tomllib


def requirements(extras: list[str]) -> list[str]:
    """The requirements of `pyproject.toml` for these extras, sorted, extras of our own spelled out."""
    with (Path(__file__).parent.parent / "pyproject.toml").open("rb") as file:
        project = tomllib.load(file)["project"]
    found, todo = set(project["dependencies"]), list(extras)
    own = project["name"] + "["
    while todo:
        for line in project["optional-dependencies"][todo.pop()]:
            if line.startswith(own):
                todo += [extra.strip() for extra in line[len(own) :].rstrip("]").split(",")]
            else:
                found.add(line)
    return sorted(found)


if __name__ == "__main__":
    print("\n".join(requirements(sys.argv[1:])))
