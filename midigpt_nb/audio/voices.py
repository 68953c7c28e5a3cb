"""One note to mono samples: partials for instruments, swept tones and noise bands for drums."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from midigpt_nb.audio.patches import Drum, Patch

Samples = npt.NDArray[np.float32]

DRY_LEVEL = 0.22  # peak of a full-velocity note before mixing
SILENCE = 6.9  # -60 dB as a power of e
LONGEST_NOTE = 20.0  # seconds; longer notes fade here


def frequency(pitch: float) -> float:
    """Hertz of a MIDI pitch (69 = 440 Hz)."""
    return float(440.0 * 2.0 ** ((pitch - 69.0) / 12.0))


def tone(patch: Patch, pitch: int, brightness: float, seconds: float, rate: int) -> Samples:
    """A note held for `seconds`, without its attack and release ramps.

    `brightness` is 0 (softest) to 1 (loudest); it shapes the spectrum, not the level.
    """
    seconds = min(seconds, LONGEST_NOTE, _audible_seconds(patch, pitch))
    t = np.arange(max(1, round(seconds * rate))) / rate
    hertz = frequency(pitch)
    out = _string(patch, hertz, brightness, t, rate)
    if patch.detune:
        out = 0.6 * out + 0.4 * _string(patch, hertz * 2 ** (patch.detune / 1200), brightness, t, rate)
    if patch.drive:
        out = np.tanh(patch.drive * out) / np.tanh(patch.drive)
    if patch.breath:
        out = (1 - patch.breath) * out + patch.breath * _breath(hertz, len(t), rate)
    if patch.click:
        burst = noise(min(len(t), round(0.012 * rate)), rate, (400, 6000)) * (0.3 + brightness)
        out[: len(burst)] += patch.click * burst * np.linspace(1, 0, len(burst)) ** 2
    return (DRY_LEVEL * patch.gain * out).astype(np.float32)


def _audible_seconds(patch: Patch, pitch: int) -> float:
    return SILENCE / _decay(patch, frequency(pitch)) if patch.decay else LONGEST_NOTE


def _decay(patch: Patch, hertz: float) -> float:
    return float(patch.decay * (hertz / 262.0) ** 0.55)  # high strings die sooner


def _string(patch: Patch, hertz: float, brightness: float, t: npt.NDArray[np.float64], rate: int) -> Samples:
    """The sum of the patch's partials, normalised to a peak near 1."""
    ratios = np.asarray(patch.ratios or range(1, len(patch.partials) + 1), dtype=float)
    dark = ratios ** (-2.0 * patch.dullness * (1.0 - brightness))
    levels = np.asarray(patch.partials) * dark
    audible = ratios * hertz < 0.45 * rate
    if not audible.any():
        return np.zeros(len(t), np.float32)
    levels, ratios = levels[audible], ratios[audible]
    levels = levels / np.sqrt(np.sum(levels**2))
    cycles = hertz * t
    if patch.vibrato:
        depth = 2 ** (patch.vibrato / 1200) - 1
        fade = np.clip((t - 0.15) / 0.3, 0, 1)
        cycles = cycles - hertz * depth * fade * np.cos(2 * np.pi * 5.2 * t) / (2 * np.pi * 5.2)
    decay = _decay(patch, hertz)
    if patch.ratios:
        return _bars(cycles, t, levels, ratios, decay, patch.damping)
    return _harmonics(cycles, t, levels, decay, patch.damping)


def _harmonics(
    cycles: npt.NDArray[np.float64],
    t: npt.NDArray[np.float64],
    levels: npt.NDArray[np.float64],
    decay: float,
    damping: float,
) -> Samples:
    """Sum of levels[k-1] * r^k * sin(k x), where r shrinks with time: high partials die sooner.

    Clenshaw's recurrence: three multiplications per partial and no sine beyond the first.
    """
    x = (2 * np.pi * (cycles % 1.0)).astype(np.float32)
    shrink = np.exp(-decay * damping * t).astype(np.float32) if damping else np.float32(1)
    double, square = 2 * shrink * np.cos(x), shrink * shrink
    now, last = np.full(len(t), levels[-1], np.float32), np.zeros(len(t), np.float32)
    for level in levels[-2::-1]:
        last *= -square
        last += double * now
        last += np.float32(level)
        now, last = last, now
    out = shrink * np.sin(x) * now
    if decay:
        out *= np.exp(-decay * max(0.0, 1 - damping) * t).astype(np.float32)
    return np.asarray(out, dtype=np.float32)


