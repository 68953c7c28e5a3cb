import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { CELL_FINISHED, CELL_SELECTED, CELL_TARGET } from "../src/cell_states.ts";
import { FLAG_GENERATED } from "../src/protocol.gen.ts";
import { Selection } from "../src/selection.ts";
import { Store } from "../src/store.ts";
import { BAR, documentBytes, type FakeModel, fakeModel, packed, type Row } from "./fixtures.ts";

const ROWS: Row[] = [0, 1, 2, 3].flatMap((bar) => [
  { track: 0, onset: bar * BAR, duration: 480, pitch: 60 },
  { track: 1, onset: bar * BAR, duration: 60, pitch: 36 },
]);

let model: FakeModel;
let store: Store;

beforeEach(() => {
  vi.useFakeTimers();
  model = fakeModel({ _doc: documentBytes(ROWS) });
  store = new Store(model);
});
afterEach(() => {
  store.dispose();
  vi.useRealTimers();
});

const heard = (from = 0, to = 4 * BAR): [number, number, number][] => {
  const notes: [number, number, number][] = [];
  store.noteSource()?.notesBetween(from, to, (n) => notes.push([n.track, n.onset, n.pitch]));
  return notes;
};
const event = (n: number, ev: string, fields: object = {}, buffers: DataView[] = []): void =>
  model.receive({ v: 1, k: "ev", job: "j1", n, ev, ...fields }, buffers);
const arrive = (n: number, track: number, bar: number, pitches: number[]): void =>
  event(n, "notes", { track, bar, count: pitches.length }, [
    packed(pitches.map((pitch) => ({ track, onset: bar * BAR, duration: 100, pitch }))),
  ]);

describe("selection", () => {
  it("reaches the kernel at most every 100 ms, and always the last", () => {
    store.select(Selection.of([[0, 0]]));
    store.select(Selection.of([[0, 1]]));
    store.select(Selection.of([[0, 2]]));
    expect(model.saves).toBe(0);
    vi.advanceTimersByTime(100);
    expect(model.saves).toBe(1);
    expect(model.state.selection).toEqual({ cells: [[0, 2]] });
  });

  it("follows Python, and drops cells that do not exist", () => {
    model.push("selection", {
      cells: [
        [1, 3],
        [7, 0],
      ],
    });
    expect(store.selection.cells()).toEqual([[1, 3]]);
    expect(store.cellState(1, 3)).toBe(CELL_SELECTED);
  });

  it("of notes is told with the bars, follows Python, and leaves out what is not here", () => {
    const ids = [...store.notes.ids];
    store.select(Selection.of([[0, 0]]));
    store.editor.select([ids[1] as number, ids[2] as number]);
    vi.advanceTimersByTime(100);
    expect(model.saves).toBe(1);
    expect(model.state.selection).toEqual({ cells: [[0, 0]], notes: [ids[1], ids[2]] });
    model.push("selection", { cells: [[0, 0]], notes: [ids[3] as number, 999_999] });
    expect([...store.editor.selected]).toEqual([ids[3]]);
    model.push("_doc", documentBytes(ROWS)); // and with the next document, nothing is sent back
    vi.advanceTimersByTime(500);
    expect(model.saves).toBe(1);
    store.editor.select([]);
    vi.advanceTimersByTime(100);
    expect(model.state.selection).toEqual({ cells: [[0, 0]] });
  });

  it("of another page counts once the kernel has seen this page's own", () => {
    model.push("_seen", { [store.page]: 0 });
    store.select(Selection.of([[0, 0]]));
    vi.advanceTimersByTime(100);
    model.push("selection", { cells: [[1, 1]] });
    expect(store.selection.cells()).toEqual([[0, 0]]);
    vi.advanceTimersByTime(100);
    model.push("_seen", { [store.page]: 2 });
    model.push("selection", { cells: [[1, 2]] });
    expect(store.selection.cells()).toEqual([[1, 2]]);
    vi.advanceTimersByTime(500);
    expect(model.saves).toBe(2); // what came from elsewhere is not sent on
  });

  it("that the kernel has seen gives way to what it says later, also when something older came between", () => {
    model.push("_seen", { [store.page]: 0 });
    store.select(Selection.of([[0, 0]]));
    vi.advanceTimersByTime(100);
    model.push("selection", { cells: [[1, 1]] }); // older: said before it had come
    expect(model.state.selection).toEqual({ cells: [[0, 0]] });
    model.push("_seen", { [store.page]: 1 });
    model.push("selection", { cells: [[1, 3]] }); // undo brought it back
    vi.advanceTimersByTime(500);
    expect(store.selection.cells()).toEqual([[1, 3]]);
    expect(model.state.selection).toEqual({ cells: [[1, 3]] });
  });

  it("keeps what exists when the piece gets shorter", () => {
    store.select(Selection.rectangle([0, 1], [0, 3]));
    model.push("_doc", documentBytes(ROWS.slice(0, 4), { bars: 2 }));
    expect(store.selection.cells()).toEqual([[0, 1]]);
  });

  it("goes along with its bars, whichever of the two is told first", () => {
    model.push("selection", { cells: [[0, 5]] });
    model.push("_doc", documentBytes(ROWS, { bars: 6 }));
    expect(store.selection.cells()).toEqual([[0, 5]]);
    model.push("_doc", documentBytes(ROWS, { bars: 4 }));
    model.push("selection", { cells: [[0, 3]] });
    expect(store.selection.cells()).toEqual([[0, 3]]);
  });

  it("and wishes are told before bars move", () => {
    store.select(Selection.of([[0, 1]]));
    store.setWish("bar_note_density", [[0, 1]], 3);
    expect(model.saves).toBe(0);
    store.editor.structureEdit("Insert", { op: "bars_insert", at: 0, count: 1 });
    expect(model.saves).toBeGreaterThan(0);
    expect(model.sent.some(({ k }) => k === "ops")).toBe(true);
    expect(model.state.selection).toEqual({ cells: [[0, 1]] });
    const { saves } = model;
    vi.advanceTimersByTime(500);
    expect(model.saves).toBe(saves);
  });
});

