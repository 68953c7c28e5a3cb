"""Bars put in and taken out of files with rare events: every event goes where its time goes."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from midigpt_nb.score.model import Bar, Note, Score

from .rare_files import (
    chunk_of,
    content,
    events_of,
    file_of,
    invisible_and_paired,
    is_end,
    meta,
    rare_file,
)

pytestmark = pytest.mark.filterwarnings("ignore:.*never end:UserWarning")


@pytest.mark.parametrize("seed", range(40))
def test_inserted_bars_move_what_is_behind_them_and_lose_nothing(seed: int) -> None:
    data = rare_file(seed)
    score = Score.from_bytes(data)
    if score.n_tracks == 0:
        pytest.skip("this file has no tracks")
    assert score.source is not None
    at = random.Random(seed).randrange(1, score.n_bars + 1)
    bars, pad = score.source.file.bars, 8 * score.source.file.ticks_per_quarter
    seam = int(bars[at, 0]) if at < len(bars) else 2**62
    events = events_of(data)
    invisible, off_of = invisible_and_paired(events)
    on_of = {off: on for on, off in off_of.items()}
    expected: Counter[object] = Counter()
    for i, (chunk, tick, event) in enumerate(events):
        if i in invisible or is_end(event) or event[:2] == b"\xff\x58":
            continue
        stays = (events[on_of[i]][1] if i in on_of else tick) < seam
        expected[chunk, tick if stays else tick + pad, event] += 1
    written = score.insert_bars(at, 2, "4/4").to_midi()
    assert written is not None
    assert expected - Counter(events_of(written)) == Counter()


@pytest.mark.parametrize("seed", range(40))
def test_bars_and_tracks_read_back_as_they_were_arranged(seed: int) -> None:
    score = Score.from_bytes(rare_file(seed, "none"))
    if score.n_notes == 0:
        pytest.skip("this file has no notes")
    rng = random.Random(seed)
    start, end = sorted(rng.sample(range(score.n_bars + 1), 2))
    for arranged in (score.delete_bars(range(start, end)), score[start:end], score.insert_bars(start)):
        again = Score.from_bytes(arranged.to_midi())
        # A track without notes is none in a file; events beside the notes may make one.
        assert [c for c in parts(again) if c] == [c for c in parts(arranged) if c]


@pytest.mark.parametrize("seed", [13, 25, 34, *range(8)])
def test_a_score_behind_itself_is_read_as_it_is(seed: int) -> None:
    """Also where the first one sets programs after its last bar."""
    score = Score.from_bytes(rare_file(seed, "none", well_known=seed % 3 == 0))
    if score.n_tracks == 0:
        pytest.skip("this file has no tracks")
    twice = score + score
    data = twice.to_midi()
    assert data is not None
    assert content(Score.from_bytes(data).table.resampled(twice.resolution)) == content(twice.table)


def parts(score: Score) -> list[list[tuple[object, ...]]]:
    """Bars of each track, from its first one with notes to its last."""
    bars = [[bar[1:] for bar in content(score.table) if bar[0] == track] for track in range(score.n_tracks)]
    return [[bar for bar in track if bar[-1]] for track in bars]


def test_bars_deleted_and_inserted_by_hand_move_the_files_events_with_their_notes() -> None:
    notes = [
        (bar * 1920 + end * 480, bytes([0x80 if end else 0x90, 60 + bar, 90]))
        for bar in range(4)
        for end in (0, 1)
    ]
    lyrics = [(bar * 1920, meta(5, b"%d" % bar)) for bar in range(4)]
    score = Score.from_bytes(file_of([chunk_of(*sorted([*notes, *lyrics], key=lambda event: event[0]))]))
    bars = next(track for track in score.tracks if track.n_notes).bars
    for track in score.tracks:
        del track.bars[1]
        track.bars.insert(0, Bar([], 3, 4))
    assert bars[1].notes == [Note(60, 90, 0, 480)]
    with pytest.warns(UserWarning, match="1 events of the file .* stood in bars that are gone"):
        data = score.to_midi()
    assert data is not None
    found = [(tick, event[3:]) for _, tick, event in events_of(data) if event[:2] == b"\xff\x05"]
    assert found == [(1440, b"0"), (1440 + 1920, b"2"), (1440 + 3840, b"3")]
    assert content(Score.from_bytes(data).table) == content(score.table)
