/** Point -> what lies under it. Pure: no DOM. */
import { type BarMap, type Lane, laneAt, rowAt, type Viewport, xToTick } from "./coords.ts";
import { noteBand, noteWidth } from "./layers/notes.ts";
import type { NoteTable } from "./note_table.ts";

export type Hit =
  | { area: "none" }
  /** Upper ruler strip: bar numbers. */
  | { area: "bars"; bar: number; tick: number }
  /** Lower ruler strip: time. */
  | { area: "time"; bar: number; tick: number }
  | { area: "cell"; track: number; bar: number; tick: number; note: number };

export interface HitScene {
  view: Viewport;
  bars: BarMap;
  lanes: readonly Lane[];
  notes: NoteTable;
}

export const RULER_BARS = 20;
export const RULER_TIME = 14;
export const RULER = RULER_BARS + RULER_TIME;

/** x, y relative to the canvas (ruler included). */
export function hitTest(scene: HitScene, x: number, y: number): Hit {
  const tick = xToTick(scene.view, x);
  if (scene.bars.n === 0 || tick < 0 || tick >= scene.bars.end || y < 0) {
    return { area: "none" };
  }
  const bar = scene.bars.at(tick);
  if (y < RULER) {
    return { area: y < RULER_BARS ? "bars" : "time", bar, tick };
  }
  const contentY = y - RULER + scene.view.top;
  const lane = laneAt(scene.lanes, contentY);
  if (!lane) {
    return { area: "none" };
  }
  return { area: "cell", track: lane.track, bar, tick, note: noteAt(scene, lane, tick, contentY) };
}

/** Row of the note under the point (the last drawn wins), -1 when there is none. Drum hits are as long as they look. */
export function noteAt(scene: HitScene, lane: Lane, tick: number, contentY: number): number {
  const row = rowAt(lane, contentY);
  if (row < 0) {
    return -1;
  }
  const pitch = lane.pitches[row];
  const { notes } = scene;
  const { scale } = scene.view;
  const slack = 2 / scale; // short notes stay reachable
  const [, height] = noteBand(lane);
  const [first, last] = notes.range(lane.track, tick - slack, tick + slack);
  for (let i = last - 1; i >= first; i--) {
    const from = notes.onsets[i] as number;
    const to =
      from + Math.max(noteWidth(lane, (notes.durations[i] as number) * scale, height) / scale, slack);
    if (notes.pitches[i] === pitch && tick >= from - slack && tick <= to + slack) {
      return i;
    }
  }
  return -1;
}
