/**
 * Transport, zoom, undo, and the button that names what it will do. One row at any width: what there is no room for
 * folds away, the least important first, and is found in the menu at the end.
 */
import { h, type IconName, icon, setAttr, setText } from "../dom.ts";
import { SNAPS } from "../edit/snap.ts";
import { HOME_TOOL, TOOLS, type Tool } from "../edit/tools.ts";
import { rovingFocus, settleTabStop } from "../roving_focus.ts";
import type { Compare } from "../store.ts";
import { strings } from "../strings.ts";
import { makeFold } from "./fold.ts";

export interface ToolbarActions {
  play(): void;
  toStart(): void;
  loop(): void;
  metronome(): void;
  zoomIn(): void;
  zoomOut(): void;
  zoomFit(): void;
  undo(): void;
  redo(): void;
  generate(): void;
  cancel(): void;
  compare(to: Compare): void;
  steer(): void;
  help(): void;
  /** The menu at the end; `folded`: groups that there is no room for. */
  more(opener: HTMLElement, folded: readonly HTMLElement[]): void;
  tool(tool: Tool): void;
  snap(name: string): void;
  takes(n: number): void;
  targets(opener: HTMLElement): void;
  tempo(opener: HTMLElement): void;
  files(opener: HTMLElement): void;
}

export interface ToolbarState {
  playing: boolean;
  looping: boolean;
  metronome: boolean;
  canLoop: boolean;
  canUndo: boolean;
  canRedo: boolean;
  canGenerate: boolean;
  /** Takes to write; 0: keep going. */
  takes: number;
  /** What may be wrong with the request. */
  warning: string;
  running: boolean;
  blocked: string;
  /** What Generate does, and to which bars. */
  action: string;
  compare: Compare;
  comparable: boolean;
  steerOpen: boolean;
  /** Editing exists here; `editable`: and is possible now. */
  mayEdit: boolean;
  editable: boolean;
  tool: Tool;
  snap: string;
  position: string;
  tempo: string;
}

export interface Toolbar {
  element: HTMLElement;
  /** Before / after: sits in the status line, where its coming and going moves nothing. */
  compare: HTMLElement;
  update(state: ToolbarState): void;
  setPosition(text: string): void;
  /** The width may be another. */
  fit(): void;
}

/** What goes first when there is no room. */
const FOLDS = [
  "zoom",
  "start",
  "files",
  "click",
  "snap",
  "targets",
  "steer",
  "loop",
  "tools",
  "takes",
  "history",
  "help",
] as const;

