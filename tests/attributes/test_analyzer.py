"""The analyzer: which attributes a configuration gives, and its reports."""

from __future__ import annotations

import dataclasses
import threading
import time

import numpy as np
import pytest

from midigpt_nb import Score, _core
from midigpt_nb.attributes import AttributeAnalyzer, Bins, attribute, available
from midigpt_nb.attributes.registry import forget, row_for_entry, rows
from midigpt_nb.errors import EncoderConfigError, ScoreError
from midigpt_nb.inference.report import AttributeReport, Report

PRISM = [
    {"name": "key_signature"},
    {"name": "pitch_range"},
    {"name": "silence_proportion"},
    {"name": "note_duration_quantile", "params": {"mode": "min"}},
    {"name": "note_duration_quantile", "params": {"mode": "max"}},
    {"name": "note_density_quantile", "params": {"level": "bar"}},
    {"name": "polyphony_quantile", "params": {"level": "bar", "mode": "min"}},
    {"name": "polyphony_quantile", "params": {"level": "bar", "mode": "max"}},
    {"name": "pitch_class_set"},
]


@pytest.fixture
def prism():
    return AttributeAnalyzer.from_config({"attribute_controls": PRISM})


@pytest.fixture
def pocket(pocket_config):
    return AttributeAnalyzer.from_config(pocket_config)


def test_pocket_has_its_domains_in_order(pocket):
    assert pocket.token_domain_specs() == [
        ("NoteDensity", 10),
        ("MinPolyphony", 10),
        ("MaxPolyphony", 10),
        ("MinNoteDuration", 6),
        ("MaxNoteDuration", 6),
        ("TrackLevelPitchRangeMax", 128),
        ("KeySignature", 25),
        ("TrackLevelSilenceProportionMax", 10),
        ("BarLevelOnsetDensity", 10),
        ("BarLevelOnsetPolyphonyMax", 10),
    ]
    assert pocket.attribute_track_types()["note_density"] == "both"
    assert pocket.settings.formulas == "exact"


def test_a_name_in_a_wish_for_a_bar_means_the_bar_else_the_track(prism, pocket):
    for name in ("min_polyphony", "bar_min_polyphony"):
        assert prism.bar_wish(name) is prism.get("bar_min_polyphony")
    assert pocket.bar_wish("max_polyphony") is pocket.get("bar_max_polyphony")
    assert pocket.bar_wish("min_polyphony") is pocket.get("min_polyphony")
    assert prism.bar_wish("max_polyphonie") is None


@pytest.mark.parametrize("fact", ["emitted", "taught"])
def test_a_wish_for_a_bar_means_an_attribute_that_the_model_was_taught(pocket, fact):
    """Where it has the attribute of bars, but was only taught the one of tracks."""
    only_measured = dataclasses.replace(pocket.get("bar_note_density"), **{fact: False})
    analyzer = AttributeAnalyzer([*pocket.attributes[:-2], only_measured])
    assert analyzer.bar_wish("note_density") is analyzer.get("note_density")
    assert analyzer.bar_wish("bar_note_density") is analyzer.get("bar_note_density")


def test_short_names_tell_attributes_of_one_level_apart():
    for level in ("track", "bar"):
        names = {(row.entry, row.short_name) for row in rows() if row.level == level}
        assert len({short for _, short in names}) == len({row.name for row in rows() if row.level == level})


def test_prism_tables(prism):
    assert prism.attribute_sizes() == {
        "key_signature": 25,
        "pitch_range": 128,
        "silence_proportion": 10,
        "min_note_duration": 6,
        "max_note_duration": 6,
        "bar_note_density": 10,
        "bar_min_polyphony": 10,
        "bar_max_polyphony": 10,
        "pitch_class_set": 13,
    }
    assert [name for name, level in prism.attribute_levels().items() if level == "bar"] == [
        "bar_note_density",
        "bar_min_polyphony",
        "bar_max_polyphony",
        "pitch_class_set",
    ]
    types = prism.attribute_track_types()
    assert (types["bar_note_density"], types["silence_proportion"], types["pitch_range"]) == (
        "drum",
        "both",
        "melodic",
    )
    labels = prism.attribute_value_labels()
    assert set(labels) == {
        "key_signature",
        "pitch_range",
        "silence_proportion",
        "pitch_class_set",
        "min_note_duration",
        "max_note_duration",
        "bar_note_density",
        "bar_min_polyphony",
        "bar_max_polyphony",
    }
    assert labels["bar_max_polyphony"][0] == "1 voice"
    assert labels["bar_max_polyphony"][9] == "10+ voices"
    assert labels["bar_note_density"][::9] == ["sparsest (Q0)", "densest (Q9)"]
    for name in ("key_signature", "pitch_range", "silence_proportion"):
        assert labels[name] == [prism.get(name).describe(value) for value in range(prism.get(name).size)]


