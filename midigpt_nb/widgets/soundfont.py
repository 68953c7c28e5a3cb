"""A SoundFont with only the instruments that a piece plays: what an exported page carries.

Nothing is decoded or encoded again: presets, their instruments and the samples of those are copied as they
are and numbered anew. Works on .sf2 and .sf3 files (SoundFont 2.04, sections 7 and 8).
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise

__all__ = ["Preset", "SoundFontError", "subset"]

Preset = tuple[bool, int]
"""(drum kit, program)."""

_INSTRUMENT, _SAMPLE = 41, 53
_DRUM_BANK = 128
_VORBIS = 0x10
_GUARD = 46  # zero samples between the samples of an .sf2 file
_PHDR, _INST, _SHDR = "<20sHHHIII", "<20sH", "<20sIIIIIBbHH"
Row = tuple[int, ...]
Zone = tuple[list[Row], bytes]
"""Generators (number, amount) and raw modulators."""


class SoundFontError(ValueError):
    """A file is no SoundFont, or one whose tables contradict each other."""


@dataclass
class _Owner:
    """A preset or an instrument: its header row and its zones."""

    head: tuple[bytes | int, ...]
    zones: list[Zone]


def subset(data: bytes, presets: Iterable[Preset]) -> bytes:
    """The bytes of a SoundFont with the presets that these sounds play.

    A program or kit that the file lacks is left to the synthesiser's own choice (another one sounds), so the
    first melodic preset is kept then. Raises `SoundFontError`.
    """
    try:
        return _Font(data).with_presets(set(presets))
    except (struct.error, KeyError, IndexError) as error:
        raise SoundFontError(f"the SoundFont is damaged: {error!r}") from error


def _chunks(data: bytes, start: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """(name, first byte, last byte + 1) of the chunks of a RIFF list."""
    while start + 8 <= end:
        size = int.from_bytes(data[start + 4 : start + 8], "little")
        if start + 8 + size > end:
            raise SoundFontError("a chunk of the SoundFont is cut off")
        yield data[start : start + 4], start + 8, start + 8 + size
        start += 8 + size + size % 2


def _chunk(name: bytes, data: bytes) -> bytes:
    return name + len(data).to_bytes(4, "little") + data + b"\0" * (len(data) % 2)


class _Font:
    def __init__(self, data: bytes) -> None:
        if data[:4] != b"RIFF" or data[8:12] != b"sfbk":
            raise SoundFontError("this is no SoundFont")
        self.part: dict[bytes, bytes] = {}
        self.info = b""
        for name, start, end in _chunks(data, 12, len(data)):
            if name != b"LIST":
                continue
            if data[start : start + 4] == b"INFO":
                self.info = data[start:end]
                continue
            for inner, first, last in _chunks(data, start + 4, end):
                self.part[inner] = data[first:last]
        self.presets = self._owners(b"p", _PHDR, 3)
        self.instruments = self._owners(b"i", _INST, 1)
        self.samples = list(struct.iter_unpack(_SHDR, self.part[b"shdr"]))[:-1]

    def _owners(self, kind: bytes, form: str, first_bag: int) -> list[_Owner]:
        heads = list(struct.iter_unpack(form, self.part[b"phdr" if kind == b"p" else b"inst"]))
        bags = list(struct.iter_unpack("<HH", self.part[kind + b"bag"]))
        gens = list(struct.iter_unpack("<HH", self.part[kind + b"gen"]))
        mods = self.part[kind + b"mod"]
        owners = []
        for head, following in pairwise(heads):
            zones = []
            for i in range(head[first_bag], following[first_bag]):
                (gen, mod), (gen_end, mod_end) = bags[i], bags[i + 1]
                zones.append((gens[gen:gen_end], mods[10 * mod : 10 * mod_end]))
            owners.append(_Owner(head, zones))
        return owners

    def with_presets(self, wanted: set[Preset]) -> bytes:
        by_place = {(owner.head[2], owner.head[1]): owner for owner in self.presets}
        kept = []
        for drum, program in sorted(wanted):
            bank = _DRUM_BANK if drum else 0
            # The same kit or instrument, else what a General MIDI player falls back on.
            owner = by_place.get((bank, program)) or by_place.get((bank, 0)) or self.presets[0]
            if owner not in kept:
                kept.append(owner)
        kept = kept or self.presets[:1]
        instruments = _used(kept, _INSTRUMENT)
        owners = [self.instruments[i] for i in instruments]
        samples = _used(owners, _SAMPLE)
        pool, headers = self._samples(samples)
        return self._written(
            [_renumbered(owner, _INSTRUMENT, instruments) for owner in kept],
            [_renumbered(owner, _SAMPLE, samples) for owner in owners],
            pool,
            headers,
        )

    def _samples(self, numbers: dict[int, int]) -> tuple[bytes, bytes]:
        """The pool and the headers of some samples. Vorbis streams are counted in bytes, others in words."""
        pool, headers = bytearray(), b""
        data = self.part[b"smpl"]
        for old in numbers:
            name, start, end, loop, loop_end, rate, key, correction, _link, kind = self.samples[old]
            packed = bool(kind & _VORBIS)
            unit = 1 if packed else 2
            at = len(pool) // unit
            shift = 0 if packed else at - start  # loop points of Vorbis samples count from their beginning
            headers += struct.pack(
                _SHDR, name, at, at + end - start, loop + shift, loop_end + shift, rate, key, correction,
                0, kind & _VORBIS | 1,
            )  # fmt: skip
            pool += data[unit * start : unit * end]
            if not packed:
                pool += bytes(2 * _GUARD)
            elif len(pool) % 2:
                pool += b"\0"
        return bytes(pool), headers + struct.pack(_SHDR, b"EOS", *([0] * 9))

    def _written(
        self, presets: list[_Owner], instruments: list[_Owner], pool: bytes, headers: bytes
    ) -> bytes:
        phdr, pbag, pgen, pmod = _tables(
            presets, lambda head, bag: struct.pack(_PHDR, *head[:3], bag, 0, 0, 0)
        )
        inst, ibag, igen, imod = _tables(instruments, lambda head, bag: struct.pack(_INST, head[0], bag))
        phdr += struct.pack(_PHDR, b"EOP", 0, 0, len(pbag) // 4 - 1, 0, 0, 0)
        inst += struct.pack(_INST, b"EOI", len(ibag) // 4 - 1)
        tables = (
            (b"phdr", phdr), (b"pbag", pbag), (b"pmod", pmod), (b"pgen", pgen), (b"inst", inst),
            (b"ibag", ibag), (b"imod", imod), (b"igen", igen), (b"shdr", headers),
        )  # fmt: skip
        body = b"sfbk" + _chunk(b"LIST", self.info) + _chunk(b"LIST", b"sdta" + _chunk(b"smpl", pool))
        body += _chunk(b"LIST", b"pdta" + b"".join(_chunk(name, data) for name, data in tables))
        return _chunk(b"RIFF", body)


def _used(owners: list[_Owner], target: int) -> dict[int, int]:
    """Numbers that zones point at -> new numbers, in the order of the old ones."""
    old = {
        amount for owner in owners for gens, _ in owner.zones for number, amount in gens if number == target
    }
    return {number: i for i, number in enumerate(sorted(old))}


def _renumbered(owner: _Owner, target: int, numbers: dict[int, int]) -> _Owner:
    zones: list[Zone] = [
        ([(n, numbers[amount] if n == target else amount) for n, amount in gens], mods)
        for gens, mods in owner.zones
    ]
    return _Owner(owner.head, zones)


def _tables(
    owners: list[_Owner], head: Callable[[tuple[bytes | int, ...], int], bytes]
) -> tuple[bytes, bytes, bytes, bytes]:
    """Header, bag, generator and modulator tables, each with its end but the first."""
    heads, bags, gens, mods = b"", b"", b"", b""
    for owner in owners:
        heads += head(owner.head, len(bags) // 4)
        for zone_gens, zone_mods in owner.zones:
            bags += struct.pack("<HH", len(gens) // 4, len(mods) // 10)
            gens += b"".join(struct.pack("<HH", *row) for row in zone_gens)
            mods += zone_mods
    bags += struct.pack("<HH", len(gens) // 4, len(mods) // 10)
    return heads, bags, gens + bytes(4), mods + bytes(10)
