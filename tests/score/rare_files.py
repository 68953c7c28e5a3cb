"""MIDI files with everything that a file may hold, made from a seed."""

from __future__ import annotations

import random
import struct
from collections import defaultdict

from midigpt_nb import _core

DRUMS = 9
Event = tuple[int, int, bytes]
"""(track chunk, tick, bytes with their status byte)"""


def number(value: int) -> bytes:
    digits = [value & 0x7F]
    while value := value >> 7:
        digits.append(value & 0x7F | 0x80)
    return bytes(reversed(digits))


def meta(kind: int, content: bytes) -> bytes:
    return bytes([0xFF, kind]) + number(len(content)) + content


def file_of(chunks: list[bytes], file_format: int = 1, ticks: int = 480) -> bytes:
    return b"MThd" + struct.pack(">IHHH", 6, file_format, len(chunks), ticks) + b"".join(chunks)


def chunk_of(*events: tuple[int, bytes]) -> bytes:
    """A track chunk of (tick, event) pairs, with an end of track at the last of them."""
    body, at = b"", 0
    for tick, event in events:
        body, at = body + number(tick - at) + event, tick
    body += b"\x00" + meta(0x2F, b"")
    return b"MTrk" + struct.pack(">I", len(body)) + body


def rare_event(rng: random.Random, channel: int, pitch: int) -> bytes:
    """Any event that is no note."""
    text = "später, 晩".encode(rng.choice(("utf-8", "utf-16")))
    choices = [
        bytes([0xA0 | channel, pitch, rng.randrange(128)]),
        bytes([0xB0 | channel, rng.randrange(128), rng.randrange(128)]),
        bytes(
            [0xB0 | channel, rng.choice((0, 1, 6, 7, 10, 11, 32, 38, 64, 66, 98, 99, 100, 101, 121, 123)), 64]
        ),
        bytes([0xB0 | channel, 64, rng.choice((0, 127))]),
        bytes([0xC0 | channel, rng.choice((0, 5, 33))]),
        bytes([0xD0 | channel, rng.randrange(128)]),
        bytes([0xE0 | channel, rng.randrange(128), rng.randrange(128)]),
        b"\xf0" + number(5) + b"\x7e\x7f\x09\x01\xf7",
        b"\xf0" + number(3) + b"\x43\x12\x00",  # goes on in an F7
        b"\xf7" + number(3) + b"\x43\x12\xf7",
        meta(0x00, b"\x00\x07"),
        meta(rng.choice((1, 2, 3, 4, 5, 6, 7, 8, 9)), text[: rng.randrange(20)]),
        meta(0x01, bytes(rng.randrange(256) for _ in range(rng.choice((0, 3, 200))))),
        meta(0x20, bytes([channel])),
        meta(0x21, bytes([rng.randrange(3)])),
        meta(0x51, rng.randrange(200_000, 900_000).to_bytes(3, "big")),
        meta(0x54, b"\x40\x00\x00\x00\x00"),
        meta(0x58, bytes([rng.choice((2, 3, 4, 7)), rng.choice((2, 3)), 24, 8])),
        meta(0x59, bytes([rng.randrange(256), rng.randrange(2)])),
        meta(0x60, b"unknown"),
        meta(0x7F, b"\x00\x01\x02\xff"),
    ]
    return rng.choice(choices)


def _event(rng: random.Random, channels: list[int], pitches: list[int]) -> bytes:
    channel, pitch, kind = rng.choice(channels), rng.choice(pitches), rng.random()
    if kind < 0.42:
        return bytes([0x90 | channel, pitch, rng.randrange(1, 128)])
    if kind < 0.8:
        return bytes([rng.choice((0x80, 0x90)) | channel, pitch, 0])
    return rare_event(rng, channel, pitch)


def _chunk(rng: random.Random, ticks: int, metre_changes: str, well_known: bool) -> bytes:
    channels = rng.sample([0, 3, DRUMS, 15], rng.choice((1, 1, 2)))
    pitches = [rng.randrange(128) for _ in range(4)]  # few, so that notes overlap
    body, running = bytearray(), 0
    for _ in range(rng.randrange(60)):
        event = _event(rng, channels, pitches)
        is_metre = event[:2] == b"\xff\x58"
        if is_metre and metre_changes == "none":
            continue
        if well_known and event[0] in (0xF0, 0xF7, 0xFF) and (event[0], event[1]) not in _WELL_KNOWN:
            continue
        delta = rng.choice((0, 0, 1, 30, 240, 480, 1000, rng.randrange(1, 2 * ticks)))
        body += number(min(delta, 4 * ticks))
        is_channel = event[0] < 0xF0
        body += event[1:] if is_channel and event[0] == running and rng.random() < 0.8 else event
        running = event[0] if is_channel else (0 if event[0] == 0xF0 else running)
    if rng.random() < 0.9:
        body += number(rng.choice((0, 100))) + meta(0x2F, b"")
        body += bytes(
            0 if well_known else rng.choice((0, 0, 3))
        )  # bytes after the end of the track are not events
    return b"MTrk" + struct.pack(">I", len(body)) + bytes(body)


