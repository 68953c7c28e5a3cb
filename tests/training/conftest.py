"""A tiny corpus of MIDI files, written byte by byte and prepared for training."""

from __future__ import annotations

import csv
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest

from midigpt_nb.training.corpus import Corpus
from midigpt_nb.training.prepare import prepare

QUARTER = 480


def _variable(value: int) -> bytes:
    parts = [value & 0x7F]
    while value := value >> 7:
        parts.append(0x80 | value & 0x7F)
    return bytes(reversed(parts))


def _track(events: list[tuple[int, bytes]]) -> bytes:
    data, time = b"", 0
    for tick, message in sorted(events, key=lambda event: event[0]):
        data += _variable(tick - time) + message
        time = tick
    data += b"\x00\xff\x2f\x00"
    return b"MTrk" + struct.pack(">I", len(data)) + data


def _note(channel: int, tick: int, pitch: int, length: int, velocity: int) -> list[tuple[int, bytes]]:
    return [
        (tick, bytes([0x90 | channel, pitch, velocity])),
        (tick + length, bytes([0x80 | channel, pitch, 0])),
    ]


def _piece(seed: int, bars: int = 20, metre: tuple[int, int] = (4, 2)) -> bytes:
    """A bass, a chord and a drum track; ``metre`` is numerator and the power of two of the denominator."""
    rng = np.random.default_rng(seed)
    bar = QUARTER * 4 * metre[0] // 2 ** metre[1]
    conductor = [(0, bytes([0xFF, 0x58, 4, metre[0], metre[1], 24, 8]))]
    bass: list[tuple[int, bytes]] = [(0, bytes([0xC0, 34]))]
    chords: list[tuple[int, bytes]] = [(0, bytes([0xC1, 0]))]
    drums: list[tuple[int, bytes]] = []
    for number in range(bars):
        root = int(rng.choice([36, 41, 43, 45]))
        for tick in range(0, bar, QUARTER):
            early = -3 if tick else 0  # human timing: must still land on its beat
            bass += _note(
                0, max(0, number * bar + tick + early), root, QUARTER // 2, int(rng.integers(86, 94))
            )
            drums += _note(9, number * bar + tick, 36 if tick % (2 * QUARTER) == 0 else 38, 60, 100)
        if number % 3:
            for pitch in (root + 12, root + 16, root + 19):
                chords += _note(1, number * bar, pitch, bar, 80)
    header = b"MThd" + struct.pack(">IHHH", 6, 1, 4, QUARTER)
    return header + b"".join(_track(events) for events in (conductor, bass, chords, drums))


@pytest.fixture(scope="module")
def corpus_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("corpus")
    rows = []
    for source, tier in (("freedoom", "A"), ("band_rulemade", "S")):
        with zipfile.ZipFile(folder / f"{source}.zip", "w") as archive:
            for number in range(6):
                name = f"{source}/{number}.mid"
                archive.writestr(name, _piece(number, metre=(3, 2) if number == 2 else (4, 2)))
                split = "valid" if number >= 4 else "train"
                rows.append({"file": name, "source": source, "tier": tier, "split": split})
    with (folder / "manifest.csv").open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    output = folder / "corpus.npz"
    prepare(folder, output, workers=1)
    return output


@pytest.fixture(scope="module")
def corpus(corpus_path: Path) -> Corpus:
    return Corpus.load(corpus_path)
