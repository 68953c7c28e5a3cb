"""A loaded model with its tokenizer and attributes: makes sessions, and is never changed by them."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from midigpt_nb.errors import CheckpointError
from midigpt_nb.inference.backends.base import Backend, load_backend
from midigpt_nb.inference.checkpoint import checkpoint_exists, read_checkpoint
from midigpt_nb.inference.controls import CONTROLS
from midigpt_nb.inference.masking import MASK_MODES
from midigpt_nb.inference.piece import Piece
from midigpt_nb.inference.suggest import suggestion
from midigpt_nb.inference.symbols import Symbols
from midigpt_nb.tokenizer import Tokenizer

if TYPE_CHECKING:
    from midigpt_nb.attributes import AttributeAnalyzer
    from midigpt_nb.inference.request import GenerationRequest
    from midigpt_nb.inference.session import SamplingSession
    from midigpt_nb.score.model import Score

__all__ = ["BUNDLED", "EngineLimits", "InferenceEngine"]

_DATA = Path(__file__).resolve().parent.parent / "data"
BUNDLED: dict[str, Path] = {"pocket": _DATA / "pocket" / "pocket.safetensors"}
ALIASES: dict[str, str] = {"ghost": "pocket"}
# Published by others under their own licence; not part of this package.
_ELSEWHERE = (
    "yellow",
    "yellow_small",
    "yellow_medium",
    "prism",
    "prism_medium",
    "expressive",
    "expressive_medium",
)
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

    >>> engine = InferenceEngine.from_pretrained()      # doctest: +SKIP
    >>> engine.session(score, request).run()            # doctest: +SKIP
    """

    def __init__(self, backend: Backend, tokenizer: Tokenizer, *, name: str = "engine") -> None:
        """Put an engine together from its parts. Raises `CheckpointError` when model and vocabulary differ
        in size.
        """
        if backend.vocab_size != tokenizer.vocab.size:
            raise CheckpointError(
                f"the model has {backend.vocab_size} tokens, "
                f"its encoder configuration describes {tokenizer.vocab.size}"
            )
        self.name = name
        self.backend = backend
        self.tokenizer = tokenizer
        self.symbols = Symbols(tokenizer.vocab, tokenizer.analyzer)
        self._metres = [(int(n), int(d)) for n, d in tokenizer.config.time_signatures]
        self.limits = self._limits()
        self.end_tokens: Mapping[bool, int] = self._end_tokens()

    @classmethod
    def from_pretrained(
        cls, name: str = "pocket", *, device: str | None = None, dtype: str | None = None
    ) -> InferenceEngine:
        """The bundled model. `"ghost"` means it, too, since weights of that name were never published.

        Raises `CheckpointError` for names that are not part of this package, saying what to do instead.
        """
        if name in ALIASES:
            _tell_once(
                name,
                f"no weights named {name!r} were ever published; this is the bundled model {ALIASES[name]!r}",
            )
            name = ALIASES[name]
        if name in BUNDLED:
            if not checkpoint_exists(BUNDLED[name]):
                raise CheckpointError(
                    f"the weights of {name!r} are not in this installation ({BUNDLED[name].name} is missing)"
                )
            return cls.from_checkpoint(BUNDLED[name], device=device, dtype=dtype, name=name)
        if name in _ELSEWHERE:
            raise CheckpointError(
                f"{name!r} is not bundled: it has its own licence. Download its .safetensors file and use "
                "InferenceEngine.from_checkpoint(path), or use from_pretrained('pocket')"
            )
        hint = suggestion(name, [*BUNDLED, *ALIASES])
        raise CheckpointError(
            f"there is no model named {name!r}; {hint}; for a file use InferenceEngine.from_checkpoint(path)"
        )

    @classmethod
    def from_checkpoint(
        cls,
        path: str | Path,
        device: str | None = None,
        dtype: str | None = None,
        *,
        analyzer: AttributeAnalyzer | None = None,
        name: str | None = None,
    ) -> InferenceEngine:
        """Load a `.safetensors` (format 2) or `.pt` (format 1) file. `device`: None is the CPU, "auto" the
        fastest present.
        """
        checkpoint = read_checkpoint(path)
        try:
            tokenizer = Tokenizer(checkpoint.encoder_config, analyzer)
        except CheckpointError:
            raise
        except (LookupError, TypeError, ValueError, ArithmeticError, AttributeError) as error:
            raise CheckpointError(
                f"{Path(path).name}: its encoder configuration is not usable: {error}"
            ) from error
        engine = cls(load_backend(checkpoint, device, dtype), tokenizer, name=name or Path(path).stem)
        engine.warmup()
        return engine

    @property
    def attributes(self) -> AttributeAnalyzer:
        """The attributes this model knows: sizes, levels, labels, values of a score."""
        return self.tokenizer.analyzer

    def warmup(self) -> None:
        """Run the model once, so that the first session does not pay for it."""
        decoding = self.backend.start(1)
        decoding.logits(np.zeros((1, 2), dtype=np.int64), np.arange(2))
        decoding.logits(np.zeros((1, 1), dtype=np.int64), np.array([2]))

    def session(self, score: Score, request: GenerationRequest) -> SamplingSession:
        """Check a request and plan it; nothing is generated yet. Raises `RequestValidationError` with
        every problem.
        """
        from midigpt_nb.inference.session import SamplingSession

        return SamplingSession(self, score, request)

    def piece(self, table: Any, *, min_bars: int) -> Piece:
        """A score's table together with the same music on the model's grid."""
        return Piece.of(
            table, self.tokenizer.vocab, self.limits.resolution, self.limits.time_signatures, min_bars
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
            controls=tuple(c.name for c in CONTROLS.values() if c.check is not None),
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


def _tell_once(key: str, text: str) -> None:
    if key not in _told:
        _told.add(key)
        warnings.warn(text, UserWarning, stacklevel=3)
