/** The cells for readers that do not see the canvas: a hidden grid with the bars in view, and one active cell. */
import { h, setAttr } from "./dom.ts";
import type { Cell } from "./protocol.gen.ts";
import { strings } from "./strings.ts";

const MAX_BARS = 48;
const MAX_TRACKS = 32;

export interface GridScene {
  names: readonly string[];
  nBars: number;
  firstBar: number;
  lastBar: number;
  cursor: Cell;
  selected(track: number, bar: number): boolean;
  notes(track: number, bar: number): number;
}

/** Fills `owner` (role grid) with rows and cells; returns a function that brings them up to date. */
export function makeAriaGrid(owner: HTMLElement, prefix: string): (scene: GridScene) => void {
  const holder = h("div", { class: "mgnb-hidden", attrs: { role: "rowgroup" } });
  owner.append(holder);
  const idOf = (track: number, bar: number): string => `${prefix}-${track}-${bar}`;
  let shape = "";
  let cells: { node: HTMLElement; track: number; bar: number }[] = [];

  const build = (tracks: number[], bars: number[], names: readonly string[]): void => {
    cells = [];
    const rows = tracks.map((track) =>
      h(
        "div",
        { attrs: { role: "row", "aria-rowindex": track + 1 } },
        h("span", { text: names[track] ?? strings.track(track), attrs: { role: "rowheader" } }),
        ...bars.map((bar) => {
          const node = h("span", {
            attrs: { role: "gridcell", id: idOf(track, bar), "aria-colindex": bar + 2 },
          });
          cells.push({ node, track, bar });
          return node;
        }),
      ),
    );
    holder.replaceChildren(...rows);
  };

  return (scene) => {
    const [track, bar] = scene.cursor;
    const first = Math.max(0, Math.min(scene.firstBar, bar));
    const last = Math.min(scene.nBars - 1, Math.max(scene.lastBar, bar));
    const from = Math.max(first, Math.min(bar - MAX_BARS / 2, last - MAX_BARS + 1));
    const bars = range(Math.max(0, from), Math.min(last, Math.max(0, from) + MAX_BARS - 1));
    const fromTrack = Math.max(0, Math.min(track - MAX_TRACKS / 2, scene.names.length - MAX_TRACKS));
    const tracks = range(fromTrack, Math.min(scene.names.length - 1, fromTrack + MAX_TRACKS - 1));
    const key = `${bars[0]}-${bars.length}-${fromTrack}-${scene.names.join("|")}`;
    if (key !== shape) {
      shape = key;
      build(tracks, bars, scene.names);
    }
    for (const cell of cells) {
      setAttr(cell.node, "aria-selected", String(scene.selected(cell.track, cell.bar)));
      setAttr(
        cell.node,
        "aria-label",
        strings.cellLabel(
          scene.names[cell.track] ?? strings.track(cell.track),
          cell.bar,
          scene.notes(cell.track, cell.bar),
        ),
      );
    }
    setAttr(owner, "aria-rowcount", Math.max(1, scene.names.length));
    setAttr(owner, "aria-colcount", scene.nBars + 1);
    setAttr(owner, "aria-activedescendant", scene.nBars > 0 ? idOf(track, bar) : null);
  };
}

const range = (from: number, to: number): number[] =>
  Array.from({ length: Math.max(0, to - from + 1) }, (_, i) => from + i);
