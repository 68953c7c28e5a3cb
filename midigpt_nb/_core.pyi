"""Types of the compiled core. Times are ticks of the table's resolution."""

from collections.abc import Mapping, Sequence
from enum import IntEnum
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

_Int32 = npt.NDArray[np.int32]
_Int16 = npt.NDArray[np.int16]

# Score

class ScoreTable:
    """The flat score: int32 arrays grouped by track, then bar. Immutable; edits return a new table."""

    def __init__(
        self,
        notes: npt.ArrayLike,
        bars: npt.ArrayLike,
        tracks: npt.ArrayLike,
        resolution: int = 480,
        tempo: int = 500000,
        note_source: npt.ArrayLike | None = None,
    ) -> None: ...
    @property
    def notes(self) -> _Int32:
        """(n, 5): onset_ticks (from the bar's start), duration_ticks, pitch, velocity, delta. Read-only."""
    @property
    def bars(self) -> _Int32:
        """(b, 4): first_note, numerator, denominator, flags. Read-only view."""
    @property
    def tracks(self) -> _Int32:
        """(t, 3): first_bar, instrument, is_drum. Read-only view."""
    @property
    def note_source(self) -> _Int32:
        """(n,): index of each note's note-on event in the source file, -1 for a new note. Read-only view."""
    @property
    def resolution(self) -> int: ...
    @property
    def tempo(self) -> int: ...
    @property
    def n_tracks(self) -> int: ...
    @property
    def n_notes(self) -> int: ...
    def n_bars(self, track: int) -> int: ...
    def bar_rows(self, track: int) -> tuple[int, int]:
        """[first, last) rows of `bars` of a track."""
    def note_rows(self, track: int, bar: int) -> tuple[int, int]:
        """[first, last) rows of `notes` of a bar."""
    def window(self, tracks: Sequence[int], start_bar: int, end_bar: int) -> ScoreTable: ...
    def replaced(self, cells: Sequence[tuple[int, int]], notes: Sequence[npt.ArrayLike]) -> ScoreTable: ...
    def with_bars(self, track: int, metres: Sequence[tuple[int, int]]) -> ScoreTable: ...
    def with_track(self, instrument: int, is_drum: bool) -> ScoreTable: ...
    def resampled(self, resolution: int) -> ScoreTable: ...
    def same_as(self, other: ScoreTable) -> bool: ...

class MidiFile:
    """A MIDI file as it was read: every event of every chunk. Immutable."""

    @property
    def format(self) -> int: ...
    @property
    def ticks_per_quarter(self) -> int: ...
    @property
    def n_chunks(self) -> int: ...
    @property
    def n_events(self) -> int: ...
    @property
    def n_unended_notes(self) -> int:
        """Note-ons without a note-off; they are not in the table."""
    def event(self, index: int) -> tuple[int, int, bytes]:
        """(track chunk, tick, bytes with their status byte)."""
    @property
    def bar_starts(self) -> npt.NDArray[np.int64]:
        """(n_bars,): file tick at which each bar starts."""
    @property
    def bars(self) -> npt.NDArray[np.int64]:
        """(n_bars, 4) int64: start tick, nominal length in ticks, numerator, denominator of each bar."""
    @property
    def chunk_names(self) -> list[str]: ...
    @property
    def track_sources(self) -> list[tuple[int, int, int]]:
        """(track chunk, channel, program) of each track read."""
    @property
    def tempo_map(self) -> list[tuple[int, int]]:
        """(file tick, microseconds per quarter note), in order of time."""
    def can_hold(self, table: ScoreTable) -> bool: ...
    def to_bytes(self) -> bytes: ...

