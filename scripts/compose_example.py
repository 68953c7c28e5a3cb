#!/usr/bin/env python3
"""Compose the example piece: writes midigpt_nb/data/example.mid, the same bytes on every run.

"Quiet Harbour": 16 bars in F at 110 beats a minute for drums, bass, electric piano and flute. Bars 1-8 (A)
lope over a chain of falling fifths, bars 9-16 (B) walk. Positions and lengths are counted in sixteenths of a
bar. Standard library only; nothing is random.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from itertools import cycle, pairwise
from pathlib import Path

TICKS_PER_QUARTER = 480
STEP = TICKS_PER_QUARTER // 4  # a sixteenth
BAR = 16 * STEP
TEMPO = round(60_000_000 / 110)
OUTPUT = Path(__file__).resolve().parents[1] / "midigpt_nb" / "data" / "example.mid"

# ---- harmony -------------------------------------------------------------------------------------

# Chord symbol: root pitch class, and the four notes above it that the keys play.
CHORDS = {
    "Fmaj7": (5, (4, 7, 11, 14)),
    "Em7b5": (4, (3, 6, 10, 12)),
    "A7b9": (9, (4, 7, 10, 13)),
    "Dm7": (2, (3, 7, 10, 14)),
    "Cm7": (0, (3, 7, 10, 14)),
    "F13": (5, (4, 9, 10, 14)),
    "Bbmaj7": (10, (4, 7, 11, 14)),
    "Am7": (9, (3, 7, 10, 12)),
    "D7b9": (2, (4, 7, 10, 13)),
    "Gm7": (7, (3, 7, 10, 14)),
    "C7sus": (0, (5, 7, 10, 14)),
    "C13": (0, (4, 9, 10, 14)),
    "Bbm6": (10, (3, 7, 9, 12)),
    "F69": (5, (4, 7, 9, 14)),
}

# One or two chords a bar; of two, the second starts on the third beat.
FORM = [
    *(
        ("Fmaj7",),
        ("Em7b5", "A7b9"),
        ("Dm7",),
        ("Cm7", "F13"),
        ("Bbmaj7",),
        ("Am7", "D7b9"),
        ("Gm7",),
        ("C7sus", "C13"),
    ),
    *(
        ("Bbmaj7", "C13"),
        ("Am7", "Dm7"),
        ("Gm7", "C13"),
        ("Fmaj7", "F13"),
        ("Bbmaj7", "Bbm6"),
        ("Am7", "D7b9"),
        ("Gm7", "C7sus"),
        ("F69",),
    ),
]
SECTION_B = 8  # index of its first bar


@dataclass(frozen=True)
class Note:
    bar: int
    step: int
    length: int
    pitch: int
    velocity: int


def humanised(notes: list[Note]) -> list[Note]:
    """A player's small unevenness: the same every time, never on the grid's account."""
    sway = cycle((0, 3, -2, 4, -3, 1, -1, 2, -4, 3, 0))
    return [Note(n.bar, n.step, n.length, n.pitch, max(1, min(127, n.velocity + next(sway)))) for n in notes]


# ---- electric piano ------------------------------------------------------------------------------


def voicings(symbol: str) -> list[tuple[int, ...]]:
    """Close positions of a chord around middle C."""
    root, above = CHORDS[symbol]
    classes = sorted({(root + interval) % 12 for interval in above})
    found = []
    for lowest in range(52, 64):
        if lowest % 12 in classes:
            pitches = sorted(next(p for p in range(lowest, lowest + 12) if p % 12 == c) for c in classes)
            found.append(tuple(pitches))
    return found


def led_voicings() -> list[tuple[int, int, tuple[int, ...]]]:
    """(bar, step, pitches) of every chord; each takes the position nearest to the one before."""
    led: list[tuple[int, int, tuple[int, ...]]] = []
    last: tuple[int, ...] = (55, 60, 64, 69)
    for bar, symbols in enumerate(FORM):
        for half, symbol in enumerate(symbols):
            here = last
            last = min(
                voicings(symbol), key=lambda v: (sum(abs(a - b) for a, b in zip(v, here, strict=True)), v)
            )
            led.append((bar, 8 * half, last))
    return led


# (step within the chord, length, velocity) for chords that last a half bar and a whole bar.
COMPING_A = {8: [(0, 5, 68), (6, 1, 56)], 16: [(0, 6, 70), (6, 2, 58), (10, 4, 63), (15, 1, 52)]}
COMPING_B = {8: [(0, 3, 70), (4, 3, 60)], 16: [(0, 10, 66)]}


def keys() -> list[Note]:
    notes = []
    for bar, start, pitches in led_voicings():
        comping = COMPING_A if bar < SECTION_B else COMPING_B
        for step, length, velocity in comping[16 // len(FORM[bar])]:
            # The top voice sings out a little.
            for pitch in pitches:
                notes.append(
                    Note(bar, start + step, length, pitch, velocity + (6 if pitch == max(pitches) else 0))
                )
    return humanised(notes)


# ---- bass ----------------------------------------------------------------------------------------


LOWEST_BASS = 28  # the open E string


def root_in_register(symbol: str) -> int:
    """The chord's root between E1 (28) and Eb2 (39)."""
    return LOWEST_BASS + (CHORDS[symbol][0] - LOWEST_BASS) % 12


