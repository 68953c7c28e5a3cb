"""Attribute lanes: curves from Python, announced values and adherence, what is within reach, the figure."""

from __future__ import annotations

import random
import time
from types import SimpleNamespace

import numpy as np
import pytest
from fakes import FakeEngine, eventually

from midigpt_nb import InfillEditor, Note, Score
from midigpt_nb._core import ScoreTable
from midigpt_nb.inference.report import AttributeReport, Report
from midigpt_nb.widgets.capabilities import Realized, capabilities, reachable_values, realized_values
from midigpt_nb.widgets.report_memory import ReportMemory


@pytest.fixture
def editor(connect, example):
    widget, _ = connect(InfillEditor, example, engine=FakeEngine())
    return widget


# --- curves


def test_a2_a_curve_is_one_level_per_bar(editor):
    editor.set_curve("note_density", 1, range(4, 8), [2, 4.4, None, 8])
    assert editor.attributes == {
        "track": {},
        "bar": {
            "1": {"4": {"bar_note_density": 2}, "5": {"bar_note_density": 4}, "7": {"bar_note_density": 8}}
        },
    }
    assert editor.curve("bar_note_density", 1)[3:9] == [None, 2, 4, None, 8, None]
    editor.set_curve("bar_note_density", 1, 5)
    assert editor.curve("bar_note_density", 1)[5] is None
    editor.set_curve("bar_note_density", 1)
    assert editor.attributes == {"track": {}, "bar": {}}


def test_a2_a_dict_has_a_level_for_each_of_its_bars(editor):
    editor.set_curve("note_density", 1, {2: 3, 5: 7})
    assert [bar for bar, level in enumerate(editor.curve("bar_note_density", 1)) if level is not None] == [
        2,
        5,
    ]
    assert editor.curve("bar_note_density", 1)[2:6:3] == [3, 7]
    with pytest.raises(ValueError, match="give one of them"):
        editor.set_curve("note_density", 1, {2: 3}, 4)


def test_a2_levels_have_words_and_tracks_have_names(editor):
    name = editor.score.track_names[1]
    editor.set_curve("note_density", name, 3, "dense")
    assert editor.curve("bar_note_density", name)[3] == 7
    editor.set_curve("note_density", 1, values=6)  # the whole track's, where no bars are named
    assert editor.attributes["track"] == {"1": {"note_density": 6}} and editor.curve("note_density", 1) == [6]


def test_a2_copy_measured_to_requested(editor):
    measured = editor.measured("bar_note_density", 0)
    editor.set_curve("bar_note_density", 0, values=measured)
    assert editor.curve("bar_note_density", 0) == measured and len(measured) == editor.score.n_bars
    eventually(lambda: bool(editor.realized))
    assert [editor.realized["bar"]["0"][str(b)]["bar_note_density"] for b in range(len(measured))] == measured


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("density", 0, 1, 3), "no attribute 'density'"),
        (("note_density", "Tuba", 1, 3), "no track is named 'Tuba'"),
        (("note_density", 0, 99, 3), "bar 99 does not exist"),
        (("note_density", 0, 1, 10), "allowed: 0..9"),
        (("note_density", 0, 1, "loud"), "'sparsest', "),
        (("note_density", 0, [1, 2], [1]), "1 values for 2 bars"),
        (("note_density", 0, 1, np.nan), "allowed: 0..9"),
    ],
)
def test_a2_wrong_curves_name_the_choices(editor, arguments, words):
    with pytest.raises(ValueError, match=words.replace("(", r"\(")):
        editor.set_curve(*arguments)
    assert editor.attributes == {"track": {}, "bar": {}}


# --- what the page is told of the model


def test_a1_caps_describe_every_attribute(editor):
    rows = {row["name"]: row for row in capabilities(FakeEngine())["attributes"]}
    assert list(rows) == ["note_density", "bar_note_density"]
    row = rows["bar_note_density"]
    assert row["label"] == "note density" and row["value_labels"][7] == "dense" and row["size"] == 10
    assert not row["advanced"] and not row["nominal"] and row["help"]
    assert "key signature" in editor.caps["absent"] and "note density" not in editor.caps["absent"]


