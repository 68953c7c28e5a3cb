"""TABLE: how each General MIDI program and each drum key sounds.

A melodic patch is a recipe for one string of partials under one envelope; `voices.tone` turns it into
samples. Loudness was balanced by measuring (tests/audio keeps the families within a few decibels).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import pi, sin


@dataclass(frozen=True)
class Patch:
    """One melodic sound.

    `partials` are amplitudes of the harmonics 1, 2, 3, ... at full velocity; with `ratios` given they belong
    to those frequency ratios instead (bells and bars). Soft notes lose high partials by `dullness`.
    """

    partials: tuple[float, ...]
    ratios: tuple[float, ...] = ()
    attack: float = 0.004  # seconds until full level
    release: float = 0.09  # seconds from note end to -60 dB
    decay: float = 0.0  # time constant in 1/seconds of the fundamental at middle C; 0 = sustained
    damping: float = 0.0  # extra decay for each higher partial
    detune: float = 0.0  # second voice, in cents; gives width
    vibrato: float = 0.0  # depth in cents, 5.2 Hz, fading in
    breath: float = 0.0  # share of noise in the tone
    click: float = 0.0  # level of the noise burst at the start (hammer, pick, key)
    dullness: float = 0.35  # how much darker the softest notes are, 0..1
    drive: float = 0.0  # soft saturation
    gain: float = 1.0


def _saw(n: int, slope: float = 1.0) -> tuple[float, ...]:
    return tuple(k**-slope for k in range(1, n + 1))


def _odd(n: int, slope: float = 1.0) -> tuple[float, ...]:
    return tuple(k**-slope if k % 2 else 0.06 * k**-slope for k in range(1, n + 1))


def _formant(n: int, *peaks: int) -> tuple[float, ...]:
    return tuple(1 / k + sum(0.5 / (1 + (k - p) ** 2) for p in peaks) for k in range(1, n + 1))


def _plucked(n: int, position: float) -> tuple[float, ...]:
    """A string plucked at `position` (0..1 of its length) lacks the partials with a node there."""
    return tuple(abs(sin(pi * k * position)) / k for k in range(1, n + 1))


PIANO = Patch(
    (1, 0.62, 0.38, 0.3, 0.19, 0.13, 0.1, 0.06, 0.05, 0.03),
    decay=0.9,
    damping=0.35,
    release=0.16,
    click=0.05,
    detune=1.5,
    dullness=0.5,
)
E_PIANO = Patch((1, 0.12, 0.04, 0.28, 0.02, 0.02, 0.1), decay=1.1, damping=0.5, release=0.2, click=0.02)
HARPSICHORD = Patch(_plucked(16, 0.11), decay=1.8, damping=0.12, release=0.08, click=0.06, dullness=0.0)
CELESTA = Patch(
    (1, 0.25, 0.35, 0.1), ratios=(1, 2.0, 4.0, 9.0), decay=2.2, damping=0.9, release=0.5, click=0.02
)
VIBRAPHONE = Patch((1, 0.28, 0.06), ratios=(1, 3.98, 9.7), decay=1.2, damping=1.6, release=0.5)
MARIMBA = Patch((1, 0.4, 0.1), ratios=(1, 3.93, 9.2), decay=5.0, damping=3.0, release=0.3, click=0.04)
BELLS = Patch(
    (0.6, 1, 0.55, 0.5, 0.3, 0.2),
    ratios=(0.5, 1, 1.19, 2.0, 2.74, 4.07),
    decay=0.8,
    damping=0.35,
    release=1.2,
)
DULCIMER = Patch(_plucked(12, 0.2), decay=1.8, damping=0.3, release=0.3, detune=4, click=0.05)
ORGAN = Patch(
    (1, 0.8, 0.5, 0.4, 0.0, 0.25, 0.0, 0.2), release=0.06, click=0.02, detune=3, dullness=0.0, gain=0.75
)
REED_ORGAN = Patch(_saw(12, 1.1), attack=0.03, release=0.08, detune=5, dullness=0.1, gain=0.7)
NYLON = Patch(_plucked(10, 0.23), decay=1.6, damping=0.45, release=0.12, click=0.04)
STEEL = Patch(_plucked(14, 0.15), decay=1.2, damping=0.3, release=0.12, click=0.05)
CLEAN_GUITAR = Patch(_plucked(10, 0.27), decay=0.9, damping=0.35, release=0.1, click=0.02, detune=2)
MUTED_GUITAR = Patch(_plucked(8, 0.2), decay=7.0, damping=1.0, release=0.05, click=0.06, gain=1.2)
DRIVEN_GUITAR = Patch(_saw(12, 0.9), decay=0.35, release=0.08, drive=2.5, gain=0.55, dullness=0.2)
UPRIGHT_BASS = Patch(
    (1, 0.6, 0.35, 0.2, 0.1, 0.05), decay=1.2, damping=0.7, release=0.08, click=0.05, gain=1.25
)
ELECTRIC_BASS = Patch(
    (1, 0.75, 0.5, 0.3, 0.2, 0.12, 0.08, 0.05), decay=0.7, damping=0.4, release=0.06, click=0.04, gain=1.2
)
SYNTH_BASS = Patch(_saw(14, 1.0), decay=1.0, damping=0.5, release=0.05, gain=1.1)
BOWED = Patch(_saw(14, 1.15), attack=0.05, release=0.16, vibrato=9, breath=0.015, detune=3)
PIZZICATO = Patch(_plucked(8, 0.3), decay=5.0, damping=1.0, release=0.12, click=0.04)
HARP = Patch(_plucked(8, 0.4), decay=1.5, damping=0.5, release=0.6)
TIMPANI = Patch(
    (1, 0.6, 0.4, 0.25),
    ratios=(1, 1.5, 1.98, 2.44),
    decay=2.0,
    damping=0.8,
    release=0.5,
    click=0.08,
    gain=1.3,
)
STRINGS = Patch(_saw(14, 1.1), attack=0.07, release=0.28, vibrato=5, detune=9, gain=0.75)
CHOIR = Patch(_formant(12, 3, 4), attack=0.08, release=0.25, vibrato=10, detune=8, breath=0.02, gain=0.75)
ORCHESTRA_HIT = Patch(_saw(16, 0.8), decay=3.0, damping=0.2, release=0.2, detune=12, click=0.2)
BRASS = Patch(_saw(14, 0.85), attack=0.035, release=0.1, vibrato=4, dullness=0.75, gain=0.8)
MUTED_BRASS = Patch(_formant(12, 5, 6), attack=0.03, release=0.08, vibrato=4, gain=0.75)
SAX = Patch(_formant(12, 2, 4), attack=0.03, release=0.09, vibrato=8, breath=0.03, dullness=0.5)
DOUBLE_REED = Patch(_formant(12, 3, 5), attack=0.03, release=0.08, vibrato=7, breath=0.01)
CLARINET = Patch(_odd(11, 1.1), attack=0.03, release=0.09, vibrato=3, breath=0.01)
FLUTE = Patch((1, 0.28, 0.1, 0.03), attack=0.045, release=0.1, vibrato=9, breath=0.05, gain=1.05)
SQUARE_LEAD = Patch(_odd(17, 1.0), release=0.06, vibrato=5, detune=4, gain=0.7)
SAW_LEAD = Patch(_saw(18, 1.0), release=0.06, vibrato=5, detune=8, gain=0.7)
PAD = Patch(_saw(8, 1.5), attack=0.18, release=0.5, detune=10, vibrato=4, gain=0.8)
BRIGHT_PAD = Patch(_saw(12, 1.1), attack=0.12, release=0.5, detune=12, gain=0.7)
BELL_PAD = replace(BELLS, attack=0.03, decay=0.5, detune=6, gain=0.9)
SITAR = Patch(_plucked(18, 0.07), decay=1.3, damping=0.12, release=0.2, click=0.03, detune=6)
BANJO = Patch(_plucked(12, 0.12), decay=3.5, damping=0.35, release=0.08, click=0.06)
KALIMBA = Patch((1, 0.2, 0.12), ratios=(1, 5.4, 6.8), decay=3.0, damping=2.0, release=0.3, click=0.05)
WOODBLOCK = Patch((1, 0.5), ratios=(1, 2.6), decay=20.0, damping=4, release=0.1, click=0.2, gain=1.5)
SYNTH_DRUM = Patch(
    (1, 0.4, 0.2), ratios=(1, 1.6, 2.3), decay=7.0, damping=3, release=0.15, click=0.15, gain=1.2
)
NOISE = Patch((0.05,), attack=0.05, release=0.4, breath=1.0, dullness=0.0, gain=0.5)

# One row per General MIDI family of eight programs.
_FAMILY_ROWS: tuple[tuple[Patch, ...], ...] = (
    (PIANO, PIANO, PIANO, PIANO, E_PIANO, E_PIANO, HARPSICHORD, HARPSICHORD),
    (CELESTA, CELESTA, CELESTA, VIBRAPHONE, MARIMBA, MARIMBA, BELLS, DULCIMER),
    (ORGAN, ORGAN, ORGAN, ORGAN, REED_ORGAN, REED_ORGAN, REED_ORGAN, REED_ORGAN),
    (NYLON, STEEL, CLEAN_GUITAR, CLEAN_GUITAR, MUTED_GUITAR, DRIVEN_GUITAR, DRIVEN_GUITAR, CLEAN_GUITAR),
    (
        UPRIGHT_BASS,
        ELECTRIC_BASS,
        ELECTRIC_BASS,
        ELECTRIC_BASS,
        ELECTRIC_BASS,
        ELECTRIC_BASS,
        SYNTH_BASS,
        SYNTH_BASS,
    ),
    (BOWED, BOWED, BOWED, BOWED, STRINGS, PIZZICATO, HARP, TIMPANI),
    (STRINGS, STRINGS, STRINGS, STRINGS, CHOIR, CHOIR, CHOIR, ORCHESTRA_HIT),
    (BRASS, BRASS, BRASS, MUTED_BRASS, BRASS, BRASS, BRASS, BRASS),
    (SAX, SAX, SAX, SAX, DOUBLE_REED, DOUBLE_REED, DOUBLE_REED, CLARINET),
    (FLUTE,) * 8,
    (SQUARE_LEAD, SAW_LEAD, FLUTE, SQUARE_LEAD, DRIVEN_GUITAR, CHOIR, SAW_LEAD, SAW_LEAD),
    (BRIGHT_PAD, PAD, SAW_LEAD, CHOIR, BRIGHT_PAD, BELL_PAD, CHOIR, PAD),
    (BELL_PAD, PAD, BELL_PAD, NYLON, BRIGHT_PAD, PAD, PAD, BELL_PAD),
    (SITAR, BANJO, BANJO, HARP, KALIMBA, DOUBLE_REED, BOWED, DOUBLE_REED),
    (BELLS, WOODBLOCK, KALIMBA, WOODBLOCK, SYNTH_DRUM, SYNTH_DRUM, SYNTH_DRUM, NOISE),
    (NOISE, NOISE, NOISE, FLUTE, BELLS, NOISE, NOISE, NOISE),
)
PATCHES: tuple[Patch, ...] = tuple(patch for row in _FAMILY_ROWS for patch in row)


@dataclass(frozen=True)
class Drum:
    """One drum sound: a swept tone plus a band of noise, each with its own decay.

    Times are seconds to fall by 60 dB; frequencies in hertz. `tones` beyond the first sound unswept above it
    (cymbals and bells are inharmonic sets).
    """

    tones: tuple[float, ...] = ()
    sweep: float = 1.0  # the tone starts this many times higher
    tone_time: float = 0.2
    tone_level: float = 1.0
    noise: tuple[float, float] = (0.0, 0.0)  # band edges
    noise_time: float = 0.1
    noise_level: float = 0.0
    bursts: int = 1  # claps and shakers start several times
    gain: float = 1.0


_METAL = (2213.0, 3179.0, 4271.0, 5573.0, 6893.0, 8237.0)


def _cymbal(seconds: float, low: float, level: float = 0.9, gain: float = 0.5) -> Drum:
    return Drum(
        _METAL,
        tone_time=seconds,
        tone_level=0.06,
        noise=(low, 16000),
        noise_time=seconds,
        noise_level=level,
        gain=gain,
    )


def _tom(hertz: float) -> Drum:
    return Drum(
        (hertz, hertz * 1.59), sweep=1.5, tone_time=0.45, noise=(200, 4000), noise_time=0.06, noise_level=0.3
    )


def _skin(hertz: float, seconds: float = 0.22) -> Drum:
    return Drum(
        (hertz, hertz * 1.5),
        sweep=1.15,
        tone_time=seconds,
        noise=(600, 6000),
        noise_time=0.03,
        noise_level=0.35,
        gain=0.8,
    )


def _bell(*hertz: float, seconds: float = 0.25) -> Drum:
    return Drum(
        hertz,
        tone_time=seconds,
        tone_level=0.8,
        noise=(2000, 9000),
        noise_time=0.02,
        noise_level=0.3,
        gain=0.5,
    )


def _shaker(seconds: float, low: float = 5000, bursts: int = 1, gain: float = 0.5) -> Drum:
    return Drum(noise=(low, 14000), noise_time=seconds, noise_level=1.0, bursts=bursts, gain=gain)


_KICK = Drum(
    (52.0,), sweep=4.5, tone_time=0.38, noise=(800, 5000), noise_time=0.02, noise_level=0.25, gain=1.25
)
_SNARE = Drum(
    (186.0, 331.0),
    sweep=1.3,
    tone_time=0.14,
    tone_level=0.5,
    noise=(900, 11000),
    noise_time=0.3,
    noise_level=0.9,
    gain=1.15,
)
_RIM = Drum(
    (1720.0, 2450.0),
    tone_time=0.09,
    tone_level=0.6,
    noise=(1500, 7000),
    noise_time=0.05,
    noise_level=0.6,
    gain=1.0,
)
_WHISTLE = Drum(
    (2600.0, 2710.0),
    tone_time=0.5,
    tone_level=0.5,
    noise=(2000, 4000),
    noise_time=0.5,
    noise_level=0.1,
    gain=0.4,
)

DRUMS: dict[int, Drum] = {
    35: replace(_KICK, tones=(46.0,)),
    36: _KICK,
    37: _RIM,
    38: _SNARE,
    39: Drum(noise=(900, 5500), noise_time=0.26, noise_level=1.0, bursts=3, gain=1.0),
    40: replace(_SNARE, tones=(212.0, 360.0), noise_time=0.22),
    41: _tom(82),
    42: _cymbal(0.16, 6500, gain=1.0),
    43: _tom(98),
    44: _cymbal(0.13, 5500, gain=0.9),
    45: _tom(117),
    46: _cymbal(0.65, 6000, gain=0.8),
    47: _tom(139),
    48: _tom(165),
    49: _cymbal(1.9, 3000, gain=0.6),
    50: _tom(196),
    51: _cymbal(1.1, 5000, level=0.45, gain=0.9),
    52: _cymbal(1.4, 2000, gain=0.55),
    53: _bell(3100, 4650, 6200, seconds=0.8),
    54: _shaker(0.3, 6000, bursts=2, gain=0.8),
    55: _cymbal(0.8, 4500, gain=0.55),
    56: _bell(562, 845),
    57: _cymbal(1.7, 3600, gain=0.6),
    58: _shaker(0.6, 2500, bursts=6),
    59: _cymbal(1.2, 5600, level=0.45, gain=0.9),
    60: _skin(420),
    61: _skin(300),
    62: _skin(330, 0.1),
    63: _skin(270),
    64: _skin(190, 0.3),
    65: _skin(360, 0.35),
    66: _skin(250, 0.35),
    67: _bell(1420, 2130),
    68: _bell(1060, 1590),
    69: _shaker(0.16, 4500, gain=0.8),
    70: _shaker(0.11, 6500, gain=0.9),
    71: _WHISTLE,
    72: replace(_WHISTLE, tone_time=0.9),
    73: _shaker(0.12, 2500, bursts=2),
    74: _shaker(0.35, 2200, bursts=5),
    75: _bell(2480, seconds=0.08),
    76: _bell(1010, 1600, seconds=0.1),
    77: _bell(720, 1150, seconds=0.1),
    78: _skin(520, 0.12),
    79: _skin(380, 0.25),
    80: _bell(5200, 7900, seconds=0.15),
    81: _bell(5200, 7900, seconds=1.4),
}


def patch_of(program: int) -> Patch:
    """The sound of a General MIDI program, 0..127."""
    return PATCHES[program]


def drum_of(pitch: int) -> Drum:
    """The sound of a drum key; keys outside General MIDI's range borrow the nearest one."""
    return DRUMS[min(max(pitch, min(DRUMS)), max(DRUMS))]
