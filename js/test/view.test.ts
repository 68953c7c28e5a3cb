// @vitest-environment happy-dom
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { AttributeInfo, SettingInfo } from "../src/protocol.gen.ts";
import widget from "../src/widget.ts";
import { deskIsHere } from "./desk.ts";
import { documentBytes, type FakeModel, fakeModel } from "./fixtures.ts";

const ROWS = [0, 1, 2, 3].map((bar) => ({ track: 0, onset: bar * 1920, duration: 480, pitch: 60 }));
const ATTRIBUTES: AttributeInfo[] = [
  { name: "note_density", level: "track", track_type: "both", size: 10 },
  { name: "bar_note_density", level: "bar", track_type: "both", size: 10 },
  { name: "pitch_range", level: "track", track_type: "melodic", size: 4, value_labels: ["a", "b", "c", "d"] },
];
const SETTINGS: SettingInfo[] = [
  {
    name: "temperature",
    label: "temperature",
    help: "",
    kind: "number",
    default: 1,
    low: 0,
    advanced: false,
  },
];

let model: FakeModel;
let host: HTMLElement;
let closeView: () => void;
let closeModel: () => void;
let rendered: ReturnType<typeof widget>;

beforeEach(() => {
  vi.useFakeTimers();
  deskIsHere();
  model = fakeModel({
    _doc: documentBytes(ROWS),
    caps: { model: "test", attributes: ATTRIBUTES, settings: SETTINGS },
  });
  host = document.createElement("div");
  document.body.append(host);
  rendered = widget();
  closeModel = rendered.initialize({ model });
  closeView = rendered.render({ model, el: host });
});
afterEach(() => {
  closeView();
  closeModel();
  host.remove();
  vi.useRealTimers();
});

const get = <E extends HTMLElement = HTMLElement>(testid: string, root: HTMLElement = host): E =>
  root.querySelector<E>(`[data-testid="${testid}"]`) as E;
const roll = (): HTMLElement => host.querySelector(".mgnb-surface") as HTMLElement;
const settle = async (): Promise<void> => {
  await vi.advanceTimersByTimeAsync(200);
};
const press = (key: string, init: KeyboardEventInit = {}, target: HTMLElement = roll()): KeyboardEvent => {
  const event = new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true, ...init });
  target.dispatchEvent(event);
  return event;
};

describe("roles and labels", () => {
  it("has a toolbar, a grid with cells, and a live region", async () => {
    await settle();
    expect(host.querySelector('[role="toolbar"]')?.getAttribute("aria-label")).toBeTruthy();
    expect(roll().getAttribute("role")).toBe("grid");
    expect(roll().querySelectorAll('[role="row"]')).toHaveLength(2);
    expect(roll().querySelectorAll('[role="gridcell"]').length).toBeGreaterThan(0);
    expect(host.querySelector('[aria-live="polite"]')).not.toBeNull();
  });

  it("names every button", () => {
    for (const button of host.querySelectorAll("button")) {
      expect(button.getAttribute("aria-label") || button.textContent?.trim(), button.outerHTML).toBeTruthy();
    }
  });

  it("has one tab stop in the toolbar", () => {
    const stops = [...host.querySelectorAll<HTMLElement>(".mgnb-toolbar button")].filter(
      (b) => b.tabIndex === 0,
    );
    expect(stops).toHaveLength(1);
  });

  it("marks the selected cells and the active one", async () => {
    await settle();
    press("ArrowRight");
    await settle();
    const active = roll().getAttribute("aria-activedescendant");
    const cell = roll().querySelector(`#${active}`);
    expect(cell?.getAttribute("aria-selected")).toBe("true");
    expect(cell?.getAttribute("aria-label")).toBe("Piano, bar 2, 1 note");
  });
});

describe("keys", () => {
  it("select, extend, announce and reach Python", async () => {
    press("ArrowRight");
    press("ArrowDown", { shiftKey: true });
    await settle();
    expect(model.state.selection.cells).toEqual([
      [0, 1],
      [1, 1],
    ]);
    expect(host.querySelector('[aria-live="polite"]')?.textContent).toBe("Selected bar 2, all tracks");
  });

  it("never reach the notebook", () => {
    const notebook = vi.fn();
    document.body.addEventListener("keydown", notebook);
    for (const key of ["a", "b", "d", "x", "z", "Enter", "ArrowUp", " "]) {
      press(key);
      press(key, { shiftKey: true });
    }
    document.body.removeEventListener("keydown", notebook);
    expect(notebook).not.toHaveBeenCalled();
    expect(get("mgnb-roll").getAttribute("data-lm-suppress-shortcuts")).toBe("true");
  });

  it("are marked as the roll's own where the focus is, for a notebook that looks before the roll does", () => {
    const button = host.querySelector(".mgnb-toolbar button:not([disabled])") as HTMLElement;
    for (const focused of [roll(), button]) {
      expect(focused.hasAttribute("data-lm-suppress-shortcuts")).toBe(false);
      focused.focus();
      expect(focused.getAttribute("data-lm-suppress-shortcuts")).toBe("true");
    }
  });

  it("G asks for the selected bars; undo asks for undo", async () => {
    press("ArrowRight");
    press("g");
    await settle();
    expect(model.sent[0]).toMatchObject({ k: "generate", selection: { cells: [[0, 1]] } });
    press("z", { ctrlKey: true });
    expect(model.sent.some((m) => m["k"] === "undo")).toBe(true);
  });

  it("Escape clears the selection", async () => {
    press("ArrowRight");
    press("Escape");
    await settle();
    expect(model.state.selection.cells).toEqual([]);
  });

  it("the help sheet opens and closes", () => {
    press("?");
    expect(get("mgnb-help-sheet").hidden).toBe(false);
    press("Escape");
    expect(get("mgnb-help-sheet").hidden).toBe(true);
  });

  it("in a field belong to the field", () => {
    const field = get("mgnb-sampling-temperature");
    const event = press("g", {}, field);
    expect(event.defaultPrevented).toBe(false);
    expect(model.sent).toEqual([]);
  });
});

