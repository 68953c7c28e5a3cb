/** Bar numbers, metre changes, beat ticks, loop brace. Drawn in canvas coordinates, above the lanes. */

import { CELL_SELECTED } from "../cell_states.ts";
import { tickToX } from "../coords.ts";
import { RULER, RULER_BARS } from "../hit_test.ts";
import { barStride } from "./grid.ts";
import { FONT, hairline, type Layer, type Scene, snap, visibleBars } from "./scene.ts";

/** Room of a bar number: its digits, and what lies between two. */
const DIGIT_PX = 8;
const NUMBER_GAP_PX = 16;

export const drawRuler: Layer = (ctx, scene) => {
  const { view, palette, dpr } = scene;
  ctx.fillStyle = palette.surface;
  ctx.fillRect(0, 0, view.width, RULER);
  drawSelectedBars(ctx, scene);
  drawLoop(ctx, scene);
  drawNumbers(ctx, scene);
  ctx.fillStyle = palette.border;
  ctx.fillRect(0, RULER_BARS, view.width, hairline(dpr));
  ctx.fillRect(0, RULER - hairline(dpr), view.width, hairline(dpr));
};

function drawSelectedBars(ctx: CanvasRenderingContext2D, scene: Scene): void {
  const { view, bars, palette } = scene;
  const [first, last] = visibleBars(scene);
  ctx.fillStyle = palette.selectFill;
  for (let bar = first; bar <= last; bar++) {
    if (scene.lanes.some((lane) => (scene.cellState(lane.track, bar) & CELL_SELECTED) !== 0)) {
      const x = tickToX(view, bars.start(bar));
      ctx.fillRect(x, 0, tickToX(view, bars.start(bar + 1)) - x, RULER_BARS);
    }
  }
}

function drawLoop(ctx: CanvasRenderingContext2D, scene: Scene): void {
  const { view, palette, loop } = scene;
  if (!loop) {
    return;
  }
  const x = tickToX(view, loop.start);
  const w = tickToX(view, loop.end) - x;
  ctx.fillStyle = palette.accentSoft;
  ctx.fillRect(x, RULER_BARS, w, RULER - RULER_BARS);
  ctx.fillStyle = palette.accent;
  ctx.fillRect(x, RULER - 4, w, 4);
  ctx.fillRect(x, RULER_BARS, 2, RULER - RULER_BARS);
  ctx.fillRect(x + w - 2, RULER_BARS, 2, RULER - RULER_BARS);
}

function drawNumbers(ctx: CanvasRenderingContext2D, scene: Scene): void {
  const { bars } = scene;
  const [first, last] = visibleBars(scene);
  const stride = barStride(scene, NUMBER_GAP_PX + DIGIT_PX * String(bars.n).length);
  ctx.textBaseline = "middle";
  for (let bar = first - (first % stride); bar <= last; bar += stride) {
    drawSpan(ctx, scene, bar, Math.min(bar + stride, bars.n));
  }
  for (let bar = first; bar <= last; bar++) {
    drawBeatTicks(ctx, scene, bar);
  }
}

/** A bar's number and the metres that change before the next number, as far as they fit between the two. */
function drawSpan(ctx: CanvasRenderingContext2D, scene: Scene, first: number, next: number): void {
  const { view, bars, palette, dpr } = scene;
  const end = tickToX(view, bars.start(next)) - 2;
  const x = tickToX(view, bars.start(first));
  ctx.fillStyle = palette.barLine;
  ctx.fillRect(snap(x, dpr), 0, hairline(dpr), RULER);
  // the number of a bar that begins further left stays in sight
  let free = next === first + 1 ? Math.max(0, x) : x;
  const write = (text: string, font: string, colour: string, at: number): void => {
    ctx.font = `${font} ${FONT}`;
    const width = ctx.measureText(text).width;
    if (at >= free && at + width <= end) {
      ctx.fillStyle = colour;
      ctx.fillText(text, at, RULER_BARS / 2 + 0.5);
      free = at + width + 4;
    }
  };
  write(String(first + 1), "600 11px", palette.text, free + 5);
  for (let bar = first; bar < next; bar++) {
    if (bars.changesMetre(bar)) {
      const at = bar === first ? free : tickToX(view, bars.start(bar)) + 4;
      write(`${bars.numerator(bar)}/${bars.denominator(bar)}`, "10px", palette.muted, at);
    }
  }
}

function drawBeatTicks(ctx: CanvasRenderingContext2D, scene: Scene, bar: number): void {
  const { view, bars, palette, dpr } = scene;
  const beat = bars.beatTicks(bar);
  if (beat * view.scale < 7) {
    return;
  }
  ctx.fillStyle = palette.muted;
  ctx.globalAlpha = 0.6;
  for (let tick = bars.start(bar) + beat; tick < bars.start(bar + 1) - 0.5; tick += beat) {
    ctx.fillRect(snap(tickToX(view, tick), dpr), RULER - 5, hairline(dpr), 4);
  }
  ctx.globalAlpha = 1;
}
