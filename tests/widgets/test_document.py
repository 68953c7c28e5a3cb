"""The document: ids, flags, packing, undo."""

from __future__ import annotations

import time

import numpy as np
import pytest

from midigpt_nb import Bar, Note, Score, Track
from midigpt_nb.widgets.document import Document, bar_label, cell_label, match_notes
from midigpt_nb.widgets.history import History
from midigpt_nb.widgets.protocol import FLAG_GENERATED, FLAG_PROVISIONAL, FLAG_REMOVED, unpack_document


def small() -> Score:
    """Two tracks in 3/4 and 7/8, drums last."""
    melody = Track(
        [Bar([Note(60, 90, 0, 480), Note(64, 80, 480, 240)], 3, 4), Bar([Note(62, 70, 120, 60)], 7, 8)], 33
    )
    drums = Track([Bar([Note(36, 100, 0, 60)], 3, 4), Bar([Note(38, 100, 840, 60)], 7, 8)], 0, "drum")
    return Score([melody, drums])


def replaced(score: Score, cells, rows) -> Score:
    return score.with_table(score.table.replaced(cells, [np.array(r).reshape(-1, 5) for r in rows]))


def test_pack_gives_absolute_ticks_and_the_real_bars():
    header, notes, before = unpack_document(Document(small()).pack("Waltz"))
    assert header["title"] == "Waltz" and header["resolution"] == 480 and header["rev"] == 0
    assert header["bars"] == [[3, 4, 0, 1440], [7, 8, 1440, 1680]]
    assert [track["drum"] for track in header["tracks"]] == [False, True]
    assert header["tracks"][0]["family"] == "Bass" and header["tracks"][1]["family"] == "Drums"
    assert header["drums"]["36"]
    assert notes["onset"].tolist() == [0, 480, 1560, 0, 2280]
    assert notes["duration"].tolist() == [480, 240, 60, 60, 60]
    assert notes["pitch"].tolist() == [60, 64, 62, 36, 38]
    assert notes["track"].tolist() == [0, 0, 0, 1, 1]
    assert notes["flags"].tolist() == [0] * 5 and len(set(notes["id"].tolist())) == 5
    assert len(before) == 0


@pytest.mark.parametrize(
    "score", [Score([]), Score([Track([])]), Score([Track([Bar()])])], ids=["no track", "no bar", "no note"]
)
def test_empty_pieces_pack(score):
    header, notes, before = unpack_document(Document(score).pack())
    assert len(notes) == len(before) == 0 and len(header["tracks"]) == score.n_tracks


def test_kept_notes_keep_their_ids_and_only_a_generation_is_tinted():
    document = Document(small())
    _, old, _ = unpack_document(document.pack())
    base = document.state
    result = replaced(document.score, [(0, 0)], [[[0, 480, 60, 90, 0], [240, 100, 72, 99, 0]]])
    assert document.accept(result, [(0, 0)], base, "Regenerate")
    _, new, before = unpack_document(document.pack())
    kept = np.isin(new["id"], old["id"])
    assert new[~kept]["pitch"].tolist() == [72] and new[~kept]["flags"].tolist() == [FLAG_GENERATED]
    assert (new[kept]["flags"] == 0).all()
    assert before["pitch"].tolist() == [64] and before["flags"].tolist() == [FLAG_REMOVED]
    assert before["id"].tolist() == [old["id"][1]] and before["onset"].tolist() == [480]

    document.assign(replaced(document.score, [(1, 0)], [[[0, 60, 40, 100, 0]]]))
    _, last, before = unpack_document(document.pack())
    assert (last["flags"] == 0).all() and len(before) == 0  # the tint lasts until the next change


def test_equal_notes_are_matched_one_by_one():
    note = [0, 10, 60, 90, 0]
    one = Score([Track([Bar([Note(60, 90, 0, 10), Note(60, 90, 0, 10)])])])
    three = replaced(one, [(0, 0)], [[note, note, note]])
    assert match_notes(one.table, three.table).tolist() == [0, 1, -1]
    assert match_notes(three.table, one.table).tolist() == [0, 1]
    assert match_notes(Score([]).table, one.table).tolist() == [-1, -1]


def test_assigning_the_same_music_is_no_step():
    document = Document(small())
    assert not document.assign(small())
    assert document.rev == 0 and not document.can_undo


