"""Losses on fixed windows, and the diagnostics that show whether the placeholder is read.

Everything is in nats. A low loss can hide a model that fills in without looking at the placeholder; the
differences between a wrong and the right density token there cannot.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch.nn import functional

from . import vocabulary as v
from .corpus import Corpus
from .mixes import BAND_SOURCES, EVALUATION_MIX, ONE_BAR_MIX, SYNTHETIC_SOURCES, Mix
from .window import FILL, FIRST_NOTE, WRITTEN_TRACK, Window, batches
from .windows import WindowSampler

HOLDOUT_SEED = 20_000


def split_sources(corpus: Corpus) -> dict[str, tuple[str, ...]]:
    """The three hold-outs (those present): real bands, other real music, synthetic arrangements."""
    names = [str(name) for name in corpus.sources]
    groups = {
        "band": tuple(n for n in names if n in BAND_SOURCES),
        "other": tuple(n for n in names if n not in BAND_SOURCES + SYNTHETIC_SOURCES),
        "synthetic": tuple(n for n in names if n in SYNTHETIC_SOURCES),
    }
    return {
        key: members for key, members in groups.items() if members and len(corpus.select("valid", members))
    }


def holdout_windows(corpus: Corpus, count: int, mix: Mix = EVALUATION_MIX) -> dict[str, list[Window]]:
    """Fixed validation windows of every hold-out; the first ``k`` are the same whatever ``count`` is."""
    result = {}
    for number, (name, sources) in enumerate(split_sources(corpus).items()):
        sampler = WindowSampler(corpus, "valid", mix, sources)
        rng = np.random.default_rng((HOLDOUT_SEED, number))
        result[name] = [sampler.draw(rng) for _ in range(count)]
    return result


@dataclass
class TokenLosses:
    """Loss, kind and id of every predicted token of some windows (flat), and the number of notes."""

    loss: np.ndarray
    kind: np.ndarray
    token: np.ndarray
    notes: int

    def mean(self, *kinds: int) -> float:
        """Mean over all tokens, or over tokens of the given kinds."""
        chosen = np.isin(self.kind, kinds) if kinds else np.ones(len(self.kind), dtype=bool)
        return float(self.loss[chosen].mean()) if chosen.any() else float("nan")

    def summary(self) -> dict[str, float]:
        """Loss per token, per note, in fill blocks, and of the first note of a block."""
        return {
            "token": self.mean(),
            "note": float(self.loss.sum() / max(1, self.notes)),
            "fill": self.mean(FILL, FIRST_NOTE),
            "first": self.mean(FIRST_NOTE),
        }


@torch.no_grad()
def token_losses(model: torch.nn.Module, windows: list[Window], padded_tokens: int = 8192) -> TokenLosses:
    """Loss of every token but the first of every window."""
    device = next(model.parameters()).device
    losses, kinds, tokens = [], [], []
    for ids, kind, *_ in batches(windows, padded_tokens, np.random.default_rng(0)):
        batch = torch.from_numpy(ids).to(device).long()
        with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
            logits = model(batch[:, :-1])
        loss = functional.cross_entropy(
            logits.float().flatten(0, 1), batch[:, 1:].flatten(), reduction="none"
        )
        real = kind[:, 1:].reshape(-1) >= 0
        losses.append(loss.cpu().numpy()[real])
        kinds.append(kind[:, 1:].reshape(-1)[real])
        tokens.append(ids[:, 1:].reshape(-1)[real])
    notes = sum(window.notes for window in windows)
    return TokenLosses(np.concatenate(losses), np.concatenate(kinds), np.concatenate(tokens), notes)


def _with_wrong_density(window: Window, rng: np.random.Generator) -> Window | None:
    """The window with the density tokens of the bars to be written moved by three levels or more."""
    ids = window.ids.copy()
    spots = []
    for bar in np.flatnonzero(ids == v.BAR):
        end = bar + 1
        while end < len(ids) and ids[end] >= v.BAR_DENSITY:
            end += 1
        written = window.kinds[bar] == WRITTEN_TRACK or (end + 1 < len(ids) and ids[end + 1] == v.PLACEHOLDER)
        density = v.BAR_DENSITY <= ids[bar + 1] < v.BAR_POLYPHONY
        if written and density:
            spots.append(bar + 1)
    if not spots:
        return None
    for spot in spots:
        level = int(ids[spot]) - v.BAR_DENSITY
        choices = [other for other in range(10) if abs(other - level) >= 3]
        ids[spot] = v.BAR_DENSITY + int(rng.choice(choices))
    return replace(window, ids=ids)


def density_sensitivity(model: torch.nn.Module, windows: list[Window]) -> dict[str, float]:
    """Loss with wrong minus loss with right density tokens, over the tokens written under them.

    ``fill``: one-bar infills, per token. ``plain``: bars of the written track of plain windows, where the
    density token stands right before the notes; this separates "not learned" from "placeholder not found".
    """
    result = {}
    for name, plain in (("fill", False), ("plain", True)):
        pairs = []
        rng = np.random.default_rng(1)
        for window in windows:
            if (window.ids[0] == v.PIECE_START) == plain:
                changed = _with_wrong_density(window, rng)
                if changed is not None:
                    pairs.append((window, changed))
        if not pairs:
            result[name] = float("nan")
            continue
        right, wrong = (token_losses(model, [pair[i] for pair in pairs]) for i in (0, 1))
        kinds = (WRITTEN_TRACK,) if plain else (FILL, FIRST_NOTE)
        inside = np.isin(right.kind, kinds) & (right.token < v.NOTE_DENSITY)
        result[name] = float(wrong.loss[inside].mean() - right.loss[inside].mean())
    return result


@torch.no_grad()
def octave_mass(model: torch.nn.Module, windows: list[Window]) -> float:
    """Share of the first melodic pitch's probability that lies within an octave of the true pitch."""
    device = next(model.parameters()).device
    shares = []
    for window in windows:
        ids = np.append(window.ids, v.FILL_END)
        pitch = (ids[:-1] >= v.NOTE_ONSET) & (ids[:-1] < v.NOTE_DURATION)
        melodic = (ids[1:] >= v.NOTE_DURATION) & (ids[1:] < v.POSITION)
        spots = np.flatnonzero((window.kinds == FIRST_NOTE) & pitch & melodic)
        if not len(spots):
            continue
        batch = torch.from_numpy(window.ids.astype(np.int64))[None].to(device)
        logits = model(batch)[0].float()
        for spot in spots:
            mass = torch.softmax(logits[spot - 1, v.NOTE_ONSET : v.NOTE_DURATION], 0)
            true = int(window.ids[spot]) - v.NOTE_ONSET
            shares.append(float(mass[max(0, true - 12) : true + 13].sum()))
    return float(np.mean(shares)) if shares else float("nan")


class HoldOut:
    """Fixed windows of a corpus and the figures a training run reports on them."""

    def __init__(self, corpus: Corpus, count: int):
        self.windows = holdout_windows(corpus, count)
        one_bar = holdout_windows(corpus, max(2, count // 2), ONE_BAR_MIX)
        self.probes = [window for part in one_bar.values() for window in part]
        plain = [
            window for part in self.windows.values() for window in part if window.ids[0] == v.PIECE_START
        ]
        self.probes += plain[: len(self.probes)]

    def measure(self, model: torch.nn.Module) -> dict[str, float]:
        """All figures as one flat dictionary."""
        training = model.training
        model.eval()
        figures = {}
        for name, windows in self.windows.items():
            for key, value in token_losses(model, windows).summary().items():
                figures[f"{name}_{key}"] = value
        for key, value in density_sensitivity(model, self.probes).items():
            figures[f"wrong_density_{key}"] = value
        figures["octave_mass"] = octave_mass(model, [w for w in self.probes if w.ids[0] != v.PIECE_START])
        model.train(training)
        return figures
