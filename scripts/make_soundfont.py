"""Make the small General MIDI SoundFont that the package plays, from FluidR3 Mono GM (MIT licence).

The source is the file of Debian's package ``fluidr3mono-gm-soundfont``. What is kept: one preset for each of
the 128 programs, the drum kits of `KITS`, of every instrument the zones a listener of a notebook needs. What
is cut: velocity layers, neighbouring key zones (one sample then serves several more semitones), sound above
what a sample really contains, everything after a loop, long tails of unlooped samples. Needs numpy, scipy and
soundfile:

    python scripts/make_soundfont.py FluidR3Mono_GM.sf3 midigpt_nb/data/sound/gm.sf3
"""

from __future__ import annotations

import argparse
import io
import struct
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray
from scipy import signal

# Generators of the SoundFont 2.04 specification, section 8.1.2, that are read here.
START_OFFSET, END_OFFSET, LOOP_START_OFFSET, LOOP_END_OFFSET = 0, 1, 2, 3
INSTRUMENT, KEY_RANGE, VELOCITY_RANGE, SAMPLE, SAMPLE_MODES, ROOT_KEY = 41, 43, 44, 53, 54, 58
ADDRESSES = (START_OFFSET, END_OFFSET, LOOP_START_OFFSET, LOOP_END_OFFSET, 4, 12, 45, 50)
VORBIS_MONO = 17

KITS = (0, 8, 16, 24, 25, 32, 40, 48)  # standard, room, power, electronic, TR-808, jazz, brush, orchestra
DRUM_KEYS = range(27, 88)  # General MIDI level 2
TYPICAL_VELOCITY = 92
MANY_ZONES = {0: 9, 24: 7, 25: 7, 40: 7, 48: 7, 52: 6, 56: 6, 73: 6}  # instruments heard most: more samples

Gens = dict[int, int]


@dataclass
class Zone:
    """Generators (and raw modulators) of one zone; 16-bit amounts as unsigned numbers."""

    gens: Gens
    mods: bytes = b""

    def span(self, generator: int) -> tuple[int, int]:
        """Lowest and highest key or velocity."""
        amount = self.gens.get(generator, 127 << 8)
        return amount & 255, amount >> 8


@dataclass
class Instrument:
    name: bytes
    common: Zone | None
    zones: list[Zone]


@dataclass
class Preset:
    name: bytes
    program: int
    bank: int
    common: Zone | None
    zones: list[Zone]


@dataclass
class Sample:
    """Loop points in samples from the beginning; `audio` is empty until `decoded`."""

    name: bytes
    stream: bytes
    audio: NDArray[np.float64]
    rate: int
    loop: tuple[int, int]
    key: int
    correction: int


@dataclass
class Font:
    presets: list[Preset]
    instruments: list[Instrument]
    samples: list[Sample]


# --- reading


