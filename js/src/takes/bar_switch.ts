/** Other notes from the next bar line on, without a gap: what sounded goes on sounding until then. Pure. */
import type { BarMap } from "../coords.ts";
import type { NoteTable } from "../note_table.ts";
import type { NoteSource } from "../playback/scheduler.ts";

export class BarSwitch {
  private held: { notes: NoteTable; until: number } | null = null;
  /** End of what has been handed to the sound. */
  private reached = 0;

  /** Called when the new notes have taken over. */
  constructor(private readonly onSwitch: () => void = () => {}) {}

  get waiting(): boolean {
    return this.held !== null;
  }

  /** `notes` sound on until the next bar line, or (`pass`) until the loop begins again. */
  hold(notes: NoteTable, bars: BarMap, pass = false): void {
    if (this.held) {
      return; // still the same bar: what sounds is held already
    }
    const bar = bars.at(this.reached);
    const line = bars.start(bar) >= this.reached ? bars.start(bar) : bars.start(bar + 1);
    this.held = { notes, until: pass ? Number.POSITIVE_INFINITY : line };
  }

  release(): void {
    if (this.held) {
      this.held = null;
      this.onSwitch();
    }
  }

  /** The source to play from; `of` makes one of notes (of those that are shown, when there are none given). */
  source(of: (notes?: NoteTable) => NoteSource): NoteSource {
    const shown = of();
    return {
      ...shown,
      notesBetween: (from, to, visit) => {
        // a jump (a new pass of the loop, a seek) or the bar line itself
        if (this.held && (from !== this.reached || from >= this.held.until)) {
          this.release();
        }
        this.reached = to;
        const { held } = this;
        if (!held) {
          of().notesBetween(from, to, visit);
          return;
        }
        const middle = Math.min(to, held.until);
        of(held.notes).notesBetween(from, middle, visit);
        if (middle < to) {
          this.release();
          of().notesBetween(middle, to, visit);
        }
      },
    };
  }
}
