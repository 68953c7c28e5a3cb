"""Promises of docs/reference-differences.md about a whole session that no other test is named after."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest

from midigpt_nb import _core
from midigpt_nb.inference import GenerationRequest, InferenceConfig, InferenceEngine, TrackPrompt
from midigpt_nb.inference import events as ev
from midigpt_nb.inference.backends import gpt2
from midigpt_nb.score.model import Bar, Note, Score, Track

from .conftest import make_score
from .wild import only_asked_bars_differ


def request(*tracks: TrackPrompt, **config: Any) -> GenerationRequest:
    settings = {"seed": 1, "density_hard_limit": 4, "novelty_check": False, **config}
    return GenerationRequest(list(tracks), InferenceConfig(**settings))


class Counting:
    """A backend that passes everything on and counts the tokens of each call: (call, tokens)."""

    def __init__(self, backend: Any) -> None:
        self._backend = backend
        self.calls: list[tuple[str, int]] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._backend, name)

    def start(self, *rows: int) -> Any:
        return _CountingDecoding(self, self._backend.start(*rows))


class _CountingDecoding:
    def __init__(self, counting: Counting, decoding: Any) -> None:
        self._counting, self._decoding = counting, decoding

    def __getattr__(self, name: str) -> Any:
        return getattr(self._decoding, name)

    def feed(self, row: int, tokens: Any, positions: Any) -> None:
        self._counting.calls.append(("feed", len(tokens)))
        self._decoding.feed(row, tokens, positions)

    def logits(self, tokens: Any, positions: Any, first: int = 0) -> Any:
        self._counting.calls.append(("logits", sum(len(new) for new in tokens)))
        return self._decoding.logits(tokens, positions, first)


# --- what is not asked for stays --------------------------------------------------------------------


def odd_score() -> Score:
    """Music that no model's grid holds: odd times, long notes, long drums, one loudness after the other."""
    melody = [Bar([Note(60 + b, 1 + 17 * b, 7 + b, 5000), Note(40, 127, 1919, 3)]) for b in range(6)]
    drums = [Bar([Note(38, 3 + b, 11, 777), Note(81, 64, 13, 1)]) for b in range(6)]
    return Score([Track(melody, instrument=1), Track(drums, track_type="drum"), Track(melody, instrument=17)])


@pytest.mark.parametrize(
    "asked",
    [
        pytest.param([TrackPrompt(0, [2])], id="d4-bars around the written one"),
        pytest.param([TrackPrompt(0, [2]), TrackPrompt(2, ignore=True)], id="d5-ignored tracks"),
        pytest.param([TrackPrompt(1, [5])], id="d5-bars outside the window"),
        pytest.param([TrackPrompt(0, [4, 5], autoregressive=True)], id="d4-history of a continuation"),
    ],
)
def test_d4_d5_u1_what_was_not_asked_for_is_returned_bit_for_bit(engine, asked: list[TrackPrompt]) -> None:
    score = odd_score()
    result = engine.session(score, request(*asked, model_dim=4)).run()
    only_asked_bars_differ(score, result, {p.id: p.bars for p in asked if p.bars})
    assert set(score.diff(result).changed) == {(p.id, bar) for p in asked for bar in p.bars}
    assert result.resolution == 480 and [t.instrument for t in result.tracks] == [1, 0, 17]


def test_u1_a_file_keeps_its_other_events(engine) -> None:
    score = Score.example()
    result = engine.session(score, request(TrackPrompt(1, [4]))).run()
    only_asked_bars_differ(score, result, {1: [4]}, events=True)
    old, _ = _core.read_midi(score.to_midi())
    new, _ = _core.read_midi(result.to_midi())
    assert old.tempo_map == new.tempo_map and old.chunk_names == new.chunk_names


# --- random numbers ---------------------------------------------------------------------------------


def test_d8_steps_do_not_repeat_each_other(scripted) -> None:
    """A model without opinions: with the same numbers in every step all bars would be equal."""
    empty = Score([Track([Bar() for _ in range(4)], instrument=0)])
    flat = scripted()
    asked = request(TrackPrompt(0, [0, 1, 2, 3]), model_dim=4, bars_per_step=1, density_hard_limit=6)
    table = flat.session(empty, asked).run().table
    bars = {table.notes[slice(*table.note_rows(0, b))][:, :3].tobytes() for b in range(4)}
    assert len(bars) == 4


def test_u8_a_bar_does_not_depend_on_what_is_written_beside_it(engine) -> None:
    score = make_score(2, 4)
    takes = engine.session(score, request(TrackPrompt(0, [1]), seed=5)).takes(3)
    alone = [engine.session(score, request(TrackPrompt(0, [1]), seed=5 + i)).run().hash() for i in range(3)]
    assert {take.seed: take.score.hash() for take in takes} == {5 + i: alone[i] for i in range(3)}


