/** What keys do to selected notes: nudge, lengthen, louder, quantise, delete, copy and paste. */
import type { Store } from "../store.ts";
import { strings } from "../strings.ts";
import { type Bounds, copied, lengthened, louder, moved, quantised, spanTicks } from "./change.ts";
import { type EditNote, noteOf } from "./notes.ts";
import { snapTicks } from "./snap.ts";

const VELOCITY_STEP = 8;
const OCTAVE = 12;

export class NoteKeys {
  constructor(
    private readonly store: Store,
    private readonly announce: (text: string) => void,
  ) {}

  /** Keys speak to notes while some are selected. */
  get active(): boolean {
    return this.store.editable && this.store.editor.selected.size > 0;
  }

  get grid(): number {
    return snapTicks(this.store.get("snap"), this.store.resolution);
  }

  private get bounds(): Bounds {
    return { end: this.store.bars.end };
  }

  /** Arrow keys: time by the grid, pitch by semitones (octaves with Shift). */
  nudge(steps: number, semitones: number, octave: boolean): void {
    const { editor, player } = this.store;
    const notes = editor.selectedNotes;
    const values = moved(notes, steps * this.grid, semitones * (octave ? OCTAVE : 1), this.bounds);
    editor.notesEdit(strings.didMove(notes.length), [], values, semitones ? "pitch" : "time");
    const [first] = values;
    if (first && semitones) {
      player.audition(first.track, first.pitch, first.velocity);
    }
  }

  lengthen(steps: number): void {
    const { editor } = this.store;
    const notes = editor.selectedNotes;
    const values = lengthened(notes, steps * this.grid, this.grid);
    editor.notesEdit(strings.didResize(notes.length), [], values, "length");
  }

  louder(sign: number): void {
    const { editor } = this.store;
    const notes = editor.selectedNotes;
    editor.notesEdit(strings.didVelocity(notes.length), [], louder(notes, sign * VELOCITY_STEP), "velocity");
  }

  quantise(): void {
    const { editor, bars } = this.store;
    const notes = editor.selectedNotes;
    const values = quantised(notes, this.grid, (tick) => bars.start(bars.at(tick)), this.bounds);
    editor.notesEdit(strings.didQuantise(notes.length), [], values);
  }

  /** Selected notes, else the notes of the selected bars. */
  delete(): void {
    const { store } = this;
    const ids = this.active ? [...store.editor.selected] : this.notesOfBars().map((note) => note.id);
    if (store.editable && ids.length > 0) {
      store.editor.notesEdit(strings.didErase(ids.length), ids, []);
      this.announce(strings.didErase(ids.length));
    }
  }

  copy(): void {
    const { editor } = this.store;
    const notes = this.active ? editor.selectedNotes : this.notesOfBars();
    if (notes.length > 0) {
      editor.clipboard = notes;
      this.announce(strings.copied(notes.length));
    }
  }

  cut(): void {
    this.copy();
    this.delete();
  }

  /** Copied notes at the bar of the cursor, on the tracks they came from. */
  paste(bar: number): void {
    const { editor, bars, tracks } = this.store;
    const notes = editor.clipboard.filter((note) => note.track < tracks.length);
    if (notes.length === 0 || !this.store.editable) {
      this.announce(strings.nothingToPaste);
      return;
    }
    const first = Math.min(...notes.map((note) => note.onset));
    this.put(strings.didPaste, notes, bars.start(bar) - bars.start(bars.at(first)));
  }

  duplicate(): void {
    const notes = this.active ? this.store.editor.selectedNotes : [];
    if (notes.length > 0) {
      this.put(strings.didCopy, notes, spanTicks(notes, this.grid));
    }
  }

  selectAll(track: number): void {
    const { notes, editor } = this.store;
    const rows: number[] = [];
    for (let row = notes.trackStarts[track] ?? 0; row < (notes.trackStarts[track + 1] ?? 0); row++) {
      rows.push(notes.ids[row] as number);
    }
    editor.select(rows);
    this.announce(strings.notesSelected(rows.length));
  }

  private put(label: (n: number) => string, notes: readonly EditNote[], ticks: number): void {
    const { editor } = this.store;
    const copies = copied(notes, ticks, editor.newId, this.bounds);
    editor.notesEdit(label(copies.length), [], copies);
    editor.select(copies.map((note) => note.id));
    this.announce(label(copies.length));
  }

  private notesOfBars(): EditNote[] {
    const { notes, bars, selection } = this.store;
    return selection.cells().flatMap(([track, bar]) => {
      const found: EditNote[] = [];
      for (
        let row = notes.lowerBound(track, bars.start(bar));
        row < notes.lowerBound(track, bars.start(bar + 1));
        row++
      ) {
        found.push(noteOf(notes, row));
      }
      return found;
    });
  }
}
