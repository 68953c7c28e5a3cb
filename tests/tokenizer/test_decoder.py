"""Tokens to score, whatever the tokens."""

from __future__ import annotations

import numpy as np
import pytest

from midigpt_nb import _core
from midigpt_nb.errors import VocabularyError

from .helpers import ids_of, make_tokenizer, words


def notes(tokenizer, text, resample=False):
    """Per track and bar the notes (pitch, velocity, onset, duration)."""
    table, _track, _bar = _core.decode(tokenizer.vocab, ids_of(tokenizer, text), resample)
    out = []
    for track in range(table.n_tracks):
        bars = []
        for bar in range(table.n_bars(track)):
            first, last = table.note_rows(track, bar)
            bars.append([(int(p), int(v), int(o), int(d)) for o, d, p, v, _ in table.notes[first:last]])
        out.append(bars)
    return out


NOTE = "NoteOnset:60 NoteDuration:11"
MIDDLE_C = (60, 100, 0, 12)
KICK = (36, 100, 0, 1)
SNARE = (38, 100, 0, 1)

# What the case shows: (tokens, notes per track and bar)
SEQUENCES = {
    "nothing": ("", []),
    "no ends at all": (f"Track:0 Bar {NOTE}", [[[MIDDLE_C]]]),
    "m1 surplus track ends": (
        f"TrackEnd TrackEnd Track:0 Bar {NOTE} BarEnd TrackEnd TrackEnd Track:1 Bar NoteOnset:36",
        [[[MIDDLE_C]], [[KICK]]],
    ),
    "m16 a track without its end": (f"Track:0 Bar {NOTE} Track:1 Bar NoteOnset:36", [[[MIDDLE_C]], [[KICK]]]),
    "a duration belongs to the pitch right before it": (
        "Track:0 Bar NoteOnset:60 NoteOnset:61 NoteDuration:3 NoteDuration:5",
        [[[(61, 100, 0, 4)]]],
    ),
    "m15 drums have no duration": ("Track:1 Bar NoteOnset:36 NoteDuration:22", [[[KICK]]]),
    "notes outside bars": (f"Bar {NOTE} Track:0 {NOTE} Bar BarEnd TrackEnd {NOTE}", [[[]]]),
    "q5 velocity lasts until changed": (
        "Track:1 Bar VelocityLevel:25 NoteOnset:36 BarEnd Bar NoteOnset:38 VelocityLevel:0 NoteOnset:40",
        [[[(36, 101, 0, 1)], [(38, 101, 0, 1), (40, 100, 0, 1)]]],
    ),
    "q5 velocity ends with the track": (
        "Track:1 Bar VelocityLevel:25 NoteOnset:36 TrackEnd Track:1 Bar NoteOnset:36",
        [[[(36, 101, 0, 1)]], [[KICK]]],
    ),
    "m14 a note after the bar's end stands on the next bar line": (
        "Track:1 Bar TimeSig:3 BarEnd NoteOnset:36",
        [[[(36, 100, 36, 1)]]],
    ),
}
WAITING = "Track:1 Bar FillInPlaceholder BarEnd Bar FillInPlaceholder BarEnd TrackEnd"
FILLS = {
    "in order": (
        f"{WAITING} FillInStart NoteOnset:36 FillInEnd FillInStart NoteOnset:38 FillInEnd",
        [[[KICK], [SNARE]]],
    ),
    "one block missing": (f"{WAITING} FillInStart NoteOnset:36 FillInEnd", [[[KICK], []]]),
    "unfinished block": (f"{WAITING} FillInStart NoteOnset:36", [[[KICK], []]]),
    "what follows the blocks is dropped": (
        f"{WAITING} FillInStart NoteOnset:36 FillInEnd Track:1 Bar NoteOnset:38 BarEnd TrackEnd",
        [[[KICK], []]],
    ),
    "surplus blocks are dropped": (
        f"{WAITING} FillInStart NoteOnset:36 FillInEnd FillInStart NoteOnset:38 FillInEnd"
        " FillInStart NoteOnset:40",
        [[[KICK], [SNARE]]],
    ),
}


@pytest.mark.parametrize("case", SEQUENCES)
def test_sequences_of_all_kinds(case):
    text, expected = SEQUENCES[case]
    assert notes(make_tokenizer("ghost"), text) == expected


@pytest.mark.parametrize("case", FILLS)
def test_fill_blocks_go_where_their_placeholders_are(case):
    text, expected = FILLS[case]
    assert notes(make_tokenizer("ghost"), text) == expected


def test_m14_times_say_their_resolution():
    ghost = make_tokenizer("ghost")
    text = "Track:1 Bar TimeAbsolutePos:47 NoteOnset:36 BarEnd TrackEnd"
    raw = _core.decode(ghost.vocab, ids_of(ghost, text), False)[0]
    assert (raw.resolution, raw.notes[0, :2].tolist()) == (12, [47, 1])
    full = _core.decode(ghost.vocab, ids_of(ghost, text))[0]
    assert (full.resolution, full.notes[0, :2].tolist()) == (1920, [7520, 160])
    assert full.tempo == 500000


def test_m11_beat_lengths_follow_the_metre_and_an_unfinished_bar_has_none():
    ghost = make_tokenizer("ghost")
    score = ghost.decode(ids_of(ghost, "Track:0 Bar TimeSig:1 BarEnd Bar TimeSig:3"))
    assert [bar.beat_length for bar in score.tracks[0].bars] == [3.0, 0.0]


def test_attributes_go_to_their_track_and_bar(pocket):
    text = """Track:0 Instrument:5 KeySignature:3 KeySignature:4 BarLevelOnsetDensity:9
    Bar BarLevelOnsetDensity:2 TimeSig:0 BarEnd Bar MaxPolyphony:6 TimeSig:0 BarEnd TrackEnd MinPolyphony:1
    Track:1 NoteDensity:7"""
    _table, track, bar = _core.decode(pocket.vocab, ids_of(pocket, text))
    names = pocket.vocab.track_slots
    found = [{n: int(v) for n, v in zip(names, row, strict=True) if v >= 0} for row in track]
    assert found == [{"KeySignature": 4, "MaxPolyphony": 6}, {"NoteDensity": 7}]
    assert bar.tolist() == [[2, -1], [-1, -1]]
    score = pocket.decode(ids_of(pocket, text))
    assert score.tracks[0].attributes == {
        "key_signature": 4,
        "max_polyphony": 6,
        "bar_BarLevelOnsetDensity_0": 2,
    }


def test_a_type_with_two_levels_is_told_apart_by_its_place():
    both = make_tokenizer("prism", (("track", "OnsetPolyphony"),))
    text = "Track:0 BarLevelOnsetPolyphonyMax:7 Bar BarLevelOnsetPolyphonyMax:3 BarEnd"
    assert both.decode(ids_of(both, text)).tracks[0].attributes == {
        "onset_polyphony": 7,
        "bar_BarLevelOnsetPolyphonyMax_0": 3,
    }


def test_an_id_outside_the_vocabulary_is_an_error():
    with pytest.raises(VocabularyError, match="no token 650"):
        make_tokenizer("ghost").decode([0, 650])


def test_any_list_of_ids_decodes(pocket):
    random = np.random.default_rng(5)
    for length in (1, 10, 100, 1000):
        for _ in range(50):
            ids = random.integers(0, pocket.vocab.size, length)
            table, track, bar = _core.decode(pocket.vocab, ids)
            assert track.shape == (table.n_tracks, 8) and bar.shape == (len(table.bars), 2)
            assert words(pocket, ids)
