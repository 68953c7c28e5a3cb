"""Every class of the exception tree: where it stands, what it carries, and one real way to meet it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from midigpt_nb import PianoRoll, Score, _core, errors
from midigpt_nb.attributes import AttributeAnalyzer, Bins, attribute
from midigpt_nb.attributes.registry import forget
from midigpt_nb.errors import MidiGPTError, Place, Problem, RequestValidationError, brief
from midigpt_nb.inference import (
    GenerationRequest,
    InferenceConfig,
    InferenceEngine,
    SamplingSession,
    TrackPrompt,
)  # fmt: skip
from midigpt_nb.inference.checkpoint import read_checkpoint
from midigpt_nb.tokenizer import EncoderConfig
from tests.inference.conftest import make_score, write_tiny_checkpoint

# class -> what else it is: what callers of the reference, or of Python's own functions, catch.
ALSO: dict[str, tuple[type[BaseException], ...]] = {
    "MidiGPTError": (Exception,),
    "ScoreError": (ValueError, RuntimeError),
    "VocabularyError": (ValueError, RuntimeError),
    "CheckpointError": (ValueError, RuntimeError),
    "EncoderConfigError": (ValueError, RuntimeError),
    "UnknownAttribute": (ValueError, KeyError),
    "AttributeParameterError": (ValueError, TypeError),
    "CheckpointNotFound": (ValueError, FileNotFoundError),
    "HubError": (ValueError, OSError),
    "HubAccessError": (ValueError, PermissionError),
    "ProjectError": (ValueError,),
    "MissingExtraError": (ImportError,),
    "MeasurementError": (ValueError,),
    "RequestValidationError": (ValueError,),
    "GenerationError": (RuntimeError,),
    "BudgetSpent": (RuntimeError,),
    "GrammarDeadlock": (RuntimeError,),
    "ContextOverflow": (RuntimeError,),
    "NoAcceptableCandidate": (RuntimeError,),
    "GenerationCancelled": (Exception,),
}
CLASSES = [
    name
    for name in errors.__all__
    if isinstance(value := getattr(errors, name), type) and issubclass(value, Exception)
]


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> InferenceEngine:
    return InferenceEngine.from_checkpoint(
        write_tiny_checkpoint(tmp_path_factory.mktemp("m") / "t.safetensors", context=256)
    )


@pytest.mark.parametrize("name", CLASSES)
def test_the_tree(name: str) -> None:
    cls = getattr(errors, name)
    assert issubclass(cls, (MidiGPTError, *ALSO[name])) and all(issubclass(cls, c) for c in ALSO[name])
    assert cls.__doc__ and f" {name}" in (errors.__doc__ or ""), (
        "the tree in the module's docstring misses it"
    )


def test_a_cancelled_generation_is_no_runtime_error() -> None:
    """As in the reference: a handler for failures does not swallow it."""
    assert not issubclass(errors.GenerationCancelled, (RuntimeError, ValueError))


# --- one real way to meet each ----------------------------------------------------------------------


def session_of(engine: InferenceEngine, score: Score, **settings: Any) -> SamplingSession:
    config = InferenceConfig(**{"density_hard_limit": 2, "seed": 1, **settings})
    return engine.session(score, GenerationRequest([TrackPrompt(id=0, bars=[1])], config))


def out_of_tokens(engine: InferenceEngine) -> None:
    session_of(engine, make_score(2, 4, notes_per_bar=2), max_tokens=1).run()


def too_long(engine: InferenceEngine) -> None:
    session_of(engine, make_score(2, 4, notes_per_bar=60)).run()


def the_same_again(engine: InferenceEngine) -> None:
    """Without chance the model writes the same bar a second time, and that is no news."""
    certain: dict[str, Any] = {"top_k": 1, "max_attempts": 2}
    first = session_of(engine, make_score(2, 4, notes_per_bar=2), **certain, novelty_check=False).run()
    session_of(engine, first, **certain).run()


def broken(engine: InferenceEngine) -> None:
    """A model that fails while it is asked."""
    session = session_of(engine, make_score(2, 4, notes_per_bar=2))

    class Broken:
        def is_set(self) -> bool:
            raise OSError("the disk is gone")

    session.cancel_event = Broken()  # type: ignore[assignment]
    session.run()


def cancelled(engine: InferenceEngine) -> None:
    session = session_of(engine, make_score(2, 4, notes_per_bar=2))
    session.cancel_event = threading.Event()
    session.cancel_event.set()
    session.run()


def deadlock(engine: InferenceEngine) -> None:
    """Two wishes that contradict each other: only C, and only D."""
    vocab = engine.tokenizer.vocab
    table = engine.tokenizer.grid(make_score(1, 4, notes_per_bar=1).table)
    options = _core.EncodeOptions(window_bars=4, multi_fill=[(0, 1)], fill_sections=False)
    prompt = _core.encode(vocab, table, None, None, options)[0]
    matcher = _core.Matcher.for_prompt(vocab, prompt, _core.MatcherOptions())
    for pitch in (60, 62):
        matcher.add(_core.Constraint.pitch_set(vocab, {0: [pitch]}))
    row = np.zeros(vocab.size, np.uint8)
    for _ in range(4):  # position, loudness, pitch
        matcher.fill_mask(row)
        matcher.accept(int(row.argmax()))


def no_project(path: Path) -> Path:
    path.write_bytes(b"PK\x03\x04 and then nothing")
    return path


def not_measurable() -> None:
    @attribute("a_broken_one", token="TrackLevelPitchRange", bins=Bins.edges(1, 2))
    def a_broken_one(view: Any) -> float:
        return float("nan")

    try:
        analyzer = AttributeAnalyzer.from_config({"attribute_controls": [{"name": "a_broken_one"}]})
        analyzer.track_values(make_score(1, 2).table, 0)
    finally:
        forget("a_broken_one")


def configured(**control: Any) -> AttributeAnalyzer:
    return AttributeAnalyzer.from_config({"attribute_controls": [control]})


WAYS: dict[str, Callable[[InferenceEngine, Path], object]] = {
    "ScoreError": lambda e, p: Score.from_bytes(b"no MIDI"),
    "VocabularyError": lambda e, p: e.tokenizer.vocab.encode(_core.TokenType.NoteOnset, 99_999),
    "CheckpointError": lambda e, p: read_checkpoint(Path(__file__)),
    "EncoderConfigError": lambda e, p: EncoderConfig.from_dict({"resolution": "twelve"}),
    "UnknownAttribute": lambda e, p: configured(name="nothing"),
    "AttributeParameterError": lambda e, p: configured(name="note_density_quantile", params={"nothing": 1}),
    "CheckpointNotFound": lambda e, p: InferenceEngine.from_checkpoint(p / "nothing.safetensors"),
    "HubError": lambda e, p: InferenceEngine.from_pretrained("yellow", cache_dir=p),
    "MeasurementError": lambda e, p: not_measurable(),
    "ProjectError": lambda e, p: PianoRoll.from_file(no_project(p / "song.mgnb")),
    "RequestValidationError": lambda e, p: e.session(Score([]), GenerationRequest([])),
    "GenerationError": lambda e, p: broken(e),
    "BudgetSpent": lambda e, p: out_of_tokens(e),
    "GrammarDeadlock": lambda e, p: deadlock(e),
    "ContextOverflow": lambda e, p: too_long(e),
    "NoAcceptableCandidate": lambda e, p: the_same_again(e),
    "GenerationCancelled": lambda e, p: cancelled(e),
}
# These need a hub that refuses, or a missing package: tests/inference/test_hub.py, tests/test_layers.py.
ELSEWHERE = {"MidiGPTError", "HubAccessError", "MissingExtraError"}

# What each carries beside its message.
CARRIES: dict[str, Callable[[Any], bool]] = {
    "RequestValidationError": lambda e: {p.path for p in e.problems} == {"score", "tracks"},
    "GenerationError": lambda e: e.status == "failed" and isinstance(e.partial, Score),
    "BudgetSpent": lambda e: isinstance(e.partial, Score),
    "GrammarDeadlock": lambda e: "velocity" in e.state and set(e.constraints) == {"allowed pitches"},
    "ContextOverflow": lambda e: e.tokens > e.limit == 256 and e.step == 0 and isinstance(e.partial, Score),
    "NoAcceptableCandidate": lambda e: (
        e.reasons == {"novelty": 2} and bool(e.last) and e.partial.n_tracks == 2
    ),
    "GenerationCancelled": lambda e: e.status == "cancelled" and e.gen_count == 0 and e.partial.n_bars == 4,
}


def test_no_class_is_forgotten() -> None:
    assert set(CLASSES) == set(ALSO) == set(WAYS) | ELSEWHERE


@pytest.mark.parametrize("name", WAYS)
def test_k9_one_way_to_meet_each_class(
    name: str, engine: InferenceEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(getattr(errors, name)) as caught:
        WAYS[name](engine, tmp_path)
    assert type(caught.value).__name__ == name, "a more special class than expected"
    assert len(str(caught.value)) > 10
    assert name not in CARRIES or CARRIES[name](caught.value)


# --- messages ---------------------------------------------------------------------------------------


def test_a_problem_says_where_what_and_what_else() -> None:
    problem = Problem(
        Place("tracks").entry(1).field("bars"), [99], "there is no such bar", "0..7", "bars count from 0"
    )
    assert str(problem) == (
        "tracks[1].bars: there is no such bar (given [99]); allowed: 0..7; bars count from 0"
    )


@pytest.mark.parametrize(
    ("place", "text", "prompt", "score_track"),
    [
        (Place("config").field("top_k"), "config.top_k", None, None),
        (Place("controls").entry("chord").entry("how"), "controls['chord']['how']", None, None),
        (Place("tracks"), "tracks", None, None),
        (Place("tracks").entry(1), "tracks[1]", 1, None),
        (
            Place("tracks").entry(1).field("bar_attributes").entry(6).entry("a'b"),
            'tracks[1].bar_attributes[6]["a\'b"]',
            1,
            None,
        ),
        (Place("score").field("tracks").entry(3).field("bars").entry(2), "score.tracks[3].bars[2]", None, 3),
        (Place("tracks[1]").field("bars"), "tracks[1].bars", None, None),
    ],
)
def test_a_place_knows_its_text_and_the_track_it_is_in(
    place: Place, text: str, prompt: int | None, score_track: int | None
) -> None:
    assert (str(place), place.prompt, place.score_track) == (text, prompt, score_track)
    assert Problem(place, 0, "is wrong").path == text


def test_a_message_of_a_thousand_problems_stays_readable() -> None:
    error = RequestValidationError([Problem(Place("tracks").entry(i), i, "is wrong") for i in range(1000)])
    assert len(error.problems) == 1000 and str(error).endswith("... and 980 more problems")


def deep(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


class Unprintable:
    def __repr__(self) -> str:
        raise OSError("no words")


ODD = {
    "deep": deep(100_000),
    "text": "x" * 10**6,
    "digits": 10**5000,
    "list": list(range(10**6)),
    "unprintable": Unprintable(),
    "dicts": {1: {2: {3: {4: {5: 6}}}}},
}


@pytest.mark.parametrize("value", ODD.values(), ids=ODD)
def test_any_value_can_be_shown_briefly(value: Any) -> None:
    assert 0 < len(brief(value)) < 1000
