import { describe, expect, it } from "vitest";
import { type Kept, withTrack } from "../src/export/kept.ts";
import { applyOps, barStarts, type LocalDocument, Refused } from "../src/export/local_document.ts";
import { localModel } from "../src/export/local_model.ts";
import { midiBytes } from "../src/export/midi_writer.ts";
import type { State } from "../src/model.ts";
import { parseDocument } from "../src/note_table.ts";
import type { Op } from "../src/protocol.gen.ts";
import { BAR, documentBytes, TWO_TRACKS } from "./fixtures.ts";

const note = (id: number, onset: number, duration = 480, track = 0) => ({
  id,
  track,
  onset,
  duration,
  pitch: 60,
  velocity: 90,
  micro: 0,
});
const piece: LocalDocument = {
  resolution: 480,
  metres: Array.from({ length: 4 }, () => [4, 4] as const),
  tempo: [
    [0, 500_000],
    [2 * BAR, 400_000],
  ],
  tracks: TWO_TRACKS,
  instruments: Array.from({ length: 16 + 128 }, (_, i) => (i < 16 ? `Family ${i}` : `Program ${i - 16}`)),
  notes: [note(1, 0), note(2, BAR, 3 * BAR), note(3, 3 * BAR), note(4, 3 * BAR + 960, 60, 1)],
};
const done = (...ops: Op[]): LocalDocument => applyOps(piece, ops, []);
const onsets = (document: LocalDocument): number[] => document.notes.map((n) => n.onset / BAR);

describe("the document of an exported page", () => {
  it("inserts bars and moves what comes after", () => {
    const after = done({ op: "bars_insert", at: 2, count: 2 });
    expect(after.metres).toHaveLength(6);
    expect(onsets(after)).toEqual([0, 1, 5, 5.5]);
    expect(after.tempo).toEqual([
      [0, 500_000],
      [4 * BAR, 400_000],
    ]);
  });
  it("deletes bars; held notes lose the time that is gone", () => {
    const after = done({ op: "bars_delete", first: 2, count: 1 });
    expect(onsets(after)).toEqual([0, 1, 2, 2.5]);
    expect(after.notes[1]?.duration).toBe(2 * BAR);
    expect(() => done({ op: "bars_delete", first: 0, count: 4 })).toThrow(Refused);
  });
  it("duplicates bars with new ids", () => {
    const after = done({ op: "bars_duplicate", first: 3, count: 1 });
    expect(onsets(after).sort()).toEqual([0, 1, 3, 3.5, 4, 4.5]);
    expect(new Set(after.notes.map((n) => n.id)).size).toBe(6);
  });
  it("draws bar lines anew and fills the last bar", () => {
    const after = done({ op: "metre_set", first: 0, count: 2, metre: [3, 4] });
    expect(after.metres.slice(0, 4)).toEqual([
      [3, 4],
      [3, 4],
      [3, 4],
      [4, 4],
    ]);
    expect(barStarts(after)[3]).toBe(3 * 1440);
    expect(after.notes[2]?.onset).toBe(3 * BAR + 3 * 1440 - 2 * BAR);
  });
  it("moves, doubles and deletes tracks with their notes", () => {
    const moved = done({ op: "track_move", track: 1, to: 0 });
    expect(moved.tracks.map((t) => t.drum)).toEqual([true, false]);
    expect(moved.notes.filter((n) => n.track === 0)).toHaveLength(1);
    expect(done({ op: "track_duplicate", track: 0 }).notes).toHaveLength(7);
    expect(done({ op: "track_delete", track: 0 }).notes).toHaveLength(1);
    const set = done({ op: "track_set", track: 0, program: 33 });
    expect(set.tracks[0]).toMatchObject({ program: 33, family: "Family 4" });
  });
  it("refuses a note outside the piece", () => {
    const op: Op = { op: "notes", remove: [], count: 1 };
    expect(() => applyOps(piece, [op], [note(9, 9 * BAR)])).toThrow(Refused);
  });
});

describe("its MIDI file", () => {
  it("has a head, a chunk for tempo and metre, and one a track", () => {
    const bytes = midiBytes(piece, "T");
    const text = String.fromCharCode(...bytes);
    expect(text.startsWith("MThd")).toBe(true);
    expect(text.split("MTrk")).toHaveLength(4);
    expect([...bytes.slice(8, 14)]).toEqual([0, 1, 0, 3, 1, 224]);
  });
});

