/** Takes: what is shown and heard of them, and how one follows another at a bar line. */
import { describe, expect, it, vi } from "vitest";
import { BarMap, TempoMap } from "../src/coords.ts";
import { unpackNotes } from "../src/note_table.ts";
import type { NoteSource, PlayableNote } from "../src/playback/scheduler.ts";
import type { Plan, TakeInfo } from "../src/protocol.gen.ts";
import { Store } from "../src/store.ts";
import { BarSwitch } from "../src/takes/bar_switch.ts";
import { mixed } from "../src/takes/mix.ts";
import { barRole, barRoles, trackRole, withBarRole, withTrackRole } from "../src/takes/roles.ts";
import { BAR, documentBytes, fakeModel, packed, type Row } from "./fixtures.ts";

const bars = new BarMap(
  Array.from({ length: 4 }, (_, i) => [4, 4, i * BAR, BAR] as [number, number, number, number]),
);
const note = (track: number, bar: number, pitch: number, at = 0): Row => ({
  track,
  onset: bar * BAR + at,
  duration: 240,
  pitch,
});
const table = (rows: readonly Row[]) => unpackNotes(packed(rows), 0, rows.length, 2);
const pitches = (notes: ReturnType<typeof table>): number[] => [...notes.pitches];

describe("a document with bars of a take", () => {
  const document = table([note(0, 0, 60), note(0, 1, 62), note(0, 1, 64, 480), note(1, 1, 36)]);
  const take = table([note(0, 1, 62), note(0, 1, 65, 480), note(0, 2, 70)]);

  it("keeps equal notes, marks new ones, and says what goes", () => {
    const { notes, removed } = mixed(document, bars, new Map([["0,1", take]]));
    expect(pitches(notes)).toEqual([60, 62, 65, 36]);
    expect([...notes.flags]).toEqual([0, 0, 1, 0]);
    expect(pitches(removed)).toEqual([64]);
    expect(notes.lowerBound(1, 0)).toBe(3);
  });

  it("takes every bar from its own take and leaves the others alone", () => {
    const other = table([note(0, 1, 71), note(0, 2, 72)]);
    const choice = new Map([
      ["0,1", take],
      ["0,2", other],
    ]);
    expect(pitches(mixed(document, bars, choice).notes)).toEqual([60, 62, 65, 72, 36]);
    expect(pitches(mixed(document, bars, new Map()).notes)).toEqual(pitches(document));
  });

  it("counts equal notes: one more of the same is new", () => {
    const twice = table([note(0, 1, 62), note(0, 1, 62)]);
    const { notes, removed } = mixed(document, bars, new Map([["0,1", twice]]));
    expect([...notes.flags]).toEqual([0, 0, 1, 0]);
    expect(pitches(removed)).toEqual([64]);
  });
});

describe("switching while it plays", () => {
  const before = table([0, 1, 2, 3].flatMap((bar) => [note(0, bar, 50), note(0, bar, 51, 960)]));
  const after = table([0, 1, 2, 3].flatMap((bar) => [note(0, bar, 80), note(0, bar, 81, 960)]));
  const source = (notes = after): NoteSource => ({
    tempo: new TempoMap([], 480),
    endTick: 4 * BAR,
    notesBetween: (from, to, visit) => {
      for (let i = notes.lowerBound(0, from); i < notes.lowerBound(0, to); i++) {
        visit({ onset: notes.onsets[i] as number, pitch: notes.pitches[i] as number } as PlayableNote);
      }
    },
  });
  const heard = (voice: BarSwitch, from: number, to: number): number[] => {
    const found: number[] = [];
    voice.source(source).notesBetween(from, to, ({ pitch }) => found.push(pitch));
    return found;
  };

  it("what sounded goes on to the bar line, then the other begins, in one stretch", () => {
    const onSwitch = vi.fn();
    const voice = new BarSwitch(onSwitch);
    heard(voice, 0, 500);
    voice.hold(before, bars);
    expect(heard(voice, 500, 1500)).toEqual([51]);
    expect(onSwitch).not.toHaveBeenCalled();
    expect(heard(voice, 1500, BAR + 1000)).toEqual([80, 81]);
    expect(onSwitch).toHaveBeenCalledOnce();
    expect(voice.waiting).toBe(false);
  });

  it("a bar that is already on its way to the sound stays whole", () => {
    const voice = new BarSwitch();
    heard(voice, 0, BAR + 100); // looked ahead into the second bar
    voice.hold(before, bars);
    expect(heard(voice, BAR + 100, 2 * BAR + 100)).toEqual([51, 80]);
  });

  it("at the seam of a loop, and after a jump, the new notes are there", () => {
    const voice = new BarSwitch();
    heard(voice, 0, BAR + 1700);
    voice.hold(before, bars);
    expect(heard(voice, BAR + 1700, 2 * BAR)).toEqual([]);
    expect(heard(voice, 0, 100)).toEqual([80]);
    voice.hold(before, bars, true);
    expect(heard(voice, 100, 2 * BAR)).toEqual([51, 50, 51]); // a whole pass
    expect(heard(voice, 0, 100)).toEqual([80]);
  });
});

