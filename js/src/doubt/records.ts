/** How sure the model was of notes, as the kernel packs it (protocol.py, DOUBT_FIELDS). Pure: no DOM. */

export const DOUBT_BYTES = 20;
const PER_BIT = 25;
const NONE = 255;
const TOP = 5;

export interface Doubt {
  /** Entropy in bits; null where the model wrote no token of its own. */
  onset: number | null;
  pitch: number | null;
  duration: number | null;
  velocity: number | null;
  /** Likeliest pitches with their share, 0..1, likeliest first. */
  pitches: readonly (readonly [pitch: number, share: number])[];
}

/** Where a note is, as one number: track, pitch and onset. */
export const placeOf = (track: number, pitch: number, onset: number): number =>
  (track * 128 + pitch) * 0x100000000 + onset;

export function readDoubts(view: DataView): Map<number, Doubt> {
  const found = new Map<number, Doubt>();
  for (let at = 0; at + DOUBT_BYTES <= view.byteLength; at += DOUBT_BYTES) {
    const bits = (i: number): number | null => {
      const value = view.getUint8(at + 6 + i);
      return value === NONE ? null : value / PER_BIT;
    };
    const pitches: [number, number][] = [];
    for (let i = 0; i < TOP; i++) {
      const pitch = view.getUint8(at + 10 + i);
      if (pitch !== NONE) {
        pitches.push([pitch, view.getUint8(at + 15 + i) / 255]);
      }
    }
    const place = placeOf(view.getUint8(at + 4), view.getUint8(at + 5), view.getUint32(at, true));
    found.set(place, { onset: bits(0), pitch: bits(1), duration: bits(2), velocity: bits(3), pitches });
  }
  return found;
}

/** 0: sure, 1: unsure (as between two to five pitches), 2: guessing. */
export const levelOfDoubt = ({ pitch }: Doubt): 0 | 1 | 2 =>
  pitch === null || pitch < 1 ? 0 : pitch < 2.3 ? 1 : 2;
