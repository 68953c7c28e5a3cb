"""The network: against its definition written out in numpy, with and without cache."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from midigpt_nb.errors import CheckpointError
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


@pytest.mark.parametrize("chunks", [[40], [1] * 40, [13, 1, 20, 6]], ids=["at once", "one by one", "mixed"])
def test_logits_are_those_of_the_definition_however_the_tokens_are_fed(backend, chunks):
    decoding, done = backend.start(), 0
    for n in chunks:
        places = np.arange(done, done + n)
        logits = decoding.logits(TOKENS[None, done : done + n], places)
        done += n
        assert logits.shape == (1, 50)
        np.testing.assert_allclose(logits[0], by_definition(TOKENS[:done], np.arange(done)), atol=1e-4)


def test_skipping_tokens_with_their_positions_kept_is_the_same_as_never_having_them(backend):
    kept = np.array([0, 1, 2, 9, 10, 11, 30])
    decoding = backend.start()
    decoding.feed(TOKENS[None, kept[:4]], kept[:4])
    logits = decoding.logits(TOKENS[None, kept[4:]], kept[4:])
    np.testing.assert_allclose(logits[0], by_definition(TOKENS[kept], kept), atol=1e-4)


def test_logits_are_those_of_the_reference():
    recorded = json.loads((Path(__file__).parent / "data" / "gpt2_logits.json").read_text())
    shape = GPT2Shape(64, 64, 32, 2, 4)
    network = GPT2Backend(shape, random_arrays(shape, seed=3), torch.device("cpu"), torch.float32)
    tokens = np.array([recorded["tokens"]])
    for last, logits in recorded["logits"].items():
        n = int(last) + 1
        got = network.start().logits(tokens[:, :n], np.arange(n))[0]
        np.testing.assert_allclose(got, logits, atol=1e-4)


def test_rewinding_forgets_exactly_what_came_after(backend):
    decoding = backend.start()
    decoding.feed(TOKENS[None, :20], np.arange(20))
    first = decoding.logits(TOKENS[None, 20:21], np.array([20])).copy()
    decoding.logits(TOKENS[None, 30:35], np.arange(21, 26))
    decoding.rewind(20)
    assert decoding.length == 20
    np.testing.assert_array_equal(decoding.logits(TOKENS[None, 20:21], np.array([20])), first)
    with pytest.raises(ValueError, match="rewind"):
        decoding.rewind(30)


def test_rows_share_a_prompt_and_then_go_their_own_ways(backend):
    one = backend.start()
    one.feed(TOKENS[None, :20], np.arange(20))
    rows = one.expanded(3)
    ends = np.array([[1, 2], [3, 4], [5, 6]])
    logits = rows.logits(ends, np.array([20, 21]))
    for row, end in zip(logits, ends, strict=True):
        np.testing.assert_allclose(row, by_definition(np.append(TOKENS[:20], end), np.arange(22)), atol=1e-4)
    rows.keep([2])
    more = rows.logits(np.array([[7]]), np.array([22]))
    np.testing.assert_allclose(
        more[0], by_definition(np.append(TOKENS[:20], [5, 6, 7]), np.arange(23)), atol=1e-4
    )


def test_more_tokens_than_positions_are_refused(backend):
    decoding = backend.start()
    with pytest.raises(ValueError, match="64 positions"):
        decoding.feed(np.zeros((1, 65), dtype=np.int64), np.arange(65))


def test_the_callers_number_of_threads_is_left_alone(backend):
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        backend.start().logits(TOKENS[None], np.arange(40))
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_an_absent_device_and_an_unknown_dtype_are_refused(checkpoint_path):
    from midigpt_nb.inference import InferenceEngine

    with pytest.raises(CheckpointError, match="dtype 'int3' is unknown"):
        InferenceEngine.from_checkpoint(checkpoint_path, dtype="int3")
    if not torch.cuda.is_available():
        with pytest.raises(CheckpointError, match="'cuda' is not available"):
            InferenceEngine.from_checkpoint(checkpoint_path, device="cuda")


def test_half_precision_stays_close(checkpoint_path):
    from midigpt_nb.inference import InferenceEngine

    full, half = (
        InferenceEngine.from_checkpoint(checkpoint_path, dtype=d).backend.start() for d in (None, "bfloat16")
    )
    ids = TOKENS[None] % 50
    a, b = (d.logits(ids, np.arange(40)) for d in (full, half))
    assert b.dtype == np.float32 and np.abs(a - b).max() < 0.1 * np.abs(a).max()
