"""What holds for any request, possible or not."""

from __future__ import annotations

import random
from collections import Counter
from copy import deepcopy
from itertools import chain

import pytest

from midigpt_nb.errors import MidiGPTError
from midigpt_nb.inference import GenerationRequest, InferenceConfig, TrackPrompt
from midigpt_nb.score.model import Score

from .conftest import make_score
from .wild import JUNK, Maker, damaged, global_randomness, only_asked_bars_differ, places, try_out

PIECES = {
    "band": make_score(),
    "shorter than a window": make_score(2, 3, notes_per_bar=3),
    "mixed metres": make_score(3, 9, metres=((4, 4), (3, 4), (7, 8)), resolution=96),
    "a metre of equal length": make_score(2, 5, metres=((12, 16),)),
    "a single bar": make_score(1, 1),
    "from a file": Score.example(),
}


@pytest.mark.parametrize("name", PIECES)
def test_requests_of_any_kind_change_the_asked_bars_or_nothing(engine, name: str) -> None:
    rng, maker, score = random.Random(name), Maker(engine), PIECES[name]
    ends: Counter[str] = Counter()
    for _ in range(30):
        data = maker.request(rng, score)
        if rng.random() < 0.3:
            data = damaged(rng, data)
        ends[try_out(engine, score, data, rng)] += 1
    assert sum(n for end, n in ends.items() if "Error" not in end) >= 8, ends


def test_junk_in_any_place_is_refused_in_words_or_does_no_harm(engine) -> None:
    score, rng = make_score(2, 4, notes_per_bar=2), random.Random(3)
    whole = {
        "tracks": [
            {
                "id": 0,
                "bars": [1],
                "attributes": {"max_polyphony": 2},
                "bar_attributes": {1: {"note_density": 3}},
                "controls": {"pitch_mask": {"scale": "major"}, "rhythm_mask": {"grid": {"unit": "half"}}},
                "bar_controls": {1: {"time_signature": 0}},
                "mask_bars": [2],
            },
            {"id": 1, "bars": [], "ignore": True},
        ],
        "config": {"density_hard_limit": 2, "model_dim": 4, "context_keep": [0]},
        "controls": {},
    }
    assert try_out(engine, score, whole, rng)
    count = 0
    for i in range(len(list(places(whole)))):
        for junk in JUNK[i % 3 :: 3]:
            broken = _copy_with(whole, i, junk)
            try_out(engine, score, broken, rng, events=False)
            count += 1
    assert count > 200


def _copy_with(data, place: int, junk):
    broken = deepcopy(data)
    holder, key = list(places(broken))[place]
    holder[key] = deepcopy(junk)
    return broken


def test_chained_calls_never_touch_what_was_not_asked(engine) -> None:
    """Twenty requests, each on the result of the one before: the bars nobody asked for are as at first."""
    rng, maker, first = random.Random(11), Maker(engine), make_score(3, 8)
    score, asked = first, {t: set() for t in range(3)}
    for _ in range(20):
        data = maker.request(rng, first)
        data["tracks"] = [t for t in data["tracks"] if "new" not in t and max(t["bars"], default=0) < 8]
        try:
            session = engine.session(score, GenerationRequest.from_dict(data))
            score = session.run(on_failure="partial")
        except MidiGPTError:
            continue
        for track, bars in session.generated_bars.items():
            asked[track].update(bars)
    assert any(asked.values())
    only_asked_bars_differ(first, score, {t: sorted(b) for t, b in asked.items()})


def test_a_session_uses_no_global_randomness_at_all(engine) -> None:
    before = global_randomness()
    config = InferenceConfig(density_hard_limit=3, shuffle=True, infill_probability=0.5, num_candidates=2)
    session = engine.session(make_score(), GenerationRequest([TrackPrompt(0, [1, 2, 3])], config))
    list(chain(session.stream(), session.stream_takes(2)))
    session.run_variations()
    assert global_randomness() == before


def test_a_continuation_to_a_bar_beyond_all_memory_is_refused_at_once(engine) -> None:
    asked = {"tracks": [{"id": 0, "bars": [6, 7, 1 << 40], "autoregressive": True}]}
    with pytest.raises(MidiGPTError, match="256 bars at most"):
        engine.session(PIECES["band"], GenerationRequest.from_dict(asked))
