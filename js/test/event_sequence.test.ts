import { describe, expect, it } from "vitest";
import { EventSequence } from "../src/event_sequence.ts";

const numbered = (n: number): { n: number } => ({ n });

describe("EventSequence", () => {
  it("delivers in order, once", () => {
    const sequence = new EventSequence();
    const got = [0, 2, 1, 1, 4, 0, 3].flatMap((n) => sequence.push(numbered(n)).map((e) => e.n));
    expect(got).toEqual([0, 1, 2, 3, 4]);
    expect(sequence.hasGap).toBe(false);
  });

  it("shows a gap until the picture closes it", () => {
    const sequence = new EventSequence();
    sequence.push(numbered(0));
    expect(sequence.push(numbered(3))).toEqual([]);
    expect(sequence.hasGap).toBe(true);
    expect(sequence.skipTo(3).map((e) => e.n)).toEqual([3]);
    expect(sequence.hasGap).toBe(false);
    expect(sequence.next).toBe(4);
  });

  it("never goes back", () => {
    const sequence = new EventSequence();
    [0, 1, 2].map((n) => sequence.push(numbered(n)));
    sequence.skipTo(1);
    expect(sequence.next).toBe(3);
    expect(sequence.push(numbered(2))).toEqual([]);
  });

  it("ends equal whatever is dropped, doubled and swapped, given a picture at the end", () => {
    let seed = 1;
    const random = (): number => {
      seed = (seed * 48271) % 2147483647;
      return seed / 2147483647;
    };
    for (let trial = 0; trial < 200; trial++) {
      const wire: number[] = [];
      for (let n = 0; n < 40; n++) {
        const dice = random();
        if (dice > 0.1) {
          wire.push(n);
        }
        if (dice > 0.9) {
          wire.push(n);
        }
        if (dice > 0.8 && wire.length > 1) {
          wire.push(...wire.splice(-2).reverse());
        }
      }
      const sequence = new EventSequence();
      const got = wire.flatMap((n) => sequence.push(numbered(n)).map((e) => e.n));
      expect(got).toEqual(Array.from({ length: got.length }, (_, i) => i)); // a prefix, in order
      sequence.skipTo(40);
      expect(sequence.next).toBe(40);
      expect(sequence.hasGap).toBe(false);
    }
  });
});
