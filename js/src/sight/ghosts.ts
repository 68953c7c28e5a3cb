/** Notes of the other tracks behind those of the track in focus: hollow, so that they are told apart without colour. */
import { laneOf, rowTop, tickToX } from "../coords.ts";
import { noteBand, noteWidth } from "../layers/notes.ts";
import { colourOf, type Scene, snap, windowOf } from "../layers/scene.ts";

/** More than this in sight: plain bars, which are painted faster. */
const OUTLINES = 600;

/** `others`: tracks to show behind `focus`. */
export function drawGhosts(
  ctx: CanvasRenderingContext2D,
  scene: Scene,
  focus: number,
  others: readonly number[],
): void {
  const lane = laneOf(scene.lanes, focus);
  if (!lane) {
    return;
  }
  const { notes, view, palette, dpr } = scene;
  const window = windowOf(scene);
  const [offset, full] = noteBand(lane);
  const height = Math.max(2, full * 0.7);
  const ranges = others.map((track) => [track, ...notes.range(track, ...window)] as const);
  const outlined = ranges.reduce((n, [, first, last]) => n + last - first, 0) <= OUTLINES;
  ctx.lineWidth = 1;
  for (const [track, first, last] of ranges) {
    const colours = colourOf(palette, track);
    ctx.strokeStyle = colours.ghost;
    ctx.fillStyle = colours.dim;
    for (let i = first; i < last; i++) {
      const row = lane.rowOf[notes.pitches[i] as number] as number;
      if (row < 0) {
        continue;
      }
      const x = snap(tickToX(view, notes.onsets[i] as number), dpr);
      const w = noteWidth(lane, (notes.durations[i] as number) * view.scale, height);
      const y = snap(rowTop(lane, row) + offset + (full - height) / 2 - view.top, dpr);
      if (outlined) {
        ctx.strokeRect(x + 0.5, y + 0.5, Math.max(1, w - 1), Math.max(1, height - 1));
      } else {
        ctx.fillRect(x, y, w, height);
      }
    }
  }
}
