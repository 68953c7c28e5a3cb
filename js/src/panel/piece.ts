/** What is asked of a whole piece, as chips (style and so on; rows come from `caps`), and chords as a line of text. */
import { h, icon, setAttr, setText } from "../dom.ts";
import { askedChord, chordText, heardChord, selectedBars, sendChords } from "../lanes/chords.ts";
import type { PieceInfo } from "../protocol.gen.ts";
import { barRanges } from "../selection.ts";
import type { Store } from "../store.ts";
import { strings } from "../strings.ts";
import type { MenuItem, MenuPage } from "./menu.ts";

export interface Part {
  element: HTMLElement;
  update(): void;
}

const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);

/** "Dance electronic" of "dance-electronic". */
const inWords = (choice: string): string => capital(choice.replaceAll(/[-_]/g, " "));

const chosen = (store: Store, info: PieceInfo): string | boolean | undefined =>
  store.get("piece")?.[info.name];

function choose(store: Store, info: PieceInfo, value: string | boolean | null): void {
  const next = { ...(store.get("piece") ?? {}) };
  if (value === null) {
    delete next[info.name];
  } else {
    next[info.name] = value;
  }
  store.save("piece", next);
  store.changed("wishes");
}

function choices(store: Store, info: PieceInfo): MenuPage {
  const now = chosen(store, info);
  const rows: [string, string | boolean | null][] =
    info.kind === "flag"
      ? [
          [strings.pieceOn, null],
          [strings.pieceOff, false],
        ]
      : [
          [strings.noPreference, null],
          ...info.choices.map((name): [string, string] => [inWords(name), name]),
        ];
  const items: MenuItem[] = rows.map(([label, value]) => ({
    label: capital(label),
    checked: (now ?? null) === value,
    testid: `mgnb-piece-${info.name}-${value ?? "any"}`,
    run: () => choose(store, info, value),
  }));
  return {
    label: info.label,
    items,
    above: h("div", { class: "mgnb-menu-title", text: `${info.label}: ${info.help}` }),
  };
}

/**
 * A chip for each choice that the model has for the whole piece; nothing for a model without. `first`: only what one asks
 * for first, the style.
 */
export function makeChips(
  store: Store,
  openMenu: (page: MenuPage, opener: HTMLElement) => void,
  first = false,
): Part {
  const element = h("div", { class: "mgnb-chips", testid: "mgnb-chips" });
  let shown: unknown = null;
  let chips: { info: PieceInfo; node: HTMLButtonElement; value: HTMLElement }[] = [];
  return {
    element,
    update: () => {
      const rows = store.caps.piece ?? [];
      if (rows !== shown) {
        shown = rows;
        const wanted = rows.filter(({ kind }) => !first || kind === "choice");
        chips = wanted.map((info) => {
          const value = h("span", { class: "mgnb-chip-value" });
          const node: HTMLButtonElement = h(
            "button",
            {
              class: "mgnb-button mgnb-chip",
              title: info.help,
              testid: `mgnb-chip-${info.name}`,
              attrs: { type: "button", "aria-haspopup": "menu", "aria-expanded": "false" },
              on: { click: () => openMenu(choices(store, info), node) },
            },
            h("span", { text: info.label }),
            value,
            icon("chevron"),
          );
          return { info, node, value };
        });
        element.replaceChildren(...chips.map(({ node }) => node));
      }
      element.hidden = chips.length === 0;
      for (const { info, node, value } of chips) {
        const now = chosen(store, info);
        const words = typeof now === "string" ? inWords(now) : now === false ? strings.pieceOff : "";
        setText(value, words || (info.kind === "flag" ? strings.pieceOn : strings.pieceAny));
        node.classList.toggle("mgnb-chip-set", now !== undefined);
        setAttr(node, "aria-label", `${info.label}: ${value.textContent}`);
        node.disabled = !store.canGenerate;
      }
    },
  };
}

/** Chords of the selected bars, as they are typed. */
export function makeChordField(store: Store): Part {
  const input = h("input", {
    class: "mgnb-number mgnb-chord-field",
    testid: "mgnb-steer-chords",
    attrs: { type: "text", maxlength: 2000, spellcheck: "false", autocomplete: "off" },
  });
  const wrong = h("span", { class: "mgnb-chord-wrong", attrs: { role: "status" } });
  const element = h(
    "label",
    { class: "mgnb-field mgnb-chord-row", title: strings.chordsWays },
    h("span", { text: strings.chords }),
    input,
    wrong,
  );
  let before = "";
  const commit = async (): Promise<void> => {
    const bars = selectedBars(store);
    const text = input.value.trim();
    if (text !== before && bars.length > 0) {
      const problem = await sendChords(store, text, bars);
      setText(wrong, problem);
      setAttr(input, "aria-invalid", problem ? "true" : null);
    }
  };
  input.addEventListener("change", () => store.attempt(commit()));
  return {
    element,
    update: () => {
      const bars = selectedBars(store);
      const melodic = store.tracks.some((track) => !track.drum);
      element.hidden = !store.caps.chords || !melodic || bars.length === 0;
      const now = chordText(bars.map((bar) => askedChord(store, bar)));
      const typing = (input.getRootNode() as Document).activeElement === input;
      if (now !== before || !typing) {
        before = now;
        if (!input.hasAttribute("aria-invalid") || typing) {
          input.value = now;
        }
      }
      input.placeholder = chordText(bars.map((bar) => heardChord(store, bar)));
      setAttr(input, "aria-label", strings.chordsFor(strings.barsNamed(barRanges(bars), bars.length)));
    },
  };
}
