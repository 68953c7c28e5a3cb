"""Input that no musician writes: nothing may wrap around, crash or eat the machine's memory."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest

from midigpt_nb import _core
from midigpt_nb.attributes import attribute
from midigpt_nb.attributes.registry import Bins, forget
from midigpt_nb.errors import EncoderConfigError, ScoreError, VocabularyError
from midigpt_nb.score.model import Bar, Note, Score, Track
from midigpt_nb.tokenizer import EncoderConfig, Tokenizer
from tests.tokenizer.helpers import make_tokenizer

CONFIG: dict[str, Any] = {
    "resolution": 12,
    "supports_infill": True,
    "time_signatures": ["4/4", "680/1"],
    "num_bars_map": [4],
}
HUGE = 2**31 - 1


def config(**fields: Any) -> EncoderConfig:
    return EncoderConfig.from_dict({**CONFIG, **fields})


def one_note(onset: int = 0, duration: int = 12, *, delta: int = 0, resolution: int = 12) -> _core.ScoreTable:
    return _core.ScoreTable([[onset, duration, 60, 100, delta]], [[0, 4, 4, 0]], [[0, 0, 0]], resolution)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("velocity_levels", HUGE, r"velocity_levels is 2147483647; allowed: 2\.\.32767"),
        ("note_duration_max_beats", 10**9, r"note_duration_max_beats is 1000000000; allowed: 1\.\.32767"),
        ("note_duration_max_beats", 32767, "note_duration_max_beats x resolution is 393204"),
        ("resolution", 2**30, "resolution is 1073741824"),
        ("resolution", 1e300, "resolution is 1e[+]300; it must be a whole number"),
        ("resolution", float("inf"), "resolution is inf"),
        ("resolution", float("nan"), "resolution is nan"),
        ("time_signatures", ["99999999999999/1"], r"time_signatures\[0\]"),
        ("time_signatures", ["20000/1"], "20000/1, whose bars are longer than 32767 ticks"),
        ("time_signatures", ["²/4"], r"time_signatures\[0\] is '²/4'"),
        (
            "token_domains",
            [{"type": "VelocityLevel", "domain_size": HUGE}],
            r"VelocityLevel has size 2147483647; allowed: 1\.\.32767",
        ),
        (
            "token_domains",
            [{"type": "VelocityLevel", "domain_size": 2**31}],
            r"token_domains\[0\].domain_size is 2147483648",
        ),
        (
            "token_domains",
            [{"type": "Velocitylevel", "domain_size": 3}],
            r"token_domains\[0\].type: .*did you mean 'VelocityLevel'",
        ),
    ],
)
def test_sizes_that_cannot_be_are_refused_before_anything_is_allocated(
    field: str, value: object, message: str
) -> None:
    with pytest.raises(EncoderConfigError, match=message):
        config(**{field: value})


@pytest.mark.parametrize("text", ["[" * 100_000, b"\xff\xfe\xff", "9" * 5000, "{"], ids=lambda text: text[:2])
def test_text_that_is_no_json_is_a_configuration_error(text: str | bytes) -> None:
    with pytest.raises(EncoderConfigError):
        EncoderConfig.from_json(text)


def test_a_long_unknown_name_is_refused_quickly() -> None:
    start = time.perf_counter()
    with pytest.raises(VocabularyError, match=r"x[.][.][.]' of 300000 letters"):
        _core.parse_token_type("x" * 300_000)
    assert time.perf_counter() - start < 1.0


@pytest.mark.parametrize(
    ("tokens", "message"),
    [
        ([2.9, 0.1], "tokens must hold whole numbers, not values of the type float64"),
        (np.array([2**32 + 2]), r"tokens holds 4294967298; allowed: -2147483648\.\.2147483647"),
        (np.array([[2], [3]]), "flat list of token ids, not an array of 2 dimensions"),
        (["0"], "tokens must hold whole numbers"),
        ([-1], "no token -1"),
    ],
)
def test_token_ids_are_never_rounded_or_wrapped(tokens: Any, message: str) -> None:
    tokenizer = make_tokenizer("yellow")
    with pytest.raises(VocabularyError, match=message):
        tokenizer.decode(tokens)
    with pytest.raises(VocabularyError):
        _core.Matcher.for_prompt(tokenizer.vocab, tokens)


def test_token_ids_may_lie_anyhow_in_memory() -> None:
    tokenizer = make_tokenizer("yellow")
    ids = tokenizer.encode(Score([Track([Bar([Note(60, 100, 0, 480)]) for _ in range(4)])]))
    spread = np.repeat(np.array(ids, np.uint16), 3)[::3]
    assert tokenizer.decode(spread) == tokenizer.decode(ids)


def test_attribute_arrays_are_never_wrapped() -> None:
    vocab = make_tokenizer("yellow").vocab
    with pytest.raises(VocabularyError, match="track_attributes holds 70000"):
        _core.encode(vocab, one_note(), np.full((1, len(vocab.track_slots)), 70_000))
    with pytest.raises(VocabularyError, match="bar_attributes has two dimensions"):
        _core.encode(vocab, one_note(), None, np.zeros(3, np.int16))


@pytest.mark.parametrize(
    ("table", "resolution", "microtiming"),
    [
        (one_note(duration=HUGE), 1920, False),
        (one_note(onset=HUGE), 1920, False),
        (one_note(onset=HUGE), 1920, True),
        (one_note(delta=-HUGE, resolution=1), 1920, True),
    ],
)
def test_times_that_do_not_fit_a_finer_grid_are_refused(
    table: _core.ScoreTable, resolution: int, microtiming: bool
) -> None:
    with pytest.raises(ScoreError, match="does not fit the table at 1920"):
        _core.grid_table(table, resolution, microtiming)


def test_a_matcher_needs_a_vocabulary() -> None:
    with pytest.raises(TypeError):
        _core.Matcher.for_prompt(None, [0])  # type: ignore[arg-type]


def test_a_matcher_bounds_what_options_and_prompts_ask_for() -> None:
    vocab = _core.Vocabulary(config())
    kinds = _core.TokenType
    track = [vocab.encode(kinds.Track, 0), vocab.encode(kinds.Instrument, 0)]
    with pytest.raises(VocabularyError, match="n_bars is 2147483647; a track may have 16384 bars at most"):
        _core.Matcher.for_prompt(vocab, track, _core.MatcherOptions(n_bars=HUGE))
    assert _core.Matcher.for_prompt(vocab, track, _core.MatcherOptions(n_bars=16384)).block == -1
    bar = [vocab.encode(kinds.Bar, 0), vocab.encode(kinds.TimeSig, 1), vocab.encode(kinds.BarEnd, 0)]
    with pytest.raises(VocabularyError, match="a track may last 16777216 ticks"):
        _core.Matcher.for_prompt(vocab, track + 600 * bar, _core.MatcherOptions(n_bars=700, sounding_limit=1))


def test_a_rhythm_far_beyond_the_longest_track_takes_no_memory() -> None:
    """Bars that start behind the longest track have no place in time."""
    vocab = _core.Vocabulary(config())
    track = [vocab.encode(_core.TokenType.Track, 0), vocab.encode(_core.TokenType.Instrument, 0)]
    options = _core.MatcherOptions(n_bars=8192, bar_metres=[1] * 8192, sounding_limit=1)
    matcher = _core.Matcher.for_prompt(vocab, track, options)
    began = time.monotonic()
    for _ in range(20):
        matcher.replace(_core.Constraint.rhythm_schedule({8191: [(0, 1)]}))
    assert time.monotonic() - began < 1


def test_a_plan_bounds_the_piece() -> None:
    with pytest.raises(ScoreError, match="at most 16777216 can be planned"):
        _core.plan(HUGE, [(0, [HUGE - 1], False)], HUGE)


def test_bars_have_parts_that_fit() -> None:
    with pytest.raises(ScoreError, match=r"numerator 2147483647 is outside 0\.\.32768"):
        _core.bar_ticks(HUGE, 1, 480)
    with pytest.raises(ScoreError, match="resolution: 0"):
        _core.bar_ticks(4, 4, 0)


@pytest.mark.parametrize("formulas", ["compatible", "exact"])
def test_attributes_of_endless_notes_and_bars_take_little_memory(formulas: str) -> None:
    controls = [
        {"name": "polyphony_quantile", "params": {"mode": "max"}},
        {"name": "polyphony_quantile", "params": {"mode": "max", "level": "bar"}},
        {"name": "silence_proportion"},
    ]
    analyzer = Tokenizer(config(attribute_formulas=formulas, attribute_controls=controls)).analyzer
    # Some 2.4 thousand million grid ticks.
    bars = np.array([[0, 255, 1, 0], *[[1, 255, 1, 0]] * 200_000], np.int32)
    table = _core.ScoreTable([[0, HUGE, 60, 100, 0]], bars, [[0, 0, 0]], 12)
    assert analyzer.track_values(table, 0)["max_polyphony"] == 0
    assert analyzer.track_values(table, 0)["silence_proportion"] in (8, 9)
    assert analyzer.bar_values(table, 0)["bar_max_polyphony"].tolist()[:2] == [0, 0]


def test_stored_attribute_values_are_clamped_or_refused() -> None:
    tokenizer = Tokenizer(config(attribute_controls=[{"name": "pitch_range"}]))
    score = Score([Track([Bar([Note(60, 100, 0, 480)]) for _ in range(4)])])

    def written(value: Any) -> list[int]:
        score.tracks[0].attributes = {"pitch_range": value}
        rows = tokenizer.explain(tokenizer.encode(score, compute_attributes=False))
        return [row.value for row in rows if row.type == "TrackLevelPitchRangeMax"]

    assert [written(value) for value in (5, 70_000, -5)] == [[5], [127], [0]]
    with pytest.raises(TypeError, match=r"tracks\[0\].attributes\['pitch_range'\] is 1.7"):
        written(1.7)


@pytest.mark.parametrize("level", ["track", "bar"])
def test_an_attribute_with_a_token_type_of_its_own_is_written(level: str) -> None:
    @attribute("spread", token="AvPolyphony", level=level, bins=Bins.whole(8))  # type: ignore[arg-type]
    def spread(view: Any) -> int:
        """How many notes."""
        return len(view.pitch)

    try:
        tokenizer = Tokenizer(config(attribute_controls=[{"name": "pitch_range"}, {"name": "spread"}]))
        score = Score([Track([Bar([Note(60, 100, 0, 480)] * (bar + 1)) for bar in range(4)])])
        ids = tokenizer.encode(score)
        rows = [row for row in tokenizer.explain(ids) if row.type == "AvPolyphony"]
        assert [row.value for row in rows] == ([7] if level == "track" else [1, 2, 3, 4])
        assert rows[0].text == f"spread: {rows[0].value}"
        decoded = tokenizer.decode(ids)
        report = tokenizer.analyzer.report(decoded, 0)
        entry = report["track"]["spread"] if level == "track" else report["bars"][1]["spread"]
        assert entry["consistent"] is True
        start = ids[: next(i for i, row in enumerate(tokenizer.explain(ids)) if row.type == "Instrument") + 1]
        pins = {"AvPolyphony": 3}
        wish = {"track_pins": pins} if level == "track" else {"bar_pins": {0: pins}}
        matcher = _core.Matcher.for_prompt(tokenizer.vocab, start, _core.MatcherOptions(**wish))  # type: ignore[arg-type]
        wanted = tokenizer.vocab.encode(_core.TokenType.AvPolyphony, 3)
        if level == "bar":
            matcher.accept(tokenizer.vocab.encode(_core.TokenType.Bar, 0))
        assert matcher.is_legal(wanted)
        assert not matcher.is_legal(wanted + 1)
    finally:
        forget("spread")


def test_an_attribute_cannot_take_a_token_type_of_the_grammar() -> None:
    with pytest.raises(EncoderConfigError, match="NoteOnset tokens belong to the grammar"):
        _core.Vocabulary(config(), [], [("track", "NoteOnset")])


def test_attribute_tokens_are_explained_in_words() -> None:
    controls = [
        {"name": "key_signature"},
        {"name": "polyphony_quantile", "params": {"mode": "max"}},
        {"name": "polyphony_quantile", "params": {"mode": "max", "level": "bar"}},
    ]
    tokenizer = Tokenizer(config(attribute_controls=controls))
    chord = [Note(pitch, 100, 0, 960) for pitch in (60, 64, 67)]
    rows = tokenizer.explain(tokenizer.encode(Score([Track([Bar(chord) for _ in range(4)])])))
    texts = {row.type: row.text for row in rows}
    assert texts["KeySignature"] == "key signature: C major"
    assert texts["MaxPolyphony"] == "max polyphony: 3 voices"
    assert texts["BarLevelOnsetPolyphonyMax"] == "max polyphony: 3 voices"


def test_pitches_are_explained_from_the_lowest_one() -> None:
    tokenizer = Tokenizer(config(pitch_range=[21, 108]))
    rows = tokenizer.explain(
        tokenizer.encode(Score([Track([Bar([Note(60, 100, 0, 480)]) for _ in range(4)])]))
    )
    assert [row.text for row in rows if row.type == "NoteOnset"] == ["C4"] * 4


def test_tokens_the_configuration_does_not_name_are_explained_by_number() -> None:
    domains = [{"type": "Genre", "domain_size": 3}, {"type": "TimeSig", "domain_size": 2}]
    tokenizer = Tokenizer(config(token_domains=domains, time_signatures=[]))
    assert [row.text for row in tokenizer.explain([1, 4])] == ["genre 1", "time signature 1"]


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        pytest.param([0, 999], "no token 999, as at position 1; this vocabulary has 0..646", id="too large"),
        pytest.param([0, 1, -1], "no token -1, as at position 2", id="negative"),
        pytest.param([0.0], "whole numbers, not values of the type float64", id="floats"),
        pytest.param(
            np.array([0, np.nan]), "whole numbers, not values of the type float64", id="not a number"
        ),
        pytest.param(["0"], "whole numbers", id="texts"),
        pytest.param([10**30], "whole numbers|holds 1", id="huge"),
        pytest.param([[0], [1, 2]], "tokens must", id="ragged"),
        pytest.param([[0, 1]], "flat list of token ids", id="two dimensions"),
        pytest.param(3, "flat list of token ids", id="one number"),
        pytest.param(None, "tokens must|flat list", id="nothing"),
    ],
)
def test_lists_that_are_no_tokens_are_named_by_place(ids: Any, message: str) -> None:
    tokenizer = make_tokenizer("yellow")
    for read in (tokenizer.decode, tokenizer.explain):
        with pytest.raises(VocabularyError, match=message):
            read(ids)


def test_no_tokens_are_an_empty_score() -> None:
    tokenizer = make_tokenizer("yellow")
    assert tokenizer.explain([]) == []
    assert tokenizer.decode([]).tracks == [] == tokenizer.decode(np.array([])).tracks


def test_a_track_without_bars_decodes() -> None:
    tokenizer = make_tokenizer("yellow")
    kinds = _core.TokenType
    track, end, bar = (tokenizer.vocab.encode(kind, 0) for kind in (kinds.Track, kinds.TrackEnd, kinds.Bar))
    score = tokenizer.decode([track, end, track, bar, end])
    assert [len(found.bars) for found in score.tracks] == [0, 1]


def test_long_lists_of_tokens_take_little_time_and_memory() -> None:
    tokenizer = make_tokenizer("ghost")
    kinds = _core.TokenType
    one = {
        kind.name: tokenizer.vocab.encode(kind, 0)
        for kind in (kinds.Track, kinds.Bar, kinds.FillInPlaceholder)
    }
    start = tokenizer.vocab.encode(kinds.FillInStart, 0)
    note = tokenizer.vocab.encode(kinds.NoteOnset, 36)
    n = 30_000
    # Blocks that begin inside each other: each used to hold all that follow.
    ids = [one["Track"] + 1, *[one["Bar"], one["FillInPlaceholder"]] * n, *[start, note] * n]
    begin = time.perf_counter()
    table, _tracks, _bars = _core.decode(tokenizer.vocab, ids)
    assert len(table.notes) == len(table.bars) == n
    assert len(tokenizer.explain(ids)) == len(ids)
    assert time.perf_counter() - begin < 10  # about half a second on a quiet machine


@pytest.mark.parametrize("score", [None, [1, 2], "piece.mid", 3])
def test_what_is_no_score_is_refused(score: Any) -> None:
    with pytest.raises(ScoreError, match="expected a Score or a score table"):
        make_tokenizer("yellow").encode(score)


def test_options_of_another_kind_are_refused() -> None:
    with pytest.raises(TypeError, match=r"EncodeOptions, not dict; write EncodeOptions\(window_bars=4"):
        make_tokenizer("yellow").encode(Score([]), {"window_bars": 4})  # type: ignore[arg-type]
