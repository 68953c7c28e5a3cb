"""Pieces that grow: bars behind the end, new tracks, other metres; and pieces shorter than a window."""

from __future__ import annotations

import numpy as np
import pytest

from midigpt_nb import _core
from midigpt_nb.errors import RequestValidationError
from midigpt_nb.inference import GenerationRequest, InferenceConfig, TrackPrompt
from midigpt_nb.inference import events as ev
from midigpt_nb.inference.growth import grown, ungrown
from midigpt_nb.inference.notes import GridNote, NotePlacer
from midigpt_nb.score.model import Bar, Note, Score, Track

from .conftest import make_score


def request(*tracks, **config):
    return GenerationRequest(list(tracks), InferenceConfig(density_hard_limit=6, seed=1, **config))


def metres(table, track=0):
    first, last = table.bar_rows(track)
    return [tuple(row) for row in table.bars[first:last, 1:3].tolist()]


def cell(table, track, bar):
    return table.notes[slice(*table.note_rows(track, bar))].tolist()


def kept(before, after, but=()):
    """Whether every bar of the score is as it was, but for some cells."""
    return all(
        cell(before.table, t, b) == cell(after.table, t, b)
        for t in range(before.n_tracks)
        for b in range(before.n_bars)
        if (t, b) not in but
    )


# --- bars behind the end --------------------------------------------------------------------------


@pytest.mark.parametrize(("n_bars", "window"), [(8, 8), (8, 4), (2, 4), (2, "auto"), (1, 8)])
def test_u13_bars_are_written_behind_the_end(engine, n_bars, window):
    score = make_score(3, n_bars, metres=((4, 4), (3, 4)))
    end = n_bars + 3
    session = engine.session(
        score, request(TrackPrompt(1, list(range(n_bars, end)), autoregressive=True), model_dim=window)
    )
    result = session.run()
    assert result.n_bars == end and kept(score, result) and score.n_bars == n_bars
    last = metres(score.table)[-1]
    assert all(metres(result.table, t) == metres(score.table) + [last] * 3 for t in range(3))
    for bar in range(n_bars, end):
        assert cell(result.table, 1, bar) and not cell(result.table, 0, bar)
    assert session.generated_bars == {1: list(range(n_bars, end))}


def test_u13_old_bars_and_new_ones_in_one_go(engine):
    score = make_score(2, 8)
    result = engine.session(
        score, request(TrackPrompt(0, list(range(6, 12)), autoregressive=True), model_dim=8)
    ).run()
    assert result.n_bars == 12 and kept(score, result, {(0, 6), (0, 7)})
    assert all(cell(result.table, 0, bar) for bar in range(6, 12))


def test_u13_two_tracks_may_go_on_differently_far(engine):
    score = make_score(2, 4)
    result = engine.session(
        score,
        request(
            TrackPrompt(0, list(range(4, 8)), autoregressive=True),
            TrackPrompt(1, [4, 5], autoregressive=True),
            model_dim=4,
            tracks_per_step=2,
        ),
    ).run()
    assert result.n_bars == 8 and kept(score, result)
    assert [bool(cell(result.table, 1, bar)) for bar in range(4, 8)] == [True, True, False, False]


def test_u13_new_bars_have_the_metre_that_was_asked_for(engine):
    score = make_score(1, 4)
    index = engine.limits.time_signatures.index((7, 8))
    prompt = TrackPrompt(0, [4, 5], autoregressive=True, controls={"time_signature": index})
    result = engine.session(score, request(prompt, model_dim=4)).run()
    assert metres(result.table) == [(4, 4)] * 4 + [(7, 8)] * 2 and kept(score, result)
    onsets = [row[0] for bar in (4, 5) for row in cell(result.table, 0, bar)]
    assert max(onsets) < _core.bar_ticks(7, 8, 480)


def test_no_note_passes_the_new_end(engine):
    for seed in range(4):
        prompt = TrackPrompt(0, [4, 5], autoregressive=True)
        asked = GenerationRequest([prompt], InferenceConfig(seed=seed, density_hard_limit=4))
        table = engine.session(make_score(1, 4), asked).run().table
        for bar in (4, 5):
            for onset, duration, *_ in cell(table, 0, bar):
                assert bar * 1920 + onset + duration <= 6 * 1920


def test_infill_behind_the_end_is_an_error(engine):
    with pytest.raises(RequestValidationError, match=r"tracks\[0\].bars"):
        engine.session(make_score(1, 4), request(TrackPrompt(0, [4])))


