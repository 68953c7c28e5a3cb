"""Several takes: each as if it were alone, ranked, told apart, stopped."""

from __future__ import annotations

import pytest

from midigpt_nb.errors import GenerationCancelled, NoAcceptableCandidate, RequestValidationError
from midigpt_nb.inference import TrackPrompt
from midigpt_nb.inference import events as ev
from midigpt_nb.inference.acceptance import similarity
from midigpt_nb.inference.takes import Takes

from .asking import changed_cells, notes_of, refuse, request
from .conftest import make_score

ASKED = request(TrackPrompt(0, [2, 5]), TrackPrompt(1, [3], attributes={"note_density": 3}), model_dim=8)


@pytest.mark.parametrize(
    "asked",
    [
        pytest.param(request(TrackPrompt(0, [2]), model_dim=8), id="one step"),
        pytest.param(ASKED, id="several steps"),
        pytest.param(
            request(
                TrackPrompt(0, [2]), TrackPrompt(1, mask_bars=[1, 3]), mask_mode="attention", model_dim=8
            ),
            id="p11-masked and batched",
        ),
        pytest.param(request(TrackPrompt(0, autoregressive=True), model_dim=4, top_p=0.9), id="continued"),
        pytest.param(
            request(TrackPrompt(1, [2, 3]), bars_per_step="auto", top_k=1, novelty_check=False), id="greedy"
        ),
    ],
)
def test_a_take_is_the_same_alone_and_beside_others(engine, score, asked):
    takes = {take.seed: take for take in engine.session(score, asked).takes(5)}
    assert sorted(takes) == [1, 2, 3, 4, 5]
    for seed, take in takes.items():
        again = asked.copy()
        again.config.seed = seed
        assert engine.session(score, again).run().hash() == take.score.hash()
        assert take.status == "done" and take.request.config.seed == seed


def test_more_takes_than_seats_follow_each_other(engine, score):
    session = engine.session(score, request(TrackPrompt(0, [2])))
    many, few = session.takes(11), session.takes(3)
    hashes = {take.number: take.score.hash() for take in many}
    assert len(hashes) == 11 and {t.number: t.score.hash() for t in few}.items() <= hashes.items()


def test_p4_takes_share_one_pass_over_the_prompt(scripted, score):
    replay = scripted(prefill_chunk=2048)
    replay.session(score, request(TrackPrompt(0, [2]), model_dim=8, novelty_check=False)).takes(6)
    assert len([tokens for tokens, _ in replay.backend.fed if len(tokens) > 20]) == 1


def test_takes_are_ranked_by_adherence_where_there_are_wishes_else_by_likelihood(engine, score):
    takes = engine.session(score, ASKED).takes(6)
    held = [take.adherence for take in takes]
    assert held == sorted(held, reverse=True) and len(set(held)) > 1
    assert takes.best is takes[0] and held[0] == takes[0].report.adherence
    plain = engine.session(score, request(TrackPrompt(0, [2]))).takes(6)
    likely = [take.log_prob for take in plain]
    assert [t.adherence for t in plain] == [None] * 6
    assert likely == sorted(likely, reverse=True) and len(set(likely)) == 6 and max(likely) < 0
    assert [t.novelty for t in plain.by("novelty")] == sorted((t.novelty for t in plain), reverse=True)


def test_novelty_is_the_share_of_notes_that_were_not_there(engine, score):
    session = engine.session(score, request(TrackPrompt(0, [2, 3]), bars_per_step="auto"))
    take = session.takes(1)[0]
    before = engine.piece(score.table, min_bars=4)
    after = engine.piece(take.score.table, min_bars=4)
    assert take.novelty == pytest.approx(1 - similarity(before, after, [(0, 2), (0, 3)]))


def test_u7_unlike_takes_are_found(engine, score):
    takes = engine.session(score, request(TrackPrompt(0, [2]))).takes(6)
    assert 0 < takes.diversity <= 1 and takes[0].likeness(takes[0]) == 1
    chosen = takes.unlike(3)
    assert len(chosen) == 3 and chosen[0] is takes[0]
    rest = [t for t in takes if t not in chosen]
    nearest = max(chosen[1].likeness(takes[0]), 0)
    assert all(t.likeness(takes[0]) >= nearest for t in rest)
    twin = type(takes)([takes[0], takes[0]])
    assert twin.diversity == 0
    table = takes._repr_html_()
    assert table.count("<tr>") == 7 and "novelty" in table
    assert repr(takes[0]).startswith(f"Take({takes[0].number}, seed {takes[0].seed}, done, log_prob ")


def test_the_likelihood_of_a_take_is_what_its_tokens_score(engine, score):
    session = engine.session(score, request(TrackPrompt(0, [2]), temperature=1.3, top_p=0.9, model_dim=8))
    (take,) = session.takes(1)
    said = session.score_from_tokens(session._main.progress.kept[0])
    assert said["n_tokens"] > 4
    assert take.log_prob == pytest.approx(said["total_logp"] / said["n_tokens"], abs=1e-4)


