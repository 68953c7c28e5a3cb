"""The compiled core from Python: any value in any place, and from several threads, without a crash."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from midigpt_nb import _core
from midigpt_nb.errors import VocabularyError

PROGRAM = Path(__file__).parent / "fuzz" / "core_boundary.py"


@pytest.mark.parametrize(("calls", "threads"), [(6000, 1), (1500, 4)], ids=["one thread", "four threads"])
def test_no_value_in_any_place_crashes_the_core(calls: int, threads: int, tmp_path: Path) -> None:
    log = tmp_path / "calls.txt"
    done = subprocess.run(
        [sys.executable, PROGRAM, "1", str(calls), "--threads", str(threads), "--log", log],
        capture_output=True,
        text=True,
        timeout=300,
    )
    last = log.read_text(encoding="utf-8", errors="replace").splitlines()[-threads:]
    assert done.returncode == 0, "\n".join([done.stderr[-3000:], "last calls:", *last])
    assert f"{calls * threads} calls" in done.stdout


@pytest.mark.parametrize("name", ["fork", "reset", "forced"])
def test_a_method_of_nothing_is_a_type_error(name: str) -> None:
    with pytest.raises(TypeError):
        getattr(_core.Matcher, name)(None)
    with pytest.raises(TypeError):
        _core.Vocabulary.__len__(None)  # type: ignore[arg-type]


def test_empty_arrays_of_strange_types_are_refused() -> None:
    strange = np.zeros(0, [("a", "i4"), ("b", "f8")])
    vocabulary = _core.Vocabulary(_core.EncoderConfig())
    with pytest.raises(VocabularyError, match="tokens cannot be made an array of whole numbers"):
        _core.decode(vocabulary, strange)


def test_a_wish_of_another_vocabulary_is_refused() -> None:
    vocabulary, bare = _vocabulary(), _core.Vocabulary(_core.EncoderConfig())  # the second has no positions
    table = _core.ScoreTable([], [[0, 4, 4, 0]], [[0, 0, 0]], 12)
    options = _core.EncodeOptions(window_bars=4, partial_track=0, partial_bars=0)
    matcher = _core.Matcher.for_prompt(vocabulary, _core.encode(vocabulary, table, options=options)[0])
    for give in (matcher.add, matcher.replace):
        with pytest.raises(VocabularyError, match="'allowed positions' was made for another vocabulary"):
            give(_core.Constraint.position_set(bare, {0: []}))


def test_sizes_beyond_music_are_refused_before_memory_is_taken() -> None:
    with pytest.raises(VocabularyError, match="at most 4096 can start together"):
        _core.Constraint.rhythm_schedule({0: [(0, 2**31 - 1)]})
    vocabulary = _vocabulary()
    prompt = [vocabulary.encode(_core.TokenType.Track, 0)]
    with pytest.raises(VocabularyError, match="a track may have 16384 bars at most"):
        _core.Matcher.for_prompt(vocabulary, prompt, _core.MatcherOptions(n_bars=2**31 - 1, sounding_limit=1))


def test_a_pickled_state_of_another_form_is_a_type_error() -> None:
    with pytest.raises(TypeError):
        _core.ScoreTable.__new__(_core.ScoreTable).__setstate__(("error",) * 6)  # type: ignore[attr-defined]


# Pieces on which each call takes a noticeable time.


def _vocabulary() -> _core.Vocabulary:
    config = _core.EncoderConfig()
    config.resolution = 12
    config.time_signatures = [(4, 4)]
    config.num_bars_map = [4]
    return _core.Vocabulary(config)


def _table(bars: int) -> _core.ScoreTable:
    notes = np.tile(
        np.array([[0, 6, 60, 90, 0], [6, 6, 64, 80, 0], [12, 24, 67, 70, 0], [24, 12, 40, 60, 0]], np.int32),
        (bars, 1),
    )
    rows = np.stack([np.arange(bars) * 4, np.full(bars, 4), np.full(bars, 4), np.zeros(bars, int)], axis=1)
    return _core.ScoreTable(notes, rows, [[0, 33, 0]], 12)


def _calls(bars: int) -> dict[str, Callable[[], Any]]:
    vocabulary, table = _vocabulary(), _table(bars)
    options = _core.EncodeOptions(window_bars=4)
    tokens = _core.encode(vocabulary, table, options=options)[0]
    data = _core.write_midi(table)
    file, read = _core.read_midi(data, 12)
    edited = read.replaced([(0, 1)], [np.zeros((0, 5), np.int32)])
    return {
        "encode": lambda: _core.encode(vocabulary, table, options=options)[0].tobytes(),
        "decode": lambda: _core.decode(vocabulary, tokens)[0].notes.tobytes(),
        "plan": lambda: repr(_core.plan(bars, [(0, list(range(bars)), True)], 4)),
        "read_midi": lambda: _core.read_midi(data, 12)[1].notes.tobytes(),
        "write_midi": lambda: _core.write_midi(table),
        "rewrite_midi": lambda: _core.rewrite_midi(file, read, edited),
        "resampled": lambda: table.resampled(480).notes.tobytes(),
        "grid_table": lambda: _core.grid_table(table, 480).notes.tobytes(),
    }


def test_four_threads_get_what_one_gets() -> None:
    calls = _calls(200)
    expected = {name: call() for name, call in calls.items()}
    jobs = list(calls) * 12
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda name: calls[name](), jobs))
    assert [name for name, answer in zip(jobs, found, strict=True) if answer != expected[name]] == []


@pytest.mark.parametrize("name", ["encode", "decode", "plan", "read_midi", "write_midi", "rewrite_midi"])
def test_a_long_call_lets_other_threads_run(name: str) -> None:
    """With a switch interval of a minute another thread runs only where the call gives way."""
    call = _calls(20_000)[name]
    seen: list[float] = []
    stop = threading.Event()

    def look() -> None:
        while not stop.is_set():
            seen.append(time.perf_counter())
            time.sleep(0.0005)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(60.0)
    other = threading.Thread(target=look)
    other.start()
    try:
        for _ in range(20):
            start = time.perf_counter()
            call()
            end = time.perf_counter()
            if any(start < moment < end for moment in list(seen)):
                return
    finally:
        stop.set()
        sys.setswitchinterval(interval)
        other.join()
    pytest.fail(f"no other thread ran during {name}")
