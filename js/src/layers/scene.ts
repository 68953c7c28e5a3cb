/** What the layers draw: plain data, gathered once per frame. */

import { CELL_SELECTED } from "../cell_states.ts";
import type { BarMap, Lane, Viewport } from "../coords.ts";
import type { Batch } from "../job.ts";
import type { NoteTable } from "../note_table.ts";
import type { Cell, SeenStep } from "../protocol.gen.ts";
import type { Compare, Store } from "../store.ts";
import type { Palette, TrackColours } from "../theme.ts";
import type { Marquee, NotePreview, UiState } from "../ui_state.ts";

export interface Scene {
  view: Viewport;
  /** The part of the window that is painted, in its pixels: all of it, or a strip that has just come into sight. */
  part: readonly [from: number, to: number];
  /** How many notes are in sight, about. */
  inSight: number;
  /** Few enough notes in sight for rounded corners and outlines. */
  detailed: boolean;
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
  selectedNotes: ReadonlySet<number>;
  preview: NotePreview | null;
  marquee: Marquee | null;
  /** Loudness is shown as stems. */
  stems: boolean;
  /** Bars held to a take: its number, from 1. */
  held: readonly [track: number, bar: number, take: number][];
  /** Step of the plan whose view is shown. */
  seen: SeenStep | null;
  /** Page time, ms. */
  now: number;
  calm: boolean;
}

/** The scene of one view. */
export function gatherScene(
  store: Store,
  ui: UiState,
  look: { palette: Palette; dpr: number; calm: boolean; now: number },
): Scene {
  const { preview } = ui;
  return {
    ...look,
    view: ui.viewport,
    part: [0, ui.viewport.width],
    inSight: 0,
    detailed: true,
    bars: store.bars,
    lanes: ui.lanes,
    notes: store.notes,
    removed: store.removed,
    compare: store.compare,
    cellState: preview
      ? (track, bar) =>
          (store.cellState(track, bar) & ~CELL_SELECTED) | (preview.has(track, bar) ? CELL_SELECTED : 0)
      : (track, bar) => store.cellState(track, bar),
    audible: (track) => store.audible(track),
    running: store.running && !store.job?.quiet,
    batches: store.job?.batches ?? [],
    loop: store.player.loop,
    playhead: store.player.position,
    playing: store.player.playing,
    hover: ui.hover,
    cursor: ui.focused && ui.keyboard ? ui.cursor : null,
    selectedNotes: store.editor.selected,
    preview: ui.notePreview,
    marquee: ui.marquee,
    stems: ui.tool === "velocity",
    held: store.takes.held,
    seen: store.outlook.step,
  };
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

/** First and last (included) bar that touch the painted part. */
export function visibleBars(scene: Scene): [first: number, last: number] {
  const { bars } = scene;
  const [from, to] = windowOf(scene);
  return [bars.at(from), bars.at(to)];
}

/** Outlines and short drum hits are drawn beyond their notes' ticks, in pixels. */
const BEFORE_PX = 20;
const AFTER_PX = 6;

/** Ticks of what may be seen in the painted part. */
export function windowOf({ view, part }: Scene): [from: number, to: number] {
  return [view.left + (part[0] - BEFORE_PX) / view.scale, view.left + (part[1] + AFTER_PX) / view.scale];
}

/** Where a pattern of lines `step` apart begins, so that it moves with the music. */
export const patternStart = ({ view, dpr }: Scene, step: number): number =>
  -((Math.round(view.left * view.scale * dpr) / dpr) % step);