describe("measured values", () => {
  it("come as a list per attribute", () => {
    const rows = { 1: { density: [3, null, 0] } };
    model.push("realized", { track: { 1: { density: 7 } }, rows });
    const read = [-1, 0, 1, 2, 3].map((bar) => store.measured("density", 1, bar));
    expect(read).toEqual([7, 3, undefined, 0, undefined]);
    expect(store.measured("other", 0, 0)).toBeUndefined();
  });
});

describe("curves", () => {
  const asked = (): unknown => model.get("attributes")?.bar?.["0"];

  it("are not undone by the echo of what was sent before", () => {
    store.setCurve("density", 0, [[0, 4]]);
    vi.advanceTimersByTime(100);
    const sent = model.get("attributes");
    store.setCurve("density", 0, [[1, 5]]);
    model.push("attributes", structuredClone(sent) as never);
    store.setCurve("density", 0, [[2, 6]]);
    expect(asked()).toEqual({ 0: { density: 4 }, 1: { density: 5 }, 2: { density: 6 } });
    vi.advanceTimersByTime(100);
    expect(model.saves).toBe(2);
    model.push("_seen", { [store.page]: 2 });
    model.push("attributes", { track: {}, bar: {} }); // once all is seen, Python's word counts again
    expect(asked()).toBeUndefined();
  });

  it("are sent again when a slow kernel said something older, and end as drawn", () => {
    model.push("_seen", { [store.page]: 0 });
    store.setCurve("density", 0, [[0, 4]]);
    vi.advanceTimersByTime(100);
    model.push("attributes", { track: {}, bar: {} }); // said before the curve had come
    expect(asked()).toEqual({ 0: { density: 4 } });
    vi.advanceTimersByTime(100);
    expect(model.saves).toBe(2);
    expect(model.state._from).toBe(`${store.page}-2`);
  });
});

