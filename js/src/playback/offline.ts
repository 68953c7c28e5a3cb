/** Renders a stretch of the piece with the same sounds, without a sound device: for tests and for export. */
import type { TrackSound } from "./player.ts";
import type { SampledSound } from "./sampled.ts";
import type { Along, NoteSource } from "./scheduler.ts";
import { Synth } from "./synth.ts";

export interface Rendering {
  sampleRate: number;
  /** Left and right. */
  channels: Float32Array[];
  /** Seconds at which each note was asked to start, in order. */
  onsets: number[];
  peak: number;
  rms: number;
}

/** Silence before the first note, so that nothing has to start early. */
export const LEAD_IN_S = 0.05;

export async function renderOffline(
  source: NoteSource,
  soundOf: (track: number) => TrackSound,
  fromTick: number,
  toTick: number,
  sampleRate = 44_100,
  openSampled: ((context: BaseAudioContext) => Promise<SampledSound>) | null = null,
  tail = 1,
  rate = 1,
  along: Along | null = null,
): Promise<Rendering> {
  const { tempo } = source;
  const base = tempo.seconds(fromTick);
  const timeOf = (tick: number): number => LEAD_IN_S + (tempo.seconds(tick) - base) / rate;
  const seconds = timeOf(toTick) + tail;
  const context = new OfflineAudioContext(2, Math.ceil(seconds * sampleRate), sampleRate);
  const sampled = openSampled && (await openSampled(context));
  const synth = sampled ?? new Synth(context, context.destination);
  const onsets: number[] = [];
  for (const { tick, track, controller, value } of source.controls ?? []) {
    if (tick < toTick) {
      synth.control({ track, ...soundOf(track) }, controller, value, timeOf(Math.max(tick, fromTick)));
    }
  }
  source.notesBetween(fromTick, toTick, (note) => {
    const start = timeOf(note.onset);
    const stop = timeOf(Math.min(note.onset + note.duration, toTick));
    onsets.push(start);
    synth.play({ ...note, ...soundOf(note.track) }, start, stop);
  });
  along?.stretch(context, fromTick, toTick, timeOf);
  await sampled?.settled();
  const buffer = await context.startRendering();
  const channels = [buffer.getChannelData(0), buffer.getChannelData(1)];
  let peak = 0;
  let power = 0;
  for (const samples of channels) {
    for (const sample of samples) {
      peak = Math.max(peak, Math.abs(sample));
      power += sample * sample;
    }
  }
  onsets.sort((a, b) => a - b);
  return { sampleRate, channels, onsets, peak, rms: Math.sqrt(power / (2 * buffer.length)) };
}
