/**
 * Copied notes: kept by the page for all its rolls, and as text on the clipboard, so that they also go from one page to
 * another. Reading the clipboard is left to the browser's own paste event, which asks nobody for leave.
 */
import type { EditNote } from "./notes.ts";

/** Notes as they were copied: with the resolution of their piece, and the cell they are counted from. */
export interface Clip {
  resolution: number;
  /** The first of the copied tracks, which may be silent; in a text from elsewhere that of the first note. */
  track: number;
  /** Start tick of the first copied bar, which may be empty. */
  start: number;
  notes: EditNote[];
}

const PAGE_KEY = Symbol.for("mgnb.clipboard.1");
const MARK = "midigpt-nb notes";
const MOST = 100_000;
const LAST_TICK = 2 ** 31 - 1;

interface Shelf {
  clip: Clip | null;
}

function shelf(): Shelf {
  const page = globalThis as unknown as Record<symbol, Shelf | undefined>;
  page[PAGE_KEY] ??= { clip: null };
  return page[PAGE_KEY];
}

export const copiedClip = (): Clip | null => shelf().clip;

export const setClip = (clip: Clip): void => {
  shelf().clip = clip;
};

/** The text that travels: one row per note. */
export function clipText({ resolution, track, start, notes }: Clip): string {
  const rows = notes.map((n) => [n.track, n.onset, n.duration, n.pitch, n.velocity, n.micro]);
  return JSON.stringify({ kind: MARK, version: 1, resolution, track, start, notes: rows });
}

const whole = (value: unknown, low: number, high: number): value is number =>
  Number.isInteger(value) && (value as number) >= low && (value as number) <= high;

/** Reads such a text; null for any other, however it came about. */
export function readClip(text: string): Clip | null {
  if (!text.includes(MARK)) {
    return null;
  }
  let data: Partial<Record<"kind" | "version" | "resolution" | "track" | "start" | "notes", unknown>>;
  try {
    data = JSON.parse(text);
  } catch {
    return null;
  }
  const { resolution, start, notes: rows } = data;
  const known = data.kind === MARK && data.version === 1;
  if (!known || !whole(resolution, 1, 32_767) || !whole(start, 0, 2 ** 31) || !Array.isArray(rows)) {
    return null;
  }
  const notes: EditNote[] = [];
  for (const row of rows.slice(0, MOST) as unknown[]) {
    const [track, onset, duration, pitch, velocity, micro] = Array.isArray(row) ? (row as unknown[]) : [];
    const sound =
      whole(track, 0, 255) &&
      whole(onset, start, 2 ** 31) &&
      whole(duration, 1, 2 ** 31) &&
      whole(pitch, 0, 127) &&
      whole(velocity, 1, 127) &&
      whole(micro, -32_768, 32_767);
    if (!sound) {
      return null;
    }
    notes.push({ id: 0, track, onset, duration, pitch, velocity, micro });
  }
  const least = notes.reduce((first, note) => Math.min(first, note.track), 255);
  const track = data.track ?? least;
  return whole(track, 0, least) ? { resolution, track, start, notes } : null;
}

/** Where notes go: the cell of the cursor, in a piece of so many tracks. */
export interface Place {
  track: number;
  /** Start tick of the bar. */
  start: number;
  resolution: number;
  nTracks: number;
}

/** The notes of a clip moved to a place: the first copied track becomes its track, and so on downwards. */
export function placed(clip: Clip, place: Place): EditNote[] {
  const scale = place.resolution / clip.resolution;
  return clip.notes
    .map((note) => ({
      ...note,
      track: note.track - clip.track + place.track,
      onset: Math.round((note.onset - clip.start) * scale) + place.start,
      duration: Math.min(LAST_TICK, Math.max(1, Math.round(note.duration * scale))),
      micro: scale === 1 ? note.micro : 0,
    }))
    .filter((note) => note.track < place.nTracks && note.onset <= LAST_TICK);
}

/** How long the browser may take to bring what is on the clipboard. */
const PASTE_MS = 120;

/**
 * Joins a roll to the clipboard. `paste` is called with what is to be pasted; the returned function is to be called when
 * the key for it was pressed.
 */
export function joinClipboard(
  root: HTMLElement,
  paste: (clip: Clip | null) => void,
  signal: AbortSignal,
): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const inField = (event: Event): boolean =>
    event
      .composedPath()
      .some((node) => node instanceof HTMLElement && node.matches("input, textarea, select"));
  const write = (event: ClipboardEvent): void => {
    const clip = copiedClip();
    if (clip && !inField(event)) {
      event.clipboardData?.setData("text/plain", clipText(clip));
      event.preventDefault();
    }
  };
  const finish = (clip: Clip | null): void => {
    clearTimeout(timer);
    timer = undefined;
    paste(clip ?? copiedClip());
  };
  root.addEventListener("copy", write, { signal });
  root.addEventListener("cut", write, { signal });
  root.addEventListener(
    "paste",
    (event) => {
      if (timer !== undefined && !inField(event)) {
        event.preventDefault();
        finish(readClip(event.clipboardData?.getData("text/plain") ?? ""));
      }
    },
    { signal },
  );
  signal.addEventListener("abort", () => clearTimeout(timer), { once: true });
  return () => {
    clearTimeout(timer);
    // Some hosts keep clipboard events to themselves: then what this page has copied is what is pasted.
    timer = setTimeout(() => finish(null), PASTE_MS);
  };
}
