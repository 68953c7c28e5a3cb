import { describe, expect, it } from "vitest";
import { begunEarlier, copied, lengthened, louder, moved, quantised, spanTicks } from "../src/edit/change.ts";
import { Editor } from "../src/edit/editor.ts";
import { type EditNote, notesWith, packNotes, withChanges } from "../src/edit/notes.ts";
import { snapped, snapTicks } from "../src/edit/snap.ts";
import { actionOf } from "../src/keyboard.ts";
import { RequestError } from "../src/model.ts";
import { NoteTable, unpackNotes } from "../src/note_table.ts";
import { NOTE_BYTES } from "../src/protocol.gen.ts";

const note = (id: number, onset: number, changes: Partial<EditNote> = {}): EditNote => ({
  id,
  track: 0,
  onset,
  duration: 120,
  pitch: 60,
  velocity: 90,
  micro: 0,
  ...changes,
});

const table = (notes: EditNote[], nTracks = 2): NoteTable =>
  withChanges(new NoteTable(0, nTracks), nTracks, new Set(), notes);
const onsets = (notes: readonly EditNote[]): number[] => notes.map(({ onset }) => onset);
const END = { end: 1000 };

describe("changes", () => {
  it("moves together and stays inside the piece and the keyboard", () => {
    const notes = [note(1, 100, { pitch: 3 }), note(2, 400)];
    expect(onsets(moved(notes, -500, 0, END))).toEqual([0, 300]);
    expect(onsets(moved(notes, 5000, 0, END))).toEqual([699, 999]);
    expect(moved(notes, 0, -12, END).map(({ pitch }) => pitch)).toEqual([0, 57]);
    expect(moved([], 1, 1, END)).toEqual([]);
  });
  it("resizes both ends, never below the grid", () => {
    expect(lengthened([note(1, 0)], -500, 30)[0]?.duration).toBe(30);
    expect(lengthened([note(1, 0, { duration: 10 })], -5, 30)[0]?.duration).toBe(10);
    const [early] = begunEarlier([note(1, 100)], -60, 30);
    expect([early?.onset, early?.duration]).toEqual([40, 180]);
    const [late] = begunEarlier([note(1, 100)], 400, 30);
    expect([late?.onset, late?.duration]).toEqual([190, 30]);
  });
  it("keeps loudness in 1..127", () => {
    expect(louder([note(1, 0, { velocity: 125 })], 8)[0]?.velocity).toBe(127);
    expect(louder([note(1, 0, { velocity: 5 })], -8)[0]?.velocity).toBe(1);
  });
  it("quantises to the grid of the bar, and takes micro-timing away", () => {
    const bar = (tick: number): [number, number] => (tick < 360 ? [0, 360] : [360, 1000]); // 3/8, then on
    expect(onsets(quantised([note(1, 70, { micro: -200 }), note(2, 425)], 120, bar, END))).toEqual([
      120, 480,
    ]);
  });
  it("quantises to the next bar's first line, in the last bar to the last line inside, as Python does", () => {
    const bar = (tick: number): [number, number] => (tick < 400 ? [0, 400] : [400, 1000]);
    expect(onsets(quantised([note(1, 390), note(2, 310), note(3, 990)], 200, bar, END))).toEqual([
      400, 400, 800,
    ]);
    expect(onsets(quantised([note(1, 390), note(2, 340)], 240, bar, END))).toEqual([400, 240]);
  });
  it("keeps to the grid at the end of the piece", () => {
    const notes = [note(1, 600), note(2, 840)];
    expect(onsets(moved(notes, 120, 0, END, 120))).toEqual([720, 960]);
    expect(onsets(moved(notes, 240, 0, END, 120))).toEqual([720, 960]);
    expect(onsets(moved(notes, -1000, 0, END, 120))).toEqual([0, 240]);
  });
  it("copies with new ids and leaves out what lies beyond the end", () => {
    let id = 100;
    const copies = copied([note(1, 0), note(2, 900)], 500, () => id++, END);
    expect(copies.map(({ id: i, onset }) => [i, onset])).toEqual([[100, 500]]);
  });
  it("duplicates by whole grid steps", () => {
    expect(spanTicks([note(1, 0), note(2, 100)], 120)).toBe(240);
    expect(spanTicks([note(1, 0, { duration: 240 })], 120)).toBe(240);
  });
});

describe("grid", () => {
  it("knows straight and triplet grids", () => {
    expect(snapTicks("1/16", 480)).toBe(120);
    expect(snapTicks("1/8T", 480)).toBe(160);
    expect(snapTicks("off", 480)).toBe(1);
    expect(snapTicks("1/1", 480)).toBe(1920);
  });
  it("counts from the bar's start", () => {
    expect(snapped(1000, 840, 120, false)).toBe(960);
    expect(snapped(1030, 840, 120, true)).toBe(1080);
  });
});

describe("tables", () => {
  it("stay in order of track, onset and pitch, whatever comes", () => {
    const before = table([note(1, 0), note(2, 200), note(3, 100, { track: 1 })]);
    const after = withChanges(before, 2, new Set([1]), [note(9, 150), note(3, 5), note(4, 5, { pitch: 50 })]);
    expect([...after.ids]).toEqual([4, 3, 9, 2]);
    expect(after.countOnsets(0, 0, 160)).toBe(3);
    expect(after.countOnsets(1, 0, 1000)).toBe(0);
    expect([...before.ids]).toEqual([1, 2, 3]);
  });
  it("pack as the kernel reads them", () => {
    const notes = [note(0x80000001, 70_000, { micro: -7, velocity: 3, track: 1 })];
    const bytes = packNotes(notes);
    expect(bytes.byteLength).toBe(NOTE_BYTES);
    const read = unpackNotes(new DataView(bytes), 0, 1, 2);
    expect(notesWith(read, new Set([0x80000001]))).toEqual(notes);
  });
});

