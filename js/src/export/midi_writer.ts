/** A standard MIDI file (format 1) of an edited page. Pure: no DOM. */
import { barStarts, type LocalDocument } from "./local_document.ts";

const DRUM_CHANNEL = 9;
const NOTE_OFF = 0x80;
const NOTE_ON = 0x90;
const PROGRAM = 0xc0;

/** [tick, order among events of one tick, bytes]. */
type Event = readonly [number, number, readonly number[]];

export function midiBytes(document: LocalDocument, title = ""): Uint8Array<ArrayBuffer> {
  const chunks = [conductor(document, title)];
  let melodic = 0;
  document.tracks.forEach((info, track) => {
    // Fifteen melodic channels: from the sixteenth track on they are shared.
    const channel = info.drum
      ? DRUM_CHANNEL
      : [0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 11, 12, 13, 14, 15][melodic++ % 15];
    chunks.push(trackChunk(document, track, channel ?? 0));
  });
  const head = [...ascii("MThd"), ...u32(6), ...u16(1), ...u16(chunks.length), ...u16(document.resolution)];
  const parts = [Uint8Array.from(head), ...chunks];
  const file = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    file.set(part, at);
    at += part.length;
  }
  return file;
}

function conductor(document: LocalDocument, title: string): Uint8Array {
  const events: Event[] = [[0, 0, meta(3, text(title))]];
  const starts = barStarts(document);
  document.metres.forEach(([numerator, denominator], bar) => {
    const before = document.metres[bar - 1];
    if (!before || before[0] !== numerator || before[1] !== denominator) {
      events.push([starts[bar] as number, 1, meta(0x58, [numerator, Math.log2(denominator) | 0, 24, 8])]);
    }
  });
  for (const [tick, micros] of document.tempo) {
    events.push([tick, 2, meta(0x51, [(micros >> 16) & 255, (micros >> 8) & 255, micros & 255])]);
  }
  return chunk(events, starts[document.metres.length] as number);
}

function trackChunk(document: LocalDocument, track: number, channel: number): Uint8Array {
  const info = document.tracks[track];
  const events: Event[] = [
    [0, 0, meta(3, text(info?.name ?? ""))],
    [0, 1, [PROGRAM | channel, info?.program ?? 0]],
  ];
  for (const note of document.notes) {
    if (note.track === track) {
      const onset = Math.max(0, note.onset + note.micro);
      events.push([onset, 4, [NOTE_ON | channel, note.pitch, Math.max(1, note.velocity)]]);
      events.push([onset + Math.max(1, note.duration), 3, [NOTE_OFF | channel, note.pitch, 64]]);
    }
  }
  return chunk(events, barStarts(document)[document.metres.length] as number);
}

function chunk(events: Event[], end: number): Uint8Array {
  const bytes: number[] = [];
  let now = 0;
  const ordered = events.map((event, i) => ({ event, i }));
  ordered.sort((a, b) => a.event[0] - b.event[0] || a.event[1] - b.event[1] || a.i - b.i);
  for (const { event } of ordered) {
    bytes.push(...variable(event[0] - now), ...event[2]);
    now = event[0];
  }
  bytes.push(...variable(Math.max(0, end - now)), ...meta(0x2f, []));
  const whole = new Uint8Array(8 + bytes.length);
  whole.set([...ascii("MTrk"), ...u32(bytes.length)]);
  whole.set(bytes, 8);
  return whole;
}

const ascii = (word: string): number[] => [...word].map((letter) => letter.charCodeAt(0));
const text = (words: string): number[] => [...new TextEncoder().encode(words)];
const u16 = (n: number): number[] => [(n >> 8) & 255, n & 255];
const u32 = (n: number): number[] => [...u16(n >>> 16), ...u16(n & 0xffff)];
const meta = (kind: number, data: readonly number[]): number[] => [
  0xff,
  kind,
  ...variable(data.length),
  ...data,
];

/** A variable-length quantity. */
function variable(n: number): number[] {
  const bytes = [n & 127];
  for (let rest = n >>> 7; rest > 0; rest >>>= 7) {
    bytes.unshift((rest & 127) | 128);
  }
  return bytes;
}
