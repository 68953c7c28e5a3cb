/** What the page tells the sampled instrument, which runs on the audio thread. Shared by both sides. */

/** A MIDI message at a time: seconds of the context, first byte without its channel, two data bytes, channel. */
export type TimedMessage = readonly [
  time: number,
  status: number,
  first: number,
  second: number,
  channel: number,
];

export type ToWorklet =
  | { kind: "bank"; bytes: ArrayBuffer }
  | { kind: "play"; messages: readonly TimedMessage[] }
  /** Forget what is scheduled and let what sounds die away. */
  | { kind: "silence" }
  /** Answer when everything sent before has arrived. */
  | { kind: "settle" }
  | { kind: "close" };

export type FromWorklet = { kind: "ready" } | { kind: "settled" } | { kind: "failed"; message: string };

export const PROCESSOR = "mgnb-sampler";

/** Channels come in groups of 16; the tenth of each group is for drums. */
export const GROUP = 16;
export const GROUPS = 4;
export const DRUM_CHANNEL = 9;
