/**
 * How sure the model was of what it wrote: marks on the notes, and beside the note under the pointer what else it thought
 * of. The figures come from the kernel for the notes that are shown, and only while somebody wants to see them.
 */
import { rowTop, tickToX } from "../coords.ts";
import type { DeskHost } from "../desk/entry.ts";
import { h, setAttr } from "../dom.ts";
import { noteOf } from "../edit/notes.ts";
import { RULER } from "../hit_test.ts";
import { pitchName } from "../layers/keys.ts";
import type { MenuPage } from "../panel/menu.ts";
import { FLAG_GENERATED } from "../protocol.gen.ts";
import type { Store } from "../store.ts";
import { strings } from "../strings.ts";
import type { Change } from "../synced.ts";
import { Timers } from "../timers.ts";
import { doubtLayer, hatch } from "./layer.ts";
import { type Doubt, placeOf, readDoubts } from "./records.ts";

const ASK_MS = 120;
const DWELL_MS = 140;
const LEAVE_MS = 350;
const CARD_PX = 178;
const ASK_AGAIN: readonly Change[] = ["document", "notes", "settings", "wishes", "compare"];

export interface Doubts {
  update(changes: ReadonlySet<Change>): void;
  /** What else the model thought of for the selected note, as a menu. */
  menu(): void;
}

const percent = (share: number): string => (share < 0.005 ? "< 1 %" : `${Math.round(share * 100)} %`);
const bits = (value: number | null): string => (value === null ? "" : value.toFixed(1));

/** Name of a pitch on a track: drums have names. */
function nameOf(store: Store, track: number, pitch: number): string {
  const drums = store.tracks[track]?.drum ? store.document?.header.drums : undefined;
  return drums?.[pitch] ?? pitchName(pitch);
}

