"""Token ids, their domains, and what values mean."""

from __future__ import annotations

import numpy as np
import pytest

from midigpt_nb import _core
from midigpt_nb.attributes import AttributeAnalyzer
from midigpt_nb.errors import EncoderConfigError, VocabularyError
from midigpt_nb.tokenizer import EncoderConfig, Tokenizer
from midigpt_nb.training import vocabulary as training_vocabulary

from .helpers import make_tokenizer, reference

T = _core.TokenType
NAMES = ["yellow", "prism", "expressive", "expressive_no_switch", "ghost"]
SMALL = {"resolution": 12, "time_signatures": ["4/4", "6/8"], "num_bars_map": [4, 8]}


def small(**fields):
    return _core.Vocabulary(EncoderConfig.from_dict({**SMALL, **fields}))


@pytest.mark.parametrize("name", NAMES)
def test_k5_published_vocabularies(name):
    expected = reference("vocabularies.json")[name]
    vocab = make_tokenizer(name).vocab
    assert vocab.size == len(vocab) == expected["vocab_size"]
    assert vocab.domains == [(name, size) for name, _number, size in expected["domains"]]
    start = 0
    for type_name, number, size in expected["domains"]:
        kind = T[type_name]
        assert kind == number
        assert vocab.range(kind) == (start, start + size)
        assert (vocab.type_ids[start : start + size] == number).all()
        assert vocab.values[start : start + size].tolist() == list(range(size))
        assert vocab.decode(start + size - 1) == (kind, size - 1)
        assert vocab.encode(kind, size - 1) == start + size - 1
        start += size


@pytest.mark.parametrize("name", ["yellow", "ghost", "expressive_no_switch"])
def test_k5_the_derived_form_gives_the_same_ids(name):
    data = reference(f"configs/{name}.json")
    del data["token_domains"]
    assert Tokenizer(EncoderConfig.from_dict(data)).vocab.domains == make_tokenizer(name).vocab.domains


def test_the_bundled_models_ids(pocket):
    ids = {name: pocket.vocab.range(T[name]) for name, _size in pocket.vocab.domains}
    assert pocket.vocab.size == 833
    assert ids["MaskBar"] == (607, 608)
    assert {name: (first, last - 1) for name, (first, last) in ids.items() if first >= 608} == {
        "NoteDensity": (608, 617),
        "MinPolyphony": (618, 627),
        "MaxPolyphony": (628, 637),
        "MinNoteDuration": (638, 643),
        "MaxNoteDuration": (644, 649),
        "TrackLevelPitchRangeMax": (650, 777),
        "KeySignature": (778, 802),
        "TrackLevelSilenceProportionMax": (803, 812),
        "BarLevelOnsetDensity": (813, 822),
        "BarLevelOnsetPolyphonyMax": (823, 832),
    }
    assert pocket.vocab.track_slots == [
        "MinPolyphony", "MaxPolyphony", "MinNoteDuration", "MaxNoteDuration", "NoteDensity",
        "TrackLevelPitchRangeMax", "KeySignature", "TrackLevelSilenceProportionMax",
    ]  # fmt: skip
    assert pocket.vocab.bar_slots == ["BarLevelOnsetDensity", "BarLevelOnsetPolyphonyMax"]


def test_training_and_tokenizer_have_one_vocabulary(pocket):
    trained = Tokenizer(training_vocabulary.encoder_config())
    assert trained.vocab.domains == pocket.vocab.domains == list(training_vocabulary.DOMAINS)
    assert trained.vocab.track_slots == list(training_vocabulary.TRACK_ATTRIBUTES)


def test_k5_attributes_that_are_listed_keep_their_place_and_size():
    config = EncoderConfig.from_dict(reference("configs/yellow.json"))
    vocab = _core.Vocabulary(config, [("TOKEN_MAX_POLYPHONY", 99), ("KeySignature", 25)])
    assert vocab.domain_size(T.MaxPolyphony) == 10
    assert vocab.domains[-1] == ("KeySignature", 25)
    assert config.token_domains[-1] != {"type": "KeySignature", "domain_size": 25}


def test_m13_the_tokenizer_leaves_the_configuration_alone():
    config = EncoderConfig.from_dict({**SMALL, "attribute_controls": [{"name": "key_signature"}]})
    tokenizer = Tokenizer(config, AttributeAnalyzer.from_config(config))
    assert tokenizer.vocab.has(T.KeySignature)
    assert config.token_domains == []
    tokenizer.config.resolution = 24
    assert config.resolution == 12


def test_k11_slots_that_are_off_can_be_switched_on():
    assert "BarLevelPitchClassSet" not in make_tokenizer("prism").vocab.bar_slots
    vocab = make_tokenizer("prism", (("bar", "PitchClassSet"),)).vocab
    assert vocab.bar_slots[0] == "BarLevelPitchClassSet"
    assert vocab.bar_slot_keys[0] == "PitchClassSet"
    with_onsets = Tokenizer(
        EncoderConfig.from_dict({**SMALL, "attribute_controls": [{"name": "onset_polyphony"}]})
    )
    assert with_onsets.vocab.track_slots == ["BarLevelOnsetPolyphonyMax"]


