/** Lane backgrounds and key rows; bar and beat lines. */
import { rowTop, tickToX } from "../coords.ts";
import { hairline, type Layer, type Scene, snap, visibleBars, visibleLanes } from "./scene.ts";

const BEAT_MIN_PX = 9;
const SUBBEAT_MIN_PX = 11;
const ROW_MIN_PX = 4.5;
const BLACK = new Set([1, 3, 6, 8, 10]);

export const drawLanes: Layer = (ctx, scene) => {
  const { view, bars, palette, dpr } = scene;
  ctx.fillStyle = palette.background;
  ctx.fillRect(0, 0, view.width, view.height);
  const right = Math.min(view.width, tickToX(view, bars.end));
  for (const lane of visibleLanes(scene)) {
    const y = snap(lane.y - view.top, dpr);
    ctx.fillStyle = lane.track % 2 === 0 ? palette.lane : palette.laneAlt;
    ctx.fillRect(0, y, right, lane.height);
    if (lane.rowHeight >= ROW_MIN_PX) {
      drawRows(ctx, scene, lane, right);
    }
  }
};

function drawRows(
  ctx: CanvasRenderingContext2D,
  scene: Scene,
  lane: Scene["lanes"][number],
  right: number,
): void {
  const { palette, view, dpr } = scene;
  lane.pitches.forEach((pitch, row) => {
    const y = snap(rowTop(lane, row) - view.top, dpr);
    const h = snap(rowTop(lane, row) + lane.rowHeight - view.top, dpr) - y;
    if (lane.drum ? row % 2 === 1 : BLACK.has(pitch % 12)) {
      ctx.fillStyle = palette.blackKey;
      ctx.fillRect(0, y, right, h);
    }
    const octave = !lane.drum && pitch % 12 === 0;
    if (octave || lane.rowHeight >= 9) {
      ctx.fillStyle = octave ? palette.beatLine : palette.rowLine;
      ctx.fillRect(0, y + h - hairline(dpr), right, hairline(dpr));
    }
  });
}

export const drawTimeLines: Layer = (ctx, scene) => {
  drawVerticals(ctx, scene);
  const { view, palette, dpr } = scene;
  ctx.fillStyle = palette.border;
  for (const lane of visibleLanes(scene)) {
    const line = hairline(dpr);
    ctx.fillRect(0, snap(lane.y + lane.height - view.top, dpr) - line, view.width, line);
  }
};

function drawVerticals(ctx: CanvasRenderingContext2D, scene: Scene): void {
  const { view, bars, palette, dpr } = scene;
  const [first, last] = visibleBars(scene);
  const line = hairline(dpr);
  const bottom = Math.min(view.height, contentBottom(scene));
  const vertical = (tick: number): void => ctx.fillRect(snap(tickToX(view, tick), dpr), 0, line, bottom);
  ctx.fillStyle = palette.beatLine;
  for (let bar = first; bar <= last; bar++) {
    const start = bars.start(bar);
    const beat = bars.beatTicks(bar);
    const beatPx = beat * view.scale;
    if (beatPx < BEAT_MIN_PX) {
      continue;
    }
    const parts = beatPx / 4 >= SUBBEAT_MIN_PX ? 4 : beatPx / 2 >= SUBBEAT_MIN_PX ? 2 : 1;
    ctx.fillStyle = palette.rowLine;
    const end = bars.start(bar + 1);
    for (let k = 1; k * (beat / parts) < end - start - 0.5; k++) {
      if (k % parts !== 0) {
        vertical(start + (k * beat) / parts);
      }
    }
    ctx.fillStyle = palette.beatLine;
    for (let k = 1; k * beat < end - start - 0.5; k++) {
      vertical(start + k * beat);
    }
  }
  ctx.fillStyle = palette.barLine;
  const every = barStride(scene);
  for (let bar = first; bar <= last + 1; bar++) {
    if (bar % every === 0 || bar === bars.n) {
      vertical(bars.start(bar));
    }
  }
}

const contentBottom = (scene: Scene): number => {
  const last = scene.lanes[scene.lanes.length - 1];
  return last ? last.y + last.height - scene.view.top : 0;
};

/** Bars between two drawn bar lines or numbers: 1, 2, 4, 8, … so that they stay apart. */
export function barStride(scene: Scene, minPx = 10): number {
  const { bars, view } = scene;
  const barPx = (bars.end / Math.max(1, bars.n)) * view.scale;
  let stride = 1;
  while (barPx * stride < minPx && stride < 4096) {
    stride *= 2;
  }
  return stride;
}
