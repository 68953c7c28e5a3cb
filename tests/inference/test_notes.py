"""Notes as they are written, and how they are put into a score."""

from __future__ import annotations

import random

import numpy as np
import pytest

from midigpt_nb import _core
from midigpt_nb.inference.notes import Block, GridNote, NoteParser, NotePlacer
from midigpt_nb.inference.symbols import Symbols
from midigpt_nb.score.model import Bar, Note, Score, Track

from .conftest import make_score


@pytest.fixture(scope="module")
def symbols(tokenizer):
    return Symbols(tokenizer.vocab, tokenizer.analyzer)


@pytest.mark.parametrize("seed", range(5))
def test_the_parser_reads_what_the_decoder_reads(tokenizer, symbols, seed):
    score = make_score(3, 4, seed=seed, notes_per_bar=9, metres=((4, 4), (3, 4)))
    tokens = tokenizer.encode(score, _core.EncodeOptions(multi_fill=[(0, 1), (1, 0), (1, 2), (2, 3)]))
    decoded = _core.decode(tokenizer.vocab, np.array(tokens, dtype=np.int32), resample=False)[0]
    first = tokens.index(tokenizer.vocab.encode(_core.TokenType.FillInStart, 0))
    blocks = [
        Block(0, 1, False, None),
        Block(1, 0, False, None),
        Block(1, 2, False, None),
        Block(2, 3, True, None),
    ]
    parser = NoteParser(symbols, blocks)
    one_by_one = [parser.feed(token) for token in tokens[first:]]
    assert sum(note is not None for note in one_by_one) == 36 and parser.n_finished == 4
    for block in blocks:
        lo, hi = decoded.note_rows(block.track, block.bar)
        expected = [(p, v, o, d) for o, d, p, v, _ in decoded.notes[lo:hi].tolist()]
        assert [(n.pitch, n.velocity, n.onset, n.duration) for n in block.notes] == expected


def test_loudness_goes_on_from_the_bar_before(tokenizer, symbols):
    t, encode = _core.TokenType, tokenizer.vocab.encode
    note = [encode(t.NoteOnset, 60), encode(t.NoteDuration, 5)]
    parser = NoteParser(
        symbols, [Block(0, 0, False, velocity=20), Block(0, 1, False), Block(0, 2, False, velocity=0)]
    )
    for token in [
        encode(t.FillInStart, 0),
        *note,
        encode(t.VelocityLevel, 9),
        *note,
        encode(t.FillInEnd, 0),
    ] * 3:
        parser.feed(token)
    v = symbols.velocities
    assert [[n.velocity for n in b.notes] for b in parser.blocks] == [
        [v[20], v[9]],
        [v[9], v[9]],
        [100, v[9]],
    ]


def test_autoregressive_attribute_tokens_are_noted(tokenizer, symbols):
    t, encode = _core.TokenType, tokenizer.vocab.encode
    parser = NoteParser(symbols, [Block(0, 0, False), Block(0, 1, False)])
    stream = [
        encode(t.MaxPolyphony, 3),
        encode(t.Bar, 0),
        encode(t.BarLevelOnsetDensity, 7),
        encode(t.BarEnd, 0),
        encode(t.Bar, 0),
    ]
    for token in stream:
        parser.feed(token)
    assert parser.track_tokens == {"MaxPolyphony": 3}
    assert [b.tokens for b in parser.blocks] == [{"BarLevelOnsetDensity": 7}, {}]
    assert [b.finished for b in parser.blocks] == [True, False]


def piece(bars, drum=False, resolution=480):
    bars = [Bar([Note(*n) for n in notes]) for notes in bars]
    return Score([Track(bars, track_type="drum" if drum else "melodic")], resolution=resolution).table


def placer(bars, open_bars, **facts):
    return NotePlacer(piece(bars, **facts), 12, [(0, b) for b in open_bars])


def test_a_note_is_scaled_to_the_scores_resolution():
    assert placer([[], []], [0]).place(0, 0, GridNote(60, 90, 13, 7)) == (520, 280, 60, 90, 0)
    assert placer([[], []], [0], resolution=100).place(0, 0, GridNote(60, 90, 1, 2)) == (9, 16, 60, 90, 0)


