"""Model files: what is read, and what is refused with which words."""

from __future__ import annotations

import hashlib
import json
import time
import tracemalloc

import numpy as np
import pytest

from midigpt_nb.errors import CheckpointError
from midigpt_nb.inference import InferenceEngine
from midigpt_nb.inference.checkpoint import GPT2Shape, read_checkpoint, save_checkpoint, write_checkpoint
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


def test_d28_mask_buffers_of_old_exports_are_skipped(tmp_path, arrays):
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
        pytest.param({"drop_metadata": True}, "no metadata", id="d28 no metadata"),
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
        dict(read_checkpoint(path).arrays)
    assert time.perf_counter() - began < 5


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
    with pytest.raises(FileNotFoundError, match=r"folder without 'config\.json'"):
        read_checkpoint(tmp_path)


def test_d28_vocabulary_and_weights_must_agree(tmp_path):
    shape = GPT2Shape(vocab_size=700, n_positions=64, n_embd=8, n_layer=1, n_head=2)
    write_checkpoint(tmp_path / "a.safetensors", random_arrays(shape), shape, encoder_config())
    with pytest.raises(CheckpointError, match="700 tokens, its encoder configuration describes 833"):
        InferenceEngine.from_checkpoint(tmp_path / "a.safetensors")


def test_fields_that_are_left_out_take_the_defaults():
    assert GPT2Shape.from_dict({"n_embd": 64}) == GPT2Shape(647, 2048, 64, 6, 8)


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_saving_and_reading_again(tmp_path, arrays, dtype):
    write_checkpoint(tmp_path / "a.safetensors", arrays, SHAPE, {"resolution": 12})
    first = read_checkpoint(tmp_path / "a.safetensors")
    save_checkpoint(first, tmp_path / "b.safetensors", dtype=dtype)
    again = read_checkpoint(tmp_path / "b.safetensors")
    assert (again.shape, again.encoder_config) == (first.shape, first.encoder_config)
    close = {"float32": 0, "float16": 1e-3, "bfloat16": 8e-3}[dtype]
    for name, array in first.arrays.items():
        np.testing.assert_allclose(again.arrays[name], array, rtol=close, atol=1e-6 if close else 0)
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith(".")] == []  # nothing half-written


def test_what_is_saved_is_what_other_readers_expect(tmp_path, arrays):
    """The `safetensors` package and torch agree with what was written, rounding included."""
    torch = pytest.importorskip("torch")
    safetensors = pytest.importorskip("safetensors")
    write_checkpoint(tmp_path / "a.safetensors", arrays, SHAPE, {"resolution": 12})
    save_checkpoint(read_checkpoint(tmp_path / "a.safetensors"), tmp_path / "b.safetensors", dtype="bfloat16")
    with safetensors.safe_open(tmp_path / "b.safetensors", "pt") as file:
        assert json.loads(file.metadata()["config"]) == SHAPE.__dict__
        assert file.metadata()["format_version"] == "2"
        for name in file.keys():  # noqa: SIM118 - not a dict
            assert torch.equal(file.get_tensor(name), torch.from_numpy(arrays[name]).bfloat16())


@pytest.mark.parametrize(
    ("name", "facts", "words"),
    [
        ("b.pt", {}, "must end in .safetensors"),
        ("b.safetensors", {"dtype": "int8"}, "dtype 'int8' is unknown"),
    ],
)
def test_saving_elsewhere_or_otherwise_is_refused(tmp_path, arrays, name, facts, words):
    write_checkpoint(tmp_path / "a.safetensors", arrays, SHAPE, {})
    with pytest.raises(CheckpointError, match=words):
        save_checkpoint(read_checkpoint(tmp_path / "a.safetensors"), tmp_path / name, **facts)


def test_u11_the_checksum_is_that_of_the_file(tmp_path):
    path = write_tiny_checkpoint(tmp_path / "tiny.safetensors")
    right = hashlib.sha256(path.read_bytes()).hexdigest()
    source = InferenceEngine.from_checkpoint(path, sha256=right).source
    assert source.as_dict() == {"name": "tiny", "repo": None, "revision": None, "sha256": right}
    with pytest.raises(CheckpointError, match="another file: its SHA-256 is"):
        InferenceEngine.from_checkpoint(path, sha256="ab" * 32)
    data = path.read_bytes()
    path.unlink()
    for i in range(2):
        (tmp_path / f"tiny.safetensors.00{i}").write_bytes(data[i * 999 : (i + 1) * 999 if i == 0 else None])
    assert InferenceEngine.from_checkpoint(path, sha256=right).source.sha256 == right  # of all parts


def test_u10_a_model_in_a_small_type_is_never_in_memory_in_a_large_one(tmp_path):
    """Loading 40 MB of float32 as bfloat16 takes 20 MB and one array, not both copies."""
    torch = pytest.importorskip("torch")
    from midigpt_nb.inference.backends.gpt2 import from_checkpoint

    shape = GPT2Shape(512, 512, 256, 12, 4)
    write_checkpoint(tmp_path / "a.safetensors", random_arrays(shape), shape, {})
    checkpoint = read_checkpoint(tmp_path / "a.safetensors")
    total = 4 * sum(int(np.prod(size)) for size in shape.arrays().values())
    largest = 4 * max(int(np.prod(size)) for size in shape.arrays().values())
    tracemalloc.start()  # numpy's arrays are traced, torch's are not
    backend = from_checkpoint(checkpoint, dtype="bfloat16")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert backend.dtype == torch.bfloat16 and backend.n_parameters * 4 == total
    assert peak < 3 * largest + (1 << 20) < total / 5


def test_opening_reads_no_array(tmp_path):
    path = write_tiny_checkpoint(tmp_path / "t.safetensors", context=8192)
    tracemalloc.start()
    checkpoint = read_checkpoint(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < path.stat().st_size / 4
    assert checkpoint.arrays["transformer.wpe.weight"].shape == (8192, 32)


def test_the_order_of_the_references_arguments(tmp_path):
    """`from_checkpoint(path, analyzer, device)`, as in the reference."""
    path = write_tiny_checkpoint(tmp_path / "t.safetensors")
    engine = InferenceEngine.from_checkpoint(path, None, "cpu")
    other = InferenceEngine.from_checkpoint(path, engine.attributes, "auto")
    assert other.attributes is engine.attributes
    put_together = InferenceEngine(engine.backend, engine.tokenizer, engine.attributes)
    assert put_together.attributes is engine.attributes and put_together.source.sha256 is None
