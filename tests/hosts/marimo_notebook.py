"""A marimo notebook with the roll; what Python knows of it is written beside it for the test to read."""

import marimo

app = marimo.App()


@app.cell
def _():
    import json
    import os
    import threading
    from pathlib import Path

    import marimo as mo

    import midigpt_nb as mg

    return Path, json, mg, mo, os, threading


@app.cell
def _(Path, json, mg, os, threading):
    score = mg.Score.example()
    roll = mg.InfillEditor(score, height=280)
    told = Path(os.environ["MIDIGPT_NB_TOLD"])
    threads = []

    def tell(_change=None):
        threads.append(type(threading.current_thread()).__name__)
        state = {
            "status": roll.status,
            "notes": roll.score.n_notes,
            "hash": roll.score.hash(),
            "selection": roll.selection["cells"],
            "changed": sorted(map(list, score.diff(roll.score).changed)),
            "takes": len(roll.takes),
            "attributes": roll.attributes,
            "ready": bool(roll.caps.get("attributes")),
            "threads": sorted(set(threads)),
            "error": roll.error,
            "playing": roll.playing,
        }
        draft = told.with_suffix(f".{threading.get_ident()}")  # observers are called on several threads
        draft.write_text(json.dumps(state))
        draft.replace(told)

    names = ["status", "score", "selection", "takes", "attributes", "caps", "error", "playing"]
    roll.observe(tell, names)
    tell()
    return (roll,)


@app.cell
def _(mo, roll):
    shown = mo.ui.anywidget(roll)
    shown  # noqa: B018  (what marimo displays)
    return (shown,)


@app.cell
def _(mo, shown):
    mo.md(f"selected in marimo: {len(shown.value['selection']['cells'])}")
    return


@app.cell
def _(mg, mo, roll):
    mo.ui.anywidget(mg.AttributePanel(roll))
    return


if __name__ == "__main__":
    app.run()
