/** What bars are to the model: hidden (veiled and hatched), locked (a bar at the top and a padlock), to be written. */
import { CELL_GENERATE, CELL_HIDDEN, CELL_IGNORED, CELL_LOCKED } from "../cell_states.ts";
import { cellRect, type Lane, laneOf, tickToX } from "../coords.ts";
import { type Layer, patternStart, type Scene, visibleBars, visibleLanes } from "./scene.ts";

const HATCH = 7;
const ANY = CELL_GENERATE | CELL_HIDDEN | CELL_LOCKED | CELL_IGNORED;

export const drawRoles: Layer = (ctx, scene) => {
  const [first, last] = visibleBars(scene);
  for (const lane of visibleLanes(scene)) {
    for (let bar = first; bar <= last; bar++) {
      const state = scene.cellState(lane.track, bar);
      if ((state & ANY) !== 0) {
        drawCell(ctx, scene, lane, bar, state);
      }
    }
  }
  drawSeen(ctx, scene);
};

function drawCell(ctx: CanvasRenderingContext2D, scene: Scene, lane: Lane, bar: number, state: number): void {
  const { palette, view, bars } = scene;
  const { x, y, w, h } = cellRect(view, bars, lane, bar);
  ctx.save();
  ctx.beginPath();
  ctx.rect(x, y, w, h);
  ctx.clip();
  if ((state & (CELL_HIDDEN | CELL_IGNORED)) !== 0) {
    veil(ctx, scene, x, y, w, h);
  }
  if ((state & CELL_HIDDEN) !== 0) {
    ctx.strokeStyle = palette.muted;
    ctx.lineWidth = 1;
    ctx.beginPath();
    // The other way than bars that are being written; one origin, so that it runs through neighbours.
    const origin = patternStart(scene, HATCH);
    for (let c = origin + Math.floor((x + y - origin) / HATCH) * HATCH; c < x + w + y + h; c += HATCH) {
      ctx.moveTo(c - y, y);
      ctx.lineTo(c - y - h, y + h);
    }
    ctx.stroke();
  }
  if ((state & CELL_LOCKED) !== 0) {
    ctx.fillStyle = palette.muted;
    ctx.fillRect(x, y, w, 3);
    padlock(ctx, x + w - 15, y + 6, palette.muted);
  }
  if ((state & CELL_GENERATE) !== 0) {
    ctx.strokeStyle = palette.accent;
    ctx.lineWidth = 2;
    ctx.setLineDash([6, 3]);
    ctx.strokeRect(x + 2, y + 2, w - 4, h - 4);
  }
  ctx.restore();
}

function veil(
  ctx: CanvasRenderingContext2D,
  { palette }: Scene,
  x: number,
  y: number,
  w: number,
  h: number,
): void {
  ctx.globalAlpha = 0.62;
  ctx.fillStyle = palette.background;
  ctx.fillRect(x, y, w, h);
  ctx.globalAlpha = 1;
}

function padlock(ctx: CanvasRenderingContext2D, x: number, y: number, colour: string): void {
  ctx.fillStyle = ctx.strokeStyle = colour;
  ctx.lineWidth = 1.6;
  ctx.fillRect(x, y + 5, 10, 7);
  ctx.beginPath();
  ctx.arc(x + 5, y + 5, 3.2, Math.PI, 0);
  ctx.stroke();
}

/** The window of a step as a frame; what the model does not see in it lies under a veil. */
function drawSeen(ctx: CanvasRenderingContext2D, scene: Scene): void {
  const { seen, view, bars, palette } = scene;
  if (!seen) {
    return;
  }
  const x = tickToX(view, bars.start(seen.window[0]));
  const right = tickToX(view, bars.start(seen.window[1]));
  const hidden = new Set(seen.hidden.map(([track, bar]) => `${track},${bar}`));
  for (const lane of visibleLanes(scene)) {
    const y = lane.y - view.top;
    veil(ctx, scene, 0, y, Math.max(0, x), lane.height);
    veil(ctx, scene, right, y, Math.max(0, view.width - right), lane.height);
    for (let bar = seen.window[0]; bar < seen.window[1]; bar++) {
      if (!seen.tracks.includes(lane.track) || hidden.has(`${lane.track},${bar}`)) {
        const cell = cellRect(view, bars, lane, bar);
        veil(ctx, scene, cell.x, cell.y, cell.w, cell.h);
      }
    }
  }
  ctx.strokeStyle = palette.text;
  ctx.lineWidth = 2;
  ctx.strokeRect(x + 1, 1 - view.top, right - x - 2, Math.max(...scene.lanes.map((l) => l.y + l.height)) - 2);
  ctx.strokeStyle = palette.accent;
  for (const [track, bar] of seen.targets) {
    const lane = laneOf(scene.lanes, track);
    if (lane) {
      const cell = cellRect(view, bars, lane, bar);
      ctx.strokeRect(cell.x + 2, cell.y + 2, cell.w - 4, cell.h - 4);
    }
  }
}
