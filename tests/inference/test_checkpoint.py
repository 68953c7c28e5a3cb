"""Model files: what is read, and what is refused with which words."""

from __future__ import annotations

import json
import time
import tracemalloc

import numpy as np
import pytest

from midigpt_nb.errors import CheckpointError
from midigpt_nb.inference import InferenceEngine
from midigpt_nb.inference.checkpoint import GPT2Shape, read_checkpoint, write_checkpoint
from midigpt_nb.training.vocabulary import encoder_config

from .conftest import random_arrays, write_tiny_checkpoint

SHAPE = GPT2Shape(vocab_size=7, n_positions=8, n_embd=4, n_layer=1, n_head=2)


@pytest.fixture
def arrays():
    return random_arrays(SHAPE)


def test_what_is_written_is_read(tmp_path, arrays):
    write_checkpoint(tmp_path / "a.safetensors", arrays, SHAPE, {"resolution": 12})
    got = read_checkpoint(tmp_path / "a.safetensors")
    assert got.shape == SHAPE and got.encoder_config == {"resolution": 12}
    for name, array in arrays.items():
        np.testing.assert_array_equal(got.arrays[name], array)


def test_half_floats_become_float32(tmp_path, arrays):
    write_checkpoint(tmp_path / "a.safetensors", arrays, SHAPE, {}, half=True)
    got = read_checkpoint(tmp_path / "a.safetensors").arrays["lm_head.weight"]
    assert got.dtype == np.float32
    np.testing.assert_array_equal(got, arrays["lm_head.weight"].astype(np.float16).astype(np.float32))


def test_bfloat16_becomes_float32(tmp_path, arrays):
    torch = pytest.importorskip("torch")
    from safetensors.torch import save_file

    tensors = {n: torch.from_numpy(a).to(torch.bfloat16) for n, a in arrays.items()}
    metadata = {
        "format_version": "2",
        "arch": "gpt2",
        "config": json.dumps(SHAPE.__dict__),
        "encoder_config": "{}",
    }
    save_file(tensors, tmp_path / "a.safetensors", metadata)
    got = read_checkpoint(tmp_path / "a.safetensors").arrays
    for name, tensor in tensors.items():
        np.testing.assert_array_equal(got[name], tensor.float().numpy())


def test_a_file_in_parts_is_read_as_one(tmp_path, arrays):
    whole = tmp_path / "a.safetensors"
    write_checkpoint(whole, arrays, SHAPE, {})
    data = whole.read_bytes()
    whole.unlink()
    (tmp_path / "a.safetensors.000").write_bytes(data[:500])
    (tmp_path / "a.safetensors.001").write_bytes(data[500:])
    assert read_checkpoint(whole).shape == SHAPE


def test_mask_buffers_of_old_exports_are_skipped(tmp_path, arrays):
    extra = {"transformer.h.0.attn.bias": np.ones((1, 1)), "transformer.h.0.attn.masked_bias": np.zeros(1)}
    write_checkpoint(tmp_path / "a.safetensors", {**arrays, **extra}, SHAPE, {})
    assert set(read_checkpoint(tmp_path / "a.safetensors").arrays) == set(arrays)


def damaged(path, arrays, *, header=None, drop_metadata=False, metadata=None, cut=None):
    """Write a file and spoil one thing."""
    write_checkpoint(path, arrays, SHAPE, {})
    raw = path.read_bytes()
    n = int.from_bytes(raw[:8], "little")
    head = json.loads(raw[8 : 8 + n])
    head["__metadata__"].update(metadata or {})
    if drop_metadata:
        del head["__metadata__"]
    for name, entry in (header or {}).items():
        head[name].update(entry)
    text = json.dumps(head).encode()
    raw = len(text).to_bytes(8, "little") + text + raw[8 + n :]
    path.write_bytes(raw[:cut] if cut else raw)


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        pytest.param({"cut": 5}, "not a safetensors file", id="five bytes"),
        pytest.param({"cut": 200}, "not a safetensors file", id="cut in the header"),
        pytest.param({"cut": -100}, "lies outside the file", id="cut in the arrays"),
        pytest.param({"drop_metadata": True}, "no metadata", id="no metadata"),
        pytest.param({"metadata": {"format_version": "1"}}, "format version '1'", id="other version"),
        pytest.param(
            {"metadata": {"arch": "llama"}}, "architecture 'llama' is unknown", id="other architecture"
        ),
        pytest.param({"metadata": {"encoder_config": "null"}}, "no encoder configuration", id="no encoder"),
        pytest.param({"metadata": {"config": "[]"}}, "sizes", id="config is a list"),
        pytest.param({"metadata": {"config": "{"}}, "not JSON", id="config is no JSON"),
        pytest.param({"metadata": {"config": '{"n_heads": 2}'}}, "did you mean 'n_head'", id="misspelt size"),
        pytest.param({"metadata": {"config": '{"n_embd": 5}'}}, "not a multiple", id="impossible size"),
        pytest.param({"header": {"lm_head.weight": {"dtype": "I64"}}}, "has type I64", id="integers"),
        pytest.param({"header": {"lm_head.weight": {"shape": [9, 4]}}}, "does not fit its", id="wrong shape"),
        pytest.param({"header": {"lm_head.weight": {"shape": [4, 7]}}}, "the config says", id="transposed"),
        pytest.param(
            {"header": {"lm_head.weight": {"shape": [-7, -4]}}}, "outside the file", id="negative shape"
        ),
        pytest.param(
            {"header": {"lm_head.weight": {"data_offsets": [0, 10**12]}}}, "outside", id="offset past the end"
        ),
    ],
)
def test_damaged_files_are_refused_in_words(tmp_path, arrays, facts, words):
    path = tmp_path / "bad.safetensors"
    damaged(path, arrays, **facts)
    with pytest.raises(CheckpointError, match=words):
        read_checkpoint(path)


