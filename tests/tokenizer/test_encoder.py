"""Score to tokens: worked examples, prompts, and what is refused."""

from __future__ import annotations

import copy

import numpy as np
import pytest

from midigpt_nb import _core
from midigpt_nb.errors import VocabularyError
from midigpt_nb.score.model import Bar, Note, Score, Track
from midigpt_nb.tokenizer import EncoderConfig, Tokenizer

from .helpers import SCORE_A, form_of, ids_of, make_tokenizer, options_from, reference, score_from, words

Options = _core.EncodeOptions

YELLOW_TEXT = """
PieceStart:0 NumBars:0 Track:0 Instrument:27 MinPolyphony:0 MaxPolyphony:0 MinNoteDuration:2 MaxNoteDuration:5
Bar TimeSig:13 VelocityLevel:25 NoteOnset:40 NoteDuration:5 TimeAbsolutePos:12 NoteOnset:40 NoteDuration:5
TimeAbsolutePos:24 VelocityLevel:20 NoteOnset:43 NoteDuration:23 BarEnd
Bar TimeSig:13 VelocityLevel:16 NoteOnset:52 NoteDuration:95 NoteOnset:55 NoteDuration:11 BarEnd
Bar TimeSig:10 BarEnd
Bar TimeSig:19 TimeAbsolutePos:47 VelocityLevel:1 NoteOnset:57 NoteDuration:0 BarEnd TrackEnd
Track:1 Instrument:0 NoteDensity:0
Bar TimeSig:13 VelocityLevel:27 NoteOnset:36 NoteOnset:42 TimeAbsolutePos:6 NoteOnset:42 BarEnd
Bar TimeSig:13 TimeAbsolutePos:12 VelocityLevel:31 NoteOnset:38 BarEnd
Bar TimeSig:10 BarEnd Bar TimeSig:19 BarEnd TrackEnd
"""
YELLOW_A = YELLOW_TEXT.split()


def score_a(**changes):
    data = copy.deepcopy(SCORE_A)
    for (track, bar), values in changes.get("bars", {}).items():
        data["tracks"][track]["bars"][bar].update(values)
    return score_from(data)


def test_a_score_in_words():
    yellow = make_tokenizer("yellow")
    assert words(yellow, yellow.encode(score_a())).split() == YELLOW_A


def test_k3_filled_in_bars_follow_the_tracks():
    yellow = make_tokenizer("yellow")
    ids = yellow.encode(score_a(), Options(multi_fill=[(1, 1), (0, 0)]))
    assert ids[0] == 1
    first_track_end = ids.index(4)
    assert ids[8:12] == [5, 20, 602, 6]
    assert [5, 20, 602, 6] in [ids[i : i + 4] for i in range(first_track_end, len(ids))]
    tail = "603 595 194 287 390 194 287 402 590 197 305 604 603 390 601 192 604"
    assert ids[-17:] == [int(i) for i in tail.split()]


def test_k3_a_prompt_ends_in_one_fill_in_start():
    yellow = make_tokenizer("yellow")
    whole = yellow.encode(score_a(), Options(multi_fill=[(0, 0), (1, 1)]))
    prompt = yellow.encode(score_a(), Options(multi_fill=[(0, 0), (1, 1)], fill_sections=False))
    assert prompt == whole[: whole.index(603) + 1]


@pytest.mark.parametrize(
    ("bars", "last"),
    [
        pytest.param(-1, "Instrument:0", id="right after the instrument"),
        pytest.param(0, "NoteDensity:0", id="after the attributes"),
        pytest.param(1, "BarEnd", id="after one bar"),
    ],
)
def test_k2_an_open_track_ends_the_prompt(bars, last):
    yellow = make_tokenizer("yellow")
    text = words(yellow, yellow.encode(score_a(), Options(partial_track=1, partial_bars=bars)))
    opened = text.split("TrackEnd ")[1].split()
    assert opened[-1] == last
    assert opened.count("Bar") == max(bars, 0)
    assert text.split() == YELLOW_A[: len(text.split())]


def test_velocity_can_be_left_out():
    yellow = make_tokenizer("yellow")
    ids = yellow.encode(score_a(), Options(use_velocity=0))
    assert ids == [i for i in yellow.encode(score_a()) if not 570 <= i <= 601]


@pytest.mark.parametrize("how", ["flag", "option"])
def test_k6_hidden_bars_keep_their_shell(how):
    ghost = make_tokenizer("ghost")
    hidden = [(0, 1), (1, 3)]
    score = score_a(bars={cell: {"future": True} for cell in hidden} if how == "flag" else {})
    options = Options(hidden_bars=[] if how == "flag" else hidden)
    ids = ghost.encode(score, options)
    assert words(ghost, ids).split().count("MaskBar") == 2
    text = words(ghost, ids)
    assert "BarEnd Bar TimeSig:0 MaskBar BarEnd Bar TimeSig:1" in text
    assert "Bar TimeSig:3 MaskBar BarEnd TrackEnd" in text

    options.use_span_masks = True
    tokens, spans, _ = _core.encode(ghost.vocab, ghost.grid(score.table), None, None, options)
    assert [words(ghost, tokens[a:b]) for a, b in spans] == ["Bar TimeSig:0 BarEnd", "Bar TimeSig:3 BarEnd"]
    options.use_span_masks, options.remove_future_bars = False, True
    bare, spans, _ = _core.encode(ghost.vocab, ghost.grid(score.table), None, None, options)
    assert len(spans) == 0
    assert bare.tolist() == tokens.tolist()


