"""What holds for the whole piece stays in a file's first chunk, where other programs look for it."""

from __future__ import annotations

import io
import itertools
import random
from collections import Counter

import pytest

from midigpt_nb.score.bars_edit import kept_plan
from midigpt_nb.score.model import Note, Score
from midigpt_nb.score.timeline import file_arrangement

from .rare_files import chunk_of, events_of, file_of, invisible_and_paired, is_end, meta, rare_file

pytestmark = pytest.mark.filterwarnings("ignore:.*never end:UserWarning")

TEXT, COPYRIGHT, NAME, MARKER, CUE, TEMPO, SMPTE, METRE, KEY = 1, 2, 3, 6, 7, 0x51, 0x54, 0x58, 0x59
OF_PIECE = {0, COPYRIGHT, MARKER, CUE, TEMPO, SMPTE, METRE, KEY}
GM_RESET = b"\xf0\x05\x7e\x7f\x09\x01\xf7"
Timed = tuple[int, bytes]


def tempo(value: int) -> bytes:
    return meta(TEMPO, value.to_bytes(3, "big"))


def notes(channel: int, pitch: int, starts: range) -> list[Timed]:
    edges = [(at, bytes([0x90 | channel, pitch, 90])) for at in starts]
    return edges + [(at + 240, bytes([0x80 | channel, pitch, 0])) for at in starts]


def part(name: str, channel: int, pitch: int, *more: Timed) -> bytes:
    """A chunk of a name, a program, a volume, a text and twelve notes, with `more` behind the name."""
    own = [
        (0, bytes([0xC0 | channel, 4 * channel])),
        (0, bytes([0xB0 | channel, 7, 60 + channel])),
        (480, meta(TEXT, name.encode())),
        *notes(channel, pitch, range(0, 12 * 480, 480)),
    ]
    return chunk_of((0, meta(NAME, name.encode())), *sorted([*more, *own], key=lambda event: event[0]))


PIECE: list[Timed] = [
    (0, meta(COPYRIGHT, b"(c) nobody")),
    (0, meta(SMPTE, b"\x60\x00\x00\x00\x00")),
    (0, tempo(400_000)),
    (0, meta(METRE, b"\x03\x02\x18\x08")),
    (0, meta(KEY, b"\x02\x00")),
    (0, GM_RESET),
    (1440, meta(MARKER, b"B")),
    (1440, tempo(600_000)),
    (2880, meta(METRE, b"\x04\x02\x18\x08")),
    (3000, tempo(300_000)),
    (4800, meta(CUE, b"curtain")),
]
NAMES = ["Lead", "Bass", "Kit"]


def without_conductor(file_format: int = 1) -> bytes:
    """Three chunks with notes, the first of them with the time map."""
    parts = [part("Lead", 0, 72, *PIECE), part("Bass", 1, 40), part("Kit", 9, 36)]
    return file_of(parts, file_format)


def heard(data: bytes) -> list[list[tuple[float, float, int]]]:
    """(start, end, pitch) in seconds of each track's notes, as pretty_midi has them."""
    pretty_midi = pytest.importorskip("pretty_midi")
    found = pretty_midi.PrettyMIDI(io.BytesIO(data)).instruments
    return sorted([(round(n.start, 6), round(n.end, 6), n.pitch) for n in track.notes] for track in found)


def said_by_first(data: bytes) -> list[tuple[int, str]]:
    """The events of the piece in the first track, as mido has them; none may stand in another."""
    mido = pytest.importorskip("mido")
    kinds = {"copyright", "marker", "cue_marker", "set_tempo", "smpte_offset", "time_signature"}
    kinds |= {"key_signature", "sysex"}
    file = mido.MidiFile(file=io.BytesIO(data))
    assert file.type == 1
    tracks = []
    for track in file.tracks:
        at, rows = 0, []
        for message in track:
            at += message.time
            if message.type in kinds:
                rows.append((at, str(message.copy(time=0))))
        tracks.append(rows)
    assert not any(tracks[1:])
    return tracks[0]


