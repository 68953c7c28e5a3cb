/**
 * The files of the sampled sound, fetched from the kernel in parts, once a page whatever the number of widgets.
 * `identity` names the bank (the packaged one or a SoundFont of the user's), so that another bank is fetched anew.
 */

export interface SoundFiles {
  /** Code of the audio thread. */
  worklet: Uint8Array;
  /** The SoundFont. */
  bank: Uint8Array;
}

export type SoundFile = keyof SoundFiles;

/** One part of a file, and how many there are. */
export type FetchPart = (file: SoundFile, part: number) => Promise<{ bytes: DataView; parts: number }>;

const FILES_KEY = Symbol.for("mgnb.sound.v1");

type Cache = Map<string, Promise<SoundFiles>>;

function cache(): Cache {
  const page = globalThis as unknown as Record<symbol, Cache | undefined>;
  page[FILES_KEY] ??= new Map();
  return page[FILES_KEY];
}

export function soundFiles(identity: string, fetchPart: FetchPart): Promise<SoundFiles> {
  const known = cache().get(identity);
  if (known) {
    return known;
  }
  const files = Promise.all([whole("worklet", fetchPart), whole("bank", fetchPart)]).then(
    ([worklet, bank]) => ({ worklet, bank }),
  );
  cache().set(identity, files);
  // A kernel that is busy or gone now may answer later.
  files.catch(() => cache().delete(identity));
  return files;
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
