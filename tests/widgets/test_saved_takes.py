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
from midigpt_nb.widgets import saved_takes
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


HOSTILE: dict[str, tuple[str, Any, str]] = {
    "text for a number": ("track", "1", r"report\[0\]\['track'\] is '1'; allowed: a whole number from 0"),
    "a truth value": ("size", True, r"report\[0\]\['size'\] is True; allowed: a whole number from 1"),
    "a broken number": ("requested", 2.5, r"\['requested'\] is 2.5; allowed: a whole number, or null"),
    "a huge number": ("realised", 10**30, r"\['realised'\] is 10{10,}"),
    "a number below 0": ("bar", -1, r"\['bar'\] is -1; allowed: a whole number from 0, or null"),
    "a nested list": ("bars", [[4], 5], r"\['bars'\] is \[\[4\], 5\]; allowed: a list of whole numbers"),
    "a text for a list": ("bars", "45", r"\['bars'\] is '45'"),
    "a list for a text": ("name", ["note_density"], r"\['name'\] is \['note_density'\]; allowed: a short"),
    "an endless text": ("name", "x" * 10**5, r"\['name'\] is 'xxx"),
    "an object": ("announced", {"a": 1}, r"\['announced'\] is {'a': 1}"),
    "an entry too many": ("more", 1, r"report\[0\] is .*; allowed: the entries track, bar, name"),
}  # fmt: skip


def _with(path: Path, place: Path, change: Any) -> Path:
    project = Project.load(path)
    change(project.takes[0])
    project.save(place)
    return place


def test_o6_rows_of_a_report_are_checked_entry_by_entry(saved: Any, engine: Any, tmp_path: Path) -> None:
    _, path = saved
    for case, (name, value, words) in HOSTILE.items():
        bad = _with(
            path, tmp_path / "bad.mgnb", lambda take, own={name: value}: take["report"][0].update(own)
        )
        with pytest.raises(ProjectError, match=f"an open take in this file is damaged: .*{words}"):
            InfillEditor.from_file(bad, engine)
        assert PianoRoll.from_file(bad).score == Score.from_midi(_midi_of(bad, tmp_path)), case


def _midi_of(path: Path, folder: Path) -> Path:
    place = folder / "score.mid"
    Project.load(path).score.to_midi(place)
    return place


CHORD = {"track": 1, "bar": 4, "chord": "Am", "how": "soft", "share": 0.5, "name": "chord", "announced": None}


@pytest.mark.parametrize(
    ("entry", "value", "words"),
    [
        ("chords", [{**CHORD, "share": 1.5}], r"chords\[0\]\['share'\] is 1.5; allowed: a number 0..1"),
        ("chords", [{**CHORD, "share": "0.5"}], r"\['share'\] is '0.5'"),
        ("chords", [{**CHORD, "track": None}], r"chords\[0\]\['track'\] is None; allowed: a whole number"),
        ("chords", [{"track": 1}], r"chords\[0\] is {'track': 1}; allowed: the entries track, bar, chord"),
        ("chords", {"0": CHORD}, "chords is {.*; allowed: a list"),
        ("report", {"rows": []}, "report is {'rows': .*; allowed: a list"),
        ("report", ["row"], r"report\[0\] is 'row'; allowed: the entries"),
        ("remarks", ["good", 3], r"remarks\[1\] is 3; allowed: a text"),
        ("remarks", "abc", "remarks is 'abc'; allowed: a list"),
        ("adherence", 7, "adherence is 7; allowed: a number 0..1, or null"),
        ("adherence", [1], r"adherence is \[1\]"),
        ("log_prob", 10**400, "too large"),
        ("novelty", "1", "novelty is '1'; allowed: a float"),
        ("number", -1, r"number is -1; allowed: 0\.\."),
        ("notes", 2**40, r"notes is 1099511627776; allowed: 0\.\.2147483647"),
        ("label", 5, "label is 5; allowed: a text of at most 20000 characters"),
    ],
)  # fmt: skip
def test_o6_facts_of_a_take_are_checked(
    saved: Any, engine: Any, tmp_path: Path, entry: str, value: Any, words: str
) -> None:
    _, path = saved
    bad = _with(path, tmp_path / "bad.mgnb", lambda take: take.update({entry: value}))
    with pytest.raises(ProjectError, match=f"an open take in this file is damaged: .*{words}"):
        InfillEditor.from_file(bad, engine)


