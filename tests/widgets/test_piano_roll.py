"""PianoRoll: traits, requests of the page, display, threads."""

from __future__ import annotations

import base64
import gc
import os
import random
import subprocess
import sys
import threading
import time
import weakref

import ipywidgets
import numpy as np
import pytest
from traitlets import TraitError

import midigpt_nb as mg
from midigpt_nb import PianoRoll, Score, show
from midigpt_nb.widgets.protocol import unpack_document

pytestmark = pytest.mark.timeout(120)


def without_bar(score: Score, track: int, bar: int) -> Score:
    """The score with one bar emptied."""
    return score.with_table(score.table.replaced([(track, bar)], [np.zeros((0, 5), int)]))


def shown(roll: PianoRoll):
    return unpack_document(roll._doc)


def test_repr_is_one_plain_line(example):
    text = repr(PianoRoll(example))
    assert text == f"PianoRoll(4 tracks, 16 bars, {example.n_notes:,} notes)"
    one = Score([mg.Track([mg.Bar([mg.Note(60, 90, 0, 10)])])])
    assert repr(PianoRoll(one)) == "PianoRoll(1 track, 1 bar, 1 note)"


def test_unknown_arguments_are_refused_with_a_suggestion(example):
    with pytest.raises(TypeError, match="did you mean 'height'"):
        PianoRoll(example, heigth=300)
    with pytest.raises(TypeError):
        PianoRoll(example, _doc=b"")
    with pytest.raises(TypeError, match="needs a Score"):
        PianoRoll("song.mid")
    assert PianoRoll(example, height=300, theme="dark").height == 300


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("height", 3),
        ("theme", "pink"),
        ("loop", [4, 4]),
        ("loop", [1]),
        ("selection", {"cells": [[0, 16]]}),
        ("selection", {"cells": [[9, 0]]}),
        ("selection", {"cells": [[0, -1]]}),
        ("selection", "0:3"),
        ("attributes", {"pitch": {}}),
        ("attributes", {"track": {"0": {"note_density": "high"}}}),
        ("attributes", {"bar": {"0": {"x": {}}}}),
        ("score", "song.mid"),
        ("status", "thinking"),
    ],
)
def test_invalid_values_raise_and_change_nothing(example, name, value):
    roll = PianoRoll(example)
    before = getattr(roll, name)
    with pytest.raises(TraitError):
        setattr(roll, name, value)
    assert getattr(roll, name) == before


def test_selection_has_one_normal_form(example):
    roll = PianoRoll(example)
    roll.selection = [(1, 5), (1, 4), (1, 5)]
    assert roll.selection == {"cells": [[1, 4], [1, 5]]} and roll.selected_cells == [(1, 4), (1, 5)]
    roll.select(tracks=2, bars=range(2))
    assert roll.selected_cells == [(2, 0), (2, 1)]
    roll.select(bars=slice(-1, None))
    assert roll.selected_cells == [(t, 15) for t in range(4)]
    roll.select([], [])
    assert roll.selected_cells == []
    roll.select()
    assert len(roll.selected_cells) == 64
    with pytest.raises(ValueError, match=r"bar 16 does not exist; there are 0\.\.15"):
        roll.select(bars=16)


def test_selected_notes_are_known_in_python_and_go_along(example, connect):
    roll, page = connect(PianoRoll, example)
    roll.select(1, 4)
    roll.select_notes("Bass" if "Bass" in example.track_names else 1, [4, 5], lambda note: note.pitch > 30)
    ids = roll.selection["notes"]
    assert ids and roll.selected_cells == [(1, 4)]
    assert [note for _, _, note in roll.selected_notes] == [
        note for bar in (4, 5) for note in example.tracks[1].bars[bar].notes if note.pitch > 30
    ]
    assert {(track, bar) for track, bar, _ in roll.selected_notes} == {(1, 4), (1, 5)}
    page.set(selection={"cells": [], "notes": [ids[1], ids[0], ids[0], 10**9]})  # the last one has gone
    assert roll.selection == {"cells": [], "notes": ids[:2]} and roll.error is None
    first = roll.selected_notes[0]
    page.request("ops", label="Delete", ops=[{"op": "notes", "remove": [ids[1]], "count": 0}])
    assert roll.selection["notes"] == ids[:1] and roll.selected_notes == [first]
    roll.undo()
    assert roll.selection["notes"] == ids[:2]  # it is back, and selected as it was
    assert "notes" not in roll.code() and "notes" not in roll._project().traits["selection"]
    roll.select(2)
    assert roll.selection["notes"] == ids[:2]
    roll.select_notes([])
    assert "notes" not in roll.selection and roll.selected_notes == []
    for wrong in ("1", [-1], [1.5], {"a": 1}):
        with pytest.raises(TraitError):
            roll.selection = {"cells": [], "notes": wrong}


