/** What editing shows above the notes: selected notes, notes being drawn or dragged, marquee, loudness stems. */
import { type Lane, rowTop, tickToX } from "../coords.ts";
import type { EditNote } from "../edit/notes.ts";
import { RULER } from "../hit_test.ts";
import { noteBand, noteWidth, windowOf } from "./notes.ts";
import { colourOf, hairline, type Layer, type Scene, visibleLanes } from "./scene.ts";

export const drawEditing: Layer = (ctx, scene) => {
  if (scene.stems) {
    drawStems(ctx, scene);
  }
  drawSelected(ctx, scene);
  for (const note of scene.preview?.notes ?? []) {
    drawPreview(ctx, scene, note);
  }
  drawMarquee(ctx, scene);
};

function place(
  scene: Scene,
  lane: Lane,
  note: EditNote,
): [x: number, y: number, w: number, h: number] | null {
  const row = lane.rowOf[note.pitch] as number;
  const [offset, height] = noteBand(lane);
  // A pitch without a row of its own is shown at the edge it lies beyond.
  const at = row >= 0 ? row : note.pitch < (lane.pitches[0] ?? 0) ? 0 : lane.pitches.length - 1;
  const x = tickToX(scene.view, note.onset);
  return [
    x,
    rowTop(lane, at) + offset - scene.view.top,
    noteWidth(lane, note.duration * scene.view.scale, height),
    height,
  ];
}

function drawSelected(ctx: CanvasRenderingContext2D, scene: Scene): void {
  if (scene.selectedNotes.size === 0) {
    return;
  }
  const [from, to] = windowOf(scene);
  const { notes, palette } = scene;
  ctx.strokeStyle = palette.accent;
  ctx.lineWidth = 2;
  for (const lane of visibleLanes(scene)) {
    const [first, last] = notes.range(lane.track, from, to);
    for (let i = first; i < last; i++) {
      const id = notes.ids[i] as number;
      if (!scene.selectedNotes.has(id) || scene.preview?.hide.has(id)) {
        continue;
      }
      const rect = place(scene, lane, {
        id,
        track: lane.track,
        onset: notes.onsets[i] as number,
        duration: notes.durations[i] as number,
        pitch: notes.pitches[i] as number,
        velocity: 0,
        micro: 0,
      });
      if (rect) {
        const [x, y, w, h] = rect;
        ctx.beginPath();
        ctx.roundRect(x - 1.5, y - 1.5, w + 3, h + 3, 3.5);
        ctx.stroke();
      }
    }
  }
}

function drawPreview(ctx: CanvasRenderingContext2D, scene: Scene, note: EditNote): void {
  const lane = scene.lanes[note.track];
  const rect = lane && place(scene, lane, note);
  if (!lane || !rect) {
    return;
  }
  const [x, y, w, h] = rect;
  const colours = colourOf(scene.palette, note.track);
  ctx.fillStyle = colours.solid;
  ctx.strokeStyle = scene.palette.accent;
  ctx.lineWidth = 2;
  ctx.beginPath();
  ctx.roundRect(x, y, w, h, Math.min(2.5, h / 2, w / 2));
  ctx.fill();
  ctx.stroke();
}

/** Loudness of every note as a stem in its lane: the lane's height is velocity 127. */
function drawStems(ctx: CanvasRenderingContext2D, scene: Scene): void {
  const [from, to] = windowOf(scene);
  const { notes, view, palette } = scene;
  const changed = new Map((scene.preview?.notes ?? []).map((note) => [note.id, note.velocity]));
  for (const lane of visibleLanes(scene)) {
    const bottom = lane.y + lane.height - view.top;
    const [first, last] = notes.range(lane.track, from, to);
    ctx.strokeStyle = palette.muted;
    ctx.fillStyle = palette.text;
    ctx.lineWidth = hairline(scene.dpr);
    for (let i = first; i < last; i++) {
      const velocity = changed.get(notes.ids[i] as number) ?? (notes.velocities[i] as number);
      const x = tickToX(view, notes.onsets[i] as number);
      const top = bottom - (velocity / 127) * (lane.height - 6);
      ctx.beginPath();
      ctx.moveTo(x, bottom);
      ctx.lineTo(x, top);
      ctx.stroke();
      ctx.beginPath();
      ctx.arc(x, top, 2.5, 0, 2 * Math.PI);
      ctx.fill();
    }
  }
}

function drawMarquee(ctx: CanvasRenderingContext2D, scene: Scene): void {
  const { marquee, palette } = scene;
  if (!marquee) {
    return;
  }
  const x = Math.min(marquee.x0, marquee.x1);
  const y = Math.min(marquee.y0, marquee.y1) - RULER;
  ctx.save();
  ctx.strokeStyle = palette.accent;
  ctx.lineWidth = 1;
  ctx.setLineDash([4, 3]);
  ctx.strokeRect(x + 0.5, y + 0.5, Math.abs(marquee.x1 - marquee.x0), Math.abs(marquee.y1 - marquee.y0));
  ctx.restore();
}
