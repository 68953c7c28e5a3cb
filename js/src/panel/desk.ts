/** Menus of one view and what comes in and goes out as files: buttons in the corner, the ruler's menu, drops. */
import { h, icon } from "../dom.ts";
import { Files } from "../files.ts";
import type { PointerAt } from "../gestures/gesture.ts";
import { RULER } from "../hit_test.ts";
import type { Cell } from "../protocol.gen.ts";
import type { Store } from "../store.ts";
import { strings } from "../strings.ts";
import { Menus } from "./menu.ts";
import { targetPage } from "./target_menu.ts";
import { TrackMenus } from "./track_menu.ts";

export interface DeskHost {
  root: HTMLElement;
  surface: HTMLElement;
  announce(text: string): void;
  locate(event: PointerEvent): PointerAt;
  cursor(): Cell;
  signal: AbortSignal;
}

export interface Desk {
  track(track: number, opener: HTMLElement): void;
  tempo(opener: HTMLElement): void;
  files(opener: HTMLElement): void;
  targets(opener: HTMLElement): void;
  update(): void;
}

export function makeDesk(store: Store, host: DeskHost): Desk {
  const { root, surface, signal } = host;
  const menus = new Menus(root, signal);
  const pages = new TrackMenus(store, host.announce);
  const files = new Files(store, root, host.announce);

  /** The selected bars, when the bar asked for is one of them or none is; else that bar alone. */
  const barsAt = (bar: number): [first: number, count: number] => {
    const span = store.selection.barSpan();
    return span && bar >= span[0] && bar < span[1] ? [span[0], span[1] - span[0]] : [bar, 1];
  };
  const corner = (label: string, text: string, testid: string, open: (opener: HTMLElement) => void) => {
    const attrs = { type: "button", "aria-haspopup": "menu", "aria-expanded": "false", "aria-label": label };
    const button = h("button", {
      class: "mgnb-button mgnb-corner-button",
      text,
      title: label,
      testid,
      attrs,
      on: { click: () => open(button) },
    });
    return button;
  };
  const addTrack = corner(strings.addTrack, strings.addTrackShort, "mgnb-add-track", (opener) =>
    menus.open(pages.add(), opener),
  );
  const barsButton = corner(strings.barMenuLabel, strings.barMenuShort, "mgnb-bar-menu", (opener) => {
    const span = store.selection.barSpan();
    menus.open(pages.bars(...barsAt(span ? span[0] : host.cursor()[1])), opener);
  });
  barsButton.append(icon("chevron"));
  const strip = h("div", { class: "mgnb-corner" }, addTrack, barsButton);
  root.querySelector(".mgnb-side")?.append(strip);

  const onContext = (event: MouseEvent): void => {
    // The context-menu key has no place of its own: it means the cursor's bar.
    const byKey = event.button !== 2;
    const at = byKey ? null : host.locate(event as PointerEvent);
    if (store.bars.n === 0 || (at && at.y >= RULER)) {
      return;
    }
    event.preventDefault();
    const bar = at && at.hit.area !== "none" ? at.hit.bar : host.cursor()[1];
    const box = surface.getBoundingClientRect();
    const point = byKey
      ? { x: box.left + 8, y: box.top + RULER }
      : { x: event.clientX, y: event.clientY + 4 };
    menus.open(pages.bars(...barsAt(bar)), surface, point);
  };
  surface.addEventListener("contextmenu", onContext, { signal });
  files.listen(signal);

  return {
    track: (track, opener) => menus.open(pages.track(track), opener),
    tempo: (opener) => menus.open(pages.tempo(), opener),
    files: (opener) => menus.open(files.page(), opener),
    targets: (opener) => menus.open(targetPage(store), opener),
    update: () => {
      strip.hidden = !store.editable;
    },
  };
}
