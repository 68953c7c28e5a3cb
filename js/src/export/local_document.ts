/**
 * The document of an exported page: what the kernel does to a score in a notebook, as far as a page can. Each
 * operation gives a new document, so that undo keeps the old one. Pure: no DOM.
 */
import { type EditNote, packNotes } from "../edit/notes.ts";
import { type DocHeader, NOTE_BYTES, type Op, type TrackInfo } from "../protocol.gen.ts";
import { FileClock } from "./file_clock.ts";
import {
  heardControls,
  type Kept,
  withOrder as keptInOrder,
  rearranged,
  type Span,
  tempoMap,
  withName,
  withoutTrack,
  withProgram,
  withTempo,
  withTrack,
} from "./kept.ts";
import { words } from "./words.ts";

/** A note with what the file says of it beyond the page's own units. */
export interface LocalNote extends EditNote {
  /** Length in ticks of the file as long as `duration` is this one; status and velocity of the event that ends it. */
  own?: { duration: number; ticks: number; end: readonly [status: number, velocity: number] };
}

export type Metre = readonly [numerator: number, denominator: number];

export interface LocalDocument {
  resolution: number;
  metres: readonly Metre[];
  /** [tick, microseconds per quarter], first at tick 0. */
  tempo: readonly (readonly [number, number])[];
  tracks: readonly TrackInfo[];
  /** Onsets from the start of the piece. */
  notes: readonly LocalNote[];
  /** What the file says besides notes. */
  kept?: Kept;
  /** Names: sixteen families, then 128 programs. */
  instruments: readonly string[];
  /** A number that no track has had (see TrackInfo.id). */
  newTrack?: () => number;
}

type StructureOp = Exclude<Op, { op: "notes" }>;

/** An operation that the document refuses, in words. */
export class Refused extends Error {}

const NOTE_OFF = 0x80;
const MOST_BARS = 10_000;
const NEW_IDS = 0x40000000;

export const barTicks = ([numerator, denominator]: Metre, resolution: number): number =>
  Math.round((numerator * 4 * resolution) / denominator);

/** Start tick of each bar, and the end of the last. */
export function barStarts({ metres, resolution }: LocalDocument): number[] {
  const starts = [0];
  for (const metre of metres) {
    starts.push((starts[starts.length - 1] as number) + barTicks(metre, resolution));
  }
  return starts;
}

/** The document after a batch; `records` are the notes of its `notes` operations. */
export function applyOps(
  document: LocalDocument,
  ops: readonly Op[],
  records: readonly EditNote[],
): LocalDocument {
  let taken = 0;
  let result = document;
  for (const op of ops) {
    if (op.op === "notes") {
      result = editNotes(result, op.remove, records.slice(taken, taken + op.count));
      taken += op.count;
    } else {
      result = withFile(result, applied(result, op), op);
    }
  }
  return result;
}

/** The rest of the file goes through the same operation; the tempo map is the file's. */
function withFile(before: LocalDocument, after: LocalDocument, op: StructureOp): LocalDocument {
  if (!before.kept) {
    return after;
  }
  const kept = { ...keptAfter(before, before.kept, op), bars: barsAfter(before, before.kept, op) };
  const clock = new FileClock(kept, barStarts(after), after.resolution);
  const tempo = tempoMap(kept).map(([tick, micros]) => [clock.toDocument(tick), micros] as const);
  return { ...after, kept, tempo };
}

/** Lengths of the bars in the file. */
function barsAfter({ metres, resolution }: LocalDocument, kept: Kept, op: StructureOp): readonly number[] {
  const bars = [...kept.bars];
  if (op.op === "bars_insert") {
    const metre = metres[Math.max(0, op.at - 1)] ?? ([4, 4] as const);
    bars.splice(op.at, 0, ...repeated(barTicks(metre, kept.ticksPerQuarter), op.count));
  } else if (op.op === "bars_delete") {
    bars.splice(op.first, op.count);
  } else if (op.op === "bars_duplicate") {
    bars.splice(op.first + op.count, 0, ...bars.slice(op.first, op.first + op.count));
  } else if (op.op === "metre_set") {
    const old = metres.slice(op.first, op.first + op.count);
    const ticks = old.reduce((sum, metre) => sum + barTicks(metre, resolution), 0);
    const count = Math.ceil(ticks / barTicks(op.metre, resolution));
    bars.splice(op.first, op.count, ...repeated(barTicks(op.metre, kept.ticksPerQuarter), count));
  }
  return bars;
}

