"""Score, Track, Bar and Note: two forms of one piece, and what can be asked of it."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path

import numpy as np
import pytest

from midigpt_nb import _core
from midigpt_nb.errors import ScoreError
from midigpt_nb.score import general_midi
from midigpt_nb.score.model import Bar, Note, Score, Track


@pytest.fixture
def small() -> Score:
    """Two bars of bass (4/4, 3/4) and drums in the second."""
    bass = Track([Bar([Note(40, 90, 0, 480), Note(43, 80, 480, 2000, -3)]), Bar([], 3, 4)], instrument=33)
    drums = Track([Bar(), Bar([Note(36, 100, 0, 120)], 3, 4)], track_type="drum", name="Kit")
    return Score([bass, drums], tempo=400000)


def test_positional_fields_are_those_of_the_reference() -> None:
    assert Note(60, 90, 10, 20, 5) == Note(pitch=60, velocity=90, onset_ticks=10, duration_ticks=20, delta=5)
    bar = Bar([Note(60, 90, 0, 1)], 3, 4, 3.0, True)
    assert (bar.ts_numerator, bar.ts_denominator, bar.beat_length, bar.future) == (3, 4, 3.0, True)
    track = Track([bar], 12, "drum", {"note_density": 3})
    assert (track.instrument, track.track_type, track.attributes) == (12, "drum", {"note_density": 3})
    score = Score([track], 960, 600000)
    assert (score.resolution, score.tempo) == (960, 600000)
    assert Score().tracks == [] and Track().bars == [] and Bar().notes == []


@pytest.mark.parametrize(
    ("numerator", "denominator", "quarters"), [(4, 4, 4.0), (7, 8, 3.5), (6, 8, 3.0), (3, 4, 3.0)]
)
def test_beat_length_follows_the_time_signature(numerator: int, denominator: int, quarters: float) -> None:
    assert Bar([], numerator, denominator).beat_length == quarters


def test_a_beat_length_that_contradicts_the_signature_raises() -> None:
    with pytest.raises(ScoreError, match=r"a bar of 3/4 lasts 3 quarters, not 4.0"):
        Bar([], 3, 4, 4.0)


def test_objects_and_table_say_the_same(small: Score) -> None:
    table = small.table
    assert table.notes.tolist() == [[0, 480, 40, 90, 0], [480, 2000, 43, 80, -3], [0, 120, 36, 100, 0]]
    assert table.bars.tolist() == [[0, 4, 4, 0], [2, 3, 4, 0], [2, 4, 4, 0], [2, 3, 4, 0]]
    assert table.tracks.tolist() == [[0, 33, 0], [2, 0, 1]]
    assert Score.from_table(table) == small
    assert Score.from_table(table).tracks[0].bars[0].notes == small.tracks[0].bars[0].notes


def test_a_score_is_its_table_until_somebody_looks_inside(small: Score) -> None:
    score = Score.from_table(small.table)
    table = score.table
    assert score.table is table
    assert len(score.tracks) == 2 and score.tracks[0].instrument == 33
    assert score.table is table  # track objects alone change nothing
    score.tracks[0].bars[0].notes[0].pitch = 41
    assert score.table.notes[0, 2] == 41
    assert table.notes[0, 2] == 40
    assert score.table.notes[1:].tolist() == table.notes[1:].tolist()


def test_changes_to_track_objects_reach_the_table(small: Score) -> None:
    score = Score.from_table(small.table)
    score.tracks[0].instrument = 5
    assert score.table.tracks[0, 1] == 5
    score.tracks.reverse()
    assert score.table.tracks[:, 1:].tolist() == [[0, 1], [5, 0]]
    assert score.table.notes[0].tolist() == [0, 120, 36, 100, 0]
    del score.tracks[0]
    assert (score.n_tracks, score.n_notes) == (1, 2)


def test_a_changed_tempo_or_resolution_reaches_the_table(small: Score) -> None:
    score = Score.from_table(small.table)
    score.tempo = 300000
    assert score.table.tempo == 300000
    assert score.tempo_map == [(0, 300000)]


@pytest.mark.parametrize(
    ("break_it", "message"),
    [
        pytest.param(
            lambda s: setattr(s.tracks[1].bars[1].notes[0], "pitch", 128),
            r"tracks\[1\].bars\[1\].notes\[0\].pitch is 128",
            id="pitch",
        ),
        pytest.param(
            lambda s: setattr(s.tracks[0].bars[0].notes[1], "onset_ticks", -1),
            r"notes\[1\].onset_ticks is -1",
            id="negative onset",
        ),
        pytest.param(
            lambda s: setattr(s.tracks[0].bars[0].notes[1], "duration_ticks", 1.5),
            r"duration_ticks is 1.5",
            id="fraction",
        ),
        pytest.param(
            lambda s: setattr(s.tracks[0].bars[1], "ts_denominator", 0),
            r"bars\[1\].ts_denominator is 0",
            id="metre",
        ),
        pytest.param(
            lambda s: setattr(s.tracks[0], "instrument", 128), r"tracks\[0\].instrument is 128", id="program"
        ),
    ],
)
def test_what_does_not_fit_is_named(small: Score, break_it, message: str) -> None:
    break_it(small)
    with pytest.raises(ScoreError, match=message):
        _ = small.table


def test_views_are_read_only_and_outlive_their_table(small: Score) -> None:
    notes = small.table.notes
    assert notes[2, 2] == 36
    with pytest.raises(ValueError, match="read-only"):
        notes[0, 0] = 1


def test_table_arrays_are_checked() -> None:
    with pytest.raises(ScoreError, match=r"bars must have the shape \(n, 4\)"):
        _core.ScoreTable(np.zeros((0, 5)), np.zeros((2, 3), int), np.zeros((1, 3), int))
    with pytest.raises(ScoreError, match="bars row 0: first_note of the first row must be 0, not 3"):
        _core.ScoreTable(np.zeros((0, 5)), [[3, 4, 4, 0]], [[0, 0, 0]])
    with pytest.raises(ScoreError, match="track 1 does not exist; the score has 1 tracks"):
        _core.ScoreTable(np.zeros((0, 5)), [[0, 4, 4, 0]], [[0, 0, 0]]).n_bars(1)


def test_a_score_that_holds_a_mistake_can_still_be_printed(small: Score) -> None:
    small.tracks[0].bars[0].notes[0].pitch = 999
    assert repr(small) == "Score(2 tracks, 2 bars, 3 notes)"
    assert small.track_names == ["Electric Bass (finger)", "Kit"]


def test_bar_starts_seconds_and_names(small: Score) -> None:
    assert small.bar_starts.tolist() == [0, 1920, 3360]
    assert small.bar_starts.dtype == np.int64
    assert small.seconds(small.bar_starts).tolist() == pytest.approx([0, 1.6, 2.8])
    assert small.track_names == ["Electric Bass (finger)", "Kit"]
    assert repr(small) == "Score(2 tracks, 2 bars, 3 notes)"
    assert Score().bar_starts.tolist() == [0]


def test_dict_round_trip_keeps_attributes_and_metres(small: Score) -> None:
    small.tracks[0].attributes["note_density"] = 4
    again = Score.from_dict(small.to_dict())
    assert again == small
    assert again.tracks[1].name == "Kit"
    assert again.tracks[0].bars[1].beat_length == 3.0
    assert set(small.to_dict()["tracks"][0]["bars"][0]) == {
        "ts_numerator",
        "ts_denominator",
        "future",
        "notes",
    }


def test_from_dict_takes_defaults_and_names_what_is_missing() -> None:
    assert Score.from_dict({"tracks": [{"bars": [{}]}]}) == Score([Track([Bar()])])
    with pytest.raises(ScoreError, match=r"tracks\[0\].bars\[0\].notes\[0\] has no 'velocity'"):
        Score.from_dict({"tracks": [{"bars": [{"notes": [{"pitch": 60}]}]}]})


def test_resample_rounds_halves_to_even(small: Score) -> None:
    coarse = small.resample(12)
    assert [note.onset_ticks for note in coarse.tracks[0].bars[0].notes] == [0, 12]
    assert coarse.tracks[0].bars[0].notes[1].duration_ticks == 50
    assert coarse.tracks[0].bars[0].notes[1].delta == -3
    assert small.resample(480) is small
    assert small.resample(960).resample(480) == small


def test_copies_share_nothing_that_changes(small: Score) -> None:
    for duplicate in (small.copy(), copy.deepcopy(small), pickle.loads(pickle.dumps(small))):
        assert duplicate == small
        duplicate.tracks[0].bars[0].notes[0].pitch = 1
        assert small.tracks[0].bars[0].notes[0].pitch == 40
    example = pickle.loads(pickle.dumps(Score.example()))
    assert example.to_midi() == Score.example().to_midi()


def test_hash_follows_the_music_and_not_the_form(small: Score) -> None:
    assert small.hash() == Score.from_table(small.table).hash()
    other = small.copy()
    other.tracks[0].bars[0].notes[0].velocity += 1
    assert other.hash() != small.hash()
    assert len(small.hash()) == 64


def test_diff_lists_added_removed_and_kept(small: Score) -> None:
    other = small.copy()
    other.tracks[0].bars[0].notes[1].pitch = 50
    other.tracks[1].bars[0].notes.append(Note(38, 90, 0, 60))
    diff = small.diff(other)
    assert diff.changed == [(0, 0), (1, 0)]
    assert diff.cells[0, 0].added[:, 2].tolist() == [50]
    assert diff.cells[0, 0].removed[:, 2].tolist() == [43]
    assert diff.cells[0, 0].kept[:, 2].tolist() == [40]
    assert (diff.n_added, diff.n_removed, diff.n_kept) == (2, 1, 2)
    assert repr(diff) == "ScoreDiff(2 added, 1 removed, 2 kept, 2 bars changed)"


def test_diff_counts_equal_notes_one_by_one() -> None:
    def bar_of(n: int) -> Score:
        return Score([Track([Bar([Note(60, 90, 0, 10) for _ in range(n)])])])

    diff = bar_of(3).diff(bar_of(1))
    assert (diff.n_removed, diff.n_kept, diff.n_added) == (2, 1, 0)
    longer = bar_of(1).diff(Score([*bar_of(1).tracks, *bar_of(2).tracks]))
    assert longer.changed == [(1, 0)]


def test_paths_of_all_kinds(small: Score, tmp_path: Path) -> None:
    path = tmp_path / "song.mid"
    assert small.to_midi(path) is None
    assert (
        Score.from_midi(path)
        == Score.from_midi(str(path))
        == Score.from_midi(path.read_bytes())
        == small_read(small)
    )
    assert path.read_bytes() == small.to_midi()
    with pytest.raises(ScoreError, match=r"cannot read .*nowhere"):
        Score.from_midi(tmp_path / "nowhere.mid")
    with pytest.raises(ScoreError, match=r"cannot write .*missing"):
        small.to_midi(tmp_path / "missing" / "song.mid")


def small_read(small: Score) -> Score:
    """The small score as a file gives it back: microtiming below a tick is gone."""
    again = small.copy()
    again.tracks[0].bars[0].notes[1].delta = 0
    return Score.from_table(again.table)


def test_pretty_midi_both_ways(small: Score) -> None:
    pytest.importorskip("pretty_midi")
    midi = small.to_pretty_midi()
    assert [len(instrument.notes) for instrument in midi.instruments] == [2, 1]
    again = Score.from_pretty_midi(midi)
    assert sorted(again.table.notes[:, 2].tolist()) == [36, 40, 43]


def test_with_table_keeps_source_names_and_attributes() -> None:
    score = Score.example()
    score.tracks[1].attributes["note_density"] = 2
    edited = score.with_table(score.table.replaced([(1, 0)], [np.array([[0, 480, 30, 90, 0]], np.int32)]))
    assert edited.source is score.source
    assert edited.track_names == score.track_names
    assert edited.tracks[1].attributes == {"note_density": 2}
    assert score.diff(edited).changed == [(1, 0)]
    assert Score.from_bytes(edited.to_midi()) == Score.from_table(edited.table)


def test_general_midi_tables_are_complete() -> None:
    assert len(general_midi.PROGRAMS) == len(set(general_midi.PROGRAMS)) == 128
    assert len(general_midi.FAMILIES) == 16
    assert general_midi.DRUM_NAMES[36] == "Bass Drum 1"
    assert general_midi.DRUM_NAMES[81] == "Open Triangle"
    assert general_midi.program_name(73) == "Flute"
    assert general_midi.program_name(0, drum=True) == "Drums"
    assert general_midi.family(40) == "Strings"