def test_u6_the_stream_of_takes_tells_whose_each_event_is(engine, score):
    session = engine.session(score, ASKED)
    heard: dict = {}
    ended = {}
    for event in session.stream_takes(3):
        if isinstance(event, ev.NotesArrived):
            heard.setdefault((event.take, event.track, event.bar), []).extend(event.notes)
        elif isinstance(event, ev.AttemptRejected):
            for cell in event.cells:
                heard.pop((event.take, *cell), None)
        elif isinstance(event, ev.Finished):
            ended[event.take] = event.score
    assert sorted(ended) == [0, 1, 2]
    assert len({score.hash() for score in ended.values()}) == 3
    for (take, *cell), notes in heard.items():
        rows = [(p, v, o, d) for o, d, p, v, _ in notes_of(ended[take], cell)]
        assert sorted(notes) == sorted(rows)
    assert {take.number: take.score.hash() for take in session.last_takes()} == {
        number: score.hash() for number, score in ended.items()
    }


def test_k9_variations_have_the_shape_of_the_reference(engine, score):
    session = engine.session(score, request(TrackPrompt(0, [2]), num_candidates=3))
    takes = session.run_variations()
    assert [list(take) for take in takes] == [["score", "seed", "gen_count", "error", "truncated"]] * 3
    assert [t["seed"] for t in takes] == [1, 2, 3] and len({t["score"].hash() for t in takes}) == 3
    assert [t["error"] for t in takes] == [None] * 3
    assert sum(t["gen_count"] for t in takes) == session.gen_count
    again = engine.session(score, request(TrackPrompt(0, [2]), seed=3)).run()
    assert again.hash() == takes[2]["score"].hash()


def test_a_failing_take_does_not_take_the_others_along(engine, score, monkeypatch):
    """Take 1 is refused whatever it writes."""
    from midigpt_nb.inference import step

    original = step.StepRunner._judged

    def judged(self, attempt, *rest):
        return ({"novelty": "because"}, None) if self._seed == 2 else original(self, attempt, *rest)

    monkeypatch.setattr(step.StepRunner, "_judged", judged)
    session = engine.session(score, request(TrackPrompt(0, [2]), num_candidates=3))
    takes = session.takes(3)
    assert sorted((t.number, t.status) for t in takes) == [(0, "done"), (1, "failed"), (2, "done")]
    assert takes[-1].number == 1 and isinstance(takes[-1].error, NoAcceptableCandidate)
    assert takes[-1].score.hash() == score.hash()
    rows = session.run_variations()
    assert rows[1]["score"] is None and "novelty 3 times" in rows[1]["error"] and rows[0]["error"] is None


def test_when_no_take_has_a_bar_the_error_is_raised(engine, score, monkeypatch):
    refuse(monkeypatch)
    hopeless = request(TrackPrompt(0, [2]), max_attempts=1)
    with pytest.raises(NoAcceptableCandidate):
        engine.session(score, hopeless).takes(2)


def test_cancelling_takes_keeps_what_was_finished(engine, score):
    session = engine.session(score, request(TrackPrompt(0, [1, 2, 3]), num_candidates=3))
    for event in session.stream_takes(3):
        if isinstance(event, ev.BarFinished) and event.bar == 2:
            session.cancel_event.set()
    takes = session.last_takes()
    assert {t.status for t in takes} == {"cancelled"}
    assert any(changed_cells(score, t.score) for t in takes)
    with pytest.raises(GenerationCancelled) as caught:
        session.takes(3)
    assert len(caught.value.partial) == 3
    with pytest.raises(GenerationCancelled) as caught:
        session.run_variations()
    assert caught.value.partial == []


def test_the_number_of_takes_is_checked(engine, score):
    with pytest.raises(RequestValidationError, match="too few"):
        engine.session(score, ASKED).takes(0)
    for wrong in ("8", 2.5, True, None):
        with pytest.raises(RequestValidationError, match="whole number >= 1"):
            engine.session(score, ASKED).takes(wrong)


def test_a_take_of_a_thinned_out_request_repeats_by_itself(engine):
    score = make_score()
    session = engine.session(score, request(TrackPrompt(0, list(range(8))), infill_probability=0.25))
    take = session.takes(3)[0]
    assert take.request.tracks[0].bars == session.generated_bars[0]
    assert engine.session(score, take.request).run().hash() == take.score.hash()


def test_an_unknown_measure_of_takes_is_refused_with_the_choices():
    with pytest.raises(
        ValueError, match="by 'novlty'; allowed: 'adherence', 'log_prob', 'novelty'; did you mean 'n"
    ):
        Takes().by("novlty")
    with pytest.raises(ValueError, match="by 3; allowed: 'adherence'"):
        Takes().by(3)