describe("a job", () => {
  beforeEach(() => {
    store.select(Selection.rectangle([0, 1], [0, 2]));
  });

  it("is asked for with the selection, and streams", async () => {
    store.attempt(store.generate());
    expect(model.sent[0]).toMatchObject({
      k: "generate",
      selection: {
        cells: [
          [0, 1],
          [0, 2],
        ],
      },
    });
    model.receive({ v: 1, k: "ok", id: model.sent[0]?.["id"], job: "j1" });
    await vi.advanceTimersByTimeAsync(0);
    expect(store.running).toBe(true);
    event(0, "accepted", {
      cells: [
        [0, 1],
        [0, 2],
      ],
      label: "x",
    });
    event(1, "step", { step: 0, n_steps: 1, window: [0, 4] });
    arrive(2, 0, 1, [70, 72]);
    event(3, "tok", { tokens: 44 });
    expect(store.job?.tokens).toBe(44);
    expect(store.cellState(0, 1) & CELL_TARGET).toBeTruthy();
    expect(store.job?.batches[0]?.notes.count).toBe(2);
  });

  it("plays old notes until a bar is complete, then the new ones", () => {
    event(0, "accepted", { cells: [[0, 1]], label: "x" });
    arrive(1, 0, 1, [70]);
    expect(heard(BAR, BAR + 1)).toEqual([
      [0, BAR, 60],
      [1, BAR, 36],
    ]);
    event(2, "bar", { track: 0, bar: 1 });
    expect(store.cellState(0, 1) & CELL_FINISHED).toBeTruthy();
    expect(heard(BAR, BAR + 1)).toEqual([
      [1, BAR, 36],
      [0, BAR, 70],
    ]);
    event(3, "reject", { cells: [[0, 1]] });
    expect(heard(BAR, BAR + 1)).toEqual([
      [0, BAR, 60],
      [1, BAR, 36],
    ]);
    expect(store.job?.batches).toEqual([]);
  });

  it("takes several events from one message, each with its own buffer", () => {
    event(0, "accepted", { cells: [[0, 1]], label: "x" });
    const notes = (track: number, bar: number, pitch: number): DataView =>
      packed([{ track, onset: bar * BAR, duration: 100, pitch }]);
    const more = [
      { ev: "bar", track: 0, bar: 1 },
      { ev: "notes", track: 0, bar: 2, count: 1 },
      { ev: "tok", tokens: 12 },
    ];
    event(1, "notes", { track: 0, bar: 1, count: 1, more }, [notes(0, 1, 70), notes(0, 2, 71)]);
    expect(store.cellState(0, 1) & CELL_FINISHED).toBeTruthy();
    expect(heard(BAR, BAR + 1)).toContainEqual([0, BAR, 70]);
    expect(store.job?.batches.map(({ bar, notes }) => [bar, notes.pitches[0]])).toEqual([
      [1, 70],
      [2, 71],
    ]);
    expect(store.job?.tokens).toBe(12);
    expect(store.job?.sequence.next).toBe(5);
    event(5, "tok", { tokens: 13, more: [{ ev: "done", rev: 1 }] });
    expect(store.job).toBeNull();
  });

  it("ends with the marks of before and after, and forgets them with the next action", () => {
    event(0, "accepted", { cells: [[0, 1]], label: "x" });
    const fresh = { track: 0, onset: BAR, duration: 9, pitch: 71, flags: FLAG_GENERATED };
    const removed = { track: 0, onset: BAR, duration: 480, pitch: 60 };
    const kept = ROWS.filter((row) => row.track !== 0 || row.onset !== BAR);
    model.push("_doc", documentBytes([...kept, fresh], { rev: 2, before: [removed] }));
    event(1, "done", { rev: 2 });
    expect(store.running).toBe(false);
    expect(store.compare).toBe("after");
    expect(store.outcome).toMatch(/^1 new note in place of 1/);
    expect(heard(BAR, BAR + 1)).toEqual([
      [0, BAR, 71],
      [1, BAR, 36],
    ]);
    store.setCompare("before");
    expect(heard(BAR, BAR + 1)).toEqual([
      [0, BAR, 60],
      [1, BAR, 36],
    ]);
    store.attempt(store.undo());
    expect(store.compare).toBe("off");
    expect(store.outcome).toBe("");
  });

  it("says nothing of a generation over another piece", () => {
    event(0, "accepted", { cells: [[0, 1]], label: "x" });
    model.push("_doc", documentBytes(ROWS, { rev: 2 }));
    event(1, "done", { rev: 2 });
    expect(store.outcome).not.toBe("");
    model.push("_doc", documentBytes(ROWS, { rev: 3 }));
    expect(store.outcome).toBe("");
  });

  it("takes late events of an ended job for what they are", () => {
    event(0, "accepted", { cells: [[0, 1]], label: "x" });
    event(1, "cancelled", { rev: 1 });
    arrive(1, 0, 1, [70]);
    event(2, "tok", { tokens: 3 });
    expect(store.job).toBeNull();
  });

  it("asks for the whole picture after a gap, and goes on from there", async () => {
    event(0, "accepted", {
      cells: [
        [0, 1],
        [0, 2],
      ],
      label: "x",
    });
    arrive(3, 0, 2, [75]); // 1 and 2 are lost
    expect(model.sent.some((m) => m["k"] === "sync")).toBe(false);
    vi.advanceTimersByTime(150);
    const sync = model.sent.find((m) => m["k"] === "sync");
    expect(sync).toMatchObject({ job: "j1", have: 1 });
    const picture = packed([{ track: 0, onset: BAR + 5, duration: 10, pitch: 70 }]);
    model.receive(
      {
        v: 1,
        k: "ok",
        id: sync?.["id"],
        job: "j1",
        n: 3,
        state: "running",
        cells: [
          [0, 1],
          [0, 2],
        ],
        finished: [[0, 1]],
        tokens: 9,
        count: 1,
      },
      [picture],
    );
    await vi.advanceTimersByTimeAsync(0);
    expect(store.job?.batches.map((b) => [b.bar, [...b.notes.pitches]])).toEqual([
      [1, [70]],
      [2, [75]],
    ]);
    expect(store.job?.finished.size).toBe(1);
    expect(store.job?.tokens).toBe(9);
  });

  it("that the kernel no longer knows is over", async () => {
    event(2, "tok", { tokens: 1 });
    vi.advanceTimersByTime(150);
    const sync = model.sent.find((m) => m["k"] === "sync");
    model.receive({ v: 1, k: "ok", id: sync?.["id"], job: null });
    await vi.advanceTimersByTimeAsync(0);
    expect(store.job).toBeNull();
  });

  it("that runs when the page comes late is picked up", async () => {
    const late = fakeModel({ _doc: documentBytes(ROWS), status: "running" });
    const second = new Store(late);
    expect(late.sent[0]).toMatchObject({ k: "sync", job: null, have: 0 });
    late.receive({
      v: 1,
      k: "ok",
      id: late.sent[0]?.["id"],
      job: "j7",
      n: 5,
      state: "running",
      cells: [[1, 0]],
    });
    await vi.advanceTimersByTimeAsync(0);
    expect(second.job?.id).toBe("j7");
    second.dispose();
  });

  it("is called stalled after three seconds of silence", () => {
    event(0, "accepted", { cells: [[0, 1]], label: "x" });
    vi.advanceTimersByTime(2900);
    expect(store.stalled).toBe(false);
    vi.advanceTimersByTime(200);
    expect(store.stalled).toBe(true);
    event(1, "tok", { tokens: 1 });
    expect(store.stalled).toBe(false);
  });

  it("that fails shows why", () => {
    event(0, "accepted", { cells: [[0, 1]], label: "x" });
    event(1, "error", { code: "deadlock", message: "no legal token", hint: "loosen a limit" });
    expect(store.problem).toMatchObject({
      code: "deadlock",
      message: "no legal token",
      hint: "loosen a limit",
    });
    expect(store.running).toBe(false);
  });

  it("that is refused shows why", async () => {
    store.attempt(store.generate());
    model.receive({
      v: 1,
      k: "error",
      id: model.sent[0]?.["id"],
      code: "bad",
      message: "too many bars",
      hint: "",
    });
    await vi.advanceTimersByTimeAsync(0);
    expect(store.problem?.message).toBe("too many bars");
  });
});

