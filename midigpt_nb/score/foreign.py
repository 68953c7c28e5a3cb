"""What people give in place of a piece: files of other kinds, misspelt names, values that are no Score."""

from __future__ import annotations

from difflib import get_close_matches
from pathlib import Path
from typing import Any

from midigpt_nb.errors import brief

__all__ = ["must_be_score", "other_kind", "unread_file"]

_OF_NOTES = "a MIDI file holds notes, as a notation program or a sequencer exports them"
_KINDS = (
    (b"RIFF", "a recording (WAV)", _OF_NOTES),
    (b"ID3", "a recording (MP3)", _OF_NOTES),
    (b"\xff\xfb", "a recording (MP3)", _OF_NOTES),
    (b"OggS", "a recording (Ogg)", _OF_NOTES),
    (b"fLaC", "a recording (FLAC)", _OF_NOTES),
    (b"<", "a text such as MusicXML", "open it in a notation program and export it as MIDI"),
    (b"\xef\xbb\xbf<", "a text such as MusicXML", "open it in a notation program and export it as MIDI"),
    (b"PK\x03\x04", "a zip file", "projects (.mgnb) are opened with PianoRoll.from_file(path)"),
)
"""TABLE: how a file begins, what it is then, and what to do."""


def other_kind(data: bytes) -> str:
    """What a file is that is no MIDI file, and what to do; '' where nobody knows.

    >>> other_kind(b"PK\\x03\\x04...")
    'not a MIDI file but a zip file: projects (.mgnb) are opened with PianoRoll.from_file(path)'
    """
    for begin, kind, remedy in _KINDS:
        if data.startswith(begin):
            return f"not a MIDI file but {kind}: {remedy}"
    return ""


def unread_file(path: Path, error: Exception) -> str:
    """Why a file could not be read; of one that is not there where it was looked for, and what is there."""
    if not isinstance(error, FileNotFoundError):
        return f"cannot read {str(path)!r}: {getattr(error, 'strerror', None) or error}"
    folder = path.absolute().parent
    if not folder.is_dir():
        return f"cannot read {str(path)!r}: there is no folder {str(folder)!r}"
    try:
        there = {one.name.casefold(): one.name for one in folder.iterdir()}
    except OSError:  # it may be entered, but not read
        there = {}
    close = get_close_matches(path.name.casefold(), there, 1)
    hint = f"; did you mean {there[close[0]]!r}?" if close else ""
    return f"cannot read {str(path)!r}: there is no such file in {str(folder)!r}{hint}"


def must_be_score(value: Any, name: str = "score") -> None:
    """Raises TypeError, with its name, for what is no Score."""
    if not hasattr(value, "table"):
        raise TypeError(f"{name} is {brief(value)}; it must be a Score, as Score.from_midi(path) makes one")
