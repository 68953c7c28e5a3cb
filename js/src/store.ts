/**
 * What all views of one model share: the document, the selection, the running job, the player. Synced state passes
 * through here; zoom, hover and focus do not (see ui_state.ts).
 */
import { BarMap, TempoMap } from "./coords.ts";
import type { Job } from "./job.ts";
import { type JobHost, Jobs } from "./jobs.ts";
import { type HostModel, Kernel, type Problem, RequestError, type State } from "./model.ts";
import { NoteTable, type ParsedDocument, parseDocument } from "./note_table.ts";
import { playable } from "./playable.ts";
import { Player, type SampledChoice, type TrackSound } from "./playback/player.ts";
import { SampledSound } from "./playback/sampled.ts";
import type { LoopRange, NoteSource } from "./playback/scheduler.ts";
import { type SoundFiles, soundFiles } from "./playback/sound_files.ts";
import { type Caps, type Cell, FLAG_GENERATED, type JobState, type TrackInfo } from "./protocol.gen.ts";
import { Selection } from "./selection.ts";
import { strings } from "./strings.ts";
import { Timers } from "./timers.ts";
import { valueAt, withValue } from "./wishes.ts";

export type Change =
  | "document"
  | "selection"
  | "job"
  | "notes"
  | "wishes"
  | "settings"
  | "transport"
  | "tracks"
  | "compare"
  | "problem"
  | "theme";

export const CELL_SELECTED = 1;
export const CELL_TARGET = 2;
export const CELL_FINISHED = 4;

const SELECTION_THROTTLE_MS = 100;

/** How a finished generation is shown. "off": no marks (nothing generated, or acted on since). */
export type Compare = "off" | "after" | "before";

export class Store {
  document: ParsedDocument | null = null;
  bars = new BarMap([]);
  tempo = new TempoMap([], 480);
  selection = Selection.empty;
  compare: Compare = "off";
  problem: Problem | null = null;
  /** Requests that wait longer than they should. */
  late = 0;
  /** Outcome of the last job in words, until the next action. */
  outcome = "";
  readonly muted = new Set<number>();
  readonly soloed = new Set<number>();
  readonly player: Player;
  /** Bits of CELL_*, row by track. */
  cellStates = new Uint8Array(0);

  private readonly kernel: Kernel;
  private readonly noNotes = new NoteTable(0, 0);
  private readonly listeners = new Set<(changes: ReadonlySet<Change>) => void>();
  private pending = new Set<Change>();
  private flushing = false;
  private readonly handlers: [string, () => void][] = [];
  private readonly timers = new Timers();
  private readonly jobs: Jobs;
  private unsent: Selection | null = null;

  constructor(readonly model: HostModel) {
    this.kernel = new Kernel(model);
    this.kernel.onBusy = (late) => {
      this.late = late;
      this.changed("job");
    };
    this.jobs = new Jobs(this.jobHost());
    this.kernel.onEvent = (event, buffers) => this.jobs.receive(event, buffers);
    this.kernel.onProblem = (problem) => this.fail(problem);
    this.player = new Player(
      () => this.noteSource(),
      (track) => this.soundOf(track),
      () => this.sampledSound(),
    );
    this.player.onChange = () => this.transportChanged();
    this.player.onSimpleSound = () => {
      this.outcome = strings.simpleSound;
      this.changed("job");
    };
    this.watch();
    this.readDocument();
    this.readSelection();
    this.readLoop();
    this.readProblem();
    if (["queued", "running", "cancelling"].includes(this.get("status"))) {
      void this.jobs.recover(null, 0);
    }
  }

  // ---------------------------------------------------------------- reading

  get<K extends keyof State>(key: K): State[K] {
    return this.model.get(key);
  }

  get caps(): Caps {
    return this.get("caps") ?? {};
  }

  get tracks(): readonly TrackInfo[] {
    return this.document?.header.tracks ?? [];
  }

  get names(): string[] {
    return this.tracks.map((track, i) => track.name || strings.track(i));
  }

  get resolution(): number {
    return this.document?.header.resolution ?? 480;
  }

  get notes(): NoteTable {
    return this.document?.notes ?? this.noNotes;
  }