export function makeToolbar(actions: ToolbarActions): Toolbar {
  const button = (
    name: IconName,
    label: string,
    title: string,
    testid: string,
    action: () => void,
    extra = "",
  ): HTMLButtonElement =>
    h(
      "button",
      {
        class: `mgnb-button mgnb-tool ${extra}`.trim(),
        title,
        testid,
        attrs: { type: "button", "aria-label": label },
        on: { click: action },
      },
      icon(name),
    );

  const toStart = button("start", strings.toStart, strings.toStartHint, "mgnb-start", actions.toStart);
  const play = button("play", strings.play, strings.playHint, "mgnb-play", actions.play, "mgnb-play");
  const loop = button("loop", strings.loop, strings.loopHint, "mgnb-loop", actions.loop);
  const metronome = button(
    "metronome",
    strings.metronome,
    strings.metronomeHint,
    "mgnb-metronome",
    actions.metronome,
  );
  const position = h("span", { class: "mgnb-position", testid: "mgnb-position" });
  const menuAttrs = { type: "button", "aria-haspopup": "dialog", "aria-expanded": "false" };
  const tempo: HTMLButtonElement = h("button", {
    class: "mgnb-button mgnb-tempo",
    title: strings.tempoHint,
    testid: "mgnb-tempo",
    attrs: menuAttrs,
    on: { click: () => actions.tempo(anchor(tempo)) },
  });
  const files: HTMLButtonElement = h(
    "button",
    {
      class: "mgnb-button mgnb-tool",
      title: strings.filesHint,
      testid: "mgnb-files",
      attrs: { ...menuAttrs, "aria-haspopup": "menu", "aria-label": strings.files },
      on: { click: () => actions.files(anchor(files)) },
    },
    icon("file"),
  );
  const undo = button("undo", strings.undo, strings.undoHint, "mgnb-undo", actions.undo);
  const redo = button("redo", strings.redo, strings.redoHint, "mgnb-redo", actions.redo);
  const zoom = h(
    "div",
    { class: "mgnb-group" },
    button("minus", strings.zoomOut, strings.zoomOut, "mgnb-zoom-out", actions.zoomOut),
    button("fit", strings.zoomFit, strings.zoomFitHint, "mgnb-zoom-fit", actions.zoomFit),
    button("plus", strings.zoomIn, strings.zoomIn, "mgnb-zoom-in", actions.zoomIn),
  );
  const history = h("div", { class: "mgnb-group" }, undo, redo);
  const compare = makeCompare(actions);
  const tools = makeTools(actions);
  const steer = h(
    "button",
    {
      class: "mgnb-button mgnb-steer-toggle",
      title: strings.steerHint,
      testid: "mgnb-steer",
      attrs: { type: "button" },
      on: { click: actions.steer },
    },
    icon("sliders"),
    h("span", { text: strings.steer }),
  );
  const generateLabel = h("span", { class: "mgnb-generate-label" });
  const generate = h(
    "button",
    {
      class: "mgnb-button mgnb-generate",
      testid: "mgnb-generate",
      attrs: { type: "button" },
      on: {
        // aria-disabled instead of disabled: the button keeps its focus and can say why it is off
        click: () => generate.getAttribute("aria-disabled") !== "true" && actions.generate(),
      },
    },
    icon("spark"),
    generateLabel,
  );
  const takes = h(
    "select",
    {
      class: "mgnb-snap mgnb-takes-count",
      title: strings.takesHint,
      testid: "mgnb-takes-count",
      attrs: { "aria-label": strings.takesHint },
      on: { change: () => actions.takes(Number(takes.value)) },
    },
    ...Array.from({ length: 9 }, (_, i) =>
      h("option", { text: strings.nTakes(i + 1), attrs: { value: String(i + 1) } }),
    ),
    h("option", { text: strings.keepGoing, attrs: { value: "0" } }),
  );
  const targets = h(
    "button",
    {
      class: "mgnb-button mgnb-tool",
      title: strings.targetsHint,
      testid: "mgnb-targets",
      attrs: { type: "button", "aria-label": strings.targets, "aria-haspopup": "menu" },
      on: { click: () => actions.targets(anchor(targets)) },
    },
    icon("target"),
  );
  const stop = h(
    "button",
    {
      class: "mgnb-button mgnb-stop",
      title: strings.stopHint,
      testid: "mgnb-stop",
      attrs: { type: "button" },
      on: { click: actions.cancel },
    },
    icon("stop"),
    h("span", { text: strings.stopGenerating }),
  );
  const help = h("button", {
    class: "mgnb-button mgnb-tool mgnb-help-button",
    text: "?",
    title: strings.help,
    testid: "mgnb-help",
    attrs: { type: "button", "aria-label": strings.help },
    on: { click: actions.help },
  });
  const more = h(
    "button",
    {
      class: "mgnb-button mgnb-tool",
      title: strings.moreHint,
      testid: "mgnb-more",
      attrs: { ...menuAttrs, "aria-haspopup": "menu", "aria-label": strings.more },
      on: { click: () => actions.more(more, fold.folded()) },
    },
    icon("more"),
  );
  /** Where a menu opens: at its button, or at the end when that is folded. */
  const anchor = (opener: HTMLElement): HTMLElement => (opener.closest("[hidden]") ? more : opener);
  const part = (...parts: HTMLElement[]): HTMLElement => h("div", { class: "mgnb-fold" }, ...parts);
  const parts = {
    start: part(toStart),
    loop: part(loop),
    click: part(metronome),
    tools: part(tools.element),
    snap: part(tools.snap),
    zoom: part(zoom),
    history: part(history),
    steer: part(steer),
    targets: part(targets),
    takes: part(takes),
    files: part(files),
    help: part(help),
  };
  const element = h(
    "div",
    { class: "mgnb-toolbar", attrs: { role: "toolbar", "aria-label": strings.toolbarLabel } },
    h("div", { class: "mgnb-group" }, parts.start, play, parts.loop, parts.click),
    h("div", { class: "mgnb-readout" }, position, tempo),
    parts.tools,
    parts.snap,
    parts.zoom,
    parts.history,
    parts.steer,
    parts.targets,
    h("span", { class: "mgnb-spacer" }), // a longer label moves no tool
    parts.takes,
    generate,
    stop,
    parts.files,
    parts.help,
    more,
  );
  const order = FOLDS.map((name) => parts[name]);
  const fold = makeFold(element, order, more);
  rovingFocus(element, 0);

  return {
    element,
    fit: fold.fit,
    compare: compare.element,
    setPosition: (text) => setText(position, text),
    update: (state) => {
      play.replaceChildren(icon(state.playing ? "stop" : "play"));
      setAttr(play, "aria-label", state.playing ? strings.stop : strings.play);
      setAttr(play, "aria-pressed", state.playing);
      play.classList.toggle("mgnb-on", state.playing);
      setAttr(loop, "aria-pressed", String(state.looping));
      loop.classList.toggle("mgnb-on", state.looping);
      loop.title = state.looping ? strings.loopOff : strings.loopHint;
      loop.disabled = !state.looping && !state.canLoop;
      setAttr(metronome, "aria-pressed", String(state.metronome));
      metronome.classList.toggle("mgnb-on", state.metronome);
      undo.disabled = !state.canUndo || state.running;
      redo.disabled = !state.canRedo || state.running;
      history.hidden = !state.canGenerate && !state.canUndo && !state.canRedo;
      steer.hidden = !state.canGenerate;
      setAttr(steer, "aria-expanded", String(state.steerOpen));
      generate.hidden = !state.canGenerate || state.running;
      stop.hidden = !state.running;
      setText(generateLabel, state.action);
      setAttr(generate, "aria-disabled", state.blocked ? "true" : null);
      generate.title = state.blocked || state.warning || strings.generateHint(state.takes);
      takes.hidden = targets.hidden = !state.canGenerate;
      takes.value = String(state.takes);
      compare.update(state);
      tools.update(state);
      setText(position, state.position);
      setText(tempo, state.tempo);
      tempo.disabled = !state.editable;
      tempo.title = whyNot(state) || strings.tempoHint;
      fold.fit();
      settleTabStop(element);
    },
  };
}

