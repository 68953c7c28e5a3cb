/** Another instrument: timed MIDI messages to a synthesiser or a music program outside the page. */
import { BEND, type Instrument, type Part, type Voiced } from "../playback/instrument.ts";

const NOTE_OFF = 0x80;
const NOTE_ON = 0x90;
const CONTROL = 0xb0;
const PROGRAM = 0xc0;
const PITCH_BEND = 0xe0;
const SUSTAIN = 64;
const ALL_CONTROLLERS_OFF = 121;
const ALL_NOTES_OFF = 123;
const DRUMS = 9;
const MELODIC = 15;

/** The part of MIDIOutput that is used. */
export interface Port {
  send(data: number[], timestamp?: number): void;
  /** Drops what is not sent yet; not everywhere. */
  clear?(): void;
}

/** Milliseconds a second by which the clocks are brought together: they drift slowly, readings jump. */
const SLEW = 0.5;
const TURN_MS = 20;

/** Page time in milliseconds at which a moment of the context is heard. */
export class PageClock {
  private offset = Number.NaN;
  private readAt = 0;

  constructor(private readonly context: BaseAudioContext & Partial<AudioContext>) {}

  /** What is handed over together keeps its order: the clocks are not compared again within a turn. */
  at(time: number): number {
    const now = performance.now();
    if (Number.isNaN(this.offset)) {
      this.offset = this.read();
      this.readAt = now;
    } else if (now - this.readAt > TURN_MS) {
      const most = (SLEW * (now - this.readAt)) / 1000;
      this.offset += Math.max(-most, Math.min(most, this.read() - this.offset));
      this.readAt = now;
    }
    return time * 1000 + this.offset;
  }

  private read(): number {
    const { context } = this;
    const heard = context.getOutputTimestamp?.();
    if (heard?.performanceTime && heard.contextTime) {
      return heard.performanceTime - heard.contextTime * 1000;
    }
    const late = context.outputLatency || context.baseLatency || 0;
    return performance.now() - (context.currentTime - late) * 1000;
  }
}

/** A note that has been handed to the port: it ends at `stop`, page time. */
interface Sent {
  channel: number;
  pitch: number;
  start: number;
  stop: number;
}

/**
 * One port has sixteen channels: melodic tracks take the fifteen in turn, drum tracks share the tenth. With more
 * tracks than channels, a track sets its program again when it plays after another one.
 */
export class MidiOut implements Instrument {
  readonly kind = "midi";
  private readonly channels = new Map<number, number>();
  private readonly programs = new Map<number, number>();
  private sent: Sent[] = [];
  private readonly clock: PageClock;

  constructor(
    readonly context: BaseAudioContext,
    private readonly port: Port,
  ) {
    this.clock = new PageClock(context);
  }

  play(note: Voiced, start: number, stop: number): void {
    const from = this.clock.at(start);
    const to = Math.max(from + 1, this.clock.at(stop) - 2); // before a repeated note begins
    const channel = this.prepare(note, from);
    this.send([NOTE_ON | channel, note.pitch, note.velocity], from);
    this.send([NOTE_OFF | channel, note.pitch, 64], to);
    const now = performance.now();
    this.sent = this.sent.filter((known) => known.stop > now);
    this.sent.push({ channel, pitch: note.pitch, start: from, stop: to });
  }

  press(note: Voiced): void {
    const channel = this.prepare(note, performance.now());
    this.send([NOTE_ON | channel, note.pitch, note.velocity]);
  }

  release(note: Voiced): void {
    this.send([NOTE_OFF | this.channelOf(note), note.pitch, 64]);
  }

  control(part: Part, controller: number, value: number, time: number): void {
    const at = this.clock.at(time);
    const channel = this.prepare(part, at);
    if (controller === BEND) {
      this.send([PITCH_BEND | channel, value & 127, value >> 7], at);
    } else {
      this.send([CONTROL | channel, controller, value], at);
    }
  }

  /** What is scheduled is dropped, or where a port cannot drop it, ended as soon as it has begun. */
  silence(): void {
    this.port.clear?.();
    const now = performance.now();
    let last = now;
    for (const { channel, pitch, start, stop } of this.sent) {
      if (stop > now) {
        const at = Math.max(now, start + 1);
        last = Math.max(last, at);
        this.send([NOTE_OFF | channel, pitch, 64], at);
      }
    }
    this.sent = [];
    for (const channel of new Set(this.programs.keys())) {
      for (const controller of [SUSTAIN, ALL_CONTROLLERS_OFF, ALL_NOTES_OFF]) {
        this.send([CONTROL | channel, controller, 0], last + 1);
      }
    }
  }

  dispose(): void {
    this.silence();
  }

  /** A device that is pulled out takes nothing any more: that must not stop the player. */
  private send(data: number[], at?: number): void {
    try {
      this.port.send(data, at);
    } catch {
      // The page hears of it by itself (`portsChanged`).
    }
  }

  private channelOf({ track, drum }: Part): number {
    if (drum) {
      return DRUMS;
    }
    let turn = this.channels.get(track);
    if (turn === undefined) {
      turn = this.channels.size % MELODIC;
      this.channels.set(track, turn);
    }
    return turn < DRUMS ? turn : turn + 1;
  }

  /** The channel of a part, with its program set. */
  private prepare(part: Part, at: number): number {
    const channel = this.channelOf(part);
    if (this.programs.get(channel) !== part.program) {
      this.programs.set(channel, part.program);
      this.send([PROGRAM | channel, part.program], at);
    }
    return channel;
  }
}
