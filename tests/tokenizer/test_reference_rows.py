"""Where the published models fix what tokens say, and where this package mends it.

A test per row of the table in docs/reference-differences.md that has no home of its own.
"""

from __future__ import annotations

import copy

import numpy as np
import pytest

from midigpt_nb import _core
from midigpt_nb.errors import VocabularyError
from midigpt_nb.score.model import Bar, Note, Score, Track
from midigpt_nb.tokenizer import EncoderConfig, Tokenizer

from .helpers import SCORE_A, form_of, make_tokenizer, reference, score_from, words

Options = _core.EncodeOptions


def score_a(bars=range(4)):
    data = copy.deepcopy(SCORE_A)
    for track in data["tracks"]:
        track["bars"] = [track["bars"][bar] for bar in bars]
    return score_from(data)


def four_bars(*notes, **track):
    return Score([Track([Bar(list(notes)), Bar([]), Bar([]), Bar([])], **track)], resolution=12)


def one_note_table(onset=0, duration=12, delta=0):
    """Four bars on the grid with one note."""
    bars = [[0, 4, 4, 0], *[[1, 4, 4, 0]] * 3]
    return _core.ScoreTable([[onset, duration, 60, 90, delta]], bars, [[0, 0, 0]], 12)


def kinds(tokenizer, ids):
    return [word.split(":")[0] for word in words(tokenizer, ids).split()]


@pytest.mark.parametrize("name", ["yellow", "prism", "expressive", "ghost"])
def test_k2_the_header_of_a_prompt(name):
    tokenizer = make_tokenizer(name)
    infill = tokenizer.encode(score_a(), Options(multi_fill=[(0, 0)], fill_sections=False))
    written = tokenizer.encode(score_a(), Options(partial_track=1, partial_bars=-1))
    header = {
        "expressive": ["PieceStart", "UseVelocity", "UseMicrotiming", "NumBars"],
    }.get(name, ["PieceStart", "NumBars"])
    for ids, value in ((infill, 1), (written, 0)):
        assert kinds(tokenizer, ids)[: len(header)] == header
        assert words(tokenizer, ids).startswith(f"PieceStart:{value} ")
        assert tokenizer.vocab.num_bars(tokenizer.vocab.decode(ids[len(header) - 1])[1]) == 4
    assert kinds(tokenizer, infill)[-1] == "FillInStart"
    assert kinds(tokenizer, written)[-1] == "Instrument"


def test_k4_a_window_has_a_width_the_model_knows():
    ghost = make_tokenizer("ghost")
    for width in (4, 8, 12, 16):
        ids = ghost.encode(Score([Track([Bar([]) for _ in range(width)])]))
        assert f"NumBars:{width // 4 - 1}" in words(ghost, ids)
    with pytest.raises(VocabularyError, match="cannot look at 6 bars at a time; it knows 4, 8, 12, 16"):
        ghost.encode(Score([Track([Bar([]) for _ in range(6)])]))


def test_k8_attributes_describe_the_bars_that_are_filled_in_too():
    yellow = make_tokenizer("yellow")
    plain = yellow.encode(score_a())
    filled = yellow.encode(score_a(), Options(multi_fill=[(0, 0), (0, 1), (1, 0)]))
    attributes = {"MinPolyphony", "MaxPolyphony", "MinNoteDuration", "MaxNoteDuration", "NoteDensity"}
    said = [[row.id for row in yellow.explain(ids) if row.type in attributes] for ids in (plain, filled)]
    assert said[0] == said[1] and len(said[0]) == 5


@pytest.mark.parametrize("name", ["prism", "expressive"])
def test_k11_pitch_classes_are_measured_but_not_written(name):
    tokenizer = make_tokenizer(name)
    score = score_a()
    assert "BarLevelPitchClassSet" not in kinds(tokenizer, tokenizer.encode(score))
    assert tokenizer.analyzer.compute_bar_tokens(score, 0, 0)["BarLevelPitchClassSet"] == 2
    asked = make_tokenizer(name, (("bar", "BarLevelPitchClassSet"),))
    assert kinds(asked, asked.encode(score)).count("BarLevelPitchClassSet") == 4  # melodic bars