def own_events(data: bytes) -> dict[bytes, list[Timed]]:
    """Per chunk with a name: its events that are not of the piece, in their order."""
    chunks: dict[int, list[Timed]] = {}
    for chunk, tick, event in events_of(data):
        of_piece = event[0] == 0xF0 or (event[0] == 0xFF and event[1] in OF_PIECE)
        if not of_piece and not is_end(event):
            chunks.setdefault(chunk, []).append((tick, event))
    names = {chunk: event[3:] for chunk, _, event in events_of(data) if event[:2] == b"\xff\x03"}
    return {name: chunks[chunk] for chunk, name in names.items()}


def everything(data: bytes) -> Counter[Timed]:
    return Counter((tick, event) for _, tick, event in events_of(data) if not is_end(event))


ORDERS = list(itertools.permutations(range(3)))


@pytest.mark.parametrize("order", ORDERS)
def test_a_track_leaves_the_time_map_in_the_first_chunk(order: tuple[int, ...]) -> None:
    data = without_conductor()
    score = Score.from_bytes(data)
    moved = score.reorder_tracks(order)
    written = moved.to_midi()
    assert written is not None
    again = Score.from_bytes(written)
    assert again.track_names == [NAMES[i] for i in order]
    assert again == moved and again.tempo_map == score.tempo_map
    assert said_by_first(written) == said_by_first(data) and len(said_by_first(data)) == len(PIECE)
    assert everything(written) == everything(data)
    assert own_events(written) == own_events(data)
    assert heard(written) == heard(data)
    assert moved.source is not None and moved.source.n_dropped == 0
    assert score.to_midi() == data  # which is what undo brings back


@pytest.mark.parametrize("order", ORDERS)
def test_an_order_and_back_gives_the_same_bytes(order: tuple[int, ...]) -> None:
    data = without_conductor()
    there = Score.from_bytes(data).reorder_tracks(order)
    assert there.reorder_tracks([order.index(i) for i in range(3)]).to_midi() == data
    other = Score.from_bytes(there.to_midi()).reorder_tracks([order.index(i) for i in range(3)])
    assert other.to_midi() == data


@pytest.mark.parametrize("gone", NAMES)
def test_a_deleted_track_leaves_the_time_map_in_the_first_chunk(gone: str) -> None:
    data = without_conductor()
    score = Score.from_bytes(data).delete_track(gone)
    left = [name for name in NAMES if name != gone]
    for one in (score, score.reorder_tracks([1, 0]), Score.from_bytes(data)[:, left[::-1]]):
        written = one.to_midi()
        assert written is not None
        assert said_by_first(written) == said_by_first(data)
        assert sorted(Score.from_bytes(written).track_names) == sorted(left)
        assert {name.encode(): own_events(data)[name.encode()] for name in left} == own_events(written)
        assert all(track in heard(data) for track in heard(written)) and len(heard(written)) == 2
    # Also when the one that has moved to the first place goes.
    moved = Score.from_bytes(data).reorder_tracks([2, 1, 0]).delete_track(gone).to_midi()
    assert moved is not None and said_by_first(moved) == said_by_first(data)


def test_a_new_track_before_the_others_finds_the_time_map_in_the_first_chunk() -> None:
    data = without_conductor()
    score = Score.from_bytes(data).add_track(48, name="New").reorder_tracks([3, 0, 1, 2])
    score = score.add_notes("New", 1, [Note(60, 90, 0, 480)])
    written = score.to_midi()
    assert written is not None
    assert Score.from_bytes(written).track_names == ["New", *NAMES]
    assert said_by_first(written) == said_by_first(data)
    assert all(track in heard(written) for track in heard(data))
    for order in ([1, 0, 2, 3], [3, 2, 1, 0]):
        other = score.reorder_tracks(order).to_midi()
        assert other is not None
        assert said_by_first(other) == said_by_first(data) and heard(other) == heard(written)


def test_the_second_of_two_joined_pieces_says_its_tempo_in_the_first_chunk() -> None:
    slow = Score.from_bytes(file_of([part("Other", 3, 50, (0, tempo(900_000)))]))
    data = without_conductor().replace(GM_RESET, meta(TEXT, b"none"))
    second = Score.from_bytes(data).reorder_tracks([1, 0, 2])
    both = slow + second
    written = both.to_midi()
    assert written is not None
    start = slow.n_bars * 1920
    tempi = [(at, text) for at, text in said_by_first(written) if "set_tempo" in text]
    assert [at for at, _ in tempi] == [0, start, start + 1440, start + 3000]
    assert len(tempi) == len(both.tempo_map)


