/**
 * The row of chords above the curves: what is asked for (framed) over what is heard, bar by bar. Chords are typed where
 * they stand; the kernel reads them, so that its words are the ones that are shown.
 */
import { tickToX } from "../coords.ts";
import { h, icon, setAttr, setText } from "../dom.ts";
import { RequestError } from "../model.ts";
import type { MenuItem, MenuPage } from "../panel/menu.ts";
import { barRanges, Selection } from "../selection.ts";
import type { Store } from "../store.ts";
import { strings } from "../strings.ts";
import type { UiState } from "../ui_state.ts";
import { fitted, makeRuler } from "./chord_words.ts";
import { mean } from "./curve.ts";
import { adherenceText } from "./marks.ts";

/** Most bars that get a field of their own. */
const MAX_BARS = 160;
/** Narrower fields have smaller words. */
const NARROW_PX = 64;
const EDITOR_PX = 190;
export const CHORD = "chord";

export interface ChordsHost {
  store: Store;
  ui: UiState;
  announce(text: string): void;
  openMenu(page: MenuPage, opener: HTMLElement): void;
  generate(): void;
}

export interface ChordRow {
  element: HTMLElement;
  /** What is asked for and heard has changed. */
  refresh(): void;
  /** Time was scrolled or zoomed. */
  place(): void;
  /** Opens the field to type chords for the selected bars, or for the bar at the cursor. */
  type(first?: string): void;
}

/** Chord that is asked for in a bar; "" for none. */
export const askedChord = (store: Store, bar: number): string => store.get("chords")?.[bar] ?? "";
export const heardChord = (store: Store, bar: number): string => store.get("heard_chords")?.[bar] ?? "";

/** Bars of the selection, ascending. */
export const selectedBars = (store: Store): number[] =>
  [...new Set(store.selection.cells().map(([, bar]) => bar))].sort((a, b) => a - b);

/** How well the chord of a bar was kept, over the tracks that were written. */
export function chordAdherence(store: Store, bar: number): number | null {
  const tracks = Object.values(store.get("adherence")?.bar ?? {});
  return mean(tracks.map((bars) => bars[bar]?.[CHORD]));
}

/** Chords of some bars as they are typed. */
export function chordText(names: readonly string[]): string {
  const words = names.map((name) => name || "N.C.");
  return names.some(Boolean)
    ? words.map((word, i) => (i > 0 && word === words[i - 1] ? "%" : word)).join(" ")
    : "";
}

/** Sends what was typed; the answer is "" or what is wrong with it. */
export async function sendChords(
  store: Store,
  text: string,
  bars: readonly number[],
  spill = false,
): Promise<string> {
  try {
    await store.ask("chords", { text, bars: [...bars], ...(spill ? { spill } : {}) });
    return "";
  } catch (error) {
    if (error instanceof RequestError) {
      return error.message;
    }
    throw error;
  }
}

