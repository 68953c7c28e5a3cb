"""Score objects <-> the flat table: the only converter."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from midigpt_nb import _core
from midigpt_nb.errors import ScoreError, brief

if TYPE_CHECKING:
    import numpy.typing as npt

    from midigpt_nb.score.model import Bar, Note, Score, Track

__all__ = [
    "TrackOrigin",
    "bar_lengths",
    "bar_rows_of_notes",
    "bar_starts",
    "bars_from_table",
    "distinct_metres",
    "longest_track",
    "n_notes_of",
    "relabelled",
    "score_from_dict",
    "score_to_dict",
    "table_from_tracks",
    "tracks_from_table",
    "tracks_of_bar_rows",
]

_FUTURE, _UNFINISHED = 1, 2  # BarFlag of the core's score.h


@dataclass(frozen=True, slots=True)
class TrackOrigin:
    """Where a track's bars are as long as nobody has looked at them."""

    table: _core.ScoreTable
    track: int


def bars_from_table(table: _core.ScoreTable, track: int) -> list[Bar]:
    """Bar and note objects of one track."""
    from midigpt_nb.score.model import Bar, Note

    first_bar, last_bar = table.bar_rows(track)
    rows = table.bars[first_bar:last_bar].tolist()
    if not rows:  # a track without bars; the next row belongs to another track
        return []
    ends = table.bars[first_bar + 1 : last_bar, 0].tolist()
    ends.append(int(table.bars[last_bar, 0]) if last_bar < len(table.bars) else table.n_notes)
    bars = []
    for (first_note, numerator, denominator, flags), end in zip(rows, ends, strict=True):
        notes = [
            Note(pitch, velocity, onset, duration, delta, _source=source)
            for (onset, duration, pitch, velocity, delta), source in zip(
                table.notes[first_note:end].tolist(), table.note_source[first_note:end].tolist(), strict=True
            )
        ]
        bar = Bar(notes, numerator, denominator, future=bool(flags & _FUTURE))
        bar._unfinished = bool(flags & _UNFINISHED)
        bars.append(bar)
    return bars


def n_notes_of(origin: TrackOrigin) -> int:
    """Number of notes of a track of a table."""
    start, end = _note_range(origin)
    return end - start


def _note_range(origin: TrackOrigin) -> tuple[int, int]:
    """[first, last) rows of `notes` that belong to a track."""
    table = origin.table
    first, last = table.bar_rows(origin.track)
    if first == last:
        return 0, 0
    return int(table.bars[first, 0]), int(table.bars[last, 0]) if last < len(table.bars) else table.n_notes


def tracks_from_table(
    table: _core.ScoreTable, names: Sequence[str] = (), attributes: Sequence[Mapping[str, int]] = ()
) -> list[Track]:
    """Track objects whose bars are made when they are first looked at."""
    from midigpt_nb.score.model import Track

    tracks = []
    for index, (_, instrument, is_drum) in enumerate(table.tracks.tolist()):
        track = Track(
            None,
            instrument,
            "drum" if is_drum else "melodic",
            dict(attributes[index]) if index < len(attributes) else {},
            names[index] if index < len(names) else "",
        )
        track._bars, track._origin = None, TrackOrigin(table, index)
        tracks.append(track)
    return tracks


def table_from_tracks(tracks: Sequence[Track], resolution: int, tempo: int) -> _core.ScoreTable:
    """The table of a list of tracks. Tracks nobody has looked into are copied as arrays; if that is all,
    nothing is made.

    Raises `ScoreError` naming the track, bar and note that does not fit.
    """
    _require_tracks(tracks)
    if (unchanged := _unchanged_table(tracks, resolution, tempo)) is not None:
        return unchanged
    notes: list[npt.NDArray[np.int32]] = [np.zeros((0, 5), np.int32)]
    sources: list[npt.NDArray[np.int32]] = [np.zeros(0, np.int32)]
    bars: list[npt.NDArray[np.int32]] = [np.zeros((0, 4), np.int32)]
    track_rows = []
    n_notes = n_bars = 0
    for index, track in enumerate(tracks):
        track_rows.append((n_bars, _checked_program(track, index), int(track.is_drum)))
        track_notes, track_sources, track_bars = _track_arrays(track, index)
        track_bars[:, 0] += n_notes
        n_notes, n_bars = n_notes + len(track_notes), n_bars + len(track_bars)
        notes.append(track_notes)
        sources.append(track_sources)
        bars.append(track_bars)
    return _core.ScoreTable(
        notes=np.concatenate(notes),
        bars=np.concatenate(bars),
        tracks=np.array(track_rows, np.int32).reshape(-1, 3),
        **_checked_scalars(resolution, tempo),
        note_source=np.concatenate(sources),
    )


