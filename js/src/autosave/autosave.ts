/**
 * Keeps what a roll holds and no file does, so that a kernel that ends takes at most a few seconds of work with it: the
 * project as the kernel gives it while nobody edits, and every edit since, at once.
 */
import type { Answer, AutosaveFacts } from "../model.ts";
import type { Requests } from "../protocol.gen.ts";
import type { Store } from "../store.ts";
import { strings } from "../strings.ts";
import { Timers } from "../timers.ts";
import { EditLog, frameOf } from "./log.ts";
import { type Kept, ownOf, shared, tooMuch } from "./shelf.ts";

/** The project is fetched when nothing has changed for so long, */
const IDLE_MS = 2000;
/** at the latest so long after the first change, */
const LATEST_MS = 3000;
/** and soon after a change that this page did not make. */
const SOON_MS = 300;
const WRITE_MS = 200;
const PART_BYTES = 512 * 1024;
/** A request for a project that is not answered is as good as lost. */
const PATIENCE_MS = 10_000;
const DECIDED = [
  "plan",
  "attributes",
  "sampling",
  "takes",
  "mix",
  "comp",
  "active_take",
  "chords",
  "piece",
] as const;

export class Autosave {
  /** What a roll that is gone left behind, until the person has decided. */
  offer: Kept | null = null;

  private readonly facts: AutosaveFacts;
  private readonly log = new EditLog();
  private readonly timers = new Timers();
  private readonly shared = shared();
  private base: ArrayBuffer | null = null;
  private baseRev = 0;
  private dirtyAt = 0;
  private fetching = 0;
  /** Changes that come while a project is on its way are not in it. */
  private stale = false;
  private pending = 0;
  private stopped = false;
  private stored = false;
  /** The log is complete: it follows the project, or what the roll began with. */
  private grounded: boolean;
  private readonly stops: (() => void)[] = [];

  static begin(store: Store): Autosave | null {
    const facts = store.get("_autosave");
    return facts?.session && facts.kernel ? new Autosave(store, facts as AutosaveFacts) : null;
  }

  private constructor(
    private readonly store: Store,
    facts: AutosaveFacts,
  ) {
    this.facts = facts;
    this.grounded = (store.document?.header.rev ?? 0) === 0;
    this.stops.push(
      store.watchRequests((kind, payload, buffers, answer) => this.sent(kind, payload, buffers, answer)),
    );
    this.stops.push(
      store.subscribe((changes) => {
        if (changes.has("document")) {
          this.documentCame();
        }
      }),
    );
    for (const name of [...DECIDED, "_autosave"] as const) {
      const listener = (): void => this.changed(name === "_autosave" ? SOON_MS : IDLE_MS);
      store.model.on(`change:${name}`, listener as never);
      this.stops.push(() => store.model.off(`change:${name}`, listener as never));
    }
    void this.look();
    if ((store.document?.header.rev ?? 0) > 0) {
      this.changed(SOON_MS); // a page that comes to a roll with a past
    }
  }

  dispose(): void {
    this.stopped = true;
    for (const stop of this.stops) {
      stop();
    }
    if (this.timers.has("write")) {
      void this.write();
    }
    this.timers.cancelAll();
  }

  // ---------------------------------------------------------------- keeping

  private documentCame(): void {
    const rev = this.store.document?.header.rev ?? 0;
    if (rev > this.baseRev) {
      // What this page did is in the log at once; anything else exists in the kernel alone.
      this.changed(this.pending > 0 || rev <= this.knownRev ? IDLE_MS : SOON_MS);
    }
  }

  private knownRev = 0;

  private sent(
    kind: keyof Requests,
    payload: Requests[keyof Requests],
    buffers: readonly ArrayBuffer[],
    answer: Promise<Answer>,
  ): void {
    if (kind !== "ops" && kind !== "undo" && kind !== "redo") {
      return;
    }
    const { label = kind, ops = [] } = payload as Partial<Requests["ops"]>;
    const own = this.log.add({ k: kind, label, ops, records: buffers[0] ?? null });
    this.pending += 1;
    answer.then(
      ({ ok }) => {
        this.pending -= 1;
        this.knownRev = Math.max(this.knownRev, ok.rev ?? 0);
        if (ok.changed === false) {
          own.refused(); // wishes or roles: not a step of the music, which the log repeats
          return;
        }
        own.carriedOut(ok.rev ?? 0);
      },
      ({ code }: { code?: string }) => {
        this.pending -= 1;
        if (code !== "disconnected") {
          own.refused();
          this.writeSoon();
        }
      },
    );
    this.writeSoon();
    // Ids of notes that the kernel makes are known to it alone.
    const plain = kind === "ops" && ops.every(({ op }) => op === "notes");
    this.changed(plain ? IDLE_MS : SOON_MS);
  }