def bar_ticks(numerator: int, denominator: int, resolution: int) -> int: ...
def read_midi(data: bytes, resolution: int = 480) -> tuple[MidiFile, ScoreTable]: ...
def write_midi(table: ScoreTable, names: Sequence[str] = ()) -> bytes: ...
def match_tracks(
    origin: ScoreTable, table: ScoreTable, origin_names: Sequence[str] = (), names: Sequence[str] = ()
) -> list[int]: ...
def rewrite_midi(
    file: MidiFile,
    origin: ScoreTable,
    table: ScoreTable,
    names: Sequence[str] = (),
    silence_gestures: bool = False,
    origin_tracks: Sequence[int] | None = None,
) -> bytes: ...
def assemble_midi(
    sources: Sequence[tuple[MidiFile, Sequence[int], Sequence[Sequence[int]], Sequence[int]]],
    spans: Sequence[tuple[int, int, int, int, bool]],
    bars: Sequence[tuple[int, int, int, int]],
    length: int,
    ticks_per_quarter: int,
    tempi: Sequence[tuple[int, int]] | None = None,
) -> tuple[bytes, list[_Int32], int]:
    """Stretches of files one after another -> (bytes, per source the new index of each event, events gone).

    A source is (file, target chunk of each chunk, target channels of each chunk, dropped tracks), a stretch
    (source, start, end, pad, with_rest), a bar (start, length, numerator, denominator); see assemble_midi.h.
    """

# Vocabulary

class TokenType(IntEnum):
    """Kinds of tokens; values are the permanent numbers. `None` is a member too: ``TokenType["None"]``."""

    PieceStart = 0
    NoteOnset = 1
    NoteOffset = 2
    NotePitch = 3
    NonPitch = 4
    Velocity = 5
    TimeDelta = 6
    TimeAbsolutePos = 7
    Instrument = 8
    Bar = 9
    BarEnd = 10
    Track = 11
    TrackEnd = 12
    DrumTrack = 13
    FillIn = 14
    FillInPlaceholder = 15
    FillInStart = 16
    FillInEnd = 17
    Header = 18
    VelocityLevel = 19
    Genre = 20
    NoteDensity = 21
    TimeSig = 22
    Segment = 23
    SegmentEnd = 24
    SegmentFillIn = 25
    NoteDuration = 26
    AvPolyphony = 27
    MinPolyphony = 28
    MaxPolyphony = 29
    MinNoteDuration = 30
    MaxNoteDuration = 31
    NumBars = 32
    MinPolyphonyHard = 33
    MaxPolyphonyHard = 34
    MinNoteDurationHard = 35
    MaxNoteDurationHard = 36
    RestPercentage = 37
    PitchClass = 38
    PitchClassCount = 39
    BarLevelOnsetDensity = 40
    BarLevelOnsetPolyphonyMin = 41
    BarLevelOnsetPolyphonyMax = 42
    TrackLevelOnsetDensity = 43
    TrackLevelOnsetPolyphonyMin = 44
    TrackLevelOnsetPolyphonyMax = 45
    TrackLevelOnsetDensityMin = 46
    TrackLevelOnsetDensityMax = 47
    TrackLevelPitchRangeMin = 48
    TrackLevelPitchRangeMax = 49
    KeySignature = 50
    BarLevelPitchClassSet = 51
    TrackLevelSilenceProportionMin = 52
    TrackLevelSilenceProportionMax = 53
    ValenceSpotify = 54
    EnergySpotify = 55
    DanceabilitySpotify = 56
    Danceability = 57
    Tension = 58
    ContainsNoteDurationThirtySecond = 59
    ContainsNoteDurationSixteenth = 60
    ContainsNoteDurationEighth = 61
    ContainsNoteDurationQuarter = 62
    ContainsNoteDurationHalf = 63
    ContainsNoteDurationWhole = 64
    WnbdSyncopation = 65
    Repetition = 66
    Delta = 68
    DeltaDirection = 69
    MaskBar = 71
    TensionDrum = 77
    UseVelocity = 86
    UseMicrotiming = 87
    TrackLevelNomml = 88

def parse_token_type(name: str) -> TokenType:
    """The type with this canonical, legacy or short name. Raises VocabularyError with the nearest name."""

def token_types() -> list[tuple[str, int, str]]:
    """Rows (canonical name, number, other spellings separated by spaces) of the token type table."""

def attribute_slots() -> list[tuple[str, str, str, bool]]:
    """Rows (level, token type, key in a score's attributes, on by default) in the order of writing."""

