"""Which tokens may come next."""

from __future__ import annotations

import numpy as np
import pytest

from midigpt_nb import _core
from midigpt_nb.errors import GrammarDeadlock, VocabularyError
from midigpt_nb.tokenizer import EncoderConfig, Tokenizer

from .helpers import SCORE_A, ids_of, make_tokenizer, options_from, reference, score_from, words

T = _core.TokenType
Options = _core.MatcherOptions


def row_of(matcher, tokenizer):
    row = np.full(tokenizer.vocab.size, 7, np.uint8)
    matcher.fill_mask(row)
    assert set(np.unique(row)) <= {0, 1}
    return np.flatnonzero(row)


def legal(matcher, tokenizer):
    """{type name: its legal values}"""
    out = {}
    for token in row_of(matcher, tokenizer):
        kind, value = tokenizer.vocab.decode(int(token))
        out.setdefault(kind.name, []).append(value)
    return out


def after(tokenizer, prompt, text="", **options):
    matcher = _core.Matcher.for_prompt(tokenizer.vocab, prompt, Options(**options))
    for token in ids_of(tokenizer, text):
        matcher.accept(token)
    return matcher


def grid_a(tokenizer):
    return tokenizer.grid(score_from(SCORE_A).table)


def infill_prompt(tokenizer, cells, table=None):
    table = grid_a(tokenizer) if table is None else table
    options = _core.EncodeOptions(window_bars=4, multi_fill=cells, fill_sections=False)
    return _core.encode(tokenizer.vocab, table, None, None, options)[0]


def ar_prompt(tokenizer, bars=-1, track=0, table=None):
    """The track last, open after `bars` bars."""
    table = grid_a(tokenizer) if table is None else table
    order = [t for t in range(table.n_tracks) if t != track] + [track]
    table = table.window(order, 0, table.n_bars(track))
    options = _core.EncodeOptions(window_bars=4, partial_track=len(order) - 1, partial_bars=bars)
    return _core.encode(tokenizer.vocab, table, None, None, options)[0]


NOTE_ENTRY = {"VelocityLevel", "NoteOnset"}  # ghost and pocket have no microtiming


# Infill


def test_a_fill_block_begins_with_a_note_or_a_position(pocket):
    matcher = after(pocket, infill_prompt(pocket, [(0, 0)]))
    allowed = legal(matcher, pocket)
    assert set(allowed) == NOTE_ENTRY | {"TimeAbsolutePos"}
    assert allowed["TimeAbsolutePos"] == list(range(1, 48)), "0 is never written: it is where a bar begins"
    assert allowed["VelocityLevel"] == list(range(1, 32)), "level 0 is silence, which is never written"
    assert len(allowed["NoteOnset"]) == 128
    assert (matcher.infill, matcher.block, matcher.blocks, matcher.complete) == (True, 0, [(0, 0)], False)


@pytest.mark.parametrize(
    ("text", "types"),
    [
        ("VelocityLevel:5", {"NoteOnset"}),
        ("TimeAbsolutePos:4", NOTE_ENTRY),
        ("NoteOnset:60", {"NoteDuration"}),
        ("NoteOnset:60 NoteDuration:3", NOTE_ENTRY | {"TimeAbsolutePos", "FillInEnd"}),
        ("NoteOnset:60 NoteDuration:3 TimeAbsolutePos:7", NOTE_ENTRY),
        ("TimeAbsolutePos:47 NoteOnset:60 NoteDuration:3", NOTE_ENTRY | {"FillInEnd"}),
    ],
)
def test_what_follows_in_a_melodic_block(pocket, text, types):
    assert set(legal(after(pocket, infill_prompt(pocket, [(0, 0)]), text), pocket)) == types


def test_drum_blocks_have_no_durations_even_beside_melodic_ones(pocket):
    prompt = infill_prompt(pocket, [(0, 0), (1, 1)])
    matcher = after(pocket, prompt, "NoteOnset:60 NoteDuration:3 FillInEnd")
    assert matcher.forced() == ids_of(pocket, "FillInStart")[0], (
        "while blocks wait, only the next one may begin"
    )
    matcher = after(pocket, prompt, "NoteOnset:60 NoteDuration:3 FillInEnd FillInStart NoteOnset:36")
    assert set(legal(matcher, pocket)) == NOTE_ENTRY | {"TimeAbsolutePos", "FillInEnd"}
    matcher.accept(ids_of(pocket, "FillInEnd")[0])
    assert matcher.complete and matcher.block == 1 and matcher.forced() == -1