def _require_tracks(tracks: Sequence[Track]) -> None:
    """Raises `ScoreError` where something else stands in place of a track, a bar or a list of them."""
    from midigpt_nb.score.model import Bar, Track

    if not isinstance(tracks, (list, tuple)):
        raise ScoreError(f"tracks is {brief(tracks)}; it must be a list of Track")
    for index, track in enumerate(tracks):
        if not isinstance(track, Track):
            raise ScoreError(f"tracks[{index}] is {brief(track)}; it must be a Track")
        if track.track_type not in ("melodic", "drum"):
            raise ScoreError(
                f"tracks[{index}].track_type is {brief(track.track_type)}; allowed: 'melodic', 'drum'"
            )
        bars = track._bars if track._bars is not None else []
        if not isinstance(bars, (list, tuple)):
            raise ScoreError(f"tracks[{index}].bars is {brief(bars)}; it must be a list of Bar")
        for number, bar in enumerate(bars):
            if not isinstance(bar, Bar):
                raise ScoreError(f"tracks[{index}].bars[{number}] is {brief(bar)}; it must be a Bar")
            if not isinstance(bar.notes, (list, tuple)):
                raise ScoreError(
                    f"tracks[{index}].bars[{number}].notes is {brief(bar.notes)}; it must be a list of Note"
                )


def _unchanged_table(tracks: Sequence[Track], resolution: int, tempo: int) -> _core.ScoreTable | None:
    origins = [track._origin for track in tracks if track._bars is None]
    if not origins or len(origins) < len(tracks):
        return None
    table = origins[0].table  # type: ignore[union-attr]
    rows = [(track.instrument, int(track.is_drum)) for track in tracks]
    same = (
        all(origin == TrackOrigin(table, index) for index, origin in enumerate(origins))
        and (table.n_tracks, table.resolution, table.tempo) == (len(tracks), resolution, tempo)
        and [tuple(row) for row in table.tracks[:, 1:].tolist()] == rows
    )
    return table if same else None


def _track_arrays(
    track: Track, index: int
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32], npt.NDArray[np.int32]]:
    """Notes, sources and bars of one track; first_note counts from the track's first note."""
    if track._bars is None:
        assert track._origin is not None
        table = track._origin.table
        first, last = table.bar_rows(track._origin.track)
        start, end = _note_range(track._origin)
        bars = table.bars[first:last].copy()
        bars[:, 0] -= start
        return table.notes[start:end], table.note_source[start:end], bars
    bar_rows: list[tuple[int, int, int, int]] = []
    note_rows: list[tuple[int, int, int, int, int]] = []
    sources: list[int] = []
    for bar in track._bars:
        flags = _FUTURE * bool(bar.future) + _UNFINISHED * bar._unfinished
        bar_rows.append((len(note_rows), bar.ts_numerator, bar.ts_denominator, flags))
        try:
            note_rows.extend(
                (n.onset_ticks, n.duration_ticks, n.pitch, n.velocity, n.delta) for n in bar.notes
            )
            sources.extend(n._source for n in bar.notes)
        except (AttributeError, TypeError) as error:
            raise _first_bad_note(track._bars, index) from error
    notes = _int_rows(note_rows, 5)
    if notes is None or not _notes_fit(notes):
        raise _first_bad_note(track._bars, index)
    bars_array = _int_rows(bar_rows, 4)
    if bars_array is None or (bars_array[:, 1:3] < 1).any():
        raise _first_bad_bar(track._bars, index)
    return notes, np.array(sources, np.int32), bars_array


