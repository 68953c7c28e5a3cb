/** The strip between headers and lanes: note names, drum names, a keyboard where rows are tall enough. */
import { type Lane, rowTop } from "../coords.ts";
import { drumShort } from "../strings.ts";
import { FONT, hairline, type Layer, type Scene, snap, visibleLanes } from "./scene.ts";

export const KEYS_WIDTH = 58;
const BLACK = new Set([1, 3, 6, 8, 10]);
export const pitchNames = ["C", "C♯", "D", "E♭", "E", "F", "F♯", "G", "A♭", "A", "B♭", "B"];
const LABEL_GAP_PX = 11;

export const pitchName = (pitch: number): string => `${pitchNames[pitch % 12]}${Math.floor(pitch / 12) - 1}`;

export const drawKeys =
  (drumNames: Readonly<Record<string, string>>): Layer =>
  (ctx, scene) => {
    const { view, palette, dpr } = scene;
    for (const lane of visibleLanes(scene)) {
      if (!lane.drum && lane.rowHeight >= 6) {
        drawKeyboard(ctx, scene, lane);
      }
      drawLabels(ctx, scene, lane, drumNames);
      ctx.fillStyle = palette.border;
      const y = snap(lane.y + lane.height - view.top, dpr) - hairline(dpr);
      ctx.fillRect(0, y, KEYS_WIDTH, hairline(dpr));
    }
    ctx.fillStyle = palette.border;
    ctx.fillRect(KEYS_WIDTH - hairline(dpr), 0, hairline(dpr), view.height);
  };

function drawKeyboard(ctx: CanvasRenderingContext2D, scene: Scene, lane: Lane): void {
  const { palette, view, dpr } = scene;
  const width = 20;
  lane.pitches.forEach((pitch, row) => {
    const y = snap(rowTop(lane, row) - view.top, dpr);
    const h = snap(rowTop(lane, row) + lane.rowHeight - view.top, dpr) - y;
    ctx.fillStyle = BLACK.has(pitch % 12)
      ? palette.dark
        ? "#0b0c0f"
        : "#3a3f49"
      : palette.dark
        ? "#c9ccd3"
        : "#ffffff";
    ctx.fillRect(KEYS_WIDTH - width, y, BLACK.has(pitch % 12) ? width * 0.66 : width, h);
    ctx.fillStyle = palette.barLine;
    ctx.fillRect(KEYS_WIDTH - width, y + h - hairline(dpr), width, hairline(dpr));
  });
  ctx.fillRect(
    KEYS_WIDTH - width,
    rowTop(lane, lane.pitches.length - 1) - view.top,
    hairline(dpr),
    lane.height - 10,
  );
}

/** The drums a listener looks for first: their names win where not all fit. */
const DRUMS_FIRST = [36, 38, 42, 46, 49, 51, 39, 45, 50];

function drawLabels(
  ctx: CanvasRenderingContext2D,
  scene: Scene,
  lane: Lane,
  drumNames: Readonly<Record<string, string>>,
): void {
  const { palette, view } = scene;
  const size = lane.drum ? Math.min(10, Math.max(8, lane.rowHeight - 1)) : 10;
  const gap = lane.drum ? size : LABEL_GAP_PX;
  const top = lane.y - view.top;
  ctx.font = `${size}px ${FONT}`;
  ctx.textBaseline = "middle";
  ctx.textAlign = "right";
  ctx.fillStyle = palette.muted;
  const right = !lane.drum && lane.rowHeight >= 6 ? KEYS_WIDTH - 24 : KEYS_WIDTH - 6;
  const taken: number[] = [];
  for (const pitch of labelled(lane)) {
    const y = rowTop(lane, lane.rowOf[pitch] as number) + lane.rowHeight / 2 - view.top;
    const free = taken.every((other) => Math.abs(other - y) >= gap - 0.5);
    if (free && y > top + 4 && y < top + lane.height - 3) {
      const text = lane.drum ? (drumShort[pitch] ?? drumNames[pitch] ?? String(pitch)) : pitchName(pitch);
      ctx.fillText(text, right, y, KEYS_WIDTH - 8);
      taken.push(y);
    }
  }
  ctx.textAlign = "left";
}

/** Pitches that want a label, most wanted first. */
function labelled(lane: Lane): number[] {
  if (lane.drum) {
    const rank = (pitch: number): number => (DRUMS_FIRST.indexOf(pitch) + 100) % 100;
    return [...lane.pitches].sort((a, b) => rank(a) - rank(b));
  }
  const naturals = lane.rowHeight >= 12 ? lane.pitches.filter((pitch) => !BLACK.has(pitch % 12)) : [];
  return [
    ...lane.pitches.filter((pitch) => pitch % 12 === 0),
    ...naturals.filter((pitch) => pitch % 12 !== 0),
  ];
}