@pytest.mark.parametrize(("bar", "ticks"), [(0, 48), (2, 36), (3, 36)])
def test_positions_end_with_the_blocks_own_bar(pocket, bar, ticks):
    matcher = after(pocket, infill_prompt(pocket, [(0, bar)]))
    assert legal(matcher, pocket)["TimeAbsolutePos"] == list(range(1, ticks))


def test_each_block_has_its_own_metre(pocket):
    matcher = after(pocket, infill_prompt(pocket, [(0, 1), (0, 2)]))
    assert legal(matcher, pocket)["TimeAbsolutePos"][-1] == 47
    for token in ids_of(pocket, "NoteOnset:60 NoteDuration:3 FillInEnd FillInStart"):
        matcher.accept(token)
    assert legal(matcher, pocket)["TimeAbsolutePos"][-1] == 35


def test_positions_only_grow(pocket):
    matcher = after(pocket, infill_prompt(pocket, [(0, 0)]), "TimeAbsolutePos:20 NoteOnset:60 NoteDuration:3")
    assert legal(matcher, pocket)["TimeAbsolutePos"] == list(range(21, 48))


def test_no_position_zero_after_notes_at_the_beginning(pocket):
    matcher = after(pocket, infill_prompt(pocket, [(0, 0)]), "NoteOnset:60 NoteDuration:3", polyphony_limit=1)
    assert set(legal(matcher, pocket)) == {"TimeAbsolutePos", "FillInEnd"}
    assert legal(matcher, pocket)["TimeAbsolutePos"][0] == 1


def test_a_block_may_be_empty_when_asked(pocket):
    prompt = infill_prompt(pocket, [(0, 0)])
    assert "FillInEnd" not in legal(after(pocket, prompt), pocket)
    assert "FillInEnd" in legal(after(pocket, prompt, allow_empty=True), pocket)


def test_finished_blocks_of_a_prompt_count(pocket):
    prompt = list(infill_prompt(pocket, [(0, 0), (0, 2)])) + ids_of(
        pocket, "NoteOnset:60 NoteDuration:1 FillInEnd"
    )
    matcher = after(pocket, prompt)
    assert (matcher.block, matcher.complete) == (0, False)
    matcher.accept(matcher.forced())
    assert matcher.block == 1
    assert legal(matcher, pocket)["TimeAbsolutePos"][-1] == 35


# Autoregressive


def test_an_open_track_continues_with_attributes_or_its_first_bar(pocket):
    allowed = legal(after(pocket, ar_prompt(pocket)), pocket)
    assert set(allowed) == {*pocket.vocab.track_slots, "Bar"}


def test_attributes_come_once_and_in_order(pocket):
    matcher = after(pocket, ar_prompt(pocket), "MaxPolyphony:3 NoteDensity:2")
    assert set(legal(matcher, pocket)) == {
        "TrackLevelPitchRangeMax",
        "KeySignature",
        "TrackLevelSilenceProportionMax",
        "Bar",
    }


def test_requested_attributes_are_written(pocket):
    pins = {"MaxPolyphony": 3, "PitchRange": 20}
    matcher = after(pocket, ar_prompt(pocket), track_pins=pins)
    assert legal(matcher, pocket) == {"MinPolyphony": list(range(10)), "MaxPolyphony": [3]}
    for token in ids_of(pocket, "MaxPolyphony:3 NoteDensity:2"):
        matcher.accept(token)
    assert legal(matcher, pocket) == {"TrackLevelPitchRangeMax": [20]}
    matcher.accept(matcher.forced())
    assert set(legal(matcher, pocket)) == {"KeySignature", "TrackLevelSilenceProportionMax", "Bar"}


def test_without_optional_attributes_everything_before_the_first_bar_is_forced(pocket):
    matcher = after(pocket, ar_prompt(pocket), track_pins={"KeySignature": 7}, optional_attributes=False)
    written = []
    while (token := matcher.forced()) >= 0:
        written.append(token)
        matcher.accept(token)
    assert words(pocket, written) == "KeySignature:7 Bar TimeSig:0"


