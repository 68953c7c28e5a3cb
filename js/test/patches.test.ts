import { expect, it } from "vitest";
import { patchOf } from "../src/playback/patches.ts";

it("has a sound for every program, and distinct ones for distinct families", () => {
  // "Percussive" starts with a tinkle bell: the bell of the second family
  const families = Array.from({ length: 16 }, (_, family) => family).filter((family) => family !== 14);
  expect(new Set(families.map((family) => patchOf(family * 8))).size).toBe(15);
  for (let program = 0; program < 128; program++) {
    const patch = patchOf(program);
    expect(patch.level).toBeGreaterThan(0);
    expect(patch.oscillators.length).toBeGreaterThan(0);
  }
});
