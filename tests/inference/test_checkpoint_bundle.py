"""`.pt` bundles: read as data, and refused with the reason where a plain unpickler would run something."""

from __future__ import annotations

import io
import pickle
import pickletools
import struct
import time
import tracemalloc
import zipfile
from contextlib import suppress

import numpy as np
import pytest

from midigpt_nb.errors import CheckpointError
from midigpt_nb.inference import InferenceEngine
from midigpt_nb.inference.checkpoint import GPT2Shape, read_checkpoint
from midigpt_nb.inference.containers.contents import plain_data
from midigpt_nb.inference.containers.plain_pickle import read_pickle

from .conftest import random_arrays
from .weights import write_published

torch = pytest.importorskip("torch")

SHAPE = GPT2Shape(vocab_size=7, n_positions=8, n_embd=4, n_layer=1, n_head=2)


@pytest.fixture
def bundle():
    """What a good file holds."""
    return {
        "format_version": 1,
        "arch": None,
        "config": dict(SHAPE.__dict__),
        "encoder_config": {"resolution": 12, "pitch_range": [0, 127], "ratio": 0.5, "none": None, "on": True},
        "state_dict": {n: torch.from_numpy(a) for n, a in random_arrays(SHAPE).items()},
    }


def saved(path, value, **facts):
    torch.save(value, path, **facts)
    return path


def test_d19_a_bundle_is_read_without_torch_and_without_running_anything(tmp_path, bundle):
    got = read_checkpoint(saved(tmp_path / "a.pt", bundle))
    assert got.shape == SHAPE and got.encoder_config == bundle["encoder_config"]
    for name, tensor in bundle["state_dict"].items():
        np.testing.assert_array_equal(got.arrays[name], tensor.numpy())


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_types_become_float32(tmp_path, bundle, dtype):
    bundle["state_dict"] = {n: t.to(dtype) for n, t in bundle["state_dict"].items()}
    got = read_checkpoint(saved(tmp_path / "a.pt", bundle))
    for name, tensor in bundle["state_dict"].items():
        np.testing.assert_array_equal(got.arrays[name], tensor.float().numpy())


def test_views_parameters_and_an_ordered_dict_with_its_metadata(tmp_path, bundle):
    state = torch.nn.Module().state_dict()  # an OrderedDict with `_metadata`
    for name, tensor in bundle["state_dict"].items():
        state[name] = torch.nn.Parameter(tensor)
    wide = torch.arange(64.0).reshape(8, 8)
    state["transformer.h.0.attn.c_proj.weight"] = wide.t()[2:6, 1:5]  # turned, and from the middle of another
    bundle["state_dict"] = state
    got = read_checkpoint(saved(tmp_path / "a.pt", bundle)).arrays
    np.testing.assert_array_equal(got["transformer.h.0.attn.c_proj.weight"], wide.t()[2:6, 1:5].numpy())
    np.testing.assert_array_equal(got["lm_head.weight"], state["lm_head.weight"].detach().numpy())


def test_d28_mask_buffers_are_skipped_and_an_encoder_as_text_is_read(tmp_path, bundle):
    bundle["state_dict"]["transformer.h.0.attn.bias"] = torch.ones(1, 1, 8, 8, dtype=torch.bool)
    bundle["state_dict"]["transformer.h.0.attn.masked_bias"] = torch.tensor(-1e4)
    bundle["encoder_config"] = '{"resolution": 12}'
    got = read_checkpoint(saved(tmp_path / "a.pt", bundle))
    assert set(got.arrays) == set(SHAPE.arrays()) and got.encoder_config == {"resolution": 12}


def test_a_bundle_makes_an_engine(tmp_path):
    engine = InferenceEngine.from_checkpoint(write_published(tmp_path / "model.pt", "yellow"))
    assert (engine.name, engine.limits.vocab_size) == ("model", 647)


# --- refused ----------------------------------------------------------------------------------------


class Trap:
    """Runs `function(*arguments)` when it is unpickled the ordinary way."""

    def __init__(self, function, *arguments):
        self.what = (function, arguments)

    def __reduce__(self):
        return self.what


def places(bundle, trap):
    """The same file with the trap in every place where there is one."""
    yield "arch", {**bundle, "arch": trap}
    yield "config", {**bundle, "config": trap}
    yield "encoder", {**bundle, "encoder_config": {"resolution": trap}}
    yield "weights", {**bundle, "state_dict": {**bundle["state_dict"], "lm_head.weight": trap}}
    yield "beside", {**bundle, "extra": [trap]}
    yield "instead", trap


