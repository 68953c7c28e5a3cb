"""Encoder configurations: reading, refusing, writing back."""

from __future__ import annotations

import copy
import json
import pickle
import warnings

import pytest

from midigpt_nb import _core
from midigpt_nb.errors import EncoderConfigError
from midigpt_nb.tokenizer import EncoderConfig, config

from .helpers import reference

NAMES = ["yellow", "prism", "expressive", "expressive_no_switch", "ghost"]
SMALL = {"resolution": 12, "time_signatures": ["4/4", "6/8"], "num_bars_map": [4, 8], "supports_infill": True}


@pytest.mark.parametrize("name", NAMES)
def test_published_configurations_come_back_as_they_were(name):
    data = reference(f"configs/{name}.json")
    read = EncoderConfig.from_json(json.dumps(data))
    assert read.to_dict() == data
    assert json.loads(read.to_json()) == data
    assert EncoderConfig.from_dict(read.to_dict()) == read


def test_defaults_are_those_of_an_empty_object():
    read = EncoderConfig.from_dict({})
    assert (read.resolution, read.decode_resolution, read.velocity_levels) == (480, 480, 32)
    assert (read.pitch_range, read.note_duration_max_beats, read.velocity_sticky) == ((0, 127), 8, True)
    assert not (
        read.emit_delta_tokens or read.supports_infill or read.token_domains or read.attribute_controls
    )


def test_the_core_reads_the_same_json():
    text = json.dumps(reference("configs/ghost.json"))
    read = _core.EncoderConfig.from_json(text)
    assert read.num_bars_map == [4, 8, 12, 16]
    assert json.loads(read.to_json()) == json.loads(text)
    assert json.loads(_core.EncoderConfig(read).to_json())["num_bars_map"] == [4, 8, 12, 16]


def test_m27_unknown_keys_are_kept_written_back_and_warned_about_once(monkeypatch):
    monkeypatch.setattr(config, "_warned", set())
    data = {**SMALL, "use_microtimng": [1, 2], "model_dim": 4}
    with pytest.warns(UserWarning) as seen:
        read = EncoderConfig.from_dict(data)
    assert sorted(str(w.message).split("'")[1] for w in seen) == ["model_dim", "use_microtimng"]
    assert read.unknown == {"use_microtimng": [1, 2], "model_dim": 4}
    assert {"use_microtimng": [1, 2], "model_dim": 4}.items() <= read.to_dict().items()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        EncoderConfig.from_dict(data)


def test_m27_a_misspelt_key_is_guessed(monkeypatch):
    monkeypatch.setattr(config, "_warned", set())
    with pytest.warns(UserWarning, match="did you mean 'velocity_levels'"):
        EncoderConfig.from_dict({"velocity_level": 64})


def test_switchable_microtiming_switches_microtiming_on():
    assert EncoderConfig.from_dict(
        {"switchable_microtiming": True, "emit_delta_tokens": False}
    ).emit_delta_tokens


@pytest.mark.parametrize(
    ("data", "optional"),
    [
        ({}, False),
        ({"attribute_formulas": "exact"}, True),
        ({"attribute_dropout": True}, True),
        ({"attribute_formulas": "exact", "attribute_dropout": False}, False),
    ],
)
def test_whether_attributes_may_be_left_out(data, optional):
    config = EncoderConfig.from_dict(data)
    assert config.attributes_are_optional == config.copy().attributes_are_optional == optional
    assert EncoderConfig.from_dict(config.to_dict()) == config
    assert ("attribute_dropout" in config.to_dict()) == ("attribute_dropout" in data)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        pytest.param({"resolution": "12"}, "resolution is '12'", id="text for a number"),
        pytest.param({"resolution": 12.5}, "resolution is 12.5", id="fraction for a number"),
        pytest.param({"resolution": 0}, "resolution is 0", id="no resolution"),
        pytest.param({"decode_resolution": 0}, "decode_resolution is 0", id="no decode resolution"),
        pytest.param({"supports_infill": "yes"}, "supports_infill", id="text for a switch"),
        pytest.param({"pitch_range": [0, 60, 127]}, "lowest, highest", id="three ends of a range"),
        pytest.param({"pitch_range": [60, 20]}, "pitch_range is", id="range upside down"),
        pytest.param({"velocity_levels": 1}, r"allowed: 2\.\.", id="one velocity"),
        pytest.param({"note_duration_max_beats": 0}, r"allowed: 1\.\.", id="no note length"),
        pytest.param({"time_signatures": ["4/0"]}, "4/0", id="m3 denominator zero"),
        pytest.param({"time_signatures": ["0/4"]}, "0/4", id="m2 bar without length"),
        pytest.param({"time_signatures": ["4"]}, r"time_signatures\[0\]", id="half a signature"),
        pytest.param({"num_bars_map": [4, 0]}, "num_bars_map", id="window of no bars"),
        pytest.param({"instrument_merge_groups": [[200, 1]]}, "program 200", id="group led by no program"),
        pytest.param({"genre_groups": ["rock"]}, "genre_groups", id="genres as a list"),
        pytest.param({"attribute_controls": [{}]}, r"attribute_controls\[0\]", id="nameless attribute"),
        pytest.param({"attribute_formulas": "other"}, "attribute_formulas", id="unknown formulas"),
        pytest.param({"attribute_dropout": "often"}, "attribute_dropout", id="text for whether"),
        pytest.param({"token_domains": [{"type": "Bar"}]}, r"token_domains\[0\]", id="domain without size"),
        pytest.param(
            {"token_domains": [{"type": "Bar", "domain_size": 1}] * 2},
            "Bar is listed twice",
            id="type listed twice",
        ),
        pytest.param(
            {"token_domains": [{"type": "Bar", "domain_size": 0}]}, "Bar has size 0", id="type of no values"
        ),
        pytest.param(
            {**SMALL, "token_domains": [{"type": "TimeSig", "domain_size": 3}]},
            "TimeSig has size 3, but .* say 2",
            id="list and signatures disagree",
        ),
        pytest.param(
            {"velocity_levels": 64, "token_domains": [{"type": "VelocityLevel", "domain_size": 32}]},
            "VelocityLevel has size 32, but .* say 64",
            id="list and velocity levels disagree",
        ),
    ],
)
def test_wrong_configurations_are_refused(data, message):
    with pytest.raises(EncoderConfigError, match=message):
        EncoderConfig.from_dict(data)


