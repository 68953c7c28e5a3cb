"""The sound that pages play: which files it is made of, and how they travel.

Three files: the code that runs on the page's audio thread (`worklet`), a SoundFont (`bank`), and a simple
sound of oscillators for pages that cannot use these (`simple`). A page asks for them part by part when it is
about to play, once however many widgets it shows, and keeps them as long as it lives. Nothing is downloaded
from anywhere else.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path

from midigpt_nb.widgets.parts import part_of

__all__ = ["BANK", "SoundFiles", "packaged_sound"]

_FOLDER = Path(__file__).resolve().parent.parent / "data" / "sound"
WORKLET = _FOLDER / "worklet.js"
SIMPLE = _FOLDER / "simple.js"
"""The sound of oscillators, for pages that cannot run the worklet."""
BANK = _FOLDER / "gm.sf3"

_RIFF, _FORM = b"RIFF", b"sfbk"


class SoundFiles:
    """A worklet and a SoundFont (.sf2 or .sf3).

    >>> packaged_sound().name.startswith("gm-")
    True
    """

    def __init__(self, bank: str | Path | None) -> None:
        """`bank` is a SoundFont file, or None for the simple sound alone.

        Raises `ValueError` for a file that is no SoundFont, `OSError` for no file.
        """
        self.path, self.name = Path(bank or ""), ""
        if bank is None:
            return
        if self.path.exists() and not self.path.is_file():  # a pipe would wait for ever
            raise ValueError(f"{self.path.name} is no file")
        with self.path.open("rb") as stream:
            head = stream.read(12)
        if head[:4] != _RIFF or head[8:12] != _FORM:
            raise ValueError(f"{self.path.name} is not a SoundFont (.sf2 or .sf3) file")
        facts = self.path.stat()
        mark = hashlib.sha256(f"{facts.st_size}/{facts.st_mtime_ns}/{self.path}".encode()).hexdigest()
        self.name = f"{self.path.stem}-{mark[:10]}"

    def part(self, file: str, number: int) -> tuple[bytes, int]:
        """Part `number` of the "worklet" or the "bank", and how many parts the file has.

        Raises `ValueError` for a file or part that does not exist.
        """
        paths = {"worklet": WORKLET, "bank": self.path, "simple": SIMPLE}
        if file not in paths:
            raise ValueError(f"there is no sound file {file!r}; choose from {', '.join(paths)}")
        try:
            part, parts = part_of(paths[file].stat().st_size, number)
        except ValueError as problem:
            raise ValueError(f"{file}: {problem}") from None
        with paths[file].open("rb") as stream:
            stream.seek(part.start)
            return stream.read(part.stop - part.start), parts


@lru_cache(maxsize=1)
def packaged_sound() -> SoundFiles | None:
    """The sound that comes with the package; None in an installation without it."""
    return SoundFiles(BANK) if BANK.exists() and WORKLET.exists() else None
