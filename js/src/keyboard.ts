/** TABLE: what keys do in the roll. Pure: events in, names of actions out. */
import { TOOLS, type Tool } from "./edit/tools.ts";
import type { BarRole, TrackRole } from "./protocol.gen.ts";

export type Action =
  | { do: "move"; track: number; bar: number; extend: boolean; toEdge: boolean }
  | { do: "toggleCell" }
  | { do: "selectAll" }
  | {
      do:
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
        | "help"
        | "delete"
        | "copy"
        | "cut"
        | "paste"
        | "duplicate"
        | "quantise"
        | "lanes"
        | "accept"
        | "hold"
        | "flip";
    }
  | { do: "take"; take: number }
  | { do: "role"; role: BarRole | "context" }
  | { do: "trackRole"; role: TrackRole }
  | { do: "tool"; tool: Tool }
  | { do: "length"; steps: number };

const TOOL_KEYS = new Map(TOOLS.map(({ key, tool }) => [key, tool]));

export interface KeyLike {
  key: string;
  shiftKey: boolean;
  ctrlKey: boolean;
  metaKey: boolean;
  altKey: boolean;
}

const ARROWS: Readonly<Record<string, readonly [track: number, bar: number]>> = {
  ArrowUp: [-1, 0],
  ArrowDown: [1, 0],
  ArrowLeft: [0, -1],
  ArrowRight: [0, 1],
};

const PLAIN: Readonly<Record<string, Action>> = {
  enter: { do: "generate" },
  g: { do: "generate" },
  escape: { do: "escape" },
  " ": { do: "play" },
  home: { do: "home" },
  end: { do: "end" },
  l: { do: "loop" },
  f: { do: "zoomSelection" },
  "+": { do: "zoomIn" },
  "=": { do: "zoomIn" },
  "-": { do: "zoomOut" },
  m: { do: "mute" },
  s: { do: "solo" },
  b: { do: "compare" },
  e: { do: "expand" },
  q: { do: "quantise" },
  a: { do: "lanes" },
  delete: { do: "delete" },
  backspace: { do: "delete" },
  "?": { do: "help" },
};

const COMMANDS: Readonly<Record<string, Action>> = {
  a: { do: "selectAll" },
  z: { do: "undo" },
  y: { do: "redo" },
  " ": { do: "toggleCell" },
  c: { do: "copy" },
  x: { do: "cut" },
  v: { do: "paste" },
  d: { do: "duplicate" },
};

/** With Shift: what bars and tracks are to the model. */
const ROLES: Readonly<Record<string, Action>> = {
  c: { do: "role", role: "context" },
  g: { do: "role", role: "generate" },
  h: { do: "role", role: "hidden" },
  l: { do: "role", role: "locked" },
  i: { do: "trackRole", role: "ignore" },
  n: { do: "trackRole", role: "continue" },
};

/** While takes are open: their numbers come before the tools'. */
const TAKES: Readonly<Record<string, Action>> = {
  enter: { do: "accept" },
  t: { do: "hold" },
  "`": { do: "flip" },
};

/** The action of a key press, or null when the key means nothing here. `takes`: some are open. */
export function actionOf(event: KeyLike, takes = false): Action | null {
  const command = event.ctrlKey || event.metaKey;
  const arrow = ARROWS[event.key];
  if (event.altKey) {
    // Alt with left and right changes lengths; all else with Alt belongs to the browser.
    return arrow && arrow[1] !== 0 && !command ? { do: "length", steps: arrow[1] } : null;
  }
  if (arrow) {
    return { do: "move", track: arrow[0], bar: arrow[1], extend: event.shiftKey, toEdge: command };
  }
  const key = event.key.toLowerCase();
  if (command) {
    return key === "z" && event.shiftKey ? { do: "redo" } : (COMMANDS[key] ?? null);
  }
  if (takes && /^[0-9]$/.test(key)) {
    return { do: "take", take: Number(key) - 1 };
  }
  const special = event.shiftKey ? ROLES[key] : takes ? TAKES[key] : undefined;
  if (special) {
    return special;
  }
  const tool = TOOL_KEYS.get(key);
  return tool ? { do: "tool", tool } : (PLAIN[key] ?? null);
}