@pytest.mark.parametrize("file_format", [0, 2])
def test_other_formats_keep_what_their_chunks_say(file_format: int) -> None:
    data = without_conductor(file_format)
    score = Score.from_bytes(data).reorder_tracks([1, 0, 2])
    written = score.to_midi()
    assert written is not None and written[9] == file_format
    of_lead = {chunk for chunk, _, event in events_of(written) if event == meta(NAME, b"Lead")}
    of_map = {chunk for chunk, _, event in events_of(written) if event[:2] == b"\xff\x51"}
    assert of_lead == of_map
    assert everything(written) == everything(data)


def test_keys_that_each_track_says_go_with_their_tracks() -> None:
    """Parts for transposing instruments are written in keys of their own."""
    keys = [b"\x00\x00", b"\x02\x00", b"\xfd\x00"]
    said = [[(0, meta(KEY, key))] for key in keys]
    said[0].append((0, tempo(400_000)))
    parts = [part(name, i, 60 + i, *said[i]) for i, name in enumerate(NAMES)]
    data = file_of(parts)
    for order in ORDERS:
        moved = Score.from_bytes(data).reorder_tracks(order)
        written = moved.to_midi()
        assert written is not None
        found = [(chunk, event[3:]) for chunk, _, event in events_of(written) if event[:2] == b"\xff\x59"]
        assert sorted(found) == [(place, keys[i]) for place, i in enumerate(order)]
        assert [chunk for chunk, _, event in events_of(written) if event[:2] == b"\xff\x51"] == [0]
        back = moved.reorder_tracks([order.index(i) for i in range(3)]).to_midi()
        assert back == data


def test_what_a_later_chunk_says_of_the_time_still_comes_last() -> None:
    """Against the standard, but there are such files: of all chunks, the last tempo at a tick holds."""
    parts = [
        part("Lead", 0, 72, (0, tempo(400_000)), (960, tempo(500_000))),
        part("Bass", 1, 40, (0, tempo(450_000)), (1920, tempo(350_000))),
        part("Kit", 9, 36, (0, meta(METRE, b"\x04\x02\x18\x08"))),
    ]
    data = file_of(parts)
    score = Score.from_bytes(data)
    for order in ORDERS:
        moved = score.reorder_tracks(order)
        written = moved.to_midi()
        assert written is not None
        assert everything(written) == everything(data)
        assert Score.from_bytes(written).tempo_map == score.tempo_map, order
        if order[0] == 1:
            mido = pytest.importorskip("mido")
            first = mido.MidiFile(file=io.BytesIO(written)).tracks[0]
            tempi = [message.tempo for message in first if message.type == "set_tempo"]
            assert tempi == [400_000, 450_000, 500_000, 350_000]


@pytest.mark.parametrize("seed", range(60))
def test_an_order_of_chunks_with_rare_events_loses_and_doubles_nothing(seed: int) -> None:
    data = rare_file(seed, "none")
    score = Score.from_bytes(data)
    if score.n_tracks == 0:
        pytest.skip("this file has no tracks")
    assert score.source is not None
    order = list(range(score.source.file.n_chunks))
    random.Random(seed).shuffle(order)
    plan = file_arrangement(score.source.file, kept_plan(score))
    moved, _ = score.source.assembled(plan, chunk_order=order)
    written = moved.file.to_bytes()

    def visible(one: bytes) -> Counter[Timed]:
        events = events_of(one)
        stray, _ = invisible_and_paired(events)
        return Counter((tick, e) for i, (_, tick, e) in enumerate(events) if i not in stray and not is_end(e))

    assert visible(written) == visible(data) and moved.n_dropped == 0
    if data[9] == 1:
        assert moved.tempo_map(480, moved.origin.tempo) == score.tempo_map
        assert not of_piece_in_first(data) - of_piece_in_first(written)
    elif order[0] != 0:
        own = [event for chunk, tick, event in events_of(written) if chunk == order[0]]
        assert Counter(own) == Counter(event for chunk, _, event in events_of(data) if chunk == 0)


def of_piece_in_first(data: bytes) -> Counter[Timed]:
    kinds = OF_PIECE - {KEY}
    return Counter((t, e) for chunk, t, e in events_of(data) if chunk == 0 and e[0] == 0xFF and e[1] in kinds)
