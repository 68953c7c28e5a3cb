/** Values per track and bar: nested records, changed without touching the old ones. Pure. */
import type { AttributeValues, Cell } from "./protocol.gen.ts";

type Values = Partial<AttributeValues> | null | undefined;

/** The shape of wishes, with other things than levels at the leaves. */
export interface PerCell<T> {
  track?: Record<string, Record<string, T>>;
  bar?: Record<string, Record<string, Record<string, T>>>;
}

/** Traits about what is asked for, and what became of it. */
export const WISH_TRAITS = [
  "attributes",
  "realized",
  "announced",
  "adherence",
  "reachable",
  "show_lanes",
  "chords",
  "heard_chords",
  "chord_mode",
  "show_chords",
  "piece",
  "show_uncertainty",
] as const;

/** Value for a track (bar < 0) or one of its bars; undefined when there is none. */
export function valueAt<T>(
  values: PerCell<T> | null | undefined,
  name: string,
  track: number,
  bar = -1,
): T | undefined {
  return bar < 0 ? values?.track?.[track]?.[name] : values?.bar?.[track]?.[bar]?.[name];
}

/** A copy with `name` set (null: cleared) for tracks (bar -1) or bars; empty branches are left out. */
export function withValue(
  values: Values,
  name: string,
  cells: readonly Cell[],
  value: number | null,
): AttributeValues {
  const byTrack = new Map<number, [number, number | null][]>();
  for (const [track, bar] of cells) {
    const entries = byTrack.get(track) ?? [];
    entries.push([bar, value]);
    byTrack.set(track, entries);
  }
  let next: AttributeValues = { track: values?.track ?? {}, bar: values?.bar ?? {} };
  for (const [track, entries] of byTrack) {
    next = withEntries(next, name, track, entries);
  }
  return next;
}

/** A copy with other values of one attribute of a track: of bars, and of the whole track (bar -1). */
export function withEntries(
  values: Values,
  name: string,
  track: number,
  entries: readonly (readonly [bar: number, value: number | null])[],
): AttributeValues {
  const tracks = { ...values?.track };
  const bars = { ...values?.bar?.[track] };
  for (const [bar, value] of entries) {
    const [holder, key] = bar < 0 ? [tracks, track] : [bars, bar];
    const { [name]: _old, ...rest } = holder[key] ?? {};
    put(holder, key, value === null ? rest : { ...rest, [name]: value });
  }
  const next = { track: tracks, bar: { ...values?.bar } };
  put(next.bar, track, bars);
  return next;
}

/** "No wish" has one form: no branch. */
function put<T extends object>(record: Record<string, T>, key: number, value: T): void {
  if (Object.keys(value).length > 0) {
    record[key] = value;
  } else {
    delete record[key];
  }
}
