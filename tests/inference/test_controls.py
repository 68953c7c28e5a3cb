"""Controls and limits: what they do to the music, per piece, track and bar."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from midigpt_nb import _core
from midigpt_nb.inference import GenerationRequest, InferenceConfig, InferenceEngine, TrackPrompt
from midigpt_nb.inference.backends.scripted import ScriptedBackend
from midigpt_nb.inference.config import settings
from midigpt_nb.inference.control_values import pitches_of, shape_log_weights
from midigpt_nb.inference.controls import CONTROLS, LIMITS, describe_controls, model_facts
from midigpt_nb.inference.filters import softmax
from midigpt_nb.inference.remix import free_notes
from midigpt_nb.inference.rng import SeedStream
from midigpt_nb.inference.scales import GRID_UNITS, RANGES, SCALES, grid_ticks
from midigpt_nb.inference.soft_weights import Soft, Weights
from midigpt_nb.score.model import Bar, Note, Score, Track
from midigpt_nb.tokenizer import Tokenizer

from .conftest import make_score

CONFIGS = Path(__file__).parent.parent / "reference" / "configs"
JOINT = {
    "model_dim": 4,
    "bars_per_step": "auto",
    "tracks_per_step": "auto",
    "novelty_check": False,
    "seed": 1,
}
T = _core.TokenType


@pytest.fixture
def uniform(scripted):
    """An engine that finds every legal token equally likely."""
    return scripted(max_context=8192)


@pytest.fixture(scope="module")
def expressive():
    """An engine whose loudness, timing and style can be switched."""
    tokenizer = Tokenizer(json.loads((CONFIGS / "expressive.json").read_text()))
    return InferenceEngine(ScriptedBackend(tokenizer.vocab.size, max_context=8192), tokenizer)


def written(engine, score, *tracks, controls=None, **config):
    """The result, and a function (track, bar) -> [(onset, pitch, length)] in grid ticks."""
    request = GenerationRequest(list(tracks), InferenceConfig(**{**JOINT, **config}), controls or {})
    result = engine.session(score, request).run()
    grid = _core.grid_table(result.table, engine.limits.resolution)

    def notes(track, bar):
        first, last = grid.note_rows(track, bar)
        return [(int(o), int(p), int(d)) for o, d, p, *_ in grid.notes[first:last]]

    return result, notes


def onsets(notes):
    ticks = [onset for onset, *_ in notes]
    return [(tick, ticks.count(tick)) for tick in sorted(set(ticks))]


# --- pitches --------------------------------------------------------------------------------------


def test_d27_u12_tracks_and_bars_of_one_step_keep_to_their_own_pitches(uniform, score):
    c_major = {"pitch_mask": {"scale": "major", "range": "bass voice"}}
    first = TrackPrompt(
        0,
        [2, 3],
        controls=c_major,
        bar_controls={3: {"pitch_mask": {"pitch_classes": ["C#", "F#"]}}},
    )
    second = TrackPrompt(1, [2], controls={"pitch_mask": {"pitches": [70, 72]}})
    free = TrackPrompt(2, [2], bar_controls={2: {"pitch_mask": {}}})
    session = uniform.session(score, GenerationRequest([first, second, free], InferenceConfig(**JOINT)))
    assert len(session.plan) == 1
    _, notes = written(uniform, score, first, second, free, density_hard_limit=8)
    assert {p % 12 for _, p, _ in notes(0, 2)} <= {0, 2, 4, 5, 7, 9, 11}
    assert {p % 12 for _, p, _ in notes(0, 3)} <= {1, 6}, "the bar's notes take the place of the scale"
    assert all(40 <= p <= 64 for b in (2, 3) for _, p, _ in notes(0, b)), "the track's range stays"
    assert {p for _, p, _ in notes(1, 2)} <= {70, 72}
    assert len({p for _, p, _ in notes(2, 2)}) > 1


def test_u12_a_bar_can_be_freed_from_its_tracks_control(uniform, score):
    asked = TrackPrompt(
        0,
        [4, 5],
        controls={"pitch_mask": {"pitches": [60]}, "rhythm_mask": {"positions": [{"pos": 0}]}},
        bar_controls={5: {"pitch_mask": None, "rhythm_mask": None}},
    )
    _, notes = written(uniform, score, asked, density_hard_limit=9)
    assert [(o, p) for o, p, _ in notes(0, 4)] == [(0, 60)]
    assert {p for _, p, _ in notes(0, 5)} != {60}


def test_u12_continuations_keep_to_the_pitches_of_each_bar(uniform, score):
    bars = {b: {"pitch_mask": {"pitches": [40 + b]}} for b in range(4, 8)}
    asked = TrackPrompt(0, [4, 5, 6, 7], autoregressive=True, bar_controls=bars)
    _, notes = written(uniform, score, asked, density_hard_limit=5, bars_per_step=2)
    for bar in range(4, 8):
        assert {p for _, p, _ in notes(0, bar)} == {40 + bar}


@pytest.mark.parametrize("name", RANGES)
def test_u3_ranges_have_names(name):
    low, high = RANGES[name]
    assert 0 <= low < high <= 127
    assert pitches_of({"range": name}) == list(range(low, high + 1))


@pytest.mark.parametrize("name", SCALES)
def test_scales_are_steps_of_an_octave_from_their_root(name):
    steps = SCALES[name]
    assert steps[0] == 0 and list(steps) == sorted(set(steps)) and steps[-1] < 12
    moved = [p for p in range(128) if (p - 3) % 12 in steps]
    assert (pitches_of({"scale": name, "root": "Eb"}) or list(range(128))) == moved


def test_pitches_go_before_a_scale():
    assert pitches_of({"pitches": [61], "scale": "major"}) == [61]
    assert pitches_of({"pitches": [61, 90], "range": [0, 64]}) == [61]
    assert pitches_of({}) is None and pitches_of({"scale": "chromatic"}) is None


# --- preferences ----------------------------------------------------------------------------------


def test_d11_preferences_leave_the_share_of_notes_as_it_is():
    q = softmax(np.random.default_rng(0).normal(size=300))
    legal = np.arange(300)
    soft = Soft({0: [Weights(100, shape_log_weights({"type": "normal", "mean": 60, "std": 3}))]})
    weighed = soft.weighted(q, legal, 0)
    pitches = slice(100, 228)
    assert weighed.sum() == pytest.approx(1) and weighed[pitches].sum() == pytest.approx(q[pitches].sum())
    assert np.array_equal(weighed[:100], q[:100]) and np.array_equal(weighed[228:], q[228:])
    near, far = weighed[160] / q[160], weighed[166] / q[166]
    assert far / near == pytest.approx(np.exp(-2)), "the weights act inside the family as defined"
    assert soft.weighted(q, legal, 1) is q, "another block is left alone"


@pytest.mark.parametrize(
    ("shape", "legal", "expected"),
    [
        pytest.param(
            {"type": "uniform", "min": 100, "max": 110}, [60, 62], [0.3, 0.7], id="d12 disjoint: ignored"
        ),
        pytest.param({"type": "uniform", "min": 61, "max": 70}, [60, 62], [0, 1], id="uniform"),
        pytest.param(
            {"type": "normal", "mean": 62, "std": 0}, [60, 62], [0, 1], id="no width: the one pitch"
        ),
        pytest.param(
            {"type": "normal", "mean": 0, "std": 0.001}, [60, 62], [1, 0], id="far away: the nearest"
        ),
        pytest.param(
            {"type": "normal"}, [60, 72], [0.3, 0.7 * np.exp(-0.5)], id="the usual middle and width"
        ),
    ],
)
def test_d12_shapes_never_leave_nothing(shape, legal, expected):
    soft = Soft({0: [Weights(0, shape_log_weights(shape))]})
    got = soft.weighted(np.array([0.3, 0.7]), np.array(legal), 0)
    assert got == pytest.approx(np.array(expected) / sum(expected))


def test_d12_a_shape_with_a_narrow_mask_writes_what_the_mask_allows(uniform, score):
    mask = {"pitches": [60, 61, 100], "shape": {"type": "normal", "mean": 0, "std": 0}}
    _, notes = written(
        uniform, score, TrackPrompt(0, [2], controls={"pitch_mask": mask}), density_hard_limit=9
    )
    assert {p for _, p, _ in notes(0, 2)} == {60}


def test_a_shape_moves_the_pitches_of_its_track(uniform, score):
    mask = {"shape": {"type": "normal", "mean": 80, "std": 2}}
    tracks = [TrackPrompt(0, [2, 3], controls={"pitch_mask": mask}), TrackPrompt(1, [2, 3])]
    _, notes = written(uniform, score, *tracks)
    steered = [p for b in (2, 3) for _, p, _ in notes(0, b)]
    assert steered and all(abs(p - 80) < 12 for p in steered)
    assert any(abs(p - 80) > 12 for b in (2, 3) for _, p, _ in notes(1, b))


# --- rhythm ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("unit", "ticks"),
    [
        ("whole", 48), ("half", 24), ("quarter", 12), ("eighth", 6), ("sixteenth", 3),
        ("quarter_triplet", 4), ("eighth_triplet", 2), ("sixteenth_triplet", 1),
        ("half_note_triplet", 16), ("quarter_note_triplet", 8), ("eighth_note_triplet", 4),
        ("sixteenth_note_triplet", 2),
    ],
)  # fmt: skip
def test_d31_triplets_have_the_references_names_and_the_musicians(unit, ticks):
    assert grid_ticks(unit, 12) == ticks
    assert {name for name in GRID_UNITS if name.endswith("triplet")} >= {unit} or "triplet" not in unit


def test_a_grid_of_full_strength_is_kept(uniform, score):
    mask = {"grid": {"unit": "eighth_note_triplet"}}
    asked = TrackPrompt(0, [2, 3], bar_controls={3: {"rhythm_mask": mask}})
    _, notes = written(uniform, score, asked)
    assert {o % 4 for o, *_ in notes(0, 3)} == {0}
    assert {o % 4 for o, *_ in notes(0, 2)} != {0}


def test_d11_a_weaker_grid_prefers_its_lines(uniform, score):
    soft = {"rhythm_mask": {"grid": {"unit": "quarter", "strength": 0.98}}}
    _, notes = written(
        uniform, score, TrackPrompt(0, [0, 1, 2, 3], controls=soft), TrackPrompt(1, [0, 1, 2, 3])
    )
    share = [np.mean([o % 12 == 0 for b in range(4) for o, *_ in notes(t, b) if o]) for t in (0, 1)]
    assert share[0] > share[1] + 0.2


def test_u5_d27_an_exact_rhythm_may_begin_with_a_rest_and_differ_between_tracks(uniform, score):
    def rhythm(*groups):
        return {"rhythm_mask": {"positions": [{"pos": p, "polyphony": n} for p, n in groups]}}

    tracks = [
        TrackPrompt(0, [2, 3], controls=rhythm((36, 1), (6, 2)), bar_controls={3: rhythm((0, 3))}),
        TrackPrompt(2, [2, 3], controls=rhythm((0, 1), (12, 1), (24, 1))),
    ]
    _, notes = written(uniform, score, *tracks)
    assert onsets(notes(0, 2)) == [(6, 2), (36, 1)] and onsets(notes(0, 3)) == [(0, 3)]
    assert onsets(notes(2, 2)) == onsets(notes(2, 3)) == [(0, 1), (12, 1), (24, 1)]


# --- remix ----------------------------------------------------------------------------------------


def grid_notes(engine, score, track, bar):
    grid = _core.grid_table(score.table, engine.limits.resolution)
    first, last = grid.note_rows(track, bar)
    return sorted((int(o), int(p), int(d)) for o, d, p, *_ in grid.notes[first:last])


@pytest.mark.parametrize("autoregressive", [False, True], ids=["infill", "continuation"])
@pytest.mark.parametrize("mode", ["pitch", "full"])
def test_a_remix_keeps_the_rhythm_and_most_notes(uniform, mode, autoregressive):
    score = make_score(notes_per_bar=5)
    bars = list(range(4, 8))
    asked = TrackPrompt(
        0, bars, autoregressive=autoregressive, controls={"remix": {"amount": 0.4, "mode": mode}}
    )
    _, notes = written(uniform, score, asked)
    lengths = changed = 0
    for bar in bars:
        old, new = grid_notes(uniform, score, 0, bar), sorted(notes(0, bar))
        assert onsets(old) == onsets(new)
        changed += len(old) - len({(o, p) for o, p, _ in old} & {(o, p) for o, p, _ in new})
        lengths += [d for *_, d in old] != [d for *_, d in new]
    assert 1 <= changed <= 8, "two notes in five"
    if mode == "full":
        assert lengths


def test_a_remix_of_drums_and_of_an_empty_bar(uniform):
    score = make_score(notes_per_bar=4)
    score.tracks[0].bars[2] = Bar([])
    wish = {"remix": {"amount": 0.01}}
    _, notes = written(uniform, score, TrackPrompt(0, [2], controls=wish), TrackPrompt(2, [2], controls=wish))
    assert notes(0, 2), "an empty bar has nothing to keep"
    old, new = grid_notes(uniform, score, 2, 2), notes(2, 2)
    assert onsets(old) == onsets(new)
    assert len({(o, p) for o, p, _ in old} - {(o, p) for o, p, _ in new}) <= 1


def test_which_notes_are_free_depends_on_seed_and_attempt_only():
    places = [(b, i) for b in (3, 4) for i in range(6)]
    free = free_notes(places, 0, 0.5, SeedStream(7))
    assert free == free_notes(places, 0, 0.5, SeedStream(7, step=9)) and len(free) == 6
    others = {
        frozenset(free_notes(places, 0, 0.5, SeedStream(s, attempt=a))) for s in (7, 8) for a in range(3)
    }
    assert len(others) > 3
    assert len(free_notes(places, 0, 0.01, SeedStream(7))) == 1
    assert len(free_notes(places, 0, 1.0, SeedStream(7))) == 12
    assert len(free_notes(places[:5], 0, 0.5, SeedStream(7))) == 2, "halves to the even number"


# --- limits ---------------------------------------------------------------------------------------


def test_u3_limits_hold_for_their_track_and_bar(uniform, score):
    tracks = [
        TrackPrompt(
            0,
            [2, 3],
            controls={"max_note_beats": 0.5, "density_hard_limit": 3},
            bar_controls={3: {"density_hard_limit": 1}},
        ),
        TrackPrompt(1, [2, 3], controls={"note_end": "bar", "polyphony_hard_limit": 1}),
    ]
    _, notes = written(uniform, score, *tracks, density_hard_limit=9)
    assert len(notes(0, 2)) <= 3 and len(notes(0, 3)) == 1
    assert all(d <= 6 for b in (2, 3) for *_, d in notes(0, b))
    assert all(o + d <= 48 for b in (2, 3) for o, _, d in notes(1, b))
    assert all(n == 1 for b in (2, 3) for _, n in onsets(notes(1, b)))


def test_u3_no_note_passes_the_end_of_the_piece(uniform, score):
    session = uniform.session(
        score, GenerationRequest([TrackPrompt(0, [6, 7])], InferenceConfig(**JOINT, note_end="piece"))
    )
    matcher = session.prompt(0).matcher
    vocab = uniform.tokenizer.vocab
    matcher.accept(vocab.encode(T.TimeAbsolutePos, 40))
    matcher.accept(vocab.encode(T.NoteOnset, 60))
    assert matcher.is_legal(vocab.encode(T.NoteDuration, 8 + 48 - 1))
    assert not matcher.is_legal(vocab.encode(T.NoteDuration, 8 + 48))


def test_u3_a_true_limit_on_voices(uniform):
    empty = Score([Track([Bar([]) for _ in range(4)])])
    for seed in range(3):
        _, notes = written(
            uniform,
            empty,
            TrackPrompt(0, [0, 1, 2, 3], controls={"sounding_limit": 2}),
            seed=seed,
            density_hard_limit=9,
        )
        ticks = np.zeros(48 * 8, int)
        for bar in range(4):
            for onset, _, length in notes(0, bar):
                ticks[48 * bar + onset : 48 * bar + onset + length] += 1
        assert ticks.max() <= 2


def test_k7_u5_bars_hold_a_note_unless_they_may_be_empty(scripted, score):
    engine = scripted(max_context=8192)
    vocab = engine.tokenizer.vocab
    engine.backend.script = lambda tokens: vocab.encode(T.FillInEnd, 0)
    config = {"silence_check": False, "density_hard_limit": 3}
    asked = TrackPrompt(0, [2, 3], bar_controls={3: {"allow_empty": True}})
    _, notes = written(engine, score, asked, **config)
    assert notes(0, 2) and notes(0, 3) == []
    _, notes = written(engine, score, TrackPrompt(0, [2, 3]), allow_empty=True)
    assert notes(0, 2) == notes(0, 3) == [], "a step that may be empty is not rejected for being silent"


def test_k7_random_music_leaves_no_bar_empty(uniform, score):
    _, notes = written(uniform, score, TrackPrompt(0, [2, 3]), TrackPrompt(1, autoregressive=True))
    assert all(notes(0, b) for b in (2, 3)) and all(notes(1, b) for b in range(8))


# --- metre ----------------------------------------------------------------------------------------


def test_d10_bars_keep_their_metre_and_appended_ones_get_the_one_asked_for(uniform):
    score = make_score(1, 4, metres=((4, 4), (3, 4), (7, 8), (4, 4)))
    value = uniform.tokenizer.vocab.time_signature_value
    asked = TrackPrompt(
        0,
        list(range(6)),
        autoregressive=True,
        bar_controls={4: {"time_signature": value(6, 8)}, 5: {"time_signature": value(6, 8)}},
    )
    result, _ = written(uniform, score, asked, density_hard_limit=5)
    metres = [(b.ts_numerator, b.ts_denominator) for b in result.tracks[0].bars]
    assert metres == [(4, 4), (3, 4), (7, 8), (4, 4), (6, 8), (6, 8)]


def test_d10_a_new_metre_when_every_track_is_written(uniform):
    score = make_score(2, 4)
    waltz = {"time_signature": uniform.tokenizer.vocab.time_signature_value(3, 4)}
    tracks = [TrackPrompt(t, autoregressive=True, controls=waltz) for t in (0, 1)]
    result, notes = written(uniform, score, *tracks, density_hard_limit=5)
    assert {(b.ts_numerator, b.ts_denominator) for t in result.tracks for b in t.bars} == {(3, 4)}
    assert all(o < 36 for t in (0, 1) for b in range(4) for o, *_ in notes(t, b))


# --- switches -------------------------------------------------------------------------------------


def test_d20_without_loudness_only_new_notes_are_equally_loud(expressive):
    score = make_score()
    request = GenerationRequest(
        [TrackPrompt(0, [2])], InferenceConfig(**JOINT, density_hard_limit=5), {"velocity": False}
    )
    result = expressive.session(score, request).run()
    for t, track in enumerate(result.tracks):
        for b, bar in enumerate(track.bars):
            if (t, b) == (0, 2):
                assert {n.velocity for n in bar.notes} == {100}
            else:
                assert bar.notes == score.tracks[t].bars[b].notes


@pytest.mark.parametrize("name", ["jazz", "Big-Band", "SWING"])
def test_a_genre_goes_by_all_its_names(expressive, name):
    request = GenerationRequest([TrackPrompt(0, [2])], InferenceConfig(**JOINT), {"genre": name})
    tokens = expressive.session(make_score(), request).prompt(0).tokens
    vocab = expressive.tokenizer.vocab
    assert vocab.encode(T.Genre, vocab.genres.index("jazz")) in tokens.tolist()


# --- the table ------------------------------------------------------------------------------------


def test_the_table_is_plain_data_for_a_panel(expressive, uniform):
    rows = describe_controls(model_facts(expressive.tokenizer.config))
    assert json.loads(json.dumps(rows)) == rows
    assert [row["name"] for row in rows] == list(CONTROLS)
    for row in rows:
        assert row["meaning"] and row["levels"] and row["kind"] in ("flag", "choice", "number", "dict")
        assert row["kind"] != "choice" or row["choices"]
        assert (row["kind"] == "dict") == ("parts" in row)
    assert set(LIMITS) == {n for n, s in settings().items() if s.group == "limits"}
    few = {row["name"] for row in describe_controls(model_facts(uniform.tokenizer.config))}
    assert few == set(CONTROLS) - {"velocity", "microtiming", "genre"} == set(uniform.limits.controls)


@pytest.mark.parametrize(
    ("wish", "name"),
    [
        ({"rhythm_mask": {"positions": [{"pos": 0}, {"pos": 12}, {"pos": 30}]}}, "rhythm_mask"),
        ({"remix": {"amount": 1}}, "remix"),
    ],
)
def test_asked_notes_that_found_no_voice_are_told(engine, wish, name):
    score = Score([Track([Bar(), Bar(), Bar(), Bar()])])
    score.tracks[0].bars[1] = Bar([Note(48, 90, 0, 1920 + 480)])  # rings on over the next bar's first beat
    score.tracks[0].bars[2] = Bar([Note(60 + i, 90, i * 480, 240) for i in range(3)])

    def report(**limits):
        prompt = TrackPrompt(0, [2], controls={**wish, **limits})
        session = engine.session(score, GenerationRequest([prompt], InferenceConfig(seed=1)))
        session.run()
        return session.report()

    assert report().remarks == []
    held = report(sounding_limit=1)
    (remark,) = held.remarks
    assert remark.startswith("track 0, bar 2: of the 3 notes that " + name)
    assert "1 could not be written, at tick 0: sounding_limit 1 left no voice free" in remark
    assert remark in repr(held) and remark in held._repr_html_()
