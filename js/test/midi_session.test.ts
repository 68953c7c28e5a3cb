import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { MidiSession, type MidiView } from "../src/midi/session.ts";
import { Store } from "../src/store.ts";
import { documentBytes, fakeModel } from "./fixtures.ts";

let store: Store;
beforeEach(() => {
  vi.useFakeTimers();
  store = new Store(fakeModel({ _doc: documentBytes([{ track: 0, onset: 0, duration: 480, pitch: 60 }]) }));
});
afterEach(() => {
  store.dispose();
  vi.useRealTimers();
});

const view = (): MidiView =>
  ({ ui: { cursor: [0, 0], dirty: () => {}, notePreview: null }, announce: () => {} }) as unknown as MidiView;

it("records no more when the view that armed it is closed", () => {
  const session = new MidiSession(store);
  const [own, other] = [view(), view()];
  const before = vi.getTimerCount();
  session.toggle(own);
  expect(session.armed).toBe(true);
  session.leave(other);
  expect(session.armed).toBe(true);
  session.leave(own);
  expect(session.armed).toBe(false);
  expect(vi.getTimerCount()).toBe(before);
});
