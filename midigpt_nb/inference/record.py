"""The exact request beside its result, so that the result can be made again.

A record is plain data (JSON): the request with all settings, the seed, the versions, and fingerprints of the
model and of the score it started from.
"""

from __future__ import annotations

import platform
from collections.abc import Mapping
from dataclasses import asdict
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from midigpt_nb.errors import Place, Problem, RequestValidationError
from midigpt_nb.inference.request import GenerationRequest
from midigpt_nb.inference.tidy import plain

if TYPE_CHECKING:
    from midigpt_nb.inference.engine import InferenceEngine
    from midigpt_nb.inference.session import SamplingSession
    from midigpt_nb.score.model import Score

__all__ = ["RECORD_FORMAT", "make_record", "replay", "session_of_record"]

RECORD_FORMAT = "midigpt-nb generation 1"


def make_record(
    engine: InferenceEngine,
    score: Score,
    request: GenerationRequest,
    *,
    seed: int,
    choice_seed: int,
    result: Score | None = None,
    status: str = "",
) -> dict[str, Any]:
    """Everything that is needed to make a result again. `choice_seed` chose the bars and their order."""
    asked = plain(asdict(request))
    asked["config"]["seed"] = seed
    return {
        "format": RECORD_FORMAT,
        "request": asked,
        "seed": seed,
        "choice_seed": choice_seed,
        "model": {"name": engine.name, "fingerprint": engine.backend.fingerprint()},
        "score_hash": score.hash(),
        "result_hash": None if result is None else result.hash(),
        "status": status,
        "versions": dict(_versions()),
    }


@cache  # a file is read for it
def _versions() -> Mapping[str, str]:
    from midigpt_nb import __version__

    found = {"midigpt_nb": __version__, "python": platform.python_version(), "numpy": np.__version__}
    try:
        from importlib.metadata import version

        found["torch"] = version("torch")
    except ImportError:
        pass
    return found


def session_of_record(record: Mapping[str, Any], score: Score, engine: InferenceEngine) -> SamplingSession:
    """A session that will do what the recorded one did. Raises `RequestValidationError` when the record is
    of another score or model, or no record.
    """
    from midigpt_nb.inference.session import SamplingSession

    problems = []
    if not isinstance(record, Mapping) or record.get("format") != RECORD_FORMAT:
        given = record.get("format") if isinstance(record, Mapping) else record
        problems.append(
            Problem(Place("record").field("format"), given, "is not a record of a generation", RECORD_FORMAT)
        )
        raise RequestValidationError(problems)
    if record["score_hash"] != score.hash():
        hint = "replay it on the score as it was before the generation"
        problems.append(
            Problem(
                Place("record").field("score_hash"),
                record["score_hash"],
                "is another score",
                score.hash(),
                hint,
            )
        )
    own = engine.backend.fingerprint()
    given = record["model"]["fingerprint"]
    if given != own:
        hint = f"load the model {record['model']['name']!r} as it was then"
        problems.append(
            Problem(Place("record").field("model").field("fingerprint"), given, "is another model", own, hint)
        )
    if problems:
        raise RequestValidationError(problems)
    request = GenerationRequest.from_dict(record["request"])
    return SamplingSession(engine, score, request, choice_seed=int(record["choice_seed"]))


def replay(record: Mapping[str, Any], score: Score, engine: InferenceEngine) -> Score:
    """Make the result of a record again, from the same score and the same model.

    >>> again = replay(record, score, engine)
    >>> again.hash() == record["result_hash"]
    True
    """
    return session_of_record(record, score, engine).run()
