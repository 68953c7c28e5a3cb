"""The core's tables as tables: complete, unique, without loose ends."""

from __future__ import annotations

import pytest

from midigpt_nb import _core
from midigpt_nb.tokenizer import EncoderConfig

from .helpers import make_tokenizer, reference

STATES = dict(_core.grammar_states())
ROWS = _core.grammar_rows()
SLOTS = _core.attribute_slots()


def test_token_types_are_unique_and_all_there():
    names = [name for name, _number, _others in _core.token_types()]
    spellings = [s for name, _number, others in _core.token_types() for s in (name, *others.split())]
    assert sorted(names) == sorted(row["name"] for row in reference("token_types.json"))
    assert len(set(spellings)) == len(spellings)


def test_grammar_rows_name_things_that_exist():
    types = {name for name, _number, _others in _core.token_types()}
    for state, follows, _guard, next_state in ROWS:
        assert state in STATES and next_state in STATES
        assert follows.removeprefix("no ") in types or follows in ("track attributes", "bar attributes")
    assert len(set(ROWS)) == len(ROWS)
    assert all(STATES.values())


def test_every_state_is_reached_and_left():
    reached = {next_state for *_rest, next_state in ROWS}
    left = {state for state, *_rest in ROWS}
    assert set(STATES) - reached == {"Start"}
    assert set(STATES) - left == {"PieceClosed"}


def test_every_state_of_a_generation_has_a_way_on():
    prompts_only = {
        state for state in STATES if all(g in ("prompt", "pass") for s, _f, g, _n in ROWS if s == state)
    }
    assert prompts_only == {"Start", "Header", "Shell", "TrackClosed", "PieceClosed"}


@pytest.mark.parametrize("name", ["yellow", "prism", "expressive", "expressive_no_switch", "ghost"])
def test_every_type_of_a_published_vocabulary_has_a_place(name):
    placed = {follows for _state, follows, _guard, _next in ROWS} | {
        kind for _level, kind, _key, _on in SLOTS
    }
    assert {kind for kind, _size in make_tokenizer(name).vocab.domains} <= placed


def test_structural_types_have_a_place():
    fields = reference("configs/expressive.json") | {"supports_mask_bar_token": True}
    del fields["token_domains"]
    domains = [kind for kind, _size in EncoderConfig.from_dict(fields).derived_domains()]
    assert len(domains) == 21
    assert set(domains) <= {follows for _state, follows, _guard, _next in ROWS}


def test_slots_are_unique_per_level():
    places = [(level, kind) for level, kind, _key, _on in SLOTS]
    assert len(set(places)) == len(places)
    keys = [(level, key) for level, _kind, key, _on in SLOTS]
    assert len(set(keys)) == len(keys)
    assert [kind for _level, kind, _key, on in SLOTS if not on] == [
        "BarLevelOnsetPolyphonyMax",
        "BarLevelPitchClassSet",
    ]


def test_configuration_fields_have_a_meaning_and_a_default():
    plain = _core.EncoderConfig()
    for name, _kind, meaning in _core.EncoderConfig.fields():
        assert meaning
        assert hasattr(plain, name)