@pytest.mark.parametrize("protocol", [2, 4])
def test_d19_code_in_any_place_is_refused_with_its_name_and_not_run(tmp_path, bundle, protocol):
    sprung = tmp_path / "sprung"
    traps = {
        "io.open": Trap(open, str(sprung), "w"),
        "builtins.eval": Trap(eval, f"open({str(sprung)!r}, 'w')"),
        "pathlib.Path": Trap(type(tmp_path), str(sprung)),
    }
    for name, trap in traps.items():
        for place, data in places(bundle, trap):
            path = saved(tmp_path / "trap.pt", data, pickle_protocol=protocol)
            began = time.perf_counter()
            with pytest.raises(CheckpointError, match="refused: it asks to run") as caught:
                read_checkpoint(path)
            assert name.rpartition(".")[2] in str(caught.value).replace("PosixPath", "Path"), place
            assert time.perf_counter() - began < 5
    assert not sprung.exists()
    with pytest.raises(TypeError):  # the trap is real: trusted reading springs it
        torch.load(saved(tmp_path / "trap.pt", {**bundle, "config": traps["io.open"]}), weights_only=False)[
            "config"
        ][0]
    assert sprung.exists()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"format_version": 2}, "format version 2 is not supported in a .pt file"),
        ({"format_version": None}, "format version None"),
        ({"arch": "llama"}, "architecture 'llama' is unknown"),
        ({"arch": ["gpt2"]}, "architecture"),
        ({"config": None}, "'config' must hold"),
        ({"config": {"n_layers": 1}}, "did you mean 'n_layer'"),
        ({"config": {"n_layer": 10**9, "n_embd": 4, "n_head": 2}}, "cannot be a network"),
        ({"config": {"n_layer": torch.ones(3)}}, "holds a TorchArray"),
        ({"encoder_config": None}, "no encoder configuration"),
        ({"encoder_config": "{"}, "not JSON"),
        ({"encoder_config": {1: 2}}, "keys that are not text"),
        ({"state_dict": None}, "no 'state_dict'"),
        ({"state_dict": {}}, "cannot be a network|missing arrays"),
        ({"state_dict": {7: torch.ones(1)}}, "an array has the name 7"),
    ],
)
def test_damaged_bundles_are_refused_in_words(tmp_path, bundle, change, words):
    with pytest.raises(CheckpointError, match=words):
        read_checkpoint(saved(tmp_path / "a.pt", {**bundle, **change}))


def test_bare_weights_say_what_is_missing(tmp_path, bundle):
    with pytest.raises(CheckpointError, match="bare weights, without the encoder configuration"):
        read_checkpoint(saved(tmp_path / "a.pt", bundle["state_dict"]))


def test_arrays_that_are_mostly_air_are_refused(tmp_path, bundle):
    bundle["state_dict"]["lm_head.weight"] = torch.zeros(1).expand(7, 4)
    with pytest.raises(CheckpointError, match=r"missing arrays .'lm_head.weight'"):
        read_checkpoint(saved(tmp_path / "a.pt", bundle))


def test_whole_numbers_are_no_weights(tmp_path, bundle):
    bundle["state_dict"]["lm_head.weight"] = torch.zeros(7, 4, dtype=torch.int32)
    with pytest.raises(CheckpointError, match=r"missing arrays .'lm_head.weight'"):
        read_checkpoint(saved(tmp_path / "a.pt", bundle))


@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf])
def test_numbers_that_are_not_finite_are_refused(tmp_path, bundle, number):
    bundle["state_dict"]["lm_head.weight"][2, 1] = number
    with pytest.raises(CheckpointError, match=r"lm_head.weight holds numbers that are not finite"):
        dict(read_checkpoint(saved(tmp_path / "a.pt", bundle)).arrays)


@pytest.mark.parametrize(
    "data", [b"", b"PK\x03\x04 not really", b"\x80\x02}q\x00.", b"\0" * 5000, b"PK\x05\x06" + b"\xff" * 18]
)
def test_files_that_are_no_archive(tmp_path, data):
    (tmp_path / "a.pt").write_bytes(data)
    with pytest.raises(CheckpointError, match="refused"):
        read_checkpoint(tmp_path / "a.pt")


def test_the_format_of_torch_before_1_6_is_refused_in_words(tmp_path, bundle):
    path = saved(tmp_path / "a.pt", bundle, _use_new_zipfile_serialization=False)
    with pytest.raises(CheckpointError, match=r"torch 1\.6 or later"):
        read_checkpoint(path)


