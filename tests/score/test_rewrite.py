"""Nothing is lost: an untouched score is its file, and after an edit only the edited bars differ."""

from __future__ import annotations

import random
import warnings
from collections import defaultdict

import numpy as np
import pytest

from midigpt_nb import _core
from midigpt_nb.errors import ScoreError
from midigpt_nb.score.model import Bar, Note, Score, Track

from .rare_files import Event, cells_of, invisible_and_paired, meta, notes_of
from .rare_files import rare_file as random_file

pytestmark = pytest.mark.filterwarnings("ignore:.*never end:UserWarning")

SEEDS = range(150)


def events_of(file: _core.MidiFile) -> list[Event]:
    return [file.event(i) for i in range(file.n_events)]


def about_of(events: list[Event]) -> list[Event]:
    """Meta events and SysEx, without the end of the track."""
    return [event for event in events if event[2][0] in (0xF0, 0xF7, 0xFF) and event[2][:2] != b"\xff\x2f"]


def random_notes(rng: random.Random, table: _core.ScoreTable, cell: tuple[int, int]) -> np.ndarray:
    first, _ = table.bar_rows(cell[0])
    _, numerator, denominator, _ = table.bars[first + cell[1]].tolist()
    length = _core.bar_ticks(numerator, denominator, table.resolution)
    low, high = table.note_rows(*cell)
    pitches = [*table.notes[low:high, 2].tolist(), 60, rng.randrange(128)]
    rows = [
        (rng.randrange(0, length, 60), rng.choice((60, 240, 900, 4000)), rng.choice(pitches), 64, 0)
        for _ in range(rng.randrange(1, 8))
    ]
    return np.array(sorted(rows), np.int32)


@pytest.mark.parametrize("seed", SEEDS)
def test_an_untouched_score_is_written_as_the_bytes_that_were_read(seed: int) -> None:
    data = random_file(seed)
    score = Score.from_bytes(data)
    assert score.to_midi() == data
    assert all(bar is not None for track in score.tracks for bar in track.bars)  # looked inside
    assert score.to_midi() == data


@pytest.mark.parametrize("seed", SEEDS)
def test_after_an_edit_only_the_notes_of_the_edited_bars_differ(seed: int) -> None:
    rng = random.Random(1000 + seed)
    file, table = _core.read_midi(random_file(seed))
    if table.n_notes == 0:
        pytest.skip("this file has no notes")
    chosen = rng.sample(cells_of(table), min(3, len(cells_of(table))))
    edited = table.replaced(chosen, [random_notes(rng, table, cell) for cell in chosen])
    with warnings.catch_warnings(record=True) as left_out:
        warnings.simplefilter("always")
        data = _core.rewrite_midi(file, table, edited)
    new_file, new_table = _core.read_midi(data)

    assert new_table.n_tracks == table.n_tracks
    assert new_table.bars[:, 1:].tolist() == table.bars[:, 1:].tolist()
    for cell in cells_of(table):
        if cell not in chosen:
            assert notes_of(new_table, cell) == notes_of(table, cell), cell
        elif not left_out:
            assert len(notes_of(new_table, cell)) == len(notes_of(edited, cell)), cell

    before, after = events_of(file), events_of(new_file)
    invisible, off_of = invisible_and_paired(before)
    removed = set()
    for cell in chosen:
        low, high = table.note_rows(*cell)
        for source in table.note_source[low:high].tolist():
            removed |= {source, off_of[source]}
    remaining = defaultdict(list)
    for chunk, tick, event in after:
        remaining[chunk].append((tick, event))
    streams = {chunk: iter(found) for chunk, found in remaining.items()}
    for i, (chunk, tick, event) in enumerate(before):
        if i in removed or i in invisible or event[:2] == b"\xff\x2f":
            continue
        assert (tick, event) in streams[chunk], f"event {i} is gone or out of order"  # consumes up to it
    # Nothing but notes is added, except a time signature where it takes one to keep an empty bar at the end.
    added = [event for event in about_of(after) if event not in about_of(before)]
    assert all(event[:2] == (0, int(file.bar_starts[-1])) and event[2][:2] == b"\xff\x58" for event in added)
    assert len(about_of(after)) == len(about_of(before)) + len(added) and len(added) <= 1


@pytest.mark.parametrize("seed", range(20))
def test_edits_of_note_objects_are_found_and_undone(seed: int) -> None:
    data = random_file(seed)
    score = Score.from_bytes(data)
    notes = [note for track in score.tracks for bar in track.bars for note in bar.notes]
    if not notes:
        pytest.skip("this file has no notes")
    note = random.Random(seed).choice(notes)
    velocity = note.velocity
    note.velocity = 127 - velocity or 1
    changed = score.to_midi()
    assert changed != data
    note.velocity = velocity
    assert score.to_midi() == data


def test_notes_made_anew_with_the_same_values_are_the_same_notes() -> None:
    data = random_file(3)
    score = Score.from_bytes(data)
    for track in score.tracks:
        for bar in track.bars:
            bar.notes = [
                Note(n.pitch, n.velocity, n.onset_ticks, n.duration_ticks, n.delta) for n in bar.notes
            ]
    assert score.to_midi() == data


def test_at_another_resolution_an_untouched_score_is_still_its_file() -> None:
    data = random_file(3)
    assert Score.from_bytes(data).resample(960).to_midi() == data


def test_bars_that_no_longer_fit_the_file_are_written_plainly_with_a_warning() -> None:
    score = Score.example()
    del score.tracks[0].bars[3]
    for track in score.tracks[1:]:
        track.bars.insert(2, Bar([Note(60, 90, 0, 480)], 3, 4))
    with pytest.warns(UserWarning, match="a plain file is written"):
        data = score.to_midi()
    assert Score.from_bytes(data).tracks[1].bars[2].ts_numerator == 3


def test_a_new_track_and_new_bars_go_into_the_file() -> None:
    score = Score.example()
    for track in score.tracks:
        track.bars.append(Bar())
    score.tracks.append(Track([Bar([Note(50 + i, 80, 0, 960)]) for i in range(17)], 48, name="Strings"))
    again = Score.from_bytes(score.to_midi())
    assert again.track_names == ["Drums", "Bass", "Electric Piano", "Flute", "Strings"]
    assert again == Score.from_table(score.table)
    assert again.source is not None
    text = [again.source.file.event(i)[2] for i in range(again.source.file.n_events)]
    assert meta(6, b"B") in text
    assert again.n_bars == 17


@pytest.mark.parametrize("seed", range(300))
def test_hostile_bytes_raise_score_error_or_parse(seed: int) -> None:
    rng = random.Random(seed)
    data = bytearray(random_file(seed % 40))
    for _ in range(rng.choice((1, 3, 30))):
        data[rng.randrange(len(data))] = rng.randrange(256)
    if rng.random() < 0.3:
        del data[rng.randrange(len(data)) :]
    try:
        score = Score.from_bytes(bytes(data))
    except ScoreError as error:
        assert str(error)
        return
    assert score.to_midi() == bytes(data)
    assert isinstance(score.tempo_map, list)
    assert len(score.track_names) == score.n_tracks
