"""The MIDI file a score came from: what the model does not know, kept and written back."""

from __future__ import annotations

import warnings
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from midigpt_nb import _core
from midigpt_nb.score.general_midi import program_name
from midigpt_nb.score.table import bar_starts

if TYPE_CHECKING:
    import numpy.typing as npt

__all__ = ["SourceFile"]

_DEFAULT_TEMPO = 500000  # microseconds per quarter note where a file has not said anything yet


@dataclass(frozen=True, eq=False)
class SourceFile:
    """A file's own events, and the table that was read from them.

    `file` has every event of every chunk. `origin` is never edited: a note of a later table has changed when
    it differs from the note of `origin` with the same source event.
    """

    file: _core.MidiFile
    origin: _core.ScoreTable

    def names_for(self, table: _core.ScoreTable) -> list[str]:
        """A name from the file for each track, "" where the file has none.

        A chunk that holds one visible track lends it its name; with several, the program's name is put
        behind.
        """
        if table.n_tracks != self.origin.n_tracks:
            return [""] * table.n_tracks
        chunks = [chunk for chunk, _, _ in self.file.track_sources]
        chunk_names, sharing = self.file.chunk_names, Counter(chunks)
        names = []
        for (chunk, channel, program), name in zip(
            self.file.track_sources, (chunk_names[chunk].strip() for chunk in chunks), strict=True
        ):
            shared = sharing[chunk] > 1
            names.append(f"{name}: {program_name(program, drum=channel == 9)}" if name and shared else name)
        return names

    def rewritten(self, table: _core.ScoreTable, names: list[str]) -> bytes:
        """The file with only the notes replaced in which `table` differs from what was read.

        When bars were inserted, removed before the end or given another metre, the file's events have no
        place in the new piece: then a plain file is written, and a `UserWarning` says so.
        """
        if not self.file.can_hold(table):
            warnings.warn(
                "the bars differ from those of the file this score came from, so its controllers, "
                "tempo changes and text cannot be kept; a plain file is written",
                stacklevel=4,
            )
            return _core.write_midi(table, names)
        own = self.names_for(self.origin)
        names = ["" if name in own[track : track + 1] else name for track, name in enumerate(names)]
        return _core.rewrite_midi(self.file, self.origin.resampled(table.resolution), table, names)

    def tempo_map(self, resolution: int, first_tempo: int) -> list[tuple[int, int]]:
        """Tempo changes as (tick of `resolution`, microseconds per quarter note); the first is at tick 0.

        `first_tempo` stands for the file's first tempo, which a score may have changed. Tempi of 0 are left
        out.
        """
        changes = self.file.tempo_map
        if not changes:
            return [(0, first_tempo)]
        tempi = [first_tempo, *(tempo for _, tempo in changes[1:])]
        ticks = self._score_ticks(np.array([tick for tick, _ in changes], np.int64), resolution).tolist()
        merged = {0: _DEFAULT_TEMPO} | {
            tick: tempo for tick, tempo in zip(ticks, tempi, strict=True) if tempo > 0
        }
        return sorted(merged.items())

    def _score_ticks(self, ticks: npt.NDArray[np.int64], resolution: int) -> npt.NDArray[np.int64]:
        """Nominal score ticks of file ticks; more than a scale apart where the file cuts a bar short."""
        scale = resolution / self.file.ticks_per_quarter
        starts = self.file.bar_starts
        if self.origin.n_tracks == 0:
            return np.rint(ticks * scale).astype(np.int64)
        nominal = bar_starts(self.origin) * (resolution / self.origin.resolution)
        bar = np.clip(np.searchsorted(starts, ticks, side="right") - 1, 0, None)
        return np.rint(nominal[bar] + (ticks - starts[bar]) * scale).astype(np.int64)
