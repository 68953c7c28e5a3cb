/** What the model sees, step by step: one line above the roll, and the step's outline on it. */
import { h, icon, setText } from "../dom.ts";
import { barRanges } from "../selection.ts";
import type { Store } from "../store.ts";
import { strings } from "../strings.ts";

export function makeSees(store: Store): { element: HTMLElement; update(): void } {
  const { outlook } = store;
  const button = (text: string, label: string, testid: string, click: () => void): HTMLButtonElement =>
    h("button", {
      class: "mgnb-button mgnb-tool",
      text,
      title: label,
      testid,
      attrs: { type: "button", "aria-label": label },
      on: { click },
    });
  const back = button("‹", strings.seesBack, "mgnb-sees-back", () => outlook.show((outlook.shown ?? 0) - 1));
  const on = button("›", strings.seesOn, "mgnb-sees-on", () => outlook.show((outlook.shown ?? 0) + 1));
  const close = button("", strings.close, "mgnb-sees-close", () => outlook.show(null));
  close.append(icon("close"));
  const text = h("span", { class: "mgnb-sees-text" });
  const element = h(
    "div",
    { class: "mgnb-sees", testid: "mgnb-sees", attrs: { role: "region", "aria-label": strings.sees } },
    back,
    on,
    text,
    h("span", { class: "mgnb-spacer" }),
    close,
  );
  return {
    element,
    update: () => {
      element.hidden = outlook.shown === null;
      const { at, step, steps } = outlook;
      back.disabled = at <= 0;
      on.disabled = at >= steps.length - 1;
      if (!step) {
        setText(text, outlook.refused || strings.seesNothing);
        return;
      }
      const [from, to] = step.window;
      const bars = (list: number[]): string => {
        const own = [...new Set(list)].sort((a, b) => a - b);
        return strings.barsNamed(barRanges(own), own.length);
      };
      const names = step.tracks.map((track) => store.names[track] ?? strings.track(track));
      const shown = names.length === store.tracks.length ? strings.allTracks : names.join(", ");
      const words = [
        strings.step(at, steps.length),
        strings.seesWrites(bars(step.targets.map((cell) => cell[1]))),
        strings.seesReads(bars(Array.from({ length: to - from }, (_, i) => from + i)), shown),
        step.hidden.length > 0 ? strings.seesHidden(step.hidden.length) : "",
        step.autoregressive ? strings.seesContinues : "",
      ];
      setText(text, words.filter(Boolean).join(" · "));
    },
  };
}
