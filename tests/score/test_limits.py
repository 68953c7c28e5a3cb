"""Files made to exhaust: every one is refused or read in time and memory that its size bounds."""

from __future__ import annotations

import resource
import struct
import time

import pytest

from midigpt_nb import _core
from midigpt_nb.errors import ScoreError

from .rare_files import chunk_of, file_of, meta, number

FAR = number(2**28 - 1)
ON, OFF = b"\x90\x3c\x5a", b"\x80\x3c\x00"


def raw(body: bytes) -> bytes:
    return b"MTrk" + struct.pack(">I", len(body)) + body


def one_bar_far_away(numerator: int, power: int, n: int) -> bytes:
    body = b"\x00" + meta(0x58, bytes([numerator, power, 24, 8])) + b"\x00" + ON
    return file_of([raw(body + (FAR + meta(1, b"")) * n + b"\x00" + OFF)], ticks=1)


HOSTILE = {
    "a chunk of 4 GiB": file_of([b"MTrk\xff\xff\xff\xff"]),
    "a text of 256 MiB": file_of([raw(b"\x00\xff\x01\xff\xff\xff\x7f")]),
    "a SysEx of 256 MiB": file_of([raw(b"\x00\xf0\xff\xff\xff\x7f")]),
    "a number of five bytes": file_of([raw(b"\xff\xff\xff\xff\x7f" + ON)]),
    "65,535 tracks announced": b"MThd" + struct.pack(">IHHH", 6, 1, 65535, 480),
    "65,535 empty tracks": file_of([raw(b"")] * 65535),
    "a note of 2^34 ticks": one_bar_far_away(255, 0, 64),
    "2^34 ticks of 1/128": one_bar_far_away(1, 7, 64),
    "bars of 255/1": one_bar_far_away(255, 0, 1),
    "300,000 notes that never end": file_of([raw(b"\x00\x90" + b"\x3c\x5a\x00" * 300_000)]),
    "2,000 tracks of 4,000 bars": file_of([chunk_of((0, ON), (4_000 * 1920, OFF))] * 2_000),
    "100,000 changes of metre": file_of([raw((b"\x01" + meta(0x58, b"\x01\x05\x18\x08")) * 100_000)]),
    "100,000 programs in turn": file_of(
        [
            raw(
                b"".join(
                    b"\x00" + bytes([0xC0, i % 128]) + b"\x00" + ON + b"\x01" + OFF for i in range(100_000)
                )
            )
        ]
    ),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_files_are_refused_or_read_within_bounds(name: str) -> None:
    data = HOSTILE[name]
    before, start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
    try:
        file, table = _core.read_midi(data)
    except ScoreError as error:
        assert str(error)
    else:
        assert _core.rewrite_midi(file, table, table) == data
    assert time.process_time() - start < 5
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024
    assert grown < 400 * 2**20


def test_many_new_notes_of_one_pitch_are_written_in_time() -> None:
    n = 20_000
    body = b"".join(b"\x60\x99\x24" + bytes([i % 100 + 1]) + b"\x30\x89\x24\x00" for i in range(n))
    file, table = _core.read_midi(file_of([raw(body)]))
    notes = table.notes.copy()
    notes[:, 3] = 127 - notes[:, 3]
    edited = _core.ScoreTable(notes, table.bars, table.tracks, table.resolution, table.tempo)
    start = time.process_time()
    assert _core.read_midi(_core.rewrite_midi(file, table, edited))[1].same_as(edited)
    assert time.process_time() - start < 5