def test_tracks_of_a_score_may_be_named(prism):
    score = Score.example()
    number = score.track_names.index("Bass")
    assert prism.track_values(score, "bass") == prism.track_values(score, number)
    assert prism.bar_values(score, "bass").keys() == prism.bar_values(score, number).keys()
    assert prism.raw_track_value("pitch_range", score, "Bass") == prism.raw_track_value(
        "pitch_range", score, number
    )
    assert len(prism.raw_bar_values("bar_note_density", score, "Bass")) == score.n_bars
    assert prism.compute_track_tokens(score, "Bass") == prism.compute_track_tokens(score, number)
    assert prism.compute_bar_tokens(score, "Bass", 3) == prism.compute_bar_tokens(score, number, 3)
    assert prism.evaluate({"pitch_range": 1}, score, "Bass") == prism.evaluate(
        {"pitch_range": 1}, score, number
    )
    assert prism.report(score, "Bass") == prism.report(score, number)
    whole = prism.achievable_range("pitch_range", score, number, [1])
    assert prism.achievable_range("pitch_range", score, "Bass", [1]) == whole
    assert prism.get("pitch_range").achievable_range(score, "Bass", [1]) == whole
    assert prism.get("pitch_range").compute(score, "Bass") == prism.get("pitch_range").compute(score, number)


def test_a_track_that_is_not_there_is_told_with_the_choices(prism):
    with pytest.raises(ScoreError, match=r"no track is named 'Bas'; there are .*did you mean 'Bass'"):
        prism.track_values(Score.example(), "Bas")
    with pytest.raises(ScoreError, match=r"track 1\.5 does not exist; there are 0 "):
        prism.report(Score.example(), 1.5)
    with pytest.raises(ScoreError, match="track is 'Bass'; allowed here: a track's number"):
        prism.bar_values(Score.example().table, "Bass")


def test_every_label_list_is_as_long_as_its_attribute(prism, pocket):
    for analyzer in (prism, pocket):
        for name, labels in analyzer.attribute_value_labels().items():
            assert len(labels) == analyzer.attribute_sizes()[name]


def test_a_vocabulary_alone_gives_the_attributes():
    domains = ["PieceStart", "TOKEN_DENSITY_LEVEL", "MinPolyphony", "NoteDuration", "Tension", "KeySignature"]
    analyzer = AttributeAnalyzer.from_config(
        {"token_domains": [{"type": t, "domain_size": 10} for t in domains]}
    )
    assert list(analyzer.attribute_sizes()) == ["note_density", "min_polyphony", "key_signature"]
    assert analyzer.not_measured == ["tension"]


def test_a_control_replaces_the_default_of_its_token_in_place():
    config = {
        "token_domains": [{"type": "NoteDensity"}, {"type": "KeySignature"}],
        "attribute_controls": [{"name": "nomml"}, {"name": "note_density", "params": {}}],
    }
    analyzer = AttributeAnalyzer.from_config(config)
    assert [row.name for row in analyzer.attributes] == ["note_density", "key_signature", "nomml"]
    assert analyzer.get("note_density").unit == "notes per bar"


def test_m24_tension_is_left_out_but_keeps_its_place_in_the_vocabulary():
    analyzer = AttributeAnalyzer.from_config(
        {"attribute_controls": [{"name": "tension"}, {"name": "pitch_range"}]}
    )
    assert analyzer.get("tension") is None
    assert ("Tension", 10) in analyzer.token_domain_specs()


def test_a_configuration_may_be_an_object():
    class Config:
        token_domains = None
        attribute_controls = ({"name": "pitch_range"},)
        attribute_formulas = None

    assert list(AttributeAnalyzer.from_config(Config()).attribute_sizes()) == ["pitch_range"]


