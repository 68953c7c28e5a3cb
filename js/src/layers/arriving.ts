/** Provisional notes of a running job: they pop in as they arrive. */
import { laneOf, rowTop, tickToX } from "../coords.ts";
import { levelOf, noteBand, noteWidth, outlineFresh } from "./notes.ts";
import { colourOf, type Layer } from "./scene.ts";

export const POP_MS = 280;

export const drawArriving: Layer = (ctx, scene) => {
  const { view, palette } = scene;
  for (const batch of scene.batches) {
    const lane = laneOf(scene.lanes, batch.track);
    if (!lane) {
      continue;
    }
    const age = scene.calm ? 1 : Math.min(1, (scene.now - batch.at) / POP_MS);
    const ease = 1 - (1 - age) ** 3;
    const [offset, height] = noteBand(lane);
    const colours = colourOf(palette, batch.track);
    const { notes } = batch;
    for (let i = 0; i < notes.count; i++) {
      const row = lane.rowOf[notes.pitches[i] as number] as number;
      const x = tickToX(view, notes.onsets[i] as number);
      const w = noteWidth(lane, (notes.durations[i] as number) * view.scale, height);
      if (row < 0 || x > view.width || x + w < 0) {
        continue;
      }
      const y = rowTop(lane, row) + offset - view.top;
      const grow = (1 - ease) * Math.min(6, height);
      ctx.globalAlpha = 0.25 + 0.75 * ease;
      ctx.fillStyle = colours.levels[levelOf(notes.velocities[i] as number)] as string;
      ctx.beginPath();
      ctx.roundRect(
        x - grow / 2,
        y - grow / 2,
        w + grow,
        height + grow,
        Math.min(2.5 + grow, height / 2 + grow / 2),
      );
      ctx.fill();
      outlineFresh(ctx, scene, x - grow / 2, y - grow / 2, w + grow, height + grow);
    }
  }
  ctx.globalAlpha = 1;
};
