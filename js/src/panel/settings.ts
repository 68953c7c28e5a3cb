/** Settings of a generation. Rows come from `caps`; nothing is named here. An empty field stands for the default. */
import { h } from "../dom.ts";
import type { SettingInfo } from "../protocol.gen.ts";
import type { Store } from "../store.ts";
import { strings } from "../strings.ts";

export interface SettingsPanel {
  /** What is asked first, and the rest. */
  first: HTMLElement;
  more: HTMLElement;
  update(): void;
}

const LONGEST_HINT = 50;

interface Field {
  element: HTMLElement;
  update(): void;
}

export function makeSettings(store: Store): SettingsPanel {
  const first = h("div", { class: "mgnb-fields" });
  const more = h("div", { class: "mgnb-fields" });
  let shown: unknown = null;
  let fields: Field[] = [];
  return {
    first,
    more,
    update: () => {
      const { settings = [] } = store.caps;
      if (settings !== shown) {
        shown = settings;
        fields = settings.map((info) => makeField(store, info));
        const of = (advanced: boolean): HTMLElement[] =>
          fields.filter((_, i) => settings[i]?.advanced === advanced).map((field) => field.element);
        first.replaceChildren(...of(false));
        more.replaceChildren(...of(true));
      }
      for (const field of fields) {
        field.update();
      }
    },
  };
}

function makeField(store: Store, info: SettingInfo): Field {
  const { name, help, kind, choices = [] } = info;
  const label = info.label.charAt(0).toUpperCase() + info.label.slice(1);
  const plain = String(info.default);
  const least = info.low ?? Number.NEGATIVE_INFINITY;
  const options = kind === "switch" ? ["true", "false"] : choices;
  const input =
    kind === "number"
      ? h("input", {
          class: "mgnb-number",
          attrs: {
            type: "number",
            min: info.low,
            max: info.high,
            step: info.step,
            placeholder: info.default === -1 ? strings.seedRandom : plain,
          },
        })
      : h(
          "select",
          { class: "mgnb-snap" },
          ...options.map((value) =>
            h("option", { text: kind === "switch" ? strings.onOff(value) : value, attrs: { value } }),
          ),
        );
  input.dataset["testid"] = `mgnb-sampling-${name}`;
  input.setAttribute("aria-label", label);
  input.addEventListener("change", () => {
    const number = Number.parseFloat(input.value);
    const typed = kind === "number" ? number : kind === "switch" ? input.value === "true" : input.value;
    const none = kind === "number" ? !Number.isFinite(number) || number < least : input.value === plain;
    store.setSampling(name, none ? null : typed);
  });
  // what stands in the first row says in a few words what it is for
  const hint = !info.advanced && kind === "number" && help.length <= LONGEST_HINT;
  input.title = help;
  return {
    element: h(
      "label",
      { class: "mgnb-field", title: help },
      h("span", { text: label }),
      input,
      hint && h("span", { class: "mgnb-field-hint", text: help, attrs: { "aria-hidden": "true" } }),
    ),
    update: () => {
      const value = (store.get("sampling") ?? {})[name];
      const said = value === undefined || value === info.default ? "" : String(value);
      const text = kind === "number" ? said : said || plain;
      if ((input.getRootNode() as Document).activeElement !== input && input.value !== text) {
        input.value = text;
      }
    },
  };
}
