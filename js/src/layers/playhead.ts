/** The line that moves with the sound. Drawn in canvas coordinates (ruler included). */
import { tickToX } from "../coords.ts";
import { RULER, RULER_BARS } from "../hit_test.ts";
import { type Layer, snap } from "./scene.ts";

export const drawPlayhead: Layer = (ctx, scene) => {
  const { view, palette, dpr } = scene;
  const x = snap(tickToX(view, scene.playhead), dpr);
  if (x < -8 || x > view.width + 8) {
    return;
  }
  const width = scene.playing ? 2 : 1;
  ctx.fillStyle = palette.playhead;
  ctx.globalAlpha = scene.playing ? 1 : 0.7;
  ctx.fillRect(x - width / 2, RULER_BARS + 6, width, view.height + RULER);
  ctx.beginPath();
  ctx.moveTo(x - 5.5, RULER_BARS + 1);
  ctx.lineTo(x + 5.5, RULER_BARS + 1);
  ctx.lineTo(x, RULER_BARS + 10);
  ctx.closePath();
  ctx.fill();
  ctx.globalAlpha = 1;
};
