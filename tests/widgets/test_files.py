"""Files of a roll: .mgnb projects, exported pages, uploads and downloads, pictures."""

from __future__ import annotations

import base64
import gzip
import io
import json
import re
import struct
import zipfile

import numpy as np
import pytest

from midigpt_nb import Bar, InfillEditor, Note, PianoRoll, Score, Track, show
from midigpt_nb.errors import MidiGPTError, ProjectError, ScoreError
from midigpt_nb.widgets.capabilities import realized_values
from midigpt_nb.widgets.project import MOST_FILE_BYTES, Project, pack_score, unpack_score
from midigpt_nb.widgets.sound import BANK
from midigpt_nb.widgets.soundfont import SoundFontError, subset

pytestmark = pytest.mark.timeout(120)


def odd_score() -> Score:
    """What MIDI has no place for: an empty track, a resolution of its own, microtiming."""
    bars = [Bar([Note(60, 100, 0, 7, 1), Note(64, 90, 50, 200)]), Bar([], 7, 8)]
    return Score(
        [Track(bars, name="Überall"), Track([Bar(), Bar([], 7, 8)], 33)], resolution=96, tempo=612_345
    )


SCORES = {
    "example": Score.example,
    "odd": odd_score,
    "empty": Score,
    "edited": lambda: Score.example().add_track(33, name="New").insert_bars(3, 2).set_tempo(99, range(4, 8)),
    "fewer bars": lambda: Score.example().delete_bars(range(2, 5)).set_metre(range(1), (7, 8)),
}


# ------------------------------------------------------------------------------------------------- projects


@pytest.mark.parametrize("name", SCORES)
def test_o6_a_project_gives_the_same_score_again(name, tmp_path):
    score = SCORES[name]()
    roll = PianoRoll(score, title="A piece")
    roll.save(tmp_path / "song.mgnb")
    again = PianoRoll.from_file(tmp_path / "song.mgnb")
    assert again.score.hash() == score.hash() and again._title == "A piece"
    assert again.score.track_names == score.track_names and again.score.tempo_map == score.tempo_map
    assert again.to_midi() == roll.to_midi()


def test_a_project_is_not_given_the_name_of_another_kind_of_file(tmp_path, example):
    song = tmp_path / "song.mid"
    example.to_midi(song)
    with pytest.raises(
        ProjectError, match=r"song.mid' a project: name it song.mgnb, or call to_midi\(\) instead"
    ):
        PianoRoll(example).save(song)
    assert Score.from_midi(song) == example


def test_o6_a_project_keeps_what_was_decided(tmp_path, example):
    editor = InfillEditor(example, height=500, snap="1/8T")
    editor.select(tracks=1, bars=range(4, 8))
    editor.plan = {"roles": {"0": {"bars": {"3": "locked"}}, "2": {"track": "ignore"}}}
    editor.attributes = {"track": {1: {"note_density": 4}}, "bar": {1: {5: {"bar_note_density": 2}}}}
    editor.sampling = {"temperature": 0.8, "seed": 5}
    editor.loop = [4, 8]
    editor.save(tmp_path / "song.mgnb")
    again = InfillEditor.from_file(tmp_path / "song.mgnb", height=300)
    for name in ("plan", "selection", "attributes", "sampling", "loop", "snap"):
        assert getattr(again, name) == getattr(editor, name), name
    assert again.height == 300
    assert PianoRoll.from_file(tmp_path / "song.mgnb").loop == [4, 8]  # a roll without a model opens it, too
    with zipfile.ZipFile(tmp_path / "song.mgnb") as archive:
        assert Score.from_midi(archive.read("score.mid")).hash() == example.hash()
        assert json.loads(archive.read("project.json"))["version"] == 1


def test_a_midi_file_opens_as_well(tmp_path, example):
    example.to_midi(tmp_path / "song.mid")
    roll = PianoRoll.from_file(tmp_path / "song.mid")
    assert roll.score == example and roll._title == "song.mid"
    with pytest.raises(ScoreError):
        PianoRoll.from_file(tmp_path / "none.mid")


def test_saving_leaves_the_old_file_when_it_fails(tmp_path, example):
    with pytest.raises(ProjectError, match="cannot write"):
        PianoRoll(example).save(tmp_path / "no folder" / "song.mgnb")
    PianoRoll(example).save(tmp_path / "song.mgnb")
    assert [path.name for path in tmp_path.iterdir()] == ["song.mgnb"]