def test_d1_bar_attributes_belong_to_their_own_bar_in_every_window():
    prism = make_tokenizer("prism")
    chords = [[Note(60 + 4 * i, 100, 0, 960) for i in range(voices)] for voices in (1, 2, 3, 4, 5, 6)]
    piece = Score([Track([Bar(list(notes)) for notes in chords], 0)])
    window = Score([Track(piece.tracks[0].bars[2:6], 0)])
    _tracks, whole = prism.attribute_arrays(prism.grid(piece.table))
    _tracks, part = prism.attribute_arrays(prism.grid(window.table))
    assert np.array_equal(whole[2:6], part)
    rows = [row for row in prism.explain(prism.encode(window)) if row.type == "BarLevelOnsetPolyphonyMax"]
    assert [(row.bar, row.text) for row in rows] == [
        (bar, f"max polyphony: {bar + 3} voices") for bar in range(4)
    ]


def test_d21_what_an_earlier_result_stored_is_not_measured_again():
    yellow = make_tokenizer("yellow")
    clean = yellow.decode(yellow.encode(score_a()))
    stale = yellow.decode(yellow.encode(score_a()))
    stale.tracks[0].attributes.update(note_density=9, max_polyphony=9, min_polyphony=9)
    for before, after in zip(
        yellow.attribute_arrays(yellow.grid(clean.table)),
        yellow.attribute_arrays(yellow.grid(stale.table)),
        strict=True,
    ):
        assert np.array_equal(before, after)


def test_d26_a_pitch_outside_the_range_is_counted_and_named():
    narrow = Tokenizer(
        EncoderConfig.from_dict({"resolution": 12, "pitch_range": [40, 80], "time_signatures": ["4/4"]})
    )
    score = four_bars(Note(60, 90, 0, 12), Note(20, 90, 0, 12), Note(100, 90, 12, 12))
    assert narrow.encode_full(score).saturated == 2
    with pytest.raises(
        VocabularyError, match=r"track 0, bar 0: pitch 20 .* this model has 40\.\.80; 2 values"
    ):
        narrow.encode(score, Options(out_of_range="error"))


def test_d26_a_note_beyond_its_bar_is_written_not_dropped():
    yellow = make_tokenizer("yellow")
    score = Score([Track([Bar([Note(57, 90, 47, 3)], 6, 8), *(Bar([]) for _ in range(3))])], resolution=12)
    full = yellow.encode_full(score, Options(out_of_range="error"))
    assert "TimeAbsolutePos:47" in words(yellow, full.tokens) and full.saturated == 0
    assert [n.onset_ticks for n in yellow.decode(full.tokens, False).tracks[0].bars[0].notes] == [47]


OUTSIDE = {
    "duration": ({"duration": 97}, r"track 0, bar 0: duration 97 .* 1\.\.96"),
    "no duration": ({"duration": 0}, r"duration 0 .* 1\.\.96"),
    "position": ({"onset": 192}, r"position 192 .* 0\.\.191"),
    "microtiming": ({"delta": -7}, r"microtiming 7 .* 0\.\.5"),
}


@pytest.mark.parametrize("case", OUTSIDE)
def test_values_outside_their_domain_are_errors_when_asked(case):
    changes, message = OUTSIDE[case]
    expressive = make_tokenizer("expressive")
    score = one_note_table(**changes)
    assert expressive.encode_full(score).saturated == 1
    with pytest.raises(VocabularyError, match=message):
        expressive.encode(score, Options(out_of_range="error"))


def test_a_genre_outside_is_an_error_when_asked():
    prism = make_tokenizer("prism")
    with pytest.raises(VocabularyError, match="the piece: genre 18"):
        prism.encode(four_bars(), Options(genre=18, out_of_range="error"))
    with pytest.raises(ValueError, match="must be 'saturate' or 'error'"):
        Options(out_of_range="raise")


