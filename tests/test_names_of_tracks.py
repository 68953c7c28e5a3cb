"""A track is meant by the same names everywhere; a name of no track or of several is told the same way."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import traitlets as t

from midigpt_nb import Bar, Note, PianoRoll, Score, Track
from midigpt_nb.cli import UsageError, choose
from midigpt_nb.errors import RequestValidationError, ScoreError
from midigpt_nb.inference import GenerationRequest, TrackPrompt, validate_request
from midigpt_nb.score.places import tracks_in_words
from midigpt_nb.tokenizer import Tokenizer
from midigpt_nb.training.vocabulary import encoder_config
from midigpt_nb.widgets.traits import by_number, track_of

NAMES = ["Lead", "Bass", "Pad", "pad"]
SCORE = Score([Track([Bar([Note(60, 90, 0, 100)])], name=name) for name in NAMES])


def by_wishes(name: str) -> int:
    roll = PianoRoll(SCORE)
    roll.attributes = {"track": {name: {"note_density": 4}}}
    return int(next(iter(roll.attributes["track"])))


def by_call(name: str) -> int:
    return int(next(iter(by_number({"bar": {name: {}}}, NAMES)["bar"])))


def by_selection(name: str) -> int:
    roll = PianoRoll(SCORE)
    roll.select(name, 0)
    return roll.selected_cells[0][0]


def by_request(name: str) -> int:
    """A request takes numbers; its hint says which one a name stands for."""
    tokenizer = Tokenizer(encoder_config())
    with pytest.raises(RequestValidationError) as caught:
        validate_request(GenerationRequest([TrackPrompt(name, [0])]), SCORE, tokenizer.config)
    (problem,) = caught.value.problems
    assert problem.path == "tracks[0].id" and "a track's number" in problem.allowed
    found, _, number = problem.hint.partition(" is track ")
    if not number:
        raise caught.value
    assert found == repr(name) and "1 'Bass'" in problem.allowed
    return int(number)


WAYS: dict[str, tuple[Callable[[str], int], type[Exception], int]] = {
    "score": (SCORE.track_index, ScoreError, 0),
    "slice": (lambda name: NAMES.index(SCORE[:, name].track_names[0]), ScoreError, 0),
    "selection": (by_selection, ValueError, 0),
    "wishes of a roll": (by_wishes, t.TraitError, 0),
    "wishes of a call": (by_call, ValueError, 0),
    "request": (by_request, RequestValidationError, 0),
    "command line": (lambda name: choose(SCORE, name, (1, 1))[0], UsageError, 1),
}  # fmt: skip
THERE = {0: "0 'Lead', 1 'Bass', 2 'Pad', 3 'pad'", 1: "1 'Lead', 2 'Bass', 3 'Pad', 4 'pad'"}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("name", "number"),
    [("Lead", 0), ("bass", 1), ("BASS", 1), (" Bass ", 1), ("Pad", 2), ("pad", 3)],
)
def test_a_name_is_matched_exactly_then_in_any_case(way: str, name: str, number: int) -> None:
    assert WAYS[way][0](name) == number


@pytest.mark.parametrize("way", WAYS)
def test_a_name_of_two_tracks_is_refused_with_their_numbers(way: str) -> None:
    ask, kind, first = WAYS[way]
    with pytest.raises(kind) as caught:
        ask("PAD")
    numbers = f"{2 + first} and {3 + first}"
    assert str(caught.value).endswith(f"2 tracks are named 'PAD': use their numbers, {numbers}")


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("name", "hint"),
    [("bas", "; did you mean 'Bass'?"), ("Tuba", ""), ("", "")],
    ids=["nearly", "unlike", "empty"],
)
def test_an_unknown_name_is_refused_with_the_choices_and_the_likely_one(
    way: str, name: str, hint: str
) -> None:
    ask, kind, first = WAYS[way]
    with pytest.raises(kind) as caught:
        ask(name)
    assert str(caught.value).endswith(f"no track is named {name!r}; there are {THERE[first]}{hint}")


def test_each_caller_keeps_its_own_kind_of_error() -> None:
    """To the page a ScoreError would be a broken piece."""
    with pytest.raises(ValueError) as caught:
        track_of("Tuba", NAMES)
    assert not isinstance(caught.value, ScoreError)


def test_a_number_that_is_no_track_is_told_with_the_names() -> None:
    there = f"track 9 does not exist; there are {THERE[0]}"
    for ask in (SCORE.track_index, PianoRoll(SCORE).select):
        with pytest.raises(ValueError, match=there):
            ask(9)
    with pytest.raises(ScoreError, match="track 0 does not exist; there are none"):
        Score([]).track_index(0)


def test_of_very_many_tracks_the_first_are_named() -> None:
    assert tracks_in_words(["x"] * 30).endswith("23 'x', ...")
