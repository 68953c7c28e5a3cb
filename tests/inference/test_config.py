"""The settings table and requests from plain data."""

from __future__ import annotations

import json
from dataclasses import fields

import numpy as np
import pytest

from midigpt_nb.errors import RequestValidationError
from midigpt_nb.inference import GenerationRequest, InferenceConfig, TrackPrompt
from midigpt_nb.inference.config import GROUPS, settings


@pytest.mark.parametrize("field", fields(InferenceConfig), ids=lambda f: f.name)
def test_every_setting_is_described_and_its_default_is_allowed(field):
    setting = settings()[field.name]
    assert setting.meaning and setting.group in GROUPS
    default = getattr(InferenceConfig(), field.name)
    if isinstance(default, int | float | str) and not isinstance(default, bool):
        assert setting.accepts(default)
        assert setting.choices or setting.low is not None or field.name == "seed"


def test_auto_is_stored_as_zero():
    config = InferenceConfig(model_dim="auto", bars_per_step="auto", tracks_per_step=None)
    assert (config.model_dim, config.bars_per_step, config.tracks_per_step) == (0, 0, 0)


def test_unknown_names_are_all_reported_with_a_suggestion():
    data = {
        "tracks": [{"id": 0, "bars": [1], "atributes": {}}, {"bars": []}],
        "config": {"temprature": 1.0, "top_p": 0.9},
    }
    with pytest.raises(RequestValidationError) as caught:
        GenerationRequest.from_dict(data)
    paths = [p.path for p in caught.value.problems]
    assert paths == ["tracks[0].atributes", "tracks[1].id", "config.temprature"]
    assert "did you mean 'attributes'?" in str(caught.value) and "did you mean 'temperature'?" in str(
        caught.value
    )


def test_bar_keys_may_be_text():
    request = GenerationRequest.from_dict(
        {"tracks": [{"id": 1, "bars": [4], "bar_attributes": {"4": {"note_density": 3}}}]}
    )
    assert request.tracks[0].bar_attributes == {4: {"note_density": 3}}


@pytest.mark.parametrize(
    ("data", "path"),
    [
        pytest.param(None, "request", id="nothing"),
        pytest.param([], "request", id="a list"),
        pytest.param({"tracks": None}, "tracks", id="no tracks"),
        pytest.param({"tracks": [3]}, "tracks[0]", id="a track that is a number"),
        pytest.param({"tracks": [], "config": 7}, "config", id="settings that are a number"),
        pytest.param(
            {"tracks": [{"id": 0, "bars": [1], "bar_attributes": {1.7: {}}}]},
            "tracks[0].bar_attributes",
            id="bar 1.7",
        ),
        pytest.param(
            {"tracks": [{"id": 0, "bars": [1], "bar_controls": {"one": {}}}]},
            "tracks[0].bar_controls",
            id="bar 'one'",
        ),
        pytest.param(
            {"tracks": [{"id": 0, "bars": [1], "bar_controls": 3}]}, "tracks[0].bar_controls", id="no dict"
        ),
    ],
)
def test_data_of_the_wrong_shape_is_refused_with_its_place(data, path):
    with pytest.raises(RequestValidationError) as caught:
        GenerationRequest.from_dict(data)
    assert [p.path for p in caught.value.problems] == [path]


def test_a_selection_may_hold_lists_and_numpy_numbers():
    request = GenerationRequest.from_selection([[1, 2], np.array([1, 3])])
    assert request.tracks[0].bars == [2, 3] and type(request.tracks[0].id) is int


@pytest.mark.parametrize(
    ("cells", "wishes", "message"),
    [
        ((1, 4), None, r"cells\[0\]: is not a \(track, bar\) pair of numbers \(given 1\)"),
        ([(1, range(4, 6))], None, r"cells\[0\].* \[\(1, bar\) for bar in range"),
        ("Bass", None, "cells: is not"),
        ([(1, 4)], {"note_density": 8}, r"attributes: is not by track .*\{1: \{'note_density': 8\}\}"),
    ],
)
def test_what_is_no_selection_is_refused_in_words(cells, wishes, message):
    with pytest.raises(ValueError, match=message):
        GenerationRequest.from_selection(cells, attributes=wishes)


def test_a_track_by_name_is_left_to_the_session_which_knows_the_names():
    assert GenerationRequest.from_selection([("Bass", 4), (1, 4)]).tracks[1].id == "Bass"


def test_a_selection_becomes_a_request():
    request = GenerationRequest.from_selection(
        [(2, 5), (0, 1), (2, 4)],
        attributes={2: {"note_density": 5}},
        bar_attributes={2: {4: {"note_density": 9}, 7: {}}},
        seed=3,
    )
    assert [(t.id, t.bars) for t in request.tracks] == [(0, [1]), (2, [4, 5])]
    assert request.tracks[1].attributes == {"note_density": 5}
    assert request.tracks[1].bar_attributes == {4: {"note_density": 9}}
    assert request.config.seed == 3 and request.config.model_dim == 0


def test_copies_are_independent():
    request = GenerationRequest(tracks=[TrackPrompt(id=0, bars=[1])])
    request.copy().tracks[0].bars.append(2)
    assert request.tracks[0].bars == [1]


WHOLE = GenerationRequest(
    [
        TrackPrompt(
            0,
            [4, 5],
            mask_bars=[7],
            attributes={"note_density": 3},
            bar_attributes={4: {"max_polyphony": 2}},
            controls={"pitch_mask": {"scale": "major", "root": "D"}, "sounding_limit": 2},
            bar_controls={
                5: {"rhythm_mask": {"positions": [{"pos": 0, "polyphony": 2}]}, "pitch_mask": None}
            },
        ),
        TrackPrompt(1, ignore=True),
        TrackPrompt(3, autoregressive=True, new={"instrument": 40, "track_type": "melodic"}),
    ],
    InferenceConfig(model_dim="auto", top_k=5, context_keep=[0], adherence="strict", note_end="bar"),
    {"velocity": False},
)


def test_u14_a_request_survives_json():
    data = json.loads(json.dumps(WHOLE.to_dict()))
    assert data["config"]["model_dim"] == "auto"
    again = GenerationRequest.from_dict(data)
    assert again == WHOLE and again.to_dict() == WHOLE.to_dict()
    data["tracks"][0]["controls"]["pitch_mask"]["scale"] = "blues"
    assert again == WHOLE, "nothing is shared with the data it was made of"


def test_u14_numpy_numbers_become_plain_ones():
    asked = GenerationRequest([TrackPrompt(np.int64(1), np.arange(2), attributes={"key": np.int16(3)})])
    data = json.loads(json.dumps(asked.to_dict()))
    assert data["tracks"] == [{"id": 1, "bars": [0, 1], "attributes": {"key": 3}}]


def test_what_is_not_said_is_not_written():
    assert TrackPrompt(2, []).to_dict() == {"id": 2, "bars": []}
    assert InferenceConfig.from_dict(InferenceConfig().to_dict()) == InferenceConfig()


def test_wishes_of_a_curve_without_their_bar_are_refused():
    with pytest.raises(
        ValueError, match=r"bar_attributes\[1\]: is not by bar \(given {'bar_note_density': 3}\)"
    ):
        GenerationRequest.from_selection([(1, 4)], bar_attributes={1: {"bar_note_density": 3}})
