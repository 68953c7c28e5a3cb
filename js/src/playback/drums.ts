/** The drum kit: General MIDI keys from sine sweeps, noise and a metallic buffer. */
import type { Material } from "./synth.ts";

type Starter = (source: AudioScheduledSourceNode, end: number) => void;

interface Hit {
  context: BaseAudioContext;
  material: Material;
  out: AudioNode;
  level: number;
  at: number;
  start: Starter;
}

type Drum = (hit: Hit) => GainNode;

/** Plays key `pitch`; returns the gain that shapes it (for choking a hi-hat). */
export function playDrum(
  context: BaseAudioContext,
  material: Material,
  out: AudioNode,
  pitch: number,
  level: number,
  at: number,
  start: Starter,
): GainNode {
  const drum = KIT[pitch] ?? other(pitch);
  return drum({ context, material, out, level, at, start });
}

function envelope(hit: Hit, level: number, decay: number): GainNode {
  const gain = new GainNode(hit.context, { gain: 0 });
  gain.gain.setValueAtTime(0, hit.at);
  gain.gain.linearRampToValueAtTime(level * hit.level, hit.at + 0.0015);
  gain.gain.setTargetAtTime(0, hit.at + 0.0015, decay);
  gain.connect(hit.out);
  return gain;
}

/** A sine that falls from `from` to `to` Hz. */
function sweep(hit: Hit, from: number, to: number, fall: number, level: number, decay: number): GainNode {
  const gain = envelope(hit, level, decay);
  const source = new OscillatorNode(hit.context, { frequency: from });
  source.frequency.setValueAtTime(from, hit.at);
  source.frequency.setTargetAtTime(to, hit.at, fall);
  source.connect(gain);
  hit.start(source, hit.at + decay * 8 + 0.05);
  return gain;
}

/** Filtered noise or metal. */
function burst(
  hit: Hit,
  buffer: AudioBuffer,
  type: BiquadFilterType,
  hz: number,
  q: number,
  level: number,
  decay: number,
): GainNode {
  const gain = envelope(hit, level, decay);
  const filter = new BiquadFilterNode(hit.context, { type, frequency: hz, Q: q });
  const source = new AudioBufferSourceNode(hit.context, { buffer, loop: true });
  source.connect(filter).connect(gain);
  hit.start(source, hit.at + decay * 8 + 0.05);
  return gain;
}

const kick =
  (from: number, to: number): Drum =>
  (hit) => {
    burst(hit, hit.material.noise, "lowpass", 3200, 0.5, 0.25, 0.006);
    sweep(hit, from * 3, from, 0.008, 0.5, 0.03);
    return sweep(hit, from, to, 0.035, 1.45, 0.13);
  };

const snare =
  (tone: number, rattle: number): Drum =>
  (hit) => {
    sweep(hit, tone * 1.5, tone, 0.012, 0.6, 0.055);
    burst(hit, hit.material.noise, "bandpass", 5200, 0.5, 0.7, 0.02);
    return burst(hit, hit.material.noise, "highpass", 1500, 0.6, 0.6, rattle);
  };

const tom =
  (hz: number): Drum =>
  (hit) => {
    burst(hit, hit.material.noise, "lowpass", 1800, 0.5, 0.2, 0.012);
    return sweep(hit, hz * 1.6, hz, 0.03, 0.95, 0.16);
  };

const hat =
  (level: number, decay: number): Drum =>
  (hit) =>
    burst(hit, hit.material.metal, "highpass", 7200, 0.8, level, decay);

const cymbal =
  (hz: number, level: number, decay: number): Drum =>
  (hit) => {
    burst(hit, hit.material.metal, "bandpass", hz * 1.9, 0.6, level * 0.6, decay * 0.4);
    return burst(hit, hit.material.metal, "highpass", hz, 0.5, level, decay);
  };

const ride =
  (ping: number): Drum =>
  (hit) => {
    burst(hit, hit.material.metal, "bandpass", ping, 6, 0.5, 0.05);
    return burst(hit, hit.material.metal, "highpass", 6200, 0.5, 0.22, 0.38);
  };

const clap: Drum = (hit) => {
  for (const delay of [0, 0.011, 0.022]) {
    burst({ ...hit, at: hit.at + delay }, hit.material.noise, "bandpass", 1500, 1.1, 0.75, 0.008);
  }
  return burst({ ...hit, at: hit.at + 0.03 }, hit.material.noise, "bandpass", 1400, 0.9, 0.8, 0.075);
};

const blip =
  (hz: number, decay: number, level = 0.7): Drum =>
  (hit) => {
    sweep(hit, hz * 2.7, hz * 2.7, 1, level * 0.25, decay * 0.5);
    return sweep(hit, hz, hz, 1, level, decay);
  };

const shaker =
  (hz: number, decay: number, level = 0.5): Drum =>
  (hit) =>
    burst(hit, hit.material.noise, "highpass", hz, 0.7, level, decay);

const hand =
  (hz: number, decay: number): Drum =>
  (hit) => {
    burst(hit, hit.material.noise, "bandpass", hz * 5, 0.8, 0.2, 0.012);
    return sweep(hit, hz * 1.18, hz, 0.02, 0.85, decay);
  };

const cowbell: Drum = (hit) => {
  sweep(hit, 845, 845, 1, 0.35, 0.07);
  return burst(hit, hit.material.metal, "bandpass", 845, 9, 1.1, 0.09);
};

const other = (pitch: number): Drum => hand(90 + ((pitch * 37) % 300), 0.1);

/** TABLE: General MIDI percussion keys. */
const KIT: Readonly<Record<number, Drum>> = {
  35: kick(58, 38),
  36: kick(68, 46),
  37: blip(1650, 0.018, 0.6),
  38: snare(188, 0.085),
  39: clap,
  40: snare(226, 0.07),
  41: tom(82),
  42: hat(0.62, 0.028),
  43: tom(98),
  44: hat(0.5, 0.045),
  45: tom(118),
  46: hat(0.55, 0.2),
  47: tom(142),
  48: tom(168),
  49: cymbal(4200, 0.5, 0.55),
  50: tom(200),
  51: ride(3600),
  52: cymbal(3000, 0.5, 0.4),
  53: ride(2700),
  54: shaker(7600, 0.07, 0.6),
  55: cymbal(5200, 0.48, 0.25),
  56: cowbell,
  57: cymbal(3700, 0.5, 0.6),
  58: shaker(2600, 0.25, 0.35),
  59: ride(3100),
  60: hand(330, 0.07),
  61: hand(250, 0.09),
  62: hand(300, 0.045),
  63: hand(230, 0.12),
  64: hand(180, 0.14),
  65: hand(420, 0.11),
  66: hand(300, 0.13),
  67: blip(1150, 0.05),
  68: blip(860, 0.055),
  69: shaker(5200, 0.04),
  70: shaker(6400, 0.03),
  75: blip(2450, 0.02, 0.8),
  76: blip(1050, 0.028, 0.8),
  77: blip(760, 0.032, 0.8),
  80: blip(4300, 0.05, 0.3),
  81: blip(4300, 0.5, 0.3),
};
