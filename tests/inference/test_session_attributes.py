"""What a session says about the music in attribute tokens, and what it reports afterwards."""

from __future__ import annotations

from itertools import pairwise

from midigpt_nb.inference import TrackPrompt
from midigpt_nb.score.model import Bar, Note, Score, Track

from .asking import changed_cells, prompts_of, request
from .conftest import make_score


def bars_in(rows, track):
    """The bars of the n-th track of a prompt, each a list of (type, value)."""
    tracks = [i for i, (kind, _) in enumerate(rows) if kind == "Track"] + [len(rows)]
    part = rows[tracks[track] : tracks[track + 1]]
    starts = [i for i, (kind, _) in enumerate(part) if kind == "Bar"] + [len(part)]
    return [part[a:b] for a, b in pairwise(starts)]


def test_bar_wishes_stand_at_their_own_bars_and_context_tells_its_own_values(engine, score, monkeypatch):
    asked = request(
        TrackPrompt(0, [5, 6], bar_attributes={6: {"note_density": 9}}), model_dim=4, bars_per_step="auto"
    )
    session, (rows,) = prompts_of(engine, score, asked, monkeypatch)
    start = session.plan_summary()[0]["window"][0]
    assert start > 0
    grid = engine.piece(score.table, min_bars=4).grid
    own = engine.attributes.bar_values(grid, 0)["bar_note_density"]
    said = [dict(bar).get("BarLevelOnsetDensity") for bar in bars_in(rows, 0)]
    expected = [None if b == 5 else 9 if b == 6 else int(own[b]) for b in range(start, start + 4)]
    assert said == expected


def test_track_attributes_describe_visible_context_and_an_empty_track_says_nothing(engine, monkeypatch):
    score = make_score(2, 4)
    empty = Score([score.tracks[0], Track([Bar() for _ in range(4)], instrument=30, track_type="melodic")])
    asked = request(TrackPrompt(1, [1], attributes={"note_density": 7}), model_dim=4)
    _, (rows,) = prompts_of(engine, empty, asked, monkeypatch)
    second = [i for i, (kind, _) in enumerate(rows) if kind == "Track"][1]
    until_bar = rows[second + 2 : rows.index(("Bar", 0), second)]
    assert until_bar == [("NoteDensity", 7)]


def test_what_is_to_be_written_does_not_colour_the_attributes(engine, score, monkeypatch):
    asked = request(TrackPrompt(0, [2]), model_dim=8)
    _, (rows,) = prompts_of(engine, score, asked, monkeypatch)
    loud = score.copy()
    loud.tracks[0].bars[2].notes = [Note(30 + i, 100, 10 * i, 5) for i in range(60)]
    _, (other,) = prompts_of(engine, loud, asked, monkeypatch)
    assert rows == other


def test_later_targets_are_hidden_unless_asked_for(engine, score, monkeypatch):
    for shown, hidden_bars in (("hide", 1), ("show", 0)):
        asked = request(TrackPrompt(0, [2, 3]), model_dim=8, later_targets=shown)
        _, prompts = prompts_of(engine, score, asked, monkeypatch)
        assert [sum(kind == "MaskBar" for kind, _ in rows) for rows in prompts] == [hidden_bars, 0]


def test_hidden_bars_come_back_unchanged_and_are_not_fed(engine, score, monkeypatch):
    asked = request(TrackPrompt(0, [2]), TrackPrompt(1, mask_bars=[0, 1]), model_dim=8)
    session, (rows,) = prompts_of(engine, score, asked, monkeypatch)
    hidden = [bar for bar in bars_in(rows, 1) if ("MaskBar", 0) in bar]
    assert len(hidden) == 2 and all(
        {kind for kind, _ in bar} == {"Bar", "TimeSig", "MaskBar", "BarEnd"} for bar in hidden
    )
    assert changed_cells(score, session.run()) == {(0, 2)}


def test_autoregressive_wishes_are_announced(engine, score):
    prompt = TrackPrompt(
        0, autoregressive=True, attributes={"max_polyphony": 3}, bar_attributes={5: {"note_density": 2}}
    )
    session = engine.session(score, request(prompt, model_dim=4, bars_per_step="auto"))
    session.run()
    rows = {(r.name, r.bar): r for r in session.report()}
    assert (rows["max_polyphony", None].requested, rows["max_polyphony", None].announced) == (3, 3)
    assert (rows["bar_note_density", 5].requested, rows["bar_note_density", 5].announced) == (2, 2)
    assert rows["bar_note_density", 4].requested is None


def test_the_report_measures_the_result(engine, score):
    session = engine.session(
        score,
        request(
            TrackPrompt(0, [1, 2], attributes={"note_density": 4}, bar_attributes={2: {"note_density": 0}})
        ),
    )
    result = session.run()
    grid = engine.piece(result.table, min_bars=4).grid
    rows = {(r.name, r.bar): r for r in session.report()}
    row = rows["note_density", None]
    assert (row.requested, row.announced) == (4, 4)
    assert row.realised == engine.attributes.track_values(grid, 0, bars=[1, 2])["note_density"]
    bar = rows["bar_note_density", 2]
    assert bar.realised == engine.attributes.bar_values(grid, 0)["bar_note_density"][2]
    assert bar.adherence == 1 - abs(bar.realised - 0) / (bar.size - 1)
    assert rows["bar_note_density", 1].adherence is None


def test_the_key_that_was_realised_is_that_of_the_window(engine):
    """A piece in C with one window in F sharp: a bar written there is measured against its neighbours."""

    def chord(*pitches):
        return Bar([Note(p, 90, 0, 1900) for p in pitches])

    c_major, f_sharp = chord(60, 64, 67, 48, 72), chord(66, 70, 73, 54, 78)
    far = [c_major] * 28
    score = Score([Track([*far, *[f_sharp] * 4]), Track([*far, f_sharp, Bar(), f_sharp, f_sharp])])
    asked = request(TrackPrompt(1, [29]), model_dim=4, density_hard_limit=1, polyphony_hard_limit=1)
    session = engine.session(score, asked)
    result = session.run()
    ((start, end),) = [step["window"] for step in session.plan_summary()]
    window = engine.piece(result.table, min_bars=4).grid.window([0, 1], start, end)
    key = next(r for r in session.report() if r.name == "key_signature")
    assert key.realised == engine.attributes.track_values(window, 1)["key_signature"] == 6


def test_attributes_that_an_earlier_result_carries_are_ignored(engine, score, monkeypatch):
    asked = request(TrackPrompt(0, [2]), model_dim=8)
    _, (rows,) = prompts_of(engine, score, asked, monkeypatch)
    stale = score.copy()
    stale.tracks[0].attributes = {"note_density": 9, "max_polyphony": 9}
    _, (other,) = prompts_of(engine, stale, asked, monkeypatch)
    assert rows == other
