/** What can be asked of the model for the selected bars. Rows come from `caps`; nothing is named here. */
import { h, icon, setAttr, setText } from "../dom.ts";
import type { AttributeInfo, Cell } from "../protocol.gen.ts";
import { describe } from "../selection.ts";
import type { Store } from "../store.ts";
import { strings } from "../strings.ts";

export interface SteerPanel {
  element: HTMLElement;
  update(): void;
}

/** One slider. */
interface Row {
  element: HTMLElement;
  info: AttributeInfo;
  update(cells: readonly Cell[]): void;
}

export const attributeLabel = (info: AttributeInfo): string => {
  const plain = info.label ?? info.name.replace(/^bar_/, "").replaceAll("_", " ");
  return plain.charAt(0).toUpperCase() + plain.slice(1);
};

const valueText = (info: AttributeInfo, value: number): string =>
  info.value_labels?.[value] ?? strings.levelOf(value, info.size);

/** Does the attribute exist for this track? */
export const applies = (info: AttributeInfo, drum: boolean): boolean =>
  info.track_type === "both" || (info.track_type === "drum") === drum;

export function makeSteer(store: Store): SteerPanel {
  const title = h("div", { class: "mgnb-steer-title" });
  const clear = h("button", {
    class: "mgnb-button mgnb-link",
    text: strings.clearAll,
    attrs: { type: "button" },
  });
  const empty = h("p", { class: "mgnb-steer-empty", text: strings.steerEmpty });
  const trackRows = h("div", { class: "mgnb-steer-rows" });
  const barRows = h("div", { class: "mgnb-steer-rows" });
  const trackGroup = h(
    "section",
    {},
    h("h4", { class: "mgnb-steer-head", text: strings.wholeTrack }),
    trackRows,
  );
  const barGroup = h(
    "section",
    {},
    h("h4", { class: "mgnb-steer-head", text: strings.selectedBars }),
    barRows,
  );
  const advanced = makeAdvanced(store);
  const element = h(
    "div",
    { class: "mgnb-steer", testid: "mgnb-steer-panel" },
    h("div", { class: "mgnb-steer-top" }, title, clear),
    empty,
    barGroup,
    trackGroup,
    advanced.element,
  );
  let rows: Row[] = [];
  let shown = "";
  clear.addEventListener("click", () => {
    for (const row of rows) {
      store.setWish(row.info.name, targets(store, row.info), null);
    }
  });

  return {
    element,
    update: () => {
      const all = store.caps.attributes ?? [];
      const drums = store.selection.tracks().map((track) => store.tracks[track]?.drum ?? false);
      const wanted = all.filter((info) => drums.some((drum) => applies(info, drum)));
      const key = wanted.map((info) => info.name).join();
      if (key !== shown) {
        shown = key;
        rows = wanted.map((info) => makeRow(store, info));
        const of = (level: string): HTMLElement[] =>
          rows.filter((row) => row.info.level === level).map((row) => row.element);
        trackRows.replaceChildren(...of("track"));
        barRows.replaceChildren(...of("bar"));
      }
      trackGroup.hidden = trackRows.childElementCount === 0;
      barGroup.hidden = barRows.childElementCount === 0;
      empty.hidden = store.selection.size > 0;
      clear.hidden = store.selection.size === 0;
      const what = describe(store.selection, store.names, store.bars.n);
      setText(title, what ? strings.steerTitle(what) : strings.steer);
      for (const row of rows) {
        row.update(targets(store, row.info));
      }
      advanced.update();
    },
  };
}

/** The tracks (bar -1) or bars of the selection that the attribute applies to. */
function targets(store: Store, info: AttributeInfo): Cell[] {
  const suits = (track: number): boolean => applies(info, store.tracks[track]?.drum ?? false);
  return info.level === "track"
    ? store.selection
        .tracks()
        .filter(suits)
        .map((track) => [track, -1])
    : store.selection.cells().filter(([track]) => suits(track));
}

