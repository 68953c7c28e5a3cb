"""K1: the same weights give the same logits as the published package, whatever container they come in."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from midigpt_nb.inference import InferenceEngine

from .weights import write_published

RECORDED = json.loads((Path(__file__).parent.parent / "reference" / "gpt2_logits.json").read_text("utf-8"))
TOKENS = np.array(RECORDED["tokens"])


@pytest.fixture(scope="module", params=["safetensors", "pt"])
def backend(request, tmp_path_factory):
    path = tmp_path_factory.mktemp("k1") / f"m.{request.param}"
    return InferenceEngine.from_checkpoint(
        write_published(path, "yellow", seed=11, context=128, width=64)
    ).backend


@pytest.mark.parametrize("n", RECORDED["after"])
def test_k1_logits_of_a_prompt(backend, n):
    got = backend.start(1).logits([TOKENS[: int(n)]], [np.arange(int(n))])[0]
    np.testing.assert_allclose(got[::7], RECORDED["after"][n], atol=3e-5)  # recorded with five decimals


def test_k1_logits_token_by_token(backend):
    decoding = backend.start(1)
    decoding.feed(0, TOKENS[:35], np.arange(35))
    for i in range(35, len(TOKENS)):
        got = decoding.logits([TOKENS[i : i + 1]], [np.array([i])])[0]
        if str(i + 1) in RECORDED["cached_after"]:
            np.testing.assert_allclose(got[::7], RECORDED["cached_after"][str(i + 1)], atol=3e-5)
