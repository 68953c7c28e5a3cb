"""Tracks without notes: one that lost them keeps its chunk of the file, one that never had any has none."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable

import numpy as np
import pytest

from midigpt_nb import _core
from midigpt_nb.errors import ScoreError
from midigpt_nb.score.model import Bar, Note, Score, Track

from .rare_files import chunk_of, events_of, file_of, is_end

NAMES = ["Lead", "Bass", "Keys"]


def piece(*, from_file: bool = True) -> Score:
    """Three tracks of one bar and one note; in the file, each with a volume that tells whose it is."""
    tracks = [Track([Bar([Note(40 + 5 * i, 90, 0, 12)])], 8 * i, name=name) for i, name in enumerate(NAMES)]
    if not from_file:
        return Score(tracks)
    chunks: dict[int, list[tuple[int, bytes]]] = {}
    for chunk, tick, event in events_of(Score(tracks).to_midi()):
        own = chunks.setdefault(chunk, [])
        if not is_end(event):
            own.append((tick, event))
        if event[0] & 0xF0 == 0xC0:
            own.append((tick, bytes([0xB0 | event[0] & 15, 7, 70 + chunk])))
    return Score.from_bytes(file_of([chunk_of(*own) for own in chunks.values()], ticks=480))


def with_notes_everywhere(score: Score) -> Score:
    for track, content in enumerate(score.tracks):
        if content.n_notes == 0:
            score = score.add_notes(track, 0, [Note(30 + track, 80, 0, 10)])
    return score


def volumes(data: bytes) -> list[tuple[str, int]]:
    """(name of the chunk, volume) of each volume event."""
    file = Score.from_bytes(data).source.file  # type: ignore[union-attr]
    events = map(file.event, range(file.n_events))
    return [(file.chunk_names[chunk], event[2]) for chunk, _, event in events if event[0] & 0xF0 == 0xB0]


def require_written_as_it_is(score: Score) -> None:
    """One chunk of its name for each track, in the order of the tracks; the same notes and tempi."""
    again = Score.from_bytes(score.to_midi())
    file = again.source.file  # type: ignore[union-attr]
    sounding = [track for track in score.tracks if track.n_notes]
    assert again.track_names == [track.name for track in sounding]
    assert [t.bars for t in again.tracks] == [t.bars for t in sounding]
    assert again.tempo_map == score.tempo_map or not sounding
    assert [chunk for chunk, _, _ in file.track_sources] == sorted(c for c, _, _ in file.track_sources)
    named = Counter(name for name in file.chunk_names if name)
    assert named - Counter(score.track_names) == Counter(), "a second chunk, or one of nobody"
    assert again.to_midi() == score.to_midi()


STEPS: dict[str, Callable[[random.Random, Score, int], Score]] = {
    "empty": lambda rng, score, _: score.clear_bars(tracks=rng.randrange(score.n_tracks)),
    "fill": lambda rng, score, k: score.add_notes(
        rng.randrange(score.n_tracks), 0, [Note(90 + k, 80, 24, 9)]
    ),
    "move": lambda rng, score, _: score.reorder_tracks(rng.sample(range(score.n_tracks), score.n_tracks)),
    "add": lambda rng, score, k: score.add_track(8 * k, name=f"New {k}"),
    "add with notes": lambda rng, score, k: score.add_track(8 * k, name=f"New {k}").add_notes(
        score.n_tracks, 0, [Note(70 + k, 80, 0, 10)]
    ),
    "delete": lambda rng, score, _: score.delete_track(rng.randrange(score.n_tracks)),
    "tempo": lambda rng, score, k: score.set_tempo(80 + k, bars=rng.choice([None, 0])),
    "join": lambda rng, score, _: score + score if score.n_bars < 4 else score,
    "insert bar": lambda rng, score, _: score.insert_bars(rng.randrange(score.n_bars + 1)),
    "objects": lambda rng, score, _: score.tracks and score,
}


@pytest.mark.parametrize("seed", range(60))
def test_tracks_emptied_new_and_moved_are_written_once_and_at_their_places(seed: int) -> None:
    rng = random.Random(seed)
    from_file = rng.random() < 0.7
    score, done = piece(from_file=from_file), []
    for k in range(rng.randint(2, 6)):
        name = rng.choice(list(STEPS))
        if name == "delete" and score.n_tracks == 1:
            continue
        score = STEPS[name](rng, score, k)
        done.append(name)
    require_written_as_it_is(score)
    full = with_notes_everywhere(score)
    require_written_as_it_is(full)
    chunk_names = Score.from_bytes(full.to_midi()).source.file.chunk_names  # type: ignore[union-attr]
    assert Counter(filter(None, chunk_names)) == Counter(full.track_names), done
    said = set(volumes(full.to_midi()))
    if from_file:
        kept = {(name, 70 + i) for i, name in enumerate(NAMES) if name in full.track_names}
        assert said == kept or "insert bar" in done or "join" in done, done
        assert said <= {(name, 70 + i) for i, name in enumerate(NAMES)}, done


@pytest.mark.parametrize("order", [(3, 1, 0, 2), (1, 3, 2, 0), (2, 3, 1, 0), (0, 1, 3, 2)])
def test_an_emptied_track_that_is_moved_with_a_new_one_keeps_its_chunk(order: tuple[int, ...]) -> None:
    score = (
        piece().clear_bars(tracks="Bass").add_track(50, name="New").add_notes("New", 0, [Note(60, 90, 0, 9)])
    )
    moved = score.reorder_tracks(order)
    require_written_as_it_is(moved)
    again = moved.add_notes("Bass", 0, [Note(45, 90, 0, 12)])
    require_written_as_it_is(again)
    assert set(volumes(again.to_midi())) == {("Lead", 70), ("Bass", 71), ("Keys", 72)}
    assert again.reorder_tracks([*NAMES, "New"]).delete_track("New") == piece()


def test_an_emptied_track_is_not_taken_for_a_silent_one_at_its_place() -> None:
    score = piece().add_track(50, name="New").clear_bars(tracks="Bass").reorder_tracks([0, 3, 1, 2])
    full = with_notes_everywhere(score)
    assert dict(volumes(full.to_midi())) == {"Lead": 70, "Bass": 71, "Keys": 72}
    require_written_as_it_is(full)


def test_a_silent_track_of_a_piece_made_by_hand_gets_one_chunk_with_its_first_notes() -> None:
    score = piece(from_file=False).add_track(50, name="New").set_tempo(90, bars=0)
    full = score.add_notes("New", 0, [Note(60, 90, 0, 9)])
    file = Score.from_bytes(full.to_midi()).source.file  # type: ignore[union-attr]
    assert [name for name in file.chunk_names if name] == [*NAMES, "New"]


@pytest.mark.parametrize("from_file", [False, True])
def test_two_pieces_with_a_silent_track_go_on_in_the_same_chunks(from_file: bool) -> None:
    one = piece(from_file=from_file).clear_bars(tracks="Bass").add_track(50, name="New")
    both = one + piece()
    assert both.source is not None
    require_written_as_it_is(both)
    require_written_as_it_is(with_notes_everywhere(both))
    n_before = piece().source.file.n_chunks  # type: ignore[union-attr]
    written = Score.from_bytes(with_notes_everywhere(both).to_midi())
    assert written.source.file.n_chunks == n_before + 1  # type: ignore[union-attr]


@pytest.mark.parametrize("n_bars", [1, 3])
def test_bars_in_which_nothing_sounds_are_kept_when_pieces_are_joined(n_bars: int) -> None:
    """Also where only a silent track has them, and where nothing sounds at all."""
    silent = Track([Bar(), Bar([], 3, 4), Bar([], 3, 4)], 5, name="Silent")
    heard = Track([Bar([Note(60, 90, 0, 10)]) for _ in range(n_bars)], 3, name="Heard")
    heard.bars[1:] = [Bar(list(bar.notes), 3, 4) for bar in heard.bars[1:]]
    for score in (Score([silent]), Score([heard, silent])):
        for joined in (piece() + score, score + piece(), score.set_tempo(90, bars=1) + score):
            assert joined.source is not None
            full = with_notes_everywhere(joined)
            assert Score.from_bytes(full.to_midi()) == full
            assert full.n_bars == joined.n_bars


def test_nothing_changed_is_the_same_bytes() -> None:
    score = piece()
    emptied = score.clear_bars(tracks="Bass").reorder_tracks([2, 1, 0]).reorder_tracks([2, 1, 0])
    back = emptied.add_notes("Bass", 0, [Note(45, 90, 0, 12)])
    assert back == score
    assert Counter(events_of(back.to_midi())) == Counter(events_of(score.to_midi()))
    assert score.reorder_tracks([2, 1, 0]).reorder_tracks([2, 1, 0]).to_midi() == score.to_midi()


# ---- which track is which ---------------------------------------------------------------------------


def silent_table(kinds: list[tuple[int, int]]) -> _core.ScoreTable:
    rows = np.array([(i, program, drum) for i, (program, drum) in enumerate(kinds)], np.int32)
    bars = np.array([(0, 4, 4, 0)] * len(kinds), np.int32)
    return _core.ScoreTable(np.zeros((0, 5), np.int32), bars.reshape(-1, 4), rows.reshape(-1, 3), 480)


@pytest.mark.parametrize(
    ("origin", "table", "expected"),
    [
        pytest.param([("A", 0), ("B", 8)], [("B", 8), ("A", 0)], [1, 0], id="names"),
        pytest.param([("A", 0), ("B", 8)], [("N", 3), ("B", 8)], [0, 1], id="a free place"),
        pytest.param([("A", 0), ("B", 8)], [("A", 0), ("N", 3), ("B", 8)], [0, -1, 1], id="a taken place"),
        pytest.param([("A", 0), ("B", 8)], [("B", 9), ("A", 0)], [1, 0], id="another program"),
        pytest.param([("", 0), ("", 8)], [("", 8), ("", 0)], [1, 0], id="programs without names"),
        pytest.param([("A", 0), ("A", 0)], [("A", 0), ("A", 0)], [0, 1], id="equals by place"),
        pytest.param([("A", 128), ("B", 8)], [("A", 0), ("B", 8)], [-1, 1], id="drums stay drums"),
    ],
)
def test_a_track_without_notes_is_known_by_its_name_program_and_place(
    origin: list[tuple[str, int]], table: list[tuple[str, int]], expected: list[int]
) -> None:
    def of(rows: list[tuple[str, int]]) -> tuple[_core.ScoreTable, list[str]]:
        return silent_table([(p % 128, p // 128) for _, p in rows]), [name for name, _ in rows]

    (old, old_names), (new, names) = of(origin), of(table)
    assert _core.match_tracks(old, new, old_names, names) == expected


@pytest.mark.parametrize(
    ("tracks", "message"),
    [
        ([0, 1], r"origin_tracks has 2 entries for 3 tracks"),
        ([0, 1, 3], r"origin_tracks\[2\] is 3; allowed: -1\.\.2"),
        ([0, -2, 1], r"origin_tracks\[1\] is -2; allowed: -1\.\.2"),
        ([0, 1, 1], r"origin_tracks\[2\] is 1, which another track is already"),
    ],
)
def test_wrong_origins_of_tracks_are_refused(tracks: list[int], message: str) -> None:
    score = piece()
    assert score.source is not None
    edited = score.add_notes(0, 0, [Note(80, 90, 0, 12)]).table
    with pytest.raises(ScoreError, match=message):
        _core.rewrite_midi(score.source.file, score.table, edited, [], False, tracks)
