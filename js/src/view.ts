/** One place where the roll is shown: builds the elements, connects store, gestures, keys and canvases. */
import { type ActionHost, Actions, ZOOM_STEP } from "./actions.ts";
import { makeAriaGrid } from "./aria_grid.ts";
import { layoutLanes, tickToX, xToTick } from "./coords.ts";
import { h, setAttr, setText } from "./dom.ts";
import { HOME_TOOL, type Tool } from "./edit/tools.ts";
import { drawNote, eraseNotes, paintVelocity, selectNotes, toggleNote } from "./gestures/edit_notes.ts";
import { type Gesture, type PointerAt, runGestures } from "./gestures/gesture.ts";
import { RollNotes } from "./gestures/note_target.ts";
import { wheel } from "./gestures/pan_zoom.ts";
import { seek } from "./gestures/seek.ts";
import { selectBars, selectColumns } from "./gestures/select_bars.ts";
import { dragStrip } from "./gestures/strip.ts";
import { makeHandle, type RollHandle } from "./handle.ts";
import { hitTest, RULER } from "./hit_test.ts";
import { actionOf } from "./keyboard.ts";
import { makeLanes } from "./lanes/panel.ts";
import { gatherScene, type Scene } from "./layers/scene.ts";
import { type Desk, makeDesk } from "./panel/desk.ts";
import { makeHeaders } from "./panel/headers.ts";
import { makeHelp } from "./panel/help.ts";
import { makeSees } from "./panel/sees.ts";
import { makeStatus } from "./panel/status.ts";
import { makeSteer } from "./panel/steer.ts";
import { makeTakes } from "./panel/takes.ts";
import { makeToolbar } from "./panel/toolbar.ts";
import { nearestBeat, positionText } from "./places.ts";
import { describe, type Selection } from "./selection.ts";
import { popping, Stage } from "./stage.ts";
import type { Change, Store } from "./store.ts";
import { strings } from "./strings.ts";
import { applyPalette, makePalette, type Palette, readHost, watchHost } from "./theme.ts";
import { Timers } from "./timers.ts";
import { UiState } from "./ui_state.ts";

