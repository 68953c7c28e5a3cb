"""Published weights by name: from a stand-in for the hub, from a hand-laid cache, and from neither."""

from __future__ import annotations

import builtins
import hashlib
import os
import re
import socket
import subprocess
import sys
import time
import warnings
from pathlib import Path

import pytest

from midigpt_nb.errors import CheckpointError, HubAccessError, HubError, MissingExtraError
from midigpt_nb.inference import InferenceEngine, models
from midigpt_nb.inference.hub import best_name, cached_file, fetch
from midigpt_nb.inference.models import PUBLISHED_REPO, known_model

from .hub_standin import REVISION, serving
from .weights import write_published

pytest.importorskip("huggingface_hub")

OLDER, NEWER = "a" * 40, "b" * 40


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """Bytes of small checkpoints: with the vocabulary of yellow, of prism, of expressive."""
    folder = tmp_path_factory.mktemp("weights")
    made = {
        name: write_published(folder / f"{name}.safetensors", name)
        for name in ("yellow", "prism", "expressive")
    }
    return {name: path.read_bytes() for name, path in made.items()}


@pytest.fixture(autouse=True)
def no_hub(monkeypatch, tmp_path):
    """Nothing outside this machine can be asked, whatever a test forgets."""
    for name in (
        "HF_HUB_CACHE",
        "HUGGINGFACE_HUB_CACHE",
        "HF_TOKEN",
        "HF_HUB_OFFLINE",
        "HF_HUB_ETAG_TIMEOUT",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    monkeypatch.setenv("HF_HUB_DISABLE_PROGRESS_BARS", "1")


@pytest.fixture
def hub(weights, monkeypatch):
    """The published repository with small weights in it."""
    files = {
        "yellow_small-step1000.safetensors": weights["prism"],  # not the one to take
        "yellow_small-step20000.safetensors": weights["yellow"],
        "yellow_medium-step9.safetensors": weights["prism"],
        "yellow_medium-final.safetensors": weights["yellow"],
        "prism_medium-final.safetensors": weights["prism"],
        "expressive_medium-step5.safetensors": weights["expressive"],
    }
    with serving(PUBLISHED_REPO, files) as running:
        monkeypatch.setenv("HF_ENDPOINT", running.endpoint)
        yield running


def lay(
    cache: Path, name: str, data: bytes, *, revision: str = OLDER, main: bool = False, when: int = 1000
) -> Path:
    """Put a file into a cache as the hub's client does: a blob named after its checksum, a link to it."""
    folder = cache / f"models--{PUBLISHED_REPO.replace('/', '--')}"
    blob = folder / "blobs" / hashlib.sha256(data).hexdigest()
    link = folder / "snapshots" / revision / name
    for path in (blob, link):
        path.parent.mkdir(parents=True, exist_ok=True)
    blob.write_bytes(data)
    link.symlink_to(blob)
    os.utime(link.parent, (when, when))
    if main:
        (folder / "refs").mkdir(exist_ok=True)
        (folder / "refs" / "main").write_text(revision)
    return blob


# --- names ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "files", "best"),
    [
        ("m", ["m-step5", "m-final", "m-step900"], "m-final"),
        ("m", ["m-step90", "m-step1000", "m-step200"], "m-step1000"),
        ("m", ["m-odd", "m-step0"], "m-step0"),
        ("m", ["m-odd"], "m-odd"),
        ("m", ["mm-final", "m.safetensors", "sub/m-final"], None),
        ("m-step90", ["m-step90", "m-final"], "m-step90"),
        ("m-final", ["m-step90"], None),
        ("m_small", ["m_small-step1", "m-final"], "m_small-step1"),
    ],
)
def test_the_best_of_several_files(name, files, best):
    files = [f if f.endswith(".safetensors") else f"{f}.safetensors" for f in files]
    assert best_name(name, [*files, "README.md"]) == (best and f"{best}.safetensors")


