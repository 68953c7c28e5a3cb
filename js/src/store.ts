/**
 * What all views of one model share: the document, the selection, the running job, the player. Synced state passes
 * through here; zoom, hover and focus do not (see ui_state.ts).
 */
import { blockedReason } from "./blocked.ts";
import { cellStates } from "./cell_states.ts";
import { Connection } from "./connection.ts";
import { BarMap, TempoMap } from "./coords.ts";
import { Editor } from "./edit/editor.ts";
import type { Job } from "./job.ts";
import { jobHost } from "./job_host.ts";
import { Jobs } from "./jobs.ts";
import { Mix, type MixState } from "./mix.ts";
import { type HostModel, Kernel, type Problem, RequestError, type State, type Watcher } from "./model.ts";
import { NoteTable, type ParsedDocument, parseDocument } from "./note_table.ts";
import { playable } from "./playable.ts";
import { sampledSound, simpleModule } from "./playback/kernel_sound.ts";
import { Player, type SampledChoice, type TrackSound } from "./playback/player.ts";
import type { Control, LoopRange, NoteSource } from "./playback/scheduler.ts";
import type { SimpleModule } from "./playback/simple.ts";
import { type Cell, FLAG_GENERATED, type TrackInfo } from "./protocol.gen.ts";
import { Selection } from "./selection.ts";
import { strings } from "./strings.ts";
import { type Change, SAVE_MS, Synced } from "./synced.ts";
import { Outlook } from "./takes/outlook.ts";
import { barRoles } from "./takes/roles.ts";
import { Takes } from "./takes/takes.ts";
import { usedPitches } from "./used_pitches.ts";
import { WISH_TRAITS } from "./wishes.ts";

/** How long a snapshot may take after the answer that names its revision. */
const BEHIND_MS = 1000;
const OUTLOOK_CHANGES: readonly Change[] = ["document", "selection", "wishes", "settings"];

/** How a finished generation is shown. "off": no marks (nothing generated, or acted on since). */
export type Compare = "off" | "after" | "before";

export class Store extends Synced {
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
  /** The revision that `outcome` speaks of. */
  private outcomeRev = Number.POSITIVE_INFINITY;
  readonly mix = new Mix(
    () => this.get("mix") ?? {},
    (state) => this.setMix(state),
  );
  readonly player: Player;
  readonly connection: Connection;
  readonly editor: Editor;
  readonly takes = new Takes(this);
  readonly outlook = new Outlook(this);
  /** Bits of CELL_*, row by track. */
  cellStates: Uint8Array = new Uint8Array(0);

  private readonly kernel: Kernel;
  private readonly noNotes = new NoteTable(0, 0);
  private readonly jobs: Jobs;
  private unsent: Selection | null = null;

  constructor(model: HostModel) {
    super(model);
    this.kernel = new Kernel(model, this.page);
    this.kernel.onBusy = (late) => {
      this.late = late;
      this.changed("job");
    };
    this.jobs = new Jobs(jobHost(this));
    this.kernel.onEvent = (event, buffers) => this.jobs.receive(event, buffers);
    this.kernel.onProblem = (problem) => this.fail(problem);
    this.kernel.onRev = (rev) => this.expectRev(rev);
    this.connection = new Connection(this.kernel, model.widget_manager, (back) => {
      if (back) {
        void this.jobs.recover(this.job?.id ?? null, this.job?.sequence.next ?? 0);
      }
      this.changed("settings", "job");
    });
    this.kernel.watchers.add((kind, _payload, _buffers, answer) => {
      const granted = (): void => this.overcome(this.problem?.kind === kind ? this.problem : null);
      answer.then(granted, () => {});
    });
    this.kernel.gone = () => this.connection.viewOnly;
    this.player = new Player(
      () => (this.document ? this.takes.source((notes) => playable(this, notes)) : null),
      (track) => this.soundOf(track),
      () => this.simpleSound(),
      () => this.sampledSound(),
    );
    this.editor = new Editor({
      nTracks: () => this.tracks.length,
      send: (payload, buffers) => {
        if (payload.ops.some(({ op }) => op !== "notes")) {
          // what was decided before tracks and bars move is told before: the kernel moves it along
          this.sendSelection();
          this.sendNow();
        }
        return this.kernel.request("ops", payload, buffers);
      },
      changed: () => {
        this.readNotes(); // an edit that has come to the kernel is laid over the notes no more
        this.changed("edit");
      },
      chosen: () => this.notesChosen(),
      refused: (error) => this.attempt(Promise.reject(error)),
    });
    this.player.onChange = () => this.transportChanged();
    this.player.onSimpleSound = () => {
      this.outcome = strings.simpleSound;
      this.changed("job");
    };
    this.watch();
    this.readDocument();
    this.readSelection();
    this.readLoop();
    this.readTransport();
    this.readProblem();
    this.takes.read();
    if (["queued", "running", "cancelling"].includes(this.get("status"))) {
      void this.jobs.recover(null, 0);
    }
  }

