"""Scores and files that nobody writes on purpose: an error that names the place, never a crash."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest

from midigpt_nb import _core
from midigpt_nb.errors import ScoreError
from midigpt_nb.score.model import Bar, Note, Score, Track

NOTE = [b"\x00\x90\x3c\x40", b"\x10\x80\x3c\x00"]


def midi(*events: bytes, ticks_per_quarter: int = 480) -> bytes:
    body = b"".join(events) + b"\x00\xff\x2f\x00"
    header = b"MThd\x00\x00\x00\x06\x00\x01\x00\x01" + ticks_per_quarter.to_bytes(2, "big")
    return header + b"MTrk" + len(body).to_bytes(4, "big") + body


@pytest.mark.parametrize(
    ("notes", "message"),
    [
        ([[0, 12.7, 60, 100, 0]], "notes must hold whole numbers, not values of the type float64"),
        (np.array([[0, 2**32 + 5, 60, 100, 0]]), "notes holds 4294967301; allowed"),
        (np.array([[0, 2**63, 60, 100, 0]], np.uint64), "notes holds 9223372036854775808"),
        (np.array([["0", "12", "60", "100", "0"]]), "notes must hold whole numbers"),
        ([[0, 12, 60, 100, -(2**31)]], "delta -2147483648 is outside"),
        (np.zeros((1, 4), np.int32), r"notes must have the shape \(n, 5\)"),
        ([[0, 12, 60, 100, 0], [0]], "notes must be an array of whole numbers"),
    ],
)
def test_notes_are_never_rounded_or_wrapped(notes: Any, message: str) -> None:
    with pytest.raises(ScoreError, match=message):
        _core.ScoreTable(notes, [[0, 4, 4, 0]], [[0, 0, 0]])
    table = _core.ScoreTable([], [[0, 4, 4, 0]], [[0, 0, 0]])
    with pytest.raises(ScoreError, match=message):
        table.replaced([(0, 0)], [notes])


@pytest.mark.parametrize(
    "source", [2, 3, 2**31 - 1], ids=["end of track", "past the end", "far past the end"]
)
def test_an_origin_of_another_file_is_refused(source: int) -> None:
    file, table = _core.read_midi(midi(*NOTE))
    forged = _core.ScoreTable(table.notes, table.bars, table.tracks, 480, 500_000, [source])
    with pytest.raises(ScoreError, match=f"event {source} is no note-on"):
        _core.rewrite_midi(file, forged, table.replaced([(0, 0)], [np.zeros((0, 5), np.int32)]))


@pytest.mark.parametrize("ticks_per_quarter", [1, 32, 32767])
def test_a_piece_of_millions_of_bars_is_refused(ticks_per_quarter: int) -> None:
    signature = b"\x00\xff\x58\x04\x01\x07\x18\x08"  # 1/128
    late = b"\xff\xff\xff\x7f\x80\x3c\x00"  # 2^28 - 1 ticks later
    data = midi(
        signature, NOTE[0], *[b"\xff\xff\xff\x7f\xff\x01\x00"] * 64, late, ticks_per_quarter=ticks_per_quarter
    )
    with pytest.raises(ScoreError, match=r"more than 1048576 bars|too long"):
        _core.read_midi(data)


def test_damaged_files_raise_and_nothing_else() -> None:
    rng = random.Random(5)
    good = Score.example().to_midi()
    assert good is not None
    for _ in range(300):
        data = bytearray(good[: rng.randrange(14, len(good))] if rng.random() < 0.5 else good)
        for _ in range(rng.randint(0, 12)):
            data[rng.randrange(len(data))] = rng.randrange(256)
        try:
            file, table = _core.read_midi(bytes(data))
        except ScoreError:
            continue
        assert _core.rewrite_midi(file, table, table) == data


@pytest.mark.parametrize(
    ("score", "message"),
    [
        (Score([Track([Bar([Note([60], 100, 0, 480)])])]), r"notes\[0\].pitch is \[60\]"),  # type: ignore[arg-type]
        (Score([Track([Bar([None])])]), r"tracks\[0\].bars\[0\].notes\[0\].pitch is None"),  # type: ignore[list-item]
        (Score([], resolution="x"), "resolution is 'x'; allowed: a whole number"),  # type: ignore[arg-type]
        (Score([], tempo=2**31), "tempo is 2147483648"),
    ],
)
def test_what_is_no_score_is_named(score: Score, message: str) -> None:
    with pytest.raises(ScoreError, match=message):
        _ = score.table


def test_many_equal_notes_are_matched_quickly() -> None:
    # All notes of a bar written anew, with the same values: each finds its place at once.
    events = [(b"\x00\x90\x3c\x40", b"\x01\x80\x3c\x00") for _ in range(4_000)]
    file, table = _core.read_midi(
        midi(b"\x00\xff\x58\x04\xff\x00\x18\x08", *(byte for pair in events for byte in pair))
    )
    notes = table.notes[: table.note_rows(0, 0)[1]].copy()
    notes[:, 3] = 90
    notes[::2, 3] = 64
    edited = table.replaced([(0, 0)], [notes])
    written = _core.rewrite_midi(file, table, edited)
    assert _core.read_midi(written)[1].same_as(edited)


@pytest.mark.parametrize(
    "name",
    sorted(
        name
        for name, value in vars(_core).items()
        if isinstance(value, type) and not hasattr(value, "__members__")
    ),
)
def test_an_object_without_a_value_is_refused_where_it_is_used(name: str) -> None:
    kind = getattr(_core, name)
    empty = kind.__new__(kind)
    uses = [
        getattr(kind, attribute) for attribute in dir(kind) if isinstance(vars(kind).get(attribute), property)
    ]
    for use in uses:
        with pytest.raises(TypeError, match="made by __new__"):
            use.fget(empty)
    with pytest.raises(TypeError):
        _core.write_midi(empty)
    del empty
