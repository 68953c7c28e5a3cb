/**
 * Arithmetic of the roll: ticks <-> x, pitch <-> y, bar <-> x range, lanes. Pure: no DOM.
 * All lengths are CSS pixels; x and y are relative to the lane area (below the ruler, right of the headers).
 */

/** The real bar grid of a piece. */
export class BarMap {
  readonly n: number;
  /** Start tick of each bar, and the end of the last. */
  readonly starts: Float64Array;

  constructor(readonly bars: readonly (readonly [number, number, number, number])[]) {
    this.n = bars.length;
    this.starts = new Float64Array(this.n + 1);
    bars.forEach(([, , start], i) => {
      this.starts[i] = start;
    });
    const last = bars[this.n - 1];
    this.starts[this.n] = last ? last[2] + last[3] : 0;
  }

  get end(): number {
    return this.starts[this.n] ?? 0;
  }

  start(bar: number): number {
    return this.starts[Math.max(0, Math.min(this.n, bar))] ?? 0;
  }

  /** Bar that holds `tick`, clamped to the piece. */
  at(tick: number): number {
    let low = 0;
    let high = this.n - 1;
    while (low < high) {
      const mid = (low + high + 1) >>> 1;
      if ((this.starts[mid] as number) <= tick) {
        low = mid;
      } else {
        high = mid - 1;
      }
    }
    return Math.max(0, low);
  }

  numerator(bar: number): number {
    return this.bars[bar]?.[0] ?? 4;
  }

  denominator(bar: number): number {
    return this.bars[bar]?.[1] ?? 4;
  }

  /** Ticks between two beats of the bar's denominator. */
  beatTicks(bar: number): number {
    const ticks = this.bars[bar]?.[3] ?? 0;
    return ticks / Math.max(1, this.numerator(bar));
  }

  /** True where the metre differs from the bar before (and at the first bar). */
  changesMetre(bar: number): boolean {
    const here = this.bars[bar];
    const before = this.bars[bar - 1];
    return !!here && (!before || here[0] !== before[0] || here[1] !== before[1]);
  }
}

/** Ticks <-> seconds along a tempo map of [tick, microseconds per quarter]. */
export class TempoMap {
  private readonly ticks: number[] = [];
  private readonly times: number[] = [];
  private readonly perTick: number[] = [];

  constructor(map: readonly (readonly [number, number])[], resolution: number) {
    let seconds = 0;
    const rows = map.length > 0 ? map : ([[0, 500_000]] as const);
    rows.forEach(([tick, micros], i) => {
      if (i > 0) {
        seconds += (tick - (this.ticks[i - 1] as number)) * (this.perTick[i - 1] as number);
      }
      this.ticks.push(i === 0 ? Math.min(0, tick) : tick);
      this.times.push(seconds);
      this.perTick.push(micros / 1e6 / resolution);
    });
  }

  seconds(tick: number): number {
    const i = this.row(this.ticks, tick);
    return (this.times[i] as number) + (tick - (this.ticks[i] as number)) * (this.perTick[i] as number);
  }

  tick(seconds: number): number {
    const i = this.row(this.times, seconds);
    return (this.ticks[i] as number) + (seconds - (this.times[i] as number)) / (this.perTick[i] as number);
  }

  /** Quarter notes per minute at `tick`. */
  bpm(tick: number, resolution: number): number {
    return 60 / ((this.perTick[this.row(this.ticks, tick)] as number) * resolution);
  }

  private row(keys: number[], key: number): number {
    let low = 0;
    let high = keys.length - 1;
    while (low < high) {
      const mid = (low + high + 1) >>> 1;
      if ((keys[mid] as number) <= key) {
        low = mid;
      } else {
        high = mid - 1;
      }
    }
    return low;
  }
}

/** What part of the piece a view shows. */
export interface Viewport {
  /** Tick at x = 0. */
  left: number;
  /** Pixels per tick. */
  scale: number;
  /** Pixels scrolled down. */
  top: number;
  width: number;
  height: number;
}

export const tickToX = (view: Viewport, tick: number): number => (tick - view.left) * view.scale;
export const xToTick = (view: Viewport, x: number): number => view.left + x / view.scale;

export interface ViewLimits {
  endTick: number;
  resolution: number;
  contentHeight: number;
}

/** Most a quarter note may take: fine enough to see a 64th note. */
const MAX_QUARTER_PX = 480;