BIG = {"n_layer": 10**9, "n_embd": 4, "n_head": 2, "vocab_size": 7, "n_positions": 8}


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        pytest.param({"header": {"lm_head.weight": {"data_offsets": [0, 112]}}}, "overlap", id="overlap"),
        pytest.param({"header": {"lm_head.weight": {"shape": [7.0, 4]}}}, "malformed", id="a broken shape"),
        pytest.param({"header": {"lm_head.weight": {"shape": "74"}}}, "malformed", id="a shape in words"),
        pytest.param({"header": {"lm_head.weight": {"shape": [float("inf")]}}}, "malformed", id="endless"),
        pytest.param({"header": {"lm_head.weight": {"shape": [10**9] * 100}}}, "does not fit", id="huge"),
        pytest.param({"header": {"lm_head.weight": {"shape": [2**62] * 500}}}, "does not fit", id="huger"),
        pytest.param({"metadata": {"config": json.dumps(BIG)}}, "cannot be a network", id="a billion layers"),
        pytest.param({"metadata": {"config": "[" * 100_000}}, "not JSON", id="config nested without end"),
        pytest.param({"metadata": {"encoder_config": "[" * 100_000}}, "not JSON", id="encoder nested"),
        pytest.param({"metadata": {"config": {"n_layer": 1}}}, "not JSON", id="metadata that is not text"),
        pytest.param({"spoil": np.nan}, "not finite", id="NaN weights"),
        pytest.param({"spoil": np.inf}, "not finite", id="infinite weights"),
    ],
)
def test_hostile_files_are_refused_quickly_and_in_words(tmp_path, arrays, facts, words):
    facts = dict(facts)
    arrays["lm_head.weight"][0, 0] = facts.pop("spoil", 0.5)
    path = tmp_path / "bad.safetensors"
    damaged(path, arrays, **facts)
    began = time.perf_counter()
    with pytest.raises(CheckpointError, match=words):
        read_checkpoint(path)
    assert time.perf_counter() - began < 2


@pytest.mark.parametrize(
    "header",
    [
        pytest.param(b"[" * 200_000, id="nested without end"),
        pytest.param(b'{"a": ' * 100_000, id="objects without end"),
        pytest.param(b"\xff\xfe" * 100, id="no text"),
        pytest.param(b"[]", id="a list"),
        pytest.param(b'{"x": ' + b"9" * 5000 + b"}", id="a number of 5000 digits"),
    ],
)
def test_headers_that_are_no_object(tmp_path, header):
    (tmp_path / "a.safetensors").write_bytes(len(header).to_bytes(8, "little") + header)
    with pytest.raises(CheckpointError, match="header"):
        read_checkpoint(tmp_path / "a.safetensors")


def test_a_huge_hollow_file_is_refused_without_reading_it(tmp_path, arrays):
    """A sparse file of 64 GiB in which one array claims all the room: refused by its shape."""
    path = tmp_path / "big.safetensors"
    entry = {"shape": [2**34 - 2**10], "data_offsets": [0, 4 * (2**34 - 2**10)], "dtype": "F32"}
    damaged(path, arrays, header=dict.fromkeys(["lm_head.weight"], entry))
    with path.open("r+b") as file:
        file.truncate(1 << 36)
    tracemalloc.start()
    with pytest.raises(CheckpointError, match=r"overlap|the config says"):
        read_checkpoint(path)
    assert tracemalloc.get_traced_memory()[1] < 8 << 20
    tracemalloc.stop()


