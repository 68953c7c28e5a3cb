/** The cards of the open takes: a small roll and figures each; sorted by any of the figures. */
import type { Actions } from "../actions.ts";
import { h, setAttr, setText } from "../dom.ts";
import type { NoteTable } from "../note_table.ts";
import type { Cell, TakeInfo } from "../protocol.gen.ts";
import { describe, Selection } from "../selection.ts";
import type { Store } from "../store.ts";
import { strings } from "../strings.ts";
import type { Card } from "../takes/takes.ts";
import type { Palette } from "../theme.ts";

export interface TakesPanel {
  element: HTMLElement;
  update(): void;
}

/** The figures of a card: how they read, and which end is the better one. */
const MEASURES = {
  number: { label: strings.takeNumber, value: (take: TakeInfo) => -take.number, text: () => "" },
  adherence: {
    label: strings.takeAdherence,
    value: (take: TakeInfo) => take.adherence ?? -1,
    text: (take: TakeInfo) => (take.adherence === null ? "" : percent(take.adherence)),
  },
  log_prob: {
    label: strings.takeLikely,
    value: (take: TakeInfo) => take.log_prob,
    // the geometric mean of the probabilities of its tokens
    text: (take: TakeInfo) => percent(Math.exp(take.log_prob)),
  },
  notes: {
    label: strings.takeNotes,
    value: (take: TakeInfo) => take.notes,
    text: (take: TakeInfo) => String(take.notes),
  },
  novelty: {
    label: strings.takeNovelty,
    value: (take: TakeInfo) => take.novelty,
    text: (take: TakeInfo) => percent(take.novelty),
  },
} as const;

type Measure = keyof typeof MEASURES;
const NAMES = Object.keys(MEASURES) as Measure[];
const percent = (share: number): string => `${Math.round(share * 100)} %`;
const CARD_EDGE = 2;
const ROLL: readonly [width: number, height: number] = [116, 40];

interface CardView {
  element: HTMLButtonElement;
  canvas: HTMLCanvasElement;
  figures: HTMLElement;
}

