"""TABLE: General MIDI program names, families and drum names."""

from __future__ import annotations

import operator
from typing import Any

__all__ = ["DRUM_NAMES", "FAMILIES", "PROGRAMS", "PROGRAMS_IN_WORDS", "drum_name", "family", "program_name",
           "program_number"]  # fmt: skip

# Each family is eight programs in a row: programs 0-7 are the first, 8-15 the second, and so on.
_FAMILY_PROGRAMS: dict[str, tuple[str, ...]] = {
    "Piano": (
        "Acoustic Grand Piano",
        "Bright Acoustic Piano",
        "Electric Grand Piano",
        "Honky-tonk Piano",
        "Electric Piano 1",
        "Electric Piano 2",
        "Harpsichord",
        "Clavinet",
    ),
    "Chromatic Percussion": (
        "Celesta",
        "Glockenspiel",
        "Music Box",
        "Vibraphone",
        "Marimba",
        "Xylophone",
        "Tubular Bells",
        "Dulcimer",
    ),
    "Organ": (
        "Drawbar Organ",
        "Percussive Organ",
        "Rock Organ",
        "Church Organ",
        "Reed Organ",
        "Accordion",
        "Harmonica",
        "Tango Accordion",
    ),
    "Guitar": (
        "Acoustic Guitar (nylon)",
        "Acoustic Guitar (steel)",
        "Electric Guitar (jazz)",
        "Electric Guitar (clean)",
        "Electric Guitar (muted)",
        "Overdriven Guitar",
        "Distortion Guitar",
        "Guitar Harmonics",
    ),
    "Bass": (
        "Acoustic Bass",
        "Electric Bass (finger)",
        "Electric Bass (pick)",
        "Fretless Bass",
        "Slap Bass 1",
        "Slap Bass 2",
        "Synth Bass 1",
        "Synth Bass 2",
    ),
    "Strings": (
        "Violin",
        "Viola",
        "Cello",
        "Contrabass",
        "Tremolo Strings",
        "Pizzicato Strings",
        "Orchestral Harp",
        "Timpani",
    ),
    "Ensemble": (
        "String Ensemble 1",
        "String Ensemble 2",
        "Synth Strings 1",
        "Synth Strings 2",
        "Choir Aahs",
        "Voice Oohs",
        "Synth Voice",
        "Orchestra Hit",
    ),
    "Brass": (
        "Trumpet",
        "Trombone",
        "Tuba",
        "Muted Trumpet",
        "French Horn",
        "Brass Section",
        "Synth Brass 1",
        "Synth Brass 2",
    ),
    "Reed": (
        "Soprano Sax",
        "Alto Sax",
        "Tenor Sax",
        "Baritone Sax",
        "Oboe",
        "English Horn",
        "Bassoon",
        "Clarinet",
    ),
    "Pipe": (
        "Piccolo",
        "Flute",
        "Recorder",
        "Pan Flute",
        "Blown Bottle",
        "Shakuhachi",
        "Whistle",
        "Ocarina",
    ),
    "Synth Lead": (
        "Lead 1 (square)",
        "Lead 2 (sawtooth)",
        "Lead 3 (calliope)",
        "Lead 4 (chiff)",
        "Lead 5 (charang)",
        "Lead 6 (voice)",
        "Lead 7 (fifths)",
        "Lead 8 (bass + lead)",
    ),
    "Synth Pad": (
        "Pad 1 (new age)",
        "Pad 2 (warm)",
        "Pad 3 (polysynth)",
        "Pad 4 (choir)",
        "Pad 5 (bowed)",
        "Pad 6 (metallic)",
        "Pad 7 (halo)",
        "Pad 8 (sweep)",
    ),
    "Synth Effects": (
        "FX 1 (rain)",
        "FX 2 (soundtrack)",
        "FX 3 (crystal)",
        "FX 4 (atmosphere)",
        "FX 5 (brightness)",
        "FX 6 (goblins)",
        "FX 7 (echoes)",
        "FX 8 (sci-fi)",
    ),
    "Ethnic": (
        "Sitar",
        "Banjo",
        "Shamisen",
        "Koto",
        "Kalimba",
        "Bagpipe",
        "Fiddle",
        "Shanai",
    ),
    "Percussive": (
        "Tinkle Bell",
        "Agogo",
        "Steel Drums",
        "Woodblock",
        "Taiko Drum",
        "Melodic Tom",
        "Synth Drum",
        "Reverse Cymbal",
    ),
    "Sound Effects": (
        "Guitar Fret Noise",
        "Breath Noise",
        "Seashore",
        "Bird Tweet",
        "Telephone Ring",
        "Helicopter",
        "Applause",
        "Gunshot",
    ),
}

