"""Run notebooks and save them with their outputs, the same way every time.

What is kept is what teaches: text, tables and pictures. Interactive views and sounds are left out of the file
(a saved view is dead, a sound is megabytes); they are there again when the cells are run.

    python scripts/run_notebooks.py [NOTEBOOK ...]
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient

WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
LARGEST_HTML = 20_000
KERNEL = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}


def run(path: Path) -> None:
    """Execute one notebook in its own folder and write it back."""
    notebook = nbformat.read(path, as_version=4)
    start = time.perf_counter()
    NotebookClient(
        notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(path.parent)}}
    ).execute()
    notebook.metadata = nbformat.from_dict({"kernelspec": KERNEL, "language_info": {"name": "python"}})
    for number, cell in enumerate(notebook.cells, start=1):
        cell.id = f"cell-{number:02d}"
        cell.metadata = nbformat.from_dict(
            {"tags": cell.metadata["tags"]} if cell.metadata.get("tags") else {}
        )
        for output in cell.get("outputs", []):
            tidy(output)
    nbformat.write(notebook, path)
    seconds, size = time.perf_counter() - start, path.stat().st_size // 1024
    print(f"{path}: {len(notebook.cells)} cells in {seconds:.1f} s, {size} kB")


def tidy(output: nbformat.NotebookNode) -> None:
    """Drop from one output what does not survive in a file."""
    data = output.get("data")
    if data is None:
        return
    data.pop(WIDGET_VIEW, None)
    if len(data.get("text/html", "")) > LARGEST_HTML:
        del data["text/html"]


if __name__ == "__main__":
    for name in sys.argv[1:] or sorted(Path("notebooks").glob("*.ipynb")):
        run(Path(name))
