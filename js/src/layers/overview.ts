/** The whole piece in a strip: notes of all tracks, and the window that the roll shows. */
import type { Layer, Scene } from "./scene.ts";
import { colourOf } from "./scene.ts";

export interface OverviewSize {
  width: number;
  height: number;
}

export const overviewScale = (scene: Scene, size: OverviewSize): number =>
  size.width / Math.max(1, scene.bars.end);

/** Notes only: painted when the document or the size changes. */
export function drawOverviewNotes(ctx: CanvasRenderingContext2D, scene: Scene, size: OverviewSize): void {
  const { notes, palette, lanes } = scene;
  ctx.fillStyle = palette.surface;
  ctx.fillRect(0, 0, size.width, size.height);
  const scale = overviewScale(scene, size);
  const share = (size.height - 4) / Math.max(1, lanes.length);
  for (const lane of lanes) {
    ctx.fillStyle = colourOf(palette, lane.track).levels[1] as string;
    const rows = Math.max(1, lane.pitches.length - 1);
    let drawnTo = -1;
    let drawnRow = -1;
    for (let i = notes.trackStarts[lane.track] ?? 0; i < (notes.trackStarts[lane.track + 1] ?? 0); i++) {
      const x = (notes.onsets[i] as number) * scale;
      const row = lane.rowOf[notes.pitches[i] as number] as number;
      if (row === drawnRow && x < drawnTo) {
        continue; // already ink there
      }
      const w = Math.max(1, (notes.durations[i] as number) * scale);
      const y = 2 + share * lane.track + (1 - row / rows) * Math.max(0, share - 1.5);
      ctx.fillRect(x, y, w, Math.max(1, share / 8));
      drawnTo = x + w;
      drawnRow = row;
    }
  }
}

/** The window and the playhead, over the notes. */
export const drawOverviewWindow =
  (size: OverviewSize): Layer =>
  (ctx, scene) => {
    const { view, palette } = scene;
    const scale = overviewScale(scene, size);
    const x = view.left * scale;
    const w = Math.min(size.width - x, (view.width / view.scale) * scale);
    ctx.fillStyle = palette.background;
    ctx.globalAlpha = 0.6;
    ctx.fillRect(0, 0, x, size.height);
    ctx.fillRect(x + w, 0, size.width - x - w, size.height);
    ctx.globalAlpha = 1;
    ctx.strokeStyle = palette.muted;
    ctx.lineWidth = 1.5;
    ctx.beginPath();
    ctx.roundRect(x + 0.75, 0.75, Math.max(6, w - 1.5), size.height - 1.5, 3);
    ctx.stroke();
    ctx.fillStyle = palette.playhead;
    ctx.fillRect(scene.playhead * scale - 0.5, 0, 1, size.height);
  };
