/** Follows the kernel's generation job: events in order, recovery of missed ones, the end, and silence. */
import { Job, type Sequenced } from "./job.ts";
import type { Answer } from "./model.ts";
import type { JobEvent } from "./protocol.gen.ts";
import { Timers } from "./timers.ts";

const SYNC_AFTER_MS = 150;
const STALLED_AFTER_MS = 3000;
const REMEMBERED_JOBS = 8;

export interface JobHost {
  nTracks(): number;
  barOf(tick: number): number;
  sync(id: string | null, have: number): Promise<Answer>;
  started(): void;
  /** Something about the job is new. */
  changed(): void;
  ended(job: Job): void;
  failed(event: JobEvent & { ev: "error" }): void;
}

export class Jobs {
  current: Job | null = null;
  /** No event for a while although the job runs. */
  stalled = false;

  private readonly timers = new Timers();
  private readonly endedIds: string[] = [];

  constructor(private readonly host: JobHost) {}

  dispose(): void {
    this.timers.cancelAll();
  }

  /** The answer to a request named a job; its events may have come before. */
  begin(id: string): void {
    if (this.current?.id !== id && !this.endedIds.includes(id)) {
      this.start(id);
    }
  }

  receive(event: JobEvent, buffers: DataView[]): void {
    if (this.endedIds.includes(event.job)) {
      return;
    }
    const job = this.current?.id === event.job ? this.current : this.start(event.job);
    this.heard();
    this.applyAll(job, job.sequence.push({ n: event.n, event, buffers }));
    if (job.sequence.hasGap) {
      this.timers.once("sync", SYNC_AFTER_MS, () => {
        if (job.sequence.hasGap) {
          void this.recover(job.id, job.sequence.next);
        }
      });
    }
  }

  /** Asks for the whole picture of a job: something was missed, or this page came late (id null). */
  async recover(id: string | null, have: number): Promise<void> {
    const answer = await this.host.sync(id, have).catch(() => null);
    const known = answer?.ok.job;
    if (answer && known && !this.endedIds.includes(known)) {
      const job = this.current?.id === known ? this.current : this.start(known);
      const now = performance.now();
      const due = job.restore(answer.ok, answer.buffers, (tick) => this.host.barOf(tick), now);
      this.applyAll(job, due);
    } else if (id !== null && this.current?.id === id && !known) {
      // The kernel knows nothing of the job any more; the document it holds is the truth.
      this.current.state = "done";
      this.applyAll(this.current, []);
    }
  }

  private start(id: string): Job {
    this.current = new Job(id, performance.now(), this.host.nTracks());
    this.heard();
    this.host.started();
    return this.current;
  }

  private applyAll(job: Job, due: readonly Sequenced[]): void {
    for (const { event, buffers } of due) {
      job.apply(event, buffers, performance.now());
      if (event.ev === "error") {
        this.host.failed(event);
      }
    }
    if (job === this.current && !job.running) {
      this.endedIds.push(job.id);
      this.endedIds.splice(0, this.endedIds.length - REMEMBERED_JOBS);
      this.timers.cancelAll();
      this.stalled = false;
      this.current = null;
      this.host.ended(job);
    }
    this.host.changed();
  }

  private heard(): void {
    this.stalled = false;
    this.listen();
  }

  private listen(): void {
    this.timers.set("stalled", STALLED_AFTER_MS, () => {
      const job = this.current;
      this.stalled = job?.running ?? false;
      this.host.changed();
      if (job?.running) {
        this.listen();
        void this.recover(job.id, job.sequence.next); // the last thing that was said may have been lost
      }
    });
  }
}