def test_o6_nan_in_a_report_is_refused_before_or_as_it_is_read() -> None:
    """The JSON of a file says NaN only when something else wrote it."""
    for share in (float("nan"), float("inf"), -0.1):
        with pytest.raises(ValueError, match=r"chords\[0\]\['share'\] is "):
            saved_takes._checked_rows("chords", [{**CHORD, "share": share}], saved_takes._CHORDS)
    (kept,) = saved_takes._checked_rows("chords", [CHORD], saved_takes._CHORDS)
    assert kept == CHORD


def _roles(track: Any) -> dict[str, Any]:
    return {"roles": {"1": track}}


HOSTILE_PLANS: list[tuple[Any, str]] = [
    (None, "plan is None; allowed: the entries roles"),
    ([], r"plan is \[\]; allowed: the entries roles"),
    ({"rules": {}}, "plan is {'rules': {}}; allowed: the entries roles"),
    ({"roles": None}, r"plan\['roles'\] is None; allowed: an object of at most"),
    ({"roles": [["1", {}]]}, r"plan\['roles'\] is \[\['1', {}\]\]; allowed: an object"),
    ({"roles": {"-1": {}}}, r"plan\['roles'\] has the entry '-1'; allowed: whole numbers from 0, as text"),
    ({"roles": {"x": {}}}, r"plan\['roles'\] has the entry 'x'"),
    ({"roles": {"1.5": {}}}, r"has the entry '1.5'"),
    ({"roles": {"\u0661": {}}}, r"has the entry '\u0661'"),
    ({"roles": {"01": {}}}, r"has the entry '01'"),
    ({"roles": {"9" * 5000: {}}}, r"has the entry '999"),
    ({"roles": {str(2**31): {}}}, r"has the entry '2147483648'"),
    (_roles("ignore"), r"plan\['roles'\]\['1'\] is 'ignore'; allowed: the entries track, bars"),
    (_roles({"more": 1}), r"\['1'\] is {'more': 1}; allowed: the entries track, bars"),
    (_roles({"track": 3}), r"\['1'\]\['track'\] is 3; allowed: context, continue, ignore"),
    (_roles({"track": "locked"}), r"\['track'\] is 'locked'; allowed: context, continue, ignore"),
    (_roles({"track": ["ignore"]}), r"\['track'\] is \['ignore'\]"),
    (_roles({"track": None}), r"\['track'\] is None"),
    (_roles({"bars": ["locked"]}), r"\['1'\]\['bars'\] is \['locked'\]; allowed: an object"),
    (_roles({"bars": {"4": "continue"}}), r"\['bars'\]\['4'\] is 'continue'; allowed: context, generate"),
    (_roles({"bars": {"4": {}}}), r"\['bars'\]\['4'\] is {}; allowed: context, generate, hidden, locked"),
    (_roles({"bars": {"4": True}}), r"\['bars'\]\['4'\] is True"),
    (_roles({"bars": {"four": "locked"}}), r"\['bars'\] has the entry 'four'"),
]  # fmt: skip


def test_o6_the_plan_of_a_take_is_checked_entry_by_entry(saved: Any, engine: Any, tmp_path: Path) -> None:
    _, path = saved
    for plan, words in HOSTILE_PLANS:
        bad = _with(path, tmp_path / "bad.mgnb", lambda take, own=plan: take.update(plan=own))
        with pytest.raises(ProjectError, match=f"an open take in this file is damaged: .*{words}"):
            InfillEditor.from_file(bad, engine)
    good = {"roles": {"0": {"track": "ignore"}, "1": {"bars": {"4": "generate", "9": "locked"}}}}
    for plan in ({}, {"roles": {}}, good):
        fine = _with(path, tmp_path / "fine.mgnb", lambda take, own=plan: take.update(plan=own))
        again = InfillEditor.from_file(fine, engine)
        assert again.takes[0].plan == plan and len(again.takes) == 3
        again.close()


def test_o6_the_plan_that_a_take_was_made_with_is_opened_again(
    example: Score, connect: Any, engine: Any, tmp_path: Path
) -> None:
    editor, _ = connect(InfillEditor, example, engine)
    editor.plan = {"roles": {"0": {"track": "ignore"}, "2": {"bars": {"4": "locked", "5": "hidden"}}}}
    editor.generate(CELLS, takes=2, model_dim=4, seed=3).result(60)
    editor.save(tmp_path / "song.mgnb")
    again = InfillEditor.from_file(tmp_path / "song.mgnb", engine)
    assert again.takes[0].plan == editor.takes[0].plan == editor.plan
    again.close()
