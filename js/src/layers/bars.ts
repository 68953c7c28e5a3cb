/** Selected cells, and cells being written: told apart by outline and hatch, not by colour alone. */

import { CELL_FINISHED, CELL_SELECTED, CELL_TARGET } from "../cell_states.ts";
import { cellRect } from "../coords.ts";
import { type Layer, patternStart, type Scene, snap, visibleBars, visibleLanes } from "./scene.ts";

const HATCH_STEP = 8;

export const drawBars: Layer = (ctx, scene) => {
  const { palette } = scene;
  const writing = (state: number): boolean => (state & CELL_TARGET) !== 0;
  fillCells(ctx, scene, (state) => (state & CELL_SELECTED) !== 0 && !writing(state), palette.selectFill);
  fillCells(ctx, scene, writing, palette.selectFill);
  if (scene.running) {
    hatchCells(ctx, scene);
  }
  outlineCells(ctx, scene, (state) => (state & CELL_SELECTED) !== 0 || writing(state));
};

type Test = (state: number) => boolean;

function eachCell(
  scene: Scene,
  visit: (lane: Scene["lanes"][number], bar: number, state: number) => void,
): void {
  const [first, last] = visibleBars(scene);
  for (const lane of visibleLanes(scene)) {
    for (let bar = first; bar <= last; bar++) {
      visit(lane, bar, scene.cellState(lane.track, bar));
    }
  }
}

function snapped(scene: Scene, lane: Scene["lanes"][number], bar: number): [number, number, number, number] {
  const rect = cellRect(scene.view, scene.bars, lane, bar);
  const x = snap(rect.x, scene.dpr);
  const y = snap(rect.y, scene.dpr);
  return [x, y, snap(rect.x + rect.w, scene.dpr) - x, snap(rect.y + rect.h, scene.dpr) - y];
}

function fillCells(ctx: CanvasRenderingContext2D, scene: Scene, test: Test, colour: string): void {
  ctx.fillStyle = colour;
  eachCell(scene, (lane, bar, state) => {
    if (test(state)) {
      ctx.fillRect(...snapped(scene, lane, bar));
    }
  });
}

function hatchCells(ctx: CanvasRenderingContext2D, scene: Scene): void {
  ctx.strokeStyle = scene.palette.hatch;
  ctx.lineWidth = 1.5;
  eachCell(scene, (lane, bar, state) => {
    if ((state & CELL_TARGET) === 0 || (state & CELL_FINISHED) !== 0) {
      return;
    }
    const [x, y, w, h] = snapped(scene, lane, bar);
    ctx.save();
    ctx.beginPath();
    ctx.rect(x, y, w, h);
    ctx.clip();
    ctx.beginPath();
    // Lines share one origin, so that the hatch runs through neighbouring cells.
    const origin = patternStart(scene, HATCH_STEP);
    const from = origin + Math.floor((x - y - h - origin) / HATCH_STEP) * HATCH_STEP;
    for (let c = from; c < x + w - y + HATCH_STEP; c += HATCH_STEP) {
      ctx.moveTo(c + y, y);
      ctx.lineTo(c + y + h, y + h);
    }
    ctx.stroke();
    ctx.restore();
  });
}

/** One line around each connected region. */
function outlineCells(ctx: CanvasRenderingContext2D, scene: Scene, test: Test): void {
  const { dpr } = scene;
  const width = 1.5;
  ctx.fillStyle = scene.palette.selectLine;
  const marked = (track: number, bar: number): boolean =>
    track >= 0 &&
    track < scene.lanes.length &&
    bar >= 0 &&
    bar < scene.bars.n &&
    test(scene.cellState(track, bar));
  eachCell(scene, (lane, bar, state) => {
    if (!test(state)) {
      return;
    }
    const [x, y, w, h] = snapped(scene, lane, bar);
    const line = snap(width, dpr);
    if (!marked(lane.track - 1, bar)) {
      ctx.fillRect(x, y, w, line);
    }
    if (!marked(lane.track + 1, bar)) {
      ctx.fillRect(x, y + h - line, w, line);
    }
    if (!marked(lane.track, bar - 1)) {
      ctx.fillRect(x, y, line, h);
    }
    if (!marked(lane.track, bar + 1)) {
      ctx.fillRect(x + w - line, y, line, h);
    }
  });
}
