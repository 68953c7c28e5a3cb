/** What gestures and keys do to notes: new values, inside the piece and MIDI's ranges. Pure. */
import type { EditNote } from "./notes.ts";

export interface Bounds {
  /** End of the piece in ticks. */
  end: number;
}

const clamp = (value: number, low: number, high: number): number => Math.max(low, Math.min(high, value));

/** Notes moved together: as far as all of them stay inside the piece, by whole steps at its end, and the keyboard. */
export function moved(
  notes: readonly EditNote[],
  ticks: number,
  semitones: number,
  bounds: Bounds,
  step = 1,
): EditNote[] {
  if (notes.length === 0) {
    return [];
  }
  const first = Math.min(...notes.map((note) => note.onset));
  const last = Math.max(...notes.map((note) => note.onset));
  const low = Math.min(...notes.map((note) => note.pitch));
  const high = Math.max(...notes.map((note) => note.pitch));
  const most = Math.floor((bounds.end - 1 - last) / step) * step;
  const dt = Math.round(clamp(ticks, -first, most));
  const dp = Math.round(clamp(semitones, -low, 127 - high));
  return notes.map((note) => ({ ...note, onset: note.onset + dt, pitch: note.pitch + dp }));
}

/** Ends moved by `ticks`; no note becomes shorter than `least`. */
export function lengthened(notes: readonly EditNote[], ticks: number, least: number): EditNote[] {
  return notes.map((note) => ({
    ...note,
    duration: Math.max(Math.min(note.duration, least), Math.round(note.duration + ticks)),
  }));
}

/** Beginnings moved by `ticks`, ends stay. */
export function begunEarlier(notes: readonly EditNote[], ticks: number, least: number): EditNote[] {
  return notes.map((note) => {
    const end = note.onset + note.duration;
    const onset = Math.round(clamp(note.onset + ticks, 0, Math.max(note.onset, end - least)));
    return { ...note, onset, duration: end - onset };
  });
}

export function louder(notes: readonly EditNote[], by: number): EditNote[] {
  return notes.map((note) => ({ ...note, velocity: Math.round(clamp(note.velocity + by, 1, 127)) }));
}

/**
 * Onsets drawn to the nearest grid line of their bar, or to the next bar's first line; in the last bar to the last line
 * inside, as `Score.quantise` does. Micro-timing, a fraction of a tick, goes.
 */
export function quantised(
  notes: readonly EditNote[],
  grid: number,
  barOf: (tick: number) => readonly [start: number, end: number],
  bounds: Bounds,
): EditNote[] {
  return notes.map((note) => {
    const [start, end] = barOf(note.onset);
    const line = start + Math.round((note.onset - start) / grid) * grid;
    const last = start + Math.floor((end - 1 - start) / grid) * grid;
    return { ...note, onset: Math.round(line < end ? line : end < bounds.end ? end : last), micro: 0 };
  });
}

/** Copies that begin `ticks` later; those past the end of the piece are left out. */
export function copied(
  notes: readonly EditNote[],
  ticks: number,
  newId: () => number,
  bounds: Bounds,
): EditNote[] {
  return notes
    .map((note) => ({ ...note, id: newId(), onset: note.onset + ticks }))
    .filter((note) => note.onset >= 0 && note.onset < bounds.end);
}

/** How far a copy made by "duplicate" is shifted: the span of the notes, up to the next grid line. */
export function spanTicks(notes: readonly EditNote[], grid: number): number {
  const first = Math.min(...notes.map((note) => note.onset));
  const last = Math.max(...notes.map((note) => note.onset + note.duration));
  return Math.max(grid, Math.ceil((last - first - 1) / grid) * grid);
}
