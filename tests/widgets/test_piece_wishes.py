"""Chords, style, and how sure the model was, in an editor: traits, requests, undo, code, files."""

from __future__ import annotations

import json
import time
from pathlib import Path

import numpy as np
import pytest
import traitlets

from midigpt_nb import InfillEditor
from midigpt_nb.errors import ScoreError
from midigpt_nb.widgets.bar_numbers import bars_after, chords_after
from midigpt_nb.widgets.capabilities import capabilities
from midigpt_nb.widgets.protocol import DOUBT_DTYPE

CONFIGS = Path(__file__).parents[1] / "reference" / "configs"
CELLS = [(2, 4), (2, 5)]


def settled(check, seconds=10.0):
    end = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < end
        time.sleep(0.02)


def figures(page):
    answer, buffers = page.request("uncertainty")
    records = np.frombuffer(bytes(buffers[0]), DOUBT_DTYPE)
    assert answer["count"] == len(records)
    return records


# --- chords


def test_a7_chords_are_set_cleared_and_undone(connect, example, engine):
    editor, page = connect(InfillEditor, example, engine)
    editor.set_chords("Am F", bars=range(4, 8))
    assert editor.chords == {4: "Am", 5: "F", 6: "Am", 7: "F"} and editor.can_undo
    assert page.updates("chords")[-1] == {"4": "Am", "5": "F", "6": "Am", "7": "F"}
    before = editor.score.hash()
    editor.select(2, [5])
    editor.set_chords("")
    assert 5 not in editor.chords and 4 in editor.chords
    assert editor.undo() and editor.chords[5] == "F"
    assert editor.undo() and editor.chords == {} and not editor.can_undo
    assert editor.redo() and editor.chords[4] == "Am" and editor.score.hash() == before
    editor.chords = {0: "Cmaj7"}
    assert editor.undo() and editor.chords[4] == "Am"


def test_a7_wrong_chords_change_nothing(connect, example, engine):
    editor, page = connect(InfillEditor, example, engine)
    editor.set_chords("Am", bars=[4])
    with pytest.raises(ScoreError, match="chord 2: 'Q' is no chord"):
        editor.set_chords("C Q", bars=[4, 5])
    with pytest.raises(traitlets.TraitError, match=r"chords\[99\]: there is no such bar"):
        editor.chords = {99: "C"}
    answer, _ = page.request("chords", text="C Fmay7", bars=[4, 5])
    assert answer["k"] == "error" and "chord 2: there is no chord 'Fmay7'" in answer["message"]
    assert "did you mean 'Fmaj7'" in answer["message"] and answer["hint"]
    assert editor.chords == {4: "Am"}


def test_a7_the_page_types_chords(connect, example, engine):
    editor, page = connect(InfillEditor, example, engine)
    assert page.request("chords", text="| Am | % |", bars=[2, 3, 4, 5])[0]["k"] == "ok"
    assert editor.chords == {2: "Am", 3: "Am", 4: "Am", 5: "Am"}
    assert page.request("chords", text="Dm G C", bars=[8], spill=True)[0]["k"] == "ok"
    assert [editor.chords[bar] for bar in (8, 9, 10)] == ["Dm", "G", "C"]
    assert (
        "the piece ends with bar 16"
        in page.request("chords", text="A B", bars=[15], spill=True)[0]["message"]
    )
    editor.readonly = True
    assert page.request("chords", text="", bars=[2])[0]["code"] == "readonly"


def test_a7_the_chords_that_are_heard_follow_the_notes(connect, example, engine):
    editor, page = connect(InfillEditor, example, engine)
    settled(lambda: editor.heard_chords == example.chords().names)
    editor.score = example.transpose(2)
    settled(lambda: editor.heard_chords == example.transpose(2).chords().names)
    assert page.updates("heard_chords")


def test_a7_generated_bars_keep_to_the_chords_and_say_how_well(connect, example, engine):
    editor, _ = connect(InfillEditor, example, engine)
    editor.set_chords("Am F", bars=[4, 5], strict=True)
    job = editor.generate(CELLS, seed=5)
    job.result(timeout=60)
    for bar, chord in ((4, {9, 0, 4}), (5, {5, 9, 0})):
        first, last = editor.score.table.note_rows(2, bar)
        assert {int(p) % 12 for p in editor.score.table.notes[first:last, 2]} <= chord
    settled(lambda: editor.adherence.get("bar", {}).get("2", {}).get("4") == {"chord": 1.0})
    editor.undo()
    settled(lambda: not editor.adherence["bar"])
    takes = editor.generate(CELLS, takes=2, seed=1, chord_mode="soft")
    takes.result(timeout=60)
    for take in editor.takes:
        shares = [row.share for row in take.report.chords]
        assert take.adherence == pytest.approx(np.mean(shares))


