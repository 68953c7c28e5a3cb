"""Wishes that make tokens illegal, through the bindings: per block, together, and never into a dead end."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from midigpt_nb import _core
from midigpt_nb.errors import GrammarDeadlock, VocabularyError

from .helpers import ids_of, words
from .test_matcher import ar_prompt, grid_a, infill_prompt, legal, most_sounding, random_walk

Constraint = _core.Constraint
Options = _core.MatcherOptions


def matcher_for(tokenizer, prompt, *constraints, **options):
    matcher = _core.Matcher.for_prompt(tokenizer.vocab, prompt, Options(**options))
    for constraint in constraints:
        matcher.add(constraint)
    return matcher


def feed(matcher, tokenizer, text):
    for token in ids_of(tokenizer, text):
        matcher.accept(token)
    return matcher


def notes_of(tokenizer, prompt, written, cells):
    """{cell: [(onset, pitch, duration)]} of the decoded sequence."""
    table = _core.decode(tokenizer.vocab, np.concatenate([prompt, written]), False)[0]
    out = {}
    for cell in cells:
        first, last = table.note_rows(*cell)
        out[cell] = [(int(o), int(p), int(d)) for o, d, p, *_ in table.notes[first:last]]
    return out


def onsets(notes):
    ticks = [onset for onset, *_ in notes]
    return [(tick, ticks.count(tick)) for tick in dict.fromkeys(ticks)]


CELLS = [(0, 0), (0, 1), (1, 0)]


def test_d27_each_bar_of_a_joint_step_has_its_own_pitches(pocket):
    prompt = infill_prompt(pocket, CELLS)
    allowed = {0: [60, 64], 2: [36]}
    for seed in range(4):
        matcher = matcher_for(pocket, prompt, Constraint.pitch_set(pocket.vocab, allowed), density_limit=6)
        written = random_walk(matcher, pocket, np.random.default_rng(seed))
        notes = notes_of(pocket, prompt, written, CELLS)
        assert {p for _, p, _ in notes[0, 0]} <= {60, 64}
        assert {p for _, p, _ in notes[1, 0]} == {36}


@pytest.mark.parametrize(
    "rhythm",
    [
        pytest.param([(0, 2), (12, 1), (24, 3)], id="from the first beat"),
        pytest.param([(6, 1), (47, 2)], id="u5 a leading rest"),
        pytest.param([(0, 1)], id="one note"),
    ],
)
def test_u5_an_exact_rhythm_is_kept_in_infill_and_in_a_continuation(pocket, rhythm):
    prompt = infill_prompt(pocket, CELLS)
    matcher = matcher_for(pocket, prompt, Constraint.rhythm_schedule({0: rhythm, 2: rhythm}))
    written = random_walk(matcher, pocket, np.random.default_rng(1))
    notes = notes_of(pocket, prompt, written, CELLS)
    assert onsets(notes[0, 0]) == onsets(notes[1, 0]) == rhythm
    prompt = ar_prompt(pocket, 1)
    matcher = matcher_for(pocket, prompt, Constraint.rhythm_schedule({1: rhythm}), n_bars=4)
    written = random_walk(matcher, pocket, np.random.default_rng(1))
    assert onsets(notes_of(pocket, prompt, written, [(1, 1)])[1, 1]) == rhythm


def test_a_rhythm_longer_than_its_bar_is_cut_at_the_bar_line(pocket):
    prompt = infill_prompt(pocket, [(0, 2)])  # 3/4: 36 ticks
    matcher = matcher_for(
        pocket, prompt, Constraint.rhythm_schedule({0: [(0, 1), (35, 1), (36, 1), (47, 1)]})
    )
    written = random_walk(matcher, pocket, np.random.default_rng(1))
    assert onsets(notes_of(pocket, prompt, written, [(0, 2)])[0, 2]) == [(0, 1), (35, 1)]


def test_a_remix_keeps_what_is_not_free(pocket):
    prompt = infill_prompt(pocket, [(0, 0)])
    kept = [(0, 40, 5), (12, -1, 5), (24, 43, -1), (24, -1, -1)]
    matcher = matcher_for(pocket, prompt, Constraint.remix({0: kept}))
    seen = set()
    for seed in range(5):
        written = random_walk(matcher.fork(), pocket, np.random.default_rng(seed))
        notes = notes_of(pocket, prompt, written, [(0, 0)])[0, 0]
        assert [n[0] for n in notes] == [0, 12, 24, 24]
        assert (notes[0][1:], notes[1][2], notes[2][1]) == ((40, 6), 6, 43)
        seen.add(notes[1][1])
    assert len(seen) > 1, "the free pitch is free"


def test_a_second_remix_takes_the_place_of_the_first_on_a_fork(pocket):
    prompt = infill_prompt(pocket, [(0, 0)])
    matcher = matcher_for(pocket, prompt, Constraint.remix({0: [(0, 40, 5)]}), sounding_limit=1)
    fork = matcher.fork()
    fork.replace(Constraint.remix({0: [(0, 50, 5)]}))
    assert legal(fork, pocket)["NoteOnset"] == [50]
    assert legal(matcher, pocket)["NoteOnset"] == [40]
    feed(fork, pocket, "NoteOnset:50 NoteDuration:5 FillInEnd")
    fork.reset()
    assert legal(fork, pocket)["NoteOnset"] == [50]


def test_the_grid_of_full_strength_leaves_only_its_lines(pocket):
    matcher = matcher_for(
        pocket, infill_prompt(pocket, [(0, 0)]), Constraint.position_set(pocket.vocab, {0: range(0, 192, 12)})
    )
    assert legal(matcher, pocket)["TimeAbsolutePos"] == [12, 24, 36]
    feed(matcher, pocket, "TimeAbsolutePos:36 NoteOnset:60 NoteDuration:3")
    assert "TimeAbsolutePos" not in legal(matcher, pocket)


@pytest.mark.parametrize(
    ("limit", "numbers", "text", "kind", "most"),
    [
        ("max_duration", [12, 6], "NoteOnset:60", "NoteDuration", (11, 5)),
        ("max_end", [24, 36], "TimeAbsolutePos:18 NoteOnset:60", "NoteDuration", (5, 17)),
        ("max_end", [10, 0], "TimeAbsolutePos:18 NoteOnset:60", "NoteDuration", (0, 95)),
    ],
    ids=["u3 longest note", "u3 not past the bar", "past already: the shortest"],
)
def test_u3_lengths_are_limited_per_block(pocket, limit, numbers, text, kind, most):
    matcher = matcher_for(pocket, infill_prompt(pocket, [(0, 0), (0, 1)]), **{limit: numbers})
    assert getattr(Options(**{limit: numbers}), limit) == numbers
    feed(matcher, pocket, text)
    assert legal(matcher, pocket)[kind] == list(range(most[0] + 1))
    feed(matcher, pocket, f"NoteDuration:0 FillInEnd FillInStart {text}")
    assert legal(matcher, pocket)[kind] == list(range(most[1] + 1))


def test_k7_a_bar_holds_a_note_unless_u5_it_may_be_empty(pocket):
    prompt = infill_prompt(pocket, [(0, 0), (0, 1)])
    matcher = matcher_for(pocket, prompt, allow_empty=[1, 0])
    feed(matcher, pocket, "FillInEnd FillInStart")
    assert "FillInEnd" not in legal(matcher, pocket)
    matcher = matcher_for(pocket, ar_prompt(pocket, track=1), n_bars=4, allow_empty=[0, 1, 0, 0])
    feed(matcher, pocket, f"Bar TimeSig:{pocket.vocab.time_signature_value(4, 4)}")
    assert "BarEnd" not in legal(matcher, pocket)
    feed(matcher, pocket, "NoteOnset:60 BarEnd Bar")
    feed(matcher, pocket, f"TimeSig:{pocket.vocab.time_signature_value(4, 4)} BarEnd")


def test_u3_voices_are_limited_per_block_and_ringing_notes_count(pocket):
    table = grid_a(pocket)
    cells = [(0, b) for b in range(4)]
    empty = table.replaced(cells, [np.zeros((0, 5), np.int32)] * 4)
    prompt = infill_prompt(pocket, cells, empty)
    for seed in range(6):
        matcher = matcher_for(pocket, prompt, sounding_limit=[3, 1, 0, 2], density_limit=12)
        written = random_walk(matcher, pocket, np.random.default_rng(seed))
        result = _core.decode(pocket.vocab, np.concatenate([prompt, written]), False)[0]
        counts = sounding_per_bar(result, 0)
        assert counts[0] <= 3 and counts[1] <= 1 and counts[3] <= 2


def sounding_per_bar(table, track):
    """Most notes that sound in a tick of each bar."""
    first, last = table.bar_rows(track)
    ticks = {}
    starts = [0]
    for row in range(first, last):
        starts.append(starts[-1] + _core.bar_ticks(*map(int, table.bars[row, 1:3]), table.resolution))
    for bar in range(last - first):
        a, b = table.note_rows(track, bar)
        for onset, duration, *_ in table.notes[a:b]:
            for tick in range(starts[bar] + onset, starts[bar] + onset + duration):
                ticks[tick] = ticks.get(tick, 0) + 1
    return [max((ticks.get(t, 0) for t in range(a, b)), default=0) for a, b in pairwise(starts)]


def test_a_melody_in_a_given_rhythm_stays_one_voice(pocket):
    """The natural pair of wishes: notes are cut where the next one must begin."""
    table = grid_a(pocket)
    cells = [(0, 0), (0, 1)]
    empty = table.replaced([(0, b) for b in range(4)], [np.zeros((0, 5), np.int32)] * 4)
    prompt = infill_prompt(pocket, cells, empty)
    rhythm = [(0, 1), (9, 1), (12, 1), (36, 1)]
    for seed in range(5):
        schedule = Constraint.rhythm_schedule({0: rhythm, 1: [(6, 1), *rhythm[2:]]})
        matcher = matcher_for(pocket, prompt, schedule, sounding_limit=1)
        written = random_walk(matcher, pocket, np.random.default_rng(seed))
        notes = notes_of(pocket, prompt, written, cells)
        assert onsets(notes[0, 0]) == rhythm and onsets(notes[0, 1]) == [(6, 1), *rhythm[2:]]
        result = _core.decode(pocket.vocab, np.concatenate([prompt, written]), False)[0]
        assert most_sounding(result, 0) == 1


@pytest.mark.parametrize(
    "options",
    [{"polyphony_limit": 1}, {"density_limit": 2}, {"sounding_limit": 1}],
    ids=lambda o: next(iter(o)),
)
def test_a_rhythm_that_a_limit_forbids_is_left_without_a_dead_end(pocket, options):
    prompt = infill_prompt(pocket, [(0, 0)])
    schedule = Constraint.rhythm_schedule({0: [(0, 3), (12, 2)]})
    written = random_walk(matcher_for(pocket, prompt, schedule, **options), pocket, np.random.default_rng(0))
    notes = notes_of(pocket, prompt, written, [(0, 0)])[0, 0]
    assert notes and {onset for onset, *_ in notes} <= {0, 12}


def test_d13_the_position_0_is_not_written_after_notes_at_the_bars_start(pocket):
    matcher = matcher_for(pocket, infill_prompt(pocket, [(0, 0)]), polyphony_limit=1)
    feed(matcher, pocket, "NoteOnset:60 NoteDuration:3")
    allowed = legal(matcher, pocket)
    assert "NoteOnset" not in allowed and 0 not in allowed["TimeAbsolutePos"]


def test_d14_no_end_follows_a_position_and_no_bar_end_a_block(pocket):
    matcher = matcher_for(pocket, infill_prompt(pocket, [(0, 0), (0, 1)]))
    feed(matcher, pocket, "NoteOnset:60 NoteDuration:3 TimeAbsolutePos:7")
    assert "FillInEnd" not in legal(matcher, pocket)
    feed(matcher, pocket, "NoteOnset:60 NoteDuration:3 FillInEnd")
    assert words(pocket, [matcher.forced()]) == "FillInStart"


def test_d7_each_fill_block_ends_with_its_own_metre(pocket):
    """4/4 before 3/4 in a piece that ends in 6/8."""
    matcher = matcher_for(pocket, infill_prompt(pocket, [(0, 1), (0, 2)]))
    assert legal(matcher, pocket)["TimeAbsolutePos"][-1] == 47
    feed(matcher, pocket, "NoteOnset:60 NoteDuration:3 FillInEnd FillInStart")
    assert legal(matcher, pocket)["TimeAbsolutePos"][-1] == 35


def test_d10_every_bar_of_a_continuation_has_the_metre_that_was_asked_for(pocket):
    value = pocket.vocab.time_signature_value
    metres = [value(3, 4), value(7, 8), value(4, 4), value(3, 4)]
    prompt = ar_prompt(pocket)
    for seed in range(3):
        matcher = matcher_for(pocket, prompt, n_bars=4, bar_metres=metres, density_limit=4)
        written = random_walk(matcher, pocket, np.random.default_rng(seed))
        signs = [w for w in words(pocket, written).split() if w.startswith("TimeSig")]
        assert signs == [f"TimeSig:{m}" for m in metres]


def test_a_dead_end_carries_its_place(pocket):
    """A wish that forbids everything would be named; none of ours does, so it is a finished sequence here."""
    error = GrammarDeadlock("x", state="a bar", constraints=["one", "two"])
    assert (error.state, list(error.constraints), error.partial) == ("a bar", ["one", "two"], None)
    text = "NoteOnset:60 NoteDuration:3 FillInEnd"
    done = feed(matcher_for(pocket, infill_prompt(pocket, [(0, 0)])), pocket, text)
    with pytest.raises(GrammarDeadlock, match="complete") as caught:
        done.fill_mask(np.zeros(pocket.vocab.size, np.uint8))
    assert caught.value.state == "the end of a fill block" and not caught.value.constraints


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda v: Constraint.pitch_set(v, {0: [128]}), "128"),
        (lambda v: Constraint.pitch_set(v, {0: []}), "allows no pitch"),
        (lambda v: Constraint.position_set(v, {0: [192]}), "192"),
        (lambda v: Constraint.rhythm_schedule({0: []}), "no notes"),
        (lambda v: Constraint.rhythm_schedule({0: [(4, 0)]}), "no notes at tick 4"),
        (lambda v: Constraint.rhythm_schedule({0: [(4, 1), (2, 1)]}), "tick 2 after tick 4"),
        (lambda v: Constraint.remix({0: [(-1, 60, 3)]}), "tick -1"),
    ],
    ids=["pitch", "no pitch", "position", "no groups", "no notes", "order", "negative"],
)
def test_values_that_make_no_sense_are_refused(pocket, make, words):
    with pytest.raises(VocabularyError, match=words):
        make(pocket.vocab)


def test_lists_of_limits_have_an_entry_per_bar(pocket):
    with pytest.raises(VocabularyError, match="sounding_limit has 2 entries; there are 3 bars"):
        matcher_for(pocket, infill_prompt(pocket, CELLS), sounding_limit=[1, 2])
    with pytest.raises(VocabularyError, match="there are 4 bars"):
        matcher_for(pocket, ar_prompt(pocket), n_bars=4, allow_empty=[1])


def test_random_wishes_together_always_come_to_an_end(pocket):
    random = np.random.default_rng(11)
    vocab = pocket.vocab
    for round_ in range(60):
        autoregressive = round_ % 3 == 0
        prompt = (
            ar_prompt(pocket, int(random.integers(-1, 3))) if autoregressive else infill_prompt(pocket, CELLS)
        )
        n = 4 if autoregressive else 3
        options = {
            name: random.integers(0, most, n).tolist()
            for name, most in [
                ("polyphony_limit", 3),
                ("density_limit", 6),
                ("sounding_limit", 3),
                ("max_duration", 9),
                ("max_end", 60),
                ("allow_empty", 2),
            ]
            if random.random() < 0.6
        }
        ticks = {
            b: sorted(random.choice(60, random.integers(1, 6), replace=False).tolist()) for b in range(n)
        }
        wishes = [
            Constraint.pitch_set(vocab, {b: random.integers(0, 128, 3).tolist() for b in range(0, n, 2)}),
            Constraint.position_set(vocab, {1: list(range(0, 192, 6))}),
            Constraint.remix(
                {
                    b: [(t, int(random.integers(-1, 140)), int(random.integers(-1, 120))) for t in ticks[b]]
                    for b in range(1, n)
                }
            ),
            Constraint.rhythm_schedule({0: [(t, int(random.integers(1, 4))) for t in ticks[0]]}),
        ]
        wishes = [w for w in wishes if random.random() < 0.7]
        if autoregressive:
            options["n_bars"] = 4
        matcher = matcher_for(pocket, prompt, *wishes, **options)
        random_walk(matcher.fork(), pocket, random)
        random_walk(matcher, pocket, random)
