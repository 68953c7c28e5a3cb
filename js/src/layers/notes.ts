/** The notes of the document. Two levels of detail: rounded and outlined when few, plain runs when many. */

import { CELL_TARGET } from "../cell_states.ts";
import { type Lane, rowTop, tickToX } from "../coords.ts";
import type { NoteTable } from "../note_table.ts";
import { FLAG_GENERATED } from "../protocol.gen.ts";
import { colourOf, hairline, type Layer, type Scene, snap, visibleLanes, windowOf } from "./scene.ts";

/** Up to this many visible notes get rounded corners and outlines. */
export const DETAIL_LIMIT = 800;
const RUN_PX = 3;
const LEVELS = 4;

export const drawNotes: Layer = (ctx, scene) => {
  const lanes = visibleLanes(scene);
  for (const lane of lanes) {
    ctx.save();
    ctx.beginPath();
    ctx.rect(0, lane.y - scene.view.top, scene.view.width, lane.height);
    ctx.clip();
    (scene.detailed ? drawDetailed : drawPlain)(ctx, scene, lane);
    drawSeams(ctx, scene, lane);
    ctx.restore();
  }
};

export function countVisible(scene: Scene, lanes: readonly Lane[]): number {
  const [from, to] = windowOf(scene);
  return lanes.reduce((n, lane) => {
    const [first, last] = scene.notes.range(lane.track, from, to);
    return n + last - first;
  }, 0);
}

/** Vertical place of notes inside a row of the lane: [offset from the row's top, height]. */
export function noteBand(lane: Lane): [offset: number, height: number] {
  const gap = lane.rowHeight >= 6 ? 1.5 : lane.rowHeight >= 4 ? 0.75 : 0;
  const height = Math.max(2.5, Math.min(lane.rowHeight - gap, lane.drum ? 15 : 16));
  return [(lane.rowHeight - height) / 2, height];
}

/** Drawn width: drums are hits, not tones. */
export const noteWidth = (lane: Lane, widthPx: number, height: number): number =>
  lane.drum ? Math.max(3, Math.min(widthPx - 1, Math.max(5, height))) : Math.max(1.5, widthPx - 1);

/** Whether a note is drawn at all, and how. */
type Style = "hidden" | "normal" | "dim" | "fresh";

function styleOf(scene: Scene, table: NoteTable, i: number, track: number, audible: boolean): Style {
  if (scene.preview?.hide.has(table.ids[i] as number)) {
    return "dim";
  }
  const fresh = ((table.flags[i] as number) & FLAG_GENERATED) !== 0;
  if (fresh && scene.compare === "before") {
    return "hidden";
  }
  if (
    scene.running &&
    (scene.cellState(track, scene.bars.at(table.onsets[i] as number)) & CELL_TARGET) !== 0
  ) {
    return "dim";
  }
  if (!audible) {
    return "dim";
  }
  return fresh && scene.compare === "after" ? "fresh" : "normal";
}

export const levelOf = (velocity: number): number => Math.min(LEVELS - 1, velocity >> 5);

function drawDetailed(ctx: CanvasRenderingContext2D, scene: Scene, lane: Lane): void {
  const { view, notes, palette } = scene;
  const [from, to] = windowOf(scene);
  const [first, last] = notes.range(lane.track, from, to);
  const [offset, height] = noteBand(lane);
  const colours = colourOf(palette, lane.track);
  const audible = scene.audible(lane.track);
  for (let i = first; i < last; i++) {
    const row = lane.rowOf[notes.pitches[i] as number] as number;
    const style = styleOf(scene, notes, i, lane.track, audible);
    if (row < 0 || style === "hidden") {
      continue;
    }
    const x = tickToX(view, notes.onsets[i] as number);
    const w = noteWidth(lane, (notes.durations[i] as number) * view.scale, height);
    const y = rowTop(lane, row) + offset - view.top;
    ctx.fillStyle =
      style === "dim" ? colours.dim : (colours.levels[levelOf(notes.velocities[i] as number)] as string);
    ctx.beginPath();
    ctx.roundRect(x, y, w, height, Math.min(2.5, height / 2, w / 2));
    ctx.fill();
    if (style === "fresh") {
      outlineFresh(ctx, scene, x, y, w, height);
    }
  }
}

/** A line where a note begins before the last one of its pitch has ended: else both would look like one. */
function drawSeams(ctx: CanvasRenderingContext2D, scene: Scene, lane: Lane): void {
  const { view, notes, palette, dpr } = scene;
  if (lane.drum) {
    return; // hits have no length
  }
  const [first, last] = notes.range(lane.track, ...windowOf(scene));
  const [offset, height] = noteBand(lane);
  const ends = new Float64Array(lane.pitches.length);
  ctx.fillStyle = palette.lane;
  for (let i = first; i < last; i++) {
    const row = lane.rowOf[notes.pitches[i] as number] as number;
    const onset = notes.onsets[i] as number;
    const end = onset + (notes.durations[i] as number);
    const before = ends[row] as number;
    if (scene.compare === "before" && ((notes.flags[i] as number) & FLAG_GENERATED) !== 0) {
      continue; // not shown
    }
    if (onset < before && (end - onset) * view.scale >= RUN_PX) {
      const y = rowTop(lane, row) + offset - view.top;
      ctx.fillRect(snap(tickToX(view, onset), dpr), y, hairline(dpr), height);
    }
    ends[row] = Math.max(before, end);
  }
}

const SMALL_PX = 7;

