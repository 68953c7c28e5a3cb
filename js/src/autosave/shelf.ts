/**
 * Where the page keeps what is not in a file yet: the browser's own database, within limits. Where a page may not use
 * it (private windows, frames without an origin), the page's memory; nothing here ever fails.
 */
import type { KeptEdit } from "./log.ts";

export interface Kept {
  /** `kernel`/`session` of the roll. */
  id: string;
  kernel: string;
  /** The how manieth roll of this music its kernel made. */
  number: number;
  keys: readonly string[];
  title: string;
  /** When it was last changed, milliseconds since 1970. */
  at: number;
  /** The project as the kernel gave it; null: the edits were made on the music the roll began with. */
  base: ArrayBuffer | null;
  log: readonly KeptEdit[];
}

const NAME = "midigpt-nb";
const STORE = "kept";
const MOST = 20;
const MOST_BYTES = 32 << 20;
const OLDEST_MS = 14 * 24 * 3600 * 1000;

const MOST_EDITS = 100_000;

const isText = (value: unknown): value is string => typeof value === "string" && value.length <= 10_000;

/** Anything of this origin can write to the database: what has not the shape of our own is not looked at. */
export function isKept(value: unknown): value is Kept {
  const kept = value as Partial<Kept> | null;
  const sound = (edit: Partial<KeptEdit> | null): boolean =>
    typeof edit === "object" &&
    edit !== null &&
    ["ops", "undo", "redo"].includes(edit.k as string) &&
    isText(edit.label) &&
    Array.isArray(edit.ops) &&
    (edit.records === null || edit.records instanceof ArrayBuffer);
  return (
    typeof kept === "object" &&
    kept !== null &&
    [kept.id, kept.kernel, kept.title].every(isText) &&
    Number.isFinite(kept.at) &&
    Math.abs(kept.at as number) < 8.64e15 && // a date has to be made of it
    Number.isFinite(kept.number) &&
    Array.isArray(kept.keys) &&
    kept.keys.every(isText) &&
    (kept.base === null || kept.base instanceof ArrayBuffer) &&
    Array.isArray(kept.log) &&
    kept.log.length <= MOST_EDITS &&
    kept.log.every(sound)
  );
}

const sizeOf = (kept: Kept): number =>
  (kept.base?.byteLength ?? 0) + kept.log.reduce((n, edit) => n + (edit.records?.byteLength ?? 0) + 500, 0);

/** What has to go: too old, too many, too large together. `all` may be in any order. Pure. */
export function tooMuch(all: readonly Kept[], now: number): string[] {
  let bytes = 0;
  return [...all]
    .sort((a, b) => b.at - a.at)
    .filter((kept, i) => {
      bytes += sizeOf(kept);
      return i >= MOST || bytes > MOST_BYTES || now - kept.at > OLDEST_MS;
    })
    .map(({ id }) => id);
}

/** The one that a new roll is offered: of the same music, from a kernel that is gone; its namesake first. Pure. */
export function ownOf(
  all: readonly Kept[],
  facts: { kernel: string; number: number; keys: readonly string[] },
  taken: ReadonlySet<string>,
): Kept | null {
  const mine = all.filter(
    ({ id, kernel, keys }) =>
      kernel !== facts.kernel && !taken.has(id) && keys.some((key) => facts.keys.includes(key)),
  );
  const newest = mine.sort((a, b) => b.at - a.at)[0];
  if (!newest) {
    return null;
  }
  // Of the rolls that this kernel made of the same music, each gets its own.
  const siblings = mine.filter(({ kernel }) => kernel === newest.kernel);
  return siblings.find(({ number }) => number === facts.number) ?? newest;
}

const done = <T>(request: IDBRequest<T>): Promise<T> =>
  new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });

export class Shelf {
  /** What the database would not take. */
  private readonly memory = new Map<string, Kept>();
  private database: Promise<IDBDatabase | null> | null = null;

  async all(): Promise<Kept[]> {
    const stored = await this.use("readonly", (store) => done(store.getAll() as IDBRequest<Kept[]>));
    const known = new Map((stored ?? []).filter(isKept).map((kept) => [kept.id, kept]));
    for (const [id, kept] of this.memory) {
      known.set(id, kept);
    }
    return [...known.values()];
  }

  async put(kept: Kept): Promise<void> {
    const stored = await this.use("readwrite", async (store) => {
      await done(store.put(kept));
      return true;
    });
    if (stored) {
      this.memory.delete(kept.id);
    } else {
      this.memory.set(kept.id, kept);
    }
  }

  async drop(ids: readonly string[]): Promise<void> {
    for (const id of ids) {
      this.memory.delete(id);
    }
    await this.use("readwrite", async (store) => {
      await Promise.all(ids.map((id) => done(store.delete(id))));
    });
  }

  /** Runs a transaction; null when there is no database, or it is full. */
  private async use<T>(
    mode: IDBTransactionMode,
    work: (store: IDBObjectStore) => Promise<T>,
  ): Promise<T | null> {
    try {
      this.database ??= open();
      const database = await this.database;
      if (!database) {
        return null;
      }
      const transaction = database.transaction(STORE, mode);
      const ended = new Promise<void>((resolve, reject) => {
        transaction.oncomplete = () => resolve();
        transaction.onabort = () => reject(transaction.error);
      });
      const [result] = await Promise.all([work(transaction.objectStore(STORE)), ended]);
      return result;
    } catch {
      this.database = null; // it may have been closed; the next time it is opened anew
      return null;
    }
  }
}

async function open(): Promise<IDBDatabase | null> {
  try {
    const request = indexedDB.open(NAME, 1);
    request.onupgradeneeded = () => request.result.createObjectStore(STORE, { keyPath: "id" });
    const database = await done(request);
    database.onversionchange = () => database.close();
    return database;
  } catch {
    return null;
  }
}

/** What all rolls of a page share. */
interface Shared {
  shelf: Shelf;
  /** Offered to a roll of this page already. */
  taken: Set<string>;
}

export function shared(): Shared {
  const key = Symbol.for("mgnb.kept.1");
  const page = globalThis as unknown as Record<symbol, Shared | undefined>;
  page[key] ??= { shelf: new Shelf(), taken: new Set() };
  return page[key];
}