@pytest.mark.parametrize("compute", [True, False])
def test_m12_encoding_leaves_the_callers_score_alone(compute):
    yellow = make_tokenizer("yellow")
    on_grid = yellow.normalize_input(score_a())
    on_grid.tracks[0].attributes["max_polyphony"] = 7
    before = form_of(on_grid)
    yellow.encode(on_grid, compute_attributes=compute)
    assert form_of(on_grid) == before


def test_m19_errors_list_what_the_model_knows():
    with pytest.raises(RuntimeError, match=r"19/16 is not known to this model; it knows 1/2, 1/4"):
        make_tokenizer("yellow").encode(Score([Track([Bar([], 19, 16) for _ in range(4)])]))
    with pytest.raises(ValueError, match="it knows 4, 8"):
        make_tokenizer("yellow").encode(four_bars(), Options(window_bars=12))


def test_m25_a_note_length_before_the_bars_is_no_attribute():
    yellow = make_tokenizer("yellow")
    ids = [
        yellow.vocab.encode(_core.TokenType[name], value)
        for name, value in (("Track", 0), ("NoteDuration", 3))
    ]
    assert yellow.decode(ids).tracks[0].attributes == {}


def test_q3_microtiming_read_from_a_file_is_late_and_stops_at_5():
    expressive = make_tokenizer("expressive")
    notes = [Note(60 + i, 90, 40 * i + late, 40) for i, late in enumerate((0, 8, 16, 24, 39))]
    score = Score([Track([Bar(notes), Bar([]), Bar([]), Bar([])], 0)])
    rows = expressive.explain(expressive.encode(score))
    assert not any(row.type == "DeltaDirection" for row in rows)
    assert [row.value for row in rows if row.type == "Delta"] == [2, 5, 5, 5]


def test_q4_the_three_roundings_differ():
    # Onsets and durations are cut, microtiming goes half to even: 4.5 becomes 4, 7.5 becomes 8.
    table = _core.ScoreTable([[55, 55, 60, 90, 0], [65, 65, 60, 90, 0]], [[0, 4, 4, 0]], [[0, 0, 0]], 480)
    grid = _core.grid_table(table, 12, True)
    assert grid.notes[:, [0, 1, 4]].tolist() == [[1, 1, 4], [1, 1, 8]]


def test_q5_a_velocity_is_written_anew_in_every_bar():
    yellow = make_tokenizer("yellow")
    bars = [Bar([Note(60, 90, 0, 12), Note(62, 90, 12, 12)]) for _ in range(4)]
    rows = yellow.explain(yellow.encode(Score([Track(bars)], resolution=12)))
    assert [row.bar for row in rows if row.type == "VelocityLevel"] == [0, 1, 2, 3]


def test_q11_density_is_said_of_drums_only():
    yellow = make_tokenizer("yellow")
    rows = yellow.explain(yellow.encode(score_a()))
    assert [row.track for row in rows if row.type == "NoteDensity"] == [1]
    assert yellow.analyzer.attribute_track_types()["note_density"] == "drum"


@pytest.mark.parametrize("name", ["prism", "expressive"])
def test_q12_a_listed_vocabulary_keeps_its_own_order(name):
    data = reference(f"configs/{name}.json")
    listed = Tokenizer(EncoderConfig.from_dict(data)).vocab
    del data["token_domains"]
    derived = Tokenizer(EncoderConfig.from_dict(data)).vocab
    assert listed.domains[1] == ("Genre", 18)
    assert sorted(listed.domains) == sorted(derived.domains)
    assert derived.domains != listed.domains


def test_options_have_the_names_of_the_published_package_too():
    options = Options()
    options.partial_encode_track_index, options.partial_encode_track_bars = 1, 2
    options.multi_fill = {(0, 1)}
    assert (options.partial_track, options.partial_bars, options.multi_fill) == (1, 2, [(0, 1)])