def fifth(symbol: str) -> int:
    """The fifth above the root, flat where the chord has a flat fifth."""
    return root_in_register(symbol) + (6 if "b5" in symbol else 7)


def third(symbol: str) -> int:
    interval = CHORDS[symbol][1][0]
    return root_in_register(symbol) + (interval if interval < 5 else 5)


def bass_bar_a(bar: int, symbols: tuple[str, ...], target: int) -> list[Note]:
    """Long root, a push before the third beat, a lead-in from a semitone below or above."""
    first, second = symbols[0], symbols[-1]
    root, other = root_in_register(first), root_in_register(second)
    lead_in = target - 1 if bar % 2 == 0 else target + 1
    if lead_in < LOWEST_BASS:
        lead_in = target + 7
    if len(symbols) == 1:
        middle = [(8, 3, fifth(first), 84), (11, 1, root, 60), (12, 2, root + 12, 88)]
    else:
        middle = [(8, 4, other, 92), (12, 2, fifth(second), 80)]
    line = [
        (0, 5, root, 98),
        (6, 2, root if len(symbols) == 1 else fifth(first), 74),
        *middle,
        (14, 2, lead_in, 82),
    ]
    return [Note(bar, *row) for row in line]


def bass_bar_b(bar: int, symbols: tuple[str, ...], target: int) -> list[Note]:
    """A walk in quarters with a skipped eighth now and then."""
    first, second = symbols[0], symbols[-1]
    lead_in = target - 1 if bar % 2 else target + 1
    middle = root_in_register(second)
    if middle == root_in_register(first):  # the root does not move: step through the chord instead
        middle = fifth(second) if bar % 2 else third(second)
    line = [
        (0, 4, root_in_register(first), 94),
        (4, 4 if bar % 2 else 3, third(first) if bar % 2 else fifth(first), 82),
        (8, 4, middle, 92),
        (12, 4, lead_in, 84),
    ]
    if bar % 2 == 0:
        line.insert(2, (7, 1, root_in_register(first), 58))
    return [Note(bar, *row) for row in line]


def bass() -> list[Note]:
    notes = []
    for bar, (symbols, following) in enumerate(zip(FORM, [*FORM[1:], FORM[0]], strict=True)):
        target = root_in_register(following[0])
        if bar == len(FORM) - 1:  # home, then the dominant leads back to the top
            notes += [
                Note(bar, *row) for row in ((0, 8, 29, 96), (10, 2, 36, 76), (12, 2, 38, 82), (14, 2, 40, 88))
            ]
        else:
            notes += (bass_bar_a if bar < SECTION_B else bass_bar_b)(bar, symbols, target)
    return humanised(notes)


# ---- lead ----------------------------------------------------------------------------------------

