"""How well sampled infills obey their placeholder, and how they compare with the real bars."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from midigpt_nb.training import vocabulary as v
from midigpt_nb.training.attributes import NO_KEY, bar_polyphony_bin, density_bin, key_signature
from midigpt_nb.training.model import Transformer
from midigpt_nb.training.window import Window

from .sampler import block_notes, fill, read_targets

REQUESTED_LEVELS = (1, 3, 5, 7, 9)
_MAJOR, _MINOR = (0, 2, 4, 5, 7, 9, 11), (0, 2, 3, 5, 7, 8, 10)


@dataclass
class ParsedTrack:
    """A track of a prompt: notes of each bar as ``(n, 4)`` onset, pitch, duration, level."""

    is_drum: bool
    instrument: int
    bars: list[np.ndarray] = field(default_factory=list)


def parse_prompt(ids: np.ndarray) -> list[ParsedTrack]:
    """The visible notes of a prompt; bars behind placeholders or masks are empty."""
    tracks: list[ParsedTrack] = []
    content: list[int] = []
    drum = False
    for token in ids.tolist():
        if v.TRACK <= token < v.TRACK_END:
            drum = token == v.TRACK + 1
        elif v.INSTRUMENT <= token < v.NUM_BARS:
            tracks.append(ParsedTrack(drum, token - v.INSTRUMENT))
        elif token == v.BAR:
            content = []
        elif token == v.BAR_END:
            tracks[-1].bars.append(block_notes(content, drum))
        elif v.NOTE_ONSET <= token < v.PLACEHOLDER:
            content.append(token)
    return tracks


def real_blocks(window: Window) -> list[list[int]]:
    """The note tokens of the fill blocks of a training window."""
    blocks: list[list[int]] = []
    inside = False
    for token in window.ids.tolist():
        if token == v.FILL_START:
            blocks.append([])
            inside = True
        elif token == v.FILL_END:
            inside = False
        elif inside:
            blocks[-1].append(token)
    return blocks


def prompt_of(window: Window, density: int | None = None, voices: int | None = None) -> np.ndarray:
    """The window up to its first fill block, with other wishes at its placeholders.

    ``density`` replaces the density token and keeps the one for voices; ``voices`` (a bin) stands alone.
    """
    ids = window.ids[: int(np.flatnonzero(window.ids == v.FILL_START)[0])].astype(np.int64)
    if density is None and voices is None:
        return ids
    result: list[int] = []
    spots = {target.placeholder for target in read_targets(ids)}
    for index, token in enumerate(ids.tolist()):
        if index in spots:
            bar = len(result) - 1 - result[::-1].index(v.BAR)
            said = result[bar + 1 : -1]  # between the bar token and the time signature
            if voices is not None:
                said = [v.BAR_POLYPHONY + voices]
            else:
                said = [v.BAR_DENSITY + (density or 0), *(t for t in said if t >= v.BAR_POLYPHONY)]
            result[bar + 1 : -1] = said
        result.append(token)
    return np.array(result)


def in_key(pitches: np.ndarray, key: int) -> float:
    """Share of pitches in the scale of ``key`` (0-11 major, 12-23 natural minor)."""
    scale = _MAJOR if key < 12 else _MINOR
    return float(np.isin((pitches - key % 12) % 12, scale).mean())


def rank_correlation(a: np.ndarray, b: np.ndarray) -> float:
    """Spearman's rank correlation, ties at their mean rank."""

    def ranks(x: np.ndarray) -> np.ndarray:
        _, inverse, counts = np.unique(x, return_inverse=True, return_counts=True)
        ends = np.cumsum(counts)
        return (ends - (counts - 1) / 2)[inverse]

    if len(a) < 2 or np.ptp(a) == 0 or np.ptp(b) == 0:
        return float("nan")
    return float(np.corrcoef(ranks(np.asarray(a)), ranks(np.asarray(b)))[0, 1])


