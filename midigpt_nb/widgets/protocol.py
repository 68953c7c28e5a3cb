"""TABLE: what travels between the kernel and the page, and how a note is packed.

Three things cross the border and all three are declared here, once:

* **note records**: 20 bytes each, little-endian (`NOTE_FIELDS`, `NOTE_DTYPE`);
* **the document** (trait ``_doc``): a JSON header followed by packed notes (`pack_document`);
* **messages**: requests from the page, answers, and numbered events of a generation job (`MESSAGES`).

``python -m midigpt_nb.widgets.protocol`` prints the TypeScript that the page is compiled with
(``--write`` puts it into ``js/src/protocol.gen.ts``; ``--check`` fails when the file is stale).
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from midigpt_nb.widgets.packing import (
    DOC_HEADER_FIELDS,
    DOUBT_DTYPE,
    DOUBT_FIELDS,
    FLAG_GENERATED,
    FLAG_LOCKED,
    FLAG_PROVISIONAL,
    FLAG_REMOVED,
    NOTE_BYTES,
    NOTE_DTYPE,
    NOTE_FIELDS,
    Field,
    Message,
    ProtocolError,
    check_fields,
    empty_notes,
    pack_document,
    unpack_document,
    unpack_notes,
)

__all__ = [
    "ATTRIBUTE_FIELDS",
    "CAPS_FIELDS",
    "DOC_HEADER_FIELDS",
    "DOUBT_DTYPE",
    "DOUBT_FIELDS",
    "FLAG_GENERATED",
    "FLAG_LOCKED",
    "FLAG_PROVISIONAL",
    "FLAG_REMOVED",
    "GRID_FIELDS",
    "MESSAGES",
    "NOTE_BYTES",
    "NOTE_DTYPE",
    "NOTE_FIELDS",
    "PIECE_FIELDS",
    "SETTING_FIELDS",
    "VERSION",
    "Field",
    "Message",
    "ProtocolError",
    "check_fields",
    "empty_notes",
    "error_message",
    "event_message",
    "events_of",
    "gap_message",
    "job_event",
    "ok_message",
    "pack_document",
    "parse_request",
    "place_of",
    "typescript",
    "unpack_document",
    "unpack_notes",
]

VERSION = 1
"""Protocol version carried as ``v`` by every message; the page shows one clear message on a mismatch."""

_CELLS = "Cell[]"
_TAKE = Field("take", "number", "which take, from 0; the first when missing", optional=True)
_DRAWN = Field("drawn", "Drawn", "what was decided before it and may still be on its way", optional=True)
_NOTE_BUFFER = "buffer 0: `count` note records, flagged provisional"

# The `caps` trait. {} for a viewer: the page then hides everything that generates, and says why.
CAPS_FIELDS: tuple[Field, ...] = (
    Field("model", "string", "name of the model", optional=True),
    Field("attributes", "AttributeInfo[]", "what can be asked for", optional=True),
    Field("window_bars", "number[]", "window sizes, ascending", optional=True),
    Field("unavailable", "string", "why nothing can be generated here", optional=True),
    Field("absent", "string[]", "attributes that other models have, in words", optional=True),
    Field("settings", "SettingInfo[]", "settings of a generation, in the panel's order", optional=True),
    Field("grid", "GridInfo", "the model's time grid", optional=True),
    Field("chords", "{ known: boolean; words: string }", "whether the model knows chords", optional=True),
    Field("piece", "PieceInfo[]", "choices for the whole piece", optional=True),
    Field("piece_absent", "{ label: string; why: string }[]", "those of other models", optional=True),
    Field("exported", "boolean", "this is a page without a kernel", optional=True),
    Field("later", "boolean", "attributes and settings are asked for with `caps`", optional=True),
)
PIECE_FIELDS: tuple[Field, ...] = (
    Field("name", "string", "key in the `piece` trait"),
    Field("label", "string", "shown name"),
    Field("help", "string", "what it means, one sentence"),
    Field("kind", '"choice" | "flag"', "one of `choices`, or on and off"),
    Field("choices", "string[]", "allowed texts"),
)
# What notes a model can represent exactly.
GRID_FIELDS: tuple[Field, ...] = (
    Field("resolution", "number", "steps a quarter note, onsets counted from the start of the bar"),
    Field("microtiming", "boolean", "onsets divide each step into `resolution` parts"),
    Field("longest", "number", "longest note in steps"),
    Field("pitches", "[number, number]", "lowest and highest"),
)
SETTING_FIELDS: tuple[Field, ...] = (
    Field("name", "string", "key in the `sampling` trait"),
    Field("label", "string", "shown name"),
    Field("help", "string", "what it means, one sentence"),
    Field("kind", '"number" | "choice" | "switch"', "how it is set"),
    Field("default", "number | string | boolean", "value when nothing is said"),
    Field("low", "number", "least value", optional=True),
    Field("high", "number", "greatest value", optional=True),
    Field("step", "number", "step between values", optional=True),
    Field("choices", "string[]", "allowed texts", optional=True),
    Field("advanced", "boolean", "belongs under Advanced"),
)
ATTRIBUTE_FIELDS: tuple[Field, ...] = (
    Field("name", "string", "key in the `attributes` and `realized` traits"),
    Field("label", "string", "shown name", optional=True),
    Field("level", '"track" | "bar"', "one value per track or per bar"),
    Field("track_type", '"melodic" | "drum" | "both"', "tracks it applies to"),
    Field("size", "number", "values are 0 .. size - 1"),
    Field("value_labels", "string[] | null", "words for the values", optional=True),
    Field("help", "string", "what it means, one sentence", optional=True),
    Field("nominal", "boolean", "values are names without an order", optional=True),
    Field("unit", "string", "what the values count; `key`: 0-11 major from C, 12-23 minor", optional=True),
    Field("advanced", "boolean", "not among the first things one asks for", optional=True),
)

MESSAGES: tuple[Message, ...] = (
    # --- requests: every one is answered by exactly one "ok" or "error" with the same id
    Message(
        "generate",
        "request",
        (
            Field("selection", "{ cells: Cell[] }", "bars to write, [track, bar] pairs"),
            Field("attributes", "AttributeValues", "wishes; else the `attributes` trait", optional=True),
            Field("sampling", "Record<string, number>", "settings; else the `sampling` trait", optional=True),
            Field("takes", "number", "versions to write, 1..9; else the `n_takes` trait", optional=True),
            Field("hold", "boolean", "a single take waits for `accept`, too", optional=True),
        ),
        meaning="start a job that rewrites the cells; answered by ok {job} as soon as it is queued",
        ordered=True,
    ),
    Message(
        "cancel", "request", (Field("job", "string", "job to stop", optional=True),), meaning="stop a job"
    ),
    Message("undo", "request", (_DRAWN,), meaning="take back the last change of the document", ordered=True),
    Message("redo", "request", (_DRAWN,), meaning="bring back what undo took", ordered=True),
    Message("doc", "request", meaning="the document once more: the page misses a revision it heard of"),
    Message("keep", "request", meaning="everything as a project file, for the page's autosave; see autosave"),
    Message(
        "restore",
        "request",
        (
            Field("part", "number", "which part of it, from 0; in order"),
            Field("parts", "number", "how many parts it has"),
            Field("file", "boolean", "only answer with it as a project file", optional=True),
        ),
        buffers="buffer 0: at most 512 kB of what the page kept; see autosave",
        meaning="what the page kept of a roll that is gone; the last part makes it the document",
        ordered=True,
    ),
    Message(
        "sync",
        "request",
        (
            Field("job", "string | null", "job to be told about; null: the running one, if any"),
            Field("have", "number", "number of events seen"),
        ),
        meaning="a page that missed an event, or was opened late, asks for the whole picture of a job",
    ),
    Message(
        "ops",
        "request",
        (
            Field("label", "string", "the gesture in words, for undo"),
            Field("ops", "Op[]", "what is done, all or nothing"),
            Field(
                "merge", "string", "gestures of one kind that follow fast are one undo step", optional=True
            ),
        ),
        buffers="buffer 0: the note records of all `notes` operations",
        meaning="one gesture on the document; answered by ok {rev}, or by error and the document as it is",
        ordered=True,
    ),
    Message(
        "accept",
        "request",
        (
            Field("take", "string | null", "id of the take; null: none, but for `cells`"),
            Field("cells", "[track: number, bar: number, take: string][]", 'bars from others; "": as it was'),
        ),
        meaning="take over what is shown of the open takes; one undo step",
        ordered=True,
    ),
    Message("discard", "request", meaning="let the open takes go", ordered=True),
    Message(
        "take_notes",
        "request",
        (Field("take", "string", "id of an open take"),),
        meaning="the notes that a take has in the bars it wrote",
    ),
    Message(
        "chords",
        "request",
        (
            Field("text", "string", "chords as they are typed, one per bar; empty clears"),
            Field("bars", "number[]", "bars they are for; shorter text begins again"),
            Field("spill", "boolean", "more chords than bars go on in the bars after", optional=True),
        ),
        meaning="ask for chords; one undo step. An error names the place and the choices",
        ordered=True,
    ),
    Message(
        "uncertainty",
        "request",
        meaning="how sure the model was of the notes that are shown, as far as it wrote them: 20 bytes each",
    ),
    Message(
        "outlook",
        "request",
        (Field("selection", "{ cells: Cell[] }", "bars to write"),),
        meaning="could this be generated, and what would the model see; an error says why not",
    ),
    Message(
        "sound",
        "request",
        (
            Field("file", '"worklet" | "bank" | "simple"', "which file of the sound"),
            Field("part", "number", "which part of it, from 0"),
        ),
        meaning="a page that is about to play fetches the sampled sound, once a page",
    ),
    Message(
        "desk",
        "request",
        meaning="the second module of the page, fetched after the first picture, once a page",
    ),
    Message("caps", "request", meaning="the parts of `caps` that only the second module needs"),
    Message("example", "request", meaning="the example piece becomes the document, as one undo step"),
    Message(
        "file",
        "request",
        (
            Field(
                "what",
                '"midi" | "project" | "html" | "code"',
                "the piece, all that is in the roll, the roll as a page, its actions as Python",
            ),
            Field("part", "number", "which part of it, from 0; in order"),
            Field("key", "string", "what the answer to the first part called it", optional=True),
        ),
        meaning="a file that is made of the roll, part by part",
    ),
    Message(
        "upload",
        "request",
        (
            Field("name", "string", "the file's name"),
            Field("part", "number", "which part of it, from 0; in order"),
            Field("parts", "number", "how many parts it has"),
        ),
        buffers="buffer 0: at most 512 kB of the file",
        meaning="a MIDI file or a project, part by part; the last makes it the document, as one undo step",
        ordered=True,
    ),
    # --- answers
    Message(
        "ok",
        "answer",
        (
            Field("job", "string | null", "generate, sync: the job; null when none runs", optional=True),
            Field(
                "n",
                "number",
                "sync: the picture holds events 0..n-1",
                optional=True,
            ),
            Field("state", "JobState", "sync: state of the job", optional=True),
            Field("cells", _CELLS, "sync: cells being written", optional=True),
            Field("finished", _CELLS, "sync: cells whose notes are complete", optional=True),
            Field("label", "string", "sync: name of the action", optional=True),
            Field("tokens", "number", "sync: tokens sampled so far", optional=True),
            Field("count", "number", "sync: notes in buffer 0; restore: edits repeated", optional=True),
            Field("parts", "number", "sound, file: how many parts the file has", optional=True),
            Field("key", "string", "file: its name for the parts that follow", optional=True),
            Field("name", "string", "file: what it may be called", optional=True),
            Field("rev", "number", "revision that holds the change", optional=True),
            Field(
                "changed",
                "boolean",
                "keep: whether there is anything to keep; undo, redo: whether it was the music",
                optional=True,
            ),
            Field("lost", "number", "restore: edits that could not be repeated", optional=True),
            Field("takes", "TakePicture[]", "sync: of a job with several takes", optional=True),
            Field("caps", "Caps", "caps: its rest", optional=True),
            Field("steps", "SeenStep[]", "outlook: what the model sees, step by step", optional=True),
            Field("warnings", "string[]", "outlook: possible, but likely not meant", optional=True),
        ),
        buffers="buffer 0: sync: all provisional notes of the job, take after take; take_notes: its notes; "
        "sound, file: the part; desk: the module; keep, restore: the project",
        meaning="the request was carried out (or accepted)",
    ),
    Message(
        "error",
        "answer",
        (
            Field("code", "string", "short, stable, for programs"),
            Field("message", "string", "what happened and why, one sentence"),
            Field("hint", "string", "one next step, may be empty"),
            Field("details", "string", "for somebody who can help", optional=True),
        ),
        meaning="the request was refused; nothing changed",
    ),
    Message(
        "gap",
        "answer",
        (Field("seq", "number", "number of the request that is missing"),),
        meaning="no answer yet: a request before this one has not come; send it again",
    ),
    # --- events of a job, numbered n = 0, 1, ...; one message may carry several, see `event_message`
    Message(
        "accepted",
        "event",
        (
            Field("cells", _CELLS, "cells that will be written"),
            Field("label", "string", "name of the action"),
            Field("takes", "number", "how many takes, when they wait for a choice", optional=True),
        ),
        meaning="always event 0",
    ),
    Message(
        "step",
        "event",
        (
            Field("step", "number", "index of the step, from 0"),
            Field("n_steps", "number", "how many there are"),
            Field("window", "[number, number]", "bars the model sees, end excluded"),
            _TAKE,
        ),
        meaning="a planner step begins",
    ),
    Message(
        "tok",
        "event",
        (Field("tokens", "number", "tokens sampled in the job"),),
        meaning="at least every second",
    ),
    Message(
        "notes",
        "event",
        (
            Field("track", "number", "track index"),
            Field("bar", "number", "bar index"),
            Field("count", "number", "note records in the buffer, at most 64"),
            _TAKE,
        ),
        buffers=_NOTE_BUFFER,
        meaning="new notes of a cell, in addition to those sent before",
    ),
    Message(
        "bar",
        "event",
        (Field("track", "number", "track index"), Field("bar", "number", "bar index"), _TAKE),
        meaning="the cell is complete and may be played",
    ),
    Message(
        "reject",
        "event",
        (Field("cells", _CELLS, "cells to clear"), _TAKE),
        meaning="provisional notes there are void",
    ),
    Message(
        "take",
        "event",
        (Field("status", "string", "done, budget, failed or cancelled"), _TAKE),
        meaning="one of several takes has ended",
    ),
    Message(
        "done",
        "event",
        (Field("rev", "number", "revision that holds the result"),),
        meaning="the kernel has already set `_doc`",
    ),
    Message(
        "cancelled",
        "event",
        (Field("rev", "number", "revision that holds what was kept"),),
        meaning="stopped on request; `_doc` is set",
    ),
    Message(
        "error",
        "event",
        (
            Field("code", "string", "short, stable"),
            Field("message", "string", "what happened"),
            Field("hint", "string", "one next step"),
            Field("details", "string", "for somebody who can help", optional=True),
        ),
        meaning="the job failed; `_doc` is set to the state to show",
    ),
)

_BY_KIND: dict[tuple[str, str], Message] = {
    ("event" if m.direction == "event" else m.direction, m.kind): m for m in MESSAGES
}


# ------------------------------------------------------------------------------------------------ messages


def parse_request(content: Any) -> tuple[str, Any, dict[str, Any]]:
    """Split a message from the page into (kind, id, fields).

    The id is what the answer must carry (None when the message has none). Raises `ProtocolError` with code
    "version", "unknown_kind" or "bad_message"; answer it with the id of the message all the same.

    >>> parse_request({"v": 1, "k": "cancel", "id": 7, "job": "a1"})
    ('cancel', 7, {'job': 'a1'})
    """
    if not isinstance(content, Mapping):
        raise ProtocolError(f"a message is a mapping, not {type(content).__name__}")
    version = content.get("v")
    if version != VERSION:
        raise ProtocolError(f"page speaks protocol {version!r}, kernel {VERSION}; reload the page", "version")
    kind = content.get("k")
    message = _BY_KIND.get(("request", kind)) if isinstance(kind, str) else None
    if message is None:
        raise ProtocolError(f"unknown request {kind!r}", "unknown_kind")
    fields = {name: value for name, value in content.items() if name not in ("v", "k", "id", "seq")}
    check_fields(message, fields)
    return message.kind, content.get("id"), fields


def ok_message(request_id: Any, **fields: Any) -> dict[str, Any]:
    """The answer "ok" to a request."""
    check_fields(_BY_KIND["answer", "ok"], fields)
    return {"v": VERSION, "k": "ok", "id": request_id, **fields}


def error_message(
    request_id: Any, code: str, message: str, hint: str = "", details: str = ""
) -> dict[str, Any]:
    """The answer "error" to a request."""
    told = {"v": VERSION, "k": "error", "id": request_id, "code": code, "message": message, "hint": hint}
    return {**told, "details": details} if details else told


def gap_message(request_id: Any, seq: int) -> dict[str, Any]:
    """What a request is told that came before its time."""
    return {"v": VERSION, "k": "gap", "id": request_id, "seq": seq}


def place_of(content: Any) -> tuple[str, int] | None:
    """(page, number) of a request that must keep its order; None for any other message."""
    if not isinstance(content, dict) or "seq" not in content or content.get("v") != VERSION:
        return None
    kind = content.get("k")
    message = _BY_KIND.get(("request", kind)) if isinstance(kind, str) else None
    seq, request_id = content["seq"], content.get("id")
    whole = isinstance(seq, int) and not isinstance(seq, bool) and 0 <= seq < 2**53
    if message is None or not message.ordered or not whole or not isinstance(request_id, str):
        return None
    return request_id.rpartition("-")[0], seq


def job_event(ev: str, **fields: Any) -> dict[str, Any]:
    """What an event says, without its number.

    >>> job_event("tok", tokens=64)
    {'ev': 'tok', 'tokens': 64}
    """
    message = _BY_KIND.get(("event", ev))
    if message is None:
        raise ProtocolError(f"unknown event {ev!r}", "unknown_kind")
    check_fields(message, fields)
    return {"ev": ev, **fields}


def event_message(job: str, n: int, events: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Events `n`, `n` + 1, ... of a job in one message; their buffers follow each other.

    >>> event_message("a1", 3, [job_event("tok", tokens=64)])
    {'v': 1, 'k': 'ev', 'job': 'a1', 'n': 3, 'ev': 'tok', 'tokens': 64}
    """
    first, *more = events
    message = {"v": VERSION, "k": "ev", "job": job, "n": n, **first}
    return {**message, "more": more} if more else message


