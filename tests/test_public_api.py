"""What a notebook may rely on: `__all__` is complete, and every name of the getting-started page exists."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
import subprocess
import sys

import pytest

import midigpt_nb

PROMISED: dict[str, list[str]] = {
    "midigpt_nb": [
        "Score", "Track", "Bar", "Note", "show", "PianoRoll", "InfillEditor", "AttributePanel", "__version__",
        "write_midi",
    ],
    "midigpt_nb.inference": [
        "InferenceEngine", "GenerationRequest", "TrackPrompt", "InferenceConfig", "SamplingSession",
        "validate_request", "GenerationCancelled", "RequestValidationError", "read_checkpoint",
        "save_checkpoint",
    ],
    "midigpt_nb.attributes": ["attribute", "Bins", "AttributeAnalyzer", "available"],
    "midigpt_nb.tokenizer": ["Tokenizer", "EncoderConfig"],
    "midigpt_nb.plots": ["plot_roll", "plot_diff", "plot_attributes", "plot_tokens"],
    "midigpt_nb.audio": ["render", "write_wav"],
    "midigpt_nb.errors": [
        "MidiGPTError", "ScoreError", "CheckpointError", "EncoderConfigError", "VocabularyError",
        "RequestValidationError", "GenerationError", "GrammarDeadlock", "ContextOverflow",
        "NoAcceptableCandidate", "GenerationCancelled", "CheckpointNotFound", "HubError", "HubAccessError",
        "MissingExtraError", "Problem",
    ],
    "midigpt_nb._core": ["TokenType", "EncoderConfig", "EncodeOptions", "Vocabulary", "ScoreTable"],
}  # fmt: skip

PROMISED_MEMBERS: dict[str, list[str]] = {
    "midigpt_nb:Score": [
        "from_midi", "from_bytes", "from_dict", "from_pretty_midi", "example", "to_midi", "to_dict",
        "to_pretty_midi", "resample", "tracks", "n_bars", "n_tracks", "n_notes", "tempo_map", "seconds",
        "diff", "hash", "copy",
    ],
    "midigpt_nb.inference:InferenceEngine": [
        "from_pretrained", "from_checkpoint", "session", "attributes", "tokenizer", "limits", "warmup",
        "source", "_analyzer", "_tokenizer", "_model",
    ],
    "midigpt_nb.inference:SamplingSession": [
        "run", "run_variations", "stream", "plan_summary", "resolved_seed", "gen_count", "truncated",
        "cancel_event", "generated_bars", "dropped_context", "attempt", "score_from_tokens", "window_tokens",
        "peak_window_tokens", "note_sink", "progress_sink", "prompt_state_sink", "token_logger",
        "__enter__", "__exit__",
    ],
    "midigpt_nb.inference:GenerationRequest": ["from_dict", "from_selection"],
    "midigpt_nb.attributes:AttributeAnalyzer": [
        "attribute_sizes", "attribute_levels", "attribute_track_types", "attribute_value_labels",
        "report",
    ],
    "midigpt_nb.tokenizer:EncoderConfig": ["from_json", "from_dict", "to_dict"],
}  # fmt: skip


@pytest.mark.parametrize(("module", "names"), PROMISED.items(), ids=PROMISED)
def test_promised_names_exist(module: str, names: list[str]) -> None:
    loaded = importlib.import_module(module)
    assert [name for name in names if not hasattr(loaded, name)] == []


@pytest.mark.parametrize(("place", "members"), PROMISED_MEMBERS.items(), ids=PROMISED_MEMBERS)
def test_promised_members_exist(place: str, members: list[str]) -> None:
    module, name = place.split(":")
    cls = getattr(importlib.import_module(module), name)
    # What `__init__` sets is not found on the class, but in its text.
    known = set(dir(cls)) | set(re.findall(r"\bself\.(\w+)(?:: [^=\n]+)? = ", inspect.getsource(cls)))
    assert [member for member in members if member not in known] == []


@pytest.mark.parametrize("module", ["midigpt_nb", "midigpt_nb.inference"])
def test_names_are_imported_when_they_are_first_used(module: str) -> None:
    """`import` and `dir` load no heavy library; each lazy name is the one that stands at its place."""
    code = (
        f"import importlib, sys\n"
        f"m = importlib.import_module({module!r})\n"
        "assert sorted(m.__all__) == dir(m), dir(m)\n"
        "heavy = {'torch', 'anywidget', 'matplotlib', 'huggingface_hub', 'symusic'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
        "for name in m.__all__:\n"
        "    thing = getattr(m, name)\n"
        "    assert getattr(thing, '__name__', name) == name, name\n"
        "print('huggingface_hub' in sys.modules, len(m.__all__))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[0] == "False"


def test_the_constructors_of_the_reference() -> None:
    """Order and names of the arguments its users pass by position."""
    from midigpt_nb.inference import InferenceEngine

    def names(function: object) -> list[str]:
        return list(inspect.signature(function).parameters)  # type: ignore[arg-type]

    assert names(InferenceEngine.from_checkpoint)[:3] == ["path", "analyzer", "device"]
    assert names(InferenceEngine.from_pretrained)[:5] == ["name", "hf_repo", "analyzer", "device", "token"]
    assert names(InferenceEngine)[:3] == ["backend", "tokenizer", "analyzer"]
    assert names(InferenceEngine.session) == ["self", "score", "request"]


def packages() -> list[str]:
    found = [info.name for info in pkgutil.iter_modules(midigpt_nb.__path__, "midigpt_nb.") if info.ispkg]
    return ["midigpt_nb", *found]


@pytest.mark.parametrize("name", packages())
def test_all_lists_what_can_be_imported(name: str) -> None:
    module = importlib.import_module(name)
    listed = getattr(module, "__all__", [])
    assert len(set(listed)) == len(listed)
    assert [entry for entry in listed if not hasattr(module, entry)] == []
    assert [entry for entry in listed if entry.startswith("_") and entry != "__version__"] == []


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'PianoRol'"):
        midigpt_nb.PianoRol  # noqa: B018


def test_the_version_is_the_installed_one() -> None:
    from importlib.metadata import version

    assert midigpt_nb.__version__ == version("midigpt-nb")


def test_public_callables_say_what_they_do() -> None:
    silent = []
    for name in packages():
        module = importlib.import_module(name)
        for entry in getattr(module, "__all__", []):
            thing = getattr(module, entry)
            if callable(thing) and not (thing.__doc__ or "").strip():
                silent.append(f"{name}.{entry}")
    assert silent == []
