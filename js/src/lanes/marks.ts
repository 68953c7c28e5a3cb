/**
 * Draws lanes. Three marks, told apart by shape: what is asked for is a hollow step as wide as its bar, what the
 * model announced a diamond, what the notes measure a filled column. Levels out of reach are hatched.
 */
import { type BarMap, tickToX, type Viewport } from "../coords.ts";
import { FONT, hairline, snap } from "../layers/scene.ts";
import type { Palette } from "../theme.ts";
import { shareOf } from "./curve.ts";

/** What a lane knows of one bar (or of the whole track). */
export interface Marks {
  requested: number | undefined;
  announced: number | undefined;
  measured: number | undefined;
  /** 0..1; undefined where nothing was asked for. */
  adherence: number | undefined;
  /** Levels within reach; undefined: all. */
  reach: readonly [low: number, high: number] | undefined;
  /** Will be written by Generate. */
  target: boolean;
}

export interface LaneRow {
  top: number;
  height: number;
  size: number;
  /** One value for the whole track. */
  wide: boolean;
  /** Values are names without an order: no columns. */
  nominal: boolean;
  marks(bar: number): Marks;
}

export interface LaneScene {
  view: Viewport;
  dpr: number;
  bars: BarMap;
  palette: Palette;
  /** Colour of the track. */
  colour: string;
  rows: readonly LaneRow[];
}

/** Room above the levels (for adherence) and below them. */
export const LANE_TOP = 18;
export const LANE_FLOOR = 5;
const HATCH = 5;
const NUMBER_MIN_PX = 30;
const DIAMOND = 4.5;

/** y of the top of a level, inside the canvas. */
export const levelY = (row: LaneRow, level: number): number =>
  row.top + row.height - LANE_FLOOR - shareOf(level, row.size) * (row.height - LANE_TOP - LANE_FLOOR);

interface Column {
  bar: number;
  x: number;
  w: number;
  marks: Marks;
}

export function drawLanes(ctx: CanvasRenderingContext2D, scene: LaneScene): void {
  for (const row of scene.rows) {
    const columns = columnsOf(scene, row);
    drawGround(ctx, scene, row, columns);
    for (const column of columns) {
      drawReach(ctx, scene, row, column);
      drawMeasured(ctx, scene, row, column);
    }
    drawRequested(ctx, scene, row, columns);
    for (const column of columns) {
      drawAnnounced(ctx, scene, row, column);
      drawAdherence(ctx, scene, row, column);
    }
  }
}

function columnsOf(scene: LaneScene, row: LaneRow): Column[] {
  const { view, bars } = scene;
  if (row.wide) {
    return [{ bar: -1, x: 0, w: Math.min(view.width, tickToX(view, bars.end)), marks: row.marks(-1) }];
  }
  const first = bars.at(view.left);
  const last = bars.at(view.left + view.width / view.scale);
  const columns: Column[] = [];
  for (let bar = first; bar <= last && bar < bars.n; bar++) {
    const x = snap(tickToX(view, bars.start(bar)), scene.dpr);
    const w = snap(tickToX(view, bars.start(bar + 1)), scene.dpr) - x;
    columns.push({ bar, x, w, marks: row.marks(bar) });
  }
  return columns;
}

/** Ground, bins, bar lines, and which bars will be written. */
function drawGround(
  ctx: CanvasRenderingContext2D,
  scene: LaneScene,
  row: LaneRow,
  columns: readonly Column[],
): void {
  const { palette, view, dpr } = scene;
  const line = hairline(dpr);
  ctx.fillStyle = palette.lane;
  ctx.fillRect(0, row.top, view.width, row.height);
  if (row.size <= 16) {
    ctx.fillStyle = palette.rowLine;
    for (let level = 0; level < row.size; level++) {
      ctx.fillRect(0, snap(levelY(row, level), dpr), view.width, line);
    }
  }
  ctx.fillStyle = palette.selectFill;
  for (const { x, w, marks } of columns) {
    if (marks.target) {
      ctx.fillRect(x, row.top, w, row.height);
    }
  }
  ctx.fillStyle = palette.barLine;
  for (const { x, w } of columns) {
    if (w >= 5) {
      ctx.fillRect(x, row.top, line, row.height);
    }
  }
  ctx.fillStyle = palette.border;
  ctx.fillRect(0, row.top + row.height - line, view.width, line);
}

/** Hatched: levels that the bars which stay make impossible. */
function drawReach(ctx: CanvasRenderingContext2D, scene: LaneScene, row: LaneRow, column: Column): void {
  const { reach } = column.marks;
  if (!reach) {
    return;
  }
  const high = levelY(row, reach[1]);
  const low = levelY(row, reach[0] - 1);
  const parts: [y: number, h: number, edge: number][] = [];
  if (reach[1] < row.size - 1) {
    parts.push([row.top, high - row.top, high]);
  }
  if (reach[0] > 0) {
    parts.push([low, row.top + row.height - low, low]);
  }
  ctx.strokeStyle = scene.palette.muted;
  ctx.lineWidth = 1;
  for (const [y, h, edge] of parts) {
    ctx.save();
    ctx.beginPath();
    ctx.rect(column.x, y, column.w, h);
    ctx.clip();
    ctx.globalAlpha = 0.55;
    ctx.beginPath();
    for (let c = Math.floor((column.x + y) / HATCH) * HATCH; c < column.x + column.w + y + h; c += HATCH) {
      ctx.moveTo(c - y, y);
      ctx.lineTo(c - y - h, y + h);
    }
    ctx.stroke();
    ctx.globalAlpha = 1;
    ctx.fillStyle = scene.palette.muted;
    ctx.fillRect(column.x, snap(edge, scene.dpr), column.w, hairline(scene.dpr));
    ctx.restore();
  }
}

