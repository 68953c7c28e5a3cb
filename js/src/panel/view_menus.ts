/** Menus of one view and what comes in and goes out as files: buttons in the corner, the ruler's menu, drops. */
import type { DeskHost } from "../desk/entry.ts";
import { h, icon } from "../dom.ts";
import { HOME_TOOL } from "../edit/tools.ts";
import { Files } from "../files.ts";
import { RULER } from "../hit_test.ts";
import { makeMidiMenu } from "../midi/menu.ts";
import { strings } from "../strings.ts";
import { makeEmpty } from "./empty.ts";
import { type MenuPage, Menus } from "./menu.ts";
import { targetPage } from "./target_menu.ts";
import { TrackMenus } from "./track_menu.ts";
import { foldedItems, transportItems } from "./transport_menu.ts";

export interface ViewMenus {
  /** Any page. */
  open(page: MenuPage, opener: HTMLElement): void;
  track(track: number, opener: HTMLElement): void;
  tempo(opener: HTMLElement): void;
  files(opener: HTMLElement): void;
  targets(opener: HTMLElement): void;
  /** Playing, and what the toolbar folded away. */
  more(opener: HTMLElement, folded: readonly HTMLElement[]): void;
  update(): void;
}

export function makeViewMenus(host: DeskHost): ViewMenus {
  const { store, ui, root, surface, signal } = host;
  const menus = new Menus(root, signal);
  const pages = new TrackMenus(store, host.announce);
  let filesButton = surface;
  /** Another piece begins as it does on a new roll. */
  const opened = (): void => {
    store.player.stop();
    store.player.seek(0);
    store.forget();
    host.actions.setTool(HOME_TOOL);
  };
  const files = new Files(store, root, host.announce, (page) => menus.open(page, filesButton), opened);
  const midi = makeMidiMenu(host, menus);

  /** The selected bars, when the bar asked for is one of them or none is; else that bar alone. */
  const barsAt = (bar: number): [first: number, count: number] => {
    const span = store.selection.barSpan();
    return span && bar >= span[0] && bar < span[1] ? [span[0], span[1] - span[0]] : [bar, 1];
  };
  const corner = (label: string, text: string, testid: string, open: (opener: HTMLElement) => void) => {
    const attrs = { type: "button", "aria-haspopup": "menu", "aria-expanded": "false", "aria-label": label };
    const button: HTMLButtonElement = h("button", {
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
    menus.open(pages.bars(...barsAt(span ? span[0] : ui.cursor[1])), opener);
  });
  barsButton.append(icon("chevron"));
  const corners = [
    [addTrack, strings.addTrack],
    [barsButton, strings.barMenuLabel],
  ] as const;
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
    const bar = at && at.hit.area !== "none" ? at.hit.bar : ui.cursor[1];
    const box = surface.getBoundingClientRect();
    const point = byKey
      ? { x: box.left + 8, y: box.top + RULER }
      : { x: event.clientX, y: event.clientY + 4 };
    menus.open(pages.bars(...barsAt(bar)), surface, point);
  };
  surface.addEventListener("contextmenu", onContext, { signal });
  files.listen(signal);
  const empty = makeEmpty(host, files, opened);
  host.body.append(empty.element);

  return {
    track: (track, opener) => menus.open(pages.track(track), opener),
    open: (page, opener) => menus.open(page, opener),
    tempo: (opener) => menus.open(pages.tempo(), opener),
    files: (opener) => {
      filesButton = opener;
      const page = files.page();
      menus.open({ ...page, items: [...(page.items ?? []), null, midi.item(opener)] }, opener);
    },
    more: (opener, folded) => {
      const items = [...foldedItems(folded), ...transportItems(store)];
      menus.open({ label: strings.more, items }, opener);
    },
    targets: (opener) => menus.open(targetPage(store), opener),
    update: () => {
      strip.hidden = !store.mayEdit;
      for (const [button, hint] of corners) {
        button.disabled = !store.editable;
        button.title = store.editable ? hint : strings.takesFirst;
      }
      empty.update();
    },
  };
}
