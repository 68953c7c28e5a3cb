/** The sheet of keys and gestures. Not modal: it lies over the roll and closes with Escape. */
import { h, icon } from "../dom.ts";
import { strings } from "../strings.ts";

export function makeHelp(close: () => void): HTMLElement {
  const rows = strings.helpRows.map(([keys, what]) =>
    h("div", { class: "mgnb-help-row" }, h("dt", { text: keys }), h("dd", { text: what })),
  );
  const sheet = h(
    "div",
    {
      class: "mgnb-help",
      testid: "mgnb-help-sheet",
      attrs: { role: "region", "aria-label": strings.helpTitle },
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
    h("dl", { class: "mgnb-help-list" }, ...rows),
  );
  sheet.hidden = true;
  return sheet;
}