def test_excluded_attributes_are_not_offered(pocket):
    matcher = after(pocket, ar_prompt(pocket), excluded_attributes=["MinPolyphony", "PitchRange"])
    assert not {"MinPolyphony", "TrackLevelPitchRangeMax"} & set(legal(matcher, pocket))


def test_bar_attributes_precede_the_time_signature(pocket):
    pins = {1: {"BarLevelOnsetDensity": 7}}
    matcher = after(pocket, ar_prompt(pocket), "Bar", bar_pins=pins)
    assert legal(matcher, pocket) == {
        "BarLevelOnsetDensity": list(range(10)),
        "BarLevelOnsetPolyphonyMax": list(range(10)),
        "TimeSig": [0],
    }
    matcher = after(
        pocket, ar_prompt(pocket), "Bar TimeSig:0 NoteOnset:60 NoteDuration:1 BarEnd Bar", bar_pins=pins
    )
    assert legal(matcher, pocket) == {"BarLevelOnsetDensity": [7]}
    matcher.accept(matcher.forced())
    assert set(legal(matcher, pocket)) == {"BarLevelOnsetPolyphonyMax", "TimeSig"}


def test_every_bar_keeps_its_metre_and_its_length(pocket):
    signatures = {0: (0, 48), 1: (0, 48), 2: (1, 36), 3: (3, 36)}
    matcher = after(pocket, ar_prompt(pocket), optional_attributes=False)
    for bar, (value, ticks) in signatures.items():
        assert (matcher.block, matcher.forced()) == (bar - 1, ids_of(pocket, "Bar")[0])
        matcher.accept(matcher.forced())
        assert legal(matcher, pocket) == {"TimeSig": [value]}
        matcher.accept(matcher.forced())
        allowed = legal(matcher, pocket)
        assert set(allowed) == NOTE_ENTRY | {"TimeAbsolutePos"}, "no empty bar, no MaskBar, no placeholder"
        assert allowed["TimeAbsolutePos"][-1] == ticks - 1
        for token in ids_of(pocket, "NoteOnset:60 NoteDuration:1 BarEnd"):
            matcher.accept(token)
    assert matcher.forced() == ids_of(pocket, "TrackEnd")[0], "exactly as many bars as the window"
    matcher.accept(matcher.forced())
    assert matcher.complete


def test_requested_metres_win(pocket):
    matcher = after(pocket, ar_prompt(pocket), "Bar", bar_metres=[3, -1, 2, 2])
    assert legal(matcher, pocket)["TimeSig"] == [3]
    matcher = after(
        pocket,
        ar_prompt(pocket),
        "Bar TimeSig:3 NoteOnset:60 NoteDuration:1 BarEnd Bar",
        bar_metres=[3, -1, 2, 2],
    )
    assert len(legal(matcher, pocket)["TimeSig"]) == 36


def test_history_bars_count(pocket):
    matcher = after(pocket, ar_prompt(pocket, bars=3))
    assert set(legal(matcher, pocket)) == {"Bar"}
    for token in ids_of(pocket, "Bar TimeSig:3 NoteOnset:60 NoteDuration:1 BarEnd"):
        matcher.accept(token)
    assert legal(matcher, pocket) == {"TrackEnd": [0]}


def test_the_written_track_says_whether_notes_have_durations(pocket):
    for track, follows in ((0, {"NoteDuration"}), (1, NOTE_ENTRY | {"TimeAbsolutePos", "BarEnd"})):
        matcher = after(pocket, ar_prompt(pocket, track=track), "Bar TimeSig:0 NoteOnset:36")
        assert set(legal(matcher, pocket)) == follows


