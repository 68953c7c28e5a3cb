/** Typed access to the synced state and to the kernel: requests that are always answered, events in order. */
import {
  type AttributeValues,
  type Caps,
  type Cell,
  type ErrorAnswer,
  EVENT_KINDS,
  EVENTS_WITH_BUFFER,
  type JobEvent,
  type OkAnswer,
  ORDERED,
  type Plan,
  type Requests,
  type TakeInfo,
  type TrackMix,
  VERSION,
} from "./protocol.gen.ts";
import { strings } from "./strings.ts";
import type { PerCell } from "./wishes.ts";

export interface Problem {
  code: string;
  message: string;
  hint: string;
  /** For somebody who can help: what Python said, line by line. */
  details?: string;
  /** The request that was refused: once one of its kind is granted, there is nothing left to tell. */
  kind?: keyof Requests | undefined;
}

/** `kernel`: its process; `session`: this roll in it, the `number`-th of its kind; `saved` counts saves. */
export interface AutosaveFacts {
  kernel: string;
  session: string;
  number: number;
  keys: string[];
  saved: number;
}

/** The synced traits the page uses. */
export interface State {
  _doc: DataView | null;
  _rev: number;
  /** Name of the sampled sound's bank; "" when there is none. */
  _sound: string;
  /** Sixteen families of General MIDI, then its 128 programs, with | between them. */
  _instruments: string;
  caps: Caps;
  plan: Plan;
  /** Of tracks, by their number in the document. */
  mix: Readonly<Record<string, TrackMix>>;
  /** Open takes, best first; the one that is shown, and bars held to another one (see takes/takes.ts). */
  takes: TakeInfo[];
  active_take: string;
  comp: Record<string, string>;
  /** How many takes Generate writes. */
  n_takes: number;
  /** Selected bars, and ids of selected notes where there are any. */
  selection: { cells?: Cell[]; notes?: number[] };
  attributes: Partial<AttributeValues>;
  /** Of bars: levels by track and name, one per bar. */
  realized: Partial<AttributeValues> & { rows?: Record<string, Record<string, readonly (number | null)[]>> };
  /** What the model said it would write, how well wishes were met (0..1), and levels within reach. */
  announced: Partial<AttributeValues>;
  adherence: Partial<AttributeValues>;
  reachable: PerCell<[low: number, high: number]>;
  /** Chords that are asked for, by bar; those that are heard; how the asked ones are followed. */
  chords: Record<string, string>;
  heard_chords: (string | null)[];
  chord_mode: string;
  show_chords: boolean;
  /** Choices for the whole piece. */
  piece: Record<string, string | boolean>;
  /** Notes the model was not sure of are hatched. */
  show_uncertainty: boolean;
  /** Attributes shown as lanes; null: the default ones, []: none. */
  show_lanes: string[] | null;
  sampling: Record<string, number | string | boolean>;
  status: string;
  progress: number;
  loop: number[];
  theme: string;
  height: number;
  readonly: boolean;
  error: Partial<Problem> | null;
  playing: boolean;
  position: number;
  can_undo: boolean;
  can_redo: boolean;
  /** A click on every beat; how fast the piece plays (1: as written); how the view follows the playhead. */
  metronome: boolean;
  tempo_factor: number;
  follow: "page" | "centre" | "off";
  /** Grid that notes snap to, a name of edit/snap.ts. */
  snap: string;
  /** By what later pages know this roll again; empty where nothing is kept. See desk/autosave.ts. */
  _autosave: Partial<AutosaveFacts>;
  /** `page-number` of what was set last; the last number of each page that the kernel has seen (see synced.ts). */
  _from: string;
  /** Names the stroke that set wishes or roles: what one stroke sets is one undo step. */
  _stroke: string;
  _seen: Readonly<Record<string, number>>;
}

/** What anywidget (or the shim of an exported page) hands over; the part that is used. */
export interface HostModel {
  get<K extends keyof State>(key: K): State[K];
  set<K extends keyof State>(key: K, value: State[K]): void;
  save_changes(): void;
  send(content: unknown, callbacks?: unknown, buffers?: ArrayBuffer[]): void;
  on(name: string, callback: (...args: never[]) => void): void;
  off(name?: string | null, callback?: ((...args: never[]) => void) | null): void;
  /** The host's own; what some hosts tell of their kernel is read in connection.ts. */
  widget_manager?: unknown;
}