def test_a8_settings_come_with_range_and_meaning(editor):
    rows = {row["name"]: row for row in editor.caps["settings"]}
    first = [name for name, row in rows.items() if not row["advanced"]]
    assert first == ["temperature"]
    assert rows["adherence"]["choices"] == ["off", "best", "strict"] and rows["adherence"]["kind"] == "choice"
    assert rows["mask_mode"]["choices"] == ["auto", "token"]  # what this model can
    assert rows["top_p"]["high"] == 1 and rows["silence_check"]["kind"] == "switch"
    assert rows["max_attempts"]["low"] == 1 and all(row["help"] for row in rows.values())


# --- announced, adherence


def report_of(score, bars, announced=5, requested=6, realised=4):
    rows = [AttributeReport(1, b, "bar_note_density", 10, requested, announced, realised, (b,)) for b in bars]
    return Report([*rows, AttributeReport(1, None, "note_density", 10, 3, 3, 3, tuple(bars))])


def test_a5_reports_follow_the_notes(example):
    memory = ReportMemory()
    memory.learn(report_of(example, [4, 5]), example.table)
    announced, adherence = memory.values(example.table)
    assert announced["bar"] == {"1": {"4": {"bar_note_density": 5}, "5": {"bar_note_density": 5}}}
    assert adherence["bar"]["1"]["4"]["bar_note_density"] == pytest.approx(1 - 2 / 9)
    assert adherence["track"] == {"1": {"note_density": 1.0}} and announced["track"]["1"]["note_density"] == 3
    edited = example.table.replaced([(1, 4)], [np.array([[0, 480, 40, 90, 0]])])
    announced, adherence = memory.values(edited)
    assert list(announced["bar"]["1"]) == ["5"] and announced["track"] == {} == adherence["track"]
    memory.learn(report_of(example, [4], announced=9), edited)
    assert memory.values(edited)[0]["bar"]["1"]["4"] == {"bar_note_density": 9}
    assert memory.values(example.table)[0]["bar"]["1"]["4"] == {"bar_note_density": 5}  # undo


def test_a5_announced_and_adherence_after_a_job(connect, example, engine):
    editor, page = connect(InfillEditor, example, engine=engine)
    editor.select(tracks=1, bars=[4, 5])
    editor.set_curve("note_density", 1, [4, 5], [2, 7])
    editor.generate(seed=3).result(120)
    eventually(lambda: bool(editor.adherence.get("bar")))
    report = Report()
    kept = {b: v["bar_note_density"] for b, v in editor.adherence["bar"]["1"].items()}
    said = {b: v["bar_note_density"] for b, v in editor.announced["bar"]["1"].items()}
    assert set(kept) == {"4", "5"} and all(0 <= value <= 1 for value in kept.values())
    assert said == {"4": 2, "5": 7}  # wishes stand in the sequence as they were asked
    own = editor.measured("bar_note_density", 1)
    wanted = {"4": 1 - abs(own[4] - 2) / 9, "5": 1 - abs(own[5] - 7) / 9}
    assert kept == pytest.approx(wanted)
    assert page.updates("adherence")[-1] == editor.adherence and report == []
    editor.undo()
    eventually(lambda: editor.adherence, {"track": {}, "bar": {}})
    editor.redo()
    eventually(lambda: bool(editor.adherence["bar"]))


def test_a5_each_take_has_its_own_numbers(connect, example, engine):
    editor, _ = connect(InfillEditor, example, engine=engine)
    editor.select(tracks=1, bars=[4])
    editor.set_curve("note_density", 1, 4, 9)
    takes = editor.generate(takes=2, seed=5).result(120) and editor.takes

    def shown():
        return editor.adherence.get("bar", {}).get("1", {}).get("4", {}).get("bar_note_density")

    for take in takes:
        editor.active_take = take.id
        row = take.report.of(1, 4).wishes
        eventually(shown, row.adherence)
        assert editor.realized["bar"]["1"]["4"]["bar_note_density"] == row[0].realised


# --- within reach


def test_a4_reachable_is_what_the_engine_says(engine):
    score = Score.example()
    values = reachable_values(engine, score.table, [(1, 4), (1, 5)])
    reach = engine.attributes.reachable(score, {1: [4, 5]}, whole_track=False)
    for track, bars in values["bar"].items():
        for bar, own in bars.items():
            for name, ends in own.items():
                assert tuple(ends) == reach.range(name, int(track), int(bar))
    for name, ends in values["track"].get("1", {}).items():
        assert tuple(ends) == reach.range(name, 1, 4)
    assert reachable_values(engine, score.table, []) == {"track": {}, "bar": {}}


