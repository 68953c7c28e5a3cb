"""Random hostile input through every door of the Python surface: an error in words, and quickly."""

from __future__ import annotations

import resource
import time
from collections import Counter

import pytest

from .hostile import KINDS, cases, outcome

pytest.importorskip("torch")


def test_random_input_is_accepted_or_refused_in_words(engine, tmp_path):
    """Some hundreds of the cases that were run by the hundred thousand."""
    seen: Counter[tuple[str, str]] = Counter()
    slowest = 0.0
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for case in cases(1, 700, engine, tmp_path):
        began = time.process_time()
        seen[case.kind, outcome(case)] += 1
        slowest = max(slowest, time.process_time() - began)
    assert slowest < 3
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    assert grown < 300, f"{grown:.0f} MiB"
    for kind in KINDS:  # each door lets something in and refuses something
        results = {result for (door, result), n in seen.items() if door == kind}
        assert results - {"accepted"}, kind
    assert sum(n for (_, result), n in seen.items() if result == "accepted") > 50


def test_what_is_refused_is_named(engine):
    """The message of a refused request says where, what was given, and what may be given."""
    from midigpt_nb.errors import RequestValidationError
    from midigpt_nb.inference import GenerationRequest

    data = {"tracks": [{"id": 0, "bars": [4], "attributes": {"max_polyphony": 99}}], "config": {"top_p": 7}}
    from .conftest import make_score

    with pytest.raises(RequestValidationError) as caught:
        engine.session(make_score(2, 8), GenerationRequest.from_dict(data))
    paths = {problem.path for problem in caught.value.problems}
    assert paths == {"tracks[0].attributes['max_polyphony']", "config.top_p"}
    assert all(problem.allowed for problem in caught.value.problems)
