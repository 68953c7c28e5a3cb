/**
 * Fingers on the roll. One finger scrolls the page until the roll is tapped; from then on it edits, until something
 * outside the roll is touched. Two fingers always scroll and zoom the roll.
 */
import { zoomAt } from "../coords.ts";
import { RULER } from "../hit_test.ts";
import type { UiState } from "../ui_state.ts";

const TAP_PX = 10;
const TAP_MS = 600;
const DOUBLE_MS = 400;
const DOUBLE_PX = 30;
/** Fingers closer than this do not zoom. */
const PINCH_PX = 12;

export interface TouchHost {
  root: HTMLElement;
  surface: HTMLElement;
  ui: UiState;
  /** Ends a drag of the first finger: a second one has come. */
  cancel(): void;
  /** A press and release at a point, as with a mouse. */
  tap(event: PointerEvent): void;
  doubleTap(event: PointerEvent): void;
}

interface Finger {
  x: number;
  y: number;
}

export function joinTouch(host: TouchHost, signal: AbortSignal): void {
  const { surface, ui } = host;
  const fingers = new Map<number, Finger>();
  let tap: (Finger & { id: number; at: number }) | null = null;
  let lastTap: (Finger & { at: number }) | null = null;
  /** Two fingers are or were down: what is left of them does nothing. */
  let pinching = false;

  const setEditing = (editing: boolean): void => {
    ui.touched = editing;
    surface.toggleAttribute("data-touched", editing);
  };
  const middle = (): [x: number, y: number, apart: number] => {
    const [a, b] = [...fingers.values()] as [Finger, Finger];
    return [(a.x + b.x) / 2, (a.y + b.y) / 2, Math.hypot(a.x - b.x, a.y - b.y)];
  };
  const pinch = (event: PointerEvent): void => {
    const [x0, y0, apart0] = middle();
    fingers.set(event.pointerId, { x: event.clientX, y: event.clientY });
    const [x, y, apart] = middle();
    const factor = apart0 > PINCH_PX && apart > PINCH_PX ? apart / apart0 : 1;
    const left = x - surface.getBoundingClientRect().left;
    const view = zoomAt(ui.viewport, factor, left, ui.limits);
    ui.follow = false;
    ui.setViewport({ ...view, left: view.left - (x - x0) / view.scale, top: view.top - (y - y0) });
  };

  const down = (event: PointerEvent): void => {
    fingers.set(event.pointerId, { x: event.clientX, y: event.clientY });
    if (fingers.size > 1) {
      if (!pinching) {
        host.cancel();
      }
      pinching = true;
      tap = null;
      event.stopImmediatePropagation();
      return;
    }
    tap = { id: event.pointerId, x: event.clientX, y: event.clientY, at: event.timeStamp };
    const onLanes = event.clientY - surface.getBoundingClientRect().top >= RULER;
    if (!ui.touched && onLanes) {
      event.stopImmediatePropagation(); // this finger scrolls the page
    }
  };
  const move = (event: PointerEvent): void => {
    if (pinching) {
      if (fingers.size === 2 && fingers.has(event.pointerId)) {
        pinch(event);
      }
      event.stopImmediatePropagation();
    } else if (tap && Math.hypot(event.clientX - tap.x, event.clientY - tap.y) > TAP_PX) {
      tap = null;
    }
  };
  const up = (event: PointerEvent): void => {
    fingers.delete(event.pointerId);
    if (pinching) {
      pinching = fingers.size > 0;
      event.stopImmediatePropagation();
      return;
    }
    const tapped = tap?.id === event.pointerId && event.timeStamp - tap.at < TAP_MS;
    tap = null;
    if (!tapped) {
      return;
    }
    if (!ui.touched) {
      setEditing(true);
      host.tap(event);
    }
    const here = { x: event.clientX, y: event.clientY, at: event.timeStamp };
    const twice =
      lastTap &&
      here.at - lastTap.at < DOUBLE_MS &&
      Math.hypot(here.x - lastTap.x, here.y - lastTap.y) < DOUBLE_PX;
    lastTap = twice ? null : here;
    if (twice) {
      // After the gesture of the second tap has ended: that is another listener of the same event.
      setTimeout(() => host.doubleTap(event));
    }
  };
  const gone = (event: PointerEvent): void => {
    fingers.delete(event.pointerId);
    pinching &&= fingers.size > 0;
    tap = null;
  };

  const handlers = { pointerdown: down, pointermove: move, pointerup: up, pointercancel: gone };
  for (const [name, handler] of Object.entries(handlers)) {
    const listener = (event: Event): void => {
      if ((event as PointerEvent).pointerType === "touch") {
        handler(event as PointerEvent);
      }
    };
    surface.addEventListener(name, listener, { signal, capture: true });
  }
  // Without this the browser takes two fingers, and makes mouse events of what has been done already.
  const own = (event: TouchEvent): void => {
    if ((event.touches.length > 1 || ui.touched) && event.cancelable) {
      event.preventDefault();
    }
  };
  surface.addEventListener("touchstart", own, { signal, passive: false });
  surface.addEventListener("touchmove", own, { signal, passive: false });
  const outside = (event: Event): void => {
    if (ui.touched && !event.composedPath().includes(host.root)) {
      setEditing(false);
    }
  };
  surface.ownerDocument.addEventListener("pointerdown", outside, { signal, capture: true });
}
