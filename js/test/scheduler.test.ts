import { describe, expect, it } from "vitest";
import { TempoMap } from "../src/coords.ts";
import {
  LOOK_AHEAD_S,
  type NoteSource,
  type PlayableNote,
  Scheduler,
  TIMER_MS,
} from "../src/playback/scheduler.ts";

const note = (onset: number, duration = 100, pitch = 60): PlayableNote => ({
  track: 0,
  onset,
  duration,
  pitch,
  velocity: 90,
});

/** 480 ticks a quarter at 120 bpm: 960 ticks a second. */
function source(
  notes: PlayableNote[],
  endTick = 3840,
  tempo = new TempoMap([[0, 500_000]], 480),
): NoteSource {
  return {
    tempo,
    endTick,
    notesBetween: (from, to, visit) => notes.filter((n) => n.onset >= from && n.onset < to).forEach(visit),
  };
}

interface Heard {
  onset: number;
  start: number;
  stop: number;
  /** Clock time at which it was scheduled. */
  at: number;
}

/** Plays with a fake clock, timer turns every 25 ms (or as `turns` says). */
function play(
  from: () => NoteSource,
  options: { start?: number; loop?: [number, number]; seconds?: number; turn?: (i: number) => number } = {},
): { heard: Heard[]; scheduler: Scheduler; last: number } {
  const heard: Heard[] = [];
  let now = 10;
  const scheduler = new Scheduler(
    from,
    (n, start, stop) => heard.push({ onset: n.onset, start, stop, at: now }),
    options.start ?? 0,
    now + 0.05,
  );
  scheduler.loop = options.loop ? { start: options.loop[0], end: options.loop[1] } : null;
  const until = now + (options.seconds ?? 6);
  for (let i = 0; now < until; i++) {
    scheduler.advance(now);
    now += options.turn?.(i) ?? TIMER_MS / 1000;
  }
  return { heard, scheduler, last: now };
}

const START = 10.05;

describe("Scheduler", () => {
  it("starts every note once, at its time, before it is due", () => {
    const notes = [0, 240, 480, 1000, 1001, 3839].map((onset) => note(onset));
    const { heard } = play(() => source(notes));
    expect(heard.map((h) => h.onset)).toEqual([0, 240, 480, 1000, 1001, 3839]);
    for (const h of heard) {
      expect(h.start).toBeCloseTo(START + h.onset / 960, 9);
      expect(h.at).toBeLessThan(h.start);
      expect(h.start - h.at).toBeLessThanOrEqual(LOOK_AHEAD_S + 1e-9);
    }
  });

  it("is not disturbed by a timer that is late by less than the look-ahead", () => {
    const notes = Array.from({ length: 100 }, (_, i) => note(i * 37));
    const { heard } = play(() => source(notes), { turn: (i) => (i % 3 === 0 ? 0.11 : 0.03) });
    expect(heard).toHaveLength(100);
    for (const h of heard) {
      expect(h.start).toBeCloseTo(START + h.onset / 960, 9);
    }
  });

  it("loops without a gap or a shift", () => {
    const notes = [note(960), note(1500, 2000)];
    const { heard } = play(() => source(notes), { start: 960, loop: [960, 1920], seconds: 10 });
    const first = heard.filter((h) => h.onset === 960).map((h) => h.start);
    expect(first.length).toBeGreaterThanOrEqual(9);
    first.forEach((start, i) => {
      expect(start).toBeCloseTo(START + i, 9); // one second a turn, exactly
    });
    // a note that would ring over the seam ends there
    const over = heard.filter((h) => h.onset === 1500)[0] as Heard;
    expect(over.stop).toBeCloseTo(START + 1, 9);
  });

  it("survives a loop shorter than the look-ahead", () => {
    const { heard } = play(() => source([note(0)]), { loop: [0, 24], seconds: 1 });
    const gaps = heard.slice(1).map((h, i) => h.start - (heard[i] as Heard).start);
    expect(heard.length).toBeGreaterThan(35);
    expect(Math.max(...gaps) - Math.min(...gaps)).toBeLessThan(1e-9);
  });

  it("plays on to the end when it starts behind the loop", () => {
    const { heard } = play(() => source([note(100), note(3000)]), { start: 2500, loop: [0, 960] });
    expect(heard.map((h) => h.onset)).toEqual([3000]);
  });

  it("follows tempo changes", () => {
    const tempo = new TempoMap(
      [
        [0, 500_000],
        [960, 1_000_000],
      ],
      480,
    );
    const { heard } = play(() => source([note(480), note(1440)], 1920, tempo));
    expect(heard.map((h) => h.start - START)).toEqual([expect.closeTo(0.5, 9), expect.closeTo(2, 9)]);
  });

  it("reports position and end", () => {
    const { scheduler, last } = play(() => source([note(0)], 1920), { seconds: 1 });
    expect(scheduler.positionAt(START + 0.5)).toBeCloseTo(480);
    expect(scheduler.positionAt(START - 1)).toBe(0);
    expect(scheduler.finished(last)).toBe(false);
    scheduler.advance(START + 1.95);
    expect(scheduler.finished(START + 2.01)).toBe(true);
    expect(scheduler.positionAt(START + 9)).toBeCloseTo(1920);
  });

  it("reports the position inside a loop", () => {
    const { scheduler } = play(() => source([note(0)]), { loop: [0, 960], seconds: 2.6 });
    expect(scheduler.positionAt(START + 2.25)).toBeCloseTo(240, 6);
  });

  it("hears an edit that is made ahead of the playhead", () => {
    const notes = [note(0)];
    const heard: number[] = [];
    const scheduler = new Scheduler(
      () => source(notes),
      (n) => heard.push(n.onset),
      0,
      0,
    );
    scheduler.advance(0);
    notes.push(note(480));
    for (let now = 0; now < 1; now += 0.025) {
      scheduler.advance(now);
    }
    expect(heard).toEqual([0, 480]);
  });
});
