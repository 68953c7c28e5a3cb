/** Status line, progress bar, the banner for problems, and the live region that says what happens. */
import { h, setAttr, setText } from "../dom.ts";
import type { Store } from "../store.ts";
import { strings } from "../strings.ts";
import { makeNotices } from "./notices.ts";

export interface StatusLine {
  element: HTMLElement;
  banner: HTMLElement;
  live: HTMLElement;
  update(store: Store): void;
  announce(text: string): void;
}

/** `aside`: an element that stands beside the words. */
export function makeStatus(dismiss: () => void, aside: HTMLElement): StatusLine {
  const text = h("span", { class: "mgnb-status-text", testid: "mgnb-status" });
  const detail = h("span", { class: "mgnb-status-detail" });
  const bar = h("div", { class: "mgnb-progress-bar" });
  const progress = h(
    "div",
    {
      class: "mgnb-progress",
      testid: "mgnb-progress",
      attrs: {
        role: "progressbar",
        "aria-valuemin": 0,
        "aria-valuemax": 100,
        "aria-label": strings.generate,
      },
    },
    bar,
  );
  const live = h("div", { class: "mgnb-hidden", attrs: { role: "status", "aria-live": "polite" } });
  const element = h("div", { class: "mgnb-status" }, progress, text, aside, detail);
  let spoken = "";
  const announce = (words: string): void => {
    if (words && words !== spoken) {
      spoken = words;
      live.textContent = words;
    }
  };
  const notices = makeNotices(dismiss, announce);
  let away = false;
  return {
    element,
    banner: notices.element,
    live,
    announce,
    update: (store) => {
      const words = statusWords(store);
      setText(text, words);
      setText(detail, detailWords(store));
      const share = store.running ? Math.max(store.job?.progress ?? 0, store.get("progress") || 0) : 0;
      progress.classList.toggle("mgnb-on", store.running);
      progress.classList.toggle("mgnb-waiting", store.running && share === 0);
      setAttr(progress, "aria-valuenow", Math.round(share * 100));
      setAttr(progress, "aria-hidden", store.running ? null : "true");
      bar.style.width = `${(share * 100).toFixed(1)}%`;
      notices.update(store);
      if (away && store.connection.lost === "") {
        announce(strings.lostBack);
      }
      away = store.connection.viewOnly;
      if (!store.running && store.outcome) {
        announce(store.outcome);
      }
    },
  };
}

/** What is going on, in one phrase. */
export function statusWords(store: Store): string {
  const { job } = store;
  if (store.late > 0 && !job) {
    return strings.kernelBusy;
  }
  if (!job) {
    return store.outcome || strings.idle;
  }
  if (job.state === "cancelling") {
    return strings.cancelling;
  }
  if (job.tokens === 0 && job.batches.length === 0) {
    return job.nSteps > 0 ? strings.starting : strings.queued;
  }
  return strings.writing(job.finished.size, job.cells.length, job.tokens);
}

function detailWords(store: Store): string {
  const { job } = store;
  if (!job) {
    return strings.pieceStatus(store.tracks.length, store.bars.n, store.notes.count);
  }
  const parts = [
    job.nSteps > 1 ? strings.step(job.step, job.nSteps) : "",
    store.stalled ? strings.stalled : "",
  ];
  return parts.filter(Boolean).join(" · ");
}
