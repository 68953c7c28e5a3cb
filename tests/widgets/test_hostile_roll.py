"""A roll in the hands of somebody who gives it wrong things: errors in words, nothing broken or hanging."""

from __future__ import annotations

import json
import math
import os
import random
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import traitlets as t
from fakes import FakeEngine

from midigpt_nb import InfillEditor, PianoRoll, Score
from midigpt_nb.errors import MidiGPTError, ProjectError
from midigpt_nb.widgets.failures import NEXT_STEP, describe, details_of, next_step
from midigpt_nb.widgets.ops import NEW_ID
from midigpt_nb.widgets.protocol import empty_notes, unpack_document

WRONG_PATHS = [None, 3, "", "a\0b", "x" * 5000, b"\xff\0", object()]


@pytest.fixture
def places(tmp_path: Path) -> dict[str, Path]:
    """Things in a folder that are no SoundFonts and no files to write to."""
    for name, data in (
        ("empty.sf2", b""),
        ("text.sf2", b"hello, no font"),
        ("riff.sf2", b"RIFF\0\0\0\0sfbk"),
    ):
        (tmp_path / name).write_bytes(data)
    (tmp_path / "folder.sf2").mkdir()
    if sys.platform != "win32":
        (tmp_path / "circle.sf2").symlink_to(tmp_path / "circle.sf2")
        os.mkfifo(tmp_path / "pipe.sf2")
    return {place.name: place for place in tmp_path.iterdir()} | {"none.sf2": tmp_path / "none.sf2"}


def test_r1_a_wrong_soundfont_is_a_traiterror_and_the_old_one_stays(example: Score, places: Any) -> None:
    roll = PianoRoll(example, soundfont=places["riff.sf2"])
    assert roll.soundfont == str(places["riff.sf2"]) and roll._sound.startswith("riff-")
    wrong = [place for name, place in places.items() if name != "riff.sf2"]
    for given in [*wrong, *(str(place) for place in wrong), *WRONG_PATHS]:
        if given == "":
            continue
        with pytest.raises((t.TraitError, ProjectError)):
            roll.soundfont = given
        assert roll.soundfont == str(places["riff.sf2"])


def test_x1_a_soundfont_that_goes_away_is_told_in_words(example: Score, places: Any, connect: Any) -> None:
    roll, page = connect(PianoRoll, example, soundfont=places["riff.sf2"])
    places["riff.sf2"].unlink()
    answer, _ = page.request("sound", file="bank", part=0)
    assert (answer["k"], answer["code"]) == ("error", "file") and "riff.sf2" in answer["message"]
    assert "folder" in answer["hint"] and "Traceback" in answer["details"]
    assert page.request("sound", file="simple", part=0)[0]["k"] == "ok"
    for part in (-1, 10**9, "0", None, True, 0.5):
        assert page.request("sound", file="worklet", part=part)[0]["k"] == "error"
    roll.soundfont = ""


@pytest.mark.parametrize("write", ["save", "to_html"])
def test_o6_nothing_but_files_is_written_to(example: Score, places: Any, tmp_path: Path, write: str) -> None:
    roll = PianoRoll(example)
    before = {name: place.lstat().st_mode for name, place in places.items() if name != "none.sf2"}
    wrong = [tmp_path, tmp_path / "no" / "x.mgnb", places["folder.sf2"], *WRONG_PATHS]
    wrong += [places[name] for name in ("pipe.sf2",) if name in places]
    for path in wrong:
        if path is None and write == "to_html":
            continue
        with pytest.raises(ProjectError):
            getattr(roll, write)(path)
    assert before == {name: places[name].lstat().st_mode for name in before}
    assert not [place for place in tmp_path.iterdir() if place.name.endswith(".part")]


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")
def test_o6_a_link_stays_a_link(example: Score, tmp_path: Path) -> None:
    (tmp_path / "real.mgnb").write_bytes(b"before")
    (tmp_path / "link.mgnb").symlink_to(tmp_path / "real.mgnb")
    PianoRoll(example).save(tmp_path / "link.mgnb")
    assert (tmp_path / "link.mgnb").is_symlink()
    assert PianoRoll.from_file(tmp_path / "real.mgnb").score == example


def test_o6_nothing_but_files_is_opened(places: Any, tmp_path: Path) -> None:
    for path in [tmp_path, *(place for name, place in places.items() if name != "riff.sf2"), *WRONG_PATHS]:
        with pytest.raises(MidiGPTError):
            PianoRoll.from_file(path)


def test_x1_every_code_has_a_next_step() -> None:
    assert all(hint and hint[0].islower() and not hint.endswith(".") for hint in NEXT_STEP.values())
    assert next_step("unheard_of") == NEXT_STEP["failed"] and next_step("stale", "own words") == "own words"
    for problem in (
        ValueError("x"),
        KeyError("x"),
        OSError(28, "No space left"),
        MemoryError(),
        RuntimeError(),
    ):
        code, message, hint = describe(problem)
        assert code in NEXT_STEP and message and hint
    try:
        raise ValueError("deep") from KeyError("cause")
    except ValueError as problem:
        assert "KeyError" in details_of(problem) and len(details_of(problem)) < 7000


