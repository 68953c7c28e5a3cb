/** Requests over a bad wire, and whether there is anybody at its other end. */
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Connection } from "../src/connection.ts";
import { Kernel } from "../src/model.ts";
import { Store } from "../src/store.ts";
import { documentBytes, type FakeModel, fakeModel } from "./fixtures.ts";

let model: FakeModel;
let kernel: Kernel;

beforeEach(() => {
  vi.useFakeTimers();
  model = fakeModel();
  kernel = new Kernel(model, "page");
});
afterEach(() => {
  kernel.dispose();
  vi.useRealTimers();
});

const kinds = (): unknown[] => model.sent.map((message) => message["k"]);
const answer = (i: number, fields: object = {}): void =>
  model.receive({ v: 1, k: "ok", id: model.sent[i]?.["id"], ...fields });

describe("m4: requests that change something", () => {
  it("are numbered from 0, others are not", () => {
    void kernel.request("undo", {});
    void kernel.request("cancel", {});
    void kernel.request("ops", { label: "x", ops: [] });
    expect(model.sent.map((message) => message["seq"])).toEqual([0, undefined, 1]);
  });

  it("are sent again until they are answered, ever more rarely", () => {
    void kernel.request("undo", {});
    vi.advanceTimersByTime(3000);
    expect(model.sent).toHaveLength(2);
    expect(model.sent[1]).toEqual(model.sent[0]);
    vi.advanceTimersByTime(6000);
    expect(model.sent).toHaveLength(3);
    answer(0);
    vi.advanceTimersByTime(600_000);
    expect(model.sent).toHaveLength(3);
  });

  it("are repeated late when their answer is large", () => {
    void kernel.request("sound", { file: "bank", part: 0 });
    vi.advanceTimersByTime(14_000);
    expect(model.sent).toHaveLength(1);
    vi.advanceTimersByTime(2000);
    expect(model.sent).toHaveLength(2);
  });

  it("are sent at once when the kernel misses one, and only that one", () => {
    void kernel.request("undo", {});
    void kernel.request("redo", {});
    model.receive({ v: 1, k: "gap", id: model.sent[1]?.["id"], seq: 0 });
    expect(kinds()).toEqual(["undo", "redo", "undo"]);
    model.receive({ v: 1, k: "gap", id: "another-1", seq: 1 });
    expect(kinds()).toHaveLength(3);
  });

  it("leave no hole in the row when one cannot leave the page", async () => {
    const { send } = model;
    model.send = () => {
      throw new Error("no line");
    };
    await expect(kernel.request("undo", {})).rejects.toMatchObject({ code: "disconnected" });
    model.send = send;
    void kernel.request("redo", {});
    expect(model.sent[0]).toMatchObject({ k: "redo", seq: 0 });
  });

  it("an answer that comes twice is heard once", async () => {
    const asked = kernel.request("undo", {});
    answer(0, { rev: 4 });
    answer(0, { rev: 5 });
    expect((await asked).ok.rev).toBe(4);
  });
});

describe("m4: a revision that the page heard of", () => {
  it("is asked for when its snapshot does not come", async () => {
    model.push("_doc", documentBytes([], { rev: 1 } as never));
    const store = new Store(model);
    const asked = store.undo();
    answer(0, { rev: 7 });
    await asked;
    await vi.advanceTimersByTimeAsync(1100);
    expect(kinds().filter((kind) => kind === "doc")).toHaveLength(1);
    store.dispose();
  });
});

describe("m4: the last word of a job", () => {
  it("is asked for when nothing more is heard", async () => {
    const store = new Store(model);
    model.receive({ v: 1, k: "ev", job: "j", n: 0, ev: "accepted", cells: [[0, 0]], label: "x" });
    await vi.advanceTimersByTimeAsync(3100);
    expect(model.sent.at(-1)).toMatchObject({ k: "sync", job: "j", have: 1 });
    answer(model.sent.length - 1, { job: "j", n: 3, state: "cancelled", cells: [[0, 0]] });
    await vi.advanceTimersByTimeAsync(0);
    expect(store.running).toBe(false);
    store.dispose();
  });
});

class Slot {
  private readonly slots = new Set<(sender: unknown, value: string) => void>();
  connect(slot: (sender: unknown, value: string) => void): void {
    this.slots.add(slot);
  }
  disconnect(slot: (sender: unknown, value: string) => void): void {
    this.slots.delete(slot);
  }
  emit(value: string): void {
    for (const slot of this.slots) {
      slot(null, value);
    }
  }
  get count(): number {
    return this.slots.size;
  }
}

describe("x2: the connection", () => {
  const host = () => ({
    status: "idle",
    connectionStatus: "connected",
    statusChanged: new Slot(),
    connectionStatusChanged: new Slot(),
  });
  const changes: boolean[] = [];
  const watch = (manager: unknown): Connection => {
    changes.length = 0;
    return new Connection(kernel, manager, (back) => changes.push(back));
  };

  it("is there until the host says otherwise", () => {
    const own = host();
    const connection = watch({ kernel: own });
    expect(connection.viewOnly).toBe(false);
    own.statusChanged.emit("busy");
    expect(connection.lost).toBe("");
    own.statusChanged.emit("autorestarting");
    expect([connection.lost, connection.viewOnly, changes]).toEqual(["gone", true, [false]]);
    connection.dispose();
    expect(own.statusChanged.count + own.connectionStatusChanged.count).toBe(0);
  });

  it("comes back with the first answer, and what waited is sent again", async () => {
    const own = host();
    const connection = watch({ kernel: own });
    void kernel.request("undo", {});
    own.connectionStatusChanged.emit("connecting");
    expect(connection.lost).toBe("away");
    own.connectionStatusChanged.emit("connected");
    expect(connection.lost).toBe("away"); // not before it is heard
    const probe = model.sent.findIndex((message) => message["k"] === "doc");
    answer(probe);
    await vi.advanceTimersByTimeAsync(0);
    expect(connection.lost).toBe("");
    expect(changes).toEqual([false, true]);
    expect(kinds()).toEqual(["undo", "doc", "undo"]);
    connection.dispose();
  });

  it("is known to be missing in a saved notebook without a kernel", () => {
    expect(watch({ kernel: null }).lost).toBe("none");
  });

  it("without a host that tells, 20 seconds of silence are told, and editing goes on", async () => {
    const connection = watch({});
    void kernel.request("undo", {});
    await vi.advanceTimersByTimeAsync(19_000);
    expect(connection.lost).toBe("");
    await vi.advanceTimersByTimeAsync(2000);
    expect([connection.lost, connection.viewOnly]).toEqual(["silent", false]);
    answer(0);
    await vi.advanceTimersByTimeAsync(0);
    expect(connection.lost).toBe("");
    connection.dispose();
  });

  it("a kernel that says something is not silent", async () => {
    const connection = watch({});
    void kernel.request("undo", {});
    for (let second = 0; second < 60; second++) {
      await vi.advanceTimersByTimeAsync(1000);
      model.receive({ v: 1, k: "ev", job: "j", n: second, ev: "tok", tokens: second });
    }
    expect(connection.lost).toBe("");
    connection.dispose();
  });

  it("refuses at once what would wait in vain", async () => {
    kernel.gone = () => true;
    await expect(kernel.request("sound", { file: "simple", part: 0 })).rejects.toMatchObject({
      code: "disconnected",
    });
  });
});
