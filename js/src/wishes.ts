/** Requested attribute values: nested records, changed without touching the old ones. Pure. */
import type { AttributeValues, Cell } from "./protocol.gen.ts";

type Values = Partial<AttributeValues> | null | undefined;

/** Value for a track (bar < 0) or one of its bars; undefined when there is none. */
export function valueAt(values: Values, name: string, track: number, bar = -1): number | undefined {
  return bar < 0 ? values?.track?.[track]?.[name] : values?.bar?.[track]?.[bar]?.[name];
}

/** A copy with `name` set (null: cleared) for tracks (bar -1) or bars; empty branches are left out. */
export function withValue(
  values: Values,
  name: string,
  cells: readonly Cell[],
  value: number | null,
): AttributeValues {
  const next: AttributeValues = structuredClone({ track: values?.track ?? {}, bar: values?.bar ?? {} });
  for (const [track, bar] of cells) {
    const holder = bar < 0 ? entry(next.track, track) : entry(entry(next.bar, track), bar);
    if (value === null) {
      delete holder[name];
    } else {
      holder[name] = value;
    }
  }
  return pruned(next);
}

function entry<T extends object>(record: Record<string, T>, key: number): T {
  record[key] ??= {} as T;
  return record[key] as T;
}

/** Without empty branches, so that "no wish" has one form. */
function pruned(values: AttributeValues): AttributeValues {
  const kept = <T extends object>(record: Record<string, T>): Record<string, T> =>
    Object.fromEntries(Object.entries(record).filter(([, value]) => Object.keys(value).length > 0));
  const bar = Object.fromEntries(Object.entries(values.bar).map(([track, bars]) => [track, kept(bars)]));
  return { track: kept(values.track), bar: kept(bar) };
}
