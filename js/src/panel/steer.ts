/** What can be asked of the model for the selected bars. Rows come from `caps`; nothing is named here. */
import { h, icon, setAttr, setText } from "../dom.ts";
import { applies, attributeLabel, levelText } from "../lanes/choice.ts";
import { mean } from "../lanes/curve.ts";
import type { AttributeInfo, Cell } from "../protocol.gen.ts";
import { describe } from "../selection.ts";
import type { Store } from "../store.ts";
import { strings } from "../strings.ts";
import type { MenuPage } from "./menu.ts";
import { makeChips, makeChordField } from "./piece.ts";
import { makeSettings } from "./settings.ts";

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

export function makeSteer(store: Store, openMenu: (page: MenuPage, opener: HTMLElement) => void): SteerPanel {
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
  const settings = makeSettings(store);
  const chords = makeChordField(store);
  const chips = makeChips(store, openMenu, true);
  const moreRows = h("div", { class: "mgnb-steer-rows" });
  const advanced = h(
    "details",
    { class: "mgnb-advanced", testid: "mgnb-advanced" },
    h("summary", { text: strings.advanced }),
    moreRows,
    settings.more,
  );
  const element = h(
    "div",
    { class: "mgnb-steer", testid: "mgnb-steer-panel" },
    h("div", { class: "mgnb-steer-top" }, title, clear),
    empty,
    barGroup,
    trackGroup,
    h("div", { class: "mgnb-fields mgnb-steer-first" }, chords.element, chips.element, settings.first),
    advanced,
  );
  let rows: Row[] = [];
  let shown = "";
  clear.addEventListener("click", () => {
    store.oneStep(() => {
      for (const row of rows) {
        store.setWish(row.info.name, targets(store, row.info), null);
      }
    });
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
          rows.filter(({ info }) => info.level === level && !info.advanced).map((row) => row.element);
        trackRows.replaceChildren(...of("track"));
        barRows.replaceChildren(...of("bar"));
        moreRows.replaceChildren(...rows.filter(({ info }) => info.advanced).map((row) => row.element));
      }
      trackGroup.hidden = trackRows.childElementCount === 0;
      barGroup.hidden = barRows.childElementCount === 0;
      empty.hidden = store.selection.size > 0;
      clear.hidden = store.selection.size === 0;
      const what = describe(store.selection, store.names, store.bars.n);
      setText(title, what ? strings.steerTitle(what) : strings.steer);
      title.title = what;
      for (const row of rows) {
        row.update(targets(store, row.info));
      }
      settings.update();
      chords.update();
      chips.update();
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
      on: { click: () => store.oneStep(() => store.setWish(info.name, targets(store, info), null)) },
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
  // one drag is one undo step, however long it takes; keys that follow fast are one, too
  slider.addEventListener("pointerdown", () => store.beginStroke());
  for (const end of ["pointerup", "pointercancel"]) {
    slider.addEventListener(end, () => store.endStroke());
  }
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
      // names (keys, say) have no average
      const measured = info.nominal && new Set(values).size > 1 ? null : mean(values);
      const words = mixed ? strings.mixed : unset ? strings.noPreference : levelText(info, first as number);
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
        mark.title = strings.measured(levelText(info, Math.round(measured)));
      }
    },
  };
}
