/** Drag over bars x tracks: paints a rectangle; Shift extends from the anchor, Ctrl adds or removes. */
import type { Cell } from "../protocol.gen.ts";
import { Selection } from "../selection.ts";
import type { UiState } from "../ui_state.ts";
import type { Gesture, PointerAt } from "./gesture.ts";

export interface SelectTarget {
  readonly selection: Selection;
  readonly nTracks: number;
  select(selection: Selection): void;
}

/** The cell under a point; in the ruler, null. Outside the lanes the nearest cell, so that drags may leave them. */
export type CellAt = (at: PointerAt) => Cell | null;

export function selectBars(ui: UiState, target: SelectTarget, cellAt: CellAt): Gesture {
  const before = target.selection;
  let from: Cell = [0, 0];
  let combine: (painted: Selection) => Selection = (painted) => painted;
  let single = true;

  const preview = (at: PointerAt): void => {
    const to = cellAt(at);
    if (to) {
      single &&= to[0] === from[0] && to[1] === from[1];
      ui.cursor = to;
      ui.preview = combine(Selection.rectangle(from, to));
      ui.dirty("grid", "overlay");
    }
  };
  return {
    down: (at) => {
      const cell = cellAt(at);
      if (!cell) {
        return;
      }
      from = at.shift ? ui.anchor : cell;
      ui.anchor = from;
      if (at.toggle) {
        // The first cell decides whether the drag adds or removes.
        const removing = before.has(cell[0], cell[1]);
        combine = (painted) => (removing ? before.without(painted) : before.union(painted));
      }
      preview(at);
    },
    move: preview,
    up: (at) => {
      preview(at);
      const result = ui.preview ?? before;
      ui.preview = null;
      // A plain click on the only selected cell clears the selection.
      const again = single && !at.shift && !at.toggle && before.size === 1 && result.equals(before);
      target.select(again ? Selection.empty : result);
      ui.dirty("grid", "overlay");
    },
    cancel: () => {
      ui.preview = null;
      ui.dirty("grid", "overlay");
    },
  };
}

/** Drag along the bar numbers: whole bars on all tracks. */
export function selectColumns(ui: UiState, target: SelectTarget, barAt: (at: PointerAt) => number): Gesture {
  const lastTrack = target.nTracks - 1;
  const first: CellAt = (at) => [0, barAt(at)];
  const inner = selectBars(ui, target, first);
  const widen = (gesture: Gesture): Gesture => {
    const stretch = (): void => {
      if (ui.preview) {
        const bars = ui.preview.bars(0);
        const columns = bars.map((bar) => Selection.rectangle([0, bar], [lastTrack, bar]));
        ui.preview = columns.reduce((sum, column) => sum.union(column), Selection.empty);
      }
    };
    return {
      down: (at) => {
        gesture.down(at);
        stretch();
      },
      move: (at) => {
        gesture.move(at);
        stretch();
      },
      up: (at) => {
        gesture.move(at);
        stretch();
        const result = ui.preview ?? target.selection;
        ui.preview = null;
        target.select(result.equals(target.selection) && !at.shift && !at.toggle ? Selection.empty : result);
        ui.dirty("grid", "overlay");
      },
      cancel: gesture.cancel,
    };
  };
  return widen(inner);
}
