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
  ["L", [], "loop"],
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

it("Shift gives roles, and open takes own the numbers", () => {
  expect(press("L", "shift")).toEqual({ do: "role", role: "locked" });
  expect(press("i", "shift")).toEqual({ do: "trackRole", role: "ignore" });
  const plain = { shiftKey: false, ctrlKey: false, metaKey: false, altKey: false };
  expect(actionOf({ key: "2", ...plain })).toEqual({ do: "tool", tool: "draw" });
  expect(actionOf({ key: "2", ...plain }, true)).toEqual({ do: "take", take: 1 });
  expect(actionOf({ key: "0", ...plain }, true)).toEqual({ do: "take", take: -1 });
  expect(actionOf({ key: "Enter", ...plain }, true)).toEqual({ do: "accept" });
  expect(actionOf({ key: "`", ...plain }, true)).toEqual({ do: "flip" });
});