def test_microtiming_of_free_playing():
    expressive = make_tokenizer("expressive")
    notes = [Note(60, 77, 0, 300), Note(64, 77, 55, 300), Note(67, 90, 130, 200), Note(72, 90, 479, 100, 120)]
    score = Score([Track([Bar(notes), Bar([]), Bar([]), Bar([])], 0)])
    expected = """0 727 729 18 170 20 61 897 904 770 733 895 956 23 918 930 38 667 234 308 399 724 238 308 401
    680 723 241 306 409 725 246 303 24 23 918 928 38 24 23 918 928 38 24 23 918 928 38 24 22"""
    assert expressive.encode(score, Options(genre=16)) == ids_of(expressive, expected)
    decoded = [[n.pitch, n.velocity, n.onset_ticks, n.duration_ticks, n.delta] for n in
               expressive.decode(ids_of(expressive, expected)).tracks[0].bars[0].notes]  # fmt: skip
    assert decoded == [
        [60, 77, 0, 1120, 0],
        [64, 77, 213, 1120, 640],
        [67, 90, 520, 800, 0],
        [72, 90, 1826, 320, 1280],
    ]
    off = expressive.encode(score, Options(use_velocity=0, use_microtiming=0))
    assert words(expressive, off).startswith("PieceStart:0 UseVelocity:0 UseMicrotiming:0 NumBars:0")
    assert not {"VelocityLevel", "Delta"} & {w.split(":")[0] for w in words(expressive, off).split()}


def test_deltas_on_the_grid_have_a_sign_and_a_largest_size():
    expressive = make_tokenizer("expressive")
    bar = Bar([Note(60, 77, 6, 3, -4), Note(62, 77, 6, 3, 11)])
    score = Score([Track([bar, Bar([]), Bar([]), Bar([])], 0)], resolution=12)
    text = words(expressive, expressive.encode(score, compute_attributes=False))
    assert "DeltaDirection:0 Delta:4 NoteOnset:60" in text
    assert "Delta:5 NoteOnset:62" in text


def test_q2_onsets_are_cut_not_rounded():
    notes = np.array([[39, 39, 60, 90, 0], [479, 1919, 60, 90, 0], [1919, 80, 60, 90, 0]], np.int32)
    table = _core.ScoreTable(notes, [[0, 4, 4, 0]], [[0, 0, 0]], 480)
    assert _core.grid_table(table, 12).notes[:, :2].tolist() == [[0, 1], [11, 47], [47, 2]]
    kept = _core.grid_table(table, 12, True)
    assert kept.notes[:, 4].tolist() == [12, 12, 12]
    assert table.notes.tolist() == notes.tolist()


def test_m23_simultaneous_notes_are_sorted_by_pitch_and_stay_in_order():
    yellow = make_tokenizer("yellow")
    notes = [Note(60 + i % 3, 100, 0, 1 + i) for i in range(30)]
    score = Score([Track([Bar(notes), *(Bar([]) for _ in range(3))], 0)], resolution=12)
    text = words(yellow, yellow.encode(score, compute_attributes=False)).split()
    lengths = [int(w.split(":")[1]) for w in text if w.startswith("NoteDuration")]
    assert lengths == [*range(0, 30, 3), *range(1, 30, 3), *range(2, 30, 3)]


def test_m21_silent_notes_are_not_written():
    yellow = make_tokenizer("yellow")
    score = Score(
        [Track([Bar([Note(60, 0, 0, 120), Note(64, 90, 480, 120)]), *(Bar([]) for _ in range(3))], 0)]
    )
    text = words(yellow, yellow.encode(score))
    assert "NoteOnset:60" not in text
    assert "TimeAbsolutePos:12 VelocityLevel:22 NoteOnset:64" in text


def test_values_beyond_their_domain_are_counted():
    yellow = make_tokenizer("yellow")
    notes = [[0, 96, 60, 90, 0], [0, 97, 62, 90, 0], [500, 12, 64, 90, 0]]
    table = _core.ScoreTable(notes, [[0, 4, 4, 0]], [[0, 0, 0]], 12)
    tokens, _spans, saturated = _core.encode(yellow.vocab, table, options=Options(window_bars=4))
    assert saturated == 2
    assert "TimeAbsolutePos:191" in words(yellow, tokens)


