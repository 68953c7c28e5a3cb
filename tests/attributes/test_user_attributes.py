"""A user's own attributes: they travel the whole way, and whatever goes wrong in them is one typed error."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest

from midigpt_nb.attributes import AttributeAnalyzer, Bins, attribute, forget
from midigpt_nb.errors import EncoderConfigError, MeasurementError, MidiGPTError
from midigpt_nb.inference.report import AttributeReport
from midigpt_nb.score.model import Bar, Note, Score, Track
from midigpt_nb.tokenizer import EncoderConfig, Tokenizer


@contextmanager
def own(function: Any, **facts: Any) -> Iterator[Tokenizer]:
    """A tokenizer with one attribute more: `function` under the name "mine"."""
    facts = {"token": "AvPolyphony", "bins": Bins.whole(4), **facts}
    attribute("mine", **facts)(function)
    try:
        config = {"resolution": 12, "time_signatures": ["4/4"], "attribute_controls": [{"name": "mine"}]}
        yield Tokenizer(EncoderConfig.from_dict(config))
    finally:
        forget("mine")


def two_bars() -> Score:
    return Score([Track([Bar([Note(60, 90, 0, 6)]), Bar([Note(72, 90, 0, 6)] * 2)])], resolution=12)


def broken(view: Any) -> float:
    raise KeyError("oh")


WRONG_NUMBERS = {
    "None": lambda view: None,
    "not a number": lambda view: math.nan,
    "infinity": lambda view: np.float32("inf"),
    "a text": lambda view: "3",
    "a list": lambda view: [1, 2],
    "an array": lambda view: np.zeros(2),
    "a complex number": lambda view: 1j,
    "a huge number": lambda view: 10**400,
    "an exception": broken,
    "endless recursion": lambda view: WRONG_NUMBERS["endless recursion"](view),
}


@pytest.mark.parametrize("level", ["track", "bar"])
@pytest.mark.parametrize("what", WRONG_NUMBERS)
def test_a_function_without_a_usable_number_is_named_with_its_place(what: str, level: str) -> None:
    place = "track 0" if level == "track" else "track 0, bar 0"
    with own(WRONG_NUMBERS[what], level=level) as tokenizer:
        for ask in (
            lambda: tokenizer.encode(two_bars()),
            lambda: tokenizer.analyzer.report(two_bars(), 0),
            lambda: tokenizer.analyzer.reachable(two_bars(), {}),
        ):
            with pytest.raises(MeasurementError, match=f"attribute 'mine', {place}: its function"):
                ask()


def test_what_the_function_raised_is_the_cause() -> None:
    with own(broken) as tokenizer, pytest.raises(MeasurementError, match="KeyError: 'oh'") as caught:
        tokenizer.encode(two_bars())
    assert isinstance(caught.value.__cause__, KeyError)
    assert isinstance(caught.value, MidiGPTError) and isinstance(caught.value, ValueError)


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda view: [1], r"not one number for each of 2 bars"),
        (lambda view: None, r"not one number for each of 2 bars"),
        (lambda view: np.array([1.0, np.nan]), r"track 0, bar 1: its function returned nan"),
        (lambda view: ["a", "b"], r"not one number for each of 2 bars"),
    ],
)
def test_a_function_for_all_bars_gives_one_number_for_each(function: Any, message: str) -> None:
    with (
        own(function, level="bar", vectorized=True) as tokenizer,
        pytest.raises(MeasurementError, match=message),
    ):
        tokenizer.encode(two_bars())


@pytest.mark.parametrize("level", ["track", "bar"])
@pytest.mark.parametrize("value", [7, -1, 1.5, None, "1"])
def test_bins_must_give_a_level_that_exists(value: Any, level: str) -> None:
    facts = {"bins": Bins(4, lambda raw: value), "level": level}
    if level == "bar":
        facts["vectorized"] = True
        facts["bins"] = Bins(4, lambda raw: [value] * len(raw))
    measure = (lambda view: 1) if level == "track" else (lambda view: np.ones(view.n_bars))
    with own(measure, **facts) as tokenizer, pytest.raises(MeasurementError, match=r"'mine'.*0\.\.3"):
        tokenizer.encode(two_bars())


def test_numbers_of_all_kinds_are_fine() -> None:
    for number in (True, 2, 2.0, np.int8(2), np.float32(2), np.array(2)):
        with own(lambda view, number=number: number) as tokenizer:
            assert tokenizer.analyzer.track_values(two_bars(), 0) == {"mine": int(number)}


def test_bins_are_checked_when_they_are_made() -> None:
    with pytest.raises(ValueError, match="1 value or more, not 0"):
        Bins(0, int)
    with pytest.raises(ValueError, match="2 labels for 3 values"):
        Bins.whole(3, labels=["a", "b"])


def test_an_attribute_defined_twice_says_what_to_do() -> None:
    with own(lambda view: 1), pytest.raises(ValueError, match=r"call forget\('mine'\) first"):
        attribute("mine", token="AvPolyphony", bins=Bins.whole(2))(lambda view: 1)


def test_an_attribute_with_an_unknown_token_type_is_refused_by_the_tokenizer() -> None:
    with (
        pytest.raises(ValueError, match="did you mean 'AvPolyphony'"),
        own(lambda view: 1, token="AvPolyphny"),
    ):
        pass


def test_a_score_with_broken_values_is_not_the_attributes_fault() -> None:
    analyzer = AttributeAnalyzer.from_config({"attribute_controls": [{"name": "nomml"}]})
    score = two_bars()
    for value in (math.nan, "deep", None):
        score.tracks[0].attributes["_nomml_raw"] = value
        with pytest.raises(MeasurementError, match="attribute 'nomml', track 0"):
            analyzer.compute_track_tokens(score, 0)


@pytest.mark.parametrize(
    ("control", "kind", "message"),
    [
        ({"name": "x" * 10**6}, KeyError, "no attribute is named"),
        ({"name": "pitch_range", "params": {"a": 1}}, TypeError, "no parameter 'a'"),
        ({"name": "pitch_range", "params": [1]}, EncoderConfigError, "must be an object"),
        ({"name": "silence_proportion", "params": {"track_type": []}}, EncoderConfigError, "track_type"),
        ({"name": "polyphony_quantile", "params": {"mode": {}}}, EncoderConfigError, "has no form with"),
    ],
)
def test_wrong_controls_are_typed_errors_and_short(control: dict, kind: type, message: str) -> None:
    with pytest.raises(kind, match=message) as caught:
        Tokenizer(EncoderConfig.from_dict({"attribute_controls": [control]}))
    assert isinstance(caught.value, EncoderConfigError)
    assert len(str(caught.value)) < 1000


@pytest.mark.parametrize(("nominal", "adherence"), [(True, 0.0), (False, 1 - 1 / 3)])
def test_a_near_miss_counts_for_nothing_where_values_have_no_order(nominal: bool, adherence: float) -> None:
    with own(lambda track: 0, nominal=nominal):
        row = AttributeReport(0, None, "mine", 4, requested=2, announced=2, realised=1)
        assert row.adherence == pytest.approx(adherence)
