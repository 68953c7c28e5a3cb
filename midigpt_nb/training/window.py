"""A finished training sequence, what is known about its tokens, and batches of such sequences."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

# Kinds of token, for loss weights and reports.
CONTEXT, FILL, FIRST_NOTE, WRITTEN_TRACK = 0, 1, 2, 3

# What a token's bar says, as classes: see Window.hints.
HINT_SIZES = {"instrument": 110, "bar": 16, "density": 11, "polyphony": 11, "register": 22, "remaining": 20}
ORDINALS = 32  # placeholders told apart by number; further ones count as the last

# Where a token finds what it needs, as positions in the sequence: see Window.links.
LINKS = ("instrument", "bar", "placeholder")


@dataclass
class Window:
    """A finished sequence: token ids and the kind of every token, both ``(length,)``, and hints.

    ``hints`` is ``(length, 6)``, columns as in :data:`HINT_SIZES`: for every token from a bar's time
    signature on, and for every token of a fill block, the instrument (109 for drums), the number of the bar
    in the window, the density and polyphony tokens written for it plus one (0: none), and, in fill blocks,
    the half octave of the track's mean pitch; last, the class of the number of notes still to come in the bar
    or block. -1 where there is nothing to say. In a fill block all but the last stand only at the
    placeholder.
    """

    ids: np.ndarray  # uint16
    kinds: np.ndarray  # uint8
    hints: np.ndarray  # int8
    ordinals: np.ndarray  # int8: number of the placeholder, at it and in its fill block; -1 elsewhere
    links: np.ndarray  # (length, 3) int16, columns as in LINKS; -1 for none
    piece: int
    n_bars: int
    notes: int


class Batch(NamedTuple):
    """Padded windows, ``(rows, length, ...)``: the fields of :class:`Window`, with ids as int16.

    Padding has id 0 and -1 everywhere else.
    """

    ids: np.ndarray
    kinds: np.ndarray
    hints: np.ndarray
    ordinals: np.ndarray
    links: np.ndarray


def _padded(windows: list[Window], width: int) -> Batch:
    def stack(name: str, fill: int, dtype: type) -> np.ndarray:
        parts = [getattr(window, name) for window in windows]
        result = np.full((len(parts), width, *parts[0].shape[1:]), fill, dtype=dtype)
        for row, part in zip(result, parts, strict=True):
            row[: len(part)] = part
        return result

    return Batch(
        ids=stack("ids", 0, np.int16),
        kinds=stack("kinds", -1, np.int8),
        hints=stack("hints", -1, np.int8),
        ordinals=stack("ordinals", -1, np.int8),
        links=stack("links", -1, np.int16),
    )


def batches(
    windows: list[Window], padded_tokens: int, rng: np.random.Generator, multiple: int = 32
) -> list[Batch]:
    """Group windows of like length into padded batches of about ``padded_tokens`` tokens, in random order.

    Lengths are padded to a multiple of ``multiple``.
    """
    ordered = sorted(windows, key=lambda window: len(window.ids))

    def width(index: int) -> int:
        return -(-len(ordered[index].ids) // multiple) * multiple

    result, begin = [], 0
    while begin < len(ordered):
        end = begin + 1
        while end < len(ordered) and width(end) * (end + 1 - begin) <= padded_tokens:
            end += 1
        result.append(_padded(ordered[begin:end], width(end - 1)))
        begin = end
    return [result[i] for i in rng.permutation(len(result))]
