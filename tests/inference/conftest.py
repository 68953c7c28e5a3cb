"""A tiny random model with the bundled model's vocabulary, scripted engines, and small scores."""

from __future__ import annotations

import random

import numpy as np
import pytest

from midigpt_nb.inference.backends.scripted import ScriptedBackend
from midigpt_nb.inference.checkpoint import GPT2Shape, write_checkpoint
from midigpt_nb.inference.engine import InferenceEngine
from midigpt_nb.score.model import Bar, Note, Score, Track
from midigpt_nb.tokenizer import Tokenizer
from midigpt_nb.training.vocabulary import encoder_config

VOCABULARY_SIZE = 833


def random_arrays(shape: GPT2Shape, seed: int = 0) -> dict[str, np.ndarray]:
    """Weights of a small network that is random but not flat."""
    rng = np.random.default_rng(seed)
    arrays = {}
    for name, size in shape.arrays().items():
        norm = ".ln_" in name and name.endswith("weight")
        arrays[name] = (np.ones(size) if norm else rng.normal(0, 0.3, size)).astype(np.float32)
    return arrays


def write_tiny_checkpoint(path, *, context: int = 1024, seed: int = 0, **facts):
    """A 2-layer random checkpoint with the bundled model's vocabulary."""
    shape = GPT2Shape(VOCABULARY_SIZE, context, 32, 2, 4)
    write_checkpoint(path, random_arrays(shape, seed), shape, encoder_config(), **facts)
    return path


@pytest.fixture(scope="session")
def checkpoint_path(tmp_path_factory):
    return write_tiny_checkpoint(tmp_path_factory.mktemp("model") / "tiny.safetensors")


@pytest.fixture(scope="session")
def engine(checkpoint_path):
    return InferenceEngine.from_checkpoint(checkpoint_path)


@pytest.fixture(scope="session")
def tokenizer():
    return Tokenizer(encoder_config())


@pytest.fixture
def scripted(tokenizer):
    """`scripted(script, **backend facts)` -> an engine that says what it is told."""

    def make(script=(), **facts):
        return InferenceEngine(
            ScriptedBackend(tokenizer.vocab.size, script, **facts), tokenizer, name="scripted"
        )

    return make


def make_score(
    n_tracks: int = 3,
    n_bars: int = 8,
    *,
    seed: int = 0,
    notes_per_bar: int = 6,
    resolution: int = 480,
    metres=((4, 4),),
) -> Score:
    """A random band: the last of three tracks is drums; onsets off the grid, long and short notes."""
    rng = random.Random(seed)
    tracks = []
    for t in range(n_tracks):
        drum = t % 3 == 2
        bars = []
        for b in range(n_bars):
            num, den = metres[b % len(metres)]
            length = 4 * resolution * num // den
            notes = sorted(
                (
                    Note(
                        rng.choice([36, 38, 42]) if drum else rng.randrange(48, 72),
                        rng.randrange(40, 120),
                        rng.randrange(length),
                        rng.randrange(20, 3 * resolution),
                    )
                    for _ in range(notes_per_bar)
                ),
                key=lambda n: (n.onset_ticks, n.pitch),
            )
            bars.append(Bar(notes, num, den))
        program = 0 if drum else 8 * t % 128
        tracks.append(Track(bars, instrument=program, track_type="drum" if drum else "melodic"))
    return Score(tracks, resolution=resolution)


@pytest.fixture
def score():
    return make_score()