def test_a_bundle_whose_arrays_are_mostly_air_is_refused(tmp_path, arrays):
    torch = pytest.importorskip("torch")
    state = {n: torch.from_numpy(a) for n, a in arrays.items()}
    state["lm_head.weight"] = torch.zeros(1).expand(7, 4)
    sizes = dict(SHAPE.__dict__)
    bundle = {"format_version": 1, "config": sizes, "encoder_config": "{}", "state_dict": state}
    torch.save(bundle, tmp_path / "a.pt")
    with pytest.raises(CheckpointError, match="missing arrays"):
        read_checkpoint(tmp_path / "a.pt")
    (tmp_path / "b.pt").write_bytes(b"PK\x03\x04 not really")
    with pytest.raises(CheckpointError, match="refused"):
        read_checkpoint(tmp_path / "b.pt")


@pytest.mark.parametrize(
    "controls",
    [
        pytest.param([{"name": "9/0"}], id="an attribute that does not exist"),
        pytest.param([{"name": "note_density_quantile", "params": {"0": 1}}], id="an unknown parameter"),
        pytest.param([3], id="a number"),
        pytest.param(3, id="no list"),
    ],
)
def test_an_unusable_encoder_configuration_is_refused(tmp_path, controls):
    shape = GPT2Shape(833, 64, 8, 1, 2)
    config = {**encoder_config(), "attribute_controls": controls}
    write_checkpoint(tmp_path / "a.safetensors", random_arrays(shape), shape, config)
    with pytest.raises(CheckpointError, match=r"encoder configuration|attribute"):
        InferenceEngine.from_checkpoint(tmp_path / "a.safetensors")


@pytest.mark.parametrize("facts", [{"device": "warp"}, {"device": "cuda:99"}, {"dtype": "int4"}])
def test_devices_and_types_that_are_not_there(tmp_path, facts):
    with pytest.raises(CheckpointError, match=next(iter(facts))):
        InferenceEngine.from_checkpoint(write_tiny_checkpoint(tmp_path / "t.safetensors"), **facts)


def test_missing_arrays_are_named(tmp_path, arrays):
    del arrays["lm_head.weight"]
    write_checkpoint(tmp_path / "a.safetensors", arrays, SHAPE, {})
    with pytest.raises(CheckpointError, match=r"missing arrays .'lm_head.weight'"):
        read_checkpoint(tmp_path / "a.safetensors")


@pytest.mark.parametrize(
    ("name", "words"), [("nothing.safetensors", "there is no file"), ("song.mid", "must be a")]
)
def test_other_paths(tmp_path, name, words):
    (tmp_path / "song.mid").write_bytes(b"MThd")
    with pytest.raises(CheckpointError, match=words):
        read_checkpoint(tmp_path / name)
    with pytest.raises(CheckpointError, match="folder"):
        read_checkpoint(tmp_path)


def test_a_packed_bundle_is_read_without_running_code(tmp_path, arrays):
    torch = pytest.importorskip("torch")
    state = {n: torch.from_numpy(a) for n, a in arrays.items()}
    bundle = {
        "format_version": 1,
        "arch": None,
        "config": dict(SHAPE.__dict__),
        "encoder_config": "{}",
        "state_dict": state,
    }
    torch.save(bundle, tmp_path / "a.pt")
    np.testing.assert_array_equal(
        read_checkpoint(tmp_path / "a.pt").arrays["lm_head.weight"], arrays["lm_head.weight"]
    )

    class Trap:
        def __reduce__(self):
            return (open, (str(tmp_path / "sprung"), "w"))

    torch.save({**bundle, "arch": Trap()}, tmp_path / "trap.pt")
    with pytest.raises(CheckpointError, match="refused"):
        read_checkpoint(tmp_path / "trap.pt")
    assert not (tmp_path / "sprung").exists()


def test_vocabulary_and_weights_must_agree(tmp_path):
    shape = GPT2Shape(vocab_size=700, n_positions=64, n_embd=8, n_layer=1, n_head=2)
    write_checkpoint(tmp_path / "a.safetensors", random_arrays(shape), shape, encoder_config())
    with pytest.raises(CheckpointError, match="700 tokens, its encoder configuration describes 833"):
        InferenceEngine.from_checkpoint(tmp_path / "a.safetensors")


def test_names(tmp_path, monkeypatch):
    from midigpt_nb.inference import engine as module

    path = write_tiny_checkpoint(tmp_path / "pocket.safetensors")
    monkeypatch.setitem(module.BUNDLED, "pocket", path)
    monkeypatch.setattr(module, "_told", set())
    assert InferenceEngine.from_pretrained().name == "pocket"
    with pytest.warns(UserWarning, match="bundled model 'pocket'"):
        assert InferenceEngine.from_pretrained("ghost").name == "pocket"
    InferenceEngine.from_pretrained("ghost")  # said once; a second warning would be an error
    with pytest.raises(CheckpointError, match=r"from_checkpoint\(path\), or use from_pretrained\('pocket'\)"):
        InferenceEngine.from_pretrained("yellow")
    with pytest.raises(CheckpointError, match="did you mean 'pocket'"):
        InferenceEngine.from_pretrained("poket")
