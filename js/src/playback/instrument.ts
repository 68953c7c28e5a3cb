/** What the player asks of a sound: the sampled one and the one made of oscillators both are one. */

/** Whose sound it is. */
export interface Part {
  track: number;
  program: number;
  drum: boolean;
}

export interface Voiced extends Part {
  pitch: number;
  velocity: number;
}

export interface Instrument {
  readonly kind: "sampled" | "simple" | "midi";
  readonly context: BaseAudioContext;
  /** Starts one note at `start` and lets it go at `stop` (seconds of the context). */
  play(note: Voiced, start: number, stop: number): void;
  /** A key goes down now and up later, as on a keyboard. */
  press?(note: Voiced): void;
  release?(note: Voiced): void;
  /** A controller (0..127) or pitch bend (-1, value 0..16383) of a track at a time; sounds that know none ignore it. */
  control(part: Part, controller: number, value: number, time: number): void;
  /** Fades out what sounds or is scheduled; notes played from now on are not touched. */
  silence(): void;
  dispose(): void;
}

/** Makes the sound of oscillators: what the module of synth.ts exports. */
export interface SimpleSound {
  Synth: new (context: BaseAudioContext, destination: AudioNode) => Instrument;
}

/** Controller number that stands for pitch bend. */
export const BEND = -1;
