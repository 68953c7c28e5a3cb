"""Every recorded value of the reference system: pairs [raw, value] in ``reference/golden_attributes.json``.

`note_density(quantile)` is the level among pieces with the same instrument, `note_density` the plain mean.
The recorded forms that no model has (bar-level silence and note lengths, track-level pitch classes) are
measured from the same functions, one bar at a time.
"""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from midigpt_nb.attributes.registry import row_for_entry
from midigpt_nb.attributes.view import WindowView

GOLDEN = json.loads((Path(__file__).parents[1] / "reference" / "golden_attributes.json").read_text())

TRACK_ROWS = {
    "note_density": ("note_density", {}),
    "note_density(quantile)": ("note_density_quantile", {}),
    "min_polyphony": ("polyphony_quantile", {"mode": "min"}),
    "max_polyphony": ("polyphony_quantile", {"mode": "max"}),
    "min_note_duration": ("note_duration_quantile", {"mode": "min"}),
    "max_note_duration": ("note_duration_quantile", {"mode": "max"}),
    **{
        name: (name, {})
        for name in (
            "onset_polyphony",
            "pitch_range",
            "key_signature",
            "note_duration_dist",
            "silence_proportion",
            "nomml",
        )
    },
}
BAR_ROWS = {
    "bar_note_density": ("note_density_quantile", {"level": "bar"}),
    "bar_min_polyphony": ("polyphony_quantile", {"mode": "min", "level": "bar"}),
    "bar_max_polyphony": ("polyphony_quantile", {"mode": "max", "level": "bar"}),
    "pitch_class_set": ("pitch_class_set", {}),
}
ONE_BAR_OF_TRACK_ROWS = {
    "bar_silence_proportion": ("silence_proportion", {}),
    "bar_min_note_duration": ("note_duration_quantile", {"mode": "min"}),
    "bar_max_note_duration": ("note_duration_quantile", {"mode": "max"}),
}
UNION_OF_BARS = {"pitch_class_set_track"}


def scored(table):
    """(name, got, expected) of every recorded value of every track."""
    for case in GOLDEN:
        window = WindowView(
            table(
                *[
                    (
                        t["instrument"],
                        bool(t["drum"]),
                        [
                            (bar["ts"], [(on, dur, p, v) for p, v, on, dur, _ in bar["notes"]])
                            for bar in t["bars"]
                        ],
                    )
                    for t in case["tracks"]
                ],
                resolution=case["resolution"],
            )
        )
        for index, recorded in enumerate(case["tracks"]):
            view = window.track(index, stored=recorded["stored"])
            for name, expected in recorded["track"].items():
                if name in UNION_OF_BARS:
                    pitch_classes = len(set((view.pitch % 12).tolist()))
                    yield name, [pitch_classes, pitch_classes], expected
                else:
                    row = row_for_entry(*TRACK_ROWS[name])
                    raw = row.measure(view)
                    yield name, [raw, row.quantize(raw)], expected
            for name, values in recorded["bar_values"].items():
                if name in BAR_ROWS:
                    row = row_for_entry(*BAR_ROWS[name])
                    raw = row.measure(view)
                    got = [list(pair) for pair in zip(raw.tolist(), row.quantize(raw).tolist(), strict=True)]
                else:
                    row = row_for_entry(*ONE_BAR_OF_TRACK_ROWS[name])
                    raws = [row.measure(window.track(index, [bar])) for bar in range(view.n_bars)]
                    got = [[raw, row.quantize(raw)] for raw in raws]
                for bar, pair in enumerate(values):
                    yield name, got[bar], pair


def test_every_recorded_value_is_reproduced_exactly(table):
    seen, wrong = Counter(), []
    for name, got, expected in scored(table):
        seen[name] += 1
        if got != expected:
            wrong.append((name, got, expected))
    assert not wrong, f"{len(wrong)} of {sum(seen.values())} differ, first {wrong[:5]}"
    assert sum(seen.values()) == 3398
    assert set(seen) == {*TRACK_ROWS, *BAR_ROWS, *ONE_BAR_OF_TRACK_ROWS, *UNION_OF_BARS}


@pytest.mark.parametrize("name", [*TRACK_ROWS, *BAR_ROWS])
def test_recorded_values_are_not_all_alike(name):
    level = "track" if name in TRACK_ROWS else "bar_values"
    values = [t[level][name] for case in GOLDEN for t in case["tracks"]]
    pairs = values if level == "track" else [pair for row in values for pair in row]
    assert len({value for _, value in pairs}) >= 2
