/** What a generation job does to the store while it runs and when it ends. */
import type { JobHost } from "./jobs.ts";
import type { Problem } from "./model.ts";
import { FLAG_GENERATED, type JobState } from "./protocol.gen.ts";
import type { Store } from "./store.ts";
import { strings } from "./strings.ts";

export function jobHost(store: Store): JobHost {
  let before: Problem | null = null;
  return {
    nTracks: () => store.tracks.length,
    barOf: (tick) => store.bars.at(tick),
    sync: (id, have) => store.ask("sync", { job: id, have }),
    started: () => {
      before = store.problem;
      store.outcome = "";
      store.compare = store.takes.open ? store.compare : "off";
      store.changed("job", "notes", "compare");
    },
    changed: () => {
      store.markCells();
      store.changed("job", "notes");
    },
    ended: (job) => {
      const seconds = (performance.now() - job.startedAt) / 1000;
      const fresh = store.notes.flags.reduce((n, flags) => n + ((flags & FLAG_GENERATED) !== 0 ? 1 : 0), 0);
      const words: Partial<Record<JobState, string>> = {
        done: job.waits
          ? strings.takesReady(job.takes.length)
          : strings.finished(fresh, store.removed.count, seconds),
        cancelled: strings.cancelled,
      };
      if (job.state === "done") {
        store.overcome(before);
      }
      store.conclude(words[job.state] ?? strings.failed, job.rev);
      store.takesChanged();
      store.changed("document");
    },
    failed: ({ code, message, hint, details = "" }) => store.fail({ code, message, hint, details }),
  };
}