def _bars(
    cycles: npt.NDArray[np.float64],
    t: npt.NDArray[np.float64],
    levels: npt.NDArray[np.float64],
    ratios: npt.NDArray[np.float64],
    decay: float,
    damping: float,
) -> Samples:
    out = np.zeros(len(t), np.float32)
    for number, (level, ratio) in enumerate(zip(levels, ratios, strict=True)):
        wave = np.sin(2 * np.pi * ((cycles * ratio) % 1.0)).astype(np.float32)
        out += np.float32(level) * wave * np.exp(-decay * (1 + damping * number) * t).astype(np.float32)
    return out


def _breath(hertz: float, n: int, rate: int) -> Samples:
    return noise(n, rate, (hertz, max(4 * hertz, 3000.0)))


def noise(n: int, rate: int, band: tuple[float, float]) -> Samples:
    """`n` samples of noise between two frequencies, RMS 0.5; the same every time."""
    # Generated in blocks, so that a long breath costs one short transform and does not repeat audibly.
    size = min(n, 1 << 16)
    spectrum = np.fft.rfft(np.random.default_rng(7).standard_normal(max(size, 2)))
    hertz = np.fft.rfftfreq(max(size, 2), 1 / rate)
    low, high = band
    spectrum *= 1 / (1 + (low / np.maximum(hertz, 1.0)) ** 6) / (1 + (hertz / high) ** 6)
    block = np.fft.irfft(spectrum, max(size, 2))
    block *= 0.5 / max(float(np.sqrt(np.mean(block**2))), 1e-9)
    return np.resize(block, n).astype(np.float32)


def hit(drum: Drum, brightness: float, rate: int) -> Samples:
    """A whole drum hit: its decay does not depend on how long the note is written."""
    seconds = (
        max(drum.tone_time if drum.tones else 0.0, drum.noise_time if drum.noise_level else 0.0) * 1.1 + 0.02
    )
    t = np.arange(round(seconds * rate)) / rate
    out = np.zeros(len(t))
    if drum.tones:
        out += drum.tone_level * _swept(drum, t)
    if drum.noise_level:
        out += drum.noise_level * (0.6 + 0.4 * brightness) * _bursts(drum, t, rate)
    out *= np.clip(t / 0.0007, 0, 1)  # half a millisecond of ramp: no click from a cut wave
    return (2.2 * DRY_LEVEL * drum.gain * out).astype(np.float32)


def _swept(drum: Drum, t: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    fall = np.exp(-t / 0.028)
    cycles = t + (drum.sweep - 1) * 0.028 * (1 - fall)  # integral of 1 + (sweep - 1) e^(-t / 28 ms)
    tones = sum(np.sin(2 * np.pi * hertz * cycles + number) for number, hertz in enumerate(drum.tones))
    return np.asarray(tones / len(drum.tones) ** 0.5 * np.exp(-SILENCE * t / drum.tone_time))


def _bursts(drum: Drum, t: npt.NDArray[np.float64], rate: int) -> npt.NDArray[np.float64]:
    raw = noise(len(t), rate, drum.noise)
    envelope = np.exp(-SILENCE * t / drum.noise_time)
    gap = drum.noise_time / (2.5 * drum.bursts)
    for number in range(1, drum.bursts):
        late = t - number * gap
        envelope = np.where(
            late >= 0, np.exp(-SILENCE * np.maximum(late, 0) / drum.noise_time), envelope * 0.999
        )
    if drum.bursts > 1:
        envelope *= np.where(t < drum.bursts * gap, 1 - 0.7 * ((t / gap) % 1.0), 0.3)
    return np.asarray(raw * envelope)
