"""Context and room: what a session leaves out, and what it does when nothing fits."""

from __future__ import annotations

import pytest

from midigpt_nb import _core
from midigpt_nb.errors import ContextOverflow, RequestValidationError
from midigpt_nb.inference import InferenceEngine, TrackPrompt
from midigpt_nb.inference import events as ev
from midigpt_nb.score.model import Bar, Note, Score, Track

from .asking import changed_cells, request
from .conftest import make_score, write_tiny_checkpoint

T = _core.TokenType


@pytest.fixture(scope="module")
def small_engine(tmp_path_factory):
    """A model that holds only 256 tokens."""
    return InferenceEngine.from_checkpoint(
        write_tiny_checkpoint(tmp_path_factory.mktemp("m") / "small.safetensors", context=256)
    )


def test_what_does_not_fit_is_left_out_by_whole_tracks(small_engine):
    score = make_score(6, 8)
    asked = request(TrackPrompt(0, [4]), model_dim=8, context_keep=[5], context_drop=[1])
    session = small_engine.session(score, asked)
    assert (
        1 in session.dropped_context and 5 not in session.dropped_context and 0 not in session.dropped_context
    )
    started = next(e for e in session.stream() if isinstance(e, ev.StepStarted))
    assert not set(started.context_tracks) & set(session.dropped_context)
    assert changed_cells(score, session.run()) == {(0, 4)}


def test_a_written_track_too_long_for_the_window_gets_a_narrower_one(small_engine):
    score = make_score(1, 16, notes_per_bar=8)
    session = small_engine.session(score, request(TrackPrompt(0, [9]), model_dim=16))
    (step,) = session.plan_summary()
    assert step["window"][1] - step["window"][0] < 16
    assert changed_cells(score, session.run()) == {(0, 9)}


def test_nothing_that_fits_is_an_error_with_the_numbers(small_engine):
    score = make_score(1, 4, notes_per_bar=80)
    session = small_engine.session(score, request(TrackPrompt(0, [1])))
    place = "step 0, which writes bar 1 of track 0 'Acoustic Grand Piano', has .* the model holds 256"
    with pytest.raises(ContextOverflow, match=place) as caught:
        session.run()
    assert (
        caught.value.limit == 256
        and caught.value.tokens > 254
        and caught.value.partial.hash() == score.hash()
    )


def test_d22_p13_a_full_context_keeps_what_was_finished_and_the_old_rest(scripted, engine):
    """The model never ends its second bar: the first is kept, the second stays as it was."""
    encode = engine.tokenizer.vocab.encode
    score = make_score(1, 4)
    end, start = encode(T.FillInEnd, 0), encode(T.FillInStart, 0)

    def script(fed):
        written = fed[fed.index(start) + 1 :]
        if end not in written:
            return [encode(T.NoteOnset, 61), encode(T.NoteDuration, 3), end][min(len(written), 2)]
        return encode(T.NoteOnset, 62) if len(written) % 2 else encode(T.NoteDuration, 3)

    session = scripted(script, max_context=200).session(
        score, request(TrackPrompt(0, [1, 2]), bars_per_step="auto", density_hard_limit=0)
    )
    result = session.run()
    assert session.truncated and changed_cells(score, result) == {(0, 1)}


def test_a_whole_piece_can_be_rewritten_though_its_tracks_never_fit_together(small_engine):
    """Every track is to be written, so none can be left out everywhere; a step leaves out those it must."""
    score = make_score(8, 4, notes_per_bar=8)
    prompts = [TrackPrompt(t, [0, 1, 2, 3]) for t in range(8)]
    session = small_engine.session(score, request(*prompts, bars_per_step="auto", density_hard_limit=8))
    events = list(session.stream())
    assert events[-1].status == "done"
    assert changed_cells(score, events[-1].score) == {(t, b) for t in range(8) for b in range(4)}
    kept = request(*prompts, bars_per_step="auto", density_hard_limit=8, context="all")
    failed = list(small_engine.session(score, kept).stream())[-1]
    assert failed.status == "failed" and isinstance(failed.error, ContextOverflow)
    assert "set context='auto'" in str(failed.error) and changed_cells(score, failed.score)


def test_silent_context_is_not_shown(engine):
    score = make_score(3, 8)
    quiet = Score([*score.tracks, Track([Bar() for _ in range(8)], instrument=40, track_type="melodic")])
    for setting, shown in (("auto", [1, 2]), ("all", [1, 2, 3])):
        session = engine.session(quiet, request(TrackPrompt(0, [2]), model_dim=8, context=setting))
        assert next(iter(session.stream())).context_tracks == shown


def test_an_unknown_metre_is_a_problem_only_where_a_window_uses_it(engine):
    bars = [Bar([Note(60, 90, 0, 100)], *((4, 4) if b else (19, 32))) for b in range(12)]
    score = Score([Track(bars)])
    with pytest.raises(
        RequestValidationError, match=r"tracks\[0\].bars\[0\].*does not know this metre.*19/32"
    ):
        engine.session(score, request(TrackPrompt(0, [1]), model_dim=4))
    result = engine.session(score, request(TrackPrompt(0, [9]), model_dim=4)).run()
    assert changed_cells(score, result) == {(0, 9)}


@pytest.mark.parametrize("window", [8, 12, 16])
def test_a_piece_shorter_than_the_window_that_was_asked_for_is_padded(engine, window):
    score = make_score(2, 6)
    prompts = TrackPrompt(0, [2]), TrackPrompt(1, autoregressive=True)
    session = engine.session(score, request(*prompts, model_dim=window))
    assert {tuple(step["window"]) for step in session.plan_summary()} == {(0, window)}
    started = [e for e in session.stream() if isinstance(e, ev.StepStarted)]
    assert {e.window for e in started} == {(0, 6)}
    assert changed_cells(score, session.run()) == {(0, 2), *((1, b) for b in range(6))}
