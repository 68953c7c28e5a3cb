"""The vocabulary as plain lookup lists, made once per engine so that no token is looked up by name in a
loop.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from midigpt_nb.attributes import AttributeAnalyzer

__all__ = ["Symbols"]

_CONTENT = (
    "TimeAbsolutePos",
    "NoteOnset",
    "NotePitch",
    "NoteDuration",
    "VelocityLevel",
    "Delta",
    "DeltaDirection",
)


class Symbols:
    """Type number and value per token id, and the facts the sampler and the note parser need.

    `types[id]`, `values[id]`; one attribute per structural type with its type number (when the model lacks
    it, a number below 0 that no other has); `content[id]`: the token describes a note; `velocities[level]`;
    `track_slots`/`bar_slots`: attribute name -> column.
    """

    NoteOnset: int
    NoteDuration: int
    TimeAbsolutePos: int
    VelocityLevel: int
    Delta: int
    DeltaDirection: int
    FillInStart: int
    FillInEnd: int
    FillInPlaceholder: int
    Bar: int
    BarEnd: int
    Track: int
    TimeSig: int

    def __init__(self, vocab: Any, analyzer: AttributeAnalyzer) -> None:
        self.size = int(vocab.size)
        decoded = [vocab.decode(i) for i in range(self.size)]
        names = [_name(kind) for kind, _ in decoded]
        numbers = {name: i for i, name in enumerate(dict.fromkeys(names))}
        self.type_names = list(numbers)
        self.types = [numbers[name] for name in names]
        self.values = [int(value) for _, value in decoded]
        for i, name in enumerate(Symbols.__annotations__):
            setattr(self, name, numbers.get(name, -1 - i))
        self.content = np.array([name in _CONTENT for name in names], dtype=bool)
        self.track_slots = _slots(vocab.track_slots, analyzer, "track")
        self.bar_slots = _slots(vocab.bar_slots, analyzer, "bar")
        self.n_track_slots, self.n_bar_slots = len(vocab.track_slots), len(vocab.bar_slots)
        self.track_type_names = {n: vocab.track_slots[s] for n, s in self.track_slots.items()}
        self.bar_type_names = {n: vocab.bar_slots[s] for n, s in self.bar_slots.items()}
        attribute_types = {*vocab.track_slots, *vocab.bar_slots}
        self.attribute_names = {numbers[str(t)]: str(t) for t in attribute_types if str(t) in numbers}
        self.velocities = _velocities(vocab, numbers)

    def type_name(self, token: int) -> str:
        """The type of a token, in words."""
        return self.type_names[self.types[token]]


def _name(kind: Any) -> str:
    return kind if isinstance(kind, str) else str(kind.name)


def _slots(slots: Iterable[Any], analyzer: AttributeAnalyzer, level: str) -> dict[str, int]:
    """Attribute name -> column, for the emitted attributes of one level."""
    columns = {_name(slot): i for i, slot in enumerate(slots)}
    found = {}
    for row in analyzer.attributes:
        if row.level != level or not row.emitted:
            continue
        for token_type in (row.token_type, *row.token_aliases):
            if token_type in columns:
                found[row.name] = columns[token_type]
                break
    return found


def _velocities(vocab: Any, numbers: dict[str, int]) -> list[int]:
    """The loudness each level stands for, asked of the decoder itself."""
    from midigpt_nb import _core

    if "VelocityLevel" not in numbers:
        return []
    kind = _core.TokenType
    levels = range(int(vocab.domain_size(kind.VelocityLevel)))
    tokens = [vocab.encode(kind.Track, 1), vocab.encode(kind.Bar, 0)]
    for level in levels:
        tokens += [vocab.encode(kind.VelocityLevel, level), vocab.encode(kind.NoteOnset, 36)]
    tokens += [vocab.encode(kind.BarEnd, 0), vocab.encode(kind.TrackEnd, 0)]
    table = _core.decode(vocab, np.array(tokens, dtype=np.int32), resample=False)[0]
    return [int(v) for v in table.notes[:, 3]]
