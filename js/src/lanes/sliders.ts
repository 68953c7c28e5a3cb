/** Lanes for keys and for ears: a slider per bar in view, one tab stop per lane. */
import { tickToX } from "../coords.ts";
import { h, setAttr } from "../dom.ts";
import { strings } from "../strings.ts";
import { attributeLabel, levelText } from "./choice.ts";
import { adherenceText, type Marks } from "./marks.ts";
import { curveActions } from "./menus.ts";
import type { Lane, LaneState } from "./state.ts";

const MAX_BARS = 64;
const BIG_STEP = 3;

export interface Sliders {
  element: HTMLElement;
  /** Brings sliders up to date with what is shown. */
  update(): void;
  /** Gives a bar of a lane the keyboard, and scrolls it into view. */
  focus(lane: Lane, bar: number): void;
}

/** What is known of a bar, in words. */
export function describeMarks(lane: Lane, marks: Marks): string {
  const { info } = lane;
  const say = (level: number): string => levelText(info, level);
  const { requested, measured, announced, adherence, reach } = marks;
  const full = !reach || (reach[0] <= 0 && reach[1] >= info.size - 1);
  return [
    requested === undefined ? strings.noPreference : strings.laneAsked(say(requested)),
    announced !== undefined && strings.laneAnnounced(say(announced)),
    measured !== undefined && strings.laneMeasured(say(measured)),
    adherence !== undefined && strings.laneAdherence(adherenceText(adherence)),
    !full && strings.laneReach(say(reach[0]), say(reach[1])),
  ]
    .filter(Boolean)
    .join(", ");
}

