"""Every token with what else could have stood there: for looking over the model's shoulder.

`TokenLog` gathers records in memory, `TokenLogger(path)` writes them as JSON lines. Set one as
`session.token_logger` before a run. Kinds of records (`rec`): ``ctx_bar`` (a bar of the prompt), ``token``
(one written token: entropy of the legal distribution at temperature 1 in bits, how many tokens were legal,
the five likeliest), ``grammar_collapse`` (only one token was legal), ``bar`` (a written bar in numbers),
``step_summary``. `tt` and `tv` are a token's type and value.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from midigpt_nb.inference.filters import softmax

if TYPE_CHECKING:
    from midigpt_nb.inference.prompt import Prompt, StepPlan
    from midigpt_nb.inference.symbols import Symbols

__all__ = ["TokenLog", "TokenLogger"]

TOP = 5
_SHOWN = 16  # pitches and onsets of a bar record
Record = dict[str, Any]


class TokenLog:
    """Records of a run, in memory: ``session.token_logger = log = TokenLog()``; then `log.records`.

    >>> log = TokenLog()
    >>> log.write({"rec": "token"}); log.tokens
    [{'rec': 'token'}]
    """

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.step = 0
        self._pos = 0

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._pos} tokens in {self.step} steps)"

    def write(self, record: Record) -> None:
        """Take one record."""
        self.records.append(record)

    def close(self) -> None:
        """Nothing more will come."""

    @property
    def tokens(self) -> list[Record]:
        """The records of written tokens."""
        return [record for record in self.records if record["rec"] == "token"]

    # --- called by the session ------------------------------------------------------------------------

    def begin(self, step: StepPlan, prompt: Prompt, symbols: Symbols) -> None:
        """A step begins: its context, bar by bar."""
        self._symbols = symbols
        track, bar = -1, -1
        tokens: list[Record] = []
        for token in prompt.tokens.tolist():
            kind = symbols.types[token]
            if kind == symbols.Track or kind == symbols.Bar:
                self._context(track, bar, tokens)
                tokens = []
                track, bar = (track + 1, -1) if kind == symbols.Track else (track, bar + 1)
            tokens.append(_named(symbols, token))
        self._context(track, bar, tokens)

    def _context(self, track: int, bar: int, tokens: list[Record]) -> None:
        if tokens:
            self.write({"rec": "ctx_bar", "step": self.step, "track": track, "bar": bar, "tokens": tokens})

    def watch(self, symbols: Symbols) -> Callable[[NDArray[np.intp], NDArray[np.floating] | None, int], None]:
        """What a row calls for every token: legal ids, their logits (None for a forced one), the token."""

        def token_written(legal: NDArray[np.intp], logits: NDArray[np.floating] | None, token: int) -> None:
            q = np.ones(1) if logits is None else softmax(logits)
            self.write(self._token(symbols, legal, q, token))
            if len(legal) == 1:
                self.write({"rec": "grammar_collapse", "step": self.step, "pos": self._pos, "n_legal": 1})
            self._pos += 1

        return token_written

    def _token(self, symbols: Symbols, legal: NDArray[np.intp], q: NDArray[np.float64], token: int) -> Record:
        likely = np.argsort(-q, kind="stable")[:TOP]
        kinds = sorted({symbols.type_name(int(i)) for i in legal})
        return {
            "rec": "token",
            "step": self.step,
            "pos": self._pos,
            "tid": token,
            **_named(symbols, token),
            "p": float(q[np.searchsorted(legal, token)]),
            "H_bits": float(-(q[q > 0] * np.log2(q[q > 0])).sum()),
            "n_legal": len(legal),
            "n_legal_tt": len(kinds),
            "legal_tt": kinds,
            "top5": [{**_named(symbols, int(legal[i])), "p": float(q[i])} for i in likely],
        }

    def end(
        self, step: StepPlan, prompt: Prompt, tokens: list[int], blocks: list[Any], max_context: int
    ) -> None:
        """A step was accepted: its summary, then its bars."""
        kinds = Counter(self._symbols.type_name(token) for token in tokens)
        named = [(self._symbols.type_name(token), self._symbols.values[token]) for token in prompt.tokens]
        muted = ("UseVelocity", 0) in named
        collapses = sum(r["rec"] == "grammar_collapse" and r["step"] == self.step for r in self.records)
        self.write(
            {
                "rec": "step_summary",
                "step": self.step,
                "context_len": prompt.length,
                "max_gen_tokens": max_context - prompt.length - 1,
                "n_gen_tracks": len(step.targets),
                "gen_track_ids": sorted(step.targets),
                "ctx_track_ids": list(prompt.context_tracks),
                "use_velocity": not muted,
                "tokens_generated": len(tokens),
                "grammar_collapses": collapses,
                "token_type_counts": dict(kinds),
            }
        )
        self.step += 1
        for block in blocks:
            onsets = [note.onset for note in block.notes]
            at_0 = sum(onset == 0 for onset in onsets)
            self.write(
                {
                    "rec": "bar",
                    "step": self.step,
                    "track": block.track,
                    "bar": block.bar,
                    "generated": True,
                    "n_notes": len(onsets),
                    "onset_spq": onsets[:_SHOWN],
                    "unique_onsets": len(set(onsets)),
                    "pct_at_0": 100.0 * at_0 / len(onsets) if onsets else 0.0,
                    "pitches": [note.pitch for note in block.notes][:_SHOWN],
                }
            )


class TokenLogger(TokenLog):
    """Writes the records to a file, one JSON object per line; makes the folders above it."""

    def __init__(self, path: str | Path) -> None:
        super().__init__()
        self.path = Path(path)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._file = self.path.open("w", encoding="utf-8")

    def write(self, record: Record) -> None:
        """Write one record."""
        if record["rec"] == "grammar_collapse":
            self.records.append(record)  # the summary counts them
        self._file.write(json.dumps(record) + "\n")

    def close(self) -> None:
        """Finish the file."""
        self._file.close()

    def __enter__(self) -> TokenLogger:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _named(symbols: Symbols, token: int) -> Record:
    return {"tt": symbols.type_name(token), "tv": symbols.values[token]}