@pytest.mark.parametrize(
    ("options", "message"),
    [
        pytest.param({"track_pins": {"Genre": 1}}, "no track attribute Genre", id="not an attribute"),
        pytest.param(
            {"track_pins": {"BarLevelOnsetDensity": 1}}, "no track attribute", id="attribute of bars"
        ),
        pytest.param({"track_pins": {"KeySignature": 25}}, r"0\.\.24", id="value outside"),
        pytest.param({"track_pins": {"NoteDuration": 3}}, "no track attribute", id="a note's length"),
        pytest.param({"bar_pins": {4: {"BarLevelOnsetDensity": 1}}}, "bar 4 is pinned", id="bar outside"),
        pytest.param(
            {"track_pins": {"KeySignature": 2}, "excluded_attributes": ["KeySignature"]},
            "both requested and excluded",
            id="contradiction",
        ),
        pytest.param(
            {"required_track_attributes": ["KeySignature"], "excluded_attributes": ["KeySignature"]},
            "both requested and excluded",
            id="required and excluded",
        ),
        pytest.param({"bar_metres": [0, 0]}, "2 entries; the track has 4", id="too few metres"),
        pytest.param({"bar_metres": [0, 0, 0, 36]}, r"0\.\.35", id="metre outside"),
    ],
)
def test_wishes_that_do_not_fit_are_refused(pocket, options, message):
    with pytest.raises(VocabularyError, match=message):
        after(pocket, ar_prompt(pocket), **options)


def test_a_pin_must_still_be_ahead(pocket):
    prompt = [*ar_prompt(pocket), *ids_of(pocket, "MaxPolyphony:3 NoteDensity:2")]
    assert after(pocket, prompt, track_pins={"MaxPolyphony": 3, "KeySignature": 1}).forced() == -1
    with pytest.raises(VocabularyError, match="past the place of MinPolyphony"):
        after(pocket, prompt, track_pins={"MinPolyphony": 3})
    with pytest.raises(VocabularyError, match="past the place of MaxPolyphony"):
        after(pocket, prompt, track_pins={"MaxPolyphony": 4})
    with pytest.raises(VocabularyError, match="bar 1 is pinned"):
        after(pocket, ar_prompt(pocket, bars=2), bar_pins={1: {"BarLevelOnsetDensity": 4}})


def test_infill_takes_no_pins(pocket):
    with pytest.raises(VocabularyError, match="cannot be pinned"):
        after(pocket, infill_prompt(pocket, [(0, 0)]), track_pins={"MaxPolyphony": 4})
    with pytest.raises(VocabularyError, match="autoregressive"):
        after(pocket, infill_prompt(pocket, [(0, 0)]), autoregressive=True)


# Limits


def test_onsets_at_one_position_are_limited(pocket):
    chord = "NoteOnset:60 NoteDuration:1 NoteOnset:64 NoteDuration:1"
    matcher = after(pocket, infill_prompt(pocket, [(0, 0)]), chord, polyphony_limit=2)
    assert set(legal(matcher, pocket)) == {"TimeAbsolutePos", "FillInEnd"}
    matcher.accept(ids_of(pocket, "TimeAbsolutePos:3")[0])
    assert set(legal(matcher, pocket)) == NOTE_ENTRY


def test_notes_of_a_bar_are_limited(pocket):
    matcher = after(
        pocket, infill_prompt(pocket, [(0, 0), (0, 1)]), "NoteOnset:60 NoteDuration:1", density_limit=1
    )
    assert set(legal(matcher, pocket)) == {"FillInEnd"}
    for token in ids_of(pocket, "FillInEnd FillInStart"):
        matcher.accept(token)
    assert set(legal(matcher, pocket)) >= NOTE_ENTRY


def test_sounding_notes_are_limited(pocket):
    matcher = after(pocket, infill_prompt(pocket, [(0, 2)]), sounding_limit=1)
    # Bar 1 holds a note that rings on for 96 ticks: over all of bar 2, and 12 ticks of bar 3.
    assert legal(matcher, pocket) == {"FillInEnd": [0]}, "no room for a note: the bar may rest"
    matcher = after(pocket, infill_prompt(pocket, [(0, 2)]), sounding_limit=2)
    assert set(legal(matcher, pocket)) == NOTE_ENTRY | {"TimeAbsolutePos"}
    matcher.accept(ids_of(pocket, "NoteOnset:60")[0])
    assert legal(matcher, pocket)["NoteDuration"] == list(range(96)), (
        "bar 3's note comes after the long one ends"
    )
    matcher.accept(ids_of(pocket, "NoteDuration:11")[0])
    assert legal(matcher, pocket) == {"TimeAbsolutePos": list(range(12, 36)), "FillInEnd": [0]}