def rezipped(change, *, also=()):
    """A project with its parts changed by `change(parts)`."""
    parts = {}
    with zipfile.ZipFile(io.BytesIO(Project(Score.example(), "x").pack())) as archive:
        for info in archive.infolist():
            parts[info.filename] = archive.read(info)
    change(parts)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in [*parts.items(), *also]:
            archive.writestr(name, data)
    return out.getvalue()


def facts(**changes):
    def change(parts):
        told = json.loads(parts["project.json"])
        for path, value in changes.items():
            *above, last = path.split("__")
            place = told
            for name in above:
                place = place[name]
            place[last] = value
        parts["project.json"] = json.dumps(told).encode()

    return change


def part(name, data):
    return lambda parts: parts.update({name: data})


HOSTILE = {
    "empty": lambda: b"",
    "no zip": lambda: b"MThd" + bytes(100),
    "cut off": lambda: Project(Score.example(), "x").pack()[:-40],
    "no json": lambda: rezipped(lambda parts: parts.pop("project.json")),
    "no notes": lambda: rezipped(lambda parts: parts.pop("notes.i32")),
    "not utf-8": lambda: rezipped(part("project.json", b"\xff\xfe")),
    "deep json": lambda: rezipped(part("project.json", b"[" * 200_000)),
    "nan": lambda: rezipped(part("project.json", b'{"format": NaN}')),
    "a list": lambda: rezipped(part("project.json", b"[]")),
    "other format": lambda: rezipped(facts(format="tar")),
    "newer": lambda: rezipped(facts(version=2)),
    "wrong notes": lambda: rezipped(part("notes.i32", bytes(40))),
    "odd bytes": lambda: rezipped(part("notes.i32", bytes(7))),
    "wild notes": lambda: rezipped(part("notes.i32", b"\xff" * 400)),
    "wild bars": lambda: rezipped(part("bars.i32", b"\xff" * 64)),
    "wild tracks": lambda: rezipped(part("tracks.i32", b"\x7f" * 48)),
    "no midi": lambda: rezipped(part("source.mid", b"MThd")),
    "resolution": lambda: rezipped(facts(score__resolution=10**30)),
    "resolution text": lambda: rezipped(facts(score__resolution="480")),
    "names": lambda: rezipped(facts(score__names=["a"])),
    "names numbers": lambda: rezipped(facts(score__names=[1, 2, 3, 4])),
    "hidden": lambda: rezipped(facts(score__hidden=[10**12])),
    "hash": lambda: rezipped(facts(score__hash="0")),
    "score": lambda: rezipped(facts(score=7)),
    "traits": lambda: rezipped(facts(traits=[])),
    "twice": lambda: rezipped(lambda parts: None, also=[("notes.i32", b"")]),
    "bomb": lambda: rezipped(part("notes.i32", bytes(65 << 20))),
    "many parts": lambda: rezipped(lambda parts: None, also=[(f"{i}", b"") for i in range(100)]),
}


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("name", HOSTILE)
def test_o6_a_wrong_project_is_refused_with_one_kind_of_error(name):
    with pytest.raises(ProjectError):
        Project.unpack(HOSTILE[name]())


def test_o6_names_in_the_archive_go_nowhere(tmp_path, monkeypatch):
    data = rezipped(lambda parts: None, also=[("../../evil.txt", b"x"), ("/etc/evil", b"x")])
    (tmp_path / "song.mgnb").write_bytes(data)
    monkeypatch.chdir(tmp_path)
    assert PianoRoll.from_file("song.mgnb").score == Score.example()
    assert [path.name for path in tmp_path.rglob("*")] == ["song.mgnb"]


def test_o6_random_damage_never_raises_anything_else():
    good = Project(Score.example(), "x").pack()
    rng = np.random.default_rng(3)
    refused = 0
    for _ in range(150):
        data = bytearray(good)
        for at in rng.integers(0, len(data), rng.integers(1, 6)):
            data[at] = rng.integers(0, 256)
        try:
            Project.unpack(bytes(data))
        except ProjectError:
            refused += 1
    assert refused > 50


def test_a_project_that_is_too_large_is_not_read(tmp_path):
    path = tmp_path / "big.mgnb"
    with path.open("wb") as stream:
        stream.truncate(MOST_FILE_BYTES + 10)
    with pytest.raises(ProjectError, match="larger than"):
        PianoRoll.from_file(path)