export function makeChords({ store, ui, announce, openMenu, generate }: ChordsHost): ChordRow {
  const note = h("span", { class: "mgnb-chord-note" });
  const menu = h(
    "button",
    {
      class: "mgnb-button mgnb-letter mgnb-lane-more",
      title: strings.chordsMore,
      testid: "mgnb-chords-more",
      attrs: { type: "button", "aria-haspopup": "menu", "aria-label": strings.chordsMore },
      on: { click: () => openMenu(page(), menu) },
    },
    icon("chevron"),
  );
  const head = h(
    "div",
    { class: "mgnb-lane-heads" },
    h(
      "div",
      { class: "mgnb-lane-head" },
      h(
        "div",
        { class: "mgnb-lane-name" },
        h("span", { class: "mgnb-chord-label", text: strings.chords }),
        note,
      ),
      menu,
    ),
  );
  const cells = h("div", {
    class: "mgnb-chord-cells",
    testid: "mgnb-chord-cells",
    attrs: { role: "group", "aria-label": strings.chordsLabel },
  });
  const area = h("div", { class: "mgnb-chord-area" }, cells);
  const element = h("div", { class: "mgnb-chord-lane", testid: "mgnb-chords" }, head, area);
  let nodes: {
    bar: number;
    node: HTMLButtonElement;
    asked: HTMLElement;
    heard: HTMLElement;
    kept: HTMLElement;
    /** Asked, heard, and how well it was kept, in full. */
    words: [string, string, string];
  }[] = [];
  let first = -1;
  let at = 0;
  let editor: HTMLElement | null = null;

  // ---------------------------------------------------------------- fields

  const makeCell = (bar: number): (typeof nodes)[number] => {
    const asked = h("span", { class: "mgnb-chord-asked" });
    const heard = h("span", { class: "mgnb-chord-heard" });
    const kept = h("span", { class: "mgnb-chord-kept" });
    const node = h(
      "button",
      { class: "mgnb-chord-cell", attrs: { type: "button" }, on: { click: () => open(bar) } },
      asked,
      h("span", { class: "mgnb-chord-below" }, heard, kept),
    );
    node.dataset["bar"] = String(bar);
    return { bar, node, asked, heard, kept, words: ["", "", ""] };
  };
  const inView = (): [number, number] => {
    const { viewport } = ui;
    const from = store.bars.at(Math.max(0, viewport.left));
    const to = store.bars.at(viewport.left + viewport.width / viewport.scale - 1);
    return [from, Math.min(to, from + MAX_BARS - 1)];
  };
  const ruler = makeRuler(element);
  /** Names are of one size in the whole row, whatever the metres. */
  const narrow = (): boolean => (store.bars.end / store.bars.n) * ui.viewport.scale < NARROW_PX;
  /** Writes what there is room for in a field of some width. */
  const label = ({ asked, heard, kept, words }: (typeof nodes)[number], width: number): void => {
    const [wanted, sounds, met] = words;
    const small = narrow();
    const room = width - (small ? 6 : 10);
    const size = small ? 10.5 : 12.5;
    setText(
      asked,
      fitted(wanted, room - (small ? 8 : 12), (text) => ruler(text, size, 650)),
    );
    const [below, indent] = wanted ? [10.5, 5] : [size, 0];
    const name = fitted(sounds, room - indent, (text) => ruler(text, below, 400));
    setText(heard, name);
    const rest = room - indent - ruler(name, below, 400) - 3;
    setText(kept, name === sounds && ruler(met, 9.5, 600) <= rest ? met : "");
  };
  const place = (): void => {
    if (store.bars.n === 0 || element.hidden) {
      return;
    }
    const [from, to] = inView();
    if (from !== first || nodes.length !== to - from + 1) {
      const focused = focusedBar();
      first = from;
      nodes = Array.from({ length: to - from + 1 }, (_, i) => makeCell(from + i));
      cells.replaceChildren(...nodes.map(({ node }) => node));
      write();
      focused >= 0 && nodes[focused - from]?.node.focus({ preventScroll: true });
    }
    for (const cell of nodes) {
      const { bar, node } = cell;
      const x = tickToX(ui.viewport, store.bars.start(bar));
      const width = tickToX(ui.viewport, store.bars.start(bar + 1)) - x;
      node.style.transform = `translateX(${x.toFixed(1)}px)`;
      node.style.width = `${width.toFixed(1)}px`;
      node.classList.toggle("mgnb-chord-narrow", narrow());
      label(cell, width);
    }
  };
  const focusedBar = (): number => {
    const active = (element.getRootNode() as Document | ShadowRoot).activeElement as HTMLElement | null;
    return active && cells.contains(active) ? Number(active.dataset["bar"]) : -1;
  };
  const write = (): void => {
    const selected = new Set(selectedBars(store));
    const stop = nodes.some(({ bar }) => bar === at) ? at : first;
    for (const cell of nodes) {
      const { bar, node } = cell;
      const [wanted, sounds, met] = [
        askedChord(store, bar),
        heardChord(store, bar),
        chordAdherence(store, bar),
      ];
      cell.words = [wanted, sounds, wanted && met !== null ? adherenceText(met) : ""];
      label(cell, (store.bars.start(bar + 1) - store.bars.start(bar)) * ui.viewport.scale);
      node.classList.toggle("mgnb-chord-wanted", wanted !== "");
      node.classList.toggle("mgnb-chord-target", selected.has(bar));
      const words = strings.chordBar(bar, wanted, sounds, wanted && met !== null ? adherenceText(met) : "");
      setAttr(node, "aria-label", words);
      node.title = words;
      setAttr(node, "tabindex", bar === stop ? 0 : -1);
      node.disabled = !store.canGenerate;
    }
  };
  const refresh = (): void => {
    const melodic = store.tracks.some((track) => !track.drum);
    element.hidden = !store.caps.chords || !melodic || store.get("show_chords") === false;
    if (element.hidden) {
      return;
    }
    place(); // the fields whose figures are summed up
    const strict = store.get("chord_mode") === "strict";
    const met = mean(
      nodes.map(({ bar }) =>
        askedChord(store, bar) ? (chordAdherence(store, bar) ?? undefined) : undefined,
      ),
    );
    const asked = Object.keys(store.get("chords") ?? {}).length > 0;
    const how = strict
      ? strings.chordsStrict
      : !asked
        ? "" // nothing is guided
        : store.caps.chords?.known
          ? strings.chordsTold
          : strings.chordsSoft;
    setText(note, strings.laneNote(how, "", met === null ? "" : adherenceText(met)));
    note.title = met === null ? "" : strings.laneMet(Math.round(met * 100));
    head.title = strict ? strings.chordsStrictHint : (store.caps.chords?.words ?? "");
    menu.hidden = !store.canGenerate;
    write();
  };

  // ---------------------------------------------------------------- typing

  const barsOf = (bar: number): number[] => {
    const selected = selectedBars(store);
    return selected.includes(bar) ? selected : [bar];
  };
  const closeEditor = (refocus: boolean): void => {
    const was = editor;
    editor = null;
    was?.remove();
    if (refocus) {
      nodes.find(({ bar }) => bar === at)?.node.focus({ preventScroll: true });
    }
  };
  const open = (bar: number, typed?: string): void => {
    if (!store.canGenerate) {
      return;
    }
    closeEditor(false);
    at = bar;
    const bars = barsOf(bar);
    const from = bars[0] as number;
    const last = bars[bars.length - 1] as number;
    const before = chordText(bars.map((one) => askedChord(store, one)));
    const input = h("input", {
      class: "mgnb-chord-input",
      testid: "mgnb-chord-input",
      attrs: {
        type: "text",
        value: typed ?? before,
        placeholder: chordText(bars.map((one) => heardChord(store, one))) || "Am F C G",
        "aria-label": strings.chordsFor(strings.barsNamed(barRanges(bars), bars.length)),
        maxlength: 2000,
        spellcheck: "false",
        autocomplete: "off",
      },
    });
    const help = h("div", {
      class: "mgnb-chord-help",
      text: strings.chordsHelp(strings.barsNamed(barRanges(bars), bars.length)),
      attrs: { role: "status" },
    });
    const box = h("div", { class: "mgnb-chord-editor" }, input, help);
    const x = tickToX(ui.viewport, store.bars.start(from));
    const width = Math.max(EDITOR_PX, tickToX(ui.viewport, store.bars.start(last + 1)) - x);
    box.style.width = `${Math.min(width, ui.viewport.width - 4)}px`;
    box.style.left = `${Math.max(2, Math.min(x, ui.viewport.width - Math.min(width, ui.viewport.width - 4) - 2))}px`;
    editor = box;
    area.append(box);
    input.focus({ preventScroll: true });
    typed === undefined ? input.select() : input.setSelectionRange(typed.length, typed.length);
    const commit = async (andGenerate: boolean, refocus = true): Promise<void> => {
      const text = input.value.trim();
      if (text !== before) {
        const wrong = await sendChords(store, text, bars, bars.length === 1);
        if (wrong) {
          setText(help, wrong);
          help.classList.add("mgnb-chord-wrong");
          setAttr(input, "aria-invalid", "true");
          return;
        }
        announce(text ? strings.chordsSet(text) : strings.chordsCleared);
      }
      if (editor === box) {
        closeEditor(refocus);
      }
      if (store.selection.size === 0 && text) {
        selectMelodic(store, bars);
      }
      andGenerate && generate();
    };
    box.addEventListener("keydown", (event) => {
      event.stopPropagation();
      if (event.key === "Enter") {
        event.preventDefault();
        store.attempt(commit(event.ctrlKey || event.metaKey));
      } else if (event.key === "Escape") {
        closeEditor(true);
      }
    });
    input.addEventListener("blur", () => {
      // what was typed counts, unless it is wrong
      if (editor === box) {
        store.attempt(commit(false, false));
      }
    });
    box.addEventListener("pointerdown", (event) => event.stopPropagation());
  };
  cells.addEventListener("keydown", (event) => {
    const bar = focusedBar();
    if (bar < 0 || event.altKey) {
      return;
    }
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (step !== undefined) {
      at = Math.max(0, Math.min(store.bars.n - 1, bar + step));
      const x = tickToX(ui.viewport, store.bars.start(at));
      if (x < 0 || x > ui.viewport.width - 20) {
        ui.setViewport({
          ...ui.viewport,
          left: store.bars.start(at) - ui.viewport.width / ui.viewport.scale / 3,
        });
        place();
      }
      write();
      nodes.find((one) => one.bar === at)?.node.focus({ preventScroll: true });
    } else if (event.key === "Delete" || event.key === "Backspace") {
      void sendChords(store, "", barsOf(bar));
    } else if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      generate();
    } else if (/^[a-gA-G]$/.test(event.key) && !event.ctrlKey && !event.metaKey) {
      open(bar, event.key.toUpperCase()); // as in a table: typing begins a chord
    } else {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
  });

  // ---------------------------------------------------------------- menu

  const page = (): MenuPage => {
    const selected = selectedBars(store);
    const bars = selected.length > 0 ? selected : Array.from({ length: store.bars.n }, (_, bar) => bar);
    const where = strings.barsNamed(barRanges(bars), bars.length);
    const heard = chordText(bars.map((bar) => heardChord(store, bar)));
    const strict = store.get("chord_mode") === "strict";
    const put = (text: string): void => {
      void sendChords(store, text, bars);
    };
    const items: (MenuItem | null)[] = [
      { label: strings.chordsType(where), testid: "mgnb-chords-type", run: () => open(bars[0] ?? 0) },
      {
        label: strings.chordsCopy,
        testid: "mgnb-chords-copy",
        disabled: heard === "",
        run: () => put(heard),
      },
      { label: strings.chordsClear, testid: "mgnb-chords-clear", run: () => put("") },
      null,
      {
        label: strings.chordsStrictItem,
        testid: "mgnb-chords-strict",
        checked: strict,
        several: true,
        run: () => {
          store.save("chord_mode", strict ? "soft" : "strict");
          store.changed("wishes");
        },
      },
      { label: store.caps.chords?.words ?? "", disabled: true },
      {
        label: strings.laneHide,
        run: () => {
          store.save("show_chords", false);
          store.changed("wishes");
        },
      },
    ];
    return {
      label: strings.chords,
      items,
      above: h("div", { class: "mgnb-menu-title", text: `${strings.chords}: ${where}` }),
    };
  };

  return { element, refresh, place, type: (typed) => open(selectedBars(store)[0] ?? ui.cursor[1], typed) };
}

/** Chords are typed to be generated: with nothing selected, their bars are selected on the melodic tracks. */
function selectMelodic(store: Store, bars: readonly number[]): void {
  const tracks = store.tracks.flatMap((track, i) => (track.drum ? [] : [i]));
  store.select(Selection.of(tracks.flatMap((track) => bars.map((bar): [number, number] => [track, bar]))));
}
