"""A score as Python: a file that holds it, its notes as they are read, or, where they are many, its bytes."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path

import numpy as np

from midigpt_nb.errors import MidiGPTError
from midigpt_nb.score.model import Bar, Note, Score, Track

__all__ = ["from_file_or_notes", "note_text", "packed_text"]

WIDTH = 96
"""Of lines (characters), which may come to be indented by four."""
_MOST_NOTES, _LONGEST = 400, 40_000
"""A score of more notes, or of longer text (characters), is not written note by note."""
_SCALARS = ("resolution", "tempo")


def from_file_or_notes(score: Score, *paths: Path | None) -> str | None:
    """Python that gives this very score: a file that holds it, the example, or its notes; None where it is
    in no file and long, or more than notes (what else was in its MIDI file).
    """
    wanted = score.hash()
    for path in paths:
        try:
            if path is not None and path.is_file() and Score.from_midi(path).hash() == wanted:
                return f"mg.Score.from_midi({str(path)!r})"
        except (MidiGPTError, OSError):
            continue  # the file has gone, or is no MIDI file
    if Score.example().hash() == wanted:
        return "mg.Score.example()"
    return _notes(score) if score.n_notes <= _MOST_NOTES else None


def packed_text(score: Score) -> list[str]:
    """Lines of Python with all bytes of a score, as one text that `unpack_score` reads."""
    from midigpt_nb.widgets.project import pack_score

    text = base64.b85encode(pack_score(score)).decode("ascii")
    width = WIDTH - 6  # of a line with its indent and its quotes
    return [f"    {text[at : at + width]!r}" for at in range(0, len(text), width)]


def note_text(note: Note) -> str:
    """A note as Python."""
    delta = f", {note.delta}" if note.delta else ""
    return f"mg.Note({note.pitch}, {note.velocity}, {note.onset_ticks}, {note.duration_ticks}{delta})"


def _notes(score: Score) -> str | None:
    """The score note by note; None where that is long or does not say everything."""
    plain = Score.from_dict(score.to_dict())
    try:
        same = plain.hash() == score.hash() and (score.source is None or plain.to_midi() == score.to_midi())
    except MidiGPTError:
        return None
    if not same:
        return None
    usual = Score()
    scalars = [f"{n}={getattr(plain, n)}" for n in _SCALARS if getattr(plain, n) != getattr(usual, n)]
    if not plain.tracks:
        return f"mg.Score({', '.join(scalars)})"
    lines = ["mg.Score([", *(line for track in plain.tracks for line in _track(track))]
    text = "\n".join([*lines, ", ".join(["]", *scalars]) + ")"])
    return text if len(text) <= _LONGEST else None


def _track(track: Track) -> Iterator[str]:
    yield "    mg.Track(["
    for (numerator, denominator, future, empty), run in groupby(track.bars, _kind):
        metre = "" if (numerator, denominator) == (4, 4) else f", {numerator}, {denominator}"
        more, bars = f"{metre}{', future=True' if future else ''}", list(run)
        if empty and len(bars) > 1:
            bar_text = f"mg.Bar([]{more})" if more else "mg.Bar()"
            yield f"        *[{bar_text} for _ in range({len(bars)})],"
        else:
            for bar in bars:
                yield from _bar(bar.notes, more)
    facts = [f"instrument={track.instrument}"]
    facts += ["track_type='drum'"] if track.is_drum else []
    values = {n: v.item() if isinstance(v, np.generic) else v for n, v in track.attributes.items()}
    facts += [f"attributes={values!r}"] if values else []
    facts += [f"name={track.name!r}"] if track.name else []
    yield f"    ], {', '.join(facts)}),"


def _kind(bar: Bar) -> tuple[int, int, bool, bool]:
    return bar.ts_numerator, bar.ts_denominator, bar.future, not bar.notes


def _bar(notes: Iterable[Note], more: str) -> Iterator[str]:
    words = [note_text(note) for note in notes]
    short = f"        mg.Bar([{', '.join(words)}]{more}),"
    if len(short) <= WIDTH:
        yield short
        return
    yield "        mg.Bar(["
    line = ""
    for word in words:
        if line and 12 + len(line) + len(word) + 1 > WIDTH:
            yield f"            {line.rstrip()}"
            line = ""
        line += f"{word}, "
    yield f"            {line.rstrip()}"
    yield f"        ]{more}),"
