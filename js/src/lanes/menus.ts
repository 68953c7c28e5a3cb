/** Menus of the lanes: which attributes are shown, and what can be done to a whole curve. */
import { h } from "../dom.ts";
import type { MenuItem, MenuPage } from "../panel/menu.ts";
import { barRanges } from "../selection.ts";
import { strings } from "../strings.ts";
import { attributeLabel, levelText } from "./choice.ts";
import { type Entry, filled, randomised } from "./curve.ts";
import type { Lane, LaneState } from "./state.ts";

const page = (title: string, items: readonly MenuItem[]): MenuPage => ({
  label: title,
  items,
  above: h("div", { class: "mgnb-menu-title", text: title }),
});

/** All attributes of the model; those that do not fit the track say why. */
export function lanesMenu(state: LaneState): MenuPage {
  const items: MenuItem[] = state.choices.map(({ info, shown, why }) => {
    const hint = why || (info.level === "track" ? strings.laneWholeTrack : strings.lanePerBar);
    return {
      label: `${attributeLabel(info)} (${hint})`,
      checked: shown && why === "",
      several: true,
      disabled: why !== "",
      testid: `mgnb-lane-choice-${info.name}`,
      run: () => state.showLane(info.name, !shown),
    };
  });
  const absent = state.store.caps.absent ?? [];
  if (absent.length > 0) {
    items.push({ label: strings.laneAbsent(absent.join(", ")), disabled: true });
  }
  const { store } = state;
  if (store.caps.chords) {
    const shown = store.get("show_chords") !== false;
    items.unshift({
      label: `${strings.chords} (${strings.lanePerBar})`,
      checked: shown,
      several: true,
      testid: "mgnb-lane-choice-chords",
      run: () => {
        store.save("show_chords", !shown);
        store.changed("wishes");
      },
    });
  }
  for (const { label, why } of store.caps.piece_absent ?? []) {
    items.push({ label: strings.pieceWithout(label, why), disabled: true });
  }
  return page(strings.lanesMenuTitle, items);
}

/** What can be done to a whole curve, by key (on a bar of the lane) and by menu. */
export interface CurveAction {
  key: string;
  label: string;
  testid: string;
  disabled?: boolean;
  run(): void;
}

export function curveActions(state: LaneState, lane: Lane): CurveAction[] {
  const { info, size } = lane;
  const bars = state.scope(lane);
  const wished = (bar: number): number | undefined => lane.marks(bar).requested;
  const level =
    wished(lane.wide ? -1 : state.at.bar) ??
    bars.map(wished).find((value) => value !== undefined) ??
    Math.floor((size - 1) / 2);
  const put = (entries: readonly Entry[]): void => {
    state.store.oneStep(() => state.write(lane, entries));
    state.selectDrawn(
      lane,
      entries.filter(([, value]) => value !== null).map(([bar]) => bar),
    );
  };
  const known = bars.flatMap((bar): Entry[] => {
    const { measured } = lane.marks(bar);
    return measured === undefined ? [] : [[bar, measured]];
  });
  return [
    {
      key: "f",
      label: strings.laneFill(levelText(info, level)),
      testid: "mgnb-lane-fill",
      run: () => put(filled(bars, level)),
    },
    {
      key: "r",
      label: strings.laneRandom,
      testid: "mgnb-lane-random",
      run: () => put(randomised(bars, (bar) => lane.marks(bar).reach ?? [0, size - 1])),
    },
    {
      key: "m",
      label: strings.laneCopy,
      testid: "mgnb-lane-copy",
      disabled: known.length === 0,
      run: () => put(known),
    },
    { key: "x", label: strings.laneClear, testid: "mgnb-lane-clear", run: () => put(filled(bars, null)) },
  ];
}

/** Fill, randomise, copy what is measured, clear, hide. */
export function actionsMenu(state: LaneState, lane: Lane): MenuPage {
  const bars = state.scope(lane);
  const where = lane.wide ? strings.wholeTrack : strings.barsNamed(barRanges(bars), bars.length);
  const items: MenuItem[] = curveActions(state, lane).map(({ key, label, ...rest }) => ({
    ...rest,
    label: strings.laneKey(label, key.toUpperCase()),
  }));
  items.push({ label: strings.laneHide, run: () => state.showLane(lane.info.name, false) });
  return page(`${attributeLabel(lane.info)}: ${where}`, items);
}