# --- work that is not done --------------------------------------------------------------------------


def test_p1_a_long_plan_costs_what_its_windows_cost(scripted) -> None:
    """Sixteen one-bar steps of eight tracks: over 64 bars they take about as long as over 16."""

    def seconds(n_bars: int) -> float:
        score = make_score(8, n_bars, notes_per_bar=6)
        engine = scripted()
        bars = {t: [1 + t, n_bars // 2 + t % 4] for t in range(8)}
        asked = request(*(TrackPrompt(t, b) for t, b in bars.items()), model_dim=4, density_hard_limit=2)
        began = time.process_time()
        session = engine.session(score, asked)
        assert len(session.plan) == 16
        session.run()
        return time.process_time() - began

    seconds(16)
    assert seconds(64) < 3 * seconds(16) + 0.3


def test_p6_a_prompt_asks_for_one_prediction(engine, monkeypatch) -> None:
    """Only one row ever goes through the output layer, however long the prompt."""
    sizes = []
    product = gpt2.torch.mm

    def spy(x: Any, y: Any, *more: Any) -> Any:
        if y.shape[-1] == engine.backend.vocab_size:
            sizes.append(len(x))
        return product(x, y, *more)

    monkeypatch.setattr(gpt2.torch, "mm", spy)
    fresh = InferenceEngine(engine.backend, engine.tokenizer)
    fresh.session(make_score(), request(TrackPrompt(0, [1]))).run()
    assert sizes and set(sizes) == {1}


def test_p8_every_token_is_fed_once(engine) -> None:
    counting = Counting(engine.backend)
    session = InferenceEngine(counting, engine.tokenizer).session(make_score(), request(TrackPrompt(0, [1])))
    session.run()
    prompt = len(session.prompt(0).feed)
    fed = sum(n for _, n in counting.calls)
    # The last token is drawn and not fed.
    assert prompt + session.gen_count - 3 <= fed <= prompt + session.gen_count - 1
    _, *after = [n for kind, n in counting.calls if kind == "logits"]  # the first one reads the prompt
    assert max(after) <= 4, "a round feeds the token drawn last and what was forced after it"


def test_p7_the_loop_costs_the_same_after_a_long_prompt(scripted) -> None:
    """Processor time per token outside the network, short and long prompt."""

    def seconds(n_tracks: int) -> float:
        engine = scripted(max_context=4096)
        asked = request(TrackPrompt(0, [1]), model_dim=4, density_hard_limit=60, context="all")
        session = engine.session(make_score(n_tracks, 4, notes_per_bar=12), asked)
        for _ in session.stream():  # the prompt is known from now on
            pass
        began = time.process_time()
        session.run()
        return (time.process_time() - began) / session.gen_count

    seconds(1)
    short, long = (min(seconds(n) for _ in range(3)) for n in (1, 12))
    assert long < 3 * short + 200e-6


def test_p9_other_number_types_are_offered(checkpoint_path) -> None:
    plain = InferenceEngine.from_checkpoint(checkpoint_path)
    half = InferenceEngine.from_checkpoint(checkpoint_path, dtype="float16")
    assert half.backend.dtype == gpt2.torch.float16
    score = make_score(2, 4)
    for engine in (plain, half):
        assert engine.session(score, request(TrackPrompt(0, [1]))).run().hash() != score.hash()


def test_p12_each_note_is_told_once(engine) -> None:
    score = make_score()
    asked = request(TrackPrompt(0, [1, 2]), bars_per_step="auto", density_hard_limit=12)
    session = engine.session(score, asked)
    told: list[Any] = []
    for event in session.stream():
        if isinstance(event, ev.NotesArrived):
            told += [(event.bar, *note) for note in event.notes]
    table = event.score.table
    rows = [table.notes[slice(*table.note_rows(0, bar))] for bar in (1, 2)]
    assert len(told) == sum(map(len, rows)) == len(set(told))


def test_p3_the_memory_of_prompts_hands_out_what_was_computed(engine) -> None:
    """A second session over the same prompt draws what the first one drew, bit for bit."""
    score = make_score()
    fresh = InferenceEngine(engine.backend, engine.tokenizer)
    first = fresh.session(score, request(TrackPrompt(0, [1]))).run()
    again = fresh.session(score, request(TrackPrompt(0, [1]))).run()
    assert first.hash() == again.hash() and len(fresh.prompt_cache) >= 1
    assert np.array_equal(first.table.notes, again.table.notes)