@pytest.mark.parametrize(
    ("short", "full"),
    [
        ("yellow", "yellow_medium"), ("prism", "prism_medium"), ("expressive", "expressive_medium"),
        ("ghost", "pocket"), ("yellow_small", "yellow_small"), ("yellow-step3", "yellow_medium-step3"),
    ],
)  # fmt: skip
def test_d30_short_names_of_the_getting_started_page(short, full):
    assert known_model(short).name == full


@pytest.mark.parametrize("name", ["yelow", "yellow_larg", "", "../pocket", "pocket/x", 7, None])
def test_unknown_names_are_refused_without_asking_the_hub(name, hub):
    with pytest.raises(CheckpointError, match=r"no model named|is a text"):
        InferenceEngine.from_pretrained(name)
    assert hub.asked == []


def test_d30_ghost_is_the_bundled_model_and_says_so(tmp_path, monkeypatch, hub):
    from midigpt_nb.inference import engine as module

    monkeypatch.setitem(models.BUNDLED, "pocket", write_published(tmp_path / "p.safetensors", "ghost"))
    monkeypatch.setattr(module, "_told", set())
    assert InferenceEngine.from_pretrained().source.name == "pocket"
    with pytest.warns(UserWarning, match="bundled model 'pocket'"):
        assert InferenceEngine.from_pretrained("ghost").source.name == "pocket"
    InferenceEngine.from_pretrained("ghost")  # said once; a second warning would be an error
    assert hub.asked == []  # U11: the bundled model never asks


# --- downloading ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "file", "tokens"),
    [
        ("yellow", "yellow_medium-final", 647),
        ("yellow_small", "yellow_small-step20000", 647),
        ("prism", "prism_medium-final", 843),
        ("expressive", "expressive_medium-step5", 964),
        ("yellow_small-step20000", "yellow_small-step20000", 647),
    ],
)
def test_d30_a_model_by_its_name(hub, tmp_path, name, file, tokens):
    engine = InferenceEngine.from_pretrained(name, cache_dir=tmp_path / "here")
    assert engine.limits.vocab_size == tokens
    assert engine.source.path.name == f"{file}.safetensors"
    assert engine.source.path.is_relative_to(tmp_path / "here")
    facts = engine.source.as_dict()
    assert (facts["repo"], facts["revision"]) == (PUBLISHED_REPO, REVISION)
    assert facts["sha256"] == hashlib.sha256(hub.files[f"{file}.safetensors"]).hexdigest()


def test_what_was_downloaded_is_not_downloaded_again(hub):
    InferenceEngine.from_pretrained("yellow")
    assert sum(line.startswith("GET /cdn/") for line in hub.asked) == 1
    InferenceEngine.from_pretrained("yellow")
    assert sum(line.startswith("GET /cdn/") for line in hub.asked) == 1


def test_the_token_is_sent(hub):
    hub.token = "hf_secret"
    with pytest.raises(HubAccessError, match=r"huggingface.co/Metacreation/MIDI-GPT.*token='hf_...'"):
        InferenceEngine.from_pretrained("yellow")
    assert InferenceEngine.from_pretrained("yellow", token="hf_secret").limits.vocab_size == 647


def test_a_licence_that_was_not_accepted(hub):
    hub.gated = True
    with pytest.raises(
        PermissionError, match=r"non-commercial licence: log in, read and accept it"
    ) as caught:
        InferenceEngine.from_pretrained("yellow")
    assert isinstance(caught.value, HubAccessError) and "from_pretrained('pocket')" in str(caught.value)


def test_a_repository_without_the_model_lists_what_it_has(hub):
    del hub.files["prism_medium-final.safetensors"]
    with pytest.raises(CheckpointError, match=r"no file prism_medium-final.*yellow_medium-final"):
        InferenceEngine.from_pretrained("prism")


def test_another_repository(hub, weights, monkeypatch):
    hub.repo, hub.files = "someone/models", {"mine-final.safetensors": weights["yellow"]}
    engine = InferenceEngine.from_pretrained("mine", hf_repo="someone/models")
    assert (engine.name, engine.source.repo) == ("mine", "someone/models")
    with pytest.raises(HubError, match="no repository 'nobody/models'"):
        InferenceEngine.from_pretrained("mine", hf_repo="nobody/models")
    for wrong in ("models", "a/b/c", "../x", 3):
        with pytest.raises(CheckpointError, match="must be 'owner/name'"):
            InferenceEngine.from_pretrained("mine", hf_repo=wrong)