export function makeDoubts(host: DeskHost, open: (page: MenuPage, opener: HTMLElement) => void): Doubts {
  const { store, ui, surface, root, signal } = host;
  const timers = new Timers();
  let known: ReadonlyMap<number, Doubt> = new Map();
  let asked = "";
  let shownRow = -1;
  /** Some notes of this piece were written by the model; the table that was looked through last. */
  let written = false;
  let lookedAt: unknown = null;
  const toggle = h("button", {
    class: "mgnb-button mgnb-segment mgnb-doubt-toggle",
    text: strings.doubt,
    title: strings.doubtHint,
    testid: "mgnb-doubt",
    attrs: { type: "button", "aria-pressed": "false" },
    on: {
      click: () => {
        store.save("show_uncertainty", !store.get("show_uncertainty"));
        store.changed("wishes");
      },
    },
  });
  const legend = h("span", { class: "mgnb-doubt-legend", attrs: { "aria-hidden": "true" } });
  const card = h("div", {
    class: "mgnb-doubt-card",
    testid: "mgnb-doubt-card",
    attrs: { hidden: true, role: "group", "aria-label": strings.doubt },
  });
  host.status.querySelector(".mgnb-status-detail")?.before(toggle, legend);
  root.append(card);
  ui.more.over.push(doubtLayer(() => known));
  signal.addEventListener("abort", () => timers.cancelAll());

  // ---------------------------------------------------------------- figures

  const on = (): boolean => store.get("show_uncertainty") === true && store.canGenerate;
  const forget = (): void => {
    if (known.size > 0) {
      known = new Map();
      ui.dirty("notes");
    }
  };
  const ask = async (): Promise<void> => {
    const { ok, buffers } = await store.ask("uncertainty", {});
    if (on() && !signal.aborted) {
      const [view] = buffers;
      known = view ? readDoubts(view) : new Map();
      setAttr(toggle, "data-count", ok.count ?? 0);
      toggle.title = known.size > 0 ? strings.doubtHint : strings.doubtNone;
      ui.dirty("notes");
    }
  };
  const soon = (): void => {
    // the same music is not asked about twice
    const now = [
      store.document?.header.rev,
      store.get("active_take"),
      JSON.stringify(store.get("comp")),
    ].join();
    if (now !== asked && !store.running) {
      asked = now;
      timers.once("ask", ASK_MS, () => {
        ask().catch(() => {
          asked = ""; // the kernel is gone, or older than this page
        });
      });
    }
  };
  const drawLegend = (): void => {
    const palette = host.palette();
    const parts = strings.doubtLegend.map((word, level) => {
      const canvas = h("canvas", { attrs: { width: 40, height: 20 } });
      const ctx = canvas.getContext("2d");
      if (ctx) {
        ctx.scale(2, 2);
        ctx.fillStyle = palette.tracks[0]?.solid ?? palette.accent;
        ctx.fillRect(2, 1.5, 16, 7);
        hatch(ctx, level as 0 | 1 | 2, [2, 1.5, 16, 7], [palette.lane, palette.edge]);
      }
      return h("span", {}, canvas, word);
    });
    legend.replaceChildren(...parts);
  };

  // ---------------------------------------------------------------- what else

  const doubtAt = (row: number): Doubt | undefined => {
    const { notes } = store;
    return row < 0
      ? undefined
      : known.get(
          placeOf(notes.tracks[row] as number, notes.pitches[row] as number, notes.onsets[row] as number),
        );
  };
  const pick = (row: number, pitch: number): void => {
    const note = noteOf(store.notes, row);
    hide();
    if (store.editable && note.pitch !== pitch) {
      store.editor.notesEdit(
        strings.didPickPitch(nameOf(store, note.track, pitch)),
        [],
        [{ ...note, pitch }],
      );
      store.player.audition(note.track, pitch, note.velocity);
      host.announce(strings.didPickPitch(nameOf(store, note.track, pitch)));
    }
  };
  const title = (row: number, doubt: Doubt): string =>
    strings.doubtNote(
      nameOf(store, store.notes.tracks[row] as number, store.notes.pitches[row] as number),
      bits(doubt.pitch),
    );
  const hide = (): void => {
    shownRow = -1;
    card.hidden = true;
  };
  const show = (row: number, doubt: Doubt): void => {
    const { notes } = store;
    shownRow = row;
    const track = notes.tracks[row] as number;
    const here = notes.pitches[row] as number;
    const more = strings.doubtMore(bits(doubt.onset), bits(doubt.duration), bits(doubt.velocity));
    const choices = doubt.pitches.map(([pitch, share]) => {
      const name = nameOf(store, track, pitch);
      const bar = h("span", { class: "mgnb-doubt-share" });
      bar.style.width = `${Math.max(1, share * 100)}%`;
      return h(
        "button",
        {
          class: `mgnb-button mgnb-doubt-choice${pitch === here ? " mgnb-doubt-here" : ""}`,
          title: pitch === here ? "" : strings.doubtPick(name, percent(share)),
          testid: `mgnb-doubt-${pitch}`,
          attrs: { type: "button", disabled: store.editable ? null : true },
          on: { click: () => pick(row, pitch) },
        },
        bar,
        h("span", { text: name }),
        h("span", { text: percent(share) }),
      );
    });
    card.replaceChildren(
      h("div", { class: "mgnb-doubt-title", text: title(row, doubt) }),
      ...choices,
      h("div", { class: "mgnb-doubt-more", text: more ? strings.doubtMoreBits(more) : "" }),
    );
    card.hidden = false;
    place(row);
  };
  const place = (row: number): void => {
    const { notes } = store;
    const lane = ui.lanes.find(({ track }) => track === notes.tracks[row]);
    const line = lane?.rowOf[notes.pitches[row] as number] ?? -1;
    if (!lane || line < 0) {
      hide();
      return;
    }
    const [outer, inner] = [root.getBoundingClientRect(), surface.getBoundingClientRect()];
    const x = inner.left - outer.left + tickToX(ui.viewport, notes.onsets[row] as number);
    const y = inner.top - outer.top + RULER + rowTop(lane, line) - ui.viewport.top;
    const below = y + lane.rowHeight + 2;
    const fits = below + card.offsetHeight < outer.height - 4;
    card.style.left = `${Math.max(4, Math.min(x, outer.width - CARD_PX - 6))}px`;
    card.style.top = `${fits ? below : Math.max(4, y - card.offsetHeight - 2)}px`;
  };
  const leave = (): void => timers.once("leave", LEAVE_MS, hide);
  surface.addEventListener(
    "pointermove",
    (event) => {
      if (known.size === 0 || event.buttons !== 0) {
        return;
      }
      const { hit } = host.locate(event);
      const row = hit.area === "cell" ? hit.note : -1;
      const doubt = doubtAt(row);
      if (!doubt) {
        timers.cancel("dwell");
        !card.hidden && leave();
      } else if (row === shownRow) {
        timers.cancel("leave");
      } else {
        timers.set("dwell", DWELL_MS, () => {
          timers.cancel("leave");
          show(row, doubt);
        });
      }
    },
    { signal },
  );
  surface.addEventListener(
    "pointerleave",
    () => {
      timers.cancel("dwell");
      leave();
    },
    { signal },
  );
  surface.addEventListener("pointerdown", hide, { signal });
  card.addEventListener("pointerenter", () => timers.cancel("leave"));
  card.addEventListener("pointerleave", leave);

  return {
    update: (changes) => {
      const { notes } = store;
      if (!written && notes !== lookedAt) {
        lookedAt = notes;
        written = notes.flags.some((flags) => (flags & FLAG_GENERATED) !== 0);
      }
      toggle.hidden = !store.canGenerate || !(on() || written || store.takes.open);
      setAttr(toggle, "aria-pressed", String(on()));
      legend.hidden = !on();
      if (changes.has("document") || changes.has("edit")) {
        hide();
      }
      if (!on()) {
        asked = "";
        forget();
        hide();
      } else if (ASK_AGAIN.some((name) => changes.has(name)) || changes.has("job")) {
        soon();
      }
      if (on() && (legend.childElementCount === 0 || changes.has("theme"))) {
        drawLegend();
      }
    },
    menu: () => {
      const [id] = store.editor.selected;
      const row = id === undefined ? -1 : store.notes.ids.indexOf(id);
      const doubt = doubtAt(row);
      if (!doubt) {
        host.announce(strings.doubtNone);
        return;
      }
      const track = store.notes.tracks[row] as number;
      const here = store.notes.pitches[row] as number;
      open(
        {
          label: title(row, doubt),
          above: h("div", { class: "mgnb-menu-title", text: title(row, doubt) }),
          items: doubt.pitches.map(([pitch, share]) => ({
            label: `${nameOf(store, track, pitch)} · ${percent(share)}`,
            checked: pitch === here,
            disabled: !store.editable,
            run: () => pick(row, pitch),
          })),
        },
        toggle,
      );
    },
  };
}
