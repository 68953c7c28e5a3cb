/** Click or drag on the time strip: moves the playhead. */
import type { Gesture, PointerAt } from "./gesture.ts";

export function seek(move: (tick: number) => void, tickAt: (at: PointerAt) => number): Gesture {
  let last = Number.NaN;
  const go = (at: PointerAt): void => {
    const tick = tickAt(at);
    if (tick !== last) {
      last = tick;
      move(tick);
    }
  };
  return { down: go, move: go, up: () => {}, cancel: () => {} };
}