@pytest.mark.parametrize(
    ("control", "error", "message"),
    [
        ({"name": "pitch_rang"}, KeyError, "did you mean 'pitch_range'"),
        ({"name": "polyphony_quantile"}, TypeError, "needs a parameter 'mode'"),
        (
            {"name": "polyphony_quantile", "params": {"mode": "min", "size": 3}},
            TypeError,
            "no parameter 'size'",
        ),
        ({"name": "key_signature", "params": {"level": "bar"}}, TypeError, "no parameter 'level'"),
        (
            {"name": "note_duration_quantile", "params": {"mode": "min", "level": "bar"}},
            EncoderConfigError,
            "no form",
        ),
        ({"name": "pitch_class_set", "params": {"level": "track"}}, EncoderConfigError, "no form"),
        (
            {"name": "silence_proportion", "params": {"track_type": "all"}},
            EncoderConfigError,
            "track_type 'all'",
        ),
    ],
)
def test_configuration_errors_name_the_choice(control, error, message):
    with pytest.raises(error, match=message):
        AttributeAnalyzer.from_config({"attribute_controls": [control]})


def test_unknown_formulas_are_refused():
    with pytest.raises(EncoderConfigError, match="'exat'"):
        AttributeAnalyzer.from_config({"attribute_formulas": "exat"})


@pytest.fixture
def duo(table):
    """A melodic track and a drum track of two bars."""
    return table(
        (0, False, [[(0, 12, 60), (12, 12, 64), (24, 24, 67)], [(0, 48, 72)]]),
        (0, True, [[(0, 3, 36), (12, 3, 38), (24, 3, 36)], []]),
    )


def test_values_hold_only_what_applies_to_the_track(prism, duo):
    assert prism.track_values(duo, 0) == {
        "key_signature": 0,
        "pitch_range": 12,
        "silence_proportion": 5,
        "min_note_duration": 3,
        "max_note_duration": 5,
    }
    assert set(prism.track_values(duo, 1)) == {"silence_proportion"}
    melodic, drum = prism.bar_values(duo, 0), prism.bar_values(duo, 1)
    assert {name: row.tolist() for name, row in melodic.items()} == {
        "bar_min_polyphony": [0, 0],
        "bar_max_polyphony": [0, 0],
        "pitch_class_set": [3, 1],
    }
    assert {name: row.tolist() for name, row in drum.items()} == {"bar_note_density": [1, 0]}
    assert all(row.dtype == np.int16 for row in (*melodic.values(), *drum.values()))
    assert prism.compute_bar_tokens(duo, 0, 1) == {
        "BarLevelOnsetPolyphonyMin": 0,
        "BarLevelOnsetPolyphonyMax": 0,
        "BarLevelPitchClassSet": 1,
    }


def test_values_of_some_bars_and_of_bars_without_notes(pocket, duo):
    assert pocket.track_values(duo, 0, bars=[1])["pitch_range"] == 0
    assert pocket.track_values(duo, 0, bars=[1])["max_note_duration"] == 5
    assert pocket.track_values(duo, 1, bars=[0])["note_density"] == 1
    assert pocket.track_values(duo, 1, bars=[1]) == {}
    assert pocket.track_values(duo, 1, bars=[]) == {}
    with pytest.raises(IndexError, match="bar 7"):
        pocket.track_values(duo, 0, bars=[7])
    with pytest.raises(IndexError, match="track 2"):
        pocket.track_values(duo, 2)


def test_raw_values_and_compute_all(prism, duo):
    assert prism.raw_track_value("pitch_range", duo, 0) == 12
    assert (
        prism.raw_bar_values("bar_note_density", duo, 0).tolist()
        == prism.raw_bar_values("bar_note_density", duo, 0).tolist()
    )
    every = prism.compute_all(duo)
    assert len(every) == 2
    assert set(every[1]) == {
        "key_signature",
        "pitch_range",
        "silence_proportion",
        "min_note_duration",
        "max_note_duration",
    }
    with pytest.raises(KeyError, match="track-level"):
        prism.raw_track_value("pitch_class_set", duo, 0)


def test_evaluate_says_which_wishes_were_met(prism, duo):
    wishes = {"pitch_range": 12, "key_signature": 3, "swing": 1}
    assert prism.evaluate(wishes, duo, 0) == {"pitch_range": 1.0, "key_signature": 0.0}