def archive(path, pickled: bytes, *, packed: bool = False, **files: bytes):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED if packed else zipfile.ZIP_STORED) as out:
        out.writestr("a/data.pkl", pickled)
        for name, data in files.items():
            out.writestr(f"a/{name.replace('_', '/')}", data)
    return path


def test_a_packed_pickle_that_would_unpack_to_much_more_is_refused(tmp_path):
    path = archive(tmp_path / "bomb.pt", b"\x80\x02" + b"]0" * (20 << 19) + b".", packed=True)
    assert path.stat().st_size < 1 << 16
    tracemalloc.start()
    with pytest.raises(CheckpointError, match="larger than"):
        read_checkpoint(path)
    assert tracemalloc.get_traced_memory()[1] < 8 << 20
    tracemalloc.stop()


def test_a_directory_of_a_billion_files_is_refused_before_it_is_read(tmp_path):
    end = struct.pack("<4sHHHHIIH", b"PK\x05\x06", 0, 0, 60_000, 60_000, 1 << 30, 0, 0)
    (tmp_path / "a.pt").write_bytes(b"\0" * 1000 + end)
    with pytest.raises(CheckpointError, match="claims to hold 60000 files"):
        read_checkpoint(tmp_path / "a.pt")


def test_nested_references_that_would_fill_the_memory_are_refused():
    """A list of two copies of a list of two copies ...: a hundred bytes that mean 2^60 values."""
    value: object = 1
    for _ in range(60):
        value = [value, value]
    began = time.perf_counter()
    with pytest.raises(CheckpointError, match="too large or nested too deep"):
        plain_data(value, "it")
    assert time.perf_counter() - began < 5


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"\x80\x02r\xff\xff\xff\xff.", id="a memo slot four billion away"),
        pytest.param(b"\x80\x02" + b"(" * 200_000 + b".", id="marks"),
        pytest.param(b"\x80\x02)" + b"\x85" * 50_000 + b".", id="tuples nested without end"),
        pytest.param(b"\x80\x02})" + b"\x85" * 50_000 + b"K\x01s.", id="... as the key of a dict"),
        pytest.param(b"\x80\x02]" + b"q\x00h\x00a" * 1000 + b".", id="a list in itself"),
        pytest.param(b"\x80\x02X\xff\xff\xff\x7fabc.", id="a text longer than the file"),
        pytest.param(b"\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\x02ls\x85R.", id="os.system, protocol 4"),
        pytest.param(b"\x80\x02cos\nsystem\nX\x02\x00\x00\x00ls\x85R.", id="os.system, protocol 2"),
        pytest.param(b"cos\nsystem\n(S'ls'\ntR.", id="os.system, protocol 0"),
        pytest.param(b"\x80\x02ctorch.hub\nload\nX\x01\x00\x00\x00a\x85R.", id="torch's own loader"),
        pytest.param(b"\x80\x02(cos\nsystem\nX\x02\x00\x00\x00lso.", id="an object of a function"),
        pytest.param(b"\x80\x02(X\x02\x00\x00\x00lsios\nsystem\n.", id="an instance"),
        pytest.param(b"\x80\x02\x82\x01.", id="an extension"),
        pytest.param(b"\x80\x02ccollections\nOrderedDict\n)R}b.", id="no error: an empty dict"),
        pytest.param(b"\x80\x02K", id="cut"),
        pytest.param(b"\x80\x020.", id="nothing to drop"),
        pytest.param(b"\x80\x02K\x01u.", id="no mark"),
    ],
)
def test_hostile_pickles(data):
    began = time.perf_counter()
    try:
        assert (
            read_pickle(data, "it", calls={"collections.OrderedDict": lambda: {}}, names=("torch.",))
            in ({}, None)
            or True
        )
    except CheckpointError as error:
        assert str(error).startswith("it")
    assert time.perf_counter() - began < 5


def test_every_instruction_of_pickle_is_read_or_refused():
    """No instruction may reach Python's own unpickler or end the process."""
    for opcode in pickletools.opcodes:
        for tail in (b"", b"\0" * 16, b"os\nsystem\n"):
            stack = b"\x80\x02(X\x01\x00\x00\x00a}]"
            with suppress(CheckpointError):
                read_pickle(stack + opcode.code.encode("latin-1") + tail + b".", "it", calls={})


def test_what_pickle_writes_is_read_the_same():
    value = {"a": [1, 2.5, "ü", None, True, (1, (2, 3, 4, 5))], "b": {"c": -(2**40)}, "d": [[]] * 3}
    for protocol in (2, 3, 4, 5):
        data = io.BytesIO()
        pickle.dump(value, data, protocol)
        assert read_pickle(data.getvalue(), "it", calls={}) == value
