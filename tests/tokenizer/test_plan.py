"""From target bars to steps. The tables are worked plans of the reference."""

from __future__ import annotations

import pytest

from midigpt_nb import _core
from midigpt_nb.errors import ScoreError


def plan_text(n_bars, targets, model_dim, **options):
    """``[0,8) 0-7; [4,12) 8-11`` for one track, ``t0 0-7 + t1 2`` for several."""
    steps = _core.plan(n_bars, targets, model_dim, **options)
    several = len(targets) > 1
    parts = []
    for step in steps:
        written = " + ".join((f"t{track} " if several else "") + runs(bars) for track, bars in step.targets)
        parts.append(f"[{step.start},{step.end}) {written}")
    return "; ".join(parts)


def runs(bars):
    out = []
    for bar in bars:
        if out and out[-1][1] == bar - 1:
            out[-1][1] = bar
        else:
            out.append([bar, bar])
    return ",".join(str(a) if a == b else f"{a}-{b}" for a, b in out)


@pytest.mark.parametrize(
    ("first", "model_dim", "options", "expected"),
    [
        (0, 8, {}, "[0,8) 0-7; [4,12) 8-11; [8,16) 12-15"),
        (0, 8, {"bars_per_step": 1}, "[0,8) 0-7; [1,9) 8; [2,10) 9; [8,16) 10-15"),
        (0, 8, {"bars_per_step": 3}, "[0,8) 0-7; [3,11) 8-10; [8,16) 11-15"),
        (0, 8, {"bars_per_step": 8}, "[0,8) 0-7; [8,16) 8-15"),
        (0, 16, {}, "[0,16) 0-15"),
        (0, 4, {}, "[0,4) 0-3; [2,6) 4-5; [4,8) 6-7; [6,10) 8-9; [8,12) 10-11; [10,14) 12-13; [12,16) 14-15"),
        (
            0,
            4,
            {"ar_overlap": 0.0, "min_overlap_bars": 0},
            "[0,4) 0-3; [4,8) 4-7; [8,12) 8-11; [12,16) 12-15",
        ),
        (
            0,
            4,
            {"ar_overlap": 0.75},
            "[0,4) 0-3; [1,5) 4; [2,6) 5; [3,7) 6; [4,8) 7; [5,9) 8; [6,10) 9; [7,11) 10; [8,12) 11; [9,13)"
            " 12; [10,14) 13; [12,16) 14-15",
        ),
        (12, 8, {}, "[8,16) 12-15"),
        (14, 8, {"bars_per_step": 1}, "[8,16) 14-15"),
        (10, 4, {"bars_per_step": 1}, "[7,11) 10; [8,12) 11; [9,13) 12; [10,14) 13; [12,16) 14-15"),
        (10, 4, {}, "[8,12) 10-11; [10,14) 12-13; [12,16) 14-15"),
        (5, 8, {"bars_per_step": 2}, "[0,8) 5-7; [2,10) 8-9; [8,16) 10-15"),
        (1, 8, {}, "[0,8) 1-7; [4,12) 8-11; [8,16) 12-15"),
    ],
)
def test_a_track_written_to_its_end(first, model_dim, options, expected):
    assert plan_text(16, [(0, range(first, 16), True)], model_dim, **options) == expected


@pytest.mark.parametrize(
    ("n_bars", "bars", "model_dim", "bars_per_step", "expected"),
    [
        (8, range(4, 8), 8, 1, "[0,8) 4; [0,8) 5; [0,8) 6; [0,8) 7"),
        (8, range(4, 8), 8, 0, "[0,8) 4-7"),
        (8, range(4, 8), 4, 1, "[2,6) 4; [3,7) 5; [4,8) 6; [4,8) 7"),
        (8, range(4, 8), 4, 2, "[3,7) 4-5; [4,8) 6-7"),
        (16, [0, 3, 9, 15], 8, 0, "[0,8) 0,3; [8,16) 9,15"),
        (16, [0, 3, 9, 15], 4, 1, "[0,4) 0; [1,5) 3; [7,11) 9; [12,16) 15"),
        (16, range(16), 8, 0, "[0,8) 0-7; [8,16) 8-15"),
        (40, [20], 16, 1, "[12,28) 20"),
    ],
)
def test_bars_filled_in(n_bars, bars, model_dim, bars_per_step, expected):
    assert plan_text(n_bars, [(0, bars, False)], model_dim, bars_per_step=bars_per_step) == expected