  private changed(wait: number): void {
    const now = performance.now();
    this.dirtyAt = this.dirtyAt || now;
    this.stale = true;
    const latest = this.dirtyAt + LATEST_MS - now;
    this.timers.set("fetch", Math.max(0, Math.min(wait, latest)), () => void this.fetch());
  }

  private async fetch(): Promise<void> {
    const now = performance.now();
    if (this.stopped || (this.fetching > 0 && now - this.fetching < PATIENCE_MS)) {
      return; // what is on its way is looked at when it comes
    }
    this.fetching = now;
    this.stale = false;
    this.dirtyAt = 0;
    const answer = await this.store.ask("keep", {}).catch(() => null);
    if (this.fetching === now) {
      this.fetching = 0;
    }
    if (this.stopped || !answer) {
      return;
    }
    const { ok, buffers } = answer;
    const rev = ok.rev ?? 0;
    const view = buffers[0];
    if (!ok.changed || !view) {
      // Nothing to keep, or too much of it.
      this.log.reached(rev);
      this.base = null;
      this.grounded = rev === 0;
      await this.forget();
    } else if (rev >= this.baseRev) {
      this.grounded = true;
      this.base = new Uint8Array(view.buffer, view.byteOffset, view.byteLength).slice().buffer as ArrayBuffer;
      this.baseRev = rev;
      this.log.reached(this.baseRev);
      await this.write();
    }
    if (this.stale) {
      this.changed(IDLE_MS);
    }
  }

  private writeSoon(): void {
    this.timers.once("write", WRITE_MS, () => void this.write());
  }

  private get id(): string {
    return `${this.facts.kernel}/${this.facts.session}`;
  }

  private async write(): Promise<void> {
    const log = this.log.edits;
    if (!this.grounded || (this.base === null && log.length === 0)) {
      await this.forget();
      return;
    }
    const { kernel, number } = this.facts;
    const keys = this.store.get("_autosave").keys ?? this.facts.keys;
    const title = this.store.document?.header.title ?? "";
    this.stored = true;
    await this.shared.shelf.put({
      id: this.id,
      kernel,
      number,
      keys,
      title,
      at: Date.now(),
      base: this.base,
      log,
    });
  }

  private async forget(): Promise<void> {
    if (this.stored) {
      this.stored = false;
      await this.shared.shelf.drop([this.id]);
    }
  }

  // ---------------------------------------------------------------- coming back

  /** Looks for what an earlier roll of this music left behind. */
  private async look(): Promise<void> {
    const all = await this.shared.shelf.all();
    const old = tooMuch(all, Date.now());
    const left = all.filter(({ id }) => !old.includes(id));
    const found = this.store.get("readonly") ? null : ownOf(left, this.facts, this.shared.taken);
    if (found && !this.stopped) {
      this.shared.taken.add(found.id);
      this.offer = found;
      this.store.changed("settings");
    }
    if (old.length > 0) {
      await this.shared.shelf.drop(old);
    }
  }

  /** The offer becomes the document. Gives what to say. */
  async restore(): Promise<string> {
    const { offer } = this;
    if (!offer) {
      return "";
    }
    const { ok } = await this.bring(offer, false);
    await this.close(offer);
    return ok.lost ? strings.keptPartly(ok.lost) : strings.keptBack(ok.count ?? 0);
  }

  /** The offer as a project file. */
  async file(): Promise<ArrayBuffer | null> {
    const { offer } = this;
    if (!offer) {
      return null;
    }
    const { buffers } = await this.bring(offer, true);
    const view = buffers[0];
    return view
      ? (new Uint8Array(view.buffer, view.byteOffset, view.byteLength).slice().buffer as ArrayBuffer)
      : null;
  }

  async discard(): Promise<void> {
    if (this.offer) {
      await this.close(this.offer);
    }
  }

  private async close(offer: Kept): Promise<void> {
    this.offer = null;
    this.store.changed("settings");
    await this.shared.shelf.drop([offer.id]);
  }

  private async bring(offer: Kept, file: boolean): Promise<Answer> {
    const frame = frameOf(offer.base, offer.log);
    const parts = Math.max(1, Math.ceil(frame.byteLength / PART_BYTES));
    let answer: Promise<Answer> | null = null;
    for (let part = 0; part < parts; part++) {
      const piece = frame.slice(part * PART_BYTES, (part + 1) * PART_BYTES);
      answer = this.store.ask("restore", { part, parts, ...(file ? { file } : {}) }, [piece.buffer]);
      await answer;
    }
    return answer as Promise<Answer>;
  }
}

const known = new WeakMap<Store, Autosave>();

/** Begins to keep what a widget holds; gives what ends it. */
export function keepSafe(store: Store): () => void {
  const autosave = Autosave.begin(store);
  if (!autosave) {
    return () => {};
  }
  known.set(store, autosave);
  return () => autosave.dispose();
}

export const autosaveOf = (store: Store): Autosave | undefined => known.get(store);
