/** Open takes: which one is shown and heard, which bars are held to another one, and what becomes of them. */
import type { Job } from "../job.ts";
import { type NoteTable, unpackNotes } from "../note_table.ts";
import type { NoteSource } from "../playback/scheduler.ts";
import type { Cell, TakeInfo } from "../protocol.gen.ts";
import type { Store } from "../store.ts";
import { BarSwitch } from "./bar_switch.ts";
import { cellKey, type Mixed, mixed, together } from "./mix.ts";

/** A card: an open take, or one that is being written. */
export interface Card {
  number: number;
  info: TakeInfo | null;
  notes: NoteTable | null;
  cells: readonly Cell[];
  shown: boolean;
}

const ORIGINAL = "";

export class Takes {
  /** While the loop plays, a new take comes with every pass. */
  keepGoing = false;

  private readonly tables = new Map<string, NoteTable>();
  private readonly voice = new BarSwitch(() => this.goOn());
  private cache: (Mixed & { base: NoteTable }) | null = null;
  /** What backquote goes back to. */
  private previous = ORIGINAL;
  private flipped = false;
  private known = "";

  constructor(private readonly store: Store) {}

  get list(): readonly TakeInfo[] {
    return this.store.get("takes") ?? [];
  }

  /** There is something to choose from. */
  get open(): boolean {
    return this.list.length > 0;
  }

  /** Several takes are being written. */
  get writing(): boolean {
    const job = this.store.job;
    return job !== null && job.waits && !job.quiet;
  }

  /** Id of the take that is shown; "": the music as it was. */
  get shown(): string {
    return this.store.get("active_take") ?? ORIGINAL;
  }

  private get comp(): Readonly<Record<string, string>> {
    return this.store.get("comp") ?? {};
  }

  /** Bars that do not follow the shown take: [track, bar, number of the take from 1 or 0 for the original]. */
  get held(): [track: number, bar: number, number: number][] {
    return Object.entries(this.open ? this.comp : {}).map(([key, id]) => {
      const [track = 0, bar = 0] = key.split(",").map(Number);
      return [track, bar, (this.list.find((take) => take.id === id)?.number ?? -1) + 1];
    });
  }

  /** Other notes are shown than are heard: the next bar line brings them. */
  get waiting(): boolean {
    return this.voice.waiting;
  }

  /** The bars that the open takes wrote. */
  get cells(): Cell[] {
    const all = new Map(this.list.flatMap((take) => take.cells).map((cell) => [cellKey(...cell), cell]));
    return [...all.values()];
  }

  get cards(): Card[] {
    const job = this.store.job;
    if (job && this.writing) {
      return job.takes.map((_, number) => ({
        number,
        info: null,
        notes: null,
        cells: job.cells,
        shown: number === job.shown,
      }));
    }
    const { shown } = this;
    return this.list.map((info) => ({
      number: info.number,
      info,
      notes: this.tables.get(info.id) ?? null,
      cells: info.cells,
      shown: info.id === shown,
    }));
  }

  /** The document with the bars of the takes; null when none are open. */
  get mixed(): Mixed | null {
    if (!this.open) {
      return null;
    }
    const base = this.store.editor.notes;
    if (this.cache?.base !== base) {
      this.cache = { base, ...mixed(base, this.store.bars, this.choice()) };
    }
    return this.cache;
  }

  /** Notes of every open take: the lanes have room for all of them. */
  allNotes(): NoteTable[] {
    return this.open ? [...this.tables.values()] : [];
  }

  /** What sounds: `of` makes a source of notes. */
  source(of: (notes?: NoteTable) => NoteSource): NoteSource {
    return this.voice.source(of);
  }

  // ---------------------------------------------------------------- choosing

  /** Shows take `number` (from 0), or the original (-1). */
  show(number: number): void {
    const job = this.store.job;
    if (job && this.writing) {
      job.shown = Math.max(0, Math.min(number, job.takes.length - 1));
      this.store.takesChanged();
      return;
    }
    const id = number < 0 ? ORIGINAL : this.list.find((take) => take.number === number)?.id;
    if (id !== undefined && id !== this.shown) {
      this.previous = this.shown;
      this.turnTo(() => this.store.save("active_take", id));
    }
  }

  /** A/B: the take before, as long as the key is held. */
  flip(on: boolean): void {
    if (this.open && on !== this.flipped) {
      this.flipped = on;
      const { shown, previous } = this;
      this.previous = shown;
      this.turnTo(() => this.store.save("active_take", previous));
    }
  }