  // ---------------------------------------------------------------- reading

  get tracks(): readonly TrackInfo[] {
    return this.document?.header.tracks ?? [];
  }

  get names(): string[] {
    return this.tracks.map((track, i) => track.name || strings.track(i));
  }

  get resolution(): number {
    return this.document?.header.resolution ?? 480;
  }

  /** The document's notes, with what this page has just done to them. */
  get notes(): NoteTable {
    return this.document ? (this.takes.mixed?.notes ?? this.editor.notes) : this.noNotes;
  }

  /** Notes may be edited here. */
  get editable(): boolean {
    return this.mayEdit && !this.takes.open;
  }

  /** Notes may be edited here, now or when the open takes are kept or discarded. */
  get mayEdit(): boolean {
    return this.document !== null && !this.get("readonly") && !this.connection.viewOnly;
  }

  /** What the file says besides notes, read once a document. */
  controls: readonly Control[] = [];

  get removed(): NoteTable {
    return this.takes.mixed?.removed ?? this.document?.before ?? this.noNotes;
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
    return !this.running && this.compare !== "off" && !this.takes.open;
  }

  /** Generation exists here: there is a model behind the page. */
  get canGenerate(): boolean {
    return !this.get("readonly") && !this.caps.unavailable && Object.keys(this.caps).length > 0;
  }

  /** Why Generate is off right now, or "" when it is on. */
  get blocked(): string {
    return blockedReason(this);
  }

  /** What Generate writes: bars whose role it is, else the selected ones. */
  get targets(): Selection {
    const marked = barRoles(this.get("plan") ?? {}).filter(([, , role]) => role === "generate");
    return marked.length > 0 ? Selection.of(marked.map(([track, bar]) => [track, bar])) : this.selection;
  }

  cellState(track: number, bar: number): number {
    return this.cellStates[track * this.bars.n + bar] ?? 0;
  }

  notesInCell(track: number, bar: number): number {
    return this.notes.countOnsets(track, this.bars.start(bar), this.bars.start(bar + 1));
  }

  /** Pitches that appear on each track, provisional and removed notes included. */
  usedPitches(): number[][] {
    const arriving = (this.job?.batches ?? []).map((batch) => batch.notes);
    const tables = [this.notes, this.removed, ...this.takes.allNotes(), ...arriving];
    return usedPitches(this.tracks.length, tables);
  }

  audible(track: number): boolean {
    return this.mix.audible(track);
  }

  soundOf(track: number): TrackSound {
    const info = this.tracks[track];
    return { program: info?.program ?? 0, drum: info?.drum ?? false, volume: this.mix.of(track).volume };
  }

  simpleSound(): Promise<SimpleModule> {
    return simpleModule(this.ask);
  }

  sampledSound(): SampledChoice | null {
    return sampledSound(this.get("_sound"), this.ask);
  }

  /** What the player plays: notes as the roll shows them. */
  noteSource(): NoteSource | null {
    return this.document ? playable(this) : null;
  }

  // ---------------------------------------------------------------- listening

  protected override onChanged(changes: readonly Change[]): void {
    if (changes.some((change) => OUTLOOK_CHANGES.includes(change))) {
      this.outlook.stale();
    }
  }

  override dispose(): void {
    super.dispose();
    this.connection.dispose();
    this.player.dispose();
    this.kernel.dispose();
    this.outlook.dispose();
    this.jobs.dispose();
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
    this.selectionSoon();
  }

  /** Trailing throttle: at most one message per 100 ms while dragging, and always the last state. */
  private selectionSoon(): void {
    this.unsent = this.selection;
    this.timers.once("selection", SAVE_MS, () => this.sendSelection());
  }

  /** Other notes may be selected: they are told with the bars. */
  private notesChosen(): void {
    if (!this.editor.has(this.get("selection")?.notes ?? [])) {
      this.selectionSoon();
    }
  }

