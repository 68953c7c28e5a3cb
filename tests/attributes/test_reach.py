"""Which levels are still within reach: whatever is written, the measured level lies inside the range."""

from __future__ import annotations

import time

import numpy as np
import pytest

from midigpt_nb.attributes import AttributeAnalyzer, available
from midigpt_nb.attributes.reach import mixed_quantile
from midigpt_nb.attributes.registry import rows

from .conftest import build_table

METRES = [(4, 4), (3, 4), (6, 8), (7, 8)]
EVERY = [
    {"name": row.entry, "params": {**row.params, **({"track_type": "both"} if row.params else {})}}
    for row in rows()
    if row.entry != "note_density_quantile" or row.params["level"] == "bar"
]


def analyzer_of(formulas, controls):
    return AttributeAnalyzer.from_config({"attribute_controls": controls, "attribute_formulas": formulas})


def some_notes(rng, metre, kind):
    length = 48 * metre[0] // metre[1]
    count = int(rng.choice([0, 1, 3, 8, 40]))
    if kind == "wild":
        notes = np.stack(
            [rng.integers(0, length, count), rng.integers(1, 97, count), rng.integers(0, 128, count)], axis=1
        )
    else:  # dense chords, or a thin line of short notes
        chord, step = (4, 3) if rng.random() < 0.5 else (1, 1)
        notes = [[t, step, 60 + 5 * i] for t in range(0, length, step) for i in range(chord)][:count]
    return [tuple(int(x) for x in note) for note in notes]


def some_piece(rng, n_bars):
    metres = [METRES[int(i)] for i in rng.integers(0, len(METRES), n_bars)]
    tracks = [
        (int(rng.integers(0, 128)), drum, [(m, some_notes(rng, m, "wild")) for m in metres])
        for drum in (False, True)
    ]
    return metres, tracks


@pytest.mark.parametrize("formulas", ["compatible", "exact"])
@pytest.mark.parametrize("whole_track", [True, False])
def test_m22_nothing_written_leaves_the_range(formulas, whole_track):
    density = [{"name": "note_density_quantile", "params": {"track_type": "both"}}]
    analyzers = [analyzer_of(formulas, EVERY), analyzer_of(formulas, density)]
    rng = np.random.default_rng(22)
    moved = set()
    for _round in range(20):
        metres, tracks = some_piece(rng, int(rng.integers(1, 7)))
        targets = {track: [bar for bar in range(len(metres)) if rng.random() < 0.5] for track in (0, 1)}
        before = build_table(*tracks)
        ranges = [analyzer.reachable(before, targets, whole_track=whole_track) for analyzer in analyzers]
        for kind in ("wild", "dense"):
            for track, bars in targets.items():
                for bar in bars:
                    tracks[track][2][bar] = (metres[bar], some_notes(rng, metres[bar], kind))
            after = build_table(*tracks)
            for analyzer, reach in zip(analyzers, ranges, strict=True):
                for track, bars in targets.items():
                    moved |= check(analyzer, reach, after, track, bars, whole_track)
    assert {"note_density", "max_polyphony", "silence_proportion", "bar_note_density", "nomml"} <= moved


def check(analyzer, reach, after, track, bars, whole_track):
    """Assert that every value lies in its range; gives the names with a range of more than one value."""
    moved = set()
    looked_at = None if whole_track or not bars else bars
    view = analyzer.view(after).track(track, looked_at)
    for row in analyzer.attributes:
        if not row.applies_to(view.is_drum):
            assert reach.range(row.name, track, 0) is None
            continue
        if row.level == "track":
            values = [min(row.quantize(row.measure(view)), row.size - 1)] * view.n_bars
        else:
            whole = analyzer.view(after).track(track)
            values = np.minimum(row.quantize(row.measure(whole)), row.size - 1).tolist()
        for bar, value in enumerate(values):
            low, high = reach.range(row.name, track, bar)
            assert 0 <= low <= value <= high < row.size, (row.name, track, bar, value, (low, high), bars)
            if low < high:
                moved.add(row.name)
        assert reach.allows(row.name, track, range(view.n_bars), values[0]) or row.level == "bar"
    return moved