/** Why what edits is there and off. */
const whyNot = (state: ToolbarState): string => (state.mayEdit && !state.editable ? strings.takesFirst : "");

/** The tools and the grid; not there when the roll is read-only. */
function makeTools(actions: ToolbarActions): {
  element: HTMLElement;
  snap: HTMLElement;
  update(state: ToolbarState): void;
} {
  const buttons = TOOLS.map(({ tool, icon: name, label, hint }) =>
    h(
      "button",
      {
        class: "mgnb-button mgnb-tool",
        title: hint,
        testid: `mgnb-tool-${tool}`,
        attrs: { type: "button", "aria-label": label },
        on: {
          click: (event) => (event.currentTarget as Element).ariaDisabled !== "true" && actions.tool(tool),
        },
      },
      icon(name),
    ),
  );
  const snap = h(
    "select",
    {
      class: "mgnb-snap",
      title: strings.snapHint,
      testid: "mgnb-snap",
      attrs: { "aria-label": strings.snapLabel },
      on: { change: () => actions.snap(snap.value) },
    },
    ...Object.keys(SNAPS).map((name) =>
      h("option", { text: name === "off" ? strings.snapOff : name, attrs: { value: name } }),
    ),
  );
  const element = h(
    "div",
    { class: "mgnb-group mgnb-tools", attrs: { role: "group", "aria-label": strings.toolsLabel } },
    ...buttons,
  );
  return {
    element,
    snap,
    update: (state) => {
      element.hidden = !state.mayEdit;
      const why = whyNot(state);
      TOOLS.forEach(({ tool, hint }, i) => {
        const button = buttons[i] as HTMLButtonElement;
        const off = why !== "" && tool !== HOME_TOOL;
        setAttr(button, "aria-disabled", off ? "true" : null);
        button.title = off ? why : hint;
        setAttr(button, "aria-pressed", String(state.tool === tool));
        button.classList.toggle("mgnb-on", state.tool === tool);
      });
      snap.hidden =
        !state.mayEdit || state.tool === "bars" || state.tool === "erase" || state.tool === "velocity";
      snap.disabled = why !== "";
      snap.title = why || strings.snapHint;
      if (snap.value !== state.snap) {
        snap.value = state.snap;
      }
    },
  };
}

function makeCompare(actions: ToolbarActions): { element: HTMLElement; update(state: ToolbarState): void } {
  const side = (text: string, title: string, to: Compare, testid: string): HTMLButtonElement =>
    h("button", {
      class: "mgnb-button mgnb-segment",
      text,
      title,
      testid,
      attrs: { type: "button" },
      on: { click: () => actions.compare(to) },
    });
  const before = side(strings.before, strings.compareBefore, "before", "mgnb-before");
  const after = side(strings.after, strings.compareAfter, "after", "mgnb-after");
  const element = h(
    "div",
    { class: "mgnb-group mgnb-compare", attrs: { role: "group", "aria-label": strings.compareLabel } },
    before,
    after,
  );
  return {
    element,
    update: ({ compare, comparable }) => {
      element.hidden = !comparable;
      setAttr(before, "aria-pressed", String(compare === "before"));
      setAttr(after, "aria-pressed", String(compare === "after"));
    },
  };
}
