import { describe, expect, it } from "vitest";
import { barRanges, describe as inWords, Selection } from "../src/selection.ts";

const row = Selection.rectangle([1, 4], [1, 7]);
const NAMES = ["Piano", "Bass", "Strings", "Drums"];

describe("Selection", () => {
  it("spans a rectangle whichever corner comes first", () => {
    const square = Selection.rectangle([2, 3], [1, 2]);
    expect(square.cells()).toEqual([
      [1, 2],
      [1, 3],
      [2, 2],
      [2, 3],
    ]);
  });

  it("adds, removes and toggles without changing its operands", () => {
    const one = Selection.of([[1, 4]]);
    expect(row.without(one).bars()).toEqual([5, 6, 7]);
    expect(row.union(Selection.of([[0, 0]])).size).toBe(5);
    expect(row.toggled(Selection.rectangle([1, 7], [1, 8])).bars()).toEqual([4, 5, 6, 8]);
    expect(row.size).toBe(4);
  });

  it("compares by value", () => {
    expect(row.equals(Selection.rectangle([1, 7], [1, 4]))).toBe(true);
    expect(row.equals(Selection.empty)).toBe(false);
  });

  it("drops cells that do not exist", () => {
    expect(row.within(4, 6).bars()).toEqual([4, 5]);
    expect(row.within(1, 99).size).toBe(0);
    expect(row.within(4, 99)).toBe(row);
  });

  it("knows tracks, bars and span", () => {
    const two = row.union(Selection.of([[3, 0]]));
    expect(two.tracks()).toEqual([1, 3]);
    expect(two.bars(3)).toEqual([0]);
    expect(two.barSpan()).toEqual([0, 8]);
    expect(Selection.empty.barSpan()).toBeNull();
  });
});

describe("in words", () => {
  it.each([
    [[0], "1"],
    [[0, 1, 2, 3, 6], "1–4, 7"],
    [[], ""],
  ])("%j is %s", (bars, text) => expect(barRanges(bars)).toBe(text));

  it.each([
    [row, "bars 5–8, Bass"],
    [Selection.of([[3, 0]]), "bar 1, Drums"],
    [Selection.rectangle([0, 0], [1, 1]), "bars 1–2, Piano + Bass"],
    [Selection.rectangle([0, 0], [2, 1]), "bars 1–2, 3 tracks"],
    [Selection.rectangle([0, 0], [3, 15]), "all bars, all tracks"],
    [row.union(Selection.of([[2, 0]])), "5 bars in Bass + Strings"],
    [Selection.empty, ""],
  ])("describes %#", (selection, text) => expect(inWords(selection, NAMES, 16)).toBe(text));

  it("counts bars when their list gets long", () => {
    const odd = Selection.of(Array.from({ length: 20 }, (_, i) => [0, 2 * i] as [number, number]));
    expect(inWords(odd, NAMES, 64)).toBe("20 bars, Piano");
  });
});