const repeated = (value: number, count: number): number[] => Array.from({ length: count }, () => value);

function keptAfter(document: LocalDocument, kept: Kept, op: StructureOp): Kept {
  const { tracks } = document;
  const last = document.metres.length;
  const { starts } = new FileClock(kept, barStarts(document), document.resolution);
  const at = (bar: number): number => starts[Math.max(0, Math.min(last, bar))] as number;
  const rest = Number.POSITIVE_INFINITY;
  const span = (start: number, end: number, pad = 0): Span => ({ start, end, pad });
  const programs = tracks.map(({ program, drum }) => (drum ? -1 : program));
  switch (op.op) {
    case "track_add": {
      const { program = 0, drum = false, name = "" } = op;
      return withTrack(kept, tracks.length, { program, drum, name }, programs);
    }
    case "track_delete":
      return withoutTrack(kept, op.track);
    case "track_duplicate": {
      const info = tracks[op.track] as TrackInfo;
      const name = info.name === trackInfo(document, info.program, info.drum, "").name ? "" : info.name;
      const wider = withTrack(kept, op.track + 1, { ...info, name }, programs);
      return keptInOrder(
        wider,
        [...tracks, info].map((_, i) => i),
      );
    }
    case "track_move": {
      const order = tracks.map((_, i) => i);
      order.splice(op.to, 0, ...order.splice(op.track, 1));
      return keptInOrder(kept, order);
    }
    case "track_set": {
      const named = op.name === undefined ? kept : withName(kept, op.track, op.name);
      const { program = 0 } = tracks[op.track] ?? {};
      return op.program === undefined ? named : withProgram(named, op.track, program, op.program);
    }
    case "bars_insert": {
      const metre = document.metres[Math.max(0, op.at - 1)] ?? ([4, 4] as const);
      const pad = op.count * barTicks(metre, kept.ticksPerQuarter);
      const start = at(op.at);
      return op.at >= last ? kept : rearranged(kept, [span(0, start, pad), span(start, rest)]);
    }
    case "bars_duplicate":
      return rearranged(kept, [span(0, at(op.first + op.count)), span(at(op.first), rest)]);
    case "bars_delete": {
      const to = op.first + op.count;
      const front = op.first > 0 ? [span(0, at(op.first))] : [];
      return rearranged(kept, to >= last ? front : [...front, span(at(to), rest)]);
    }
    case "metre_set": {
      const to = op.first + op.count;
      const count = barsAfter(document, kept, op).length - (last - op.count);
      const length = count * barTicks(op.metre, kept.ticksPerQuarter);
      const pad = Math.max(0, length - (at(to) - at(op.first)));
      return to >= last ? kept : rearranged(kept, [span(0, at(to), pad), span(at(to), rest)]);
    }
    case "tempo_set": {
      const micros = Math.min(0xffffff, Math.round(60e6 / op.bpm));
      return withTempo(kept, op.first === undefined ? 0 : at(op.first), micros);
    }
  }
}

function editNotes(
  document: LocalDocument,
  remove: readonly number[],
  put: readonly EditNote[],
): LocalDocument {
  const end = barStarts(document)[document.metres.length] as number;
  if (put.some((note) => note.onset >= end || note.track >= document.tracks.length)) {
    throw new Refused(words.outside);
  }
  const gone = new Set([...remove, ...put.map((note) => note.id)]);
  const known = new Map(document.notes.map((note) => [note.id, note.own]));
  const changed = put.map((note): LocalNote => {
    const own = known.get(note.id);
    // A changed note keeps the velocity of its note-off.
    return own && own.end[0] === NOTE_OFF ? { ...note, own } : note;
  });
  return { ...document, notes: [...document.notes.filter((note) => !gone.has(note.id)), ...changed] };
}