  get removed(): NoteTable {
    return this.document?.before ?? this.noNotes;
  }

  get job(): Job | null {
    return this.jobs.current;
  }

  get stalled(): boolean {
    return this.jobs.stalled;
  }

  get running(): boolean {
    return this.job?.running ?? false;
  }

  get playBefore(): boolean {
    return this.compare === "before";
  }

  /** True when there is something to compare. */
  get comparable(): boolean {
    return !this.running && this.compare !== "off";
  }

  /** Generation exists here: there is a model behind the page. */
  get canGenerate(): boolean {
    return !this.get("readonly") && !this.caps.unavailable && Object.keys(this.caps).length > 0;
  }

  /** Why Generate is off right now, or "" when it is on. */
  get blocked(): string {
    if (this.get("readonly")) {
      return strings.readonly;
    }
    if (this.caps.unavailable) {
      return this.caps.unavailable;
    }
    if (!this.canGenerate) {
      return strings.noEngine;
    }
    if (!this.document || this.bars.n === 0) {
      return strings.noDocument;
    }
    if (this.running) {
      return strings.busy;
    }
    return this.selection.size === 0 ? strings.nothingSelected : "";
  }

  cellState(track: number, bar: number): number {
    return this.cellStates[track * this.bars.n + bar] ?? 0;
  }

  notesInCell(track: number, bar: number): number {
    return this.notes.countOnsets(track, this.bars.start(bar), this.bars.start(bar + 1));
  }

  /** Pitches that appear on each track, provisional and removed notes included. */
  usedPitches(): number[][] {
    const used = this.tracks.map(() => new Set<number>());
    for (const table of [
      this.notes,
      this.removed,
      ...(this.job?.batches ?? []).map((batch) => batch.notes),
    ]) {
      for (let i = 0; i < table.count; i++) {
        used[table.tracks[i] as number]?.add(table.pitches[i] as number);
      }
    }
    return used.map((pitches) => [...pitches]);
  }

  audible(track: number): boolean {
    return this.soloed.size > 0 ? this.soloed.has(track) : !this.muted.has(track);
  }

  soundOf(track: number): TrackSound {
    const info = this.tracks[track];
    return { program: info?.program ?? 0, drum: info?.drum ?? false };
  }

  /** The files of the sampled sound, from the kernel (or from the exported page). */
  soundFiles(): Promise<SoundFiles> {
    return soundFiles(this.get("_sound"), async (file, part) => {
      const { ok, buffers } = await this.kernel.request("sound", { file, part });
      return { bytes: buffers[0] as DataView, parts: ok.parts ?? 1 };
    });
  }

  private sampledSound(): SampledChoice | null {
    const name = this.get("_sound");
    if (!name) {
      return null;
    }
    return {
      name,
      open: async (context) => {
        const { worklet, bank } = await this.soundFiles();
        return SampledSound.open(context, context.destination, worklet, bank);
      },
    };
  }

  /** What the player plays: notes as the roll shows them. */
  noteSource(): NoteSource | null {
    return this.document ? playable(this) : null;
  }

  // ---------------------------------------------------------------- listening