def test_a4_reachable_follows_selection_and_settings(connect, example, engine):
    editor, page = connect(InfillEditor, example, engine=engine)
    editor.sampling = {"sounding_limit": 2, "density_hard_limit": 3}
    editor.select(tracks=1, bars=[2])
    eventually(lambda: list(editor.reachable.get("bar", {})), ["1"])
    own = editor.reachable["bar"]["1"]["2"]
    assert own["bar_max_polyphony"] == [0, 1] and own["bar_note_density"][1] < 9
    assert list(editor.reachable["bar"]["1"]) == ["2"]
    score = editor.generate(seed=1).result(120)
    level = engine.attributes.bar_values(score, 1)["bar_note_density"][2]
    assert level <= own["bar_note_density"][1]
    editor.sampling = {}
    eventually(lambda: editor.reachable, reachable_values(engine, example.table, [(1, 2)]))
    assert page.updates("reachable")


# --- the figure


def test_a6_trajectories_show_the_three_series(connect, example, engine):
    editor, _ = connect(InfillEditor, example, engine=engine)
    editor.select(tracks=1, bars=[4, 5])
    editor.set_curve("note_density", "Bass" if "Bass" in example.track_names else 1, [4, 5], [2, 7])
    editor.generate(seed=3).result(120)
    figure = editor.trajectories("note_density", [1])
    legend = [text.get_text() for text in figure.legends[0].get_texts()]
    assert {"requested", "announced", "generated"} <= set(legend)
    drawn = next(line for line in figure.axes[0].lines if len(line.get_ydata()) == example.n_bars)
    assert drawn.get_ydata().tolist() == editor.measured("bar_note_density", 1)
    takes = editor.generate(takes=2, seed=4).result(120) and editor.takes
    figure = editor.trajectories("note_density", [1], takes=takes)
    legend = [text.get_text() for text in figure.legends[0].get_texts()]
    assert {"take 1", "take 2"} <= set(legend)
    assert isinstance(editor.score, Score)


# --- before it runs


def test_g4_empty_bars_without_wishes_are_warned_of(connect, example, engine):
    table = example.table.replaced([(1, 4), (1, 5)], [np.zeros((0, 5), int)] * 2)
    editor, page = connect(InfillEditor, example.with_table(table), engine=engine)
    editor.select(tracks=1, bars=[4, 5])
    (warning, *_) = editor.outlook().warnings
    assert "is empty in these bars" in warning and example.track_names[1] in warning
    answer, _ = page.request("outlook", selection={"cells": [[1, 4], [1, 5]]})
    assert answer["warnings"][0] == warning
    editor.set_curve("note_density", 1, [4, 5], 5)
    assert not any("is empty" in words for words in editor.outlook().warnings)


def test_g4_a_full_context_is_warned_of(connect, example, engine):
    editor, _ = connect(InfillEditor, example, engine=engine)
    editor.select(tracks=1, bars=[4])
    assert editor.outlook().warnings == ()
    many = [np.array([[12 * k, 12, 40 + k % 40, 90, 0] for k in range(48)])] * 16
    loud = example.table.replaced([(0, bar) for bar in range(16)], many)
    full, _ = connect(InfillEditor, example.with_table(loud), engine=engine)
    full.select(tracks=1, bars=range(2, 14))
    words = " ".join(full.outlook().warnings)
    assert "will not see" in words or "nearly full" in words


def test_g4_an_unknown_window_is_refused_with_the_choices(connect, example, engine):
    editor, page = connect(InfillEditor, example, engine=engine)
    editor.select(tracks=1, bars=[4])
    editor.sampling = {"model_dim": 5}
    answer, _ = page.request("outlook", selection={"cells": [[1, 4]]})
    assert answer["k"] == "error" and "model_dim" in answer["message"] and "4, 8" in answer["message"]


def test_m8_what_the_model_sees_of_very_many_bars_is_not_worked_out(connect, engine, monkeypatch):
    monkeypatch.setattr("midigpt_nb.widgets.infill_editor._MOST_SEEN", 7)
    _, page = connect(InfillEditor, Score.example(), engine)
    many = [[1, bar] for bar in range(8)]
    answer, _ = page.request("outlook", selection={"cells": many[:7]})
    assert answer["steps"] and not any("take long" in words for words in answer["warnings"])
    answer, _ = page.request("outlook", selection={"cells": many})
    assert answer["steps"] == [] and answer["warnings"][0].startswith("8 bars take long to write")
    answer, _ = page.request("outlook", selection={"cells": [*many, [1, 99]]})
    assert answer["code"] == "no_such_bar"


