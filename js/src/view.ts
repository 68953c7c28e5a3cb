/** One place where the roll is shown: builds the elements, connects store, gestures, keys and canvases. */
import { type ActionHost, Actions, ZOOM_STEP } from "./actions.ts";
import { makeAriaGrid } from "./aria_grid.ts";
import { layoutLanes, xToTick } from "./coords.ts";
import { Door } from "./desk/door.ts";
import type { DeskHost } from "./desk/entry.ts";
import { h, setAttr, setText } from "./dom.ts";
import { HOME_TOOL } from "./edit/tools.ts";
import { keepFocus } from "./focus.ts";
import { runGestures } from "./gestures/gesture.ts";
import { dragWindow } from "./gestures/minimap.ts";
import { wheel } from "./gestures/pan_zoom.ts";
import { dragStrip } from "./gestures/strip.ts";
import { makeHandle, type RollHandle } from "./handle.ts";
import { RULER } from "./hit_test.ts";
import { actionOf } from "./keyboard.ts";
import { gatherScene, type Scene } from "./layers/scene.ts";
import { makeHeaders } from "./panel/headers.ts";
import { makeStatus } from "./panel/status.ts";
import { makeToolbar } from "./panel/toolbar.ts";
import { positionText } from "./places.ts";
import { Pointer } from "./pointer.ts";
import { describe } from "./selection.ts";
import { popping, Stage } from "./stage.ts";
import type { Store } from "./store.ts";
import { strings } from "./strings.ts";
import type { Change } from "./synced.ts";
import { applyPalette, makePalette, type Palette, readHost, watchHost } from "./theme.ts";
import { Timers } from "./timers.ts";
import { followed } from "./transport.ts";
import { UiState } from "./ui_state.ts";

const MIN_BAR_PX = 46;
const NARROW_PX = 700;
const MEDIUM_PX = 900;
const DEFAULT_HEIGHT = 420;
const MIN_LANES_PX = 120;
const GRID_REFRESH_MS = 150;
/** What a key held down does not do again: it may have been pressed on a button that has gone. */
const ONCE: ReadonlySet<string> = new Set(["generate", "accept"]);
/** JupyterLab's own attribute: its shortcuts leave keys alone that are pressed below an element with it. */
const OWN_KEYS = ["data-lm-suppress-shortcuts", "true"] as const;
const ALL_CHANGES: readonly Change[] = ["document", "settings", "job", "transport", "wishes", "problem"];

export class RollView {
  private readonly ui = new UiState();
  private readonly ended = new AbortController();
  private readonly root: HTMLElement & { mgnb?: RollHandle };
  private readonly probe = h("div", { class: "mgnb-probe" });
  private readonly surface = h("div", {
    class: "mgnb-surface",
    attrs: { role: "grid", tabindex: 0, "aria-multiselectable": "true", "aria-label": strings.gridLabel },
  });
  private readonly overview = h("div", { class: "mgnb-overview", attrs: { "aria-hidden": "true" } });
  private readonly scrollThumb = h("div", { class: "mgnb-scroll-thumb" });
  private readonly scroll = h(
    "div",
    { class: "mgnb-scroll", attrs: { "aria-hidden": "true" } },
    this.scrollThumb,
  );
  private readonly body = h("div", { class: "mgnb-body" });
  private readonly noteText = h("span");
  private readonly again = h("button", {
    class: "mgnb-button mgnb-link",
    text: strings.tryAgain,
    testid: "mgnb-desk-retry",
    attrs: { type: "button" },
    on: { click: () => this.door.retry() },
  });
  private readonly note = h(
    "div",
    { class: "mgnb-note", testid: "mgnb-no-engine" },
    this.noteText,
    " ",
    this.again,
  );
  private readonly timers = new Timers();
  private readonly stage: Stage;
  private readonly actions: Actions;
  private readonly door: Door;
  private readonly pointer: Pointer;
  private readonly toolbar;
  private readonly headers;
  private readonly status;
  private readonly refreshGrid;
  private readonly gestures;
  private readonly observers: { disconnect(): void }[] = [];
  private readonly unsubscribe: () => void;
  private readonly still = globalThis.matchMedia?.("(prefers-reduced-motion: reduce)");
  private palette: Palette;
  private dpr = 1;
  /** Whether the wishes are shown; null until somebody says so. */
  private steerChoice: boolean | null = null;
  private shown = false;