function drawMeasured(ctx: CanvasRenderingContext2D, scene: LaneScene, row: LaneRow, column: Column): void {
  const { measured } = column.marks;
  if (measured === undefined) {
    return;
  }
  const { dpr } = scene;
  const y = snap(levelY(row, measured), dpr);
  const width = row.wide ? column.w : Math.max(2, Math.min(column.w * 0.5, 40));
  const x = snap(column.x + (column.w - width) / 2, dpr);
  const floor = row.top + row.height - LANE_FLOOR;
  ctx.fillStyle = scene.colour;
  if (row.nominal || row.wide) {
    ctx.fillRect(x, y, width, 3);
    ctx.globalAlpha = 0.3;
  }
  if (!row.nominal) {
    ctx.fillRect(x, y, snap(width, dpr), floor - y);
  }
  ctx.globalAlpha = 1;
}

/** The hollow step: a thick top, thin sides; dashed where Generate will not write. */
function drawRequested(
  ctx: CanvasRenderingContext2D,
  scene: LaneScene,
  row: LaneRow,
  columns: readonly Column[],
): void {
  const floor = row.top + row.height - LANE_FLOOR;
  ctx.strokeStyle = scene.palette.accent;
  columns.forEach(({ x, w, marks }, i) => {
    if (marks.requested === undefined) {
      return;
    }
    const y = levelY(row, marks.requested);
    ctx.setLineDash(marks.target ? [] : [4, 3]);
    ctx.lineWidth = 2.5;
    ctx.beginPath();
    ctx.moveTo(x, y);
    ctx.lineTo(x + w, y);
    ctx.stroke();
    ctx.lineWidth = 1.25;
    ctx.beginPath();
    // A side reaches down to the neighbour's step, or to the ground where there is none.
    const side = (at: number, neighbour: number | undefined): void => {
      const to = neighbour === undefined ? floor : levelY(row, neighbour);
      if (to > y) {
        ctx.moveTo(at, y);
        ctx.lineTo(at, to);
      }
    };
    if (!row.wide) {
      side(x + 0.6, columns[i - 1]?.marks.requested);
      side(x + w - 0.6, columns[i + 1]?.marks.requested);
    }
    ctx.stroke();
  });
  ctx.setLineDash([]);
}

function drawAnnounced(ctx: CanvasRenderingContext2D, scene: LaneScene, row: LaneRow, column: Column): void {
  const { announced } = column.marks;
  if (announced === undefined) {
    return;
  }
  const r = Math.min(DIAMOND, Math.max(2, column.w / 3));
  const x = column.x + Math.min(column.w / 2, row.wide ? 40 : column.w / 2);
  const y = levelY(row, announced);
  ctx.beginPath();
  ctx.moveTo(x, y - r);
  ctx.lineTo(x + r, y);
  ctx.lineTo(x, y + r);
  ctx.lineTo(x - r, y);
  ctx.closePath();
  ctx.lineWidth = 3;
  ctx.lineJoin = "round";
  ctx.strokeStyle = scene.palette.lane;
  ctx.stroke();
  ctx.fillStyle = scene.palette.text;
  ctx.fill();
}

/** How well the wish was met: a number, or in narrow bars a dot: full, half, hollow. */
function drawAdherence(ctx: CanvasRenderingContext2D, scene: LaneScene, row: LaneRow, column: Column): void {
  const { adherence } = column.marks;
  if (adherence === undefined || column.w < 7) {
    return;
  }
  const { palette } = scene;
  ctx.fillStyle = palette.text;
  if (column.w >= NUMBER_MIN_PX) {
    ctx.font = `600 9.5px ${FONT}`;
    ctx.textAlign = "right";
    ctx.textBaseline = "top";
    ctx.fillText(adherenceText(adherence), column.x + column.w - 4, row.top + 2.5);
    ctx.textAlign = "left";
    return;
  }
  const [x, y, r] = [column.x + column.w / 2, row.top + 6, 2.5];
  ctx.beginPath();
  ctx.arc(x, y, r, 0, 2 * Math.PI);
  ctx.lineWidth = 1;
  ctx.strokeStyle = palette.text;
  ctx.stroke();
  if (adherence >= 0.5) {
    ctx.beginPath();
    ctx.arc(x, y, r, Math.PI / 2, adherence >= 0.95 ? 2.5 * Math.PI : 1.5 * Math.PI);
    ctx.fill();
  }
}

/** 0..1 with two digits, as Python prints it: ".89", "1", "0". */
export const adherenceText = (value: number): string =>
  value >= 0.995 ? "1" : value < 0.005 ? "0" : value.toFixed(2).slice(1);
