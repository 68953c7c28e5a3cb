"""Attributes where the published models fix the value, and where this package mends the reference.

A test per row of the table in docs/reference-differences.md that has no home of its own.
"""

from __future__ import annotations

import numpy as np
import pytest

from midigpt_nb import _core
from midigpt_nb.attributes import AttributeAnalyzer
from midigpt_nb.errors import EncoderConfigError
from midigpt_nb.score.model import Bar, Note, Score, Track


def analyzer_of(*controls, formulas="compatible"):
    return AttributeAnalyzer.from_config(
        {"attribute_controls": [dict(c) for c in controls], "attribute_formulas": formulas}
    )


BAR_MAX = {"name": "polyphony_quantile", "params": {"mode": "max", "level": "bar"}}


def test_d1_a_wish_for_a_bar_is_compared_with_that_bar(table):
    analyzer = analyzer_of(BAR_MAX)
    piece = table((0, False, [[(0, 24, 60 + 4 * i) for i in range(voices)] for voices in (1, 2, 3, 4)]))
    report = analyzer.report(piece, 0, {"bar_attributes": {2: {"max_polyphony": 2}}})
    assert [bar["bar_max_polyphony"]["achieved"] for bar in report["bars"]] == [None, None, True, None]
    assert [bar["bar_max_polyphony"]["realized"] for bar in report["bars"]] == [0, 1, 2, 3]


def test_d21_stored_values_do_not_change_what_is_measured():
    analyzer = analyzer_of({"name": "pitch_range"}, {"name": "key_signature"}, BAR_MAX)
    score = Score([Track([Bar([Note(60, 90, 0, 12), Note(67, 90, 0, 12)])])], resolution=12)
    before = (analyzer.compute_track_tokens(score, 0), analyzer.compute_bar_tokens(score, 0, 0))
    score.tracks[0].attributes.update(pitch_range=99, key_signature=11, bar_BarLevelOnsetPolyphonyMax_0=9)
    assert (analyzer.compute_track_tokens(score, 0), analyzer.compute_bar_tokens(score, 0, 0)) == before


def test_d26_pitches_and_onsets_beyond_the_bar_are_measured(table):
    analyzer = analyzer_of({"name": "pitch_range"}, {"name": "note_density"})
    piece = table((0, False, [((3, 8), [(0, 6, 30), (40, 6, 90)])]))
    assert analyzer.track_values(piece, 0) == {"pitch_range": 60, "note_density": 2}


def test_m20_attributes_say_which_tracks_they_are_for(table):
    analyzer = analyzer_of({"name": "pitch_range"}, {"name": "note_density_quantile"}, {"name": "nomml"})
    assert analyzer.attribute_track_types() == {
        "pitch_range": "melodic",
        "note_density": "drum",
        "nomml": "both",
    }
    duo = table((0, False, [[(0, 6, 60)]]), (0, True, [[(0, 6, 36)]]))
    assert [list(analyzer.track_values(duo, track)) for track in (0, 1)] == [
        ["pitch_range", "nomml"],
        ["note_density", "nomml"],
    ]
    assert list(analyzer.report(duo, 1)["track"]) == ["note_density", "nomml"]


def test_m22_every_bar_written_anew_leaves_the_full_range(table):
    analyzer = analyzer_of({"name": "polyphony_quantile", "params": {"mode": "min"}})
    piece = table((0, False, [[(0, 48, 60), (0, 48, 64)]] * 2))
    assert analyzer.achievable_range("min_polyphony", piece, 0, [0, 1]) == (0, 9)
    assert analyzer.achievable_range("min_polyphony", piece, 7, [0]) == (0, 9)


@pytest.mark.parametrize(
    "control",
    [
        {"name": "note_duration_quantile", "params": {"mode": "min", "level": "bar"}},
        {"name": "note_duration_quantile", "params": {"mode": "max", "level": "bar"}},
        {"name": "silence_proportion", "params": {"level": "bar"}},
        {"name": "pitch_class_set", "params": {"level": "track"}},
    ],
    ids=lambda control: f"{control['name']} {control['params']['level']}",
)
def test_m25_attributes_without_tokens_are_left_out_and_named(control):
    with pytest.raises(EncoderConfigError, match=f"attribute '{control['name']}' has no form with"):
        analyzer_of(control)


