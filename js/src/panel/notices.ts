/** What stands above the roll when something is wrong: no Python, or a failure with one next step. */
import { h, icon, setText } from "../dom.ts";
import type { Problem } from "../model.ts";
import type { Store } from "../store.ts";
import { strings } from "../strings.ts";

export interface Notices {
  element: HTMLElement;
  update(store: Store): void;
}

const banner = (testid: string, role: string, kind: string, ...actions: HTMLElement[]) => {
  const message = h("div", { class: "mgnb-banner-message" });
  const hint = h("div", { class: "mgnb-banner-hint" });
  const text = h("div", { class: "mgnb-banner-text" }, message, hint);
  const element = h("div", { class: `mgnb-banner ${kind}`, testid, attrs: { role } }, text, ...actions);
  element.hidden = true;
  return {
    element,
    show: (title: string, words: string): void => {
      element.hidden = !title;
      setText(message, title);
      setText(hint, words);
      hint.hidden = !words;
    },
  };
};

export function makeNotices(dismiss: () => void, announce: (text: string) => void): Notices {
  let problem: Problem | null = null;
  const lost = banner("mgnb-lost", "status", "mgnb-banner-calm");
  const copy = h("button", {
    class: "mgnb-button mgnb-banner-button",
    text: strings.copyDetails,
    testid: "mgnb-copy-details",
    attrs: { type: "button" },
    on: { click: () => problem && void copyText(details(problem), failure.element, announce) },
  });
  const close = h(
    "button",
    {
      class: "mgnb-button mgnb-tool",
      title: strings.dismiss,
      attrs: { type: "button", "aria-label": strings.dismiss },
      on: { click: dismiss },
    },
    icon("close"),
  );
  const failure = banner("mgnb-error", "alert", "", copy, close);
  return {
    element: h("div", {}, lost.element, failure.element),
    update: (store) => {
      const { title, hint } = strings.lost[store.connection.lost];
      lost.show(title, hint);
      problem = store.problem;
      failure.show(problem?.message ?? "", problem?.hint ?? "");
    },
  };
}

/** What a person sends to somebody who can help. */
const details = ({ code, message, hint, details: more }: Problem): string =>
  [`${message}`, hint, `code: ${code}`, more, navigator.userAgent].filter(Boolean).join("\n");

/** To the clipboard; where the page may not, the text is selected for the person to copy. */
async function copyText(text: string, near: HTMLElement, announce: (text: string) => void): Promise<void> {
  try {
    await navigator.clipboard.writeText(text);
    announce(strings.detailsCopied);
  } catch {
    const box = h("textarea", { class: "mgnb-banner-details", attrs: { readonly: true, rows: 4 } });
    box.value = text;
    near.querySelector("textarea")?.remove();
    near.append(box);
    box.focus();
    box.select();
  }
}