def test_x1_every_refusal_says_what_why_and_what_next(example: Score, connect: Any) -> None:
    roll, page = connect(PianoRoll, example)
    nonsense: list[tuple[str, dict[str, Any]]] = [
        ("generate", {"selection": {"cells": []}}), ("cancel", {}), ("accept", {"take": "x", "cells": []}),
        ("take_notes", {"take": "x"}), ("sound", {"file": "x", "part": 0}), ("outlook", {"selection": 3}),
        ("ops", {"label": "x", "ops": None}), ("upload", {"name": "x", "part": 3, "parts": 1}),
        ("restore", {"part": 0, "parts": 1}), ("generate", {}), ("explode", {}),
    ]  # fmt: skip
    for kind, fields in nonsense:
        answer, _ = page.request(kind, **fields)
        assert answer["k"] == "error" and answer["code"] and answer["message"] and answer["hint"], kind
    assert roll._document.rev == 0


def test_t1_four_threads_edit_keep_save_and_travel_at_once(
    example: Score, connect: Any, tmp_path: Path
) -> None:
    roll, page = connect(PianoRoll, example)
    problems: list[BaseException] = []
    counts = [0] * 4
    stop = time.monotonic() + 4

    def edit(number: int) -> None:
        rng = random.Random(number)
        while time.monotonic() < stop:
            kind = rng.randrange(6)
            try:
                if kind < 2:
                    note = empty_notes(1)
                    note["id"] = NEW_ID | (number << 24) | counts[number]
                    note["onset"], note["duration"], note["pitch"], note["velocity"] = 10, 50, 60, 70
                    content = {"v": 1, "k": "ops", "id": f"t{number}-{counts[number]}", "seq": counts[number],
                               "label": "x", "ops": [{"op": "notes", "remove": [], "count": 1}]}  # fmt: skip
                    roll._on_page_message(roll, content, [memoryview(note.tobytes())])
                    counts[number] += 1
                elif kind == 2:
                    (roll.undo if rng.random() < 0.5 else roll.redo)()
                elif kind == 3:
                    roll.score = roll.score.set_tempo(60 + rng.randrange(100))
                elif kind == 4:
                    roll._request_keep()
                else:
                    roll.save(tmp_path / f"{number}.mgnb")
            except BaseException as problem:
                problems.append(problem)
                return

    threads = [threading.Thread(target=edit, args=(number,)) for number in range(4)]
    [thread.start() for thread in threads]
    [thread.join(30) for thread in threads]
    assert not problems and not any(thread.is_alive() for thread in threads)
    answers = [m for m, _ in page.custom() if m["k"] in ("ok", "error")]
    assert len(answers) == sum(counts) and all(m["k"] == "ok" for m in answers)
    ids = unpack_document(roll._document.pack())[1]["id"]
    assert len(np.unique(ids)) == len(ids)
    for number in range(4):
        if (tmp_path / f"{number}.mgnb").exists():
            assert PianoRoll.from_file(tmp_path / f"{number}.mgnb").score.n_tracks == 4


def test_x2_without_a_model_the_roll_says_what_to_install_and_goes_on(
    example: Score, connect: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from midigpt_nb.errors import MissingExtraError
    from midigpt_nb.widgets import infill_editor
    from midigpt_nb.widgets.engine_handle import EngineHandle

    def missing(_name: str) -> Any:
        raise MissingExtraError("needs torch: pip install 'midigpt-nb[inference]'")

    monkeypatch.setattr(EngineHandle, "_by_name", {})
    monkeypatch.setattr(infill_editor, "_load", missing)
    editor, page = connect(InfillEditor, example)
    editor.prepare()
    editor._handle.worker.join(10)
    assert "pip install" in editor.caps["unavailable"] and editor.error["code"] == "missing_extra"
    assert "go on" in editor.error["hint"] and editor.error["details"]
    editor.score = editor.score.transpose(1)
    assert page.request("undo")[0]["k"] == "ok" and editor.score == example


HOSTILE: list[Any] = [
    math.inf, math.nan, 10**400, {"9" * 5000: {}}, {"0": {"volume": math.inf}}, {"temperature": math.nan},
    {"cells": [[10**30, 0]]}, {"cells": 5}, {"track": {"inf": {}}}, {"x" * 10_000: 1},
    {"bar": {"0": {"0": {"note_density": math.inf}}}}, {"__proto__": {"a": 1}}, [None], [[]], None, "x",
    [0, 10**30], {"0,0": 5}, {"roles": {"9" * 5000: {}}},
]  # fmt: skip


@pytest.mark.parametrize("value", [*HOSTILE, "deep"], ids=lambda value: repr(value)[:24])
def test_x1_no_value_of_a_page_breaks_the_roll_or_what_is_saved_of_it(
    example: Score, connect: Any, value: Any
) -> None:
    """Each is taken or refused in words; the state can be told and stored as JSON afterwards."""
    if value == "deep":
        value = {}
        for _ in range(500):
            value = {"a": value}
    editor, page = connect(InfillEditor, example, FakeEngine())
    names = [n for n in editor.keys if not n.startswith("_") and n not in ("layout", "tabbable", "tooltip")]
    assert len(names) > 30
    for name in names:
        editor.set_state({name: value, "_from": "page-1"})
    for mark in (None, 5, "x", "-", "p-" + "9" * 400, "p" * 99 + "-1"):
        editor.set_state({"_from": mark})
    state = {n: v for n, v in editor.get_state().items() if not isinstance(v, bytes | memoryview)}
    assert len(json.dumps(state, allow_nan=False)) < 400_000
    assert page.request("undo")[0]["k"] in ("ok", "error")
