/** What the kernel says about the next generation before it runs: can it be, and what would the model see. */
import { RequestError } from "../model.ts";
import type { SeenStep } from "../protocol.gen.ts";
import type { Store } from "../store.ts";
import { Timers } from "../timers.ts";

const PAUSE_MS = 250;

export class Outlook {
  /** Why the request would be refused: the words of the exception in Python. */
  refused = "";
  warnings: readonly string[] = [];
  steps: readonly SeenStep[] = [];
  /** The step that is shown on the roll; null: none. */
  shown: number | null = null;

  private readonly timers = new Timers();
  private asked = 0;

  constructor(private readonly store: Store) {}

  /** The step to show: while a job runs, the one it is at. */
  get at(): number {
    const { job, running } = this.store;
    return Math.min(running && job ? job.step : (this.shown ?? 0), this.steps.length - 1);
  }

  get step(): SeenStep | null {
    return this.shown === null ? null : (this.steps[this.at] ?? null);
  }

  /** Something the request depends on is new. */
  stale(): void {
    this.refused = "";
    this.timers.set("ask", PAUSE_MS, () => void this.ask());
  }

  show(step: number | null): void {
    this.shown = step === null ? null : Math.max(0, Math.min(step, this.steps.length - 1));
    this.store.changed("job");
  }

  dispose(): void {
    this.timers.cancelAll();
  }

  private async ask(): Promise<void> {
    const question = ++this.asked;
    const cells = this.store.targets.cells();
    if (this.store.running) {
      return; // the plan that is being carried out stays
    }
    if (cells.length === 0 || !this.store.canGenerate) {
      this.steps = this.warnings = [];
      this.store.changed("job");
      return;
    }
    try {
      const { ok } = await this.store.ask("outlook", { selection: { cells } });
      if (question === this.asked) {
        this.steps = ok.steps ?? [];
        this.warnings = ok.warnings ?? [];
      }
    } catch (error) {
      if (question === this.asked && error instanceof RequestError && error.code !== "disconnected") {
        this.refused = error.message;
        this.steps = this.warnings = [];
      }
    }
    this.store.changed("job");
  }
}
