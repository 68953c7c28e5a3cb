import { describe, expect, it } from "vitest";
import { levelOfDoubt, placeOf, readDoubts } from "../src/doubt/records.ts";
import { chordAdherence, chordText, selectedBars } from "../src/lanes/chords.ts";
import { type Entry, raised } from "../src/lanes/curve.ts";
import { Selection } from "../src/selection.ts";
import { Store } from "../src/store.ts";
import { fakeModel } from "./fixtures.ts";

describe("figures of doubt (k5)", () => {
  it("are read as the kernel packs them, at any offset", () => {
    const bytes = new Uint8Array(3 + 20);
    const view = new DataView(bytes.buffer, 3);
    view.setUint32(0, 7680, true);
    const rest = [2, 60, 255, 50, 25, 0, 60, 64, 255, 255, 255, 153, 51, 0, 0, 0];
    for (const [i, byte] of rest.entries()) {
      view.setUint8(4 + i, byte);
    }
    const found = readDoubts(view);
    expect([...found.keys()]).toEqual([placeOf(2, 60, 7680)]);
    expect([...found.values()][0]).toEqual({
      onset: null,
      pitch: 2,
      duration: 1,
      velocity: 0,
      pitches: [
        [60, 0.6],
        [64, 0.2],
      ],
    });
  });

  it("keep notes apart by track, pitch and time", () => {
    const places = [placeOf(0, 127, 5), placeOf(1, 0, 5), placeOf(0, 127, 6), placeOf(31, 127, 2 ** 32 - 1)];
    expect(new Set(places).size).toBe(4);
    expect(places.every(Number.isSafeInteger)).toBe(true);
  });

  it("have three levels that differ without colour", () => {
    const of = (pitch: number | null) =>
      levelOfDoubt({ pitch, onset: null, duration: null, velocity: null, pitches: [] });
    expect([null, 0, 0.99, 1, 2.2, 2.4, 7].map(of)).toEqual([0, 0, 0, 1, 1, 2, 2]);
  });
});

describe("chords (a7)", () => {
  it("are written as they are typed", () => {
    expect(chordText(["Am", "Am", "", "", "C"])).toBe("Am % N.C. % C");
    expect(chordText(["", ""])).toBe("");
    expect(chordText([])).toBe("");
  });

  it("belong to the bars of all selected tracks, and are met by all written ones together", () => {
    const adherence = {
      bar: { "0": { "4": { chord: 1 } }, "1": { "4": { chord: 0.5 }, "5": { density: 1 } } },
    };
    const store = new Store(fakeModel({ adherence }));
    store.selection = Selection.of([
      [1, 5],
      [0, 4],
      [1, 4],
    ]);
    expect(selectedBars(store)).toEqual([4, 5]);
    expect(chordAdherence(store, 4)).toBe(0.75);
    expect(chordAdherence(store, 5)).toBeNull();
    store.dispose();
  });
});

describe("a whole curve (a2)", () => {
  const curve: Entry[] = [
    [0, 2],
    [1, null],
    [2, 7],
  ];
  it("moves up and down and keeps its shape at the rim", () => {
    expect(raised(curve, 1, 10)).toEqual([
      [0, 3],
      [1, null],
      [2, 8],
    ]);
    expect(raised(curve, 9, 10)).toEqual([
      [0, 4],
      [1, null],
      [2, 9],
    ]);
    expect(raised(curve, -9, 10)).toEqual([
      [0, 0],
      [1, null],
      [2, 5],
    ]);
  });
});
