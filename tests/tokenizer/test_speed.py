"""How fast the inner loops are: printed (`pytest -s`), and checked only against being absurdly slow."""

from __future__ import annotations

import time

import numpy as np

from midigpt_nb import _core

from .helpers import ids_of, reference, score_from


def microseconds(call, n):
    call()
    best = float("inf")
    for _ in range(5):
        start = time.perf_counter()
        for _ in range(n):
            call()
        best = min(best, (time.perf_counter() - start) / n)
    return best * 1e6


def test_masks(pocket):
    score = score_from(
        next(row["score"] for row in reference("golden_tokens.json") if row["config"] == "ghost")
    )
    table = pocket.grid(score.table)
    options = _core.EncodeOptions(window_bars=4, multi_fill=[(0, 1)], fill_sections=False)
    prompt = _core.encode(pocket.vocab, table, None, None, options)[0]
    limits = _core.MatcherOptions(polyphony_limit=4, density_limit=40, sounding_limit=6)
    matcher = _core.Matcher.for_prompt(pocket.vocab, prompt, limits)
    row = np.zeros(pocket.vocab.size, np.uint8)
    times = {"a fill block begins": microseconds(lambda: matcher.fill_mask(row), 2000)}
    for token in ids_of(pocket, "NoteOnset:40" + " NoteDuration:3" * int(not table.tracks[0, 2])):
        matcher.accept(token)
    times["after a note"] = microseconds(lambda: matcher.fill_mask(row), 2000)
    times["forced"] = microseconds(matcher.forced, 2000)
    times["fork"] = microseconds(matcher.fork, 500)
    times["read a prompt"] = microseconds(lambda: _core.Matcher.for_prompt(pocket.vocab, prompt, limits), 100)
    times["encode"] = microseconds(lambda: _core.encode(pocket.vocab, table, None, None, options), 100)
    times["decode"] = microseconds(lambda: _core.decode(pocket.vocab, prompt), 100)
    print(f"\n{len(prompt)} tokens of prompt; " + ", ".join(f"{k} {v:.2f} us" for k, v in times.items()))
    assert times["after a note"] < 100