/** An "error" answer, thrown by `request`. */
export class RequestError extends Error implements Problem {
  readonly code: string;
  readonly hint: string;
  readonly details: string;
  readonly kind: keyof Requests | undefined;

  constructor(problem: Problem) {
    super(problem.message);
    this.code = problem.code;
    this.hint = problem.hint;
    this.details = problem.details ?? "";
    this.kind = problem.kind;
  }
}

export interface Answer {
  ok: OkAnswer;
  buffers: DataView[];
}

interface Waiting {
  resolve(answer: Answer): void;
  reject(error: RequestError): void;
  busyTimer: ReturnType<typeof setTimeout>;
  late: boolean;
  message: Readonly<Record<string, unknown>>;
  buffers: ArrayBuffer[];
  repeatTimer: ReturnType<typeof setTimeout> | undefined;
  /** How long to wait for the answer before the request is sent again. */
  pause: number;
}

/** Told about every request, when it is made. */
export type Watcher = (
  kind: keyof Requests,
  payload: Requests[keyof Requests],
  buffers: readonly ArrayBuffer[],
  answer: Promise<Answer>,
) => void;

const BUSY_AFTER_MS = 400;
const REPEAT_MS = 3000;
const LONGEST_PAUSE_MS = 30_000;
/** Their answers are large: they are sent again only after long. */
const HEAVY: readonly string[] = ["sound", "desk", "file", "uncertainty"];

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/**
 * The page's end of the wire: one per model. Requests that change something are numbered, and what is not answered is
 * sent again: the kernel carries each of them out once, in their order, whatever happens to messages on the way.
 */
export class Kernel {
  /** Called when the number of requests without an answer for 400 ms changes. */
  onBusy: (late: number) => void = () => {};
  onEvent: (event: JobEvent, buffers: DataView[]) => void = () => {};
  onProblem: (problem: Problem) => void = () => {};
  /** The kernel's document has this revision. */
  onRev: (rev: number) => void = () => {};
  readonly watchers = new Set<Watcher>();
  /** Nobody is there to answer: what a person waits for is refused at once. */
  gone: () => boolean = () => false;
  /** Page time at which the kernel last said something. */
  heardAt = 0;

  private readonly waiting = new Map<string, Waiting>();
  private closed = false;
  /** The kernel speaks another version. */
  private foreign = false;
  private late = 0;
  private count = 0;
  private ordered = 0;

  /** `page`: answers go to every page that shows the widget, so ids must differ between pages. */
  constructor(
    private readonly model: HostModel,
    private readonly page: string,
  ) {
    model.on("msg:custom", this.receive);
  }

  dispose(): void {
    this.closed = true;
    this.model.off("msg:custom", this.receive);
    for (const entry of this.waiting.values()) {
      clearTimeout(entry.busyTimer);
      clearTimeout(entry.repeatTimer);
    }
    this.waiting.clear();
  }

  /** Sends a request; resolves with the answer, rejects with a RequestError. Waits as long as it takes. */
  request<K extends keyof Requests>(
    kind: K,
    payload: Requests[K],
    buffers: ArrayBuffer[] = [],
  ): Promise<Answer> {
    if (this.closed) {
      return new Promise(() => {}); // nobody is there to hear the answer, and no timer may stay behind
    }
    const id = `${this.page}-${this.count++}`;
    const inOrder = ORDERED.includes(kind);
    const seq = inOrder ? { seq: this.ordered++ } : {};
    const answer = new Promise<Answer>((resolve, reject) => {
      const busyTimer = setTimeout(() => {
        entry.late = true;
        this.late += 1;
        this.onBusy(this.late);
      }, BUSY_AFTER_MS);
      const message: Record<string, unknown> = { v: VERSION, k: kind, id, ...seq, ...payload };
      const large = buffers.some((buffer) => buffer.byteLength > 100_000);
      const heavy = HEAVY.includes(kind);
      const pause = heavy || large ? 5 * REPEAT_MS : REPEAT_MS;
      const late = false;
      const entry: Waiting = {
        resolve,
        reject,
        busyTimer,
        late,
        message,
        buffers,
        repeatTimer: undefined,
        pause,
      };
      this.waiting.set(id, entry);
      try {
        if (heavy && this.gone()) {
          throw new Error(strings.lost.none.hint);
        }
        this.post(entry);
      } catch (error) {
        this.ordered -= inOrder ? 1 : 0; // it never left the page
        this.settle(id)?.reject(
          new RequestError({ code: "disconnected", message: strings.disconnected, hint: String(error) }),
        );
      }
    });
    for (const watcher of this.watchers) {
      watcher(kind, payload, buffers, answer);
    }
    return answer;
  }