describe("the main button", () => {
  it("says what is missing, then what it will do", async () => {
    await settle();
    const button = get("mgnb-generate");
    expect(button.getAttribute("aria-disabled")).toBe("true");
    expect(button.title).toMatch(/Select bars/);
    model.push("selection", {
      cells: [
        [0, 1],
        [0, 2],
      ],
    });
    await settle();
    expect(button.textContent).toBe("Regenerate bars 2–3, Piano");
    expect(button.getAttribute("aria-disabled")).toBeNull();
    button.click();
    expect(model.sent[0]).toMatchObject({ k: "generate" });
  });

  it("gives way to Stop while a job runs", async () => {
    model.receive({ v: 1, k: "ev", job: "j", n: 0, ev: "accepted", cells: [[0, 1]], label: "x" });
    await settle();
    expect(get("mgnb-generate").hidden).toBe(true);
    expect(get("mgnb-stop").hidden).toBe(false);
    get("mgnb-stop").click();
    expect(model.sent.at(-1)).toMatchObject({ k: "cancel", job: "j" });
  });

  it("is absent without a model, with an explanation", async () => {
    const other = document.createElement("div");
    const plain = fakeModel({ _doc: documentBytes(ROWS), caps: {} });
    const close = widget().render({ model: plain, el: other });
    await settle();
    expect(get("mgnb-generate", other).hidden).toBe(true);
    expect(get("mgnb-no-engine", other).hidden).toBe(false);
    close();
    expect(plain.listenerCount()).toBe(0);
  });
});

describe("problems", () => {
  it("appear with their hint and can be dismissed", async () => {
    model.push("error", { code: "x", message: "It broke", hint: "Try again" });
    await settle();
    const banner = get("mgnb-error");
    expect(banner.hidden).toBe(false);
    expect(banner.textContent).toContain("It broke");
    expect(banner.textContent).toContain("Try again");
    banner.querySelector<HTMLElement>("[aria-label=Dismiss]")?.click();
    await settle();
    expect(banner.hidden).toBe(true);
    expect(model.state.error).toBeNull();
  });
});

describe("wishes", () => {
  it("show the attributes that apply, and set them for the selection", async () => {
    model.push("selection", { cells: [[1, 0]] });
    await settle();
    expect(get("mgnb-attr-note_density")).not.toBeNull();
    expect(get("mgnb-attr-pitch_range")).toBeNull(); // melodic only
    const slider = get<HTMLInputElement>("mgnb-attr-bar_note_density");
    expect(slider.getAttribute("aria-valuetext")).toBe("no preference");
    slider.value = "6";
    slider.dispatchEvent(new Event("input", { bubbles: true }));
    await settle();
    expect(model.state.attributes).toEqual({ track: {}, bar: { 1: { 0: { bar_note_density: 6 } } } });
    expect(slider.getAttribute("aria-valuetext")).toBe("7 of 10");
    get("mgnb-clear-bar_note_density").click();
    await settle();
    expect(model.state.attributes).toEqual({ track: {}, bar: {} });
  });

  it("use the kernel's words for values", async () => {
    model.push("attributes", { track: { 0: { pitch_range: 2 } }, bar: {} });
    model.push("selection", { cells: [[0, 0]] });
    await settle();
    expect(get("mgnb-attr-pitch_range").getAttribute("aria-valuetext")).toBe("c");
  });
});

describe("two views", () => {
  it("run the desk's code once", () => {
    const made = deskIsHere();
    const second = document.createElement("div");
    const close = rendered.render({ model, el: second });
    const third = rendered.render({ model, el: second });
    expect(made).not.toHaveBeenCalled(); // the first view of this page has run it
    expect(second.querySelectorAll('[data-testid="mgnb-steer-panel"]')).toHaveLength(2);
    close();
    third();
  });

  it("show the same selection; closing one leaves the other alive", async () => {
    const second = document.createElement("div");
    document.body.append(second);
    const close = rendered.render({ model, el: second });
    press("ArrowRight");
    await settle();
    expect(get("mgnb-generate", second).textContent).toBe("Regenerate bar 2, Piano");
    close();
    expect(second.childElementCount).toBe(0);
    press("ArrowRight");
    await settle();
    expect(get("mgnb-generate").textContent).toBe("Regenerate bar 3, Piano");
    second.remove();
  });
});

describe("cleanup", () => {
  it("fifty times on and off leaves the counts as they were", { timeout: 30_000 }, async () => {
    await settle();
    const listeners = model.listenerCount();
    const added = vi.spyOn(globalThis, "addEventListener");
    for (let i = 0; i < 50; i++) {
      const el = document.createElement("div");
      document.body.append(el);
      const controller = new AbortController();
      const close = rendered.render({ model, el, signal: controller.signal });
      await vi.advanceTimersByTimeAsync(1);
      if (i % 2 === 0) {
        controller.abort();
      }
      close();
      expect(el.childElementCount).toBe(0);
      el.remove();
    }
    await settle();
    for (const [, , options] of added.mock.calls) {
      expect((options as AddEventListenerOptions).signal?.aborted).toBe(true);
    }
    added.mockRestore();
    expect(model.listenerCount()).toBe(listeners);
    closeView();
    closeModel();
    expect(model.listenerCount()).toBe(0);
    expect(vi.getTimerCount()).toBe(0);
  });
});
