/**
 * Entry of desk.js, the second module of the page: menus, settings, lanes, takes, editing with the pointer. Everything
 * that the first picture does not need is imported from here only. One desk per view; what belongs to all views of a
 * widget (a model) is in `PER_WIDGET`.
 */
import type { Actions } from "../actions.ts";
import { keepSafe } from "../autosave/autosave.ts";
import { makeOffer } from "../autosave/offer.ts";
import { h } from "../dom.ts";
import { type Doubts, makeDoubts } from "../doubt/doubts.ts";
import { joinClipboard } from "../edit/clipboard.ts";
import { NoteKeys } from "../edit/keys.ts";
import { HOME_TOOL } from "../edit/tools.ts";
import { keepFocus } from "../focus.ts";
import {
  drawNote,
  eraseNotes,
  overNote,
  paintVelocity,
  selectNotes,
  toggleNote,
} from "../gestures/edit_notes.ts";
import type { Gesture, PointerAt } from "../gestures/gesture.ts";
import { loopEnd, loopGesture } from "../gestures/loop_brace.ts";
import { RollNotes } from "../gestures/note_target.ts";
import { RULER, RULER_BARS } from "../hit_test.ts";
import { type LanePanel, makeLanes } from "../lanes/panel.ts";
import { makeHelp } from "../panel/help.ts";
import { Menus } from "../panel/menu.ts";
import { makeSees } from "../panel/sees.ts";
import { makeSteer } from "../panel/steer.ts";
import { makeTakes } from "../panel/takes.ts";
import { makeViewMenus, type ViewMenus } from "../panel/view_menus.ts";
import { keepSound } from "../playback/kernel_sound.ts";
import { clicks } from "../playback/metronome.ts";
import type { Cell } from "../protocol.gen.ts";
import { makeSight } from "../sight/sight.ts";
import type { Store } from "../store.ts";
import type { Change } from "../synced.ts";
import type { Palette } from "../theme.ts";
import type { UiState } from "../ui_state.ts";
import style from "./desk.css";

/** What a view shows its desk. */
export interface DeskHost {
  store: Store;
  ui: UiState;
  actions: Actions;
  root: HTMLElement;
  surface: HTMLElement;
  /** Holds headers and roll; panels stand above and below it. */
  body: HTMLElement;
  /** The status line; settings stand below it. */
  status: HTMLElement;
  palette(): Palette;
  announce(text: string): void;
  locate(event: PointerEvent): PointerAt;
  trackAt(y: number): number;
  signal: AbortSignal;
}

export interface Desk {
  readonly menus: ViewMenus;
  readonly lanes: LanePanel;
  readonly notes: NoteKeys;
  readonly doubts: Doubts;
  /** The gesture of the tool in hand. */
  noteGesture(): Gesture | null;
  toggleNote(at: PointerAt): void;
  /** An end of the loop is taken hold of, or null. */
  loopGesture(at: PointerAt): Gesture | null;
  /** The pointer moves with nothing held; null: it has left. */
  hover(at: PointerAt | null): void;
  /** Shows or hides the sheet of keys; without `open` the other way round. False when it was hidden already. */
  help(open?: boolean): boolean;
  /** Shows or hides what can be asked of the model. */
  steer(open: boolean): void;
  update(changes: ReadonlySet<Change>): void;
}

/** Parts that a widget has once, however often it is shown; what they return ends them. */
const PER_WIDGET: readonly ((store: Store) => () => void)[] = [clicks, keepSafe, keepSound, fetchCaps, greet];

/** The long tables of `caps` are fetched, not stored in notebooks. */
function fetchCaps(store: Store): () => void {
  let count = 0;
  const fetch = (): void => {
    count += 1;
    const own = count;
    if (store.get("caps")?.later) {
      store.ask("caps", {}).then(
        ({ ok }) => own === count && store.readCaps(ok.caps),
        () => {}, // nobody is there who could generate
      );
    }
  };
  store.model.on("change:caps", fetch as never);
  fetch();
  return () => store.model.off("change:caps", fetch as never);
}