def test_m25_the_usual_note_length_is_reported_but_has_no_token(table):
    analyzer = analyzer_of({"name": "note_duration_dist"})
    piece = table((0, False, [[(0, 12, 60), (12, 12, 62), (24, 3, 64)]]))
    assert analyzer.token_domain_specs() == [] and analyzer.track_values(piece, 0) == {}
    assert analyzer.report(piece, 0)["track"]["note_duration_dist"]["realized"] == 3
    assert analyzer.get("note_duration_dist").describe(3) == "quarter"


def test_q4_means_go_half_to_even_and_values_are_cut(table):
    density = analyzer_of({"name": "note_density_quantile"})
    for notes, bars, mean in ((5, 2, 2), (7, 2, 4)):  # 2.5 becomes 2, 3.5 becomes 4
        content = [[(0, 1, 36)] * (notes - bars + 1), *[[(0, 1, 36)]] * (bars - 1)]
        thresholds = [2, 3, 5]
        assert density.track_values(table((0, True, content)), 0)["note_density"] == sum(
            mean > t for t in thresholds
        )
    plain = analyzer_of({"name": "note_density"})
    piece = table((0, False, [[(0, 1, 60), (0, 1, 62), (0, 1, 64)], []]))
    assert plain.track_values(piece, 0)["note_density"] == 1  # 1.5 is cut


def test_q7_silence_counts_from_the_start_of_the_window(table):
    bar = [(0, 48, 60)]
    piece = table((0, False, [bar, bar]))
    compatible, exact = (
        analyzer_of({"name": "silence_proportion"}, formulas=f) for f in ("compatible", "exact")
    )
    assert compatible.track_values(piece, 0)["silence_proportion"] == 5
    assert exact.track_values(piece, 0)["silence_proportion"] == 0


def test_q9_the_key_is_that_of_the_whole_window_drums_included(table):
    melody = (0, False, [[(0, 12, 60), (0, 12, 64), (0, 12, 67)]])
    drums = (0, True, [[(0, 48, 42)] * 9])
    analyzer = analyzer_of({"name": "key_signature"})
    alone = analyzer.track_values(table(melody), 0)["key_signature"]
    together = analyzer.track_values(table(melody, drums), 0)["key_signature"]
    assert alone == 0 and together != 0


def test_q10_the_rhythmic_grid_is_that_of_the_tokens():
    score = Score([Track([Bar([Note(60, 90, 25, 60), Note(60, 90, 505, 60)])])], resolution=480)
    analyzer = analyzer_of({"name": "nomml"})
    assert analyzer.compute_track_tokens(score, 0) == {"nomml": 12}
    assert analyzer.track_values(_core.grid_table(score.table, 12), 0) == {"nomml": 0}


def test_q11_density_is_for_drums_unless_asked_otherwise(table):
    piece = table((0, False, [[(0, 6, 60)]]))
    assert analyzer_of({"name": "note_density_quantile"}).track_values(piece, 0) == {}
    asked = {"name": "note_density_quantile", "params": {"track_type": "both"}}
    assert list(analyzer_of(asked).track_values(piece, 0)) == ["note_density"]


def test_every_level_of_every_attribute_has_words():
    from midigpt_nb.attributes.registry import rows

    for row in rows():
        words = [row.describe(level) for level in range(row.size)]
        assert len(set(words)) == row.size and all(words), row.name
        assert not any(word.isdigit() for word in words), row.name
        assert row.unit and row.doc and row.in_words, row.name


def test_levels_in_words():
    from midigpt_nb.attributes.registry import row_for_entry

    said = {
        ("pitch_range", 12): "12 semitones",
        ("nomml", 3): "triplet 8ths",
        ("nomml", 12): "free timing",
        ("pitch_class_set", 1): "1 pitch class",
        ("key_signature", 21): "A minor",
        ("onset_polyphony", 3): "3 notes at once",
        ("note_density", 9): "9 or more notes per bar",
        ("silence_proportion", 5): "50 %",
    }
    assert {key: row_for_entry(key[0]).describe(key[1]) for key in said} == said
    assert np.all([row_for_entry("pitch_range").describe(200) == "200"])