def test_a_new_note_stops_before_notes_that_follow(pocket):
    matcher = after(
        pocket, infill_prompt(pocket, [(0, 2)]), "TimeAbsolutePos:10 NoteOnset:60", sounding_limit=2
    )
    # Ticks from bar 2: the long note ends at 48, the next begins at 36 + 47.
    assert legal(matcher, pocket)["NoteDuration"][-1] == 95
    table = grid_a(pocket)
    held = table.replaced([(0, 3)], [np.array([[0, 24, 70, 90, 0]], np.int32)])
    matcher = after(
        pocket, infill_prompt(pocket, [(0, 2)], held), "TimeAbsolutePos:10 NoteOnset:60", sounding_limit=2
    )
    assert legal(matcher, pocket)["NoteDuration"] == list(range(26))


def test_velocity_and_microtiming_can_be_banned():
    expressive = make_tokenizer("expressive")
    prompt = infill_prompt(expressive, [(0, 0)])
    assert set(legal(after(expressive, prompt), expressive)) == {
        "TimeAbsolutePos",
        "VelocityLevel",
        "DeltaDirection",
        "Delta",
        "NoteOnset",
    }
    banned = legal(after(expressive, prompt, velocity=False, microtiming=False), expressive)
    assert set(banned) == {"TimeAbsolutePos", "NoteOnset"}


def test_microtiming_stands_between_velocity_and_pitch():
    expressive = make_tokenizer("expressive")
    prompt = infill_prompt(expressive, [(0, 0)])
    assert legal(after(expressive, prompt, "DeltaDirection"), expressive) == {"Delta": [1, 2, 3, 4, 5]}
    assert set(legal(after(expressive, prompt, "Delta:3"), expressive)) == {"NoteOnset"}
    allowed = legal(after(expressive, prompt, "VelocityLevel:3"), expressive)
    assert set(allowed) == {"DeltaDirection", "Delta", "NoteOnset"}
    assert allowed["DeltaDirection"] == [0]


# The matcher itself


def test_illegal_tokens_are_refused_and_change_nothing(pocket):
    matcher = after(pocket, infill_prompt(pocket, [(0, 0)]), "TimeAbsolutePos:7")
    before = row_of(matcher, pocket)
    with pytest.raises(VocabularyError, match="FillInEnd 0 is not legal after a position in fill block 0"):
        matcher.accept(ids_of(pocket, "FillInEnd")[0])
    with pytest.raises(VocabularyError, match="no token 833"):
        matcher.accept(833)
    assert np.array_equal(before, row_of(matcher, pocket))
    assert matcher.position == 7


def test_forks_go_their_own_way_and_reset_returns_to_the_prompt(pocket):
    matcher = after(pocket, infill_prompt(pocket, [(0, 2)]), sounding_limit=2)
    start = row_of(matcher, pocket)
    matcher.accept(ids_of(pocket, "NoteOnset:60")[0])
    fork = matcher.fork()
    fork.accept(ids_of(pocket, "NoteDuration:30")[0])
    assert set(legal(matcher, pocket)) == {"NoteDuration"}
    matcher.accept(ids_of(pocket, "NoteDuration:0")[0])
    assert legal(fork, pocket)["TimeAbsolutePos"][0] == 31
    assert legal(matcher, pocket)["TimeAbsolutePos"][0] == 1
    for m in (matcher, fork):
        m.reset()
        assert np.array_equal(row_of(m, pocket), start)


def test_a_complete_sequence_has_no_next_token(pocket):
    matcher = after(pocket, infill_prompt(pocket, [(0, 0)]), "NoteOnset:60 NoteDuration:3 FillInEnd")
    assert matcher.complete
    with pytest.raises(GrammarDeadlock, match="complete"):
        row_of(matcher, pocket)


def test_rows_are_written_in_place(pocket):
    matcher = after(pocket, infill_prompt(pocket, [(0, 0)]))
    rows = np.zeros((2, pocket.vocab.size), bool)
    matcher.fill_mask(rows[1])
    assert not rows[0].any() and rows[1].sum() == len(row_of(matcher, pocket))
    with pytest.raises(VocabularyError, match="832 entries; the vocabulary has 833"):
        matcher.fill_mask(np.zeros(832, np.uint8))
    with pytest.raises(ValueError, match="uint8 or bool"):
        matcher.fill_mask(np.zeros(833, np.int32))
    with pytest.raises(ValueError, match="contiguous"):
        matcher.fill_mask(np.zeros((833, 2), np.uint8)[:, 0])


