"""The measurements, on the published package (`midigpt` 0.4.2), run as it is. See `worker.py`."""

from __future__ import annotations

import importlib
import resource
import time
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

clock = time.perf_counter


def set_up(*, threads: int) -> dict[str, Any]:
    """Threads of the matrix products, and the versions in use."""
    import midigpt
    import torch

    torch.set_num_threads(threads)
    return {"package": f"midigpt {midigpt.__version__}", "torch": torch.__version__}


@lru_cache(maxsize=4)
def _engine(checkpoint: str) -> Any:
    from midigpt.inference import InferenceEngine

    return InferenceEngine.from_checkpoint(checkpoint)


def _score(path: str) -> Any:
    from midigpt import Score

    return Score.from_bytes(Path(path).read_bytes())


def _request(bars: dict[str, list[int]], config: dict[str, Any], n_tracks: int) -> Any:
    """Every track of the score must have a prompt here."""
    from midigpt.inference import GenerationRequest, InferenceConfig, TrackPrompt

    prompts = [TrackPrompt(id=track, bars=bars.get(str(track), [])) for track in range(n_tracks)]
    return GenerationRequest(tracks=prompts, config=InferenceConfig(**config))


class _Silent:
    """A model that takes no time: all tokens are equally likely."""

    def __init__(self, vocab_size: int, max_context: int) -> None:
        import torch

        self._vocab_size, self._max_context = vocab_size, max_context
        self._flat = torch.zeros(1, max_context, vocab_size)
        self._weight = torch.nn.Parameter(torch.zeros(1))

    def __call__(self, ids: Any, past: Any, key_mask: Any = None, position_ids: Any = None) -> Any:
        rows, n = ids.shape
        return self._flat[:, :n].expand(rows, -1, -1), (past or 0) + n

    def parameters(self) -> Any:
        return iter([self._weight])

    def make_empty_kv(self) -> int:
        return 0

    def kv_length(self, past: Any) -> int:
        return past or 0

    def max_context(self) -> int:
        return self._max_context


@lru_cache(maxsize=4)
def _silent_engine(checkpoint: str) -> Any:
    from midigpt.inference import InferenceEngine

    real = _engine(checkpoint)
    model = _Silent(real._tokenizer.vocab_size(), real._model.max_context())
    return InferenceEngine(model, real._tokenizer, real._analyzer)


# --- scores and tokens ------------------------------------------------------------------------------


def parse(*, midi: str) -> dict[str, float]:
    """Bytes of a MIDI file -> a score; then every note looked at as an object."""
    from midigpt import Score

    data = Path(midi).read_bytes()
    began = clock()
    score = Score.from_bytes(data)
    read = clock()
    notes = sum(len(bar.notes) for track in score.tracks for bar in track.bars)
    return {"read": read - began, "objects": clock() - began, "notes": notes}


def tokenise(*, midi: str, checkpoint: str) -> dict[str, float]:
    """A score -> tokens, attributes left out."""
    tokenizer, score = _engine(checkpoint)._tokenizer, _score(midi)
    began = clock()
    tokens = tokenizer.encode(score, None, False)
    return {"tokenise": clock() - began, "tokens": len(tokens)}


def attributes(*, midi: str, checkpoint: str) -> dict[str, float]:
    """All track attributes of a score."""
    analyzer, score = _engine(checkpoint)._analyzer, _score(midi)
    began = clock()
    for track in range(len(score.tracks)):
        analyzer.compute_track_tokens(score, track)
    return {"attributes": clock() - began}


# --- the network ------------------------------------------------------------------------------------


def prefill(*, checkpoint: str, tokens: int) -> dict[str, float]:
    """A prompt through the network."""
    import numpy as np
    import torch

    engine = _engine(checkpoint)
    ids = np.random.default_rng(0).integers(0, engine._tokenizer.vocab_size(), (1, tokens))
    began = clock()
    with torch.inference_mode():
        logits, _ = engine._model(torch.from_numpy(ids), None)
        logits[0, -1].numpy()
    return {"prefill": clock() - began}


def decode(*, checkpoint: str, context: int, rows: int, steps: int) -> dict[str, float]:
    """Single tokens through the network after a prompt, a number of sequences at once."""
    import numpy as np
    import torch

    engine = _engine(checkpoint)
    rng, size = np.random.default_rng(0), engine._tokenizer.vocab_size()
    with torch.inference_mode():
        _, past = engine._model(torch.from_numpy(rng.integers(0, size, (1, context))), None)
        past = tuple(
            (k.expand(rows, -1, -1, -1).contiguous(), v.expand(rows, -1, -1, -1).contiguous())
            for k, v in past
        )
        ids = torch.from_numpy(rng.integers(0, size, (steps, rows, 1)))
        _, past = engine._model(ids[0], past)
        began = clock()
        for i in range(1, steps):
            logits, past = engine._model(ids[i], past)
            logits[:, -1].numpy()
    return {"per token": (clock() - began) / (steps - 1) / rows}


# --- the engine -------------------------------------------------------------------------------------


class _StopAfter:
    """Stands in for a cancel event: it is asked before every token, and says yes the second time."""

    def __init__(self) -> None:
        self.asked: list[float] = []

    def is_set(self) -> bool:
        self.asked.append(clock())
        return len(self.asked) > 1


def first_token(
    *, checkpoint: str, midi: str, bars: dict[str, list[int]], config: dict[str, Any]
) -> dict[str, float]:
    """From the call of `session()` to the first token drawn; the run is then cancelled."""
    from midigpt.inference import GenerationCancelled

    engine, score = _engine(checkpoint), _score(midi)
    request = _request(bars, config, len(score.tracks))
    began = clock()
    session = engine.session(score, request)
    planned = clock()
    session.cancel_event = stop = _StopAfter()
    with suppress(GenerationCancelled):
        session.run()
    told = stop.asked[1]
    return {"session": planned - began, "run": told - planned, "first token": told - began}


def infill(
    *, checkpoint: str, midi: str, bars: dict[str, list[int]], config: dict[str, Any]
) -> dict[str, float]:
    """A whole request: `session()` and `run()`."""
    engine, score = _engine(checkpoint), _score(midi)
    request = _request(bars, config, len(score.tracks))
    began = clock()
    session = engine.session(score, request)
    session.run()
    seconds = clock() - began
    return {"infill": seconds, "per token": seconds / session.gen_count, "tokens": session.gen_count}


def takes(
    *, checkpoint: str, midi: str, bars: dict[str, list[int]], config: dict[str, Any]
) -> dict[str, float]:
    """`run_variations()`: several results of one request."""
    engine, score = _engine(checkpoint), _score(midi)
    session = engine.session(score, _request(bars, config, len(score.tracks)))
    began = clock()
    results = session.run_variations()
    seconds = clock() - began
    tokens = sum(result["gen_count"] for result in results)
    return {"takes": seconds, "per take": seconds / len(results), "per token": seconds / tokens}


def outside(
    *, checkpoint: str, midi: str, bars: dict[str, list[int]], config: dict[str, Any]
) -> dict[str, float]:
    """Everything but the network: a request run with a model that takes no time."""
    engine, score = _silent_engine(checkpoint), _score(midi)
    request = _request(bars, config, len(score.tracks))
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
    importlib.import_module("midigpt")
    light = clock()
    importlib.import_module("midigpt.inference")
    importlib.import_module("torch")

    return {"package": light - began, "with torch": clock() - began}