/** New notes carry an outline as well as their colour; around small notes it lies outside, so that colour is left. */
export function outlineFresh(
  ctx: CanvasRenderingContext2D,
  scene: Scene,
  x: number,
  y: number,
  w: number,
  h: number,
): void {
  const small = h < SMALL_PX;
  const inset = small ? -0.75 : 0.5;
  ctx.strokeStyle = scene.palette.edge;
  ctx.lineWidth = small ? 1 : 1.25;
  ctx.beginPath();
  ctx.roundRect(
    x + inset,
    y + inset,
    Math.max(1, w - 2 * inset),
    Math.max(1, h - 2 * inset),
    Math.min(3, h / 2),
  );
  ctx.stroke();
}

const DIM = LEVELS;
const HIDDEN = 255;
const FRESH_BIT = 16;

/**
 * Many notes: plain rectangles on whole device pixels, one pass per fill colour. Notes narrower than 3 px that touch
 * each other in a row become one run.
 */
function drawPlain(ctx: CanvasRenderingContext2D, scene: Scene, lane: Lane): void {
  const [first, last] = scene.notes.range(lane.track, ...windowOf(scene));
  const kinds = classify(scene, lane, first, last);
  const colours = colourOf(scene.palette, lane.track);
  const rows = rowEdges(scene, lane);
  for (let level = 0; level < LEVELS; level++) {
    ctx.fillStyle = colours.levels[level] as string;
    drawKind(ctx, scene, lane, first, kinds, level, rows);
  }
  ctx.fillStyle = colours.dim;
  drawKind(ctx, scene, lane, first, kinds, DIM, rows);
  ctx.fillStyle = scene.palette.edge;
  drawFreshEdges(ctx, scene, lane, first, kinds, rows);
}

/** Colour of each note of the window: its velocity level, DIM or HIDDEN; FRESH_BIT added for new notes. */
function classify(scene: Scene, lane: Lane, first: number, last: number): Uint8Array {
  const { notes } = scene;
  const audible = scene.audible(lane.track);
  const simple = audible && !scene.running;
  const kinds = new Uint8Array(last - first);
  for (let i = first; i < last; i++) {
    let kind = levelOf(notes.velocities[i] as number);
    if (!simple || notes.flags[i] !== 0) {
      const style = styleOf(scene, notes, i, lane.track, audible);
      kind =
        style === "hidden" ? HIDDEN : style === "dim" ? DIM : style === "fresh" ? kind + FRESH_BIT : kind;
    }
    kinds[i - first] = (lane.rowOf[notes.pitches[i] as number] as number) < 0 ? HIDDEN : kind;
  }
  return kinds;
}

/** Top and height of the notes of each row, on whole device pixels. */
interface RowEdges {
  tops: Float32Array;
  heights: Float32Array;
}

function rowEdges(scene: Scene, lane: Lane): RowEdges {
  const [offset, height] = noteBand(lane);
  const tops = new Float32Array(lane.pitches.length);
  const heights = new Float32Array(lane.pitches.length);
  lane.pitches.forEach((_, row) => {
    const y = rowTop(lane, row) + offset - scene.view.top;
    tops[row] = snap(y, scene.dpr);
    heights[row] = Math.max(1, snap(y + height, scene.dpr) - (tops[row] as number));
  });
  return { tops, heights };
}

function drawKind(
  ctx: CanvasRenderingContext2D,
  scene: Scene,
  lane: Lane,
  first: number,
  kinds: Uint8Array,
  wanted: number,
  { tops, heights }: RowEdges,
): void {
  const { view, notes, dpr } = scene;
  const [, height] = noteBand(lane);
  const runStart = new Float32Array(tops.length);
  const runEnd = new Float32Array(tops.length).fill(Number.NEGATIVE_INFINITY);
  const fill = (row: number, from: number, to: number): void => {
    const x = snap(from, dpr);
    ctx.fillRect(x, tops[row] as number, Math.max(1, snap(to, dpr) - x), heights[row] as number);
  };
  for (let k = 0; k < kinds.length; k++) {
    if (((kinds[k] as number) & ~FRESH_BIT) !== wanted) {
      continue;
    }
    const i = first + k;
    const row = lane.rowOf[notes.pitches[i] as number] as number;
    const x = ((notes.onsets[i] as number) - view.left) * view.scale;
    const width = (notes.durations[i] as number) * view.scale;
    if (width >= RUN_PX) {
      fill(row, x, x + noteWidth(lane, width, height));
    } else if (x <= (runEnd[row] as number) + 1) {
      runEnd[row] = Math.max(runEnd[row] as number, x + width);
    } else {
      if (runEnd[row] !== Number.NEGATIVE_INFINITY) {
        fill(row, runStart[row] as number, runEnd[row] as number);
      }
      runStart[row] = x;
      runEnd[row] = x + width;
    }
  }
  runEnd.forEach((end, row) => {
    if (end !== Number.NEGATIVE_INFINITY) {
      fill(row, runStart[row] as number, end);
    }
  });
}

/** New notes: a line along their upper edge, visible without colour. */
function drawFreshEdges(
  ctx: CanvasRenderingContext2D,
  scene: Scene,
  lane: Lane,
  first: number,
  kinds: Uint8Array,
  { tops }: RowEdges,
): void {
  const { view, notes } = scene;
  for (let k = 0; k < kinds.length; k++) {
    if (kinds[k] !== HIDDEN && ((kinds[k] as number) & FRESH_BIT) !== 0) {
      const i = first + k;
      const row = lane.rowOf[notes.pitches[i] as number] as number;
      const width = Math.max(1.5, (notes.durations[i] as number) * view.scale - 1);
      ctx.fillRect(tickToX(view, notes.onsets[i] as number), tops[row] as number, width, 1.25);
    }
  }
}