describe("the stand-in for the kernel", () => {
  const open = () => {
    const rows = [{ track: 0, onset: 0, duration: 480, pitch: 60 }];
    const files = { document: documentBytes(rows), midi: new Uint8Array([77]), sound: {} };
    const model = localModel({ caps: { unavailable: "exported" } }, "a.mid", files);
    const got: Record<string, unknown>[] = [];
    model.on("msg:custom", ((content: Record<string, unknown>) => got.push(content)) as never);
    const ask = async (k: string, fields = {}): Promise<Record<string, unknown>> => {
      model.send({ v: 1, k, id: String(got.length), ...fields });
      await Promise.resolve();
      return got[got.length - 1] as Record<string, unknown>;
    };
    return { model, ask };
  };
  it("answers edits, undo and redo", async () => {
    const { model, ask } = open();
    const tracks = (): number => parseDocument(model.get("_doc"))?.header.tracks.length ?? 0;
    const edit = { label: "x", ops: [{ op: "track_delete", track: 1 }] };
    expect(await ask("ops", edit)).toMatchObject({ k: "ok" });
    expect([tracks(), model.get("can_undo")]).toEqual([1, true]);
    await ask("undo");
    expect([tracks(), model.get("can_undo"), model.get("can_redo")]).toEqual([2, false, true]);
    await ask("redo");
    expect(tracks()).toBe(1);
  });
  it("refuses to generate, in words", async () => {
    const { ask } = open();
    expect(await ask("generate")).toMatchObject({ k: "error", code: "exported", message: "exported" });
  });
});

describe("a new track in a full file", () => {
  const full = (programs: readonly number[]): Kept => {
    const channels = Array.from({ length: 16 }, (_, channel) => channel).filter((channel) => channel !== 9);
    const seats = programs.map((_, i) => ({ chunk: i, channel: channels[i] as number }));
    const events = seats.map(({ chunk, channel }, i) => ({
      chunk,
      tick: 0,
      status: 0xc0 | channel,
      data: [programs[i] as number],
    }));
    const chunks = seats.map(({ chunk }) => chunk);
    return { format: 1, ticksPerQuarter: 480, chunks, events, seats, bars: [] };
  };
  const programs = Array.from({ length: 15 }, (_, i) => 20 + i);
  const flute = { program: 73, drum: false, name: "Flute" };

  it("gets a port of its own instead of another track's program", () => {
    const wider = withTrack(full(programs), 15, flute, programs);
    expect(wider.seats[15]).toEqual({ chunk: 15, channel: 0 });
    const own = wider.events.filter(({ chunk }) => chunk === 15).map(({ data }) => data.slice(0, 3));
    expect(own[0]).toEqual([0x21, 1, 1]);
    const third = withTrack(wider, 16, { ...flute, program: 74 }, [...programs, 73]);
    expect(third.seats[16]).toEqual({ chunk: 16, channel: 1 });
  });

  it("shares a channel with its own program, and takes a free one first", () => {
    expect(withTrack(full(programs), 15, { ...flute, program: 22 }, programs).seats[15]?.channel).toBe(2);
    const fewer = programs.slice(0, 14);
    expect(withTrack(full(fewer), 14, flute, fewer).seats[14]?.channel).toBe(15);
  });
});

