"""The filters, against the table of worked examples of their definition."""

from __future__ import annotations

import numpy as np
import pytest

from midigpt_nb.inference.filters import NotNumbers, apply_filters, draw, log_softmax, softmax

NOTES = [0.5, 0.2, 0.15, 0.05, 0.1]  # four notes, then a bar end
FOUR = [True, True, True, True, False]


@pytest.mark.parametrize(
    ("q", "content", "setting", "expected"),
    [
        pytest.param(NOTES, FOUR, {"k": 2}, [5 / 7, 2 / 7, 0, 0, 0], id="top_k 2"),
        pytest.param(
            NOTES, FOUR, {"p": 0.5}, [1, 0, 0, 0, 0], id="top_p .5: the crossing token belongs to it"
        ),
        pytest.param(NOTES, FOUR, {"p": 0.51}, [5 / 7, 2 / 7, 0, 0, 0], id="top_p .51"),
        pytest.param(NOTES, FOUR, {"p": 0.7}, [5 / 7, 2 / 7, 0, 0, 0], id="top_p .7"),
        pytest.param(
            NOTES,
            FOUR,
            {"k": 3, "p": 0.6},
            [5 / 7, 2 / 7, 0, 0, 0],
            id="nucleus measured on the unfiltered row",
        ),
        pytest.param(NOTES, FOUR, {"anti_k": 1}, [0, 0.4, 0.3, 0.1, 0.2], id="mask_k 1"),
        pytest.param(NOTES, FOUR, {"anti_k": 5}, NOTES, id="mask_k as large as the pool does nothing"),
        pytest.param(NOTES, FOUR, {"anti_p": 0.5}, [0, 0.4, 0.3, 0.1, 0.2], id="mask_p .5"),
        pytest.param(NOTES, FOUR, {"anti_p": 0.51}, [0, 0, 0.5, 1 / 6, 1 / 3], id="mask_p .51"),
        pytest.param(
            NOTES, FOUR, {"anti_p": 0.99}, [0, 0, 0, 1 / 3, 2 / 3], id="mask_p leaves the last of the pool"
        ),
        pytest.param(NOTES, FOUR, {"k": 3, "anti_k": 1, "anti_p": 0.6}, [0, 0, 1, 0, 0], id="all together"),
        pytest.param(
            [0.3, 0.1, 0.6], [True, True, False], {"anti_k": 1}, [0.3, 0.1, 0.6], id="a bar end is protected"
        ),
        pytest.param(
            [0.3, 0.1, 0.6],
            [True, True, False],
            {"anti_k": 2},
            [0, 1 / 7, 6 / 7],
            id="but it counts as a rank",
        ),
        pytest.param(
            [1.0, 0, 0],
            [True] * 3,
            {"k": 2, "p": 0.3, "anti_k": 1, "anti_p": 0.9},
            [1, 0, 0],
            id="a single token stays",
        ),
    ],
)
def test_k10_worked_examples(q, content, setting, expected):
    got = apply_filters(np.array(q), np.array(content), **setting)
    assert got == pytest.approx(expected, abs=1e-9)


def test_ties_are_broken_by_position_and_exactly_k_survive():
    got = apply_filters(np.full(6, 1 / 6), np.ones(6, dtype=bool), k=2)
    assert got.tolist() == [0.5, 0.5, 0, 0, 0, 0]


def test_a_row_of_impossible_tokens_becomes_uniform():
    assert softmax(np.array([-np.inf, -np.inf])).tolist() == [0.5, 0.5]
    assert log_softmax(np.array([-np.inf, -np.inf])).tolist() == [-np.log(2), -np.log(2)]
    assert softmax(np.array([-np.inf, 3.0])).tolist() == [0, 1]


@pytest.mark.parametrize("logits", [[np.nan, 1.0], [np.nan, np.nan], [np.inf, 1.0], [np.inf, -np.inf]])
@pytest.mark.parametrize("function", [softmax, log_softmax])
def test_a_row_that_holds_no_numbers_is_refused(function, logits):
    with pytest.raises(NotNumbers, match=r"the highest logit is (nan|inf)"):
        function(np.array(logits))


def test_temperature_sharpens_and_flattens():
    cold, warm, hot = (softmax(np.array([1.0, 0.0]), t)[0] for t in (0.1, 1.0, 10.0))
    assert cold > 0.99 and warm == pytest.approx(0.731, abs=1e-3) and hot < 0.53


@pytest.mark.parametrize("temperature", [1e-9, 1e-300, 5e-324])
def test_the_coldest_temperatures_choose_the_best_token(temperature):
    assert softmax(np.array([-50.0, 3.0, 2.999, 80.0]), temperature).tolist() == [0, 0, 0, 1]


@pytest.mark.parametrize(
    ("u", "index"),
    [(0.0, 1), (0.19, 1), (0.2, 3), (0.999999, 3)],
    ids=["first", "before the edge", "the edge", "last"],
)
def test_draw_never_picks_an_impossible_token(u, index):
    assert draw(np.array([0.0, 0.2, 0.0, 0.8, 0.0]), u) == index
