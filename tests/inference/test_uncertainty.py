"""K5: how sure the model was of each note, from the distributions its tokens were drawn from."""

from __future__ import annotations

import numpy as np
import pytest

from midigpt_nb.inference import TrackPrompt
from midigpt_nb.inference.token_log import TokenLog
from midigpt_nb.inference.uncertainty import NoteDoubt, Uncertainty

from .asking import request


def watched(engine, score, asked, log=None):
    session = engine.session(score, asked)
    session.watch_uncertainty, session.token_logger = True, log
    return session, session.run()


def rows_of(score, cells):
    """(track, bar, onset, pitch) of every note of some bars."""
    found = []
    for track, bar in cells:
        first, last = score.table.note_rows(track, bar)
        found += [(track, bar, int(o), int(p)) for o, p in score.table.notes[first:last, [0, 2]]]
    return found


def test_k5_every_written_note_has_its_figures_and_nothing_else_changes(engine, score):
    asked = request(TrackPrompt(0, [2, 3]), TrackPrompt(2, [5]))
    session, result = watched(engine, score, asked)
    doubts = session.uncertainty
    keys = zip(doubts.track, doubts.bar, doubts.onset_ticks, doubts.pitch, strict=True)
    assert sorted(map(tuple, (map(int, key) for key in keys))) == sorted(
        rows_of(result, [(0, 2), (0, 3), (2, 5)])
    )
    assert (doubts.pitch_bits >= 0).all() and np.isfinite(doubts.pitch_bits).all()
    assert np.isnan(doubts.duration_bits[doubts.track == 2]).all(), "drums have no lengths"
    assert np.isfinite(doubts.duration_bits[doubts.track == 0]).all()
    plain = engine.session(score, asked)
    assert plain.run().hash() == result.hash() and plain.uncertainty is None


def test_k5_bits_are_those_of_equally_likely_values(scripted, score):
    session, _ = watched(scripted(), score, request(TrackPrompt(0, [2]), TrackPrompt(1, [2], controls={
        "pitch_mask": {"pitches": [60, 62, 64, 65]}})))  # fmt: skip
    doubts = session.uncertainty
    assert np.allclose(doubts.pitch_bits[doubts.track == 0], np.log2(128), atol=1e-4)
    some = doubts.track == 1
    assert np.allclose(doubts.pitch_bits[some], 2, atol=1e-4)
    assert set(doubts.alternatives[some].ravel().tolist()) == {60, 62, 64, 65, -1}
    assert np.allclose(doubts.shares[some][:, :4], 0.25, atol=1e-5)


def test_k5_lengths_agree_with_the_token_log(engine, score):
    """Where only lengths are legal, the log's entropy over all legal tokens is that of the length."""
    log = TokenLog()
    session, _ = watched(engine, score, request(TrackPrompt(0, [2])), log)
    logged = [r["H_bits"] for r in log.tokens if r["tt"] == "NoteDuration" and r["n_legal_tt"] == 1]
    assert logged and np.allclose(sorted(session.uncertainty.duration_bits), sorted(logged), atol=1e-4)


def test_k5_the_likeliest_pitch_comes_first_and_shares_are_shares(engine, score):
    doubts = watched(engine, score, request(TrackPrompt(0, [2, 3])))[0].uncertainty
    assert (np.diff(doubts.shares, axis=1) <= 1e-7).all() and (doubts.shares.sum(axis=1) <= 1 + 1e-5).all()
    note = next(iter(doubts))
    assert note["alternatives"][0][0] == doubts.alternatives[0, 0] and "pitch_bits" in note
    assert repr(doubts).startswith(f"Uncertainty({len(doubts)} notes, pitch ")


@pytest.mark.parametrize("adherence", ["best", "strict"])
def test_k5_figures_are_those_of_the_notes_that_were_kept(engine, score, adherence):
    asked = request(
        TrackPrompt(0, [2], bar_attributes={2: {"note_density": 2}}), adherence=adherence, max_attempts=2
    )
    session, result = watched(engine, score, asked)
    columns = [getattr(session.uncertainty, n).tolist() for n in ("track", "bar", "onset_ticks", "pitch")]
    keys = set(zip(*columns, strict=True))
    assert keys == set(rows_of(result, [(0, 2)]))


def test_k5_takes_have_their_own(engine, score):
    session = engine.session(score, request(TrackPrompt(0, [2])))
    session.watch_uncertainty = True
    for take in session.takes(3):
        assert take.uncertainty.pitch.tolist() == [p for *_, p in rows_of(take.score, [(0, 2)])]
    assert engine.session(score, request(TrackPrompt(0, [2]))).takes(1).best.uncertainty is None


def test_k5_nobody_is_asked_while_it_is_off(engine, score, monkeypatch):
    from midigpt_nb.inference import step

    seen = []
    original = step.StepRunner._row

    def spy(self, *args):
        row = original(self, *args)
        seen.append(row.watch)
        return row

    monkeypatch.setattr(step.StepRunner, "_row", spy)
    engine.session(score, request(TrackPrompt(0, [2]))).run()
    assert seen == [None]


def test_k5_an_empty_result_has_no_figures(scripted, score):
    session = scripted().session(score, request(TrackPrompt(0, [2]), max_tokens=2))
    session.watch_uncertainty = True
    session.run(on_failure="partial")
    assert len(session.uncertainty) == 0 and repr(session.uncertainty) == "Uncertainty(no notes)"


@pytest.mark.filterwarnings("error")
def test_k5_odd_figures_have_words_too():
    """No notes, notes without a pitch token of their own, logits that say nothing."""
    assert repr(Uncertainty({}, [])) == "Uncertainty(no notes)" and list(Uncertainty({}, [])) == []
    bare = Uncertainty({(0, 1): [NoteDoubt(0, 60, (None, None, None, None))]}, [60])
    assert repr(bare) == "Uncertainty(1 notes, pitch unknown)" and np.isnan(bare.bits).all()
    for logits in ([np.nan, 0.0], [np.inf, 0.0], [-np.inf, -np.inf]):
        raw = (1, np.array(logits, np.float32), np.array([0, 1]))
        (row,) = Uncertainty({(0, 1): [NoteDoubt(0, 60, (None, raw, None, None))]}, [60, 61])
        assert row["pitch_bits"] == 1.0 and row["alternatives"] == [(60, 0.5), (61, 0.5)]