  constructor(
    private readonly store: Store,
    host: HTMLElement,
    /** Only what is asked of the model: bars to choose, curves and wishes; no notes. */
    private readonly asPanel = false,
  ) {
    const { signal } = this.ended;
    this.actions = new Actions(store, this.ui, this.actionHost());
    this.toolbar = makeToolbar(this.toolbarActions());
    this.headers = makeHeaders({
      select: (track, event) => this.actions.selectTrack(track, event),
      expand: (track) => this.actions.expand(track),
      mute: (track) => store.toggleMute(track),
      solo: (track) => store.toggleSolo(track),
      menu: (track, opener) => this.door.ask(({ menus }) => menus.track(track, opener)),
    });
    this.status = makeStatus(() => store.dismissProblem(), this.toolbar.compare);
    const canvases = this.makeCanvases();
    this.root = this.build(canvases.keys);
    this.root.classList.toggle("mgnb-as-panel", asPanel);
    host.append(this.root);
    this.door = new Door(
      store.ask,
      () => this.deskHost(),
      () => this.deskChanged(),
    );
    const { ui, actions, door, surface } = this;
    this.pointer = new Pointer({ store, ui, actions, door, surface, root: this.root, asPanel });
    this.refreshGrid = makeAriaGrid(this.surface, `mgnb-cell-${Math.random().toString(36).slice(2, 8)}`);
    this.palette = makePalette(readHost(this.probe), store.get("theme"));
    this.stage = new Stage(canvases, {
      scene: (now) => this.scene(now),
      more: () => this.ui.more,
      drumNames: () => store.document?.header.drums ?? {},
      tick: () => this.followPlayhead(),
      moving: (now) => store.player.playing || (!this.calm && popping(store.job?.batches ?? [], now)),
      layout: () => this.updateHeaders(),
    });
    this.ui.onDirty = (what) => {
      this.stage.mark(what);
      if (what.includes("grid") || what.includes("pan")) {
        this.door.desk?.lanes.dirty();
      }
      this.gridSoon();
    };
    this.gestures = runGestures(this.surface, {
      begin: (at) => this.pointer.begin(at),
      locate: (event) => this.pointer.locate(event),
      hover: (at) => {
        this.ui.setHover(at?.hit.area === "cell" ? [at.hit.track, at.hit.bar] : null);
        this.door.desk?.hover(at);
      },
      signal,
    });
    this.listen(signal);
    this.observe(signal);
    this.unsubscribe = store.subscribe((changes) => this.update(changes));
    this.root.mgnb = makeHandle(store, this.ui, this.stage, this.surface, () => this.door.desk);
    this.update(new Set(ALL_CHANGES));
    this.door.begin();
  }

  dispose(): void {
    this.unsubscribe();
    this.ended.abort();
    this.door.close();
    for (const observer of this.observers) {
      observer.disconnect();
    }
    this.timers.cancelAll();
    this.stage.dispose();
    delete this.root.mgnb;
    this.root.remove();
  }

  // ---------------------------------------------------------------- elements

  private makeCanvases(): ConstructorParameters<typeof Stage>[0] {
    const canvas = (name: string, testid?: string): HTMLCanvasElement =>
      h("canvas", { class: `mgnb-canvas mgnb-canvas-${name}`, testid, attrs: { "aria-hidden": "true" } });
    const grid = canvas("grid");
    const notes = canvas("notes");
    const overlay = canvas("overlay", "mgnb-canvas");
    const overview = canvas("overview");
    const overviewTop = canvas("overview-top");
    this.surface.append(grid, notes, overlay);
    this.overview.append(overview, overviewTop);
    return { keys: canvas("keys"), grid, notes, overlay, overview, overviewTop };
  }

  private build(keys: HTMLCanvasElement): HTMLElement {
    const side = h("div", { class: "mgnb-side" }, this.headers.element, keys);
    this.body.append(side, this.surface, this.scroll);
    return h(
      "div",
      { class: "mgnb-root", testid: "mgnb-roll", attrs: { role: "region", [OWN_KEYS[0]]: OWN_KEYS[1] } },
      this.probe,
      this.toolbar.element,
      this.status.banner,
      this.body,
      h("div", { class: "mgnb-foot" }, this.overview),
      this.status.element,
      this.note,
      this.status.live,
    );
  }

  // ---------------------------------------------------------------- what the layers draw

  private scene(now: number): Scene {
    const { palette, dpr, calm } = this;
    return gatherScene(this.store, this.ui, { palette, dpr, calm, now });
  }

  /** Nothing moves by itself: what the person has asked of the system. */
  private get calm(): boolean {
    return this.still?.matches ?? false;
  }

  private get steerOpen(): boolean {
    return this.store.canGenerate && (this.steerChoice ?? (this.store.caps.attributes?.length ?? 0) > 0);
  }

