/** TABLE: how each General MIDI program sounds on the oscillator synth. */

export interface Oscillator {
  /** A basic wave, or the amplitudes of its harmonics (1st, 2nd, …). */
  wave: OscillatorType | readonly number[];
  /** Multiple of the note's frequency. */
  ratio?: number;
  gain: number;
  /** Cents. */
  detune?: number;
  /** Seconds after which this oscillator alone has faded by 60 dB (struck partials). */
  decay?: number;
}

export interface Patch {
  level: number;
  oscillators: readonly Oscillator[];
  /** Attack, decay time constant, sustain level 0..1, release time constant (seconds). */
  envelope: readonly [attack: number, decay: number, sustain: number, release: number];
  /** Frequency modulation of every oscillator: ratio, depth in multiples of the frequency, decay, rest. */
  fm?: readonly [ratio: number, depth: number, decay: number, rest: number];
  /** Low-pass: multiples of the frequency at the start, at rest, time constant, resonance. */
  filter?: readonly [start: number, rest: number, time: number, q: number];
  /** Vibrato: Hz, cents, delay. */
  vibrato?: readonly [rate: number, cents: number, delay: number];
  /** Breath or pick noise: level, centre in Hz, time constant, rest. */
  noise?: readonly [level: number, hz: number, time: number, rest: number];
  /** Semitones added to the written pitch. */
  transpose?: number;
}

const harmonics = (n: number, amplitude: (k: number) => number): number[] =>
  Array.from({ length: n }, (_, i) => amplitude(i + 1));

const STRING_SPECTRUM = harmonics(
  18,
  (k) => (1 / k) * Math.abs(Math.sin((Math.PI * k) / 7)) + 0.12 / (k * k),
);
const PIANO_SPECTRUM = harmonics(14, (k) => [1, 0.62, 0.36, 0.3, 0.2, 0.14, 0.06, 0.05, 0.04][k - 1] ?? 0.02);
const REED_SPECTRUM = harmonics(14, (k) => (k % 2 === 1 ? 1 / k : 0.18 / k));
const OBOE_SPECTRUM = [0.5, 0.7, 1, 0.8, 0.5, 0.35, 0.25, 0.12, 0.08];
const SAX_SPECTRUM = [1, 0.75, 0.6, 0.5, 0.34, 0.2, 0.15, 0.1, 0.06];
const BRASS_SPECTRUM = harmonics(16, (k) => 1 / k ** 0.85);
const ORGAN_SPECTRUM = [0.8, 1, 0.55, 0.6, 0, 0.28, 0, 0.35];
const CHOIR_SPECTRUM = [1, 0.55, 0.4, 0.12, 0.22, 0.1, 0.05];
const PULSE_SPECTRUM = harmonics(20, (k) => Math.abs(Math.sin(Math.PI * k * 0.3)) / k);

