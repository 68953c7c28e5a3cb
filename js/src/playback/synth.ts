/**
 * A small General MIDI synthesiser of oscillators and noise. Works on a live or an offline audio context with the
 * same code; every node it makes is released when its note has ended.
 */
import { playDrum } from "./drums.ts";
import type { Instrument, Part, Voiced } from "./instrument.ts";
import { type Patch, patchOf } from "./patches.ts";

/** The compressor looks this far ahead: sounds are started earlier by as much, so that they come out in time. */
export const OUTPUT_LATENCY_S = 0.006;

const VOLUME = 7;
const PAN = 10;
const MASTER_GAIN = 0.62;
const REVERB_SEND = 0.16;
const REVERB_SECONDS = 1.1;
const FADE_S = 0.02;
const LIMIT = 0.97;
const CLIP_RANGE = 4;
const OUTPUT_GAIN = 0.9;

/** Shared, deterministic sound material of one audio context. */
export interface Material {
  noise: AudioBuffer;
  metal: AudioBuffer;
  room: AudioBuffer;
  waves: Map<readonly number[], PeriodicWave>;
}

export class Synth implements Instrument {
  readonly kind = "simple";
  /** Dry sum of all tracks, and what goes into the room. */
  private readonly input: GainNode;
  private readonly send: GainNode;
  private readonly nodes: AudioNode[] = [];
  private readonly live = new Set<AudioScheduledSourceNode>();
  private readonly material: Material;
  /** What sounds since the last `silence` runs through one bus, so that it can be faded as a whole. */
  private bus: GainNode;
  private channels = new Map<number, GainNode>();
  private sides = new Map<number, StereoPannerNode>();
  /** Gain of the open hi-hat that sounds, closed by the next hat. */
  private openHat: GainNode | null = null;

  constructor(
    readonly context: BaseAudioContext,
    destination: AudioNode,
  ) {
    this.material = materialOf(context);
    this.input = this.keep(new GainNode(context, { gain: MASTER_GAIN }));
    this.send = this.keep(new GainNode(context, { gain: REVERB_SEND }));
    const reverb = this.keep(new ConvolverNode(context, { buffer: this.material.room }));
    const glue = this.keep(
      new DynamicsCompressorNode(context, {
        threshold: -16,
        knee: 14,
        ratio: 3.2,
        attack: 0.004,
        release: 0.16,
      }),
    );
    const trim = this.keep(new GainNode(context, { gain: OUTPUT_GAIN / CLIP_RANGE }));
    // tanh never reaches 1: whatever comes in, nothing clips
    const limiter = this.keep(new WaveShaperNode(context, { curve: softClip() }));
    this.input.connect(glue);
    this.send.connect(reverb).connect(glue);
    glue.connect(trim).connect(limiter).connect(destination);
    this.bus = this.openBus();
  }

  /** Starts one note at `start` and lets it go at `stop` (seconds of the context). */
  play(note: Voiced, start: number, stop: number): void {
    const at = Math.max(this.context.currentTime, start - OUTPUT_LATENCY_S);
    const until = Math.max(at + 0.02, stop - OUTPUT_LATENCY_S);
    const out = this.channel(note.track, note.drum);
    if (note.drum) {
      this.drum(note, at, out);
    } else {
      this.tone(note, at, until, out);
    }
  }

  /** Loudness and side of a track; other controllers and bends are for the sampled sound. */
  control({ track, drum }: Part, controller: number, value: number, time: number): void {
    if (controller === VOLUME) {
      this.channel(track, drum).gain.setTargetAtTime(volumeGain(value), time, 0.01);
    } else if (controller === PAN) {
      this.channel(track, drum);
      this.sides.get(track)?.pan.setTargetAtTime(Math.max(-1, (value - 64) / 63), time, 0.01);
    }
  }

  /** Fades out what sounds or is scheduled; notes played from now on are not touched. */
  silence(): void {
    const { context, bus } = this;
    const now = context.currentTime;
    bus.gain.setValueAtTime(1, now);
    bus.gain.linearRampToValueAtTime(0, now + FADE_S);
    for (const source of this.live) {
      source.stop(now + FADE_S + 0.01);
    }
    const end = new ConstantSourceNode(context, { offset: 0 });
    end.onended = () => bus.disconnect();
    end.connect(bus);
    end.start(now);
    end.stop(now + FADE_S + 0.02);
    this.channels = new Map();
    this.sides = new Map();
    this.openHat = null;
    this.bus = this.openBus();
  }

  dispose(): void {
    for (const source of this.live) {
      source.onended = null;
      source.disconnect();
    }
    this.live.clear();
    for (const node of [...this.channels.values(), this.bus, ...this.nodes]) {
      node.disconnect();
    }
    this.channels.clear();
  }

  /** Sources that have been started and not ended. */
  get activeSources(): number {
    return this.live.size;
  }

