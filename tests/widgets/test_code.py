"""`roll.code()`: the program, run in a fresh interpreter, comes to the same score (P1)."""

from __future__ import annotations

import re
import subprocess
import sys

import numpy as np
import pytest

from midigpt_nb import Bar, InfillEditor, Note, PianoRoll, Score, Track, show
from midigpt_nb.widgets.ops import OPS
from midigpt_nb.widgets.protocol import empty_notes, unpack_document

pytestmark = pytest.mark.timeout(300)


def run(code, tmp_path):
    """Hash of the roll's score after the program, in a new Python."""
    program = code + "\nprint(roll.score.hash())\n"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=240, cwd=tmp_path
    )
    assert done.returncode == 0, f"{done.stderr}\n{code}"
    return done.stdout.split()[-1]


def here(code):
    """The same without a new interpreter."""
    names = {}
    exec(code, names)
    return names["roll"].score.hash()


def records(*rows):
    notes = empty_notes(len(rows))
    for name, column in zip(
        ("id", "track", "onset", "duration", "pitch", "velocity"), zip(*rows, strict=True), strict=True
    ):
        notes[name] = column
    return memoryview(notes.tobytes())


def notes_op(remove=(), count=0):
    return {"op": "notes", "remove": list(remove), "count": count}


def send(page, ops, label="x", merge="", buffer=b""):
    page._count += 1
    content = {"v": 1, "k": "ops", "id": f"o{page._count}", "ops": ops, "label": label, "merge": merge}
    page.raw(content, [buffer])
    answer = next(m for m, _ in page.custom() if m.get("id") == f"o{page._count}")
    assert answer["k"] == "ok", answer


NEW = 1 << 31


def test_p1_a_program_without_actions(example, tmp_path):
    assert PianoRoll(example).code() == (
        "import midigpt_nb as mg\n\nscore = mg.Score.example()\nroll = mg.PianoRoll(score)\n"
    )
    example.transpose(1).to_midi(tmp_path / "song.mid")
    roll = PianoRoll.from_file(tmp_path / "song.mid")
    assert "mg.Score.from_midi(" in roll.code() and here(roll.code()) == roll.score.hash()
    assert show(tmp_path / "song.mid").code() == roll.code()


def no_line_is_long(code):
    assert max(map(len, code.splitlines())) <= 100
    return code


def test_p1_a_file_that_has_changed_is_written_down_with_its_name(example, tmp_path):
    path = tmp_path / "song.mid"
    example.transpose(1).to_midi(path)
    roll = PianoRoll.from_file(path)
    example.transpose(2).to_midi(path)
    code = no_line_is_long(roll.code())
    assert "# from song.mid, which has changed since or gone\n    score = unpack_score(MUSIC_1)  # " in code
    assert "from_midi" not in code and here(code) == roll.score.hash()


def test_p1_a_file_opened_in_the_page_is_named(connect, example):
    roll, page = connect(PianoRoll, example)
    request = {"v": 1, "k": "upload", "id": "u", "name": "a\nb.mid", "part": 0, "parts": 1}
    page.raw(request, [memoryview(example.transpose(1).to_midi())])
    code = no_line_is_long(roll.code())
    assert "# from a b.mid\n    roll.score = unpack_score(MUSIC_1)  # " in code
    assert here(code) == roll.score.hash()


def test_p1_long_text_says_how_a_file_takes_its_place(connect, example, tmp_path, monkeypatch):
    """Done as it says, the program reads the file, and comes to the same score (run beside the file)."""
    monkeypatch.chdir(tmp_path)
    roll, page = connect(PianoRoll, Score.from_bytes(example.transpose(2).to_midi()))
    request = {"v": 1, "k": "upload", "id": "u", "name": "../song.mid", "part": 0, "parts": 1}
    page.raw(request, [memoryview(example.transpose(1).to_midi())])
    code = no_line_is_long(roll.code())
    advice = re.findall(r"# ((?:roll\.)?score\.to_midi\('(.+)'\)) here, once", code)
    assert [name for _, name in advice][1] == "song.mid" and advice[0][1].startswith("piece-")
    lines = code.splitlines()
    for call, _ in advice:  # "here": right above the words that say so
        at = next(i for i, line in enumerate(lines) if line.startswith(f"    # {call}"))
        lines.insert(at, f"    {call}")
    assert here("\n".join(lines)) == roll.score.hash()
    code = roll.code()
    assert "unpack_score" not in code and code.count("mg.Score.from_midi(") == 2
    assert "../" not in code.replace("# from ../song.mid", "") and run(code, tmp_path) == roll.score.hash()
    (tmp_path / "song.mid").write_bytes(b"another file now")
    code = roll.code()
    assert "roll.score = unpack_score(" in code and here(code) == roll.score.hash()
    assert "to_midi('song.mid')" not in code, "nobody is told to write over it"