def test_impossible_traits_are_named(tmp_path):
    path = tmp_path / "song.mgnb"
    path.write_bytes(rezipped(facts(traits={"loop": [9, 2]})))
    with pytest.raises(ProjectError, match=r"song\.mgnb says something impossible"):
        PianoRoll.from_file(path)


def test_a_score_as_text_round_trips():
    score = odd_score()
    text = base64.b85encode(pack_score(score)).decode()
    assert unpack_score(text).hash() == score.hash()
    with pytest.raises(ProjectError):
        unpack_score("nothing")


# ----------------------------------------------------------------------------------------------- SoundFonts


def presets_of(data):
    """(bank, program) of a SoundFont's presets, and the number of its samples."""
    at = data.index(b"phdr")
    size = struct.unpack_from("<I", data, at + 4)[0]
    rows = [struct.unpack_from("<20sHHHIII", data, at + 8 + i) for i in range(0, size, 38)][:-1]
    samples = struct.unpack_from("<I", data, data.rindex(b"shdr") + 4)[0] // 46 - 1
    return {(row[2], row[1]) for row in rows}, samples


def test_o2_a_subset_holds_only_what_is_played():
    whole = BANK.read_bytes()
    small = subset(whole, [(False, 33), (True, 0)])
    presets, samples = presets_of(small)
    assert presets == {(0, 33), (128, 0)} and 0 < samples < presets_of(whole)[1]
    assert len(small) < len(whole) / 4
    assert subset(small, [(False, 33), (True, 0)]) == small  # nothing left to drop
    everything = subset(whole, [(bank == 128, program) for bank, program in presets_of(whole)[0]])
    assert presets_of(everything)[0] == presets_of(whole)[0]


def test_o2_a_kit_that_the_font_lacks_falls_back_to_the_first():
    assert presets_of(subset(BANK.read_bytes(), [(True, 99)]))[0] == {(128, 0)}


@pytest.mark.parametrize(
    "data", [b"", b"RIFF", b"RIFF\0\0\0\0sfbk", b"RIFF\xff\0\0\0sfbkLIST\xff\xff\xff\xff"]
)
def test_a_broken_soundfont_is_refused(data):
    with pytest.raises(SoundFontError):
        subset(data, [(False, 0)])


# ---------------------------------------------------------------------------------------------------- pages


def carried(page):
    """Header and files of an exported page."""
    text = re.search(r'id="mgnb-data">([^<]*)</script>', page)[1]
    body = gzip.decompress(base64.b64decode(text))
    length = int.from_bytes(body[:4], "little")
    header, at, files = json.loads(body[4 : 4 + length]), 4 + length, {}
    for name, size in header["files"].items():
        files[name], at = body[at : at + size], at + size
    return header, files


def test_o2_the_page_is_one_file_within_its_budget(tmp_path, example):
    editor = InfillEditor(example, title="<b>Mine</b> & co")
    editor.to_html(tmp_path / "roll.html")
    page = (tmp_path / "roll.html").read_text(encoding="utf-8")
    header, files = carried(page)
    assert len(page) <= 1_000_000 + 1.4 * len(files["bank"]) + 1.4 * 20 * example.n_notes
    assert "<b>Mine</b>" not in page and "&lt;b&gt;Mine&lt;/b&gt; &amp; co" in page
    assert not re.findall(r'(?:src|href)="(?!data:)', page)
    # licence texts name addresses in plain words
    head = re.sub(r"<pre>.*?</pre>", "", page.split("<script")[0], flags=re.S)
    assert "http" not in head.replace("http-equiv", "")
    assert files["midi"] == example.to_midi()
    assert header["state"]["caps"]["unavailable"] and header["state"]["status"] == "idle"
    assert presets_of(files["bank"])[0] == {
        (128 if drum else 0, program) for _, program, drum in example.table.tracks.tolist()
    }


def test_o2_a_large_piece_stays_within_the_budget():
    rng = np.random.default_rng(1)
    bars = [
        Bar([Note(int(p), int(v), int(o), int(d)) for p, v, o, d in zip(
            rng.integers(20, 100, 60), rng.integers(1, 127, 60), np.sort(rng.integers(0, 1900, 60)),
            rng.integers(1, 900, 60), strict=True)])
        for _ in range(250)
    ]  # fmt: skip
    score = Score([Track(bars, 33)])
    page = PianoRoll(score).to_html()
    assert len(page) <= 1_000_000 + 1.4 * len(carried(page)[1]["bank"]) + 1.4 * 20 * score.n_notes


