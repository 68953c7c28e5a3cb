/** Where ticks of the document are in its file, and the other way round: bar by bar. Pure: no DOM. */
import type { Kept } from "./kept.ts";

export class FileClock {
  /** File tick of each bar, and of the end. */
  readonly starts: readonly number[];
  private readonly scale: number;

  /** `document`: start tick of each bar of the document, and its end. */
  constructor(
    kept: Kept,
    private readonly document: readonly number[],
    resolution: number,
  ) {
    this.scale = kept.ticksPerQuarter / resolution;
    const starts = [0];
    for (const length of kept.bars) {
      starts.push((starts[starts.length - 1] as number) + length);
    }
    this.starts = starts;
  }

  toFile(tick: number): number {
    const bar = lastAtOrBefore(this.document, tick, this.starts.length - 2);
    return (this.starts[bar] as number) + Math.round((tick - (this.document[bar] as number)) * this.scale);
  }

  /** The same for the end of a note, which a bar that is cut short cuts as well. */
  endToFile(tick: number): number {
    const bar = lastAtOrBefore(this.document, tick, this.starts.length - 2);
    return Math.min(this.toFile(tick), this.starts[bar + 1] as number);
  }

  toDocument(tick: number, whole: (value: number) => number = Math.round): number {
    const bar = lastAtOrBefore(this.starts, tick, this.starts.length - 2);
    return whole((this.document[bar] as number) + (tick - (this.starts[bar] as number)) / this.scale);
  }
}

function lastAtOrBefore(starts: readonly number[], tick: number, most: number): number {
  let [low, high] = [0, Math.max(0, most)];
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if ((starts[middle] as number) <= tick) {
      low = middle;
    } else {
      high = middle - 1;
    }
  }
  return low;
}
