"""Recorded readings of the reference system (tests/reference/golden_midi.json): same bytes, same score."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from midigpt_nb import _core
from midigpt_nb.errors import ScoreError
from midigpt_nb.score.model import Score

VECTORS = json.loads(
    (Path(__file__).parents[1] / "reference" / "golden_midi.json").read_text(encoding="utf-8")
)


def as_recorded(table: _core.ScoreTable) -> dict[str, object]:
    """A table in the form of the recording, without the fields the table derives."""
    score = Score.from_table(table)
    return {
        "resolution": score.resolution,
        "tempo": score.tempo,
        "tracks": [
            {
                "instrument": track.instrument,
                "track_type": track.track_type,
                "bars": [
                    {
                        "ts": [bar.ts_numerator, bar.ts_denominator],
                        "notes": [
                            [n.pitch, n.velocity, n.onset_ticks, n.duration_ticks, n.delta] for n in bar.notes
                        ],
                    }
                    for bar in track.bars
                ],
            }
            for track in score.tracks
        ],
    }


def without_derived(expected: dict[str, object]) -> dict[str, object]:
    tracks = [
        {
            "instrument": track["instrument"],
            "track_type": track["track_type"],
            "bars": [{"ts": bar["ts"], "notes": bar["notes"]} for bar in track["bars"]],
        }
        for track in expected["tracks"]
    ]
    return {"resolution": expected["resolution"], "tempo": expected["tempo"], "tracks": tracks}


@pytest.mark.parametrize("vector", [v for v in VECTORS if v["class"] == "normative"], ids=lambda v: v["name"])
def test_reads_what_the_reference_reads(vector: dict) -> None:
    data = bytes.fromhex(vector["midi_hex"])
    if "error" in vector["expected"]:
        with pytest.raises(ScoreError, match=r"MIDI byte \d+: "):
            _core.read_midi(data, vector["resolution"])
        return
    _, table = _core.read_midi(data, vector["resolution"])
    assert as_recorded(table) == without_derived(vector["expected"])


@pytest.mark.parametrize(
    "vector",
    [v for v in VECTORS if v["class"] == "normative" and "error" not in v["expected"]],
    ids=lambda v: v["name"],
)
def test_beat_length_is_the_references_where_the_bar_is_a_whole_number_of_ticks(vector: dict) -> None:
    data = bytes.fromhex(vector["midi_hex"])
    file, table = _core.read_midi(data, vector["resolution"])
    score = Score.from_table(table)
    for track, expected in zip(score.tracks, vector["expected"]["tracks"], strict=True):
        for bar, expected_bar in zip(track.bars, expected["bars"], strict=True):
            exact_ticks = 4 * file.ticks_per_quarter * bar.ts_numerator / bar.ts_denominator
            if exact_ticks == int(exact_ticks):
                assert bar.beat_length == expected_bar["beat_length"]


# What this reader makes of malformed input: notes as (pitch, velocity, onset, duration, delta).
ADVISORY = {
    "tpq 0": [(60, 90, 0, 480, 0)],
    "ts 0/4": [(60, 90, 0, 480, 0)],
    "ts den 2^7": [(60, 90, 0, 480, 0)],
    "ts den 2^8": [(60, 90, 0, 480, 0)],
    "ts den 2^32": [(60, 90, 0, 480, 0)],
    "data byte >127": [],
    "running status after sysex": [(60, 90, 0, 480, 0)],
    "F7 escape": [(60, 90, 0, 480, 0)],
    "F4 undefined": [(60, 90, 0, 480, 0)],
    "ts len 0": [(60, 90, 0, 480, 0)],
    "tempo len 0": [(60, 90, 0, 480, 0)],
    "cc value>127": [(60, 90, 0, 480, 0)],
    "pitchbend data>127": [(60, 90, 0, 480, 0)],
    "program>127": [(60, 90, 0, 480, 0)],
}


@pytest.mark.parametrize("vector", [v for v in VECTORS if v["class"] == "advisory"], ids=lambda v: v["name"])
def test_malformed_input_raises_or_parses(vector: dict) -> None:
    data = bytes.fromhex(vector["midi_hex"])
    wanted = ADVISORY.get(vector["name"])
    try:
        _, table = _core.read_midi(data, vector["resolution"])
    except ScoreError as error:
        assert wanted is None, error
        return
    if wanted is not None:
        columns = table.notes[:, [2, 3, 0, 1, 4]].tolist()
        assert [tuple(note) for note in columns] == wanted
