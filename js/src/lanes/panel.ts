/** The attribute lanes below the roll: the shown track's curves, drawn as automation is drawn. */
import { tickToX } from "../coords.ts";
import { h, icon, setAttr, setText } from "../dom.ts";
import { runGestures } from "../gestures/gesture.ts";
import { wheel } from "../gestures/pan_zoom.ts";
import type { Action } from "../keyboard.ts";
import { colourOf } from "../layers/scene.ts";
import { Menus } from "../panel/menu.ts";
import { makeChips } from "../panel/piece.ts";
import type { Store } from "../store.ts";
import { strings } from "../strings.ts";
import type { Change } from "../synced.ts";
import type { Palette } from "../theme.ts";
import { Timers } from "../timers.ts";
import type { UiState } from "../ui_state.ts";
import { attributeLabel, levelText } from "./choice.ts";
import { makeChords } from "./chords.ts";
import { barAt, drawCurve, pointIn } from "./draw.ts";
import { adherenceText, drawLanes, levelY } from "./marks.ts";
import { actionsMenu, lanesMenu } from "./menus.ts";
import { describeMarks, makeSliders } from "./sliders.ts";
import { type Lane, LaneState } from "./state.ts";

const SLIDERS_MS = 120;

export interface LaneHost {
  store: Store;
  ui: UiState;
  palette(): Palette;
  announce(text: string): void;
  run(action: Action): void;
  signal: AbortSignal;
}

export interface LanePanel {
  element: HTMLElement;
  /** Whose curves are shown. */
  readonly track: number;
  /** Paints again with the next frame. */
  dirty(): void;
  update(changes: ReadonlySet<Change>): void;
  toggle(): void;
  /** Opens the field for the chords of the selected bars. */
  typeChords(): void;
  setPlayhead(tick: number): void;
  /** Client coordinates of a level in a bar (-1: whole track): for tests. */
  point(name: string, bar: number, level: number): { x: number; y: number } | null;
}

interface Head {
  lane: Lane;
  element: HTMLElement;
  note: HTMLElement;
  menu: HTMLElement;
}

