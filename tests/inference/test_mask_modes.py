"""Mask modes: each hides exactly what it says, and shows exactly what it says.

The engine runs on a real (small, random) network behind an ear that notes what the network is fed and what
it answers. Two scores that differ only in what is hidden must give the same bits; two that differ in what is
shown must not.
"""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from midigpt_nb.errors import RequestValidationError
from midigpt_nb.inference import GenerationRequest, InferenceConfig, InferenceEngine, TrackPrompt
from midigpt_nb.inference.checkpoint import GPT2Shape, write_checkpoint
from midigpt_nb.score.model import Note, Score
from midigpt_nb.tokenizer import Tokenizer
from midigpt_nb.training.vocabulary import encoder_config

from .conftest import make_score, random_arrays

CONFIGS = Path(__file__).parent.parent / "reference" / "configs"
ATTENTION = ("attention", "attention_approx", "attention_skip")
# Pocket and ghost have MaskBar; pocket and prism have attributes of bars.
MODES = {
    "pocket": (*ATTENTION, "remove", "token", "auto"),
    "ghost": ("attention", "token", "auto"),
    "yellow": (*ATTENTION, "remove", "auto"),
    "prism": ("attention", "remove"),
}
CASES = [pytest.param(name, mode, id=f"{name}-{mode}") for name, modes in MODES.items() for mode in modes]


class Ear:
    """A backend that passes everything on and notes what was fed and answered."""

    def __init__(self, backend: Any) -> None:
        self._backend = backend
        self.fed: list[tuple[int, int]] = []  # (token, position)
        self.answers: list[np.ndarray] = []
        self.fed_before_answer: list[int] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._backend, name)

    def start(self, *rows: int) -> _ListeningDecoding:
        return _ListeningDecoding(self, self._backend.start(*rows))


class _ListeningDecoding:
    def __init__(self, ear: Ear, decoding: Any) -> None:
        self._ear, self._decoding = ear, decoding

    def __getattr__(self, name: str) -> Any:
        return getattr(self._decoding, name)

    def feed(self, *arguments: Any) -> Any:
        self._note(*arguments[-2:])
        return self._decoding.feed(*arguments)

    def logits(self, tokens: Any, positions: Any, first: int = 0) -> Any:
        self._note(tokens, positions)
        self._ear.fed_before_answer.append(len(self._ear.fed))
        answer = self._decoding.logits(tokens, positions, first)
        self._ear.answers.append(np.array(answer))
        return answer

    def _note(self, tokens: Any, positions: Any) -> None:
        new, places = (np.concatenate([np.ravel(a)]).tolist() for a in (tokens, positions))
        self._ear.fed += list(zip(new, places, strict=True))


