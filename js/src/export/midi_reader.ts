/** Reads a standard MIDI file as far as an exported page needs it: every event in its place. Pure: no DOM. */
import { type Kept, type KeptEvent, META, type Seat } from "./kept.ts";

/** A note of the file. */
export interface FileNote {
  chunk: number;
  channel: number;
  pitch: number;
  velocity: number;
  on: number;
  off: number;
  /** Status (without channel) and velocity of its end. */
  end: readonly [status: number, velocity: number];
}

export interface ReadFile {
  kept: Kept;
  notes: FileNote[];
}

const LENGTHS: Readonly<Record<number, number>> = { 8: 2, 9: 2, 10: 2, 11: 2, 12: 1, 13: 1, 14: 2 };

/** `seats`: chunk and channel of each track of the document; `bars`: lengths in file ticks. Notes are taken out of the events. */
export function readMidi(bytes: Uint8Array, seats: readonly Seat[], bars: readonly number[]): ReadFile {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const format = view.getUint16(8);
  const ticksPerQuarter = view.getUint16(12);
  let at = 8 + view.getUint32(4);
  const all: KeptEvent[] = [];
  const chunks: number[] = [];
  while (at + 8 <= bytes.length) {
    const size = view.getUint32(at + 4);
    const isTrack = String.fromCharCode(...bytes.subarray(at, at + 4)) === "MTrk";
    if (isTrack) {
      all.push(...chunkEvents(bytes.subarray(at + 8, at + 8 + size), chunks.length));
      chunks.push(chunks.length);
    }
    at += 8 + size;
  }
  const { notes, rest } = withoutNotes(all, seats);
  rest.sort((a, b) => a.tick - b.tick);
  return { kept: { format, ticksPerQuarter, chunks, events: rest, seats, bars }, notes };
}

function chunkEvents(bytes: Uint8Array, chunk: number): KeptEvent[] {
  const events: KeptEvent[] = [];
  let [at, tick, running] = [0, 0, 0];
  const number = (): number => {
    let value = 0;
    for (let more = true; more; at++) {
      const byte = bytes[at] ?? 0;
      value = (value << 7) | (byte & 127);
      more = byte >= 128;
    }
    return value;
  };
  while (at < bytes.length) {
    tick += number();
    const first = bytes[at] ?? 0;
    const status = first >= 128 ? first : running;
    at += first >= 128 ? 1 : 0;
    const from = at;
    if (status >= 0xf0) {
      at += status === META ? 1 : 0;
      const length = number();
      at += length;
    } else {
      at += LENGTHS[status >> 4] ?? 2;
      running = status;
    }
    events.push({ chunk, tick, status, data: [...bytes.subarray(from, at)] });
    if (status === META && bytes[from] === 0x2f) {
      break;
    }
  }
  return events;
}

/** Pairs note-ons with note-offs, the oldest first; those of channels without a track stay events. */
function withoutNotes(
  all: readonly KeptEvent[],
  seats: readonly Seat[],
): { notes: FileNote[]; rest: KeptEvent[] } {
  const seated = new Set(seats.map(({ chunk, channel }) => `${chunk}/${channel}`));
  const open = new Map<string, KeptEvent[]>();
  const taken = new Set<KeptEvent>();
  const notes: FileNote[] = [];
  for (const event of all) {
    const { chunk, tick, status, data } = event;
    const kind = status & 0xf0;
    const channel = status & 15;
    const [pitch = 0, velocity = 0] = data;
    const key = `${chunk}/${channel}/${pitch}`;
    if (kind === 0x90 && velocity > 0) {
      open.set(key, [...(open.get(key) ?? []), event]);
    } else if (kind === 0x80 || kind === 0x90) {
      const on = open.get(key)?.shift();
      if (on && seated.has(`${chunk}/${channel}`)) {
        taken.add(on).add(event);
        const struck = on.data[1] as number;
        notes.push({
          chunk,
          channel,
          pitch,
          velocity: struck,
          on: on.tick,
          off: tick,
          end: [kind, velocity],
        });
      }
    }
  }
  return { notes, rest: all.filter((event) => !taken.has(event)) };
}
