"""More tracks than channels: each keeps its program on playback."""

from __future__ import annotations

import numpy as np
import pytest

from midigpt_nb.score.model import Bar, Note, Score, Track

from .rare_files import events_of


def orchestra(n: int, programs: int = 128, drum_at: int = -1) -> Score:
    def track(i: int) -> Track:
        kind = "drum" if i == drum_at else "melodic"
        return Track([Bar([Note(40 + i % 60, 90, 0, 480)])], i % programs, kind)

    return Score([track(i) for i in range(n)])


def sounding_programs(data: bytes) -> list[int]:
    """Program that each chunk's first note plays with, when all chunks are played together."""
    events = events_of(data)
    port = {chunk: event[3] for chunk, _, event in events if event[:2] == b"\xff\x21"}
    program: dict[tuple[int, int], int] = {}
    found: dict[int, int] = {}
    order = sorted(range(len(events)), key=lambda i: (events[i][1], events[i][2][0] & 0xF0 == 0x90, i))
    for chunk, _, event in (events[i] for i in order):
        seat = (port.get(chunk, 0), event[0] & 15)
        if event[0] & 0xF0 == 0xC0:
            program[seat] = event[1]
        elif event[0] & 0xF0 == 0x90 and seat[1] != 9:
            found.setdefault(chunk, program.get(seat, 0))
    return list(found.values())


@pytest.mark.parametrize("n", [1, 15, 16, 31, 40, 200])
def test_every_track_of_a_new_file_keeps_its_program(n: int) -> None:
    data = orchestra(n).to_midi()
    assert data is not None
    assert sounding_programs(data) == [i % 128 for i in range(n)]
    assert Score.from_bytes(data) == orchestra(n)


def test_tracks_of_one_program_share_a_channel_before_a_port_is_named() -> None:
    data = orchestra(40, programs=15).to_midi()
    assert data is not None
    assert sounding_programs(data) == [i % 15 for i in range(40)]
    assert not [event for _, _, event in events_of(data) if event[:2] == b"\xff\x21"]


def test_a_drum_track_among_the_first_leaves_its_turn_to_a_later_one() -> None:
    data = orchestra(16, drum_at=3).to_midi()
    assert data is not None
    assert not [event for _, _, event in events_of(data) if event[:2] == b"\xff\x21"]
    assert sounding_programs(data) == [i for i in range(16) if i != 3]


def test_new_tracks_of_a_full_file_get_a_port_of_their_own() -> None:
    score = Score.from_bytes(orchestra(15).to_midi())
    for program in (50, 51, 3):
        score = score.add_track(program).add_note(-1, 0, 60, 0, 480)
    data = score.to_midi()
    assert data is not None
    assert sounding_programs(data) == [*range(15), 50, 51, 3]
    assert [event[3] for _, _, event in events_of(data) if event[:2] == b"\xff\x21"] == [1, 1]  # 3 shares
    assert Score.from_bytes(data) == score


def test_appended_bars_and_a_new_track_go_into_a_file_of_another_resolution() -> None:
    coarse = orchestra(3).resample(96)
    score = Score.from_bytes(coarse.to_midi())
    table = score.table.with_bars(0, [(4, 4), (7, 8)]).with_track(40, False)
    table = table.replaced([(0, 2), (3, 0)], [np.array([[240, 480, 70, 90, 0]], np.int32)] * 2)
    again = Score.from_bytes(score.with_table(table).to_midi())
    assert again.source is not None and again.source.file.ticks_per_quarter == 96
    assert again.table.notes[:, [0, 1, 2]].tolist() == table.notes[:, [0, 1, 2]].tolist()
    assert [bar.ts_numerator for bar in again.tracks[0].bars] == [4, 4, 7]
    assert again.tracks[3].instrument == 40
