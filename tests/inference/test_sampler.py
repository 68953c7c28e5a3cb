"""The decode loop: what the model is fed, and that rows do not disturb each other."""

from __future__ import annotations

import asyncio
import threading

import numpy as np
import pytest
import torch

from midigpt_nb import _core
from midigpt_nb.inference import InferenceEngine, TrackPrompt
from midigpt_nb.inference.backends.gpt2 import GPT2Backend
from midigpt_nb.inference.checkpoint import GPT2Shape
from midigpt_nb.inference.prompt_cache import PromptCache
from midigpt_nb.inference.sampler import DecodeLoop, DrawSettings, Row

from .asking import changed_cells, refuse, request
from .conftest import random_arrays

T = _core.TokenType


def long_feeds(backend):
    return [tokens for tokens, _ in backend.fed if len(tokens) > 20]


def test_p3_retries_seeds_and_later_sessions_read_a_prompt_once(scripted, score, monkeypatch):
    replay = scripted(prefill_chunk=2048)
    with monkeypatch.context() as patch:
        refuse(patch)
        list(replay.session(score, request(TrackPrompt(0, [2]), max_attempts=3, model_dim=8)).stream())
    assert len(long_feeds(replay.backend)) == 1
    for seed in (1, 2):
        replay.session(score, request(TrackPrompt(0, [2]), seed=seed, novelty_check=False, model_dim=8)).run()
    assert len(long_feeds(replay.backend)) == 1
    replay.prompt_cache.clear()
    replay.session(score, request(TrackPrompt(0, [2]), novelty_check=False, model_dim=8)).run()
    assert len(long_feeds(replay.backend)) == 2


@pytest.mark.parametrize("patient", [False, True], ids=["at once", "in small pieces"])
def test_nobody_waits_for_a_prompt_to_be_remembered(scripted, score, patient):
    """The first token is told before the prompt is put into the cache; the cache has it in any case."""
    replay = scripted(prefill_chunk=2048)
    session = replay.session(score, request(TrackPrompt(0, [2]), model_dim=8, novelty_check=False))
    session.patient = patient
    stream = session.stream()
    while not session.gen_count:
        next(stream)
    assert len(replay.prompt_cache) == (1 if patient else 0)
    stream.close()
    assert len(replay.prompt_cache) == 1
    before = len(long_feeds(replay.backend))
    replay.session(score, request(TrackPrompt(0, [2]), model_dim=8, novelty_check=False)).run()
    assert len(long_feeds(replay.backend)) == before


def test_p3_the_next_step_reads_only_what_differs(scripted, score):
    """Two steps over one window: the first track stands before everything that changes."""
    replay = scripted(prefill_chunk=2048)
    session = replay.session(score, request(TrackPrompt(1, [2, 3]), model_dim=8, novelty_check=False))
    session.run()
    prompts = [session._main.progress.prompts[i].feed for i in (0, 1)]
    common = int(np.argmin(prompts[0][: len(prompts[1])] == prompts[1][: len(prompts[0])]))
    assert common > 20
    first, second = long_feeds(replay.backend)
    assert (len(first), len(second)) == (len(prompts[0]), len(prompts[1]) - common)


def test_d16_a_prompt_that_ends_in_a_hidden_bar_goes_on_from_the_last_visible_token(scripted, score):
    replay = scripted(prefill_chunk=2048)
    prompt = TrackPrompt(0, [6, 7], autoregressive=True, mask_bars=[5])
    session = replay.session(score, request(prompt, model_dim=8, mask_mode="attention"))
    session.run()
    (fed, places), (_, after) = replay.backend.fed[:2]
    bar_end = replay.tokenizer.vocab.encode(T.BarEnd, 0)
    assert fed[-1] == bar_end, "the end of bar 4, the last one that is visible"
    assert after[0] > places[-1] + 3, "new tokens are numbered on behind the hidden bar"
    assert len(fed) == len(places) and changed_cells(score, session.run()) <= {(0, 6), (0, 7)}