export function makeSliders(state: LaneState, moved: () => void): Sliders {
  const element = h("div", { class: "mgnb-lane-sliders" });
  let shape = "";
  let nodes: { node: HTMLElement; lane: Lane; bar: number }[] = [];

  const barsInView = (): [number, number] => {
    const { bars, ui } = state;
    const first = bars.at(ui.viewport.left);
    const last = bars.at(ui.viewport.left + ui.viewport.width / ui.viewport.scale - 1);
    return [first, Math.min(last, first + MAX_BARS - 1)];
  };
  const build = (first: number, last: number): void => {
    nodes = [];
    const groups = state.lanes.map((lane) => {
      const count = lane.wide ? 1 : last - first + 1;
      const sliders = Array.from({ length: count }, (_, i) => {
        const bar = lane.wide ? -1 : first + i;
        const node = h("div", {
          class: "mgnb-lane-slider",
          attrs: { role: "slider", "aria-orientation": "vertical", "aria-valuemin": 0 },
        });
        node.dataset["lane"] = lane.info.name;
        node.dataset["bar"] = String(bar);
        nodes.push({ node, lane, bar });
        return node;
      });
      const label = attributeLabel(lane.info);
      return h("div", { attrs: { role: "group", "aria-label": label } }, ...sliders);
    });
    element.replaceChildren(...groups);
  };
  const place = (): void => {
    const { bars, ui, store, track } = state;
    const name = store.names[track] ?? "";
    const [first] = barsInView();
    for (const { node, lane, bar } of nodes) {
      const marks = lane.marks(bar);
      const x = lane.wide ? 0 : tickToX(ui.viewport, bars.start(bar));
      const end = lane.wide ? ui.viewport.width : tickToX(ui.viewport, bars.start(bar + 1));
      node.style.left = `${x}px`;
      node.style.top = `${lane.top}px`;
      node.style.width = `${end - x}px`;
      node.style.height = `${lane.height}px`;
      const stop = state.at.name === lane.info.name ? state.at.bar : first;
      const inView = nodes.some((other) => other.lane === lane && other.bar === stop);
      setAttr(node, "tabindex", lane.wide || bar === (inView ? stop : first) ? 0 : -1);
      setAttr(node, "aria-valuemax", lane.size - 1);
      setAttr(node, "aria-valuenow", marks.requested ?? marks.measured ?? 0);
      setAttr(node, "aria-valuetext", describeMarks(lane, marks));
      setAttr(node, "aria-readonly", store.canGenerate ? null : "true");
      setAttr(node, "aria-label", strings.laneBar(attributeLabel(lane.info), name, bar));
    }
  };
  const update = (): void => {
    const [first, last] = barsInView();
    const key = [first, last, ...state.lanes.map((lane) => lane.info.name)].join();
    if (key !== shape) {
      const held = focused();
      shape = key;
      build(first, last);
      place();
      held && find(held.name, held.bar)?.focus({ preventScroll: true });
    } else {
      for (const entry of nodes) {
        entry.lane = state.lane(entry.lane.info.name) ?? entry.lane; // lanes are made anew, their names stay
      }
      place();
    }
  };
  const find = (name: string, bar: number): HTMLElement | undefined =>
    nodes.find((entry) => entry.lane.info.name === name && entry.bar === bar)?.node;
  const focused = (): { name: string; bar: number } | null => {
    const active = (element.getRootNode() as Document | ShadowRoot).activeElement as HTMLElement | null;
    const { lane, bar } = active && element.contains(active) ? active.dataset : {};
    return lane === undefined ? null : { name: lane, bar: Number(bar) };
  };
  const focus = (lane: Lane, bar: number): void => {
    state.at = { name: lane.info.name, bar: Math.max(0, bar) };
    if (!lane.wide) {
      reveal(state, bar);
    }
    update();
    find(lane.info.name, bar)?.focus({ preventScroll: true });
  };
  element.addEventListener("keydown", (event) => {
    const here = focused();
    const lane = here && state.lane(here.name);
    if (!lane || event.ctrlKey || event.metaKey || event.altKey) {
      return;
    }
    if (!state.store.canGenerate || !press(state, lane, here.bar, event, focus)) {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
    update();
    moved();
  });
  return { element, update, focus };
}

/** One key on a slider; false when the key means nothing here. */
function press(
  state: LaneState,
  lane: Lane,
  bar: number,
  event: KeyboardEvent,
  focus: (lane: Lane, bar: number) => void,
): boolean {
  const { requested, measured } = lane.marks(bar);
  const top = lane.size - 1;
  const middle = measured ?? Math.floor(top / 2);
  const by = (steps: number): number =>
    Math.max(0, Math.min(top, requested === undefined ? middle : requested + steps));
  const levels: Readonly<Record<string, () => number | null>> = {
    ArrowUp: () => by(1),
    ArrowDown: () => by(-1),
    PageUp: () => by(BIG_STEP),
    PageDown: () => by(-BIG_STEP),
    Home: () => 0,
    End: () => top,
    Delete: () => null,
    Backspace: () => null,
  };
  const put = (at: number, level: number | null): void => {
    state.write(lane, [[at, level]]);
    state.selectDrawn(lane, level === null ? [] : [at]);
  };
  const level = levels[event.key];
  if (level) {
    put(bar, level());
    return true;
  }
  const whole = curveActions(state, lane).find(({ key }) => key === event.key);
  if (whole) {
    whole.disabled || whole.run();
    return true;
  }
  const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
  if (step === undefined || lane.wide) {
    return step !== undefined;
  }
  const next = Math.max(0, Math.min(state.bars.n - 1, bar + step));
  if (event.shiftKey && next !== bar) {
    put(next, requested ?? null);
  }
  focus(lane, next);
  return true;
}

function reveal({ bars, ui }: LaneState, bar: number): void {
  const view = ui.viewport;
  const [x, end] = [tickToX(view, bars.start(bar)), tickToX(view, bars.start(bar + 1))];
  if (x < 0) {
    ui.setViewport({ ...view, left: bars.start(bar) });
  } else if (end > view.width + 1) {
    ui.setViewport({ ...view, left: bars.start(bar + 1) - view.width / view.scale });
  }
}
