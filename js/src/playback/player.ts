/** Transport of one score: play, stop, seek, loop. One audio context for the page; one player sounds at a time. */
import type { Instrument, SimpleSound } from "./instrument.ts";
import type { SampledSound } from "./sampled.ts";
import {
  type Along,
  type Control,
  type LoopRange,
  type NoteSource,
  Scheduler,
  TIMER_MS,
} from "./scheduler.ts";

/** Shared by all widgets of the page, whatever copy of this module they run. */
interface PageAudio {
  context: AudioContext | null;
  owner: { stop(): void } | null;
  /** Sampled sounds that were opened, by the name of their bank. */
  sampled: Map<string, Promise<Instrument>>;
}

const AUDIO_KEY = Symbol.for("mgnb.audio.v2");

function pageAudio(): PageAudio {
  const page = globalThis as unknown as Record<symbol, PageAudio | undefined>;
  page[AUDIO_KEY] ??= { context: null, owner: null, sampled: new Map() };
  return page[AUDIO_KEY];
}

export interface TrackSound {
  program: number;
  drum: boolean;
  /** MIDI volume 0..127 set by hand; undefined leaves what the file says. */
  volume?: number | undefined;
}

/** A sampled sound: the name of its bank, and how to open it on a context. */
export interface SampledChoice {
  name: string;
  /** Fetches what it is made of ahead of the first click; opening it needs one. */
  fetch(): void;
  open(context: BaseAudioContext): Promise<SampledSound>;
}

/** Time between the click and the first sound: enough for the first notes to be scheduled in time. */
const START_DELAY_S = 0.06;
/** How long the first note waits for the sampled sound before the simple one steps in. */
const PATIENCE_MS = 1000;
const VOLUME = 7;

export class Player {
  /** Called when it starts, stops (also by itself, at the end) or jumps. */
  onChange: () => void = () => {};
  /** The sampled sound cannot be had here: the simple one plays. Called once. */
  onSimpleSound: (reason: string) => void = () => {};
  /** What goes along with the notes: the metronome. */
  along: Along | null = null;
  /** Milliseconds from the last start to the moment there was something to play on. */
  soundMs = 0;

  private scheduler: Scheduler | null = null;
  private instrument: Instrument | null = null;
  private simple: Instrument | null = null;
  /** Something outside the page plays instead of its own sounds. */
  private outside: ((context: AudioContext) => Instrument) | null = null;
  /** Counts starts, so that a sound that comes too late for one does not begin another. */
  private starts = 0;
  private waiting = false;
  private told = false;
  private timer: ReturnType<typeof setInterval> | undefined;
  private restTick = 0;
  private range: LoopRange | null = null;
  private speed = 1;

  constructor(
    private readonly source: () => NoteSource | null,
    private readonly soundOf: (track: number) => TrackSound,
    private readonly simpleCode: () => Promise<SimpleSound>,
    private readonly sampled: () => SampledChoice | null = () => null,
  ) {}

  get playing(): boolean {
    return this.scheduler !== null || this.waiting;
  }

  /** "sampled", "simple", "midi", or "" before anything has sounded. */
  get sound(): string {
    return this.instrument?.kind ?? "";
  }

  get loop(): LoopRange | null {
    return this.range;
  }

  set loop(range: LoopRange | null) {
    this.range = range;
    if (this.scheduler) {
      this.scheduler.loop = range;
    }
  }

  /** Tempo factor: 2 plays twice as fast. Heard at once, without a gap. */
  get rate(): number {
    return this.speed;
  }

  set rate(factor: number) {
    if (factor !== this.speed) {
      this.speed = factor;
      this.scheduler?.setRate(factor);
    }
  }

  /** Current position in ticks. */
  get position(): number {
    const context = pageAudio().context;
    if (!this.scheduler || !context) {
      return this.restTick;
    }
    // what is heard now left the graph a little earlier
    return this.scheduler.positionAt(context.currentTime - (context.outputLatency || 0));
  }