  private keep<N extends AudioNode>(node: N): N {
    this.nodes.push(node);
    return node;
  }

  private openBus(): GainNode {
    const bus = new GainNode(this.context);
    bus.connect(this.input);
    bus.connect(this.send);
    return bus;
  }

  private channel(track: number, drum: boolean): GainNode {
    let channel = this.channels.get(track);
    if (!channel) {
      const side = drum ? 0 : ([0, -0.28, 0.28, -0.16, 0.2, -0.4, 0.4][track % 7] as number);
      channel = new GainNode(this.context);
      const panner = new StereoPannerNode(this.context, { pan: side });
      channel.connect(panner).connect(this.bus);
      this.channels.set(track, channel);
      this.sides.set(track, panner);
    }
    return channel;
  }

  private drum(note: Voiced, at: number, out: AudioNode): void {
    const hat = note.pitch === 42 || note.pitch === 44 || note.pitch === 46;
    if (hat) {
      this.openHat?.gain.setTargetAtTime(0, at, 0.012);
      this.openHat = null;
    }
    const gain = playDrum(
      this.context,
      this.material,
      out,
      note.pitch,
      loudness(note.velocity),
      at,
      (s, end) => this.start(s, at, end),
    );
    if (note.pitch === 46) {
      this.openHat = gain;
    }
  }

  private tone(note: Voiced, at: number, until: number, out: AudioNode): void {
    const { context } = this;
    const patch = patchOf(note.program);
    const hz = 440 * 2 ** ((note.pitch + (patch.transpose ?? 0) - 69) / 12);
    const [, , , release] = patch.envelope;
    const end = until + release * 6 + 0.02;
    const amp = new GainNode(context, { gain: 0 });
    amp.connect(out);
    shape(amp.gain, patch, loudness(note.velocity) * levelFor(patch, note.pitch), at, until);
    const body = patch.filter ? filtered(context, patch.filter, hz, note.velocity, at, amp) : amp;
    const sources = patch.oscillators.map((spec) => this.oscillator(patch, spec, hz, at, body));
    this.modulate(patch, hz, at, end, sources);
    for (const source of sources) {
      this.start(source, at, end);
    }
    if (patch.noise) {
      this.breath(patch.noise, at, end, amp);
    }
    const [first] = sources;
    const tidy = first?.onended;
    if (first) {
      first.onended = (event) => {
        tidy?.call(first, event);
        amp.disconnect();
      };
    }
  }

  private oscillator(
    patch: Patch,
    spec: Patch["oscillators"][number],
    hz: number,
    at: number,
    out: AudioNode,
  ): OscillatorNode {
    const { context } = this;
    const node = new OscillatorNode(context, { frequency: hz * (spec.ratio ?? 1), detune: spec.detune ?? 0 });
    if (typeof spec.wave === "string") {
      node.type = spec.wave;
    } else {
      node.setPeriodicWave(this.wave(spec.wave));
    }
    const gain = new GainNode(context, { gain: spec.gain });
    if (spec.decay) {
      gain.gain.setTargetAtTime(0, at, spec.decay / 6.9);
    }
    node.connect(gain).connect(out);
    if (patch.fm) {
      node.frequency.setValueAtTime(hz * (spec.ratio ?? 1), at);
    }
    return node;
  }

  /** Frequency modulation and vibrato, one modulator each for all oscillators of the note. */
  private modulate(patch: Patch, hz: number, at: number, end: number, targets: OscillatorNode[]): void {
    const { context } = this;
    if (patch.fm) {
      const [ratio, depth, decay, rest] = patch.fm;
      const source = new OscillatorNode(context, { frequency: hz * ratio });
      const gain = new GainNode(context, { gain: hz * depth });
      gain.gain.setTargetAtTime(hz * depth * rest, at, decay);
      source.connect(gain);
      for (const target of targets) {
        gain.connect(target.frequency);
      }
      this.start(source, at, end);
    }
    if (patch.vibrato) {
      const [rate, cents, delay] = patch.vibrato;
      const source = new OscillatorNode(context, { frequency: rate });
      const gain = new GainNode(context, { gain: 0 });
      gain.gain.setTargetAtTime(cents, at + delay, 0.2);
      source.connect(gain);
      for (const target of targets) {
        gain.connect(target.detune);
      }
      this.start(source, at, end);
    }
  }

  private breath(noise: NonNullable<Patch["noise"]>, at: number, end: number, out: AudioNode): void {
    const { context } = this;
    const [level, hz, time, rest] = noise;
    const source = new AudioBufferSourceNode(context, { buffer: this.material.noise, loop: true });
    const band = new BiquadFilterNode(context, { type: "bandpass", frequency: hz, Q: 0.8 });
    const gain = new GainNode(context, { gain: level });
    gain.gain.setTargetAtTime(level * rest, at, time);
    source.connect(band).connect(gain).connect(out);
    this.start(source, at, end);
  }

