"""The published configurations, tokenizers for them, and scores written as plain data."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from midigpt_nb import _core
from midigpt_nb.score.model import Bar, Note, Score, Track
from midigpt_nb.tokenizer import EncoderConfig, Tokenizer

REFERENCE = Path(__file__).parent.parent / "reference"


def reference(name: str) -> Any:
    return json.loads((REFERENCE / name).read_text())


@cache
def make_tokenizer(name: str, optional_slots: tuple[tuple[str, str], ...] = ()) -> Tokenizer:
    config = EncoderConfig.from_dict(reference(f"configs/{name}.json"))
    return Tokenizer(config, optional_slots=optional_slots)


def make_pocket() -> Tokenizer:
    """The vocabulary of the bundled model: ghost's configuration, derived, with ten attributes."""
    data = reference("configs/ghost.json")
    del data["token_domains"]
    data["attribute_formulas"] = "exact"
    data["attribute_controls"] = [
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
    ]
    return Tokenizer(EncoderConfig.from_dict(data))


def score_from(data: Mapping[str, Any]) -> Score:
    """A score from the form of the reference files."""
    tracks = []
    for track in data["tracks"]:
        bars = []
        for bar in track["bars"]:
            notes = [Note(p, v, onset, duration, delta) for p, v, onset, duration, delta in bar["notes"]]
            bars.append(Bar(notes, *bar["ts"], future=bar.get("future", False)))
        tracks.append(
            Track(bars, track["instrument"], track["track_type"], dict(track.get("attributes", {})))
        )
    return Score(tracks, data["resolution"], data.get("tempo", 500000))


def form_of(score: Score) -> dict[str, Any]:
    """A score in the form of the reference files."""

    def bar_form(bar: Bar) -> dict[str, Any]:
        notes = [[n.pitch, n.velocity, n.onset_ticks, n.duration_ticks, n.delta] for n in bar.notes]
        ts = [bar.ts_numerator, bar.ts_denominator]
        return {"ts": ts, "beat_length": bar.beat_length, "future": bar.future, "notes": notes}

    tracks = [
        {
            "instrument": track.instrument,
            "track_type": track.track_type,
            "attributes": dict(track.attributes),
            "bars": [bar_form(bar) for bar in track.bars],
        }
        for track in score.tracks
    ]
    return {"resolution": score.resolution, "tempo": score.tempo, "tracks": tracks}


def options_from(data: Mapping[str, Any]) -> _core.EncodeOptions:
    """Encode options from the reference's names."""
    names = {"partial_encode_track_index": "partial_track", "partial_encode_track_bars": "partial_bars"}
    values = {names.get(key, key): value for key, value in data.items()}
    values["multi_fill"] = [tuple(cell) for cell in values.get("multi_fill", [])]
    return _core.EncodeOptions(**values)


def words(tokenizer: Tokenizer, ids: Any) -> str:
    """Tokens as ``Type:value``, the value left out where the type has only one."""
    parts = []
    for token in ids:
        kind, value = tokenizer.vocab.decode(int(token))
        parts.append(kind.name if tokenizer.vocab.domain_size(kind) == 1 else f"{kind.name}:{value}")
    return " ".join(parts)


def ids_of(tokenizer: Tokenizer, text: str) -> list[int]:
    """The reverse of `words`; also accepts plain numbers."""
    ids = []
    for part in text.split():
        if part.isdigit():
            ids.append(int(part))
            continue
        name, _, value = part.partition(":")
        ids.append(tokenizer.vocab.encode(_core.parse_token_type(name), int(value or 0)))
    return ids


# Score A of the worked encodings: bass and drums, four bars in three metres.
SCORE_A = {
    "resolution": 480,
    "tracks": [
        {
            "instrument": 33,
            "track_type": "melodic",
            "bars": [
                {
                    "ts": [4, 4],
                    "notes": [[40, 100, 0, 240, 0], [40, 100, 480, 240, 0], [43, 80, 960, 960, 0]],
                },
                {"ts": [4, 4], "notes": [[52, 64, 0, 5000, 0], [55, 64, 0, 480, 0]]},
                {"ts": [3, 4], "notes": []},
                {"ts": [6, 8], "notes": [[57, 1, 1919, 10, 0]]},
            ],
        },
        {
            "instrument": 0,
            "track_type": "drum",
            "bars": [
                {"ts": [4, 4], "notes": [[36, 110, 0, 60, 0], [42, 110, 0, 60, 0], [42, 110, 240, 60, 0]]},
                {"ts": [4, 4], "notes": [[38, 127, 480, 60, 0]]},
                {"ts": [3, 4], "notes": []},
                {"ts": [6, 8], "notes": []},
            ],
        },
    ],
}