describe("roles", () => {
  it("are given and taken away", () => {
    let plan: Plan = withBarRole({}, [[1, 4], [1, 5]], "hidden"); // biome-ignore format: cells
    expect(barRole(plan, 1, 4)).toBe("hidden");
    plan = withBarRole(plan, [[1, 5], [2, 0]], "hidden"); // biome-ignore format: cells
    expect(barRoles(plan)).toHaveLength(3);
    plan = withBarRole(plan, [[1, 5]], "hidden");
    expect(barRole(plan, 1, 5)).toBeUndefined();
    plan = withTrackRole(plan, [0], "ignore");
    expect(trackRole(plan, 0)).toBe("ignore");
    expect(trackRole(withTrackRole(plan, [0], "ignore"), 0)).toBe("context");
    expect(barRoles(withBarRole(plan, [[1, 4], [2, 0]], "context"))).toEqual([]); // biome-ignore format: cells
  });
});

const info = (number: number): TakeInfo => ({
  id: `j-${number}`,
  number,
  seed: 7 + number,
  adherence: null,
  log_prob: -1,
  novelty: 0.5,
  notes: 1,
  status: "done",
  cells: [[0, 1]],
});

describe("open takes in the store", () => {
  const open = async () => {
    const model = fakeModel({ _doc: documentBytes([note(0, 0, 60), note(0, 1, 62)]) });
    const store = new Store(model);
    model.state.takes = [info(0), info(1)];
    model.state.active_take = "j-0";
    model.push("takes", [info(0), info(1)]);
    const asked = model.sent.filter((message) => message["k"] === "take_notes");
    asked.forEach((message, i) => {
      model.receive({ v: 1, k: "ok", id: message["id"], count: 1 }, [packed([note(0, 1, 80 + i)])]);
    });
    await Promise.resolve();
    await Promise.resolve();
    return { model, store };
  };

  it("shows the best one, others by number, and the original", async () => {
    const { store } = await open();
    expect(pitches(store.notes)).toEqual([60, 80]);
    expect(pitches(store.removed)).toEqual([62]);
    expect(store.editable).toBe(false);
    store.takes.show(1);
    expect(pitches(store.notes)).toEqual([60, 81]);
    store.takes.show(-1);
    expect(pitches(store.notes)).toEqual([60, 62]);
    store.takes.flip(true);
    expect(pitches(store.notes)).toEqual([60, 81]);
    store.takes.flip(false);
    expect(pitches(store.notes)).toEqual([60, 62]);
    store.dispose();
  });

  it("holds a bar to what it shows and accepts the mixture", async () => {
    const { store, model } = await open();
    expect(store.takes.toggleHeld([0, 0])).toBe(false);
    expect(store.takes.toggleHeld([0, 1])).toBe(true);
    store.takes.show(1);
    expect(pitches(store.notes)).toEqual([60, 80]);
    expect(store.takes.held).toEqual([[0, 1, 1]]);
    void store.takes.accept();
    const sent = model.sent.find((message) => message["k"] === "accept");
    expect(sent).toMatchObject({ take: "j-1", cells: [[0, 1, "j-0"]] });
    store.takes.toggleHeld([0, 1]);
    expect(pitches(store.notes)).toEqual([60, 81]);
    store.dispose();
  });

  it("when they go the document is shown again, and it may be edited", async () => {
    const { store, model } = await open();
    model.push("active_take", "");
    model.push("takes", []);
    expect(pitches(store.notes)).toEqual([60, 62]);
    expect(store.compare).toBe("off");
    expect(store.editable).toBe(true);
    store.dispose();
  });
});