  /** Holds a bar to what it shows, or lets it follow the shown take again. True when it is one of the bars. */
  toggleHeld(cell: Cell): boolean {
    const key = cellKey(...cell);
    if (!this.open || !this.cells.some((own) => cellKey(...own) === key)) {
      return false;
    }
    const { [key]: own, ...rest } = this.comp;
    this.turnTo(() => this.store.save("comp", own === undefined ? { ...rest, [key]: this.shown } : rest));
    return true;
  }

  /** How many takes Generate writes; 0: one after the other while the loop plays. */
  setCount(n: number): void {
    this.keepGoing = n === 0;
    if (n > 0) {
      this.store.save("n_takes", n);
    }
    this.store.changed("settings");
  }

  /** Plays what is to be written, round and round. */
  playLoop(): void {
    const { store } = this;
    store.setLoop(store.targets.barSpan());
    if (!store.player.playing) {
      store.player.seek(store.player.loop?.start ?? 0);
      store.player.play();
    }
  }

  async accept(): Promise<void> {
    this.stopGoing();
    const cells = Object.entries(this.comp).map(([key, id]): [number, number, string] => {
      const [track = 0, bar = 0] = key.split(",").map(Number);
      return [track, bar, id];
    });
    await this.store.ask("accept", { take: this.shown || null, cells });
  }

  async discard(): Promise<void> {
    this.stopGoing();
    await this.store.ask("discard", {});
  }

  private stopGoing(): void {
    this.keepGoing = false;
    this.store.takesChanged();
  }

  /** The synced state is new: another set of takes, another one shown. */
  read(): void {
    const before = this.cache?.notes ?? this.store.editor.notes;
    this.cache = null;
    const known = this.list.map((take) => take.id).join();
    if (known !== this.known) {
      this.known = known;
      if (this.keepGoing && this.open && this.store.player.playing) {
        this.voice.hold(before, this.store.bars, true); // until the loop begins again
      }
      this.previous = ORIGINAL;
      this.flipped = false;
      this.adopt(this.store.job);
      const ids = new Set(this.list.map((take) => take.id));
      for (const id of this.tables.keys()) {
        if (!ids.has(id)) {
          this.tables.delete(id);
        }
      }
      for (const id of ids) {
        void this.fetch(id);
      }
      if (!this.open) {
        this.voice.release();
      }
    }
    this.store.takesChanged();
  }

  /** The loop has begun again with the new take, or playing has begun: ask for the next one. */
  goOn(): void {
    if (this.keepGoing && this.open && this.store.player.playing && !this.voice.waiting && !this.store.job) {
      this.store.attempt(this.store.generate(this.cells));
    }
  }

  private turnTo(change: () => void): void {
    const sounding = this.mixed?.notes;
    if (sounding && this.store.player.playing) {
      this.voice.hold(sounding, this.store.bars);
    }
    change();
    this.cache = null;
    this.store.takesChanged();
  }

  private choice(): Map<string, NoteTable> {
    const { comp, shown } = this;
    const choice = new Map<string, NoteTable>();
    for (const cell of this.cells) {
      const key = cellKey(...cell);
      const id = comp[key] ?? shown;
      const wrote = this.list.find((take) => take.id === id)?.cells.some((own) => cellKey(...own) === key);
      const table = wrote ? this.tables.get(id) : undefined;
      if (table) {
        choice.set(key, table);
      }
    }
    return choice;
  }

  /** The page has watched these takes being written: it has their notes. */
  private adopt(job: Job | null): void {
    job?.takes.forEach((take, number) => {
      const id = `${job.id}-${number}`;
      if (this.list.some((info) => info.id === id)) {
        this.tables.set(
          id,
          together(
            take.batches.map((batch) => batch.notes),
            this.store.editor.notes.nTracks,
          ),
        );
      }
    });
  }

  private async fetch(id: string): Promise<void> {
    const answer = await this.store.ask("take_notes", { take: id }).catch(() => null);
    const view = answer?.buffers[0];
    if (view && this.list.some((take) => take.id === id)) {
      this.tables.set(id, unpackNotes(view, 0, answer.ok.count ?? 0, this.store.editor.notes.nTracks));
      this.cache = null;
      this.store.takesChanged();
    }
  }
}
