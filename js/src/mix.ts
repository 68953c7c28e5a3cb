/**
 * How each track sounds and looks: muted, alone, how loud, which colour. Never part of the piece and of its undo.
 * Settings belong to a track, not to its place: the document numbers its tracks (`TrackInfo.id`), so that they
 * follow it through moves, undo and redo; the kernel keeps them in a trait for a page that is loaded again.
 */
import type { TrackInfo, TrackMix } from "./protocol.gen.ts";
import type { Palette } from "./theme.ts";

const FULL = 100;

export type MixState = Readonly<Record<string, TrackMix>>;

export class Mix {
  /** Which track is at each place. */
  private ids: readonly string[] = [];
  private copying: { from: string; known: ReadonlySet<string> } | null = null;

  constructor(
    private readonly read: () => MixState,
    private readonly write: (state: MixState) => void,
  ) {}

  /** A document came; true when tracks have other places. The copy that was asked for begins as its original. */
  follow(tracks: readonly TrackInfo[]): boolean {
    const before = this.ids;
    this.ids = tracks.map(({ id }, i) => String(id ?? i));
    const { copying } = this;
    const fresh = copying && this.ids.find((id) => !copying.known.has(id));
    if (copying && fresh) {
      this.copying = null;
      const own = this.read()[copying.from];
      if (own) {
        this.write({ ...this.read(), [fresh]: { ...own } });
      }
    }
    return before.join() !== this.ids.join();
  }

  /** The next new track is a copy of this one. */
  copies(track: number): void {
    this.copying = { from: this.ids[track] ?? "", known: new Set(this.ids) };
  }

  of(track: number): TrackMix {
    return this.read()[this.ids[track] ?? ""] ?? {};
  }

  set(track: number, change: TrackMix): void {
    const id = this.ids[track];
    if (id !== undefined) {
      this.write({ ...this.read(), [id]: { ...this.of(track), ...change } });
    }
  }

  get muted(): ReadonlySet<number> {
    return this.places((own) => own.muted);
  }

  get soloed(): ReadonlySet<number> {
    return this.places((own) => own.soloed);
  }

  audible(track: number): boolean {
    const { soloed } = this;
    return soloed.size > 0 ? soloed.has(track) : !this.of(track).muted;
  }

  /** MIDI volume for the slider: 100 where nobody has set one. */
  shownVolume(track: number): number {
    return this.of(track).volume ?? FULL;
  }

  /** The palette with the colours that were chosen. */
  coloured(palette: Palette): Palette {
    const { tracks } = palette;
    const chosen = this.ids.map((_, track) => this.of(track).colour !== undefined);
    const rows = Math.ceil((chosen.lastIndexOf(true) + 1) / tracks.length) * tracks.length;
    const at = (i: number): Palette["tracks"][number] =>
      tracks[(this.of(i).colour ?? i) % tracks.length] as Palette["tracks"][number];
    return rows === 0 ? palette : { ...palette, tracks: Array.from({ length: rows }, (_, i) => at(i)) };
  }

  private places(holds: (own: TrackMix) => boolean | undefined): ReadonlySet<number> {
    const places = this.ids.keys();
    return new Set([...places].filter((track) => holds(this.of(track))));
  }
}
