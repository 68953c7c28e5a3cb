/** The model's time grid: its steps at high zoom, and a mark on notes that it cannot represent exactly. */
import { rowTop, tickToX } from "../coords.ts";
import { noteBand, noteWidth } from "../layers/notes.ts";
import {
  hairline,
  type Layer,
  type Scene,
  snap,
  visibleBars,
  visibleLanes,
  windowOf,
} from "../layers/scene.ts";
import type { GridInfo } from "../protocol.gen.ts";

/** Steps are drawn, and notes marked, from this width of a step on. */
const STEP_MIN_PX = 7;
const MARK_PX = 5;

/**
 * Why a model has to change a note: "" when it need not. `at`: ticks from the start of the bar, with micro-timing
 * (1/resolution of a tick) if there is any.
 */
export function misfit(
  { resolution, microtiming, longest, pitches }: GridInfo,
  note: { at: number; micro: number; duration: number; pitch: number },
  ticksPerQuarter: number,
): "" | "onset" | "duration" | "pitch" {
  if (note.pitch < pitches[0] || note.pitch > pitches[1]) {
    return "pitch";
  }
  const finest = microtiming ? resolution * resolution : resolution;
  if (!isWhole((note.at + note.micro / ticksPerQuarter) * (finest / ticksPerQuarter))) {
    return "onset";
  }
  const steps = note.duration * (resolution / ticksPerQuarter);
  return isWhole(steps) && steps <= longest + 1e-6 ? "" : "duration";
}

const isWhole = (value: number): boolean => Math.abs(value - Math.round(value)) < 1e-6;

/** Lines at the model's steps, between those of beats. */
export const stepLines =
  (grid: () => GridInfo | null, ticksPerQuarter: () => number): Layer =>
  (ctx, scene) => {
    const step = ticksPerQuarter() / (grid()?.resolution ?? 1);
    const { view, bars, palette, dpr } = scene;
    if (!grid() || step * view.scale < STEP_MIN_PX) {
      return;
    }
    const [first, last] = visibleBars(scene);
    const [from, to] = windowOf(scene);
    const lowest = scene.lanes[scene.lanes.length - 1];
    const bottom = Math.min(view.height, lowest ? lowest.y + lowest.height - view.top : 0);
    ctx.fillStyle = palette.beatLine;
    const line = hairline(dpr);
    for (let bar = first; bar <= last; bar++) {
      const start = bars.start(bar);
      const n = Math.ceil((Math.min(to, bars.start(bar + 1)) - start) / step - 1e-6);
      for (let k = Math.max(1, Math.ceil((from - start) / step)); k < n; k++) {
        // dotted: these are the model's, not the metre's
        const x = snap(tickToX(view, start + k * step), dpr);
        for (let y = 0; y < bottom; y += 6) {
          ctx.fillRect(x, y, line, 2);
        }
      }
    }
  };

/** A notch in notes that the model would change: at the lower left corner, or at the right one if only the end differs. */
export const misfitMarks =
  (grid: () => GridInfo | null, ticksPerQuarter: () => number, wanted: () => boolean): Layer =>
  (ctx, scene) => {
    const info = grid();
    const quarter = ticksPerQuarter();
    if (
      !info ||
      !wanted() ||
      !scene.detailed ||
      (quarter / info.resolution) * scene.view.scale < STEP_MIN_PX
    ) {
      return;
    }
    for (const lane of visibleLanes(scene)) {
      const [offset, height] = noteBand(lane);
      const size = Math.min(MARK_PX, height);
      const [first, last] = scene.notes.range(lane.track, ...windowOf(scene));
      for (let i = first; i < last; i++) {
        const row = lane.rowOf[scene.notes.pitches[i] as number] as number;
        const why = row < 0 ? "" : misfitOf(scene, info, i, quarter, lane.drum);
        if (why) {
          const x = tickToX(scene.view, scene.notes.onsets[i] as number);
          const right = x + noteWidth(lane, (scene.notes.durations[i] as number) * scene.view.scale, height);
          const bottom = rowTop(lane, row) + offset + height - scene.view.top;
          const [corner, inwards] = why === "duration" ? [right, -size] : [x, size];
          ctx.fillStyle = scene.palette.edge;
          ctx.beginPath();
          ctx.moveTo(corner, bottom - size);
          ctx.lineTo(corner + inwards, bottom);
          ctx.lineTo(corner, bottom);
          ctx.closePath();
          ctx.fill();
        }
      }
    }
  };

const misfitOf = (
  { notes, bars }: Pick<Scene, "notes" | "bars">,
  info: GridInfo,
  i: number,
  quarter: number,
  drum: boolean,
): ReturnType<typeof misfit> => {
  const onset = notes.onsets[i] as number;
  return misfit(
    info,
    {
      at: onset - bars.start(bars.at(onset)),
      micro: notes.micros[i] as number,
      // a drum is hit, not held
      duration: drum ? quarter : (notes.durations[i] as number),
      pitch: notes.pitches[i] as number,
    },
    quarter,
  );
};

/** How many notes the model would change. */
export function misfits(
  scene: Pick<Scene, "notes" | "bars"> & { tracks: readonly { drum: boolean }[] },
  info: GridInfo,
  quarter: number,
): number {
  const { notes, tracks } = scene;
  let n = 0;
  for (let i = 0; i < notes.count; i++) {
    n += misfitOf(scene, info, i, quarter, tracks[notes.tracks[i] as number]?.drum ?? false) ? 1 : 0;
  }
  return n;
}
