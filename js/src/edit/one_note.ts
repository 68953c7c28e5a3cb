/** One note for readers that do not see the roll: found with keys, named in words. */
import { pitchName } from "../layers/keys.ts";
import type { NoteTable } from "../note_table.ts";
import type { Store } from "../store.ts";
import { drumShort, strings } from "../strings.ts";
import { type EditNote, noteOf } from "./notes.ts";

const VELOCITY = 90;
const MIDDLE = 60;
const KICK = 36;

/** "C5, bar 3, beat 2, velocity 90". */
export function describeNote({ bars, tracks, document }: Store, note: EditNote): string {
  const bar = bars.at(note.onset);
  const beat = 1 + (note.onset - bars.start(bar)) / Math.max(1, bars.beatTicks(bar));
  const drum = tracks[note.track]?.drum
    ? (document?.header.drums?.[String(note.pitch)] ?? drumShort[note.pitch])
    : undefined;
  const name = drum ?? pitchName(note.pitch);
  return strings.noteIs(name, bar + 1, String(Number(beat.toFixed(2))), note.velocity);
}

/** The selected row of a track that lies farthest in a direction; -1: none. */
function selectedRow(notes: NoteTable, selected: ReadonlySet<number>, track: number, by: number): number {
  const [first, end] = [notes.trackStarts[track] ?? 0, notes.trackStarts[track + 1] ?? 0];
  const rows = Array.from({ length: end - first }, (_, i) => first + i);
  const mine = rows.filter((row) => selected.has(notes.ids[row] as number));
  return (by > 0 ? mine[mine.length - 1] : mine[0]) ?? -1;
}

/** The next (by 1) or previous (-1) note of a track: after the selected one, else from a bar on. */
export function stepFrom(store: Store, track: number, bar: number, by: number): EditNote | null {
  const { notes, editor, bars } = store;
  const [first, end] = [notes.trackStarts[track] ?? 0, notes.trackStarts[track + 1] ?? 0];
  if (end <= first) {
    return null;
  }
  const at = selectedRow(notes, editor.selected, track, by);
  const beside = at >= 0 ? at + by : notes.lowerBound(track, bars.start(bar)) + (by > 0 ? 0 : -1);
  return noteOf(notes, Math.max(first, Math.min(end - 1, beside)));
}

/** A note to be written: behind the selected one, else at the beginning of a bar; of the pitch that is nearest. */
export function noteToAdd(store: Store, track: number, bar: number, grid: number): EditNote {
  const { notes, editor, bars, tracks } = store;
  const at = selectedRow(notes, editor.selected, track, 1);
  const like = at >= 0 ? noteOf(notes, at) : stepFrom(store, track, bar, 1);
  const start = bars.start(bar);
  const behind = at >= 0 && like ? Math.ceil((like.onset + like.duration - start) / grid) * grid : 0;
  const onset = Math.round(Math.max(0, Math.min(bars.end - 1, start + behind)));
  const pitch = like?.pitch ?? (tracks[track]?.drum ? KICK : MIDDLE);
  const duration = Math.max(1, Math.round(grid));
  return {
    id: editor.newId(),
    track,
    onset,
    duration,
    pitch,
    velocity: like?.velocity ?? VELOCITY,
    micro: 0,
  };
}