FAMILIES: tuple[str, ...] = tuple(_FAMILY_PROGRAMS)
PROGRAMS: tuple[str, ...] = tuple(name for names in _FAMILY_PROGRAMS.values() for name in names)
PROGRAMS_IN_WORDS = "0..127, or a General MIDI name"
_NUMBERS = {name.casefold(): number for number, name in enumerate(PROGRAMS)}

_FIRST_DRUM_PITCH = 27
DRUM_NAMES: dict[int, str] = dict(
    enumerate(
        (
            "High Q",
            "Slap",
            "Scratch Push",
            "Scratch Pull",
            "Sticks",
            "Square Click",
            "Metronome Click",
            "Metronome Bell",
            "Acoustic Bass Drum",
            "Bass Drum 1",
            "Side Stick",
            "Acoustic Snare",
            "Hand Clap",
            "Electric Snare",
            "Low Floor Tom",
            "Closed Hi-Hat",
            "High Floor Tom",
            "Pedal Hi-Hat",
            "Low Tom",
            "Open Hi-Hat",
            "Low-Mid Tom",
            "Hi-Mid Tom",
            "Crash Cymbal 1",
            "High Tom",
            "Ride Cymbal 1",
            "Chinese Cymbal",
            "Ride Bell",
            "Tambourine",
            "Splash Cymbal",
            "Cowbell",
            "Crash Cymbal 2",
            "Vibraslap",
            "Ride Cymbal 2",
            "High Bongo",
            "Low Bongo",
            "Mute High Conga",
            "Open High Conga",
            "Low Conga",
            "High Timbale",
            "Low Timbale",
            "High Agogo",
            "Low Agogo",
            "Cabasa",
            "Maracas",
            "Short Whistle",
            "Long Whistle",
            "Short Guiro",
            "Long Guiro",
            "Claves",
            "High Woodblock",
            "Low Woodblock",
            "Mute Cuica",
            "Open Cuica",
            "Mute Triangle",
            "Open Triangle",
            "Shaker",
            "Jingle Bell",
            "Belltree",
            "Castanets",
            "Mute Surdo",
            "Open Surdo",
        ),
        start=_FIRST_DRUM_PITCH,
    )
)


def program_name(program: int, *, drum: bool = False) -> str:
    """The name of a General MIDI program (0-127); a drum track is called 'Drums' whatever its kit.

    >>> program_name(33)
    'Electric Bass (finger)'
    """
    return "Drums" if drum else PROGRAMS[program]


def program_number(value: Any) -> int | None:
    """The General MIDI program of a number or a name, in any case of letters; None when there is none.

    >>> program_number("violin"), program_number(33), program_number(128)
    (40, 33, None)
    """
    if isinstance(value, str):
        return _NUMBERS.get(value.strip().casefold())
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        return None
    number = operator.index(value)
    return number if 0 <= number <= 127 else None


def family(program: int, *, drum: bool = False) -> str:
    """The family of a program (0-127): one of `FAMILIES`, or 'Drums'.

    >>> family(33)
    'Bass'
    """
    return "Drums" if drum else FAMILIES[program // 8]


def drum_name(pitch: int) -> str:
    """What a drum kit plays on a pitch (0-127); a pitch without a name of its own is called by its number.

    >>> drum_name(38)
    'Acoustic Snare'
    """
    return DRUM_NAMES.get(pitch, f"Drum {pitch}")