SMALL = """import midigpt_nb as mg

score = mg.Score([
    mg.Track([
        mg.Bar([mg.Note(60, 100, 0, 7, 1)], future=True),
        *[mg.Bar() for _ in range(2)],
        mg.Bar([
            mg.Note(60, 90, 0, 240), mg.Note(61, 90, 240, 240), mg.Note(62, 90, 480, 240),
            mg.Note(63, 90, 720, 240),
        ], 3, 4),
        mg.Bar([], 3, 4),
    ], instrument=33, name="It's"),
    mg.Track([
        *[mg.Bar() for _ in range(3)],
        *[mg.Bar([], 3, 4) for _ in range(2)],
    ], instrument=0, track_type='drum', attributes={'note_density': 3}),
], tempo=400000)
roll = mg.PianoRoll(score)
"""


def test_p1_a_small_piece_is_written_note_by_note(tmp_path):
    """Where it is in no file, and made in Python or read from a file that said no more."""
    run_up = [Note(60 + i, 90, 240 * i, 240) for i in range(4)]
    bass = [Bar([Note(60, 100, 0, 7, 1)], future=True), Bar(), Bar(), Bar(run_up, 3, 4), Bar([], 3, 4)]
    drums = [Bar(), Bar(), Bar(), Bar([], 3, 4), Bar([], 3, 4)]
    tracks = [
        Track(bass, 33, name="It's"),
        Track(drums, track_type="drum", attributes={"note_density": np.int64(3)}),
    ]
    roll = PianoRoll(Score(tracks, tempo=400_000))
    assert roll.code() == SMALL and run(SMALL, tmp_path) == roll.score.hash()
    names = {}
    exec(SMALL, names)
    assert names["score"] == roll.score and names["score"].track_names == roll.score.track_names
    assert names["score"].tracks[1].attributes == {"note_density": 3}
    plain = Score.from_bytes(Score([Track([Bar(run_up)])]).to_midi())
    assert "mg.Note(63, 90, 720, 240)" in PianoRoll(plain).code()
    assert PianoRoll().code() == "import midigpt_nb as mg\n\nscore = mg.Score()\nroll = mg.PianoRoll(score)\n"


def test_p1_what_else_was_in_a_small_file_is_not_lost(example):
    """Notes do not say what its controllers were: all its bytes stand in the program."""
    roll = PianoRoll(example[:1])
    assert roll.score.n_notes < 400 and "MUSIC_1" in roll.code()
    names = {}
    exec(roll.code(), names)
    assert names["roll"].to_midi() == roll.to_midi() and names["roll"].score.hash() == roll.score.hash()


def test_p1_long_text_stands_behind_what_is_read(tmp_path):
    bars = [Bar([Note(40 + i % 40, 90, 48 * i, 40) for i in range(40)]) for _ in range(16)]
    roll = PianoRoll(Score([Track(bars)]))
    roll.score = roll.score.add_notes(0, 0, [Note(90, 90, 0, 40)])
    roll.score = roll.score.transpose(1)
    roll.loop = [0, 2]
    code = no_line_is_long(roll.code())
    program, texts = code.split("    return roll\n")
    assert program.count("MUSIC_") == 2 and ".add_notes(0, 0, [mg.Note(90, 90, 0, 40)])" in program
    assert len(program.splitlines()) < 16 and texts.count("MUSIC_") == 2
    assert code.endswith("\nroll = make_roll()\n") and run(code, tmp_path) == roll.score.hash()


def test_p1_steps_whose_states_have_gone_stay_in_the_program(monkeypatch):
    monkeypatch.setattr("midigpt_nb.widgets.action_log.WHOLE", 3)
    roll = PianoRoll(Score([Track([Bar(), Bar()])]))
    for i in range(4):
        roll.score = roll.score.add_notes(0, i % 2, [Note(60 + i, 90, 0, 40)])
        roll.score = roll.score.insert_bars(0, 1)
        assert here(roll.code()) == roll.score.hash()
    kept = [entry for entry in roll._log._entries if not entry.settled]
    assert len(kept) == 3 and len(roll._log._entries) == 8


def test_p1_gestures_have_lines(connect, example):
    roll, page = connect(PianoRoll, example)
    send(page, [notes_op(count=1)], "Draw", buffer=records((NEW + 1, 1, 960, 240, 40, 90)))
    first = int(unpack_document(roll._doc)[1]["id"][0])
    send(page, [notes_op([first])], "Erase")
    send(page, [{"op": "track_set", "track": 1, "name": "Low", "program": 35}])
    send(
        page, [{"op": "bars_duplicate", "first": 2, "count": 2}, {"op": "tempo_set", "bpm": 99.5, "first": 4}]
    )
    roll.select(tracks=1, bars=range(4, 6))
    roll.loop = [2, 4]
    code = roll.code()
    for line in (
        "roll.score = roll.score.add_notes(1, 0, [mg.Note(40, 90, 960, 240)])",
        "roll.score.delete_notes([(",
        "roll.score.rename_track(1, 'Low').set_instrument(1, 35)",
        "roll.score.duplicate_bars(range(2, 4)).set_tempo(99.5, range(4, roll.score.n_bars))",
        "roll.selection = {'cells': [[1, 4], [1, 5]]}",
        "roll.loop = [2, 4]",
    ):
        assert line in code, code
    assert here(code) == roll.score.hash()


