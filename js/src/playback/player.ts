/** Transport of one score: play, stop, seek, loop. One audio context for the page; one player sounds at a time. */
import { type LoopRange, type NoteSource, Scheduler, TIMER_MS } from "./scheduler.ts";
import { Synth } from "./synth.ts";

/** Shared by all widgets of the page, whatever copy of this module they run. */
interface PageAudio {
  context: AudioContext | null;
  owner: { stop(): void } | null;
}

const AUDIO_KEY = Symbol.for("mgnb.audio.v1");

function pageAudio(): PageAudio {
  const page = globalThis as unknown as Record<symbol, PageAudio | undefined>;
  page[AUDIO_KEY] ??= { context: null, owner: null };
  return page[AUDIO_KEY];
}

export interface TrackSound {
  program: number;
  drum: boolean;
}

/** Time between the click and the first sound: enough for the first notes to be scheduled in time. */
const START_DELAY_S = 0.06;

export class Player {
  /** Called when it starts, stops (also by itself, at the end) or jumps. */
  onChange: () => void = () => {};

  private scheduler: Scheduler | null = null;
  private synth: Synth | null = null;
  private timer: ReturnType<typeof setInterval> | undefined;
  private restTick = 0;
  private range: LoopRange | null = null;

  constructor(
    private readonly source: () => NoteSource | null,
    private readonly soundOf: (track: number) => TrackSound,
  ) {}

  get playing(): boolean {
    return this.scheduler !== null;
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

  /** Current position in ticks. */
  get position(): number {
    const context = pageAudio().context;
    if (!this.scheduler || !context) {
      return this.restTick;
    }
    // what is heard now left the graph a little earlier
    return this.scheduler.positionAt(context.currentTime - (context.outputLatency || 0));
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
    if (this.synth?.context !== context) {
      this.synth?.dispose();
      this.synth = new Synth(context, context.destination);
    }
    if (this.restTick >= source.endTick - 1) {
      this.restTick = this.range ? this.range.start : 0;
    }
    this.begin(context, this.restTick);
    this.onChange();
    return true;
  }

  stop(): void {
    if (!this.scheduler) {
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
      this.synth?.silence();
      this.begin(context, this.restTick);
    }
    this.onChange();
  }

  dispose(): void {
    this.halt();
    this.synth?.dispose();
    this.synth = null;
    const page = pageAudio();
    if (page.owner === this) {
      page.owner = null;
    }
  }

  private begin(context: AudioContext, tick: number): void {
    clearInterval(this.timer);
    const scheduler = new Scheduler(
      () => this.source() ?? EMPTY,
      (note, start, stop) => this.synth?.play({ ...note, ...this.soundOf(note.track) }, start, stop),
      tick,
      context.currentTime + START_DELAY_S,
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

  /** Ends scheduling; `cut` also ends what sounds (else it rings out). */
  private halt(cut = true): void {
    clearInterval(this.timer);
    this.timer = undefined;
    this.scheduler = null;
    if (cut) {
      this.synth?.silence();
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
