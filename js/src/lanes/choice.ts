/** Which attributes a track's lanes show, and why others cannot be shown. All of it from `caps`. Pure: no DOM. */
import type { AttributeInfo, Caps } from "../protocol.gen.ts";
import { strings } from "../strings.ts";

export const attributeLabel = (info: AttributeInfo): string => {
  const plain = info.label ?? info.name.replace(/^bar_/, "").replaceAll("_", " ");
  return plain.charAt(0).toUpperCase() + plain.slice(1);
};

/** A level in words. */
export const levelText = (info: AttributeInfo, level: number): string =>
  info.value_labels?.[level] ?? strings.levelOf(level, info.size);

/** Does the attribute exist for this kind of track? */
export const applies = (info: AttributeInfo, drum: boolean): boolean =>
  info.track_type === "both" || (info.track_type === "drum") === drum;

/** Row of the lanes' menu. `why`: what hinders it on this track, "" when nothing does. */
export interface LaneChoice {
  info: AttributeInfo;
  shown: boolean;
  why: string;
}

const DEFAULT_LANES = 2;

/** Lanes of a track until somebody chooses others: what is asked for first, bar by bar where the model can. */
export function defaultLanes(attributes: readonly AttributeInfo[]): string[] {
  for (const level of ["bar", "track"]) {
    const rows = attributes.filter((info) => info.level === level);
    const first = rows.filter((info) => !info.advanced);
    if (rows.length > 0) {
      return (first.length > 0 ? first : rows).slice(0, DEFAULT_LANES).map((info) => info.name);
    }
  }
  return [];
}

/** Every attribute of the model; `chosen` are names, null for the default ones. Bars come before whole tracks. */
export function laneChoices(caps: Caps, drum: boolean, chosen: readonly string[] | null): LaneChoice[] {
  const attributes = caps.attributes ?? [];
  // the same ones on every track, so that choosing one more changes nothing else
  const usual = [false, true].flatMap((kind) =>
    defaultLanes(attributes.filter((info) => applies(info, kind))),
  );
  const names = chosen ?? usual;
  const rows = attributes.map((info) => {
    const why = applies(info, drum) ? "" : drum ? strings.laneNotForDrums : strings.laneOnlyDrums;
    return { info, why, shown: names.includes(info.name) };
  });
  return [
    ...rows.filter(({ info }) => info.level === "bar"),
    ...rows.filter(({ info }) => info.level === "track"),
  ];
}

/** The attributes drawn for a track. */
export const shownLanes = (choices: readonly LaneChoice[]): AttributeInfo[] =>
  choices.filter(({ shown, why }) => shown && why === "").map(({ info }) => info);
