"""What was announced and reached in bars that the model wrote, found again by the notes in them.

A report belongs to notes, not to a moment: undo, redo, takes and edits change which report is true of a bar.
So every report is kept under a digest of its bar's notes, and what is shown is looked up with the notes that
are there. A bar that was edited has none.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from midigpt_nb._core import ScoreTable
    from midigpt_nb.inference.report import Report

__all__ = ["ReportMemory", "bar_digest"]

_KEPT = 20_000
"""Places (bars of one version) that are remembered."""

Facts = dict[str, tuple["int | None", "float | None"]]


class ReportMemory:
    """Announced values and adherence by (track, bars) and notes.

    >>> memory = ReportMemory()
    >>> memory.values(Score.example().table)
    ({'track': {}, 'bar': {}}, {'track': {}, 'bar': {}})
    """

    def __init__(self) -> None:
        self._facts: OrderedDict[tuple[int, int | None, tuple[int, ...], bytes], Facts] = OrderedDict()

    def learn(self, report: Report, table: ScoreTable) -> None:
        """Keep the rows of a report on the bars of `table`, which holds what was written."""
        digests: dict[tuple[int, tuple[int, ...]], bytes] = {}
        for row in (*report, *report.chords):
            place = (row.track, row.bars)
            if place not in digests:
                digests[place] = bar_digest(table, row.track, row.bars)
            key = (row.track, row.bar, row.bars, digests[place])
            self._facts.setdefault(key, {})[row.name] = (row.announced, row.adherence)
            self._facts.move_to_end(key)
        while len(self._facts) > _KEPT:
            self._facts.popitem(last=False)

    def values(self, table: ScoreTable) -> tuple[dict[str, Any], dict[str, Any]]:
        """(announced, adherence) of the bars that still are as they were written, in the shape of the
        `attributes` trait. Where several reports fit, the last one counts.
        """
        announced: dict[str, Any] = {"track": {}, "bar": {}}
        adherence: dict[str, Any] = {"track": {}, "bar": {}}
        digests: dict[tuple[int, tuple[int, ...]], bytes] = {}
        for (track, bar, bars, digest), facts in list(self._facts.items()):
            if track >= table.n_tracks or max(bars, default=0) >= table.n_bars(track):
                continue
            place = (track, bars)
            if place not in digests:
                digests[place] = bar_digest(table, track, bars)
            if digests[place] == digest:
                for name, (said, kept) in facts.items():
                    _put(announced, track, bar, name, said)
                    _put(adherence, track, bar, name, kept)
        return announced, adherence


def _put(values: dict[str, Any], track: int, bar: int | None, name: str, value: float | None) -> None:
    if value is None:
        return
    if bar is None:
        values["track"].setdefault(str(track), {})[name] = value
    else:
        values["bar"].setdefault(str(track), {}).setdefault(str(bar), {})[name] = value


def bar_digest(table: ScoreTable, track: int, bars: Iterable[int]) -> bytes:
    """Equal for equal notes of these bars (onset, duration, pitch, velocity), in whatever order."""
    found = hashlib.blake2b(digest_size=12)
    for bar in bars:
        first, last = table.note_rows(track, bar)
        notes = np.ascontiguousarray(table.notes[first:last, :4])
        found.update(notes[np.lexsort(notes.T[::-1])].tobytes())
        found.update(b"|")
    return found.digest()