_WELL_KNOWN = {(0xFF, kind) for kind in (0, 1, 2, 3, 4, 5, 6, 7, 0x20, 0x21, 0x51, 0x54, 0x58, 0x7F)}


def rare_file(seed: int, metre_changes: str = "anywhere", *, well_known: bool = False) -> bytes:
    """A file of 1 to 20 track chunks; `metre_changes` is "anywhere" (bars are cut short) or "none".

    `well_known` leaves out what other readers stumble over.
    """
    rng = random.Random(seed)
    ticks = rng.choice((24, 96, 480, 480, 960, 1000, 1920))
    chunks = [
        _chunk(rng, ticks, metre_changes, well_known) for _ in range(rng.choice((1, 1, 2, 2, 4, 4, 20)))
    ]
    data = file_of(chunks, rng.choice((0, 1, 2)), ticks)
    if well_known:
        return data
    if rng.random() < 0.2:  # a chunk of another kind, which readers pass over
        data = data[:14] + b"XFIH" + struct.pack(">I", 3) + b"abc" + data[14:]
    return data + (b"tail" if rng.random() < 0.2 else b"")


# ---- looking into files, apart from the core's reader ----------------------------------------------


def events_of(data: bytes) -> list[Event]:
    """Every event of every track chunk, by a reader written for the tests. Running status is resolved."""
    found: list[Event] = []
    at, chunk = 14, 0
    n_chunks = struct.unpack(">H", data[10:12])[0]
    while chunk < n_chunks and at + 8 <= len(data):
        kind, size = data[at : at + 4], struct.unpack(">I", data[at + 4 : at + 8])[0]
        if kind == b"MTrk":
            found += [(chunk, tick, event) for tick, event in _events_of_chunk(data[at + 8 : at + 8 + size])]
            chunk += 1
        at += 8 + size
    return found


def _events_of_chunk(body: bytes) -> list[tuple[int, bytes]]:
    found, at, tick, running = [], 0, 0, 0

    def read_number(at: int) -> tuple[int, int]:
        value = 0
        while True:
            value = value << 7 | body[at] & 0x7F
            at += 1
            if body[at - 1] < 0x80:
                return value, at

    while at < len(body):
        delta, at = read_number(at)
        tick += delta
        status = body[at] if body[at] >= 0x80 else running
        at += body[at] >= 0x80
        start = at
        if status < 0xF0:
            running = status
            at += 1 if status >> 4 in (0xC, 0xD) else 2
        elif status in (0xF0, 0xF7, 0xFF):
            size, at = read_number(at + (status == 0xFF))
            at += size
        found.append((tick, bytes([status]) + body[start:at]))
        if status == 0xFF and body[start] == 0x2F:
            break
    return found


def invisible_and_paired(events: list[Event]) -> tuple[set[int], dict[int, int]]:
    """Indices of note events that make no note, and the note-off of every note-on that does.

    By the rule that a note-off ends the oldest open note.
    """
    open_notes: dict[tuple[int, int, int], list[int]] = defaultdict(list)
    stray, off_of = set(), {}
    for i, (chunk, _, data) in enumerate(events):
        kind = data[0] & 0xF0
        if data[0] >= 0xF0 or kind not in (0x80, 0x90):
            continue
        queue = open_notes[chunk, data[0] & 15, data[1]]
        if kind == 0x90 and data[2] > 0:
            queue.append(i)
        elif queue:
            off_of[queue.pop(0)] = i
        else:
            stray.add(i)
    return stray | {i for queue in open_notes.values() for i in queue}, off_of


def cells_of(table: _core.ScoreTable) -> list[tuple[int, int]]:
    return [(track, bar) for track in range(table.n_tracks) for bar in range(table.n_bars(track))]


def notes_of(table: _core.ScoreTable, cell: tuple[int, int]) -> list[list[int]]:
    low, high = table.note_rows(*cell)
    return table.notes[low:high].tolist()


def content(table: _core.ScoreTable) -> list[tuple[object, ...]]:
    """Metre and notes of every bar; the order of notes does not count."""
    return [
        (
            *cell,
            *table.bars[table.bar_rows(cell[0])[0] + cell[1], 1:3].tolist(),
            sorted(notes_of(table, cell)),
        )
        for cell in cells_of(table)
    ]


def is_end(event: bytes) -> bool:
    return event[:2] == b"\xff\x2f"


def missing(
    before: list[Event], after: list[Event], skip: set[int] | frozenset[int] = frozenset()
) -> list[int]:
    """Indices of events of `before` that are not in `after` at their chunk and tick, in their order."""
    streams: dict[int, list[tuple[int, bytes]]] = defaultdict(list)
    for chunk, tick, event in after:
        streams[chunk].append((tick, event))
    at: dict[int, int] = defaultdict(int)
    gone = []
    for i, (chunk, tick, event) in enumerate(before):
        if i in skip or is_end(event):
            continue
        place = at[chunk]
        while place < len(streams[chunk]) and streams[chunk][place] != (tick, event):
            place += 1
        if place == len(streams[chunk]):
            gone.append(i)
        else:
            at[chunk] = place + 1
    return gone
