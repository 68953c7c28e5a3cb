"""What is accepted goes into a MIDI file that another program watches (`editor.on_accept`)."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from midigpt_nb.errors import ScoreError
from midigpt_nb.widgets.document import Cell
from midigpt_nb.widgets.writing import readable, write_whole

if TYPE_CHECKING:
    from midigpt_nb.score.model import Score
    from midigpt_nb.widgets.takes import ChoosesTakes

__all__ = ["tell_accepted", "write_midi"]

log = logging.getLogger(__name__)

_LONGEST_NAME = 40
"""Characters of a track's name in the name of its file: file systems allow 255 bytes in all."""


def write_midi(
    path: str | os.PathLike[str], *, stems: bool = False, piece: bool = False
) -> Callable[[Mapping[str, Any]], list[Path]]:
    """A callback for `InfillEditor.on_accept` that writes what was accepted to a MIDI file.

    Written are the bars from the first to the last accepted one, of the tracks that have some; or with
    `piece` the whole score. `stems` writes one file for each of these tracks instead, named after the track
    ("live-2-Bass.mid" for the second track of the score). Each file is replaced as a whole, so that a program
    which watches it never reads half of one. The callback returns the paths.

    The folder must exist; anything that goes wrong is shown in the roll and kept in `editor.errors`.

    >>> editor.on_accept = write_midi("live.mid")
    >>> editor.on_accept = write_midi("live.mid", stems=True)
    """
    target = readable(path)

    def write(event: Mapping[str, Any]) -> list[Path]:
        score: Score = event["score"]
        part, tracks = (score, range(score.n_tracks)) if piece else selection_of(score, event["cells"])
        if not stems:
            return [_write(target, part)]
        paths = []
        for place, track in enumerate(tracks):
            name = re.sub(r"[^\w-]+", "-", part.track_names[place])[:_LONGEST_NAME].strip("-") or "track"
            others = [other for other in range(part.n_tracks) if other != place]
            stem = part
            for other in reversed(others):
                stem = stem.delete_track(other)
            paths.append(_write(target.with_name(f"{target.stem}-{track + 1}-{name}{target.suffix}"), stem))
        return paths

    return write


def selection_of(score: Score, cells: Iterable[Cell]) -> tuple[Score, list[int]]:
    """The bars from the first to the last of the cells, of the tracks that have some; and these tracks.

    Raises `ScoreError` when there are no cells.
    """
    wanted = sorted(set(cells))
    if not wanted:
        raise ScoreError("no bars were accepted, so there is nothing to write")
    tracks = sorted({track for track, _ in wanted})
    bars = [bar for _, bar in wanted]
    part = score[min(bars) : max(bars) + 1]
    for track in reversed(range(part.n_tracks)):
        if track not in tracks:
            part = part.delete_track(track)
    return part, tracks


def _write(path: Path, score: Score) -> Path:
    write_whole(path, score.to_midi() or b"")
    return path


def tell_accepted(editor: ChoosesTakes, cells: Iterable[Cell]) -> None:
    """Call the editor's `on_accept`. What it raises is kept in `errors` and shown; the music stays."""
    callback = editor.on_accept
    if callback is None:
        return
    event = {"event": "accept", "score": editor._document.score, "cells": sorted(cells)}
    try:
        callback(event)
    except Exception as problem:  # somebody else's code, or a disk: report it where the person looks
        log.debug("on_accept failed", exc_info=True)
        editor.errors.append(problem)
        editor._report("on_accept", f"on_accept: {type(problem).__name__}: {problem}", "see .errors")
