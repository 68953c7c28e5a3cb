"""The measurements, on midigpt_nb. See `worker.py`; seconds unless a name says otherwise.

A checkpoint is loaded once per process. Pieces are read anew for each measurement that works on a piece, so
that nothing that a score remembers helps.
"""

from __future__ import annotations

import importlib
import resource
import time
from functools import lru_cache
from pathlib import Path
from typing import Any

clock = time.perf_counter


def set_up(*, threads: int) -> dict[str, Any]:
    """Threads of the matrix products, and the versions in use."""
    import torch

    import midigpt_nb

    torch.set_num_threads(threads)
    return {"package": f"midigpt-nb {midigpt_nb.__version__}", "torch": torch.__version__}


@lru_cache(maxsize=4)
def _engine(checkpoint: str) -> Any:
    from midigpt_nb.inference import InferenceEngine

    return InferenceEngine.from_checkpoint(checkpoint)


def _score(path: str) -> Any:
    from midigpt_nb import Score

    return Score.from_bytes(Path(path).read_bytes())


def _request(bars: dict[str, list[int]], config: dict[str, Any]) -> Any:
    from midigpt_nb.inference import GenerationRequest, InferenceConfig, TrackPrompt

    prompts = [TrackPrompt(id=int(track), bars=wanted) for track, wanted in bars.items()]
    return GenerationRequest(tracks=prompts, config=InferenceConfig(**config))


class _Silent:
    """A model that takes no time: all tokens are equally likely. What is fed to it is only counted."""

    device, prefill_chunk, n_bytes = "cpu", 1 << 20, 0
    least_portion = portion_grid = 1

    def __init__(self, vocab_size: int, max_context: int) -> None:
        import numpy as np

        self.vocab_size, self.max_context = vocab_size, max_context
        self.flat = np.zeros((16, vocab_size), dtype=np.float32)

    def start(self, rows: int = 0) -> _SilentDecoding:
        return _SilentDecoding(self, rows)

    def fingerprint(self) -> str:
        return "silent"


class _SilentPrefix:
    n_bytes = 0

    def __init__(self, length: int) -> None:
        self.length = length


class _SilentDecoding:
    def __init__(self, model: _Silent, rows: int) -> None:
        self.model, self.lengths = model, [0] * rows

    def add(self, prefix: _SilentPrefix | None = None, length: int | None = None) -> int:
        self.lengths.append(0 if prefix is None else prefix.length if length is None else length)
        return len(self.lengths) - 1

    def drop(self, row: int) -> None:
        last = self.lengths.pop()
        if row < len(self.lengths):
            self.lengths[row] = last

    def feed(self, row: int, tokens: Any, positions: Any) -> None:
        self.lengths[row] += len(tokens)

    def logits(self, tokens: Any, positions: Any, first: int = 0) -> Any:
        for row, new in enumerate(tokens, first):
            self.lengths[row] += len(new)
        return self.model.flat[: len(tokens)]

    def prefix(self, row: int) -> _SilentPrefix:
        return _SilentPrefix(self.lengths[row])


def _silent_engine(checkpoint: str) -> Any:
    from midigpt_nb.inference import InferenceEngine

    real = _engine(checkpoint)
    return InferenceEngine(_Silent(real.backend.vocab_size, real.backend.max_context), real.tokenizer)


# --- scores and tokens ------------------------------------------------------------------------------


def parse(*, midi: str) -> dict[str, float]:
    """Bytes of a MIDI file -> a score; then every note looked at as an object."""
    from midigpt_nb import Score

    data = Path(midi).read_bytes()
    began = clock()
    score = Score.from_bytes(data)
    read = clock()
    notes = sum(len(bar.notes) for track in score.tracks for bar in track.bars)
    return {"read": read - began, "objects": clock() - began, "notes": notes}


def tokenise(*, midi: str, checkpoint: str) -> dict[str, float]:
    """A score -> tokens, attributes left out."""
    tokenizer, score = _engine(checkpoint).tokenizer, _score(midi)
    began = clock()
    tokens = tokenizer.encode(score, None, False)
    return {"tokenise": clock() - began, "tokens": len(tokens)}


def attributes(*, midi: str, checkpoint: str) -> dict[str, float]:
    """All track attributes of a score."""
    analyzer, score = _engine(checkpoint).attributes, _score(midi)
    began = clock()
    for track in range(len(score.tracks)):
        analyzer.compute_track_tokens(score, track)
    return {"attributes": clock() - began}


# --- the network ------------------------------------------------------------------------------------


def prefill(*, checkpoint: str, tokens: int) -> dict[str, float]:
    """A prompt through the network."""
    import numpy as np

    backend = _engine(checkpoint).backend
    ids, places = np.random.default_rng(0).integers(0, backend.vocab_size, tokens), np.arange(tokens)
    began = clock()
    decoding, chunk = backend.start(1), backend.prefill_chunk
    for start in range(0, tokens - 1, chunk):  # as the engine does
        part = slice(start, min(start + chunk, tokens - 1))
        decoding.feed(0, ids[part], places[part])
    decoding.logits([ids[-1:]], [places[-1:]])
    return {"prefill": clock() - began}


