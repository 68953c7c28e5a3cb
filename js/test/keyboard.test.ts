import { expect, it } from "vitest";
import { actionOf } from "../src/keyboard.ts";

const press = (key: string, ...mods: string[]): ReturnType<typeof actionOf> =>
  actionOf({
    key,
    shiftKey: mods.includes("shift"),
    ctrlKey: mods.includes("ctrl"),
    metaKey: mods.includes("meta"),
    altKey: mods.includes("alt"),
  });

it.each([
  ["Enter", [], "generate"],
  ["g", [], "generate"],
  ["Escape", [], "escape"],
  [" ", [], "play"],
  [" ", ["ctrl"], "toggleCell"],
  ["L", ["shift"], "loop"],
  ["z", ["ctrl"], "undo"],
  ["z", ["meta"], "undo"],
  ["Z", ["ctrl", "shift"], "redo"],
  ["y", ["ctrl"], "redo"],
  ["Home", [], "home"],
  ["f", [], "zoomSelection"],
  ["m", [], "mute"],
  ["s", [], "solo"],
  ["a", ["meta"], "selectAll"],
  ["?", ["shift"], "help"],
])("%s %j does %s", (key, mods, action) => expect(press(key, ...mods)).toEqual({ do: action }));

it("arrows move, Shift extends, Ctrl goes to the edge", () => {
  expect(press("ArrowLeft")).toMatchObject({ do: "move", track: 0, bar: -1, extend: false });
  expect(press("ArrowDown", "shift")).toMatchObject({ do: "move", track: 1, bar: 0, extend: true });
  expect(press("ArrowRight", "ctrl")).toMatchObject({ toEdge: true });
});

it.each(["x", "d", "Tab", "F5", "Shift"])("%s means nothing here", (key) => expect(press(key)).toBeNull());
it("Alt belongs to the browser", () => expect(press("f", "alt")).toBeNull());