function greet(store: Store): () => void {
  store.greet();
  return () => {};
}

const begun = new WeakSet<Store>();

export function makeDesk(host: DeskHost): Desk {
  const { store, ui, root } = host;
  if (!begun.has(store)) {
    begun.add(store);
    for (const begin of PER_WIDGET) {
      store.ended.addEventListener("abort", begin(store), { once: true });
    }
  }
  const help = makeHelp(() => toggle(false));
  /** What had the keyboard when the sheet was opened; it has it again when the sheet had it last. */
  let opener: HTMLElement = host.surface;
  const toggle = (open = help.hidden): boolean => {
    const was = !help.hidden;
    const { activeElement } = root.getRootNode() as Document;
    if (open && !was) {
      opener =
        activeElement instanceof HTMLElement && root.contains(activeElement) ? activeElement : host.surface;
    }
    const home = opener.isConnected && !opener.closest("[hidden]") ? opener : host.surface;
    keepFocus(root, home, () => {
      help.hidden = !open;
    });
    return was;
  };
  const popups = new Menus(root, host.signal);
  const steer = makeSteer(store, (page, opener) => popups.open(page, opener));
  const takes = makeTakes(store, host.palette, host.actions);
  const sees = makeSees(store);
  const lanes = makeLanes({ ...host, run: (action) => host.actions.run(action) });
  const target = new RollNotes(store, ui, host.trackAt);
  // A style of its own inside the roll: it also works where the roll is in a shadow tree.
  root.append(h("style", { text: style }));
  const offer = makeOffer(store, root, host.announce);
  host.body.before(offer.element, sees.element);
  host.body.after(takes.element, lanes.element);
  host.body.append(help);
  host.status.after(steer.element);
  const menus = makeViewMenus(host);
  const doubts = makeDoubts(host, (page, opener) => popups.open(page, opener));
  const sight = makeSight(host, menus.open);
  const notes = new NoteKeys(store, host.announce);
  /** The cell at the cursor; where bars are chosen with it, the first of them. */
  const pasteCell = (): Cell => {
    const { selection } = store;
    const first = ui.tool === HOME_TOOL && selection.has(...ui.cursor) ? selection.barSpan() : null;
    return first ? [selection.tracks()[0] ?? 0, first[0]] : ui.cursor;
  };
  notes.wantPaste = joinClipboard(root, (clip) => notes.paste(clip, pasteCell()), host.signal);

  return {
    menus,
    lanes,
    doubts,
    notes,
    noteGesture: () => {
      switch (ui.tool) {
        case "select":
          return selectNotes(target, ui);
        case "draw":
          return drawNote(target, ui);
        case "erase":
          return eraseNotes(target);
        case "velocity":
          return paintVelocity(target);
        default:
          return null; // choosing bars is the view's own
      }
    },
    toggleNote: (at) => toggleNote(target, at),
    loopGesture: (at) => loopGesture(store, ui, at),
    hover: (at) => {
      const onGrip = at && at.y >= RULER_BARS && at.y < RULER && loopEnd(store, ui, at.x);
      host.surface.classList.toggle("mgnb-on-grip", !!onGrip);
      const moves = at && store.editable && (ui.tool === "select" || ui.tool === "draw");
      host.surface.dataset["over"] = moves ? overNote(target, at) : "";
    },
    help: toggle,
    steer: (open) => {
      steer.element.hidden = !open;
    },
    update: (changes) => {
      menus.update();
      sight(changes);
      lanes.update(changes);
      doubts.update(changes);
      takes.update();
      sees.update();
      offer.update();
      if (["selection", "wishes", "settings", "document"].some((name) => changes.has(name as Change))) {
        steer.update();
      }
    },
  };
}
