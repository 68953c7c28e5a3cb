import { describe, expect, it } from "vitest";
import {
  BarMap,
  clampView,
  contentHeight,
  LANE_EXPANDED,
  LANE_MIN,
  laneAt,
  laneHeights,
  lanePitches,
  layoutLanes,
  rowAt,
  rowTop,
  TempoMap,
  tickToX,
  type Viewport,
  xToTick,
  zoomAt,
  zoomTo,
} from "../src/coords.ts";

const bars = new BarMap([
  [4, 4, 0, 1920],
  [7, 8, 1920, 1680],
  [3, 4, 3600, 1440],
]);
const limits = { endTick: 5040, resolution: 480, contentHeight: 300 };
const view: Viewport = { left: 0, scale: 0.2, top: 0, width: 500, height: 200 };

describe("BarMap", () => {
  it.each([
    [0, 0],
    [1919, 0],
    [1920, 1],
    [3599.5, 1],
    [5039, 2],
    [99_999, 2],
    [-5, 0],
  ])("tick %d lies in bar %d", (tick, bar) => expect(bars.at(tick)).toBe(bar));

  it("knows beats and metre changes", () => {
    expect(bars.beatTicks(1)).toBe(240);
    expect([0, 1, 2].map((bar) => bars.changesMetre(bar))).toEqual([true, true, true]);
    expect(bars.end).toBe(5040);
  });

  it("of an empty piece ends at 0", () => {
    const empty = new BarMap([]);
    expect([empty.n, empty.end, empty.at(100), empty.start(3)]).toEqual([0, 0, 0, 0]);
  });
});

describe("TempoMap", () => {
  const tempo = new TempoMap(
    [
      [0, 500_000],
      [960, 1_000_000],
    ],
    480,
  );
  it.each([
    [0, 0],
    [480, 0.5],
    [960, 1],
    [1440, 2],
  ])("tick %d is at %d s and back", (tick, seconds) => {
    expect(tempo.seconds(tick)).toBeCloseTo(seconds, 12);
    expect(tempo.tick(seconds)).toBeCloseTo(tick, 9);
  });

  it("gives beats per minute", () => {
    expect(tempo.bpm(0, 480)).toBeCloseTo(120);
    expect(tempo.bpm(2000, 480)).toBeCloseTo(60);
    expect(new TempoMap([], 480).bpm(0, 480)).toBeCloseTo(120);
  });
});

describe("viewport", () => {
  it("x and tick are inverse", () => {
    const moved = { ...view, left: 123 };
    expect(xToTick(moved, tickToX(moved, 777))).toBeCloseTo(777);
  });

  it("zooming keeps the tick under the pointer", () => {
    const before = clampView({ ...view, left: 900, scale: 0.3 }, limits);
    const after = zoomAt(before, 1.7, 200, limits);
    expect(after.scale).toBeCloseTo(0.51);
    expect(xToTick(after, 200)).toBeCloseTo(xToTick(before, 200));
  });

  it("stays inside the piece", () => {
    expect(clampView({ ...view, left: -50 }, limits).left).toBe(0);
    expect(clampView({ ...view, left: 1e9 }, limits).left).toBeCloseTo(5040 - 2500);
    expect(clampView({ ...view, top: 1e9 }, limits).top).toBe(100);
    expect(clampView({ ...view, scale: 1e-9 }, limits).scale).toBeCloseTo(500 / 5040);
    expect(clampView({ ...view, scale: 1e9 }, limits).scale).toBe(1);
  });

  it("zooms to a range with air around it", () => {
    const goal = zoomTo(view, 1920, 3600, limits);
    expect(tickToX(goal, 1920)).toBeGreaterThan(0);
    expect(tickToX(goal, 3600)).toBeLessThan(500);
    expect(tickToX(goal, 1920) + tickToX(goal, 3600)).toBeCloseTo(500);
  });
});

describe("lanes", () => {
  it("share the height, with more for lanes with more rows, and fill it exactly", () => {
    const heights = laneHeights([13, 26, 13], 401, -1);
    expect(heights.reduce((a, b) => a + b)).toBe(401);
    expect(heights[1]).toBeGreaterThan(heights[0] as number);
  });

  it("never get lower than the least height: the roll scrolls instead", () => {
    expect(laneHeights(Array(20).fill(13), 400, -1)).toEqual(Array(20).fill(LANE_MIN));
  });

  it("give the expanded lane its room", () => {
    expect(laneHeights([13, 13, 13], 300, 1)[1]).toBe(LANE_EXPANDED);
    expect(laneHeights([13], 300, 0)).toEqual([300]);
  });

  it("have rows for a contiguous melodic range, at least an octave", () => {
    expect(lanePitches([60], false)).toHaveLength(13);
    const wide = lanePitches([40, 70], false);
    expect([wide[0], wide[wide.length - 1]]).toEqual([39, 71]);
    expect(lanePitches([0, 127], false)).toHaveLength(128);
    expect(lanePitches([], false).length).toBeGreaterThanOrEqual(13);
  });

  it("have rows only for drums that sound", () => {
    expect(lanePitches([36, 38, 42, 46, 49], true)).toEqual([36, 38, 42, 46, 49]);
    expect(lanePitches([49], true)).toHaveLength(4);
  });

  it("find lane and row under a point", () => {
    const lanes = layoutLanes(
      [
        { drum: false, used: [60, 72] },
        { drum: true, used: [36, 38, 42, 46] },
      ],
      300,
      -1,
    );
    expect(contentHeight(lanes)).toBe(300);
    const [piano, drums] = lanes as [(typeof lanes)[0], (typeof lanes)[0]];
    expect(laneAt(lanes, 0)?.track).toBe(0);
    expect(laneAt(lanes, drums.y)?.track).toBe(1);
    expect(laneAt(lanes, 300)).toBeNull();
    const row = piano.rowOf[64] as number;
    expect(rowAt(piano, rowTop(piano, row) + piano.rowHeight / 2)).toBe(row);
    expect(rowAt(drums, drums.y)).toBe(-1);
  });
});
