/** What the page knows of a running generation: cells, progress and provisional notes. Pure. */
import { EventSequence } from "./event_sequence.ts";
import { type NoteTable, unpackNotes } from "./note_table.ts";
import {
  type Cell,
  type JobEvent,
  type JobState,
  NOTE_BYTES,
  NOTE_LAYOUT,
  type OkAnswer,
} from "./protocol.gen.ts";

/** Notes of one cell that arrived together. */
export interface Batch {
  track: number;
  bar: number;
  notes: NoteTable;
  /** Page time (ms) of arrival, for the pop-in. */
  at: number;
}

export interface Sequenced {
  n: number;
  event: JobEvent;
  buffers: DataView[];
}

export const ENDED: readonly JobState[] = ["done", "cancelled", "error"];

export class Job {
  state: JobState = "queued";
  cells: Cell[] = [];
  label = "";
  step = 0;
  nSteps = 0;
  window: [number, number] | null = null;
  tokens = 0;
  batches: Batch[] = [];
  readonly finished = new Set<string>();
  readonly sequence = new EventSequence<Sequenced>();

  constructor(
    readonly id: string,
    readonly startedAt: number,
    private readonly nTracks: number,
  ) {}

  get running(): boolean {
    return !ENDED.includes(this.state);
  }

  /** 0..1 by finished cells. */
  get progress(): number {
    return this.cells.length > 0 ? this.finished.size / this.cells.length : 0;
  }

  isFinished(track: number, bar: number): boolean {
    return this.finished.has(`${track},${bar}`);
  }

  /** Applies one event that is due. */
  apply(event: JobEvent, buffers: readonly DataView[], now: number): void {
    switch (event.ev) {
      case "accepted":
        this.cells = event.cells;
        this.label = event.label;
        break;
      case "step":
        this.state = this.state === "cancelling" ? this.state : "running";
        this.step = event.step;
        this.nSteps = event.n_steps;
        this.window = event.window;
        break;
      case "tok":
        this.state = this.state === "cancelling" ? this.state : "running";
        this.tokens = event.tokens;
        break;
      case "notes":
        this.add(event.track, event.bar, buffers[0], event.count, now);
        break;
      case "bar":
        this.finished.add(`${event.track},${event.bar}`);
        break;
      case "reject":
        this.clear(event.cells);
        break;
      case "done":
        this.state = "done";
        break;
      case "cancelled":
        this.state = "cancelled";
        break;
      case "error":
        this.state = "error";
        break;
    }
  }

  /** Replaces what is known by the kernel's whole picture; returns held events that follow it. */
  restore(
    picture: OkAnswer,
    buffers: readonly DataView[],
    barOf: (tick: number) => number,
    now: number,
  ): Sequenced[] {
    this.state = picture.state ?? this.state;
    this.cells = picture.cells ?? this.cells;
    this.label = picture.label ?? this.label;
    this.tokens = picture.tokens ?? this.tokens;
    this.finished.clear();
    for (const [track, bar] of picture.finished ?? []) {
      this.finished.add(`${track},${bar}`);
    }
    this.batches = [];
    const view = buffers[0];
    if (view) {
      this.addByCell(view, barOf, now);
    }
    return this.sequence.skipTo(picture.n ?? 0);
  }

  private add(track: number, bar: number, view: DataView | undefined, count: number, now: number): void {
    if (view && count > 0) {
      this.batches.push({ track, bar, notes: unpackNotes(view, 0, count, this.nTracks), at: now });
    }
  }

  private addByCell(view: DataView, barOf: (tick: number) => number, now: number): void {
    const rows = new Map<string, number[]>();
    const all = Math.floor(view.byteLength / NOTE_BYTES);
    for (let row = 0; row < all; row++) {
      const at = row * NOTE_BYTES;
      const key = `${view.getUint8(at + NOTE_LAYOUT.track.offset)},${barOf(view.getUint32(at + NOTE_LAYOUT.onset.offset, true))}`;
      rows.set(key, [...(rows.get(key) ?? []), row]);
    }
    for (const [key, list] of rows) {
      const [track = 0, bar = 0] = key.split(",").map(Number);
      const bytes = new Uint8Array(list.length * NOTE_BYTES);
      list.forEach((row, i) => {
        bytes.set(
          new Uint8Array(view.buffer, view.byteOffset + row * NOTE_BYTES, NOTE_BYTES),
          i * NOTE_BYTES,
        );
      });
      this.add(track, bar, new DataView(bytes.buffer), list.length, now - 1000);
    }
  }

  private clear(cells: readonly Cell[]): void {
    const keys = new Set(cells.map(([track, bar]) => `${track},${bar}`));
    this.batches = this.batches.filter(({ track, bar }) => !keys.has(`${track},${bar}`));
    for (const key of keys) {
      this.finished.delete(key);
    }
  }
}
