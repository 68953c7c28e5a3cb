"""The MIDI file a score came from: what the model does not know, kept and written back."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from midigpt_nb import _core
from midigpt_nb.score.general_midi import program_name
from midigpt_nb.score.notes_edit import without
from midigpt_nb.score.table import bar_rows_of_notes, bar_starts, tracks_of_bar_rows
from midigpt_nb.score.timeline import (
    Arrangement,
    PlannedBar,
    bar_of_notes,
    file_arrangement,
    inferred_plan,
)

if TYPE_CHECKING:
    import numpy.typing as npt

__all__ = ["SourceFile", "matched_sources", "with_note_sources", "with_read_durations", "with_sources"]


def with_sources(table: _core.ScoreTable, event_of: npt.NDArray[np.int32] | None) -> _core.ScoreTable:
    """The table with its notes pointing at the new indices of their events; None leaves it as it is."""
    if event_of is None:
        return table
    known = (table.note_source >= 0) & (table.note_source < len(event_of))
    sources = np.full(table.n_notes, -1, np.int32)
    sources[known] = event_of[table.note_source[known]]
    return with_note_sources(table, sources)


def with_note_sources(table: _core.ScoreTable, sources: npt.ArrayLike) -> _core.ScoreTable:
    """The same music with other indices of source events."""
    return _core.ScoreTable(table.notes, table.bars, table.tracks, table.resolution, table.tempo, sources)


def matched_sources(
    origin: _core.ScoreTable, table: _core.ScoreTable, place_of: Sequence[int]
) -> npt.NDArray[np.int32]:
    """For each note of a table the event of an equal one in the same bar of its track in `origin`, or -1.

    `place_of` is the track of `origin` that each track of the table is.
    """
    free: dict[tuple[int, ...], list[int]] = {}
    for key, source in zip(_keys(origin), origin.note_source.tolist(), strict=True):
        free.setdefault(key, []).append(source)
    sources = np.full(table.n_notes, -1, np.int32)
    for i, (track, *rest) in enumerate(_keys(table)):
        if equal := free.get((place_of[track], *rest)):
            sources[i] = equal.pop(0)
    return sources


def with_read_durations(
    table: _core.ScoreTable,
    new_table: _core.ScoreTable,
    event_of: npt.NDArray[np.int32],
    sources: tuple[SourceFile, SourceFile],
) -> _core.ScoreTable:
    """`new_table` with the durations that are read from the new file, for notes that nobody has edited.

    They are other ones only where a metre change in the file cuts a bar short: a duration counts such a
    bar as whole, and the note may have come to ring over another one. `table` is the one before, `event_of`
    gives the new index of each old event, `sources` are the file before and the new one.
    """
    rows = sources[0].file.bars
    if len(rows) < 2 or (rows[1:, 0] - rows[:-1, 0] == rows[:-1, 1]).all():
        return new_table
    resolution = table.resolution
    before, after = (source.origin.resampled(resolution) for source in sources)
    old_row = _row_of_event(before, len(event_of))[np.maximum(table.note_source, 0)]
    same = (table.note_source >= 0) & (old_row >= 0)
    same[same] = (before.notes[old_row[same]] == table.notes[same]).all(axis=1)
    unedited = np.zeros(sources[1].file.n_events + 1, bool)
    unedited[event_of[table.note_source[same]]] = True
    unedited[-1] = False
    new_row = _row_of_event(after, len(unedited))[new_table.note_source]
    takes = unedited[new_table.note_source] & (new_row >= 0)
    places = (bar_of_notes(new_table)[takes], bar_of_notes(after)[new_row[takes]])
    columns = [0, 2, 3, 4]
    equal = (new_table.notes[takes][:, columns] == after.notes[new_row[takes]][:, columns]).all(axis=1)
    takes[takes] = equal & (places[0] == places[1])
    notes = np.array(new_table.notes)
    notes[takes, 1] = after.notes[new_row[takes], 1]
    return _core.ScoreTable(
        notes, new_table.bars, new_table.tracks, resolution, new_table.tempo, new_table.note_source
    )


def _row_of_event(table: _core.ScoreTable, n_events: int) -> npt.NDArray[np.int64]:
    rows = np.full(n_events, -1, np.int64)
    rows[table.note_source] = np.arange(table.n_notes)
    return rows


def _keys(table: _core.ScoreTable) -> list[tuple[int, ...]]:
    """(track, bar, values) of each note."""
    rows = bar_rows_of_notes(table)
    track = tracks_of_bar_rows(table, rows)
    bar = rows - table.tracks[:, 0][track] if len(rows) else rows
    return [tuple(row) for row in np.column_stack([track, bar, table.notes]).tolist()]


_DEFAULT_TEMPO = 500000  # microseconds per quarter note where a file has not said anything yet


@dataclass(frozen=True, eq=False)
class SourceFile:
    """A file's own events, and the table that was read from them.

    `file` has every event of every chunk. `origin` is never edited: a note of a later table has changed when
    it differs from the note of `origin` with the same source event. `n_dropped` counts lyrics, markers,
    text and other events of one moment that went with the bars they stood in, since the file was read.
    """

    file: _core.MidiFile
    origin: _core.ScoreTable
    n_dropped: int = 0

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

    def tracks_of(self, table: _core.ScoreTable, labels: Sequence[str]) -> list[int | None]:
        """Per track of a table the one it was read as; None for a new one.

        That of most of its notes; one without such notes is known by its name, program and place (see
        note_matching.h). `labels` are the names of the table's tracks.
        """
        own = self.names_for(self.origin)
        found = _core.match_tracks(self.origin, table, own, [label.strip() for label in labels])
        return [old if old >= 0 else None for old in found]

    def rewritten(
        self, table: _core.ScoreTable, names: list[str], *, silence_gestures: bool = False
    ) -> bytes:
        """The file with only the notes replaced in which `table` differs from what was read.

        Where bars were inserted, removed or given another metre by hand, the file's events move with the bars
        that their notes show; what was lost with a bar is counted in a `UserWarning`. A table whose tracks
        disagree about their bars gives a plain file, with a warning.
        """
        source: SourceFile | None = self
        if not self.file.can_hold(table):
            source, event_of = self.holding(table)
            if source is None:
                warnings.warn(
                    "the tracks disagree about the metres of their bars, so the controllers, tempo changes "
                    "and text of the file this score came from cannot be kept; a plain file is written",
                    stacklevel=4,
                )
                return _core.write_midi(table, names)
            if source.n_dropped > self.n_dropped:
                warnings.warn(
                    f"{source.n_dropped - self.n_dropped} events of the file (lyrics, markers, text) "
                    "stood in bars that are gone, and are not written",
                    stacklevel=4,
                )
            table = with_sources(table, event_of)
        assert source is not None
        own, found = source.names_for(source.origin), source.tracks_of(table, names)
        new_names = [
            "" if old is not None and name == own[old] else name
            for old, name in zip(found, names, strict=False)
        ]
        origin = source.origin.resampled(table.resolution)
        places = [-1 if old is None else old for old in found]
        return _core.rewrite_midi(source.file, origin, table, new_names, silence_gestures, places)

    def holding(self, table: _core.ScoreTable) -> tuple[SourceFile | None, npt.NDArray[np.int32] | None]:
        """A source whose bars are those of the table, and the new index of each event (None: nothing moved).

        None in place of the source when the tracks of the table disagree about their metres.
        """
        if self.file.can_hold(table):
            return self, None
        source, event_of = self.arranged(inferred_plan(self.origin, table))
        return (source, event_of) if source.file.can_hold(table) else (None, None)

    def arranged(
        self, plan: Sequence[PlannedBar], dropped_tracks: Sequence[int] = ()
    ) -> tuple[SourceFile, npt.NDArray[np.int32]]:
        """The file with the bars of a plan and without some of the tracks it was read as.

        Returns it with the index that each of its events has there (-1: none).
        """
        return self.assembled(file_arrangement(self.file, plan), dropped_tracks)

    def assembled(
        self,
        made: Arrangement,
        dropped_tracks: Sequence[int] = (),
        tempi: Sequence[tuple[int, int]] | None = None,
        chunk_order: Sequence[int] = (),
    ) -> tuple[SourceFile, npt.NDArray[np.int32]]:
        """The file as stretches of itself.

        `tempi` (file tick, microseconds), where given, replace its tempo events; `chunk_order` gives each
        track chunk a new place.
        """
        data, (event_of,), n_dropped = _core.assemble_midi(
            [(self.file, list(chunk_order), [], list(dropped_tracks))],
            made.spans,
            made.bars,
            made.length,
            self.file.ticks_per_quarter,
            tempi,
        )
        file, origin = _core.read_midi(data)
        return SourceFile(file, self.without_hidden(origin, event_of), self.n_dropped + n_dropped), event_of

    def without_hidden(self, origin: _core.ScoreTable, event_of: npt.NDArray[np.int32]) -> _core.ScoreTable:
        """The reading of a new file without the notes that the old one's reading left out.

        A note past the last bar comes to light when there are more bars. It stays in the file as it is.
        """
        was_read = np.zeros(len(event_of), bool)
        was_read[self.origin.note_source] = True
        hidden = np.isin(origin.note_source, event_of[~was_read & (event_of >= 0)])
        return without(origin, np.flatnonzero(hidden)) if hidden.any() else origin

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