const piano: Patch = {
  level: 0.5,
  oscillators: [
    { wave: PIANO_SPECTRUM, gain: 0.6, detune: -1.5 },
    { wave: PIANO_SPECTRUM, gain: 0.4, detune: 2.5 },
  ],
  envelope: [0.003, 1.1, 0, 0.12],
  filter: [11, 2.6, 0.5, 0.3],
  noise: [0.12, 1800, 0.012, 0],
};
const electricPiano: Patch = {
  level: 0.42,
  oscillators: [
    { wave: "sine", gain: 1 },
    { wave: "sine", ratio: 2, gain: 0.12, decay: 1.5 },
  ],
  envelope: [0.003, 1.3, 0.02, 0.12],
  fm: [1, 1.1, 0.5, 0.25],
};
const harpsichord: Patch = {
  level: 0.44,
  oscillators: [
    { wave: PULSE_SPECTRUM, gain: 0.7 },
    { wave: PULSE_SPECTRUM, ratio: 2, gain: 0.25 },
  ],
  envelope: [0.002, 0.7, 0, 0.06],
  filter: [18, 7, 0.3, 0.5],
};
const bell: Patch = {
  level: 0.42,
  oscillators: [
    { wave: "sine", gain: 0.8 },
    { wave: "sine", ratio: 3.98, gain: 0.2, decay: 0.6 },
  ],
  envelope: [0.002, 0.8, 0, 0.35],
  fm: [3.51, 1.2, 0.25, 0.1],
};
const mallet: Patch = {
  level: 0.55,
  oscillators: [
    { wave: "sine", gain: 0.85 },
    { wave: "sine", ratio: 3.93, gain: 0.3, decay: 0.15 },
  ],
  envelope: [0.002, 0.32, 0, 0.16],
};
const organ: Patch = {
  level: 0.36,
  oscillators: [
    { wave: ORGAN_SPECTRUM, gain: 0.8 },
    { wave: "sine", ratio: 0.5, gain: 0.3 },
  ],
  envelope: [0.008, 0.1, 1, 0.03],
  vibrato: [6.2, 5, 0.1],
};
const accordion: Patch = {
  level: 0.5,
  oscillators: [
    { wave: SAX_SPECTRUM, gain: 0.5, detune: -9 },
    { wave: SAX_SPECTRUM, gain: 0.5, detune: 9 },
  ],
  envelope: [0.04, 0.2, 0.9, 0.05],
  filter: [9, 7, 0.3, 0.4],
};
const nylon: Patch = {
  level: 0.55,
  oscillators: [{ wave: STRING_SPECTRUM, gain: 1 }],
  envelope: [0.003, 0.55, 0, 0.07],
  filter: [9, 2, 0.22, 0.3],
  noise: [0.1, 2600, 0.008, 0],
};
const steel: Patch = { ...nylon, level: 0.46, envelope: [0.002, 0.8, 0, 0.09], filter: [16, 3.6, 0.4, 0.4] };
const cleanGuitar: Patch = {
  ...nylon,
  level: 0.48,
  envelope: [0.003, 0.95, 0.05, 0.08],
  filter: [8, 3, 0.5, 0.8],
};
const mutedGuitar: Patch = {
  ...nylon,
  level: 0.8,
  envelope: [0.002, 0.09, 0, 0.03],
  filter: [7, 1.6, 0.08, 0.6],
};
const driveGuitar: Patch = {
  level: 0.34,
  oscillators: [
    { wave: "sawtooth", gain: 0.6, detune: -6 },
    { wave: "square", gain: 0.4, detune: 6 },
    { wave: "sawtooth", ratio: 0.5, gain: 0.2 },
  ],
  envelope: [0.004, 0.6, 0.75, 0.06],
  filter: [7, 4.2, 0.5, 2],
  vibrato: [5.2, 9, 0.35],
};
const fingerBass: Patch = {
  level: 0.62,
  oscillators: [
    { wave: STRING_SPECTRUM, gain: 0.6 },
    { wave: "sine", gain: 0.55 },
  ],
  envelope: [0.004, 0.75, 0.12, 0.06],
  filter: [10, 2.6, 0.18, 0.7],
  noise: [0.05, 1100, 0.01, 0],
};
const uprightBass: Patch = {
  ...fingerBass,
  level: 0.68,
  envelope: [0.006, 0.5, 0.02, 0.08],
  filter: [6, 1.8, 0.14, 0.5],
};
const slapBass: Patch = {
  ...fingerBass,
  level: 0.55,
  filter: [22, 3, 0.09, 2],
  noise: [0.16, 2400, 0.01, 0],
};
const synthBass: Patch = {
  level: 0.46,
  oscillators: [
    { wave: "sawtooth", gain: 0.5, detune: -5 },
    { wave: "square", gain: 0.35, detune: 5 },
    { wave: "sine", gain: 0.4 },
  ],
  envelope: [0.004, 0.4, 0.55, 0.05],
  filter: [14, 3, 0.14, 4],
};
const strings: Patch = {
  level: 0.56,
  oscillators: [
    { wave: "sawtooth", gain: 0.36, detune: -8 },
    { wave: "sawtooth", gain: 0.36, detune: 7 },
    { wave: "sawtooth", gain: 0.3 },
  ],
  envelope: [0.09, 0.4, 0.9, 0.16],
  filter: [4, 6, 0.25, 0.3],
  vibrato: [5.4, 7, 0.3],
};
const soloString: Patch = {
  ...strings,
  level: 0.4,
  oscillators: [
    { wave: "sawtooth", gain: 0.8 },
    { wave: STRING_SPECTRUM, gain: 0.3, detune: 3 },
  ],
  envelope: [0.06, 0.3, 0.92, 0.09],
  vibrato: [5.7, 15, 0.22],
  noise: [0.015, 3000, 0.06, 0.2],
};
const pizzicato: Patch = {
  ...nylon,
  level: 0.82,
  envelope: [0.003, 0.16, 0, 0.07],
  filter: [6, 1.4, 0.1, 0.3],
};
const harp: Patch = { ...nylon, level: 0.5, envelope: [0.003, 0.9, 0, 0.3], filter: [7, 2.2, 0.35, 0.2] };
const timpani: Patch = {
  level: 0.85,
  oscillators: [
    { wave: "sine", gain: 1 },
    { wave: "sine", ratio: 1.5, gain: 0.35, decay: 0.5 },
  ],
  envelope: [0.003, 0.55, 0, 0.3],
  noise: [0.3, 400, 0.03, 0],
};
const choir: Patch = {
  level: 0.4,
  oscillators: [
    { wave: CHOIR_SPECTRUM, gain: 0.5, detune: -7 },
    { wave: CHOIR_SPECTRUM, gain: 0.5, detune: 8 },
  ],
  envelope: [0.12, 0.4, 0.9, 0.2],
  filter: [4, 5, 0.4, 1],
  vibrato: [5, 10, 0.25],
  noise: [0.02, 2200, 0.2, 0.5],
};
const brass: Patch = {
  level: 0.5,
  oscillators: [
    { wave: BRASS_SPECTRUM, gain: 0.55, detune: -4 },
    { wave: BRASS_SPECTRUM, gain: 0.45, detune: 5 },
  ],
  envelope: [0.03, 0.25, 0.85, 0.07],
  filter: [1.6, 6, 0.06, 0.8],
  vibrato: [5.2, 7, 0.4],
};
const mutedBrass: Patch = { ...brass, level: 0.48, filter: [2, 9, 0.05, 3] };
const horn: Patch = { ...brass, level: 0.54, envelope: [0.05, 0.3, 0.9, 0.1], filter: [1.2, 3.4, 0.09, 0.3] };
const sax: Patch = {
  level: 0.46,
  oscillators: [
    { wave: SAX_SPECTRUM, gain: 0.8 },
    { wave: "sawtooth", gain: 0.15, detune: 4 },
  ],
  envelope: [0.03, 0.2, 0.9, 0.06],
  filter: [3.5, 6.5, 0.08, 0.8],
  vibrato: [5.4, 11, 0.3],
  noise: [0.03, 2800, 0.1, 0.35],
};
const oboe: Patch = {
  ...sax,
  level: 0.56,
  oscillators: [{ wave: OBOE_SPECTRUM, gain: 0.75 }],
  noise: [0.01, 3500, 0.05, 0.2],
};
const clarinet: Patch = {
  ...sax,
  level: 0.36,
  oscillators: [{ wave: REED_SPECTRUM, gain: 0.9 }],
  vibrato: [5, 4, 0.4],
  noise: [0.01, 2500, 0.05, 0.3],
};
const flute: Patch = {
  level: 0.44,
  oscillators: [{ wave: [1, 0.28, 0.12, 0.04], gain: 0.9 }],
  envelope: [0.045, 0.2, 0.9, 0.07],
  vibrato: [5.2, 11, 0.25],
  noise: [0.06, 3600, 0.06, 0.45],
};
const squareLead: Patch = {
  level: 0.3,
  oscillators: [
    { wave: "square", gain: 0.6 },
    { wave: "square", gain: 0.35, detune: 9 },
  ],
  envelope: [0.005, 0.2, 0.85, 0.05],
  filter: [9, 6, 0.2, 1],
  vibrato: [5.6, 9, 0.3],
};
const sawLead: Patch = {
  ...squareLead,
  level: 0.46,
  oscillators: [
    { wave: "sawtooth", gain: 0.45, detune: -8 },
    { wave: "sawtooth", gain: 0.45, detune: 8 },
  ],
};
const pad: Patch = {
  level: 0.4,
  oscillators: [
    { wave: "sawtooth", gain: 0.4, detune: -12 },
    { wave: "sawtooth", gain: 0.4, detune: 11 },
    { wave: "sine", ratio: 0.5, gain: 0.4 },
  ],
  envelope: [0.25, 0.8, 0.9, 0.4],
  filter: [2, 5, 0.7, 1],
  vibrato: [0.6, 6, 0],
};
const effectPad: Patch = {
  ...pad,
  level: 0.42,
  oscillators: [
    { wave: "triangle", gain: 0.8 },
    { wave: "sine", ratio: 3, gain: 0.2, decay: 1.5 },
  ],
  envelope: [0.06, 0.9, 0.5, 0.5],
  fm: [2, 0.8, 0.6, 0.2],
};
const sitar: Patch = { ...steel, filter: [24, 6, 0.5, 5], vibrato: [6, 8, 0.05] };
const kalimba: Patch = { ...mallet, level: 0.55, envelope: [0.002, 0.4, 0, 0.12] };
const bagpipe: Patch = { ...oboe, level: 0.5, vibrato: [5, 3, 0.5], envelope: [0.02, 0.1, 1, 0.04] };
const metalDrum: Patch = {
  ...bell,
  level: 0.45,
  envelope: [0.002, 0.35, 0, 0.2],
  fm: [1.43, 1.6, 0.12, 0.1],
};
const tomDrum: Patch = { ...timpani, level: 0.9, envelope: [0.002, 0.2, 0, 0.12] };
const whoosh: Patch = {
  level: 0.3,
  oscillators: [{ wave: "sine", gain: 0.15 }],
  envelope: [0.15, 0.6, 0.4, 0.3],
  noise: [0.6, 1600, 0.5, 0.6],
};