def test_token_type_names():
    rows = reference("token_types.json")
    assert sorted((row["name"], row["id"]) for row in rows) == sorted(
        (name, n) for name, n, _ in _core.token_types()
    )
    for row in rows:
        for spelling in row["accepted"]:
            assert _core.parse_token_type(spelling).name == row["name"]
    numbers = [number for _name, number, _others in _core.token_types()]
    assert len(set(numbers)) == len(numbers)


def test_an_unknown_type_is_answered_with_the_nearest_name():
    with pytest.raises(VocabularyError, match="did you mean 'NoteOnset'"):
        _core.parse_token_type("NoteOnste")


def test_old_vocabularies_with_reserved_types_load():
    rows = [{"type": "TOKEN_NOTE_OFFSET", "domain_size": 128}, {"type": "PieceEnd", "domain_size": 1}]
    vocab = small(token_domains=rows)
    assert vocab.domains == [("NoteOffset", 128), ("None", 1)]
    assert vocab.encode(T["None"], 0) == 128


def test_ids_and_values_outside_are_errors(pocket):
    vocab = pocket.vocab
    with pytest.raises(VocabularyError, match=r"no token 833; this vocabulary has 0\.\.832"):
        vocab.decode(833)
    with pytest.raises(VocabularyError):
        vocab.decode(-1)
    with pytest.raises(VocabularyError, match=r"TimeSig has no value 36; this model has 0\.\.35"):
        vocab.encode(T.TimeSig, 36)
    with pytest.raises(VocabularyError, match="no Genre tokens"):
        vocab.encode(T.Genre, 0)
    assert vocab.range(T.Genre) == (-1, -1)
    assert vocab.domain_size(T.Genre) == 0


def test_arrays_cannot_be_written(pocket):
    with pytest.raises(ValueError, match="read-only"):
        pocket.vocab.values[0] = 1


@pytest.mark.parametrize(("levels", "name"), [("32", "ghost"), ("128", "expressive")])
def test_q6_velocity_bins(levels, name):
    table = reference("velocity_tables.json")[levels]
    vocab = make_tokenizer(name).vocab
    assert [vocab.velocity_level(v) for v in range(128)] == table["velocity_to_level"]
    decoded = [vocab.velocity_of_level(level) for level in range(1, int(levels))]
    assert decoded == table["level_to_velocity"][1:]
    assert vocab.velocity_of_level(0) == 100
    assert vocab.velocity_level(-3) == 0 and vocab.velocity_level(500) == int(levels) - 1


def test_instruments(pocket):
    table = reference("instrument_map.json")
    assert [pocket.vocab.instrument_value(p) for p in range(128)] == table["program_to_value"]
    programs = [pocket.vocab.instrument_program(v) for v in range(109)]
    assert programs == table["value_to_program"]
    assert pocket.vocab.instrument_value(-1) == pocket.vocab.instrument_value(128) == 0


def test_later_groups_override_and_outsiders_are_ignored():
    vocab = small(instrument_merge_groups=[[0, 1, 2], [5, 1, 300]])
    assert [vocab.instrument_program(vocab.instrument_value(p)) for p in range(6)] == [0, 5, 0, 3, 4, 5]


def test_time_signatures_and_window_widths(pocket):
    vocab = pocket.vocab
    assert vocab.time_signature_value(6, 8) == 3 and vocab.time_signature(3) == (6, 8)
    assert vocab.num_bars_value(12) == 2 and vocab.num_bars(2) == 12
    with pytest.raises(
        VocabularyError, match="time signature 19/16 is not known to this model; it knows 4/4, 3/4"
    ):
        vocab.time_signature_value(19, 16)
    with pytest.raises(VocabularyError, match="cannot look at 5 bars at a time; it knows 4, 8, 12, 16"):
        vocab.num_bars_value(5)


def test_of_equal_entries_the_last_counts():
    vocab = small(time_signatures=["4/4", "3/4", "4/4"], num_bars_map=[4, 8, 4])
    assert (vocab.time_signature_value(4, 4), vocab.num_bars_value(4)) == (2, 2)


def test_genres():
    groups = {"rock": ["Grunge", "shared"], "jazz": ["swing", "shared"], "Blues": []}
    vocab = small(genre_groups=groups)
    assert vocab.genres == ["Blues", "jazz", "rock"]
    assert [vocab.genre_value(g) for g in ("BLUES", "Swing", "grunge", "shared")] == [0, 1, 2, 2]
    assert vocab.has_genre("jazz") and not vocab.has_genre(" jazz")
    with pytest.raises(VocabularyError, match="Blues, jazz, rock"):
        vocab.genre_value("polka")
    assert make_tokenizer("prism").vocab.genre_value("rock") == 16


def test_attributes_without_a_token_are_refused():
    with pytest.raises(VocabularyError):
        _core.Vocabulary(EncoderConfig.from_dict(SMALL), [("PitchClassSetTrack", 12)])
    with pytest.raises(EncoderConfigError):
        _core.Vocabulary(EncoderConfig.from_dict(SMALL), [("KeySignature", 0)])


def test_type_ids_say_the_permanent_number(pocket):
    assert pocket.vocab.type_ids.dtype == np.uint8
    assert T(int(pocket.vocab.type_ids[607])) is T.MaskBar