def test_changing_a_score_in_place_does_not_reach_the_document():
    given = small()
    document = Document(given)
    before = document.pack()
    given.tracks[0].bars[0].notes.clear()
    document.score.tracks[1].bars[0].notes.clear()
    assert document.pack() == before
    assert document.assign(document.score)  # but assigning the changed score does
    assert unpack_document(document.pack())[0]["n_notes"] == 4


def test_undo_and_redo_are_byte_identical(example):
    document = Document(example)
    midi, packed = [document.score.to_midi()], [document.pack()[4:]]
    rng = np.random.default_rng(5)
    for step in range(30):
        cell = (int(rng.integers(4)), int(rng.integers(16)))
        rows = [
            [int(rng.integers(0, 1800)), 100, int(rng.integers(30, 90)), 80, 0]
            for _ in range(rng.integers(0, 5))
        ]
        rows.append([step, 7, 60, 80, 0])  # every step changes something
        result = replaced(document.score, [cell], [sorted(rows)])
        if step % 2:
            assert document.assign(result)
        else:
            assert document.accept(result, [cell], document.state, "generation")
        midi.append(document.score.to_midi())
        packed.append(document.pack())

    def shown(data):
        header, notes, before = unpack_document(data)
        return {**header, "rev": 0}, notes.tobytes(), before.tobytes()

    for step in range(29, -1, -1):
        assert document.undo()
        assert document.score.to_midi() == midi[step]
        if step:
            assert shown(document.pack()) == shown(packed[step])
    assert not document.undo()
    assert document.score == example
    for step in range(1, 31):
        assert document.redo()
        assert shown(document.pack()) == shown(packed[step])
    assert not document.redo()


def test_a_result_for_a_piece_that_moved_on_changes_only_its_cells(example):
    document = Document(example)
    base = document.state
    result = replaced(base.score, [(1, 4)], [[[0, 100, 40, 90, 0]]])
    document.assign(replaced(document.score, [(2, 0)], [[[0, 100, 70, 90, 0]]]))
    assert document.accept(result, [(1, 4)], base, "late")
    changed = {tuple(cell) for cell in changed_cells(example, document.score)}
    assert changed == {(1, 4), (2, 0)}


def test_a_result_without_a_place_is_refused(example):
    document = Document(example)
    base = document.state
    document.assign(small())
    rev = document.rev
    assert not document.accept(base.score, [(1, 4)], base, "late")
    assert document.rev == rev and document.score == small()


def changed_cells(before: Score, after: Score) -> list[tuple[int, int]]:
    cells = []
    for track in range(before.n_tracks):
        for bar in range(before.table.n_bars(track)):
            rows = [np.asarray(s.table.notes)[slice(*s.table.note_rows(track, bar))] for s in (before, after)]
            if not np.array_equal(*rows):
                cells.append((track, bar))
    return cells


def test_provisional_notes_lie_in_their_bar():
    document = Document(small())
    records = document.provisional(1, 1, [(42, 90, 60, 30), (42, 91, 120, 30)])
    assert records["onset"].tolist() == [1500, 1560] and records["track"].tolist() == [1, 1]
    assert (records["flags"] == FLAG_PROVISIONAL).all()
    known = unpack_document(document.pack())[1]["id"]
    assert not np.isin(records["id"], known).any()


def test_ten_thousand_notes_pack_quickly():
    bars = [Bar([Note(30 + i % 60, 90, i * 15, 30) for i in range(100)]) for _ in range(100)]
    document = Document(Score([Track(bars)]))
    times = []
    for _ in range(5):
        start = time.perf_counter()
        data = document.pack()
        times.append(time.perf_counter() - start)
    assert len(data) > 200_000 and min(times) < 0.05


def test_history_keeps_the_last_500_steps():
    history: History[int] = History()
    for step in range(600):
        history.push(step, f"step {step}")
    assert history.undo_label == "step 599"
    current, undone = 600, 0
    while (state := history.undo(current)) is not None:
        current, undone = state, undone + 1
    assert undone == 500 and current == 100 and history.redo_label == "step 100"
    history.push(current, "other way")
    assert not history.can_redo


@pytest.mark.parametrize(
    ("bars", "words"), [([2], "bar 3"), ([4, 5, 6, 7], "bars 5-8"), ([11, 4, 5], "bars 5-6, 12")]
)
def test_bars_in_words(bars, words):
    assert bar_label(bars) == words


def test_cells_in_words():
    assert cell_label([(1, 4), (1, 5)], ["Drums", "Bass"]) == "bars 5-6, Bass"
    assert cell_label([(0, 4), (1, 4)], ["Drums", "Bass"]) == "bar 5, 2 tracks"
