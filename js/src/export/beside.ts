/**
 * What a page holds beside the music stays with its tracks and bars when these move, come and go: the rule of
 * `widgets/beside.py`. What was measured in bars that are other ones now goes: a page cannot measure. Pure.
 */
import type { State } from "../model.ts";
import type { Cell, Op } from "../protocol.gen.ts";
import { barStarts, type LocalDocument } from "./local_document.ts";

/** By new place the old one; NEW where there was none, `copyOf(old)` for a copy. */
type Places = readonly number[];

export interface Way {
  tracks: Places;
  bars: Places;
  /** The bars that sound as before. */
  same: Places;
  /** "track", ",bar" and "track,bar" with other notes, by new places. */
  touched: ReadonlySet<string>;
  /** Tracks or bars are others or elsewhere; the piece as a whole has other bars. */
  moves: boolean;
  recut: boolean;
}

/** Where an operation is at work. */
type Span = { at?: number; first?: number; track?: number; count?: number };

const NEW = -1;
const copyOf = (place: number): number => -2 - place;
const source = (place: number): number => (place < NEW ? copyOf(place) : place);
const counted = (n: number): number[] => Array.from({ length: n }, (_, i) => i);

/** Where tracks and bars are after operations that were carried out. */
export function wayOf(before: LocalDocument, after: LocalDocument, ops: readonly Op[]): Way {
  const tracks = counted(before.tracks.length);
  const bars = counted(before.metres.length);
  const redrawn = new Set<number>();
  let structure = false;
  for (const op of ops) {
    structure ||= op.op !== "notes";
    const list = "track" in op ? tracks : bars;
    const { at = 0, first = at, track = first, count = 1 } = op as Span;
    const own = list.slice(track, track + count);
    switch (op.op) {
      case "track_add":
        tracks.push(NEW);
        break;
      case "track_move":
        tracks.splice(op.to, 0, ...tracks.splice(track, 1));
        break;
      case "bars_insert":
        bars.splice(at, 0, ...Array<number>(count).fill(NEW));
        break;
      case "track_delete":
      case "bars_delete":
        list.splice(track, count);
        break;
      case "track_duplicate":
      case "bars_duplicate":
        list.splice(track + count, 0, ...own.map((place) => copyOf(source(place))));
        break;
      case "metre_set": {
        // as many stay as there are, the last ones come or go; what is missing is its own: it comes alone
        const more = Math.max(0, after.metres.length - bars.length);
        const less = Math.max(0, bars.length - after.metres.length);
        own.forEach(redrawn.add, redrawn);
        bars.splice(first + count - less, less, ...Array<number>(more).fill(NEW));
      }
    }
  }
  const same = bars.map((bar) => (redrawn.has(bar) ? NEW : bar));
  return {
    tracks,
    bars,
    same,
    touched: structure ? new Set() : touched(before, after),
    moves: !(isStill(tracks, before.tracks.length) && isStill(bars, before.metres.length)),
    recut: !isStill(same, before.metres.length),
  };
}

const isStill = (places: Places, n: number): boolean =>
  places.length === n && places.every((from, to) => from === to);

/** Back again; copies are no longer there. */
export function wayBack(way: Way, to: LocalDocument): Way {
  const back = (places: Places, n: number): number[] => counted(n).map((old) => places.indexOf(old));
  const [nTracks, nBars] = [to.tracks.length, to.metres.length];
  return {
    ...way,
    tracks: back(way.tracks, nTracks),
    bars: back(way.bars, nBars),
    same: back(way.same, nBars),
  };
}

/** Edited notes are other objects; the rest of them are the same ones. */
function touched(before: LocalDocument, after: LocalDocument): Set<string> {
  const starts = barStarts(after);
  const [old, now] = [new Set(before.notes), new Set(after.notes)];
  const other = [...before.notes.filter((n) => !now.has(n)), ...after.notes.filter((n) => !old.has(n))];
  return new Set(
    other.flatMap(({ track, onset }) => {
      const bar = starts.findIndex((at) => at > onset) - 1;
      return [`${track}`, `,${bar}`, `${track},${bar}`];
    }),
  );
}

type Followers = { readonly [K in keyof State]?: (value: State[K], way: Way) => State[K] };

/** What follows on this way, and how. */
export const followers = (way: Way): Followers => ({ ...(way.moves && DECIDED), ...MEASURED });

/** TABLE: what was decided about tracks and bars. */
const DECIDED: Followers = {
  selection: ({ cells = [], ...more }, { tracks, bars }) => {
    const places = cells.map(([track, bar]): Cell => [tracks.indexOf(track), bars.indexOf(bar)]);
    return { ...more, cells: places.filter((cell) => !cell.includes(NEW)) };
  },
  loop: ([from = 0, to = 0], { bars }) => {
    const kept = counted(to).filter((bar) => bar >= from && bars.includes(bar));
    const places = kept.map((bar) => bars.indexOf(bar));
    return kept.length > 0 ? [Math.min(...places), Math.max(...places) + 1] : [];
  },
  plan: ({ roles = {} }, { tracks, bars }) => {
    const own = (places: Places): Places => places.map((place) => Math.max(place, NEW));
    return {
      roles: moved(roles, own(tracks), (row) => ({ ...row, bars: moved(row.bars ?? {}, own(bars)) })),
    };
  },
  attributes: ({ track = {}, bar = {} }, { tracks, bars }) => ({
    track: moved(track, tracks),
    bar: moved(bar, tracks, (row) => moved(row, bars)),
  }),
  chords: (value, { bars }) => moved(value, bars),
};

/** TABLE: what was measured in them. */
const MEASURED: Followers = {
  heard_chords: (value, { same, touched }) =>
    same.map((from, bar) => (touched.has(`,${bar}`) ? null : (value[source(from)] ?? null))),
  realized: measured,
  announced: measured,
  adherence: measured,
  reachable: () => ({}),
};

function measured({ track = {}, bar = {} }: State["realized"], way: Way): State["realized"] {
  const { tracks, same, touched, recut } = way;
  const sounding = tracks.map((from, at) => (recut || touched.has(`${at}`) ? NEW : from));
  const bars = (own: number): Places => same.map((from, at) => (touched.has(`${own},${at}`) ? NEW : from));
  return { track: moved(track, sounding), bar: moved(bar, tracks, (row, at) => moved(row, bars(at))) };
}

/** The rows that are somewhere now, by their new places. */
const moved = <T>(
  rows: Readonly<Record<string, T>>,
  places: Places,
  change = (row: T, _to: number): T => row,
): Record<string, T> =>
  Object.fromEntries(
    [...places.entries()]
      .filter(([, from]) => source(from) in rows)
      .map(([to, from]) => [to, change(rows[source(from)] as T, to)]),
  );
