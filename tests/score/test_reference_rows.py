"""Where this package is like the published one on purpose, and where it is better: MIDI and scores."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

from midigpt_nb import _core
from midigpt_nb.errors import ScoreError
from midigpt_nb.score.model import Bar, Note, Score, Track

from .rare_files import (
    cells_of,
    chunk_of,
    events_of,
    file_of,
    invisible_and_paired,
    meta,
    missing,
    notes_of,
)

ON, OFF = b"\x90\x3c\x5a", b"\x80\x3c\x00"
QUARTER = ((0, ON), (480, OFF))


def notes(score: Score, track: int = 0) -> list[tuple[int, int, int, int, int]]:
    return [
        (bar, n.pitch, n.onset_ticks, n.duration_ticks, n.delta)
        for bar, content in enumerate(score.tracks[track].bars)
        for n in content.notes
    ]


@pytest.mark.parametrize(
    "payload", [b"", b"\x04", b"\x04\x08\x18\x08", b"\x04\x20\x18\x08", b"\x00\x02\x18\x08"]
)
def test_m2_malformed_time_signatures_are_ignored(payload: bytes) -> None:
    score = Score.from_bytes(file_of([chunk_of((0, meta(0x58, payload)), *QUARTER)]))
    assert notes(score) == [(0, 60, 0, 480, 0)] and score.tracks[0].bars[0].beat_length == 4.0


def test_m4_an_empty_tempo_event_is_ignored_and_kept() -> None:
    data = file_of([chunk_of((0, meta(0x51, b"")), *QUARTER)])
    assert Score.from_bytes(data).tempo == 500_000 and Score.from_bytes(data).to_midi() == data


def test_m5_sysex_continuations_and_real_time_bytes_are_parsed() -> None:
    body = b"\x00\xf0\x02\x43\x12\x00\xf7\x02\x01\xf7\x00\xf8\x00\x90\x3c\x5a\x83\x60\x3c\x00"
    data = file_of([b"MTrk" + struct.pack(">I", len(body)) + body])
    assert notes(Score.from_bytes(data)) == [(0, 60, 0, 480, 0)]
    assert [event[0] for _, _, event in events_of(Score.from_bytes(data).to_midi() or b"")] == [
        0xF0, 0xF7, 0xF8, 0x90, 0x90,
    ]  # fmt: skip


def test_m6_an_event_with_data_bytes_above_127_is_passed_over_and_kept() -> None:
    data = file_of([chunk_of((0, b"\x90\x3c\xff"), (0, b"\xb0\x07\x90"), *QUARTER)])
    assert notes(Score.from_bytes(data)) == [(0, 60, 0, 480, 0)]
    assert Score.from_bytes(data).to_midi() == data


def test_m7_writing_raises_folds_microtiming_and_keeps_bars_at_the_end(tmp_path: Path) -> None:
    with pytest.raises(ScoreError, match="cannot write"):
        Score.example().to_midi(tmp_path / "none" / "x.mid")
    with pytest.raises(ScoreError, match="onset_ticks is -1"):
        Score([Track([Bar([Note(60, 90, -1, 10)])])]).to_midi()
    made = Score([Track([Bar([Note(60, 90, 10, 10, 300)]), Bar(), Bar()])])
    again = Score.from_bytes(made.to_midi())
    assert notes(again) == [(0, 60, 11, 10, 0)] and again.n_bars == 3


def test_m8_all_tempi_are_kept() -> None:
    tempi = ((0, meta(0x51, b"\x06\x1a\x80")), (960, meta(0x51, b"\x04\x93\xe0")))
    score = Score.from_bytes(file_of([chunk_of(*tempi), chunk_of(*QUARTER)]))
    assert (score.tempo, score.tempo_map) == (400_000, [(0, 400_000), (960, 300_000)])


def test_m9_a_note_that_never_ends_is_left_out_with_a_warning_and_kept_in_the_file() -> None:
    data = file_of([chunk_of((0, b"\x90\x40\x5a"), *QUARTER)])
    with pytest.warns(UserWarning, match="1 notes of the file never end"):
        score = Score.from_bytes(data)
    assert score.n_notes == 1 and score.to_midi() == data


def test_m10_a_chunk_of_lyrics_is_a_track_as_in_the_reference() -> None:
    score = Score.from_bytes(file_of([chunk_of((0, meta(5, b"la"))), chunk_of(*QUARTER)]))
    assert [track.n_notes for track in score.tracks] == [0, 1]


def test_m11_plain_data_keeps_bar_lengths_and_attributes() -> None:
    score = Score([Track([Bar([], 3, 4)], attributes={"note_density": 2})])
    again = Score.from_dict(score.to_dict())
    assert again.tracks[0].bars[0].beat_length == 3.0 and again.tracks[0].attributes == {"note_density": 2}


def test_m23_many_events_at_one_tick_keep_their_order() -> None:
    pitches = [(i * 37) % 128 for i in range(60)]
    chord = [(0, bytes([0x90, p, 90])) for p in pitches] + [(480, bytes([0x80, p, 0])) for p in pitches]
    signatures = [(0, meta(0x58, bytes([2 + i % 5, 2, 24, 8]))) for i in range(30)]
    score = Score.from_bytes(file_of([chunk_of(*signatures, *chord)]))
    found = [n.pitch for bar in score.tracks[0].bars for n in bar.notes]
    assert found == pitches and score.tracks[0].bars[0].ts_numerator == 2 + 29 % 5


def test_m26_paths_are_path_objects_too(tmp_path: Path) -> None:
    Score.example().to_midi(tmp_path / "x.mid")
    assert Score.from_midi(tmp_path / "x.mid") == Score.from_midi(str(tmp_path / "x.mid")) == Score.example()


def test_q13_a_bar_cut_short_counts_as_whole_and_durations_across_it_grow() -> None:
    metre = [(0, meta(0x58, b"\x04\x02\x18\x08")), (2400, meta(0x58, b"\x03\x02\x18\x08"))]
    score = Score.from_bytes(file_of([chunk_of(metre[0], (1920, ON), metre[1], (2640, OFF))]))
    assert notes(score) == [(1, 60, 0, 2160, 0)]
    assert score.tracks[0].bars[1].beat_length == 4.0


def test_q14_a_note_that_rounds_onto_the_next_bar_line_is_left_out_and_stays_in_the_file() -> None:
    data = file_of([chunk_of((0, ON), (100, OFF), (3839, ON), (4000, OFF))], ticks=960)
    score = Score.from_bytes(data)
    assert notes(score) == [(0, 60, 0, 50, 0)]
    edited = score.set_velocity([(0, 0, 0)], 50).to_midi()
    assert edited is not None and (0, 3839, ON) in events_of(edited)


def test_u1_untouched_material_is_returned_as_it_was() -> None:
    score = Score.example()
    fresh = np.array([[0, 480, 40, 90, 0]], np.int32)
    edited = score.with_table(score.table.replaced([(1, 5)], [fresh]))
    data = edited.to_midi()
    assert data is not None and score.source is not None
    file, table = score.source.file, score.table
    before = events_of(file.to_bytes())
    _, off_of = invisible_and_paired(before)
    low, high = table.note_rows(1, 5)
    gone = set(table.note_source[low:high].tolist())
    assert missing(before, events_of(data), gone | {off_of[on] for on in gone}) == []
    after = _core.read_midi(data)[1]
    others = [cell for cell in cells_of(table) if cell != (1, 5)]
    assert [notes_of(after, cell) for cell in others] == [notes_of(table, cell) for cell in others]
    assert Score.from_bytes(data).tempo_map == score.tempo_map