  private relayout(): void {
    const { store, ui } = this;
    const tracks = store.usedPitches().map((used, i) => ({ drum: store.tracks[i]?.drum ?? false, used }));
    ui.setLanes(
      layoutLanes(tracks, ui.viewport.height, ui.expanded, ui.focus),
      store.bars.end,
      store.resolution,
    );
    ui.cursor = [
      Math.max(0, Math.min(ui.cursor[0], store.tracks.length - 1)),
      Math.max(0, Math.min(ui.cursor[1], store.bars.n - 1)),
    ];
  }

  private updateHeaders(): void {
    const { store, ui } = this;
    this.headers.update({
      tracks: store.tracks,
      names: store.names,
      lanes: ui.lanes,
      top: ui.viewport.top,
      muted: store.mix.muted,
      soloed: store.mix.soloed,
      selectedTracks: new Set((ui.preview ?? store.selection).tracks()),
      palette: this.palette,
      plan: store.get("plan") ?? {},
    });
    const { contentHeight } = ui.limits;
    const { height, top } = ui.viewport;
    this.scroll.hidden = contentHeight <= height + 1;
    this.scrollThumb.style.top = `${(top / contentHeight) * 100}%`;
    this.scrollThumb.style.height = `${(height / contentHeight) * 100}%`;
  }

  private followPlayhead(): void {
    const { store, ui } = this;
    const tick = store.player.position;
    if (store.player.playing && ui.follow) {
      const left = followed(ui.viewport, tick, store.get("follow") ?? "page");
      if (left !== ui.viewport.left) {
        ui.setViewport({ ...ui.viewport, left });
      }
    }
    this.toolbar.setPosition(positionText(this.store));
    this.door.desk?.lanes.setPlayhead(tick);
  }

  // ---------------------------------------------------------------- following the store

  private update(changes: ReadonlySet<Change>): void {
    keepFocus(this.root, this.surface, () => this.follow(changes));
  }

  private follow(changes: ReadonlySet<Change>): void {
    const { store, ui } = this;
    const any = (...names: Change[]): boolean => names.some((name) => changes.has(name));
    if (any("theme", "settings")) {
      this.applyTheme();
      const wanted = Math.max(MIN_LANES_PX + RULER, store.get("height") || DEFAULT_HEIGHT);
      this.body.style.height = `${this.asPanel ? RULER : wanted}px`;
    }
    if (any("document", "notes")) {
      this.relayout();
      this.showFirst();
    }
    if (any("document", "tracks", "theme")) {
      this.stage.markOverview();
    }
    if (any("edit")) {
      this.relayout();
      this.surface.dataset["tool"] = ui.tool;
      this.stage.markOverview();
    }
    if (any("document", "notes", "compare", "tracks", "job", "theme", "edit")) {
      ui.dirty("grid", "notes", "overlay", "layout");
    }
    if (any("selection")) {
      ui.dirty("grid", "overlay", "layout");
    }
    if (any("transport")) {
      ui.dirty("grid", "overlay");
    }
    this.updateToolbar();
    this.door.desk?.update(changes);
    this.door.desk?.steer(this.steerOpen);
    this.status.update(store);
    this.showNote();
    setAttr(this.root, "aria-label", strings.rollLabel(store.document?.header.title ?? ""));
    setAttr(this.root, "aria-busy", store.running ? "true" : null);
    setAttr(this.surface, "aria-readonly", store.canGenerate ? null : "true");
    this.gridSoon();
  }

  private updateToolbar(): void {
    const { store } = this;
    const what = describe(store.targets, store.names, store.bars.n);
    const empty = store.targets.cells().every(([track, bar]) => store.notesInCell(track, bar) === 0);
    const bpm = store.tempo.bpm(store.player.position, store.resolution);
    this.toolbar.update({
      playing: store.player.playing,
      looping: store.player.loop !== null,
      metronome: store.get("metronome"),
      canLoop: store.selection.size > 0,
      canUndo: store.get("can_undo") && !store.connection.viewOnly,
      canRedo: store.get("can_redo") && !store.connection.viewOnly,
      canGenerate: store.canGenerate,
      takes: store.takes.keepGoing ? 0 : (store.get("n_takes") ?? 1),
      warning: store.outlook.warnings[0] ?? "",
      running: store.running,
      blocked: store.blocked,
      action: what ? (empty ? strings.write(what) : strings.regenerate(what)) : strings.generate,
      compare: store.compare,
      comparable: store.comparable,
      steerOpen: this.steerOpen,
      mayEdit: store.mayEdit,
      editable: store.editable,
      tool: store.editable ? this.ui.tool : HOME_TOOL,
      snap: store.get("snap"),
      position: positionText(store),
      tempo: store.document ? strings.bpm(bpm, store.player.rate) : "",
    });
  }