function applied(document: LocalDocument, op: StructureOp): LocalDocument {
  const starts = barStarts(document);
  const at = (bar: number): number => starts[Math.max(0, Math.min(document.metres.length, bar))] as number;
  switch (op.op) {
    case "track_add": {
      const added = trackInfo(document, op.program ?? 0, op.drum ?? false, op.name ?? "");
      return { ...document, tracks: [...document.tracks, numbered(document, added)] };
    }
    case "track_delete":
      return withOrder(document, without(document.tracks.length, op.track));
    case "track_duplicate": {
      const order = document.tracks.map((_, i) => i);
      order.splice(op.track + 1, 0, op.track);
      const wider = withOrder(document, order);
      const copy = (info: TrackInfo, i: number): TrackInfo =>
        i === op.track + 1 ? numbered(document, info) : info;
      return { ...wider, tracks: wider.tracks.map(copy) };
    }
    case "track_move": {
      const order = document.tracks.map((_, i) => i);
      order.splice(op.to, 0, ...order.splice(op.track, 1));
      return withOrder(document, order);
    }
    case "track_set": {
      const tracks = document.tracks.map((info, i) =>
        i === op.track ? changedTrack(document, info, op) : info,
      );
      return { ...document, tracks };
    }
    case "bars_insert": {
      const metre = document.metres[Math.max(0, op.at - 1)] ?? ([4, 4] as const);
      const fresh = Array.from({ length: limited(op.count) }, () => metre);
      return opened(document, op.at, fresh, at(op.at));
    }
    case "bars_duplicate": {
      const fresh = document.metres.slice(op.first, op.first + op.count);
      const [from, to] = [at(op.first), at(op.first + op.count)];
      const wider = opened(cutAt(document, to), op.first + op.count, fresh, to);
      const copies = document.notes
        .filter((note) => note.onset >= from && note.onset < to)
        .map((note, i) => ({ ...note, id: freshId(document) + i, onset: note.onset + to - from }));
      return { ...wider, notes: [...wider.notes, ...copies] };
    }
    case "bars_delete":
      return closed(document, op.first, op.count, at(op.first), at(op.first + op.count));
    case "metre_set": {
      const [from, to] = [at(op.first), at(op.first + op.count)];
      const ticks = barTicks(op.metre, document.resolution);
      const count = Math.ceil((to - from) / ticks);
      const metres = [...document.metres];
      metres.splice(op.first, op.count, ...Array.from({ length: limited(count) }, () => op.metre));
      const later = (tick: number): number => (tick >= to ? tick + count * ticks - (to - from) : tick);
      return shifted({ ...document, metres }, later);
    }
    case "tempo_set": {
      const micros = Math.min(0xffffff, Math.round(60e6 / op.bpm));
      const from = op.first === undefined ? 0 : at(op.first);
      return { ...document, tempo: [...document.tempo.filter(([tick]) => tick < from), [from, micros]] };
    }
  }
}

/** Time jumps at a tick: what rings over it ends there. At the end of the piece nothing follows that it could jump from. */
function cutAt(document: LocalDocument, tick: number): LocalDocument {
  if (tick >= (barStarts(document)[document.metres.length] as number)) {
    return document;
  }
  const notes = document.notes.map((note) =>
    note.onset < tick && note.onset + note.duration > tick
      ? { ...note, duration: Math.max(1, tick - note.onset) }
      : note,
  );
  return { ...document, notes };
}

const without = (n: number, gone: number): number[] =>
  Array.from({ length: n }, (_, i) => i).filter((i) => i !== gone);

function limited(count: number): number {
  if (!(count >= 1 && count <= MOST_BARS)) {
    throw new Refused(words.bars(count));
  }
  return count;
}

/** Ids that no note has, from here on. */
const freshId = (document: LocalDocument): number =>
  document.notes.reduce((most, note) => (note.id < 0x80000000 ? Math.max(most, note.id) : most), NEW_IDS) + 1;

/** Tracks in another order: `order[new]` is the old place; a track may come twice or not at all. */
function withOrder(document: LocalDocument, order: readonly number[]): LocalDocument {
  let id = freshId(document);
  const seen = new Set<number>();
  const notes = order.flatMap((old, track) => {
    const again = seen.has(old);
    seen.add(old);
    return document.notes
      .filter((note) => note.track === old)
      .map(({ own, ...note }): LocalNote => {
        const moved = { ...note, track, id: again ? id++ : note.id };
        // A copy is a new note, and ends as the other one does.
        const its = again && own ? { ...own, duration: -1 } : own;
        return its && !(again && its.end[0] !== NOTE_OFF) ? { ...moved, own: its } : moved;
      });
  });
  return { ...document, tracks: order.map((old) => document.tracks[old] as TrackInfo), notes };
}

