/** What a widget's page shares with its kernel by name: the synced traits, and who is told when something changes. */
import type { Entry } from "./lanes/curve.ts";
import type { HostModel, State } from "./model.ts";
import type { AttributeValues, Caps, Cell, Drawn } from "./protocol.gen.ts";
import { Timers } from "./timers.ts";
import { valueAt, withEntries, withValue } from "./wishes.ts";

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
  /** Notes this page edits, and which are selected. */
  | "edit"
  | "problem"
  | "theme";

/** Changes that come faster are sent together. */
export const SAVE_MS = 100;
/** Wishes that follow each other so fast are one undo step, as long as nobody begins another stroke. */
const STROKE_MS = 600;
const DECIDED: readonly (keyof State)[] = ["attributes", "plan"];

export class Synced {
  protected readonly timers = new Timers();
  private readonly listeners = new Set<(changes: ReadonlySet<Change>) => void>();
  private readonly handlers: [string, () => void][] = [];
  private pending = new Set<Change>();
  private flushing = false;
  private readonly end = new AbortController();
  /** Names this page to the kernel. */
  readonly page = Math.random().toString(36).slice(2, 10).padEnd(6, "0");
  /** Values set here, with the number they were sent under; 0: not sent yet. */
  private readonly ahead = new Map<keyof State, { value: unknown; sent: number }>();
  private sends = 0;
  private mending = false;
  private strokes = 0;
  /** The next wish begins another stroke. */
  private fresh = true;
  /** Until when wishes belong to the last stroke. */
  private strokeEnds = 0;
  /** Aborted when no view and no host needs the store any more. */
  readonly ended = this.end.signal;

  constructor(readonly model: HostModel) {
    this.whole = this.get("caps") ?? {};
  }

  /** Called with every change, before the listeners are. */
  protected onChanged(_changes: readonly Change[]): void {}

  get<K extends keyof State>(key: K): State[K] {
    return this.model.get(key);
  }

  get caps(): Caps {
    return this.whole;
  }

  private whole: Caps = {};

  /** The trait has come, or with `rest` what it leaves for later. */
  readCaps(rest: Caps = {}): void {
    this.whole = { ...this.get("caps"), ...rest };
    this.changed("settings", "wishes");
  }

  /** Sets a synced trait and tells the kernel. */
  save<K extends keyof State>(key: K, value: State[K]): void {
    this.fresh ||= DECIDED.includes(key);
    this.put(key, value);
    this.send();
  }

  /** The same for values that change fast: at most one message per 100 ms, and always the last value. */
  protected saveSoon<K extends keyof State>(key: K, value: State[K]): void {
    this.put(key, value);
    this.sendSoon();
  }

  private put<K extends keyof State>(key: K, value: State[K]): void {
    if (DECIDED.includes(key)) {
      const now = performance.now();
      this.strokes += this.fresh || now >= this.strokeEnds ? 1 : 0;
      this.fresh = false;
      this.strokeEnds = Math.max(this.strokeEnds, now + STROKE_MS);
      this.model.set("_stroke", `${this.page}-${this.strokes}`);
    }
    this.ahead.set(key, { value, sent: 0 });
    this.model.set(key, value);
  }

  private sendSoon(): void {
    this.timers.once("save", SAVE_MS, () => this.send());
  }

  /** Something was set that the kernel will be told in a moment. */
  get holdsBack(): boolean {
    return this.timers.has("save");
  }

  /** What waits to be told is told. */
  protected sendNow(): void {
    if (this.timers.has("save")) {
      this.send();
    }
  }

  /** Tells the kernel what was set, numbered. */
  protected send(): void {
    this.timers.cancel("save");
    this.sends += 1;
    for (const own of this.ahead.values()) {
      own.sent ||= this.sends;
    }
    this.model.set("_from", `${this.page}-${this.sends}`);
    this.model.save_changes();
  }

  /**
   * What was decided here and is perhaps not told yet, because the host keeps it back while the kernel is busy: a
   * request that must come after it takes it along.
   */
  protected drawn(): { drawn?: Drawn } {
    const seen = this.model.get("_seen")?.[this.page] ?? 0;
    const unseen = DECIDED.flatMap((name) => {
      const own = this.ahead.get(name);
      return own && own.sent > seen ? [[name, [own.sent, own.value]]] : [];
    });
    if (unseen.length === 0) {
      return {};
    }
    const stroke = this.model.get("_stroke") ?? "";
    return { drawn: { page: this.page, last: this.sends, stroke, values: Object.fromEntries(unseen) } };
  }