describe("what is beside the music", () => {
  const note0 = { track: 0, onset: BAR, duration: 480, pitch: 60 };
  const measured = () => ({
    track: { 0: { d: 5 }, 1: { d: 6 } },
    bar: { 0: { 1: { d: 1 }, 2: { d: 2 } }, 1: { 2: { d: 3 } } },
  });
  const open = () => {
    const files = { document: documentBytes([note0]), midi: new Uint8Array([77]) };
    const state: Partial<State> = {
      selection: {
        cells: [
          [0, 1],
          [1, 2],
        ],
      },
      loop: [1, 3],
      plan: { roles: { 1: { bars: { 2: "locked" } } } },
      attributes: { track: { 1: { d: 4 } }, bar: { 0: { 1: { d: 7 } } } },
      chords: { 1: "Am" },
      heard_chords: [null, "F", "G", null],
      realized: measured(),
    };
    const model = localModel(state, "a.mid", files);
    const ask = async (k: string, fields = {}, buffers: ArrayBuffer[] = []): Promise<void> => {
      model.send({ v: 1, k, id: k, ...fields }, undefined, buffers);
      await Promise.resolve();
    };
    const edit = (...ops: Op[]): Promise<void> => ask("ops", { ops });
    const names = ["selection", "loop", "plan", "attributes", "chords", "heard_chords", "realized"] as const;
    const all = () => structuredClone(Object.fromEntries(names.map((name) => [name, model.get(name)])));
    return { model, ask, edit, all };
  };
  const at = (bar: number) => [
    [0, bar],
    [1, bar + 1],
  ];

  it("moves with bars that are put before it, and back", async () => {
    const { model, edit, ask, all } = open();
    const before = all();
    await edit({ op: "bars_insert", at: 1, count: 2 });
    expect(model.get("selection").cells).toEqual(at(3));
    expect(model.get("loop")).toEqual([3, 5]);
    expect(model.get("plan")).toEqual({ roles: { 1: { bars: { 4: "locked" } } } });
    expect(model.get("attributes")).toEqual({ track: { 1: { d: 4 } }, bar: { 0: { 3: { d: 7 } } } });
    expect(model.get("chords")).toEqual({ 3: "Am" });
    expect(model.get("heard_chords")).toEqual([null, null, null, "F", "G", null]);
    expect(model.get("realized").bar).toEqual({ 0: { 3: { d: 1 }, 4: { d: 2 } }, 1: { 4: { d: 3 } } });
    expect(model.get("realized").track).toEqual({}); // of other bars now: the page cannot measure
    await ask("undo");
    expect(all()).toEqual(before);
    await ask("redo");
    expect(model.get("loop")).toEqual([3, 5]);
  });
  it("goes with bars that go, the last ones too, and comes back by undo unless it was changed since", async () => {
    const { model, edit, ask } = open();
    await edit({ op: "bars_delete", first: 2, count: 2 });
    expect([model.get("selection").cells, model.get("loop")]).toEqual([[[0, 1]], [1, 2]]);
    await edit({ op: "bars_delete", first: 0, count: 1 });
    expect([model.get("selection").cells, model.get("loop")]).toEqual([[[0, 0]], [0, 1]]);
    await ask("undo");
    await ask("undo");
    expect([model.get("selection").cells, model.get("loop")]).toEqual([at(1), [1, 3]]);
    await ask("redo");
    model.set("loop", [0, 2]);
    await ask("undo");
    expect(model.get("loop")).toEqual([0, 2]);
  });
  it("gives copies of bars and tracks their wishes, and the selection stays where it was", async () => {
    const { model, edit } = open();
    await edit({ op: "bars_duplicate", first: 1, count: 1 });
    expect(model.get("attributes").bar).toEqual({ 0: { 1: { d: 7 }, 2: { d: 7 } } });
    expect(model.get("chords")).toEqual({ 1: "Am", 2: "Am" });
    expect(model.get("selection").cells).toEqual([
      [0, 1],
      [1, 3],
    ]);
    await edit({ op: "track_duplicate", track: 0 }, { op: "track_move", track: 2, to: 0 });
    expect(model.get("attributes").bar).toEqual({
      1: { 1: { d: 7 }, 2: { d: 7 } },
      2: { 1: { d: 7 }, 2: { d: 7 } },
    });
    expect(model.get("plan").roles).toEqual({ 0: { bars: { 3: "locked" } } });
    expect(model.get("realized").bar?.[0]).toEqual({ 3: { d: 3 } });
  });
  it("keeps as many bars as there are when they get another metre", async () => {
    const { model, edit } = open();
    await edit({ op: "metre_set", first: 0, count: 4, metre: [3, 4] });
    expect([model.get("selection").cells, model.get("heard_chords")]).toEqual([
      at(1),
      [null, null, null, null, null, null],
    ]);
    await edit({ op: "metre_set", first: 0, count: 6, metre: [6, 4] });
    expect([model.get("selection").cells, model.get("loop")]).toEqual([at(1), [1, 3]]);
    await edit({ op: "metre_set", first: 0, count: 3, metre: [9, 4] });
    expect([model.get("selection").cells, model.get("loop")]).toEqual([[[0, 1]], [1, 2]]);
  });
  it("no longer says of bars that were edited what was measured in them", async () => {
    const { model, edit, ask, all } = open();
    const before = all();
    const id = 100;
    await edit({ op: "notes", remove: [id], count: 0 });
    expect(model.get("realized")).toEqual({
      track: { 1: { d: 6 } },
      bar: { 0: { 2: { d: 2 } }, 1: { 2: { d: 3 } } },
    });
    expect(model.get("heard_chords")).toEqual([null, null, "G", null]);
    await ask("undo");
    expect(all()).toEqual(before);
  });
});
