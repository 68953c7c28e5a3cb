/** How each track sounds and looks in this page: muted, alone, how loud, which colour. Never part of the piece. */
import type { Palette } from "./theme.ts";

const FULL = 100;

export class Mix {
  readonly muted = new Set<number>();
  readonly soloed = new Set<number>();
  readonly volumes = new Map<number, number>();
  /** Colour by place in the palette, where it is not the track's own. */
  readonly colours = new Map<number, number>();

  audible(track: number): boolean {
    return this.soloed.size > 0 ? this.soloed.has(track) : !this.muted.has(track);
  }

  /** MIDI volume for the slider: 100 where nobody has set one. */
  shownVolume(track: number): number {
    return this.volumes.get(track) ?? FULL;
  }

  /** The palette with the colours that were chosen. */
  coloured(palette: Palette): Palette {
    const { tracks } = palette;
    const last = Math.max(-1, ...this.colours.keys());
    const rows = Math.ceil((last + 1) / tracks.length) * tracks.length;
    const at = (i: number): Palette["tracks"][number] =>
      tracks[(this.colours.get(i) ?? i) % tracks.length] as Palette["tracks"][number];
    return rows === 0 ? palette : { ...palette, tracks: Array.from({ length: rows }, (_, i) => at(i)) };
  }

  /** Tracks have new places: `order[new]` is the old one, -1 for a new track. */
  reorder(order: readonly number[]): void {
    for (const set of [this.muted, this.soloed]) {
      const before = new Set(set);
      set.clear();
      order.forEach((old, track) => {
        if (before.has(old)) {
          set.add(track);
        }
      });
    }
    for (const map of [this.volumes, this.colours]) {
      const before = new Map(map);
      map.clear();
      order.forEach((old, track) => {
        const value = before.get(old);
        if (value !== undefined) {
          map.set(track, value);
        }
      });
    }
  }
}
