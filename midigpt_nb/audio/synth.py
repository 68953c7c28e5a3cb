"""A score as stereo sound: one small synthesiser, numpy only, the same samples every time.

Signal path: note (voices.py) -> track (mono, summed) -> pan and room -> limiter.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from midigpt_nb.audio.patches import drum_of, patch_of
from midigpt_nb.audio.voices import LONGEST_NOTE, SILENCE, Samples, hit, tone
from midigpt_nb.score.foreign import must_be_score
from midigpt_nb.score.places import BarRange, Tracks, bar_range, track_numbers

if TYPE_CHECKING:
    from midigpt_nb._core import ScoreTable
    from midigpt_nb.score.model import Score

SAMPLE_RATE = 44100
TAIL = 1.2  # seconds kept after the last note for releases and the room
LONGEST_RENDER = 30 * 60.0  # seconds; half an hour of stereo float32 is 635 MB
ROOM_SECONDS = 0.9  # until the room has fallen by 60 dB
BRIGHTNESS_STEPS = 4  # how many spectra a patch has between soft and loud


@dataclass(frozen=True)
class TimedNotes:
    """One track's notes in seconds, with columns of equal length."""

    start: npt.NDArray[np.float64]
    end: npt.NDArray[np.float64]
    pitch: npt.NDArray[np.int32]
    velocity: npt.NDArray[np.int32]
    program: int
    is_drum: bool


def render(
    score: Score,
    *,
    sample_rate: int = SAMPLE_RATE,
    bars: BarRange = None,
    tracks: Tracks = None,
    room: float = 0.12,
) -> Samples:
    """Render a score to stereo sound.

    Parameters
    ----------
    score
        Any score; its tempo map, programs, drum tracks and velocities are followed.
    sample_rate
        Samples per second, 8000 to 192000.
    bars
        `(first, end)`: only notes that start in bars first .. end - 1, from 0; bar `first` is second 0.
        A range, a list of bars (from its first to its last) or one bar will do, too.
    tracks
        Numbers, counted from 0, or names of the tracks to play; None plays all.
    room
        Level of the reverberation, 0 (dry) to 1.

    Returns
    -------
    float32 array of shape (samples, 2), values within -1..1. An empty score gives `TAIL` seconds of silence.

    Raises
    ------
    ValueError
        For a sample rate, bar range, track or length outside what is allowed.
    TypeError
        For anything but a score.

    Example
    -------
    >>> audio = render(Score.example(), bars=(0, 4))
    >>> audio.dtype, audio.shape[1]
    (dtype('float32'), 2)
    """
    if not 8000 <= sample_rate <= 192000:
        raise ValueError(f"sample_rate is {sample_rate}; 8000 to 192000 is allowed")
    if not 0.0 <= room <= 1.0:
        raise ValueError(f"room is {room}; 0 to 1 is allowed")
    timed = timed_notes(score, bars=bars, tracks=tracks)
    seconds = max((float(part.end.max()) for part in timed if len(part.end)), default=0.0) + TAIL
    if seconds > LONGEST_RENDER:
        raise ValueError(
            f"the score lasts {seconds / 60:.0f} minutes; at most {LONGEST_RENDER / 60:.0f} are rendered at "
            "once. Choose a part with bars=(first, end)"
        )
    mix = np.zeros((2, round(seconds * sample_rate)), np.float32)
    for part, pan in zip(timed, pan_positions(timed), strict=True):
        if len(part.start):
            add_panned(mix, render_track(part, mix.shape[1], sample_rate), pan)
    if room:
        add_room(mix, room, sample_rate)
    return np.ascontiguousarray(limit(mix, sample_rate).T)


def timed_notes(score: Score, *, bars: BarRange = None, tracks: Tracks = None) -> list[TimedNotes]:
    """The notes of each played track in seconds from the start of the first played bar."""
    must_be_score(score)
    table = score.table
    chosen = track_numbers(tracks, score)
    starts = np.asarray(score.bar_starts, dtype=np.float64)
    first, end = bars if isinstance(bars, tuple) and len(bars) == 2 else bar_range(bars, len(starts) - 1)
    if not 0 <= first <= end <= len(starts) - 1:
        raise ValueError(f"bars {bars} are not in this score; first and end go from 0 to {len(starts) - 1}")
    return [_timed_track(score, table, track, starts[first : end + 1], first) for track in chosen]


def _timed_track(
    score: Score, table: ScoreTable, track: int, starts: npt.NDArray[np.float64], first_bar: int
) -> TimedNotes:
    """The notes of the bars that begin at `starts` (without its last entry, which is the end)."""
    first_row, last_row = table.bar_rows(track)
    low = min(first_row + first_bar, last_row)
    high = min(low + len(starts) - 1, last_row)
    edges = np.append(table.bars[:, 0], table.n_notes)[low : high + 1]
    notes = table.notes[edges[0] : edges[-1]]
    onset = np.repeat(starts[: high - low], np.diff(edges)) + notes[:, 0]
    begin, end = score.seconds(onset), score.seconds(onset + notes[:, 1])
    return TimedNotes(
        start=begin - score.seconds(starts[0]),
        end=end - score.seconds(starts[0]),
        pitch=notes[:, 2],
        velocity=notes[:, 3],
        program=int(table.tracks[track, 1]),
        is_drum=bool(table.tracks[track, 2]),
    )


