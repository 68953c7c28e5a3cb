/** What a widget's page shares with its kernel by name: the synced traits, and who is told when something changes. */
import type { Entry } from "./lanes/curve.ts";
import type { HostModel, State } from "./model.ts";
import type { AttributeValues, Caps, Cell } from "./protocol.gen.ts";
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

export class Synced {
  protected readonly timers = new Timers();
  private readonly listeners = new Set<(changes: ReadonlySet<Change>) => void>();
  private readonly handlers: [string, () => void][] = [];
  private pending = new Set<Change>();
  private flushing = false;
  private readonly end = new AbortController();
  /** Values set here that are not sent yet: what the kernel echoes of older ones must not undo them. */
  private readonly ahead = new Map<keyof State, unknown>();
  /** Aborted when no view and no host needs the store any more. */
  readonly ended = this.end.signal;

  constructor(readonly model: HostModel) {}

  /** Called with every change, before the listeners are. */
  protected onChanged(_changes: readonly Change[]): void {}

  get<K extends keyof State>(key: K): State[K] {
    return this.model.get(key);
  }

  get caps(): Caps {
    return this.get("caps") ?? {};
  }

  /** Sets a synced trait and tells the kernel. */
  save<K extends keyof State>(key: K, value: State[K]): void {
    this.model.set(key, value);
    this.model.save_changes();
  }

  /** The same for values that change fast: at most one message per 100 ms, and always the last value. */
  protected saveSoon<K extends keyof State>(key: K, value: State[K]): void {
    this.ahead.set(key, value);
    this.model.set(key, value);
    this.timers.once("save", SAVE_MS, () => {
      this.ahead.clear();
      this.model.save_changes();
    });
  }

  /** Calls when the kernel (or this page) sets a trait. */
  protected on(name: keyof State, handler: () => void): void {
    const event = `change:${name}`;
    const heard = (): void => {
      const own = this.ahead.get(name);
      if (own !== undefined && this.model.get(name) !== own) {
        this.ahead.delete(name); // else this very handler would hear of it again and again
        this.model.set(name, own as never);
        this.ahead.set(name, own);
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
    return valueAt(this.get("realized"), name, track, bar);
  }

  /** Sets (null: clears) a wish for tracks (bar -1) or bars. */
  setWish(name: string, cells: readonly Cell[], value: number | null): void {
    this.setWishes(withValue(this.get("attributes"), name, cells, value));
  }

  /** Wishes for several bars of one track (-1: for the track), each with its own level. */
  setCurve(name: string, track: number, entries: readonly Entry[]): void {
    this.setWishes(withEntries(this.get("attributes"), name, track, entries));
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
