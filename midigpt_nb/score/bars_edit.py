"""Edits of bars and tracks: the score and the file it came from are rearranged together."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from midigpt_nb import _core
from midigpt_nb.errors import ScoreError
from midigpt_nb.score.source import (
    SourceFile,
    matched_sources,
    with_note_sources,
    with_read_durations,
    with_sources,
)
from midigpt_nb.score.table import bar_rows_of_notes, bars_from_table, tracks_of_bar_rows
from midigpt_nb.score.timeline import (
    FOREVER,
    Arrangement,
    FileBars,
    PlannedBar,
    file_arrangement,
    metres_of,
    planned_table,
    rebarred_arrangement,
    rebarred_table,
)

if TYPE_CHECKING:
    import numpy.typing as npt

    from midigpt_nb.score.model import Score

__all__ = [
    "arranged",
    "in_order",
    "kept_plan",
    "midi_in_order",
    "own_file",
    "plan_of",
    "rebarred",
    "settled",
    "with_order_of_tracks",
    "with_tempo",
    "with_track_rows",
]


def plan_of(score: Score, bars: Sequence[int]) -> list[PlannedBar]:
    """A plan of old bars."""
    metres = metres_of(score.table)
    return [PlannedBar(bar, metres[bar]) for bar in bars]


def kept_plan(score: Score) -> list[PlannedBar]:
    """The plan that changes nothing."""
    return plan_of(score, range(score.n_bars))


def arranged(score: Score, plan: Sequence[PlannedBar]) -> Score:
    """The score with the bars of the plan."""
    table = score.table
    source, table = _fitting_source(score, table)
    new_table = planned_table(table, plan)
    if source is not None:
        new_source, event_of = source.arranged(plan)
        new_table = _of(new_table, new_source, event_of)
        new_table = with_read_durations(table, new_table, event_of, (source, new_source))
        source = new_source
    return score._like(new_table, source)


def _fitting_source(score: Score, table: _core.ScoreTable) -> tuple[SourceFile | None, _core.ScoreTable]:
    """The score's source with the bars of its table, and the table pointing into it."""
    if score._source is None:
        return None, table
    source, event_of = score._source.holding(table)
    if source is None:
        warnings.warn(
            "the tracks disagree about the metres of their bars, so the controllers, tempo changes and "
            "text of the file this score came from are not kept",
            stacklevel=4,
        )
        return None, table
    table = with_sources(table, event_of)
    if table.tempo != source.origin.tempo:  # a changed first tempo goes into the file, where it has its place
        changes = source.file.tempo_map or [(0, table.tempo)]
        plan = [PlannedBar(bar, metre) for bar, metre in enumerate(metres_of(table))]
        made = file_arrangement(source.file, plan)
        source, event_of = source.assembled(made, (), [(changes[0][0], table.tempo), *changes[1:]])
        table = with_sources(table, event_of)
    return source, table


def _of(table: _core.ScoreTable, source: SourceFile, event_of: npt.NDArray[np.int32]) -> _core.ScoreTable:
    """The table with the first tempo and the events of a new file."""
    return _retimed(with_sources(table, event_of), source.origin.tempo)


def rebarred(score: Score, first: int, last: int, metre: tuple[int, int]) -> Score:
    """Bars [first, last) under another metre; the music keeps its time."""
    table = score.table
    bars_of_tracks = {
        table.bars[slice(*table.bar_rows(track)), 1:3].tobytes() for track in range(table.n_tracks)
    }
    if len(bars_of_tracks) > 1:
        raise ScoreError("the tracks have different bars; give all of them bars of the same metres first")
    source, table = _fitting_source(score, table)
    new_table = rebarred_table(table, first, last, metre)
    if source is not None:
        source, event_of = source.assembled(rebarred_arrangement(source.file, table, first, last, metre))
        new_table = _of(new_table, source, event_of)
    return score._like(new_table, source)


def own_file(score: Score) -> SourceFile:
    """The source of the score, or for one made by hand that of the file it would be written to.

    A track has a chunk in it from its first notes on: what is not heard is not read, so a chunk for a silent
    one would be nobody's.
    """
    if score._source is not None:
        return score._source
    part = _only(score, _sounding(score.table))
    return _as_long_as(
        score, SourceFile(*_core.read_midi(_core.write_midi(part.table, part._track_labels())))
    )


def _as_long_as(score: Score, source: SourceFile) -> SourceFile:
    """The file with all bars of the score, where those with notes are fewer."""
    return source.arranged(kept_plan(score))[0] if len(source.file.bars) < score.n_bars else source


