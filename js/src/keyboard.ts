/**
 * TABLE: what keys do in the roll; the sheet of keys is made of the same rows (panel/help.ts has a line for each `help`).
 * Pure: events in, names of actions out.
 */
import { TOOLS, type Tool } from "./edit/tools.ts";
import type { BarRole, TrackRole } from "./protocol.gen.ts";

export type SimpleAction =
  | "toggleCell"
  | "selectAll"
  | "generate"
  | "escape"
  | "play"
  | "loop"
  | "undo"
  | "redo"
  | "home"
  | "end"
  | "zoomSelection"
  | "zoomIn"
  | "zoomOut"
  | "mute"
  | "solo"
  | "compare"
  | "expand"
  | "ghosts"
  | "previousTrack"
  | "previousNote"
  | "nextNote"
  | "addNote"
  | "nextTrack"
  | "help"
  | "delete"
  | "copy"
  | "cut"
  | "paste"
  | "duplicate"
  | "quantise"
  | "lanes"
  | "chords"
  | "doubt"
  | "doubtMenu"
  | "accept"
  | "hold"
  | "flip"
  | "metronome"
  | "slower"
  | "faster"
  | "follow";

export type Action =
  | { do: "move"; track: number; bar: number; extend: boolean; toEdge: boolean }
  | { do: SimpleAction }
  | { do: "take"; take: number }
  | { do: "role"; role: BarRole | "context" }
  | { do: "trackRole"; role: TrackRole }
  | { do: "tool"; tool: Tool }
  | { do: "length"; steps: number };

export interface KeyLike {
  key: string;
  shiftKey: boolean;
  ctrlKey: boolean;
  metaKey: boolean;
  altKey: boolean;
}

/** Some presses that belong together on the sheet, and what each of them does. */
export interface KeyRow {
  readonly help: string;
  /** Presses as `pressOf` spells them, with their actions. */
  readonly keys: Readonly<Record<string, Action>>;
  /** Only while takes are open: comes before what the key does else. */
  readonly takes?: boolean;
}

const row = <const H extends string>(
  help: H,
  keys: Readonly<Record<string, Action | SimpleAction>>,
  takes = false,
) => ({
  help,
  takes,
  keys: Object.fromEntries(
    Object.entries(keys).map(([press, to]) => [press, typeof to === "string" ? { do: to } : to]),
  ) as Readonly<Record<string, Action>>,
});

const ARROWS = { up: [-1, 0], down: [1, 0], left: [0, -1], right: [0, 1] } as const;

/** The four arrows with a modifier before them. */
const arrows = (modifier: string, extend: boolean, toEdge: boolean): Record<string, Action> =>
  Object.fromEntries(
    Object.entries(ARROWS).map(([name, [track, bar]]) => [
      `${modifier}${name}`,
      { do: "move", track, bar, extend, toEdge },
    ]),
  );

const digits = Object.fromEntries(
  Array.from({ length: 10 }, (_, i): [string, Action] => [String(i), { do: "take", take: i - 1 }]),
);

export const KEYS = [
  row("move", arrows("", false, false)),
  row("extend", arrows("shift ", true, false)),
  row("toEdge", { ...arrows("ctrl ", false, true), ...arrows("ctrl shift ", true, true) }),
  row("length", { "alt left": { do: "length", steps: -1 }, "alt right": { do: "length", steps: 1 } }),
  row("toggleCell", { "ctrl space": "toggleCell" }),
  row("generate", { enter: "generate", g: "generate" }),
  row("escape", { esc: "escape" }),
  row("play", { space: "play" }),
  row("home", { home: "home" }),
  row("end", { end: "end" }),
  row("loop", { l: "loop" }),
  row("metronome", { k: "metronome" }),
  row("speed", { "<": "slower", ">": "faster" }),
  row("follow", { "shift f": "follow" }),
  row("zoomSelection", { f: "zoomSelection" }),
  row("zoom", { "+": "zoomIn", "=": "zoomIn", "-": "zoomOut" }),
  row("mute", { m: "mute" }),
  row("solo", { s: "solo" }),
  row("expand", { e: "expand" }),
  row("ghosts", { ",": "ghosts" }),
  row("otherTrack", { "[": "previousTrack", "]": "nextTrack" }),
  row("otherNote", { "alt up": "previousNote", "alt down": "nextNote" }),
  row("addNote", { i: "addNote", insert: "addNote" }),
  row("tools", Object.fromEntries(TOOLS.map(({ key, tool }) => [key, { do: "tool", tool }]))),
  row("quantise", { q: "quantise" }),
  row("delete", { delete: "delete", backspace: "delete" }),
  row("clipboard", { "ctrl c": "copy", "ctrl x": "cut", "ctrl v": "paste" }),
  row("duplicate", { "ctrl d": "duplicate" }),
  row("selectAll", { "ctrl a": "selectAll" }),
  row("undo", { "ctrl z": "undo" }),
  row("redo", { "ctrl shift z": "redo", "ctrl y": "redo" }),
  row("compare", { b: "compare" }),
  row("lanes", { a: "lanes" }),
  row("chords", { c: "chords" }),
  row("doubt", { u: "doubt", "shift u": "doubtMenu" }),
  row("barRoles", {
    "shift c": { do: "role", role: "context" },
    "shift g": { do: "role", role: "generate" },
    "shift h": { do: "role", role: "hidden" },
    "shift l": { do: "role", role: "locked" },
  }),
  row("trackRoles", {
    "shift i": { do: "trackRole", role: "ignore" },
    "shift n": { do: "trackRole", role: "continue" },
  }),
  row("takes", digits, true),
  row("flip", { "`": "flip" }, true),
  row("hold", { t: "hold" }, true),
  row("accept", { enter: "accept" }, true),
  row("help", { "?": "help" }),
] as const;

/** Names of the sheet's lines about keys. */
export type KeyHelp = (typeof KEYS)[number]["help"];

const NAMES: Readonly<Record<string, string>> = {
  " ": "space",
  escape: "esc",
  arrowup: "up",
  arrowdown: "down",
  arrowleft: "left",
  arrowright: "right",
};

/** A press in one spelling: "ctrl shift z", "alt left", "?" (what needs Shift to be typed is named as it is). */
export function pressOf(event: KeyLike): string {
  const key = event.key.toLowerCase();
  const typed = key.length === 1 && key === event.key.toUpperCase() && key !== " ";
  const modifiers = [
    event.ctrlKey || event.metaKey ? "ctrl " : "",
    event.altKey ? "alt " : "",
    event.shiftKey && !typed ? "shift " : "",
  ];
  return modifiers.join("") + (NAMES[key] ?? key);
}

const lookUp = (takes: boolean): ReadonlyMap<string, Action> =>
  new Map(KEYS.filter((one) => one.takes === takes).flatMap(({ keys }) => Object.entries(keys)));

const ALWAYS = lookUp(false);
const WITH_TAKES = lookUp(true);

/** The action of a key press, or null when the key means nothing here. `takes`: some are open. */
export function actionOf(event: KeyLike, takes = false): Action | null {
  const press = pressOf(event);
  return (takes && WITH_TAKES.get(press)) || (ALWAYS.get(press) ?? null);
}
