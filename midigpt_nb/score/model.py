"""Score, Track, Bar and Note: music as a musician who programs expects it.

A score that came from a file or from the engine *is* its flat table until somebody looks inside. The first
look at ``score.tracks`` (for notes: at ``track.bars``) makes Python objects, and from then on those are the
truth; the table is made anew from them when work asks for it. What the model does not know (tempo map,
controllers, lyrics, names) stays in the source file that rides beside the table, and `Score.to_midi` writes
it back untouched.
"""

from __future__ import annotations

import copy
import hashlib
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

import numpy as np

from midigpt_nb import _core
from midigpt_nb.errors import ScoreError, brief
from midigpt_nb.score import bars_edit, chords, edit
from midigpt_nb.score import table as conversion
from midigpt_nb.score.diff import ScoreDiff
from midigpt_nb.score.foreign import other_kind, unread_file
from midigpt_nb.score.general_midi import program_name
from midigpt_nb.score.places import whole
from midigpt_nb.score.source import SourceFile

if TYPE_CHECKING:
    import numpy.typing as npt
    import pretty_midi

__all__ = ["Bar", "Note", "Score", "Track"]


_T = TypeVar("_T")


def _list_of(values: list[_T], name: str) -> list[_T]:
    """The list itself; a tuple becomes one, and everything else is refused."""
    if isinstance(values, list):
        return values
    if not isinstance(values, tuple):
        raise ScoreError(f"{name} is {brief(values)}; it must be a list")
    return list(values)


def _require(value: object, kind: type, name: str) -> None:
    if not isinstance(value, kind):
        raise ScoreError(f"{name} is {brief(value)}; it must be a {kind.__name__}")


def _path_of(path: object) -> Path:
    if not isinstance(path, (str, PathLike)):
        raise ScoreError(f"{brief(path)} is no path of a file")
    return Path(path)


@dataclass(slots=True)
class Note:
    """One note of a bar.

    `pitch` 0-127 and `velocity` 0-127 are MIDI's. `onset_ticks` counts from the start of the bar that holds
    the note and `duration_ticks` may run past its end; both are ticks of `Score.resolution`. `delta` is the
    microtiming left over by a coarser grid, in 1/resolution of a tick.

    >>> Note(60, 100, 0, 480)
    Note(pitch=60, velocity=100, onset_ticks=0, duration_ticks=480, delta=0)
    """

    pitch: int
    velocity: int
    onset_ticks: int
    duration_ticks: int
    delta: int = 0
    # Index of the note-on event in the source file. It travels with the note, so that an edit is found by
    # comparison.
    _source: int = field(default=-1, repr=False, compare=False, kw_only=True)


class Bar:
    """The notes that start between two bar lines, and the time signature there.

    >>> Bar(ts_numerator=7, ts_denominator=8).beat_length
    3.5
    """

    __slots__ = ("_unfinished", "future", "notes", "ts_denominator", "ts_numerator")

    def __init__(
        self,
        notes: list[Note] | None = None,
        ts_numerator: int = 4,
        ts_denominator: int = 4,
        beat_length: float | None = None,
        future: bool = False,
    ) -> None:
        self.notes: list[Note] = [] if notes is None else _list_of(notes, "notes")
        self.ts_numerator = ts_numerator
        self.ts_denominator = ts_denominator
        self.future = future
        self._unfinished = False
        if beat_length is not None:
            self.beat_length = beat_length

    @property
    def beat_length(self) -> float:
        """Length in quarter notes (7/8 is 3.5), from the time signature; another one raises `ScoreError`."""
        if self._unfinished:
            return 0.0
        try:
            return 4.0 * self.ts_numerator / self.ts_denominator
        except (TypeError, ZeroDivisionError):
            raise ScoreError(
                f"a time signature of {self.ts_numerator!r}/{self.ts_denominator!r} is none; "
                "allowed: two whole numbers from 1"
            ) from None

    @beat_length.setter
    def beat_length(self, value: float) -> None:
        if value != self.beat_length:
            raise ScoreError(
                f"a bar of {self.ts_numerator}/{self.ts_denominator} lasts {self.beat_length:g} quarters, "
                f"not {value!r}; set the time signature and leave beat_length out"
            )

    def _key(self) -> tuple[object, ...]:
        return self.ts_numerator, self.ts_denominator, self.future, self.notes

    def __eq__(self, other: object) -> bool:
        return self._key() == other._key() if isinstance(other, Bar) else NotImplemented

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Bar({len(self.notes)} notes, {self.ts_numerator}/{self.ts_denominator})"


