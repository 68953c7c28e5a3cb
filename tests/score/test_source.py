"""What a file knows beyond its notes: tempo map, names, and where bars are."""

from __future__ import annotations

import struct

import pytest

from midigpt_nb import _core
from midigpt_nb.score.model import Score

END = b"\x00\xff\x2f\x00"
NOTE = b"\x00\x90\x3c\x5a\x83\x60\x80\x3c\x00"  # a quarter at 480 ticks
DRUM = b"\x00\x99\x24\x5a\x83\x60\x89\x24\x00"


def name(text: bytes) -> bytes:
    return b"\x00\xff\x03" + bytes([len(text)]) + text


def tempo(delta: bytes, microseconds: int) -> bytes:
    return delta + b"\xff\x51\x03" + microseconds.to_bytes(3, "big")


def file_of(*tracks: bytes, ticks: int = 480) -> bytes:
    chunks = b"".join(b"MTrk" + struct.pack(">I", len(t + END)) + t + END for t in tracks)
    return b"MThd" + struct.pack(">IHHH", 6, 1, len(tracks), ticks) + chunks


@pytest.mark.parametrize(
    ("tracks", "names"),
    [
        pytest.param(
            [name(b"Song"), name(b"Voice") + NOTE], ["Voice"], id="a chunk with one track lends it its name"
        ),
        pytest.param(
            [name(b"Song") + NOTE + DRUM],
            ["Song: Acoustic Grand Piano", "Song: Drums"],
            id="a shared chunk's name comes first",
        ),
        pytest.param([NOTE, DRUM], ["Acoustic Grand Piano", "Drums"], id="no name: the program's"),
        pytest.param([name("Fl\u00f6te".encode()) + NOTE], ["Fl\u00f6te"], id="UTF-8"),
        pytest.param([name("Fl\u00f6te".encode("latin-1")) + NOTE], ["Fl\u00f6te"], id="Latin-1"),
        pytest.param([name(b"  ") + NOTE], ["Acoustic Grand Piano"], id="blank"),
    ],
)
def test_track_names(tracks: list[bytes], names: list[str]) -> None:
    assert Score.from_bytes(file_of(*tracks)).track_names == names


@pytest.mark.parametrize(
    ("events", "ticks", "expected"),
    [
        pytest.param(b"", 480, [(0, 500000)], id="none"),
        pytest.param(tempo(b"\x00", 400000), 480, [(0, 400000)], id="one"),
        pytest.param(
            tempo(b"\x00", 400000) + tempo(b"\x60", 300000),
            96,
            [(0, 400000), (480, 300000)],
            id="scaled to the score",
        ),
        pytest.param(
            tempo(b"\x83\x60", 400000), 480, [(0, 500000), (480, 400000)], id="the first comes late"
        ),
        pytest.param(
            tempo(b"\x00", 400000) + tempo(b"\x00", 300000), 480, [(0, 300000)], id="the last of one tick"
        ),
        pytest.param(
            tempo(b"\x00", 400000) + tempo(b"\x60", 0), 480, [(0, 400000)], id="a tempo of 0 is left out"
        ),
    ],
)
def test_tempo_map(events: bytes, ticks: int, expected: list[tuple[int, int]]) -> None:
    assert Score.from_bytes(file_of(events, NOTE, ticks=ticks)).tempo_map == expected


def test_tempo_map_follows_bars_that_the_file_cuts_short() -> None:
    # 4/4, then 3/4 at tick 960 in the middle of bar 0; the tempo changes there too.
    events = b"\x87\x40\xff\x58\x04\x03\x02\x18\x08" + tempo(b"\x00", 250000)
    score = Score.from_bytes(file_of(events, NOTE))
    assert score.bar_starts.tolist() == [0, 1920, 3360]
    assert score.tempo_map == [(0, 500000), (1920, 250000)]
    assert score.seconds([0, 1920, 3360]).tolist() == pytest.approx([0, 2.0, 2.75])
    assert score.source is not None
    assert score.source.file.bar_starts.tolist() == [0, 960]


def test_a_changed_tempo_is_the_first_of_the_map_and_of_the_file() -> None:
    score = Score.from_bytes(file_of(tempo(b"\x00", 400000) + tempo(b"\x60", 300000), NOTE))
    score.tempo = 600000
    assert score.tempo_map == [(0, 600000), (96, 300000)]
    assert Score.from_bytes(score.to_midi()).tempo_map == score.tempo_map


def test_a_new_name_is_written_and_a_shared_chunk_keeps_its_own() -> None:
    score = Score.from_bytes(file_of(name(b"Voice") + NOTE, DRUM, name(b"Both") + NOTE + DRUM))
    score.tracks[0].name = "Lead"
    score.tracks[1].name = "Kit"
    score.tracks[2].name = "Left"
    again = Score.from_bytes(score.to_midi())
    assert again.track_names == ["Lead", "Kit", "Both: Acoustic Grand Piano", "Both: Drums"]


def test_notes_that_never_end_are_reported() -> None:
    with pytest.warns(UserWarning, match="1 notes of the file never end"):
        score = Score.from_bytes(file_of(NOTE + b"\x00\x90\x40\x5a"))
    assert score.n_notes == 1


def test_file_facts() -> None:
    file, table = _core.read_midi(file_of(name(b"Song"), DRUM + NOTE, ticks=96))
    assert (file.format, file.ticks_per_quarter, file.n_chunks) == (1, 96, 2)
    assert file.chunk_names == ["Song", ""]
    assert file.track_sources == [(1, 0, 0), (1, 9, 0)]
    assert file.event(0) == (0, 0, b"\xff\x03\x04Song")
    assert file.event(int(table.note_source[0]))[2] == b"\x90\x3c\x5a"
    with pytest.raises(IndexError, match="the file has"):
        file.event(999)


def test_the_example_piece_is_what_its_script_writes_and_has_something_to_keep() -> None:
    score = Score.example()
    assert (score.n_tracks, score.n_bars) == (4, 16)
    assert score.track_names == ["Drums", "Bass", "Electric Piano", "Flute"]
    assert 60e6 / score.tempo == pytest.approx(110, abs=0.01)
    assert score.source is not None
    file = score.source.file
    events = [file.event(i)[2] for i in range(file.n_events)]
    assert b"\xff\x06\x01A" in events and b"\xff\x06\x01B" in events
    assert sum(event[0] == 0xB1 and event[1] == 64 for event in events) > 10  # the pedal
    assert score.to_midi() == Score.from_bytes(score.to_midi()).to_midi()
