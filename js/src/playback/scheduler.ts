/**
 * Turns a position that moves in time into notes to be started. Pure: the clock and the sound are handed in.
 *
 * Times are seconds of the audio clock, positions are ticks. Every call of `advance` schedules the notes whose
 * onsets lie within the look-ahead, so a timer that comes late by less than the look-ahead changes nothing.
 */
import type { TempoMap } from "../coords.ts";

export const TIMER_MS = 25;
export const LOOK_AHEAD_S = 0.12;

export interface PlayableNote {
  track: number;
  onset: number;
  duration: number;
  pitch: number;
  velocity: number;
}

/** A controller (or bend, see instrument.ts) of a track. */
export interface Control {
  tick: number;
  track: number;
  controller: number;
  value: number;
}

export interface NoteSource {
  tempo: TempoMap;
  endTick: number;
  /** By tick: pedals, volume, pan, bends. */
  controls?: readonly Control[];
  /** Visits notes with from <= onset < to; read anew at each call, so edits are heard at once. */
  notesBetween(from: number, to: number, visit: (note: PlayableNote) => void): void;
}

export type NoteSink = (note: PlayableNote, start: number, stop: number) => void;
export type ControlSink = (control: Control, time: number) => void;

/** Goes along with the notes: is told of every stretch [from, to) once, before it sounds, and when each tick does. */
export interface Along {
  stretch(context: BaseAudioContext, from: number, to: number, timeOf: (tick: number) => number): void;
  /** Takes back what it has begun and scheduled. */
  silence(): void;
}

export type StretchSink = (from: number, to: number, timeOf: (tick: number) => number) => void;

/** A stretch of the piece that sounds without a jump, at one speed. */
interface Segment {
  fromTick: number;
  fromTime: number;
  toTime: number;
  rate: number;
}

export interface LoopRange {
  start: number;
  end: number;
}

export class Scheduler {
  private cursorTick: number;
  private cursorTime: number;
  private segments: Segment[] = [];
  /** Set once the end of the piece is scheduled: the audio time at which it is reached. */
  private endTime = Number.POSITIVE_INFINITY;
  loop: LoopRange | null = null;

  /** `rate` is the tempo factor: 2 plays twice as fast. */
  constructor(
    private readonly source: () => NoteSource,
    private readonly sink: NoteSink,
    startTick: number,
    startTime: number,
    private readonly controlSink: ControlSink = () => {},
    private rate = 1,
    private readonly stretchSink: StretchSink = () => {},
  ) {
    this.cursorTick = startTick;
    this.cursorTime = startTime;
    this.segments.push(this.segment());
    this.chase(startTick, startTime);
  }

  /** Another speed for what is not scheduled yet; what is goes on as it was. */
  setRate(rate: number): void {
    (this.segments[this.segments.length - 1] as Segment).toTime = this.cursorTime;
    this.rate = rate;
    this.segments.push(this.segment());
  }

  /** True once the clock has passed the end of a piece that does not loop. */
  finished(now: number): boolean {
    return now >= this.endTime;
  }

  /** Schedules everything up to `now` plus the look-ahead. */
  advance(now: number): void {
    const source = this.source();
    const horizon = now + LOOK_AHEAD_S;
    // At most as many turns as a very short loop can make within one look-ahead.
    for (
      let turn = 0;
      turn < 64 && this.cursorTime < horizon && this.endTime === Number.POSITIVE_INFINITY;
      turn++
    ) {
      this.scheduleUntil(source, horizon);
    }
    while (this.segments.length > 1 && (this.segments[0] as Segment).toTime < now - 1) {
      this.segments.shift();
    }
  }

  /** Tick that sounds at audio time `now`. */
  positionAt(now: number): number {
    const { tempo } = this.source();
    let segment = this.segments[0] as Segment;
    for (const candidate of this.segments) {
      if (candidate.fromTime <= now) {
        segment = candidate;
      }
    }
    const elapsed = Math.max(0, Math.min(now, segment.toTime) - segment.fromTime);
    return tempo.tick(tempo.seconds(segment.fromTick) + elapsed * segment.rate);
  }

  /** From the cursor on. */
  private segment(): Segment {
    const { cursorTick, cursorTime, rate } = this;
    return { fromTick: cursorTick, fromTime: cursorTime, toTime: Number.POSITIVE_INFINITY, rate };
  }

  /** Playing begins in the middle: the controllers stand as if the piece had been played up to here. */
  private chase(tick: number, time: number): void {
    const latest = new Map<string, Control>();
    for (const control of this.source().controls ?? []) {
      if (control.tick >= tick) {
        break;
      }
      latest.set(`${control.track}/${control.controller}`, control);
    }
    for (const control of latest.values()) {
      this.controlSink(control, time);
    }
  }

  private scheduleUntil(source: NoteSource, horizon: number): void {
    const { tempo } = source;
    const loop =
      this.loop && this.loop.end > this.loop.start && this.cursorTick < this.loop.end ? this.loop : null;
    const wall = loop ? loop.end : source.endTick;
    const baseSeconds = tempo.seconds(this.cursorTick);
    const baseTime = this.cursorTime;
    const { rate } = this;
    const reach = tempo.tick(baseSeconds + (horizon - baseTime) * rate);
    const to = Math.min(wall, reach);
    const timeOf = (tick: number): number => baseTime + (tempo.seconds(tick) - baseSeconds) / rate;
    for (const control of source.controls ?? []) {
      if (control.tick >= this.cursorTick && control.tick < to) {
        this.controlSink(control, timeOf(control.tick));
      }
    }
    if (to > this.cursorTick) {
      this.stretchSink(this.cursorTick, to, timeOf);
    }
    source.notesBetween(this.cursorTick, to, (note) => {
      const stop = Math.min(note.onset + note.duration, wall);
      this.sink(note, timeOf(note.onset), timeOf(stop));
    });
    this.cursorTime = timeOf(Math.max(to, this.cursorTick));
    this.cursorTick = Math.max(to, this.cursorTick);
    if (this.cursorTick < wall) {
      return;
    }
    (this.segments[this.segments.length - 1] as Segment).toTime = this.cursorTime;
    if (loop) {
      this.cursorTick = loop.start;
      this.chase(loop.start, this.cursorTime);
      this.segments.push(this.segment());
    } else {
      this.endTime = this.cursorTime;
    }
  }
}
