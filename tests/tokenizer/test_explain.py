"""Tokens in words: every token of every published model says something a musician understands."""

from __future__ import annotations

from fractions import Fraction

import pytest

from midigpt_nb import _core
from midigpt_nb.score.model import Bar, Note, Score, Track
from midigpt_nb.tokenizer.explain import length_in_words

from .helpers import ids_of, make_tokenizer


@pytest.mark.parametrize("name", ["yellow", "prism", "expressive", "ghost"])
def test_every_token_has_words_of_its_own(name):
    tokenizer = make_tokenizer(name)
    beginning = ids_of(tokenizer, "Track:0 Bar")
    said = {}
    for token in range(tokenizer.vocab.size):
        row = tokenizer.explain([*beginning, token])[-1]
        assert row.text.strip() and not row.text.strip().isdigit(), row
        said.setdefault(row.type, []).append(row.text)
    for kind, texts in said.items():
        if kind not in ("DeltaDirection", "VelocityLevel"):  # these have a value that is never written
            assert len(set(texts)) == len(texts), kind


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Track:0 Bar TimeSig:3 TimeAbsolutePos:6", "on beat 2"),  # 6/8
        ("Track:0 Bar TimeSig:0 TimeAbsolutePos:6", "at beat 1 1/2"),
        ("Track:0 Bar TimeSig:0 TimeAbsolutePos:16", "at beat 2 1/3"),
        ("Track:0 Bar NoteOnset:60", "C4"),
        ("Track:1 Bar NoteOnset:38", "Acoustic Snare"),
        ("Track:1 Instrument:0", "drum kit 0"),
        ("Track:0 Instrument:0", "Acoustic Grand Piano"),
        ("Track:0 Bar NoteOnset:60 NoteDuration:17", "dotted quarter note long"),
        ("Track:0 Bar VelocityLevel:1", "velocity 2 (ppp)"),
        ("Track:0 Bar MaskBar", "this bar is hidden"),
        ("PieceStart:1", "the piece begins; some bars are filled in at its end"),
        ("NumBars:2", "12 bars"),
    ],
)
def test_words(text, expected):
    ghost = make_tokenizer("ghost")
    assert ghost.explain(ids_of(ghost, text))[-1].text == expected


def test_early_and_late():
    expressive = make_tokenizer("expressive")
    ids = ids_of(expressive, "Delta:3 DeltaDirection:0 Delta:3")
    assert [row.text for row in expressive.explain(ids)] == [
        "played 1/48 of a quarter note late",
        "the next note is early",
        "played 1/48 of a quarter note early",
    ]


def test_filled_in_bars_say_which_bar_they_fill():
    ghost = make_tokenizer("ghost")
    bars = [Bar([Note(60 + bar, 90, 0, 12)], 3, 4) for bar in range(4)]
    score = Score([Track(bars), Track([Bar([Note(36, 90, 12, 12)], 3, 4) for _ in range(4)], 0, "drum")], 12)
    ids = ghost.encode(score, _core.EncodeOptions(multi_fill=[(0, 2), (1, 1)]))
    blocks = ghost.explain(ids)[ids.index(ids_of(ghost, "FillInStart")[0]) :]
    notes = [(row.track, row.bar, row.text) for row in blocks if row.type == "NoteOnset"]
    assert notes == [(0, 2, "D4"), (1, 1, "Bass Drum 1")]
    assert [row.text for row in blocks if row.type == "TimeAbsolutePos"] == ["on beat 2"]


def test_lengths():
    twelfths = {
        1: "triplet 32nd note",
        6: "8th note",
        36: "dotted half note",
        96: "8 quarter notes",
        5: "5/12 quarter note",
    }
    assert {n: length_in_words(Fraction(n, 12)) for n in twelfths} == twelfths