@pytest.mark.parametrize("text", ["", "[]", "3", "{", "null"])
def test_what_is_not_an_object_is_refused(text):
    with pytest.raises(EncoderConfigError):
        EncoderConfig.from_json(text)


def test_copies_are_independent():
    read = EncoderConfig.from_dict({**SMALL, "attribute_controls": [{"name": "pitch_range"}]})
    for other in (read.copy(), copy.deepcopy(read), pickle.loads(pickle.dumps(read))):
        assert other == read
        other.resolution = 24
        other.attribute_controls[0]["name"] = "key_signature"
    assert read.resolution == 12
    assert read.attribute_controls == [{"name": "pitch_range"}]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        pytest.param({"supports_infill": 1}, "supports_infill is 1; taken as true", id="1 for true"),
        pytest.param({"velocity_sticky": 0}, "velocity_sticky is 0; taken as false", id="0 for false"),
        pytest.param(
            {"attribute_controls": [{"name": "nomml", "parms": {}}]},
            r"attribute_controls\[0\]: 'parms' is not known .* did you mean 'params'",
            id="misspelt part of a control",
        ),
        pytest.param(
            {"token_domains": [{"type": "Bar", "domain_size": 1, "size": 2}]},
            r"token_domains\[0\]: 'size' is not known",
            id="unknown part of a domain",
        ),
    ],
)
def test_m27_what_is_probably_a_mistake_is_warned_about(monkeypatch, data, message):
    monkeypatch.setattr(config, "_warned", set())
    with pytest.warns(UserWarning, match=message):
        EncoderConfig.from_dict(data)


def test_m27_a_file_of_unknown_keys_warns_without_end_neither_in_number_nor_in_length(monkeypatch):
    monkeypatch.setattr(config, "_warned", set())
    with pytest.warns(UserWarning) as seen:
        EncoderConfig.from_dict({"x" * 100_000: 1, **{f"key{i}": 1 for i in range(3000)}})
    assert len(seen) <= 1000
    assert max(len(str(w.message)) for w in seen) < 400


@pytest.mark.parametrize(
    ("data", "message"),
    [
        pytest.param({3: 4}, "keys", id="a number for a key"),
        pytest.param({"resolution": float("nan")}, "resolution is nan", id="not a number"),
        pytest.param({"resolution": float("inf")}, "resolution is inf", id="infinity"),
        pytest.param({"velocity_levels": 10**9}, r"allowed: 2\.\.32767", id="a billion velocities"),
        pytest.param(
            {"time_signatures": ["4/4"] * 40_000}, "TimeSig has size 40000", id="too many signatures"
        ),
        pytest.param(
            {"attribute_controls": [{"name": "nomml", "params": 3}]}, "params", id="number for params"
        ),
    ],
)
def test_hostile_values_are_refused(data, message):
    with pytest.raises(EncoderConfigError, match=message) as caught:
        EncoderConfig.from_dict(data)
    assert len(str(caught.value)) < 1000
