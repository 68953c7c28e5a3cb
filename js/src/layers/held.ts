/** Bars that are held to a take: its number in the corner. */
import { cellRect, laneOf } from "../coords.ts";
import { FONT, type Layer } from "./scene.ts";

const SIZE = 15;

export const drawHeld: Layer = (ctx, scene) => {
  const { palette, view, bars } = scene;
  ctx.font = `600 10px ${FONT}`;
  ctx.textAlign = "center";
  ctx.textBaseline = "middle";
  for (const [track, bar, number] of scene.held) {
    const lane = laneOf(scene.lanes, track);
    if (lane) {
      const rect = cellRect(view, bars, lane, bar);
      ctx.fillStyle = palette.accent;
      ctx.beginPath();
      ctx.roundRect(rect.x + 3, rect.y + 3, SIZE, SIZE, 3);
      ctx.fill();
      ctx.fillStyle = palette.onAccent;
      ctx.fillText(String(number), rect.x + 3 + SIZE / 2, rect.y + 3.5 + SIZE / 2);
    }
  }
};
