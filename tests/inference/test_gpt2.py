"""The network: against its definition written out in numpy, with and without cache."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from midigpt_nb import _core
from midigpt_nb.errors import CheckpointError
from midigpt_nb.inference.backends import products
from midigpt_nb.inference.backends.gpt2 import GPT2Backend
from midigpt_nb.inference.checkpoint import GPT2Shape

from .conftest import random_arrays

SHAPE = GPT2Shape(vocab_size=50, n_positions=64, n_embd=24, n_layer=3, n_head=4)
ARRAYS = random_arrays(SHAPE, seed=5)


def by_definition(tokens, positions):
    """Logits after the last token: no cache, one head at a time, float64."""

    def norm(x, name):
        centred = x - x.mean(-1, keepdims=True)
        scaled = centred / np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-5)
        return scaled * a[f"{name}.weight"] + a[f"{name}.bias"]

    def linear(x, name):
        return x @ a[f"{name}.weight"] + a[f"{name}.bias"]

    a = {n: v.astype(np.float64) for n, v in ARRAYS.items()}
    x = a["transformer.wte.weight"][tokens] + a["transformer.wpe.weight"][positions]
    n, width = len(tokens), SHAPE.n_embd
    head = width // SHAPE.n_head
    for i in range(SHAPE.n_layer):
        block = f"transformer.h.{i}"
        q, k, v = np.split(linear(norm(x, f"{block}.ln_1"), f"{block}.attn.c_attn"), 3, axis=-1)
        out = []
        for h in range(SHAPE.n_head):
            part = slice(h * head, (h + 1) * head)
            scores = q[:, part] @ k[:, part].T / np.sqrt(head)
            scores[np.triu_indices(n, 1)] = -np.inf
            weights = np.exp(scores - scores.max(-1, keepdims=True))
            out.append(weights / weights.sum(-1, keepdims=True) @ v[:, part])
        x = x + linear(np.concatenate(out, -1), f"{block}.attn.c_proj")
        h = linear(norm(x, f"{block}.ln_2"), f"{block}.mlp.c_fc")
        x = x + linear(
            0.5 * h * (1 + np.tanh(np.sqrt(2 / np.pi) * (h + 0.044715 * h**3))), f"{block}.mlp.c_proj"
        )
    return norm(x[-1], "transformer.ln_f") @ a["lm_head.weight"].T


@pytest.fixture(scope="module")
def backend():
    return GPT2Backend(SHAPE, ARRAYS, torch.device("cpu"), torch.float32)


TOKENS = np.random.default_rng(1).integers(0, 50, 40)


def ask(decoding, *rows):
    """Logits after feeding (tokens, positions) to each row."""
    return decoding.logits([np.asarray(t) for t, _ in rows], [np.asarray(p) for _, p in rows])


@pytest.mark.parametrize("chunks", [[40], [1] * 40, [13, 1, 20, 6]], ids=["at once", "one by one", "mixed"])
def test_logits_are_those_of_the_definition_however_the_tokens_are_fed(backend, chunks):
    decoding, done = backend.start(1), 0
    for n in chunks:
        logits = ask(decoding, (TOKENS[done : done + n], np.arange(done, done + n)))
        done += n
        assert logits.shape == (1, 50)
        np.testing.assert_allclose(logits[0], by_definition(TOKENS[:done], np.arange(done)), atol=1e-4)


@pytest.mark.parametrize("chunks", [[300], [33, 40, 227], [1, 200, 98, 1]], ids=str)
@pytest.mark.parametrize("way", ["core", "core, two threads", "torch"])
def test_long_prompts_are_the_same_by_the_core_and_by_torch(chunks, way, monkeypatch):
    if way == "torch":
        monkeypatch.setattr(products._core, "has_dense", lambda: False)
    if way == "core, two threads":
        monkeypatch.setattr(products.torch, "get_num_threads", lambda: 2)
    shape = GPT2Shape(vocab_size=50, n_positions=320, n_embd=64, n_layer=3, n_head=4)
    network = GPT2Backend(shape, random_arrays(shape, seed=2), torch.device("cpu"), torch.float32)
    tokens, done = np.random.default_rng(3).integers(0, 50, 300), 0
    one, many = network.start(1), network.start(1)
    for token in range(300):
        wanted = ask(one, (tokens[token : token + 1], [token]))
    for n in chunks[:-1]:
        many.feed(0, tokens[done : done + n], np.arange(done, done + n))
        done += n
    told = ask(many, (tokens[done:], np.arange(done, 300)))
    np.testing.assert_allclose(told, wanted, atol=2e-5)
    every = network.start(1).each(0, tokens, np.arange(300))
    np.testing.assert_allclose(every[-1], wanted[0], atol=2e-5)


@pytest.mark.parametrize("width, heads", [(8, 2), (16, 1), (24, 3), (48, 3), (80, 5)])
def test_any_width_of_a_model_is_the_same_with_and_without_the_vector_unit(width, heads, monkeypatch):
    """Products and heads that are no multiple of a tile go through torch, beside others by the core."""
    shape = GPT2Shape(vocab_size=50, n_positions=128, n_embd=width, n_layer=2, n_head=heads)
    network = GPT2Backend(shape, random_arrays(shape, seed=4), torch.device("cpu"), torch.float32)
    tokens, places = np.random.default_rng(5).integers(0, 50, 100), np.arange(100)

    def read():
        decoding = network.start(1)
        decoding.feed(0, tokens[:45], places[:45])
        decoding.feed(0, tokens[45:77], places[45:77])
        return ask(decoding, (tokens[77:], places[77:]))

    here = read()
    monkeypatch.setattr(products._core, "has_dense", lambda: False)
    np.testing.assert_allclose(here, read(), atol=2e-5)


def test_the_core_lets_other_threads_work_and_they_do_not_disturb_each_other():
    if not _core.has_dense():
        pytest.skip("this processor has no AVX2")
    rng = np.random.default_rng(8)
    w, bias = rng.normal(size=(512, 512)).astype(np.float32), np.zeros(512, np.float32)
    xs = [rng.normal(size=(300, 512)).astype(np.float32) for _ in range(4)]

    def product(x):
        out = np.empty((300, 512), np.float32)
        _core.linear(x, w, bias, out, _core.Then.Gelu, 2)
        return out

    wanted, seen = [product(x) for x in xs], {}
    stop, turns = threading.Event(), [0]

    def work(i):
        seen[i] = [np.array_equal(product(xs[i]), wanted[i]) for _ in range(5)]

    def count():
        while not stop.is_set():
            turns[0] += 1
            time.sleep(0)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    counter = threading.Thread(target=count)
    for thread in (counter, *threads):
        thread.start()
    for thread in threads:
        thread.join()
    stop.set()
    counter.join()
    assert all(all(same) for same in seen.values()) and len(seen) == 4
    assert turns[0] > 20, "the lock of the interpreter is free while the core multiplies"


def test_the_core_takes_no_memory_that_is_out_of_step():
    if not _core.has_dense():
        pytest.skip("this processor has no AVX2")
    memory = np.zeros(4 * 40 * 32 + 1, np.uint8)
    x = memory[1:].view(np.float32).reshape(40, 32)
    w, bias, out, keys = (np.zeros(size, np.float32) for size in ((32, 32), 32, (40, 32), (2, 64, 16)))
    with pytest.raises(ValueError, match="must begin at whole numbers"):
        _core.linear(x, w, bias, out, _core.Then.Store)
    with pytest.raises(ValueError, match="must begin at whole numbers"):
        _core.attend(x.reshape(40, 2, 16), keys, keys, out, 0)


def test_the_core_refuses_arrays_that_do_not_fit():
    if not _core.has_dense():
        pytest.skip("this processor has no AVX2")
    x, w, bias = (np.zeros(size, np.float32) for size in ((40, 32), (32, 48), 48))
    out = np.zeros((40, 48), np.float32)
    _core.linear(x, w, bias, out, _core.Then.Store)
    for wrong in (
        (x[:, :31], w, bias, out),
        (x, w[:, :47], bias[:47], out[:, :47]),
        (x, w, bias[:32], out),
        (x[:, ::-1], w, bias, out),
        (x, w, bias, out[:39]),
        (x, w, bias, out.T.copy().T),
        (x[0], w, bias, out),
    ):
        with pytest.raises(ValueError, match=r"fit|must"):
            _core.linear(*wrong, _core.Then.Store)
    with pytest.raises(TypeError):
        _core.linear(x.astype(np.float64), w, bias, out, _core.Then.Store)
    q, keys, heard = (np.zeros(size, np.float32) for size in ((40, 2, 16), (2, 64, 16), (40, 32)))
    _core.attend(q, keys, keys, heard, 24)
    for wrong in (
        (q, keys, keys, heard, 25),
        (q[:, :1], keys, keys, heard, 0),
        (q, keys, keys[:, :63], heard, 0),
        (q[:, :, :8], keys[:, :, :8], keys[:, :, :8], heard[:, :16], 0),
        (q, keys, keys, heard[:, :31], 0),
        (q, keys[:, ::-1], keys, heard, 0),
    ):
        with pytest.raises(ValueError, match=r"fit|must"):
            _core.attend(*wrong)
    frozen = heard.copy()
    frozen.setflags(write=False)
    with pytest.raises(ValueError, match=r"writ|read-only"):
        _core.attend(q, keys, keys, frozen, 0)


def test_skipping_tokens_with_their_positions_kept_is_the_same_as_never_having_them(backend):
    kept = np.array([0, 1, 2, 9, 10, 11, 30])
    decoding = backend.start(1)
    decoding.feed(0, TOKENS[kept[:4]], kept[:4])
    logits = ask(decoding, (TOKENS[kept[4:]], kept[4:]))
    np.testing.assert_allclose(logits[0], by_definition(TOKENS[kept], kept), atol=1e-4)


def test_logits_are_those_of_the_reference():
    recorded = json.loads((Path(__file__).parent / "data" / "gpt2_logits.json").read_text())
    shape = GPT2Shape(64, 64, 32, 2, 4)
    network = GPT2Backend(shape, random_arrays(shape, seed=3), torch.device("cpu"), torch.float32)
    tokens = np.array(recorded["tokens"])
    for last, logits in recorded["logits"].items():
        n = int(last) + 1
        got = ask(network.start(1), (tokens[:n], np.arange(n)))[0]
        np.testing.assert_allclose(got, logits, atol=1e-4)


def test_a_beginning_of_a_frozen_prompt_starts_another_row_without_being_touched(backend):
    decoding = backend.start(1)
    decoding.feed(0, TOKENS[:30], np.arange(30))
    prefix = decoding.prefix(0)
    assert prefix.length == 30 and prefix.n_bytes >= 30 * 2 * 3 * 24 * 4
    other = backend.start()
    rows = other.add(prefix, 20), other.add(prefix), other.add()
    assert rows == (0, 1, 2) and other.lengths == [20, 30, 0]
    logits = ask(other, ([7, 8], [20, 21]), ([9], [30]), ([3, 4, 5], [0, 1, 2]))
    wanted = [
        (np.append(TOKENS[:20], [7, 8]), np.arange(22)),
        (np.append(TOKENS[:30], [9]), np.arange(31)),
        (np.array([3, 4, 5]), np.arange(3)),
    ]
    for row, case in zip(logits, wanted, strict=True):
        np.testing.assert_allclose(row, by_definition(*case), atol=1e-4)
    again = backend.start()
    again.add(prefix)
    np.testing.assert_allclose(ask(again, ([9], [30]))[0], logits[1], atol=1e-5)


def test_ragged_rows_are_what_they_would_be_alone(backend):
    """Rows of other lengths, positions and numbers of waiting tokens, that come and go."""
    rng = np.random.default_rng(4)
    decoding, said = backend.start(), []
    for n in (12, 3, 7):
        row = decoding.add()
        said.append((rng.integers(0, 50, n), np.sort(rng.choice(40, n, replace=False))))
        decoding.feed(row, *said[-1])
    for turn in range(8):
        more = []
        for i, (tokens, places) in enumerate(said):
            k = 1 if turn % 3 else int(rng.integers(1, 4))
            new = rng.integers(0, 50, k), np.arange(places[-1] + 1, places[-1] + 1 + k)
            said[i] = np.append(tokens, new[0]), np.append(places, new[1])
            more.append(new)
        for logits, row in zip(ask(decoding, *more), said, strict=True):
            np.testing.assert_allclose(logits, by_definition(*row), atol=2e-4)
        if turn == 3:
            decoding.drop(0)  # the last row takes its place
            said = [said[2], said[1]]
        if turn == 5:
            decoding.add()
            said.append((rng.integers(0, 50, 5), np.arange(5)))
            decoding.feed(2, *said[2])
    assert decoding.lengths == [len(tokens) for tokens, _ in said]


def test_p4_rows_of_one_prompt_go_their_own_ways(backend):
    one = backend.start(1)
    one.feed(0, TOKENS[:20], np.arange(20))
    prefix, rows = one.prefix(0), backend.start()
    for _ in range(5):
        rows.add(prefix)
    ends = [[1, 2], [3, 4], [5, 6], [7, 8], [9, 10]]
    logits = ask(rows, *((end, [20, 21]) for end in ends))
    for row, end in zip(logits, ends, strict=True):
        np.testing.assert_allclose(row, by_definition(np.append(TOKENS[:20], end), np.arange(22)), atol=1e-4)
    rows.drop(1)
    more = ask(rows, *(([7], [22]) for _ in range(4)))
    for row, end in zip(more, [ends[0], ends[4], ends[2], ends[3]], strict=True):
        sequence = np.append(TOKENS[:20], [*end, 7])
        np.testing.assert_allclose(row, by_definition(sequence, np.arange(23)), atol=1e-4)


def test_more_tokens_than_positions_are_refused(backend):
    decoding = backend.start(1)
    with pytest.raises(ValueError, match="64 positions"):
        decoding.feed(0, np.zeros(65, dtype=np.int64), np.arange(65))
    assert decoding.lengths == [0]


def test_the_callers_number_of_threads_is_left_alone(backend):
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        ask(backend.start(1), (TOKENS, np.arange(40)))
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_two_threads_at_work_leave_the_number_of_threads_alone(backend):
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    seen = []

    def work():
        for _ in range(30):
            ask(backend.start(1), (TOKENS, np.arange(40)))
        seen.append(torch.get_num_threads())

    try:
        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert [*seen, torch.get_num_threads()] == [2] * 5
    finally:
        torch.set_num_threads(before)


def test_p9_bfloat16_prompts_stay_close():
    exact, mixed = (
        GPT2Backend(SHAPE, ARRAYS, torch.device("cpu"), torch.float32, bf16_prompts=on).start(1)
        for on in (False, True)
    )
    for decoding in (exact, mixed):
        decoding.feed(0, TOKENS[:39], np.arange(39))
    a, b = (ask(d, (TOKENS[39:], [39])) for d in (exact, mixed))
    assert 0 < np.abs(a - b).max() < 0.1 * np.abs(a).max()


def test_the_fingerprint_is_that_of_the_weights(backend):
    again = GPT2Backend(SHAPE, ARRAYS, torch.device("cpu"), torch.float32)
    other = GPT2Backend(SHAPE, random_arrays(SHAPE, seed=6), torch.device("cpu"), torch.float32)
    assert backend.fingerprint() == again.fingerprint() != other.fingerprint()


def test_an_absent_device_and_an_unknown_dtype_are_refused(checkpoint_path):
    from midigpt_nb.inference import InferenceEngine

    with pytest.raises(CheckpointError, match="dtype 'int3' is unknown"):
        InferenceEngine.from_checkpoint(checkpoint_path, dtype="int3")
    if not torch.cuda.is_available():
        with pytest.raises(CheckpointError, match="'cuda' is not available"):
            InferenceEngine.from_checkpoint(checkpoint_path, device="cuda")


@pytest.mark.filterwarnings("ignore:this processor has no bfloat16")
def test_half_precision_stays_close(checkpoint_path):
    from midigpt_nb.inference import InferenceEngine

    full, half = (
        InferenceEngine.from_checkpoint(checkpoint_path, dtype=d).backend.start(1) for d in (None, "bfloat16")
    )
    a, b = (ask(d, (TOKENS % 50, np.arange(40))) for d in (full, half))
    assert b.dtype == np.float32 and np.abs(a - b).max() < 0.1 * np.abs(a).max()