def test_a7_drums_are_not_touched_by_chords(connect, example, engine):
    editor, _ = connect(InfillEditor, example, engine)
    plain = editor.generate([(0, 4)], seed=3).result(60).hash()
    editor.undo()
    assert editor.generate([(0, 4)], seed=3, chords="C", chord_mode="strict").result(60).hash() == plain


def test_a7_the_outlook_says_that_the_model_does_not_know_chords(connect, example, engine):
    editor, page = connect(InfillEditor, example, engine)
    editor.set_chords("Am", bars=[4])
    answer, _ = page.request("outlook", selection={"cells": [[2, 4]]})
    assert editor.caps["chords"]["words"] in answer["warnings"] and not editor.caps["chords"]["known"]


def test_p1_a7_the_program_repeats_chords_and_settings(connect, example, engine):
    editor, _ = connect(InfillEditor, example, engine)
    editor.set_chords("Am F C", bars=[4, 5, 6], strict=True)
    editor.generate(CELLS, seed=5).result(timeout=60)
    program = editor.code()
    assert "chords={4: 'Am', 5: 'F'}, chord_mode='strict'" in program
    found: dict = {}
    exec(program, found)
    roll = found["roll"]
    assert roll.score.hash() == editor.score.hash()
    assert roll.chords == editor.chords and roll.chord_mode == "strict"
    roll.close()


def test_o6_a7_chords_are_saved(connect, example, engine, tmp_path):
    editor, _ = connect(InfillEditor, example, engine)
    editor.chords, editor.chord_mode = {3: "Bb7"}, "strict"
    editor.save(tmp_path / "song.mgnb")
    again = InfillEditor.from_file(tmp_path / "song.mgnb", engine)
    assert (again.chords, again.chord_mode, again.can_undo) == ({3: "Bb7"}, "strict", False)
    again.close()


def test_a7_chords_stay_with_their_bars(connect, example, engine):
    editor, page = connect(InfillEditor, example, engine)
    editor.chords = {1: "Am", 4: "F"}
    ops = [{"op": "bars_insert", "at": 2, "count": 2}]
    assert page.request("ops", label="Insert", ops=ops)[0]["k"] == "ok"
    assert editor.chords == {1: "Am", 6: "F"}
    editor.undo()
    assert editor.chords == {1: "Am", 4: "F"}
    editor.score = editor.score[0:3]
    assert editor.chords == {1: "Am"}, "bars that went take their chords along"
    assert chords_moved({0: "C", 2: "G", 5: "F"}, {"op": "bars_delete", "first": 1, "count": 2}) == {
        0: "C",
        3: "F",
    }
    assert chords_moved({0: "C", 1: "G"}, {"op": "bars_duplicate", "first": 0, "count": 1}) == {
        0: "C", 1: "C", 2: "G"
    }  # fmt: skip


def chords_moved(chords, op):
    copied, fresh = {}, iter(range(90, 99))
    now = bars_after(range(8), [op], None, lambda: next(fresh), copied)
    return chords_after(chords, range(8), now, copied)


# --- style


@pytest.fixture(scope="module")
def styled():
    """An engine of random words whose model knows styles."""
    from midigpt_nb.inference import InferenceEngine
    from midigpt_nb.inference.backends.scripted import ScriptedBackend
    from midigpt_nb.tokenizer import Tokenizer

    tokenizer = Tokenizer(json.loads((CONFIGS / "expressive.json").read_text()))
    return InferenceEngine(ScriptedBackend(tokenizer.vocab.size, max_context=8192), tokenizer, name="styled")