  /** Lets the kernel know that this page is there: what it sets from now on is told to the other pages. */
  greet(): void {
    this.send();
  }

  /** The kernel had not seen this page's value when it said what the model holds now. */
  private isAhead(name: keyof State): boolean {
    const own = this.ahead.get(name);
    if (!own) {
      return false;
    }
    const seen = this.model.get("_seen")?.[this.page]; // none where pages have no kernel
    const unseen = own.sent === 0 || (seen !== undefined && own.sent > seen);
    const ahead = unseen && this.stillFits(name, own.value);
    if (!ahead) {
      this.ahead.delete(name);
    }
    return ahead;
  }

  /** A value of this page can be kept though the kernel said something else meanwhile. */
  protected stillFits(_name: keyof State, _value: unknown): boolean {
    return true;
  }

  /** Calls when the kernel (or this page) sets a trait. */
  protected on(name: keyof State, handler: () => void): void {
    const event = `change:${name}`;
    const heard = (): void => {
      const own = this.ahead.get(name);
      if (own && !this.mending && this.model.get(name) !== own.value && this.isAhead(name)) {
        this.mending = true; // this very handler hears of it
        this.model.set(name, own.value as never);
        this.mending = false;
        this.sendSoon(); // the host takes it for new and would send it some time
      }
      handler();
    };
    this.model.on(event, heard as never);
    this.handlers.push([event, heard]);
  }

  subscribe(listener: (changes: ReadonlySet<Change>) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** Collects changes and tells the views once per turn of the event loop. */
  changed(...changes: Change[]): void {
    this.onChanged(changes);
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
    this.end.abort();
    for (const [name, handler] of this.handlers) {
      this.model.off(name, handler as never);
    }
    this.timers.cancelAll();
    this.listeners.clear();
  }

  // ---------------------------------------------------------------- what is asked of the model

  /** Requested value for a track (bar < 0) or bar; undefined when there is none. */
  wish(name: string, track: number, bar = -1): number | undefined {
    return valueAt(this.get("attributes"), name, track, bar);
  }

  /** Value measured in the notes that are there. */
  measured(name: string, track: number, bar = -1): number | undefined {
    const values = this.get("realized");
    return valueAt(values, name, track, bar) ?? values?.rows?.[track]?.[name]?.[bar] ?? undefined;
  }

  /** What is wished in `change` is one undo step. */
  oneStep(change: () => void): void {
    this.beginStroke();
    change();
    this.endStroke();
  }

  /** What is wished from now on is one undo step, until the stroke ends. */
  beginStroke(): void {
    this.fresh = true;
    this.strokeEnds = Number.POSITIVE_INFINITY;
  }

  endStroke(): void {
    this.fresh = true;
    this.strokeEnds = 0;
  }

  /** What comes now belongs to the stroke that was drawn last. */
  sameStroke(): void {
    this.fresh = false;
    this.strokeEnds = performance.now() + STROKE_MS;
  }

  /** Sets (null: clears) a wish for tracks (bar -1) or bars. */
  setWish(name: string, cells: readonly Cell[], value: number | null): void {
    this.setWishes(withValue(this.get("attributes"), name, cells, value));
  }

  /** Wishes for several bars of one track (-1: for the track), each with its own level. */
  setCurve(name: string, track: number, entries: readonly Entry[]): void {
    const news = entries.filter(([bar, value]) => (this.wish(name, track, bar) ?? null) !== value);
    if (news.length > 0) {
      this.setWishes(withEntries(this.get("attributes"), name, track, news));
    }
  }

  setWishes(wishes: AttributeValues): void {
    this.saveSoon("attributes", wishes);
    this.changed("wishes");
  }

  setSampling(name: string, value: number | string | boolean | null): void {
    const next = { ...(this.get("sampling") ?? {}) };
    if (value === null) {
      delete next[name];
    } else {
      next[name] = value;
    }
    this.saveSoon("sampling", next);
    this.changed("settings");
  }

  setSnap(name: string): void {
    this.save("snap", name);
  }
}