def test_a_prompt_that_breaks_the_grammar_is_refused(pocket):
    with pytest.raises(
        VocabularyError, match="token 3 of the prompt, NoteOnset, cannot follow the instrument"
    ):
        after(pocket, ids_of(pocket, "PieceStart:0 Track:0 Instrument:5 NoteOnset:60"))
    with pytest.raises(VocabularyError, match="no track to continue"):
        after(pocket, ids_of(pocket, "PieceStart:0 NumBars:0"))
    with pytest.raises(VocabularyError, match="FillInStart, cannot follow"):
        after(
            pocket,
            ids_of(pocket, "PieceStart:1 Track:0 Instrument:5 Bar TimeSig:0 BarEnd TrackEnd FillInStart"),
        )


@pytest.mark.parametrize("name", ["yellow", "prism", "expressive", "expressive_no_switch", "ghost"])
def test_every_sequence_the_encoder_writes_is_accepted(name):
    tokenizer = make_tokenizer(name, (("bar", "PitchClassSet"),))
    accepted = 0
    for row in reference("golden_tokens.json"):
        if row["config"] != name:
            continue
        options = options_from(row["options"])
        for fill_sections in (True, False):
            options.fill_sections = fill_sections
            tokens = tokenizer.encode(score_from(row["score"]), options)
            matcher = _core.Matcher.for_prompt(tokenizer.vocab, tokens, Options(n_bars=64))
            if options.multi_fill:
                assert matcher.complete == fill_sections
                assert matcher.blocks == sorted(options.multi_fill)
            elif "partial_encode_track_index" not in row["options"]:
                assert matcher.complete
            accepted += 1
    assert accepted >= 24


@pytest.mark.parametrize("name", ["yellow", "prism", "expressive", "ghost"])
def test_what_the_encoder_writes_could_have_been_generated(name):
    """Fill blocks of real notes, fed token by token, are legal at every step and end the sequence."""
    tokenizer = make_tokenizer(name)
    for row in reference("golden_tokens.json"):
        if row["config"] != name or not row["options"].get("multi_fill"):
            continue
        tokens = tokenizer.encode(score_from(row["score"]), options_from(row["options"]))
        start = tokens.index(tokenizer.vocab.range(T.FillInStart)[0]) + 1
        matcher = _core.Matcher.for_prompt(tokenizer.vocab, tokens[:start], Options(allow_empty=True))
        for token in tokens[start:]:
            kind, _value = tokenizer.vocab.decode(token)
            if kind is T.TimeAbsolutePos and not matcher.is_legal(token):
                break  # a note that begins after the end of its bar
            matcher.accept(token)
        else:
            assert matcher.complete


def random_walk(matcher, tokenizer, random, limit=20000):
    """Legal tokens, each type as likely as any other, to the end of the sequence."""
    row = np.zeros(tokenizer.vocab.size, np.uint8)
    kinds = tokenizer.vocab.type_ids
    written = []
    while not matcher.complete:
        matcher.fill_mask(row)
        ids = np.flatnonzero(row)
        assert matcher.forced() == (ids[0] if len(ids) == 1 else -1)
        ids = ids[kinds[ids] == random.choice(np.unique(kinds[ids]))]
        written.append(int(random.choice(ids)))
        matcher.accept(written[-1])
        assert len(written) < limit
    return written


LIMITS = [
    {},
    {"sounding_limit": 1},
    {"polyphony_limit": 2, "density_limit": 5, "sounding_limit": 3},
    {"allow_empty": True, "velocity": False},
]


def most_sounding(table, track):
    """Largest number of notes of a track that sound in one tick."""
    counts = {}
    start = 0
    first_row, last_row = table.bar_rows(track)
    for bar, row in enumerate(range(first_row, last_row)):
        first, last = table.note_rows(track, bar)
        for onset, duration, *_ in table.notes[first:last]:
            for tick in range(start + onset, start + onset + duration):
                counts[tick] = counts.get(tick, 0) + 1
        start += _core.bar_ticks(int(table.bars[row, 1]), int(table.bars[row, 2]), table.resolution)
    return max(counts.values(), default=0)


def scores_of(name, n=6):
    return [score_from(row["score"]) for row in reference("golden_tokens.json") if row["config"] == name][:n]