/** [first program, patch]: valid up to the next row. */
const ROWS: readonly (readonly [number, Patch])[] = [
  [0, piano],
  [4, electricPiano],
  [6, harpsichord],
  [8, bell],
  [11, mallet],
  [14, bell],
  [15, harpsichord],
  [16, organ],
  [21, accordion],
  [24, nylon],
  [25, steel],
  [26, cleanGuitar],
  [28, mutedGuitar],
  [29, driveGuitar],
  [31, steel],
  [32, uprightBass],
  [33, fingerBass],
  [36, slapBass],
  [38, synthBass],
  [40, soloString],
  [44, strings],
  [45, pizzicato],
  [46, harp],
  [47, timpani],
  [48, strings],
  [52, choir],
  [55, brass],
  [59, mutedBrass],
  [60, horn],
  [61, brass],
  [64, sax],
  [68, oboe],
  [71, clarinet],
  [72, flute],
  [80, squareLead],
  [81, sawLead],
  [82, flute],
  [83, squareLead],
  [85, choir],
  [86, sawLead],
  [88, pad],
  [96, effectPad],
  [104, sitar],
  [108, kalimba],
  [109, bagpipe],
  [110, soloString],
  [111, bagpipe],
  [112, bell],
  [113, metalDrum],
  [115, kalimba],
  [116, tomDrum],
  [119, whoosh],
];

/** The sound of a program, 0..127. */
export function patchOf(program: number): Patch {
  let found = piano;
  for (const [first, patch] of ROWS) {
    if (first > program) {
      break;
    }
    found = patch;
  }
  return found;
}