  private start(source: AudioScheduledSourceNode, at: number, end: number): void {
    source.start(at);
    source.stop(end);
    this.live.add(source);
    source.onended = () => {
      this.live.delete(source);
      source.disconnect();
    };
  }

  private wave(amplitudes: readonly number[]): PeriodicWave {
    let wave = this.material.waves.get(amplitudes);
    if (!wave) {
      const imag = new Float32Array([0, ...amplitudes]);
      wave = this.context.createPeriodicWave(new Float32Array(imag.length), imag);
      this.material.waves.set(amplitudes, wave);
    }
    return wave;
  }
}

/** Gain of a MIDI volume; the usual 100 leaves a track as it is. */
const volumeGain = (value: number): number => (value / 100) ** 2;

/** Loudness of a MIDI velocity, 0..1: about 30 dB between soft and loud. */
const loudness = (velocity: number): number => 0.04 + 0.5 * (velocity / 127) ** 1.7;

/** High notes carry further than low ones; struck and plucked ones more so. */
const levelFor = (patch: Patch, pitch: number): number =>
  patch.level * 2 ** (-Math.max(-18, Math.min(30, pitch - 60)) / 72);

function shape(gain: AudioParam, patch: Patch, peak: number, at: number, until: number): void {
  const [attack, decay, sustain, release] = patch.envelope;
  gain.setValueAtTime(0, at);
  const top = Math.min(attack, Math.max(0.004, until - at));
  gain.linearRampToValueAtTime(peak, at + top);
  gain.setTargetAtTime(peak * sustain, at + top, decay);
  gain.setTargetAtTime(0, until, release);
}

function filtered(
  context: BaseAudioContext,
  filter: NonNullable<Patch["filter"]>,
  hz: number,
  velocity: number,
  at: number,
  out: AudioNode,
): AudioNode {
  const [start, rest, time, q] = filter;
  const ceiling = Math.min(18_000, context.sampleRate * 0.45);
  const bright = 0.6 + 0.6 * (velocity / 127);
  const clamp = (multiple: number): number => Math.max(180, Math.min(ceiling, hz * multiple * bright));
  const node = new BiquadFilterNode(context, { type: "lowpass", frequency: clamp(start), Q: q });
  node.frequency.setValueAtTime(clamp(start), at);
  node.frequency.setTargetAtTime(clamp(rest), at, time);
  node.connect(out);
  return node;
}

/** The same noise every time, so that renderings are equal. */
function randomSource(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 31 - 1;
  };
}

const materials = /* @__PURE__ */ new WeakMap<BaseAudioContext, Material>();

/** Making it takes some milliseconds: once per context. */
function materialOf(context: BaseAudioContext): Material {
  let material = materials.get(context);
  if (!material) {
    material = makeMaterial(context);
    materials.set(context, material);
  }
  return material;
}

function makeMaterial(context: BaseAudioContext): Material {
  const rate = context.sampleRate;
  const noise = new AudioBuffer({ length: rate, sampleRate: rate });
  const metal = new AudioBuffer({ length: rate * 2, sampleRate: rate });
  const random = randomSource(7);
  noise.copyToChannel(Float32Array.from({ length: noise.length }, random), 0);
  // Inharmonic square waves over noise: what a cymbal or hi-hat is filtered from.
  const partials = [263, 400, 421, 474, 587, 845, 1237, 1671];
  const samples = Float32Array.from({ length: metal.length }, (_, i) => {
    const sum = partials.reduce((total, hz) => total + (((i * hz) / rate) % 1 < 0.5 ? 1 : -1), 0);
    return (sum / partials.length) * 0.7 + random() * 0.45;
  });
  metal.copyToChannel(samples, 0);
  return { noise, metal, room: roomResponse(context), waves: new Map() };
}

function roomResponse(context: BaseAudioContext): AudioBuffer {
  const rate = context.sampleRate;
  const length = Math.floor(rate * REVERB_SECONDS);
  const buffer = new AudioBuffer({ length, sampleRate: rate, numberOfChannels: 2 });
  for (let channel = 0; channel < 2; channel++) {
    const random = randomSource(11 + channel);
    let low = 0;
    const samples = Float32Array.from({ length }, (_, i) => {
      const time = i / rate;
      // the tail gets darker: a one-pole low-pass that closes
      low += (random() - low) * (0.65 - 0.45 * (time / REVERB_SECONDS));
      return time < 0.012 ? 0 : low * Math.exp(-5.2 * (time / REVERB_SECONDS));
    });
    buffer.copyToChannel(samples, channel);
  }
  return buffer;
}

/** Gentle up to about half, then ever flatter; takes inputs up to CLIP_RANGE. */
function softClip(): Float32Array<ArrayBuffer> {
  const n = 4097;
  return Float32Array.from({ length: n }, (_, i) => LIMIT * Math.tanh(((2 * i) / (n - 1) - 1) * CLIP_RANGE));
}
