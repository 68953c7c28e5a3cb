"""The TypeScript of the page, `js/src/protocol.gen.ts`, made from the tables of `protocol`."""

from __future__ import annotations

from collections.abc import Sequence

from midigpt_nb.widgets.ops import OPS
from midigpt_nb.widgets.protocol import (
    ATTRIBUTE_FIELDS,
    CAPS_FIELDS,
    DOC_HEADER_FIELDS,
    FLAG_GENERATED,
    FLAG_LOCKED,
    FLAG_PROVISIONAL,
    FLAG_REMOVED,
    GRID_FIELDS,
    MESSAGES,
    NOTE_BYTES,
    NOTE_DTYPE,
    NOTE_FIELDS,
    PIECE_FIELDS,
    SETTING_FIELDS,
    VERSION,
    Field,
)

__all__ = ["typescript"]

_HAND_WRITTEN_TYPES = """\
export type Cell = [track: number, bar: number];
export type JobState = "queued" | "running" | "cancelling" | "done" | "cancelled" | "error";
export interface TrackInfo {
  name: string;
  program: number;
  drum: boolean;
  family: string;
  /** Stays with the track wherever it goes; missing: its place. */
  id?: number;
}
/** What the page shows on the card of a take; `cells` are the bars it wrote. */
export interface TakeInfo {
  id: string;
  number: number;
  seed: number;
  adherence: number | null;
  log_prob: number;
  novelty: number;
  notes: number;
  status: string;
  cells: Cell[];
}
/** A take that is being written: `count` of the notes that come with it are its own. */
export interface TakePicture {
  finished: Cell[];
  count: number;
}
/** One step of the plan: bars in the window, written, read, and hidden from the model. */
export interface SeenStep {
  window: [from: number, to: number];
  targets: Cell[];
  tracks: number[];
  hidden: Cell[];
  autoregressive: boolean;
}
/** Roles of tracks and bars: keys are numbers as text. */
export interface Plan {
  roles?: Record<string, { track?: TrackRole; bars?: Record<string, BarRole> }>;
}
export type TrackRole = "context" | "continue" | "ignore";
export type BarRole = "generate" | "hidden" | "locked";
/** How a track sounds and looks. */
export interface TrackMix {
  muted?: boolean;
  soloed?: boolean;
  /** MIDI volume 0..127. */
  volume?: number;
  /** Place in the palette. */
  colour?: number;
}
/** Wishes and roles that a page set, each with the number under which it told them (see synced.ts). */
export interface Drawn {
  page: string;
  /** The number of what was told last: what still comes under it or an earlier one is old. */
  last: number;
  stroke: string;
  values: Record<string, [number: number, value: unknown]>;
}
/** Wishes: per track and, below it, per bar; a missing name means "no preference". */
export interface AttributeValues {
  track: Record<string, Record<string, number>>;
  bar: Record<string, Record<string, Record<string, number>>>;
}
"""


def _camel(kind: str) -> str:
    return kind[0].upper() + kind[1:]


def _interface(name: str, fields: Sequence[Field], meaning: str, head: Sequence[str] = ()) -> str:
    lines = [f"/** {meaning} */"] if meaning else []
    lines.append(f"export interface {name} {{")
    lines += [f"  {line}" for line in head]
    for f in fields:
        lines.append(f"  /** {f.meaning} */")
        lines.append(f"  {f.name}{'?' if f.optional else ''}: {f.type};")
    return "\n".join([*lines, "}"])