/** An editor whose kernel answers when told to. */
function makeEditor(): {
  editor: Editor;
  answer(rev: number): Promise<void>;
  refuse(): Promise<void>;
  sent: number;
  refusals: unknown[];
} {
  const waiting: { resolve(value: never): void; reject(error: unknown): void }[] = [];
  const refusals: unknown[] = [];
  const editor = new Editor({
    nTracks: () => 2,
    send: () => new Promise((resolve, reject) => waiting.push({ resolve: resolve as never, reject })),
    changed: () => {},
    chosen: () => {},
    refused: (error) => refusals.push(error),
  });
  const settle = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 0));
  return {
    editor,
    refusals,
    get sent() {
      return waiting.length;
    },
    answer: (rev) => {
      waiting.shift()?.resolve({ ok: { rev }, buffers: [] } as never);
      return settle();
    },
    refuse: () => {
      waiting.shift()?.reject(new RequestError({ code: "stale", message: "gone", hint: "" }));
      return settle();
    },
  };
}

const ids = (editor: Editor): number[] => [...editor.notes.ids];

describe("the editor", () => {
  it("shows an edit at once and keeps it until a snapshot holds it", async () => {
    const { editor, answer } = makeEditor();
    editor.take(table([note(1, 0)]), 1);
    editor.notesEdit("Draw", [], [note(2, 10)]);
    expect(ids(editor)).toEqual([1, 2]);
    editor.take(table([note(1, 0), note(7, 5)]), 2); // somebody else's edit
    expect(ids(editor)).toEqual([1, 7, 2]);
    await answer(3);
    expect(ids(editor)).toEqual([1, 7, 2]);
    expect(editor.waiting).toBe(true);
    editor.take(table([note(1, 0), note(7, 5), note(2, 10)]), 3);
    expect(editor.waiting).toBe(false);
    expect(ids(editor)).toEqual([1, 7, 2]);
  });
  it("keeps later edits when an older snapshot comes", async () => {
    const { editor, answer } = makeEditor();
    editor.take(table([note(1, 0)]), 1);
    editor.notesEdit("a", [], [note(2, 10)]);
    editor.notesEdit("b", [1], []);
    await answer(2);
    editor.take(table([note(1, 0), note(2, 10)]), 2);
    expect(ids(editor)).toEqual([2]);
    await answer(3);
    editor.take(table([note(2, 10)]), 3);
    expect(ids(editor)).toEqual([2]);
    expect(editor.waiting).toBe(false);
  });
  it("m4: lets go of an edit whose answer comes after the snapshot that holds it", async () => {
    const { editor, answer } = makeEditor();
    editor.take(table([note(1, 0)]), 1);
    editor.notesEdit("a", [], [note(2, 10)]);
    editor.take(table([note(1, 0), note(2, 10)]), 2);
    expect(editor.waiting).toBe(true);
    await answer(2);
    expect(editor.waiting).toBe(false);
    expect(editor.notes.count).toBe(2);
  });

  it("drops a refused edit with all that came after it", async () => {
    const { editor, refuse, refusals } = makeEditor();
    editor.take(table([note(1, 0)]), 1);
    editor.notesEdit("a", [], [note(2, 10)]);
    editor.notesEdit("b", [], [note(2, 20)]);
    await refuse();
    expect(ids(editor)).toEqual([1]);
    expect(refusals).toHaveLength(1);
  });
  it("forgets selected notes that are gone", () => {
    const { editor } = makeEditor();
    editor.take(table([note(1, 0), note(2, 5)]), 1);
    editor.select([1, 2]);
    editor.take(table([note(2, 5)]), 2);
    expect([...editor.selected]).toEqual([2]);
  });
  it("sends nothing for an empty gesture, and never the same new id twice", () => {
    const box = makeEditor();
    box.editor.notesEdit("nothing", [], []);
    expect(box.sent).toBe(0);
    const made = new Set(Array.from({ length: 1000 }, box.editor.newId));
    expect(made.size).toBe(1000);
    expect([...made].every((id) => id >= 0x80000000 && id <= 0xffffffff)).toBe(true);
  });
});

describe("keys", () => {
  const press = (key: string, mods: Partial<Record<"ctrlKey" | "altKey", boolean>> = {}): unknown =>
    actionOf({ key, shiftKey: false, ctrlKey: false, metaKey: false, altKey: false, ...mods });
  it.each([
    ["1", { do: "tool", tool: "select" }],
    ["5", { do: "tool", tool: "bars" }],
    ["Delete", { do: "delete" }],
    ["q", { do: "quantise" }],
  ])("%s", (key, action) => expect(press(key)).toEqual(action));
  it("Ctrl D duplicates, Alt right lengthens", () => {
    expect(press("d", { ctrlKey: true })).toEqual({ do: "duplicate" });
    expect(press("ArrowRight", { altKey: true })).toEqual({ do: "length", steps: 1 });
    expect(press("ArrowUp", { altKey: true })).toEqual({ do: "previousNote" });
  });
});