def test_attributes_have_one_normal_form(example):
    roll = PianoRoll(example)
    roll.attributes = {
        "track": {1: {"note_density": 3, "pitch_range": None}, 2: {}},
        "bar": {1: {4: {"d": 2}, 5: {}}},
    }
    assert roll.attributes == {"track": {"1": {"note_density": 3}}, "bar": {"1": {"4": {"d": 2}}}}


def test_assigning_a_score_updates_the_page_and_tells_observers(example, connect):
    roll, page = connect(PianoRoll, example)
    heard = []
    roll.observe(lambda change: heard.append((change["name"], change["old"], change["new"])), "score")
    roll.on("score", lambda event: heard.append(event["event"]))
    other = without_bar(example, 1, 4)
    roll.score = other
    assert heard[0][0] == "score" and heard[0][1] == example and heard[0][2] == other
    assert heard[1] == "score" and len(heard) == 2
    assert roll.score == other and roll._rev == 1 and roll.can_undo
    header, notes, _ = unpack_document(page.updates("_doc")[-1])
    assert header["rev"] == 1 and len(notes) == other.n_notes
    roll.score = other  # the same music again: nothing happens
    assert roll._rev == 1 and len(heard) == 2


def test_undo_and_redo_from_python_and_from_the_page(example, connect):
    roll, page = connect(PianoRoll, example)
    midi = roll.to_midi()
    roll.score = without_bar(example, 1, 4)
    changed = roll.to_midi()
    assert page.request("undo")[0]["k"] == "ok"
    assert roll.to_midi() == midi and roll.can_redo and not roll.can_undo
    assert roll.redo() and roll.to_midi() == changed
    assert roll.undo() and not roll.undo()
    assert page.request("undo")[0]["k"] == "ok"  # nothing to undo is no failure
    assert roll.to_midi() == midi == example.to_midi()


def test_the_selection_is_clipped_to_a_shorter_piece(example, connect):
    roll, page = connect(PianoRoll, example)
    roll.select(bars=[0, 15])
    roll.score = Score([mg.Track([mg.Bar(), mg.Bar()])])
    assert roll.selected_cells == [(0, 0)] and page.updates("selection")[-1] == {"cells": [[0, 0]]}


def test_to_midi_writes_the_file(example, tmp_path):
    PianoRoll(example).to_midi(tmp_path / "x.mid")
    assert (tmp_path / "x.mid").read_bytes() == example.to_midi()


def test_what_the_page_sets_arrives_and_bad_values_are_sent_back(example, connect):
    roll, page = connect(PianoRoll, example)
    page.set(selection={"cells": [[1, 5], [1, 4]]}, loop=[4, 8], playing=True, position=1.5)
    assert (
        roll.selected_cells == [(1, 4), (1, 5)]
        and roll.loop == [4, 8]
        and roll.playing
        and roll.position == 1.5
    )
    page.set(selection={"cells": [[1, 99]]}, theme="dark")
    assert roll.selected_cells == [(1, 4), (1, 5)] and roll.theme == "dark"
    assert roll.error["field"] == "selection" and "no bar 99" in roll.error["message"]
    assert page.updates("selection")[-1] == {"cells": [[1, 4], [1, 5]]}