const MIN_BAR_PX = 46;
const NARROW_PX = 700;
const MEDIUM_PX = 900;
const FOLLOW_AT = 0.92;
const FOLLOW_TO = 0.06;
const DEFAULT_HEIGHT = 420;
const MIN_LANES_PX = 120;
const GRID_REFRESH_MS = 150;
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
  private readonly note = h("div", { class: "mgnb-note", testid: "mgnb-no-engine" });
  private readonly help = makeHelp(() => this.toggleHelp(false));
  private readonly timers = new Timers();
  private readonly stage: Stage;
  private readonly actions: Actions;
  private readonly desk: Desk;
  private readonly toolbar;
  private readonly headers;
  private readonly status;
  private readonly steer;
  private readonly lanes;
  private readonly takes;
  private readonly sees;
  private readonly refreshGrid;
  private readonly gestures;
  private readonly observers: { disconnect(): void }[] = [];
  private readonly unsubscribe: () => void;
  private readonly calm: boolean;
  private readonly noteTarget: RollNotes;
  private palette: Palette;
  private dpr = 1;
  /** Whether the wishes are shown; null until somebody says so. */
  private steerChoice: boolean | null = null;
  private shown = false;

  constructor(
    private readonly store: Store,
    host: HTMLElement,
  ) {
    const { signal } = this.ended;
    this.calm = typeof matchMedia === "function" && matchMedia("(prefers-reduced-motion: reduce)").matches;
    this.actions = new Actions(store, this.ui, this.actionHost());
    this.noteTarget = new RollNotes(store, this.ui, (y) => this.trackAt(y));
    this.toolbar = makeToolbar(this.toolbarActions());
    this.headers = makeHeaders({
      select: (track, event) => this.actions.selectTrack(track, event),
      expand: (track) => this.actions.expand(track),
      mute: (track) => store.toggleMute(track),
      solo: (track) => store.toggleSolo(track),
      menu: (track, opener) => this.desk.track(track, opener),
    });
    this.status = makeStatus(() => store.dismissProblem(), this.toolbar.compare);
    this.steer = makeSteer(store);
    this.takes = makeTakes(store, () => this.palette, this.actions);
    this.sees = makeSees(store);
    this.lanes = makeLanes({
      store,
      ui: this.ui,
      palette: () => this.palette,
      announce: (text) => this.status.announce(text),
      run: (action) => this.actions.run(action),
      signal,
    });
    const canvases = this.makeCanvases();
    this.root = this.build(canvases.keys);
    host.append(this.root);
    this.desk = makeDesk(store, {
      root: this.root,
      surface: this.surface,
      announce: (text) => this.status.announce(text),
      locate: (event) => this.locate(event),
      cursor: () => this.ui.cursor,
      signal,
    });
    this.refreshGrid = makeAriaGrid(this.surface, `mgnb-cell-${Math.random().toString(36).slice(2, 8)}`);
    this.palette = makePalette(readHost(this.probe), store.get("theme"));
    this.stage = new Stage(canvases, {
      scene: (now) => this.scene(now),
      drumNames: () => store.document?.header.drums ?? {},
      tick: () => this.followPlayhead(),
      moving: (now) => store.player.playing || popping(store.job?.batches ?? [], now),
      layout: () => this.updateHeaders(),
    });
    this.ui.onDirty = (what) => {
      this.stage.mark(what);
      if (what.includes("grid")) {
        this.lanes.dirty();
      }
      this.gridSoon();
    };
    this.gestures = runGestures(this.surface, {
      begin: (at, event) => this.beginGesture(at, event),
      locate: (event) => this.locate(event),
      hover: (at) => this.ui.setHover(at?.hit.area === "cell" ? [at.hit.track, at.hit.bar] : null),
      signal,
    });
    this.listen(signal);
    this.observe(signal);
    this.unsubscribe = store.subscribe((changes) => this.update(changes));
    this.root.mgnb = makeHandle(store, this.ui, this.stage, this.surface, this.lanes);
    this.update(new Set(ALL_CHANGES));
  }

  dispose(): void {
    this.unsubscribe();
    this.ended.abort();
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
    this.body.append(side, this.surface, this.scroll, this.help);
    return h(
      "div",
      // JupyterLab's own attribute: its shortcuts leave keys alone that are pressed in here
      {
        class: "mgnb-root",
        testid: "mgnb-roll",
        attrs: { role: "region", "data-lm-suppress-shortcuts": "true" },
      },
      this.probe,
      this.toolbar.element,
      this.status.banner,
      this.sees.element,
      this.body,
      this.takes.element,
      this.lanes.element,
      h("div", { class: "mgnb-foot" }, this.overview),
      this.status.element,
      this.steer.element,
      this.note,
      this.status.live,
    );
  }

  // ---------------------------------------------------------------- what the layers draw

  private scene(now: number): Scene {
    const { palette, dpr, calm } = this;
    return gatherScene(this.store, this.ui, { palette, dpr, calm, now });
  }

  private get steerOpen(): boolean {
    return this.store.canGenerate && (this.steerChoice ?? (this.store.caps.attributes?.length ?? 0) > 0);
  }

  private relayout(): void {
    const { store, ui } = this;
    const tracks = store.usedPitches().map((used, i) => ({ drum: store.tracks[i]?.drum ?? false, used }));
    ui.setLanes(layoutLanes(tracks, ui.viewport.height, ui.expanded), store.bars.end, store.resolution);
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
      const x = tickToX(ui.viewport, tick);
      if (x > ui.viewport.width * FOLLOW_AT || x < 0) {
        ui.setViewport({ ...ui.viewport, left: tick - (ui.viewport.width * FOLLOW_TO) / ui.viewport.scale });
      }
    }
    this.toolbar.setPosition(positionText(this.store));
    this.lanes.setPlayhead(tick);
  }

  // ---------------------------------------------------------------- following the store

  private update(changes: ReadonlySet<Change>): void {
    const { store, ui } = this;
    const any = (...names: Change[]): boolean => names.some((name) => changes.has(name));
    if (any("theme", "settings")) {
      this.applyTheme();
      const wanted = Math.max(MIN_LANES_PX + RULER, store.get("height") || DEFAULT_HEIGHT);
      this.body.style.height = `${wanted}px`;
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
    this.desk.update();
    this.lanes.update(changes);
    this.takes.update();
    this.sees.update();
    this.status.update(store);
    if (any("selection", "wishes", "settings", "document")) {
      this.steer.update();
    }
    this.steer.element.hidden = !this.steerOpen;
    this.note.hidden = store.canGenerate || store.get("readonly");
    setText(this.note, store.caps.unavailable || strings.noEngine);
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
      canLoop: store.selection.size > 0,
      canUndo: store.get("can_undo"),
      canRedo: store.get("can_redo"),
      canGenerate: store.canGenerate,
      takes: store.takes.keepGoing ? 0 : (store.get("n_takes") ?? 1),
      warning: store.outlook.warnings[0] ?? "",
      running: store.running,
      blocked: store.blocked,
      action: what ? (empty ? strings.write(what) : strings.regenerate(what)) : strings.generate,
      compare: store.compare,
      comparable: store.comparable,
      steerOpen: this.steerOpen,
      editable: store.editable,
      tool: this.ui.tool,
      snap: store.get("snap"),
      position: positionText(store),
      tempo: store.document ? strings.bpm(bpm) : "",
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
          this.stage.setVisible(last.isIntersecting);
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
    this.root.classList.toggle("mgnb-narrow", this.root.clientWidth < NARROW_PX);
    this.root.classList.toggle("mgnb-medium", this.root.clientWidth < MEDIUM_PX);
    ui.viewport = { ...ui.viewport, width, height: height - RULER };
    this.stage.resize(width, height);
    this.relayout();
    this.showFirst();
  }

  private listen(signal: AbortSignal): void {
    const { ui, root, surface } = this;
    surface.addEventListener(
      "dblclick",
      (event) => {
        const at = this.locate(event as PointerEvent);
        const edits = ui.tool === "select" || ui.tool === "draw";
        if (edits && this.store.editable && at.hit.area === "cell") {
          toggleNote(this.noteTarget, at);
        }
      },
      { signal },
    );
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
    // Keys stay inside: a notebook would take a, b, d d, x, z, Enter … for commands on cells.
    root.addEventListener("keydown", (event) => this.key(event), { signal });
    this.actions.listen(root, signal);
    for (const name of ["keyup", "keypress", "copy", "cut", "paste"]) {
      root.addEventListener(name, (event) => event.stopPropagation(), { signal });
    }
    const center = (share: number): void => {
      ui.follow = false;
      const left = share * this.store.bars.end - ui.viewport.width / ui.viewport.scale / 2;
      ui.setViewport({ ...ui.viewport, left });
    };
    dragStrip(this.overview, "x", center, signal);
    const scrollTo = (share: number): void =>
      ui.setViewport({ ...ui.viewport, top: share * ui.limits.contentHeight - ui.viewport.height / 2 });
    dragStrip(this.scroll, "y", scrollTo, signal);
    watchHost(this.probe, () => this.applyTheme(), signal);
  }

  private key(event: KeyboardEvent): void {
    event.stopPropagation();
    const target = event.target as HTMLElement;
    if (event.key === "Escape" && !this.help.hidden) {
      this.toggleHelp(false);
      return;
    }
    // Controls keep their own keys: Space presses a button, arrows move a slider.
    if (target !== this.surface && (target.closest("input, summary") || ["Enter", " "].includes(event.key))) {
      return;
    }
    const action = actionOf(event, this.store.takes.open || this.store.takes.writing);
    if (action) {
      event.preventDefault();
      this.actions.run(action);
    }
  }

  // ---------------------------------------------------------------- pointer

  private locate(event: PointerEvent): PointerAt {
    const { store, ui } = this;
    const box = this.surface.getBoundingClientRect();
    const x = event.clientX - box.left;
    const y = event.clientY - box.top;
    const hit = hitTest({ view: ui.viewport, bars: store.bars, lanes: ui.lanes, notes: store.notes }, x, y);
    return { x, y, hit, shift: event.shiftKey, toggle: event.ctrlKey || event.metaKey, alt: event.altKey };
  }

  private beginGesture(at: PointerAt, event: PointerEvent): Gesture | null {
    const { store, ui } = this;
    this.surface.focus({ preventScroll: true });
    ui.keyboard = false;
    ui.setHover(null);
    if (event.pointerType === "touch" && at.hit.area === "cell") {
      return null; // one finger scrolls the page
    }
    const target = {
      selection: store.selection,
      nTracks: store.tracks.length,
      select: (selection: Selection) => this.actions.select(selection),
    };
    const barAt = (point: PointerAt): number =>
      store.bars.at(Math.max(0, Math.min(store.bars.end - 1, xToTick(ui.viewport, point.x))));
    switch (at.hit.area) {
      case "bars":
        return selectColumns(ui, target, barAt);
      case "time":
        return seek(
          (tick) => store.player.seek(tick),
          (point) => nearestBeat(store.bars, xToTick(ui.viewport, point.x), point.alt),
        );
      case "cell":
        if (at.alt && store.takes.toggleHeld([at.hit.track, at.hit.bar])) {
          return null;
        }
        if (ui.tool !== HOME_TOOL && store.editable) {
          ui.cursor = [at.hit.track, at.hit.bar];
          return this.noteGesture(ui.tool);
        }
        return selectBars(ui, target, (point) => [this.trackAt(point.y), barAt(point)]);
      case "none":
        return null;
    }
  }

  private noteGesture(tool: Tool): Gesture | null {
    const { noteTarget, ui } = this;
    switch (tool) {
      case "select":
        return selectNotes(noteTarget, ui);
      case "draw":
        return drawNote(noteTarget, ui);
      case "erase":
        return eraseNotes(noteTarget);
      case "velocity":
        return paintVelocity(noteTarget);
      case "bars":
        return null;
    }
  }

  private trackAt(y: number): number {
    const { lanes, viewport } = this.ui;
    const content = y - RULER + viewport.top;
    const index = lanes.findIndex((lane) => content < lane.y + lane.height);
    return index < 0 ? lanes.length - 1 : index;
  }

  // ---------------------------------------------------------------- actions

  private actionHost(): ActionHost {
    return {
      announce: (text) => this.status.announce(text),
      relayout: () => this.relayout(),
      toggleHelp: () => this.toggleHelp(),
      toggleLanes: () => this.lanes.toggle(),
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
      help: () => this.toggleHelp(),
      tool: (tool) => actions.setTool(tool),
      takes: (n) => store.takes.setCount(n),
      targets: (opener) => this.desk.targets(opener),
      snap: (name) => store.setSnap(name),
      tempo: (opener) => this.desk.tempo(opener),
      files: (opener) => this.desk.files(opener),
    };
  }

  private toggleHelp(open = this.help.hidden): void {
    this.help.hidden = !open;
  }
}