export function makeTakes(
  store: Store,
  palette: () => Palette,
  actions: Pick<Actions, "showTake">,
): TakesPanel {
  let sorted: Measure = "number";
  let upward = false;
  const views = new Map<number, CardView>();
  /** The card that was brought into view last, among how many. */
  let seen = -1;
  let count = 0;
  const title = h("strong", { class: "mgnb-takes-title" });
  const button = (
    text: string,
    hint: string,
    testid: string,
    click: () => void,
    extra = "",
  ): HTMLButtonElement =>
    h("button", {
      class: `mgnb-button ${extra}`,
      text,
      title: hint,
      testid,
      attrs: { type: "button" },
      on: { click },
    });
  const sorters = NAMES.map((name) =>
    button(
      MEASURES[name].label,
      strings.takeSort(MEASURES[name].label),
      `mgnb-sort-${name}`,
      () => {
        upward = sorted === name && !upward;
        sorted = name;
        count = 0; // the shown card has another place
        update();
      },
      "mgnb-segment",
    ),
  );
  const keepGoing = button(strings.keepGoing, strings.keepGoingHint, "mgnb-keep-going", () => {
    store.takes.setCount(store.takes.keepGoing ? store.get("n_takes") || 1 : 0);
    if (store.takes.keepGoing && !store.running) {
      store.attempt(store.generate());
    }
  });
  const keep = button(
    strings.takeKeep,
    strings.takeKeepHint,
    "mgnb-take-accept",
    () => store.attempt(store.takes.accept()),
    "mgnb-generate",
  );
  const discard = button(strings.takeDiscard, strings.takeDiscardHint, "mgnb-take-discard", () =>
    store.attempt(store.takes.discard()),
  );
  const sort = h(
    "div",
    { class: "mgnb-group mgnb-compare", attrs: { role: "group", "aria-label": strings.takesSortLabel } },
    ...sorters,
  );
  const list = h("div", { class: "mgnb-take-list" });
  const element = h(
    "div",
    {
      class: "mgnb-takes",
      testid: "mgnb-takes",
      attrs: { role: "region", "aria-label": strings.takesLabel },
    },
    h(
      "div",
      { class: "mgnb-takes-head" },
      title,
      sort,
      h("div", { class: "mgnb-group mgnb-takes-ends" }, keepGoing, discard, keep),
    ),
    list,
  );
  // Enter on a card keeps the take; elsewhere in the panel it presses the button.
  list.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && store.takes.open) {
      event.preventDefault();
      event.stopPropagation();
      store.attempt(store.takes.accept());
    }
  });

  const cardView = (number: number): CardView => {
    const known = views.get(number);
    if (known) {
      return known;
    }
    const canvas = h("canvas", { class: "mgnb-take-roll", attrs: { "aria-hidden": "true" } });
    const figures = h("span", { class: "mgnb-take-figures" });
    const card = h(
      "button",
      {
        class: "mgnb-button mgnb-take",
        testid: `mgnb-take-${number + 1}`,
        title: strings.takeHint(number + 1),
        attrs: { type: "button" },
        on: {
          click: () => actions.showTake(number),
          dblclick: () => store.takes.open && store.attempt(store.takes.accept()),
        },
      },
      h("span", { class: "mgnb-take-number", text: String(number + 1) }),
      canvas,
      figures,
    );
    const view = { element: card, canvas, figures };
    views.set(number, view);
    return view;
  };

  const update = (): void => {
    const { takes } = store;
    const cards = takes.cards.sort((a, b) => order(a, b, sorted, upward));
    element.hidden = cards.length === 0;
    if (element.hidden) {
      views.clear();
      list.replaceChildren();
      count = 0;
      return;
    }
    const cells = cards[0]?.cells ?? [];
    const what = describe(Selection.of(cells), store.names, store.bars.n);
    setText(title, strings.takesOf(cards.length, what));
    title.title = what;
    sorters.forEach((sorter, i) => {
      setAttr(sorter, "aria-pressed", String(sorted === NAMES[i]));
    });
    sort.hidden = !takes.open || cards.length < 2;
    // without wishes there is nothing to be as asked
    const wished = cards.some((card) => card.info !== null && card.info.adherence !== null);
    (sorters[NAMES.indexOf("adherence")] as HTMLElement).hidden = !wished;
    sorted = sorted === "adherence" && !wished ? "number" : sorted;
    keep.hidden = discard.hidden = !takes.open;
    keepGoing.hidden = !takes.open || cards.length > 1;
    setAttr(keepGoing, "aria-pressed", String(takes.keepGoing));
    keepGoing.classList.toggle("mgnb-on", takes.keepGoing);
    const original = originalCard(cards, cells);
    const shown = [original, ...cards.map((card) => updateCard(card))];
    if (shown.some((node, i) => list.children[i] !== node) || list.childElementCount !== shown.length) {
      const { activeElement } = element.ownerDocument;
      list.replaceChildren(...shown);
      if (activeElement instanceof HTMLElement && list.contains(activeElement)) {
        activeElement.focus();
      }
    }
    const now = cards.find((card) => card.shown)?.number ?? -1;
    if (now !== seen || shown.length !== count) {
      [seen, count] = [now, shown.length];
      bringIntoView(list, cardView(now).element);
    }
  };

  const originalCard = (cards: readonly Card[], cells: readonly Cell[]): HTMLElement => {
    const view = cardView(-1);
    view.element.title = strings.takeOriginalHint;
    setText(view.figures, strings.takeOriginal);
    setAttr(view.element, "aria-pressed", String(!cards.some((card) => card.shown)));
    view.element.disabled = store.takes.writing;
    drawRoll(view.canvas, [store.editor.notes], cells, store, palette());
    return view.element;
  };

  const updateCard = (card: Card): HTMLElement => {
    const view = cardView(card.number);
    const { info } = card;
    const job = store.job?.takes[card.number];
    setAttr(view.element, "aria-pressed", String(card.shown));
    const figures = info
      ? [
          ...NAMES.map((name) => figure(MEASURES[name].label, MEASURES[name].text(info))),
          figure(strings.takeSeed, String(info.seed)),
          info.status === "done" ? null : h("em", { text: info.status }),
        ]
      : [h("em", { text: strings.takeWriting(job?.finished.size ?? 0, card.cells.length) })];
    view.figures.replaceChildren(...figures.filter((node) => node !== null));
    const notes = info ? [card.notes ?? null] : (job?.batches.map((batch) => batch.notes) ?? []);
    drawRoll(
      view.canvas,
      notes.filter((table) => table !== null),
      card.cells,
      store,
      palette(),
    );
    return view.element;
  };
  return { element, update };
}

