/** Playing: usual speeds, and how the view follows the playhead. Pure: no DOM. */
import type { Viewport } from "./coords.ts";

export const SPEEDS = [0.25, 0.5, 0.75, 0.9, 1, 1.1, 1.25, 1.5, 2] as const;

/** The next faster (1) or slower (-1) one. */
export function nextSpeed(now: number, direction: 1 | -1): number {
  const beyond = SPEEDS.filter((speed) => (speed - now) * direction > 0.001);
  return (direction > 0 ? beyond[0] : beyond[beyond.length - 1]) ?? now;
}

/** Page by page, with the playhead in the middle, or not at all. */
export const FOLLOW = ["page", "centre", "off"] as const;

const PAGE_AT = 0.92;
const PAGE_TO = 0.06;

/** Left edge (ticks) of the window that follows a playhead at `tick`. */
export function followed(
  { left, width, scale }: Viewport,
  tick: number,
  mode: (typeof FOLLOW)[number],
): number {
  const x = (tick - left) * scale;
  if (mode === "centre") {
    return tick - width / 2 / scale;
  }
  return mode === "page" && (x > width * PAGE_AT || x < 0) ? tick - (width * PAGE_TO) / scale : left;
}