def test_report_compares_request_and_result(prism, duo):
    report = prism.report(
        duo,
        0,
        {
            "pitch_range": 12,
            "key_signature": 5,
            "bar_attributes": {0: {"pitch_class_set": 3, "max_polyphony": 4}},
        },
    )
    assert report["track"]["pitch_range"] == {
        "sampled": None,
        "realized": 12,
        "requested": 12,
        "consistent": None,
        "achieved": True,
    }
    assert report["track"]["key_signature"]["achieved"] is False
    assert report["bars"][0]["pitch_class_set"]["achieved"] is True
    assert report["bars"][0]["bar_max_polyphony"]["requested"] == 4
    assert report["bars"][1]["pitch_class_set"]["requested"] is None
    assert len(report["bars"]) == 2
    assert prism.report(duo, 9) == {"track": {}, "bars": []}


def test_report_of_written_bars_says_what_was_announced(pocket, duo):
    report = pocket.report(duo, 0, {"pitch_range": 0}, announced={"pitch_range": 3}, bars=[1])
    assert report["track"]["pitch_range"] == {
        "sampled": None,
        "realized": 0,
        "requested": 0,
        "consistent": None,
        "achieved": True,
        "announced": 3,
    }
    assert pocket.report(duo, 1, bars=[1])["track"]["note_density"]["realized"] is None


def test_report_reads_what_decoding_stored(prism):
    from midigpt_nb.score.model import Bar, Note, Score, Track

    notes = [Note(60, 100, 0, 12), Note(67, 100, 12, 12)]
    stored = {"pitch_range": 7, "key_signature": 3, "bar_BarLevelOnsetPolyphonyMax_0": 4}
    score = Score([Track([Bar(notes)], attributes=stored)], resolution=12)
    report = prism.report(score, 0)
    assert report["track"]["pitch_range"]["consistent"] is True
    assert report["track"]["key_signature"]["consistent"] is False
    assert report["bars"][0]["bar_max_polyphony"] == {
        "sampled": 4,
        "realized": 0,
        "requested": None,
        "consistent": False,
        "achieved": None,
    }
    assert prism.compute_track_tokens(score, 0)["pitch_range"] == 7


@pytest.mark.parametrize(
    ("name", "bars", "expected"),
    [
        pytest.param("max_polyphony", [1], (2, 9), id="max cannot fall below the fixed bars"),
        pytest.param("min_polyphony", [1], (0, 2), id="min cannot rise above them"),
        pytest.param("max_note_duration", [1], (0, 5), id="many short notes outweigh three quarters"),
        pytest.param("min_polyphony", [0, 1], (0, 9), id="nothing fixed: all of it"),
        pytest.param("max_polyphony", [0, 1], (0, 9), id="nothing fixed: all of it too"),
        pytest.param("min_polyphony", [], (2, 2), id="nothing generated"),
        pytest.param("note_density", [1], (0, 9), id="a bar can thin or fill the mean"),
        pytest.param("note_density", [], (0, 0), id="no bar to change it"),
        pytest.param("bar_max_polyphony", [1], (0, 9), id="bar level is free"),
    ],
)
def test_m22_achievable_range(pocket, table, name, bars, expected):
    chord = [(0, 12, 60), (0, 12, 64), (0, 12, 67)]
    piece = table((0, False, [[*chord[:2], (0, 12, 70)], chord]))
    found = pocket.achievable_range(name, piece, 0, bars)
    if name == "note_density" and not bars:
        assert found[0] == found[1] == pocket.track_values(piece, 0)["note_density"]
    else:
        assert found == expected


def test_m22_a_few_new_bars_cannot_make_a_long_sparse_track_dense(pocket, table):
    piece = table((0, True, [[(0, 1, 36)]] * 40))
    low, high = pocket.achievable_range("note_density", piece, 0, [39])
    assert low == 0
    assert high < 9


def test_a_bar_less_track_and_a_missing_track_have_the_full_range(pocket, table):
    assert pocket.achievable_range("max_polyphony", table((0, False, [])), 5, [0]) == (0, 9)
    with pytest.raises(KeyError, match="no attribute"):
        pocket.achievable_range("polyphony", table((0, False, [])), 0, [0])


def test_adherence():
    row = row_for_entry("polyphony_quantile", {"mode": "max"})
    assert row.adherence(3, 3) == 1
    assert row.adherence(0, 9) == 0
    key = row_for_entry("key_signature")
    assert (key.adherence(3, 3), key.adherence(3, 4)) == (1, 0)
    assert key.describe(9) == "A major"


def test_something_that_is_no_score_is_refused(prism):
    with pytest.raises(ScoreError, match="list"):
        prism.track_values([1, 2], 0)


