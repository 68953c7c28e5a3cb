"""A loaded model with its tokenizer and attributes: makes sessions, and is never changed by them."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from midigpt_nb.errors import CheckpointError, CheckpointNotFound, GenerationError
from midigpt_nb.inference.backends.base import Backend, load_backend
from midigpt_nb.inference.checkpoint import Checkpoint, ModelSource, checkpoint_exists, read_checkpoint
from midigpt_nb.inference.controls import available_controls, model_facts
from midigpt_nb.inference.masking import MASK_MODES
from midigpt_nb.inference.models import PUBLISHED_REPO, Known, known_model
from midigpt_nb.inference.piece import Piece
from midigpt_nb.inference.prompt_cache import PromptCache
from midigpt_nb.inference.symbols import Symbols
from midigpt_nb.tokenizer import Tokenizer

if TYPE_CHECKING:
    from midigpt_nb.attributes import AttributeAnalyzer
    from midigpt_nb.inference.request import GenerationRequest
    from midigpt_nb.inference.session import SamplingSession
    from midigpt_nb.score.model import Score

__all__ = ["EngineLimits", "InferenceEngine"]

_told: set[str] = set()


@dataclass(frozen=True)
class EngineLimits:
    """What this model can do: context length in tokens, window widths in bars, metres, grid, modes,
    controls.
    """

    max_context: int
    vocab_size: int
    window_bars: tuple[int, ...]
    time_signatures: tuple[tuple[int, int], ...]
    resolution: int
    pitch_range: tuple[int, int]
    mask_modes: tuple[str, ...]
    controls: tuple[str, ...]
    infill: bool


class InferenceEngine:
    """A model ready to write. Immutable; any number of sessions, from any threads, may use it at once.

    >>> engine = InferenceEngine.from_pretrained()
    >>> engine.session(score, request).run()
    Score(4 tracks, 16 bars, ...)
    """

    def __init__(
        self,
        backend: Backend | None = None,
        tokenizer: Tokenizer | None = None,
        analyzer: AttributeAnalyzer | None = None,
        *,
        name: str = "engine",
        source: ModelSource | None = None,
    ) -> None:
        """Put an engine together from its parts, both needed. `analyzer` replaces the tokenizer's own. Raises
        `CheckpointError` when model and vocabulary differ in size.
        """
        if backend is None or tokenizer is None:
            raise TypeError(
                "an engine needs a model and its tokenizer; InferenceEngine.from_pretrained() loads the "
                "bundled one, from_pretrained('yellow') a published one, from_checkpoint(path) one in a file"
            )
        if analyzer is not None and analyzer is not tokenizer.analyzer:
            tokenizer = Tokenizer(tokenizer.config, analyzer)
        _require_one_vocabulary(backend.vocab_size, tokenizer)
        self.name = name
        self.source = source if source is not None else ModelSource(name)
        self.backend = backend
        self.prompt_cache = PromptCache()
        self.tokenizer = tokenizer
        self.symbols = Symbols(tokenizer.vocab, tokenizer.analyzer)
        self._metres = [(int(n), int(d)) for n, d in tokenizer.config.time_signatures]
        self.limits = self._limits()
        self.end_tokens: Mapping[bool, int] = self._end_tokens()

    @classmethod
    def from_pretrained(
        cls,
        name: str = "pocket",
        hf_repo: str | None = None,
        analyzer: AttributeAnalyzer | None = None,
        device: str | None = None,
        token: str | bool | None = None,
        *,
        dtype: str | None = None,
        cache_dir: str | Path | None = None,
        sha256: str | None = None,
    ) -> InferenceEngine:
        """A model by its name.

        "pocket", the bundled model, needs no network ("ghost" means it, too). "yellow", "prism" and
        "expressive" are published by others under their own licence; they are downloaded once and then found
        in the hub's cache, also without network. `hf_repo` is another repository with such files, `token` a
        hub token, `cache_dir` the cache's folder, `sha256` the checksum the file must have; `device` and
        `dtype` are as in `from_checkpoint`.

        Raises `CheckpointError` for unknown names, `HubAccessError` when the licence has to be accepted
        first, `HubError` when the file can neither be found nor fetched; each says what to do.
        """
        known = _known(name, hf_repo)
        if known.notice:
            _tell_once(name, known.notice)
        if known.file is not None:
            if not checkpoint_exists(known.file):
                raise CheckpointNotFound(
                    f"the weights of {known.name!r} are not in this installation: "
                    f"{known.file.name} is missing"
                )
            source = ModelSource.of(known.file, known.name)
        else:
            from midigpt_nb.inference.hub import fetch

            _require_torch()  # before something large is downloaded
            found = fetch(known.name, hf_repo, token=token, cache_dir=cache_dir)
            source = ModelSource.of(found.path, known.name, repo=found.repo, revision=found.revision)
        return cls._from_source(source, analyzer, device, dtype, sha256=sha256)

    @classmethod
    def from_checkpoint(
        cls,
        path: str | Path,
        analyzer: AttributeAnalyzer | None = None,
        device: str | None = None,
        *,
        dtype: str | None = None,
        name: str | None = None,
        n_head: int | None = None,
        sha256: str | None = None,
    ) -> InferenceEngine:
        """Load a `.safetensors` file (format 2), a `.pt` bundle (format 1), or a folder with `config.json`
        and a scripted `model.pt`. Nothing in a file is run.

        `device`: None is the CPU, "auto" the fastest present. `dtype`: "float32" (None), "bfloat16",
        "float16", or "auto": float32, with prompts read in bfloat16 where the processor has it. `n_head` is
        needed only for a scripted module that does not say how many heads it has. With `sha256` a file with
        another checksum is refused. Raises `CheckpointError`.
        """
        path = Path(path)
        source = ModelSource.of(path, name or path.stem)
        return cls._from_source(source, analyzer, device, dtype, n_head=n_head, sha256=sha256)

    @classmethod
    def _from_source(
        cls,
        source: ModelSource,
        analyzer: AttributeAnalyzer | None,
        device: str | None,
        dtype: str | None,
        *,
        n_head: int | None = None,
        sha256: str | None = None,
    ) -> InferenceEngine:
        assert source.path is not None
        checkpoint = read_checkpoint(source.path, n_head=n_head, sha256=sha256)
        tokenizer = _tokenizer_of(checkpoint, analyzer)
        _require_one_vocabulary(checkpoint.shape.vocab_size, tokenizer)  # before the weights are read
        engine = cls(load_backend(checkpoint, device, dtype), tokenizer, name=source.name, source=source)
        engine.warmup()
        return engine

    @property
    def attributes(self) -> AttributeAnalyzer:
        """The attributes this model knows: sizes, levels, labels, values of a score."""
        return self.tokenizer.analyzer

    def warmup(self) -> None:
        """Run the model once, so that the first session does not pay for it."""
        decoding = self.backend.start(1)
        decoding.logits([np.zeros(2, dtype=np.int64)], [np.arange(2)])
        decoding.logits([np.zeros(1, dtype=np.int64)], [np.array([2])])

    def session(self, score: Score, request: GenerationRequest) -> SamplingSession:
        """Check a request and plan it; nothing is generated yet. Raises `RequestValidationError` with
        every problem.
        """
        from midigpt_nb.inference.session import SamplingSession

        return SamplingSession(self, score, request)

    def piece(self, table: Any, *, min_bars: int) -> Piece:
        """A score's table together with the same music on the model's grid."""
        limits, microtiming = self.limits, bool(self.tokenizer.config.emit_delta_tokens)
        return Piece.of(
            table, self.tokenizer.vocab, limits.resolution, limits.time_signatures, min_bars, microtiming
        )

    def no_numbers(self) -> GenerationError:
        """What to raise when the model answers with NaN or infinity: music drawn from that would be noise."""
        file = f" ({self.source.path.name})" if self.source.path is not None else ""
        return GenerationError(
            f"the model {self.name!r}{file} cannot be used: its weights hold values that are not numbers, or "
            "that become so in computing; fetch or export the file again, load it with dtype='float32', or "
            "choose another model"
        )

    def __repr__(self) -> str:
        limits = self.limits
        return f"InferenceEngine({self.name!r}, {limits.vocab_size} tokens, context {limits.max_context})"

    def _limits(self) -> EngineLimits:
        config = self.tokenizer.config
        return EngineLimits(
            max_context=self.backend.max_context,
            vocab_size=self.backend.vocab_size,
            window_bars=tuple(sorted(int(n) for n in config.num_bars_map)),
            time_signatures=tuple(self._metres),
            resolution=int(config.resolution),
            pitch_range=(int(config.pitch_range[0]), int(config.pitch_range[1])),
            mask_modes=tuple(
                n for n, m in MASK_MODES.items() if config.supports_mask_bar_token or not m.needs_mask_bar
            ),
            controls=tuple(c.name for c in available_controls(model_facts(config))),
            infill=bool(config.supports_infill),
        )

    def _end_tokens(self) -> dict[bool, int]:
        """The token that closes a bar (True: autoregressive) or a fill block (False)."""
        s = self.symbols
        return {
            True: s.types.index(s.BarEnd),
            False: s.types.index(s.FillInEnd) if s.FillInEnd in s.types else -1,
        }

    # Names users of the reference reach for. Nothing in this repository uses them.
    @property
    def _analyzer(self) -> AttributeAnalyzer:
        return self.attributes

    @property
    def _tokenizer(self) -> Tokenizer:
        return self.tokenizer

    @property
    def _model(self) -> Backend:
        return self.backend


def _known(name: str, hf_repo: str | None) -> Known:
    """What a name means: in another repository, itself."""
    if hf_repo is None:
        return known_model(name)
    if hf_repo == PUBLISHED_REPO:
        try:
            known = known_model(name)
        except CheckpointError:
            return Known(name)
        return known if known.file is None else Known(name)
    return Known(name)


def _tokenizer_of(checkpoint: Checkpoint, analyzer: AttributeAnalyzer | None) -> Tokenizer:
    file = checkpoint.path.name if checkpoint.path is not None else "checkpoint"
    try:
        return Tokenizer(checkpoint.encoder_config, analyzer)
    except CheckpointError:
        raise
    except (LookupError, TypeError, ValueError, ArithmeticError, AttributeError) as error:
        raise CheckpointError(f"{file}: its encoder configuration is not usable: {error}") from error


def _require_torch() -> None:
    """Raises `MissingExtraError` when torch is not installed. It is not loaded here: that takes seconds."""
    if find_spec("torch") is None:
        from midigpt_nb.inference import torch_import  # noqa: F401 - raises it


def _require_one_vocabulary(n_tokens: int, tokenizer: Tokenizer) -> None:
    if n_tokens != tokenizer.vocab.size:
        raise CheckpointError(
            f"the model has {n_tokens} tokens, its encoder configuration describes {tokenizer.vocab.size}"
        )


def _tell_once(key: str, text: str) -> None:
    if key not in _told:
        _told.add(key)
        warnings.warn(text, UserWarning, stacklevel=3)
