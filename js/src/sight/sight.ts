/** What a view shows beside notes and bars: one track in focus, rows of a key, the model's grid; and the menu for it. */
import type { DeskHost } from "../desk/entry.ts";
import { h, icon } from "../dom.ts";
import { pitchNames } from "../layers/keys.ts";
import type { MenuItem, MenuPage } from "../panel/menu.ts";
import type { GridInfo } from "../protocol.gen.ts";
import { strings } from "../strings.ts";
import type { Change } from "../synced.ts";
import { drawGhosts } from "./ghosts.ts";
import { joinKeyStrip } from "./key_strip.ts";
import { misfitMarks, misfits, stepLines } from "./model_grid.ts";
import { type Key, keyOfLevel, SCALES, type ScaleName } from "./scale.ts";
import { scaleRows } from "./scale_rows.ts";

/** Rows of the key: none, of the key that is asked for or measured, or of a chosen one. */
type KeyChoice = "none" | "music" | Key;

/** Returns what is to be called when the store has changed. */
export function makeSight(
  host: DeskHost,
  open: (page: MenuPage, opener: HTMLElement) => void,
): (changes: ReadonlySet<Change>) => void {
  const { store, ui, actions } = host;
  let choice: KeyChoice = "none";
  let marks = true;
  const grid = (): GridInfo | null => store.caps.grid ?? null;
  const quarter = (): number => store.resolution;

  /** Name of the attribute whose values are keys. */
  const keyAttribute = (): string | undefined =>
    store.caps.attributes?.find(({ unit }) => unit === "key")?.name;
  const keyAt = (track: number, bar: number): Key | null => {
    if (choice !== "music") {
      return choice === "none" ? null : choice;
    }
    const name = keyAttribute();
    return name === undefined
      ? null
      : keyOfLevel(
          store.wish(name, track, bar) ??
            store.wish(name, track) ??
            store.measured(name, track, bar) ??
            store.measured(name, track),
        );
  };
  const set = (next: KeyChoice): void => {
    choice = next;
    ui.dirty("grid");
  };

  const rows = scaleRows(keyAt);
  ui.more.rows.push((ctx, scene) => choice !== "none" && rows(ctx, scene), stepLines(grid, quarter));
  ui.more.under.push((ctx, scene) => {
    if (ui.focus >= 0) {
      const drum = store.tracks[ui.focus]?.drum;
      const like = store.tracks.flatMap((track, i) => (i !== ui.focus && track.drum === drum ? [i] : []));
      drawGhosts(ctx, scene, ui.focus, like);
    }
  });
  ui.more.over.push(misfitMarks(grid, quarter, () => marks));
  ui.more.top.push(joinKeyStrip(host));

  const scalePage = (tonic: number): MenuPage => ({
    label: strings.keyOn(pitchNames[tonic] ?? ""),
    items: (Object.keys(SCALES) as ScaleName[]).map((scale) => ({
      label: `${pitchNames[tonic]} ${scale}`,
      testid: `mgnb-scale-${scale.replaceAll(" ", "-")}`,
      checked: typeof choice === "object" && choice.tonic === tonic && choice.scale === scale,
      run: () => set({ tonic, scale }),
    })),
  });
  const keyPage = (): MenuPage => ({
    label: strings.keyRows,
    items: [
      { label: strings.keyNone, testid: "mgnb-key-none", checked: choice === "none", run: () => set("none") },
      {
        label: strings.keyOfMusic,
        testid: "mgnb-key-music",
        disabled: keyAttribute() === undefined,
        checked: choice === "music",
        run: () => set("music"),
      },
      null,
      ...pitchNames.map(
        (name, tonic): MenuItem => ({
          label: name,
          testid: `mgnb-key-${tonic}`,
          page: () => scalePage(tonic),
        }),
      ),
    ],
  });
  const page = (): MenuPage => {
    const info = grid();
    const track = ui.focus >= 0 ? ui.focus : ui.cursor[0];
    const name = store.names[track] ?? strings.track(track);
    const off = info ? misfits(store, info, quarter()) : 0;
    const items: (MenuItem | null)[] = [
      {
        label: strings.focusOn(name),
        testid: "mgnb-focus",
        several: true,
        checked: ui.focus >= 0,
        run: () => actions.focusOn(ui.focus >= 0 ? -1 : track),
      },
      { label: strings.keyRows, testid: "mgnb-key-rows", page: keyPage },
    ];
    if (info) {
      items.push({
        label: strings.offGrid(off),
        testid: "mgnb-off-grid",
        several: true,
        checked: marks,
        run: () => {
          marks = !marks;
          ui.dirty("notes");
        },
      });
    }
    return { label: strings.sight, items };
  };

  const attrs = {
    type: "button",
    "aria-haspopup": "menu",
    "aria-expanded": "false",
    "aria-label": strings.sight,
  };
  const button: HTMLButtonElement = h(
    "button",
    {
      class: "mgnb-button mgnb-corner-button mgnb-sight",
      title: strings.sight,
      testid: "mgnb-sight",
      attrs,
      on: { click: () => open(page(), button) },
    },
    icon("eye"),
  );
  host.root.querySelector(".mgnb-side")?.append(button);
  return (changes) => {
    if (choice === "music" && (changes.has("wishes") || changes.has("document"))) {
      ui.dirty("grid");
    }
  };
}