# (step, length, pitch) bar by bar; a breath at the end of each phrase.
MELODY = [
    [(2, 2, 72), (4, 3, 76), (7, 1, 74), (8, 4, 72), (12, 2, 69), (14, 2, 67)],
    [(0, 6, 70), (8, 4, 73), (12, 2, 76), (14, 2, 79)],
    [(0, 6, 77), (6, 2, 76), (8, 4, 74)],
    [(2, 2, 75), (4, 2, 74), (6, 2, 72), (8, 2, 69), (10, 2, 72), (12, 3, 75)],
    [(0, 5, 74), (6, 2, 77), (8, 6, 81), (14, 2, 79)],
    [(0, 4, 76), (4, 2, 79), (6, 2, 76), (8, 4, 78), (12, 2, 75), (14, 2, 72)],
    [(0, 6, 70), (6, 2, 74), (8, 3, 77), (12, 4, 81)],
    [(0, 6, 79), (6, 2, 77), (8, 5, 76)],
    [(0, 3, 81), (3, 1, 82), (4, 2, 81), (6, 2, 77), (8, 3, 79), (11, 1, 81), (12, 2, 79), (14, 2, 76)],
    [(0, 3, 79), (3, 1, 81), (4, 2, 79), (6, 2, 76), (8, 6, 77)],
    [(2, 2, 74), (4, 2, 77), (6, 2, 81), (8, 4, 82), (12, 2, 81), (14, 2, 79)],
    [(0, 6, 81), (10, 2, 72), (12, 2, 75), (14, 2, 77)],
    [(0, 4, 84), (4, 2, 82), (6, 2, 81), (8, 4, 79), (12, 2, 77), (14, 2, 73)],
    [(0, 4, 72), (4, 2, 76), (6, 2, 79), (8, 4, 78), (12, 2, 81), (14, 2, 84)],
    [(0, 6, 82), (6, 2, 81), (8, 3, 79), (11, 1, 77), (12, 2, 74), (14, 2, 76)],
    [(0, 9, 77)],
]


def lead() -> list[Note]:
    notes = []
    for bar, line in enumerate(MELODY):
        for step, length, pitch in line:
            # Higher, longer and on the beat is louder; the second half of the piece a shade stronger.
            velocity = (
                74
                + (pitch - 67)
                + min(length, 6)
                + (4 if step % 4 == 0 else 0)
                + (4 if bar >= SECTION_B else 0)
            )
            notes.append(Note(bar, step, length, pitch, velocity))
    return humanised(notes)


# ---- drums ---------------------------------------------------------------------------------------

KICK, STICK, SNARE, CLOSED, PEDAL, OPEN = 36, 37, 38, 42, 44, 46
LOW_TOM, MID_TOM, HIGH_TOM, CRASH, RIDE, BELL = 45, 47, 50, 49, 51, 53

GROOVE_A = [
    *((step, CLOSED, 78 if step % 4 == 0 else 60) for step in range(0, 16, 2)),
    *((0, KICK, 102), (6, KICK, 84), (8, KICK, 72), (4, SNARE, 98), (12, SNARE, 101)),
    *((7, SNARE, 34), (9, SNARE, 30), (15, SNARE, 36)),
]
GROOVE_B = [
    *((step, RIDE, 84 if step % 4 == 0 else 64) for step in (0, 4, 6, 8, 12, 14)),
    *((4, PEDAL, 62), (12, PEDAL, 62), (0, KICK, 96), (7, KICK, 70), (10, KICK, 82)),
    *((4, SNARE, 92), (12, SNARE, 95), (11, SNARE, 32)),
]
# Fills take over from the step they start at.
FILLS = {
    3: (14, [(14, OPEN, 82), (15, SNARE, 58)]),
    7: (
        10,
        [
            (10, SNARE, 70),
            (11, SNARE, 76),
            (12, HIGH_TOM, 88),
            (13, HIGH_TOM, 78),
            (14, MID_TOM, 92),
            (15, LOW_TOM, 98),
            (12, KICK, 86),
        ],
    ),
    11: (13, [(13, SNARE, 60), (14, SNARE, 74), (15, MID_TOM, 84)]),
    15: (
        8,
        [
            (8, SNARE, 66),
            (10, HIGH_TOM, 84),
            (11, HIGH_TOM, 70),
            (12, MID_TOM, 88),
            (13, SNARE, 64),
            (14, LOW_TOM, 94),
            (15, SNARE, 86),
            (8, KICK, 84),
            (12, KICK, 88),
        ],
    ),
}


def drums() -> list[Note]:
    notes = []
    for bar in range(len(FORM)):
        groove = GROOVE_A if bar < SECTION_B else GROOVE_B
        fill_from, fill = FILLS.get(bar, (16, []))
        hits = [hit for hit in groove if hit[0] < fill_from] + fill
        if bar in (0, SECTION_B):
            hits = [(0, CRASH, 104), *(hit for hit in hits if hit[:2] not in ((0, CLOSED), (0, RIDE)))]
        if bar >= SECTION_B and bar % 2:
            hits = [
                (step, BELL if (step, pitch) == (8, RIDE) else pitch, velocity)
                for step, pitch, velocity in hits
            ]
        notes += [Note(bar, step, 1, pitch, velocity) for step, pitch, velocity in sorted(hits)]
    return humanised(notes)


# ---- the file ------------------------------------------------------------------------------------

