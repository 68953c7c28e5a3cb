/** What editing shows above the notes: selected notes, notes being drawn or dragged, marquee, loudness stems. */
import { type Lane, laneOf, rowTop, tickToX } from "../coords.ts";
import { type EditNote, noteOf } from "../edit/notes.ts";
import { RULER } from "../hit_test.ts";
import { noteBand, noteWidth } from "./notes.ts";
import { colourOf, hairline, type Layer, type Scene, snap, visibleLanes, windowOf } from "./scene.ts";

/** Above the notes, painted with every frame: what a gesture would do. */
export const drawEditing: Layer = (ctx, scene) => {
  const notes = scene.preview?.notes ?? [];
  for (const note of notes) {
    if (scene.stems) {
      const lane = laneOf(scene.lanes, note.track);
      if (lane) {
        stem(ctx, scene, lane, note.onset, note.velocity);
      }
    } else {
      drawPreview(ctx, scene, note);
    }
  }
  drawMarquee(ctx, scene);
};

function place(scene: Scene, lane: Lane, note: EditNote): [x: number, y: number, w: number, h: number] {
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

/** Selected notes wear a frame; where many notes are in sight, a plain one. */
export const drawSelected: Layer = (ctx, scene) => {
  if (scene.selectedNotes.size === 0) {
    return;
  }
  const [from, to] = windowOf(scene);
  const { notes, palette, preview, detailed } = scene;
  ctx.strokeStyle = ctx.fillStyle = palette.accent;
  ctx.lineWidth = 2;
  for (const lane of visibleLanes(scene)) {
    const [first, last] = notes.range(lane.track, from, to);
    for (let i = first; i < last; i++) {
      const id = notes.ids[i] as number;
      if (!scene.selectedNotes.has(id) || preview?.hide.has(id)) {
        continue;
      }
      const [x, y, w, h] = place(scene, lane, noteOf(notes, i));
      if (detailed) {
        ctx.beginPath();
        ctx.roundRect(x - 1.5, y - 1.5, w + 3, h + 3, 3.5);
        ctx.stroke();
      } else {
        ctx.fillRect(x - 1, y - 1, w + 2, 1.5);
        ctx.fillRect(x - 1, y + h - 0.5, w + 2, 1.5);
      }
    }
  }
};

function drawPreview(ctx: CanvasRenderingContext2D, scene: Scene, note: EditNote): void {
  const lane = laneOf(scene.lanes, note.track);
  if (!lane) {
    return;
  }
  const [x, y, w, h] = place(scene, lane, note);
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
export const drawStems: Layer = (ctx, scene) => {
  if (!scene.stems) {
    return;
  }
  const [from, to] = windowOf(scene);
  const { notes, preview } = scene;
  for (const lane of visibleLanes(scene)) {
    const [first, last] = notes.range(lane.track, from, to);
    for (let i = first; i < last; i++) {
      if (!preview?.hide.has(notes.ids[i] as number)) {
        stem(ctx, scene, lane, notes.onsets[i] as number, notes.velocities[i] as number);
      }
    }
  }
};

function stem(
  ctx: CanvasRenderingContext2D,
  scene: Scene,
  lane: Lane,
  onset: number,
  velocity: number,
): void {
  const { view, palette, dpr } = scene;
  const bottom = lane.y + lane.height - view.top;
  const x = tickToX(view, onset);
  const top = bottom - (velocity / 127) * (lane.height - 6);
  const line = hairline(dpr);
  ctx.fillStyle = palette.muted;
  ctx.fillRect(snap(x, dpr), top, line, bottom - top);
  ctx.fillStyle = palette.text;
  if (scene.detailed) {
    ctx.beginPath();
    ctx.arc(x, top, 2.5, 0, 2 * Math.PI);
    ctx.fill();
  } else {
    ctx.fillRect(x - 1.5, top - 1.5, 3, 3);
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
