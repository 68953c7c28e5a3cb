/**
 * A click on every beat, another one on bar lines. It goes along with the notes: told of each stretch before it
 * sounds, it follows the metre map, the tempo map, loops and jumps as they do, and never leaves the page as notes.
 */
import type { BarMap } from "../coords.ts";
import type { Store } from "../store.ts";
import type { Along } from "./scheduler.ts";

/** Pitch and loudness of the click on a bar line, and of the others. */
const ACCENT = { hz: 1760, gain: 0.55 };
const BEAT = { hz: 1175, gain: 0.36 };
const SECONDS = 0.045;
const DECAY_S = 0.009;

/** Beats in [from, to): tick, and whether a bar begins there. */
export function beatsBetween(bars: BarMap, from: number, to: number): [tick: number, accent: boolean][] {
  const beats: [number, boolean][] = [];
  for (let bar = bars.at(from); bar < bars.n && bars.start(bar) < to; bar++) {
    const step = bars.beatTicks(bar);
    for (let tick = bars.start(bar); step > 0 && tick < bars.start(bar + 1) - 0.5; tick += step) {
      if (tick >= from && tick < to) {
        beats.push([tick, tick === bars.start(bar)]);
      }
    }
  }
  return beats;
}

export class Metronome implements Along {
  private readonly clicks = new WeakMap<BaseAudioContext, readonly [AudioBuffer, AudioBuffer]>();
  private readonly begun = new Set<AudioScheduledSourceNode>();

  constructor(private readonly bars: () => BarMap) {}

  stretch(context: BaseAudioContext, from: number, to: number, timeOf: (tick: number) => number): void {
    for (const [tick, accent] of beatsBetween(this.bars(), from, to)) {
      const source = context.createBufferSource();
      source.buffer = this.sounds(context)[accent ? 0 : 1];
      source.connect(context.destination);
      source.addEventListener("ended", () => {
        source.disconnect();
        this.begun.delete(source);
      });
      source.start(timeOf(tick));
      this.begun.add(source);
    }
  }

  silence(): void {
    for (const source of this.begun) {
      source.stop();
    }
    this.begun.clear();
  }

  private sounds(context: BaseAudioContext): readonly [AudioBuffer, AudioBuffer] {
    const known = this.clicks.get(context);
    const made = known ?? ([click(context, ACCENT), click(context, BEAT)] as const);
    this.clicks.set(context, made);
    return made;
  }
}

/** A short sine that begins at once and dies away. */
function click(context: BaseAudioContext, { hz, gain }: typeof ACCENT): AudioBuffer {
  const { sampleRate } = context;
  const buffer = context.createBuffer(1, Math.ceil(SECONDS * sampleRate), sampleRate);
  const samples = buffer.getChannelData(0);
  for (let i = 0; i < samples.length; i++) {
    const seconds = i / sampleRate;
    const fade = 1 - i / samples.length;
    samples[i] = gain * fade * Math.exp(-seconds / DECAY_S) * Math.sin(2 * Math.PI * hz * seconds + 0.6);
  }
  return buffer;
}

/** Follows the trait `metronome` of a widget. */
export function clicks(store: Store): () => void {
  const metronome = new Metronome(() => store.bars);
  const follow = (): void => {
    const on = store.get("metronome") ? metronome : null;
    if (store.player.along !== on) {
      store.player.along?.silence();
      store.player.along = on;
    }
  };
  follow();
  return store.subscribe(follow);
}
