/** The shape all gestures share, and the one drag helper that owns their listeners. */
import type { Hit } from "../hit_test.ts";

export interface PointerAt {
  /** Relative to the canvas (ruler included). */
  x: number;
  y: number;
  hit: Hit;
  shift: boolean;
  /** Ctrl, or Cmd on a Mac. */
  toggle: boolean;
  alt: boolean;
}

export interface Gesture {
  down(at: PointerAt): void;
  move(at: PointerAt): void;
  /** Commits, once. */
  up(at: PointerAt): void;
  cancel(): void;
}

export interface DragOptions {
  /** The gesture that begins at a point, or null. */
  begin(at: PointerAt, event: PointerEvent): Gesture | null;
  locate(event: PointerEvent): PointerAt;
  hover(at: PointerAt | null): void;
  signal: AbortSignal;
}

/** Runs gestures on `surface`: pointer capture, Escape and lost capture included. */
export function runGestures(surface: HTMLElement, options: DragOptions): { cancel(): boolean } {
  const { begin, locate, hover, signal } = options;
  let active: Gesture | null = null;
  let pointer = -1;
  const end = (): Gesture | null => {
    const gesture = active;
    active = null;
    if (surface.hasPointerCapture?.(pointer)) {
      surface.releasePointerCapture(pointer);
    }
    pointer = -1;
    return gesture;
  };
  const on = <K extends keyof HTMLElementEventMap>(
    name: K,
    handler: (event: HTMLElementEventMap[K]) => void,
  ): void => surface.addEventListener(name, handler, { signal });
  on("pointerdown", (event) => {
    if (event.button !== 0 || active) {
      return;
    }
    const at = locate(event);
    active = begin(at, event);
    if (active) {
      pointer = event.pointerId;
      surface.setPointerCapture?.(pointer);
      active.down(at);
    }
  });
  on("pointermove", (event) => {
    const at = locate(event);
    if (active && event.pointerId === pointer) {
      active.move(at);
    } else if (!active) {
      hover(at);
    }
  });
  on("pointerup", (event) => {
    if (event.pointerId === pointer) {
      end()?.up(locate(event));
    }
  });
  on("pointercancel", () => end()?.cancel());
  on("lostpointercapture", () => end()?.cancel());
  on("pointerleave", () => hover(null));
  signal.addEventListener("abort", () => end()?.cancel());
  return {
    cancel: () => {
      const gesture = end();
      gesture?.cancel();
      return gesture !== null;
    },
  };
}