def test_what_the_page_sets_is_not_echoed_to_it(example, connect):
    """An echo would come late while the kernel is slow, and undo what was drawn meanwhile."""
    roll, page = connect(PianoRoll, example)
    before = len(page.comm.sent)
    page.set(selection={"cells": [[1, 4]]}, loop=[4, 8])
    assert roll.loop == [4, 8] and page.comm.sent[before:] == []


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ({"v": 1, "k": "explode", "id": "a"}, "unknown_kind"),
        ({"v": 2, "k": "undo", "id": "a"}, "version"),
        ({"v": 1, "k": "generate", "id": "a"}, "bad_message"),
        ({"v": 1, "k": "undo", "id": "a", "extra": 1}, "bad_message"),
        ({"v": 1, "k": "generate", "id": "a", "selection": {"cells": []}}, "no_engine"),
        ({"v": 1, "k": "cancel", "id": "a"}, "no_job"),
        ({"id": "a"}, "version"),
    ],
)
def test_every_request_is_answered_once_even_a_wrong_one(example, connect, message, code):
    roll, page = connect(PianoRoll, example)
    page.raw(message)
    answers = [m for m, _ in page.custom() if m["id"] == "a"]
    assert len(answers) == 1 and answers[0]["k"] == "error" and answers[0]["code"] == code
    assert answers[0]["message"]
    assert shown(roll)[0]["rev"] == 0


@pytest.mark.parametrize("content", [None, "hello", 7, [], {}])
def test_a_message_that_is_none_gets_an_error_and_does_no_harm(example, connect, content):
    _, page = connect(PianoRoll, example)
    page.raw(content)
    assert [m["k"] for m, _ in page.custom()] == ["error"]


def test_a_failing_handler_becomes_an_error_answer(example, connect, monkeypatch):
    roll, page = connect(PianoRoll, example)
    monkeypatch.setattr(roll._document, "undo", lambda: 1 / 0)
    answer, _ = page.request("undo")
    assert answer["k"] == "error" and "division" in answer["message"]
    free = threading.Thread(target=lambda: roll.score, daemon=True)
    free.start()
    free.join(5)
    assert not free.is_alive()  # the lock is free again


def test_callbacks_that_raise_are_kept_and_shown(example):
    roll = PianoRoll(example)

    @roll.on("selection")
    def broken(event):
        raise KeyError("oops")

    roll.select(0, 0)
    assert isinstance(roll.errors[0], KeyError)
    assert "broken" in roll.error["message"] and roll.error["code"] == "callback"
    roll.off("selection", broken)
    roll.select(1, 0)
    assert len(roll.errors) == 1
    with pytest.raises(ValueError, match="no event 'selecton'"):
        roll.on("selecton", broken)


def test_the_display_bundle_has_view_picture_and_text(example):
    roll = PianoRoll(example)
    data, _ = roll._repr_mimebundle_()
    picture = base64.b64decode(data["image/png"])
    assert picture[:8] == b"\x89PNG\r\n\x1a\n" and 1000 < len(picture) <= 30_000
    assert data["application/vnd.jupyter.widget-view+json"]["model_id"] == roll.model_id
    assert data["text/plain"] == repr(roll)
    again, _ = PianoRoll(Score.example())._repr_mimebundle_()
    assert again["image/png"] == data["image/png"]  # the same piece, the same bytes
    roll.score = without_bar(example, 1, 4)
    assert roll._repr_mimebundle_()[0]["image/png"] != data["image/png"]


def test_html_without_widget_state_shows_the_picture(example, connect, tmp_path):
    nbformat = pytest.importorskip("nbformat")
    exporter = pytest.importorskip("nbconvert").HTMLExporter()
    roll, _ = connect(PianoRoll, example)
    data, metadata = roll._repr_mimebundle_()
    output = nbformat.v4.new_output("display_data", data=data, metadata=metadata)
    cell = nbformat.v4.new_code_cell("roll", outputs=[output])
    html, _ = exporter.from_notebook_node(nbformat.v4.new_notebook(cells=[cell]))
    assert f"data:image/png;base64,{data['image/png'][:40]}" in html


def test_show_takes_scores_and_files(example, tmp_path):
    path = tmp_path / "song.mid"
    example.to_midi(path)
    roll = show(path, height=300)
    assert isinstance(roll, PianoRoll) and roll.score == example and roll.height == 300
    assert shown(roll)[0]["title"] == "song.mid"
    both = show(example, str(path), path.read_bytes())
    assert isinstance(both, ipywidgets.VBox) and len(both.children) == 3
    data = both._repr_mimebundle_()
    assert len(base64.b64decode(data["image/png"])) <= 30_000 and data["text/plain"].count("PianoRoll(") == 3
    with pytest.raises(TypeError):
        show()
    with pytest.raises(TypeError, match="no argument 'zoom'"):
        show(example, zoom=3)