def density_adherence(
    model: Transformer, windows: list[Window], seed: int = 0, limit: int = 60
) -> dict[str, float | list]:
    """Ask one-bar infills for levels 1, 3, 5, 7, 9 in turn and compare with what was written."""
    rng = np.random.default_rng(seed)
    asked, got, notes = [], [], []
    for number in range(limit):
        window = windows[number % len(windows)]
        level = REQUESTED_LEVELS[number % len(REQUESTED_LEVELS)]
        prompt = prompt_of(window, level)
        target = read_targets(prompt)[0]
        blocks = fill(model, prompt, rng)
        if not blocks:
            continue
        count = len(block_notes(blocks[0], target.is_drum))
        asked.append(level)
        got.append(density_bin(count, v.density_row(target.is_drum, target.instrument)))
        notes.append(count)
    asked_array, got_array, notes_array = np.array(asked), np.array(got), np.array(notes)
    table = [
        [
            level,
            float(got_array[asked_array == level].mean()),
            float(notes_array[asked_array == level].mean()),
        ]
        for level in REQUESTED_LEVELS
        if (asked_array == level).any()
    ]
    return {
        "density_correlation": rank_correlation(asked_array, got_array),
        "density_note_correlation": rank_correlation(asked_array, notes_array),
        "density_within_one": float((np.abs(asked_array - got_array) <= 1).mean()),
        "density_error": float(np.abs(asked_array - got_array).mean()),
        "density_table": table,
        "density_infills": len(asked),
    }


def voices_adherence(
    model: Transformer, windows: list[Window], seed: int = 0, limit: int = 60
) -> dict[str, float]:
    """Ask melodic one-bar infills for 1, 2, 3 and 4 voices in turn, and compare with what was written."""
    melodic = [window for window in windows if not read_targets(window.ids)[0].is_drum]
    rng = np.random.default_rng(seed)
    asked, got = [], []
    for number in range(limit if melodic else 0):
        prompt = prompt_of(melodic[number % len(melodic)], voices=number % 4)
        blocks = fill(model, prompt, rng)
        if blocks:
            notes = block_notes(blocks[0], False)
            asked.append(number % 4)
            got.append(bar_polyphony_bin(notes[:, 0], notes[:, 2], read_targets(prompt)[0].ticks))
    return {
        "voices_correlation": rank_correlation(np.array(asked), np.array(got)),
        "voices_exact": float(np.mean(np.array(asked) == np.array(got))) if asked else float("nan"),
    }


def infill_quality(model: Transformer, windows: list[Window], seed: int = 0) -> dict[str, float]:
    """Sample the blocks of every window once and compare them with the real bars."""
    rng = np.random.default_rng(seed)
    rows: dict[str, list[float]] = {
        name: []
        for name in (
            "register_error", "register_error_real", "in_key", "in_key_real", "notes", "notes_real",
            "pitches", "pitches_real", "sixteenth_grid", "sixteenth_grid_real", "copied_bar",
            "copied_bar_real",
        )
    }  # fmt: skip
    lost = 0
    for window in windows:
        prompt = prompt_of(window)
        tracks, targets, real = parse_prompt(prompt), read_targets(prompt), real_blocks(window)
        blocks = fill(model, prompt, rng)
        lost += len(targets) - len(blocks)
        melodic = [bar for track in tracks if not track.is_drum for bar in track.bars]
        sounding = np.concatenate([np.zeros((0, 4), np.int64), *melodic])
        key = key_signature(sounding[:, 1], sounding[:, 2])
        for target, written, true in zip(targets, blocks, real, strict=False):
            own = np.concatenate([np.zeros((0, 4), np.int64), *tracks[target.track].bars])
            for suffix, block in (("", written), ("_real", true)):
                notes = block_notes(block, target.is_drum)
                rows["notes" + suffix].append(len(notes))
                rows["sixteenth_grid" + suffix].append(float((notes[:, 0] % 3 == 0).mean()))
                same = any(
                    np.array_equal(notes[:, :2], bar[:, :2]) for bar in tracks[target.track].bars if len(bar)
                )
                rows["copied_bar" + suffix].append(float(same))
                if target.is_drum:
                    continue
                rows["pitches" + suffix].append(len(np.unique(notes[:, 1])))
                if key != NO_KEY:
                    rows["in_key" + suffix].append(in_key(notes[:, 1], key))
                if len(own):
                    rows["register_error" + suffix].append(abs(notes[:, 1].mean() - own[:, 1].mean()))
    result = {name: float(np.mean(values)) for name, values in rows.items() if values}
    result["note_correlation"] = rank_correlation(np.array(rows["notes"]), np.array(rows["notes_real"]))
    result["blocks"] = len(rows["notes"])
    result["blocks_lost"] = lost
    return result