@pytest.mark.model
def test_o2_the_curves_of_the_page_are_those_of_its_music(engine, example):
    """At once after a generation, and while a take is shown: the page carries the score."""
    cells = [(1, bar) for bar in range(4, 8)]
    editor = InfillEditor(example, engine)
    editor.set_curve("note_density", "Bass", range(4, 8), [1, 3, 6, 9])
    for n_takes in (1, 3):
        editor.generate(cells, seed=2, takes=n_takes).result(60)
        state = carried(editor.to_html())[0]["state"]
        assert state["realized"] == realized_values(engine, editor.score.table)
        assert state["heard_chords"] == editor.score.chords().names
        assert set(state["adherence"]["bar"]["1"]) == {"4", "5", "6", "7"}
    shown = editor.takes[0].score
    assert editor.active_take and realized_values(engine, shown.table) != state["realized"]


# ------------------------------------------------------------------------------------- uploads and downloads


def test_o3_a_dropped_file_replaces_the_piece_in_one_step(connect, example):
    roll, page = connect(PianoRoll, Score())
    data = example.to_midi()
    half = 512 * 1024
    parts = max(1, -(-len(data) // half))
    answer, _ = page_upload(page, "song.mid", 0, parts, data)
    assert answer["k"] == "ok" and roll.score.hash() == example.hash() and roll.can_undo
    roll.undo()
    assert roll.score.n_notes == 0
    data, name, _ = fetched(page, "midi")
    assert name == "song.mid" and Score.from_bytes(data).n_notes == 0


def test_o3_a_dropped_project_brings_everything_and_undo_takes_all_of_it_back(connect, example):
    other, wire = connect(InfillEditor, example.transpose(2), title="Ours.mid")
    other.attributes = {"track": {1: {"note_density": 3}}, "bar": {}}
    other.plan = {"roles": {"1": {"bars": {"2": "locked"}}}}
    other.sampling, other.loop, other.chords = {"temperature": 0.7}, [1, 3], {5: "F"}
    data, name, _ = fetched(wire, "project")
    assert name == "Ours.mgnb" and Project.unpack(data).title == "Ours.mid"

    roll, page = connect(InfillEditor, example.delete_track(0), height=300)
    roll.attributes = {"track": {0: {"note_density": 5}}, "bar": {}}
    roll.sampling, roll.loop, roll.chords, roll.mix = {"temperature": 1.3}, [0, 2], {2: "Am"}, {}
    names = ("attributes", "plan", "sampling", "loop", "chords")

    def decided(one):
        return one.score.hash(), {name: getattr(one, name) for name in names}

    before, wanted = decided(roll), decided(other)
    assert page_upload(page, "x.mgnb", 0, 1, data)[0]["k"] == "ok"
    assert decided(roll) == wanted and roll._title == "Ours.mid" and roll.height == 300
    roll.undo()
    assert decided(roll) == before
    roll.redo()
    assert decided(roll) == wanted
    roll.undo()
    roll.undo()
    assert roll.attributes == before[1]["attributes"] and roll.chords == {}  # a step of its own before


def test_o3_a_project_of_the_same_music_brings_its_wishes_and_undo_the_old_ones(connect, example):
    roll, page = connect(InfillEditor, example)
    data, _, _ = fetched(page, "project")
    roll.attributes = own = {"track": {"0": {"note_density": 5}}, "bar": {}}
    assert page_upload(page, "x.mgnb", 0, 1, data)[0]["k"] == "ok"
    assert roll.attributes == {"track": {}, "bar": {}}
    roll.undo()
    assert roll.attributes == own


def page_upload(page, name, number, parts, data):
    content = {"v": 1, "k": "upload", "id": f"u{number}", "name": name, "part": number, "parts": parts}
    page.raw(content, [memoryview(data)])
    answers = [(m, b) for m, b in page.custom() if m.get("id") == f"u{number}"]
    return answers[-1]


def test_o3_a_large_file_comes_in_parts_in_order(connect):
    bars = [Bar([Note(60 + i % 12, 90, 4 * i, 3) for i in range(400)]) for _ in range(200)]
    score = Score([Track(bars)])
    data = score.to_midi()
    half = 512 * 1024
    parts = -(-len(data) // half)
    assert parts > 1 or len(data) > half / 2
    roll, page = connect(PianoRoll, Score.example())
    if parts > 1:
        answer, _ = page_upload(page, "big.mid", 1, parts, data[half:])
        assert answer["k"] == "error" and "order" in answer["message"]
    for number in range(parts):
        answer, _ = page_upload(page, "big.mid", number, parts, data[number * half : (number + 1) * half])
        assert answer["k"] == "ok"
    assert roll.score.n_notes == score.n_notes


def fetched(page, what):
    """A file as a page fetches it: its bytes, its name, and the sizes of its parts."""
    found, key, parts = [], "", 1
    for part in range(9):
        if part == parts:
            break
        answer, buffers = page.request("file", what=what, part=part, key=key)
        assert answer["k"] == "ok", answer
        key, parts = answer["key"], answer["parts"]
        found.append(bytes(buffers[0]))
    return b"".join(found), answer["name"], [len(part) for part in found]


def test_the_page_fetches_itself_and_its_program_in_parts(connect, example):
    roll, page = connect(PianoRoll, example, title="song.mid")
    text, name, sizes = fetched(page, "html")
    assert text.decode("utf-8") == roll.to_html() and name == "song.html"
    assert len(sizes) > 1 and max(sizes) <= 1 << 20
    assert fetched(page, "code")[:2] == (roll.code().encode("utf-8"), "song.py")
    assert not roll._sending  # what was fetched whole is not kept


def test_m8_a_large_piece_is_downloaded_in_parts(connect):
    rng = np.random.default_rng(5)
    columns = (rng.integers(*ends, 4000).tolist() for ends in ((20, 100), (1, 127), (0, 1900), (1, 900)))
    notes = [Note(*row) for row in zip(*columns, strict=True)]
    roll, page = connect(PianoRoll, Score([Track([Bar(notes)] * 40)]))
    data, name, sizes = fetched(page, "midi")
    assert data == roll.to_midi() and name == "score.mid"
    assert len(sizes) > 1 and max(sizes) <= 1 << 20


@pytest.mark.parametrize(
    "fields",
    [
        {"what": "exe", "part": 0},
        {"what": "code", "part": 1, "key": "x"},
        {"what": "html", "part": True},
        {"what": "code", "part": -1},
    ],
)
def test_a_wrong_question_for_a_file_is_answered(connect, example, fields):
    _, page = connect(PianoRoll, example)
    answer, _ = page.request("file", **fields)
    assert answer["k"] == "error" and answer["code"] == "bad_message"


def test_what_writes_a_file_returns_its_path(example, tmp_path):
    roll = PianoRoll(example)
    assert roll.to_html(str(tmp_path / "a.html")) == tmp_path / "a.html"
    assert roll.save(tmp_path / "a.mgnb") == tmp_path / "a.mgnb"
    assert roll.to_midi(str(tmp_path / "a.mid")) == tmp_path / "a.mid"
    assert {path.suffix for path in tmp_path.iterdir()} == {".html", ".mgnb", ".mid"}
    assert roll.to_html().startswith("<!doctype") and roll.to_midi()[:4] == b"MThd"


@pytest.mark.parametrize(
    ("parts", "data", "code"),
    [
        (1, b"not midi", "score"),
        (1, b"PK\x03\x04 torn", "project"),
        (1, bytes(600_000), "bad_message"),
        (1000, b"", "bad_message"),
    ],
)
def test_o3_a_wrong_upload_changes_nothing(connect, example, parts, data, code):
    roll, page = connect(PianoRoll, example)
    answer, _ = page_upload(page, "x.mid", 0, parts, data)
    assert (answer["k"], answer["code"]) == ("error", code)
    assert roll.score == example and not roll.can_undo


def test_o3_a_read_only_roll_takes_no_file(connect, example):
    roll, page = connect(PianoRoll, example, readonly=True)
    answer, _ = page_upload(page, "x.mid", 0, 1, Score().to_midi())
    assert answer["code"] == "readonly" and roll.score == example


# ------------------------------------------------------------------------------------------------- pictures


def test_a_score_is_a_picture_as_the_last_line_of_a_cell(example):
    picture = example._repr_png_()
    assert picture[:8] == b"\x89PNG\r\n\x1a\n" and len(picture) <= 30_000
    assert Score()._repr_png_() is None


def test_n1_several_pieces_are_shown_side_by_side(tmp_path, example):
    example.to_midi(tmp_path / "a.mid")
    stack = show(tmp_path / "a.mid", example.transpose(2), height=200)
    assert [roll.height for roll in stack.children] == [200, 200]
    with pytest.raises(MidiGPTError):
        show(tmp_path / "none.mid")
