"""What the page keeps of a roll, seen from the kernel: packing, coming back, what a hostile page may send."""

from __future__ import annotations

import contextlib
import json
import random
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from midigpt_nb import InfillEditor, PianoRoll, Score
from midigpt_nb.errors import ProjectError
from midigpt_nb.widgets.autosave import MOST_BYTES, read_kept
from midigpt_nb.widgets.ops import NEW_ID
from midigpt_nb.widgets.protocol import empty_notes, unpack_document


def frame(base: bytes, log: Sequence[tuple[dict[str, Any], bytes]] = (), header: Any = None) -> bytes:
    told = [{**entry, "bytes": len(records)} for entry, records in log]
    text = json.dumps({"base": len(base), "log": told, **(header or {})}).encode()
    return (
        len(text).to_bytes(4, "little")
        + text
        + b"\0" * (-(4 + len(text)) % 4)
        + base
        + b"".join(records for _, records in log)
    )


def drawn(number: int, **values: int) -> tuple[dict[str, Any], bytes]:
    note = empty_notes(1)
    for name, value in {"id": NEW_ID | number, "duration": 90, "pitch": 70, "velocity": 88, **values}.items():
        note[name] = value
    ops = [{"op": "notes", "remove": [], "count": 1}]
    return {"k": "ops", "label": "Draw", "ops": ops}, note.tobytes()


def keep(page: Any) -> tuple[dict[str, Any], bytes | None]:
    answer, buffers = page.request("keep")
    return answer, bytes(buffers[0]) if buffers else None


