"""Open takes in a .mgnb file: opened again as the cards they were (O6)."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

from midigpt_nb import InfillEditor, PianoRoll, Score
from midigpt_nb.errors import ProjectError
from midigpt_nb.inference import replay
from midigpt_nb.widgets.project import Project
from midigpt_nb.widgets.protocol import unpack_notes

pytestmark = pytest.mark.timeout(240)
CELLS = [(1, 4), (1, 5)]


@pytest.fixture
def saved(example: Score, connect: Any, engine: Any, tmp_path: Path) -> tuple[InfillEditor, Path]:
    """An editor with three open takes and a mixture, and the file it was saved to."""
    editor, _ = connect(InfillEditor, example, engine)
    editor.set_curve("note_density", 1, range(4, 6), 5)
    editor.generate(CELLS, takes=3, model_dim=4, seed=3).result(60)
    editor.active_take = editor.takes[1].id
    editor.comp = {"1,4": editor.takes[2].id, "1,5": ""}
    path = tmp_path / "song.mgnb"
    editor.save(path)
    return editor, path


def test_o6_takes_are_opened_as_the_cards_they_were(saved: Any, engine: Any, connect: Any) -> None:
    editor, path = saved
    again = InfillEditor.from_file(path, engine)
    assert [take.facts for take in again.takes] == [take.facts for take in editor.takes]
    assert (again.active_take, again.comp) == (editor.active_take, editor.comp)
    for old, new in zip(editor.takes, again.takes, strict=True):
        assert new.score.hash() == old.score.hash() == new.record["result_hash"]
        assert new.report == old.report and new.request == old.request and new.label == old.label
        assert replay(new.record, again.score, engine).hash() == new.score.hash()
        notes = unpack_notes(again._request_take_notes(new.id)[1][0])
        assert len(notes) == new.notes
    again.close()


def test_o6_a_mixture_of_reopened_takes_is_the_same_music(saved: Any, engine: Any) -> None:
    editor, path = saved
    again = InfillEditor.from_file(path, engine)
    assert again.accept().hash() == editor.accept().hash()
    assert again.takes == [] and again.undo() and again.score == Score.example()
    again.close()


def test_o6_takes_of_a_piece_that_was_edited_since(
    example: Score, connect: Any, engine: Any, tmp_path: Path
) -> None:
    editor, _ = connect(InfillEditor, example, engine)
    editor.generate(CELLS, takes=2, model_dim=4, seed=3).result(60)
    editor.score = editor.score.transpose(2, tracks=[0])  # the takes stay open
    assert len(editor.takes) == 2
    editor.save(tmp_path / "edited.mgnb")
    again = InfillEditor.from_file(tmp_path / "edited.mgnb", engine)
    base = again.takes[0].base
    assert base.table.same_as(editor.takes[0].base.table) or base.score.hash() == example.hash()
    assert replay(again.takes[0].record, base.score, engine).hash() == again.takes[0].score.hash()
    assert again.accept(0).hash() == editor.accept(0).hash()
    again.close()


def test_o6_a_roll_without_a_model_opens_the_file_without_its_takes(saved: Any) -> None:
    editor, path = saved
    roll = PianoRoll.from_file(path)
    assert roll.score == editor.score
    roll.close()


def test_o6_a_file_of_before_has_records_only(saved: Any, engine: Any, tmp_path: Path) -> None:
    _, path = saved
    project = Project.load(path)
    project.takes = [take["record"] for take in project.takes]
    project.save(tmp_path / "old.mgnb")
    again = InfillEditor.from_file(tmp_path / "old.mgnb", engine)
    assert again.takes == [] and again.active_take == ""
    again.close()


def test_o6_a_damaged_take_is_refused_in_words(saved: Any, engine: Any, tmp_path: Path) -> None:
    _, path = saved
    rng = random.Random(2)
    whole = json.dumps(Project.load(path).takes[0])

    def damaged() -> Any:
        take = json.loads(whole)
        name = rng.choice(sorted(take))
        take[name] = rng.choice(
            [None, -1, 1e400, "x", [], {}, True, [[0]], [[0, 0, [[1]]]], {"request": 3}, 2**40]
        )
        return name, take

    refused = 0
    for _ in range(60):
        name, take = damaged()
        project = Project.load(path)
        project.takes = [take]
        try:
            project.save(tmp_path / "bad.mgnb")
        except ProjectError:
            continue  # not a number of JSON
        try:
            InfillEditor.from_file(tmp_path / "bad.mgnb", engine).close()
        except ProjectError as problem:
            refused += 1
            assert str(problem), name
    assert refused > 20