class EncoderConfig:
    """Fields of an encoder configuration; `midigpt_nb.tokenizer.EncoderConfig` adds what Python reads."""

    resolution: int
    decode_resolution: int
    pitch_range: tuple[int, int]
    velocity_levels: int
    note_duration_max_beats: int
    emit_delta_tokens: bool
    supports_infill: bool
    supports_mask_bar_token: bool
    velocity_sticky: bool
    switchable_velocity: bool
    switchable_microtiming: bool
    time_signatures: list[tuple[int, int]]
    instrument_merge_groups: list[list[int]]
    num_bars_map: list[int]
    genre_groups: list[tuple[str, list[str]]]
    @property
    def token_domains(self) -> list[dict[str, Any]]:
        """[{"type": name, "domain_size": n}, ...] in id order; empty when derived from the other fields."""
    @token_domains.setter
    def token_domains(self, rows: Sequence[Mapping[str, Any]]) -> None: ...
    def __init__(self, other: EncoderConfig = ...) -> None: ...
    def validate(self) -> None:
        """Raise EncoderConfigError for a value that is impossible by itself."""
    def derived_domains(self) -> list[tuple[str, int]]: ...
    @staticmethod
    def from_json(text: str) -> EncoderConfig: ...
    def to_json(self) -> str: ...
    @staticmethod
    def fields() -> list[tuple[str, str, str]]:
        """Rows (name, kind, meaning) of the field table."""

class Vocabulary:
    """Token ids and what they mean. Immutable; may be shared between threads."""

    def __init__(
        self,
        config: EncoderConfig,
        appended: Sequence[tuple[str, int]] = (),
        optional_slots: Sequence[tuple[str, str]] = (),
    ) -> None:
        """The configuration's domains, then those of `appended` (type name, size) that are not there yet.

        `optional_slots` are (level, type name) rows of the slot table that are off by default, or types it
        does not have at that level: those get a slot behind the others, under their own name.
        """
    def __len__(self) -> int: ...
    @property
    def config(self) -> EncoderConfig:
        """A copy of the configuration it was made from."""
    @property
    def size(self) -> int: ...
    @property
    def domains(self) -> list[tuple[str, int]]: ...
    def has(self, type: TokenType) -> bool: ...
    def domain_size(self, type: TokenType) -> int: ...
    def range(self, type: TokenType) -> tuple[int, int]: ...
    def encode(self, type: TokenType, value: int) -> int: ...
    def decode(self, id: int) -> tuple[TokenType, int]: ...
    def encode_val(self, type: TokenType, value: int) -> int:
        """`encode`, under the published package's name."""
    def get_type(self, id: int) -> TokenType: ...
    def is_type(self, id: int, type: TokenType) -> bool: ...
    @property
    def type_ids(self) -> npt.NDArray[np.uint8]:
        """(size,): permanent type number of each id. Read-only."""
    @property
    def values(self) -> _Int16:
        """(size,): value of each id. Read-only."""
    @property
    def track_slots(self) -> list[str]:
        """Token types of the track-level attributes, in the order in which they are written."""
    @property
    def bar_slots(self) -> list[str]: ...
    @property
    def track_slot_keys(self) -> list[str]:
        """Names under which a score stores them, in the same order."""
    @property
    def bar_slot_keys(self) -> list[str]: ...
    def velocity_level(self, velocity: int) -> int: ...
    def velocity_of_level(self, level: int) -> int: ...
    def instrument_value(self, program: int) -> int: ...
    def instrument_program(self, value: int) -> int: ...
    def time_signature_value(self, numerator: int, denominator: int) -> int: ...
    def time_signature(self, value: int) -> tuple[int, int]: ...
    def num_bars_value(self, bars: int) -> int: ...
    def num_bars(self, value: int) -> int: ...
    def genre_value(self, name: str) -> int: ...
    def has_genre(self, name: str) -> bool: ...
    @property
    def genres(self) -> list[str]: ...

# Codec

