"""Two scores one after the other, with what their files carry."""

from __future__ import annotations

import math
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from midigpt_nb import _core
from midigpt_nb.errors import ScoreError
from midigpt_nb.score.bars_edit import in_order, settled
from midigpt_nb.score.source import SourceFile, with_note_sources, with_sources
from midigpt_nb.score.timeline import FOREVER, FileBars, metres_of

if TYPE_CHECKING:
    from midigpt_nb.score.model import Score

__all__ = ["joined"]

_MOST_TICKS = 32767  # per quarter note, in a MIDI file


def joined(first: Score, second: Score) -> Score:
    """`second` after `first`. Tracks of the same name, instrument and kind go on in one track; others are
    new tracks.

    At the least common multiple of the two resolutions, so that no note moves, as far as MIDI can say it.
    """
    resolution = _common(first.resolution, second.resolution)
    a, b = first.resample(resolution), second.resample(resolution)
    seats: list[list[int | None] | None] = [None, None]  # the track of its file that each track is
    if a._source is not None or b._source is not None:
        (a, seats[0]), (b, seats[1]) = _settled(a), _settled(b)
    place_of = _places(a, b)
    table, names, attributes = _joined_table(a, b, place_of)
    source, table = _joined_source(a, b, _partners(place_of, *seats), table)
    return in_order(a._like(table, source, names=names, attributes=attributes))


def _common(a: int, b: int) -> int:
    both = math.lcm(a, b)
    return both if both <= _MOST_TICKS else max(a, b)


def _places(a: Score, b: Score) -> list[int]:
    """The track of the joined score that each track of `b` goes to."""
    free = list(range(a.n_tracks))
    labels_a, labels_b = a._track_labels(), b._track_labels()
    kinds_a, kinds_b = a.table.tracks[:, 1:].tolist(), b.table.tracks[:, 1:].tolist()
    places = [-1] * b.n_tracks
    for names_agree in (lambda x, y: x == y, lambda x, y: not x or not y):
        for track in range(b.n_tracks):
            same = [
                i for i in free if kinds_a[i] == kinds_b[track] and names_agree(labels_a[i], labels_b[track])
            ]
            if places[track] < 0 and same:
                places[track] = same[0]
                free.remove(same[0])
    n = a.n_tracks
    for track in range(b.n_tracks):
        if places[track] < 0:
            places[track], n = n, n + 1
    return places


def _joined_table(
    a: Score, b: Score, place_of: list[int]
) -> tuple[_core.ScoreTable, list[str], list[dict[str, int]]]:
    """Sources of the notes of `b` come after all of those of `a`; `_joined_source` tells them apart."""
    n_tracks = max([a.n_tracks, *(place + 1 for place in place_of)])
    from_b = {place: track for track, place in enumerate(place_of)}
    notes, sources, bars, tracks = [], [], [], []
    n_notes = n_bars = 0
    names, attributes = [], []
    for track in range(n_tracks):
        parts = (
            (a.table, track if track < a.n_tracks else None, a.n_bars, 0),
            (b.table, from_b.get(track), b.n_bars, _SHIFT),
        )
        kind = a.table.tracks[track, 1:] if track < a.n_tracks else b.table.tracks[from_b[track], 1:]
        tracks.append((n_bars, *kind.tolist()))
        for table, own, n, shift in parts:
            part_bars, part_notes, part_sources = _part(table, own, n)
            part_bars[:, 0] += n_notes
            bars.append(part_bars)
            notes.append(part_notes)
            sources.append(np.where(part_sources >= 0, part_sources + shift, -1))
            n_notes, n_bars = n_notes + len(part_notes), n_bars + len(part_bars)
        holder, own = (a, track) if track < a.n_tracks else (b, from_b[track])
        label = holder._track_labels()[own]
        names.append(label or (b._track_labels()[from_b[track]] if track in from_b else ""))
        attributes.append(dict(holder._track_attributes()[own]))
    table = _core.ScoreTable(
        np.concatenate([np.zeros((0, 5), np.int32), *notes]),
        np.concatenate([np.zeros((0, 4), np.int32), *bars]),
        np.array(tracks, np.int32).reshape(-1, 3),
        a.resolution,
        a.tempo,
        np.concatenate([np.zeros(0, np.int64), *sources]),
    )
    return table, names, attributes


_SHIFT = 2**30  # a file has fewer events than this


