/** Sets of (track, bar) cells: arithmetic, and their description in words. Pure: no DOM. */
import type { Cell } from "./protocol.gen.ts";
import { strings } from "./strings.ts";

/** A set of cells with value semantics: every operation returns a new one. */
export class Selection {
  static readonly empty = new Selection(new Set());

  /** Keys are track * 65536 + bar. */
  private constructor(private readonly keys: ReadonlySet<number>) {}

  static of(cells: Iterable<Cell>): Selection {
    const keys = new Set<number>();
    for (const [track, bar] of cells) {
      keys.add(keyOf(track, bar));
    }
    return new Selection(keys);
  }

  /** All cells of the rectangle spanned by two corners, in any order. */
  static rectangle(a: Cell, b: Cell): Selection {
    const cells: Cell[] = [];
    for (let track = Math.min(a[0], b[0]); track <= Math.max(a[0], b[0]); track++) {
      for (let bar = Math.min(a[1], b[1]); bar <= Math.max(a[1], b[1]); bar++) {
        cells.push([track, bar]);
      }
    }
    return Selection.of(cells);
  }

  get size(): number {
    return this.keys.size;
  }

  has(track: number, bar: number): boolean {
    return this.keys.has(keyOf(track, bar));
  }

  union(other: Selection): Selection {
    return new Selection(new Set([...this.keys, ...other.keys]));
  }

  without(other: Selection): Selection {
    return new Selection(new Set([...this.keys].filter((key) => !other.keys.has(key))));
  }

  /** Cells in exactly one of the two. */
  toggled(other: Selection): Selection {
    return this.without(other).union(other.without(this));
  }

  contains(other: Selection): boolean {
    return [...other.keys].every((key) => this.keys.has(key));
  }

  equals(other: Selection): boolean {
    return this.size === other.size && this.contains(other);
  }

  /** Only cells that exist. */
  within(nTracks: number, nBars: number): Selection {
    const inside = this.cells().filter(([track, bar]) => track < nTracks && bar < nBars);
    return inside.length === this.size ? this : Selection.of(inside);
  }

  /** By track, then bar. */
  cells(): Cell[] {
    return [...this.keys].sort((a, b) => a - b).map((key) => [Math.floor(key / 65536), key % 65536]);
  }

  tracks(): number[] {
    return [...new Set(this.cells().map(([track]) => track))];
  }

  /** Bars selected on `track`, or on any track. */
  bars(track?: number): number[] {
    const bars = this.cells().filter(([t]) => track === undefined || t === track);
    return [...new Set(bars.map(([, bar]) => bar))].sort((a, b) => a - b);
  }

  /** First and last selected bar (end excluded), null when empty. */
  barSpan(): [number, number] | null {
    const bars = this.bars();
    return bars.length > 0 ? [bars[0] as number, (bars[bars.length - 1] as number) + 1] : null;
  }
}

const keyOf = (track: number, bar: number): number => track * 65536 + bar;

/** "1–4, 7" for [0, 1, 2, 3, 6]: bars as musicians count them. */
export function barRanges(bars: readonly number[]): string {
  const parts: string[] = [];
  let i = 0;
  while (i < bars.length) {
    let j = i;
    while (j + 1 < bars.length && bars[j + 1] === (bars[j] as number) + 1) {
      j++;
    }
    const from = (bars[i] as number) + 1;
    const to = (bars[j] as number) + 1;
    parts.push(from === to ? `${from}` : `${from}–${to}`);
    i = j + 1;
  }
  return parts.join(", ");
}

/** "bars 5–8, Bass" */
export function describe(selection: Selection, names: readonly string[], nBars: number): string {
  const tracks = selection.tracks();
  const first = tracks[0];
  if (first === undefined) {
    return "";
  }
  const bars = selection.bars();
  const ragged = tracks.some((track) => selection.bars(track).length !== bars.length);
  const who =
    tracks.length === names.length && names.length > 1
      ? strings.allTracks
      : tracks.length <= 2
        ? tracks.map((track) => names[track] ?? strings.track(track)).join(" + ")
        : strings.nTracks(tracks.length);
  if (ragged) {
    return strings.raggedCells(selection.size, who);
  }
  const ranges = barRanges(bars);
  const where =
    bars.length === nBars && nBars > 1
      ? strings.allBars
      : ranges.length > 24
        ? strings.nBars(bars.length)
        : strings.barsNamed(ranges, bars.length);
  return strings.whereWho(where, who);
}