/** Scrolls a row of cards, and nothing around it, until all of a card is seen. */
function bringIntoView(list: HTMLElement, card: HTMLElement): void {
  const [room, box] = [list.getBoundingClientRect(), card.getBoundingClientRect()];
  const beyond = Math.max(0, box.right + CARD_EDGE - room.right);
  list.scrollLeft += beyond || Math.min(0, box.left - CARD_EDGE - room.left);
}

function figure(label: string, text: string): HTMLElement | null {
  return text ? h("span", {}, h("i", { text: label }), ` ${text}`) : null;
}

function order(a: Card, b: Card, by: Measure, upward: boolean): number {
  const sign = upward ? -1 : 1;
  const value = (card: Card): number => (card.info ? MEASURES[by].value(card.info) : -card.number);
  return sign * (value(b) - value(a)) || a.number - b.number;
}

/** The notes of the cells, as wide as the card, their pitches as high as it. */
function drawRoll(
  canvas: HTMLCanvasElement,
  tables: readonly NoteTable[],
  cells: readonly Cell[],
  store: Store,
  palette: Palette,
): void {
  const [width, height] = ROLL;
  const dpr = globalThis.devicePixelRatio || 1;
  canvas.width = width * dpr;
  canvas.height = height * dpr;
  const ctx = canvas.getContext("2d");
  const span = Selection.of(cells).barSpan();
  if (!ctx || !span) {
    return;
  }
  ctx.scale(dpr, dpr);
  const wanted = new Set(cells.map(([track, bar]) => `${track},${bar}`));
  const from = store.bars.start(span[0]);
  const scale = width / Math.max(1, store.bars.start(span[1]) - from);
  const rows: [track: number, x: number, w: number, pitch: number][] = [];
  for (const table of tables) {
    for (const track of new Set(cells.map((cell) => cell[0]))) {
      for (
        let i = table.lowerBound(track, from);
        i < table.lowerBound(track, store.bars.start(span[1]));
        i++
      ) {
        const onset = table.onsets[i] as number;
        if (wanted.has(`${track},${store.bars.at(onset)}`)) {
          const w = Math.max(1.5, (table.durations[i] as number) * scale - 0.5);
          rows.push([track, (onset - from) * scale, w, table.pitches[i] as number]);
        }
      }
    }
  }
  const pitches = rows.map((row) => row[3]);
  const low = Math.min(...pitches);
  const rowHeight = Math.min(5, height / (Math.max(...pitches) - low + 1));
  const bottom = height / 2 + ((Math.max(...pitches) - low + 1) * rowHeight) / 2;
  for (const [track, x, w, pitch] of rows) {
    ctx.fillStyle = palette.tracks[track % palette.tracks.length]?.solid ?? palette.text;
    ctx.fillRect(x, bottom - (pitch - low + 1) * rowHeight, w, Math.max(1.5, rowHeight - 0.5));
  }
}