def _int_rows(rows: Sequence[tuple[Any, ...]], columns: int) -> npt.NDArray[np.int32] | None:
    """Rows as int32, or None when a value is not a whole number or does not fit."""
    if not rows:
        return np.zeros((0, columns), np.int32)
    try:
        array = np.array(rows)
    except ValueError:  # a list among the numbers
        return None
    if (
        array.dtype.kind not in "iub"
        or array.ndim != 2
        or array.max() > np.iinfo(np.int32).max
        or array.min() < np.iinfo(np.int32).min
    ):
        return None
    return array.astype(np.int32)


def _notes_fit(notes: npt.NDArray[np.int32]) -> bool:
    midi_values = notes[:, 2:4]
    return bool((notes[:, :2] >= 0).all() and (midi_values >= 0).all() and (midi_values <= 127).all())


def _is_int(value: object, low: int, high: int) -> bool:
    return isinstance(value, (int, np.integer)) and low <= int(value) <= high


_NOTE_RANGES = {
    "pitch": (0, 127),
    "velocity": (0, 127),
    "onset_ticks": (0, 2**31 - 1),
    "duration_ticks": (0, 2**31 - 1),
    "delta": (1 - 2**31, 2**31 - 1),
}


def _first_bad_note(bars: Sequence[Bar], track: int) -> ScoreError:
    for bar, content in enumerate(bars):
        for number, note in enumerate(content.notes):
            for name, (low, high) in _NOTE_RANGES.items():
                value = getattr(note, name, note)  # what is no note is shown whole
                if not _is_int(value, low, high):
                    return ScoreError(
                        f"tracks[{track}].bars[{bar}].notes[{number}].{name} is {brief(value)}; "
                        f"allowed: a whole number {low}..{high}"
                    )
    return ScoreError(f"track {track} holds a note that is not made of whole numbers")


def _first_bad_bar(bars: Sequence[Bar], track: int) -> ScoreError:
    for bar, content in enumerate(bars):
        for name in ("ts_numerator", "ts_denominator"):
            value = getattr(content, name)
            if not _is_int(value, 1, 2**15):
                return ScoreError(
                    f"tracks[{track}].bars[{bar}].{name} is {brief(value)}; allowed: a whole number from 1"
                )
    return ScoreError(f"track {track} holds a bar whose time signature is not made of whole numbers")


def _checked_program(track: Track, index: int) -> int:
    if not _is_int(track.instrument, 0, 127):
        raise ScoreError(
            f"tracks[{index}].instrument is {brief(track.instrument)}; allowed: a General MIDI program 0..127"
        )
    return int(track.instrument)


def _checked_scalars(resolution: int, tempo: int) -> dict[str, int]:
    for name, value, low in (("resolution", resolution, 1), ("tempo", tempo, 0)):
        if not _is_int(value, low, 2**31 - 1):
            raise ScoreError(f"{name} is {brief(value)}; allowed: a whole number {low}..{2**31 - 1}")
    return {"resolution": int(resolution), "tempo": int(tempo)}


def relabelled(table: _core.ScoreTable, resolution: int, tempo: int) -> _core.ScoreTable:
    """The same rows under another resolution and tempo."""
    return _core.ScoreTable(
        notes=table.notes,
        bars=table.bars,
        tracks=table.tracks,
        **_checked_scalars(resolution, tempo),
        note_source=table.note_source,
    )


def longest_track(table: _core.ScoreTable) -> int:
    """The first of the tracks with the most bars; there must be a track."""
    return max(range(table.n_tracks), key=table.n_bars)


def bar_rows_of_notes(table: _core.ScoreTable) -> npt.NDArray[np.int64]:
    """The row of `bars` that holds each note."""
    return np.searchsorted(table.bars[:, 0], np.arange(table.n_notes), side="right") - 1


