import { describe, expect, it } from "vitest";
import { BarMap } from "../src/coords.ts";
import { defaultLanes, laneChoices, levelText, shownLanes } from "../src/lanes/choice.ts";
import {
  cleared,
  type Entry,
  filled,
  freehand,
  leftBehind,
  levelAt,
  mean,
  ramp,
  randomised,
  shareOf,
} from "../src/lanes/curve.ts";
import { adherenceText, drawLanes, type LaneRow, levelY, type Marks } from "../src/lanes/marks.ts";
import { describeMarks } from "../src/lanes/sliders.ts";
import type { Lane } from "../src/lanes/state.ts";
import type { AttributeInfo } from "../src/protocol.gen.ts";
import { valueAt, withEntries, withValue } from "../src/wishes.ts";

/** Bars of 4/4, 2/4, 7/8, 4/4 …: their widths differ. */
const BARS = new BarMap([
  [4, 4, 0, 1920],
  [2, 4, 1920, 960],
  [7, 8, 2880, 1680],
  [4, 4, 4560, 1920],
  [4, 4, 6480, 1920],
]);
const at = (tick: number, share: number) => ({ tick, share });
const INFO: AttributeInfo[] = [
  { name: "note_density", level: "track", track_type: "both", size: 10 },
  { name: "key", level: "track", track_type: "melodic", size: 2, value_labels: ["C", "D"], advanced: true },
  { name: "bar_grid", level: "bar", track_type: "both", size: 4, advanced: true },
  { name: "bar_note_density", level: "bar", track_type: "both", size: 10 },
  { name: "bar_max_polyphony", level: "bar", track_type: "melodic", size: 10 },
  { name: "bar_kit", level: "bar", track_type: "drum", size: 3 },
];

describe("levels", () => {
  it("are bands of equal height, the lowest and highest reach to the ends", () => {
    expect([-0.2, 0, 0.099, 0.1, 0.5, 0.999, 1, 1.4].map((share) => levelAt(share, 10))).toEqual([
      0, 0, 0, 1, 5, 9, 9, 9,
    ]);
    for (let level = 0; level < 7; level++) {
      expect(levelAt(shareOf(level, 7) - 1e-9, 7)).toBe(level);
    }
  });

  it("have one y each, inside the lane, higher levels above", () => {
    const row = { top: 100, height: 60, size: 10 } as LaneRow;
    const ys = Array.from({ length: 10 }, (_, level) => levelY(row, level));
    expect(ys).toEqual([...ys].sort((a, b) => b - a));
    expect(Math.min(...ys)).toBeGreaterThan(100);
    expect(Math.max(...ys)).toBeLessThan(160);
  });

  it("are said in the engine's words, else as a place among all", () => {
    expect(levelText(INFO[1] as AttributeInfo, 1)).toBe("D");
    expect(levelText(INFO[0] as AttributeInfo, 6)).toBe("7 of 10");
  });
});

describe("a bar the pen has left", () => {
  const slow = Array.from({ length: 20 }, (_, i) => at(i * 100, 0.05 + i * 0.045));

  it("keeps the level at its middle, as a fast stroke gives it", () => {
    expect(leftBehind(BARS, slow, at(2000, 0.95), 10)).toEqual([0, 4]);
  });

  it("keeps what it had last where the pen went its own way, or did not pass the middle", () => {
    expect(leftBehind(BARS, [...slow, at(1900, 0.2)], at(2000, 0.2), 10)).toBeNull();
    expect(leftBehind(BARS, [at(1500, 0.3)], at(2000, 0.9), 10)).toBeNull();
    expect(leftBehind(BARS, [], at(2000, 0.9), 10)).toBeNull();
  });
});

describe("freehand", () => {
  it("gives every bar on the way a level, its own bar last", () => {
    expect(freehand(BARS, at(100, 0.05), at(7000, 0.95), 10)).toEqual([
      [1, 3],
      [2, 5],
      [3, 7],
      [4, 9],
    ]);
    expect(freehand(BARS, at(7000, 0.95), at(2000, 0.05), 10).map(([bar]) => bar)).toEqual([3, 2, 1]);
  });

  it("changes one bar while it stays in it, and stays inside the piece", () => {
    expect(freehand(BARS, at(100, 0.5), at(900, 0.8), 10)).toEqual([[0, 8]]);
    expect(freehand(BARS, at(7000, 0.5), at(99_999, 0.5), 10)).toEqual([[4, 5]]);
    expect(freehand(BARS, at(100, 0.5), at(-500, 0.5), 10)).toEqual([[0, 5]]);
  });
});

describe("ramp", () => {
  it("goes in even steps from end to end, in both directions", () => {
    const up: Entry[] = [
      [0, 1],
      [1, 3],
      [2, 5],
      [3, 7],
      [4, 9],
    ];
    expect(ramp(BARS, at(10, 0.1), at(7000, 0.95), 10)).toEqual(up);
    expect(ramp(BARS, at(7000, 0.95), at(10, 0.1), 10)).toEqual(up);
  });

  it("in one bar is where the pen is", () => {
    expect(ramp(BARS, at(10, 0.1), at(500, 0.6), 10)).toEqual([[0, 6]]);
  });
});