class EncodeOptions:
    """Options of one encode call. Bars are (track, bar) pairs."""

    window_bars: int
    multi_fill: list[tuple[int, int]]
    partial_track: int
    partial_bars: int
    use_velocity: int
    use_microtiming: int
    genre: int
    use_span_masks: bool
    remove_future_bars: bool
    hidden_bars: list[tuple[int, int]]
    fill_sections: bool
    out_of_range: Literal["saturate", "error"]
    partial_encode_track_index: int  # the published package's names of partial_track and partial_bars
    partial_encode_track_bars: int
    def __init__(
        self,
        window_bars: int = 0,
        multi_fill: Sequence[tuple[int, int]] = (),
        partial_track: int = -1,
        partial_bars: int = -1,
        use_velocity: int = -1,
        use_microtiming: int = -1,
        genre: int = -1,
        use_span_masks: bool = False,
        remove_future_bars: bool = False,
        hidden_bars: Sequence[tuple[int, int]] = (),
        fill_sections: bool = True,
        out_of_range: Literal["saturate", "error"] = "saturate",
    ) -> None:
        """`partial_track` is left open after `partial_bars` bars; < 0: right after Instrument, no attributes.

        With `fill_sections` off the sequence is a prompt: it ends in the FillInStart where a model goes on.
        """

def encode(
    vocab: Vocabulary,
    table: ScoreTable,
    track_attributes: npt.NDArray[np.int16] | None = None,
    bar_attributes: npt.NDArray[np.int16] | None = None,
    options: EncodeOptions = ...,
) -> tuple[_Int32, _Int32, int]:
    """(tokens, hidden spans (k, 2), number of values outside their domain, written as the nearest one).

    Attribute arrays are (tracks, track slots) and (bar rows, bar slots); -1 = not written.
    """

def decode(
    vocab: Vocabulary, tokens: npt.ArrayLike, resample: bool = True
) -> tuple[ScoreTable, _Int16, _Int16]:
    """(score, track attributes, bar attributes); -1 = no token said it."""

def grid_table(table: ScoreTable, resolution: int, microtiming: bool = False) -> ScoreTable:
    """The table at another resolution, onsets cut as in training; a table already there is copied."""

# Masks

def grammar_states() -> list[tuple[str, str]]:
    """Rows (state, what has just been read) of the grammar."""

def grammar_rows() -> list[tuple[str, str, str, str]]:
    """Rows (state, what may follow, guard, next state) of the grammar."""

class Constraint:
    """A wish that makes tokens illegal, per block: fill block, or bar of the autoregressive track's window.

    Blocks without an entry are free. Raises VocabularyError for values that the vocabulary lacks.
    """

    @staticmethod
    def pitch_set(vocab: Vocabulary, allowed: Mapping[int, Sequence[int]]) -> Constraint:
        """{block: pitches that may be written}"""
    @staticmethod
    def position_set(vocab: Vocabulary, allowed: Mapping[int, Sequence[int]]) -> Constraint:
        """{block: ticks from the start of the bar at which notes may begin}; tick 0 is always free."""
    @staticmethod
    def rhythm_schedule(rhythm: Mapping[int, Sequence[tuple[int, int]]]) -> Constraint:
        """{block: [(tick, number of notes)]}, ticks ascending: notes begin there and nowhere else."""
    @staticmethod
    def remix(notes: Mapping[int, Sequence[tuple[int, int, int]]]) -> Constraint:
        """{block: [(tick, pitch, NoteDuration value)]}, ticks ascending: these onsets; -1 = free."""
    @property
    def name(self) -> str: ...

class MatcherOptions:
    """What a matcher asks of a sequence beyond the grammar. Limits: 0 = none; one number or one per block."""

    autoregressive: bool
    n_bars: int
    bar_metres: list[int]
    track_pins: dict[str, int]
    bar_pins: dict[int, dict[str, int]]
    polyphony_limit: int | list[int]
    density_limit: int | list[int]
    sounding_limit: int | list[int]
    max_duration: int | list[int]
    max_end: int | list[int]
    allow_empty: int | list[int]
    velocity: bool
    microtiming: bool
    optional_attributes: bool
    required_track_attributes: list[str]
    """Token types always written after Instrument, with a value of the model's choice."""
    required_bar_attributes: list[str]
    excluded_attributes: list[str]
    def __init__(
        self,
        autoregressive: bool = False,
        n_bars: int = 0,
        bar_metres: Sequence[int] = (),
        track_pins: Mapping[str, int] = ...,
        bar_pins: Mapping[int, Mapping[str, int]] = ...,
        polyphony_limit: int | Sequence[int] = 0,
        density_limit: int | Sequence[int] = 0,
        sounding_limit: int | Sequence[int] = 0,
        max_duration: int | Sequence[int] = 0,
        max_end: int | Sequence[int] = 0,
        allow_empty: int | Sequence[int] = False,
        velocity: bool = True,
        microtiming: bool = True,
        optional_attributes: bool = True,
        excluded_attributes: Sequence[str] = (),
        required_track_attributes: Sequence[str] = (),
        required_bar_attributes: Sequence[str] = (),
    ) -> None:
        """Pins are {token type name: value}, `bar_pins` by bar of the window; `n_bars` 0 = as in the header.

        `bar_metres` holds a TimeSig value per bar of the written track, -1 = free; empty = as another track.
        `max_duration` in ticks, `max_end` in ticks from the start of the note's bar. Lists have an entry per
        fill block, or per bar of the autoregressive track's window, history included.
        """

