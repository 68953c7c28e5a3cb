/** Places in the piece as a musician names them. Pure: no DOM. */
import type { BarMap } from "./coords.ts";

/** Bar and beat of the playhead, counted from one. */
export function positionText({ bars, player }: { bars: BarMap; player: { position: number } }): string {
  const bar = bars.at(player.position);
  const beat = Math.floor((player.position - bars.start(bar)) / Math.max(1, bars.beatTicks(bar)));
  return `${bar + 1}.${Math.max(0, beat) + 1}`;
}

/** The nearest beat inside the piece, or the tick itself (`free`). */
export function nearestBeat(bars: BarMap, tick: number, free: boolean): number {
  const inside = Math.max(0, Math.min(bars.end - 1, tick));
  if (free) {
    return inside;
  }
  const bar = bars.at(inside);
  const beat = Math.max(1, bars.beatTicks(bar));
  return Math.min(bars.end - 1, bars.start(bar) + Math.round((inside - bars.start(bar)) / beat) * beat);
}