/** Scale at which the whole piece fits. */
export const fitScale = (view: Viewport, limits: ViewLimits): number =>
  view.width > 0 && limits.endTick > 0 ? view.width / limits.endTick : 0.1;

/** The nearest viewport inside the piece. */
export function clampView(view: Viewport, limits: ViewLimits): Viewport {
  const lowest = Math.min(fitScale(view, limits), MAX_QUARTER_PX / limits.resolution);
  const scale = Math.max(lowest, Math.min(MAX_QUARTER_PX / limits.resolution, view.scale));
  const left = Math.max(0, Math.min(limits.endTick - view.width / scale, view.left));
  const top = Math.max(0, Math.min(limits.contentHeight - view.height, view.top));
  return { ...view, scale, left, top };
}

/** Zooms time by `factor` so that the tick under `x` stays there. */
export function zoomAt(view: Viewport, factor: number, x: number, limits: ViewLimits): Viewport {
  const tick = xToTick(view, x);
  const zoomed = clampView({ ...view, scale: view.scale * factor }, limits);
  return clampView({ ...zoomed, left: tick - x / zoomed.scale }, limits);
}

/** Shows [from, to) with a little air on both sides. */
export function zoomTo(view: Viewport, from: number, to: number, limits: ViewLimits): Viewport {
  const span = Math.max(1, to - from);
  const air = span * 0.03;
  const scale = view.width / (span + 2 * air);
  const next = clampView({ ...view, scale }, limits);
  return clampView({ ...next, left: (from + to) / 2 - next.width / next.scale / 2 }, limits);
}

/** One track's strip of the roll. */
export interface Lane {
  track: number;
  /** Top, relative to the unscrolled lane area. */
  y: number;
  height: number;
  drum: boolean;
  expanded: boolean;
  /** Row of each pitch counted from the bottom, -1 when the lane has no row for it. */
  rowOf: Int16Array;
  /** Pitch of each row. */
  pitches: number[];
  rowHeight: number;
}

export const LANE_MIN = 64;
export const LANE_EXPANDED = 200;
/** Beside an expanded lane the others may shrink this far. */
export const LANE_SMALL = 52;
const LANE_PAD = 5;
const MIN_ROWS = 13;
const MIN_DRUM_ROWS = 4;
/** A lane with twice the rows gets more room, within these bounds. */
const ROWS_WEIGHT = { least: 12, most: 26 } as const;

/** Pitches a lane has rows for, lowest first. Drums: only those that sound. Melodic: a contiguous range. */
export function lanePitches(used: readonly number[], drum: boolean): number[] {
  const sorted = [...new Set(used)].sort((a, b) => a - b);
  if (drum) {
    const defaults = [36, 38, 42, 46];
    for (const pitch of defaults) {
      if (sorted.length >= MIN_DRUM_ROWS) {
        break;
      }
      if (!sorted.includes(pitch)) {
        sorted.push(pitch);
      }
    }
    return sorted.sort((a, b) => a - b);
  }
  let low = (sorted[0] ?? 55) - 1;
  let high = (sorted[sorted.length - 1] ?? 67) + 1;
  while (high - low + 1 < MIN_ROWS) {
    low -= 1;
    high += 1;
  }
  low = Math.max(0, low);
  high = Math.min(127, high);
  return Array.from({ length: high - low + 1 }, (_, i) => low + i);
}

/**
 * Heights of lanes with `rows` rows: shares of what is there, never below LANE_MIN. The expanded lane (index, or -1)
 * takes what it needs first.
 */
export function laneHeights(rows: readonly number[], available: number, expanded: number): number[] {
  const n = rows.length;
  const weigh = (count: number): number => Math.max(ROWS_WEIGHT.least, Math.min(ROWS_WEIGHT.most, count));
  if (expanded >= 0 && expanded < n) {
    const tall = Math.max(LANE_EXPANDED, available - (n - 1) * LANE_SMALL);
    const small = n > 1 ? Math.max(LANE_SMALL, Math.floor((available - tall) / (n - 1))) : 0;
    return rows.map((_, i) => (i === expanded ? tall : small));
  }
  const spare = Math.max(0, available - n * LANE_MIN);
  const total = rows.reduce((sum, count) => sum + weigh(count), 0);
  let sum = 0;
  return rows.map((count) => {
    const before = Math.floor((spare * sum) / Math.max(1, total));
    sum += weigh(count);
    return LANE_MIN + Math.floor((spare * sum) / Math.max(1, total)) - before;
  });
}