export function makeLanes(host: LaneHost): LanePanel {
  const { store, ui, signal } = host;
  const state = new LaneState(store, ui);
  const timers = new Timers();
  const dot = h("span", { class: "mgnb-lane-dot", attrs: { "aria-hidden": "true" } });
  const tracks = h("select", {
    class: "mgnb-snap mgnb-lane-track",
    title: strings.laneTrackHint,
    testid: "mgnb-lane-track",
    attrs: { "aria-label": strings.laneTrackHint },
  });
  const choose = h(
    "button",
    {
      class: "mgnb-button mgnb-lane-choose",
      title: strings.lanesMenuHint,
      testid: "mgnb-lanes-menu",
      attrs: { type: "button", "aria-haspopup": "menu", "aria-expanded": "false" },
      on: { click: () => menus().open(lanesMenu(state), choose) },
    },
    h("span", { text: strings.lanes }),
    icon("chevron"),
  );
  const readout = h("div", { class: "mgnb-lane-readout", testid: "mgnb-lane-readout" });
  const legend = h(
    "div",
    { class: "mgnb-lane-legend" },
    ...strings.laneLegend.map((text) => h("span", { text })),
  );
  const heads = h("div", { class: "mgnb-lane-heads" });
  const canvas = h("canvas", {
    class: "mgnb-canvas",
    testid: "mgnb-lane-canvas",
    attrs: { "aria-hidden": "true" },
  });
  const tip = h("div", { class: "mgnb-lane-tip", attrs: { hidden: true } });
  const playhead = h("div", { class: "mgnb-lane-playhead" });
  const sliders = makeSliders(state, () => {
    const lane = state.lane(state.at.name);
    if (lane) {
      read(lane, lane.wide ? -1 : state.at.bar);
    }
  });
  const chords = makeChords({
    store,
    ui,
    announce: host.announce,
    openMenu: (page, opener) => menus().open(page, opener),
    generate: () => host.run({ do: "generate" }),
  });
  const chips = makeChips(store, (page, opener) => menus().open(page, opener));
  const area = h("div", { class: "mgnb-lane-area" }, canvas, playhead, sliders.element, tip);
  const element = h(
    "div",
    { class: "mgnb-lanes", testid: "mgnb-lanes", attrs: { role: "group", "aria-label": strings.lanesLabel } },
    h(
      "div",
      { class: "mgnb-lane-strip" },
      h("div", { class: "mgnb-lane-side" }, dot, tracks, choose),
      chips.element,
      readout,
      legend,
    ),
    chords.element,
    h("div", { class: "mgnb-lane-body" }, heads, area),
  );
  let made: Menus | null = null;
  const menus = (): Menus => {
    made ??= new Menus(element.closest<HTMLElement>(".mgnb-root") ?? element, signal);
    return made;
  };
  let rows: Head[] = [];
  let shape = "";
  let frame = 0;

  // ---------------------------------------------------------------- painting

  const paint = (): void => {
    if (!ui.visible) {
      canvas.width = canvas.height = 0; // out of sight: no bitmap
      return;
    }
    const { width } = ui.viewport;
    const dpr = globalThis.devicePixelRatio || 1;
    const [w, hgt] = [Math.round(width * dpr), Math.round(state.height * dpr)];
    if (canvas.width !== w || canvas.height !== hgt) {
      canvas.width = w;
      canvas.height = hgt;
      canvas.style.width = `${width}px`;
      canvas.style.height = `${state.height}px`;
    }
    const ctx = canvas.getContext("2d");
    if (!ctx || width === 0) {
      return;
    }
    const palette = host.palette();
    ctx.setTransform(dpr, 0, 0, dpr, 0, 0);
    ctx.clearRect(0, 0, width, state.height);
    const colour = colourOf(palette, state.track).solid;
    element.style.setProperty("--mgnb-lane-colour", colour);
    drawLanes(ctx, { view: ui.viewport, dpr, bars: state.bars, palette, colour, rows: state.lanes });
  };
  const dirty = (): void => {
    if (frame === 0 && state.open && !signal.aborted && typeof requestAnimationFrame === "function") {
      frame = requestAnimationFrame(() => {
        frame = 0;
        chords.place();
        paint();
      });
      timers.once("sliders", SLIDERS_MS, () => sliders.update());
    }
  };
  signal.addEventListener("abort", () => {
    cancelAnimationFrame(frame);
    timers.cancelAll();
  });

  // ---------------------------------------------------------------- words

  const read = (lane: Lane, bar: number): void => {
    const where = bar < 0 ? strings.wholeTrack : strings.barNumber(bar);
    setText(readout, `${attributeLabel(lane.info)}, ${where}: ${describeMarks(lane, lane.marks(bar))}`);
  };
  const showTip = (lane: Lane, x: number, y: number, text: string): void => {
    setText(tip, text);
    tip.hidden = text === "";
    tip.style.left = `${Math.max(4, Math.min(ui.viewport.width - 110, x + 12))}px`;
    tip.style.top = `${Math.max(0, Math.min(lane.top + lane.height - 22, y - 24))}px`;
  };

  // ---------------------------------------------------------------- pointer

  const place = (event: PointerEvent | MouseEvent): { x: number; y: number } => {
    const box = area.getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top };
  };
  const gestures = runGestures(area, {
    signal,
    locate: (event) => ({
      ...place(event),
      hit: { area: "none" },
      shift: event.shiftKey,
      toggle: event.ctrlKey || event.metaKey,
      alt: event.altKey,
    }),
    begin: (at) => {
      const lane = state.laneAt(at.y);
      if (!lane || !store.canGenerate) {
        return null;
      }
      sliders.focus(lane, barAt(state, lane, pointIn(state, lane, at)));
      return drawCurve(state, lane, at, {
        drawing: (drawn, bar, level) => {
          read(drawn, bar);
          const y = level === null ? drawn.top + 24 : levelY(drawn, level);
          const x = tickToX(ui.viewport, state.bars.start(Math.max(0, bar)));
          showTip(drawn, x, y, level === null ? strings.noPreference : levelText(drawn.info, level));
        },
        done: () => {
          tip.hidden = true;
          sliders.update();
        },
      });
    },
    hover: (at) => {
      const lane = at && state.laneAt(at.y);
      tip.hidden = true;
      if (!lane) {
        setText(readout, "");
        return;
      }
      const bar = barAt(state, lane, pointIn(state, lane, at));
      read(lane, bar);
      area.title = describeMarks(lane, lane.marks(bar));
    },
  });
  const on = <K extends keyof HTMLElementEventMap>(
    name: K,
    handler: (event: HTMLElementEventMap[K]) => void,
  ): void => area.addEventListener(name, handler, { signal });
  on("dblclick", (event) => {
    const at = place(event);
    const lane = state.laneAt(at.y);
    if (lane && store.canGenerate) {
      store.sameStroke(); // with the level that its first click has set
      state.write(lane, [[barAt(state, lane, pointIn(state, lane, at)), null]]);
      store.endStroke();
    }
  });
  on("pointerdown", () => {
    area.title = "";
  });
  on("mousedown", (event) => event.preventDefault()); // the focus stays on the slider
  area.addEventListener(
    "wheel",
    (event) => {
      if ((event.ctrlKey || event.metaKey || event.shiftKey) && wheel(ui, event, place(event).x)) {
        event.preventDefault();
      }
    },
    { signal, passive: false },
  );
  element.addEventListener(
    "keydown",
    (event) => {
      const handled: Readonly<Record<string, Action>> = { Enter: { do: "generate" }, " ": { do: "play" } };
      const onSlider = (event.target as Element).getAttribute("role") === "slider";
      if (event.key === "Escape" && gestures.cancel()) {
        event.stopPropagation();
        return;
      }
      const action = handled[event.key];
      if (onSlider && action) {
        event.preventDefault();
        event.stopPropagation();
        host.run(action);
      }
    },
    { signal },
  );
  tracks.addEventListener("change", () => {
    state.track = Number(tracks.value);
    ui.cursor = [state.track, ui.cursor[1]];
    refresh();
  });

  // ---------------------------------------------------------------- rows

  const makeHead = (lane: Lane): Head => {
    const { info } = lane;
    const label = attributeLabel(info);
    const menu = h(
      "button",
      {
        class: "mgnb-button mgnb-letter mgnb-lane-more",
        title: strings.laneMore(label),
        testid: `mgnb-lane-more-${info.name}`,
        attrs: { type: "button", "aria-haspopup": "menu", "aria-label": strings.laneMore(label) },
        on: { click: () => menus().open(actionsMenu(state, state.lane(info.name) ?? lane), menu) },
      },
      icon("chevron"),
    );
    const note = h("span", { class: "mgnb-lane-note" });
    const ends = h(
      "div",
      { class: "mgnb-lane-ends", attrs: { "aria-hidden": "true" } },
      h("span", { text: levelText(info, info.size - 1) }),
      h("span", { text: levelText(info, 0) }),
    );
    const element = h(
      "div",
      { class: "mgnb-lane-head", title: info.help ?? "" },
      h("div", { class: "mgnb-lane-name" }, h("span", { class: "mgnb-lane-label", text: label }), note),
      ends,
      menu,
    );
    element.style.height = `${lane.height}px`;
    return { lane, element, note, menu };
  };
  const refresh = (): void => {
    state.refresh();
    element.hidden = !state.open;
    if (!state.open) {
      return;
    }
    const key = state.lanes.map(({ info }) => info.name).join();
    if (key !== shape || rows.length === 0) {
      shape = key;
      rows = state.lanes.map(makeHead);
      const why = h("p", { class: "mgnb-lane-none", text: strings.laneNone });
      heads.replaceChildren(...(rows.length > 0 ? rows.map((row) => row.element) : [why]));
    }
    rows.forEach((row, i) => {
      row.lane = state.lanes[i] ?? row.lane;
      const { wide, info } = row.lane;
      const kept = state.adherence(row.lane);
      const level = wide ? state.marks(info, -1).requested : undefined;
      const words = level === undefined ? "" : levelText(info, level);
      const met = kept === null ? "" : adherenceText(kept);
      row.menu.hidden = !store.canGenerate;
      setText(row.note, strings.laneNote(wide ? strings.laneWholeTrack : "", words, met));
      row.note.title = kept === null ? "" : strings.laneMet(Math.round(kept * 100));
    });
    area.style.height = `${Math.max(BAR_MIN, state.height)}px`;
    const names = store.names.join("\n");
    if (tracks.dataset["names"] !== names) {
      tracks.dataset["names"] = names;
      tracks.replaceChildren(
        ...store.names.map((name, i) => h("option", { text: name, attrs: { value: i } })),
      );
    }
    tracks.value = String(state.track);
    setAttr(element, "data-track", state.track);
    chords.refresh();
    chips.update();
    dirty();
  };

  return {
    element,
    get track() {
      return state.track;
    },
    dirty,
    update: (changes) => {
      const mine: readonly Change[] = [
        "document",
        "selection",
        "wishes",
        "settings",
        "tracks",
        "theme",
        "job",
      ];
      if (mine.some((name) => changes.has(name))) {
        refresh();
      }
    },
    typeChords: () => {
      if (!state.open) {
        state.toggle();
        refresh();
      }
      chords.type();
    },
    toggle: () => {
      state.toggle();
      host.announce(state.open ? strings.lanesShown : strings.lanesHidden);
    },
    setPlayhead: (tick) => {
      const x = tickToX(ui.viewport, tick);
      playhead.hidden = !store.player.playing || x < 0 || x > ui.viewport.width;
      playhead.style.transform = `translateX(${x.toFixed(1)}px)`;
    },
    point: (name, bar, level) => {
      const lane = state.lane(name);
      if (!lane) {
        return null;
      }
      const box = area.getBoundingClientRect();
      const middle = (state.bars.start(bar) + state.bars.start(bar + 1)) / 2;
      const x = bar < 0 ? ui.viewport.width / 2 : tickToX(ui.viewport, middle);
      return { x: box.left + x, y: box.top + levelY(lane, level) + 2 };
    },
  };
}

const BAR_MIN = 24;