def test_p10_forced_tokens_ride_along(scripted, score):
    """Two blocks: the end of the first and the start of the second are fed in one call."""
    replay = scripted()
    session = replay.session(
        score, request(TrackPrompt(0, [2, 3]), bars_per_step="auto", model_dim=8, novelty_check=False)
    )
    session.run()
    end, start = (replay.tokenizer.vocab.encode(kind, 0) for kind in (T.FillInEnd, T.FillInStart))
    assert any(tokens[-2:] == [end, start] for tokens, _ in replay.backend.fed[1:])


def test_p8_after_the_prompt_only_new_tokens_are_fed(scripted, score):
    replay = scripted(prefill_chunk=2048)
    session = replay.session(score, request(TrackPrompt(0, [2]), model_dim=8, novelty_check=False))
    session.run()
    prompt, *rounds = [tokens for tokens, _ in replay.backend.fed]
    assert len(prompt) == session.context_len and {len(tokens) for tokens in rounds} <= {1, 2}
    fed, kept = [t for tokens in rounds for t in tokens], session._main.progress.kept[0]
    assert fed == kept[: len(fed)] and len(fed) >= len(kept) - 2


def test_the_logits_of_a_session_are_those_of_one_pass_over_everything(engine, score, monkeypatch):
    """Chunks, the cache, gaps for hidden bars and forced tokens change nothing."""
    from midigpt_nb.inference.backends.gpt2 import GPT2Decoding

    fed, seen = [], []
    feed, logits = GPT2Decoding.feed, GPT2Decoding.logits

    def spy_feed(self, row, tokens, positions):
        fed.append((tokens.tolist(), positions.tolist()))
        return feed(self, row, tokens, positions)

    def spy_logits(self, tokens, positions, first=0):
        out = logits(self, tokens, positions, first)
        fed.append((tokens[0].tolist(), positions[0].tolist()))
        seen.append(out[0].copy())
        return out

    engine.prompt_cache.clear()
    monkeypatch.setattr(GPT2Decoding, "logits", spy_logits)
    monkeypatch.setattr(GPT2Decoding, "feed", spy_feed)
    prompts = TrackPrompt(0, [2]), TrackPrompt(1, mask_bars=[3, 4])
    asked = request(*prompts, model_dim=8, mask_mode="attention", novelty_check=False)
    engine.session(score, asked).run()
    monkeypatch.undo()
    tokens = [t for part, _ in fed for t in part]
    positions = [p for _, part in fed for p in part]
    assert positions != list(range(len(positions))), "hidden bars leave gaps"
    whole = engine.backend.start(1).logits([np.array(tokens)], [np.array(positions)])
    np.testing.assert_allclose(whole[0], seen[-1], atol=1e-4)


def test_d24_u15_many_sessions_of_one_engine_at_once(engine, score):
    """More threads than cores, over the same prompt cache, with takes among them."""
    asked = [request(TrackPrompt(i % 3, [2, 5]), seed=i % 4, model_dim=8) for i in range(8)]

    def result(i):
        session = engine.session(score, asked[i])
        return session.takes(2)[0].score.hash() if i % 5 == 4 else session.run().hash()

    alone = [result(i) for i in range(8)]
    engine.prompt_cache.clear()
    together: dict[int, str] = {}

    def work(i):
        together[i] = result(i)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [together[i] for i in range(8)] == alone


