/** The document with some bars from a take: what is new, what stays and what goes. Pure. */
import type { BarMap } from "../coords.ts";
import { NoteTable } from "../note_table.ts";
import { FLAG_GENERATED } from "../protocol.gen.ts";

export const cellKey = (track: number, bar: number): string => `${track},${bar}`;

export interface Mixed {
  /** As it is heard; new notes carry FLAG_GENERATED. */
  notes: NoteTable;
  /** The document's notes that are not there. */
  removed: NoteTable;
}

/** `choice`: cells and the notes that take the place of the document's there. */
export function mixed(document: NoteTable, bars: BarMap, choice: ReadonlyMap<string, NoteTable>): Mixed {
  const cellOf = (table: NoteTable, row: number): string =>
    cellKey(table.tracks[row] as number, bars.at(table.onsets[row] as number));
  const added: [table: NoteTable, row: number][] = [];
  const known = new Map<string, number>();
  for (const table of new Set(choice.values())) {
    for (let row = 0; row < table.count; row++) {
      if (choice.get(cellOf(table, row)) === table) {
        added.push([table, row]);
        const same = sameKey(table, row);
        known.set(same, (known.get(same) ?? 0) + 1);
      }
    }
  }
  const kept: [NoteTable, number][] = [];
  const gone: [NoteTable, number][] = [];
  const stays = new Map<string, number>();
  for (let row = 0; row < document.count; row++) {
    if (!choice.has(cellOf(document, row))) {
      kept.push([document, row]);
      continue;
    }
    const same = sameKey(document, row);
    const left = known.get(same) ?? 0;
    if (left > 0) {
      known.set(same, left - 1);
      stays.set(same, (stays.get(same) ?? 0) + 1);
      kept.push([document, row]);
    } else {
      gone.push([document, row]);
    }
  }
  const fresh = added.filter(([table, row]) => {
    const same = sameKey(table, row);
    const left = stays.get(same) ?? 0;
    stays.set(same, left - 1);
    return left <= 0;
  });
  return { notes: joined(kept, fresh, document.nTracks), removed: joined(gone, [], document.nTracks) };
}

/** Several small tables as one. */
export const together = (tables: readonly NoteTable[], nTracks: number): NoteTable =>
  joined(
    [],
    tables.flatMap((table) =>
      Array.from({ length: table.count }, (_, row): [NoteTable, number] => [table, row]),
    ),
    nTracks,
  );

/** Equal for notes that sound the same. */
const sameKey = (table: NoteTable, row: number): string =>
  `${table.tracks[row]},${table.onsets[row]},${table.durations[row]},${table.pitches[row]},${table.velocities[row]}`;

/** One table of rows in order and of others, which are marked as new. */
function joined(
  ordered: readonly [NoteTable, number][],
  fresh: [NoteTable, number][],
  nTracks: number,
): NoteTable {
  fresh.sort((a, b) => compare(...a, ...b));
  const result = new NoteTable(ordered.length + fresh.length, nTracks);
  let next = 0;
  let at = 0;
  const take = (): void => copy(result, at++, ...(fresh[next++] as [NoteTable, number]), FLAG_GENERATED);
  for (const row of ordered) {
    while (next < fresh.length && compare(...(fresh[next] as [NoteTable, number]), ...row) < 0) {
      take();
    }
    copy(result, at++, ...row, 0);
  }
  while (next < fresh.length) {
    take();
  }
  result.index();
  return result;
}

function compare(a: NoteTable, i: number, b: NoteTable, k: number): number {
  return (
    (a.tracks[i] as number) - (b.tracks[k] as number) ||
    (a.onsets[i] as number) - (b.onsets[k] as number) ||
    (a.pitches[i] as number) - (b.pitches[k] as number)
  );
}

function copy(to: NoteTable, at: number, from: NoteTable, row: number, flags: number): void {
  to.ids[at] = from.ids[row] as number;
  to.onsets[at] = from.onsets[row] as number;
  to.durations[at] = from.durations[row] as number;
  to.pitches[at] = from.pitches[row] as number;
  to.velocities[at] = from.velocities[row] as number;
  to.tracks[at] = from.tracks[row] as number;
  to.micros[at] = from.micros[row] as number;
  to.flags[at] = flags;
}
