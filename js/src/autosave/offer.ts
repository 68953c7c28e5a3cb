/** The bar that offers what an earlier roll of the same music left behind. Never in the way: it can wait. */
import { h, setText } from "../dom.ts";
import { saveFile } from "../files.ts";
import type { Store } from "../store.ts";
import { strings } from "../strings.ts";
import { autosaveOf } from "./autosave.ts";

export interface Offer {
  element: HTMLElement;
  update(): void;
}

export function makeOffer(store: Store, root: HTMLElement, announce: (text: string) => void): Offer {
  const button = (text: string, testid: string, kind: string, action: () => Promise<void>): HTMLElement =>
    h("button", {
      class: `mgnb-button mgnb-banner-button ${kind}`,
      text,
      testid,
      attrs: { type: "button" },
      on: { click: () => store.attempt(action()) },
    });
  const message = h("div", { class: "mgnb-banner-message" });
  const hint = h("div", { class: "mgnb-banner-hint" });
  const element = h(
    "div",
    {
      class: "mgnb-banner mgnb-banner-calm mgnb-offer",
      testid: "mgnb-kept",
      attrs: { role: "group", "aria-label": strings.keptLabel },
    },
    h("div", { class: "mgnb-banner-text" }, message, hint),
    button(strings.keptRestore, "mgnb-kept-restore", "mgnb-banner-first", async () => {
      announce((await autosaveOf(store)?.restore()) ?? "");
    }),
    button(strings.keptDownload, "mgnb-kept-download", "", async () => {
      const file = await autosaveOf(store)?.file();
      if (file) {
        const title = (store.document?.header.title || "roll").replace(/\.[a-z]{2,4}$/i, "");
        await saveFile(root, new Blob([file], { type: "application/zip" }), `${title}.mgnb`);
        announce(strings.saved(`${title}.mgnb`));
      }
    }),
    button(strings.keptDiscard, "mgnb-kept-discard", "", async () => {
      await autosaveOf(store)?.discard();
      announce(strings.keptGone);
    }),
  );
  element.hidden = true;
  let offered = "";
  return {
    element,
    update: () => {
      const kept = store.connection.viewOnly ? null : (autosaveOf(store)?.offer ?? null);
      element.hidden = kept === null;
      if (kept) {
        const words = strings.kept(moment(kept.at), kept.log.length);
        setText(message, words);
        setText(hint, strings.keptHint(kept.title));
        if (kept.id !== offered) {
          offered = kept.id;
          announce(words);
        }
      }
    },
  };
}

/** "12:31", with the day when it was another one. */
function moment(at: number): string {
  const then = new Date(at);
  const time = then.toLocaleTimeString(undefined, { hour: "2-digit", minute: "2-digit" });
  return then.toDateString() === new Date().toDateString()
    ? time
    : `${then.toLocaleDateString(undefined, { day: "numeric", month: "short" })}, ${time}`;
}