# --- large pieces


def large():
    """32 tracks x 2,000 bars, 60,000 notes."""
    rng = np.random.default_rng(3)
    cuts = np.sort(rng.integers(0, 60_000, 64_000 - 1))
    bars = np.zeros((64_000, 4), np.int32)
    bars[1:, 0], bars[:, 1:3] = cuts, 4
    ends = ((0, 1920), (1, 900), (36, 90), (1, 127), (0, 1))
    notes = np.stack([rng.integers(*each, 60_000, dtype=np.int32) for each in ends], axis=1)
    tracks = [(2000 * i, i, int(i % 4 == 3)) for i in range(32)]
    return Score.from_table(ScoreTable(notes, bars, np.array(tracks, np.int32), 480))


def cpu_ms(work, times=3):
    """The least processor time of some calls, in ms: others share this machine."""
    found = []
    for i in range(times):
        start = time.process_time()
        work(i)
        found.append(1000 * (time.process_time() - start))
    return min(found)


def test_t4_generate_is_answered_at_once_for_the_largest_piece(connect, engine):
    """Also when somebody has looked at the notes of `score`, which makes objects of them."""
    editor, page = connect(InfillEditor, large(), engine)
    worker, tasks = editor._handle.worker, []
    editor._handle.worker = SimpleNamespace(submit=tasks.append, drive=worker.drive, patient=worker.patient)
    assert editor.score.tracks[0].bars[0].ts_numerator == 4
    cells = [[1, bar] for bar in range(1000, 1004)]
    wishes = {"track": {}, "bar": {"1": {str(bar): {"bar_note_density": 3} for bar in range(2000)}}}

    def ask(_i):
        answer, _ = page.request("generate", selection={"cells": cells}, attributes=wishes)
        assert answer["k"] == "ok", answer

    assert cpu_ms(ask) <= 50 and len(tasks) == 3
    answer, _ = page.request("generate", selection={"cells": cells}, sampling={"model_dim": 3})
    assert answer["k"] == "error" and "model_dim" in answer["message"], "what is wrong is told at once"
    editor._handle.worker = worker


def test_the_largest_piece_is_measured_within_its_budget(engine):
    score, memory = large(), Realized()
    tables = [score.table.replaced([(3 * i, 7)], [np.array([[0, 99, 60, 64, 0]])]) for i in range(3)]
    memory.values(engine, score.table)
    assert cpu_ms(lambda i: memory.values(engine, tables[i])) <= 75
    assert cpu_ms(lambda i: realized_values(engine, tables[i])) <= 250


def test_what_is_measured_after_random_edits_is_what_a_fresh_measure_says(engine):
    rng = random.Random(5)
    score, memory = Score.example(), Realized()
    past = [score]
    for _ in range(150):
        score = random_edit(rng, score)
        past.append(score)
        if rng.random() < 0.15:
            score = rng.choice(past)
        assert memory.values(engine, score.table) == realized_values(engine, score.table)


def random_edit(rng, score):
    track, bar = rng.randrange(score.n_tracks), rng.randrange(score.n_bars)
    note = Note(rng.randrange(30, 90), rng.randrange(1, 127), rng.randrange(1500), rng.randrange(1, 4000))
    return rng.choice(
        [
            lambda: score.add_notes(track, bar, [note]),
            lambda: score.add_notes(track, bar, [note, note]),
            lambda: score.with_table(score.table.replaced([(track, bar)], [np.zeros((0, 5), np.int32)])),
            lambda: score.transpose(rng.choice([-1, 1])),
            lambda: score.insert_bars(bar, 1),
            lambda: score.delete_bars([bar]) if score.n_bars > 8 else score.duplicate_bars([bar]),
            lambda: score.set_metre(range(bar, bar + 1), rng.choice([(3, 4), (7, 8), (4, 4)])),
            lambda: score.set_instrument(track, rng.randrange(128)),
            lambda: score.add_track(rng.randrange(128), drum=rng.random() < 0.3),
            lambda: score.delete_track(track) if score.n_tracks > 2 else score.duplicate_track(track),
        ]
    )()