describe("what went wrong", () => {
  const answer = (k: "ok" | "error"): Promise<unknown> => {
    const id = model.sent.at(-1)?.["id"];
    model.receive({ v: 1, k, id, code: "score", message: "no MIDI file", hint: "" });
    return vi.advanceTimersByTimeAsync(0);
  };
  const upload = (): void =>
    store.attempt(store.ask("upload", { name: "a.mid", part: 0, parts: 1 }).then(() => {}));

  beforeEach(async () => {
    upload();
    await answer("error");
    expect(store.problem?.message).toBe("no MIDI file");
  });

  it("is told until a request of its kind is granted", async () => {
    store.attempt(store.ask("example", {}).then(() => {}));
    await answer("ok");
    expect(store.problem).not.toBeNull(); // something else
    upload();
    await answer("ok");
    expect(store.problem).toBeNull();
  });

  it("is told until bars are written, but not when that fails or is stopped", () => {
    event(0, "accepted", { cells: [[0, 1]], label: "x" });
    event(1, "cancelled", {});
    expect(store.problem).not.toBeNull();
    model.receive({ v: 1, k: "ev", job: "j2", n: 0, ev: "accepted", cells: [[0, 1]], label: "x" }, []);
    model.receive({ v: 1, k: "ev", job: "j2", n: 1, ev: "done", rev: 2 }, []);
    expect(store.problem).toBeNull();
  });

  it("while bars are written is told when they are there, too", () => {
    event(0, "accepted", { cells: [[0, 1]], label: "x" });
    store.fail({ code: "callback", message: "cb raised", hint: "" });
    event(1, "done", { rev: 2 });
    expect(store.problem?.message).toBe("cb raised");
  });
});