@pytest.mark.parametrize("limits", LIMITS, ids=[" ".join(limits) or "no limits" for limits in LIMITS])
def test_random_infills_end_and_decode_to_legal_bars(pocket, limits):
    random = np.random.default_rng(1)
    for score in scores_of("ghost"):
        table = pocket.grid(score.table)
        cells = [(t, b) for t in range(table.n_tracks) for b in range(table.n_bars(t))]
        targets = [cells[i] for i in random.choice(len(cells), 4, replace=False)]
        empty = table.replaced(cells, [np.zeros((0, 5), np.int32)] * len(cells))
        prompt = infill_prompt(pocket, targets, empty)
        matcher = _core.Matcher.for_prompt(pocket.vocab, prompt, Options(**limits))
        assert matcher.blocks == sorted(targets)
        written = random_walk(matcher, pocket, random)
        result = _core.decode(pocket.vocab, np.concatenate([prompt, written]), False)[0]
        check_bars(result, targets, limits)
        for track in {t for t, _ in targets if not table.tracks[t, 2]}:
            assert most_sounding(result, track) <= limits.get("sounding_limit", 10**6)


def check_bars(table, cells, limits):
    for track, bar in cells:
        first, last = table.note_rows(track, bar)
        onsets = table.notes[first:last, 0]
        _, num, den, _ = table.bars[table.bar_rows(track)[0] + bar]
        may_rest = limits.get("allow_empty") or "sounding_limit" in limits
        assert last > first or may_rest
        assert (onsets < _core.bar_ticks(int(num), int(den), 12)).all()
        assert (np.diff(onsets) >= 0).all()
        assert last - first <= limits.get("density_limit", 10**6)
        assert np.bincount(onsets, minlength=1).max() <= limits.get("polyphony_limit", 10**6)


@pytest.mark.parametrize("limits", LIMITS, ids=[" ".join(limits) or "no limits" for limits in LIMITS])
@pytest.mark.parametrize("history", [-1, 2])
def test_random_tracks_end_with_what_was_requested(pocket, limits, history):
    random = np.random.default_rng(2)
    for score in scores_of("ghost"):
        table = pocket.grid(score.table)
        track = int(random.integers(table.n_tracks))
        last_bar = table.n_bars(track) - 1
        pins = {"track_pins": {"MaxPolyphony": 3, "KeySignature": 4}} if history < 0 else {}
        prompt = ar_prompt(pocket, history, track, table)
        first, end = table.bar_rows(track)
        metres = [
            pocket.vocab.time_signature_value(*map(int, table.bars[row, 1:3])) for row in range(first, end)
        ]
        options = Options(
            n_bars=end - first,
            bar_metres=metres,
            bar_pins={last_bar: {"BarLevelOnsetDensity": 7}},
            **pins,
            **limits,
        )
        matcher = _core.Matcher.for_prompt(pocket.vocab, prompt, options)
        written = random_walk(matcher, pocket, random)
        result, track_values, bar_values = _core.decode(
            pocket.vocab, np.concatenate([prompt, written]), False
        )
        new = result.n_tracks - 1
        assert np.array_equal(result.bars[slice(*result.bar_rows(new)), 1:3], table.bars[first:end, 1:3])
        assert bar_values[-1, pocket.vocab.bar_slots.index("BarLevelOnsetDensity")] == 7
        if pins:
            assert track_values[-1, pocket.vocab.track_slots.index("MaxPolyphony")] == 3
            assert track_values[-1, pocket.vocab.track_slots.index("KeySignature")] == 4
        check_bars(result, [(new, bar) for bar in range(max(history, 0), last_bar + 1)], limits)


def test_vocabularies_without_some_types():
    """No instruments' neighbours, no metres, no durations: the grammar passes over what is not there."""
    domains = [("Track", 2), ("TrackEnd", 1), ("Bar", 1), ("BarEnd", 1), ("NoteOnset", 128)]
    config = EncoderConfig.from_dict(
        {"resolution": 12, "token_domains": [{"type": t, "domain_size": n} for t, n in domains]}
    )
    tiny = Tokenizer(config)
    matcher = _core.Matcher.for_prompt(tiny.vocab, ids_of(tiny, "Track:0"), Options(n_bars=2))
    written = random_walk(matcher, tiny, np.random.default_rng(3))
    text = words(tiny, written).split()
    assert text.count("Bar") == text.count("BarEnd") == 2 and text[-1] == "TrackEnd"
