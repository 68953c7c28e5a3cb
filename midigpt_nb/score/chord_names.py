"""TABLE: chords by name, and what a person types for them: ``Am F C G``, ``| Am | % | C | N.C. |``."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass

from midigpt_nb.errors import ScoreError, brief

__all__ = ["QUALITIES", "ROOTS", "SHARP_ROOTS", "Chord", "chord_text", "parse_chord", "parse_chords"]

ROOTS = ("C", "Db", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")
SHARP_ROOTS = ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "G#", "A", "Bb", "B")
"""How the root of an estimated chord is spelled, the second for minor and diminished ones; a typed chord
keeps its own spelling."""

# What follows the root -> semitones above it. The order is that of simplicity: of equal fits the first is
# taken.
QUALITIES: dict[str, tuple[int, ...]] = {
    "": (0, 4, 7),
    "m": (0, 3, 7),
    "7": (0, 4, 7, 10),
    "maj7": (0, 4, 7, 11),
    "m7": (0, 3, 7, 10),
    "dim": (0, 3, 6),
    "sus4": (0, 5, 7),
    "m7b5": (0, 3, 6, 10),
    "aug": (0, 4, 8),
    "dim7": (0, 3, 6, 9),
    "6": (0, 4, 7, 9),
    "m6": (0, 3, 7, 9),
    "sus2": (0, 2, 7),
    "7sus4": (0, 5, 7, 10),
    "add9": (0, 2, 4, 7),
    "madd9": (0, 2, 3, 7),
    "9": (0, 2, 4, 7, 10),
    "maj9": (0, 2, 4, 7, 11),
    "m9": (0, 2, 3, 7, 10),
    "13": (0, 2, 4, 7, 9, 10),
    "7b9": (0, 1, 4, 7, 10),
    "mmaj7": (0, 3, 7, 11),
    "5": (0, 7),
}

# Other ways to write them.
_ALIASES = {
    "maj": "", "M": "", "major": "", "min": "m", "-": "m", "mi": "m", "minor": "m",
    "M7": "maj7", "ma7": "maj7", "j7": "maj7", "Δ": "maj7", "Δ7": "maj7", "min7": "m7", "-7": "m7", "mi7":
    "m7", "o": "dim", "°": "dim", "o7": "dim7", "°7": "dim7", "ø": "m7b5", "ø7": "m7b5", "min7b5": "m7b5",
    "+": "aug", "sus": "sus4", "7sus": "7sus4", "M6": "6", "min6": "m6", "-6": "m6", "min9": "m9", "M9":
    "maj9", "dom7": "7", "69": "6", "6/9": "6", "mM7": "mmaj7",
}  # fmt: skip

NONE = ("N.C.", "NC", "n.c.", "nc", "N.C")
_ROOT = re.compile(r"([A-Ga-g])(##|bb|#|b|♯|♭)?(.*)", re.DOTALL)
_LETTERS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
_MOST_CHORDS = 4096


@dataclass(frozen=True)
class Chord:
    """A chord: its name as it is written, root and bass as pitch classes 0..11, and all of its pitch classes.

    >>> parse_chord("C/E")
    Chord(name='C/E', root=0, classes=(0, 4, 7), bass=4)
    """

    name: str
    root: int
    classes: tuple[int, ...]
    bass: int

    def __str__(self) -> str:
        return self.name


def parse_chord(text: object) -> Chord:
    """The chord of a name. Raises `ScoreError` with the choices for what is none.

    >>> parse_chord("Bbmin7").name, parse_chord("F#").classes
    ('Bbm7', (1, 6, 10))
    """
    if not isinstance(text, str) or not (found := _ROOT.fullmatch(text.strip())):
        raise ScoreError(
            f"{brief(text)} is no chord; a chord begins with its root, A..G with # or b: 'Am', 'F#7'"
        )
    letter, sign, rest = found.groups()
    sign = {"♯": "#", "♭": "b"}.get(sign or "", sign or "")
    root_name = letter.upper() + sign
    quality, slash, bass_name = rest.partition("/")
    if rest in _ALIASES:  # 6/9 is no slash chord
        quality, slash = rest, ""
    quality = _ALIASES.get(quality, quality)
    if quality not in QUALITIES:
        close = difflib.get_close_matches(quality, QUALITIES, 1, 0.5)
        hint = f"; did you mean {root_name + close[0]!r}?" if close else ""
        kinds = ", ".join(root_name + name for name in QUALITIES)
        raise ScoreError(f"there is no chord {brief(text.strip())}; on {root_name} there are {kinds}{hint}")
    root = _class_of(root_name)
    bass, name = root, root_name + quality
    if slash:
        spelled = _ROOT.fullmatch(bass_name)
        if spelled is None or spelled[3]:
            words = "the bass after '/' is a note A..G with # or b"
            raise ScoreError(f"{brief(text.strip())}: {words}, not {brief(bass_name)}")
        bass_name = spelled[1].upper() + {"♯": "#", "♭": "b"}.get(spelled[2] or "", spelled[2] or "")
        bass, name = _class_of(bass_name), f"{name}/{bass_name}"
    classes = tuple(sorted({bass, *((root + step) % 12 for step in QUALITIES[quality])}))
    return Chord(name, root, classes, bass)


def _class_of(name: str) -> int:
    return (_LETTERS[name[0]] + name.count("#") - name[1:].count("b")) % 12


def parse_chords(text: object) -> list[Chord | None]:
    """Chords as they are typed, one per bar; None for N.C., where nothing is asked.

    They are set apart by spaces, or by bar lines; ``%`` is the chord before once more. Raises `ScoreError`
    that names the place.

    >>> [str(chord) for chord in parse_chords("| Am | % | F C/E |".replace(" C/E", ""))]
    ['Am', 'Am', 'F']
    >>> [str(chord) for chord in parse_chords("Am F N.C. G")]
    ['Am', 'F', 'None', 'G']
    """
    if not isinstance(text, str):
        raise ScoreError(f"chords are typed as text, such as 'Am F C G', not {brief(text)}")
    chords: list[Chord | None] = []
    for place, word in enumerate(_words(text), 1):
        if word == "%":
            if not chords:
                raise ScoreError("chord 1: '%' repeats the chord before, and there is none")
            chords.append(chords[-1])
        elif word in NONE:
            chords.append(None)
        else:
            try:
                chords.append(parse_chord(word))
            except ScoreError as problem:
                raise ScoreError(f"chord {place}: {problem}") from None
    if len(chords) > _MOST_CHORDS:
        raise ScoreError(f"{len(chords)} chords are too many; at most {_MOST_CHORDS}")
    return chords


def _words(text: str) -> list[str]:
    """The word of each bar."""
    if "|" not in text:
        return text.replace(",", " ").split()
    inner = text.strip().removeprefix("|").removesuffix("|")
    words: list[str] = []
    for place, bar in enumerate(re.split(r"\|+", inner), 1):
        own = bar.replace(",", " ").split()
        if len(own) != 1:
            what = f"{len(own)} chords ({' '.join(own)})" if own else "no chord"
            ways = "write one per bar, '%' for the same again, 'N.C.' for none"
            raise ScoreError(f"place {place} between bar lines has {what}; {ways}")
        words += own
    return words


def chord_text(names: Sequence[str | None]) -> str:
    """Chords as `parse_chords` reads them: repeats as ``%``, None as ``N.C.``.

    >>> chord_text(["Am", "Am", None])
    'Am % N.C.'
    """
    words = [name or "N.C." for name in names]
    return " ".join("%" if i and word == words[i - 1] else word for i, word in enumerate(words))
