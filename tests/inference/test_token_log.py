"""The token log: what else could have stood there."""

from __future__ import annotations

import json

import numpy as np
import pytest

from midigpt_nb.inference import TrackPrompt
from midigpt_nb.inference.session import TokenLog, TokenLogger

from .asking import request


def logged(engine, score, log, **config):
    session = engine.session(score, request(TrackPrompt(0, [2, 3]), model_dim=8, **config))
    session.token_logger = log
    session.run()
    return session


def test_every_token_is_logged_with_its_alternatives(engine, score):
    log = TokenLog()
    session = logged(engine, score, log)
    kept = session._main.progress.kept
    assert [r["tid"] for r in log.tokens] == [*kept[0], *kept[1]]
    scored = [p for step in (0, 1) for p in session.score_from_tokens(kept[step], step)["log_probs"]]
    np.testing.assert_allclose([np.log(r["p"]) for r in log.tokens], scored, atol=1e-3)
    for row in log.tokens:
        likely = [other["p"] for other in row["top5"]]
        assert likely == sorted(likely, reverse=True) and len(likely) == min(5, row["n_legal"])
        assert 0 <= row["H_bits"] <= np.log2(row["n_legal"]) + 1e-9 and row["p"] <= likely[0] + 1e-12
        assert row["tt"] in row["legal_tt"] and row["n_legal_tt"] == len(row["legal_tt"])
    assert [r["pos"] for r in log.tokens] == list(range(len(log.tokens)))


def test_logging_changes_nothing(engine, score):
    plain = engine.session(score, request(TrackPrompt(0, [2, 3]), model_dim=8)).run()
    assert logged(engine, score, TokenLog())._result.hash() == plain.hash()


def test_k9_a_logger_writes_the_records_of_the_reference_as_json_lines(engine, score, tmp_path):
    path = tmp_path / "deep" / "down" / "tokens.jsonl"
    with TokenLogger(path) as log:
        logged(engine, score, log)
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    kinds = {kind: [r for r in rows if r["rec"] == kind] for kind in {r["rec"] for r in rows}}
    assert set(kinds) >= {"ctx_bar", "token", "step_summary", "bar"}
    assert {"step", "pos", "tid", "tt", "tv", "H_bits", "n_legal", "n_legal_tt", "legal_tt", "top5"} <= set(
        kinds["token"][0]
    )
    first, second = kinds["step_summary"]
    assert set(first) == {
        "rec", "step", "context_len", "max_gen_tokens", "n_gen_tracks", "gen_track_ids", "ctx_track_ids",
        "use_velocity", "tokens_generated", "grammar_collapses", "token_type_counts",
    }  # fmt: skip
    assert (first["step"], second["step"]) == (0, 1) and first["gen_track_ids"] == [0]
    assert first["tokens_generated"] == sum(r["step"] == 0 for r in kinds["token"])
    assert sum(first["token_type_counts"].values()) == first["tokens_generated"]
    assert [r["step"] for r in kinds["bar"]] == [1, 2] and kinds["bar"][0]["n_notes"] > 0
    header, *bars = [r for r in kinds["ctx_bar"] if r["step"] == 0]
    assert header["track"] == -1 and header["tokens"][0]["tt"] == "PieceStart"
    assert {(r["track"], r["bar"]) for r in bars} >= {(t, b) for t in range(3) for b in range(-1, 8)}


def test_the_step_of_a_log_goes_on_over_attempts(engine, score, monkeypatch):
    from .asking import refuse

    refuse(monkeypatch)
    log = TokenLog()
    with pytest.raises(RuntimeError):
        logged(engine, score, log, max_attempts=2)
    assert {r["step"] for r in log.tokens} == {0}
