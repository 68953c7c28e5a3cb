import { describe, expect, it } from "vitest";
import { BarMap, TempoMap } from "../src/coords.ts";
import { beatsBetween, Metronome } from "../src/playback/metronome.ts";
import { type PlayableNote, Scheduler } from "../src/playback/scheduler.ts";
import { FOLLOW, followed, nextSpeed, SPEEDS } from "../src/transport.ts";

// 4/4, 3/4, 7/8 at 480 ticks a quarter
const BARS = new BarMap([
  [4, 4, 0, 1920],
  [3, 4, 1920, 1440],
  [7, 8, 3360, 1680],
]);

describe("beats of the metronome", () => {
  it("are those of every bar's own metre", () => {
    const beats = beatsBetween(BARS, 0, BARS.end);
    expect(beats).toHaveLength(4 + 3 + 7);
    expect(beats.filter(([, accent]) => accent).map(([tick]) => tick)).toEqual([0, 1920, 3360]);
    expect(beats.slice(7).map(([tick]) => tick)).toEqual([3360, 3600, 3840, 4080, 4320, 4560, 4800]);
  });

  it("are found once, however the piece is cut into stretches", () => {
    const whole = beatsBetween(BARS, 0, BARS.end);
    for (const size of [1, 7, 100, 480, 1919, 1921]) {
      const pieces = [];
      for (let from = 0; from < BARS.end; from += size) {
        pieces.push(...beatsBetween(BARS, from, Math.min(BARS.end, from + size)));
      }
      expect(pieces).toEqual(whole);
    }
  });

  it("are none in a piece without bars", () => {
    expect(beatsBetween(new BarMap([]), 0, 5000)).toEqual([]);
  });
});

describe("a metronome that goes along", () => {
  it("is told of every stretch once, loops included", () => {
    const tempo = new TempoMap([[0, 500_000]], 480);
    const told: [number, number][] = [];
    const scheduler = new Scheduler(
      () => ({ tempo, endTick: BARS.end, notesBetween: () => {} }),
      () => {},
      0,
      0,
      () => {},
      1,
      (from, to) => told.push([from, to]),
    );
    scheduler.loop = { start: 0, end: 1920 };
    for (let now = 0; now < 4.3; now += 0.025) {
      scheduler.advance(now);
    }
    const clicks = told.flatMap(([from, to]) => beatsBetween(BARS, from, to));
    expect(clicks.slice(0, 8).map(([tick]) => tick)).toEqual([0, 480, 960, 1440, 0, 480, 960, 1440]);
  });

  it("takes back what it has scheduled", () => {
    const stopped: number[] = [];
    const node = (): object => ({
      connect: () => {},
      disconnect: () => {},
      addEventListener: () => {},
      start: () => {},
      stop: () => stopped.push(1),
    });
    const context = {
      sampleRate: 8000,
      createBuffer: (_: number, length: number) => ({ getChannelData: () => new Float32Array(length) }),
      createBufferSource: node,
    } as unknown as BaseAudioContext;
    const metronome = new Metronome(() => BARS);
    metronome.stretch(context, 0, 1920, (tick) => tick / 960);
    metronome.silence();
    metronome.silence();
    expect(stopped).toHaveLength(4);
  });
});

describe("speed", () => {
  it("goes in steps and stays inside", () => {
    expect(nextSpeed(1, 1)).toBe(1.1);
    expect(nextSpeed(1, -1)).toBe(0.9);
    expect(nextSpeed(0.6, -1)).toBe(0.5);
    expect([nextSpeed(2, 1), nextSpeed(0.25, -1)]).toEqual([2, 0.25]);
    expect(SPEEDS).toContain(1);
  });

  it("changes while it plays: what is scheduled stays, the position has no jump", () => {
    const tempo = new TempoMap([[0, 500_000]], 480);
    const starts: number[] = [];
    const notes: PlayableNote[] = Array.from({ length: 14 }, (_, i) => ({
      track: 0,
      onset: i * 240,
      duration: 100,
      pitch: 60,
      velocity: 90,
    }));
    const scheduler = new Scheduler(
      () => ({
        tempo,
        endTick: 5040,
        notesBetween: (from, to, visit) => {
          for (const note of notes.filter(({ onset }) => onset >= from && onset < to)) {
            visit(note);
          }
        },
      }),
      (_, start) => starts.push(start),
      0,
      0,
    );
    let last = 0;
    for (let now = 0; now < 2.2; now += 0.025) {
      if (now >= 1 && now < 1.025) {
        scheduler.setRate(2);
      }
      scheduler.advance(now);
      const position = scheduler.positionAt(now);
      expect(position - last).toBeLessThan(0.025 * 960 * 2 + 1);
      expect(position).toBeGreaterThanOrEqual(last);
      last = position;
    }
    const gaps = starts.slice(1).map((start, i) => start - (starts[i] as number));
    expect(gaps[0]).toBeCloseTo(0.25);
    expect(gaps.at(-1)).toBeCloseTo(0.125);
  });
});

describe("following", () => {
  const view = { left: 0, scale: 0.1, top: 0, width: 1000, height: 100 };

  it("turns the page near its end, keeps the middle, or stays", () => {
    expect(FOLLOW.map((mode) => followed(view, 5000, mode))).toEqual([0, 0, 0]);
    expect(FOLLOW.map((mode) => followed(view, 9500, mode))).toEqual([8900, 4500, 0]);
    expect(FOLLOW.map((mode) => followed({ ...view, left: 8000 }, 100, mode))).toEqual([-500, -4900, 8000]);
  });
});
