/** TABLE: what keys do in the roll. Pure: events in, names of actions out. */

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
        | "help";
    };

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
  "?": { do: "help" },
};

const COMMANDS: Readonly<Record<string, Action>> = {
  a: { do: "selectAll" },
  z: { do: "undo" },
  y: { do: "redo" },
  " ": { do: "toggleCell" },
};

/** The action of a key press, or null when the key means nothing here. */
export function actionOf(event: KeyLike): Action | null {
  const command = event.ctrlKey || event.metaKey;
  const arrow = ARROWS[event.key];
  if (event.altKey) {
    return null;
  }
  if (arrow) {
    return { do: "move", track: arrow[0], bar: arrow[1], extend: event.shiftKey, toEdge: command };
  }
  const key = event.key.toLowerCase();
  if (command) {
    return key === "z" && event.shiftKey ? { do: "redo" } : (COMMANDS[key] ?? null);
  }
  return PLAIN[key] ?? null;
}