@pytest.fixture(scope="module")
def engines(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """`engines(vocabulary)` -> (backend, tokenizer) of a 2-layer random network with that vocabulary."""
    made: dict[str, Any] = {}

    def get(name: str) -> Any:
        if name not in made:
            config = (
                encoder_config() if name == "pocket" else json.loads((CONFIGS / f"{name}.json").read_text())
            )
            shape = GPT2Shape(Tokenizer(config).vocab.size, 1024, 32, 2, 4)
            path = tmp_path_factory.mktemp("model") / f"{name}.safetensors"
            write_checkpoint(path, random_arrays(shape, seed=3), shape, config)
            engine = InferenceEngine.from_checkpoint(path)
            made[name] = (engine.backend, engine.tokenizer)
        return made[name]

    return get


@pytest.fixture
def listen(engines: Any) -> Any:
    """`listen(vocabulary, score, *prompts, **config)`: a run on a fresh engine; what was fed and answered."""

    def run(vocabulary: str, score: Score, *prompts: TrackPrompt, **config: Any) -> SimpleNamespace:
        backend, tokenizer = engines(vocabulary)
        ear = Ear(backend)
        engine = InferenceEngine(ear, tokenizer)
        settings = {"seed": 1, "density_hard_limit": 2, "novelty_check": False, "model_dim": 4, **config}
        session = engine.session(score, GenerationRequest(list(prompts), InferenceConfig(**settings)))
        result = session.run()
        n = ear.fed_before_answer[0]
        decode = tokenizer.vocab.decode
        kinds = [(kind.name, value) for kind, value in (decode(token) for token, _ in ear.fed[:n])]
        return SimpleNamespace(
            first=ear.answers[0][0],
            answers=ear.answers,
            prompt=ear.fed[:n],
            positions=[place for _, place in ear.fed[:n]],
            later=[place for _, place in ear.fed[n:]],
            kinds=kinds,
            result=result,
            session=session,
        )

    return run


def band() -> Score:
    return make_score(3, 4, notes_per_bar=4)


def with_other_notes(score: Score, track: int, bar: int) -> Score:
    """The score with a bar's notes replaced: other pitches, lengths, loudness, number."""
    other = score.copy()
    drums = other.tracks[track].track_type == "drum"
    other.tracks[track].bars[bar].notes = [
        Note(35 if drums else 90 + i, 120, 480 * i, 2000) for i in range(3)
    ]
    return other


def hides_later(prompt: str) -> tuple[TrackPrompt, ...]:
    """Bar 2 of track 0 is written; bar 1 of that track and bars 0 and 3 of track 1 are hidden."""
    target = TrackPrompt(0, [2], mask_bars=[1])
    if prompt == "continued":
        target = TrackPrompt(0, [2, 3], mask_bars=[0], autoregressive=True)
    return target, TrackPrompt(1, mask_bars=[0, 3])


KINDS = ("infilled", "continued")
HIDDEN = {"infilled": [(0, 1), (1, 0), (1, 3)], "continued": [(0, 0), (1, 0), (1, 3)]}
VISIBLE = {"infilled": [(0, 0), (0, 3), (1, 1), (2, 2)], "continued": [(0, 1), (1, 1), (2, 3)]}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("vocabulary", "mode"), CASES)
def test_hidden_content_changes_nothing_and_visible_content_does(
    listen: Any, vocabulary: str, mode: str, kind: str
) -> None:
    score = band()
    plain = listen(vocabulary, score, *hides_later(kind), mask_mode=mode)
    for cell in HIDDEN[kind]:
        other = listen(vocabulary, with_other_notes(score, *cell), *hides_later(kind), mask_mode=mode)
        assert other.prompt == plain.prompt, cell
        assert np.array_equal(other.first, plain.first), cell
        assert all(np.array_equal(a, b) for a, b in zip(other.answers, plain.answers, strict=True)), cell
    for cell in VISIBLE[kind]:
        other = listen(vocabulary, with_other_notes(score, *cell), *hides_later(kind), mask_mode=mode)
        assert not np.array_equal(other.first, plain.first), cell


@pytest.mark.parametrize(("vocabulary", "mode"), CASES)
def test_bars_marked_as_future_are_hidden_as_well(listen: Any, vocabulary: str, mode: str) -> None:
    score = band()
    for bar in (0, 3):
        score.tracks[1].bars[bar].future = True
    marked = listen(vocabulary, score, TrackPrompt(0, [2]), mask_mode=mode)
    score.tracks[1].bars[3].notes = [Note(99, 127, 0, 1900)]
    other = listen(vocabulary, score, TrackPrompt(0, [2]), mask_mode=mode)
    assert np.array_equal(other.first, marked.first)
    listed = listen(vocabulary, band(), TrackPrompt(0, [2]), TrackPrompt(1, mask_bars=[0, 3]), mask_mode=mode)
    assert listed.prompt == marked.prompt, "two ways to say the same"
    assert marked.result.tracks[1].bars[0].future, "the mark stays"


@pytest.mark.parametrize("mode", ["attention", "remove", "token"])
def test_d25_bars_that_a_later_step_writes_are_hidden_unless_shown(listen: Any, mode: str) -> None:
    score = band()
    asked = (TrackPrompt(0, [1, 2]),)
    for shown, same in (("hide", True), ("show", False)):
        plain = listen("pocket", score, *asked, mask_mode=mode, later_targets=shown)
        other = listen("pocket", with_other_notes(score, 0, 2), *asked, mask_mode=mode, later_targets=shown)
        assert np.array_equal(plain.first, other.first) is same


