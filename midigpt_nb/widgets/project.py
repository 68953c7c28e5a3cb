"""Files ending in .mgnb: a roll with everything that was decided in it, as a zip of MIDI and JSON.

`project.json` holds format, version, the traits of `SAVED_TRAITS` and facts of the score; `score.mid` is the
piece as any program reads it. Beside them lie the file the score came from (`source.mid`) and the exact table
of notes (`*.i32`, little-endian), because MIDI has no place for empty tracks, resolutions of its own and
microtiming. A file may come from anywhere: sizes are bounded, nothing is written to disk, and whatever is
wrong raises `ProjectError`.
"""

from __future__ import annotations

import base64
import io
import json
import math
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from midigpt_nb import _core
from midigpt_nb.errors import MidiGPTError, ProjectError
from midigpt_nb.score.model import Score
from midigpt_nb.score.notes_edit import without
from midigpt_nb.score.source import SourceFile
from midigpt_nb.widgets.writing import readable, write_whole

__all__ = ["FORMAT", "SAVED_TRAITS", "VERSION", "Project", "pack_score", "unpack_score"]

FORMAT = "midigpt-nb project"
VERSION = 1
SAVED_TRAITS = (
    "plan", "selection", "attributes", "sampling", "loop", "snap", "theme", "height", "show_lanes",
    "n_takes", "mix", "chords", "chord_mode", "piece", "show_uncertainty",
)  # fmt: skip
"""Traits that are kept, where the roll has them."""

_JSON = "project.json"
_IDS = "ids.u32"
_TABLES = {"notes.i32": 5, "bars.i32": 4, "tracks.i32": 3, "note_source.i32": 1}
MOST_BYTES = 64 << 20
"""Largest part of a file, unpacked."""
MOST_FILE_BYTES = 128 << 20
_MOST_JSON = 16 << 20
_MOST_PARTS = 64
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the same project gives the same bytes