def test_m17_a_narrow_pitch_range_counts_from_its_lowest_pitch():
    config = EncoderConfig.from_dict({"resolution": 12, "pitch_range": [21, 108], "time_signatures": ["4/4"]})
    narrow = Tokenizer(config)
    score = Score([Track([Bar([Note(21, 90, 0, 120), Note(108, 90, 480, 120)])], 0)])
    ids = narrow.encode(score)
    assert "NoteOnset:0" in words(narrow, ids) and "NoteOnset:87" in words(narrow, ids)
    assert [n.pitch for n in narrow.decode(ids).tracks[0].bars[0].notes] == [21, 108]


# M18: a section without its placeholder; M19: a window the model does not know.
@pytest.mark.parametrize(
    ("options", "message"),
    [
        pytest.param(
            {"multi_fill": [(0, 2)], "partial_track": 0, "partial_bars": 2},
            "bar 2 of track 0",
            id="m18 cut off",
        ),
        pytest.param(
            {"multi_fill": [(0, 1)], "hidden_bars": [(0, 1)], "remove_future_bars": True},
            "bar 1 of track 0",
            id="m18 removed",
        ),
        pytest.param({"window_bars": 5}, "5 bars at a time", id="m19 window of five bars"),
    ],
)
def test_m18_options_that_contradict_each_other_are_refused(options, message):
    with pytest.raises(VocabularyError, match=message):
        make_tokenizer("ghost").encode(score_a(), Options(**options))


def test_infill_needs_its_tokens():
    plain = Tokenizer(EncoderConfig.from_dict({"resolution": 12, "time_signatures": ["4/4", "3/4", "6/8"]}))
    with pytest.raises(ValueError, match="no tokens for filling in bars"):
        plain.encode(score_a(), Options(multi_fill=[(0, 0)]))


def test_m19_a_metre_the_model_lacks_is_named():
    odd = Score([Track([Bar([], 19, 16) for _ in range(4)], 0)])
    with pytest.raises(VocabularyError, match="19/16"):
        make_tokenizer("ghost").encode(odd)


def test_a_bar_that_does_not_exist_has_no_block():
    yellow = make_tokenizer("yellow")
    ids = yellow.encode(score_a(), Options(multi_fill=[(5, 0), (0, 9)]))
    assert ids[0] == 1
    assert ids[1:] == yellow.encode(score_a())[1:]


def test_attribute_columns_must_fit(pocket):
    table = pocket.grid(score_a().table)
    with pytest.raises(VocabularyError, match="one column per slot"):
        _core.encode(pocket.vocab, table, np.zeros((2, 3), np.int16), None, Options(window_bars=4))


def test_q1_attributes_are_written_in_their_fixed_order(pocket):
    table = pocket.grid(score_a().table)
    track = np.full((2, len(pocket.vocab.track_slots)), 3, np.int16)
    bars = np.full((8, len(pocket.vocab.bar_slots)), 200, np.int16)
    bars[1:] = -1
    tokens, _spans, _ = _core.encode(pocket.vocab, table, track, bars, Options(window_bars=4))
    text = words(pocket, tokens)
    order = [f"{name}:3" for name in pocket.vocab.track_slots]
    first_bar = "Bar BarLevelOnsetDensity:9 BarLevelOnsetPolyphonyMax:9 TimeSig:0"
    assert f"Instrument:27 {' '.join(order)} {first_bar}" in text
    assert text.count("BarLevelOnsetDensity") == 1


def test_stored_attributes_are_written_without_measuring():
    yellow = make_tokenizer("yellow")
    score = score_a()
    score.tracks[0].attributes.update(note_density=4, max_polyphony=77, unknown=3)
    before = form_of(score)
    text = words(yellow, yellow.encode(score, compute_attributes=False))
    assert "Instrument:27 MaxPolyphony:9 NoteDensity:4 Bar" in text
    assert "MaxPolyphony:0" in words(yellow, yellow.encode(score))
    assert form_of(score) == before


def test_explain_says_where_and_what():
    yellow = make_tokenizer("yellow")
    rows = yellow.explain(yellow.encode(score_a(), Options(multi_fill=[(1, 1)])))
    bass = next(row for row in rows if row.type == "NoteOnset")
    assert (bass.track, bass.bar, bass.text) == (0, 0, "E2")
    words_used = {"6/8", "4 bars", "velocity 101 (ff)", "this bar is filled in below", "Closed Hi-Hat"}
    assert words_used <= {row.text for row in rows}
    assert (rows[-1].track, rows[-1].bar, rows[-1].text) == (1, 1, "the filled-in bar ends")
    assert str(rows[0]).split()[:3] == ["0", "1", "PieceStart:1"]


def test_reference_options_are_understood():
    row = next(
        row for row in reference("golden_tokens.json") if "partial_encode_track_index" in row["options"]
    )
    assert options_from(row["options"]).partial_track == row["options"]["partial_encode_track_index"]
