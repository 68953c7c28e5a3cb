/**
 * Notes as typed arrays, grouped by track and ordered by onset, so that drawing and playing read plain numbers.
 * Pure: no DOM.
 */
import { type DocHeader, NOTE_BYTES, NOTE_LAYOUT } from "./protocol.gen.ts";

const { onset, duration, pitch, velocity, track, flags, micro, id } = NOTE_LAYOUT;

export class NoteTable {
  readonly ids: Uint32Array;
  readonly onsets: Uint32Array;
  readonly durations: Uint32Array;
  readonly pitches: Uint8Array;
  readonly velocities: Uint8Array;
  readonly tracks: Uint8Array;
  readonly flags: Uint8Array;
  readonly micros: Int16Array;
  /** Notes of track t are rows trackStarts[t] .. trackStarts[t + 1]. */
  readonly trackStarts: Uint32Array;
  /** Longest note per track: how far before a window a note can start and still reach into it. */
  readonly longest: Uint32Array;

  constructor(
    readonly count: number,
    nTracks: number,
  ) {
    this.ids = new Uint32Array(count);
    this.onsets = new Uint32Array(count);
    this.durations = new Uint32Array(count);
    this.pitches = new Uint8Array(count);
    this.velocities = new Uint8Array(count);
    this.tracks = new Uint8Array(count);
    this.flags = new Uint8Array(count);
    this.micros = new Int16Array(count);
    this.trackStarts = new Uint32Array(nTracks + 1);
    this.longest = new Uint32Array(nTracks);
  }

  /** Call when the columns are filled, in order of track and onset. */
  index(): void {
    const { nTracks } = this;
    this.trackStarts.fill(0);
    this.longest.fill(0);
    for (let row = 0; row < this.count; row++) {
      const track = this.tracks[row] as number;
      if (track < nTracks) {
        this.trackStarts[track + 1] = row + 1;
        this.longest[track] = Math.max(this.longest[track] as number, this.durations[row] as number);
      }
    }
    for (let t = 1; t <= nTracks; t++) {
      this.trackStarts[t] = Math.max(this.trackStarts[t] as number, this.trackStarts[t - 1] as number);
    }
  }

  get nTracks(): number {
    return this.longest.length;
  }

  /** First row of `track` whose onset is at or after `tick`. */
  lowerBound(trackIndex: number, tick: number): number {
    let low = this.trackStarts[trackIndex] ?? 0;
    let high = this.trackStarts[trackIndex + 1] ?? 0;
    while (low < high) {
      const mid = (low + high) >>> 1;
      if ((this.onsets[mid] as number) < tick) {
        low = mid + 1;
      } else {
        high = mid;
      }
    }
    return low;
  }

  /** Rows of `track` that may touch [from, to): a superset that ends exactly, starts a little early. */
  range(trackIndex: number, from: number, to: number): [first: number, last: number] {
    const reach = this.longest[trackIndex] ?? 0;
    return [this.lowerBound(trackIndex, from - reach), this.lowerBound(trackIndex, to)];
  }

  /** How many notes start in [from, to) on `track`. */
  countOnsets(trackIndex: number, from: number, to: number): number {
    return this.lowerBound(trackIndex, to) - this.lowerBound(trackIndex, from);
  }
}

/** Reads `count` packed records at `byteOffset` of `view` (any alignment) and groups them by track. */
export function unpackNotes(view: DataView, byteOffset: number, count: number, nTracks: number): NoteTable {
  if (byteOffset + count * NOTE_BYTES > view.byteLength) {
    throw new RangeError(`${count} notes do not fit into ${view.byteLength - byteOffset} bytes`);
  }
  const order = sortedRows(view, byteOffset, count);
  const table = new NoteTable(count, nTracks);
  for (let row = 0; row < count; row++) {
    const at = byteOffset + (order[row] as number) * NOTE_BYTES;
    table.ids[row] = view.getUint32(at + id.offset, true);
    table.onsets[row] = view.getUint32(at + onset.offset, true);
    table.durations[row] = view.getUint32(at + duration.offset, true);
    table.pitches[row] = view.getUint8(at + pitch.offset) & 127;
    table.velocities[row] = view.getUint8(at + velocity.offset);
    table.tracks[row] = view.getUint8(at + track.offset);
    table.flags[row] = view.getUint8(at + flags.offset);
    table.micros[row] = view.getInt16(at + micro.offset, true);
  }
  table.index();
  return table;
}

function sortedRows(view: DataView, byteOffset: number, count: number): Uint32Array {
  const keys = new Float64Array(count);
  let sorted = true;
  for (let row = 0; row < count; row++) {
    const at = byteOffset + row * NOTE_BYTES;
    // track, onset, pitch in one exact number: 8 + 32 + 7 bits < 53
    keys[row] =
      (view.getUint8(at + track.offset) * 2 ** 32 + view.getUint32(at + onset.offset, true)) * 128 +
      (view.getUint8(at + pitch.offset) & 127);
    sorted &&= row === 0 || (keys[row] as number) >= (keys[row - 1] as number);
  }
  const order = Uint32Array.from({ length: count }, (_, row) => row);
  return sorted ? order : order.sort((a, b) => (keys[a] as number) - (keys[b] as number) || a - b);
}

export interface ParsedDocument {
  header: DocHeader;
  notes: NoteTable;
  /** What the last generation removed. */
  before: NoteTable;
}

/** Parses the bytes of the `_doc` trait; null for an empty document. */
export function parseDocument(view: DataView | null | undefined): ParsedDocument | null {
  if (!view || view.byteLength < 4) {
    return null;
  }
  const length = view.getUint32(0, true);
  if (4 + length > view.byteLength) {
    throw new RangeError(`the document header needs ${length} bytes, the document has ${view.byteLength}`);
  }
  const text = new TextDecoder().decode(new Uint8Array(view.buffer, view.byteOffset + 4, length));
  const header = JSON.parse(text) as DocHeader;
  const start = 4 + length + ((4 - ((4 + length) % 4)) % 4);
  const nTracks = header.tracks.length;
  const notes = unpackNotes(view, start, header.n_notes, nTracks);
  const before = unpackNotes(view, start + header.n_notes * NOTE_BYTES, header.before ?? 0, nTracks);
  return { header, notes, before };
}