EVERY_OP = {
    "notes": None,
    "track_add": {"program": 40, "name": 'It\'s "mine"'},
    "track_delete": {"track": 0},
    "track_duplicate": {"track": 2},
    "track_move": {"track": 0, "to": 3},
    "track_set": {"track": 0, "name": "Kit"},
    "bars_insert": {"at": 3, "count": 2},
    "bars_delete": {"first": 1, "count": 3},
    "bars_duplicate": {"first": 0, "count": 4},
    "metre_set": {"first": 2, "count": 2, "metre": [7, 8]},
    "tempo_set": {"bpm": 133},
}


def test_p1_every_operation_of_the_table_has_its_line(connect, example):
    assert set(EVERY_OP) == set(OPS), "a new operation needs a line in action_log.py"
    roll, page = connect(PianoRoll, example)
    for kind, fields in EVERY_OP.items():
        if fields is not None:
            send(page, [{"op": kind, **fields}])
    assert here(roll.code()) == roll.score.hash()
    assert "unpack_score" not in roll.code()


def test_p1_what_was_undone_is_not_in_the_program(connect, example):
    roll, page = connect(PianoRoll, example)
    for i in range(3):
        send(page, [{"op": "tempo_set", "bpm": 100 + i}])
    roll.undo(), roll.undo()
    assert "100" in roll.code() and "101" not in roll.code() and "102" not in roll.code()
    roll.redo()
    assert "101" in roll.code() and here(roll.code()) == roll.score.hash()
    send(page, [{"op": "track_delete", "track": 0}])
    assert roll.code().rstrip().endswith("delete_track(0)")
    while roll.undo():
        pass
    assert "roll.score" not in roll.code()
    while roll.redo():
        pass
    assert here(roll.code()) == roll.score.hash()


def test_p1_merged_nudges_are_undone_together(connect, example):
    roll, page = connect(PianoRoll, example)
    _, notes, _ = unpack_document(roll._doc)
    note = notes[5]
    for step in range(1, 4):
        moved = records((note["id"], note["track"], note["onset"] + 10 * step, 100, note["pitch"], 77))
        send(page, [notes_op(count=1)], "Move", "time", moved)
    assert here(roll.code()) == roll.score.hash()
    roll.undo()
    assert roll.score.hash() == example.hash() and "roll.score" not in roll.code()
    roll.redo()
    assert here(roll.code()) == roll.score.hash()


def test_p1_scores_that_python_assigned(example):
    roll = PianoRoll(example)
    roll.score = roll.score.transpose(2)
    roll.score = roll.score.quantise("1/8").add_track(12)
    roll.score = Score([Track([Bar([Note(60, 100, 0, 7, 1)]), Bar([], 7, 8)])], resolution=96)
    assert here(roll.code()) == roll.score.hash()


def test_p1_a_hundred_random_edits_and_undos(connect):
    rng = np.random.default_rng(11)
    score = Score([Track([Bar() for _ in range(4)]), Track([Bar() for _ in range(4)], 33)])
    roll, page = connect(PianoRoll, score)
    for step in range(100):
        known = unpack_document(roll._document.pack())[1]["id"]
        kind = rng.integers(0, 10)
        if kind < 5:
            new = (NEW + step, rng.integers(0, 2), rng.integers(0, 7000), rng.integers(1, 900),
                   rng.integers(30, 90), rng.integers(1, 128))  # fmt: skip
            send(page, [notes_op(count=1)], buffer=records(new))
        elif kind < 7 and len(known):
            send(page, [notes_op([int(i) for i in rng.choice(known, min(2, len(known)), replace=False)])])
        elif kind == 7:
            send(page, [{"op": "tempo_set", "bpm": int(rng.integers(60, 180))}])
        elif kind == 8:
            roll.undo()
        else:
            roll.redo()
    assert here(roll.code()) == roll.score.hash()


def test_p1_generations_with_seeds_run_again_in_a_fresh_interpreter(engine, connect, example, tmp_path):
    editor, page = connect(InfillEditor, example, engine)
    editor.sampling = {"temperature": 0.9}
    editor.attributes = {"track": {}, "bar": {1: {4: {"bar_note_density": 7}}}}
    editor.generate([(1, 4), (1, 5)], takes=1).result(timeout=120)  # no seed: the log knows which it was
    send(page, [notes_op(count=1)], buffer=records((NEW + 7, 1, 4 * 1920, 480, 40, 99)))
    editor.generate([(0, 2)], takes=2, seed=4).result(timeout=120)
    written = editor.takes[-1]
    editor.accept(written)
    editor.generate([(2, 3)], {}, takes=1, seed=9).result(timeout=120)
    editor.undo()
    code = editor.code()
    assert code.count("roll.generate(") == 2 and code.count("roll.accept(") == 1
    assert run(code, tmp_path) == editor.score.hash()
