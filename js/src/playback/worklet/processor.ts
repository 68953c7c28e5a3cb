/**
 * The audio thread's side of the sampled sound: spessasynth with a queue of timed messages. A block is rendered in
 * pieces between messages, so every note begins on its sample. Built into a file of its own (midigpt_nb/data/sound),
 * never into the page's bundle.
 */
import { SoundBankLoader, SpessaSynthProcessor } from "spessasynth_core";
import {
  DRUM_CHANNEL,
  type FromWorklet,
  GROUP,
  GROUPS,
  PROCESSOR,
  type TimedMessage,
  type ToWorklet,
} from "./messages.ts";

declare const sampleRate: number;
declare const currentFrame: number;
declare class AudioWorkletProcessor {
  readonly port: MessagePort;
}
declare function registerProcessor(name: string, processor: new () => AudioWorkletProcessor): void;

class Sampler extends AudioWorkletProcessor {
  private readonly synth = new SpessaSynthProcessor(sampleRate, { eventsEnabled: false });
  /** By time; those before `next` have been played. */
  private queue: TimedMessage[] = [];
  private next = 0;
  private ready = false;
  private closed = false;

  constructor() {
    super();
    this.port.onmessage = ({ data }: MessageEvent<ToWorklet>) => this.receive(data);
  }

  process(_inputs: Float32Array[][], outputs: Float32Array[][]): boolean {
    const [left, right] = outputs[0] ?? [];
    if (this.ready && left && right) {
      this.render(left, right);
    }
    return !this.closed;
  }

  private render(left: Float32Array, right: Float32Array): void {
    let done = 0;
    for (; this.next < this.queue.length; this.next++) {
      const message = this.queue[this.next] as TimedMessage;
      const at = Math.round(message[0] * sampleRate) - currentFrame;
      if (at >= left.length) {
        break;
      }
      if (at > done) {
        this.synth.process(left, right, done, at - done);
        done = at;
      }
      this.send(message);
    }
    if (done < left.length) {
      this.synth.process(left, right, done, left.length - done);
    }
  }

  private send([, status, first, second, channel]: TimedMessage): void {
    this.synth.processMessage([status | (channel % GROUP), first, second], channel - (channel % GROUP));
  }

  private receive(message: ToWorklet): void {
    if (message.kind === "bank") {
      void this.open(message.bytes);
    } else if (message.kind === "play") {
      this.queue = [...this.queue.slice(this.next), ...message.messages].sort((a, b) => a[0] - b[0]);
      this.next = 0;
    } else if (message.kind === "silence") {
      this.queue = [];
      this.next = 0;
      this.synth.stopAllChannels();
    } else if (message.kind === "settle") {
      this.tell({ kind: "settled" });
    } else {
      this.queue = [];
      this.closed = true;
      this.synth.destroySynthProcessor();
    }
  }

  private async open(bytes: ArrayBuffer): Promise<void> {
    try {
      this.synth.soundBankManager.addSoundBank(SoundBankLoader.fromArrayBuffer(bytes), "main");
      await this.synth.processorInitialized;
      this.openChannels();
      this.ready = true;
      this.tell({ kind: "ready" });
    } catch (error) {
      this.tell({ kind: "failed", message: String(error) });
    }
  }

  /** All channels at once: new ones know no controllers until everything is reset. */
  private openChannels(): void {
    const { synth } = this;
    while (synth.midiChannels.length < GROUPS * GROUP) {
      synth.createMIDIChannel();
    }
    synth.reset();
    for (const [i, channel] of synth.midiChannels.entries()) {
      channel.setDrums(i % GROUP === DRUM_CHANNEL);
    }
  }

  private tell(message: FromWorklet): void {
    this.port.postMessage(message);
  }
}

registerProcessor(PROCESSOR, Sampler);