def decode(*, checkpoint: str, context: int, rows: int, steps: int) -> dict[str, float]:
    """Single tokens through the network after a prompt, a number of sequences at once."""
    import numpy as np

    backend = _engine(checkpoint).backend
    rng = np.random.default_rng(0)
    prompt = backend.start(1)
    prompt.feed(0, rng.integers(0, backend.vocab_size, context), np.arange(context))
    decoding, prefix = backend.start(), prompt.prefix(0)
    for _ in range(rows):
        decoding.add(prefix)
    ids = rng.integers(0, backend.vocab_size, (steps, rows, 1))
    decoding.logits(list(ids[0]), [np.array([context])] * rows)
    began = clock()
    for i in range(1, steps):
        decoding.logits(list(ids[i]), [np.array([context + i])] * rows)
    return {"per token": (clock() - began) / (steps - 1) / rows}


# --- the engine -------------------------------------------------------------------------------------


def first_token(
    *, checkpoint: str, midi: str, bars: dict[str, list[int]], config: dict[str, Any]
) -> dict[str, float]:
    """From the call of `session()` to the first token drawn; the run is then cancelled."""
    from midigpt_nb.inference import events

    engine, score, request = _engine(checkpoint), _score(midi), _request(bars, config)
    began = clock()
    session = engine.session(score, request)
    planned = clock()
    told = []
    for event in session.stream():
        if isinstance(event, events.TokenProgress | events.NotesArrived | events.BarFinished) and not told:
            told.append(clock())
            session.cancel_event.set()
    return {"session": planned - began, "run": told[0] - planned, "first token": told[0] - began}


def infill(
    *, checkpoint: str, midi: str, bars: dict[str, list[int]], config: dict[str, Any]
) -> dict[str, float]:
    """A whole request: `session()` and `run()`."""
    engine, score, request = _engine(checkpoint), _score(midi), _request(bars, config)
    began = clock()
    session = engine.session(score, request)
    session.run()
    seconds = clock() - began
    return {"infill": seconds, "per token": seconds / session.gen_count, "tokens": session.gen_count}


def takes(
    *, checkpoint: str, midi: str, bars: dict[str, list[int]], config: dict[str, Any]
) -> dict[str, float]:
    """`run_variations()`: several results of one request."""
    engine, score, request = _engine(checkpoint), _score(midi), _request(bars, config)
    session = engine.session(score, request)
    began = clock()
    results = session.run_variations()
    seconds = clock() - began
    tokens = sum(result["gen_count"] for result in results)
    return {"takes": seconds, "per take": seconds / len(results), "per token": seconds / tokens}


def outside(
    *, checkpoint: str, midi: str, bars: dict[str, list[int]], config: dict[str, Any]
) -> dict[str, float]:
    """Everything but the network: a request run with a model that takes no time."""
    engine, score, request = _silent_engine(checkpoint), _score(midi), _request(bars, config)
    began = clock()
    session = engine.session(score, request)
    planned = clock()
    session.run()
    ended = clock()
    return {
        "session": planned - began,
        "run": ended - planned,
        "both": ended - began,
        "tokens": session.gen_count,
    }


def outside_per_token(
    *, checkpoint: str, midi: str, bars: dict[str, list[int]], config: dict[str, Any]
) -> dict[str, float]:
    """The same per token: of a whole `run()`, and of the loop alone (long bars less short ones)."""
    seconds, tokens = {8: 0.0, 64: 0.0}, {8: 0.0, 64: 0.0}
    for seed in range(8):
        for limit in seconds:
            asked = {**config, "seed": config["seed"] + 1000 * seed, "density_hard_limit": limit}
            figures = outside(checkpoint=checkpoint, midi=midi, bars=bars, config=asked)
            seconds[limit] += figures["run"]
            tokens[limit] += figures["tokens"]
    return {
        "loop": (seconds[64] - seconds[8]) / (tokens[64] - tokens[8]),
        "run": seconds[8] / tokens[8],
    }


# --- whole processes --------------------------------------------------------------------------------


def cold(
    *, checkpoint: str, midi: str, bars: dict[str, list[int]], config: dict[str, Any]
) -> dict[str, float]:
    """Import, load, read, and the first token; with the most memory the process ever held."""
    began = clock()
    _engine(checkpoint)
    loaded = clock()
    first_token(checkpoint=checkpoint, midi=midi, bars=bars, config=config)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"load": loaded - began, "first token": clock() - began, "peak MiB": peak}


def start_up() -> dict[str, float]:
    """Import the package; then the part that needs torch."""
    began = clock()
    importlib.import_module("midigpt_nb")
    light = clock()
    importlib.import_module("midigpt_nb.inference.engine")
    importlib.import_module("torch")
    return {"package": light - began, "with torch": clock() - began}