def test_u11_another_file_than_expected_is_refused(hub):
    right = hashlib.sha256(hub.files["yellow_medium-final.safetensors"]).hexdigest()
    InferenceEngine.from_pretrained("yellow", sha256=right.upper())
    with pytest.raises(CheckpointError, match="its SHA-256 is"):
        InferenceEngine.from_pretrained("yellow", sha256="0" * 64)


def test_u11_a_damaged_file_in_the_cache_is_refused(hub):
    engine = InferenceEngine.from_pretrained("yellow")
    blob = engine.source.path.resolve()
    blob.write_bytes(blob.read_bytes()[:-1] + b"\0")
    with pytest.raises(CheckpointError, match="does not have the checksum it is named after"):
        InferenceEngine.from_pretrained("yellow")
    with pytest.raises(CheckpointError, match="changed after the model was loaded"):
        _ = engine.source.sha256


# --- without the hub --------------------------------------------------------------------------------


def test_u11_what_is_cached_is_used_without_network(tmp_path, weights):
    lay(tmp_path, "yellow_medium-final.safetensors", weights["yellow"])
    with pytest.warns(
        UserWarning, match=r"cannot be reached.*yellow_medium-final.safetensors from the cache"
    ):
        engine = InferenceEngine.from_pretrained("yellow", cache_dir=tmp_path)
    assert engine.source.revision == OLDER


@pytest.mark.parametrize("status", [500, 503, 429])
def test_a_failing_hub_is_like_none(hub, tmp_path, weights, status):
    hub.status = status
    lay(tmp_path, "yellow_medium-final.safetensors", weights["yellow"])
    with pytest.warns(UserWarning, match=f"status {status}"):
        InferenceEngine.from_pretrained("yellow", cache_dir=tmp_path)


def test_a_gated_model_that_was_downloaded_before_still_loads(hub, tmp_path, weights):
    hub.gated = True
    lay(tmp_path, "yellow_medium-final.safetensors", weights["yellow"])
    with pytest.warns(UserWarning, match="refused access"):
        InferenceEngine.from_pretrained("yellow", cache_dir=tmp_path)


def test_u11_the_best_cached_file_over_all_revisions(tmp_path, weights):
    data = weights["yellow"]
    lay(tmp_path, "m-step10.safetensors", data, revision=NEWER, main=True, when=9000)
    lay(tmp_path, "m-step900.safetensors", data, revision=OLDER)
    assert cached_file("m", PUBLISHED_REPO, tmp_path).path.name == "m-step900.safetensors"
    lay(tmp_path, "m-final.safetensors", data, revision=OLDER)
    lay(tmp_path, "m-final.safetensors", data, revision="c" * 40, when=5000)
    assert cached_file("m", PUBLISHED_REPO, tmp_path).revision == "c" * 40  # the newest copy
    lay(tmp_path, "m-final.safetensors", data, revision=NEWER, when=100)
    assert cached_file("m", PUBLISHED_REPO, tmp_path).revision == NEWER  # what main points to
    blob = lay(tmp_path / "other", "m-final.safetensors", data)
    blob.unlink()
    assert cached_file("m", PUBLISHED_REPO, tmp_path / "other") is None  # a link to nothing


@pytest.mark.parametrize(
    ("variables", "folder"),
    [
        ({"HF_HUB_CACHE": "{}/a"}, "a"),
        ({"HUGGINGFACE_HUB_CACHE": "{}/b"}, "b"),
        ({"HF_HOME": "{}/c"}, "c/hub"),
        ({"HF_HOME": "", "XDG_CACHE_HOME": "{}/d"}, "d/huggingface/hub"),
    ],
)
def test_the_cache_is_where_the_client_keeps_it(tmp_path, monkeypatch, weights, variables, folder):
    for name, value in variables.items():
        monkeypatch.setenv(name, value.format(tmp_path))
    lay(tmp_path / folder, "yellow_medium-final.safetensors", weights["yellow"])
    with pytest.warns(UserWarning, match="from the cache"):
        assert fetch("yellow_medium").path.is_relative_to(tmp_path / folder)


