/** Typed access to the synced state and to the kernel: requests that are always answered, events in order. */
import {
  type AttributeValues,
  type Caps,
  type Cell,
  type ErrorAnswer,
  EVENT_KINDS,
  type JobEvent,
  type OkAnswer,
  type Plan,
  type Requests,
  type TakeInfo,
  VERSION,
} from "./protocol.gen.ts";
import { strings } from "./strings.ts";
import type { PerCell } from "./wishes.ts";

export interface Problem {
  code: string;
  message: string;
  hint: string;
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
  /** Open takes, best first; the one that is shown, and bars held to another one (see takes/takes.ts). */
  takes: TakeInfo[];
  active_take: string;
  comp: Record<string, string>;
  /** How many takes Generate writes. */
  n_takes: number;
  selection: { cells?: Cell[] };
  attributes: Partial<AttributeValues>;
  realized: Partial<AttributeValues>;
  /** What the model said it would write, how well wishes were met (0..1), and levels within reach. */
  announced: Partial<AttributeValues>;
  adherence: Partial<AttributeValues>;
  reachable: PerCell<[low: number, high: number]>;
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
  /** Grid that notes snap to, a name of edit/snap.ts. */
  snap: string;
}

/** What anywidget (or the shim of an exported page) hands over; the part that is used. */
export interface HostModel {
  get<K extends keyof State>(key: K): State[K];
  set<K extends keyof State>(key: K, value: State[K]): void;
  save_changes(): void;
  send(content: unknown, callbacks?: unknown, buffers?: ArrayBuffer[]): void;
  on(name: string, callback: (...args: never[]) => void): void;
  off(name?: string | null, callback?: ((...args: never[]) => void) | null): void;
}

/** An "error" answer, thrown by `request`. */
export class RequestError extends Error implements Problem {
  readonly code: string;
  readonly hint: string;

  constructor(problem: Problem) {
    super(problem.message);
    this.code = problem.code;
    this.hint = problem.hint;
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
}

const BUSY_AFTER_MS = 400;

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** The page's end of the wire: one per model. */
export class Kernel {
  /** Called when the number of requests without an answer for 400 ms changes. */
  onBusy: (late: number) => void = () => {};
  onEvent: (event: JobEvent, buffers: DataView[]) => void = () => {};
  onProblem: (problem: Problem) => void = () => {};

  private readonly waiting = new Map<string, Waiting>();
  private late = 0;
  private count = 0;
  /** Answers go to every page that shows the widget: ids must differ between pages. */
  private readonly page = Math.random().toString(36).slice(2, 8);

  constructor(private readonly model: HostModel) {
    model.on("msg:custom", this.receive);
  }

  dispose(): void {
    this.model.off("msg:custom", this.receive);
    for (const { busyTimer } of this.waiting.values()) {
      clearTimeout(busyTimer);
    }
    this.waiting.clear();
  }

  /** Sends a request; resolves with the answer, rejects with a RequestError. Waits as long as it takes. */
  request<K extends keyof Requests>(
    kind: K,
    payload: Requests[K],
    buffers: ArrayBuffer[] = [],
  ): Promise<Answer> {
    const id = `${this.page}-${this.count++}`;
    return new Promise((resolve, reject) => {
      const busyTimer = setTimeout(() => {
        this.late += 1;
        this.onBusy(this.late);
      }, BUSY_AFTER_MS);
      this.waiting.set(id, { resolve, reject, busyTimer });
      try {
        this.model.send({ v: VERSION, k: kind, id, ...payload }, undefined, buffers);
      } catch (error) {
        this.settle(id)?.reject(
          new RequestError({ code: "disconnected", message: strings.disconnected, hint: String(error) }),
        );
      }
    });
  }

  /** Takes a request out of the waiting list. */
  private settle(id: string): Waiting | undefined {
    const entry = this.waiting.get(id);
    if (!entry) {
      return undefined;
    }
    this.waiting.delete(id);
    clearTimeout(entry.busyTimer);
    if (this.late > 0 && this.waiting.size === 0) {
      this.late = 0;
      this.onBusy(0);
    }
    return entry;
  }

  private readonly receive = (content: unknown, buffers?: DataView[]): void => {
    if (!isRecord(content)) {
      return;
    }
    if (content["v"] !== VERSION) {
      this.onProblem({ code: "version", message: strings.versionMismatch, hint: "" });
      return;
    }
    const { k } = content;
    if (k === "ok") {
      const ok = content as unknown as OkAnswer;
      this.settle(String(content["id"]))?.resolve({ ok, buffers: buffers ?? [] });
    } else if (k === "error") {
      const answer = content as unknown as ErrorAnswer;
      this.settle(String(content["id"]))?.reject(new RequestError(answer));
    } else if (k === "ev" && isEvent(content)) {
      this.onEvent(content, buffers ?? []);
    }
  };
}

/** Unknown kinds are ignored: a newer kernel may say more than this page understands. */
const isEvent = (content: Record<string, unknown>): content is Record<string, unknown> & JobEvent =>
  typeof content["job"] === "string" &&
  typeof content["n"] === "number" &&
  typeof content["ev"] === "string" &&
  EVENT_KINDS.includes(content["ev"]);