THREE = [(2, [6], False), (0, [2, 1], False), (1, [1], False)]


@pytest.mark.parametrize(
    ("targets", "n_bars", "model_dim", "options", "expected"),
    [
        pytest.param(
            THREE, 8, 4, {"tracks_per_step": 1}, "[0,4) t0 1-2; [0,4) t1 1; [4,8) t2 6", id="one by one"
        ),
        pytest.param(THREE, 8, 4, {}, "[0,4) t0 1-2 + t1 1; [4,8) t2 6", id="together"),
        pytest.param(
            THREE, 8, 4, {"bars_per_step": 1}, "[0,4) t0 1 + t1 1; [0,4) t0 2; [4,8) t2 6", id="bar by bar"
        ),
        pytest.param(
            [(0, range(10), True), (1, [2, 3], False)],
            10,
            8,
            {},
            "[0,8) t0 0-7; [2,10) t0 8-9; [0,8) t1 2-3",
            id="autoregressive steps first",
        ),
        pytest.param(
            [(1, [2, 3], False), (5, range(4), True)],
            4,
            4,
            {},
            "[0,4) t5 0-3; [0,4) t1 2-3",
            id="whatever the order of the tracks",
        ),
        pytest.param(
            [(0, range(10), True), (1, range(10), True)],
            10,
            4,
            {},
            "[0,4) t0 0-3; [2,6) t0 4-5; [4,8) t0 6-7; [6,10) t0 8-9;"
            " [0,4) t1 0-3; [2,6) t1 4-5; [4,8) t1 6-7; [6,10) t1 8-9",
            id="two autoregressive tracks",
        ),
        pytest.param([(0, [], False), (1, [], True)], 4, 4, {}, "", id="nothing to write"),
    ],
)
def test_several_tracks(targets, n_bars, model_dim, options, expected):
    assert plan_text(n_bars, targets, model_dim, **options) == expected


@pytest.mark.parametrize("n_bars", [4, 5, 9, 16, 33])
@pytest.mark.parametrize("model_dim", [1, 4])
@pytest.mark.parametrize("bars_per_step", [0, 1])
@pytest.mark.parametrize("autoregressive", [False, True])
def test_every_target_is_written_once_within_its_window(n_bars, model_dim, bars_per_step, autoregressive):
    bars = [bar for bar in range(n_bars) if bar % 5 != 1]
    steps = _core.plan(n_bars, [(3, bars, autoregressive)], model_dim, bars_per_step)
    assert [bar for step in steps for _track, written in step.targets for bar in written] == bars
    for step in steps:
        assert step.start >= 0 and step.end == step.start + model_dim <= n_bars
        assert all(step.start <= bar < step.end for _track, written in step.targets for bar in written)
        assert step.autoregressive == autoregressive


@pytest.mark.parametrize(
    ("n_bars", "targets", "options", "message"),
    [
        (3, [(0, [0], False)], {}, "3 bars, fewer than the window's 4"),
        (8, [(0, [8], False)], {}, "bar 8 of track 0 does not exist; the piece has 8"),
        (8, [(0, [-1], False)], {}, "bar -1"),
        (8, [(0, [0], False), (0, [1], True)], {}, "track 0 is named twice"),
        (8, [(0, [0], False)], {"bars_per_step": 5}, "bars_per_step is 5; allowed: 0"),
        (8, [(0, [0], False)], {"tracks_per_step": -1}, "tracks_per_step"),
        (8, [(0, [0], False)], {"min_overlap_bars": -1}, "min_overlap_bars"),
        (8, [(0, [0], True)], {"ar_overlap": 1.0}, "ar_overlap"),
    ],
)
def test_impossible_plans_are_refused(n_bars, targets, options, message):
    with pytest.raises(ScoreError, match=message):
        _core.plan(n_bars, targets, 4, **options)