/** Rows of a lane that shows other tracks as well are at least this high. */
const FOCUS_ROW_PX = 7;

/** Pitches of the track in focus, and as many of the others' as there is room for. */
function focusPitches(
  tracks: readonly { drum: boolean; used: readonly number[] }[],
  focus: number,
  available: number,
): number[] {
  const drum = tracks[focus]?.drum ?? false;
  const own = tracks[focus]?.used ?? [];
  const others = tracks.filter((track) => track.drum === drum).flatMap(({ used }) => used);
  if (drum) {
    return lanePitches([...own, ...others], true);
  }
  const pitches = lanePitches(own, false);
  const most = Math.max(pitches.length, Math.floor((available - 2 * LANE_PAD) / FOCUS_ROW_PX));
  const [low, high] = [pitches[0] as number, pitches[pitches.length - 1] as number];
  const reach = (pitch: number): number => Math.max(low - pitch, pitch - high, 0);
  const shown = [...pitches];
  for (const pitch of [...new Set(others)].sort((a, b) => reach(a) - reach(b))) {
    const wider = lanePitches([...shown.slice(1, -1), pitch], false);
    if (wider.length > most) {
      break;
    }
    shown.splice(0, shown.length, ...wider);
  }
  return shown;
}

/** `focus`: the only track that has a lane (of all the height), -1 for all. */
export function layoutLanes(
  tracks: readonly { drum: boolean; used: readonly number[] }[],
  available: number,
  expanded: number,
  focus = -1,
): Lane[] {
  const alone = focus >= 0 && focus < tracks.length;
  const rows = tracks.map(({ drum, used }, i) =>
    i === focus ? focusPitches(tracks, focus, available) : lanePitches(used, drum),
  );
  const heights = alone
    ? rows.map((_, i) => (i === focus ? Math.max(LANE_EXPANDED, available) : 0))
    : laneHeights(
        rows.map((pitches) => pitches.length),
        available,
        expanded,
      );
  let y = 0;
  return tracks.map(({ drum }, track) => {
    const height = heights[track] ?? LANE_MIN;
    const pitches = rows[track] ?? [];
    const rowOf = new Int16Array(128).fill(-1);
    pitches.forEach((pitch, row) => {
      rowOf[pitch] = row;
    });
    const rowHeight = Math.max(0, (height - 2 * LANE_PAD) / pitches.length);
    const lane = { track, y, height, drum, expanded: track === expanded, rowOf, pitches, rowHeight };
    y += height;
    return lane;
  });
}

/** A track's lane, when it has one: beside a track in focus the others have none. */
export const laneOf = (lanes: readonly Lane[], track: number): Lane | null => {
  const lane = lanes[track];
  return lane && lane.height > 0 ? lane : null;
};

export const contentHeight = (lanes: readonly Lane[]): number => {
  const last = lanes[lanes.length - 1];
  return last ? last.y + last.height : 0;
};

/** Top of a row inside the lane area, before scrolling. */
export const rowTop = (lane: Lane, row: number): number =>
  lane.y + lane.height - LANE_PAD - (row + 1) * lane.rowHeight;

/** Row under `y` (unscrolled), or -1. */
export function rowAt(lane: Lane, y: number): number {
  const row = Math.floor((lane.y + lane.height - LANE_PAD - y) / lane.rowHeight);
  return row >= 0 && row < lane.pitches.length ? row : -1;
}

/** Lane under `y` (unscrolled), or null. */
export function laneAt(lanes: readonly Lane[], y: number): Lane | null {
  let low = 0;
  let high = lanes.length - 1;
  while (low <= high) {
    const mid = (low + high) >>> 1;
    const lane = lanes[mid] as Lane;
    if (y < lane.y) {
      high = mid - 1;
    } else if (y >= lane.y + lane.height) {
      low = mid + 1;
    } else {
      return lane;
    }
  }
  return null;
}

export interface Rect {
  x: number;
  y: number;
  w: number;
  h: number;
}

/** Rectangle of a (track, bar) cell on screen. */
export function cellRect(view: Viewport, bars: BarMap, lane: Lane, bar: number): Rect {
  const x = tickToX(view, bars.start(bar));
  return { x, y: lane.y - view.top, w: tickToX(view, bars.start(bar + 1)) - x, h: lane.height };
}
