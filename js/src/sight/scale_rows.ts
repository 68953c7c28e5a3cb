/** Rows of the key: those outside it darker, its first note tinted. Where the key changes, so do the rows. */
import { type Lane, rowTop, tickToX } from "../coords.ts";
import { hairline, type Layer, type Scene, snap, visibleBars, visibleLanes } from "../layers/scene.ts";
import { degrees, type Key, sameKey } from "./scale.ts";

const ROW_MIN_PX = 2.5;

export const scaleRows =
  (keyAt: (track: number, bar: number) => Key | null): Layer =>
  (ctx, scene) => {
    const [first, last] = visibleBars(scene);
    for (const lane of visibleLanes(scene)) {
      if (lane.drum || lane.rowHeight < ROW_MIN_PX) {
        continue;
      }
      let from = first;
      for (let bar = first; bar <= last; bar++) {
        const key = keyAt(lane.track, bar);
        if (bar === last || !sameKey(key, keyAt(lane.track, bar + 1))) {
          if (key) {
            drawSpan(ctx, scene, lane, from, bar + 1, key);
          }
          from = bar + 1;
        }
      }
    }
  };

function drawSpan(
  ctx: CanvasRenderingContext2D,
  scene: Scene,
  lane: Lane,
  from: number,
  to: number,
  key: Key,
): void {
  const { palette, view, bars, dpr } = scene;
  const kinds = degrees(key);
  const x = snap(Math.max(0, tickToX(view, bars.start(from))), dpr);
  const right = snap(Math.min(view.width, tickToX(view, bars.start(to))), dpr);
  lane.pitches.forEach((pitch, row) => {
    const kind = kinds[pitch % 12];
    const y = snap(rowTop(lane, row) - view.top, dpr);
    const h = snap(rowTop(lane, row) + lane.rowHeight - view.top, dpr) - y;
    // The lane's own rows show the black keys; here they show the key.
    ctx.fillStyle = lane.track % 2 === 0 ? palette.lane : palette.laneAlt;
    ctx.fillRect(x, y, right - x, h);
    if (kind !== 1) {
      ctx.fillStyle = kind === 2 ? palette.accentSoft : palette.beatLine;
      ctx.fillRect(x, y, right - x, h);
    }
    if (lane.rowHeight >= 9) {
      ctx.fillStyle = palette.rowLine;
      ctx.fillRect(x, y + h - hairline(dpr), right - x, hairline(dpr));
    }
  });
}