def _part(
    table: _core.ScoreTable, track: int | None, n_bars: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Bars (first_note counted from 0), notes and sources of one track, with empty bars up to `n_bars`."""
    held = table.n_bars(track) if track is not None else 0
    metres = metres_of(table)
    bars = np.array([(0, *metre, 0) for metre in metres[:n_bars]], np.int32).reshape(-1, 4)
    if track is None or held == 0:
        return bars, np.zeros((0, 5), np.int32), np.zeros(0, np.int32)
    first, last = table.bar_rows(track)
    start, end = table.note_rows(track, 0)[0], table.note_rows(track, held - 1)[1]
    bars[:held] = table.bars[first:last]
    bars[:held, 0] -= start
    bars[held:, 0] = end - start
    return bars, table.notes[start:end], table.note_source[start:end]


# ---- the files -------------------------------------------------------------------------------------


def _joined_source(
    a: Score, b: Score, partner_of: dict[int, int], table: _core.ScoreTable
) -> tuple[SourceFile | None, _core.ScoreTable]:
    without = with_sources(table, np.zeros(0, np.int32))
    if (a._source is None and b._source is None) or not metres_of(table):
        return None, without
    if a.n_bars == 0 or b.n_bars == 0:  # one of them is nothing but a file of settings
        holder = b if a.n_bars == 0 else a
        shift = _SHIFT if holder is b else 0
        sources = np.where(table.note_source >= shift, table.note_source - shift, -1)
        return holder._source, with_note_sources(table, sources)
    parts = [score._source for score in (a, b) if score._source is not None]
    if any(len(part.file.bars) != score.n_bars for part, score in zip(parts, (a, b), strict=True)):
        warnings.warn(
            "the bars of the two scores are not those of their files, so their controllers, tempo "
            "changes and text are not kept",
            stacklevel=4,
        )
        return None, without
    data, event_of, n_dropped = _assembled(parts[0], parts[1], partner_of)
    file, origin = _core.read_midi(data)
    for part, events in zip(parts, event_of, strict=True):
        origin = part.without_hidden(origin, events)
    source = SourceFile(file, origin, sum(part.n_dropped for part in parts) + n_dropped)
    sources = np.full(table.n_notes, -1, np.int32)
    for events, shift in zip(event_of, (0, _SHIFT), strict=True):
        mine = (table.note_source >= shift) & (table.note_source < shift + _SHIFT)
        sources[mine] = events[table.note_source[mine] - shift]
    return source, with_note_sources(table, sources)


def _settled(score: Score) -> tuple[Score, list[int | None] | None]:
    """See `bars_edit.settled`; the score itself where its file holds it as it is, or it has no bars."""
    source, table = score._source, score.table
    if score.n_bars == 0:
        return score, None
    if source is not None and source.origin.resampled(score.resolution).same_as(table):
        return score, list(range(table.n_tracks))
    return settled(score)


def _partners(
    place_of: list[int], seats_a: list[int | None] | None, seats_b: list[int | None] | None
) -> dict[int, int]:
    """The track of the first file that a track of the second one goes on in; new ones go on in none."""
    if seats_a is None or seats_b is None:
        return {}
    pairs = [(seats_b[track], seats_a[place]) for track, place in enumerate(place_of) if place < len(seats_a)]
    return {b: a for b, a in pairs if a is not None and b is not None}


def _assembled(
    a: SourceFile, b: SourceFile, partner_of: dict[int, int]
) -> tuple[bytes, list[np.ndarray], int]:
    ticks = _common(a.file.ticks_per_quarter, b.file.ticks_per_quarter)
    chunk_of, channel_of = _seats(a, b, partner_of)
    bars, tick, spans = [], 0, []
    for number, part in enumerate((a, b)):
        own = FileBars(part.file)
        scale = ticks / own.ticks_per_quarter
        for start, end, metre in zip(own.start, own.end, own.metre, strict=True):
            length = 4 * ticks * metre[0] // metre[1]
            bars.append((tick + round(start * scale), length, *metre))
            last = tick + round(end * scale)
        spans.append((number, 0, own.end[-1] if number == 0 else FOREVER, 0, number == 0))
        tick = last
    sources: Any = [(a.file, [], [], []), (b.file, chunk_of, channel_of, [])]
    return _core.assemble_midi(sources, spans, bars, bars[-1][0] + bars[-1][1], ticks)


def _seats(a: SourceFile, b: SourceFile, partner_of: dict[int, int]) -> tuple[list[int], list[list[int]]]:
    """The chunk that each chunk of `b` goes on in, and its channels there.

    A chunk goes on in one of `a` when all of its tracks do; a chunk without tracks goes on in the first one.
    Other chunks are new, on channels that the others leave free.
    """
    seats_a, seats_b = a.file.track_sources, b.file.track_sources
    chunk_of: list[int] = []
    channel_of: list[dict[int, int]] = []
    n_chunks = a.file.n_chunks
    for chunk in range(b.file.n_chunks):
        mine = [i for i, (own, _, _) in enumerate(seats_b) if own == chunk]
        partners = [seats_a[partner_of[i]] if i in partner_of else None for i in mine]
        chunks = {partner[0] if partner else None for partner in partners}
        channels = {(seats_b[i][1], partner[1]) for i, partner in zip(mine, partners, strict=True) if partner}
        is_map = len({own for own, _ in channels}) == len(channels) == len({new for _, new in channels})
        if not mine and n_chunks and a.file.format != 2:
            chunk_of.append(0)
            channel_of.append({})
        elif len(chunks) == 1 and None not in chunks and is_map:
            chunk_of.append(chunks.pop())  # type: ignore[arg-type]
            channel_of.append(dict(channels))
        else:
            chunk_of.append(n_chunks)
            channel_of.append({})
            n_chunks += 1
    taken = {new for channels in channel_of for new in channels.values()}
    kept = {channel for i, (chunk, channel, _) in enumerate(seats_b) if not channel_of[chunk]}
    free = [channel for channel in range(16) if channel != 9 and channel not in taken | kept]
    moves: dict[int, int] = {}
    for channel in sorted(kept & taken - {9}):
        if free:
            moves[channel] = free.pop(0)
    rows = [
        [channels.get(c, moves.get(c, c) if not channels else c) for c in range(16)]
        for channels in channel_of
    ]
    if len(chunk_of) and n_chunks > 0xFFFF:
        raise ScoreError("a MIDI file holds at most 65535 tracks")
    return chunk_of, rows
