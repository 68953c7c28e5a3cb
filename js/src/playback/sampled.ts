/** The sampled General MIDI sound: notes as timed MIDI messages to a synthesiser on the audio thread. */

import { BEND, type Instrument, type Part, type Voiced } from "./instrument.ts";
import { addressOf } from "./module.ts";
import {
  DRUM_CHANNEL,
  type FromWorklet,
  GROUP,
  GROUPS,
  PROCESSOR,
  type TimedMessage,
  type ToWorklet,
} from "./worklet/messages.ts";

const NOTE_ON = 0x90;
const NOTE_OFF = 0x80;
const CONTROL = 0xb0;
const PROGRAM = 0xc0;
const PITCH_BEND = 0xe0;
const ALL_CONTROLLERS_OFF = 121;

/**
 * Every melodic track has a channel of its own, drum tracks share one for each kit. A piece with more tracks than
 * channels begins again at the first.
 */
export class Channels {
  private readonly channels = new Map<number, number>();
  private melodic = 0;
  private readonly drumKits = new Map<number, number>();

  of(track: number, drum: boolean, program: number): number {
    if (drum) {
      // One channel for each kit that is used.
      let channel = this.drumKits.get(program);
      if (channel === undefined) {
        channel = (this.drumKits.size % GROUPS) * GROUP + DRUM_CHANNEL;
        this.drumKits.set(program, channel);
      }
      return channel;
    }
    let channel = this.channels.get(track);
    if (channel === undefined) {
      if (this.melodic % GROUP === DRUM_CHANNEL) {
        this.melodic++;
      }
      channel = this.melodic++ % (GROUP * GROUPS);
      this.channels.set(track, channel);
    }
    return channel;
  }
}

export class SampledSound implements Instrument {
  readonly kind = "sampled";
  private readonly channels = new Channels();
  private readonly programs = new Map<number, number>();
  private batch: TimedMessage[] = [];
  private flushing = false;

  private constructor(
    readonly context: BaseAudioContext,
    private readonly node: AudioWorkletNode,
  ) {}

  /** Makes the instrument; rejects when worklets or the bank cannot be used here. */
  static async open(
    context: BaseAudioContext,
    destination: AudioNode,
    worklet: Uint8Array,
    bank: Uint8Array,
  ): Promise<SampledSound> {
    if (!context.audioWorklet) {
      throw new Error("this page may not use audio worklets");
    }
    await addModule(context, worklet);
    const node = new AudioWorkletNode(context, PROCESSOR, { numberOfInputs: 0, outputChannelCount: [2] });
    const ready = new Promise<void>((resolve, reject) => {
      node.port.onmessage = ({ data }: MessageEvent<FromWorklet>) =>
        data.kind === "failed" ? reject(new Error(data.message)) : resolve();
      node.onprocessorerror = () => reject(new Error("the sampled sound stopped"));
    });
    const bytes = bank.slice().buffer;
    node.port.postMessage({ kind: "bank", bytes } satisfies ToWorklet, [bytes]);
    await ready;
    node.connect(destination);
    return new SampledSound(context, node);
  }

  play(note: Voiced, start: number, stop: number): void {
    const channel = this.prepared(note, start);
    this.send([start, NOTE_ON, note.pitch, note.velocity, channel]);
    // Released a hair early, so that a repeated note is let go before it is struck again.
    this.send([Math.max(start + 0.01, stop - 0.002), NOTE_OFF, note.pitch, 0, channel]);
  }

  press(note: Voiced): void {
    const channel = this.prepared(note, this.context.currentTime);
    this.send([this.context.currentTime, NOTE_ON, note.pitch, note.velocity, channel]);
  }

  release(note: Voiced): void {
    const channel = this.channels.of(note.track, note.drum, note.program);
    this.send([this.context.currentTime, NOTE_OFF, note.pitch, 0, channel]);
  }

  control(part: Part, controller: number, value: number, time: number): void {
    const channel = this.channels.of(part.track, part.drum, part.program);
    if (controller === BEND) {
      this.send([time, PITCH_BEND, value & 127, value >> 7, channel]);
    } else {
      this.send([time, CONTROL, controller, value, channel]);
    }
  }

  /** The channel of a part, with its program set. */
  private prepared(part: Part, time: number): number {
    const channel = this.channels.of(part.track, part.drum, part.program);
    if (this.programs.get(channel) !== part.program) {
      this.programs.set(channel, part.program);
      this.send([time, PROGRAM, part.program, 0, channel]);
    }
    return channel;
  }

  silence(): void {
    this.batch = [];
    this.post({ kind: "silence" });
    const now = this.context.currentTime;
    for (const channel of new Set(this.programs.keys())) {
      this.send([now, CONTROL, ALL_CONTROLLERS_OFF, 0, channel]);
    }
  }

  dispose(): void {
    this.post({ kind: "close" });
    this.node.port.onmessage = null;
    this.node.disconnect();
  }

  /** Messages of one turn of the event loop travel together. */
  private send(message: TimedMessage): void {
    this.batch.push(message);
    if (!this.flushing) {
      this.flushing = true;
      queueMicrotask(() => this.flush());
    }
  }

  /** Sends what is waiting and resolves when it has arrived: an offline context must have it before it renders. */
  settled(): Promise<void> {
    this.flush();
    return new Promise((resolve) => {
      this.node.port.onmessage = () => resolve();
      this.post({ kind: "settle" });
    });
  }

  private flush(): void {
    this.flushing = false;
    if (this.batch.length > 0) {
      this.post({ kind: "play", messages: this.batch });
      this.batch = [];
    }
  }

  private post(message: ToWorklet): void {
    this.node.port.postMessage(message);
  }
}

const modules = /* @__PURE__ */ new WeakMap<BaseAudioContext, Promise<void>>();

/** Once a context: a processor's name can be registered only once. */
function addModule(context: BaseAudioContext, code: Uint8Array): Promise<void> {
  let added = modules.get(context);
  if (!added) {
    added = addressOf(code, (url) => context.audioWorklet.addModule(url));
    modules.set(context, added);
    added.catch(() => modules.delete(context));
  }
  return added;
}
