import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Kernel, RequestError } from "../src/model.ts";
import { type FakeModel, fakeModel } from "./fixtures.ts";

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

const idOf = (i: number): unknown => model.sent[i]?.["id"];

describe("requests", () => {
  it("carry version, kind, payload and an id of their own", () => {
    void kernel.request("cancel", { job: "j1" });
    void kernel.request("undo", {});
    expect(model.sent[0]).toMatchObject({ v: 1, k: "cancel", job: "j1" });
    expect(idOf(0)).not.toBe(idOf(1));
  });

  it("get the answer with their id, in any order", async () => {
    const first = kernel.request("undo", {});
    const second = kernel.request("redo", {});
    model.receive({ v: 1, k: "ok", id: idOf(1), job: "second" });
    model.receive({ v: 1, k: "ok", id: idOf(0), job: "first" });
    expect((await first).ok.job).toBe("first");
    expect((await second).ok.job).toBe("second");
  });

  it("are rejected with code, message and hint", async () => {
    const asked = kernel.request("undo", {});
    model.receive({
      v: 1,
      k: "error",
      id: idOf(0),
      code: "nothing",
      message: "nothing to undo",
      hint: "edit first",
    });
    await expect(asked).rejects.toMatchObject({
      code: "nothing",
      message: "nothing to undo",
      hint: "edit first",
    });
    await expect(asked).rejects.toBeInstanceOf(RequestError);
  });

  it("ignore answers to another page", () => {
    let settled = false;
    kernel.request("undo", {}).then(
      () => (settled = true),
      () => (settled = true),
    );
    model.receive({ v: 1, k: "ok", id: "other-0" });
    expect(settled).toBe(false);
  });

  it("report a busy kernel after 400 ms and take it back", async () => {
    const busy = vi.fn();
    kernel.onBusy = busy;
    const asked = kernel.request("undo", {});
    vi.advanceTimersByTime(399);
    expect(busy).not.toHaveBeenCalled();
    vi.advanceTimersByTime(1);
    expect(busy).toHaveBeenLastCalledWith(1);
    model.receive({ v: 1, k: "ok", id: idOf(0) });
    await asked;
    expect(busy).toHaveBeenLastCalledWith(0);
  });

  it("that are late are counted one by one: an answer to each takes it back, whatever else waits", async () => {
    const busy = vi.fn();
    kernel.onBusy = busy;
    const first = kernel.request("undo", {});
    vi.advanceTimersByTime(400);
    void kernel.request("sync", { job: null, have: 0 });
    model.receive({ v: 1, k: "ok", id: idOf(0) });
    await first;
    expect(busy).toHaveBeenLastCalledWith(0);
    vi.advanceTimersByTime(400);
    expect(busy).toHaveBeenLastCalledWith(1);
  });

  it("fail at once when the host cannot send", async () => {
    model.send = () => {
      throw new Error("comm is closed");
    };
    await expect(kernel.request("undo", {})).rejects.toMatchObject({ code: "disconnected" });
  });
});

describe("a page that is closed", () => {
  it("asks nothing more and leaves no timer behind", () => {
    kernel.dispose();
    void kernel.request("undo", {});
    expect(model.sent).toEqual([]);
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe("messages", () => {
  it("of another version give one clear problem", () => {
    const problem = vi.fn();
    kernel.onProblem = problem;
    for (let n = 0; n < 3; n++) {
      model.receive({ v: 2, k: "ev", job: "a", n, ev: "tok", tokens: 1 });
    }
    expect(problem).toHaveBeenCalledTimes(1);
    expect(problem).toHaveBeenCalledWith(expect.objectContaining({ code: "version" }));
  });

  it.each([null, 7, "x", [], { v: 1, k: "strange" }, { v: 1, k: "ev", job: "a", n: 0, ev: "unknown" }])(
    "that are not understood are ignored: %j",
    (content) => {
      const seen = vi.fn();
      kernel.onEvent = seen;
      expect(() => model.receive(content)).not.toThrow();
      expect(seen).not.toHaveBeenCalled();
    },
  );

  it("stop after dispose", () => {
    kernel.dispose();
    expect(model.listenerCount()).toBe(0);
  });
});