function makeRow(store: Store, info: AttributeInfo): Row {
  const label = attributeLabel(info);
  const slider = h("input", {
    class: "mgnb-slider",
    testid: `mgnb-attr-${info.name}`,
    attrs: { type: "range", min: 0, max: info.size - 1, step: 1, "aria-label": label },
  });
  const value = h("span", { class: "mgnb-wish-value" });
  const mark = h("span", { class: "mgnb-measured" });
  const reset = h(
    "button",
    {
      class: "mgnb-button mgnb-letter mgnb-reset",
      title: strings.clearWish(label),
      testid: `mgnb-clear-${info.name}`,
      attrs: { type: "button", "aria-label": strings.clearWish(label) },
      on: { click: () => store.setWish(info.name, targets(store, info), null) },
    },
    icon("close"),
  );
  const element = h(
    "div",
    { class: "mgnb-wish", title: info.help ?? "" },
    h("span", { class: "mgnb-wish-label", text: label }),
    h("div", { class: "mgnb-slider-box" }, slider, mark),
    value,
    reset,
  );
  slider.addEventListener("input", () =>
    store.setWish(info.name, targets(store, info), Number(slider.value)),
  );

  return {
    element,
    info,
    update: (cells) => {
      const wishes = new Set(cells.map(([track, bar]) => store.wish(info.name, track, bar)));
      const [first] = wishes;
      const mixed = wishes.size > 1;
      const unset = !mixed && first === undefined;
      const values = cells.map(([track, bar]) => store.measured(info.name, track, bar));
      // named values (keys, say) have no average
      const measured = info.value_labels && new Set(values).size > 1 ? null : average(values);
      const words = mixed ? strings.mixed : unset ? strings.noPreference : valueText(info, first as number);
      slider.value = String(first ?? Math.round(measured ?? (info.size - 1) / 2));
      element.classList.toggle("mgnb-unset", unset || mixed);
      const fill = unset || mixed || info.size < 2 ? 0 : (100 * (first as number)) / (info.size - 1);
      slider.style.setProperty("--mgnb-fill", `${fill.toFixed(1)}%`);
      setText(value, words);
      setAttr(slider, "aria-valuetext", words);
      reset.hidden = unset;
      mark.hidden = measured === null;
      if (measured !== null) {
        const share = info.size > 1 ? measured / (info.size - 1) : 0;
        mark.style.left = `calc(7px + ${share.toFixed(4)} * (100% - 14px))`;
        mark.title = strings.measured(valueText(info, Math.round(measured)));
      }
    },
  };
}

function average(values: readonly (number | undefined)[]): number | null {
  const known = values.filter((value): value is number => value !== undefined);
  return known.length > 0 ? known.reduce((a, b) => a + b, 0) / known.length : null;
}

/** Temperature, top-p, seed. */
function makeAdvanced(store: Store): { element: HTMLElement; update(): void } {
  const number = (
    key: string,
    label: string,
    hint: string,
    attrs: Record<string, string | number>,
  ): { element: HTMLElement; update(): void } => {
    const input = h("input", {
      class: "mgnb-number",
      testid: `mgnb-sampling-${key}`,
      attrs: { type: "number", "aria-label": label, ...attrs },
    });
    input.addEventListener("change", () => {
      const value = Number.parseFloat(input.value);
      store.setSampling(key, Number.isFinite(value) ? value : key === "seed" ? -1 : null);
    });
    return {
      element: h("label", { class: "mgnb-field", title: hint }, h("span", { text: label }), input),
      update: () => {
        const value = (store.get("sampling") ?? {})[key];
        const text = value === undefined || (key === "seed" && value < 0) ? "" : String(value);
        if (input.ownerDocument.activeElement !== input && input.value !== text) {
          input.value = text;
        }
      },
    };
  };
  const fields = [
    number("temperature", strings.temperature, strings.temperatureHint, { min: 0.1, max: 2, step: 0.05 }),
    number("top_p", strings.topP, strings.topPHint, { min: 0.05, max: 1, step: 0.01 }),
    number("seed", strings.seed, strings.seedHint, { min: 0, step: 1, placeholder: strings.seedRandom }),
  ];
  const element = h(
    "details",
    { class: "mgnb-advanced", testid: "mgnb-advanced" },
    h("summary", { text: strings.advanced }),
    h("div", { class: "mgnb-fields" }, ...fields.map((field) => field.element)),
  );
  const update = (): void => {
    for (const field of fields) {
      field.update();
    }
  };
  return { element, update };
}