@dataclass
class Project:
    """What a .mgnb file holds: the score, the title, the traits that were saved, and what else was.

    >>> project = Project(Score.example(), "Example", {"loop": [0, 4]})
    >>> Project.unpack(project.pack()).score.hash() == Score.example().hash()
    True
    """

    score: Score
    title: str = ""
    traits: dict[str, Any] = field(default_factory=dict)
    takes: list[dict[str, Any]] = field(default_factory=list)
    """Takes that were open, as plain data (`widgets.saved_takes`)."""
    choice: dict[str, Any] = field(default_factory=dict)
    """Which of them was shown (`active_take`), and bars held to others (`comp`)."""

    def pack(self) -> bytes:
        """The bytes of a file."""
        return _zip(_score_parts(self.score), self._facts())

    def pack_kept(self, ids: NDArray[np.uint32], track_numbers: Sequence[int], next_id: int = 0) -> bytes:
        """The same without ``score.mid``, and with the identities of notes and tracks in a document."""
        parts, facts, score = _score_parts(self.score)
        parts[_IDS] = np.ascontiguousarray(ids, "<u4").tobytes()
        told = {**self._facts(), "track_numbers": [int(number) for number in track_numbers]}
        told["next_id"] = int(next_id)
        return _zip((parts, facts, score), told, midi=False, level=6)

    def _facts(self) -> dict[str, Any]:
        return {"title": self.title, "traits": self.traits, "takes": self.takes, "choice": self.choice}

    def save(self, path: str | Path) -> None:
        """Write a file: whole, or not at all. Raises `ProjectError` when it cannot be written."""
        write_whole(path, self.pack())

    @classmethod
    def load(cls, path: str | Path) -> Project:
        """Read a file. Raises `ProjectError` for one that is missing, damaged, hostile or too new."""
        path = readable(path)
        try:
            if path.exists() and not path.is_file():
                raise IsADirectoryError(0, "it is no file")
            with path.open("rb") as stream:
                data = stream.read(MOST_FILE_BYTES + 1)
        except (OSError, ValueError) as error:
            raise ProjectError(
                f"cannot read {str(path)!r}: {getattr(error, 'strerror', None) or error}"
            ) from error
        if len(data) > MOST_FILE_BYTES:
            raise ProjectError(f"{Path(path).name} is larger than {MOST_FILE_BYTES >> 20} MB")
        return cls.unpack(data)

    @classmethod
    def unpack(cls, data: bytes) -> Project:
        """Read the bytes of a file; raises `ProjectError`."""
        parts = _unzip(data)
        return cls._of(parts, _facts(parts))

    @classmethod
    def unpack_kept(cls, data: bytes) -> tuple[Project, NDArray[np.uint32], tuple[int, ...], int]:
        """What `pack_kept` packed: project, ids of notes, numbers of tracks, next id (may be missing)."""
        parts = _unzip(data)
        facts = _facts(parts)
        told, ids = facts.get("track_numbers", []), parts.get(_IDS, b"")
        whole = isinstance(told, list) and all(type(n) is int and 0 <= n < 2**31 for n in told)
        numbers = tuple(told) if whole else ()
        known = np.frombuffer(ids[: len(ids) // 4 * 4], "<u4").astype(np.uint32)
        after = facts.get("next_id", 0)
        after = after if type(after) is int and 0 <= after < 2**31 else 0
        return cls._of(parts, facts), known, numbers, after

    @classmethod
    def _of(cls, parts: Mapping[str, bytes], facts: Mapping[str, Any]) -> Project:
        score = _score_of(parts, facts)
        title, traits, takes = facts.get("title", ""), facts.get("traits", {}), facts.get("takes", [])
        choice = facts.get("choice", {})
        kinds = (title, str), (traits, dict), (takes, list), (choice, dict)
        if not all(isinstance(value, kind) for value, kind in kinds):
            raise ProjectError(f"{_JSON}: title, traits or takes have the wrong form")
        known = {name: value for name, value in traits.items() if name in SAVED_TRAITS}
        return cls(score, title, known, [take for take in takes if isinstance(take, dict)], choice)


def pack_score(score: Score) -> bytes:
    """A score alone, as a small project."""
    return _zip(_score_parts(score), {}, midi=False)


def unpack_score(data: bytes | str) -> Score:
    """The score of `pack_score` or of a .mgnb file; text is taken as base 85. Raises `ProjectError`."""
    if isinstance(data, str):
        try:
            data = base64.b85decode(data)
        except ValueError as error:
            raise ProjectError(f"the text of a score is damaged: {error}") from error
    parts = _unzip(data)
    return _score_of(parts, _facts(parts))


# --------------------------------------------------------------------------------------------------- writing


def _score_parts(score: Score) -> tuple[dict[str, bytes], dict[str, Any], Score]:
    table, source = score.table, score.source
    parts = {
        name: np.ascontiguousarray(getattr(table, name.split(".")[0]), "<i4").tobytes() for name in _TABLES
    }
    facts: dict[str, Any] = {
        "resolution": table.resolution,
        "tempo": table.tempo,
        "names": list(score._track_labels()),
        "attributes": [dict(own) for own in score._track_attributes()],
        "hash": score.hash(),
    }
    if source is not None:
        parts["source.mid"] = source.file.to_bytes()
        read = _core.read_midi(parts["source.mid"])[1]
        hidden = np.flatnonzero(~np.isin(read.note_source, source.origin.note_source))
        facts["hidden"] = hidden.tolist()
        facts["n_dropped"] = source.n_dropped
    return parts, facts, score


def _zip(
    packed: tuple[dict[str, bytes], dict[str, Any], Score],
    facts: Mapping[str, Any],
    *,
    midi: bool = True,
    level: int = 9,
) -> bytes:
    parts, score_facts, score = packed
    text = {"format": FORMAT, "version": VERSION, **facts, "score": score_facts}
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=level) as archive:
        try:
            body = json.dumps(text, ensure_ascii=False, allow_nan=False, indent=1).encode("utf-8")
        except (TypeError, ValueError) as error:
            raise ProjectError(f"this roll holds something that JSON cannot say: {error}") from error
        archive.writestr(_entry(_JSON), body)
        if midi:
            archive.writestr(_entry("score.mid"), score.to_midi() or b"")
        for name, data in parts.items():
            archive.writestr(_entry(name), data)
    return out.getvalue()


def _entry(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, _EPOCH)
    info.compress_type = zipfile.ZIP_DEFLATED
    return info


# --------------------------------------------------------------------------------------------------- reading


def _unzip(data: bytes) -> dict[str, bytes]:
    """The parts that are known, each no larger than allowed; names are only compared, never opened."""
    wanted = {_JSON, "source.mid", _IDS, *_TABLES}
    parts: dict[str, bytes] = {}
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            entries = archive.infolist()
            if len(entries) > _MOST_PARTS:
                raise ProjectError(f"the file has {len(entries)} parts; at most {_MOST_PARTS} are read")
            for info in entries:
                if info.filename in wanted:
                    if info.filename in parts:
                        raise ProjectError(f"{info.filename} comes twice")
                    parts[info.filename] = _read(archive, info)
    except ProjectError:
        raise
    except (zipfile.BadZipFile, zipfile.LargeZipFile, NotImplementedError, RuntimeError, OSError, ValueError,
            EOFError, MemoryError, zlib.error) as error:  # fmt: skip
        raise ProjectError(f"this is no .mgnb file, or a damaged one: {error}") from error
    return parts


def _read(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    most = _MOST_JSON if info.filename == _JSON else MOST_BYTES
    with archive.open(info) as stream:
        data = stream.read(most + 1)  # what the header says about the size may be a lie
    if len(data) > most:
        raise ProjectError(f"{info.filename} is larger than {most >> 20} MB")
    return data


def read_json(text: bytes) -> Any:
    """What JSON says; raises ValueError (or RecursionError) for what is none, such as NaN, and for numbers
    that no JSON could say again, such as 1e999.
    """

    def refuse(text: str) -> NoReturn:
        raise ValueError(f"{text} is no number of JSON")

    def finite(text: str) -> float:
        return value if math.isfinite(value := float(text)) else refuse(text)

    return json.loads(text.decode("utf-8"), parse_constant=refuse, parse_float=finite)


def _facts(parts: Mapping[str, bytes]) -> dict[str, Any]:
    try:
        facts = read_json(parts[_JSON])
    except KeyError:
        raise ProjectError(f"this is no .mgnb file: it has no {_JSON}") from None
    except (ValueError, RecursionError) as error:
        raise ProjectError(f"{_JSON} is damaged: {error}") from error
    if not isinstance(facts, dict) or facts.get("format") != FORMAT:
        raise ProjectError(f"this is no .mgnb file: {_JSON} does not say {FORMAT!r}")
    version = facts.get("version")
    if version != VERSION:
        raise ProjectError(
            f"the file has version {version!r}, this package reads version {VERSION}; "
            "a newer midigpt-nb may have written it"
        )
    return facts


def _score_of(parts: Mapping[str, bytes], facts: Mapping[str, Any]) -> Score:
    told = facts.get("score")
    if not isinstance(told, dict):
        raise ProjectError(f"{_JSON} says nothing about the score")
    try:
        table = _table(parts, told)
        source = _source(parts, told)
        score = Score.from_table(table)
        names, attributes = told["names"], told["attributes"]
        if not _fits(names, str, table.n_tracks) or not _fits(attributes, dict, table.n_tracks):
            raise ValueError("names or attributes do not fit the tracks")
        score = score._like(table, source, names=names, attributes=attributes)
        if score.hash() != told["hash"]:
            raise ValueError("the notes are not those that were saved")
    except (MidiGPTError, KeyError, TypeError, ValueError, OverflowError, IndexError) as error:
        raise ProjectError(f"the score in this file is damaged: {error}") from error
    return score


def _fits(values: Any, kind: type, count: int) -> bool:
    return (
        isinstance(values, list) and len(values) == count and all(isinstance(value, kind) for value in values)
    )


def _table(parts: Mapping[str, bytes], told: Mapping[str, Any]) -> _core.ScoreTable:
    arrays = {}
    for name, columns in _TABLES.items():
        data = parts[name]
        if len(data) % (4 * columns):
            raise ValueError(f"{name} has {len(data)} bytes")
        rows = np.frombuffer(data, "<i4").astype(np.int32)
        arrays[name.split(".")[0]] = rows.reshape(-1, columns) if columns > 1 else rows
    resolution, tempo = told["resolution"], told["tempo"]
    if not all(isinstance(n, int) and not isinstance(n, bool) and n > 0 for n in (resolution, tempo)):
        raise ValueError(f"resolution and tempo are {resolution!r} and {tempo!r}")
    notes, bars, tracks = arrays["notes"], arrays["bars"], arrays["tracks"]
    return _core.ScoreTable(notes, bars, tracks, resolution, tempo, arrays["note_source"])


def _source(parts: Mapping[str, bytes], told: Mapping[str, Any]) -> SourceFile | None:
    if "source.mid" not in parts:
        return None
    file, origin = _core.read_midi(parts["source.mid"])
    hidden = np.asarray(told.get("hidden", []), np.int64).reshape(-1)
    if len(hidden):
        if hidden.min() < 0 or hidden.max() >= origin.n_notes:
            raise ValueError("it hides notes that do not exist")
        origin = without(origin, hidden)
    return SourceFile(file, origin, int(told.get("n_dropped", 0)))
