/** The whole piece in a strip: notes of all tracks, and the window that the roll shows. */
import { CELL_HIDDEN, CELL_LOCKED } from "../cell_states.ts";
import { FLAG_GENERATED } from "../protocol.gen.ts";
import { colourOf, type Layer, type Scene } from "./scene.ts";

export interface OverviewSize {
  width: number;
  height: number;
}

export const overviewScale = (scene: Scene, size: OverviewSize): number =>
  size.width / Math.max(1, scene.bars.end);

const EDGE_PX = 2.5;
const HATCH_PX = 4;

/** Notes, and what bars are: painted when the document, the plan or the size changes. */
export function drawOverviewNotes(ctx: CanvasRenderingContext2D, scene: Scene, size: OverviewSize): void {
  const { notes, palette, lanes } = scene;
  ctx.fillStyle = palette.surface;
  ctx.fillRect(0, 0, size.width, size.height);
  const scale = overviewScale(scene, size);
  const share = (size.height - 4) / Math.max(1, lanes.length);
  drawRegions(ctx, scene, size, scale, share);
  for (const lane of lanes) {
    ctx.fillStyle = colourOf(palette, lane.track).levels[1] as string;
    const rows = Math.max(1, lane.pitches.length - 1);
    let drawnTo = -1;
    let drawnRow = -1;
    for (let i = notes.trackStarts[lane.track] ?? 0; i < (notes.trackStarts[lane.track + 1] ?? 0); i++) {
      const x = (notes.onsets[i] as number) * scale;
      const row = lane.rowOf[notes.pitches[i] as number] as number;
      const w = Math.max(1, (notes.durations[i] as number) * scale);
      if (row === drawnRow && x + w < drawnTo + 0.5) {
        continue; // already ink there
      }
      const y = 2 + share * lane.track + (1 - row / rows) * Math.max(0, share - 1.5);
      ctx.fillRect(x, y, w, Math.max(1, share / 8));
      drawnTo = x + w;
      drawnRow = row;
    }
  }
}

/** Runs of bars of a track for which a test holds. */
function eachRun(
  nBars: number,
  test: (bar: number) => boolean,
  visit: (first: number, end: number) => void,
): void {
  let from = -1;
  for (let bar = 0; bar <= nBars; bar++) {
    const on = bar < nBars && test(bar);
    if (on && from < 0) {
      from = bar;
    } else if (!on && from >= 0) {
      visit(from, bar);
      from = -1;
    }
  }
}

/**
 * Bars that the model wrote: tinted, with a line below; locked ones: grey, with a line above; hidden ones: hatched. The
 * lines run along the strip's own edges, so that they are seen with many tracks, too.
 */
function drawRegions(
  ctx: CanvasRenderingContext2D,
  scene: Scene,
  size: OverviewSize,
  scale: number,
  share: number,
): void {
  const { bars, palette, lanes } = scene;
  for (const { track } of lanes) {
    const y = 2 + share * track;
    const written = writtenBars(scene, track);
    const has = (bit: number) => (bar: number) => (scene.cellState(track, bar) & bit) !== 0;
    const span = (first: number, end: number): [x: number, w: number] => {
      const x = bars.start(first) * scale;
      return [x, Math.max(1, bars.start(end) * scale - x)];
    };
    eachRun(bars.n, has(CELL_LOCKED), (first, end) => {
      const [x, w] = span(first, end);
      ctx.fillStyle = palette.barLine;
      ctx.fillRect(x, y, w, share);
      ctx.fillStyle = palette.muted;
      ctx.fillRect(x, 0, w, EDGE_PX);
    });
    eachRun(
      bars.n,
      (bar) => written[bar] === 1,
      (first, end) => {
        const [x, w] = span(first, end);
        ctx.fillStyle = palette.accentSoft;
        ctx.fillRect(x, y, w, share);
        ctx.fillStyle = palette.accent;
        ctx.fillRect(x, size.height - EDGE_PX, w, EDGE_PX);
      },
    );
    eachRun(bars.n, has(CELL_HIDDEN), (first, end) => {
      const [x, w] = span(first, end);
      ctx.save();
      ctx.beginPath();
      ctx.rect(x, y, w, Math.max(2, share));
      ctx.clip();
      ctx.strokeStyle = palette.muted;
      ctx.lineWidth = 1;
      ctx.beginPath();
      for (let c = Math.floor(x / HATCH_PX) * HATCH_PX; c < x + w + share; c += HATCH_PX) {
        ctx.moveTo(c, y);
        ctx.lineTo(c - share, y + share);
      }
      ctx.stroke();
      ctx.restore();
    });
  }
}

/** 1 for bars of a track in which the last generation wrote notes. */
function writtenBars({ notes, bars }: Scene, track: number): Uint8Array {
  const written = new Uint8Array(bars.n);
  for (let i = notes.trackStarts[track] ?? 0; i < (notes.trackStarts[track + 1] ?? 0); i++) {
    if (((notes.flags[i] as number) & FLAG_GENERATED) !== 0) {
      written[bars.at(notes.onsets[i] as number)] = 1;
    }
  }
  return written;
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
    ctx.globalAlpha = 0.45;
    ctx.fillRect(0, 0, x, size.height);
    ctx.fillRect(x + w, 0, size.width - x - w, size.height);
    ctx.globalAlpha = 1;
    ctx.strokeStyle = palette.muted;
    ctx.lineWidth = 1.5;
    ctx.beginPath();
    ctx.roundRect(x + 0.75, 0.75, Math.max(6, w - 1.5), size.height - 1.5, 3);
    ctx.stroke();
    // what to take hold of
    ctx.fillStyle = palette.muted;
    for (const edge of [x + 2, x + Math.max(6, w - 1.5) - 3]) {
      ctx.fillRect(edge, size.height / 2 - 5, 2, 10);
    }
    ctx.fillStyle = palette.playhead;
    ctx.fillRect(scene.playhead * scale - 0.5, 0, 1, size.height);
  };
