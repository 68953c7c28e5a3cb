"""Single formulas on tables small enough to count by hand."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from midigpt_nb.attributes import Bins
from midigpt_nb.attributes.key import best_key
from midigpt_nb.attributes.quantile import histogram_quantile, quantile
from midigpt_nb.attributes.registry import row_for_entry, rows
from midigpt_nb.attributes.timing import metric_depths
from midigpt_nb.attributes.view import Settings, WindowView

MIN, MAX = {"mode": "min"}, {"mode": "max"}
BAR_MAX = {"mode": "max", "level": "bar"}


def value(table, entry, params=None, *, formulas="compatible", track=0, bars=None, groups=None):
    row = row_for_entry(entry, params)
    view = WindowView(table, Settings(formulas, Settings.merged(groups))).track(track, bars)
    measured = row.measure(view)
    quantized = row.quantize(measured)
    return measured, (quantized.tolist() if isinstance(quantized, np.ndarray) else quantized)


@pytest.mark.parametrize(
    ("values", "fraction", "expected"),
    [
        pytest.param([], 0.15, 0, id="nothing gives 0"),
        pytest.param([7], 0.85, 7, id="one value is every quantile"),
        pytest.param(range(10), 0.15, 2, id="1.5 rounds to the even 2"),
        pytest.param(range(10), 0.85, 8, id="8.5 rounds to the even 8"),
        pytest.param(range(3), 0.85, 2, id="2.55 rounds to 3 and stays inside"),
    ],
)
def test_q4_quantile(values, fraction, expected):
    values = np.array(list(values), dtype=int)
    assert quantile(values[::-1], fraction) == expected
    counts = np.bincount(values, minlength=12)[None]
    assert histogram_quantile(counts, fraction).tolist() == [expected]


def test_q7_silence_repeats_the_wrong_origin_of_the_published_models(table):
    piece = table((0, False, [[(0, 12, 60), (0, 12, 64), (12, 24, 60)], [(3, 6, 60)], [], [(47, 10, 60)]]))
    assert value(piece, "silence_proportion") == (0.8125, 8)


def test_exact_silence_counts_ringing_notes_and_every_bar_from_its_own_start(table):
    piece = table((0, False, [[(0, 12, 60), (12, 24, 60)], [(3, 6, 60)], [], [(47, 10, 60)]]))
    raw, quantized = value(piece, "silence_proportion", formulas="exact")
    assert raw == (12 + 42 + 48 + 47) / 192
    assert quantized == 7
    held = table((0, False, [[(36, 36, 60)], []]))
    assert value(held, "silence_proportion", formulas="exact")[0] == (36 + 24) / 96


def test_exact_silence_lets_a_drum_hit_sound_a_sixteenth_inside_its_bar(table):
    drums = table((0, True, [[(0, 96, 36), (46, 96, 36)], []]))
    assert value(drums, "silence_proportion", formulas="exact")[0] == (96 - 3 - 2) / 96


def test_ringing_is_followed_only_between_bars_looked_at(table):
    half = (2, 4)
    piece = table((0, False, [(half, [(0, 72, 60)]), (half, [(0, 24, 62)]), (half, [])]))
    # Bars 0 and 2: the long note sounds in both; the note of bar 1 is not seen.
    assert value(piece, "silence_proportion", formulas="exact", bars=[0, 2])[0] == 0
    assert value(piece, "polyphony_quantile", MAX, formulas="exact", bars=[0, 2]) == (1, 0)
    # Bar 2 alone holds no note of its own, so nothing sounds there.
    assert value(piece, "silence_proportion", formulas="exact", bars=[2])[0] == 1
    assert value(piece, "polyphony_quantile", MAX, formulas="exact", bars=[0, 1]) == (2, 1)


@pytest.mark.parametrize(
    ("formulas", "expected"),
    [
        pytest.param("compatible", 0, id="its last tick never counts"),
        pytest.param("exact", 2, id="exact: it counts"),
    ],
)
def test_q8_a_chord_of_one_tick_at_the_end(table, formulas, expected):
    piece = table((0, False, [[(47, 1, 60), (47, 1, 64), (47, 1, 67)]]))
    assert value(piece, "polyphony_quantile", MAX, formulas=formulas)[1] == expected
    assert value(piece, "polyphony_quantile", BAR_MAX, formulas=formulas)[1] == [expected]


def test_bar_polyphony_ignores_sound_carried_over(table):
    piece = table((0, False, [[(0, 96, 60), (0, 96, 64)], [(0, 48, 67)]]))
    assert value(piece, "polyphony_quantile", BAR_MAX, formulas="exact")[1] == [1, 0]
    assert value(piece, "polyphony_quantile", MAX, formulas="exact")[1] == 2


def test_bars_of_different_metre_keep_their_own_length(table):
    piece = table((0, False, [((3, 4), [(0, 48, 60)]), ((7, 8), [(41, 1, 60), (41, 1, 62)]), ((2, 4), [])]))
    assert value(piece, "polyphony_quantile", BAR_MAX, formulas="exact")[1] == [0, 1, 0]
    # 3/4 = 36, 7/8 = 42, 2/4 = 24 ticks; the first note rings 12 ticks into the second bar.
    assert value(piece, "silence_proportion", formulas="exact")[0] == (42 - 12 - 1 + 24) / 102


def test_exact_durations_are_cut_at_what_the_grid_can_hold(table):
    piece = table((0, False, [[(0, 500, 60)], [], [], []]))
    assert value(piece, "silence_proportion", formulas="exact")[0] == 0.5


@pytest.mark.parametrize(
    ("duration", "step"),
    [(2, 0), (3, 1), (5, 1), (6, 2), (11, 2), (12, 3), (23, 3), (24, 4), (47, 4), (48, 5), (96, 5)],
)
def test_note_length_steps(table, duration, step):
    piece = table((0, False, [[(0, duration, 60)]]))
    assert value(piece, "note_duration_quantile", MIN) == (step, step)
    assert value(piece, "note_duration_quantile", MAX) == (step, step)


@pytest.mark.parametrize("notes", [2, 3, 5, 8, 10, 12, 15, 18, 26, 27])
def test_drum_density_levels(table, notes):
    thresholds = [2, 3, 5, 8, 10, 12, 15, 18, 26]
    expected = sum(notes > limit for limit in thresholds)
    bar = [(i, 1, 36) for i in range(notes)]
    # Empty bars do not thin out the mean, but have a level of their own.
    piece = table((0, True, [bar, []]))
    assert value(piece, "note_density_quantile") == (expected, expected)
    assert value(piece, "note_density_quantile", {"level": "bar"})[1] == [expected, 0]


def test_exact_density_uses_the_program_that_stands_for_the_group(table):
    bar = [(i, 1, 60) for i in range(3)]
    piece = table((1, False, [bar]))
    plain = value(piece, "note_density_quantile", groups=[[0, 1, 2]])
    grouped = value(piece, "note_density_quantile", formulas="exact", groups=[[0, 1, 2]])
    assert (plain[1], grouped[1]) == (0, 1)  # three notes: level 0 for program 1, level 1 for program 0
    assert value(piece, "note_density_quantile", {"level": "bar"}, formulas="exact", groups=[[0, 1, 2]])[
        1
    ] == [1]


def test_key_of_scales():
    c_major = np.array([4, 0, 2, 0, 3, 2, 0, 3, 0, 2, 0, 1])
    assert best_key(c_major) == 0
    assert best_key(np.roll(c_major, 7)) == 7
    a_minor = np.array([3, 0, 1, 0, 3, 1, 0, 0, 1, 4, 0, 1])
    assert best_key(a_minor) == 12 + 9
    assert best_key(np.zeros(12)) == 24


def test_q9_exact_key_leaves_drums_out_and_is_the_same_on_all_tracks(table):
    scale = [(4 * i, 4, pitch) for i, pitch in enumerate([60, 62, 64, 65, 67, 69, 71, 72])]
    drums = [(i, 48, 42) for i in range(30)]
    piece = table((0, False, [scale]), (0, True, [drums]), (40, False, [[]]))
    exact = [value(piece, "key_signature", formulas="exact", track=t)[1] for t in range(3)]
    assert exact == [0, 0, 0]
    assert value(piece, "key_signature")[1] != 0


def test_key_of_chosen_cells_only(table):
    c = [(0, 12, 60), (0, 12, 64), (0, 12, 67)]
    f_sharp = [(0, 12, 66), (0, 12, 70), (0, 12, 73)]
    piece = table((0, False, [c, f_sharp]), (0, False, [c, f_sharp]))
    row = row_for_entry("key_signature")
    window = WindowView(piece, Settings("exact"))
    assert row.measure(window.track(0, cells={0: [0], 1: [0]})) == 0
    assert row.measure(window.track(0, cells={1: [1]})) == 6
    assert row.measure(window.track(0, cells={})) == 24


def test_metric_depths_repeat_every_two_quarters():
    depths = [0, 7, 5, 4, 3, 7, 2, 7, 1, 4, 5, 7, 0, 7, 5, 4, 1, 7, 2, 7, 3, 4, 5, 7]
    assert metric_depths(np.arange(48), 12).tolist() == depths * 2
    at_480 = {0: 0, 240: 2, 120: 4, 60: 6, 30: 8, 15: 10, 320: 1, 160: 3, 80: 5, 40: 7, 20: 9, 10: 11, 24: 12}
    assert metric_depths(np.array(list(at_480)), 480).tolist() == list(at_480.values())


def test_q10_a_stored_metric_depth_wins_over_the_grid(table):
    piece = table((0, False, [[(0, 1, 60)]]))
    row = row_for_entry("nomml")
    window = WindowView(piece)
    assert row.measure(window.track(0)) == 0
    assert row.measure(window.track(0, stored={"_nomml_raw": 11})) == 11


def test_an_empty_track_has_a_value_for_everything(table):
    piece = table((0, False, [[], []]))
    expected = {
        "pitch_range": 0,
        "key_signature": 24,
        "silence_proportion": 9,
        "nomml": 12,
        "note_duration_dist": 3,
    }
    for formulas in ("compatible", "exact"):
        for name, empty in expected.items():
            assert value(piece, name, formulas=formulas)[1] == empty
        assert value(piece, "polyphony_quantile", MAX, formulas=formulas)[1] == 0
        assert value(piece, "polyphony_quantile", BAR_MAX, formulas=formulas)[1] == [0, 0]
        assert value(piece, "note_duration_quantile", MIN, formulas=formulas)[1] == 0


def test_a_track_without_bars_does_not_break(table):
    piece = table((0, False, []))
    for formulas in ("compatible", "exact"):
        assert value(piece, "silence_proportion", formulas=formulas)[1] == 0
        assert value(piece, "note_density")[1] == 0
        assert value(piece, "polyphony_quantile", BAR_MAX, formulas=formulas)[1] == []


def test_bins():
    edges = Bins.edges(1, 2, 4)
    assert edges.size == 4
    assert np.asarray(edges.quantize(np.array([0.5, 1, 3, 9]))).tolist() == [0, 1, 2, 3]
    with pytest.raises(ValueError, match="rising order"):
        Bins.edges(2, 1)


@pytest.mark.parametrize("row", rows(), ids=lambda row: f"{row.name}-{row.level}")
def test_every_value_of_the_table_has_a_raw_number_of_that_value(row):
    raw = [row.dequantize(level) for level in range(row.size)]
    assert all(type(number) is float for number in raw)
    assert [row.quantize(number) for number in raw] == list(range(row.size))
    assert row.quantize(np.array(raw)).tolist() == list(range(row.size))


def test_raw_numbers_of_a_users_bins():
    edges = Bins.edges(0.5, 4, 1e300)
    assert [int(edges.quantize(edges.raw(level))) for level in range(4)] == [0, 1, 2, 3]
    voices = Bins.whole(3, first=1)
    assert [voices.raw(level) for level in range(3)] == [1.0, 2.0, 3.0]


@pytest.mark.parametrize("level", [-1, 13, 2.0, True, "3"])
def test_a_raw_number_for_a_value_that_does_not_exist_is_an_error(level):
    with pytest.raises(ValueError, match=r"attribute 'nomml': value is .*; allowed: 0\.\.12"):
        row_for_entry("nomml").dequantize(level)


def test_bins_without_raw_numbers_say_how_to_give_them():
    row = dataclasses.replace(row_for_entry("nomml"), name="own", bins=Bins(4, int))
    with pytest.raises(ValueError, match="attribute 'own': its bins say no raw number for value 2"):
        row.dequantize(2)
