import { expect, it } from "vitest";
import { fitted } from "../src/lanes/chord_words.ts";

const width = (text: string): number => 7 * text.length;

it.each([
  ["F#m7b5", 42, "F#m7b5"],
  ["F#m7b5", 41, "F#·"],
  ["Am", 13, "•"],
  ["Am", 14, "Am"],
  ["C", 7, "C"],
  ["Bbmaj7", 20, "•"],
  ["Bbmaj7", 21, "Bb·"],
  ["N.C.", 20, "•"],
  ["Am", 6, ""],
  ["", 100, ""],
])("of %s in %i pixels there is '%s', never a cut letter", (name, room, expected) => {
  expect(fitted(name, room, width)).toBe(expected);
});