const numbered = ({ newTrack }: LocalDocument, info: TrackInfo): TrackInfo =>
  newTrack ? { ...info, id: newTrack() } : info;

const N_FAMILIES = 16;

function trackInfo({ instruments }: LocalDocument, program: number, drum: boolean, name: string): TrackInfo {
  const own = drum ? "Drums" : (instruments[N_FAMILIES + program] ?? "");
  const family = drum ? "Drums" : (instruments[program >> 3] ?? "");
  return { name: name || own, program, drum, family };
}

function changedTrack(
  document: LocalDocument,
  info: TrackInfo,
  change: { name?: string; program?: number },
): TrackInfo {
  const program = change.program ?? info.program;
  const unnamed = !info.drum && info.name === trackInfo(document, info.program, false, "").name;
  const name = change.name ?? (unnamed ? "" : info.name);
  return { ...info, ...trackInfo(document, program, info.drum, name) };
}

function shifted(document: LocalDocument, place: (tick: number) => number): LocalDocument {
  return {
    ...document,
    notes: document.notes.map((note) => ({ ...note, onset: place(note.onset) })),
    tempo: document.tempo.map(([tick, micros]) => [tick === 0 ? 0 : place(tick), micros] as const),
  };
}

/** Room for bars of `fresh` metres before bar `bar`, which begins at `tick`. */
function opened(document: LocalDocument, bar: number, fresh: readonly Metre[], tick: number): LocalDocument {
  const metres = [...document.metres];
  metres.splice(bar, 0, ...fresh);
  limited(metres.length);
  const ticks = fresh.reduce((sum, metre) => sum + barTicks(metre, document.resolution), 0);
  return shifted({ ...document, metres }, (at) => (at >= tick ? at + ticks : at));
}

/** Without the bars of [from, to); notes held into them lose the time that is gone. */
function closed(
  document: LocalDocument,
  first: number,
  count: number,
  from: number,
  to: number,
): LocalDocument {
  if (count >= document.metres.length) {
    throw new Refused(words.lastBar);
  }
  const metres = [...document.metres];
  metres.splice(first, count);
  const notes = document.notes
    .filter((note) => note.onset < from || note.onset >= to)
    .map((note) => {
      const end = note.onset + note.duration;
      const lost = note.onset < from ? Math.max(0, Math.min(end, to) - from) : 0;
      const duration = Math.max(1, note.duration - lost);
      if (lost === 0 || !note.own || end <= to || !document.kept) {
        return { ...note, duration };
      }
      const ticks = note.own.ticks - Math.round((lost * document.kept.ticksPerQuarter) / document.resolution);
      return { ...note, duration, own: { ...note.own, duration, ticks } };
    });
  const tempo = document.tempo.map(
    ([tick, micros]) => [tick > from && tick < to ? to : tick, micros] as const,
  );
  const place = (tick: number): number => (tick >= to ? tick - (to - from) : tick);
  const moved = shifted({ ...document, metres, notes, tempo }, place);
  return { ...moved, tempo: [...new Map(moved.tempo.map((row) => [row[0], row])).values()] };
}

/** Bytes of the `_doc` trait. */
export function packDocument(document: LocalDocument, header: DocHeader, rev: number): DataView {
  const starts = barStarts(document);
  const bars = document.metres.map((metre, i): [number, number, number, number] => [
    metre[0],
    metre[1],
    starts[i] as number,
    barTicks(metre, document.resolution),
  ]);
  const facts: DocHeader = {
    ...header,
    rev,
    bars,
    tempo_map: document.tempo.map(([tick, micros]) => [tick, micros]),
    tracks: [...document.tracks],
    n_notes: document.notes.length,
    before: 0,
  };
  if (document.kept) {
    const clock = new FileClock(document.kept, starts, document.resolution);
    const place = (tick: number): number => clock.toDocument(tick, Math.floor);
    facts.controls = heardControls(document.kept).map(([tick, ...rest]) => [place(tick), ...rest]);
  }
  const text = new TextEncoder().encode(JSON.stringify(facts));
  const start = (4 + text.length + 3) & ~3;
  const view = new DataView(new ArrayBuffer(start + document.notes.length * NOTE_BYTES));
  view.setUint32(0, text.length, true);
  new Uint8Array(view.buffer, 4).set(text);
  new Uint8Array(view.buffer, start).set(new Uint8Array(packNotes(document.notes)));
  return view;
}