def tracks_of_bar_rows(table: _core.ScoreTable, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """The track of each of some rows of `bars`."""
    return np.searchsorted(table.tracks[:, 0], rows, side="right") - 1


def bar_lengths(table: _core.ScoreTable) -> npt.NDArray[np.int64]:
    """Nominal ticks of each row of `bars`."""
    bars = table.bars.astype(np.int64)
    return 4 * bars[:, 1] * table.resolution // np.maximum(bars[:, 2], 1)


def distinct_metres(
    bars: npt.NDArray[np.int32],
) -> tuple[list[tuple[int, int]], npt.NDArray[np.int64]]:
    """The metres of rows of `bars`, each once, ascending, and which of them each row has."""
    both = bars[:, 1].astype(np.int64) << 32 | bars[:, 2]
    distinct, which = np.unique(both, return_inverse=True)
    return [(metre >> 32, metre & 0xFFFFFFFF) for metre in distinct.tolist()], which


def bar_starts(table: _core.ScoreTable) -> npt.NDArray[np.int64]:
    """Nominal start tick of each bar of the longest track, and the end of the last: int64, (n_bars + 1,)."""
    if table.n_tracks == 0:
        return np.zeros(1, np.int64)
    first, last = table.bar_rows(longest_track(table))
    lengths = bar_lengths(table)[first:last]
    lengths[(table.bars[first:last, 3] & _UNFINISHED) != 0] = 0
    return np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)


def score_to_dict(score: Score) -> dict[str, Any]:
    """See `Score.to_dict`. Attributes and names appear only where there are some."""
    return {
        "resolution": score.resolution,
        "tempo": score.tempo,
        "tracks": [
            {
                "instrument": track.instrument,
                "track_type": track.track_type,
                **({"attributes": dict(track.attributes)} if track.attributes else {}),
                **({"name": track.name} if track.name else {}),
                "bars": [
                    {
                        "ts_numerator": bar.ts_numerator,
                        "ts_denominator": bar.ts_denominator,
                        "future": bar.future,
                        "notes": [{name: getattr(note, name) for name in _NOTE_RANGES} for note in bar.notes],
                    }
                    for bar in track.bars
                ],
            }
            for track in score.tracks
        ],
    }


def score_from_dict(cls: type[Score], data: Mapping[str, Any]) -> Score:
    """See `Score.from_dict`."""
    from midigpt_nb.score.model import Bar, Track

    def bar_of(data: Mapping[str, Any], place: str) -> Bar:
        return Bar(
            [_note_from_dict(note, here) for note, here in _rows(data, "notes", place)],
            _number(data.get("ts_numerator", 4), f"{place}.ts_numerator"),
            _number(data.get("ts_denominator", 4), f"{place}.ts_denominator"),
            future=bool(data.get("future", False)),
        )

    def track_of(data: Mapping[str, Any], place: str) -> Track:
        return Track(
            [bar_of(bar, here) for bar, here in _rows(data, "bars", place)],
            data.get("instrument", 0),
            data.get("track_type", "melodic"),
            dict(_object(data.get("attributes", {}), f"{place}.attributes")),
            data.get("name", ""),
        )

    tracks = [track_of(track, here) for track, here in _rows(_object(data, "the score"), "tracks", "")]
    return cls(tracks, data.get("resolution", 480), data.get("tempo", 500000))


def _object(data: Any, place: str) -> Mapping[str, Any]:
    if not isinstance(data, Mapping):
        raise ScoreError(f"{place} is {brief(data)}; it must be a dict")
    return data


def _rows(data: Mapping[str, Any], key: str, place: str) -> Iterator[tuple[Mapping[str, Any], str]]:
    """The dicts of a list, each with its place: ``tracks[1].bars[6]``."""
    name = f"{place}.{key}" if place else key
    items = data.get(key, ())
    if not isinstance(items, (list, tuple)):
        raise ScoreError(f"{name} is {brief(items)}; it must be a list")
    for i, item in enumerate(items):
        yield _object(item, f"{name}[{i}]"), f"{name}[{i}]"


def _note_from_dict(data: Mapping[str, int], place: str) -> Note:
    from midigpt_nb.score.model import Note

    try:
        note = Note(
            data["pitch"], data["velocity"], data["onset_ticks"], data["duration_ticks"], data.get("delta", 0)
        )
    except KeyError as error:
        raise ScoreError(f"{place} has no {error.args[0]!r}") from None
    for name in _NOTE_RANGES:
        _number(getattr(note, name), f"{place}.{name}")
    return note


def _number(value: Any, place: str) -> Any:
    """The value, when it is a number of some kind; its range is checked with all others later."""
    if not isinstance(value, (int, float, np.number)):
        raise ScoreError(f"{place} is {brief(value)}; it must be a whole number")
    return value
