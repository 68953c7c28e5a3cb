/** Which pitches need a row. Pure. */
import type { NoteTable } from "./note_table.ts";

/** Pitches that appear on each track in any of the tables. */
export function usedPitches(nTracks: number, tables: readonly NoteTable[]): number[][] {
  const used = Array.from({ length: nTracks }, () => new Set<number>());
  for (const table of tables) {
    for (let i = 0; i < table.count; i++) {
      used[table.tracks[i] as number]?.add(table.pitches[i] as number);
    }
  }
  return used.map((pitches) => [...pitches]);
}
