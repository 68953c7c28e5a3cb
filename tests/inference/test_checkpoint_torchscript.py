"""Folders with a scripted module (P15): weights into the native network, program text unread."""

from __future__ import annotations

import json
import shutil
import zipfile

import numpy as np
import pytest

from midigpt_nb.errors import CheckpointError
from midigpt_nb.inference import InferenceEngine
from midigpt_nb.inference.checkpoint import GPT2Shape, read_checkpoint, save_checkpoint
from midigpt_nb.inference.containers.torch_archive import TorchArchive
from midigpt_nb.inference.containers.torchscript import _written

from .weights import published_config, published_shape

torch = pytest.importorskip("torch")
from .scripted_module import LanguageModel  # noqa: E402 - needs torch

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore:Converting a tensor")

VOCABULARY = 647


def write_folder(folder, module, config=None, *, traced=False):
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text(json.dumps(published_config("yellow") if config is None else config))
    if traced:
        past = tuple((k, v) for k, v in module.empty())
        forward = torch.jit.trace(
            _Tuples(module), (torch.tensor([[1]]), past), check_trace=False, strict=False
        )
        forward.save(str(folder / "model.pt"))
    else:
        torch.jit.script(module).save(str(folder / "model.pt"))
    return folder


class _Tuples(torch.nn.Module):
    """Tracing knows no lists."""

    def __init__(self, module):
        super().__init__()
        self.inner = module

    def forward(self, ids, past):
        logits, present = self.inner(ids, past)
        return logits, tuple(present)


@pytest.fixture(scope="module")
def module():
    torch.manual_seed(1)
    return LanguageModel(VOCABULARY).eval()


@pytest.fixture(scope="module")
def folder(module, tmp_path_factory):
    return write_folder(tmp_path_factory.mktemp("scripted") / "m", module)


def test_p15_the_native_network_computes_what_the_scripted_one_does(folder, module):
    engine = InferenceEngine.from_checkpoint(folder)
    assert engine.limits.max_context == 64 and engine.backend.shape == GPT2Shape(VOCABULARY, 64, 32, 2, 4)
    ids = np.random.default_rng(0).integers(0, VOCABULARY, 40)
    with torch.no_grad():
        wanted = module(torch.from_numpy(ids)[None], module.empty())[0][0, -1].numpy()
    got = engine.backend.start(1).logits([ids], [np.arange(40)])[0]
    np.testing.assert_allclose(got, wanted, atol=2e-4)


def test_p15_hidden_bars_work_which_a_scripted_module_cannot_do(folder):
    decoding = InferenceEngine.from_checkpoint(folder).backend.start(1)
    assert decoding.logits([np.array([5, 6, 7])], [np.array([0, 1, 9])]).shape == (1, VOCABULARY)


def test_p15_the_program_is_not_run_and_not_even_loaded(folder, tmp_path):
    """The same weights with the program text destroyed."""
    broken = tmp_path / "broken"
    shutil.copytree(folder, broken)
    with zipfile.ZipFile(folder / "model.pt") as old, zipfile.ZipFile(broken / "model.pt", "w") as new:
        for entry in old.infolist():
            code = "/code/" in entry.filename
            new.writestr(entry.filename, b"import os; os.abort()" if code else old.read(entry.filename))
    with pytest.raises(RuntimeError):
        torch.jit.load(str(broken / "model.pt"))
    assert read_checkpoint(broken).shape == read_checkpoint(folder).shape


def test_p15_a_traced_module_in_another_module(module, tmp_path):
    """Its attributes do not say the number of heads; its reshapes do."""
    checkpoint = read_checkpoint(write_folder(tmp_path / "t", module, traced=True))
    assert checkpoint.shape.n_head == 4
    np.testing.assert_array_equal(checkpoint.arrays["lm_head.weight"], module.lm_head.weight.detach().numpy())


@pytest.mark.parametrize("name", ["num_heads", "n_head", "num_attention_heads"])
def test_the_number_of_heads_is_what_the_module_says(tmp_path, name):
    torch.manual_seed(1)
    folder = write_folder(tmp_path / name, LanguageModel(VOCABULARY, heads=16, head_name=name))
    assert read_checkpoint(folder).shape.n_head == 16  # 8 divides the width, too


def test_a_module_that_does_not_say_it_is_refused_until_the_caller_does(tmp_path):
    folder = write_folder(tmp_path / "m", LanguageModel(VOCABULARY, head_name="secret"))
    with pytest.raises(CheckpointError, match=r"does not say how many attention heads.*n_head=8"):
        read_checkpoint(folder)
    assert InferenceEngine.from_checkpoint(folder, n_head=4).backend.shape.n_head == 4
    with pytest.raises(CheckpointError, match="not a multiple"):
        read_checkpoint(folder, n_head=5)


def test_n_head_is_only_for_scripted_modules(checkpoint_path):
    with pytest.raises(CheckpointError, match="n_head is for folders"):
        read_checkpoint(checkpoint_path, n_head=4)


def test_a_folder_is_converted(folder, tmp_path):
    first = read_checkpoint(folder)
    save_checkpoint(first, tmp_path / "m.safetensors")
    again = read_checkpoint(tmp_path / "m.safetensors")
    assert (again.shape, again.encoder_config) == (first.shape, first.encoder_config)
    np.testing.assert_array_equal(
        again.arrays["transformer.wpe.weight"], first.arrays["transformer.wpe.weight"]
    )


@pytest.mark.parametrize("missing", ["config.json", "model.pt"])
def test_a_missing_file_is_named(folder, tmp_path, missing):
    shutil.copytree(folder, tmp_path / "m")
    (tmp_path / "m" / missing).unlink()
    with pytest.raises(FileNotFoundError, match=f"folder without '{missing}'"):
        InferenceEngine.from_checkpoint(tmp_path / "m")


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ("[]", "no encoder configuration"),
        ("{", "not JSON"),
        ("null", "no encoder"),
        ("[" * 99_999, "not JSON"),
    ],
)
def test_a_damaged_configuration(folder, tmp_path, config, words):
    shutil.copytree(folder, tmp_path / "m")
    (tmp_path / "m" / "config.json").write_text(config)
    with pytest.raises(CheckpointError, match=words):
        read_checkpoint(tmp_path / "m")


def test_other_modules_are_refused(tmp_path):
    folder = write_folder(tmp_path / "m", torch.nn.Linear(2, 2), {})
    with pytest.raises(CheckpointError, match="it is not a GPT-2"):
        read_checkpoint(folder)
    torch.save({"format_version": 1}, folder / "model.pt")
    with pytest.raises(CheckpointError, match="not a scripted module"):
        read_checkpoint(folder)


def test_d28_the_vocabulary_is_compared(folder, tmp_path):
    shutil.copytree(folder, tmp_path / "m")
    (tmp_path / "m" / "config.json").write_text(json.dumps(published_config("prism")))
    with pytest.raises(CheckpointError, match=r"has 647 tokens, its encoder configuration describes 843"):
        InferenceEngine.from_checkpoint(tmp_path / "m")
    assert published_shape("prism").vocab_size == 843


def test_program_text_without_end_is_refused(tmp_path):
    path = tmp_path / "model.pt"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("m/data.pkl", b"")
        for i in range(64):
            archive.writestr(f"m/code/{i}.py", b" " * (1 << 20))
    assert path.stat().st_size < 1 << 20
    with pytest.raises(CheckpointError, match="program text is longer than 4 MiB"):
        _written(TorchArchive(path), 64)