  private applyTheme(): void {
    this.palette = this.store.mix.coloured(makePalette(readHost(this.probe), this.store.get("theme")));
    applyPalette(this.root, this.palette);
    this.stage.markOverview();
    this.ui.dirty("grid", "notes", "overlay", "layout");
  }

  /** The first time there is a piece and a width: show all of it, if bars stay wide enough. */
  private showFirst(): void {
    if (!this.shown && this.store.bars.n > 0 && this.ui.viewport.width > 0) {
      this.shown = true;
      this.ui.showAll(this.store.bars.n, MIN_BAR_PX);
    }
  }

  /** The hidden grid follows a little later: it is for ears, not for eyes. */
  private gridSoon(): void {
    if (this.ended.signal.aborted) {
      return;
    }
    this.timers.once("grid", GRID_REFRESH_MS, () => {
      const { store, ui } = this;
      this.refreshGrid({
        names: store.names,
        nBars: store.bars.n,
        firstBar: store.bars.at(ui.viewport.left),
        lastBar: store.bars.at(xToTick(ui.viewport, ui.viewport.width)),
        cursor: ui.cursor,
        selected: (track, bar) => store.selection.has(track, bar),
        notes: (track, bar) => store.notesInCell(track, bar),
      });
    });
  }

  // ---------------------------------------------------------------- size, sight, focus, keys

  private observe(signal: AbortSignal): void {
    const measure = (): void => this.measure();
    if (typeof ResizeObserver === "function") {
      const resize = new ResizeObserver(measure);
      resize.observe(this.surface);
      this.observers.push(resize);
    }
    if (typeof IntersectionObserver === "function") {
      const sight = new IntersectionObserver((entries) => {
        const last = entries[entries.length - 1];
        if (last) {
          this.ui.visible = last.isIntersecting;
          this.stage.setVisible(last.isIntersecting);
          this.door.desk?.lanes.dirty();
        }
      });
      sight.observe(this.root);
      this.observers.push(sight);
    }
    // zooming the browser changes the pixel ratio
    globalThis.addEventListener?.("resize", measure, { signal });
    measure();
  }

  private measure(): void {
    const { surface, ui } = this;
    const width = surface.clientWidth;
    const height = surface.clientHeight;
    const dpr = globalThis.devicePixelRatio || 1;
    const same = width === ui.viewport.width && height === ui.viewport.height + RULER && dpr === this.dpr;
    if (width === 0 || same) {
      return; // first shown in a hidden tab: the observer calls again
    }
    this.dpr = dpr;
    const whole = ui.showsAll;
    this.root.classList.toggle("mgnb-narrow", this.root.clientWidth < NARROW_PX);
    this.root.classList.toggle("mgnb-medium", this.root.clientWidth < MEDIUM_PX);
    ui.viewport = { ...ui.viewport, width, height: height - RULER };
    this.stage.resize(width, height);
    this.toolbar.fit();
    this.relayout();
    this.showFirst();
    if (whole) {
      ui.showAll(this.store.bars.n, MIN_BAR_PX); // a wider or narrower place still shows the whole piece
    }
  }

  private listen(signal: AbortSignal): void {
    const { ui, root, surface } = this;
    this.pointer.listen(() => this.gestures.cancel(), signal);
    const onWheel = (event: WheelEvent): void => {
      if (wheel(ui, event, event.clientX - surface.getBoundingClientRect().left)) {
        event.preventDefault();
        event.stopPropagation();
      }
    };
    this.body.addEventListener("wheel", onWheel, { signal, passive: false });
    const focus = (focused: boolean): void => {
      ui.focused = focused;
      ui.dirty("overlay");
    };
    surface.addEventListener(
      "focus",
      () => {
        ui.keyboard = surface.matches(":focus-visible");
        focus(true);
      },
      { signal },
    );
    surface.addEventListener("blur", () => focus(false), { signal });
    // Somebody goes for the buttons: what will sound is fetched meanwhile.
    const near = (): void => this.store.sampledSound()?.fetch();
    this.toolbar.element.addEventListener("pointerenter", near, { signal, once: true });
    this.toolbar.element.addEventListener("focusin", near, { signal, once: true });
    // Keys stay inside: a notebook would take a, b, d d, x, z, Enter … for commands on cells.
    root.addEventListener("keydown", (event) => this.key(event), { signal });
    // Notebook 7 looks at keys before the roll does, and begins at what has the focus: the mark must be there, too.
    const mark = (event: Event): void => (event.target as Element).setAttribute(...OWN_KEYS);
    root.addEventListener("focusin", mark, { signal });
    this.actions.listen(root, signal);
    for (const name of ["keyup", "keypress", "copy", "cut", "paste"]) {
      root.addEventListener(name, (event) => event.stopPropagation(), { signal });
    }
    dragWindow(this.overview, ui, signal);
    const scrollTo = (share: number): void =>
      ui.setViewport({ ...ui.viewport, top: share * ui.limits.contentHeight - ui.viewport.height / 2 });
    dragStrip(this.scroll, "y", scrollTo, signal);
    watchHost(this.probe, () => this.update(new Set(["theme"])), signal);
  }

