"""Wishes that exclude each other, or that this model or this kind of track cannot have: refused by name."""

# ruff: noqa: E501 - one row of the list per line

from __future__ import annotations

import pytest

from .conftest import make_score
from .refusals import control, model, positions, problems, track

SIX = make_score()  # six notes in every bar


@pytest.mark.parametrize(
    ("prompt", "config", "path", "words"),
    [
        pytest.param(
            control(rhythm_mask=positions((0, 1), (12, 3)), polyphony_hard_limit=2), {},
            "tracks[0].controls['polyphony_hard_limit']", "below the 3 notes at tick 12 that rhythm_mask asks for in bar 1",
            id="chord and onset limit",
        ),
        pytest.param(
            control(rhythm_mask=positions((0, 1), (12, 3))), {"density_hard_limit": 3},
            "config.density_hard_limit", "below the 4 notes that rhythm_mask asks for", id="rhythm and density",
        ),
        pytest.param(
            control(rhythm_mask=positions((0, 2))), {"sounding_limit": 1},
            "config.sounding_limit", "below the 2 notes at tick 0", id="chord and voices",
        ),
        pytest.param(
            control(remix={"amount": 0.5}), {"density_hard_limit": 4},
            "config.density_hard_limit", "below the 6 notes that remix asks for in bar 1", id="remix and density",
        ),
        pytest.param(
            control(rhythm_mask=positions((50, 1))), {},
            "tracks[0].controls['rhythm_mask']", "none of the positions lies inside bar 1, which has 48 ticks",
            id="rhythm past the bar",
        ),
        pytest.param(
            track(controls={"pitch_mask": {"range": [30, 40]}}, bar_controls={1: {"pitch_mask": {"pitches": [60]}}}), {},
            "tracks[0].bar_controls[1]['pitch_mask']", "no pitch is left", id="a track's range and a bar's pitches",
        ),
        pytest.param(
            track(controls={"remix": {"amount": 1}}, bar_controls={1: {"rhythm_mask": positions((0, 1))}}), {},
            "tracks[0].controls['remix']", "rhythm_mask gives another", id="remix of the track, rhythm of the bar",
        ),
        pytest.param(
            track(attributes={"min_polyphony": 2}), {"sounding_limit": 2},
            "config.sounding_limit", "below the 3 voices that min_polyphony asks for", id="attribute and limit",
        ),
    ],
)  # fmt: skip
def test_wishes_that_exclude_each_other_are_both_named(prompt, config, path, words):
    (found,) = problems(prompt, score=SIX, **config)
    assert found.startswith(f"{path}: ") and words in found, found


def test_wishes_that_agree_are_accepted():
    assert problems(control(rhythm_mask=positions((50, 1)), allow_empty=True)) == []
    assert problems(control(rhythm_mask=positions((0, 2)), sounding_limit=2)) == []
    freed = track(
        controls={"remix": {"amount": 1}}, bar_controls={1: {"rhythm_mask": positions((0, 1)), "remix": None}}
    )
    assert problems(freed) == []


def test_all_problems_of_wishes_come_at_once():
    asked = track(
        controls={"pitch_mask": {"scale": "x"}, "sounding_limit": -1},
        bar_controls={1: {"rhythm_mask": {}, "genre": "jazz"}},
    )
    found = problems(asked, controls={"tempo": 1}, adherence="always")
    assert len(found) == 6


def test_u12_names_of_bar_wishes_mean_the_bar_else_the_track():
    analyzer = model().analyzer
    assert analyzer.bar_wish("note_density") is analyzer.get("bar_note_density")
    assert analyzer.bar_wish("bar_note_density") is analyzer.get("bar_note_density")
    assert analyzer.bar_wish("pitch_range") is analyzer.get("pitch_range")
    assert analyzer.bar_wish("tension") is None
    assert problems(track(bar_attributes={1: {"pitch_range": 1}})) == []


def test_voices_of_a_bar_by_their_short_name_stand_against_a_limit_too():
    few = {"bars": [1], "controls": {"sounding_limit": 2}}
    for name in ("min_polyphony", "bar_min_polyphony"):
        (found,) = problems(track(**few, bar_attributes={1: {name: 2}}), tokenizer=model("prism"))
        assert found.startswith(
            "tracks[0].controls['sounding_limit']: sounding_limit 2 is below the 3 voices"
        )
        assert problems(track(**few, bar_attributes={1: {name: 1}}), tokenizer=model("prism")) == []


def test_m20_a_wish_for_the_wrong_kind_of_track_names_what_works():
    """As on the published models: density is for drums there."""
    (found,) = problems(track(attributes={"note_density": 5}), tokenizer=model("yellow"))
    assert "is for drum tracks, this one is melodic" in found and "density_hard_limit" in found


@pytest.mark.parametrize("name", ["pocket", "yellow", "prism", "expressive"])
def test_d32_pitch_class_sets_of_bars_are_refused_and_the_mask_that_works_is_named(name):
    (found,) = problems(track(bar_attributes={1: {"pitch_class_set": 3}}), tokenizer=model(name))
    assert "pitch_mask={'pitch_classes': ['C', 'E']}" in found
    works = track(bar_controls={1: {"pitch_mask": {"pitch_classes": ["C", "E"]}}})
    assert problems(works, tokenizer=model(name)) == []


def test_d12_a_shape_outside_the_allowed_pitches_is_refused():
    shape = {"type": "uniform", "min": 70, "max": 80}
    (found,) = problems(control(pitch_mask={"scale": "major", "range": [40, 60], "shape": shape}))
    assert found.startswith("tracks[0].controls['pitch_mask']['shape']") and "lies in 70..80" in found
