"""The ``evaluate`` command: all figures of one checkpoint as a dictionary."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from midigpt_nb.training.corpus import Corpus
from midigpt_nb.training.export import load_model
from midigpt_nb.training.measure import density_sensitivity, holdout_windows, octave_mass, token_losses
from midigpt_nb.training.mixes import EVALUATION_MIX, LONG_MIX, ONE_BAR_MIX
from midigpt_nb.training.vocabulary import PIECE_START
from midigpt_nb.training.windows import WindowSampler

from .baselines import NGram, ngram_losses
from .infill import density_adherence, infill_quality, voices_adherence

_SPAN_MIX = replace(ONE_BAR_MIX, shapes={"span": 0.6, "bar": 0.4}, max_targets=4)


def model_report(corpus: Corpus, folder: Path, windows: int = 150, infills: int = 60) -> dict[str, Any]:
    """Losses of a checkpoint on the hold-outs, wrong-density differences, and figures of sampled infills."""
    model, state = load_model(folder)
    report: dict[str, Any] = {
        "step": state["step"],
        "tokens": state["tokens"],
        "blocks": state["blocks"],
        "minutes": round(state["seconds"] / 60, 1),
    }
    holdout = holdout_windows(corpus, windows)
    for name, members in holdout.items():
        report[name] = token_losses(model, members).summary()
    one_bar = holdout_windows(corpus, max(2, windows // 2), ONE_BAR_MIX)
    probes = [window for members in one_bar.values() for window in members]
    plain = [w for members in holdout.values() for w in members if w.ids[0] == PIECE_START]
    report["wrong_density"] = density_sensitivity(model, probes + plain)
    report["octave_mass"] = octave_mass(model, probes)
    first = next(iter(one_bar))
    report["density"] = density_adherence(model, one_bar[first], limit=infills)
    report["voices"] = voices_adherence(model, one_bar[first], limit=infills)
    spans = holdout_windows(corpus, max(2, infills // 2), _SPAN_MIX)
    report["infills"] = infill_quality(model, spans[first])
    return report


def baseline_report(
    corpus: Corpus, windows: int = 150, training_tokens: int = 12_000_000, order: int = 5
) -> dict[str, list[dict[str, float]]]:
    """Losses of unigram to ``order``-gram models on the same validation windows, one list a hold-out."""
    mix = replace(LONG_MIX, infill=EVALUATION_MIX.infill, transpose=1.0, thin=0.0)  # repeats spoil counts
    sampler = WindowSampler(corpus, "train", mix)
    rng = np.random.default_rng(7)
    drawn, tokens = [], 0
    while tokens < training_tokens:
        window = sampler.draw(rng)
        drawn.append(window)
        tokens += len(window.ids)
    model = NGram(drawn, order)
    return {name: ngram_losses(model, members) for name, members in holdout_windows(corpus, windows).items()}