def test_a_piece_grows_by_at_most_256_bars(engine):
    score = make_score(1, 4)
    engine.session(score, request(TrackPrompt(0, list(range(4, 260)), autoregressive=True)))
    with pytest.raises(RequestValidationError, match="256"):
        engine.session(score, request(TrackPrompt(0, list(range(4, 261)), autoregressive=True)))


def test_what_was_cancelled_leaves_no_empty_bars_behind(engine):
    score = make_score(2, 4)
    session = engine.session(
        score, request(TrackPrompt(0, list(range(4, 12)), autoregressive=True), model_dim=4)
    )
    for event in session.stream():
        if isinstance(event, ev.BarFinished) and event.bar == 6:
            session.cancel_event.set()
    result = event.score
    assert event.status == "cancelled" and 7 <= result.n_bars < 12
    assert cell(result.table, 0, result.n_bars - 1) and kept(score, result)


# --- new tracks -----------------------------------------------------------------------------------


def new_track(id_, bars=(), **facts):
    return TrackPrompt(id_, list(bars), autoregressive=True, new=facts)


@pytest.mark.parametrize("kind", ["melodic", "drum"])
def test_u13_a_track_is_added(engine, kind):
    score = make_score(2, 4)
    asked = request(new_track(2, range(4), instrument=33, track_type=kind), model_dim=4)
    result = engine.session(score, asked).run()
    assert result.n_tracks == 3 and result.n_bars == 4 and kept(score, result)
    assert result.table.tracks[2, 1:].tolist() == [33, kind == "drum"]
    assert all(cell(result.table, 2, bar) for bar in range(4))


def test_u13_two_tracks_are_added_and_one_goes_on(engine):
    score = make_score(1, 4)
    asked = request(
        new_track(1, range(6), instrument=33, track_type="melodic"),
        new_track(2, range(6), track_type="drum"),
        TrackPrompt(0, [4, 5], autoregressive=True),
        model_dim=4,
        tracks_per_step="auto",
    )
    result = engine.session(score, asked).run()
    assert result.n_tracks == 3 and result.n_bars == 6 and kept(score, result)
    assert all(cell(result.table, t, b) for t in (0, 1, 2) for b in (4, 5))


def test_u13_the_file_a_score_came_from_stays_below_what_was_added(engine):
    score = Score.from_midi(Score.example().to_midi())
    asked = request(
        new_track(score.n_tracks, range(score.n_bars - 4, score.n_bars + 2), instrument=48),
        model_dim=4,
    )
    result = engine.session(score, asked).run()
    again = Score.from_midi(result.to_midi())
    assert result.source is score.source and again.n_tracks == score.n_tracks + 1
    assert kept(score, result) and kept(score, again)


# --- metres ---------------------------------------------------------------------------------------


def test_d10_a_metre_for_bars_that_all_tracks_write(engine):
    """The whole of a one-track piece in another metre."""
    score = make_score(1, 4)
    index = engine.limits.time_signatures.index((3, 4))
    prompt = TrackPrompt(0, autoregressive=True, controls={"time_signature": index})
    result = engine.session(score, request(prompt, model_dim=4)).run()
    assert metres(result.table) == [(3, 4)] * 4 and metres(score.table) == [(4, 4)] * 4
    onsets = [row[0] for bar in range(4) for row in cell(result.table, 0, bar)]
    assert max(onsets) < 1440


def test_d10_each_bar_keeps_its_own_metre(engine):
    score = make_score(2, 8, metres=((4, 4), (3, 4), (7, 8)))
    for tracks in ([0], [0, 1]):
        prompts = [TrackPrompt(track, autoregressive=True) for track in tracks]
        result = engine.session(score, request(*prompts, model_dim=8)).run()
        assert metres(result.table) == metres(score.table)


def test_bars_nobody_wrote_get_their_metre_back():
    score = make_score(2, 4)
    prompts = [TrackPrompt(t, [2, 3], autoregressive=True) for t in (0, 1)]
    larger = grown(score.table, GenerationRequest(prompts), {2: (3, 4), 3: (3, 4)})
    assert metres(larger) == [(4, 4)] * 2 + [(3, 4)] * 2 and not cell(larger, 0, 3)
    back = ungrown(larger, score.table, {(0, 2)})
    assert metres(back) == [(4, 4), (4, 4), (3, 4), (4, 4)]
    assert [cell(back, t, 3) == cell(score.table, t, 3) for t in (0, 1)] == [True, True]
    assert np.array_equal(ungrown(larger, score.table, set()).notes, score.table.notes)