  /** `cells`: others than the selected ones. */
  async generate(cells?: readonly Cell[]): Promise<void> {
    if (!cells && this.blocked) {
      this.fail({ code: "blocked", message: this.blocked, hint: "" });
      return;
    }
    this.forget();
    this.sendSelection();
    const more = this.takes.keepGoing ? { takes: 1, hold: true } : {};
    if (this.takes.keepGoing && !cells) {
      this.takes.playLoop();
    }
    this.sendNow();
    const wanted = [...(cells ?? this.selection.cells())];
    // the host may hold back what is synced while the kernel is busy: a curve that was just drawn comes along
    const { track = {}, bar = {} } = this.get("attributes") ?? {};
    const selection = { cells: wanted };
    const { ok } = await this.ask("generate", { selection, attributes: { track, bar }, ...more });
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

  undo(): Promise<void> {
    return this.travel("undo");
  }

  redo(): Promise<void> {
    return this.travel("redo");
  }

  private async travel(way: "undo" | "redo"): Promise<void> {
    this.forget();
    this.sendSelection();
    this.sendNow(); // a curve that is not told yet would not be what is taken back
    this.endStroke();
    await this.kernel.request(way, this.drawn());
  }

  /** Runs an action; a refusal is shown in the page. */
  attempt(action: Promise<void>): void {
    action.catch((error: unknown) => {
      if (error instanceof RequestError) {
        const { code, message, hint, details, kind } = error;
        this.fail({ code, message, hint, details, kind });
      } else {
        const details = error instanceof Error ? (error.stack ?? "") : "";
        this.fail({ code: "page", message: String(error), hint: strings.pageHint, details });
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
    this.save("loop", range ?? []);
    this.readLoop();
  }

  toggleMute(track: number): void {
    this.mix.set(track, { muted: !this.mix.of(track).muted });
  }

  toggleSolo(track: number): void {
    this.mix.set(track, { soloed: !this.mix.of(track).soloed });
  }

  setVolume(track: number, volume: number): void {
    this.mix.set(track, { volume });
    this.player.volumeChanged(track);
  }

  /** Some request is not answered yet. */
  get waiting(): boolean {
    return this.kernel.unanswered;
  }

  /** Calls with every request of this page; gives what ends it. */
  watchRequests(watcher: Watcher): () => void {
    this.kernel.watchers.add(watcher);
    return () => this.kernel.watchers.delete(watcher);
  }

  /** Any request that needs no state of its own. */
  readonly ask: Kernel["request"] = (kind, payload, buffers) => this.kernel.request(kind, payload, buffers);

  dismissProblem(): void {
    this.problem = null;
    if (this.get("error")) {
      this.model.set("error", null); // a newer one of the kernel counts
      this.send();
    }
    this.changed("problem");
  }

  /** What went wrong has worked since; another problem that came meanwhile stays. */
  overcome(problem: Problem | null): void {
    if (problem && problem === this.problem) {
      this.dismissProblem();
    }
  }

  fail(problem: Problem): void {
    this.problem = problem;
    this.changed("problem");
  }

  // ---------------------------------------------------------------- synced state

  protected override stillFits(name: string, value: unknown): boolean {
    const known = (id: unknown): boolean => id === "" || this.takes.list.some((take) => take.id === id);
    return name === "active_take"
      ? known(value)
      : name !== "comp" || Object.values(value as State["comp"]).every(known);
  }

  private watch(): void {
    const on: Synced["on"] = (name, handler) => this.on(name, handler);
    on("_doc", () => this.readDocument());
    on("selection", () => this.readSelection());
    on("loop", () => this.readLoop());
    on("error", () => this.readProblem());
    for (const name of WISH_TRAITS) {
      on(name, () => this.changed("wishes"));
    }
    on("caps", () => this.readCaps());
    for (const name of ["sampling", "readonly", "can_undo", "can_redo", "height", "snap"] as const) {
      on(name, () => this.changed("settings"));
    }
    on("status", () => this.changed("job"));
    on("progress", () => this.changed("job"));
    on("theme", () => this.changed("theme"));
    on("mix", () => this.changed("tracks", "theme"));
    for (const name of ["takes", "active_take", "comp"] as const) {
      on(name, () => this.takes.read());
    }
    for (const name of ["metronome", "tempo_factor", "follow"] as const) {
      on(name, () => this.readTransport());
    }
    on("n_takes", () => this.changed("settings"));
    on("plan", () => {
      this.markCells();
      this.changed("settings", "selection");
    });
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
    this.dropStaleOutcome();
    if (this.document) {
      this.editor.take(this.document.notes, this.document.header.rev);
    }
    if (this.mix.follow(this.tracks)) {
      this.changed("theme");
    }
    this.bars = new BarMap(header?.bars ?? []);
    this.controls = (header?.controls ?? []).map(([tick, track, controller, value]) => ({
      tick,
      track,
      controller,
      value,
    }));
    this.tempo = new TempoMap(header?.tempo_map ?? [], header?.resolution ?? 480);
    this.compare = this.hasFresh() ? (this.compare === "before" ? "before" : "after") : "off";
    // the kernel moved it along with its bars, perhaps before these were known here
    const selected = this.unsent ?? Selection.of(this.get("selection")?.cells ?? []);
    this.selection = selected.within(this.tracks.length, this.bars.n);
    this.readNotes();
    this.readLoop();
    this.markCells();
    this.changed("document", "selection", "compare");
  }

  /** The kernel's document has this revision: its snapshot must come soon, or is asked for. */
  private expectRev(rev: number): void {
    if (rev > (this.document?.header.rev ?? 0)) {
      this.timers.once("behind", BEHIND_MS, () => {
        if (rev > (this.document?.header.rev ?? 0)) {
          void this.ask("doc", {}).catch(() => {});
        }
      });
    }
  }

  /** Other notes of takes are shown, or none any more. */
  takesChanged(): void {
    this.compare = this.hasFresh() ? "after" : "off";
    this.markCells();
    this.changed("compare", "notes", "job");
  }

  private hasFresh(): boolean {
    return this.removed.count > 0 || this.notes.flags.some((flags) => (flags & FLAG_GENERATED) !== 0);
  }

  private readNotes(): void {
    if (!this.unsent && this.editor.follow(this.get("selection")?.notes ?? [])) {
      this.changed("edit");
    }
  }

  private readSelection(): void {
    if (this.unsent) {
      return; // the page is ahead; what it sends next wins
    }
    this.readNotes();
    const cells = this.get("selection")?.cells ?? [];
    const next = Selection.of(cells).within(this.tracks.length, this.bars.n);
    if (!next.equals(this.selection)) {
      this.selection = next;
      this.markCells();
      this.changed("selection");
    }
  }

  override get holdsBack(): boolean {
    return super.holdsBack || this.unsent !== null;
  }

  private sendSelection(): void {
    this.timers.cancel("selection");
    if (this.unsent) {
      const cells = this.unsent.cells();
      this.unsent = null;
      const notes = [...this.editor.selected];
      this.save("selection", notes.length > 0 ? { cells, notes } : { cells });
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

  private readTransport(): void {
    this.player.rate = this.get("tempo_factor") || 1;
    this.changed("transport");
  }

  private readProblem(): void {
    const error = this.get("error");
    this.problem = error
      ? {
          code: error.code ?? "",
          message: error.message ?? "",
          hint: error.hint ?? "",
          details: error.details ?? "",
        }
      : null;
    this.changed("problem");
  }

  private transportChanged(): void {
    this.model.set("playing", this.player.playing);
    this.model.set("position", Math.round(this.player.position));
    this.send();
    this.changed("transport");
    this.takes.goOn();
  }

  private setMix(state: MixState): void {
    this.saveSoon("mix", state);
    this.changed("tracks", "theme");
  }

  // ---------------------------------------------------------------- jobs

  /** What the last generation came to; `rev`: of the document that holds it. */
  conclude(words: string, rev: number | null): void {
    this.outcome = words;
    this.outcomeRev = rev ?? Number.POSITIVE_INFINITY;
    this.dropStaleOutcome();
  }

  /** Words about other music than the one that is shown now would be wrong. */
  private dropStaleOutcome(): void {
    if ((this.document?.header.rev ?? 0) > this.outcomeRev) {
      this.outcome = "";
      this.outcomeRev = Number.POSITIVE_INFINITY;
    }
  }

  /** The marks and words of the last generation last until the next action. */
  forget(): void {
    this.outcome = "";
    this.compare = this.takes.open ? this.compare : "off";
    this.problem = null;
    this.changed("compare", "problem");
  }

  // ---------------------------------------------------------------- derived

  markCells(): void {
    const { selection, job, takes } = this;
    const plan = this.get("plan") ?? {};
    this.cellStates = cellStates(this.tracks.length, this.bars.n, selection, job, takes.cells, plan);
  }
}
