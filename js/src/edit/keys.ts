/** What keys do to selected notes: nudge, lengthen, louder, quantise, delete, copy and paste. */
import type { Cell } from "../protocol.gen.ts";
import { Selection } from "../selection.ts";
import type { Store } from "../store.ts";
import { strings } from "../strings.ts";
import { type Bounds, copied, lengthened, louder, moved, quantised, spanTicks } from "./change.ts";
import { type Clip, placed, setClip } from "./clipboard.ts";
import { type EditNote, noteOf } from "./notes.ts";
import { describeNote, noteToAdd, stepFrom } from "./one_note.ts";
import { snapTicks } from "./snap.ts";

const VELOCITY_STEP = 8;
const OCTAVE = 12;

export class NoteKeys {
  /** The key for pasting was pressed: the clipboard's answer comes to `paste`. */
  wantPaste: () => void = () => {};

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
    const values = moved(notes, steps * this.grid, semitones * (octave ? OCTAVE : 1), this.bounds, this.grid);
    editor.notesEdit(strings.didMove(notes.length), [], values, semitones ? "pitch" : "time");
    this.say(values, strings.didMove(notes.length));
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
    this.say(values, strings.didResize(notes.length));
  }

  louder(sign: number): void {
    const { editor } = this.store;
    const notes = editor.selectedNotes;
    const values = louder(notes, sign * VELOCITY_STEP);
    editor.notesEdit(strings.didVelocity(notes.length), [], values, "velocity");
    this.say(values, strings.didVelocity(notes.length));
  }

  quantise(): void {
    const { editor, bars, editable } = this.store;
    const notes = this.chosen;
    if (!editable || notes.length === 0) {
      this.announce(editable ? strings.nothingSelected : strings.readonly);
      return;
    }
    const barOf = (tick: number) => [bars.start(bars.at(tick)), bars.start(bars.at(tick) + 1)] as const;
    const values = quantised(notes, this.grid, barOf, this.bounds);
    editor.notesEdit(strings.didQuantise(notes.length), [], values);
    this.say(values, strings.didQuantise(notes.length));
  }

  /** The next or previous note of the cursor's track: selected, heard, named. Answers its bar. */
  step(by: number, [track, bar]: Cell): Cell | null {
    const note = stepFrom(this.store, track, bar, by);
    if (!note) {
      this.announce(strings.noNotes);
      return null;
    }
    return this.point(note);
  }

  /** A note at the cursor, or behind the selected one. */
  add([track, bar]: Cell): Cell | null {
    const { store } = this;
    if (!store.editable || store.bars.n === 0) {
      this.announce(strings.readonly);
      return null;
    }
    const note = noteToAdd(store, track, bar, this.grid);
    store.editor.notesEdit(strings.didDraw, [], [note]);
    return this.point(note);
  }

  private point(note: EditNote): Cell {
    const { store } = this;
    store.editor.select([note.id]);
    store.player.audition(note.track, note.pitch, note.velocity);
    this.announce(describeNote(store, note));
    return [note.track, store.bars.at(note.onset)];
  }

  /** What became of the notes: one by what it is now, several by what was done. */
  private say(notes: readonly EditNote[], label: string): void {
    const [only] = notes;
    this.announce(only && notes.length === 1 ? describeNote(this.store, only) : label);
  }

  /** Selected notes, else the notes of the selected bars. */
  private get chosen(): EditNote[] {
    return this.active ? this.store.editor.selectedNotes : this.notesOfBars();
  }

  delete(): void {
    const { store } = this;
    const ids = this.chosen.map((note) => note.id);
    if (store.editable && ids.length > 0) {
      store.editor.notesEdit(strings.didErase(ids.length), ids, []);
      this.announce(strings.didErase(ids.length));
    }
  }

  copy(): void {
    const { bars, resolution, selection } = this.store;
    const notes = this.chosen;
    if (notes.length === 0) {
      this.announce(strings.nothingToCopy);
      return;
    }
    // bars are copied with their rests and silent tracks
    const span = this.active ? null : selection.barSpan();
    const track = span
      ? Math.min(...selection.tracks())
      : notes.reduce((least, note) => Math.min(least, note.track), 255);
    const bar = span?.[0] ?? bars.at(notes.reduce((least, { onset }) => Math.min(least, onset), bars.end));
    setClip({ resolution, track, start: bars.start(bar), notes });
    this.announce(strings.copied(notes.length));
  }

  cut(): void {
    this.copy();
    this.delete();
  }

  /** Copied notes, of this roll or another, from the cursor's bar and track on. */
  paste(clip: Clip | null, [track, bar]: Cell): void {
    const { bars, tracks, resolution, editable } = this.store;
    const place = { track, start: bars.start(bar), resolution, nTracks: tracks.length };
    const notes = clip && editable ? placed(clip, place) : [];
    if (notes.length === 0) {
      this.announce(strings.nothingToPaste);
      return;
    }
    this.put(strings.didPaste, notes, 0);
  }

  duplicate(): void {
    if (this.active) {
      const notes = this.store.editor.selectedNotes;
      this.put(strings.didCopy, notes, spanTicks(notes, this.grid));
    } else if (this.store.editable) {
      this.duplicateBars();
    } else {
      this.announce(strings.readonly);
    }
  }

  /** The notes of the selected bars once more, right after these; then the bars they went to are selected. */
  private duplicateBars(): void {
    const { store } = this;
    const { bars, editor, selection } = store;
    const [from, to] = selection.barSpan() ?? [0, 0];
    const copies = copied(this.notesOfBars(), bars.start(to) - bars.start(from), editor.newId, this.bounds);
    if (copies.length === 0) {
      const why = to < bars.n ? strings.nothingToCopy : strings.nothingFollows;
      this.announce(selection.size > 0 ? why : strings.nothingSelected);
      return;
    }
    editor.notesEdit(strings.didCopy(copies.length), [], copies);
    store.select(Selection.of(selection.cells().map(([track, bar]) => [track, bar + to - from])));
    this.announce(strings.didCopy(copies.length));
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