def test_a_toy_attribute_travels_the_whole_way(table):
    @attribute(
        "low_notes",
        token="AvPolyphony",
        level="bar",
        tracks="melodic",
        bins=Bins.edges(1, 2, 4),
        unit="notes",
    )
    def low_notes(bar):
        """How many notes lie below middle C."""
        return int((bar.pitch < 60).sum())

    try:
        assert "low_notes" in available()
        analyzer = AttributeAnalyzer.from_config({"attribute_controls": [{"name": "low_notes"}]})
        assert analyzer.token_domain_specs() == [("AvPolyphony", 4)]
        assert analyzer.attribute_levels() == {"low_notes": "bar"}
        piece = table((0, False, [[(0, 1, 40), (0, 1, 59), (0, 1, 60)], [(0, 1, 72)]]))
        assert analyzer.bar_values(piece, 0)["low_notes"].tolist() == [2, 0]
        assert analyzer.raw_bar_values("low_notes", piece, 0).tolist() == [2, 0]
        assert analyzer.get("low_notes").compute(piece, 0, 0) == 2
        assert analyzer.report(piece, 0)["bars"][0]["low_notes"]["realized"] == 2
        assert AttributeAnalyzer.from_config({"token_domains": [{"type": "AvPolyphony"}]}).get("low_notes")
        with pytest.raises(ValueError, match="registered already"):
            attribute("low_notes", token="AvPolyphony", bins=Bins.whole(2))(low_notes.formulas["compatible"])
    finally:
        forget("low_notes")
    assert "low_notes" not in available()


def test_a_toy_attribute_stands_in_the_tokens():
    from midigpt_nb.score.model import Bar, Note, Score, Track
    from midigpt_nb.tokenizer import EncoderConfig, Tokenizer

    @attribute("low_notes", token="Tension", level="bar", tracks="melodic", bins=Bins.edges(1, 2, 4))
    def low_notes(bar):
        """How many notes lie below middle C."""
        return int((bar.pitch < 60).sum())

    try:
        config = {"resolution": 12, "time_signatures": ["4/4"], "attribute_controls": [{"name": "low_notes"}]}
        tokenizer = Tokenizer(EncoderConfig.from_dict(config))
        score = Score(
            [Track([Bar([Note(40, 90, 0, 6), Note(41, 90, 6, 6)]), Bar([Note(72, 90, 0, 6)])])], resolution=12
        )
        rows = tokenizer.explain(tokenizer.encode(score))
        assert [(row.bar, row.value) for row in rows if row.type == "Tension"] == [(0, 2), (1, 0)]
        decoded = tokenizer.decode(tokenizer.encode(score))
        assert tokenizer.analyzer.report(decoded, 0)["bars"][0]["low_notes"]["consistent"] is True
    finally:
        forget("low_notes")


def test_threads_may_share_an_analyzer(pocket, table):
    rng = np.random.default_rng(1)
    pieces = [
        table((0, False, [[(int(o), 6, int(p)) for o, p in rng.integers(0, 48, (12, 2))] for _ in range(8)]))
        for _ in range(6)
    ]
    alone = [AttributeAnalyzer.from_config({"attribute_controls": PRISM}).track_values(p, 0) for p in pieces]
    analyzer = AttributeAnalyzer.from_config({"attribute_controls": PRISM})
    wrong: list[int] = []

    def work() -> None:
        for _ in range(30):
            wrong.extend(i for i, piece in enumerate(pieces) if analyzer.track_values(piece, 0) != alone[i])

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_a_window_of_eight_tracks_takes_a_few_milliseconds(pocket, table):
    rng = np.random.default_rng(0)

    def bar():
        return [(int(o), 6, int(p)) for o, p in rng.integers([0, 40], [48, 80], (12, 2)).tolist()]

    best = 1.0
    for _ in range(5):
        window: _core.ScoreTable = table(*[(8 * t, t == 0, [bar() for _ in range(16)]) for t in range(8)])
        begin = time.process_time()
        for track in range(8):
            pocket.track_values(window, track)
            pocket.bar_values(window, track)
        best = min(best, time.process_time() - begin)
    assert best < 0.02  # about 3 ms on a quiet machine; a loop over notes would take ten times that


def test_a_report_that_knows_no_names_does_not_pass_for_an_empty_one():
    with pytest.raises(ScoreError, match="track is 'Bass'; allowed here: a track's number"):
        Report([AttributeReport(0, None, "note_density", 10, 4, 4, 5)]).of("Bass")