it("clearing, filling, randomising", () => {
  expect(cleared(BARS, 5000, 2000)).toEqual([
    [1, null],
    [2, null],
    [3, null],
  ]);
  expect(filled([2, 4], 3)).toEqual([
    [2, 3],
    [4, 3],
  ]);
  const ends = (random: number) =>
    randomised(
      [0, 1],
      (bar) => [bar, 5],
      () => random,
    );
  expect(ends(0)).toEqual([
    [0, 0],
    [1, 1],
  ]);
  expect(ends(0.9999)).toEqual([
    [0, 5],
    [1, 5],
  ]);
  expect(mean([undefined, 1, 0])).toBe(0.5);
  expect(mean([])).toBeNull();
});

describe("choice of lanes", () => {
  it("by default: bar by bar, what is asked for first", () => {
    expect(defaultLanes(INFO)).toEqual(["bar_note_density", "bar_max_polyphony"]);
    expect(defaultLanes(INFO.slice(0, 2))).toEqual(["note_density"]);
    expect(defaultLanes(INFO.slice(1, 3))).toEqual(["bar_grid"]);
    expect(defaultLanes([])).toEqual([]);
  });

  it("lists every attribute, and says why one does not fit the track", () => {
    const drums = laneChoices({ attributes: INFO }, true, null);
    expect(drums.map(({ info, why }) => [info.name, why])).toEqual([
      ["bar_grid", ""],
      ["bar_note_density", ""],
      ["bar_max_polyphony", "not for drums"],
      ["bar_kit", ""],
      ["note_density", ""],
      ["key", "not for drums"],
    ]);
    expect(shownLanes(drums).map(({ name }) => name)).toEqual(["bar_note_density", "bar_kit"]);
    const melodic = laneChoices({ attributes: INFO }, false, ["bar_kit", "key"]);
    expect(shownLanes(melodic).map(({ name }) => name)).toEqual(["key"]);
    expect(melodic.find(({ info }) => info.name === "bar_kit")?.why).toBe("drums only");
  });
});

it("marks are told in words", () => {
  const lane = { info: INFO[0] as AttributeInfo, size: 10 } as Lane;
  const none: Marks = {
    requested: undefined,
    announced: undefined,
    measured: undefined,
    adherence: undefined,
    reach: undefined,
    target: false,
  };
  expect(describeMarks(lane, none)).toBe("no preference");
  const all: Marks = { ...none, requested: 2, announced: 3, measured: 4, adherence: 0.78, reach: [1, 9] };
  expect(describeMarks(lane, all)).toBe(
    "asked: 3 of 10, model said: 4 of 10, measured: 5 of 10, met: .78, within reach: 2 of 10 to 10 of 10",
  );
  expect([1, 0.889, 0.5, 0, 0.999].map(adherenceText)).toEqual(["1", ".89", ".50", "0", "1"]);
});

describe("wishes of a curve", () => {
  it("leave everything else as it is, and no empty branch", () => {
    const old = { track: { 1: { a: 1 } }, bar: { 1: { 3: { a: 2, b: 3 } } } };
    const next = withEntries(old, "a", 1, [
      [-1, null],
      [3, null],
      [4, 7],
    ]);
    expect(next).toEqual({ track: {}, bar: { 1: { 3: { b: 3 }, 4: { a: 7 } } } });
    expect(old).toEqual({ track: { 1: { a: 1 } }, bar: { 1: { 3: { a: 2, b: 3 } } } });
    expect(withEntries(next, "a", 1, [[4, null]]).bar).toEqual({ 1: { 3: { b: 3 } } });
    expect(withValue(null, "a", [[0, -1]], 4)).toEqual({ track: { 0: { a: 4 } }, bar: {} });
    expect(valueAt(next, "a", 1, 4)).toBe(7);
    expect(valueAt({}, "a", 1, 4)).toBeUndefined();
  });
});

it("writes how well a wish was met clear of the mark at the top level", () => {
  const heights: number[] = [];
  const numbers: number[] = [];
  const ctx = new Proxy(
    {
      moveTo: (_x: number, y: number) => heights.push(y),
      fillText: (_text: string, _x: number, y: number) => numbers.push(y),
    } as Record<string, unknown>,
    { get: (own, name) => own[String(name)] ?? (() => {}), set: () => true },
  );
  const none = { requested: undefined, measured: undefined, reach: undefined, target: false };
  const marks = (): Marks => ({ ...none, announced: 9, adherence: 0.89 });
  drawLanes(ctx as unknown as CanvasRenderingContext2D, {
    view: { left: 0, top: 0, width: 36, height: 64, scale: 36 / 1920 },
    dpr: 1,
    bars: new BarMap([[4, 4, 0, 1920]]),
    palette: {} as never,
    colour: "",
    rows: [{ top: 0, height: 64, size: 10, wide: false, nominal: false, marks }],
  });
  expect(numbers).toHaveLength(1);
  expect(Math.min(...heights) - 1.5).toBeGreaterThanOrEqual((numbers[0] as number) + 9.5);
});