@pytest.mark.parametrize(
    ("kept", "note", "expected"),
    [
        pytest.param([[], [], []], GridNote(60, 9, 0, 96), (0, 3840), id="rings on over the bar line"),
        pytest.param(
            [[], [], [(60, 9, 0, 100)]],
            GridNote(60, 9, 0, 96),
            (0, 1920),
            id="up to the next note of its pitch",
        ),
        pytest.param(
            [[], [], [(61, 9, 0, 100)]], GridNote(60, 9, 0, 96), (0, 3840), id="other pitches do not matter"
        ),
        pytest.param(
            [[(60, 9, 0, 2500)], [], []],
            GridNote(60, 9, 12, 2),
            (480, 100),
            id="not before an earlier one has ended",
        ),
        pytest.param(
            [[], [(60, 9, 0, 10)], []],
            GridNote(60, 9, 0, 96),
            (0, 3840),
            id="old notes of the bar do not matter",
        ),
    ],
)
def test_lengths_that_a_file_can_keep(kept, note, expected):
    assert placer(kept, [1]).place(0, 1, note)[:2] == expected


def test_no_note_passes_the_end_of_the_piece():
    assert placer([[], []], [1]).place(0, 1, GridNote(60, 9, 36, 96))[:2] == (1440, 480)


def test_a_repeated_note_is_left_out_and_the_order_of_ends_kept():
    p = placer([[], []], [0])
    assert p.place(0, 0, GridNote(60, 9, 0, 24))[:2] == (0, 960)
    assert p.place(0, 0, GridNote(60, 9, 0, 2)) is None
    assert p.place(0, 0, GridNote(60, 9, 12, 3))[:2] == (480, 480)


def test_a_bar_that_the_file_cuts_short_takes_no_note_behind_its_end():
    p = NotePlacer(piece([[], []]), 12, [(0, 0)], bar_lengths=[960, 1920])
    assert p.place(0, 0, GridNote(60, 9, 23, 1)) is not None
    assert p.place(0, 0, GridNote(60, 9, 24, 1)) is None


def test_drum_hits_get_a_length():
    assert placer([[], []], [0], drum=True).place(0, 0, GridNote(36, 9, 0, 1))[:2] == (0, 120)
    kit = [[(36, 9, 480 * i, 60) for i in range(4)], []]
    assert placer(kit, [1], drum=True).place(0, 1, GridNote(36, 9, 0, 1))[:2] == (0, 60)


def test_what_is_written_survives_a_midi_file():
    rng = random.Random(4)
    kept = [
        [(rng.randrange(60, 63), 90, o, rng.randrange(30, 2500)) for o in range(0, 1920, 240)]
        for _ in range(6)
    ]
    # Lengths as a file can hold them: ends of a pitch in the order of its beginnings.
    score = Score.from_midi(Score([Track([Bar([Note(*n) for n in notes]) for notes in kept])]).to_midi())
    open_cells = [(0, 2), (0, 3)]
    p = NotePlacer(score.table, 12, open_cells)
    new = {cell: [] for cell in open_cells}
    for cell in open_cells:
        for onset in range(0, 48, 2):
            row = p.place(*cell, GridNote(rng.randrange(60, 63), 80, onset, rng.randrange(1, 97)))
            if row:
                new[cell].append(row)
    table = score.table.replaced(open_cells, [np.array(new[c], dtype=np.int32) for c in open_cells])
    again = Score.from_midi(score.with_table(table).to_midi()).table
    assert again.notes[:, :4].tolist() == table.notes[:, :4].tolist()


@pytest.mark.parametrize("resolution", [3, 12, 96, 100, 220, 480, 960, 1000, 1024])
@pytest.mark.parametrize("metre", [(4, 4), (7, 8), (1, 16)], ids="{0[0]}/{0[1]}".format)
def test_a_note_is_found_again_on_the_grid_where_it_was_written(resolution, metre):
    """Also where a grid step is not a whole number of the score's ticks."""
    table = Score([Track([Bar([], *metre) for _ in range(3)])], resolution=resolution).table
    length = _core.bar_ticks(*metre, resolution)
    for onset in range(_core.bar_ticks(*metre, 12)):
        placed = NotePlacer(table, 12, [(0, 1)]).place(0, 1, GridNote(60, 90, onset, 2))
        assert placed is not None and placed[0] < max(1, length)
        if resolution >= 12:
            grid = _core.grid_table(table.replaced([(0, 1)], [np.array([placed], dtype=np.int32)]), 12)
            assert grid.notes[0, 0] == onset
