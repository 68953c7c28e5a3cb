"""Controllers, bends and pedal around bars whose notes are new: kept as they are, or silenced when asked."""

from __future__ import annotations

import numpy as np
import pytest

from midigpt_nb.errors import ScoreError
from midigpt_nb.score.model import Score

from .rare_files import chunk_of, events_of, file_of, missing

ON, OFF = b"\x90\x3c\x5a", b"\x80\x3c\x11"
PEDAL_DOWN, PEDAL_UP = b"\xb0\x40\x7f", b"\xb0\x40\x00"
BEND, CENTRE = b"\xe0\x00\x50", b"\xe0\x00\x40"


def piece(*extra: tuple[int, bytes]) -> bytes:
    """Three 4/4 bars on one channel: a note in each, and what is put beside them."""
    notes = [(bar * 1920 + 480 * end, OFF if end else ON) for bar in range(3) for end in (0, 1)]
    return file_of([chunk_of(*sorted([*notes, *extra], key=lambda event: event[0]))])


def new_bar(score: Score, bar: int = 1) -> Score:
    return score.with_table(score.table.replaced([(0, bar)], [np.array([[240, 240, 67, 90, 0]], np.int32)]))


def gestures(data: bytes) -> list[tuple[int, bytes]]:
    return [
        (tick, event) for _, tick, event in events_of(data) if event[0] & 0xF0 in (0xA0, 0xB0, 0xD0, 0xE0)
    ]


INSIDE = [
    (1920, BEND),
    (2000, b"\xd0\x30"),
    (2100, b"\xb0\x01\x40"),
    (2200, b"\xa0\x3c\x20"),
    (2300, PEDAL_DOWN),
]


def test_by_default_everything_in_a_new_bar_stays() -> None:
    data = piece(*INSIDE)
    written = new_bar(Score.from_bytes(data)).to_midi()
    assert gestures(written) == sorted(INSIDE)
    before = events_of(data)
    old_notes = {i for i, (_, tick, event) in enumerate(before) if 1920 <= tick < 3840 and event in (ON, OFF)}
    assert missing(before, events_of(written), old_notes) == []


def test_silenced_gestures_are_gone_from_the_bar_and_hold_after_it() -> None:
    written = new_bar(Score.from_bytes(piece(*INSIDE))).to_midi(controllers_in_new_bars="silence")
    assert written is not None
    found = gestures(written)
    assert {tick for tick, _ in found} == {3840}  # at the end of the bar, all as the file has it there
    assert {event for _, event in found} == {event for _, event in INSIDE}


def test_a_pedal_held_over_a_new_bar_is_lifted_for_it() -> None:
    held = piece((480, PEDAL_DOWN), (480, BEND), (5000, PEDAL_UP))
    kept = new_bar(Score.from_bytes(held)).to_midi()
    assert gestures(kept) == [(480, PEDAL_DOWN), (480, BEND), (5000, PEDAL_UP)]
    silenced = new_bar(Score.from_bytes(held)).to_midi(controllers_in_new_bars="silence")
    assert sorted(gestures(silenced)) == sorted(
        [
            (480, PEDAL_DOWN),
            (480, BEND),
            (1920, PEDAL_UP),
            (1920, CENTRE),
            (3840, PEDAL_DOWN),
            (3840, BEND),
            (5000, PEDAL_UP),
        ]
    )


def test_breath_and_expression_stay_where_they_are_and_volume_is_no_gesture() -> None:
    extra = [(0, b"\xb0\x0b\x60"), (2000, b"\xb0\x0b\x10"), (2100, b"\xb0\x07\x20"), (2200, b"\xb0\x0a\x10")]
    silenced = new_bar(Score.from_bytes(piece(*extra))).to_midi(controllers_in_new_bars="silence")
    assert gestures(silenced) == [
        (0, b"\xb0\x0b\x60"),
        (2100, b"\xb0\x07\x20"),
        (2200, b"\xb0\x0a\x10"),
        (3840, b"\xb0\x0b\x10"),
    ]


def test_only_bars_whose_notes_are_all_new_are_silenced() -> None:
    score = Score.from_bytes(piece(*INSIDE))
    untouched = score.to_midi(controllers_in_new_bars="silence")
    assert untouched == piece(*INSIDE)
    more = score.add_note(0, 1, 67, 240, 240).to_midi(controllers_in_new_bars="silence")
    assert gestures(more) == sorted(INSIDE)
    emptied = score.clear_bars(1).to_midi(controllers_in_new_bars="silence")
    assert {tick for tick, _ in gestures(emptied)} == {3840}


def test_a_channel_on_which_another_track_sounds_is_left_alone() -> None:
    other = chunk_of((2000, b"\x90\x30\x5a"), (2400, b"\x80\x30\x00"))
    data = piece(*INSIDE)
    shared = data[:10] + b"\x00\x02" + data[12:] + other
    written = new_bar(Score.from_bytes(shared)).to_midi(controllers_in_new_bars="silence")
    assert gestures(written) == sorted(INSIDE)


def test_a_kept_note_tied_into_a_new_bar_keeps_its_end_and_release() -> None:
    tied = file_of([chunk_of((0, ON), (2400, OFF), (2880, ON), (3000, OFF), (3840, ON), (3900, OFF))])
    score = Score.from_bytes(tied)
    fresh = np.array([[0, 1900, 60, 90, 0], [960, 240, 60, 80, 0]], np.int32)
    for how in ("keep", "silence"):
        data = score.with_table(score.table.replaced([(0, 1)], [fresh])).to_midi(controllers_in_new_bars=how)
        assert data is not None
        again = Score.from_bytes(data)
        assert again.tracks[0].bars[0].notes == score.tracks[0].bars[0].notes
        assert (0, 2400, OFF) in events_of(data)
        assert [n.onset_ticks for n in again.tracks[0].bars[1].notes] == [0, 960]


def test_a_changed_note_keeps_its_release_velocity() -> None:
    data = Score.from_bytes(piece()).transpose(1).to_midi()
    assert data is not None
    assert [event for _, _, event in events_of(data) if event[0] == 0x80] == [b"\x80\x3d\x11"] * 3


def test_another_wish_is_refused() -> None:
    with pytest.raises(ScoreError, match="controllers_in_new_bars is 'drop'; allowed: 'keep', 'silence'"):
        Score.example().to_midi(controllers_in_new_bars="drop")