def events_of(
    message: Mapping[str, Any], buffers: Sequence[Any] = ()
) -> list[tuple[dict[str, Any], list[Any]]]:
    """The events of a message, each with its own buffers: the other way round.

    >>> [event["n"] for event, _ in events_of(event_message("a1", 3, [job_event("tok", tokens=64)] * 2))]
    [3, 4]
    """
    head = {name: message[name] for name in ("v", "k", "job")}
    first = {name: value for name, value in message.items() if name != "more"}
    rest, found = list(buffers), []
    for i, event in enumerate([first, *message.get("more", ())]):
        count = 1 if _BY_KIND["event", event["ev"]].buffers else 0
        found.append(({**head, **event, "n": message["n"] + i}, rest[:count]))
        del rest[:count]
    return found


# -------------------------------------------------------------------------------------------- TypeScript


def typescript() -> str:
    """Text of ``js/src/protocol.gen.ts``."""
    from midigpt_nb.widgets.protocol_types import typescript as written

    return written()


def generated_path() -> Path | None:
    """``js/src/protocol.gen.ts`` of the checkout this module runs from; None for an installed package."""
    path = Path(__file__).resolve().parents[2] / "js" / "src" / "protocol.gen.ts"
    return path if path.parent.is_dir() else None


def main(argv: Sequence[str] | None = None) -> int:
    """Print, write (``--write``) or check (``--check``) the generated TypeScript."""
    args = list(sys.argv[1:] if argv is None else argv)
    text, path = typescript(), generated_path()
    if not args:
        sys.stdout.write(text)
        return 0
    if args not in (["--write"], ["--check"]) or path is None:
        sys.stderr.write("usage, in a checkout: python -m midigpt_nb.widgets.protocol [--write | --check]\n")
        return 2
    if args == ["--write"]:
        path.write_text(text, encoding="utf-8")
        return 0
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        sys.stderr.write(f"{path.name} is stale: run python -m midigpt_nb.widgets.protocol --write\n")
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
