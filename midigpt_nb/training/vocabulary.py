"""The vocabulary of the bundled model: token ids, instrument and velocity tables, encoder configuration.

The layout is the derived vocabulary of the encoder configuration in :func:`encoder_config`: structural
domains first, then one domain per attribute in ``attribute_controls`` order. Everything here is plain
numbers, so that training runs on a machine that has only numpy and torch.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

RESOLUTION = 12  # grid ticks per quarter note
MAX_DURATION = 96  # grid ticks; longer notes are written as 96
VELOCITY_LEVELS = 32
BAR_COUNTS = (4, 8, 12, 16)

TIME_SIGNATURES = [
    "4/4",
    "3/4",
    "2/4",
    "6/8",
    "2/2",
    "1/4",
    "6/4",
    "3/8",
    "5/4",
    "4/2",
    "1/8",
    "3/2",
    "9/8",
    "5/8",
    "7/8",
    "12/8",
    "8/4",
    "7/4",
    "4/8",
    "3/1",
    "1/2",
    "8/8",
    "11/8",
    "2/8",
    "6/2",
    "9/4",
    "2/1",
    "9/16",
    "12/4",
    "10/4",
    "13/16",
    "15/16",
    "17/16",
    "1/16",
    "10/8",
    "16/4",
]

MERGE_GROUPS = (
    (0, 1, 2), (4, 5), (16, 17, 18), (19, 20), (33, 34), (36, 37), (38, 39), (48, 49), (50, 51), (62, 63),
    tuple(range(88, 96)),
)  # fmt: skip

# (token type, domain size), in id order.
DOMAINS = (
    ("PieceStart", 2), ("Track", 2), ("TrackEnd", 1), ("Bar", 1), ("BarEnd", 1), ("TimeSig", 36),
    ("Instrument", 109), ("NumBars", 4), ("NoteOnset", 128), ("NoteDuration", 96), ("TimeAbsolutePos", 192),
    ("VelocityLevel", 32), ("FillInPlaceholder", 1), ("FillInStart", 1), ("FillInEnd", 1), ("MaskBar", 1),
    ("NoteDensity", 10), ("MinPolyphony", 10), ("MaxPolyphony", 10), ("MinNoteDuration", 6),
    ("MaxNoteDuration", 6), ("TrackLevelPitchRangeMax", 128), ("KeySignature", 25),
    ("TrackLevelSilenceProportionMax", 10), ("BarLevelOnsetDensity", 10), ("BarLevelOnsetPolyphonyMax", 10),
)  # fmt: skip


def _starts() -> dict[str, int]:
    starts, position = {}, 0
    for name, size in DOMAINS:
        starts[name] = position
        position += size
    return starts


START = _starts()
SIZE = dict(DOMAINS)
VOCABULARY_SIZE = sum(SIZE.values())

PIECE_START = START["PieceStart"]
TRACK = START["Track"]
TRACK_END = START["TrackEnd"]
BAR = START["Bar"]
BAR_END = START["BarEnd"]
TIME_SIG = START["TimeSig"]
INSTRUMENT = START["Instrument"]
NUM_BARS = START["NumBars"]
NOTE_ONSET = START["NoteOnset"]
NOTE_DURATION = START["NoteDuration"]
POSITION = START["TimeAbsolutePos"]
VELOCITY = START["VelocityLevel"]
PLACEHOLDER = START["FillInPlaceholder"]
FILL_START = START["FillInStart"]
FILL_END = START["FillInEnd"]
MASK_BAR = START["MaskBar"]
NOTE_DENSITY = START["NoteDensity"]  # first of the attribute ids; all above it are attributes
BAR_DENSITY = START["BarLevelOnsetDensity"]
BAR_POLYPHONY = START["BarLevelOnsetPolyphonyMax"]

# Track attributes in the order in which they follow Instrument; the last two fields: tracks they apply to.
TRACK_ATTRIBUTES = (
    "MinPolyphony", "MaxPolyphony", "MinNoteDuration", "MaxNoteDuration", "NoteDensity",
    "TrackLevelPitchRangeMax", "KeySignature", "TrackLevelSilenceProportionMax",
)  # fmt: skip
DRUM_ATTRIBUTES = ("NoteDensity", "TrackLevelSilenceProportionMax")


def _instruments() -> tuple[np.ndarray, np.ndarray]:
    representative = np.arange(128)
    for group in MERGE_GROUPS:
        representative[list(group)] = group[0]
    programs = np.unique(representative)
    return np.searchsorted(programs, representative), programs


PROGRAM_TO_INSTRUMENT, INSTRUMENT_TO_PROGRAM = _instruments()

_VELOCITIES = np.arange(128)
VELOCITY_TO_LEVEL = np.minimum(1 + _VELOCITIES * (VELOCITY_LEVELS - 1) // 128, VELOCITY_LEVELS - 1)
VELOCITY_TO_LEVEL[0] = 0
VELOCITY_TO_LEVEL[127] = VELOCITY_LEVELS - 1

# Upper limits of the first nine density bins: rows 0-127 by program, row 128 for drums. The file is
# read by its place beside this package: a bare training machine cannot import the package around it.
DRUM_DENSITY_ROW = 128
_DENSITY_FILE = Path(__file__).parent.parent / "attributes" / "data" / "density_quantiles.json"
_DENSITY_ROWS = json.loads(_DENSITY_FILE.read_text(encoding="utf-8"))
DENSITY_LIMITS = np.array(
    [_DENSITY_ROWS[str(row)][:9] for row in range(DRUM_DENSITY_ROW + 1)], dtype=np.int64
)


def bar_ticks(time_signature: int) -> int:
    """Length in grid ticks of a bar whose signature has this index in :data:`TIME_SIGNATURES`."""
    numerator, denominator = map(int, TIME_SIGNATURES[time_signature].split("/"))
    return 4 * numerator * RESOLUTION // denominator


BAR_TICKS = np.array([bar_ticks(i) for i in range(len(TIME_SIGNATURES))])


def density_row(is_drum: bool, instrument: int) -> np.ndarray:
    """The nine density limits of a track: by its instrument's representative program, or the drum row."""
    return DENSITY_LIMITS[DRUM_DENSITY_ROW if is_drum else INSTRUMENT_TO_PROGRAM[instrument]]