def with_tempo(score: Score, tempo: int, first: int, last: int | None) -> Score:
    """Bars [first, last) at one tempo; None for the last: to the end of the piece.

    The tempo from before comes back behind them.
    """
    table = score.table
    if first == 0 and last is None and score._source is None:
        return score._like(_retimed(table, tempo), None)
    score = score if score._source is not None else score._like(table, own_file(score))
    source, table = _fitting_source(score, table)
    if source is None:
        raise ScoreError("the tracks disagree about the metres of their bars; a tempo has no place there")
    old = FileBars(source.file)
    plan = [PlannedBar(bar, metre) for bar, metre in enumerate(metres_of(table))]
    made = file_arrangement(source.file, plan)
    begin = made.bars[first][0]
    end = made.bars[last][0] if last is not None and last < len(made.bars) else None
    changes = [(0, 500000), *((tick, value) for tick, value in source.file.tempo_map if value > 0)]
    tempi = [(tick, value) for tick, value in changes[1:] if tick < begin]
    tempi.append((begin, tempo))
    if end is not None:
        after = [value for tick, value in changes if tick <= end][-1]
        tempi += [(end, after), *((tick, value) for tick, value in changes[1:] if tick > end)]
    whole = Arrangement([(0, 0, FOREVER, 0, False)], made.bars or [(0, old.ticks((4, 4)), 4, 4)], made.length)
    new_source, event_of = source.assembled(whole, (), tempi)
    return score._like(_retimed(with_sources(table, event_of), new_source.origin.tempo), new_source)


def _retimed(table: _core.ScoreTable, tempo: int) -> _core.ScoreTable:
    return _core.ScoreTable(table.notes, table.bars, table.tracks, table.resolution, tempo, table.note_source)


# ---- tracks ----------------------------------------------------------------------------------------


def _sounding(table: _core.ScoreTable) -> list[int]:
    """The tracks with notes."""
    return sorted(set(_track_of_notes(table).tolist()))


def _track_of_notes(table: _core.ScoreTable) -> np.ndarray:
    return tracks_of_bar_rows(table, bar_rows_of_notes(table))


def with_order_of_tracks(score: Score, order: Sequence[int]) -> Score:
    """The score with these tracks in this order; a track may come twice.

    What belongs to the others goes with them.
    """
    table = score.table
    new_table = table.window(list(order), 0, score.n_bars)
    source = score._source
    gone = [track for track in range(table.n_tracks) if track not in order]
    if source is not None and gone:
        fitting, table = _fitting_source(score, table)
        source = fitting
        if source is not None:
            origins = source.tracks_of(table, score._track_labels())
            dropped = [old for old in (origins[track] for track in gone) if old is not None]
            new_table = table.window(list(order), 0, score.n_bars)
            source, event_of = source.arranged(kept_plan(score), dropped)
            new_table = _of(new_table, source, event_of)
    names, attributes = score._track_labels(), score._track_attributes()
    new = score._like(
        new_table, source, names=[names[i] for i in order], attributes=[dict(attributes[i]) for i in order]
    )
    if source is None or list(order) == sorted(set(order)):
        return new
    if gone:
        return _with_chunks_in_order(new, source.tracks_of(new_table, new._track_labels()))
    before = source.tracks_of(table, names)  # while tracks without notes or names are at their places
    firsts = [track not in order[:i] for i, track in enumerate(order)]
    return _with_chunks_in_order(
        new, [before[track] if first else None for track, first in zip(order, firsts, strict=True)]
    )


def _with_chunks_in_order(score: Score, origins: Sequence[int | None]) -> Score:
    """The score with the chunks of its file in the order of its tracks, so that they are read in that order.

    `origins` is the track that each was read as. Tracks that share a chunk stay as they are; chunks without
    tracks keep their places. A silent track that was read keeps its chunk, with the notes that it had there;
    one that was not read has none, and gets it with its first notes.
    """
    source = score._source
    assert source is not None
    is_new = [old is None for old in origins]
    if not any(is_new[track] for track in _sounding(score.table)):
        moved = _with_chunk_order(score, source, [old for old in origins if old is not None])
        assert moved._source is not None
        found = moved._source.tracks_of(moved.table, moved._track_labels())
        in_order = [old for old in found if old is not None]
        if [old is None for old in found] == is_new and in_order == sorted(in_order):
            return moved
    written, place_of = settled(score, origins)
    file = written._source
    if file is None or file is source or place_of is None:
        return score
    return _with_chunk_order(written, file, [-1 if old is None else old for old in place_of])


def in_order(score: Score) -> Score:
    """The score with the chunks of its file in the order of its tracks, where it is another one."""
    if score._source is None:
        return score
    origins = score._source.tracks_of(score.table, score._track_labels())
    known = [old for old in origins if old is not None]
    return score if known == sorted(known) else _with_chunks_in_order(score, origins)


