/** Notes as plain objects for editing, and tables with some of them changed. Pure: no DOM. */
import { NoteTable } from "../note_table.ts";
import { NOTE_BYTES, NOTE_LAYOUT } from "../protocol.gen.ts";

export interface EditNote {
  id: number;
  track: number;
  onset: number;
  duration: number;
  pitch: number;
  velocity: number;
  micro: number;
}

export const noteOf = (table: NoteTable, row: number): EditNote => ({
  id: table.ids[row] as number,
  track: table.tracks[row] as number,
  onset: table.onsets[row] as number,
  duration: table.durations[row] as number,
  pitch: table.pitches[row] as number,
  velocity: table.velocities[row] as number,
  micro: table.micros[row] as number,
});

/** The notes of a table that have one of the ids, in its order. */
export function notesWith(table: NoteTable, ids: ReadonlySet<number>): EditNote[] {
  const found: EditNote[] = [];
  for (let row = 0; row < table.count && found.length < ids.size; row++) {
    if (ids.has(table.ids[row] as number)) {
      found.push(noteOf(table, row));
    }
  }
  return found;
}

const byPlace = (a: EditNote, b: EditNote): number =>
  a.track - b.track || a.onset - b.onset || a.pitch - b.pitch;

/** The table without the notes of `remove` and with `put` (new ones, or other values for known ids). */
export function withChanges(
  table: NoteTable,
  nTracks: number,
  remove: ReadonlySet<number>,
  put: readonly EditNote[],
): NoteTable {
  const gone = new Set([...remove, ...put.map((note) => note.id)]);
  const kept: number[] = [];
  for (let row = 0; row < table.count; row++) {
    if (!gone.has(table.ids[row] as number)) {
      kept.push(row);
    }
  }
  const fresh = [...put].sort(byPlace);
  const result = new NoteTable(kept.length + fresh.length, nTracks);
  let next = 0;
  let at = 0;
  for (const row of kept) {
    while (next < fresh.length && standsBefore(fresh[next] as EditNote, table, row)) {
      write(result, at++, fresh[next++] as EditNote, 0);
    }
    write(result, at++, noteOf(table, row), table.flags[row] as number);
  }
  while (next < fresh.length) {
    write(result, at++, fresh[next++] as EditNote, 0);
  }
  result.index();
  return result;
}

function standsBefore(note: EditNote, table: NoteTable, row: number): boolean {
  const track = table.tracks[row] as number;
  const onset = table.onsets[row] as number;
  return note.track !== track
    ? note.track < track
    : note.onset !== onset
      ? note.onset < onset
      : note.pitch < (table.pitches[row] as number);
}

function write(table: NoteTable, row: number, note: EditNote, flags: number): void {
  table.ids[row] = note.id;
  table.tracks[row] = note.track;
  table.onsets[row] = note.onset;
  table.durations[row] = note.duration;
  table.pitches[row] = note.pitch;
  table.velocities[row] = note.velocity;
  table.micros[row] = note.micro;
  table.flags[row] = flags;
}

/** Note records as they travel. */
export function packNotes(notes: readonly EditNote[]): ArrayBuffer {
  const view = new DataView(new ArrayBuffer(notes.length * NOTE_BYTES));
  const { id, onset, duration, pitch, velocity, track, micro } = NOTE_LAYOUT;
  notes.forEach((note, i) => {
    const at = i * NOTE_BYTES;
    view.setUint32(at + id.offset, note.id, true);
    view.setUint32(at + onset.offset, note.onset, true);
    view.setUint32(at + duration.offset, note.duration, true);
    view.setUint8(at + pitch.offset, note.pitch);
    view.setUint8(at + velocity.offset, note.velocity);
    view.setUint8(at + track.offset, note.track);
    view.setInt16(at + micro.offset, note.micro, true);
  });
  return view.buffer;
}
