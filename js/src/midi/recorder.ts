/**
 * Notes played on a keyboard become notes of the piece. While the piece plays they stand where they were heard, and
 * every pass of the loop is one undo step; while it rests each chord is written at the playhead, which then moves on
 * by one grid line. Pure: time, the piece and what becomes of the notes are handed in.
 */
import { snapped } from "../edit/snap.ts";

export interface Played {
  pitch: number;
  velocity: number;
  onset: number;
  duration: number;
}

export interface RecorderHost {
  /** Whether the transport runs, or where it rests (ticks). */
  playing(): boolean;
  position(): number;
  /** Tick that was heard at a page time. */
  heardAt(milliseconds: number): number;
  /** Ticks of a grid line; 0: played as it is. */
  grid(): number;
  barStart(tick: number): number;
  /** Where notes may stand: [start, end) ticks, and whether a tick of it is among the chosen bars. */
  range(): readonly [number, number];
  allowed(tick: number): boolean;
  /** Notes of one pass, or of one chord: one undo step. */
  write(notes: readonly Played[]): void;
  /** Notes of the pass that is under way. */
  show(notes: readonly Played[]): void;
  /** The playhead moves on while it rests. */
  step(tick: number): void;
}

const NOTE_OFF = 8;
const NOTE_ON = 9;
const CONTROL = 11;
const SUSTAIN = 64;
/** A note a little early belongs to the line it means, even before the start of the loop: this part of a grid line. */
const EARLY = 0.5;
const LEAST = 10;

interface Held {
  onset: number;
  velocity: number;
  /** The key is up, the pedal holds the note. */
  released: boolean;
}

export class Recorder {
  private readonly held = new Map<number, Held>();
  private readonly keys = new Set<number>();
  private pass: Played[] = [];
  private chord = new Map<number, number>();
  private pedal = false;
  private last = Number.NEGATIVE_INFINITY;

  constructor(private readonly host: RecorderHost) {}

  /** A message of the keyboard; answers [pitch, velocity] of a key that went down, [pitch, 0] of one that went up. */
  receive(data: ArrayLike<number>, milliseconds: number): readonly [number, number] | null {
    const kind = (data[0] ?? 0) >> 4;
    const [first = 0, second = 0] = [data[1], data[2]];
    if (kind === CONTROL && first === SUSTAIN) {
      this.setPedal(second >= 64, milliseconds);
      return null;
    }
    if (kind === NOTE_ON && second > 0) {
      this.down(first, second, milliseconds);
      return [first, second];
    }
    if (kind === NOTE_OFF || kind === NOTE_ON) {
      this.up(first, milliseconds);
      return [first, 0];
    }
    return null;
  }

  /** To be called often while armed: finds the seam of the loop and the end of playing. */
  watch(): void {
    const { host } = this;
    if (!host.playing()) {
      this.endPass(this.last);
      this.last = Number.NEGATIVE_INFINITY;
      return;
    }
    const now = host.position();
    if (now < this.last) {
      this.endPass(host.range()[1]);
    }
    this.last = now;
  }

  /** Disarmed: what was played so far is kept. */
  finish(): void {
    this.endPass(this.host.playing() ? this.host.position() : this.last);
    this.writeChord();
    this.keys.clear();
  }

  private down(pitch: number, velocity: number, milliseconds: number): void {
    this.keys.add(pitch);
    if (!this.host.playing()) {
      this.chord.set(pitch, velocity);
      return;
    }
    this.watch();
    this.release(pitch, milliseconds);
    this.held.set(pitch, { onset: this.host.heardAt(milliseconds), velocity, released: false });
  }

  private up(pitch: number, milliseconds: number): void {
    this.keys.delete(pitch);
    const held = this.held.get(pitch);
    if (held && this.pedal) {
      held.released = true;
    } else {
      this.release(pitch, milliseconds);
    }
    if (this.keys.size === 0) {
      this.writeChord();
    }
  }

  private setPedal(on: boolean, milliseconds: number): void {
    this.pedal = on;
    for (const [pitch, held] of on ? [] : [...this.held]) {
      if (held.released) {
        this.release(pitch, milliseconds);
      }
    }
  }

  private release(pitch: number, milliseconds: number): void {
    if (this.held.has(pitch)) {
      const now = this.host.heardAt(milliseconds);
      const { onset } = this.held.get(pitch) as Held;
      this.end(pitch, now >= onset ? now : this.host.range()[1]);
    }
  }

  /** The note of a key is over at a tick. */
  private end(pitch: number, tick: number): void {
    const held = this.held.get(pitch);
    this.held.delete(pitch);
    const note = held && this.placed(held, pitch, tick);
    if (note) {
      this.pass.push(note);
      this.host.show(this.pass);
    }
  }

  private placed({ onset, velocity }: Held, pitch: number, stop: number): Played | null {
    const { host } = this;
    const grid = host.grid();
    const [first, end] = host.range();
    let start = onset;
    let duration = stop - onset;
    if (grid > 1) {
      start = snapped(onset, host.barStart(onset), grid, true);
      duration = Math.max(1, Math.round(duration / grid)) * grid;
    }
    if (start < first && start >= first - EARLY * Math.max(1, grid)) {
      start = first;
    }
    if (start >= end) {
      start = first; // just before the seam: it means the first line of the next pass
    }
    start = Math.round(start);
    return host.allowed(start)
      ? {
          pitch,
          velocity,
          onset: start,
          duration: Math.round(Math.max(LEAST, Math.min(duration, end - start))),
        }
      : null;
  }

  private endPass(tick: number): void {
    for (const pitch of [...this.held.keys()]) {
      this.end(pitch, tick);
    }
    const notes = this.pass;
    this.pass = [];
    this.host.show([]);
    if (notes.length > 0) {
      this.host.write(notes);
    }
  }

  /** While the piece rests: all keys of the chord are up. */
  private writeChord(): void {
    const { host, chord } = this;
    if (chord.size === 0) {
      return;
    }
    this.chord = new Map();
    const [first, end] = host.range();
    const grid = Math.max(1, host.grid());
    const rest = host.position();
    const inside = rest >= first && rest < end ? rest : first;
    const onset = Math.round(snapped(inside, host.barStart(inside), grid, false));
    const duration = Math.round(Math.min(grid, end - onset));
    if (host.allowed(onset)) {
      host.write([...chord].map(([pitch, velocity]) => ({ pitch, velocity, onset, duration })));
    }
    const next = onset + grid;
    host.step(next < end ? next : first);
  }
}
