"""Records: the exact request beside its result."""

from __future__ import annotations

import json

import pytest

from midigpt_nb.errors import RequestValidationError
from midigpt_nb.inference import InferenceEngine, TrackPrompt
from midigpt_nb.inference.record import replay

from .asking import request
from .conftest import make_score, write_tiny_checkpoint


def stored(session, take=None):
    """A record that went through a file."""
    return json.loads(json.dumps(session.record(take)))


@pytest.mark.parametrize(
    "asked",
    [
        pytest.param(request(TrackPrompt(0, [2, 3]), seed=-1), id="unseeded"),
        pytest.param(
            request(TrackPrompt(0, list(range(8))), shuffle=True, infill_probability=0.5), id="chosen bars"
        ),
        pytest.param(
            request(
                TrackPrompt(0, [2], bar_attributes={2: {"note_density": 3}}),
                TrackPrompt(1, [7], autoregressive=True),
                adherence="best",
            ),
            id="best of eight",
        ),
    ],
)
def test_u14_a_stored_run_is_made_again(checkpoint_path, engine, score, asked):
    session = engine.session(score, asked)
    result = session.run()
    record = stored(session)
    assert record["result_hash"] == result.hash() and record["status"] == "done"
    assert record["seed"] == session.resolved_seed and "torch" in record["versions"]
    fresh = InferenceEngine.from_checkpoint(checkpoint_path)
    assert replay(record, score, fresh).hash() == result.hash()


def test_u14_a_stored_take_is_made_again(engine, score):
    session = engine.session(score, request(TrackPrompt(0, [1, 2, 3]), shuffle=True, infill_probability=0.7))
    for take in session.takes(3):
        assert replay(stored(session, take), score, engine).hash() == take.score.hash()


def test_a_record_of_something_else_is_refused(engine, score, tmp_path):
    session = engine.session(score, request(TrackPrompt(0, [2])))
    session.run()
    record = stored(session)
    with pytest.raises(RequestValidationError, match="is another score") as caught:
        replay(record, make_score(seed=5), engine)
    assert [p.path for p in caught.value.problems] == ["record.score_hash"]
    other = InferenceEngine.from_checkpoint(write_tiny_checkpoint(tmp_path / "other.safetensors", seed=9))
    with pytest.raises(RequestValidationError, match="is another model"):
        replay(record, score, other)
    for broken in ({"format": "?"}, [], {**record, "request": {"trakcs": []}}):
        with pytest.raises(RequestValidationError):
            replay(broken, score, engine)


def test_a_record_before_any_run_has_no_result(engine, score):
    record = stored(engine.session(score, request(TrackPrompt(0, [2]))))
    assert record["result_hash"] is None and replay(record, score, engine).n_notes > 0
