/** Track headers: name, instrument, mute, solo. One per lane, moved with it. */

import type { Lane } from "../coords.ts";
import { h, icon, setAttr, setText } from "../dom.ts";
import type { Plan, TrackInfo } from "../protocol.gen.ts";
import { rovingFocus, settleTabStop } from "../roving_focus.ts";
import { strings } from "../strings.ts";
import { trackRole } from "../takes/roles.ts";
import type { Palette } from "../theme.ts";

/** Lanes lower than this have no room for the instrument's name. */
const SHORT_PX = 64;

export interface HeaderActions {
  select(track: number, event: MouseEvent | KeyboardEvent): void;
  expand(track: number): void;
  mute(track: number): void;
  solo(track: number): void;
  menu(track: number, opener: HTMLElement): void;
}

export interface HeaderState {
  tracks: readonly TrackInfo[];
  names: readonly string[];
  lanes: readonly Lane[];
  top: number;
  muted: ReadonlySet<number>;
  soloed: ReadonlySet<number>;
  selectedTracks: ReadonlySet<number>;
  palette: Palette;
  plan: Plan;
}

interface Header {
  element: HTMLElement;
  name: HTMLElement;
  instrument: HTMLElement;
  select: HTMLButtonElement;
  mute: HTMLButtonElement;
  solo: HTMLButtonElement;
  expand: HTMLButtonElement;
  menu: HTMLButtonElement;
}

export interface Headers {
  element: HTMLElement;
  update(state: HeaderState): void;
}

export function makeHeaders(actions: HeaderActions): Headers {
  const element = h("div", {
    class: "mgnb-headers",
    attrs: { role: "group", "aria-label": strings.headersLabel },
  });
  rovingFocus(element, 5);
  let rows: Header[] = [];
  return {
    element,
    update: (state) => {
      if (rows.length !== state.tracks.length) {
        rows = state.tracks.map((_, track) => makeHeader(track, actions));
        element.replaceChildren(...rows.map((row) => row.element));
        settleTabStop(element);
      }
      rows.forEach((row, track) => {
        updateHeader(row, track, state);
      });
    },
  };
}

function makeHeader(track: number, actions: HeaderActions): Header {
  const name = h("span", { class: "mgnb-track-name" });
  const instrument = h("span", { class: "mgnb-track-instrument" });
  const select = h(
    "button",
    {
      class: "mgnb-button mgnb-track-select",
      attrs: { type: "button" },
      on: {
        click: (event) => actions.select(track, event as MouseEvent),
        dblclick: () => actions.expand(track),
      },
    },
    name,
    instrument,
  );
  const letter = (text: string, kind: string, action: (track: number) => void): HTMLButtonElement =>
    h("button", {
      class: `mgnb-button mgnb-letter mgnb-${kind}`,
      text,
      testid: `mgnb-${kind}-${track}`,
      attrs: { type: "button" },
      on: { click: () => action(track) },
    });
  const mute = letter(strings.muteShort, "mute", actions.mute);
  const solo = letter(strings.soloShort, "solo", actions.solo);
  const expand = h(
    "button",
    {
      class: "mgnb-button mgnb-letter mgnb-expand",
      testid: `mgnb-expand-${track}`,
      attrs: { type: "button" },
      on: { click: () => actions.expand(track) },
    },
    icon("chevron"),
  );
  const menu: HTMLButtonElement = h(
    "button",
    {
      class: "mgnb-button mgnb-letter mgnb-track-menu",
      testid: `mgnb-track-menu-${track}`,
      attrs: { type: "button", "aria-haspopup": "menu", "aria-expanded": "false" },
      on: { click: () => actions.menu(track, menu) },
    },
    icon("more"),
  );
  const element = h(
    "div",
    {
      class: "mgnb-track",
      testid: `mgnb-track-${track}`,
      on: {
        contextmenu: (event) => {
          event.preventDefault();
          actions.menu(track, menu);
        },
      },
    },
    select,
    h("div", { class: "mgnb-track-buttons" }, mute, solo, menu, expand),
  );
  return { element, name, instrument, select, mute, solo, expand, menu };
}

function updateHeader(row: Header, track: number, state: HeaderState): void {
  const info = state.tracks[track];
  const lane = state.lanes[track];
  const label = state.names[track] ?? strings.track(track);
  if (!info || !lane) {
    return;
  }
  row.element.hidden = lane.height === 0;
  const { style } = row.element;
  style.transform = `translateY(${lane.y - state.top}px)`;
  style.height = `${lane.height}px`;
  const colours = state.palette.tracks[track % state.palette.tracks.length];
  style.setProperty("--mgnb-track", colours?.solid ?? "");
  row.element.classList.toggle("mgnb-short", lane.height < SHORT_PX);
  row.element.classList.toggle("mgnb-selected", state.selectedTracks.has(track));
  row.element.classList.toggle(
    "mgnb-silent",
    state.soloed.size > 0 ? !state.soloed.has(track) : state.muted.has(track),
  );
  setText(row.name, label);
  const role = trackRole(state.plan, track);
  setText(row.instrument, role === "context" ? instrumentText(info, label) : strings.trackIs[role]);
  row.select.title = strings.selectTrack(label);
  setAttr(row.mute, "aria-label", strings.mute(label));
  setAttr(row.solo, "aria-label", strings.solo(label));
  setAttr(row.mute, "aria-pressed", String(state.muted.has(track)));
  setAttr(row.solo, "aria-pressed", String(state.soloed.has(track)));
  row.mute.title = strings.mute(label);
  setAttr(row.menu, "aria-label", strings.trackMenu(label));
  row.menu.title = strings.trackMenu(label);
  row.solo.title = strings.solo(label);
  setAttr(row.expand, "aria-expanded", String(lane.expanded));
  setAttr(row.expand, "aria-label", lane.expanded ? strings.collapse(label) : strings.expand(label));
  row.expand.title = lane.expanded ? strings.collapse(label) : strings.expand(label);
}

const instrumentText = (info: TrackInfo, label: string): string => {
  const text = info.drum ? strings.drums : info.family;
  return text === label ? "" : text;
};