  get unanswered(): boolean {
    return this.waiting.size > 0;
  }

  /** Sends everything that waits for an answer once more: the connection is back. */
  repeatAll(): void {
    for (const entry of this.waiting.values()) {
      entry.pause = Math.min(entry.pause, REPEAT_MS);
      this.repeat(entry);
    }
  }

  private post(entry: Waiting): void {
    clearTimeout(entry.repeatTimer);
    entry.repeatTimer = setTimeout(() => this.repeat(entry), entry.pause);
    entry.pause = Math.min(2 * entry.pause, LONGEST_PAUSE_MS);
    this.model.send(entry.message, undefined, entry.buffers);
  }

  private repeat(entry: Waiting): void {
    try {
      this.post(entry);
    } catch {
      // No connection: the next time comes.
    }
  }

  /** Takes a request out of the waiting list. */
  private settle(id: string): Waiting | undefined {
    const entry = this.waiting.get(id);
    if (!entry) {
      return undefined;
    }
    this.waiting.delete(id);
    clearTimeout(entry.busyTimer);
    clearTimeout(entry.repeatTimer);
    if (entry.late) {
      this.late -= 1;
      this.onBusy(this.late);
    }
    return entry;
  }

  private readonly receive = (content: unknown, buffers?: DataView[]): void => {
    if (!isRecord(content)) {
      return;
    }
    if (content["v"] !== VERSION) {
      if (!this.foreign) {
        this.foreign = true; // once is enough, whatever else comes
        this.onProblem({ code: "version", message: strings.versionMismatch, hint: "" });
      }
      return;
    }
    const { k } = content;
    this.heardAt = performance.now();
    if (typeof content["rev"] === "number" && k === "ok") {
      this.onRev(content["rev"]);
    }
    if (k === "gap") {
      for (const entry of this.waiting.values()) {
        if (entry.message["seq"] === content["seq"] && String(content["id"]).startsWith(`${this.page}-`)) {
          this.repeat(entry);
        }
      }
    } else if (k === "ok") {
      const ok = content as unknown as OkAnswer;
      this.settle(String(content["id"]))?.resolve({ ok, buffers: buffers ?? [] });
    } else if (k === "error") {
      const entry = this.settle(String(content["id"]));
      const kind = entry?.message["k"] as keyof Requests;
      entry?.reject(new RequestError({ ...(content as unknown as ErrorAnswer), kind }));
    } else if (k === "ev") {
      this.receiveEvents(content, buffers ?? []);
    }
  };

  /** One message may bring several events of a job; their buffers follow each other. */
  private receiveEvents(content: Record<string, unknown>, buffers: readonly DataView[]): void {
    const { v, k, job, n } = content;
    const more = Array.isArray(content["more"]) ? content["more"].filter(isRecord) : [];
    const rest = [...buffers];
    for (const [i, said] of [content, ...more].entries()) {
      const event = { ...said, v, k, job, n: (n as number) + i };
      const own = rest.splice(0, EVENTS_WITH_BUFFER.includes(String(said["ev"])) ? 1 : 0);
      if (isEvent(event)) {
        if ("rev" in event && typeof event.rev === "number") {
          this.onRev(event.rev);
        }
        this.onEvent(event, own);
      }
    }
  }
}

/** Unknown kinds are ignored: a newer kernel may say more than this page understands. */
const isEvent = (content: Record<string, unknown>): content is Record<string, unknown> & JobEvent =>
  typeof content["job"] === "string" &&
  typeof content["n"] === "number" &&
  typeof content["ev"] === "string" &&
  EVENT_KINDS.includes(content["ev"]);
