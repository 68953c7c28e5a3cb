/** Drags an end of the loop, or (with Shift) draws a new one, on the time strip. It keeps to bar lines. */
import { tickToX, xToTick } from "../coords.ts";
import type { Store } from "../store.ts";
import type { UiState } from "../ui_state.ts";
import type { Gesture, PointerAt } from "./gesture.ts";

const REACH_PX = 7;

/** Which end of the loop lies under x: its bar line, and that of the other end. */
export function loopEnd(store: Store, ui: UiState, x: number): { end: number; other: number } | null {
  const { loop } = store.player;
  if (!loop) {
    return null;
  }
  const [start, end] = [loop.start, loop.end].map((tick) => Math.abs(tickToX(ui.viewport, tick) - x));
  const nearest = Math.min(start as number, end as number);
  if (nearest > REACH_PX) {
    return null;
  }
  const lines = [lineNear(store, loop.start), lineNear(store, loop.end)] as const;
  return start === nearest ? { end: lines[0], other: lines[1] } : { end: lines[1], other: lines[0] };
}

/** The gesture that begins on the time strip, or null: there it is a click that seeks. */
export function loopGesture(store: Store, ui: UiState, at: PointerAt): Gesture | null {
  const tickAt = (point: PointerAt): number => xToTick(ui.viewport, point.x);
  if (at.shift) {
    const { bars } = store;
    const bar = bars.at(Math.max(0, Math.min(bars.end - 1, tickAt(at))));
    return drag(store, (point) => {
      const line = lineNear(store, tickAt(point));
      return line <= bar ? [line, bar + 1] : [bar, line];
    });
  }
  const grip = loopEnd(store, ui, at.x);
  return (
    grip &&
    drag(store, (point) => {
      const line = lineNear(store, tickAt(point));
      return line < grip.other ? [line, grip.other] : [grip.other, Math.max(grip.other, line)];
    })
  );
}

/** The bar line nearest to a tick: the number of the bar that begins there. */
function lineNear({ bars }: Store, tick: number): number {
  const bar = bars.at(Math.max(0, Math.min(bars.end - 1, tick)));
  return tick - bars.start(bar) < bars.start(bar + 1) - tick ? bar : bar + 1;
}

/** Shown and heard while it moves; kept (and told to the kernel) at the end. */
function drag(store: Store, rangeAt: (point: PointerAt) => [from: number, to: number]): Gesture {
  const before = store.player.loop;
  const move = (point: PointerAt): void => {
    const [from, to] = rangeAt(point);
    if (to > from) {
      store.player.loop = { start: store.bars.start(from), end: store.bars.start(to) };
      store.changed("transport");
    }
  };
  return {
    down: () => {},
    move,
    up: (point) => {
      const [from, to] = rangeAt(point);
      if (to > from) {
        store.setLoop([from, to]);
      }
    },
    cancel: () => {
      store.player.loop = before;
      store.changed("transport");
    },
  };
}