def _constants() -> list[str]:
    offsets = {name: int(field[1]) for name, field in (NOTE_DTYPE.fields or {}).items()}
    names = {"u1": "Uint8", "<u2": "Uint16", "<i2": "Int16", "<u4": "Uint32"}
    layout = [
        f'  {name}: {{ offset: {offsets[name]}, kind: "{names[kind]}" }}, // {meaning}'
        for name, kind, meaning in NOTE_FIELDS
    ]
    flags = {
        "FLAG_GENERATED": FLAG_GENERATED,
        "FLAG_PROVISIONAL": FLAG_PROVISIONAL,
        "FLAG_LOCKED": FLAG_LOCKED,
        "FLAG_REMOVED": FLAG_REMOVED,
    }
    return [
        f"export const VERSION = {VERSION};",
        f"export const NOTE_BYTES = {NOTE_BYTES};",
        "\n".join(f"export const {name} = {value};" for name, value in flags.items()),
        "/** Little-endian layout of one note record. */",
        "\n".join(["export const NOTE_LAYOUT = {", *layout, "} as const;"]),
    ]


def _op_types() -> list[str]:
    interfaces = [
        _interface(f"Op{_camel_words(op.kind)}", op.fields, op.meaning, [f'op: "{op.kind}";'])
        for op in OPS.values()
    ]
    union = [f"  | Op{_camel_words(kind)}" for kind in OPS]
    return [
        *interfaces,
        "\n".join(["/** What may be done to the document. */", "export type Op =", *union]) + ";",
    ]


def _camel_words(kind: str) -> str:
    return "".join(word.capitalize() for word in kind.split("_"))


def _message_types() -> list[str]:
    requests = [m for m in MESSAGES if m.direction == "request"]
    events = [m for m in MESSAGES if m.direction == "event"]
    head = {
        "answer": lambda m: ["v: number;", f'k: "{m.kind}";', "id: string;"],
        "event": lambda m: ["v: number;", 'k: "ev";', "job: string;", "n: number;", f'ev: "{m.kind}";'],
        "request": lambda m: [],
    }
    suffix = {"answer": "{}Answer", "event": "Event{}", "request": "Request{}"}
    interfaces = [
        _interface(suffix[m.direction].format(_camel(m.kind)), m.fields, m.meaning, head[m.direction](m))
        for m in MESSAGES
    ]
    table = [f"  {m.kind}: Request{_camel(m.kind)};" for m in requests]
    union = [f"  | Event{_camel(m.kind)}" for m in events]
    kinds = ", ".join(f'"{m.kind}"' for m in events)
    with_buffer = ", ".join(f'"{m.kind}"' for m in events if m.buffers)
    ordered = ", ".join(f'"{m.kind}"' for m in requests if m.ordered)
    return [
        *interfaces,
        "/** What the page may ask, with the payload. */",
        "\n".join(["export interface Requests {", *table, "}"]),
        "\n".join(["export type JobEvent =", *union]) + ";",
        f"export const EVENT_KINDS: readonly string[] = [{kinds}];",
        "/** Events that bring a buffer. */",
        f"export const EVENTS_WITH_BUFFER: readonly string[] = [{with_buffer}];",
        "/** Requests that keep their order. */",
        f"export const ORDERED: readonly string[] = [{ordered}];",
    ]


def typescript() -> str:
    """Text of ``js/src/protocol.gen.ts``."""
    parts = [
        "// Generated by `python -m midigpt_nb.widgets.protocol --write`; do not edit.",
        *_constants(),
        _HAND_WRITTEN_TYPES.rstrip(),
        _interface("DocHeader", DOC_HEADER_FIELDS, "JSON header of the document."),
        _interface("Caps", CAPS_FIELDS, "What the kernel can do; `{}` for a viewer."),
        _interface("AttributeInfo", ATTRIBUTE_FIELDS, "One attribute the model can be asked for."),
        _interface("SettingInfo", SETTING_FIELDS, "One setting of a generation."),
        _interface("GridInfo", GRID_FIELDS, "The time grid of a model."),
        _interface("PieceInfo", PIECE_FIELDS, "One choice for the whole piece."),
        *_op_types(),
        *_message_types(),
    ]
    return "\n\n".join(parts).replace("*/\n\nexport", "*/\nexport") + "\n"
