import { describe, expect, it } from "vitest";
import { parseDocument, unpackNotes } from "../src/note_table.ts";
import { documentBytes, packed } from "./fixtures.ts";

const ROWS = [
  { track: 1, onset: 480, duration: 120, pitch: 36 },
  { track: 0, onset: 960, duration: 240, pitch: 64, velocity: 33, flags: 1 },
  { track: 0, onset: 0, duration: 1900, pitch: 60 },
  { track: 0, onset: 960, duration: 240, pitch: 62 },
];

describe("unpackNotes", () => {
  it.each([0, 1, 7])("reads records at byte offset %i", (offset) => {
    const table = unpackNotes(packed(ROWS, offset), 0, 4, 2);
    expect([...table.onsets]).toEqual([0, 960, 960, 480]);
    expect([...table.pitches]).toEqual([60, 62, 64, 36]);
    expect([...table.ids]).toEqual([102, 103, 101, 100]);
    expect([...table.velocities]).toEqual([90, 90, 33, 90]);
    expect([...table.flags]).toEqual([0, 0, 1, 0]);
    expect([...table.trackStarts]).toEqual([0, 3, 4]);
    expect([...table.longest]).toEqual([1900, 120]);
  });

  it("keeps the largest values exactly", () => {
    const table = unpackNotes(
      packed([{ track: 255, onset: 2 ** 32 - 1, duration: 2 ** 32 - 1, pitch: 127 }]),
      0,
      1,
      1,
    );
    expect(table.onsets[0]).toBe(2 ** 32 - 1);
    expect(table.tracks[0]).toBe(255);
  });

  it("refuses a buffer that is too short", () => {
    expect(() => unpackNotes(packed(ROWS), 0, 5, 2)).toThrow(/5 notes do not fit/);
  });

  it("gives a range that holds every note that touches a window", () => {
    const table = unpackNotes(packed(ROWS), 0, 4, 2);
    expect(table.range(0, 1000, 1100)).toEqual([0, 3]); // the long note reaches in
    expect(table.range(0, 3000, 4000)).toEqual([3, 3]);
    expect(table.range(1, 0, 480)).toEqual([3, 3]); // ends before the note
    expect(table.countOnsets(0, 960, 961)).toBe(2);
  });

  it("has empty ranges for tracks without notes", () => {
    const table = unpackNotes(packed([{ track: 2, onset: 5, duration: 1, pitch: 1 }]), 0, 1, 4);
    expect([...table.trackStarts]).toEqual([0, 0, 0, 1, 1]);
  });
});

describe("parseDocument", () => {
  it.each([0, 1, 7])("reads header, notes and removed notes at byte offset %i", (offset) => {
    const before = [{ track: 0, onset: 10, duration: 5, pitch: 50, flags: 8 }];
    const doc = parseDocument(documentBytes(ROWS, { rev: 9, before }, offset));
    expect(doc?.header.rev).toBe(9);
    expect(doc?.notes.count).toBe(4);
    expect([...(doc?.before.onsets ?? [])]).toEqual([10]);
  });

  it("is null for no bytes", () => {
    expect(parseDocument(null)).toBeNull();
    expect(parseDocument(new DataView(new ArrayBuffer(0)))).toBeNull();
  });

  it("refuses a header longer than the bytes", () => {
    const view = new DataView(new ArrayBuffer(8));
    view.setUint32(0, 1000, true);
    expect(() => parseDocument(view)).toThrow(/header needs 1000 bytes/);
  });
});
