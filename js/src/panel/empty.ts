/** What an empty roll offers, in the roll itself: an example, a file, drawing. It goes away with the first note. */
import type { DeskHost } from "../desk/entry.ts";
import { h } from "../dom.ts";
import { HOME_TOOL } from "../edit/tools.ts";
import type { Files } from "../files.ts";
import type { Op } from "../protocol.gen.ts";
import { strings } from "../strings.ts";

const FIRST_BARS = 8;

export function makeEmpty(
  host: DeskHost,
  files: Files,
  opened: () => void,
): { element: HTMLElement; update(): void } {
  const { store, ui, actions, surface } = host;
  const draw = (): void => {
    actions.setTool("draw");
    surface.focus({ preventScroll: true });
  };
  /** There has to be something to draw on. */
  const makeRoom = (): void => {
    const ops: Op[] = store.tracks.length > 0 ? [] : [{ op: "track_add", program: 0 }];
    if (store.bars.n === 0) {
      ops.push({ op: "bars_insert", at: 0, count: FIRST_BARS });
    }
    if (ops.length === 0) {
      draw();
      return;
    }
    store.editor.structureEdit(strings.didMakeRoom, ...ops);
    const stop = store.subscribe(() => {
      if (store.bars.n > 0 && store.tracks.length > 0) {
        stop();
        draw();
      }
    });
    host.signal.addEventListener("abort", stop, { once: true });
  };
  const example = async (): Promise<void> => {
    await store.ask("example", {});
    opened();
    host.announce(strings.opened(strings.example));
  };
  const offer = (text: string, hint: string, testid: string, click: () => void): HTMLElement =>
    h("button", {
      class: "mgnb-button mgnb-offer",
      text,
      title: hint,
      testid,
      attrs: { type: "button" },
      on: { click },
    });
  const ofPython = [
    offer(strings.emptyDemo, strings.emptyDemoHint, "mgnb-empty-demo", () => store.attempt(example())),
    offer(strings.openFile, strings.emptyOpenHint, "mgnb-empty-open", () => files.choose()),
  ];
  const element = h(
    "div",
    { class: "mgnb-empty", testid: "mgnb-empty", attrs: { role: "group", "aria-label": strings.emptyLabel } },
    h("span", { class: "mgnb-empty-words", text: strings.emptyLabel }),
    ...(store.caps.exported ? [] : ofPython),
    offer(strings.emptyDraw, strings.emptyDrawHint, "mgnb-empty-draw", makeRoom),
  );
  return {
    element,
    update: () => {
      const bare = store.document !== null && store.notes.count === 0 && store.removed.count === 0;
      const drawing = ui.tool !== HOME_TOOL && ui.tool !== "select";
      element.hidden = !bare || !store.editable || store.running || drawing;
    },
  };
}