describe("Generate is off", () => {
  it.each([
    [{ caps: {} }, /no model/],
    [{ readonly: true }, /read-only/],
    [{ caps: { unavailable: "install torch" } }, /install torch/],
    [{ _doc: null }, /no score/],
    [{}, /Select bars/],
  ])("for a reason: %j", (state, reason) => {
    const other = new Store(fakeModel({ _doc: documentBytes(ROWS), ...state }));
    expect(other.blocked).toMatch(reason);
    other.dispose();
  });
});

describe("sound", () => {
  it("leaves muted tracks out, and plays only soloed ones", () => {
    store.toggleMute(0);
    expect(heard(0, 1)).toEqual([[1, 0, 36]]);
    store.toggleSolo(0);
    expect(heard(0, 1)).toEqual([[0, 0, 60]]);
  });

  it("loops whole bars, from either side", () => {
    store.setLoop([1, 3]);
    expect(store.player.loop).toEqual({ start: BAR, end: 3 * BAR });
    model.push("loop", []);
    expect(store.player.loop).toBeNull();
  });
});

describe("wishes", () => {
  it("are set for bars and tracks, and cleared without leaving empty branches", () => {
    store.setWish(
      "density",
      [
        [0, 1],
        [0, 2],
      ],
      7,
    );
    store.setWish("range", [[1, -1]], 3);
    expect(model.state.attributes).toEqual({
      track: { 1: { range: 3 } },
      bar: { 0: { 1: { density: 7 }, 2: { density: 7 } } },
    });
    expect(store.wish("density", 0, 2)).toBe(7);
    store.setWish(
      "density",
      [
        [0, 1],
        [0, 2],
      ],
      null,
    );
    store.setWish("range", [[1, -1]], null);
    expect(model.state.attributes).toEqual({ track: {}, bar: {} });
  });
});

it("leaves nothing behind", () => {
  store.dispose();
  expect(model.listenerCount()).toBe(0);
  expect(vi.getTimerCount()).toBe(0);
});

it("a broken document is reported, not thrown", () => {
  model.push("_doc", new DataView(new Uint8Array([9, 9, 9, 9, 1, 2]).buffer));
  expect(store.problem?.code).toBe("document");
  expect(store.bars.n).toBe(0);
});