def seconds_until_refused(words: str, **facts) -> float:
    began = time.perf_counter()
    with pytest.raises(HubError, match=words) as caught:
        InferenceEngine.from_pretrained("yellow", **facts)
    for hint in ("from_pretrained('pocket')", "from_checkpoint(path)", "Metacreation/MIDI-GPT"):
        assert hint in str(caught.value)
    return time.perf_counter() - began


def test_u11_without_network_and_cache_the_error_says_what_to_do(tmp_path):
    assert seconds_until_refused("cannot be reached", cache_dir=tmp_path) < 5
    with pytest.raises(HubError, match=re.escape(str(tmp_path))):
        fetch("yellow_medium", cache_dir=tmp_path)


def test_offline_mode_asks_nobody(hub, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert seconds_until_refused("HF_HUB_OFFLINE is set") < 1
    assert hub.asked == []


def test_a_hub_that_never_answers_is_given_up(monkeypatch):
    monkeypatch.setenv("HF_HUB_ETAG_TIMEOUT", "1")
    with socket.create_server(("127.0.0.1", 0)) as silent:  # takes the connection, says nothing
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{silent.getsockname()[1]}")
        assert seconds_until_refused("did not answer within 1 s") < 2.5


def test_a_fresh_process_gives_up_within_five_seconds_too(monkeypatch):
    """Loading the hub's client counts; torch is not loaded for it."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{silent.getsockname()[1]}")
        code = (
            "import sys, time\n"
            "from midigpt_nb.errors import HubError\n"
            "from midigpt_nb.inference import InferenceEngine\n"
            "began = time.perf_counter()\n"
            "try:\n    InferenceEngine.from_pretrained('yellow')\n"
            "except HubError:\n    print(time.perf_counter() - began, 'torch' in sys.modules)"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    seconds, torch_loaded = done.stdout.split()
    assert float(seconds) < 5.5 and torch_loaded == "False", done  # half a second for a busy machine


def test_a_name_that_cannot_be_looked_up_is_given_up_too(monkeypatch):
    """The resolver knows no limit of its own."""
    monkeypatch.setenv("HF_ENDPOINT", "http://hub.invalid")
    monkeypatch.setenv("HF_HUB_ETAG_TIMEOUT", "1")
    slow = socket.getaddrinfo

    def look_up(host, *rest, **facts):
        if host in ("hub.invalid", b"hub.invalid"):
            time.sleep(3)
            raise socket.gaierror(-3, "no answer from any resolver")
        return slow(host, *rest, **facts)

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    assert seconds_until_refused("did not answer within 1 s") < 2.5


@pytest.fixture
def without_client(monkeypatch):
    for name in [name for name in sys.modules if name.split(".")[0] == "huggingface_hub"]:
        monkeypatch.delitem(sys.modules, name)
    real = builtins.__import__

    def refuse(name, *rest, **facts):
        if name.split(".")[0] == "huggingface_hub":
            raise ImportError("no module named huggingface_hub")
        return real(name, *rest, **facts)

    monkeypatch.setattr(builtins, "__import__", refuse)


def test_without_the_client_the_extra_is_named(without_client):
    with pytest.raises(
        MissingExtraError, match=r'pip install "midigpt-nb\[inference\]".*from_pretrained\("pocket"\)'
    ):
        InferenceEngine.from_pretrained("yellow")


def test_u11_the_cache_works_without_the_client(without_client, tmp_path, weights):
    lay(tmp_path, "yellow_medium-final.safetensors", weights["yellow"])
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        assert InferenceEngine.from_pretrained("yellow", cache_dir=tmp_path).limits.vocab_size == 647
    assert any("huggingface_hub is not installed" in str(w.message) for w in said)
