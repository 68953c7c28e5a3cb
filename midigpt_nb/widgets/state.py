"""One revision of a roll's document."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from midigpt_nb.widgets.protocol import empty_notes

if TYPE_CHECKING:
    from midigpt_nb._core import ScoreTable
    from midigpt_nb.score.model import Score

__all__ = ["State"]


@dataclass(frozen=True)
class State:
    """One revision of the document. The table never changes; `source` lends names, tempo map and file."""

    source: Score
    table: ScoreTable
    ids: NDArray[np.uint32]
    flags: NDArray[np.uint8]
    before: NDArray[np.void] = field(default_factory=empty_notes)
    track_numbers: tuple[int, ...] = ()
    bar_numbers: tuple[int, ...] = ()
    copies: Mapping[int, int] = field(default_factory=dict)  # numbers of new tracks and bars -> of what
    chords: Mapping[int, str] | None = None  # that are asked for, by bar; None: as in the state before
    decided: Mapping[str, Any] | None = None  # traits beside the music whose change was a step of its own
    music: object = field(default_factory=object)  # the same one in every state of this music
    score: Score = field(init=False)

    def __post_init__(self) -> None:
        # The score that is handed out; changing it in place does not reach into the history.
        object.__setattr__(self, "score", self.own)

    @property
    def own(self) -> Score:
        """The score as nobody else holds it: never changed in place, and no objects to be read back."""
        return self.source.with_table(self.table)
