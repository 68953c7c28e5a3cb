/** What the page keeps: the log of edits, the frame, the limits of the shelf, whose offer it is. */
import { describe, expect, it } from "vitest";
import { EditLog, frameOf, type KeptEdit } from "../src/autosave/log.ts";
import { isKept, type Kept, ownOf, Shelf, tooMuch } from "../src/autosave/shelf.ts";

const edit = (label: string, records: ArrayBuffer | null = null): KeptEdit => ({
  k: "ops",
  label,
  ops: [{ op: "notes", remove: [], count: 0 }],
  records,
});
const labels = (log: EditLog): string[] => log.edits.map(({ label }) => label);

describe("o6: the log", () => {
  it("holds edits until a project has them", () => {
    const log = new EditLog();
    const first = log.add(edit("a"));
    const second = log.add(edit("b"));
    first.carriedOut(1);
    log.reached(1);
    expect(labels(log)).toEqual(["b"]);
    second.carriedOut(2);
    log.reached(3);
    expect(labels(log)).toEqual([]);
  });

  it("keeps what is not answered, and drops it when the answer says it is in there", () => {
    const log = new EditLog();
    const late = log.add(edit("a"));
    log.reached(5);
    expect(labels(log)).toEqual(["a"]);
    late.carriedOut(4);
    expect(labels(log)).toEqual([]);
  });

  it("forgets what was refused", () => {
    const log = new EditLog();
    const own = log.add(edit("a"));
    log.add(edit("b"));
    own.refused();
    expect(labels(log)).toEqual(["b"]);
  });
});

describe("o6: the frame", () => {
  it("has header, project and records one after the other", () => {
    const base = new Uint8Array([1, 2, 3]).buffer;
    const frame = frameOf(base, [edit("a", new Uint8Array([9, 9]).buffer), edit("ü")]);
    const length = new DataView(frame.buffer).getUint32(0, true);
    const header = JSON.parse(new TextDecoder().decode(frame.subarray(4, 4 + length)));
    expect(header.base).toBe(3);
    expect(header.log.map((one: { bytes: number }) => one.bytes)).toEqual([2, 0]);
    const start = Math.ceil((4 + length) / 4) * 4;
    expect([...frame.subarray(start)]).toEqual([1, 2, 3, 9, 9]);
  });
});

const kept = (id: string, more: Partial<Kept> = {}): Kept => ({
  id,
  kernel: "old",
  number: 1,
  keys: ["song"],
  title: "",
  at: 1000,
  base: null,
  log: [],
  ...more,
});
const mine = { kernel: "new", number: 1, keys: ["song"] };
const nobody: ReadonlySet<string> = new Set();

describe("o6: whose offer it is", () => {
  it("is that of the same music from another kernel, the newest one", () => {
    const all = [
      kept("a", { at: 1 }),
      kept("b", { at: 2, kernel: "older" }),
      kept("c", { keys: ["other"], at: 9 }),
    ];
    expect(ownOf(all, mine, nobody)?.id).toBe("b");
    expect(ownOf([kept("a", { kernel: "new" })], mine, nobody)).toBeNull();
    expect(ownOf(all, { ...mine, keys: ["none"] }, nobody)).toBeNull();
  });

  it("goes by place where a kernel had several, and each once", () => {
    const all = [kept("a", { number: 1, at: 1 }), kept("b", { number: 2, at: 2 })];
    expect(ownOf(all, mine, nobody)?.id).toBe("a");
    expect(ownOf(all, { ...mine, number: 2 }, nobody)?.id).toBe("b");
    expect(ownOf(all, mine, new Set(["a"]))?.id).toBe("b");
    expect(ownOf(all, { ...mine, number: 7 }, nobody)?.id).toBe("b");
  });
});

describe("o6: the shelf", () => {
  const now = 1e12;
  it("is bounded in number, age and size", () => {
    const many = Array.from({ length: 30 }, (_, i) => kept(`k${i}`, { at: now - i }));
    expect(tooMuch(many, now)).toEqual(many.slice(20).map(({ id }) => id));
    expect(tooMuch([kept("old", { at: now - 15 * 24 * 3600e3 }), kept("new", { at: now })], now)).toEqual([
      "old",
    ]);
    const large = [1, 2, 3].map((i) => kept(`l${i}`, { at: now - i, base: new ArrayBuffer(12 << 20) }));
    expect(tooMuch(large, now)).toEqual(["l3"]);
  });

  it("works without a database", async () => {
    const shelf = new Shelf();
    await shelf.put(kept("a"));
    await shelf.put(kept("b"));
    expect((await shelf.all()).map(({ id }) => id)).toEqual(["a", "b"]);
    await shelf.drop(["a"]);
    expect((await shelf.all()).map(({ id }) => id)).toEqual(["b"]);
  });
});

describe("o6: what lies in the database", () => {
  const own: Kept = {
    id: "k/s",
    kernel: "k",
    number: 1,
    keys: ["a"],
    title: "Song",
    at: 1,
    base: new ArrayBuffer(8),
    log: [edit("a", new ArrayBuffer(20)), { k: "undo", label: "undo", ops: [], records: null }],
  };

  it("is taken when it has the shape of our own", () => {
    expect(isKept(own)).toBe(true);
    expect(isKept({ ...own, base: null, log: [] })).toBe(true);
  });

  it.each([
    null,
    7,
    "text",
    [],
    {},
    { ...own, keys: undefined },
    { ...own, keys: [{}] },
    { ...own, log: undefined },
    { ...own, log: { length: 3 } },
    { ...own, log: [null] },
    { ...own, log: [{ k: "__proto__", label: "", ops: [], records: null }] },
    { ...own, log: [{ k: "ops", label: "", ops: {}, records: null }] },
    { ...own, log: [{ k: "ops", label: "", ops: [], records: "text" }] },
    { ...own, at: Number.NaN },
    { ...own, at: 1e300 },
    { ...own, base: { byteLength: 1e12 } },
    { ...own, title: "x".repeat(100_000) },
    { ...own, log: new Array(200_000).fill(edit("a")) },
  ])("is left alone when it has not: %#", (value) => {
    expect(isKept(value)).toBe(false);
  });
});