def test_bars_added_to_reach_the_window_are_hidden(listen: Any) -> None:
    """A piece of two bars in a window of four: the model sees the shells of none, positions count them."""
    short = listen("yellow", make_score(2, 2), TrackPrompt(0, [1]), mask_mode="attention")
    assert [kind for kind, _ in short.kinds].count("Bar") == 4
    empty = listen("yellow", make_score(2, 2), TrackPrompt(0, [1]), mask_mode="remove")
    assert [kind for kind, _ in empty.kinds].count("Bar") == 8
    assert set(short.prompt) < set(empty.prompt)


# --- what each mode shows ---------------------------------------------------------------------------


def bars(kinds: list[tuple[str, int]]) -> list[list[str]]:
    """The bars of a prompt as lists of token types."""
    found: list[list[str]] = []
    for kind, _ in kinds:
        if kind == "Bar":
            found.append([])
        if found and (not found[-1] or found[-1][-1] != "BarEnd"):
            found[-1].append(kind)
    return found


SHELL = {"remove": ["Bar", "TimeSig", "BarEnd"], "token": ["Bar", "TimeSig", "MaskBar", "BarEnd"]}


@pytest.mark.parametrize(("vocabulary", "mode"), CASES)
def test_the_prompt_shows_of_a_hidden_bar_what_the_mode_says(listen: Any, vocabulary: str, mode: str) -> None:
    """Nothing in the attention modes, an empty bar with `remove`, a marked bar with `token`; never an
    attribute of it.
    """
    got = listen(vocabulary, band(), *hides_later("infilled"), mask_mode=mode)
    meant = mode
    if mode == "auto":
        meant = "token" if vocabulary in ("pocket", "ghost") else "attention"
    shells = [bar for bar in bars(got.kinds) if "NoteOnset" not in bar and "FillInPlaceholder" not in bar]
    assert shells == [SHELL[meant]] * 3 if meant in SHELL else shells == []
    assert len(bars(got.kinds)) == (12 if meant in SHELL else 9)


@pytest.mark.parametrize("mode", [*ATTENTION, "remove", "token"])
def test_the_metre_of_a_hidden_bar_is_part_of_its_shell(listen: Any, mode: str) -> None:
    def heard(metre: tuple[int, int]) -> Any:
        score = make_score(2, 4, notes_per_bar=3)
        for track in score.tracks:
            track.bars[3].ts_numerator, track.bars[3].ts_denominator = metre
            track.bars[3].notes = []
        prompts = (TrackPrompt(0, [1], mask_bars=[3]), TrackPrompt(1, mask_bars=[3]))
        return listen("ghost", score, *prompts, mask_mode=mode).first

    assert np.array_equal(heard((4, 4)), heard((3, 4))) is (mode in ATTENTION)


@pytest.mark.parametrize("kind", KINDS)
def test_k6_hidden_bars_keep_their_shell_and_their_places(listen: Any, kind: str) -> None:
    """Where the empty shells stand with `remove`, the attention modes have a gap of the same size."""
    whole = listen("yellow", band(), *hides_later(kind), mask_mode="remove")
    assert whole.positions == list(range(len(whole.prompt)))
    for mode in ATTENTION:
        got = listen("yellow", band(), *hides_later(kind), mask_mode=mode)
        assert set(got.prompt) < set(whole.prompt), "the same tokens at the same places, some left out"
        missing = [whole.kinds[i][0] for i in range(len(whole.prompt)) if i not in got.positions]
        assert missing == ["Bar", "TimeSig", "BarEnd"] * 3


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("vocabulary", "mode"), CASES)
def test_d34_the_first_new_token_stands_right_behind_the_whole_prompt(
    listen: Any, vocabulary: str, mode: str, kind: str
) -> None:
    if vocabulary == "prism":  # its hidden shells carry attributes of bars in some modes only
        whole = listen(vocabulary, band(), *hides_later(kind), mask_mode=mode)
        assert whole.later[0] > max(whole.positions)
        return
    shells = "remove" if mode in ATTENTION or (mode == "auto" and vocabulary == "yellow") else mode
    length = len(listen(vocabulary, band(), *hides_later(kind), mask_mode=shells).prompt)
    got = listen(vocabulary, band(), *hides_later(kind), mask_mode=mode)
    assert got.later == list(range(length, length + len(got.later))) and len(got.later) > 3


