/** Arithmetic of a drawn curve: heights <-> levels, and the bars a stroke touches. Pure: no DOM. */
import type { BarMap } from "../coords.ts";

/** A point of a lane: where in time, and how high, 0 (bottom) to 1 (top). */
export interface LanePoint {
  tick: number;
  share: number;
}

/** A wish for a bar (-1: for the whole track); null takes it away. */
export type Entry = readonly [bar: number, level: number | null];

/** Level whose band holds a height; bands are equally high, level 0 at the bottom. */
export const levelAt = (share: number, size: number): number =>
  Math.max(0, Math.min(size - 1, Math.floor(share * size)));

/** Height of the top of a level's band: 0 < share <= 1, so that the lowest level is seen, too. */
export const shareOf = (level: number, size: number): number => (level + 1) / size;

const barOf = (bars: BarMap, tick: number): number =>
  bars.at(Math.max(0, Math.min(bars.end - 1, Math.round(tick))));

const middle = (bars: BarMap, bar: number): number => (bars.start(bar) + bars.start(bar + 1)) / 2;

/** Height of the straight line between two points at a tick. */
function lineAt(a: LanePoint, b: LanePoint, tick: number): number {
  const span = b.tick - a.tick;
  return span === 0 ? b.share : a.share + ((b.share - a.share) * (tick - a.tick)) / span;
}

/** Bars that a pen passes on its way from `from` to `to`, with the level of each: the pen's own bar comes last. */
export function freehand(bars: BarMap, from: LanePoint, to: LanePoint, size: number): Entry[] {
  const first = barOf(bars, from.tick);
  const last = barOf(bars, to.tick);
  const step = Math.sign(last - first);
  const entries: Entry[] = [];
  // The bar where the pen was has its level already; those between get what the pen would have drawn.
  for (let bar = first + step; step !== 0 && bar !== last; bar += step) {
    entries.push([bar, levelAt(lineAt(from, to, middle(bars, bar)), size)]);
  }
  return [...entries, [last, levelAt(to.share, size)]];
}

/**
 * What a bar keeps when a pen leaves it: the level at its middle where the pen went straight through, however slowly;
 * null where it went its own way there (then the level that it had last stays). `path`: where it was in the bar.
 */
export function leftBehind(
  bars: BarMap,
  path: readonly LanePoint[],
  to: LanePoint,
  size: number,
): Entry | null {
  const [from] = path;
  if (!from) {
    return null;
  }
  const bar = barOf(bars, from.tick);
  const at = middle(bars, bar);
  const through = at >= Math.min(from.tick, to.tick) && at <= Math.max(from.tick, to.tick);
  const straight = path.every((point) => Math.abs(lineAt(from, to, point.tick) - point.share) <= 0.5 / size);
  return through && straight ? [bar, levelAt(lineAt(from, to, at), size)] : null;
}

/** A straight line from `from` to `to`: both ends exact, the bars between in even steps. */
export function ramp(bars: BarMap, from: LanePoint, to: LanePoint, size: number): Entry[] {
  const [a, b] = from.tick <= to.tick ? [from, to] : [to, from];
  const first = barOf(bars, a.tick);
  const last = barOf(bars, b.tick);
  const low = levelAt(a.share, size);
  const high = levelAt(b.share, size);
  return Array.from({ length: last - first + 1 }, (_, i): Entry => {
    const share = last === first ? 1 : i / (last - first);
    const level = first === last ? levelAt(to.share, size) : Math.round(low + (high - low) * share);
    return [first + i, level];
  });
}

/** Bars between two ticks, cleared. */
export function cleared(bars: BarMap, from: number, to: number): Entry[] {
  const [first, last] = [barOf(bars, Math.min(from, to)), barOf(bars, Math.max(from, to))];
  return Array.from({ length: last - first + 1 }, (_, i): Entry => [first + i, null]);
}

/** Bars with their levels moved up or down together: as far as all of them stay within the scale. */
export function raised(known: readonly Entry[], steps: number, size: number): Entry[] {
  const levels = known.flatMap(([, level]) => (level === null ? [] : [level]));
  const by = Math.max(-Math.min(...levels), Math.min(size - 1 - Math.max(...levels), steps));
  return known.map(([bar, level]): Entry => [bar, level === null ? null : level + by]);
}

export const filled = (bars: readonly number[], level: number | null): Entry[] =>
  bars.map((bar) => [bar, level]);

/** Any level within reach for each bar. */
export const randomised = (
  bars: readonly number[],
  reach: (bar: number) => readonly [low: number, high: number],
  random: () => number = Math.random,
): Entry[] =>
  bars.map((bar) => {
    const [low, high] = reach(bar);
    return [bar, Math.min(high, low + Math.floor(random() * (high - low + 1)))];
  });

/** Mean of what is known; null when nothing is. */
export function mean(values: readonly (number | undefined)[]): number | null {
  const known = values.filter((value): value is number => value !== undefined);
  return known.length > 0 ? known.reduce((a, b) => a + b, 0) / known.length : null;
}
