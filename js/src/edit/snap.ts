/** TABLE: the grids that notes snap to. A name, and how many ticks of a whole note. Pure. */

export const SNAPS: Readonly<Record<string, number>> = {
  "1/1": 1,
  "1/2": 1 / 2,
  "1/4": 1 / 4,
  "1/8": 1 / 8,
  "1/16": 1 / 16,
  "1/32": 1 / 32,
  "1/4T": 1 / 6,
  "1/8T": 1 / 12,
  "1/16T": 1 / 24,
  off: 0,
};

/** Ticks between two lines; 1 when snapping is off. */
export const snapTicks = (name: string, resolution: number): number =>
  Math.max(1, (SNAPS[name] ?? 1 / 16) * 4 * resolution);

/** The grid line at or before a tick (`nearest`: the nearest), counted from the start of its bar. */
export function snapped(tick: number, barStart: number, grid: number, nearest: boolean): number {
  const steps = (tick - barStart) / grid;
  return barStart + (nearest ? Math.round(steps) : Math.floor(steps + 1e-6)) * grid;
}