def test_steps_say_what_they_are():
    (step,) = _core.plan(4, [(2, [1, 3], False)], 4)
    assert repr(step) == "Step([0, 4) infill track 2: 1 3)"
    assert step == _core.plan(4, [(2, [3, 1], False)], 4)[0]


# --- bars of different kinds, tracks in turns -----------------------------------------------------


@pytest.mark.parametrize(
    ("bars", "kinds", "options", "expected"),
    [
        pytest.param(
            range(4), [2, 5, 5, 8], {}, "[0,8) 0; [0,8) 1-2; [0,8) 3", id="the getting-started page"
        ),
        pytest.param(range(4), [2, 5, 5, 2], {}, "[0,8) 0,3; [0,8) 1-2", id="equal ones in one step"),
        pytest.param([1, 9], [0, 0], {}, "[0,8) 1; [5,13) 9", id="only as far as a step reaches"),
        pytest.param(
            [0, 1, 2], [1, 0, 1], {"bars_per_step": 2}, "[0,8) 0; [0,8) 1; [0,8) 2", id="narrow steps"
        ),
    ],
)
def test_bars_of_different_kinds_come_into_different_steps(bars, kinds, options, expected):
    assert plan_text(16, [(0, bars, False)], 8, kinds={0: kinds}, **options) == expected


def test_kinds_are_told_apart_track_by_track():
    targets = [(0, range(4), False), (1, [0, 3], False)]
    expected = "[0,8) t0 0,2 + t1 0,3; [0,8) t0 1; [0,8) t0 3"
    assert plan_text(8, targets, 8, kinds={0: [2, 5, 2, 8]}) == expected


def test_runs_of_equal_kind_are_continued_one_after_another():
    kinds = {0: [0] * 6 + [1] * 10}
    assert plan_text(16, [(0, range(16), True)], 8, kinds=kinds) == "[0,8) 0-5; [2,10) 6-9; [8,16) 10-15"


def test_kinds_go_with_their_bars_in_whatever_order_they_are_named():
    steps = _core.plan(8, [(0, [3, 0, 1], False)], 8, kinds={0: [7, 2, 7]})
    assert [step.targets for step in steps] == [[(0, [0])], [(0, [1, 3])]]


def test_u16_autoregressive_tracks_take_turns_over_each_window():
    targets = [(0, range(10), True), (3, range(10), True)]
    assert plan_text(10, targets, 4, tracks_per_step=2) == (
        "[0,4) t0 0-3; [0,4) t3 0-3; [2,6) t0 4-5; [2,6) t3 4-5;"
        " [4,8) t0 6-7; [4,8) t3 6-7; [6,10) t0 8-9; [6,10) t3 8-9"
    )
    steps = _core.plan(10, targets, 4, tracks_per_step=2)
    assert [step.beside for step in steps] == [[], [0]] * 4


def test_u16_three_tracks_and_groups_of_two():
    targets = [(t, range(4), True) for t in range(3)]
    steps = _core.plan(4, targets, 4, tracks_per_step=3)
    assert [(step.targets[0][0], step.beside) for step in steps] == [(0, []), (1, [0]), (2, [0, 1])]
    steps = _core.plan(4, targets, 4, tracks_per_step=2)
    assert [(step.targets[0][0], step.beside) for step in steps] == [(0, []), (1, [0]), (2, [])]


def test_u16_a_track_that_sets_in_later_waits_for_the_others():
    steps = plan_text(16, [(0, range(16), True), (1, range(8, 16), True)], 8, tracks_per_step=2)
    assert steps == "[0,8) t0 0-7; [4,12) t0 8-11; [4,12) t1 8-11; [8,16) t0 12-15; [8,16) t1 12-15"


def test_there_is_one_kind_for_each_bar():
    with pytest.raises(ScoreError, match="track 0 has 2 bars and 1 kinds"):
        _core.plan(8, [(0, [0, 1], False)], 4, kinds={0: [1]})
