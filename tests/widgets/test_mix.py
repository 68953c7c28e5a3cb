"""Mute, solo, volume and colour belong to a track wherever it goes (E8), also through undo and a reload."""

from __future__ import annotations

import pytest
import traitlets as t

from midigpt_nb import PianoRoll, Score
from midigpt_nb.widgets.protocol import unpack_document
from midigpt_nb.widgets.track_numbers import matched_numbers, numbers_after


def numbers(roll: PianoRoll) -> list[int]:
    return [track["id"] for track in unpack_document(roll._document.pack())[0]["tracks"]]


def edit(page, **op) -> None:
    answer, _ = page.request("ops", label="x", ops=[op])
    assert answer["k"] == "ok", answer


def test_e8_numbers_follow_tracks_through_moves_undo_and_redo(connect, example) -> None:
    roll, page = connect(PianoRoll, example)
    assert numbers(roll) == [0, 1, 2, 3]
    edit(page, op="track_move", track=0, to=2)
    assert numbers(roll) == [1, 2, 0, 3]
    edit(page, op="track_delete", track=1)
    assert numbers(roll) == [1, 0, 3]
    edit(page, op="track_duplicate", track=0)
    _, copy, *_ = first = numbers(roll)
    assert copy > 3 and first == [1, copy, 0, 3]
    edit(page, op="track_add", drum=True)
    *_, added = second = numbers(roll)
    assert second == [1, copy, 0, 3, added] and added > copy
    for expected in (first, [1, 0, 3], [1, 2, 0, 3], [0, 1, 2, 3]):
        roll.undo()
        assert numbers(roll) == expected
    for _ in range(4):
        roll.redo()
    assert numbers(roll) == second
    roll.undo()
    edit(page, op="track_add", drum=True)
    assert numbers(roll)[-1] > added  # never one that was used before


def test_e8_numbers_follow_tracks_that_python_moves(connect, example) -> None:
    roll, _ = connect(PianoRoll, example)
    roll.score = roll.score.reorder_tracks([3, 1, 0, 2])
    assert numbers(roll) == [3, 1, 0, 2]
    roll.score = roll.score.delete_track(0).transpose(2)
    assert numbers(roll) == [1, 0, 2]
    roll.score = roll.score.rename_track(1, "Other")
    assert numbers(roll) == [1, 0, 2]
    fresh = iter(range(90, 99))
    assert numbers_after((7, 8), [{"op": "track_duplicate", "track": 0}], lambda: next(fresh)) == (7, 90, 8)
    assert matched_numbers(example, (0, 1, 2, 3), Score(), lambda: 9) == ()


def test_e8_the_mix_survives_a_reload_and_a_project(connect, example, tmp_path) -> None:
    roll, page = connect(PianoRoll, example)
    page.set(mix={"2": {"muted": True, "volume": 80}})
    assert roll.get_state("mix") == {"mix": {"2": {"muted": True, "volume": 80}}}  # what a reloaded page gets
    edit(page, op="track_delete", track=0)
    roll.save(tmp_path / "song.mgnb")
    again = PianoRoll.from_file(tmp_path / "song.mgnb")
    assert again.mix == {"1": {"muted": True, "volume": 80}} and numbers(again) == [0, 1, 2]


@pytest.mark.parametrize(
    "wrong",
    [{"x": {}}, {"0": {"loud": 3}}, {"0": {"volume": 200}}, {"0": {"muted": 1}}, {"0": 5}, {True: {}}],
)
def test_e8_a_wrong_mix_is_refused(example, wrong) -> None:
    with pytest.raises(t.TraitError, match="mix"):
        PianoRoll(example, mix=wrong)
