/** Which cells are selected, being written, or finished: bits, row by track. Pure. */
import type { Job } from "./job.ts";
import type { BarRole, Cell, Plan } from "./protocol.gen.ts";
import type { Selection } from "./selection.ts";
import { barRoles, trackRole } from "./takes/roles.ts";

export const CELL_SELECTED = 1;
export const CELL_TARGET = 2;
export const CELL_FINISHED = 4;
export const CELL_GENERATE = 8;
export const CELL_HIDDEN = 16;
export const CELL_LOCKED = 32;
export const CELL_IGNORED = 64;

const ROLE_BITS: Readonly<Record<BarRole, number>> = {
  generate: CELL_GENERATE,
  hidden: CELL_HIDDEN,
  locked: CELL_LOCKED,
};

/** `written`: cells of open takes. */
export function cellStates(
  nTracks: number,
  nBars: number,
  selection: Selection,
  job: Job | null,
  written: readonly Cell[] = [],
  plan: Plan = {},
): Uint8Array {
  const states = new Uint8Array(nTracks * nBars);
  const mark = (cells: Iterable<Cell>, bit: number): void => {
    for (const [track, bar] of cells) {
      if (track < nTracks && bar < nBars) {
        states[track * nBars + bar] = (states[track * nBars + bar] as number) | bit;
      }
    }
  };
  mark(selection.cells(), CELL_SELECTED);
  mark(written, CELL_TARGET);
  for (const [track, bar, role] of barRoles(plan)) {
    mark([[track, bar]], ROLE_BITS[role] ?? 0);
  }
  for (let track = 0; track < nTracks; track++) {
    if (trackRole(plan, track) === "ignore") {
      mark(
        Array.from({ length: nBars }, (_, bar): Cell => [track, bar]),
        CELL_IGNORED,
      );
    }
  }
  if (job && !job.quiet) {
    mark(job.cells, CELL_TARGET);
    mark(
      job.cells.filter(([track, bar]) => job.isFinished(track, bar)),
      CELL_FINISHED,
    );
  }
  return states;
}
