/** What is heard: the notes as the roll shows them, with mute, solo, before/after and bars just written. Pure. */
import type { BarMap, TempoMap } from "./coords.ts";
import type { Job } from "./job.ts";
import type { NoteTable } from "./note_table.ts";
import type { Control, NoteSource, PlayableNote } from "./playback/scheduler.ts";
import { FLAG_GENERATED } from "./protocol.gen.ts";

export interface Heard {
  readonly bars: BarMap;
  readonly tempo: TempoMap;
  /** Ticks per quarter note. */
  readonly resolution: number;
  readonly notes: NoteTable;
  readonly removed: NoteTable;
  /** Volume, pan, pedals and bends of the file. */
  readonly controls: readonly Control[];
  /** True: the bars as they were before the last generation. */
  readonly playBefore: boolean;
  readonly job: Job | null;
  audible(track: number): boolean;
}

/** With its micro-timing, in 1/resolution of a tick. */
type Visit = (note: PlayableNote & { micro: number }) => void;

/** `notes`: other ones than those that are shown. */
export function playable(heard: Heard, notes: NoteTable = heard.notes): NoteSource {
  return {
    tempo: heard.tempo,
    endTick: heard.bars.end,
    controls: heard.controls,
    notesBetween: (from, to, visit) => {
      const finely: Visit = (note) => visit({ ...note, onset: note.onset + note.micro / heard.resolution });
      for (let track = 0; track < notes.nTracks; track++) {
        if (heard.audible(track)) {
          visitDocument({ ...marks(heard), notes }, track, from, to, finely);
        }
      }
      visitArrived(heard, from, to, finely);
    },
  };
}

const marks = ({ removed, job, bars, playBefore }: Heard): Omit<Shown, "notes"> => ({
  removed,
  job,
  bars,
  playBefore,
});

type Shown = Pick<Heard, "notes" | "removed" | "job" | "bars" | "playBefore">;

function visitDocument(heard: Shown, track: number, from: number, to: number, visit: Visit): void {
  const { notes, removed, job, bars, playBefore } = heard;
  const hidden = playBefore ? FLAG_GENERATED : 0;
  for (let i = notes.lowerBound(track, from); i < notes.lowerBound(track, to); i++) {
    const replaced = job?.isFinished(track, bars.at(notes.onsets[i] as number)) ?? false;
    if (!replaced && ((notes.flags[i] as number) & hidden) === 0) {
      visit(noteAt(notes, track, i));
    }
  }
  if (playBefore) {
    visitTable(removed, track, from, to, visit);
  }
}

/** Bars of a running job sound as soon as they are complete. */
function visitArrived(heard: Heard, from: number, to: number, visit: Visit): void {
  for (const { track, bar, notes } of heard.job?.batches ?? []) {
    if (heard.audible(track) && heard.job?.isFinished(track, bar)) {
      visitTable(notes, track, from, to, visit);
    }
  }
}

function visitTable(table: NoteTable, track: number, from: number, to: number, visit: Visit): void {
  for (let i = table.lowerBound(track, from); i < table.lowerBound(track, to); i++) {
    visit(noteAt(table, track, i));
  }
}

const noteAt = (table: NoteTable, track: number, i: number): PlayableNote & { micro: number } => ({
  track,
  onset: table.onsets[i] as number,
  micro: table.micros[i] as number,
  duration: table.durations[i] as number,
  pitch: table.pitches[i] as number,
  velocity: table.velocities[i] as number,
});
