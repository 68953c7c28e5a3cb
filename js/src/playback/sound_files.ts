/**
 * What sounds are made of, fetched from the kernel in parts when a page is about to play, once a page whatever the
 * number of widgets. It stays out of the bundle, which every widget of a notebook carries.
 */
import { addressOf } from "./module.ts";

/** "worklet": code of the audio thread; "bank": the SoundFont; "simple": the sound made of oscillators. */
export type SoundFile = "worklet" | "bank" | "simple";

export interface SoundFiles {
  worklet: Uint8Array;
  bank: Uint8Array;
}

/** One part of a file, and how many there are. */
export type FetchPart = (file: SoundFile, part: number) => Promise<{ bytes: DataView; parts: number }>;

const FILES_KEY = Symbol.for("mgnb.sound.v2");

type Cache = Map<string, Promise<Uint8Array>>;

function cache(): Cache {
  const page = globalThis as unknown as Record<symbol, Cache | undefined>;
  page[FILES_KEY] ??= new Map();
  return page[FILES_KEY];
}

/** A whole file. `identity` names the bank, so that another SoundFont is fetched anew. */
export function soundFile(file: SoundFile, fetchPart: FetchPart, identity = ""): Promise<Uint8Array> {
  const key = `${file}/${identity}`;
  let bytes = cache().get(key);
  if (!bytes) {
    bytes = whole(file, fetchPart);
    cache().set(key, bytes);
    // A kernel that is busy or gone now may answer later.
    bytes.catch(() => cache().delete(key));
  }
  return bytes;
}

export async function soundFiles(identity: string, fetchPart: FetchPart): Promise<SoundFiles> {
  const [worklet, bank] = await Promise.all([
    soundFile("worklet", fetchPart),
    soundFile("bank", fetchPart, identity),
  ]);
  return { worklet, bank };
}

async function whole(file: SoundFile, fetchPart: FetchPart): Promise<Uint8Array> {
  const first = await fetchPart(file, 0);
  const rest = Array.from({ length: first.parts - 1 }, (_, i) => fetchPart(file, i + 1));
  const parts = [first, ...(await Promise.all(rest))];
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.bytes.byteLength, 0));
  let at = 0;
  for (const { bytes: view } of parts) {
    bytes.set(new Uint8Array(view.buffer, view.byteOffset, view.byteLength), at);
    at += view.byteLength;
  }
  return bytes;
}

/** A module from its text: imported once a page. */
export async function importText<M>(code: Uint8Array): Promise<M> {
  return addressOf(code, (url) => import(url) as Promise<M>);
}
