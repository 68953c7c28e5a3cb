"""A small sampler for infill windows, used to measure a model while it is being trained.

It knows the grammar of a fill block and nothing else; the package's own engine is not needed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from midigpt_nb.training import vocabulary as v
from midigpt_nb.training.model import Transformer


@dataclass(frozen=True)
class Target:
    """A bar to be filled, as its placeholder stands in a prompt."""

    placeholder: int  # index of the placeholder token
    is_drum: bool
    instrument: int
    ticks: int  # length of the bar
    bar: int  # number of the bar inside the window
    track: int  # number of the track inside the prompt


def read_targets(ids: np.ndarray) -> list[Target]:
    """The bars to be filled in a prompt, in the order of their fill blocks."""
    targets, drum, instrument, ticks, bar, track = [], False, 0, 0, -1, -1
    for index, token in enumerate(ids.tolist()):
        if v.TRACK <= token < v.TRACK_END:
            drum, bar, track = token == v.TRACK + 1, -1, track + 1
        elif v.INSTRUMENT <= token < v.NUM_BARS:
            instrument = token - v.INSTRUMENT
        elif token == v.BAR:
            bar += 1
        elif v.TIME_SIG <= token < v.INSTRUMENT:
            ticks = int(v.BAR_TICKS[token - v.TIME_SIG])
        elif token == v.PLACEHOLDER:
            targets.append(Target(index, drum, instrument, ticks, bar, track))
        elif token == v.FILL_START:
            break
    return targets


class BlockGrammar:
    """Which tokens may follow inside one fill block."""

    def __init__(self, target: Target):
        self.target = target
        self.position = -1
        self.notes = 0
        self.last = v.FILL_START

    def legal(self) -> np.ndarray:
        """Mask over the vocabulary, ``(V,)`` bool."""
        mask = np.zeros(v.VOCABULARY_SIZE, dtype=bool)
        last = self.last
        after_velocity = v.VELOCITY <= last < v.PLACEHOLDER
        after_position = v.POSITION <= last < v.VELOCITY
        after_pitch = v.NOTE_ONSET <= last < v.NOTE_DURATION
        if after_pitch and not self.target.is_drum:
            mask[v.NOTE_DURATION : v.POSITION] = True
            return mask
        mask[v.NOTE_ONSET : v.NOTE_DURATION] = True
        if after_velocity:
            return mask
        mask[v.VELOCITY + 1 : v.PLACEHOLDER] = True
        if not after_position:
            mask[v.POSITION + max(self.position, 0) + 1 : v.POSITION + self.target.ticks] = True
            mask[v.FILL_END] = self.notes > 0
        return mask

    def advance(self, token: int) -> None:
        """Take note of a written token."""
        self.last = token
        if v.POSITION <= token < v.VELOCITY:
            self.position = token - v.POSITION
        elif v.NOTE_ONSET <= token < v.NOTE_DURATION:
            self.notes += 1


@torch.no_grad()
def fill(
    model: Transformer,
    prompt: np.ndarray,
    rng: np.random.Generator,
    temperature: float = 1.0,
    top_p: float = 0.95,
    max_block: int = 220,
) -> list[list[int]]:
    """Note tokens of every fill block, written for a ``prompt`` that ends before the first FillInStart.

    Stops early, with fewer blocks, when the context is full.
    """
    device = next(model.parameters()).device
    room = model.config.n_positions - len(prompt)
    waiting = prompt.tolist()  # tokens the network has not seen yet
    past: list | None = None
    blocks: list[list[int]] = []
    for target in read_targets(prompt):
        grammar = BlockGrammar(target)
        block: list[int] = []
        waiting.append(v.FILL_START)
        while True:
            room -= 1
            if room < 2:
                return blocks
            if past is None:
                logits, past = model.step(torch.tensor([waiting], device=device))
            else:
                for token in waiting:
                    logits, past = model.step(torch.tensor([[token]], device=device), past)
            token = draw(logits[0].float().cpu().numpy(), grammar.legal(), rng, temperature, top_p)
            if len(block) >= max_block and grammar.legal()[v.FILL_END]:
                token = v.FILL_END
            grammar.advance(token)
            waiting = [token]
            if token == v.FILL_END:
                break
            block.append(token)
        blocks.append(block)
    return blocks


def draw(
    logits: np.ndarray, legal: np.ndarray, rng: np.random.Generator, temperature: float, top_p: float
) -> int:
    """Draw one legal token by nucleus sampling."""
    scaled = np.where(legal, logits / temperature, -np.inf)
    share = np.exp(scaled - scaled.max())
    share /= share.sum()
    order = np.argsort(-share)
    kept = order[: int(np.searchsorted(np.cumsum(share[order]), top_p)) + 1]
    return int(rng.choice(kept, p=share[kept] / share[kept].sum()))


def block_notes(block: list[int], is_drum: bool) -> np.ndarray:
    """Notes of a fill block: columns onset, pitch, duration (grid ticks), level; ``(n, 4)``."""
    notes, onset, level, pitch = [], 0, 0, 0
    for token in block:
        if v.POSITION <= token < v.VELOCITY:
            onset = token - v.POSITION
        elif v.VELOCITY <= token < v.PLACEHOLDER:
            level = token - v.VELOCITY
        elif v.NOTE_ONSET <= token < v.NOTE_DURATION:
            pitch = token - v.NOTE_ONSET
            if is_drum:
                notes.append((onset, pitch, 1, level))
        elif v.NOTE_DURATION <= token < v.POSITION:
            notes.append((onset, pitch, token - v.NOTE_DURATION + 1, level))
    return np.array(notes, dtype=np.int64).reshape(-1, 4)