  /** Tick that was heard at a page time in milliseconds. */
  heardAt(milliseconds: number): number {
    const context = pageAudio().context;
    const ago = (performance.now() - milliseconds) / 1000;
    return this.scheduler && context
      ? this.scheduler.positionAt(context.currentTime - (context.outputLatency || 0) - ago)
      : this.restTick;
  }

  /** Plays on what `make` gives, from now on; null: on the page's own sounds again. */
  playOn(make: ((context: AudioContext) => Instrument) | null): void {
    const context = pageAudio().context;
    this.instrument?.silence();
    if (this.outside) {
      this.instrument?.dispose();
    }
    this.instrument = null;
    this.outside = make;
    if (this.playing && context) {
      this.seek(this.position);
      void this.ready(context);
    }
  }

  /** A key goes down (0: up), heard at once. */
  key(track: number, pitch: number, velocity: number): void {
    const note = { ...this.soundOf(track), track, pitch, velocity };
    if (!this.instrument?.press) {
      if (velocity > 0) {
        this.audition(track, pitch, velocity);
      }
    } else if (velocity > 0) {
      this.instrument.press(note);
    } else {
      this.instrument.release?.(note);
    }
  }

  /** Must be called from a user gesture the first time: browsers let no page sound before one. */
  play(): boolean {
    const source = this.source();
    const context = openContext();
    if (!source || !context) {
      return false;
    }
    const page = pageAudio();
    if (page.owner !== this) {
      page.owner?.stop();
      page.owner = this;
    }
    this.halt(this.scheduler !== null);
    if (this.restTick >= source.endTick - 1) {
      this.restTick = this.range ? this.range.start : 0;
    }
    void this.start(context);
    this.onChange();
    return true;
  }

  /** One note now, to hear what is drawn or pointed at. */
  audition(track: number, pitch: number, velocity = 96, seconds = 0.35): void {
    const context = openContext();
    if (!context) {
      return;
    }
    if (!this.instrument) {
      // The first one of a page is silent where the sound takes a while to come.
      void this.ready(context).catch((error) => this.tellOnce(String(error)));
      return;
    }
    const now = context.currentTime + 0.01;
    this.instrument.play({ ...this.soundOf(track), track, pitch, velocity }, now, now + seconds);
  }

  /** A track's volume was set: notes that sound hear it now. */
  volumeChanged(track: number): void {
    const context = pageAudio().context;
    const sound = this.soundOf(track);
    if (context && this.scheduler && sound.volume !== undefined) {
      this.instrument?.control({ track, ...sound }, VOLUME, sound.volume, context.currentTime);
    }
  }

  stop(): void {
    if (!this.playing) {
      return;
    }
    this.restTick = this.position;
    this.halt();
    this.onChange();
  }

  /** Moves the playhead; goes on playing when it was. */
  seek(tick: number): void {
    const context = pageAudio().context;
    this.restTick = Math.max(0, tick);
    if (this.scheduler && context) {
      this.instrument?.silence();
      this.along?.silence();
      this.begin(context, this.restTick);
    }
    this.onChange();
  }

  dispose(): void {
    this.halt();
    if (this.outside) {
      this.instrument?.dispose();
    }
    this.simple?.dispose();
    this.simple = null;
    this.instrument = null;
    const page = pageAudio();
    if (page.owner === this) {
      page.owner = null;
    }
  }

  /** Begins as soon as there is something to play on. */
  private async start(context: AudioContext): Promise<void> {
    const start = ++this.starts;
    const began = performance.now();
    this.waiting = true;
    try {
      await this.ready(context);
    } catch (error) {
      this.tellOnce(String(error)); // not even the simple sound came: the playhead moves all the same
    }
    if (start !== this.starts) {
      return;
    }
    this.waiting = false;
    this.soundMs = performance.now() - began;
    this.begin(context, this.restTick);
    this.onChange();
  }

