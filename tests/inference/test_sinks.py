"""What users of the reference set on a session, and the numbers they read there."""

from __future__ import annotations

import pytest

from midigpt_nb.inference import TrackPrompt

from .asking import changed_cells, notes_of, refuse, request


def test_k9_streamed_notes_are_dicts_in_1920_ticks(engine, score):
    session = engine.session(score, request(TrackPrompt(0, [2, 3])))
    heard = []
    session.note_sink = heard.extend
    result = session.run()
    wanted = [
        {"track": 0, "bar": bar, "pitch": p, "onset_ticks": o * 4, "duration_ticks": d * 4, "velocity": v}
        for bar in (2, 3)
        for o, d, p, v, _ in notes_of(result, (0, bar))
    ]
    key = lambda note: tuple(note.values())  # noqa: E731
    assert sorted(heard, key=key) == sorted(wanted, key=key)


def test_d29_notes_of_a_refused_attempt_that_were_not_sent_yet_are_not(engine, score, monkeypatch):
    turns = []

    def twice(cells):
        turns.append(cells)
        return len(turns) < 3

    refuse(monkeypatch, twice)
    from midigpt_nb.inference import sinks

    monkeypatch.setattr(sinks, "NOTES_EVERY_S", 60.0)
    session = engine.session(score, request(TrackPrompt(0, [2]), max_attempts=3))
    heard = []
    session.note_sink = heard.append
    result = session.run()
    flat = [note for notes in heard for note in notes]
    fresh = [n for n in flat if n["bar"] == 2]
    assert len(notes_of(result, (0, 2))) <= len(fresh)
    last = heard[-1]
    assert {n["pitch"] for n in last} <= {row[2] for row in notes_of(result, (0, 2))}


def test_k9_signs_of_life_come_every_32_tokens(engine, score):
    session = engine.session(score, request(TrackPrompt(0, list(range(8)))))
    calls = []
    session.progress_sink = lambda: calls.append(session.gen_count)
    session.run()
    assert len(calls) == session.gen_count // 32 > 2


def test_k9_the_picture_of_the_first_step(engine, score):
    prompts = TrackPrompt(0, [2, 3]), TrackPrompt(1, mask_bars=[5])
    for mode, veiled in (("attention", "A"), ("remove", "M"), ("token", "M")):
        session = engine.session(score, request(*prompts, model_dim=8, mask_mode=mode))
        seen = []
        session.prompt_state_sink = seen.append
        session.run()
        (state,) = seen
        assert (state["start_bar"], state["end_bar"]) == (0, 8)
        assert [t["id"] for t in state["tracks"]] == [0, 1, 2]
        assert state["tracks"][0] == {"id": 0, "is_agent": False, "states": [*"CCT", veiled, *"CCCC"]}
        assert state["tracks"][1]["states"] == [*"CCCCC", veiled, *"CC"]
    continued = engine.session(score, request(TrackPrompt(1, autoregressive=True), model_dim=4))
    continued.prompt_state_sink = seen.append
    continued.run()
    assert seen[-1]["tracks"][1]["is_agent"] and seen[-1]["tracks"][1]["states"] == ["T"] * 4


def test_a_picture_that_fails_is_a_warning_and_other_callbacks_are_not_swallowed(engine, score):
    session = engine.session(score, request(TrackPrompt(0, [2])))

    def broken(*_):
        raise KeyError("mine")

    session.prompt_state_sink = broken
    with pytest.warns(UserWarning, match="prompt_state_sink failed"):
        assert changed_cells(score, session.run()) == {(0, 2)}
    session.prompt_state_sink, session.note_sink = None, broken
    with pytest.raises(KeyError, match="mine"):
        session.run()


def test_k9_bookkeeping(engine, score):
    session = engine.session(score, request(TrackPrompt(0, [2, 3])))
    assert session.generated_bars == {0: [2, 3]} and session.dropped_context == []
    assert session.gen_count == 0 and session.attempt == 1 and session.window_tokens() == 0
    with session as same:
        assert same is session
        session.run()
    prompts = session._main.progress.prompts
    kept = session._main.progress.kept
    assert session.context_len == session.step_gen_start == prompts[1].length
    assert session.max_context_len == max(p.length for p in prompts.values())
    assert session.window_tokens() == prompts[1].length + len(kept[1])
    assert (
        session.peak_window
        == session.peak_window_tokens()
        == max(prompts[i].length + len(kept[i]) for i in (0, 1))
    )
    assert session.encode_time == session.model_forward_time == session.decode_time == 0
    session.enable_profiling = True
    session.run()
    assert min(session.encode_time, session.model_forward_time, session.decode_time) > 0


def test_d24_nothing_is_printed(engine, score, capfd):
    engine.session(score, request(TrackPrompt(0, [2]))).run()
    assert capfd.readouterr() == ("", "")