class Track:
    """One instrument: its bars, its General MIDI program and whether it is a drum kit.

    `instrument` is the program 0-127 (for drums, the kit). `track_type` is "melodic" or "drum". `attributes`
    holds values measured or asked for, by name. `name` is for people; "" means the name of the program.

    >>> Track([Bar(), Bar()], instrument=33)
    Track(2 bars, Electric Bass (finger))
    """

    __slots__ = ("_bars", "_origin", "attributes", "instrument", "name", "track_type")

    def __init__(
        self,
        bars: list[Bar] | None = None,
        instrument: int = 0,
        track_type: str = "melodic",
        attributes: dict[str, int] | None = None,
        name: str = "",
    ) -> None:
        self._bars: list[Bar] | None = [] if bars is None else _list_of(bars, "bars")
        # Where the bars come from while nobody has looked at them.
        self._origin: conversion.TrackOrigin | None = None
        self.instrument = instrument
        self.track_type = track_type
        self.attributes: dict[str, int] = {} if attributes is None else attributes
        self.name = name

    @property
    def bars(self) -> list[Bar]:
        """The bars; objects are made when this is first read, and are the truth from then on."""
        if self._bars is None:
            assert self._origin is not None
            self._bars = conversion.bars_from_table(self._origin.table, self._origin.track)
        return self._bars

    @bars.setter
    def bars(self, bars: list[Bar]) -> None:
        self._bars = bars

    @property
    def is_drum(self) -> bool:
        """Whether this is a drum kit."""
        return self.track_type == "drum"

    @property
    def n_bars(self) -> int:
        """Number of bars, without making bar objects."""
        if self._bars is None:
            assert self._origin is not None
            return self._origin.table.n_bars(self._origin.track)
        return len(self._bars)

    @property
    def n_notes(self) -> int:
        """Number of notes, without making note objects."""
        if self._bars is None:
            assert self._origin is not None
            return conversion.n_notes_of(self._origin)
        return sum(len(bar.notes) for bar in self._bars)

    def _key(self) -> tuple[object, ...]:
        return self.instrument, self.track_type, self.attributes, self.bars

    def __eq__(self, other: object) -> bool:
        return self._key() == other._key() if isinstance(other, Track) else NotImplemented

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Track({self.n_bars} bars, {self.name or program_name(self.instrument, drum=self.is_drum)})"


