/** The sheet of keys and gestures. Not modal: it lies over the roll and closes with Escape. */
import { h, icon } from "../dom.ts";
import { KEYS, type KeyHelp } from "../keyboard.ts";
import { strings } from "../strings.ts";
import { GESTURES, KEY_WORDS } from "./help_words.ts";

const SIGNS: Readonly<Record<string, string>> = {
  ctrl: "Ctrl",
  alt: "Alt",
  shift: "Shift",
  up: "↑",
  down: "↓",
  left: "←",
  right: "→",
  space: "Space",
  esc: "Esc",
  enter: "Enter",
  home: "Home",
  end: "End",
  delete: "Del",
  backspace: "Backspace",
  insert: "Ins",
  "-": "−",
};

/** "ctrl shift z" as people write it. */
const spelled = (press: string): string =>
  press
    .split(" ")
    .map((part) => SIGNS[part] ?? part.toUpperCase())
    .join(" ");

const FEW = 6;

/** Presses of a row: those with the same modifier share it, long series are given by their ends. */
export function pressesInWords(presses: readonly string[]): string {
  const groups = new Map<string, string[]>();
  for (const press of presses) {
    const cut = press.lastIndexOf(" ") + 1;
    const before = press.slice(0, cut);
    groups.set(before, [...(groups.get(before) ?? []), spelled(press.slice(cut))]);
  }
  return [...groups]
    .map(([before, keys]) => {
      const all = keys.length > FEW ? [keys[0], "…", keys[keys.length - 1]] : keys;
      return `${before ? `${spelled(before.trim())} ` : ""}${all.join(" ")}`;
    })
    .join(", ");
}

/** Every row of the key table, with its words. */
export const keyLines = (): [keys: string, what: string][] =>
  KEYS.map(({ help, keys }) => [pressesInWords(Object.keys(keys)), KEY_WORDS[help as KeyHelp]]);

export function makeHelp(close: () => void): HTMLElement {
  const list = (title: string, rows: readonly (readonly [string, string])[]): HTMLElement[] => [
    h("h4", { class: "mgnb-help-title", text: title }),
    h(
      "dl",
      { class: "mgnb-help-list" },
      ...rows.map(([keys, what]) =>
        h("div", { class: "mgnb-help-row" }, h("dt", { text: keys }), h("dd", { text: what })),
      ),
    ),
  ];
  const sheet = h(
    "div",
    {
      class: "mgnb-help",
      testid: "mgnb-help-sheet",
      attrs: { role: "region", "aria-label": strings.helpTitle, tabindex: 0 },
    },
    h(
      "div",
      { class: "mgnb-help-head" },
      h("strong", { text: strings.helpTitle }),
      h(
        "button",
        {
          class: "mgnb-button mgnb-tool",
          title: strings.close,
          attrs: { type: "button", "aria-label": strings.close },
          on: { click: close },
        },
        icon("close"),
      ),
    ),
    ...list(strings.helpKeys, keyLines()),
    ...GESTURES.flatMap(([title, rows]) => list(title, rows)),
  );
  sheet.hidden = true;
  return sheet;
}
