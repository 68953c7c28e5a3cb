/** Hatches notes the model was not sure of: wide lines for unsure, narrow ones and a dashed outline for guesses. */
import { rowTop, tickToX } from "../coords.ts";
import { noteBand, noteWidth } from "../layers/notes.ts";
import { type Layer, visibleLanes, windowOf } from "../layers/scene.ts";
import { type Doubt, levelOfDoubt, placeOf } from "./records.ts";

const STEP: readonly number[] = [0, 6, 3];

/** Lower notes have no room for slanted lines. */
const LOW_PX = 7;
const SLIT = 4;

/** One mark: the same in the roll and in the legend. Lines in the lane's colour show without any other colour. */
export function hatch(
  ctx: CanvasRenderingContext2D,
  level: 0 | 1 | 2,
  [x, y, w, h]: readonly [number, number, number, number],
  [inside, around]: readonly [inside: string, around: string],
): void {
  const step = STEP[level] as number;
  if (step === 0) {
    return;
  }
  if (h < LOW_PX) {
    slit(ctx, level, [x, y, w, h], inside);
    return;
  }
  ctx.save();
  ctx.beginPath();
  ctx.rect(x, y, w, h);
  ctx.clip();
  ctx.strokeStyle = inside;
  ctx.lineWidth = level === 2 ? 1.4 : 1.2;
  ctx.beginPath();
  for (let c = x - h; c < x + w; c += step) {
    ctx.moveTo(c, y + h);
    ctx.lineTo(c + h, y);
  }
  ctx.stroke();
  ctx.restore();
  if (level === 2) {
    ctx.strokeStyle = around;
    ctx.lineWidth = 1.2;
    ctx.setLineDash([2, 2]);
    ctx.strokeRect(x - 0.6, y - 0.6, w + 1.2, h + 1.2);
    ctx.setLineDash([]);
  }
}

/** Low notes: slits for unsure, hollow for guesses. */
function slit(
  ctx: CanvasRenderingContext2D,
  level: 0 | 1 | 2,
  [x, y, w, h]: readonly [number, number, number, number],
  inside: string,
): void {
  ctx.fillStyle = inside;
  if (level === 2) {
    ctx.fillRect(x + 1, y + 1, Math.max(1, w - 2), Math.max(1, h - 2));
    return;
  }
  for (let at = x + SLIT / 2; at < x + w - 0.5; at += SLIT) {
    ctx.fillRect(at, y, 1.2, h);
  }
}

/** `known()` is empty while the marks are off. */
export const doubtLayer =
  (known: () => ReadonlyMap<number, Doubt>): Layer =>
  (ctx, scene) => {
    const doubts = known();
    if (doubts.size === 0 || !scene.detailed || scene.compare === "before") {
      return;
    }
    const { view, notes, palette } = scene;
    const [from, to] = windowOf(scene);
    for (const lane of visibleLanes(scene)) {
      const [offset, height] = noteBand(lane);
      const [first, last] = notes.range(lane.track, from, to);
      for (let i = first; i < last; i++) {
        const pitch = notes.pitches[i] as number;
        const row = lane.rowOf[pitch] as number;
        const doubt = doubts.get(placeOf(lane.track, pitch, notes.onsets[i] as number));
        if (row < 0 || !doubt) {
          continue;
        }
        const x = tickToX(view, notes.onsets[i] as number);
        const w = noteWidth(lane, (notes.durations[i] as number) * view.scale, height);
        const y = rowTop(lane, row) + offset - view.top;
        hatch(ctx, levelOfDoubt(doubt), [x, y, w, height], [palette.lane, palette.edge]);
      }
    }
  };