  /** Settles on an instrument: the sampled one, or after a second, or when it cannot be had, the simple one. */
  private async ready(context: AudioContext): Promise<void> {
    if (this.outside) {
      this.instrument ??= this.outside(context);
      return;
    }
    const opening = this.openSampled(context);
    if (!opening) {
      this.instrument = await this.simpleSound(context);
      return;
    }
    const late = new Promise<null>((resolve) => setTimeout(() => resolve(null), PATIENCE_MS));
    try {
      const sampled = await Promise.race([opening, late]);
      this.instrument = sampled ?? (await this.simpleSound(context));
      void opening.then(
        (instrument) => {
          if (!this.outside) {
            this.instrument = instrument; // it came late: later notes are played on it
          }
        },
        () => {},
      );
    } catch (error) {
      this.tellOnce(String(error));
      this.instrument = await this.simpleSound(context);
    }
  }

  private openSampled(context: AudioContext): Promise<Instrument> | null {
    const choice = this.sampled();
    if (!choice) {
      return null;
    }
    const { sampled } = pageAudio();
    let opening = sampled.get(choice.name);
    if (!opening) {
      opening = choice.open(context);
      sampled.set(choice.name, opening);
      opening.catch(() => sampled.delete(choice.name));
    }
    return opening;
  }

  private async simpleSound(context: AudioContext): Promise<Instrument> {
    if (this.simple?.context !== context) {
      this.simple?.dispose();
      const { Synth } = await this.simpleCode();
      this.simple = new Synth(context, context.destination);
    }
    return this.simple;
  }

  private tellOnce(reason: string): void {
    if (!this.told) {
      this.told = true;
      this.onSimpleSound(reason);
    }
  }

  private begin(context: AudioContext, tick: number): void {
    clearInterval(this.timer);
    const volumes = new Map<number, number>();
    const scheduler = new Scheduler(
      () => this.source() ?? EMPTY,
      (note, start, stop) => {
        const sound = this.soundOf(note.track);
        if (sound.volume !== undefined && volumes.get(note.track) !== sound.volume) {
          volumes.set(note.track, sound.volume);
          this.instrument?.control({ track: note.track, ...sound }, VOLUME, sound.volume, start);
        }
        this.instrument?.play({ ...note, ...sound }, start, stop);
      },
      tick,
      context.currentTime + START_DELAY_S,
      (control, time) => this.control(control, time),
      this.speed,
      (from, to, timeOf) => this.along?.stretch(context, from, to, timeOf),
    );
    scheduler.loop = this.range;
    this.scheduler = scheduler;
    const turn = (): void => {
      scheduler.advance(context.currentTime);
      if (scheduler.finished(context.currentTime)) {
        this.restTick = 0;
        this.halt(false);
        this.onChange();
      }
    };
    this.timer = setInterval(turn, TIMER_MS);
    turn();
  }

  private control({ track, controller, value }: Control, time: number): void {
    const sound = this.soundOf(track);
    if (controller !== VOLUME || sound.volume === undefined) {
      this.instrument?.control({ track, ...sound }, controller, value, time);
    }
  }

  /** Ends scheduling; `cut` also ends what sounds (else it rings out). */
  private halt(cut = true): void {
    clearInterval(this.timer);
    this.timer = undefined;
    this.scheduler = null;
    this.waiting = false;
    this.starts++;
    if (cut) {
      this.instrument?.silence();
      this.along?.silence();
    }
  }
}

const EMPTY: NoteSource = {
  tempo: { seconds: () => 0, tick: () => 0 } as unknown as NoteSource["tempo"],
  endTick: 0,
  notesBetween: () => {},
};

function openContext(): AudioContext | null {
  const page = pageAudio();
  if (!page.context || page.context.state === "closed") {
    if (typeof AudioContext === "undefined") {
      return null;
    }
    page.context = new AudioContext({ latencyHint: "interactive" });
  }
  if (page.context.state === "suspended") {
    void page.context.resume();
  }
  return page.context;
}