def test_growing_changes_nothing_when_nothing_is_added():
    score = make_score(2, 4)
    table = score.table
    assert grown(table, GenerationRequest([TrackPrompt(0, [1])]), {}) is table
    assert grown(table, GenerationRequest([TrackPrompt(0, [1])]), {1: (4, 4)}) is table


def test_a_piece_may_begin_with_nothing():
    empty = Score([]).table
    prompt = TrackPrompt(0, [0, 1], autoregressive=True, new={"instrument": 5, "track_type": "melodic"})
    table = grown(empty, GenerationRequest([prompt]), {})
    assert (table.n_tracks, table.n_bars(0), metres(table)) == (1, 2, [(4, 4)] * 2)


def test_new_notes_end_with_a_piece_that_was_cut():
    score = Score([Track([Bar([Note(60, 90, 0, 9000)])])])
    larger = grown(score.table, GenerationRequest([TrackPrompt(0, [1, 2, 3], autoregressive=True)]), {})
    written = larger.replaced([(0, 1)], [np.array([[480, 5000, 62, 90, 0]], dtype=np.int32)])
    table = ungrown(written, score.table, {(0, 1)})
    assert table.n_bars(0) == 2
    assert cell(table, 0, 1) == [[480, 1440, 62, 90, 0]] and cell(table, 0, 0) == [[0, 9000, 60, 90, 0]]


# --- short pieces ---------------------------------------------------------------------------------


@pytest.mark.parametrize("n_bars", [1, 2, 3])
@pytest.mark.parametrize("autoregressive", [False, True])
def test_u4_pieces_shorter_than_a_window(engine, n_bars, autoregressive):
    score = make_score(2, n_bars)
    prompt = TrackPrompt(0, [] if autoregressive else [n_bars - 1], autoregressive=autoregressive)
    session = engine.session(score, request(prompt, model_dim=4))
    events = list(session.stream())
    written = {(0, b) for b in (range(n_bars) if autoregressive else [n_bars - 1])}
    result = events[-1].score
    assert events[-1].status == "done" and result.n_bars == n_bars and kept(score, result, written)
    assert next(e for e in events if isinstance(e, ev.StepStarted)).window == (0, n_bars)


# --- placing --------------------------------------------------------------------------------------


def test_timing_off_the_grid_becomes_a_part_of_the_onset():
    table = Score([Track([Bar() for _ in range(2)])]).table
    for delta, onset in ((0, 480), (5, 497), (-4, 467), (11, 517)):
        placed = NotePlacer(table, 12, [(0, 0)]).place(0, 0, GridNote(60, 90, 12, 3, delta))
        assert placed[0] == onset and placed[4] == 0
        grid = _core.grid_table(table.replaced([(0, 0)], [np.array([placed], dtype=np.int32)]), 12, True)
        assert 12 * int(grid.notes[0, 0]) + int(grid.notes[0, 4]) == 144 + delta


def test_bars_beyond_those_of_the_file_have_the_length_of_their_metre():
    table = Score([Track([Bar() for _ in range(3)])]).table
    placer = NotePlacer(table, 12, [(0, 2)], bar_lengths=[960, 1920])
    assert placer.place(0, 2, GridNote(60, 90, 40, 2))[:2] == (1600, 80)


def test_u13_some_bars_of_a_new_track_are_filled_in(engine):
    score = make_score(2, 8)
    bass = TrackPrompt(2, [3, 4], new={"instrument": "Acoustic Bass"})
    drums = TrackPrompt(3, [3], new={"track_type": "drum"})
    result = engine.session(score, request(bass, drums, model_dim=4, tracks_per_step="auto")).run()
    assert kept(score, result) and result.n_bars == 8 and result.n_tracks == 4
    assert [(t.instrument, t.track_type) for t in result.tracks[2:]] == [(32, "melodic"), (0, "drum")]
    assert [b for b in range(8) if cell(result.table, 2, b)] == [3, 4]
    assert [b for b in range(8) if cell(result.table, 3, b)] == [3]


def test_u13_a_piece_is_written_from_nothing(engine):
    tracks = [
        TrackPrompt(i, range(3), autoregressive=True, new=new, controls={"time_signature": "3/4"})
        for i, new in enumerate(({"instrument": "Violin"}, {"track_type": "drum"}))
    ]
    result = engine.session(Score([]), request(*tracks)).run()
    assert (result.n_tracks, result.n_bars) == (2, 3) and metres(result.table) == [(3, 4)] * 3
    assert all(cell(result.table, t, b) for t in range(2) for b in range(3))
    with pytest.raises(RequestValidationError, match=r"there are no bars yet.*autoregressive=True adds bars"):
        engine.session(Score([]), request(TrackPrompt(0, [0], new={})))
