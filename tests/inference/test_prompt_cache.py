"""The prompt cache: what is found again, and what goes when the memory is used up."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from midigpt_nb.inference.prompt_cache import PromptCache


@dataclass(frozen=True)
class Prefix:
    name: str
    length: int
    n_bytes: int = 100


def ids(*values):
    return np.array(values, dtype=np.int64)


def keep(cache, name, tokens, positions=None):
    places = np.arange(len(tokens)) if positions is None else np.array(positions)
    cache.keep(ids(*tokens), places, Prefix(name, len(tokens)), np.array([len(tokens)], dtype=np.float32))


def find(cache, tokens, positions=None):
    places = np.arange(len(tokens)) if positions is None else np.array(positions)
    prefix, n, _ = cache.longest(ids(*tokens), places)
    return (None if prefix is None else prefix.name), n


def test_the_longest_common_beginning_is_found():
    cache = PromptCache()
    assert find(cache, [1, 2]) == (None, 0)
    keep(cache, "a", [1, 2, 3, 4])
    keep(cache, "b", [1, 2, 9, 9, 9])
    assert find(cache, [1, 2, 3, 5]) == ("a", 3)
    assert find(cache, [1, 2, 9, 9]) == ("b", 4)
    assert find(cache, [5]) == (None, 0)


def test_what_follows_is_known_of_a_whole_prompt_only():
    cache = PromptCache()
    keep(cache, "long", [1, 2, 3, 4])
    keep(cache, "short", [1, 2])
    answers = [cache.longest(ids(*tokens), np.arange(len(tokens)))[2] for tokens in ([1, 2], [1, 2, 3])]
    assert answers[0].tolist() == [2.0] and answers[1] is None
    assert find(cache, [1, 2]) == ("short", 2)


def test_the_same_tokens_at_other_positions_are_another_prompt():
    cache = PromptCache()
    keep(cache, "a", [1, 2, 3])
    assert find(cache, [1, 2, 3], [0, 1, 5]) == ("a", 2)


def test_a_longer_prompt_replaces_its_own_beginning():
    cache = PromptCache()
    keep(cache, "a", [1, 2])
    keep(cache, "b", [1, 2, 3])
    assert len(cache) == 1 and find(cache, [1, 2]) == ("b", 2)


def test_the_least_recently_used_goes_first_and_the_latest_stays():
    cache = PromptCache(limit_bytes=250)
    keep(cache, "a", [1, 1])
    keep(cache, "b", [2, 2])
    assert find(cache, [1, 1]) == ("a", 2)
    keep(cache, "c", [3, 3])
    assert find(cache, [2, 2]) == (None, 0) and find(cache, [1, 1]) == ("a", 2) and cache.n_bytes == 200
    tiny = PromptCache(limit_bytes=1)
    keep(tiny, "a", [1])
    keep(tiny, "b", [2])
    assert len(tiny) == 1 and find(tiny, [2]) == ("b", 1)
    nothing = PromptCache(limit_bytes=0)
    keep(nothing, "a", [1])
    assert len(nothing) == 0


def test_what_was_kept_does_not_change_with_the_callers_arrays():
    cache, tokens = PromptCache(), ids(1, 2, 3)
    cache.keep(tokens, np.arange(3), Prefix("a", 3), np.zeros(1, dtype=np.float32))
    tokens[0] = 9
    assert find(cache, [1, 2, 3]) == ("a", 3)
