import { describe, expect, it } from "vitest";
import { layoutLanes } from "../src/coords.ts";
import { type Clip, clipText, placed, readClip } from "../src/edit/clipboard.ts";
import { actionOf, KEYS, pressOf } from "../src/keyboard.ts";
import { keyLines, pressesInWords } from "../src/panel/help.ts";
import { misfit } from "../src/sight/model_grid.ts";
import { degrees, keyOfLevel } from "../src/sight/scale.ts";

describe("keys and scales", () => {
  it("reads a level of a key attribute", () => {
    expect(keyOfLevel(0)).toEqual({ tonic: 0, scale: "major" });
    expect(keyOfLevel(21)).toEqual({ tonic: 9, scale: "minor" });
    expect([keyOfLevel(24), keyOfLevel(undefined), keyOfLevel(-1)]).toEqual([null, null, null]);
  });

  it("marks the first note and the scale", () => {
    const d = degrees({ tonic: 2, scale: "major" });
    expect([...d]).toEqual([0, 1, 2, 0, 1, 0, 1, 1, 0, 1, 0, 1]);
  });
});

describe("the model's grid", () => {
  const grid = { resolution: 12, microtiming: false, longest: 96, pitches: [21, 108] as [number, number] };
  const note = { at: 240, micro: 0, duration: 480, pitch: 60 };
  it.each([
    ["fits", {}, {}, ""],
    ["between two steps", { at: 250 }, {}, "onset"],
    ["reached by micro-timing", { at: 250 }, { microtiming: true }, ""],
    ["not reached by micro-timing", { at: 251 }, { microtiming: true }, "onset"],
    ["moved by its micro-timing", { micro: 240 }, {}, "onset"],
    ["a length between two steps", { duration: 470 }, {}, "duration"],
    ["too long", { duration: 97 * 40 }, {}, "duration"],
    ["too low", { pitch: 20 }, {}, "pitch"],
  ])("%s", (_, changes, facts, why) => {
    expect(misfit({ ...grid, ...facts }, { ...note, ...changes }, 480)).toBe(why);
  });
});

describe("copied notes", () => {
  const one = { id: 3, track: 4, onset: 2000, duration: 120, pitch: 60, velocity: 90, micro: 2 };
  const clip: Clip = {
    resolution: 480,
    track: one.track,
    start: 1920,
    notes: [one, { ...one, track: 5, onset: 1920 }],
  };

  it("come back from their text", () => {
    expect(readClip(clipText(clip))).toEqual({ ...clip, notes: clip.notes.map((n) => ({ ...n, id: 0 })) });
  });

  it.each(["", "a text", "[1, 2]", '{"kind":"midigpt-nb notes"}', `${"midigpt-nb notes"}{`])(
    "%j is no clip",
    (text) => expect(readClip(text)).toBeNull(),
  );

  it("go to the cursor's track and bar, in the piece's own ticks", () => {
    const place = { track: 1, start: 960, resolution: 240, nTracks: 2 };
    expect(placed(clip, place)).toEqual([{ ...one, track: 1, onset: 1000, duration: 60, micro: 0 }]);
  });
});

describe("a track in focus", () => {
  const tracks = [
    { drum: false, used: [60, 72] },
    { drum: false, used: [30, 40] },
    { drum: true, used: [36] },
  ];
  it("has all the height, and rows for the others' notes where there is room", () => {
    const lanes = layoutLanes(tracks, 500, -1, 0);
    expect(lanes.map(({ height }) => height)).toEqual([500, 0, 0]);
    expect(lanes[0]?.rowOf[30]).toBeGreaterThanOrEqual(0);
    expect(lanes[0]?.rowHeight).toBeGreaterThanOrEqual(7);
    const low = layoutLanes(tracks, 220, -1, 0);
    expect(low[0]?.rowOf[30]).toBe(-1);
    expect(low[0]?.rowOf[72]).toBeGreaterThanOrEqual(0);
  });
});

describe("the table of keys", () => {
  it("names every press once, and every row has words", () => {
    for (const takes of [false, true]) {
      const presses = KEYS.filter((row) => row.takes === takes).flatMap(({ keys }) => Object.keys(keys));
      expect(new Set(presses).size).toBe(presses.length);
    }
    for (const [keys, words] of keyLines()) {
      expect(keys).not.toBe("");
      expect(words).toBeTruthy();
    }
  });

  it("spells presses as the browser sends them", () => {
    const none = { shiftKey: false, ctrlKey: false, metaKey: false, altKey: false };
    expect(pressOf({ ...none, key: "Z", shiftKey: true, metaKey: true })).toBe("ctrl shift z");
    expect(pressOf({ ...none, key: "?", shiftKey: true })).toBe("?");
    expect(actionOf({ ...none, key: "[" })).toEqual({ do: "previousTrack" });
    expect(actionOf({ ...none, key: "]" })).toEqual({ do: "nextTrack" });
    expect(actionOf({ ...none, key: "," })).toEqual({ do: "ghosts" });
    expect(actionOf({ ...none, key: "ArrowLeft", altKey: true })).toEqual({ do: "length", steps: -1 });
  });

  it("writes presses as people do", () => {
    expect(pressesInWords(["ctrl c", "ctrl x"])).toBe("Ctrl C X");
    expect(pressesInWords(["0", "1", "2", "3", "4", "5", "6", "7"])).toBe("0 … 7");
    expect(pressesInWords(["ctrl shift z", "ctrl y"])).toBe("Ctrl Shift Z, Ctrl Y");
  });
});
