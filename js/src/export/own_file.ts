/** A document together with the MIDI file it came from: which note is which, and all that is no note. Pure: no DOM. */
import { FileClock } from "./file_clock.ts";
import { emptySeat, withTrack } from "./kept.ts";
import { barStarts, type LocalDocument, type LocalNote } from "./local_document.ts";
import { type FileNote, readMidi } from "./midi_reader.ts";
import { noteTicks } from "./midi_writer.ts";

/** How the kernel says a document stands in its file. */
export interface FileFacts {
  /** Chunk and channel of each track; null for one that is not in it, having no notes. */
  seats?: readonly (readonly [chunk: number, channel: number] | null)[] | undefined;
  /** Length of each bar in ticks of the file. */
  bars?: readonly number[] | undefined;
}

export function withOwnFile(
  document: LocalDocument,
  midi: Uint8Array,
  { seats = [], bars = [] }: FileFacts,
): LocalDocument {
  const { tracks, metres, resolution } = document;
  if (midi.length === 0 || seats.length !== tracks.length || bars.length < metres.length) {
    return document;
  }
  const known = seats.map((seat) => ({ chunk: seat?.[0] ?? -1, channel: seat?.[1] ?? -1 }));
  const read = readMidi(midi, known, bars.slice(0, metres.length));
  let { kept } = read;
  seats.forEach((seat, track) => {
    const info = tracks[track];
    if (!seat && info) {
      const own = emptySeat(kept, info);
      const programs = tracks.map(({ program, drum }) => (drum ? -1 : program));
      kept = own ? kept : withTrack(kept, track, info, programs);
      const seats = kept.seats.filter((_, i) => own || i !== track + 1);
      kept = { ...kept, seats: own ? seats.map((known, i) => (i === track ? own : known)) : seats };
    }
  });
  const waiting = new Map<string, FileNote[]>();
  for (const note of read.notes) {
    const key = `${note.chunk}/${note.channel}/${note.pitch}/${note.on}`;
    waiting.set(key, [...(waiting.get(key) ?? []), note]);
  }
  const clock = new FileClock(kept, barStarts(document), resolution);
  const notes = document.notes.map((note): LocalNote => {
    const seat = kept.seats[note.track];
    const [on] = noteTicks(note, clock, resolution);
    const found = waiting.get(`${seat?.chunk}/${seat?.channel}/${note.pitch}/${on}`)?.shift();
    const own = found && { duration: note.duration, ticks: found.off - found.on, end: found.end };
    return own ? { ...note, own } : note;
  });
  return { ...document, notes, kept };
}