def restore(page: Any, data: bytes, **fields: Any) -> tuple[dict[str, Any], Any]:
    parts = max(1, -(-len(data) // (512 << 10)))
    for part in range(parts):
        page._count += 1
        content = {"v": 1, "k": "restore", "id": f"p-{page._count}", "part": part, "parts": parts, **fields}
        piece = data[part * (512 << 10) : (part + 1) * (512 << 10)]
        message = {"method": "custom", "content": content}
        page.comm.handle_msg({"content": {"data": message}, "buffers": [piece]})
    return [(m, b) for m, b in page.custom() if m.get("id") == f"p-{page._count}"][-1]


def test_o6_a_roll_without_changes_needs_no_keeping(example: Score, connect: Any, tmp_path: Any) -> None:
    roll, page = connect(PianoRoll, example)
    assert keep(page) == ({"v": 1, "k": "ok", "id": "p-1", "rev": 0, "changed": False}, None)
    roll.score = roll.score.transpose(1)
    assert keep(page)[0]["changed"]
    roll.save(tmp_path / "a.mgnb")
    assert not keep(page)[0]["changed"]
    assert roll._autosave["saved"] == 1 and len(roll._autosave["keys"]) == 2
    roll.plan = {"roles": {"1": {"bars": {"2": "locked"}}}}
    assert keep(page)[0]["changed"]  # a decision is worth keeping, too
    roll.plan = {}
    roll.height = 300
    assert not keep(page)[0]["changed"]


def test_o6_notes_keep_their_identity_on_the_way(example: Score, connect: Any) -> None:
    roll, page = connect(PianoRoll, example)
    roll.score = roll.score.delete_track(0)
    _, base = keep(page)
    assert base is not None
    ids = unpack_document(roll._document.pack())[1]["id"]
    removed = int(ids[5])
    log = [
        drawn(1, track=1, onset=40),
        ({"k": "ops", "label": "Erase", "ops": [{"op": "notes", "remove": [removed], "count": 0}]}, b""),
        ({"k": "undo"}, b""),
        ({"k": "redo"}, b""),
    ]
    kept = read_kept(frame(base, log), roll._kept.start)
    assert (kept.done, kept.lost) == (4, 0)
    assert kept.project.score.table.n_notes == roll.score.table.n_notes


def test_o6_an_edit_that_cannot_be_repeated_ends_the_row(example: Score, connect: Any) -> None:
    roll, _ = connect(PianoRoll, example)
    stale = ({"k": "ops", "label": "Erase", "ops": [{"op": "notes", "remove": [987654], "count": 0}]}, b"")
    kept = read_kept(frame(b"", [drawn(1), stale, drawn(2)]), roll._kept.start)
    assert (kept.done, kept.lost) == (1, 2)


def test_o6_everything_that_was_decided_comes_back(example: Score, connect: Any, engine: Any) -> None:
    editor, page = connect(InfillEditor, example, engine)
    editor.plan = {"roles": {"0": {"track": "ignore"}, "1": {"bars": {"9": "locked"}}}}
    editor.set_curve("note_density", 1, range(4, 6), [3, 4])
    editor.sampling = {"temperature": 0.7}
    editor.loop = [2, 6]
    editor.mix = {"2": {"muted": True, "volume": 55}}
    editor.generate([(1, 4), (1, 5)], takes=2, model_dim=4, seed=3).result(60)
    editor.comp = {"1,4": editor.takes[1].id}
    _, base = keep(page)
    assert base is not None
    other, second = connect(InfillEditor, example, engine)
    answer, _ = restore(second, frame(base))
    assert answer["k"] == "ok"
    for name in ("plan", "attributes", "sampling", "loop", "mix", "comp", "active_take"):
        assert getattr(other, name) == getattr(editor, name), name
    assert [t.score.hash() for t in other.takes] == [t.score.hash() for t in editor.takes]
    assert other.accept().hash() == editor.accept().hash()


def test_o6_what_was_decided_comes_back_to_its_tracks_and_bars(example: Score, connect: Any) -> None:
    """Tracks and bars moved after the page had kept the project: its log says so."""
    editor, page = connect(InfillEditor, example)
    editor.attributes = {"track": {2: {"note_density": 3}}, "bar": {2: {5: {"bar_note_density": 4}}}}
    editor.plan = {"roles": {"2": {"bars": {"6": "hidden"}}}}
    editor.mix, editor.loop, editor.chords = {"2": {"muted": True}}, [4, 8], {5: "F"}
    _, base = keep(page)
    assert base is not None
    ops = [{"op": "track_delete", "track": 0}, {"op": "bars_insert", "at": 2, "count": 3}]
    log = [({"k": "ops", "label": "x", "ops": [op]}, b"") for op in ops]
    other, second = connect(InfillEditor, example)
    assert restore(second, frame(base, log))[0]["k"] == "ok"
    assert other.attributes == {
        "track": {"1": {"note_density": 3}},
        "bar": {"1": {"8": {"bar_note_density": 4}}},
    }
    assert (other.plan, other.loop) == ({"roles": {"1": {"bars": {"9": "hidden"}}}}, [7, 11])
    assert other.chords == {8: "F"} and list(other.mix.values()) == [{"muted": True}]
    assert list(other.mix) == [str(other._document.state.track_numbers[1])]


def test_o6_a_large_piece_comes_back_in_parts(example: Score, connect: Any) -> None:
    rng = np.random.default_rng(1)
    notes = np.sort(rng.integers(0, 1900, (60_000, 1)), axis=0)
    rows = np.concatenate(
        [notes, rng.integers(1, 400, notes.shape), rng.integers(0, 127, notes.shape),
         rng.integers(1, 127, notes.shape), np.zeros_like(notes)], axis=1
    )  # fmt: skip
    score = example.with_table(example.table.replaced([(0, 0)], [rows]))
    roll, page = connect(PianoRoll, example)
    roll.score = score
    _, base = keep(page)
    assert base is not None and len(base) <= MOST_BYTES
    other, second = connect(PianoRoll, example)
    long = {"k": "ops", "label": "x" * 1_200_000, "ops": [{"op": "tempo_set", "bpm": 99}]}
    padded = frame(base, [(long, b"")])
    assert len(padded) > 2 * (512 << 10)
    assert restore(second, padded)[0]["count"] == 1
    assert other.score.hash() == score.set_tempo(99).hash()


def test_o6_hostile_storage_is_refused_in_words(example: Score, connect: Any) -> None:
    roll, page = connect(PianoRoll, example)
    roll.score = roll.score.transpose(1)
    _, base = keep(page)
    assert base is not None
    other, second = connect(PianoRoll, example)
    good = frame(base, [drawn(1)])
    wrong = [
        b"", b"\0" * 3, b"\xff" * 40, (2**31).to_bytes(4, "little") + b"{}", good[: len(good) // 2],
        *(frame(base, header=own) for own in (
            {"base": len(base) + 1}, {"base": -1}, {"base": True}, {"base": "x"}, {"log": "x"},
            {"log": [{}] * 100_001})),
        frame(b"PK\x03\x04" + b"\0" * 50),
        (3).to_bytes(4, "little") + b"[1]",
    ]  # fmt: skip
    for data in wrong:
        with pytest.raises(ProjectError):
            read_kept(data, roll._kept.start)
        answer, _ = restore(second, data)
        assert answer["k"] == "error" and answer["message"] and other._document.rev == 0
    log: list[Any] = [[1], [{}], [{"k": "explode"}], [{"k": "ops", "ops": 7}], [{"k": "ops", "bytes": -3}],
                      [{"k": "ops", "ops": [{"op": "notes", "remove": None, "count": 10**9}]}]]  # fmt: skip
    for entries in log:
        kept = read_kept(frame(base, header={"log": entries}), roll._kept.start)
        assert kept.done == 0 and kept.lost == len(entries)
    rng = random.Random(5)
    for _ in range(150):
        damaged = bytearray(good)
        for _ in range(rng.randint(1, 8)):
            damaged[rng.randrange(len(damaged))] = rng.randrange(256)
        with contextlib.suppress(ProjectError):
            read_kept(bytes(damaged), roll._kept.start)


@pytest.mark.parametrize(
    ("part", "parts"), [(0, 0), (1, 1), (-1, 2), (0, 10**9), ("0", 1), (True, 1), (1, 2), (None, None)]
)
def test_o6_parts_in_another_order_are_refused(example: Score, connect: Any, part: Any, parts: Any) -> None:
    roll, page = connect(PianoRoll, example)
    answer, _ = page.request("restore", part=part, parts=parts)
    assert answer["k"] == "error" and roll._document.rev == 0


def test_o6_a_read_only_roll_is_not_changed(example: Score, connect: Any) -> None:
    roll, page = connect(PianoRoll, example, readonly=True)
    answer, _ = restore(page, frame(b"", [drawn(1)]))
    assert (answer["k"], answer["code"]) == ("error", "readonly") and roll.score == example
    answer, buffers = restore(page, frame(b"", [drawn(1)]), file=True)
    assert answer["k"] == "ok" and buffers[0][:2] == b"PK"


def test_o6_rolls_of_one_music_know_each_other_by_it(example: Score, connect: Any) -> None:
    first, _ = connect(PianoRoll, example)
    again, _ = connect(InfillEditor, Score.example())
    other, _ = connect(PianoRoll, example.transpose(1))
    assert first._autosave["keys"] == again._autosave["keys"] != other._autosave["keys"]
    assert again._autosave["number"] == first._autosave["number"] + 1
    assert first._autosave["session"] != again._autosave["session"]
    assert first._autosave["kernel"] == again._autosave["kernel"]


def test_o6_more_edits_than_are_repeated_are_lost_but_not_the_rest(
    example: Score, monkeypatch: pytest.MonkeyPatch
) -> None:
    roll = PianoRoll(example)
    monkeypatch.setattr("midigpt_nb.widgets.autosave._MOST_LOG", 3)
    kept = read_kept(frame(b"", [drawn(i, onset=100 * i) for i in range(5)]), roll._kept.start)
    assert (kept.done, kept.lost) == (3, 2)
    assert kept.project.score.n_notes == example.n_notes + 3


def test_o6_identities_that_would_be_given_out_again_are_not_taken(example: Score) -> None:
    from midigpt_nb.widgets.project import Project

    n = example.n_notes
    start = PianoRoll(example)._kept.start
    for ids, fits in [(np.arange(n), True), (np.arange(n) + 1, False), (np.full(n, 2), False)]:
        base = Project(example).pack_kept(ids.astype(np.uint32), [4, 4, 1, 2], next_id=n)
        kept = read_kept(frame(base, [drawn(1)]), start)
        assert kept.done == 1 and kept.project.score.n_notes == n + 1, fits
    huge = Project(example).pack_kept(np.arange(n, dtype=np.uint32) + 2**30, [0, 1, 2, 3], next_id=n)
    ops = [{"op": "track_duplicate", "track": 0}]
    kept = read_kept(frame(huge, [({"k": "ops", "label": "", "ops": ops}, b"")]), start)
    assert kept.done == 1 and kept.project.score.n_tracks == 5


@pytest.mark.parametrize("number", [b"1e999", b"-1e999", b"NaN", b"Infinity"])
def test_o6_numbers_that_json_cannot_say_again_are_refused(example: Score, number: bytes) -> None:
    text = b'{"base": 0, "log": [], "more": %s}' % number
    data = len(text).to_bytes(4, "little") + text
    with pytest.raises(ProjectError, match="no number of JSON"):
        read_kept(data, PianoRoll(example)._kept.start)