  private key(event: KeyboardEvent): void {
    event.stopPropagation();
    const target = event.target as HTMLElement;
    if (event.key === "Escape" && this.door.desk?.help(false)) {
      return;
    }
    // Controls keep their own keys: Space presses a button, arrows move a slider.
    if (
      target !== this.surface &&
      (target.closest("input, select, textarea, summary") || ["Enter", " "].includes(event.key))
    ) {
      return;
    }
    const action = actionOf(event, this.store.takes.open || this.store.takes.writing);
    if (action && !(event.repeat && ONCE.has(action.do))) {
      // The browser's own copy and paste events follow these keys.
      if (!["copy", "cut", "paste"].includes(action.do)) {
        event.preventDefault();
      }
      this.actions.run(action);
    }
  }

  // ---------------------------------------------------------------- actions

  private actionHost(): ActionHost {
    return {
      announce: (text) => this.status.announce(text),
      relayout: () => this.relayout(),
      toggleHelp: () => this.door.ask((desk) => desk.help()),
      toggleLanes: () => this.door.ask(({ lanes }) => lanes.toggle()),
      typeChords: () => this.door.ask(({ lanes }) => lanes.typeChords()),
      doubtMenu: () => this.door.ask(({ doubts }) => doubts.menu()),
      cancelGesture: () => this.gestures.cancel(),
      leave: () => this.surface.blur(),
    };
  }

  private toolbarActions(): Parameters<typeof makeToolbar>[0] {
    const { actions, store } = this;
    return {
      play: () => actions.run({ do: "play" }),
      toStart: () => actions.run({ do: "home" }),
      loop: () => actions.run({ do: "loop" }),
      metronome: () => actions.run({ do: "metronome" }),
      zoomIn: () => actions.zoom(ZOOM_STEP),
      zoomOut: () => actions.zoom(1 / ZOOM_STEP),
      zoomFit: () => actions.run({ do: "zoomSelection" }),
      undo: () => actions.run({ do: "undo" }),
      redo: () => actions.run({ do: "redo" }),
      generate: () => actions.run({ do: "generate" }),
      cancel: () => store.attempt(store.cancel()),
      compare: (to) => store.setCompare(to),
      steer: () => {
        this.steerChoice = !this.steerOpen;
        this.update(new Set<Change>(["wishes"]));
      },
      help: () => this.door.ask((desk) => desk.help()),
      tool: (tool) => actions.setTool(tool),
      takes: (n) => store.takes.setCount(n),
      targets: (opener) => this.door.ask(({ menus }) => menus.targets(opener)),
      snap: (name) => store.setSnap(name),
      tempo: (opener) => this.door.ask(({ menus }) => menus.tempo(opener)),
      files: (opener) => this.door.ask(({ menus }) => menus.files(opener)),
      more: (opener, folded) => this.door.ask(({ menus }) => menus.more(opener, folded)),
    };
  }

  // ---------------------------------------------------------------- the desk

  private deskHost(): DeskHost {
    const { store, ui, actions, root, surface, body } = this;
    return {
      store,
      ui,
      actions,
      root,
      surface,
      body,
      status: this.status.element,
      palette: () => this.palette,
      announce: (text) => this.status.announce(text),
      locate: (event) => this.pointer.locate(event),
      trackAt: (y) => this.pointer.trackAt(y),
      signal: this.ended.signal,
    };
  }

  private deskChanged(): void {
    const { desk } = this.door;
    this.actions.notes = desk?.notes ?? null;
    this.update(new Set(ALL_CHANGES));
  }

  /** Why something is missing: no model, or the desk has not come. */
  private showNote(): void {
    const { store, door } = this;
    const plain =
      store.canGenerate || store.get("readonly") ? "" : store.caps.unavailable || strings.noEngine;
    this.note.hidden = !plain && !door.trouble;
    this.again.hidden = !door.trouble;
    setText(this.noteText, door.trouble || plain);
  }
}