  subscribe(listener: (changes: ReadonlySet<Change>) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** Collects changes and tells the views once per turn of the event loop. */
  changed(...changes: Change[]): void {
    for (const change of changes) {
      this.pending.add(change);
    }
    if (!this.flushing) {
      this.flushing = true;
      queueMicrotask(() => {
        const now = this.pending;
        this.pending = new Set();
        this.flushing = false;
        for (const listener of [...this.listeners]) {
          listener(now);
        }
      });
    }
  }

  dispose(): void {
    this.player.dispose();
    this.kernel.dispose();
    for (const [name, handler] of this.handlers) {
      this.model.off(name, handler as never);
    }
    this.timers.cancelAll();
    this.jobs.dispose();
    this.listeners.clear();
  }

  // ---------------------------------------------------------------- actions

  select(selection: Selection): void {
    const next = selection.within(this.tracks.length, this.bars.n);
    if (next.equals(this.selection)) {
      return;
    }
    this.selection = next;
    this.markCells();
    this.changed("selection");
    // Trailing throttle: at most one message per 100 ms while dragging, and always the last state.
    this.unsent = next;
    this.timers.once("selection", SELECTION_THROTTLE_MS, () => this.sendSelection());
  }

  async generate(): Promise<void> {
    if (this.blocked) {
      this.fail({ code: "blocked", message: this.blocked, hint: "" });
      return;
    }
    this.forget();
    this.sendSelection();
    const { ok } = await this.kernel.request("generate", { selection: { cells: this.selection.cells() } });
    if (ok.job) {
      this.jobs.begin(ok.job);
    }
  }

  async cancel(): Promise<void> {
    if (this.job?.running) {
      this.job.state = "cancelling";
      this.changed("job");
      await this.kernel.request("cancel", { job: this.job.id });
    }
  }

  async undo(): Promise<void> {
    this.forget();
    await this.kernel.request("undo", {});
  }

  async redo(): Promise<void> {
    this.forget();
    await this.kernel.request("redo", {});
  }

  /** Runs an action; a refusal is shown in the page. */
  attempt(action: Promise<void>): void {
    action.catch((error: unknown) => {
      if (error instanceof RequestError) {
        this.fail({ code: error.code, message: error.message, hint: error.hint });
      } else {
        this.fail({ code: "page", message: String(error), hint: "" });
      }
    });
  }

  setCompare(compare: Compare): void {
    if (this.compare !== compare) {
      this.compare = compare;
      this.changed("compare");
    }
  }

  setLoop(range: [number, number] | null): void {
    this.model.set("loop", range ?? []);
    this.model.save_changes();
    this.readLoop();
  }

  toggleMute(track: number): void {
    toggle(this.muted, track);
    this.changed("tracks");
  }

  toggleSolo(track: number): void {
    toggle(this.soloed, track);
    this.changed("tracks");
  }

  dismissProblem(): void {
    this.problem = null;
    if (this.get("error")) {
      this.model.set("error", null);
      this.model.save_changes();
    }
    this.changed("problem");
  }

  fail(problem: Problem): void {
    this.problem = problem;
    this.changed("problem");
  }

  /** Requested value for a track (bar < 0) or bar; undefined when there is none. */
  wish(name: string, track: number, bar = -1): number | undefined {
    return valueAt(this.get("attributes"), name, track, bar);
  }

  /** Value measured in the notes that are there. */
  measured(name: string, track: number, bar = -1): number | undefined {
    return valueAt(this.get("realized"), name, track, bar);
  }

  /** Sets (null: clears) a wish for tracks (bar -1) or bars. */
  setWish(name: string, cells: readonly Cell[], value: number | null): void {
    this.model.set("attributes", withValue(this.get("attributes"), name, cells, value));
    this.saveSoon();
    this.changed("wishes");
  }

  setSampling(name: string, value: number | null): void {
    const next = { ...(this.get("sampling") ?? {}) };
    if (value === null) {
      delete next[name];
    } else {
      next[name] = value;
    }
    this.model.set("sampling", next);
    this.saveSoon();
    this.changed("settings");
  }

  // ---------------------------------------------------------------- synced state

  private watch(): void {
    const on = (name: keyof State, handler: () => void): void => {
      const event = `change:${name}`;
      this.model.on(event, handler as never);
      this.handlers.push([event, handler]);
    };
    on("_doc", () => this.readDocument());
    on("selection", () => this.readSelection());
    on("loop", () => this.readLoop());
    on("error", () => this.readProblem());
    on("attributes", () => this.changed("wishes"));
    on("realized", () => this.changed("wishes"));
    for (const name of ["caps", "sampling", "readonly", "can_undo", "can_redo", "height"] as const) {
      on(name, () => this.changed("settings"));
    }
    on("status", () => this.changed("job"));
    on("progress", () => this.changed("job"));
    on("theme", () => this.changed("theme"));
    on("plan", () => this.changed("settings"));
  }

  private readDocument(): void {
    try {
      this.document = parseDocument(this.get("_doc"));
    } catch (error) {
      this.document = null;
      this.fail({
        code: "document",
        message: `${strings.badDocument}: ${String(error)}`,
        hint: strings.badDocumentHint,
      });
    }
    const header = this.document?.header;
    this.bars = new BarMap(header?.bars ?? []);
    this.tempo = new TempoMap(header?.tempo_map ?? [], header?.resolution ?? 480);
    this.compare = this.hasFresh() ? (this.compare === "before" ? "before" : "after") : "off";
    this.selection = this.selection.within(this.tracks.length, this.bars.n);
    this.readLoop();
    this.markCells();
    this.changed("document", "selection", "compare");
  }

  private hasFresh(): boolean {
    return this.removed.count > 0 || this.notes.flags.some((flags) => (flags & FLAG_GENERATED) !== 0);
  }

  private readSelection(): void {
    if (this.unsent) {
      return; // the page is ahead; what it sends next wins
    }
    const cells = this.get("selection")?.cells ?? [];
    const next = Selection.of(cells).within(this.tracks.length, this.bars.n);
    if (!next.equals(this.selection)) {
      this.selection = next;
      this.markCells();
      this.changed("selection");
    }
  }

  private sendSelection(): void {
    this.timers.cancel("selection");
    if (this.unsent) {
      const cells = this.unsent.cells();
      this.unsent = null;
      this.model.set("selection", { ...this.get("selection"), cells });
      this.model.save_changes();
    }
  }

  private readLoop(): void {
    const [from, to] = this.get("loop") ?? [];
    let range: LoopRange | null = null;
    if (from !== undefined && to !== undefined && to > from && from < this.bars.n) {
      range = { start: this.bars.start(from), end: this.bars.start(to) };
    }
    this.player.loop = range;
    this.changed("transport");
  }

  private readProblem(): void {
    const error = this.get("error");
    this.problem = error
      ? { code: error.code ?? "", message: error.message ?? "", hint: error.hint ?? "" }
      : null;
    this.changed("problem");
  }

  private transportChanged(): void {
    this.model.set("playing", this.player.playing);
    this.model.set("position", Math.round(this.player.position));
    this.model.save_changes();
    this.changed("transport");
  }

  private saveSoon(): void {
    this.timers.once("save", SELECTION_THROTTLE_MS, () => this.model.save_changes());
  }

  // ---------------------------------------------------------------- jobs

  /** The marks and words of the last generation last until the next action. */
  private forget(): void {
    this.outcome = "";
    this.compare = "off";
    this.problem = null;
    this.changed("compare", "problem");
  }

  private jobHost(): JobHost {
    return {
      nTracks: () => this.tracks.length,
      barOf: (tick) => this.bars.at(tick),
      sync: (id, have) => this.kernel.request("sync", { job: id, have }),
      started: () => {
        this.outcome = "";
        this.compare = "off";
        this.changed("job", "notes", "compare");
      },
      changed: () => {
        this.markCells();
        this.changed("job", "notes");
      },
      ended: (job) => this.jobEnded(job),
      failed: ({ code, message, hint }) => this.fail({ code, message, hint }),
    };
  }

  private jobEnded(job: Job): void {
    const seconds = (performance.now() - job.startedAt) / 1000;
    const fresh = this.notes.flags.reduce((n, flags) => n + ((flags & FLAG_GENERATED) !== 0 ? 1 : 0), 0);
    const words: Partial<Record<JobState, string>> = {
      done: strings.finished(fresh, this.removed.count, seconds),
      cancelled: strings.cancelled,
    };
    this.outcome = words[job.state] ?? strings.failed;
    this.compare = this.hasFresh() ? "after" : "off";
    this.changed("compare", "document");
  }

  // ---------------------------------------------------------------- derived

  private markCells(): void {
    const n = this.bars.n;
    const states = new Uint8Array(this.tracks.length * n);
    const mark = (cells: Iterable<Cell>, bit: number): void => {
      for (const [track, bar] of cells) {
        if (track < this.tracks.length && bar < n) {
          states[track * n + bar] = (states[track * n + bar] as number) | bit;
        }
      }
    };
    mark(this.selection.cells(), CELL_SELECTED);
    if (this.job) {
      const { job } = this;
      mark(job.cells, CELL_TARGET);
      mark(
        job.cells.filter(([track, bar]) => job.isFinished(track, bar)),
        CELL_FINISHED,
      );
    }
    this.cellStates = states;
  }
}

function toggle(set: Set<number>, item: number): void {
  if (!set.delete(item)) {
    set.add(item);
  }
}
