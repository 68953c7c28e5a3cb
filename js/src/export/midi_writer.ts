/** The MIDI file of an edited page: the file it came from with its notes written anew. Pure: no DOM. */
import { FileClock } from "./file_clock.ts";
import {
  END,
  isMeta,
  type Kept,
  type KeptEvent,
  META,
  METRE,
  NAME,
  type Seat,
  tempoData,
  textData,
  variable,
} from "./kept.ts";
import { barStarts, barTicks, type LocalDocument, type LocalNote } from "./local_document.ts";

const NOTE_OFF = 0x80;
const NOTE_ON = 0x90;
const PROGRAM = 0xc0;
const DRUMS = 9;

/** Order of events at one tick: what the bars say, the file's own, note-offs, note-ons, offs of notes without length. */
type Rank = 0 | 1 | 2 | 3 | 4;

interface Placed extends KeptEvent {
  rank: Rank;
}

export function midiBytes(document: LocalDocument, title = ""): Uint8Array<ArrayBuffer> {
  const kept = document.kept ?? plain(document, title);
  const clock = new FileClock(kept, barStarts(document), document.resolution);
  const notes = noteEvents(document, kept, clock);
  const events: Placed[] = [
    ...kept.events.filter((event) => !isMeta(event, METRE)).map((event): Placed => ({ ...event, rank: 1 })),
    ...notes,
    ...metreEvents(document, kept, clock, Math.max(0, ...notes.map(({ tick }) => tick))),
  ];
  const chunks = kept.chunks.map((chunk) => chunkBytes(events.filter((event) => event.chunk === chunk)));
  const format = chunks.length > 1 && kept.format === 0 ? 1 : kept.format;
  const head = [
    ...ascii("MThd"),
    ...u32(6),
    ...u16(format),
    ...u16(chunks.length),
    ...u16(kept.ticksPerQuarter),
  ];
  const parts = [Uint8Array.from(head), ...chunks];
  const file = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    file.set(part, at);
    at += part.length;
  }
  return file;
}

/** For a document that came from no file: a chunk for the tempo, one for each track. */
function plain({ tracks, tempo, resolution, metres }: LocalDocument, title: string): Kept {
  let melodic = 0;
  const seats = tracks.map(({ drum }, i): Seat => {
    // Fifteen melodic channels: from the sixteenth track on they are shared.
    const turn = drum ? DRUMS : melodic++ % 15;
    return { chunk: i + 1, channel: drum || turn < DRUMS ? turn : turn + 1 };
  });
  const about = (chunk: number, tick: number, status: number, data: number[]): KeptEvent => ({
    chunk,
    tick,
    status,
    data,
  });
  const events = [
    about(0, 0, META, textData(NAME, title)),
    ...tempo.map(([tick, micros]) => about(0, tick, META, tempoData(micros))),
    ...seats.flatMap(({ chunk, channel }, i) => [
      about(chunk, 0, META, textData(NAME, tracks[i]?.name ?? "")),
      about(chunk, 0, PROGRAM | channel, [tracks[i]?.program ?? 0]),
    ]),
  ];
  const bars = metres.map((metre) => barTicks(metre, resolution));
  const chunks = [0, ...seats.map(({ chunk }) => chunk)];
  return { format: 1, ticksPerQuarter: resolution, chunks, events, seats, bars };
}

/** File ticks at which a note begins and ends. */
export function noteTicks(note: LocalNote, clock: FileClock, resolution: number): [on: number, off: number] {
  const on = Math.max(0, clock.toFile(note.onset + note.micro / resolution));
  const { own } = note;
  const read = own && own.duration === note.duration;
  return [on, read ? on + own.ticks : Math.max(on + 1, clock.endToFile(note.onset + note.duration))];
}

function noteEvents(document: LocalDocument, kept: Kept, clock: FileClock): Placed[] {
  const end = clock.starts[clock.starts.length - 1] as number;
  return document.notes.flatMap((note): Placed[] => {
    const seat = kept.seats[note.track];
    if (!seat) {
      return [];
    }
    const { chunk, channel } = seat;
    const [on, off] = noteTicks(note, clock, document.resolution);
    const velocity = Math.max(1, note.velocity);
    const stop = Math.min(off, Math.max(end, on + 1));
    const [status, release] = note.own?.end ?? [NOTE_OFF, velocity];
    return [
      { chunk, tick: on, status: NOTE_ON | channel, data: [note.pitch, velocity], rank: 3 },
      {
        chunk,
        tick: stop,
        status: status | channel,
        data: [note.pitch, release],
        rank: stop > on ? 2 : 4,
      },
    ];
  });
}

/** Time signatures where the metre changes, as the file had them where it did; and one at an empty last bar. */
function metreEvents(document: LocalDocument, kept: Kept, clock: FileClock, lastNote: number): Placed[] {
  const { starts } = clock;
  const [chunk = 0] = kept.chunks;
  const placed: Placed[] = [];
  const signature = (bar: number): Placed => {
    const [numerator, denominator] = document.metres[bar] as readonly [number, number];
    const data = [METRE, 4, numerator, Math.log2(denominator), 24, 8];
    return { chunk, tick: starts[bar] as number, status: META, data, rank: 0 };
  };
  document.metres.forEach((metre, bar) => {
    const made = signature(bar);
    const own = kept.events.find(
      (event) =>
        isMeta(event, METRE) &&
        event.tick === made.tick &&
        event.data[2] === made.data[2] &&
        event.data[3] === made.data[3],
    );
    const before = document.metres[bar - 1] ?? ([4, 4] as const);
    const other = before[0] !== metre[0] || before[1] !== metre[1];
    // A bar that the file cuts short is told by the signature behind it.
    const short = bar > 0 && kept.bars[bar - 1] !== barTicks(before, kept.ticksPerQuarter);
    if (own || other || short) {
      placed.push(own ? { ...own, rank: 1 } : made);
    }
  });
  const last = document.metres.length - 1;
  const lastSignature = Math.max(0, ...placed.map(({ tick }) => tick));
  if (last >= 0 && Math.max(lastNote, lastSignature + 1) <= (starts[last] as number)) {
    placed.push(signature(last)); // so that readers go as far as the last bar
  }
  return placed;
}

function chunkBytes(events: readonly Placed[]): Uint8Array {
  const bytes: number[] = [];
  let now = 0;
  const ordered = events.filter((event) => !isMeta(event, END)).map((event, i) => ({ event, i }));
  ordered.sort((a, b) => a.event.tick - b.event.tick || a.event.rank - b.event.rank || a.i - b.i);
  for (const { event } of ordered) {
    bytes.push(...variable(event.tick - now), event.status, ...event.data);
    now = event.tick;
  }
  const end = Math.max(now, ...events.filter((event) => isMeta(event, END)).map(({ tick }) => tick));
  bytes.push(...variable(end - now), META, END, 0);
  const whole = new Uint8Array(8 + bytes.length);
  whole.set([...ascii("MTrk"), ...u32(bytes.length)]);
  whole.set(bytes, 8);
  return whole;
}

const ascii = (word: string): number[] => [...word].map((letter) => letter.charCodeAt(0));
const u16 = (n: number): number[] => [(n >> 8) & 255, n & 255];
const u32 = (n: number): number[] => [...u16(n >>> 16), ...u16(n & 0xffff)];
