/** Keys and scales: which pitch classes belong to one. Pure. */

/** TABLE: steps above the first note. */
export const SCALES = {
  major: [0, 2, 4, 5, 7, 9, 11],
  minor: [0, 2, 3, 5, 7, 8, 10],
  "harmonic minor": [0, 2, 3, 5, 7, 8, 11],
  dorian: [0, 2, 3, 5, 7, 9, 10],
  mixolydian: [0, 2, 4, 5, 7, 9, 10],
  "major pentatonic": [0, 2, 4, 7, 9],
  "minor pentatonic": [0, 3, 5, 7, 10],
  blues: [0, 3, 5, 6, 7, 10],
} as const;

export type ScaleName = keyof typeof SCALES;

export interface Key {
  /** Pitch class of the first note, 0 = C. */
  tonic: number;
  scale: ScaleName;
}

/** A level of an attribute whose values are keys: 0-11 major from C, 12-23 minor; else none. */
export const keyOfLevel = (level: number | undefined): Key | null =>
  level === undefined || level < 0 || level > 23
    ? null
    : { tonic: level % 12, scale: level < 12 ? "major" : "minor" };

/** For each pitch class: 0 outside the scale, 1 in it, 2 its first note. */
export function degrees({ tonic, scale }: Key): Uint8Array {
  const kinds = new Uint8Array(12);
  for (const step of SCALES[scale]) {
    kinds[(tonic + step) % 12] = step === 0 ? 2 : 1;
  }
  return kinds;
}

export const sameKey = (a: Key | null, b: Key | null): boolean =>
  a?.tonic === b?.tonic && a?.scale === b?.scale;