class Matcher:
    """Which tokens may come next. One per row of a generation; threads must not share one."""

    @staticmethod
    def for_prompt(vocab: Vocabulary, prompt: npt.ArrayLike, options: MatcherOptions = ...) -> Matcher: ...
    def add(self, constraint: Constraint) -> None:
        """A wish more. Before the first `accept` since the prompt, `fork` or `reset`."""
    def replace(self, constraint: Constraint) -> None:
        """Like `add`, in place of the constraints of the same name."""
    def accept(self, token: int) -> None:
        """Go past a token. Raises VocabularyError, and stays where it is, when the token is not legal."""
    def fill_mask(self, row: npt.NDArray[np.uint8] | npt.NDArray[np.bool_]) -> None:
        """Write 1 for each legal token, else 0, in place. Raises GrammarDeadlock when none is."""
    def forced(self) -> int:
        """The only legal token, or -1 when there are several or the sequence is complete."""
    def is_legal(self, token: int) -> bool: ...
    @property
    def complete(self) -> bool: ...
    @property
    def infill(self) -> bool: ...
    @property
    def block(self) -> int:
        """The fill block, or the bar of the autoregressive track, being written; -1 before the first."""
    @property
    def blocks(self) -> list[tuple[int, int]]:
        """(track, bar) of each fill block, as they stand in the prompt."""
    @property
    def position(self) -> int:
        """Grid ticks from the start of the bar being written to the last position token."""
    def fork(self) -> Matcher:
        """An independent copy."""
    def reset(self) -> None:
        """Back to the end of the prompt."""

# Plan

class Step:
    """A window [start, end) of bars and the (track, bars) written in it."""

    @property
    def start(self) -> int: ...
    @property
    def end(self) -> int: ...
    @property
    def autoregressive(self) -> bool: ...
    @property
    def targets(self) -> list[tuple[int, list[int]]]: ...
    @property
    def beside(self) -> list[int]:
        """Autoregressive: tracks of the same group already written over this window, in that order."""

def plan(
    n_bars: int,
    targets: Sequence[tuple[int, Sequence[int], bool]],
    model_dim: int,
    bars_per_step: int = 0,
    tracks_per_step: int = 0,
    min_overlap_bars: int = 2,
    ar_overlap: float = 0.5,
    kinds: Mapping[int, Sequence[int]] = ...,
) -> list[Step]:
    """Steps that write the targets (track, bars, autoregressive): autoregressive ones first. 0 = auto.

    `kinds` is {track: one number per bar}; bars of a track that differ in kind are never in one step.
    """

# Dense

class Then:
    """What happens to a product."""

    Store: Then
    Gelu: Then
    Add: Then

def has_dense() -> bool:
    """Whether this processor can do `linear` and `attend`: AVX2 and FMA."""

def linear(
    x: npt.NDArray[np.float32],
    w: npt.NDArray[np.float32],
    bias: npt.NDArray[np.float32],
    out: npt.NDArray[np.float32],
    then: Then,
    threads: int = 1,
) -> None:
    """x (m, k) times w (k, n) plus bias (n) into out (m, n), or its GELU, or added to what is there. n: a
    multiple of 16.
    """

def attend(
    queries: npt.NDArray[np.float32],
    keys: npt.NDArray[np.float32],
    values: npt.NDArray[np.float32],
    out: npt.NDArray[np.float32],
    before: int,
    threads: int = 1,
) -> None:
    """Causal attention of new tokens (tokens, heads, width) over keys and values (heads, positions, width):
    `before` came before them and theirs follow; into out (tokens, heads * width).
    """
