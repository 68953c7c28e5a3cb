/** What the last generation removed: hollow and dashed beside the new notes, or full when comparing with before. */
import { type Lane, rowTop, tickToX } from "../coords.ts";
import { levelOf, noteBand, noteWidth } from "./notes.ts";
import { colourOf, type Layer, type Scene, visibleLanes, windowOf } from "./scene.ts";

export const drawDiff: Layer = (ctx, scene) => {
  if (scene.compare === "off" || scene.running || scene.removed.count === 0) {
    return;
  }
  for (const lane of visibleLanes(scene)) {
    ctx.save();
    ctx.beginPath();
    ctx.rect(0, lane.y - scene.view.top, scene.view.width, lane.height);
    ctx.clip();
    drawLane(ctx, scene, lane);
    ctx.restore();
  }
};

function drawLane(ctx: CanvasRenderingContext2D, scene: Scene, lane: Lane): void {
  const { removed, view } = scene;
  const [first, last] = removed.range(lane.track, ...windowOf(scene));
  const [offset, height] = noteBand(lane);
  const colours = colourOf(scene.palette, lane.track);
  ctx.strokeStyle = colours.ghost;
  ctx.lineWidth = 1;
  ctx.setLineDash([2.5, 2]);
  for (let i = first; i < last; i++) {
    const row = lane.rowOf[removed.pitches[i] as number] as number;
    if (row < 0) {
      continue;
    }
    const x = tickToX(view, removed.onsets[i] as number);
    const w = noteWidth(lane, (removed.durations[i] as number) * view.scale, height);
    const y = rowTop(lane, row) + offset - view.top;
    ctx.beginPath();
    if (scene.compare === "before") {
      ctx.fillStyle = colours.levels[levelOf(removed.velocities[i] as number)] as string;
      ctx.roundRect(x, y, w, height, Math.min(2.5, height / 2, w / 2));
      ctx.fill();
    } else {
      ctx.roundRect(x + 0.5, y + 0.5, Math.max(1, w - 1), Math.max(1, height - 1), Math.min(2.5, height / 2));
      ctx.stroke();
    }
  }
}