def test_a2_a_model_with_styles_offers_them_in_plain_words(connect, example, styled):
    editor, page = connect(InfillEditor, example, styled)
    row = next(row for row in editor.caps["piece"] if row["name"] == "genre")
    assert row["label"] == "Style" and "jazz" in row["choices"] and editor.caps["piece_absent"] == []
    page.set(piece={"genre": "jazz"})
    assert editor.piece == {"genre": "jazz"}
    request = editor._build_request(styled, editor._document.state, CELLS, editor._asked_now())
    assert request.controls == {"genre": "jazz"}
    with pytest.raises(traitlets.TraitError, match="genre is 'polka'; allowed: asian, baroque"):
        editor.piece = {"genre": "polka"}
    with pytest.raises(traitlets.TraitError, match="this model has no choice 'mood'"):
        editor.piece = {"mood": "sad"}
    job = editor.generate([(2, 4)], seed=1, max_tokens=60, piece={"genre": "rock"})
    settled(lambda: job.done)
    assert "piece={'genre': 'rock'}" in job._python


def test_a2_a_model_without_styles_says_so(engine):
    caps = capabilities(engine)
    assert caps["piece"] == [] or all(row["name"] != "genre" for row in caps["piece"])
    assert {"label": "Style", "why": "this model knows no styles"} in caps["piece_absent"]


def test_a8_temperature_is_the_only_setting_of_the_first_level(engine):
    caps = capabilities(engine)
    assert [row["name"] for row in caps["settings"] if not row["advanced"]] == ["temperature"]
    first = {row["name"].removeprefix("bar_") for row in caps["attributes"] if not row["advanced"]}
    assert first == {
        "note_density", "min_polyphony", "max_polyphony", "min_note_duration", "max_note_duration",
        "pitch_range",
    }  # fmt: skip


# --- how sure the model was


def test_k5_figures_travel_with_takes_and_after_accept(connect, example, engine):
    editor, page = connect(InfillEditor, example, engine)
    assert len(figures(page)) == 0
    job = editor.generate(CELLS, takes=2, seed=2)
    job.result(timeout=60)
    best = editor.takes[0]
    assert len(best.uncertainty) == best.notes and job.uncertainty is best.uncertainty
    assert len(figures(page)) == best.notes
    editor.active_take = editor.takes[1].id
    assert len(figures(page)) == editor.takes[1].notes
    editor.accept(best)
    records = figures(page)
    assert len(records) == best.notes and records.nbytes == 20 * best.notes
    assert sorted(records["pitch"].tolist()) == sorted(best.uncertainty.pitch.tolist())
    assert set(records["track"]) == {2} and records["onset"].min() >= editor.score.bar_starts[4]
    bits = best.uncertainty.pitch_bits
    assert np.allclose(np.sort(records["bits"][:, 1] / 25), np.sort(bits), atol=0.021)


def test_k5_figures_follow_undo_and_go_with_an_edit(connect, example, engine):
    editor, page = connect(InfillEditor, example, engine)
    job = editor.generate(CELLS, seed=2)
    job.result(timeout=60)
    count = len(figures(page))
    assert count == len(job.uncertainty) > 1
    editor.undo()
    assert len(figures(page)) == 0
    editor.redo()
    assert len(figures(page)) == count
    track, bar = CELLS[0]
    editor.score = editor.score.move_notes([(track, bar, 0)], semitones=-20)
    assert len(figures(page)) == count - 1, "a note that was changed is no longer the model's"


def test_k5_nothing_is_kept_when_it_is_not_wanted(connect, example, engine):
    editor, page = connect(InfillEditor, example, engine)
    editor.watch_uncertainty = False
    job = editor.generate([(2, 4)], seed=2)
    job.result(timeout=60)
    assert job.uncertainty is None and len(figures(page)) == 0


def test_k5_memory_is_bounded(example):
    from midigpt_nb.inference.uncertainty import NoteDoubt, Uncertainty
    from midigpt_nb.widgets import doubts

    memory, table = doubts.DoubtMemory(), example.table
    for bar in range(16):
        first, last = table.note_rows(2, bar)
        rows = [NoteDoubt(int(o), int(p), (None,) * 4) for o, p in table.notes[first:last, [0, 2]]]
        memory.learn(Uncertainty({(2, bar): rows}, []), table)
    whole = memory.values(table)
    assert len(whole) == sum(np.diff(table.note_rows(2, bar))[0] for bar in range(16))
    assert (whole["bits"] == 255).all() and doubts._KEPT * DOUBT_DTYPE.itemsize <= 400_000