class Score:
    """A piece of music: tracks of bars of notes, at `resolution` ticks per quarter note.

    `tempo` is in microseconds per quarter note: one value, the first tempo of a file; `tempo_map` has them
    all.

    >>> Score([Track([Bar([Note(60, 100, 0, 480)])])])
    Score(1 track, 1 bar, 1 note)
    """

    def __init__(self, tracks: list[Track] | None = None, resolution: int = 480, tempo: int = 500000) -> None:
        self._tracks: list[Track] | None = [] if tracks is None else _list_of(tracks, "tracks")
        self._table: _core.ScoreTable | None = None
        self._source: SourceFile | None = None
        self._names: list[str] = []  # of the table's tracks, while there are no track objects
        self._attributes: list[dict[str, int]] = []
        self.resolution = resolution
        self.tempo = tempo

    # ---- making scores ---------------------------------------------------------------------------

    @classmethod
    def from_midi(cls, source: str | PathLike[str] | bytes) -> Score:
        """Read a MIDI file, given as a path or as its bytes, at 480 ticks per quarter note.

        A track is made for each chunk, channel and program that plays notes. Raises `ScoreError` naming the
        byte when the file is malformed or cannot be read.
        """
        if isinstance(source, (bytes, bytearray, memoryview)):
            return cls.from_bytes(bytes(source))
        path = _path_of(source)
        try:
            data = path.read_bytes()
        except (OSError, ValueError) as error:
            raise ScoreError(unread_file(path, error)) from error
        try:
            return cls.from_bytes(data)
        except ScoreError as error:
            raise ScoreError(f"cannot read {str(path)!r}: {error}") from error

    @classmethod
    def from_bytes(cls, data: bytes) -> Score:
        """Read a MIDI file from memory; see `from_midi`."""
        if not isinstance(data, (bytes, bytearray, memoryview)):
            raise ScoreError(f"data is {brief(data)}; it must be the bytes of a MIDI file")
        data = bytes(data)
        try:
            file, table = _core.read_midi(data)
        except ScoreError as error:
            raise ScoreError(other_kind(data) or str(error)) from error
        if file.n_unended_notes:
            warnings.warn(
                f"{file.n_unended_notes} notes of the file never end; they are not part of the score",
                stacklevel=2,
            )
        return cls.from_table(table, source=SourceFile(file, table))

    @classmethod
    def from_table(cls, table: _core.ScoreTable, source: SourceFile | None = None) -> Score:
        """A score that is this table, with the file it came from riding beside it."""
        _require(table, _core.ScoreTable, "table")
        score = cls([], table.resolution, table.tempo)
        score._tracks, score._table, score._source = None, table, source
        score._names = source.names_for(table) if source else [""] * table.n_tracks
        return score

    @classmethod
    def example(cls) -> Score:
        """The package's own example piece: drums, bass, electric piano and flute, 16 bars."""
        return cls.from_bytes((resources.files("midigpt_nb") / "data" / "example.mid").read_bytes())

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Score:
        """The score that `to_dict` describes; absent keys take the defaults of the four classes."""
        return conversion.score_from_dict(cls, data)

    @classmethod
    def from_pretty_midi(cls, midi: pretty_midi.PrettyMIDI) -> Score:
        """The score of a `pretty_midi.PrettyMIDI` object (by way of the MIDI file it writes)."""
        from midigpt_nb.score.midi import bytes_from_pretty_midi

        if not hasattr(midi, "write"):
            raise ScoreError(f"midi is {brief(midi)}; it must be a pretty_midi.PrettyMIDI")
        return cls.from_bytes(bytes_from_pretty_midi(midi))

    # ---- the two forms ---------------------------------------------------------------------------

    @property
    def tracks(self) -> list[Track]:
        """The tracks; objects are made when this is first read, and are the truth from then on."""
        if self._tracks is None:
            assert self._table is not None
            self._tracks = conversion.tracks_from_table(self._table, self._names, self._attributes)
        return self._tracks

    @tracks.setter
    def tracks(self, tracks: list[Track]) -> None:
        self._tracks = tracks

    @property
    def table(self) -> _core.ScoreTable:
        """The flat table of this score (`_core.ScoreTable`); made anew when Python objects were looked at."""
        if self._tracks is not None:
            return conversion.table_from_tracks(self._tracks, self.resolution, self.tempo)
        assert self._table is not None
        if (self._table.resolution, self._table.tempo) != (self.resolution, self.tempo):
            self._table = conversion.relabelled(self._table, self.resolution, self.tempo)
        return self._table

    def with_table(self, table: _core.ScoreTable) -> Score:
        """A score with this table as its music, and this one's source file, names and attributes."""
        score = Score.from_table(table)
        score._source = self._source
        before, names, attributes = self.table, self._track_labels(), self._track_attributes()
        for track in range(table.n_tracks):
            is_same = track < before.n_tracks and (table.tracks[track, 1:] == before.tracks[track, 1:]).all()
            score._names[track] = names[track] if is_same else ""
            score._attributes.append(dict(attributes[track]) if is_same else {})
        return score

    def _like(
        self,
        table: _core.ScoreTable,
        source: SourceFile | None,
        *,
        names: Sequence[str] | None = None,
        attributes: Sequence[dict[str, int]] | None = None,
    ) -> Score:
        """A score of this table and file; names and attributes are this one's unless given."""
        score = type(self).from_table(table)
        score._source = source
        score._names = list(self._track_labels() if names is None else names)
        score._attributes = [
            dict(own) for own in (self._track_attributes() if attributes is None else attributes)
        ]
        return score

    def _track_labels(self) -> list[str]:
        return self._names if self._tracks is None else [track.name for track in self._tracks]

    def _track_attributes(self) -> list[dict[str, int]]:
        if self._tracks is not None:
            return [track.attributes for track in self._tracks]
        return [*self._attributes, *({} for _ in range(self.n_tracks - len(self._attributes)))]

    # ---- looking ---------------------------------------------------------------------------------

    @property
    def n_tracks(self) -> int:
        """Number of tracks."""
        return len(self._tracks) if self._tracks is not None else self.table.n_tracks

    @property
    def n_bars(self) -> int:
        """Number of bars of the longest track."""
        if self._tracks is not None:
            return max((track.n_bars for track in self._tracks), default=0)
        return max((self.table.n_bars(track) for track in range(self.n_tracks)), default=0)

    @property
    def n_notes(self) -> int:
        """Number of notes."""
        return (
            sum(track.n_notes for track in self._tracks) if self._tracks is not None else self.table.n_notes
        )

    @property
    def bar_starts(self) -> npt.NDArray[np.int64]:
        """Nominal start tick of each bar, and the end of the last: int64, (n_bars + 1,), in ticks of
        `resolution`.

        Taken from the track with the most bars.
        """
        return conversion.bar_starts(self.table)

    @property
    def tempo_map(self) -> list[tuple[int, int]]:
        """Tempo changes as (tick of `resolution`, microseconds per quarter note); the first is at tick 0."""
        if self._source is None:
            return [(0, self.tempo)]
        return self._source.tempo_map(self.resolution, self.tempo)

    @property
    def track_names(self) -> list[str]:
        """One name per track: its own or the file's, else that of its General MIDI program."""
        if self._tracks is not None:
            kinds = [(track.instrument, track.is_drum) for track in self._tracks]
        else:
            kinds = [(program, bool(drum)) for program, drum in self.table.tracks[:, 1:].tolist()]
        return [
            label or program_name(program, drum=drum)
            for label, (program, drum) in zip(self._track_labels(), kinds, strict=True)
        ]

    @property
    def source(self) -> SourceFile | None:
        """The MIDI file this score came from, or None for one made by hand."""
        return self._source

    def seconds(self, ticks: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Time in seconds from the start of the piece for ticks of `resolution`, following the tempo map.

        >>> Score().seconds([0, 480, 960]).tolist()
        [0.0, 0.5, 1.0]
        """
        starts, tempi = (np.asarray(column, dtype=np.float64) for column in zip(*self.tempo_map, strict=True))
        per_tick = tempi / 1e6 / self.resolution
        at_start = np.concatenate([[0.0], np.cumsum(np.diff(starts) * per_tick[:-1])])
        try:
            ticks = np.asarray(ticks, dtype=np.float64)
        except (TypeError, ValueError):
            raise ScoreError(f"ticks is {brief(ticks)}; allowed: a number, or numbers") from None
        segment = np.clip(np.searchsorted(starts, ticks, side="right") - 1, 0, None)
        return at_start[segment] + (ticks - starts[segment]) * per_tick[segment]

    def diff(self, other: Score) -> ScoreDiff:
        """What `other` adds to and removes from this score, bar by bar."""
        _require(other, Score, "other")
        return ScoreDiff.between(self.table, other.table)

    def hash(self) -> str:
        """SHA-256 of the music (notes, bars, tracks, resolution, tempo) in hexadecimal."""
        table = self.table
        digest = hashlib.sha256(f"{table.resolution} {table.tempo}".encode())
        for rows in (table.tracks, table.bars, table.notes):
            digest.update(f" {len(rows)} ".encode() + rows.astype("<i4").tobytes())
        return digest.hexdigest()

    # ---- new scores from this one ----------------------------------------------------------------

    def resample(self, tpq: int) -> Score:
        """This score at another resolution: onsets and durations rounded (halves to even, durations at least
        1).

        Returns the score itself when it is already at `tpq`.
        """
        tpq = whole(tpq, "tpq", 1, 2**31 - 1)
        return self if tpq == self.resolution else self.with_table(self.table.resampled(tpq))

    def copy(self) -> Score:
        """A score that shares nothing that can be changed with this one."""
        return copy.deepcopy(self)

    # Edits, each of which returns a new score: see score/edit.py.
    __iter__ = None  # a score is not a sequence, although it can be sliced
    __getitem__ = edit.part
    __add__ = edit.concatenated
    track = edit.track
    track_index = edit.track_index
    find_notes = edit.find_notes
    add_note = edit.add_note
    add_notes = edit.add_notes
    delete_notes = edit.delete_notes
    move_notes = edit.move_notes
    resize_notes = edit.resize_notes
    set_velocity = edit.set_velocity
    transpose = edit.transpose
    quantise = quantize = edit.quantise
    insert_bars = edit.insert_bars
    append_bars = edit.append_bars
    delete_bars = edit.delete_bars
    duplicate_bars = edit.duplicate_bars
    clear_bars = edit.clear_bars
    set_metre = edit.set_metre
    set_tempo = edit.set_tempo
    add_track = edit.add_track
    delete_track = edit.delete_track
    duplicate_track = edit.duplicate_track
    reorder_tracks = edit.reorder_tracks
    rename_track = edit.rename_track
    set_instrument = edit.set_instrument
    chords = chords.chords

    # ---- other forms -----------------------------------------------------------------------------

    def to_midi(
        self, path: str | PathLike[str] | None = None, *, controllers_in_new_bars: str = "keep"
    ) -> bytes | None:
        """Write a MIDI file to `path`, or return its bytes when there is none.

        A score that came from a file is that file, with only the changed notes replaced: controllers, tempo
        changes, lyrics and text stay where they were. A track's new name is written unless it shares its
        chunk with others. A new track stands where it stands in the score.

        `controllers_in_new_bars` says what becomes of the gestures that belonged to the notes of a bar that
        were all replaced (pitch bend, aftertouch, wheel, breath, expression, pedals): "keep" leaves them;
        "silence" takes them out, puts bend, aftertouch, wheel and pedals to rest at the start of the bar, and
        sets all back to what the file has where the bar ends. A channel on which another track sounds there
        is left alone.

        Raises `ScoreError` when the path cannot be written.
        """
        if controllers_in_new_bars not in ("keep", "silence"):
            raise ScoreError(
                f"controllers_in_new_bars is {controllers_in_new_bars!r}; allowed: 'keep', 'silence'"
            )
        data = self._midi_bytes(silence_gestures=controllers_in_new_bars == "silence")
        if path is None:
            return data
        place = _path_of(path)
        try:
            place.write_bytes(data)
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise ScoreError(f"cannot write {str(place)!r}: {reason}") from error
        return None

    def _midi_bytes(self, *, silence_gestures: bool = False, in_order: bool = True) -> bytes:
        """The file. With `in_order` false, new tracks stand at its end wherever they are in the score."""
        table, names = self.table, self._track_labels()
        for index, name in enumerate(names):
            if not isinstance(name, str):
                raise ScoreError(f"tracks[{index}].name is {brief(name)}; allowed: text")
        if self._source is None:
            return _core.write_midi(table, names)
        data = self._source.rewritten(table, names, silence_gestures=silence_gestures)
        return bars_edit.midi_in_order(self, data) if in_order else data

    def to_dict(self) -> dict[str, Any]:
        """The music as plain dictionaries and lists; `from_dict` reads them."""
        return conversion.score_to_dict(self)

    def to_pretty_midi(self) -> pretty_midi.PrettyMIDI:
        """The music as a `pretty_midi.PrettyMIDI` object (by way of the MIDI file)."""
        from midigpt_nb.score.midi import pretty_midi_from_bytes

        return pretty_midi_from_bytes(self._midi_bytes())

    _picture: ClassVar[Callable[[Score], bytes | None] | None] = None
    """Draws the score for a notebook; the package puts it here, as this layer draws nothing."""

    def _repr_png_(self) -> bytes | None:
        """The roll that a notebook shows for a score as the last line of a cell; None without bars."""
        return None if Score._picture is None else Score._picture(self)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Score):
            return NotImplemented
        if self._tracks is None and other._tracks is None:
            return self.table.same_as(other.table)
        return (self.tracks, self.resolution, self.tempo) == (other.tracks, other.resolution, other.tempo)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        counts: Sequence[tuple[int, str]] = [
            (self.n_tracks, "track"),
            (self.n_bars, "bar"),
            (self.n_notes, "note"),
        ]
        return f"Score({', '.join(f'{n:,} {word}' + ('' if n == 1 else 's') for n, word in counts)})"
