/** What the layers draw: plain data, gathered once per frame. */
import type { BarMap, Lane, Viewport } from "../coords.ts";
import type { Batch } from "../job.ts";
import type { NoteTable } from "../note_table.ts";
import type { Cell } from "../protocol.gen.ts";
import type { Compare } from "../store.ts";
import type { Palette, TrackColours } from "../theme.ts";

export interface Scene {
  view: Viewport;
  /** Device pixels per CSS pixel. */
  dpr: number;
  bars: BarMap;
  lanes: readonly Lane[];
  palette: Palette;
  notes: NoteTable;
  removed: NoteTable;
  compare: Compare;
  /** CELL_* bits of a cell. */
  cellState(track: number, bar: number): number;
  audible(track: number): boolean;
  /** True while a job runs (target cells show their old notes dimmed). */
  running: boolean;
  batches: readonly Batch[];
  loop: { start: number; end: number } | null;
  playhead: number;
  playing: boolean;
  hover: Cell | null;
  cursor: Cell | null;
  /** Page time, ms. */
  now: number;
  calm: boolean;
}

export type Layer = (ctx: CanvasRenderingContext2D, scene: Scene) => void;

export const FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif";

/** Rounds to whole device pixels, so that edges are sharp. */
export const snap = (value: number, dpr: number): number => Math.round(value * dpr) / dpr;

/** Width of the thinnest line that is drawn solid. */
export const hairline = (dpr: number): number => Math.max(1, Math.round(dpr)) / dpr;

export const colourOf = (palette: Palette, track: number): TrackColours =>
  palette.tracks[track % palette.tracks.length] as TrackColours;

/** Lanes that touch the window. */
export function visibleLanes(scene: Scene): Lane[] {
  const { top, height } = scene.view;
  return scene.lanes.filter((lane) => lane.y + lane.height > top && lane.y < top + height);
}

/** First and last (included) bar that touch the window. */
export function visibleBars(scene: Scene): [first: number, last: number] {
  const { view, bars } = scene;
  return [bars.at(view.left), bars.at(view.left + view.width / view.scale)];
}
