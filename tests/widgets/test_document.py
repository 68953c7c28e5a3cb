"""The document: ids, flags, packing, undo."""

from __future__ import annotations

import random
import time

import numpy as np
import pytest

from midigpt_nb import Bar, Note, PianoRoll, Score, Track
from midigpt_nb.widgets.document import Document, bar_label, cell_label, match_notes
from midigpt_nb.widgets.history import WHOLE, History
from midigpt_nb.widgets.packed_state import PackedState
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


def _many_bars(tracks=16, bars=200, notes=4):
    """A piece of `tracks` x `bars` with `notes` notes a bar."""
    rng = random.Random(8)
    bar = [Bar([Note(rng.randrange(30, 90), 90, at * 480, 240) for at in range(notes)]) for _ in range(50)]
    return Score([Track([bar[(t + b) % 50] for b in range(bars)], name=f"Part {t}") for t in range(tracks)])


def test_e4_500_steps_of_a_large_piece_take_little_memory():
    """All that was done to 12,800 notes is undone and redone; what is kept is a fraction of the states."""
    document = Document(_many_bars())
    table = document.state.table
    first, size = document.score.hash(), table.notes.nbytes + table.bars.nbytes
    rng, hashes = random.Random(3), []
    for step in range(60):
        score, track, bar = document.score, rng.randrange(16), rng.randrange(196)
        match step % 6:
            case 0 | 1:
                score = score.add_notes(track, bar, [Note(rng.randrange(128), 80, rng.randrange(1900), 40)])
            case 2:
                score = score.transpose(rng.choice((-1, 1)), bars=(bar, bar + 4))
            case 3:
                score = score.delete_bars([bar])
            case 4:
                score = score.insert_bars(bar)
            case 5:
                score = score.transpose(rng.choice((-1, 1)), tracks=[track])
        document.assign(score)
        hashes.append(document.score.hash())
    kept = [entry for entry in document._history.kept() if isinstance(entry, PackedState)]
    assert len(kept) == 60 - WHOLE and sum(entry.n_bytes for entry in kept) < size * len(kept) / 8
    ids = document.state.ids
    for expected in [*hashes[-2::-1], first]:
        assert document.undo() and document.score.hash() == expected
    assert not document.undo()
    for expected in hashes:
        assert document.redo() and document.score.hash() == expected
    assert not document.redo() and (document.state.ids == ids).all()


def test_e4_the_program_follows_undo_into_packed_steps():
    roll = PianoRoll(Score([Track([Bar([Note(60, 90, 0, 40)]) for _ in range(200)])]))
    for i in range(60):
        roll.score = roll.score.add_notes(0, i, [Note(70, 90, 0, 40)])
    programs = {}

    def check():
        names: dict[str, PianoRoll] = {}
        programs[roll.score.hash()] = roll.code()
        exec(roll.code(), names)
        assert names["roll"].score.hash() == roll.score.hash()

    check()
    for _ in range(50):
        roll.undo()
    check()
    assert roll.code().count("add_notes") == 10  # what was undone is not in it
    for _ in range(30):
        roll.redo()
    check()
    roll.score = roll.score.add_notes(0, 100, [Note(71, 90, 0, 40)])
    check()
    assert roll.code().count("add_notes") == 41
    assert sum(not entry.settled for entry in roll._log._entries) <= WHOLE


def test_e4_wishes_are_undone_from_packed_steps_too():
    document = Document(Score([Track([Bar([Note(60, 90, 0, 40)])])]))
    table = document.state.table
    for i in range(60):
        document.decide("attributes", {"n": i}, {"n": i + 1})
    document.assign(document.score.transpose(1))
    assert document.undo()
    for i in reversed(range(60)):
        assert document.undo() and document.state.decided == {"attributes": {"n": i}}
        assert document.state.table is table  # it takes no memory
    assert not document.undo()


def test_notes_are_matched_first_to_first_whatever_was_edited():
    """Against a plain count of equal notes, for 300 edits with many equal notes in a bar."""
    rng = random.Random(4)

    def keys(table):
        seen: dict[tuple[int, ...], int] = {}
        for track in range(table.n_tracks):
            for bar in range(table.n_bars(track)):
                for row in table.notes[slice(*table.note_rows(track, bar))].tolist():
                    key = (track, bar, *row)
                    seen[key] = seen.get(key, -1) + 1
                    yield (*key, seen[key])

    def some_notes():
        return [[rng.randrange(2) * 120, 120, 60 + rng.randrange(2), 90, 0] for _ in range(rng.randrange(6))]

    for _ in range(300):
        tracks = [Track([Bar() for _ in range(rng.randrange(1, 5))]) for _ in range(rng.randrange(1, 4))]
        score = Score(tracks)
        cells = [(t, b) for t, track in enumerate(tracks) for b in range(track.n_bars)]
        score = replaced(score, cells, [some_notes() for _ in cells])
        changed = rng.sample(cells, rng.randrange(len(cells) + 1))
        other = replaced(score, changed, [some_notes() for _ in changed])
        if rng.random() < 0.3:
            other = other.duplicate_bars(range(1)) if rng.random() < 0.5 else other.add_track(3)
        places = {key: row for row, key in enumerate(keys(score.table))}
        wanted = [places.get(key, -1) for key in keys(other.table)]
        assert match_notes(score.table, other.table).tolist() == wanted
