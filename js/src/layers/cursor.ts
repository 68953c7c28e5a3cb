/** Hovered cell and keyboard cursor. */
import { cellRect, laneOf } from "../coords.ts";
import type { Layer, Scene } from "./scene.ts";

export const drawCursor: Layer = (ctx, scene) => {
  outline(ctx, scene, scene.hover, [], 1, scene.palette.muted);
  outline(ctx, scene, scene.cursor, [5, 3], 2, scene.palette.accent);
};

function outline(
  ctx: CanvasRenderingContext2D,
  scene: Scene,
  cell: Scene["cursor"],
  dash: number[],
  width: number,
  colour: string,
): void {
  const lane = cell && laneOf(scene.lanes, cell[0]);
  if (!cell || !lane || cell[1] >= scene.bars.n) {
    return;
  }
  const rect = cellRect(scene.view, scene.bars, lane, cell[1]);
  ctx.save();
  ctx.setLineDash(dash);
  ctx.lineWidth = width;
  ctx.strokeStyle = colour;
  const inset = 1 + width / 2;
  ctx.beginPath();
  ctx.roundRect(rect.x + inset, rect.y + inset, Math.max(2, rect.w - 2 * inset), rect.h - 2 * inset - 1, 3);
  ctx.stroke();
  ctx.restore();
}