def test_d15_d34_the_three_attention_modes_are_one_function(listen: Any) -> None:
    runs = [listen("yellow", band(), *hides_later("infilled"), mask_mode=mode) for mode in ATTENTION]
    for other in runs[1:]:
        assert (other.prompt, other.later) == (runs[0].prompt, runs[0].later)
        assert len(other.answers) == len(runs[0].answers)
        assert all(np.array_equal(a, b) for a, b in zip(other.answers, runs[0].answers, strict=True))
        assert other.result.hash() == runs[0].result.hash()


@pytest.mark.parametrize("mode", ATTENTION)
def test_d16_a_prompt_that_ends_in_hidden_tokens_asks_at_its_last_visible_one(listen: Any, mode: str) -> None:
    """Bar 2 is written after a hidden bar 1: the question is put at the end of bar 0."""
    asked = TrackPrompt(0, [2, 3], mask_bars=[1], autoregressive=True)
    whole = listen("yellow", band(), asked, mask_mode="remove")
    got = listen("yellow", band(), asked, mask_mode=mode)
    assert got.kinds[-1][0] == "BarEnd" and got.positions[-1] == len(whole.prompt) - 4
    assert got.later[0] == len(whole.prompt)


# --- the rest of the promise ------------------------------------------------------------------------


@pytest.mark.parametrize(("vocabulary", "mode"), CASES)
def test_d3_hidden_bars_come_back_as_they_were(listen: Any, vocabulary: str, mode: str) -> None:
    score = band()
    score.tracks[2].bars[0].future = True
    for kind, written in (("infilled", {(0, 2)}), ("continued", {(0, 2), (0, 3)})):
        result = listen(vocabulary, score, *hides_later(kind), mask_mode=mode).result
        assert set(score.diff(result).changed) == written


@pytest.mark.parametrize("vocabulary", ["ghost", "yellow"])
def test_auto_is_token_where_the_model_has_one_and_attention_elsewhere(listen: Any, vocabulary: str) -> None:
    meant = "token" if vocabulary == "ghost" else "attention"
    runs = [listen(vocabulary, band(), *hides_later("infilled"), mask_mode=m) for m in ("auto", meant)]
    assert np.array_equal(runs[0].first, runs[1].first) and runs[0].prompt == runs[1].prompt


def test_without_hidden_bars_all_modes_are_one(listen: Any) -> None:
    modes = (*ATTENTION, "remove", "token", "auto")
    runs = [listen("ghost", band(), TrackPrompt(0, [1]), mask_mode=mode) for mode in modes]
    assert all(run.prompt == runs[0].prompt and run.result.hash() == runs[0].result.hash() for run in runs)


def test_d17_an_unknown_mode_and_one_the_model_lacks_are_refused(listen: Any) -> None:
    with pytest.raises(RequestValidationError, match="did you mean 'attention'"):
        listen("yellow", band(), TrackPrompt(0, [1]), mask_mode="atention")
    with pytest.raises(RequestValidationError, match="no token for hidden bars"):
        listen("yellow", band(), TrackPrompt(0, [1]), mask_mode="token")


@pytest.mark.parametrize("mode", ["attention", "remove", "token"])
def test_p11_hidden_bars_and_several_takes_go_together(engines: Any, mode: str) -> None:
    engine = InferenceEngine(*engines("pocket"))
    settings = {"density_hard_limit": 3, "novelty_check": False, "model_dim": 4, "mask_mode": mode}

    def session(seed: int, n: int) -> Any:
        config = InferenceConfig(seed=seed, num_candidates=n, **settings)
        return engine.session(band(), GenerationRequest([*hides_later("infilled")], config))

    takes = session(5, 3).run_variations()
    alone = [session(5 + i, 1).run() for i in range(3)]
    assert [take["score"].hash() for take in takes] == [score.hash() for score in alone]
    assert len({score.hash() for score in alone}) == 3