def test_rolls_work_in_boxes_and_links(example):
    a, b = PianoRoll(example), PianoRoll(example)
    ipywidgets.HBox([a, ipywidgets.Tab([b])])
    ipywidgets.link((a, "selection"), (b, "selection"))
    ipywidgets.link((a, "score"), (b, "score"))
    a.select(1, 3)
    a.score = without_bar(example, 0, 0)
    assert b.selected_cells == [(1, 3)] and b.score == a.score


def test_four_threads_and_500_operations_each_keep_the_document_whole(example, connect):
    roll, page = connect(PianoRoll, example)
    variants = [without_bar(example, track, bar) for track in range(4) for bar in range(0, 16, 4)]
    failures = []

    def work(seed: int) -> None:
        rng = random.Random(seed)
        actions = [
            lambda: setattr(roll, "score", rng.choice(variants)),
            roll.undo,
            roll.redo,
            lambda: roll.select(rng.randrange(4), range(rng.randrange(1, 16))),
            lambda: page.set(
                selection={"cells": [[rng.randrange(4), rng.randrange(16)]]}, playing=rng.random() < 0.5
            ),
            lambda: page.raw({"v": 1, "k": rng.choice(["undo", "redo"]), "id": f"{seed}-{rng.random()}"}),
            lambda: unpack_document(roll._doc),
            lambda: setattr(roll, "loop", [0, rng.randrange(1, 16)]),
            roll.send_state,
        ]
        try:
            for _ in range(500):
                rng.choice(actions)()
        except BaseException as problem:
            failures.append(problem)

    threads = [threading.Thread(target=work, args=(seed,), daemon=True) for seed in range(4)]
    start = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not any(t.is_alive() for t in threads), "deadlock"
    assert not failures, failures[:1]
    assert time.monotonic() - start < 10 * max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))
    header, notes, _ = shown(roll)
    assert header["rev"] == roll._rev == roll._document.rev
    assert len(notes) == roll.score.n_notes and len(set(notes["id"].tolist())) == len(notes)
    assert (roll.can_undo, roll.can_redo) == (roll._document.can_undo, roll._document.can_redo)
    answers = [m["id"] for m, _ in page.custom()]
    assert len(answers) == len(set(answers)) and not roll._holding_sync and not roll._property_lock


def test_handlers_work_on_another_thread(example, connect):
    roll, page = connect(PianoRoll, example)
    roll.score = without_bar(example, 1, 4)
    answers = []
    thread = threading.Thread(target=lambda: answers.append(page.request("undo")[0]["k"]))
    thread.start()
    thread.join(10)
    assert answers == ["ok"] and roll.score == example


def test_a_closed_roll_can_be_collected(example):
    roll = PianoRoll(example)
    alive = weakref.ref(roll)
    roll.close()
    del roll
    gc.collect()
    assert alive() is None


VIEWER = """
import sys, midigpt_nb as mg
mg.show(mg.Score.example())._repr_mimebundle_()
bad = [name for name in ("torch", "matplotlib.pyplot", "midigpt_nb.inference") if name in sys.modules]
assert not bad, bad
"""


def test_the_viewer_needs_neither_torch_nor_pyplot():
    subprocess.run([sys.executable, "-W", "ignore", "-c", VIEWER], check=True, timeout=120)


def test_the_built_page_is_inside_the_installed_package(example):
    from importlib import resources

    static = resources.files("midigpt_nb") / "widgets" / "static"
    script, style = (static / "widget.js").read_bytes(), (static / "widget.css").read_bytes()
    assert 1_000 < len(script) <= 160_000 and 100 < len(style) <= 20_000
    roll = PianoRoll(example)
    assert roll._esm == script.decode() and roll._css == style.decode()
    answer, (desk,) = roll._request_desk()
    assert answer == {} and desk == (static / "desk.js").read_bytes() and len(desk) <= 160_000
    # both parts of the page carry the id of the build that made them
    assert desk[2:18] in script