# Sorting order of events at one tick.
ABOUT, OFF, ON = range(3)
Event = tuple[int, int, bytes]


def number(value: int) -> bytes:
    """A variable-length number, seven bits a byte."""
    digits = [value & 0x7F]
    while value := value >> 7:
        digits.append(value & 0x7F | 0x80)
    return bytes(reversed(digits))


def meta(kind: int, content: bytes) -> bytes:
    return bytes([0xFF, kind]) + number(len(content)) + content


def text(kind: int, words: str) -> bytes:
    return meta(kind, words.encode("ascii"))


def chunk(events: list[Event]) -> bytes:
    body = bytearray()
    ordered = sorted(events, key=lambda event: event[:2])
    end = (len(FORM) * BAR, ABOUT, meta(0x2F, b""))
    for before, event in pairwise([(0, 0, b""), *ordered, end]):
        body += number(event[0] - before[0]) + event[2]
    return b"MTrk" + struct.pack(">I", len(body)) + bytes(body)


def note_events(notes: list[Note], channel: int) -> list[Event]:
    events = []
    for note in notes:
        start = note.bar * BAR + note.step * STEP
        events.append((start, ON, bytes([0x90 | channel, note.pitch, note.velocity])))
        events.append((start + note.length * STEP, OFF, bytes([0x80 | channel, note.pitch, 64])))
    return events


def controllers(channel: int, **values: int) -> list[Event]:
    kinds = {"volume": 7, "pan": 10, "reverb": 91}
    return [(0, ABOUT, bytes([0xB0 | channel, kinds[name], value])) for name, value in values.items()]


def pedal(channel: int) -> list[Event]:
    """Down on each chord of the second section, up just before the next."""
    events = []
    starts = [(bar * BAR + step * STEP) for bar, step, _ in led_voicings() if bar >= SECTION_B]
    for start, end in pairwise([*starts, len(FORM) * BAR]):
        events.append((start, ABOUT, bytes([0xB0 | channel, 64, 127])))
        events.append((end - STEP, ABOUT, bytes([0xB0 | channel, 64, 0])))
    return events


def swells(channel: int) -> list[Event]:
    """Expression: each long note of the melody opens up; and a scoop into the highest one."""
    events = []
    for note in lead():
        if note.length >= 5:
            start = note.bar * BAR + note.step * STEP
            events += [
                (start + i * STEP, ABOUT, bytes([0xB0 | channel, 11, value]))
                for i, value in enumerate((88, 98, 108, 118))
            ]
    top = 12 * BAR
    for i, value in enumerate((0x1800, 0x1C00, 0x2000)):
        events.append((top + i * STEP // 2, ABOUT, bytes([0xE0 | channel, value & 0x7F, value >> 7])))
    return events


def conductor() -> list[Event]:
    return [
        (0, ABOUT, text(0x03, "Quiet Harbour")),
        (0, ABOUT, text(0x02, "Composed for midigpt-nb by scripts/compose_example.py; MIT licence")),
        (0, ABOUT, meta(0x58, bytes([4, 2, 24, 8]))),
        (0, ABOUT, meta(0x59, struct.pack("bb", -1, 0))),
        (0, ABOUT, meta(0x51, TEMPO.to_bytes(3, "big"))),
        (0, ABOUT, text(0x06, "A")),
        (SECTION_B * BAR, ABOUT, text(0x06, "B")),
    ]


def instrument(name: str, channel: int, program: int, extra: list[Event], notes: list[Note]) -> bytes:
    head = [(0, ABOUT, text(0x03, name)), (0, ABOUT, bytes([0xC0 | channel, program]))]
    return chunk(head + extra + note_events(notes, channel))


def composed() -> bytes:
    chunks = [
        chunk(conductor()),
        instrument("Drums", 9, 0, controllers(9, volume=100, reverb=30), drums()),
        instrument("Bass", 0, 33, controllers(0, volume=104, pan=60), bass()),
        instrument("Electric Piano", 1, 4, controllers(1, volume=90, pan=44, reverb=50) + pedal(1), keys()),
        instrument("Flute", 2, 73, controllers(2, volume=98, pan=76, reverb=60) + swells(2), lead()),
    ]
    return b"MThd" + struct.pack(">IHHH", 6, 1, len(chunks), TICKS_PER_QUARTER) + b"".join(chunks)


if __name__ == "__main__":
    OUTPUT.write_bytes(composed())
    print(f"wrote {OUTPUT.name}: {OUTPUT.stat().st_size:,} bytes")