def pan_positions(timed: Sequence[TimedNotes]) -> list[float]:
    """-1 (left) .. 1 (right): drums and basses in the middle, the others spread in turn."""
    spread = (-0.35, 0.35, -0.15, 0.5, -0.5, 0.15)
    positions, turn = [], 0
    for part in timed:
        if part.is_drum or 32 <= part.program < 40:
            positions.append(0.0)
        else:
            positions.append(spread[turn % len(spread)])
            turn += 1
    return positions


def render_track(part: TimedNotes, n: int, rate: int) -> Samples:
    """One track as `n` mono samples."""
    out = np.zeros(n, np.float32)
    cache: dict[tuple[int, int], Samples] = {}
    levels = (part.velocity / 127.0) ** 1.5
    steps = np.minimum(part.velocity * BRIGHTNESS_STEPS // 128, BRIGHTNESS_STEPS - 1)
    longest = _longest_per_sound(part, steps)
    for start, end, pitch, level, step in zip(
        part.start.tolist(),
        part.end.tolist(),
        part.pitch.tolist(),
        levels.tolist(),
        steps.tolist(),
        strict=True,
    ):
        key = (pitch, step)
        if key not in cache:
            brightness = (step + 0.5) / BRIGHTNESS_STEPS
            if part.is_drum:
                cache[key] = hit(drum_of(pitch), brightness, rate)
            else:
                cache[key] = tone(patch_of(part.program), pitch, brightness, longest[key], rate)
        sound = cache[key] if part.is_drum else _shaped(cache[key], part.program, end - start, rate)
        at = round(start * rate)
        sound = sound[: max(0, n - at)]
        out[at : at + len(sound)] += np.float32(level) * sound
    return out


def _longest_per_sound(part: TimedNotes, steps: npt.NDArray[np.int32]) -> dict[tuple[int, int], float]:
    """How many seconds of each (pitch, brightness) are needed: the longest note plus its release."""
    extra = patch_of(part.program).release
    longest: dict[tuple[int, int], float] = {}
    for pitch, step, seconds in zip(
        part.pitch.tolist(), steps.tolist(), (part.end - part.start).tolist(), strict=True
    ):
        longest[pitch, step] = max(longest.get((pitch, step), 0.0), seconds + extra)
    return longest


def _shaped(raw: Samples, program: int, seconds: float, rate: int) -> Samples:
    """Cut a held tone to a note's length: attack ramp, then an exponential release after the note's end."""
    patch = patch_of(program)
    hold = max(round(min(seconds, LONGEST_NOTE) * rate), round(0.01 * rate))
    release = round(patch.release * rate)
    sound = raw[: hold + release].copy()
    ramp = min(round(patch.attack * rate), hold)
    sound[:ramp] *= np.linspace(0, 1, ramp, dtype=np.float32)[: len(sound)]
    falling = sound[hold:]
    falling *= np.exp(-SILENCE / max(release, 1) * np.arange(len(falling), dtype=np.float32))
    return sound


def add_panned(mix: Samples, mono: Samples, pan: float) -> None:
    """Add a mono track to a (2, n) mix with equal power; `pan` is -1 (left) .. 1 (right)."""
    angle = (pan + 1) * np.pi / 4
    mix[0] += np.float32(np.cos(angle)) * mono
    mix[1] += np.float32(np.sin(angle)) * mono


def add_room(mix: Samples, level: float, rate: int) -> None:
    """Add a short room to a (2, n) mix in place: its mono sum convolved with decaying noise."""
    length, gap = round(ROOM_SECONDS * rate), round(0.012 * rate)
    falling = np.exp(-SILENCE * np.arange(length) / length)
    generator = np.random.default_rng(11)
    size = 1 << (2 * length).bit_length()
    step = size - length - gap
    answers = []
    for _ in range(2):
        tail = np.convolve(
            generator.standard_normal(length) * falling, [0.35, 0.4, 0.25], "same"
        )  # a little darker
        tail *= level / np.sqrt(np.sum(tail**2))
        answers.append(np.fft.rfft(np.concatenate([np.zeros(gap), tail]).astype(np.float32), size))
    send = 0.7 * (mix[0] + mix[1])
    for start in range(0, send.size, step):  # overlap-add: short transforms stay in the processor's cache
        part = np.fft.rfft(send[start : start + step], size)
        for side, answer in enumerate(answers):
            room = mix[side, start : start + size]
            room += np.fft.irfft(part * answer, size)[: room.size].astype(np.float32)


def limit(mix: Samples, rate: int, ceiling: float = 0.97) -> Samples:
    """Keep every sample of a (2, n) mix within `ceiling` by turning loud moments down smoothly.

    Quiet material passes unchanged; nothing is made louder, so a soft score stays soft.
    """
    block, n = max(1, round(0.004 * rate)), mix.shape[1]
    n_blocks = -(-n // block)
    padded = np.zeros(n_blocks * block, np.float32)
    np.maximum(np.abs(mix[0]), np.abs(mix[1]), out=padded[:n])
    peaks = padded.reshape(n_blocks, block).max(axis=1)
    if peaks.max(initial=0.0) <= ceiling:
        return mix
    reach = 12  # blocks on each side: 48 ms to turn down and up again
    width = 2 * reach + 1
    wanted = np.pad(np.minimum(1.0, ceiling / np.maximum(peaks, 1e-9)), 2 * reach, mode="edge")
    held = np.lib.stride_tricks.sliding_window_view(wanted, width).min(axis=1)
    shape = np.hanning(width)
    smooth = np.convolve(held, shape / shape.sum(), "valid")
    centres = (np.arange(n_blocks) + 0.5) * block
    gain = np.interp(np.arange(n), centres, smooth).astype(np.float32)
    return np.clip(mix * gain, -ceiling, ceiling)
