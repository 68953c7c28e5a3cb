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

/** What one take has written so far. */
export interface TakeNotes {
  batches: Batch[];
  finished: Set<string>;
  ended: boolean;
}

const emptyTake = (): TakeNotes => ({ batches: [], finished: new Set(), ended: false });

export const ENDED: readonly JobState[] = ["done", "cancelled", "error"];

export class Job {
  state: JobState = "queued";
  /** The document's revision when it had ended; null when nobody said. */
  rev: number | null = null;
  cells: Cell[] = [];
  label = "";
  step = 0;
  nSteps = 0;
  window: [number, number] | null = null;
  tokens = 0;
  /** Side by side; one for a plain job. */
  takes: TakeNotes[] = [emptyTake()];
  /** The take that is seen and heard while it is written. */
  shown = 0;
  /** Its takes wait for a choice at the end. */
  waits = false;
  readonly sequence = new EventSequence<Sequenced>();

  constructor(
    readonly id: string,
    readonly startedAt: number,
    private readonly nTracks: number,
  ) {}

  get running(): boolean {
    return !ENDED.includes(this.state);
  }

  /** Written out of sight: the take before it stays until this one is complete. */
  get quiet(): boolean {
    return this.waits && this.takes.length === 1;
  }

  get batches(): readonly Batch[] {
    return this.quiet ? [] : (this.takes[this.shown]?.batches ?? []);
  }

  get finished(): ReadonlySet<string> {
    return this.takes[this.shown]?.finished ?? new Set();
  }

  /** 0..1 by finished cells of all takes. */
  get progress(): number {
    const done = this.takes.reduce((n, take) => n + take.finished.size, 0);
    return this.cells.length > 0 ? done / (this.cells.length * this.takes.length) : 0;
  }

  isFinished(track: number, bar: number): boolean {
    return !this.quiet && this.finished.has(`${track},${bar}`);
  }

  /** Applies one event that is due. */
  apply(event: JobEvent, buffers: readonly DataView[], now: number): void {
    switch (event.ev) {
      case "accepted":
        this.cells = event.cells;
        this.label = event.label;
        this.waits = event.takes !== undefined;
        this.expect(event.takes ?? 1);
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
        this.add(this.take(event.take), event.track, event.bar, buffers[0], event.count, now);
        break;
      case "bar":
        this.take(event.take).finished.add(`${event.track},${event.bar}`);
        break;
      case "reject":
        this.clear(this.take(event.take), event.cells);
        break;
      case "take":
        this.take(event.take).ended = true;
        break;
      case "done":
        this.state = "done";
        this.rev = event.rev;
        break;
      case "cancelled":
        this.state = "cancelled";
        this.rev = event.rev;
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
    const view = buffers[0];
    const count = view ? Math.floor(view.byteLength / NOTE_BYTES) : 0;
    const takes = picture.takes ?? [{ finished: picture.finished ?? [], count }];
    this.waits ||= picture.takes !== undefined;
    this.takes = [];
    let at = 0;
    for (const one of takes) {
      const take = emptyTake();
      take.finished = new Set(one.finished.map(([track, bar]) => `${track},${bar}`));
      this.takes.push(take);
      if (view) {
        const bytes = one.count * NOTE_BYTES;
        this.addByCell(take, new DataView(view.buffer, view.byteOffset + at, bytes), barOf, now);
        at += bytes;
      }
    }
    return this.sequence.skipTo(picture.n ?? 0);
  }

  private take(index = 0): TakeNotes {
    this.expect(index + 1);
    return this.takes[index] as TakeNotes;
  }

  private expect(count: number): void {
    while (this.takes.length < count) {
      this.takes.push(emptyTake());
    }
  }

  private add(
    take: TakeNotes,
    track: number,
    bar: number,
    view: DataView | undefined,
    count: number,
    now: number,
  ): void {
    if (view && count > 0) {
      take.batches.push({ track, bar, notes: unpackNotes(view, 0, count, this.nTracks), at: now });
    }
  }

  private addByCell(take: TakeNotes, view: DataView, barOf: (tick: number) => number, now: number): void {
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
      this.add(take, track, bar, new DataView(bytes.buffer), list.length, now - 1000);
    }
  }

  private clear(take: TakeNotes, cells: readonly Cell[]): void {
    const keys = new Set(cells.map(([track, bar]) => `${track},${bar}`));
    take.batches = take.batches.filter(({ track, bar }) => !keys.has(`${track},${bar}`));
    for (const key of keys) {
      take.finished.delete(key);
    }
  }
}