@pytest.mark.parametrize("width, heads", [(64, 4), (32, 4)], ids=["sums of the core", "sums of torch"])
def test_what_is_known_of_a_prompt_changes_no_bit_of_what_follows(width, heads):
    """Whatever portion of it stands in the cache, and however the rest is cut."""
    shape = GPT2Shape(120, 512, width, 2, heads)
    backend = GPT2Backend(shape, random_arrays(shape, 3), torch.device("cpu"), torch.float32)
    backend.portion_grid = 96 if backend.portion_grid > 1 else 1
    generator = np.random.default_rng(5)
    tokens = generator.integers(0, backend.vocab_size, 300)
    cache = PromptCache()
    loop = DecodeLoop(backend, cache, np.ones(backend.vocab_size, dtype=bool))

    def told(prompt, size, patient=False):
        loop.release()
        loop.patient, backend.prefill_chunk = patient, size
        row = Row(None, None, DrawSettings(), end_token=0, n_ends=1, budget=9, next_position=len(prompt))
        assert loop.open(prompt, np.arange(len(prompt)), row)
        while loop._openings:
            loop._open_on()
        loop._keep_read()
        return loop._seats[-1].told.tobytes()

    wanted = told(tokens, 512)
    for known in (0, 1, 31, 32, 33, 150, 267, 268, 269, 299, 300):
        for size, patient in ((32, False), (100, True), (192, False), (270, False)):
            cache.clear()
            if known:
                told(np.concatenate([tokens[:known], generator.integers(0, 9, 40)]), 64, patient)
            assert told(tokens, size, patient) == wanted, (known, size, patient)
            assert told(tokens, size, patient) == wanted  # all of it is known


WAYS = {
    "run": lambda session: session.run().hash(),
    "stream": lambda session: list(session.stream())[-1].score.hash(),
    "patient": lambda session: [e for e in session.stream() if e is not None][-1].score.hash(),
    "arun": lambda session: asyncio.run(session.arun()).hash(),
    "takes": lambda session: next(take for take in session.takes(2) if take.number == 0).score.hash(),
}


@pytest.mark.parametrize("seed, top_k", [(3, 0), (4, 1), (5, 0)])
def test_neither_the_call_nor_the_portions_of_a_prompt_change_the_music(
    checkpoint_path, score, seed, top_k, monkeypatch
):
    own = InferenceEngine.from_checkpoint(checkpoint_path)
    bars = [seed % 3, seed % 3 + 1, 5]
    asked = request(TrackPrompt(1, bars), seed=seed, top_k=top_k, model_dim=8, novelty_check=False)

    def result(way):
        own.prompt_cache.clear()
        session = own.session(score, asked)
        session.patient = way == "patient"
        return WAYS[way](session)

    heard = {way: result(way) for way in WAYS}
    for size in (3, 40, 192, 4096):
        monkeypatch.setattr(own.backend, "prefill_chunk", size)
        heard[size] = result("run")
    monkeypatch.setattr(_core, "has_dense", lambda: False)
    heard["without the vector unit"] = result("run")
    assert len(set(heard.values())) == 1, heard


@pytest.mark.parametrize("limit", [0, 20_000, 1 << 20])
def test_the_prompt_cache_changes_time_only(checkpoint_path, engine, score, limit):
    other = InferenceEngine.from_checkpoint(checkpoint_path)
    other.prompt_cache.limit_bytes = limit
    for seed in (1, 2):
        asked = request(TrackPrompt(0, [2, 5]), TrackPrompt(1, [3]), seed=seed, model_dim=8)
        assert other.session(score, asked).run().hash() == engine.session(score, asked).run().hash()
    assert len(other.prompt_cache) == 0 if limit == 0 else len(other.prompt_cache) >= 1
    assert other.prompt_cache.n_bytes <= max(limit, 10**6)


def test_d18_a_model_that_breaks_in_a_batch_fails_every_take_that_waits(scripted, score):
    calls = 0

    def script(fed):
        nonlocal calls
        calls += 1
        if calls > 100:
            raise MemoryError("no room")

    session = scripted(script).session(score, request(TrackPrompt(0, [2, 3, 4, 5])))
    takes = session.takes(4)
    assert {t.status for t in takes} == {"failed"}
    assert all(isinstance(t.error.__cause__, MemoryError) for t in takes)


def test_a_session_holds_no_memory_of_the_model_between_its_runs(engine, score):
    session = engine.session(score, request(TrackPrompt(0, [2, 3])))
    assert session._call.loop._decoding is None
    session.run()
    assert session._call.loop._decoding is None
    stream = session.stream()
    next(stream)
    assert session._call.loop._decoding is None
    while session.gen_count == 0:
        next(stream)
    assert session._call.loop._decoding is not None
    stream.close()
    assert session._call.loop._decoding is None and session._call.loop.idle