def encoder_config() -> dict[str, Any]:
    """The encoder configuration stored with the weights; its vocabulary is derived from the fields."""
    return {
        "resolution": RESOLUTION,
        "decode_resolution": 1920,
        "pitch_range": [0, 127],
        "velocity_levels": VELOCITY_LEVELS,
        "note_duration_max_beats": MAX_DURATION // RESOLUTION,
        "emit_delta_tokens": False,
        "supports_infill": True,
        "supports_mask_bar_token": True,
        "velocity_sticky": True,
        "switchable_velocity": False,
        "switchable_microtiming": False,
        "time_signatures": list(TIME_SIGNATURES),
        "instrument_merge_groups": [list(group) for group in MERGE_GROUPS],
        "num_bars_map": list(BAR_COUNTS),
        "attribute_formulas": "exact",
        "attribute_controls": [
            {"name": "note_density_quantile", "params": {"track_type": "both"}},
            {"name": "polyphony_quantile", "params": {"mode": "min"}},
            {"name": "polyphony_quantile", "params": {"mode": "max"}},
            {"name": "note_duration_quantile", "params": {"mode": "min"}},
            {"name": "note_duration_quantile", "params": {"mode": "max"}},
            {"name": "pitch_range"},
            {"name": "key_signature"},
            {"name": "silence_proportion"},
            {"name": "note_density_quantile", "params": {"level": "bar", "track_type": "both"}},
            {"name": "polyphony_quantile", "params": {"mode": "max", "level": "bar"}},
        ],
    }


def token_name(token: int) -> str:
    """``Type:value`` of a token id, for logs and error messages."""
    for name, size in DOMAINS:
        if START[name] <= token < START[name] + size:
            return f"{name}:{token - START[name]}"
    raise ValueError(f"token {token} is outside the vocabulary")