def test_m22_bars_that_stay_have_their_own_level(table):
    analyzer = analyzer_of(
        "exact", [{"name": "polyphony_quantile", "params": {"mode": "max", "level": "bar"}}]
    )
    piece = table((0, False, [[(0, 48, 60)], [(0, 48, 60), (0, 48, 64)], [(0, 48, 60)]]))
    reach = analyzer.reachable(piece, {0: [0]})
    assert [reach.range("bar_max_polyphony", 0, bar) for bar in range(3)] == [(0, 9), (1, 1), (0, 0)]
    assert reach.allows("bar_max_polyphony", 0, [0, 1], 1)
    assert not reach.allows("bar_max_polyphony", 0, [0, 1], 2)


def test_m22_a_track_is_judged_as_a_whole_or_by_what_is_written(table):
    analyzer = analyzer_of("exact", [{"name": "polyphony_quantile", "params": {"mode": "max"}}])
    chord = [(0, 48, 60), (0, 48, 64), (0, 48, 67)]
    piece = table((0, False, [chord, chord, chord, []]))
    assert analyzer.reachable(piece, {0: [3]}).range("max_polyphony", 0, 0) == (2, 9)
    assert analyzer.reachable(piece, {0: [3]}, whole_track=False).range("max_polyphony", 0, 0) == (0, 9)
    assert analyzer.reachable(piece, {}).range("max_polyphony", 0, 0) == (2, 2)


def test_m22_the_key_can_change_as_long_as_any_bar_is_written(table):
    analyzer = analyzer_of("exact", [{"name": "key_signature"}])
    scale = [(4 * i, 4, pitch) for i, pitch in enumerate([60, 62, 64, 65, 67, 69, 71])]
    piece = table((0, False, [scale]), (0, False, [[]]))
    own = analyzer.track_values(piece, 0)["key_signature"]
    assert analyzer.reachable(piece, {}).range("key_signature", 1, 0) == (own, own)
    assert analyzer.reachable(piece, {1: [0]}).range("key_signature", 0, 0) == (0, 23)
    assert analyzer.reachable(piece, {0: [0]}).range("key_signature", 1, 0) == (0, 24)


def test_targets_must_exist(table):
    analyzer = analyzer_of("exact", [{"name": "pitch_range"}])
    piece = table((0, False, [[]]))
    with pytest.raises(IndexError, match="track 3"):
        analyzer.reachable(piece, {3: [0]})
    with pytest.raises(IndexError, match="bar 1"):
        analyzer.reachable(piece, {0: [1]})


def test_mixed_quantiles_agree_with_counting():
    rng = np.random.default_rng(3)
    for _round in range(60):
        values, more = rng.integers(0, 6, int(rng.integers(0, 9))), int(rng.integers(0, 9))
        low, high = mixed_quantile(values, 0.85, more, 0, 5)
        found = []
        for new in range(more + 1):
            for level in range(6):
                mixed = np.sort(np.concatenate([values, np.full(new, level)]))
                if len(mixed):
                    found.append(mixed[min(int(np.rint(len(mixed) * 0.85)), len(mixed) - 1)])
        if found:
            assert low == min(found) and high == max(found)


def test_a_long_piece_of_many_tracks_is_cheap(pocket_config):
    analyzer = AttributeAnalyzer.from_config(pocket_config)
    rng = np.random.default_rng(1)
    bars = [[(int(o), 6, int(p)) for o, p in rng.integers([0, 40], [48, 80], (12, 2))] for _ in range(100)]
    piece = build_table(*[(8 * t, t == 0, bars) for t in range(8)])
    targets = {track: range(40, 48) for track in range(8)}
    best = 1.0
    for _attempt in range(3):
        begin = time.process_time()
        analyzer.reachable(piece, targets)
        best = min(best, time.process_time() - begin)
    assert best < 0.25  # about 15 ms on a quiet machine


def test_every_attribute_was_looked_at():
    assert {control["name"] for control in EVERY} >= set(available()) - {"note_density_quantile"}
