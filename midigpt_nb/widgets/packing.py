"""How fields, notes and documents are declared and packed: the ground of the table in `protocol`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "DOC_HEADER_FIELDS",
    "DOUBT_DTYPE",
    "DOUBT_FIELDS",
    "FLAG_GENERATED",
    "FLAG_LOCKED",
    "FLAG_PROVISIONAL",
    "FLAG_REMOVED",
    "NOTE_BYTES",
    "NOTE_DTYPE",
    "NOTE_FIELDS",
    "Field",
    "Message",
    "ProtocolError",
    "check_fields",
    "empty_notes",
    "pack_document",
    "unpack_document",
    "unpack_notes",
]

FLAG_GENERATED = 1
"""Written by the last generation: tinted until the next action. The next change of the document clears it."""
FLAG_PROVISIONAL = 2
"""Belongs to a running job: may still be taken back by a ``reject`` event."""
FLAG_LOCKED = 4
"""Neither edits nor generation may change it."""
FLAG_REMOVED = 8
"""Removed by the last generation: only in the `before` part of a document, drawn as a ghost."""

# name, numpy type, meaning. Ticks are absolute (from the start of the piece), in the document's resolution.
NOTE_FIELDS: tuple[tuple[str, str, str], ...] = (
    ("id", "<u4", "identity within one document revision"),
    ("onset", "<u4", "nominal onset tick from the start of the piece"),
    ("duration", "<u4", "ticks"),
    ("pitch", "u1", "MIDI pitch 0..127"),
    ("velocity", "u1", "MIDI velocity 1..127"),
    ("track", "u1", "track index"),
    ("flags", "u1", "FLAG_* bits"),
    ("micro", "<i2", "micro-timing added to the onset when played, in 1/resolution of a tick"),
    ("zero", "<u2", "always 0"),
)
NOTE_DTYPE = np.dtype([(name, kind) for name, kind, _ in NOTE_FIELDS])
NOTE_BYTES = NOTE_DTYPE.itemsize


# How sure the model was of a written note; see midigpt_nb.widgets.doubts.
DOUBT_FIELDS: tuple[tuple[str, str, tuple[int, ...], str], ...] = (
    ("onset", "<u4", (), "onset tick of the note, from the start of the piece"),
    ("track", "u1", (), "track index"),
    ("pitch", "u1", (), "MIDI pitch"),
    ("bits", "u1", (4,), "entropy of onset, pitch, duration, velocity in 1/25 bit; 255: none"),
    ("pitches", "u1", (5,), "likeliest pitches; 255: none"),
    ("shares", "u1", (5,), "their shares, of 255"),
)
DOUBT_DTYPE = np.dtype([(name, kind, shape) for name, kind, shape, _ in DOUBT_FIELDS])


@dataclass(frozen=True)
class Field:
    """One field of a message or header: its name, its TypeScript type, and what it means."""

    name: str
    type: str
    meaning: str
    optional: bool = False


@dataclass(frozen=True)
class Message:
    """One kind of message.

    `direction` is "request" (page to kernel, always answered once), "answer" (kernel to page, carries the
    request's id) or "event" (kernel to page, numbered from 0 within its job). `buffers` says what the binary
    buffers hold; `kind` is the value of ``k`` (requests, answers) or of ``ev`` (events).
    """

    kind: str
    direction: Literal["request", "answer", "event"]
    fields: tuple[Field, ...] = ()
    buffers: str = ""
    meaning: str = ""
    ordered: bool = False
    """A request that changes something: the page numbers it (`seq`), see `inbox`."""


class ProtocolError(ValueError):
    """A message does not follow the table; `code` is what the answer carries."""

    def __init__(self, message: str, code: str = "bad_message") -> None:
        super().__init__(message)
        self.code = code


def check_fields(message: Message, fields: Mapping[str, Any]) -> None:
    """Raise `ProtocolError` when `fields` lacks a required field of `message` or has one it does not know."""
    known = {f.name for f in message.fields}
    missing = [f.name for f in message.fields if not f.optional and f.name not in fields]
    unknown = [name for name in fields if name not in known]
    if missing:
        raise ProtocolError(f"{message.kind!r} needs {', '.join(map(repr, missing))}")
    if unknown:
        raise ProtocolError(f"{message.kind!r} has no field {', '.join(map(repr, unknown))}")


# Header of the document. `before` note records (FLAG_REMOVED) follow the `n_notes` current ones.
DOC_HEADER_FIELDS: tuple[Field, ...] = (
    Field("rev", "number", "revision of the document"),
    Field("resolution", "number", "ticks per quarter note"),
    Field("bars", "[number, number, number, number][]", "[metre numerator, denominator, start tick, ticks]"),
    Field("tempo_map", "[number, number][]", "[tick, microseconds per quarter], first at tick 0"),
    Field("tracks", "TrackInfo[]", "name, program, drum, family and number per track"),
    Field("n_notes", "number", "current notes that follow the header"),
    Field("before", "number", "removed notes of the last generation, after the current ones"),
    Field("title", "string", "name of the piece, may be empty", optional=True),
    Field("drums", "Record<string, string>", "drum names by pitch", optional=True),
    Field(
        "controls",
        "[number, number, number, number][]",
        "[tick, track, controller, value] of the file, by tick; controller -1 is pitch bend",
        optional=True,
    ),
)


def empty_notes(n: int = 0) -> NDArray[np.void]:
    """`n` zeroed note records; fill the columns (``records["onset"] = ...``)."""
    return np.zeros(n, NOTE_DTYPE)


def pack_document(
    header: Mapping[str, Any], notes: NDArray[np.void], before: NDArray[np.void] | None = None
) -> bytes:
    """Document bytes: u32 header length, JSON header, zeros up to a multiple of 4, note records.

    `notes` and `before` have dtype `NOTE_DTYPE`; ``n_notes`` and ``before`` of the header are filled in from
    them, and the removed notes get `FLAG_REMOVED`. Order of records does not matter to the page.
    """
    removed = empty_notes() if before is None else before.copy()
    removed["flags"] |= FLAG_REMOVED
    full = {**header, "n_notes": len(notes), "before": len(removed)}
    check_fields(Message("document", "answer", DOC_HEADER_FIELDS), full)
    text = json.dumps(full, separators=(",", ":"), ensure_ascii=False).encode()
    padding = -(4 + len(text)) % 4
    body = np.ascontiguousarray(notes, NOTE_DTYPE).tobytes() + np.ascontiguousarray(removed).tobytes()
    return len(text).to_bytes(4, "little") + text + b"\0" * padding + body


def unpack_document(data: bytes | memoryview) -> tuple[dict[str, Any], NDArray[np.void], NDArray[np.void]]:
    """(header, notes, removed notes) of document bytes; the inverse of `pack_document`."""
    raw = bytes(data)
    length = int.from_bytes(raw[:4], "little")
    header = json.loads(raw[4 : 4 + length])
    start = 4 + length + (-(4 + length) % 4)
    records = unpack_notes(raw[start:])
    n_notes, n_before = header["n_notes"], header["before"]
    if len(records) != n_notes + n_before:
        raise ProtocolError(f"document announces {n_notes} + {n_before} notes and holds {len(records)}")
    return header, records[:n_notes], records[n_notes:]


def unpack_notes(data: bytes | memoryview) -> NDArray[np.void]:
    """Note records of a buffer, any byte offset."""
    raw = bytes(data)
    if len(raw) % NOTE_BYTES:
        raise ProtocolError(f"{len(raw)} bytes are not a whole number of {NOTE_BYTES}-byte note records")
    return np.frombuffer(raw, NOTE_DTYPE)