def chunks(data: bytes, start: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """(name, first byte, last byte + 1) of the chunks of a RIFF list."""
    while start + 8 <= end:
        size = int.from_bytes(data[start + 4 : start + 8], "little")
        yield data[start : start + 4], start + 8, start + 8 + size
        start += 8 + size
        # The source leaves out the padding byte that RIFF asks for.
        if size % 2 and data[start : start + 1] == b"\0":
            start += 1


def read_font(path: Path) -> Font:
    """All presets and instruments; samples are not decoded yet."""
    data = path.read_bytes()
    part: dict[bytes, bytes] = {}
    for name, start, end in chunks(data, 12, len(data)):
        if name == b"LIST":
            for inner, first, last in chunks(data, start + 4, end):
                part[inner] = data[first:last]
    rows = {
        name: [struct.unpack(form, part[name][i : i + size]) for i in range(0, len(part[name]), size)]
        for name, form, size in (
            (b"phdr", "<20sHHHIII", 38),
            (b"inst", "<20sH", 22),
            (b"shdr", "<20sIIIIIBbHH", 46),
            (b"pbag", "<HH", 4),
            (b"ibag", "<HH", 4),
            (b"pgen", "<HH", 4),
            (b"igen", "<HH", 4),
        )
    }

    def zones(first: int, last: int, kind: bytes) -> list[Zone]:
        bags, gens, mods = rows[kind + b"bag"], rows[kind + b"gen"], part[kind + b"mod"]
        return [
            Zone(dict(gens[bags[i][0] : bags[i + 1][0]]), mods[10 * bags[i][1] : 10 * bags[i + 1][1]])
            for i in range(first, last)
        ]

    def split(all_zones: list[Zone], target: int) -> tuple[Zone | None, list[Zone]]:
        common = all_zones[0] if all_zones and target not in all_zones[0].gens else None
        return common, [zone for zone in all_zones if target in zone.gens]

    presets = [
        Preset(a[0], a[1], a[2], *split(zones(a[3], b[3], b"p"), INSTRUMENT))
        for a, b in zip(rows[b"phdr"], rows[b"phdr"][1:], strict=False)
    ]
    instruments = [
        Instrument(a[0], *split(zones(a[1], b[1], b"i"), SAMPLE))
        for a, b in zip(rows[b"inst"], rows[b"inst"][1:], strict=False)
    ]
    samples = [
        Sample(row[0], part[b"smpl"][row[1] : row[2]], np.zeros(0), row[5], (row[3], row[4]), row[6], row[7])
        for row in rows[b"shdr"][:-1]
    ]
    return Font(presets, instruments, samples)


def decoded(sample: Sample) -> Sample:
    """The sample with its audio."""
    audio, _ = soundfile.read(io.BytesIO(sample.stream), dtype="float64")
    return replace(sample, audio=audio if audio.ndim == 1 else audio.mean(axis=1))


# --- choosing


def chosen_presets(presets: list[Preset]) -> list[Preset]:
    """The 128 programs of bank 0 and the kits, in order."""
    wanted = [p for p in presets if p.bank == 0 or (p.bank == 128 and p.program in KITS)]
    return sorted(wanted, key=lambda p: (p.bank, p.program))


def thinned(zones: list[Zone], most: int) -> list[Zone]:
    """At most `most` key zones a layer, one velocity layer: what remains takes over the keys of what goes."""
    loud = [z for z in zones if z.span(VELOCITY_RANGE)[0] <= TYPICAL_VELOCITY <= z.span(VELOCITY_RANGE)[1]]
    layers: list[list[Zone]] = []
    for zone in sorted(loud or zones, key=lambda z: z.span(KEY_RANGE)):
        low = zone.span(KEY_RANGE)[0]
        layer = next((row for row in layers if row[-1].span(KEY_RANGE)[1] < low), None)
        if layer is None:
            layers.append([zone])
        else:
            layer.append(zone)
    return [zone for layer in layers[:2] for zone in _merged(layer, most)]


def _merged(layer: list[Zone], most: int) -> list[Zone]:
    """Groups of neighbours become one zone with the sample of the group's middle."""
    groups = np.array_split(np.arange(len(layer)), min(most, len(layer)))
    out = []
    for group in groups:
        middle = layer[int(group[len(group) // 2])]
        low, high = layer[int(group[0])].span(KEY_RANGE)[0], layer[int(group[-1])].span(KEY_RANGE)[1]
        gens = {k: v for k, v in middle.gens.items() if k not in (KEY_RANGE, VELOCITY_RANGE)}
        out.append(Zone({KEY_RANGE: high << 8 | low, **gens}, middle.mods))
    return out


def drum_zones(zones: list[Zone]) -> list[Zone]:
    """Zones of a kit: every drum of General MIDI at its usual loudness."""
    return [
        zone
        for zone in _usual_velocity(zones)
        if zone.span(KEY_RANGE)[1] >= DRUM_KEYS.start and zone.span(KEY_RANGE)[0] < DRUM_KEYS.stop
    ]


def chosen(font: Font, zones_each: int) -> Font:
    """The font with fewer presets, zones and samples; numbering made anew."""
    presets = chosen_presets(font.presets)
    instruments: dict[int, int] = {}
    samples: dict[int, int] = {}
    kept: list[Instrument] = []
    for preset in presets:
        drums = preset.bank == 128
        for zone in preset.zones:
            old = zone.gens[INSTRUMENT]
            if old not in instruments:
                instruments[old] = len(kept)
                source = font.instruments[old]
                most = MANY_ZONES.get(preset.program, zones_each)
                zones = drum_zones(source.zones) if drums else thinned(source.zones, most)
                kept.append(Instrument(source.name, source.common, zones))
        preset.zones = _usual_velocity(preset.zones, most=None if drums else 2)
    used = {zone.gens[INSTRUMENT] for preset in presets for zone in preset.zones}
    numbers = {old: i for i, old in enumerate(sorted(used))}
    final = [kept[instruments[old]] for old in sorted(used)]
    for preset in presets:
        for zone in preset.zones:
            zone.gens[INSTRUMENT] = numbers[zone.gens[INSTRUMENT]]
    for instrument in final:
        for zone in instrument.zones:
            zone.gens[SAMPLE] = samples.setdefault(zone.gens[SAMPLE], len(samples))
    return Font(presets, final, [decoded(font.samples[old]) for old in samples])


def _usual_velocity(zones: list[Zone], most: int | None = None) -> list[Zone]:
    """The first zones that are heard at a usual velocity; their velocity range goes."""
    loud = [z for z in zones if z.span(VELOCITY_RANGE)[0] <= TYPICAL_VELOCITY <= z.span(VELOCITY_RANGE)[1]]
    return [
        Zone({k: v for k, v in z.gens.items() if k != VELOCITY_RANGE}, z.mods) for z in (loud or zones)[:most]
    ]


# --- making smaller


def bandwidth(audio: NDArray[np.float64], rate: int) -> float:
    """Frequency below which all but a ten-thousandth of the energy of a sample lies."""
    power = np.abs(np.fft.rfft(audio)) ** 2
    total = np.cumsum(power)
    at = int(np.searchsorted(total, total[-1] * (1 - 1e-4)))
    return at * rate / len(audio)


def smaller(sample: Sample, looped: bool, longest: float, top_rate: int) -> tuple[Sample, float]:
    """A sample without what cannot be heard, and the ratio of new to old positions."""
    audio, (start, end) = sample.audio, sample.loop
    looped = looped and 0 <= start < end <= len(audio)
    audio = audio[: end + 32] if looped else audio[: int(longest * sample.rate)]
    if not looped and len(sample.audio) > len(audio):
        fade = min(len(audio), int(0.25 * sample.rate))
        audio = audio.copy()
        audio[-fade:] *= np.linspace(1, 0, fade) ** 2
    needed = min(top_rate, max(11025, 2.3 * bandwidth(audio, sample.rate)))
    ratio = min(1.0, needed / sample.rate)
    if looped:
        # The loop must be a whole number of samples, or the note would be out of tune.
        ratio = min(1.0, max(1, round((end - start) * ratio)) / (end - start))
        if (end - start) * ratio < 32:
            ratio = 1.0
    if ratio == 1.0:
        return replace(sample, audio=audio), 1.0
    new_start = round(start * ratio)
    length = int(len(audio) * ratio)
    # Position of each new sample, so that the loop begins exactly on one.
    at = np.clip(start + (np.arange(length) - new_start) / ratio, 0, len(audio) - 1)
    audio = _low_passed(audio, ratio)
    fine = signal.resample_poly(audio, 8, 1)
    out = np.interp(at * 8, np.arange(len(fine)), fine)
    loop = (new_start, new_start + round((end - start) * ratio)) if looped else (0, 0)
    return replace(sample, audio=out, rate=round(sample.rate * ratio), loop=loop), ratio


def _low_passed(audio: NDArray[np.float64], ratio: float) -> NDArray[np.float64]:
    """Without what would fold back."""
    taps = signal.firwin(127, min(0.98, ratio * 0.96))
    padded = np.concatenate([audio, np.zeros(63)])
    return signal.lfilter(taps, 1.0, padded)[63:]


def encoded(sample: Sample, quality: float) -> bytes:
    """An Ogg Vorbis stream. `quality` from 0 (large) to 1 (small)."""
    buffer = io.BytesIO()
    soundfile.write(
        buffer,
        np.clip(sample.audio, -1, 1),
        sample.rate,
        format="OGG",
        subtype="VORBIS",
        compression_level=quality,
    )
    return buffer.getvalue()


def shrink(font: Font, top_rate: int, longest: float) -> None:
    """Replace every sample by a smaller one, and scale what the zones say about positions."""
    drums = {z.gens[INSTRUMENT] for p in font.presets if p.bank == 128 for z in p.zones}
    looped: set[int] = set()
    users: dict[int, list[Zone]] = {}
    for i, instrument in enumerate(font.instruments):
        common = instrument.common.gens if instrument.common else {}
        for zone in instrument.zones:
            mode = zone.gens.get(SAMPLE_MODES, common.get(SAMPLE_MODES, 0))
            if mode & 1 and not (i in drums and mode == 0):
                looped.add(zone.gens[SAMPLE])
            users.setdefault(zone.gens[SAMPLE], []).append(zone)
    for i, sample in enumerate(font.samples):
        font.samples[i], ratio = smaller(sample, i in looped, longest, top_rate)
        for zone in users.get(i, []):
            for address in ADDRESSES:
                if address in zone.gens:
                    signed = (zone.gens[address] ^ 0x8000) - 0x8000
                    zone.gens[address] = round(signed * ratio) & 0xFFFF


# --- writing


def chunk(name: bytes, data: bytes) -> bytes:
    """A RIFF chunk, padded to an even length."""
    return name + len(data).to_bytes(4, "little") + data + b"\0" * (len(data) % 2)


def _bags(owners: Sequence[Preset | Instrument]) -> tuple[list[int], bytes, bytes, bytes]:
    """First bag of each owner (and the end), and the bag, generator and modulator tables."""
    firsts, bags, gens, mods = [], b"", b"", b""
    n_bags = n_gens = n_mods = 0
    for owner in owners:
        firsts.append(n_bags)
        for zone in ([owner.common] if owner.common else []) + owner.zones:
            bags += struct.pack("<HH", n_gens, n_mods)
            # Key range first, instrument or sample last: the order the format asks for.
            last = (INSTRUMENT, SAMPLE)
            order = sorted(zone.gens, key=lambda g: (g in last, g not in (KEY_RANGE, VELOCITY_RANGE), g))
            gens += b"".join(struct.pack("<HH", g, zone.gens[g]) for g in order)
            mods += zone.mods
            n_bags, n_gens, n_mods = n_bags + 1, n_gens + len(zone.gens), n_mods + len(zone.mods) // 10
    firsts.append(n_bags)
    return firsts, bags + struct.pack("<HH", n_gens, n_mods), gens + bytes(4), mods + bytes(10)


def written(font: Font, quality: float) -> bytes:
    """The font as the bytes of an .sf3 file."""
    pool, headers = b"", b""
    for sample in font.samples:
        stream = encoded(sample, quality)
        headers += struct.pack(
            "<20sIIIIIBbHH",
            sample.name,
            len(pool),
            len(pool) + len(stream),
            *sample.loop,
            sample.rate,
            sample.key,
            sample.correction,
            0,
            VORBIS_MONO,
        )
        pool += stream
    headers += struct.pack("<20sIIIIIBbHH", b"EOS", *([0] * 9))
    p_first, pbag, pgen, pmod = _bags(font.presets)
    i_first, ibag, igen, imod = _bags(font.instruments)
    phdr = b"".join(
        struct.pack("<20sHHHIII", p.name, p.program, p.bank, first, 0, 0, 0)
        for p, first in zip(font.presets, p_first, strict=False)
    ) + struct.pack("<20sHHHIII", b"EOP", 0, 0, p_first[-1], 0, 0, 0)
    inst = b"".join(
        struct.pack("<20sH", i.name, first) for i, first in zip(font.instruments, i_first, strict=False)
    ) + struct.pack("<20sH", b"EOI", i_first[-1])
    info = chunk(b"ifil", struct.pack("<HH", 3, 1)) + chunk(b"isng", b"EMU8000\0")
    info += chunk(b"INAM", b"midigpt-nb GM\0") + chunk(
        b"ICOP",
        b"Subset of FluidR3 Mono GM: (C) 2014-2017 Michael Cowgill; FluidR3 GM: (C) 2000-2002, 2008 "
        b"Frank Wen; MIT licence, see the file beside this one\0",
    )
    tables = ((b"phdr", phdr), (b"pbag", pbag), (b"pmod", pmod), (b"pgen", pgen), (b"inst", inst))
    tables += ((b"ibag", ibag), (b"imod", imod), (b"igen", igen), (b"shdr", headers))
    body = b"sfbk" + chunk(b"LIST", b"INFO" + info) + chunk(b"LIST", b"sdta" + chunk(b"smpl", pool))
    body += chunk(b"LIST", b"pdta" + b"".join(chunk(name, data) for name, data in tables))
    return chunk(b"RIFF", body)


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line: source, target, and how small."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("source", type=Path)
    parser.add_argument("target", type=Path)
    parser.add_argument("--zones", type=int, default=5, help="key zones of an ordinary instrument")
    parser.add_argument("--rate", type=int, default=32000, help="highest sample rate")
    parser.add_argument("--seconds", type=float, default=3.0, help="longest unlooped sample")
    parser.add_argument("--quality", type=float, default=0.8, help="0 large .. 1 small")
    options = parser.parse_args(arguments)
    font = chosen(read_font(options.source), options.zones)
    shrink(font, options.rate, options.seconds)
    data = written(font, options.quality)
    options.target.parent.mkdir(parents=True, exist_ok=True)
    options.target.write_bytes(data)
    print(
        f"{len(font.presets)} presets, {len(font.samples)} samples, {len(data) / 1e6:.2f} MB", file=sys.stderr
    )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