def settled(
    score: Score, origins: Sequence[int | None] | None = None
) -> tuple[Score, list[int | None] | None]:
    """The score with a file that has its notes, and the track of that file that each of its tracks is: None
    for one that the file does not have, None for all where it cannot be read as the tracks of the score.

    A track that has lost its notes since it was read keeps its chunk with them, so that it is known when it
    has notes again. One that never had any has no chunk. `origins` is the track that each was read as, where
    more is known of it than its notes, name and place.
    """
    source, table = score._source, score.table
    if source is None:
        found = iter(range(table.n_tracks))
        sounding = _sounding(table)
        place_of = [next(found) if track in sounding else None for track in range(table.n_tracks)]
        written = own_file(score)
    else:
        if origins is None:
            origins = source.tracks_of(table, score._track_labels())
        part, of_part = _part_with_chunks(score, source, origins)
        written = SourceFile(*_core.read_midi(part._midi_bytes(in_order=False)), source.n_dropped)
        written = _as_long_as(score, written)
        places = _places_as_written([origins[track] for track in of_part])
        place_of = [None] * table.n_tracks
        for track, place in zip(of_part, places, strict=True):
            place_of[track] = place
    heard = sorted(place for place in place_of if place is not None)
    if heard != list(range(written.origin.n_tracks)) or not written.file.can_hold(table):
        return score._like(with_note_sources(table, np.full(table.n_notes, -1)), written), None
    numbers = [-1 if place is None else place for place in place_of]
    sources = matched_sources(written.origin.resampled(score.resolution), table, numbers)
    return score._like(with_note_sources(table, sources), written), place_of


def _part_with_chunks(
    score: Score, source: SourceFile, origins: Sequence[int | None]
) -> tuple[Score, list[int]]:
    """The score of the tracks that have notes or had some in the file, those that lost them with the ones of
    the file; and which tracks they are.
    """
    table = score.table
    sounding = _sounding(table)
    emptied = [track for track, old in enumerate(origins) if old is not None and track not in sounding]
    if not source.file.can_hold(table):  # notes of bars that are other ones now would lead events astray
        emptied = []
    tracks = sorted([*sounding, *emptied])
    part = _only(score, tracks)
    before = source.origin.resampled(table.resolution)
    for track in emptied:
        old = origins[track]
        assert old is not None
        for bar, was in zip(
            part.tracks[tracks.index(track)].bars, bars_from_table(before, old), strict=False
        ):
            bar.notes = was.notes
    return part, tracks


def _only(score: Score, tracks: Sequence[int]) -> Score:
    """The score of some of its tracks; all that its file says is still there."""
    names, attributes = score._track_labels(), score._track_attributes()
    return score._like(
        score.table.window(list(tracks), 0, score.n_bars),
        score._source,
        names=[names[track] for track in tracks],
        attributes=[attributes[track] for track in tracks],
    )


def midi_in_order(score: Score, data: bytes) -> bytes:
    """`data`, the file that a score with a source was written to, with its chunks in the order of the
    score's tracks where a new track was put behind tracks that it stands before. Otherwise `data` itself.
    """
    source, table = score._source, score.table
    if source is None or not _has_only_new_notes(table).any():
        return data
    sounding = _sounding(table)
    origins = source.tracks_of(table, score._track_labels())
    is_new = [origins[track] is None for track in sounding]
    if is_new == sorted(is_new):  # new ones stand last in the score, too
        return data
    heard = _places_as_written([origins[track] for track in sounding])
    written = SourceFile(*_core.read_midi(data))
    if sorted(heard) != list(range(written.origin.n_tracks)) or not written.file.can_hold(table):
        return data
    order = _chunk_order(written, heard)
    ordered, _ = written.assembled(file_arrangement(written.file, kept_plan(score)), chunk_order=order)
    return data if ordered.n_dropped else ordered.rewritten(ordered.origin, [])  # no lyric goes for an order


def _has_only_new_notes(table: _core.ScoreTable) -> np.ndarray:
    """Per track with notes: whether none of them came from a file."""
    track = _track_of_notes(table)
    latest = np.full(table.n_tracks, -2)
    np.maximum.at(latest, track, table.note_source)
    return latest == -1


def _with_chunk_order(score: Score, source: SourceFile, place_of: Sequence[int]) -> Score:
    """`place_of` is the track of the file that each track of the table is; -1 for one that is not in it."""
    order = _chunk_order(source, place_of)
    if order == sorted(order) or not source.file.can_hold(score.table):
        return score
    plan = file_arrangement(source.file, kept_plan(score))
    ordered, event_of = source.assembled(plan, chunk_order=order)
    return score._like(with_sources(score.table, event_of), ordered)


def _chunk_order(source: SourceFile, place_of: Sequence[int]) -> list[int]:
    """A new place for each chunk of a file, so that its tracks come in the order of `place_of`."""
    seats = source.file.track_sources
    chunks = [seats[place][0] for place in place_of if place >= 0]
    wanted = list(dict.fromkeys(chunks))
    order = list(range(source.file.n_chunks))
    for place, chunk in zip(sorted(wanted), wanted, strict=True):
        order[chunk] = place
    return order


def _places_as_written(origins: Sequence[int | None]) -> list[int]:
    """Which track of the written file each of some tracks is, all of which are read from it: those that it
    was read with in their order, and new ones last.
    """
    known = sorted(old for old in origins if old is not None)
    new = iter(range(len(known), len(origins)))
    return [next(new) if old is None else known.index(old) for old in origins]


def with_track_rows(score: Score, rows: np.ndarray) -> Score:
    """The score with other instruments: (t, 3) rows of `tracks`."""
    table = score.table
    new = _core.ScoreTable(table.notes, table.bars, rows, table.resolution, table.tempo, table.note_source)
    return score._like(new, score._source)
