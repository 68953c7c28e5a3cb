/** Drawing curves with the pointer: freehand; Shift: a straight ramp; Alt: clear; Ctrl: the whole curve up or down. */
import { xToTick } from "../coords.ts";
import type { Gesture, PointerAt } from "../gestures/gesture.ts";
import { cleared, type Entry, freehand, type LanePoint, leftBehind, levelAt, raised, ramp } from "./curve.ts";
import { LANE_FLOOR, LANE_TOP } from "./marks.ts";
import type { Lane, LaneState } from "./state.ts";

export interface DrawHost {
  /** The pen is over a bar at a level (null: clearing). */
  drawing(lane: Lane, bar: number, level: number | null): void;
  done(): void;
}

/** Where in a lane a point of its canvas is. */
export function pointIn(state: LaneState, lane: Lane, at: { x: number; y: number }): LanePoint {
  const floor = lane.top + lane.height - LANE_FLOOR;
  return {
    tick: xToTick(state.ui.viewport, at.x),
    share: (floor - at.y) / (lane.height - LANE_TOP - LANE_FLOOR),
  };
}

export const barAt = (state: LaneState, lane: Lane, point: LanePoint): number =>
  lane.wide ? -1 : state.bars.at(Math.max(0, Math.min(state.bars.end - 1, point.tick)));

export function drawCurve(state: LaneState, lane: Lane, start: PointerAt, host: DrawHost): Gesture {
  const before = state.store.get("attributes");
  const touched = new Map<number, number | null>();
  const first = pointIn(state, lane, start);
  let last = first;
  /** Where the pen was in the bar it is in. */
  let path: LanePoint[] = [];
  const put = (entries: readonly Entry[]): void => {
    for (const [bar, level] of entries) {
      touched.set(bar, level);
    }
    state.write(lane, entries);
    const end = entries[entries.length - 1];
    if (end) {
      host.drawing(lane, barAt(state, lane, last), touched.get(barAt(state, lane, last)) ?? null);
    }
  };
  const whole = start.toggle ? state.known(lane) : [];
  const stroke = (from: LanePoint, to: LanePoint): void => {
    last = to;
    if (whole.length > 0) {
      const steps = Math.round((to.share - first.share) * lane.size);
      put(raised(whole, steps, lane.size));
    } else if (lane.wide) {
      put([[-1, start.alt ? null : levelAt(to.share, lane.size)]]);
    } else if (start.alt) {
      put(cleared(state.bars, from.tick, to.tick));
    } else if (start.shift) {
      // each ramp is drawn anew over what was there
      const line = ramp(state.bars, first, to, lane.size);
      const bars = new Set(line.map(([bar]) => bar));
      const old = [...touched.keys()].filter((bar) => !bars.has(bar));
      const back = old.map(
        (bar): Entry => [bar, before?.bar?.[state.track]?.[bar]?.[lane.info.name] ?? null],
      );
      put([...back, ...line]);
    } else {
      const leaves = barAt(state, lane, from) !== barAt(state, lane, to);
      const kept = leaves ? leftBehind(state.bars, path, to, lane.size) : null;
      path = leaves ? [to] : [...path, to];
      put([...(kept ? [kept] : []), ...freehand(state.bars, from, to, lane.size)]);
    }
  };
  return {
    down: () => {
      state.store.beginStroke();
      stroke(first, first);
    },
    move: (at) => stroke(last, pointIn(state, lane, at)),
    up: () => {
      const drawn = [...touched].filter(([, level]) => level !== null).map(([bar]) => bar);
      state.selectDrawn(lane, drawn);
      state.store.endStroke();
      host.done();
    },
    cancel: () => {
      state.store.setWishes({ track: before?.track ?? {}, bar: before?.bar ?? {} });
      state.store.endStroke();
      host.done();
    },
  };
}
